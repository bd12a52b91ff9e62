//! Sealed segments: a run of one device's operations, compressed, encrypted for the space and signed by the device.
//!
//! The form is for ever and is described byte by byte in docs/developers/sync.md. Whatever comes in is bounded before it
//! is believed: signature first, then the key, then the length, then each operation.

use std::fmt;

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

use super::bytes::Reader;
use super::cipher::{self, NONCE, SIGNATURE, TAG};
use super::identity::Identity;
use super::random::{Random, draw};
use super::{SEGMENT_MAX, SyncError};
use crate::domain::ids::{DeviceId, EntityId};
use crate::domain::op::Hlc;
use crate::store::Logged;

const MAGIC: &[u8; 4] = b"QDsg";
const VERSION: u8 = 1;
/// The header up to the nonce, which is its last part.
const HEADER: usize = 4 + 1 + 16 + 12 + 16 + 8 + 8 + 32 + 4 + NONCE;
const LABEL: &str = "quarterdeck sync segment 1";

/// The most bytes of operations in a segment before compression. A segment that claims more is refused unread.
pub const PLAIN_MAX: usize = 32 << 20;
/// The most operations in a segment.
pub const OPS_MAX: u64 = 1 << 20;
/// Other programs' compression levels change nothing for readers; this one costs next to nothing.
const LEVEL: i32 = 3;

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

/// What a segment says of itself before it is opened; true only once [`Header::check`] found its author's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Of which space.
    pub space: EntityId,
    /// Sealed with which key.
    pub epoch: Epoch,
    /// Whose operations.
    pub device: DeviceId,
    /// The number of the first.
    pub first: u64,
    /// The number of the last.
    pub last: u64,
    /// The hash of the device's log before the first: what the store's own chain says there.
    pub before: [u8; 32],
    /// The bytes of the operations before compression.
    plain: u32,
    nonce: [u8; NONCE],
}

/// A run of operations of one device, in order and without gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The hash of the device's log before them.
    pub before: [u8; 32],
    /// The operations, at least one.
    pub ops: Vec<Logged>,
}

impl Header {
    /// Reads a header, without believing it.
    ///
    /// # Errors
    /// What is wrong with it, in a few words.
    pub fn read(sealed: &[u8]) -> Result<Self, &'static str> {
        if sealed.len() > SEGMENT_MAX {
            return Err("it is too long");
        }
        let mut reader = Reader::new(sealed);
        if reader.take(MAGIC.len()) != Some(MAGIC) {
            return Err("it is no segment");
        }
        if reader.u8() != Some(VERSION) {
            return Err("a newer program wrote it; update this one");
        }
        Self::fields(&mut reader).ok_or("its header is damaged")
    }

    fn fields(reader: &mut Reader<'_>) -> Option<Self> {
        let header = Self {
            space: reader.id()?,
            epoch: Epoch::read(reader)?,
            device: reader.device()?,
            first: reader.u64()?,
            last: reader.u64()?,
            before: reader.array()?,
            plain: reader.u32()?,
            nonce: reader.array()?,
        };
        // At least a tag and a signature follow.
        reader.take(TAG + SIGNATURE)?;
        let count = header.last.checked_sub(header.first)?;
        let fits = usize::try_from(header.plain).is_ok_and(|plain| plain <= PLAIN_MAX);
        (header.first > 0 && count < OPS_MAX && fits).then_some(header)
    }

    fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER);
        out.extend_from_slice(MAGIC);
        out.push(VERSION);
        out.extend_from_slice(self.space.as_bytes());
        out.extend_from_slice(&self.epoch.to_bytes());
        out.extend_from_slice(self.device.0.as_bytes());
        out.extend_from_slice(&self.first.to_be_bytes());
        out.extend_from_slice(&self.last.to_be_bytes());
        out.extend_from_slice(&self.before);
        out.extend_from_slice(&self.plain.to_be_bytes());
        out.extend_from_slice(&self.nonce);
        out
    }

    /// Whether the owner of the Ed25519 key `author` signed the whole segment.
    pub fn check(&self, author: &[u8; 32], sealed: &[u8]) -> bool {
        split(sealed).is_some_and(|(_, _, signed, signature)| {
            cipher::is_signed(author, LABEL, signed, &signature)
        })
    }

    /// Opens the segment that this header heads, after [`Header::check`].
    ///
    /// # Errors
    /// What is wrong with it, in a few words.
    pub fn open(&self, key: &[u8; 32], sealed: &[u8]) -> Result<Segment, &'static str> {
        let (about, text, _, _) = split(sealed).ok_or("it is too short")?;
        let packed =
            cipher::open(key, &self.nonce, about, text).ok_or("it does not open with its key")?;
        let plain = usize::try_from(self.plain).unwrap_or(usize::MAX);
        // Never more than the signed header said, whatever the compressed text claims.
        let payload = unpack(&packed, plain, PLAIN_MAX)?;
        let ops = read_ops(&payload, self).map_err(|_| "its operations cannot be read")?;
        let count = u64::try_from(ops.len()).unwrap_or(u64::MAX);
        if count != self.last - self.first + 1 {
            return Err("it does not hold the operations that it says");
        }
        Ok(Segment {
            before: self.before,
            ops,
        })
    }
}

/// Header, sealed text, all that is signed, signature.
type Parts<'a> = (&'a [u8], &'a [u8], &'a [u8], [u8; SIGNATURE]);

fn split(sealed: &[u8]) -> Option<Parts<'_>> {
    let (signed, signature) = sealed.split_at_checked(sealed.len().checked_sub(SIGNATURE)?)?;
    let (about, text) = signed.split_at_checked(HEADER)?;
    Some((about, text, signed, signature.try_into().ok()?))
}

/// Compresses a text before it is sealed.
pub(crate) fn pack(text: &[u8], level: i32) -> Result<Vec<u8>, SyncError> {
    zstd::bulk::compress(text, level).map_err(|why| SyncError::Local {
        attempt: "compressing operations".to_owned(),
        why: why.to_string(),
    })
}

/// Reads [`pack`] back: exactly `plain` bytes, and never more than `most`.
pub(crate) fn unpack(packed: &[u8], plain: usize, most: usize) -> Result<Vec<u8>, &'static str> {
    let text = zstd::bulk::decompress(packed, plain.min(most))
        .map_err(|_| "its text cannot be unpacked")?;
    if text.len() == plain {
        Ok(text)
    } else {
        Err("its text is not as long as it says")
    }
}

/// Seals a run of operations of `identity`'s own log.
///
/// # Errors
/// The operations are not one run of this device's log, or too many; or there is no randomness.
pub fn seal(
    segment: &Segment,
    space: EntityId,
    epoch: Epoch,
    key: &[u8; 32],
    identity: &Identity,
    random: &mut dyn Random,
) -> Result<Vec<u8>, SyncError> {
    let (Some(first), Some(last)) = (segment.ops.first(), segment.ops.last()) else {
        return Err(SyncError::refused("a segment holds at least one operation"));
    };
    let device = identity.device();
    let in_order = segment
        .ops
        .iter()
        .zip(first.seq..)
        .all(|(op, seq)| op.seq == seq && op.device == device);
    if !in_order {
        return Err(SyncError::refused(
            "a segment holds one run of its own device's operations",
        ));
    }
    let payload = write_ops(&segment.ops);
    let plain = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    if payload.len() > PLAIN_MAX || last.seq - first.seq >= OPS_MAX {
        return Err(SyncError::refused(format!(
            "operations {} to {} are too long for one segment",
            first.seq, last.seq
        )));
    }
    let packed = pack(&payload, LEVEL)?;
    let header = Header {
        space,
        epoch,
        device,
        first: first.seq,
        last: last.seq,
        before: segment.before,
        plain,
        nonce: draw(random)?,
    };
    let mut out = header.write();
    let text = cipher::seal(key, &header.nonce, &out, &packed);
    out.extend_from_slice(&text);
    let signature = identity.sign(LABEL, &out);
    out.extend_from_slice(&signature);
    Ok(out)
}

/// The operations as CBOR: `{"ops": [[clock, body], …]}`. Numbers and device follow from the header.
fn write_ops(ops: &[Logged]) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 + ops.iter().map(|op| op.body.len() + 16).sum::<usize>());
    let mut encoder = Encoder::new(&mut out);
    let mut write = || -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
        encoder.map(1)?.str("ops")?.array(ops.len() as u64)?;
        for op in ops {
            encoder.array(2)?.u64(op.hlc.0)?.bytes(&op.body)?;
        }
        Ok(())
    };
    write().expect("writing to memory cannot fail");
    out
}

/// Reads [`write_ops`] back. Keys and items of a later program are passed over.
fn read_ops(payload: &[u8], header: &Header) -> Result<Vec<Logged>, minicbor::decode::Error> {
    let mut decoder = Decoder::new(payload);
    let mut ops = Vec::new();
    for _ in 0..definite(decoder.map()?)? {
        if decoder.str()? != "ops" {
            decoder.skip()?;
            continue;
        }
        // An operation is at least three bytes, so that the count cannot promise more than there is.
        let count = definite(decoder.array()?)?;
        for seq in (header.first..=header.last).take(usize::try_from(count).unwrap_or(0)) {
            let items = definite(decoder.array()?)?;
            if items < 2 {
                return Err(minicbor::decode::Error::message(
                    "an operation is too short",
                ));
            }
            let hlc = Hlc(decoder.u64()?);
            let body = decoder.bytes()?.to_vec();
            for _ in 2..items {
                decoder.skip()?;
            }
            ops.push(Logged {
                device: header.device,
                seq,
                hlc,
                body,
            });
        }
        if count != ops.len() as u64 {
            return Err(minicbor::decode::Error::message(
                "more operations than announced",
            ));
        }
    }
    if decoder.position() != payload.len()
        || decoder.datatype().is_ok_and(|kind| kind != Type::Break)
    {
        return Err(minicbor::decode::Error::message(
            "something follows the operations",
        ));
    }
    Ok(ops)
}

fn definite(count: Option<u64>) -> Result<u64, minicbor::decode::Error> {
    count.ok_or_else(|| minicbor::decode::Error::message("a length is missing"))
}
