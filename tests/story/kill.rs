//! `kill -9` at every journal point of a run of three hosts and three steps.
//!
//! The kernel's flush is the journal point: strace kills the process as its n-th flush begins, for every n until the run
//! gets through. So every point is met, and the program needs no switch for it.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::day::Day;

const BOOK: &str = "# Three steps\n\n```sh { name=one }\necho \"one $SSH_CONNECTION\" >> {{ log }}\n```\n\n```sh { name=two }\necho \"two $SSH_CONNECTION\" >> {{ log }}\n```\n\n```sh { name=three }\necho \"three $SSH_CONNECTION\" >> {{ log }}\n```\n";

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_repeated() {
    let day = Day::start(3);
    day.import();
    let book = day.file("three.md", BOOK);
    for point in 1..=200 {
        let log = day.file(&format!("log-{point}"), "");
        if !one_run(&day, &book, &log, point) {
            assert!(
                point > 5,
                "a run of nine steps has more than {point} journal points"
            );
            return;
        }
    }
    unreachable!("the run never got through");
}

/// Runs the book, killed as its `point`-th flush begins. Says whether it was killed.
fn one_run(day: &Day, book: &str, log: &str, point: u32) -> bool {
    let param = format!("log={log}");
    let words = ["run", "start", book, "-H", "web*", "-p", &param, "--jsonl"];
    let output = Command::new("strace")
        .args([
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            "trace=fsync,fdatasync",
            "-e",
        ])
        .arg(format!("inject=fsync,fdatasync:signal=KILL:when={point}"))
        .arg(day.program())
        .args(["--home", day.home_text()])
        .args(words)
        .stdin(Stdio::null())
        .output()
        .expect("strace is installed");
    let events: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    if output.status.success() {
        assert_eq!(
            events
                .iter()
                .filter(|event| event["event"] == "step.finished")
                .count(),
            9
        );
        return false;
    }
    check(day, &events, log, point);
    true
}

/// What a second process finds after the first was killed.
fn check(day: &Day, events: &[Value], log: &str, point: u32) {
    let Some(reference) = events
        .iter()
        .find(|event| event["event"] == "run.started")
        .and_then(|event| event["run"].as_str())
    else {
        let done = std::fs::read_to_string(log).expect("the log can be read");
        assert!(
            done.is_empty(),
            "point {point}: something ran before the run was journalled: {done}"
        );
        return;
    };
    // What was sent before the end may still arrive on a host, but only what was announced, and only once.
    // Looking twice shows that looking repeats nothing.
    let first = day.json(&["run", "show", reference, "--json"]);
    let run = day.json(&["run", "show", reference, "--json"]);
    assert_eq!(first, run, "point {point}");
    let done = std::fs::read_to_string(log).expect("the log can be read");
    let mut times: BTreeMap<&str, u32> = BTreeMap::new();
    done.lines()
        .for_each(|line| *times.entry(line).or_default() += 1);
    assert!(
        times.values().all(|count| *count == 1),
        "point {point}: a step was repeated: {times:?}"
    );
    let cells: Vec<&Value> = run["cells"]
        .as_array()
        .expect("a run has cells")
        .iter()
        .collect();
    let cell = |event: &Value| {
        cells
            .iter()
            .find(|cell| cell["host"] == event["host"] && cell["step"] == event["step"])
            .copied()
    };
    for event in events {
        match event["event"].as_str() {
            Some("step.started") => assert!(
                cell(event).is_some(),
                "point {point}: {event} is not in the store"
            ),
            Some("step.finished") => {
                let kept = cell(event)
                    .unwrap_or_else(|| unreachable!("point {point}: {event} is not in the store"));
                assert_eq!(
                    (&kept["state"], &kept["exit"]),
                    (&event["state"], &event["exit"]),
                    "point {point}"
                );
            }
            _ => {}
        }
    }
    let over = events.iter().any(|event| event["event"] == "run.finished");
    if !over {
        // The last batch may be durable though nobody was told.
        assert!(
            run["state"] == "unknown" || run["state"] == "ok",
            "point {point}: the run is {}",
            run["state"]
        );
    }
    assert!(
        cells.iter().all(|cell| cell["state"] != "running"),
        "point {point}: a dead owner runs nothing"
    );
    // What ran was announced before: every line of the log has a cell that was begun.
    assert!(
        times.len() <= cells.len(),
        "point {point}: {} steps ran and {} were announced",
        times.len(),
        cells.len()
    );
}
