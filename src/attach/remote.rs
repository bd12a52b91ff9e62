//! The other end of the door: a window or a command line of this process, and an app that runs in another.

use std::io;
use std::path::PathBuf;

use tokio::net::UnixStream;
use tokio::sync::mpsc;

use super::place::Place;
use super::protocol::{FRAMES, Hello, INPUTS, PROTOCOL, ToApp, ToWindow, WindowLink};
use super::wire::{self, Opening, Server, Wanted};
use crate::app::runtime::{FromLine, Line, ToLine};

/// How many pieces of output wait here for a command line.
const LINE_OUT: usize = 64;

/// What answers at a place.
pub(super) enum Found {
    /// Nobody.
    Nobody,
    /// An app that speaks as we do.
    App(UnixStream),
    /// An app of another version.
    Other(Server),
}

/// Looks who serves `place`.
///
/// # Errors
/// Somebody is there, but does not answer as an app does.
pub(super) async fn find(place: &Place) -> io::Result<Found> {
    let Some(mut stream) = place.connect().await? else {
        return Ok(Found::Nobody);
    };
    // The system knows who listens; what a program says of itself is only for versions.
    let pid = stream.peer_cred()?.pid();
    let server = match wire::greet_server(&mut stream).await {
        Ok(server) => Server {
            pid: pid
                .and_then(|pid| u32::try_from(pid).ok())
                .unwrap_or(server.pid),
            ..server
        },
        // It ended while we came in.
        Err(why)
            if matches!(
                why.kind(),
                io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::BrokenPipe
            ) =>
        {
            return Ok(Found::Nobody);
        }
        Err(why) => return Err(why),
    };
    if server.protocol == PROTOCOL {
        Ok(Found::App(stream))
    } else {
        Ok(Found::Other(server))
    }
}

/// What to tell somebody whose program is not the one that runs.
pub(super) fn mismatch(server: &Server) -> String {
    format!(
        "qd {} runs here (process {}), and this is qd {}: they do not understand each other. `qd server stop` ends the one that \
         runs, with its sessions; then start this one",
        server.version,
        server.pid,
        env!("CARGO_PKG_VERSION"),
    )
}

fn agent() -> Option<PathBuf> {
    std::env::var_os("SSH_AUTH_SOCK")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
}

/// Becomes a command line of the app behind `stream`.
///
/// # Errors
/// The app is gone.
pub(super) async fn line(stream: UnixStream, person: bool) -> io::Result<Line> {
    let (mut read, mut write) = stream.into_split();
    let opening = Opening {
        wanted: Wanted::Line { person },
        agent: agent(),
    };
    wire::send(&mut write, &opening).await?;
    // When full, the socket fills, and then the app holds back what comes for this command line.
    let (tell, out) = mpsc::channel::<ToLine>(LINE_OUT);
    // When full, whoever reads the terminal waits.
    let (to, mut said) = mpsc::channel::<FromLine>(INPUTS);
    drop(tokio::spawn(async move {
        while let Ok(Some(message)) = wire::receive(&mut read).await {
            if tell.send(message).await.is_err() {
                return;
            }
        }
    }));
    drop(tokio::spawn(async move {
        while let Some(message) = said.recv().await {
            if wire::send(&mut write, &message).await.is_err() {
                return;
            }
        }
    }));
    Ok(Line::elsewhere(out, to))
}

/// Becomes a window of the app behind `stream`; the greeting that the window sends first is passed on as the opening.
pub(super) fn window(stream: UnixStream) -> WindowLink {
    let (mut read, mut write) = stream.into_split();
    let (to_app, mut said) = mpsc::channel::<ToApp>(INPUTS);
    let (tell, from_app) = mpsc::channel::<ToWindow>(FRAMES);
    drop(tokio::spawn(async move {
        while let Ok(Some(message)) = wire::receive(&mut read).await {
            if tell.send(message).await.is_err() {
                return;
            }
        }
    }));
    drop(tokio::spawn(async move {
        while let Some(message) = said.recv().await {
            let sent = match message {
                ToApp::Hello(hello) => wire::send(&mut write, &opening(hello)).await,
                message => wire::send(&mut write, &message).await,
            };
            if sent.is_err() {
                return;
            }
        }
    }));
    WindowLink { to_app, from_app }
}

fn opening(hello: Hello) -> Opening {
    Opening {
        wanted: Wanted::Window(hello),
        agent: agent(),
    }
}
