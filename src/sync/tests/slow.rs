//! The first sync over a slow line: what a new device must fetch before it is of use, counted in bytes and round trips.

use std::error::Error;
use std::io::Write;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::*;
use super::world::*;
use crate::domain::ids::{DeviceId, EntityId};
use crate::domain::op::{Change, Hlc, Op, Stamp, Value};
use crate::domain::query::Query;
use crate::domain::time::Time;
use crate::store::{Answer, Ask, Logged, Piece, Store};

const NOW: Time = Time(1_795_428_000_000);

/// A bag behind a line, of which the cost is counted: a name is 48 bytes in a listing and 60 in a request.
struct Far {
    inner: DirectoryRemote,
    trips: AtomicU64,
    up: AtomicU64,
    down: AtomicU64,
}

/// What a line carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cost {
    trips: u64,
    up: u64,
    down: u64,
}

impl Cost {
    /// Seconds at 64 kbit/s each way and 300 ms there and back.
    fn seconds(self) -> f64 {
        self.trips as f64 * 0.3 + (self.up + self.down) as f64 * 8.0 / 64_000.0
    }
}

impl Far {
    fn new(inner: DirectoryRemote) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            inner,
            trips: zero(),
            up: zero(),
            down: zero(),
        }
    }

    fn cost(&self) -> Cost {
        Cost {
            trips: self.trips.load(Ordering::Relaxed),
            up: self.up.load(Ordering::Relaxed),
            down: self.down.load(Ordering::Relaxed),
        }
    }

    fn count<'a, T: 'a>(
        &'a self,
        sent: usize,
        reply: Reply<'a, T>,
        size: impl Fn(&T) -> usize + Send + 'a,
    ) -> Reply<'a, T> {
        Box::pin(async move {
            self.trips.fetch_add(1, Ordering::Relaxed);
            self.up.fetch_add(60 + sent as u64, Ordering::Relaxed);
            let answer = reply.await?;
            self.down
                .fetch_add(20 + size(&answer) as u64, Ordering::Relaxed);
            Ok(answer)
        })
    }
}

fn listed<T>(listing: &Listing<T>) -> usize {
    listing.names.len() * 48
}

impl Remote for Far {
    fn place(&self) -> String {
        self.inner.place()
    }
    fn heads(&self) -> Reply<'_, Listing<Head>> {
        self.count(0, self.inner.heads(), listed)
    }
    fn list(&self, device: DeviceId, from: u64) -> Reply<'_, Listing<SegmentName>> {
        self.count(0, self.inner.list(device, from), listed)
    }
    fn get(&self, name: SegmentName) -> Reply<'_, Vec<u8>> {
        self.count(0, self.inner.get(name), Vec::len)
    }
    fn put_new(&self, name: SegmentName, sealed: Vec<u8>) -> Reply<'_, Put> {
        self.count(sealed.len(), self.inner.put_new(name, sealed), |_| 0)
    }
    fn set_head(&self, head: Head) -> Reply<'_, ()> {
        self.count(0, self.inner.set_head(head), |()| 0)
    }
    fn delete_own(&self, name: SegmentName) -> Reply<'_, ()> {
        self.count(0, self.inner.delete_own(name), |()| 0)
    }
    fn objects(&self, kind: ObjectKind) -> Reply<'_, Listing<ObjectName>> {
        self.count(0, self.inner.objects(kind), listed)
    }
    fn get_object<'a>(&'a self, name: &'a ObjectName) -> Reply<'a, Vec<u8>> {
        self.count(0, self.inner.get_object(name), Vec::len)
    }
    fn get_objects<'a>(&'a self, names: &'a [ObjectName]) -> Reply<'a, Objects> {
        let size = |found: &Objects| {
            let found = found.iter().filter_map(|(_, one)| one.as_ref().ok());
            found.map(Vec::len).sum()
        };
        self.count(names.len() * 33, self.inner.get_objects(names), size)
    }
    fn put_object<'a>(&'a self, name: &'a ObjectName, bytes: Vec<u8>) -> Reply<'a, Put> {
        self.count(bytes.len(), self.inner.put_object(name, bytes), |_| 0)
    }
    fn delete_object<'a>(&'a self, name: &'a ObjectName) -> Reply<'a, ()> {
        self.count(0, self.inner.delete_object(name), |()| 0)
    }
}

/// One device that only writes.
struct Scribe {
    identity: Identity,
    ops: Vec<Logged>,
}

impl Scribe {
    fn say(&mut self, id: EntityId, change: Change, clock: u64) -> Stamp {
        let op = Op {
            entity: "ticket".to_owned(),
            id,
            change,
        };
        let device = self.identity.device();
        self.ops.push(Logged {
            device,
            seq: self.ops.len() as u64 + 1,
            hlc: Hlc(clock),
            body: op.encode(),
        });
        Stamp {
            hlc: Hlc(clock),
            device,
        }
    }
}

/// Words as people use them: a few often, most hardly ever.
fn text(dice: &mut Dice, count: usize) -> String {
    let mut words = Vec::new();
    for _ in 0..count {
        let most = [40, 1500, 50_000].get(dice.below(3)).copied().unwrap_or(40);
        let mut letters = Dice(dice.below(most) as u64);
        let length = 2 + letters.below(8);
        let word: String = (0..length)
            .map(|_| char::from(b'a' + letters.below(26) as u8))
            .collect();
        words.push(word);
    }
    words.join(" ")
}

/// The life of a ticket: fifteen operations or so, most by one device, some by another.
fn live(number: u64, open: bool, scribes: &mut [Scribe], dice: &mut Dice) {
    let mut id = [0; 16];
    dice.fill(&mut id).unwrap_or_default();
    let id = EntityId::from_bytes(id);
    let count = scribes.len();
    let (first, second) = (dice.below(count), dice.below(count));
    let mut clock = (NOW.0 as u64 - 40_000_000_000 + number * 400_000) << 16;
    let set = |field: &str, value: Value, prev: &[Stamp]| Change::Set {
        field: field.to_owned(),
        value: value.to_cbor(),
        prev: prev.to_vec(),
    };
    let mut state = Vec::new();
    if let Some(scribe) = scribes.get_mut(first) {
        for (field, value) in [
            ("title", Value::Text(text(dice, 6))),
            ("body", Value::Text(text(dice, 30))),
            ("state", Value::from("new")),
            ("priority", Value::Int(1 + dice.below(4) as i64)),
            ("kind", Value::from("incident")),
            ("queue", Value::from("ops")),
            ("requester", Value::Text(text(dice, 1))),
            ("ref", Value::Text(format!("T-{}", text(dice, 1)))),
        ] {
            clock += 1;
            let stamp = scribe.say(id, set(field, value, &[]), clock);
            if field == "state" {
                state = vec![stamp];
            }
        }
        clock += 1;
        let tag = Change::Flag {
            set: "tags".to_owned(),
            member: text(dice, 1),
            on: true,
        };
        scribe.say(id, tag, clock);
    }
    if let Some(scribe) = scribes.get_mut(second) {
        clock += 900_000 << 16;
        let owner = Value::Text(scribe.identity.device().to_string());
        scribe.say(id, set("owner", owner, &[]), clock);
        state = vec![scribe.say(id, set("state", Value::from("open"), &state), clock + 1)];
    }
    for turn in 0..2 {
        if let Some(scribe) = scribes.get_mut(if turn == 0 { first } else { second }) {
            clock += 600_000 << 16;
            let note = Change::Note {
                sort: "comment".to_owned(),
                author: "mira".to_owned(),
                text: text(dice, 5 + dice.clone().below(36)),
                at: (clock >> 16) as i64,
            };
            scribe.say(id, note, clock);
        }
    }
    if let Some(scribe) = scribes.get_mut(second).filter(|_| !open) {
        scribe.say(id, set("state", Value::from("closed"), &state), clock + 9);
    }
}

/// What the exam found: after the first part, after the excerpt, when all newest segments were read, and after all logs.
struct Stages {
    first: (Cost, usize),
    hot: (Cost, usize),
    newest: (Cost, usize),
    whole: (Cost, usize),
    operations: u64,
}

fn open_tickets(store: &Store) -> Found<usize> {
    let query = Query::parse_line("state:open", NOW, "").map_err(|why| format!("{why:?}"))?;
    let ask = Ask::Tickets { query, limit: None };
    match store.ask_wait(ask).map_err(words)? {
        Answer::Tickets { rows, .. } => Ok(rows.len()),
        _ => Err("tickets were asked".to_owned()),
    }
}

async fn send(
    scribe: &Scribe,
    from: usize,
    space: EntityId,
    (epoch, key): (Epoch, &[u8; 32]),
    bag: &DirectoryRemote,
    dice: &mut Dice,
) -> Found<()> {
    let whole = Piece {
        before: [0; 32],
        ops: scribe.ops.clone(),
    };
    let last = scribe.ops.len();
    // The first cut is where the last sending ended, so that the hashes fit.
    let cut = if from > 0 { from } else { 1000 };
    let mut pieces = whole.slices(cut);
    if from > 0 {
        pieces.remove(0);
    }
    for piece in pieces {
        let Some(first) = piece.ops.first().map(|op| op.seq) else {
            continue;
        };
        let segment = Segment {
            before: piece.before,
            ops: piece.ops,
        };
        let sealed = seal(&segment, space, epoch, key, &scribe.identity, dice).map_err(words)?;
        let name = SegmentName::fresh(scribe.identity.device(), first);
        bag.put_new(name, sealed).await.map_err(words)?;
    }
    let device = scribe.identity.device();
    let seq = last as u64;
    bag.set_head(Head { device, seq }).await.map_err(words)
}

async fn exam(devices: u64, tickets: u64, open: u64) -> Found<Stages> {
    let (folder, mut dice) = (scratch()?, Dice(3));
    let bag = DirectoryRemote::create(&folder.path().join("bag")).map_err(words)?;
    let mut machines = Vec::new();
    for slot in 0..2 {
        let machine = Machine::new(slot, folder.path().join(slot.to_string()))?;
        machine.set_clock(NOW.0);
        machines.push(machine);
    }
    let [veteran, joiner] = machines.as_slice() else {
        return Err("two machines".to_owned());
    };
    let store = veteran.store()?.clone();
    let mut engine = init(&veteran.keys(), &store, &bag, NOW, &mut dice)
        .await
        .map_err(words)?;
    let mut scribes = Vec::new();
    for number in 0..devices {
        let device = DeviceId(EntityId::derived("scribe", &number.to_string()));
        let identity = Identity::generate(device, &mut dice).map_err(words)?;
        engine
            .welcome(identity.public(), &store, &bag, NOW, &mut dice)
            .await
            .map_err(words)?;
        let ops = Vec::new();
        scribes.push(Scribe { identity, ops });
    }
    let other = own_identity(&joiner.keys(), joiner.store()?, &mut dice).map_err(words)?;
    engine
        .welcome(other.public(), &store, &bag, NOW, &mut dice)
        .await
        .map_err(words)?;
    let space = engine.space();
    let (epoch, key) = engine.ring().current(engine.roster()).ok_or("a key")?;
    let key = *key;
    for number in 0..tickets {
        live(number, number + open >= tickets, &mut scribes, &mut dice);
    }
    let total: u64 = scribes.iter().map(|scribe| scribe.ops.len() as u64).sum();
    let mut engine = engine.with_limits(Limits {
        excerpt_every: (total / 2).min(10_000),
        ..Limits::default()
    });
    let mut sent = Vec::new();
    for scribe in &scribes {
        send(scribe, 0, space, (epoch, &key), &bag, &mut dice).await?;
        sent.push(scribe.ops.len());
    }
    loop {
        let report = engine.round(&store, &bag, NOW, &mut dice).await;
        if let Some(why) = report.error {
            return Err(why.to_string());
        }
        if !report.more {
            break;
        }
    }
    // A day's work after the excerpt.
    for number in 0..devices {
        live(tickets + number, true, &mut scribes, &mut dice);
    }
    for (scribe, from) in scribes.iter().zip(sent) {
        if scribe.ops.len() > from {
            send(scribe, from, space, (epoch, &key), &bag, &mut dice).await?;
        }
    }
    let operations = scribes.iter().map(|scribe| scribe.ops.len() as u64).sum();

    let far = Far::new(bag);
    let store = joiner.store()?.clone();
    let limits = Limits {
        fetched: 0,
        excerpt_every: u64::MAX,
        ..Limits::default()
    };
    let small = Limits {
        round_bytes: 1,
        ..limits
    };
    let mut engine = SyncEngine::open(&joiner.keys(), space, &store)
        .await
        .map_err(words)?
        .with_limits(small);
    let mut seen = Vec::new();
    for turn in 0..300 {
        let report = engine.round(&store, &far, NOW, &mut dice).await;
        if let Some(why) = report.error {
            return Err(why.to_string());
        }
        let state = (far.cost(), open_tickets(&store)?);
        let done = super::super::engine::heard(|reply| store.kept("early/done", reply)).await;
        let done = !done.map_err(words)?.is_empty();
        if seen.is_empty() || (seen.len() == 1 && done) {
            seen.push(state);
        }
        if turn == 0 {
            engine = engine.with_limits(limits);
        }
        if done && report.ahead == 0 {
            seen.push(state);
            break;
        }
    }
    let mut engine = engine.with_limits(Limits {
        excerpt_every: u64::MAX,
        ..Limits::default()
    });
    for _ in 0..10_000 {
        let report = engine.round(&store, &far, NOW, &mut dice).await;
        if report.error.is_some() || !report.troubles.is_empty() {
            return Err(format!("{report:?}"));
        }
        if !report.more && report.learned == 0 {
            break;
        }
    }
    seen.push((far.cost(), open_tickets(&store)?));
    let [first, hot, newest, whole] = seen.try_into().map_err(|seen| format!("{seen:?}"))?;
    Ok(Stages {
        first,
        hot,
        newest,
        whole,
        operations,
    })
}

fn run(devices: u64, tickets: u64, open: u64) -> Found<Stages> {
    let _alone = ONE_WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(words)?;
    runtime.block_on(exam(devices, tickets, open))
}

fn tell(found: &Stages) {
    let line = |name: &str, (cost, tickets): (Cost, usize)| {
        format!(
            "{name}: {tickets} open tickets after {:.0} s ({} bytes down, {} up, {} round trips)\n",
            cost.seconds(),
            cost.down,
            cost.up,
            cost.trips
        )
    };
    let text = [
        format!("{} operations\n", found.operations),
        line("first part", found.first),
        line("excerpt", found.hot),
        line("newest segments", found.newest),
        line("all logs", found.whole),
    ];
    drop(std::io::stderr().write_all(text.concat().as_bytes()));
}

#[test]
fn a_new_device_is_of_use_long_before_it_has_all_logs() -> Result<(), Box<dyn Error>> {
    let found = run(5, 500, 80)?;
    tell(&found);
    let (tickets, newest) = (80, found.newest.0);
    assert!(found.hot.1 >= tickets, "every open ticket is there");
    assert_eq!((found.newest.1, found.whole.1), (tickets + 5, tickets + 5));
    assert!(found.first.1 > 0, "and some after the first part");
    // By bytes and calls, so that a busy machine fails nothing.
    let part = |cost: Cost| cost.down * 100 / found.whole.0.down;
    assert!(part(found.hot.0) < 30 && part(newest) < 35, "{newest:?}");
    let bytes = (found.hot.0.down - found.first.0.down) / tickets as u64;
    assert!(bytes < 700, "{bytes} bytes for each open ticket");
    // Roster and keys, heads, excerpts and their parts; then two calls for each log that moved since.
    assert!(newest.trips < 20, "{newest:?}");
    Ok(())
}

/// `QD_TICKETS=66000 cargo test --lib -- --ignored a_long_first_sync --nocapture`: fifteen operations each.
#[test]
#[ignore = "minutes; run by name"]
fn a_long_first_sync() -> Result<(), Box<dyn Error>> {
    let number = std::env::var("QD_TICKETS").ok();
    let tickets = number.and_then(|text| text.parse().ok()).unwrap_or(66_000);
    tell(&run(50, tickets, 5000)?);
    Ok(())
}
