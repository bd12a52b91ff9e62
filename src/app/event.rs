//! Everything that can happen to the app, as plain data in the past tense.

use serde::{Deserialize, Serialize};

use std::path::PathBuf;
use std::sync::Arc;

use crate::command::Command;
use crate::domain::connection::ConnectionRow;
use crate::domain::forward::ForwardRow;
use crate::domain::ids::{ReqId, SessionId, WindowId};
use crate::domain::pane::PaneRow;
use crate::domain::run::Exit;
use crate::domain::runbook::{Diagnostic, Runbook};
use crate::domain::sample::Sample;
use crate::domain::time::Time;
use crate::inventory::Scan;
use crate::model::{FoundRow, QuestionId, WindowCost};
use crate::ssh::{Reply, SshFact};
use crate::store::{Answer, Committed, StoreError};
use crate::term::{Screen, Size};
use crate::ui::{Caps, UiInput};

use super::recordings::Swept;
use super::reel::ReelFact;
use super::reread::Reread;
use super::sync::{SyncFact, SyncLevel};

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// Time passed; the only way the update learns the time.
    Tick(Time),
    /// Something happened at a window.
    Window(WindowId, WindowEvent),
    /// Somebody asked for a command.
    Asked {
        /// Who.
        caller: Caller,
        /// What.
        command: Box<Command>,
    },
    /// Something came from the terminal of a command line.
    Line(LineId, LineEvent),
    /// A batch is durable, or was refused.
    Committed(ReqId, Result<Committed, StoreError>),
    /// The store answered.
    Answered(ReqId, Result<Box<Answer>, StoreError>),
    /// Another process wrote to the store.
    StoreChanged,
    /// Something happened on a connection.
    Ssh(Box<SshFact>),
    /// The connections and forwards were looked at.
    Connections(Vec<ConnectionRow>, Vec<ForwardRow>),
    /// Panes and connections were looked at for a window.
    Looked(WindowId, Box<Looked>),
    /// A pane's newest screen.
    Screen(SessionId, Arc<Screen>),
    /// A file was read.
    File(ReqId, FileFact),
    /// The player of recordings shows something.
    Reel(Box<ReelFact>),
    /// What was copied was written to a file (which says so), or the program for copied text could not take it.
    Kept(Result<String, String>),
    /// This machine was measured.
    Local(Box<Sample>),
    /// Where the agent of somebody who came in is.
    Agent(PathBuf),
    /// A command line does not take its output fast enough, or does so again.
    Slow(LineId, bool),
    /// Sync did something.
    Sync(Box<SyncFact>),
    /// How sync is now, and who else has what open: a level.
    SyncLevel(Box<SyncLevel>),
    /// The process was told to end.
    Stop,
}

/// Who asked for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Caller {
    /// A window's user.
    Window(WindowId),
    /// A command line.
    Line(LineId),
}

/// One call of a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineId(pub u32);

/// What happens at a window.
#[derive(Debug)]
pub enum WindowEvent {
    /// It came.
    Opened {
        /// Its size.
        size: Size,
        /// What it can show.
        caps: Caps,
        /// The session to show first, by reference.
        focus: Option<String>,
        /// It wants words instead of cells.
        plain: bool,
    },
    /// Its program is of this version, which is not ours.
    Program(String),
    /// What it cost so far.
    Cost(WindowCost),
    /// A key, a paste, a new size.
    Input(UiInput),
    /// It went.
    Closed,
}

/// What comes from the terminal of a command line.
#[derive(Debug, Serialize, Deserialize)]
pub enum LineEvent {
    /// Bytes from standard input; `None` is its end.
    Stdin(#[serde(with = "serde_bytes")] Option<Vec<u8>>),
    /// The terminal's new size.
    Resized(Size),
    /// Ctrl-C.
    Interrupted,
    /// Whoever sat there left: by an escape, or because the terminal is gone.
    HungUp,
    /// Nobody reads standard output any more.
    OutputClosed,
    /// An escape asks for the connections and forwards.
    Listed,
    /// An escape asks for fresh keys.
    Rekeyed,
    /// The program that was run instead has ended.
    Returned(Exit),
    /// An answer to a question.
    Answered(QuestionId, Reply),
    /// It is gone, without waiting for the end.
    Left,
}

/// What a reader of files found.
#[derive(Debug)]
pub enum FileFact {
    /// Hosts of a foreign file.
    Scanned(Result<Box<Scan>, String>),
    /// The library of runbooks.
    Library {
        /// The readable ones.
        books: Vec<Runbook>,
        /// What is wrong with the others.
        broken: Vec<Diagnostic>,
    },
    /// One runbook; `Err` with no diagnostics means that there is none of that name.
    Book(Result<Box<Runbook>, Vec<Diagnostic>>),
    /// Bytes of a file.
    Bytes(Result<Vec<u8>, String>),
    /// Recordings were looked through.
    Swept(Swept),
    /// A file was written; a line for people.
    Written(Result<String, String>),
    /// Lines that were found in recordings; more may come.
    Found(Vec<FoundRow>),
    /// All recordings were looked through; what there is to say about it.
    Looked(String),
    /// A number that differs when the settings file differs.
    SettingsMark(u64),
    /// The settings as they are now, or why they cannot be read.
    Settings(Result<Box<Reread>, String>),
    /// Findings about a settings or theme file.
    Checked(Vec<Diagnostic>),
}

/// What there is to say about panes and connections.
#[derive(Clone, Debug)]
pub struct Looked {
    /// The panes.
    pub panes: Vec<PaneRow>,
    /// The connections.
    pub connections: Vec<ConnectionRow>,
}
