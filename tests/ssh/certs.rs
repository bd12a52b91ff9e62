//! Certificates of hosts and users: what OpenSSH's own scenarios cert-hostkey and cert-userkey assert, for us and for `ssh`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use quarterdeck::ssh::{AgentChoice, ExecSpec, Reply, SshAsk, SshFact};

use crate::support::lab::{Client, Failed, Lab};
use crate::support::quiz::{Quiz, Wants};
use crate::support::sshd::{Agent, Sshd, keygen};

/// Runs ssh-keygen in the lab's folder.
fn make(lab: &Lab, arguments: &[&str]) -> Result<(), Failed> {
    let done = Command::new("ssh-keygen")
        .arg("-q")
        .args(arguments)
        .current_dir(lab.at(""))
        .output()?;
    if done.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&done.stderr).into_owned().into())
    }
}

fn public(path: &Path) -> Result<String, Failed> {
    let text = fs::read_to_string(path.with_extension("pub"))?;
    let words: Vec<&str> = text.split_whitespace().take(2).collect();
    Ok(words.join(" "))
}

/// Whether the system's ssh gets in, asking nobody.
fn openssh(lab: &Lab, host: &str, agent: Option<&Path>) -> Result<bool, Failed> {
    let mut ssh = Command::new("ssh");
    ssh.args(["-o", "BatchMode=yes", "-F"]).arg(lab.config());
    ssh.args([host, "echo in"]).env_remove("SSH_AUTH_SOCK");
    if let Some(socket) = agent {
        ssh.env("SSH_AUTH_SOCK", socket);
    }
    Ok(ssh.output()?.stdout == b"in\n")
}

/// A server with a certificate for its key, made with `signing`.
fn certified(lab: &Lab, name: &str, signing: &[&str]) -> Result<Sshd, Failed> {
    let folder = lab.at(&format!("server-{name}"));
    fs::create_dir_all(&folder)?;
    let key = folder.join("host_ed25519");
    keygen(&key, "ed25519", "")?;
    let public = format!("{}.pub", key.display());
    make(
        lab,
        &[&["-I", "the-host"][..], signing, &[&public]].concat(),
    )?;
    let line = format!("HostCertificate {}-cert.pub", key.display());
    lab.stranger(name, "", &line)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authority_vouches_for_hosts() -> Result<(), Failed> {
    let lab = Lab::new()?;
    for ca in ["ca", "other"] {
        keygen(&lab.at(ca), "ed25519", "")?;
    }
    let (ca, other) = (public(&lab.at("ca"))?, public(&lab.at("other"))?);
    let window = "20200101:20400101";
    let signings: [(&str, &[&str]); 6] = [
        (
            "good",
            &["-s", "ca", "-h", "-V", window, "-n", "db1,127.0.0.1"],
        ),
        ("wrong", &["-s", "ca", "-h", "-n", "db1"]),
        ("old", &["-s", "ca", "-h", "-V", "20200101:20210101"]),
        ("young", &["-s", "ca", "-h", "-V", "20400101:20410101"]),
        ("user", &["-s", "ca", "-n", "127.0.0.1"]),
        ("odd", &["-s", "ca", "-h", "-O", "critical:odd=1"]),
    ];
    let mut servers = Vec::new();
    for (name, signing) in signings {
        servers.push(certified(&lab, name, signing)?);
    }
    let good = servers.first().ok_or("a server")?;
    let key = good.host_key("ed25519")?;
    let wrong_key = servers.get(1).ok_or("a server")?.host_key("ed25519")?;
    let all = format!("@cert-authority * {ca}\n");
    let cases: [(&str, String, &str, &str); 15] = [
        ("good", all.clone(), "", ""),
        (
            "good",
            format!("@cert-authority [127.0.0.1]:* {ca}\n"),
            "",
            "",
        ),
        ("good", format!("@cert-authority 127.0.0.1 {ca}\n"), "", ""),
        ("good", all.clone(), "HostKeyAlias db1", ""),
        (
            "good",
            all.clone(),
            "HostKeyAlias db2",
            "it is for db1, 127.0.0.1, not for db2",
        ),
        (
            "good",
            format!("@cert-authority db* {ca}\n"),
            "",
            "is not known",
        ),
        (
            "good",
            format!("@cert-authority * {other}\n"),
            "",
            "of an authority that is not known",
        ),
        (
            "good",
            format!("{all}@revoked * {ca}\n"),
            "",
            "which revokes its authority",
        ),
        (
            "good",
            format!("{all}@revoked * {key}\n"),
            "",
            "is revoked by",
        ),
        ("wrong", all.clone(), "", "it is for db1, not for 127.0.0.1"),
        ("old", all.clone(), "", "it expired on 2021-01-01"),
        ("young", all.clone(), "", "not yet valid"),
        ("user", all.clone(), "", "it is for a user, not for a host"),
        ("odd", all.clone(), "", "critical options"),
        // The plain key is known besides, so the certificate's fault is only told.
        ("wrong", format!("{all}127.0.0.1 {wrong_key}\n"), "", ""),
    ];
    for (name, known, line, expected) in cases {
        let port = servers
            .iter()
            .find(|server| server.folder.ends_with(format!("server-{name}")))
            .map(|server| server.port)
            .ok_or("no such server")?;
        lab.host(
            name,
            port,
            &format!("  StrictHostKeyChecking yes\n  {line}"),
        )?;
        fs::write(lab.known_hosts(), &known)?;
        let done = lab.client().run(name, "echo in").await?;
        let what = format!("{name} {line} with {known}: {done:?}");
        assert_eq!(done.stdout == "in\n", expected.is_empty(), "{what}");
        assert!(done.why().contains(expected), "{what}");
        assert_eq!(
            openssh(&lab, name, None)?,
            expected.is_empty(),
            "ssh: {what}"
        );
        assert_eq!(fs::read_to_string(lab.known_hosts())?, known, "{what}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flawed_certificate_is_never_accepted_as_new() -> Result<(), Failed> {
    let lab = Lab::new()?;
    keygen(&lab.at("ca"), "ed25519", "")?;
    let web = certified(&lab, "web1", &["-s", "ca", "-h", "-n", "db1"])?;
    let known = format!("@cert-authority * {}\n", public(&lab.at("ca"))?);
    fs::write(lab.known_hosts(), &known)?;
    lab.host("web1", web.port, "  StrictHostKeyChecking accept-new")?;
    let done = lab.client().run("web1", "true").await?;
    assert!(done.why().contains("is not accepted"), "{done:?}");
    assert_eq!(fs::read_to_string(lab.known_hosts())?, known);
    // An authority that nobody named says nothing: the key is new as any other.
    keygen(&lab.at("other"), "ed25519", "")?;
    let known = format!("@cert-authority * {}\n", public(&lab.at("other"))?);
    fs::write(lab.known_hosts(), &known)?;
    let done = lab.client().run("web1", "echo in").await?;
    assert_eq!(done.stdout, "in\n", "{done:?}");
    let written = fs::read_to_string(lab.known_hosts())?;
    assert!(
        written.ends_with(&format!("{}\n", web.host_key("ed25519")?)),
        "{written}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_revoke_keys_and_certificates() -> Result<(), Failed> {
    let lab = Lab::new()?;
    for ca in ["ca", "other"] {
        keygen(&lab.at(ca), "ed25519", "")?;
    }
    let web = certified(&lab, "web1", &["-s", "ca", "-h", "-z", "37"])?;
    let ca = public(&lab.at("ca"))?;
    let key = web.host_key("ed25519")?;
    fs::write(lab.at("key.pub"), &key)?;
    let odd: String = (1..200)
        .step_by(2)
        .map(|n| format!("serial: {n}\n"))
        .collect();
    let even: String = (2..200)
        .step_by(2)
        .map(|n| format!("serial: {n}\n"))
        .collect();
    let hash = Command::new("ssh-keygen")
        .args(["-l", "-f"])
        .arg(lab.at("key.pub"))
        .output()?;
    let hash = String::from_utf8(hash.stdout)?;
    let hash = hash.split_whitespace().nth(1).ok_or("a fingerprint")?;
    let krl = |name: &str, spec: &str, ca: &[&str]| -> Result<PathBuf, Failed> {
        fs::write(lab.at("spec"), spec)?;
        make(&lab, &[&["-k", "-f", name][..], ca, &["spec"]].concat())?;
        Ok(lab.at(name))
    };
    let by_ca: &[&str] = &["-s", "ca.pub"];
    let cases = [
        (krl("serial", "serial: 37\n", by_ca)?, "serial number 37"),
        (krl("other", "serial: 38\nserial: 1000\n", by_ca)?, ""),
        // A short range becomes a bitmap, a long one stays a range.
        (krl("short", "serial: 30-40\n", by_ca)?, "serial number 37"),
        (
            krl("range", "serial: 37-4000000\n", by_ca)?,
            "serial number 37",
        ),
        (krl("beyond", "serial: 38-4000000\n", by_ca)?, ""),
        (krl("foreign", "serial: 37\n", &["-s", "other.pub"])?, ""),
        (krl("bitmap", &odd, by_ca)?, "serial number 37"),
        (krl("holes", &even, by_ca)?, ""),
        (krl("id", "id: the-host\n", by_ca)?, "key id"),
        (krl("key", &format!("key: {key}\n"), &[])?, "the key itself"),
        (krl("sha1", &format!("sha1: {key}\n"), &[])?, "SHA-1"),
        (krl("sha256", &format!("hash: {hash}\n"), &[])?, "SHA-256"),
        (
            krl("authority", &format!("key: {ca}\n"), &[])?,
            "revokes its authority",
        ),
        (lab.at("key.pub"), "key.pub:1"),
    ];
    for (file, expected) in &cases {
        let line = format!("  RevokedHostKeys {}", file.display());
        lab.host("web1", web.port, &line)?;
        // Once by its certificate, and where keys are revoked, by its plain key too.
        fs::write(lab.known_hosts(), format!("@cert-authority * {ca}\n"))?;
        let done = lab.client().run("web1", "echo in").await?;
        assert_eq!(
            done.stdout == "in\n",
            expected.is_empty(),
            "{file:?} {done:?}"
        );
        assert!(done.why().contains(expected), "{file:?} {done:?}");
        assert_eq!(
            openssh(&lab, "web1", None)?,
            expected.is_empty(),
            "{file:?}"
        );
    }
    fs::write(lab.known_hosts(), "")?;
    lab.know(web.port, &key)?;
    for name in ["key", "sha1", "sha256"] {
        lab.host(
            "web1",
            web.port,
            &format!("  RevokedHostKeys {}", lab.at(name).display()),
        )?;
        let done = lab.client().run("web1", "true").await?;
        assert!(done.why().contains("is revoked by"), "{name} {done:?}");
        assert!(!openssh(&lab, "web1", None)?, "{name}");
    }
    // A list that cannot be understood may revoke everything.
    let mut whole = fs::read(lab.at("serial"))?;
    whole.truncate(whole.len() - 3);
    fs::write(lab.at("serial"), whole)?;
    lab.host(
        "web1",
        web.port,
        &format!("  RevokedHostKeys {}", lab.at("serial").display()),
    )?;
    let done = lab.client().run("web1", "true").await?;
    assert!(done.why().contains("cut off"), "{done:?}");
    assert!(!openssh(&lab, "web1", None)?);
    Ok(())
}

/// A server that lets in whom the authority `ca` vouches for, and nobody else.
fn trusting(lab: &Lab) -> Result<Sshd, Failed> {
    let lines = format!(
        "TrustedUserCAKeys {}\nAuthorizedKeysFile none",
        lab.at("ca.pub").display()
    );
    lab.server("web1", "", &lines)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authority_vouches_for_users() -> Result<(), Failed> {
    let lab = Lab::new()?;
    for ca in ["ca", "other"] {
        keygen(&lab.at(ca), "ed25519", "")?;
    }
    let web = trusting(&lab)?;
    let user = std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
    let signings: [(&[&str], bool); 6] = [
        (&["-s", "ca", "-n", &user], true),
        (&["-s", "ca", "-n", "somebody"], false),
        (&["-s", "ca", "-n", &user, "-V", "20200101:20210101"], false),
        (&["-s", "ca", "-n", &user, "-V", "20400101:20410101"], false),
        (
            &["-s", "ca", "-n", &user, "-O", "source-address=10.9.8.7"],
            false,
        ),
        (&["-s", "other", "-n", &user], false),
    ];
    for kind in ["ed25519", "ecdsa", "rsa"] {
        fs::remove_file(lab.key())?;
        fs::remove_file(lab.at("login.pub"))?;
        keygen(&lab.key(), kind, "")?;
        for (signing, expected) in signings {
            make(&lab, &[&["-I", "me"][..], signing, &["login.pub"]].concat())?;
            let done = lab.client().run("web1", "echo in").await?;
            assert_eq!(
                done.stdout == "in\n",
                expected,
                "{kind} {signing:?} {done:?}"
            );
            if !expected {
                let tried = "certificate beside key file";
                assert!(done.why().contains(tried), "{kind} {signing:?} {done:?}");
            }
            if kind == "ed25519" {
                assert_eq!(openssh(&lab, "web1", None)?, expected, "{signing:?}");
            }
        }
    }
    assert!(web.log.text().contains("Accepted publickey"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_and_its_key_may_lie_apart() -> Result<(), Failed> {
    let lab = Lab::new()?;
    keygen(&lab.at("ca"), "ed25519", "")?;
    let web = trusting(&lab)?;
    let user = std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
    for kind in ["ed25519", "rsa"] {
        let key = lab.at(&format!("held-{kind}"));
        keygen(&key, kind, "")?;
        let public = format!("held-{kind}.pub");
        // First the plain key alone goes to the agent, then the certificate with it.
        let folder = tempfile::tempdir()?;
        let agent = Agent::start(folder.path(), &[&key])?;
        make(&lab, &["-I", "me", "-s", "ca", "-n", &user, &public])?;
        let cert = lab.at(&format!("held-{kind}-cert.pub"));
        let away = lab.at(&format!("away-{kind}.pub"));
        let choice = AgentChoice::Path(agent.socket.clone());
        fs::rename(&cert, &away)?;
        lab.host(
            "web1",
            web.port,
            &format!("  CertificateFile {}", away.display()),
        )?;
        let done = lab
            .client_with(choice.clone())
            .run("web1", "echo in")
            .await?;
        assert_eq!(done.stdout, "in\n", "{kind}: {done:?}");
        // OpenSSH wants the key named too.
        let both = format!(
            "  CertificateFile {}\n  IdentityFile {}",
            away.display(),
            lab.at(&public).display()
        );
        lab.host("web1", web.port, &both)?;
        let done = lab
            .client_with(choice.clone())
            .run("web1", "echo in")
            .await?;
        assert_eq!(done.stdout, "in\n", "{kind}: {done:?}");
        assert!(openssh(&lab, "web1", Some(&agent.socket))?);
        // Without the certificate the key is worth nothing.
        lab.host("web1", web.port, "  IdentitiesOnly no")?;
        let done = lab.client_with(choice.clone()).run("web1", "true").await?;
        assert!(done.why().contains("does not let"), "{done:?}");
        fs::rename(&away, &cert)?;
        let added = Command::new("ssh-add")
            .arg("-q")
            .arg(&key)
            .env("SSH_AUTH_SOCK", &agent.socket)
            .status()?;
        assert!(added.success());
        fs::remove_file(&cert)?;
        let done = lab
            .client_with(choice.clone())
            .run("web1", "echo in")
            .await?;
        assert_eq!(done.stdout, "in\n", "{kind}: {done:?}");
        assert!(openssh(&lab, "web1", Some(&agent.socket))?);
        // Who only wants keys that are named gets no others, not even certificates.
        lab.host("web1", web.port, "")?;
        let done = lab.client_with(choice).run("web1", "true").await?;
        assert!(done.why().contains("does not let"), "{done:?}");
        assert!(!openssh(&lab, "web1", Some(&agent.socket))?);
    }
    Ok(())
}

async fn passphrase(client: &mut Client) -> Result<(), Failed> {
    let id = client
        .until(|fact| match fact {
            SshFact::Question { id, .. } => Some(*id),
            _ => None,
        })
        .await?;
    client.engine.send(SshAsk::Answer {
        question: id,
        reply: Reply::Text("open sesame".to_owned().into()),
    });
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_key_with_a_certificate_is_opened_once() -> Result<(), Failed> {
    let lab = Lab::new()?;
    keygen(&lab.at("ca"), "ed25519", "")?;
    let _web = trusting(&lab)?;
    let user = std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
    fs::remove_file(lab.key())?;
    keygen(&lab.key(), "ed25519", "open sesame")?;
    make(&lab, &["-I", "me", "-s", "ca", "-n", &user, "login.pub"])?;
    let mut client = lab.client();
    let asking = ExecSpec {
        interactive: true,
        ..ExecSpec::collect("echo in", 1000)
    };
    let req = client.start("web1", asking.clone());
    // The server wants the certificate, not the plain key that is offered before it.
    passphrase(&mut client).await?;
    assert_eq!(client.done(req).await?.stdout, "in\n");
    let asked = |fact: &SshFact| matches!(fact, SshFact::Question { .. });
    assert!(!client.seen.iter().any(asked), "one question");

    // A server that wants the plain key, and then not, gets the certificate without a second question.
    let wants = Wants {
        certificate: true,
        ..Wants::default()
    };
    keygen(&lab.at("quiz"), "ed25519", "")?;
    let picky = Quiz::start(&lab.at("quiz"), wants).await?;
    lab.know(picky.port, &picky.key)?;
    lab.host("picky", picky.port, "")?;
    let req = client.start("picky", asking);
    passphrase(&mut client).await?;
    assert_eq!(client.done(req).await?.stdout, "in\n");
    assert!(!client.seen.iter().any(asked), "one question");
    Ok(())
}
