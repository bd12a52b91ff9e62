//! What is told of sync: the space's devices as roster and store know them, and when the next round comes. Reads, never asks
//! the remote.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::ids::DeviceId;
use crate::domain::sync::SyncDevice;
use crate::domain::time::Time;
use crate::store::{Answer, Ask, DeviceRow, Store, StoreError};
use crate::sync::{PAUSE_MIN, Report, SyncEngine, SyncError, pause};

/// Local writes that come close together go out together.
const DEBOUNCE: Duration = Duration::from_millis(300);

/// The shortest time between the end of a round and the next one that something hurries.
const GAP: Duration = Duration::from_secs(1);

/// How soon it is tried again when another process has the lock: its rounds are short.
const ELSEWHERE: Duration = Duration::from_secs(5);

/// Waits for an answer of the store.
pub(super) async fn heard<T: Send + 'static>(
    ask: impl FnOnce(Box<dyn FnOnce(Result<T, StoreError>) + Send>),
) -> Result<T, StoreError> {
    // One answer, never full. Whoever waited may be gone, which is no concern of the store.
    let (answer, slot) = tokio::sync::oneshot::channel();
    ask(Box::new(move |result| drop(answer.send(result))));
    slot.await.unwrap_or(Err(StoreError::Closed))
}

/// What the store knows of devices.
pub(super) async fn rows(store: &Store) -> Result<Vec<DeviceRow>, StoreError> {
    match heard(|reply| store.ask(Ask::Devices, reply)).await? {
        Answer::Devices(rows) => Ok(rows),
        _ => Err(StoreError::Closed),
    }
}

/// How many own operations have not gone out.
pub(super) async fn pending(store: &Store, engine: &SyncEngine) -> u64 {
    let known = heard(|reply| store.known(reply)).await.unwrap_or_default();
    let own = known.iter().find(|(device, _)| *device == store.device());
    own.map_or(0, |(_, seq)| seq.saturating_sub(engine.published()))
}

/// The devices of the space: this one, then by name, those that were sent away last.
pub(super) fn devices(engine: &SyncEngine, rows: &[DeviceRow]) -> Vec<SyncDevice> {
    let rows: BTreeMap<DeviceId, &DeviceRow> = rows.iter().map(|row| (row.id, row)).collect();
    let me = engine.identity().device();
    let mut devices: Vec<SyncDevice> = engine
        .roster()
        .members()
        .map(|member| {
            let id = member.public.device;
            let row = rows.get(&id);
            let have = row.map_or(0, |row| row.seq);
            SyncDevice {
                id,
                name: row.map(|row| row.name.clone()).unwrap_or_default(),
                fingerprint: member.public.fingerprint(),
                me: id == me,
                retired: member.retired.is_some(),
                admitted: member.at,
                have,
                made: engine.seen(id).max(have),
                last: row.and_then(|row| row.last),
            }
        })
        .collect();
    devices.sort_by(|a, b| {
        let key = |device: &SyncDevice| (device.retired, !device.me, device.called(), device.id);
        key(a).cmp(&key(b))
    });
    devices
}

/// When rounds come. Pure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rhythm {
    /// When the next one comes, if nothing hurries it.
    pub(super) wake: Instant,
    /// When the last one ended.
    ended: Instant,
    /// How many in a row moved nothing, or failed.
    quiet: u32,
    failed: bool,
}

impl Rhythm {
    /// The first round comes at once.
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            wake: now,
            ended: now,
            quiet: 0,
            failed: false,
        }
    }

    /// A round ended; `dice` is any number.
    pub(super) fn after(&mut self, report: &Report, now: Instant, dice: u64) {
        (self.ended, self.failed) = (now, report.error.is_some());
        if report.error == Some(SyncError::Elsewhere) {
            self.failed = false;
            self.wake = now + ELSEWHERE;
            return;
        }
        if report.more && !self.failed {
            self.quiet = 0;
            self.wake = now;
            return;
        }
        let still = report.is_idle() || self.failed;
        self.quiet = if still {
            self.quiet.saturating_add(1)
        } else {
            0
        };
        self.wake = now + pause(self.quiet, dice);
    }

    /// Something may have changed, here or there. A place that cannot be reached is not tried again for every write.
    pub(super) fn hurry(&mut self, now: Instant) {
        let gap = if self.failed { PAUSE_MIN } else { GAP };
        self.wake = self.wake.min((now + DEBOUNCE).max(self.ended + gap));
    }

    /// How long until then.
    pub(super) fn left(&self, now: Instant) -> Duration {
        self.wake.saturating_duration_since(now)
    }
}

/// That moment by the clock on the wall.
pub(super) fn at(now: Time, left: Duration) -> Time {
    now.plus(i64::try_from(left.as_millis()).unwrap_or(i64::MAX))
}

/// A name for a device that no other one has.
pub(super) fn free_name(wanted: &str, taken: &[&str]) -> String {
    let wanted = wanted.trim();
    let wanted = if wanted.is_empty() { "device" } else { wanted };
    let mut name = wanted.to_owned();
    let mut number = 2;
    while taken.contains(&name.as_str()) {
        name = format!("{wanted}-{number}");
        number += 1;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::{PAUSE_MAX, RemoteError};

    fn moved() -> Report {
        Report {
            published: 1,
            ..Report::default()
        }
    }

    fn failed() -> Report {
        Report {
            error: Some(SyncError::Remote(RemoteError::Unreachable {
                place: "/mnt".to_owned(),
                why: "gone".to_owned(),
            })),
            ..Report::default()
        }
    }

    #[test]
    fn pauses_grow_while_nothing_moves_and_a_write_ends_them() {
        let now = Instant::now();
        let mut rhythm = Rhythm::new(now);
        assert_eq!(rhythm.left(now), Duration::ZERO, "the first comes at once");
        rhythm.after(&moved(), now, 7);
        let soon = rhythm.left(now);
        assert!(soon <= PAUSE_MIN * 11 / 10, "{soon:?}");
        for _ in 0..12 {
            rhythm.after(&Report::default(), now, 7);
        }
        assert!(rhythm.left(now) > PAUSE_MAX * 8 / 10);
        rhythm.hurry(now);
        assert_eq!(rhythm.left(now), GAP, "not at once after the last one");
        let later = now + Duration::from_secs(60);
        rhythm.after(&Report::default(), now, 7);
        rhythm.hurry(later);
        assert_eq!(rhythm.left(later), DEBOUNCE);
        rhythm.hurry(later + DEBOUNCE / 2);
        assert_eq!(
            rhythm.left(later),
            DEBOUNCE,
            "more writes do not put it off"
        );
    }

    #[test]
    fn what_cannot_be_reached_is_left_in_peace_and_more_comes_at_once() {
        let now = Instant::now();
        let mut rhythm = Rhythm::new(now);
        for _ in 0..12 {
            rhythm.after(&failed(), now, 7);
        }
        rhythm.hurry(now);
        assert_eq!(rhythm.left(now), PAUSE_MIN);
        let more = Report {
            learned: 9,
            more: true,
            ..Report::default()
        };
        rhythm.after(&more, now, 7);
        assert_eq!(rhythm.left(now), Duration::ZERO);
        let busy = Report {
            error: Some(SyncError::Elsewhere),
            ..Report::default()
        };
        rhythm.after(&busy, now, 7);
        assert_eq!(rhythm.left(now), ELSEWHERE);
    }

    #[test]
    fn names_are_free_and_never_empty() {
        for (wanted, taken, expected) in [
            ("lap1", &[][..], "lap1"),
            ("lap1", &["lap1", "lap1-2"][..], "lap1-3"),
            ("  ", &[][..], "device"),
        ] {
            assert_eq!(free_name(wanted, taken), expected);
        }
    }
}
