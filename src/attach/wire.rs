//! The conversation over a socket: a greeting that every version understands, then frames of one message each.

use std::io;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;

use super::protocol::{Hello, PROTOCOL};

/// What both sides send first, before the number of their protocol.
const MARK: [u8; 2] = *b"QD";

/// The largest message in bytes: a list of everything a store holds fits; what claims more is not ours.
const LARGEST: u32 = 64 * 1024 * 1024;

/// How long the other side may take to greet.
const GREETING: Duration = Duration::from_secs(5);

/// Who serves: told to everybody who connects, whatever their version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Server {
    /// Its process.
    pub(super) pid: u32,
    /// Its version.
    pub(super) version: String,
    /// Its protocol.
    #[serde(skip)]
    pub(super) protocol: u8,
}

/// What somebody connects for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Wanted {
    /// To be a window.
    Window(Hello),
    /// To be a command line.
    Line {
        /// Whether somebody sits there who can be asked.
        person: bool,
    },
}

/// What a client says after the greeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Opening {
    /// What for.
    pub(super) wanted: Wanted,
    /// The agent of whoever connects, by its socket.
    pub(super) agent: Option<std::path::PathBuf>,
}

/// Greets as the app; says whether both speak the same protocol.
///
/// # Errors
/// The other side is gone, too slow, or no `qd`.
pub(super) async fn greet_client(stream: &mut UnixStream) -> io::Result<bool> {
    let me = Server {
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        protocol: PROTOCOL,
    };
    in_time(async {
        stream.write_all(&MARK).await?;
        stream.write_u8(PROTOCOL).await?;
        let text = serde_json::to_vec(&me).map_err(io::Error::other)?;
        let len = u16::try_from(text.len()).map_err(io::Error::other)?;
        stream.write_u16(len).await?;
        stream.write_all(&text).await?;
        Ok(read_mark(stream).await? == PROTOCOL)
    })
    .await
}

/// Greets as a client, and says who serves.
///
/// # Errors
/// The other side is gone, too slow, or no `qd`.
pub(super) async fn greet_server(stream: &mut UnixStream) -> io::Result<Server> {
    in_time(async {
        stream.write_all(&MARK).await?;
        stream.write_u8(PROTOCOL).await?;
        let protocol = read_mark(stream).await?;
        let len = stream.read_u16().await?;
        let mut text = vec![0; usize::from(len)];
        stream.read_exact(&mut text).await?;
        let server: Server = serde_json::from_slice(&text).map_err(io::Error::other)?;
        Ok(Server { protocol, ..server })
    })
    .await
}

async fn read_mark(stream: &mut UnixStream) -> io::Result<u8> {
    let mut mark = [0; 2];
    stream.read_exact(&mut mark).await?;
    if mark != MARK {
        return Err(io::Error::other("what answers there is no qd"));
    }
    stream.read_u8().await
}

async fn in_time<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match tokio::time::timeout(GREETING, work).await {
        Ok(done) => done,
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "it does not answer",
        )),
    }
}

/// Sends one message.
///
/// # Errors
/// The other side is gone, or the message is too large.
pub(super) async fn send<T: Serialize>(
    to: &mut (impl AsyncWrite + Unpin),
    message: &T,
) -> io::Result<()> {
    let mut frame = vec![0; 4];
    frame.extend(minicbor_serde::to_vec(message).map_err(io::Error::other)?);
    let len = u32::try_from(frame.len() - 4)
        .ok()
        .filter(|len| *len <= LARGEST)
        .ok_or_else(|| io::Error::other("a message is too large"))?;
    if let Some(head) = frame.get_mut(..4) {
        head.copy_from_slice(&len.to_be_bytes());
    }
    to.write_all(&frame).await
}

/// Receives one message; `None` when the other side has left. It must not be cancelled half way.
///
/// # Errors
/// The connection broke inside a message, or what came is no message.
pub(super) async fn receive<T: DeserializeOwned>(
    from: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<T>> {
    let len = match from.read_u32().await {
        Ok(len) => len,
        Err(why) if why.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(why) => return Err(why),
    };
    if len > LARGEST {
        return Err(io::Error::other("a message is too large to be one"));
    }
    // Grown as it comes: a length is a claim, and memory is only spent on bytes.
    let mut body = Vec::new();
    from.take(u64::from(len)).read_to_end(&mut body).await?;
    if body.len() != len as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    minicbor_serde::from_slice(&body)
        .map(Some)
        .map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::effect::Emission;
    use crate::command::{Command, Surface, parse_words};
    use crate::ssh::Stream;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    #[tokio::test]
    async fn every_command_comes_out_as_it_went_in() -> Outcome {
        let lines = [
            "ssh web1 -- uname -a",
            "exec -H web* -f 3 --fold -- uptime",
            "run start deploy -H web1 -p version=1.2 --ticket T-7K3F",
            "health -H all",
            "session ls",
            "ticket add disk full --tag db --priority 1",
        ];
        for line in lines {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let parsed = parse_words(&words, Surface::Line)
                .map_err(|why| format!("{line}: {}", why.text))?;
            let row = parsed.row.ok_or("a command")?;
            let command = (row.build)(&parsed.args).map_err(|why| why.to_string())?;
            let (mut here, mut there) = tokio::io::duplex(1 << 20);
            send(&mut here, &command).await?;
            assert_eq!(receive::<Command>(&mut there).await?, Some(command));
        }
        Ok(())
    }

    #[tokio::test]
    async fn bytes_stay_bytes_and_ends_are_told() -> Outcome {
        let (mut here, mut there) = tokio::io::duplex(1 << 20);
        let sent = Emission::Bytes(Stream::Err, vec![0xff; 1000]);
        send(&mut here, &sent).await?;
        send(&mut here, &sent).await?;
        assert_eq!(receive::<Emission>(&mut there).await?, Some(sent));
        assert!(receive::<Hello>(&mut there).await.is_err(), "another kind");
        here.write_u32(9).await?;
        here.write_all(b"half").await?;
        drop(here);
        assert!(receive::<Emission>(&mut there).await.is_err());
        assert!(receive::<Emission>(&mut there).await?.is_none());
        let (mut here, mut there) = tokio::io::duplex(64);
        here.write_u32(u32::MAX).await?;
        assert!(receive::<Emission>(&mut there).await.is_err());
        Ok(())
    }

    #[tokio::test]
    async fn versions_are_compared_before_anything_else() -> Outcome {
        let (mut server, mut client) = UnixStream::pair()?;
        let (same, who) = tokio::join!(greet_client(&mut server), greet_server(&mut client));
        assert!(same?);
        assert_eq!(who?.pid, std::process::id());
        let (mut server, mut client) = UnixStream::pair()?;
        client.write_all(b"QD\xff").await?;
        assert!(!greet_client(&mut server).await?);
        let (mut server, mut client) = UnixStream::pair()?;
        client.write_all(b"GET").await?;
        assert!(greet_client(&mut server).await.is_err());
        Ok(())
    }
}
