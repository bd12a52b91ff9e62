//! All forwards of the process: their rows, their counts, and how to stop them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, watch};

use crate::domain::forward::{ForwardRow, ForwardRule, ForwardState};
use crate::ssh::fact::SshFact;

use super::relay::Traffic;

/// The forwards that live.
pub(crate) struct Forwards {
    // A std mutex: held for look-ups, never across an await.
    entries: Mutex<BTreeMap<u64, Arc<Entry>>>,
    next: AtomicU64,
    facts: mpsc::Sender<SshFact>,
}

/// One of them.
pub(super) struct Entry {
    pub(super) id: u64,
    pub(super) host: String,
    pub(super) configured: bool,
    pub(super) traffic: Traffic,
    /// Becomes true when it is to end.
    pub(super) stop: watch::Sender<bool>,
    /// It listened or failed for the first time.
    settled: watch::Sender<bool>,
    reached: AtomicBool,
    facts: mpsc::Sender<SshFact>,
    // A std mutex: held to copy, never across an await.
    now: Mutex<Now>,
}

struct Now {
    rule: ForwardRule,
    state: ForwardState,
    trouble: Option<String>,
}

impl Forwards {
    pub(crate) fn new(facts: mpsc::Sender<SshFact>) -> Arc<Self> {
        Arc::new(Self {
            entries: Mutex::default(),
            next: AtomicU64::new(0),
            facts,
        })
    }

    /// The forwards as they are now.
    pub(crate) fn rows(&self) -> Vec<ForwardRow> {
        self.lock().values().map(|entry| entry.row()).collect()
    }

    /// Tells a forward to end; false if there is none of this name.
    pub(crate) fn stop(&self, id: u64) -> bool {
        match self.lock().get(&id) {
            Some(entry) => {
                entry.stop.send_replace(true);
                true
            }
            None => false,
        }
    }

    /// A name for a forward that nobody named: odd, because those of asks are even.
    pub(super) fn number(&self) -> u64 {
        self.next.fetch_add(2, Ordering::Relaxed) + 1
    }

    /// Enters a forward; `None` if there is one of this name, or one that the configuration of this host asked for already.
    pub(super) fn enter(
        &self,
        id: u64,
        host: &str,
        rule: ForwardRule,
        configured: bool,
    ) -> Option<Arc<Entry>> {
        let mut entries = self.lock();
        let twice = |entry: &Arc<Entry>| {
            configured && entry.configured && entry.host == host && entry.lock().rule == rule
        };
        if entries.contains_key(&id) || entries.values().any(twice) {
            return None;
        }
        let entry = Arc::new(Entry {
            id,
            host: host.to_owned(),
            configured,
            traffic: Traffic::default(),
            stop: watch::channel(false).0,
            settled: watch::channel(false).0,
            reached: AtomicBool::new(false),
            facts: self.facts.clone(),
            now: Mutex::new(Now {
                rule,
                state: ForwardState::Starting,
                trouble: None,
            }),
        });
        entries.insert(id, Arc::clone(&entry));
        Some(entry)
    }

    /// Notes a change and tells it. The last fact about a forward is that it was stopped or failed.
    pub(super) async fn tell(&self, entry: &Entry, state: ForwardState) {
        let over = matches!(state, ForwardState::Stopped | ForwardState::Failed { .. });
        let waits = matches!(state, ForwardState::Starting | ForwardState::Waiting { .. });
        entry.enter(state);
        if over {
            self.lock().remove(&entry.id);
        }
        // It fails only when the loop is gone.
        self.facts.send(SshFact::Forward(entry.row())).await.ok();
        if !waits {
            entry.settled.send_replace(true);
        }
    }

    /// Tells that a line of the configuration was not understood.
    pub(super) async fn refuse(&self, ask: String, why: String) {
        self.facts.send(SshFact::Refused { ask, why }).await.ok();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// As people see it.
    pub(super) fn row(&self) -> ForwardRow {
        let now = self.lock();
        ForwardRow {
            id: self.id,
            host: self.host.clone(),
            rule: now.rule.clone(),
            state: now.state.clone(),
            configured: self.configured,
            open: self.traffic.open.load(Ordering::Relaxed),
            total: self.traffic.total.load(Ordering::Relaxed),
            bytes_in: self.traffic.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.traffic.bytes_out.load(Ordering::Relaxed),
            trouble: now.trouble.clone(),
            reached: self.reached.load(Ordering::Relaxed),
        }
    }

    pub(super) fn rule(&self) -> ForwardRule {
        self.lock().rule.clone()
    }

    /// Where it listens is known now.
    pub(super) fn listens(&self, rule: ForwardRule) {
        self.lock().rule = rule;
    }

    /// Its connection is up.
    pub(super) fn reach(&self) {
        self.reached.store(true, Ordering::Relaxed);
    }

    /// It is in another state; what went wrong before is no news of that.
    fn enter(&self, state: ForwardState) {
        let mut now = self.lock();
        if now.state != state {
            now.trouble = None;
        }
        now.state = state;
    }

    /// One of its connections went wrong.
    pub(super) fn trouble(&self, why: String) {
        self.lock().trouble = Some(why);
        // A full queue costs only this word of it: the row keeps it, and a carrier must not wait for whoever reads.
        self.facts.try_send(SshFact::Forward(self.row())).ok();
    }

    /// Waits until it listens or failed, and says why it failed.
    pub(super) async fn settle(&self) -> Result<(), String> {
        let mut settled = self.settled.subscribe();
        // The sender is in `self`, so it cannot be gone.
        settled.wait_for(|settled| *settled).await.ok();
        match &self.lock().state {
            ForwardState::Failed { why } => Err(why.clone()),
            _ => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
