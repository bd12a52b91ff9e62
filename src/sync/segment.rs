//! Sealed segments: a run of one device's operations, compressed, encrypted for the space and signed by the device.
//!
//! The form is for ever and is described byte by byte in docs/developers/sync.md. Whatever comes in is bounded before it
//! is believed: signature first, then the key, then the length, then each operation.

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

use super::frame::{Epoch, Form, Frame, Origin, pack};
use super::identity::Identity;
use super::random::Random;
use super::{SEGMENT_MAX, SyncError};
use crate::domain::ids::{DeviceId, EntityId};
use crate::domain::op::Hlc;
use crate::store::Logged;

const FORM: Form = Form {
    magic: b"QDsg",
    label: "quarterdeck sync segment 1",
};

/// The most bytes of operations in a segment before compression. A segment that claims more is refused unread.
pub const PLAIN_MAX: usize = 32 << 20;
/// The most operations in a segment.
pub const OPS_MAX: u64 = 1 << 20;
/// Other programs' compression levels change nothing for readers; this one costs next to nothing.
const LEVEL: i32 = 3;

/// What a segment says of itself before it is opened; true only once [`Header::check`] found its author's signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
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
    frame: Frame<'a>,
}

/// A run of operations of one device, in order and without gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The hash of the device's log before them.
    pub before: [u8; 32],
    /// The operations, at least one.
    pub ops: Vec<Logged>,
}

impl<'a> Header<'a> {
    /// Reads the header of a segment, without believing it.
    ///
    /// # Errors
    /// What is wrong with it, in a few words.
    pub fn read(sealed: &'a [u8]) -> Result<Self, &'static str> {
        if sealed.len() > SEGMENT_MAX {
            return Err("it is too long");
        }
        let (frame, fields) = FORM.read(sealed, "it is no segment", |reader| {
            let (first, last) = (reader.u64()?, reader.u64()?);
            let (before, plain) = (reader.array()?, reader.u32()?);
            let count = last.checked_sub(first)?;
            let fits = usize::try_from(plain).is_ok_and(|plain| plain <= PLAIN_MAX);
            (first > 0 && count < OPS_MAX && fits).then_some((first, last, before, plain))
        })?;
        let (first, last, before, plain) = fields;
        let Origin {
            space,
            epoch,
            device,
        } = frame.origin;
        Ok(Self {
            space,
            epoch,
            device,
            first,
            last,
            before,
            plain,
            frame,
        })
    }

    /// Whether the owner of the Ed25519 key `author` signed the whole segment.
    pub fn check(&self, author: &[u8; 32]) -> bool {
        self.frame.is_signed(author)
    }

    /// Opens the segment, after [`Header::check`].
    ///
    /// # Errors
    /// What is wrong with it, in a few words.
    pub fn open(&self, key: &[u8; 32]) -> Result<Segment, &'static str> {
        let payload = self.frame.unpack(key, self.plain, PLAIN_MAX)?;
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
    let own = [
        &first.seq.to_be_bytes()[..],
        &last.seq.to_be_bytes(),
        &segment.before,
        &plain.to_be_bytes(),
    ]
    .concat();
    let origin = Origin {
        space,
        epoch,
        device,
    };
    FORM.seal(origin, &own, &packed, key, identity, random)
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
fn read_ops(payload: &[u8], header: &Header<'_>) -> Result<Vec<Logged>, minicbor::decode::Error> {
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

/// A length that is there, as in everything that is written here.
pub(crate) fn definite(count: Option<u64>) -> Result<u64, minicbor::decode::Error> {
    count.ok_or_else(|| minicbor::decode::Error::message("a length is missing"))
}
