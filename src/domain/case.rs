//! Case events: the one timeline that joins tickets to hosts, checks, sessions and runs.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ids::{EntityId, RunId, SessionId, TicketId};
use super::op::{Draft, Entity, EntityKind, Value};
use super::ticket::words;
use super::time::Time;

words!(
    /// What sort of thing happened.
    EntryKind, "entry kind" {
        /// An internal remark.
        Comment = "comment",
        /// Something said to the requester.
        Reply = "reply",
        /// Fields changed.
        Edit = "edit",
        /// A session, or one command over SSH.
        Session = "session",
        /// A run of a runbook.
        Run = "run",
        /// A check changed its state.
        Check = "check",
        /// A silence began or ended.
        Silence = "silence",
        /// A file was copied.
        File = "file",
        /// A change was approved, started or closed.
        Change = "change",
    }
);

/// One thing that happened, as the timeline shows it. Field names are those of the JSON output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Unique in the store.
    pub id: String,
    /// When.
    pub at: Time,
    /// What sort.
    pub kind: EntryKind,
    /// Who.
    pub author: String,
    /// In words.
    pub text: String,
    /// On which host.
    pub host: Option<String>,
    /// The reference of the session, `S-2M0D`.
    pub session: Option<String>,
    /// The reference of the run, `R-9QXA`.
    pub run: Option<String>,
    /// The reference of the ticket, for timelines of hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Particulars: `exit`, `took_ms`, `bytes`, `command`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, serde_json::Value>,
}

/// A case event to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseEvent {
    /// Its own id.
    pub id: EntityId,
    /// When.
    pub at: Time,
    /// What sort.
    pub kind: EntryKind,
    /// Who.
    pub author: String,
    /// In words.
    pub text: String,
    /// Of which ticket, if any.
    pub ticket: Option<TicketId>,
    /// On which host, by name.
    pub host: Option<String>,
    /// In which session.
    pub session: Option<SessionId>,
    /// In which run.
    pub run: Option<RunId>,
    /// Particulars.
    pub data: BTreeMap<String, Value>,
}

impl CaseEvent {
    /// An event without particulars.
    pub fn new(
        id: EntityId,
        at: Time,
        kind: EntryKind,
        author: &str,
        text: impl Into<String>,
    ) -> Self {
        Self {
            id,
            at,
            kind,
            author: author.to_owned(),
            text: text.into(),
            ticket: None,
            host: None,
            session: None,
            run: None,
            data: BTreeMap::new(),
        }
    }

    /// The draft that stores it. Writing a second draft with the same id adds what became known later, such as the
    /// exit status of a session whose opening was recorded.
    pub fn draft(&self) -> Draft {
        let mut fields = BTreeMap::from([
            ("at".to_owned(), Value::Int(self.at.0)),
            ("kind".to_owned(), Value::from(self.kind.word())),
            ("author".to_owned(), Value::from(self.author.as_str())),
            ("text".to_owned(), Value::from(self.text.as_str())),
        ]);
        let ids = [
            ("ticket", self.ticket.map(|id| id.0)),
            ("session", self.session.map(|id| id.0)),
            ("run", self.run.map(|id| id.0)),
        ];
        for (name, id) in ids {
            if let Some(id) = id {
                fields.insert(name.to_owned(), Value::Bytes(id.as_bytes().to_vec()));
            }
        }
        if let Some(host) = &self.host {
            fields.insert("host".to_owned(), Value::from(host.as_str()));
        }
        if !self.data.is_empty() {
            fields.insert("data".to_owned(), Value::Map(self.data.clone()));
        }
        Draft::Record {
            entity: Entity {
                kind: EntityKind::Case,
                id: self.id,
            },
            name: "case".to_owned(),
            fields,
        }
    }
}
