//! A space in a real PostgreSQL: what every remote must do, what a database adds, and what must never come through.

mod conformance;
mod crash;
mod grammar;
mod speed;
mod team;
mod trust;

use std::error::Error;
use std::path::Path;

use quarterdeck::domain::ids::{DeviceId, EntityId};
use quarterdeck::store::Store;
use quarterdeck::sync::{
    Code, Head, Joiner, ObjectKind, PostgresRemote, PostgresSurroundings, Put, Remote, RemoteError,
    SEGMENT_MAX, SegmentName, SpaceConfig, SystemRandom, ask_to_join, init, look_for_answer,
    own_identity,
};

use super::NOW;
use crate::support::lab::Failed;
use crate::support::postgres::{Pooler, Postgres};

/// What a test ends with; its parts wait on several threads.
type Tested = Result<(), Failed>;

/// An error of the tests beside these, which stays on its thread.
fn told<T>(result: Result<T, Box<dyn Error>>) -> Result<T, Failed> {
    result.map_err(|why| why.to_string().into())
}

fn open(folder: &Path, seed: fn() -> [u8; 32]) -> Result<Store, Failed> {
    told(super::open(folder, seed))
}

fn write(store: &Store, name: &str) -> Tested {
    told(super::write(store, name))
}

fn titles(store: &Store) -> Result<Vec<String>, Failed> {
    told(super::titles(store))
}

/// A device of a test.
pub(super) fn device(name: &str) -> DeviceId {
    DeviceId(EntityId::derived("device", name))
}

/// A session that knows nothing but a user's name.
pub(super) fn alone() -> PostgresSurroundings {
    PostgresSurroundings::default()
}

/// The remote at an address.
pub(super) fn remote(url: &str) -> Result<PostgresRemote, Failed> {
    Ok(PostgresRemote::open(url, alone())?)
}

/// A server with the tables.
pub(super) async fn server() -> Result<Postgres, Failed> {
    let server = Postgres::start()?;
    remote(&server.socket("owner", "qd", "main"))?
        .create()
        .await?;
    Ok(server)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_does_what_every_remote_does() -> Tested {
    let server = Postgres::start()?;
    // Nobody made the tables; that is found out by the first call, and by no reading of a place that should be there.
    let bag = remote(&server.socket("owner", "qd", "team-a"))?;
    let why = bag.heads().await.expect_err("there is nothing").to_string();
    assert!(why.contains("qd sync init"), "{why}");
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'quarterdeck'";
    assert_eq!(server.admin("qd", tables)?, "0");
    let bag = bag.making_tables();
    conformance::every_remote(&bag).await?;
    assert_eq!(server.admin("qd", tables)?, "5");

    // Another bag of the same database is empty, and the same set of rules holds there beside the first.
    let other = remote(&server.socket("owner", "qd", "team-b"))?;
    assert_eq!(other.heads().await?.names, []);
    conformance::every_remote(&other).await?;

    // Through a pooler that gives a connection for one transaction: many programs, two connections.
    let pooler = Pooler::start(&server, &["owner"])?;
    let at = |bag: &str| format!("postgres://owner@127.0.0.1:{}/qd?bag={bag}", pooler.port);
    let pooled = remote(&at("pooled"))?;
    conformance::every_remote(&pooled).await?;
    let crowd: Vec<_> = (0..8)
        .map(|number| {
            let bag = remote(&at("crowd"));
            tokio::spawn(async move {
                let (bag, device) = (bag?, device(&format!("crowd {number}")));
                for first in 1..=10u64 {
                    let name = SegmentName::fresh(device, first);
                    let sealed = vec![number; 500];
                    let head = Head { device, seq: first };
                    bag.publish(name, sealed.clone(), head).await?;
                    if bag.get(name).await? != sealed {
                        return Err::<_, Failed>("something else came back".into());
                    }
                }
                Ok(())
            })
        })
        .collect();
    for one in crowd {
        one.await??;
    }
    let heads = remote(&at("crowd"))?.heads().await?.names;
    assert_eq!(
        (heads.len(), heads.iter().all(|head| head.seq == 10)),
        (8, true)
    );
    // The pooler takes no settings, which is found out by each program once.
    assert!(
        pooler.log().contains("startup parameter"),
        "{}",
        pooler.log()
    );
    let sessions = "SELECT count(*) FROM pg_prepared_statements";
    assert_eq!(server.admin("qd", sessions)?, "0");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_of_us_wrote_is_told_or_refused() -> Tested {
    let server = server().await?;
    let bag = remote(&server.socket("owner", "qd", "odd"))?;
    let me = device("long");
    let name = SegmentName::fresh(me, 1);
    // The longest segment goes in and comes back; a longer one is refused here, and not fetched from there.
    let longest = vec![9; SEGMENT_MAX];
    assert_eq!(bag.put_new(name, longest.clone()).await?, Put::Created);
    assert!(bag.get(name).await? == longest, "48 MiB came back changed");
    let next = SegmentName::fresh(me, 2);
    let why = refusal(bag.put_new(next, vec![9; SEGMENT_MAX + 1]).await);
    assert!(matches!(why, RemoteError::TooLong { .. }), "{why}");
    let hex = me.to_string();
    for sql in [
        format!(
            "INSERT INTO quarterdeck.segment SELECT bag, device, 2, 0, sealed || '\\x00' FROM quarterdeck.segment WHERE device = decode('{hex}', 'hex')"
        ),
        format!("INSERT INTO quarterdeck.segment VALUES ('odd', decode('{hex}', 'hex'), 0, 0, '')"),
        format!("INSERT INTO quarterdeck.segment VALUES ('odd', decode('{hex}', 'hex'), 9, 3, '')"),
        "INSERT INTO quarterdeck.head VALUES ('odd', 'abc', 4)".to_owned(),
        format!("INSERT INTO quarterdeck.head VALUES ('odd', decode('{hex}', 'hex'), -4)"),
        "INSERT INTO quarterdeck.object VALUES ('odd', 'roster', 'A b', 'x')".to_owned(),
        "INSERT INTO quarterdeck.object VALUES ('odd', 'roster', 'long', decode(repeat('00', 1048577), 'hex'))".to_owned(),
    ] {
        server.admin("qd", &sql)?;
    }
    let why = refusal(bag.get(next).await);
    assert!(matches!(why, RemoteError::TooLong { .. }), "{why}");
    let listing = bag.list(me, 1).await?;
    assert_eq!(
        (listing.names, listing.strange.len()),
        (vec![name, next], 2)
    );
    let heads = bag.heads().await?;
    assert_eq!((heads.names, heads.strange.len()), (vec![], 2));
    let objects = bag.objects(ObjectKind::Roster).await?;
    assert_eq!(
        (objects.names.len(), objects.strange),
        (1, vec!["roster/A b".to_owned()])
    );
    let long = objects.names.first().ok_or("an object")?;
    let why = refusal(bag.get_object(long).await);
    assert!(matches!(why, RemoteError::TooLong { .. }), "{why}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_devices_meet_in_a_database() -> Tested {
    let server = Postgres::start()?;
    let home = tempfile::tempdir()?;
    let place = server.socket("owner", "qd", "space");
    two_devices(home.path(), &place).await?;
    // Nothing in the database shows a word.
    let words =
        "SELECT count(*) FROM quarterdeck.segment WHERE position('disk'::bytea IN sealed) > 0";
    assert_eq!(server.admin("qd", words)?, "0");
    let count = "SELECT count(*) > 0 FROM quarterdeck.segment";
    assert_eq!(server.admin("qd", count)?, "t");
    Ok(())
}

/// Two stores, two connections, a code, and what they then have in common.
async fn two_devices(home: &Path, place: &str) -> Tested {
    let (here, there) = (home.join("here"), home.join("there"));
    let (a, b) = (open(&here, || [1; 32])?, open(&there, || [2; 32])?);
    let (keys_a, keys_b) = (here.join("sync"), there.join("sync"));
    let bag_a = remote(place)?.making_tables();
    let bag_b = remote(place)?;
    let mut random = SystemRandom;
    write(&a, "disk full on db1")?;
    write(&b, "certificate of web2")?;
    let mut one = init(&keys_a, &a, &bag_a, NOW, &mut random).await?;
    assert!(
        init(&keys_b, &b, &bag_b, NOW, &mut random).await.is_err(),
        "the bag has a space already"
    );
    let joiner = Joiner::start(&own_identity(&keys_b, &b, &mut random)?, NOW, &mut random)?;
    let code = joiner.code().clone();
    ask_to_join(&joiner, &bag_b).await?;
    assert_eq!(look_for_answer(&code, &bag_b).await?, None);
    let typed = Code::parse(&code.to_string()).ok_or("a code")?;
    let (admitted, two) = tokio::join!(
        one.admit(&typed, None, &a, &bag_a, NOW, &mut random),
        super::come_in(joiner, &code, (&keys_b, &b), &bag_b, NOW)
    );
    admitted?;
    let mut two = two.map_err(|why| why.to_string())?;
    let config = SpaceConfig {
        space: two.space(),
        remote: bag_b.place(),
    };
    config.keep(&keys_b)?;
    // What is kept leads back to the same place.
    let kept = SpaceConfig::load(&keys_b)?.ok_or("a space")?;
    let bag_b = remote(&kept.remote)?;
    for _ in 0..2 {
        for (engine, store, bag) in [(&mut two, &b, &bag_b), (&mut one, &a, &bag_a)] {
            let report = engine.round(store, bag, NOW, &mut random).await;
            assert_eq!((report.error, report.troubles), (None, vec![]));
        }
    }
    assert_eq!(titles(&a)?, ["certificate of web2", "disk full on db1"]);
    assert_eq!(titles(&b)?, titles(&a)?);
    assert!(one.round(&a, &bag_a, NOW, &mut random).await.is_idle());

    // Twenty rounds with something to say make packs; a third reader has all of it from the bag alone.
    for number in 0..20 {
        write(&a, &format!("note {number}"))?;
        let report = one.round(&a, &bag_a, NOW, &mut random).await;
        assert_eq!((report.error, report.pending), (None, 0));
    }
    let names = bag_b.list(a.device(), 1).await?.names;
    assert!(names.iter().any(|name| name.pack.is_some()), "{names:?}");
    two.round(&b, &bag_b, NOW, &mut random).await;
    assert_eq!(titles(&b)?, titles(&a)?);
    assert_eq!(titles(&b)?.len(), 22);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_device_in_two_places_meets_itself() -> Tested {
    let server = server().await?;
    let place = server.socket("owner", "qd", "twins");
    let me = device("twin");
    // Both at once, many times: exactly one of them creates each name, and what it sent is what lies there.
    let twins = [remote(&place)?, remote(&place)?];
    for first in 1..=40u64 {
        let name = SegmentName::fresh(me, first);
        let head = Head {
            device: me,
            seq: first,
        };
        let [one, other] = &twins;
        let (one, other) = tokio::join!(
            one.publish(name, vec![1; 300], head),
            other.publish(name, vec![2; 300], head)
        );
        let (one, other) = (one?, other?);
        assert_ne!(one, other, "{name}");
        let winner = if one == Put::Created { 1 } else { 2 };
        assert_eq!(remote(&place)?.get(name).await?, vec![winner; 300]);
    }

    // Through the engine: a copied machine finds out, takes an id of its own, and nothing of either is lost.
    let home = tempfile::tempdir()?;
    let place = server.socket("owner", "qd", "copied");
    let mut random = SystemRandom;
    let (here, copied) = (home.path().join("here"), home.path().join("copied"));
    let a = open(&here, || [3; 32])?;
    let bag = remote(&place)?;
    let mut one = init(&here.join("sync"), &a, &bag, NOW, &mut random).await?;
    write(&a, "before the copy")?;
    one.round(&a, &bag, NOW, &mut random).await;
    let space = one.space();
    drop(a);
    copy(&here, &copied)?;
    let (a, b) = (open(&here, || [3; 32])?, open(&copied, || [4; 32])?);
    let id = a.device();
    assert_eq!(b.device(), id);
    write(&a, "written here")?;
    write(&b, "written in the copy")?;
    let mut one = quarterdeck::sync::SyncEngine::open(&here.join("sync"), space, &a).await?;
    let mut two = quarterdeck::sync::SyncEngine::open(&copied.join("sync"), space, &b).await?;
    for _ in 0..3 {
        let report = one.round(&a, &bag, NOW, &mut random).await;
        assert_eq!(report.error, None);
        let report = two.round(&b, &bag, NOW, &mut random).await;
        assert_eq!(report.error, None);
    }
    let all = ["before the copy", "written here", "written in the copy"];
    assert_eq!(titles(&a)?, all);
    assert_eq!(titles(&b)?, all);
    assert_ne!(b.device(), id);
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Tested {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    std::fs::set_permissions(to, std::fs::metadata(from)?.permissions())?;
    Ok(())
}

/// What was answered to something that must fail.
pub(super) fn refusal<T: std::fmt::Debug>(result: Result<T, RemoteError>) -> RemoteError {
    result.expect_err("it must fail")
}
