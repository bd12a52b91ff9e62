//! Counters to rates: the difference between two answers, with wraps and reboots in mind.

use super::{Counters, Reading};

/// Fills in what needs two answers: the busy share and the network rates.
pub(super) fn apply(before: &Counters, reading: &mut Reading) {
    let now = &reading.counters;
    let rebooted = matches!((before.uptime_s, now.uptime_s), (Some(then), Some(now)) if now < then);
    if rebooted {
        return;
    }
    if let (Some(then), Some(now)) = (before.cpu, now.cpu) {
        reading.sample.cpu_percent = busy(then, now);
    }
    let elapsed = now.at.since(before.at);
    if elapsed == 0 {
        return;
    }
    let mut bytes = [0u64; 2];
    let mut measured = false;
    for (name, counters) in now.net.iter().filter(|(name, _)| !is_loopback(name)) {
        // An interface that is new has no rate yet.
        let Some(then) = before.net.get(name) else {
            continue;
        };
        measured = true;
        for ((sum, then), now) in bytes.iter_mut().zip(then).zip(counters) {
            *sum = sum.saturating_add(grown(*then, *now));
        }
    }
    if measured {
        reading.sample.net_bps = Some(bytes.map(|bytes| {
            let rate = u128::from(bytes) * 1_000 / u128::from(elapsed);
            u64::try_from(rate).unwrap_or(u64::MAX)
        }));
    }
}

/// The busy share between two readings in percent; `None` when the counters stood still or went back.
fn busy(then: [u64; 2], now: [u64; 2]) -> Option<f32> {
    let all = now[1].checked_sub(then[1]).filter(|all| *all > 0)?;
    // The time spent waiting for disks may shrink a little (proc(5)), which makes the busy part grow by more than all.
    let busy = now[0].saturating_sub(then[0]).min(all);
    Some((busy as f64 * 100.0 / all as f64) as f32)
}

/// How much a counter grew. One of 32 bits that was past its middle has wrapped; any other that went back was reset.
fn grown(then: u64, now: u64) -> u64 {
    const WRAP: u64 = 1 << 32;
    match now.checked_sub(then) {
        Some(grown) => grown,
        None if (WRAP / 2..WRAP).contains(&then) => WRAP - then + now,
        None => 0,
    }
}

/// Whether a network interface is the loopback: `lo` on Linux, `lo0` elsewhere.
pub(in crate::health) fn is_loopback(name: &str) -> bool {
    name.strip_prefix("lo")
        .is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_wrap_and_reset() {
        for (then, now, bytes) in [
            (10, 30, 20),
            (u64::from(u32::MAX) - 9, 10, 20),
            (100, 10, 0),
            (1 << 40, 10, 0),
            (u64::MAX, 0, 0),
        ] {
            assert_eq!(grown(then, now), bytes, "{then} {now}");
        }
    }

    #[test]
    fn shares_stay_between_nothing_and_all() {
        for (then, now, share) in [
            ([0, 0], [50, 100], Some(50.0)),
            ([10, 100], [10, 100], None),
            ([10, 100], [5, 90], None),
            ([10, 100], [5, 110], Some(0.0)),
            ([10, 100], [30, 110], Some(100.0)),
        ] {
            assert_eq!(busy(then, now), share, "{then:?} {now:?}");
        }
    }

    #[test]
    fn loopbacks() {
        for (name, yes) in [
            ("lo", true),
            ("lo0", true),
            ("long0", false),
            ("eth0", false),
        ] {
            assert_eq!(is_loopback(name), yes, "{name}");
        }
    }
}
