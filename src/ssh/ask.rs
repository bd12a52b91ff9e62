//! What the loop may ask of the engine: plain data, printed without what people type or send.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::config::Predict;
use crate::domain::files::CopyJob;
use crate::domain::forward::ForwardRule;
use crate::domain::host::Target;
use crate::domain::ids::{HostId, ReqId, SessionId};
use crate::domain::key::Key;
use crate::term::encode::MouseEvent;
use crate::term::{Keep, Look, Size};

use super::fact::QuestionId;
use super::surroundings::Surroundings;

/// One request to the engine. Its `Debug` names requests, hosts and sizes, never contents.
pub enum SshAsk {
    /// Runs one command; answered by [`super::SshFact::ExecDone`], always and once.
    Exec {
        /// Names the request in every fact about it.
        req: ReqId,
        /// Where.
        target: Target,
        /// What and how.
        spec: ExecSpec,
    },
    /// More standard input for an exec with [`Stdin::Stream`]; each is answered by `StdinTaken` when the host took it.
    Stdin {
        /// The exec.
        req: ReqId,
        /// The bytes, at most a few hundred KiB; `None` is the end of the input.
        data: Option<Vec<u8>>,
    },
    /// The window of an exec with a pseudo-terminal changed.
    Window {
        /// The exec.
        req: ReqId,
        /// Columns.
        cols: u16,
        /// Rows.
        rows: u16,
    },
    /// Holds back the output of an exec with [`Sink::Stream`], or lets it come again; the host waits once the buffers are full.
    Pause {
        /// The exec.
        req: ReqId,
        /// Whether it is held back.
        on: bool,
    },
    /// Tells where the agent is of somebody who came in; used where the engine's own agent is taken from the environment.
    Agent {
        /// Its socket.
        socket: PathBuf,
    },
    /// Tells what programs of this machine in panes are told of the app.
    Around(Surroundings),
    /// Stops an exec: TERM, then the channel is closed.
    Cancel {
        /// The exec.
        req: ReqId,
    },
    /// Opens a shell in an emulated pane.
    Open {
        /// Names the session in every fact and ask about it.
        session: SessionId,
        /// Where.
        target: Target,
        /// The pane's size.
        size: Size,
        /// The `TERM` to announce.
        term: String,
        /// The file for an asciicast recording; `None` records nothing.
        recording: Option<PathBuf>,
    },
    /// Shows in a pane how a session ended that is lost, out of its recording. Nothing can be typed into it; [`SshAsk::Close`]
    /// forgets it.
    Revive {
        /// The session.
        session: SessionId,
        /// The file of its recording.
        recording: PathBuf,
        /// The pane's size.
        size: Size,
    },
    /// The pane that is opened next under this name goes on where another one ended: once its shell is there it takes over
    /// what that one showed, and writes below. Until then, and if it never comes, the other one stays as it is.
    Follow {
        /// The session that will be opened.
        session: SessionId,
        /// The one that has ended.
        after: SessionId,
    },
    /// The pane that is opened next under this name is opened for nobody: no person is asked anything, and it keeps to the
    /// pauses of background work.
    Quietly {
        /// The session that will be opened.
        session: SessionId,
    },
    /// Tries in the background to reach a host again, asking nobody, with growing pauses, until it answers or only a person can
    /// go on; told by [`super::SshFact::Reach`].
    Reach {
        /// Names the request in every fact about it.
        req: ReqId,
        /// Where.
        target: Target,
    },
    /// Ends that; nothing more is told of it.
    ReachStop {
        /// The request.
        req: ReqId,
    },
    /// When typed characters are shown before a host has echoed them, in panes that are opened from now on.
    Predict {
        /// When.
        when: Predict,
    },
    /// A key for a session, encoded with the modes its pane has at that moment.
    Key {
        /// The session.
        session: SessionId,
        /// The key.
        key: Key,
    },
    /// Pasted text for a session, bracketed if the remote program asked for it.
    Paste {
        /// The session.
        session: SessionId,
        /// The text.
        text: String,
    },
    /// Bytes for a session, sent as they are.
    Raw {
        /// The session.
        session: SessionId,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// What the mouse did over a session's pane; sent if its program asked for it.
    Mouse {
        /// The session.
        session: SessionId,
        /// What happened, in cells of the pane.
        event: MouseEvent,
    },
    /// A session's pane got the keyboard or lost it; sent if its program asked for it.
    Focus {
        /// The session.
        session: SessionId,
        /// Whether it has the keyboard now.
        gained: bool,
    },
    /// A pane's size changed.
    Resize {
        /// The session.
        session: SessionId,
        /// The new size.
        size: Size,
    },
    /// Looks around in a pane; what is copied there comes as [`super::SshFact::Copied`].
    Look {
        /// The session.
        session: SessionId,
        /// How.
        look: Look,
    },
    /// How much every pane opened from now on keeps.
    Keep(Keep),
    /// Ends a session as a hangup would.
    Close {
        /// The session.
        session: SessionId,
    },
    /// Switches the recording of a session's pane; told by [`super::SshFact::RecordingChanged`], and by
    /// [`super::SshFact::RecordingStopped`] when the disk does not take it.
    Record {
        /// The session.
        session: SessionId,
        /// The file to begin or to go on with; `None` stops.
        file: Option<PathBuf>,
    },
    /// Sets a marker in the recording of a session's pane; none when it is not recorded.
    MarkRecording {
        /// The session.
        session: SessionId,
        /// What it says.
        text: String,
    },
    /// Asks what a pane shows, the program in it alive or dead; answered by [`super::SshFact::Captured`].
    Capture {
        /// Names the request.
        req: ReqId,
        /// The session.
        session: SessionId,
        /// The lines before the screen too.
        scrollback: bool,
        /// Colours and attributes as escape sequences.
        ansi: bool,
    },
    /// Whether sessions from now on must be recorded: one that cannot be is refused.
    RecordStrictly {
        /// They must.
        on: bool,
    },
    /// Starts the one long probe channel of a host, or keeps the one that runs; never asks a person.
    Probe {
        /// The host.
        host: HostId,
        /// Where it is.
        target: Target,
        /// A program that answers each line with lines up to a lone `.`.
        command: String,
    },
    /// Asks the probe for one sample; answered by `ProbeDone`.
    ProbeAsk {
        /// Names the request.
        req: ReqId,
        /// The host.
        host: HostId,
    },
    /// Ends a host's probe channel.
    ProbeStop {
        /// The host.
        host: HostId,
    },
    /// Reads the effective settings of destinations without connecting; answered by `Resolved`.
    Resolve {
        /// Names the request.
        req: ReqId,
        /// Which.
        targets: Vec<Target>,
    },
    /// Which keys a host would be offered, in which order; connects to nothing but the agent. Answered by `Keys`.
    Keys {
        /// Names the request.
        req: ReqId,
        /// Which host.
        target: Target,
    },
    /// The answer to a `Question`.
    Answer {
        /// Which question.
        question: QuestionId,
        /// What was said.
        reply: Reply,
    },
    /// Starts a forward through a host; told by [`super::SshFact::Forward`] at each change of its state.
    Forward {
        /// Names it, unique in the process.
        id: u64,
        /// Through which host.
        target: Target,
        /// What.
        rule: ForwardRule,
        /// Whether a person may be asked about keys and passwords.
        interactive: bool,
    },
    /// Stops a forward; connections that it carries end.
    ForwardStop {
        /// Which.
        id: u64,
    },
    /// Copies files over SFTP; told by `CopyProgress`, ended by `CopyDone`, stopped by `Cancel`.
    Copy {
        /// Names the request.
        req: ReqId,
        /// What.
        job: CopyJob,
        /// The hosts that the job names.
        targets: BTreeMap<String, Target>,
        /// Whether a person may be asked about keys and passwords.
        interactive: bool,
    },
    /// Looks at files or changes a name; answered by `FilesDone`, always and once.
    Files {
        /// Names the request.
        req: ReqId,
        /// On which host; `None` is this machine.
        target: Option<Target>,
        /// What.
        ask: FilesAsk,
    },
    /// Names the hosts that are reached by the system's `ssh`, as [`crate::domain::host::listed`] reads patterns. It replaces
    /// what was said before; what runs is not touched.
    SystemHosts {
        /// The patterns.
        patterns: Vec<String>,
    },
    /// Opens a program of this machine in an emulated pane; told like a session.
    OpenLocal {
        /// Names the session in every fact and ask about it.
        session: SessionId,
        /// The program and its arguments; empty is the login shell.
        program: Vec<String>,
        /// The pane's size.
        size: Size,
        /// The `TERM` to announce.
        term: String,
        /// The file for an asciicast recording; `None` records nothing.
        recording: Option<PathBuf>,
        /// The session's reference, which the program finds in its environment.
        reference: String,
    },
    /// Asks the host of a running exec for fresh keys.
    Rekey {
        /// The exec.
        req: ReqId,
    },
    /// Closes the channel of a running exec at once, as a terminal that is gone would.
    HangUp {
        /// The exec.
        req: ReqId,
    },
    /// Asks for the connections and forwards as they are; answered by `Status`.
    Status {
        /// Names the request.
        req: ReqId,
    },
    /// Looks for patterns in what a session shows; each line found is told by [`super::SshFact::Matched`] with the same `req`,
    /// until [`SshAsk::Unwatch`] or the end of the session. Patterns that are none are answered by `Refused`, with
    /// `Watch(req, …)` as the ask. A pane may have several watchers.
    Watch {
        /// Names the watcher.
        req: ReqId,
        /// The session.
        session: SessionId,
        /// Regular expressions; a line with one of them is found.
        patterns: Vec<String>,
        /// Whether what is on the screen already counts.
        already: bool,
    },
    /// Ends a watch.
    Unwatch {
        /// The watcher.
        req: ReqId,
        /// Its session.
        session: SessionId,
    },
    /// Closes the connections to a destination; what runs there ends as unreachable.
    Disconnect {
        /// Where.
        target: Target,
    },
}

impl fmt::Debug for SshAsk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exec { req, target, spec } => {
                write!(f, "Exec({req:?}, {}, {spec:?})", target.name)
            }
            Self::Stdin { req, data } => {
                let len = data.as_ref().map(Vec::len);
                write!(f, "Stdin({req:?}, bytes: {len:?})")
            }
            Self::Window { req, cols, rows } => write!(f, "Window({req:?}, {cols}x{rows})"),
            Self::Pause { req, on } => write!(f, "Pause({req:?}, {on})"),
            Self::Agent { socket } => write!(f, "Agent({})", socket.display()),
            Self::Around(around) => write!(f, "Around({})", around.app.display()),
            Self::Cancel { req } => write!(f, "Cancel({req:?})"),
            Self::Open {
                session, target, ..
            } => write!(f, "Open({session}, {})", target.name),
            Self::Key { session, .. } => write!(f, "Key({session})"),
            Self::Paste { session, text } => write!(f, "Paste({session}, {} bytes)", text.len()),
            Self::Raw { session, bytes } => write!(f, "Raw({session}, {} bytes)", bytes.len()),
            Self::Revive { session, .. } => write!(f, "Revive({session})"),
            Self::Follow { session, after } => write!(f, "Follow({session}, {after})"),
            Self::Quietly { session } => write!(f, "Quietly({session})"),
            Self::Reach { req, target } => write!(f, "Reach({req:?}, {})", target.name),
            Self::ReachStop { req } => write!(f, "ReachStop({req:?})"),
            Self::Mouse { session, .. } => write!(f, "Mouse({session})"),
            Self::Focus { session, gained } => write!(f, "Focus({session}, {gained})"),
            Self::Resize { session, size } => write!(f, "Resize({session}, {size:?})"),
            Self::Look { session, .. } => write!(f, "Look({session})"),
            Self::Keep(keep) => write!(f, "Keep({keep:?})"),
            Self::Close { session } => write!(f, "Close({session})"),
            Self::Record { session, file } => write!(f, "Record({session}, {})", file.is_some()),
            Self::MarkRecording { session, .. } => write!(f, "MarkRecording({session})"),
            Self::Capture { req, session, .. } => write!(f, "Capture({req:?}, {session})"),
            Self::RecordStrictly { on } => write!(f, "RecordStrictly({on})"),
            Self::Probe { host, target, .. } => write!(f, "Probe({host}, {})", target.name),
            Self::ProbeAsk { req, host } => write!(f, "ProbeAsk({req:?}, {host})"),
            Self::ProbeStop { host } => write!(f, "ProbeStop({host})"),
            Self::Resolve { req, targets } => {
                write!(f, "Resolve({req:?}, {} targets)", targets.len())
            }
            Self::Keys { req, target } => write!(f, "Keys({req:?}, {})", target.name),
            Self::Answer { question, reply } => write!(f, "Answer({question:?}, {reply:?})"),
            Self::Forward {
                id, target, rule, ..
            } => {
                write!(f, "Forward({id}, {}, {rule:?})", target.name)
            }
            Self::ForwardStop { id } => write!(f, "ForwardStop({id})"),
            Self::Copy { req, job, .. } => write!(f, "Copy({req:?}, {} sources)", job.from.len()),
            Self::Files { req, target, ask } => {
                let host = target.as_ref().map(|target| target.name.as_str());
                write!(f, "Files({req:?}, {host:?}, {ask:?})")
            }
            Self::SystemHosts { patterns } => write!(f, "SystemHosts({patterns:?})"),
            Self::OpenLocal { session, .. } => write!(f, "OpenLocal({session})"),
            Self::Rekey { req } => write!(f, "Rekey({req:?})"),
            Self::HangUp { req } => write!(f, "HangUp({req:?})"),
            Self::Status { req } => write!(f, "Status({req:?})"),
            Self::Watch { req, session, .. } => write!(f, "Watch({req:?}, {session})"),
            Self::Unwatch { req, session } => write!(f, "Unwatch({req:?}, {session})"),
            Self::Predict { when } => write!(f, "Predict({})", when.word()),
            Self::Disconnect { target } => write!(f, "Disconnect({})", target.name),
        }
    }
}

/// One command and what to do with its streams.
#[derive(Clone, Debug)]
pub struct ExecSpec {
    /// Sent as the exec request, so the login shell reads it; empty starts the login shell itself.
    pub command: String,
    /// What it reads.
    pub stdin: Stdin,
    /// Where its output goes.
    pub sink: Sink,
    /// From the moment the command starts; connecting has a time-out of its own.
    pub timeout: Option<Duration>,
    /// A pseudo-terminal: the `TERM` to announce and its size.
    pub pty: Option<(String, Size)>,
    /// Whether a person may be asked about keys and passwords; background work says no.
    pub interactive: bool,
    /// Nobody waits for it: after a failure it keeps to the pauses that background work makes.
    pub background: bool,
    /// Forwards that come with it, as with `ssh`; `None` for background work and fan-outs.
    pub along: Option<Along>,
    /// What only a drop-in for `ssh` asks for.
    pub manner: Manner,
}

/// What `ssh HOST` brings along besides the streams of its command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Along {
    /// Forwards besides those of the host's ssh_config.
    pub forwards: Vec<ForwardRule>,
    /// `-A` or `-a`: overrules `ForwardAgent`.
    pub agent: Option<bool>,
    /// `-N`: nothing runs, no channel is opened for it, and it ends when it is stopped or the connection is lost.
    pub nothing: bool,
}

/// How a channel is used beyond running a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// Modes of the pseudo-terminal: opcodes of RFC 4254, section 8, and their values.
    pub modes: Vec<(u8, u32)>,
    /// What is asked of the host.
    pub kind: SessionKind,
}

/// What is asked of a host on a session channel; ssh_config(5), `SessionType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionKind {
    /// A command or the login shell.
    #[default]
    Program,
    /// The command's word names a subsystem.
    Subsystem,
    /// Nothing: the connection is only held.
    Nothing,
}

impl ExecSpec {
    /// A background command without input whose output is collected up to `limit` bytes.
    pub fn collect(command: impl Into<String>, limit: usize) -> Self {
        Self {
            command: command.into(),
            stdin: Stdin::None,
            sink: Sink::Collect { limit },
            timeout: None,
            pty: None,
            interactive: false,
            background: false,
            along: None,
            manner: Manner::default(),
        }
    }
}

/// What is asked about files on one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilesAsk {
    /// The names in a folder; an empty path is the account's home.
    List(String),
    /// One name.
    Stat(String),
    /// A new folder.
    MakeFolder(String),
    /// Removes a file, or a folder with all that is in it.
    Remove(String),
    /// Renames.
    Rename {
        /// The old path.
        from: String,
        /// The new one.
        to: String,
    },
}

/// What a command reads.
#[derive(Clone)]
pub enum Stdin {
    /// Nothing: it meets the end of its input at once.
    None,
    /// These bytes, then the end.
    Bytes(Vec<u8>),
    /// What [`SshAsk::Stdin`] brings.
    Stream,
}

impl fmt::Debug for Stdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Stream => f.write_str("Stream"),
        }
    }
}

/// Where a command's output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sink {
    /// Into `ExecDone`, both streams together up to `limit` bytes; the rest is counted in `dropped`.
    Collect {
        /// Bytes.
        limit: usize,
    },
    /// Into `Output` facts as it comes.
    Stream,
}

/// What a person answered. On its way between a terminal and the app a secret is in the clear: that way is a private socket.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Reply {
    /// Agreed.
    Yes,
    /// Declined, or closed the question.
    No,
    /// Typed this; never printed.
    Text(#[serde(with = "in_the_clear")] SecretString),
}

/// A secret as text, for the way between the terminal it was typed at and the app.
mod in_the_clear {
    use secrecy::{ExposeSecret, SecretString};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        secret: &SecretString,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_str(secret.expose_secret())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<SecretString, D::Error> {
        String::deserialize(from).map(SecretString::from)
    }
}
