//! Scripts are judged by the real shell.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;
use crate::domain::runbook::Runbook;
use crate::runbook::params::resolve;
use crate::runbook::parse::parse;

type Outcome = Result<(), Box<dyn Error>>;

fn mark() -> Mark {
    Mark::new(&[7; 16], "web1", 0, 1)
}

fn book(text: &str) -> Result<Runbook, Box<dyn Error>> {
    parse(Path::new("test.md"), "test", text).map_err(|wrong| {
        let lines: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        lines.join("\n").into()
    })
}

/// Runs the first step of a runbook on this machine and reads its end.
fn run(text: &str, given: &[(&str, &str)]) -> Result<Ended, Box<dyn Error>> {
    let book = book(text)?;
    let given: BTreeMap<String, String> = given
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let values = resolve(&book, &given).map_err(|wrong| wrong.join("\n"))?;
    let step = book.steps.first().ok_or("no step")?;
    let script = build(step, "web1", &values, &mark()).map_err(|wrong| wrong.join("\n"))?;
    let mut child = Command::new("sh")
        .arg("-c")
        // One stream, as a channel delivers it.
        .arg(format!("{} 2>&1", script.command))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().ok_or("no input")?;
    input.write_all(&script.stdin)?;
    drop(input);
    let output = child.wait_with_output()?;
    let exit = Exit::Code(output.status.code().unwrap_or(-1));
    Ok(read(step, &mark(), &values.mask(), &exit, output.stdout, 0))
}

fn shown(ended: &Ended) -> String {
    String::from_utf8_lossy(&ended.output).into_owned()
}

#[test]
fn a_step_ends_as_its_script_does() -> Outcome {
    for (text, state, exit, output) in [
        ("```sh\necho a\n```", CellState::Ok, Some(0), "a\n"),
        ("```sh\n$ echo a\n```", CellState::Ok, Some(0), "a\n"),
        (
            "```bash\nset -e\nfalse\necho a\n```",
            CellState::Failed,
            Some(1),
            "",
        ),
        ("```sh\nexit 7\n```", CellState::Failed, Some(7), ""),
        ("```sh\necho a \\\n```", CellState::Ok, Some(0), "a\n"),
        (
            "```sh\n#!/bin/sh\necho a # b\n```",
            CellState::Ok,
            Some(0),
            "a\n",
        ),
        ("```sh\n# nothing\n```", CellState::Ok, Some(0), ""),
        // A command that reads cannot eat the rest of the script.
        (
            "```bash\ncat\nread -r x\necho \"<$x>\"\n```",
            CellState::Ok,
            Some(0),
            "<>\n",
        ),
        (
            "```python3\nimport sys\nprint(sys.stdin.read() + 'a')\n```",
            CellState::Ok,
            Some(0),
            "a\n",
        ),
        (
            "```sh { on=local }\necho $QD_HOST\n```",
            CellState::Ok,
            Some(0),
            "web1\n",
        ),
        (
            "```sh { if='true' }\necho a\n```",
            CellState::Ok,
            Some(0),
            "a\n",
        ),
        (
            "```sh { if='echo no; exit 3' }\necho a\n```",
            CellState::Skipped,
            None,
            "",
        ),
        (
            "```sh { verify='echo seen' }\necho a\n```",
            CellState::Ok,
            Some(0),
            "a\nseen\n",
        ),
        (
            "```sh { verify='exit 4' }\necho a\n```",
            CellState::Failed,
            Some(4),
            "a\n",
        ),
        (
            "```sh { verify='echo seen' }\necho a; exit 5\n```",
            CellState::Failed,
            Some(5),
            "a\n",
        ),
        (
            "```sh { if='true' verify='true' }\ncat <<QD_END\nit's\nQD_END\n```",
            CellState::Ok,
            Some(0),
            "it's\n",
        ),
        (
            "```sh { capture=x }\necho a >&2; printf ' b\\nc \\n'\n```",
            CellState::Ok,
            Some(0),
            "a\n b\nc \n",
        ),
        (
            "```sh { capture=x }\nprintf b; exit 1\n```",
            CellState::Failed,
            Some(1),
            "b\n",
        ),
    ] {
        let ended = run(text, &[]).map_err(|why| format!("{text}: {why}"))?;
        assert_eq!(
            (ended.state, ended.exit, shown(&ended).as_str()),
            (state, exit, output),
            "{text}"
        );
    }
    Ok(())
}

#[test]
fn only_standard_output_is_captured() -> Outcome {
    let ended = run(
        "```sh { capture=x verify='echo seen' }\necho a >&2; printf ' b\\nc \\n'\n```",
        &[],
    )?;
    assert_eq!(ended.captured.as_deref(), Some("b\nc"));
    let evil = run(
        "```sh { capture=x }\nprintf '%s' '$(id) `id` \\ \"'\n```",
        &[],
    )?;
    assert_eq!(evil.captured.as_deref(), Some("$(id) `id` \\ \""));
    let failed = run("```sh { capture=x }\necho a; exit 1\n```", &[])?;
    assert_eq!(failed.captured, None);
    Ok(())
}

#[test]
fn half_a_script_runs_nothing() -> Outcome {
    let folder = tempfile::tempdir()?;
    let book = book(
        "```sh\ntouch one\ntouch two\n: and words that keep the end of it away\n```\n\n```sh { verify='touch three' }\ntouch four\n```",
    )?;
    for step in &book.steps {
        let script =
            build(step, "web1", &Values::default(), &mark()).map_err(|why| why.join("\n"))?;
        // All but the line that closes the braces.
        for length in 0..script.stdin.len().saturating_sub(20) {
            let mut child = Command::new("sh")
                .current_dir(folder.path())
                .stdin(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()?;
            if let Some(mut input) = child.stdin.take() {
                input.write_all(script.stdin.get(..length).unwrap_or_default())?;
            }
            child.wait()?;
        }
        assert_eq!(std::fs::read_dir(folder.path())?.count(), 0);
    }
    Ok(())
}

#[test]
fn secrets_are_in_no_argument_and_no_output() -> Outcome {
    let text = "---\nparams:\n- {name: password, type: secret}\n---\n```sh { verify='test -n {{ password }}' }\necho {{ password }}; printf '%s' {{ password }} | base64\n```";
    let secret = "s3cr3t-'word";
    let ended = run(text, &[("password", secret)])?;
    assert_eq!(ended.state, CellState::Ok);
    let shown = shown(&ended);
    assert!(
        !shown.contains("s3cr3t") && shown.contains(crate::runbook::mask::MASKED),
        "{shown}"
    );
    let book = book(text)?;
    let given = BTreeMap::from([("password".to_owned(), secret.to_owned())]);
    let values = resolve(&book, &given).map_err(|wrong| wrong.join("\n"))?;
    let step = book.steps.first().ok_or("no step")?;
    let script = build(step, "web1", &values, &mark()).map_err(|wrong| wrong.join("\n"))?;
    assert!(!script.command.contains("s3cr3t"));
    assert!(!format!("{script:?} {values:?}").contains("s3cr3t"));
    assert_eq!(
        values.masked().get("password").map(String::as_str),
        Some(crate::runbook::mask::MASKED)
    );
    Ok(())
}

#[test]
fn root_is_asked_of_sudo() -> Outcome {
    for (text, command) in [
        ("```sh\ntrue\n```", "sh"),
        ("```bash { become=yes }\ntrue\n```", "sudo -n bash"),
        ("```bash { become if='true' }\ntrue\n```", "sudo -n sh"),
        ("```python3\n1\n```", "sh"),
        (
            "```sh { become on=local }\ntrue\n```",
            "sudo -n env QD_HOST='web1' sh",
        ),
    ] {
        let book = book(text)?;
        let step = book.steps.first().ok_or("no step")?;
        let script =
            build(step, "web1", &Values::default(), &mark()).map_err(|why| why.join("\n"))?;
        assert_eq!(script.command, command, "{text}");
    }
    Ok(())
}

#[test]
fn long_output_keeps_head_and_tail() {
    let (short, dropped) = cut(b"abc".to_vec());
    assert_eq!((short.as_slice(), dropped), (b"abc".as_slice(), 0));
    for shift in 0..4 {
        let text = format!("{}{}end", "x".repeat(shift), "ä界".repeat(40_000));
        let (kept, dropped) = cut(text.clone().into_bytes());
        assert!(kept.len() <= OUTPUT_INLINE);
        let kept = String::from_utf8(kept).expect("no character was cut");
        assert!(kept.ends_with("end") && kept.contains(&format!("{dropped} bytes left out")));
        let note = format!("\n… {dropped} bytes left out …\n").len();
        assert_eq!(
            kept.len() - note + usize::try_from(dropped).unwrap_or(0),
            text.len()
        );
    }
}

#[test]
fn how_launches_end_is_said_in_words() -> Outcome {
    let book = book("```sh { timeout=30s }\ntrue\n```")?;
    let step = book.steps.first().ok_or("no step")?;
    for (exit, state, code, reason) in [
        (
            Exit::TimedOut,
            CellState::Failed,
            Some(124),
            "not done after 30s; raise timeout= if it needs longer",
        ),
        (
            Exit::Signal("KILL".to_owned()),
            CellState::Failed,
            Some(137),
            "ended by signal KILL",
        ),
        (
            Exit::Unreachable("no route".to_owned()),
            CellState::Unreachable,
            None,
            "no route",
        ),
        (
            Exit::Cancelled,
            CellState::Failed,
            Some(130),
            "cancelled before its end",
        ),
        (Exit::Code(3), CellState::Failed, Some(3), ""),
    ] {
        let ended = read(step, &mark(), &Mask::default(), &exit, b"out".to_vec(), 5);
        assert_eq!(
            (ended.state, ended.exit, ended.reason.as_str()),
            (state, code, reason)
        );
        assert_eq!(
            (ended.output.as_slice(), ended.dropped),
            (b"out".as_slice(), 5)
        );
    }
    Ok(())
}
