//! Destinations as `ssh` takes them: `[user@]host[:port]` and `ssh://…`; and `ProxyJump` lists of them.

use super::numbers;

/// A `ProxyJump` that won.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Jump {
    /// `none`: go directly, whatever comes later.
    None,
    /// The last item, which is the hop right before the target, and the items before it as they were written.
    By {
        last: Destination,
        before: Option<String>,
    },
}

/// Where to connect to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Destination {
    pub(crate) user: Option<String>,
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
}

/// Reads a list; every item is checked, wherever the list stands.
pub(super) fn list(text: &str) -> Result<Jump, String> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(Jump::None);
    }
    // OpenSSH cuts the list at a comment and at the first blank behind the first character.
    let uncommented = text.split('#').next().unwrap_or_default();
    let mut end = uncommented.len();
    for (at, c) in uncommented.char_indices().skip(1) {
        if c.is_ascii_whitespace() || c == '\u{b}' {
            end = at;
            break;
        }
    }
    let items = uncommented.get(..end).unwrap_or_default();
    let mut last = None;
    for item in items.rsplit(',') {
        let found = destination(item)?;
        last.get_or_insert(found);
    }
    let before = text
        .rsplit_once(',')
        .map(|(before, _)| before.to_owned())
        .filter(|before| !before.is_empty());
    last.map(|last| Jump::By { last, before })
        .ok_or_else(|| "no host is named".to_owned())
}

/// Reads `[user@]host[:port]` or `ssh://[user@]host[:port]`.
pub(crate) fn destination(text: &str) -> Result<Destination, String> {
    match text.strip_prefix("ssh://") {
        Some(rest) => uri(text, rest),
        None => plain(text),
    }
}

fn plain(text: &str) -> Result<Destination, String> {
    let (user, rest) = match text.rsplit_once('@') {
        Some(("", _)) => return Err(format!("{text:?} has an empty user before the @")),
        Some((user, rest)) => (Some(user.to_owned()), rest),
        None => (None, text),
    };
    let (host, port, _) = host_port(text, rest)?;
    Ok(Destination {
        user,
        host,
        port: port.map(|port| port_number(text, port)).transpose()?,
    })
}

fn uri(text: &str, rest: &str) -> Result<Destination, String> {
    let (user, rest) = match rest.split_once('@') {
        Some((login, rest)) => {
            let user = login.split(';').next().unwrap_or_default();
            if user.is_empty() {
                return Err(format!("{text:?} has an empty user before the @"));
            }
            (Some(decoded(text, user)?), rest)
        }
        None => (None, rest),
    };
    let (host, tail, colon) = host_port(text, rest)?;
    let host = valid_domain(&host)?;
    let (port, path) = match tail {
        Some(tail) if colon => {
            let (port, path) = tail.split_once('/').unwrap_or((tail, ""));
            (Some(port), path)
        }
        Some(tail) => (None, tail),
        None => (None, ""),
    };
    if !path.is_empty() {
        return Err(format!("{text:?} has a path, which leads nowhere in SSH"));
    }
    Ok(Destination {
        user,
        host,
        port: port.map(|port| port_number(text, port)).transpose()?,
    })
}

/// The host without its brackets; what follows the colon or slash behind it, if something does; and whether it was a colon.
fn host_port<'a>(text: &str, rest: &'a str) -> Result<(String, Option<&'a str>, bool), String> {
    let (host, tail, colon) = if let Some(inside) = rest.strip_prefix('[') {
        let (host, tail) = inside
            .split_once(']')
            .ok_or_else(|| format!("{text:?} has a bracket that is not closed"))?;
        match tail.chars().next() {
            None => (host, None, true),
            Some(':') => (host, tail.get(1..), true),
            Some('/') => (host, tail.get(1..), false),
            Some(_) => return Err(format!("{text:?} goes on behind the bracket")),
        }
    } else {
        match rest.find([':', '/']) {
            Some(at) => {
                let (host, tail) = rest.split_at(at);
                (host, tail.get(1..), tail.starts_with(':'))
            }
            None => (rest, None, true),
        }
    };
    if rest.is_empty() || (host.is_empty() && !rest.starts_with('[')) {
        return Err(format!("{text:?} names no host"));
    }
    Ok((host.to_owned(), tail.filter(|tail| !tail.is_empty()), colon))
}

fn port_number(text: &str, port: &str) -> Result<u16, String> {
    numbers::port(port)
        .filter(|port| *port != 0)
        .ok_or_else(|| format!("{text:?} has no port from 1 to 65535"))
}

/// Undoes percent encoding; a plus sign is a blank.
fn decoded(text: &str, encoded: &str) -> Result<String, String> {
    let bad = || format!("{text:?} has a percent sign without two hexadecimal digits");
    let mut bytes = Vec::new();
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digit = |byte: Option<u8>| {
                    byte.and_then(|byte| char::from(byte).to_digit(16))
                        .ok_or_else(bad)
                };
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                bytes.extend(u8::try_from(high * 16 + low));
            }
            byte => bytes.push(byte),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A domain name without the dot at its end, if it can be one.
pub(super) fn valid_domain(name: &str) -> Result<String, String> {
    let good = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !name.contains("..")
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if !good {
        return Err(format!("{name:?} is no domain name"));
    }
    Ok(name.strip_suffix('.').unwrap_or(name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        let found = destination(text).ok()?;
        Some(format!(
            "{} {} {}",
            found.user.as_deref().unwrap_or("-"),
            found.host,
            found.port.map_or("-".to_owned(), |port| port.to_string())
        ))
    }

    #[test]
    fn destinations() {
        for (text, expected) in [
            ("b", Some("- b -")),
            ("me@b:22", Some("me b 22")),
            ("a@c@b", Some("a@c b -")),
            ("[::1]:2222", Some("- ::1 2222")),
            ("b/22", Some("- b 22")),
            ("ssh://me%20x@b:22/", Some("me x b 22")),
            ("ssh://b", Some("- b -")),
            ("ssh://b/x", None),
            ("fe80::1", None),
            ("b:0", None),
            ("@b", None),
            ("", None),
            ("[::1", None),
            ("[::1]x", None),
        ] {
            assert_eq!(shown(text).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn lists() {
        let by = |before: Option<&str>, host: &str| {
            Ok(Jump::By {
                last: Destination {
                    host: host.to_owned(),
                    ..Destination::default()
                },
                before: before.map(str::to_owned),
            })
        };
        assert_eq!(list("NONE"), Ok(Jump::None));
        assert_eq!(list("a,b,c"), by(Some("a,b"), "c"));
        assert_eq!(list("a # b"), by(None, "a"));
        assert!(list("a, b").is_err());
        assert!(list("a,,b").is_err());
        assert!(list("a:0,b").is_err());
    }
}
