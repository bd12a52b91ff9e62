//! Whether a host certificate is good for a host. Who may sign it is decided elsewhere, and so is what was revoked.

use jiff::Timestamp;
use russh::keys::Certificate;
use russh::keys::ssh_key::Algorithm;

use crate::ssh::known_hosts::wildcard;

/// What is wrong with a certificate for a host called `host`, in lower case, at `now`, in seconds since 1970; `None` if
/// it is good. `signatures` are the names of `CASignatureAlgorithms`; none allows all but SHA-1.
///
/// The checks are those of OpenSSH for hosts: its PROTOCOL.certkeys, and sshd(8), SSH_KNOWN_HOSTS FILE FORMAT.
pub(super) fn flaw(
    certificate: &Certificate,
    host: &str,
    now: u64,
    signatures: &[String],
) -> Option<String> {
    if !certificate.cert_type().is_host() {
        return Some("it is for a user, not for a host".to_owned());
    }
    if certificate.verify_signature().is_err() {
        return Some("the authority's signature on it is wrong".to_owned());
    }
    let signed = certificate.signature().algorithm();
    if matches!(signed, Algorithm::Rsa { hash: None }) || !allowed(&signed, signatures) {
        return Some(format!(
            "the authority signed it with {}, which CASignatureAlgorithms does not allow",
            signed.as_str()
        ));
    }
    if now < certificate.valid_after() {
        return Some(format!(
            "it is not yet valid, only from {} on",
            date(certificate.valid_after())
        ));
    }
    if now >= certificate.valid_before() {
        return Some(format!(
            "it expired on {}",
            date(certificate.valid_before())
        ));
    }
    let principals = certificate.valid_principals();
    let fits = |principal: &String| wildcard(principal.as_bytes(), host.as_bytes());
    if !principals.is_empty() && !principals.iter().any(fits) {
        return Some(format!(
            "it is for {}, not for {host}",
            principals.join(", ")
        ));
    }
    let unknown: Vec<&str> = certificate
        .critical_options()
        .keys()
        .map(String::as_str)
        .collect();
    if !unknown.is_empty() {
        return Some(format!(
            "it has critical options that hosts have none of: {}",
            unknown.join(", ")
        ));
    }
    None
}

fn allowed(signed: &Algorithm, names: &[String]) -> bool {
    names.is_empty() || names.iter().any(|name| name == signed.as_str())
}

/// A time for people.
fn date(seconds: u64) -> String {
    match i64::try_from(seconds).map(Timestamp::from_second) {
        Ok(Ok(time)) => time.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        Ok(Err(_)) | Err(_) => "a day far away".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::path::Path;
    use std::process::Command;

    use russh::keys::load_openssh_certificate;

    use super::*;

    fn keygen(arguments: &[&str], folder: &Path) -> Result<(), Box<dyn Error>> {
        let done = Command::new("ssh-keygen")
            .arg("-q")
            .args(arguments)
            .current_dir(folder)
            .output()?;
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        Ok(())
    }

    #[test]
    fn each_flaw_is_named() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let at = folder.path();
        keygen(&["-t", "ed25519", "-N", "", "-f", "ca"], at)?;
        keygen(&["-t", "rsa", "-b", "2048", "-N", "", "-f", "rsa"], at)?;
        keygen(&["-t", "ed25519", "-N", "", "-f", "host"], at)?;
        let made = |arguments: &[&str]| -> Result<Certificate, Box<dyn Error>> {
            let signing = [&["-I", "id"], arguments, &["host.pub"]].concat();
            keygen(&signing, at)?;
            Ok(load_openssh_certificate(at.join("host-cert.pub"))?)
        };
        let window = "20200101000000Z:20300101000000Z";
        let good = ["-s", "ca", "-h", "-V", window, "-n"];
        // 2025, inside the window.
        let now = 1_750_000_000;
        let say = |certificate: &Certificate, now| flaw(certificate, "web1", now, &[]);
        let with = |names: &str| made(&[&good[..], &[names]].concat());
        for names in ["web1", "web1,web2", "web*"] {
            assert_eq!(say(&with(names)?, now), None, "{names}");
        }
        let open = made(&["-s", "ca", "-h"])?;
        assert_eq!(say(&open, now), None, "no names are all names");
        let cases = [
            (with("web2,db1")?, now, "it is for web2, db1, not for web1"),
            (with("WEB1")?, now, "it is for WEB1"),
            (with("web1")?, 1_500_000_000, "not yet valid"),
            (with("web1")?, 1_900_000_000, "expired on 2030-01-01"),
            (made(&["-s", "ca", "-n", "web1"])?, now, "for a user"),
            (
                made(&["-s", "ca", "-h", "-n", "web1", "-O", "critical:odd=1"])?,
                now,
                "critical options",
            ),
            (
                made(&["-s", "rsa", "-h", "-n", "web1", "-t", "ssh-rsa"])?,
                now,
                "signed it with ssh-rsa",
            ),
        ];
        for (certificate, now, expected) in cases {
            let said = say(&certificate, now).unwrap_or_default();
            assert!(said.contains(expected), "{said:?} is not {expected:?}");
        }
        let modern = made(&["-s", "rsa", "-h", "-n", "web1", "-t", "rsa-sha2-512"])?;
        assert_eq!(say(&modern, now), None);
        let only = vec!["ssh-ed25519".to_owned()];
        assert!(flaw(&modern, "web1", now, &only).is_some());
        Ok(())
    }

    #[test]
    fn a_changed_certificate_is_not_signed() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let at = folder.path();
        keygen(&["-t", "ed25519", "-N", "", "-f", "ca"], at)?;
        keygen(&["-t", "ed25519", "-N", "", "-f", "host"], at)?;
        keygen(
            &["-s", "ca", "-h", "-I", "id", "-n", "web1", "host.pub"],
            at,
        )?;
        let good = load_openssh_certificate(at.join("host-cert.pub"))?;
        let mut bytes = good.to_bytes()?;
        let place = bytes.windows(4).position(|part| part == b"web1");
        if let Some(byte) = place.and_then(|place| bytes.get_mut(place + 3)) {
            *byte = b'2';
        }
        let forged = Certificate::from_bytes(&bytes)?;
        assert_eq!(forged.valid_principals(), ["web2"]);
        let said = flaw(&forged, "web2", 1_750_000_000, &[]).unwrap_or_default();
        assert!(said.contains("signature on it is wrong"), "{said}");
        Ok(())
    }
}
