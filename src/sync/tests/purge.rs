//! Purges and excerpts: what was purged is in nothing that the bag holds, whoever put it there, and nobody who joins later is
//! shown it. The bag is read as a member reads it, with the keys.

use std::error::Error;
use std::path::Path;

use super::super::*;
use super::world::{Dice, Fate, LIMITS, Shaky, scratch};
use crate::domain::ids::{DeviceId, EntityId};
use crate::domain::op::{Draft, Entity, EntityKind, Value};
use crate::domain::time::Time;
use crate::store::{Options, Purge, Store, difference, dump};

type Tested = Result<(), Box<dyn Error>>;

const NOW: Time = Time(1_795_428_000_000);

/// Nobody but the maker makes excerpts, and who makes none has no reason to read the bag again.
const QUIET: Limits = Limits {
    excerpt_every: u64::MAX,
    fetched: 256,
    round_bytes: 1 << 20,
    ..LIMITS
};

const MAKING: Limits = Limits {
    excerpt_every: 8,
    ..QUIET
};

struct Member {
    home: std::path::PathBuf,
    store: Store,
    engine: SyncEngine,
}

impl Member {
    async fn round(&mut self, remote: &dyn Remote, dice: &mut Dice) -> Report {
        self.engine.round(&self.store, remote, NOW, dice).await
    }

    /// A round that gets through and has nothing to complain of.
    async fn fine(&mut self, bag: &DirectoryRemote, dice: &mut Dice) -> Report {
        let report = self.round(bag, dice).await;
        assert_eq!(
            (&report.error, report.troubles.as_slice()),
            (&None, &[][..])
        );
        report
    }

    /// Adds a ticket; answers its reference.
    fn add(&self, name: &str, body: &str) -> Result<String, Box<dyn Error>> {
        let entity = Entity {
            kind: EntityKind::Ticket,
            id: EntityId::derived("ticket", name),
        };
        let set = |field: &str, text: &str| Draft::Set {
            entity,
            field: field.to_owned(),
            value: Value::from(text),
        };
        let note = Draft::Note {
            entity,
            kind: "comment".to_owned(),
            author: "mira".to_owned(),
            text: format!("noted: {body}"),
            at: NOW.0,
        };
        let drafts = vec![
            set("title", name),
            set("body", body),
            note,
            Draft::Reference { entity },
        ];
        let committed = self.store.append_wait(drafts.into())?;
        let reference = committed.references.first().ok_or("a reference")?;
        Ok(reference.1.clone())
    }

    fn purge(&self, what: &str) -> Tested {
        let purge = Purge {
            what: what.to_owned(),
            field: None,
            author: "mira".to_owned(),
        };
        self.store.purge_wait(purge)?;
        Ok(())
    }

    /// Which things in the bag hold this word, read with the keys that this member has.
    async fn held(&self, bag: &DirectoryRemote, word: &str) -> Result<Vec<String>, Box<dyn Error>> {
        let holds = |body: &[u8]| {
            body.windows(word.len())
                .any(|piece| piece == word.as_bytes())
        };
        let mut found = Vec::new();
        for name in bag.objects(ObjectKind::Hot).await?.names {
            let part = PartName::parse(&name).ok_or("a part")?;
            let sealed = bag.get_object(&name).await?;
            let epoch = super::super::excerpt::epoch_of(&sealed).ok_or("an epoch")?;
            let key = self.engine.ring().key(epoch).ok_or("a key")?;
            let maker = self.engine.roster().member(part.maker).ok_or("a maker")?;
            let space = self.engine.space();
            let part = open_part(&sealed, part, space, key, &maker.public.signing)?;
            if part.ops.iter().any(|op| holds(&op.body)) {
                found.push(name.to_string());
            }
        }
        for Head { device, .. } in bag.heads().await?.names {
            for name in bag.list(device, 1).await?.names {
                let sealed = bag.get(name).await?;
                let header = Header::read(&sealed)?;
                let key = self.engine.ring().key(header.epoch).ok_or("a key")?;
                let segment = header.open(key)?;
                if segment.ops.iter().any(|op| holds(&op.body)) {
                    found.push(name.to_string());
                }
            }
        }
        Ok(found)
    }
}

/// An owner who founds, somebody who makes excerpts, somebody who purges; and who joins later.
struct Scene {
    folder: tempfile::TempDir,
    bag: DirectoryRemote,
    dice: Dice,
    owner: Member,
}

impl Scene {
    async fn new() -> Result<Self, Box<dyn Error>> {
        let folder = scratch()?;
        let mut dice = Dice(1);
        let bag = DirectoryRemote::create(&folder.path().join("bag"))?;
        let home = folder.path().join("owner");
        let store = Store::open(&home, || NOW, || [1; 32], Options::default())?;
        let engine = init(&home.join("keys"), &store, &bag, NOW, &mut dice).await?;
        let owner = Member {
            home,
            store,
            engine: engine.with_limits(QUIET),
        };
        Ok(Self {
            folder,
            bag,
            dice,
            owner,
        })
    }

    async fn let_in(
        &mut self,
        name: &str,
        seed: fn() -> [u8; 32],
        limits: Limits,
    ) -> Result<Member, Box<dyn Error>> {
        let home = self.folder.path().join(name);
        let keys = home.join("keys");
        let store = Store::open(&home, || NOW, seed, Options::default())?;
        let public = own_identity(&keys, &store, &mut self.dice)?.public();
        let (owner, dice) = (&mut self.owner, &mut self.dice);
        owner
            .engine
            .welcome(public, &owner.store, &self.bag, NOW, dice)
            .await?;
        let engine = SyncEngine::open(&keys, owner.engine.space(), &store).await?;
        Ok(Member {
            home,
            store,
            engine: engine.with_limits(limits),
        })
    }
}

/// Which files of a closed store hold this word.
fn bytes_hold(folder: &Path, word: &str) -> Result<Vec<String>, std::io::Error> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let bytes = if path.is_file() {
            std::fs::read(&path)?
        } else {
            Vec::new()
        };
        if bytes
            .windows(word.len())
            .any(|piece| piece == word.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
    Ok(found)
}

async fn excerpts(bag: &DirectoryRemote) -> Result<Vec<DeviceId>, Box<dyn Error>> {
    let names = bag.objects(ObjectKind::Hot).await?.names;
    Ok(names
        .iter()
        .filter_map(PartName::parse)
        .map(|part| part.maker)
        .collect())
}

#[tokio::test]
async fn an_excerpt_that_holds_what_somebody_else_wrote_and_purged_is_replaced() -> Tested {
    const WORD: &str = "hunter2zq7xk";
    let mut scene = Scene::new().await?;
    let mut maker = scene.let_in("maker", || [2; 32], MAKING).await?;
    let mut other = scene.let_in("other", || [3; 32], QUIET).await?;
    let (bag, mut dice) = (scene.bag.clone(), Dice(7));
    let mut secret = String::new();
    for number in 0..6 {
        let body = if number == 2 { WORD } else { "harmless" };
        let reference = scene.owner.add(&format!("ticket {number}"), body)?;
        if number == 2 {
            secret = reference;
        }
    }
    scene.owner.fine(&bag, &mut dice).await;
    for _ in 0..2 {
        maker.fine(&bag, &mut dice).await;
        other.fine(&bag, &mut dice).await;
    }
    let held = scene.owner.held(&bag, WORD).await?;
    assert!(held.iter().any(|name| name.contains("hot")), "{held:?}");
    assert!(held.len() >= 2, "and in a segment: {held:?}");
    let makers = excerpts(&bag).await?;
    assert!(makers.iter().all(|device| *device == maker.store.device()));

    // One who joins now takes it in, and only it.
    let none = Limits {
        fetched: 0,
        ..QUIET
    };
    let mut early = scene.let_in("early", || [4; 32], none).await?;
    let report = early.round(&bag, &mut dice).await;
    assert!(report.ahead > 0, "{report:?}");
    assert!(dump(&early.home)?.iter().any(|line| line.contains(WORD)));

    other.purge(&secret)?;
    other.fine(&bag, &mut dice).await;
    scene.owner.fine(&bag, &mut dice).await;
    maker.fine(&bag, &mut dice).await;
    assert_eq!(scene.owner.held(&bag, WORD).await?, [""; 0]);
    let after = excerpts(&bag).await?;
    assert!(!after.is_empty(), "there is a new one");
    // Once is enough.
    let names = bag.objects(ObjectKind::Hot).await?.names;
    maker.fine(&bag, &mut dice).await;
    assert!(maker.fine(&bag, &mut dice).await.is_idle());
    assert_eq!(bag.objects(ObjectKind::Hot).await?.names, names);

    let late = scene.let_in("late", || [5; 32], QUIET).await?;
    early.engine = early.engine.with_limits(QUIET);
    for mut joiner in [early, late] {
        let mut ahead = 0;
        for _ in 0..8 {
            ahead += joiner.round(&bag, &mut dice).await.ahead;
        }
        for member in [&mut scene.owner, &mut maker, &mut other] {
            for _ in 0..2 {
                member.round(&bag, &mut dice).await;
            }
        }
        assert!(
            joiner.home.ends_with("early") || ahead > 0,
            "it saw an excerpt"
        );
        joiner.fine(&bag, &mut dice).await;
        let differ = difference(&dump(&scene.owner.home)?, &dump(&joiner.home)?);
        assert_eq!(differ, [""; 0]);
        let home = joiner.home.clone();
        drop(joiner);
        assert_eq!(bytes_hold(&home, WORD)?, [""; 0]);
    }
    Ok(())
}

/// Wherever the line breaks, the next round that gets through leaves nothing of it in the bag, and loses nothing else.
#[tokio::test]
async fn a_purge_that_was_cut_anywhere_is_finished_by_the_next_round() -> Tested {
    let mut scene = Scene::new().await?;
    let mut maker = scene.let_in("maker", || [2; 32], MAKING).await?;
    let (bag, mut dice) = (scene.bag.clone(), Dice(9));
    let word = |number: usize| format!("secret{number}zq7xk");
    let mut references = Vec::new();
    for number in 0..16 {
        references.push(
            scene
                .owner
                .add(&format!("ticket {number}"), &word(number))?,
        );
        scene.owner.fine(&bag, &mut dice).await;
    }
    maker.fine(&bag, &mut dice).await;
    let mut cuts = 0;
    for (number, reference) in references.iter().enumerate() {
        let (word, fates) = (word(number), [Fate::Before, Fate::After]);
        assert!(scene.owner.held(&bag, &word).await?.len() >= 2, "{word}");
        scene.owner.purge(reference)?;
        for member in [&mut scene.owner, &mut maker] {
            let fate = fates.get(number % 2).copied();
            let line = Shaky::new(&bag, number, fate, Dice(number as u64), None);
            cuts += u32::from(member.round(&line, &mut dice).await.error.is_some());
            for _ in 0..2 {
                member.round(&bag, &mut dice).await;
            }
        }
        assert_eq!(scene.owner.held(&bag, &word).await?, [""; 0], "{number}");
    }
    assert!(cuts >= 16, "hardly a round was cut: {cuts}");
    let mut late = scene.let_in("late", || [5; 32], QUIET).await?;
    for _ in 0..12 {
        late.round(&bag, &mut dice).await;
        scene.owner.round(&bag, &mut dice).await;
    }
    let differ = difference(&dump(&scene.owner.home)?, &dump(&late.home)?);
    assert_eq!(differ, [""; 0]);
    Ok(())
}

/// The small segments stand beside their pack for a day, and both hold what is purged meanwhile.
#[tokio::test]
async fn segments_that_wait_to_be_removed_are_mended_too() -> Tested {
    let mut scene = Scene::new().await?;
    let (bag, mut dice) = (scene.bag.clone(), Dice(11));
    let mut references = Vec::new();
    for number in 0..6 {
        let body = format!("secret{number}zq7xk");
        references.push(scene.owner.add(&format!("ticket {number}"), &body)?);
        scene.owner.fine(&bag, &mut dice).await;
    }
    for number in 0..6 {
        let held = scene
            .owner
            .held(&bag, &format!("secret{number}zq7xk"))
            .await?;
        assert!(!held.is_empty(), "{number}");
    }
    for reference in &references {
        scene.owner.purge(reference)?;
    }
    scene.owner.fine(&bag, &mut dice).await;
    assert_eq!(scene.owner.held(&bag, "zq7xk").await?, [""; 0]);
    Ok(())
}
