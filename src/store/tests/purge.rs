//! Purging: the content is gone from every table and from the file's bytes, the chain holds, and every device does the same.

use super::*;
use crate::domain::audit::{AuditFact, ChainReport, Login};
use crate::domain::case::{CaseEvent, EntryKind};
use crate::domain::ids::RunId;
use crate::domain::op::is_blank;
use crate::domain::run::{CellState, RunFact, RunState, Tally};

/// What must be nowhere afterwards; its parts are no words of anything else.
pub(super) const SECRET: &str = "hunter2zq7xk";

pub(super) fn device(folder: &Path, number: u8) -> Result<Store, StoreError> {
    let seed: fn() -> [u8; 32] = match number {
        0 => || [10; 32],
        1 => || [11; 32],
        _ => || [12; 32],
    };
    Store::open(folder, now, seed, Options::default())
}

pub(super) fn purge(store: &Store, what: &str, field: Option<&str>) -> Result<Purged, StoreError> {
    store.purge_wait(Purge {
        what: what.to_owned(),
        field: field.map(str::to_owned),
        author: "mira".to_owned(),
    })
}

pub(super) fn log_of(store: &Store, device: DeviceId) -> Result<Vec<Logged>, StoreError> {
    match store.ask_wait(Ask::Log {
        device,
        from: 1,
        limit: u32::MAX,
    })? {
        Answer::Log(ops) => Ok(ops),
        other => unreachable!("a log was asked, not {other:?}"),
    }
}

pub(super) fn chains(store: &Store) -> Result<Vec<ChainReport>, StoreError> {
    match store.ask_wait(Ask::Chains)? {
        Answer::Chains(chains) => Ok(chains),
        other => unreachable!("chains were asked, not {other:?}"),
    }
}

pub(super) fn sound(store: &Store) -> Tested {
    match store.ask_wait(Ask::Doctor)? {
        Answer::Doctor(report) => assert!(report.ok, "{report:?}"),
        other => unreachable!("the doctor was asked, not {other:?}"),
    }
    Ok(())
}

/// Whether the files of a closed store hold these bytes. Closed: nobody's locks are dropped by reading it.
pub(super) fn holds(folder: &Path, secret: &str) -> Result<Vec<String>, std::io::Error> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            let bytes = std::fs::read(&path)?.to_ascii_lowercase();
            if bytes
                .windows(secret.len())
                .any(|piece| piece == secret.as_bytes())
            {
                found.push(path.display().to_string());
            }
        }
    }
    Ok(found)
}

/// A ticket whose title, body, old body, comment and entry hold the secret.
pub(super) fn fill(store: &Store) -> Result<String, StoreError> {
    let mut case = CaseEvent::new(
        EntityId::derived("case", "one"),
        NOW,
        EntryKind::Session,
        "mira",
        format!("ran mysql -p{SECRET} on db1"),
    );
    case.ticket = Some(TicketId(ticket("one").id));
    case.host = Some("db1".to_owned());
    let reference = add(
        store,
        "one",
        [
            set(ticket("one"), "body", format!("use {SECRET}")),
            note(ticket("one"), "comment", &format!("it is {SECRET}"), NOW.0),
            flag(ticket("one"), "tags", SECRET, true),
            case.draft(),
        ],
    )?;
    let big = format!("{SECRET} {}", "filler ".repeat(2_000));
    store.append_wait(batch([set(ticket("one"), "body", big)]))?;
    store.append_wait(batch([set(ticket("one"), "body", "harmless")]))?;
    add(
        store,
        "two",
        [note(ticket("two"), "comment", "stays here", NOW.0)],
    )?;
    Ok(reference)
}

#[test]
fn a_ticket_that_was_purged_is_in_no_byte_of_the_file() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = device(folder.path(), 0)?;
    let reference = fill(&store)?;
    drop(store);
    assert!(
        !holds(folder.path(), SECRET)?.is_empty(),
        "the test can see it"
    );
    let store = device(folder.path(), 0)?;
    let before = log_of(&store, store.device())?;
    let done = purge(&store, &reference, None)?;
    assert!(done.operations >= 6, "{done:?}");
    let read = show(&store, &reference)?;
    assert_eq!(
        (read.title.as_str(), read.state.word()),
        ("(purged)", "closed")
    );
    assert_eq!((read.body.as_str(), read.tags.len()), ("", 0));
    let told: Vec<&str> = read
        .entries
        .iter()
        .map(|entry| entry.text.as_str())
        .collect();
    assert_eq!(told, [format!("purged everything that {reference} said")]);
    // Numbers, stamps and chain are what they were.
    let after = log_of(&store, store.device())?;
    for (old, new) in before.iter().zip(&after) {
        assert_eq!((old.seq, old.hlc), (new.seq, new.hlc));
        assert!(is_blank(&new.body) || old.body == new.body);
    }
    let [chain] = &chains(&store)?[..] else {
        return Err("one device".into());
    };
    assert_eq!(
        (chain.broken.clone(), chain.purged),
        (None, done.operations)
    );
    // Folded again from the log it is the same.
    let folded = dump(folder.path())?;
    store.rebuild_wait()?;
    assert_eq!(difference(&folded, &dump(folder.path())?), [""; 0]);
    sound(&store)?;
    let again = purge(&store, &reference, None)?;
    assert!(
        again.operations <= 2,
        "only what stands in its place: {again:?}"
    );
    assert_eq!(show(&store, "two").err().map(|_| ()), Some(()));
    drop(store);
    assert_eq!(holds(folder.path(), SECRET)?, [""; 0]);
    Ok(())
}

/// Nobody has to close anything: the log beside the file is emptied in a pause.
#[test]
fn a_purge_reaches_the_log_beside_the_file_while_it_is_open() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = device(folder.path(), 0)?;
    let reference = fill(&store)?;
    purge(&store, &reference, None)?;
    let wal = folder.path().join("store.db-wal");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let left = |conn: &Connection| {
        conn.prepare("SELECT 1 FROM meta WHERE name = 'scrub'")?
            .exists([])
    };
    let conn = raw(folder.path())?;
    while left(&conn)? {
        assert!(std::time::Instant::now() < deadline, "it was never emptied");
        std::thread::yield_now();
    }
    drop(conn);
    // Reading the log beside the file takes no lock from anybody: those lie in the third file.
    let bytes = std::fs::read(wal)?;
    assert!(
        !bytes
            .windows(SECRET.len())
            .any(|piece| piece == SECRET.as_bytes())
    );
    Ok(())
}

#[test]
fn one_comment_goes_and_all_else_stays() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = device(folder.path(), 0)?;
    let reference = add(
        &store,
        "one",
        [
            note(ticket("one"), "comment", "before", NOW.0),
            note(ticket("one"), "comment", SECRET, NOW.0 + 1),
        ],
    )?;
    let shown = show(&store, &reference)?;
    let entry = shown.entries.iter().find(|entry| entry.text == SECRET);
    let entry = entry.ok_or("the comment")?.id.clone();
    let done = purge(&store, &entry, None)?;
    assert_eq!(done.operations, 1);
    let shown = show(&store, &reference)?;
    let texts: Vec<String> = shown.entries.into_iter().map(|entry| entry.text).collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts.contains(&"before".to_owned()), "{texts:?}");
    assert_eq!(shown.title, "one");
    let Answer::Search(found) = store.ask_wait(Ask::Search(crate::domain::audit::Wanted {
        text: SECRET.to_owned(),
        limit: 10,
        best: false,
    }))?
    else {
        return Err("a search".into());
    };
    assert_eq!(found.hits, []);
    assert!(matches!(
        purge(&store, &entry, None),
        Err(StoreError::NotFound { .. })
    ));
    drop(store);
    assert_eq!(holds(folder.path(), SECRET)?, [""; 0]);
    Ok(())
}

#[test]
fn one_field_goes_with_every_value_it_had() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = device(folder.path(), 0)?;
    let reference = fill(&store)?;
    purge(&store, &reference, Some("body"))?;
    let read = show(&store, &reference)?;
    assert_eq!((read.title.as_str(), read.body.as_str()), ("one", ""));
    assert_eq!(read.tags, [SECRET], "only the body was meant");
    let folded = dump(folder.path())?;
    store.rebuild_wait()?;
    assert_eq!(difference(&folded, &dump(folder.path())?), [""; 0]);
    assert!(purge(&store, &reference, Some("ref")).is_err());
    assert!(purge(&store, &reference, Some("nothing")).is_err());
    Ok(())
}

#[test]
fn the_output_of_a_run_goes_and_how_it_ended_stays() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = device(folder.path(), 0)?;
    let run = RunId(EntityId::derived("run", "one"));
    let facts = [
        RunFact::Started {
            at: NOW,
            book: "rotate".to_owned(),
            hash: "h".to_owned(),
            steps: vec!["one".to_owned()],
            hosts: vec!["db1".to_owned()],
            params: [("password".to_owned(), SECRET.to_owned())].into(),
            ticket: None,
            author: "mira".to_owned(),
        },
        RunFact::StepStarted {
            at: NOW,
            host: "db1".to_owned(),
            step: 0,
            attempt: 1,
        },
        RunFact::StepFinished {
            at: NOW,
            host: "db1".to_owned(),
            step: 0,
            state: CellState::Ok,
            exit: Some(0),
            took_ms: 7,
            output: format!("set to {SECRET}").into_bytes(),
            dropped: 0,
            reason: String::new(),
        },
        RunFact::Finished {
            at: NOW,
            state: RunState::Ok,
            tally: Tally::default(),
        },
    ];
    let mut drafts: Vec<Draft> = facts.iter().map(|fact| fact.draft(run)).collect();
    drafts.push(Draft::Reference {
        entity: Entity {
            kind: EntityKind::Run,
            id: run.0,
        },
    });
    let committed = store.append_wait(batch(drafts))?;
    let reference = committed.references.first().ok_or("a reference")?.1.clone();
    purge(&store, &reference, None)?;
    let Answer::Run(row) = store.ask_wait(Ask::Run { reference })? else {
        return Err("a run".into());
    };
    assert_eq!((row.book.as_str(), row.params.len()), ("rotate", 0));
    let cell = row.cells.first().ok_or("a cell")?;
    assert_eq!((cell.exit, cell.state), (Some(0), CellState::Ok));
    assert!(!format!("{row:?}").contains(SECRET));
    let folded = dump(folder.path())?;
    store.rebuild_wait()?;
    assert_eq!(difference(&folded, &dump(folder.path())?), [""; 0]);
    drop(store);
    assert_eq!(holds(folder.path(), SECRET)?, [""; 0]);
    Ok(())
}

/// The purge may come before or after what it names, and what it names may come blank or whole: one state in the end.
#[test]
fn every_device_forgets_whatever_comes_first() -> Tested {
    let folders = [
        tempfile::tempdir()?,
        tempfile::tempdir()?,
        tempfile::tempdir()?,
    ];
    let [a, b, c] = [
        device(folders[0].path(), 0)?,
        device(folders[1].path(), 1)?,
        device(folders[2].path(), 2)?,
    ];
    let reference = fill(&a)?;
    let whole = log_of(&a, a.device())?;
    // Another member edits too, and it is the other who purges.
    b.absorb_wait(whole.clone())?;
    b.append_wait(batch([set(ticket("one"), "queue", SECRET)]))?;
    purge(&b, &reference, None)?;
    let of_b = log_of(&b, b.device())?;
    // The third hears of the purge first, then gets the operations whole from somebody who has not heard.
    c.absorb_wait(of_b.clone())?;
    c.absorb_wait(whole)?;
    a.absorb_wait(of_b)?;
    for (store, folder) in [(&a, &folders[0]), (&b, &folders[1]), (&c, &folders[2])] {
        assert!(chains(store)?.iter().all(|chain| chain.broken.is_none()));
        assert_eq!(show(store, &reference)?.title, "(purged)");
        assert_eq!(
            difference(&dump(folders[1].path())?, &dump(folder.path())?),
            [""; 0]
        );
        assert_eq!(log_of(store, a.device())?, log_of(&b, a.device())?);
        sound(store)?;
    }
    // What is known stays known, blank or not.
    assert_eq!(a.absorb_wait(log_of(&b, a.device())?)?, 0);
    drop((a, b, c));
    for folder in &folders {
        assert_eq!(holds(folder.path(), SECRET)?, [""; 0]);
    }
    Ok(())
}

#[test]
fn a_blank_that_no_purge_explains_is_found() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = device(folder.path(), 0)?;
    add(&store, "one", [note(ticket("one"), "comment", "x", NOW.0)])?;
    let ops = log_of(&store, store.device())?;
    let conn = raw(folder.path())?;
    let blank = crate::domain::op::blank(&ops[1].body);
    conn.execute("UPDATE op SET body = ?1 WHERE seq = 2", [blank])?;
    let found = chains(&store)?;
    let (seq, why) = found[0].broken.clone().ok_or("it is found")?;
    assert_eq!(seq, 2);
    assert!(why.contains("no purge"), "{why}");
    Ok(())
}

#[test]
fn a_login_in_the_audit_can_be_purged() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = device(folder.path(), 0)?;
    let id = EntityId::derived("audit", "one");
    let login = Login {
        host: "db1".to_owned(),
        user: SECRET.to_owned(),
        ..Login::default()
    };
    store.append_wait(batch([AuditFact::Login(login).draft(id, NOW, "mira")]))?;
    purge(&store, &id.to_string(), None)?;
    let conn = raw(folder.path())?;
    let logins: i64 = conn.query_row("SELECT count(*) FROM login", [], |row| row.get(0))?;
    assert_eq!(logins, 0);
    Ok(())
}
