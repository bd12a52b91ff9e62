//! What the words of a remote mean: a path, `ssh://host/path`, `postgres://…`.
//!
//! Opening a remote never waits for it: whether it can be reached is found out by the first call.

use std::path::{Path, PathBuf};

use crate::ssh::Engine;
use crate::sync::{DirectoryRemote, Remote, SyncError};

/// What remotes are made with; whatever needs more of the program than words gets it here.
#[derive(Clone, Debug)]
pub(crate) struct Means {
    /// The account's home, which `~` stands for.
    pub home: PathBuf,
    /// The connections of this process, for a remote on a host. The handle keeps them open, so whoever holds it ends with
    /// the app.
    #[expect(dead_code, reason = "the remote on a host takes its connections here")]
    pub engine: Engine,
}

/// What a remote is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// For use: what is not there stays so, because a medium that is not mounted is no empty place.
    There,
    /// To make a space: the place is made when it is missing.
    New,
}

/// Opens the remote that `words` name.
///
/// # Errors
/// The words mean nothing, or the place of a new space cannot be made.
pub(crate) fn open_remote(
    words: &str,
    means: &Means,
    wanted: Wanted,
) -> Result<Box<dyn Remote>, SyncError> {
    let words = words.trim();
    if let Some((scheme, _)) = words.split_once("://") {
        return match scheme {
            "ssh" => Err(SyncError::refused(format!(
                "{words}: a space on a host is not supported by this program yet; name a folder, such as one that is mounted from there"
            ))),
            "postgres" | "postgresql" => Err(SyncError::refused(
                "a space in a database is not supported by this program yet; name a folder",
            )),
            _ => Err(SyncError::refused(format!(
                "{scheme}:// means nothing here; name a folder, ssh://HOST/PATH or postgres://…"
            ))),
        };
    }
    let path = folder(words, &means.home)?;
    match wanted {
        Wanted::There => Ok(Box::new(DirectoryRemote::new(&path))),
        Wanted::New => Ok(Box::new(DirectoryRemote::create(&path)?)),
    }
}

/// The folder that `words` name. One that depends on where somebody stands is refused: another process stands elsewhere.
fn folder(words: &str, home: &Path) -> Result<PathBuf, SyncError> {
    if words.is_empty() {
        return Err(SyncError::refused(
            "a remote is wanted: a folder, ssh://HOST/PATH or postgres://…",
        ));
    }
    let path = match words.strip_prefix('~') {
        Some("") => home.to_owned(),
        Some(rest) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
        _ => PathBuf::from(words),
    };
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(SyncError::refused(format!(
            "{words:?} depends on the folder one is in; name the remote with its whole path, such as /srv/quarterdeck"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_name_folders_and_nothing_depends_on_where_one_stands() {
        let home = Path::new("/home/mira");
        for (words, expected) in [
            ("/srv/bag", Some("/srv/bag")),
            ("~/bag", Some("/home/mira/bag")),
            ("~", Some("/home/mira")),
            ("bag", None),
            ("./bag", None),
            ("", None),
        ] {
            let found = folder(words, home).ok();
            assert_eq!(found.as_deref(), expected.map(Path::new), "{words:?}");
        }
    }
}
