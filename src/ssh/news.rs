//! What a pane has to tell besides its picture: slots, so that a flood of titles or bells costs neither memory nor the
//! reader's time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc};

use crate::domain::ids::SessionId;
use crate::term::{Copied, Notice};

use super::fact::SshFact;
use super::shell::at;

/// The shortest time between two reports of activity.
const ACTIVITY: Duration = Duration::from_secs(1);

/// What is to be told about a session: slots, so that a flood of titles or bells costs neither memory nor the reader's time.
#[derive(Default)]
pub(crate) struct News {
    // A std mutex: held to set a flag, never across an await.
    state: Mutex<Told>,
    wake: Notify,
}

#[derive(Default)]
struct Told {
    opened: bool,
    /// The host may use our agent.
    agent: bool,
    title: Option<String>,
    clipboard: Option<String>,
    notify: Option<String>,
    /// What was copied last; a person can use no more.
    copied: Option<Copied>,
    bell: bool,
    activity: bool,
    closed: bool,
}

impl News {
    pub(super) fn new(agent: bool) -> Self {
        let news = Self::default();
        news.change(|told| told.agent = agent);
        news
    }

    fn change(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.wake.notify_one();
    }

    pub(crate) fn opened(&self) {
        self.change(|told| told.opened = true);
    }

    pub(super) fn notice(&self, notice: Notice) {
        self.change(|told| match notice {
            Notice::Title(title) => told.title = Some(title),
            Notice::Bell => told.bell = true,
            Notice::Clipboard(text) => told.clipboard = Some(text),
            Notice::Notify(text) => told.notify = Some(text),
        });
    }

    pub(super) fn copied(&self, copied: Copied) {
        self.change(|told| told.copied = Some(copied));
    }

    pub(super) fn activity(&self) {
        let mut told = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !told.activity {
            told.activity = true;
            drop(told);
            self.wake.notify_one();
        }
    }

    pub(crate) fn close(&self) {
        self.change(|told| told.closed = true);
    }

    /// Takes what is new; activity only if `active` is allowed now.
    fn take(&self, active: bool) -> Told {
        let mut told = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let activity = told.activity && active;
        Told {
            activity: if activity {
                std::mem::take(&mut told.activity)
            } else {
                false
            },
            opened: std::mem::take(&mut told.opened),
            agent: told.agent,
            title: told.title.take(),
            clipboard: told.clipboard.take(),
            notify: told.notify.take(),
            copied: told.copied.take(),
            bell: std::mem::take(&mut told.bell),
            closed: told.closed,
        }
    }
}

/// Tells the loop, at its pace.
pub(super) async fn tell(news: Arc<News>, session: SessionId, facts: mpsc::Sender<SshFact>) {
    let mut active: Option<Instant> = None;
    loop {
        let next = active.map(|last| last + ACTIVITY);
        let told = news.take(next.is_none_or(|next| next <= Instant::now()));
        if told.activity {
            active = Some(Instant::now());
        }
        let closed = told.closed;
        for fact in facts_of(told, session) {
            if facts.send(fact).await.is_err() {
                return;
            }
        }
        if closed {
            return;
        }
        let waiting = news
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .activity;
        tokio::select! {
            () = news.wake.notified() => {}
            () = at(active.map(|last| last + ACTIVITY)), if waiting => {}
        }
    }
}

fn facts_of(told: Told, session: SessionId) -> Vec<SshFact> {
    let mut facts = Vec::new();
    if told.opened {
        let agent = told.agent;
        facts.push(SshFact::SessionOpened { session, agent });
    }
    facts.extend(
        told.title
            .map(|title| SshFact::SessionTitle { session, title }),
    );
    facts.extend(
        told.clipboard
            .map(|text| SshFact::SessionClipboard { session, text }),
    );
    facts.extend(
        told.notify
            .map(|text| SshFact::SessionNotify { session, text }),
    );
    facts.extend(told.copied.map(|copied| SshFact::Copied {
        session,
        text: copied.text,
        cut: copied.cut,
    }));
    if told.bell {
        facts.push(SshFact::SessionBell { session });
    }
    if told.activity {
        facts.push(SshFact::SessionActivity { session });
    }
    facts
}
