//! Host keys: asked, accepted, refused, changed, revoked.

use std::fs;
use std::process::Command;

use quarterdeck::ssh::{ExecSpec, QuestionKind, Reply, SshAsk, SshFact};

use crate::support::lab::{Client, Failed, Lab};
use crate::support::sshd::keygen;

fn asking() -> ExecSpec {
    ExecSpec {
        interactive: true,
        ..ExecSpec::collect("echo in", 1000)
    }
}

async fn question(client: &mut Client, reply: Reply) -> Result<QuestionKind, Failed> {
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
async fn an_unknown_key_is_asked_about_and_written_down() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.stranger("web1", "  HashKnownHosts yes", "")?;
    fs::write(lab.known_hosts(), "# kept")?;
    let mut client = lab.client();
    let req = client.start("web1", asking());
    let kind = question(&mut client, Reply::Yes).await?;
    assert_eq!(client.done(req).await?.stdout, "in\n");
    let shown = Command::new("ssh-keygen")
        .arg("-lf")
        .arg(web.folder.join("host_ed25519.pub"))
        .output()?;
    let shown = String::from_utf8(shown.stdout)?;
    match kind {
        QuestionKind::HostKey {
            fingerprint, host, ..
        } => {
            assert!(shown.contains(&fingerprint), "{fingerprint} in {shown}");
            assert_eq!(host, format!("[127.0.0.1]:{}", web.port));
        }
        other => return Err(format!("{other:?}").into()),
    }
    let written = fs::read_to_string(lab.known_hosts())?;
    assert!(written.starts_with("# kept\n|1|"), "{written}");
    let found = Command::new("ssh-keygen")
        .args(["-F", &format!("[127.0.0.1]:{}", web.port), "-f"])
        .arg(lab.known_hosts())
        .output()?;
    assert!(found.status.success(), "ssh-keygen finds it too");
    let again = lab.client().run("web1", "echo again").await?;
    assert_eq!(again.stdout, "again\n", "another engine need not ask");
    assert_eq!(fs::read_to_string(lab.known_hosts())?, written);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_key_is_refused_in_the_background_and_when_declined() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.stranger("web1", "", "")?;
    let mut client = lab.client();
    let done = client.run("web1", "true").await?;
    assert!(done.why().contains("is not known"), "{done:?}");
    assert!(done.why().contains("SHA256:"), "{done:?}");
    let req = client.start("web1", asking());
    question(&mut client, Reply::No).await?;
    assert!(client.done(req).await?.why().contains("declined"));
    lab.host("web1", web.port, "  StrictHostKeyChecking yes")?;
    let req = client.start("web1", asking());
    assert!(client.done(req).await?.why().contains("is not known"));
    assert!(!lab.known_hosts().exists(), "nothing was written");
    assert_eq!(web.logins(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accept_new_takes_new_keys_and_no_changed_ones() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.stranger("web1", "  StrictHostKeyChecking accept-new", "")?;
    assert_eq!(lab.client().run("web1", "echo in").await?.stdout, "in\n");
    let written = fs::read_to_string(lab.known_hosts())?;
    assert_eq!(written.lines().count(), 1);

    let other = lab.at("other");
    keygen(&other, "ed25519", "")?;
    for strict in ["accept-new", "no", "ask", "yes"] {
        lab.host(
            "web1",
            web.port,
            &format!("  StrictHostKeyChecking {strict}"),
        )?;
        let key = fs::read_to_string(lab.at("other.pub"))?;
        fs::write(lab.known_hosts(), "# first\n")?;
        lab.know(web.port, key.trim())?;
        let before = fs::read_to_string(lab.known_hosts())?;
        let logins = web.logins();
        let mut client = lab.client();
        let req = client.start("web1", asking());
        let done = client.done(req).await?;
        let why = done.why();
        assert!(why.contains("has CHANGED"), "{strict}: {done:?}");
        assert_eq!(
            why.matches("SHA256:").count(),
            2,
            "both fingerprints: {why}"
        );
        assert!(why.contains("known_hosts:2"), "{why}");
        assert!(why.contains("ssh-keygen -f"), "{why}");
        assert_eq!(
            fs::read_to_string(lab.known_hosts())?,
            before,
            "nothing was written"
        );
        assert_eq!(web.logins(), logins);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_known_by_its_second_key_is_known() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.stranger("web1", "", "")?;
    lab.know(web.port, &web.host_key("ecdsa")?)?;
    let mut client = lab.client();
    assert_eq!(client.run("web1", "echo in").await?.stdout, "in\n");
    let algorithm = client
        .until(|fact| match fact {
            SshFact::Connected { info, .. } => Some(info.host_key.clone()),
            _ => None,
        })
        .await?;
    assert_eq!(algorithm, "ecdsa-sha2-nistp256");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoked_keys_and_unreadable_files_let_nobody_through() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("web1", "", "")?;
    let key = web.host_key("ed25519")?;
    let known = fs::read_to_string(lab.known_hosts())?;
    fs::write(lab.known_hosts(), format!("{known}@revoked * {key}\n"))?;
    let done = lab.client().run("web1", "true").await?;
    assert!(done.why().contains("is revoked by"), "{done:?}");
    fs::remove_file(lab.known_hosts())?;
    fs::create_dir(lab.known_hosts())?;
    let done = lab.client().run("web1", "true").await?;
    assert!(done.why().contains("cannot check the host key"), "{done:?}");
    assert_eq!(web.logins(), 0);
    Ok(())
}
