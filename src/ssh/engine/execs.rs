//! Commands, copies, questions about settings and files: everything with a request of its own.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use crate::domain::connection::ConnectionRow;
use crate::domain::forward::ForwardRow;
use crate::domain::host::{self, Target};
use crate::domain::ids::ReqId;
use crate::domain::run::Exit;

use crate::ssh::ask::{ExecSpec, FilesAsk};
use crate::ssh::exec::{self, Input, Job, Outcome, Stop};
use crate::ssh::fact::{Asking, SshFact};
use crate::ssh::files;
use crate::ssh::system::{self};

use super::{ExecDoor, Inner};

/// How many commands run or wait at once; one more is refused with a fact.
const EXECS: usize = 8192;

impl Inner {
    pub(super) fn exec(self: &Arc<Self>, req: ReqId, target: Target, spec: ExecSpec) {
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
    pub(super) fn resolve(self: &Arc<Self>, req: ReqId, targets: Vec<Target>) {
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

    pub(super) fn keys(self: &Arc<Self>, req: ReqId, target: Target) {
        let inner = Arc::clone(self);
        self.spawn(async move {
            let result = inner.manager.keys(&target).await;
            inner.tell(SshFact::Keys { req, result }).await;
        });
    }

    pub(super) fn input(&self, req: ReqId, input: Input) {
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

    pub(super) fn pause(&self, req: ReqId, on: bool) {
        if let Some(door) = self.lock().execs.get(&req) {
            door.pause.send_replace(on);
        }
    }

    pub(super) fn stop(&self, req: ReqId, reason: Stop) {
        if let Some(door) = self.lock().execs.get(&req) {
            // What it still says is wanted, however slow its reader was.
            door.pause.send_replace(false);
            door.stop.send_if_modified(|stop| {
                let first = stop.is_none();
                if first {
                    *stop = Some(reason);
                }
                first
            });
        }
    }

    /// Answers how things are.
    pub(super) fn status(
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

    pub(super) fn copy(self: &Arc<Self>, stop: watch::Sender<bool>, order: files::Order) {
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

    pub(super) fn stop_copy(&self, req: ReqId) {
        if let Some(stop) = self.lock().copies.get(&req) {
            stop.send_replace(true);
        }
    }

    pub(super) fn files(self: &Arc<Self>, req: ReqId, target: Option<Target>, ask: FilesAsk) {
        let inner = Arc::clone(self);
        self.spawn(async move {
            let asking = Asking::Request(req);
            let answer = inner
                .warm
                .ask(&inner.manager, target.as_ref(), &ask, asking);
            let result = answer.await;
            inner.tell(SshFact::FilesDone { req, result }).await;
        });
    }

    pub(super) fn disconnect(self: &Arc<Self>, target: Target) {
        self.warm.forget(&target);
        let inner = Arc::clone(self);
        self.spawn(async move {
            if let Err(why) = inner.manager.disconnect(&target).await {
                inner.refuse(format!("Disconnect({})", target.name), &why.to_string());
            }
        });
    }
}
