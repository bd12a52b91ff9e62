//! A purge and the bag: the owner's segments go out again with blanks, the old ones go, and whoever comes later never sees
//! what was purged.

use std::path::Path;

use quarterdeck::domain::ids::DeviceId;
use quarterdeck::domain::op::is_blank;
use quarterdeck::store::{Answer, Ask, Logged, Purge, Store};
use quarterdeck::sync::{
    DirectoryRemote, Joiner, SyncEngine, SystemRandom, ask_to_join, init, own_identity,
};

use super::{NOW, Tested, open, titles, write};

fn log_of(store: &Store, device: DeviceId) -> Result<Vec<Logged>, Box<dyn std::error::Error>> {
    let ask = Ask::Log {
        device,
        from: 1,
        limit: u32::MAX,
    };
    match store.ask_wait(ask)? {
        Answer::Log(ops) => Ok(ops),
        _ => Err("a log was asked".into()),
    }
}

fn is_sound(store: &Store) -> Tested {
    let Answer::Chains(chains) = store.ask_wait(Ask::Chains)? else {
        return Err("chains were asked".into());
    };
    let broken: Vec<_> = chains
        .into_iter()
        .filter_map(|chain| chain.broken)
        .collect();
    assert_eq!(broken, []);
    Ok(())
}

/// The segments of a device in the bag, with the bytes of each.
fn segments(root: &Path, device: DeviceId) -> Result<Vec<(String, Vec<u8>)>, std::io::Error> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root.join("logs").join(device.to_string()))? {
        let path = entry?.path();
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        found.push((name.unwrap_or_default(), std::fs::read(&path)?));
    }
    found.sort();
    Ok(found)
}

async fn join(
    one: &mut SyncEngine,
    a: &Store,
    store: &Store,
    keys: &Path,
    bag: &DirectoryRemote,
) -> Result<SyncEngine, Box<dyn std::error::Error>> {
    let mut random = SystemRandom;
    let joiner = Joiner::start(&own_identity(keys, store, &mut random)?, NOW, &mut random)?;
    ask_to_join(&joiner, bag).await?;
    let code = joiner.code().clone();
    let (admitted, joined) = tokio::join!(
        one.admit(&code, None, a, bag, NOW, &mut random),
        super::come_in(joiner, &code, (keys, store), bag, NOW)
    );
    admitted?;
    joined
}

#[tokio::test]
async fn a_purge_reaches_the_segments_of_whoever_wrote_them() -> Tested {
    let home = tempfile::tempdir()?;
    let at = |name: &str| home.path().join(name);
    let (a, b) = (open(&at("a"), || [1; 32])?, open(&at("b"), || [2; 32])?);
    let root = at("bag");
    let bag = DirectoryRemote::create(&root)?;
    let mut random = SystemRandom;
    let mut one = init(&at("keys-a"), &a, &bag, NOW, &mut random).await?;
    // Three segments; the secret is in the middle one.
    for name in ["before", "the password is hunter2zq", "after"] {
        write(&a, name)?;
        let report = one.round(&a, &bag, NOW, &mut random).await;
        assert_eq!((report.error, report.pending), (None, 0));
    }
    let mut two = join(&mut one, &a, &b, &at("keys-b"), &bag).await?;
    for _ in 0..2 {
        two.round(&b, &bag, NOW, &mut random).await;
        one.round(&a, &bag, NOW, &mut random).await;
    }
    let before = segments(&root, a.device())?;
    let whole = log_of(&a, a.device())?;
    let secret = |op: &Logged| op.body.windows(9).any(|piece| piece == b"hunter2zq");
    let guilty: Vec<u64> = whole
        .iter()
        .filter(|op| secret(op))
        .map(|op| op.seq)
        .collect();
    assert!(!guilty.is_empty());

    // The other one purges; the owner hears of it and mends its own segments.
    let Answer::Tickets { rows, .. } = b.ask_wait(Ask::Tickets {
        query: quarterdeck::domain::query::Query::default(),
        limit: None,
    })?
    else {
        return Err("tickets were asked".into());
    };
    let row = rows.iter().find(|row| row.title.contains("hunter2zq"));
    let what = row.ok_or("the ticket")?.reference.clone();
    b.purge_wait(Purge {
        what,
        field: None,
        author: "mira".to_owned(),
    })?;
    let report = two.round(&b, &bag, NOW, &mut random).await;
    assert_eq!((report.error, report.troubles), (None, vec![]));
    let report = one.round(&a, &bag, NOW, &mut random).await;
    assert_eq!((report.error, report.troubles), (None, vec![]));
    assert!(log_of(&a, a.device())?.iter().all(|op| !secret(op)));
    let after = segments(&root, a.device())?;
    let gone: Vec<_> = before.iter().filter(|old| !after.contains(old)).collect();
    assert_eq!(gone.len(), 1, "only the one that held it: {:?}", gone[0].0);
    assert_eq!(after.iter().filter(|new| !before.contains(new)).count(), 1);
    // Once is enough: an idle round changes nothing.
    assert!(one.round(&a, &bag, NOW, &mut random).await.is_idle());
    assert_eq!(segments(&root, a.device())?, after);

    // Whoever comes now gets blanks from the bag itself, and everything else.
    let c = open(&at("c"), || [3; 32])?;
    let mut three = join(&mut one, &a, &c, &at("keys-c"), &bag).await?;
    let report = three.round(&c, &bag, NOW, &mut random).await;
    assert_eq!((report.error, report.troubles), (None, vec![]));
    let ops = log_of(&c, a.device())?;
    for op in &ops {
        assert!(!secret(op));
        assert!(is_blank(&op.body) || whole.contains(op) || op.seq > whole.len() as u64);
    }
    assert!(
        guilty
            .iter()
            .all(|seq| ops.iter().any(|op| op.seq == *seq && is_blank(&op.body)))
    );
    assert_eq!(titles(&c)?, ["(purged)", "after", "before"]);
    for store in [&a, &b, &c] {
        is_sound(store)?;
        assert_eq!(titles(store)?, titles(&c)?);
    }
    Ok(())
}

/// The owner purges before it ever published, and what is purged in a pack is mended too.
#[tokio::test]
async fn packs_and_what_was_never_sent_are_blank_as_well() -> Tested {
    let home = tempfile::tempdir()?;
    let at = |name: &str| home.path().join(name);
    let a = open(&at("a"), || [1; 32])?;
    let root = at("bag");
    let bag = DirectoryRemote::create(&root)?;
    let mut random = SystemRandom;
    let engine = init(&at("keys"), &a, &bag, NOW, &mut random).await?;
    let mut engine = engine.with_limits(quarterdeck::sync::Limits {
        small: 2,
        grace: std::time::Duration::ZERO,
        ..quarterdeck::sync::Limits::default()
    });
    for number in 0..8 {
        write(&a, &format!("ticket {number} hunter2zq"))?;
        engine.round(&a, &bag, NOW, &mut random).await;
    }
    let packs = |root: &Path| -> Result<usize, Box<dyn std::error::Error>> {
        let found = segments(root, a.device())?;
        Ok(found
            .iter()
            .filter(|(name, _)| name.ends_with(".pack"))
            .count())
    };
    assert!(packs(&root)? >= 1);
    let Answer::Tickets { rows, .. } = a.ask_wait(Ask::Tickets {
        query: quarterdeck::domain::query::Query::default(),
        limit: None,
    })?
    else {
        return Err("tickets were asked".into());
    };
    for row in rows {
        a.purge_wait(Purge {
            what: row.reference,
            field: None,
            author: "mira".to_owned(),
        })?;
    }
    let before = segments(&root, a.device())?;
    let report = engine.round(&a, &bag, NOW, &mut random).await;
    assert_eq!((report.error, report.troubles), (None, vec![]));
    let after = segments(&root, a.device())?;
    // Every segment of before held a purged operation, or none that is left does.
    let kept: Vec<_> = before.iter().filter(|old| after.contains(old)).collect();
    assert!(
        kept.is_empty(),
        "{:?}",
        kept.iter().map(|(name, _)| name).collect::<Vec<_>>()
    );
    let b = open(&at("b"), || [2; 32])?;
    let mut other = join(&mut engine, &a, &b, &at("keys-b"), &bag).await?;
    let report = other.round(&b, &bag, NOW, &mut random).await;
    assert_eq!((report.error, report.troubles), (None, vec![]));
    assert_eq!(titles(&b)?, titles(&a)?);
    assert!(titles(&b)?.iter().all(|title| title == "(purged)"));
    is_sound(&b)
}
