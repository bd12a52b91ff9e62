//! The frame that all signed and sealed forms share: how they begin, how their text is sealed, and how they are signed.
//!
//! Each form says for itself which fields its header has, in which order it judges them, and what it calls what is wrong. Every
//! form has a label of its own, so that what was signed for one is worth nothing for another.

use std::fmt;

use super::SyncError;
use super::bytes::Reader;
use super::cipher::{self, NONCE, SIGNATURE, TAG};
use super::identity::Identity;
use super::random::{Random, draw};
use crate::domain::ids::{DeviceId, EntityId};
use crate::domain::planted::planted;

/// All forms are in their first version; one that changes gets a number and a label of its own.
const VERSION: u8 = 1;

/// A key of a space: its place in the order of keys, and its fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch {
    /// Newer keys have higher numbers; two devices may give the same number at once.
    pub number: u32,
    /// The first bytes of a hash of the key.
    pub key: [u8; 8],
}

impl Epoch {
    pub(crate) fn to_bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        let (number, key) = bytes.split_at_mut(4);
        number.copy_from_slice(&self.number.to_be_bytes());
        key.copy_from_slice(&self.key);
        bytes
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            number: reader.u32()?,
            key: reader.array()?,
        })
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-", self.number)?;
        self.key.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A form of things that are signed, and perhaps sealed. It is for ever, see docs/developers/sync.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// The first bytes.
    pub(crate) magic: &'static [u8; 4],
    /// What it is signed for.
    pub(crate) label: &'static str,
}

/// What every sealed thing says first of where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Of which space.
    pub(crate) space: EntityId,
    /// Sealed with which key.
    pub(crate) epoch: Epoch,
    /// Of which device.
    pub(crate) device: DeviceId,
}

/// A sealed thing in pieces: nothing of it is believed before [`Frame::is_signed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    form: Form,
    pub(crate) origin: Origin,
    nonce: [u8; NONCE],
    /// The header, to which the text is bound.
    header: &'a [u8],
    text: &'a [u8],
    whole: &'a [u8],
}

impl Form {
    /// How a thing of this form begins.
    pub(crate) fn begin(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        out.extend_from_slice(self.magic);
        out.push(VERSION);
        out
    }

    /// Reads [`Form::begin`] back; `None` when it is of another form or version.
    pub(crate) fn begins(&self, reader: &mut Reader<'_>) -> Option<()> {
        (reader.take(self.magic.len())? == self.magic && reader.u8()? == VERSION).then_some(())
    }

    /// Ends a thing with `identity`'s signature of all that stands in it.
    pub(crate) fn sign(&self, out: &mut Vec<u8>, identity: &Identity) {
        let signature = identity.sign(self.label, out);
        out.extend_from_slice(&signature);
    }

    /// Whether the owner of the Ed25519 key `author` signed the whole thing.
    pub(crate) fn is_signed(&self, author: &[u8; 32], whole: &[u8]) -> bool {
        whole
            .split_last_chunk::<SIGNATURE>()
            .is_some_and(|(signed, signature)| {
                cipher::is_signed(author, self.label, signed, signature)
            })
    }

    /// Seals `text` under a header with the form's own fields in `own`, and signs the whole.
    ///
    /// # Errors
    /// There is no randomness.
    pub(crate) fn seal(
        &self,
        origin: Origin,
        own: &[u8],
        text: &[u8],
        key: &[u8; 32],
        identity: &Identity,
        random: &mut dyn Random,
    ) -> Result<Vec<u8>, SyncError> {
        let mut nonce: [u8; NONCE] = draw(random)?;
        if planted!(NonceReused) {
            nonce = [7; NONCE];
        }
        let mut out = self.begin();
        out.extend_from_slice(origin.space.as_bytes());
        out.extend_from_slice(&origin.epoch.to_bytes());
        out.extend_from_slice(origin.device.0.as_bytes());
        out.extend_from_slice(own);
        out.extend_from_slice(&nonce);
        let sealed = cipher::seal(key, &nonce, &out, text);
        out.extend_from_slice(&sealed);
        self.sign(&mut out, identity);
        Ok(out)
    }

    /// Takes apart what [`Form::seal`] made, without believing it. `own` reads the form's own fields; with `None` they are
    /// damaged, or claim what cannot be.
    ///
    /// # Errors
    /// What is wrong with it, in a few words; `other` when it is of another form.
    pub(crate) fn read<'a, T>(
        &self,
        sealed: &'a [u8],
        other: &'static str,
        own: impl FnOnce(&mut Reader<'a>) -> Option<T>,
    ) -> Result<(Frame<'a>, T), &'static str> {
        let mut reader = Reader::new(sealed);
        if reader.take(self.magic.len()) != Some(self.magic) {
            return Err(other);
        }
        if reader.u8() != Some(VERSION) {
            return Err("a newer program wrote it; update this one");
        }
        self.take_apart(sealed, reader, own)
            .ok_or("its header is damaged")
    }

    fn take_apart<'a, T>(
        &self,
        whole: &'a [u8],
        mut reader: Reader<'a>,
        own: impl FnOnce(&mut Reader<'a>) -> Option<T>,
    ) -> Option<(Frame<'a>, T)> {
        let origin = Origin {
            space: reader.id()?,
            epoch: Epoch::read(&mut reader)?,
            device: reader.device()?,
        };
        let fields = own(&mut reader)?;
        // The nonce ends the header, and at least a tag and a signature follow it.
        let nonce = reader.array()?;
        let (header, rest) = whole.split_at_checked(whole.len().checked_sub(reader.left())?)?;
        let (text, _) = rest.split_last_chunk::<SIGNATURE>()?;
        let frame = Frame {
            form: *self,
            origin,
            nonce,
            header,
            text,
            whole,
        };
        (text.len() >= TAG).then_some((frame, fields))
    }
}

impl Frame<'_> {
    /// Whether the owner of the Ed25519 key `author` signed the whole thing.
    pub(crate) fn is_signed(&self, author: &[u8; 32]) -> bool {
        self.form.is_signed(author, self.whole)
    }

    /// The text, after [`Frame::is_signed`]; `None` when the key is another one, or something is not what it was.
    pub(crate) fn open(&self, key: &[u8; 32]) -> Option<Vec<u8>> {
        cipher::open(key, &self.nonce, self.header, self.text)
    }

    /// The text that [`pack`] made smaller: exactly `plain` bytes, whatever the packed text claims, and never more than `most`.
    ///
    /// # Errors
    /// What is wrong with it, in a few words.
    pub(crate) fn unpack(
        &self,
        key: &[u8; 32],
        plain: u32,
        most: usize,
    ) -> Result<Vec<u8>, &'static str> {
        let packed = self.open(key).ok_or("it does not open with its key")?;
        let plain = usize::try_from(plain).unwrap_or(usize::MAX);
        let text = zstd::bulk::decompress(&packed, plain.min(most))
            .map_err(|_| "its text cannot be unpacked")?;
        if text.len() == plain {
            Ok(text)
        } else {
            Err("its text is not as long as it says")
        }
    }
}

/// Compresses a text before it is sealed.
///
/// # Errors
/// The compressor has no memory.
pub(crate) fn pack(text: &[u8], level: i32) -> Result<Vec<u8>, SyncError> {
    zstd::bulk::compress(text, level).map_err(|why| SyncError::Local {
        attempt: "compressing operations".to_owned(),
        why: why.to_string(),
    })
}
