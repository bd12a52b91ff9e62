//! What the engine reports: ordered facts, none of which is ever dropped.

use serde::{Deserialize, Serialize};

use std::path::PathBuf;

use crate::domain::connection::ConnectionRow;
use crate::domain::files::{CopyProgress, CopyReport, FileEntry};
use crate::domain::forward::ForwardRow;
use crate::domain::host::{Effective, Target};
use crate::domain::ids::{HostId, ReqId, SessionId};
use crate::domain::run::Exit;

/// On whose behalf a connection is made, so that a question reaches the person who waits for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// Nobody may be asked.
    Nobody,
    /// A request: a command, a copy, a question about files.
    Request(ReqId),
    /// A session in a pane.
    Session(SessionId),
    /// A forward, by its number.
    Forward(u64),
}

impl Asking {
    /// Whether a person may be asked.
    pub(crate) fn is_someone(self) -> bool {
        self != Self::Nobody
    }

    /// The same, unless `may` says that there is nobody at all.
    pub(crate) fn only_if(self, may: bool) -> Self {
        if may { self } else { Self::Nobody }
    }
}

/// Names a question until it is answered or withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct QuestionId(pub u64);

/// Something that happened.
#[derive(Debug)]
pub enum SshFact {
    /// A connection is up; later asks for the same destination share it.
    Connected {
        /// As it was asked for.
        target: Target,
        /// What was negotiated.
        info: ConnectionInfo,
    },
    /// A connection is gone.
    Disconnected {
        /// As it was asked for.
        target: Target,
        /// Why.
        reason: String,
    },
    /// Output of an exec with `Sink::Stream`, in order within each stream.
    Output {
        /// The exec.
        req: ReqId,
        /// Which stream.
        stream: Stream,
        /// At most 64 KiB.
        data: Vec<u8>,
    },
    /// An exec with `Stdin::Stream` has begun: from now on its input goes to the host, and nothing is asked any more.
    ExecStarted {
        /// The exec.
        req: ReqId,
    },
    /// The host took this much standard input of an exec with `Stdin::Stream`.
    StdinTaken {
        /// The exec.
        req: ReqId,
        /// Bytes.
        bytes: usize,
    },
    /// An exec ended; the last fact about its request.
    ExecDone {
        /// The exec.
        req: ReqId,
        /// How it ended.
        exit: Exit,
        /// Standard output, when collected.
        stdout: Vec<u8>,
        /// Standard error, when collected.
        stderr: Vec<u8>,
        /// Both as they came, when collected.
        merged: Vec<u8>,
        /// Bytes that did not fit into the limit.
        dropped: u64,
        /// From the start of the command, or from the ask if it never started.
        took_ms: u64,
    },
    /// A session's shell runs.
    SessionOpened {
        /// The session.
        session: SessionId,
        /// Whether the host may use our agent.
        agent: bool,
    },
    /// The connection of a session broke by itself; its end follows.
    SessionLost {
        /// The session.
        session: SessionId,
    },
    /// How far it is with a host that is tried again in the background.
    Reach {
        /// The request, as in [`super::SshAsk::Reach`].
        req: ReqId,
        /// How far; nothing comes after an answer or after a person is needed.
        state: Reach,
    },
    /// A session ended, or never came up; the last fact about it.
    SessionClosed {
        /// The session.
        session: SessionId,
        /// How it ended.
        exit: Exit,
        /// Bytes in the recording.
        bytes: u64,
        /// Why the recording is missing or incomplete.
        recording_error: Option<String>,
    },
    /// The remote program set the window title.
    SessionTitle {
        /// The session.
        session: SessionId,
        /// The title, as it came: to be made harmless before it is shown.
        title: String,
    },
    /// The bell rang.
    SessionBell {
        /// The session.
        session: SessionId,
    },
    /// The remote program wants this on the clipboard (OSC 52); it is for the person's settings to allow it.
    SessionClipboard {
        /// The session.
        session: SessionId,
        /// The text.
        text: String,
    },
    /// The remote program wants a person to know this (OSC 9, OSC 777): one line without controls.
    SessionNotify {
        /// The session.
        session: SessionId,
        /// The line.
        text: String,
    },
    /// A session is recorded from now on, or no more, as `Record` asked.
    RecordingChanged {
        /// The session.
        session: SessionId,
        /// It is recorded.
        on: bool,
    },
    /// What a pane shows.
    Captured {
        /// The request.
        req: ReqId,
        /// What it shows, or why nothing can be said.
        result: Result<Capture, String>,
    },
    /// A person copied text out of a session's pane.
    Copied {
        /// The session.
        session: SessionId,
        /// The text.
        text: String,
        /// It was longer than what can be copied at once.
        cut: bool,
    },
    /// There was output; at most once a second.
    SessionActivity {
        /// The session.
        session: SessionId,
    },
    /// What a session shows is not recorded any more, from here on; the session goes on.
    RecordingStopped {
        /// The session.
        session: SessionId,
        /// Why, in words.
        why: String,
    },
    /// A line that somebody watches for was written; the first at once, further ones a few times a second at most.
    Matched {
        /// The watcher, as in [`super::SshAsk::Watch`].
        req: ReqId,
        /// The session.
        session: SessionId,
        /// The line, without control characters.
        line: String,
        /// How many more lines matched since the fact before, besides this one.
        more: u64,
    },
    /// A probe answered, or could not.
    ProbeDone {
        /// The request.
        req: ReqId,
        /// The host.
        host: HostId,
        /// The lines before the lone `.`, or why there are none.
        result: Result<ProbeReply, String>,
    },
    /// Effective settings were read, or could not be; in the order of the ask.
    Resolved {
        /// The request.
        req: ReqId,
        /// What `ssh -G` says of each, or why it says nothing.
        results: Vec<(Target, Result<Effective, String>)>,
    },
    /// Which keys a host would be offered.
    Keys {
        /// The request.
        req: ReqId,
        /// The keys, or why they cannot be told.
        result: Result<KeysReport, String>,
    },
    /// A server said something that asks for no answer: its banner, or what to do before a login goes on.
    Said {
        /// What was to be reached.
        target: Target,
        /// The hop that says it.
        hop: String,
        /// Its words, made harmless; lines are parted by line feeds.
        text: String,
    },
    /// A host showed another key than the one it is known by; sent once for each attempt, besides the attempt's error.
    KeyChanged {
        /// The hop, as it was asked for.
        target: Target,
        /// The name it is known by.
        host: String,
        /// The file with the known key.
        file: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// The known key's algorithm and fingerprint.
        known: String,
        /// The shown key's algorithm and fingerprint.
        shown: String,
        /// Whether somebody waits for the connection.
        awaited: bool,
    },
    /// The connections and forwards as they were when `Status` was asked.
    Status {
        /// The request.
        req: ReqId,
        /// Connections.
        connections: Vec<ConnectionRow>,
        /// Forwards.
        forwards: Vec<ForwardRow>,
    },
    /// A forward changed its state.
    Forward(ForwardRow),
    /// How far a copy is; a few times a second at most.
    CopyProgress {
        /// The copy.
        req: ReqId,
        /// How far.
        progress: CopyProgress,
    },
    /// A copy ended; the last fact about it.
    CopyDone {
        /// The copy.
        req: ReqId,
        /// What it came to, or why nothing was copied.
        result: Result<CopyReport, String>,
    },
    /// What was asked about files.
    FilesDone {
        /// The request.
        req: ReqId,
        /// The folder and what is in it (one entry for `Stat`, none for changes), or why not.
        result: Result<FileListing, String>,
    },
    /// A person is needed; answered with `SshAsk::Answer`.
    Question {
        /// Names it.
        id: QuestionId,
        /// What was to be reached.
        target: Target,
        /// The hop that asks: the target itself or a bastion before it.
        hop: String,
        /// What is asked.
        kind: QuestionKind,
        /// On whose behalf.
        asking: Asking,
    },
    /// A question needs no answer any more.
    QuestionClosed {
        /// Which.
        id: QuestionId,
    },
    /// An ask could not be taken: a queue was full or nothing of that name runs.
    Refused {
        /// The ask, without its contents.
        ask: String,
        /// Why.
        why: String,
    },
}

/// How far it is with a host that is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It is being tried.
    Trying,
    /// The next attempt comes after this pause.
    Waiting(std::time::Duration),
    /// A connection is there.
    Answered,
    /// It was not let in, or cannot be trusted, without a person: why, in words.
    Person(String),
}

/// What a pane shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// Its lines; without escape sequences unless they were asked for.
    pub text: String,
    /// Its size in cells.
    pub size: crate::term::Size,
    /// Row and column of the cursor from 0; `None` when it is hidden.
    pub cursor: Option<(u16, u16)>,
    /// What the program called the window.
    pub title: String,
}

/// What a host would be offered to log in with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeysReport {
    /// The keys, in the order they would be offered.
    pub rows: Vec<KeyRow>,
    /// Things worth telling: files left out and why, an agent that is not there, too many keys.
    pub notes: Vec<String>,
}

/// One key or certificate that would be offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// Who holds the private half.
    pub source: KeySource,
    /// The agent's comment, or the file's path.
    pub name: String,
    /// The key's algorithm; empty when only its passphrase would tell.
    pub algorithm: String,
    /// `SHA256:…`; empty when only its passphrase would tell.
    pub fingerprint: String,
    /// Whether a certificate is shown with it.
    pub certificate: bool,
    /// Whether a passphrase would be asked for.
    pub locked: bool,
}

/// Who holds a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// The agent.
    Agent,
    /// A file.
    File,
}

/// The answer to a question about files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileListing {
    /// The folder's absolute path, as the machine spells it.
    pub path: String,
    /// Its names, sorted; folders first.
    pub entries: Vec<FileEntry>,
}

/// Which output stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// What is known of a connection that is up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// The login.
    pub user: String,
    /// The name or address that was connected to.
    pub address: String,
    /// The port.
    pub port: u16,
    /// The hops before it, first hop first.
    pub via: Vec<String>,
    /// The key exchange; without `mlkem` or `sntrup` in it, it is not safe against later quantum computers.
    pub kex: String,
    /// The host key's algorithm.
    pub host_key: String,
    /// The cipher.
    pub cipher: String,
    /// What the server calls itself.
    pub server: String,
    /// How we logged in.
    pub auth: String,
    /// `SHA256:…` of the key or the certificate's key that we logged in with; empty for other methods.
    pub fingerprint: String,
    /// What the server says before the login, made harmless; empty if nothing.
    pub banner: String,
    /// Things worth telling, such as a certificate that did not apply.
    pub notes: Vec<String>,
}

/// One answer of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeReply {
    /// The lines before the lone `.`.
    pub text: String,
    /// From the question to the end of the answer, in milliseconds.
    pub rtt_ms: u32,
}

/// What a person is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QuestionKind {
    /// Whether an unknown host key is the right one.
    HostKey {
        /// The name it would be known by.
        host: String,
        /// The key's algorithm.
        algorithm: String,
        /// `SHA256:…`, as `ssh-keygen -l` prints it.
        fingerprint: String,
        /// The file it would be written to.
        file: PathBuf,
    },
    /// Something to agree to or not, such as a host's new keys.
    Confirm {
        /// What happens on a yes, in lines; the last one asks.
        prompt: String,
    },
    /// A password or passphrase, not to be echoed.
    Secret {
        /// The prompt, as the server or we put it.
        prompt: String,
    },
    /// Something that may be echoed.
    Text {
        /// The prompt, as the server put it.
        prompt: String,
    },
}
