//! Commands by what is typed, on hosts whose shells mark nothing: jumps, the last output, markers of recordings, no secrets.

use std::path::Path;

use quarterdeck::term::Size;
use quarterdeck::term::cast::{self, EventKind};

use crate::support::day::Day;
use crate::support::lab::Failed;
use crate::support::pty::Terminal;

const SECRET: &str = "Tr0ub4dor";

/// The markers of the one recording there is.
fn markers(day: &Day) -> Result<Vec<String>, Failed> {
    let folder = Path::new(day.home_text()).join("data/recordings");
    let mut casts = std::fs::read_dir(folder)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "cast"));
    let path = casts.next().ok_or("there is a recording")?;
    let read = cast::read(&std::fs::read_to_string(path)?).map_err(|why| why.to_string())?;
    let marks = read
        .events
        .into_iter()
        .filter_map(|event| match event.kind {
            EventKind::Marker(label) => Some(label),
            _ => None,
        });
    Ok(marks.collect())
}

/// A session with this shell on a real host; commands and a secret typed into it.
fn story(shell: &str) -> Result<(), Failed> {
    let day = Day::start(0);
    day.import();
    let program = day.program();
    let size = Size::new(80, 24);
    let mut terminal = Terminal::start(program, &["--home", day.home_text()], &[], size);
    terminal.until_shows("tickets");
    terminal.keys(":session open bastion\r");
    terminal.until("a shell waits", |screen| {
        screen.contains("recording") && screen.contains('#')
    });
    // A prompt that is known, and nothing that could mark it.
    terminal.keys(&format!("PS1='> ' exec {shell}\r"));
    let waits = |screen: &str| screen.lines().any(|line| line.trim_end() == ">");
    terminal.until("the shell is there", waits);
    terminal.keys("echo first-$((6*7))\r");
    terminal.until_shows("first-42");
    // What is not echoed, as at any question for a password.
    terminal.keys("stty -echo; printf 'Say: '; read word; stty echo; echo; echo got-${#word}\r");
    // The line that was typed holds the words too; what comes before `read` is there may get lost.
    terminal.until("it is asked", |screen| {
        screen.lines().any(|line| line.trim_end() == "Say:")
    });
    terminal.keys(&format!("{SECRET}\r"));
    terminal.until_shows("got-9");
    terminal.keys("seq -f 'row-%g' 3\r");
    terminal.until("the shell waits again", |screen| {
        let rest = screen.split_once("\nrow-3");
        rest.is_some_and(|(_, rest)| waits(rest))
    });
    terminal.keys("\x1d[");
    terminal.until_shows("COPY");
    terminal.keys("[o");
    let copied = terminal.until_written("the output is on the clipboard", |written| {
        let text = String::from_utf8_lossy(written);
        let sent = text
            .rsplit("\x1b]52;c;")
            .next()
            .filter(|_| text.contains("\x1b]52;c;"));
        let coded = sent.and_then(|rest| rest.split(['\x07', '\x1b']).next());
        coded.map(str::to_owned)
    });
    // "row-1\nrow-2\nrow-3" in base 64.
    assert_eq!(
        copied.trim_end_matches('='),
        "cm93LTEKcm93LTIKcm93LTM",
        "{shell}"
    );
    terminal.keys("q");
    // Three prompts back is the first command.
    terminal.keys("\x1d[");
    terminal.until_shows("COPY");
    terminal.keys("[p[p[pV");
    terminal.keys("y");
    let line = terminal.until_written("the line is on the clipboard", |written| {
        let text = String::from_utf8_lossy(written);
        let sent: Vec<&str> = text.split("\x1b]52;c;").skip(2).collect();
        let coded = sent
            .first()
            .and_then(|rest| rest.split(['\x07', '\x1b']).next());
        coded.map(str::to_owned)
    });
    // "> echo first-$((6*7))" in base 64, perhaps with its line feed.
    assert!(
        line.starts_with("PiBlY2hvIGZpcnN0LSQoKDYqNykp"),
        "{shell}: {line}"
    );
    terminal.keys("q");
    terminal.keys("exit\r");
    terminal.until("it has ended", |screen| screen.contains("Ended: exit"));
    terminal.keys("\x1dd:q\r");
    let marks = markers(&day)?;
    assert!(
        marks.iter().any(|mark| mark == "echo first-$((6*7))"),
        "{marks:?}"
    );
    assert!(
        marks.iter().any(|mark| mark == "seq -f 'row-%g' 3"),
        "{marks:?}"
    );
    assert!(!marks.iter().any(|mark| mark.contains(SECRET)), "{marks:?}");
    assert_eq!(day.qd(&["server", "stop", "--yes"]).status.code(), Some(0));
    Ok(())
}

#[test]
fn a_stock_bash() -> Result<(), Failed> {
    story("bash --norc")
}

#[test]
fn a_shell_without_a_line_editor() -> Result<(), Failed> {
    story("dash")
}
