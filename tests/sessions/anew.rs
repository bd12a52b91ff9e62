//! Sessions that are opened anew in the real program: what a pane showed stays until the new shell is there, and above it.

use quarterdeck::term::Size;

use crate::support::day::Day;
use crate::support::pty::{PAUSE, Terminal};

const SIZE: Size = Size { cols: 80, rows: 24 };

fn open(day: &Day, reference: &str) -> Terminal {
    let args = ["--home", day.home_text(), "session", "attach", reference];
    Terminal::start(day.program(), &args, &[], SIZE)
}

/// A session on this host that showed a word, by its reference.
fn said(day: &Day, host: &str) -> String {
    let opened = day.json(&["session", "open", host, "--detach", "--json"]);
    let reference = opened["ref"].as_str().expect("a reference").to_owned();
    let line = format!("echo said-on-{host}-$((6*7))");
    let sent = day.qd(&["session", "send", &reference, &line, "--enter"]);
    assert!(sent.status.success(), "{sent:?}");
    let wanted = format!("said-on-{host}-42");
    let shown = day.qd(&[
        "session",
        "wait",
        &reference,
        "--for",
        &wanted,
        "--timeout",
        "20",
    ]);
    assert!(shown.status.success(), "{shown:?}");
    reference
}

#[test]
fn a_pane_keeps_what_it_showed_until_the_new_shell_is_there() {
    let mut day = Day::start(2);
    day.import();
    let (down, up) = (said(&day, "web2"), said(&day, "web1"));
    assert_eq!(day.qd(&["server", "stop", "--yes"]).status.code(), Some(0));
    drop(day.targets.pop());
    assert!(day.qd(&["server", "start"]).status.success());
    // Nobody has looked at its pane yet, and it answers all the same.
    let asked = [
        "session",
        "wait",
        &down,
        "--for",
        "said-on-web2-42",
        "--timeout",
        "20",
    ];
    let waited = day.qd(&asked);
    assert_eq!(waited.status.code(), Some(0), "{waited:?}");
    let shown = day.qd(&["session", "capture", &down]);
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(text.contains("said-on-web2-42"), "{shown:?}");

    let mut terminal = open(&day, &down);
    terminal.until("the pane is back", |screen| {
        screen.contains("said-on-web2-42") && screen.contains("r again")
    });
    terminal.keys("r");
    let screen = terminal.until_shows("Not opened again:");
    assert!(screen.contains("said-on-web2-42"), "{screen}");
    terminal.for_a_while(PAUSE);
    terminal.keys("/said-on\r");
    terminal.until_shows("COPY");
    terminal.keys("q\x1dd:q\r");
    assert!(terminal.end().success());

    let mut terminal = open(&day, &up);
    terminal.until("the pane is back", |screen| {
        screen.contains("said-on-web1-42") && screen.contains("r again")
    });
    terminal.keys("r");
    let screen = terminal.until("the new shell writes below", |screen| {
        let line = screen.find("-- opened again --");
        line.is_some_and(|at| screen.get(at..).is_some_and(|rest| rest.contains('#')))
    });
    let (old, line) = (
        screen.find("said-on-web1-42"),
        screen.find("-- opened again --"),
    );
    assert!(old.is_some() && old < line, "{screen}");
    // Whoever types on after a key of a dead pane is taken to type into what is gone.
    terminal.for_a_while(PAUSE);
    terminal.keys("echo and-on-$((6*7))\r");
    terminal.until_shows("and-on-42");
    // The new recording is the new session's alone.
    let sessions = day.json(&["session", "ls", "--json"]);
    let live = sessions.as_array().and_then(|rows| rows.first()).cloned();
    let reference = live.and_then(|row| row["ref"].as_str().map(str::to_owned));
    let reference = reference.expect("the living first");
    assert_ne!(reference, up);
    let recorded = day.qd(&["session", "show", &reference]);
    let recorded = String::from_utf8_lossy(&recorded.stdout).into_owned();
    assert!(!recorded.contains("said-on"), "{recorded}");
    terminal.keys("\x1dd:q\r");
    assert!(terminal.end().success());
    assert_eq!(day.qd(&["server", "stop", "--yes"]).status.code(), Some(0));
}
