//! Windows onto the app: the protocol, the app's side and the terminal's side.
//!
//! The app draws cells; a window is a small pump on somebody's terminal. Between them go plain messages, in-process today
//! and over a socket when the app becomes a server: neither side knows which.

mod colours;
mod encoder;
mod listener;
mod protocol;
mod terminal;
mod window;

use std::io::{self, IsTerminal};

pub use encoder::Encoder;
pub use protocol::{
    AppLink, Colours, FRAMES, Hello, INPUTS, Input, PROTOCOL, Size, ToApp, ToWindow, WindowLink,
    pair,
};

use crate::app::runtime::Client;
use crate::app::start::{self, Interactive, Refused};
use crate::command::Globals;

/// Opens the workstation in this terminal: the app and its one window in this process.
///
/// # Errors
/// There is no terminal, or the app cannot start.
pub fn open(globals: &Globals) -> Result<u8, Refused> {
    terminal_here()?;
    let places = start::places(globals)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let shown = runtime.block_on(async {
        let (app, client) = start::assemble(&places, globals, Interactive::Window)?;
        let app = tokio::spawn(app.run());
        let shown = run(client).await;
        // The window was the app's reason to live; what it still writes is waited for.
        drop(app.await);
        shown
    });
    // A thread may still wait for the terminal's next key; nobody listens to it any more.
    runtime.shutdown_background();
    shown.map(|()| 0)
}

/// Opens a window onto the app in this terminal, and returns when it is closed and the terminal is given back.
///
/// # Errors
/// There is no terminal, or it cannot be made ready.
pub async fn run(client: Client) -> Result<(), Refused> {
    terminal_here()?;
    let window = client.window().await.map_err(|gone| failed(&gone))?;
    // The app ends when nobody can ask it for anything any more.
    drop(client);
    let (here, there) = pair();
    let serving = tokio::spawn(listener::serve(window, there));
    let shown = window::show(here).await;
    // The window's end of the conversation is dropped: the app's side ends by itself, and the app knows that it did.
    serving.await.map_err(|error| failed(&error))?;
    shown.map_err(|error| failed(&error))
}

fn terminal_here() -> Result<(), Refused> {
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        return Ok(());
    }
    Err(Refused {
        text:
            "the workstation needs a terminal; `qd --help` lists the commands that work without one"
                .to_owned(),
        exit: 2,
    })
}

fn failed(why: &dyn std::fmt::Display) -> Refused {
    Refused {
        text: format!(
            "the window could not be shown: {why}; try another terminal, or the commands of `qd --help`"
        ),
        exit: 1,
    }
}
