//! The engine's handle: takes asks without ever blocking.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use crate::domain::connection::ConnectionRow;
use crate::domain::forward::ForwardRow;
use crate::domain::host::{self, Target};
use crate::domain::ids::{HostId, ReqId, SessionId};
use crate::domain::run::Exit;

use super::ask::{ExecSpec, FilesAsk, SshAsk};
use super::config::EffectiveCache;
use super::exec::{self, Input, Job, Outcome, Stop};
use super::fact::SshFact;
use super::files;
use super::forward;
use super::manager::Manager;
use super::probe;
use super::question::Questions;
use super::screens::Screens;
use super::shell::{self, Inlets, Pane, View};
use super::system::{self, LocalPane};
use super::writer::PaneInput;

/// How many commands run or wait at once; one more is refused with a fact.
const EXECS: usize = 8192;

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
    probes: HashMap<HostId, mpsc::Sender<ReqId>>,
    /// Set to true to stop it.
    copies: HashMap<ReqId, watch::Sender<bool>>,
    /// Patterns of the hosts that are reached by the system's `ssh`.
    system: Vec<String>,
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
            SshAsk::Agent { socket } => inner.manager.use_agent(socket),
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
            SshAsk::Key { session, key } => inner.pane(session, PaneInput::Key(key)),
            SshAsk::Paste { session, text } => inner.pane(session, PaneInput::Paste(text)),
            SshAsk::Raw { session, bytes } => inner.pane(session, PaneInput::Raw(bytes)),
            SshAsk::Resize { session, size } => inner.view(session, View::Resize(size)),
            SshAsk::Scroll { session, lines } => inner.view(session, View::Scroll(lines)),
            SshAsk::Close { session } => inner.close(session),
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
            } => inner.open_local(LocalPane {
                session,
                argv: program,
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

    /// The forwards as they are now; never waits.
    pub fn forwards(&self) -> Vec<ForwardRow> {
        self.inner.manager.forwards.rows()
    }
}

impl Inner {
    fn exec(self: &Arc<Self>, req: ReqId, target: Target, spec: ExecSpec) {
        // When it is full the command is stopped: see INPUTS.
        let (inputs, received) = mpsc::channel(exec::INPUTS);
        let (stop, stopped) = watch::channel(None);
        let (pause, paused) = watch::channel(false);
        let rekey = Arc::new(Notify::new());
        let system;
        {
            let mut running = self.lock();
            let crowded = running.execs.len() >= EXECS;
            if crowded || running.execs.contains_key(&req) {
                drop(running);
                let why = if crowded {
                    "too many commands run at once; wait for some to end"
                } else {
                    "a command with this request runs already"
                };
                // Whoever asked waits for this request, so it is this request that is answered.
                let exit = Exit::Unreachable(format!("{}: {why}", target.name));
                let inner = Arc::clone(self);
                return self.spawn(async move {
                    inner
                        .tell(Outcome::early(exit, Instant::now()).fact(req))
                        .await;
                });
            }
            system = host::listed(&running.system, &target.name);
            let door = ExecDoor {
                inputs,
                stop,
                pause,
                rekey: Arc::clone(&rekey),
            };
            running.execs.insert(req, door);
        }
        let job = Job {
            req,
            target,
            spec,
            inputs: received,
            stop: stopped,
            pause: paused,
            rekey,
        };
        let inner = Arc::clone(self);
        self.spawn(async move {
            let outcome = if system {
                system::exec(&inner.ssh_program, &inner.facts, job).await
            } else {
                exec::run(&inner.manager, &inner.facts, job).await
            };
            inner.lock().execs.remove(&req);
            inner.tell(outcome.fact(req)).await;
        });
    }

    /// Reads settings side by side; the resolver itself bounds how many programs run at once.
    fn resolve(self: &Arc<Self>, req: ReqId, targets: Vec<Target>) {
        let inner = Arc::clone(self);
        self.spawn(async move {
            let mut reading = JoinSet::new();
            for (place, target) in targets.iter().cloned().enumerate() {
                let inner = Arc::clone(&inner);
                reading.spawn(async move { (place, inner.manager.explain(&target).await) });
            }
            let mut found: Vec<_> = targets
                .into_iter()
                .map(|target| (target, Err("its settings could not be read".to_owned())))
                .collect();
            while let Some(read) = reading.join_next().await {
                if let Ok((place, result)) = read
                    && let Some(slot) = found.get_mut(place)
                {
                    slot.1 = result;
                }
            }
            let results = found;
            inner.tell(SshFact::Resolved { req, results }).await;
        });
    }

    fn keys(self: &Arc<Self>, req: ReqId, target: Target) {
        let inner = Arc::clone(self);
        self.spawn(async move {
            let result = inner.manager.keys(&target).await;
            inner.tell(SshFact::Keys { req, result }).await;
        });
    }

    fn input(&self, req: ReqId, input: Input) {
        let lost = matches!(input, Input::Data(_) | Input::End);
        let sent = match self.lock().execs.get(&req) {
            Some(door) => door.inputs.try_send(input),
            // It ended; late input is nobody's fault and changes nothing.
            None => return,
        };
        match sent {
            Err(TrySendError::Full(_)) if lost => self.stop(req, Stop::Overrun),
            Err(TrySendError::Full(_)) => {
                self.refuse(format!("Window({req:?})"), "too much input waits before it");
            }
            Ok(()) | Err(TrySendError::Closed(_)) => {}
        }
    }

    fn pause(&self, req: ReqId, on: bool) {
        if let Some(door) = self.lock().execs.get(&req) {
            door.pause.send_replace(on);
        }
    }

    fn stop(&self, req: ReqId, reason: Stop) {
        if let Some(door) = self.lock().execs.get(&req) {
            door.stop.send_if_modified(|stop| {
                let first = stop.is_none();
                if first {
                    *stop = Some(reason);
                }
                first
            });
        }
    }

    fn open(self: &Arc<Self>, pane: Pane) {
        let session = pane.session;
        if host::listed(&self.lock().system, &pane.target.name) {
            return self.open_local(system::pane_of(&self.ssh_program, pane));
        }
        let Some(inlets) = self.inlets(session) else {
            return;
        };
        let inner = Arc::clone(self);
        self.spawn(async move {
            let fact = shell::run(&inner.manager, &inner.facts, &inner.screens, pane, inlets).await;
            inner.lock().panes.remove(&session);
            inner.tell(fact).await;
        });
    }

    /// Opens a program of this machine in a pane.
    fn open_local(self: &Arc<Self>, pane: LocalPane) {
        let session = pane.session;
        let Some(inlets) = self.inlets(session) else {
            return;
        };
        let inner = Arc::clone(self);
        self.spawn(async move {
            let fact = system::run(&inner.facts, &inner.screens, pane, inlets).await;
            inner.lock().panes.remove(&session);
            inner.tell(fact).await;
        });
    }

    /// The ways into a new pane; `None`, with a fact, when a session of that name is open already.
    fn inlets(&self, session: SessionId) -> Option<Inlets> {
        // When it is full the input is refused with a fact: see INPUTS.
        let (inputs, typed) = mpsc::channel(shell::INPUTS);
        // The same; only a reader that is broken leaves it full.
        let (views, seen) = mpsc::channel(shell::VIEWS);
        let (close, closed) = watch::channel(false);
        {
            let mut running = self.lock();
            if running.panes.contains_key(&session) {
                drop(running);
                self.refuse(format!("Open({session})"), "this session is open already");
                return None;
            }
            let door = PaneDoor {
                inputs,
                views,
                close,
            };
            running.panes.insert(session, door);
        }
        Some(Inlets {
            inputs: typed,
            views: seen,
            close: closed,
        })
    }

    /// Answers how things are.
    fn status(
        self: &Arc<Self>,
        req: ReqId,
        connections: Vec<ConnectionRow>,
        forwards: Vec<ForwardRow>,
    ) {
        let inner = Arc::clone(self);
        self.spawn(async move {
            inner
                .tell(SshFact::Status {
                    req,
                    connections,
                    forwards,
                })
                .await;
        });
    }

    fn pane(&self, session: SessionId, input: PaneInput) {
        let name = input.name();
        let sent = match self.lock().panes.get(&session) {
            Some(door) => door.inputs.try_send(input),
            None => return,
        };
        if let Err(TrySendError::Full(_)) = sent {
            self.refuse(
                format!("{name}({session})"),
                "the host does not take its input; it was dropped",
            );
        }
    }

    fn view(&self, session: SessionId, view: View) {
        let sent = match self.lock().panes.get(&session) {
            Some(door) => door.views.try_send(view),
            None => return,
        };
        if let Err(TrySendError::Full(_)) = sent {
            self.refuse(
                format!("Resize or Scroll({session})"),
                "the pane is busy; it was dropped",
            );
        }
    }

    fn close(&self, session: SessionId) {
        if let Some(door) = self.lock().panes.get(&session) {
            door.close.send_replace(true);
        }
    }

    fn probe(self: &Arc<Self>, host: HostId, target: Target, command: String) {
        // When it is full the question is answered with an error at once.
        let (questions, received) = mpsc::channel(probe::QUESTIONS);
        {
            let mut running = self.lock();
            // One long channel each is not worth a process for every host; asking it says so.
            if host::listed(&running.system, &target.name) {
                return;
            }
            if running
                .probes
                .get(&host)
                .is_some_and(|door| !door.is_closed())
            {
                return;
            }
            running.probes.insert(host, questions);
        }
        let inner = Arc::clone(self);
        self.spawn(async move {
            probe::run(
                &inner.manager,
                &inner.facts,
                host,
                target,
                command,
                received,
            )
            .await;
            let mut running = inner.lock();
            if running
                .probes
                .get(&host)
                .is_some_and(mpsc::Sender::is_closed)
            {
                running.probes.remove(&host);
            }
        });
    }

    fn probe_ask(self: &Arc<Self>, req: ReqId, host: HostId) {
        let why = match self.lock().probes.get(&host).map(|door| door.try_send(req)) {
            Some(Ok(())) => return,
            Some(Err(TrySendError::Full(_))) => "the probe has not answered what was asked before",
            Some(Err(TrySendError::Closed(_))) | None => {
                "no probe runs on this host; hosts in openssh_hosts are not probed"
            }
        };
        let inner = Arc::clone(self);
        self.spawn(async move {
            let result = Err(why.to_owned());
            inner.tell(SshFact::ProbeDone { req, host, result }).await;
        });
    }

    fn copy(self: &Arc<Self>, stop: watch::Sender<bool>, order: files::Order) {
        let req = order.req;
        if self.lock().copies.contains_key(&req) {
            let why = "a copy with this request runs already";
            return self.refuse(format!("Copy({req:?})"), why);
        }
        self.lock().copies.insert(req, stop);
        let inner = Arc::clone(self);
        self.spawn(async move {
            let result = files::copy(&inner.manager, &inner.facts, order).await;
            inner.lock().copies.remove(&req);
            inner.tell(SshFact::CopyDone { req, result }).await;
        });
    }

    fn stop_copy(&self, req: ReqId) {
        if let Some(stop) = self.lock().copies.get(&req) {
            stop.send_replace(true);
        }
    }

    fn files(self: &Arc<Self>, req: ReqId, target: Option<Target>, ask: FilesAsk) {
        let inner = Arc::clone(self);
        self.spawn(async move {
            let asking = inner.warm.ask(&inner.manager, target.as_ref(), &ask);
            let result = asking.await;
            inner.tell(SshFact::FilesDone { req, result }).await;
        });
    }

    fn disconnect(self: &Arc<Self>, target: Target) {
        self.warm.forget(&target);
        let inner = Arc::clone(self);
        self.spawn(async move {
            if let Err(why) = inner.manager.disconnect(&target).await {
                inner.refuse(format!("Disconnect({})", target.name), &why.to_string());
            }
        });
    }

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
