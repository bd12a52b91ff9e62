//! What is decided about keys from the files alone.

use std::error::Error as StdError;
use std::fs;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::{Algorithm, PublicKey};

use super::known::Verdict;
use super::*;
use crate::domain::host::{Effective, Target};
use crate::ssh::config::Spec;
use crate::ssh::question::{Patience, Questions};

const ED: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
const ED_OTHER: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK2pr+Bfus1hvPof4Wb/plZCzSbqadHH0u+/f4ODtKnE";
const EC: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBMxBTpMIGvo7CnordO7wP0QQRqpBwUjOLl4eMhfucfE1sjTYyK5wmTl1UqoSDS1PtRVTBdl+0+9pquFb46U7fwg=";

fn settings(lines: &str) -> Result<Settings, Error> {
    let mut effective = Effective::default();
    for line in lines.lines() {
        let (option, value) = line.split_once(' ').unwrap_or((line, ""));
        effective
            .options
            .entry(option.to_owned())
            .or_default()
            .push(value.to_owned());
    }
    let spec = Spec {
        name: "web1".to_owned(),
        user: None,
        port: None,
        config: None,
    };
    Settings::read(&spec, &effective)
}

fn verdict(port: u16, content: &str, shown: &str) -> Result<String, Box<dyn StdError>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("known_hosts");
    fs::write(&file, content)?;
    let settings = settings(&format!(
        "hostname Web1\nuser me\nport {port}\nuserknownhostsfile {}",
        file.display()
    ))?;
    let known = Known::read(&settings, None)?;
    Ok(match known.judge(&PublicKey::from_openssh(shown)?) {
        Verdict::Trusted(_) => "trusted".to_owned(),
        Verdict::Unknown => "unknown".to_owned(),
        Verdict::Changed(line) => format!("changed {}", line.number),
        Verdict::Revoked(by) => {
            format!("revoked {}", by.rsplit(':').next().unwrap_or_default())
        }
    })
}

#[test]
fn verdicts() -> Result<(), Box<dyn StdError>> {
    let cases = [
        (22, format!("web1 {ED}"), ED, "trusted"),
        (22, format!("web2 {ED}"), ED, "unknown"),
        (22, String::new(), ED, "unknown"),
        (22, format!("web1 {EC}\nweb1 {ED_OTHER}"), ED, "changed 2"),
        (22, format!("web1 {EC}"), ED, "changed 1"),
        (22, format!("web1 {ED_OTHER}\nweb1 {ED}"), ED, "trusted"),
        (22, format!("@revoked * {ED}\nweb1 {ED}"), ED, "revoked 1"),
        (
            22,
            format!("@revoked * {ED_OTHER}\nweb1 {ED}"),
            ED,
            "trusted",
        ),
        (22, format!("@cert-authority * {ED}"), ED, "unknown"),
        (2222, format!("[web1]:2222 {ED}"), ED, "trusted"),
        (2222, format!("web1 {ED}"), ED, "trusted"),
        (2222, format!("web1 {ED_OTHER}"), ED, "unknown"),
        (
            2222,
            format!("[web1]:2222 {ED_OTHER}\nweb1 {ED}"),
            ED,
            "changed 1",
        ),
        (2222, format!("@revoked web1 {ED}"), ED, "revoked 1"),
        (22, format!("[web1]:2222 {ED}"), ED, "unknown"),
    ];
    for (port, content, shown, expected) in cases {
        assert_eq!(
            verdict(port, &content, shown)?,
            expected,
            "{port} {content}"
        );
    }
    Ok(())
}

#[test]
fn known_algorithms_come_first() -> Result<(), Box<dyn StdError>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("known_hosts");
    fs::write(&file, format!("web1 {EC}\n@revoked web1 {ED}\n"))?;
    let settings = settings(&format!(
        "hostname web1\nuser me\nuserknownhostsfile {}",
        file.display()
    ))?;
    let offered = ["ssh-ed25519", "rsa-sha2-512", "ecdsa-sha2-nistp256"];
    let offered = offered
        .iter()
        .map(|name| Algorithm::new(name))
        .collect::<Result<_, _>>()?;
    let ordered = Known::read(&settings, None)?.order(offered);
    let names: Vec<&str> = ordered.iter().map(Algorithm::as_str).collect();
    assert_eq!(
        names,
        ["ecdsa-sha2-nistp256", "ssh-ed25519", "rsa-sha2-512"]
    );
    Ok(())
}

#[test]
fn a_file_that_cannot_be_read_trusts_nobody() -> Result<(), Box<dyn StdError>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().display();
    let unreadable = settings(&format!(
        "hostname web1\nuser me\nuserknownhostsfile {path}"
    ))?;
    assert!(matches!(
        Known::read(&unreadable, None),
        Err(Error::HostKeyFile { .. })
    ));
    let list = folder.path().join("krl");
    fs::write(&list, b"SSHKRL\n\0\0")?;
    let krl = settings(&format!(
        "hostname web1\nuser me\nrevokedhostkeys {}",
        list.display()
    ))?;
    assert!(matches!(
        Known::read(&krl, None),
        Err(Error::HostKeyFile { .. })
    ));
    fs::write(&list, format!("# revoked\n{ED} lost\n"))?;
    let known = Known::read(&krl, None)?;
    assert!(matches!(
        known.judge(&PublicKey::from_openssh(ED)?),
        Verdict::Revoked(_)
    ));
    Ok(())
}

#[test]
fn an_alias_is_looked_up_without_a_port() -> Result<(), Box<dyn StdError>> {
    let settings = settings("hostname 10.0.0.1\nuser me\nport 2222\nhostkeyalias Node-7")?;
    let known = Known::read(&settings, None)?;
    assert_eq!(
        (known.name, known.principal),
        ("node-7".to_owned(), "node-7".to_owned())
    );
    Ok(())
}

#[test]
fn a_certificate_names_the_host_without_its_port() -> Result<(), Box<dyn StdError>> {
    let settings = settings("hostname Web1\nuser me\nport 2222")?;
    let known = Known::read(&settings, None)?;
    assert_eq!(
        (known.name.as_str(), known.principal.as_str()),
        ("[web1]:2222", "web1")
    );
    Ok(())
}

fn asker() -> Asker {
    // Nobody reads the facts: none is sent in these tests but by a changed key, and one has room.
    let (facts, _) = tokio::sync::mpsc::channel(1);
    Asker {
        questions: Arc::new(Questions::new(facts)),
        target: Target {
            name: "web1".to_owned(),
            config: None,
        },
        hop: "web1".to_owned(),
        asking: crate::ssh::Asking::Nobody,
        patience: Arc::new(Patience::new(Duration::from_secs(5))),
        asked: Arc::default(),
    }
}

#[tokio::test]
async fn the_address_is_looked_up_too_where_that_is_wanted() -> Result<(), Box<dyn StdError>> {
    let peer: IpAddr = "192.0.2.7".parse()?;
    let name = |port: u16, host: &str| match port {
        22 => host.to_owned(),
        port => format!("[{host}]:{port}"),
    };
    for port in [22, 2222] {
        let (web, address) = (name(port, "web1"), name(port, "192.0.2.7"));
        let both = format!("{web} {ED}\n{address} {ED}\n");
        let other = format!("{web} {ED}\n{address} {ED_OTHER}\n");
        let cases = [
            // The settings, the file before, what is said, the file after.
            ("yes", both.clone(), "", both.clone()),
            ("yes", format!("{web} {ED}\n"), "", both.clone()),
            (
                "yes",
                other.clone(),
                "not the one known for its address",
                other.clone(),
            ),
            (
                "accept-new",
                other.clone(),
                "not the one known for its address",
                other.clone(),
            ),
            (
                "ask",
                other.clone(),
                "not the one known for its address",
                other.clone(),
            ),
            ("no", other.clone(), "", other.clone()),
            (
                "accept-new",
                String::new(),
                "",
                format!("{web},{address} {ED}\n"),
            ),
            (
                "accept-new",
                format!("{address} {ED}\n"),
                "",
                format!("{address} {ED}\n{web} {ED}\n"),
            ),
        ];
        for (strict, before, expected, after) in cases {
            let folder = tempfile::tempdir()?;
            let file = folder.path().join("known_hosts");
            fs::write(&file, &before)?;
            let settings = settings(&format!(
                "hostname web1\nuser me\nport {port}\ncheckhostip yes\nstricthostkeychecking {strict}\nuserknownhostsfile {}",
                file.display()
            ))?;
            let known = Known::read(&settings, Some(peer))?;
            let shown = PublicKeyOrCertificate::from(PublicKey::from_openssh(ED)?);
            let said = match check(&settings, &known, &shown, &asker()).await {
                Ok(_) => String::new(),
                Err(why) => why.to_string(),
            };
            let what = format!("{strict} {before}: {said}");
            assert_eq!(said.is_empty(), expected.is_empty(), "{what}");
            assert!(said.contains(expected), "{what}");
            assert_eq!(fs::read_to_string(&file)?, after, "{what}");
        }
    }
    // Not where it means nothing: by an alias, behind a proxy, on this machine, or unasked.
    for lines in [
        "checkhostip yes\nhostkeyalias a",
        "checkhostip yes\nproxycommand nc %h %p",
        "checkhostip no",
    ] {
        let settings = settings(&format!("hostname web1\nuser me\n{lines}"))?;
        assert_eq!(
            Known::read(&settings, Some(peer))?
                .address
                .map(|(name, _)| name),
            None
        );
    }
    let settings = settings("hostname web1\nuser me\ncheckhostip yes")?;
    let here = Known::read(&settings, Some("127.0.0.1".parse()?))?;
    assert!(here.address.is_none());
    Ok(())
}
