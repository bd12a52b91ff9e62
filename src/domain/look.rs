//! The words of copy mode: where the cursor can go, what can be selected, what can be done there.

use serde::{Deserialize, Serialize};

/// Which set of keys copy mode listens to; it also decides whether the character under the cursor is part of a selection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CopyKeys {
    /// Those of vi: the character under the cursor is selected too.
    #[default]
    Vi,
    /// Those of emacs: a selection ends before the cursor.
    Emacs,
}

/// Where the cursor goes. A line is what the program wrote between two line feeds, however many rows it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Motion {
    /// One character left.
    Left,
    /// One character right.
    Right,
    /// One row up.
    Up,
    /// One row down.
    Down,
    /// The first column of the line.
    LineStart,
    /// The first character of the line that is no blank.
    FirstText,
    /// The end of the line.
    LineEnd,
    /// The next word; a big word is whatever stands between blanks.
    WordNext {
        /// Only blanks part words.
        big: bool,
    },
    /// The beginning of this word, or of the one before.
    WordBack {
        /// Only blanks part words.
        big: bool,
    },
    /// The end of this word, or of the next.
    WordEnd {
        /// Only blanks part words.
        big: bool,
    },
    /// The empty line before.
    ParagraphBack,
    /// The empty line after.
    ParagraphNext,
    /// The first row in view.
    ViewTop,
    /// The middle row in view.
    ViewMiddle,
    /// The last row in view.
    ViewBottom,
    /// The first line that is kept; with a count, that line.
    Top,
    /// The last line; with a count, that line.
    Bottom,
    /// Half a page down.
    HalfDown,
    /// Half a page up.
    HalfUp,
    /// A page down.
    PageDown,
    /// A page up.
    PageUp,
    /// The view one row down; the cursor stays if it can.
    ScrollDown,
    /// The view one row up; the cursor stays if it can.
    ScrollUp,
    /// A character in this line.
    Find(Find, char),
    /// The same character again.
    FindAgain,
    /// The same character the other way.
    FindBack,
    /// The bracket that belongs to this one.
    Bracket,
    /// The next match of the search.
    Match,
    /// The match before.
    MatchBack,
    /// The next place where the word under the cursor stands.
    Word,
    /// The place before.
    WordBefore,
    /// The prompt before.
    PromptBack,
    /// The next prompt.
    PromptNext,
}

/// How a character is looked for in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Find {
    /// Onto the next one.
    On,
    /// Onto the one before.
    OnBack,
    /// Before the next one.
    Till,
    /// After the one before.
    TillBack,
}

/// What a selection takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shape {
    /// From one character to another.
    Chars,
    /// Whole words.
    Words,
    /// Whole lines.
    Lines,
    /// A rectangle.
    Block,
}

/// What is done in copy mode besides moving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deed {
    /// Begins a selection here, or ends one of this shape; another shape takes over what is selected.
    Select(Shape),
    /// Takes the selection away.
    Clear,
    /// Goes to the other end of the selection.
    OtherEnd,
    /// Goes to the other corner of a rectangle, in the same line.
    OtherCorner,
    /// Copies the selection and takes it away.
    Yank,
    /// Copies the selection and leaves.
    YankAndLeave,
    /// Copies this line.
    YankLine,
    /// Copies what the last command wrote, as the shell's marks tell; it works outside copy mode too.
    YankOutput,
    /// Leaves: the pane follows its output again.
    Leave,
    /// Takes the selection away, or leaves when there is none.
    Escape,
    /// The cursor's row in the middle of the view.
    Centre,
    /// Forgets what was typed for the search and goes back to where it began.
    CancelSearch,
}
