//! Who is due for a probe: by visibility, with jitter, backing off from hosts that do not answer, and never too many at once.
//!
//! Pure: the time comes in, names go out. A host that is asked is not asked again before it answered or ran out of time.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::ids::HostId;
use crate::domain::time::Time;

/// Intervals and bounds. All times are in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Between probes of a host that somebody looks at.
    pub visible_ms: u64,
    /// Between probes of any other host.
    pub hidden_ms: u64,
    /// The longest wait for a host that does not answer.
    pub longest_ms: u64,
    /// After this a probe counts as failed and the host may be asked again.
    pub timeout_ms: u64,
    /// Probes at once.
    pub at_once: usize,
    /// Probes at once through one jump host.
    pub per_jump: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            visible_ms: 2_000,
            hidden_ms: 60_000,
            longest_ms: 300_000,
            timeout_ms: 15_000,
            at_once: 64,
            per_jump: 8,
        }
    }
}

/// One host of the schedule.
#[derive(Clone, Debug)]
struct Entry {
    /// The jump host next to us, whose connection carries the probe.
    jump: Option<String>,
    /// When it was asked last, or would have been.
    last: Option<Time>,
    /// Since when it is being asked.
    asked: Option<Time>,
    /// Failures in a row.
    failures: u32,
}

/// The schedule.
#[derive(Clone, Debug)]
pub struct Schedule {
    rules: Rules,
    hosts: BTreeMap<HostId, Entry>,
    visible: BTreeSet<HostId>,
    /// When the first hosts were taken in: the point from which first probes are spread.
    began: Option<Time>,
}

impl Schedule {
    /// An empty schedule.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            hosts: BTreeMap::new(),
            visible: BTreeSet::new(),
            began: None,
        }
    }

    /// Takes the hosts to watch, each with its first jump host. Known hosts keep their history; others are forgotten.
    pub fn set_hosts(&mut self, hosts: impl IntoIterator<Item = (HostId, Option<String>)>) {
        let mut before = std::mem::take(&mut self.hosts);
        for (id, jump) in hosts {
            let entry = match before.remove(&id) {
                Some(known) => Entry { jump, ..known },
                None => Entry {
                    jump,
                    last: None,
                    asked: None,
                    failures: 0,
                },
            };
            self.hosts.insert(id, entry);
        }
    }

    /// Takes the hosts that somebody looks at now.
    pub fn visible(&mut self, hosts: impl IntoIterator<Item = HostId>) {
        self.visible = hosts.into_iter().collect();
    }

    /// Makes a host due at once, whatever it did before: somebody pressed refresh.
    pub fn hurry(&mut self, host: HostId) {
        if let Some(entry) = self.hosts.get_mut(&host) {
            entry.failures = 0;
            entry.last = None;
            self.began = None;
        }
    }

    /// Takes the end of a probe; `ok` says that the host answered.
    pub fn done(&mut self, host: HostId, now: Time, ok: bool) {
        if let Some(entry) = self.hosts.get_mut(&host) {
            entry.asked = None;
            entry.last = Some(now);
            entry.failures = if ok {
                0
            } else {
                entry.failures.saturating_add(1)
            };
        }
    }

    /// The hosts to ask now, the visible ones first, then those that wait longest. They count as asked.
    pub fn due(&mut self, now: Time) -> Vec<HostId> {
        let began = *self.began.get_or_insert(now);
        self.expire(now);
        let mut per_jump: BTreeMap<&str, usize> = BTreeMap::new();
        let mut flying = 0;
        for entry in self.hosts.values().filter(|entry| entry.asked.is_some()) {
            flying += 1;
            if let Some(jump) = &entry.jump {
                *per_jump.entry(jump).or_default() += 1;
            }
        }
        let mut waiting: Vec<(bool, Time, HostId)> = self
            .hosts
            .iter()
            .filter(|(_, entry)| entry.asked.is_none())
            .map(|(id, entry)| {
                (
                    !self.visible.contains(id),
                    self.when(*id, entry, began),
                    *id,
                )
            })
            .filter(|(_, when, _)| *when <= now)
            .collect();
        waiting.sort_unstable();
        let mut due = Vec::new();
        for (_, _, id) in waiting {
            if flying >= self.rules.at_once {
                break;
            }
            if let Some(jump) = self.hosts.get(&id).and_then(|entry| entry.jump.as_deref()) {
                let through = per_jump.entry(jump).or_default();
                if *through >= self.rules.per_jump {
                    continue;
                }
                *through += 1;
            }
            flying += 1;
            due.push(id);
        }
        for id in &due {
            if let Some(entry) = self.hosts.get_mut(id) {
                entry.asked = Some(now);
            }
        }
        due
    }

    /// How many hosts are being asked.
    pub fn in_flight(&self) -> usize {
        self.hosts
            .values()
            .filter(|entry| entry.asked.is_some())
            .count()
    }

    /// Probes that ran out of time failed.
    fn expire(&mut self, now: Time) {
        let timeout = self.rules.timeout_ms;
        let late: Vec<HostId> = self
            .hosts
            .iter()
            .filter(|(_, entry)| entry.asked.is_some_and(|asked| now.since(asked) >= timeout))
            .map(|(id, _)| *id)
            .collect();
        for id in late {
            self.done(id, now, false);
        }
    }

    /// When a host is due.
    fn when(&self, id: HostId, entry: &Entry, began: Time) -> Time {
        let visible = self.visible.contains(&id);
        let interval = if visible {
            self.rules.visible_ms
        } else {
            self.rules.hidden_ms
        };
        let Some(last) = entry.last else {
            // A thousand hosts are not asked in the first second; one that somebody looks at is.
            let spread = if visible { 0 } else { share(id, interval) };
            return began.plus(spread);
        };
        let doubled = interval.saturating_mul(1 << entry.failures.min(16));
        let wait = doubled.min(self.rules.longest_ms).max(interval);
        // Up to an eighth more, always the same for one host, so that hosts drift apart and stay apart.
        last.plus(millis(wait).saturating_add(share(id, wait / 8)))
    }
}

/// A share of `span` that depends on the host alone.
fn share(id: HostId, span: u64) -> i64 {
    let mut bytes = [0; 8];
    for (to, from) in bytes.iter_mut().zip(id.0.as_bytes()) {
        *to = *from;
    }
    let share = (u128::from(u64::from_be_bytes(bytes)) * u128::from(span)) >> 64;
    i64::try_from(share).unwrap_or(i64::MAX)
}

fn millis(span: u64) -> i64 {
    i64::try_from(span).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules {
        visible_ms: 2_000,
        hidden_ms: 60_000,
        longest_ms: 300_000,
        timeout_ms: 15_000,
        at_once: 5,
        per_jump: 2,
    };

    fn id(number: u32) -> HostId {
        HostId::of(&format!("web{number}"))
    }

    fn schedule(hosts: u32, jump: Option<&str>) -> Schedule {
        let mut schedule = Schedule::new(RULES);
        schedule.set_hosts((0..hosts).map(|number| (id(number), jump.map(str::to_owned))));
        schedule
    }

    /// When a host is asked next, in steps of 100 ms.
    fn next(schedule: &mut Schedule, host: HostId, from: i64) -> Option<i64> {
        (from..from + 1_000_000)
            .step_by(100)
            .find(|now| schedule.due(Time(*now)).contains(&host))
    }

    #[test]
    fn what_is_visible_is_asked_at_once_and_often() {
        let mut schedule = schedule(3, None);
        schedule.visible([id(1)]);
        assert_eq!(schedule.due(Time(0)), [id(1)]);
        schedule.done(id(1), Time(100), true);
        let again = next(&mut schedule, id(1), 100).expect("it is due again");
        assert!((2_100..=2_400).contains(&again), "{again}");
    }

    #[test]
    fn what_is_hidden_is_spread_over_the_interval() {
        let mut schedule = Schedule::new(Rules {
            at_once: 1_000,
            ..RULES
        });
        schedule.set_hosts((0..600).map(|number| (id(number), None)));
        let mut most = 0;
        let mut all = 0;
        for second in 0..=60 {
            let due = schedule.due(Time(second * 1_000)).len();
            most = most.max(due);
            all += due;
            schedule = answered(schedule, second * 1_000);
        }
        assert_eq!(all, 600);
        assert!(most < 40, "{most} in one second");
    }

    /// Every probe in flight is answered.
    fn answered(mut schedule: Schedule, now: i64) -> Schedule {
        let flying: Vec<HostId> = schedule
            .hosts
            .iter()
            .filter(|(_, entry)| entry.asked.is_some())
            .map(|(id, _)| *id)
            .collect();
        for id in flying {
            schedule.done(id, Time(now), true);
        }
        schedule
    }

    #[test]
    fn a_host_in_flight_is_not_asked_twice_until_its_time_is_up() {
        let mut schedule = schedule(1, None);
        schedule.visible([id(0)]);
        assert_eq!(schedule.due(Time(0)), [id(0)]);
        assert_eq!(schedule.due(Time(10_000)), []);
        assert_eq!(schedule.in_flight(), 1);
        assert_eq!(schedule.due(Time(15_000)), [], "failed, so it backs off");
        assert_eq!(schedule.in_flight(), 0);
        assert!(next(&mut schedule, id(0), 15_000).is_some());
    }

    #[test]
    fn silence_is_answered_with_patience() {
        let mut schedule = schedule(1, None);
        schedule.visible([id(0)]);
        let (mut now, mut waits) = (0, Vec::new());
        for _ in 0..12 {
            let at = next(&mut schedule, id(0), now).expect("it is due again");
            waits.push(at - now);
            now = at;
            schedule.done(id(0), Time(now), false);
        }
        assert!(waits.is_sorted(), "{waits:?}");
        let last = waits.last().copied().unwrap_or_default();
        assert!((300_000..=337_600).contains(&last), "{waits:?}");
        schedule.hurry(id(0));
        assert_eq!(schedule.due(Time(now + 1)), [id(0)]);
    }

    #[test]
    fn no_more_than_allowed_at_once() {
        let mut wide = schedule(50, None);
        wide.visible((0..50).map(id));
        assert_eq!(wide.due(Time(0)).len(), 5);
        assert_eq!(wide.due(Time(1)).len(), 0);
        let mut narrow = schedule(50, Some("bastion"));
        narrow.visible((0..50).map(id));
        assert_eq!(narrow.due(Time(0)).len(), 2);
    }

    #[test]
    fn nobody_starves() {
        let mut schedule = schedule(40, None);
        schedule.visible((0..40).map(id));
        let mut seen = BTreeSet::new();
        for round in 0..8 {
            let now = Time(round * 100);
            for id in schedule.due(now) {
                seen.insert(id);
                schedule.done(id, now, true);
            }
        }
        assert_eq!(seen.len(), 40);
    }

    #[test]
    fn a_new_inventory_keeps_what_is_known() {
        let mut schedule = schedule(2, None);
        schedule.visible([id(0), id(1)]);
        assert_eq!(schedule.due(Time(0)).len(), 2);
        schedule.set_hosts([(id(1), None), (id(7), None)]);
        assert_eq!(schedule.in_flight(), 1);
        schedule.visible([id(1), id(7)]);
        assert_eq!(schedule.due(Time(1)), [id(7)]);
        schedule.done(id(0), Time(2), true);
    }
}
