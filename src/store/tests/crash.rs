//! Many at once, and sudden ends: group commit, several processes on one file, kill -9, a full disk.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write, stdout};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use super::*;
use crate::store::writer::data_version;

/// Tells [`child`] what to do: a folder, a name, and how many batches.
const ORDER: &str = "QD_TEST_STORE_CHILD";

/// Long enough for a loaded machine; nothing waits this long when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a child process does; without an order it is no test at all.
#[test]
fn child() -> Tested {
    let Ok(order) = std::env::var(ORDER) else {
        return Ok(());
    };
    let parts: Vec<&str> = order.split('|').collect();
    let &[folder, name, count] = parts.as_slice() else {
        return Err("an order has three parts".into());
    };
    let store = open(Path::new(folder))?;
    for n in 0..count.parse::<u64>()? {
        let text = format!("{name} {n}");
        // Two operations, so that half a batch would show.
        let drafts = [
            note(ticket(name), "comment", &text, 1),
            set(ticket(name), "title", text.as_str()),
        ];
        store.append_wait(batch(drafts))?;
        // The pipe keeps what was said when this process is killed.
        stdout().write_all(format!("\nack {text}\n").as_bytes())?;
    }
    Ok(())
}

/// Starts a process that writes and says what was acknowledged.
pub(super) fn spawn(
    folder: &Path,
    name: &str,
    count: u64,
    with: impl FnOnce(&mut Command),
) -> Result<Child, std::io::Error> {
    let mut command = Command::new(std::env::current_exe()?);
    with(&mut command);
    command
        .args(["--exact", "store::tests::crash::child", "--nocapture"])
        .env(ORDER, format!("{}|{name}|{count}", folder.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
}

/// The acknowledgements in a child's output, until it ends.
pub(super) fn acks(
    child: &mut Child,
) -> Result<impl Iterator<Item = String> + use<>, Box<dyn Error>> {
    let out = child.stdout.take().ok_or("its output is a pipe")?;
    Ok(BufReader::new(out)
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| Some(line.strip_prefix("ack ")?.to_owned())))
}

pub(super) fn notes(folder: &Path) -> Result<BTreeSet<String>, rusqlite::Error> {
    let conn = raw(folder)?;
    let mut statement = conn.prepare("SELECT text FROM note")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    rows.collect()
}

pub(super) fn sound(store: &Store) -> Tested {
    match store.ask_wait(Ask::Doctor)? {
        Answer::Doctor(report) => assert!(report.ok, "{report:?}"),
        other => unreachable!("the doctor was asked, not {other:?}"),
    }
    Ok(())
}

#[test]
fn four_processes_write_one_file_and_none_is_turned_away() -> Tested {
    many(250)
}

/// Four processes write `count` batches each; a single refusal would end its process.
pub(super) fn many(count: u64) -> Tested {
    let folder = tempfile::tempdir()?;
    let mut children = Vec::new();
    for name in ["a", "b", "c", "d"] {
        children.push(spawn(folder.path(), name, count, |_| ())?);
    }
    let mut said = BTreeSet::new();
    for child in &mut children {
        said.extend(acks(child)?);
        assert!(child.wait()?.success());
    }
    assert_eq!(said.len() as u64, 4 * count);
    assert_eq!(notes(folder.path())?, said);
    let store = open(folder.path())?;
    // One device, numbers without a gap, although four processes gave them.
    let Answer::Heads(heads) = store.ask_wait(Ask::Heads)? else {
        unreachable!("heads were asked")
    };
    assert_eq!(heads, [(store.device(), 8 * count)]);
    sound(&store)
}

#[test]
fn what_was_acknowledged_survives_a_kill() -> Tested {
    let folder = tempfile::tempdir()?;
    let mut said = BTreeSet::new();
    for round in 0..12_usize {
        let mut child = spawn(folder.path(), &format!("round{round}"), u64::MAX, |_| ())?;
        let mut acks = acks(&mut child)?;
        said.extend(acks.by_ref().take(1 + round * 3));
        child.kill()?;
        said.extend(acks);
        child.wait()?;
        let stored = notes(folder.path())?;
        let lost: Vec<_> = said.difference(&stored).collect();
        assert!(lost.is_empty(), "{lost:?}");
    }
    let store = open(folder.path())?;
    let Answer::Heads(heads) = store.ask_wait(Ask::Heads)? else {
        unreachable!("heads were asked")
    };
    // No batch is half there.
    assert_eq!(
        heads,
        [(store.device(), 2 * notes(folder.path())?.len() as u64)]
    );
    sound(&store)
}

/// Holds the write lock, as a slow process would.
struct Blocker(Connection);

impl Blocker {
    fn new(folder: &Path) -> rusqlite::Result<Self> {
        let conn = raw(folder)?;
        conn.execute_batch("BEGIN IMMEDIATE")?;
        Ok(Self(conn))
    }

    fn release(self) -> rusqlite::Result<()> {
        self.0.execute_batch("COMMIT")
    }
}

type Heard = Receiver<Result<Committed, StoreError>>;

fn queue(store: &Store, batches: impl IntoIterator<Item = Batch>) -> Heard {
    let (answer, heard) = sync_channel(10_000);
    for batch in batches {
        let answer = answer.clone();
        store.append(batch, move |result| drop(answer.try_send(result)));
    }
    heard
}

#[test]
fn what_waits_while_the_writer_is_busy_is_committed_together() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    let before = store.commits();
    let blocker = Blocker::new(folder.path())?;
    let heard = queue(
        &store,
        (0..200).map(|n| batch([note(ticket("one"), "comment", &n.to_string(), n)])),
    );
    blocker.release()?;
    let mut seqs = Vec::new();
    for _ in 0..200 {
        seqs.push(heard.recv_timeout(PATIENCE)??.seq);
    }
    assert_eq!(seqs, (1..=200).collect::<Vec<_>>(), "in the order queued");
    // At most what the writer took before it had to wait, and the rest.
    assert!(
        store.commits() - before <= 2,
        "{}",
        store.commits() - before
    );
    assert_eq!(notes(folder.path())?.len(), 200);
    Ok(())
}

#[test]
fn a_failing_batch_takes_back_only_itself() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    let host = Entity {
        kind: EntityKind::Host,
        id: EntityId::derived("host", "web1"),
    };
    let good = |text: &str| batch([note(ticket("one"), "comment", text, 1)]);
    let bad = batch([
        note(ticket("one"), "comment", "never", 1),
        Draft::Reference { entity: host },
    ]);
    let blocker = Blocker::new(folder.path())?;
    let heard = queue(&store, [good("first"), bad, good("second")]);
    blocker.release()?;
    assert_eq!(heard.recv_timeout(PATIENCE)??.seq, 1);
    assert!(matches!(
        heard.recv_timeout(PATIENCE)?,
        Err(StoreError::Refused { .. })
    ));
    assert_eq!(
        heard.recv_timeout(PATIENCE)??.seq,
        2,
        "the number was not used up"
    );
    let stored: Vec<String> = notes(folder.path())?.into_iter().collect();
    assert_eq!(stored, ["first", "second"]);
    sound(&store)
}

#[test]
fn a_full_queue_says_so_and_loses_nothing() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    let blocker = Blocker::new(folder.path())?;
    let batches = (0..2_500).map(|n| batch([note(ticket("one"), "comment", &n.to_string(), n)]));
    let heard = queue(&store, batches);
    blocker.release()?;
    let (mut stored, mut busy) = (0, 0);
    for _ in 0..2_500 {
        match heard.recv_timeout(PATIENCE)? {
            Ok(_) => stored += 1,
            Err(StoreError::Busy) => busy += 1,
            Err(other) => return Err(other.into()),
        }
    }
    assert!(
        stored >= 1_024 && busy > 0,
        "{stored} stored, {busy} turned away"
    );
    assert_eq!(notes(folder.path())?.len(), stored);
    Ok(())
}

#[test]
fn only_commits_of_others_are_told() -> Tested {
    let folder = tempfile::tempdir()?;
    let (told, heard) = sync_channel(100);
    let options = Options {
        changed: Some(Box::new(move || told.try_send(()).unwrap_or_default())),
        ..Options::default()
    };
    let ours = Store::open(folder.path(), now, || [1; 32], options)?;
    let theirs = open(folder.path())?;
    assert_eq!(ours.device(), theirs.device(), "one folder is one device");
    add(&theirs, "one", [])?;
    heard.recv_timeout(PATIENCE)?;
    for n in 0..5 {
        add(&ours, &format!("own {n}"), [])?;
    }
    add(&theirs, "two", [])?;
    heard.recv_timeout(PATIENCE)?;
    assert!(heard.try_recv().is_err(), "our own commits are no news");
    Ok(())
}

#[test]
fn the_last_handle_may_go_inside_a_reply() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    let (answer, heard) = sync_channel(1);
    let last = store.clone();
    store.append(
        batch([note(ticket("one"), "comment", "x", 1)]),
        move |result| {
            drop(last);
            drop(answer.try_send(result));
        },
    );
    drop(store);
    assert!(heard.recv_timeout(PATIENCE)?.is_ok());
    Ok(())
}

#[test]
fn what_is_queued_when_the_last_handle_goes_is_stored() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    let blocker = Blocker::new(folder.path())?;
    let heard = queue(
        &store,
        (0..50).map(|n| batch([note(ticket("one"), "comment", &n.to_string(), n)])),
    );
    blocker.release()?;
    drop(store);
    let answers: Vec<_> = heard.try_iter().collect();
    assert!(answers.len() == 50 && answers.iter().all(Result::is_ok));
    assert_eq!(notes(folder.path())?.len(), 50);
    Ok(())
}

/// A writer without its thread, so that its connection can be given limits.
fn writer(folder: &Path) -> Result<Writer, Box<dyn Error>> {
    let Prepared {
        opener,
        device,
        conn,
        ..
    } = Opener::prepare(folder, false, || [1; 32])?;
    Ok(Writer {
        watch: opener.watch(),
        seen: data_version(&conn),
        conn,
        opener,
        device: crate::store::writer::Whose::new(device),
        now,
        changed: None,
        writes: true,
        upkeep: crate::store::upkeep::Upkeep::default(),
    })
}

fn group(
    writer: &Writer,
    batches: impl IntoIterator<Item = Batch>,
) -> Vec<Result<Committed, StoreError>> {
    let (answer, heard) = sync_channel(10);
    let job = |batch| {
        let answer = answer.clone();
        Job::Append(batch, Box::new(move |result| drop(answer.try_send(result))))
    };
    writer.group(batches.into_iter().map(job).collect());
    heard.try_iter().collect()
}

#[test]
fn a_full_disk_is_said_and_what_was_acknowledged_stays() -> Tested {
    let folder = tempfile::tempdir()?;
    let writer = writer(folder.path())?;
    let say = |text: String| batch([note(ticket("one"), "comment", &text, 1)]);
    let pages: i64 = writer
        .conn
        .query_row("PRAGMA page_count", [], |row| row.get(0))?;
    writer.conn.query_row(
        &format!("PRAGMA max_page_count = {}", pages + 8),
        [],
        |_| Ok(()),
    )?;
    let full = StoreError::Full {
        path: folder.path().join("store.db"),
    };
    let big = "x".repeat(200_000);
    let mut acknowledged = BTreeSet::new();
    for round in 0..3 {
        let texts = [
            format!("before {round}"),
            format!("{big}{round}"),
            format!("after {round}"),
        ];
        let results = group(&writer, texts.clone().map(&say));
        assert_eq!(results.get(1), Some(&Err(full.clone())));
        let kept = texts
            .into_iter()
            .zip(results)
            .filter(|(_, result)| result.is_ok());
        acknowledged.extend(kept.map(|(text, _)| text));
        assert_eq!(notes(folder.path())?, acknowledged);
    }
    writer
        .conn
        .query_row("PRAGMA max_page_count = 1000000", [], |_| Ok(()))?;
    assert!(
        group(&writer, [say(big)]).iter().all(Result::is_ok),
        "space was freed"
    );
    drop(writer);
    sound(&open(folder.path())?)
}

#[test]
fn a_file_that_may_not_be_written_is_said() -> Tested {
    let folder = tempfile::tempdir()?;
    let mut writer = writer(folder.path())?;
    writer.conn = writer
        .opener
        .read()
        .map_err(|why| why.at(&writer.opener.path))?;
    let results = group(&writer, [batch([note(ticket("one"), "comment", "x", 1)])]);
    let path: PathBuf = folder.path().join("store.db");
    assert_eq!(results, [Err(StoreError::ReadOnly { path })]);
    Ok(())
}
