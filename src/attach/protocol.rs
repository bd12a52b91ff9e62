//! What a window and the app say to each other. Every message is plain data with a serde form; nothing here does I/O.

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// The first byte of every conversation: the version of everything after it.
pub const PROTOCOL: u8 = 2;

/// How many inputs may wait for the app. When full, the window stops reading its terminal, whose own buffer then holds
/// what is typed: nothing is lost.
pub const INPUTS: usize = 256;

/// How many frames may wait for a window. The app sends the next frame only after the last was acknowledged, so one is in
/// flight; the others leave room for `RunHere` and `Bye`.
pub const FRAMES: usize = 4;

/// How many colours a window can show, in the protocol's own words so that it stays stable.
pub type Colours = crate::ui::Colors;

/// The size of a window in cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
}

/// What a window says first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The protocol it speaks, [`PROTOCOL`].
    pub version: u8,
    /// Its size.
    pub size: Size,
    /// Its colours.
    pub colours: Colours,
    /// Whether it can show characters beyond ASCII.
    pub unicode: bool,
    /// What else its terminal can do.
    #[serde(default)]
    pub features: super::features::Features,
    /// The session to show first, by reference.
    #[serde(default)]
    pub focus: Option<String>,
    /// The version of its program.
    #[serde(default)]
    pub program: Option<String>,
    /// It wants lines of text that are only ever added to, and no cells: for screen readers.
    pub plain: bool,
}

/// What a window knows of the way to its terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// The smoothed time until the terminal answers, in microseconds; none as long as it has not answered.
    pub round_trip_us: Option<u32>,
    /// How many bytes a second it takes, as far as that was ever felt.
    pub bytes_per_second: Option<u32>,
}

/// Something a terminal's user did, as crossterm read it.
pub type Input = crossterm::event::Event;

/// From a window to the app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToApp {
    /// The first message.
    Hello(Hello),
    /// Something was typed, pasted or clicked.
    Input(Input),
    /// The terminal has another size.
    Resize(Size),
    /// The next frame may come: this one is on the terminal, or so little is on its way that it does not matter.
    Ack {
        /// Its number.
        seq: u64,
        /// What is known of the way to the terminal.
        way: Way,
    },
    /// What was to run here has ended with this status.
    Ran {
        /// As a shell would say it; 127 when it could not be started.
        status: i32,
    },
    /// The window goes away.
    Bye,
}

/// From the app to a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToWindow {
    /// Bytes for the terminal, to be acknowledged.
    Frame {
        /// Its number, counting up.
        seq: u64,
        /// A whole update of the screen.
        bytes: Vec<u8>,
    },
    /// Give the terminal to this program until it ends (an editor, a pager).
    RunHere {
        /// The program and its arguments; no shell reads them.
        argv: Vec<String>,
    },
    /// Stop as Ctrl-Z stops others; the next message after that is a `Resize`, which asks for a whole frame.
    Suspend,
    /// Put this text on the terminal's clipboard (OSC 52).
    Clipboard(String),
    /// The window must close and print these lines, if any, below the shell's prompt.
    Bye {
        /// Lines for people.
        message: String,
    },
}

/// The window's two ends of the conversation. Dropping it closes both: the app sees the window leave.
#[derive(Debug)]
pub struct WindowLink {
    /// To the app; bounded by [`INPUTS`].
    pub to_app: mpsc::Sender<ToApp>,
    /// From the app; bounded by [`FRAMES`].
    pub from_app: mpsc::Receiver<ToWindow>,
}

/// The app's two ends of the conversation. Dropping it closes the window.
#[derive(Debug)]
pub struct AppLink {
    /// To the window; bounded by [`FRAMES`].
    pub to_window: mpsc::Sender<ToWindow>,
    /// From the window; bounded by [`INPUTS`].
    pub from_window: mpsc::Receiver<ToApp>,
}

/// A conversation inside one process.
pub fn pair() -> (WindowLink, AppLink) {
    let (to_app, from_window) = mpsc::channel(INPUTS);
    let (to_window, from_app) = mpsc::channel(FRAMES);
    (
        WindowLink { to_app, from_app },
        AppLink {
            to_window,
            from_window,
        },
    )
}
