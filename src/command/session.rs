//! Verbs about sessions.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::domain::key::{Key, KeyCode};
use crate::domain::time::parse_span;

use super::row::Form::{Flag, Positional, Repeated, Switch};
use super::row::{Arg, ArgError, Args, Danger, Row, Scope, Subject, Surface};
use super::{Command, SessionCommand as S};

/// How a recording is played.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Playing {
    /// How many times faster than it happened.
    pub speed: f64,
    /// Pauses are cut to this, in milliseconds.
    pub idle_ms: Option<u64>,
    /// Where it begins, in milliseconds from the start.
    pub from_ms: u64,
    /// At which marker it begins, from 1; wins over `from_ms`.
    pub marker: Option<usize>,
    /// It begins, and stands still, where all was written that lies further back than so many of the last lines; wins over
    /// the others.
    #[serde(default)]
    pub before_last: Option<u64>,
}

impl Default for Playing {
    fn default() -> Self {
        Self {
            speed: 1.0,
            idle_ms: None,
            from_ms: 0,
            marker: None,
            before_last: None,
        }
    }
}

/// What a recording is exported as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExportFormat {
    /// What a person would have read.
    Text,
    /// An asciicast v2 for other players.
    Cast,
    /// The same text, each line with its time.
    Timed,
}

/// What is looked for in recordings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    /// A text, or a regular expression.
    pub wanted: String,
    /// It is a regular expression.
    pub regex: bool,
    /// Only sessions on hosts of this name or pattern.
    pub host: Option<String>,
    /// Only sessions for this ticket.
    pub ticket: Option<String>,
    /// Only sessions that were opened since: RFC 3339, a day (`2026-11-23`), or a span back from now (`2d`).
    pub since: Option<String>,
    /// Recordings that are in the space and not here are fetched first.
    #[serde(default)]
    pub fetch: bool,
}

/// A verb about sessions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SessionCommand {
    /// Opens a shell on a host in a pane.
    Open {
        /// The host's name.
        host: String,
        /// The ticket it is for.
        ticket: Option<String>,
    },
    /// Opens a shell on this machine in a pane.
    Local {
        /// The ticket it is for.
        ticket: Option<String>,
    },
    /// Lists sessions, the living first.
    List,
    /// Shows a session and the text of its recording.
    Show {
        /// Which one.
        reference: String,
    },
    /// Types into a live session: the text exactly as given, then keys as its program wants them encoded.
    Send {
        /// Which one.
        reference: String,
        /// What to type, line breaks and all.
        text: String,
        /// Keys after it.
        #[serde(default)]
        keys: Vec<Key>,
    },
    /// Opens a window on a session.
    Attach {
        /// Which one; without, the window opens where it usually does.
        reference: Option<String>,
    },
    /// Shows what a pane shows.
    Capture {
        /// Which one.
        reference: String,
        /// The lines before the screen too.
        scrollback: bool,
        /// Colours and attributes as escape sequences.
        ansi: bool,
    },
    /// Waits until a pattern is shown, or for the end of a session.
    Wait {
        /// Which one.
        reference: String,
        /// A regular expression; without, the end is waited for.
        pattern: Option<String>,
        /// How long, in milliseconds; without, as long as it takes.
        timeout_ms: Option<u64>,
    },
    /// Switches the recording of a live session.
    Record {
        /// Which one.
        reference: String,
        /// It is to be recorded.
        on: bool,
    },
    /// Sets a marker in the recording of a live session.
    Mark {
        /// Which one.
        reference: String,
        /// What it says.
        text: String,
    },
    /// Plays a recording.
    Replay {
        /// Whose.
        reference: String,
        /// How.
        how: Playing,
    },
    /// Writes a recording to a file or to standard output.
    Export {
        /// Whose.
        reference: String,
        /// As what.
        format: ExportFormat,
        /// The file; `-` is standard output.
        output: PathBuf,
    },
    /// Brings a recording here that is in the space.
    Fetch {
        /// Whose.
        reference: String,
        /// Nothing is said when it is here: another command goes on with it.
        #[serde(default)]
        silent: bool,
    },
    /// Looks for a text in all recordings.
    Search(Search),
    /// Ends a live session.
    Close {
        /// Which one.
        reference: String,
    },
}

const TICKET: Arg = Arg {
    name: "ticket",
    form: Flag(Some('T')),
    required: false,
    subject: Some(Subject::Ticket),
    help: "Record it on this ticket",
};
const HOST: Arg = Arg {
    name: "host",
    form: Positional,
    required: true,
    subject: Some(Subject::Host),
    help: "Host name",
};
pub(super) const REF: Arg = Arg {
    name: "ref",
    form: Positional,
    required: true,
    subject: Some(Subject::Session),
    help: "Reference, such as S-2M0D",
};

const DETACH: Arg = Arg {
    name: "detach",
    form: Switch(Some('d')),
    required: false,
    subject: None,
    help: "Print the reference and open no window (command line)",
};

/// The verbs. // tidy: table
pub(super) const ROWS: &[Row] = &[
    Row {
        id: "session.open",
        title: "shell",
        help: "Opens a shell on a host, or on each marked one; from a ticket it is recorded there.",
        args: &[HOST, TICKET, DETACH],
        scopes: &[
            Scope::Tickets,
            Scope::Case,
            Scope::Hosts,
            Scope::Host,
            Scope::Connections,
            Scope::Files,
            Scope::Alarms,
        ],
        keys: &["s"],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: |args| {
            Ok(Command::Session(S::Open {
                host: args.need("host")?,
                ticket: args.text("ticket"),
            }))
        },
    },
    Row {
        id: "session.local",
        title: "local shell",
        help: "Opens a shell on this machine in a pane; with a ticket it is recorded there.",
        args: &[TICKET],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Screen,
        build: |args| {
            Ok(Command::Session(S::Local {
                ticket: args.text("ticket"),
            }))
        },
    },
    Row {
        id: "session.ls",
        title: "list sessions",
        help: "Lists sessions, the living first.",
        args: &[],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: |_| Ok(Command::Session(S::List)),
    },
    Row {
        id: "session.show",
        title: "recorded text",
        help: "Shows a session and the text of its recording.",
        args: &[REF],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: |args| {
            Ok(Command::Session(S::Show {
                reference: args.need("ref")?,
            }))
        },
    },
    Row {
        id: "session.attach",
        title: "attach to session",
        help: "Opens a window on a live session.",
        args: &[Arg {
            required: false,
            ..REF
        }],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Line,
        build: |args| {
            Ok(Command::Session(S::Attach {
                reference: args.text("ref"),
            }))
        },
    },
    Row {
        id: "session.send",
        title: "type into session",
        help: "Types a text into a live session, exactly as it is given; - reads it from standard input.",
        args: &[
            REF,
            Arg {
                name: "text",
                form: Positional,
                required: false,
                subject: None,
                help: "What to type",
            },
            Arg {
                name: "key",
                form: Repeated(None),
                required: false,
                subject: None,
                help: "Then this key, such as C-c, Enter or F5; as often as wanted",
            },
            Arg {
                name: "enter",
                form: Switch(None),
                required: false,
                subject: None,
                help: "Then Enter",
            },
        ],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: send,
    },
    Row {
        id: "session.capture",
        title: "capture pane",
        help: "Prints what a session's pane shows, also after its end while it is still shown.",
        args: &[
            REF,
            Arg {
                name: "scrollback",
                form: Switch(None),
                required: false,
                subject: None,
                help: "The lines before the screen too",
            },
            Arg {
                name: "ansi",
                form: Switch(None),
                required: false,
                subject: None,
                help: "Keep the screen's colours and attributes as escape sequences",
            },
        ],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Line,
        build: |args| {
            Ok(Command::Session(S::Capture {
                reference: args.need("ref")?,
                scrollback: args.has("scrollback"),
                ansi: args.has("ansi"),
            }))
        },
    },
    Row {
        id: "session.wait",
        title: "wait for session",
        help: "Waits until a session shows a pattern; without --for, until it ends, and exits as it did.",
        args: &[
            REF,
            Arg {
                name: "for",
                form: Flag(None),
                required: false,
                subject: None,
                help: "A regular expression; what is on the screen already counts",
            },
            Arg {
                name: "timeout",
                form: Flag(None),
                required: false,
                subject: None,
                help: "Give up after this long, with exit status 124: 30 (seconds), 5min",
            },
        ],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Line,
        build: |args| {
            Ok(Command::Session(S::Wait {
                reference: args.need("ref")?,
                pattern: args.text("for"),
                timeout_ms: span(args, "timeout")?,
            }))
        },
    },
    Row {
        id: "session.close",
        title: "close session",
        help: "Ends a live session.",
        args: &[REF],
        scopes: &[Scope::Sessions, Scope::Prefix],
        keys: &["x"],
        danger: Danger::Confirm,
        surface: Surface::Everywhere,
        build: |args| {
            Ok(Command::Session(S::Close {
                reference: args.need("ref")?,
            }))
        },
    },
];

fn send(args: &Args) -> Result<Command, ArgError> {
    let text = args.text("text").unwrap_or_default();
    let mut keys = Vec::new();
    for name in args.all("key") {
        keys.push(key(&name)?);
    }
    if args.has("enter") {
        keys.push(Key::plain(KeyCode::Enter));
    }
    if text.is_empty() && keys.is_empty() {
        return Err(ArgError::Missing("text"));
    }
    Ok(Command::Session(S::Send {
        reference: args.need("ref")?,
        text,
        keys,
    }))
}

/// A key by its name; `C-c`, `M-x` and `S-Tab` are what fingers know.
fn key(name: &str) -> Result<Key, ArgError> {
    let mut long = String::new();
    let mut rest = name;
    for (short, word) in [("C-", "Ctrl-"), ("M-", "Alt-"), ("S-", "Shift-")] {
        if rest.len() > 2
            && let Some(after) = rest.strip_prefix(short)
        {
            long.push_str(word);
            rest = after;
        }
    }
    long.push_str(rest);
    long.parse()
        .map_err(|why| ArgError::Bad { name: "key", why })
}

/// A span of time, in milliseconds.
pub(super) fn span(args: &Args, name: &'static str) -> Result<Option<u64>, ArgError> {
    args.get(name)
        .map(|text| {
            parse_span(text).ok_or_else(|| ArgError::Bad {
                name,
                why: format!(
                    "{text:?} is no span of time; write 30 (seconds), 90s, 5min or 1h30min"
                ),
            })
        })
        .transpose()
}
