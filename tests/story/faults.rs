//! Bad input: each a clear message, the right exit status, and no loss.

use std::os::unix::fs::PermissionsExt;

use crate::support::day::{Day, known_hosts_line, run};

/// Runs the program and returns its exit status and what it said on standard error.
fn told(day: &Day, args: &[&str]) -> (i32, String) {
    let output = day.qd(args);
    (
        output.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[test]
fn a_broken_line_in_the_config_is_named_and_the_rest_is_imported() {
    let day = Day::start(1);
    let config = day.file(
        "broken",
        &format!(
            "Include {}\nHost odd\n  HostName \"127.0.0.9\n",
            day.config_text()
        ),
    );
    let report = day.json(&["host", "import", "--from", "ssh-config", &config, "--json"]);
    let warning = report["warnings"].to_string();
    assert!(
        warning.contains("broken") && warning.contains("\"line\":3"),
        "{warning}"
    );
    assert!(report["added"].to_string().contains("web1"), "{report}");
    // ssh refuses the whole file; so do we, with its own words.
    let (exit, why) = told(&day, &["ssh", "odd", "--", "true"]);
    assert_eq!(exit, 255, "{why}");
    assert!(why.contains("broken"), "{why}");
}

#[test]
fn a_jump_loop_is_refused_and_the_chain_is_named() {
    let day = Day::start(1);
    let config = day.file("loop", "Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n");
    assert!(
        day.qd(&["host", "import", "--from", "ssh-config", &config])
            .status
            .success()
    );
    let (exit, why) = told(&day, &["ssh", "a", "--", "true"]);
    assert_eq!(exit, 255);
    assert!(
        why.contains("loop") && why.contains('a') && why.contains('b'),
        "{why}"
    );
}

#[test]
fn an_unreachable_host_says_why_and_is_on_the_ticket() {
    let day = Day::start(1);
    // The port was free a moment ago and nobody listens there now.
    let port = std::net::TcpListener::bind("127.0.0.4:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port is free")
        .port();
    let config = day.file(
        "gone",
        &format!("Host gone\n  HostName 127.0.0.4\n  Port {port}\n"),
    );
    assert!(
        day.qd(&["host", "import", "--from", "ssh-config", &config])
            .status
            .success()
    );
    let ticket = day.json(&["ticket", "add", "it is gone", "--json"]);
    let reference = ticket["ref"].as_str().expect("a reference").to_owned();
    let (exit, why) = told(&day, &["ssh", "gone", "--ticket", &reference, "--", "true"]);
    assert_eq!(exit, 255);
    assert!(
        why.contains("gone") && why.to_lowercase().contains("refused"),
        "{why}"
    );
    let ticket = day.json(&["ticket", "show", &reference, "--json"]);
    assert_eq!(ticket["entries"][0]["data"]["exit"], 255, "{ticket}");
    let health = day.qd(&["health", "-H", "gone", "--json"]);
    assert_eq!(health.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&health.stdout).contains("unreachable"));
}

#[test]
fn a_changed_host_key_is_refused_with_both_fingerprints() {
    let day = Day::start(1);
    day.import();
    assert!(day.qd(&["ssh", "web1", "--", "true"]).status.success());
    let known = day.folder().join("known_hosts");
    let before = std::fs::read_to_string(&known).expect("known_hosts can be read");
    let (bastion, target) = (
        known_hosts_line(&day.bastion),
        known_hosts_line(&day.targets[0]),
    );
    let stranger = target
        .split_whitespace()
        .next()
        .map(|name| {
            bastion.replacen(
                bastion.split_whitespace().next().unwrap_or_default(),
                name,
                1,
            )
        })
        .expect("a line has a name");
    let changed = before.replace(&target, &stranger);
    assert_ne!(before, changed);
    std::fs::write(&known, &changed).expect("known_hosts can be written");
    let (exit, why) = told(&day, &["ssh", "web1", "--", "true"]);
    assert_eq!(exit, 255);
    assert_eq!(why.matches("SHA256:").count(), 2, "{why}");
    assert!(why.contains("known_hosts"), "{why}");
    assert_eq!(
        std::fs::read_to_string(&known).expect("known_hosts can be read"),
        changed,
        "nothing was written"
    );
}

#[test]
fn an_unknown_host_key_is_refused_when_nobody_can_be_asked() {
    let day = Day::start(1);
    day.import();
    let known = day.folder().join("known_hosts");
    std::fs::write(&known, "").expect("known_hosts can be written");
    // A session of its own has no terminal to ask at.
    let mut command = std::process::Command::new("setsid");
    command.arg("--wait").arg(day.program()).args([
        "--home",
        day.home_text(),
        "ssh",
        "web1",
        "--",
        "true",
    ]);
    let output = run(command, b"");
    let why = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(255), "{why}");
    assert!(why.contains("SHA256:"), "{why}");
    assert_eq!(
        std::fs::read_to_string(&known).expect("known_hosts can be read"),
        "",
        "nothing was written"
    );
}

#[test]
fn an_unclosed_fence_is_reported_with_its_place_and_nothing_runs() {
    let day = Day::start(1);
    day.import();
    let book = day.file("open.md", "# Open\n\n```sh { name=x }\ntouch /tmp/never\n");
    for words in [
        vec!["runbook", "check", &book],
        vec!["run", "start", &book, "-H", "web1"],
    ] {
        let output = day.qd(&words);
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(output.status.code(), Some(2), "{words:?}: {said}");
        assert!(said.contains("open.md:3:1"), "{words:?}: {said}");
    }
    assert_eq!(
        day.json(&["run", "ls", "--json"]).as_array().map(Vec::len),
        Some(0)
    );
}

#[test]
fn names_and_titles_with_escapes_are_shown_harmless() {
    let day = Day::start(1);
    let title = "evil \x1b]0;owned\x07\x1b[2J title";
    let made = day.qd(&["ticket", "add", title]);
    assert!(made.status.success());
    for words in [vec!["ticket", "ls"], vec!["ticket", "show", "T-"]] {
        let output = day.qd(&words);
        assert!(
            !output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b),
            "{words:?}"
        );
    }
    let config = day.file("evil", "Host ok \x1b[31mevil\n  HostName 127.0.0.1\n");
    let report = day.qd(&["host", "import", "--from", "ssh-config", &config]);
    assert!(!report.stdout.contains(&0x1b) && !report.stderr.contains(&0x1b));
    let hosts = day.json(&["host", "ls", "--json"]);
    assert_eq!(hosts.as_array().map(Vec::len), Some(1), "{hosts}");
    // JSON keeps what was written, escaped.
    let tickets = day.json(&["ticket", "ls", "--json"]);
    assert_eq!(tickets[0]["title"], title);
}

#[test]
fn a_home_that_cannot_be_written_is_refused_in_words() {
    let day = Day::start(0);
    let home = day.file("no-folder", "a file where a folder should be");
    let output = run(
        {
            let mut command = std::process::Command::new(day.program());
            command.args(["--home", &home, "ticket", "ls"]);
            command
        },
        b"",
    );
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2), "{output:?}");
    assert!(why.contains("no-folder") && why.contains("--home"), "{why}");
}

#[test]
fn a_store_of_a_newer_version_or_of_somebody_else_is_refused_and_untouched() {
    let day = Day::start(0);
    let ticket = day.json(&["ticket", "add", "keep me", "--json"]);
    let data = std::path::Path::new(day.home_text()).join("data");
    let other = day.folder().join("other/data");
    std::fs::create_dir_all(&other).expect("a folder can be made");
    std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o700))
        .expect("its mode can be set");
    std::fs::write(
        other.join("store.db"),
        b"this is a letter to my aunt, and no database at all; leave it alone",
    )
    .expect("a file can be made");
    let mut command = std::process::Command::new(day.program());
    command.args([
        "--home",
        &day.folder().join("other").display().to_string(),
        "ticket",
        "ls",
    ]);
    let output = run(command, b"");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let letter = std::fs::read(other.join("store.db")).expect("the letter is there");
    assert!(letter.starts_with(b"this is a letter"));
    assert!(data.join("store.db").exists() && ticket["ref"].is_string());
}

#[test]
fn a_write_that_fails_loses_nothing_that_was_acknowledged() {
    let day = Day::start(0);
    let ticket = day.json(&["ticket", "add", "before the flood", "--json"]);
    let reference = ticket["ref"].as_str().expect("a reference");
    // A limit on the size of files: every write beyond it fails, as it does on a broken disk.
    let script = format!(
        "trap '' XFSZ; ulimit -f 400; exec {} --home {} ticket comment {reference} -",
        day.program().display(),
        day.home_text()
    );
    let mut command = std::process::Command::new("bash");
    command.args(["-c", &script]);
    let output = run(command, "x".repeat(1 << 20).as_bytes());
    let why = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{why}");
    assert!(
        why.contains("store.db") && why.contains("check the disk"),
        "{why}"
    );
    let kept = day.json(&["ticket", "show", reference, "--json"]);
    assert_eq!(
        (
            kept["title"].as_str(),
            kept["entries"].as_array().map(Vec::len)
        ),
        (Some("before the flood"), Some(0))
    );
    assert!(day.qd(&["doctor"]).status.success());
}

/// A small disk of its own, in a mount namespace that ends with the script.
const FLOOD: &str = r#"
mount -t tmpfs -o size=2m tmpfs "$DISK" || exit 77
"$QD" --home "$DISK/h" ticket add before the flood >/dev/null || exit 10
dd if=/dev/zero of="$DISK/fill" bs=4k 2>/dev/null
head -c 500000 /dev/zero | tr '\0' x | "$QD" --home "$DISK/h" ticket comment "$("$QD" --home "$DISK/h" ticket ls | cut -f1)" - && exit 11
rm "$DISK/fill"
"$QD" --home "$DISK/h" ticket ls
"$QD" --home "$DISK/h" doctor >/dev/null || exit 12
"#;

#[test]
fn a_full_disk_says_so_and_loses_nothing_that_was_acknowledged() {
    let day = Day::start(0);
    let disk = day.folder().join("disk");
    std::fs::create_dir(&disk).expect("a folder can be made");
    let mut command = std::process::Command::new("unshare");
    command
        .args(["--map-root-user", "--mount", "sh", "-c", FLOOD])
        .env("DISK", &disk)
        .env("QD", day.program());
    let output = run(command, b"");
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    if output.status.code() == Some(77) || err.contains("unshare failed") {
        // Where no disk may be mounted, the test before this one stands alone.
        return;
    }
    assert_eq!(output.status.code(), Some(0), "{out}{err}");
    assert!(out.contains("before the flood"), "{out}");
    assert!(err.contains("full"), "{err}");
}

#[test]
fn tags_come_and_go_and_patterns_go_by_them() {
    let day = Day::start(2);
    day.import();
    let tagged = |pattern: &str| {
        let hosts = day.json(&["host", "ls", "-H", pattern, "--json"]);
        let rows = hosts.as_array().cloned().unwrap_or_default();
        let names = rows.iter().map(|row| row["name"].to_string());
        names.collect::<Vec<_>>().join(" ")
    };
    assert!(
        day.qd(&["host", "tag", "web1", "prod", "shop"])
            .status
            .success()
    );
    assert_eq!(tagged("tag=prod"), "\"web1\"");
    assert!(
        day.qd(&["host", "tag", "web*", "prod-", "spare"])
            .status
            .success()
    );
    let (exit, _) = told(&day, &["host", "ls", "-H", "tag=prod"]);
    assert_eq!(exit, 2, "nobody has it any more");
    assert_eq!(tagged("tag=spare"), "\"web1\" \"web2\"");
    assert_eq!(tagged("tag=shop"), "\"web1\"");
    // Nothing to change is no mistake, and writes nothing.
    let again = day.qd(&["host", "tag", "web*", "spare"]);
    assert!(String::from_utf8_lossy(&again.stdout).contains("as wanted"));
    let (exit, why) = told(&day, &["host", "tag", "web1", "a b;c"]);
    assert_eq!(exit, 2, "{why}");
    assert!(why.contains("no tag"), "{why}");
    let (exit, why) = told(&day, &["host", "tag", "nowhere", "x"]);
    assert_eq!(exit, 2, "{why}");
}
