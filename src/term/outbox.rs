//! What the emulator has to say besides its picture: replies to the program, notices for the person. All of it bounded.

use super::screen::Size;

/// Replies not yet taken, in bytes. When full, further replies are dropped: a host that asks faster than we can answer
/// wants no answer.
const REPLIES_MAX: usize = 64 * 1024;

/// Something that happened in the pane and is not part of its picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The title changed. One line without control characters; empty when it was reset.
    Title(String),
    /// The bell rang, once or more since notices were last taken.
    Bell,
    /// The program asks to copy this text (OSC 52). It may hold anything: sanitise before showing it.
    Clipboard(String),
    /// The program wants a person to know this (OSC 9, OSC 777). One line without control characters.
    Notify(String),
}

/// A mark that a shell set in its output (OSC 133, the FinalTerm sequences that iTerm2, kitty and WezTerm use).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A prompt begins (A).
    Prompt,
    /// The prompt ends; what is typed begins (B).
    Input,
    /// A command's output begins (C).
    Output,
    /// A command has ended, with this status if the shell says one (D).
    Done(Option<i32>),
}

/// What the parser said since it was last asked.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pub replies: Vec<u8>,
    // Each is a slot, the latest wins; so there is nothing to overflow.
    pub title: Option<String>,
    pub clipboard: Option<String>,
    pub bell: bool,
    pub requests: Requests,
}

/// What the replies need to know.
#[derive(Debug, Default)]
pub(super) struct Requests {
    pub size: Size,
    pub foreground: (u8, u8, u8),
    pub background: (u8, u8, u8),
}

impl Outbox {
    pub(super) fn reply(&mut self, text: &str) {
        if self.replies.len() + text.len() <= REPLIES_MAX {
            self.replies.extend_from_slice(text.as_bytes());
        }
    }
}

/// The colours xterm uses for the 256 indices.
pub(super) fn palette(index: u8) -> (u8, u8, u8) {
    const BASE: [(u8, u8, u8); 16] = [
        (0, 0, 0),
        (205, 0, 0),
        (0, 205, 0),
        (205, 205, 0),
        (0, 0, 238),
        (205, 0, 205),
        (0, 205, 205),
        (229, 229, 229),
        (127, 127, 127),
        (255, 0, 0),
        (0, 255, 0),
        (255, 255, 0),
        (92, 92, 255),
        (255, 0, 255),
        (0, 255, 255),
        (255, 255, 255),
    ];
    let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
    match index {
        0..=15 => BASE.get(usize::from(index)).copied().unwrap_or_default(),
        16..=231 => {
            let cube = index - 16;
            (level(cube / 36), level(cube / 6 % 6), level(cube % 6))
        }
        232.. => {
            let grey = 8 + 10 * (index - 232);
            (grey, grey, grey)
        }
    }
}
