//! How many connections are being made to one server at once: few, and fewer while the server turns some away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::settings::Settings;

/// How many connections are being made to one server, or through one bastion, at once: half of sshd's MaxStartups stays
/// for others, and more at once would be refused by chance.
const WIDEST: usize = 10;

/// How many gates are remembered before those that nobody stands at are forgotten.
const GATES: usize = 4096;

/// Host and port of every hop.
type Way = Vec<(String, u16)>;

/// The gates of all servers.
#[derive(Default)]
pub(crate) struct Gates {
    // A std mutex: held for a look-up, never across an await.
    gates: Mutex<HashMap<Way, Arc<Gate>>>,
}

impl Gates {
    /// The gate of the server at the end of `route`. Who logs in there, and by which name, makes no difference to it.
    pub(crate) fn of(&self, route: &[Arc<Settings>]) -> Arc<Gate> {
        let key: Way = route
            .iter()
            .map(|hop| (hop.host.to_ascii_lowercase(), hop.port))
            .collect();
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if gates.len() > GATES {
            gates.retain(|_, gate| Arc::strong_count(gate) > 1);
        }
        Arc::clone(gates.entry(key).or_default())
    }
}

/// One server's gate.
pub(crate) struct Gate {
    places: Arc<Semaphore>,
    // A std mutex: held for arithmetic, never across an await.
    width: Mutex<usize>,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(WIDEST)),
            width: Mutex::new(WIDEST),
        }
    }
}

impl Gate {
    /// Waits for a place. It is free again when the permit is dropped.
    pub(crate) async fn enter(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed.
        Arc::clone(&self.places).acquire_owned().await.ok()
    }

    /// Somebody was turned away: the gate becomes half as wide. Takes his place, which may be one that goes.
    pub(crate) fn crowded(&self, place: Option<OwnedSemaphorePermit>) {
        let mut width = self.width();
        let fewer = (*width / 2).max(1);
        let mut surplus = *width - fewer;
        *width = fewer;
        if let Some(place) = place
            && surplus > 0
        {
            place.forget();
            surplus -= 1;
        }
        // Places that are taken at the moment stay; they narrow the gate when their holders are turned away too.
        let gone = self.places.forget_permits(surplus);
        *width += surplus - gone;
    }

    /// Somebody got in: the gate may widen again.
    pub(crate) fn calm(&self) {
        let mut width = self.width();
        if *width < WIDEST {
            *width += 1;
            self.places.add_permits(1);
        }
    }

    fn width(&self) -> std::sync::MutexGuard<'_, usize> {
        self.width.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_gate_narrows_and_widens_and_never_closes() {
        let gate = Gate::default();
        for _ in 0..10 {
            let place = gate.enter().await;
            gate.crowded(place);
        }
        assert_eq!((*gate.width(), gate.places.available_permits()), (1, 1));
        for _ in 0..20 {
            gate.calm();
        }
        assert_eq!(*gate.width(), WIDEST);
        assert_eq!(gate.places.available_permits(), WIDEST);
    }

    #[tokio::test]
    async fn places_that_are_taken_are_not_lost() {
        let gate = Gate::default();
        let mut places = Vec::new();
        for _ in 0..WIDEST {
            places.push(gate.enter().await);
        }
        for place in places {
            gate.crowded(place);
        }
        let width = *gate.width();
        assert!((1..WIDEST).contains(&width), "{width}");
        assert_eq!(gate.places.available_permits(), width);
    }
}
