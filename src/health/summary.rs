//! A sample in words, as short as a status line.

use crate::domain::sample::{Disk, Sample};
use crate::domain::time::short;

use super::verdict::{memory_percent, swap_percent};

/// What matters most, in one line: `load 0.42 · cpu 12% · mem 43% · / 81% · up 12d`. What is unknown is left out.
pub fn one_line(sample: &Sample) -> String {
    let mut parts = Vec::new();
    if let Some([load, ..]) = sample.load {
        parts.push(format!("load {load:.2}"));
    }
    let shares = [
        ("cpu", sample.cpu_percent),
        ("mem", memory_percent(sample)),
        // Swap that nobody uses is no news.
        ("swap", swap_percent(sample).filter(|used| *used >= 1.0)),
    ];
    for (name, share) in shares {
        if let Some(share) = share {
            parts.push(format!("{name} {share:.0}%"));
        }
    }
    if let Some(disk) = fullest(sample) {
        parts.push(format!("{} {:.0}%", disk.mount, disk.used_percent()));
    }
    if let Some([received, sent]) = sample.net_bps {
        parts.push(format!(
            "net {}/s in {}/s out",
            bytes(received),
            bytes(sent)
        ));
    }
    if let Some(uptime) = sample.uptime_s {
        parts.push(format!("up {}", short(uptime.saturating_mul(1_000))));
    }
    if parts.is_empty() {
        return "nothing measured".to_owned();
    }
    parts.join(" · ")
}

/// The file system that is filled most.
pub fn fullest(sample: &Sample) -> Option<&Disk> {
    sample
        .disks
        .iter()
        .max_by(|a, b| a.used_percent().total_cmp(&b.used_percent()))
}

/// A number of bytes in at most five characters: `512B`, `1.5K`, `20M`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["K", "M", "G", "T", "P", "E"];
    if count < 1_000 {
        return format!("{count}B");
    }
    let mut value = count as f64;
    let mut unit = "B";
    for next in UNITS {
        // From 1000 on the next unit is shorter.
        if value < 999.5 {
            break;
        }
        value /= 1_024.0;
        unit = next;
    }
    if value < 9.95 {
        format!("{value:.1}{unit}")
    } else {
        format!("{value:.0}{unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_in_one_line() {
        let disk = |mount: &str, used_kib| Disk {
            mount: mount.to_owned(),
            size_kib: 100,
            used_kib,
        };
        let sample = Sample {
            load: Some([0.42, 1.0, 1.0]),
            cpu_percent: Some(12.4),
            mem_total_kib: Some(100),
            mem_available_kib: Some(57),
            swap_total_kib: Some(100),
            swap_free_kib: Some(100),
            uptime_s: Some(12 * 86_400),
            net_bps: Some([2_048, 0]),
            disks: vec![disk("/boot", 10), disk("/", 81)],
            ..Sample::default()
        };
        assert_eq!(
            one_line(&sample),
            "load 0.42 · cpu 12% · mem 43% · / 81% · net 2.0K/s in 0B/s out · up 12d"
        );
        assert_eq!(one_line(&Sample::default()), "nothing measured");
    }

    #[test]
    fn bytes_are_short() {
        for (count, text) in [
            (0, "0B"),
            (999, "999B"),
            (1_000, "1.0K"),
            (10_240, "10K"),
            (1_023_400, "999K"),
            (1_047_552, "1.0M"),
            (u64::MAX, "16E"),
        ] {
            assert_eq!(bytes(count), text, "{count}");
            assert!(bytes(count).len() <= 5);
        }
    }
}
