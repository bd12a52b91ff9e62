//! The byte streams that SSH runs over: TCP, the pipes of a `ProxyCommand`, a channel through a bastion.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long one address may be silent before the next is tried beside it (RFC 8305, section 5).
const NEXT_ADDRESS: Duration = Duration::from_millis(250);

/// How much of a proxy's complaints is kept, in bytes.
const COMPLAINTS: usize = 2048;

/// How long a proxy that failed may take to say why.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Any stream an SSH connection can run over.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// Connects to the first address of `host` that answers; with the time that took it, which is one round trip.
///
/// # Errors
/// The name has no address of the wanted family, or none of its addresses answers; the last error is told.
pub(crate) async fn tcp(
    host: &str,
    port: u16,
    ipv4: bool,
    ipv6: bool,
) -> io::Result<(Quick, Duration)> {
    let mut addresses = Vec::new();
    for address in lookup_host((host, port)).await? {
        let wanted = if address.is_ipv4() { ipv4 } else { ipv6 };
        if wanted && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    let (stream, round_trip) = first(addresses).await?;
    // Keystrokes and small requests must not wait for the acknowledgement of the packet before.
    stream.set_nodelay(true)?;
    Ok((Quick(stream), round_trip))
}

/// Tries the addresses in order, each a little after the one before, and takes the first that answers.
async fn first(addresses: Vec<SocketAddr>) -> io::Result<(TcpStream, Duration)> {
    let mut waiting = addresses.into_iter();
    let mut trying = JoinSet::new();
    let mut last = io::Error::new(
        io::ErrorKind::NotFound,
        "the name has no address of the wanted family",
    );
    loop {
        let next = waiting.next();
        let more = next.is_some();
        if let Some(address) = next {
            trying.spawn(async move {
                let started = Instant::now();
                let stream = TcpStream::connect(address).await;
                stream.map(|stream| (stream, started.elapsed()))
            });
        }
        if trying.is_empty() {
            return Err(last);
        }
        let joined = if more && waiting.len() > 0 {
            match tokio::time::timeout(NEXT_ADDRESS, trying.join_next()).await {
                Ok(joined) => joined,
                Err(_) => continue,
            }
        } else {
            trying.join_next().await
        };
        match joined {
            Some(Ok(Ok(stream))) => return Ok(stream),
            Some(Ok(Err(why))) => last = why,
            Some(Err(_)) | None => {}
        }
    }
}

/// A TCP stream that acknowledges at once.
///
/// `sshd` sends several small packets after the login with Nagle's algorithm on, and would wait 40 ms for each delayed
/// acknowledgement. The kernel forgets the option, so it is set again whenever there is nothing left to read.
#[derive(Debug)]
pub(crate) struct Quick(TcpStream);

impl Quick {
    /// The address at the other end.
    pub(crate) fn peer(&self) -> Option<std::net::IpAddr> {
        self.0.peer_addr().ok().map(|address| address.ip())
    }

    fn acknowledge(&self) {
        #[cfg(target_os = "linux")]
        // It is only an optimisation: a kernel that refuses it is merely slower.
        rustix::net::sockopt::set_tcp_quickack(&self.0, true).ok();
    }
}

impl AsyncRead for Quick {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.0).poll_read(cx, buf);
        if poll.is_pending() {
            self.acknowledge();
        }
        poll
    }
}

impl AsyncWrite for Quick {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// The pipes of a `ProxyCommand`. Dropping it kills the command.
#[derive(Debug)]
pub(crate) struct Piped {
    stdin: ChildStdin,
    stdout: ChildStdout,
    _child: Child,
}

/// The first complaints of a proxy, for error texts.
#[derive(Clone, Debug)]
pub(crate) struct Complaints {
    // A std mutex: held to copy bytes, never across an await.
    kept: Arc<Mutex<Vec<u8>>>,
    /// Closed when nothing more can come.
    open: watch::Receiver<()>,
}

impl Complaints {
    /// Of those who have none.
    pub(crate) fn none() -> Self {
        Self {
            kept: Arc::default(),
            open: watch::channel(()).1,
        }
    }

    /// What was said, on one line. A proxy that failed may still be talking, so it is given a moment to end.
    pub(crate) async fn text(&self) -> String {
        let mut open = self.open.clone();
        let ended = async { while open.changed().await.is_ok() {} };
        tokio::time::timeout(LAST_WORDS, ended).await.ok();
        let bytes = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        crate::domain::text::line(String::from_utf8_lossy(&bytes).trim())
    }
}

fn keep(kept: &Mutex<Vec<u8>>, bytes: &[u8]) {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    let room = COMPLAINTS.saturating_sub(kept.len());
    kept.extend(bytes.iter().take(room));
}

/// Starts `command` with the shell; its standard input and output become the stream.
///
/// # Errors
/// The shell cannot be started.
pub(crate) fn proxy(command: &str) -> io::Result<(Piped, Complaints)> {
    // `exec`, as OpenSSH has it, so that the process to kill is the command and not a shell around it.
    let mut child = Command::new("/bin/sh")
        .arg("-c")
        .arg(format!("exec {command}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let gone = || io::Error::other("the command has no pipes");
    let stdin = child.stdin.take().ok_or_else(gone)?;
    let stdout = child.stdout.take().ok_or_else(gone)?;
    let mut stderr = child.stderr.take().ok_or_else(gone)?;
    let (ended, open) = watch::channel(());
    let complaints = Complaints {
        kept: Arc::default(),
        open,
    };
    let kept = Arc::clone(&complaints.kept);
    // Reads to the end, so that a talkative proxy never blocks; it ends with the command.
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok(len @ 1..) = stderr.read(&mut buffer).await {
            keep(&kept, buffer.get(..len).unwrap_or_default());
        }
        drop(ended);
    });
    let piped = Piped {
        stdin,
        stdout,
        _child: child,
    };
    Ok((piped, complaints))
}

impl AsyncRead for Piped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdout).poll_read(cx, buf)
    }
}

impl AsyncWrite for Piped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stdin).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdin).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdin).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn the_address_that_answers_is_taken() -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let good = listener.local_addr()?;
        let closed = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
        let (stream, _) = first(vec![closed, good]).await?;
        assert_eq!(stream.peer_addr()?, good);
        assert!(first(vec![closed]).await.is_err());
        assert!(first(Vec::new()).await.is_err());
        assert!(tcp("127.0.0.1", good.port(), false, true).await.is_err());
        Ok(())
    }

    #[tokio::test]
    async fn a_proxy_is_a_stream_and_its_complaints_are_kept() -> io::Result<()> {
        let (mut piped, complaints) = proxy("sh -c 'echo no >&2; cat'")?;
        piped.write_all(b"hello").await?;
        piped.flush().await?;
        let mut buffer = [0; 5];
        piped.read_exact(&mut buffer).await?;
        assert_eq!(&buffer, b"hello");
        drop(piped);
        assert_eq!(complaints.text().await, "no");
        Ok(())
    }
}
