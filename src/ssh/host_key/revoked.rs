//! `RevokedHostKeys`: keys and certificates that are never trusted, listed as text or in OpenSSH's binary form.

use std::path::{Path, PathBuf};

use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Certificate, parse_public_key_base64};

use super::krl::{Krl, MAGIC};

/// A list and where it came from.
#[derive(Clone, Debug)]
pub(super) struct Revocations {
    file: PathBuf,
    list: List,
}

#[derive(Clone, Debug)]
enum List {
    /// Keys with the numbers of their lines.
    Text(Vec<(usize, KeyData)>),
    Binary(Krl),
}

impl Revocations {
    /// Reads the file. Blocks.
    ///
    /// # Errors
    /// It cannot be read whole; so nobody knows what it would have revoked.
    pub(super) fn read(file: &Path) -> Result<Self, String> {
        let bytes = std::fs::read(file).map_err(|why| why.to_string())?;
        let list = if bytes.starts_with(MAGIC) {
            List::Binary(Krl::read(&bytes).map_err(|why| {
                format!("the binary revocation list cannot be read: {why}; make it anew with ssh-keygen -k")
            })?)
        } else {
            List::Text(text(&bytes)?)
        };
        Ok(Self {
            file: file.to_path_buf(),
            list,
        })
    }

    /// Which entry revokes `key`, if one does.
    pub(super) fn of_key(&self, key: &KeyData) -> Option<String> {
        match &self.list {
            List::Text(keys) => keys
                .iter()
                .find(|(_, revoked)| revoked == key)
                .map(|(number, _)| format!("{}:{number}", self.file.display())),
            List::Binary(krl) => krl
                .revokes(key)
                .map(|why| format!("{} ({why})", self.file.display())),
        }
    }

    /// Which entry revokes `certificate` as such, if one does.
    pub(super) fn of_certificate(&self, certificate: &Certificate) -> Option<String> {
        match &self.list {
            List::Text(_) => None,
            List::Binary(krl) => krl
                .revokes_certificate(certificate)
                .map(|why| format!("{} ({why})", self.file.display())),
        }
    }
}

/// One key a line, with or without its algorithm before it.
fn text(bytes: &[u8]) -> Result<Vec<(usize, KeyData)>, String> {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().enumerate().filter_map(|(index, line)| {
        let line = line.trim();
        (!line.is_empty() && !line.starts_with('#')).then_some((index + 1, line))
    });
    lines
        .map(|(number, line)| {
            let blob = line.split_whitespace().nth(1).unwrap_or(line);
            match parse_public_key_base64(blob) {
                Ok(key) => Ok((number, key.key_data().clone())),
                Err(why) => Err(format!("line {number} has no key: {why}")),
            }
        })
        .collect()
}
