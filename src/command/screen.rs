//! Verbs that move something on the screen and change nothing outside it.

use serde::{Deserialize, Serialize};

use super::row::Form::Positional;
use super::row::{Arg, Danger, Row, Scope, Surface};
use super::{
    BroadcastVerb, Command, FilesVerb, LookVerb, MonitorVerb, PaneVerb, ScreenCommand as V,
};

/// A verb about what is on the screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScreenCommand {
    /// Shows the first screen.
    Home,
    /// Shows the tickets.
    Tickets,
    /// Shows the hosts.
    Hosts,
    /// Shows the sessions.
    Sessions,
    /// Shows the runs.
    Runs,
    /// Shows the runbooks.
    Books,
    /// Shows the connections.
    Connections,
    /// Shows the forwards.
    Forwards,
    /// Shows the host keys that changed.
    Alarms,
    /// Shows what was said: notices and warnings.
    Messages,
    /// Goes to how sync is.
    Sync,
    /// Opens a ticket about the selected alarm.
    AlarmTicket,
    /// Sorts by the next column.
    Sort,
    /// Types into several sessions at once, or prepares for it.
    Broadcast(BroadcastVerb),
    /// Says what calls people to a session.
    Monitor(MonitorVerb),
    /// Goes to the next session that called.
    NextCall,
    /// Does something in the view of two folders.
    Files(FilesVerb),
    /// Works the player of recordings.
    Reel(super::ReelVerb),
    /// Goes to the next view.
    NextView,
    /// Opens what is selected.
    Open,
    /// Goes back one step; never leaves the program.
    Back,
    /// Closes this view.
    CloseView,
    /// One row down.
    Down,
    /// One row up.
    Up,
    /// One column left.
    Left,
    /// One column right.
    Right,
    /// The first row.
    Top,
    /// The last row.
    Bottom,
    /// Half a page down.
    HalfDown,
    /// Half a page up.
    HalfUp,
    /// A page down.
    PageDown,
    /// A page up.
    PageUp,
    /// The next match of the filter.
    NextMatch,
    /// The match before.
    PreviousMatch,
    /// Marks the selected row, or takes its mark away.
    Mark,
    /// Takes all marks away.
    Unmark,
    /// Asks for a filter.
    Filter,
    /// Asks for a command.
    Prompt,
    /// Shows what every key does here.
    Help,
    /// Draws everything anew.
    Redraw,
    /// Shows what windows, panes and connections cost.
    Stats,
    /// Switches to another theme.
    Theme {
        /// Its name.
        name: String,
    },
    /// Leaves this window.
    Quit,
    /// Suspends the program, as Ctrl-Z does for others.
    Suspend,
    /// The next tab.
    NextSession,
    /// The tab before.
    PreviousSession,
    /// A tab by its place.
    Session(u8),
    /// Leaves the pane and goes back to the list; the session goes on.
    LeavePane,
    /// Goes to another pane or tab.
    Pane(PaneVerb),
    /// Looks around in a pane, and copies.
    Look(LookVerb),
}

const GLOBAL: &[Scope] = &[Scope::Global];
const LIST: &[Scope] = &[Scope::List];
const PREFIX: &[Scope] = &[Scope::Prefix];

/// The verbs. // tidy: table
pub(super) const ROWS: &[Row] = &[
    Row::key(
        "view.home",
        "home",
        "Shows the first screen.",
        GLOBAL,
        &["0"],
        |_| Ok(Command::Screen(V::Home)),
    ),
    Row::key(
        "view.tickets",
        "tickets",
        "Shows the tickets.",
        GLOBAL,
        &["1"],
        |_| Ok(Command::Screen(V::Tickets)),
    ),
    Row::key(
        "view.hosts",
        "hosts",
        "Shows the hosts.",
        GLOBAL,
        &["2"],
        |_| Ok(Command::Screen(V::Hosts)),
    ),
    Row::key(
        "view.sessions",
        "sessions",
        "Shows the sessions.",
        GLOBAL,
        &["3"],
        |_| Ok(Command::Screen(V::Sessions)),
    ),
    Row::key(
        "view.runs",
        "runs",
        "Shows the runs.",
        GLOBAL,
        &["4"],
        |_| Ok(Command::Screen(V::Runs)),
    ),
    Row::key(
        "view.runbooks",
        "runbooks",
        "Shows the runbooks.",
        GLOBAL,
        &["5"],
        |_| Ok(Command::Screen(V::Books)),
    ),
    Row::key(
        "view.connections",
        "connections",
        "Shows the connections: how each is, who uses it, how it was secured.",
        GLOBAL,
        &["6"],
        |_| Ok(Command::Screen(V::Connections)),
    ),
    Row::key(
        "view.forwards",
        "forwards",
        "Shows the forwards.",
        GLOBAL,
        &["7"],
        |_| Ok(Command::Screen(V::Forwards)),
    ),
    Row::key(
        "view.alarms",
        "changed host keys",
        "Shows the hosts that came with another key than the known one.",
        GLOBAL,
        &["8"],
        |_| Ok(Command::Screen(V::Alarms)),
    ),
    Row::key(
        "view.sync",
        "sync",
        "Shows how sync is: what waits, the last round, the devices of the space, what is not in order.",
        &[],
        &[],
        |_| Ok(Command::Screen(V::Sync)),
    ),
    Row::key(
        "view.messages",
        "messages",
        "Shows what was said: the last 500 notices and warnings, with their time and source.",
        &[Scope::Global, Scope::Prefix],
        &["~"],
        |_| Ok(Command::Screen(V::Messages)),
    ),
    Row::key(
        "alarm.ticket",
        "security ticket",
        "Opens a ticket of the highest priority about this host key.",
        &[Scope::Alarms],
        &["t"],
        |_| Ok(Command::Screen(V::AlarmTicket)),
    ),
    Row::key(
        "list.sort",
        "sort",
        "Sorts by the next column.",
        &[Scope::Connections, Scope::Files],
        &["S"],
        |_| Ok(Command::Screen(V::Sort)),
    ),
    Row::key(
        "view.next",
        "next view",
        "Goes to the next view.",
        GLOBAL,
        &["Tab"],
        |_| Ok(Command::Screen(V::NextView)),
    ),
    Row::key(
        "list.open",
        "open",
        "Opens what is selected.",
        LIST,
        &["Enter"],
        |_| Ok(Command::Screen(V::Open)),
    ),
    Row::key(
        "view.back",
        "back",
        "Goes back one step.",
        GLOBAL,
        &["Esc"],
        |_| Ok(Command::Screen(V::Back)),
    ),
    Row::key(
        "view.close",
        "close view",
        "Closes this view.",
        GLOBAL,
        &["q"],
        |_| Ok(Command::Screen(V::CloseView)),
    ),
    Row::key(
        "list.down",
        "down",
        "Goes one row down.",
        LIST,
        &["j", "Down"],
        |_| Ok(Command::Screen(V::Down)),
    ),
    Row::key(
        "list.up",
        "up",
        "Goes one row up.",
        LIST,
        &["k", "Up"],
        |_| Ok(Command::Screen(V::Up)),
    ),
    Row::key(
        "list.left",
        "left",
        "Goes one column left.",
        LIST,
        &["h", "Left"],
        |_| Ok(Command::Screen(V::Left)),
    ),
    Row::key(
        "list.right",
        "right",
        "Goes one column right.",
        LIST,
        &["l", "Right"],
        |_| Ok(Command::Screen(V::Right)),
    ),
    Row::key(
        "list.top",
        "top",
        "Goes to the first row.",
        LIST,
        &["g", "Home"],
        |_| Ok(Command::Screen(V::Top)),
    ),
    Row::key(
        "list.bottom",
        "bottom",
        "Goes to the last row.",
        LIST,
        &["G", "End"],
        |_| Ok(Command::Screen(V::Bottom)),
    ),
    Row::key(
        "list.halfdown",
        "half page down",
        "Goes half a page down.",
        LIST,
        &["Ctrl-d"],
        |_| Ok(Command::Screen(V::HalfDown)),
    ),
    Row::key(
        "list.halfup",
        "half page up",
        "Goes half a page up.",
        LIST,
        &["Ctrl-u"],
        |_| Ok(Command::Screen(V::HalfUp)),
    ),
    Row::key(
        "list.pagedown",
        "page down",
        "Goes a page down.",
        LIST,
        &["Ctrl-f", "PgDn"],
        |_| Ok(Command::Screen(V::PageDown)),
    ),
    Row::key(
        "list.pageup",
        "page up",
        "Goes a page up.",
        LIST,
        &["Ctrl-b", "PgUp"],
        |_| Ok(Command::Screen(V::PageUp)),
    ),
    Row::key(
        "list.match",
        "next match",
        "Goes to the next match of the filter.",
        LIST,
        &["n"],
        |_| Ok(Command::Screen(V::NextMatch)),
    ),
    Row::key(
        "list.unmatch",
        "previous match",
        "Goes to the match before.",
        LIST,
        &["N"],
        |_| Ok(Command::Screen(V::PreviousMatch)),
    ),
    Row::key(
        "list.mark",
        "mark",
        "Marks the selected row, or takes its mark away.",
        LIST,
        &["Space"],
        |_| Ok(Command::Screen(V::Mark)),
    ),
    Row::key(
        "list.unmark",
        "clear marks",
        "Takes all marks away.",
        LIST,
        &["*"],
        |_| Ok(Command::Screen(V::Unmark)),
    ),
    Row::key(
        "list.filter",
        "filter",
        "Filters the list by a few letters.",
        LIST,
        &["/", "F4"],
        |_| Ok(Command::Screen(V::Filter)),
    ),
    Row::key(
        "prompt",
        "command",
        "Asks for a command.",
        GLOBAL,
        &[":"],
        |_| Ok(Command::Screen(V::Prompt)),
    ),
    Row::key(
        "help",
        "help",
        "Shows what every key does here.",
        GLOBAL,
        &["?", "F1"],
        |_| Ok(Command::Screen(V::Help)),
    ),
    Row::key(
        "redraw",
        "redraw",
        "Draws everything anew.",
        GLOBAL,
        &["Ctrl-l"],
        |_| Ok(Command::Screen(V::Redraw)),
    ),
    Row::key(
        "stats",
        "stats",
        "Shows what windows, panes and connections cost: bytes, frames, distances.",
        GLOBAL,
        &[],
        |_| Ok(Command::Screen(V::Stats)),
    ),
    Row {
        id: "theme.use",
        title: "theme",
        help: "Switches to another theme.",
        args: &[Arg {
            name: "name",
            form: Positional,
            required: true,
            subject: None,
            help: "Name of the theme",
        }],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Screen,
        build: |args| {
            Ok(Command::Screen(V::Theme {
                name: args.need("name")?,
            }))
        },
    },
    Row::key(
        "quit",
        "quit",
        "Leaves this window.",
        GLOBAL,
        &["F10"],
        |_| Ok(Command::Screen(V::Quit)),
    ),
    Row::key(
        "suspend",
        "suspend",
        "Suspends the program.",
        GLOBAL,
        &["Ctrl-z"],
        |_| Ok(Command::Screen(V::Suspend)),
    ),
    Row::key(
        "pane.next",
        "next tab",
        "Goes to the next tab.",
        PREFIX,
        &["n"],
        |_| Ok(Command::Screen(V::NextSession)),
    ),
    Row::key(
        "pane.previous",
        "previous tab",
        "Goes to the tab before.",
        PREFIX,
        &["p"],
        |_| Ok(Command::Screen(V::PreviousSession)),
    ),
    Row::key(
        "pane.leave",
        "leave pane",
        "Goes back to the list; the session goes on.",
        PREFIX,
        &["d"],
        |_| Ok(Command::Screen(V::LeavePane)),
    ),
    Row::key(
        "pane.prompt",
        "command",
        "Asks for a command.",
        PREFIX,
        &[":"],
        |_| Ok(Command::Screen(V::Prompt)),
    ),
    Row::key(
        "pane.help",
        "keys",
        "Shows what every key does after the prefix.",
        PREFIX,
        &["?"],
        |_| Ok(Command::Screen(V::Help)),
    ),
    Row::key(
        "pane.0",
        "tab 0",
        "Goes to the first tab.",
        PREFIX,
        &["0"],
        |_| Ok(Command::Screen(V::Session(0))),
    ),
    Row::key(
        "pane.1",
        "tab 1",
        "Goes to the second tab.",
        PREFIX,
        &["1"],
        |_| Ok(Command::Screen(V::Session(1))),
    ),
    Row::key(
        "pane.2",
        "tab 2",
        "Goes to the third tab.",
        PREFIX,
        &["2"],
        |_| Ok(Command::Screen(V::Session(2))),
    ),
    Row::key(
        "pane.3",
        "tab 3",
        "Goes to the fourth tab.",
        PREFIX,
        &["3"],
        |_| Ok(Command::Screen(V::Session(3))),
    ),
    Row::key(
        "pane.4",
        "tab 4",
        "Goes to the fifth tab.",
        PREFIX,
        &["4"],
        |_| Ok(Command::Screen(V::Session(4))),
    ),
    Row::key(
        "pane.5",
        "tab 5",
        "Goes to the sixth tab.",
        PREFIX,
        &["5"],
        |_| Ok(Command::Screen(V::Session(5))),
    ),
    Row::key(
        "pane.6",
        "tab 6",
        "Goes to the seventh tab.",
        PREFIX,
        &["6"],
        |_| Ok(Command::Screen(V::Session(6))),
    ),
    Row::key(
        "pane.7",
        "tab 7",
        "Goes to the eighth tab.",
        PREFIX,
        &["7"],
        |_| Ok(Command::Screen(V::Session(7))),
    ),
    Row::key(
        "pane.8",
        "tab 8",
        "Goes to the ninth tab.",
        PREFIX,
        &["8"],
        |_| Ok(Command::Screen(V::Session(8))),
    ),
    Row::key(
        "pane.9",
        "tab 9",
        "Goes to the tenth tab.",
        PREFIX,
        &["9"],
        |_| Ok(Command::Screen(V::Session(9))),
    ),
];
