//! What sync does with the store: pieces, facts, and a machine that gets a device id of its own.

use super::*;
use crate::domain::op::{Change, Op};

fn wait<T: Send + 'static>(
    ask: impl FnOnce(Box<dyn FnOnce(Result<T, StoreError>) + Send>),
) -> Result<T, StoreError> {
    let (answer, slot) = sync_channel(1);
    ask(Box::new(move |result| drop(answer.send(result))));
    slot.recv().unwrap_or(Err(StoreError::Closed))
}

fn piece(store: &Store, device: DeviceId, from: u64) -> Result<Piece, StoreError> {
    wait(|reply| store.piece(device, from, (1000, usize::MAX), reply))
}

fn learn(store: &Store, piece: Piece) -> Result<Learned, StoreError> {
    wait(|reply| store.learn(piece, reply))
}

fn other(folder: &Path) -> Result<Store, StoreError> {
    Store::open(folder, now, || [2; 32], Options::default())
}

#[test]
fn a_piece_is_taken_in_only_where_it_fits() -> Tested {
    let (here, there) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let (a, b) = (open(here.path())?, other(there.path())?);
    for n in 0..6 {
        a.append_wait(batch([set(ticket("one"), "priority", n)]))?;
    }
    let whole = piece(&a, a.device(), 1)?;
    let late = piece(&a, a.device(), 4)?;
    assert_eq!(learn(&b, late.clone())?, Learned::Gap { have: 0 });
    let mut first = whole.clone();
    first.ops.truncate(4);
    assert_eq!(learn(&b, first)?, Learned::Taken { fresh: 4, seq: 4 });
    let mut twisted = late.clone();
    twisted.before = [9; 32];
    assert_eq!(
        learn(&b, twisted)?,
        Learned::Forked { seq: 4 },
        "another history"
    );
    let mut changed = late.clone();
    if let Some(op) = changed.ops.first_mut() {
        op.body = vec![0xa0];
    }
    assert_eq!(learn(&b, changed)?, Learned::Forked { seq: 4 });
    assert_eq!(
        learn(&b, late)?,
        Learned::Taken { fresh: 2, seq: 6 },
        "overlaps are fine"
    );
    assert_eq!(
        learn(&b, whole.clone())?,
        Learned::Taken { fresh: 0, seq: 6 }
    );
    let mut more = whole.clone();
    more.ops.extend(whole.ops.last().map(|op| Logged {
        seq: 7,
        ..op.clone()
    }));
    assert_eq!(
        learn(&a, more)?,
        Learned::Ours { same: 6 },
        "somebody else wrote the seventh"
    );
    let small = wait(|reply| a.piece(a.device(), 2, (1000, 1), reply))?;
    assert_eq!(small.ops.len(), 1, "at least one, however long");
    assert!(piece(&a, a.device(), 9).is_err());
    Ok(())
}

#[test]
fn facts_are_kept_by_name() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    let fact = |name: &str, value: Option<&[u8]>| (name.to_owned(), value.map(<[u8]>::to_vec));
    wait(|reply| {
        store.keep(
            vec![
                fact("seen/a", Some(b"1")),
                fact("seen/b", Some(b"2")),
                fact("sent", Some(b"3")),
            ],
            reply,
        )
    })?;
    wait(|reply| store.keep(vec![fact("seen/b", None), fact("seen/c", None)], reply))?;
    drop(store);
    let store = open(folder.path())?;
    let seen = wait(|reply| store.kept("seen/", reply))?;
    assert_eq!(seen, [("seen/a".to_owned(), b"1".to_vec())]);
    assert_eq!(wait(|reply| store.kept("", reply))?.len(), 2);
    Ok(())
}

#[test]
fn a_copy_takes_along_what_it_had_not_published() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    let old = store.device();
    let new = DeviceId(EntityId::derived("device", "new"));
    store.append_wait(batch([set(ticket("one"), "title", "first")]))?;
    store.append_wait(batch([
        set(ticket("one"), "title", "second"),
        note(ticket("one"), "comment", "kept", 1),
    ]))?;
    let comment = Entity {
        kind: EntityKind::Ticket,
        id: super::super::fold::note_id(old, 3),
    };
    store.append_wait(batch([
        set(ticket("one"), "title", "third"),
        set(comment, "text", "edited"),
    ]))?;
    assert_eq!(wait(|reply| store.depart(1, new, reply))?, 4);
    assert_eq!(store.device(), new);
    store.append_wait(batch([set(ticket("one"), "title", "fourth")]))?;
    let moved = piece(&store, new, 1)?;
    assert_eq!((piece(&store, old, 1)?.ops.len(), moved.ops.len()), (1, 5));
    // What they name of each other goes under the new name; what they name of the old log does not.
    let named: Vec<Vec<DeviceId>> = moved
        .ops
        .iter()
        .filter_map(|op| match Op::decode(&op.body).ok().flatten()?.change {
            Change::Set { field, prev, .. } if field == "title" => {
                Some(prev.iter().map(|stamp| stamp.device).collect())
            }
            _ => None,
        })
        .collect();
    assert_eq!(named, [[old], [new], [new]]);
    let edit = moved
        .ops
        .get(3)
        .and_then(|op| Op::decode(&op.body).ok().flatten());
    assert_eq!(
        edit.map(|op| op.id),
        Some(super::super::fold::note_id(new, 2))
    );
    let Answer::Doctor(report) = store.ask_wait(Ask::Doctor)? else {
        unreachable!("the doctor was asked")
    };
    assert!(report.ok, "{report:?}");
    assert!(
        merged(folder.path())?
            .iter()
            .all(|line| !line.starts_with("conflict"))
    );
    // Another process that had the file open writes under the new id as well, and so does the next start.
    drop(store);
    assert_eq!(open(folder.path())?.device(), new);
    Ok(())
}

#[test]
fn another_handle_writes_as_the_new_device() -> Tested {
    let folder = tempfile::tempdir()?;
    let (one, two) = (open(folder.path())?, open(folder.path())?);
    one.append_wait(batch([set(ticket("one"), "title", "first")]))?;
    let new = DeviceId(EntityId::derived("device", "new"));
    wait(|reply| one.depart(1, new, reply))?;
    two.append_wait(batch([set(ticket("one"), "title", "second")]))?;
    assert_eq!(two.device(), new);
    assert_eq!(piece(&one, new, 1)?.ops.len(), 1);
    Ok(())
}
