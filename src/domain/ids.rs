//! Identifiers as newtypes, so that a run can never be passed where a ticket is wanted. Bytes come from outside: nothing here rolls dice.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// The alphabet of Crockford's base 32 (<https://www.crockford.com/base32.html>): no I, L, O or U.
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The shortest reference in characters, without its prefix.
pub const REFERENCE_MIN: usize = 4;

/// The longest reference in characters: all 128 bits of an id.
pub const REFERENCE_MAX: usize = 26;

/// Sixteen bytes that name one thing for ever, on every device.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityId([u8; 16]);

impl EntityId {
    /// Takes bytes that the caller drew at random or read from the store.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Derives the id of a thing that is known by its name on every device, such as a host.
    pub fn derived(kind: &str, name: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(kind.as_bytes());
        hasher.update(&[0]);
        hasher.update(name.as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(bytes)
    }

    /// The bytes as stored.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads an id back from a blob column.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Some(Self(bytes.try_into().ok()?))
    }

    /// Reads the 32 hexadecimal digits that [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 32 || !text.is_ascii() {
            return None;
        }
        let mut bytes = [0; 16];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[index * 2..index * 2 + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// The first `len` characters of the id in Crockford's base 32, the stuff that references are made of.
    pub fn base32(&self, len: usize) -> String {
        let mut text = String::with_capacity(len);
        let (mut bits, mut have) = (0u32, 0u32);
        let mut bytes = self.0.iter();
        while text.len() < len.min(REFERENCE_MAX) {
            if have < 5 {
                bits = (bits << 8) | u32::from(bytes.next().copied().unwrap_or(0));
                have += 8;
            }
            have -= 5;
            text.push(CROCKFORD[(bits >> have & 31) as usize] as char);
            bits &= (1 << have) - 1;
        }
        text
    }
}

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for EntityId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EntityId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("an id is 32 hexadecimal digits"))
    }
}

/// Makes a newtype over [`EntityId`], so that ids of different nouns cannot be mixed up.
macro_rules! entity_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub EntityId);

        impl From<EntityId> for $name {
            fn from(id: EntityId) -> Self {
                Self(id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

entity_id!(
    /// A ticket. People use its reference, `T-7K3F`.
    TicketId
);
entity_id!(
    /// A host, derived from its name so that two devices that import the same host agree.
    HostId
);
entity_id!(
    /// One run of a runbook. People use its reference, `R-9QXA`.
    RunId
);
entity_id!(
    /// A session and its recording. People use its reference, `S-2M0D`.
    SessionId
);
entity_id!(
    /// One installation of the program: the owner of one log.
    DeviceId
);

impl HostId {
    /// The id of the host called `name`.
    pub fn of(name: &str) -> Self {
        Self(EntityId::derived("host", name))
    }
}

/// A request in flight; its purpose is kept in `model/inflight`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReqId(pub u64);

/// One window onto the running app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowId(pub u32);

/// Draws ids from a seed and a counter: unpredictable when the seed is, and repeatable in tests.
#[derive(Clone, Debug)]
pub struct Mint {
    seed: [u8; 32],
    count: u64,
}

impl Mint {
    /// Starts a mint. Two mints with one seed give the same ids, so the program seeds it from the system.
    pub const fn new(seed: [u8; 32]) -> Self {
        Self { seed, count: 0 }
    }

    /// The next sixteen bytes.
    pub fn entity(&mut self) -> EntityId {
        self.count += 1;
        let hash = blake3::keyed_hash(&self.seed, &self.count.to_le_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.as_bytes()[..16]);
        EntityId(bytes)
    }

    /// The next request id: small numbers, unique in this process.
    pub fn request(&mut self) -> ReqId {
        self.count += 1;
        ReqId(self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_of_known_bytes() {
        let id = EntityId::from_bytes([0xff; 16]);
        assert_eq!(id.base32(6), "ZZZZZZ");
        // 0x08 0x42 is 00001 00001 00001 0…
        let mut bytes = [0; 16];
        (bytes[0], bytes[1]) = (0x08, 0x42);
        assert_eq!(EntityId::from_bytes(bytes).base32(4), "1110");
        assert_eq!(id.base32(40).len(), REFERENCE_MAX);
    }

    #[test]
    fn hexadecimal_round_trip() {
        let id = EntityId::derived("host", "web1");
        assert_eq!(EntityId::parse(&id.to_string()), Some(id));
        assert_eq!(EntityId::parse("zz"), None);
        assert_ne!(id, EntityId::derived("host", "web2"));
    }

    #[test]
    fn a_mint_repeats_only_with_its_seed() {
        let (mut first, mut second) = (Mint::new([1; 32]), Mint::new([2; 32]));
        let id = first.entity();
        assert_ne!(id, first.entity());
        assert_ne!(id, second.entity());
        assert_eq!(id, Mint::new([1; 32]).entity());
    }
}
