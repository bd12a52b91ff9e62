//! The audit: who did what, where, when, with which credential. Rows are read out of the log; what only the audit needs is
//! written as records of its own. A secret is in none of them.

use serde::{Deserialize, Serialize};

use super::ids::EntityId;
use super::op::{Draft, Entity, EntityKind, Value};
use super::time::Time;

/// The name of the record that says who made the changes beside it.
pub const AUTHOR: &str = "author";

/// How many rows are given when nobody says how many.
pub const PAGE: u32 = 100;

/// One row of the audit. Field names are those of the JSON output.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// When it was written, by the clock of its device.
    pub at: Time,
    /// Who; `None` when only the device is known.
    pub who: Option<String>,
    /// The device in whose log it stands.
    pub device: String,
    /// The number there of the (last) operation.
    pub seq: u64,
    /// What was done: `login`, `session.opened`, `ticket.edit`.
    pub action: String,
    /// To what: a reference, a name, or the beginning of what was said.
    pub object: String,
    /// On which host.
    pub host: Option<String>,
    /// With which credential: method, fingerprint, holder.
    pub credential: Option<String>,
    /// For which ticket.
    pub ticket: Option<String>,
    /// The id by which `qd purge` removes its content, if it has one of its own.
    pub entry: Option<String>,
}

/// Which rows are wanted. Every condition that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditFilter {
    /// Written then or later.
    pub since: Option<Time>,
    /// Written before then.
    pub until: Option<Time>,
    /// The name of a host, or a glob.
    pub host: Option<String>,
    /// The reference of a ticket.
    pub ticket: Option<String>,
    /// A person, or the beginning of a device's id.
    pub who: Option<String>,
    /// An action, or its beginning: `session` is all about sessions.
    pub action: Option<String>,
    /// About so many rows: what was written in one millisecond is never parted.
    pub limit: u32,
}

/// How somebody logged in. It names keys, never secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The host as it was asked for.
    pub host: String,
    /// The account there.
    pub user: String,
    /// The name or address that was connected to.
    pub address: String,
    /// The port.
    pub port: u16,
    /// The hops before it.
    pub via: Vec<String>,
    /// The method in words: which key of which agent or file, `password`, `keyboard-interactive`.
    pub method: String,
    /// `SHA256:…` of the key or the certificate's key; empty for other methods.
    pub fingerprint: String,
}

impl Login {
    /// The credential on one line.
    pub fn credential(&self) -> String {
        let mut text = format!("{}: {}", self.user, self.method);
        if !self.fingerprint.is_empty() {
            text.push(' ');
            text.push_str(&self.fingerprint);
        }
        text
    }
}

/// What only the audit remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditFact {
    /// Who makes the changes beside it, where they do not say so themselves.
    Author,
    /// A connection came up.
    Login(Login),
    /// Something was done on hosts that no ticket tells of: `command`, `copy`, `forward`.
    Did {
        /// What.
        action: &'static str,
        /// On which hosts.
        hosts: Vec<String>,
        /// In words.
        text: String,
    },
}

impl AuditFact {
    /// The draft that stores it. Unknown fields are passed over by every program.
    pub fn draft(&self, id: EntityId, at: Time, author: &str) -> Draft {
        let list = |items: &[String]| {
            Value::List(
                items
                    .iter()
                    .map(|item| Value::from(item.as_str()))
                    .collect(),
            )
        };
        let (name, mut fields) = match self {
            Self::Author => (AUTHOR, Vec::new()),
            Self::Login(login) => (
                "login",
                vec![
                    ("host", Value::from(login.host.as_str())),
                    ("user", Value::from(login.user.as_str())),
                    ("address", Value::from(login.address.as_str())),
                    ("port", Value::Int(login.port.into())),
                    ("via", list(&login.via)),
                    ("method", Value::from(login.method.as_str())),
                    ("fingerprint", Value::from(login.fingerprint.as_str())),
                ],
            ),
            Self::Did {
                action,
                hosts,
                text,
            } => (
                *action,
                vec![("hosts", list(hosts)), ("text", Value::from(text.as_str()))],
            ),
        };
        fields.push(("at", Value::Int(at.0)));
        fields.push(("author", Value::from(author)));
        Draft::Record {
            entity: Entity {
                kind: EntityKind::Audit,
                id,
            },
            name: name.to_owned(),
            fields: fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        }
    }
}

/// What an examination of the logs' chains found of one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainReport {
    /// Whose log.
    pub device: String,
    /// Its last number.
    pub last: u64,
    /// Operations whose content was purged.
    pub purged: u64,
    /// The first number that is not in order, and why; `None` when all are.
    pub broken: Option<(u64, String)>,
}

/// What was purged, and what could not be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purged {
    /// What, in words.
    pub what: String,
    /// How many operations were made blank.
    pub operations: u64,
    /// Names of recordings that go with it.
    pub recordings: Vec<String>,
    /// What may still hold it.
    pub unreached: Vec<String>,
}

/// Rows and bytes of one kind of thing in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SizeRow {
    /// What.
    pub kind: String,
    /// How many; `None` where nothing is counted.
    pub rows: Option<u64>,
    /// Their bytes on the disk.
    pub bytes: u64,
}

/// A thing that was found by its words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hit {
    /// `ticket`, `comment`, `entry`, `run`, `session` or `host`.
    pub kind: String,
    /// When it was made or written.
    pub at: Time,
    /// Its reference, or its name.
    #[serde(rename = "ref")]
    pub reference: String,
    /// On which host.
    pub host: Option<String>,
    /// A line of it that shows why.
    pub text: String,
}

/// What a search is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Words; all of them must be there.
    pub text: String,
    /// At most so many hits.
    pub limit: u32,
    /// The best first, where there are few enough to be compared.
    pub best: bool,
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The hits, newest first, or best first if that was wanted and could be done.
    pub hits: Vec<Hit>,
    /// How many tickets match; counting stops where it would take long.
    pub tickets: u64,
    /// They are in the order of their worth.
    pub ranked: bool,
    /// What was left out, in words.
    pub notes: Vec<String>,
}
