//! A window in words, through a pseudo-terminal: nothing in it steers a terminal, and what was said is never said again.

use quarterdeck::term::Size;

use crate::support::day::Day;
use crate::support::pty::{PAUSE, Terminal};

const SIZE: Size = Size { cols: 80, rows: 24 };

#[test]
fn words_are_only_ever_added() {
    let day = Day::start(1);
    day.import();
    let args = ["--home", day.home_text(), "--plain"];
    let mut terminal = Terminal::start(day.program(), &args, &[], SIZE);
    let said = |written: &[u8], words: &str| {
        String::from_utf8_lossy(written)
            .contains(words)
            .then_some(())
    };
    let typed = |terminal: &mut Terminal, keys: &str, words: &str| {
        terminal.keys(keys);
        terminal.until_written(words, |written| said(written, words));
    };
    typed(&mut terminal, "2", "Hosts: ");
    typed(&mut terminal, ":session open web1\r", "Session on web1");
    terminal.for_a_while(PAUSE);
    typed(&mut terminal, "seq -f 'item %g.' 100 160\r", "item 160.");
    terminal.for_a_while(PAUSE);
    let before = terminal.written.len();
    typed(&mut terminal, "\x1d[", "Copy mode.");
    typed(&mut terminal, "\x15", "Looking back ");
    typed(&mut terminal, "v", "Selection of characters begins here.");
    typed(&mut terminal, "$y", "Copied");
    terminal.for_a_while(PAUSE);
    typed(&mut terminal, "q", "Copy mode has ended.");
    typed(&mut terminal, "echo th''is is new\r", "this is new");
    let after = String::from_utf8_lossy(terminal.written.get(before..).unwrap_or_default());
    // The line that was looked at and copied was read, the others not once more.
    let items = after.matches("item ").count();
    assert!(items <= 6, "{items} lines were read again: {after:?}");
    typed(&mut terminal, "\x1d", "");
    typed(&mut terminal, "d", "Hosts");
    terminal.keys(":q\r");
    terminal.end();
    let written = String::from_utf8_lossy(&terminal.written);
    for (at, c) in written.char_indices() {
        let next = written.get(at + c.len_utf8()..).unwrap_or_default();
        let adds = match c {
            '\r' => next.starts_with('\n') || next.starts_with("\r\n"),
            c => c == '\n' || c == '\x07' || !c.is_control(),
        };
        let from = written.floor_char_boundary(at.saturating_sub(60));
        assert!(adds, "{c:?} after {:?}", written.get(from..at));
    }
}

#[test]
fn what_scrolls_by_faster_than_a_screen_is_read() {
    let day = Day::start(0);
    let args = ["--home", day.home_text(), "--plain"];
    let mut terminal = Terminal::start(day.program(), &args, &[("SHELL", "/bin/sh")], SIZE);
    terminal.until_shows("Home");
    terminal.keys(":session local\r");
    terminal.until_shows("Session on");
    terminal.until("a prompt is said", |screen| {
        screen.trim_end().ends_with(['$', '#'])
    });
    let said = |terminal: &mut Terminal, words: &str| {
        terminal.until_written(words, |written| {
            String::from_utf8_lossy(written)
                .contains(words)
                .then_some(())
        });
    };
    terminal.keys("seq -f 'item %g.' 1001 1400\r");
    said(&mut terminal, "item 1400.\r\n");
    let written = String::from_utf8_lossy(&terminal.written).into_owned();
    for number in 1001..=1400 {
        let line = format!("\nitem {number}.\r");
        assert_eq!(written.matches(&line).count(), 1, "{line:?}");
    }
    assert!(!written.contains("not read"), "{written}");
    terminal.keys("seq -f 'more %g.' 400000; echo the-\"end\"\r");
    said(&mut terminal, "the-end\r\n");
    let written = String::from_utf8_lossy(&terminal.written).into_owned();
    assert!(written.contains(" lines passed, not read.\r\n"));
    terminal.keys("\x1dd:q\r");
    terminal.end();
    day.qd(&["--yes", "server", "stop"]);
}

#[test]
fn a_terminal_without_a_cursor_gets_words() {
    let day = Day::start(0);
    let args = ["--home", day.home_text()];
    let mut terminal = Terminal::start(day.program(), &args, &[("TERM", "dumb")], SIZE);
    assert!(!terminal.end().success());
    let written = String::from_utf8_lossy(&terminal.written);
    assert!(
        written.contains("qd --plain") && !written.contains('\x1b'),
        "{written:?}"
    );
}
