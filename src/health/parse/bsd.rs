//! Systems without `/proc`: sysctl(8), vm_stat(1) and netstat(1) of the BSDs and of macOS.
//!
//! Written from their manuals and tested on recorded text only, never on such a machine.

use std::collections::BTreeMap;

use super::{Reading, linux};

/// What the lines said, until the answer ends.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// `sysctl` by name.
    values: BTreeMap<String, String>,
    /// `vm_stat` by label, in pages.
    pages: BTreeMap<String, u64>,
    page_size: Option<u64>,
    /// The columns of `netstat -ibn` that count bytes, by the heading.
    columns: Option<(usize, usize, usize)>,
    net: BTreeMap<String, [u64; 2]>,
}

impl Gathered {
    /// Takes one line; `None` when it makes no sense.
    pub(super) fn line(&mut self, letter: &str, rest: &str) -> Option<()> {
        match letter {
            "K" => {
                let end = rest.find([':', '='])?;
                let (name, value) = rest.split_at_checked(end)?;
                let value = value.get(1..)?.trim();
                self.values.insert(name.trim().to_owned(), value.to_owned());
            }
            "V" => self.pages(rest)?,
            _ => self.interface(rest)?,
        }
        Some(())
    }

    fn pages(&mut self, rest: &str) -> Option<()> {
        let (label, value) = rest.split_once(':')?;
        if label.contains("Virtual Memory Statistics") {
            self.page_size = numbers(value).next();
            return Some(());
        }
        let value = value.trim().trim_end_matches('.').parse().ok()?;
        self.pages.insert(label.trim_matches('"').to_owned(), value);
        Some(())
    }

    fn interface(&mut self, rest: &str) -> Option<()> {
        let fields: Vec<&str> = rest.split_whitespace().collect();
        if fields.first() == Some(&"Name") {
            let column = |name| fields.iter().position(|field| *field == name);
            self.columns = Some((column("Ibytes")?, column("Obytes")?, fields.len()));
            return Some(());
        }
        let (received, sent, width) = self.columns?;
        // Only the link's own line counts; a line for each address repeats the numbers. It may lack the address.
        if !fields.get(2)?.starts_with("<Link") {
            return Some(());
        }
        let missing = width.checked_sub(fields.len())?;
        let value = |column: usize| -> Option<u64> {
            fields.get(column.checked_sub(missing)?)?.parse().ok()
        };
        let counters = [value(received)?, value(sent)?];
        let name = fields.first()?.trim_end_matches('*').to_owned();
        self.net.insert(name, counters);
        Some(())
    }

    /// Puts everything into the reading.
    pub(super) fn finish(self, reading: &mut Reading) {
        if self.values.is_empty() {
            return;
        }
        let number = |name: &str| {
            self.values
                .get(name)
                .and_then(|value| numbers(value).next())
        };
        if let Some(value) = self.values.get("vm.loadavg") {
            let mut loads = value
                .split([' ', '{', '}'])
                .filter(|word| !word.is_empty())
                // macOS writes decimal commas in some languages.
                .map(|word| linux::load(&word.replace(',', ".")));
            if let (Some(Some(one)), Some(Some(five)), Some(Some(fifteen))) =
                (loads.next(), loads.next(), loads.next())
            {
                reading.sample.load = Some([one, five, fifteen]);
            }
        }
        if let Some(value) = self.values.get("kern.cp_time") {
            // User, nice, system, (spinning,) interrupts, and idle as the last.
            let ticks: Vec<u64> = numbers(value).collect();
            if ticks.len() >= 5 {
                let all = ticks
                    .iter()
                    .fold(0u64, |sum, ticks| sum.saturating_add(*ticks));
                let idle = ticks.last().copied().unwrap_or(0);
                reading.counters.cpu = Some([all.saturating_sub(idle), all]);
            }
        }
        if let Some(cpus) = number("hw.ncpu").and_then(|cpus| u32::try_from(cpus).ok()) {
            let known = reading.counters.cpus.replace(cpus.max(1)).is_some();
            if !known {
                reading.facts.insert("cpus".to_owned(), cpus.to_string());
            }
        }
        reading.sample.mem_total_kib = number("hw.memsize")
            .or_else(|| number("hw.physmem"))
            .map(|bytes| bytes / 1024);
        reading.sample.mem_available_kib = self.available_kib();
        if let (Some(boot), Some(now)) = (number("kern.boottime"), number("now")) {
            reading.sample.uptime_s = now.checked_sub(boot);
        }
        if let Some(value) = self.values.get("vm.swapusage") {
            let size = |label: &str| mebibytes(value.split(label).nth(1)?);
            reading.sample.swap_total_kib = size("total = ");
            reading.sample.swap_free_kib = size("free = ");
        }
        reading.counters.net = self.net;
    }

    /// Memory that programs could still have: what is free, and what is only kept in case it is wanted again.
    fn available_kib(&self) -> Option<u64> {
        let (size, pages) = if let Some(size) = self.page_size {
            let pages = [
                "Pages free",
                "Pages inactive",
                "Pages speculative",
                "Pages purgeable",
            ];
            (
                size,
                pages
                    .iter()
                    .filter_map(|name| self.pages.get(*name))
                    .fold(0u64, |sum, pages| sum.saturating_add(*pages)),
            )
        } else {
            let value = |name: &str| {
                let name = format!("vm.stats.vm.{name}");
                self.values
                    .get(&name)
                    .and_then(|value| numbers(value).next())
            };
            let free = value("v_free_count")?;
            let kept = ["v_inactive_count", "v_cache_count"]
                .into_iter()
                .filter_map(value);
            (value("v_page_size")?, kept.fold(free, u64::saturating_add))
        };
        Some(pages.saturating_mul(size) / 1024)
    }
}

/// The whole numbers in a text, whatever stands between them.
fn numbers(text: &str) -> impl Iterator<Item = u64> + '_ {
    text.split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
}

/// `1024.00M` in KiB.
fn mebibytes(text: &str) -> Option<u64> {
    let text = text.split('M').next()?.trim().replace(',', ".");
    let size: f64 = text.parse().ok()?;
    (0.0..1e12)
        .contains(&size)
        .then_some((size * 1024.0) as u64)
}
