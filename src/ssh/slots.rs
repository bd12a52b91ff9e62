//! How many channels a connection has and may have: the limit is learned from the server's refusals.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// After this long without a refusal a full server is tried with one more channel; the limit may have been a moment's.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// How many channels a connection has and may have.
#[derive(Default)]
pub(crate) struct Slots {
    // A std mutex: held for arithmetic, never across an await.
    state: Mutex<Counts>,
    pub(crate) freed: Notify,
    /// Somebody was refused one; told to whoever keeps a channel that can be done without.
    crowded: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Counts {
    open: usize,
    opening: usize,
    /// One was opened at least once.
    gave: bool,
    /// As many as were open when the server last refused one.
    limit: Option<usize>,
    refused: Option<Instant>,
}

impl Counts {
    fn has_room(&self) -> bool {
        let busy = self.open + self.opening;
        match self.limit {
            None => true,
            Some(limit) if busy < limit => true,
            Some(limit) => busy == limit && self.refused.is_none_or(|at| at.elapsed() > TRY_AGAIN),
        }
    }
}

impl Slots {
    /// Whether one more channel may be tried.
    pub(crate) fn has_room(&self) -> bool {
        self.lock().has_room()
    }

    /// Takes a place for a channel that is being opened; false if there is none.
    pub(crate) fn reserve(&self) -> bool {
        let mut counts = self.lock();
        let room = counts.has_room();
        if room {
            counts.opening += 1;
        } else {
            self.crowded.notify_waiters();
        }
        room
    }

    /// The same for a channel that can wait: not when it would be the last one that the server allows.
    pub(crate) fn reserve_surplus(&self) -> bool {
        let mut counts = self.lock();
        let busy = counts.open + counts.opening;
        let room = counts.limit.is_none_or(|limit| busy + 1 < limit);
        if room {
            counts.opening += 1;
        }
        room
    }

    /// Waits until somebody is refused a channel.
    pub(crate) fn crowded(&self) -> impl Future<Output = ()> + Send + 'static {
        Arc::clone(&self.crowded).notified_owned()
    }

    /// Whether one more channel would leave none to anybody else; not so when nobody else is there. `spare` says that it is
    /// open already.
    pub(crate) fn is_tight(&self, spare: bool) -> bool {
        let counts = self.lock();
        let others = counts.open + counts.opening - usize::from(spare && counts.open > 0);
        counts
            .limit
            .is_some_and(|limit| others > 0 && others + 1 >= limit)
    }

    /// Whether the server ever opened a channel for us.
    pub(crate) fn gave(&self) -> bool {
        self.lock().gave
    }

    /// As many as the server allows, once it refused one.
    pub(crate) fn limit(&self) -> Option<usize> {
        self.lock().limit
    }

    /// The reserved channel is open.
    pub(crate) fn confirm(&self) {
        let mut counts = self.lock();
        counts.opening = counts.opening.saturating_sub(1);
        counts.open += 1;
        counts.gave = true;
        counts.limit = counts.limit.map(|limit| limit.max(counts.open));
    }

    /// Notes a refusal; the reservation was released before. False if there was no other channel that could be in the way.
    pub(crate) fn refuse(&self) -> bool {
        let mut counts = self.lock();
        if counts.open == 0 && counts.opening == 0 {
            return false;
        }
        counts.limit = Some(counts.open.max(1));
        counts.refused = Some(Instant::now());
        drop(counts);
        self.crowded.notify_waiters();
        true
    }

    /// A place is free again: that of an open channel, or one that was only reserved.
    pub(crate) fn release(&self, open: bool) {
        let mut counts = self.lock();
        let count = if open {
            &mut counts.open
        } else {
            &mut counts.opening
        };
        *count = count.saturating_sub(1);
        drop(counts);
        self.freed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_learned_and_unlearned() {
        let slots = Slots::default();
        for _ in 0..3 {
            assert!(slots.reserve());
        }
        slots.confirm();
        slots.confirm();
        slots.release(false);
        assert!(slots.refuse(), "two are in the way");
        assert!(!slots.has_room());
        slots.release(true);
        assert!(slots.reserve(), "one was closed");
        slots.confirm();
        assert!(!slots.has_room());
        slots.lock().refused = Instant::now().checked_sub(TRY_AGAIN * 2);
        assert!(slots.reserve(), "after a while one more is tried");
        slots.confirm();
        assert_eq!(slots.lock().limit, Some(3));
    }

    #[test]
    fn a_surplus_channel_never_takes_the_last_place() {
        let slots = Slots::default();
        assert!(slots.reserve_surplus(), "no limit is known");
        slots.confirm();
        assert!(slots.reserve());
        slots.release(false);
        assert!(slots.refuse());
        assert_eq!(slots.limit(), Some(1));
        slots.release(true);
        assert!(!slots.reserve_surplus());
        assert!(slots.reserve());
    }

    #[test]
    fn work_that_can_wait_leaves_one_place_to_others() {
        let slots = Slots::default();
        assert!(slots.reserve());
        slots.confirm();
        assert!(!slots.is_tight(false), "no limit is known");
        assert!(slots.reserve());
        slots.confirm();
        assert!(slots.reserve());
        slots.release(false);
        assert!(slots.refuse(), "the limit is two");
        assert!(slots.is_tight(false) && slots.is_tight(true));
        slots.release(true);
        assert!(slots.is_tight(false), "it would take the last");
        assert!(!slots.is_tight(true), "the one is the spare itself");
        slots.release(true);
        assert!(!slots.is_tight(false), "nobody else is there");
    }

    #[test]
    fn a_refusal_of_the_only_channel_is_final() {
        let slots = Slots::default();
        assert!(slots.reserve());
        slots.release(false);
        assert!(!slots.refuse());
        assert!(slots.has_room());
    }
}
