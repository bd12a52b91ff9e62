//! Output on its way to a slow reader: in memory while it is little, in a nameless file while it is much. Loses nothing.
//!
//! A channel must always be drained, or it stops every other one on its connection; and what was drained must be kept.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::config::blocking;
use super::fact::Stream;

/// The most bytes in memory.
const MEMORY: u64 = 1024 * 1024;

/// The most bytes in all; a command whose output waits for more is stopped, with words.
pub(crate) const MOST: u64 = 1024 * 1024 * 1024;

/// The most bytes in one piece.
pub(crate) const PIECE: usize = 64 * 1024;

/// How long the writer waits for a reader that moves, to be no faster than it.
const PACE: Duration = Duration::from_millis(20);

/// What a piece costs besides its bytes, so that many tiny ones cannot fill the memory either.
const OVERHEAD: u64 = 64;

/// A queue with one writer and one reader.
#[derive(Default)]
pub(crate) struct Spool {
    // A std mutex: held to move pieces, never across an await.
    state: Mutex<State>,
    filled: Notify,
    emptied: Notify,
}

#[derive(Default)]
struct State {
    memory: VecDeque<(Stream, Vec<u8>)>,
    /// Pieces in the file, all younger than those in memory.
    spilled: VecDeque<Span>,
    /// The piece that is just being read from the file.
    reading: Option<Span>,
    file: Option<Arc<File>>,
    /// Bytes waiting, with what they cost.
    weight: u64,
    /// The reader did not move while the writer waited; until it does, nobody waits for it.
    stuck: bool,
    closed: bool,
}

#[derive(Clone, Copy)]
struct Span {
    stream: Stream,
    at: u64,
    len: usize,
}

impl Spool {
    /// Adds output. Waits a little for a reader that keeps moving, and not at all for one that stands.
    ///
    /// # Errors
    /// The file cannot be written, or too much waits already.
    pub(crate) async fn push(&self, stream: Stream, data: &[u8]) -> io::Result<()> {
        if data.is_empty() {
            return Ok(());
        }
        let spill = {
            let mut state = self.lock();
            let weight = data.len() as u64 + OVERHEAD;
            if state.weight + weight > MOST {
                return Err(io::Error::other(
                    "more than 1 GiB of output waits to be read",
                ));
            }
            state.weight += weight;
            let little = state.weight <= MEMORY;
            if little && state.spilled.is_empty() {
                match state.memory.back_mut() {
                    Some((last, bytes)) if *last == stream && bytes.len() + data.len() <= PIECE => {
                        bytes.extend_from_slice(data);
                        state.weight -= OVERHEAD;
                    }
                    _ => state.memory.push_back((stream, data.to_vec())),
                }
                None
            } else {
                Some((state.file.clone(), state.end()))
            }
        };
        let Some((file, at)) = spill else {
            self.filled.notify_one();
            return Ok(());
        };
        let bytes = data.to_vec();
        let len = bytes.len();
        // Only the writer makes the file and only it moves the end, so nobody else can be here meanwhile.
        let file = blocking(move || -> io::Result<Arc<File>> {
            let file = match file {
                Some(file) => file,
                None => Arc::new(tempfile::tempfile()?),
            };
            file.write_all_at(&bytes, at)?;
            Ok(file)
        })
        .await?;
        let stuck = {
            let mut state = self.lock();
            state.file = Some(file);
            state.add(Span { stream, at, len });
            state.stuck
        };
        self.filled.notify_one();
        if !stuck {
            let moved = tokio::time::timeout(PACE, self.emptied.notified()).await;
            if moved.is_err() {
                self.lock().stuck = true;
            }
        }
        Ok(())
    }

    /// Says that nothing comes any more.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_one();
    }

    /// The next piece; `None` when the spool is closed and empty.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) async fn pop(&self) -> Option<io::Result<(Stream, Vec<u8>)>> {
        loop {
            let (span, file) = {
                let mut state = self.lock();
                if let Some((stream, data)) = state.memory.pop_front() {
                    state.taken(data.len());
                    drop(state);
                    self.emptied.notify_one();
                    return Some(Ok((stream, data)));
                }
                match (state.first(), state.file.clone()) {
                    (Some(span), Some(file)) => (Some(span), Some(file)),
                    _ if state.closed => return None,
                    _ => (None, None),
                }
            };
            let (Some(span), Some(file)) = (span, file) else {
                self.filled.notified().await;
                continue;
            };
            let read = blocking(move || -> io::Result<Vec<u8>> {
                let mut data = vec![0; span.len];
                file.read_exact_at(&mut data, span.at)?;
                Ok(data)
            })
            .await;
            let mut state = self.lock();
            state.reading = None;
            state.taken(span.len);
            drop(state);
            self.emptied.notify_one();
            return Some(read.map(|data| (span.stream, data)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Where the next bytes go in the file; its start again once nothing in it is wanted.
    fn end(&self) -> u64 {
        let last = self.spilled.back().or(self.reading.as_ref());
        last.map_or(0, |span| span.at + span.len as u64)
    }

    fn add(&mut self, span: Span) {
        match self.spilled.back_mut() {
            Some(last) if last.stream == span.stream && last.len + span.len <= PIECE => {
                last.len += span.len;
                self.weight -= OVERHEAD;
            }
            _ => self.spilled.push_back(span),
        }
    }

    fn first(&mut self) -> Option<Span> {
        self.reading = self.spilled.pop_front();
        self.reading
    }

    fn taken(&mut self, len: usize) {
        self.weight = self.weight.saturating_sub(len as u64 + OVERHEAD);
        self.stuck = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that tell their place.
    fn piece(index: u32) -> Vec<u8> {
        index.to_be_bytes().repeat(1000)
    }

    #[tokio::test]
    async fn everything_comes_out_in_order_however_much_waits() -> io::Result<()> {
        let spool = Spool::default();
        for index in 0..1000 {
            let stream = if index % 7 == 0 {
                Stream::Err
            } else {
                Stream::Out
            };
            spool.push(stream, &piece(index)).await?;
        }
        assert!(spool.lock().file.is_some(), "4 MB do not fit into memory");
        spool.close();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        while let Some(next) = spool.pop().await {
            let (stream, data) = next?;
            assert!(data.len() <= PIECE);
            match stream {
                Stream::Out => out.extend(data),
                Stream::Err => err.extend(data),
            }
        }
        let wanted = |err: bool| -> Vec<u8> {
            (0..1000)
                .filter(|index| (index % 7 == 0) == err)
                .flat_map(piece)
                .collect()
        };
        assert!(out == wanted(false));
        assert!(err == wanted(true));
        assert_eq!(spool.lock().weight, 0);
        Ok(())
    }

    #[tokio::test]
    async fn a_reader_and_a_writer_at_once() -> io::Result<()> {
        let spool = Arc::new(Spool::default());
        let writer = tokio::spawn({
            let spool = Arc::clone(&spool);
            async move {
                for index in 0..2000 {
                    spool.push(Stream::Out, &piece(index)).await?;
                }
                spool.close();
                Ok::<(), io::Error>(())
            }
        });
        let mut all = Vec::new();
        while let Some(next) = spool.pop().await {
            all.extend(next?.1);
            tokio::task::yield_now().await;
        }
        writer.await.map_err(io::Error::other)??;
        assert!(all == (0..2000).flat_map(piece).collect::<Vec<u8>>());
        Ok(())
    }

    #[tokio::test]
    async fn too_much_is_an_error_not_a_loss() -> io::Result<()> {
        let spool = Spool::default();
        spool.lock().weight = MOST;
        assert!(spool.push(Stream::Out, b"x").await.is_err());
        spool.close();
        assert!(spool.pop().await.is_none());
        Ok(())
    }
}
