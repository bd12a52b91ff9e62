//! Bytes between a channel and a stream here, both ways at once, each way with an end of its own.
//!
//! The channel is drained whatever the stream here does: what nobody takes yet waits in a spool, a little in memory and up
//! to 1 GiB in a nameless file. A window for each channel would be better, but the transport opens it again by itself.

use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, watch};

use crate::ssh::fact::Stream;
use crate::ssh::spool::Spool;

/// The most bytes that are read here at once.
const PIECE: usize = 32 * 1024;

/// How long a stream here may take nothing after the host has closed the channel, before the rest is given up.
const STANDSTILL: Duration = Duration::from_secs(120);

/// How long closing a channel may take.
const CLOSING: Duration = Duration::from_secs(1);

/// What went through a forward.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    pub(super) open: AtomicU32,
    pub(super) total: AtomicU64,
    /// From the host.
    pub(super) bytes_in: AtomicU64,
    /// To the host.
    pub(super) bytes_out: AtomicU64,
    /// One connection has ended.
    ended: Notify,
}

impl Traffic {
    /// Waits until no connection is open. For one waiter at a time.
    pub(super) async fn idle(&self) {
        while self.open.load(Ordering::Relaxed) > 0 {
            self.ended.notified().await;
        }
    }
}

/// A connection that is counted as open.
pub(super) struct Counted<'a>(&'a Traffic);

impl<'a> Counted<'a> {
    pub(super) fn new(traffic: &'a Traffic) -> Self {
        traffic.open.fetch_add(1, Ordering::Relaxed);
        traffic.total.fetch_add(1, Ordering::Relaxed);
        Self(traffic)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
        self.0.ended.notify_one();
    }
}

/// One connection through a channel.
pub(super) struct Relay<'a, S> {
    pub(super) read: ChannelReadHalf,
    pub(super) write: ChannelWriteHalf<Msg>,
    pub(super) here: S,
    /// Bytes that were read here already and belong to the host.
    pub(super) to_host: Vec<u8>,
    /// The other way round.
    pub(super) from_host: Vec<u8>,
    pub(super) traffic: &'a Traffic,
}

impl<S: AsyncRead + AsyncWrite> Relay<'_, S> {
    /// Carries bytes until both ways have ended, one side is gone, or `stop` becomes true.
    ///
    /// # Errors
    /// The stream here broke, or takes too little.
    pub(super) async fn run(self, stop: &mut watch::Receiver<bool>) -> Result<(), String> {
        let (reader, writer) = tokio::io::split(self.here);
        let spool = Spool::default();
        let delivered = AtomicU64::new(0);
        let mut read = self.read;
        let mut up = pin!(send(reader, &self.write, self.to_host, self.traffic));
        let mut down = pin!(receive(&mut read, &spool, &self.from_host, self.traffic));
        let mut out = pin!(deliver(writer, &spool, &delivered));
        let (mut sent, mut closed, mut given) = (false, false, false);
        let mut before = u64::MAX;
        let result = loop {
            if given && (sent || closed) {
                break Ok(());
            }
            tokio::select! {
                result = &mut up, if !sent && !closed => match result {
                    Ok(()) => sent = true,
                    Err(why) => break Err(format!("the connection here broke: {why}")),
                },
                result = &mut down, if !closed => match result {
                    Ok(()) => closed = true,
                    Err(why) => break Err(format!("what the host sent could not be kept: {why}")),
                },
                result = &mut out, if !given => match result {
                    Ok(()) => given = true,
                    // Whoever went away has no use for the rest.
                    Err(why) if gone(&why) => break Ok(()),
                    Err(why) => break Err(format!("the connection here broke: {why}")),
                },
                () = tokio::time::sleep(STANDSTILL), if closed => {
                    let now = delivered.load(Ordering::Relaxed);
                    if now == before {
                        break Err(format!("the rest was not taken for {} s", STANDSTILL.as_secs()));
                    }
                    before = now;
                },
                _ = stop.wait_for(|stop| *stop) => break Ok(()),
            }
        };
        if !closed {
            // The connection may be stuck; its own keep-alives will find that out.
            tokio::time::timeout(CLOSING, self.write.close()).await.ok();
        }
        result
    }
}

fn gone(why: &io::Error) -> bool {
    matches!(
        why.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::NotConnected
    )
}

/// From here to the host. It waits where the host does not read: whoever writes here waits with it.
async fn send(
    mut reader: impl AsyncRead + Unpin,
    write: &ChannelWriteHalf<Msg>,
    first: Vec<u8>,
    traffic: &Traffic,
) -> io::Result<()> {
    let mut piece = first;
    loop {
        if !piece.is_empty() {
            let len = piece.len() as u64;
            if write.data_bytes(piece).await.is_err() {
                // The reading side says why.
                return Ok(());
            }
            traffic.bytes_out.fetch_add(len, Ordering::Relaxed);
        }
        piece = Vec::with_capacity(PIECE);
        let got = reader.read_buf(&mut piece).await;
        match got {
            Ok(0) => {
                write.eof().await.ok();
                return Ok(());
            }
            Ok(_) => {}
            Err(why) => return Err(why),
        }
    }
}

/// From the host into the spool, never waiting for whoever takes it here. Ends when the channel is closed.
async fn receive(
    read: &mut ChannelReadHalf,
    spool: &Spool,
    first: &[u8],
    traffic: &Traffic,
) -> io::Result<()> {
    spool.push(Stream::Out, first).await?;
    loop {
        match read.wait().await {
            Some(ChannelMsg::Data { data }) => {
                traffic
                    .bytes_in
                    .fetch_add(data.len() as u64, Ordering::Relaxed);
                spool.push(Stream::Out, &data).await?;
            }
            // The other way may go on.
            Some(ChannelMsg::Eof) => spool.close(),
            Some(ChannelMsg::Close) | None => {
                spool.close();
                return Ok(());
            }
            Some(_) => {}
        }
    }
}

/// From the spool to whoever is connected here, at their pace.
async fn deliver(
    mut writer: impl AsyncWrite + Unpin,
    spool: &Spool,
    delivered: &AtomicU64,
) -> io::Result<()> {
    while let Some(piece) = spool.pop().await {
        let (_, data) = piece?;
        let mut rest = data.as_slice();
        while !rest.is_empty() {
            let took = writer.write(rest).await?;
            if took == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            delivered.fetch_add(took as u64, Ordering::Relaxed);
            rest = rest.get(took..).unwrap_or_default();
        }
        writer.flush().await?;
    }
    writer.shutdown().await
}
