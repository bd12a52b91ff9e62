//! The strings that terminals answer with: which there are, and what tells them from a key with Alt.

/// A kind of string (ECMA-48, section 5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `ESC ]`, OSC: colours, the clipboard.
    System,
    /// `ESC P`, DCS: versions, settings.
    Device,
    /// `ESC _`, APC: kitty's pictures.
    Application,
}

impl Kind {
    /// The kind that a byte after Escape begins.
    pub(super) fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            b']' => Self::System,
            b'P' => Self::Device,
            b'_' => Self::Application,
            _ => return None,
        })
    }

    /// The key that, with Alt, begins in the same way.
    pub(super) const fn letter(self) -> char {
        match self {
            Self::System => ']',
            Self::Device => 'P',
            Self::Application => '_',
        }
    }

    /// Whether an answer of a terminal may go on so; otherwise it was a key.
    pub(super) fn may_begin(self, byte: u8) -> bool {
        match self {
            Self::System => byte.is_ascii_digit(),
            Self::Device => byte.is_ascii_digit() || matches!(byte, b'>' | b'!' | b'$' | b'+'),
            Self::Application => byte == b'G',
        }
    }
}
