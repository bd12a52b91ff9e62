//! Seeded schedules of everything that happens to machines in the field. Nothing acknowledged may be lost, and all machines
//! must end with the same tables: those that an independent model makes of the logs.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::PoisonError;
use std::time::Instant;

use super::super::*;
use super::world::*;
use super::{Fault, model};
use crate::domain::ids::{DeviceId, EntityId};
use crate::domain::op::{Change, Draft, Entity, EntityKind, Op, Value};
use crate::domain::planted::{self, plant};
use crate::domain::query::Query;
use crate::store::{Answer, Ask, Logged, Store, difference, dump, merged};

/// What a schedule did, for the long form.
#[derive(Debug, Default)]
struct Tally {
    acks: u64,
    cuts: u64,
    restores: u64,
    clones: u64,
    copies: u64,
    packs: u64,
}

struct World {
    _folder: tempfile::TempDir,
    root: std::path::PathBuf,
    bag: DirectoryRemote,
    space: EntityId,
    machines: Vec<Machine>,
    dice: Dice,
    fault: Option<Fault>,
    next: u64,
    /// Acknowledged numbers.
    acked: BTreeSet<u64>,
    /// Those that only a disk held which the schedule destroyed.
    forgiven: BTreeSet<u64>,
    /// Those that several disks held before anybody published them: each may have published them.
    shared: BTreeSet<u64>,
    old_heads: Option<Listing<Head>>,
    tally: Tally,
}

/// Where the nonce of a segment stands.
const NONCE_AT: std::ops::Range<usize> = 101..125;

/// A time in 2026.
const BEGIN: i64 = 1_795_428_000_000;

impl World {
    async fn new(seed: u64, fault: Option<Fault>) -> Found<Self> {
        let mut dice = Dice(seed);
        let folder = scratch()?;
        let root = folder.path().to_owned();
        let bag = DirectoryRemote::create(&root.join("bag")).map_err(words)?;
        let mut machines = Vec::new();
        for slot in 0..5 + dice.below(2) {
            let machine = Machine::new(slot, root.join(format!("machine-{slot}")))?;
            machine.set_clock(BEGIN);
            machines.push(machine);
        }
        let mut world = Self {
            _folder: folder,
            root,
            bag,
            space: EntityId::from_bytes([0; 16]),
            machines,
            dice,
            fault,
            next: 0,
            acked: BTreeSet::new(),
            forgiven: BTreeSet::new(),
            shared: BTreeSet::new(),
            old_heads: None,
            tally: Tally::default(),
        };
        world.pair().await?;
        Ok(world)
    }

    /// The first machine founds the space and lets the others in.
    async fn pair(&mut self) -> Found<()> {
        let now = BEGIN_TIME;
        let (first, others) = self.machines.split_first_mut().ok_or("no machines")?;
        let store = first.store()?.clone();
        let mut engine = init(&first.keys(), &store, &self.bag, now, &mut self.dice)
            .await
            .map_err(words)?;
        self.space = engine.space();
        for machine in others {
            let other =
                own_identity(&machine.keys(), machine.store()?, &mut self.dice).map_err(words)?;
            engine
                .welcome(other.public(), &store, &self.bag, now, &mut self.dice)
                .await
                .map_err(words)?;
        }
        Ok(())
    }

    fn machine(&mut self, at: usize) -> Found<&mut Machine> {
        self.machines
            .get_mut(at)
            .ok_or_else(|| "no such machine".to_owned())
    }

    async fn step(&mut self) -> Found<()> {
        let at = self.dice.below(self.machines.len());
        // Clocks that go in steps: machines that have not heard of each other often write at one moment.
        let millis = 5_000 * (1 + self.dice.below(8) as i64);
        self.machine(at)?.tick(millis);
        match self.dice.below(100) {
            0..45 => self.write(at),
            45..87 => self.sync(at).await,
            87..91 => {
                // Now and then by days: further than a clock follows what it hears.
                let hours = if self.dice.once_in(4) {
                    24 * (self.dice.below(7) as i64 - 3)
                } else {
                    self.dice.below(13) as i64 - 6
                };
                self.machine(at)?.tick(hours * 3_600_000);
                Ok(())
            }
            91..94 => self.machine(at)?.reopen(),
            94..96 => self.back_up(at),
            96..97 => self.restore(at),
            97..98 => self.clone(at),
            98 => self.rotate(at).await,
            _ => self.sync(at).await,
        }
    }

    fn write(&mut self, at: usize) -> Found<()> {
        let mut drafts = Vec::new();
        let mut numbers = Vec::new();
        for _ in 0..1 + self.dice.below(12) {
            let ticket = Entity {
                kind: EntityKind::Ticket,
                id: EntityId::derived("ticket", &self.dice.below(4).to_string()),
            };
            self.next += 1;
            numbers.push(self.next);
            let text = format!("#{}", self.next);
            let draft = match self.dice.below(8) {
                0..3 => {
                    let field = ["title", "body", "later"]
                        .get(self.dice.below(3))
                        .copied()
                        .unwrap_or("title");
                    Draft::Set {
                        entity: ticket,
                        field: field.to_owned(),
                        value: Value::Text(text),
                    }
                }
                3..5 => {
                    let member = self.dice.below(3).to_string();
                    drafts.push(Draft::Flag {
                        entity: ticket,
                        set: "tags".to_owned(),
                        member,
                        on: self.dice.once_in(2),
                    });
                    Draft::Note {
                        entity: ticket,
                        kind: "comment".to_owned(),
                        author: "mira".to_owned(),
                        text,
                        at: 1,
                    }
                }
                5 => Draft::Record {
                    entity: Entity {
                        kind: EntityKind::Case,
                        id: EntityId::derived("case", &self.dice.below(5).to_string()),
                    },
                    name: "case".to_owned(),
                    fields: BTreeMap::from([("text".to_owned(), Value::Text(text))]),
                },
                _ => Draft::Note {
                    entity: ticket,
                    kind: "comment".to_owned(),
                    author: "mira".to_owned(),
                    text,
                    at: 1,
                },
            };
            drafts.push(draft);
        }
        let store = self.machine(at)?.store()?;
        store.append_wait(drafts.clone().into()).map_err(words)?;
        in_force(store, &drafts)?;
        self.tally.acks += numbers.len() as u64;
        self.acked.extend(numbers);
        Ok(())
    }

    async fn sync(&mut self, at: usize) -> Found<()> {
        let (space, fault) = (self.space, self.fault);
        let fate = [
            None,
            None,
            Some(Fate::Before),
            Some(Fate::After),
            Some(Fate::KillBefore),
            Some(Fate::KillAfter),
        ]
        .get(self.dice.below(6))
        .copied()
        .flatten();
        let calls = self.dice.below(14);
        let stale = self.old_heads.clone();
        if self.dice.once_in(3) {
            self.old_heads = self.bag.heads().await.ok();
        }
        let dice = Dice(self.dice.roll());
        let mut own = Dice(self.dice.roll());
        let bag = self.bag.clone();
        let machine = self.machine(at)?;
        machine.open_engine(space, fault).await?;
        let shaky = Shaky::new(&bag, calls, fate, dice, stale);
        let report = tokio::select! {
            report = machine.round(&shaky, &mut own) => Some(report?),
            () = shaky.killed.notified() => None,
        };
        if report.is_none() {
            // Killed: nothing but files is left.
            machine.reopen()?;
        }
        self.tally.cuts += u64::from(report.as_ref().is_none_or(|report| report.error.is_some()));
        for trouble in report.iter().flat_map(|report| &report.troubles) {
            if let Trouble::Copied { .. } = trouble {
                self.tally.copies += 1;
            }
        }
        if let Some(SyncError::Store(why)) = report.and_then(|report| report.error) {
            return Err(format!("the store refused: {why}"));
        }
        if fate.is_some() {
            self.heads_are_true().await
        } else {
            Ok(())
        }
    }

    /// No head may be ahead of the segments.
    async fn heads_are_true(&self) -> Found<()> {
        for head in self.bag.heads().await.map_err(words)?.names {
            let mut end = 0;
            let names = self.bag.list(head.device, 1).await.map_err(words)?.names;
            for name in &names {
                let sealed = self.bag.get(*name).await.map_err(words)?;
                end = end.max(Header::read(&sealed).map_err(words)?.last);
            }
            if head.seq > end {
                return Err(format!(
                    "the head of {} is {} and its segments end at {end}",
                    head.device, head.seq
                ));
            }
        }
        Ok(())
    }

    async fn rotate(&mut self, at: usize) -> Found<()> {
        let (space, fault, bag) = (self.space, self.fault, self.bag.clone());
        let mut dice = Dice(self.dice.roll());
        let machine = self.machine(at)?;
        machine.open_engine(space, fault).await?;
        let (store, now) = (machine.store()?.clone(), machine.now());
        let engine = machine.engine.as_mut().ok_or("there is no engine")?;
        engine
            .rotate(&store, &bag, now, &mut dice)
            .await
            .map_err(words)
    }

    fn back_up(&mut self, at: usize) -> Found<()> {
        let machine = self.machine(at)?;
        let to = machine
            .folder
            .join(format!("backup-{}.db", machine.now().0));
        if !to.exists() {
            machine.store()?.backup_wait(&to).map_err(words)?;
            machine.backup = Some(to);
        }
        Ok(())
    }

    fn restore(&mut self, at: usize) -> Found<()> {
        let machine = self.machine(at)?;
        let Some(backup) = machine.backup.clone() else {
            return Ok(());
        };
        let lost = unpublished(machine)?;
        machine.engine = None;
        machine.store = None;
        for name in ["store.db", "store.db-wal", "store.db-shm"] {
            drop(std::fs::remove_file(machine.folder.join(name)));
        }
        std::fs::copy(&backup, machine.folder.join("store.db")).map_err(words)?;
        machine.reopen()?;
        let held = unpublished(machine)?;
        self.forgiven.extend(lost.difference(&held));
        // The machine of before may have published them under another id.
        self.shared.extend(held);
        self.tally.restores += 1;
        Ok(())
    }

    /// A second machine with the disk of the first.
    fn clone(&mut self, at: usize) -> Found<()> {
        let slot = self.machines.len();
        if slot >= 8 {
            return Ok(());
        }
        let folder = self.root.join(format!("machine-{slot}"));
        let machine = self.machine(at)?;
        let held = unpublished(machine)?;
        let now = machine.now();
        std::fs::create_dir_all(&folder).map_err(words)?;
        machine
            .store()?
            .backup_wait(&folder.join("store.db"))
            .map_err(words)?;
        copy_keys(&machine.keys(), &folder.join("sync")).map_err(words)?;
        let other = Machine::new(slot, folder)?;
        other.set_clock(now.0);
        self.machines.push(other);
        self.shared.extend(held);
        self.tally.clones += 1;
        Ok(())
    }

    /// In one millisecond all machines write the same fields, so that only the device decides.
    fn all_at_once(&mut self) -> Found<()> {
        let latest = self.machines.iter().map(|machine| machine.now().0).max();
        let moment = latest.unwrap_or(BEGIN) + 2 * 86_400_000;
        let entity = Entity {
            kind: EntityKind::Ticket,
            id: EntityId::derived("ticket", "0"),
        };
        for machine in &self.machines {
            machine.set_clock(moment);
            self.next += 1;
            let drafts = vec![
                Draft::Set {
                    entity,
                    field: "title".to_owned(),
                    value: Value::Text(format!("#{}", self.next)),
                },
                Draft::Flag {
                    entity,
                    set: "tags".to_owned(),
                    member: "0".to_owned(),
                    on: machine.slot % 2 == 0,
                },
            ];
            let store = machine.store()?;
            store.append_wait(drafts.clone().into()).map_err(words)?;
            in_force(store, &drafts)?;
            self.acked.insert(self.next);
            self.tally.acks += 1;
        }
        Ok(())
    }

    /// The line holds now: all machines sync until nothing moves, and then everything is compared.
    async fn settle(&mut self) -> Found<()> {
        self.all_at_once()?;
        let (space, fault, bag) = (self.space, self.fault, self.bag.clone());
        let mut dice = Dice(self.dice.roll());
        let mut quiet = 0;
        for _ in 0..40 {
            let mut idle = true;
            for machine in &mut self.machines {
                machine.tick(61_000);
                machine.open_engine(space, fault).await?;
                let report = machine.round(&bag, &mut dice).await?;
                if let Some(why) = report.error {
                    return Err(format!("machine {} cannot sync: {why}", machine.slot));
                }
                let copied = report
                    .troubles
                    .iter()
                    .filter(|one| matches!(one, Trouble::Copied { .. }))
                    .count();
                self.tally.copies += copied as u64;
                idle &= report.is_idle() && copied == 0;
                // Compaction goes in steps of one round each.
                if quiet > 4 && !report.troubles.is_empty() {
                    return Err(format!(
                        "machine {} is not at peace: {:?}",
                        machine.slot, report.troubles
                    ));
                }
            }
            quiet = if idle { quiet + 1 } else { 0 };
            if quiet > 5 {
                return self.compare().await;
            }
        }
        Err("it does not settle".to_owned())
    }

    /// What lies in the bag: no nonce twice, and nothing that opens under another header, whoever signs that.
    async fn what_is_sealed_is_bound(&mut self) -> Found<()> {
        let mut nonces = BTreeSet::new();
        let mut dice = Dice(self.dice.roll());
        for head in self.bag.heads().await.map_err(words)?.names {
            for name in self.bag.list(head.device, 1).await.map_err(words)?.names {
                let sealed = self.bag.get(name).await.map_err(words)?;
                if !nonces.insert(sealed.get(NONCE_AT).unwrap_or_default().to_vec()) {
                    return Err(format!("{name} has the nonce of another segment"));
                }
                let forger = self.machines.get(dice.below(self.machines.len()));
                let engine = forger.and_then(|one| one.engine.as_ref());
                let engine = engine.ok_or("there is no engine")?;
                let me = engine.identity();
                let mut forged = sealed
                    .get(..sealed.len().saturating_sub(64))
                    .unwrap_or_default()
                    .to_vec();
                if me.device() == head.device {
                    // Its own words, after another history.
                    forged.get_mut(65).into_iter().for_each(|byte| *byte ^= 1);
                } else if let Some(place) = forged.get_mut(33..49) {
                    place.copy_from_slice(me.device().0.as_bytes());
                }
                let signature = me.sign("quarterdeck sync segment 1", &forged);
                forged.extend_from_slice(&signature);
                let header = Header::read(&forged).map_err(words)?;
                let key = engine.ring().key(header.epoch).ok_or("there is no key")?;
                if !header.check(&me.public().signing) {
                    return Err("the forger's signature is wrong".to_owned());
                }
                if header.open(key).is_ok() {
                    return Err(format!("{name} opens under another header"));
                }
            }
        }
        Ok(())
    }

    async fn compare(&mut self) -> Found<()> {
        let first = self.machines.first().ok_or("no machines")?;
        let (logs, lines) = (logs(first.store()?)?, dump(&first.folder).map_err(words)?);
        for machine in &self.machines {
            let here = dump(&machine.folder).map_err(words)?;
            let differ = difference(&lines, &here);
            if !differ.is_empty() {
                return Err(format!(
                    "machine {} ends otherwise: {differ:?}",
                    machine.slot
                ));
            }
        }
        let differ = difference(
            &model::merged(&logs),
            &merged(&first.folder).map_err(words)?,
        );
        if !differ.is_empty() {
            return Err(format!("the model says otherwise: {differ:?}"));
        }
        let found = marks(&logs);
        for number in &self.acked {
            let times = found.get(number).copied().unwrap_or(0);
            let fine = match times {
                0 => self.forgiven.contains(number),
                1 => true,
                _ => self.shared.contains(number),
            };
            if !fine {
                return Err(format!(
                    "acknowledged operation {number} is there {times} times"
                ));
            }
        }
        self.what_is_sealed_is_bound().await?;
        // Each disk that was copied may find out once for itself and once more for its own copies.
        let most = 2 * (self.tally.clones + self.tally.restores);
        if self.tally.copies > most {
            return Err(format!(
                "{} machines took a new id, at most {most} had reason to",
                self.tally.copies
            ));
        }
        for head in self.bag.heads().await.map_err(words)?.names {
            let names = self.bag.list(head.device, 1).await.map_err(words)?.names;
            self.tally.packs += names.iter().filter(|name| name.pack.is_some()).count() as u64;
        }
        Ok(())
    }
}

/// Whoever writes sees what was written: nothing that its author saw may win over it, or stand beside it.
fn in_force(store: &Store, drafts: &[Draft]) -> Found<()> {
    let ask = Ask::Tickets {
        query: Query::default(),
        limit: None,
    };
    let Answer::Tickets { rows, .. } = store.ask_wait(ask).map_err(words)? else {
        return Err("tickets were asked".to_owned());
    };
    let mut last: BTreeMap<(EntityId, &str, &str), String> = BTreeMap::new();
    for draft in drafts {
        match draft {
            Draft::Set {
                entity,
                field,
                value,
            } => {
                let text = value.as_text().unwrap_or_default().to_owned();
                last.insert((entity.id, field, ""), text);
            }
            Draft::Flag {
                entity,
                set,
                member,
                on,
            } => {
                last.insert((entity.id, set, member), on.to_string());
            }
            Draft::Note { .. } | Draft::Record { .. } | Draft::Reference { .. } => {}
        }
    }
    for ((id, field, member), value) in last {
        let ticket = rows.iter().find(|ticket| ticket.id.0 == id);
        let ticket = ticket.ok_or("what was written is not there")?;
        let holds = match field {
            "title" => ticket.title == value,
            "body" => ticket.body == value,
            "tags" => ticket.tags.iter().any(|tag| tag == member).to_string() == value,
            _ => true,
        };
        if !holds || ticket.conflicts.iter().any(|one| one == field) {
            return Err(format!("{field} of {id} is not what was just written"));
        }
    }
    Ok(())
}

const BEGIN_TIME: crate::domain::time::Time = crate::domain::time::Time(BEGIN);

/// All operations that a store knows.
pub(super) fn logs(store: &Store) -> Found<Vec<Logged>> {
    let Answer::Heads(heads) = store.ask_wait(Ask::Heads).map_err(words)? else {
        return Err("no heads".to_owned());
    };
    let mut all = Vec::new();
    for (device, _) in heads {
        all.extend(log(store, device, 1)?);
    }
    Ok(all)
}

fn log(store: &Store, device: DeviceId, from: u64) -> Found<Vec<Logged>> {
    match store
        .ask_wait(Ask::Log {
            device,
            from,
            limit: u32::MAX,
        })
        .map_err(words)?
    {
        Answer::Log(ops) => Ok(ops),
        _ => Err("no log".to_owned()),
    }
}

/// How often each number stands in the logs.
pub(super) fn marks(logs: &[Logged]) -> BTreeMap<u64, u32> {
    let mut found = BTreeMap::new();
    for op in logs {
        let Ok(Some(op)) = Op::decode(&op.body) else {
            continue;
        };
        let text = match op.change {
            Change::Set { value, .. } => Value::from_cbor(&value).as_text().map(str::to_owned),
            Change::Note { text, .. } => Some(text),
            Change::Record { fields, .. } => fields
                .get("text")
                .and_then(Value::as_text)
                .map(str::to_owned),
            Change::Flag { .. } => None,
        };
        if let Some(number) = text.and_then(|text| text.strip_prefix('#')?.parse().ok()) {
            *found.entry(number).or_insert(0) += 1;
        }
    }
    found
}

/// The numbers that this machine wrote and, for all that it knows, did not publish.
fn unpublished(machine: &Machine) -> Found<BTreeSet<u64>> {
    let store = machine.store()?;
    let name = format!("published/{}", store.device());
    let (answer, slot) = std::sync::mpsc::sync_channel(1);
    store.kept(&name, move |facts| drop(answer.send(facts)));
    let facts = slot.recv().map_err(words)?.map_err(words)?;
    let number = facts
        .first()
        .and_then(|(_, value)| <[u8; 8]>::try_from(value.as_slice()).ok());
    let published = number.map_or(0, u64::from_be_bytes);
    Ok(marks(&log(store, store.device(), published + 1)?)
        .into_keys()
        .collect())
}

/// Runs one schedule; an error is what was found.
fn schedule(seed: u64, steps: usize, fault: Option<Fault>) -> Result<Tally, String> {
    plant(match fault {
        Some(Fault::Below(fault)) => Some(fault),
        _ => None,
    });
    let result = run_schedule(seed, steps, fault);
    plant(None);
    result
}

fn run_schedule(seed: u64, steps: usize, fault: Option<Fault>) -> Result<Tally, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(words)?;
    runtime.block_on(async {
        let mut world = World::new(seed, fault).await?;
        for _ in 0..steps {
            world.step().await?;
        }
        world.settle().await?;
        Ok(world.tally)
    })
}

fn run(seeds: impl Iterator<Item = u64>, steps: usize) -> Tally {
    let _alone = ONE_WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    let mut sum = Tally::default();
    for seed in seeds {
        match schedule(seed, steps, None) {
            Ok(tally) => {
                sum.acks += tally.acks;
                sum.cuts += tally.cuts;
                sum.restores += tally.restores;
                sum.clones += tally.clones;
                sum.copies += tally.copies;
                sum.packs += tally.packs;
            }
            Err(why) => unreachable!("seed {seed}: {why}"),
        }
    }
    sum
}

#[test]
fn nothing_acknowledged_is_lost_and_all_end_alike() {
    let tally = run(1..=3, 120);
    // The schedules must meet what they are for.
    let Tally {
        acks,
        cuts,
        copies,
        packs,
        ..
    } = &tally;
    assert!(
        *acks > 400 && *cuts > 20 && *copies > 0 && *packs > 0,
        "{tally:?}"
    );
}

/// `QD_SCHEDULES=220 cargo test --release --lib -- --ignored long_simulation --nocapture`
#[test]
#[ignore = "minutes; run by name"]
fn long_simulation() {
    let number = |name: &str, or: u64| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(or)
    };
    let (schedules, first) = (number("QD_SCHEDULES", 220), number("QD_SEED", 1000));
    let start = Instant::now();
    let tally = run(first..first + schedules, 400);
    let rate = schedules as f64 / start.elapsed().as_secs_f64();
    drop(writeln!(
        std::io::stderr(),
        "{schedules} schedules, {rate:.2}/s, {tally:?}"
    ));
}

/// Each fault must be found within 50 seeds; otherwise the simulation proves nothing.
#[test]
fn planted_faults_are_found() {
    let _alone = ONE_WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    for fault in [
        Fault::CursorBeforePut,
        Fault::NoReidentification,
        Fault::GapAccepted,
        Fault::CursorWithoutApply,
        Fault::PackNotDurable,
        Fault::HeadBeforeSegment,
        Fault::RestampPublished,
        Fault::LostReplyIsCopy,
        Fault::PruneBeforeApply,
        Fault::Below(planted::Fault::NoTieBreak),
        Fault::Below(planted::Fault::NoTieBreakOfSets),
        Fault::Below(planted::Fault::PruneUnseen),
        Fault::Below(planted::Fault::NoTickPastReplaced),
        Fault::Below(planted::Fault::WallClockOnly),
        Fault::Below(planted::Fault::NoAssociatedData),
        Fault::Below(planted::Fault::NonceReused),
    ] {
        // Few schedules have a clock that is days ahead when it matters; those before the first are not run every time.
        let first = match fault {
            Fault::Below(planted::Fault::NoTickPastReplaced) => 12,
            _ => 1,
        };
        let found = (first..=50).find_map(|seed| {
            schedule(seed, 120, Some(fault))
                .err()
                .map(|why| (seed, why.chars().take(200).collect::<String>()))
        });
        assert!(found.is_some(), "{fault:?} was not found");
        drop(writeln!(std::io::stderr(), "{fault:?}: {found:?}"));
    }
}
