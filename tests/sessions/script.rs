//! Sessions driven by scripts: opened, typed into, waited for, looked at, closed; and what each says when it cannot.

use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use serde_json::Value;

use crate::support::day::{Day, run};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn complained(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A day with one host and a session on it; its reference.
pub(super) fn opened() -> (Day, String) {
    let day = Day::start(1);
    day.import();
    let output = day.qd(&["session", "open", "web1", "--detach"]);
    assert!(output.status.success(), "{output:?}");
    let reference = said(&output).trim().to_owned();
    assert!(reference.starts_with("S-"), "{reference}");
    (day, reference)
}

/// Types a line and waits until a pattern is shown.
pub(super) fn typed(day: &Day, reference: &str, line: &str, shows: &str) {
    let sent = day.qd(&["session", "send", reference, line, "--enter"]);
    assert!(sent.status.success(), "{sent:?}");
    let seen = day.qd(&[
        "session",
        "wait",
        reference,
        "--for",
        shows,
        "--timeout",
        "20",
    ]);
    assert!(seen.status.success(), "{line}: {seen:?}");
}

#[test]
fn the_example_of_the_guide_works_as_it_is_written() {
    let day = Day::start(1);
    day.import();
    let guide = include_str!("../../docs/user-guide/sessions.md");
    let (_, rest) = guide
        .split_once("## For scripts")
        .expect("the section is there");
    let (_, rest) = rest.split_once("```sh\n").expect("it has an example");
    let (example, _) = rest.split_once("```").expect("it ends");
    let bin = day.folder().join("bin");
    std::fs::create_dir(&bin).expect("a folder can be made");
    let wrapper = format!(
        "#!/bin/sh\nexec '{}' --home '{}' \"$@\"\n",
        day.program().display(),
        day.home_text()
    );
    std::fs::write(bin.join("qd"), wrapper).expect("a file can be written");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(bin.join("qd"), mode).expect("it can be made executable");
    let path = format!(
        "{}:{}",
        bin.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let mut command = std::process::Command::new("sh");
    command.args(["-e", "-c", example]).env("PATH", path);
    let output = run(command, b"");
    assert!(output.status.success(), "{output:?}");
    assert!(said(&output).contains("up for"), "{}", said(&output));
}

#[test]
fn a_session_is_typed_into_looked_at_and_waited_for() {
    let (day, reference) = opened();
    let reference = reference.as_str();
    // Literal, line breaks and all; a reference in small letters is the same.
    let small = reference.to_lowercase();
    let text = b"echo one-$((1+1))\necho two-$((2+2))\n";
    let sent = day.qd_with_stdin(&["session", "send", &small, "-"], text);
    assert!(sent.status.success() && sent.stdout.is_empty(), "{sent:?}");
    let seen = day.qd(&[
        "session",
        "wait",
        reference,
        "--for",
        "^two-4",
        "--timeout",
        "20",
    ]);
    assert_eq!(said(&seen).trim(), "two-4", "{seen:?}");
    // What is on the screen already counts.
    let again = day.qd(&[
        "session",
        "wait",
        reference,
        "--for",
        "one-2",
        "--timeout",
        "20",
    ]);
    assert!(again.status.success(), "{again:?}");
    let shown = day.qd(&["session", "capture", reference]);
    assert!(said(&shown).contains("one-2\n"), "{shown:?}");
    typed(
        &day,
        reference,
        "printf '\\033[31mred\\033[0m\\n'; seq 100 140",
        "140",
    );
    let scrolled = day.qd(&["session", "capture", reference, "--scrollback"]);
    assert!(said(&scrolled).contains("one-2") && said(&scrolled).contains("\n140\n"));
    let visible = said(&day.qd(&["session", "capture", reference]));
    assert!(
        !visible.contains("one-2") && visible.contains("140"),
        "{visible}"
    );
    typed(
        &day,
        reference,
        "clear; printf '\\033[31mre''d\\033[0m\\n'",
        "^red",
    );
    let plain = said(&day.qd(&["session", "capture", reference]));
    let ansi = said(&day.qd(&["session", "capture", reference, "--ansi"]));
    assert!(
        !plain.contains('\u{1b}') && ansi.contains("\u{1b}[0;31mred\u{1b}[0m"),
        "{ansi:?}"
    );
    let json = day.json(&["session", "capture", reference, "--json"]);
    assert_eq!(
        (&json["ref"], &json["cols"]),
        (&Value::from(reference), &Value::from(80))
    );
    assert!(
        json["cursor"][0].is_u64() && json["text"].is_string(),
        "{json}"
    );
    // Keys are what the program wants them to be: Ctrl-C ends the sleep.
    let sent = day.qd(&["session", "send", reference, "sleep 600", "--enter"]);
    assert!(sent.status.success());
    let sent = day.qd(&["session", "send", reference, "--key", "C-c"]);
    assert!(sent.status.success(), "{sent:?}");
    typed(&day, reference, "echo awake-$((3+4))", "awake-7");
    let rows = day.json(&["session", "ls", "--json"]);
    let row = &rows[0];
    assert_eq!(
        (&row["ref"], &row["state"]),
        (&Value::from(reference), &Value::from("live"))
    );
    assert_eq!(
        (&row["size"]["cols"], &row["tab"]),
        (&Value::from(80), &Value::from(0))
    );
    assert_eq!(row["recorded"], Value::from(true), "{row}");
    // Its end is waited for, and is what it says.
    let sent = day.qd(&["session", "send", reference, "exit 7", "--enter"]);
    assert!(sent.status.success());
    let ended = day.qd(&["session", "wait", reference, "--timeout", "20"]);
    assert_eq!(ended.status.code(), Some(7), "{ended:?}");
    // Its pane can still be looked at.
    let shown = day.qd(&["session", "capture", reference]);
    assert!(said(&shown).contains("awake-7"), "{shown:?}");
    let again = day.qd(&["session", "wait", reference]);
    assert_eq!(again.status.code(), Some(7), "{again:?}");
    let late = day.qd(&["session", "send", reference, "x"]);
    assert_eq!(late.status.code(), Some(1), "{late:?}");
    assert!(complained(&late).contains("has ended"), "{late:?}");
}

#[test]
fn what_cannot_be_done_is_said_with_its_exit_status() {
    let day = Day::start(1);
    day.import();
    let status = |args: &[&str]| {
        let output = day.qd(args);
        (output.status.code(), complained(&output))
    };
    for args in [
        &["session", "send", "S-0000", "x"][..],
        &["session", "capture", "S-0000"],
        &["session", "wait", "S-0000", "--for", "x"],
        &["session", "close", "S-0000"],
    ] {
        let (code, words) = status(args);
        assert_eq!(code, Some(3), "{args:?}: {words}");
        assert!(words.contains("no app runs"), "{words}");
    }
    let opened = day.json(&["session", "open", "web1", "--detach", "--json"]);
    let reference = opened["ref"].as_str().expect("a reference").to_owned();
    assert_eq!(opened["host"], Value::from("web1"));
    let reference = reference.as_str();
    for (args, code, says) in [
        (&["session", "send", "S-0000", "x"][..], 3, "no session"),
        (&["session", "attach", "S-0000"], 3, "no session"),
        (&["session", "capture", "S-0000"], 3, "no session"),
        (&["session", "replay", "S-0000"], 3, "no session"),
        (&["session", "export", "S-0000"], 3, "no session"),
        (
            &["session", "wait", reference, "--for", "("],
            2,
            "regular expression",
        ),
        (&["session", "send", reference], 2, "missing"),
        (
            &["session", "send", reference, "--key", "Hyper-x"],
            2,
            "key",
        ),
        (
            &[
                "session",
                "wait",
                reference,
                "--for",
                "never shown",
                "--timeout",
                "1",
            ],
            124,
            "in time",
        ),
    ] {
        let (got, words) = status(args);
        assert_eq!(got, Some(code), "{args:?}: {words}");
        assert!(words.contains(says), "{args:?}: {words}");
    }
    let closed = day.qd(&["session", "close", reference]);
    assert!(closed.status.success(), "{closed:?}");
    let (code, words) = status(&["session", "close", reference]);
    assert_eq!(code, Some(1), "{words}");
    let (code, words) = status(&["session", "wait", reference, "--for", "never shown"]);
    assert_eq!(code, Some(1), "{words}");
    let (code, words) = status(&["session", "open", "no-such-host.invalid", "--detach"]);
    assert_eq!(code, Some(255), "{words}");
}

#[test]
fn a_window_is_opened_on_the_session_that_is_meant() {
    use crate::support::pty::Terminal;
    use quarterdeck::term::Size;
    let (day, reference) = opened();
    typed(&day, &reference, "echo here-$((4+4))", "here-8");
    let size = Size { cols: 80, rows: 24 };
    let args = ["--home", day.home_text(), "session", "attach", &reference];
    let mut window = Terminal::start(day.program(), &args, &[], size);
    window.until_shows("here-8");
    drop(window);
    // Without --detach the window comes by itself.
    let args = ["--home", day.home_text(), "session", "open", "web1"];
    let mut window = Terminal::start(day.program(), &args, &[], size);
    window.until("the pane is there", |screen| {
        screen.contains("recording") && screen.contains("web1")
    });
    window.keys("echo seen-$((5+5))\r");
    window.until_shows("seen-10");
    window.keys("\u{1d}d:q\r");
    assert!(window.end().success());
    let rows = day.json(&["session", "ls", "--json"]);
    let live = rows
        .as_array()
        .map(|rows| rows.iter().filter(|row| row["state"] == "live").count());
    assert_eq!(live, Some(2), "{rows}");
}
