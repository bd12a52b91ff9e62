//! Reads what the probe answered. Tolerant: what makes no sense is counted and passed over, and nothing can make it panic.

mod bsd;
mod df;
mod linux;
mod rates;

use std::collections::BTreeMap;

use crate::domain::sample::{Disk, Sample};
use crate::domain::time::Time;

pub(super) use df::keep as keep_disk;
pub(super) use rates::is_loopback;

/// What is remembered of an answer, to turn the counters of the next one into rates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counters {
    /// When they were read.
    pub at: Time,
    /// Processor time: busy and all, in ticks.
    cpu: Option<[u64; 2]>,
    /// Bytes received and sent, by interface.
    net: BTreeMap<String, [u64; 2]>,
    /// Processors, which only the first answer names.
    cpus: Option<u32>,
    /// To notice a reboot.
    uptime_s: Option<u64>,
}

/// What an answer said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// The measurement. It has neither disks nor a round trip: see [`disks`].
    pub sample: Sample,
    /// To be handed in with the next answer of the same host.
    pub counters: Counters,
    /// What the host is: `os`, `kernel`, `hostname`, `cpus`; only in the first answer of a channel.
    pub facts: BTreeMap<String, String>,
    /// How many lines made no sense.
    pub skipped: u32,
}

/// Reads one answer of [`super::probe::command`]; `before` is what the answer before left behind.
pub fn answer(text: &str, before: Option<&Counters>, at: Time) -> Reading {
    let mut reading = Reading::default();
    reading.sample.at = at;
    reading.counters.at = at;
    reading.counters.cpus = before.and_then(|before| before.cpus);
    let mut bsd = bsd::Gathered::default();
    for line in text.lines() {
        let line = line.trim_end();
        if line.is_empty() || line == super::probe::END {
            continue;
        }
        let understood = match line.split_once(' ') {
            Some(("S" | "H" | "O" | "P", _)) => fact(line, &mut reading),
            Some((letter @ ("K" | "V" | "I"), rest)) => bsd.line(letter, rest),
            Some((letter, rest)) => linux::line(letter, rest, &mut reading),
            None => None,
        };
        if understood.is_none() {
            reading.skipped = reading.skipped.saturating_add(1);
        }
    }
    linux::finish(text, &mut reading);
    bsd.finish(&mut reading);
    reading.sample.cpus = reading.counters.cpus;
    reading.counters.uptime_s = reading.sample.uptime_s;
    if let Some(before) = before {
        rates::apply(before, &mut reading);
    }
    reading
}

/// A line that says what the host is.
fn fact(line: &str, reading: &mut Reading) -> Option<()> {
    let (letter, rest) = line.split_once(' ')?;
    let rest = rest.trim();
    if rest.is_empty() {
        return None;
    }
    let mut put = |name: &str, value: &str| {
        // What a host says of itself is shown to people; a screenful is no name.
        let value: String = value
            .chars()
            .filter(|c| !c.is_control())
            .take(200)
            .collect();
        reading.facts.insert(name.to_owned(), value);
    };
    match letter {
        "S" => {
            let (system, release) = rest.split_once(' ').unwrap_or((rest, ""));
            put("kernel", if release.is_empty() { system } else { release });
            if !reading.facts.contains_key("os") {
                let os = system.to_owned();
                reading.facts.insert("os".to_owned(), os);
            }
        }
        "H" => put("hostname", rest),
        "O" => put("os", rest.trim_matches(['"', '\''])),
        _ => {
            let cpus = rest
                .parse()
                .ok()
                .filter(|cpus| (1..=65_536).contains(cpus))?;
            reading.counters.cpus = Some(cpus);
            put("cpus", &cpus.to_string());
        }
    }
    Some(())
}

/// Reads the answer of [`super::probe::disks_command`], and how many lines made no sense. Sorted by mount point.
pub fn disks(text: &str) -> (Vec<Disk>, u32) {
    df::read(text)
}

#[cfg(test)]
mod tests;
