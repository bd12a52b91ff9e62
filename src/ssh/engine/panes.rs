//! Sessions in panes: opened, typed into, looked at, closed.

use std::sync::Arc;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};

use crate::domain::host::{self};
use crate::domain::ids::SessionId;

use crate::domain::run::Exit;
use crate::ssh::fact::SshFact;
use crate::ssh::remains::Remains;
use crate::ssh::shell::{self, Inlets, Pane, View};
use crate::ssh::system::{self, LocalPane};
use crate::ssh::writer::PaneInput;

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
        let inner = Arc::clone(self);
        self.spawn(async move {
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
        let inner = Arc::clone(self);
        self.spawn(async move {
            let (fact, remains) = system::run(&inner.facts, &inner.screens, pane, inlets).await;
            inner.ended(session, fact, remains).await;
        });
    }

    /// A session that never came up.
    fn closed_at_once(self: &Arc<Self>, session: SessionId, why: String) {
        let inner = Arc::clone(self);
        self.spawn(async move {
            let fact = SshFact::SessionClosed {
                session,
                exit: Exit::Unreachable(why),
                bytes: 0,
                recording_error: None,
            };
            inner.tell(fact).await;
        });
    }

    /// Tells the end of a session; what it showed can be looked at until it is dismissed.
    async fn ended(&self, session: SessionId, fact: SshFact, remains: Option<Remains>) {
        let Some(remains) = remains else {
            self.lock().panes.remove(&session);
            return self.tell(fact).await;
        };
        self.tell(fact).await;
        remains.keep(&self.screens).await;
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
            self.refuse(
                format!("{name}({session})"),
                "the host does not take its input; it was dropped",
            );
        }
    }

    pub(super) fn view(&self, session: SessionId, view: View) {
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

    pub(super) fn close(&self, session: SessionId) {
        if let Some(door) = self.lock().panes.get(&session) {
            door.close.send_replace(true);
        }
    }
}
