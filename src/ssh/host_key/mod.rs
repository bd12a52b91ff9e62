//! Whether a server's key may be trusted. Fails closed: what cannot be read or understood is never taken for a yes.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use russh::keys::{Algorithm, HashAlg, PublicKey, parse_public_key_base64};

use crate::ssh::ask::Reply;
use crate::ssh::config::blocking;
use crate::ssh::error::{Error, advice};
use crate::ssh::fact::QuestionKind;
use crate::ssh::known_hosts::{self, Line, Marker};
use crate::ssh::question::Asker;
use crate::ssh::settings::{Settings, Strict};

/// What the files say of a host.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// The name the host is known by: `web1`, `[web1]:2222` or its alias.
    pub(crate) name: String,
    lines: Vec<Line>,
    /// Lines for the name without its port; a match there is good enough, as in OpenSSH.
    plain: Vec<Line>,
    revoked: Vec<Line>,
}

/// What the files say of a key.
#[derive(Debug)]
pub(crate) enum Verdict<'a> {
    Trusted,
    Unknown,
    Changed(&'a Line),
    Revoked(&'a Line),
}

impl Known {
    /// Reads the files. Blocks.
    ///
    /// # Errors
    /// A file exists and cannot be read; so nobody knows what it would have said.
    pub(crate) fn read(settings: &Settings) -> Result<Self, Error> {
        let (name, plain_name) = names(settings);
        let failed = |file: &Path, why: String| Error::HostKeyFile {
            host: name.clone(),
            file: file.to_path_buf(),
            why,
        };
        let mut known = Self {
            name: name.clone(),
            ..Self::default()
        };
        for file in settings
            .known_hosts
            .iter()
            .chain(&settings.global_known_hosts)
        {
            let lines = |name: &str| {
                known_hosts::find(file, name).map_err(|why| failed(file, why.to_string()))
            };
            known.lines.extend(lines(&name)?);
            if let Some(plain) = &plain_name {
                known.plain.extend(lines(plain)?);
            }
        }
        if let Some(file) = &settings.revoked_keys {
            known.revoked = revoked(file).map_err(|why| failed(file, why))?;
        }
        Ok(known)
    }

    /// What they say of `key`.
    pub(crate) fn judge(&self, key: &PublicKey) -> Verdict<'_> {
        let same = |line: &&Line| line.key.key_data() == key.key_data();
        let with = |marker| move |line: &&Line| line.marker == marker;
        let all = || self.lines.iter().chain(&self.plain);
        let mut revoked = all()
            .filter(with(Marker::Revoked))
            .chain(&self.revoked)
            .filter(same);
        if let Some(line) = revoked.next() {
            return Verdict::Revoked(line);
        }
        let mut own = self.lines.iter().filter(with(Marker::None));
        if let Some(other) = own.clone().next() {
            return if own.any(|line| same(&line)) {
                Verdict::Trusted
            } else {
                // The line with a key of the same kind is the one that a person would compare.
                let alike = own_alike(&self.lines, key);
                Verdict::Changed(alike.unwrap_or(other))
            };
        }
        if self
            .plain
            .iter()
            .filter(with(Marker::None))
            .any(|line| same(&line))
        {
            return Verdict::Trusted;
        }
        Verdict::Unknown
    }

    /// Puts the algorithms that the host is known by first; else a host with one known key would look changed when its
    /// server prefers to show another.
    pub(crate) fn order(&self, mut algorithms: Vec<Algorithm>) -> Vec<Algorithm> {
        let known = |algorithm: &Algorithm| {
            let mut lines = self.lines.iter().chain(&self.plain);
            lines.any(|line| line.marker == Marker::None && alike(&line.key.algorithm(), algorithm))
        };
        // A stable sort: within the two groups the preferences stay.
        algorithms.sort_by_key(|algorithm| !known(algorithm));
        algorithms
    }

    /// Things worth telling about the files.
    pub(crate) fn notes(&self) -> Vec<String> {
        let authorities = self
            .lines
            .iter()
            .chain(&self.plain)
            .filter(|line| line.marker == Marker::CertAuthority);
        authorities
            .map(|line| {
                format!(
                    "{}:{}: @cert-authority is not supported, the line was ignored",
                    line.file.display(),
                    line.number
                )
            })
            .collect()
    }
}

fn own_alike<'a>(lines: &'a [Line], key: &PublicKey) -> Option<&'a Line> {
    lines
        .iter()
        .find(|line| line.marker == Marker::None && line.key.algorithm() == key.algorithm())
}

/// Whether two algorithms sign with the same key; an RSA key goes with every hash.
fn alike(one: &Algorithm, other: &Algorithm) -> bool {
    one == other || (one.clone().is_rsa() && other.clone().is_rsa())
}

/// The name to look up, and the same without its port.
fn names(settings: &Settings) -> (String, Option<String>) {
    if let Some(alias) = &settings.host_key_alias {
        return (alias.to_ascii_lowercase(), None);
    }
    let host = settings.host.to_ascii_lowercase();
    if settings.port == 22 {
        (host, None)
    } else {
        (format!("[{host}]:{}", settings.port), Some(host))
    }
}

/// The keys of a `RevokedHostKeys` file.
fn revoked(file: &Path) -> Result<Vec<Line>, String> {
    let bytes = std::fs::read(file).map_err(|why| why.to_string())?;
    if bytes.starts_with(b"SSHKRL\n") {
        return Err(
            "binary revocation lists cannot be read here; list the keys as text, or use the system's ssh for this host"
                .to_owned(),
        );
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().enumerate().filter_map(|(index, line)| {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        Some((index + 1, line))
    });
    lines
        .map(|(number, line)| {
            let blob = line.split_whitespace().nth(1).unwrap_or(line);
            match parse_public_key_base64(blob) {
                Ok(key) => Ok(Line {
                    file: file.to_path_buf(),
                    number,
                    marker: Marker::Revoked,
                    key,
                }),
                Err(why) => Err(format!("line {number} has no key: {why}")),
            }
        })
        .collect()
}

/// `SHA256:…`, as `ssh-keygen -l` prints it.
pub(crate) fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// Decides about `key`, asking a person where the settings say so, and writes down what was accepted.
/// Returns what is worth telling about that.
///
/// # Errors
/// The key is changed, revoked, unknown and not accepted, or could not be written down.
pub(crate) async fn check(
    settings: &Settings,
    known: &Known,
    key: &PublicKey,
    asker: &Asker,
) -> Result<Option<String>, Error> {
    let described = |key: &PublicKey| format!("{} {}", key.algorithm().as_str(), fingerprint(key));
    match known.judge(key) {
        Verdict::Trusted => return Ok(None),
        Verdict::Revoked(line) => {
            return Err(Error::HostKeyRevoked {
                host: known.name.clone(),
                file: line.file.display().to_string(),
                line: line.number,
                fingerprint: fingerprint(key),
            });
        }
        Verdict::Changed(line) => {
            return Err(Error::HostKeyChanged {
                host: known.name.clone(),
                file: line.file.display().to_string(),
                line: line.number,
                known: described(&line.key),
                shown: described(key),
            });
        }
        Verdict::Unknown => {}
    }
    let file = settings.known_hosts.first().cloned();
    let refused = || Error::HostKeyUnknown {
        host: known.name.clone(),
        algorithm: key.algorithm().as_str().to_owned(),
        fingerprint: fingerprint(key),
        advice: advice(&settings.label, settings.spec.config.as_deref()),
    };
    match settings.strict {
        Strict::Yes => return Err(refused()),
        Strict::AcceptNew | Strict::No => {}
        Strict::Ask if settings.batch => return Err(refused()),
        Strict::Ask => {
            let question = QuestionKind::HostKey {
                host: known.name.clone(),
                algorithm: key.algorithm().as_str().to_owned(),
                fingerprint: fingerprint(key),
                file: file.clone().unwrap_or_default(),
            };
            match asker.ask(question).await {
                Some(Reply::Yes) => {}
                Some(Reply::No | Reply::Text(_)) => {
                    return Err(Error::HostKeyDeclined {
                        host: known.name.clone(),
                        algorithm: key.algorithm().as_str().to_owned(),
                        fingerprint: fingerprint(key),
                    });
                }
                None => return Err(refused()),
            }
        }
    }
    match file {
        Some(file) => {
            record(
                file,
                known.name.clone(),
                key.clone(),
                settings.hash_known_hosts,
            )
            .await
        }
        None => Ok(Some(
            "the host key was accepted for this time: UserKnownHostsFile names no file".to_owned(),
        )),
    }
}

/// Writes the key down, unless another connection just did.
async fn record(
    file: PathBuf,
    name: String,
    key: PublicKey,
    hashed: bool,
) -> Result<Option<String>, Error> {
    let same = |line: &Line, key: &PublicKey| line.key.key_data() == key.key_data();
    blocking(move || {
        let written = known_hosts::find(&file, &name).and_then(|lines| {
            if lines.iter().any(|line| same(line, &key)) {
                return Ok(());
            }
            known_hosts::append(&file, &name, &key, hashed)
        });
        match written {
            Ok(()) => Ok(None),
            // A read-only file is a choice (it may be under configuration management); the key is good for this time.
            Err(why)
                if matches!(
                    why.kind(),
                    ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
                ) =>
            {
                Ok(Some(format!(
                    "the host key was accepted for this time: {} cannot be written: {why}",
                    file.display()
                )))
            }
            Err(why) => Err(Error::HostKeyFile {
                host: name,
                file,
                why: why.to_string(),
            }),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::error::Error as StdError;
    use std::fs;

    use super::*;
    use crate::domain::host::Effective;
    use crate::ssh::config::Spec;

    const ED: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
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
        let known = Known::read(&settings)?;
        Ok(match known.judge(&PublicKey::from_openssh(shown)?) {
            Verdict::Trusted => "trusted".to_owned(),
            Verdict::Unknown => "unknown".to_owned(),
            Verdict::Changed(line) => format!("changed {}", line.number),
            Verdict::Revoked(line) => format!("revoked {}", line.number),
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
        let ordered = Known::read(&settings)?.order(offered);
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
            Known::read(&unreadable),
            Err(Error::HostKeyFile { .. })
        ));
        let list = folder.path().join("krl");
        fs::write(&list, b"SSHKRL\n\0\0")?;
        let krl = settings(&format!(
            "hostname web1\nuser me\nrevokedhostkeys {}",
            list.display()
        ))?;
        assert!(matches!(Known::read(&krl), Err(Error::HostKeyFile { .. })));
        fs::write(&list, format!("# revoked\n{ED} lost\n"))?;
        let known = Known::read(&krl)?;
        assert!(matches!(
            known.judge(&PublicKey::from_openssh(ED)?),
            Verdict::Revoked(_)
        ));
        Ok(())
    }

    #[test]
    fn an_alias_is_looked_up_without_a_port() -> Result<(), Box<dyn StdError>> {
        let settings = settings("hostname 10.0.0.1\nuser me\nport 2222\nhostkeyalias Node-7")?;
        assert_eq!(names(&settings), ("node-7".to_owned(), None));
        Ok(())
    }
}
