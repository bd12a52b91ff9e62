//! `UpdateHostKeys`: keys that a trusted server announces are learned, once it has proved that it has them, and keys that
//! it no longer has are forgotten. Never in doubt: whatever is not simple is left to the user.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use russh::keys::PublicKey;
use tokio::sync::watch;

use crate::ssh::ask::Reply;
use crate::ssh::config::blocking;
use crate::ssh::fact::{QuestionKind, SshFact};
use crate::ssh::known_hosts::{self, Line, Marker};
use crate::ssh::link::Link;
use crate::ssh::question::Asker;
use crate::ssh::settings::{Settings, UpdateHostKeys};

use super::described;

/// How long a server may take to prove that it has its keys.
const PROOF: Duration = Duration::from_secs(30);

/// How many keys a server may announce; more are no honest server's.
const KEYS: usize = 32;

/// What is needed to follow a server's keys.
pub(crate) struct Rotation {
    pub(crate) settings: Arc<Settings>,
    /// The name the host is known by.
    pub(crate) name: String,
    pub(crate) asker: Asker,
    /// What the server announces; `None` until it does. It ends with the connection.
    pub(crate) announced: watch::Receiver<Option<Vec<PublicKey>>>,
}

/// Waits for the announcement in a task of its own, which ends with the connection.
pub(crate) fn follow(link: &Arc<Link>, rotation: Rotation) {
    if rotation.settings.update_host_keys == UpdateHostKeys::No {
        return;
    }
    let link = Arc::downgrade(link);
    tokio::spawn(async move { run(link, rotation).await });
}

async fn run(link: Weak<Link>, mut rotation: Rotation) {
    // Only the first announcement counts, as in OpenSSH.
    let keys = match rotation.announced.wait_for(Option::is_some).await {
        Ok(keys) => keys.clone().unwrap_or_default(),
        Err(_) => return,
    };
    let Some(told) = update(&link, &rotation, keys).await else {
        return;
    };
    let fact = SshFact::Said {
        target: rotation.asker.target.clone(),
        hop: rotation.asker.hop.clone(),
        text: told,
    };
    rotation.asker.questions.tell(fact).await;
}

/// Updates the files; what is worth telling about it.
async fn update(
    link: &Weak<Link>,
    rotation: &Rotation,
    announced: Vec<PublicKey>,
) -> Option<String> {
    let (settings, name) = (&rotation.settings, &rotation.name);
    let keys = acceptable(announced, &settings.host_key_algorithms)?;
    let files = settings.known_hosts.clone();
    let lines = blocking(move || {
        let lines = files.iter().map(|file| known_hosts::read(file));
        lines.collect::<Result<Vec<_>, _>>()
    });
    // A file that cannot be read now is no reason to complain about a connection that is up.
    let lines: Vec<Line> = lines.await.ok()?.into_iter().flatten().collect();
    let Plan { new, old } = plan(&lines, name, &keys)?;
    if !new.is_empty() {
        let link = link.upgrade()?;
        let proved = tokio::time::timeout(PROOF, link.prove(new.clone())).await;
        match proved {
            Ok(Ok(())) => {}
            Ok(Err(why)) => {
                return Some(format!(
                    "{name} announced new host keys and did not prove that it has them ({why}); they were not learned"
                ));
            }
            Err(_) => return None,
        }
    }
    let changes = changes(name, &new, &old);
    if settings.update_host_keys == UpdateHostKeys::Ask {
        let prompt = format!("{changes}\nChange the known hosts accordingly?");
        match rotation.asker.ask(QuestionKind::Confirm { prompt }).await {
            Some(Reply::Yes) => {}
            Some(Reply::No | Reply::Text(_)) | None => return None,
        }
    }
    let (files, owner, hashed) = (
        settings.known_hosts.clone(),
        name.clone(),
        settings.hash_known_hosts,
    );
    let written = blocking(move || write(&files, &owner, &new, &old, hashed)).await;
    Some(match written {
        Ok(()) => changes,
        Err(why) => format!("{changes}\nThat could not be written down: {why}"),
    })
}

/// What happens to the keys, in lines.
fn changes(name: &str, new: &[PublicKey], old: &[PublicKey]) -> String {
    let learned = new
        .iter()
        .map(|key| format!("{name} has a new host key: {}", described(key)));
    let gone = old
        .iter()
        .map(|key| format!("{name} no longer has the host key {}", described(key)));
    learned.chain(gone).collect::<Vec<_>>().join("\n")
}

/// The announced keys that the settings allow; `None` if the announcement is not worth following.
fn acceptable(announced: Vec<PublicKey>, algorithms: &[String]) -> Option<Vec<PublicKey>> {
    if announced.len() > KEYS {
        return None;
    }
    let mut keys: Vec<PublicKey> = Vec::new();
    for key in announced {
        let algorithm = key.algorithm();
        let rsa = algorithm.clone().is_rsa();
        let allowed = algorithms.is_empty()
            || algorithms
                .iter()
                .any(|name| name == algorithm.as_str() || rsa && name.starts_with("rsa-sha2-"));
        // A server that names a key twice does not know what it says.
        if keys.iter().any(|known| known.key_data() == key.key_data()) {
            return None;
        }
        if allowed {
            keys.push(key);
        }
    }
    (!keys.is_empty()).then_some(keys)
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    /// To be learned.
    new: Vec<PublicKey>,
    /// To be forgotten.
    old: Vec<PublicKey>,
}

/// What is to be done about the lines of the user's files, as OpenSSH decides it: nothing if the host is named in a
/// pattern, a list or a line with a marker, or if any of the keys goes by another name too.
fn plan(lines: &[Line], name: &str, keys: &[PublicKey]) -> Option<Plan> {
    let (own, others): (Vec<&Line>, Vec<&Line>) = lines.iter().partition(|line| line.names(name));
    let complex = |line: &&Line| {
        line.marker != Marker::None
            || !line.hosts.starts_with('|') && line.hosts.contains(['*', '?', ',', '!'])
    };
    let announced = |line: &Line| keys.iter().any(|key| line.has(key));
    if own.iter().any(complex) || others.iter().any(|line| announced(line)) {
        return None;
    }
    let new: Vec<PublicKey> = keys
        .iter()
        .filter(|key| !own.iter().any(|line| line.has(key)))
        .cloned()
        .collect();
    let mut old: Vec<PublicKey> = Vec::new();
    for line in own.iter().filter(|line| !announced(line)) {
        if others.iter().any(|other| other.has(&line.key)) {
            return None;
        }
        if !old.iter().any(|key| line.has(key)) {
            old.push(line.key.clone());
        }
    }
    // The key that the connection was trusted by must be among those that stay.
    let known = own.iter().any(|line| announced(line));
    (known && !(new.is_empty() && old.is_empty())).then_some(Plan { new, old })
}

/// Takes the old keys out of all files and puts the new ones into the first.
fn write(
    files: &[PathBuf],
    name: &str,
    new: &[PublicKey],
    old: &[PublicKey],
    hashed: bool,
) -> std::io::Result<()> {
    let mut more = String::new();
    for key in new {
        more.push_str(&known_hosts::lines_for(&[name], key, hashed)?);
    }
    let gone = |line: &Line| {
        line.marker == Marker::None && line.names(name) && old.iter().any(|key| line.has(key))
    };
    for (index, file) in files.iter().enumerate() {
        let more = if index == 0 { more.as_str() } else { "" };
        known_hosts::rewrite(file, gone, more)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::path::Path;

    use super::*;

    const A: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const B: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK2pr+Bfus1hvPof4Wb/plZCzSbqadHH0u+/f4ODtKnE";
    const C: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBMxBTpMIGvo7CnordO7wP0QQRqpBwUjOLl4eMhfucfE1sjTYyK5wmTl1UqoSDS1PtRVTBdl+0+9pquFb46U7fwg=";

    fn keys(texts: &[&str]) -> Result<Vec<PublicKey>, Box<dyn Error>> {
        let keys = texts.iter().map(|text| PublicKey::from_openssh(text));
        Ok(keys.collect::<Result<_, _>>()?)
    }

    #[test]
    fn only_simple_files_are_changed() -> Result<(), Box<dyn Error>> {
        type Case<'a> = (
            String,
            &'a [&'a str],
            Option<(&'a [&'a str], &'a [&'a str])>,
        );
        let cases: [Case; 12] = [
            (format!("web1 {A}"), &[A], None),
            (format!("web1 {A}"), &[A, C], Some((&[C], &[]))),
            (format!("web1 {A}\nweb1 {C}"), &[A], Some((&[], &[C]))),
            (format!("web1 {A}"), &[B], None),
            (format!("web1 {A}\nweb1 {C}"), &[B, C], Some((&[B], &[A]))),
            // By another name too, by a pattern, in a list, with a marker.
            (format!("web1 {A}\nweb2 {A}"), &[A, C], None),
            (format!("web1 {A}\nweb2 {C}"), &[A, C], None),
            (format!("web1 {A}\nweb1 {C}\nweb2 {C}"), &[A], None),
            (format!("web* {A}"), &[A, C], None),
            (format!("web1,10.0.0.1 {A}"), &[A, C], None),
            (format!("web1 {A}\n@cert-authority web1 {B}"), &[A, C], None),
            (String::new(), &[A], None),
        ];
        for (text, announced, expected) in cases {
            let lines = known_hosts::parse(text.as_bytes(), Path::new("known_hosts"));
            let expected = match expected {
                Some((new, old)) => Some(Plan {
                    new: keys(new)?,
                    old: keys(old)?,
                }),
                None => None,
            };
            let found = plan(&lines, "web1", &keys(announced)?);
            assert_eq!(found, expected, "{text} {announced:?}");
        }
        Ok(())
    }

    #[test]
    fn announcements_are_looked_at_first() -> Result<(), Box<dyn Error>> {
        assert_eq!(acceptable(keys(&[A, A])?, &[]), None);
        assert_eq!(acceptable(Vec::new(), &[]), None);
        let only = ["ssh-ed25519".to_owned()];
        assert_eq!(acceptable(keys(&[A, C])?, &only), Some(keys(&[A])?));
        assert_eq!(acceptable(keys(&[C])?, &only), None);
        Ok(())
    }
}
