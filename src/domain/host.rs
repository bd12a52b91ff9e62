//! Hosts: what the inventory knows of them, and which file and line said so.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::check::HostState;
use super::ids::HostId;

/// Which file and line set a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: u32,
}

/// A host. Field names are those of the JSON output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// Derived from the name.
    pub id: HostId,
    /// What people call it: the alias in ssh_config.
    pub name: String,
    /// The name or address to connect to, when known.
    pub address: Option<String>,
    /// The port, when known.
    pub port: Option<u16>,
    /// The login, when known.
    pub user: Option<String>,
    /// Sorted.
    pub groups: Vec<String>,
    /// Sorted.
    pub tags: Vec<String>,
    /// Variables from the inventory.
    pub vars: BTreeMap<String, String>,
    /// The hops before it, first hop first.
    pub jump: Vec<String>,
    /// What we believe now.
    pub state: HostState,
    /// Seconds since it was measured.
    pub age_s: Option<u64>,
    /// What was found on it: `os`, `kernel`, `cpus`.
    pub facts: BTreeMap<String, String>,
    /// Free text.
    pub notes: String,
    /// Which file and line set each field.
    pub source: BTreeMap<String, Source>,
    /// The source no longer names it.
    pub stale: bool,
    /// The ssh_config file it was imported from; effective values come from it.
    #[serde(skip)]
    pub config: Option<PathBuf>,
}

impl Host {
    /// A host that is known by name only.
    pub fn named(name: &str) -> Self {
        Self {
            id: HostId::of(name),
            name: name.to_owned(),
            address: None,
            port: None,
            user: None,
            groups: Vec::new(),
            tags: Vec::new(),
            vars: BTreeMap::new(),
            jump: Vec::new(),
            state: HostState::Unknown,
            age_s: None,
            facts: BTreeMap::new(),
            notes: String::new(),
            source: BTreeMap::new(),
            stale: false,
            config: None,
        }
    }
}

/// Where an SSH connection should lead: the name as given, and the ssh_config that explains it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// The alias, as `ssh` would take it.
    pub name: String,
    /// The configuration to read; `None` is OpenSSH's default file.
    pub config: Option<PathBuf>,
}

/// What `ssh -G` said of a host. Paths still hold tokens where OpenSSH leaves them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effective {
    /// Every option in the order printed; a repeated option keeps all its values.
    pub options: BTreeMap<String, Vec<String>>,
}

impl Effective {
    /// The first value of `option` (lower case), if it was printed and is not `none`.
    pub fn get(&self, option: &str) -> Option<&str> {
        self.options
            .get(option)
            .and_then(|values| values.first())
            .map(String::as_str)
            .filter(|value| *value != "none")
    }

    /// All values of `option`.
    pub fn all(&self, option: &str) -> &[String] {
        self.options.get(option).map_or(&[], Vec::as_slice)
    }
}

/// The name that ssh_config and the inventory know: `user@name` and `ssh://user@name:port` without what is around it.
pub fn bare(name: &str) -> &str {
    let (rest, uri) = match name.strip_prefix("ssh://") {
        Some(rest) => (rest.strip_suffix('/').unwrap_or(rest), true),
        None => (name, false),
    };
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    if !uri {
        return rest;
    }
    if let Some(bracketed) = rest.strip_prefix('[') {
        return bracketed.split_once(']').map_or(rest, |(host, _)| host);
    }
    match rest.split_once(':') {
        Some((host, port)) if !port.contains(':') => host,
        _ => rest,
    }
}

/// Whether one of these patterns names a host, as ssh_config(5), section PATTERNS: `*`, `?`, and a `!` that excludes.
pub fn listed(patterns: &[String], name: &str) -> bool {
    let name = bare(name).to_lowercase();
    let matches = |pattern: &str| wild(pattern.to_lowercase().as_bytes(), name.as_bytes());
    let (mut yes, mut no) = (false, false);
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(pattern) => no |= matches(pattern),
            None => yes |= matches(pattern),
        }
    }
    yes && !no
}

/// `*` stands for anything, `?` for one byte. Goes back to the last star only, so it takes no exponential time.
fn wild(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut place) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = text.get(place) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, place));
                at += 1;
            }
            Some(wanted) if *wanted == b'?' || wanted == byte => (at, place) = (at + 1, place + 1),
            _ => match star {
                Some((from, taken)) => {
                    star = Some((from, taken + 1));
                    (at, place) = (from + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_what_is_around_them() {
        for (name, expected) in [
            ("web1", "web1"),
            ("me@web1", "web1"),
            ("a@b@web1", "web1"),
            ("ssh://web1", "web1"),
            ("ssh://me@web1:2222/", "web1"),
            ("ssh://me@[fe80::1]:22", "fe80::1"),
            ("fe80::1", "fe80::1"),
        ] {
            assert_eq!(bare(name), expected, "{name}");
        }
    }

    #[test]
    fn patterns_name_hosts_as_in_ssh_config() {
        let patterns = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
        for (list, name, expected) in [
            ("web*", "web1", true),
            ("web*", "me@WEB1", true),
            ("web?", "web12", false),
            ("*1*2*", "a1b2c", true),
            ("*a*b*c", "aaaaaaaaaaaaaaaaaaab", false),
            ("* !db*", "db1", false),
            ("* !db*", "web1", true),
            ("!db*", "web1", false),
            ("web1", "web10", false),
        ] {
            assert_eq!(listed(&patterns(list), name), expected, "{list}: {name}");
        }
    }
}
