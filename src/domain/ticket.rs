//! Tickets: what is wrong or wanted, who has it, and how far it is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::case::Entry;
use super::ids::{DeviceId, TicketId};
use super::time::Time;

/// Makes an enum whose words are stable in files, queries and JSON.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The word used everywhere.
            pub const fn word(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.word())
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!(concat!("{:?} is no ", $what, "; use one of: {}"), text, [$($word),+].join(" "))),
                }
            }
        }
    };
}
pub(crate) use words;

words!(
    /// How far a ticket is.
    TicketState, "ticket state" {
        /// Nobody has looked yet.
        New = "new",
        /// Somebody works on it.
        Open = "open",
        /// Waits for somebody else, or for a date.
        Waiting = "waiting",
        /// Done, as far as its owner knows.
        Resolved = "resolved",
        /// Done and filed.
        Closed = "closed",
    }
);

impl TicketState {
    /// Whether somebody may still have to do something.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::New | Self::Open | Self::Waiting)
    }
}

words!(
    /// What sort of work it is.
    TicketKind, "ticket kind" {
        /// Something broke.
        Incident = "incident",
        /// Somebody wants something.
        Request = "request",
        /// Something will be altered on purpose.
        Change = "change",
        /// The cause behind incidents.
        Problem = "problem",
        /// Work that nobody asked for from outside.
        Task = "task",
    }
);

/// From 1, the highest, to 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Priority(u8);

impl Priority {
    /// What a ticket has when nobody says otherwise.
    pub const NORMAL: Self = Self(3);

    /// The priority `level`, if it is 1 to 4.
    pub const fn new(level: u8) -> Option<Self> {
        if level >= 1 && level <= 4 {
            Some(Self(level))
        } else {
            None
        }
    }

    /// The number, 1 to 4.
    pub const fn level(self) -> u8 {
        self.0
    }
}

impl FromStr for Priority {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse()
            .ok()
            .and_then(Self::new)
            .ok_or_else(|| format!("{text:?} is no priority; use 1 (highest) to 4"))
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A ticket as its registers stand now. Field names are those of the JSON output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    /// For ever.
    pub id: TicketId,
    /// What people call it: `T-7K3F`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// One line.
    pub title: String,
    /// The description.
    pub body: String,
    /// How far it is.
    pub state: TicketState,
    /// How urgent it is.
    pub priority: Priority,
    /// What sort of work it is.
    pub kind: TicketKind,
    /// Which queue it is in; empty for none.
    pub queue: String,
    /// Who has it.
    pub owner: Option<String>,
    /// Who wants it.
    pub requester: Option<String>,
    /// Sorted.
    pub tags: Vec<String>,
    /// Names of linked hosts, sorted.
    pub hosts: Vec<String>,
    /// When it must be done.
    pub due: Option<Time>,
    /// Until when it sleeps.
    pub wait_until: Option<Time>,
    /// When it was made.
    pub created: Time,
    /// When anything about it last happened.
    pub updated: Time,
    /// The history; empty in lists, whole in `show`.
    pub entries: Vec<Entry>,
    /// Related tickets by reference, sorted.
    pub links: Vec<String>,
    /// Fields that two devices changed at once and nobody has settled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<String>,
    /// Every value of those fields; empty in lists, whole in `show`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disputes: Vec<Dispute>,
}

/// A field that two devices changed at once. Writing it settles it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    /// Its name.
    pub field: String,
    /// Every value, the one in force first.
    pub values: Vec<Claimed>,
}

/// One value of a field in dispute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claimed {
    /// The value; empty when the field was cleared.
    pub value: String,
    /// On which device it was written.
    pub device: DeviceId,
    /// What that device is called.
    pub by: String,
    /// Who wrote it, as the entry about the same edit says; `None` when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// When, by that device's clock.
    pub at: Time,
}

impl Claimed {
    /// Who wrote it and where, for people.
    pub fn origin(&self) -> String {
        match &self.who {
            Some(who) => format!("{who} on {}", self.by),
            None => format!("on {}", self.by),
        }
    }
}
