//! A hub that lies, members that cheat, and bytes that are none of ours: found, named, and the rest goes on.

use std::error::Error;
use std::sync::PoisonError;

use proptest::prelude::*;

use super::super::*;
use super::Fault;
use super::world::*;
use crate::domain::ids::{DeviceId, EntityId};
use crate::domain::op::{Draft, Entity, EntityKind, Hlc, Value};
use crate::domain::time::Time;
use crate::store::Logged;

type Tested = Result<(), Box<dyn Error>>;

pub(super) const NOW: Time = Time(1_795_428_000_000);

pub(super) fn identity(number: u64) -> Result<Identity, SyncError> {
    let device = DeviceId(EntityId::derived("device", &number.to_string()));
    Identity::generate(device, &mut Dice(number))
}

pub(super) fn ops(device: DeviceId, bodies: &[&[u8]]) -> Vec<Logged> {
    bodies
        .iter()
        .zip(1..)
        .map(|(body, seq)| Logged {
            device,
            seq,
            hlc: Hlc(seq << 16),
            body: body.to_vec(),
        })
        .collect()
}

pub(super) const SPACE: EntityId = EntityId::from_bytes([7; 16]);
pub(super) const KEY: [u8; 32] = [5; 32];
pub(super) const EPOCH: Epoch = Epoch {
    number: 1,
    key: [3; 8],
};

pub(super) fn sealed(
    identity: &Identity,
    bodies: &[&[u8]],
    dice: &mut Dice,
) -> Result<(Segment, Vec<u8>), SyncError> {
    let segment = Segment {
        before: [0; 32],
        ops: ops(identity.device(), bodies),
    };
    let bytes = seal(&segment, SPACE, EPOCH, &KEY, identity, dice)?;
    Ok((segment, bytes))
}

/// As the engine does: header, signature, key, text.
fn opened(bytes: &[u8], author: &Public) -> Option<Segment> {
    let header = Header::read(bytes).ok()?;
    let named = header.space == SPACE && header.device == author.device && header.epoch == EPOCH;
    let signed = header.check(&author.signing);
    (named && signed).then(|| header.open(&KEY).ok()).flatten()
}

#[test]
fn every_flipped_bit_of_a_segment_is_found() -> Tested {
    let one = identity(1)?;
    let (segment, bytes) = sealed(
        &one,
        &[b"\xa1dkinddbond", b"", b"not even a map"],
        &mut Dice(9),
    )?;
    assert_eq!(
        opened(&bytes, &one.public()),
        Some(segment),
        "unknown kinds come out byte for byte"
    );
    for bit in 0..bytes.len() * 8 {
        let mut bad = bytes.clone();
        if let Some(byte) = bad.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
        assert_eq!(opened(&bad, &one.public()), None, "bit {bit}");
    }
    for length in 0..bytes.len() {
        assert_eq!(
            opened(bytes.get(..length).unwrap_or_default(), &one.public()),
            None
        );
    }
    let two = identity(2)?;
    assert_eq!(
        opened(
            &bytes,
            &Public {
                device: one.device(),
                ..two.public()
            }
        ),
        None,
        "another signature"
    );
    Ok(())
}

/// The form is for ever: these are its first bytes, and its length adds up.
#[test]
fn the_form_of_a_segment_is_for_ever() -> Tested {
    let one = identity(1)?;
    let (_, bytes) = sealed(&one, &[b"\xa0"], &mut Dice(9))?;
    let mut head = b"QDsg\x01".to_vec();
    head.extend([7; 16]);
    head.extend([0, 0, 0, 1, 3, 3, 3, 3, 3, 3, 3, 3]);
    head.extend(one.device().0.as_bytes());
    head.extend([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
    head.extend([0; 32]);
    // {"ops": [[65536, h'a0']]} is 14 bytes.
    head.extend([0, 0, 0, 14]);
    assert_eq!(bytes.get(..head.len()), Some(head.as_slice()));
    assert_eq!(head.len() + 24, 125);
    Ok(())
}

#[test]
fn a_member_cannot_pass_on_what_another_sealed_as_its_own() -> Tested {
    let (one, two) = (identity(1)?, identity(2)?);
    let (_, bytes) = sealed(&one, &[b"\xa0"], &mut Dice(9))?;
    // The same text under a header that names the second device, signed by it.
    let mut forged = bytes.get(..bytes.len() - 64).unwrap_or_default().to_vec();
    if let Some(place) = forged.get_mut(33..49) {
        place.copy_from_slice(two.device().0.as_bytes());
    }
    let signature = two.sign("quarterdeck sync segment 1", &forged);
    forged.extend_from_slice(&signature);
    let header = Header::read(&forged)?;
    assert!(header.check(&two.public().signing), "signed it is");
    assert!(
        header.open(&KEY).is_err(),
        "but the text is bound to its header"
    );
    Ok(())
}

#[test]
fn no_nonce_is_used_twice() -> Tested {
    let one = identity(1)?;
    let mut dice = Dice(1);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..200 {
        let (_, bytes) = sealed(&one, &[b"\xa0"], &mut dice)?;
        assert!(seen.insert(bytes.get(101..125).unwrap_or_default().to_vec()));
    }
    Ok(())
}

#[test]
fn a_bomb_is_not_unpacked() -> Tested {
    let one = identity(1)?;
    let big = vec![0; PLAIN_MAX + 1];
    assert!(sealed(&one, &[&big], &mut Dice(1)).is_err(), "nor made");
    let (_, mut bytes) = sealed(&one, &[&vec![0; 1 << 20]], &mut Dice(1))?;
    assert!(bytes.len() < 2000, "it packs well");
    if let Some(place) = bytes.get_mut(97..101) {
        place.copy_from_slice(&u32::MAX.to_be_bytes());
    }
    assert!(Header::read(&bytes).is_err());
    Ok(())
}

proptest! {
    #[test]
    fn nonsense_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..400), head in 0..7usize) {
        let heads: [&[u8]; 7] = [
            b"", b"QDsg\x01", b"QDro\x01", b"QDkr\x01", b"QDpa\x01", b"QDhx\x01", b"QDbl\x01",
        ];
        let mut input = heads.get(head).copied().unwrap_or_default().to_vec();
        input.extend(bytes);
        if let Ok(header) = Header::read(&input) {
            prop_assert!(header.open(&KEY).is_err());
        }
        drop(Statement::read(&input));
        let one = identity(1).map_err(|why| TestCaseError::fail(why.to_string()))?;
        let (ring, _) = Ring::of(SPACE, [input.as_slice()], &Roster::default(), &one);
        prop_assert_eq!(ring.keys().count(), 0);
        // Under the names that they give themselves, so that the signature is reached.
        let at = |from: usize| input.get(from..).unwrap_or_default();
        let id = |from| at(from).first_chunk().map_or(SPACE, |bytes| EntityId::from_bytes(*bytes));
        let short = |from| at(from).first_chunk().map_or(0, |bytes| u16::from_be_bytes(*bytes));
        let word = |from| at(from).first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
        let (space, maker, signing) = (id(5), DeviceId(id(33)), one.public().signing);
        let seen = at(49).first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let name = PartName { seen, maker, part: short(57), parts: short(59) };
        prop_assert!(open_part(&input, name, space, &KEY, &signing).is_err());
        let part = BlobPart { maker, id: id(49), part: word(65), parts: word(69) };
        prop_assert!(open_blob(&input, (part, word(73)), space, &KEY, &signing).is_err());
    }

    #[test]
    fn operations_come_out_as_they_went_in(bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..20)) {
        let fail = |why: SyncError| TestCaseError::fail(why.to_string());
        let one = identity(1).map_err(fail)?;
        let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
        let (segment, bytes) = sealed(&one, &bodies, &mut Dice(3)).map_err(fail)?;
        prop_assert_eq!(opened(&bytes, &one.public()), Some(segment));
    }
}

#[test]
fn a_code_lets_one_device_in_and_no_go_between() -> Tested {
    let (inside, outside) = (identity(1)?, identity(2)?);
    let mut dice = Dice(4);
    let joiner = Joiner::start(&outside, NOW, &mut dice)?;
    let typed =
        Code::parse(&joiner.code().to_string().to_lowercase().replace('-', " ")).ok_or("a code")?;
    let reply = answer(&typed, joiner.request(), SPACE, &inside, NOW, &mut dice)?;
    assert_eq!(reply.joiner, outside.public());
    let admission = joiner.hear(&reply.answer, NOW.plus(60_000))?;
    assert_eq!(
        admission,
        Admission {
            space: SPACE,
            by: inside.public(),
            // By it the other side knows that nobody else made the request.
            proof: reply.proof,
        }
    );

    // Another code, a changed request, a changed answer, a late one.
    type Twist = fn(&mut Vec<u8>, &mut Vec<u8>, &mut String, &mut i64);
    let twists: [Twist; 5] = [
        |_, _, code, _| *code = format!("{}0000-0000", code.get(..5).unwrap_or_default()),
        |request, _, _, _| request.get_mut(40).into_iter().for_each(|byte| *byte ^= 1),
        |_, answer, _, _| answer.get_mut(80).into_iter().for_each(|byte| *byte ^= 1),
        |_, _, _, late| *late = CODE_LIFE_MS,
        |_, _, _, late| *late = -1,
    ];
    for (number, twist) in twists.iter().enumerate() {
        let joiner = Joiner::start(&outside, NOW, &mut dice)?;
        let (mut request, mut nothing, mut code, mut late) = (
            joiner.request().to_vec(),
            vec![0; 200],
            joiner.code().to_string(),
            0,
        );
        twist(&mut request, &mut nothing, &mut code, &mut late);
        let code = Code::parse(&code).ok_or("a code")?;
        let mut reply = super::super::answer(&code, &request, SPACE, &inside, NOW, &mut dice)?;
        twist(
            &mut request,
            &mut reply.answer,
            &mut String::new(),
            &mut late,
        );
        assert!(
            joiner.hear(&reply.answer, NOW.plus(late)).is_err(),
            "twist {number}"
        );
    }
    for text in ["", "7K3F", "7K3F-9QXA-2M0U", "7K3F-9QXA-2M0D-1"] {
        assert_eq!(Code::parse(text), None, "{text}");
    }
    assert_eq!(
        Code::parse("ilo0-0000-0000").map(|code| code.to_string()),
        Some("1100-0000-0000".to_owned())
    );
    Ok(())
}

#[test]
fn the_roster_is_what_all_statements_say_in_any_order() -> Tested {
    let (founder, two, three, four) = (identity(1)?, identity(2)?, identity(3)?, identity(4)?);
    let founded = Statement::sign(None, NOW, Claim::Founded(founder.public()), &founder);
    let space = EntityId::from_bytes(founded.hash());
    let say = |claim, by: &Identity| Statement::sign(Some(space), NOW, claim, by);
    let second = say(Claim::Added(two.public()), &founder);
    let third = say(Claim::Added(three.public()), &two);
    let gone = say(
        Claim::Retired {
            device: two.device(),
            last: 9,
            keeps: vec![third.hash()],
        },
        &founder,
    );
    let higher = say(
        Claim::Retired {
            device: two.device(),
            last: 12,
            keeps: vec![],
        },
        &three,
    );
    // After its retirement, and unknown to whoever retired it.
    let late = say(Claim::Added(four.public()), &two);
    let revenge = say(
        Claim::Retired {
            device: founder.device(),
            last: 0,
            keeps: vec![],
        },
        &two,
    );
    let mut all = vec![founded, second, third, gone, higher, late, revenge];
    let (roster, _) = Roster::of(space, &all);
    for _ in 0..all.len() {
        all.rotate_left(1);
        assert_eq!(Roster::of(space, &all).0, roster);
    }
    let last = |one: &Identity| {
        roster
            .member(one.device())
            .map(|member| member.retired.as_ref().map(|retired| retired.last))
    };
    assert_eq!(
        last(&two),
        Some(Some(12)),
        "what anybody has taken in counts"
    );
    assert_eq!(
        (last(&three), last(&founder), last(&four)),
        (Some(None), Some(None), None)
    );
    for statement in &all {
        assert_eq!(Statement::read(statement.bytes()).as_ref(), Some(statement));
        let mut bad = statement.bytes().to_vec();
        if let Some(byte) = bad.get_mut(60) {
            *byte ^= 1;
        }
        let forged = Statement::read(&bad).ok_or("its form is right")?;
        let (_, worthless) = Roster::of(space, &[all.clone(), vec![forged.clone()]].concat());
        assert!(worthless.contains(&forged.hash()));
    }
    Ok(())
}

#[test]
fn keys_fit_their_fingerprints_and_only_members_hold_the_newest() -> Tested {
    let (founder, two) = (identity(1)?, identity(2)?);
    let founded = Statement::sign(None, NOW, Claim::Founded(founder.public()), &founder);
    let space = EntityId::from_bytes(founded.hash());
    let added = Statement::sign(Some(space), NOW, Claim::Added(two.public()), &founder);
    let mut statements = vec![founded, added];
    let (roster, _) = Roster::of(space, &statements);
    let mut dice = Dice(8);
    let good = super::super::keyring::epoch(1, &KEY);
    let object = wrap(
        space,
        [(good, &KEY)],
        &[founder.public(), two.public()],
        &founder,
        &mut dice,
    )?;
    let wrong = wrap(
        space,
        [(
            Epoch {
                number: 2,
                key: [0; 8],
            },
            &KEY,
        )],
        &[two.public()],
        &founder,
        &mut dice,
    )?;
    let stranger = wrap(
        space,
        [(good, &KEY)],
        &[two.public()],
        &identity(9)?,
        &mut dice,
    )?;
    let all = [object.as_slice(), &wrong, &stranger];
    let (ring, bad) = Ring::of(space, all, &roster, &two);
    assert_eq!(ring.current(&roster), Some((good, &KEY)));
    assert_eq!(bad.len(), 2, "{bad:?}");
    for bit in 0..object.len() * 8 {
        let mut bad = object.clone();
        if let Some(byte) = bad.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
        assert_eq!(
            Ring::of(space, [bad.as_slice()], &roster, &two)
                .0
                .keys()
                .count(),
            0,
            "bit {bit}"
        );
    }
    // Once the second is retired, the key that it holds is not sealed with any more.
    let gone = Claim::Retired {
        device: two.device(),
        last: 0,
        keeps: vec![],
    };
    statements.push(Statement::sign(Some(space), NOW, gone, &founder));
    let (roster, _) = Roster::of(space, &statements);
    let (ring, _) = Ring::of(space, [object.as_slice()], &roster, &founder);
    assert!(ring.current(&roster).is_none() && ring.key(good).is_some());
    Ok(())
}

/// Three machines in one space.
pub(super) struct Trio {
    folder: tempfile::TempDir,
    bag: DirectoryRemote,
    machines: Vec<Machine>,
    dice: Dice,
}

impl Trio {
    pub(super) async fn new(fault: Option<Fault>) -> Found<Self> {
        let (folder, mut dice) = (scratch()?, Dice(77));
        let bag = DirectoryRemote::create(&folder.path().join("bag")).map_err(words)?;
        let mut machines = Vec::new();
        for slot in 0..3 {
            let machine = Machine::new(slot, folder.path().join(slot.to_string()))?;
            machine.set_clock(NOW.0);
            machines.push(machine);
        }
        let store = machines.first().ok_or("machines")?.store()?.clone();
        let keys = machines.first().ok_or("machines")?.keys();
        let mut engine = init(&keys, &store, &bag, NOW, &mut dice)
            .await
            .map_err(words)?;
        for machine in machines.iter_mut().skip(1) {
            let other =
                own_identity(&machine.keys(), machine.store()?, &mut dice).map_err(words)?;
            engine
                .welcome(other.public(), &store, &bag, NOW, &mut dice)
                .await
                .map_err(words)?;
        }
        for machine in &mut machines {
            machine.open_engine(engine.space(), fault).await?;
        }
        Ok(Self {
            folder,
            bag,
            machines,
            dice,
        })
    }

    pub(super) const fn bag(&self) -> &DirectoryRemote {
        &self.bag
    }

    pub(super) fn at(&mut self, at: usize) -> Found<&mut Machine> {
        self.machines
            .get_mut(at)
            .ok_or_else(|| "no such machine".to_owned())
    }

    pub(super) fn say(&mut self, at: usize, text: &str) -> Found<()> {
        let entity = Entity {
            kind: EntityKind::Ticket,
            id: EntityId::derived("ticket", "one"),
        };
        let draft = Draft::Set {
            entity,
            field: text.to_owned(),
            value: Value::from(text),
        };
        self.at(at)?
            .store()?
            .append_wait(vec![draft].into())
            .map(drop)
            .map_err(words)
    }

    pub(super) async fn round(&mut self, at: usize) -> Found<Report> {
        let (bag, mut dice) = (self.bag.clone(), self.dice.clone());
        let report = self.at(at)?.round(&bag, &mut dice).await;
        self.dice = dice;
        report
    }

    pub(super) fn device(&mut self, at: usize) -> Found<DeviceId> {
        Ok(self.at(at)?.store()?.device())
    }

    pub(super) fn segment(&mut self, at: usize, file: &str) -> Found<std::path::PathBuf> {
        let device = self.device(at)?.to_string();
        Ok(self
            .folder
            .path()
            .join("bag")
            .join(LOGS)
            .join(device)
            .join(file))
    }
}

pub(super) fn block<T>(work: impl Future<Output = Found<T>>) -> Found<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(words)?;
    runtime.block_on(work)
}

/// The second machine's segment is damaged; the third must still get what the first wrote.
async fn damaged(fault: Option<Fault>) -> Found<Report> {
    let mut trio = Trio::new(fault).await?;
    // Whichever log comes first in order is the damaged one.
    let (bad, good) = if trio.device(0)? < trio.device(1)? {
        (0, 1)
    } else {
        (1, 0)
    };
    for at in [0, 1] {
        trio.say(at, "said")?;
        trio.round(at).await?;
    }
    let file = trio.segment(bad, "1.seg")?;
    let mut bytes = std::fs::read(&file).map_err(words)?;
    if let Some(byte) = bytes.last_mut() {
        *byte ^= 1;
    }
    std::fs::write(&file, bytes).map_err(words)?;
    std::fs::write(trio.segment(good, "1.seg.sync-conflict")?, "x").map_err(words)?;
    trio.round(2).await
}

#[test]
fn a_damaged_log_is_named_and_the_others_go_on() -> Tested {
    let _alone = ONE_WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    let report = block(damaged(None))?;
    assert!(
        matches!(report.troubles.as_slice(), [Trouble::BadSegment { why, .. }] if why.contains("signature")),
        "{report:?}"
    );
    assert!(report.learned > 0 && report.error.is_none(), "{report:?}");
    let ignored = block(damaged(Some(Fault::SignatureIgnored)))?;
    assert!(
        ignored.troubles.is_empty(),
        "the fault is found: {ignored:?}"
    );
    let stopped = block(damaged(Some(Fault::TroubleStopsAll)))?;
    assert!(
        stopped.learned < report.learned,
        "the fault is found: {stopped:?}"
    );
    Ok(())
}

/// The second machine is retired and goes on writing on its own.
async fn retired(fault: Option<Fault>) -> Found<(Report, Report, bool)> {
    let mut trio = Trio::new(fault).await?;
    for at in [1, 0] {
        trio.say(at, "before")?;
        trio.round(at).await?;
    }
    // It writes on and publishes before it hears of it.
    trio.say(1, "after")?;
    let gone = trio.device(1)?;
    trio.round(1).await?;
    let (bag, mut dice) = (trio.bag.clone(), Dice(5));
    let first = trio.at(0)?;
    let store = first.store()?.clone();
    let engine = first.engine.as_mut().ok_or("an engine")?;
    engine
        .retire(gone, &store, &bag, NOW, &mut dice)
        .await
        .map_err(words)?;
    let (newest, _) = engine.ring().current(engine.roster()).ok_or("a key")?;
    trio.round(0).await?;
    let third = trio.round(2).await?;
    let own = trio.round(1).await?;
    let locked_out = trio
        .at(1)?
        .engine
        .as_ref()
        .ok_or("an engine")?
        .ring()
        .key(newest)
        .is_none();
    Ok((third, own, locked_out))
}

#[test]
fn a_retired_device_is_heard_up_to_its_end_and_gets_no_new_key() -> Tested {
    let _alone = ONE_WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    let (third, own, locked_out) = block(retired(None))?;
    assert!(
        matches!(
            third.troubles.as_slice(),
            [Trouble::RetiredWrites { last: 1, .. }]
        ),
        "{third:?}"
    );
    assert!(
        own.troubles.contains(&Trouble::Retired) && locked_out,
        "{own:?}"
    );
    let (third, _, _) = block(retired(Some(Fault::RetiredAccepted)))?;
    assert!(third.troubles.is_empty(), "the fault is found: {third:?}");
    Ok(())
}

#[test]
fn a_remote_that_loses_and_withholds_is_found() -> Tested {
    let _alone = ONE_WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    block(async {
        let mut trio = Trio::new(None).await?;
        for text in ["one", "two", "three"] {
            trio.say(1, text)?;
            trio.round(1).await?;
        }
        let device = trio.device(1)?;
        trio.round(0).await?;
        // The hub goes back to the first segment: head and files.
        let heads = trio.folder.path().join("bag").join(HEADS);
        let head = |seq| heads.join(Head { device, seq }.file());
        for at in ["2.seg", "3.seg"] {
            std::fs::remove_file(trio.segment(1, at)?).map_err(words)?;
        }
        std::fs::rename(head(3), head(1)).map_err(words)?;
        let report = trio.round(0).await?;
        let lost = Trouble::RemoteLost {
            device,
            seen: 3,
            now: 1,
        };
        assert!(report.troubles.contains(&lost), "{report:?}");
        // Its author sends it again, and everybody is at peace.
        assert_eq!(trio.round(1).await?.published, 2);
        assert!(trio.round(0).await?.troubles.is_empty());
        let third = trio.round(2).await?;
        assert!(third.troubles.is_empty() && third.learned >= 3, "{third:?}");
        // A head without its segment.
        std::fs::rename(head(3), head(9)).map_err(words)?;
        let report = trio.round(2).await?;
        assert!(
            matches!(
                report.troubles.as_slice(),
                [Trouble::Withheld {
                    head: 9,
                    have: 3,
                    ..
                }]
            ),
            "{report:?}"
        );
        // And one that was never admitted.
        let stranger = Head {
            device: DeviceId(EntityId::from_bytes([1; 16])),
            seq: 4,
        };
        std::fs::write(heads.join(stranger.file()), "").map_err(words)?;
        std::fs::write(heads.join("desktop.ini"), "").map_err(words)?;
        let report = trio.round(2).await?;
        assert!(
            report.troubles.contains(&Trouble::UnknownDevice {
                device: stranger.device
            }),
            "{report:?}"
        );
        assert!(
            report.troubles.contains(&Trouble::Strange {
                name: "heads/desktop.ini".to_owned()
            }),
            "{report:?}"
        );
        Ok(())
    })?;
    Ok(())
}
