//! The same story in the real screen, through a pseudo-terminal, at both sizes.

use quarterdeck::term::Size;

use crate::support::day::Day;
use crate::support::pty::Terminal;

const SIZES: [Size; 2] = [
    Size { cols: 80, rows: 24 },
    Size {
        cols: 200,
        rows: 50,
    },
];

fn open(day: &Day, size: Size) -> Terminal {
    Terminal::start(day.program(), &["--home", day.home_text()], &[], size)
}

#[test]
fn the_first_day_on_the_screen() {
    for size in SIZES {
        let day = Day::start(3);
        day.import();
        let book = "# Look\n\n```sh { name=kernel }\nuname -s\n```\n";
        let books = std::path::Path::new(day.home_text()).join("config/runbooks");
        std::fs::create_dir_all(&books).expect("a folder can be made");
        std::fs::write(books.join("look.md"), book).expect("a file can be written");
        let mut terminal = open(&day, size);
        terminal.keys("2");
        terminal.until("the hosts are listed and measured", |screen| {
            screen.contains("web1") && screen.contains("web3")
        });
        terminal.keys("1");
        terminal.keys(":ticket add web2 is slow -H web*\r");
        let screen = terminal.until("the new ticket is open", |screen| {
            screen.contains("web2 is slow") && screen.contains("T-")
        });
        let reference = reference(&screen, "T-");
        terminal.keys(":session open web2 --ticket ");
        terminal.keys(&format!("{reference}\r"));
        terminal.until("the pane is there and a shell waits", |screen| {
            screen.contains("recording") && screen.contains("Ctrl-]") && screen.contains('#')
        });
        terminal.keys("echo the answer is $((6*7))\r");
        terminal.until_shows("the answer is 42");
        terminal.keys("exit\r");
        terminal.until("the session has ended", |screen| {
            screen.contains("exit 0") || screen.contains("ended")
        });
        terminal.keys("\x1d");
        terminal.keys("d");
        terminal.keys(&format!(":run start look -H web* --ticket {reference}\r"));
        terminal.until("the run has ended well", |screen| screen.contains("3 ok"));
        terminal.keys(&format!(":ticket show {reference}\r"));
        terminal.until("session and run are on the ticket", |screen| {
            screen.contains("session") && screen.contains("S-") && screen.contains("R-")
        });
        terminal.keys(":q\r");
        assert!(terminal.end().success());
        let ticket = day.json(&["ticket", "show", &reference, "--json"]);
        let entries = ticket["entries"].as_array().expect("entries").clone();
        let session = entries
            .iter()
            .find(|entry| entry["kind"] == "session")
            .expect("the session is on the ticket");
        let session = day.json(&[
            "session",
            "show",
            session["session"].as_str().expect("it has a reference"),
            "--json",
        ]);
        assert!(
            session["bytes"].as_u64().is_some_and(|bytes| bytes > 0),
            "{session}"
        );
        assert!(
            session["text"]
                .as_str()
                .is_some_and(|text| text.contains("the answer is 42")),
            "{session}"
        );
        assert!(
            entries
                .iter()
                .any(|entry| entry["kind"] == "run" && entry["data"]["ok"] == 3),
            "{entries:?}"
        );
    }
}

#[test]
fn the_terminal_is_as_it_was_however_the_program_ends() {
    let day = Day::start(0);
    for ending in ["quit", "TERM", "HUP", "INT"] {
        let mut terminal = open(&day, SIZES[0]);
        let before = terminal.settings();
        terminal.until("the screen is drawn", |screen| {
            screen.lines().filter(|line| !line.is_empty()).count() > 3
        });
        if ending == "quit" {
            terminal.keys(":q\r");
        } else {
            let pid = terminal.pid().to_string();
            assert!(
                std::process::Command::new("kill")
                    .args([&format!("-{ending}"), &pid])
                    .status()
                    .is_ok_and(|status| status.success())
            );
        }
        terminal.end();
        let written = String::from_utf8_lossy(&terminal.written).into_owned();
        let left = written
            .rfind("\x1b[?1049l")
            .unwrap_or_else(|| unreachable!("{ending}: the alternate screen was not left"));
        assert!(
            written
                .rfind("\x1b[?1049h")
                .is_some_and(|entered| entered < left),
            "{ending}"
        );
        assert!(
            written.contains("\x1b[?25h"),
            "{ending}: the cursor is shown again"
        );
        assert_eq!(terminal.settings(), before, "{ending}");
    }
}

#[test]
fn without_colours_nothing_is_coloured() {
    let day = Day::start(0);
    let mut terminal = Terminal::start(
        day.program(),
        &["--home", day.home_text()],
        &[("NO_COLOR", "1")],
        SIZES[0],
    );
    terminal.until("the screen is drawn", |screen| {
        screen.lines().filter(|line| !line.is_empty()).count() > 3
    });
    terminal.keys(":q\r");
    terminal.end();
    let written = String::from_utf8_lossy(&terminal.written).into_owned();
    for escape in written.split("\x1b[").skip(1) {
        let Some((parameters, _)) = escape.split_once('m') else {
            continue;
        };
        if !parameters.chars().all(|c| c.is_ascii_digit() || c == ';') {
            continue;
        }
        let coloured = parameters
            .split(';')
            .any(|number| matches!(number.parse::<u8>(), Ok(30..=38 | 40..=48 | 90..=107)));
        assert!(!coloured, "a colour was sent: ESC[{parameters}m");
    }
}

/// The first reference with this prefix on a screen.
fn reference(screen: &str, prefix: &str) -> String {
    let at = screen.find(prefix).expect("a reference is on the screen");
    screen[at..]
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '-')
        .collect()
}

#[test]
fn a_pane_follows_the_window_and_keeps_what_scrolled_away() {
    let day = Day::start(1);
    day.import();
    let mut terminal = open(&day, SIZES[0]);
    terminal.until_shows("hosts");
    terminal.keys(":session open web1\r");
    terminal.until("a shell waits", |screen| {
        screen.contains("recording") && screen.contains('#')
    });
    terminal.keys("stty size\r");
    terminal.until_shows("22 80");
    terminal.resize(Size {
        cols: 120,
        rows: 40,
    });
    terminal.until("the pane has the new width", |screen| {
        screen.lines().count() == 40
    });
    terminal.keys("clear; stty size\r");
    terminal.until_shows("38 120");
    // A program on the alternate screen, with colours and cursor movement.
    terminal.keys("clear; printf '\\033[?1049h\\033[5;10H\\033[31mred\\033[0m'; read x; printf '\\033[?1049l'\r");
    terminal.until("the program draws where it wants", |screen| {
        screen
            .lines()
            .nth(5)
            .is_some_and(|line| line.starts_with("         red"))
    });
    terminal.keys("\r");
    terminal.keys("clear; seq 1 300\r");
    terminal.until_shows("300");
    terminal.keys("\x1d[");
    terminal.keys("\x15\x15\x15\x15\x15");
    terminal.until("older lines come back", |screen| {
        screen.lines().any(|line| line.trim() == "180")
    });
    terminal.keys("q");
    terminal.until("the end is shown again", |screen| {
        screen.lines().any(|line| line.trim() == "300")
    });
    // A second session beside it, and back by number.
    terminal.keys("\x1dd");
    terminal.keys(":session open bastion\r");
    terminal.until("a second tab is there", |screen| {
        screen
            .lines()
            .next()
            .is_some_and(|line| line.contains("0 web1") && line.contains("1 bastion"))
    });
    terminal.keys("\x1d0");
    terminal.until("the first is shown", |screen| {
        screen.lines().any(|line| line.trim() == "300")
    });
    terminal.keys("\x1dd");
    // Leaving leaves them alive, and a window that comes later finds both with what they show.
    terminal.keys(":q\r");
    assert!(terminal.end().success());
    let status = day.json(&["server", "status", "--json"]);
    assert_eq!(status["sessions"], 2, "{status}");
    assert_eq!(status["windows"], 0, "{status}");
    let mut terminal = open(&day, SIZES[0]);
    // It begins where the last one was left, in the list.
    terminal.until("both are there", |screen| {
        screen.contains("web1") && screen.contains("bastion")
    });
    terminal.keys("\r");
    terminal.until("with what it showed", |screen| {
        screen.lines().any(|line| line.trim() == "300")
    });
    terminal.keys("\x1dd:q\r");
    assert!(terminal.end().success());
    // Nobody can be asked here, so nothing is ended unless somebody said so before.
    let refused = day.qd(&["server", "stop"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let stopped = day.qd(&["server", "stop", "--yes"]);
    assert_eq!(stopped.status.code(), Some(0), "{stopped:?}");
    // Stopping ended both sessions, and that is on record.
    let sessions = day.json(&["session", "ls", "--json"]);
    let sessions = sessions.as_array().expect("a list");
    assert_eq!(sessions.len(), 2);
    assert!(
        sessions
            .iter()
            .all(|session| session["live"] == false && session["closed"].is_string()),
        "{sessions:?}"
    );
}
