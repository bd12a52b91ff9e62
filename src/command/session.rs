//! Verbs about sessions.

use serde::{Deserialize, Serialize};

use super::row::Form::{Flag, Positional};
use super::row::{Arg, Danger, Row, Scope, Subject, Surface};
use super::{Command, SessionCommand as S};

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
];
