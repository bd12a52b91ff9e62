//! Excerpts: what somebody who has all logs shows to a device that has none yet, sealed for the space and signed by its maker.
//!
//! The form is for ever and is described byte by byte in docs/developers/sync.md. An excerpt proves nothing: it is one
//! member's word about the logs of all, believed until the logs themselves come.

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

use super::SyncError;
use super::bytes::Reader;
use super::cipher::{self, NONCE, SIGNATURE, TAG};
use super::identity::Identity;
use super::names::{ObjectKind, ObjectName, parse_device};
use super::random::{Random, draw};
use super::remote::OBJECT_MAX;
use super::segment::{self, Epoch};
use crate::domain::ids::{DeviceId, EntityId};
use crate::domain::op::Hlc;
use crate::store::Logged;

const MAGIC: &[u8; 4] = b"QDhx";
const VERSION: u8 = 1;
const LABEL: &str = "quarterdeck sync excerpt 1";
/// The header up to the nonce, which is its last part.
const HEADER: usize = 4 + 1 + 16 + 12 + 16 + 8 + 2 + 2 + 4 + NONCE;

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

/// What a part says of itself before it is opened; true only once its maker's signature was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    space: EntityId,
    epoch: Epoch,
    name: PartName,
    plain: u32,
    nonce: [u8; NONCE],
}

impl Header {
    fn read(sealed: &[u8]) -> Result<Self, &'static str> {
        let mut reader = Reader::new(sealed);
        if reader.take(MAGIC.len()) != Some(MAGIC) {
            return Err("it is no excerpt");
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
            name: PartName {
                maker: reader.device()?,
                seen: reader.u64()?,
                part: reader.u16()?,
                parts: reader.u16()?,
            },
            plain: reader.u32()?,
            nonce: reader.array()?,
        };
        reader.take(TAG + SIGNATURE)?;
        let fits = usize::try_from(header.plain).is_ok_and(|plain| plain <= PART_MAX);
        fits.then_some(header)
    }

    fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER);
        out.extend_from_slice(MAGIC);
        out.push(VERSION);
        out.extend_from_slice(self.space.as_bytes());
        out.extend_from_slice(&self.epoch.to_bytes());
        out.extend_from_slice(self.name.maker.0.as_bytes());
        out.extend_from_slice(&self.name.seen.to_be_bytes());
        out.extend_from_slice(&self.name.part.to_be_bytes());
        out.extend_from_slice(&self.name.parts.to_be_bytes());
        out.extend_from_slice(&self.plain.to_be_bytes());
        out.extend_from_slice(&self.nonce);
        out
    }
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
    let packed = segment::pack(&text, LEVEL)?;
    let header = Header {
        space,
        epoch,
        name,
        plain,
        nonce: draw(random)?,
    };
    let mut out = header.write();
    let sealed = cipher::seal(key, &header.nonce, &out, &packed);
    out.extend_from_slice(&sealed);
    let signature = identity.sign(LABEL, &out);
    out.extend_from_slice(&signature);
    if text.len() > PART_MAX || out.len() > OBJECT_MAX {
        return Err(too_long());
    }
    Ok(out)
}

/// With which key a part is sealed, as it says itself.
pub(crate) fn epoch_of(sealed: &[u8]) -> Option<Epoch> {
    Header::read(sealed).ok().map(|header| header.epoch)
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
    let header = Header::read(sealed)?;
    if header.space != space {
        return Err("it belongs to another space");
    }
    if header.name != name {
        return Err("it is another part under this name");
    }
    let (signed, signature) = sealed
        .split_last_chunk::<SIGNATURE>()
        .ok_or("it is too short")?;
    if !cipher::is_signed(signing, LABEL, signed, signature) {
        return Err("its signature is wrong");
    }
    let (about, text) = signed.split_at_checked(HEADER).ok_or("it is too short")?;
    let packed =
        cipher::open(key, &header.nonce, about, text).ok_or("it does not open with its key")?;
    let plain = usize::try_from(header.plain).unwrap_or(usize::MAX);
    // Never more than the signed header said, whatever the compressed text claims.
    let text = segment::unpack(&packed, plain, PART_MAX)?;
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

fn definite(count: Option<u64>) -> Result<u64, minicbor::decode::Error> {
    count.ok_or_else(|| minicbor::decode::Error::message("a length is missing"))
}

fn at_least(least: u64, count: Option<u64>) -> Result<u64, minicbor::decode::Error> {
    let count = definite(count)?;
    let short = || minicbor::decode::Error::message("something is too short");
    (count >= least).then_some(count).ok_or_else(short)
}

fn rest(decoder: &mut Decoder<'_>, count: u64) -> Result<(), minicbor::decode::Error> {
    (0..count).try_for_each(|_| decoder.skip())
}
