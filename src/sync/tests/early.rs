//! A device that joins late: it sees what is hot before it has the logs, ends with the same tables as all others, and finds
//! out when an excerpt does not tell the truth.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::Write;
use std::sync::PoisonError;

use super::super::*;
use super::simulation::{logs, marks};
use super::world::*;
use super::{Fault, model};
use crate::domain::ids::{DeviceId, EntityId};
use crate::domain::op::{Draft, Entity, EntityKind, Value};
use crate::domain::time::Time;
use crate::store::{Answer, Ask, CONTRADICTED, difference, dump, merged};

type Tested = Result<(), Box<dyn Error>>;

const NOW: Time = Time(1_795_428_000_000);

/// How many have been there from the beginning; the next one joins late.
const VETERANS: usize = 3;

/// The last of the tickets is closed before the newest excerpt.
const TICKETS: usize = 5;

fn ticket(number: usize) -> Entity {
    Entity {
        kind: EntityKind::Ticket,
        id: EntityId::derived("ticket", &number.to_string()),
    }
}

struct Story {
    _folder: tempfile::TempDir,
    bag: DirectoryRemote,
    space: EntityId,
    machines: Vec<Machine>,
    dice: Dice,
    fault: Option<Fault>,
    next: u64,
}

impl Story {
    /// Some devices that have written for a while, with an excerpt in the bag and things newer than it; then one more is let
    /// in, which has nothing yet.
    async fn new(seed: u64, fault: Option<Fault>) -> Found<Self> {
        let (folder, mut dice) = (scratch()?, Dice(seed));
        let bag = DirectoryRemote::create(&folder.path().join("bag")).map_err(words)?;
        let mut machines = Vec::new();
        for slot in 0..=VETERANS {
            let machine = Machine::new(slot, folder.path().join(slot.to_string()))?;
            machine.set_clock(NOW.0);
            machines.push(machine);
        }
        let (store, keys) = {
            let first = machines.first().ok_or("machines")?;
            (first.store()?.clone(), first.keys())
        };
        let mut engine = init(&keys, &store, &bag, NOW, &mut dice)
            .await
            .map_err(words)?;
        let space = engine.space();
        for machine in machines.iter_mut().take(VETERANS).skip(1) {
            let other =
                own_identity(&machine.keys(), machine.store()?, &mut dice).map_err(words)?;
            engine
                .welcome(other.public(), &store, &bag, NOW, &mut dice)
                .await
                .map_err(words)?;
        }
        let mut story = Self {
            _folder: folder,
            bag,
            space,
            machines,
            dice,
            fault,
            next: 0,
        };
        for _ in 0..6 {
            for at in 0..VETERANS {
                story.write(at, 6)?;
                story.round(at, LIMITS, fault).await?;
            }
        }
        story.close_last()?;
        for _ in 0..4 {
            for at in 0..VETERANS {
                story.write(at, 6)?;
                story.round(at, LIMITS, fault).await?;
            }
        }
        // From here on nobody makes a newer one.
        for _ in 0..3 {
            for at in 0..VETERANS {
                story.write(at, 2)?;
                story.round(at, QUIET, fault).await?;
            }
        }
        story.let_in().await?;
        for at in (0..VETERANS).chain(0..VETERANS) {
            story.round(at, QUIET, fault).await?;
        }
        Ok(story)
    }

    async fn let_in(&mut self) -> Found<()> {
        let mut dice = Dice(self.dice.roll());
        let joiner = self.machines.get(VETERANS).ok_or("a joiner")?;
        let public = own_identity(&joiner.keys(), joiner.store()?, &mut dice)
            .map_err(words)?
            .public();
        let bag = self.bag.clone();
        let first = self.machine(0)?;
        let (store, now) = (first.store()?.clone(), first.now());
        let engine = first.engine.as_mut().ok_or("an engine")?;
        engine
            .welcome(public, &store, &bag, now, &mut dice)
            .await
            .map_err(words)
            .map(drop)
    }

    fn machine(&mut self, at: usize) -> Found<&mut Machine> {
        self.machines
            .get_mut(at)
            .ok_or_else(|| "no such machine".to_owned())
    }

    fn write(&mut self, at: usize, count: usize) -> Found<()> {
        let mut drafts = Vec::new();
        for _ in 0..count {
            self.next += 1;
            let entity = ticket(self.dice.below(TICKETS));
            let text = format!("#{}", self.next);
            drafts.push(match self.dice.below(4) {
                0 => Draft::Note {
                    entity,
                    kind: "comment".to_owned(),
                    author: "mira".to_owned(),
                    text,
                    at: 1,
                },
                1 => Draft::Flag {
                    entity,
                    set: "tags".to_owned(),
                    member: self.dice.below(3).to_string(),
                    on: self.dice.once_in(2),
                },
                2 => Draft::Set {
                    entity,
                    field: "body".to_owned(),
                    value: Value::Text(text),
                },
                _ => Draft::Set {
                    entity,
                    field: "title".to_owned(),
                    value: Value::Text(text),
                },
            });
        }
        let machine = self.machine(at)?;
        machine.tick(977);
        machine
            .store()?
            .append_wait(drafts.into())
            .map(drop)
            .map_err(words)
    }

    fn close_last(&mut self) -> Found<()> {
        let draft = Draft::Set {
            entity: ticket(TICKETS - 1),
            field: "state".to_owned(),
            value: Value::from("closed"),
        };
        let store = self.machine(0)?.store()?;
        store
            .append_wait(vec![draft].into())
            .map(drop)
            .map_err(words)
    }

    async fn round(&mut self, at: usize, limits: Limits, fault: Option<Fault>) -> Found<Report> {
        let (space, bag) = (self.space, self.bag.clone());
        let mut dice = Dice(self.dice.roll());
        let machine = self.machine(at)?;
        machine.open_engine(space, fault).await?;
        machine.engine = machine.engine.take().map(|one| one.with_limits(limits));
        machine.tick(1_000);
        let report = machine.round(&bag, &mut dice).await?;
        match report.error {
            None => Ok(report),
            Some(why) => Err(format!("machine {at}: {why}")),
        }
    }

    /// One round of the joiner over a line that may break, or with a process that may be killed.
    async fn cut(&mut self, limits: Limits, fault: Option<Fault>) -> Found<()> {
        let fate = [Fate::Before, Fate::After, Fate::KillBefore, Fate::KillAfter];
        let fate = fate.get(self.dice.below(4)).copied();
        let (calls, dice) = (self.dice.below(9), Dice(self.dice.roll()));
        let (space, bag, mut own) = (self.space, self.bag.clone(), Dice(self.dice.roll()));
        let machine = self.machine(VETERANS)?;
        machine.open_engine(space, fault).await?;
        machine.engine = machine.engine.take().map(|one| one.with_limits(limits));
        let shaky = Shaky::new(&bag, calls, fate, dice, None);
        let killed = tokio::select! {
            report = machine.round(&shaky, &mut own) => { report?; false }
            () = shaky.killed.notified() => true,
        };
        if killed {
            machine.reopen()?;
        }
        Ok(())
    }

    /// What is hot: everything that the merge tables say of open tickets.
    fn hot(&mut self, at: usize) -> Found<Vec<String>> {
        let closed = ticket(TICKETS - 1).id.to_string();
        let mut lines = merged(&self.machine(at)?.folder).map_err(words)?;
        lines.retain(|line| !line.to_lowercase().contains(&closed));
        Ok(lines)
    }

    /// The joiner takes in what comes ahead, and nothing else. Afterwards it must show what the others show.
    async fn come_ahead(&mut self, fault: Option<Fault>) -> Found<u64> {
        let mut early = 0;
        for _ in 0..60 {
            if self.dice.once_in(2) {
                self.cut(AHEAD_ONLY, fault).await?;
            }
            let report = self.round(VETERANS, AHEAD_ONLY, fault).await?;
            early = report.early;
            if report.ahead == 0 && self.lead_is_done().await? {
                break;
            }
        }
        let joiner = self.machine(VETERANS)?;
        let Answer::Heads(heads) = joiner.store()?.ask_wait(Ask::Heads).map_err(words)? else {
            return Err("heads were asked".to_owned());
        };
        let own = joiner.store()?.device();
        if heads.iter().any(|(device, _)| *device != own) {
            return Err(format!("a log moved: {heads:?}"));
        }
        Ok(early)
    }

    async fn lead_is_done(&mut self) -> Found<bool> {
        let store = self.machine(VETERANS)?.store()?.clone();
        let facts = super::super::engine::heard(|reply| store.kept("early/done", reply))
            .await
            .map_err(words)?;
        Ok(!facts.is_empty())
    }

    fn is_hot_alike(&mut self) -> Found<()> {
        let differ = difference(&self.hot(0)?, &self.hot(VETERANS)?);
        if differ.is_empty() {
            return Ok(());
        }
        Err(format!("the joiner is shown something else: {differ:?}"))
    }

    /// The logs follow, the joiner writes meanwhile, and in the end all have the same. Answers the troubles on the way.
    async fn catch_up(&mut self, fault: Option<Fault>) -> Found<BTreeSet<String>> {
        let mut troubles = BTreeSet::new();
        for turn in 0..60 {
            if turn < 4 {
                self.write(VETERANS, 2)?;
                self.write(turn % VETERANS, 2)?;
            }
            if self.dice.once_in(2) {
                self.cut(LIMITS, fault).await?;
            }
            let mut idle = turn > 10;
            for at in (0..=VETERANS).rev() {
                let by = if at == VETERANS { fault } else { self.fault };
                let report = self.round(at, QUIET, by).await?;
                idle &= report.is_idle() && report.early == 0;
                troubles.extend(report.troubles.iter().map(ToString::to_string));
            }
            if idle {
                self.compare().await?;
                return Ok(troubles);
            }
        }
        Err("it does not come to rest".to_owned())
    }

    async fn compare(&mut self) -> Found<()> {
        let lines = dump(&self.machine(0)?.folder).map_err(words)?;
        for at in 1..=VETERANS {
            let differ = difference(&lines, &dump(&self.machine(at)?.folder).map_err(words)?);
            if !differ.is_empty() {
                return Err(format!("machine {at} ends otherwise: {differ:?}"));
            }
        }
        let all = logs(self.machine(VETERANS)?.store()?)?;
        let joiner = self.machine(VETERANS)?;
        let differ = difference(
            &model::merged(&all),
            &merged(&joiner.folder).map_err(words)?,
        );
        if !differ.is_empty() {
            return Err(format!("the model says otherwise: {differ:?}"));
        }
        if marks(&all).values().any(|times| *times != 1) {
            return Err("an operation is there twice".to_owned());
        }
        let store = joiner.store()?.clone();
        let left = super::super::engine::heard(|reply| store.kept("early/", reply)).await;
        match left.map_err(words)?.as_slice() {
            [] => Ok(()),
            left => Err(format!("facts are left: {left:?}")),
        }
    }
}

/// As [`LIMITS`], and nobody makes excerpts.
const QUIET: Limits = Limits {
    excerpt_every: u64::MAX,
    ..LIMITS
};

/// No segment of a log is fetched but the newest ones, ahead of it.
const AHEAD_ONLY: Limits = Limits {
    fetched: 0,
    excerpt_every: u64::MAX,
    ..LIMITS
};

fn block<T>(work: impl Future<Output = Found<T>>) -> Found<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(words)?;
    runtime.block_on(work)
}

/// One joiner; an error is what was found.
fn join(seed: u64, fault: Option<Fault>) -> Found<u64> {
    block(async {
        let mut story = Story::new(seed, fault).await?;
        let early = story.come_ahead(fault).await?;
        if fault != Some(Fault::EarlyReplacesLog) {
            story.is_hot_alike()?;
        }
        let troubles = story.catch_up(fault).await?;
        // Where the log is not believed, it must be the tables that give it away.
        if troubles.is_empty() || fault == Some(Fault::EarlyReplacesLog) {
            Ok(early)
        } else {
            Err(format!("{troubles:?}"))
        }
    })
}

#[test]
fn a_late_joiner_sees_what_is_hot_and_ends_like_all_others() {
    let _alone = ONE_WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    for seed in 1..=3 {
        match join(seed, None) {
            Ok(early) => assert!(
                early > 20,
                "seed {seed}: hardly anything came ahead: {early}"
            ),
            Err(why) => unreachable!("seed {seed}: {why}"),
        }
    }
}

#[test]
#[ignore = "minutes; run by name"]
fn long_join() {
    let _alone = ONE_WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    for seed in 1000..1150 {
        if let Err(why) = join(seed, None) {
            unreachable!("seed {seed}: {why}");
        }
    }
}

#[test]
fn planted_faults_of_excerpts_are_found() {
    let _alone = ONE_WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    for fault in [
        Fault::ExcerptDropsRegister,
        Fault::EarlyReplacesLog,
        Fault::TailSkipped,
    ] {
        let found = (1..=20).find_map(|seed| join(seed, Some(fault)).err().map(|why| (seed, why)));
        assert!(found.is_some(), "{fault:?} was not found");
        drop(writeln!(std::io::stderr(), "{fault:?}: {found:?}"));
    }
}

/// The veterans' excerpts invent; the joiner is in order.
#[test]
fn an_excerpt_that_invents_is_found_named_and_undone() -> Tested {
    let _alone = ONE_WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    block(async {
        let mut story = Story::new(5, Some(Fault::EarlyReplacesLog)).await?;
        story.come_ahead(None).await?;
        assert!(story.is_hot_alike().is_err(), "for now it is believed");
        let troubles = story.catch_up(None).await?;
        assert!(
            troubles
                .iter()
                .any(|trouble| trouble.contains("not the one in its log")),
            "{troubles:?}"
        );
        let store = story.machine(VETERANS)?.store()?.clone();
        let facts = super::super::engine::heard(|reply| store.kept("distrust", reply)).await;
        assert_eq!(facts.map_err(words)?.len(), 1, "and not believed again");
        let facts = super::super::engine::heard(|reply| store.kept(CONTRADICTED, reply)).await;
        assert_eq!(facts.map_err(words)?, []);
        Ok(())
    })?;
    Ok(())
}

fn part_names(bag: &std::path::Path) -> Found<Vec<PartName>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(bag.join("hot")).map_err(words)? {
        let name = entry.map_err(words)?.file_name();
        let object = ObjectName::parse(ObjectKind::Hot, &name.to_string_lossy());
        names.extend(object.as_ref().and_then(PartName::parse));
    }
    names.sort();
    Ok(names)
}

/// What a hub or a retired member does to excerpts: each is passed over and named, and the joiner ends like all others.
#[test]
fn a_bad_excerpt_costs_time_and_nothing_else() -> Tested {
    let _alone = ONE_WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    type Deed = fn(&std::path::Path, &[PartName]) -> std::io::Result<()>;
    let deeds: [(&str, Deed); 5] = [
        (
            "cannot be unpacked|signature|does not open|header",
            |hot, names| {
                for name in names {
                    let path = hot.join(name.object().name);
                    let mut bytes = std::fs::read(&path)?;
                    if let Some(byte) = bytes.get_mut(120) {
                        *byte ^= 1;
                    }
                    std::fs::write(path, bytes)?;
                }
                Ok(())
            },
        ),
        ("header is damaged|signature", |hot, names| {
            for name in names {
                let path = hot.join(name.object().name);
                let bytes = std::fs::read(&path)?;
                std::fs::write(path, bytes.get(..bytes.len() / 2).unwrap_or_default())?;
            }
            Ok(())
        }),
        // An old one is shown as a newer one.
        ("another part under this name", |hot, names| {
            for name in names {
                let newer = PartName {
                    seen: name.seen + 1,
                    ..*name
                };
                std::fs::rename(hot.join(name.object().name), hot.join(newer.object().name))?;
            }
            Ok(())
        }),
        // It claims to have seen more than there is: not even read.
        ("", |hot, names| {
            for name in names {
                let newer = PartName {
                    seen: u64::from(u32::MAX),
                    ..*name
                };
                std::fs::rename(hot.join(name.object().name), hot.join(newer.object().name))?;
            }
            Ok(())
        }),
        // A part is withheld; the rest is no excerpt.
        ("", |hot, names| {
            for name in names.iter().filter(|name| name.part == 1) {
                std::fs::remove_file(hot.join(name.object().name))?;
            }
            Ok(())
        }),
    ];
    for (number, (words_of, deed)) in deeds.iter().enumerate() {
        block(async {
            let mut story = Story::new(6, None).await?;
            let bag = story._folder.path().join("bag");
            let names = part_names(&bag)?;
            assert!(
                names.len() > 2,
                "there are excerpts of several parts: {names:?}"
            );
            deed(&bag.join("hot"), &names).map_err(words)?;
            std::fs::write(bag.join("hot").join("README"), "not ours").map_err(words)?;
            let mut troubles = BTreeSet::new();
            for _ in 0..8 {
                let report = story.round(VETERANS, AHEAD_ONLY, None).await?;
                assert_eq!((report.ahead, report.early), (0, 0), "deed {number}");
                troubles.extend(report.troubles.iter().map(ToString::to_string));
            }
            let named = |word: &str| troubles.iter().any(|one| one.contains(word));
            assert!(
                words_of.is_empty() || words_of.split('|').any(named),
                "deed {number}: {troubles:?}"
            );
            story.catch_up(None).await.map(drop)
        })?;
    }
    Ok(())
}

#[test]
fn the_word_of_a_retired_maker_is_taken_back() -> Tested {
    let _alone = ONE_WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    block(async {
        let mut story = Story::new(7, None).await?;
        let early = story.come_ahead(None).await?;
        let joiner = story.machine(VETERANS)?.store()?.clone();
        let parts = super::super::engine::heard(|reply| joiner.kept("early/part", reply)).await;
        let maker = parts.map_err(words)?.into_iter().find_map(|(name, _)| {
            let object = ObjectName::parse(ObjectKind::Hot, name.rsplit_once('/')?.1)?;
            Some(PartName::parse(&object)?.maker)
        });
        let maker = maker.ok_or("an excerpt was taken in")?;
        let mut dice = Dice(9);
        let at = (0..VETERANS)
            .find(|at| {
                let store = story.machines.get(*at).and_then(|one| one.store().ok());
                store.is_some_and(|store| store.device() != maker)
            })
            .ok_or("somebody else")?;
        let (remote, machine) = (story.bag.clone(), story.machine(at)?);
        let (store, now) = (machine.store()?.clone(), machine.now());
        let engine = machine.engine.as_mut().ok_or("an engine")?;
        engine
            .retire(maker, &store, &remote, now, &mut dice)
            .await
            .map_err(words)?;
        story.round(at, QUIET, None).await?;
        // The next start looks at the roster.
        story.machine(VETERANS)?.reopen()?;
        let left = story.round(VETERANS, AHEAD_ONLY, None).await?.early;
        assert!(
            left < early,
            "its word about others counts no more: {early}, {left}"
        );
        for _ in 0..30 {
            for one in [at, VETERANS] {
                story.round(one, QUIET, None).await?;
            }
        }
        let lines = dump(&story.machine(at)?.folder).map_err(words)?;
        let joined = dump(&story.machine(VETERANS)?.folder).map_err(words)?;
        assert_eq!(difference(&lines, &joined), [] as [String; 0]);
        Ok(())
    })?;
    Ok(())
}

fn sample(maker: &Identity, dice: &mut Dice) -> Result<(PartName, Part, Vec<u8>), SyncError> {
    let (name, log) = (
        PartName {
            seen: 9,
            maker: maker.device(),
            part: 1,
            parts: 2,
        },
        DeviceId(EntityId::from_bytes([4; 16])),
    );
    let op = |seq, clock, body: &[u8]| crate::store::Logged {
        device: log,
        seq,
        hlc: crate::domain::op::Hlc(clock),
        body: body.to_vec(),
    };
    let part = Part {
        logs: vec![(maker.device(), 3), (log, 9)],
        ops: vec![
            op(7, 1 << 60, b"\xa0"),
            op(2, 5, b""),
            op(9, u64::MAX, b"no map"),
        ],
    };
    let bytes = seal_part(&part, name, SPACE, (EPOCH, &KEY), maker, dice)?;
    Ok((name, part, bytes))
}

const SPACE: EntityId = EntityId::from_bytes([7; 16]);
const KEY: [u8; 32] = [5; 32];
const EPOCH: Epoch = Epoch {
    number: 1,
    key: [3; 8],
};

/// The form is for ever: these are its first bytes; every bit of it is bound, and it lies under one name only.
#[test]
fn the_form_of_an_excerpt_is_for_ever_and_every_bit_counts() -> Tested {
    let mut dice = Dice(3);
    let maker = Identity::generate(DeviceId(EntityId::from_bytes([1; 16])), &mut dice)?;
    let (name, part, bytes) = sample(&maker, &mut dice)?;
    let signing = maker.public().signing;
    assert_eq!(
        open_part(&bytes, name, SPACE, &KEY, &signing),
        Ok(part.clone())
    );
    let mut head = b"QDhx\x01".to_vec();
    head.extend([7; 16]);
    head.extend([0, 0, 0, 1, 3, 3, 3, 3, 3, 3, 3, 3]);
    head.extend([1; 16]);
    head.extend([0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0, 2]);
    assert_eq!(bytes.get(..head.len()), Some(head.as_slice()));
    assert_eq!(
        name.object().to_string(),
        "hot/01010101010101010101010101010101-9-1-2"
    );
    assert_eq!(PartName::parse(&name.object()), Some(name));
    for bit in 0..bytes.len() * 8 {
        let mut bad = bytes.clone();
        if let Some(byte) = bad.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
        assert!(
            open_part(&bad, name, SPACE, &KEY, &signing).is_err(),
            "bit {bit}"
        );
    }
    for length in 0..bytes.len() {
        let cut = bytes.get(..length).unwrap_or_default();
        assert!(open_part(cut, name, SPACE, &KEY, &signing).is_err());
    }
    let other = EntityId::from_bytes([8; 16]);
    assert!(open_part(&bytes, name, other, &KEY, &signing).is_err());
    for (seen, part) in [(10, 1), (9, 2)] {
        let renamed = PartName { seen, part, ..name };
        assert!(
            open_part(&bytes, renamed, SPACE, &KEY, &signing).is_err(),
            "replayed"
        );
    }
    // Signed by a member, and about operations that its own list of logs does not reach.
    let mut beyond = part;
    beyond.logs.retain(|(device, _)| *device == maker.device());
    let bytes = seal_part(&beyond, name, SPACE, (EPOCH, &KEY), &maker, &mut dice)?;
    assert!(open_part(&bytes, name, SPACE, &KEY, &signing).is_err());
    for text in [
        "x-9-1-2",
        "01010101010101010101010101010101-9-3-2",
        "01010101010101010101010101010101-09-1-2",
    ] {
        let object = ObjectName::parse(ObjectKind::Hot, text).ok_or("a name")?;
        assert_eq!(PartName::parse(&object), None, "{text}");
    }
    Ok(())
}
