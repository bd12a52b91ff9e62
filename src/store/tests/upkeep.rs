//! What the store does by itself: free pages are given back in slices, outputs of old runs go, never during a copy; what a
//! doctor sees; what is read out of a damaged file; and why nobody opens the file but SQLite.

use std::process::{Command, Stdio};

use super::*;
use crate::domain::ids::RunId;
use crate::domain::run::{CellState, RunFact, RunState, Tally};
use crate::store::upkeep::{Copying, Upkeep, give_back};

fn number(conn: &Connection, pragma: &str) -> Result<i64, rusqlite::Error> {
    conn.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))
}

fn doctor(store: &Store) -> Result<DoctorReport, StoreError> {
    match store.ask_wait(Ask::Doctor)? {
        Answer::Doctor(report) => Ok(report),
        other => unreachable!("the doctor was asked, not {other:?}"),
    }
}

fn bad(report: &DoctorReport) -> Vec<&str> {
    let bad = report.lines.iter().filter(|line| !line.ok);
    bad.map(|line| line.name.as_str()).collect()
}

/// Makes some thousands of free pages.
fn waste(folder: &Path) -> Result<Connection, rusqlite::Error> {
    let conn = raw(folder)?;
    conn.execute_batch(
        "CREATE TABLE waste (x BLOB);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
         INSERT INTO waste SELECT randomblob(4000) FROM n; DROP TABLE waste;",
    )?;
    Ok(conn)
}

#[test]
fn free_pages_go_in_slices_and_never_during_a_copy() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    add(&store, "one", [])?;
    drop(store);
    let conn = waste(folder.path())?;
    let free = number(&conn, "freelist_count")?;
    assert!(free > 2_000, "{free}");
    let copying = Copying::default();
    let mut upkeep = Upkeep::new(copying.clone(), 0);
    let device = DeviceId(EntityId::from_bytes([1; 16]));
    copying.set(true);
    upkeep.slice(&conn, device, NOW);
    assert_eq!(
        number(&conn, "freelist_count")?,
        free,
        "a copy is being made"
    );
    copying.set(false);
    upkeep.slice(&conn, device, NOW);
    let left = number(&conn, "freelist_count")?;
    assert!(
        (1..=300).contains(&(free - left)),
        "one slice is short: {free} {left}"
    );
    let pages = number(&conn, "page_count")?;
    while give_back(&conn)? {}
    assert!(number(&conn, "freelist_count")? < 1_024);
    assert!(number(&conn, "page_count")? < pages);
    drop(conn);
    assert_eq!(bad(&doctor(&open(folder.path())?)?), [""; 0]);
    Ok(())
}

#[test]
fn a_store_of_before_is_written_anew_once() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    let reference = add(&store, "one", [note(ticket("one"), "comment", "x", 1)])?;
    drop(store);
    let conn = raw(folder.path())?;
    conn.execute_batch("PRAGMA auto_vacuum = NONE; VACUUM")?;
    assert_eq!(number(&conn, "auto_vacuum")?, 0);
    drop(waste(folder.path())?);
    assert!(
        !give_back(&conn)?,
        "pages of such a file cannot be given back one by one"
    );
    drop(conn);
    let before = dump(folder.path())?;
    assert!(reform(folder.path())?);
    assert!(!reform(folder.path())?, "once is enough");
    let conn = raw(folder.path())?;
    assert_eq!(
        (
            number(&conn, "auto_vacuum")?,
            number(&conn, "freelist_count")?
        ),
        (2, 0)
    );
    drop(conn);
    assert_eq!(difference(&before, &dump(folder.path())?), [""; 0]);
    let store = open(folder.path())?;
    assert_eq!(show(&store, &reference)?.title, "one");
    assert_eq!(bad(&doctor(&store)?), [""; 0]);
    Ok(())
}

#[test]
fn outputs_of_old_runs_go_and_their_ends_stay() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    let day = 86_400_000;
    for (name, at) in [("old", NOW.plus(-40 * day)), ("young", NOW.plus(-3 * day))] {
        let run = RunId(EntityId::derived("run", name));
        let facts = [
            RunFact::StepFinished {
                at,
                host: "web1".to_owned(),
                step: 0,
                state: CellState::Failed,
                exit: Some(3),
                took_ms: 1,
                output: format!("output of {name}").into_bytes(),
                dropped: 0,
                reason: "exit 3".to_owned(),
            },
            RunFact::Finished {
                at,
                state: RunState::Failed,
                tally: Tally::default(),
            },
        ];
        store.append_wait(batch(facts.iter().map(|fact| fact.draft(run))))?;
    }
    let device = store.device();
    drop(store);
    let conn = raw(folder.path())?;
    let mut upkeep = Upkeep::new(Copying::default(), 30);
    for _ in 0..4 {
        upkeep.slice(&conn, device, NOW);
    }
    let mut never = Upkeep::new(Copying::default(), 0);
    never.slice(&conn, device, NOW);
    let left: Vec<(String, i64, String)> = conn
        .prepare(
            "SELECT coalesce(CAST(output AS TEXT), ''), exit, reason FROM run_step ORDER BY 1",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    let reason = || "exit 3".to_owned();
    assert_eq!(
        left,
        [
            (String::new(), 3, reason()),
            ("output of young".to_owned(), 3, reason())
        ]
    );
    drop(conn);
    assert_eq!(bad(&doctor(&open(folder.path())?)?), [""; 0]);
    Ok(())
}

#[test]
fn the_doctor_compares_every_view_with_the_log() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    add(&store, "one", [flag(ticket("one"), "tags", "db", true)])?;
    assert_eq!(bad(&doctor(&store)?), [""; 0]);
    let conn = raw(folder.path())?;
    conn.execute("UPDATE ticket SET title = 'another'", [])?;
    conn.execute("DELETE FROM flag", [])?;
    let report = doctor(&store)?;
    assert_eq!(bad(&report), ["views"]);
    let line = report.lines.iter().find(|line| !line.ok).ok_or("it")?;
    for name in ["tickets", "sets (0 rows, 1 in the log)", "--repair"] {
        assert!(line.detail.contains(name), "{}", line.detail);
    }
    store.rebuild_wait()?;
    assert_eq!(bad(&doctor(&store)?), [""; 0]);
    Ok(())
}

#[test]
fn rows_and_bytes_add_up_to_the_file() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    add(
        &store,
        "one",
        [note(ticket("one"), "comment", &"x".repeat(50_000), 1)],
    )?;
    let Answer::Size(rows) = store.ask_wait(Ask::Size)? else {
        return Err("sizes were asked".into());
    };
    let bytes = |kind: &str| {
        rows.iter()
            .find(|row| row.kind == kind)
            .map_or(0, |row| row.bytes)
    };
    assert!(
        bytes("comments") >= 50_000 && bytes("log") >= 50_000,
        "{rows:?}"
    );
    let sum: u64 = rows
        .iter()
        .filter(|row| !matches!(row.kind.as_str(), "file" | "recordings"))
        .map(|row| row.bytes)
        .sum();
    let file = bytes("file");
    // The schema and the pages that tell where pages are belong to nothing.
    assert!(
        sum <= file && sum * 10 >= file * 7,
        "{sum} of {file}: {rows:?}"
    );
    let tickets = rows.iter().find(|row| row.kind == "tickets").ok_or("it")?;
    assert_eq!(tickets.rows, Some(1));
    Ok(())
}

#[test]
fn what_can_be_read_of_a_damaged_store_comes_into_a_new_file() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    for n in 0..400 {
        let text = format!("{n} {}", "words ".repeat(60));
        store.append_wait(batch([note(
            ticket(&format!("t{}", n % 20)),
            "comment",
            &text,
            n,
        )]))?;
    }
    drop(store);
    let path = folder.path().join("store.db");
    // Pages of the log are spoilt: the store is closed, so its bytes may be written.
    let conn = raw(folder.path())?;
    let root: i64 = conn.query_row(
        "SELECT pageno FROM dbstat WHERE name = 'op' AND pagetype = 'leaf' ORDER BY pageno LIMIT 1 OFFSET 3",
        [],
        |row| row.get(0),
    )?;
    drop(conn);
    let mut bytes = std::fs::read(&path)?;
    let at = usize::try_from((root - 1) * 4096)?;
    bytes[at..at + 4096].fill(0x5a);
    std::fs::write(&path, &bytes)?;
    let to = folder.path().join("new.db");
    let done = salvage(folder.path(), &to, NOW, [7; 32])?;
    assert!(done.operations > 350 && done.lost > 0, "{done:?}");
    assert_eq!(done.operations + done.lost, 400, "{done:?}");
    assert_eq!(
        std::fs::read(&path)?,
        bytes,
        "the damaged file is as it was"
    );
    assert!(
        salvage(folder.path(), &to, NOW, [7; 32]).is_err(),
        "never over a file"
    );
    let report = verify(&to, NOW)?;
    assert_eq!(bad(&report), [""; 0], "{report:?}");
    let conn = Connection::open(&to)?;
    let notes: i64 = conn.query_row("SELECT count(*) FROM note", [], |row| row.get(0))?;
    assert_eq!(notes.unsigned_abs(), done.operations);
    drop(conn);
    let restored = restore(folder.path(), &to, NOW)?;
    assert!(restored.kept.is_some());
    Ok(())
}

/// What another process does: tries to write while we hold the lock. Without an order it is no test at all.
#[test]
fn other() -> Tested {
    let Ok(file) = std::env::var("QD_TEST_LOCK_OTHER") else {
        return Ok(());
    };
    let conn = Connection::open(file)?;
    conn.busy_timeout(std::time::Duration::ZERO)?;
    let done = conn.execute("INSERT INTO t VALUES (2)", []);
    std::process::exit(if done.is_ok() { 7 } else { 8 });
}

fn other_writes(file: &Path) -> Result<bool, Box<dyn Error>> {
    let status = Command::new(std::env::current_exe()?)
        .args(["--exact", "store::tests::upkeep::other", "--nocapture"])
        .env("QD_TEST_LOCK_OTHER", file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    match status.code() {
        Some(7) => Ok(true),
        Some(8) => Ok(false),
        other => Err(format!("the other process ended with {other:?}").into()),
    }
}

/// Why nobody opens the file but SQLite: POSIX locks go when any descriptor of the file is closed (fcntl(2)), and nobody
/// is told. A lint in tests/tidy keeps the program from it.
#[test]
fn reading_a_database_by_hand_drops_the_locks_of_its_process() -> Tested {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("some.db");
    let conn = Connection::open(&file)?;
    conn.execute_batch("CREATE TABLE t (x); BEGIN IMMEDIATE; INSERT INTO t VALUES (1);")?;
    assert!(!other_writes(&file)?, "the lock is held");
    drop(std::fs::read(&file)?);
    assert!(
        other_writes(&file)?,
        "the lock is gone, and this process does not know"
    );
    Ok(())
}
