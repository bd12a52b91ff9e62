//! What happens at a person's hands: questions, Ctrl-C, terminals as standard input, and honest ends.

use std::process::Command;

use quarterdeck::term::Size;

use crate::support::day::Day;
use crate::support::pty::Terminal;

const SIZE: Size = Size {
    cols: 100,
    rows: 30,
};

fn at_a_terminal(day: &Day, args: &[&str]) -> Terminal {
    let mut all = vec!["--home", day.home_text()];
    all.extend(args);
    Terminal::start(day.program(), &all, &[], SIZE)
}

#[test]
fn a_command_at_a_terminal_ends_when_the_remote_does() {
    let day = Day::start(1);
    day.import();
    let mut terminal = at_a_terminal(&day, &["ssh", "web1", "--", "echo said; exit 3"]);
    terminal.until_shows("said");
    assert_eq!(terminal.end().exit_code(), 3);
}

#[test]
fn an_answer_to_a_question_never_reaches_the_host() {
    let day = Day::start(1);
    day.import();
    std::fs::write(day.folder().join("known_hosts"), "").expect("known_hosts can be written");
    let got = day.file("got", "");
    let mut terminal = at_a_terminal(
        &day,
        &["ssh", "web1", "--", &format!("cat > {got}; echo written")],
    );
    for _ in 0..2 {
        // The bastion's key first, then the target's.
        terminal.until_shows("yes/no/fingerprint");
        terminal.keys("yes\r");
        terminal.until("the answer is taken", |screen| {
            !screen.trim_end().ends_with("(yes/no/fingerprint)")
        });
    }
    terminal.keys("for the host\r\x04");
    terminal.until_shows("written");
    assert!(terminal.end().success());
    assert_eq!(
        std::fs::read_to_string(got).expect("the file is there"),
        "for the host\n"
    );
    let known =
        std::fs::read_to_string(day.folder().join("known_hosts")).expect("known_hosts can be read");
    assert_eq!(known.lines().count(), 2, "{known}");
}

#[test]
fn ctrl_c_at_a_question_ends_the_wait() {
    let day = Day::start(1);
    day.import();
    std::fs::write(day.folder().join("known_hosts"), "").expect("known_hosts can be written");
    let mut terminal = at_a_terminal(&day, &["exec", "-H", "web1", "--", "true"]);
    let before = terminal.settings();
    terminal.until_shows("yes/no/fingerprint");
    terminal.keys("\x03");
    terminal.until_shows("again cuts it off");
    terminal.keys("\x03");
    assert!(!terminal.end().success());
    assert_eq!(terminal.settings(), before);
}

#[test]
fn a_failed_run_fails_and_a_missing_host_is_its_own_status() {
    let day = Day::start(1);
    day.import();
    let book = day.file("fails.md", "# Fails\n\n```sh { name=no }\nexit 7\n```\n");
    assert_eq!(
        day.qd(&["run", "start", &book, "-H", "web1"]).status.code(),
        Some(1)
    );
    let config = day.file("gone", "Host gone\n  HostName 127.0.0.1\n  Port 1\n");
    assert!(
        day.qd(&["host", "import", "--from", "ssh-config", &config])
            .status
            .success()
    );
    assert_eq!(
        day.qd(&["run", "start", &book, "-H", "gone"]).status.code(),
        Some(255)
    );
    assert_eq!(day.qd(&["run", "ls"]).status.code(), Some(0));
}

#[test]
fn read_only_refuses_in_words() {
    let day = Day::start(1);
    day.import();
    for words in [
        vec!["health"],
        vec!["ticket", "add", "x"],
        vec!["ssh", "web1", "--", "true"],
    ] {
        let mut all = vec!["--read-only"];
        all.extend(&words);
        let output = day.qd(&all);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{words:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("--read-only"),
            "{words:?}"
        );
    }
    assert!(day.qd(&["--read-only", "host", "ls"]).status.success());
}

#[test]
fn a_local_step_that_is_cut_off_leaves_nobody_behind() {
    let day = Day::start(1);
    day.import();
    let mark = format!("41{}", std::process::id());
    let book = day.file("slow.md", &format!("# Slow\n\n```sh {{ name=slow on=local timeout=1s }}\nsleep {mark} & sleep {mark}\n```\n"));
    let output = day.qd(&["run", "start", &book, "-H", "web1", "--jsonl"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("\"exit\":124"),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    let left = Command::new("pgrep")
        .args(["-f", &format!("sleep {mark}")])
        .output()
        .expect("pgrep runs");
    assert!(
        left.stdout.is_empty(),
        "{}",
        String::from_utf8_lossy(&left.stdout)
    );
}

#[test]
fn a_stopped_fan_out_says_on_the_ticket_who_never_had_a_turn() {
    let day = Day::start(2);
    day.import();
    let ticket = day.json(&["ticket", "add", "stop me", "--json"]);
    let reference = ticket["ref"].as_str().expect("a reference").to_owned();
    let pipe = day.folder().join("pipe").display().to_string();
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .is_ok_and(|status| status.success())
    );
    let command = format!("echo begun; read x < {pipe}");
    let mut terminal = at_a_terminal(
        &day,
        &[
            "exec", "-H", "web*", "-f", "1", "--ticket", &reference, "--", &command,
        ],
    );
    terminal.until_shows("begun");
    terminal.keys("\x03");
    terminal.until_shows("stopping");
    std::fs::write(&pipe, "go\n").expect("the pipe can be written");
    assert_eq!(terminal.end().exit_code(), 1);
    let ticket = day.json(&["ticket", "show", &reference, "--json"]);
    let texts: Vec<&str> = ticket["entries"]
        .as_array()
        .expect("entries")
        .iter()
        .filter_map(|entry| entry["text"].as_str())
        .collect();
    assert_eq!(
        texts
            .iter()
            .filter(|text| text.starts_with("ran ") && text.ends_with("on web1"))
            .count(),
        1,
        "{texts:?}"
    );
    assert_eq!(
        texts
            .iter()
            .filter(|text| text.starts_with("did not run "))
            .count(),
        1,
        "{texts:?}"
    );
}

#[test]
fn secrets_are_masked_to_the_last_byte_of_a_stream() {
    let day = Day::start(1);
    day.import();
    let front = "---\nparams:\n  - {name: word, type: secret}\n---\n";
    let book = day.file("secret.md", &format!("{front}# Secret\n\n```sh {{ name=say }}\nprintf '%s' {{{{ word }}}}; printf ' OK-12345'\n```\n"));
    let output = day.qd(&[
        "run",
        "start",
        &book,
        "-H",
        "web1",
        "-p",
        "word=hunter2hunter2",
        "--jsonl",
    ]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(!said.contains("hunter2"), "{said}");
    let data: String = said
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|event| event["data"].as_str().map(str::to_owned))
        .collect();
    assert!(data.ends_with(" OK-12345"), "{data}");
    let run = day.json(&["run", "ls", "--json"]);
    let shown = day
        .json(&[
            "run",
            "show",
            run[0]["ref"].as_str().expect("a reference"),
            "--json",
        ])
        .to_string();
    assert!(
        !shown.contains("hunter2") && shown.contains("OK-12345"),
        "{shown}"
    );
}
