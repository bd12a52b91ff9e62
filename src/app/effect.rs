//! Everything the app can do to the world, as plain data in the imperative.

use serde::{Deserialize, Serialize};

use std::path::PathBuf;
use std::sync::Arc;

use crate::command::{ExportFormat, HostHealth, Outcome, Search};
use crate::config::Desktop;
use crate::domain::files::CopyProgress;
use crate::domain::forward::ForwardRow;
use crate::domain::ids::{EntityId, ReqId, TicketId, WindowId};
use crate::domain::recording::Keeping;
use crate::domain::run::{Exit, RunFact};
use crate::domain::session::SessionRow;
use crate::domain::time::Time;
use crate::model::QuestionId;
use crate::ssh::{QuestionKind, SshAsk, Stream};
use crate::store::{Ask, Batch};

use super::event::{Caller, LineId};
use super::recordings::Wanted;
use super::reel::ReelAsk;
use super::sync::SyncAsk;

/// Something to do.
#[derive(Debug)]
pub enum Effect {
    /// Make a batch durable; answers with `Committed`.
    Append(ReqId, Batch),
    /// Ask the store; answers with `Answered`.
    Ask(ReqId, Ask),
    /// Hold the lock that says this process owns a run or a session. It lasts until released or until the process dies.
    Hold(EntityId),
    /// Let go of it.
    Release(EntityId),
    /// Look at the connections and forwards; answers with `Connections`.
    Look,
    /// Tell the connections.
    Ssh(SshAsk),
    /// Run a step on this machine; answers as an exec does.
    Local {
        /// The request.
        req: ReqId,
        /// What `sh` gets on its standard input.
        stdin: Vec<u8>,
        /// The program, such as `sh`.
        command: String,
        /// Time limit in milliseconds.
        timeout_ms: Option<u64>,
    },
    /// Read a file; answers with `File`.
    File(ReqId, FileAsk),
    /// Play a recording on the screen; answers with `Reel`.
    Reel(ReelAsk),
    /// Look at panes and connections for a window that wants to know; answers with `Looked`.
    Stats(WindowId),
    /// Measure this machine; answers with `Local`.
    Measure,
    /// Give a command line its outcome; it ends.
    Reply(LineId, Box<Outcome>),
    /// Give a command line a part of its output.
    Emit(LineId, Emission),
    /// Ask the person at a command line.
    Question(LineId, Inquiry),
    /// Draw this window anew, from nothing.
    Redraw(WindowId),
    /// Suspend the process behind a window.
    Suspend(WindowId),
    /// End a window.
    CloseWindow(WindowId),
    /// Put text on the clipboard of a window's terminal.
    Clipboard(WindowId, String),
    /// Call whoever sits at a window.
    Call(WindowId, Call),
    /// Give a copied text to the program that the settings name for it, if they do; a failure is told by `Kept`.
    Copied(Arc<str>),
    /// Write a copied text to a new file; answers with `Kept`.
    SaveCopied(PathBuf, Arc<str>),
    /// Tell sync.
    Sync(SyncAsk),
    /// Something was written here that others may want.
    Wrote,
    /// These tickets are open here now, and since when.
    Showing(Vec<(TicketId, Time)>),
    /// End the process, after everything before this was done.
    Quit,
}

/// How somebody at a window is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Ring the bell of its terminal.
    pub bell: bool,
    /// Ask for a notification of the desktop, with these words.
    pub desktop: Option<(String, Desktop)>,
}

/// A question for a person at a command line.
#[derive(Debug, Serialize, Deserialize)]
pub struct Inquiry {
    /// The id to answer with.
    pub id: QuestionId,
    /// On which host, and by which hop; or in which run.
    pub place: String,
    /// What is asked.
    pub kind: InquiryKind,
}

/// What a person at a command line is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum InquiryKind {
    /// What a connection wants to know.
    Connection(QuestionKind),
    /// Whether to go on.
    Confirm(String),
    /// Whether to go on, by typing a word.
    Typed {
        /// What is asked.
        prompt: String,
        /// The word.
        word: String,
    },
}

/// A file to read.
#[derive(Debug)]
pub enum FileAsk {
    /// The hosts of an ssh_config.
    SshConfig(PathBuf),
    /// All runbooks of the library.
    Library,
    /// One runbook by name or path.
    Book(String),
    /// The bytes of a file.
    Bytes(PathBuf),
    /// A recording, wherever it is here.
    Recording(Wanted),
    /// Remove the recordings that must not be kept any longer.
    Sweep {
        /// What may be kept.
        keeping: Keeping,
        /// The time.
        now: Time,
    },
    /// Write a recording to a file.
    Export {
        /// Which.
        recording: Wanted,
        /// As what.
        format: ExportFormat,
        /// Where to.
        output: PathBuf,
    },
    /// Look for a text in recordings, instead of whatever was looked for before; answers several times.
    Search {
        /// What.
        search: Search,
        /// The sessions there are.
        rows: Vec<SessionRow>,
        /// The time.
        now: Time,
    },
    /// Tell this state of the settings file from others.
    SettingsMark,
    /// Read the settings again.
    Settings,
    /// Look for errors in the settings.
    CheckConfig,
    /// Look for errors in a theme.
    CheckTheme(PathBuf),
}

/// A part of the output of a command that streams.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Emission {
    /// Bytes as they came from the remote.
    Bytes(Stream, #[serde(with = "serde_bytes")] Vec<u8>),
    /// A whole line of one host among many.
    HostLine {
        /// The host.
        host: String,
        /// Which stream.
        stream: Stream,
        /// The line, without its end.
        #[serde(with = "serde_bytes")]
        line: Vec<u8>,
    },
    /// One host among many has ended.
    HostDone {
        /// The host.
        host: String,
        /// How.
        exit: Exit,
        /// How long it took.
        took_ms: u64,
    },
    /// Something durable happened in a run.
    Run {
        /// The run's reference.
        reference: String,
        /// What.
        fact: RunFact,
        /// The names of the steps, to name the step in the fact.
        step: String,
    },
    /// Output of a step while it runs.
    StepOutput {
        /// The host.
        host: String,
        /// The step's name.
        step: String,
        /// Which stream.
        stream: Stream,
        /// The bytes.
        #[serde(with = "serde_bytes")]
        data: Vec<u8>,
    },
    /// A forward changed its state.
    Forward(ForwardRow),
    /// One round of a watch over health.
    Health(Vec<HostHealth>),
    /// How far a copy is.
    Copy(CopyProgress),
    /// The host took one more piece of standard input.
    Taken,
    /// The remote end is ready for keys.
    Attached {
        /// It has a terminal, so ours may go raw now.
        terminal: bool,
        /// What begins an escape at the start of a line.
        escape: Option<u8>,
    },
    /// The system's own `ssh` is to serve this call: this program in this terminal.
    RunHere {
        /// The program and its arguments.
        argv: Vec<String>,
        /// Its end is to be told.
        told: bool,
    },
    /// A line about how something is done, for whoever wants to know.
    Detail(String),
    /// A line for people on standard error.
    Note(String),
    /// The code that a device of the space must be told.
    Code {
        /// The code.
        code: String,
        /// The fingerprint that must be shown there.
        fingerprint: String,
        /// Until when it is good.
        until: Time,
    },
}

/// The window or command line that an outcome goes to.
pub fn line_of(caller: Caller) -> Option<LineId> {
    match caller {
        Caller::Line(line) => Some(line),
        Caller::Window(_) => None,
    }
}
