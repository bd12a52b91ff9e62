//! Host keys that a server announces: what OpenSSH's own scenario hostkey-rotate asserts.

use std::fs;
use std::process::Command;

use quarterdeck::ssh::{ExecSpec, QuestionKind, Reply, SshAsk, SshFact};

use crate::support::lab::{Client, Failed, Lab};
use crate::support::sshd::{Agent, keygen};

async fn said(client: &mut Client) -> Result<String, Failed> {
    client
        .until(|fact| match fact {
            SshFact::Said { text, .. } => Some(text.clone()),
            _ => None,
        })
        .await
}

async fn confirm(client: &mut Client, reply: Reply) -> Result<String, Failed> {
    let (id, prompt) = client
        .until(|fact| match fact {
            SshFact::Question {
                id,
                kind: QuestionKind::Confirm { prompt },
                ..
            } => Some((*id, prompt.clone())),
            _ => None,
        })
        .await?;
    client.engine.send(SshAsk::Answer {
        question: id,
        reply,
    });
    Ok(prompt)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn announced_keys_are_learned_and_old_ones_forgotten() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("web1", "  UpdateHostKeys yes\n  HashKnownHosts yes", "")?;
    keygen(&lab.at("old"), "ecdsa", "")?;
    let old = fs::read_to_string(lab.at("old.pub"))?;
    let before = fs::read_to_string(lab.known_hosts())?;
    fs::write(
        lab.known_hosts(),
        format!("# mine\nother.example {old}{before}"),
    )?;
    lab.know(web.port, old.trim())?;
    // The old key has another name too: nothing is touched, and nothing is said.
    let mixed = fs::read_to_string(lab.known_hosts())?;
    let mut client = lab.client();
    assert_eq!(client.run("web1", "echo in").await?.stdout, "in\n");
    assert_eq!(client.run("web1", "echo in").await?.stdout, "in\n");
    assert_eq!(fs::read_to_string(lab.known_hosts())?, mixed);

    fs::write(lab.known_hosts(), format!("# mine\n{before}"))?;
    lab.know(web.port, old.trim())?;
    let mut client = lab.client();
    assert_eq!(client.run("web1", "echo in").await?.stdout, "in\n");
    let text = said(&mut client).await?;
    assert!(text.contains("has a new host key: ecdsa"), "{text}");
    assert!(text.contains("no longer has the host key ecdsa"), "{text}");
    let after = fs::read_to_string(lab.known_hosts())?;
    assert!(
        after.starts_with(&format!("# mine\n{before}|1|")),
        "{after}"
    );
    assert!(
        !after.contains(old.split_whitespace().nth(1).ok_or("a key")?),
        "{after}"
    );
    assert_eq!(after.lines().count(), 3, "{after}");
    // The system's ssh trusts what was learned.
    let ssh = Command::new("ssh")
        .args(["-o", "HostKeyAlgorithms=ecdsa-sha2-nistp256"])
        .args(["-o", "StrictHostKeyChecking=yes", "-o", "UpdateHostKeys=no"])
        .args(["-o", "BatchMode=yes", "-F"])
        .arg(lab.config())
        .args(["web1", "echo in"])
        .output()?;
    assert_eq!(
        ssh.stdout,
        b"in\n",
        "{}",
        String::from_utf8_lossy(&ssh.stderr)
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_may_be_asked_about_announced_keys() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _web = lab.server("web1", "  UpdateHostKeys ask", "")?;
    let before = fs::read_to_string(lab.known_hosts())?;
    let asking = || ExecSpec {
        interactive: true,
        ..ExecSpec::collect("echo in", 1000)
    };
    let mut client = lab.client();
    let req = client.start("web1", asking());
    assert_eq!(
        client.done(req).await?.stdout,
        "in\n",
        "nobody waits for the answer"
    );
    let prompt = confirm(&mut client, Reply::No).await?;
    assert!(prompt.contains("has a new host key: ecdsa"), "{prompt}");
    assert_eq!(client.run("web1", "echo on").await?.stdout, "on\n");
    assert_eq!(fs::read_to_string(lab.known_hosts())?, before);
    let mut client = lab.client();
    let req = client.start("web1", asking());
    client.done(req).await?;
    confirm(&mut client, Reply::Yes).await?;
    said(&mut client).await?;
    assert_eq!(fs::read_to_string(lab.known_hosts())?.lines().count(), 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_are_not_proved_are_not_learned() -> Result<(), Failed> {
    let lab = Lab::new()?;
    // The server announces a key whose private half its agent has lost.
    keygen(&lab.at("lost"), "ecdsa", "")?;
    let agent = Agent::start(&lab.at(""), &[&lab.at("lost")])?;
    fs::remove_file(lab.at("lost"))?;
    let lines = format!(
        "HostKey {}\nHostKeyAgent {}",
        lab.at("lost.pub").display(),
        agent.socket.display()
    );
    let _web = lab.server(
        "web1",
        "  UpdateHostKeys yes\n  HostKeyAlgorithms ssh-ed25519,ecdsa-sha2-nistp256",
        &lines,
    )?;
    let emptied = Command::new("ssh-add")
        .args(["-q", "-D"])
        .env("SSH_AUTH_SOCK", &agent.socket)
        .status()?;
    assert!(emptied.success());
    let before = fs::read_to_string(lab.known_hosts())?;
    let mut client = lab.client();
    client.run("web1", "echo in").await?;
    let text = said(&mut client).await?;
    assert!(text.contains("did not prove"), "{text}");
    assert_eq!(fs::read_to_string(lab.known_hosts())?, before);
    Ok(())
}
