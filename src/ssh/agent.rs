//! The keys one may log in with: those of the agent and those in files, in the order OpenSSH offers them. Sends nothing to a server.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use russh::keys::agent::client::AgentClient;
use russh::keys::agent::{AgentIdentity, AgentSessionBinding};
use russh::keys::{
    Certificate, PrivateKey, PublicKey, decode_secret_key, load_openssh_certificate,
    load_public_key,
};
use tokio::net::UnixStream;

use super::engine::AgentChoice;
use super::settings::{AgentSocket, Settings};

/// How long the agent may take to list its keys. It signs under the patience of the login: a person may have to touch a token.
const PATIENCE: Duration = Duration::from_secs(5);

/// The largest key file that is read, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// A connection to the agent.
pub(crate) type Agent = AgentClient<UnixStream>;

/// Something to log in with.
pub(crate) enum Candidate {
    /// A key or certificate that the agent signs with.
    Agent(Box<AgentIdentity>),
    /// A key from a file, in the clear.
    File {
        path: PathBuf,
        key: Arc<PrivateKey>,
        certificate: Option<Box<Certificate>>,
    },
    /// A key from a file that needs a passphrase. Its public half, when known, is shown to the server first, so that
    /// nobody types a passphrase in vain.
    Locked {
        path: PathBuf,
        public: Option<Box<PublicKey>>,
        certificate: Option<Box<Certificate>>,
    },
}

impl Candidate {
    /// How it is called in lists of attempts.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Agent(identity) => {
                let kind = match identity.as_ref() {
                    AgentIdentity::PublicKey { .. } => "key",
                    AgentIdentity::Certificate { .. } => "certificate",
                };
                format!("{kind} {:?} of the agent", identity.comment())
            }
            Self::File { path, .. } | Self::Locked { path, .. } => {
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
    match (&settings.agent, choice) {
        (AgentSocket::None, _) | (AgentSocket::Default, AgentChoice::None) => None,
        (AgentSocket::Path(path), _) | (AgentSocket::Default, AgentChoice::Path(path)) => {
            Some(path.clone())
        }
        // An empty variable is no agent.
        (AgentSocket::Default, AgentChoice::FromEnv) => std::env::var_os("SSH_AUTH_SOCK")
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
        match tokio::time::timeout(PATIENCE, identities_of(&path, binding)).await {
            Ok(Ok((agent, list))) => {
                found.agent = Some(agent);
                identities = list;
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
    let files = super::config::blocking(move || read_files(&paths, &certificates)).await;
    found.notes.extend(files.notes);
    found.list = arrange(identities, files.list, settings.identities_only);
    found
}

async fn identities_of(
    path: &Path,
    binding: Option<&AgentSessionBinding>,
) -> Result<(Agent, Vec<AgentIdentity>), russh::keys::Error> {
    let mut agent = AgentClient::connect_uds(path).await?;
    if let Some(binding) = binding {
        // Only agents of OpenSSH 8.9 and later know it, and only keys with destination constraints need it.
        agent.bind_session(binding, false).await.ok();
    }
    let identities = agent.request_identities().await?;
    Ok((agent, identities))
}

/// A key file, read.
enum KeyFile {
    Private(Candidate, PublicKey),
    /// Locked without a known public half.
    Sealed(Candidate),
    /// Only the public half: it chooses a key of the agent.
    Public(PublicKey),
}

#[derive(Default)]
struct Files {
    list: Vec<KeyFile>,
    notes: Vec<String>,
}

/// The order of OpenSSH's `pubkey_prepare`: keys of the agent that the configuration names, the agent's others unless
/// `IdentitiesOnly`, then the files whose keys the agent does not have.
fn arrange(
    identities: Vec<AgentIdentity>,
    files: Vec<KeyFile>,
    identities_only: bool,
) -> Vec<Candidate> {
    let named = |identity: &AgentIdentity| {
        let key = identity.public_key();
        files.iter().any(|file| match file {
            KeyFile::Private(_, public) | KeyFile::Public(public) => {
                public.key_data() == key.key_data()
            }
            KeyFile::Sealed(_) => false,
        })
    };
    let held: Vec<PublicKey> = identities
        .iter()
        .map(|identity| identity.public_key().into_owned())
        .collect();
    let (mut list, others): (Vec<_>, Vec<_>) = identities.into_iter().partition(named);
    if !identities_only {
        list.extend(others);
    }
    let mut list: Vec<Candidate> = list
        .into_iter()
        .map(|identity| Candidate::Agent(Box::new(identity)))
        .collect();
    for file in files {
        match file {
            KeyFile::Private(candidate, public) => {
                if !held.iter().any(|key| key.key_data() == public.key_data()) {
                    list.push(candidate);
                }
            }
            KeyFile::Sealed(candidate) => list.push(candidate),
            KeyFile::Public(_) => {}
        }
    }
    list
}

fn read_files(paths: &[PathBuf], certificates: &[PathBuf]) -> Files {
    let mut files = Files::default();
    let given: Vec<Certificate> = certificates
        .iter()
        .filter_map(|path| match load_openssh_certificate(path) {
            Ok(certificate) => Some(certificate),
            Err(why) => {
                files.notes.push(format!(
                    "certificate {} cannot be read: {why}",
                    path.display()
                ));
                None
            }
        })
        .collect();
    for path in paths {
        match read_file(path, &given) {
            Ok(Some(file)) => files.list.push(file),
            // The default files mostly do not exist; that is no news.
            Ok(None) => {}
            Err(why) => files
                .notes
                .push(format!("key file {} left out: {why}", path.display())),
        }
    }
    files
}

fn read_file(path: &Path, given: &[Certificate]) -> Result<Option<KeyFile>, String> {
    let Ok(data) = std::fs::metadata(path) else {
        // A key of the agent may be named by its public file alone.
        return Ok(load_public_key(beside(path, ".pub"))
            .ok()
            .map(KeyFile::Public));
    };
    if data.len() > LARGEST {
        return Err("it is too large for a key".to_owned());
    }
    let text = std::fs::read_to_string(path).map_err(|why| why.to_string())?;
    if !text.contains("PRIVATE KEY") && !text.starts_with("PuTTY-") {
        return match load_public_key(path) {
            Ok(key) => Ok(Some(KeyFile::Public(key))),
            Err(why) => Err(format!("it holds no key: {why}")),
        };
    }
    if data.uid() == rustix::process::getuid().as_raw() && data.mode() & 0o077 != 0 {
        return Err(format!(
            "others can read it; run: chmod 600 {}",
            path.display()
        ));
    }
    let public = load_public_key(beside(path, ".pub")).ok();
    let certificate = |public: &PublicKey| {
        load_openssh_certificate(beside(path, "-cert.pub"))
            .into_iter()
            .chain(given.iter().cloned())
            .find(|certificate| certificate.public_key() == public.key_data())
            .map(Box::new)
    };
    let path = path.to_path_buf();
    // OpenSSH's format keeps the public half in the clear.
    let sealed = PrivateKey::from_openssh(&text)
        .ok()
        .filter(PrivateKey::is_encrypted);
    if let Some(sealed) = sealed {
        let public = sealed.public_key().clone();
        let candidate = Candidate::Locked {
            path,
            certificate: certificate(&public),
            public: Some(Box::new(public.clone())),
        };
        return Ok(Some(KeyFile::Private(candidate, public)));
    }
    match decode_secret_key(&text, None) {
        Ok(key) => {
            let public = key.public_key().clone();
            let candidate = Candidate::File {
                path,
                certificate: certificate(&public),
                key: Arc::new(key),
            };
            Ok(Some(KeyFile::Private(candidate, public)))
        }
        Err(_) if text.contains("ENCRYPTED") || text.contains("aes256-cbc") => {
            let candidate = Candidate::Locked {
                path,
                certificate: public.as_ref().and_then(certificate),
                public: public.clone().map(Box::new),
            };
            Ok(Some(match public {
                Some(public) => KeyFile::Private(candidate, public),
                None => KeyFile::Sealed(candidate),
            }))
        }
        Err(why) => Err(format!("it cannot be read: {why}")),
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Opens a locked key file. Blocks, and takes a good part of a second by design of the format.
///
/// # Errors
/// The passphrase is wrong, or the file cannot be read.
pub(crate) fn unlock(path: &Path, passphrase: &str) -> Result<PrivateKey, String> {
    let text = std::fs::read_to_string(path).map_err(|why| why.to_string())?;
    decode_secret_key(&text, Some(passphrase)).map_err(|why| why.to_string())
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    fn keygen(path: &Path, passphrase: &str) -> Result<(), Box<dyn Error>> {
        let done = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-C", "me", "-N", passphrase, "-f"])
            .arg(path)
            .output()?;
        assert!(done.status.success());
        Ok(())
    }

    fn labels(candidates: &[Candidate]) -> Vec<String> {
        candidates
            .iter()
            .map(|candidate| match candidate {
                Candidate::Agent(identity) => format!("agent {}", identity.comment()),
                Candidate::File { path, .. } => format!("file {}", name(path)),
                Candidate::Locked { path, .. } => format!("locked {}", name(path)),
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
        let paths = ["plain", "locked", "plain.pub", "open", "junk", "absent"].map(at);
        let files = read_files(&paths, &[]);
        assert_eq!(files.notes.len(), 2, "{:?}", files.notes);
        assert!(files.notes.iter().any(|note| note.contains("chmod 600")));
        let list = arrange(Vec::new(), files.list, false);
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
            read_files(&paths, &[]).list
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
}
