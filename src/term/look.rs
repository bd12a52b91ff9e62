//! What is asked of a pane's view, and what it says of itself: plain values, nothing that acts.

use super::outbox::Mark;
use crate::domain::look::{CopyKeys, Deed, Motion, Shape};

/// How much a pane keeps and how copy mode behaves in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// The most bytes of packed scrollback.
    pub bytes: usize,
    /// Which editor copy mode is like.
    pub keys: CopyKeys,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            bytes: 4 * 1024 * 1024,
            keys: CopyKeys::Vi,
        }
    }
}

/// Something asked of a pane's view. All but [`Look::Keep`] and a yank of a command's output begin copy mode if need be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// How much is kept from now on.
    Keep(Keep),
    /// Begins copy mode at the end.
    Begin,
    /// Scrolls by rows: back in time when positive, forward when negative, where the end also leaves copy mode; 0 leaves.
    Scroll(i32),
    /// Moves the cursor, `count` times; 0 is no count.
    Go(Motion, u32),
    /// Does something.
    Do(Deed),
    /// Looks for a pattern, from where the cursor was when the pattern's first letter was typed.
    Search {
        /// A regular expression; one that is none is looked for as it stands.
        pattern: String,
        /// Towards the beginning.
        backward: bool,
        /// No letter follows; an empty pattern then means the one before.
        done: bool,
    },
    /// A button went down here, in cells of the view: a selection of this shape begins.
    Press {
        /// Row.
        row: u16,
        /// Column.
        col: u16,
        /// What it takes.
        shape: Shape,
    },
    /// The button is held and the pointer is here; outside of the view it scrolls.
    Drag {
        /// Row, from the first in view.
        row: i32,
        /// Column.
        col: u16,
    },
    /// The button went up: what is selected is copied. It leaves copy mode if the press began it.
    Release,
    /// A click: the cursor goes there.
    Click {
        /// Row.
        row: u16,
        /// Column.
        col: u16,
    },
}

impl Look {
    /// Whether a text may come of it that somebody wanted to copy.
    pub const fn copies(&self) -> bool {
        matches!(
            self,
            Self::Release
                | Self::Do(Deed::Yank | Deed::YankAndLeave | Deed::YankLine | Deed::YankOutput)
        )
    }
}

/// A text that was copied out of a pane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The text; lines that were only wrapped for width are one.
    pub text: String,
    /// It was longer than what can be copied at once.
    pub cut: bool,
}

/// Where a shell is, as its marks tell (OSC 133).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShellState {
    /// It sent no marks yet.
    #[default]
    Unknown,
    /// It sent no marks; commands are known by what was typed, and nothing is known of how they ended.
    Typed,
    /// It waits for a command; the last one ended with this status, if one ran and the shell said.
    Ready(Option<i32>),
    /// A command runs.
    Running,
}

/// Copy mode as it is to be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyView {
    /// Row and column of the cursor in the view.
    pub cursor: (u16, u16),
    /// What a selection takes, while there is one.
    pub shape: Option<Shape>,
    /// What of the view is selected.
    pub selected: Vec<Span>,
    /// What of the view matches the search.
    pub matches: Vec<Span>,
    /// The search.
    pub search: Option<SearchView>,
    /// The cursor's line, from 1, the oldest that is kept.
    pub line: u64,
    /// How many lines there are.
    pub lines: u64,
    /// The view begins at the oldest line, and there were older ones that are not kept.
    pub older: bool,
    /// Lines that were there before the oldest that is kept.
    pub gone: u64,
    /// Rows where a prompt begins.
    pub prompts: Vec<(u16, Mark)>,
}

/// A part of a row, in cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The row in the view.
    pub row: u16,
    /// The first column.
    pub from: u16,
    /// The column after the last.
    pub to: u16,
}

/// How far a search is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchView {
    /// What is looked for.
    pub pattern: String,
    /// The match under the cursor, from 1, if the cursor is on one that was counted.
    pub at: Option<usize>,
    /// How many matches were counted.
    pub count: usize,
    /// There are more than were counted.
    pub more: bool,
    /// The pattern is no regular expression and is looked for as it stands.
    pub literal: bool,
}
