//! How often a running app flushes: once for each group that it acknowledges, as often for a round as its segment and its
//! cursor need, whatever is in it, and never for a round that moves nothing.
//!
//! The app runs under strace from its start on. A line of the trace is written before the call that it tells of goes on, so
//! whatever an answer depends on is in the file when the answer is here.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use quarterdeck::term::Size;

use super::use_verbs::{Pair, until};
use crate::support::process::ended;
use crate::support::pty::Terminal;

/// An app of which every flush is written down.
struct Traced<'a> {
    pair: &'a Pair,
    name: &'static str,
    strace: Child,
    trace: PathBuf,
}

/// So many flushes: of the store's log, of the store itself, of what lies in the bag, of all else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Flushes {
    log: usize,
    store: usize,
    bag: usize,
    other: usize,
}

impl std::ops::Sub for Flushes {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            log: self.log - before.log,
            store: self.store - before.store,
            bag: self.bag - before.bag,
            other: self.other - before.other,
        }
    }
}

impl<'a> Traced<'a> {
    fn start(pair: &'a Pair, name: &'static str) -> Self {
        let trace = pair.home(&format!("trace of {name}"));
        let app = pair.command(name, &["server", "start", "--foreground"]);
        let mut command = Command::new("strace");
        command
            .args(["-f", "-qq", "-y", "-e", "trace=fsync,fdatasync", "-o"])
            .arg(&trace)
            .arg(app.get_program())
            .args(app.get_args());
        for (variable, value) in app.get_envs() {
            match value {
                Some(value) => command.env(variable, value),
                None => command.env_remove(variable),
            };
        }
        let strace = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("strace is installed");
        until("the app serves", || {
            pair.qd(name, &["server", "status"]).status.success()
        });
        Self {
            pair,
            name,
            strace,
            trace,
        }
    }

    fn flushes(&self) -> Flushes {
        let trace = std::fs::read_to_string(&self.trace).expect("it is written");
        let bag = format!("<{}", self.pair.bag().display());
        let mut flushes = Flushes::default();
        for line in trace.lines().filter(|line| line.contains("sync(")) {
            let count = if line.contains("store.db-wal>") {
                &mut flushes.log
            } else if line.contains("store.db>") {
                &mut flushes.store
            } else if line.contains(&bag) {
                &mut flushes.bag
            } else {
                &mut flushes.other
            };
            *count += 1;
        }
        flushes
    }

    /// What was flushed while `work` went on.
    fn during(&self, work: impl FnOnce()) -> Flushes {
        let before = self.flushes();
        work();
        self.flushes() - before
    }

    fn stop(mut self) {
        self.pair.fine(self.name, &["--yes", "server", "stop"]);
        ended(&mut self.strace).expect("strace ends with the app");
    }
}

/// Exactly so many flushes of the store's log, of the bag, and of nothing else.
const fn only(log: usize, bag: usize) -> Flushes {
    Flushes {
        log,
        store: 0,
        bag,
        other: 0,
    }
}

#[test]
fn an_app_flushes_once_for_each_group_that_it_acknowledges() {
    let pair = Pair::new();
    let app = Traced::start(&pair, "a");
    let home = pair.home("a").display().to_string();
    let size = Size { cols: 80, rows: 24 };
    let mut window = Terminal::start(Pair::program(), &["--home", &home], &[], size);
    window.until_shows("hosts");
    window.keys("1");
    window.until_shows("No open tickets");
    let mut add = |titles: &[String]| {
        let typed: Vec<String> = titles
            .iter()
            .map(|title| format!(":ticket add {title}\r"))
            .collect();
        window.keys(&typed.concat());
        for title in titles {
            window.until("it is open", |screen| {
                screen.contains(title) && screen.contains("T-")
            });
        }
    };
    add(&["the first of all".to_owned()]);
    for number in 0..6 {
        let title = format!("by the screen {number}");
        let one = app.during(|| add(&[title]));
        assert_eq!(one, only(1, 0), "ticket {number}");
    }
    let reading = app.during(|| {
        pair.fine("a", &["ticket", "ls"]);
        pair.json("a", &["server", "status"]);
        pair.json("a", &["session", "ls"]);
    });
    assert_eq!(reading, only(0, 0), "who only reads flushes nothing");
    // What another process writes it flushes itself, and the app that shows it has nothing to flush.
    let beside = app.during(|| {
        pair.fine("a", &["ticket", "add", "beside the app"]);
        until("the app has it", || pair.titles("a").len() == 8);
    });
    assert_eq!(beside, only(0, 0));
    drop(window);
    app.stop();
}

#[test]
fn a_round_flushes_its_segment_and_its_cursor_and_an_idle_one_nothing() {
    let pair = Pair::new();
    pair.fine("a", &["ticket", "add", "before"]);
    pair.init();
    pair.pair("b", "lap2");
    let (app, other) = (Traced::start(&pair, "a"), Traced::start(&pair, "b"));
    let reference = pair.reference("a");
    // The first write into a log that begins anew flushes its beginning too.
    pair.fine("b", &["ticket", "add", "of b"]);
    for name in ["b", "a", "b"] {
        pair.fine(name, &["sync", "now"]);
    }
    let away = pair.home("pulled out");
    let mut comments = 0;
    for count in [1_usize, 40] {
        // While the folder is away nothing goes out in between, so that one round has all of it.
        std::fs::rename(pair.bag(), &away).expect("it is moved");
        for _ in 0..count {
            pair.fine("a", &["ticket", "comment", &reference, "a word"]);
        }
        until("a round has failed", || {
            pair.json("a", &["sync", "status"])["fault"] == "unreachable"
        });
        let before = other.flushes();
        std::fs::rename(&away, pair.bag()).expect("it is moved back");
        let sent = app.during(|| {
            let status = pair.json("a", &["sync", "now"]);
            assert_eq!(status["sync"]["published"], count, "{status}");
        });
        // The other one may have begun by itself; it takes it in once.
        pair.fine("b", &["sync", "now"]);
        comments += count;
        let ticket = pair.json("b", &["ticket", "show", &reference]);
        let there = ticket["entries"].as_array().map(Vec::len);
        assert_eq!(there, Some(comments), "{ticket}");
        let taken = other.flushes() - before;
        // The segment and its folder, the head and its folder; then the cursor and how many small segments there are.
        assert_eq!(sent, only(2, 4), "{count} operations");
        // What the heads say, for ever, and the segment in one transaction.
        assert_eq!(taken, only(2, 0), "{count} operations");
    }
    for (app, name) in [(&app, "a"), (&other, "b")] {
        for _ in 0..3 {
            let idle = app.during(|| drop(pair.fine(name, &["sync", "now"])));
            assert_eq!(idle, only(0, 0), "nothing moved");
        }
    }
    app.stop();
    other.stop();
}
