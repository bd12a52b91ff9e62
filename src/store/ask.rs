//! What may be written to the store and asked of it, as plain data.

use std::path::PathBuf;

use serde::Serialize;

use crate::domain::audit::{AuditFilter, AuditRow, ChainReport, Found, SizeRow, Wanted};
use crate::domain::case::Entry;
use crate::domain::check::HostState;
use crate::domain::host::{Effective, Host, Target};
use crate::domain::ids::{DeviceId, EntityId, HostId};
use crate::domain::op::{Draft, Hlc, Stamp, Value};
use crate::domain::query::Query;
use crate::domain::run::RunRow;
use crate::domain::sample::Sample;
use crate::domain::session::SessionRow;
use crate::domain::ticket::Ticket;
use crate::domain::time::Time;

/// What is written in one transaction: all of it is durable, or none.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// What goes into the log, in order.
    pub drafts: Vec<Draft>,
    /// What stays on this machine.
    pub local: Vec<Local>,
}

impl From<Vec<Draft>> for Batch {
    fn from(drafts: Vec<Draft>) -> Self {
        Self {
            drafts,
            local: Vec::new(),
        }
    }
}

/// The times and sizes of the files that an answer of `ssh -G` depends on: path, modification time in nanoseconds since
/// 1970, size in bytes.
pub type FileStamps = Vec<(PathBuf, i64, u64)>;

/// What only this machine wants to remember; it never travels.
#[derive(Clone, Debug)]
pub enum Local {
    /// What `ssh -G` said, and of which files it is true.
    Effective {
        /// Of which destination.
        target: Target,
        /// The files it depends on.
        stamps: FileStamps,
        /// The options.
        effective: Effective,
    },
    /// A measurement and what was made of it.
    Sample {
        /// Of which host.
        host: HostId,
        /// The values.
        sample: Sample,
        /// The verdict.
        state: HostState,
        /// Why, for people.
        reasons: Vec<String>,
    },
    /// A verdict without a measurement, such as `unreachable`.
    HostState {
        /// Of which host.
        host: HostId,
        /// When.
        at: Time,
        /// The verdict.
        state: HostState,
        /// Why, for people.
        reasons: Vec<String>,
    },
    /// A small text to be found again by its name; it replaces what was kept under it.
    Keep {
        /// Its name.
        name: String,
        /// The text; `None` forgets it.
        text: Option<String>,
    },
}

/// What is to be purged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purge {
    /// The reference of a ticket, a run or a session, or the id of an entry.
    pub what: String,
    /// Only this field of the ticket.
    pub field: Option<String>,
    /// Who purges.
    pub author: String,
}

/// The answer to a batch that is on the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// The references given by `Draft::Reference`, in the order of the drafts.
    pub references: Vec<(EntityId, String)>,
    /// The number of this device's last operation.
    pub seq: u64,
}

/// A question. References are taken in lower case, with Crockford's look-alikes, and without their prefix.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Tickets without their history, newest first.
    Tickets {
        /// Which.
        query: Query,
        /// At most so many; `None` for all.
        limit: Option<u32>,
    },
    /// One ticket with its history.
    Ticket {
        /// Which.
        reference: String,
    },
    /// All hosts in inventory order.
    Hosts,
    /// One host.
    Host {
        /// Its name.
        name: String,
    },
    /// What was last found on a host, and why it is in that state.
    HostState {
        /// Which.
        host: HostId,
    },
    /// Runs without cells, newest first.
    Runs {
        /// Only those of this ticket.
        ticket: Option<String>,
        /// At most so many.
        limit: Option<u32>,
    },
    /// One run with its cells and their output.
    Run {
        /// Which.
        reference: String,
    },
    /// Sessions, newest first.
    Sessions {
        /// At most so many.
        limit: Option<u32>,
    },
    /// One session.
    Session {
        /// Which.
        reference: String,
    },
    /// What `ssh -G` said last time.
    Effective {
        /// Of which destination.
        target: Target,
    },
    /// The newest samples, oldest first.
    Samples {
        /// Of which host.
        host: HostId,
        /// At most so many.
        limit: u32,
    },
    /// The newest entries that name a host, oldest first.
    Timeline {
        /// The host's name.
        host: String,
        /// At most so many.
        limit: u32,
    },
    /// The newest entries of all, oldest first.
    Events {
        /// Only what happened then or later.
        since: Option<Time>,
        /// At most so many.
        limit: u32,
    },
    /// The names of the hosts linked to a ticket, sorted.
    TicketHosts {
        /// Which ticket.
        reference: String,
    },
    /// The fields of a ticket that two devices changed at once, with every value.
    Conflicts {
        /// Which ticket.
        reference: String,
    },
    /// Operations of one device's log, in order; what a sync sends.
    Log {
        /// Whose.
        device: DeviceId,
        /// From this number on, from 1.
        from: u64,
        /// At most so many.
        limit: u32,
    },
    /// How far each device's log is known here.
    Heads,
    /// Devices: what they are called, how far their logs go here, when they last wrote.
    Devices,
    /// The texts of [`Local::Keep`] whose names begin so, by name.
    Kept {
        /// The beginning.
        prefix: String,
    },
    /// Whether everything is in order. Reads the whole file.
    Doctor,
    /// Who did what, newest first.
    Audit(AuditFilter),
    /// Whether the chain of every device's log holds. Reads all logs.
    Chains,
    /// Tickets, comments, entries, runs, sessions and hosts by their words.
    Search(Wanted),
    /// Rows and bytes by kind.
    Size,
}

/// The answer to an [`Ask`] of the same name.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Tickets without their history.
    Tickets {
        /// The page.
        rows: Vec<Ticket>,
        /// How many match; when a limit was given it stops counting at [`COUNT_CAP`], which then means "more".
        total: u64,
    },
    /// One ticket with its history.
    Ticket(Box<Ticket>),
    /// Hosts in inventory order.
    Hosts(Vec<Host>),
    /// One host.
    Host(Box<Host>),
    /// When, what and why; `None` when nobody ever looked.
    HostState(Option<(Time, HostState, Vec<String>)>),
    /// Runs without cells.
    Runs(Vec<RunRow>),
    /// One run with its cells.
    Run(Box<RunRow>),
    /// Sessions.
    Sessions(Vec<SessionRow>),
    /// One session.
    Session(Box<SessionRow>),
    /// The files it depends on and the options; `None` when nobody asked yet.
    Effective(Option<(FileStamps, Effective)>),
    /// Samples, oldest first.
    Samples(Vec<Sample>),
    /// Entries of [`Ask::Timeline`] and [`Ask::Events`], oldest first.
    Timeline(Vec<Entry>),
    /// Names of hosts.
    TicketHosts(Vec<String>),
    /// Fields with more than one value.
    Conflicts(Vec<Conflict>),
    /// A piece of a log.
    Log(Vec<Logged>),
    /// The highest known number of each device's log.
    Heads(Vec<(DeviceId, u64)>),
    /// Devices, by id.
    Devices(Vec<DeviceRow>),
    /// Names and texts, in the order of the names.
    Kept(Vec<(String, String)>),
    /// What was examined.
    Doctor(DoctorReport),
    /// A page of the audit.
    Audit(Vec<AuditRow>),
    /// What was found of each device's log.
    Chains(Vec<ChainReport>),
    /// What was found.
    Search(Found),
    /// Rows and bytes.
    Size(Vec<SizeRow>),
}

/// Where counting stops when a page is asked for: this many means "more than can be counted quickly".
pub const COUNT_CAP: u64 = 5001;

/// A field with more than one unsettled value. Writing the field settles it.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// The field's name.
    pub field: String,
    /// Every value with its writer, the one in force first.
    pub values: Vec<(Stamp, Value)>,
}

/// A device that has a name or a log here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRow {
    /// Which.
    pub id: DeviceId,
    /// What it is called; empty when nobody said.
    pub name: String,
    /// The number of its last operation that is here; zero for none.
    pub seq: u64,
    /// When that was written.
    pub last: Option<Time>,
}

impl DeviceRow {
    pub(crate) const fn new(id: DeviceId, name: String) -> Self {
        Self {
            id,
            name,
            seq: 0,
            last: None,
        }
    }
}

/// An operation as it stands in a log: what a sync carries from device to device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Whose log.
    pub device: DeviceId,
    /// Its number there, from 1, without gaps.
    pub seq: u64,
    /// When it was written.
    pub hlc: Hlc,
    /// The body, byte for byte as its author wrote it.
    pub body: Vec<u8>,
}

/// What an examination of the store found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DoctorReport {
    /// Whether every line is in order.
    pub ok: bool,
    /// What was examined.
    pub lines: Vec<DoctorLine>,
}

/// One thing that was examined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DoctorLine {
    /// What.
    pub name: String,
    /// Whether it is in order.
    pub ok: bool,
    /// What was found, and what to do if it is not in order.
    pub detail: String,
}
