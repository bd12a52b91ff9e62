//! Files in OpenSSH's known_hosts format (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT): found lines, new lines. Decides nothing.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use russh::keys::ssh_key::known_hosts::HostPatterns;
use russh::keys::{PublicKey, PublicKeyBase64, parse_public_key_base64};
use sha1::Sha1;

/// What a line says of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marker {
    /// The host has it.
    None,
    /// It signs the keys of hosts.
    CertAuthority,
    /// It must never be trusted.
    Revoked,
}

/// A line that speaks of the host in question.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) file: PathBuf,
    /// From 1.
    pub(crate) number: usize,
    pub(crate) marker: Marker,
    pub(crate) key: PublicKey,
}

/// The lines of `file` that speak of `name`, which is in lower case. A file that does not exist has none.
///
/// Lines that cannot be read are passed over, as OpenSSH does.
///
/// # Errors
/// The file exists and cannot be read.
pub(crate) fn find(file: &Path, name: &str) -> io::Result<Vec<Line>> {
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(why) => return Err(why),
    };
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().enumerate().filter_map(|(index, line)| {
        let (marker, key) = read_line(line, name)?;
        Some(Line {
            file: file.to_path_buf(),
            number: index + 1,
            marker,
            key,
        })
    });
    Ok(lines.collect())
}

/// The marker and key of a line, if it speaks of `name`.
fn read_line(line: &str, name: &str) -> Option<(Marker, PublicKey)> {
    let mut fields = line.split_whitespace().peekable();
    let marker = match *fields.peek()? {
        "@revoked" => Marker::Revoked,
        "@cert-authority" => Marker::CertAuthority,
        first if first.starts_with(['#', '@']) => return None,
        _ => Marker::None,
    };
    if marker != Marker::None {
        fields.next();
    }
    let patterns = fields.next()?;
    if !matches(patterns, name) {
        return None;
    }
    let algorithm = fields.next()?;
    let key = parse_public_key_base64(fields.next()?).ok()?;
    // The word before the key must tell the truth about it, as in OpenSSH.
    (key.algorithm().as_str() == algorithm).then_some((marker, key))
}

/// Whether the first field of a line means `name`: a hash, or patterns of which none with `!` may match.
fn matches(patterns: &str, name: &str) -> bool {
    if patterns.starts_with('|') {
        return match patterns.parse() {
            Ok(HostPatterns::HashedName { salt, hash }) => digest(&salt, name) == Some(hash),
            _ => false,
        };
    }
    let mut found = false;
    for pattern in patterns.split(',').filter(|pattern| !pattern.is_empty()) {
        let pattern = pattern.to_ascii_lowercase();
        match pattern.strip_prefix('!') {
            Some(pattern) if wildcard(pattern.as_bytes(), name.as_bytes()) => return false,
            Some(_) => {}
            None => found |= wildcard(pattern.as_bytes(), name.as_bytes()),
        }
    }
    found
}

/// `*` stands for any text, `?` for one character.
fn wildcard(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut seen) = (0, 0);
    // Where to go on when the text after the last star does not fit.
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = text.get(seen) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(wanted) if *wanted == b'?' || wanted == byte => {
                at += 1;
                seen += 1;
            }
            _ => match star {
                Some((place, from)) => {
                    star = Some((place, from + 1));
                    at = place + 1;
                    seen = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|byte| *byte == b'*')
}

/// The hash of a name: HMAC-SHA1 with the salt as key.
fn digest(salt: &[u8], name: &str) -> Option<[u8; 20]> {
    let mut mac = Hmac::<Sha1>::new_from_slice(salt).ok()?;
    mac.update(name.as_bytes());
    mac.finalize().into_bytes().as_slice().try_into().ok()
}

/// Adds a line for `name`, hashed if wanted; what others wrote stays.
///
/// The line goes out in one append, so that two writers cannot mix theirs; the folder is made 0700, the file 0600.
///
/// # Errors
/// The system's, or no randomness for the salt.
pub(crate) fn append(file: &Path, name: &str, key: &PublicKey, hashed: bool) -> io::Result<()> {
    let names = if hashed {
        let mut salt = vec![0u8; 20];
        getrandom::fill(&mut salt).map_err(|why| io::Error::other(why.to_string()))?;
        let hash = digest(&salt, name).ok_or_else(|| io::Error::other("the name has no hash"))?;
        HostPatterns::HashedName { salt, hash }.to_string()
    } else {
        name.to_owned()
    };
    let line = format!(
        "{names} {} {}\n",
        key.algorithm().as_str(),
        key.public_key_base64()
    );
    if let Some(folder) = file.parent().filter(|folder| !folder.exists()) {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let mut target = std::fs::OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(file)?;
    let whole = if ends_with_newline(&mut target)? {
        line
    } else {
        format!("\n{line}")
    };
    target.write_all(whole.as_bytes())?;
    target.flush()
}

fn ends_with_newline(file: &mut std::fs::File) -> io::Result<bool> {
    let data = file.metadata()?;
    if !data.is_file() || data.len() == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    const ED: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    fn key() -> Result<PublicKey, Box<dyn Error>> {
        Ok(PublicKey::from_openssh(ED)?)
    }

    #[test]
    fn patterns() {
        let cases = [
            ("web1", "web1", true),
            ("WEB1", "web1", true),
            ("web1,web2", "web2", true),
            ("web*,!web3", "web2", true),
            ("web*,!web3", "web3", false),
            ("!web3,web*", "web3", false),
            ("*.example.net", "a.example.net", true),
            ("*.example.net", "example.net", false),
            ("w?b*1", "web-a-1", true),
            ("[10.0.0.1]:2222", "[10.0.0.1]:2222", true),
            ("10.0.0.1", "[10.0.0.1]:2222", false),
            ("", "", false),
            ("|1|bad|hash", "web1", false),
        ];
        for (patterns, name, expected) in cases {
            assert_eq!(matches(patterns, name), expected, "{patterns} for {name}");
        }
    }

    #[test]
    fn lines_tell_marker_and_number() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("known_hosts");
        fs::write(
            &file,
            format!(
                "# note\n\nother {ED}\n@revoked * {ED}\n@cert-authority web1 {ED} ca\nweb1 {ED} me\nweb1 ssh-rsa {ED}\nweb1 junk\n"
            ),
        )?;
        let found = find(&file, "web1")?;
        let seen: Vec<_> = found
            .iter()
            .map(|line| (line.number, line.marker))
            .collect();
        assert_eq!(
            seen,
            [
                (4, Marker::Revoked),
                (5, Marker::CertAuthority),
                (6, Marker::None)
            ]
        );
        assert!(find(&folder.path().join("absent"), "web1")?.is_empty());
        assert!(find(folder.path(), "web1").is_err(), "a folder is no file");
        Ok(())
    }

    #[test]
    fn ssh_keygen_finds_what_we_append() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("ssh/known_hosts");
        append(&file, "web1", &key()?, false)?;
        append(&file, "[10.0.0.1]:2222", &key()?, true)?;
        assert_eq!(fs::metadata(&file)?.permissions().mode() & 0o777, 0o600);
        let parent = file.parent().ok_or("no parent")?;
        assert_eq!(fs::metadata(parent)?.permissions().mode() & 0o777, 0o700);
        let text = fs::read_to_string(&file)?;
        assert!(!text.contains("10.0.0.1"), "the name is hashed: {text}");
        for (name, line) in [("web1", 1), ("[10.0.0.1]:2222", 2)] {
            let out = Command::new("ssh-keygen")
                .args(["-F", name, "-f"])
                .arg(&file)
                .output()?;
            let said = String::from_utf8(out.stdout)?;
            assert!(
                said.contains(&format!("found: line {line}")),
                "{name}: {said}"
            );
            assert_eq!(find(&file, name)?.len(), 1, "{name}");
        }
        assert!(find(&file, "10.0.0.1")?.is_empty());
        Ok(())
    }

    #[test]
    fn we_find_what_ssh_keygen_hashed() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("known_hosts");
        fs::write(&file, format!("web1,10.0.0.9 {ED}\n[db]:2200 {ED}\n"))?;
        let done = Command::new("ssh-keygen")
            .arg("-H")
            .arg("-f")
            .arg(&file)
            .output()?;
        assert!(done.status.success());
        assert!(fs::read_to_string(&file)?.starts_with("|1|"));
        for name in ["web1", "10.0.0.9", "[db]:2200"] {
            assert_eq!(find(&file, name)?.len(), 1, "{name}");
        }
        assert!(find(&file, "db")?.is_empty());
        Ok(())
    }

    #[test]
    fn a_last_line_without_its_end_stays_whole() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("known_hosts");
        fs::write(&file, format!("web1 {ED}"))?;
        append(&file, "web2", &key()?, false)?;
        assert_eq!(
            fs::read_to_string(&file)?,
            format!("web1 {ED}\nweb2 {ED}\n")
        );
        append(Path::new("/dev/null"), "web2", &key()?, false)?;
        Ok(())
    }
}
