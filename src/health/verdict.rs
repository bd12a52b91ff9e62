//! What to make of a sample: limits, a state with its reasons, and hysteresis so that a state does not flap.

use serde::{Deserialize, Serialize};

use crate::domain::check::HostState;
use crate::domain::sample::Sample;

/// From where a value is a warning, and from where it is critical.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// At least this is a warning.
    pub warn: f32,
    /// At least this is critical.
    pub crit: f32,
}

impl Limit {
    /// A pair of limits.
    pub const fn new(warn: f32, crit: f32) -> Self {
        Self { warn, crit }
    }

    fn state(self, value: f32) -> HostState {
        if value >= self.crit {
            HostState::Crit
        } else if value >= self.warn {
            HostState::Warn
        } else {
            HostState::Ok
        }
    }
}

/// The limits of a host or a group. All but the load are shares in percent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Thresholds {
    /// Load over one minute, for each processor.
    pub load_per_cpu: Limit,
    /// Busy processors.
    pub cpu: Limit,
    /// Memory that programs cannot have any more.
    pub memory: Limit,
    /// Used swap.
    pub swap: Limit,
    /// Used space of a file system.
    pub disk: Limit,
    /// Limits of single mount points, before [`Thresholds::disk`].
    pub mounts: std::collections::BTreeMap<String, Limit>,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            load_per_cpu: Limit::new(1.5, 3.0),
            cpu: Limit::new(90.0, 98.0),
            memory: Limit::new(90.0, 96.0),
            swap: Limit::new(50.0, 80.0),
            disk: Limit::new(85.0, 95.0),
            mounts: std::collections::BTreeMap::new(),
        }
    }
}

/// A state and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The worst that was found.
    pub state: HostState,
    /// What is not as it should be, the worst first: `disk / 97% full`.
    pub reasons: Vec<String>,
}

impl Verdict {
    /// A host that did not answer.
    pub fn unreachable(why: &str) -> Self {
        Self {
            state: HostState::Unreachable,
            reasons: vec![why.to_owned()],
        }
    }
}

/// Judges a sample. A sample without any value is [`HostState::Unknown`]: what is not measured is never fine.
pub fn judge(sample: &Sample, thresholds: &Thresholds) -> Verdict {
    let mut found: Vec<(HostState, String)> = Vec::new();
    let mut measured = false;
    let mut take = |limit: Limit, value: f32, text: String| {
        // A share that is no number comes from a host that reports nonsense; it is not measured.
        if value.is_finite() {
            measured = true;
            found.push((limit.state(value), text));
        }
    };
    if let Some([load, ..]) = sample.load {
        let cpus = sample.cpus.unwrap_or(1).max(1);
        let text = format!(
            "load {load:.1} on {cpus} cpu{}",
            if cpus == 1 { "" } else { "s" }
        );
        take(thresholds.load_per_cpu, load / cpus as f32, text);
    }
    if let Some(cpu) = sample.cpu_percent {
        take(thresholds.cpu, cpu, format!("cpu {cpu:.0}% busy"));
    }
    if let Some(used) = memory_percent(sample) {
        take(thresholds.memory, used, format!("memory {used:.0}% used"));
    }
    if let Some(used) = swap_percent(sample) {
        take(thresholds.swap, used, format!("swap {used:.0}% used"));
    }
    for disk in &sample.disks {
        let limit = thresholds.mounts.get(&disk.mount).copied();
        let used = disk.used_percent();
        let text = format!("disk {} {used:.0}% full", disk.mount);
        take(limit.unwrap_or(thresholds.disk), used, text);
    }
    if !measured {
        return Verdict {
            state: HostState::Unknown,
            reasons: vec!["the host tells nothing that is measured".to_owned()],
        };
    }
    found.retain(|(state, _)| *state != HostState::Ok);
    found.sort_by_key(|(state, _)| std::cmp::Reverse(state.severity()));
    Verdict {
        state: found.first().map_or(HostState::Ok, |(state, _)| *state),
        reasons: found.into_iter().map(|(_, text)| text).collect(),
    }
}

/// The share of memory that programs cannot have any more, in percent.
pub fn memory_percent(sample: &Sample) -> Option<f32> {
    used_percent(sample.mem_total_kib?, sample.mem_available_kib?)
}

/// The share of swap in use, in percent; `None` without swap.
pub fn swap_percent(sample: &Sample) -> Option<f32> {
    used_percent(sample.swap_total_kib?, sample.swap_free_kib?)
}

fn used_percent(total: u64, free: u64) -> Option<f32> {
    (total > 0).then(|| total.saturating_sub(free) as f32 * 100.0 / total as f32)
}

/// How many verdicts in a row change a state that was already known.
pub const CONFIRM: u8 = 2;

/// Believes a change only when it is said [`CONFIRM`] times in a row; the first verdict is believed at once.
#[derive(Clone, Debug, Default)]
pub struct Hysteresis {
    believed: Option<Verdict>,
    /// The state that was said last, when it is not the one believed, and how often in a row.
    doubt: Option<(HostState, u8)>,
}

impl Hysteresis {
    /// What is believed now.
    pub fn verdict(&self) -> Option<&Verdict> {
        self.believed.as_ref()
    }

    /// Takes a new verdict. Returns the state before and after, if what is believed changes.
    pub fn take(&mut self, verdict: Verdict) -> Option<(Option<HostState>, HostState)> {
        let before = self.believed.as_ref().map(|believed| believed.state);
        if before == Some(verdict.state) {
            // The reasons may have changed: a second disk that fills up is news without being a change.
            self.believed = Some(verdict);
            self.doubt = None;
            return None;
        }
        let times = match self.doubt {
            Some((state, times)) if same_direction(before, state, verdict.state) => times + 1,
            _ => 1,
        };
        if before.is_some() && times < CONFIRM {
            self.doubt = Some((verdict.state, times));
            return None;
        }
        self.doubt = None;
        let after = verdict.state;
        self.believed = Some(verdict);
        Some((before, after))
    }
}

/// Whether two verdicts in a row speak for the same change: a host that goes from ok over warn to crit gets worse twice.
fn same_direction(from: Option<HostState>, first: HostState, second: HostState) -> bool {
    let Some(from) = from else { return true };
    first == second || (first.severity() > from.severity()) == (second.severity() > from.severity())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sample::Disk;

    fn verdict(state: HostState) -> Verdict {
        Verdict {
            state,
            reasons: Vec::new(),
        }
    }

    #[test]
    fn a_sample_is_judged_by_its_worst_value() {
        let fine = Sample {
            load: Some([1.0, 1.0, 1.0]),
            cpus: Some(4),
            mem_total_kib: Some(1000),
            mem_available_kib: Some(500),
            swap_total_kib: Some(0),
            swap_free_kib: Some(0),
            ..Sample::default()
        };
        let disk = |used| Disk {
            mount: "/".to_owned(),
            size_kib: 100,
            used_kib: used,
        };
        for (sample, state, first) in [
            (fine.clone(), HostState::Ok, ""),
            (
                Sample::default(),
                HostState::Unknown,
                "the host tells nothing that is measured",
            ),
            (
                Sample {
                    load: Some([6.0, 0.0, 0.0]),
                    ..fine.clone()
                },
                HostState::Warn,
                "load 6.0 on 4 cpus",
            ),
            (
                Sample {
                    load: Some([12.0, 0.0, 0.0]),
                    ..fine.clone()
                },
                HostState::Crit,
                "load 12.0 on 4 cpus",
            ),
            (
                Sample {
                    mem_available_kib: Some(100),
                    disks: vec![disk(97)],
                    ..fine.clone()
                },
                HostState::Crit,
                "disk / 97% full",
            ),
            (
                Sample {
                    cpu_percent: Some(98.0),
                    ..fine.clone()
                },
                HostState::Crit,
                "cpu 98% busy",
            ),
            (
                Sample {
                    swap_total_kib: Some(10),
                    swap_free_kib: Some(5),
                    ..fine.clone()
                },
                HostState::Warn,
                "swap 50% used",
            ),
            (
                Sample {
                    cpu_percent: Some(f32::NAN),
                    ..Sample::default()
                },
                HostState::Unknown,
                "the host tells nothing that is measured",
            ),
        ] {
            let verdict = judge(&sample, &Thresholds::default());
            assert_eq!(verdict.state, state, "{verdict:?}");
            assert_eq!(verdict.reasons.first().map_or("", String::as_str), first);
        }
    }

    #[test]
    fn a_mount_may_have_its_own_limits() {
        let sample = Sample {
            disks: vec![Disk {
                mount: "/backup".to_owned(),
                size_kib: 100,
                used_kib: 97,
            }],
            ..Sample::default()
        };
        let mut thresholds = Thresholds::default();
        assert_eq!(judge(&sample, &thresholds).state, HostState::Crit);
        thresholds
            .mounts
            .insert("/backup".to_owned(), Limit::new(98.0, 99.0));
        assert_eq!(judge(&sample, &thresholds).state, HostState::Ok);
    }

    #[test]
    fn one_outlier_changes_nothing() {
        use HostState::{Crit, Ok, Unreachable, Warn};
        for (said, believed) in [
            (vec![Crit], Crit),
            (vec![Ok, Crit], Ok),
            (vec![Ok, Crit, Ok, Crit], Ok),
            (vec![Ok, Crit, Crit], Crit),
            (vec![Ok, Warn, Crit], Crit),
            (vec![Crit, Ok, Crit], Crit),
            (vec![Crit, Ok, Ok], Ok),
            (vec![Ok, Unreachable, Unreachable, Ok], Unreachable),
            (vec![Warn, Crit, Ok], Warn),
        ] {
            let mut hysteresis = Hysteresis::default();
            for state in &said {
                hysteresis.take(verdict(*state));
            }
            assert_eq!(
                hysteresis.verdict().map(|verdict| verdict.state),
                Some(believed),
                "{said:?}"
            );
        }
    }

    #[test]
    fn a_change_is_told_once() {
        let mut hysteresis = Hysteresis::default();
        assert_eq!(
            hysteresis.take(verdict(HostState::Ok)),
            Some((None, HostState::Ok))
        );
        assert_eq!(hysteresis.take(verdict(HostState::Warn)), None);
        assert_eq!(
            hysteresis.take(verdict(HostState::Warn)),
            Some((Some(HostState::Ok), HostState::Warn))
        );
        assert_eq!(hysteresis.take(verdict(HostState::Warn)), None);
    }
}
