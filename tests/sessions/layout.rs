//! Tabs and panes in the real program: every terminal has just the size of its rectangle, windows of different sizes agree,
//! layouts have names, and what was there comes back after the app was killed.

use std::time::{Duration, Instant};

use quarterdeck::term::Size;
use serde_json::Value;

use crate::support::day::Day;
use crate::support::process;
use crate::support::pty::{PAUSE, Terminal};

const SMALL: Size = Size { cols: 80, rows: 24 };

fn open(day: &Day, size: Size) -> Terminal {
    Terminal::start(day.program(), &["--home", day.home_text()], &[], size)
}

/// Asks the shell with the keys for its size; `mark` tells its answer from older ones.
fn size_in(terminal: &mut Terminal, mark: &str, wanted: &str) {
    // The echo of what is typed does not hold the answer.
    terminal.keys(&format!("clear; echo {mark}=$(stty size)\r"));
    terminal.until_shows(&format!("{mark}={wanted}"));
}

/// Waits until a fact about the sessions holds.
fn until(day: &Day, why: &str, wanted: impl Fn(&[Value]) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let sessions = day.json(&["session", "ls", "--json"]);
        let rows = sessions.as_array().cloned().unwrap_or_default();
        if wanted(&rows) {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "waited in vain until {why}: {sessions}"
        );
        std::thread::yield_now();
    }
}

fn heads(screen: &str) -> Vec<(usize, usize, String)> {
    let mut heads = Vec::new();
    for (row, line) in screen.lines().enumerate() {
        for (at, _) in line.match_indices("S-") {
            let col = line.get(..at).map_or(0, |before| before.chars().count());
            let reference = line.get(at..).unwrap_or_default();
            let reference = reference
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '-');
            heads.push((row, col, reference.collect()));
        }
    }
    // The last line is the status line.
    let last = screen.lines().count().saturating_sub(1);
    heads.retain(|(row, ..)| *row < last);
    heads
}

#[test]
fn panes_have_their_rectangles_and_come_back_after_the_app_was_killed() {
    let day = Day::start(1);
    day.import();
    let mut terminal = open(&day, SMALL);
    terminal.until_shows("hosts");
    terminal.keys(":session open web1\r");
    terminal.until("a shell waits", |screen| {
        screen.contains("recording") && screen.contains('#')
    });
    size_in(&mut terminal, "one", "22 80");
    terminal.keys("\x1d%");
    terminal.until("a second pane is there", |screen| {
        screen.matches('#').count() == 2 && heads(screen).len() == 2
    });
    size_in(&mut terminal, "two", "21 39");
    terminal.keys("\x1d\"");
    terminal.until("a third pane is there", |screen| heads(screen).len() == 3);
    size_in(&mut terminal, "three", "10 39");
    terminal.keys("\x1d\x1b[D");
    size_in(&mut terminal, "left", "21 40");
    // Five columns more for the left, five less for the right.
    terminal.keys("\x1d\x1b[1;3C");
    size_in(&mut terminal, "wider", "21 45");
    terminal.keys("\x1dz");
    size_in(&mut terminal, "zoomed", "22 80");
    terminal.keys("\x1dz");
    size_in(&mut terminal, "again", "21 45");
    let before = heads(&terminal.screen());
    terminal.keys("\x1d}");
    let after = terminal.until("two panes changed places", |screen| heads(screen) != before);
    let name =
        |heads: &[(usize, usize, String)], at: usize| heads.get(at).map(|head| head.2.clone());
    let after = heads(&after);
    assert_eq!(
        (name(&before, 0), name(&before, 1)),
        (name(&after, 1), name(&after, 0))
    );
    // The keys went along: the pane is the upper one at the right now.
    size_in(&mut terminal, "swapped", "10 34");
    // One connection carries all three.
    assert_eq!(day.json(&["server", "status", "--json"])["sessions"], 3);
    // A second, larger window: whoever typed last rules, and the smaller one shows a part.
    let mut large = open(
        &day,
        Size {
            cols: 120,
            rows: 40,
        },
    );
    large.until_shows("live");
    large.keys("3\r");
    large.until("the tab is shown", |screen| heads(screen).len() == 3);
    large.keys("\x1d\x1b[D");
    size_in(&mut large, "large", "37 68");
    terminal.until_shows("part of a larger window");
    terminal.keys("\x0c");
    size_in(&mut terminal, "small", "21 45");
    large.keys("\x1dd:q\r");
    assert!(large.end().success());
    // The arrangement gets a name, then the app is killed.
    terminal.keys("\x1d:layout save trio\r");
    terminal.until_shows("layout open trio");
    let places: Vec<(usize, usize)> = heads(&terminal.screen())
        .iter()
        .map(|head| (head.0, head.1))
        .collect();
    let status = day.json(&["server", "status", "--json"]);
    let pid = status["pid"]
        .as_u64()
        .and_then(|pid| u32::try_from(pid).ok())
        .expect("a process id");
    process::signal(pid, 9).expect("the app can be killed");
    terminal.end();
    come_back(&day, &places);
}

fn come_back(day: &Day, places: &[(usize, usize)]) {
    let mut terminal = open(day, SMALL);
    terminal.until_shows("the app ended; 3 sessions that were open are back");
    until(day, "the lost sessions are closed in the journal", |rows| {
        rows.len() == 3
            && rows
                .iter()
                .all(|row| row["live"] == false && row["closed"].is_string())
    });
    terminal.keys("3\r");
    let screen = terminal.until("the layout is back with what it showed", |screen| {
        heads(screen).len() == 3 && screen.contains("small=21 45") && screen.contains("r again")
    });
    let now: Vec<(usize, usize)> = heads(&screen).iter().map(|head| (head.0, head.1)).collect();
    assert_eq!(now, places, "{screen}");
    terminal.keys("r");
    terminal.until("one is opened anew, in its place", |screen| {
        screen.matches("Ended:").count() == 2
    });
    // Whoever types on after a key of a dead pane is taken to type into what is gone.
    terminal.for_a_while(PAUSE);
    size_in(&mut terminal, "reopened", "21 45");
    terminal.keys("\x1dR");
    terminal.until("the others too", |screen| {
        !screen.contains("Ended:") && screen.matches('#').count() >= 3
    });
    // A layout by its name, in a tab of its own.
    terminal.keys("\x1d:layout open trio\r");
    terminal.until("a second tab of three panes", |screen| {
        screen
            .lines()
            .next()
            .is_some_and(|bar| bar.contains("1 trio (3)"))
    });
    terminal.until("all three shells wait", |screen| {
        screen.matches('#').count() == 3
    });
    size_in(&mut terminal, "named", "21 45");
    terminal.keys("\x1d:layout rm trio\r");
    terminal.until_shows("the layout trio is forgotten");
    terminal.keys("\x1d:layout open trio\r");
    terminal.until_shows("there is no layout trio");
    // The whole tab is closed after a question, and a stop asks for nothing that is not there.
    terminal.keys("\x1d&");
    terminal.until_shows("close tab?");
    terminal.keys("y");
    terminal.until("the tab before is shown", |screen| {
        screen
            .lines()
            .next()
            .is_some_and(|bar| bar.starts_with("[0 "))
    });
    until(day, "three are left", |rows| {
        rows.iter().filter(|row| row["live"] == true).count() == 3
    });
    terminal.keys("\x1d:q\r");
    assert!(terminal.end().success());
    // Whoever comes back is where the last window was left.
    let mut terminal = open(day, SMALL);
    terminal.until("the tab is shown at once", |screen| {
        screen
            .lines()
            .next()
            .is_some_and(|bar| bar.starts_with("[0 "))
    });
    terminal.keys("\x1d:q\r");
    assert!(terminal.end().success());
    assert_eq!(day.qd(&["server", "stop", "--yes"]).status.code(), Some(0));
}
