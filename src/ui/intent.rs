//! What goes into the screen and what comes out of it: plain data, no handle.

use secrecy::SecretString;

use crate::command::{Command, Monitored};
use crate::domain::ids::{HostId, SessionId};
use crate::domain::key::Key;
use crate::model::QuestionId;
use crate::term::Look;
use crate::term::deck::DeckAsk;
use crate::term::encode::MouseEvent;

/// Something a window sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UiInput {
    /// A key was pressed.
    Key(Key),
    /// Text was pasted (bracketed paste); it is never taken for keys.
    Paste(String),
    /// The window has another size.
    Resize {
        /// Columns.
        cols: u16,
        /// Rows.
        rows: u16,
    },
    /// The window has the keyboard.
    FocusGained,
    /// The window lost the keyboard.
    FocusLost,
    /// The mouse did something, in cells of the window. Everything can be done without it.
    Mouse(MouseEvent),
}

/// What the user wants of the app. What only moves the screen never leaves [`super::Ui`].
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for a key press; a box would gain nothing"
)]
pub enum Intent {
    /// Do this; all arguments are there and what is dangerous was confirmed.
    Command(Command),
    /// Send this to a session.
    Session(SessionId, SessionInput),
    /// Press a button of the player that plays this session's recording.
    Reel(String, DeckAsk),
    /// The answer to a question.
    Answer(QuestionId, Reply),
    /// Forget a session that has ended.
    Dismiss(SessionId),
    /// Load this theme, which is none of the built-in ones, and give it to [`super::Ui::set_theme`].
    Theme(String),
    /// Change who gets what is typed, or what calls.
    Guard(GuardOrder),
    /// Write what was copied last to a new file.
    SaveCopied(String),
    /// Leave this window.
    Quit,
    /// Suspend the program, as Ctrl-Z does for others.
    Suspend,
    /// Show what windows, panes and connections cost.
    Stats,
    /// Send every window a whole frame.
    Redraw,
}

/// A change of who gets what is typed, or of what calls people to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuardOrder {
    /// Mark a session for a broadcast, or take its mark away.
    Mark(SessionId),
    /// Take all marks away.
    Unmark,
    /// Begin a broadcast; its receivers were shown and confirmed.
    Begin {
        /// Who gets what is typed into one of them.
        members: Vec<SessionId>,
        /// Production hosts were confirmed by a typed word; without it they are left out.
        production: bool,
    },
    /// End the broadcast.
    End,
    /// Watch for something in a session, or no longer.
    Monitor(SessionId, Monitored),
}

/// What a user gives to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionInput {
    /// A key; encoded with the pane's current modes.
    Key(Key),
    /// Pasted text; it was shown and confirmed if it has several lines.
    Paste(String),
    /// What the mouse did, in cells of the pane; sent if its program asked for it.
    Mouse(MouseEvent),
    /// Whether the pane has the keyboard; sent if its program asked for it.
    Focus(bool),
    /// Look around in it, select, search, copy.
    Look(Look),
}

/// The answer to a question.
#[derive(Debug)]
pub enum Reply {
    /// Yes, or the exact word was typed.
    Yes,
    /// No; the question was declined or left.
    No,
    /// A text that may be seen.
    Text(String),
    /// A secret.
    Secret(SecretString),
}

/// What data the visible views need. The app fetches it and writes the model.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Want {
    /// A page of tickets.
    Tickets {
        /// The query's text; empty is the usual list.
        query: String,
    },
    /// One ticket with its entries.
    Case(String),
    /// Details of one host, by name: effective settings, entries, tickets.
    Host(String),
    /// Fresh health of these hosts, which are on the screen.
    Health(Vec<HostId>),
    /// A page of runs.
    Runs,
    /// One run with its cells.
    Run(String),
    /// Recorded sessions.
    Recorded,
    /// The text of one recording.
    Recording(String),
    /// The screen of a live session.
    Screen(SessionId),
    /// The library of runbooks.
    Books,
    /// Connections and forwards, always fresh.
    Connections,
    /// What is in a folder.
    Folder {
        /// On which host; `None` is this machine.
        host: Option<String>,
        /// Its path; empty is the account's home.
        path: String,
    },
}
