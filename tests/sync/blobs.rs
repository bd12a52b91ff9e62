//! Recordings on demand: made on one device, put into the bag in the background, fetched by another that wants to see them;
//! and a bag that loses, swaps and cuts.

use std::fs;
use std::path::{Path, PathBuf};

use quarterdeck::term::Size;
use serde_json::Value;

use super::use_verbs::{Pair, until};
use crate::support::pty::Terminal;

pub(super) fn configure(pair: &Pair, name: &str, text: &str) {
    let folder = pair.home(name).join("config");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("config.toml"), text).expect("the settings");
}

pub(super) fn window(pair: &Pair, name: &str) -> Terminal {
    let home = pair.home(name).display().to_string();
    let variables = [("SHELL", "/bin/sh"), ("LC_ALL", "C.UTF-8")];
    let size = Size { cols: 80, rows: 24 };
    let mut terminal = Terminal::start(Pair::program(), &["--home", &home], &variables, size);
    terminal.until("the window is drawn", |screen| screen.contains("hosts"));
    terminal
}

/// Runs a command in a shell on this machine, in the app of `name`, and ends the shell.
pub(super) fn session(pair: &Pair, terminal: &mut Terminal, words: &str) {
    let ended = |rows: &Value| {
        let rows = rows.as_array().cloned().unwrap_or_default();
        rows.iter().filter(|row| !row["closed"].is_null()).count()
    };
    let before = ended(&pair.json("a", &["session", "ls"]));
    terminal.keys(":session local\r");
    terminal.until_shows("recording");
    terminal.keys(&format!("{words}; echo re\"\"ady\r"));
    terminal.until_shows("ready");
    terminal.keys("exit\r");
    until("the session has ended", || {
        ended(&pair.json("a", &["session", "ls"])) > before
    });
    terminal.keys("\x1dd");
}

fn parts(pair: &Pair) -> Vec<PathBuf> {
    let mut parts: Vec<PathBuf> = fs::read_dir(pair.bag().join("blobs"))
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    parts.sort();
    parts
}

/// References of the sessions that a device knows, the oldest first.
pub(super) fn references(pair: &Pair, name: &str) -> Vec<String> {
    let rows = pair.json(name, &["session", "ls"]);
    let mut rows = rows.as_array().cloned().unwrap_or_default();
    rows.sort_by_key(|row| row["opened"].as_str().unwrap_or_default().to_owned());
    let reference = |row: &Value| row["ref"].as_str().unwrap_or_default().to_owned();
    rows.iter().map(reference).collect()
}

pub(super) fn shared(pair: &Pair, name: &str) -> Value {
    pair.json(name, &["sync", "status"])["recordings"].clone()
}

pub(super) fn fetched(pair: &Pair) -> usize {
    let folder = pair.home("b").join("data/recordings/fetched");
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let whole = |name: &Path| name.extension().is_some_and(|end| end == "cast");
    files.filter(|entry| whole(&entry.path())).count()
}

pub(super) fn export(pair: &Pair, name: &str, reference: &str) -> String {
    pair.fine(name, &["session", "export", reference, "--format", "cast"])
}

#[test]
fn no_recording_leaves_its_machine_unless_that_is_wanted() {
    let pair = Pair::new();
    pair.fine("a", &["server", "start"]);
    pair.init();
    pair.pair("b", "lap2");
    session(&pair, &mut window(&pair, "a"), "echo quiet");
    until("everything went out", || {
        pair.json("a", &["sync", "status"])["pending"] == 0
    });
    pair.fine("a", &["--yes", "server", "stop"]);
    pair.fine("a", &["sync", "now"]);
    assert_eq!(parts(&pair), Vec::<PathBuf>::new());
    pair.fine("b", &["sync", "now"]);
    assert_eq!(shared(&pair, "b"), 0);
    let references = references(&pair, "b");
    let reference = references.first().expect("the session is known");
    let said = pair.refused("b", 1, &["session", "export", reference]);
    assert!(said.contains("gone"), "{said}");
    let said = pair.refused("b", 1, &["session", "fetch", reference]);
    assert!(said.contains("neither here nor in the space"), "{said}");
}

#[test]
fn a_recording_comes_when_it_is_wanted_and_only_as_it_was_made() {
    let pair = Pair::new();
    configure(&pair, "a", "[sync]\nrecordings = \"always\"\n");
    pair.fine("a", &["server", "start"]);
    pair.init();
    pair.pair("b", "lap2");
    let mut terminal = window(&pair, "a");
    session(&pair, &mut terminal, "seq 1 40000 | sed s/^/need\"\"le-/");
    until("it is in the space", || shared(&pair, "a") == 1);
    let first = parts(&pair);
    assert!(first.len() > 1, "it has several parts: {first:?}");
    for part in &first {
        let bytes = fs::read(part).expect("a part");
        assert!(bytes.len() <= 1 << 20);
        assert!(!bytes.windows(6).any(|word| word == b"needle"));
    }
    session(&pair, &mut terminal, "seq 1 40000 | sed s/^/hay-/");
    until("both are in the space, and the log says so", || {
        shared(&pair, "a") == 2 && pair.json("a", &["sync", "status"])["pending"] == 0
    });
    drop(terminal);

    // The other one knows of them and has none, until it wants one.
    pair.fine("b", &["sync", "now"]);
    assert_eq!((shared(&pair, "b"), fetched(&pair)), (Value::from(2), 0));
    let both = references(&pair, "b");
    let [one, two] = both.as_slice() else {
        unreachable!("two sessions: {both:?}");
    };
    let found = pair.qd("b", &["session", "search", "needle-40000"]);
    let said = String::from_utf8_lossy(&found.stderr).into_owned();
    assert_eq!(found.status.code(), Some(1), "{found:?}");
    assert!(said.contains("2 more recordings"), "{said}");

    bad_bags(&pair, &first, one);

    assert!(export(&pair, "b", one) == export(&pair, "a", one));
    let name = |row: &Value| row["recording"].as_str().unwrap_or_default().to_owned();
    let rows = pair.json("b", &["session", "ls"]);
    let rows = rows.as_array().cloned().unwrap_or_default();
    let row = rows.iter().find(|row| row["ref"] == one.as_str());
    let file = row.map(name).expect("its file");
    let there = fs::read(pair.home("a").join("data/recordings").join(&file)).expect("there");
    let here = pair.home("b").join("data/recordings/fetched").join(&file);
    assert!(fs::read(here).expect("here") == there, "byte for byte");
    // What is here is not asked for again.
    let away = pair.home("pulled out");
    fs::rename(pair.bag(), &away).expect("it is moved");
    assert!(
        pair.fine("b", &["session", "replay", one])
            .contains("needle-40000")
    );
    let said = pair.refused("b", 1, &["session", "replay", two]);
    assert!(said.contains("mounted"), "{said}");
    fs::rename(&away, pair.bag()).expect("it is moved back");

    // There is room for one: the other goes when that comes.
    let quota = there.len() + there.len() / 2;
    let text = format!("[sync]\nrecordings_quota = {quota}\n");
    configure(&pair, "b", &text);
    let said = pair.fine("b", &["session", "show", two]);
    assert!(said.contains("hay-40000"), "{}", said.len());
    assert_eq!(fetched(&pair), 1);
    configure(&pair, "b", "[sync]\nrecordings_quota = \"1 KiB\"\n");
    let said = pair.refused("b", 1, &["session", "export", one]);
    assert!(said.contains("recordings_quota"), "{said}");
    configure(&pair, "b", "");
    let found = pair.fine("b", &["session", "search", "--fetch", "needle-40000"]);
    assert!(found.contains(one.as_str()), "{found}");

    // What goes there goes from the bag.
    pair.fine("a", &["--yes", "server", "stop"]);
    fs::remove_file(pair.home("a").join("data/recordings").join(&file)).expect("it is removed");
    pair.fine("a", &["sync", "now"]);
    assert!(
        first.iter().all(|part| !part.exists()),
        "its parts are gone"
    );
    assert!(!parts(&pair).is_empty(), "and those of the other are not");
    pair.fine("b", &["sync", "now"]);
    assert_eq!(shared(&pair, "b"), 1);
}

/// With an app that runs nobody has to say anything more; without one the next sync does it.
#[test]
fn a_recording_that_is_purged_goes_from_the_space_and_from_where_it_was_fetched() {
    let pair = Pair::new();
    configure(&pair, "a", "[sync]\nrecordings = \"always\"\n");
    pair.fine("a", &["server", "start"]);
    pair.init();
    pair.pair("b", "lap2");
    let mut terminal = window(&pair, "a");
    session(&pair, &mut terminal, "echo first-secret");
    session(&pair, &mut terminal, "echo other-secret");
    until("both are in the space, and the log says so", || {
        shared(&pair, "a") == 2 && pair.json("a", &["sync", "status"])["pending"] == 0
    });
    drop(terminal);
    pair.fine("b", &["sync", "now"]);
    let both = references(&pair, "b");
    let [one, two] = both.as_slice() else {
        unreachable!("two sessions: {both:?}");
    };
    pair.fine("b", &["session", "fetch", one]);
    assert_eq!((fetched(&pair), parts(&pair).len()), (1, 2));

    pair.fine("a", &["--yes", "purge", one]);
    until("its part is gone, by itself", || parts(&pair).len() == 1);
    until("and everything went out", || {
        pair.json("a", &["sync", "status"])["pending"] == 0
    });
    assert_eq!(shared(&pair, "a"), 1);
    pair.fine("a", &["--yes", "server", "stop"]);
    pair.fine("a", &["--yes", "purge", two]);
    assert_eq!(parts(&pair).len(), 1, "nothing syncs by itself");
    pair.fine("a", &["sync", "now"]);
    assert_eq!(parts(&pair), Vec::<PathBuf>::new());

    pair.fine("b", &["sync", "now"]);
    assert_eq!(shared(&pair, "b"), 0);
    let said = pair.refused("b", 1, &["session", "fetch", two]);
    assert!(said.contains("neither here nor in the space"), "{said}");
    // Who fetched it has it until it is purged there.
    assert!(export(&pair, "b", one).contains("first-secret"));
    let said = pair.fine("b", &["--yes", "purge", one]);
    assert!(said.contains("recording"), "{said}");
    assert_eq!(fetched(&pair), 0);
}

/// The remote loses, swaps, cuts and replaces: it is told each time, and nothing of it is shown.
fn bad_bags(pair: &Pair, parts: &[PathBuf], reference: &str) {
    let whole: Vec<Vec<u8>> = parts
        .iter()
        .map(|part| fs::read(part).expect("a part"))
        .collect();
    let put = |at: usize, bytes: &[u8]| {
        if let Some(path) = parts.get(at) {
            fs::remove_file(path).ok();
            fs::write(path, bytes).expect("it is written");
        }
    };
    let [first, second, ..] = whole.as_slice() else {
        unreachable!("several parts");
    };
    let refused = |why: &str| {
        let said = pair.refused("b", 1, &["session", "export", reference]);
        assert!(said.contains(why), "{why}: {said}");
        assert_eq!(fetched(pair), 0);
    };
    put(0, second);
    refused("another part");
    put(0, first.get(..first.len() / 2).unwrap_or_default());
    refused("cannot be used");
    put(0, &vec![7; 2 << 20]);
    refused("longer than anything");
    put(0, first);
    if let Some(path) = parts.get(1) {
        fs::remove_file(path).expect("it is lost");
    }
    refused("the remote has lost part 2");
    put(1, second);
}
