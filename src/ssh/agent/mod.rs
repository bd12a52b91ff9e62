//! The keys one may log in with: those of the agent and those in files, in the order OpenSSH offers them. Sends nothing to a server.

mod files;
mod protocol;
mod report;
mod signpost;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use russh::keys::agent::client::AgentClient;
use russh::keys::agent::{AgentIdentity, AgentSessionBinding};
use russh::keys::{Certificate, PrivateKey, PublicKey};
use tokio::net::UnixStream;

use super::config::blocking;
use super::engine::AgentChoice;
use super::settings::{AgentSocket, Settings};
use files::{Files, Half, KeyFile};

pub(crate) use files::unlock;
pub(crate) use protocol::Constraints;
pub(crate) use report::report;
pub(crate) use signpost::Signpost;

/// How long the agent may take to list its keys. It signs under the patience of the login: a person may have to touch a token.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection to the agent.
pub(crate) type Agent = AgentClient<UnixStream>;

/// What the server is shown.
#[derive(Clone, Debug)]
pub(crate) enum Shown {
    Key(PublicKey),
    Certificate(Box<Certificate>),
    /// A locked file that does not say whose key it is.
    Unknown,
}

impl Shown {
    /// The public key, which a certificate has too.
    pub(crate) fn key(&self) -> Option<PublicKey> {
        match self {
            Self::Key(key) => Some(key.clone()),
            Self::Certificate(certificate) => {
                Some(PublicKey::new(certificate.public_key().clone(), ""))
            }
            Self::Unknown => None,
        }
    }
}

/// Who signs.
#[derive(Clone, Debug)]
pub(crate) enum Holder {
    /// The agent, with the identity that it knows.
    Agent(Box<AgentIdentity>),
    /// We, with a key from a file.
    File(PathBuf, Arc<PrivateKey>),
    /// We, once a person has opened the file.
    Locked(PathBuf),
}

/// Something to log in with. A key and its certificate are two.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) shown: Shown,
    pub(crate) holder: Holder,
    /// The file of a certificate that stands apart from its key.
    pub(crate) from: Option<PathBuf>,
}

impl Candidate {
    /// How it is called in lists of attempts.
    pub(crate) fn label(&self) -> String {
        let certificate = matches!(self.shown, Shown::Certificate(_));
        match (&self.holder, &self.from) {
            (_, Some(path)) => format!("certificate {}", path.display()),
            (Holder::Agent(identity), None) if certificate => {
                format!("certificate {:?} of the agent", identity.comment())
            }
            (Holder::Agent(identity), None) => {
                format!("key {:?} of the agent", identity.comment())
            }
            (Holder::File(path, _) | Holder::Locked(path), None) if certificate => {
                format!("certificate beside key file {}", path.display())
            }
            (Holder::File(path, _) | Holder::Locked(path), None) => {
                format!("key file {}", path.display())
            }
        }
    }
}

/// The candidates, and what is worth telling about those that were left out.
#[derive(Default)]
pub(crate) struct Candidates {
    pub(crate) list: Vec<Candidate>,
    pub(crate) notes: Vec<String>,
    pub(crate) agent: Option<Agent>,
}

/// The socket of the agent for a host.
pub(crate) fn socket(settings: &Settings, choice: &AgentChoice) -> Option<PathBuf> {
    match &settings.agent {
        AgentSocket::None => None,
        AgentSocket::Path(path) => Some(path.clone()),
        AgentSocket::Default => usual(choice),
    }
}

/// The socket of the agent where nothing is said of a host.
pub(crate) fn usual(choice: &AgentChoice) -> Option<PathBuf> {
    match choice {
        AgentChoice::None => None,
        AgentChoice::Path(path) => Some(path.clone()),
        // An empty variable is no agent.
        AgentChoice::FromEnv => std::env::var_os("SSH_AUTH_SOCK")
            .filter(|path| !path.is_empty())
            .map(PathBuf::from),
    }
}

/// Collects the candidates for a host.
pub(crate) async fn candidates(
    settings: &Settings,
    choice: &AgentChoice,
    binding: Option<&AgentSessionBinding>,
) -> Candidates {
    let mut found = Candidates::default();
    let mut identities = Vec::new();
    if let Some(path) = socket(settings, choice) {
        match tokio::time::timeout(PATIENCE, ask(&path, binding)).await {
            Ok(Ok((agent, held))) => {
                found.agent = Some(agent);
                found.notes.extend(held.notes);
                identities = held.identities;
            }
            Ok(Err(why)) => found.notes.push(format!(
                "the agent at {} cannot be used: {why}",
                path.display()
            )),
            Err(_) => found
                .notes
                .push(format!("the agent at {} does not answer", path.display())),
        }
    }
    let paths = settings.identity_files.clone();
    let certificates = settings.certificate_files.clone();
    let files = blocking(move || files::read(&paths, &certificates)).await;
    found.notes.extend(files.notes.iter().cloned());
    found.list = arrange(identities, files, settings.identities_only);
    let (wanted, others) = found
        .list
        .into_iter()
        .partition(|candidate| accepted(candidate, &settings.login_algorithms));
    found.list = wanted;
    let others: Vec<Candidate> = others;
    found.notes.extend(others.iter().map(|candidate| {
        format!(
            "{} left out: PubkeyAcceptedAlgorithms does not have its kind",
            candidate.label()
        )
    }));
    found
}

/// Whether `PubkeyAcceptedAlgorithms` allows to offer it; an empty list allows all.
fn accepted(candidate: &Candidate, algorithms: &[String]) -> bool {
    let (rsa, name) = match &candidate.shown {
        Shown::Key(key) => (
            key.algorithm().is_rsa(),
            key.algorithm().as_str().to_owned(),
        ),
        Shown::Certificate(certificate) => (
            certificate.algorithm().is_rsa(),
            certificate.algorithm().to_certificate_type(),
        ),
        Shown::Unknown => return true,
    };
    let certificate = matches!(candidate.shown, Shown::Certificate(_));
    // An RSA key signs under several names, one for each hash; which of them is settled when it is offered.
    let rsa_name = |allowed: &str| {
        (allowed.starts_with("rsa-sha2-") || allowed.starts_with("ssh-rsa"))
            && allowed.contains("-cert-") == certificate
    };
    algorithms.is_empty()
        || algorithms
            .iter()
            .any(|allowed| *allowed == name || rsa && rsa_name(allowed))
}

async fn ask(
    path: &Path,
    binding: Option<&AgentSessionBinding>,
) -> io::Result<(Agent, protocol::Held)> {
    let mut stream = UnixStream::connect(path).await?;
    if let Some(binding) = binding {
        // Keys that are bound to destinations are only shown to those who say where they are. Other keys need it not,
        // and many agents do not know it; so a refusal is no news.
        protocol::bind(&mut stream, binding).await?;
    }
    let held = protocol::list(&mut stream).await?;
    Ok((AgentClient::connect(stream), held))
}

/// Gives a key that was opened for a login to the agent.
///
/// # Errors
/// There is no agent, it does not answer, or it does not take the key.
pub(crate) async fn add(
    socket: &Path,
    key: &PrivateKey,
    path: &Path,
    constraints: Constraints,
) -> io::Result<()> {
    let comment = match key.comment().as_str_lossy() {
        "" => path.display().to_string(),
        comment => comment.to_owned(),
    };
    let work = async {
        let mut stream = UnixStream::connect(socket).await?;
        protocol::add(&mut stream, key, &comment, constraints).await
    };
    let done = tokio::time::timeout(PATIENCE, work).await;
    done.unwrap_or_else(|_| Err(io::Error::other("it does not answer")))
}

/// The order of OpenSSH's `pubkey_prepare`: certificates that are named, keys of the agent that the configuration names,
/// the agent's others unless `IdentitiesOnly`, then the files whose keys the agent does not have, each before the
/// certificate beside it.
fn arrange(identities: Vec<AgentIdentity>, files: Files, identities_only: bool) -> Vec<Candidate> {
    let mut list = Vec::new();
    for (path, certificate) in &files.certificates {
        list.extend(
            holder_of(certificate, &identities, &files).map(|holder| Candidate {
                shown: Shown::Certificate(Box::new(certificate.clone())),
                holder,
                from: Some(path.clone()),
            }),
        );
    }
    let (named, others): (Vec<_>, Vec<_>) = identities
        .iter()
        .partition(|identity| files.keys.iter().any(|file| names(file, identity)));
    let of_agent = |identity: &AgentIdentity| Candidate {
        shown: match identity {
            AgentIdentity::PublicKey { key, .. } => Shown::Key(key.clone()),
            AgentIdentity::Certificate { certificate, .. } => {
                Shown::Certificate(Box::new(certificate.clone()))
            }
        },
        holder: Holder::Agent(Box::new(identity.clone())),
        from: None,
    };
    list.extend(named.into_iter().map(of_agent));
    if !identities_only {
        list.extend(others.into_iter().map(of_agent));
    }
    let held = |wanted: &Shown| {
        list.iter()
            .any(|candidate| match (&candidate.shown, wanted) {
                (Shown::Key(one), Shown::Key(other)) => one.key_data() == other.key_data(),
                (Shown::Certificate(one), Shown::Certificate(other)) => same(one, other),
                _ => false,
            })
    };
    let mut rest = Vec::new();
    for file in &files.keys {
        let holder = match &file.private {
            Half::Open(key) => Some(Holder::File(file.path.clone(), Arc::clone(key))),
            Half::Locked => Some(Holder::Locked(file.path.clone())),
            Half::Absent => None,
        };
        let key = file.public.clone().map_or(Shown::Unknown, Shown::Key);
        if let Some(holder) = holder.clone().filter(|_| !held(&key)) {
            rest.push(Candidate {
                shown: key,
                holder,
                from: None,
            });
        }
        let Some(certificate) = &file.certificate else {
            continue;
        };
        let shown = Shown::Certificate(Box::new(certificate.clone()));
        if held(&shown) {
            continue;
        }
        // The agent signs for a certificate in a file with the plain key that it holds.
        let holder = key_of_agent(certificate, &identities).or(holder);
        rest.extend(holder.map(|holder| Candidate {
            shown,
            holder,
            from: None,
        }));
    }
    list.extend(rest);
    list
}

/// Whether a file chooses this identity of the agent.
fn names(file: &KeyFile, identity: &AgentIdentity) -> bool {
    match identity {
        AgentIdentity::PublicKey { key, .. } => file
            .public
            .as_ref()
            .is_some_and(|public| public.key_data() == key.key_data()),
        AgentIdentity::Certificate { certificate, .. } => file
            .certificate
            .as_ref()
            .is_some_and(|beside| same(beside, certificate)),
    }
}

fn same(one: &Certificate, other: &Certificate) -> bool {
    // The comment is no part of a certificate.
    matches!((one.to_bytes(), other.to_bytes()), (Ok(one), Ok(other)) if one == other)
}

/// Who can sign for a certificate: the agent, or a key file.
fn holder_of(
    certificate: &Certificate,
    identities: &[AgentIdentity],
    files: &Files,
) -> Option<Holder> {
    let in_file = || {
        files.keys.iter().find_map(|file| {
            let public = file.public.as_ref()?;
            if public.key_data() != certificate.public_key() {
                return None;
            }
            match &file.private {
                Half::Open(key) => Some(Holder::File(file.path.clone(), Arc::clone(key))),
                Half::Locked => Some(Holder::Locked(file.path.clone())),
                Half::Absent => None,
            }
        })
    };
    key_of_agent(certificate, identities).or_else(in_file)
}

/// The identity of the agent that can sign for `certificate`: the certificate itself, or its plain key.
fn key_of_agent(certificate: &Certificate, identities: &[AgentIdentity]) -> Option<Holder> {
    let plain = identities.iter().find(|identity| {
        matches!(identity, AgentIdentity::PublicKey { key, .. } if key.key_data() == certificate.public_key())
    });
    let whole = || {
        identities.iter().find(|identity| {
            matches!(identity, AgentIdentity::Certificate { certificate: held, .. } if same(held, certificate))
        })
    };
    let identity = plain.or_else(whole)?;
    Some(Holder::Agent(Box::new(identity.clone())))
}
