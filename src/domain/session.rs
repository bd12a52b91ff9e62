//! Sessions: a shell on a host, live or recorded.

use serde::{Deserialize, Serialize};

use super::ids::{DeviceId, EntityId, SessionId, TicketId};
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
    /// Its recording is in the space, for devices that do not have it.
    #[serde(default)]
    pub shared: Option<SharedRecording>,
}

/// The most bytes of a recording in one part of it.
pub const PART_MAX: u32 = 960 << 10;

/// The most parts of a recording: more is nothing that this program writes.
const PARTS_MAX: u32 = 1 << 20;

/// A recording in the space, as the log of the device that made it tells. Field names are those of the JSON output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedRecording {
    /// The device that made it.
    pub device: DeviceId,
    /// What its parts are called in the remote: a random id.
    pub blob: EntityId,
    /// Its size.
    pub bytes: u64,
    /// The bytes of each part; the last has what is left.
    pub part: u32,
    /// The first 16 bytes of BLAKE3 of all of it.
    pub hash: EntityId,
}

impl SharedRecording {
    /// How many parts there are; `None` when the numbers make no sense, whoever wrote them.
    pub fn parts(&self) -> Option<u32> {
        let sound = (1..=PART_MAX).contains(&self.part) && self.bytes > 0;
        let parts = self.bytes.div_ceil(u64::from(self.part.max(1)));
        u32::try_from(parts)
            .ok()
            .filter(|parts| sound && *parts <= PARTS_MAX)
    }

    /// How many bytes part `part` has, from 1.
    pub fn bytes_of(&self, part: u32) -> u32 {
        let before = u64::from(part.saturating_sub(1)) * u64::from(self.part);
        let rest = self.bytes.saturating_sub(before);
        u32::try_from(rest).unwrap_or(u32::MAX).min(self.part)
    }
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
    /// Its recording is in the space now, or no longer. Believed of the device that opened the session alone.
    Shared {
        /// When.
        at: Time,
        /// What can be fetched; `None` when nothing can be any more.
        recording: Option<SharedRecording>,
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
            Self::Shared { at, recording } => ("session.shared", shared(*at, recording.as_ref())),
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

fn shared(at: Time, recording: Option<&SharedRecording>) -> Vec<(&'static str, Value)> {
    let mut fields = vec![("at", Value::Int(at.0))];
    if let Some(recording) = recording {
        fields.extend([
            ("blob", Value::Bytes(recording.blob.as_bytes().to_vec())),
            (
                "bytes",
                Value::Int(i64::try_from(recording.bytes).unwrap_or(i64::MAX)),
            ),
            ("part", Value::Int(recording.part.into())),
            ("hash", Value::Bytes(recording.hash.as_bytes().to_vec())),
        ]);
    }
    fields
}
