//! One SFTP session on one channel: many requests may be under way, each answered to whoever sent it.
//!
//! A task of its own reads the channel and never waits for anybody, so a slow disk here cannot hold up the other channels
//! of the connection. What is under way is bounded by those who ask: a reply comes only for a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use russh::client::Msg;
use russh::{ChannelReadHalf, ChannelWriteHalf};
use tokio::sync::{mpsc, oneshot, watch};

use crate::domain::host::Target;
use crate::ssh::error::Error;
use crate::ssh::fact::Asking;
use crate::ssh::link::{Held, Slot};
use crate::ssh::manager::Manager;
use crate::ssh::usage::Use;

use super::fault::{self, Fault};
use super::packet::{self, Attrs, Parser, Reply, Request};
use super::reader::{FAREWELL, Reader, Shared};

/// How long a host may take for one answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long it may take to start.
const STARTING: Duration = Duration::from_secs(30);

/// How many requests wait for the channel. When it is full whoever asks waits.
const OUTGOING: usize = 64;

/// What a server may read or write at once when it does not tell: what every server takes.
const MODEST: u32 = 32 * 1024;

/// The most that is read or written at once.
const GENEROUS: u32 = 255 * 1024;

/// The name in a folder, as the host has it.
#[derive(Debug)]
pub(crate) struct Name {
    pub(crate) name: Vec<u8>,
    /// A line as `ls -l` prints it, where the host gives one.
    pub(crate) long: Vec<u8>,
    pub(crate) attrs: Attrs,
}

/// A session. It ends when the last handle is dropped.
pub(crate) struct Sftp {
    /// As the person knows the host.
    pub(crate) host: String,
    /// Bytes that may be read at once.
    pub(crate) reads: u32,
    /// Bytes that may be written at once.
    pub(crate) writes: u32,
    /// `posix-rename@openssh.com`: a rename that replaces.
    replaces: bool,
    /// `statvfs@openssh.com`.
    measures: bool,
    /// `expand-path@openssh.com`.
    expands: bool,
    /// `fsync@openssh.com`.
    flushes: bool,
    outgoing: mpsc::Sender<Vec<u8>>,
    shared: Arc<Shared>,
    next: AtomicU32,
}

/// An answer that is on its way.
pub(crate) struct Pending {
    reply: oneshot::Receiver<Reply>,
    shared: Arc<Shared>,
}

impl Pending {
    /// Waits for it. A status that is a failure is an error; "end of file" is `None`.
    pub(crate) async fn wait(self) -> Result<Option<Reply>, Fault> {
        let reply = match tokio::time::timeout(PATIENCE, self.reply).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(_)) => return Err(self.shared.fault()),
            Err(_) => {
                let why = format!("the host gave no answer in {} s", PATIENCE.as_secs());
                self.shared.end(why);
                return Err(self.shared.fault());
            }
        };
        if reply.kind != packet::STATUS {
            return Ok(Some(reply));
        }
        let mut body = reply.body();
        match body.u32() {
            Some(0) => Ok(Some(reply)),
            Some(1) => Ok(None),
            Some(code) => {
                let message = body.bytes().unwrap_or_default();
                Err(fault::from_status(code, &String::from_utf8_lossy(message)))
            }
            None => Err(broken()),
        }
    }

    /// Waits for an answer of this kind.
    async fn expect(self, kind: u8) -> Result<Reply, Fault> {
        match self.wait().await? {
            Some(reply) if reply.kind == kind => Ok(reply),
            Some(_) | None => Err(broken()),
        }
    }

    /// Waits for "done".
    pub(crate) async fn done(self) -> Result<(), Fault> {
        self.expect(packet::STATUS).await.map(drop)
    }
}

pub(super) fn broken() -> Fault {
    Fault::Other("the host's answer is not what SFTP allows".to_owned())
}

impl Sftp {
    /// Starts one on a channel of its own.
    ///
    /// # Errors
    /// In words: everything that can keep one from a host, and a server that has no SFTP.
    pub(crate) async fn open(
        manager: &Manager,
        target: &Target,
        asking: Asking,
    ) -> Result<Arc<Self>, String> {
        let opened = manager.channel(target, asking, Use::Files).await;
        let (Held { channel, slot }, _) = opened.map_err(|why: Error| why.to_string())?;
        let (read, write) = channel.split();
        Self::over(read, write, slot, &target.name).await
    }

    /// Starts one on a channel that is open.
    ///
    /// # Errors
    /// In words: a server that has no SFTP.
    pub(crate) async fn over(
        read: ChannelReadHalf,
        write: ChannelWriteHalf<Msg>,
        slot: Slot,
        host: &str,
    ) -> Result<Arc<Self>, String> {
        match tokio::time::timeout(STARTING, Self::start(read, write, slot, host)).await {
            Ok(started) => started.map(Arc::new),
            Err(_) => Err(format!(
                "{host} did not start SFTP in {} s; does `sftp {host}` work?",
                STARTING.as_secs()
            )),
        }
    }

    async fn start(
        read: ChannelReadHalf,
        write: ChannelWriteHalf<Msg>,
        slot: Slot,
        host: &str,
    ) -> Result<Self, String> {
        let asked = write.request_subsystem(true, "sftp").await;
        asked.map_err(|why| format!("cannot start SFTP on {host}: {why}"))?;
        // When it is full whoever asks waits.
        let (outgoing, queue) = mpsc::channel(OUTGOING);
        let shared = Arc::<Shared>::default();
        let (version, versions) = oneshot::channel();
        let (gone, going) = watch::channel(());
        tokio::spawn(send(write, queue, Arc::clone(&shared), gone));
        let reader = Reader {
            read,
            slot,
            host: host.to_owned(),
            shared: Arc::clone(&shared),
            version: Some(version),
            packet: Vec::new(),
            complaints: Vec::new(),
            exit: None,
            going,
        };
        tokio::spawn(reader.run());
        let mut session = Self {
            host: host.to_owned(),
            reads: MODEST,
            writes: MODEST,
            replaces: false,
            measures: false,
            expands: false,
            flushes: false,
            outgoing,
            shared,
            next: AtomicU32::new(1),
        };
        // The id of a first packet is the version.
        let hello = Request::new(packet::INIT, packet::VERSION).finish();
        session.outgoing.send(hello).await.ok();
        let Ok(extensions) = versions.await else {
            let ended = session.shared.lock().ended.clone();
            return Err(ended.unwrap_or_else(|| format!("{host} ended the SFTP session")));
        };
        session.learn(&extensions).await;
        Ok(session)
    }

    /// What the server can do beyond the standard.
    async fn learn(&mut self, extensions: &Reply) {
        let mut pairs = extensions.body();
        let mut limits = false;
        while let (Some(name), Some(data)) = (pairs.bytes(), pairs.bytes()) {
            match name {
                b"posix-rename@openssh.com" => self.replaces = data == b"1",
                b"statvfs@openssh.com" => self.measures = data == b"2",
                b"expand-path@openssh.com" => self.expands = data == b"1",
                b"fsync@openssh.com" => self.flushes = data == b"1",
                b"limits@openssh.com" => limits = data == b"1",
                _ => {}
            }
        }
        if !limits {
            return;
        }
        let request = self.request(packet::EXTENDED).bytes(b"limits@openssh.com");
        let Ok(pending) = self.send(request).await else {
            return;
        };
        // A server that fails here is used within the modest limits.
        if let Ok(reply) = pending.expect(packet::EXTENDED_REPLY).await {
            let mut body = reply.body();
            let (_, reads, writes) = (body.u64(), body.u64(), body.u64());
            let within = |limit: Option<u64>| match limit {
                None | Some(0) => MODEST,
                Some(limit) => u32::try_from(limit).unwrap_or(GENEROUS).min(GENEROUS),
            };
            (self.reads, self.writes) = (within(reads), within(writes));
        }
    }

    /// Whether the server can flush a file.
    pub(super) fn flushes(&self) -> bool {
        self.flushes
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.shared.lock().ended.is_none()
    }

    pub(super) fn request(&self, kind: u8) -> Request {
        Request::new(kind, self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Puts a request on its way. It waits only when the host does not read.
    pub(super) async fn send(&self, request: Request) -> Result<Pending, Fault> {
        let packet = request.finish();
        let id = Parser(packet.get(5..).unwrap_or_default()).u32();
        let (give, reply) = oneshot::channel();
        {
            let mut waiting = self.shared.lock();
            if waiting.ended.is_some() {
                drop(waiting);
                return Err(self.shared.fault());
            }
            waiting.asked.insert(id.unwrap_or_default(), give);
        }
        match tokio::time::timeout(PATIENCE, self.outgoing.send(packet)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => self.shared.end("the SFTP session ended".to_owned()),
            Err(_) => {
                let why = format!("the host took nothing in {} s", PATIENCE.as_secs());
                self.shared.end(why);
            }
        }
        let shared = Arc::clone(&self.shared);
        Ok(Pending { reply, shared })
    }

    pub(super) async fn on_path(&self, kind: u8, path: &[u8]) -> Result<Pending, Fault> {
        self.send(self.request(kind).bytes(path)).await
    }

    /// Follows links. The answer is taken with [`attrs`].
    pub(crate) async fn stat(&self, path: &[u8]) -> Result<Pending, Fault> {
        self.on_path(packet::STAT, path).await
    }

    pub(crate) async fn lstat(&self, path: &[u8]) -> Result<Pending, Fault> {
        self.on_path(packet::LSTAT, path).await
    }

    pub(crate) async fn fstat(&self, handle: &[u8]) -> Result<Pending, Fault> {
        self.on_path(packet::FSTAT, handle).await
    }

    /// The absolute path without links; a last part that does not exist is allowed by OpenSSH.
    pub(crate) async fn realpath(&self, path: &[u8]) -> Result<Vec<u8>, Fault> {
        let path = if path.is_empty() { &b"."[..] } else { path };
        first_name(self.on_path(packet::REALPATH, path).await?).await
    }

    pub(crate) async fn readlink(&self, path: &[u8]) -> Result<Vec<u8>, Fault> {
        first_name(self.on_path(packet::READLINK, path).await?).await
    }

    /// What `~user/…` stands for.
    pub(crate) async fn expand(&self, path: &[u8]) -> Result<Vec<u8>, Fault> {
        if !self.expands {
            return Err(Fault::Other(
                "the host's SFTP does not know other accounts' homes; write the whole path"
                    .to_owned(),
            ));
        }
        let request = self.request(packet::EXTENDED);
        let request = request.bytes(b"expand-path@openssh.com").bytes(path);
        first_name(self.send(request).await?).await
    }

    pub(crate) async fn open_file(
        &self,
        path: &[u8],
        flags: u32,
        mode: Option<u32>,
    ) -> Result<Vec<u8>, Fault> {
        let attrs = Attrs {
            mode,
            ..Attrs::default()
        };
        let request = self.request(packet::OPEN).bytes(path);
        handle(self.send(request.u32(flags).attrs(&attrs)).await?).await
    }

    pub(crate) async fn close(&self, handle: &[u8]) -> Result<Pending, Fault> {
        self.on_path(packet::CLOSE, handle).await
    }

    pub(crate) async fn read(&self, handle: &[u8], at: u64, len: u32) -> Result<Pending, Fault> {
        let request = self.request(packet::READ).bytes(handle);
        self.send(request.u64(at).u32(len)).await
    }

    pub(crate) async fn write(
        &self,
        handle: &[u8],
        at: u64,
        data: &[u8],
    ) -> Result<Pending, Fault> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let request = Request::with_room(packet::WRITE, id, data.len() + handle.len());
        self.send(request.bytes(handle).u64(at).bytes(data)).await
    }

    pub(crate) async fn open_folder(&self, path: &[u8]) -> Result<Vec<u8>, Fault> {
        handle(self.on_path(packet::OPENDIR, path).await?).await
    }

    /// The next names of a folder; `None` at its end.
    pub(crate) async fn read_folder(&self, handle: &[u8]) -> Result<Option<Vec<Name>>, Fault> {
        let pending = self.on_path(packet::READDIR, handle).await?;
        match pending.wait().await? {
            None => Ok(None),
            Some(reply) => names(&reply).map(Some),
        }
    }

    pub(crate) async fn make_folder(&self, path: &[u8], mode: u32) -> Result<(), Fault> {
        let attrs = Attrs {
            mode: Some(mode),
            ..Attrs::default()
        };
        let request = self.request(packet::MKDIR).bytes(path).attrs(&attrs);
        self.send(request).await?.done().await
    }

    pub(crate) async fn remove_folder(&self, path: &[u8]) -> Result<(), Fault> {
        self.on_path(packet::RMDIR, path).await?.done().await
    }

    pub(crate) async fn remove_file(&self, path: &[u8]) -> Result<(), Fault> {
        self.on_path(packet::REMOVE, path).await?.done().await
    }

    /// Renames; what has the new name already is replaced where the server can do that, else it is an error.
    pub(crate) async fn rename(&self, from: &[u8], to: &[u8]) -> Result<(), Fault> {
        let request = if self.replaces {
            let request = self.request(packet::EXTENDED);
            request.bytes(b"posix-rename@openssh.com")
        } else {
            self.request(packet::RENAME)
        };
        let request = request.bytes(from).bytes(to);
        self.send(request).await?.done().await
    }

    /// Whether [`Self::rename`] replaces.
    pub(crate) fn replaces(&self) -> bool {
        self.replaces
    }

    pub(crate) async fn set(&self, path: &[u8], attrs: &Attrs) -> Result<(), Fault> {
        let request = self.request(packet::SETSTAT).bytes(path).attrs(attrs);
        self.send(request).await?.done().await
    }

    pub(crate) async fn set_open(&self, handle: &[u8], attrs: &Attrs) -> Result<(), Fault> {
        let request = self.request(packet::FSETSTAT).bytes(handle).attrs(attrs);
        self.send(request).await?.done().await
    }

    /// Bytes that are free for the account on the file system of a path; `None` when the server cannot tell.
    pub(crate) async fn free(&self, path: &[u8]) -> Option<u64> {
        if !self.measures {
            return None;
        }
        let request = self.request(packet::EXTENDED);
        let request = request.bytes(b"statvfs@openssh.com").bytes(path);
        let pending = self.send(request).await.ok()?;
        let reply = pending.expect(packet::EXTENDED_REPLY).await.ok()?;
        let mut body = reply.body();
        let (_, fragment) = (body.u64()?, body.u64()?);
        let (_, _, available) = (body.u64()?, body.u64()?, body.u64()?);
        Some(available.saturating_mul(fragment))
    }
}

/// Takes the attributes from an answer.
pub(crate) async fn attrs(pending: Pending) -> Result<Attrs, Fault> {
    let reply = pending.expect(packet::ATTRS).await?;
    reply.body().attrs().ok_or_else(broken)
}

pub(super) async fn handle(pending: Pending) -> Result<Vec<u8>, Fault> {
    let reply = pending.expect(packet::HANDLE).await?;
    reply.body().bytes().map(<[u8]>::to_vec).ok_or_else(broken)
}

async fn first_name(pending: Pending) -> Result<Vec<u8>, Fault> {
    let reply = pending.expect(packet::NAME).await?;
    let first = names(&reply)?.into_iter().next().ok_or_else(broken)?;
    Ok(first.name)
}

pub(super) fn names(reply: &Reply) -> Result<Vec<Name>, Fault> {
    if reply.kind != packet::NAME {
        return Err(broken());
    }
    let mut body = reply.body();
    let count = body.u32().ok_or_else(broken)?;
    let mut names = Vec::new();
    for _ in 0..count {
        let name = body.bytes().ok_or_else(broken)?.to_vec();
        let long = body.bytes().ok_or_else(broken)?.to_vec();
        let attrs = body.attrs().ok_or_else(broken)?;
        names.push(Name { name, long, attrs });
    }
    Ok(names)
}

/// Writes what is asked, until nobody can ask any more. Dropping `gone` tells the reader.
async fn send(
    write: ChannelWriteHalf<Msg>,
    mut queue: mpsc::Receiver<Vec<u8>>,
    shared: Arc<Shared>,
    gone: watch::Sender<()>,
) {
    while let Some(packet) = queue.recv().await {
        if write.data_bytes(packet).await.is_err() {
            // The reader learns why, and says so.
            break;
        }
        if shared.lock().ended.is_some() {
            break;
        }
    }
    // The connection may be so stuck that even this waits.
    let bye = Duration::from_secs(1);
    tokio::time::timeout(bye, write.eof()).await.ok();
    drop(gone);
    // The server counts the session until its program is gone, so that one ends first.
    let ended = shared.over.notified();
    tokio::time::timeout(FAREWELL + bye, ended).await.ok();
    tokio::time::timeout(bye, write.close()).await.ok();
}
