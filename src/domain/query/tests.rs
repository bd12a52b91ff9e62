//! Ticket queries: what they mean, what they refuse, and where they point.

use proptest::prelude::*;

use super::*;
use crate::domain::case::{Entry, EntryKind};
use crate::domain::ids::{EntityId, TicketId};

const DAY: i64 = 86_400_000;
const NOW: Time = Time(1_795_428_000_000);

fn parse(line: &str) -> Result<Query, QueryError> {
    Query::parse_line(line, NOW, "mira")
}

fn one(test: Test) -> Vec<Term> {
    vec![Term {
        negate: false,
        test,
    }]
}

#[test]
fn every_term_is_understood() {
    let text = |text: &str| text.to_owned();
    for (line, expected) in [
        ("", vec![]),
        (
            "state:open,new",
            one(Test::State(vec![TicketState::Open, TicketState::New])),
        ),
        ("prio:<=2", one(Test::Priority(Compare::AtMost, 2))),
        ("prio:1", one(Test::Priority(Compare::Equal, 1))),
        ("priority:=4", one(Test::Priority(Compare::Equal, 4))),
        ("kind:incident", one(Test::Kind(vec![TicketKind::Incident]))),
        (
            "queue:\"net ops\",none",
            one(Test::Queue(vec![text("net ops"), text("")])),
        ),
        (
            "owner:me,none,bo",
            one(Test::Owner(vec![
                Some(text("mira")),
                None,
                Some(text("bo")),
            ])),
        ),
        ("requester:me", one(Test::Requester(vec![text("mira")]))),
        ("host:web*", one(Test::Host(vec![text("web*")]))),
        (
            "tag:\"a,b\",c",
            one(Test::Tag(vec![text("a,b"), text("c")])),
        ),
        ("due:<2d", one(Test::Due(Compare::Less, NOW.plus(2 * DAY)))),
        (
            "created:<2d",
            one(Test::Created(Compare::More, NOW.plus(-2 * DAY))),
        ),
        (
            "updated:>1w",
            one(Test::Updated(Compare::Less, NOW.plus(-7 * DAY))),
        ),
        (
            "updated:>=1h30min",
            one(Test::Updated(Compare::AtMost, NOW.plus(-5_400_000))),
        ),
        ("due:<1970-01-02", one(Test::Due(Compare::Less, Time(DAY)))),
        (
            "created:<1970-01-02T01:00:00+01:00",
            one(Test::Created(Compare::Less, Time(DAY))),
        ),
        ("\"disk full\"", one(Test::Text(text("disk full")))),
        ("\"state:open\"", one(Test::Text(text("state:open")))),
        ("disk", one(Test::Text(text("disk")))),
    ] {
        let query = parse(line).unwrap_or_else(|why| unreachable!("{line}: {why}"));
        assert_eq!(query.terms, expected, "{line}");
    }
    let query = parse("  -tag:lab  -\"disk full\" x").unwrap_or_default();
    let negated: Vec<bool> = query.terms.iter().map(|term| term.negate).collect();
    assert_eq!(negated, [true, true, false]);
}

#[test]
fn what_is_refused_is_pointed_at() {
    for (line, position, says) in [
        ("state:open colour:red", 11, "state prio kind queue owner"),
        ("state:ajar", 0, "new open waiting resolved closed"),
        ("state:", 0, "new open"),
        ("state:open,", 0, "new open"),
        ("x kind:party", 2, "incident request"),
        ("prio:0", 0, "1 (highest) to 4"),
        ("prio:1,2", 0, "prio:<=2"),
        ("größe prio:<", 6, "prio:<=2"),
        ("due:2d", 0, "due:<2d"),
        ("due:<soon", 0, "due:<2d"),
        ("created:<99999999999999999999d", 0, "created:<2d"),
        ("tag:", 0, "tag:db"),
        ("tag:a,,b", 0, "tag:db"),
        ("owner:", 0, "owner:me"),
        ("http://x", 0, "quote the word"),
        (":", 0, "no field \"\""),
        ("a \"disk full", 2, "not closed"),
        ("-", 0, "nothing to look for"),
        ("\"\"", 0, "nothing to look for"),
    ] {
        let why = parse(line).expect_err(line);
        assert_eq!(why.position, position, "{line}");
        assert!(why.message.contains(says), "{line}: {why}");
    }
    let why = parse("state:open colour:red").expect_err("no such field");
    assert_eq!(why.word, "colour:red");
    let shown = why.to_string();
    let mut lines = shown.lines().rev();
    assert_eq!(lines.next(), Some("             ^"));
    assert_eq!(lines.next(), Some("  state:open colour:red"));
}

#[test]
fn words_of_the_command_line() {
    let words = |words: &[&str]| -> Result<Query, QueryError> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Query::parse(&words, NOW, "mira")
    };
    for (typed, line) in [
        (&["state:open", "disk full"][..], "state:open \"disk full\""),
        (
            &["state:open prio:1 \"disk full\""],
            "state:open prio:1 \"disk full\"",
        ),
        (&["state:open disk"], "state:open disk"),
        (&["-disk full"], "-\"disk full\""),
        (&["-\"disk full\""], "-\"disk full\""),
        (&[], ""),
    ] {
        assert_eq!(words(typed), parse(line), "{typed:?}");
    }
    let why = words(&["disk full", "state:ajar"]).expect_err("no such state");
    assert_eq!((why.position, why.word.as_str()), (10, "state:ajar"));
}

fn ticket() -> Ticket {
    Ticket {
        id: TicketId(EntityId::derived("ticket", "1")),
        reference: "T-7K3F".into(),
        title: "Disk FULL on db1".into(),
        body: "größe".into(),
        state: TicketState::Open,
        priority: Priority::NORMAL,
        kind: TicketKind::Incident,
        queue: String::new(),
        owner: None,
        requester: Some("ann".into()),
        tags: vec!["db".into(), "lab-1".into()],
        hosts: vec!["db1".into()],
        due: Some(NOW.plus(DAY)),
        wait_until: None,
        created: NOW.plus(-3 * DAY),
        updated: NOW.plus(-DAY),
        entries: vec![Entry {
            id: "1".into(),
            at: NOW,
            kind: EntryKind::Comment,
            author: "bo".into(),
            text: "pruned the journal".into(),
            host: None,
            session: None,
            run: None,
            ticket: None,
            data: Default::default(),
        }],
        links: Vec::new(),
        conflicts: Vec::new(),
        disputes: Vec::new(),
    }
}

#[test]
fn what_a_query_matches() {
    let ticket = ticket();
    for (line, expected) in [
        ("", true),
        ("state:open,new", true),
        ("-state:open", false),
        ("state:closed", false),
        ("prio:<=3", true),
        ("prio:<3", false),
        ("prio:>=3 prio:=3", true),
        ("kind:incident", true),
        ("queue:none", true),
        ("queue:net", false),
        ("owner:none", true),
        ("owner:me", false),
        ("-owner:me", true),
        ("requester:ann", true),
        ("requester:me", false),
        ("host:db?", true),
        ("host:db", false),
        ("tag:lab-*", true),
        ("-tag:lab", true),
        ("due:<2d", true),
        ("due:<12h", false),
        ("due:>12h", true),
        ("created:<2d", false),
        ("created:>2d", true),
        ("updated:<2d", true),
        ("updated:>2d", false),
        ("\"disk full\"", true),
        ("GRÖSSE", false),
        ("GRÖß", true),
        ("journal", true),
        ("journal nothing", false),
        ("-journal", false),
    ] {
        let query = parse(line).unwrap_or_else(|why| unreachable!("{line}: {why}"));
        assert_eq!(query.matches(&ticket), expected, "{line}");
    }
    let no_due = Ticket {
        due: None,
        ..ticket
    };
    for (line, expected) in [("due:<2d", false), ("due:>2d", false), ("-due:<2d", true)] {
        let query = parse(line).unwrap_or_default();
        assert_eq!(query.matches(&no_due), expected, "{line}");
    }
}

proptest! {
    #[test]
    fn garbage_is_parsed_or_refused(
        words in proptest::collection::vec("(-?(state|prio|due|owner|tag|x)?:?[<>=]{0,2}\\PC{0,12})", 0..4)
    ) {
        let line = words.join(" ");
        for parsed in [Query::parse(&words, NOW, "mira"), parse(&line)] {
            match parsed {
                Ok(query) => drop(query.matches(&ticket())),
                Err(why) => {
                    prop_assert!(why.position <= line.chars().count());
                    prop_assert!(!why.to_string().is_empty());
                }
            }
        }
    }
}
