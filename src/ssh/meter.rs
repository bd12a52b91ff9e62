//! A wire that counts its bytes, remembers how the server began, gives up on a peer that takes nothing, and can be cut.

use std::fmt::Write as _;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::wire::Wire;

/// How much of a server's first words is kept, in bytes.
const FIRST_WORDS: usize = 400;

/// What is known of a wire while the connection's task owns it.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    received: AtomicU64,
    sent: AtomicU64,
    // A std mutex: held to copy bytes and wakers, never across an await.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What the server said first; nothing is added once it has named itself.
    words: Vec<u8>,
    named: bool,
    cut: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Meter {
    /// Bytes from the server.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Bytes to the server.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Whether the server has sent a line that names an SSH program.
    pub(crate) fn named(&self) -> bool {
        self.lock().named
    }

    /// What it said before that, or instead of it, fit to be shown on one line.
    pub(crate) fn words(&self) -> String {
        let state = self.lock();
        let text = String::from_utf8_lossy(&state.words);
        let lines: Vec<&str> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with("SSH-2.0-"))
            .collect();
        crate::domain::text::line(&lines.join(" "))
    }

    /// Ends the connection at once, whatever its task waits for.
    pub(crate) fn cut(&self) {
        let mut state = self.lock();
        state.cut = true;
        let wakers = [state.reader.take(), state.writer.take()];
        drop(state);
        for waker in wakers.into_iter().flatten() {
            waker.wake();
        }
    }

    fn heard(&self, bytes: &[u8]) {
        self.received
            .fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let mut state = self.lock();
        if state.named {
            return;
        }
        let room = FIRST_WORDS.saturating_sub(state.words.len());
        state.words.extend(bytes.iter().take(room));
        state.named = names_itself(&state.words);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether there is a whole line that names an SSH program, after any number of others (RFC 4253, section 4.2).
fn names_itself(words: &[u8]) -> bool {
    let ended = words.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
    let whole = words.get(..ended).unwrap_or_default();
    whole
        .split(|byte| *byte == b'\n')
        .any(|line| line.starts_with(b"SSH-2.0-") || line.starts_with(b"SSH-1.99-"))
}

/// The wire. Dropping it closes the connection.
pub(crate) struct Metered {
    wire: Box<dyn Wire>,
    meter: Arc<Meter>,
    /// How long the peer may take nothing while something is to be sent.
    limit: Duration,
    stuck: Option<Pin<Box<Sleep>>>,
}

impl Metered {
    pub(crate) fn new(wire: Box<dyn Wire>, meter: Arc<Meter>, limit: Duration) -> Self {
        Self {
            wire,
            meter,
            limit,
            stuck: None,
        }
    }

    /// Keep-alives wait behind what is to be sent, so a peer that takes nothing is found out here.
    fn give_up(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let limit = self.limit;
        let stuck = self
            .stuck
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        ready!(stuck.as_mut().poll(cx));
        let mut why = String::from("the host took nothing of what was sent for ");
        // Writing to a string does not fail.
        write!(why, "{} s", limit.as_secs()).ok();
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, why))
    }
}

fn was_cut() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "it was cut off here")
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        {
            let mut state = self.meter.lock();
            if state.cut {
                return Poll::Ready(Err(was_cut()));
            }
            state.reader = Some(cx.waker().clone());
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.wire).poll_read(cx, buf))?;
        let came = buf.filled().get(before..).unwrap_or_default();
        self.meter.heard(came);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        {
            let mut state = self.meter.lock();
            if state.cut {
                return Poll::Ready(Err(was_cut()));
            }
            state.writer = Some(cx.waker().clone());
        }
        match Pin::new(&mut self.wire).poll_write(cx, buf) {
            Poll::Pending => self.give_up(cx).map(Err),
            Poll::Ready(result) => {
                self.stuck = None;
                let sent = *result.as_ref().unwrap_or(&0);
                self.meter.sent.fetch_add(sent as u64, Ordering::Relaxed);
                Poll::Ready(result)
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.meter.lock().cut {
            return Poll::Ready(Err(was_cut()));
        }
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.meter.lock().cut {
            return Poll::Ready(Ok(()));
        }
        // A connection that is broken cannot be shut down properly; the reason that counts came before.
        ready!(Pin::new(&mut self.wire).poll_shutdown(cx)).ok();
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn metered(limit: Duration) -> (Metered, Arc<Meter>, tokio::io::DuplexStream) {
        let (near, far) = tokio::io::duplex(64);
        let meter = Arc::new(Meter::default());
        let wire = Metered::new(Box::new(near), Arc::clone(&meter), limit);
        (wire, meter, far)
    }

    #[tokio::test]
    async fn bytes_are_counted_and_first_words_kept() -> io::Result<()> {
        let (mut wire, meter, mut far) = metered(Duration::from_secs(5));
        far.write_all(b"Exceeded Max").await?;
        let mut buffer = [0; 64];
        let mut got = wire.read(&mut buffer).await?;
        far.write_all(b"Startups\r\n").await?;
        got += wire.read(&mut buffer).await?;
        assert_eq!((meter.received(), got), (22, 22));
        assert_eq!(meter.words(), "Exceeded MaxStartups");
        assert!(!meter.named());
        far.write_all(b"SSH-2.0-x\r\nbinary").await?;
        assert_eq!(wire.read(&mut buffer).await?, 17);
        assert!(meter.named());
        wire.write_all(b"hello").await?;
        assert_eq!(meter.sent(), 5);
        Ok(())
    }

    #[tokio::test]
    async fn a_peer_that_takes_nothing_is_given_up() {
        let (mut wire, _, far) = metered(Duration::from_millis(20));
        let why = wire.write_all(&[0; 1000]).await;
        assert!(why.is_err_and(|why| why.to_string().contains("took nothing")));
        drop(far);
    }

    #[tokio::test]
    async fn a_cut_wakes_who_waits() {
        let (mut wire, meter, far) = metered(Duration::from_secs(60));
        let reading = tokio::spawn(async move {
            let mut buffer = [0; 1];
            wire.read(&mut buffer).await
        });
        tokio::task::yield_now().await;
        meter.cut();
        let read = reading.await;
        assert!(matches!(read, Ok(Err(why)) if why.kind() == io::ErrorKind::ConnectionAborted));
        drop(far);
    }
}
