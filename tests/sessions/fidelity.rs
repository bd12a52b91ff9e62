//! What a terminal of today can do reaches the program in a pane, and leaves nothing behind when that program dies.

use quarterdeck::term::{Modes, Size};

use crate::support::day::Day;
use crate::support::process::signal;
use crate::support::pty::{PAUSE, Terminal};

const SIZE: Size = Size { cols: 80, rows: 24 };

/// A window with a shell on a host in its pane.
fn shell(day: &Day) -> Terminal {
    day.import();
    let mut terminal = Terminal::start(day.program(), &["--home", day.home_text()], &[], SIZE);
    terminal.until_shows("1 tickets");
    terminal.keys(":session open web1\r");
    terminal.until("the pane is there and a shell waits", |screen| {
        screen.contains("recording") && screen.contains('#')
    });
    terminal
}

fn wrote(terminal: &Terminal, bytes: &str) -> bool {
    terminal
        .written
        .windows(bytes.len())
        .any(|part| part == bytes.as_bytes())
}

#[test]
fn a_program_gets_what_it_asks_of_its_terminal_and_leaves_nothing_behind() {
    let day = Day::start(1);
    let mut terminal = shell(&day);
    // The window's own modes: the mouse, focus, keys told apart, a title.
    for bytes in [
        "\x1b[?1002h",
        "\x1b[?1006h",
        "\x1b[?1004h",
        "\x1b[>1u",
        "\x1b]2;qd: web1 S-",
    ] {
        assert!(wrote(&terminal, bytes), "{bytes:?}");
    }
    terminal.keys("clear; echo shell=$$.\r");
    let screen = terminal.until("the shell says its number", |screen| {
        screen
            .lines()
            .any(|line| line.starts_with("shell=") && line.ends_with('.'))
    });
    let pid: u32 = screen
        .lines()
        .find_map(|line| line.strip_prefix("shell=")?.strip_suffix('.')?.parse().ok())
        .expect("the shell says its number");
    terminal.keys(
        "clear; stty raw -echo; printf '\\033[?1000;1006;1004;2004h\\033[>1u\\033[5 qRE''ADY'; cat -v\r",
    );
    // Whoever asks for focus is told at once that it has it, as in tmux.
    terminal.until_shows("READY^[[I");
    assert!(wrote(&terminal, "\x1b[5 q"), "the cursor's shape");
    for (typed, expected) in [
        // The pane begins below the row of tabs.
        ("\x1b[<0;5;4M", "^[[<0;5;3M"),
        ("\x1b[<0;5;4m", "^[[<0;5;3m"),
        ("\x1b[<65;7;9M", "^[[<65;7;8M"),
        ("\x1b[O", "^[[O"),
        ("\x1b[I", "^[[O^[[I"),
        ("\x1b[200~two words\x1b[201~", "^[[200~two words^[[201~"),
        ("\x1b[13;5u", "^[[13;5u"),
        ("\x1b[105;5u", "^[[105;5u"),
    ] {
        terminal.keys(typed);
        terminal.until(&format!("{typed:?} arrives as {expected}"), |screen| {
            screen.replace('\n', "").contains(expected)
        });
    }
    // Over the tabs the mouse is ours, with Shift it would be the terminal's.
    terminal.keys("\x1b[<4;5;6M\x1b[<4;5;6m\x1b[<0;5;1M\x1b[<0;5;1mEND");
    let screen = terminal.until_shows("END");
    assert!(
        !screen.contains("[<4;") && !screen.contains(";0M"),
        "{screen}"
    );
    signal(pid, 9).expect("the shell can be killed");
    terminal.until_shows("Ended:");
    let from = terminal.written.len();
    terminal.keys("\x1b[<0;5;4M\x1b[<0;5;4m");
    // What follows the end at once was meant for the shell.
    terminal.keys("\r");
    terminal.until_shows("what you typed was dropped");
    terminal.for_a_while(PAUSE);
    terminal.keys("\r");
    terminal.until_shows("1 tickets");
    terminal.for_a_while(PAUSE);
    terminal.keys(":q\r");
    assert!(terminal.end().success());
    assert_eq!(
        terminal.modes(),
        Modes {
            alternate_scroll: true,
            ..Modes::default()
        },
        "the window's terminal is as it was"
    );
    let last = String::from_utf8_lossy(&terminal.written[from..]).into_owned();
    let at = |part: &str| last.find(part).expect(part);
    assert!(at("\x1b[<1u") < at("\x1b[?1049l") && at("\x1b[?1049l") < at("\x1b[0 q"));
}

#[test]
fn a_click_moves_the_cursor_of_vim() {
    let day = Day::start(1);
    let text: String = (1..=9)
        .map(|number| format!("line number {number}\n"))
        .collect();
    let file = day.file("lines", &text);
    let mut terminal = shell(&day);
    terminal.keys(&format!("vim -Nu NONE -c 'set mouse=a ruler' {file}\r"));
    terminal.until("vim shows the file", |screen| {
        screen.contains("line number 9") && screen.contains("1,1 ")
    });
    terminal.keys("\x1b[<0;8;5M\x1b[<0;8;5m");
    terminal.until_shows("4,8 ");
    terminal.keys(":q\r");
    terminal.until("vim is gone", |screen| !screen.contains("line number"));
    // A program that ended gave the mouse back: the wheel looks back in what scrolled away.
    terminal.keys("seq 99\r");
    terminal.until("the numbers are there", |screen| {
        screen.lines().any(|line| line == "99")
    });
    terminal.keys("\x1b[<64;8;5M");
    terminal.until_shows("COPY");
    terminal.keys("q");
}

#[test]
fn who_wants_the_mouse_for_the_terminal_keeps_it() {
    let day = Day::start(1);
    std::fs::create_dir_all(std::path::Path::new(day.home_text()).join("config"))
        .expect("a folder can be made");
    let settings = std::path::Path::new(day.home_text()).join("config/config.toml");
    std::fs::write(settings, "[screen]\nmouse = false\n").expect("a file can be written");
    let mut terminal = Terminal::start(day.program(), &["--home", day.home_text()], &[], SIZE);
    terminal.until_shows("1 tickets");
    assert!(!wrote(&terminal, "\x1b[?1002h") && !wrote(&terminal, "\x1b[?1003h"));
    terminal.keys(":q\r");
    assert!(terminal.end().success());
}
