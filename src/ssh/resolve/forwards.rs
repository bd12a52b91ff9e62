//! Forwards as ssh_config writes them, and as `ssh -G` prints them.

use super::expand::{Tokens, variables};
use super::numbers;

/// The longest path of a socket.
const SOCKET_PATH: usize = 108;

/// One end of a forward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    Socket(String),
    Port { host: Option<String>, port: u16 },
}

/// A forward; without a far end it is dynamic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Forward {
    pub(super) listen: End,
    pub(super) connect: Option<End>,
}

/// Which sort of forward a line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Local,
    Remote,
    Dynamic,
}

impl Forward {
    /// Reads the arguments of a line.
    pub(super) fn read(sort: Sort, listen: &str, connect: Option<&str>) -> Result<Self, String> {
        let text = match connect {
            Some(connect) => format!("{listen}:{connect}"),
            None => listen.to_owned(),
        };
        let bad = || {
            format!(
                "{text:?} is no forward; write for example LocalForward 8080 host:80, or DynamicForward 1080"
            )
        };
        let dynamic = connect.is_none();
        let text = variables(&text)?;
        let fields = fields(text.trim_start()).ok_or_else(bad)?;
        let at = |index: usize| fields.get(index);
        let port = |host: Option<&Field>, port: &Field| {
            Some(End::Port {
                host: host.map(|field| field.text.clone()),
                port: numbers::port(&port.text)?,
            })
        };
        let socket = |field: &Field| Some(End::Socket(field.text.clone()));
        let is_path = |index: usize| at(index).is_some_and(|field| field.is_path);
        let ends = match (at(0), at(1), at(2), at(3)) {
            (Some(a), None, ..) if is_path(0) => (socket(a), None),
            (Some(a), None, ..) => (port(None, a), None),
            (Some(a), Some(b), None, _) if is_path(0) && is_path(1) => (socket(a), Some(socket(b))),
            (Some(a), Some(b), None, _) if is_path(1) => (port(None, a), Some(socket(b))),
            (Some(a), Some(b), None, _) => (port(Some(a), b), None),
            (Some(a), Some(b), Some(c), None) if is_path(0) => (socket(a), Some(port(Some(b), c))),
            (Some(a), Some(b), Some(c), None) if is_path(2) => (port(Some(a), b), Some(socket(c))),
            (Some(a), Some(b), Some(c), None) => (port(None, a), Some(port(Some(b), c))),
            (Some(a), Some(b), Some(c), Some(d)) => (port(Some(a), b), Some(port(Some(c), d))),
            (None, ..) => return Err(bad()),
        };
        let forward = match ends {
            (Some(listen), None) => Self {
                listen,
                connect: None,
            },
            (Some(listen), Some(Some(connect))) => Self {
                listen,
                connect: Some(connect),
            },
            _ => return Err(bad()),
        };
        let good = forward.connect.is_none() == dynamic && forward.fits(sort);
        if good { Ok(forward) } else { Err(bad()) }
    }

    /// Whether its ports and paths can be meant.
    fn fits(&self, sort: Sort) -> bool {
        let short = |end: &End| match end {
            End::Socket(path) => path.len() < SOCKET_PATH,
            End::Port { host, .. } => host.as_ref().is_none_or(|host| host.len() < 1025),
        };
        let listens = match &self.listen {
            End::Port { port: 0, .. } => sort == Sort::Remote,
            End::Port { .. } | End::Socket(_) => true,
        };
        let connects = !matches!(self.connect, Some(End::Port { port: 0, .. }));
        listens && connects && short(&self.listen) && self.connect.as_ref().is_none_or(short)
    }

    /// Expands the tokens in paths of sockets.
    pub(super) fn expand(&mut self, tokens: &Tokens) -> Result<(), String> {
        for end in [Some(&mut self.listen), self.connect.as_mut()] {
            if let Some(End::Socket(path)) = end {
                *path = tokens.expand(path, false)?;
            }
        }
        Ok(())
    }

    /// In the words of `ssh -G`. A remote forward without a far end is printed with the word it has inside OpenSSH.
    pub(super) fn shown(&self, sort: Sort) -> String {
        let end = |end: &End| match end {
            End::Socket(path) => path.clone(),
            End::Port { host: None, port } => port.to_string(),
            End::Port {
                host: Some(host),
                port,
            } => format!("[{host}]:{port}"),
        };
        match (&self.connect, sort) {
            (Some(_), Sort::Dynamic) => end(&self.listen),
            (Some(connect), _) => format!("{} {}", end(&self.listen), end(connect)),
            (None, Sort::Remote) => format!("{} [socks]:0", end(&self.listen)),
            (None, Sort::Local | Sort::Dynamic) => end(&self.listen),
        }
    }
}

struct Field {
    text: String,
    is_path: bool,
}

/// The fields between colons, at most four; brackets and backslashes protect what they hold.
fn fields(text: &str) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if fields.len() == 4 {
            return None;
        }
        if let Some(inside) = rest.strip_prefix('[') {
            let (text, tail) = inside.split_once(']')?;
            rest = match tail.strip_prefix(':') {
                Some(tail) => tail,
                None if tail.is_empty() => tail,
                None => return None,
            };
            fields.push(Field {
                text: text.to_owned(),
                is_path: text.contains('/'),
            });
            continue;
        }
        let mut field = Field {
            text: String::new(),
            is_path: false,
        };
        let mut chars = rest.chars();
        rest = "";
        while let Some(c) = chars.next() {
            match c {
                '\\' => field.text.push(chars.next()?),
                ':' => {
                    rest = chars.as_str();
                    break;
                }
                c => {
                    field.is_path |= c == '/';
                    field.text.push(c);
                }
            }
        }
        fields.push(field);
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwards_are_printed_as_ssh_does() {
        for (sort, listen, connect, expected) in [
            (Sort::Local, "8080", Some("web:80"), Some("8080 [web]:80")),
            (
                Sort::Local,
                "[::1]:8080",
                Some("[fe80::1]:80"),
                Some("[::1]:8080 [fe80::1]:80"),
            ),
            (
                Sort::Local,
                "*:8080",
                Some("web:80"),
                Some("[*]:8080 [web]:80"),
            ),
            (Sort::Local, "/a", Some("/b"), Some("/a /b")),
            (Sort::Local, "8080", Some("/b"), Some("8080 /b")),
            (Sort::Dynamic, "1080", None, Some("1080")),
            (Sort::Remote, "0", Some("web:80"), Some("0 [web]:80")),
            (Sort::Local, "0", Some("web:80"), None),
            (Sort::Local, "8080", Some("web"), None),
            (Sort::Local, "8080", Some("web:0"), None),
            (Sort::Dynamic, "a:b:c", None, None),
        ] {
            let found = Forward::read(sort, listen, connect).map(|forward| forward.shown(sort));
            assert_eq!(found.ok().as_deref(), expected, "{listen} {connect:?}");
        }
    }
}
