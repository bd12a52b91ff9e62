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

use std::io;

pub use encoder::Encoder;
pub use protocol::{
    AppLink, Colours, FRAMES, Hello, INPUTS, Input, PROTOCOL, Size, ToApp, ToWindow, WindowLink,
    pair,
};

use crate::app::runtime::Client;

/// Opens a window onto the app in this terminal, and returns when it is closed and the terminal is given back.
///
/// # Errors
/// There is no terminal, or it cannot be made ready.
pub async fn run(client: Client) -> io::Result<()> {
    let window = client.window().await.map_err(io::Error::other)?;
    let (here, there) = pair();
    let serving = tokio::spawn(listener::serve(window, there));
    let shown = window::show(here).await;
    // The window's end of the conversation is dropped: the app's side ends by itself, and the app knows that it did.
    serving.await.map_err(io::Error::other)?;
    shown
}
