//! Windows onto the app: the protocol, the app's side and the terminal's side.
//!
//! The app draws cells; a window is a small pump on somebody's terminal. Between them go plain messages, in-process today
//! and over a socket when the app becomes a server: nothing here knows which.

mod protocol;

pub use protocol::{
    AppLink, Colours, FRAMES, Hello, INPUTS, Input, PROTOCOL, Size, ToApp, ToWindow, WindowLink,
    pair,
};

/// Stub until the window is here.
pub async fn run(_: crate::app::runtime::Client) -> Result<(), crate::app::start::Refused> {
    Ok(())
}
/// Stub until the window is here.
pub fn open(_: &crate::command::Globals) -> Result<u8, crate::app::start::Refused> {
    Ok(0)
}
