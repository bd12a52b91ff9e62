//! A demo that runs: the fleet, its home, the app on them, and the sample data in its store.

use std::path::{Path, PathBuf};

use tokio::task::JoinHandle;

use crate::app::event::LineEvent;
use crate::app::runtime::{Client, ToLine};
use crate::app::start::{self, Interactive, Places};
use crate::command::{
    Answer, Command, Globals, HostCommand, ImportSource, Outcome, TicketChange, TicketCommand,
};
use crate::config::{Environment, Paths, Settings};
use crate::ssh::Reply;

use super::ground::Ground;
use super::{BOOKS, DemoError, Fleet, LOGIN, TICKETS};

/// Why a demo could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The fleet.
    #[error(transparent)]
    Fleet(#[from] DemoError),
    /// The temporary home, or the app in it.
    #[error(
        "cannot set up the demo's home: {0}; set TMPDIR to a folder with space that you may write to"
    )]
    Home(String),
    /// The folder that was named as its home.
    #[error("cannot use {} for the demo: {why}; name a folder that you may write to, or leave out --home", path.display())]
    Kept {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// The folder that was named as its home holds something else.
    #[error("cannot put the demo into {}: it is not empty and no demo made it; name a new or an empty folder", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
    },
    /// The demo in that folder runs already.
    #[error("cannot put the demo into {}: another demo runs in it; leave that one first, or name another folder", path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// The story begins at the beginning.
    #[error("cannot walk the demo in {}: it was used before, and the story begins with nothing; name an empty folder", path.display())]
    Used {
        /// The folder.
        path: PathBuf,
    },
    /// The app refused what the demo begins with.
    #[error("the demo could not be furnished: {0}")]
    Furnish(String),
    /// The app is gone.
    #[error(transparent)]
    Gone(#[from] crate::app::runtime::Gone),
    /// The app ended in the middle of a command.
    #[error("the app ended without an answer")]
    Silent,
}

/// Everything that a demo is made of. Dropping it ends the fleet and removes its folder, unless that was named.
pub struct Stage {
    /// The way to the app.
    pub client: Client,
    /// Where the app keeps its files.
    pub places: Places,
    fleet: Fleet,
    app: JoinHandle<()>,
    ground: Ground,
}

impl Stage {
    /// Starts fleet and app in a new temporary folder, or in the home that `globals` names.
    ///
    /// # Errors
    /// A server, a folder or the store could not be made.
    pub async fn set(globals: &Globals, who: Interactive) -> Result<Self, StageError> {
        let ground = Ground::choose(globals.home.as_deref())?;
        let home = ground.home();
        if ground.is_furnished() && matches!(who, Interactive::Nobody) {
            return Err(StageError::Used { path: home });
        }
        let fleet = Fleet::start(&ground.fleet()).await?;
        let paths = Paths::below(&home)
            .and_then(|paths| paths.ensure().map(|()| paths))
            .map_err(|why| StageError::Home(why.to_string()))?;
        for book in BOOKS {
            write_book(&paths.runbooks(), book.name, book.text)
                .map_err(|why| StageError::Home(why.to_string()))?;
        }
        let environment = Environment::of_process();
        let mut settings = Settings::defaults(&environment);
        settings.general.author = LOGIN.to_owned();
        settings.health.interval = std::time::Duration::from_secs(2);
        let places = Places {
            paths,
            settings,
            environment,
            demo: true,
            served: false,
            agent: None,
        };
        let globals = Globals {
            home: None,
            read_only: false,
            ..globals.clone()
        };
        let (app, client) = start::assemble(&places, &globals, who)
            .map_err(|why| StageError::Home(why.to_string()))?;
        Ok(Self {
            client,
            places,
            fleet,
            app: tokio::spawn(app.run()),
            ground,
        })
    }

    /// The fleet's ssh_config.
    pub fn ssh_config(&self) -> &Path {
        self.fleet.ssh_config()
    }

    /// The fleet.
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// Imports the fleet and opens the sample tickets, as a person would by commands; the first of them last, because a
    /// list begins with the newest. Where a demo was before, its hosts are imported anew and the rest is as it was left.
    ///
    /// # Errors
    /// A command was refused; says why.
    pub async fn furnish(&self) -> Result<(), StageError> {
        self.must(self.import()).await?;
        if self.ground.is_furnished() {
            return Ok(());
        }
        for host in self.fleet.hosts() {
            self.must(Command::Host(HostCommand::Tag {
                pattern: host.name.to_owned(),
                add: host.tags.iter().map(|tag| (*tag).to_owned()).collect(),
                remove: Vec::new(),
            }))
            .await?;
        }
        for sample in TICKETS.iter().rev() {
            let change = TicketChange {
                body: Some(sample.body.to_owned()),
                priority: Some(sample.priority),
                requester: sample.requester.map(str::to_owned),
                kind: Some(sample.kind),
                queue: Some(sample.queue.to_owned()),
                owner: sample.owner.map(str::to_owned),
                tag: sample.tags.iter().map(|tag| (*tag).to_owned()).collect(),
                host: sample.hosts.iter().map(|host| (*host).to_owned()).collect(),
                ..TicketChange::default()
            };
            self.must(Command::Ticket(TicketCommand::Add {
                title: sample.title.to_owned(),
                change,
            }))
            .await?;
        }
        self.ground.furnished()
    }

    /// The command that imports the fleet.
    pub fn import(&self) -> Command {
        Command::Host(HostCommand::Import {
            from: ImportSource::SshConfig,
            path: self.fleet.ssh_config().to_owned(),
            dry_run: false,
        })
    }

    async fn must(&self, command: Command) -> Result<(), StageError> {
        let outcome = self.ask(command).await?;
        match outcome.answer {
            Answer::Error(why) => Err(StageError::Furnish(why)),
            _ => Ok(()),
        }
    }

    /// Asks the app for a command and says yes to whatever it asks back.
    ///
    /// # Errors
    /// The app has ended.
    pub async fn ask(&self, command: Command) -> Result<Outcome, StageError> {
        let mut line = self.client.line(false).await?;
        line.ask(command).await?;
        while let Some(message) = line.out.recv().await {
            match message {
                ToLine::Emit(_) => {}
                ToLine::Question(inquiry) => {
                    line.event(LineEvent::Answered(inquiry.id, Reply::Yes))
                        .await?
                }
                ToLine::Done(outcome) => return Ok(*outcome),
            }
        }
        Err(StageError::Silent)
    }

    /// Ends the app, then the fleet, then removes the folder; of one that was named, only the hosts.
    pub async fn strike(self) {
        self.client.stop().await.ok();
        drop(self.app.await);
        self.fleet.stop().await;
        self.ground.leave();
    }
}

fn write_book(folder: &Path, name: &str, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    let path = folder.join(format!("{name}.md"));
    if let Some(parent) = path.parent() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(parent)?;
    }
    let made = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match made {
        Ok(mut file) => std::io::Write::write_all(&mut file, text.as_bytes()),
        // The demo was here before, and somebody may have changed it since.
        Err(why) if why.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(why) => Err(why),
    }
}
