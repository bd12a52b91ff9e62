//! Where a bag on a host is, as people write it: `ssh://[user@]host[:port]/path`.

use std::fmt;

/// A folder on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostAddress {
    /// Who logs in; `None` leaves it to ssh_config.
    pub user: Option<String>,
    /// The host as ssh_config or the inventory knows it, or an address; of IPv6 without brackets.
    pub host: String,
    /// The port; `None` leaves it to ssh_config.
    pub port: Option<u16>,
    /// The folder: `/x`, or `./x` for a path below the account's home.
    pub path: String,
}

impl HostAddress {
    /// Reads one. `/~/x` is below the home of the account, `/x` is `/x`; `%20` and the like stand for what a URL cannot hold.
    ///
    /// # Errors
    /// What is wrong with it and what to write, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            format!(
                "{text:?} is no place on a host: {why}; write ssh://HOST/path, or ssh://HOST/~/path for a folder in the account's home"
            )
        };
        let rest = text
            .strip_prefix("ssh://")
            .ok_or_else(|| wrong("it does not begin with ssh://"))?;
        let (authority, path) = rest
            .split_once('/')
            .ok_or_else(|| wrong("it names no folder"))?;
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let (host, port) = host_and_port(host).map_err(wrong)?;
        let user = user
            .map(|user| user_name(user).map_err(wrong))
            .transpose()?;
        let path = folder(path).map_err(wrong)?;
        Ok(Self {
            user,
            host,
            port,
            path,
        })
    }

    /// The destination as `ssh` would take it.
    pub fn destination(&self) -> String {
        match self.port {
            Some(_) => format!("ssh://{}", self.authority()),
            None => match &self.user {
                Some(user) => format!("{user}@{}", self.host),
                None => self.host.clone(),
            },
        }
    }

    fn authority(&self) -> String {
        let mut text = String::new();
        if let Some(user) = &self.user {
            text.push_str(user);
            text.push('@');
        }
        if self.host.contains(':') {
            text.push_str(&format!("[{}]", self.host));
        } else {
            text.push_str(&self.host);
        }
        if let Some(port) = self.port {
            text.push_str(&format!(":{port}"));
        }
        text
    }
}

impl fmt::Display for HostAddress {
    /// As [`HostAddress::parse`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = match self.path.strip_prefix("./") {
            Some(below) => format!("/~/{below}"),
            None if self.path == "." => "/~".to_owned(),
            None => self.path.clone(),
        };
        let path = path.replace('%', "%25").replace(' ', "%20");
        write!(f, "ssh://{}{path}", self.authority())
    }
}

fn host_and_port(text: &str) -> Result<(String, Option<u16>), &'static str> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest
                .split_once(']')
                .ok_or("a bracket of an address is not closed")?;
            match after.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if after.is_empty() => (host, None),
                None => return Err("only a port may follow the bracket"),
            }
        }
        None => match text.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err("an IPv6 address needs brackets, as in ssh://[2001:db8::1]/path");
            }
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let fits = |c: char| c.is_alphanumeric() || ".-_:%".contains(c);
    if host.is_empty() {
        return Err("it names no host");
    }
    if host.starts_with('-') || !host.chars().all(fits) {
        return Err("the name of the host has letters that no host name has");
    }
    let port = match port {
        None => None,
        Some(port) => match port.parse() {
            Ok(port @ 1..) => Some(port),
            _ => return Err("the port is no number from 1 to 65535"),
        },
    };
    Ok((host.to_owned(), port))
}

fn user_name(user: &str) -> Result<String, &'static str> {
    if user.is_empty() || user.starts_with('-') {
        return Err("the name of the user is empty or begins with a dash");
    }
    if user.contains(':') {
        return Err("a password has no place in it; the login is that of `ssh`");
    }
    let fits = |c: char| c.is_alphanumeric() || "._-+@\\$".contains(c);
    if !user.chars().all(fits) {
        return Err("the name of the user has letters that no user name has");
    }
    Ok(user.to_owned())
}

/// What follows the first slash.
fn folder(text: &str) -> Result<String, &'static str> {
    let decoded = decoded(text).ok_or("a % is not followed by two hexadecimal digits")?;
    if decoded.chars().any(char::is_control) {
        return Err("the folder has control characters in its name");
    }
    let trimmed = decoded.trim_end_matches('/');
    if trimmed == "~" {
        return Err("the home itself is no place for it; name a folder below");
    }
    if let Some(below) = trimmed.strip_prefix("~/") {
        let below = below.trim_start_matches('/');
        return Ok(format!("./{below}"));
    }
    if trimmed.starts_with('~') {
        return Err("homes of other accounts must be written out, as in /home/name/path");
    }
    if trimmed.trim_start_matches('/').is_empty() {
        return Err("it names no folder");
    }
    Ok(format!("/{}", trimmed.trim_start_matches('/')))
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(rest.next())?, digit(rest.next())?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_written() {
        for (text, destination, path) in [
            ("ssh://web1/srv/qd", "web1", "/srv/qd"),
            ("ssh://web1/~/qd/team", "web1", "./qd/team"),
            ("ssh://ann@web1/srv/qd", "ann@web1", "/srv/qd"),
            (
                "ssh://ann@web1:2222/srv/qd",
                "ssh://ann@web1:2222",
                "/srv/qd",
            ),
            ("ssh://[::1]:22/srv/qd", "ssh://[::1]:22", "/srv/qd"),
            ("ssh://web1/srv/our%20bag%25", "web1", "/srv/our bag%"),
        ] {
            let address = HostAddress::parse(text).expect(text);
            assert_eq!(address.destination(), destination);
            assert_eq!(address.path, path);
            assert_eq!(address.to_string(), text);
        }
        let slash = HostAddress::parse("ssh://web1//srv/qd/").expect("slashes");
        assert_eq!(slash.path, "/srv/qd");
    }

    #[test]
    fn mistakes_are_named() {
        for (text, word) in [
            ("web1:/srv", "begin with ssh://"),
            ("ssh://web1", "no folder"),
            ("ssh://web1/", "no folder"),
            ("ssh:///srv", "no host"),
            ("ssh://web1/~", "home itself"),
            ("ssh://web1/~ann/qd", "written out"),
            ("ssh://web1:0/srv", "port"),
            ("ssh://web1:ssh/srv", "port"),
            ("ssh://::1/srv", "brackets"),
            ("ssh://[::1/srv", "bracket"),
            ("ssh://ann:secret@web1/srv", "password"),
            ("ssh://-oProxyCommand=x/srv", "letters"),
            ("ssh://a b/srv", "letters"),
            ("ssh://-l@web1/srv", "dash"),
            ("ssh://web1/a%zz", "%"),
            ("ssh://web1/a%0ab", "control"),
        ] {
            let why = HostAddress::parse(text).expect_err(text);
            assert!(why.contains(word), "{text}: {why}");
            assert!(why.contains("write ssh://HOST/path"), "{why}");
        }
    }
}
