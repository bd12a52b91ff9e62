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
