//! Which candidates come from which files and agents, in which order.

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use russh::keys::load_public_key;

use super::*;

fn keygen(path: &Path, passphrase: &str) -> Result<(), Box<dyn Error>> {
    let done = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-C", "me", "-N", passphrase, "-f"])
        .arg(path)
        .output()?;
    assert!(done.status.success());
    Ok(())
}

/// Signs `key`.pub with `ca`; the certificate lies beside the key.
fn certify(ca: &Path, key: &Path, more: &[&str]) -> Result<(), Box<dyn Error>> {
    let mut public = key.as_os_str().to_owned();
    public.push(".pub");
    let done = Command::new("ssh-keygen")
        .args(["-q", "-I", "id", "-n", "me", "-s"])
        .arg(ca)
        .args(more)
        .arg(public)
        .output()?;
    assert!(done.status.success());
    Ok(())
}

fn labels(candidates: &[Candidate]) -> Vec<String> {
    candidates
        .iter()
        .map(|candidate| {
            let kind = match candidate.shown {
                Shown::Certificate(_) => "certificate ",
                Shown::Key(_) | Shown::Unknown => "",
            };
            match (&candidate.from, &candidate.holder) {
                (Some(path), Holder::Agent(_)) => format!("{kind}{} by agent", name(path)),
                (Some(path), _) => format!("{kind}{}", name(path)),
                (None, Holder::Agent(identity)) => format!("{kind}agent {}", identity.comment()),
                (None, Holder::File(path, _)) => format!("{kind}file {}", name(path)),
                (None, Holder::Locked(path)) => format!("{kind}locked {}", name(path)),
            }
        })
        .collect()
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

#[test]
fn files_are_read_for_what_they_are() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    keygen(&at("plain"), "")?;
    keygen(&at("locked"), "secret")?;
    keygen(&at("open"), "")?;
    fs::set_permissions(at("open"), fs::Permissions::from_mode(0o644))?;
    fs::write(at("junk"), "hello")?;
    fs::write(at("cut"), "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n")?;
    fs::set_permissions(at("cut"), fs::Permissions::from_mode(0o600))?;
    let paths = [
        "plain",
        "locked",
        "plain.pub",
        "open",
        "junk",
        "cut",
        "absent",
    ]
    .map(at);
    let files = files::read(&paths, &[]);
    assert_eq!(files.notes.len(), 3, "{:?}", files.notes);
    assert!(files.notes.iter().any(|note| note.contains("chmod 600")));
    let list = arrange(Vec::new(), files, false);
    assert_eq!(labels(&list), ["file plain", "locked locked"]);
    assert!(unlock(&at("locked"), "secret").is_ok());
    assert!(unlock(&at("locked"), "wrong").is_err());
    Ok(())
}

#[test]
fn the_order_is_that_of_openssh() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    for key in ["a", "b", "c"] {
        keygen(&at(key), "")?;
    }
    let identity = |name: &str| -> Result<AgentIdentity, Box<dyn Error>> {
        Ok(AgentIdentity::PublicKey {
            key: load_public_key(at(&format!("{name}.pub")))?,
            comment: name.to_owned(),
        })
    };
    let agent = || -> Result<Vec<AgentIdentity>, Box<dyn Error>> {
        Ok(vec![identity("c")?, identity("b")?])
    };
    let files = |names: &[&str]| {
        let paths: Vec<PathBuf> = names.iter().map(|name| at(name)).collect();
        files::read(&paths, &[])
    };
    let cases: [(&[&str], bool, &[&str]); 4] = [
        (&["a", "b"], false, &["agent b", "agent c", "file a"]),
        (&["a", "b"], true, &["agent b", "file a"]),
        (&["b.pub"], true, &["agent b"]),
        (&["a.pub"], true, &[]),
    ];
    for (names, only, expected) in cases {
        let list = arrange(agent()?, files(names), only);
        assert_eq!(labels(&list), expected, "{names:?} {only}");
    }
    fs::remove_file(at("b"))?;
    let list = arrange(agent()?, files(&["b"]), true);
    assert_eq!(labels(&list), ["agent b"], "the public file alone pins");
    Ok(())
}

#[test]
fn certificates_find_who_signs_for_them() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    for key in ["ca", "a", "b"] {
        keygen(&at(key), "")?;
    }
    certify(&at("ca"), &at("a"), &[])?;
    let plain = vec![AgentIdentity::PublicKey {
        key: load_public_key(at("a.pub"))?,
        comment: "a".to_owned(),
    }];
    let read = |keys: &[&str], certificates: &[&str]| {
        let paths = |names: &[&str]| names.iter().map(|name| at(name)).collect::<Vec<_>>();
        files::read(&paths(keys), &paths(certificates))
    };
    // Beside its key, after its key.
    let list = arrange(Vec::new(), read(&["a", "b"], &[]), true);
    assert_eq!(labels(&list), ["file a", "certificate file a", "file b"]);
    // Named, it comes first; the agent's plain key signs for it.
    let list = arrange(plain.clone(), read(&["b"], &["a-cert.pub"]), true);
    assert_eq!(labels(&list), ["certificate a-cert.pub by agent", "file b"]);
    let list = arrange(plain.clone(), read(&["a"], &[]), true);
    assert_eq!(labels(&list), ["agent a", "certificate agent a"]);
    // Nobody has its key.
    assert!(arrange(Vec::new(), read(&[], &["a-cert.pub"]), false).is_empty());
    // A host's certificate is none to log in with.
    certify(&at("ca"), &at("b"), &["-h"])?;
    let files = read(&["b"], &["b-cert.pub"]);
    assert!(
        files.notes.concat().contains("for a host"),
        "{:?}",
        files.notes
    );
    assert_eq!(labels(&arrange(Vec::new(), files, true)), ["file b"]);
    Ok(())
}

#[test]
fn accepted_algorithms_are_kept_to() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let key = folder.path().join("key");
    keygen(&key, "")?;
    let list = arrange(Vec::new(), files::read(&[key], &[]), true);
    let candidate = list.first().ok_or("one key")?;
    for (allowed, expected) in [
        (vec![], true),
        (vec!["ssh-ed25519".to_owned()], true),
        (vec!["rsa-sha2-512".to_owned()], false),
        (vec!["ssh-ed25519-cert-v01@openssh.com".to_owned()], false),
    ] {
        assert_eq!(accepted(candidate, &allowed), expected, "{allowed:?}");
    }
    Ok(())
}
