//! Why something could not be reached: what was attempted, why it failed, what to do next.

use std::path::PathBuf;

/// A failure to connect or to use a connection. It is cloned to everybody who waited for the same attempt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The host name cannot be given to `ssh`.
    #[error(
        "{name:?} cannot be a host name: {why}; use the name of a Host block, a DNS name or an address"
    )]
    Name {
        /// As it was asked for.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// `ssh -G` did not explain the host.
    #[error("cannot read the SSH settings of {name}: {why}")]
    Config {
        /// As it was asked for.
        name: String,
        /// The words of `ssh`, or why it could not be run.
        why: String,
    },
    /// The jump hosts lead back to one of themselves.
    #[error("cannot reach {name}: its jump hosts form a loop ({chain}); mend ProxyJump in {file}")]
    Loop {
        /// As it was asked for.
        name: String,
        /// The hops, in the order they were found.
        chain: String,
        /// The configuration that says so.
        file: String,
    },
    /// No connection to the address.
    #[error("cannot connect to {hop}: {why}; {hint}")]
    Connect {
        /// The hop, with address and port.
        hop: String,
        /// The system's words.
        why: String,
        /// What to do.
        hint: String,
    },
    /// The bastion did not lead on.
    #[error("cannot reach {hop} through {bastion}: {why}")]
    Through {
        /// Where it should have led.
        hop: String,
        /// The hop that refused.
        bastion: String,
        /// Why, and what to do.
        why: String,
    },
    /// The two programs found no common ground.
    #[error("{hop} answered, but the SSH handshake failed: {why}; {hint}")]
    Handshake {
        /// The hop.
        hop: String,
        /// What went wrong.
        why: String,
        /// What to do.
        hint: String,
    },
    /// Nobody vouched for the host key and nobody could be asked.
    #[error(
        "the host key of {host} is not known ({algorithm} {fingerprint}); nothing was sent. If the fingerprint is right, connect once with `ssh {advice}` and say yes{note}"
    )]
    HostKeyUnknown {
        /// The name it would be known by.
        host: String,
        /// The key's algorithm.
        algorithm: String,
        /// `SHA256:…`.
        fingerprint: String,
        /// What to call `ssh` with.
        advice: String,
        /// Why its certificate did not help, after a semicolon; empty if it showed none.
        note: String,
    },
    /// A person looked at the key and declined it.
    #[error("the host key of {host} was declined ({algorithm} {fingerprint}); nothing was sent")]
    HostKeyDeclined {
        /// The name.
        host: String,
        /// The key's algorithm.
        algorithm: String,
        /// `SHA256:…`.
        fingerprint: String,
    },
    /// Another key is known for the host.
    #[error(
        "the host key of {host} has CHANGED: {file}:{line} has {known}, the server shows {shown}. Somebody may be listening in, or the host was reinstalled; nothing was sent. If the change is right: ssh-keygen -f {file} -R '{host}'"
    )]
    HostKeyChanged {
        /// The name.
        host: String,
        /// The file with the known key.
        file: String,
        /// Its line, from 1.
        line: usize,
        /// The known key's algorithm and fingerprint.
        known: String,
        /// The shown key's algorithm and fingerprint.
        shown: String,
    },
    /// The key was revoked.
    #[error(
        "the host key of {host} is revoked by {by} ({fingerprint}); nothing was sent. Ask whoever runs the host for its new key"
    )]
    HostKeyRevoked {
        /// The name.
        host: String,
        /// The file that says so, with the line or the reason.
        by: String,
        /// `SHA256:…`.
        fingerprint: String,
    },
    /// An authority that is known signed the key, and yet its certificate is not good.
    #[error(
        "the certificate of {host} is not accepted: {why} (signed by the authority at {authority}, its key is {fingerprint}); nothing was sent. Ask whoever runs the host for a new certificate"
    )]
    HostCertificate {
        /// The name.
        host: String,
        /// What is wrong with it.
        why: String,
        /// The file and line that name the authority.
        authority: String,
        /// Of the host's key, `SHA256:…`.
        fingerprint: String,
    },
    /// The key of the host's address is another one than the host's.
    #[error(
        "the host key of {host} ({shown}) is not the one known for its address {address} ({known}, {by}); nothing was sent. If the address moved on: ssh-keygen -R '{address}'"
    )]
    HostAddress {
        /// The name.
        host: String,
        /// The address, as known_hosts has it.
        address: String,
        /// The file and line of the address's key.
        by: String,
        /// The address's key.
        known: String,
        /// The shown key.
        shown: String,
    },
    /// A file that decides about host keys could not be used; so no key is trusted.
    #[error(
        "cannot check the host key of {host}: {file}: {why}; nothing was sent. Make the file usable, then try again"
    )]
    HostKeyFile {
        /// The name.
        host: String,
        /// The file.
        file: PathBuf,
        /// The system's words.
        why: String,
    },
    /// The server let nobody in.
    #[error("{hop} does not let {user} in: {why}. Tried: {tried}. {hint}")]
    Auth {
        /// The hop.
        hop: String,
        /// The login.
        user: String,
        /// What the server said.
        why: String,
        /// Every attempt, in order.
        tried: String,
        /// What to do.
        hint: String,
        /// A person could have helped, but the work was background work.
        person: bool,
    },
    /// It took too long.
    #[error("{hop} gave no answer in {seconds} s while {doing}; {hint}")]
    Timeout {
        /// The hop.
        hop: String,
        /// Seconds waited.
        seconds: u64,
        /// What was going on.
        doing: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// The connection broke.
    #[error("the connection to {hop} was lost: {why}")]
    Lost {
        /// The hop.
        hop: String,
        /// Why.
        why: String,
    },
    /// The server refuses another channel.
    #[error("{hop} refuses to start anything: {why}")]
    Channel {
        /// The hop.
        hop: String,
        /// Why, and what to do.
        why: String,
    },
    /// Background work that comes back too early after a failure.
    #[error("{why}; the next attempt comes in {} s", left.as_secs() + 1)]
    Waiting {
        /// The failure, in words.
        why: String,
        /// Until the next attempt.
        left: std::time::Duration,
    },
    /// Background work on a host that let nobody in: repeating it would lock the account.
    #[error("{why}; background work stays away from {hop} until somebody connects by hand")]
    Paused {
        /// The hop.
        hop: String,
        /// The failure, in words.
        why: String,
    },
    /// A person took the attempt back.
    #[error("{hop} was not reached: the attempt was given up")]
    GivenUp {
        /// The hop.
        hop: String,
    },
    /// The engine ends.
    #[error("{hop} was not reached: the program is closing its connections")]
    Closing {
        /// The hop.
        hop: String,
    },
}

impl Error {
    /// Whether background work must not repeat the attempt: each refused login counts, and some hosts lock accounts for it.
    pub fn pauses_background(&self) -> bool {
        matches!(self, Self::Auth { .. } | Self::Paused { .. })
    }

    /// Whether the same attempt could succeed with a person to answer questions.
    pub fn needs_person(&self) -> bool {
        matches!(
            self,
            Self::HostKeyUnknown { .. } | Self::Auth { person: true, .. }
        )
    }
}

/// The name `ssh` would be called with in advice: config included.
pub(crate) fn advice(name: &str, config: Option<&std::path::Path>) -> String {
    match config {
        Some(path) => format!("-F {} {name}", path.display()),
        None => name.to_owned(),
    }
}
