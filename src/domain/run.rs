//! Runs: a runbook on hosts, step by step, and the facts that are journalled about it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ids::{RunId, TicketId};
use super::op::{Draft, Entity, EntityKind, Value};
use super::ticket::words;
use super::time::Time;

words!(
    /// How far a run is.
    RunState, "run state" {
        /// A living process works on it.
        Running = "running",
        /// Every step of every host succeeded or was skipped on purpose.
        Ok = "ok",
        /// Something failed or could not be reached.
        Failed = "failed",
        /// A person stopped it.
        Cancelled = "cancelled",
        /// Its process died; the steps that were open are unknown.
        Unknown = "unknown",
    }
);

words!(
    /// How far a step on one host is.
    CellState, "step state" {
        /// Not begun.
        Waiting = "waiting",
        /// Journalled as begun, and its owner lives.
        Running = "running",
        /// Exit status 0.
        Ok = "ok",
        /// Another exit status, a signal, a time-out or a failed verification.
        Failed = "failed",
        /// Not run, because its condition said no or an earlier step failed.
        Skipped = "skipped",
        /// The host could not be reached.
        Unreachable = "unreachable",
        /// Begun, and its owner died before the end was recorded: it may or may not have happened.
        Unknown = "unknown",
    }
);

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// With this exit status.
    Code(i32),
    /// By this signal, named without `SIG`.
    Signal(String),
    /// It did not end in time and was stopped.
    TimedOut,
    /// The host could not be reached or the connection broke; says why.
    Unreachable(String),
    /// It was cancelled before its end.
    Cancelled,
}

impl Exit {
    /// The number that scripts see: as interface.md says, 124 for a time-out, 128+n for a signal, 255 for the transport.
    pub fn code(&self) -> i32 {
        match self {
            Self::Code(code) => *code,
            Self::Signal(name) => 128 + signal_number(name),
            Self::TimedOut => 124,
            Self::Unreachable(_) => 255,
            Self::Cancelled => 130,
        }
    }

    /// Whether it is exit status 0.
    pub fn is_ok(&self) -> bool {
        *self == Self::Code(0)
    }
}

/// The number of a signal by its name in RFC 4254, section 6.10; 0 for an unknown one.
fn signal_number(name: &str) -> i32 {
    match name {
        "HUP" => 1,
        "INT" => 2,
        "QUIT" => 3,
        "ILL" => 4,
        "ABRT" => 6,
        "FPE" => 8,
        "KILL" => 9,
        "USR1" => 10,
        "SEGV" => 11,
        "USR2" => 12,
        "PIPE" => 13,
        "ALRM" => 14,
        "TERM" => 15,
        _ => 0,
    }
}

/// Numbers of hosts at the end of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Every step succeeded.
    pub ok: u32,
    /// A step failed.
    pub failed: u32,
    /// Could not be reached.
    pub unreachable: u32,
    /// Never begun, or stopped half-way by a rule or a person.
    pub skipped: u32,
}

/// What is journalled about a run; each becomes one record in the log, before the act it announces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RunFact {
    /// The run begins.
    Started {
        /// When.
        at: Time,
        /// The runbook's name.
        book: String,
        /// Which version: the hash of its bytes.
        hash: String,
        /// The names of the steps, in order.
        steps: Vec<String>,
        /// The hosts, in order.
        hosts: Vec<String>,
        /// The parameters, secrets masked.
        params: BTreeMap<String, String>,
        /// For which ticket.
        ticket: Option<TicketId>,
        /// Who started it.
        author: String,
    },
    /// A step is about to begin.
    StepStarted {
        /// When.
        at: Time,
        /// Where.
        host: String,
        /// Which step, from 0.
        step: u32,
        /// 1 for the first try.
        attempt: u32,
    },
    /// A step ended, or was passed over.
    StepFinished {
        /// When.
        at: Time,
        /// Where.
        host: String,
        /// Which step, from 0.
        step: u32,
        /// How the cell stands now; never waiting or running.
        state: CellState,
        /// The exit status, if there was one.
        exit: Option<i32>,
        /// How long it took.
        took_ms: u64,
        /// Standard output and standard error as they came, at most [`OUTPUT_INLINE`] bytes.
        output: Vec<u8>,
        /// How many bytes did not fit into `output`.
        dropped: u64,
        /// Why it failed or was skipped, in words; empty when the exit status says it all.
        reason: String,
    },
    /// The run ended.
    Finished {
        /// When.
        at: Time,
        /// How.
        state: RunState,
        /// In numbers of hosts.
        tally: Tally,
    },
}

/// The most output of one step that is kept in the log, in bytes.
pub const OUTPUT_INLINE: usize = 64 * 1024;

impl RunFact {
    /// The draft that stores it.
    // tidy: table
    pub fn draft(&self, run: RunId) -> Draft {
        let text = |text: &str| Value::Text(text.to_owned());
        let list = |items: &[String]| Value::List(items.iter().map(|item| text(item)).collect());
        let (name, fields) = match self {
            Self::Started {
                at,
                book,
                hash,
                steps,
                hosts,
                params,
                ticket,
                author,
            } => (
                "run.started",
                vec![
                    ("at", Value::Int(at.0)),
                    ("book", text(book)),
                    ("hash", text(hash)),
                    ("steps", list(steps)),
                    ("hosts", list(hosts)),
                    (
                        "params",
                        Value::Map(
                            params
                                .iter()
                                .map(|(name, value)| (name.clone(), text(value)))
                                .collect(),
                        ),
                    ),
                    (
                        "ticket",
                        ticket.map_or(Value::Null, |id| Value::Bytes(id.0.as_bytes().to_vec())),
                    ),
                    ("author", text(author)),
                ],
            ),
            Self::StepStarted {
                at,
                host,
                step,
                attempt,
            } => (
                "step.started",
                vec![
                    ("at", Value::Int(at.0)),
                    ("host", text(host)),
                    ("step", Value::Int((*step).into())),
                    ("attempt", Value::Int((*attempt).into())),
                ],
            ),
            Self::StepFinished {
                at,
                host,
                step,
                state,
                exit,
                took_ms,
                output,
                dropped,
                reason,
            } => (
                "step.finished",
                vec![
                    ("at", Value::Int(at.0)),
                    ("host", text(host)),
                    ("step", Value::Int((*step).into())),
                    ("state", text(state.word())),
                    ("exit", Value::from(exit.map(i64::from))),
                    (
                        "took_ms",
                        Value::Int(i64::try_from(*took_ms).unwrap_or(i64::MAX)),
                    ),
                    ("output", Value::Bytes(output.clone())),
                    (
                        "dropped",
                        Value::Int(i64::try_from(*dropped).unwrap_or(i64::MAX)),
                    ),
                    ("reason", text(reason)),
                ],
            ),
            Self::Finished { at, state, tally } => (
                "run.finished",
                vec![
                    ("at", Value::Int(at.0)),
                    ("state", text(state.word())),
                    ("ok", Value::Int(tally.ok.into())),
                    ("failed", Value::Int(tally.failed.into())),
                    ("unreachable", Value::Int(tally.unreachable.into())),
                    ("skipped", Value::Int(tally.skipped.into())),
                ],
            ),
        };
        Draft::Record {
            entity: Entity {
                kind: EntityKind::Run,
                id: run.0,
            },
            name: name.to_owned(),
            fields: fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        }
    }
}

/// One step on one host, as stored. Field names are those of the JSON output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The host's name.
    pub host: String,
    /// The step's name.
    pub step: String,
    /// The step's place, from 0.
    pub index: u32,
    /// How far it is.
    pub state: CellState,
    /// The exit status.
    pub exit: Option<i32>,
    /// Tries so far.
    pub attempt: u32,
    /// When it began.
    pub started: Option<Time>,
    /// How long it took.
    pub took_ms: Option<u64>,
    /// What it wrote, invalid UTF-8 replaced; empty in lists.
    pub output: String,
    /// Bytes that were not kept.
    pub dropped: u64,
    /// Why it failed or was skipped.
    pub reason: String,
}

/// A run as stored. Field names are those of the JSON output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRow {
    /// For ever.
    pub id: RunId,
    /// What people call it: `R-9QXA`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The runbook's name.
    pub book: String,
    /// Which version of it.
    pub hash: String,
    /// How far it is.
    pub state: RunState,
    /// The ticket's reference.
    pub ticket: Option<String>,
    /// Who started it.
    pub author: String,
    /// The names of the steps.
    pub steps: Vec<String>,
    /// The hosts, in order.
    pub hosts: Vec<String>,
    /// The parameters, secrets masked.
    pub params: BTreeMap<String, String>,
    /// When it began.
    pub started: Time,
    /// When it ended.
    pub finished: Option<Time>,
    /// In numbers of hosts.
    pub tally: Tally,
    /// One for every begun or finished step; empty in lists.
    pub cells: Vec<Cell>,
}
