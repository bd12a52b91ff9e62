//! What comes back from a command: a closed set, which the command line renders as text or JSON and the screen shows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::audit::{AuditRow, ChainReport, Found, Purged, SizeRow};
use crate::domain::check::HostState;
use crate::domain::files::CopyReport;
use crate::domain::forward::{ForwardRow, ForwardState};
use crate::domain::host::{Effective, Host};
use crate::domain::run::{Cell, RunRow};
use crate::domain::runbook::{Diagnostic, Runbook};
use crate::domain::sample::Sample;
use crate::domain::session::SessionRow;
use crate::domain::sync::{SyncDevice, SyncStatus};
use crate::domain::ticket::Ticket;

/// The answer to a command, and the exit status that goes with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// What to show.
    pub answer: Answer,
    /// As interface.md says: 0 ok, 1 something failed, 2 refused, 3 not found, 4 conflict.
    pub exit: u8,
}

impl Outcome {
    /// A success.
    pub const fn ok(answer: Answer) -> Self {
        Self { answer, exit: 0 }
    }

    /// A refusal or a failure, in words that say what to do next.
    pub const fn error(exit: u8, text: String) -> Self {
        Self {
            answer: Answer::Error(text),
            exit,
        }
    }
}

/// What a command answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// Something was done; a line for people.
    Done(String),
    /// It was not done: what was attempted, why it failed, what to do next.
    Error(String),
    /// Tickets, without their entries.
    Tickets(Vec<Ticket>),
    /// One ticket with its entries.
    Ticket(Box<Ticket>),
    /// Hosts.
    Hosts {
        /// The rows.
        hosts: Vec<Host>,
        /// The columns wanted, if not the usual ones.
        columns: Option<Vec<String>>,
    },
    /// One host and what `ssh -G` says of it.
    Host {
        /// The host.
        host: Box<Host>,
        /// Its effective settings, or why there are none.
        effective: Result<Effective, String>,
    },
    /// What an import found.
    Import(ImportReport),
    /// Health of hosts.
    Health(Vec<HostHealth>),
    /// Sessions.
    Sessions(Vec<SessionRow>),
    /// Sessions with what this process knows of those that live, the living first.
    SessionLines(Vec<SessionLine>),
    /// A session was opened; its reference and its host.
    Opened {
        /// Its reference.
        reference: String,
        /// Where it leads.
        host: String,
    },
    /// What a pane shows.
    Captured(Box<CaptureRow>),
    /// What was waited for was shown.
    Matched {
        /// In which session.
        reference: String,
        /// The line.
        line: String,
    },
    /// One session and its text.
    Session {
        /// The session.
        session: Box<SessionRow>,
        /// The text of its recording.
        text: String,
    },
    /// Runbooks of the library, and what is wrong with those that cannot be read.
    Books {
        /// The readable ones.
        books: Vec<Runbook>,
        /// What is wrong with the others.
        broken: Vec<Diagnostic>,
    },
    /// One runbook.
    Book(Box<Runbook>),
    /// What is wrong with a file; empty when nothing is.
    Diagnostics(Vec<Diagnostic>),
    /// What a run would do.
    Preview {
        /// The hosts, in order.
        hosts: Vec<String>,
        /// The steps with parameters filled in.
        steps: Vec<StepPreview>,
        /// Names that lead to the same place and run once.
        merged: Vec<String>,
    },
    /// Runs, without their cells.
    Runs(Vec<RunRow>),
    /// One run with its cells.
    Run(Box<RunRow>),
    /// What one command did on many hosts.
    Exec(Vec<Cell>),
    /// Forwards.
    Forwards(Vec<ForwardRow>),
    /// What a copy came to.
    Copy(Box<CopyReport>),
    /// A page of the audit.
    Audit(Vec<AuditRow>),
    /// What was found of each device's log.
    Chains(Vec<ChainReport>),
    /// What was purged, and what could not be reached.
    Purged(Purged),
    /// What was found by its words.
    Found(Found),
    /// Rows and bytes of the store.
    Size(Vec<SizeRow>),
    /// The store's examination.
    Doctor(Vec<DoctorLine>),
    /// The program.
    Info(Info),
    /// The app that serves a home.
    Server(ServerStatus),
    /// How sync is; `None` when this store syncs with nobody.
    Sync(Option<Box<SyncStatus>>),
    /// The devices of the space.
    SyncDevices(Vec<SyncDevice>),
    /// Something about sync was done.
    Synced {
        /// A line for people, or a few.
        said: String,
        /// How sync is now; `None` when this store syncs with nobody.
        status: Option<Box<SyncStatus>>,
    },
    /// Names, such as themes.
    Names(Vec<String>),
    /// Nothing to show: the output went out while it happened.
    Silent,
}

impl Answer {
    /// A title and lines, for answers that are a list or a text and nothing more. `None` for all others.
    pub fn listing(&self) -> Option<(&'static str, Vec<String>)> {
        Some(match self {
            Self::Diagnostics(findings) if !findings.is_empty() => {
                ("errors", findings.iter().map(ToString::to_string).collect())
            }
            Self::Preview {
                hosts,
                steps,
                merged,
            } => {
                let head = format!("would run on {} hosts: {}", hosts.len(), hosts.join(" "));
                let steps = steps
                    .iter()
                    .flat_map(|step| [String::new(), step.name.clone(), step.text.clone()]);
                (
                    "preview",
                    std::iter::once(head)
                        .chain(merged.iter().cloned())
                        .chain(steps)
                        .collect(),
                )
            }
            Self::Doctor(lines) => {
                let mark = |ok: bool| if ok { "ok " } else { "BAD" };
                (
                    "doctor",
                    lines
                        .iter()
                        .map(|line| format!("{}  {}: {}", mark(line.ok), line.name, line.detail))
                        .collect(),
                )
            }
            Self::Audit(rows) => ("audit", super::care::audit_lines(rows)),
            Self::Chains(chains) => ("audit", super::care::chain_lines(chains)),
            Self::Found(found) => ("found", super::care::found_lines(found)),
            Self::Size(rows) => ("size", super::care::size_lines(rows)),
            Self::Purged(purged) => ("purged", super::care::purged_lines(purged)),
            Self::Info(info) => (
                "about",
                info.lines()
                    .map(|(name, value)| format!("{name:<9} {value}"))
                    .collect(),
            ),
            Self::Server(status) => ("app", status.lines()),
            Self::Names(names) => ("names", names.clone()),
            Self::Forwards(rows) => ("forwards", rows.iter().map(forward_line).collect()),
            Self::Tickets(tickets) => (
                "tickets",
                tickets
                    .iter()
                    .map(|ticket| {
                        format!("{}  {}  {}", ticket.reference, ticket.state, ticket.title)
                    })
                    .collect(),
            ),
            Self::Hosts { hosts, .. } => (
                "hosts",
                hosts.iter().map(|host| host.name.clone()).collect(),
            ),
            Self::Runs(runs) => (
                "runs",
                runs.iter()
                    .map(|run| format!("{}  {}  {}", run.reference, run.state, run.book))
                    .collect(),
            ),
            _ => return None,
        })
    }
}

impl Info {
    /// Name and value of each fact.
    pub fn lines(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("version", self.version.as_str()),
            ("sqlite", &self.sqlite),
            ("settings", &self.config),
            ("store", &self.data),
            ("log", &self.state),
            ("device", &self.device),
            ("recorded", &self.recordings),
        ]
        .into_iter()
    }
}

/// A forward on one line, for the screen.
fn forward_line(row: &ForwardRow) -> String {
    let how = match &row.state {
        ForwardState::Starting => "starting".to_owned(),
        ForwardState::Listening => "listening".to_owned(),
        ForwardState::Waiting { why } => format!("waiting: {why}"),
        ForwardState::Failed { why } => format!("failed: {why}"),
        ForwardState::Stopped => "stopped".to_owned(),
    };
    format!("{:>4}  {} through {}  {how}", row.id, row.rule, row.host)
}

/// A session, and what is known of its pane. In JSON both are one object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionLine {
    /// As the store knows it.
    pub row: SessionRow,
    /// `connecting`, `live`, `ended` while its pane is still shown, `closed`, `lost` when its app died, `elsewhere` when
    /// another process has it.
    pub state: String,
    /// Columns and rows of its pane.
    pub size: Option<(u16, u16)>,
    /// What its program calls the window.
    pub title: String,
    /// Its place among the panes, from 0, as after the prefix.
    pub tab: Option<usize>,
    /// What it shows is being recorded.
    pub recorded: bool,
}

/// What a pane shows. Field names are those of the JSON output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureRow {
    /// The session.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Its lines.
    pub text: String,
    /// Columns of the pane.
    pub cols: u16,
    /// Rows of the pane.
    pub rows: u16,
    /// Row and column of the cursor from 0; `null` when it is hidden.
    pub cursor: Option<(u16, u16)>,
    /// What the program calls the window.
    pub title: String,
}

/// What an import found, by host name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ImportReport {
    /// Whether nothing was written.
    pub dry_run: bool,
    /// New hosts.
    pub added: Vec<String>,
    /// Hosts that changed, and in which fields.
    pub changed: BTreeMap<String, Vec<String>>,
    /// Hosts that the source no longer names; they are marked stale.
    pub stale: Vec<String>,
    /// Hosts that the source names again.
    pub returned: Vec<String>,
    /// How many are as they were.
    pub unchanged: usize,
    /// What could not be read.
    pub warnings: Vec<Diagnostic>,
}

/// A host's health.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostHealth {
    /// The host's name.
    pub host: String,
    /// The verdict.
    pub state: HostState,
    /// What speaks for it.
    pub reasons: Vec<String>,
    /// Seconds since it was measured.
    pub age_s: Option<u64>,
    /// What was measured.
    pub sample: Option<Sample>,
}

/// A step with its parameters filled in, secrets masked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepPreview {
    /// The step's name.
    pub name: String,
    /// What would run, or be asked.
    pub text: String,
}

/// One finding of the doctor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DoctorLine {
    /// What was examined.
    pub name: String,
    /// Whether it is in order.
    pub ok: bool,
    /// What was found.
    pub detail: String,
}

/// The app that serves a home. Field names are those of the JSON output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerStatus {
    /// Its process.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// Windows that are open.
    pub windows: usize,
    /// Live sessions.
    pub sessions: usize,
    /// Runs under way.
    pub runs: usize,
    /// Why a logout would end it, if it would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logout: Option<String>,
    /// What there is to say about its settings, if they were changed since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<String>,
}

impl ServerStatus {
    fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!("process   {}", self.pid),
            format!("version   {}", self.version),
            format!("windows   {}", self.windows),
            format!("sessions  {}", self.sessions),
            format!("runs      {}", self.runs),
        ];
        lines.extend(self.logout.iter().map(|risk| format!("logout    {risk}")));
        let settings = self.settings.iter();
        lines.extend(settings.map(|words| format!("settings  {words}")));
        lines
    }
}

/// Versions and places.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Info {
    /// Of the program.
    pub version: String,
    /// Of the SQLite library that is built in.
    pub sqlite: String,
    /// The settings' folder.
    pub config: String,
    /// The store's folder.
    pub data: String,
    /// The log's folder.
    pub state: String,
    /// This installation's id in the log.
    pub device: String,
    /// How many recordings there are, and their size, in words.
    pub recordings: String,
}
