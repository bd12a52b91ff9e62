//! Hosts, samples, effective settings, runs, sessions.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;
use crate::domain::check::HostState;
use crate::domain::host::{Effective, Host, Source, Target};
use crate::domain::ids::{HostId, RunId, SessionId};
use crate::domain::run::{CellState, RunFact, RunRow, RunState, Tally};
use crate::domain::sample::Sample;
use crate::domain::session::{SessionFact, SessionRow, SharedRecording};

fn host(name: &str) -> Entity {
    Entity {
        kind: EntityKind::Host,
        id: HostId::of(name).0,
    }
}

fn map<const N: usize>(pairs: [(&str, Value); N]) -> Value {
    Value::Map(
        pairs
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

fn one(store: &Store, name: &str) -> Result<Host, StoreError> {
    match store.ask_wait(Ask::Host {
        name: name.to_owned(),
    })? {
        Answer::Host(host) => Ok(*host),
        other => unreachable!("a host was asked, not {other:?}"),
    }
}

fn hosts(store: &Store) -> Result<Vec<Host>, StoreError> {
    match store.ask_wait(Ask::Hosts)? {
        Answer::Hosts(hosts) => Ok(hosts),
        other => unreachable!("hosts were asked, not {other:?}"),
    }
}

#[test]
fn every_field_of_a_host_is_read_back() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    let web = host("web1");
    store.append_wait(batch([
        set(web, "name", "web1"),
        set(web, "address", "10.0.0.1"),
        set(web, "port", 2222),
        set(web, "user", "root"),
        set(web, "notes", "rack 3"),
        set(web, "stale", true),
        set(web, "config", "/etc/fleet/ssh_config"),
        set(web, "order", 0),
        set(
            web,
            "jump",
            Value::List(vec!["gate".into(), "inner".into()]),
        ),
        set(
            web,
            "vars",
            map([("env", "prod".into()), ("weight", 3.into())]),
        ),
        set(web, "facts", map([("os", "Debian".into())])),
        set(
            web,
            "source",
            map([
                ("address", "/etc/a:b/hosts:17".into()),
                (
                    "port",
                    map([("file", "inv.ini".into()), ("line", 4.into())]),
                ),
            ]),
        ),
        flag(web, "groups", "prod", true),
        flag(web, "groups", "eu", true),
        flag(web, "tags", "db", true),
    ]))?;
    let read = one(&store, "web1")?;
    let source = |file: &str, line| Source {
        file: PathBuf::from(file),
        line,
    };
    let wanted = Host {
        address: Some("10.0.0.1".into()),
        port: Some(2222),
        user: Some("root".into()),
        groups: vec!["eu".into(), "prod".into()],
        tags: vec!["db".into()],
        vars: BTreeMap::from([("env".into(), "prod".into()), ("weight".into(), "3".into())]),
        jump: vec!["gate".into(), "inner".into()],
        facts: BTreeMap::from([("os".into(), "Debian".into())]),
        notes: "rack 3".into(),
        source: BTreeMap::from([
            ("address".into(), source("/etc/a:b/hosts", 17)),
            ("port".into(), source("inv.ini", 4)),
        ]),
        stale: true,
        config: Some(PathBuf::from("/etc/fleet/ssh_config")),
        ..Host::named("web1")
    };
    assert_eq!(read, wanted);
    assert_eq!(hosts(&store)?, [wanted]);
    assert_eq!(
        one(&store, "web9").err(),
        Some(StoreError::NotFound {
            what: "host",
            reference: "web9".into()
        })
    );
    Ok(())
}

#[test]
fn hosts_come_in_inventory_order_and_archived_ones_not_at_all() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    for (name, place) in [
        ("b", Some(1)),
        ("z", Some(0)),
        ("n", None),
        ("c", None),
        ("gone", Some(2)),
    ] {
        let mut drafts = vec![set(host(name), "name", name)];
        drafts.extend(place.map(|place: i64| set(host(name), "order", place)));
        store.append_wait(batch(drafts))?;
    }
    store.append_wait(batch([set(host("gone"), "archived", true)]))?;
    let names: Vec<String> = hosts(&store)?.into_iter().map(|host| host.name).collect();
    assert_eq!(names, ["z", "b", "c", "n"]);
    assert!(one(&store, "gone").is_err());
    Ok(())
}

fn local(item: Local) -> Batch {
    Batch {
        drafts: Vec::new(),
        local: vec![item],
    }
}

#[test]
fn a_verdict_ages() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    store.append_wait(batch(
        ["fresh", "old", "never"].map(|name| set(host(name), "name", name)),
    ))?;
    for (name, age, state) in [
        ("fresh", 4_500, HostState::Crit),
        ("old", 300_001, HostState::Ok),
    ] {
        store.append_wait(local(Local::HostState {
            host: HostId::of(name),
            at: NOW.plus(-age),
            state,
            reasons: vec!["load 40".into()],
        }))?;
    }
    // A verdict that comes late does not replace a newer one.
    store.append_wait(local(Local::HostState {
        host: HostId::of("fresh"),
        at: NOW.plus(-9_000),
        state: HostState::Ok,
        reasons: Vec::new(),
    }))?;
    let seen: Vec<_> = hosts(&store)?
        .into_iter()
        .map(|host| (host.name, host.state, host.age_s))
        .collect();
    assert_eq!(
        seen,
        [
            ("fresh".to_owned(), HostState::Crit, Some(4)),
            ("never".to_owned(), HostState::Unknown, None),
            ("old".to_owned(), HostState::Stale, Some(300)),
        ]
    );
    let Answer::HostState(Some((at, state, reasons))) = store.ask_wait(Ask::HostState {
        host: HostId::of("fresh"),
    })?
    else {
        unreachable!("somebody looked")
    };
    assert_eq!(
        (at, state, reasons),
        (
            NOW.plus(-4_500),
            HostState::Crit,
            vec!["load 40".to_owned()]
        )
    );
    Ok(())
}

#[test]
fn samples_are_a_ring() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    let id = HostId::of("web1");
    let sample = |n: i64| Sample {
        at: NOW.plus(n),
        load: Some([0.5, 1.0, n as f32]),
        rtt_ms: Some(3),
        ..Sample::default()
    };
    let items = (0..730).map(|n| Local::Sample {
        host: id,
        sample: sample(n),
        state: HostState::Ok,
        reasons: Vec::new(),
    });
    let other = Local::Sample {
        host: HostId::of("web2"),
        sample: sample(0),
        state: HostState::Ok,
        reasons: Vec::new(),
    };
    store.append_wait(Batch {
        drafts: Vec::new(),
        local: items.chain([other]).collect(),
    })?;
    let read = |host, limit| match store.ask_wait(Ask::Samples { host, limit }) {
        Ok(Answer::Samples(samples)) => samples,
        other => unreachable!("samples were asked, not {other:?}"),
    };
    assert_eq!(read(id, 1_000).len(), 720);
    assert_eq!(read(id, 2), [sample(728), sample(729)]);
    assert_eq!(read(HostId::of("web2"), 9).len(), 1);
    let Answer::Heads(heads) = store.ask_wait(Ask::Heads)? else {
        unreachable!("heads were asked")
    };
    assert!(heads.is_empty(), "samples are in no log");
    Ok(())
}

#[test]
fn effective_settings_are_remembered_with_their_files() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    let target = |config: Option<&str>| Target {
        name: "web1".into(),
        config: config.map(PathBuf::from),
    };
    let effective = |user: &str| Effective {
        options: BTreeMap::from([("user".into(), vec![user.into()])]),
    };
    let stamps: FileStamps = vec![("/b".into(), -1, u64::MAX), ("/a".into(), 2, 0)];
    for user in ["ann", "root"] {
        store.append_wait(local(Local::Effective {
            target: target(Some("/etc/x")),
            stamps: stamps.clone(),
            effective: effective(user),
        }))?;
    }
    let ask = |target| match store.ask_wait(Ask::Effective { target }) {
        Ok(Answer::Effective(found)) => found,
        other => unreachable!("settings were asked, not {other:?}"),
    };
    assert_eq!(
        ask(target(Some("/etc/x"))),
        Some((stamps, effective("root")))
    );
    assert_eq!(ask(target(None)), None);
    Ok(())
}

#[test]
fn small_texts_are_kept_by_name_and_are_in_no_log() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    let keep = |name: &str, text: Option<&str>| {
        store.append_wait(local(Local::Keep {
            name: name.to_owned(),
            text: text.map(str::to_owned),
        }))
    };
    for (name, text) in [
        ("layout/b", "1"),
        ("layout/a", "2"),
        ("tabs", "3"),
        ("layout/b", "4"),
    ] {
        keep(name, Some(text))?;
    }
    let kept = |prefix: &str| match store.ask_wait(Ask::Kept {
        prefix: prefix.to_owned(),
    }) {
        Ok(Answer::Kept(kept)) => kept,
        other => unreachable!("kept texts were asked, not {other:?}"),
    };
    let pair = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    assert_eq!(
        kept("layout/"),
        [pair("layout/a", "2"), pair("layout/b", "4")]
    );
    keep("layout/b", None)?;
    assert_eq!(kept(""), [pair("layout/a", "2"), pair("tabs", "3")]);
    Ok(())
}

fn run_id() -> RunId {
    RunId(EntityId::derived("run", "one"))
}

fn run(store: &Store, reference: &str) -> Result<RunRow, StoreError> {
    match store.ask_wait(Ask::Run {
        reference: reference.to_owned(),
    })? {
        Answer::Run(run) => Ok(*run),
        other => unreachable!("a run was asked, not {other:?}"),
    }
}

fn started(ticket: Option<TicketId>) -> RunFact {
    RunFact::Started {
        at: Time(10),
        book: "disk/clean".into(),
        hash: "abc".into(),
        steps: vec!["look".into(), "clean".into()],
        hosts: vec!["web2".into(), "web1".into()],
        params: BTreeMap::from([("path".into(), "/var".into())]),
        ticket,
        author: "mira".into(),
    }
}

fn step(host: &str, step: u32, attempt: u32) -> RunFact {
    RunFact::StepStarted {
        at: Time(20),
        host: host.into(),
        step,
        attempt,
    }
}

fn ended(host: &str, step: u32, state: CellState, exit: Option<i32>) -> RunFact {
    RunFact::StepFinished {
        at: Time(30),
        host: host.into(),
        step,
        state,
        exit,
        took_ms: 7,
        output: b"out\xff".to_vec(),
        dropped: 2,
        reason: "because".into(),
    }
}

#[test]
fn a_run_is_read_back_and_is_unknown_without_its_owner() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    let ticket_ref = add(&store, "one", [])?;
    let entity = Entity {
        kind: EntityKind::Run,
        id: run_id().0,
    };
    let facts = [
        started(Some(ticket_id("one"))),
        step("web1", 0, 1),
        ended("web1", 0, CellState::Failed, Some(2)),
        step("web2", 0, 1),
        ended("web2", 0, CellState::Ok, Some(0)),
        step("web1", 0, 2),
    ];
    let mut drafts: Vec<Draft> = facts.iter().map(|fact| fact.draft(run_id())).collect();
    drafts.push(Draft::Reference { entity });
    let held = lock::hold(folder.path(), entity.id)?;
    let committed = store.append_wait(Batch::from(drafts))?;
    let reference = committed.references.first().map(|(_, text)| text.clone());
    let reference = reference.ok_or("a reference was asked for")?;

    let read = run(&store, &reference)?;
    assert_eq!(
        (read.id, read.reference.as_str()),
        (run_id(), reference.as_str())
    );
    assert_eq!(
        (read.book.as_str(), read.hash.as_str()),
        ("disk/clean", "abc")
    );
    assert_eq!((read.state, read.finished), (RunState::Running, None));
    assert_eq!(
        (read.ticket.as_ref(), read.author.as_str()),
        (Some(&ticket_ref), "mira")
    );
    assert_eq!(
        (read.started, read.hosts.join(" ")),
        (Time(10), "web2 web1".to_owned())
    );
    assert_eq!(read.params.get("path").map(String::as_str), Some("/var"));
    let cells: Vec<_> = read
        .cells
        .iter()
        .map(|cell| {
            (
                cell.host.as_str(),
                cell.step.as_str(),
                cell.state,
                cell.attempt,
                cell.exit,
            )
        })
        .collect();
    assert_eq!(
        cells,
        [
            ("web2", "look", CellState::Ok, 1, Some(0)),
            ("web1", "look", CellState::Running, 2, None),
        ]
    );
    let cell = read.cells.first().ok_or("two cells")?;
    assert_eq!(
        (cell.output.as_str(), cell.dropped, cell.took_ms),
        ("out\u{fffd}", 2, Some(7))
    );
    assert_eq!(
        (cell.reason.as_str(), cell.started),
        ("because", Some(Time(20)))
    );

    drop(held);
    let read = run(&store, &reference)?;
    assert_eq!(read.state, RunState::Unknown);
    assert_eq!(
        read.cells.get(1).map(|cell| cell.state),
        Some(CellState::Unknown)
    );
    let Answer::Runs(rows) = store.ask_wait(Ask::Runs {
        ticket: Some(ticket_ref),
        limit: Some(5),
    })?
    else {
        unreachable!("runs were asked")
    };
    assert_eq!(rows.len(), 1);
    assert!(rows.iter().all(|row| row.cells.is_empty()));

    let tally = Tally {
        ok: 1,
        failed: 1,
        unreachable: 0,
        skipped: 0,
    };
    let finished = RunFact::Finished {
        at: Time(50),
        state: RunState::Failed,
        tally,
    };
    let facts = [ended("web1", 0, CellState::Ok, Some(0)), finished];
    store.append_wait(batch(facts.iter().map(|fact| fact.draft(run_id()))))?;
    let read = run(&store, &reference)?;
    assert_eq!(
        (read.state, read.finished, read.tally),
        (RunState::Failed, Some(Time(50)), tally)
    );

    // Taken up again after its end, it is not at its end.
    store.append_wait(batch([step("web1", 1, 1).draft(run_id())]))?;
    let read = run(&store, &reference)?;
    assert_eq!((read.state, read.finished), (RunState::Unknown, None));
    Ok(())
}

#[test]
fn a_recording_in_the_space_is_believed_of_whoever_opened_the_session() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    let id = SessionId(EntityId::derived("session", "one"));
    let own = store.device();
    let recording = |device, blob| SharedRecording {
        device,
        blob: EntityId::derived("blob", blob),
        bytes: 1_000,
        part: 400,
        hash: EntityId::derived("hash", blob),
    };
    let opened = SessionFact::Opened {
        at: Time(10),
        host: "web1".into(),
        ticket: None,
        recording: Some("S.cast".into()),
        author: "mira".into(),
    };
    let says = |recording| SessionFact::Shared {
        at: Time(20),
        recording,
    };
    let ours = recording(own, "ours");
    assert_eq!(
        (ours.parts(), ours.bytes_of(1), ours.bytes_of(3)),
        (Some(3), 400, 200)
    );
    store.append_wait(batch([
        opened.draft(id),
        says(Some(ours.clone())).draft(id),
    ]))?;
    let read = || match store.ask_wait(Ask::Sessions { limit: None }) {
        Ok(Answer::Sessions(rows)) => rows.first().and_then(|row| row.shared.clone()),
        other => unreachable!("sessions were asked, not {other:?}"),
    };
    let tally = || {
        let (tell, told) = std::sync::mpsc::channel();
        store.shared_recordings(move |tally| drop(tell.send(tally)));
        told.recv().expect("an answer").expect("a tally")
    };
    assert_eq!((read(), tally()), (Some(ours.clone()), (1, 1_000)));
    // Another device says something of our session later.
    let elsewhere = tempfile::tempdir()?;
    let other = Store::open(elsewhere.path(), now, || [2; 32], Options::default())?;
    let theirs = recording(other.device(), "theirs");
    other.append_wait(batch([says(Some(theirs)).draft(id)]))?;
    let ask = Ask::Log {
        device: other.device(),
        from: 1,
        limit: 9,
    };
    let Answer::Log(log) = other.ask_wait(ask)? else {
        unreachable!("a log was asked")
    };
    store.absorb_wait(log)?;
    assert_eq!((read(), tally()), (Some(ours.clone()), (1, 1_000)));
    // What makes no sense is nothing to fetch, and what was taken back neither.
    let odd = SharedRecording { part: 0, ..ours };
    store.append_wait(batch([says(Some(odd)).draft(id)]))?;
    assert_eq!(read(), None);
    store.append_wait(batch([says(None).draft(id)]))?;
    assert_eq!((read(), tally()), (None, (0, 0)));
    Ok(())
}

#[test]
fn a_session_lives_as_long_as_its_owner() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    let id = SessionId(EntityId::derived("session", "one"));
    let entity = Entity {
        kind: EntityKind::Session,
        id: id.0,
    };
    let opened = SessionFact::Opened {
        at: Time(10),
        host: "web1".into(),
        ticket: None,
        recording: Some("S.cast".into()),
        author: "mira".into(),
    };
    let held = lock::hold(folder.path(), id.0)?;
    let committed = store.append_wait(batch([opened.draft(id), Draft::Reference { entity }]))?;
    let reference = committed.references.first().map(|(_, text)| text.clone());
    let reference = reference.ok_or("a reference was asked for")?;
    let read = || match store.ask_wait(Ask::Session {
        reference: reference.to_lowercase(),
    }) {
        Ok(Answer::Session(session)) => *session,
        other => unreachable!("a session was asked, not {other:?}"),
    };
    let mut wanted = SessionRow {
        id,
        reference: reference.clone(),
        host: "web1".into(),
        ticket: None,
        opened: Time(10),
        closed: None,
        exit: None,
        bytes: 0,
        recording: Some("S.cast".into()),
        live: true,
        shared: None,
    };
    assert_eq!(read(), wanted);
    drop(held);
    wanted.live = false;
    assert_eq!(read(), wanted);
    let closed = SessionFact::Closed {
        at: Time(20),
        exit: Some(0),
        bytes: 4_096,
        reason: String::new(),
    };
    store.append_wait(batch([closed.draft(id)]))?;
    (wanted.closed, wanted.exit, wanted.bytes) = (Some(Time(20)), Some(0), 4_096);
    let Answer::Sessions(rows) = store.ask_wait(Ask::Sessions { limit: None })? else {
        unreachable!("sessions were asked")
    };
    assert_eq!(rows, [wanted]);
    Ok(())
}
