//! Operations ahead of their logs: folded early and again later they give what the logs alone give.

use super::*;
use crate::domain::op::Hlc;

pub(super) fn wait<T: Send + 'static>(
    ask: impl FnOnce(Box<dyn FnOnce(Result<T, StoreError>) + Send>),
) -> Result<T, StoreError> {
    let (answer, slot) = sync_channel(1);
    ask(Box::new(move |result| drop(answer.send(result))));
    slot.recv().unwrap_or(Err(StoreError::Closed))
}

fn other(folder: &Path, seed: fn() -> [u8; 32]) -> Result<Store, StoreError> {
    Store::open(folder, now, seed, Options::default())
}

/// Writes of every sort: replaced ones, tags put in and taken out, comments, events, hosts, a ticket that is done.
fn fill(store: &Store) -> Tested {
    for name in ["one", "two", "three"] {
        add(store, name, [set(ticket(name), "priority", 2)])?;
        store.append_wait(batch([
            set(ticket(name), "title", format!("{name} again")),
            set(ticket(name), "body", "what it is about"),
            set(ticket(name), "later", "a field of a later program"),
            flag(ticket(name), "tags", "db", true),
            flag(ticket(name), "tags", "web", true),
            flag(ticket(name), "tags", "web", false),
            note(ticket(name), "comment", "looked at it", NOW.0),
        ]))?;
        for text in ["begun", "went on"] {
            store.append_wait(batch([Draft::Record {
                entity: Entity {
                    kind: EntityKind::Case,
                    id: EntityId::derived("case", name),
                },
                name: "case".to_owned(),
                fields: [
                    ("text".to_owned(), Value::from(text)),
                    (
                        "ticket".to_owned(),
                        Value::Bytes(ticket(name).id.as_bytes().to_vec()),
                    ),
                ]
                .into(),
            }]))?;
        }
    }
    let host = Entity {
        kind: EntityKind::Host,
        id: EntityId::derived("host", "web1"),
    };
    store.append_wait(batch([
        set(host, "name", "web1"),
        set(ticket("three"), "state", "closed"),
    ]))?;
    Ok(())
}

fn log(store: &Store, device: DeviceId) -> Result<Piece, StoreError> {
    wait(|reply| store.piece(device, 1, (u32::MAX, usize::MAX), reply))
}

pub(super) fn excerpt(store: &Store, published: u64) -> Result<Excerpt, StoreError> {
    wait(|reply| store.excerpt(store.device(), published, reply))
}

pub(super) fn ahead(store: &Store, maker: DeviceId, ops: Vec<Logged>) -> Result<u64, StoreError> {
    let facts = vec![("early/log/x".to_owned(), Some(vec![1]))];
    let ahead = Ahead { maker, ops, facts };
    wait(|reply| store.ahead(ahead, reply))
}

pub(super) fn early(store: &Store) -> Result<u64, StoreError> {
    wait(|reply| store.early_count(reply))
}

#[test]
fn folding_early_and_again_later_gives_what_the_logs_give() -> Tested {
    let homes = [(); 3].map(|()| tempfile::tempdir());
    let [here, there, third] = homes;
    let (here, there, third) = (here?, there?, third?);
    let (a, b) = (open(here.path())?, other(there.path(), || [2; 32])?);
    fill(&a)?;
    // A second device settles and contradicts, so that the registers have writes of two.
    let whole = log(&a, a.device())?;
    wait(|reply| b.learn(whole.clone(), reply))?;
    b.append_wait(batch([set(ticket("two"), "title", "from b")]))?;
    a.append_wait(batch([set(ticket("two"), "title", "from a")]))?;
    let logs = [log(&a, a.device())?, log(&b, b.device())?];
    for (store, piece) in [(&a, &logs[1]), (&b, &logs[0])] {
        wait(|reply| store.learn(piece.clone(), reply))?;
    }
    let given = excerpt(&a, u64::MAX)?;
    assert_eq!(given.logs.len(), 2);
    assert!(
        given.ops.len() < logs.iter().map(|piece| piece.ops.len()).sum::<usize>(),
        "what was replaced or is done is left out"
    );

    let c = other(third.path(), || [3; 32])?;
    let count = ahead(&c, a.device(), given.ops.clone())?;
    assert_eq!(
        (count, early(&c)?),
        (given.ops.len() as u64, given.ops.len() as u64)
    );
    let before = dump(third.path())?;
    assert_eq!(ahead(&c, b.device(), given.ops.clone())?, 0, "once only");
    assert_eq!(dump(third.path())?, before);
    assert!(
        before.iter().any(|line| line.contains("from b"))
            && before.iter().any(|line| line.contains("conflict")),
        "open tickets are seen, with what is to be settled"
    );
    assert!(
        before.iter().any(|line| line.contains("went on")),
        "events are put together from records ahead of their log"
    );
    let Answer::Heads(heads) = c.ask_wait(Ask::Heads)? else {
        unreachable!("heads were asked");
    };
    assert_eq!(heads, [], "and no log is any longer");
    c.rebuild_wait()?;
    assert_eq!(
        difference(&before, &dump(third.path())?),
        [] as [String; 0],
        "a rebuild keeps it"
    );

    // The logs come, in pieces; what they bring takes its place.
    for piece in &logs {
        for slice in piece.clone().slices(3) {
            wait(|reply| c.learn(slice.clone(), reply))?;
            // Whatever has come until now, all of it was folded.
            let before = dump(third.path())?;
            c.rebuild_wait()?;
            assert_eq!(difference(&before, &dump(third.path())?), [] as [String; 0]);
        }
    }
    assert_eq!(early(&c)?, 0);
    assert_eq!(
        difference(&dump(here.path())?, &dump(third.path())?),
        [] as [String; 0]
    );
    let Answer::Doctor(report) = c.ask_wait(Ask::Doctor)? else {
        unreachable!("a report was asked");
    };
    assert!(report.ok, "{report:?}");
    Ok(())
}

#[test]
fn what_a_log_contradicts_goes_with_all_of_its_makers_words() -> Tested {
    let (here, there) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let (a, b) = (open(here.path())?, other(there.path(), || [2; 32])?);
    fill(&a)?;
    let (honest, liar) = (a.device(), DeviceId(EntityId::derived("device", "liar")));
    let mut ops = excerpt(&a, u64::MAX)?.ops;
    let last = ops.pop().ok_or("operations")?;
    let words = last.body.len();
    ops.push(Logged {
        hlc: Hlc(last.hlc.0 + 1),
        ..last
    });
    assert_eq!(ahead(&b, liar, ops.clone())?, ops.len() as u64);
    assert!(words > 0);
    for slice in log(&a, honest)?.slices(4) {
        let learned = wait(|reply| b.learn(slice, reply))?;
        assert!(matches!(learned, Learned::Taken { .. }), "{learned:?}");
    }
    assert_eq!(early(&b)?, 0);
    assert_eq!(
        difference(&dump(here.path())?, &dump(there.path())?),
        [] as [String; 0],
        "nothing of the invented one is left"
    );
    let found = wait(|reply| b.kept(CONTRADICTED, reply))?;
    assert_eq!(found.len(), 1, "and whose word it was is known");
    assert!(
        found
            .iter()
            .all(|(name, _)| name.ends_with(&liar.to_string()))
    );
    // What comes too late is compared all the same.
    wait(|reply| b.keep(vec![(format!("{CONTRADICTED}/{liar}"), None)], reply))?;
    assert_eq!(ahead(&b, liar, ops)?, 0);
    assert_eq!(wait(|reply| b.kept(CONTRADICTED, reply))?.len(), 1);
    Ok(())
}

#[test]
fn trust_is_taken_back_and_own_words_are_never_taken() -> Tested {
    let (here, there) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let (a, b) = (open(here.path())?, other(there.path(), || [2; 32])?);
    fill(&a)?;
    let empty = dump(there.path())?;
    let (device, maker) = (a.device(), DeviceId(EntityId::derived("device", "maker")));
    let ops = excerpt(&a, u64::MAX)?.ops;
    let own = ops.iter().map(|op| Logged {
        device: b.device(),
        ..op.clone()
    });
    assert_eq!(ahead(&b, maker, own.collect())?, 0);
    ahead(&b, maker, ops.clone())?;
    let after = Untrusted {
        after: vec![(device, 9)],
        makers: vec![],
    };
    let late = ops.iter().filter(|op| op.seq > 9).count();
    assert_eq!(wait(|reply| b.distrust(after, reply))?, late as u64);
    let makers = Untrusted {
        after: vec![],
        makers: vec![maker],
    };
    wait(|reply| b.distrust(makers, reply))?;
    assert_eq!(early(&b)?, 0);
    assert_eq!(difference(&empty, &dump(there.path())?), [] as [String; 0]);
    // Of the own log only what went out is given.
    let given = excerpt(&a, 7)?;
    assert!(given.ops.iter().all(|op| op.seq <= 7) && given.logs == [(device, 7)]);
    let mut mad = ops;
    if let Some(op) = mad.first_mut() {
        op.hlc = Hlc::LIMIT;
    }
    assert!(ahead(&b, maker, mad).is_err());
    assert_eq!(early(&b)?, 0, "all or nothing");
    Ok(())
}
