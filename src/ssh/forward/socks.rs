//! The server's half of SOCKS 4, 4a and 5 (RFC 1928), CONNECT only and without passwords. Pure: bytes in, answers out.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The most bytes of a whole negotiation; more is nobody's honest request.
const MOST: usize = 1024;

/// Which dialect is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Four,
    Five,
}

/// Where somebody wants to be connected to. Names are left for the far end to resolve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) version: Version,
    pub(super) host: String,
    pub(super) port: u16,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Granted,
    /// Our rules or the host's forbid it.
    Forbidden,
    /// No connection to the place.
    Unreachable,
}

impl Wanted {
    /// The answer to the request.
    pub(super) fn answer(&self, verdict: Verdict) -> Vec<u8> {
        match self.version {
            Version::Four => {
                let code = if verdict == Verdict::Granted { 90 } else { 91 };
                vec![0, code, 0, 0, 0, 0, 0, 0]
            }
            Version::Five => five(match verdict {
                Verdict::Granted => 0,
                Verdict::Forbidden => 2,
                Verdict::Unreachable => 5,
            }),
        }
    }
}

fn five(code: u8) -> Vec<u8> {
    vec![5, code, 0, 1, 0, 0, 0, 0, 0, 0]
}

/// What to do with what came so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Read more.
    More,
    /// Say this, then read more.
    Say(Vec<u8>),
    /// The request is whole; what follows it is the client's own data.
    Ask(Wanted),
    /// Say this and hang up; why.
    Refuse(Vec<u8>, String),
}

/// A negotiation.
#[derive(Debug, Default)]
pub(super) struct Socks {
    bytes: Vec<u8>,
    greeted: bool,
}

/// What was parsed off the front, with its length; `None` when there is not enough yet.
type Parsed<T> = Option<(T, usize)>;

impl Socks {
    /// Takes in bytes.
    pub(super) fn hear(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// What came after the request.
    pub(super) fn rest(self) -> Vec<u8> {
        self.bytes
    }

    /// What to do next.
    pub(super) fn step(&mut self) -> Step {
        let step = match self.bytes.first() {
            None => Step::More,
            Some(4) => self.four(),
            Some(5) if self.greeted => self.request(),
            Some(5) => self.greeting(),
            Some(_) => Step::Refuse(
                Vec::new(),
                "whoever connected does not speak SOCKS".to_owned(),
            ),
        };
        if step == Step::More && self.bytes.len() > MOST {
            return Step::Refuse(Vec::new(), "a SOCKS request has no end".to_owned());
        }
        step
    }

    fn took(&mut self, len: usize) {
        self.bytes.drain(..len.min(self.bytes.len()));
    }

    /// Version, the number of methods, the methods.
    fn greeting(&mut self) -> Step {
        let Some(count) = self.bytes.get(1).map(|count| usize::from(*count)) else {
            return Step::More;
        };
        let Some(methods) = self.bytes.get(2..2 + count) else {
            return Step::More;
        };
        if !methods.contains(&0) {
            let text = "the SOCKS client insists on a password; none is needed here";
            return Step::Refuse(vec![5, 255], text.to_owned());
        }
        self.took(2 + count);
        self.greeted = true;
        Step::Say(vec![5, 0])
    }

    /// Version, command, 0, kind of address, address, port.
    fn request(&mut self) -> Step {
        let Some([_, command, _, kind]) = self.bytes.first_chunk::<4>().copied() else {
            return Step::More;
        };
        if command != 1 {
            let text = format!("SOCKS command {command} is not CONNECT");
            return Step::Refuse(five(7), text);
        }
        let after = self.bytes.get(4..).unwrap_or_default();
        let host: Parsed<String> = match kind {
            1 => after
                .first_chunk::<4>()
                .map(|bytes| (Ipv4Addr::from(*bytes).to_string(), 4)),
            4 => after
                .first_chunk::<16>()
                .map(|bytes| (Ipv6Addr::from(*bytes).to_string(), 16)),
            3 => name(after),
            _ => {
                let text = format!("SOCKS address kind {kind} is not known");
                return Step::Refuse(five(8), text);
            }
        };
        let Some((host, len)) = host else {
            return Step::More;
        };
        let Some(port) = after.get(len..).and_then(|bytes| bytes.first_chunk::<2>()) else {
            return Step::More;
        };
        let port = u16::from_be_bytes(*port);
        self.took(4 + len + 2);
        let version = Version::Five;
        checked(Wanted {
            version,
            host,
            port,
        })
    }

    /// Version, command, port, address, a user name up to a zero; with 4a a host name up to a zero.
    fn four(&mut self) -> Step {
        let Some([_, command, high, low, a, b, c, d]) = self.bytes.first_chunk::<8>().copied()
        else {
            return Step::More;
        };
        let after = self.bytes.get(8..).unwrap_or_default();
        let Some((_, user)) = until_zero(after) else {
            return Step::More;
        };
        let mut len = 8 + user;
        let mut host = Ipv4Addr::new(a, b, c, d).to_string();
        if (a, b, c) == (0, 0, 0) && d != 0 {
            let Some((name, more)) = until_zero(after.get(user..).unwrap_or_default()) else {
                return Step::More;
            };
            (host, len) = (name, len + more);
        }
        let port = u16::from_be_bytes([high, low]);
        self.took(len);
        let wanted = Wanted {
            version: Version::Four,
            host,
            port,
        };
        if command != 1 {
            let text = format!("SOCKS command {command} is not CONNECT");
            return Step::Refuse(wanted.answer(Verdict::Forbidden), text);
        }
        checked(wanted)
    }
}

/// A name must be one that a host can be asked for.
fn checked(wanted: Wanted) -> Step {
    let plain = |c: char| c.is_ascii_graphic();
    if wanted.host.is_empty() || !wanted.host.chars().all(plain) || wanted.port == 0 {
        let text = "a SOCKS request names no place".to_owned();
        return Step::Refuse(wanted.answer(Verdict::Forbidden), text);
    }
    Step::Ask(wanted)
}

/// A length and a name.
fn name(bytes: &[u8]) -> Parsed<String> {
    let (len, rest) = bytes.split_first()?;
    let len = usize::from(*len);
    let name = rest.get(..len)?;
    Some((String::from_utf8_lossy(name).into_owned(), 1 + len))
}

fn until_zero(bytes: &[u8]) -> Parsed<String> {
    let len = bytes.iter().position(|byte| *byte == 0)?;
    let text = bytes.get(..len)?;
    Some((String::from_utf8_lossy(text).into_owned(), len + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds bytes one by one, and says what came of it.
    fn talk(bytes: &[u8]) -> String {
        let mut socks = Socks::default();
        let mut said = Vec::new();
        for (at, byte) in bytes.iter().enumerate() {
            socks.hear(&[*byte]);
            match socks.step() {
                Step::More => {}
                Step::Say(bytes) => said.push(format!("say {bytes:?}")),
                Step::Ask(wanted) => {
                    let Wanted { host, port, .. } = wanted;
                    said.push(format!("ask {host} {port} +{}", bytes.len() - at - 1));
                    return said.join("; ");
                }
                Step::Refuse(bytes, why) => {
                    said.push(format!("refuse {bytes:?} {why}"));
                    return said.join("; ");
                }
            }
        }
        said.push("more".to_owned());
        said.join("; ")
    }

    #[test]
    fn requests_of_every_dialect() {
        let hello: &[u8] = &[5, 2, 0, 2];
        for (first, second, expected) in [
            (
                hello,
                &b"\x05\x01\x00\x01\x7f\0\0\x01\0\x50GET"[..],
                "say [5, 0]; ask 127.0.0.1 80 +3",
            ),
            (
                hello,
                b"\x05\x01\x00\x03\x03web\x01\xbb",
                "say [5, 0]; ask web 443 +0",
            ),
            (
                hello,
                b"\x05\x01\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\x50",
                "say [5, 0]; ask ::1 80 +0",
            ),
            (
                hello,
                b"\x05\x02\x00\x01\x7f\0\0\x01\0\x50",
                "is not CONNECT",
            ),
            (hello, b"\x05\x01\x00\x09", "kind 9"),
            (hello, b"\x05\x01\x00\x03\0\0\x50", "names no place"),
            (hello, b"\x05\x01\x00\x03\x03w\nb\0\x50", "names no place"),
            (&[5, 1, 2], b"", "refuse [5, 255]"),
            (
                b"\x04\x01\0\x50\x7f\0\0\x01me\0",
                b"x",
                "ask 127.0.0.1 80 +1",
            ),
            (b"\x04\x01\0\x50\0\0\0\x01me\0web\0", b"", "ask web 80 +0"),
            (b"\x04\x02\0\x50\x7f\0\0\x01\0", b"", "refuse [0, 91"),
            (b"GET / HTTP/1.0", b"", "does not speak SOCKS"),
            (b"\x04\x01\0", b"", "more"),
        ] {
            let said = talk(&[first, second].concat());
            assert!(said.contains(expected), "{said} has no {expected}");
        }
        let mut endless = vec![4, 1, 0, 80, 127, 0, 0, 1];
        endless.resize(MOST + 10, b'x');
        assert!(talk(&endless).contains("no end"));
    }
}
