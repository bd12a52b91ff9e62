//! Files on hosts and on this machine, and copies between them, as people see them. Plain data.

use serde::{Deserialize, Serialize};

use super::time::Time;

/// A path on a host, or on this machine: `host:path` as `scp` has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The host's name; `None` is this machine.
    pub host: Option<String>,
    /// The path; on a host a relative one starts in the account's home.
    pub path: String,
}

/// The longest name in a folder that every file system takes, in bytes (`NAME_MAX` of limits.h(0p)).
pub const NAME_MAX: usize = 255;

/// Whether `name`, whoever wrote it, is one that a file of ours may have: it leads to no other folder, is not hidden, and
/// holds nothing that acts on a terminal. The one guard for names that come out of the store.
pub fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME_MAX
        && !name.starts_with('.')
        && !name.contains(|c: char| c == '/' || c == '\\' || c.is_control())
}

/// What a name in a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// A plain file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A device, socket or pipe.
    Other,
}

/// One name in a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its name, as the host spells it; to be made harmless before it is shown.
    pub name: String,
    /// What it is.
    pub kind: FileKind,
    /// Bytes.
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
    /// The owner, as a name where the host gives one.
    pub owner: String,
    /// When it was last written.
    pub modified: Option<Time>,
    /// Where a link leads.
    pub target: Option<String>,
    /// Whether it is a folder, or a link that leads to one.
    pub folder: bool,
}

/// A copy to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyJob {
    /// From where; several need a folder as the destination.
    pub from: Vec<Place>,
    /// To where.
    pub to: Place,
    /// Folders with all that is in them.
    pub recursive: bool,
    /// Keep times and permission bits.
    pub preserve: bool,
    /// Go on where an earlier copy of the same file stopped.
    pub resume: bool,
}

/// How far a copy is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyProgress {
    /// The file that is being copied.
    pub file: String,
    /// Files that are done.
    pub files_done: u64,
    /// Files in all, as far as they are known.
    pub files: u64,
    /// Bytes that are there, those of an earlier attempt included.
    pub bytes_done: u64,
    /// Bytes in all, as far as they are known.
    pub bytes: u64,
    /// Bytes a second, smoothed over the last seconds.
    pub speed: u64,
    /// Seconds left at this speed; `None` until it is known.
    pub left_s: Option<u64>,
    /// Bytes of the file that is being copied that are there.
    pub file_done: u64,
    /// The size of the file that is being copied.
    pub file_bytes: u64,
}

/// What a copy came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyReport {
    /// Files that were copied.
    pub files: u64,
    /// Bytes that were sent, without those that were there already.
    pub bytes: u64,
    /// Bytes that an earlier attempt had left.
    pub resumed: u64,
    /// Milliseconds.
    pub took_ms: u64,
    /// What could not be copied, and why.
    pub failed: Vec<String>,
    /// What is worth knowing of what was copied, such as a file that grew meanwhile.
    pub notes: Vec<String>,
    /// It was stopped before its end; partial files are kept.
    pub stopped: bool,
    /// Why a connection was lost on the way; partial files are kept.
    pub lost: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_elsewhere_is_no_plain_one() {
        for (name, plain) in [
            ("T-7K3F", true),
            ("3f.cast", true),
            ("möbel 2", true),
            ("", false),
            (".", false),
            ("..", false),
            ("../../x", false),
            ("/abs", false),
            ("a/b", false),
            ("a\\b", false),
            (".ssh", false),
            ("a\0b", false),
            ("a\nb", false),
            ("a\u{1b}[31m", false),
        ] {
            assert_eq!(is_plain_name(name), plain, "{name:?}");
        }
        assert!(!is_plain_name(&"x".repeat(NAME_MAX + 1)));
    }
}
