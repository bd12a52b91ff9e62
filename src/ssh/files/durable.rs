//! Files over SFTP that are there whole or not at all, in few round trips: requests that need no answer of each other are
//! sent together, and where only the end matters nobody waits for the rest.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::ssh::errand::{Errands, Mishap};

use super::fault::Fault;
use super::packet::{self, Attrs, DATA};
use super::session::{self, Pending, Sftp};

/// How many pieces of a listing are asked for at once: two hundred names and their end.
const LISTINGS: usize = 3;

/// Bytes of a file that are under way at once.
const UNDER_WAY: u64 = 4 * 1024 * 1024;

/// Files that are there whole or not at all.
impl Errands {
    /// The permission bits of a path; follows links.
    ///
    /// # Errors
    /// [`Mishap::NotThere`], or whatever keeps us from it.
    pub async fn mode(&self, path: &str) -> Result<u32, Mishap> {
        let path = path.as_bytes().to_vec();
        self.files(|sftp| {
            let path = path.clone();
            async move {
                let attrs = session::attrs(sftp.stat(&path).await?).await?;
                attrs
                    .mode
                    .ok_or_else(|| Fault::Other("the server does not tell permissions".to_owned()))
            }
        })
        .await
    }

    /// The names in a folder as the host has them, in its order; more than `most` are an error.
    ///
    /// # Errors
    /// [`Mishap::TooLong`], or whatever keeps us from it.
    pub async fn names(&self, folder: &str, most: usize) -> Result<Vec<Vec<u8>>, Mishap> {
        let folder = folder.as_bytes().to_vec();
        let found = self
            .files(|sftp| listed(sftp, folder.clone(), most))
            .await?;
        found.ok_or(Mishap::TooLong)
    }

    /// The content of a file; more than `most` bytes are an error.
    ///
    /// # Errors
    /// [`Mishap::TooLong`], or whatever keeps us from it.
    pub async fn read(&self, path: &str, most: usize) -> Result<Vec<u8>, Mishap> {
        let path = path.as_bytes().to_vec();
        let found = self.files(|sftp| content(sftp, path.clone(), most)).await?;
        found.ok_or(Mishap::TooLong)
    }

    /// Creates a file unless its name is taken; true if it did. It is written as `part`, flushed where the server can, and
    /// renamed by the rename of the standard, then its folder is flushed. Names are paths.
    ///
    /// # Errors
    /// Whatever keeps us from it; nothing of that name is there then, unless only the answer was lost.
    pub async fn create(
        &self,
        (part, path, folder): (&str, &str, &str),
        bytes: Vec<u8>,
        mode: u32,
    ) -> Result<bool, Mishap> {
        let new = Arc::new(New {
            part: part.as_bytes().to_vec(),
            path: path.as_bytes().to_vec(),
            folder: folder.as_bytes().to_vec(),
            bytes,
            mode,
        });
        // Not a second time by itself: the first may still be under way on a line that is just dying.
        self.files_once(|sftp| created(sftp, Arc::clone(&new)))
            .await
    }

    /// Writes a file under the first name and gives it the second, in place of whatever has that. A server without
    /// OpenSSH's rename has none of them for a moment. Nothing is flushed.
    ///
    /// # Errors
    /// Whatever keeps us from it; what had the name may be gone then.
    pub async fn replace(
        &self,
        (part, path): (&str, &str),
        bytes: Vec<u8>,
        mode: u32,
    ) -> Result<(), Mishap> {
        let (part, path) = (part.as_bytes().to_vec(), path.as_bytes().to_vec());
        let bytes = Arc::new(bytes);
        self.files(|sftp| {
            let (part, path, bytes) = (part.clone(), path.clone(), Arc::clone(&bytes));
            async move {
                let flags = packet::FOR_WRITING | packet::CREATE | packet::TRUNCATE;
                let handle = session::handle(open(&sftp, &part, flags, mode).await?).await?;
                let mut asked = put(&sftp, &handle, &bytes).await?;
                asked.push_back(sftp.close(&handle).await?);
                for pending in asked {
                    pending.done().await?;
                }
                if !sftp.replaces() {
                    match sftp.remove_file(&path).await {
                        Ok(()) | Err(Fault::NotThere) => {}
                        Err(why) => return Err(why),
                    }
                }
                let renamed = sftp.rename(&part, &path).await;
                if renamed.is_err() {
                    drop(sftp.on_path(packet::REMOVE, &part).await?);
                }
                renamed
            }
        })
        .await
    }

    /// Creates an empty file; one that is there stays.
    ///
    /// # Errors
    /// Whatever keeps us from it.
    pub async fn touch(&self, path: &str, mode: u32) -> Result<(), Mishap> {
        let path = path.as_bytes().to_vec();
        self.files(|sftp| {
            let path = path.clone();
            async move {
                let handle = open(&sftp, &path, packet::FOR_WRITING | packet::CREATE, mode).await?;
                let handle = session::handle(handle).await?;
                // Nobody needs the answer.
                drop(sftp.close(&handle).await?);
                Ok(())
            }
        })
        .await
    }

    /// Removes files; one that is not there is no error.
    ///
    /// # Errors
    /// The first that could not be removed.
    pub async fn remove(&self, paths: &[String]) -> Result<(), Mishap> {
        self.files(|sftp| async move {
            let mut pending = Vec::new();
            for path in paths {
                pending.push(sftp.on_path(packet::REMOVE, path.as_bytes()).await?);
            }
            for removed in pending {
                match removed.done().await {
                    Ok(()) | Err(Fault::NotThere) => {}
                    Err(why) => return Err(why),
                }
            }
            Ok(())
        })
        .await
    }

    /// Makes a folder with exactly these permission bits; one that is there stays as it is.
    ///
    /// # Errors
    /// Whatever keeps us from it.
    pub async fn make_folder(&self, path: &str, mode: u32) -> Result<(), Mishap> {
        let path = path.as_bytes().to_vec();
        self.files(|sftp| {
            let path = path.clone();
            async move {
                match sftp.make_folder(&path, mode & 0o777).await {
                    Ok(()) => {}
                    Err(why) => {
                        // The protocol has no word for a name that is taken.
                        let there = session::attrs(sftp.stat(&path).await?).await;
                        return there.map(drop).map_err(|_| why);
                    }
                }
                // The server's umask and its group bit have had a say.
                let attrs = Attrs {
                    mode: Some(mode),
                    ..Attrs::default()
                };
                sftp.set(&path, &attrs).await
            }
        })
        .await
    }

    /// Whether the standard's rename replaces what is there, tried with two empty files that are removed afterwards.
    ///
    /// # Errors
    /// Whatever keeps us from trying.
    pub async fn rename_replaces(&self, one: &str, other: &str) -> Result<bool, Mishap> {
        let (one, other) = (one.as_bytes().to_vec(), other.as_bytes().to_vec());
        self.files(|sftp| replaces(sftp, one.clone(), other.clone()))
            .await
    }
}

/// A file that is to be there whole.
struct New {
    part: Vec<u8>,
    path: Vec<u8>,
    folder: Vec<u8>,
    bytes: Vec<u8>,
    mode: u32,
}

async fn open(sftp: &Sftp, path: &[u8], flags: u32, mode: u32) -> Result<Pending, Fault> {
    let attrs = Attrs {
        mode: Some(mode),
        ..Attrs::default()
    };
    let request = sftp.request(packet::OPEN).bytes(path);
    sftp.send(request.u32(flags).attrs(&attrs)).await
}

async fn rename(sftp: &Sftp, from: &[u8], to: &[u8]) -> Result<Pending, Fault> {
    let request = sftp.request(packet::RENAME).bytes(from).bytes(to);
    sftp.send(request).await
}

async fn flush(sftp: &Sftp, handle: &[u8]) -> Result<Option<Pending>, Fault> {
    if !sftp.flushes() {
        return Ok(None);
    }
    let request = sftp.request(packet::EXTENDED);
    let request = request.bytes(b"fsync@openssh.com").bytes(handle);
    sftp.send(request).await.map(Some)
}

async fn replaces(sftp: Arc<Sftp>, one: Vec<u8>, other: Vec<u8>) -> Result<bool, Fault> {
    let flags = packet::FOR_WRITING | packet::CREATE | packet::EXCLUSIVE;
    let first = open(&sftp, &one, flags, 0o600).await?;
    let second = open(&sftp, &other, flags, 0o600).await?;
    for opened in [first, second] {
        let handle = session::handle(opened).await?;
        drop(sftp.close(&handle).await?);
    }
    let renamed = rename(&sftp, &one, &other).await?;
    for path in [&one, &other] {
        drop(sftp.on_path(packet::REMOVE, path).await?);
    }
    match renamed.done().await {
        Ok(()) => Ok(true),
        Err(Fault::Lost(why)) => Err(Fault::Lost(why)),
        Err(_) => Ok(false),
    }
}

/// `None` if there are more names than wanted.
async fn listed(
    sftp: Arc<Sftp>,
    folder: Vec<u8>,
    most: usize,
) -> Result<Option<Vec<Vec<u8>>>, Fault> {
    let handle = sftp.open_folder(&folder).await?;
    let mut found = Vec::new();
    let mut asked = VecDeque::new();
    let whole = loop {
        while asked.len() < LISTINGS {
            asked.push_back(sftp.on_path(packet::READDIR, &handle).await?);
        }
        let Some(next) = asked.pop_front() else {
            break true;
        };
        match next.wait().await? {
            None => break true,
            Some(reply) => found.extend(session::names(&reply)?.into_iter().map(|name| name.name)),
        }
        if found.len() > most {
            break false;
        }
    };
    drop(sftp.close(&handle).await?);
    Ok(whole.then_some(found))
}

/// `None` if it is longer than wanted.
async fn content(sftp: Arc<Sftp>, path: Vec<u8>, most: usize) -> Result<Option<Vec<u8>>, Fault> {
    let stat = sftp.stat(&path).await?;
    let opened = open(&sftp, &path, packet::FOR_READING, 0).await?;
    let attrs = session::attrs(stat).await;
    let handle = session::handle(opened).await?;
    let size = attrs?.size.unwrap_or(0);
    let read = match usize::try_from(size) {
        Ok(size) if size <= most => Some(filled(&sftp, &handle, size).await),
        _ => None,
    };
    drop(sftp.close(&handle).await?);
    read.transpose()
}

/// Reads so many bytes from the front of a file.
async fn filled(sftp: &Sftp, handle: &[u8], size: usize) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    let mut asked: VecDeque<(u32, Pending)> = VecDeque::new();
    let (mut next, end) = (0, size as u64);
    while (bytes.len() as u64) < end {
        let here = bytes.len() as u64;
        while next < end && next - here < UNDER_WAY {
            let len = u32::try_from(end - next)
                .unwrap_or(u32::MAX)
                .min(sftp.reads);
            asked.push_back((len, sftp.read(handle, next, len).await?));
            next += u64::from(len);
        }
        let Some((len, pending)) = asked.pop_front() else {
            break;
        };
        let reply = pending.wait().await?.filter(|reply| reply.kind == DATA);
        let Some(data) = reply.and_then(packet::Reply::into_data) else {
            return Err(Fault::Other(
                "the file is shorter than the host said".to_owned(),
            ));
        };
        if data.len() > usize::try_from(len).unwrap_or(usize::MAX) || data.len() == 0 {
            return Err(session::broken());
        }
        bytes.extend_from_slice(data.as_slice());
        if (data.len() as u64) < u64::from(len) {
            // A short answer: what is under way lies behind a gap and is asked for again.
            asked.clear();
            next = bytes.len() as u64;
        }
    }
    Ok(bytes)
}

/// True if it was created, false if the name is taken.
async fn created(sftp: Arc<Sftp>, new: Arc<New>) -> Result<bool, Fault> {
    let flags = packet::FOR_WRITING | packet::CREATE | packet::EXCLUSIVE;
    let opened = open(&sftp, &new.part, flags, new.mode).await?;
    let folder = open(&sftp, &new.folder, packet::FOR_READING, 0).await?;
    let handle = session::handle(opened).await;
    // A server that does not open folders cannot flush them; the rename is durable when the system gets round to it.
    let folder = session::handle(folder).await.ok();
    let written = match &handle {
        Ok(handle) => written(&sftp, handle, &new.bytes).await,
        Err(why) => Err(why.clone()),
    };
    if let Err(why) = written {
        if handle.is_ok() {
            drop(sftp.on_path(packet::REMOVE, &new.part).await?);
        }
        if let Some(folder) = &folder {
            drop(sftp.close(folder).await?);
        }
        return Err(why);
    }
    let renamed = rename(&sftp, &new.part, &new.path).await?;
    // Should the name be taken, the look at it is on its way already, and the half-written file goes.
    let there = sftp.lstat(&new.path).await?;
    let flushed = match &folder {
        Some(folder) => flush(&sftp, folder).await?,
        None => None,
    };
    drop(sftp.on_path(packet::REMOVE, &new.part).await?);
    if let Some(folder) = &folder {
        drop(sftp.close(folder).await?);
    }
    let made = match renamed.done().await {
        Ok(()) => true,
        Err(Fault::Lost(why)) => return Err(Fault::Lost(why)),
        Err(why) => match session::attrs(there).await {
            Ok(_) => false,
            Err(Fault::Lost(why)) => return Err(Fault::Lost(why)),
            Err(_) => return Err(why),
        },
    };
    if let Some(flushed) = flushed {
        match flushed.done().await {
            // Some file systems flush no folders.
            Ok(()) | Err(Fault::Other(_) | Fault::Unsupported | Fault::Denied) => {}
            Err(why) => return Err(why),
        }
    }
    Ok(made)
}

/// Sends a few bytes; whoever calls waits for the answers.
async fn put(sftp: &Sftp, handle: &[u8], bytes: &[u8]) -> Result<VecDeque<Pending>, Fault> {
    let piece = usize::try_from(sftp.writes).unwrap_or(32 * 1024).max(1);
    let (mut asked, mut at) = (VecDeque::new(), 0u64);
    for data in bytes.chunks(piece) {
        asked.push_back(sftp.write(handle, at, data).await?);
        at += data.len() as u64;
    }
    Ok(asked)
}

/// Writes, flushes and closes; an error of any of them is an error.
async fn written(sftp: &Sftp, handle: &[u8], bytes: &[u8]) -> Result<(), Fault> {
    let piece = usize::try_from(sftp.writes).unwrap_or(32 * 1024).max(1);
    let most = (usize::try_from(UNDER_WAY).unwrap_or(piece) / piece).max(1);
    let mut asked = VecDeque::new();
    let mut at = 0u64;
    let mut result = Ok(());
    for data in bytes.chunks(piece) {
        if asked.len() >= most
            && let Some(oldest) = asked.pop_front()
        {
            result = result.and(Pending::done(oldest).await);
        }
        asked.push_back(sftp.write(handle, at, data).await?);
        at += data.len() as u64;
    }
    asked.extend(flush(sftp, handle).await?);
    asked.push_back(sftp.close(handle).await?);
    for pending in asked {
        result = result.and(pending.done().await);
    }
    result
}
