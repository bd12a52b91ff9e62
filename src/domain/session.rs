//! Sessions: a shell on a host, live or recorded.

use serde::{Deserialize, Serialize};

use super::ids::{SessionId, TicketId};
use super::op::{Draft, Entity, EntityKind, Value};
use super::time::Time;

/// A session as the store knows it. Field names are those of the JSON output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionRow {
    /// For ever.
    pub id: SessionId,
    /// What people call it: `S-2M0D`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The host's name.
    pub host: String,
    /// The ticket's reference.
    pub ticket: Option<String>,
    /// When it was opened.
    pub opened: Time,
    /// When it ended; `None` while it lives, or when its owner died.
    pub closed: Option<Time>,
    /// The remote exit status.
    pub exit: Option<i64>,
    /// Bytes in the recording.
    pub bytes: u64,
    /// The recording's file name in `recordings/`.
    pub recording: Option<String>,
    /// Whether a living process owns it.
    pub live: bool,
}

/// What is journalled about a session; each becomes one record in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionFact {
    /// It was opened.
    Opened {
        /// When.
        at: Time,
        /// The host's name.
        host: String,
        /// For which ticket.
        ticket: Option<TicketId>,
        /// The recording's file name in `recordings/`.
        recording: Option<String>,
        /// Who opened it.
        author: String,
    },
    /// It ended.
    Closed {
        /// When.
        at: Time,
        /// The remote exit status, if there was one.
        exit: Option<i64>,
        /// Bytes in the recording.
        bytes: u64,
        /// Why it ended, when the exit status does not say it all.
        reason: String,
    },
}

impl SessionFact {
    /// The draft that stores it.
    pub fn draft(&self, session: SessionId) -> Draft {
        let (name, fields) = match self {
            Self::Opened {
                at,
                host,
                ticket,
                recording,
                author,
            } => (
                "session.opened",
                vec![
                    ("at", Value::Int(at.0)),
                    ("host", Value::from(host.as_str())),
                    (
                        "ticket",
                        ticket.map_or(Value::Null, |id| Value::Bytes(id.0.as_bytes().to_vec())),
                    ),
                    ("recording", Value::from(recording.clone())),
                    ("author", Value::from(author.as_str())),
                ],
            ),
            Self::Closed {
                at,
                exit,
                bytes,
                reason,
            } => (
                "session.closed",
                vec![
                    ("at", Value::Int(at.0)),
                    ("exit", Value::from(*exit)),
                    (
                        "bytes",
                        Value::Int(i64::try_from(*bytes).unwrap_or(i64::MAX)),
                    ),
                    ("reason", Value::from(reason.as_str())),
                ],
            ),
        };
        Draft::Record {
            entity: Entity {
                kind: EntityKind::Session,
                id: session.0,
            },
            name: name.to_owned(),
            fields: fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        }
    }
}
