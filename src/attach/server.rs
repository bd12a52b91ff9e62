//! The app's door: takes in windows and command lines of the same user, and carries their words to the app and back.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::protocol::{Hello, ToApp, pair};
use super::wire::{self, Opening, Wanted};
use super::{listener, place::Place};
use crate::app::event::LineEvent;
use crate::app::runtime::{Client, FromLine, Line};

/// How many windows and command lines there may be at once; one more waits.
const GUESTS: usize = 512;

/// How long guests may take to hear the last words when the app ends.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How often it is looked whether the socket is still there.
const LOOK: Duration = Duration::from_secs(2);

/// Takes in guests until `ended`; then lets those that are there hear the app's last words.
pub(super) async fn serve(
    listener: UnixListener,
    place: &Place,
    client: Client,
    ended: impl Future<Output = ()>,
) {
    let mut ended = std::pin::pin!(ended);
    let seats = Arc::new(Semaphore::new(GUESTS));
    let mut guests = JoinSet::new();
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            () = &mut ended => break,
            taken = listener.accept() => match taken {
                Ok((stream, _)) => {
                    let (client, seats) = (client.clone(), Arc::clone(&seats));
                    guests.spawn(async move {
                        // The semaphore is never closed.
                        let _seat = seats.acquire().await.ok();
                        // Whoever breaks off in the middle has left; there is nobody to tell.
                        converse(stream, client).await.ok();
                    });
                }
                // Out of descriptors: the guests that are there go on, and the next try comes with the next look.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
            Some(_) = guests.join_next() => {}
            // A home that was removed can be reached by nobody any more.
            _ = look.tick() => if !place.socket.exists() {
                client.stop().await.ok();
            }
        }
    }
    drop(client);
    let farewell = async { while guests.join_next().await.is_some() {} };
    tokio::time::timeout(LAST_WORDS, farewell).await.ok();
}

/// One guest, from greeting to farewell.
async fn converse(mut stream: UnixStream, client: Client) -> io::Result<()> {
    // The folder is private already; whoever got in all the same is not served.
    if stream.peer_cred()?.uid() != rustix::process::getuid().as_raw() {
        return Ok(());
    }
    if !wire::greet_client(&mut stream).await? {
        return Ok(());
    }
    let (mut read, write) = stream.into_split();
    let Some(Opening { wanted, agent }) = wire::receive(&mut read).await? else {
        return Ok(());
    };
    if let Some(agent) = agent {
        client.agent(agent).await.map_err(io::Error::other)?;
    }
    match wanted {
        Wanted::Window(hello) => window(hello, read, write, &client).await,
        Wanted::Line { person } => {
            let line = client.line(person).await.map_err(io::Error::other)?;
            self::line(line, read, write).await
        }
    }
}

async fn window(
    hello: Hello,
    mut read: OwnedReadHalf,
    mut write: OwnedWriteHalf,
    client: &Client,
) -> io::Result<()> {
    let window = client.window().await.map_err(io::Error::other)?;
    let (mut here, there) = pair();
    let to_app = here.to_app;
    let serving = tokio::spawn(listener::serve(window, there));
    let mut hearing = JoinSet::new();
    hearing.spawn(async move {
        // When the window is gone, dropping the sender tells the app so.
        if to_app.send(ToApp::Hello(hello)).await.is_ok() {
            while let Ok(Some(message)) = wire::receive(&mut read).await {
                if to_app.send(message).await.is_err() {
                    break;
                }
            }
        }
    });
    while let Some(message) = here.from_app.recv().await {
        // A window that was killed hears nothing any more.
        if wire::send(&mut write, &message).await.is_err() {
            break;
        }
    }
    // Both ends of the conversation are dropped, and its other side, which is never cut off, tells the app that the window
    // has left.
    drop(hearing);
    drop(here.from_app);
    serving.await.map_err(io::Error::other)
}

async fn line(
    mut line: Line,
    mut read: OwnedReadHalf,
    mut write: OwnedWriteHalf,
) -> io::Result<()> {
    let client = line.client();
    let hearing = async {
        while let Ok(Some(message)) = wire::receive::<FromLine>(&mut read).await {
            if client.pass(message).await.is_err() {
                return;
            }
        }
    };
    let telling = async {
        while let Some(message) = line.out.recv().await {
            if wire::send(&mut write, &message).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = hearing => {}
        () = telling => {}
    }
    // What it started is ended, unless it is over or goes on by itself. The app may have ended before.
    client.send(LineEvent::Left).await.ok();
    Ok(())
}
