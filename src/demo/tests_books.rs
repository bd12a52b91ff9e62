//! The sample runbooks as what they claim to be: every step is POSIX shell, and on the fleet they find and mend what is wrong.

use std::collections::BTreeMap;
use std::error::Error;
use std::process::Stdio;

use tokio::io::AsyncWriteExt;

use super::tests::{fleet, ssh};
use super::{BOOKS, Fleet, SampleBook};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// A step as far as this test understands it.
struct Step {
    name: String,
    text: String,
    may_fail: bool,
    /// What must succeed before and after it.
    conditions: Vec<String>,
}

/// The steps of a book. The real parser belongs to another room; this reads just our own books.
fn steps(book: &SampleBook) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut open: Option<Step> = None;
    for line in book.text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => open = Some(opened(book, info)),
            (Some(_), Some(_)) => steps.extend(open.take()),
            (Some(step), None) => {
                step.text.push_str(line);
                step.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{}: a fence is open", book.name);
    steps
}

fn opened(book: &SampleBook, info: &str) -> Step {
    let after = |key: &str| info.split(key).nth(1);
    let name = after("name=")
        .and_then(|rest| rest.split(' ').next())
        .unwrap_or_default();
    assert!(
        info.starts_with("sh { ") && info.ends_with(" }") && !name.is_empty(),
        "{}: {info}",
        book.name
    );
    Step {
        name: name.to_owned(),
        text: String::new(),
        may_fail: info.contains(" ignore_errors"),
        conditions: ["if='", "verify='"]
            .into_iter()
            .filter_map(|key| after(key)?.split('\'').next().map(str::to_owned))
            .collect(),
    }
}

fn book(name: &str) -> Outcome<&'static SampleBook> {
    BOOKS
        .iter()
        .find(|book| book.name == name)
        .ok_or_else(|| format!("no book {name}").into())
}

/// Declared parameters with their defaults.
fn params(book: &SampleBook) -> Outcome<BTreeMap<String, String>> {
    let front = book
        .text
        .split("---\n")
        .nth(1)
        .ok_or("a book has front matter")?;
    let front: serde_norway::Value = serde_norway::from_str(front)?;
    let mut params = BTreeMap::new();
    for param in front
        .get("params")
        .and_then(serde_norway::Value::as_sequence)
        .into_iter()
        .flatten()
    {
        let name = param
            .get("name")
            .and_then(serde_norway::Value::as_str)
            .ok_or("a parameter has a name")?;
        let default = match param.get("default") {
            Some(serde_norway::Value::String(text)) => text.clone(),
            Some(serde_norway::Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        params.insert(name.to_owned(), default);
    }
    Ok(params)
}

/// The step with its parameters filled in and quoted, as a run would.
fn filled(text: &str, params: &BTreeMap<String, String>) -> String {
    params.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{{ {name} }}}}"), &format!("'{value}'"))
    })
}

/// Runs one step with its text on stdin; its output and whether it succeeded.
async fn sent(fleet: &Fleet, host: &str, text: &str) -> Outcome<(String, bool)> {
    let mut child = ssh(fleet, &[host, "sh"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().ok_or("stdin is piped")?;
    stdin.write_all(text.as_bytes()).await?;
    drop(stdin);
    let output = child.wait_with_output().await?;
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{text}");
    Ok((String::from_utf8(output.stdout)?, output.status.success()))
}

/// Runs a whole book; the output of each step. Every step must succeed.
async fn run(
    fleet: &Fleet,
    host: &str,
    name: &str,
    given: &[(&str, &str)],
) -> Outcome<BTreeMap<String, String>> {
    let book = book(name)?;
    let mut params = params(book)?;
    for (name, value) in given {
        params.insert((*name).to_owned(), (*value).to_owned());
    }
    let mut said = BTreeMap::new();
    for step in steps(book) {
        let (stdout, well) = sent(fleet, host, &filled(&step.text, &params)).await?;
        assert!(
            well || step.may_fail,
            "{name}/{} on {host}: {stdout}",
            step.name
        );
        for condition in &step.conditions {
            let (stdout, well) = sent(fleet, host, &filled(condition, &params)).await?;
            assert!(
                well,
                "{name}/{} on {host}: {condition}: {stdout}",
                step.name
            );
        }
        said.insert(step.name, stdout);
    }
    Ok(said)
}

#[test]
fn books_are_whole() -> Outcome {
    for book in BOOKS {
        let params = params(book)?;
        let steps = steps(book);
        assert!(steps.len() >= 5, "{}", book.name);
        for Step { name, text, .. } in &steps {
            let text = filled(text, &params);
            assert!(
                !text.contains("{{"),
                "{}/{name} uses what is not declared",
                book.name
            );
            let checked = std::process::Command::new("sh")
                .args(["-n", "-c", &text])
                .output()?;
            assert!(
                checked.status.success(),
                "{}/{name}: {}",
                book.name,
                String::from_utf8_lossy(&checked.stderr)
            );
        }
        for param in params.keys() {
            assert!(
                book.text.contains(&format!("{{{{ {param} }}}}")),
                "{}: nothing uses {param}",
                book.name
            );
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_disk_is_freed_and_the_shop_runs_again() -> Outcome {
    let (_folder, fleet) = fleet().await?;
    let space = steps(book("service-restart")?)
        .into_iter()
        .find(|step| step.name == "is-there-space");
    let (_, well) = sent(
        &fleet,
        "web2",
        &space.ok_or("the book looks for space")?.text,
    )
    .await?;
    assert!(!well, "a restart into a full disk is refused");
    let said = run(&fleet, "web2", "disk-space", &[]).await?;
    assert!(
        said["find-largest"].starts_with("    5300.0 MiB  /var/log/shop/debug.log.1\n"),
        "{}",
        said["find-largest"]
    );
    assert_eq!(said["find-deleted"], "no deleted file is held open\n");
    assert_eq!(
        said["remove-rotated"].lines().count(),
        4,
        "{}",
        said["remove-rotated"]
    );
    assert_eq!(said["verify"], "/ is 41% full\n");
    let said = run(&fleet, "web2", "service-restart", &[("service", "shop")]).await?;
    assert!(said["last-words"].contains("No space left on device"));
    assert_eq!(said["stays-up"], "shop is up\n");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_load_falls_when_its_reason_stops() -> Outcome {
    let (_folder, fleet) = fleet().await?;
    let said = run(&fleet, "db1", "high-load", &[("service", "report-builder")]).await?;
    assert!(
        said["who-runs"]
            .lines()
            .nth(1)
            .ok_or("programs run")?
            .contains("report-builder"),
        "{}",
        said["who-runs"]
    );
    assert_eq!(said["who-waits"], "nobody waits for a disk\n");
    assert!(said["load-falls"].contains("now:"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_finds_what_is_planted_and_nothing_elsewhere() -> Outcome {
    let (_folder, fleet) = fleet().await?;
    let said = run(&fleet, "app1", "security-audit", &[]).await?;
    let found: Vec<&str> = said
        .values()
        .flat_map(|text| text.lines())
        .filter(|line| line.starts_with("FOUND"))
        .collect();
    for part in [
        "port 23",
        "backup (Vendor, until 2019)",
        "PermitRootLogin",
        "PasswordAuthentication",
        "X11Forwarding",
        "/etc/cron.d/backup",
    ] {
        assert!(
            found.iter().any(|line| line.contains(part)),
            "{part}: {found:?}"
        );
    }
    assert_eq!(found.len(), 6, "{found:?}");
    assert!(
        said["who-tried"].starts_with("     3 failed from 203.0.113.7"),
        "{}",
        said["who-tried"]
    );
    let said = run(&fleet, "web1", "security-audit", &[]).await?;
    assert!(
        said.values().all(|text| !text.contains("FOUND")),
        "{said:?}"
    );
    Ok(())
}
