//! Configuration files on disk: their contents, who may write to them, and which of them an `Include` means.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::super::stamps::account_home;
use super::expand::{home_of, tilde};

/// The largest file read, in bytes; a file without an end would be read for ever.
const LARGEST: u64 = 64 * 1_048_576;

/// Which include paths a file's lines may use, and where relative ones lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The user's files: relative to `~/.ssh`, and `~` is allowed.
    User,
    /// The system's: relative to `/etc/ssh`.
    System,
}

/// What an `Include` pattern means now.
#[derive(Debug, Default)]
pub(crate) struct Included {
    /// Sorted as `ssh` reads them.
    pub(crate) files: Vec<PathBuf>,
    /// Folders that were looked into; a file that appears there may be meant as well.
    pub(crate) folders: Vec<PathBuf>,
    /// Paths that would be meant if they existed.
    pub(crate) missing: Vec<PathBuf>,
}

/// Why a file cannot be read.
#[derive(Debug)]
pub(super) enum Unreadable {
    Missing,
    Other(String),
}

/// The contents of a file, after a look at who may write to it if `strict`. A folder is an empty file, as it is to `ssh`.
pub(super) fn read(path: &Path, strict: bool) -> Result<Vec<u8>, Unreadable> {
    let failed = |why: std::io::Error| match why.kind() {
        std::io::ErrorKind::NotFound => Unreadable::Missing,
        _ => Unreadable::Other(why.to_string()),
    };
    let file = File::open(path).map_err(failed)?;
    let found = file.metadata().map_err(failed)?;
    if strict && !safe(found.uid(), found.gid(), found.mode()) {
        return Err(Unreadable::Other(format!(
            "bad owner or permissions; others may write to it: chmod go-w {}",
            path.display()
        )));
    }
    if found.is_dir() {
        return Ok(Vec::new());
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Unreadable::Other(format!(
            "it is larger than {} MiB; is it an ssh_config?",
            LARGEST / 1_048_576
        )));
    }
    Ok(bytes)
}

/// Whether nobody but root and ourselves may write to a file. A group is fine that holds nobody but ourselves.
fn safe(owner: u32, group: u32, mode: u32) -> bool {
    let me = rustix::process::getuid().as_raw();
    (owner == 0 || owner == me)
        && mode & 0o002 == 0
        && (mode & 0o020 == 0 || only_mine(group, owner, me))
}

/// Whether a group has the file's owner, who must be ourselves, as its only member.
fn only_mine(group: u32, owner: u32, me: u32) -> bool {
    let text = |path| std::fs::read_to_string(path).unwrap_or_default();
    let (accounts, groups) = (text("/etc/passwd"), text("/etc/group"));
    let mut members = 0;
    let mut owner_name = "";
    for line in accounts.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        let (Some(name), Some(id), Some(primary)) = (fields.first(), fields.get(2), fields.get(3))
        else {
            continue;
        };
        if id.parse() == Ok(owner) {
            owner_name = name;
        }
        if primary.parse() == Ok(group) {
            members += 1;
            if id.parse() != Ok(me) {
                return false;
            }
        }
    }
    let listed = groups.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let found = fields.get(2)?.parse() == Ok(group);
        found.then(|| fields.get(3).copied().unwrap_or_default().to_owned())
    });
    let Some(listed) = listed else {
        return false;
    };
    if !listed.is_empty() {
        members += 1;
        if listed != owner_name {
            return false;
        }
    }
    members > 0
}

/// The files that an `Include` argument means, as glob(3) finds them.
///
/// # Errors
/// A system file names a home.
pub(crate) fn included(argument: &str, owner: Owner) -> Result<Included, String> {
    let anchored = match (argument.chars().next(), owner) {
        (Some('~'), Owner::System) => {
            return Err(format!(
                "{argument:?} begins with ~, which /etc/ssh/ssh_config may not use; write the path in full"
            ));
        }
        (Some('/' | '~'), _) => argument.to_owned(),
        (_, Owner::User) => format!("{}/.ssh/{argument}", account_home().display()),
        (_, Owner::System) => format!("/etc/ssh/{argument}"),
    };
    let anchored = match anchored.strip_prefix('~') {
        Some(rest) => {
            let name = rest.split('/').next().unwrap_or_default();
            // An account that does not exist is no error to glob(3): nothing is found.
            if !name.is_empty() && home_of(name).is_none() {
                return Ok(Included::default());
            }
            tilde(&anchored)?
        }
        None => anchored,
    };
    let mut included = Included {
        files: vec![PathBuf::from("/")],
        ..Included::default()
    };
    for part in anchored.split('/').filter(|part| !part.is_empty()) {
        included.step(part);
    }
    let (found, missing) = std::mem::take(&mut included.files)
        .into_iter()
        .partition(|path| path.symlink_metadata().is_ok());
    (included.files, included.missing) = (found, missing);
    included.files.sort_by(|a, b| {
        a.as_os_str()
            .as_encoded_bytes()
            .cmp(b.as_os_str().as_encoded_bytes())
    });
    Ok(included)
}

impl Included {
    /// Goes one folder deeper on every path found so far.
    fn step(&mut self, part: &str) {
        let before = std::mem::take(&mut self.files);
        if !part.contains(['*', '?', '[', '\\']) {
            self.files = before.iter().map(|path| path.join(part)).collect();
            return;
        }
        for folder in before {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                if wildcard(part.as_bytes(), entry.file_name().as_encoded_bytes()) {
                    self.files.push(entry.path());
                }
            }
            // One that does not exist yet may come.
            self.folders.push(folder);
        }
    }
}

/// Whether a file name fits a pattern of glob(3). A leading dot must be written out.
fn wildcard(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && pattern.first() != Some(&b'.') && !pattern.starts_with(b"\\.")
    {
        return false;
    }
    let (mut p, mut n) = (0, 0);
    let mut again: Option<(usize, usize)> = None;
    loop {
        let rest = pattern.get(p..).unwrap_or_default();
        if rest.first() == Some(&b'*') {
            again = Some((p + 1, n));
            p += 1;
            continue;
        }
        let Some(byte) = name.get(n) else {
            return rest.iter().all(|byte| *byte == b'*');
        };
        match one(rest, *byte) {
            Some(length) => (p, n) = (p + length, n + 1),
            None => match again {
                Some((after, from)) => {
                    (p, n) = (after, from + 1);
                    again = Some((after, from + 1));
                }
                None => return false,
            },
        }
    }
}

/// How much of the pattern describes this one byte; `None` if it does not.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'\\', wanted, ..] => (*wanted == byte).then_some(2),
        [b'[', class @ ..] => match class_end(class) {
            Some(end) => {
                let inside = class.get(..end).unwrap_or_default();
                in_class(inside, byte).then_some(end + 2)
            }
            None => (byte == b'[').then_some(1),
        },
        [wanted, ..] => (*wanted == byte).then_some(1),
        [] => None,
    }
}

/// Where the closing bracket stands; the first place does not close.
fn class_end(class: &[u8]) -> Option<usize> {
    let skip = match class {
        [b'!' | b'^', b']', ..] => 2,
        [b'!' | b'^', ..] | [b']', ..] => 1,
        _ => 0,
    };
    class
        .iter()
        .enumerate()
        .skip(skip)
        .find(|(_, byte)| **byte == b']')
        .map(|(at, _)| at)
}

fn in_class(class: &[u8], byte: u8) -> bool {
    let (negated, mut rest) = match class {
        [b'!' | b'^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut found = false;
    loop {
        rest = match rest {
            [from, b'-', to, tail @ ..] => {
                found |= (*from..=*to).contains(&byte);
                tail
            }
            [single, tail @ ..] => {
                found |= *single == byte;
                tail
            }
            [] => return found != negated,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_those_of_glob() {
        for (pattern, name, expected) in [
            ("*", "a", true),
            ("*", ".a", false),
            (".*", ".a", true),
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf~", false),
            ("[0-9]*", "10-a", true),
            ("[!0-9]*", "10-a", false),
            ("[^0-9]*", "a", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("a[", "a[", true),
            ("[]x]", "]", true),
            ("?", "ab", false),
            ("**", "ab", true),
        ] {
            assert_eq!(
                wildcard(pattern.as_bytes(), name.as_bytes()),
                expected,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn others_may_not_write() {
        let me = rustix::process::getuid().as_raw();
        assert!(safe(me, 0, 0o100_644));
        assert!(!safe(me, 0, 0o100_646));
        assert!(!safe(me + 1, 0, 0o100_600));
        assert!(!safe(me, 4_000_000, 0o100_664));
    }
}
