//! Exit statuses and pipes of `qd ssh`, by both transports, beside those of the system's `ssh`.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use super::at_terminal::{ALL, Bench, Client, text};
use crate::support::lab::Failed;
use crate::support::process::{ended, gone, signal};

#[test]
fn exit_statuses_come_through() -> Result<(), Failed> {
    let bench = Bench::new("", "")?;
    for client in ALL {
        for status in [0, 44, 255] {
            let output = bench.run(client, &[], &format!("exit {status}"), b"");
            assert_eq!(output.status.code(), Some(status), "{client:?}: {output:?}");
        }
    }
    Ok(())
}

#[test]
fn a_signal_and_a_dead_transport_have_statuses() -> Result<(), Failed> {
    let bench = Bench::new("", "")?;
    for (client, expected) in [
        (Client::Ours, 143),
        (Client::Second, 255),
        (Client::Theirs, 255),
    ] {
        let output = bench.run(client, &[], "kill -TERM $$", b"");
        assert_eq!(output.status.code(), Some(expected), "{client:?}");
        // The connection's own process dies: nobody can say how the command ended.
        let output = bench.run(client, &[], "kill -KILL $PPID; exec cat >&-", b"");
        assert_eq!(output.status.code(), Some(255), "{client:?}: {output:?}");
        assert!(!output.stderr.is_empty(), "{client:?} says why");
    }
    for client in ALL {
        let options = ["-p", "1"];
        let output = bench.run(client, &options, "true", b"");
        assert_eq!(output.status.code(), Some(255), "{client:?}: {output:?}");
    }
    Ok(())
}

#[test]
fn the_streams_stay_apart_and_late_words_are_heard() -> Result<(), Failed> {
    let bench = Bench::new("", "")?;
    for client in ALL {
        let output = bench.run(client, &["-n"], "echo out; echo err >&2; exit 3", b"");
        let said = (text(&output.stdout), text(&output.stderr));
        assert_eq!(said, ("out\n".to_owned(), "err\n".to_owned()), "{client:?}");
        // Standard output ends long before standard error speaks.
        let late = "exec >&-; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo late >&2";
        let output = bench.run(client, &["-n"], late, b"");
        assert_eq!(text(&output.stderr), "late\n", "{client:?}");
        assert_eq!(output.status.code(), Some(0), "{client:?}");
    }
    Ok(())
}

#[test]
fn what_comes_in_by_a_pipe_arrives_whole() -> Result<(), Failed> {
    let bench = Bench::new("", "")?;
    let bytes: Vec<u8> = (0..3_000_000u32).map(|n| (n * 7 % 251) as u8).collect();
    for client in ALL {
        // Every byte value, no escape, no terminal in between, both ways; the end of the input is passed on.
        let output = bench.run(client, &[], "cat", &bytes);
        assert!(
            output.stdout == bytes,
            "{client:?}: {}",
            output.stdout.len()
        );
        let output = bench.run(client, &[], "cat", b"~.\n~.\n");
        assert_eq!(text(&output.stdout), "~.\n~.\n", "{client:?}");
        // A host that stops reading ends all the same, with its own status.
        let output = bench.run(client, &[], "head -c 3; exit 9", &bytes);
        assert_eq!(output.status.code(), Some(9), "{client:?}");
        // -n reads nothing, so what is left is for the next command.
        let output = bench.run(client, &["-n"], "wc -c", b"abc");
        assert_eq!(text(&output.stdout).trim(), "0", "{client:?}");
    }
    Ok(())
}

#[test]
fn words_after_the_host_are_the_command() -> Result<(), Failed> {
    let bench = Bench::new("", "")?;
    for client in ALL {
        let (program, words) = bench.words(client, &["-T"]);
        let output = std::process::Command::new(program)
            .args(words)
            .args(["echo", "-n", "a  b", "--json", "$((40+2))"])
            .stdin(Stdio::null())
            .output()?;
        assert_eq!(text(&output.stdout), "a b --json 42", "{client:?}");
    }
    Ok(())
}

#[test]
fn a_reader_that_leaves_ends_the_command() -> Result<(), Failed> {
    let bench = Bench::new("", "")?;
    let mark = bench.lab.at("pid");
    for client in ALL {
        let mut child = bench
            .command(
                client,
                &[],
                &format!("echo $$ >{}; exec yes", mark.display()),
            )
            .spawn()?;
        let mut out = BufReader::new(child.stdout.take().ok_or("no stdout")?);
        let mut line = String::new();
        out.read_line(&mut line)?;
        assert_eq!(line, "y\n", "{client:?}");
        drop(out);
        // Both end: what reads here, and what writes there.
        let status = ended(&mut child)?;
        assert!(!status.success(), "{client:?}");
        let pid: i32 = std::fs::read_to_string(&mark)?.trim().parse()?;
        gone(pid)?;
    }
    Ok(())
}

#[test]
fn ctrl_c_without_a_terminal_ends_both_sides() -> Result<(), Failed> {
    let bench = Bench::new("", "")?;
    let mark = bench.lab.at("pid");
    // Without a terminal there the command meets the end of its input, with one it is hung up; the signal that is asked for
    // besides reaches it only where the server's user is not root.
    let cases = [
        (&[][..], "cat", 2, 130),
        (&[], "cat", 15, 143),
        (&[], "cat", 1, 129),
        (&["-tt"], "sleep 600", 2, 130),
    ];
    for (options, program, number, expected) in cases {
        // Whoever runs these tests under `nohup` wants hang-ups ignored, and the program keeps to that.
        if number == 1 && hangups_are_ignored()? {
            continue;
        }
        let command = format!("echo $$ >{}; echo up; exec {program}", mark.display());
        let mut child = bench
            .command(Client::Ours, options, &command)
            .stdin(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take();
        let mut out = BufReader::new(child.stdout.take().ok_or("no stdout")?);
        let mut line = String::new();
        out.read_line(&mut line)?;
        signal(child.id(), number)?;
        let status = ended(&mut child)?;
        assert_eq!(
            (status.code(), status.signal()),
            (Some(expected), None),
            "signal {number}"
        );
        let pid: i32 = std::fs::read_to_string(&mark)?.trim().parse()?;
        gone(pid).map_err(|why| format!("signal {number}: {why}"))?;
        drop(input);
    }
    Ok(())
}

/// Whether this process was started with SIGHUP ignored, which its children inherit.
fn hangups_are_ignored() -> Result<bool, Failed> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = u64::from_str_radix(mask.ok_or("Linux says so")?.trim(), 16)?;
    Ok(mask & 1 == 1)
}

#[test]
fn ctrl_c_is_heard_while_a_pager_blocks() -> Result<(), Failed> {
    let bench = Bench::new("", "")?;
    let mark = bench.lab.at("pid");
    let mut child = bench
        .command(
            Client::Ours,
            &[],
            &format!("echo $$ >{}; exec yes", mark.display()),
        )
        .spawn()?;
    // One byte is read, then nothing more, and the pipe stays open: so does a pager.
    let mut out = child.stdout.take().ok_or("no stdout")?;
    let mut one = [0];
    out.read_exact(&mut one)?;
    signal(child.id(), 2)?;
    assert_eq!(ended(&mut child)?.code(), Some(130));
    let pid: i32 = std::fs::read_to_string(&mark)?.trim().parse()?;
    gone(pid)?;
    drop(out);
    Ok(())
}

#[test]
fn an_input_that_never_ends_does_not_keep_the_command() -> Result<(), Failed> {
    let bench = Bench::new("", "")?;
    for client in ALL {
        let mut child = bench
            .command(client, &[], "read -r line; echo got=$line; exit 5")
            .stdin(Stdio::piped())
            .spawn()?;
        let mut input = child.stdin.take().ok_or("no stdin")?;
        input.write_all(b"one\n")?;
        let mut said = String::new();
        child
            .stdout
            .take()
            .ok_or("no stdout")?
            .read_to_string(&mut said)?;
        assert_eq!(said, "got=one\n", "{client:?}");
        assert_eq!(child.wait()?.code(), Some(5), "{client:?}");
        drop(input);
    }
    Ok(())
}

#[test]
fn the_second_transport_keeps_a_ticket_too() -> Result<(), Failed> {
    let bench = Bench::new("", "")?;
    let home = bench.lab.at("second").display().to_string();
    let qd = |words: &[&str]| {
        std::process::Command::new(env!("CARGO_BIN_EXE_qd"))
            .args(["--home", &home])
            .args(words)
            .stdin(Stdio::null())
            .output()
    };
    let made = qd(&["ticket", "add", "disk full", "--json"])?;
    let ticket: serde_json::Value = serde_json::from_slice(&made.stdout)?;
    let reference = ticket["ref"].as_str().ok_or("no reference")?.to_owned();
    let options = ["--ticket", reference.as_str()];
    let output = bench.run(Client::Second, &options, "cat; exit 6", b"typed");
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(6), "typed".to_owned())
    );
    let shown = text(&qd(&["ticket", "show", &reference, "--json"])?.stdout);
    assert!(
        shown.contains("cat; exit 6") && shown.contains("web1"),
        "{shown}"
    );
    Ok(())
}

#[test]
fn a_fan_out_takes_the_second_transport() -> Result<(), Failed> {
    let bench = Bench::new("", "")?;
    let home = bench.lab.at("second").display().to_string();
    let config = bench.lab.at("hosts").join("web1").display().to_string();
    let qd = |words: &[&str]| {
        std::process::Command::new(env!("CARGO_BIN_EXE_qd"))
            .args(["--home", &home])
            .args(words)
            .stdin(Stdio::null())
            .output()
    };
    // The file names the host; what explains it is the lab's own configuration, so the fan-out needs both.
    std::fs::write(
        &config,
        format!(
            "Host web1\n  HostName 127.0.0.1\n  Port {}\n  User {}\n  IdentityFile {}\n  UserKnownHostsFile {}\n",
            bench.web.port,
            crate::support::day::login(),
            bench.lab.key().display(),
            bench.lab.known_hosts().display()
        ),
    )?;
    let imported = qd(&["host", "import", "--from", "ssh-config", &config])?;
    assert!(imported.status.success(), "{imported:?}");
    let output = qd(&[
        "exec",
        "-H",
        "web1",
        "--",
        "echo said; echo $SSH_CLIENT >&2; exit 3",
    ])?;
    assert!(text(&output.stdout).contains("web1: said"), "{output:?}");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).contains("web1: exit 3"), "{output:?}");
    Ok(())
}
