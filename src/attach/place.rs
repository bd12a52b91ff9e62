//! Where the app listens: a private socket that carries the machine's name, and the lock of whoever serves it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use tokio::net::{UnixListener, UnixStream};

use crate::config::Paths;
use crate::store::lock::Held;

/// The longest path that every system takes for a socket, in bytes; Linux has 107, macOS 103.
const LONGEST: usize = 100;

/// The socket of the app of one home on this machine, and its lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The socket.
    pub(super) socket: PathBuf,
    lock: PathBuf,
    /// A link to the agent of whoever came in last, for programs in panes; beside the socket, because it is as short.
    pub(super) agent: PathBuf,
    /// What the app says before it can be asked, and why it could not start.
    pub(super) said: PathBuf,
}

/// Proof that this process serves the place; another finds it taken until it is dropped or the process ends.
#[derive(Debug)]
pub(super) struct Serving {
    _lock: Held,
}

impl Place {
    /// The place that belongs to these folders.
    ///
    /// # Errors
    /// The path is too long for a socket, and no private folder can be made in the system's temporary folder.
    pub(super) fn find(paths: &Paths) -> io::Result<Self> {
        let uname = rustix::system::uname();
        // Homes are shared between machines, and a socket works only on the machine that made it.
        let machine: String = uname
            .nodename()
            .to_string_lossy()
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || c == '-' {
                    c
                } else {
                    '_'
                }
            })
            .take(40)
            .collect();
        let mut socket = paths.state.join(format!("qd-{machine}.sock"));
        if socket.as_os_str().len() > LONGEST {
            socket = short_folder(&paths.state)?.join("qd.sock");
        }
        Ok(Self {
            agent: socket.with_extension("agent"),
            socket,
            lock: paths.state.join(format!("qd-{machine}.lock")),
            said: paths.state.join(format!("qd-{machine}.start")),
        })
    }

    /// Takes the place and listens; `None` when somebody else serves it.
    ///
    /// # Errors
    /// The lock or the socket cannot be made.
    pub(super) fn serve(&self) -> io::Result<Option<(Serving, UnixListener)>> {
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&self.lock)?;
        loop {
            match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(Errno::WOULDBLOCK) => {}
                Err(why) => return Err(why.into()),
            }
            // Somebody who only looks has a shared lock for a moment, and does not count.
            match flock(&lock, FlockOperation::NonBlockingLockShared) {
                Ok(()) => std::thread::yield_now(),
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(why) => return Err(why.into()),
            }
        }
        // Whoever has the lock knows that a socket that is there belongs to nobody any more.
        match std::fs::remove_file(&self.socket) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
            _ => {}
        }
        let listener = UnixListener::bind(&self.socket)?;
        // The folder is closed to others, so nobody can have connected before this.
        std::fs::set_permissions(&self.socket, std::fs::Permissions::from_mode(0o600))?;
        Ok(Some((
            Serving {
                _lock: Held::of(lock),
            },
            listener,
        )))
    }

    /// Connects to whoever serves the place; `None` when nobody does.
    ///
    /// # Errors
    /// The socket is there, but cannot be used.
    pub(super) async fn connect(&self) -> io::Result<Option<UnixStream>> {
        match UnixStream::connect(&self.socket).await {
            Ok(stream) => Ok(Some(stream)),
            Err(why)
                if matches!(
                    why.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                ) =>
            {
                Ok(None)
            }
            Err(why) => Err(why),
        }
    }

    /// Whether somebody serves the place.
    pub(super) fn is_served(&self) -> bool {
        let Ok(lock) = File::open(&self.lock) else {
            return false;
        };
        flock(&lock, FlockOperation::NonBlockingLockShared).is_err()
    }

    /// Takes the socket away, when its server ends in order.
    pub(super) fn leave(&self) {
        // It may be gone already, and the next server clears it all the same.
        std::fs::remove_file(&self.socket).ok();
        std::fs::remove_file(&self.agent).ok();
    }
}

/// A private folder with a short name that belongs to `state`.
fn short_folder(state: &Path) -> io::Result<PathBuf> {
    let uid = rustix::process::getuid().as_raw();
    let digest = blake3::hash(state.as_os_str().as_encoded_bytes()).to_hex();
    let name = format!("quarterdeck-{uid}-{}", digest.get(..12).unwrap_or_default());
    let folder = std::env::temp_dir().join(name);
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(why) if why.kind() != io::ErrorKind::AlreadyExists => return Err(why),
        _ => {}
    }
    // The temporary folder is everybody's: somebody else may have made the folder to listen in.
    let found = std::fs::symlink_metadata(&folder)?;
    if !found.is_dir() || found.uid() != uid || found.mode() & 0o077 != 0 {
        return Err(io::Error::other(format!(
            "{} is not a private folder of yours; remove it, or choose a --home with a shorter path",
            folder.display()
        )));
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(home: &Path) -> Result<Paths, Box<dyn std::error::Error>> {
        let paths = Paths::below(home)?;
        paths.ensure()?;
        Ok(paths)
    }

    #[tokio::test]
    async fn one_serves_and_others_find_it() -> Result<(), Box<dyn std::error::Error>> {
        let home = tempfile::tempdir()?;
        let place = Place::find(&paths(home.path())?)?;
        assert!(place.connect().await?.is_none());
        assert!(!place.is_served());
        let (serving, listener) = place.serve()?.ok_or("nobody else is there")?;
        assert!(place.is_served());
        assert!(place.serve()?.is_none(), "the place is taken");
        assert!(place.connect().await?.is_some());
        let mode = std::fs::metadata(&place.socket)?.mode();
        assert_eq!(mode & 0o777, 0o600);
        drop((serving, listener));
        // The socket of one that died is no obstacle.
        assert!(place.connect().await?.is_none());
        assert!(place.serve()?.is_some());
        Ok(())
    }

    #[test]
    fn long_homes_get_a_short_private_folder() -> Result<(), Box<dyn std::error::Error>> {
        let home = tempfile::tempdir()?;
        let deep = home.path().join("d".repeat(120));
        let place = Place::find(&paths(&deep)?)?;
        assert!(place.socket.as_os_str().len() <= LONGEST);
        let folder = place.socket.parent().ok_or("it has a folder")?;
        assert_eq!(std::fs::metadata(folder)?.mode() & 0o777, 0o700);
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))?;
        let refused = Place::find(&paths(&deep)?);
        std::fs::remove_dir_all(folder)?;
        assert!(refused.is_err_and(|why| why.to_string().contains("not a private folder")));
        Ok(())
    }
}
