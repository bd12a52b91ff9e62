//! Exams of sync that take processes, time or a million operations. Each has a short form in the suite; the long ones run by
//! name, see docs/developers/testing.md.

mod first;
mod growth;
mod kills;

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use quarterdeck::domain::ids::EntityId;
use quarterdeck::domain::op::{Draft, Entity, EntityKind, Value};
use quarterdeck::domain::time::Time;
use quarterdeck::store::{Options, Store};
use quarterdeck::sync::{
    DirectoryRemote, Joiner, Report, SpaceConfig, SyncEngine, SystemRandom, ask_to_join, init,
    own_identity,
};

type Tested = Result<(), Box<dyn Error>>;
type Found<T> = Result<T, Box<dyn Error>>;

fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Time(since.map_or(0, |since| since.as_millis() as i64))
}

fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    let mut bytes = std::fs::File::open("/dev/urandom").expect("a source of randomness");
    std::io::Read::read_exact(&mut bytes, &mut seed).expect("randomness");
    seed
}

/// A line for whoever reads the figures; it goes past the harness, which keeps what tests print.
fn tell(line: &str) -> Tested {
    std::io::stdout().write_all(format!("\n{line}\n").as_bytes())?;
    Ok(())
}

/// A small generator, so that an exam can be had again.
#[derive(Clone, Copy)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end.max(1)
    }

    /// So many words; few of them are common, as in any language.
    fn words(&mut self, count: u64) -> String {
        let mut text = String::new();
        for _ in 0..count {
            if !text.is_empty() {
                text.push(' ');
            }
            // Zipf's law: each of 50,000 words as often as its rank says.
            let place = self.below(1 << 53) as f64 / (1u64 << 53) as f64;
            let rank = 50_000f64.powf(place) as u64;
            let mut number = rank * 7_919 + 13;
            for _ in 0..2 + rank % 3 {
                text.push(char::from(b"bdfgklmnprst"[(number % 12) as usize]));
                number /= 12;
                text.push(char::from(b"aeiou"[(number % 5) as usize]));
                number = number / 5 + rank;
            }
        }
        text
    }
}

/// One device: a folder with its store and its keys.
struct Device {
    folder: PathBuf,
    store: Store,
}

impl Device {
    fn new(root: &Path, name: &str) -> Found<Self> {
        let folder = root.join(name);
        let store = Store::open(&folder, now, seed, Options::default())?;
        Ok(Self { folder, store })
    }

    fn keys(&self) -> PathBuf {
        self.folder.join("sync")
    }

    async fn engine(&self) -> Found<SyncEngine> {
        let space = SpaceConfig::load(&self.keys())?.ok_or("it is in a space")?;
        Ok(SyncEngine::open(&self.keys(), space.space, &self.store).await?)
    }

    fn join(&self, space: EntityId, bag: &Path) -> Tested {
        let remote = bag.display().to_string();
        Ok(SpaceConfig { space, remote }.keep(&self.keys())?)
    }

    /// Rounds until nothing moves any more.
    async fn settle(&self, engine: &mut SyncEngine, bag: &DirectoryRemote) -> Found<Report> {
        let mut sum = Report::default();
        loop {
            let round = engine
                .round(&self.store, bag, now(), &mut SystemRandom)
                .await;
            if let Some(why) = round.error {
                return Err(why.into());
            }
            if round.is_idle() {
                sum.troubles = round.troubles;
                return Ok(sum);
            }
            sum.published += round.published;
            sum.learned += round.learned;
        }
    }
}

/// A space with one founder, in whose bag others may come.
async fn found(root: &Path, name: &str) -> Found<(Device, SyncEngine, DirectoryRemote, PathBuf)> {
    let place = root.join("bag");
    let bag = DirectoryRemote::create(&place)?;
    let device = Device::new(root, name)?;
    let engine = init(
        &device.keys(),
        &device.store,
        &bag,
        now(),
        &mut SystemRandom,
    )
    .await?;
    device.join(engine.space(), &place)?;
    Ok((device, engine, bag, place))
}

/// Lets one more device in, by a code as people do.
async fn admit(
    host: &Device,
    engine: &mut SyncEngine,
    bag: &DirectoryRemote,
    place: &Path,
    new: &Device,
) -> Found<SyncEngine> {
    let random = &mut SystemRandom;
    let joiner = Joiner::start(
        &own_identity(&new.keys(), &new.store, random)?,
        now(),
        random,
    )?;
    let code = joiner.code().clone();
    ask_to_join(&joiner, bag).await?;
    let keys = new.keys();
    let (admitted, joined) = tokio::join!(
        engine.admit(&code, None, &host.store, bag, now(), random),
        super::come_in(joiner, &code, (&keys, &new.store), bag, now())
    );
    admitted?;
    let joined = joined?;
    new.join(joined.space(), place)?;
    Ok(joined)
}

fn ticket(name: &str) -> Entity {
    Entity {
        kind: EntityKind::Ticket,
        id: EntityId::derived("ticket", name),
    }
}

fn set(entity: Entity, field: &str, value: impl Into<Value>) -> Draft {
    Draft::Set {
        entity,
        field: field.to_owned(),
        value: value.into(),
    }
}

/// Writes about `count` operations as people do: tickets with a text, words and owners, and comments on them.
fn work(store: &Store, name: &str, count: u64) -> Found<u64> {
    let mut dice = Dice(name.bytes().fold(7, |sum, byte| sum * 31 + u64::from(byte)));
    let (mut done, mut number) = (0, 0);
    while done < count {
        let mut drafts = Vec::new();
        while drafts.len() < 500 && done + (drafts.len() as u64) < count {
            let entity = ticket(&format!("{name} {number}"));
            number += 1;
            drafts.push(set(entity, "title", dice.words(6)));
            drafts.push(set(entity, "body", dice.words(20)));
            drafts.push(set(entity, "priority", 1 + dice.below(4) as i64));
            drafts.push(set(entity, "owner", format!("person{}", dice.below(50))));
            drafts.push(Draft::Flag {
                entity,
                set: "tags".to_owned(),
                member: dice.words(1),
                on: true,
            });
            for _ in 0..4 {
                let words = 5 + dice.below(36);
                drafts.push(Draft::Note {
                    entity,
                    kind: "comment".to_owned(),
                    author: name.to_owned(),
                    text: dice.words(words),
                    at: now().0,
                });
            }
            drafts.push(set(entity, "state", "resolved"));
        }
        done += drafts.len() as u64;
        store.append_wait(drafts.into())?;
    }
    Ok(done)
}

/// All bytes in the files below a folder.
fn size(folder: &Path) -> Found<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        sum += if meta.is_dir() {
            size(&entry.path())?
        } else {
            meta.len()
        };
    }
    Ok(sum)
}
