//! What we believe now: plain data, read by the screen, written only by the update.
//!
//! It holds no handle, no channel and no closure, so that a state can be printed, compared and replayed. Host names are
//! whole; tickets and runs are pages, never tables; queues are bounded and forget their oldest.

mod anew;
mod cost;
mod files;
mod filter;
mod guard;
mod inflight;
mod keys;
mod lost;
mod notices;
mod reel;
#[cfg(test)]
pub(crate) mod sample;

use serde::{Deserialize, Serialize};

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use crate::domain::case::Entry;
use crate::domain::check::HostState;
use crate::domain::connection::ConnectionRow;
use crate::domain::environment::Environments;
use crate::domain::forward::ForwardRow;
use crate::domain::host::{Effective, Host};
use crate::domain::ids::{HostId, SessionId};
use crate::domain::layout::Tab;
use crate::domain::run::RunRow;
use crate::domain::runbook::{Diagnostic, Runbook};
use crate::domain::sample::Sample;
use crate::domain::session::SessionRow;
use crate::domain::sync::{Onlooker, SyncStatus};
use crate::domain::ticket::Ticket;
use crate::domain::time::Time;
use crate::term::Screen;

pub use cost::WindowCost;
pub use files::{Copies, CopyEnd, CopyView, Files, Folder, FolderKey};
pub use filter::{Filter, Hit};
pub use guard::{Broadcast, Broadcasting, Monitor, Receivers};
pub use inflight::{Flight, Inflight};
pub use keys::{ALARMS, KeyAlarm, KeyOffer, OFFERS};
pub use lost::Lost;
pub use notices::{NOTICES, Notices, Told};
pub use reel::{Found, FoundRow, Reel};

/// How many samples of a host are kept for its sparkline; older ones are forgotten.
pub const SERIES: usize = 120;

/// How many words of servers are kept; the oldest are forgotten.
pub const SAID: usize = 20;

/// How many tickets or runs a page holds at most.
pub const PAGE: usize = 200;

/// Everything the screen can show.
#[derive(Debug, Default)]
pub struct Model {
    /// The time of the last tick or event.
    pub now: Time,
    /// Our login.
    pub me: String,
    /// The inventory, in its order.
    pub hosts: Hosts,
    /// The tickets that match the query of the list.
    pub tickets: Page<Ticket>,
    /// The ticket that is open, with its entries.
    pub case: Option<Ticket>,
    /// Runs, newest first, without their cells.
    pub runs: Page<RunRow>,
    /// The run that is open, with its cells.
    pub run: Option<RunRow>,
    /// Live sessions, in the order they were opened; a closed one stays until it is dismissed.
    pub sessions: Vec<SessionView>,
    /// The tabs in which they are, in the order of their numbers; every session is in just one.
    pub tabs: Vec<Tab>,
    /// Recorded sessions, newest first.
    pub recorded: Vec<SessionRow>,
    /// The recording that is open, and its text.
    pub recording: Option<Recording>,
    /// The recording that is played.
    pub reel: Option<Reel>,
    /// What was looked for in recordings last.
    pub found: Option<Found>,
    /// The host whose details are open.
    pub host: Option<HostDetail>,
    /// The connections as they were last looked at.
    pub connections: Vec<ConnectionRow>,
    /// The forwards as they were last looked at.
    pub forwards: Vec<ForwardRow>,
    /// When connections and forwards were last looked at; `None` until they were.
    pub connections_at: Option<Time>,
    /// The folders that are on a screen.
    pub files: Files,
    /// Copies under way, and the last that have ended.
    pub copies: Copies,
    /// What servers said before they let us in, by host, oldest first; at most [`SAID`].
    pub said: VecDeque<(String, String)>,
    /// Hosts that showed another key than the known one, oldest first; at most [`ALARMS`].
    pub alarms: VecDeque<KeyAlarm>,
    /// What we believe of each host's health.
    pub health: BTreeMap<HostId, HostHealth>,
    /// This machine.
    pub local: Option<HostHealth>,
    /// The library of runbooks, by name.
    pub books: Vec<Runbook>,
    /// What is wrong with the runbooks that cannot be read.
    pub broken: Vec<Diagnostic>,
    /// What was copied out of a pane last.
    pub copied: Option<Arc<str>>,
    /// What was said to the user, newest last.
    pub notices: Notices,
    /// Questions of workers, oldest first; the oldest is asked.
    pub questions: VecDeque<Question>,
    /// How many requests are under way, for the sign that something is being waited for.
    pub busy: usize,
    /// Which hosts are production, and what else there is.
    pub environments: Environments,
    /// The marked sessions, and the broadcast that goes on.
    pub broadcast: Broadcast,
    /// How sync is; `None` when this store syncs with nobody.
    pub sync: Option<SyncStatus>,
    /// Who else has a ticket open that is open here.
    pub onlookers: Vec<Onlooker>,
    /// Whether this is the demo.
    pub demo: bool,
    /// Whether everything that changes anything is refused.
    pub read_only: bool,
}

impl Model {
    /// What we believe when we have just begun: nothing.
    pub fn new(now: Time, me: &str, demo: bool, read_only: bool) -> Self {
        Self {
            now,
            me: me.to_owned(),
            demo,
            read_only,
            ..Self::default()
        }
    }

    /// The host called `name`.
    pub fn host_named(&self, name: &str) -> Option<&Host> {
        self.hosts.named(name)
    }

    /// What we believe of a host's state now: its health if anybody looked, else what the inventory says.
    pub fn state_of(&self, host: &Host) -> HostState {
        self.health
            .get(&host.id)
            .map_or(host.state, |health| health.state)
    }

    /// The live session `id`.
    pub fn session(&self, id: SessionId) -> Option<&SessionView> {
        self.sessions.iter().find(|session| session.id == id)
    }

    /// The live session `id`, to be written by the update.
    pub fn session_mut(&mut self, id: SessionId) -> Option<&mut SessionView> {
        self.sessions.iter_mut().find(|session| session.id == id)
    }

    /// The tab that holds a session, and its number.
    pub fn tab_of(&self, id: SessionId) -> Option<(usize, &Tab)> {
        let mut tabs = self.tabs.iter().enumerate();
        tabs.find(|(_, tab)| tab.contains(id))
    }

    /// The tab that holds a session, to be written by the update.
    pub fn tab_of_mut(&mut self, id: SessionId) -> Option<&mut Tab> {
        self.tabs.iter_mut().find(|tab| tab.contains(id))
    }

    /// What the server of `host` said last: its banner, or what to do before a login goes on.
    pub fn said_by(&self, host: &str) -> Option<&str> {
        let said = self.said.iter().rev().find(|(by, _)| by == host);
        said.map(|(_, text)| text.as_str())
    }

    /// The connection that sessions on `host` use: one that is up before one that is not, no second one for bulk data.
    pub fn connection(&self, host: &str) -> Option<&ConnectionRow> {
        use crate::domain::connection::ConnectionState::Up;
        let rows = || {
            let of_host = self.connections.iter().filter(|row| row.host == host);
            of_host.filter(|row| !row.bulk)
        };
        rows().find(|row| row.state == Up).or_else(|| rows().next())
    }

    /// The ticket with this reference, from the page or the open case.
    pub fn ticket(&self, reference: &str) -> Option<&Ticket> {
        self.case
            .iter()
            .chain(&self.tickets.rows)
            .find(|ticket| ticket.reference == reference)
    }

    /// The run with this reference, the open one first because it has cells.
    pub fn run(&self, reference: &str) -> Option<&RunRow> {
        self.run
            .iter()
            .chain(&self.runs.rows)
            .find(|run| run.reference == reference)
    }

    /// Whether there is nothing yet: a store on its first day.
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty() && self.tickets.rows.is_empty() && self.tickets.query.is_empty()
    }
}

/// The inventory with an index by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hosts {
    rows: Vec<Host>,
    names: HashMap<String, usize>,
    ids: HashMap<HostId, usize>,
}

impl Hosts {
    /// Takes the inventory, in its order; the first of two hosts with one name is found by it.
    pub fn new(rows: Vec<Host>) -> Self {
        let mut names = HashMap::with_capacity(rows.len());
        for (index, host) in rows.iter().enumerate() {
            names.entry(host.name.clone()).or_insert(index);
        }
        let ids = rows
            .iter()
            .enumerate()
            .map(|(index, host)| (host.id, index))
            .collect();
        Self { rows, names, ids }
    }

    /// All of them, in inventory order.
    pub fn rows(&self) -> &[Host] {
        &self.rows
    }

    /// The host called `name`.
    pub fn named(&self, name: &str) -> Option<&Host> {
        self.names.get(name).and_then(|index| self.rows.get(*index))
    }

    /// The host with this id; ids are derived from names.
    pub fn get(&self, id: HostId) -> Option<&Host> {
        self.ids.get(&id).and_then(|index| self.rows.get(*index))
    }

    /// The host with this id, to be written by the update.
    pub fn get_mut(&mut self, id: HostId) -> Option<&mut Host> {
        let index = *self.ids.get(&id)?;
        self.rows.get_mut(index)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// In inventory order.
    pub fn iter(&self) -> std::slice::Iter<'_, Host> {
        self.rows.iter()
    }
}

impl From<Vec<Host>> for Hosts {
    fn from(rows: Vec<Host>) -> Self {
        Self::new(rows)
    }
}

/// A part of a longer list: what was asked for, and what came.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The query's text; empty for the usual one.
    pub query: String,
    /// At most [`PAGE`] rows.
    pub rows: Vec<T>,
    /// How many there are in all.
    pub total: usize,
    /// Whether the answer has come at all: an empty page that is still loading is no empty list.
    pub loaded: bool,
    /// Why the query could not be answered, in words for the user.
    pub error: Option<String>,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self {
            query: String::new(),
            rows: Vec::new(),
            total: 0,
            loaded: false,
            error: None,
        }
    }
}

/// A session in a pane.
#[derive(Clone, Debug)]
pub struct SessionView {
    /// For ever.
    pub id: SessionId,
    /// What people call it: `S-2M0D`.
    pub reference: String,
    /// The host's name.
    pub host: String,
    /// The ticket's reference.
    pub ticket: Option<String>,
    /// What the remote program calls itself (OSC 2).
    pub title: String,
    /// How far it is.
    pub state: SessionState,
    /// The latest screen; absent until the first bytes came.
    pub screen: Option<Arc<Screen>>,
    /// It rang and nobody has looked since.
    pub bell: bool,
    /// It wrote something and nobody has looked since.
    pub activity: bool,
    /// What it shows is recorded.
    pub recording: bool,
    /// Our agent is forwarded to it: whoever is root there can use our keys while it lasts.
    pub agent: bool,
    /// What is watched for in it, and what of it happened.
    pub monitor: Monitor,
    /// The exit status of the last command, where the shell marks its commands.
    pub last_exit: Option<i32>,
    /// The exit status of the session itself, once it has ended.
    pub exit: Option<i32>,
    /// The ended session whose place it takes as soon as its shell is there.
    pub instead: Option<SessionId>,
    /// Why it could not be opened anew after it had ended.
    pub failed: Option<String>,
    /// Its connection was lost: what is done about it.
    pub lost: Option<Lost>,
    /// It opens by itself: nothing that is typed meanwhile is meant for it.
    pub quiet: bool,
}

impl SessionView {
    /// A session that is being opened.
    pub fn opening(id: SessionId, host: &str, ticket: Option<String>) -> Self {
        Self {
            id,
            reference: String::new(),
            host: host.to_owned(),
            ticket,
            title: String::new(),
            state: SessionState::Opening(String::new()),
            screen: None,
            bell: false,
            activity: false,
            recording: true,
            agent: false,
            monitor: Monitor::default(),
            last_exit: None,
            exit: None,
            instead: None,
            failed: None,
            lost: None,
            quiet: false,
        }
    }
}

/// How far a session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// Connecting; says how far: `jump bastion`, `authenticating`.
    Opening(String),
    /// The shell is there.
    Live,
    /// It ended; says how: `exit 0`, `connection lost`.
    Closed(String),
}

/// A recording that is open to be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// Which session's.
    pub row: SessionRow,
    /// Its text.
    pub text: String,
}

/// The details of one host, fetched when they are shown.
#[derive(Clone, Debug, PartialEq)]
pub struct HostDetail {
    /// The host's name.
    pub name: String,
    /// What `ssh -G` says of it, or why that is not known; `None` while it is asked.
    pub effective: Option<Result<Effective, String>>,
    /// What happened on it, newest last.
    pub entries: Vec<Entry>,
    /// Its open tickets.
    pub tickets: Vec<Ticket>,
    /// The keys that it will be offered, in that order; `None` until that is known.
    pub keys: Option<Vec<KeyOffer>>,
}

/// What we believe of a host's health.
#[derive(Clone, Debug, PartialEq)]
pub struct HostHealth {
    /// The verdict.
    pub state: HostState,
    /// What speaks for it.
    pub reasons: Vec<String>,
    /// The latest samples, oldest first; at most [`SERIES`].
    pub series: VecDeque<Sample>,
    /// Why the last probe failed, if it did.
    pub last_error: Option<String>,
    /// When the last probe ended.
    pub at: Option<Time>,
}

impl Default for HostHealth {
    fn default() -> Self {
        Self {
            state: HostState::Unknown,
            reasons: Vec::new(),
            series: VecDeque::new(),
            last_error: None,
            at: None,
        }
    }
}

impl HostHealth {
    /// Adds a sample; the oldest is forgotten when [`SERIES`] are there.
    pub fn push(&mut self, sample: Sample) {
        if self.series.len() >= SERIES {
            self.series.pop_front();
        }
        self.series.push_back(sample);
    }

    /// The latest sample.
    pub fn latest(&self) -> Option<&Sample> {
        self.series.back()
    }
}

/// Something said to the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// When.
    pub at: Time,
    /// How bad it is.
    pub level: Level,
    /// In words.
    pub text: String,
}

/// How bad a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something was done.
    Info,
    /// Something deserves a look.
    Warn,
    /// Something failed; it stays until a key is pressed.
    Error,
}

/// Names a question; the answer carries the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct QuestionId(pub u64);

/// A question of a worker: an unknown host key, a passphrase, a checklist item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Comes back with the answer.
    pub id: QuestionId,
    /// A few words.
    pub title: String,
    /// What the user must know to answer, a line each.
    pub body: Vec<String>,
    /// What sort of answer is wanted.
    pub kind: QuestionKind,
    /// The session that waits for it, if one does; a pane that is being used is not covered by another one's question.
    pub session: Option<SessionId>,
    /// The hosts that it is about, the one that asks first; what their servers said before is shown with it.
    pub hosts: Vec<String>,
}

/// What sort of answer is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QuestionKind {
    /// Yes or no; `default_no` says which of them a bare Enter means.
    YesNo {
        /// A bare Enter is a no.
        default_no: bool,
    },
    /// A line of text that may be seen.
    Text,
    /// A secret: never shown, never kept.
    Secret,
    /// One exact word must be typed, for what cannot be undone.
    Typed(String),
    /// Something to know, and something that can be done about it: `key` chooses that, Enter does it.
    Offer {
        /// Chooses it.
        key: char,
        /// What the button says.
        verb: String,
    },
}
