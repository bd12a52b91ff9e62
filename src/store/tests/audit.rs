//! The audit: every kind of deed is told with who, where and with what, filtered, paged; and the search over everything.

use super::*;
use crate::domain::audit::{AuditFact, AuditFilter, AuditRow, Found, Login, Wanted};
use crate::domain::case::{CaseEvent, EntryKind};
use crate::domain::ids::SessionId;
use crate::domain::session::SessionFact;

fn audit(store: &Store, filter: AuditFilter) -> Result<Vec<AuditRow>, StoreError> {
    let filter = AuditFilter {
        limit: filter.limit.max(1),
        ..filter
    };
    match store.ask_wait(Ask::Audit(filter))? {
        Answer::Audit(rows) => Ok(rows),
        other => unreachable!("the audit was asked, not {other:?}"),
    }
}

fn all() -> AuditFilter {
    AuditFilter {
        limit: 1_000,
        ..AuditFilter::default()
    }
}

fn search(store: &Store, text: &str, best: bool) -> Result<Found, StoreError> {
    let wanted = Wanted {
        text: text.to_owned(),
        limit: 20,
        best,
    };
    match store.ask_wait(Ask::Search(wanted))? {
        Answer::Search(found) => Ok(found),
        other => unreachable!("a search was asked, not {other:?}"),
    }
}

fn login(host: &str, fingerprint: &str) -> Draft {
    let login = Login {
        host: host.to_owned(),
        user: "ops".to_owned(),
        address: "10.0.0.1".to_owned(),
        port: 22,
        via: vec!["bastion".to_owned()],
        method: "key \"work\" of the agent".to_owned(),
        fingerprint: fingerprint.to_owned(),
    };
    let id = EntityId::derived("login", fingerprint);
    AuditFact::Login(login).draft(id, NOW, "mira")
}

/// A day: a ticket, a login, a session and a command for it, an edit, a command without a ticket.
fn day(store: &Store) -> Result<String, StoreError> {
    let author = AuditFact::Author.draft(EntityId::derived("author", "one"), NOW, "ann");
    let reference = add(store, "one", [author])?;
    let id = TicketId(ticket("one").id);
    let session = SessionId(EntityId::derived("session", "one"));
    let opened = SessionFact::Opened {
        at: NOW,
        host: "web1".to_owned(),
        ticket: Some(id),
        recording: None,
        author: "mira".to_owned(),
    };
    store.append_wait(batch([opened.draft(session)]))?;
    store.append_wait(batch([login("web1", "SHA256:first")]))?;
    let mut case = CaseEvent::new(
        EntityId::derived("case", "one"),
        NOW,
        EntryKind::Session,
        "mira",
        "ran uptime on web1",
    );
    (case.ticket, case.host) = (Some(id), Some("web1".to_owned()));
    store.append_wait(batch([case.draft()]))?;
    let mut edit = CaseEvent::new(
        EntityId::derived("case", "edit"),
        NOW,
        EntryKind::Edit,
        "otto",
        "state new to open",
    );
    edit.ticket = Some(id);
    store.append_wait(batch([set(ticket("one"), "state", "open"), edit.draft()]))?;
    let did = AuditFact::Did {
        action: "command",
        hosts: vec!["db1".to_owned(), "db2".to_owned()],
        text: "df -h".to_owned(),
    };
    store.append_wait(batch([did.draft(
        EntityId::derived("did", "one"),
        NOW,
        "otto",
    )]))?;
    Ok(reference)
}

/// Each batch of these tests is in the same millisecond by the clock, so the clock counts on: the day must be told apart.
fn ticking(folder: &Path) -> Result<Store, StoreError> {
    use std::sync::atomic::{AtomicI64, Ordering};
    static STEP: AtomicI64 = AtomicI64::new(0);
    let now: fn() -> Time = || NOW.plus(STEP.fetch_add(5, Ordering::Relaxed));
    Store::open(folder, now, || [1; 32], Options::default())
}

#[test]
fn who_did_what_where_with_which_credential() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = ticking(folder.path())?;
    let reference = day(&store)?;
    let rows = audit(&store, all())?;
    let told: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row.action.as_str(),
                row.who.as_deref().unwrap_or("-"),
                row.host.as_deref().unwrap_or("-"),
                row.ticket.as_deref().unwrap_or("-"),
            )
        })
        .collect();
    let reference = reference.as_str();
    assert_eq!(
        told,
        [
            ("command", "otto", "db1 db2", "-"),
            // The fields that changed are in the entry's words, so they are no row of their own.
            ("ticket.edit", "otto", "-", reference),
            ("command", "mira", "web1", reference),
            ("login", "mira", "web1", "-"),
            ("session.opened", "mira", "web1", reference),
            ("ticket.add", "ann", "-", reference),
        ]
    );
    let with = "ops: key \"work\" of the agent SHA256:first";
    let credentials: Vec<_> = rows.iter().map(|row| row.credential.as_deref()).collect();
    // The session waited for that login; a ticket needs none, and of two hosts none is the one.
    assert_eq!(
        credentials,
        [None, None, Some(with), Some(with), Some(with), None]
    );
    assert!(
        rows.windows(2).all(|pair| pair[0].at >= pair[1].at),
        "newest first"
    );
    // A later login with another key is for what comes after it.
    store.append_wait(batch([login("web1", "SHA256:second")]))?;
    let rows = audit(&store, all())?;
    assert_eq!(rows[3].credential.as_deref(), Some(with));
    Ok(())
}

#[test]
fn filters_and_pages() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = ticking(folder.path())?;
    let reference = day(&store)?;
    let whole = audit(&store, all())?;
    let count = |filter: AuditFilter| -> Result<usize, StoreError> {
        Ok(audit(
            &store,
            AuditFilter {
                limit: 1_000,
                ..filter
            },
        )?
        .len())
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        count(AuditFilter {
            host: text("db*"),
            ..all()
        })?,
        1
    );
    assert_eq!(
        count(AuditFilter {
            host: text("web1"),
            ..all()
        })?,
        3
    );
    assert_eq!(
        count(AuditFilter {
            ticket: Some(reference.clone()),
            ..all()
        })?,
        4
    );
    assert_eq!(
        count(AuditFilter {
            who: text("otto"),
            ..all()
        })?,
        2
    );
    assert_eq!(
        count(AuditFilter {
            who: text(&store.device().to_string()[..8]),
            ..all()
        })?,
        6
    );
    assert_eq!(
        count(AuditFilter {
            action: text("session"),
            ..all()
        })?,
        1
    );
    assert_eq!(
        count(AuditFilter {
            action: text("sess"),
            ..all()
        })?,
        0
    );
    assert_eq!(
        count(AuditFilter {
            since: Some(whole[1].at),
            ..all()
        })?,
        2
    );
    assert!(
        audit(
            &store,
            AuditFilter {
                ticket: text("T-ZZZZ"),
                ..all()
            }
        )
        .is_err()
    );
    // Page by page it is the same as all at once.
    let (mut pages, mut until) = (Vec::new(), None);
    loop {
        let page = audit(
            &store,
            AuditFilter {
                until,
                limit: 2,
                ..AuditFilter::default()
            },
        )?;
        let Some(last) = page.last() else { break };
        until = Some(last.at);
        pages.extend(page);
    }
    assert_eq!(pages, whole);
    Ok(())
}

#[test]
fn the_first_broken_number_is_named() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    for n in 0..6 {
        store.append_wait(batch([note(ticket("one"), "comment", &n.to_string(), n)]))?;
    }
    let broken = |store: &Store| match store.ask_wait(Ask::Chains) {
        Ok(Answer::Chains(chains)) => Ok(chains.into_iter().find_map(|chain| chain.broken)),
        other => Err(format!("{other:?}")),
    };
    assert_eq!(broken(&store)?, None);
    let conn = raw(folder.path())?;
    conn.execute("UPDATE op SET hlc = hlc + 1 WHERE seq IN (3, 5)", [])?;
    assert_eq!(broken(&store)?.ok_or("it is found")?.0, 3);
    conn.execute("UPDATE op SET hlc = hlc - 1 WHERE seq IN (3, 5)", [])?;
    // Cutting off the end is seen too, and so is a log that is cut and mended by hand at its end only.
    conn.execute("DELETE FROM op WHERE seq = 6", [])?;
    assert_eq!(broken(&store)?.ok_or("it is found")?.0, 6);
    Ok(())
}

#[test]
fn words_are_found_everywhere_newest_first_and_ranked_when_few() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = ticking(folder.path())?;
    day(&store)?;
    add(&store, "uptime of the whole fleet", [])?;
    add(
        &store,
        "two",
        [
            note(
                ticket("two"),
                "comment",
                "a line\nthe Uptime is short",
                NOW.0,
            ),
            set(ticket("two"), "body", "filler ".repeat(200)),
        ],
    )?;
    let found = search(&store, "uptime", false)?;
    let kinds: Vec<&str> = found.hits.iter().map(|hit| hit.kind.as_str()).collect();
    assert!(
        kinds.contains(&"ticket") && kinds.contains(&"comment") && kinds.contains(&"entry"),
        "{kinds:?}"
    );
    assert!(found.hits.windows(2).all(|pair| pair[0].at >= pair[1].at));
    assert_eq!((found.tickets, found.ranked), (2, false));
    let comment = found
        .hits
        .iter()
        .find(|hit| hit.kind == "comment")
        .ok_or("it")?;
    assert_eq!(comment.text, "two: the Uptime is short");
    let best = search(&store, "uptime", true)?;
    assert!(best.ranked);
    assert_eq!(
        best.hits[0].kind, "ticket",
        "a short title fits better than a long text"
    );
    for (text, kind) in [("web1 mira", "session"), ("uptime web1", "entry")] {
        let found = search(&store, text, false)?;
        assert!(
            found.hits.iter().any(|hit| hit.kind == kind),
            "{text}: {found:?}"
        );
    }
    assert_eq!(search(&store, "100%", false)?.hits, []);
    assert!(search(&store, "  ", false).is_err());
    Ok(())
}
