//! Forwards: connections that are carried through a host. Plain data; ssh_config(5), LocalForward, RemoteForward, DynamicForward.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One end of a forward.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// A TCP address; the host may be empty where one is bound: then `localhost` is meant, or what `GatewayPorts` says.
    Tcp {
        /// Name or address; `*` binds to all.
        host: String,
        /// Port; 0 where one is bound lets the system choose.
        port: u16,
    },
    /// A Unix-domain socket.
    Unix {
        /// Its path.
        path: String,
    },
}

/// What is to be forwarded.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForwardRule {
    /// `-L`: connections to `listen` here go to `to` from the host.
    Local {
        /// Where is listened, on this machine.
        listen: Endpoint,
        /// Where it leads, as the host sees it.
        to: Endpoint,
    },
    /// `-R`: connections to `listen` on the host go to `to` from this machine.
    Remote {
        /// Where is listened, on the host.
        listen: Endpoint,
        /// Where it leads, as this machine sees it; `None` is SOCKS on this side.
        to: Option<Endpoint>,
    },
    /// `-D`: a SOCKS proxy here, whose connections are made by the host.
    Dynamic {
        /// Where is listened, on this machine.
        listen: Endpoint,
    },
}

/// How a forward is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForwardState {
    /// Its connection is being made.
    Starting,
    /// It listens.
    Listening,
    /// Its connection was lost; it listens again when that is back.
    Waiting {
        /// Why.
        why: String,
    },
    /// It could not listen, or was refused.
    Failed {
        /// What was attempted, why it failed, what to do next.
        why: String,
    },
    /// It was stopped.
    Stopped,
}

/// A forward as people see it. Field names are those of the JSON output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForwardRow {
    /// Unique in the process.
    pub id: u64,
    /// The host it goes through, as it was asked for.
    pub host: String,
    /// What is forwarded; a port 0 is replaced by the one that was chosen.
    pub rule: ForwardRule,
    /// How it is.
    pub state: ForwardState,
    /// Whether the host's ssh_config asked for it.
    pub configured: bool,
    /// Connections that are open now.
    pub open: u32,
    /// Connections since it began.
    pub total: u64,
    /// Bytes that came from the host.
    pub bytes_in: u64,
    /// Bytes that went to the host.
    pub bytes_out: u64,
    /// The last thing that went wrong with one of its connections.
    pub trouble: Option<String>,
    /// Whether the connection that it needs was up at least once; a failure without it is the connection's.
    #[serde(default)]
    pub reached: bool,
}

/// The longest path of a Unix-domain socket, in bytes; the kernel's limit without the final zero.
const PATH: usize = 107;

/// The three options of `ssh` that make a forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForwardKind {
    /// `-L`, `LocalForward`.
    Local,
    /// `-R`, `RemoteForward`.
    Remote,
    /// `-D`, `DynamicForward`.
    Dynamic,
}

/// A word that is no forward: what it is, what is wrong with it, what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{flag} {word}: {why}; write {right}")]
pub struct BadForward {
    flag: &'static str,
    word: String,
    why: String,
    right: &'static str,
}

impl ForwardKind {
    /// The option of `ssh`.
    pub fn flag(self) -> &'static str {
        match self {
            Self::Local => "-L",
            Self::Remote => "-R",
            Self::Dynamic => "-D",
        }
    }

    fn right(self) -> &'static str {
        match self {
            Self::Local => {
                "[BIND:]PORT:HOST:PORT, with a path instead of either half for a Unix socket"
            }
            Self::Remote => {
                "[BIND:]PORT:HOST:PORT, with a path instead of either half for a Unix socket, or [BIND:]PORT alone for SOCKS"
            }
            Self::Dynamic => "[BIND:]PORT",
        }
    }
}

impl Endpoint {
    /// A TCP address.
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self::Tcp {
            host: host.into(),
            port,
        }
    }

    /// A Unix-domain socket.
    pub fn unix(path: impl Into<String>) -> Self {
        Self::Unix { path: path.into() }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.is_empty() => write!(f, "{port}"),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix { path } => f.write_str(&path.replace('\\', "\\\\").replace(':', "\\:")),
        }
    }
}

/// As the command line of `ssh` spells it: `-L 8080:web:80`.
impl fmt::Display for ForwardRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flag = self.kind().flag();
        match self {
            Self::Local { listen, to }
            | Self::Remote {
                listen,
                to: Some(to),
            } => write!(f, "{flag} {listen}:{to}"),
            Self::Remote { listen, to: None } | Self::Dynamic { listen } => {
                write!(f, "{flag} {listen}")
            }
        }
    }
}

impl ForwardRule {
    /// Reads a word as `ssh` takes it after `-L`, `-R` or `-D`.
    ///
    /// Unlike `ssh` it takes port 0 for a local listener too: the system then chooses one. As in `ssh`, a field with a
    /// slash in it is the path of a Unix-domain socket, and `\\:` is a colon in a path.
    ///
    /// # Errors
    /// It is no forward of this kind.
    pub fn parse(kind: ForwardKind, word: &str) -> Result<Self, BadForward> {
        let bad = |why: String| BadForward {
            flag: kind.flag(),
            word: word.to_owned(),
            why,
            right: kind.right(),
        };
        let fields = fields(word).map_err(bad)?;
        let (listen, rest) = listen(kind, &fields).map_err(bad)?;
        let to = match rest {
            [] => None,
            [field] if field.path => Some(path(field).map_err(bad)?),
            [host, end] if !host.path && !end.path => {
                if host.text.is_empty() {
                    return Err(bad("the host it leads to is empty".to_owned()));
                }
                Some(Endpoint::tcp(&host.text, port(end, 1).map_err(bad)?))
            }
            _ => {
                return Err(bad(
                    "where it leads is neither HOST:PORT nor a path".to_owned()
                ));
            }
        };
        match (kind, to) {
            (ForwardKind::Dynamic, None) => Ok(Self::Dynamic { listen }),
            (ForwardKind::Dynamic, Some(_)) => {
                Err(bad("whoever connects says where it leads".to_owned()))
            }
            (ForwardKind::Local, Some(to)) => Ok(Self::Local { listen, to }),
            (ForwardKind::Local, None) => Err(bad("it does not say where it leads".to_owned())),
            (ForwardKind::Remote, to) => Ok(Self::Remote { listen, to }),
        }
    }

    /// Reads the value of `LocalForward`, `RemoteForward` or `DynamicForward` as `ssh -G` prints it, the two halves with a
    /// blank between them.
    ///
    /// # Errors
    /// It is no forward of this kind.
    pub fn from_config(kind: ForwardKind, value: &str) -> Result<Self, BadForward> {
        match value.trim().split_once(char::is_whitespace) {
            // This is how a remote SOCKS forward is printed.
            Some((listen, to)) if kind == ForwardKind::Remote && to.trim() == "[socks]:0" => {
                Self::parse(kind, listen)
            }
            Some((listen, to)) => Self::parse(kind, &format!("{listen}:{}", to.trim())),
            None => Self::parse(kind, value.trim()),
        }
    }

    /// By which option it is made.
    pub fn kind(&self) -> ForwardKind {
        match self {
            Self::Local { .. } => ForwardKind::Local,
            Self::Remote { .. } => ForwardKind::Remote,
            Self::Dynamic { .. } => ForwardKind::Dynamic,
        }
    }

    /// Where is listened.
    pub fn listen(&self) -> &Endpoint {
        match self {
            Self::Local { listen, .. } | Self::Remote { listen, .. } | Self::Dynamic { listen } => {
                listen
            }
        }
    }

    /// The same with another place to listen at.
    #[must_use]
    pub fn listening_at(mut self, place: Endpoint) -> Self {
        match &mut self {
            Self::Local { listen, .. } | Self::Remote { listen, .. } | Self::Dynamic { listen } => {
                *listen = place;
            }
        }
        self
    }
}

/// A part of a word between colons.
struct Field {
    text: String,
    /// It has a slash in it.
    path: bool,
}

/// Splits at colons that are not in brackets and not escaped.
fn fields(word: &str) -> Result<Vec<Field>, String> {
    let mut fields = Vec::new();
    let mut rest = word;
    loop {
        let mut text = String::new();
        let mut more = None;
        if let Some(inside) = rest.strip_prefix('[') {
            let (inner, after) = inside
                .split_once(']')
                .ok_or_else(|| "a bracket is not closed".to_owned())?;
            text.push_str(inner);
            more = match after.strip_prefix(':') {
                None if after.is_empty() => None,
                None => return Err("after a closing bracket comes a colon".to_owned()),
                some => some,
            };
            fields.push(Field { text, path: false });
        } else {
            let mut chars = rest.char_indices();
            while let Some((at, c)) = chars.next() {
                match c {
                    '\\' => text.extend(chars.next().map(|(_, escaped)| escaped)),
                    ':' => {
                        more = rest.get(at + 1..);
                        break;
                    }
                    c => text.push(c),
                }
            }
            let path = text.contains('/');
            fields.push(Field { text, path });
        }
        match more {
            None => return Ok(fields),
            Some(_) if fields.len() > 4 => {
                return Err(
                    "it has too many colons; an IPv6 address stands in brackets, as in [::1]"
                        .to_owned(),
                );
            }
            Some(more) => rest = more,
        }
    }
}

/// The place to listen at, and the fields after it.
fn listen(kind: ForwardKind, fields: &[Field]) -> Result<(Endpoint, &[Field]), String> {
    let bound = |host: &Field, end: &Field| -> Result<Endpoint, String> {
        Ok(Endpoint::tcp(everywhere(host), port(end, 0)?))
    };
    let free = |end: &Field| -> Result<Endpoint, String> { Ok(Endpoint::tcp("", port(end, 0)?)) };
    let (place, used) = match fields {
        [first, ..] if first.path => (path(first)?, 1),
        [only] => (free(only)?, 1),
        // Two fields are a bound address and a port where nothing need follow.
        [_, end] if !end.path && kind == ForwardKind::Local => {
            return Err("it does not say where it leads".to_owned());
        }
        [host, end] if !end.path => (bound(host, end)?, 2),
        [host, end, last] if last.path => (bound(host, end)?, 2),
        [end, _] | [end, _, _] => (free(end)?, 1),
        [host, end, _, _] => (bound(host, end)?, 2),
        _ => {
            let text = "it has too many parts; an IPv6 address stands in brackets, as in [::1]";
            return Err(text.to_owned());
        }
    };
    Ok((place, fields.get(used..).unwrap_or_default()))
}

/// An address that is there but empty is every address, ssh(1).
fn everywhere(host: &Field) -> &str {
    if host.text.is_empty() {
        "*"
    } else {
        &host.text
    }
}

fn path(field: &Field) -> Result<Endpoint, String> {
    if field.text.len() > PATH {
        return Err(format!(
            "the path of a socket has at most {PATH} bytes, and {} has more",
            field.text
        ));
    }
    Ok(Endpoint::unix(&field.text))
}

fn port(field: &Field, least: u16) -> Result<u16, String> {
    let port = field.text.parse().ok().filter(|port| *port >= least);
    port.ok_or_else(|| format!("{:?} is no port from {least} to 65535", field.text))
}

#[cfg(test)]
mod tests {
    use super::ForwardKind::{Dynamic, Local, Remote};
    use super::*;

    /// Reads a word and prints it again.
    fn again(kind: ForwardKind, word: &str) -> String {
        match ForwardRule::parse(kind, word) {
            Ok(rule) => rule.to_string(),
            Err(why) => why.to_string(),
        }
    }

    #[test]
    fn words_are_read_and_printed_as_ssh_spells_them() {
        for (kind, word, printed) in [
            (Local, "8080:web:80", "-L 8080:web:80"),
            (Local, "0:web:80", "-L 0:web:80"),
            (Local, "localhost:8080:web:80", "-L localhost:8080:web:80"),
            (Local, "*:8080:web:80", "-L *:8080:web:80"),
            (Local, ":8080:web:80", "-L *:8080:web:80"),
            (Local, "[]:8080:web:80", "-L *:8080:web:80"),
            (
                Local,
                "[::1]:8080:[fe80::1]:80",
                "-L [::1]:8080:[fe80::1]:80",
            ),
            (
                Local,
                "[127.0.0.1]:8080:[web]:80",
                "-L 127.0.0.1:8080:web:80",
            ),
            (Local, "8080:/run/x.sock", "-L 8080:/run/x.sock"),
            (Local, "[::1]:8080:/run/x.sock", "-L [::1]:8080:/run/x.sock"),
            (Local, "./here:web:80", "-L ./here:web:80"),
            (Local, "/tmp/a:/run/b", "-L /tmp/a:/run/b"),
            (Local, "/tmp/a\\:b:/run/c", "-L /tmp/a\\:b:/run/c"),
            (Remote, "0:localhost:22", "-R 0:localhost:22"),
            (Remote, "9000", "-R 9000"),
            (Remote, "*:9000", "-R *:9000"),
            (Remote, "/tmp/r", "-R /tmp/r"),
            (Remote, "/tmp/r:web:1", "-R /tmp/r:web:1"),
            (Dynamic, "1080", "-D 1080"),
            (Dynamic, "[::1]:1080", "-D [::1]:1080"),
            (Dynamic, "/tmp/socks", "-D /tmp/socks"),
        ] {
            assert_eq!(again(kind, word), printed, "{word}");
            let words = printed.get(3..).unwrap_or_default();
            assert_eq!(again(kind, words), printed, "printed and read again");
        }
    }

    #[test]
    fn bad_words_say_what_would_be_right() {
        for (kind, word, why) in [
            (Local, "", "\"\" is no port"),
            (Local, "8080", "does not say where it leads"),
            (Local, "host:8080", "does not say where it leads"),
            (Local, "8080:web:0", "\"0\" is no port from 1"),
            (Local, "8080:web:http", "\"http\" is no port from 1"),
            (Local, "70000:web:80", "\"70000\" is no port from 0"),
            (Local, "8080::80", "leads to is empty"),
            (Local, "::1:8080:web:80", "in brackets"),
            (Local, "[::1:8080:web:80", "a bracket is not closed"),
            (Local, "[::1]8080:web:80", "comes a colon"),
            (Local, "/tmp/a", "does not say where it leads"),
            (Local, "8080:/run/x:80", "neither HOST:PORT nor a path"),
            (Dynamic, "1080:web:80", "whoever connects says"),
            (Dynamic, "socks", "\"socks\" is no port"),
            (Remote, "a:b:c:d:e:f", "in brackets"),
        ] {
            let said = again(kind, word);
            assert!(said.contains(why), "{word}: {said}");
            assert!(said.contains("; write ["), "{word}: {said}");
        }
        let long = format!("/{}:web:80", "x".repeat(PATH));
        assert!(again(Local, &long).contains("at most 107 bytes"));
    }

    #[test]
    fn what_ssh_prints_of_its_configuration_is_read() {
        for (kind, value, printed) in [
            (Local, "8080 [web]:80", "-L 8080:web:80"),
            (Local, "[*]:8082 [web]:80", "-L *:8082:web:80"),
            (Local, "[]:98 [h]:3", "-L *:98:h:3"),
            (
                Local,
                "[::1]:8081 [fe80::1]:80",
                "-L [::1]:8081:[fe80::1]:80",
            ),
            (
                Local,
                "/tmp/x.sock /run/y.sock",
                "-L /tmp/x.sock:/run/y.sock",
            ),
            (Remote, "9000 [socks]:0", "-R 9000"),
            (Remote, "/tmp/r-me [web]:1", "-R /tmp/r-me:web:1"),
            (Dynamic, "[localhost]:1081", "-D localhost:1081"),
        ] {
            let rule = ForwardRule::from_config(kind, value);
            let said = rule.map_or_else(|why| why.to_string(), |rule| rule.to_string());
            assert_eq!(said, printed, "{value}");
        }
    }
}
