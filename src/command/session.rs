//! Verbs about sessions.

use super::row::Form::{Flag, Positional, Switch, Trailing};
use super::row::{Arg, Danger, Row, Scope, Subject, Surface};
use super::{Command, SessionCommand as S};

/// A verb about sessions.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionCommand {
    /// Opens a shell on a host in a pane.
    Open {
        /// The host's name.
        host: String,
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
    /// Types into a live session, exactly as given.
    Send {
        /// Which one.
        reference: String,
        /// What to type, line breaks and all.
        text: String,
    },
    /// Ends a live session.
    Close {
        /// Which one.
        reference: String,
    },
}

/// `qd ssh`: a raw session in this terminal, or one command.
#[derive(Clone, Debug, PartialEq)]
pub struct SshCommand {
    /// The host's name.
    pub host: String,
    /// The command's words; none is a login shell.
    pub command: Vec<String>,
    /// The ticket it is for.
    pub ticket: Option<String>,
    /// Ask for a terminal even for a command.
    pub tty: bool,
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
const REF: Arg = Arg {
    name: "ref",
    form: Positional,
    required: true,
    subject: Some(Subject::Session),
    help: "Reference, such as S-2M0D",
};

/// The verbs. // tidy: table
pub(super) const ROWS: &[Row] = &[
    Row {
        id: "session.open",
        title: "shell",
        help: "Opens a shell on a host in a pane; from a ticket it is recorded there.",
        args: &[HOST, TICKET],
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
        surface: Surface::Screen,
        build: |args| {
            Ok(Command::Session(S::Open {
                host: args.need("host")?,
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
        id: "session.send",
        title: "type into session",
        help: "Types a text into a live session, exactly as it is given.",
        args: &[
            REF,
            Arg {
                name: "text",
                form: Positional,
                required: true,
                subject: None,
                help: "What to type",
            },
        ],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Screen,
        build: |args| {
            Ok(Command::Session(S::Send {
                reference: args.need("ref")?,
                text: args.need("text")?,
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
        surface: Surface::Screen,
        build: |args| {
            Ok(Command::Session(S::Close {
                reference: args.need("ref")?,
            }))
        },
    },
    Row {
        id: "ssh",
        title: "ssh",
        help: "Opens a raw session in this terminal, or runs one command with its output and exit status, as ssh does.",
        args: &[
            HOST,
            TICKET,
            Arg {
                name: "tty",
                form: Switch(Some('t')),
                required: false,
                subject: None,
                help: "Ask for a terminal for a command too",
            },
            Arg {
                name: "command",
                form: Trailing,
                required: false,
                subject: None,
                help: "The command",
            },
        ],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Line,
        build: |args| {
            Ok(Command::Ssh(SshCommand {
                host: args.need("host")?,
                command: args.all("command"),
                ticket: args.text("ticket"),
                tty: args.has("tty"),
            }))
        },
    },
];
