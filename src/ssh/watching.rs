//! Who watches a pane for lines, beside its reader: what is found is kept in slots and told at a measured pace, so that a
//! flood of matches costs neither memory nor the reader's time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use crate::domain::ids::{ReqId, SessionId};
use crate::term::Emulator;
use crate::term::watch::{Found, Patterns, Watches};

use super::fact::SshFact;
use super::shell::at;

/// The shortest time between two reports of lines that were found in one pane.
const PACE: Duration = Duration::from_millis(200);

/// What is asked of the watchers of a pane.
pub(crate) enum Watching {
    /// Somebody watches from now on; on the screen as it is too if `already`.
    Begin {
        req: ReqId,
        patterns: Patterns,
        already: bool,
    },
    /// Nobody of this name watches any more.
    End(ReqId),
}

/// The watchers of a pane.
pub(crate) struct Watchers {
    watches: Watches,
    slots: Arc<Slots>,
    /// Tells what was found; it dies with the set.
    telling: JoinSet<()>,
}

/// What is to be told.
#[derive(Default)]
struct Slots {
    // A std mutex: held to note a line, never across an await.
    kept: Mutex<Kept>,
    wake: Notify,
}

#[derive(Default)]
struct Kept {
    /// The first line of each watcher, and how many more; no more than there are watchers.
    found: BTreeMap<u64, (String, u64)>,
    /// Watchers that were not taken, by number, and why; each asks once.
    refused: BTreeMap<u64, String>,
    closed: bool,
}

impl Watchers {
    pub(crate) fn new(session: SessionId, facts: mpsc::Sender<SshFact>) -> Self {
        let slots = Arc::new(Slots::default());
        let mut telling = JoinSet::new();
        telling.spawn(tell(Arc::clone(&slots), session, facts));
        Self {
            watches: Watches::default(),
            slots,
            telling,
        }
    }

    /// Looks at what the program wrote, after the emulator took it.
    pub(crate) fn feed(&mut self, bytes: &[u8], emulator: &Emulator) {
        if !self.watches.is_empty() {
            let found = self.watches.feed(bytes, emulator.modes().alt_screen);
            self.slots.note(found);
        }
    }

    /// Looks at what is about to be shown.
    pub(crate) fn show(&mut self, emulator: &mut Emulator) {
        if !self.watches.is_empty() {
            let found = self.watches.shown(&emulator.screen());
            self.slots.note(found);
        }
    }

    /// Takes an ask.
    pub(crate) fn take(&mut self, ask: Watching, emulator: &mut Emulator) {
        match ask {
            Watching::Begin {
                req,
                patterns,
                already,
            } => {
                let screen = already.then(|| emulator.screen());
                match self.watches.add(req.0, patterns, screen.as_deref()) {
                    Ok(found) => self.slots.note(found),
                    Err(why) => self.slots.change(|kept| {
                        kept.refused.insert(req.0, why);
                    }),
                }
            }
            Watching::End(req) => self.watches.remove(req.0),
        }
    }

    /// Tells what is still to be told, which comes before the last fact of the session.
    pub(crate) async fn finish(mut self) {
        self.slots.change(|kept| kept.closed = true);
        self.telling.join_next().await;
    }
}

impl Slots {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Kept)) {
        change(&mut self.lock());
        self.wake.notify_one();
    }

    fn note(&self, found: impl IntoIterator<Item = Found>) {
        let mut found = found.into_iter().peekable();
        if found.peek().is_none() {
            return;
        }
        self.change(|kept| {
            for Found { id, line } in found {
                let slot = kept.found.entry(id);
                slot.and_modify(|(_, more)| *more += 1).or_insert((line, 0));
            }
        });
    }
}

/// Tells the loop, at its pace.
async fn tell(slots: Arc<Slots>, session: SessionId, facts: mpsc::Sender<SshFact>) {
    let mut last: Option<Instant> = None;
    loop {
        let kept = {
            let mut kept = slots.lock();
            let due = last.is_none_or(|last| last.elapsed() >= PACE);
            Kept {
                found: if due || kept.closed {
                    std::mem::take(&mut kept.found)
                } else {
                    BTreeMap::new()
                },
                refused: std::mem::take(&mut kept.refused),
                closed: kept.closed,
            }
        };
        if !kept.found.is_empty() {
            last = Some(Instant::now());
        }
        let found = kept.found.into_iter().map(|(id, (line, more))| {
            let req = ReqId(id);
            SshFact::Matched {
                req,
                session,
                line,
                more,
            }
        });
        let refused = kept.refused.into_iter().map(|(id, why)| SshFact::Refused {
            ask: format!("Watch({:?}, {session})", ReqId(id)),
            why,
        });
        for fact in found.chain(refused) {
            if facts.send(fact).await.is_err() {
                return;
            }
        }
        if kept.closed {
            return;
        }
        let waits = !slots.lock().found.is_empty();
        tokio::select! {
            () = slots.wake.notified() => {}
            () = at(last.map(|last| last + PACE)), if waits => {}
        }
    }
}
