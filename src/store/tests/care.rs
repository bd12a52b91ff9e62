//! Backup and restore: what a backup holds comes back, and nothing that was there is lost.

use super::*;
use crate::store::{restore, verify};

fn titles(folder: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let store = open(folder)?;
    let answer = store.ask_wait(Ask::Tickets {
        query: Default::default(),
        limit: None,
    })?;
    let Answer::Tickets { rows, .. } = answer else {
        unreachable!("tickets were asked for")
    };
    let mut titles: Vec<String> = rows.into_iter().map(|ticket| ticket.title).collect();
    titles.sort();
    Ok(titles)
}

/// A home with ticket `one`, a backup of it, and then ticket `two`.
fn home() -> Result<(tempfile::TempDir, std::path::PathBuf), Box<dyn Error>> {
    let home = tempfile::tempdir()?;
    let folder = home.path().join("data");
    let store = open(&folder)?;
    add(&store, "one", [])?;
    let file = home.path().join("backup.db");
    store.backup_wait(&file)?;
    add(&store, "two", [])?;
    Ok((home, file))
}

#[test]
fn a_backup_comes_back_and_the_store_of_before_is_kept() -> Tested {
    let (home, file) = home()?;
    let folder = home.path().join("data");
    let done = restore(&folder, &file, NOW)?;
    assert!(done.report.ok);
    assert_eq!(titles(&folder)?, ["one"]);
    // What is written afterwards goes on where the backup ended.
    let store = open(&folder)?;
    add(&store, "three", [])?;
    drop(store);
    assert_eq!(titles(&folder)?, ["one", "three"]);
    let kept = done.kept.ok_or("there was a store before")?;
    let again = restore(&folder, &kept, NOW)?;
    assert_eq!(titles(&folder)?, ["one", "two"]);
    assert_ne!(again.kept, Some(kept), "each is kept under its own name");
    Ok(())
}

#[test]
fn a_process_that_has_it_open_sees_the_whole_backup() -> Tested {
    let (home, file) = home()?;
    let folder = home.path().join("data");
    let store = open(&folder)?;
    restore(&folder, &file, NOW)?;
    let Answer::Tickets { rows, .. } = store.ask_wait(Ask::Tickets {
        query: Default::default(),
        limit: None,
    })?
    else {
        unreachable!("tickets were asked for")
    };
    assert_eq!(rows.len(), 1);
    Ok(())
}

#[test]
fn what_is_no_good_backup_is_refused_and_nothing_changes() -> Tested {
    let (home, file) = home()?;
    let folder = home.path().join("data");
    let mut bytes = std::fs::read(&file)?;
    // A page in the middle, as a bad disk would leave it.
    let middle = bytes.len() / 2;
    bytes[middle..middle + 3_000].fill(0xa5);
    let bad = home.path().join("bad.db");
    std::fs::write(&bad, &bytes)?;
    let text = home.path().join("text.db");
    std::fs::write(&text, "a shopping list")?;
    for broken in [&bad, &text, &home.path().join("nothing.db")] {
        let why = restore(&folder, broken, NOW);
        assert!(why.is_err(), "{}", broken.display());
        assert_eq!(titles(&folder)?, ["one", "two"]);
    }
    let itself = restore(&folder, &folder.join("store.db"), NOW);
    assert!(itself.is_err_and(|why| why.to_string().contains("store itself")));
    let left: Vec<_> = std::fs::read_dir(&folder)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.contains("before-restore"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    Ok(())
}

#[test]
fn a_changed_operation_is_found_in_a_backup() -> Tested {
    let (home, file) = home()?;
    let conn = Connection::open(&file)?;
    conn.execute("UPDATE op SET hlc = hlc + 1 WHERE seq = 1", [])?;
    drop(conn);
    let report = verify(&file, NOW)?;
    assert!(!report.ok);
    let folder = home.path().join("data");
    let why = restore(&folder, &file, NOW).err().ok_or("it is refused")?;
    assert!(why.to_string().contains("not what was written"), "{why}");
    Ok(())
}

#[test]
fn a_store_that_cannot_be_read_is_kept_as_it_is() -> Tested {
    let (home, file) = home()?;
    let folder = home.path().join("data");
    drop(open(&folder)?);
    std::fs::write(folder.join("store.db"), "no database any more")?;
    let done = restore(&folder, &file, NOW)?;
    assert_eq!(titles(&folder)?, ["one"]);
    let kept = done.kept.ok_or("something was there")?;
    assert_eq!(std::fs::read_to_string(kept)?, "no database any more");
    Ok(())
}

#[test]
fn into_an_empty_home() -> Tested {
    let (_home, file) = home()?;
    let other = tempfile::tempdir()?;
    let folder = other.path().join("new");
    let done = restore(&folder, &file, NOW)?;
    assert_eq!(done.kept, None);
    assert_eq!(titles(&folder)?, ["one"]);
    let mode = |name: &str| -> std::io::Result<u32> {
        use std::os::unix::fs::PermissionsExt;
        Ok(std::fs::metadata(folder.join(name))?.permissions().mode() & 0o777)
    };
    assert_eq!(mode("store.db")?, 0o600);
    Ok(())
}
