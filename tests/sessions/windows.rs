//! The window's own process: stopped and continued by its shell, in front of a terminal that takes nothing, and of an app that
//! hears nothing. However it ends, it ends soon, and the terminal is as it was.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use quarterdeck::term::Size;

use crate::support::day::Day;
use crate::support::lab::Failed;
use crate::support::process::{children, gone, signal, until};
use crate::support::pty::Terminal;

const SIZE: Size = Size::new(80, 24);

/// Longer than anybody waits for a window to go away, and than it takes on a machine that is busy with other tests.
const SOON: Duration = Duration::from_secs(10);

/// A terminal that has taken nothing for so long takes nothing.
const STILL: Duration = Duration::from_millis(100);

const STOP: i32 = rustix::process::Signal::STOP.as_raw();
const CONT: i32 = rustix::process::Signal::CONT.as_raw();

fn served() -> Day {
    let day = Day::start(0);
    let mut start = day.command(&["server", "start"]);
    let started = start.env("SHELL", "/bin/sh").status();
    assert!(started.is_ok_and(|status| status.success()));
    day
}

fn app(day: &Day) -> Result<u32, Failed> {
    let pid = day.json(&["server", "status", "--json"])["pid"].as_u64();
    Ok(u32::try_from(pid.ok_or("a process id")?)?)
}

/// A shell with job control in a terminal, which tells its settings to files.
fn shell(day: &Day) -> Terminal {
    let variables = [("PS1", "ready% "), ("HISTFILE", ""), ("BASH_SILENCE", "1")];
    let args = ["--norc", "--noprofile", "--noediting", "-i"];
    let mut terminal = Terminal::start(Path::new("/bin/bash"), &args, &variables, SIZE);
    terminal.until_shows("ready%");
    terminal.keys(&format!(
        "cd {}; stty -g > before\r",
        day.folder().display()
    ));
    terminal.until("it is done", |screen| screen.matches("ready%").count() == 2);
    terminal
}

/// Has the shell compare; the word comes back with what it found.
fn compare(terminal: &mut Terminal, word: &str) {
    terminal.keys(&format!(
        "stty -g > after; cmp before after && echo {word}-\"is well\" || echo {word}-\"is ill\"\r"
    ));
    let screen = terminal.until("the shell answers", |screen| {
        screen.contains(&format!("{word}-is"))
    });
    assert!(screen.contains(&format!("{word}-is well")), "{screen}");
}

#[test]
fn a_window_is_stopped_and_continued_as_any_job() -> Result<(), Failed> {
    let day = served();
    let mut terminal = shell(&day);
    let untouched = terminal.modes();
    let qd = format!("{} --home {}", day.program().display(), day.home_text());
    terminal.keys(&format!("{qd} attach\r"));
    terminal.until_shows("hosts");
    let inside = terminal.modes();
    assert!(inside.alt_screen && inside != untouched);
    for round in ["first", "second"] {
        terminal.keys(":suspend\r");
        terminal.until_shows("Stopped");
        assert_eq!(terminal.modes(), untouched);
        compare(&mut terminal, round);
        terminal.keys("fg\r");
        terminal.until("the window is drawn anew", |screen| {
            screen.contains("hosts") && !screen.contains("Stopped")
        });
        assert_eq!(terminal.modes(), inside);
        // It hears keys: not the shell, and not only every second one.
        terminal.keys(":help\r");
        terminal.until_shows("Goes one row down.");
        terminal.keys("\x1b");
        terminal.until("help is closed", |screen| !screen.contains("row down"));
    }
    // Stopped in the midst and killed while it is: the shell has its terminal, and `fg` finds it dead.
    terminal.keys(":suspend\r");
    terminal.until_shows("Stopped");
    terminal.keys("kill -9 %1; wait; echo it-is-\"gone\"\r");
    terminal.until_shows("it-is-gone");
    compare(&mut terminal, "third");
    terminal.keys("exit\r");
    Ok(())
}

#[test]
fn a_window_that_is_killed_under_a_shell_leaves_it_at_ease() -> Result<(), Failed> {
    let day = served();
    let mut terminal = shell(&day);
    let untouched = terminal.modes();
    let qd = format!("{} --home {}", day.program().display(), day.home_text());
    // The window itself, and then the process that the shell knows.
    for (word, keeper) in [("window", false), ("keeper", true)] {
        terminal.keys(&format!("clear; {qd} attach\r"));
        terminal.until_shows("hosts");
        let shell = terminal.pid();
        let job = children(shell)?.first().copied().ok_or("a job")?;
        let window = children(job)?.first().copied().ok_or("a window")?;
        signal(if keeper { job } else { window }, 9)?;
        gone(i32::try_from(window)?)?;
        if keeper {
            // The shell may have written its prompt before the window was gone, and answers of the terminal may come late.
            terminal.keys("\x15\r");
        }
        terminal.until_shows("ready%");
        compare(&mut terminal, word);
        // By now all has been read that was written before, in whatever order.
        assert_eq!(terminal.modes(), untouched, "{word}");
    }
    terminal.keys("exit\r");
    Ok(())
}

/// Fills what a terminal holds for a reader that does not read, so that whoever writes next has to wait.
fn fill(terminal: &Path) -> Result<(), Failed> {
    let mut tty = OpenOptions::new()
        .write(true)
        .custom_flags((rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY).bits() as i32)
        .open(terminal)?;
    // What the kernel moves on meanwhile makes room again.
    let begun = Instant::now();
    let mut last = begun;
    while last.elapsed() < STILL {
        if matches!(tty.write(&[b'.'; 512]), Ok(1..)) {
            last = Instant::now();
        }
        if begun.elapsed() > SOON {
            return Err("the terminal never fills".into());
        }
        std::thread::yield_now();
    }
    Ok(())
}

#[test]
fn a_window_whose_terminal_takes_nothing_ends_when_it_is_told_to() -> Result<(), Failed> {
    let day = served();
    for number in [15, 1] {
        let at = |name: &str| day.folder().join(format!("{name}-{number}"));
        let script = format!(
            "tty > {tty}; stty -g > {before}; (exec {} --home {} attach); stty -g > {after}.new; mv {after}.new {after}",
            day.program().display(),
            day.home_text(),
            tty = at("tty").display(),
            before = at("before").display(),
            after = at("after").display(),
        );
        let mut terminal = Terminal::start(Path::new("/bin/sh"), &["-c", &script], &[], SIZE);
        terminal.until_shows("hosts");
        let keeper = children(terminal.pid())?.first().copied().ok_or("a job")?;
        let window = children(keeper)?.first().copied().ok_or("a window")?;
        let gate = terminal.hold_back();
        let stopped = gate.lock().map_err(|_| "it is whole")?;
        fill(Path::new(std::fs::read_to_string(at("tty"))?.trim()))?;
        // Something to draw, which has to wait.
        terminal.keys("2");
        let begun = Instant::now();
        signal(keeper, number)?;
        gone(i32::try_from(window)?)?;
        until("the shell has looked", || at("after").exists())?;
        assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
        let (before, after) = (std::fs::read(at("before"))?, std::fs::read(at("after"))?);
        assert_eq!(before, after, "signal {number}");
        drop(stopped);
    }
    Ok(())
}

#[test]
fn an_app_that_hears_nothing_holds_no_window_back() -> Result<(), Failed> {
    let day = served();
    let app = app(&day)?;
    let args = ["--home", day.home_text(), "attach"];
    let open = || {
        let mut terminal = Terminal::start(day.program(), &args, &[("SHELL", "/bin/sh")], SIZE);
        terminal.until_shows("hosts");
        terminal
    };
    let mut leaving = open();
    leaving.keys(":session local\r");
    leaving.until_shows("recording");
    // The chord of a window whose app lives only leaves the pane, however long one waits.
    leaving.keys("\x1dd");
    leaving.until_shows("live");
    leaving.keys("\r");
    leaving.until_shows("recording");
    let mut told = open();
    signal(app, STOP)?;
    leaving.keys("\x1dd");
    // More than the queues between them hold, and less than the window keeps back itself.
    for _ in 0..3 {
        told.keys(&"x".repeat(1000));
    }
    told.signal(15);
    let begun = Instant::now();
    told.end();
    leaving.end();
    let took = begun.elapsed();
    let said = leaving.screen();
    signal(app, CONT)?;
    assert!(took < SOON, "{took:?}");
    assert!(said.contains("the app does not answer"), "{said}");
    until("the app knows that both are gone", || {
        day.json(&["server", "status", "--json"])["windows"] == 0
    })?;
    let status = day.json(&["server", "status", "--json"]);
    assert_eq!(status["sessions"], 1);
    day.qd(&["--yes", "server", "stop"]);
    Ok(())
}
