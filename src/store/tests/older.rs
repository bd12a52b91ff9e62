//! Files of every schema that there was: copied, examined, read, restored, brought up to date; and operations that the
//! program of then did not understand.

use super::*;
use crate::domain::op::{Change, Op};
use crate::store::open::{SCHEMAS, as_of};
use crate::store::{age, aside, copy, restore, tables, verify};

fn body(kind: EntityKind, name: &str, record: &str, fields: &[(&str, Value)]) -> Vec<u8> {
    let fields = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    let op = Op {
        entity: kind.name().to_owned(),
        id: EntityId::derived(kind.name(), name),
        change: Change::Record {
            name: record.to_owned(),
            fields,
        },
    };
    op.encode()
}

/// What a session's own device says of a recording that is in the space: no program of the first schemas knew it.
fn shared() -> Vec<u8> {
    let fields = [
        ("blob", Value::Bytes(vec![7; 16])),
        ("bytes", Value::Int(9)),
        ("part", Value::Int(4)),
        ("hash", Value::Bytes(vec![8; 16])),
    ];
    body(EntityKind::Session, "one", "session.shared", &fields)
}

/// Puts operations into the log without folding them, as a program did that did not know them.
fn unread(conn: &Connection, device: DeviceId, bodies: Vec<Vec<u8>>) -> Tested {
    for body in bodies {
        let (seq, before) = log::head(conn, device)?;
        let op = Logged {
            device,
            seq: seq + 1,
            hlc: Hlc((NOW.0.cast_unsigned() << 16) + 1_000 + seq),
            body,
        };
        if log::insert(conn, &op, &log::link(&before, &op)).is_err() {
            return Err("it can be written".into());
        }
    }
    Ok(())
}

/// A store as a program of schema `count` left it: tickets, comments, a host, a case, a run's start, a session, and what
/// only later programs understand.
fn left_by(folder: &Path, count: usize) -> Tested {
    let Prepared {
        conn,
        device,
        opener,
        ..
    } = as_of(folder, count)?;
    let host = Entity {
        kind: EntityKind::Host,
        id: EntityId::derived("host", "web1"),
    };
    let record = |kind: EntityKind, name: &str, record: &str, text: &str| Draft::Record {
        entity: Entity {
            kind,
            id: EntityId::derived(kind.name(), name),
        },
        name: record.to_owned(),
        fields: [("text".to_owned(), Value::from(text))].into(),
    };
    let one = ticket("one");
    let drafts = vec![
        set(one, "title", "one"),
        Draft::Reference { entity: one },
        set(one, "later", "a field of a later program"),
        flag(one, "tags", "db", true),
        note(one, "comment", "looked at it", NOW.0),
        set(host, "name", "web1"),
        record(EntityKind::Case, "one", "case", "begun"),
        record(EntityKind::Run, "one", "run.started", ""),
        record(EntityKind::Session, "one", "session.opened", ""),
    ];
    conn.execute_batch("BEGIN IMMEDIATE")?;
    log::append(&conn, device, NOW, &batch(drafts)).map_err(|why| why.at(&opener.path))?;
    let login = [("host", Value::from("web1")), ("user", Value::from("mira"))];
    unread(
        &conn,
        device,
        vec![shared(), body(EntityKind::Audit, "x", "login", &login)],
    )?;
    // No program of then left a mark.
    conn.execute("DELETE FROM meta WHERE name IN ('fold', 'unread')", [])?;
    conn.execute_batch("COMMIT")?;
    Ok(())
}

fn count(folder: &Path, table: &str) -> Result<i64, rusqlite::Error> {
    raw(folder)?.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
        row.get(0)
    })
}

fn schema(file: &Path) -> Result<i64, rusqlite::Error> {
    Connection::open(file)?.query_row("PRAGMA user_version", [], |row| row.get(0))
}

#[test]
fn a_file_of_every_schema_is_copied_read_restored_and_brought_up_to_date() -> Tested {
    for version in 1..=SCHEMAS {
        let home = tempfile::tempdir()?;
        let folder = home.path().join("data");
        left_by(&folder, version)?;
        let live = folder.join("store.db");
        // Before an upgrade: nothing is migrated.
        let file = home.path().join("safe.db");
        backup(&folder, &file)?;
        let report = verify(&file, NOW)?;
        assert!(report.ok, "{version}: {report:?}");
        let options = Options {
            older: true,
            ..Options::default()
        };
        let store = Store::open(&folder, now, || [9; 32], options)?;
        let Answer::Tickets { rows, .. } = store.ask_wait(Ask::Tickets {
            query: Default::default(),
            limit: None,
        })?
        else {
            unreachable!("tickets were asked")
        };
        let [row] = rows.as_slice() else {
            return Err("there is one ticket".into());
        };
        assert_eq!(show(&store, &row.reference)?.title, "one");
        let Answer::Heads(heads) = store.ask_wait(Ask::Heads)? else {
            unreachable!("heads were asked")
        };
        assert_eq!(heads, [(store.device(), 11)]);
        let why = store.append_wait(batch([set(ticket("one"), "title", "two")]));
        assert_eq!(why.err(), Some(StoreError::OpenedReadOnly));
        drop(store);
        assert_eq!(schema(&live)?, i64::try_from(version)?, "only read");
        assert_eq!(schema(&file)?, i64::try_from(version)?, "only read");
        // It comes back elsewhere, and in place of a newer one.
        for place in ["empty", "full"] {
            let other = home.path().join(place);
            if place == "full" {
                add(&open(&other)?, "another", [])?;
            }
            restore(&other, &file, NOW)?;
            up_to_date(&other, version)?;
        }
        up_to_date(&folder, version)?;
        let copies = std::fs::read_dir(&folder)?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.starts_with("store-schema-"))
            .count();
        assert_eq!(copies, usize::from(version < SCHEMAS), "{version}");
    }
    Ok(())
}

/// Opens it with this program: the doctor is content, nothing is unseen, and folding anew changes nothing.
fn up_to_date(folder: &Path, version: usize) -> Tested {
    let store = open(folder)?;
    let Answer::Doctor(report) = store.ask_wait(Ask::Doctor)? else {
        unreachable!("the doctor was asked")
    };
    assert!(report.ok, "{version}: {report:?}");
    let before = dump(folder)?;
    assert_eq!(count(folder, "session_shared")?, 1, "{version}");
    assert_eq!(count(folder, "login")?, 1, "{version}");
    store.rebuild_wait()?;
    assert_eq!(difference(&before, &dump(folder)?), [""; 0], "{version}");
    Ok(())
}

fn meta(folder: &Path, name: &str) -> Result<Option<i64>, rusqlite::Error> {
    use rusqlite::OptionalExtension;
    raw(folder)?
        .query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| {
            row.get(0)
        })
        .optional()
}

#[test]
fn what_an_earlier_fold_did_not_know_is_folded_at_the_next_start_and_only_then() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    add(&store, "one", [])?;
    let device = store.device();
    drop(store);
    let conn = raw(folder.path())?;
    // Only a rebuild would mend this: that tells whether there was one.
    let spoil = || conn.execute("UPDATE ticket SET title = 'spoilt'", []);
    let spoilt = || -> Result<bool, rusqlite::Error> {
        conn.query_row("SELECT title = 'spoilt' FROM ticket", [], |row| row.get(0))
    };
    let mark = |fold: i64, unread: i64| -> rusqlite::Result<()> {
        conn.execute("UPDATE meta SET value = ?1 WHERE name = 'fold'", [fold])?;
        conn.execute("UPDATE meta SET value = ?1 WHERE name = 'unread'", [unread])?;
        Ok(())
    };
    assert_eq!(meta(folder.path(), "fold")?, Some(age::FOLD));
    spoil()?;
    drop(open(folder.path())?);
    assert!(spoilt()?, "the same program folds nothing anew");
    mark(age::FOLD - 1, 0)?;
    drop(open(folder.path())?);
    assert!(
        spoilt()?,
        "an earlier one that understood everything left nothing"
    );
    assert_eq!(meta(folder.path(), "fold")?, Some(age::FOLD));
    // An earlier one passed over a record of a kind that this one knows.
    unread(&conn, device, vec![shared()])?;
    mark(age::FOLD - 1, 1)?;
    assert_eq!(count(folder.path(), "session_shared")?, 0);
    drop(open(folder.path())?);
    assert!(!spoilt()?);
    assert_eq!(count(folder.path(), "session_shared")?, 1);
    assert_eq!(meta(folder.path(), "fold")?, Some(age::FOLD));
    assert_eq!(meta(folder.path(), "unread")?, Some(0));
    Ok(())
}

#[test]
fn what_this_fold_does_not_know_is_counted() -> Tested {
    let (here, there) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let other = Store::open(there.path(), now, || [2; 32], Options::default())?;
    let command = body(EntityKind::Audit, "c", "command", &[]);
    let dance = body(EntityKind::Run, "d", "run.danced", &[]);
    let ops = as_a_later_program(
        &other,
        vec![command, dance, vec![0xa1, 0x61, b'x', 1], shared()],
    )?;
    let store = open(here.path())?;
    store.absorb_wait(ops)?;
    assert_eq!(
        meta(here.path(), "unread")?,
        Some(2),
        "of four, two are known"
    );
    // A newer program folded since; this one goes on beside it and passes over more.
    raw(here.path())?.execute("UPDATE meta SET value = 99 WHERE name = 'fold'", [])?;
    let more = as_a_later_program(&other, vec![body(EntityKind::Run, "e", "run.sung", &[])])?;
    store.absorb_wait(more)?;
    assert_eq!(meta(here.path(), "fold")?, Some(age::FOLD));
    assert_eq!(meta(here.path(), "unread")?, Some(3));
    Ok(())
}

#[test]
fn every_table_is_in_the_one_list() -> Tested {
    let folder = tempfile::tempdir()?;
    drop(open(folder.path())?);
    let conn = raw(folder.path())?;
    let mut there: Vec<String> = conn
        .prepare(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        )?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut listed: Vec<String> = tables::TABLES
        .iter()
        .map(|table| table.name.to_owned())
        .collect();
    there.sort();
    listed.sort();
    assert_eq!(listed, there);
    // What is said to be folded comes from nowhere else: all of it is empty without a log.
    let empty = aside::fold(&conn).map_err(|why| why.at(folder.path()))?;
    for table in tables::folded_names() {
        let rows: i64 = empty.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
            row.get(0)
        })?;
        assert_eq!(rows, 0, "{table}");
    }
    Ok(())
}

#[test]
fn a_copy_is_never_put_over_a_file_and_what_a_killed_one_left_goes() -> Tested {
    let home = tempfile::tempdir()?;
    let folder = home.path().join("data");
    let store = open(&folder)?;
    add(&store, "one", [])?;
    let to = home.path().join("safe.db");
    // A process that is no more was at it, one that lives is at it, and a file of somebody else is called alike.
    let mut dead = std::process::Command::new("true").spawn()?;
    dead.wait()?;
    let part = |pid: u32| home.path().join(format!(".safe.db.{pid}.x1.part"));
    let (gone, lives) = (part(dead.id()), part(std::process::id()));
    let others = home.path().join("safe.part");
    for file in [&gone, &lives, &others] {
        std::fs::write(file, "x")?;
    }
    store.backup_wait(&to)?;
    assert!(!gone.exists() && lives.exists() && others.exists());
    let bytes = std::fs::read(&to)?;
    // Another one was made after it was looked whether the name is free.
    let conn = raw(&folder)?;
    let why = copy::copy(&conn, &to).map_err(|why| why.at(&to)).err();
    assert!(why.is_some_and(|why| why.to_string().contains("exists already")));
    assert_eq!(std::fs::read(&to)?, bytes);
    let parts = std::fs::read_dir(home.path())?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".part"))
        .count();
    assert_eq!(parts, 2, "nothing of ours is left");
    Ok(())
}
