//! What is known of recordings that are played or searched.

use crate::term::deck::DeckView;

/// The recording that is played.
#[derive(Clone, Debug, PartialEq)]
pub struct Reel {
    /// The session's reference.
    pub reference: String,
    /// What is to be seen; `None` until it was read.
    pub view: Option<DeckView>,
    /// Why there is nothing to be seen: it is on its way from another device, or cannot be played.
    pub error: Option<String>,
}

/// What a search through all recordings came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// What is looked for.
    pub wanted: String,
    /// The lines, those of the newest session first.
    pub rows: Vec<FoundRow>,
    /// Nothing more will come.
    pub done: bool,
    /// What there is to say about it.
    pub said: Option<String>,
}

/// A line that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRow {
    /// The session's reference.
    pub reference: String,
    /// Its host.
    pub host: String,
    /// When the line appeared, in milliseconds from the start.
    pub at: u64,
    /// The line.
    pub line: String,
}
