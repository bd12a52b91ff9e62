//! Blobs: a recording in parts, each compressed, encrypted for the space and signed by the device that made the recording.
//!
//! The form is for ever and is described byte by byte in docs/developers/sync.md. Which parts there are, and what they add
//! up to, stands in the log; a bag is never asked for a list of them, however many it would name.

use super::SyncError;
use super::frame::{Epoch, Form, Frame, Origin, pack};
use super::identity::Identity;
use super::names::{ObjectKind, ObjectName};
use super::random::Random;
use super::remote::OBJECT_MAX;
use crate::domain::ids::{DeviceId, EntityId};
use crate::domain::session::PART_MAX;

const FORM: Form = Form {
    magic: b"QDbl",
    label: "quarterdeck sync blob 1",
};
/// Recordings are text that repeats itself, and this level costs next to nothing.
const LEVEL: i32 = 3;

/// Which part of which recording: also its name in the remote, `<id>-<part>`. The id is random, so that a name tells nothing
/// of what is inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobPart {
    /// The device that made the recording.
    pub maker: DeviceId,
    /// The recording in the bag.
    pub id: EntityId,
    /// From 1.
    pub part: u32,
    /// How many there are.
    pub parts: u32,
}

impl BlobPart {
    /// The name of the object.
    pub fn object(&self) -> ObjectName {
        ObjectName {
            kind: ObjectKind::Blob,
            name: format!("{}-{}", self.id, self.part),
        }
    }
}

/// What a blob says of itself before it is opened, and how long its text is; true only once its maker's signature was found.
fn header(sealed: &[u8]) -> Result<(Frame<'_>, BlobPart, u32), &'static str> {
    if sealed.len() > OBJECT_MAX {
        return Err("it is too long");
    }
    let (frame, fields) = FORM.read(sealed, "it is no part of a recording", |reader| {
        let (id, part, parts) = (reader.id()?, reader.u32()?, reader.u32()?);
        let plain = reader.u32()?;
        (plain <= PART_MAX).then_some((id, part, parts, plain))
    })?;
    let (id, part, parts, plain) = fields;
    let part = BlobPart {
        maker: frame.origin.device,
        id,
        part,
        parts,
    };
    Ok((frame, part, plain))
}

/// Seals one part of a recording of `identity`'s own.
///
/// # Errors
/// It is too long, or there is no randomness.
pub fn seal_blob(
    text: &[u8],
    part: BlobPart,
    space: EntityId,
    (epoch, key): (Epoch, &[u8; 32]),
    identity: &Identity,
    random: &mut dyn Random,
) -> Result<Vec<u8>, SyncError> {
    let too_long = || SyncError::refused("a part of a recording is too long to be sent");
    let plain = u32::try_from(text.len()).map_err(|_| too_long())?;
    if plain > PART_MAX || part.maker != identity.device() {
        return Err(too_long());
    }
    let packed = pack(text, LEVEL)?;
    let own = [
        &part.id.as_bytes()[..],
        &part.part.to_be_bytes(),
        &part.parts.to_be_bytes(),
        &plain.to_be_bytes(),
    ]
    .concat();
    let origin = Origin {
        space,
        epoch,
        device: part.maker,
    };
    let out = FORM.seal(origin, &own, &packed, key, identity, random)?;
    if out.len() > OBJECT_MAX {
        return Err(too_long());
    }
    Ok(out)
}

/// With which key a blob is sealed, as it says itself.
pub(crate) fn epoch_of(sealed: &[u8]) -> Result<Epoch, &'static str> {
    header(sealed).map(|(frame, ..)| frame.origin.epoch)
}

/// Opens the blob that lies under the name of `part` and must hold `plain` bytes, after everything about it was checked.
///
/// # Errors
/// What is wrong with it, in a few words.
pub fn open_blob(
    sealed: &[u8],
    (part, plain): (BlobPart, u32),
    space: EntityId,
    key: &[u8; 32],
    signing: &[u8; 32],
) -> Result<Vec<u8>, &'static str> {
    let (frame, named, long) = header(sealed)?;
    if frame.origin.space != space {
        return Err("it belongs to another space");
    }
    if named != part {
        return Err("it is another part, or of another recording");
    }
    if long != plain {
        return Err("it is not as long as the log says");
    }
    if !frame.is_signed(signing) {
        return Err("its signature is not its device's");
    }
    frame.unpack(key, plain, PART_MAX as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::SystemRandom;
    use crate::sync::keyring::epoch;

    struct Desk {
        identity: Identity,
        space: EntityId,
        key: [u8; 32],
    }

    impl Desk {
        fn new() -> Result<Self, SyncError> {
            let device = DeviceId(EntityId::derived("device", "lap1"));
            Ok(Self {
                identity: Identity::generate(device, &mut SystemRandom)?,
                space: EntityId::derived("space", "one"),
                key: [7; 32],
            })
        }

        fn part(&self, part: u32) -> BlobPart {
            BlobPart {
                maker: self.identity.device(),
                id: EntityId::derived("blob", "one"),
                part,
                parts: 3,
            }
        }

        fn seal(&self, text: &[u8], part: u32) -> Result<Vec<u8>, SyncError> {
            let key = (epoch(1, &self.key), &self.key);
            seal_blob(
                text,
                self.part(part),
                self.space,
                key,
                &self.identity,
                &mut SystemRandom,
            )
        }

        fn open(&self, sealed: &[u8], part: u32, plain: usize) -> Result<Vec<u8>, &'static str> {
            let signing = self.identity.public().signing;
            let plain = u32::try_from(plain).map_err(|_| "too long")?;
            let part = (self.part(part), plain);
            open_blob(sealed, part, self.space, &self.key, &signing)
        }
    }

    #[test]
    fn what_is_sealed_is_opened_and_nothing_else_is() -> Result<(), Box<dyn std::error::Error>> {
        let desk = Desk::new()?;
        let text = b"[1.0, \"o\", \"secret\\r\\n\"]\n".repeat(40);
        let sealed = desk.seal(&text, 2)?;
        assert_eq!(desk.open(&sealed, 2, text.len())?, text);
        assert!(!sealed.windows(6).any(|piece| piece == b"secret"));
        // Each bit counts, and so does each byte at the end.
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            if let Some(byte) = bad.get_mut(at) {
                *byte ^= 1 << (at % 8);
            }
            assert!(desk.open(&bad, 2, text.len()).is_err(), "byte {at}");
            let cut = sealed.get(..at).unwrap_or_default();
            assert!(desk.open(cut, 2, text.len()).is_err(), "cut at {at}");
        }
        let longer = [sealed.as_slice(), b"x"].concat();
        assert!(desk.open(&longer, 2, text.len()).is_err());
        Ok(())
    }

    #[test]
    fn a_part_counts_only_in_its_place() -> Result<(), Box<dyn std::error::Error>> {
        let desk = Desk::new()?;
        let sealed = desk.seal(b"text", 2)?;
        assert!(desk.open(&sealed, 1, 4).is_err(), "another part");
        assert!(desk.open(&sealed, 2, 5).is_err(), "another length");
        let other = Desk {
            space: EntityId::derived("space", "two"),
            ..Desk::new()?
        };
        let signing = desk.identity.public().signing;
        let part = (desk.part(2), 4);
        assert!(
            open_blob(&sealed, part, other.space, &desk.key, &signing).is_err(),
            "another space"
        );
        let stranger = other.identity.public().signing;
        assert!(
            open_blob(&sealed, part, desk.space, &desk.key, &stranger).is_err(),
            "another device"
        );
        assert!(open_blob(&sealed, part, desk.space, &[8; 32], &signing).is_err());
        let later = BlobPart {
            parts: 4,
            ..desk.part(2)
        };
        assert!(open_blob(&sealed, (later, 4), desk.space, &desk.key, &signing).is_err());
        Ok(())
    }

    #[test]
    fn what_cannot_be_compressed_fits_all_the_same() -> Result<(), Box<dyn std::error::Error>> {
        let desk = Desk::new()?;
        let mut text = vec![0; PART_MAX as usize];
        SystemRandom.fill(&mut text)?;
        let sealed = desk.seal(&text, 1)?;
        assert!(sealed.len() <= OBJECT_MAX);
        assert_eq!(desk.open(&sealed, 1, text.len())?, text);
        text.push(0);
        assert!(desk.seal(&text, 1).is_err(), "longer than any reader takes");
        let name = desk.part(3).object();
        assert_eq!(ObjectName::parse(name.kind, &name.name), Some(name));
        Ok(())
    }
}
