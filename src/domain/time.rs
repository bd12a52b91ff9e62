//! Points and spans of time: RFC 3339 in files, relative on screen. Nothing here reads a clock.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

impl Time {
    /// Reads RFC 3339, such as `2026-11-23T10:00:00Z`.
    pub fn parse(text: &str) -> Option<Self> {
        let stamp: jiff::Timestamp = text.parse().ok()?;
        Some(Self(stamp.as_millisecond()))
    }

    /// Reads a day such as `2026-11-23`, as its beginning in the local zone.
    pub fn day(text: &str) -> Option<Self> {
        let day: jiff::civil::Date = text.parse().ok()?;
        let begin = day.to_zoned(jiff::tz::TimeZone::system()).ok()?;
        Some(Self(begin.timestamp().as_millisecond()))
    }

    /// Milliseconds from `earlier` to `self`; zero when the clock stepped back.
    pub fn since(self, earlier: Time) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }

    /// This time and `millis` more.
    pub fn plus(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// `2026-11-23 10:00:05` in the local zone, for places where a relative time says too little.
    pub fn local(self) -> String {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(stamp) => stamp
                .to_zoned(jiff::tz::TimeZone::system())
                .strftime("%Y-%m-%d %H:%M:%S")
                .to_string(),
            Err(_) => self.0.to_string(),
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(stamp) => write!(f, "{stamp:.3}"),
            Err(_) => write!(f, "{}", self.0),
        }
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // Beyond the years that the calendar knows, a time is written as its number.
        Self::parse(&text)
            .or_else(|| text.parse().ok().map(Self))
            .ok_or_else(|| serde::de::Error::custom("a time is written as in RFC 3339"))
    }
}

/// A span in words as short as a table cell: `850ms`, `4s`, `12m`, `3h`, `9d`, `2y`.
pub fn short(millis: u64) -> String {
    let seconds = millis / 1000;
    match seconds {
        0 => format!("{millis}ms"),
        1..=99 => format!("{seconds}s"),
        100..=5_999 => format!("{}m", seconds / 60),
        6_000..=172_799 => format!("{}h", seconds / 3600),
        172_800..=63_071_999 => format!("{}d", seconds / 86_400),
        _ => format!("{}y", seconds / 31_536_000),
    }
}

/// Reads a span as systemd writes it (systemd.time(7)): `90`, `30s`, `1h30min`, `2d`, `1w`. A bare number is seconds.
/// The answer is in milliseconds; a month is not a span because its length varies.
pub fn parse_span(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut total = 0u64;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let number: u64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let letters = rest
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "ms" => 1,
            "" | "s" | "sec" | "second" | "seconds" => 1_000,
            "m" | "min" | "minute" | "minutes" => 60_000,
            "h" | "hr" | "hour" | "hours" => 3_600_000,
            "d" | "day" | "days" => 86_400_000,
            "w" | "week" | "weeks" => 604_800_000,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(unit)?)?;
        rest = rest[letters..].trim_start();
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_written() {
        for (text, millis) in [
            ("90", 90_000),
            ("30s", 30_000),
            ("1h30min", 5_400_000),
            ("2d", 172_800_000),
            ("250ms", 250),
        ] {
            assert_eq!(parse_span(text), Some(millis), "{text}");
        }
        for text in ["", "soon", "1x", "h", "99999999999999999999s"] {
            assert_eq!(parse_span(text), None, "{text}");
        }
        for (millis, text) in [
            (0, "0ms"),
            (850, "850ms"),
            (4_000, "4s"),
            (720_000, "12m"),
            (10_800_000, "3h"),
            (777_600_000, "9d"),
        ] {
            assert_eq!(short(millis), text);
        }
    }

    #[test]
    fn rfc_3339_round_trip() {
        let time = Time(1_795_428_000_123);
        assert_eq!(Time::parse(&time.to_string()), Some(time));
        assert_eq!(Time::parse("yesterday"), None);
        assert_eq!(Time(5).since(Time(9)), 0);
    }
}
