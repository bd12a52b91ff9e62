//! Bytes between a program and its channel: output with an optional delay, input that never makes the connection wait.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::Instant;

/// As much as one packet carries.
pub(super) const CHUNK: usize = 32 * 1024;

/// Chunks on their way through a delay. When it is full the reader waits, so the program waits, as on a slow link.
const IN_FLIGHT: usize = 64;

/// Chunks of input that the program has not read yet. See [`Input`] for what happens when it is full.
const UNREAD: usize = 2_048;

/// Copies `source` to `sink` until either ends; every chunk arrives `delay` after it was read.
pub(super) async fn pump(
    source: impl AsyncRead + Unpin,
    sink: impl AsyncWrite + Unpin,
    delay: Duration,
) {
    if delay.is_zero() {
        return copy(source, sink).await;
    }
    let (sender, receiver) = mpsc::channel(IN_FLIGHT);
    tokio::join!(read(source, sender), deliver(receiver, sink, delay));
}

/// Delivers the chunks of a thread that reads a terminal, each `delay` after its time.
pub(super) async fn deliver(
    mut chunks: mpsc::Receiver<(Instant, Vec<u8>)>,
    mut sink: impl AsyncWrite + Unpin,
    delay: Duration,
) {
    while let Some((read, chunk)) = chunks.recv().await {
        if !delay.is_zero() {
            tokio::time::sleep_until(read + delay).await;
        }
        if sink.write_all(&chunk).await.is_err() || sink.flush().await.is_err() {
            return;
        }
    }
}

async fn copy(mut source: impl AsyncRead + Unpin, mut sink: impl AsyncWrite + Unpin) {
    let mut buffer = vec![0; CHUNK];
    // An error on either side means that side is gone; the other side learns it by the end of the data.
    while let Ok(count @ 1..) = source.read(&mut buffer).await {
        let chunk = buffer.get(..count).unwrap_or_default();
        if sink.write_all(chunk).await.is_err() || sink.flush().await.is_err() {
            return;
        }
    }
}

async fn read(mut source: impl AsyncRead + Unpin, sender: mpsc::Sender<(Instant, Vec<u8>)>) {
    let mut buffer = vec![0; CHUNK];
    while let Ok(count @ 1..) = source.read(&mut buffer).await {
        let chunk = buffer.get(..count).unwrap_or_default().to_vec();
        if sender.send((Instant::now(), chunk)).await.is_err() {
            return;
        }
    }
}

/// The input of a program.
///
/// The task that reads the channel must never wait: the whole connection would wait with it, and a program that waits for
/// its output to be taken would then never read on. So input is queued, and a program that leaves 64 MiB of it unread
/// is given up.
#[derive(Debug)]
pub(super) struct Input {
    sender: Option<mpsc::Sender<Vec<u8>>>,
}

/// The program left too much input unread.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overflow;

impl Input {
    /// The queue and the end that feeds the program.
    pub(super) fn new() -> (Self, mpsc::Receiver<Vec<u8>>) {
        let (sender, receiver) = mpsc::channel(UNREAD);
        (
            Self {
                sender: Some(sender),
            },
            receiver,
        )
    }

    /// Queues `data`. A program that closed its input does not want it, so then it is dropped.
    pub(super) fn push(&self, data: Vec<u8>) -> Result<(), Overflow> {
        match self.sender.as_ref().map(|sender| sender.try_send(data)) {
            Some(Err(TrySendError::Full(_))) => Err(Overflow),
            Some(Ok(()) | Err(TrySendError::Closed(_))) | None => Ok(()),
        }
    }

    /// No more will come.
    pub(super) fn end(&mut self) {
        self.sender = None;
    }
}

/// Writes queued input into `sink` and closes it at the end.
pub(super) async fn feed(mut queue: mpsc::Receiver<Vec<u8>>, mut sink: impl AsyncWrite + Unpin) {
    while let Some(data) = queue.recv().await {
        if sink.write_all(&data).await.is_err() {
            return;
        }
    }
    // The program may have closed its end first.
    sink.shutdown().await.unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn chunks_are_late_but_not_one_after_the_other() {
        const CHUNKS: u32 = 40;
        let delay = Duration::from_millis(100);
        let started = Instant::now();
        let (sender, receiver) = mpsc::channel(IN_FLIGHT);
        for _ in 0..CHUNKS {
            sender
                .send((started, vec![b'x']))
                .await
                .expect("there is room");
        }
        drop(sender);
        let (sink, mut reader) = tokio::io::duplex(64);
        deliver(receiver, sink, delay).await;
        let took = started.elapsed();
        assert!(took >= delay && took < delay * CHUNKS / 2, "{took:?}");
        let mut all = Vec::new();
        reader
            .read_to_end(&mut all)
            .await
            .expect("the pump has ended");
        assert_eq!(all.len(), 40);
    }

    #[tokio::test]
    async fn without_a_delay_everything_passes() {
        let data: Vec<u8> = (0..200_000u32)
            .map(|number| number.to_le_bytes()[0])
            .collect();
        let mut arrived = Vec::new();
        pump(data.as_slice(), &mut arrived, Duration::ZERO).await;
        assert_eq!(arrived, data);
    }

    #[test]
    fn unread_input_has_an_end() {
        let (input, queue) = Input::new();
        for _ in 0..UNREAD {
            assert_eq!(input.push(vec![0]), Ok(()));
        }
        assert_eq!(input.push(vec![0]), Err(Overflow));
        drop(queue);
        assert_eq!(input.push(vec![0]), Ok(()), "nobody wants it");
    }
}
