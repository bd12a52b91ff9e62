//! Whether a server's key may be trusted. Fails closed: what cannot be read or understood is never taken for a yes.

mod certificate;
mod command;
mod known;
mod krl;
mod revoked;
mod rotate;
#[cfg(test)]
mod tests;

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use russh::keys::{HashAlg, PublicKey, PublicKeyOrCertificate};

use super::ask::Reply;
use super::config::blocking;
use super::error::{Error, advice};
use super::fact::{QuestionKind, SshFact};
use super::known_hosts::{self, Line};
use super::question::Asker;
use super::settings::{Settings, Strict};

pub(crate) use known::Known;
use known::Verdict;
pub(crate) use rotate::{Rotation, follow};

/// A key that may be trusted.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// What is worth telling about it.
    pub(crate) notes: Vec<String>,
    /// Whether the user's own files vouch for it, so that the server may announce more keys; not those of an authority,
    /// of the system or of a command, which are kept up by somebody else.
    pub(crate) own: bool,
}

/// `SHA256:…`, as `ssh-keygen -l` prints it.
pub(crate) fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// A key's algorithm and fingerprint.
fn described(key: &PublicKey) -> String {
    format!("{} {}", key.algorithm().as_str(), fingerprint(key))
}

/// Why a certificate does not vouch for its key.
enum Doubt {
    /// Nobody here knows its authority, so it says nothing; as if there was none.
    Stranger(String),
    /// An authority of this host signed it, and yet it is not good.
    Flaw { why: String, authority: String },
}

impl Doubt {
    fn text(&self) -> String {
        match self {
            Self::Stranger(why) => why.clone(),
            Self::Flaw { why, authority } => {
                format!("its certificate is not accepted: {why} (authority at {authority})")
            }
        }
    }
}

/// Decides about what the server showed, asking a person where the settings say so, and writes down what was accepted.
///
/// # Errors
/// The key is changed, revoked, unknown and not accepted, or could not be written down.
pub(crate) async fn check(
    settings: &Settings,
    known: &Known,
    shown: &PublicKeyOrCertificate,
    asker: &Asker,
) -> Result<Checked, Error> {
    let key = shown.public_key();
    let known = known.with_command(settings, &key).await?;
    let mut checked = Checked::default();
    let doubt = match shown.certificate() {
        Some(certificate) => {
            if let Some(by) = known.revoker_of(certificate) {
                return Err(revoked(&known, by, &key));
            }
            let Some(doubt) = doubt(settings, &known, certificate) else {
                return Ok(checked);
            };
            // As in OpenSSH, the key may still be known for itself.
            checked
                .notes
                .push(format!("{}: {}", known.name, doubt.text()));
            Some(doubt)
        }
        None => None,
    };
    match known.judge(&key) {
        Verdict::Revoked(by) => return Err(revoked(&known, by, &key)),
        Verdict::Changed(line) => return Err(changed(&known, line, &key, asker).await),
        Verdict::Trusted(line) => {
            checked.own = settings.known_hosts.contains(&line.file) && line.names(&known.name);
            address(settings, &known, &key, asker, &mut checked).await?;
        }
        Verdict::Unknown => {
            accept(settings, &known, &key, doubt.as_ref(), asker).await?;
            address(settings, &known, &key, asker, &mut checked).await?;
            write_down(settings, &known, &key, &mut checked).await?;
        }
    }
    Ok(checked)
}

fn revoked(known: &Known, by: String, key: &PublicKey) -> Error {
    Error::HostKeyRevoked {
        host: known.name.clone(),
        by,
        fingerprint: fingerprint(key),
    }
}

async fn changed(known: &Known, line: &Line, key: &PublicKey, asker: &Asker) -> Error {
    let (host, file) = (known.name.clone(), line.file.clone());
    let (before, shown) = (described(&line.key), described(key));
    asker
        .questions
        .tell(SshFact::KeyChanged {
            target: asker.target.clone(),
            host: host.clone(),
            file: file.clone(),
            line: line.number,
            known: before.clone(),
            shown: shown.clone(),
            awaited: asker.asking.is_someone(),
        })
        .await;
    Error::HostKeyChanged {
        host,
        file: file.display().to_string(),
        line: line.number,
        known: before,
        shown,
    }
}

/// Why a certificate does not vouch for its key; `None` if it does.
fn doubt(
    settings: &Settings,
    known: &Known,
    certificate: &russh::keys::Certificate,
) -> Option<Doubt> {
    let Some(line) = known.authority(certificate) else {
        let authority = PublicKey::new(certificate.signature_key().clone(), "");
        return Some(Doubt::Stranger(format!(
            "it showed a certificate of an authority that is not known for it ({})",
            described(&authority)
        )));
    };
    // A clock before 1970 makes every certificate not yet valid.
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let signatures = &settings.authority_algorithms;
    let why = certificate::flaw(certificate, &known.principal, now, signatures)?;
    Some(Doubt::Flaw {
        why,
        authority: line.place(),
    })
}

/// Whether a key that nobody knows is accepted.
async fn accept(
    settings: &Settings,
    known: &Known,
    key: &PublicKey,
    doubt: Option<&Doubt>,
    asker: &Asker,
) -> Result<(), Error> {
    // Whoever named an authority for this host did not mean that its refusal is the same as silence.
    if let Some(Doubt::Flaw { why, authority }) = doubt {
        return Err(Error::HostCertificate {
            host: known.name.clone(),
            why: why.clone(),
            authority: authority.clone(),
            fingerprint: fingerprint(key),
        });
    }
    let refused = || Error::HostKeyUnknown {
        host: known.name.clone(),
        algorithm: key.algorithm().as_str().to_owned(),
        fingerprint: fingerprint(key),
        advice: advice(&settings.label, settings.spec.config.as_deref()),
        note: doubt.map_or_else(String::new, |doubt| format!("; {}", doubt.text())),
    };
    match settings.strict {
        Strict::Yes => Err(refused()),
        Strict::AcceptNew | Strict::No => Ok(()),
        Strict::Ask if settings.batch => Err(refused()),
        Strict::Ask => {
            let question = QuestionKind::HostKey {
                host: known.name.clone(),
                algorithm: key.algorithm().as_str().to_owned(),
                fingerprint: fingerprint(key),
                file: settings.known_hosts.first().cloned().unwrap_or_default(),
            };
            match asker.ask(question).await {
                Some(Reply::Yes) => Ok(()),
                Some(Reply::No | Reply::Text(_)) => Err(Error::HostKeyDeclined {
                    host: known.name.clone(),
                    algorithm: key.algorithm().as_str().to_owned(),
                    fingerprint: fingerprint(key),
                }),
                None => Err(refused()),
            }
        }
    }
}

/// `CheckHostIP`: the address must not be known by another key. A new address of a host that the user's own files know is
/// written down.
async fn address(
    settings: &Settings,
    known: &Known,
    key: &PublicKey,
    asker: &Asker,
    checked: &mut Checked,
) -> Result<(), Error> {
    let Some((name, lines)) = &known.address else {
        return Ok(());
    };
    let own = || {
        lines
            .iter()
            .filter(|line| line.marker == known_hosts::Marker::None)
    };
    if own().any(|line| line.has(key)) {
        return Ok(());
    }
    let Some(other) = own().next() else {
        if let (true, Some(file)) = (checked.own, settings.known_hosts.first()) {
            let names = vec![name.clone()];
            let note = record(file.clone(), names, key.clone(), settings.hash_known_hosts).await?;
            checked.notes.extend(note);
        }
        return Ok(());
    };
    let refused = Error::HostAddress {
        host: known.name.clone(),
        address: name.clone(),
        by: other.place(),
        known: described(&other.key),
        shown: described(key),
    };
    match settings.strict {
        Strict::Yes | Strict::AcceptNew => Err(refused),
        Strict::Ask if settings.batch => Err(refused),
        Strict::Ask => {
            let prompt = format!(
                "The key of {} ({}) is not the one known for its address {name} ({}).\nGo on all the same?",
                known.name,
                described(key),
                other.place()
            );
            match asker.ask(QuestionKind::Confirm { prompt }).await {
                Some(Reply::Yes) => Ok(()),
                Some(Reply::No | Reply::Text(_)) | None => Err(refused),
            }
        }
        Strict::No => {
            checked.notes.push(refused.to_string());
            Ok(())
        }
    }
}

/// Writes an accepted key down, for the address too where that is looked up.
async fn write_down(
    settings: &Settings,
    known: &Known,
    key: &PublicKey,
    checked: &mut Checked,
) -> Result<(), Error> {
    let Some(file) = settings.known_hosts.first().cloned() else {
        checked.notes.push(
            "the host key was accepted for this time: UserKnownHostsFile names no file".to_owned(),
        );
        return Ok(());
    };
    let mut names = vec![known.name.clone()];
    if let Some((address, lines)) = &known.address
        && lines.is_empty()
    {
        names.push(address.clone());
    }
    let note = record(file, names, key.clone(), settings.hash_known_hosts).await?;
    checked.own = note.is_none();
    checked.notes.extend(note);
    Ok(())
}

/// Writes the key down, unless another connection just did.
async fn record(
    file: PathBuf,
    names: Vec<String>,
    key: PublicKey,
    hashed: bool,
) -> Result<Option<String>, Error> {
    blocking(move || {
        let words: Vec<&str> = names.iter().map(String::as_str).collect();
        match known_hosts::append(&file, &words, &key, hashed) {
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
                host: names.into_iter().next().unwrap_or_default(),
                file,
                why: why.to_string(),
            }),
        }
    })
    .await
}
