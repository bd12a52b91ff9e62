//! Sync as the program uses it: two stores, a folder between them, a code, and what they then have in common.

mod blobs;
mod blobs_kill;
mod conformance;
mod exams;
mod flushes;
mod host_shells;
mod host_slow;
mod host_ssh;
mod postgres;
mod purge;
mod use_app;
mod use_far;
mod use_presence;
mod use_verbs;

use std::error::Error;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use quarterdeck::domain::ids::EntityId;
use quarterdeck::domain::op::{Draft, Entity, EntityKind, Value};
use quarterdeck::domain::time::Time;
use quarterdeck::store::{Answer, Ask, Options, Store};
use quarterdeck::sync::{
    Code, DirectoryRemote, Joiner, Public, Remote, SpaceConfig, SyncEngine, SystemRandom,
    ask_to_join, enter, init, look_for_answer, own_identity, prove,
};

type Tested = Result<(), Box<dyn Error>>;

const NOW: Time = Time(1_795_428_000_000);

fn open(folder: &Path, seed: fn() -> [u8; 32]) -> Result<Store, Box<dyn Error>> {
    Ok(Store::open(folder, || NOW, seed, Options::default())?)
}

fn write(store: &Store, name: &str) -> Tested {
    let entity = Entity {
        kind: EntityKind::Ticket,
        id: EntityId::derived("ticket", name),
    };
    let title = Draft::Set {
        entity,
        field: "title".to_owned(),
        value: Value::from(name),
    };
    store.append_wait(vec![title, Draft::Reference { entity }].into())?;
    Ok(())
}

fn titles(store: &Store) -> Result<Vec<String>, Box<dyn Error>> {
    let ask = Ask::Tickets {
        query: quarterdeck::domain::query::Query::default(),
        limit: None,
    };
    let Answer::Tickets { rows, .. } = store.ask_wait(ask)? else {
        return Err("tickets were asked".into());
    };
    let mut titles: Vec<String> = rows.into_iter().map(|row| row.title).collect();
    titles.sort();
    Ok(titles)
}

#[tokio::test]
async fn two_stores_meet_by_a_code_and_part_again() -> Tested {
    let home = tempfile::tempdir()?;
    let (here, there) = (home.path().join("here"), home.path().join("there"));
    let (a, b) = (open(&here, || [1; 32])?, open(&there, || [2; 32])?);
    let (keys_a, keys_b) = (here.join("sync"), there.join("sync"));
    let root = home.path().join("bag");
    let bag = DirectoryRemote::create(&root)?;
    let mut random = SystemRandom;
    write(&a, "disk full on db1")?;
    write(&b, "certificate of web2")?;

    let mut one = init(&keys_a, &a, &bag, NOW, &mut random).await?;
    assert!(
        init(&keys_b, &b, &bag, NOW, &mut random).await.is_err(),
        "the bag has a space already"
    );
    let report = sendable(one.round(&a, &bag, NOW, &mut random)).await;
    assert_eq!(
        (report.published > 0, report.pending, report.error),
        (true, 0, None)
    );

    let joiner = Joiner::start(&own_identity(&keys_b, &b, &mut random)?, NOW, &mut random)?;
    let code = joiner.code().clone();
    ask_to_join(&joiner, &bag).await?;
    assert_eq!(look_for_answer(&code, &bag).await?, None);
    let wrong = Code::parse("0000-0000-0000").ok_or("a code")?;
    let refused = one.admit(&wrong, None, &a, &bag, NOW, &mut random).await;
    assert!(refused.is_err(), "nobody shows that code");
    assert_eq!(one.asking(&code, &bag).await?, joiner_keys(&keys_b, &b)?);
    let typed = Code::parse(&code.to_string()).ok_or("a code")?;
    let mut dice = SystemRandom;
    let expected = Some(joiner_keys(&keys_b, &b)?);
    let (admitted, entered) = tokio::join!(
        one.admit(&typed, expected, &a, &bag, NOW, &mut dice),
        come_in(joiner, &code, (&keys_b, &b), &bag, NOW)
    );
    assert_eq!(admitted?, joiner_keys(&keys_b, &b)?);
    let mut two = entered?;
    SpaceConfig {
        space: two.space(),
        remote: root.display().to_string(),
    }
    .keep(&keys_b)?;
    assert_eq!(
        std::fs::read_dir(root.join("pairing"))?.count(),
        0,
        "the request is cleared away"
    );

    for _ in 0..2 {
        assert_eq!(two.round(&b, &bag, NOW, &mut random).await.troubles, []);
        assert_eq!(one.round(&a, &bag, NOW, &mut random).await.troubles, []);
    }
    assert_eq!(titles(&a)?, ["certificate of web2", "disk full on db1"]);
    assert_eq!(titles(&b)?, titles(&a)?);
    assert!(one.round(&a, &bag, NOW, &mut random).await.is_idle());

    // Nothing in the bag shows a word, and nobody else can look into it.
    for entry in walk(&root)? {
        let meta = entry.metadata()?;
        assert_eq!(meta.permissions().mode() & 0o077, 0, "{}", entry.display());
        if meta.is_file() {
            let bytes = std::fs::read(&entry)?;
            assert!(
                !bytes.windows(4).any(|word| word == b"disk"),
                "{}",
                entry.display()
            );
        }
    }
    let key = keys_b.join(format!("device-{}.key", b.device()));
    assert_eq!(std::fs::metadata(&key)?.permissions().mode() & 0o777, 0o600);

    // The second is sent away; the first goes on with a key that the second does not have.
    one.retire(b.device(), &a, &bag, NOW, &mut random).await?;
    write(&a, "after it left")?;
    one.round(&a, &bag, NOW, &mut random).await;
    let space = SpaceConfig::load(&keys_b)?.ok_or("a space")?.space;
    let mut again = SyncEngine::open(&keys_b, space, &b).await?;
    again.round(&b, &bag, NOW, &mut random).await;
    assert!(!titles(&b)?.contains(&"after it left".to_owned()));

    // Others can read the key: it is not used any more.
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644))?;
    assert!(SyncEngine::open(&keys_b, space, &b).await.is_err());
    Ok(())
}

fn joiner_keys(keys: &Path, store: &Store) -> Result<Public, Box<dyn Error>> {
    Ok(own_identity(keys, store, &mut SystemRandom)?.public())
}

/// What the joining device does from the answer on.
async fn come_in(
    joiner: Joiner,
    code: &Code,
    (keys, store): (&Path, &Store),
    bag: &dyn Remote,
    now: Time,
) -> Result<SyncEngine, Box<dyn Error>> {
    let answer = loop {
        if let Some(answer) = look_for_answer(code, bag).await? {
            break answer;
        }
        tokio::task::yield_now().await;
    };
    let admission = joiner.hear(&answer, now.plus(30_000))?;
    let mut random = SystemRandom;
    let early = enter(keys, admission, code, store, bag, now, &mut random).await;
    assert!(early.is_err(), "nobody is let in before the proof");
    prove(&admission, code, bag).await?;
    loop {
        let entered = enter(keys, admission, code, store, bag, now, &mut random).await;
        if let Ok(engine) = entered {
            return Ok(engine);
        }
        tokio::task::yield_now().await;
    }
}

/// A request that was put in the place of an honest one must not be given the keys: whoever keeps the bag sees the code's
/// first characters only.
#[tokio::test]
async fn a_request_of_the_remote_itself_is_given_no_keys() -> Tested {
    let home = tempfile::tempdir()?;
    let (here, there) = (home.path().join("here"), home.path().join("there"));
    let (a, b) = (open(&here, || [1; 32])?, open(&there, || [2; 32])?);
    let bag = DirectoryRemote::create(&home.path().join("bag"))?;
    let mut random = SystemRandom;
    let mut one = init(&here.join("sync"), &a, &bag, NOW, &mut random).await?;
    let honest = Joiner::start(
        &own_identity(&there.join("sync"), &b, &mut random)?,
        NOW,
        &mut random,
    )?;
    let code = honest.code().clone();
    // The remote makes a request with keys and a code of its own, under the name that it can see.
    let thief = own_identity(&home.path().join("thief"), &b, &mut random)?;
    let forged = Joiner::start(&thief, NOW, &mut random)?;
    bag.put_object(&code.request_name(), forged.request().to_vec())
        .await?;
    let guess = async {
        // It answers with what it can: it does not know the code, so the proof is a guess.
        while look_for_answer(&code, &bag).await?.is_none() {
            tokio::task::yield_now().await;
        }
        bag.put_object(&code.proof_name(), vec![7; 32]).await?;
        Ok::<(), Box<dyn Error>>(())
    };
    let mut dice = SystemRandom;
    let (admitted, guessed) = tokio::join!(one.admit(&code, None, &a, &bag, NOW, &mut dice), guess);
    guessed?;
    let why = admitted.expect_err("nobody is let in").to_string();
    assert!(why.contains("does not know the code"), "{why}");
    assert!(one.roster().member(b.device()).is_none());
    let expected = Some(joiner_keys(&there.join("sync"), &b)?);
    let swapped = one.admit(&code, expected, &a, &bag, NOW, &mut dice).await;
    assert!(
        swapped.is_err_and(|why| why.to_string().contains("has changed since")),
        "keys that nobody has seen"
    );
    Ok(())
}

/// A round must be able to run on any thread of the program.
fn sendable<T: Send>(round: T) -> T {
    round
}

fn walk(root: &Path) -> Result<Vec<std::path::PathBuf>, Box<dyn Error>> {
    let (mut found, mut open) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path.clone());
            }
            found.push(path);
        }
    }
    Ok(found)
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_not_an_empty_bag() -> Tested {
    let home = tempfile::tempdir()?;
    let store = open(&home.path().join("home"), || [1; 32])?;
    let root = home.path().join("stick");
    let bag = DirectoryRemote::create(&root)?;
    let mut random = SystemRandom;
    let mut engine = init(&home.path().join("keys"), &store, &bag, NOW, &mut random).await?;
    write(&store, "one")?;
    let lock = std::fs::File::open(home.path().join("keys").join("lock"))
        .or_else(|_| std::fs::File::create(home.path().join("keys").join("lock")))?;
    lock.lock()?;
    let report = engine.round(&store, &bag, NOW, &mut random).await;
    let why = report.error.map(|why| why.to_string()).unwrap_or_default();
    assert!(why.contains("another qd process"), "{why}");
    drop(lock);
    std::fs::rename(&root, home.path().join("pulled out"))?;
    let report = engine.round(&store, &bag, NOW, &mut random).await;
    let why = report.error.map(|why| why.to_string()).unwrap_or_default();
    assert!(why.contains("mounted"), "{why}");
    assert_eq!((report.pending > 0, root.exists()), (true, false));
    std::fs::rename(home.path().join("pulled out"), &root)?;
    let report = engine.round(&store, &bag, NOW, &mut random).await;
    assert_eq!(
        (report.pending, report.error, report.troubles),
        (0, None, vec![])
    );
    Ok(())
}
