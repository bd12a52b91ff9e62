//! The bytes of every sealed form, as they were written once: with the same keys, clock and randomness they come out the same,
//! and what was written then is read for ever. What is wrong with a thing is named in a fixed order.
//!
//! The bytes stand in `golden.txt`. They also hold what the compressor makes of a text, which another version of it may make
//! differently: then only what lies behind a header may change, and the old bytes must still open.

use std::error::Error;

use super::super::*;
use super::world::{Dice, scratch};
use crate::domain::ids::{DeviceId, EntityId, TicketId};
use crate::domain::op::Hlc;
use crate::domain::time::Time;
use crate::store::{Logged, Options, Store};

type Tested = Result<(), Box<dyn Error>>;

const NOW: Time = Time(1_795_428_000_000);
const SPACE: EntityId = EntityId::from_bytes([7; 16]);
const KEY: [u8; 32] = [5; 32];
const EPOCH: Epoch = Epoch {
    number: 258,
    key: [3, 4, 5, 6, 7, 8, 9, 10],
};
const MAKER: DeviceId = DeviceId(EntityId::from_bytes([0xa1; 16]));
const OTHER: DeviceId = DeviceId(EntityId::from_bytes([0xb2; 16]));

fn maker() -> Result<Identity, SyncError> {
    Identity::generate(MAKER, &mut Dice(1))
}

/// What stands in `golden.txt` under `name`, in hexadecimal digits.
fn digits(name: &str) -> Option<&'static str> {
    let mut lines = include_str!("golden.txt").lines();
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
}

fn pinned(name: &str) -> Option<Vec<u8>> {
    let digits = digits(name)?;
    let byte = |at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    (0..digits.len()).step_by(2).map(byte).collect()
}

fn check(name: &str, made: &[u8]) {
    let made: String = made.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(Some(made.as_str()), digits(name), "{name}");
}

fn op(device: DeviceId, seq: u64, clock: u64, body: &[u8]) -> Logged {
    Logged {
        device,
        seq,
        hlc: Hlc(clock),
        body: body.to_vec(),
    }
}

fn segment() -> Segment {
    let repeats = b"the disk of db1 is full; ".repeat(9);
    Segment {
        before: [0x2e; 32],
        ops: vec![
            op(MAKER, 300, 1 << 40, b"\xa1dkinddbond"),
            op(MAKER, 301, (1 << 40) + 1, b""),
            op(MAKER, 302, u64::MAX, &repeats),
        ],
    }
}

fn excerpt(part: u16) -> (PartName, Part) {
    let name = PartName {
        seen: 70_000,
        maker: MAKER,
        part,
        parts: 2,
    };
    let logs = vec![(MAKER, 300), (OTHER, 69_700)];
    let ops = match part {
        1 => vec![
            op(OTHER, 69_000, 1 << 60, b"\xa0"),
            op(MAKER, 2, 5, &b"what a list shows ".repeat(12)),
        ],
        _ => vec![op(OTHER, 69_700, u64::MAX, b"no map")],
    };
    (name, Part { logs, ops })
}

fn blob() -> (BlobPart, Vec<u8>) {
    let part = BlobPart {
        maker: MAKER,
        id: EntityId::from_bytes([0xc3; 16]),
        part: 2,
        parts: 3,
    };
    (part, b"[1.0, \"o\", \"df -h\\r\\n\"]\n".repeat(20))
}

#[test]
fn the_bytes_of_a_segment_stay() -> Tested {
    let (one, told) = (maker()?, segment());
    let old = pinned("segment").ok_or("it is pinned")?;
    let header = Header::read(&old)?;
    assert_eq!((header.space, header.epoch), (SPACE, EPOCH));
    assert_eq!(
        (header.device, header.first, header.last),
        (MAKER, 300, 302)
    );
    assert!(header.check(&one.public().signing));
    assert_eq!(header.open(&KEY), Ok(told.clone()));
    check(
        "segment",
        &seal(&told, SPACE, EPOCH, &KEY, &one, &mut Dice(2))?,
    );
    Ok(())
}

#[test]
fn the_bytes_of_an_excerpt_stay() -> Tested {
    let one = maker()?;
    let signing = one.public().signing;
    let mut dice = Dice(3);
    for number in [1, 2] {
        let ((name, part), line) = (excerpt(number), format!("excerpt-{number}"));
        let old = pinned(&line).ok_or("it is pinned")?;
        assert_eq!(
            open_part(&old, name, SPACE, &KEY, &signing),
            Ok(part.clone())
        );
        let key = (EPOCH, &KEY);
        check(&line, &seal_part(&part, name, SPACE, key, &one, &mut dice)?);
    }
    Ok(())
}

#[test]
fn the_bytes_of_a_blob_stay() -> Tested {
    let (one, (part, text)) = (maker()?, blob());
    let old = pinned("blob").ok_or("it is pinned")?;
    let long = u32::try_from(text.len())?;
    let read = open_blob(&old, (part, long), SPACE, &KEY, &one.public().signing);
    assert_eq!(read.as_ref(), Ok(&text));
    let key = (EPOCH, &KEY);
    check(
        "blob",
        &seal_blob(&text, part, SPACE, key, &one, &mut Dice(4))?,
    );
    Ok(())
}

/// Presence is sealed by an engine, so a whole space stands here: its founding, the keys of its founder and of a second device,
/// and what the founder has open, as the second one reads it.
#[tokio::test]
async fn the_bytes_of_presence_and_of_roster_and_keys_stay() -> Tested {
    let home = scratch()?;
    let folder = |name: &str| home.path().join(name);
    let open = |name, seed| Store::open(&folder(name), || NOW, seed, Options::default());
    let (a, b) = (open("here", || [1; 32])?, open("there", || [2; 32])?);
    let root = folder("bag");
    let bag = DirectoryRemote::create(&root)?;
    let mut dice = Dice(5);
    let mut one = init(&folder("here/sync"), &a, &bag, NOW, &mut dice).await?;
    for kind in [ObjectKind::Roster, ObjectKind::Keyring] {
        let names = bag.objects(kind).await?.names;
        let name = names.first().ok_or("the founder wrote one")?;
        check(&format!("founding-{kind:?}"), &bag.get_object(name).await?);
    }
    let joiner = own_identity(&folder("there/sync"), &b, &mut dice)?;
    one.welcome(joiner.public(), &a, &bag, NOW, &mut dice)
        .await?;
    let tickets = [1, 2].map(|byte| (TicketId(EntityId::from_bytes([byte; 16])), NOW));
    let said = one.say_presence(&bag, (NOW, "mira", &tickets), &mut dice);
    assert!(said.await?, "a folder keeps it");
    let path = root.join("presence").join(a.device().to_string());
    check("presence", &std::fs::read(&path)?);

    std::fs::write(&path, pinned("presence").ok_or("it is pinned")?)?;
    let mut two = SyncEngine::open(&folder("there/sync"), one.space(), &b).await?;
    two.round(&b, &bag, NOW, &mut dice).await;
    let presence = Presence {
        device: a.device(),
        at: NOW,
        who: "mira".to_owned(),
        tickets: tickets.to_vec(),
    };
    assert_eq!(two.others_present(&bag, NOW).await?, Some(vec![presence]));
    // A device that is sent away, as statements say it, with what of it stays valid.
    let keeps = vec![[9; 16], [8; 16]];
    let claim = Claim::Retired {
        device: OTHER,
        last: 77,
        keeps,
    };
    let statement = Statement::sign(Some(SPACE), NOW, claim, &maker()?);
    check("retirement", statement.bytes());
    let old = pinned("retirement").ok_or("it is pinned")?;
    assert_eq!(Statement::read(&old).as_ref(), Some(&statement));
    Ok(())
}

/// Each piece of damage is done on top of those before it, and what is found is always the damage that is looked for first.
#[test]
fn what_is_wrong_is_named_in_this_order() -> Tested {
    let (one, two) = (
        maker()?.public().signing,
        Identity::generate(OTHER, &mut Dice(6))?,
    );
    let (two, other) = (two.public().signing, EntityId::from_bytes([8; 16]));
    let key = [6; 32];
    let spoil = |bytes: &mut Vec<u8>, at: usize, with: &[u8]| {
        if let Some(place) = bytes.get_mut(at..at + with.len()) {
            place.copy_from_slice(with);
        }
    };
    // At the place of the length of the text, of the version and of the magic.
    let spoils = |bytes: &[u8], plain: usize| {
        [(plain, &[0xff; 4][..]), (4, &[2]), (0, b"QDro")]
            .iter()
            .scan(bytes.to_vec(), |bytes, (at, with)| {
                spoil(bytes, *at, with);
                Some(bytes.clone())
            })
            .collect::<Vec<_>>()
    };
    let newer = "a newer program wrote it; update this one";
    let damaged = "its header is damaged";

    let sealed = pinned("segment").ok_or("it is pinned")?;
    let header = Header::read(&sealed)?;
    assert!(!header.check(&two));
    let opened = header.open(&key);
    assert_eq!(opened, Err("it does not open with its key"));
    let words = [damaged, newer, "it is no segment"];
    for (bytes, why) in spoils(&sealed, 97).iter().zip(words) {
        assert_eq!(Header::read(bytes).map(|_| ()), Err(why));
    }
    let long = vec![0; SEGMENT_MAX + 1];
    assert_eq!(Header::read(&long).map(|_| ()), Err("it is too long"));

    let sealed = pinned("excerpt-1").ok_or("it is pinned")?;
    let ((name, _), (renamed, _)) = (excerpt(1), excerpt(2));
    for (name, space, key, signing, why) in [
        (name, SPACE, key, one, "it does not open with its key"),
        (name, SPACE, key, two, "its signature is wrong"),
        (
            renamed,
            SPACE,
            key,
            two,
            "it is another part under this name",
        ),
        (renamed, other, key, two, "it belongs to another space"),
    ] {
        let read = open_part(&sealed, name, space, &key, &signing);
        assert_eq!(read, Err(why));
    }
    let words = [damaged, newer, "it is no excerpt"];
    for (bytes, why) in spoils(&sealed, 61).iter().zip(words) {
        assert_eq!(open_part(bytes, renamed, other, &key, &two), Err(why));
    }

    let sealed = pinned("blob").ok_or("it is pinned")?;
    let (part, text) = blob();
    let long = u32::try_from(text.len())?;
    let moved = BlobPart { part: 1, ..part };
    for (part, long, space, key, signing, why) in [
        (part, long, SPACE, key, one, "it does not open with its key"),
        (
            part,
            long,
            SPACE,
            key,
            two,
            "its signature is not its device's",
        ),
        (
            part,
            long + 1,
            SPACE,
            key,
            two,
            "it is not as long as the log says",
        ),
        (
            moved,
            long + 1,
            SPACE,
            key,
            two,
            "it is another part, or of another recording",
        ),
        (
            moved,
            long + 1,
            other,
            key,
            two,
            "it belongs to another space",
        ),
    ] {
        let read = open_blob(&sealed, (part, long), space, &key, &signing);
        assert_eq!(read, Err(why));
    }
    let words = [damaged, newer, "it is no part of a recording"];
    for (bytes, why) in spoils(&sealed, 73).iter().zip(words) {
        let read = open_blob(bytes, (moved, long + 1), other, &key, &two);
        assert_eq!(read, Err(why));
    }
    let read = open_blob(&vec![0; OBJECT_MAX + 1], (part, 1), other, &key, &two);
    assert_eq!(read, Err("it is too long"));
    Ok(())
}
