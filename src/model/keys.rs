//! What we believe of keys: host keys that changed, and the keys of ours that a host will be offered.

use std::path::PathBuf;

use crate::domain::time::Time;

/// How many alarms are kept; the oldest is forgotten.
pub const ALARMS: usize = 50;

/// OpenSSH's server ends the connection after this many tries (sshd_config(5), MaxAuthTries), and each key is a try.
pub const OFFERS: usize = 6;

/// A host showed another key than the one that is known: the connection was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyAlarm {
    /// When.
    pub at: Time,
    /// The host's name, as it was asked for.
    pub target: String,
    /// The name that the key is known by: `[10.0.1.1]:2222`.
    pub host: String,
    /// The file that says so.
    pub file: PathBuf,
    /// The line in it, from 1.
    pub line: usize,
    /// The fingerprint that is known.
    pub known: String,
    /// The fingerprint that was shown.
    pub shown: String,
}

/// One of our keys that a host will be offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyOffer {
    /// Where it comes from: `agent`, or the file.
    pub source: String,
    /// Its algorithm.
    pub algorithm: String,
    /// `SHA256:…`.
    pub fingerprint: String,
    /// Its comment.
    pub comment: String,
    /// Whether it is a certificate.
    pub certificate: bool,
    /// Whether a passphrase will be asked for.
    pub locked: bool,
}
