//! What the files of known hosts say of one host, and what follows from it for a key. Asks nobody, writes nothing.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use russh::keys::{Algorithm, Certificate, PublicKey};

use crate::ssh::config::blocking;
use crate::ssh::error::Error;
use crate::ssh::known_hosts::{self, Line, Marker};
use crate::ssh::settings::Settings;

use super::command::{self, Purpose};
use super::revoked::Revocations;

/// What is known of a host.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// The name the host is known by: `web1`, `[web1]:2222` or its alias.
    pub(crate) name: String,
    /// Its name in certificates: without a port.
    pub(super) principal: String,
    pub(super) lines: Vec<Line>,
    /// Lines for the name without its port; a match there is good enough, as in OpenSSH.
    pub(super) plain: Vec<Line>,
    /// Its address and the lines that speak of that, where `CheckHostIP` wants it.
    pub(super) address: Option<(String, Vec<Line>)>,
    pub(super) revoked: Option<Revocations>,
}

/// What is known of a key.
#[derive(Debug)]
pub(super) enum Verdict<'a> {
    /// By this line.
    Trusted(&'a Line),
    Unknown,
    /// This line has another key.
    Changed(&'a Line),
    /// By whom.
    Revoked(String),
}

impl Known {
    /// Reads the files, and asks the user's command which keys it knows. `peer` is the address that is connected to, if
    /// that is the host's own.
    ///
    /// # Errors
    /// A file exists and cannot be read, or the command failed; so nobody knows what it would have said.
    pub(crate) async fn gather(
        settings: &Arc<Settings>,
        peer: Option<IpAddr>,
    ) -> Result<Self, Error> {
        let reading = Arc::clone(settings);
        let mut known = blocking(move || Self::read(&reading, peer)).await?;
        let lines = command::lines(settings, &known.name, Purpose::Order, None).await?;
        known.lines.extend(lines);
        Ok(known)
    }

    /// Reads the files. Blocks.
    pub(super) fn read(settings: &Settings, peer: Option<IpAddr>) -> Result<Self, Error> {
        let (name, plain_name) = names(settings);
        let address = peer.and_then(|peer| address(settings, peer));
        let failed = |file: &Path, why: String| Error::HostKeyFile {
            host: name.clone(),
            file: file.to_path_buf(),
            why,
        };
        let mut known = Self {
            name: name.clone(),
            principal: plain_name.clone().unwrap_or_else(|| name.clone()),
            address: address.map(|name| (name, Vec::new())),
            ..Self::default()
        };
        for file in settings
            .known_hosts
            .iter()
            .chain(&settings.global_known_hosts)
        {
            let lines = known_hosts::read(file).map_err(|why| failed(file, why.to_string()))?;
            for line in lines {
                if let Some((name, lines)) = &mut known.address
                    && line.names(name)
                {
                    lines.push(line.clone());
                }
                if line.names(&name) {
                    known.lines.push(line);
                } else if plain_name.as_ref().is_some_and(|plain| line.names(plain)) {
                    known.plain.push(line);
                }
            }
        }
        if let Some(file) = &settings.revoked_keys {
            known.revoked = Some(Revocations::read(file).map_err(|why| failed(file, why))?);
        }
        Ok(known)
    }

    /// The same with what the user's command says of the key that was shown.
    pub(super) async fn with_command(
        &self,
        settings: &Settings,
        key: &PublicKey,
    ) -> Result<Self, Error> {
        let mut known = self.clone();
        if settings.known_hosts_command.is_none() {
            return Ok(known);
        }
        let printed_by_it = |line: &Line| {
            let mut files = settings
                .known_hosts
                .iter()
                .chain(&settings.global_known_hosts);
            !files.any(|file| *file == line.file)
        };
        // What it said to order algorithms by is no answer about this key.
        known.lines.retain(|line| !printed_by_it(line));
        let lines = command::lines(settings, &self.name, Purpose::Name, Some(key)).await?;
        known.lines.extend(lines);
        if let Some((name, lines)) = &mut known.address {
            lines.extend(command::lines(settings, name, Purpose::Address, Some(key)).await?);
        }
        Ok(known)
    }

    fn all(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().chain(&self.plain)
    }

    /// Who revoked `key`, if somebody did.
    pub(super) fn revoker(&self, key: &PublicKey) -> Option<String> {
        let address = self.address.iter().flat_map(|(_, lines)| lines);
        self.all()
            .chain(address)
            .find(|line| line.marker == Marker::Revoked && line.has(key))
            .map(Line::place)
            .or_else(|| self.revoked.as_ref()?.of_key(key.key_data()))
    }

    /// Who revoked a certificate, its key or its authority.
    pub(super) fn revoker_of(&self, certificate: &Certificate) -> Option<String> {
        let authority = PublicKey::new(certificate.signature_key().clone(), "");
        self.revoker(&PublicKey::new(certificate.public_key().clone(), ""))
            .or_else(|| {
                let by = self.revoker(&authority)?;
                Some(format!("{by}, which revokes its authority"))
            })
            .or_else(|| self.revoked.as_ref()?.of_certificate(certificate))
    }

    /// The line that makes the signer of `certificate` an authority for this host.
    pub(super) fn authority(&self, certificate: &Certificate) -> Option<&Line> {
        self.all().find(|line| {
            line.marker == Marker::CertAuthority
                && line.key.key_data() == certificate.signature_key()
        })
    }

    /// Whether any authority may vouch for this host.
    pub(crate) fn has_authority(&self) -> bool {
        self.all().any(|line| line.marker == Marker::CertAuthority)
    }

    /// What is known of a plain key.
    pub(super) fn judge(&self, key: &PublicKey) -> Verdict<'_> {
        if let Some(by) = self.revoker(key) {
            return Verdict::Revoked(by);
        }
        let own = || self.lines.iter().filter(|line| line.marker == Marker::None);
        if let Some(line) = own().find(|line| line.has(key)) {
            return Verdict::Trusted(line);
        }
        // The line with a key of the same kind is the one that a person would compare.
        let alike = own().find(|line| line.key.algorithm() == key.algorithm());
        if let Some(line) = alike.or_else(|| own().next()) {
            return Verdict::Changed(line);
        }
        let mut plain = self.plain.iter().filter(|line| line.marker == Marker::None);
        match plain.find(|line| line.has(key)) {
            Some(line) => Verdict::Trusted(line),
            None => Verdict::Unknown,
        }
    }

    /// Puts the algorithms that the host is known by first; else a host with one known key would look changed when its
    /// server prefers to show another.
    pub(crate) fn order(&self, mut algorithms: Vec<Algorithm>) -> Vec<Algorithm> {
        let known = |algorithm: &Algorithm| {
            self.all()
                .any(|line| line.marker == Marker::None && alike(&line.key.algorithm(), algorithm))
        };
        // A stable sort: within the two groups the preferences stay.
        algorithms.sort_by_key(|algorithm| !known(algorithm));
        algorithms
    }
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
        (with_port(&host, settings.port), Some(host))
    }
}

fn with_port(host: &str, port: u16) -> String {
    if port == 22 {
        host.to_owned()
    } else {
        format!("[{host}]:{port}")
    }
}

/// The address as known_hosts has it, if it is to be looked up: not behind a proxy or an alias, not on this machine, and
/// not when the host's name is the address itself; as in OpenSSH.
fn address(settings: &Settings, peer: IpAddr) -> Option<String> {
    let pointless = !settings.check_host_ip
        || settings.host_key_alias.is_some()
        || settings.proxy_command.is_some()
        || peer.is_loopback()
        || settings.host == peer.to_string();
    (!pointless).then(|| with_port(&peer.to_string(), settings.port))
}
