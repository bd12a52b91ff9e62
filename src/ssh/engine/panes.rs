//! Sessions in panes: opened, typed into, looked at, closed.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};

use crate::domain::host::{self};
use crate::domain::ids::{ReqId, SessionId};

use crate::domain::run::Exit;
use crate::ssh::capture::Wish;
use crate::ssh::config::blocking;
use crate::ssh::fact::SshFact;
use crate::ssh::gauge::Gauge;
use crate::ssh::heir::Heir;
use crate::ssh::recording;
use crate::ssh::remains::Remains;
use crate::ssh::revive;
use crate::ssh::shell::{self, Inlets, Pane, View};
use crate::ssh::system::{self, LocalPane};
use crate::ssh::watching::Watching;
use crate::ssh::writer::PaneInput;
use crate::term::watch::Patterns;
use crate::term::{Look, Size};

use super::{Inner, PaneDoor};

impl Inner {
    pub(super) fn open(self: &Arc<Self>, pane: Pane) {
        let session = pane.session;
        if host::listed(&self.lock().system, &pane.target.name) {
            return match system::pane_of(&self.ssh_program, pane) {
                Ok(pane) => self.open_local(pane),
                Err(why) => self.closed_at_once(session, why),
            };
        }
        let Some(inlets) = self.inlets(session) else {
            return;
        };
        let strict = self.must_record(pane.recording.as_ref());
        let inner = Arc::clone(self);
        self.spawn(async move {
            if let Some(why) = refused(strict).await {
                return inner.ended(session, unrecorded(session, why), None).await;
            }
            let ended = shell::run(&inner.manager, &inner.facts, &inner.screens, pane, inlets);
            let (fact, remains) = ended.await;
            inner.ended(session, fact, remains).await;
        });
    }

    /// Opens a program of this machine in a pane.
    pub(super) fn open_local(self: &Arc<Self>, pane: LocalPane) {
        let session = pane.session;
        let Some(inlets) = self.inlets(session) else {
            return;
        };
        let strict = self.must_record(pane.recording.as_ref());
        let around = self.lock().around.clone();
        // An agent that was killed leaves its socket behind; whoever opens a pane may soon need another.
        self.manager.signpost.wanted.notify_one();
        let inner = Arc::clone(self);
        self.spawn(async move {
            if let Some(why) = refused(strict).await {
                return inner.ended(session, unrecorded(session, why), None).await;
            }
            let pane = (pane, &around);
            let (fact, remains) = system::run(&inner.facts, &inner.screens, pane, inlets).await;
            inner.ended(session, fact, remains).await;
        });
    }

    /// Opens a pane that shows how a recording ended, until it is closed.
    pub(super) fn revive(self: &Arc<Self>, session: SessionId, recording: PathBuf, size: Size) {
        let Some(Inlets { views, close, .. }) = self.inlets(session) else {
            return;
        };
        let inner = Arc::clone(self);
        self.spawn(async move {
            let read = blocking(move || Ok::<_, std::io::Error>(revive::shown(&recording, size)));
            if let Ok(mut emulator) = read.await {
                inner.screens.publish(session, emulator.screen());
                let remains = Remains {
                    session,
                    emulator,
                    views,
                    close,
                };
                remains.keep(&inner.screens, &inner.facts).await;
            }
            inner.lock().panes.remove(&session);
        });
    }

    /// Notes where the pane that is opened next under this name goes on.
    pub(super) fn follow(&self, session: SessionId, after: SessionId) {
        let mut running = self.lock();
        let views = running.panes.get(&after).map(|door| door.views.clone());
        if let Some(views) = views {
            running.heirs.insert(session, Heir::of(views));
        }
    }

    /// The recording that a session cannot do without, if it is to be recorded at all.
    fn must_record(&self, recording: Option<&PathBuf>) -> Option<PathBuf> {
        recording.filter(|_| self.lock().strict).cloned()
    }

    /// A session that never came up.
    fn closed_at_once(self: &Arc<Self>, session: SessionId, why: String) {
        let inner = Arc::clone(self);
        self.spawn(async move {
            inner.tell(unrecorded(session, why)).await;
        });
    }

    /// Tells the end of a session; what it showed can be looked at until it is dismissed.
    async fn ended(&self, session: SessionId, fact: SshFact, remains: Option<Remains>) {
        // A pane that was dismissed already is free for another session once its end is told.
        let Some(remains) = remains.filter(|remains| !*remains.close.borrow()) else {
            self.lock().panes.remove(&session);
            return self.tell(fact).await;
        };
        self.tell(fact).await;
        remains.keep(&self.screens, &self.facts).await;
        self.lock().panes.remove(&session);
    }

    /// The ways into a new pane; `None`, with a fact, when a session of that name is open already.
    pub(super) fn inlets(&self, session: SessionId) -> Option<Inlets> {
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
            // The first view that the pane takes; the queue is new, so there is room.
            views.try_send(View::Look(Look::Keep(running.keep))).ok();
            let gauge = Arc::new(Gauge::default());
            let door = PaneDoor {
                inputs,
                views,
                close,
                gauge: Arc::clone(&gauge),
            };
            running.panes.insert(session, door);
            let heir = running.heirs.remove(&session);
            let quiet = running.quiet.remove(&session);
            Some(Inlets {
                heir,
                inputs: typed,
                views: seen,
                close: closed,
                gauge,
                predict: running.predict,
                quiet,
            })
        }
    }

    pub(super) fn pane(&self, session: SessionId, input: PaneInput) {
        let name = input.name();
        // One report of the mouse more or less is not worth a word for each.
        let told = !matches!(input, PaneInput::Mouse(_));
        let sent = match self.lock().panes.get(&session) {
            Some(door) => door.inputs.try_send(input),
            None => return,
        };
        if let Err(TrySendError::Full(_)) = sent
            && told
        {
            let why = if name == "Paste" {
                "the host does not take its input; nothing of the paste was sent"
            } else {
                "the host does not take its input; it was dropped"
            };
            self.refuse(format!("{name}({session})"), why);
        }
    }

    pub(super) fn view(&self, session: SessionId, view: View) {
        let sent = match self.lock().panes.get(&session) {
            Some(door) => door.views.try_send(view),
            None => return,
        };
        if let Err(TrySendError::Full(_)) = sent {
            self.refuse(
                format!("Resize or Look({session})"),
                "the pane is busy; it was dropped",
            );
        }
    }

    /// Lets a watcher look at what a pane shows.
    pub(super) fn watch(&self, req: ReqId, session: SessionId, patterns: &[String], already: bool) {
        let sent = Patterns::new(patterns).and_then(|patterns| {
            let view = View::Watch(Watching::Begin {
                req,
                patterns,
                already,
            });
            let running = self.lock();
            let door = running.panes.get(&session);
            let door = door.ok_or_else(|| "there is no such session here".to_owned())?;
            let sent = door.views.try_send(view);
            sent.map_err(|_| "the pane is busy; try again".to_owned())
        });
        if let Err(why) = sent {
            self.refuse(format!("Watch({req:?}, {session})"), &why);
        }
    }

    /// Asks a pane what it shows.
    pub(super) fn capture(
        self: &Arc<Self>,
        req: ReqId,
        session: SessionId,
        scrollback: bool,
        ansi: bool,
    ) {
        let (reply, answer) = oneshot::channel();
        let wish = Wish {
            scrollback,
            ansi,
            reply,
        };
        self.view(session, View::Capture(wish));
        let inner = Arc::clone(self);
        self.spawn(async move {
            // A pane that is gone, or too busy to take the ask, drops its end.
            let result = answer
                .await
                .map_err(|_| "its pane shows nothing any more".to_owned());
            inner.tell(SshFact::Captured { req, result }).await;
        });
    }

    pub(super) fn close(&self, session: SessionId) {
        if let Some(door) = self.lock().panes.get(&session) {
            door.close.send_replace(true);
        }
    }
}

/// Why a session must not be opened: it has to be recorded and cannot be.
async fn refused(recording: Option<PathBuf>) -> Option<String> {
    recording::possible(recording?).await.err()
}

/// The end of a session that never was.
fn unrecorded(session: SessionId, why: String) -> SshFact {
    SshFact::SessionClosed {
        session,
        exit: Exit::Unreachable(why),
        bytes: 0,
        recording_error: None,
    }
}
