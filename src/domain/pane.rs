//! Panes as people see them in `:stats`: how much came, how fast, what is guessed. Plain data; the engine holds the real ones.

use super::ids::SessionId;

/// What is being done with keys that are typed before the host echoes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guessing {
    /// Nothing: the setting says so, or it is a program of this machine.
    Off,
    /// The host is near: it is not needed.
    Near,
    /// Not now: a full-screen program, a password, or keys whose effect is not known.
    Paused,
    /// Begun; shown from the first echo on.
    Begun,
    /// Shown.
    Shown,
}

impl Guessing {
    /// A word for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Near => "not needed",
            Self::Paused => "paused",
            Self::Begun => "begun",
            Self::Shown => "shown",
        }
    }
}

/// One pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaneRow {
    /// Its session.
    pub session: SessionId,
    /// Bytes that its program wrote.
    pub bytes_in: u64,
    /// Bytes in the last second or so.
    pub bytes_per_second: u64,
    /// What its lines take, in bytes, roughly.
    pub memory: u64,
    /// What is done with keys.
    pub guessing: Guessing,
}
