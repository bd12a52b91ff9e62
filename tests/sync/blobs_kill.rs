//! Recordings on their way into the space and out of it while the program is killed, and with a bag on a host and in a
//! database.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::blobs::{configure, export, fetched, references, session, shared, window};
use super::host_ssh::ONLY_SFTP;
use super::use_far::{self, place_of};
use super::use_verbs::{Pair, until};
use crate::support::lab::{Failed, Lab};
use crate::support::postgres::Postgres;

const ALWAYS: &str = "[sync]\nrecordings = \"always\"\n";

/// The bytes of a recording in a part.
const PART: u64 = 256 << 10;

/// Everything in a folder, hidden or not, by name.
fn all(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read(entry.path()).unwrap_or_default())
        })
        .collect()
}

/// Runs a command that is killed as its `point`-th flush begins, in any thread.
fn killed_at(point: u32, pair: &Pair, name: &str, words: &[&str]) -> Output {
    let home = pair.home(name);
    Command::new("strace")
        .args([
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            "trace=fsync,fdatasync",
        ])
        .arg("-e")
        .arg(format!("inject=fsync,fdatasync:signal=KILL:when={point}"))
        .arg(Pair::program())
        .arg("--home")
        .arg(home)
        .args(words)
        .env_remove("QD_HOME")
        .env("SSH_AUTH_SOCK", "")
        .stdin(Stdio::null())
        .output()
        .expect("strace is installed")
}

/// A recording of several parts on `a` that is not in the space yet, and a space with `b`.
fn recorded(pair: &Pair) {
    configure(pair, "a", ALWAYS);
    pair.init();
    pair.pair("b", "lap2");
    pair.fine("a", &["sync", "now"]);
    let away = pair.home("pulled out");
    fs::rename(pair.bag(), &away).expect("it is moved");
    pair.fine("a", &["server", "start"]);
    let mut terminal = window(pair, "a");
    session(pair, &mut terminal, "seq 1 40000 | sed s/^/need\"\"le-/");
    drop(terminal);
    pair.fine("a", &["--yes", "server", "stop"]);
    fs::rename(&away, pair.bag()).expect("it is moved back");
}

/// What cannot go is told wherever sync is told, until it can.
fn is_told(pair: &Pair) {
    let blobs = pair.bag().join("blobs");
    let away = pair.home("blobs");
    fs::rename(&blobs, &away).expect("it is moved");
    fs::write(&blobs, "").expect("something else is there");
    let said = pair.refused("a", 1, &["sync", "now"]);
    assert!(said.contains("a recording waits"), "{said}");
    let status = pair.json("a", &["sync", "status"]);
    let why = status["recording_error"].as_str().unwrap_or_default();
    assert!(why.contains("a recording waits"), "{status}");
    assert_eq!(status["error"], serde_json::Value::Null, "{status}");
    let text = pair.fine("a", &["sync", "status"]);
    assert!(text.contains("trouble  a recording waits"), "{text}");
    fs::remove_file(&blobs).expect("it is removed");
    fs::rename(&away, &blobs).expect("it is moved back");
}

/// Kills the cut at every flush until one gets through.
fn kill_cuts(pair: &Pair) -> Vec<PathBuf> {
    let blobs = pair.bag().join("blobs");
    let (mut before, mut kills) = (BTreeMap::new(), 0);
    let mut partly = 0;
    for point in 1..=100 {
        let output = killed_at(point, pair, "a", &["sync", "now"]);
        let now = all(&blobs);
        for (name, bytes) in &before {
            assert!(now.get(name) == Some(bytes), "point {point}: {name}");
        }
        assert!(
            now.keys().all(|name| !name.starts_with('.')),
            "point {point}: something half is there: {:?}",
            now.keys()
        );
        partly += u32::from(now.len() > before.len());
        // Whatever the log tells of is whole.
        if shared(pair, "a") == 1 {
            assert!(now.len() > 1, "point {point}: {:?}", now.keys());
        }
        before = now;
        if output.status.success() {
            break;
        }
        kills += 1;
    }
    assert!(kills > 3, "it was killed {kills} times");
    assert!(partly > 1, "it was killed between two parts");
    assert_eq!(shared(pair, "a"), 1);
    let status = pair.json("a", &["sync", "status"]);
    assert_eq!(status["recording_error"], serde_json::Value::Null);
    let number = |name: &str| -> u32 {
        let (_, part) = name.rsplit_once('-').unwrap_or_default();
        part.parse().unwrap_or(0)
    };
    let mut names: Vec<&String> = before.keys().collect();
    names.sort_by_key(|name| number(name));
    names.into_iter().map(|name| blobs.join(name)).collect()
}

/// Kills the fetch while it waits for its second part, and at each flush after that.
fn kill_fetches(pair: &Pair, parts: &[PathBuf]) {
    let folder = pair.home("b").join("data/recordings/fetched");
    pair.fine("b", &["sync", "now"]);
    let reference = references(pair, "b").pop().expect("a session");
    let (first, second) = (&parts[0], &parts[1]);
    let away = |path: &Path| path.with_extension("away");
    // Whoever opens it waits for a writer that never comes.
    fs::rename(second, away(second)).expect("it is moved");
    let made = Command::new("mkfifo").arg(second).status();
    assert!(made.expect("mkfifo runs").success());
    let mut child = pair
        .command("b", &["session", "fetch", &reference])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs");
    let begun = || all(&folder).into_keys().find(|name| name.starts_with('.'));
    until("the first part is here", || {
        let meta = begun().and_then(|name| folder.join(name).metadata().ok());
        meta.is_some_and(|meta| meta.len() == PART)
    });
    child.kill().expect("it is killed");
    child.wait().expect("it is gone");
    assert_eq!(fetched(pair), 0, "what is half is shown to nobody");
    let found = pair.qd("b", &["session", "search", "needle-1"]);
    assert_eq!(found.status.code(), Some(1), "{found:?}");
    // As if it had been killed while it wrote the next one.
    let path = folder.join(begun().expect("what has come"));
    let mut file = OpenOptions::new().append(true).open(&path).expect("ours");
    file.write_all(&[7; 1000]).expect("it is written");
    drop(file);
    fs::remove_file(second).expect("it is removed");
    fs::rename(away(second), second).expect("it is moved back");
    // What has come is not asked for again.
    fs::rename(first, away(first)).expect("it is moved");
    for point in 1..=20 {
        let output = killed_at(point, pair, "b", &["session", "fetch", &reference]);
        if output.status.success() {
            assert!(point > 1, "the file is flushed before it gets its name");
            break;
        }
        assert!(
            fetched(pair) == 0 || export(pair, "b", &reference) == export(pair, "a", &reference)
        );
    }
    fs::rename(away(first), first).expect("it is moved back");
    assert_eq!(fetched(pair), 1);
    assert_eq!(all(&folder).len(), 1, "nothing half is left");
    assert!(export(pair, "b", &reference) == export(pair, "a", &reference));
}

#[test]
fn a_killed_cut_and_a_killed_fetch_go_on_and_nothing_half_is_anywhere() {
    let pair = Pair::new();
    recorded(&pair);
    is_told(&pair);
    let parts = kill_cuts(&pair);
    kill_fetches(&pair, &parts);
}

/// A recording of `a` goes into the space while its app runs, and comes to `b` as it was made.
fn on_demand(pair: &Pair) {
    let folder = pair.home("a").join("config");
    fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("config.toml");
    let text = fs::read_to_string(&path).unwrap_or_default();
    fs::write(&path, format!("{text}{ALWAYS}")).expect("the settings");
    pair.fine("a", &["server", "start"]);
    pair.init();
    pair.pair("b", "lap2");
    session(
        pair,
        &mut window(pair, "a"),
        "seq 1 40000 | sed s/^/need\"\"le-/",
    );
    until("it is in the space, and the log says so", || {
        let status = pair.json("a", &["sync", "status"]);
        status["recordings"] == 1 && status["pending"] == 0
    });
    pair.fine("b", &["sync", "now"]);
    assert_eq!((shared(pair, "b"), fetched(pair)), (1.into(), 0));
    let reference = references(pair, "b").pop().expect("a session");
    let there = export(pair, "b", &reference);
    assert!(there.contains("needle-40000"));
    assert!(there == export(pair, "a", &reference));
    assert_eq!(fetched(pair), 1);
}

#[test]
fn a_recording_goes_over_a_host_by_commands_and_by_sftp() -> Result<(), Failed> {
    for (name, server) in [("shell", ""), ("files", ONLY_SFTP)] {
        let lab = Lab::new()?;
        let _server = lab.server(name, "", server)?;
        let bag = lab.at("bag");
        let pair = use_far::pair(&lab, &place_of(name, &bag))?;
        on_demand(&pair);
        let parts = all(&bag.join("blobs"));
        assert!(parts.len() > 1, "{name}: {:?}", parts.keys());
        assert!(parts.keys().all(|name| !name.starts_with('.')));
    }
    Ok(())
}

#[test]
fn a_recording_goes_through_a_database() -> Result<(), Failed> {
    let server = Postgres::start()?;
    let mut pair = Pair::new();
    let passwords = pair.home("passwords");
    fs::write(
        &passwords,
        format!("127.0.0.1:{}:qd:owner:owner's\n", server.port),
    )?;
    fs::set_permissions(&passwords, Permissions::from_mode(0o600))?;
    pair.variables = vec![
        ("PGPASSFILE", passwords.display().to_string()),
        ("PGPASSWORD", String::new()),
    ];
    pair.place = Some(format!(
        "postgres://owner@127.0.0.1:{}/qd?bag=team-a",
        server.port
    ));
    on_demand(&pair);
    let parts = "SELECT count(*) > 1 FROM quarterdeck.object WHERE kind = 'blobs'";
    assert_eq!(server.admin("qd", parts)?, "t");
    Ok(())
}
