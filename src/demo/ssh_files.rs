//! The keys of one fleet and the OpenSSH files that lead a client to it.

use std::fmt::Write as _;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::{PrivateKey, PublicKey};

use super::LOGIN;
use super::error::DemoError;
use super::fleet::FleetHost;

/// A new ed25519 key from the system's randomness.
pub(super) fn new_key(comment: &str) -> Result<PrivateKey, DemoError> {
    let mut seed = [0u8; 32];
    getrandom::fill(&mut seed).map_err(|why| keys(&why))?;
    let pair = Ed25519Keypair::from_seed(&seed);
    PrivateKey::new(KeypairData::Ed25519(pair), comment).map_err(|why| keys(&why))
}

/// Refuses a folder that ssh_config(5) could not name: it has no escape for these
/// inside quotes, or takes them as patterns, variables or, since some version, tokens.
pub(super) fn check(folder: &Path) -> Result<(), DemoError> {
    let strange = |c: char| "\"\\$%*?[".contains(c) || c.is_control();
    match folder.to_str() {
        Some(text) if !text.contains(strange) => Ok(()),
        _ => Err(DemoError::Path {
            path: folder.to_path_buf(),
        }),
    }
}

/// Writes `config`, `config.d/fleet.conf`, `known_hosts` and the client's key below `folder`; the answer is the config.
///
/// The hosts behind the bastion stand in an included file, as they do in the files of people who have many.
pub(super) fn write(
    folder: &Path,
    client: &PrivateKey,
    hosts: &[(FleetHost, PublicKey)],
) -> Result<PathBuf, DemoError> {
    make(folder)?;
    make(&folder.join("config.d"))?;
    let secret = client
        .to_openssh(LineEnding::LF)
        .map_err(|why| keys(&why))?;
    put(&folder.join("id_ed25519"), secret.as_bytes(), 0o600)?;
    let public = client.public_key().to_openssh().map_err(|why| keys(&why))?;
    put(
        &folder.join("id_ed25519.pub"),
        format!("{public}\n").as_bytes(),
        0o600,
    )?;
    put(
        &folder.join("known_hosts"),
        known_hosts(hosts)?.as_bytes(),
        0o600,
    )?;
    let (direct, inner): (Vec<_>, Vec<_>) = hosts
        .iter()
        .map(|(host, _)| host)
        .partition(|host| host.jump.is_none());
    let included = format!(
        "# The hosts behind the bastion of `qd demo`.\n{}",
        blocks(&inner)
    );
    put(
        &folder.join("config.d").join("fleet.conf"),
        included.as_bytes(),
        0o600,
    )?;
    let config = folder.join("config");
    put(&config, main(folder, &direct).as_bytes(), 0o600)?;
    Ok(config)
}

fn main(folder: &Path, direct: &[&FleetHost]) -> String {
    let quoted = |name: &str| format!("\"{}\"", folder.join(name).display());
    format!(
        "# Written by `qd demo` for one run. Every host is on this machine; nothing leaves the loopback interface.\n\
         Include {include}\n\n\
         {blocks}\
         Host *\n    HostName 127.0.0.1\n    User {LOGIN}\n    IdentityFile {key}\n    IdentitiesOnly yes\n    \
         IdentityAgent none\n    UserKnownHostsFile {known}\n    GlobalKnownHostsFile /dev/null\n    \
         StrictHostKeyChecking yes\n    PreferredAuthentications publickey\n    ForwardAgent no\n    \
         ForwardX11 no\n    ControlPath none\n    ConnectTimeout 10\n",
        include = quoted("config.d/*.conf"),
        blocks = blocks(direct),
        key = quoted("id_ed25519"),
        known = quoted("known_hosts"),
    )
}

fn blocks(hosts: &[&FleetHost]) -> String {
    let mut text = String::new();
    for host in hosts {
        // Writing to a String cannot fail.
        write!(
            text,
            "# {}\nHost {}\n    Port {}\n",
            host.about, host.name, host.port
        )
        .unwrap_or_default();
        if let Some(jump) = host.jump {
            writeln!(text, "    ProxyJump {jump}").unwrap_or_default();
        }
        text.push('\n');
    }
    text
}

fn known_hosts(hosts: &[(FleetHost, PublicKey)]) -> Result<String, DemoError> {
    let mut text = String::new();
    for (host, key) in hosts {
        let key = key.to_openssh().map_err(|why| keys(&why))?;
        writeln!(text, "[127.0.0.1]:{} {key}", host.port).unwrap_or_default();
    }
    Ok(text)
}

/// Makes a folder for its owner alone; what is above it may exist.
pub(super) fn make(folder: &Path) -> Result<(), DemoError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|why| write_error(folder, why))
}

/// Writes a new file with these permissions from its first byte on.
pub(super) fn put(path: &Path, content: &[u8], mode: u32) -> Result<(), DemoError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(content))
        .map_err(|why| write_error(path, why))
}

pub(super) fn write_error(path: &Path, why: io::Error) -> DemoError {
    DemoError::Write {
        path: path.to_path_buf(),
        why,
    }
}

fn keys(why: &impl ToString) -> DemoError {
    DemoError::Keys {
        why: why.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_ssh_config_cannot_name_are_refused() {
        for (folder, good) in [
            ("/tmp/qd-demo.1", true),
            ("/tmp/größe and space", true),
            ("/tmp/100%", false),
            ("/tmp/a\"b", false),
            ("/tmp/${HOME}", false),
            ("/tmp/a*", false),
            ("/tmp/a\nb", false),
        ] {
            assert_eq!(check(Path::new(folder)).is_ok(), good, "{folder}");
        }
    }
}
