//! A host's health as a table or a line shows it: what was measured, as text, and how old it is.

use super::words::{age, percent};
use crate::domain::check::HostState;
use crate::domain::environment::Environment;
use crate::domain::host::Host;
use crate::domain::sample::Sample;
use crate::domain::time::short;
use crate::model::{HostHealth, Model};
use crate::ui::paint::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::bar;

/// What is known of a host now.
pub(crate) struct Vitals<'a> {
    pub(crate) state: HostState,
    pub(crate) sample: Option<&'a Sample>,
    /// How old it is: `4m`.
    pub(crate) age: String,
    /// Why it is in this state, or why it could not be measured.
    pub(crate) reason: String,
}

impl<'a> Vitals<'a> {
    pub(crate) fn of(model: &'a Model, host: &Host) -> Self {
        let health = model.health.get(&host.id);
        let sample = health.and_then(|health| health.latest());
        let at = sample
            .map(|sample| sample.at)
            .or(health.and_then(|health| health.at));
        let age = match (at, host.age_s) {
            (Some(at), _) => age(model.now, at),
            (None, Some(seconds)) => short(seconds.saturating_mul(1000)),
            (None, None) => String::new(),
        };
        let reason = health.map_or_else(String::new, |health| {
            let reasons = health.reasons.join(", ");
            match &health.last_error {
                Some(error) if reasons.is_empty() => error.clone(),
                _ => reasons,
            }
        });
        Self {
            state: model.state_of(host),
            sample,
            age,
            reason,
        }
    }

    /// Those of the machine that we run on, once it was measured.
    pub(crate) fn here(model: &'a Model) -> Option<Self> {
        let health = model.local.as_ref()?;
        Some(Self {
            state: health.state,
            sample: health.latest(),
            age: health.at.map(|at| age(model.now, at)).unwrap_or_default(),
            reason: health.reasons.join(", "),
        })
    }

    /// Values that cannot be believed any more are greyed.
    pub(crate) fn role(&self) -> Role {
        match self.state {
            HostState::Stale | HostState::Unreachable => Role::Stale,
            HostState::Ok | HostState::Warn | HostState::Crit | HostState::Unknown => Role::Fg,
        }
    }

    pub(crate) fn load(&self) -> String {
        let load = self.sample.and_then(|sample| sample.load);
        load.map_or_else(String::new, |[one, ..]| format!("{one:.2}"))
    }

    pub(crate) fn cpu(&self) -> String {
        percent(self.sample.and_then(|sample| sample.cpu_percent))
    }

    pub(crate) fn memory(&self) -> String {
        percent(self.sample.and_then(memory))
    }

    /// The fullest file system.
    pub(crate) fn disk(&self) -> String {
        percent(self.sample.and_then(fullest))
    }
}

/// Used memory in percent.
pub(crate) fn memory(sample: &Sample) -> Option<f32> {
    let (total, free) = (sample.mem_total_kib?, sample.mem_available_kib?);
    (total > 0).then(|| total.saturating_sub(free) as f32 * 100.0 / total as f32)
}

/// How full the fullest file system is, in percent.
pub(crate) fn fullest(sample: &Sample) -> Option<f32> {
    sample
        .disks
        .iter()
        .map(|disk| disk.used_percent())
        .max_by(f32::total_cmp)
}

/// The busy share of the processors over time; the load where that is not known.
pub(crate) fn trend(model: &Model, host: &Host, columns: usize, look: &Look) -> String {
    let health = model.health.get(&host.id);
    health.map_or_else(String::new, |health| line(health, columns, look))
}

/// The same for the machine that we run on.
pub(crate) fn local_trend(model: &Model, columns: usize, look: &Look) -> String {
    let health = model.local.as_ref();
    health.map_or_else(String::new, |health| line(health, columns, look))
}

fn line(health: &HostHealth, columns: usize, look: &Look) -> String {
    let cpu: Vec<_> = health
        .series
        .iter()
        .map(|sample| sample.cpu_percent)
        .collect();
    if cpu.iter().any(Option::is_some) {
        return bar::series(&cpu, 100.0, columns, look);
    }
    let load: Vec<_> = health
        .series
        .iter()
        .map(|sample| sample.load.map(|[one, ..]| one))
        .collect();
    let cpus = health.latest().and_then(|sample| sample.cpus).unwrap_or(1);
    bar::series(&load, cpus as f32, columns, look)
}

/// Whether a host is a production host by what the inventory and the settings say of it.
pub(crate) fn is_production(model: &Model, host: &Host) -> bool {
    let environment = model.environments.of(host);
    environment.is_some_and(Environment::is_production)
}
