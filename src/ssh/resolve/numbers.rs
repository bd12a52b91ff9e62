//! Numbers, ports, times and sizes as OpenSSH reads them from a configuration.

/// The largest number and time.
const MOST: i64 = i32::MAX as i64;

/// A number from 0, with blanks and a plus sign before it as C allows.
pub(super) fn number(text: &str) -> Result<i64, &'static str> {
    let digits = text.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\u{b}');
    let (negative, digits) = match digits.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, digits.strip_prefix('+').unwrap_or(digits)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("is no number");
    }
    match digits.parse::<i64>() {
        Ok(0) => Ok(0),
        _ if negative => Err("is too small"),
        Ok(number) if number <= MOST => Ok(number),
        _ => Err("is too large"),
    }
}

/// A port by number, 0 included, or by its name in the list of services.
pub(super) fn port(text: &str) -> Option<u16> {
    match number(text) {
        Ok(number) if number <= 65_535 => u16::try_from(number).ok(),
        _ => service(text),
    }
}

fn service(name: &str) -> Option<u16> {
    let services = std::fs::read_to_string("/etc/services").ok()?;
    services.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let first = words.next()?;
        let port = words.next()?.strip_suffix("/tcp")?;
        let known = first == name || words.any(|alias| alias == name);
        known.then(|| port.parse().ok())?
    })
}

/// Seconds: numbers, each perhaps followed by s, m, h, d or w.
pub(super) fn seconds(text: &str) -> Option<i64> {
    if text.is_empty() {
        return None;
    }
    let mut total: i64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let signed = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\u{b}');
        let digits = signed.strip_prefix('+').unwrap_or(signed);
        let end = digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(digits.len());
        let (number, tail) = digits.split_at(end);
        let number: i64 = number.parse().ok()?;
        let unit = tail.chars().next();
        let times = match unit.map(|c| c.to_ascii_lowercase()) {
            None | Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3_600,
            Some('d') => 86_400,
            Some('w') => 604_800,
            Some(_) => return None,
        };
        total = number.checked_mul(times)?.checked_add(total)?;
        if total > MOST {
            return None;
        }
        rest = tail.get(1..).unwrap_or_default();
    }
    Some(total)
}

/// Bytes: a number with perhaps K, M, G, T, P or E behind it.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        "p" => 50,
        "e" => 60,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let scale = 1_u64 << shift;
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let mut sum = whole.checked_mul(scale)?;
    if !fraction.is_empty() {
        let tenths = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let part = u128::from(fraction.parse::<u64>().ok()?) * u128::from(scale);
        sum = sum.checked_add(u64::try_from(part / u128::from(tenths)).ok()?)?;
    }
    (!number.is_empty()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times() {
        assert_eq!(number(" +7"), Ok(7));
        assert!(number("-1").is_err() && number("1x").is_err() && number("").is_err());
        assert!(number("2147483648").is_err());
        for (text, expected) in [
            ("90", Some(90)),
            ("1h30m", Some(5_400)),
            ("1W2d", Some(777_600)),
            ("10S", Some(10)),
            ("1y", None),
            ("", None),
            ("h", None),
            ("-5", None),
            ("99999999999", None),
        ] {
            assert_eq!(seconds(text), expected, "{text:?}");
        }
        assert_eq!(
            (bytes("1G"), bytes("1.5K"), bytes("x")),
            (Some(1 << 30), Some(1536), None)
        );
        assert_eq!(
            (port("22"), port("65536"), port("no-such-service")),
            (Some(22), None, None)
        );
    }
}
