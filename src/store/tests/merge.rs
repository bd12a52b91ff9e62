//! Several devices: one state in whatever order their operations arrive, and the log that carries them.

use proptest::prelude::*;

use super::*;
use crate::domain::case::{CaseEvent, EntryKind};
use crate::domain::ids::RunId;
use crate::domain::op::Hlc;
use crate::domain::run::{CellState, RunFact, RunState, Tally};

fn device(folder: &Path, number: u8) -> Result<Store, StoreError> {
    let seed: fn() -> [u8; 32] = match number {
        0 => || [10; 32],
        1 => || [11; 32],
        _ => || [12; 32],
    };
    let now: fn() -> Time = match number {
        0 => || NOW,
        1 => || NOW.plus(6 * 3_600_000),
        _ => || NOW.plus(-6 * 3_600_000),
    };
    Store::open(folder, now, seed, Options::default())
}

fn log_of(store: &Store, device: DeviceId) -> Result<Vec<Logged>, StoreError> {
    match store.ask_wait(Ask::Log {
        device,
        from: 1,
        limit: u32::MAX,
    })? {
        Answer::Log(ops) => Ok(ops),
        other => unreachable!("a log was asked, not {other:?}"),
    }
}

fn doctor(store: &Store) -> Result<DoctorReport, StoreError> {
    match store.ask_wait(Ask::Doctor)? {
        Answer::Doctor(report) => Ok(report),
        other => unreachable!("the doctor was asked, not {other:?}"),
    }
}

#[test]
fn two_edits_at_once_are_flagged_and_both_stay_readable() -> Tested {
    let (here, there) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let (a, b) = (device(here.path(), 0)?, device(there.path(), 1)?);
    let reference = add(&a, "one", [set(ticket("one"), "state", "new")])?;
    b.absorb_wait(log_of(&a, a.device())?)?;
    a.append_wait(batch([
        set(ticket("one"), "state", "open"),
        set(ticket("one"), "queue", "net"),
    ]))?;
    b.append_wait(batch([
        set(ticket("one"), "state", "closed"),
        set(ticket("one"), "queue", "net"),
    ]))?;
    a.absorb_wait(log_of(&b, b.device())?)?;
    b.absorb_wait(log_of(&a, a.device())?)?;
    for store in [&a, &b] {
        let read = show(store, &reference)?;
        assert_eq!(read.state.word(), "closed", "its clock is six hours ahead");
        assert_eq!(read.conflicts, ["state"], "equal words are no conflict");
        let Answer::Conflicts(conflicts) = store.ask_wait(Ask::Conflicts {
            reference: reference.clone(),
        })?
        else {
            unreachable!("conflicts were asked")
        };
        let values: Vec<_> = conflicts
            .iter()
            .flat_map(|conflict| &conflict.values)
            .map(|(stamp, value)| (stamp.device, value.clone()))
            .collect();
        assert_eq!(
            values,
            [
                (b.device(), Value::from("closed")),
                (a.device(), Value::from("open"))
            ]
        );
    }
    // Whoever saw both settles it, even with the slower clock.
    a.append_wait(batch([set(ticket("one"), "state", "resolved")]))?;
    b.absorb_wait(log_of(&a, a.device())?)?;
    let read = show(&b, &reference)?;
    assert_eq!((read.state.word(), read.conflicts.len()), ("resolved", 0));
    assert_eq!(dump(here.path())?, dump(there.path())?);
    Ok(())
}

#[test]
fn a_shared_reference_is_refused_with_both_longer_forms() -> Tested {
    let (here, there) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let (a, b) = (device(here.path(), 0)?, device(there.path(), 1)?);
    let entity = |last: u8| {
        let mut bytes = [9; 16];
        bytes[4] = last;
        Entity {
            kind: EntityKind::Ticket,
            id: EntityId::from_bytes(bytes),
        }
    };
    for (store, last) in [(&a, 1), (&b, 2)] {
        let entity = entity(last);
        store.append_wait(batch([
            set(entity, "title", "x"),
            Draft::Reference { entity },
        ]))?;
    }
    a.absorb_wait(log_of(&b, b.device())?)?;
    let short = format!("T-{}", entity(1).id.base32(4));
    let Err(StoreError::Ambiguous { reference, longer }) = show(&a, &short.to_lowercase()) else {
        unreachable!("two tickets have it")
    };
    assert_eq!(reference, short);
    assert_eq!(longer.len(), 2);
    for (form, last) in longer.iter().zip([1, 2]) {
        assert_eq!(show(&a, form)?.id.0, entity(last).id, "{form}");
    }
    Ok(())
}

#[test]
fn a_log_is_taken_in_whole_or_not_at_all() -> Tested {
    let (here, there) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let (a, b) = (device(here.path(), 0)?, device(there.path(), 1)?);
    for n in 0..4 {
        a.append_wait(batch([set(ticket("one"), "priority", n)]))?;
    }
    let log = log_of(&a, a.device())?;
    let refused = b.absorb_wait(log.iter().skip(1).cloned().collect());
    assert!(
        matches!(&refused, Err(StoreError::Refused { why }) if why.contains("missing")),
        "{refused:?}"
    );
    assert!(log_of(&b, a.device())?.is_empty());
    assert_eq!(b.absorb_wait(log.clone())?, 4);
    assert_eq!(b.absorb_wait(log.clone())?, 0, "again, and nothing is new");
    assert_eq!(log_of(&b, a.device())?, log);
    // Another body under a known number, our own number from outside, a stamp beyond all clocks.
    let mut other = log.clone();
    if let Some(op) = other.get_mut(2) {
        op.body = vec![0xa0];
    }
    assert!(matches!(
        b.absorb_wait(other),
        Err(StoreError::Refused { .. })
    ));
    let mut own = log.clone();
    for op in &mut own {
        op.device = b.device();
    }
    assert!(matches!(
        b.absorb_wait(own),
        Err(StoreError::Refused { .. })
    ));
    let late = Logged {
        seq: 5,
        hlc: Hlc::LIMIT,
        ..log.first().cloned().ok_or("four operations")?
    };
    assert!(matches!(
        b.absorb_wait(vec![late]),
        Err(StoreError::Refused { .. })
    ));
    assert!(doctor(&b)?.ok);
    Ok(())
}

#[test]
fn what_is_not_understood_is_carried_byte_for_byte() -> Tested {
    let (here, there) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let (a, b) = (device(here.path(), 0)?, device(there.path(), 1)?);
    let bodies: [&[u8]; 5] = [
        b"\xa1dkinddbond",
        b"not even a map",
        b"",
        b"\xbfdkindcrecfentityeshelfbidP0123456789abcdefdnamexfieldsa0\xff",
        // A flag on an entity of a kind that nobody knows yet, with a key of a later program.
        b"\xa7dkinddflagfentityeshelfbidP0123456789abcdefcsetdtagsfmemberaxbon\xf5elater\xfb?\xf8\0\0\0\0\0\0",
    ];
    let foreign = DeviceId(EntityId::derived("device", "later"));
    let ops: Vec<Logged> = bodies
        .iter()
        .zip(1..)
        .map(|(body, seq)| Logged {
            device: foreign,
            seq,
            hlc: Hlc(seq),
            body: body.to_vec(),
        })
        .collect();
    a.absorb_wait(ops.clone())?;
    b.absorb_wait(log_of(&a, foreign)?)?;
    assert_eq!(log_of(&b, foreign)?, ops);
    assert!(
        dump(there.path())?
            .iter()
            .any(|line| line.starts_with("flag") && line.contains("shelf"))
    );
    assert_eq!(b.rebuild_wait()?, 5);
    let report = doctor(&b)?;
    assert!(report.ok, "{report:?}");
    let carried = report
        .lines
        .iter()
        .any(|line| line.detail.contains("4 operations of a newer program"));
    assert!(carried, "{report:?}");
    Ok(())
}

#[test]
fn a_far_clock_is_applied_named_and_does_not_drag_ours() -> Tested {
    let (here, there) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let a = device(here.path(), 0)?;
    let year = || NOW.plus(365 * 86_400_000);
    let b = Store::open(there.path(), year, || [11; 32], Options::default())?;
    let reference = add(&b, "one", [set(ticket("one"), "queue", "far")])?;
    a.absorb_wait(log_of(&b, b.device())?)?;
    a.append_wait(batch([
        set(ticket("one"), "queue", "here"),
        set(ticket("two"), "queue", "x"),
    ]))?;
    assert_eq!(
        show(&a, &reference)?.queue,
        "here",
        "an edit beats what its author saw"
    );
    let stamps: Vec<Hlc> = log_of(&a, a.device())?.iter().map(|op| op.hlc).collect();
    assert!(stamps.first() > Some(&Hlc::at(year())));
    assert!(stamps.last() < Some(&Hlc::at(NOW.plus(1_000))));
    let report = doctor(&a)?;
    let clocks = report
        .lines
        .iter()
        .find(|line| line.name == "clocks")
        .ok_or("a line")?;
    assert!(
        !clocks.ok && clocks.detail.contains(&b.device().to_string()),
        "{clocks:?}"
    );
    Ok(())
}

/// One act of one device: what it writes, from small choices so that devices meet.
fn act(store: &Store, what: u8, which: u8, value: u8) -> Result<(), StoreError> {
    let entity = ticket(&(which % 2).to_string());
    let text = ["red", "green", "blue"][usize::from(value % 3)];
    let host = Entity {
        kind: EntityKind::Host,
        id: crate::domain::ids::HostId::of("web1").0,
    };
    let at = NOW.plus(i64::from(value));
    let run = RunId(EntityId::derived("run", "one"));
    let draft = match what % 10 {
        0 => set(entity, "title", format!("{text} {value}")),
        1 => set(entity, "body", text),
        2 => set(entity, "created", at.0),
        3 => flag(entity, "tags", text, value.is_multiple_of(2)),
        4 => note(entity, "comment", text, at.0),
        5 => set(host, ["name", "facts"][usize::from(which % 2)], "web1"),
        6 => {
            let id = EntityId::derived("case", &(value % 2).to_string());
            let mut event = CaseEvent::new(id, at, EntryKind::Run, "mira", text);
            event.ticket = Some(entity.id.into());
            event.data.insert(text.to_owned(), Value::Int(value.into()));
            event.draft()
        }
        7 => RunFact::StepStarted {
            at,
            host: text.to_owned(),
            step: 0,
            attempt: value.into(),
        }
        .draft(run),
        8 => RunFact::StepFinished {
            at,
            host: text.to_owned(),
            step: 0,
            state: CellState::Ok,
            exit: Some(value.into()),
            took_ms: 1,
            output: Vec::new(),
            dropped: 0,
            reason: String::new(),
        }
        .draft(run),
        _ => RunFact::Finished {
            at,
            state: RunState::Ok,
            tally: Tally::default(),
        }
        .draft(run),
    };
    store.append_wait(batch([draft])).map(drop)
}

/// Gives `to` some of what `from` knows: of one device, all or the first half of what is missing.
fn hear(to: &Store, from: &Store, whose: DeviceId, half: bool) -> Result<(), StoreError> {
    if whose == to.device() {
        return Ok(());
    }
    let mut log = log_of(from, whose)?;
    if half {
        let have = log_of(to, whose)?.len();
        log.truncate(have + log.len().saturating_sub(have).div_ceil(2));
    }
    to.absorb_wait(log).map(drop)
}

type Step = (u8, u8, u8, u8, u8, bool);

fn exchange(steps: &[Step]) -> Result<(), Box<dyn Error>> {
    let folders = [
        tempfile::tempdir()?,
        tempfile::tempdir()?,
        tempfile::tempdir()?,
    ];
    let mut stores = Vec::new();
    for (folder, number) in folders.iter().zip(0..) {
        stores.push(device(folder.path(), number)?);
    }
    let pick = |number: u8| stores.get(usize::from(number) % 3).ok_or("three devices");
    for (who, from, what, which, value, talk) in steps {
        if *talk {
            hear(
                pick(*who)?,
                pick(*from)?,
                pick(*which)?.device(),
                value % 2 == 0,
            )?;
        } else {
            act(pick(*who)?, *what, *which, *value)?;
        }
    }
    // At last everybody hears everything, each in an order of its own.
    for (to, order) in stores.iter().zip([[0, 1, 2], [2, 0, 1], [1, 2, 0]]) {
        for whose in order {
            let whose = pick(whose)?;
            hear(to, whose, whose.device(), false)?;
        }
    }
    let first = dump(folders[0].path())?;
    for (folder, store) in folders.iter().zip(&stores) {
        let live = dump(folder.path())?;
        assert_eq!(difference(&first, &live), [""; 0]);
        store.rebuild_wait()?;
        let anew = dump(folder.path())?;
        assert_eq!(
            difference(&live, &anew),
            [""; 0],
            "folded anew, it is the same"
        );
        assert!(doctor(store)?.ok);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_device_comes_to_the_same_state(
        steps in prop::collection::vec((0..3u8, 0..3u8, any::<u8>(), any::<u8>(), any::<u8>(), any::<bool>()), 1..40),
    ) {
        exchange(&steps).map_err(|why| TestCaseError::fail(why.to_string()))?;
    }
}

#[test]
fn the_doctor_sees_what_was_tampered_with() -> Tested {
    for (sql, name) in [
        ("UPDATE op SET body = x'a0' WHERE seq = 2", "log"),
        ("DELETE FROM op WHERE seq = 2", "log"),
        (
            "DELETE FROM op WHERE seq = (SELECT max(seq) FROM op)",
            "log",
        ),
        ("DELETE FROM ticket_fts WHERE rowid = 1", "search index"),
        (
            "UPDATE ticket_fts_data SET block = x'00' WHERE id > 10",
            "search index",
        ),
    ] {
        let folder = tempfile::tempdir()?;
        let store = device(folder.path(), 0)?;
        add(&store, "one", [set(ticket("one"), "body", "some words")])?;
        let report = doctor(&store)?;
        assert!(report.ok, "{report:?}");
        raw(folder.path())?.execute_batch(sql)?;
        let report = doctor(&store)?;
        assert!(!report.ok, "{sql}");
        let wrong: Vec<&str> = report
            .lines
            .iter()
            .filter(|line| !line.ok)
            .map(|line| line.name.as_str())
            .collect();
        assert_eq!(wrong, [name], "{sql}: {report:?}");
    }
    Ok(())
}
