//! Why a request is in flight: the one place to ask what is running, and what a late answer was for.

use std::collections::BTreeMap;

use crate::command::{Command, Outcome};
use crate::domain::host::Effective;
use crate::domain::ids::{HostId, ReqId, RunId, SessionId};
use crate::domain::runbook::Runbook;
use crate::domain::session::SessionRow;
use crate::domain::ticket::Ticket;
use crate::inventory::Scan;

use super::event::{Caller, LineId};

/// Why something was asked for.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// The hosts of the model.
    Hosts,
    /// The hosts of the model after an import, whose answer waits for them.
    Inventory(Caller, Box<Outcome>),
    /// What was measured of a host before this process began.
    Past(HostId),
    /// Data that a screen shows, by the page's key.
    Page(crate::ui::Want),
    /// One more piece of what a command needs before it can be carried out.
    Gather(Box<Gather>, Piece),
    /// A batch of a command; what follows when it is durable.
    Commit(Caller, Then),
    /// The store's answer is the command's outcome.
    Show(Caller),
    /// The run is over: its row is the outcome, and its state the exit status.
    RunOver(Caller),
    /// A batch of a run: its machine waits for this token.
    Journal(RunId, u64),
    /// A step of a run on a host.
    Step(RunId, String, u32),
    /// One host of a fan-out.
    Fan(u64, String),
    /// What a pane of this session shows, and a pattern if one is looked for there.
    Capture(Caller, String, Option<String>),
    /// Whether the settings file was changed.
    SettingsMark,
    /// The settings, to be taken over.
    Settings(Caller),
    /// Recordings that must not be kept.
    Sweep,
    /// The sessions whose recordings are to be looked through.
    Search(Caller, Box<crate::command::Search>),
    /// The one command, or the shell, of a command line.
    Call(LineId),
    /// The keys that a host would be offered.
    Keys(String),
    /// A copy of files.
    Copy(Caller),
    /// How things are, for a command line that listed them.
    Status(LineId),
    /// A sample of a host; the fact says which.
    Probe,
    /// A sample that is kept; nobody waits and no page changes.
    Sample,
    /// A list of file systems of a host.
    Disks(HostId),
    /// The end of a session: its lock goes when this is durable.
    Ended(SessionId),
    /// The entry of a host of a fan-out, by the fan-out's number.
    Entry(u64),
    /// The command that proves a new connection to a host.
    Again(Caller, String),
    /// One change of files, by the order's number.
    FileAsk(u64),
    /// The entry of what became of a copy or a change of files.
    FilesEntry,
    /// What only the audit remembers. Nobody waits: the store writes what is queued before it closes.
    Audit,
    /// The tabs that are kept for the next start, or the end of sessions that the last one left.
    Kept,
    /// Something about sync.
    Sync(Caller, SyncStep),
    /// What was kept of tabs and layouts.
    Layout(super::update::Wanted),
}

/// What is made of sync's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SyncStep {
    /// It is the outcome.
    Whole,
    /// The status is the outcome.
    Status,
    /// Of the status, the devices are the outcome.
    Devices,
    /// Whoever shows this code is told to the person, who says whether it comes in.
    Admit(String),
    /// In the status, the device that this word means is looked up, and the person says whether it goes.
    Retire(String),
}

impl Purpose {
    /// Whether pages on the screen may show what the batch wrote.
    pub(crate) const fn outdates(&self) -> bool {
        !matches!(self, Self::Sample | Self::Kept | Self::Audit)
    }
}

/// What follows when a batch is durable.
#[derive(Debug)]
pub(crate) enum Then {
    /// Answer with the ticket of this reference; the new one, if it is empty.
    Ticket(String),
    /// Answer with this once the inventory has what was written.
    Inventory(Box<Outcome>),
    /// Open the session's shell.
    Open(SessionId),
    /// Launch what was announced.
    Launch(Box<super::state::Call>),
    /// Launch the fan-out of this number.
    Fan(u64),
    /// Launch the copy that was announced.
    Copy(ReqId),
    /// What happened is recorded; answer with this.
    Answer(Box<Outcome>),
    /// Begin the changes of files of this number.
    Order(u64),
    /// The call is over; answer with this exit status.
    Exit(u8),
}

/// A command, and what was gathered for it so far.
#[derive(Debug)]
pub(crate) struct Gather {
    /// Who asked.
    pub caller: Caller,
    /// For what.
    pub command: Command,
    /// The ticket it is about, or for.
    pub ticket: Option<Ticket>,
    /// Hosts of tickets that a pattern names.
    pub ticket_hosts: BTreeMap<String, Vec<String>>,
    /// Tickets to link, as given and as the store spells them.
    pub links: BTreeMap<String, String>,
    /// The runbook.
    pub book: Option<Runbook>,
    /// What a file said.
    pub bytes: Option<Vec<u8>>,
    /// The session.
    pub session: Option<SessionRow>,
    /// Why its recording cannot be read.
    pub gone: Option<String>,
    /// It was asked whether its recording comes from another device: where it is, or why it does not come.
    pub fetched: Option<Result<std::path::PathBuf, String>>,
    /// Hosts found in a file.
    pub scan: Option<Scan>,
    /// Effective settings by host name, or why there are none.
    pub effective: BTreeMap<String, Result<Effective, String>>,
}

/// A piece that a command waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// The ticket.
    Ticket,
    /// The hosts of a ticket in a pattern.
    TicketHosts(String),
    /// The spelling of a ticket's reference.
    Link(String),
    /// The runbook.
    Book,
    /// The session.
    Session,
    /// The recording, from another device.
    Fetch,
    /// The bytes of a file.
    Bytes,
    /// The hosts of a file.
    Scan,
    /// The effective settings of these hosts.
    Effective(Vec<String>),
}

impl Gather {
    /// A command that has nothing yet.
    pub(crate) fn new(caller: Caller, command: Command) -> Self {
        Self {
            caller,
            command,
            ticket: None,
            ticket_hosts: BTreeMap::new(),
            links: BTreeMap::new(),
            book: None,
            bytes: None,
            session: None,
            gone: None,
            fetched: None,
            scan: None,
            effective: BTreeMap::new(),
        }
    }
}
