//! The loop's handle on sync: starts the task when there is something for it to do, and never waits for it.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::AbortHandle;

use super::ask::{SyncAsk, SyncFact, SyncLevel, SyncRefusal};
use super::open::{Behalf, Means};
use super::worker::{Front, Worker};
use crate::app::event::Event;
use crate::domain::ids::TicketId;
use crate::domain::time::Time;
use crate::ssh::Engine;
use crate::store::Store;
use crate::sync::SpaceConfig;

/// Wishes that wait for the task. When it is full the next is refused with words; a person asks again.
const ASKS: usize = 64;

/// How sync behaves in this process.
#[derive(Clone, Debug)]
pub struct Job {
    /// The account's home.
    pub home: PathBuf,
    /// Rounds come by themselves: of an app that lives on, not of one command.
    pub auto: bool,
    /// Our login.
    pub me: String,
    /// The ssh_config of hosts that were not imported from one; OpenSSH's own when there is none.
    pub ssh_config: Option<PathBuf>,
    /// Recordings, here and in the space.
    pub recordings: Recordings,
}

/// What sync does with recordings.
#[derive(Clone, Debug)]
pub struct Recordings {
    /// Their folder.
    pub folder: PathBuf,
    /// Those of sessions that end go into the space.
    pub share: bool,
    /// Patterns of the hosts whose recordings never do.
    pub off: Vec<String>,
    /// How much those of others may take here, in bytes; 0 is no limit.
    pub quota: u64,
}

/// The handle. Dropping it ends the task, wherever it is: a round may be cut at any step.
pub(crate) struct Desk {
    job: Job,
    store: Store,
    engine: Engine,
    facts: mpsc::Sender<Event>,
    running: Option<Running>,
}

struct Running {
    asks: mpsc::Sender<SyncAsk>,
    level: watch::Receiver<SyncLevel>,
    wrote: Arc<Notify>,
    showing: watch::Sender<Vec<(TicketId, Time)>>,
    task: AbortHandle,
}

impl Desk {
    /// Nothing runs yet.
    pub(crate) fn new(job: Job, store: Store, engine: Engine, facts: mpsc::Sender<Event>) -> Self {
        Self {
            job,
            store,
            engine,
            facts,
            running: None,
        }
    }

    fn folder(&self) -> PathBuf {
        self.store.folder().join("sync")
    }

    /// Starts the task of an app that lives on, when its store belongs to a space. One look for a file, nothing more.
    pub(crate) fn begin(&mut self) {
        // What cannot be read is told by the task.
        if self.job.auto && !matches!(SpaceConfig::load(&self.folder()), Ok(None)) {
            self.start();
        }
    }

    fn start(&mut self) -> &Running {
        let folder = self.folder();
        let Self {
            job,
            store,
            engine,
            facts,
            running,
        } = self;
        running.get_or_insert_with(|| {
            let (asks, asked) = mpsc::channel(ASKS);
            let (publisher, level) = watch::channel(SyncLevel::default());
            let (showing, shown) = watch::channel(Vec::new());
            let wrote = Arc::new(Notify::new());
            let front = Front::new(asked, publisher, facts.clone());
            let means = Means {
                home: job.home.clone(),
                engine: engine.clone(),
                store: store.clone(),
                ssh_config: job.ssh_config.clone(),
                behalf: Behalf::default(),
            };
            let worker = Worker::new(
                front,
                (store.clone(), folder),
                means,
                job.clone(),
                (Arc::clone(&wrote), shown),
            );
            Running {
                asks,
                level,
                wrote,
                showing,
                task: tokio::spawn(worker.run()).abort_handle(),
            }
        })
    }

    /// Asks the task, which is started when it is not there.
    ///
    /// # Errors
    /// It has too much to do; the fact says so to whoever asked.
    pub(crate) fn ask(&mut self, ask: SyncAsk) -> Result<(), SyncFact> {
        if matches!(ask, SyncAsk::GiveUp { .. }) && self.running.is_none() {
            return Ok(());
        }
        let req = ask.req();
        self.start().asks.try_send(ask).map_err(|_| SyncFact::Done {
            req,
            result: Err(SyncRefusal::new(
                1,
                "sync has too much to do now; try again in a moment",
            )),
        })
    }

    /// Something was written here.
    pub(crate) fn wrote(&self) {
        if let Some(running) = &self.running {
            running.wrote.notify_one();
        }
    }

    /// These tickets are open here now.
    pub(crate) fn showing(&self, tickets: Vec<(TicketId, Time)>) {
        if let Some(running) = &self.running {
            running.showing.send_if_modified(|shown| {
                let changed = *shown != tickets;
                *shown = tickets;
                changed
            });
        }
    }

    /// Waits for news, and gives them; for ever while nothing runs.
    pub(crate) async fn level(&mut self) -> SyncLevel {
        let Some(running) = &mut self.running else {
            return std::future::pending().await;
        };
        if running.level.changed().await.is_err() {
            return std::future::pending().await;
        }
        running.level.borrow_and_update().clone()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.task.abort();
        }
    }
}
