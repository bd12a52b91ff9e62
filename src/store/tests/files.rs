//! The file: whose it is, its settings and permissions, copies, reading only.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::domain::query::Query;

fn refused(bytes: &[u8], wanted: &str) -> Tested {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("store.db");
    fs::write(&path, bytes)?;
    for read_only in [false, true] {
        let options = Options {
            read_only,
            changed: None,
            ..Options::default()
        };
        let why = Store::open(folder.path(), now, || [1; 32], options).err();
        let why = why.ok_or("it must be refused")?;
        assert!(why.to_string().contains(wanted), "{why}");
        assert!(why.is_permanent());
        assert_eq!(fs::read(&path)?, bytes, "untouched byte for byte");
    }
    Ok(())
}

/// The bytes of a database that `sql` made.
fn made(sql: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("other.db");
    let conn = Connection::open(&path)?;
    conn.execute_batch(sql)?;
    drop(conn);
    Ok(fs::read(path)?)
}

#[test]
fn files_of_others_are_refused_untouched() -> Tested {
    refused(b"hello, this is a letter\n", "is not a database")?;
    refused(&[0x5a; 9_000], "is not a database")?;
    let other = "belongs to another program";
    refused(
        &made("CREATE TABLE t (x); INSERT INTO t VALUES (1)")?,
        other,
    )?;
    refused(
        &made("PRAGMA journal_mode = WAL; PRAGMA application_id = 7; CREATE TABLE t (x)")?,
        other,
    )?;
    refused(&made("PRAGMA user_version = 1")?, other)?;
    let newer = "was written by a newer Quarterdeck";
    let ours = "PRAGMA application_id = 1363428171; PRAGMA user_version = 900; CREATE TABLE t (x)";
    refused(&made(ours)?, newer)?;
    refused(&made(&format!("PRAGMA journal_mode = WAL; {ours}"))?, newer)
}

#[test]
fn an_empty_file_is_filled() -> Tested {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("store.db"), b"")?;
    let store = open(folder.path())?;
    let reference = add(&store, "one", [])?;
    drop(store);
    assert_eq!(show(&open(folder.path())?, &reference)?.title, "one");
    Ok(())
}

#[test]
fn nobody_else_can_read_what_we_make() -> Tested {
    let outer = tempfile::tempdir()?;
    let folder = outer.path().join("share/quarterdeck");
    let store = open(&folder)?;
    add(&store, "one", [])?;
    let mode = |path: &Path| fs::metadata(path).map(|meta| meta.permissions().mode() & 0o777);
    assert_eq!(mode(&folder)?, 0o700);
    for name in ["store.db", "store.db-wal", "store.db-shm"] {
        assert_eq!(mode(&folder.join(name))?, 0o600, "{name}");
    }
    Ok(())
}

#[test]
fn the_device_is_drawn_once() -> Tested {
    let folder = tempfile::tempdir()?;
    let first = open(folder.path())?.device();
    let again = Store::open(folder.path(), now, || [2; 32], Options::default())?;
    assert_eq!(again.device(), first);
    let elsewhere = tempfile::tempdir()?;
    let other = Store::open(elsewhere.path(), now, || [2; 32], Options::default())?;
    assert_ne!(other.device(), first);
    Ok(())
}

#[test]
fn every_connection_has_every_setting() -> Tested {
    let folder = tempfile::tempdir()?;
    drop(open(folder.path())?);
    let Prepared { opener, conn, .. } = Opener::prepare(folder.path(), false, || [1; 32])?;
    let reader = opener.read().map_err(|why| why.at(&opener.path))?;
    for conn in [conn, reader] {
        for (name, wanted) in [
            ("journal_mode", "wal"),
            ("synchronous", "2"),
            ("foreign_keys", "1"),
            ("trusted_schema", "0"),
            ("mmap_size", "0"),
            ("cache_size", "-65536"),
            ("busy_timeout", "5000"),
            ("application_id", "1363428171"),
            ("user_version", "5"),
            ("secure_delete", "1"),
            ("auto_vacuum", "2"),
        ] {
            let value = conn.query_row(&format!("PRAGMA {name}"), [], |row| {
                row.get::<_, rusqlite::types::Value>(0)
            })?;
            let value = match value {
                rusqlite::types::Value::Integer(number) => number.to_string(),
                rusqlite::types::Value::Text(text) => text,
                other => unreachable!("{name} is {other:?}"),
            };
            assert_eq!(value, wanted, "{name}");
        }
    }
    assert!(rusqlite::version_number() >= 3_051_003);
    Ok(())
}

#[test]
fn a_store_opened_for_reading_refuses_to_write() -> Tested {
    let folder = tempfile::tempdir()?;
    let options = || Options {
        read_only: true,
        changed: None,
        ..Options::default()
    };
    let missing = Store::open(folder.path(), now, || [1; 32], options()).err();
    assert!(
        matches!(missing, Some(StoreError::Refused { .. })),
        "{missing:?}"
    );
    assert_eq!(fs::read_dir(folder.path())?.count(), 0, "nothing was made");
    let writing = open(folder.path())?;
    let reference = add(&writing, "one", [])?;
    let reading = Store::open(folder.path(), now, || [1; 32], options())?;
    assert_eq!(show(&reading, &reference)?.title, "one");
    assert_eq!(
        reading.append_wait(Batch::default()),
        Err(StoreError::OpenedReadOnly)
    );
    assert_eq!(reading.rebuild_wait(), Err(StoreError::OpenedReadOnly));
    let (answer, heard) = std::sync::mpsc::sync_channel(1);
    reading.append(Batch::default(), move |result| {
        drop(answer.try_send(result))
    });
    assert_eq!(heard.recv()?, Err(StoreError::OpenedReadOnly));
    Ok(())
}

#[test]
fn a_folder_that_may_not_be_written() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    let reference = add(&store, "one", [])?;
    drop(store);
    // The superuser may write everywhere, so for it there is nothing to see here.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o500))?;
    fs::set_permissions(
        folder.path().join("store.db"),
        fs::Permissions::from_mode(0o400),
    )?;
    if !rustix::process::geteuid().is_root() {
        let why = open(folder.path()).err().ok_or("it cannot be written")?;
        assert!(matches!(why, StoreError::ReadOnly { .. }), "{why:?}");
        let options = Options {
            read_only: true,
            changed: None,
            ..Options::default()
        };
        let reading = Store::open(folder.path(), now, || [1; 32], options)?;
        assert_eq!(show(&reading, &reference)?.title, "one");
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700))?;
    Ok(())
}

#[test]
fn a_copy_is_whole_and_replaces_nothing() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    add(&store, "one", [flag(ticket("one"), "tags", "db", true)])?;
    let elsewhere = tempfile::tempdir()?;
    let copy = elsewhere.path().join("store.db");
    store.backup_wait(&copy)?;
    assert_eq!(fs::metadata(&copy)?.permissions().mode() & 0o777, 0o600);
    assert_eq!(
        fs::read_dir(elsewhere.path())?.count(),
        1,
        "one file, nothing beside it"
    );
    assert!(matches!(
        store.backup_wait(&copy),
        Err(StoreError::Refused { .. })
    ));
    let opened = open(elsewhere.path())?;
    assert_eq!(opened.device(), store.device());
    assert_eq!(
        difference(&dump(folder.path())?, &dump(elsewhere.path())?),
        [""; 0]
    );
    let Answer::Tickets { total, .. } = opened.ask_wait(Ask::Tickets {
        query: Query::default(),
        limit: None,
    })?
    else {
        unreachable!("tickets were asked")
    };
    assert_eq!(total, 1);
    Ok(())
}
