//! How long recordings are kept: which of them must go when there are too many bytes of them or when they are too old.

/// What may be kept. Zero is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeping {
    /// All recordings together, in bytes.
    pub quota: u64,
    /// Days.
    pub days: u64,
}

/// A recording on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its file name.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// How long ago it was written last, in milliseconds.
    pub age: u64,
    /// Its session lives, in this process or in another.
    pub live: bool,
}

/// Why a recording goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is too old.
    Age,
    /// There are too many bytes.
    Quota,
}

const DAY: u64 = 86_400_000;

/// The recordings that must go, the oldest first. One of a session that lives never goes, and counts all the same.
pub fn surplus(recordings: &[Kept], keeping: Keeping) -> Vec<(&Kept, Reason)> {
    let mut total: u64 = recordings.iter().map(|recording| recording.bytes).sum();
    let mut closed: Vec<&Kept> = recordings.iter().filter(|kept| !kept.live).collect();
    closed.sort_by(|one, other| other.age.cmp(&one.age).then(one.name.cmp(&other.name)));
    let limit = keeping.days.saturating_mul(DAY);
    let mut gone = Vec::new();
    for recording in closed {
        let reason = if keeping.days > 0 && recording.age > limit {
            Reason::Age
        } else if keeping.quota > 0 && total > keeping.quota {
            Reason::Quota
        } else {
            continue;
        };
        total -= recording.bytes;
        gone.push((recording, reason));
    }
    gone
}

/// Reads a size as people write it: `2 GiB`, `500MB`, `1024`; units of 1024 end with `iB`, those of 1000 with `B`.
pub fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: f64 = number.parse().ok()?;
    let factor: f64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        "k" | "kib" => 1_024.0,
        "m" | "mib" => 1_048_576.0,
        "g" | "gib" => 1_073_741_824.0,
        "t" | "tib" => 1_099_511_627_776.0,
        _ => return None,
    };
    let bytes = number * factor;
    // What is larger than any disk is a slip.
    (0.0..1e18).contains(&bytes).then_some(bytes as u64)
}

/// A size in words: `12.3 MiB`.
pub fn size_words(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1_024 {
        return format!("{bytes} B");
    }
    let mut size = bytes as f64 / 1_024.0;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    while size >= 1_024.0
        && let Some(next) = units.next()
    {
        size /= 1_024.0;
        unit = Some(next);
    }
    format!("{size:.1} {}", unit.unwrap_or(&"KiB"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(name: &str, bytes: u64, days: u64, live: bool) -> Kept {
        Kept {
            name: name.to_owned(),
            bytes,
            age: days * DAY + 1,
            live,
        }
    }

    fn names(recordings: &[Kept], quota: u64, days: u64) -> Vec<(String, Reason)> {
        surplus(recordings, Keeping { quota, days })
            .into_iter()
            .map(|(kept, reason)| (kept.name.clone(), reason))
            .collect()
    }

    #[test]
    fn the_oldest_go_first_and_the_living_never() {
        let all = [
            kept("new", 100, 0, false),
            kept("old", 100, 50, false),
            kept("older", 100, 91, false),
            kept("living", 1_000, 200, true),
        ];
        let gone = |name: &str, reason| (name.to_owned(), reason);
        assert_eq!(names(&all, 0, 0), [], "no limit");
        assert_eq!(names(&all, 0, 90), [gone("older", Reason::Age)]);
        assert_eq!(names(&all, 1_250, 0), [gone("older", Reason::Quota)]);
        assert_eq!(
            names(&all, 1_150, 90),
            [gone("older", Reason::Age), gone("old", Reason::Quota)]
        );
        assert_eq!(names(&all, 1, 0).len(), 3, "what lives stays");
    }

    #[test]
    fn sizes_are_read_and_written() {
        for (text, bytes) in [
            ("2 GiB", 2 << 30),
            ("500MB", 500_000_000),
            ("1.5k", 1_536),
            ("0", 0),
        ] {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        for text in ["", "much", "-1", "2 elephants", "9999999 TiB"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
        assert_eq!(size_words(1_000), "1000 B");
        assert_eq!(size_words(1_536), "1.5 KiB");
        assert_eq!(size_words(2 << 30), "2.0 GiB");
    }
}
