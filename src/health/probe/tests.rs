//! The probe runs on the shells of this machine, on its own `/proc` and on a fake one.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;
use crate::domain::time::Time;
use crate::health::parse;

/// Runs the probe as a login shell would and returns as many answers as asked for.
fn answers(
    shell: &[&str],
    proc: Option<&Path>,
    count: usize,
) -> Result<Vec<String>, Box<dyn Error>> {
    // The inner `sh` of the request is replaced, so that each shell is the one that runs the loop.
    let request = command().replacen("exec sh", &format!("exec {}", shell.join(" ")), 1);
    let mut command = Command::new("sh");
    command.arg("-c").arg(request);
    if let Some(proc) = proc {
        command.env("QD_PROC", proc);
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().ok_or("no input")?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
    let mut answers = Vec::new();
    for _ in 0..count {
        input.write_all(PROMPT)?;
        let mut answer = String::new();
        loop {
            let line = lines.next().ok_or("the probe ended")??;
            if line == END {
                break;
            }
            answer.push_str(&line);
            answer.push('\n');
        }
        answers.push(answer);
    }
    // The end of its input ends it, with success.
    drop(input);
    assert!(child.wait()?.success());
    Ok(answers)
}

fn shells() -> Vec<Vec<&'static str>> {
    [
        vec!["sh"],
        vec!["dash"],
        vec!["bash"],
        vec!["busybox", "sh"],
        vec!["ksh"],
        vec!["zsh"],
    ]
    .into_iter()
    .filter(|shell| {
        Command::new(shell.first().copied().unwrap_or("sh"))
            .args(shell.get(1..).unwrap_or_default())
            .args(["-c", ":"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    })
    .collect()
}

#[test]
fn every_login_shell_passes_the_request_on() {
    for request in [command(), disks_command()] {
        let script = request
            .strip_prefix("exec sh -c '")
            .and_then(|rest| rest.strip_suffix('\''))
            .expect("it is quoted");
        assert!(!script.contains(['\'', '\\', '!', '\n']), "{script}");
        assert!(request.len() < 4_096, "a command line of an old appliance");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn this_machine_answers() -> Result<(), Box<dyn Error>> {
    for shell in shells() {
        let answers = answers(&shell, None, 2)?;
        let mut before = None;
        for (index, text) in answers.iter().enumerate() {
            let at = Time(i64::try_from(index)? * 1_000);
            let reading = parse::answer(text, before.as_ref(), at);
            assert_eq!(reading.skipped, 0, "{shell:?}: {text}");
            let sample = &reading.sample;
            assert!(sample.load.is_some() && sample.cpus.is_some_and(|cpus| cpus > 0));
            assert!(sample.mem_total_kib > sample.mem_available_kib);
            assert!(sample.uptime_s.is_some());
            assert_eq!(sample.net_bps.is_some(), index == 1, "{text}");
            assert_eq!(reading.facts.contains_key("kernel"), index == 0);
            before = Some(reading.counters);
        }
    }
    Ok(())
}

#[test]
fn a_fake_machine_answers() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let proc = folder.path();
    for (name, text) in [
        ("sys/kernel/ostype", "Linux\n"),
        ("sys/kernel/osrelease", "6.1.0-demo\n"),
        ("sys/kernel/hostname", "web1\n"),
        ("etc/os-release", "NAME=x\nPRETTY_NAME=\"Demo Linux 1\"\n"),
        (
            "stat",
            "cpu  10 0 10 80 0 0 0 0 0 0\ncpu0 5 0 5 40 0\ncpu1 5 0 5 40 0\nintr 1\n",
        ),
        ("loadavg", "0.50 0.40 0.30 1/100 1234\n"),
        ("uptime", "3600.25 7000.00\n"),
        (
            "meminfo",
            "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 400 kB\nSwapTotal: 10 kB\nSwapFree: 5 kB\nDirty: 1 kB\n",
        ),
        (
            "net/dev",
            "Inter-|   Receive\n face |bytes\n    lo: 9 0 0 0 0 0 0 0 9 0\n  eth0: 1000 1 0 0 0 0 0 0 2000 2\n",
        ),
        (
            "df",
            "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/sda1 100 40 50 45% /\n",
        ),
    ] {
        let path = proc.join(name);
        std::fs::create_dir_all(path.parent().ok_or("no folder")?)?;
        std::fs::write(path, text)?;
    }
    for shell in shells() {
        let answer = answers(&shell, Some(proc), 1)?.remove(0);
        assert_eq!(
            answer,
            "S Linux 6.1.0-demo\nH web1\nO \"Demo Linux 1\"\nP 2\nL 0.50 0.40 0.30\nU 3600.25\n\
             M MemTotal: 1000\nM MemFree: 100\nM MemAvailable: 400\nM SwapTotal: 10\nM SwapFree: 5\n\
             C 10 0 10 80 0 0 0 0 0 0\nN lo: 9 0 0 0 0 0 0 0 9 0\nN eth0: 1000 1 0 0 0 0 0 0 2000 2\n",
            "{shell:?}"
        );
        let facts = parse::answer(&answer, None, Time(0)).facts;
        let facts: Vec<&str> = facts.values().map(String::as_str).collect();
        assert_eq!(facts, ["2", "web1", "6.1.0-demo", "Demo Linux 1"]);
    }
    let output = Command::new("sh")
        .arg("-c")
        .arg(disks_command())
        .env("QD_PROC", proc)
        .output()?;
    let (disks, skipped) = parse::disks(&String::from_utf8(output.stdout)?);
    assert_eq!((disks.len(), skipped), (1, 0));
    Ok(())
}

#[test]
fn a_machine_without_proc_still_answers() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let answer = answers(&["sh"], Some(folder.path()), 1)?.remove(0);
    assert!(answer.starts_with("S "), "{answer}");
    let reading = parse::answer(&answer, None, Time(0));
    assert_eq!(reading.sample.load, None);
    assert!(reading.facts.contains_key("kernel"));
    Ok(())
}

#[test]
fn the_file_systems_of_this_machine_are_listed() -> Result<(), Box<dyn Error>> {
    let output = Command::new("sh").arg("-c").arg(disks_command()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let (_, skipped) = parse::disks(&text);
    assert!(text.lines().count() > 1, "{text}");
    assert_eq!(skipped, 0, "{text}");
    Ok(())
}
