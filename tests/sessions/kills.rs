//! Windows that come and go, windows that are killed, an app that is killed: sessions go on, and nothing acknowledged is lost.
//!
//! The suite has short forms. The long ones run by name, and print figures:
//! `cargo test --test all kills::long_ -- --ignored --nocapture --test-threads 1`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use quarterdeck::term::Size;

use crate::support::day::Day;
use crate::support::hostile_bytes::Dice;
use crate::support::lab::Failed;
use crate::support::process::{children, gone, signal, until};
use crate::support::pty::Terminal;

const SIZE: Size = Size::new(80, 24);

/// A program in a pane, on this machine or on a host, that counts into a file, with its process id.
struct Counter {
    file: PathBuf,
    pid: String,
    last: u64,
}

impl Counter {
    /// Starts it in a session of the app, through a window that is left again.
    fn start(day: &Day, open: &str) -> Result<Self, Failed> {
        let variables = [("SHELL", "/bin/sh"), ("PS1", "pane% ")];
        let args = ["--home", day.home_text()];
        let mut terminal = Terminal::start(day.program(), &args, &variables, SIZE);
        terminal.until_shows("hosts");
        terminal.keys(&format!(":{open}\r"));
        terminal.until("a shell waits", |screen| {
            screen.contains("recording") && screen.contains(['#', '$', '%'])
        });
        let file = day.folder().join(format!("count {open}"));
        terminal.keys(&format!(
            "clear; i=0; while sleep 0.02; do i=$((i+1)); echo $$ $i > '{0}.new'; mv '{0}.new' '{0}'; echo count-$i; done\r",
            file.display()
        ));
        terminal.until_shows("count-3");
        terminal.keys("\x1dd:q\r");
        assert!(terminal.end().success());
        let mut counter = Self {
            file,
            pid: String::new(),
            last: 0,
        };
        (counter.pid, counter.last) = counter.read()?;
        Ok(counter)
    }

    fn read(&self) -> Result<(String, u64), Failed> {
        let text = std::fs::read_to_string(&self.file)?;
        let (pid, count) = text.trim().split_once(' ').ok_or("two words")?;
        Ok((pid.to_owned(), count.parse()?))
    }

    /// It is the same process, and it counts on.
    fn goes_on(&mut self) -> Result<(), Failed> {
        let last = self.last;
        until("the program in the pane counts on", || {
            self.read().is_ok_and(|(_, count)| count > last)
        })?;
        let (pid, count) = self.read()?;
        assert_eq!(pid, self.pid, "another process counts");
        self.last = count;
        Ok(())
    }
}

/// A shell's loop in one terminal: a window as often as it is told to, and the terminal's settings compared straight after
/// each, however it ended. When the process is killed that the shell waits for, the window itself gives the terminal back, and
/// the loop gives it the time to be gone; how often that was needed is counted. The cursor may be anywhere after a kill, so what
/// is said begins a line.
fn loop_of_windows(day: &Day) -> Terminal {
    let script = format!(
        "say() {{ printf '\\r\\n%s\\r\\n' \"$1\"; }}; stty -g > {0}/before; echo the-loop-begins; while read word; do \
           (echo \"$(exec sh -c 'echo $PPID')\" > {0}/window; exec {1} --home {2} attach); left=$?; \
           stty -g > {0}/after; \
           if [ -f {0}/orphan ]; then \
             cmp -s {0}/before {0}/after || echo late >> {0}/late; \
             while [ -d /proc/$(cat {0}/orphan) ]; do :; done; rm {0}/orphan; stty -g > {0}/after; \
           fi; \
           if ! cmp -s {0}/before {0}/after; then say \"$word has other settings\"; \
           elif [ $left -gt 128 ]; then say \"$word is killed\"; \
           else say \"$word is well\"; fi; \
         done",
        day.folder().display(),
        day.program().display(),
        day.home_text(),
    );
    let mut terminal = Terminal::start(Path::new("/bin/sh"), &["-c", &script], &[], SIZE);
    terminal.until_shows("the-loop-begins");
    terminal
}

/// Opens a window in the loop and sees the session in it.
fn come(terminal: &mut Terminal, word: &str) {
    terminal.keys(&format!("{word}\r"));
    home(terminal);
}

/// Leads a window that has just come to the first screen, wherever the last one was left.
fn home(terminal: &mut Terminal) {
    terminal.until("a window is there", |screen| {
        let signs = ["2 live sessions", "? help", "Ctrl-]", "COPY", "SELECT"];
        signs.iter().any(|sign| screen.contains(sign))
    });
    terminal.keys("\x1d:home\r");
    terminal.until_shows("2 live sessions");
}

/// Leaves it in order; the settings are as before the first.
fn go(terminal: &mut Terminal, word: &str) {
    terminal.keys(":q\r");
    let screen = terminal.until("the window has been left", |screen| {
        screen.contains(&format!("{word} is")) || screen.contains(&format!("{word} has"))
    });
    assert!(screen.contains(&format!("{word} is well")), "{screen}");
}

/// An app with a session on this machine and one on a host behind a bastion, in both of which somebody counts.
fn started() -> Result<(Day, [Counter; 2]), Failed> {
    let day = Day::start(1);
    day.import();
    // A plain shell has nothing to read before it is ready.
    let mut start = day.command(&["server", "start"]);
    assert!(start.env("SHELL", "/bin/sh").status()?.success());
    let counters = [
        Counter::start(&day, "session local")?,
        Counter::start(&day, "session open web1")?,
    ];
    Ok((day, counters))
}

fn both_go_on(counters: &mut [Counter; 2]) -> Result<(), Failed> {
    counters.iter_mut().try_for_each(Counter::goes_on)
}

fn windows_come_and_go(times: u32) -> Result<Duration, Failed> {
    let (day, mut counters) = started()?;
    let mut terminal = loop_of_windows(&day);
    let begun = Instant::now();
    for time in 0..times {
        let word = format!("visit-{time}");
        come(&mut terminal, &word);
        // Most of them look into a pane, where the counting is seen: that of this machine, or that of the host.
        if let Some(keys) = ["3g\r", "3G\r"].get(time as usize % 3) {
            terminal.keys(keys);
            terminal.until_shows("count-");
            terminal.keys("\x1dd");
        }
        go(&mut terminal, &word);
        both_go_on(&mut counters)?;
    }
    let took = begun.elapsed();
    let status = day.json(&["server", "status", "--json"]);
    assert_eq!(
        (&status["sessions"], &status["windows"]),
        (&2.into(), &0.into())
    );
    Ok(took)
}

/// What the kills of windows showed.
struct Kills {
    took: Duration,
    /// How many of them met the process that the shell waits for, and after how many of those the settings were not the old
    /// ones yet at the shell's first look.
    keepers: u32,
    late: usize,
}

fn windows_are_killed(times: u32, seed: u64) -> Result<Kills, Failed> {
    let (day, mut counters) = started()?;
    let mut terminal = loop_of_windows(&day);
    let untouched = terminal.modes();
    let mut dice = Dice::new(seed);
    let number = day.folder().join("window");
    let mut keepers = 0;
    let begun = Instant::now();
    for time in 0..times {
        // That of the window before means nobody any more.
        std::fs::remove_file(&number).ok();
        let word = format!("victim-{time}");
        terminal.keys(&format!("{word}\r"));
        // Before it drew anything, in the list, in a pane of this machine or of the host, or in the midst of a command.
        let keys = [
            "",
            "3g\r",
            "3G\r",
            "3g\r\x1d[",
            "3G\r\x1d[",
            ":session lo",
            "3G\r\x1dd2",
        ];
        let late = dice.below(keys.len() + 1);
        if let Some(keys) = keys.get(late) {
            home(&mut terminal);
            terminal.keys(keys);
        }
        terminal.for_a_while(Duration::from_millis(dice.below(60) as u64));
        // It tells its number before it becomes a window, so it may be killed before it is one.
        let pid = || {
            let text = std::fs::read_to_string(&number);
            text.ok().and_then(|text| text.trim().parse::<u32>().ok())
        };
        until("the window has a number", || pid().is_some())?;
        let keeper = pid().ok_or("a number")?;
        let window = children(keeper).unwrap_or_default().first().copied();
        let victim = match window {
            Some(window) if dice.below(4) > 0 => window,
            window => {
                if let Some(window) = window {
                    std::fs::write(day.folder().join("orphan"), window.to_string())?;
                    keepers += 1;
                }
                keeper
            }
        };
        signal(victim, 9)?;
        gone(i32::try_from(keeper)?)?;
        let screen = terminal.until("the loop knows", |screen| {
            screen.contains(&format!("{word} is")) || screen.contains(&format!("{word} has"))
        });
        assert!(screen.contains(&format!("{word} is killed")), "{screen}");
        assert_eq!(terminal.modes(), untouched, "the screen and its modes");
        both_go_on(&mut counters)?;
    }
    let took = begun.elapsed();
    // And the next window is none the worse for it.
    come(&mut terminal, "after-them");
    go(&mut terminal, "after-them");
    until("the app has noticed", || {
        day.json(&["server", "status", "--json"])["windows"] == 0
    })?;
    assert_eq!(day.json(&["server", "status", "--json"])["sessions"], 2);
    let late = std::fs::read_to_string(day.folder().join("late")).unwrap_or_default();
    Ok(Kills {
        took,
        keepers,
        late: late.lines().count(),
    })
}

/// Kills the app while tickets are written by several hands and a session is open. Gives the number of tickets that were
/// acknowledged.
fn the_app_is_killed(times: u32, seed: u64) -> Result<usize, Failed> {
    let day = Day::start(1);
    day.import();
    let mut dice = Dice::new(seed);
    let mut acknowledged: Vec<String> = Vec::new();
    for time in 0..times {
        let mut start = day.command(&["server", "start"]);
        assert!(start.env("SHELL", "/bin/sh").status()?.success());
        let pid = day.json(&["server", "status", "--json"])["pid"]
            .as_u64()
            .ok_or("a number")?;
        let args = ["--home", day.home_text(), "attach"];
        let mut terminal = Terminal::start(day.program(), &args, &[("SHELL", "/bin/sh")], SIZE);
        terminal.until_shows("hosts");
        // On this machine and on a host by turns.
        let open = ["session local", "session open web1"];
        let open = open.get(time as usize % 2).ok_or("one of two")?;
        terminal.keys(&format!(":{open}\r"));
        terminal.until_shows("recording");
        let (ended, done) = (AtomicBool::new(false), AtomicUsize::new(0));
        let wanted = 1 + dice.below(8);
        let moment = Duration::from_micros(dice.below(20_000) as u64);
        let written = std::thread::scope(|scope| -> Result<Vec<String>, Failed> {
            let hand = |hand: usize| {
                let (day, ended, done) = (&day, &ended, &done);
                move || write_tickets(day, &format!("round {time} hand {hand}"), ended, done)
            };
            let hands = [scope.spawn(hand(0)), scope.spawn(hand(1))];
            let waited = until("some tickets are acknowledged", || {
                done.load(Ordering::SeqCst) >= wanted
            });
            terminal.for_a_while(moment);
            let killed = signal(u32::try_from(pid)?, 9);
            ended.store(true, Ordering::SeqCst);
            waited.and(killed)?;
            let all = hands.map(|hand| hand.join().map_err(|_| "a hand failed"));
            let mut titles = Vec::new();
            for one in all {
                titles.extend(one?);
            }
            Ok(titles)
        })?;
        gone(i32::try_from(pid)?)?;
        acknowledged.extend(written);
        drop(terminal);
        check(&day, &acknowledged)?;
    }
    Ok(acknowledged.len())
}

/// Writes tickets until told to end; gives the titles of those whose end was a success.
fn write_tickets(day: &Day, name: &str, ended: &AtomicBool, done: &AtomicUsize) -> Vec<String> {
    let mut titles = Vec::new();
    for number in 0.. {
        if ended.load(Ordering::SeqCst) {
            break;
        }
        let title = format!("{name} number {number}");
        let mut command = day.command(&["ticket", "add", &title]);
        let output = command.stdin(Stdio::null()).output();
        if output.is_ok_and(|output| output.status.success()) {
            titles.push(title);
            done.fetch_add(1, Ordering::SeqCst);
        }
    }
    titles
}

/// What a later process finds: every ticket that was acknowledged, and no session that claims to live.
fn check(day: &Day, acknowledged: &[String]) -> Result<(), Failed> {
    let output = day.qd(&["doctor", "--json"]);
    assert!(
        output.status.code().is_some_and(|code| code < 2),
        "{output:?}"
    );
    for title in acknowledged {
        let found = day.json(&["ticket", "ls", "--json", &format!("\"{title}\"")]);
        let text = found.to_string();
        assert!(text.contains(title.as_str()), "{title} is lost: {text}");
    }
    let sessions = day.json(&["session", "ls", "--json"]);
    let sessions = sessions.as_array().ok_or("a list")?;
    assert!(!sessions.is_empty());
    let living: Vec<_> = sessions
        .iter()
        .filter(|session| session["live"] != false)
        .collect();
    assert!(
        living.is_empty(),
        "sessions of an app that is dead live: {living:?}"
    );
    Ok(())
}

#[test]
fn windows_come_and_go_and_the_session_stays() -> Result<(), Failed> {
    windows_come_and_go(8).map(drop)
}

#[test]
fn windows_are_killed_and_the_session_stays() -> Result<(), Failed> {
    windows_are_killed(8, 1).map(drop)
}

#[test]
fn the_app_is_killed_and_nothing_acknowledged_is_lost() -> Result<(), Failed> {
    assert!(the_app_is_killed(2, 1)? >= 2);
    Ok(())
}

#[test]
#[ignore = "takes minutes"]
fn long_windows() -> Result<(), Failed> {
    let mut out = std::io::stdout();
    let took = windows_come_and_go(500)?;
    writeln!(
        out,
        "500 windows came and went in {took:?}; both sessions live"
    )?;
    Ok(())
}

#[test]
#[ignore = "takes minutes"]
fn long_kills() -> Result<(), Failed> {
    let mut out = std::io::stdout();
    let kills = windows_are_killed(200, 2)?;
    writeln!(
        out,
        "200 windows were killed in {:?}; both sessions live, the terminal is sane. {} times it was the process that the shell \
         waits for; {} times of those the shell looked before the terminal was given back",
        kills.took, kills.keepers, kills.late
    )?;
    Ok(())
}

#[test]
#[ignore = "takes minutes"]
fn long_app_kills() -> Result<(), Failed> {
    let mut out = std::io::stdout();
    let tickets = the_app_is_killed(50, 3)?;
    writeln!(
        out,
        "50 apps were killed; {tickets} acknowledged tickets are all there"
    )?;
    Ok(())
}
