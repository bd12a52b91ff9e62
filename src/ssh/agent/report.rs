//! Which keys a host would be offered, told before anything is sent.

use russh::keys::HashAlg;

use crate::ssh::engine::AgentChoice;
use crate::ssh::fact::{KeyRow, KeySource, KeysReport};
use crate::ssh::settings::Settings;

use super::{Candidate, Holder, Shown, candidates, socket};

/// How many attempts sshd allows unless its `MaxAuthTries` says otherwise.
pub(crate) const TRIES: usize = 6;

/// Asks the agent, reads the files, and tells what a login would offer in which order.
pub(crate) async fn report(settings: &Settings, choice: &AgentChoice) -> KeysReport {
    let found = candidates(settings, choice, None).await;
    let rows: Vec<KeyRow> = found.list.iter().map(row).collect();
    let mut notes = found.notes;
    if socket(settings, choice).is_none() {
        notes.push("no agent: SSH_AUTH_SOCK is not set, or IdentityAgent is none".to_owned());
    }
    if !settings.methods.iter().any(|method| method == "publickey") {
        notes.push(
            "no key is offered at all: PubkeyAuthentication or PreferredAuthentications says so"
                .to_owned(),
        );
    }
    notes.extend(crowd(rows.len()));
    KeysReport { rows, notes }
}

/// The warning when more keys are offered than most servers allow attempts.
fn crowd(keys: usize) -> Option<String> {
    (keys > TRIES).then(|| {
        format!(
            "{keys} keys would be offered, and most servers hang up after {TRIES} attempts (MaxAuthTries): name one with \
             IdentityFile and set IdentitiesOnly yes"
        )
    })
}

fn row(candidate: &Candidate) -> KeyRow {
    let key = candidate.shown.key();
    let name = match (&candidate.from, &candidate.holder) {
        (Some(path), _) | (None, Holder::File(path, _) | Holder::Locked(path)) => {
            path.display().to_string()
        }
        (None, Holder::Agent(identity)) => identity.comment().to_owned(),
    };
    KeyRow {
        source: match candidate.holder {
            Holder::Agent(_) => KeySource::Agent,
            Holder::File(..) | Holder::Locked(_) => KeySource::File,
        },
        name,
        algorithm: key
            .as_ref()
            .map(|key| key.algorithm().as_str().to_owned())
            .unwrap_or_default(),
        fingerprint: key
            .map(|key| key.fingerprint(HashAlg::Sha256).to_string())
            .unwrap_or_default(),
        certificate: matches!(candidate.shown, Shown::Certificate(_)),
        locked: matches!(candidate.holder, Holder::Locked(_)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_six_are_too_many() {
        assert_eq!(crowd(6), None);
        assert!(crowd(7).is_some_and(|note| note.contains("IdentitiesOnly")));
    }
}
