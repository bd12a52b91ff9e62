//! Runs and fan-outs: journalled before every act, honest when the journal fails, recorded on the ticket.

use quarterdeck::app::effect::Emission;
use quarterdeck::command::Answer;
use quarterdeck::domain::case::EntryKind;
use quarterdeck::domain::run::{CellState, Exit};

use super::{Scene, Trace};

fn uname(host: &str, _: &str, command: &str) -> (&'static str, Exit) {
    match (host, command) {
        ("gone", _) => ("", Exit::Unreachable("connection refused".to_owned())),
        ("bad", _) => ("oops\n", Exit::Code(7)),
        _ => ("Linux\n", Exit::Code(0)),
    }
}

#[test]
fn a_fan_out_is_on_the_ticket_before_it_leaves() {
    let mut scene = Scene::with_hosts(&["web1", "bad", "gone", "web1-alias"], uname);
    let Answer::Ticket(ticket) = scene.line("ticket add look").answer else {
        unreachable!("a ticket is made")
    };
    scene.trace.clear();
    let outcome = scene.line(&format!(
        "exec -H all --ticket {} -- uname",
        ticket.reference
    ));
    assert_eq!(outcome.exit, 1);
    let Answer::Exec(cells) = outcome.answer else {
        unreachable!("an exec answers with cells")
    };
    let states: Vec<(&str, CellState)> = cells
        .iter()
        .map(|cell| (cell.host.as_str(), cell.state))
        .collect();
    assert_eq!(
        states,
        [
            ("web1", CellState::Ok),
            ("bad", CellState::Failed),
            ("gone", CellState::Unreachable)
        ]
    );
    assert_eq!(
        scene.trace.first(),
        Some(&Trace::Durable(3)),
        "intent first: {:?}",
        scene.trace
    );
    assert!(
        scene.emitted.iter().any(
            |emission| matches!(emission, Emission::Note(note) if note.contains("web1-alias"))
        ),
        "the alias is named"
    );
    let Answer::Ticket(ticket) = scene
        .line(&format!("ticket show {}", ticket.reference))
        .answer
    else {
        unreachable!("it is shown")
    };
    let exits: Vec<_> = ticket
        .entries
        .iter()
        .filter(|entry| entry.kind == EntryKind::Session)
        .filter_map(|entry| entry.data.get("exit")?.as_i64())
        .collect();
    assert_eq!(exits.len(), 3);
    assert!(
        exits.contains(&7) && exits.contains(&255) && exits.contains(&0),
        "{exits:?}"
    );
}

#[test]
fn an_empty_or_unknown_pattern_is_refused_and_never_widened() {
    let mut scene = Scene::with_hosts(&["web1"], uname);
    for pattern in ["", ",", "db*", "tag=none", "web1:!web1"] {
        let (exit, why) = scene.refused(&format!("exec -H '{pattern}' -- uname"));
        assert_eq!(exit, 2, "{pattern}: {why}");
    }
    assert!(
        !scene
            .trace
            .iter()
            .any(|trace| matches!(trace, Trace::Launched(..)))
    );
}
