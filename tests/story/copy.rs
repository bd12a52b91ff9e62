//! Files copied with the program as an admin does: through a bastion, for a ticket, on a terminal, interrupted.

use std::fs;
use std::process::Output;

use quarterdeck::term::Size;
use serde_json::Value;

use crate::support::day::Day;
use crate::support::pty::Terminal;

fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().unwrap_or(-1);
    (code, text(&output.stdout), text(&output.stderr))
}

#[test]
fn files_go_up_and_down_and_the_ticket_knows() {
    let day = Day::start(2);
    day.import();
    let root = day.folder().join("site");
    fs::create_dir_all(root.join("css")).expect("a folder can be made");
    let source = day.file("site/index.html", "<p>hello");
    day.file("site/css/a b.css", "p {}");
    let ticket = day.json(&["ticket", "add", "new site", "--json"]);
    let reference = ticket["ref"].as_str().expect("a reference").to_owned();

    let site = root.display().to_string();
    let (code, out, err) = said(&day.qd(&["cp", "-rp", "-T", &reference, &site, "web1:site"]));
    assert_eq!((code, out.as_str(), err.as_str()), (0, "", ""));
    let there = day.targets[0].folder.join("site");
    assert_eq!(
        fs::read_to_string(there.join("css/a b.css"))
            .ok()
            .as_deref(),
        Some("p {}")
    );

    // From one host to another, both behind the bastion.
    let report = day.json(&["cp", "--json", "web1:site/*.html", "web2:"]);
    assert_eq!(
        (&report["files"], &report["bytes"]),
        (&Value::from(1), &Value::from(8))
    );
    assert!(day.targets[1].folder.join("index.html").exists());

    let user = crate::support::day::login();
    let back = day.folder().join("back").display().to_string();
    let from = format!("{user}@web2:index.html");
    let (code, _, err) = said(&day.qd(&["cp", &from, &back]));
    assert_eq!(code, 0, "{err}");
    assert_eq!(
        fs::read_to_string(&back).ok(),
        fs::read_to_string(&source).ok()
    );

    let (code, _, err) = said(&day.qd(&[
        "cp",
        "-T",
        &reference,
        "web1:none",
        "web1:site/index.html",
        &back,
    ]));
    assert_eq!(code, 1, "several need a folder: {err}");
    let entries = day.json(&["ticket", "show", &reference, "--json"])["entries"].clone();
    let files: Vec<&Value> = entries
        .as_array()
        .into_iter()
        .flatten()
        .filter(|entry| entry["kind"] == "file")
        .collect();
    assert_eq!(files.len(), 2, "{entries}");
    let whole = files
        .iter()
        .find(|entry| entry["data"]["exit"] == 0)
        .expect("one went well");
    assert!(
        whole["text"]
            .as_str()
            .is_some_and(|text| text.starts_with("copied ")),
        "{whole}"
    );
    assert_eq!(
        (&whole["data"]["files"], &whole["data"]["bytes"]),
        (&Value::from(2), &Value::from(12))
    );
    assert_eq!(
        (&whole["host"], &whole["data"]["to"]),
        (&Value::from("web1"), &Value::from("web1:site"))
    );
}

#[test]
fn what_goes_wrong_has_words_and_a_status() {
    let day = Day::start(1);
    day.import();
    let file = day.file("x", "x");
    let config = day.file("gone", "Host gone\n  HostName 127.0.0.1\n  Port 1\n");
    assert!(
        day.qd(&["host", "import", "--from", "ssh-config", &config])
            .status
            .success()
    );
    for (words, code, part) in [
        (
            vec!["cp", "web1:none", "/tmp"],
            1,
            "web1:none: there is no such file",
        ),
        (vec!["cp", &file, "gone:x"], 255, "gone"),
        (vec!["cp", &file], 2, "destination is missing"),
        (vec!["cp", "--read-only", &file, "web1:x"], 2, "--read-only"),
        (vec!["cp", "-T", "T-0000", &file, "web1:x"], 3, "T-0000"),
        (vec!["cp", &file, "sftp://web1:22/x"], 2, "ssh_config"),
    ] {
        let (found, _, err) = said(&day.qd(&words));
        assert_eq!(found, code, "{words:?}: {err}");
        assert!(err.contains(part), "{words:?}: {err}");
    }
    let (code, out, _) = said(&day.qd(&["cp", "--jsonl", &file, "web1:none/", "web1:y"]));
    let last: Value =
        serde_json::from_str(out.lines().last().unwrap_or_default()).unwrap_or_default();
    assert_eq!(
        (code, &last["event"]),
        (1, &Value::from("copy.finished")),
        "{out}"
    );
}

#[test]
fn a_terminal_shows_how_far_it_is_and_ctrl_c_leaves_what_can_be_gone_on_with() {
    let day = Day::start(1);
    day.import();
    // A file with a hole takes no room at its source.
    let big = day.targets[0].folder.join("big");
    let made = fs::File::create(&big).and_then(|file| file.set_len(4 << 30));
    made.expect("a file can be made");
    let to = day.folder().join("big").display().to_string();
    let words = ["--home", day.home_text(), "cp", "web1:big", &to];
    let size = Size { cols: 70, rows: 10 };
    let mut terminal = Terminal::start(day.program(), &words, &[], size);
    let screen = terminal.until("it moves", |screen| {
        screen.contains("MiB/s") && screen.contains("of 4.0 GiB")
    });
    let shown = screen.lines().filter(|line| line.contains("MiB/s")).count();
    assert_eq!(shown, 1, "{screen}");
    terminal.keys("\u{3}");
    let status = terminal.end();
    assert_eq!(status.exit_code(), 130, "{}", terminal.screen());
    assert!(
        terminal.screen().contains("--resume"),
        "{}",
        terminal.screen()
    );
    assert!(!day.folder().join("big").exists());
    let part = day.folder().join(".big.qd-part");
    assert!(fs::metadata(&part).is_ok_and(|part| part.len() > 0));
    // The source is made shorter than it was, so that going on with it takes no time; what was copied is a part of it.
    let len = fs::metadata(&part).map(|part| part.len()).unwrap_or(0);
    let cut = fs::OpenOptions::new()
        .write(true)
        .open(&big)
        .and_then(|file| {
            file.set_len(len + 1000)?;
            file.set_modified(std::time::SystemTime::UNIX_EPOCH)
        });
    cut.expect("a file can be cut");
    let report = day.json(&["cp", "--json", "--resume", "web1:big", &to]);
    assert_eq!(
        (&report["resumed"], &report["bytes"]),
        (&Value::from(len), &Value::from(1000))
    );
}
