//! The places of the screen: which view is shown, what its breadcrumb says, and which keys it listens to.

use crate::command::Scope;
use crate::domain::ids::SessionId;
use crate::model::Model;

/// A place on the screen. Things are named by reference or id, never by their place in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    /// The first screen: what to press.
    Home,
    /// The list of tickets.
    Tickets,
    /// One ticket, by reference.
    Case(String),
    /// The list of hosts.
    Hosts,
    /// One host, by name.
    Host(String),
    /// The list of sessions, live and recorded.
    Sessions,
    /// One live session.
    Pane(SessionId),
    /// The text of a recorded session, by reference.
    Recording(String),
    /// Lines that were found in recordings.
    Found,
    /// The list of runs.
    Runs,
    /// The matrix of one run, by reference.
    Run(String),
    /// The list of runbooks.
    Books,
    /// One runbook, by name.
    Book(String),
    /// The list of connections.
    Connections,
    /// One connection; a newer one to the same host takes its place.
    Connection {
        /// Its number.
        id: u64,
        /// Its host.
        host: String,
    },
    /// The list of forwards.
    Forwards,
    /// Two folders side by side.
    Files,
    /// Host keys that changed.
    Alarms,
    /// How sync is.
    Sync,
    /// What was said.
    Messages,
}

impl View {
    /// The views that have a tab, with the digit that leads there.
    pub const TABS: [(char, &'static str, Self); 6] = [
        ('1', "tickets", Self::Tickets),
        ('2', "hosts", Self::Hosts),
        ('3', "sessions", Self::Sessions),
        ('4', "runs", Self::Runs),
        ('5', "runbooks", Self::Books),
        ('6', "connections", Self::Connections),
    ];

    /// Views with a digit that have a tab where there is room.
    pub const MORE: [(char, &'static str, Self); 2] = [
        ('7', "forwards", Self::Forwards),
        ('8', "alarms", Self::Alarms),
    ];

    /// The tab this view belongs to; `None` for the first screen.
    pub fn tab(&self) -> Option<usize> {
        match self {
            Self::Home | Self::Alarms | Self::Sync | Self::Messages => None,
            Self::Tickets | Self::Case(_) => Some(0),
            Self::Hosts | Self::Host(_) | Self::Files => Some(1),
            Self::Sessions | Self::Pane(_) | Self::Recording(_) | Self::Found => Some(2),
            Self::Runs | Self::Run(_) => Some(3),
            Self::Books | Self::Book(_) => Some(4),
            Self::Connections | Self::Connection { .. } | Self::Forwards => Some(5),
        }
    }

    /// What the breadcrumb says.
    pub fn crumb(&self, model: &Model) -> String {
        match self {
            Self::Home => "home".to_owned(),
            Self::Tickets => "tickets".to_owned(),
            Self::Hosts => "hosts".to_owned(),
            Self::Sessions => "sessions".to_owned(),
            Self::Found => "found in recordings".to_owned(),
            Self::Runs => "runs".to_owned(),
            Self::Books => "runbooks".to_owned(),
            Self::Connections => "connections".to_owned(),
            Self::Forwards => "forwards".to_owned(),
            Self::Files => "files".to_owned(),
            Self::Alarms => "changed host keys".to_owned(),
            Self::Sync => "sync".to_owned(),
            Self::Messages => "messages".to_owned(),
            Self::Connection { host, .. } => host.clone(),
            Self::Case(name)
            | Self::Host(name)
            | Self::Recording(name)
            | Self::Run(name)
            | Self::Book(name) => name.clone(),
            Self::Pane(id) => model
                .session(*id)
                .map_or_else(|| "session".to_owned(), |session| session.reference.clone()),
        }
    }

    /// Which keys it listens to, the most particular first.
    pub fn scopes(&self) -> &'static [Scope] {
        match self {
            Self::Home => &[Scope::List, Scope::Global],
            Self::Tickets => &[Scope::Tickets, Scope::List, Scope::Global],
            Self::Case(_) => &[Scope::Case, Scope::List, Scope::Global],
            Self::Hosts => &[Scope::Hosts, Scope::List, Scope::Global],
            Self::Host(_) => &[Scope::Host, Scope::List, Scope::Global],
            Self::Sessions => &[Scope::Sessions, Scope::List, Scope::Global],
            Self::Pane(_) => &[Scope::Prefix],
            Self::Runs => &[Scope::Runs, Scope::List, Scope::Global],
            Self::Run(_) => &[Scope::Run, Scope::List, Scope::Global],
            Self::Books | Self::Book(_) => &[Scope::Books, Scope::List, Scope::Global],
            Self::Recording(_) => &[Scope::Recording, Scope::List, Scope::Global],
            Self::Found | Self::Sync | Self::Messages => &[Scope::List, Scope::Global],
            Self::Connections | Self::Connection { .. } => {
                &[Scope::Connections, Scope::List, Scope::Global]
            }
            Self::Forwards => &[Scope::Forwards, Scope::List, Scope::Global],
            Self::Files => &[Scope::Files, Scope::List, Scope::Global],
            Self::Alarms => &[Scope::Alarms, Scope::List, Scope::Global],
        }
    }
}
