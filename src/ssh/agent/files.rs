//! Key and certificate files, read for what they are. Asks nobody and sends nothing.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::{
    Algorithm, Certificate, PrivateKey, PublicKey, decode_secret_key, load_openssh_certificate,
    load_public_key,
};

/// The largest key file that is read, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// A private key's file.
#[derive(Clone, Debug)]
pub(crate) enum Half {
    /// In the clear.
    Open(Arc<PrivateKey>),
    /// Behind a passphrase.
    Locked,
    /// Only the public half is there: it chooses a key of the agent.
    Absent,
}

/// One `IdentityFile`, read.
#[derive(Clone, Debug)]
pub(crate) struct KeyFile {
    pub(crate) path: PathBuf,
    pub(crate) private: Half,
    /// Not known of some locked files until they are opened.
    pub(crate) public: Option<PublicKey>,
    /// The certificate beside it.
    pub(crate) certificate: Option<Certificate>,
}

/// All of them, and what is worth telling about those that were left out.
#[derive(Debug, Default)]
pub(crate) struct Files {
    pub(crate) keys: Vec<KeyFile>,
    /// Those of `CertificateFile`, with their paths.
    pub(crate) certificates: Vec<(PathBuf, Certificate)>,
    pub(crate) notes: Vec<String>,
}

/// Reads the files of `IdentityFile` and `CertificateFile`. A file that is broken is told and left out. Blocks.
pub(crate) fn read(paths: &[PathBuf], certificates: &[PathBuf]) -> Files {
    let mut files = Files::default();
    for path in certificates {
        match load_openssh_certificate(path) {
            Ok(certificate) if certificate.cert_type().is_user() => {
                files.certificates.push((path.clone(), certificate));
            }
            Ok(_) => files.notes.push(format!(
                "certificate {} left out: it is for a host, not for a user",
                path.display()
            )),
            Err(why) => files.notes.push(format!(
                "certificate {} cannot be read: {why}",
                path.display()
            )),
        }
    }
    // Certificates that are named stand for those beside the keys, as in OpenSSH.
    let beside = certificates.is_empty();
    for path in paths {
        match read_one(path, beside) {
            Ok(Some(mut file)) => {
                if !matches!(file.private, Half::Absent) && is_hardware(file.public.as_ref()) {
                    // Its file is only a handle of the key; it chooses the agent's.
                    file.private = Half::Absent;
                    files.notes.push(format!(
                        "key file {} is of a hardware key, which signs only through the agent: ssh-add {}",
                        path.display(),
                        path.display()
                    ));
                }
                files.keys.push(file);
            }
            // The default files mostly do not exist; that is no news.
            Ok(None) => {}
            Err(why) => files
                .notes
                .push(format!("key file {} left out: {why}", path.display())),
        }
    }
    files
}

fn is_hardware(key: Option<&PublicKey>) -> bool {
    let hardware = |key: &PublicKey| {
        matches!(
            key.algorithm(),
            Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256
        )
    };
    key.is_some_and(hardware)
}

fn read_one(path: &Path, beside_it: bool) -> Result<Option<KeyFile>, String> {
    let certificate = || {
        let certificate = load_openssh_certificate(beside(path, "-cert.pub")).ok()?;
        (beside_it && certificate.cert_type().is_user()).then_some(certificate)
    };
    let file = |private, public: Option<PublicKey>| KeyFile {
        path: path.to_path_buf(),
        private,
        certificate: certificate().filter(|certificate| {
            public
                .as_ref()
                .is_none_or(|public| public.key_data() == certificate.public_key())
        }),
        public,
    };
    let neighbour = load_public_key(beside(path, ".pub")).ok();
    let Ok(data) = std::fs::metadata(path) else {
        // A key of the agent may be named by its public file alone.
        return Ok(neighbour.map(|public| file(Half::Absent, Some(public))));
    };
    if data.len() > LARGEST {
        return Err("it is too large for a key".to_owned());
    }
    if data.is_dir() {
        return Err("it is a folder".to_owned());
    }
    let text = std::fs::read_to_string(path).map_err(|why| why.to_string())?;
    if !text.contains("PRIVATE KEY") && !text.starts_with("PuTTY-") {
        return match load_public_key(path) {
            Ok(public) => Ok(Some(file(Half::Absent, Some(public)))),
            Err(why) => Err(format!("it holds no key: {why}")),
        };
    }
    if data.uid() == rustix::process::getuid().as_raw() && data.mode() & 0o077 != 0 {
        return Err(format!(
            "others can read it; run: chmod 600 {}",
            path.display()
        ));
    }
    // OpenSSH's format keeps the public half in the clear.
    let sealed = PrivateKey::from_openssh(&text)
        .ok()
        .filter(PrivateKey::is_encrypted);
    if let Some(sealed) = sealed {
        return Ok(Some(file(Half::Locked, Some(sealed.public_key().clone()))));
    }
    match decode_secret_key(&text, None) {
        Ok(key) => {
            let public = key.public_key().clone();
            Ok(Some(file(Half::Open(Arc::new(key)), Some(public))))
        }
        Err(_) if text.contains("ENCRYPTED") || text.contains("aes256-cbc") => {
            Ok(Some(file(Half::Locked, neighbour)))
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
