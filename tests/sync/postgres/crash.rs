//! A server that dies: killed with all its processes while segments come in, started again, again and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use quarterdeck::sync::{Head, Put, Remote, RemoteError, SegmentName};

use super::{device, refusal, remote, server};
use crate::support::lab::Failed;
use crate::support::postgres::Pooler;
use crate::support::process::until;

use super::Tested;

/// What one writer knows: the names it was told are there, and the one whose answer it never heard.
struct Written {
    acknowledged: Vec<SegmentName>,
    uncertain: Option<SegmentName>,
}

fn content(name: SegmentName) -> Vec<u8> {
    name.to_string().repeat(20).into_bytes()
}

/// Publishes one after the other until the server does not answer.
async fn writer(
    place: String,
    number: usize,
    from: u64,
    count: Arc<AtomicUsize>,
) -> Result<Written, Failed> {
    let (bag, me) = (remote(&place)?, device(&format!("writer {number}")));
    let mut written = Written {
        acknowledged: Vec::new(),
        uncertain: None,
    };
    for first in from.. {
        let name = SegmentName::fresh(me, first);
        let head = Head {
            device: me,
            seq: first,
        };
        match bag.publish(name, content(name), head).await {
            Ok(_) => {
                written.acknowledged.push(name);
                count.fetch_add(1, Ordering::SeqCst);
            }
            Err(RemoteError::Unreachable { .. }) => {
                written.uncertain = Some(name);
                break;
            }
            Err(why) => return Err(why.into()),
        }
    }
    Ok(written)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_server_dies() -> Tested {
    let mut server = server().await?;
    let place = server.socket("owner", "qd", "crash");
    let bag = remote(&place)?;
    let mut next = [1u64; 4];
    let mut all = 0;
    for round in 0..2 {
        let count = Arc::new(AtomicUsize::new(0));
        let writers: Vec<_> = next
            .iter()
            .enumerate()
            .map(|(number, from)| tokio::spawn(writer(place.clone(), number, *from, count.clone())))
            .collect();
        tokio::task::block_in_place(|| {
            until("segments came in", || count.load(Ordering::SeqCst) > 60)
        })?;
        server.kill()?;
        let mut told = Vec::new();
        for writer in writers {
            told.push(writer.await??);
        }
        // Nothing is there now, and no name is said to be missing for that.
        let name = SegmentName::fresh(device("writer 0"), 1);
        let why = refusal(bag.get(name).await);
        assert!(matches!(why, RemoteError::Unreachable { .. }), "{why}");
        assert!(why.to_string().contains("safe"), "{why}");
        server.restart()?;
        for (number, written) in told.into_iter().enumerate() {
            for name in &written.acknowledged {
                assert_eq!(
                    bag.get(*name).await?,
                    content(*name),
                    "round {round}: {name}"
                );
            }
            all += written.acknowledged.len();
            // The one without an answer is there whole or not at all; made again, it is there once.
            let name = written.uncertain.ok_or("the server was killed")?;
            let head = Head {
                device: name.device,
                seq: name.first,
            };
            let there = bag.get(name).await;
            let put = bag.publish(name, content(name), head).await?;
            assert_eq!(put == Put::Exists, there.is_ok(), "{name}");
            assert_eq!(bag.get(name).await?, content(name));
            // Both or neither: a segment that is there has its head.
            let heads = bag.heads().await?.names;
            assert!(heads.contains(&head), "{heads:?} without {head:?}");
            if let Some(next) = next.get_mut(number) {
                *next = name.first + 1;
            }
        }
    }
    assert!(all > 120, "{all}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_ends_is_made_again_within_the_call() -> Tested {
    let server = server().await?;
    let bag = remote(&server.socket("owner", "qd", "ends"))?;
    let me = device("patient");
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'quarterdeck'";
    for first in 1..=5u64 {
        assert!(server.admin("qd", end)?.contains('t') || first == 1);
        let name = SegmentName::fresh(me, first);
        let head = Head {
            device: me,
            seq: first,
        };
        assert_eq!(bag.publish(name, content(name), head).await?, Put::Created);
    }
    // Nothing is left open.
    let idle = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'quarterdeck' AND state <> 'idle'";
    assert_eq!(server.admin("qd", idle)?, "0");

    // Somebody holds the table: the call waits, and when it is given up its connection goes with it, so that the next call
    // is not behind it.
    let name = SegmentName::fresh(me, 100);
    let lock =
        "BEGIN; LOCK TABLE quarterdeck.segment IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)";
    let (folder, port) = (server.socket_folder(), server.port);
    let holder = std::thread::spawn(move || {
        std::process::Command::new("psql")
            .args(["-X", "-q", "-U", "postgres", "-d", "qd", "-c", lock, "-p"])
            .arg(port.to_string())
            .arg("-h")
            .arg(folder)
            .env("PGAPPNAME", "holder")
            .output()
    });
    let held = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = 'quarterdeck.segment'::regclass";
    until("the table is held", || {
        server.admin("qd", held).is_ok_and(|count| count == "1")
    })?;
    let wait = std::time::Duration::from_millis(200);
    let cut = tokio::time::timeout(wait, bag.get(name)).await;
    assert!(cut.is_err(), "{cut:?}");
    let begun = std::time::Instant::now();
    assert_eq!(bag.heads().await?.names.len(), 1);
    assert!(begun.elapsed() < std::time::Duration::from_secs(20));
    // Behind a pooler the limit is the database's, and is told as such.
    server.admin("qd", "ALTER DATABASE qd SET statement_timeout = '300ms'")?;
    let pooler = Pooler::start(&server, &["owner"])?;
    let pooled = remote(&format!("postgres://owner@127.0.0.1:{}/qd", pooler.port))?;
    let why = refusal(pooled.get(name).await).to_string();
    assert!(why.contains("longer than the server allows"), "{why}");
    server.admin(
        "qd",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'",
    )?;
    assert!(holder.join().is_ok_and(|done| done.is_ok()));
    assert!(matches!(
        bag.get(name).await,
        Err(RemoteError::NotFound { .. })
    ));
    Ok(())
}
