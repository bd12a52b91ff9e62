//! Reads what the probe answered.

use std::collections::BTreeMap;

use crate::domain::sample::{Disk, Sample};
use crate::domain::time::Time;

/// What is remembered of the sample before, to turn counters into rates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counters {
    /// When they were read.
    pub at: Time,
}

/// What an answer said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// The measurement.
    pub sample: Sample,
    /// To be handed in with the next answer.
    pub counters: Counters,
    /// What the host is: `os`, `kernel`, `hostname`, `cpus`; only in the first answer of a channel.
    pub facts: BTreeMap<String, String>,
    /// How many lines made no sense.
    pub skipped: u32,
}

/// Reads one answer of [`super::probe::command`]; `before` is what the answer before left behind.
pub fn answer(text: &str, before: Option<&Counters>, at: Time) -> Reading {
    let _ = (text, before, at);
    Reading::default()
}

/// Reads the answer of [`super::probe::disks_command`], and how many lines made no sense.
pub fn disks(text: &str) -> (Vec<Disk>, u32) {
    let _ = text;
    (Vec::new(), 0)
}

/// Whether a network interface is the loopback.
pub(super) fn is_loopback(name: &str) -> bool {
    name == "lo"
        || name
            .strip_prefix("lo")
            .is_some_and(|number| number.parse::<u8>().is_ok())
}

/// Whether a file system is one that can fill up, and not a view of the kernel or a read-only image.
pub(super) fn keep_disk(device: &str, mount: &str, size_kib: u64) -> bool {
    let _ = (device, mount);
    size_kib > 0
}
