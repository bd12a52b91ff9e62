//! What a window cost so far: counted at the app's side, told to the app now and then.

use std::time::{Duration, Instant};

use super::protocol::Way;
use crate::model::WindowCost;

/// How often the app is told at most.
const OFTEN: Duration = Duration::from_secs(1);

/// The counters of one window.
#[derive(Debug)]
pub(super) struct Count {
    cost: WindowCost,
    begun: Instant,
    /// When the app was told last, and the bytes until then.
    told: Option<(Instant, u64)>,
}

impl Count {
    pub(super) fn new() -> Self {
        Self {
            cost: WindowCost::default(),
            begun: Instant::now(),
            told: None,
        }
    }

    /// A frame goes out.
    pub(super) fn frame(&mut self, bytes: usize) {
        self.cost.frames += 1;
        self.cost.bytes += bytes as u64;
    }

    /// A picture was drawn while another was on its way: only the newest will be sent.
    pub(super) fn skipped(&mut self) {
        self.cost.skipped += 1;
    }

    /// What the window said of its terminal; the counters, when the app is to be told again.
    pub(super) fn heard(&mut self, way: Way, now: Instant) -> Option<WindowCost> {
        self.cost.round_trip_us = way.round_trip_us;
        self.cost.link_bytes_per_second = way.bytes_per_second;
        let (since, before) = self.told.unwrap_or((self.begun, 0));
        let passed = now.duration_since(since);
        if self.told.is_some() && passed < OFTEN {
            return None;
        }
        self.told = Some((now, self.cost.bytes));
        let rate = (self.cost.bytes - before) as f64 / passed.as_secs_f64().max(0.001);
        self.cost.bytes_per_second = rate as u64;
        Some(self.cost)
    }
}
