//! Queries: each kind of term, its negation, and text.

use super::*;
use crate::domain::query::{Compare, Query, Term, Test};
use crate::domain::ticket::{TicketKind, TicketState};

fn titles(
    store: &Store,
    terms: Vec<Term>,
    limit: Option<u32>,
) -> Result<(Vec<String>, u64), StoreError> {
    let query = Query { terms };
    match store.ask_wait(Ask::Tickets { query, limit })? {
        Answer::Tickets { rows, total } => {
            Ok((rows.into_iter().map(|row| row.title).collect(), total))
        }
        other => unreachable!("tickets were asked, not {other:?}"),
    }
}

fn term(negate: bool, test: Test) -> Term {
    Term { negate, test }
}

/// Three tickets: `a` has everything, `b` some of it, `c` nothing.
fn fill(store: &Store) -> Tested {
    let (a, b, c) = (ticket("a"), ticket("b"), ticket("c"));
    add(
        store,
        "a",
        [
            set(a, "state", "open"),
            set(a, "priority", 1),
            set(a, "kind", "incident"),
            set(a, "queue", "net"),
            set(a, "owner", "mira"),
            set(a, "requester", "ann"),
            set(a, "due", 1_000),
            set(a, "created", 3_000),
            set(a, "body", "The DISK is full: \"/var\" 100% größe 磁盘已满"),
            flag(a, "hosts", "web1", true),
            flag(a, "tags", "db", true),
            note(a, "comment", "ran fsck_ext4 on 10.0.0.5", 1),
        ],
    )?;
    add(
        store,
        "b",
        [
            set(b, "state", "closed"),
            set(b, "priority", 2),
            set(b, "owner", "bob"),
            set(b, "due", 2_000),
            set(b, "created", 2_000),
            flag(b, "hosts", "web2", true),
            flag(b, "tags", "db", true),
            flag(b, "tags", "db", false),
            flag(b, "tags", "lab", true),
            note(b, "comment", "diskette found", 1),
        ],
    )?;
    add(store, "c", [set(c, "created", 1_000)])?;
    Ok(())
}

#[test]
fn each_term_and_its_negation() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    fill(&store)?;
    let words = |words: &[&str]| {
        words
            .iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    let some = |name: &str| Some(name.to_owned());
    let text = |text: &str| Test::Text(text.to_owned());
    let cases = [
        (
            Test::State(vec![TicketState::Open, TicketState::New]),
            "a c",
        ),
        (Test::Priority(Compare::AtMost, 2), "a b"),
        (Test::Priority(Compare::Less, 2), "a"),
        (Test::Priority(Compare::Equal, 3), "c"),
        (Test::Priority(Compare::AtLeast, 2), "b c"),
        (Test::Priority(Compare::More, 2), "c"),
        (Test::Kind(vec![TicketKind::Incident]), "a"),
        (Test::Queue(words(&["net", "none"])), "a"),
        (Test::Queue(Vec::new()), ""),
        (Test::Owner(vec![some("mira")]), "a"),
        (Test::Owner(vec![None]), "c"),
        (Test::Owner(vec![some("bob"), None]), "b c"),
        (Test::Requester(words(&["ann"])), "a"),
        (Test::Host(words(&["web1"])), "a"),
        (Test::Host(words(&["web[12]"])), "a b"),
        (Test::Host(words(&["*1", "nothing"])), "a"),
        (Test::Tag(words(&["db"])), "a"),
        (Test::Tag(words(&["l?b"])), "b"),
        (Test::Due(Compare::Less, Time(2_000)), "a"),
        (Test::Due(Compare::AtLeast, Time(1_000)), "a b"),
        (Test::Created(Compare::More, Time(1_500)), "a b"),
        (Test::Updated(Compare::AtLeast, NOW), "a b c"),
        (Test::Updated(Compare::More, NOW.plus(1)), ""),
        (text("disk"), "a b"),
        (text("Disk is"), "a"),
        (text("full"), "a"),
        (text("GRÖSSE"), ""),
        (text("Größe"), "a"),
        (text("grosse"), ""),
        (text("10.0.0.5"), "a"),
        (text("fsck_ext4"), "a"),
        (text("isk"), ""),
        (text("磁盘"), "a"),
        (text("100%"), "a"),
        (text("%"), "a"),
        (text("\"/var\""), "a"),
        (text("\""), "a"),
        (text("disk OR nothing"), ""),
        (text("NEAR("), ""),
        (text("a"), "a"),
    ];
    for (test, wanted) in cases {
        let all = ["a", "b", "c"];
        let wanted: Vec<&str> = wanted.split_whitespace().collect();
        let (found, total) = titles(&store, vec![term(false, test.clone())], None)?;
        assert_eq!(found, wanted, "{test:?}");
        assert_eq!(total, wanted.len() as u64, "{test:?}");
        let others: Vec<&str> = all
            .into_iter()
            .filter(|name| !wanted.contains(name))
            .collect();
        let (found, _) = titles(&store, vec![term(true, test.clone())], Some(9))?;
        assert_eq!(found, others, "not {test:?}");
    }
    Ok(())
}

#[test]
fn all_terms_must_hold_and_pages_are_counted() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    fill(&store)?;
    let text = |text: &str| Test::Text(text.to_owned());
    let terms = vec![
        term(false, text("disk")),
        term(false, Test::State(vec![TicketState::Open])),
        term(true, text("diskette")),
        term(false, text("fsck")),
    ];
    assert_eq!(titles(&store, terms, Some(5))?, (vec!["a".to_owned()], 1));
    let (rows, total) = titles(&store, Vec::new(), Some(2))?;
    assert_eq!((rows, total), (vec!["a".to_owned(), "b".to_owned()], 3));
    let (rows, total) = titles(&store, Vec::new(), Some(0))?;
    assert_eq!((rows, total), (Vec::new(), 3));
    Ok(())
}

#[test]
fn counting_stops_where_it_would_take_long() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    let drafts =
        (0..COUNT_CAP + 10).map(|n| set(ticket(&n.to_string()), "title", format!("alarm {n}")));
    store.append_wait(batch(drafts))?;
    let alarm = || vec![term(false, Test::Text("alarm".to_owned()))];
    let (rows, total) = titles(&store, alarm(), Some(3))?;
    assert_eq!(total, COUNT_CAP);
    assert_eq!(rows, ["alarm 5010", "alarm 5009", "alarm 5008"]);
    let (_, total) = titles(&store, Vec::new(), Some(3))?;
    assert_eq!(total, COUNT_CAP);
    let (rows, total) = titles(&store, alarm(), None)?;
    assert_eq!((rows.len() as u64, total), (COUNT_CAP + 10, COUNT_CAP + 10));
    Ok(())
}

#[test]
fn words_follow_every_change() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path())?;
    add(&store, "router down", [])?;
    let entity = ticket("router down");
    let find = |word: &str| -> Result<u64, StoreError> {
        Ok(titles(
            &store,
            vec![term(false, Test::Text(word.to_owned()))],
            Some(9),
        )?
        .1)
    };
    assert_eq!((find("router")?, find("switch")?), (1, 0));
    store.append_wait(batch([
        set(entity, "title", "switch down"),
        note(entity, "reply", "unplugged", 1),
    ]))?;
    assert_eq!(
        (find("router")?, find("switch")?, find("unplugged")?),
        (0, 1, 1)
    );
    Ok(())
}
