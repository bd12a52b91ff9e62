//! The names of things in a remote, as every kind of remote writes them. Names are for ever: never change their form.
//!
//! A name that does not read back to itself is foreign: it is told to the user and otherwise left alone.

use std::fmt;

use crate::domain::ids::{DeviceId, EntityId};

/// A sealed segment. A fresh one is named by its first operation only, so that two machines which write as one device
/// meet at the same name; a pack, which replaces fresh ones, by its first and last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentName {
    /// Whose operations.
    pub device: DeviceId,
    /// The number of the first, from 1.
    pub first: u64,
    /// The number of the last, of a pack; `None` of a fresh segment.
    pub pack: Option<u64>,
}

impl SegmentName {
    /// A fresh segment.
    pub const fn fresh(device: DeviceId, first: u64) -> Self {
        Self {
            device,
            first,
            pack: None,
        }
    }

    /// A pack that replaces fresh segments.
    pub const fn pack(device: DeviceId, first: u64, last: u64) -> Self {
        Self {
            device,
            first,
            pack: Some(last),
        }
    }

    /// The name within its device's folder: `12.seg` or `1-4096.pack`.
    pub fn file(&self) -> String {
        match self.pack {
            None => format!("{}.seg", self.first),
            Some(last) => format!("{}-{last}.pack", self.first),
        }
    }

    /// Reads [`SegmentName::file`] back; `None` for anything that it does not write.
    pub fn parse(device: DeviceId, file: &str) -> Option<Self> {
        let name = if let Some(first) = file.strip_suffix(".seg") {
            Self::fresh(device, number(first)?)
        } else {
            let (first, last) = file.strip_suffix(".pack")?.split_once('-')?;
            Self::pack(device, number(first)?, number(last)?)
        };
        let in_order = name.first > 0 && name.pack.is_none_or(|last| last >= name.first);
        in_order.then_some(name)
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.device, self.file())
    }
}

/// How far a device says that its log goes. A hint: what counts is what its segments hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Head {
    /// Whose log.
    pub device: DeviceId,
    /// The number of its last operation.
    pub seq: u64,
}

impl Head {
    /// `<32 hexadecimal digits>-<number>`.
    pub fn file(&self) -> String {
        format!("{}-{}", self.device, self.seq)
    }

    /// Reads [`Head::file`] back.
    pub fn parse(file: &str) -> Option<Self> {
        let (device, seq) = file.split_once('-')?;
        Some(Self {
            device: parse_device(device)?,
            seq: number(seq)?,
        })
    }
}

/// The sorts of small objects beside the segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// Who belongs to the space: signed statements.
    Roster,
    /// The keys of the epochs, wrapped to devices.
    Keyring,
    /// Requests of devices that want to join, and the answers. They are removed when they are done with.
    Pairing,
    /// Excerpts: what a new device wants to see before it has all logs. A maker removes its own old ones.
    Hot,
    /// Recordings in parts. Which there are stands in the log, so they are never listed; their device removes them.
    Blob,
}

impl ObjectKind {
    /// All of them. A bag that an earlier program made has no place for the later ones yet: there is nothing of them then,
    /// and writing one makes the place.
    pub const ALL: [Self; 5] = [
        Self::Roster,
        Self::Keyring,
        Self::Pairing,
        Self::Hot,
        Self::Blob,
    ];

    /// The name of its folder.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Roster => "roster",
            Self::Keyring => "keyring",
            Self::Pairing => "pairing",
            Self::Hot => "hot",
            Self::Blob => "blobs",
        }
    }
}

/// A small object. Roster and keyring objects are named by the hash of their content, so writing one twice is harmless.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// Its sort.
    pub kind: ObjectKind,
    /// Its name within the sort: lower case letters, digits and dashes, at most 64.
    pub name: String,
}

/// The longest name of an object in characters.
const NAME_MAX: usize = 64;

impl ObjectName {
    /// The object of `kind` with this content.
    pub fn of(kind: ObjectKind, content: &[u8]) -> Self {
        let hash = blake3::hash(content);
        let name = EntityId::from_slice(hash.as_bytes().get(..16).unwrap_or_default());
        Self {
            kind,
            name: name.map(|id| id.to_string()).unwrap_or_default(),
        }
    }

    /// Reads a name; `None` for one that this program would not write, such as one with a dot or a slash.
    pub fn parse(kind: ObjectKind, name: &str) -> Option<Self> {
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let ok = !name.is_empty() && name.len() <= NAME_MAX && name.chars().all(fine);
        ok.then(|| Self {
            kind,
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.word(), self.name)
    }
}

/// A device id as [`DeviceId`] writes it: 32 lower case hexadecimal digits.
pub fn parse_device(text: &str) -> Option<DeviceId> {
    let id = EntityId::parse(text)?;
    (id.to_string() == text).then_some(DeviceId(id))
}

/// A number in the one form that we write: no sign, no leading zeros.
fn number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    let fits = i64::try_from(number).is_ok();
    (fits && number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_written_is_read() {
        let device = DeviceId(EntityId::derived("device", "one"));
        for (file, name) in [
            ("1.seg", Some(SegmentName::fresh(device, 1))),
            ("1-4096.pack", Some(SegmentName::pack(device, 1, 4096))),
            ("0.seg", None),
            ("01.seg", None),
            ("+1.seg", None),
            ("9-8.pack", None),
            ("1.seg.sync-conflict", None),
            (".1.seg.tmp", None),
            ("18446744073709551615.seg", None),
        ] {
            assert_eq!(SegmentName::parse(device, file), name, "{file}");
            if let Some(name) = name {
                assert_eq!(name.file(), file);
            }
        }
        let head = Head { device, seq: 7 };
        assert_eq!(Head::parse(&head.file()), Some(head));
        for file in [
            "",
            "-",
            "x-7",
            &format!("{device}-07"),
            &device.to_string().to_uppercase(),
        ] {
            assert_eq!(Head::parse(file), None, "{file}");
        }
        for name in ["../x", "a.b", "", "A", &"x".repeat(65)] {
            assert_eq!(ObjectName::parse(ObjectKind::Roster, name), None, "{name}");
        }
        let object = ObjectName::of(ObjectKind::Keyring, b"content");
        assert_eq!(ObjectName::parse(object.kind, &object.name), Some(object));
    }
}
