//! One end of a copy: this machine or a host, asked the same questions.

use std::fs;
use std::sync::Arc;

use crate::domain::files::FileKind;

use super::fault::Fault;
use super::here::{self, blocking};
use super::names;
use super::packet::Attrs;
use super::session::{self, Sftp};

/// The most names of one folder that are read; a host that lists for ever must not fill the memory.
const NAMES: usize = 1_000_000;

/// Where files are.
#[derive(Clone)]
pub(crate) enum Side {
    /// On this machine.
    Here,
    /// On a host.
    There(Arc<Sftp>),
}

/// What is known of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) kind: FileKind,
    /// A pipe or a character device: written where it stands.
    pub(crate) stream: bool,
    pub(crate) size: u64,
    /// Permission bits, without those of the kind.
    pub(crate) mode: u32,
    /// Seconds since 1970.
    pub(crate) accessed: Option<i64>,
    /// Seconds since 1970.
    pub(crate) modified: Option<i64>,
    pub(crate) owner: Option<(u32, u32)>,
    /// How many names it has, where that is known.
    pub(crate) links: Option<u64>,
}

impl Meta {
    /// Its times as SFTP and `utimes` take them, access first.
    pub(crate) fn times(&self) -> Option<(i64, i64)> {
        let modified = self.modified?;
        Some((self.accessed.unwrap_or(modified), modified))
    }
}

impl From<Attrs> for Meta {
    fn from(attrs: Attrs) -> Self {
        let mode = attrs.mode.unwrap_or(0o100_644);
        let (kind, stream) = match mode & 0o170_000 {
            0o040_000 => (FileKind::Folder, false),
            0o120_000 => (FileKind::Link, false),
            // Some servers tell permissions without the kind.
            0o100_000 | 0 => (FileKind::File, false),
            0o010_000 | 0o020_000 => (FileKind::Other, true),
            _ => (FileKind::Other, false),
        };
        Self {
            kind,
            stream,
            size: attrs.size.unwrap_or(0),
            mode: mode & 0o7777,
            accessed: attrs.times.map(|(accessed, _)| i64::from(accessed)),
            modified: attrs.times.map(|(_, modified)| i64::from(modified)),
            owner: attrs.owner,
            links: None,
        }
    }
}

/// One name in a folder.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: Vec<u8>,
    /// The owner's name, where the host gives one.
    pub(crate) owner: Option<String>,
    /// Of the name itself: a link is a link.
    pub(crate) meta: Meta,
}

/// Seconds since 1970 as SFTP has them: 32 bits without a sign.
pub(crate) fn short_times(times: (i64, i64)) -> (u32, u32) {
    let short = |time: i64| u32::try_from(time.max(0)).unwrap_or(u32::MAX);
    (short(times.0), short(times.1))
}

impl Side {
    /// The host's name; `None` is this machine.
    pub(crate) fn host(&self) -> Option<&str> {
        match self {
            Self::Here => None,
            Self::There(sftp) => Some(&sftp.host),
        }
    }

    /// `host:path`, harmless.
    pub(crate) fn place(&self, path: &[u8]) -> String {
        names::place(self.host(), path)
    }

    /// What `path` means: on a host `~` is a home.
    pub(crate) async fn meant(&self, path: &[u8]) -> Result<Vec<u8>, Fault> {
        let Self::There(sftp) = self else {
            return Ok(path.to_vec());
        };
        match path {
            b"" | b"~" | b"~/" => Ok(b".".to_vec()),
            // A relative path starts in the home.
            [b'~', b'/', rest @ ..] => {
                let start = rest.iter().position(|byte| *byte != b'/');
                let rest = start.and_then(|start| rest.get(start..));
                Ok(rest.unwrap_or(b".").to_vec())
            }
            [b'~', ..] => sftp.expand(path).await,
            _ => Ok(path.to_vec()),
        }
    }

    pub(crate) async fn stat(&self, path: &[u8]) -> Result<Meta, Fault> {
        match self {
            Self::Here => {
                let path = path.to_vec();
                blocking(move || here::stat(&path, true)).await
            }
            Self::There(sftp) => Ok(session::attrs(sftp.stat(path).await?).await?.into()),
        }
    }

    pub(crate) async fn lstat(&self, path: &[u8]) -> Result<Meta, Fault> {
        match self {
            Self::Here => {
                let path = path.to_vec();
                blocking(move || here::stat(&path, false)).await
            }
            Self::There(sftp) => Ok(session::attrs(sftp.lstat(path).await?).await?.into()),
        }
    }

    /// The names in a folder, in no order, without `.` and `..`. Names are as the machine has them: see [`names::honest`].
    pub(crate) async fn list(&self, path: &[u8]) -> Result<Vec<Entry>, Fault> {
        let sftp = match self {
            Self::Here => {
                let path = path.to_vec();
                return blocking(move || here::list(&path)).await;
            }
            Self::There(sftp) => sftp,
        };
        let path = if path.is_empty() { b"." } else { path };
        let handle = sftp.open_folder(path).await?;
        let mut entries = Vec::new();
        let read = loop {
            match sftp.read_folder(&handle).await {
                Ok(Some(names)) if names.is_empty() => break Ok(()),
                Ok(Some(names)) => {
                    let names = names
                        .into_iter()
                        .filter(|found| !matches!(found.name.as_slice(), b"." | b".."));
                    entries.extend(names.map(|found| Entry {
                        owner: owner(&found.long),
                        meta: found.attrs.into(),
                        name: found.name,
                    }));
                }
                Ok(None) => break Ok(()),
                Err(why) => break Err(why),
            }
            if entries.len() > NAMES {
                break Err(Fault::Other(format!("it has more than {NAMES} names")));
            }
        };
        // Closing is a courtesy; nobody waits for its answer.
        drop(sftp.close(&handle).await);
        read.map(|()| entries)
    }

    /// The absolute path, links followed.
    pub(crate) async fn resolve(&self, path: &[u8]) -> Result<Vec<u8>, Fault> {
        match self {
            Self::Here => {
                let path = path.to_vec();
                blocking(move || here::resolve(&path)).await
            }
            Self::There(sftp) => sftp.realpath(path).await,
        }
    }

    pub(crate) async fn read_link(&self, path: &[u8]) -> Result<Vec<u8>, Fault> {
        match self {
            Self::Here => {
                use std::os::unix::ffi::OsStringExt;
                let path = path.to_vec();
                blocking(move || fs::read_link(here::path(&path)))
                    .await
                    .map(|target| target.into_os_string().into_vec())
            }
            Self::There(sftp) => sftp.readlink(path).await,
        }
    }

    pub(crate) async fn make_folder(&self, path: &[u8], mode: u32) -> Result<(), Fault> {
        match self {
            Self::Here => {
                let path = path.to_vec();
                blocking(move || here::make_folder(&path, mode)).await
            }
            Self::There(sftp) => sftp.make_folder(path, mode).await,
        }
    }

    pub(crate) async fn remove_file(&self, path: &[u8]) -> Result<(), Fault> {
        match self {
            Self::Here => {
                let path = path.to_vec();
                blocking(move || fs::remove_file(here::path(&path))).await
            }
            Self::There(sftp) => sftp.remove_file(path).await,
        }
    }

    pub(crate) async fn remove_folder(&self, path: &[u8]) -> Result<(), Fault> {
        match self {
            Self::Here => {
                let path = path.to_vec();
                blocking(move || fs::remove_dir(here::path(&path))).await
            }
            Self::There(sftp) => sftp.remove_folder(path).await,
        }
    }

    /// Renames a complete file over what has its name, if anything.
    pub(crate) async fn replace(&self, from: &[u8], to: &[u8]) -> Result<(), Fault> {
        match self {
            Self::Here => {
                let (from, to) = (from.to_vec(), to.to_vec());
                blocking(move || fs::rename(here::path(&from), here::path(&to))).await
            }
            Self::There(sftp) if sftp.replaces() => sftp.rename(from, to).await,
            Self::There(sftp) => {
                if sftp.rename(from, to).await.is_ok() {
                    return Ok(());
                }
                // Without a rename that replaces there is a moment with neither; the new file is whole by then.
                match sftp.remove_file(to).await {
                    Ok(()) | Err(Fault::NotThere) => sftp.rename(from, to).await,
                    Err(why) => Err(why),
                }
            }
        }
    }

    /// Renames, but replaces nothing.
    pub(crate) async fn rename(&self, from: &[u8], to: &[u8]) -> Result<(), Fault> {
        match self.lstat(to).await {
            Err(Fault::NotThere) => self.replace(from, to).await,
            Ok(_) => Err(Fault::Other(format!(
                "{} is there already",
                names::shown(to)
            ))),
            Err(why) => Err(why),
        }
    }

    /// Sets permission bits and times of a folder.
    pub(crate) async fn set_folder(
        &self,
        path: &[u8],
        mode: Option<u32>,
        times: Option<(i64, i64)>,
    ) -> Result<(), Fault> {
        match self {
            Self::Here => {
                let path = path.to_vec();
                blocking(move || here::set(&fs::File::open(here::path(&path))?, mode, times)).await
            }
            Self::There(sftp) => {
                let attrs = Attrs {
                    mode,
                    times: times.map(short_times),
                    ..Attrs::default()
                };
                sftp.set(path, &attrs).await
            }
        }
    }
}

/// The owner in a line of `ls -l`, which is the third word where the line looks like one.
fn owner(long: &[u8]) -> Option<String> {
    let line = String::from_utf8_lossy(long);
    let mut words = line.split_whitespace();
    let mode = words.next()?;
    let (links, owner) = (words.next()?, words.next()?);
    let listed = mode.len() >= 10 && (links == "?" || links.parse::<u64>().is_ok());
    listed.then(|| owner.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_read_from_what_looks_like_a_listing() {
        for (line, expected) in [
            (
                "-rw-r--r--    1 mira     staff       12 Nov  1 10:00 a",
                Some("mira"),
            ),
            (
                "drwxr-xr-x    ? 0        0           12 Nov  1 10:00 a b",
                Some("0"),
            ),
            ("", None),
            ("a b c", None),
            ("some file with words in it", None),
        ] {
            assert_eq!(owner(line.as_bytes()).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn kinds_come_from_the_mode() {
        let kind = |mode| {
            Meta::from(Attrs {
                mode: Some(mode),
                ..Attrs::default()
            })
            .kind
        };
        assert_eq!(kind(0o100_644), FileKind::File);
        assert_eq!(kind(0o644), FileKind::File);
        assert_eq!(kind(0o040_755), FileKind::Folder);
        assert_eq!(kind(0o120_777), FileKind::Link);
        assert_eq!(kind(0o060_600), FileKind::Other);
        assert_eq!(short_times((-5, i64::MAX)), (0, u32::MAX));
    }
}
