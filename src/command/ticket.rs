//! Verbs about tickets.

use serde::{Deserialize, Serialize};

use super::row::Form::{Flag, Positional, Repeated, Rest};
use super::row::{Arg, ArgError, Args, Danger, Row, Scope, Subject, Surface};
use super::{Command, ProgramCommand, TicketCommand as T};
use crate::domain::ticket::{Priority, TicketKind, TicketState};

/// A verb about tickets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum TicketCommand {
    /// Makes a ticket.
    Add {
        /// Its title, or `-` to read it all from standard input.
        title: String,
        /// What it begins with.
        change: TicketChange,
    },
    /// Lists the tickets that match.
    List {
        /// The words of the query.
        query: Vec<String>,
    },
    /// Shows one with its history.
    Show {
        /// Which one.
        reference: String,
    },
    /// Changes fields.
    Edit {
        /// Which one.
        reference: String,
        /// What becomes of it.
        change: TicketChange,
    },
    /// Adds a remark.
    Comment {
        /// Which one.
        reference: String,
        /// What to say.
        text: String,
    },
}

/// What becomes of a ticket's fields; `None` leaves one as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TicketChange {
    /// The title.
    pub title: Option<String>,
    /// The description.
    pub body: Option<String>,
    /// How far it is.
    pub state: Option<TicketState>,
    /// How urgent it is.
    pub priority: Option<Priority>,
    /// What sort of work it is.
    pub kind: Option<TicketKind>,
    /// The queue.
    pub queue: Option<String>,
    /// Who gets it; `me` is whoever asks, `none` is nobody.
    pub owner: Option<String>,
    /// Who wants it.
    pub requester: Option<String>,
    /// When it is due: a span from now, a date, or `none`.
    pub due: Option<String>,
    /// Tags to add.
    pub tag: Vec<String>,
    /// Tags to take away.
    pub untag: Vec<String>,
    /// Hosts to link, as patterns of names.
    pub host: Vec<String>,
    /// Hosts to unlink.
    pub unhost: Vec<String>,
    /// Tickets to link, by reference.
    pub link: Vec<String>,
    /// A remark to go with it.
    pub comment: Option<String>,
}

const REF: Arg = Arg {
    name: "ref",
    form: Positional,
    required: true,
    subject: Some(Subject::Ticket),
    help: "Reference, such as T-7K3F",
};

const fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg {
        name,
        form: Flag(None),
        required: false,
        subject: None,
        help,
    }
}

const fn repeated(name: &'static str, short: Option<char>, help: &'static str) -> Arg {
    Arg {
        name,
        form: Repeated(short),
        required: false,
        subject: None,
        help,
    }
}

const FIELDS: [Arg; 8] = [
    flag("body", "Description"),
    flag("state", "new, open, waiting, resolved or closed"),
    flag("priority", "1 (highest) to 4"),
    flag("kind", "incident, request, change, problem or task"),
    flag("queue", "Queue"),
    flag("owner", "Login, me or none"),
    flag("requester", "Who wants it"),
    flag("due", "A span from now (2d), a date (RFC 3339) or none"),
];
const TAG: Arg = repeated("tag", None, "Tag to add");
const HOST: Arg = repeated(
    "host",
    Some('H'),
    "Host to link; a pattern links all it names",
);

const ADD: [Arg; 11] = {
    let [body, state, priority, kind, queue, owner, requester, due] = FIELDS;
    let title = Arg {
        name: "title",
        form: Rest,
        required: true,
        subject: None,
        help: "Title, or - to read text or JSON from stdin",
    };
    [
        title, body, state, priority, kind, queue, owner, requester, due, TAG, HOST,
    ]
};

const EDIT: [Arg; 14] = {
    let [body, state, priority, kind, queue, owner, requester, due] = FIELDS;
    [
        REF,
        flag("title", "Title"),
        body,
        state,
        priority,
        kind,
        queue,
        owner,
        requester,
        due,
        TAG,
        repeated("untag", None, "Tag to take away"),
        HOST,
        repeated("unhost", None, "Host to unlink"),
    ]
};

fn change(args: &Args) -> Result<TicketChange, ArgError> {
    Ok(TicketChange {
        title: None,
        body: args.text("body"),
        state: args.parse("state")?,
        priority: args.parse("priority")?,
        kind: args.parse("kind")?,
        queue: args.text("queue"),
        owner: args.text("owner"),
        requester: args.text("requester"),
        due: args.text("due"),
        tag: args.all("tag"),
        untag: args.all("untag"),
        host: args.all("host"),
        unhost: args.all("unhost"),
        link: Vec::new(),
        comment: args.text("comment"),
    })
}

/// A row that edits one ticket in a fixed way.
fn fixed(args: &Args, change: TicketChange) -> Result<Command, ArgError> {
    Ok(Command::Ticket(T::Edit {
        reference: args.need("ref")?,
        change,
    }))
}

/// The verbs. // tidy: table
pub(super) const ROWS: &[Row] = &[
    Row {
        id: "ticket.add",
        title: "new ticket",
        help: "Makes a ticket.",
        args: &ADD,
        scopes: &[Scope::Tickets],
        keys: &["a"],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: |args| {
            Ok(Command::Ticket(T::Add {
                title: args.all("title").join(" "),
                change: change(args)?,
            }))
        },
    },
    Row {
        id: "ticket.ls",
        title: "list tickets",
        help: "Lists the tickets that match a query, such as: state:open,new prio:<=2 owner:me host:web1 \"disk full\" -tag:lab.",
        args: &[Arg {
            name: "query",
            form: Rest,
            required: false,
            subject: None,
            help: "Terms that must all hold",
        }],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: |args| {
            Ok(Command::Ticket(T::List {
                query: args.all("query"),
            }))
        },
    },
    Row {
        id: "ticket.show",
        title: "open case",
        help: "Shows a ticket with its history.",
        args: &[REF],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: |args| {
            Ok(Command::Ticket(T::Show {
                reference: args.need("ref")?,
            }))
        },
    },
    Row {
        id: "ticket.edit",
        title: "edit",
        help: "Changes fields of a ticket.",
        args: &EDIT,
        scopes: &[Scope::Tickets, Scope::Case],
        keys: &["e"],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: |args| {
            let change = TicketChange {
                title: args.text("title"),
                ..change(args)?
            };
            Ok(Command::Ticket(T::Edit {
                reference: args.need("ref")?,
                change,
            }))
        },
    },
    Row {
        id: "ticket.comment",
        title: "comment",
        help: "Adds an internal remark to a ticket.",
        args: &[
            REF,
            Arg {
                name: "text",
                form: Rest,
                required: true,
                subject: None,
                help: "What to say, or - to read stdin",
            },
        ],
        scopes: &[Scope::Tickets, Scope::Case],
        keys: &["c"],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: |args| {
            Ok(Command::Ticket(T::Comment {
                reference: args.need("ref")?,
                text: args.all("text").join(" "),
            }))
        },
    },
    Row {
        id: "ticket.export",
        title: "export a ticket",
        help: "Writes a ticket into a new folder: as Markdown and as JSON, with its recordings and the outputs of its runs.",
        args: &[
            REF,
            Arg {
                name: "dir",
                form: Positional,
                required: true,
                subject: None,
                help: "The new folder; one that exists is left alone",
            },
        ],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Line,
        build: |args| {
            Ok(Command::Program(ProgramCommand::ExportTicket {
                reference: args.need("ref")?,
                folder: args.need("dir")?.into(),
            }))
        },
    },
    Row {
        id: "ticket.take",
        title: "take",
        help: "Makes you the owner of a ticket and opens it.",
        args: &[REF],
        scopes: &[Scope::Tickets, Scope::Case],
        keys: &["t"],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: |args| {
            fixed(
                args,
                TicketChange {
                    owner: Some("me".to_owned()),
                    state: Some(TicketState::Open),
                    ..TicketChange::default()
                },
            )
        },
    },
    Row {
        id: "ticket.assign",
        title: "assign",
        help: "Gives a ticket to somebody.",
        args: &[
            REF,
            Arg {
                name: "owner",
                form: Positional,
                required: true,
                subject: None,
                help: "Login, me or none",
            },
        ],
        scopes: &[Scope::Tickets, Scope::Case],
        keys: &["A"],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: |args| {
            fixed(
                args,
                TicketChange {
                    owner: Some(args.need("owner")?),
                    ..TicketChange::default()
                },
            )
        },
    },
    Row {
        id: "ticket.link",
        title: "link hosts",
        help: "Links hosts or other tickets to a ticket.",
        args: &[
            REF,
            Arg {
                name: "host",
                form: Repeated(Some('H')),
                required: false,
                subject: Some(Subject::Hosts),
                help: "Host pattern",
            },
            Arg {
                name: "to",
                form: Repeated(None),
                required: false,
                subject: None,
                help: "Another ticket's reference",
            },
        ],
        scopes: &[Scope::Tickets, Scope::Case],
        keys: &["L"],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: |args| {
            let (host, link) = (args.all("host"), args.all("to"));
            if host.is_empty() && link.is_empty() {
                return Err(ArgError::Missing("host"));
            }
            fixed(
                args,
                TicketChange {
                    host,
                    link,
                    ..TicketChange::default()
                },
            )
        },
    },
    Row {
        id: "ticket.resolve",
        title: "resolve",
        help: "Marks a ticket as resolved.",
        args: &[
            REF,
            Arg {
                name: "comment",
                form: Flag(None),
                required: false,
                subject: None,
                help: "What was done",
            },
        ],
        scopes: &[Scope::Tickets, Scope::Case],
        keys: &["R"],
        danger: Danger::Confirm,
        surface: Surface::Everywhere,
        build: |args| {
            fixed(
                args,
                TicketChange {
                    state: Some(TicketState::Resolved),
                    comment: args.text("comment"),
                    ..TicketChange::default()
                },
            )
        },
    },
    Row {
        id: "ticket.reopen",
        title: "reopen",
        help: "Opens a resolved or closed ticket again.",
        args: &[REF],
        scopes: &[Scope::Case],
        keys: &["O"],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: |args| {
            fixed(
                args,
                TicketChange {
                    state: Some(TicketState::Open),
                    ..TicketChange::default()
                },
            )
        },
    },
];
