//! The environment of the process as a value, so that whatever depends on it can be tested with another one.

use crate::domain::look::CopyKeys;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Environment variables at one moment. An empty variable counts as unset, as most of their specifications say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
}

impl Environment {
    /// What this process was given.
    pub fn of_process() -> Self {
        Self {
            variables: std::env::vars_os().collect(),
        }
    }

    /// What somebody else would have been given.
    pub fn of<const N: usize>(variables: [(&str, &str); N]) -> Self {
        Self {
            variables: variables
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        }
    }

    /// The value of `name`, unless it is unset or empty.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.variables
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// As [`Self::get`], for values that are text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(OsStr::to_str)
    }

    /// The keys of copy mode that fit the editor: those of emacs if `VISUAL` or `EDITOR` is one, else those of vi.
    pub fn copy_keys(&self) -> CopyKeys {
        let editor = self
            .text("VISUAL")
            .or_else(|| self.text("EDITOR"))
            .unwrap_or_default();
        let program = editor.split_whitespace().next().unwrap_or_default();
        let name = program.rsplit('/').next().unwrap_or_default();
        if name.contains("emacs") || matches!(name, "mg" | "jove" | "zile") {
            CopyKeys::Emacs
        } else {
            CopyKeys::Vi
        }
    }

    /// The home folder, when `HOME` names an absolute one.
    pub fn home(&self) -> Option<&Path> {
        self.get("HOME")
            .map(Path::new)
            .filter(|home| home.is_absolute())
    }

    /// `path` with a leading `~/` replaced by the home folder, and relative to `folder` when it is relative.
    pub fn expand(&self, path: &str, folder: &Path) -> PathBuf {
        match (path.strip_prefix('~'), self.home()) {
            (Some(""), Some(home)) => home.to_path_buf(),
            (Some(rest), Some(home)) if rest.starts_with('/') => {
                home.join(rest.trim_start_matches('/'))
            }
            _ => folder.join(path),
        }
    }

    /// The name to sign tickets with when nobody chose one: `USER`, `LOGNAME`, the account's name, at last its number.
    pub fn login(&self) -> String {
        self.text("USER")
            .or_else(|| self.text("LOGNAME"))
            .map(str::to_owned)
            .or_else(account)
            .unwrap_or_else(|| format!("uid-{}", rustix::process::getuid().as_raw()))
    }
}

/// Looks the account up in passwd(5). Accounts that live elsewhere (LDAP) set `USER` at login.
fn account() -> Option<String> {
    let uid = rustix::process::getuid().as_raw().to_string();
    let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_is_unset() {
        let environment = Environment::of([("USER", ""), ("LOGNAME", "mira")]);
        assert_eq!(environment.get("USER"), None);
        assert_eq!(environment.login(), "mira");
    }

    #[test]
    fn somebody_is_always_there() {
        assert!(!Environment::default().login().is_empty());
    }

    #[test]
    fn paths_are_expanded() {
        let environment = Environment::of([("HOME", "/home/mira")]);
        for (path, expected) in [
            ("~", "/home/mira"),
            ("~/books", "/home/mira/books"),
            ("~~/books", "/etc/qd/~~/books"),
            ("books", "/etc/qd/books"),
            ("/srv/books", "/srv/books"),
        ] {
            assert_eq!(
                environment.expand(path, Path::new("/etc/qd")),
                Path::new(expected),
                "{path}"
            );
        }
        let homeless = Environment::of([("HOME", "relative")]);
        assert_eq!(
            homeless.expand("~/x", Path::new("/etc")),
            Path::new("/etc/~/x")
        );
    }
}
