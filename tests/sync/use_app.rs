//! Sync of an app that runs: rounds by themselves, the edge of the screen, others at the same ticket, two processes on one
//! store.

use quarterdeck::term::Size;

use super::use_verbs::{Pair, until};
use crate::support::pty::Terminal;

fn served(pair: &Pair, name: &str) {
    pair.fine(name, &["server", "start"]);
}

fn window(pair: &Pair, name: &str) -> Terminal {
    let home = pair.home(name).display().to_string();
    let size = Size { cols: 80, rows: 24 };
    Terminal::start(Pair::program(), &["--home", &home], &[], size)
}

#[test]
fn what_is_written_in_one_app_is_on_the_screen_of_the_other() {
    let pair = Pair::new();
    served(&pair, "a");
    served(&pair, "b");
    // A command rides the app, which goes on by itself from then on.
    pair.init();
    pair.pair("b", "lap2");
    assert_eq!(pair.json("a", &["sync", "status"])["state"], "waiting");
    let mut there = window(&pair, "b");
    there.keys("1");
    there.until("the cell is at the edge", |screen| {
        screen.contains("sync now")
    });
    // Another process writes into the store of the first app; nobody says `sync now`.
    pair.fine("a", &["ticket", "add", "disk full on db1"]);
    there.until_shows("disk full on db1");
    until("nothing waits", || {
        pair.json("a", &["sync", "status"])["pending"] == 0
    });

    // Both look at it.
    there.keys("\r");
    let mut here = window(&pair, "a");
    here.keys("1");
    here.until_shows("disk full on db1");
    here.keys("\r");
    here.until_shows("has this open too, on lap2");
    let logs = std::fs::read_dir(pair.bag().join("logs")).expect("the logs");
    let before: usize = logs.count();
    assert_eq!(before, 2, "it is no operation");

    // The folder goes away: words at the edge, on both screens; and it comes back.
    let away = pair.home("pulled out");
    std::fs::rename(pair.bag(), &away).expect("it is moved");
    let reference = pair.reference("a");
    pair.fine("a", &["ticket", "comment", &reference, "while it was gone"]);
    here.until_shows("sync: unreachable");
    std::fs::rename(&away, pair.bag()).expect("it is moved back");
    pair.fine("a", &["sync", "now"]);
    here.until("all is well", |screen| screen.contains("sync now"));
    there.keys("\u{1b}");
    there.keys(":sync\r");
    there.until_shows("2 devices");
    let page = there.until_shows("this one");
    assert!(page.contains("lap1") && page.contains("lap2"), "{page}");
    drop((here, there));
}

#[test]
fn two_processes_sync_one_store_by_turns() {
    let pair = Pair::new();
    pair.fine("a", &["ticket", "add", "one"]);
    pair.init();
    let path = pair.home("a").join("data").join("sync").join("lock");
    let lock = std::fs::File::open(&path).expect("the lock");
    lock.lock().expect("it is free");
    served(&pair, "a");
    // The app cannot, says so, and loses nothing.
    until("it is told", || {
        let status = pair.json("a", &["sync", "status"]);
        let error = status["error"].as_str().unwrap_or_default();
        error.contains("another qd process")
    });
    pair.fine("a", &["ticket", "add", "two"]);
    drop(lock);
    let status = pair.json("a", &["sync", "now"]);
    assert_eq!(status["sync"]["pending"], 0, "{status}");
    // Many writers beside the app, while it syncs.
    let writers: Vec<_> = (0..4)
        .map(|number| {
            let title = format!("written beside {number}");
            pair.command("a", &["ticket", "add", &title]).spawn()
        })
        .collect();
    for writer in writers {
        let mut writer = writer.expect("it runs");
        assert!(writer.wait().expect("it ends").success());
    }
    pair.fine("a", &["sync", "now"]);
    pair.pair("b", "lap2");
    assert_eq!(pair.titles("b").len(), 6);
    assert_eq!(pair.titles("a"), pair.titles("b"));
    assert!(pair.fine("a", &["doctor"]).contains("ok"));
}
