//! Puts an app together from options and settings: folders, store, connections. The only place that knows them all.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::command::{Globals, Info};
use crate::config::{self, Environment, Paths, Settings, Share};
use crate::domain::host::{Effective, Target};
use crate::domain::look::CopyKeys;
use crate::health::verdict::{Limit, Thresholds};
use crate::ssh::{AgentChoice, EffectiveCache, EngineOptions, FileStamp, Screens};
use crate::store::{self, Answer, Ask, Batch, Local, Store, StoreError};
use crate::ui::{Keymap, Theme};

use super::clock;
use super::files::Files;
use super::runtime::{Client, Parts, Runtime};
use super::state::{Guarding, Probing, Setup, TerminalRules};

/// Who can be asked when a connection needs a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interactive {
    /// Whoever sits at a window.
    Window,
    /// Whoever sits at the terminal of a command line.
    Line,
    /// Nobody: what would be asked is refused.
    Nobody,
}

/// Where files are, and what the settings say.
#[derive(Clone, Debug)]
pub struct Places {
    /// The folders.
    pub paths: Paths,
    /// The settings.
    pub settings: Settings,
    /// The environment of this process.
    pub environment: Environment,
    /// Whether this is the demo: everything is probed, and no agent or file of the account is used.
    pub demo: bool,
    /// Whether the app is a process of its own.
    pub served: bool,
    /// The path by which programs in panes are to find the agent; without one they get the variable of this process.
    pub agent: Option<PathBuf>,
}

impl Places {
    /// The session in whose pane of the app of these places this process runs, by its reference.
    pub fn pane(&self) -> Option<&str> {
        let app = self.environment.get(crate::ssh::APP)?;
        let pane = self.environment.text(crate::ssh::PANE);
        pane.filter(|_| app == self.paths.state.as_os_str())
    }
}

/// Why the app could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A folder or the settings.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes, and nothing can be named without them: {0}")]
    Seed(getrandom::Error),
    /// The theme.
    #[error(
        "there is no theme {0:?}; `qd theme ls` lists them, and [general] theme in the settings names one"
    )]
    Theme(String),
}

impl StartError {
    /// The exit status that says so.
    pub fn exit(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Theme(_) => 2,
            Self::Store(_) | Self::Seed(_) => 1,
        }
    }
}

/// Why nothing was done, and the exit status that says so.
#[derive(Debug)]
pub struct Refused {
    /// What was attempted, why it failed, what to do next.
    pub text: String,
    /// As interface.md says.
    pub exit: u8,
}

impl From<StartError> for Refused {
    fn from(error: StartError) -> Self {
        Self {
            exit: error.exit(),
            text: error.to_string(),
        }
    }
}

impl From<std::io::Error> for Refused {
    fn from(error: std::io::Error) -> Self {
        Self {
            text: format!("the system refused what every command needs: {error}"),
            exit: 1,
        }
    }
}

/// Finds the folders, makes those that are missing, and reads the settings.
///
/// # Errors
/// A folder that cannot be used, or settings that cannot be understood.
pub fn places(globals: &Globals) -> Result<Places, StartError> {
    let environment = Environment::of_process();
    let paths = Paths::find(globals.home.as_deref(), &environment)?;
    paths.ensure()?;
    let settings = Settings::load(&paths, &environment)?;
    Ok(Places {
        paths,
        settings,
        environment,
        demo: false,
        served: false,
        agent: None,
    })
}

/// Opens the store and starts the loop's parts; the caller runs it. Must be called inside a tokio runtime.
///
/// # Errors
/// The store cannot be opened, or a setting names what is not there.
pub fn assemble(
    places: &Places,
    globals: &Globals,
    who: Interactive,
) -> Result<(Runtime, Client), StartError> {
    let changed = Arc::new(Notify::new());
    let store = open_store(places, globals.read_only, Some(Arc::clone(&changed)))?;
    let settings = &places.settings;
    let setup = setup(places, globals, &store)?;
    let ground = setup.theme.ground();
    let engine = EngineOptions {
        cache: Arc::new(StoredSettings {
            store: store.clone(),
        }),
        agent: if places.demo {
            AgentChoice::None
        } else {
            AgentChoice::FromEnv
        },
        interactive: who != Interactive::Nobody,
        ssh_program: settings.ssh.program.clone(),
        screens: Arc::new(Screens::with_ground(ground)),
    };
    let files = Files::new(
        places.paths.clone(),
        settings.clone(),
        places.environment.clone(),
    );
    let (runtime, client) = Runtime::new(Parts {
        store,
        setup,
        files,
        engine,
        sync: super::sync::Job {
            home: places
                .environment
                .home()
                .unwrap_or(std::path::Path::new("/"))
                .to_path_buf(),
            auto: who == Interactive::Window && !globals.read_only,
            me: settings.general.author.clone(),
            ssh_config: settings.ssh.default_config.clone(),
            recordings: super::sync::Recordings {
                folder: places.paths.recordings(),
                share: settings.sync.recordings == Share::Always && !globals.read_only,
                off: settings.recording.off.clone(),
                quota: settings.sync.quota,
            },
        },
        changed,
    });
    runtime.keep(crate::term::Keep {
        bytes: settings.session.scrollback_bytes,
        keys: copy_keys(places),
    });
    runtime.around(crate::ssh::Surroundings {
        app: places.paths.state.clone(),
        agent: places.agent.clone(),
    });
    Ok((runtime, client))
}

/// What the update is told at the start.
fn setup(places: &Places, globals: &Globals, store: &Store) -> Result<Setup, StartError> {
    let settings = &places.settings;
    let theme = theme_of(&places.paths, settings)?;
    Ok(Setup {
        me: settings.general.author.clone(),
        recordings: places.paths.recordings(),
        device: store.device(),
        ssh_config: settings.ssh.default_config.clone(),
        ssh_program: settings.ssh.program.clone(),
        openssh_hosts: settings.ssh.openssh_hosts.clone(),
        recording: settings.recording.clone(),
        read_only: globals.read_only,
        demo: places.demo,
        served: places.served,
        logout: places
            .served
            .then(|| super::logout::risk(&places.environment.login()))
            .flatten(),
        probing: if places.demo {
            Probing::All
        } else {
            Probing::Visible
        },
        thresholds: thresholds(settings),
        predict: settings.session.predict,
        theme,
        keymap: keymap(places),
        window_size: settings.session.window_size,
        term: "xterm-256color".to_owned(),
        terminal: terminal_rules(settings),
        seed: clock::seed().map_err(StartError::Seed)?,
        now: clock::now(),
        pid: std::process::id(),
        info: info(places, store),
        guard: guarding(settings),
        rules: crate::health::schedule::Rules {
            visible_ms: u64::try_from(settings.health.interval.as_millis())
                .unwrap_or(10_000)
                .max(1_000),
            ..crate::health::schedule::Rules::default()
        },
    })
}

/// The keys, with the prefix and the copy mode that the settings ask for.
fn keymap(places: &Places) -> Keymap {
    let prefix = places.settings.session.prefix;
    let keymap = prefix.map_or_else(Keymap::default, |prefix| {
        Keymap::with(&std::collections::BTreeMap::new(), prefix).0
    });
    keymap.with_copy_keys(copy_keys(places))
}

fn copy_keys(places: &Places) -> CopyKeys {
    let chosen = places.settings.session.copy_keys;
    chosen.unwrap_or_else(|| places.environment.copy_keys())
}

/// Opens the store of these places.
///
/// # Errors
/// It cannot be opened, is not ours, or is newer than this program.
pub fn open_store(
    places: &Places,
    read_only: bool,
    changed: Option<Arc<Notify>>,
) -> Result<Store, StartError> {
    // The seed is drawn before the store asks for it, because a failure must be told and not swallowed.
    clock::seed().map_err(StartError::Seed)?;
    let seed = || clock::seed().unwrap_or([0; 32]);
    let changed = changed
        .map(|notify| Box::new(move || notify.notify_one()) as Box<dyn Fn() + Send + 'static>);
    Ok(Store::open(
        &places.paths.data,
        clock::now,
        seed,
        store::Options {
            read_only,
            changed,
            output_days: places.settings.store.output_days,
            ..store::Options::default()
        },
    )?)
}

/// Opens the store of these places for reading, also when a program of before wrote it and none has brought it up to date.
///
/// # Errors
/// There is none, it is not ours, or it is newer than this program.
pub fn open_older(places: &Places) -> Result<Store, StartError> {
    Ok(Store::open(
        &places.paths.data,
        clock::now,
        // Nothing is written, so no id is drawn.
        || [0; 32],
        store::Options {
            older: true,
            ..store::Options::default()
        },
    )?)
}

/// The theme that the settings name.
pub(super) fn theme_of(paths: &Paths, settings: &Settings) -> Result<Theme, StartError> {
    match settings.general.theme.as_str() {
        "default" => Ok(Theme::default()),
        name => theme(paths, name),
    }
}

/// What windows and programs in panes may do with the person's terminal.
pub(super) fn terminal_rules(settings: &Settings) -> TerminalRules {
    TerminalRules {
        mouse: settings.screen.mouse,
        clipboard: settings.session.clipboard,
    }
}

/// What keeps people from typing into the wrong place, and what calls them.
pub(super) fn guarding(settings: &Settings) -> Guarding {
    Guarding {
        environments: settings.environments.clone(),
        broadcast_ms: u64::try_from(settings.session.broadcast.as_millis()).unwrap_or(300_000),
        alerts: settings.alerts,
        reconnect: settings.session.reconnect,
    }
}

fn theme(paths: &Paths, name: &str) -> Result<Theme, StartError> {
    if let Some(theme) = Theme::builtin(name) {
        return Ok(theme);
    }
    let file: PathBuf = paths.themes().join(format!("{name}.toml"));
    let text = std::fs::read_to_string(&file).map_err(|_| StartError::Theme(name.to_owned()))?;
    Theme::parse(&text).map_err(|_| StartError::Theme(name.to_owned()))
}

/// Limits for verdicts.
pub(super) fn thresholds(settings: &Settings) -> Thresholds {
    let limit = |limit: config::Limit| Limit::new(limit.warn, limit.crit);
    Thresholds {
        load_per_cpu: limit(settings.health.load),
        cpu: limit(settings.health.cpu),
        memory: limit(settings.health.memory),
        disk: limit(settings.health.disk),
        ..Thresholds::default()
    }
}

fn info(places: &Places, store: &Store) -> Info {
    Info {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        sqlite: store::sqlite_version().to_owned(),
        config: places.paths.config.display().to_string(),
        data: places.paths.data.display().to_string(),
        state: places.paths.state.display().to_string(),
        device: store.device().to_string(),
        recordings: super::recordings::total(&places.paths.recordings()),
    }
}

/// Keeps what `ssh -G` said in the store, so that the next process need not ask.
struct StoredSettings {
    store: Store,
}

/// How a file that is not there is kept.
const ABSENT: i64 = i64::MIN;

impl EffectiveCache for StoredSettings {
    fn get(&self, target: &Target) -> Option<(Vec<FileStamp>, Effective)> {
        let answer = self
            .store
            .ask_wait(Ask::Effective {
                target: target.clone(),
            })
            .ok()?;
        let Answer::Effective(Some((stamps, effective))) = answer else {
            return None;
        };
        let stamps = stamps
            .into_iter()
            .map(|(path, modified, len)| FileStamp {
                path,
                modified_ns: (modified != ABSENT).then_some(modified),
                len,
            })
            .collect();
        Some((stamps, effective))
    }

    fn put(&self, target: &Target, stamps: Vec<FileStamp>, effective: &Effective) {
        let stamps = stamps
            .into_iter()
            .map(|stamp| (stamp.path, stamp.modified_ns.unwrap_or(ABSENT), stamp.len))
            .collect();
        let local = Local::Effective {
            target: target.clone(),
            stamps,
            effective: effective.clone(),
        };
        // A cache that is not written costs a few milliseconds the next time, and nothing else.
        drop(self.store.append_wait(Batch {
            drafts: Vec::new(),
            local: vec![local],
        }));
    }
}
