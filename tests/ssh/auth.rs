//! Logins: key files, agents, passphrases, refusals.

use std::fs;

use quarterdeck::domain::run::Exit;
use quarterdeck::ssh::{AgentChoice, ExecSpec, QuestionKind, Reply, SshAsk, SshFact};

use crate::support::lab::{Client, Failed, Lab};
use crate::support::scripted::Scripted;
use crate::support::sshd::{Agent, keygen};

fn asking(command: &str) -> ExecSpec {
    ExecSpec {
        interactive: true,
        ..ExecSpec::collect(command, 1000)
    }
}

async fn answer(client: &mut Client, reply: Reply) -> Result<QuestionKind, Failed> {
    let (id, kind) = client
        .until(|fact| match fact {
            SshFact::Question { id, kind, .. } => Some((*id, kind.clone())),
            _ => None,
        })
        .await?;
    client.engine.send(SshAsk::Answer {
        question: id,
        reply,
    });
    Ok(kind)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_agent_signs() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("web1", "", "")?;
    let agent = Agent::start(lab.at("").as_path(), &[&lab.key()])?;
    // Only the public half is left on disk: it pins the agent's key.
    fs::remove_file(lab.key())?;
    let mut client = lab.client_with(AgentChoice::Path(agent.socket.clone()));
    assert_eq!(client.run("web1", "echo in").await?.stdout, "in\n");
    let auth = client
        .until(|fact| match fact {
            SshFact::Connected { info, .. } => Some(info.auth.clone()),
            _ => None,
        })
        .await?;
    assert!(auth.contains("of the agent"), "{auth}");
    assert_eq!(web.logins(), 1);
    let done = lab.client().run("web1", "true").await?;
    assert!(
        done.why().contains("does not let"),
        "without an agent: {done:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identities_only_hides_the_other_keys_of_the_agent() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("web1", "", "MaxAuthTries 2")?;
    let keys: Vec<_> = (0..6)
        .map(|index| lab.at(&format!("other{index}")))
        .collect();
    for key in &keys {
        keygen(key, "ed25519", "")?;
    }
    let mut all: Vec<&std::path::Path> = keys.iter().map(AsRef::as_ref).collect();
    let login = lab.key();
    all.push(&login);
    let agent = Agent::start(lab.at("").as_path(), &all)?;
    let choice = AgentChoice::Path(agent.socket.clone());
    let done = lab
        .client_with(choice.clone())
        .run("web1", "echo in")
        .await?;
    assert_eq!(done.stdout, "in\n", "{done:?}");
    assert!(!web.log.text().contains("Failed publickey"));

    // Without a pin the server hangs up after two of them, and we say what to do.
    lab.configure("  IdentitiesOnly no\n  IdentityFile /nonexistent")?;
    let keys_only = fs::read_to_string(lab.config())?
        .replace(&format!("  IdentityFile {}\n", lab.key().display()), "");
    fs::write(lab.config(), keys_only)?;
    let done = lab.client_with(choice).run("web1", "true").await?;
    assert!(done.why().contains("does not let"), "{done:?}");
    assert!(done.why().contains("of the agent"), "{done:?}");

    // A key that would open the door, and that nobody named, is not even shown.
    let first = keys.first().ok_or("six keys")?.with_extension("pub");
    fs::copy(first, lab.authorized())?;
    for (line, inside) in [("yes", false), ("no", true)] {
        lab.configure(&format!("  IdentitiesOnly {line}"))?;
        let choice = AgentChoice::Path(agent.socket.clone());
        let done = lab.client_with(choice).run("web1", "echo in").await?;
        assert_eq!(done.stdout == "in\n", inside, "{line}: {done:?}");
        assert!(!done.why().contains("other"), "{line}: {done:?}");
        let theirs = std::process::Command::new("ssh")
            .args(["-o", "BatchMode=yes", "-F"])
            .arg(lab.config())
            .args(["web1", "echo in"])
            .env("SSH_AUTH_SOCK", &agent.socket)
            .output()?;
        assert_eq!(theirs.stdout == b"in\n", inside, "ssh: {line}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passphrase_is_asked_for_only_where_a_person_is() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _web = lab.server("web1", "", "")?;
    fs::remove_file(lab.key())?;
    fs::remove_file(lab.at("login.pub"))?;
    keygen(&lab.key(), "ed25519", "open sesame")?;
    fs::copy(lab.at("login.pub"), lab.authorized())?;
    let mut client = lab.client();
    let done = client.run("web1", "true").await?;
    assert!(done.why().contains("locked by a passphrase"), "{done:?}");
    assert!(done.why().contains("a person must answer"), "{done:?}");

    let req = client.start("web1", asking("echo in"));
    let kind = answer(&mut client, Reply::Text("wrong".to_owned().into())).await?;
    assert!(
        matches!(&kind, QuestionKind::Secret { prompt } if prompt.contains("login")),
        "{kind:?}"
    );
    answer(&mut client, Reply::Text("open sesame".to_owned().into())).await?;
    assert_eq!(client.done(req).await?.stdout, "in\n");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_the_server_does_not_want_costs_no_passphrase() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _web = lab.server("web1", "", "")?;
    fs::write(lab.authorized(), "")?;
    fs::remove_file(lab.key())?;
    keygen(&lab.key(), "ed25519", "open sesame")?;
    let mut client = lab.client();
    let req = client.start("web1", asking("true"));
    let done = client.done(req).await?;
    assert!(done.why().contains("does not let"), "{done:?}");
    let asked = client
        .seen
        .iter()
        .any(|fact| matches!(fact, SshFact::Question { .. }));
    assert!(!asked);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_keys_may_be_wanted() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _web = lab.server("web1", "", "AuthenticationMethods publickey,publickey")?;
    let done = lab.client().run("web1", "true").await?;
    assert!(done.why().contains("right, but not enough"), "{done:?}");
    let second = lab.at("second");
    keygen(&second, "ecdsa", "")?;
    let both = fs::read_to_string(lab.authorized())? + &fs::read_to_string(lab.at("second.pub"))?;
    fs::write(lab.authorized(), both)?;
    lab.configure(&format!("  IdentityFile {}", second.display()))?;
    let done = lab.client().run("web1", "echo in").await?;
    assert_eq!((done.exit, done.stdout.as_str()), (Exit::Code(0), "in\n"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rsa_keys_sign_with_a_modern_hash() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("web1", "", "")?;
    fs::remove_file(lab.key())?;
    keygen(&lab.key(), "rsa", "")?;
    fs::copy(lab.at("login.pub"), lab.authorized())?;
    assert_eq!(lab.client().run("web1", "echo in").await?.stdout, "in\n");
    assert!(web.log.text().contains("Accepted publickey"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_asked_for_and_its_failure_told() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _web = lab.server(
        "web1",
        "  PubkeyAuthentication no\n  NumberOfPasswordPrompts 2",
        "PasswordAuthentication yes",
    )?;
    let mut client = lab.client();
    let background = client.run("web1", "true").await?;
    assert!(
        background.why().contains("nobody may be asked"),
        "{background:?}"
    );
    let req = client.start("web1", asking("true"));
    for _ in 0..2 {
        let kind = answer(
            &mut client,
            Reply::Text("certainly not it".to_owned().into()),
        )
        .await?;
        assert!(matches!(kind, QuestionKind::Secret { .. }));
    }
    let done = client.done(req).await?;
    assert!(done.why().contains("Tried: password; password"), "{done:?}");
    let printed = format!("{:?}", client.seen);
    assert!(!printed.contains("certainly"), "no secret is printed");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_then_a_password_then_a_code_then_an_empty_request() -> Result<(), Failed> {
    let lab = Lab::new()?;
    keygen(&lab.at("scripted"), "ed25519", "")?;
    let server = Scripted::start(&lab.at("scripted")).await?;
    lab.know(server.port, &server.key)?;
    lab.host("web1", server.port, "")?;
    let mut client = lab.client();
    let background = client.run("web1", "x").await?;
    assert!(
        background.why().contains("right, but not enough"),
        "{background:?}"
    );
    assert!(
        background.why().contains("nobody may be asked"),
        "{background:?}"
    );

    let req = client.start("web1", asking("x"));
    let kind = answer(&mut client, Reply::Text("hunter2".to_owned().into())).await?;
    let whole = "Two steps\nBoth, please.\nPassword:";
    assert!(
        matches!(&kind, QuestionKind::Secret { prompt } if prompt == whole),
        "{kind:?}"
    );
    let kind = answer(&mut client, Reply::Text("123456".to_owned().into())).await?;
    assert!(matches!(kind, QuestionKind::Text { .. }), "{kind:?}");
    let done = client.done(req).await?;
    assert_eq!(done.stdout, "in", "{done:?}");

    // The connection is up; what the device does with commands is another matter.
    let done = client.run("web1", "no status").await?;
    assert!(done.why().contains("without an exit status"), "{done:?}");
    assert_eq!(done.stdout, "done");
    let done = client.run("web1", "refused").await?;
    assert!(
        done.why().contains("refused to run the command"),
        "{done:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_of_a_command_that_was_cancelled_can_still_be_answered() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _web = lab.stranger("web1", "", "")?;
    let mut client = lab.client();
    let first = client.start("web1", asking("echo first"));
    let id = client
        .until(|fact| match fact {
            SshFact::Question { id, .. } => Some(*id),
            _ => None,
        })
        .await?;
    // Whoever waits for the same connection is not harmed by another's impatience.
    let second = client.start("web1", asking("echo second"));
    client.engine.send(SshAsk::Cancel { req: first });
    assert_eq!(client.done(first).await?.exit, Exit::Cancelled);
    client.engine.send(SshAsk::Answer {
        question: id,
        reply: Reply::Yes,
    });
    assert_eq!(client.done(second).await?.stdout, "second\n");
    client.engine.send(SshAsk::Answer {
        question: id,
        reply: Reply::Yes,
    });
    client
        .until(|fact| match fact {
            SshFact::Refused { why, .. } => Some(why.clone()),
            _ => None,
        })
        .await?;
    Ok(())
}
