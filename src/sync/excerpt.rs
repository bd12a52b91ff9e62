//! Excerpts: what somebody who has all logs shows to a device that has none yet, sealed for the space and signed by its maker.
//!
//! The form is for ever and is described byte by byte in docs/developers/sync.md. An excerpt proves nothing: it is one
//! member's word about the logs of all, believed until the logs themselves come.

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

use super::SyncError;
use super::frame::{Epoch, Form, Frame, Origin, pack};
use super::identity::Identity;
use super::names::{ObjectKind, ObjectName, parse_device};
use super::random::Random;
use super::remote::OBJECT_MAX;
use super::segment::definite;
use crate::domain::ids::{DeviceId, EntityId};
use crate::domain::op::Hlc;
use crate::store::Logged;

const FORM: Form = Form {
    magic: b"QDhx",
    label: "quarterdeck sync excerpt 1",
};

/// The most bytes of text in a part before compression. A part that claims more is refused unread.
pub const PART_MAX: usize = 8 << 20;
/// Made rarely and fetched over slow lines, so that it is worth the time.
const LEVEL: i32 = 19;

/// Which part of which excerpt: also its name in the remote, `<maker>-<seen>-<part>-<parts>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartName {
    /// How many operations its maker had when it was made, of all logs together: the newer excerpt has more.
    pub seen: u64,
    /// Who made it.
    pub maker: DeviceId,
    /// From 1. The first is the one to read first.
    pub part: u16,
    /// How many there are.
    pub parts: u16,
}

impl PartName {
    /// The name of the object.
    pub fn object(&self) -> ObjectName {
        let Self {
            seen,
            maker,
            part,
            parts,
        } = self;
        ObjectName {
            kind: ObjectKind::Hot,
            name: format!("{maker}-{seen}-{part}-{parts}"),
        }
    }

    /// Reads [`PartName::object`] back; `None` for anything that it does not write.
    pub fn parse(object: &ObjectName) -> Option<Self> {
        let mut words = object.name.split('-');
        let name = Self {
            maker: parse_device(words.next()?)?,
            seen: words.next()?.parse().ok()?,
            part: words.next()?.parse().ok()?,
            parts: words.next()?.parse().ok()?,
        };
        let fine = name.part > 0 && name.part <= name.parts && i64::try_from(name.seen).is_ok();
        (fine && name.object() == *object).then_some(name)
    }
}

/// What a part holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// How far each log went when the excerpt was made.
    pub logs: Vec<(DeviceId, u64)>,
    /// Operations of these logs.
    pub ops: Vec<Logged>,
}

/// What a part says of itself before it is opened, and how long its text is; true only once its maker's signature was found.
fn header(sealed: &[u8]) -> Result<(Frame<'_>, PartName, u32), &'static str> {
    let (frame, fields) = FORM.read(sealed, "it is no excerpt", |reader| {
        let (seen, part, parts) = (reader.u64()?, reader.u16()?, reader.u16()?);
        let plain = reader.u32()?;
        let fits = usize::try_from(plain).is_ok_and(|plain| plain <= PART_MAX);
        fits.then_some((seen, part, parts, plain))
    })?;
    let (seen, part, parts, plain) = fields;
    let name = PartName {
        seen,
        maker: frame.origin.device,
        part,
        parts,
    };
    Ok((frame, name, plain))
}

/// Seals one part.
///
/// # Errors
/// It is too long, or there is no randomness.
pub fn seal_part(
    part: &Part,
    name: PartName,
    space: EntityId,
    (epoch, key): (Epoch, &[u8; 32]),
    identity: &Identity,
    random: &mut dyn Random,
) -> Result<Vec<u8>, SyncError> {
    let text = write(part);
    let too_long = || SyncError::refused("a part of an excerpt is too long");
    let plain = u32::try_from(text.len()).map_err(|_| too_long())?;
    let packed = pack(&text, LEVEL)?;
    let own = [
        &name.seen.to_be_bytes()[..],
        &name.part.to_be_bytes(),
        &name.parts.to_be_bytes(),
        &plain.to_be_bytes(),
    ]
    .concat();
    let origin = Origin {
        space,
        epoch,
        device: name.maker,
    };
    let out = FORM.seal(origin, &own, &packed, key, identity, random)?;
    if text.len() > PART_MAX || out.len() > OBJECT_MAX {
        return Err(too_long());
    }
    Ok(out)
}

/// With which key a part is sealed, as it says itself.
pub(crate) fn epoch_of(sealed: &[u8]) -> Option<Epoch> {
    header(sealed).ok().map(|(frame, ..)| frame.origin.epoch)
}

/// Opens the part that lies under `name`, after everything about it was checked.
///
/// # Errors
/// What is wrong with it, in a few words.
pub fn open_part(
    sealed: &[u8],
    name: PartName,
    space: EntityId,
    key: &[u8; 32],
    signing: &[u8; 32],
) -> Result<Part, &'static str> {
    let (frame, named, plain) = header(sealed)?;
    if frame.origin.space != space {
        return Err("it belongs to another space");
    }
    if named != name {
        return Err("it is another part under this name");
    }
    if !frame.is_signed(signing) {
        return Err("its signature is wrong");
    }
    let text = frame.unpack(key, plain, PART_MAX)?;
    let part = read(&text).map_err(|_| "its operations cannot be read")?;
    // Nobody can vouch for what the maker did not have.
    let within = |op: &Logged| {
        let log = part.logs.iter().find(|(device, _)| *device == op.device);
        op.seq > 0 && log.is_some_and(|(_, last)| op.seq <= *last)
    };
    if !part.ops.iter().all(within) {
        return Err("it holds operations that it does not vouch for");
    }
    Ok(part)
}

/// As CBOR: `{"logs": [[device, last], …], "ops": [[log, number, clock, body], …]}`. `log` is a place in `logs`; number and
/// clock are differences to the operation before, since a ticket's stand together.
fn write(part: &Part) -> Vec<u8> {
    let mut out =
        Vec::with_capacity(64 + part.ops.iter().map(|op| op.body.len() + 8).sum::<usize>());
    let mut encoder = Encoder::new(&mut out);
    let places: std::collections::BTreeMap<DeviceId, u64> = part
        .logs
        .iter()
        .map(|(device, _)| *device)
        .zip(0..)
        .collect();
    let mut write = || -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
        encoder.map(2)?.str("logs")?.array(part.logs.len() as u64)?;
        for (device, last) in &part.logs {
            encoder.array(2)?.bytes(device.0.as_bytes())?.u64(*last)?;
        }
        encoder.str("ops")?.array(part.ops.len() as u64)?;
        let mut before = (0, 0);
        for op in &part.ops {
            // One of a log that is not listed gets a place that no reader takes.
            let place = places.get(&op.device).copied().unwrap_or(u64::MAX);
            encoder.array(4)?.u64(place)?;
            encoder.i64(op.seq.wrapping_sub(before.0).cast_signed())?;
            encoder.i64(op.hlc.0.wrapping_sub(before.1).cast_signed())?;
            encoder.bytes(&op.body)?;
            before = (op.seq, op.hlc.0);
        }
        Ok(())
    };
    write().expect("writing to memory cannot fail");
    out
}

/// Reads [`write`] back. Keys and items of a later program are passed over.
fn read(text: &[u8]) -> Result<Part, minicbor::decode::Error> {
    let mut decoder = Decoder::new(text);
    let wrong = minicbor::decode::Error::message;
    let mut part = Part {
        logs: Vec::new(),
        ops: Vec::new(),
    };
    for _ in 0..definite(decoder.map()?)? {
        match decoder.str()? {
            "logs" => {
                for _ in 0..definite(decoder.array()?)? {
                    let items = at_least(2, decoder.array()?)?;
                    let device = EntityId::from_slice(decoder.bytes()?)
                        .ok_or_else(|| wrong("a device is no device"))?;
                    let last = decoder.u64()?;
                    rest(&mut decoder, items - 2)?;
                    if i64::try_from(last).is_err() {
                        return Err(wrong("a number is too high"));
                    }
                    part.logs.push((DeviceId(device), last));
                }
            }
            "ops" => read_ops(&mut decoder, &mut part)?,
            _ => decoder.skip()?,
        }
    }
    if decoder.position() != text.len() || decoder.datatype().is_ok_and(|kind| kind != Type::Break)
    {
        return Err(wrong("something follows"));
    }
    Ok(part)
}

fn read_ops(decoder: &mut Decoder<'_>, part: &mut Part) -> Result<(), minicbor::decode::Error> {
    let (mut seq, mut clock) = (0u64, 0u64);
    for _ in 0..definite(decoder.array()?)? {
        let items = at_least(4, decoder.array()?)?;
        let place = usize::try_from(decoder.u64()?).unwrap_or(usize::MAX);
        let device = part.logs.get(place).map(|(device, _)| *device);
        seq = seq.wrapping_add_signed(decoder.i64()?);
        clock = clock.wrapping_add_signed(decoder.i64()?);
        let body = decoder.bytes()?.to_vec();
        rest(decoder, items - 4)?;
        let device =
            device.ok_or_else(|| minicbor::decode::Error::message("there is no such log"))?;
        part.ops.push(Logged {
            device,
            seq,
            hlc: Hlc(clock),
            body,
        });
    }
    Ok(())
}

fn at_least(least: u64, count: Option<u64>) -> Result<u64, minicbor::decode::Error> {
    let count = definite(count)?;
    let short = || minicbor::decode::Error::message("something is too short");
    (count >= least).then_some(count).ok_or_else(short)
}

fn rest(decoder: &mut Decoder<'_>, count: u64) -> Result<(), minicbor::decode::Error> {
    (0..count).try_for_each(|_| decoder.skip())
}
