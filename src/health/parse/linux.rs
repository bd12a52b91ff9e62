//! Lines from Linux's `/proc` (proc(5)): load, uptime, memory, processor time, network.

use super::Reading;

/// Takes one line; `None` when it makes no sense.
pub(super) fn line(letter: &str, rest: &str, reading: &mut Reading) -> Option<()> {
    let sample = &mut reading.sample;
    match letter {
        "L" => {
            let mut loads = rest.split_whitespace().map(load);
            sample.load = Some([loads.next()??, loads.next()??, loads.next()??]);
        }
        "U" => {
            let seconds: f64 = rest.split_whitespace().next()?.parse().ok()?;
            // A thousand years; also false for what is no number.
            if !(0.0..3.2e10).contains(&seconds) {
                return None;
            }
            sample.uptime_s = Some(seconds as u64);
        }
        "M" => {
            let (name, value) = rest.split_once(' ')?;
            let value = value.split_whitespace().next()?.parse().ok()?;
            match name {
                "MemTotal:" => sample.mem_total_kib = Some(value),
                "MemAvailable:" => sample.mem_available_kib = Some(value),
                "SwapTotal:" => sample.swap_total_kib = Some(value),
                "SwapFree:" => sample.swap_free_kib = Some(value),
                "MemFree:" | "Buffers:" | "Cached:" => {}
                _ => return None,
            }
        }
        "C" => {
            let ticks: Vec<u64> = rest
                .split_whitespace()
                // The ninth and tenth are guests, which the first two hold already.
                .take(8)
                .map(|field| field.parse().ok())
                .collect::<Option<_>>()?;
            if ticks.len() < 4 {
                return None;
            }
            let idle: u64 = ticks
                .iter()
                .skip(3)
                .take(2)
                .fold(0, |sum, ticks| sum.saturating_add(*ticks));
            let all = ticks
                .iter()
                .fold(0u64, |sum, ticks| sum.saturating_add(*ticks));
            reading.counters.cpu = Some([all.saturating_sub(idle), all]);
        }
        "N" => {
            // Old kernels leave no space after the colon.
            let (name, fields) = rest.rsplit_once(':')?;
            let fields: Vec<&str> = fields.split_whitespace().collect();
            let received = fields.first()?.parse().ok()?;
            let sent = fields.get(8)?.parse().ok()?;
            reading
                .counters
                .net
                .insert(name.trim().to_owned(), [received, sent]);
        }
        _ => return None,
    }
    Some(())
}

/// Kernels before 3.14 do not say what is available; free, buffers and cache come near it.
pub(super) fn finish(text: &str, reading: &mut Reading) {
    if reading.sample.mem_available_kib.is_some() || reading.sample.mem_total_kib.is_none() {
        return;
    }
    let value = |name: &str| -> Option<u64> {
        text.lines().find_map(|line| {
            let rest = line.strip_prefix("M ")?.strip_prefix(name)?;
            rest.trim().parse().ok()
        })
    };
    if let Some(free) = value("MemFree:") {
        let cached = [value("Buffers:"), value("Cached:")];
        let more = cached.into_iter().flatten().fold(0u64, u64::saturating_add);
        let available = free.saturating_add(more);
        reading.sample.mem_available_kib = reading
            .sample
            .mem_total_kib
            .map(|total| available.min(total));
    }
}

/// A load average: a number from 0 on.
pub(super) fn load(text: &str) -> Option<f32> {
    let load: f32 = text.parse().ok()?;
    (load.is_finite() && load >= 0.0).then_some(load)
}
