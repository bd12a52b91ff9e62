//! Samples: what a probe measured on a host at one moment.

use serde::{Deserialize, Serialize};

use super::time::Time;

/// A file system's fill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Disk {
    /// Where it is mounted.
    pub mount: String,
    /// Size in KiB.
    pub size_kib: u64,
    /// Used in KiB.
    pub used_kib: u64,
}

impl Disk {
    /// Used share in percent, as `df` shows it.
    pub fn used_percent(&self) -> f32 {
        if self.size_kib == 0 {
            0.0
        } else {
            self.used_kib as f32 * 100.0 / self.size_kib as f32
        }
    }
}

/// One measurement. What a host cannot tell is `None`, never zero.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// When it was taken, by our clock.
    pub at: Time,
    /// Load averages over 1, 5 and 15 minutes.
    pub load: Option<[f32; 3]>,
    /// Number of processors.
    pub cpus: Option<u32>,
    /// Busy share of all processors in percent since the sample before.
    pub cpu_percent: Option<f32>,
    /// Memory in KiB.
    pub mem_total_kib: Option<u64>,
    /// Memory that programs could still have, in KiB.
    pub mem_available_kib: Option<u64>,
    /// Swap in KiB.
    pub swap_total_kib: Option<u64>,
    /// Free swap in KiB.
    pub swap_free_kib: Option<u64>,
    /// Seconds since boot.
    pub uptime_s: Option<u64>,
    /// Bytes received and sent a second over all interfaces but loopback, since the sample before.
    pub net_bps: Option<[u64; 2]>,
    /// File systems.
    pub disks: Vec<Disk>,
    /// Round trip of the probe, in milliseconds.
    pub rtt_ms: Option<u32>,
}
