//! Who did what with which key, told by the program itself; and what was told and must not be known any more.

use std::process::Command;

use serde_json::Value;

use crate::support::day::Day;

fn rows(day: &Day, more: &[&str]) -> Vec<Value> {
    let words = [&["audit", "--json"], more].concat();
    day.json(&words).as_array().cloned().unwrap_or_default()
}

fn said(output: &std::process::Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_command_is_in_the_audit_with_the_key_that_let_it_in() {
    let day = Day::start(1);
    day.import();
    let ticket = day.json(&["ticket", "add", "disk full", "--json"]);
    let reference = ticket["ref"].as_str().expect("it has one");
    assert!(
        day.qd(&["exec", "-H", "web1", "--", "true"])
            .status
            .success()
    );
    let for_ticket = [
        "exec", "-H", "web1", "--ticket", reference, "--", "id", "-u",
    ];
    assert!(day.qd(&for_ticket).status.success());
    let key = Command::new("ssh-keygen")
        .args(["-l", "-f"])
        .arg(day.folder().join("id.pub"))
        .output()
        .expect("ssh-keygen is installed");
    let key = String::from_utf8_lossy(&key.stdout).into_owned();
    let fingerprint = key.split(' ').nth(1).expect("a fingerprint").to_owned();

    let logins = rows(&day, &["--action", "login", "--host", "web1"]);
    let login = logins.first().expect("somebody logged in");
    let credential = login["credential"].as_str().unwrap_or_default();
    assert!(credential.contains(&fingerprint), "{login}");
    // With a ticket and without, the command is there, and so is the key.
    let commands = rows(&day, &["--action", "command"]);
    let with: Vec<&Value> = commands
        .iter()
        .filter(|row| row["ticket"] == reference)
        .collect();
    let without: Vec<&Value> = commands
        .iter()
        .filter(|row| row["ticket"].is_null())
        .collect();
    assert!(!with.is_empty() && without.len() == 1, "{commands:?}");
    assert_eq!(without[0]["object"], "true");
    for row in &commands {
        assert_eq!(row["host"], "web1", "{row}");
        let credential = row["credential"].as_str().unwrap_or_default();
        assert!(credential.contains(&fingerprint), "{row}");
    }
    assert_eq!(
        rows(&day, &["--ticket", reference, "--limit", "1"]).len(),
        1
    );
    let bad = day.qd(&["audit", "--since", "yesterdayish"]);
    assert_eq!(bad.status.code(), Some(2), "{}", said(&bad));
    let verified = day.qd(&["audit", "--verify"]);
    assert_eq!(verified.status.code(), Some(0), "{}", said(&verified));
    assert!(
        said(&verified).contains("every hash follows"),
        "{}",
        said(&verified)
    );

    // Somebody changes the log behind everybody's back.
    let conn = rusqlite::Connection::open(day.folder().join("home/data/store.db"))
        .expect("nobody else has it open");
    conn.execute("UPDATE op SET hlc = hlc + 1 WHERE seq = 2", [])
        .expect("it can be written");
    drop(conn);
    let broken = day.qd(&["audit", "--verify"]);
    assert_eq!(broken.status.code(), Some(1), "{}", said(&broken));
    assert!(
        said(&broken).contains("at 2: operation 2 is not what was written"),
        "{}",
        said(&broken)
    );
}

#[test]
fn what_was_purged_is_found_no_more_and_what_is_not_reached_is_said() {
    let day = Day::start(0);
    let ticket = day.json(&["ticket", "add", "cannot log in", "--json"]);
    let reference = ticket["ref"].as_str().expect("it has one");
    day.json(&[
        "ticket",
        "comment",
        reference,
        "mine is hunter2zq",
        "--json",
    ]);
    assert!(said(&day.qd(&["search", "hunter2zq"])).contains(reference));
    let entries = day.json(&["ticket", "show", reference, "--json"]);
    let entry = entries["entries"][0]["id"]
        .as_str()
        .expect("a comment")
        .to_owned();
    let copy = day.folder().join("home/data/store-before-restore-1.db");
    std::fs::write(&copy, "an old copy").expect("it can be written");

    let asked = day.qd(&["purge", &entry]);
    assert_eq!(
        asked.status.code(),
        Some(2),
        "nobody said yes: {}",
        said(&asked)
    );
    let done = day.qd(&["purge", &entry, "--yes"]);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    for words in [
        "1 operations are blank",
        "store-before-restore-1.db",
        "backups, exports",
    ] {
        assert!(said(&done).contains(words), "{words}: {}", said(&done));
    }
    let nothing = day.qd(&["search", "hunter2zq"]);
    assert_eq!(nothing.status.code(), Some(1), "{}", said(&nothing));
    assert!(
        !day.json(&["ticket", "show", reference, "--json"])
            .to_string()
            .contains("hunter2zq")
    );
    assert!(rows(&day, &["--action", "purge"]).len() == 1);
    assert_eq!(day.qd(&["purge", &entry, "--yes"]).status.code(), Some(3));
    assert_eq!(day.qd(&["audit", "--verify"]).status.code(), Some(0));
    let doctor = day.qd(&["doctor"]);
    assert_eq!(doctor.status.code(), Some(0), "{}", said(&doctor));
    let sizes = day.json(&["doctor", "--size", "--json"]);
    let kinds: Vec<&str> = sizes
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|row| row["kind"].as_str())
        .collect();
    for kind in ["log", "tickets", "recordings", "free pages"] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
    // An export of today has the blank, and comes into another home as one.
    let folder = day.folder().join("out").display().to_string();
    assert!(day.qd(&["export", &folder]).status.success());
    let other = Day::start(0);
    assert!(other.qd(&["import", &folder]).status.success());
    assert_eq!(other.qd(&["audit", "--verify"]).status.code(), Some(0));
    let new = day.folder().join("salvaged.db").display().to_string();
    let salvaged = day.qd(&["doctor", "--salvage", &new]);
    assert_eq!(salvaged.status.code(), Some(0), "{}", said(&salvaged));
}

/// How often the log beside the store was flushed while `words` ran.
fn flushes(day: &Day, words: &[&str]) -> usize {
    let trace = day.folder().join("trace");
    let output = Command::new("strace")
        .args(["-f", "-qq", "-y", "-e", "trace=fsync,fdatasync", "-o"])
        .arg(&trace)
        .arg(day.program())
        .args(["--home", day.home_text()])
        .args(words)
        .output()
        .expect("strace is installed");
    assert!(output.status.success(), "{words:?}: {}", said(&output));
    let trace = std::fs::read_to_string(&trace).expect("it was written");
    let flushed = |line: &&str| line.contains("sync(") && line.contains("store.db-wal>");
    trace.lines().filter(flushed).count()
}

/// What is acknowledged is on the disk, whoever opened the store: at least one flush for each group that was committed. An app
/// has the store open all the while, so that no flush is one of the last who closes it.
#[test]
fn every_opener_flushes_before_it_acknowledges() {
    let day = Day::start(0);
    assert!(day.qd(&["server", "start"]).status.success());
    let ticket = day.json(&["ticket", "add", "one", "--json"]);
    let reference = ticket["ref"].as_str().expect("it has one");
    assert_eq!(
        flushes(&day, &["ticket", "ls"]),
        0,
        "who only reads writes nothing"
    );
    assert!(flushes(&day, &["ticket", "add", "two"]) >= 1);
    assert!(flushes(&day, &["ticket", "comment", reference, "three"]) >= 1);
    assert!(flushes(&day, &["purge", reference, "--yes"]) >= 1);
    let folder = day.folder().join("out").display().to_string();
    assert!(day.qd(&["export", &folder]).status.success());
    let other = Day::start(0);
    assert!(other.qd(&["server", "start"]).status.success());
    other.json(&["ticket", "add", "warm", "--json"]);
    assert!(flushes(&other, &["import", &folder]) >= 1);
    for day in [&day, &other] {
        assert!(day.qd(&["server", "stop", "--yes"]).status.success());
    }
}

/// The name of a copy is in its folder, which is flushed as well.
#[test]
fn a_backup_is_there_after_a_power_cut() {
    let day = Day::start(0);
    day.json(&["ticket", "add", "one", "--json"]);
    let folder = day.folder().join("copies");
    std::fs::create_dir(&folder).expect("it can be made");
    let file = folder.join("safe.db").display().to_string();
    flushes(&day, &["backup", &file]);
    let trace = std::fs::read_to_string(day.folder().join("trace")).expect("it was written");
    // The last of each: the journal of the copy flushes the folder too, before the copy has its name.
    let flushed = |end: &str| {
        let wanted = |line: &str| line.contains("sync(") && line.contains(end);
        let lines = trace.lines().enumerate();
        lines
            .filter(|(_, line)| wanted(line))
            .last()
            .map(|(at, _)| at)
    };
    let bytes = flushed(".part>").unwrap_or_else(|| unreachable!("its bytes: {trace}"));
    let name = flushed("copies>").unwrap_or_else(|| unreachable!("its name: {trace}"));
    assert!(bytes < name, "{trace}");
}
