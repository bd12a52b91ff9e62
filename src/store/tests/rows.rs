//! Tickets: every field, references, history.

use std::collections::BTreeMap;

use super::*;
use crate::domain::case::{CaseEvent, EntryKind};
use crate::domain::query::Query;
use crate::domain::ticket::{Priority, TicketKind, TicketState};

#[test]
fn every_field_of_a_ticket_is_read_back() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    let entity = ticket("one");
    let drafts = [
        set(entity, "title", "disk full"),
        set(entity, "body", "on /var\nsince noon"),
        set(entity, "state", "waiting"),
        set(entity, "priority", 1),
        set(entity, "kind", "incident"),
        set(entity, "queue", "net"),
        set(entity, "owner", "mira"),
        set(entity, "requester", "ann"),
        set(entity, "due", 5_000),
        set(entity, "wait_until", 6_000),
        set(entity, "created", 4_000),
        set(entity, "colour", "a field of a later program"),
        flag(entity, "tags", "web", true),
        flag(entity, "tags", "db", true),
        flag(entity, "tags", "lab", true),
        flag(entity, "tags", "lab", false),
        flag(entity, "hosts", "web1", true),
        flag(entity, "links", "T-9999", true),
        note(entity, "comment", "looked at it", 7_000),
        note(entity, "reply", "we are on it", 6_500),
        Draft::Reference { entity },
    ];
    let committed = store.append_wait(batch(drafts))?;
    assert_eq!(committed.seq, 21);
    let reference = format!("T-{}", entity.id.base32(4));
    assert_eq!(committed.references, [(entity.id, reference.clone())]);
    let read = show(&store, &reference)?;
    assert_eq!(read.id, ticket_id("one"));
    assert_eq!(read.reference, reference);
    assert_eq!(
        (read.title.as_str(), read.body.as_str()),
        ("disk full", "on /var\nsince noon")
    );
    assert_eq!(
        (read.state, Some(read.priority), read.kind),
        (TicketState::Waiting, Priority::new(1), TicketKind::Incident)
    );
    assert_eq!(read.queue, "net");
    assert_eq!(
        (read.owner.as_deref(), read.requester.as_deref()),
        (Some("mira"), Some("ann"))
    );
    assert_eq!(
        (read.due, read.wait_until),
        (Some(Time(5_000)), Some(Time(6_000)))
    );
    assert_eq!((read.created, read.updated), (Time(4_000), NOW));
    assert_eq!(
        (read.tags, read.hosts),
        (vec!["db".to_owned(), "web".into()], vec!["web1".to_owned()])
    );
    assert_eq!(read.links, ["T-9999"]);
    assert!(read.conflicts.is_empty());
    let said: Vec<_> = read
        .entries
        .iter()
        .map(|entry| {
            (
                entry.kind,
                entry.at.0,
                entry.author.as_str(),
                entry.text.as_str(),
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            (EntryKind::Reply, 6_500, "mira", "we are on it"),
            (EntryKind::Comment, 7_000, "mira", "looked at it"),
        ]
    );
    // A field that is cleared is absent again.
    store.append_wait(batch([
        set(entity, "owner", Value::Null),
        set(entity, "due", Value::Null),
    ]))?;
    let read = show(&store, &reference)?;
    assert_eq!((read.owner, read.due), (None, None));
    Ok(())
}

#[test]
fn a_ticket_of_which_nothing_is_said_has_the_usual_values() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    let reference = add(&store, "bare", [])?;
    let read = show(&store, &reference)?;
    assert_eq!(
        (read.state, read.priority, read.kind),
        (TicketState::New, Priority::NORMAL, TicketKind::Task)
    );
    assert_eq!((read.created, read.updated), (NOW, NOW));
    Ok(())
}

#[test]
fn references_are_found_however_they_are_written() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    let mut bytes = [0; 16];
    // Crockford 1 0 1 0.
    (bytes[0], bytes[1], bytes[2]) = (0x08, 0x02, 0x00);
    let entity = Entity {
        kind: EntityKind::Ticket,
        id: EntityId::from_bytes(bytes),
    };
    store.append_wait(batch([
        set(entity, "title", "x"),
        Draft::Reference { entity },
    ]))?;
    for text in ["T-1010", "t-1010", "1010", " lOiO", "T-10100"] {
        assert_eq!(show(&store, text)?.reference, "T-1010", "{text}");
    }
    for text in ["T-1011", "R-1010", "", "T-", "101", "'; DROP TABLE ticket"] {
        let missing = StoreError::NotFound {
            what: "ticket",
            reference: text.to_owned(),
        };
        assert_eq!(show(&store, text).err(), Some(missing), "{text}");
    }
    Ok(())
}

#[test]
fn a_taken_reference_grows_and_never_changes() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    let entity = |last: u8, kind| {
        let mut bytes = [7; 16];
        bytes[15] = last;
        Entity {
            kind,
            id: EntityId::from_bytes(bytes),
        }
    };
    let mut given = Vec::new();
    for (last, kind) in [
        (1, EntityKind::Ticket),
        (2, EntityKind::Ticket),
        (3, EntityKind::Ticket),
        (4, EntityKind::Run),
        (1, EntityKind::Ticket),
    ] {
        let entity = entity(last, kind);
        let committed = store.append_wait(batch([Draft::Reference { entity }]))?;
        given.extend(committed.references.into_iter().map(|(_, text)| text));
    }
    let base = entity(1, EntityKind::Ticket).id;
    assert_eq!(
        given,
        [
            format!("T-{}", base.base32(4)),
            format!("T-{}", base.base32(5)),
            format!("T-{}", base.base32(6)),
            format!("R-{}", base.base32(4)),
            format!("T-{}", base.base32(4)),
        ]
    );
    let host = entity(9, EntityKind::Host);
    let refused = store.append_wait(batch([Draft::Reference { entity: host }]));
    assert!(
        matches!(refused, Err(StoreError::Refused { .. })),
        "{refused:?}"
    );
    Ok(())
}

#[test]
fn an_event_grows_and_joins_what_it_names() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    let reference = add(&store, "one", [])?;
    let id = EntityId::derived("case", "one");
    let run = Entity {
        kind: EntityKind::Run,
        id: EntityId::derived("run", "one"),
    };
    let mut event = CaseEvent::new(
        id,
        NOW.plus(10),
        EntryKind::Session,
        "mira",
        "opened a session",
    );
    event.ticket = Some(ticket_id("one"));
    event.host = Some("web1".into());
    event.run = Some(run.id.into());
    event.data = BTreeMap::from([
        ("command".into(), Value::from("df")),
        ("exit".into(), Value::Null),
    ]);
    let answer = store.append_wait(batch([event.draft(), Draft::Reference { entity: run }]))?;
    let mut later = CaseEvent::new(
        id,
        NOW.plus(10),
        EntryKind::Session,
        "mira",
        "session ended",
    );
    later.data = BTreeMap::from([("exit".into(), Value::Int(3))]);
    store.append_wait(batch([later.draft()]))?;
    let read = show(&store, &reference)?;
    assert_eq!(read.updated, NOW.plus(10));
    let [entry] = read.entries.as_slice() else {
        unreachable!("one event, not {:?}", read.entries)
    };
    assert_eq!(
        (entry.text.as_str(), entry.host.as_deref()),
        ("session ended", Some("web1"))
    );
    assert_eq!(
        entry.run,
        answer.references.first().map(|(_, text)| text.clone())
    );
    assert_eq!(entry.data.get("command"), Some(&"df".into()));
    assert_eq!(entry.data.get("exit"), Some(&3.into()));
    let Answer::Timeline(timeline) = store.ask_wait(Ask::Timeline {
        host: "web1".into(),
        limit: 5,
    })?
    else {
        unreachable!("a timeline was asked")
    };
    assert_eq!(timeline.len(), 1);
    assert_eq!(
        timeline.first().and_then(|entry| entry.ticket.clone()),
        Some(reference)
    );
    Ok(())
}

#[test]
fn the_newest_entries_of_all_come_oldest_first() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    add(
        &store,
        "one",
        (0..5).map(|n| note(ticket("one"), "comment", &format!("c{n}"), 100 * n)),
    )?;
    for n in 0..5 {
        let id = EntityId::derived("case", &n.to_string());
        let event = CaseEvent::new(
            id,
            Time(100 * n + 50),
            EntryKind::File,
            "mira",
            format!("e{n}"),
        );
        store.append_wait(batch([event.draft()]))?;
    }
    let ask = |since, limit| -> Result<Vec<String>, StoreError> {
        match store.ask_wait(Ask::Events { since, limit })? {
            Answer::Timeline(entries) => Ok(entries.into_iter().map(|entry| entry.text).collect()),
            other => unreachable!("entries were asked, not {other:?}"),
        }
    };
    assert_eq!(ask(None, 3)?, ["e3", "c4", "e4"]);
    assert_eq!(ask(Some(Time(400)), 10)?, ["c4", "e4"]);
    Ok(())
}

#[test]
fn an_archived_ticket_is_in_no_list_but_can_be_shown() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    let reference = add(&store, "old", [set(ticket("old"), "archived", true)])?;
    add(&store, "new", [])?;
    let Answer::Tickets { rows, total } = store.ask_wait(Ask::Tickets {
        query: Query::default(),
        limit: None,
    })?
    else {
        unreachable!("tickets were asked")
    };
    assert_eq!((rows.len(), total), (1, 1));
    assert_eq!(show(&store, &reference)?.title, "old");
    Ok(())
}
