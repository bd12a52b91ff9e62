//! Who this device is: its id, the key it signs with and the key it receives keys with, in a file of its own.
//!
//! The secrets never go into the log, the store or a remote; they are written to one file that only its owner can read.

use std::fmt;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

use super::cipher::{self, SIGNATURE, Secret};
use super::random::{Random, draw};
use super::{SyncError, parse_device, place};
use crate::domain::ids::DeviceId;

/// The first line of the file.
const TITLE: &str = "quarterdeck device key 1";

/// The secrets of one device.
pub struct Identity {
    device: DeviceId,
    signing: SigningKey,
    receiving: Secret,
}

/// What everybody may know of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Public {
    /// Which.
    pub device: DeviceId,
    /// Its Ed25519 key: who holds the other half wrote its segments.
    pub signing: [u8; 32],
    /// Its X25519 key: keys are wrapped to it.
    pub receiving: [u8; 32],
}

impl Public {
    /// The form in statements and pairing: 80 bytes.
    pub(crate) fn to_bytes(self) -> [u8; 80] {
        let mut bytes = [0; 80];
        let (device, keys) = bytes.split_at_mut(16);
        let (signing, receiving) = keys.split_at_mut(32);
        device.copy_from_slice(self.device.0.as_bytes());
        signing.copy_from_slice(&self.signing);
        receiving.copy_from_slice(&self.receiving);
        bytes
    }

    pub(crate) fn read(reader: &mut super::bytes::Reader<'_>) -> Option<Self> {
        Some(Self {
            device: reader.device()?,
            signing: reader.array()?,
            receiving: reader.array()?,
        })
    }

    /// Eight characters by which people can compare keys.
    pub fn fingerprint(&self) -> String {
        let hash = blake3::hash(&self.to_bytes());
        let id =
            crate::domain::ids::EntityId::from_slice(hash.as_bytes().get(..16).unwrap_or_default());
        id.map(|id| id.base32(8)).unwrap_or_default()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.device)
    }
}

impl Identity {
    /// Makes new keys for `device`.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn generate(device: DeviceId, random: &mut dyn Random) -> Result<Self, SyncError> {
        let signing = Zeroizing::new(draw(random)?);
        Ok(Self {
            device,
            signing: SigningKey::from_bytes(&signing),
            receiving: Zeroizing::new(draw(random)?),
        })
    }

    /// Reads the keys of `device` from `folder`; `None` when there are none.
    ///
    /// # Errors
    /// The file cannot be read, is damaged, or others can read it.
    pub fn load(folder: &Path, device: DeviceId) -> Result<Option<Self>, SyncError> {
        let path = path(folder, device);
        let Some(text) = place::read_secret(&path)? else {
            return Ok(None);
        };
        Self::parse(&text)
            .filter(|identity| identity.device == device)
            .map(Some)
            .ok_or_else(|| {
                SyncError::broken(
                    format!("the key file {}", path.display()),
                    "it is damaged; restore it from a backup, or remove it and join again",
                )
            })
    }

    /// Writes the keys into `folder`; durable when it answers, and only its owner can read the file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep(&self, folder: &Path) -> Result<(), SyncError> {
        let text = Zeroizing::new(format!(
            "{TITLE}\ndevice {}\nsigning {}\nreceiving {}\n",
            self.device,
            *hex(self.signing.as_bytes()),
            *hex(&self.receiving)
        ));
        place::write_secret(&path(folder, self.device), text.as_bytes())
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(text).ok()?.lines();
        if lines.next()? != TITLE {
            return None;
        }
        let device = parse_device(lines.next()?.strip_prefix("device ")?)?;
        let signing = unhex(lines.next()?.strip_prefix("signing ")?)?;
        let receiving = unhex(lines.next()?.strip_prefix("receiving ")?)?;
        Some(Self {
            device,
            signing: SigningKey::from_bytes(&signing),
            receiving,
        })
    }

    /// Which device this is.
    pub const fn device(&self) -> DeviceId {
        self.device
    }

    /// What everybody may know of it.
    pub fn public(&self) -> Public {
        Public {
            device: self.device,
            signing: self.signing.verifying_key().to_bytes(),
            receiving: cipher::public_half(&self.receiving),
        }
    }

    pub(crate) fn sign(&self, label: &str, bytes: &[u8]) -> [u8; SIGNATURE] {
        cipher::sign(&self.signing, label, bytes)
    }

    pub(crate) fn agree(&self, public: &[u8; 32]) -> Option<Secret> {
        cipher::agree(&self.receiving, public)
    }
}

fn path(folder: &Path, device: DeviceId) -> PathBuf {
    folder.join(format!("device-{device}.key"))
}

fn hex(bytes: &[u8; 32]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(64));
    for byte in bytes {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

fn unhex(text: &str) -> Option<Secret> {
    let mut bytes = Zeroizing::new([0; 32]);
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}
