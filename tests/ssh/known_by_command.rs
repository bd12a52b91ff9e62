//! Host keys that a program of the user's knows: what OpenSSH's own scenario knownhosts-command asserts, for us and `ssh`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use quarterdeck::ssh::{ExecSpec, QuestionKind, SshFact};

use crate::support::lab::{Failed, Lab};
use crate::support::sshd::keygen;

fn openssh(lab: &Lab) -> Result<bool, Failed> {
    let out = Command::new("ssh")
        .args(["-o", "BatchMode=yes", "-F"])
        .arg(lab.config())
        .args(["web1", "echo in"])
        .output()?;
    Ok(out.stdout == b"in\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_knows_keys() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.stranger("web1", "", "")?;
    let script = lab.at("my known");
    let line = format!(
        "  StrictHostKeyChecking yes\n  UserKnownHostsFile /dev/null\n  KnownHostsCommand \"{}\" %I %H %t %f %K %p %n %%",
        script.display()
    );
    lab.host("web1", web.port, &line)?;
    let log = lab.at("log");
    let name = format!("[127.0.0.1]:{}", web.port);
    let key = web.host_key("ed25519")?;
    keygen(&lab.at("other"), "ed25519", "")?;
    let other = fs::read_to_string(lab.at("other.pub"))?;
    let cases = [
        (format!("echo '{name} {key}'"), true, ""),
        (format!("echo '* {key}'"), true, ""),
        (
            format!("[ $1 = HOSTNAME ] && echo '{name} {key}'; true"),
            true,
            "",
        ),
        ("true".to_owned(), false, "is not known"),
        (format!("echo 'elsewhere {key}'"), false, "is not known"),
        (
            format!("[ $1 = ORDER ] && echo '{name} {key}'; true"),
            false,
            "is not known",
        ),
        (
            format!("echo '{name} {}'", other.trim()),
            false,
            "has CHANGED",
        ),
        (
            format!("echo '{name} {key}'; echo '@revoked * {key}'"),
            false,
            "is revoked",
        ),
        (
            format!("echo '{name} {key}'; exit 1"),
            false,
            "KnownHostsCommand failed",
        ),
    ];
    for (body, expected, why) in &cases {
        fs::write(
            &script,
            format!("#!/bin/sh\necho \"$@\" >>{}\n{body}\n", log.display()),
        )?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o700))?;
        let done = lab.client().run("web1", "echo in").await?;
        assert_eq!(done.stdout == "in\n", *expected, "{body}: {done:?}");
        assert!(done.why().contains(why), "{body}: {done:?}");
        assert_eq!(openssh(&lab)?, *expected, "ssh: {body}");
    }
    // Both gave it the same words.
    let words = fs::read_to_string(&log)?;
    let mut lines: Vec<&str> = words.lines().collect();
    lines.sort_unstable();
    lines.dedup();
    let port = web.port;
    let fingerprint = russh::keys::PublicKey::from_openssh(&key)?
        .fingerprint(russh::keys::HashAlg::Sha256)
        .to_string();
    let blob = key.split_whitespace().nth(1).ok_or("a key")?;
    assert_eq!(
        lines,
        [
            format!("HOSTNAME {name} ssh-ed25519 {fingerprint} {blob} {port} web1 %"),
            // OpenSSH puts algorithms in order by the name without its port; we ask for the name that is looked up.
            format!("ORDER 127.0.0.1 NONE NONE NONE {port} web1 %"),
            format!("ORDER {name} NONE NONE NONE {port} web1 %"),
        ]
    );
    lab.host("web1", web.port, "  KnownHostsCommand relative/path")?;
    let done = lab.client().run("web1", "true").await?;
    assert!(done.why().contains("whole path"), "{done:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_key_is_a_fact_besides_the_error() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.stranger("web1", "", "")?;
    keygen(&lab.at("other"), "ed25519", "")?;
    let other = fs::read_to_string(lab.at("other.pub"))?;
    fs::write(lab.known_hosts(), "# first\n")?;
    lab.know(web.port, other.trim())?;
    let mut client = lab.client();
    let asking = ExecSpec {
        interactive: true,
        ..ExecSpec::collect("true", 1000)
    };
    let req = client.start("web1", asking);
    let done = client.done(req).await?;
    let facts: Vec<_> = client
        .seen
        .iter()
        .filter_map(|fact| match fact {
            SshFact::KeyChanged {
                target,
                host,
                file,
                line,
                known,
                shown,
                ..
            } => Some((target, host, file, *line, known, shown)),
            _ => None,
        })
        .collect();
    let [(target, host, file, line, known, shown)] = facts.as_slice() else {
        return Err(format!("once: {:?}", client.seen).into());
    };
    assert_eq!(target.name, "web1");
    assert_eq!(**host, format!("[127.0.0.1]:{}", web.port));
    assert_eq!((file.as_path(), *line), (lab.known_hosts().as_path(), 2));
    assert!(known.starts_with("ssh-ed25519 SHA256:") && known != shown);
    assert!(done.why().contains(known.as_str()), "{done:?}");
    assert!(done.why().contains(shown.as_str()), "{done:?}");
    let asked = client.seen.iter().any(|fact| {
        matches!(
            fact,
            SshFact::Question {
                kind: QuestionKind::HostKey { .. },
                ..
            }
        )
    });
    assert!(!asked, "a changed key is no question");
    Ok(())
}
