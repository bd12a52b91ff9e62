//! Sessions side by side with tmux and ssh, through real terminals. Run by `benches/versus/sessions.sh`, which names the program
//! to measure in `QD`; figures go to standard output, ours first. Nothing is asserted by the clock.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use quarterdeck::term::Size;

use crate::support::day::Day;
use crate::support::lab::Failed;
use crate::support::process::{children, until};
use crate::support::proxy::{Line, Proxy};
use crate::support::pty::Terminal;
use crate::support::tmux::Tmux;

const SIZE: Size = Size::new(80, 24);

/// Letters that no program of these writes by itself and no control sequence holds.
const LETTERS: &str = "абвгдежзийклмнопрстуфхцчшщъыьэюя";

/// A person who types quickly.
const BETWEEN: Duration = Duration::from_millis(40);

fn number(name: &str, usual: usize) -> usize {
    let text = std::env::var(name).unwrap_or_default();
    text.parse().unwrap_or(usual)
}

/// One line of the table.
fn tell(what: &str, unit: &str, ours: f64, theirs: f64) -> Result<(), Failed> {
    let ratio = theirs / ours;
    writeln!(
        std::io::stdout(),
        "{what:<64} {ours:>9.1} {unit:<4} {theirs:>9.1} {unit:<4} x{ratio:.2}"
    )?;
    Ok(())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The value below which so many of a hundred are.
fn percentile(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    millis(times.get(at).copied().unwrap_or_default())
}

/// Starts a program that takes letters, which its terminal echoes. What is typed before it runs may never be seen.
fn listen(terminal: &mut Terminal) {
    terminal.keys("clear; stty -icanon; echo lis\"\"tening; cat >/dev/null\r");
    terminal.until_shows("listening");
}

/// Types letters one by one, as a person would, and tells how long each takes to be seen.
fn letters(terminal: &mut Terminal, count: usize) -> Vec<Duration> {
    let all: Vec<String> = LETTERS.chars().map(String::from).collect();
    let mut times = Vec::new();
    for letter in all.iter().cycle().take(count) {
        times.push(terminal.typed_until(letter, letter));
        terminal.for_a_while(BETWEEN);
    }
    times
}

/// Proportional memory of processes in kB (proc(5), smaps_rollup).
fn memory(pids: &[u32]) -> Result<u64, Failed> {
    let mut sum = 0;
    for pid in pids {
        let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        let words = line.and_then(|line| line.split_whitespace().next());
        sum += words.ok_or("Linux says so")?.parse::<u64>()?;
    }
    Ok(sum)
}

/// Processor time of processes in hundredths of a second (proc(5), stat).
fn spent(pids: &[u32]) -> Result<u64, Failed> {
    let mut sum = 0;
    for pid in pids {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let rest = text.rsplit_once(')').ok_or("a name")?.1;
        for field in rest.split_whitespace().skip(11).take(2) {
            sum += field.parse::<u64>()?;
        }
    }
    Ok(sum)
}

/// Those whose parent this is.
/// Our window, and the app behind it.
struct Ours<'a> {
    day: &'a Day,
    terminal: Terminal,
    app: u32,
    sessions: usize,
}

impl<'a> Ours<'a> {
    fn open(day: &'a Day) -> Result<Self, Failed> {
        let variables = [("SHELL", "/bin/sh"), ("LC_ALL", "C.UTF-8")];
        let args = ["--home", day.home_text()];
        let mut terminal = Terminal::start(day.program(), &args, &variables, SIZE);
        terminal.until_shows("hosts");
        let app = day.json(&["server", "status", "--json"])["pid"].as_u64();
        let app = u32::try_from(app.ok_or("a number")?)?;
        Ok(Self {
            day,
            terminal,
            app,
            sessions: 0,
        })
    }

    /// One more pane, with the focus on it. A shell answers in it.
    fn pane(&mut self, command: &str) -> Result<(), Failed> {
        if self.sessions > 0 {
            self.terminal.keys("\x1dd");
        }
        self.terminal.keys(&format!(":{command}\r"));
        self.sessions += 1;
        let mark = self.sessions;
        until("the session is there", || {
            self.day.json(&["server", "status", "--json"])["sessions"] == mark
        })?;
        self.terminal.until_shows("recording");
        self.terminal
            .keys(&format!("echo se\"\"ssion-{mark}-lives\r"));
        self.terminal.until_shows(&format!("session-{mark}-lives"));
        Ok(())
    }

    /// The app, the window, and the process that keeps the window's terminal.
    fn processes(&self) -> Result<Vec<u32>, Failed> {
        let keeper = self.terminal.pid();
        let mut all = vec![self.app, keeper];
        all.extend(children(keeper)?);
        Ok(all)
    }
}

/// A tmux client in a terminal, and its server, whose windows run commands.
struct Theirs {
    tmux: Tmux,
    terminal: Terminal,
    server: u32,
}

impl Theirs {
    fn open(command: &str) -> Result<Self, Failed> {
        let tmux = Tmux::new()?;
        let socket = tmux.socket().display().to_string();
        let args = [
            "-u",
            "-f",
            "/dev/null",
            "-S",
            &socket,
            "new-session",
            command,
        ];
        let variables = [("SHELL", "/bin/sh"), ("LC_ALL", "C.UTF-8")];
        let mut terminal = Terminal::start(Path::new("/usr/bin/tmux"), &args, &variables, SIZE);
        terminal.until_shows("[0] 0:");
        let server = tmux
            .ask(&["display-message", "-p", "#{pid}"])?
            .trim()
            .parse()?;
        let mut theirs = Self {
            tmux,
            terminal,
            server,
        };
        theirs.lives(1);
        Ok(theirs)
    }

    fn pane(&mut self, command: &str, mark: usize) -> Result<(), Failed> {
        self.tmux.ask(&["new-window", command])?;
        self.lives(mark);
        Ok(())
    }

    fn lives(&mut self, mark: usize) {
        self.terminal
            .keys(&format!("echo se\"\"ssion-{mark}-lives\r"));
        self.terminal.until_shows(&format!("session-{mark}-lives"));
    }

    fn processes(&self) -> Result<Vec<u32>, Failed> {
        let mut all = vec![self.server, self.terminal.pid()];
        all.extend(children(self.server)?);
        Ok(all)
    }
}

fn ssh(day: &Day, name: &str) -> String {
    format!("exec ssh -F {} {name}", day.config_text())
}

/// What makes trouble in two of the sessions: a flood, and a program that takes nothing while much is typed into it.
const FLOOD: &str = "yes a line that comes again and again and again\r";
const STOPPED: &str = "sleep 100000\r";

/// Makes it in our first two tabs and goes to the third: they are not seen, as is usual.
fn trouble(terminal: &mut Terminal) {
    terminal.keys("\x1d0");
    terminal.keys(FLOOD);
    terminal.for_a_while(BETWEEN * 20);
    terminal.keys("\x1d1");
    terminal.keys(STOPPED);
    terminal.for_a_while(BETWEEN * 10);
    terminal.keys(&"into nothing ".repeat(200));
    terminal.keys("\x1d2");
}

#[test]
fn a_flood_and_one_who_takes_nothing_hold_no_key_up() -> Result<(), Failed> {
    let day = Day::start(0);
    day.import();
    let mut ours = Ours::open(&day)?;
    for _ in 0..3 {
        ours.pane("session open bastion")?;
    }
    trouble(&mut ours.terminal);
    listen(&mut ours.terminal);
    // Each of them is waited for.
    letters(&mut ours.terminal, 10);
    ours.terminal.keys("\x1d0");
    ours.terminal
        .until_shows("a line that comes again and again");
    ours.terminal.keys("\x03echo qu\"\"iet\r");
    ours.terminal.until_shows("quiet");
    Ok(())
}

#[test]
#[ignore = "a bench"]
fn crowd() -> Result<(), Failed> {
    let count = number("QD_SESSIONS", 100);
    let keys = number("QD_KEYS", 200);
    let day = Day::start_with(0, "MaxSessions 400\nMaxStartups 400");
    day.import();
    let mut ours = Ours::open(&day)?;
    let empty = memory(&ours.processes()?)?;
    let begun = Instant::now();
    for _ in 0..count {
        ours.pane("session open bastion")?;
    }
    let opened = millis(begun.elapsed());
    let mine = (memory(&ours.processes()?)? - empty) as f64;
    let command = ssh(&day, "bastion");
    let mut theirs = Theirs::open("sh")?;
    let empty = memory(&theirs.processes()?)?;
    let begun = Instant::now();
    for mark in 0..count {
        theirs.pane(&command, mark + 2)?;
    }
    let opened_theirs = millis(begun.elapsed());
    let other = (memory(&theirs.processes()?)? - empty) as f64;
    tell(
        "opening a session, until its shell answers",
        "ms",
        opened / count as f64,
        opened_theirs / count as f64,
    )?;
    tell(
        "memory of a session (PSS)",
        "kB",
        mine / count as f64,
        other / count as f64,
    )?;
    for busy in [false, true] {
        if busy {
            trouble(&mut ours.terminal);
            theirs.terminal.keys("\x021");
            theirs.terminal.keys(FLOOD);
            theirs.terminal.for_a_while(BETWEEN * 20);
            theirs.terminal.keys("\x022");
            theirs.terminal.keys(STOPPED);
            theirs.terminal.for_a_while(BETWEEN * 10);
            theirs.terminal.keys(&"into nothing ".repeat(200));
            // What comes at once tmux takes for a paste, the prefix included.
            theirs.terminal.for_a_while(BETWEEN * 10);
            theirs.terminal.keys("\x023");
        }
        let state = if busy {
            "one floods and one takes nothing"
        } else {
            "all idle"
        };
        let (mut mine, mut other) = (Vec::new(), Vec::new());
        for terminal in [&mut ours.terminal, &mut theirs.terminal] {
            listen(terminal);
        }
        // In turn, so that a busy machine is busy for both.
        for _ in 0..keys / 20 {
            mine.extend(letters(&mut ours.terminal, 20));
            other.extend(letters(&mut theirs.terminal, 20));
        }
        for terminal in [&mut ours.terminal, &mut theirs.terminal] {
            terminal.keys("\x03");
        }
        for percent in [50, 99] {
            let what = format!("key to its echo, {count} sessions, {state}, p{percent}");
            tell(
                &what,
                "ms",
                percentile(&mut mine, percent),
                percentile(&mut other, percent),
            )?;
        }
    }
    Ok(())
}

#[test]
#[ignore = "a bench"]
fn flood() -> Result<(), Failed> {
    let megabytes = number("QD_MEGABYTES", 200);
    let day = Day::start(0);
    day.import();
    let line = "2026-11-23T10:00:00 node7 web[4711]: \x1b[32mGET\x1b[0m /items/4711 200 17 ms and some more words\n";
    let text = line.repeat(megabytes * 1_000_000 / line.len() + 1);
    let size = text.len() as f64 / 1e6;
    let big = day.file("big.txt", &text);
    let keys = format!("cat {big}; echo o\"\"ver-$((40+2))\r");
    let mut ours = Ours::open(&day)?;
    ours.pane("session open bastion")?;
    let before = spent(&ours.processes()?)?;
    let mine = ours.terminal.typed_until(&keys, "over-42");
    let mine_spent = (spent(&ours.processes()?)? - before) as f64 * 10.0;
    let mut theirs = Theirs::open(&ssh(&day, "bastion"))?;
    let before = spent(&theirs.processes()?)?;
    let other = theirs.terminal.typed_until(&keys, "over-42");
    let other_spent = (spent(&theirs.processes()?)? - before) as f64 * 10.0;
    let what = format!("{megabytes} MB through a pane that is seen");
    tell(&what, "ms", millis(mine), millis(other))?;
    tell(
        "  a second (more is better)",
        "MB",
        size / mine.as_secs_f64(),
        size / other.as_secs_f64(),
    )?;
    tell(
        "  processor time: app and window; tmux, its client and ssh",
        "ms",
        mine_spent,
        other_spent,
    )?;
    Ok(())
}

/// Floods, waits for five seconds, and tells how long it takes from Ctrl-C until the shell answers.
fn calm(terminal: &mut Terminal) -> Duration {
    terminal.keys(FLOOD);
    terminal.until_shows("again and again and again");
    terminal.for_a_while(Duration::from_secs(5));
    let took = terminal.typed_until("\x03", "^C");
    took + terminal.typed_until("echo qu\"\"iet-$((40+2))\r", "quiet-42")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a bench"]
async fn thin_window() -> Result<(), Failed> {
    let day = Day::start(0);
    let line = Line {
        rate: Some(8_000),
        delay: Duration::from_millis(25),
        piece: Some(512),
        room: Some(8 * 1024),
        ..Line::default()
    };
    let proxy = Proxy::start(day.bastion.port, line).await?;
    day.add_way("thin", proxy.port);
    day.import();
    tokio::task::block_in_place(|| {
        let mut ours = Ours::open(&day)?;
        ours.pane("session local")?;
        drop(ours);
        let theirs = Theirs::open("sh")?;
        let qd = format!(
            "LC_ALL=C.UTF-8 {} --home {} attach",
            day.program().display(),
            day.home_text()
        );
        let tmux = format!(
            "LC_ALL=C.UTF-8 tmux -u -S {} attach",
            theirs.tmux.socket().display()
        );
        let mut found = Vec::new();
        for (command, keys, shows) in [(&qd, "3\r", "recording"), (&tmux, "", "[0] 0:")] {
            let args = ["-tt", "-F", day.config_text(), "thin", command.as_str()];
            let mut terminal = Terminal::start(Path::new("/usr/bin/ssh"), &args, &[], SIZE);
            // A window begins where one was: in the pane, or on the first screen.
            let begun = |screen: &str| screen.contains("live session") || screen.contains(shows);
            if terminal
                .until("it has begun", begun)
                .contains("live session")
            {
                terminal.keys(keys);
            }
            terminal.until_shows(shows);
            let before = proxy.given();
            let took = calm(&mut terminal);
            found.push((millis(took), (proxy.given() - before) as f64 / 1000.0));
        }
        let (mine, other) = match found.as_slice() {
            [mine, other] => (*mine, *other),
            _ => return Err("two of them".into()),
        };
        tell(
            "a window over 64 kbit/s: Ctrl-C in a flood until the shell answers",
            "ms",
            mine.0,
            other.0,
        )?;
        tell(
            "  bytes that the window was sent, flood of 5 s included",
            "kB",
            mine.1,
            other.1,
        )
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a bench"]
async fn thin_host() -> Result<(), Failed> {
    let day = Day::start(1);
    let line = Line {
        rate: Some(125_000),
        delay: Duration::from_millis(150),
        piece: Some(1_400),
        room: Some(64 * 1024),
        ..Line::default()
    };
    let proxy = Proxy::start(day.bastion.port, line).await?;
    // The line takes connections in at once, which looks near; so the host is behind it, and how far it is, is told by the
    // channel that leads to it, as by the handshake of a real far host.
    day.add_way("thin", proxy.port);
    day.add_behind("far", "thin");
    day.import();
    tokio::task::block_in_place(|| {
        let mut ours = Ours::open(&day)?;
        ours.pane("session open far")?;
        let mine = calm(&mut ours.terminal);
        let mut theirs = Theirs::open(&ssh(&day, "far"))?;
        let other = calm(&mut theirs.terminal);
        tell(
            "a host over 1 Mbit/s and 300 ms: Ctrl-C in a flood until the shell answers",
            "ms",
            millis(mine),
            millis(other),
        )
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a bench"]
async fn typing() -> Result<(), Failed> {
    let keys = number("QD_KEYS", 200).min(60);
    let day = Day::start(0);
    let line = Line {
        delay: Duration::from_millis(150),
        ..Line::default()
    };
    let proxy = Proxy::start(day.bastion.port, line).await?;
    day.add_way("far", proxy.port);
    day.import();
    tokio::task::block_in_place(|| {
        let mut theirs = Theirs::open(&ssh(&day, "far"))?;
        let mut other = typing_at(&mut theirs.terminal, keys);
        // Programs of before prediction have no word for it.
        let settings = Path::new(day.home_text()).join("config/config.toml");
        std::fs::create_dir_all(settings.parent().ok_or("a folder")?)?;
        std::fs::write(&settings, "[session]\npredict = \"never\"\n")?;
        let known = day.qd(&["config", "check"]).status.success();
        std::fs::remove_file(&settings)?;
        for word in if known {
            &["never", "always"][..]
        } else {
            &[""]
        } {
            if !word.is_empty() {
                std::fs::write(&settings, format!("[session]\npredict = \"{word}\"\n"))?;
            }
            let mut ours = Ours::open(&day)?;
            ours.pane("session open far")?;
            let mut mine = typing_at(&mut ours.terminal, keys);
            drop(ours);
            // The next window would begin in this session, which keeps to what it began with.
            let stopped = day.qd(&["--yes", "server", "stop"]);
            assert!(stopped.status.success(), "{stopped:?}");
            day.qd(&["server", "stop", "--yes"]);
            for percent in [50, 99] {
                let what = format!(
                    "a letter over 300 ms, prediction {}, p{percent}",
                    if word.is_empty() { "not there" } else { word }
                );
                tell(
                    &what,
                    "ms",
                    percentile(&mut mine, percent),
                    percentile(&mut other, percent),
                )?;
            }
        }
        Ok(())
    })
}

/// Types into a shell's line, as people do: the first letters of a line are what prediction learns from.
fn typing_at(terminal: &mut Terminal, count: usize) -> Vec<Duration> {
    listen(terminal);
    letters(terminal, 4);
    letters(terminal, count)
}
