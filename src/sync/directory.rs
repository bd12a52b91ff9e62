//! A folder as remote: a local one, NFS, a USB stick, or one that Syncthing carries around.
//!
//! Every file has one writer and is written once: into a hidden name, flushed, then linked to its own name, which fails if
//! that exists. The root is never made by a round, so that a stick which is not plugged in is not taken for an empty bag.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::names::{Head, ObjectKind, ObjectName, SegmentName};
use super::remote::{
    Changed, Listing, OBJECT_MAX, PRESENCE_MAX, PRESENCES_MAX, Presences, Put, Remote, RemoteError,
    Reply, SEGMENT_MAX,
};
use crate::domain::ids::DeviceId;

/// The folder of the heads, whose names say everything.
pub const HEADS: &str = "heads";
/// The folder of the logs; in it one folder for each device.
pub const LOGS: &str = "logs";

/// The folder of what devices are looking at: one file for each, which its owner alone overwrites.
pub(super) const PRESENCE: &str = "presence";

/// How often the time of the folder of heads is looked at while waiting.
const PROBE: Duration = Duration::from_secs(2);

/// A bag in a folder.
#[derive(Clone, Debug)]
pub struct DirectoryRemote {
    root: PathBuf,
}

impl DirectoryRemote {
    /// The bag in `root`, which need not be there now.
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// Makes the folders of a new bag; those that are there stay as they are. A root that its group may write gives
    /// everything to the group to read, and each file to its writer alone to change; any other root is private.
    ///
    /// # Errors
    /// The folder cannot be made or written.
    pub fn create(root: &Path) -> Result<Self, RemoteError> {
        let this = Self::new(root);
        let make = || -> io::Result<()> {
            if !root.is_dir() {
                fs::create_dir_all(root)?;
                fs::set_permissions(root, Permissions::from_mode(0o700))?;
            }
            for name in [HEADS, LOGS]
                .into_iter()
                .chain(ObjectKind::ALL.map(ObjectKind::word))
            {
                this.folder(&root.join(name), 0o3770)?;
            }
            File::open(root)?.sync_all()
        };
        make().map_err(|why| this.failed("making the folders", &why))?;
        Ok(this)
    }

    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(Self) -> Result<T, RemoteError> + Send + 'static,
    ) -> Reply<'_, T> {
        let this = self.clone();
        Box::pin(async move {
            let place = this.place();
            // A dead network file system holds up this thread and not those that serve the screen.
            tokio::task::spawn_blocking(move || work(this))
                .await
                .unwrap_or_else(|why| {
                    Err(RemoteError::Failed {
                        attempt: "working".to_owned(),
                        place,
                        why: why.to_string(),
                    })
                })
        })
    }

    fn failed(&self, attempt: &str, why: &io::Error) -> RemoteError {
        let (attempt, place) = (attempt.to_owned(), self.place());
        if why.kind() == ErrorKind::NotFound && !self.root.join(HEADS).is_dir() {
            return RemoteError::Unreachable {
                place,
                why: "there is no sync folder; is the medium mounted?".to_owned(),
            };
        }
        let why_text = why.to_string();
        match why.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => RemoteError::Denied {
                attempt,
                place,
                why: why_text,
            },
            ErrorKind::NotFound => RemoteError::NotFound {
                name: attempt,
                place,
            },
            _ => RemoteError::Failed {
                attempt,
                place,
                why: why_text,
            },
        }
    }

    fn is_shared(&self) -> bool {
        fs::metadata(&self.root).is_ok_and(|meta| meta.mode() & 0o020 != 0)
    }

    /// Makes a folder: private, or with `shared` permissions in a root that its group may write.
    fn folder(&self, path: &Path, shared: u32) -> io::Result<()> {
        match fs::create_dir(path) {
            Ok(()) => {
                let mode = if self.is_shared() { shared } else { 0o700 };
                fs::set_permissions(path, Permissions::from_mode(mode))?;
                File::open(path.parent().unwrap_or(path))?.sync_all()
            }
            Err(why) if why.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(why) => Err(why),
        }
    }

    fn log(&self, device: DeviceId) -> PathBuf {
        self.root.join(LOGS).join(device.to_string())
    }

    /// Reads the names in a folder; hidden ones are half-written files of ours or belong to the carrier of the folder.
    fn names<T>(&self, folder: &Path, parse: impl Fn(&str) -> Option<T>) -> io::Result<Listing<T>> {
        let mut listing = Listing::default();
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            let text = name.to_string_lossy();
            if text.starts_with('.') {
                continue;
            }
            match name.to_str().and_then(&parse) {
                Some(ours) => listing.names.push(ours),
                None => listing.tell_strange(|| {
                    let shown = folder.file_name().unwrap_or_default().to_string_lossy();
                    format!("{shown}/{text}")
                }),
            }
        }
        listing.strange.sort();
        Ok(listing)
    }

    fn read(&self, path: &Path, name: &str, most: usize) -> Result<Vec<u8>, RemoteError> {
        let limit = u64::try_from(most).unwrap_or(u64::MAX);
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
            .map_err(|why| self.failed(name, &why))?;
        if bytes.len() > most {
            return Err(RemoteError::TooLong {
                name: name.to_owned(),
                place: self.place(),
            });
        }
        Ok(bytes)
    }

    /// Creates `path` with these bytes unless it is there; durable when it answers.
    fn create_file(&self, path: &Path, bytes: &[u8]) -> io::Result<Put> {
        let folder = path.parent().unwrap_or(path);
        let mode = if self.is_shared() { 0o640 } else { 0o600 };
        if let Some(put) = create_unnamed(path, folder, bytes, mode)? {
            return Ok(put);
        }
        let mut part = tempfile::Builder::new()
            .prefix(".part-")
            .tempfile_in(folder)?;
        part.write_all(bytes)?;
        part.as_file()
            .set_permissions(Permissions::from_mode(mode))?;
        part.as_file().sync_all()?;
        let put = match fs::hard_link(part.path(), path) {
            Ok(()) => Put::Created,
            // An NFS server that answers a repeated request says so of our own link.
            Err(why) if why.kind() == ErrorKind::AlreadyExists => {
                let ours = part.as_file().metadata()?.nlink() > 1;
                if ours { Put::Created } else { Put::Exists }
            }
            // FAT knows no links; there the kernel renames without replacing.
            Err(_) => match rename_new(part.path(), path) {
                Ok(()) => Put::Created,
                Err(why) if why.kind() == ErrorKind::AlreadyExists => Put::Exists,
                Err(why) => return Err(why),
            },
        };
        // What is there already may be of a moment ago and not yet durable.
        File::open(folder)?.sync_all()?;
        Ok(put)
    }

    fn put(&self, name: SegmentName, sealed: &[u8]) -> Result<Put, RemoteError> {
        let folder = self.log(name.device);
        self.folder(&folder, 0o2750)
            .and_then(|()| self.create_file(&folder.join(name.file()), sealed))
            .map_err(|why| self.failed(&format!("writing {name}"), &why))
    }

    fn head(&self, head: Head) -> Result<(), RemoteError> {
        let folder = self.root.join(HEADS);
        let write = || -> io::Result<()> {
            let path = folder.join(head.file());
            if !path.exists() {
                self.create_file(&path, b"")?;
            }
            for old in self.names(&folder, Head::parse)?.names {
                if old.device == head.device && old.seq < head.seq {
                    remove(&folder.join(old.file()))?;
                }
            }
            Ok(())
        };
        write().map_err(|why| self.failed("setting the head", &why))
    }

    /// Puts a device's presence in the place of the last one, or takes it away. It need not outlive a crash.
    fn present(&self, device: DeviceId, sealed: Option<&[u8]>) -> io::Result<()> {
        let folder = self.root.join(PRESENCE);
        let path = folder.join(device.to_string());
        let Some(sealed) = sealed else {
            return remove(&path);
        };
        self.folder(&folder, 0o3770)?;
        let mut part = tempfile::Builder::new()
            .prefix(".part-")
            .tempfile_in(&folder)?;
        part.write_all(sealed)?;
        let mode = if self.is_shared() { 0o640 } else { 0o600 };
        part.as_file()
            .set_permissions(Permissions::from_mode(mode))?;
        part.persist(&path).map_err(|why| why.error).map(drop)
    }

    fn all_presences(&self) -> io::Result<Presences> {
        let folder = self.root.join(PRESENCE);
        let listing = match self.names(&folder, super::parse_device) {
            // Nobody has looked at anything yet.
            Err(why) if why.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let read = |device: DeviceId| {
            let path = folder.join(device.to_string());
            let bytes = self.read(&path, PRESENCE, PRESENCE_MAX).ok()?;
            Some((device, bytes))
        };
        let names = listing.names.into_iter().take(PRESENCES_MAX);
        Ok(names.filter_map(read).collect())
    }

    /// Waits until the folder of heads gets another time, looking every [`PROBE`].
    async fn watch(self, limit: Duration) -> Changed {
        let heads = self.root.join(HEADS);
        let time = move || fs::metadata(&heads).and_then(|meta| meta.modified()).ok();
        let (start, first) = (Instant::now(), self.run(probe(&time)).await);
        while start.elapsed() < limit {
            tokio::time::sleep(PROBE.min(limit.saturating_sub(start.elapsed()))).await;
            if self.run(probe(&time)).await != first {
                return Changed::Perhaps;
            }
        }
        Changed::TimeUp
    }
}

/// `look`, as work for another thread.
fn probe<T>(
    look: &(impl Fn() -> T + Clone + Send + 'static),
) -> impl FnOnce(DirectoryRemote) -> Result<T, RemoteError> + Send + 'static {
    let look = look.clone();
    move |_| Ok(look())
}

/// Creates `path` from a file that has no name until it is whole, so that nothing is left of a process that is killed
/// meanwhile. `None` where the file system or the machine cannot do that: NFS, FAT, no `/proc`.
#[cfg(target_os = "linux")]
fn create_unnamed(path: &Path, folder: &Path, bytes: &[u8], mode: u32) -> io::Result<Option<Put>> {
    use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, openat};
    use std::os::fd::AsRawFd;
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let Ok(file) = openat(CWD, folder, flags, Mode::RUSR | Mode::WUSR) else {
        return Ok(None);
    };
    let mut file = File::from(file);
    file.write_all(bytes)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()?;
    // The way that open(2) shows for those who may not link by the descriptor alone.
    let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
    let put = match linkat(CWD, unnamed, CWD, path, AtFlags::SYMLINK_FOLLOW) {
        Ok(()) => Put::Created,
        Err(rustix::io::Errno::EXIST) => Put::Exists,
        Err(_) => return Ok(None),
    };
    // What is there already may be of a moment ago and not yet durable.
    File::open(folder)?.sync_all()?;
    Ok(Some(put))
}

#[cfg(not(target_os = "linux"))]
fn create_unnamed(_: &Path, _: &Path, _: &[u8], _: u32) -> io::Result<Option<Put>> {
    Ok(None)
}

#[cfg(target_os = "linux")]
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags};
    rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE).map_err(io::Error::from)
}

#[cfg(not(target_os = "linux"))]
fn rename_new(_: &Path, _: &Path) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(why) if why.kind() != ErrorKind::NotFound => Err(why),
        _ => Ok(()),
    }
}

impl Remote for DirectoryRemote {
    fn place(&self) -> String {
        self.root.display().to_string()
    }

    fn heads(&self) -> Reply<'_, Listing<Head>> {
        self.run(|this| {
            this.names(&this.root.join(HEADS), Head::parse)
                .map_err(|why| this.failed("reading the heads", &why))
        })
    }

    fn list(&self, device: DeviceId, from: u64) -> Reply<'_, Listing<SegmentName>> {
        self.run(move |this| {
            let folder = this.log(device);
            let parse = |file: &str| SegmentName::parse(device, file);
            match this.names(&folder, parse) {
                Ok(mut listing) => {
                    listing.names = wanted(listing.names, from);
                    Ok(listing)
                }
                Err(why) if why.kind() == ErrorKind::NotFound => Ok(Listing::default()),
                Err(why) => Err(this.failed("listing segments", &why)),
            }
        })
    }

    fn get(&self, name: SegmentName) -> Reply<'_, Vec<u8>> {
        self.run(move |this| {
            let path = this.log(name.device).join(name.file());
            this.read(&path, &name.to_string(), SEGMENT_MAX)
        })
    }

    fn put_new(&self, name: SegmentName, sealed: Vec<u8>) -> Reply<'_, Put> {
        self.run(move |this| this.put(name, &sealed))
    }

    fn set_head(&self, head: Head) -> Reply<'_, ()> {
        self.run(move |this| this.head(head))
    }

    fn delete_own(&self, name: SegmentName) -> Reply<'_, ()> {
        self.run(move |this| {
            remove(&this.log(name.device).join(name.file()))
                .map_err(|why| this.failed(&format!("removing {name}"), &why))
        })
    }

    fn objects(&self, kind: ObjectKind) -> Reply<'_, Listing<ObjectName>> {
        self.run(move |this| {
            let parse = |name: &str| ObjectName::parse(kind, name);
            match this.names(&this.root.join(kind.word()), parse) {
                Err(why) => match this.failed("listing objects", &why) {
                    // A bag of before this sort was thought of.
                    RemoteError::NotFound { .. } => Ok(Listing::default()),
                    why => Err(why),
                },
                Ok(listing) => Ok(listing),
            }
        })
    }

    fn get_object<'a>(&'a self, name: &'a ObjectName) -> Reply<'a, Vec<u8>> {
        let (path, shown) = (
            self.root.join(name.kind.word()).join(&name.name),
            name.to_string(),
        );
        self.run(move |this| this.read(&path, &shown, OBJECT_MAX))
    }

    fn put_object<'a>(&'a self, name: &'a ObjectName, bytes: Vec<u8>) -> Reply<'a, Put> {
        let (path, shown) = (
            self.root.join(name.kind.word()).join(&name.name),
            name.to_string(),
        );
        let folder = self.root.join(name.kind.word());
        self.run(move |this| {
            this.folder(&folder, 0o3770)
                .and_then(|()| this.create_file(&path, &bytes))
                .map_err(|why| this.failed(&format!("writing {shown}"), &why))
        })
    }

    fn delete_object<'a>(&'a self, name: &'a ObjectName) -> Reply<'a, ()> {
        let (path, shown) = (
            self.root.join(name.kind.word()).join(&name.name),
            name.to_string(),
        );
        self.run(move |this| {
            remove(&path).map_err(|why| this.failed(&format!("removing {shown}"), &why))
        })
    }

    fn set_presence(&self, device: DeviceId, sealed: Option<Vec<u8>>) -> Reply<'_, bool> {
        self.run(move |this| {
            this.present(device, sealed.as_deref())
                .map(|()| true)
                .map_err(|why| this.failed("saying what is open", &why))
        })
    }

    fn presences(&self) -> Reply<'_, Option<Presences>> {
        self.run(|this| {
            this.all_presences()
                .map(Some)
                .map_err(|why| this.failed("reading what others have open", &why))
        })
    }

    fn changed(&self, limit: Duration) -> Reply<'_, Changed> {
        let this = self.clone();
        Box::pin(async move { Ok(this.watch(limit).await) })
    }
}

/// Of all segments of a device those that may hold operations from `from` on: what [`Remote::list`] promises, for remotes
/// that can only list everything.
pub fn wanted(mut names: Vec<SegmentName>, from: u64) -> Vec<SegmentName> {
    let before = names
        .iter()
        .filter(|name| name.pack.is_none() && name.first < from)
        .map(|name| name.first)
        .max();
    names.retain(|name| match name.pack {
        Some(last) => last >= from,
        None => name.first >= from || Some(name.first) == before,
    });
    names.sort_unstable();
    names
}
