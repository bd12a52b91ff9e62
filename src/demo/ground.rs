//! Where a demo keeps its files: in a temporary folder that goes with it, or in one that somebody named and can come back to.
//! It must not touch a folder that holds anything but a demo.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

use super::stage::StageError;

/// The file by which a folder is known as a demo's.
const SIGN: &str = "demo.txt";

/// What the file says while the demo is being furnished, and afterwards.
const BEGUN: &str = "A demo of qd is being set up in this folder.\n";
const FURNISHED: &str =
    "This folder holds a demo of qd; `qd demo --home` with its path goes on with it.\n";

/// The folder of a demo.
#[derive(Debug)]
pub(super) struct Ground {
    root: PathBuf,
    /// The file that tells what the folder is; it is locked while the demo runs.
    sign: Option<File>,
    furnished: bool,
    temporary: Option<TempDir>,
}

impl Ground {
    /// A temporary folder; or `home`, which must be new, empty or a demo's, and is then no other one's until this is dropped.
    ///
    /// # Errors
    /// It cannot be used, in words.
    pub(super) fn choose(home: Option<&Path>) -> Result<Self, StageError> {
        let Some(home) = home else {
            let folder = tempfile::Builder::new().prefix("qd-demo-").tempdir();
            let temporary = folder.map_err(|why| StageError::Home(why.to_string()))?;
            return Ok(Self {
                root: temporary.path().to_owned(),
                sign: None,
                furnished: false,
                temporary: Some(temporary),
            });
        };
        let failed = |why: io::Error| StageError::Kept {
            path: home.to_owned(),
            why: why.to_string(),
        };
        let root = std::path::absolute(home).map_err(failed)?;
        make(&root).map_err(failed)?;
        let known = root.join(SIGN);
        let mut found = root.read_dir().map_err(failed)?;
        let foreign = StageError::Foreign { path: root.clone() };
        if found.next().is_some() && !known.is_file() {
            return Err(foreign);
        }
        let mut sign = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&known)
            .map_err(failed)?;
        if flock(&sign, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(StageError::Busy { path: root });
        }
        let mut words = String::new();
        let read = (&sign).take(1_024).read_to_string(&mut words);
        if read.is_err() || !["", BEGUN, FURNISHED].contains(&words.as_str()) {
            return Err(foreign);
        }
        if words.is_empty() {
            sign.write_all(BEGUN.as_bytes()).map_err(failed)?;
        }
        let ground = Self {
            root,
            sign: Some(sign),
            furnished: words == FURNISHED,
            temporary: None,
        };
        // The hosts begin anew each time, with other keys and ports.
        ground.clear().map_err(failed)?;
        Ok(ground)
    }

    /// Below which the app keeps its files.
    pub(super) fn home(&self) -> PathBuf {
        match self.temporary {
            Some(_) => self.root.join("home"),
            None => self.root.clone(),
        }
    }

    /// Where the hosts are.
    pub(super) fn fleet(&self) -> PathBuf {
        self.root.join("fleet")
    }

    /// Whether a demo of before has left its tickets here.
    pub(super) fn is_furnished(&self) -> bool {
        self.furnished
    }

    /// Notes that everything which a demo begins with is there.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn furnished(&self) -> Result<(), StageError> {
        let Some(mut sign) = self.sign.as_ref() else {
            return Ok(());
        };
        let noted = sign
            .seek(SeekFrom::Start(0))
            .and_then(|_| sign.set_len(0))
            .and_then(|()| sign.write_all(FURNISHED.as_bytes()));
        noted.map_err(|why| StageError::Kept {
            path: self.root.clone(),
            why: why.to_string(),
        })
    }

    /// Removes what the next demo cannot use: all of it, or only the hosts.
    pub(super) fn leave(mut self) {
        match self.temporary.take() {
            Some(folder) => drop(folder.close()),
            // The next demo clears what cannot be removed now, or says why not.
            None => drop(self.clear()),
        }
    }

    fn clear(&self) -> io::Result<()> {
        match std::fs::remove_dir_all(self.fleet()) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => Err(why),
            _ => Ok(()),
        }
    }
}

fn make(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700).create(folder)
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    #[test]
    fn only_an_empty_folder_or_a_demos_is_taken() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let home = folder.path().join("new/demo");
        let first = Ground::choose(Some(&home))?;
        assert!(!first.is_furnished());
        let busy = Ground::choose(Some(&home)).err().map(|why| why.to_string());
        assert!(busy.is_some_and(|why| why.contains("another demo")));
        std::fs::create_dir(first.fleet())?;
        first.furnished()?;
        std::fs::write(home.join("kept"), "")?;
        first.leave();
        assert!(home.join("kept").exists() && !home.join("fleet").exists());
        let second = Ground::choose(Some(&home))?;
        assert!(second.is_furnished() && second.home() == home);
        for (name, text) in [("something", "x"), (SIGN, "my own notes\n")] {
            let other = folder.path().join(name.replace('.', "-"));
            std::fs::create_dir(&other)?;
            std::fs::write(other.join(name), text)?;
            let why = Ground::choose(Some(&other))
                .err()
                .map(|why| why.to_string());
            assert!(
                why.is_some_and(|why| why.contains("no demo made it")),
                "{name}"
            );
            assert_eq!(std::fs::read_to_string(other.join(name))?, text);
        }
        Ok(())
    }
}
