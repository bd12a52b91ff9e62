//! What is under way: each request's purpose and when it began. Knows nothing of what the purposes are.

use std::collections::BTreeMap;

use crate::domain::ids::ReqId;
use crate::domain::time::Time;

/// One request under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flight<P> {
    /// What it is for.
    pub purpose: P,
    /// When it began.
    pub started: Time,
}

/// Every request under way, in the order they began. An answer whose request is not here came too late and is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inflight<P> {
    flights: BTreeMap<ReqId, Flight<P>>,
}

impl<P> Default for Inflight<P> {
    fn default() -> Self {
        Self {
            flights: BTreeMap::new(),
        }
    }
}

impl<P> Inflight<P> {
    /// Notes that `req` began at `started`; says what it replaced, which is nothing unless a number was used twice.
    pub fn insert(&mut self, req: ReqId, started: Time, purpose: P) -> Option<Flight<P>> {
        self.flights.insert(req, Flight { purpose, started })
    }

    /// Takes `req` out, when its answer came or it was given up.
    pub fn remove(&mut self, req: ReqId) -> Option<Flight<P>> {
        self.flights.remove(&req)
    }

    /// What `req` is for, if it is still awaited.
    pub fn get(&self, req: ReqId) -> Option<&P> {
        self.flights.get(&req).map(|flight| &flight.purpose)
    }

    /// What `req` is for, to be altered.
    pub fn get_mut(&mut self, req: ReqId) -> Option<&mut P> {
        self.flights.get_mut(&req).map(|flight| &mut flight.purpose)
    }

    /// All of them, oldest first: request numbers only grow.
    pub fn iter(&self) -> impl Iterator<Item = (ReqId, &Flight<P>)> {
        self.flights.iter().map(|(req, flight)| (*req, flight))
    }

    /// The oldest request whose purpose fits.
    pub fn find(&self, fits: impl Fn(&P) -> bool) -> Option<ReqId> {
        self.iter()
            .find(|(_, flight)| fits(&flight.purpose))
            .map(|(req, _)| req)
    }

    /// Takes out everything that began more than `millis` before `now`.
    pub fn overdue(&mut self, now: Time, millis: u64) -> Vec<(ReqId, Flight<P>)> {
        self.flights
            .extract_if(.., |_, flight| now.since(flight.started) > millis)
            .collect()
    }

    /// How many are under way.
    pub fn len(&self) -> usize {
        self.flights.len()
    }

    /// Whether nothing is under way: a scene has come to rest.
    pub fn is_empty(&self) -> bool {
        self.flights.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_answer_finds_nothing() {
        let mut inflight = Inflight::default();
        assert_eq!(inflight.insert(ReqId(1), Time(10), "probe"), None);
        assert_eq!(inflight.insert(ReqId(2), Time(20), "list"), None);
        assert_eq!(inflight.get(ReqId(1)), Some(&"probe"));
        assert_eq!(inflight.find(|purpose| *purpose == "list"), Some(ReqId(2)));
        let late = inflight.overdue(Time(1_015), 1_000);
        assert_eq!(late.len(), 1);
        assert_eq!(inflight.remove(ReqId(1)), None, "it was given up");
        assert_eq!(inflight.len(), 1);
        assert!(inflight.remove(ReqId(2)).is_some());
        assert!(inflight.is_empty());
    }
}
