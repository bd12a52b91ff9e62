//! The keys of a space: 32 bytes for each epoch, wrapped to devices in signed objects that the remote keeps.
//!
//! A device holds no key of the space in a file: it unwraps what it needs with its own. A key that does not fit its
//! fingerprint is refused before anything is sealed with it.

use std::collections::{BTreeMap, BTreeSet};

use zeroize::Zeroizing;

use super::SyncError;
use super::bytes::Reader;
use super::cipher::{self, NONCE, SIGNATURE, Secret, TAG};
use super::frame::{Epoch, Form};
use super::identity::{Identity, Public};
use super::random::{Random, draw};
use super::roster::{Roster, hash};
use crate::domain::ids::{DeviceId, EntityId};

const FORM: Form = Form {
    magic: b"QDkr",
    label: "quarterdeck sync keyring 1",
};
const WRAP: &str = "quarterdeck sync key wrap 1";
const FINGERPRINT: &str = "quarterdeck sync key fingerprint 1";
/// The most keys in one object.
const ENTRIES_MAX: usize = 4096;

/// One key for one device.
struct Entry {
    epoch: Epoch,
    recipient: DeviceId,
    ephemeral: [u8; 32],
    wrapped: [u8; 32 + TAG],
}

/// The epoch with this number and key.
pub(crate) fn epoch(number: u32, key: &[u8; 32]) -> Epoch {
    let mut print = [0; 8];
    print.copy_from_slice(cipher::derive(FINGERPRINT, &[key]).split_at(8).0);
    Epoch { number, key: print }
}

/// What the wrapped key of one entry is bound to.
fn wrap_key(
    shared: &Secret,
    ephemeral: &[u8; 32],
    to: &Public,
    space: EntityId,
    epoch: Epoch,
) -> Secret {
    let (public, epoch) = (to.to_bytes(), epoch.to_bytes());
    cipher::derive(
        WRAP,
        &[
            shared.as_slice(),
            ephemeral,
            &public,
            space.as_bytes(),
            &epoch,
        ],
    )
}

/// Wraps `keys` to each device of `to` and signs the whole.
///
/// # Errors
/// There is no randomness, a device has an unusable key, or it is too much for one object.
pub fn wrap<'a>(
    space: EntityId,
    keys: impl IntoIterator<Item = (Epoch, &'a [u8; 32])>,
    to: &[Public],
    identity: &Identity,
    random: &mut dyn Random,
) -> Result<Vec<u8>, SyncError> {
    let mut entries = Vec::new();
    let mut count: u16 = 0;
    for (epoch, key) in keys {
        for public in to {
            let secret: Secret = Zeroizing::new(draw(random)?);
            let ephemeral = cipher::public_half(&secret);
            let shared = cipher::agree(&secret, &public.receiving).ok_or_else(|| {
                SyncError::refused(format!("device {} has an unusable key", public.device))
            })?;
            let key_of_wrap = wrap_key(&shared, &ephemeral, public, space, epoch);
            entries.extend_from_slice(&epoch.to_bytes());
            entries.extend_from_slice(public.device.0.as_bytes());
            entries.extend_from_slice(&ephemeral);
            // Every wrapping key is used once, so the nonce may be the same.
            entries.extend(cipher::seal(&key_of_wrap, &[0; NONCE], &[], key));
            count += 1;
            if usize::from(count) > ENTRIES_MAX {
                return Err(SyncError::refused(
                    "the space has too many keys for one keyring object",
                ));
            }
        }
    }
    let mut out = FORM.begin();
    out.extend_from_slice(space.as_bytes());
    out.extend_from_slice(identity.device().0.as_bytes());
    out.extend_from_slice(&count.to_be_bytes());
    out.extend_from_slice(&entries);
    FORM.sign(&mut out, identity);
    Ok(out)
}

/// Space, author, entries.
fn read(bytes: &[u8]) -> Option<(EntityId, DeviceId, Vec<Entry>)> {
    let mut reader = Reader::new(bytes);
    FORM.begins(&mut reader)?;
    let (space, author, count) = (reader.id()?, reader.device()?, usize::from(reader.u16()?));
    if count > ENTRIES_MAX {
        return None;
    }
    let mut entries = Vec::new();
    for _ in 0..count {
        entries.push(Entry {
            epoch: Epoch::read(&mut reader)?,
            recipient: reader.device()?,
            ephemeral: reader.array()?,
            wrapped: reader.array()?,
        });
    }
    reader.take(SIGNATURE)?;
    reader.is_done().then_some((space, author, entries))
}

/// The author of a keyring object, as it says itself.
pub(crate) fn author(bytes: &[u8]) -> Option<DeviceId> {
    read(bytes).map(|(_, author, _)| author)
}

/// The keys that this device can unwrap.
#[derive(Default)]
pub struct Ring {
    keys: BTreeMap<Epoch, Secret>,
    /// Who has been given each key, by somebody whose word counts.
    holders: BTreeMap<Epoch, BTreeSet<DeviceId>>,
}

impl Ring {
    /// Unwraps all of `objects` that members of `roster` signed. Answers also why objects count for nothing.
    pub fn of<'a>(
        space: EntityId,
        objects: impl IntoIterator<Item = &'a [u8]>,
        roster: &Roster,
        identity: &Identity,
    ) -> (Self, Vec<(super::roster::Hash, &'static str)>) {
        let mut ring = Self::default();
        let mut bad = Vec::new();
        for bytes in objects {
            if let Err(why) = ring.take(space, bytes, roster, identity) {
                bad.push((hash(bytes), why));
            }
        }
        (ring, bad)
    }

    fn take(
        &mut self,
        space: EntityId,
        bytes: &[u8],
        roster: &Roster,
        identity: &Identity,
    ) -> Result<(), &'static str> {
        let (of, author, entries) = read(bytes).ok_or("it is no keyring")?;
        if of != space {
            return Err("it belongs to another space");
        }
        let member = roster.member(author).ok_or("nobody admitted its author")?;
        if !FORM.is_signed(&member.public.signing, bytes) {
            return Err("its signature is wrong");
        }
        // A retired device knows its old keys and must not talk others into using them. What it wrapped while it belonged
        // still opens old segments.
        let trusted = member.vouches_for(&hash(bytes));
        let me = identity.public();
        for entry in entries {
            if trusted {
                self.holders
                    .entry(entry.epoch)
                    .or_default()
                    .insert(entry.recipient);
            }
            if entry.recipient != me.device {
                continue;
            }
            let key = identity.agree(&entry.ephemeral).and_then(|shared| {
                let key = wrap_key(&shared, &entry.ephemeral, &me, space, entry.epoch);
                cipher::open(&key, &[0; NONCE], &[], &entry.wrapped).map(Zeroizing::new)
            });
            let key: Secret = key
                .and_then(|key| Some(Zeroizing::new(<[u8; 32]>::try_from(key.as_slice()).ok()?)))
                .ok_or("a key in it cannot be unwrapped")?;
            // The check value: a wrong key is found here, before anything is sealed with it.
            if epoch(entry.epoch.number, &key) != entry.epoch {
                return Err("a key in it does not fit its fingerprint");
            }
            self.keys.insert(entry.epoch, key);
        }
        Ok(())
    }

    /// The key of an epoch, for reading.
    pub fn key(&self, epoch: Epoch) -> Option<&[u8; 32]> {
        self.keys.get(&epoch).map(|key| &**key)
    }

    /// All keys.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = (Epoch, &[u8; 32])> {
        self.keys.iter().map(|(epoch, key)| (*epoch, &**key))
    }

    /// The key to seal with: the newest that only members hold. `None` when a new one must be made first.
    pub fn current(&self, roster: &Roster) -> Option<(Epoch, &[u8; 32])> {
        self.keys().rfind(|(epoch, _)| {
            self.holders
                .get(epoch)
                .is_some_and(|holders| holders.iter().all(|holder| roster.is_active(*holder)))
        })
    }

    /// The highest number of any epoch that a member speaks of.
    pub fn newest(&self) -> u32 {
        self.holders
            .keys()
            .map(|epoch| epoch.number)
            .max()
            .unwrap_or(0)
    }

    /// The members that lack some key which this device has.
    pub fn lacking(&self, roster: &Roster) -> Vec<Public> {
        roster
            .active()
            .filter(|member| {
                self.keys.keys().any(|epoch| {
                    let holders = self.holders.get(epoch);
                    holders.is_none_or(|holders| !holders.contains(&member.public.device))
                })
            })
            .map(|member| member.public)
            .collect()
    }
}
