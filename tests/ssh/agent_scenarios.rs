//! Agents and key files as they are in the world: OpenSSH's scenarios agent, agent-restrict and brokenkeys, hardware keys,
//! too many keys, keys that nobody can read.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use quarterdeck::ssh::{
    AgentChoice, ExecSpec, KeySource, KeysReport, QuestionKind, Reply, SshAsk, SshFact,
};

use crate::support::lab::{Client, Failed, Lab};
use crate::support::relay::{Extra, Relay, hardware_line};
use crate::support::sshd::{Agent, keygen};

fn asking() -> ExecSpec {
    ExecSpec {
        interactive: true,
        ..ExecSpec::collect("echo in", 1000)
    }
}

/// Whether the system's ssh gets in, asking nobody.
fn openssh(lab: &Lab, host: &str, agent: &Path) -> Result<bool, Failed> {
    let out = Command::new("ssh")
        .args(["-o", "BatchMode=yes", "-F"])
        .arg(lab.config())
        .args([host, "echo in"])
        .env("SSH_AUTH_SOCK", agent)
        .output()?;
    Ok(out.stdout == b"in\n")
}

/// What ssh-add lists.
fn listed(agent: &Agent) -> Result<String, Failed> {
    let out = Command::new("ssh-add")
        .arg("-l")
        .env("SSH_AUTH_SOCK", &agent.socket)
        .output()?;
    Ok(String::from_utf8(out.stdout)?)
}

async fn keys(client: &mut Client, host: &str) -> Result<KeysReport, Failed> {
    let req = client.req();
    let target = client.target(host);
    client.engine.send(SshAsk::Keys { req, target });
    let result = client
        .until(|fact| match fact {
            SshFact::Keys { req: of, result } if *of == req => Some(result.clone()),
            _ => None,
        })
        .await?;
    Ok(result?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_nobody_can_read_harm_no_others() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _web = lab.server("web1", "", "")?;
    let dsa = lab.at("dsa");
    let login = lab.key();
    let mut held: Vec<&Path> = vec![&login];
    // Newer releases of OpenSSH make no such keys any more, so they cannot come from their agent either.
    let old = keygen(&dsa, "dsa", "").is_ok();
    if old {
        held.insert(0, &dsa);
    }
    let agent = Agent::start(&lab.at(""), &held)?;
    fs::remove_file(lab.key())?;
    lab.configure("  IdentitiesOnly no")?;
    let strange = [&[0, 0, 0, 11][..], b"ssh-strange", b"junk"].concat();
    let extra = vec![
        Extra::Junk(strange),
        Extra::Junk(Vec::new()),
        Extra::Junk(vec![255; 40]),
    ];
    let relay = Relay::start(&lab.at("relay"), &agent.socket, extra)?;
    let mut client = lab.client_with(AgentChoice::Path(relay.socket.clone()));
    let done = client.run("web1", "echo in").await?;
    assert_eq!(done.stdout, "in\n", "{done:?}");
    let report = keys(&mut client, "web1").await?;
    assert_eq!(report.rows.len(), 1, "{report:?}");
    let notes = report.notes.join("\n");
    assert!(notes.contains("ssh-strange"), "{notes}");
    assert_eq!(notes.contains("PubkeyAcceptedAlgorithms"), old, "{notes}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hardware_key_signs_through_the_agent() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("web1", "", "")?;
    let agent = Agent::start(&lab.at(""), &[])?;
    let token = russh::keys::load_secret_key(lab.key(), None)?;
    fs::write(lab.authorized(), hardware_line(&token)?)?;
    let choice = AgentChoice::Path(lab.at("relay"));
    let done = lab.client_with(choice.clone()).run("web1", "true").await?;
    assert!(done.why().contains("does not let"), "no token: {done:?}");
    lab.configure("  IdentitiesOnly no")?;
    let extra = vec![Extra::Hardware(Box::new(token))];
    let relay = Relay::start(&lab.at("relay"), &agent.socket, extra)?;
    let mut client = lab.client_with(choice);
    let done = client.run("web1", "echo in").await?;
    assert_eq!(done.stdout, "in\n", "{done:?} {}", web.log.text());
    let report = keys(&mut client, "web1").await?;
    let row = report.rows.first().ok_or("a row")?;
    assert_eq!(row.algorithm, "sk-ssh-ed25519@openssh.com");
    let socket = relay.socket.clone();
    let inside = tokio::task::spawn_blocking(move || openssh(&lab, "web1", &socket)).await??;
    assert!(inside, "ssh too");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_key_files_are_passed_over() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.stranger("web1", "", "")?;
    lab.know(web.port, &web.host_key("ed25519")?)?;
    let whole = fs::read_to_string(lab.key())?;
    let half = whole.get(..whole.len() / 2).ok_or("a half")?;
    let files: [(&str, &[u8]); 5] = [
        ("empty", b""),
        ("half", half.as_bytes()),
        ("noise", &[0xff, 0, 0x1b, b'\n']),
        ("words", b"-----BEGIN OPENSSH PRIVATE KEY-----\nhello\n"),
        ("rsa1", b"SSH PRIVATE KEY FILE FORMAT 1.1\n\0\0"),
    ];
    let mut lines = String::new();
    for (name, bytes) in files {
        fs::write(lab.at(name), bytes)?;
        fs::set_permissions(lab.at(name), fs::Permissions::from_mode(0o600))?;
        lines.push_str(&format!("  IdentityFile {}\n", lab.at(name).display()));
    }
    // A broken public file beside a good key is worth nothing, and so is a broken certificate.
    fs::write(lab.at("login.pub"), "ssh-ed25519 AAAA broken\n")?;
    fs::write(
        lab.at("login-cert.pub"),
        "ssh-ed25519-cert-v01@openssh.com AAAA\n",
    )?;
    lab.host("web1", web.port, &lines)?;
    // The server's own list has broken lines before the good one.
    let good = fs::read_to_string(lab.authorized())?;
    fs::write(
        lab.authorized(),
        format!("ssh-ed25519 AAAAC3NzaC1lZ broken\nssh-rsa junk\n{good}"),
    )?;
    let mut client = lab.client();
    let done = client.run("web1", "echo in").await?;
    assert_eq!(done.stdout, "in\n", "{done:?}");
    let report = keys(&mut client, "web1").await?;
    assert_eq!(report.rows.len(), 1, "{report:?}");
    assert!(
        report
            .notes
            .iter()
            .filter(|note| note.contains("left out"))
            .count()
            >= 4
    );
    assert!(openssh(&lab, "web1", Path::new("/nonexistent"))?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_keys_are_told_before_and_after() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _web = lab.server("web1", "", "")?;
    let others: Vec<PathBuf> = (0..7)
        .map(|index| lab.at(&format!("other{index}")))
        .collect();
    for key in &others {
        keygen(key, "ed25519", "")?;
    }
    let all: Vec<&Path> = others.iter().map(AsRef::as_ref).collect();
    let agent = Agent::start(&lab.at(""), &all)?;
    let choice = AgentChoice::Path(agent.socket.clone());
    // With a pin the one key that is right comes alone.
    let mut client = lab.client_with(choice.clone());
    let report = keys(&mut client, "web1").await?;
    let row = report.rows.first().ok_or("a row")?;
    assert_eq!(
        (row.source, row.certificate, row.locked),
        (KeySource::File, false, false)
    );
    assert_eq!(row.name, lab.key().display().to_string());
    let printed = Command::new("ssh-keygen")
        .arg("-lf")
        .arg(lab.key())
        .output()?;
    assert!(String::from_utf8(printed.stdout)?.contains(&row.fingerprint));
    assert_eq!(
        (report.rows.len(), report.notes.len()),
        (1, 0),
        "{report:?}"
    );

    lab.configure("  IdentitiesOnly no")?;
    let mut client = lab.client_with(choice);
    let report = keys(&mut client, "web1").await?;
    assert_eq!(report.rows.len(), 8, "{report:?}");
    let sources: Vec<KeySource> = report.rows.iter().map(|row| row.source).collect();
    assert_eq!(sources.last(), Some(&KeySource::File), "files come last");
    assert!(
        report.notes.concat().contains("8 keys would be offered"),
        "{report:?}"
    );
    let done = client.run("web1", "true").await?;
    assert!(
        done.why().contains("Too many authentication failures"),
        "{done:?}"
    );
    assert!(done.why().contains("IdentitiesOnly yes"), "{done:?}");
    assert!(
        !openssh(&lab, "web1", &agent.socket)?,
        "ssh meets the same end"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_bound_to_a_destination_are_used_there_alone() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let one = lab.server("one", "  HostKeyAlias one", "")?;
    let two = lab.server("two", "  HostKeyAlias two", "")?;
    let known = format!(
        "one {}\ntwo {}\n",
        one.host_key("ed25519")?,
        two.host_key("ed25519")?
    );
    fs::write(lab.known_hosts(), known)?;
    let agent = Agent::start(&lab.at(""), &[])?;
    let added = Command::new("ssh-add")
        .args(["-q", "-h", "one", "-H"])
        .arg(lab.known_hosts())
        .arg(lab.key())
        .env("SSH_AUTH_SOCK", &agent.socket)
        .output()?;
    assert!(
        added.status.success(),
        "{}",
        String::from_utf8_lossy(&added.stderr)
    );
    fs::remove_file(lab.key())?;
    let choice = AgentChoice::Path(agent.socket.clone());
    let done = lab
        .client_with(choice.clone())
        .run("one", "echo in")
        .await?;
    assert_eq!(done.stdout, "in\n", "{done:?}");
    let done = lab.client_with(choice).run("two", "true").await?;
    assert!(done.why().contains("does not let"), "{done:?}");
    assert!(openssh(&lab, "one", &agent.socket)?);
    assert!(!openssh(&lab, "two", &agent.socket)?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_bound_to_destinations_pass_a_jump_host() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let bastion = lab.server("bastion", "  HostKeyAlias bastion", "")?;
    let web = lab.server("web", "  HostKeyAlias web\n  ProxyJump bastion", "")?;
    let known = format!(
        "bastion {}\nweb {}\n",
        bastion.host_key("ed25519")?,
        web.host_key("ed25519")?
    );
    fs::write(lab.known_hosts(), known)?;
    // The agent sees us at both doors ourselves, so each is a destination of its own; a way "from the bastion on" is for
    // an agent that was lent to it.
    for (destinations, inside) in [
        (&["bastion", "web"][..], true),
        (&["bastion"], false),
        (&["web"], false),
        (&["bastion", "bastion>web"], false),
    ] {
        let folder = tempfile::tempdir()?;
        let agent = Agent::start(folder.path(), &[])?;
        let mut add = Command::new("ssh-add");
        add.arg("-q").arg("-H").arg(lab.known_hosts());
        for destination in destinations {
            add.args(["-h", destination]);
        }
        let added = add.arg(lab.key()).env("SSH_AUTH_SOCK", &agent.socket);
        assert!(added.status()?.success(), "{destinations:?}");
        lab.configure(&format!("  IdentityFile {}", lab.at("login.pub").display()))?;
        let away = lab.at("away");
        fs::rename(lab.key(), &away)?;
        let choice = AgentChoice::Path(agent.socket.clone());
        let done = lab.client_with(choice).run("web", "echo in").await?;
        let theirs = openssh(&lab, "web", &agent.socket)?;
        fs::rename(&away, lab.key())?;
        assert_eq!(done.stdout == "in\n", inside, "{destinations:?}: {done:?}");
        assert_eq!(theirs, inside, "ssh: {destinations:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_identity_agent_stands_for_the_usual_one() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("web1", "", "")?;
    let agent = Agent::start(&lab.at(""), &[&lab.key()])?;
    fs::remove_file(lab.key())?;
    let usual = AgentChoice::Path(agent.socket.clone());
    for (line, choice, expected) in [
        ("none".to_owned(), usual.clone(), false),
        (lab.at("absent").display().to_string(), usual.clone(), false),
        ("SSH_AUTH_SOCK".to_owned(), usual.clone(), true),
        (agent.socket.display().to_string(), AgentChoice::None, true),
        ("$QD_NO_SUCH_VARIABLE".to_owned(), usual, false),
    ] {
        lab.host("web1", web.port, &format!("  IdentityAgent {line}"))?;
        let done = lab.client_with(choice).run("web1", "echo in").await?;
        assert_eq!(done.stdout == "in\n", expected, "{line}: {done:?}");
        assert_eq!(
            openssh(&lab, "web1", &agent.socket)?,
            expected,
            "ssh: {line}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn used_keys_go_to_the_agent_where_that_is_wanted() -> Result<(), Failed> {
    let lab = Lab::new()?;
    fs::remove_file(lab.key())?;
    keygen(&lab.key(), "ed25519", "open sesame")?;
    fs::copy(lab.at("login.pub"), lab.authorized())?;
    let web = lab.server("web1", "", "")?;
    for (value, agree, expected) in [
        ("no", None, false),
        ("ask", Some(Reply::No), false),
        ("ask", Some(Reply::Yes), true),
        ("yes", None, true),
        ("confirm 1h", None, true),
    ] {
        lab.host("web1", web.port, &format!("  AddKeysToAgent {value}"))?;
        let folder = tempfile::tempdir()?;
        let agent = Agent::start(folder.path(), &[])?;
        let choice = AgentChoice::Path(agent.socket.clone());
        let mut client = lab.client_with(choice.clone());
        let req = client.start("web1", asking());
        let mut replies = vec![Reply::Text("open sesame".to_owned().into())];
        replies.extend(agree);
        for reply in replies {
            let secret = matches!(reply, Reply::Text(_));
            let (id, kind) = client
                .until(|fact| match fact {
                    SshFact::Question { id, kind, .. } => Some((*id, kind.clone())),
                    _ => None,
                })
                .await?;
            let question = matches!(kind, QuestionKind::Secret { .. });
            assert_eq!(question, secret, "{value}: {kind:?}");
            client.engine.send(SshAsk::Answer {
                question: id,
                reply,
            });
        }
        assert_eq!(client.done(req).await?.stdout, "in\n", "{value}");
        let held = listed(&agent)?;
        assert_eq!(held.contains("(ED25519)"), expected, "{value}: {held}");
        // What went to the agent asks for no passphrase again; a key with `confirm` cannot be confirmed here.
        let done = lab.client_with(choice).run("web1", "echo in").await?;
        let silent = expected && !value.starts_with("confirm");
        assert_eq!(done.stdout == "in\n", silent, "{value}: {done:?}");
    }
    Ok(())
}
