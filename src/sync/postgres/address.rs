//! Reads `postgres://user@host:port/database?bag=…`. It must never let a password through: not into the address, not into
//! an error.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::surroundings::Surroundings;
use crate::sync::remote::RemoteError;

/// The port when none is named.
const PORT: u16 = 5432;
/// The bag when none is named.
const BAG: &str = "main";
/// The longest name of a bag.
const BAG_MAX: usize = 64;
/// Where Debian and most others keep the socket.
const SOCKETS: &str = "/run/postgresql";

/// How much the connection must prove, in libpq's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    /// None, even when the server has it.
    Disable,
    /// When the server has it; nobody is asked who the server is.
    Prefer,
    /// Always; nobody is asked who the server is, unless a CA is named: then as [`Tls::VerifyCa`].
    Require,
    /// Always, and a CA that is trusted vouches for the certificate, whatever name it has.
    VerifyCa,
    /// Always, a trusted CA vouches for it, and it names the host.
    VerifyFull,
}

impl Tls {
    const ALL: [(&'static str, Self); 5] = [
        ("disable", Self::Disable),
        ("prefer", Self::Prefer),
        ("require", Self::Require),
        ("verify-ca", Self::VerifyCa),
        ("verify-full", Self::VerifyFull),
    ];
}

/// Whose certificates count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Roots {
    /// Those that the machine trusts.
    System,
    /// Those in this file.
    File(PathBuf),
}

/// Where the server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// A name or number on the network.
    Name(String),
    /// The folder of a Unix socket.
    Folder(PathBuf),
}

/// A database and the bag in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) user: String,
    pub(crate) host: Host,
    pub(crate) port: u16,
    pub(crate) database: String,
    pub(crate) bag: String,
    pub(crate) tls: Tls,
    pub(crate) roots: Roots,
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// It is none, holds a password, or asks for what is not known.
    pub(crate) fn parse(url: &str, around: &Surroundings) -> Result<Self, RemoteError> {
        let wrong = |why: &str, next: &str| refused(shown(url), why, next);
        let form = "write postgres://USER@HOST/DATABASE?bag=NAME, as docs/user-guide/sync-postgres.md shows";
        let rest = url
            .strip_prefix("postgres://")
            .or_else(|| url.strip_prefix("postgresql://"))
            .ok_or_else(|| wrong("it does not begin with postgres://", form))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        if has_password(url) {
            return Err(wrong(
                "it holds a password, which would then stand in a file and on the screen",
                "take it out, and put the line HOST:PORT:DATABASE:USER:PASSWORD into ~/.pgpass (chmod 600)",
            ));
        }
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (host, port) =
            split_port(place).ok_or_else(|| wrong("its port is no port number", form))?;
        if place.contains(',') {
            return Err(wrong(
                "it names several hosts",
                "name one: the pooler or the name that moves to the server that takes writes",
            ));
        }
        let decode =
            |text: &str| decoded(text).ok_or_else(|| wrong("a %XX in it is no character", form));
        let mut this = Self {
            user: decode(user)?,
            host: host_of(&decode(host)?),
            port,
            database: decode(database)?,
            bag: BAG.to_owned(),
            tls: Tls::Prefer,
            roots: around.roots(),
        };
        let mut tls = None;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decode(value)?;
            this.take(name, &value, &mut tls)
                .map_err(|(why, next)| wrong(&why, next))?;
        }
        this.settle(tls, around)
            .map_err(|(why, next)| wrong(&why, next))?;
        Ok(this)
    }

    fn take(&mut self, name: &str, value: &str, tls: &mut Option<Tls>) -> Result<(), Wrong> {
        match name {
            "bag" => {
                let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
                if value.is_empty() || value.len() > BAG_MAX || !value.chars().all(fine) {
                    return Err((
                        "the name of its bag is none".to_owned(),
                        "use lower case letters, digits and dashes, at most 64",
                    ));
                }
                value.clone_into(&mut self.bag);
            }
            "sslmode" => {
                let known = Tls::ALL.iter().find(|(word, _)| *word == value);
                let (_, mode) = known.ok_or((
                    "its sslmode is none that is known".to_owned(),
                    "use disable, prefer, require, verify-ca or verify-full",
                ))?;
                *tls = Some(*mode);
            }
            "sslrootcert" if value == "system" => self.roots = Roots::System,
            "sslrootcert" if Path::new(value).is_absolute() => {
                self.roots = Roots::File(PathBuf::from(value));
            }
            "sslrootcert" => {
                return Err((
                    "its sslrootcert depends on the folder one is in".to_owned(),
                    "give the whole path of the file, or the word system",
                ));
            }
            "host" => self.host = host_of(value),
            "port" => {
                self.port = value.parse().map_err(|_| {
                    (
                        "its port is no port number".to_owned(),
                        "give a number up to 65535",
                    )
                })?;
            }
            "user" => value.clone_into(&mut self.user),
            "dbname" => value.clone_into(&mut self.database),
            _ => {
                return Err((
                    format!("nothing is known of {}", name.escape_debug()),
                    "known are bag, sslmode, sslrootcert, host, port, user and dbname",
                ));
            }
        }
        Ok(())
    }

    /// Fills in what was not said.
    fn settle(&mut self, tls: Option<Tls>, around: &Surroundings) -> Result<(), Wrong> {
        if self.user.is_empty() {
            self.user = around.user.clone().ok_or((
                "it names no user, and neither PGUSER nor USER does".to_owned(),
                "write postgres://USER@HOST/DATABASE",
            ))?;
        }
        if self.database.is_empty() {
            self.database.clone_from(&self.user);
        }
        let near = match &self.host {
            Host::Folder(_) => true,
            Host::Name(name) => {
                name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
            }
        };
        // Between machines nobody is believed to be the server who cannot prove it.
        self.tls = tls.unwrap_or(if near { Tls::Prefer } else { Tls::VerifyFull });
        if matches!(self.host, Host::Folder(_)) {
            self.tls = Tls::Disable;
        } else if self.tls == Tls::Require && matches!(self.roots, Roots::File(_)) {
            self.tls = Tls::VerifyCa;
        }
        Ok(())
    }

    /// The place for people.
    pub(crate) fn place(&self) -> String {
        let Self {
            user,
            port,
            database,
            bag,
            ..
        } = self;
        match &self.host {
            Host::Name(name) if name.contains(':') => {
                format!("postgres://{user}@[{name}]:{port}/{database}?bag={bag}")
            }
            Host::Name(name) => format!("postgres://{user}@{name}:{port}/{database}?bag={bag}"),
            Host::Folder(path) => format!(
                "postgres://{user}@/{database}?host={}&port={port}&bag={bag}",
                path.display()
            ),
        }
    }
}

/// Why, and what next.
type Wrong = (String, &'static str);

pub(crate) fn refused(place: String, why: &str, next: &str) -> RemoteError {
    RemoteError::Refused {
        attempt: "opening".to_owned(),
        place,
        why: why.to_owned(),
        next: next.to_owned(),
    }
}

fn host_of(host: &str) -> Host {
    match host {
        "" => Host::Folder(PathBuf::from(SOCKETS)),
        path if path.starts_with('/') => Host::Folder(PathBuf::from(path)),
        name => Host::Name(name.to_owned()),
    }
}

/// `host`, `host:port`, `[::1]:port`.
fn split_port(place: &str) -> Option<(&str, u16)> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (host, port.strip_prefix(':').unwrap_or(port))
        }
        None => place.split_once(':').unwrap_or((place, "")),
    };
    if port.is_empty() {
        return Some((host, PORT));
    }
    Some((host, port.parse().ok()?))
}

/// Whether a password stands in an address, also in one that is otherwise malformed: an `@` that was not written as `%40`, or
/// a slash, may be part of it.
fn has_password(url: &str) -> bool {
    let after = url.split_once("://").map_or(url, |(_, rest)| rest);
    let named = |pair: &str| {
        let name = pair.split('=').next().unwrap_or_default();
        decoded(name).is_none_or(|name| name.to_ascii_lowercase().contains("password"))
    };
    let asked = after.split(['?', '&']).skip(1).any(named);
    asked
        || after
            .rsplit_once('@')
            .is_some_and(|(before, _)| before.contains(':'))
}

/// An address that can be shown even when it cannot be read: without anything that could be a password.
fn shown(url: &str) -> String {
    if !has_password(url) {
        return url.escape_debug().to_string();
    }
    let (scheme, after) = url.split_once("://").unwrap_or(("postgres", url));
    let user = after.split([':', '@', '/', '?']).next().unwrap_or_default();
    let user = if after.contains('@') { user } else { "" };
    format!("{}://{}…", scheme.escape_debug(), user.escape_debug())
}

/// Replaces `%XX`.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let pair = [rest.next()?, rest.next()?];
            let pair = std::str::from_utf8(&pair).ok()?;
            bytes.push(u8::from_str_radix(pair, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    // No name of anything here holds a zero, and the wire ends names with one.
    String::from_utf8(bytes)
        .ok()
        .filter(|text| !text.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around() -> Surroundings {
        Surroundings {
            user: Some("mira".to_owned()),
            ..Surroundings::default()
        }
    }

    #[test]
    fn addresses_are_read() {
        for (url, place, tls) in [
            (
                "postgres://ann@db.example/qd?bag=team-a",
                "postgres://ann@db.example:5432/qd?bag=team-a",
                Tls::VerifyFull,
            ),
            (
                "postgresql://db.example:6432",
                "postgres://mira@db.example:6432/mira?bag=main",
                Tls::VerifyFull,
            ),
            (
                "postgres://ann@localhost/qd",
                "postgres://ann@localhost:5432/qd?bag=main",
                Tls::Prefer,
            ),
            (
                "postgres://ann@[::1]:6/qd?sslmode=require",
                "postgres://ann@[::1]:6/qd?bag=main",
                Tls::Require,
            ),
            (
                "postgres://ann@10.0.0.7/qd?sslmode=require&sslrootcert=/etc/ca.pem",
                "postgres://ann@10.0.0.7:5432/qd?bag=main",
                Tls::VerifyCa,
            ),
            (
                "postgres://ann@%2Frun%2Fpg/qd",
                "postgres://ann@/qd?host=/run/pg&port=5432&bag=main",
                Tls::Disable,
            ),
            (
                "postgres:///qd?host=/tmp&port=5433",
                "postgres://mira@/qd?host=/tmp&port=5433&bag=main",
                Tls::Disable,
            ),
        ] {
            let read = Address::parse(url, &around()).expect(url);
            assert_eq!((read.place().as_str(), read.tls), (place, tls), "{url}");
        }
    }

    #[test]
    fn what_is_shown_can_be_read_again() {
        let read = Address::parse("postgres://ann@/qd?host=/tmp&bag=x", &around()).expect("read");
        assert_eq!(Address::parse(&read.place(), &around()).ok(), Some(read));
    }

    #[test]
    fn wrong_addresses_are_refused_in_words() {
        for (url, word) in [
            ("mysql://db/x", "postgres://"),
            ("postgres://db:port/x", "port"),
            ("postgres://a,b/x", "several"),
            ("postgres://db/x?bag=Team A", "bag"),
            ("postgres://db/x?sslmode=on", "verify-full"),
            ("postgres://db/x?sslrootcert=ca.pem", "whole path"),
            ("postgres://db/x?sslcert=/a", "sslcert"),
            ("postgres://db/%zz", "%XX"),
        ] {
            let why = Address::parse(url, &around()).expect_err(url).to_string();
            assert!(why.contains(word), "{url}: {why}");
        }
    }

    #[test]
    fn a_password_is_refused_and_never_shown() {
        for url in [
            "postgres://ann:hunter2@db/qd",
            "postgres://ann:hunter2@db:no/qd?x=%zz",
            "postgres://ann:hun/ter2@db/qd",
            "postgres://ann:hun?ter2@db/qd",
            "postgres://ann:h@unter2@db/qd",
            "postgres://ann@db/qd?password=hunter2",
            "postgres://ann@db/qd?PassWord=hunter2&bag=x",
            "postgres://ann@db/qd?bag=x&%70assword=hunter2",
            "postgres:ann:hunter2@db/qd",
            "ann:hunter2@db/qd",
        ] {
            let why = Address::parse(url, &around()).expect_err(url).to_string();
            assert!(!why.contains("ter2"), "{url}: {why}");
        }
        let why = Address::parse("postgres://ann:x@db/qd", &around()).expect_err("refused");
        assert!(why.to_string().contains(".pgpass"), "{why}");
    }
}
