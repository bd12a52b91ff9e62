//! The engine's handle: takes asks without ever blocking. What each ask does is in the files beside this one.

mod around;
mod execs;
mod panes;
mod probes;
mod reach;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::config::Predict;
use crate::domain::connection::ConnectionRow;
use crate::domain::forward::ForwardRow;
use crate::domain::host::Target;
use crate::domain::ids::{HostId, ReqId, SessionId};
use crate::domain::pane::PaneRow;

use crate::ssh::ask::SshAsk;
use crate::ssh::config::EffectiveCache;
use crate::ssh::errand::Errands;
use crate::ssh::exec::{Input, Stop};
use crate::ssh::fact::SshFact;
use crate::ssh::files;
use crate::ssh::forward;
use crate::ssh::gauge::Gauge;
use crate::ssh::heir::Heir;
use crate::ssh::manager::Manager;
use crate::ssh::question::Questions;
use crate::ssh::screens::Screens;
use crate::ssh::shell::{Pane, View};
use crate::ssh::surroundings::Surroundings;
use crate::ssh::system::LocalPane;
use crate::ssh::watching::Watching;
use crate::ssh::writer::PaneInput;

/// Where the agent's socket is found, unless a host's `IdentityAgent` says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentChoice {
    /// In `SSH_AUTH_SOCK`; unset or empty is no agent.
    FromEnv,
    /// Nowhere.
    None,
    /// Here.
    Path(PathBuf),
}

/// How the engine is started.
#[derive(Clone)]
pub struct EngineOptions {
    /// Where effective settings are kept between processes.
    pub cache: Arc<dyn EffectiveCache>,
    /// Where the agent is.
    pub agent: AgentChoice,
    /// Whether a person can be asked at all; if not, an unknown host key is refused.
    pub interactive: bool,
    /// The program that explains ssh_config: `ssh`.
    pub ssh_program: PathBuf,
    /// Where panes publish their screens.
    pub screens: Arc<Screens>,
}

impl fmt::Debug for EngineOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineOptions")
            .field("agent", &self.agent)
            .field("interactive", &self.interactive)
            .field("ssh_program", &self.ssh_program)
            .finish_non_exhaustive()
    }
}

/// A handle on the engine. Dropping the last one closes every connection and ends every task.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
    /// Dropped with the last handle; the tasks watch it. They hold `inner`, never this.
    _guard: Arc<watch::Sender<()>>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

/// Tells that the engine ends.
#[derive(Clone)]
pub(crate) struct Closing(watch::Receiver<()>);

impl Closing {
    /// Waits for it.
    pub(crate) async fn wait(mut self) {
        // Nothing is ever sent; the wait ends when the sender is gone.
        while self.0.changed().await.is_ok() {}
    }
}

struct Inner {
    manager: Arc<Manager>,
    questions: Arc<Questions>,
    screens: Arc<Screens>,
    ssh_program: PathBuf,
    facts: mpsc::Sender<SshFact>,
    closing: Closing,
    runtime: Handle,
    warm: Arc<files::Warm>,
    // A std mutex: held for look-ups, never across an await.
    running: Mutex<Running>,
}

/// How to reach what runs.
#[derive(Default)]
struct Running {
    execs: HashMap<ReqId, ExecDoor>,
    panes: HashMap<SessionId, PaneDoor>,
    /// What panes that are to be opened go on from; taken out when they are.
    heirs: HashMap<SessionId, Heir>,
    probes: HashMap<HostId, mpsc::Sender<ReqId>>,
    /// Set to true to stop it.
    copies: HashMap<ReqId, watch::Sender<bool>>,
    /// Hosts that are tried again in the background; dropping a sender ends that.
    reaches: HashMap<ReqId, oneshot::Sender<()>>,
    /// Panes that are to be opened without asking anybody.
    quiet: HashSet<SessionId>,
    /// Patterns of the hosts that are reached by the system's `ssh`.
    system: Vec<String>,
    /// Sessions must be recorded.
    strict: bool,
    /// How much a new pane keeps.
    keep: crate::term::Keep,
    /// When typed characters are shown before a host has echoed them.
    predict: Predict,
    /// What programs of this machine in panes are told.
    around: Surroundings,
}

struct ExecDoor {
    inputs: mpsc::Sender<Input>,
    stop: watch::Sender<Option<Stop>>,
    /// Whether its output is held back.
    pause: watch::Sender<bool>,
    rekey: Arc<Notify>,
}

struct PaneDoor {
    inputs: mpsc::Sender<PaneInput>,
    /// Apart from the inputs, because one may look around in a pane whose host does not read.
    views: mpsc::Sender<View>,
    /// Set to true to close it.
    close: watch::Sender<bool>,
    gauge: Arc<Gauge>,
}

impl Engine {
    /// Starts the engine inside the running tokio runtime; it reports to `facts`.
    ///
    /// Facts wait for room in that queue, so whoever reads it sets the pace of streamed output, and of nothing else.
    pub fn start(options: EngineOptions, facts: mpsc::Sender<SshFact>) -> Self {
        let (guard, watched) = watch::channel(());
        let closing = Closing(watched);
        let questions = Arc::new(Questions::new(facts.clone()));
        let screens = Arc::clone(&options.screens);
        let ssh_program = options.ssh_program.clone();
        let manager = Manager::new(
            options,
            Arc::clone(&questions),
            facts.clone(),
            closing.clone(),
        );
        Self {
            inner: Arc::new(Inner {
                manager,
                questions,
                screens,
                ssh_program,
                facts,
                closing,
                runtime: Handle::current(),
                warm: Arc::default(),
                running: Mutex::default(),
            }),
            _guard: Arc::new(guard),
        }
    }

    // tidy: table
    /// Hands in an ask and returns at once. What cannot be taken is answered by a fact.
    pub fn send(&self, ask: SshAsk) {
        let inner = &self.inner;
        match ask {
            SshAsk::Exec { req, target, spec } => inner.exec(req, target, spec),
            SshAsk::Stdin { req, data } => {
                inner.input(req, data.map_or(Input::End, Input::Data));
            }
            SshAsk::Window { req, cols, rows } => inner.input(req, Input::Window(cols, rows)),
            SshAsk::Pause { req, on } => inner.pause(req, on),
            SshAsk::Agent { socket } => inner.came_in(socket),
            SshAsk::Around(around) => inner.around(around),
            SshAsk::Cancel { req } => {
                inner.stop(req, Stop::Cancelled);
                inner.stop_copy(req);
            }
            SshAsk::Open {
                session,
                target,
                size,
                term,
                recording,
            } => inner.open(Pane {
                session,
                target,
                size,
                term,
                recording,
            }),
            SshAsk::Revive {
                session,
                recording,
                size,
            } => inner.revive(session, recording, size),
            SshAsk::Follow { session, after } => inner.follow(session, after),
            SshAsk::Quietly { session } => drop(inner.lock().quiet.insert(session)),
            SshAsk::Reach { req, target } => inner.reach(req, target),
            SshAsk::ReachStop { req } => drop(inner.lock().reaches.remove(&req)),
            SshAsk::Predict { when } => inner.lock().predict = when,
            SshAsk::Key { session, key } => inner.pane(session, PaneInput::Key(key)),
            SshAsk::Paste { session, text } => inner.pane(session, PaneInput::Paste(text)),
            SshAsk::Raw { session, bytes } => inner.pane(session, PaneInput::Raw(bytes)),
            SshAsk::Mouse { session, event } => inner.pane(session, PaneInput::Mouse(event)),
            SshAsk::Focus { session, gained } => inner.pane(session, PaneInput::Focus(gained)),
            SshAsk::Resize { session, size } => inner.view(session, View::Resize(size)),
            SshAsk::Watch {
                req,
                session,
                patterns,
                already,
            } => inner.watch(req, session, &patterns, already),
            SshAsk::Unwatch { req, session } => {
                inner.view(session, View::Watch(Watching::End(req)))
            }
            SshAsk::Look { session, look } => inner.view(session, View::Look(look)),
            SshAsk::Keep(keep) => inner.lock().keep = keep,
            SshAsk::Close { session } => inner.close(session),
            SshAsk::Record { session, file } => inner.view(session, View::Record(file)),
            SshAsk::MarkRecording { session, text } => inner.view(session, View::Mark(text)),
            SshAsk::Capture {
                req,
                session,
                scrollback,
                ansi,
            } => inner.capture(req, session, scrollback, ansi),
            SshAsk::RecordStrictly { on } => inner.lock().strict = on,
            SshAsk::Probe {
                host,
                target,
                command,
            } => inner.probe(host, target, command),
            SshAsk::ProbeAsk { req, host } => inner.probe_ask(req, host),
            SshAsk::ProbeStop { host } => {
                // The probe ends when nobody can ask it any more.
                inner.lock().probes.remove(&host);
            }
            SshAsk::Resolve { req, targets } => inner.resolve(req, targets),
            SshAsk::Keys { req, target } => inner.keys(req, target),
            SshAsk::Answer { question, reply } => {
                if !inner.questions.answer(question, reply) {
                    inner.refuse(
                        format!("Answer({question:?})"),
                        "nobody waits for it any more",
                    );
                }
            }
            SshAsk::SystemHosts { patterns } => inner.lock().system = patterns,
            SshAsk::OpenLocal {
                session,
                program,
                size,
                term,
                recording,
                reference,
            } => inner.open_local(LocalPane {
                session,
                argv: program,
                inside: Some(reference),
                title: "local".to_owned(),
                size,
                term,
                recording,
            }),
            SshAsk::Rekey { req } => {
                if let Some(door) = inner.lock().execs.get(&req) {
                    door.rekey.notify_one();
                }
            }
            SshAsk::HangUp { req } => inner.stop(req, Stop::HungUp),
            SshAsk::Status { req } => inner.status(req, self.connections(), self.forwards()),
            SshAsk::Disconnect { target } => inner.disconnect(target),
            SshAsk::Forward {
                id,
                target,
                rule,
                interactive,
            } => {
                // Whoever asks need not be a task of the runtime.
                let _inside = inner.runtime.enter();
                if !forward::start(&inner.manager, id, target, rule, interactive) {
                    inner.refuse(
                        format!("Forward({id})"),
                        "a forward of this name runs already",
                    );
                }
            }
            SshAsk::ForwardStop { id } => {
                if !inner.manager.forwards.stop(id) {
                    inner.refuse(format!("ForwardStop({id})"), "no forward of this name runs");
                }
            }
            SshAsk::Copy {
                req,
                job,
                targets,
                interactive,
            } => {
                let (stop, stopped) = watch::channel(false);
                inner.copy(
                    stop,
                    files::Order {
                        req,
                        job,
                        targets,
                        interactive,
                        stop: stopped,
                    },
                );
            }
            SshAsk::Files { req, target, ask } => inner.files(req, target, ask),
        }
    }
}

impl Engine {
    /// The connections as they are now; never waits.
    pub fn connections(&self) -> Vec<ConnectionRow> {
        self.inner.manager.connections()
    }

    /// The panes as they are now; never waits.
    pub fn panes(&self) -> Vec<PaneRow> {
        let running = self.inner.lock();
        let panes = running.panes.iter();
        panes
            .map(|(session, door)| door.gauge.row(*session))
            .collect()
    }

    /// Runs errands on a host for work that can wait, such as sync.
    pub fn errands(&self, target: Target) -> Errands {
        let inner = &self.inner;
        let system = inner.lock().system.clone();
        let (closing, facts) = (inner.closing.clone(), inner.facts.clone());
        let program = inner.ssh_program.clone();
        Errands::new(&inner.manager, closing, facts, program, system, target)
    }

    /// The forwards as they are now; never waits.
    pub fn forwards(&self) -> Vec<ForwardRow> {
        self.inner.manager.forwards.rows()
    }
}

impl Inner {
    /// Answers an ask that was not taken. A task waits for room in the queue of facts, because facts are never dropped.
    fn refuse(&self, ask: String, why: &str) {
        let (facts, why) = (self.facts.clone(), why.to_owned());
        self.spawn(async move {
            facts.send(SshFact::Refused { ask, why }).await.ok();
        });
    }

    async fn tell(&self, fact: SshFact) {
        // It fails only when the loop is gone.
        self.facts.send(fact).await.ok();
    }

    /// Runs `work` until it is done or the engine ends.
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let closing = self.closing.clone();
        self.runtime.spawn(async move {
            tokio::select! {
                () = work => {}
                () = closing.wait() => {}
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
