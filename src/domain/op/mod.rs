//! Operations: what happened, in the form that is kept for ever and travels between devices.
//!
//! An operation's body is a self-describing CBOR map with text keys, so that a program that does not know a kind or a
//! key still carries it byte for byte. Never change what a key means; add one.

mod blank;
mod body;

use std::collections::BTreeMap;

use super::ids::{DeviceId, EntityId};
use super::planted::planted;
use super::time::Time;

pub use blank::{blank, digest, is_blank};
pub use body::{BodyError, Change, Op};

/// A hybrid logical clock reading: 48 bits of milliseconds, then a 16 bit counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hlc(pub u64);

impl Hlc {
    /// No honest clock reaches this before the year 4000. Stamps from here on are refused, so that every stamp in a log
    /// can still be passed by a later write.
    pub const LIMIT: Self = Self(1 << 62);

    /// The first reading of a millisecond.
    pub fn at(time: Time) -> Self {
        let millis = u64::try_from(time.0).unwrap_or(0);
        Self(millis.min(Self::LIMIT.0 >> 16) << 16)
    }

    /// The millisecond.
    pub const fn time(self) -> Time {
        Time((self.0 >> 16) as i64)
    }

    /// The next reading.
    const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// How far ahead of our own time another device's stamp may be before it no longer moves our clock: a day.
pub const FAR_AHEAD_MS: i64 = 24 * 3_600_000;

/// The clock of one device. The store keeps its last reading, which only ever grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// The last reading given or heard.
    pub last: Hlc,
}

impl Clock {
    /// The stamp of a write made `now` over writes up to `replaced`. It passes all of them, however wrong the clocks of
    /// their authors were: an edit always beats what its author saw. Only the last stamp of all cannot be passed, which nobody
    /// honest writes: the edit then stands beside it, and is not one that everybody refuses.
    pub fn tick(&mut self, now: Time, replaced: Option<Hlc>) -> Hlc {
        let replaced = replaced.filter(|_| !planted!(NoTickPastReplaced));
        if planted!(WallClockOnly) {
            return Hlc::at(now);
        }
        let own = Hlc::at(now).max(self.last.next());
        let stamp = replaced.map_or(own, |replaced| own.max(replaced.next()));
        let stamp = stamp.min(Hlc(Hlc::LIMIT.0 - 1));
        self.last = if Self::is_far(now, stamp) { own } else { stamp };
        stamp
    }

    /// Hears a stamp of another device. Whether it was near enough to be believed; a stamp more than a day ahead is
    /// applied as any other, but does not drag this clock along.
    pub fn hear(&mut self, now: Time, stamp: Hlc) -> bool {
        let near = !Self::is_far(now, stamp);
        if near {
            self.last = self.last.max(stamp);
        }
        near
    }

    fn is_far(now: Time, stamp: Hlc) -> bool {
        stamp > Hlc::at(now.plus(FAR_AHEAD_MS))
    }
}

/// Who wrote something and when: the order in which writes win. The device breaks a tie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// When, by the writer's hybrid clock.
    pub hlc: Hlc,
    /// By which device.
    pub device: DeviceId,
}

/// The kinds of entity an operation can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntityKind {
    /// A ticket.
    Ticket,
    /// A host.
    Host,
    /// A run of a runbook.
    Run,
    /// A session.
    Session,
    /// A case event of its own, such as a command run for a ticket.
    Case,
    /// A device of this space.
    Device,
    /// What is only remembered: a login, a command without a ticket, a purge.
    Audit,
}

impl EntityKind {
    /// The name in stored operations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Host => "host",
            Self::Run => "run",
            Self::Session => "session",
            Self::Case => "case",
            Self::Device => "device",
            Self::Audit => "audit",
        }
    }

    /// The kind called `name`, if this program knows it.
    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::Ticket,
            Self::Host,
            Self::Run,
            Self::Session,
            Self::Case,
            Self::Device,
            Self::Audit,
        ]
        .into_iter()
        .find(|kind| kind.name() == name)
    }
}

/// Which thing an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entity {
    /// What it is.
    pub kind: EntityKind,
    /// Which one.
    pub id: EntityId,
}

/// A value in an operation.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing: a field that was cleared.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// An ordered list.
    List(Vec<Value>),
    /// Named values.
    Map(BTreeMap<String, Value>),
    /// A CBOR item that this program has no form for, such as a float of a later one, as it came.
    Other(Vec<u8>),
}

impl Value {
    /// Whether it is true; anything but a boolean is not.
    pub fn is_true(&self) -> bool {
        *self == Self::Bool(true)
    }
    /// The text, if it is text.
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self {
            Some(text)
        } else {
            None
        }
    }

    /// The number, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        if let Self::Int(number) = self {
            Some(*number)
        } else {
            None
        }
    }

    /// The bytes, if it is bytes.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        if let Self::Bytes(bytes) = self {
            Some(bytes)
        } else {
            None
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Value {
    fn from(on: bool) -> Self {
        Self::Bool(on)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// What the program wants to write, before the store stamps it with device, number and clock.
///
/// A batch of drafts is one transaction: all of it is durable, or none.
#[derive(Clone, Debug, PartialEq)]
pub enum Draft {
    /// Writes a register: the last writer wins, and the store names the writes it replaces.
    Set {
        /// The thing.
        entity: Entity,
        /// The field's name, for ever.
        field: String,
        /// The new value.
        value: Value,
    },
    /// Sets or clears one member of a set (`tags`, `hosts`, `groups`, `links`).
    Flag {
        /// The thing.
        entity: Entity,
        /// The set's name.
        set: String,
        /// The member.
        member: String,
        /// In or out.
        on: bool,
    },
    /// Appends a comment or a reply; it is never merged and never lost.
    Note {
        /// The thing it is about.
        entity: Entity,
        /// `comment` or `reply`.
        kind: String,
        /// Who says so.
        author: String,
        /// What is said.
        text: String,
        /// When it was said, in milliseconds since 1970.
        at: i64,
    },
    /// Appends a record that only its own device writes: runs, sessions, audit, case events.
    Record {
        /// The thing it is about.
        entity: Entity,
        /// What happened, such as `step.finished`.
        name: String,
        /// The particulars.
        fields: BTreeMap<String, Value>,
    },
    /// Gives a new ticket, run or session its reference: the shortest prefix of its id, at least
    /// [`super::ids::REFERENCE_MIN`] characters, that nothing of its kind has in this store. It never changes afterwards.
    Reference {
        /// The thing.
        entity: Entity,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_beats_what_its_author_saw() {
        let now = Time(1_000_000);
        let mut clock = Clock::default();
        let first = clock.tick(now, None);
        assert_eq!(first, Hlc::at(now));
        assert_eq!(clock.tick(now, None), Hlc(first.0 + 1));
        assert!(clock.tick(Time(5), None) > first, "a step back");
        // A colleague six hours ahead drags the clock, a year ahead does not; both are beaten.
        let six = Hlc::at(now.plus(6 * 3_600_000));
        assert!(clock.hear(now, six));
        assert!(clock.tick(now, None) > six);
        let year = Hlc::at(now.plus(365 * FAR_AHEAD_MS));
        assert!(!clock.hear(now, year));
        let edit = clock.tick(now, Some(year));
        assert!(edit > year);
        assert!(clock.tick(now, None) < year);
        // What stands at the end of time must not drag an honest edit over it, where all others would refuse it.
        let end = Hlc(Hlc::LIMIT.0 - 1);
        assert!(!clock.hear(now, end));
        assert_eq!(clock.tick(now, Some(end)), end);
        assert!(clock.tick(now, None) < year);
        assert_eq!(
            Hlc::at(Time(1_795_428_000_123)).time(),
            Time(1_795_428_000_123)
        );
    }
}
