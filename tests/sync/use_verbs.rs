//! Sync as people and timers use it: the real program on two homes with a folder between them.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::process::ended;

/// How long something may take that takes a moment.
const GUARD: Duration = Duration::from_secs(30);

/// Two homes and a place between them.
pub(super) struct Pair {
    folder: tempfile::TempDir,
    /// The words of the place, when it is no folder of this machine.
    pub(super) place: Option<String>,
    /// What stands in the environment of the program.
    pub(super) variables: Vec<(&'static str, String)>,
}

impl Pair {
    pub(super) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            place: None,
            variables: Vec::new(),
        }
    }

    /// The words of the place.
    pub(super) fn place(&self) -> String {
        let folder = || self.bag().display().to_string();
        self.place.clone().unwrap_or_else(folder)
    }

    pub(super) fn bag(&self) -> PathBuf {
        self.folder.path().join("bag")
    }

    pub(super) fn home(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn program() -> &'static Path {
        Path::new(env!("CARGO_BIN_EXE_qd"))
    }

    pub(super) fn command(&self, name: &str, words: &[&str]) -> Command {
        let mut command = Command::new(Self::program());
        command
            .arg("--home")
            .arg(self.home(name))
            .args(words)
            .env_remove("QD_HOME")
            .env("HOME", crate::support::home())
            .env("SSH_AUTH_SOCK", "")
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null());
        command
    }

    pub(super) fn qd(&self, name: &str, words: &[&str]) -> Output {
        let output = self.command(name, words).output();
        output.expect("the program runs")
    }

    /// What a command says that must go well.
    pub(super) fn fine(&self, name: &str, words: &[&str]) -> String {
        let output = self.qd(name, words);
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(super) fn json(&self, name: &str, words: &[&str]) -> Value {
        let words: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
        let said = self.fine(name, &words);
        serde_json::from_str(&said).expect("one JSON document")
    }

    /// What a command says that must be refused with this exit status.
    pub(super) fn refused(&self, name: &str, exit: i32, words: &[&str]) -> String {
        let output = self.qd(name, words);
        assert_eq!(output.status.code(), Some(exit), "{words:?}: {output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    pub(super) fn init(&self) {
        self.fine("a", &["sync", "init", &self.place(), "--name", "lap1"]);
    }

    /// Starts joining; gives the process, its code and its fingerprint.
    pub(super) fn joining(&self, name: &str, called: &str) -> Joining {
        let place = self.place();
        let words = ["--json", "sync", "join", &place, "--name", called];
        let mut child = self
            .command(name, &words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let mut said = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        said.read_line(&mut line).expect("a line");
        let event: Value = serde_json::from_str(&line).expect("an event");
        assert_eq!(event["event"], "sync.code", "{line}");
        let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        Joining {
            code: text("code"),
            fingerprint: text("fingerprint"),
            said,
            child,
        }
    }

    /// Lets `name` in as `called`, by a code that is typed on `a`.
    pub(super) fn pair(&self, name: &str, called: &str) {
        let joining = self.joining(name, called);
        let said = self.fine("a", &["--yes", "sync", "admit", &joining.code]);
        assert!(said.contains(&joining.fingerprint), "{said}");
        let end = joining.end();
        assert_eq!(end["sync"]["syncing"], true, "{end}");
        let done = end["done"].as_str().unwrap_or_default();
        assert!(done.contains(called), "{end}");
    }

    pub(super) fn titles(&self, name: &str) -> Vec<String> {
        let rows = self.json(name, &["ticket", "ls"]);
        let rows = rows.as_array().cloned().unwrap_or_default();
        let title = |row: &Value| row["title"].as_str().unwrap_or_default().to_owned();
        let mut titles: Vec<String> = rows.iter().map(title).collect();
        titles.sort();
        titles
    }

    pub(super) fn reference(&self, name: &str) -> String {
        let rows = self.json(name, &["ticket", "ls"]);
        rows[0]["ref"].as_str().unwrap_or_default().to_owned()
    }
}

/// Ends the apps of the homes that have one, so that nobody is left behind.
impl Drop for Pair {
    fn drop(&mut self) {
        for name in ["a", "b"] {
            if self.home(name).join("state").is_dir() {
                drop(self.qd(name, &["--yes", "server", "stop"]));
            }
        }
    }
}

/// A device that waits to be let in.
pub(super) struct Joining {
    pub(super) code: String,
    pub(super) fingerprint: String,
    said: BufReader<ChildStdout>,
    child: Child,
}

impl Joining {
    /// Its last words; it must end well.
    pub(super) fn end(mut self) -> Value {
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut self.said, &mut rest).expect("its words");
        let status = ended(&mut self.child).expect("it ends");
        assert!(status.success(), "{rest}");
        serde_json::from_str(&rest).expect("one JSON document")
    }

    /// How it ends that must not end well.
    pub(super) fn refused(mut self) -> String {
        let status = ended(&mut self.child).expect("it ends");
        assert!(!status.success());
        let mut said = String::new();
        let stderr = self.child.stderr.as_mut().expect("a pipe");
        std::io::Read::read_to_string(stderr, &mut said).expect("its words");
        said
    }
}

pub(super) fn until(why: &str, mut done: impl FnMut() -> bool) {
    let since = Instant::now();
    while !done() {
        assert!(since.elapsed() < GUARD, "{why}");
        std::thread::yield_now();
    }
}

#[test]
fn two_homes_meet_by_a_code_and_have_the_same_tickets() {
    let pair = Pair::new();
    pair.fine("a", &["ticket", "add", "disk full on db1"]);
    pair.fine("b", &["ticket", "add", "certificate of web2"]);
    let said = pair.refused("a", 3, &["sync", "now"]);
    assert!(said.contains("sync init"), "{said}");
    assert_eq!(pair.qd("a", &["sync", "status"]).status.code(), Some(3));
    pair.init();
    let bag = pair.bag().display().to_string();
    // Once is enough, and another one's place is not taken.
    assert!(
        pair.refused("a", 4, &["sync", "init", &bag])
            .contains("already")
    );
    assert!(
        pair.refused("b", 2, &["sync", "init", &bag])
            .contains("sync join")
    );
    assert!(
        pair.refused("b", 2, &["sync", "init", "ftp://x/y"])
            .contains("ftp")
    );
    pair.pair("b", "lap2");
    pair.fine("a", &["sync", "now"]);
    pair.fine("b", &["sync", "now"]);
    let both = ["certificate of web2", "disk full on db1"];
    assert_eq!(pair.titles("a"), both);
    assert_eq!(pair.titles("b"), both);
    pair.fine("b", &["ticket", "add", "third"]);
    let waiting = pair.json("b", &["sync", "status"]);
    assert!(waiting["pending"].as_u64() > Some(0), "{waiting}");
    pair.fine("b", &["sync", "now"]);
    let synced = pair.json("a", &["sync", "now"]);
    assert!(synced["sync"]["learned"].as_u64() > Some(0), "{synced}");
    assert_eq!(pair.titles("a").len(), 3);
    let status = pair.json("a", &["sync", "status"]);
    let devices = status["devices"].as_array().cloned().unwrap_or_default();
    let names: Vec<&str> = devices
        .iter()
        .filter_map(|one| one["name"].as_str())
        .collect();
    assert_eq!(names, ["lap1", "lap2"], "{status}");
    assert_eq!(
        (&status["pending"], &status["fault"]),
        (&0.into(), &"".into())
    );
    assert_eq!(status["state"], "asked", "no app runs here");
    let text = pair.fine("a", &["sync", "status"]);
    assert!(text.contains("lap2") && text.contains("synced"), "{text}");
    assert_eq!(
        pair.json("b", &["sync", "devices"])
            .as_array()
            .map(Vec::len),
        Some(2)
    );
}

#[test]
fn a_wrong_code_lets_nobody_in() {
    let pair = Pair::new();
    pair.init();
    assert!(
        pair.refused("a", 2, &["sync", "admit", "abc"])
            .contains("no code")
    );
    let said = pair.refused("a", 3, &["--yes", "sync", "admit", "0000-0000-0000"]);
    assert!(said.contains("sync join"), "{said}");
    // The part that finds the request is right, the secret is not: the device is not let in, and both are told.
    let joining = pair.joining("b", "lap2");
    let wrong = format!("{}-0000-0000", &joining.code[..4]);
    let said = pair.refused("a", 2, &["--yes", "sync", "admit", &wrong]);
    assert!(said.contains("nobody was let in"), "{said}");
    let said = joining.refused();
    assert!(said.contains("does not fit the code"), "{said}");
    let devices = pair.json("a", &["sync", "devices"]);
    assert_eq!(devices.as_array().map(Vec::len), Some(1), "{devices}");
    // Nobody there to say yes: nobody comes in.
    let joining = pair.joining("b", "lap2");
    let said = pair.refused("a", 2, &["sync", "admit", &joining.code]);
    assert!(said.contains("nobody was let in"), "{said}");
    pair.fine("a", &["--yes", "sync", "admit", &joining.code]);
    joining.end();
}

#[test]
fn a_device_is_sent_away_and_comes_back_as_another() {
    let pair = Pair::new();
    pair.fine("a", &["ticket", "add", "before"]);
    pair.init();
    pair.pair("b", "lap2");
    pair.fine("b", &["sync", "now"]);
    assert_eq!(pair.titles("b"), ["before"]);
    pair.fine("a", &["sync", "rotate"]);
    pair.fine("a", &["ticket", "add", "with a new key"]);
    pair.fine("a", &["sync", "now"]);
    pair.fine("b", &["sync", "now"]);
    assert_eq!(pair.titles("b").len(), 2, "a new key is no hindrance");
    assert!(
        pair.refused("a", 3, &["sync", "retire", "nobody"])
            .contains("sync devices")
    );
    assert!(
        pair.refused("a", 2, &["sync", "retire", "lap1"])
            .contains("sync leave")
    );
    assert!(
        pair.refused("a", 2, &["sync", "retire", "lap2"])
            .contains("--yes")
    );
    let said = pair.fine("a", &["--yes", "sync", "retire", "lap2"]);
    assert!(said.contains("passwords"), "{said}");
    pair.fine("a", &["ticket", "add", "not for lap2"]);
    pair.fine("a", &["sync", "now"]);
    pair.fine("b", &["ticket", "add", "written alone"]);
    let said = pair.refused("b", 1, &["sync", "now"]);
    assert!(said.contains("retired"), "{said}");
    assert!(!pair.titles("b").contains(&"not for lap2".to_owned()));
    // It comes back as a new device, with what it wrote alone.
    pair.pair("b", "lap3");
    pair.fine("b", &["sync", "now"]);
    pair.fine("a", &["sync", "now"]);
    assert_eq!(pair.titles("a").len(), 4);
    assert_eq!(pair.titles("a"), pair.titles("b"));
    let said = pair.fine("b", &["sync", "leave"]);
    assert!(
        said.contains("stay here") && said.contains("sync retire lap3"),
        "{said}"
    );
    assert_eq!(pair.qd("b", &["sync", "now"]).status.code(), Some(3));
    assert_eq!(pair.titles("b").len(), 4, "everything stays");
    pair.pair("b", "lap3");
}

#[test]
fn a_remote_that_is_gone_is_told_and_nothing_is_lost() {
    let pair = Pair::new();
    pair.init();
    let away = pair.home("pulled out");
    std::fs::rename(pair.bag(), &away).expect("it is moved");
    pair.fine("a", &["ticket", "add", "while it was gone"]);
    let said = pair.refused("a", 1, &["sync", "now"]);
    assert!(said.contains("mounted"), "{said}");
    assert!(!pair.bag().exists(), "no empty one is made in its place");
    let status = pair.json("a", &["sync", "status"]);
    assert_eq!(status["fault"], "unreachable", "{status}");
    assert!(status["pending"].as_u64() > Some(0), "{status}");
    let bag = pair.bag().display().to_string();
    let said = pair.refused("b", 1, &["sync", "join", &bag]);
    assert!(said.contains("mounted"), "{said}");
    std::fs::rename(&away, pair.bag()).expect("it is moved back");
    let status = pair.json("a", &["sync", "now"]);
    assert_eq!(status["sync"]["pending"], 0, "{status}");
    pair.pair("b", "lap2");
    assert_eq!(pair.titles("b"), ["while it was gone"]);
}

#[test]
fn what_two_devices_wrote_at_once_is_shown_with_both_values_and_settled_by_one() {
    let pair = Pair::new();
    pair.fine("a", &["ticket", "add", "disk full"]);
    pair.init();
    pair.pair("b", "lap2");
    let reference = pair.reference("b");
    for (name, author) in [("a", "mira"), ("b", "tom")] {
        let folder = pair.home(name).join("config");
        std::fs::create_dir_all(&folder).expect("a folder");
        let text = format!("[general]\nauthor = \"{author}\"\n");
        std::fs::write(folder.join("config.toml"), text).expect("the settings");
    }
    pair.fine("a", &["ticket", "edit", &reference, "--state", "open"]);
    pair.fine("b", &["ticket", "edit", &reference, "--state", "waiting"]);
    for name in ["a", "b", "a"] {
        pair.fine(name, &["sync", "now"]);
    }
    for name in ["a", "b"] {
        let ticket = pair.json(name, &["ticket", "show", &reference]);
        let values = ticket["disputes"][0]["values"].as_array().cloned();
        let values = values.unwrap_or_default();
        let claims: Vec<_> = values
            .iter()
            .map(|claim| {
                let word = |name: &str| claim[name].as_str();
                (word("value"), word("by"), word("who"))
            })
            .collect();
        let (here, there) = (
            (Some("open"), Some("lap1"), Some("mira")),
            (Some("waiting"), Some("lap2"), Some("tom")),
        );
        assert_eq!(claims.len(), 2, "{ticket}");
        assert!(
            claims.contains(&here) && claims.contains(&there),
            "{ticket}"
        );
        let text = pair.fine(name, &["ticket", "show", &reference]);
        assert!(
            text.contains("(mira on lap1, ")
                && text.contains("(tom on lap2, ")
                && text.contains("in force"),
            "{text}"
        );
    }
    // Also by the value that is in force: whoever looks at it and is content says so.
    let state = pair.json("b", &["ticket", "show", &reference])["state"].clone();
    let state = state.as_str().unwrap_or_default();
    pair.fine("b", &["ticket", "edit", &reference, "--state", state]);
    pair.fine("b", &["sync", "now"]);
    pair.fine("a", &["sync", "now"]);
    for name in ["a", "b"] {
        let ticket = pair.json(name, &["ticket", "show", &reference]);
        assert_eq!(ticket["disputes"], Value::Null, "{ticket}");
        assert_eq!(ticket["state"], state, "{ticket}");
    }
}

#[test]
fn a_store_that_syncs_with_nobody_has_nothing_of_it() {
    let pair = Pair::new();
    pair.fine("a", &["ticket", "add", "alone"]);
    assert!(!pair.home("a").join("data").join("sync").exists());
    assert_eq!(pair.qd("a", &["sync", "leave"]).status.code(), Some(3));
    let said = pair.qd("a", &["sync", "status", "--json"]);
    assert_eq!(
        String::from_utf8_lossy(&said.stdout).trim(),
        r#"{"syncing":false}"#
    );
    assert!(!pair.home("a").join("data").join("sync").exists());
    let bag = pair.bag().display().to_string();
    let said = pair.refused("a", 2, &["--read-only", "sync", "init", &bag]);
    assert!(said.contains("--read-only"), "{said}");
    assert!(!pair.bag().exists());
}

#[test]
fn a_description_that_others_can_read_is_told_and_not_taken_for_none() {
    use std::os::unix::fs::PermissionsExt;
    let pair = Pair::new();
    pair.init();
    let path = pair.home("a").join("data").join("sync").join("space.toml");
    let mode = |mode| {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("it is ours");
    };
    mode(0o644);
    for words in [
        &["sync", "status"][..],
        &["sync", "now"],
        &["sync", "leave"],
    ] {
        let said = pair.refused("a", 2, words);
        assert!(said.contains("chmod 600"), "{words:?}: {said}");
    }
    mode(0o600);
    pair.fine("a", &["sync", "now"]);
}
