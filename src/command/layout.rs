//! Verbs about tabs and the panes in them: tmux's letters after the prefix.

use serde::{Deserialize, Serialize};

use super::row::Form::{Positional, Switch};
use super::row::{Arg, ArgError, Args, Danger, Row, Scope, Subject, Surface};
use super::{Command, LayoutCommand as L, PaneVerb as P, ScreenCommand, SessionCommand};
use crate::domain::ids::SessionId;
use crate::domain::layout::{Axis, Direction, Shape};

/// A verb about tabs and panes. Those without a pane or a tab are about the one that the window shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LayoutCommand {
    /// Opens one more session beside or below the pane.
    Split {
        /// Which way.
        axis: Axis,
        /// On which host; `None` is the pane's own.
        host: Option<String>,
        /// A shell on this machine instead.
        local: bool,
    },
    /// Opens a session in a certain place.
    Put {
        /// On which host.
        host: String,
        /// The ticket it is for.
        ticket: Option<String>,
        /// Where.
        spot: Spot,
    },
    /// Shows only the pane, or all again.
    Zoom,
    /// Lets the pane change places with the one so many places after it.
    Swap(i8),
    /// Moves every pane one place on.
    Rotate,
    /// Moves a border of the pane by so many cells.
    Resize(Direction, u16),
    /// Moves a line that the mouse holds.
    Drag {
        /// Which split.
        path: Vec<usize>,
        /// The part before the line.
        before: usize,
        /// Cells, to the right or down.
        by: i32,
    },
    /// The next ready-made arrangement.
    Next,
    /// A ready-made arrangement.
    Arrange(Shape),
    /// Gives the pane a tab of its own.
    Break,
    /// Brings the pane into another tab.
    Join {
        /// The tab's number.
        tab: u16,
    },
    /// Names the tab; nothing takes the name away.
    Rename(Option<String>),
    /// Ends everything in the tab.
    Close,
    /// Opens an ended session anew where it was.
    Reopen(SessionId),
    /// Opens all ended sessions of the tab anew.
    ReopenAll,
    /// Opens all ended sessions of all tabs anew, a few at a time.
    ReopenEverywhere,
    /// Closes the tabs in which everything has ended.
    CloseEnded,
    /// Keeps the tab's arrangement under a name.
    Save(String),
    /// Opens sessions in a kept arrangement.
    Open(String),
    /// Lists the kept arrangements.
    List,
    /// Forgets one.
    Remove(String),
    /// Opens a session on every host of a ticket.
    Ticket(String),
    /// Opens a session on every host of a pattern.
    Hosts(String),
}

/// Where a new session goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Spot {
    /// Into a tab of its own.
    Own,
    /// Into the second half of a pane.
    Half(SessionId, Axis),
    /// Into the place of an ended session.
    Instead(SessionId),
}

/// A verb that only moves the eye.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PaneVerb {
    /// To the pane in a direction.
    Toward(Direction),
    /// To the next pane of the tab.
    Cycle,
    /// To the pane that had the keys before.
    Last,
    /// To the tab that was shown before.
    LastTab,
    /// To a tab by its number.
    Tab(u16),
}

const PREFIX: &[Scope] = &[Scope::Prefix];
const BOTH: &[Scope] = &[Scope::Prefix, Scope::Sessions];

const fn with(row: Row, args: &'static [Arg]) -> Row {
    Row { args, ..row }
}

const fn arg(name: &'static str, help: &'static str) -> Arg {
    Arg {
        name,
        form: Positional,
        required: true,
        subject: None,
        help,
    }
}

fn layout(verb: L) -> Result<Command, ArgError> {
    Ok(Command::Layout(verb))
}

fn pane(verb: P) -> Result<Command, ArgError> {
    Ok(Command::Screen(ScreenCommand::Pane(verb)))
}

fn tab(args: &Args) -> Result<u16, ArgError> {
    args.parse("number")?.ok_or(ArgError::Missing("number"))
}

const TAB: &[Arg] = &[arg("number", "The tab's number, from 0")];
const NAME: &[Arg] = &[arg("name", "The layout's name")];

/// The verbs. // tidy: table
pub(super) const ROWS: &[Row] = &[
    Row {
        id: "split",
        title: "split",
        help: "Opens one more session beside the pane: on its host, or on another one.",
        args: &[
            Arg {
                name: "host",
                form: Positional,
                required: false,
                subject: None,
                help: "Host name; the pane's own if none is given",
            },
            Arg {
                name: "below",
                form: Switch(Some('b')),
                required: false,
                subject: None,
                help: "Below the pane, not beside it",
            },
            Arg {
                name: "local",
                form: Switch(Some('l')),
                required: false,
                subject: None,
                help: "A shell on this machine",
            },
        ],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Screen,
        build: |args| {
            layout(L::Split {
                axis: if args.has("below") {
                    Axis::Below
                } else {
                    Axis::Beside
                },
                host: args.text("host"),
                local: args.has("local"),
            })
        },
    },
    Row::key(
        "pane.beside",
        "split, side by side",
        "Opens one more session on this host, at the right of the pane.",
        PREFIX,
        &["%", "|"],
        |_| {
            layout(L::Split {
                axis: Axis::Beside,
                host: None,
                local: false,
            })
        },
    ),
    Row::key(
        "pane.below",
        "split, one below",
        "Opens one more session on this host, below the pane.",
        PREFIX,
        &["\"", "-"],
        |_| {
            layout(L::Split {
                axis: Axis::Below,
                host: None,
                local: false,
            })
        },
    ),
    Row::key(
        "pane.zoom",
        "zoom",
        "Shows only this pane, or all again.",
        PREFIX,
        &["z"],
        |_| layout(L::Zoom),
    ),
    Row::key(
        "pane.cycle",
        "next pane",
        "Goes to the next pane of this tab.",
        PREFIX,
        &["o"],
        |_| pane(P::Cycle),
    ),
    Row::key(
        "pane.last",
        "last pane",
        "Goes to the pane that had the keys before.",
        PREFIX,
        &[";"],
        |_| pane(P::Last),
    ),
    Row::key(
        "pane.left",
        "go to a pane",
        "Goes to the pane at the left.",
        PREFIX,
        &["Left"],
        |_| pane(P::Toward(Direction::Left)),
    ),
    Row::key(
        "pane.right",
        "go to a pane",
        "Goes to the pane at the right.",
        PREFIX,
        &["Right"],
        |_| pane(P::Toward(Direction::Right)),
    ),
    Row::key(
        "pane.up",
        "go to a pane",
        "Goes to the pane above.",
        PREFIX,
        &["Up"],
        |_| pane(P::Toward(Direction::Up)),
    ),
    Row::key(
        "pane.down",
        "go to a pane",
        "Goes to the pane below.",
        PREFIX,
        &["Down"],
        |_| pane(P::Toward(Direction::Down)),
    ),
    Row::key(
        "swap.previous",
        "swap with the one before",
        "Lets the pane change places with the one before it.",
        PREFIX,
        &["{"],
        |_| layout(L::Swap(-1)),
    ),
    Row::key(
        "swap.next",
        "swap with the next",
        "Lets the pane change places with the next one.",
        PREFIX,
        &["}"],
        |_| layout(L::Swap(1)),
    ),
    Row::key(
        "swap.all",
        "rotate panes",
        "Moves every pane of this tab one place on.",
        PREFIX,
        &["Ctrl-o"],
        |_| layout(L::Rotate),
    ),
    Row::key(
        "resize.left",
        "move a border",
        "Moves a border of the pane to the left; again without the prefix while one is quick.",
        PREFIX,
        &["Ctrl-Left"],
        |_| layout(L::Resize(Direction::Left, 1)),
    ),
    Row::key(
        "resize.right",
        "move a border",
        "Moves a border of the pane to the right; again without the prefix while one is quick.",
        PREFIX,
        &["Ctrl-Right"],
        |_| layout(L::Resize(Direction::Right, 1)),
    ),
    Row::key(
        "resize.up",
        "move a border",
        "Moves a border of the pane up; again without the prefix while one is quick.",
        PREFIX,
        &["Ctrl-Up"],
        |_| layout(L::Resize(Direction::Up, 1)),
    ),
    Row::key(
        "resize.down",
        "move a border",
        "Moves a border of the pane down; again without the prefix while one is quick.",
        PREFIX,
        &["Ctrl-Down"],
        |_| layout(L::Resize(Direction::Down, 1)),
    ),
    Row::key(
        "stretch.left",
        "move a border by five",
        "Moves a border of the pane five cells to the left.",
        PREFIX,
        &["Alt-Left"],
        |_| layout(L::Resize(Direction::Left, 5)),
    ),
    Row::key(
        "stretch.right",
        "move a border by five",
        "Moves a border of the pane five cells to the right.",
        PREFIX,
        &["Alt-Right"],
        |_| layout(L::Resize(Direction::Right, 5)),
    ),
    Row::key(
        "stretch.up",
        "move a border by five",
        "Moves a border of the pane five cells up.",
        PREFIX,
        &["Alt-Up"],
        |_| layout(L::Resize(Direction::Up, 5)),
    ),
    Row::key(
        "stretch.down",
        "move a border by five",
        "Moves a border of the pane five cells down.",
        PREFIX,
        &["Alt-Down"],
        |_| layout(L::Resize(Direction::Down, 5)),
    ),
    Row::key(
        "layout.next",
        "next layout",
        "Arranges the panes anew: side by side, stacked, one large, tiled.",
        PREFIX,
        &["Space"],
        |_| layout(L::Next),
    ),
    Row::key(
        "pane.break",
        "pane to own tab",
        "Gives the pane a tab of its own.",
        PREFIX,
        &["!"],
        |_| layout(L::Break),
    ),
    Row::key(
        "tab.last",
        "last tab",
        "Goes to the tab that was shown before.",
        PREFIX,
        &["l"],
        |_| pane(P::LastTab),
    ),
    with(
        Row::key(
            "tab.go",
            "tab by number",
            "Goes to the tab with this number.",
            PREFIX,
            &["'"],
            |args| pane(P::Tab(tab(args)?)),
        ),
        TAB,
    ),
    with(
        Row::key(
            "tab.join",
            "join another tab",
            "Brings this pane into another tab.",
            PREFIX,
            &[],
            |args| layout(L::Join { tab: tab(args)? }),
        ),
        TAB,
    ),
    with(
        Row::key(
            "tab.rename",
            "rename tab",
            "Gives this tab a name; - takes it away.",
            PREFIX,
            &[","],
            |args| {
                let name = args.need("name")?;
                let name = name.trim();
                layout(L::Rename(
                    (!name.is_empty() && name != "-").then(|| name.to_owned()),
                ))
            },
        ),
        &[arg("name", "Its name, or - for none")],
    ),
    Row {
        danger: Danger::Confirm,
        ..Row::key(
            "tab.close",
            "close tab",
            "Ends every session of this tab.",
            PREFIX,
            &["&"],
            |_| layout(L::Close),
        )
    },
    with(
        Row::key(
            "jump",
            "choose a session",
            "Goes to a session, found by a few letters of its host, ticket or title.",
            PREFIX,
            &["w", "s"],
            |args| {
                Ok(Command::Session(SessionCommand::Show {
                    reference: args.need("ref")?,
                }))
            },
        ),
        &[Arg {
            name: "ref",
            form: Positional,
            required: true,
            subject: Some(Subject::Session),
            help: "Reference, such as S-2M0D",
        }],
    ),
    Row::key(
        "reopen.all",
        "reopen all",
        "Opens all ended sessions of this tab anew, each where it was.",
        PREFIX,
        &["R"],
        |_| layout(L::ReopenAll),
    ),
    Row {
        scopes: BOTH,
        ..Row::key(
            "reopen.everywhere",
            "open all again",
            "Opens all ended sessions of all tabs anew, a few at a time; many, and those on production hosts, after a question.",
            PREFIX,
            &["A"],
            |_| layout(L::ReopenEverywhere),
        )
    },
    Row {
        scopes: BOTH,
        danger: Danger::Confirm,
        ..Row::key(
            "tab.sweep",
            "close ended tabs",
            "Closes every tab in which everything has ended; what was recorded stays.",
            PREFIX,
            &["X"],
            |_| layout(L::CloseEnded),
        )
    },
    with(
        Row {
            scopes: &[],
            ..Row::key(
                "layout.use",
                "arrange",
                "Arranges the panes: even-horizontal, even-vertical, main-horizontal, main-vertical or tiled.",
                PREFIX,
                &[],
                |args| match args.parse("shape")? {
                    Some(shape) => layout(L::Arrange(shape)),
                    None => Err(ArgError::Missing("shape")),
                },
            )
        },
        &[arg("shape", "The arrangement's name")],
    ),
    with(
        Row::key(
            "layout.save",
            "save layout",
            "Keeps the hosts of this tab and their arrangement under a name.",
            PREFIX,
            &[],
            |args| layout(L::Save(args.need("name")?)),
        ),
        NAME,
    ),
    with(
        Row::key(
            "layout.open",
            "open layout",
            "Opens sessions on the hosts of a kept layout, arranged as they were.",
            PREFIX,
            &[],
            |args| layout(L::Open(args.need("name")?)),
        ),
        NAME,
    ),
    Row::key(
        "layout.ls",
        "layouts",
        "Lists the kept layouts.",
        PREFIX,
        &[],
        |_| layout(L::List),
    ),
    with(
        Row::key(
            "layout.rm",
            "forget layout",
            "Forgets a kept layout.",
            PREFIX,
            &[],
            |args| layout(L::Remove(args.need("name")?)),
        ),
        NAME,
    ),
    Row {
        id: "layout.hosts",
        title: "shell on each",
        help: "Opens a session on every host of a pattern, or on the marked ones, tiled in one tab.",
        args: &[Arg {
            name: "hosts",
            form: Positional,
            required: true,
            subject: Some(Subject::Hosts),
            help: "Names and patterns with commas between, such as web*,db1",
        }],
        scopes: &[Scope::Hosts],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Screen,
        build: |args| layout(L::Hosts(args.need("hosts")?)),
    },
    Row {
        id: "layout.ticket",
        title: "all hosts",
        help: "Opens a session on every host of a ticket, tiled in one tab and recorded on the ticket.",
        args: &[Arg {
            name: "ref",
            form: Positional,
            required: true,
            subject: Some(Subject::Ticket),
            help: "Reference, such as T-7K3F",
        }],
        scopes: &[Scope::Tickets, Scope::Case],
        keys: &["S"],
        danger: Danger::None,
        surface: Surface::Screen,
        build: |args| layout(L::Ticket(args.need("ref")?)),
    },
];

/// Whether the key of this row may be pressed again at once without the prefix.
pub fn repeats(row: &Row) -> bool {
    row.id.starts_with("resize.") || row.id.starts_with("stretch.")
}
