//! The line to a server, with a limit to what may come in: the library reads a message whole before anybody can judge its
//! length, and a server is trusted with nothing.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// What logging in and the small talk of a connection may bring.
const BASE: i64 = 1 << 20;

/// How many bytes may still come in.
#[derive(Debug)]
pub(crate) struct Meter {
    left: AtomicI64,
    calls: AtomicUsize,
    burst: AtomicBool,
}

impl Meter {
    pub(crate) fn new() -> Self {
        Self {
            left: AtomicI64::new(BASE),
            calls: AtomicUsize::new(0),
            burst: AtomicBool::new(false),
        }
    }

    /// A call begins that expects at most `bytes`; what earlier calls left over does not count while nobody else waits.
    pub(crate) fn begin(&self, bytes: usize) {
        // TLS adds a little to each record.
        let bytes = i64::try_from(bytes + bytes / 64).unwrap_or(i64::MAX / 4);
        if self.calls.fetch_add(1, Ordering::SeqCst) == 0 {
            self.left.store(BASE + bytes, Ordering::SeqCst);
        } else {
            self.left.fetch_add(bytes, Ordering::SeqCst);
        }
    }

    pub(crate) fn end(&self) {
        self.calls.fetch_sub(1, Ordering::SeqCst);
    }

    /// Whether more came than was asked for.
    pub(crate) fn burst(&self) -> bool {
        self.burst.load(Ordering::SeqCst)
    }

    fn take(&self, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX / 4);
        if self.left.fetch_sub(bytes, Ordering::SeqCst) < bytes {
            self.burst.store(true, Ordering::SeqCst);
        }
    }
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A socket whose input is metered.
#[derive(Debug)]
pub(crate) struct Stream {
    socket: Socket,
    meter: Arc<Meter>,
}

impl Stream {
    pub(crate) fn tcp(socket: TcpStream, meter: Arc<Meter>) -> Self {
        Self {
            socket: Socket::Tcp(socket),
            meter,
        }
    }

    pub(crate) fn unix(socket: UnixStream, meter: Arc<Meter>) -> Self {
        Self {
            socket: Socket::Unix(socket),
            meter,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = match &mut self.socket {
            Socket::Tcp(socket) => Pin::new(socket).poll_read(cx, buf),
            Socket::Unix(socket) => Pin::new(socket).poll_read(cx, buf),
        };
        self.meter.take(buf.filled().len().saturating_sub(before));
        if self.meter.burst() {
            return Poll::Ready(Err(io::Error::other("it sends more than it was asked for")));
        }
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.socket {
            Socket::Tcp(socket) => Pin::new(socket).poll_write(cx, buf),
            Socket::Unix(socket) => Pin::new(socket).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Tcp(socket) => Pin::new(socket).poll_flush(cx),
            Socket::Unix(socket) => Pin::new(socket).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Tcp(socket) => Pin::new(socket).poll_shutdown(cx),
            Socket::Unix(socket) => Pin::new(socket).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn more_than_was_asked_for_is_not_read() {
        let (mut there, here) = UnixStream::pair().expect("a pair");
        let meter = Arc::new(Meter::new());
        let mut here = Stream::unix(here, meter.clone());
        let sender = tokio::spawn(async move {
            let piece = vec![7u8; 1 << 16];
            while there.write_all(&piece).await.is_ok() {}
        });
        meter.begin(4 << 20);
        let mut piece = vec![0u8; 1 << 16];
        let mut all = 0;
        while let Ok(read @ 1..) = here.read(&mut piece).await {
            all += read;
        }
        assert!(meter.burst());
        assert!((4 << 20..6 << 20).contains(&all), "{all}");
        drop(here);
        sender.await.expect("the sender ends");
    }
}
