//! Programs that draw the whole screen, in a pane of the real program: seen, used, resized and left.

use std::path::Path;
use std::time::Instant;

use quarterdeck::term::Size;

use crate::support::day::Day;
use crate::support::hostile_bytes::{Dice, HARMS, by_chance, reaches_ringing};
use crate::support::lab::Failed;
use crate::support::pty::Terminal;

const SMALL: Size = Size::new(80, 24);
const LARGE: Size = Size::new(120, 40);

/// A window with a shell on this machine in its pane, in the folder of the day.
fn pane(day: &Day) -> Terminal {
    let variables = [("SHELL", "/bin/sh"), ("LC_ALL", "C.UTF-8")];
    let mut terminal = Terminal::start(
        day.program(),
        &["--home", day.home_text()],
        &variables,
        SMALL,
    );
    terminal.until("the window is drawn", |screen| screen.contains("hosts"));
    terminal.keys(":session local\r");
    terminal.until_shows("recording");
    terminal.keys(&format!(
        "cd {} && clear && echo re\"\"ady\r",
        day.folder().display()
    ));
    terminal.until_shows("ready");
    terminal
}

/// The shell still answers, and the window can be left.
fn leave(mut terminal: Terminal) {
    terminal.keys("\rclear; echo back-$((40+2))\r");
    terminal.until("the shell is back", |screen| {
        screen.contains("back-42") && !screen.contains("F10")
    });
    terminal.keys("exit\r");
    terminal.until("the session has ended", |screen| {
        screen.contains("exit 0") || screen.contains("ended")
    });
    terminal.keys("\x1dd");
    terminal.keys(":q\r");
    assert!(terminal.end().success());
}

/// The row in which a text is first seen.
fn row(screen: &str, text: &str) -> Option<usize> {
    screen.lines().position(|line| line.contains(text))
}

#[test]
fn vim_edits_a_file_in_a_pane() -> Result<(), Failed> {
    let day = Day::start(0);
    let mut terminal = pane(&day);
    day.file("notes.txt", "first line\nsecond line\n");
    terminal.keys("vim -N -u NONE -i NONE notes.txt\r");
    terminal.until("vim shows the file", |screen| {
        screen.contains("second line") && screen.contains('~') && screen.contains("notes.txt")
    });
    terminal.keys("Goé and 漢字 typed\x1b");
    terminal.until("vim has left insert mode", |screen| {
        screen.contains("é and 漢字 typed") && !screen.contains("INSERT")
    });
    terminal.resize(LARGE);
    let tildes = |screen: &str| screen.lines().filter(|line| line.trim() == "~").count();
    terminal.until("vim has followed the window", |screen| tildes(screen) > 30);
    terminal.resize(SMALL);
    terminal.until("and back", |screen| {
        screen.lines().count() == 24
            && (10..24).contains(&tildes(screen))
            && screen.contains("first line")
    });
    terminal.keys(":wq\r");
    terminal.until("vim is gone", |screen| screen.contains("ready"));
    leave(terminal);
    let text = std::fs::read_to_string(day.folder().join("notes.txt"))?;
    assert_eq!(text, "first line\nsecond line\né and 漢字 typed\n");
    Ok(())
}

#[test]
fn less_pages_in_a_pane() {
    let day = Day::start(0);
    let mut terminal = pane(&day);
    let lines: String = (1..=500).map(|line| format!("line {line}.\n")).collect();
    day.file("long.txt", &lines);
    terminal.keys("less long.txt\r");
    terminal.until("the first page", |screen| {
        screen.contains("line 1.") && screen.contains("long.txt")
    });
    terminal.keys(" ");
    let second = terminal.until("the second page", |screen| {
        !screen.contains("line 1.") && screen.contains("line 25.")
    });
    assert!(row(&second, "line 25.").is_some());
    terminal.keys("/line 250\r");
    terminal.until("what was looked for is at the top", |screen| {
        row(screen, "line 250.").is_some_and(|row| row < 4)
    });
    terminal.resize(LARGE);
    terminal.until("more of it is seen", |screen| {
        screen.contains("line 250.") && screen.contains("line 280.")
    });
    terminal.keys("G");
    terminal.until_shows("(END)");
    terminal.keys("q");
    terminal.until("the other screen is left", |screen| {
        screen.contains("ready")
    });
    leave(terminal);
}

#[test]
fn htop_follows_the_window() {
    let day = Day::start(0);
    let mut terminal = pane(&day);
    terminal.keys("htop -d 5\r");
    let seen = terminal.until("htop draws", |screen| {
        screen.contains("F10") && screen.contains("PID") && screen.contains("Mem[")
    });
    assert!(row(&seen, "F10").is_some_and(|row| row > 18), "{seen}");
    terminal.resize(LARGE);
    terminal.until("its last row is at the new bottom", |screen| {
        row(screen, "F10").is_some_and(|row| row > 34)
    });
    terminal.keys("\x1b[B\x1b[B");
    terminal.keys("q");
    terminal.until("htop is gone", |screen| !screen.contains("F10"));
    leave(terminal);
}

#[test]
fn tmux_runs_in_a_pane() {
    let day = Day::start(0);
    let mut terminal = pane(&day);
    terminal.keys("tmux -u -f /dev/null -S inner new 'PS1=inner% sh'\r");
    terminal.until_shows("[0] 0:");
    terminal.until_shows("inner%");
    terminal.keys("\x02%");
    terminal.until("two halves", |screen| {
        screen.lines().filter(|line| line.contains('│')).count() > 15
    });
    terminal.keys("echo right-$((30+3))\r");
    terminal.until("the right half echoes", |screen| {
        screen
            .lines()
            .any(|line| line.find("right-33").is_some_and(|at| at > 38))
    });
    terminal.resize(LARGE);
    terminal.until("both halves follow", |screen| {
        row(screen, "[0] 0:").is_some_and(|row| row > 34)
    });
    terminal.keys("tmux kill-server\r");
    terminal.until("tmux is gone", |screen| !screen.contains("[0] 0:"));
    leave(terminal);
}

#[test]
fn mc_is_used_in_a_pane() {
    let day = Day::start(0);
    day.file("aaa-file", "content of it\n");
    let mut terminal = pane(&day);
    terminal.keys("HOME=$PWD mc --nosubshell -d . .\r");
    terminal.until("two panels", |screen| {
        screen.contains("10Quit") && screen.matches("aaa-file").count() == 2
    });
    // F3 on the file, which stands after the folders.
    terminal.keys("\x13aaa\x1bOR");
    terminal.until_shows("content of it");
    terminal.keys("\x1b[21~");
    terminal.until_shows("10Quit");
    terminal.resize(LARGE);
    terminal.until("the panels follow", |screen| {
        row(screen, "10Quit").is_some_and(|row| row > 34)
    });
    terminal.keys("\x1b[21~");
    terminal.until("mc is gone", |screen| !screen.contains("10Quit"));
    leave(terminal);
}

/// What the window's terminal gets while hostile bytes run through a pane is painting and nothing else.
#[test]
fn nothing_hostile_reaches_the_window() -> Result<(), Failed> {
    let day = Day::start(0);
    let mut terminal = pane(&day);
    let mut bytes: Vec<u8> = HARMS
        .iter()
        // A program may put text on the clipboard of whoever looks at it; that is told and no escape.
        .filter(|harm| !harm.name.contains("clipboard"))
        .flat_map(|harm| [harm.bytes(2000), b"\x18\x1b\\\x1b[?2026l".to_vec()].concat())
        .collect();
    let mut dice = Dice::new(7);
    let chance = by_chance(&mut dice, 40 * 1024);
    let parts: Vec<&[u8]> = chance.split(|byte| *byte == b']').collect();
    bytes.extend(parts.concat());
    std::fs::write(day.folder().join("hostile.bin"), bytes)?;
    let (begun, since) = (terminal.written.len(), Instant::now());
    terminal.keys("stty raw -echo; cat hostile.bin; printf '\\030\\033\\\\\\033[?2026l\\033c\\033(B\\017'; stty -icanon min 0 time 5; cat >rest; stty sane; touch over\r");
    // What is shown by then is anybody's guess: late answers are echoed.
    let over = day.folder().join("over");
    terminal.until("the bytes are through", |_| over.exists());
    let shown = terminal.written.get(begun..).unwrap_or_default();
    assert!(shown.len() > 200, "nothing was shown");
    // Whoever looks at a session hears its bells, at most one a second.
    let bells = since.elapsed().as_secs() + 1;
    assert_eq!(reaches_ringing(shown, SMALL, bells), None);
    // The program's answers to what was asked were typed into the shell; the window is as before.
    terminal.keys("\x1dd");
    terminal.until("the window answers", |screen| screen.contains("hosts"));
    assert!(Path::new(day.home_text()).exists());
    terminal.keys(":q\r");
    assert!(terminal.end().success());
    Ok(())
}
