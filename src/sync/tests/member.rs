//! What a member may put into what it seals and signs: any text at all. Everything that is read after opening is fed with
//! spoiled texts here: nothing panics, two machines fold the same, whoever wrote it is named, and the others go on.

use std::error::Error;
use std::sync::PoisonError;

use super::super::frame::{Form, pack};
use super::super::keyring;
use super::super::*;
use super::hostile::{EPOCH, KEY, NOW, SPACE, Trio, block, identity, ops, sealed};
use super::world::*;
use crate::domain::ids::{DeviceId, EntityId};
use crate::domain::op::{Hlc, Op};
use crate::domain::session::PART_MAX as BLOB_MAX;
use crate::store::{Logged, dump};

type Tested = Result<(), Box<dyn Error>>;

/// A sealed form: how many bytes its own fields have, whether its text is packed, and how often its header lies as well.
#[derive(Clone, Copy)]
struct Sealed {
    form: Form,
    own: usize,
    packed: bool,
    lies: Option<usize>,
}

const SEGMENT: Sealed = Sealed {
    form: Form {
        magic: b"QDsg",
        label: "quarterdeck sync segment 1",
    },
    own: 52,
    packed: true,
    lies: Some(8),
};
const SEGMENT_TRUE: Sealed = Sealed {
    lies: None,
    ..SEGMENT
};
const EXCERPT: Sealed = Sealed {
    form: Form {
        magic: b"QDhx",
        label: "quarterdeck sync excerpt 1",
    },
    own: 16,
    packed: true,
    lies: Some(8),
};
const BLOB: Sealed = Sealed {
    form: Form {
        magic: b"QDbl",
        label: "quarterdeck sync blob 1",
    },
    own: 28,
    packed: true,
    lies: Some(8),
};
const PRESENCE: Sealed = Sealed {
    form: Form {
        magic: b"QDpr",
        label: "quarterdeck sync presence 1",
    },
    own: 8,
    packed: false,
    lies: Some(8),
};
const ROSTER: Form = Form {
    magic: b"QDro",
    label: "quarterdeck sync roster 1",
};
const KEYRING: Form = Form {
    magic: b"QDkr",
    label: "quarterdeck sync keyring 1",
};

/// Pieces of CBOR that promise what does not follow, or what nobody expects there.
const TRAPS: [&[u8]; 16] = [
    b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x7b\x7f\xff\xff\xff\xff\xff\xff\xff",
    b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x3b\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xfb\x7f\xf0\0\0\0\0\0\0",
    b"\x9f",
    b"\xbf",
    b"\x5f",
    b"\xff",
    b"\xc0",
    b"\xf7",
    b"\x80",
    b"\xa0",
    &[0x81; 3000],
];

/// `text` with one to four faults.
pub(super) fn spoiled(text: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut out = text.to_vec();
    for _ in 0..1 + dice.below(4) {
        let at = dice.below(out.len() + 1);
        let end = (at + 1 + dice.below(9)).min(out.len());
        let trap = TRAPS.get(dice.below(TRAPS.len())).copied();
        match dice.below(7) {
            0 => out
                .get_mut(at)
                .into_iter()
                .for_each(|byte| *byte ^= 1 << dice.below(8)),
            1 => out
                .get_mut(at)
                .into_iter()
                .for_each(|byte| *byte = dice.roll() as u8),
            2 => out.truncate(at),
            3 => drop(out.splice(at..at, trap.unwrap_or_default().iter().copied())),
            4 => drop(out.splice(at..end.max(at), trap.unwrap_or_default().iter().copied())),
            5 => drop(out.drain(at..end.max(at))),
            _ => {
                let piece = out.get(at..end).unwrap_or_default().to_vec();
                drop(out.splice(at..at, piece));
            }
        }
    }
    out
}

/// A sealed thing as its author could have made it with another text: sealed with the key, signed, and as long as it says.
fn resealed(
    what: Sealed,
    sealed: &[u8],
    (key, identity): (&[u8; 32], &Identity),
    dice: &mut Dice,
    change: impl FnOnce(&[u8], &mut Dice) -> Vec<u8>,
) -> Found<Vec<u8>> {
    let (frame, own) = what
        .form
        .read(sealed, "another form", |reader| reader.take(what.own))?;
    let mut own = own.to_vec();
    let plain = own
        .last_chunk::<4>()
        .map_or(0, |bytes| u32::from_be_bytes(*bytes));
    let text = if what.packed {
        frame.unpack(key, plain, PLAIN_MAX)?
    } else {
        frame.open(key).ok_or("it does not open")?
    };
    let mut text = change(&text, dice);
    if what.packed {
        let count = u32::try_from(text.len()).map_err(words)?;
        if let Some(place) = own.last_chunk_mut::<4>() {
            *place = count.to_be_bytes();
        }
        text = pack(&text, 3).map_err(words)?;
    }
    if what.lies.is_some_and(|often| dice.once_in(often)) {
        let at = dice.below(own.len());
        own.get_mut(at)
            .into_iter()
            .for_each(|byte| *byte ^= 1 << dice.below(8));
    }
    what.form
        .seal(frame.origin, &own, &text, key, identity, dice)
        .map_err(words)
}

/// Operations of each kind, for texts to begin with.
fn bodies(dice: &mut Dice) -> Vec<Vec<u8>> {
    let mut forge = super::forge::Forge::new(dice.clone(), vec![]);
    let bodies = (0..6).map(|_| forge.body()).collect();
    *dice = forge.dice;
    bodies
}

#[test]
fn segments_of_any_text_are_read_within_bounds() -> Tested {
    let one = identity(1)?;
    let (mut dice, mut read) = (Dice(11), 0);
    for turn in 0..1500 {
        let bodies = bodies(&mut dice);
        let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
        let (_, bytes) = sealed(&one, &bodies, &mut dice)?;
        let forged = resealed(SEGMENT, &bytes, (&KEY, &one), &mut dice, spoiled)?;
        let Ok(header) = Header::read(&forged) else {
            continue;
        };
        assert!(header.check(&one.public().signing), "turn {turn}");
        let Ok(segment) = header.open(&KEY) else {
            continue;
        };
        read += 1;
        let numbers = (header.first..=header.last).eq(segment.ops.iter().map(|op| op.seq));
        assert!(numbers, "turn {turn}");
        for op in &segment.ops {
            assert_eq!(op.device, one.device(), "turn {turn}");
            drop(Op::decode(&op.body));
        }
    }
    assert!(read > 100, "only {read} were still segments");
    Ok(())
}

#[test]
fn excerpts_of_any_text_vouch_for_what_they_hold() -> Tested {
    let (one, two) = (identity(1)?, identity(2)?);
    let (mut dice, mut read) = (Dice(12), 0);
    for turn in 0..1000 {
        let bodies = bodies(&mut dice);
        let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
        let part = Part {
            logs: vec![(one.device(), 4), (two.device(), 6)],
            ops: ops(two.device(), &bodies),
        };
        let name = PartName {
            seen: 10,
            maker: one.device(),
            part: 1,
            parts: 2,
        };
        let bytes = seal_part(&part, name, SPACE, (EPOCH, &KEY), &one, &mut dice)?;
        let forged = resealed(EXCERPT, &bytes, (&KEY, &one), &mut dice, spoiled)?;
        let Ok(part) = open_part(&forged, name, SPACE, &KEY, &one.public().signing) else {
            continue;
        };
        read += 1;
        for op in &part.ops {
            let vouched =
                |(device, last): &(DeviceId, u64)| *device == op.device && op.seq <= *last;
            assert!(part.logs.iter().any(vouched), "turn {turn}");
            assert!(op.seq > 0, "turn {turn}");
        }
    }
    assert!(read > 50, "only {read} were still excerpts");
    Ok(())
}

#[test]
fn blobs_of_any_text_are_as_long_as_the_log_says() -> Tested {
    let one = identity(1)?;
    let (mut dice, mut read) = (Dice(13), 0);
    for turn in 0..500 {
        let text: Vec<u8> = (0..dice.below(300)).map(|_| dice.roll() as u8).collect();
        let plain = u32::try_from(text.len())?;
        let part = BlobPart {
            maker: one.device(),
            id: EntityId::derived("blob", "one"),
            part: 2,
            parts: 3,
        };
        let bytes = seal_blob(&text, part, SPACE, (EPOCH, &KEY), &one, &mut dice)?;
        let forged = resealed(BLOB, &bytes, (&KEY, &one), &mut dice, spoiled)?;
        let signing = one.public().signing;
        if let Ok(text) = open_blob(&forged, (part, plain), SPACE, &KEY, &signing) {
            read += 1;
            assert_eq!(text.len(), usize::try_from(plain)?, "turn {turn}");
        }
        assert!(open_blob(&forged, (part, BLOB_MAX), SPACE, &KEY, &signing).is_err());
    }
    assert!(read > 20, "only {read} were still blobs");
    Ok(())
}

/// `body` after the first bytes of `form`, spoiled and signed again.
fn resigned(form: Form, bytes: &[u8], identity: &Identity, dice: &mut Dice) -> Vec<u8> {
    let end = bytes.len().saturating_sub(64);
    let mut out = form.begin();
    let body = bytes.get(out.len()..end).unwrap_or_default();
    out.extend(spoiled(body, dice));
    form.sign(&mut out, identity);
    out
}

#[test]
fn statements_of_any_text_make_one_roster_in_any_order() -> Tested {
    let (founder, two, three) = (identity(1)?, identity(2)?, identity(3)?);
    let founded = Statement::sign(None, NOW, Claim::Founded(founder.public()), &founder);
    let space = EntityId::from_bytes(founded.hash());
    let say = |claim, by: &Identity| Statement::sign(Some(space), NOW, claim, by);
    let added = say(Claim::Added(two.public()), &founder);
    let gone = Claim::Retired {
        device: three.device(),
        last: 7,
        keeps: vec![added.hash()],
    };
    let samples = [
        say(Claim::Added(three.public()), &two),
        say(gone, &two),
        say(Claim::Founded(two.public()), &two),
    ];
    let (mut dice, mut read) = (Dice(14), 0);
    for turn in 0..1000 {
        let sample = samples.get(turn % samples.len()).ok_or("a sample")?;
        let forged = resigned(ROSTER, sample.bytes(), &two, &mut dice);
        let Some(forged) = Statement::read(&forged) else {
            continue;
        };
        read += 1;
        let mut all = vec![founded.clone(), added.clone(), forged];
        let (roster, _) = Roster::of(space, &all);
        for _ in 0..all.len() {
            all.rotate_left(1);
            assert_eq!(Roster::of(space, &all).0, roster, "turn {turn}");
        }
        let first = roster.member(founder.device()).ok_or("the founder")?;
        assert_eq!(first.public, founder.public(), "turn {turn}");
        let inside = |one: &Member| roster.member(one.by).is_some();
        assert!(roster.members().all(inside), "turn {turn}");
    }
    assert!(read > 100, "only {read} were still statements");
    Ok(())
}

#[test]
fn keyrings_of_any_text_take_no_key_away_and_slip_none_in() -> Tested {
    let (founder, two) = (identity(1)?, identity(2)?);
    let founded = Statement::sign(None, NOW, Claim::Founded(founder.public()), &founder);
    let space = EntityId::from_bytes(founded.hash());
    let added = Statement::sign(Some(space), NOW, Claim::Added(two.public()), &founder);
    let (roster, _) = Roster::of(space, &[founded, added]);
    let mut dice = Dice(15);
    let good = keyring::epoch(1, &KEY);
    let to = [founder.public(), two.public()];
    let object = wrap(space, [(good, &KEY)], &to, &founder, &mut dice)?;
    let other = [9; 32];
    let next = keyring::epoch(2, &other);
    let sample = wrap(space, [(good, &KEY), (next, &other)], &to, &two, &mut dice)?;
    for turn in 0..1000 {
        let forged = resigned(KEYRING, &sample, &two, &mut dice);
        for objects in [[&object, &forged], [&forged, &object]] {
            let objects = objects.map(Vec::as_slice);
            let (ring, _) = Ring::of(space, objects, &roster, &founder);
            assert_eq!(ring.key(good), Some(&KEY), "turn {turn}");
            let fits =
                |(epoch, key): (Epoch, &[u8; 32])| keyring::epoch(epoch.number, key) == epoch;
            assert!(ring.keys().all(fits), "turn {turn}");
        }
    }
    Ok(())
}

#[test]
fn presence_of_any_text_hides_nobody_else() -> Tested {
    let _alone = ONE_WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    block(async {
        let mut trio = Trio::new(None).await?;
        let (bag, mut dice) = (trio.bag().clone(), Dice(16));
        for at in 0..3 {
            trio.round(at).await?;
        }
        let ticket = crate::domain::ids::TicketId(EntityId::derived("ticket", "one"));
        for at in [1, 2] {
            let engine = trio.at(at)?.engine.as_ref().ok_or("an engine")?;
            let open = [(ticket, NOW)];
            let said = engine.say_presence(&bag, (NOW, "mira", &open), &mut dice);
            assert!(said.await.map_err(words)?, "it is kept");
        }
        let (liar, honest) = (trio.device(1)?, trio.device(2)?);
        let all = bag.presences().await.map_err(words)?.ok_or("presences")?;
        let sample = all.into_iter().find(|(device, _)| *device == liar);
        let (_, sample) = sample.ok_or("a presence")?;
        let mut read = 0;
        for turn in 0..400 {
            let engine = trio.at(1)?.engine.as_ref().ok_or("an engine")?;
            let (_, key) = engine.ring().current(engine.roster()).ok_or("a key")?;
            let forged = resealed(
                PRESENCE,
                &sample,
                (key, engine.identity()),
                &mut dice,
                spoiled,
            )?;
            // What is too long is passed over by the remote itself.
            if forged.len() > PRESENCE_MAX {
                continue;
            }
            let set = bag.set_presence(liar, Some(forged));
            set.await.map_err(words)?;
            let engine = trio.at(0)?.engine.as_ref().ok_or("an engine")?;
            let seen = engine.others_present(&bag, NOW).await.map_err(words)?;
            let seen = seen.ok_or("presences")?;
            assert!(seen.iter().any(|one| one.device == honest), "turn {turn}");
            for one in seen.iter().filter(|one| one.device == liar) {
                read += 1;
                let bounded = one.tickets.len() <= TICKETS_MAX && one.who.len() < 256;
                assert!(bounded, "turn {turn}");
            }
        }
        assert!(read > 20, "only {read} were still read");
        Ok(())
    })?;
    Ok(())
}

/// The second machine seals operations of its own making as its log, the first of them with the stamp `hlc`, and their text
/// `change`d; what the third machine makes of it.
async fn member_writes(
    seed: u64,
    hlc: Option<Hlc>,
    change: impl FnOnce(&[u8], &mut Dice) -> Vec<u8>,
) -> Found<(Report, Vec<Logged>, DeviceId)> {
    let (mut trio, mut dice) = (Trio::new(None).await?, Dice(seed));
    let bag = trio.bag().clone();
    trio.say(0, "honest")?;
    for at in [0, 1] {
        trio.round(at).await?;
    }
    let engine = trio.at(1)?.engine.as_ref().ok_or("an engine")?;
    let (epoch, key) = engine.ring().current(engine.roster()).ok_or("a key")?;
    let (me, space) = (engine.identity(), engine.space());
    let device = me.device();
    let bodies = bodies(&mut dice);
    let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
    let mut segment = Segment {
        before: [0; 32],
        ops: ops(device, &bodies),
    };
    if let (Some(hlc), Some(op)) = (hlc, segment.ops.first_mut()) {
        op.hlc = hlc;
    }
    let bytes = seal(&segment, space, epoch, key, me, &mut dice).map_err(words)?;
    let forged = resealed(SEGMENT_TRUE, &bytes, (key, me), &mut dice, change)?;
    let name = SegmentName::fresh(device, 1);
    bag.put_new(name, forged).await.map_err(words)?;
    let seq = bodies.len() as u64;
    let head = Head { device, seq };
    bag.set_head(head).await.map_err(words)?;
    let report = trio.round(2).await?;
    if let Some(why) = trio.round(0).await?.error {
        return Err(format!("seed {seed}: the first machine stops: {why}"));
    }
    // What it did not take in before the first machine sent more.
    trio.round(2).await?;
    let third = trio.at(2)?.store()?.clone();
    let learned = super::simulation::logs(&third)?;
    let (first, last) = (trio.at(0)?.folder.clone(), trio.at(2)?.folder.clone());
    if dump(&first).map_err(words)? != dump(&last).map_err(words)? {
        return Err(format!("seed {seed}: two machines differ"));
    }
    Ok((report, learned, device))
}

/// The honest log is there, nothing stopped, and the member is either taken in or named.
fn is_borne(seed: u64, (report, learned, device): (Report, Vec<Logged>, DeviceId)) -> bool {
    assert_eq!(report.error, None, "seed {seed}");
    let others = learned.iter().filter(|op| op.device != device).count();
    assert!(others > 0, "seed {seed}: the honest log waits");
    let named = report.troubles.iter().any(
        |trouble| matches!(trouble, Trouble::BadSegment { name, .. } if name.device == device),
    );
    let taken = learned.iter().any(|op| op.device == device);
    assert!(named != taken, "seed {seed}: {report:?}");
    named
}

#[test]
fn a_member_that_writes_nonsense_is_named_and_the_others_go_on() -> Tested {
    let _alone = ONE_WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    let mut named = 0;
    for seed in 1..=12 {
        named += usize::from(is_borne(seed, block(member_writes(seed, None, spoiled))?));
    }
    assert!((1..12).contains(&named), "both ways are met: {named}");
    Ok(())
}

/// One stamp from the end of time must stop the log that it stands in, and no other.
#[test]
fn a_stamp_that_no_clock_shows_stops_its_own_log_alone() -> Tested {
    let _alone = ONE_WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    for hlc in [Hlc::LIMIT, Hlc(u64::MAX)] {
        let met = block(member_writes(1, Some(hlc), |text, _| text.to_vec()))?;
        assert!(is_borne(1, met), "{hlc:?} was taken in");
    }
    let last = Hlc(Hlc::LIMIT.0 - 1);
    let met = block(member_writes(1, Some(last), |text, _| text.to_vec()))?;
    assert!(!is_borne(1, met), "the last stamp of all still counts");
    Ok(())
}
