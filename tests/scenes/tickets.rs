//! Tickets by command: what is written, what is answered, what is refused.

use quarterdeck::command::{Answer, Outcome};
use quarterdeck::domain::case::EntryKind;
use quarterdeck::domain::run::Exit;
use quarterdeck::domain::ticket::{Ticket, TicketState};

use super::{Scene, Trace};

fn quiet(_: &str, _: &str, _: &str) -> (&'static str, Exit) {
    ("", Exit::Code(0))
}

fn ticket(outcome: Outcome) -> Ticket {
    match outcome.answer {
        Answer::Ticket(ticket) => *ticket,
        other => unreachable!("no ticket but {other:?}"),
    }
}

#[test]
fn a_ticket_lives_from_add_to_resolve() {
    let mut scene = Scene::with_hosts(&["web1", "web2", "db1"], quiet);
    let made =
        ticket(scene.line("ticket add disk full --priority 1 --tag disk -H 'web*' --owner me"));
    assert!(
        made.reference.starts_with("T-") && made.reference.len() >= 6,
        "{}",
        made.reference
    );
    assert_eq!(
        (made.title.as_str(), made.hosts.as_slice()),
        (
            "disk full",
            ["web1".to_owned(), "web2".to_owned()].as_slice()
        )
    );
    assert_eq!(
        (made.owner.as_deref(), made.state),
        (Some("mira"), TicketState::New)
    );
    let reference = made.reference;
    ticket(scene.line(&format!("ticket comment {reference} looked at it")));
    ticket(scene.line(&format!(
        "ticket edit {} --untag disk --unhost web2 --state open",
        reference.to_lowercase()
    )));
    let done = ticket(scene.line(&format!(
        "ticket resolve {reference} --comment 'logs removed'"
    )));
    assert_eq!(done.state, TicketState::Resolved);
    assert_eq!(
        (done.tags.len(), done.hosts.as_slice()),
        (0, ["web1".to_owned()].as_slice())
    );
    let kinds: Vec<EntryKind> = done.entries.iter().map(|entry| entry.kind).collect();
    assert_eq!(
        kinds
            .iter()
            .filter(|kind| **kind == EntryKind::Comment)
            .count(),
        2,
        "{kinds:?}"
    );
    assert_eq!(
        kinds
            .iter()
            .filter(|kind| **kind == EntryKind::Edit)
            .count(),
        2,
        "{kinds:?}"
    );
    let texts: Vec<&str> = done
        .entries
        .iter()
        .map(|entry| entry.text.as_str())
        .collect();
    assert!(
        texts.contains(&"state new → open; -tag disk; -host web2"),
        "{texts:?}"
    );
}

#[test]
fn queries_find_what_they_name_and_refuse_what_nobody_understands() {
    let mut scene = Scene::with_hosts(&["web1"], quiet);
    ticket(scene.line("ticket add printer on fire --kind request --tag lab"));
    ticket(scene.line("ticket add web slow -H web1 --priority 2"));
    for (query, count) in [
        ("", 2),
        ("prio:<=2", 1),
        ("-tag:lab", 1),
        ("host:web1 slow", 1),
        ("\"on fire\"", 1),
        ("state:closed", 0),
    ] {
        let Answer::Tickets(rows) = scene.line(&format!("ticket ls {query}")).answer else {
            unreachable!("a list answers with tickets")
        };
        assert_eq!(rows.len(), count, "{query}");
    }
    let (exit, why) = scene.refused("ticket ls colour:red");
    assert_eq!(exit, 2);
    assert!(why.contains("colour"), "{why}");
}

#[test]
fn what_cannot_be_is_refused_with_the_right_status_and_nothing_is_written() {
    let mut scene = Scene::with_hosts(&["web1"], quiet);
    let reference = ticket(scene.line("ticket add keep me")).reference;
    let before = scene
        .trace
        .iter()
        .filter(|trace| matches!(trace, Trace::Durable(_)))
        .count();
    for (line, exit, word) in [
        ("ticket show T-ZZZZ".to_owned(), 3, "T-ZZZZ"),
        (format!("ticket link {reference} -H nothere"), 2, "nothere"),
        (
            format!("ticket edit {reference} --due someday"),
            2,
            "someday",
        ),
        (format!("ticket comment {reference} ' '"), 2, "empty"),
        ("ticket add ' '".to_owned(), 2, "title"),
    ] {
        let (status, why) = scene.refused(&line);
        assert_eq!(status, exit, "{line}: {why}");
        assert!(why.contains(word), "{line}: {why}");
    }
    let after = scene
        .trace
        .iter()
        .filter(|trace| matches!(trace, Trace::Durable(_)))
        .count();
    assert_eq!(before, after);
}
