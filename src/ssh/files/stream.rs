//! The bytes of one file on their way: many requests are under way at once, so that a long line is kept full.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::fault::Fault;
use super::here::{self, blocking};
use super::packet::{Attrs, Chunk, DATA};
use super::session::{self, Pending, Sftp};
use super::side::{Meta, short_times};

/// Bytes of one file that are under way at once on a channel: twice the window of OpenSSH's channels, so that it is never
/// idle, and all that is held in memory.
pub(crate) const UNDER_WAY: u64 = 4 * 1024 * 1024;

/// How much is read from a disk at once.
const PIECE: usize = 256 * 1024;

/// How many pieces wait between a disk and a channel. When it is full the faster one waits for the slower.
const PIECES: usize = 8;

/// An open file.
#[derive(Clone)]
pub(crate) enum Opened {
    /// On this machine.
    Here(Arc<File>),
    /// On a host.
    There(Arc<Sftp>, Arc<Vec<u8>>),
}

impl Opened {
    pub(crate) async fn meta(&self) -> Result<Meta, Fault> {
        match self {
            Self::Here(file) => {
                let file = Arc::clone(file);
                blocking(move || Ok(here::known(&file.metadata()?))).await
            }
            Self::There(sftp, handle) => {
                Ok(session::attrs(sftp.fstat(handle).await?).await?.into())
            }
        }
    }

    /// Sets permission bits and times.
    pub(crate) async fn set(
        &self,
        mode: Option<u32>,
        times: Option<(i64, i64)>,
    ) -> Result<(), Fault> {
        match self {
            Self::Here(file) => {
                let file = Arc::clone(file);
                blocking(move || here::set(&file, mode, times)).await
            }
            Self::There(sftp, handle) => {
                let attrs = Attrs {
                    mode,
                    times: times.map(short_times),
                    ..Attrs::default()
                };
                sftp.set_open(handle, &attrs).await
            }
        }
    }

    /// Gives it to somebody, by numbers.
    pub(crate) async fn give(&self, owner: (u32, u32)) -> Result<(), Fault> {
        match self {
            Self::Here(file) => {
                let file = Arc::clone(file);
                blocking(move || here::give(&file, owner)).await
            }
            Self::There(sftp, handle) => {
                let attrs = Attrs {
                    owner: Some(owner),
                    ..Attrs::default()
                };
                sftp.set_open(handle, &attrs).await
            }
        }
    }

    /// Cuts it to a length.
    pub(crate) async fn cut(&self, size: u64) -> Result<(), Fault> {
        match self {
            Self::Here(file) => {
                let file = Arc::clone(file);
                blocking(move || file.set_len(size)).await
            }
            Self::There(sftp, handle) => {
                let attrs = Attrs {
                    size: Some(size),
                    ..Attrs::default()
                };
                sftp.set_open(handle, &attrs).await
            }
        }
    }

    /// Some bytes from its middle; fewer at its end.
    pub(crate) async fn some(&self, at: u64, len: u32) -> Result<Vec<u8>, Fault> {
        let wanted = usize::try_from(len).unwrap_or(usize::MAX);
        match self {
            Self::Here(file) => {
                let file = Arc::clone(file);
                blocking(move || {
                    let mut bytes = vec![0; wanted];
                    let mut got = 0;
                    while let Some(room) = bytes.get_mut(got..).filter(|room| !room.is_empty()) {
                        match file.read_at(room, at + got as u64)? {
                            0 => break,
                            more => got += more,
                        }
                    }
                    bytes.truncate(got);
                    Ok(bytes)
                })
                .await
            }
            Self::There(..) => {
                let mut source = Source::of(self.clone(), at, Some(at + u64::from(len)));
                let mut bytes = Vec::new();
                while let Some(chunk) = source.next().await? {
                    bytes.extend_from_slice(chunk.as_slice());
                }
                Ok(bytes)
            }
        }
    }

    /// Closes it and waits until the host says so: some tell only then that the disk is full.
    pub(crate) async fn close(self) -> Result<(), Fault> {
        match self {
            Self::Here(file) => {
                drop(file);
                Ok(())
            }
            Self::There(sftp, handle) => sftp.close(&handle).await?.done().await,
        }
    }
}

/// A file that is being read.
pub(crate) enum Source {
    /// From a disk, by a thread of its own.
    Here(mpsc::Receiver<io::Result<Chunk>>),
    /// From a host.
    There(Reading),
}

/// What is asked of a host in advance.
pub(crate) struct Reading {
    sftp: Arc<Sftp>,
    handle: Arc<Vec<u8>>,
    /// The most that is asked for at once.
    chunk: u32,
    /// What is asked for next.
    next: u64,
    /// Where it ends, if that is known; else it is read, a piece at a time, until nothing comes.
    end: Option<u64>,
    asked: VecDeque<(u64, u32, Pending)>,
}

impl Source {
    /// Reads from `from` up to `end`, or until nothing comes.
    pub(crate) fn of(file: Opened, from: u64, end: Option<u64>) -> Self {
        match file {
            Opened::Here(file) => {
                // When it is full the disk waits for the channel.
                let (give, take) = mpsc::channel(PIECES);
                drop(tokio::task::spawn_blocking(move || {
                    if let Err(why) = pour(&file, from, end, &give) {
                        // Nobody listens any more when this fails.
                        give.blocking_send(Err(why)).ok();
                    }
                }));
                Self::Here(take)
            }
            Opened::There(sftp, handle) => Self::There(Reading {
                chunk: sftp.reads,
                sftp,
                handle,
                next: from,
                end,
                asked: VecDeque::new(),
            }),
        }
    }

    /// The next piece; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Chunk>, Fault> {
        match self {
            Self::Here(pieces) => pieces.recv().await.transpose().map_err(Fault::from),
            Self::There(reading) => reading.next().await,
        }
    }
}

fn pour(
    mut file: &File,
    from: u64,
    end: Option<u64>,
    give: &mpsc::Sender<io::Result<Chunk>>,
) -> io::Result<()> {
    if from > 0 {
        file.seek(SeekFrom::Start(from))?;
    }
    let mut left = end.map(|end| end.saturating_sub(from));
    loop {
        let room = left.map_or(PIECE, |left| {
            usize::try_from(left).unwrap_or(PIECE).min(PIECE)
        });
        if room == 0 {
            return Ok(());
        }
        let mut bytes = vec![0; room];
        let got = match file.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(got) => got,
            Err(why) if why.kind() == io::ErrorKind::Interrupted => continue,
            Err(why) => return Err(why),
        };
        bytes.truncate(got);
        left = left.map(|left| left.saturating_sub(got as u64));
        if give.blocking_send(Ok(Chunk::new(bytes))).is_err() {
            return Ok(());
        }
    }
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Chunk>, Fault> {
        self.ask().await?;
        let Some((at, len, pending)) = self.asked.pop_front() else {
            return Ok(None);
        };
        let Some(reply) = pending.wait().await? else {
            // It ended here; what was asked for beyond will say the same.
            (self.end, self.next) = (Some(at), at);
            self.asked.clear();
            return Ok(None);
        };
        let odd = || Fault::Other("the host sends other bytes than were asked for".to_owned());
        let chunk = if reply.kind == DATA {
            reply.into_data()
        } else {
            None
        };
        let chunk = chunk.ok_or_else(odd)?;
        let got = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
        if got == 0 || got > len {
            return Err(odd());
        }
        if got < len {
            // Servers may give less than they are asked for; from now on they are asked for what they give.
            self.chunk = got.max(4096);
            let rest = self.sftp.read(&self.handle, at + u64::from(got), len - got);
            self.asked
                .push_front((at + u64::from(got), len - got, rest.await?));
        }
        Ok(Some(chunk))
    }

    /// Asks for as much as may be under way.
    async fn ask(&mut self) -> Result<(), Fault> {
        let many = usize::try_from(UNDER_WAY / u64::from(self.chunk.max(1))).unwrap_or(1);
        let many = if self.end.is_some() { many.max(2) } else { 1 };
        while self.asked.len() < many {
            let left = self
                .end
                .map_or(u64::MAX, |end| end.saturating_sub(self.next));
            let len = u32::try_from(left).unwrap_or(u32::MAX).min(self.chunk);
            if len == 0 {
                break;
            }
            let pending = self.sftp.read(&self.handle, self.next, len).await?;
            self.asked.push_back((self.next, len, pending));
            self.next += u64::from(len);
        }
        Ok(())
    }
}

/// A file that is being written.
pub(crate) enum Sink {
    /// To a disk, by a thread of its own.
    Here(mpsc::Sender<Chunk>, JoinHandle<io::Result<()>>),
    /// To a host.
    There(Writing),
}

/// What a host was given and has not confirmed.
pub(crate) struct Writing {
    sftp: Arc<Sftp>,
    handle: Arc<Vec<u8>>,
    at: u64,
    given: VecDeque<(u64, Pending)>,
    unconfirmed: u64,
}

impl Sink {
    /// Writes from `at` on.
    pub(crate) fn of(file: Opened, at: u64) -> Self {
        match file {
            Opened::Here(file) => {
                // When it is full the channel waits for the disk.
                let (give, mut take) = mpsc::channel::<Chunk>(PIECES);
                let thread = tokio::task::spawn_blocking(move || {
                    let mut file: &File = &file;
                    if at > 0 {
                        file.seek(SeekFrom::Start(at))?;
                    }
                    while let Some(chunk) = take.blocking_recv() {
                        file.write_all(chunk.as_slice())?;
                    }
                    Ok(())
                });
                Self::Here(give, thread)
            }
            Opened::There(sftp, handle) => Self::There(Writing {
                sftp,
                handle,
                at,
                given: VecDeque::new(),
                unconfirmed: 0,
            }),
        }
    }

    /// Takes the next piece; waits while as much as may be is under way. What has arrived is told to `arrived`.
    pub(crate) async fn push(&mut self, chunk: Chunk, arrived: impl Fn(u64)) -> Result<(), Fault> {
        match self {
            Self::Here(give, thread) => {
                let len = chunk.len() as u64;
                // The thread ends early only when the disk fails.
                if give.send(chunk).await.is_err() {
                    return Err(ended(thread).await.err().unwrap_or(Fault::Stopped));
                }
                arrived(len);
                Ok(())
            }
            Self::There(writing) => writing.push(&chunk, arrived).await,
        }
    }

    /// Waits until all of it is written. Without this, what is on its way may be lost.
    pub(crate) async fn finish(self, arrived: impl Fn(u64)) -> Result<(), Fault> {
        match self {
            Self::Here(give, mut thread) => {
                drop(give);
                ended(&mut thread).await
            }
            Self::There(mut writing) => writing.confirm(0, &arrived).await,
        }
    }
}

async fn ended(thread: &mut JoinHandle<io::Result<()>>) -> Result<(), Fault> {
    match thread.await {
        Ok(written) => written.map_err(Fault::from),
        Err(_) => Err(Fault::Stopped),
    }
}

impl Writing {
    async fn push(&mut self, chunk: &Chunk, arrived: impl Fn(u64)) -> Result<(), Fault> {
        let size = usize::try_from(self.sftp.writes).unwrap_or(1).max(1);
        for piece in chunk.as_slice().chunks(size) {
            let pending = self.sftp.write(&self.handle, self.at, piece).await?;
            let len = piece.len() as u64;
            self.given.push_back((len, pending));
            self.unconfirmed += len;
            self.at += len;
            self.confirm(UNDER_WAY, &arrived).await?;
        }
        Ok(())
    }

    /// Waits until at most `left` bytes are unconfirmed.
    async fn confirm(&mut self, left: u64, arrived: &impl Fn(u64)) -> Result<(), Fault> {
        while self.unconfirmed > left {
            let Some((len, pending)) = self.given.pop_front() else {
                break;
            };
            pending.done().await?;
            self.unconfirmed = self.unconfirmed.saturating_sub(len);
            arrived(len);
        }
        Ok(())
    }
}
