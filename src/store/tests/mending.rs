//! What other processes and bad disks do to a store that is open: a restore while somebody writes, a newer program that
//! migrates, damage; and repairs that make nothing worse.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::crash::notes;
use super::*;
use crate::store::{before_repair, restore, salvage, verify};

fn says(store: &Store, text: &str) -> Result<Committed, StoreError> {
    store.append_wait(batch([note(ticket("one"), "comment", text, 1)]))
}

fn notes_of(file: &Path) -> Result<BTreeSet<String>, rusqlite::Error> {
    let conn = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut statement = conn.prepare("SELECT text FROM note")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    rows.collect()
}

/// What was acknowledged before a restore is in the file that is kept, what was acknowledged after it is in the store.
#[test]
fn no_acknowledged_write_is_lost_between_the_copy_and_the_replacement() -> Tested {
    let home = tempfile::tempdir()?;
    let folder = home.path().join("data");
    let file = home.path().join("backup.db");
    let store = open(&folder)?;
    add(&store, "one", [])?;
    store.backup_wait(&file)?;
    let stop = AtomicBool::new(false);
    let count = AtomicU64::new(0);
    let (said, found) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut said = BTreeSet::new();
            for n in 0_u64.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let text = format!("said {n}");
                // Busy is an answer too: nothing was promised.
                if says(&store, &text).is_ok() {
                    said.insert(text);
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
            said
        });
        let mut kept = Vec::new();
        let mut restored = Ok(());
        for round in 1..=12 {
            // In the midst of the writing, each time.
            let until = Instant::now() + Duration::from_secs(20);
            while count.load(Ordering::Relaxed) < 5 * round && Instant::now() < until {
                std::thread::yield_now();
            }
            match restore(&folder, &file, NOW) {
                Ok(done) => kept.extend(done.kept),
                Err(why) => restored = Err(why),
            }
        }
        stop.store(true, Ordering::Relaxed);
        let said = writer.join().unwrap_or_default();
        (said, restored.map(|()| kept))
    });
    let mut there = notes(&folder)?;
    let kept = found?;
    assert_eq!(kept.len(), 12);
    for file in kept {
        there.extend(notes_of(&file)?);
    }
    assert!(said.len() >= 60, "it wrote all the time: {}", said.len());
    let lost: Vec<_> = said.difference(&there).collect();
    assert!(
        lost.is_empty(),
        "{} of {}: {lost:?}",
        lost.len(),
        said.len()
    );
    drop(store);
    assert!(verify(&folder.join("store.db"), NOW)?.ok);
    Ok(())
}

#[test]
fn a_store_that_was_put_away_is_written_no_more() -> Tested {
    let home = tempfile::tempdir()?;
    let folder = home.path().join("data");
    let file = home.path().join("backup.db");
    let store = open(&folder)?;
    says(&store, "before")?;
    store.backup_wait(&file)?;
    // As a restore does that cannot read it.
    let away = folder.join("store-before-restore.db");
    for end in ["-shm", "-wal", ""] {
        let name = |path: &Path| format!("{}{end}", path.display());
        std::fs::rename(name(&folder.join("store.db")), name(&away))?;
    }
    restore(&folder, &file, NOW)?;
    let why = says(&store, "after").err().ok_or("it is refused")?;
    assert!(
        why.to_string().contains("put away") && why.to_string().contains("start it again"),
        "{why}"
    );
    assert!(store.ask_wait(Ask::Heads).is_err());
    drop(store);
    says(&open(&folder)?, "anew")?;
    assert_eq!(
        notes(&folder)?,
        BTreeSet::from(["anew".into(), "before".into()])
    );
    Ok(())
}

#[test]
fn what_a_newer_program_migrated_is_neither_written_nor_read() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    says(&store, "before")?;
    let conn = raw(folder.path())?;
    let known: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    for (version, words) in [
        (known + 1, "newer Quarterdeck"),
        (known - 1, "older schema"),
    ] {
        conn.execute_batch(&format!(
            "BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS shelf (x); PRAGMA user_version = {version}; COMMIT"
        ))?;
        for why in [
            says(&store, "after").err(),
            store.ask_wait(Ask::Heads).err(),
            store.rebuild_wait().err(),
        ] {
            let why = why.ok_or("it is refused")?;
            assert!(why.to_string().contains(words), "{why}");
            assert!(why.to_string().contains("start it again"), "{why}");
            assert!(why.is_permanent());
        }
        assert_eq!(notes(folder.path())?, BTreeSet::from(["before".to_owned()]));
    }
    conn.execute_batch(&format!("PRAGMA user_version = {known}"))?;
    says(&store, "again")?;
    Ok(())
}

/// Makes the table of comments lead to pages of another: everything else stays in order.
fn damage(folder: &Path) -> Tested {
    let conn = raw(folder)?;
    let version: i64 = conn.query_row("PRAGMA schema_version", [], |row| row.get(0))?;
    conn.execute_batch(&format!(
        "PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'ticket_ref')
         WHERE name = 'note';
         PRAGMA schema_version = {}; PRAGMA writable_schema = OFF;",
        version + 1
    ))?;
    Ok(())
}

#[test]
fn after_damage_nothing_more_is_written() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    let reference = add(&store, "one", [])?;
    damage(folder.path())?;
    store.append_wait(batch([set(ticket("one"), "title", "two")]))?;
    let why = says(&store, "into the damage").err().ok_or("it fails")?;
    assert!(matches!(why, StoreError::Damaged { .. }), "{why:?}");
    let commits = store.commits();
    let why = store.append_wait(batch([set(ticket("one"), "title", "three")]));
    let why = why.err().ok_or("nothing more is written")?;
    assert!(matches!(why, StoreError::Halted { .. }), "{why:?}");
    for words in ["writes nothing more", "qd restore", "--salvage"] {
        assert!(why.to_string().contains(words), "{why}");
    }
    assert_eq!(store.commits(), commits);
    drop(store);
    let conn = raw(folder.path())?;
    let title: String = conn.query_row("SELECT title FROM ticket", [], |row| row.get(0))?;
    assert_eq!(title, "two", "{reference}");
    Ok(())
}

#[test]
fn a_damaged_file_is_not_repaired_and_a_log_with_a_gap_is_kept_first() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    says(&store, "one")?;
    says(&store, "two")?;
    drop(store);
    assert_eq!(
        before_repair(folder.path(), NOW)?,
        None,
        "the log has it all"
    );
    let conn = raw(folder.path())?;
    conn.execute("DELETE FROM op WHERE seq = 1", [])?;
    let kept = before_repair(folder.path(), NOW)?.ok_or("a copy is kept")?;
    assert_eq!(notes_of(&kept)?.len(), 2);
    drop(conn);
    damage(folder.path())?;
    let bytes = || std::fs::read(folder.path().join("store.db"));
    let before = bytes()?;
    let why = before_repair(folder.path(), NOW)
        .err()
        .ok_or("it is refused")?;
    assert!(why.to_string().contains("--salvage"), "{why}");
    assert!(why.to_string().contains("nothing was repaired"), "{why}");
    assert_eq!(bytes()?, before);
    Ok(())
}

#[test]
fn good_rows_between_two_bad_places_are_salvaged() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    let text = "words ".repeat(60);
    for n in 0..6 {
        let drafts = (0..100).map(|m| note(ticket("t"), "comment", &format!("{n} {m} {text}"), n));
        store.append_wait(batch(drafts))?;
    }
    drop(store);
    let conn = raw(folder.path())?;
    conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
    let leaves: Vec<(i64, u64)> = conn
        .prepare(
            "SELECT pageno, ncell FROM dbstat WHERE name = 'op' AND pagetype = 'leaf' ORDER BY path",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?
        .collect::<Result<_, _>>()?;
    drop(conn);
    assert!(leaves.len() > 30, "{}", leaves.len());
    let path = folder.path().join("store.db");
    let mut bytes = std::fs::read(&path)?;
    // Three bad places; a page is good after each.
    let bad = [4, 5, 6, 7, 8, 10, 11, 12, 13, 15, 16, 17];
    let mut gone = 0;
    for (leaf, rows) in bad.iter().filter_map(|place| leaves.get(*place)) {
        let at = usize::try_from((leaf - 1) * 4096)?;
        bytes[at..at + 4096].fill(0x5a);
        gone += rows;
    }
    std::fs::write(&path, &bytes)?;
    let done = salvage(folder.path(), &folder.path().join("new.db"), NOW, [7; 32])?;
    // Every row of a page that can be read is there.
    assert!(gone > 0);
    assert_eq!((done.operations, done.lost), (600 - gone, gone), "{done:?}");
    Ok(())
}
