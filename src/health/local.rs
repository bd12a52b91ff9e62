//! Measures the machine that runs the program. The only file that knows sysinfo, and the only one here that reads a system.
//!
//! Both calls read files and may block, [`disks`] for long when a file server is dead: call them from a worker.

use std::collections::BTreeMap;

use sysinfo::{
    CpuRefreshKind, DiskRefreshKind, Disks, MemoryRefreshKind, Networks, RefreshKind, System,
};

use crate::domain::sample::{Disk, Sample};
use crate::domain::time::Time;

use super::parse::{is_loopback, keep_disk};

/// The machine that runs the program, and its counters of the measurement before.
#[derive(Debug)]
pub struct Local {
    system: Option<System>,
    networks: Option<Networks>,
    /// When it was measured before: rates need two measurements.
    before: Option<Time>,
}

impl Local {
    /// Looks at the machine for the first time. What it does not tell stays unknown.
    pub fn new() -> Self {
        let wanted = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing().with_usage())
            .with_memory(MemoryRefreshKind::everything());
        Self {
            system: System::new_with_specifics(wanted).ok(),
            networks: Networks::new_with_refreshed_list().ok(),
            before: None,
        }
    }

    /// Measures everything but the file systems.
    pub fn sample(&mut self, at: Time) -> Sample {
        let elapsed = self.before.replace(at).map(|before| at.since(before));
        let mut sample = Sample {
            at,
            load: System::load_average()
                .ok()
                .map(|load| [load.one as f32, load.five as f32, load.fifteen as f32]),
            uptime_s: System::uptime().ok(),
            rtt_ms: Some(0),
            ..Sample::default()
        };
        if let Some(system) = &mut self.system {
            system.refresh_cpu_usage();
            system.refresh_memory();
            sample.cpus = u32::try_from(system.cpus().len())
                .ok()
                .filter(|cpus| *cpus > 0);
            // The share is that since the refresh before; the first one has none.
            sample.cpu_percent = elapsed.map(|_| system.global_cpu_usage());
            sample.mem_total_kib = Some(system.total_memory() / 1024);
            sample.mem_available_kib = Some(system.available_memory() / 1024);
            sample.swap_total_kib = Some(system.total_swap() / 1024);
            sample.swap_free_kib = Some(system.free_swap() / 1024);
        }
        if let Some(networks) = &mut self.networks {
            networks.refresh(true);
            let (mut received, mut sent) = (0u64, 0u64);
            let outside = networks
                .iter()
                .filter(|(name, _)| !is_loopback(&name.to_string_lossy()));
            for (_, data) in outside {
                received = received.saturating_add(data.received());
                sent = sent.saturating_add(data.transmitted());
            }
            let rate = |bytes: u64, elapsed: u64| {
                u64::try_from(u128::from(bytes) * 1000 / u128::from(elapsed)).unwrap_or(u64::MAX)
            };
            sample.net_bps = elapsed
                .filter(|elapsed| *elapsed > 0)
                .map(|elapsed| [rate(received, elapsed), rate(sent, elapsed)]);
        }
        sample
    }
}

impl Default for Local {
    fn default() -> Self {
        Self::new()
    }
}

/// The file systems of this machine. Blocks while a network file system does not answer.
pub fn disks() -> Vec<Disk> {
    let kinds = DiskRefreshKind::nothing().with_storage();
    let Ok(disks) = Disks::new_with_refreshed_list_specifics(kinds) else {
        return Vec::new();
    };
    let mut found: Vec<Disk> = disks
        .iter()
        .map(|disk| {
            let (size, used) = room(disk);
            Disk {
                mount: disk.mount_point().to_string_lossy().into_owned(),
                size_kib: size / 1024,
                used_kib: used / 1024,
            }
        })
        .filter(|disk| keep_disk("/", &disk.mount, disk.size_kib))
        .collect();
    found.sort_by(|a, b| a.mount.cmp(&b.mount));
    found.dedup_by(|a, b| a.mount == b.mount);
    found
}

/// What users may fill of a file system and what is filled, in bytes, counted as `df` does (POSIX.1-2024, df): blocks that
/// only root may use are neither.
fn room(disk: &sysinfo::Disk) -> (u64, u64) {
    let free = disk.available_space();
    let used = match rustix::fs::statvfs(disk.mount_point()) {
        Ok(stat) => stat
            .f_blocks
            .saturating_sub(stat.f_bfree)
            .saturating_mul(stat.f_frsize),
        // It is gone just now, or its kind has no such call.
        Err(_) => disk.total_space().saturating_sub(free),
    };
    (used.saturating_add(free), used)
}

/// What the machine is: `os`, `kernel`, `hostname`.
pub fn facts() -> BTreeMap<String, String> {
    [
        ("os", System::name()),
        ("kernel", System::kernel_version()),
        ("hostname", System::host_name()),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value.ok()?)))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_can_be_measured() {
        let mut local = Local::new();
        let first = local.sample(Time(0));
        assert_eq!(first.net_bps, None);
        assert_eq!(first.cpu_percent, None);
        let second = local.sample(Time(1_000));
        assert!(
            second
                .cpu_percent
                .is_some_and(|share| (0.0..=100.0).contains(&share))
        );
        assert!(second.net_bps.is_some());
        assert!(second.mem_total_kib >= second.mem_available_kib);
        assert!(second.uptime_s.is_some());
        assert!(facts().contains_key("kernel"));
        for disk in disks() {
            assert!(disk.used_kib <= disk.size_kib, "{disk:?}");
        }
    }

    #[test]
    fn disks_are_counted_as_df_does() -> Result<(), Box<dyn std::error::Error>> {
        let mut compared = 0;
        for disk in disks() {
            let df = std::process::Command::new("df")
                .args(["-Pk", &disk.mount])
                .output()?;
            let text = String::from_utf8(df.stdout)?;
            let numbers: Vec<u64> = text
                .lines()
                .nth(1)
                .into_iter()
                .flat_map(str::split_whitespace)
                .skip(2)
                .filter_map(|word| word.parse().ok())
                .collect();
            let &[used, free, ..] = numbers.as_slice() else {
                continue;
            };
            // Something may have been written in between.
            let near = |ours: u64, theirs: u64| ours.abs_diff(theirs) <= disk.size_kib / 20;
            assert!(near(disk.used_kib, used), "{disk:?} but {used} used");
            assert!(near(disk.size_kib, used + free), "{disk:?} but {text}");
            compared += 1;
        }
        assert!(compared > 0, "no disk was compared");
        Ok(())
    }
}
