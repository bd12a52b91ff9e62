//! What a sample host would say in /proc (proc(5)): numbers that move as those of a working machine do. Pure.

use std::fmt::Write as _;

/// Clock ticks a second in /proc/stat.
const TICKS: f64 = 100.0;

/// The spans of the three load averages, in seconds.
const SPANS: [f64; 3] = [60.0, 300.0, 900.0];

/// What a host tends to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mood {
    /// Runnable processes on average.
    pub(super) load: f64,
    /// Memory that programs could still have, in KiB.
    pub(super) available_kib: u64,
    /// Free swap, in KiB.
    pub(super) swap_free_kib: u64,
}

/// What a host is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Body {
    /// Number of processors.
    pub(super) cpus: u32,
    /// Memory in KiB.
    pub(super) memory_kib: u64,
    /// Swap in KiB.
    pub(super) swap_kib: u64,
    /// Seconds since boot when the demo starts.
    pub(super) uptime_s: u32,
}

/// The counters of a host at one moment.
#[derive(Clone, Debug)]
pub(super) struct Vitals {
    body: Body,
    mood: Mood,
    loads: [f64; 3],
    uptime_s: f64,
    busy_ticks: f64,
    idle_ticks: f64,
    received: f64,
    sent: f64,
    steps: u32,
}

impl Vitals {
    /// A host that has been in `mood` for long.
    pub(super) fn new(body: Body, mood: Mood) -> Self {
        let uptime = f64::from(body.uptime_s);
        let busy = share(mood.load, body.cpus);
        let all = uptime * TICKS * f64::from(body.cpus);
        Self {
            body,
            mood,
            loads: [mood.load, mood.load * 0.97, mood.load * 0.91],
            uptime_s: uptime,
            busy_ticks: all * busy,
            idle_ticks: all * (1.0 - busy),
            received: uptime * 12_000.0,
            sent: uptime * 31_000.0,
            steps: 0,
        }
    }

    /// Lives on for `seconds` in `mood`.
    pub(super) fn step(&mut self, seconds: f64, mood: Mood) {
        self.steps = self.steps.wrapping_add(1);
        self.mood = mood;
        // A slow swell, so that charts have something to show and two runs show the same.
        let swell = 1.0 + 0.12 * (f64::from(self.steps) / 9.0).sin();
        let wanted = mood.load * swell;
        for (load, span) in self.loads.iter_mut().zip(SPANS) {
            *load += (wanted - *load) * (1.0 - (-seconds / span).exp());
        }
        let busy = share(wanted, self.body.cpus);
        let all = seconds * TICKS * f64::from(self.body.cpus);
        self.busy_ticks += all * busy;
        self.idle_ticks += all * (1.0 - busy);
        self.uptime_s += seconds;
        self.received += seconds * (8_000.0 + 90_000.0 * busy * swell);
        self.sent += seconds * (20_000.0 + 400_000.0 * busy * swell);
    }

    /// The files below /proc that change, by their paths.
    pub(super) fn files(&self) -> [(&'static str, String); 5] {
        [
            ("loadavg", self.loadavg()),
            ("meminfo", self.meminfo()),
            ("stat", self.stat()),
            (
                "uptime",
                format!("{:.2} {:.2}\n", self.uptime_s, self.idle_ticks / TICKS),
            ),
            ("net/dev", self.net_dev()),
        ]
    }

    fn loadavg(&self) -> String {
        let [one, five, fifteen] = self.loads;
        let running = one.round().max(1.0);
        format!(
            "{one:.2} {five:.2} {fifteen:.2} {running:.0}/214 {}\n",
            20_000 + self.steps
        )
    }

    fn meminfo(&self) -> String {
        let body = self.body;
        let available = self.mood.available_kib.min(body.memory_kib);
        let cached = available / 3;
        let rows = [
            ("MemTotal", body.memory_kib),
            ("MemFree", available - cached),
            ("MemAvailable", available),
            ("Buffers", cached / 8),
            ("Cached", cached),
            ("SwapTotal", body.swap_kib),
            ("SwapFree", self.mood.swap_free_kib.min(body.swap_kib)),
        ];
        let mut text = String::new();
        for (name, kib) in rows {
            // Writing to a String cannot fail.
            writeln!(text, "{:<15} {kib:>8} kB", format!("{name}:")).unwrap_or_default();
        }
        text
    }

    fn stat(&self) -> String {
        let line = |name: &str, busy: f64, idle: f64| {
            let (user, system, wait) = (busy * 0.7, busy * 0.25, busy * 0.05);
            format!("{name} {user:.0} 0 {system:.0} {idle:.0} {wait:.0} 0 0 0 0 0\n")
        };
        let mut text = line("cpu ", self.busy_ticks, self.idle_ticks);
        let cpus = f64::from(self.body.cpus);
        for cpu in 0..self.body.cpus {
            text.push_str(&line(
                &format!("cpu{cpu}"),
                self.busy_ticks / cpus,
                self.idle_ticks / cpus,
            ));
        }
        let running = self.loads[0].round().max(1.0);
        write!(
            text,
            "ctxt {:.0}\nprocesses {}\n",
            self.uptime_s * 900.0,
            20_000 + self.steps
        )
        .unwrap_or_default();
        write!(text, "procs_running {running:.0}\nprocs_blocked 0\n").unwrap_or_default();
        text
    }

    fn net_dev(&self) -> String {
        let row = |name: &str, received: f64, sent: f64| {
            let (packets_in, packets_out) = (received / 700.0, sent / 900.0);
            format!(
                "{name:>6}: {received:.0} {packets_in:.0} 0 0 0 0 0 0 {sent:.0} {packets_out:.0} 0 0 0 0 0 0\n"
            )
        };
        format!(
            "Inter-|   Receive                                                |  Transmit\n \
             face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n{}{}",
            row("lo", self.uptime_s * 400.0, self.uptime_s * 400.0),
            row("eth0", self.received, self.sent)
        )
    }
}

/// The busy share of all processors for a load: near one, but never one.
fn share(load: f64, cpus: u32) -> f64 {
    (load / f64::from(cpus.max(1))).clamp(0.0, 0.985)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: Body = Body {
        cpus: 4,
        memory_kib: 16_000_000,
        swap_kib: 2_000_000,
        uptime_s: 86_400,
    };
    const WELL: Mood = Mood {
        load: 0.4,
        available_kib: 9_000_000,
        swap_free_kib: 2_000_000,
    };
    const ILL: Mood = Mood {
        load: 14.0,
        available_kib: 300_000,
        swap_free_kib: 1_000,
    };

    fn file(vitals: &Vitals, name: &str) -> String {
        vitals
            .files()
            .into_iter()
            .find(|(path, _)| *path == name)
            .map(|(_, text)| text)
            .unwrap_or_default()
    }

    fn numbers(text: &str) -> Vec<f64> {
        text.split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect()
    }

    fn first_load(vitals: &Vitals) -> f64 {
        numbers(&file(vitals, "loadavg"))
            .first()
            .copied()
            .unwrap_or_default()
    }

    #[test]
    fn counters_only_grow() {
        let mut vitals = Vitals::new(BODY, WELL);
        for name in ["stat", "uptime", "net/dev"] {
            let before = numbers(&file(&vitals, name));
            vitals.step(1.0, WELL);
            let after = numbers(&file(&vitals, name));
            assert_eq!(before.len(), after.len());
            assert!(
                before
                    .iter()
                    .zip(&after)
                    .all(|(before, after)| before <= after),
                "{name}"
            );
            assert_ne!(before, after, "{name}");
        }
    }

    #[test]
    fn a_cure_shows_in_the_load_as_on_a_real_machine() {
        let mut vitals = Vitals::new(BODY, ILL);
        assert!(first_load(&vitals) > 13.0);
        for _ in 0..60 {
            vitals.step(1.0, WELL);
        }
        let after_a_minute = first_load(&vitals);
        assert!((4.0..7.0).contains(&after_a_minute), "{after_a_minute}");
        assert!(file(&vitals, "meminfo").contains("MemAvailable:    9000000 kB"));
        for _ in 0..600 {
            vitals.step(1.0, WELL);
        }
        assert!(first_load(&vitals) < 0.6);
    }

    #[test]
    fn the_share_of_busy_time_follows_the_load() {
        for (mood, least, most) in [(WELL, 0.05, 0.2), (ILL, 0.9, 0.99)] {
            let mut vitals = Vitals::new(BODY, mood);
            let line =
                |vitals: &Vitals| numbers(file(vitals, "stat").lines().next().unwrap_or_default());
            let before = line(&vitals);
            for _ in 0..10 {
                vitals.step(1.0, mood);
            }
            let grown: Vec<f64> = line(&vitals)
                .iter()
                .zip(&before)
                .map(|(after, before)| after - before)
                .collect();
            let all: f64 = grown.iter().sum();
            let idle = grown.get(3).copied().unwrap_or_default();
            let busy = 1.0 - idle / all;
            assert!((least..most).contains(&busy), "{busy}");
        }
    }
}
