//! What the emulator shows: plain immutable values that any number of readers may share.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::links::Links;
use super::look::{CopyView, ShellState};

/// A size in character cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Size {
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
}

impl Size {
    /// The smallest size the emulator takes: a wide character needs two columns.
    pub const MIN: Self = Self { cols: 2, rows: 1 };

    /// The largest size the emulator takes, so that history times width stays within tens of megabytes.
    pub const MAX: Self = Self {
        cols: 1_024,
        rows: 1_024,
    };

    /// The size of `cols` by `rows`.
    pub const fn new(cols: u16, rows: u16) -> Self {
        Self { cols, rows }
    }

    /// This size within [`Self::MIN`] and [`Self::MAX`].
    pub fn clamped(self) -> Self {
        Self {
            cols: self.cols.clamp(Self::MIN.cols, Self::MAX.cols),
            rows: self.rows.clamp(Self::MIN.rows, Self::MAX.rows),
        }
    }
}

impl Default for Size {
    /// 80 by 24, what a program assumes when nobody tells it.
    fn default() -> Self {
        Self::new(80, 24)
    }
}

/// Which mouse events the program in the pane wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mouse {
    /// None.
    #[default]
    None,
    /// Presses and releases (DECSET 1000).
    Click,
    /// Also motion while a button is held (DECSET 1002).
    Drag,
    /// Also motion without a button (DECSET 1003).
    Motion,
}

/// The modes the program in the pane has set, as far as they change what we send to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modes {
    /// Arrows are sent as `ESC O A` (DECCKM).
    pub app_cursor: bool,
    /// The keypad sends its application codes (DECKPAM).
    pub app_keypad: bool,
    /// Pastes are bracketed (DECSET 2004).
    pub bracketed_paste: bool,
    /// Focus changes are reported (DECSET 1004).
    pub focus: bool,
    /// The alternate screen is shown (DECSET 1049): a full-screen program runs.
    pub alt_screen: bool,
    /// On the alternate screen, the wheel sends arrows (DECSET 1007).
    pub alternate_scroll: bool,
    /// Enter sends a line feed after the return (LNM).
    pub newline: bool,
    /// Which mouse events are wanted.
    pub mouse: Mouse,
    /// Mouse events are sent in the SGR form (DECSET 1006).
    pub mouse_sgr: bool,
    /// What the program asked for by the kitty keyboard protocol; nothing if it did not.
    pub keyboard: Keyboard,
}

/// The flags of the kitty keyboard protocol (<https://sw.kovidgoyal.net/kitty/keyboard-protocol/>), as far as they are
/// kept: what a terminal could not tell us, such as the release of a key, is never promised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keyboard(u8);

impl Keyboard {
    /// Keys that share an old code are told apart.
    pub const DISAMBIGUATE: Self = Self(1);
    /// Every key is sent as an escape code, also those that are text.
    pub const ALL_AS_ESCAPES: Self = Self(8);
    /// Such an escape code carries the text.
    pub const TEXT: Self = Self(16);

    /// The flags of these bits that are kept.
    pub const fn new(bits: u8) -> Self {
        Self(bits & (Self::DISAMBIGUATE.0 | Self::ALL_AS_ESCAPES.0 | Self::TEXT.0))
    }

    /// The bits.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether all flags of `other` are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// The shape of the cursor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CursorShape {
    /// A full cell.
    #[default]
    Block,
    /// A line below.
    Underline,
    /// A line at the left.
    Bar,
}

/// A colour as the program asked for it; what it looks like is the reader's theme.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Color {
    /// The theme's own.
    #[default]
    Default,
    /// One of the 256: 0 to 15 are the theme's, 16 to 231 a cube, 232 to 255 greys.
    Indexed(u8),
    /// Red, green and blue.
    Rgb(u8, u8, u8),
}

/// The kind of an underline (SGR 4:1 to 4:5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Underline {
    /// One line.
    #[default]
    Single,
    /// Two lines.
    Double,
    /// A wave.
    Curly,
    /// Dots.
    Dotted,
    /// Dashes.
    Dashed,
}

/// How a cell looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Style {
    /// Colour of the text.
    pub fg: Color,
    /// Colour behind the text.
    pub bg: Color,
    /// SGR 1.
    pub bold: bool,
    /// SGR 2.
    pub dim: bool,
    /// SGR 3.
    pub italic: bool,
    /// SGR 4 and its variants.
    pub underline: bool,
    /// Which of them; of no meaning without `underline`.
    pub underline_kind: Underline,
    /// SGR 58: the colour of the underline; the text's own by default.
    pub underline_color: Color,
    /// SGR 5 and 6.
    pub blink: bool,
    /// SGR 7: the colours are swapped when drawn.
    pub reverse: bool,
    /// SGR 8: not to be read, as a password prompt may ask.
    pub hidden: bool,
    /// SGR 9.
    pub strike: bool,
    /// Which address the cell leads to (OSC 8): a number for [`Screen::link`]; 0 is none. It has a meaning only together
    /// with the screen it came with.
    pub link: u16,
}

/// The most bytes a [`Glyph`] holds: a character and several marks on it.
const GLYPH_MAX: usize = 22;

/// The text of one cell: a character with its combining marks. Empty for the right half of a wide character.
///
/// Kept in place, because a screen has thousands of them. Marks that do not fit are left out.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Glyph {
    len: u8,
    bytes: [u8; GLYPH_MAX],
}

impl Glyph {
    /// Nothing: the right half of a wide character.
    pub const EMPTY: Self = Self {
        len: 0,
        bytes: [0; GLYPH_MAX],
    };

    /// The glyph of `c` with `marks`. Control characters and tabs become spaces.
    pub fn new(c: char, marks: &[char]) -> Self {
        let mut glyph = Self::EMPTY;
        // Nearly all text of a flood is this.
        if let (b' '..=b'~', []) = (u8::try_from(c).unwrap_or_default(), marks) {
            glyph.len = 1;
            glyph.bytes[0] = c as u8;
            return glyph;
        }
        glyph.push(if unsafe_to_show(c) { ' ' } else { c });
        for mark in marks {
            if !unsafe_to_show(*mark) && !glyph.push(*mark) {
                break;
            }
        }
        glyph
    }

    fn push(&mut self, c: char) -> bool {
        let start = usize::from(self.len);
        match self.bytes.get_mut(start..start + c.len_utf8()) {
            Some(room) => {
                c.encode_utf8(room);
                self.len += c.len_utf8() as u8;
                true
            }
            None => false,
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.bytes()).unwrap_or_default()
    }

    /// The text as UTF-8, which spares looking whether it is.
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// Controls would act on the reader's terminal, and the bidirectional overrides would show letters in another order
/// than they have.
fn unsafe_to_show(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl Deref for Glyph {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for Glyph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Glyph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One character cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cell {
    /// What is in it.
    pub text: Glyph,
    /// How it looks.
    pub style: Style,
}

/// One row of cells, always as wide as the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// From left to right.
    pub cells: Vec<Cell>,
    /// The line goes on in the next row, because it did not fit.
    pub wrapped: bool,
}

impl Row {
    /// The text without trailing blanks.
    pub fn text(&self) -> String {
        let mut text: String = self.cells.iter().map(|cell| cell.text.as_str()).collect();
        text.truncate(text.trim_end_matches(' ').len());
        text
    }
}

/// What one pane shows. Rows that did not change are the very same `Arc` as in the screen before.
#[derive(Clone, Debug, PartialEq)]
pub struct Screen {
    /// The size in cells.
    pub size: Size,
    /// From top to bottom, `size.rows` of them.
    pub rows: Vec<Arc<Row>>,
    /// Row and column of the cursor from 0; none when it is hidden or scrolled out of sight.
    pub cursor: Option<(u16, u16)>,
    /// The cursor's shape.
    pub cursor_shape: CursorShape,
    /// Shape and blinking by the number that sets them (DECSCUSR); 0 if the program leaves them to the reader.
    pub cursor_style: u8,
    /// What the program called the window: one line, without control characters, of bounded length.
    pub title: String,
    /// The modes at this moment.
    pub modes: Modes,
    /// How many lines the view is scrolled back; 0 is the end.
    pub scrolled_back: usize,
    /// How many lines there are to scroll back.
    pub history: usize,
    /// The addresses that cells lead to.
    pub links: Arc<Links>,
    /// Copy mode, while somebody looks around in the pane.
    pub copy: Option<CopyView>,
    /// Where the shell is, if it tells.
    pub shell: ShellState,
    /// What has just left the screen, for those who hear it and do not see it; none as long as nobody asked for it.
    pub passed: Option<Arc<Passed>>,
}

/// The last lines that left the screen at its top. What was only wrapped for width is one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// The number of the first of them, counted from the first line that was ever written.
    pub first: u64,
    /// The lines, without blanks at their ends.
    pub lines: Vec<String>,
    /// What has left the screen of the line that goes on in its first row; empty when that row begins a line.
    pub begun: String,
}

impl Passed {
    /// The number of the line in the first row of the screen.
    pub fn top(&self) -> u64 {
        self.first + self.lines.len() as u64
    }
}

impl Screen {
    /// Where a cell of this style leads, if anywhere: an address without controls and blanks, of bounded length, whose
    /// scheme is one of those that are safe to open.
    pub fn link(&self, style: &Style) -> Option<&Arc<str>> {
        self.links.get(style.link)
    }

    /// The rows as text, one a line, without trailing blanks and blank rows at the end.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            text.push_str(&row.text());
            text.push('\n');
        }
        text.truncate(text.trim_end_matches('\n').len());
        text
    }
}
