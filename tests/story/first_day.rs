//! Import, list, connect through the bastion, run on three hosts, and find it all on the ticket.

use serde_json::Value;

use crate::support::day::Day;

const BOOK: &str = "# Look around\n\n```sh { name=kernel }\nuname -s\n```\n\n```sh { name=greet }\nprintf '%s\\n' {{ word }}\n```\n";

#[test]
fn import_list_ssh_run_and_the_ticket_has_it_all() {
    let day = Day::start(3);
    let report = day.json(&[
        "host",
        "import",
        "--from",
        "ssh-config",
        day.config_text(),
        "--json",
    ]);
    assert_eq!(
        report["added"].as_array().map(Vec::len),
        Some(4),
        "{report}"
    );
    let again = day.json(&[
        "host",
        "import",
        "--from",
        "ssh-config",
        day.config_text(),
        "--json",
    ]);
    assert_eq!(
        (
            again["added"].as_array().map(Vec::len),
            again["unchanged"].as_u64()
        ),
        (Some(0), Some(4)),
        "{again}"
    );

    let hosts = day.json(&["host", "ls", "--json"]);
    let web1 = hosts
        .as_array()
        .and_then(|hosts| hosts.iter().find(|host| host["name"] == "web1"))
        .expect("web1 is listed");
    assert_eq!(web1["jump"], serde_json::json!(["bastion"]));
    let source = web1["source"]["name"]["file"]
        .as_str()
        .expect("the source of the name is known");
    assert!(
        source.ends_with("targets.conf"),
        "the included file is named: {source}"
    );

    let ticket = day.json(&[
        "ticket",
        "add",
        "look at the web hosts",
        "-H",
        "web*",
        "--json",
    ]);
    let reference = ticket["ref"]
        .as_str()
        .expect("a ticket has a reference")
        .to_owned();

    let uname = day.qd(&["ssh", "web1", "--ticket", &reference, "--", "uname", "-a"]);
    assert!(uname.status.success(), "{uname:?}");
    assert_eq!(
        uname.stdout,
        std::process::Command::new("uname")
            .arg("-a")
            .output()
            .expect("uname runs")
            .stdout
    );

    let book = day.file("look.md", BOOK);
    let pattern = format!("ticket={reference}");
    let events = day.qd(&[
        "run",
        "start",
        &book,
        "-H",
        &pattern,
        "-p",
        "word='; rm -rf ~; '",
        "--ticket",
        &reference,
        "--jsonl",
    ]);
    assert!(
        events.status.success(),
        "{}",
        String::from_utf8_lossy(&events.stderr)
    );
    let events: Vec<Value> = String::from_utf8_lossy(&events.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect();
    let finished: Vec<&Value> = events
        .iter()
        .filter(|event| event["event"] == "step.finished")
        .collect();
    assert_eq!(finished.len(), 6);
    assert!(finished.iter().all(|event| event["exit"] == 0));
    let run = events.last().expect("a run ends");
    assert_eq!(
        (run["event"].as_str(), run["ok"].as_u64()),
        (Some("run.finished"), Some(3)),
        "{run}"
    );

    let run = day.json(&[
        "run",
        "show",
        run["run"].as_str().expect("the run has a reference"),
        "--json",
    ]);
    let greets: Vec<&str> = run["cells"]
        .as_array()
        .expect("cells")
        .iter()
        .filter(|cell| cell["step"] == "greet")
        .filter_map(|cell| cell["output"].as_str())
        .collect();
    assert_eq!(
        greets, ["'; rm -rf ~; '\n"; 3],
        "the parameter arrived as one literal word"
    );

    let ticket = day.json(&["ticket", "show", &reference, "--json"]);
    let kinds: Vec<&str> = ticket["entries"]
        .as_array()
        .expect("entries")
        .iter()
        .filter_map(|entry| entry["kind"].as_str())
        .collect();
    assert!(
        kinds.contains(&"session") && kinds.contains(&"run"),
        "{kinds:?}"
    );
    let command = ticket["entries"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|entry| entry["kind"] == "session")
        .expect("the command is there");
    assert_eq!(
        (command["data"]["exit"].as_i64(), command["host"].as_str()),
        (Some(0), Some("web1"))
    );
    assert!(day.bastion.logins() > 0, "the bastion was on the way");
}

#[test]
fn ssh_is_a_pipe_with_an_exit_status() {
    let day = Day::start(1);
    day.import();
    for (words, exit) in [
        (vec!["exit", "7"], 7),
        (vec!["kill", "-9", "$$"], 137),
        (vec!["no-such-program-here"], 127),
    ] {
        let mut args = vec!["ssh", "web1", "--"];
        args.extend(words);
        assert_eq!(day.qd(&args).status.code(), Some(exit), "{args:?}");
    }
    let megabyte = vec![b'x'; 1 << 20];
    let counted = day.qd_with_stdin(&["ssh", "web1", "--", "wc", "-c"], &megabyte);
    assert_eq!(String::from_utf8_lossy(&counted.stdout).trim(), "1048576");
    let both = day.qd(&["ssh", "web1", "--", "echo out; echo err >&2"]);
    assert_eq!(
        (both.stdout.as_slice(), both.stderr.as_slice()),
        (b"out\n".as_slice(), b"err\n".as_slice())
    );
}

#[test]
fn exec_fans_out_and_sums_up_honestly() {
    let day = Day::start(3);
    day.import();
    let all = day.qd(&["exec", "-H", "web*", "--fold", "--", "echo same"]);
    assert_eq!(all.status.code(), Some(0));
    assert!(
        String::from_utf8_lossy(&all.stdout).contains("web[1-3] (3"),
        "{}",
        String::from_utf8_lossy(&all.stdout)
    );
    let lines = day.qd(&["exec", "-H", "web*", "--", "echo here"]);
    let mut lines: Vec<String> = String::from_utf8_lossy(&lines.stdout)
        .lines()
        .map(str::to_owned)
        .collect();
    lines.sort();
    assert_eq!(lines, ["web1: here", "web2: here", "web3: here"]);
    assert_eq!(
        day.qd(&["exec", "-H", "web*", "-S", "--", "exit 9"])
            .status
            .code(),
        Some(9)
    );
    assert_eq!(
        day.qd(&["exec", "-H", "nobody*", "--", "true"])
            .status
            .code(),
        Some(2)
    );
}
