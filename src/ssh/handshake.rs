//! A handshake that failed, in words: what was attempted, why it failed, what to do next.

use super::error::Error;
use super::meter::Meter;
use super::settings::Settings;
use super::transport::Failure;

/// The way out of what is not done here.
const OTHERWISE: &str =
    "if the system's ssh gets through, name this host in openssh_hosts ([ssh] in config.toml)";

/// The error of a failed handshake, for people.
pub(crate) fn error(settings: &Settings, why: Failure, proxy_said: &str, meter: &Meter) -> Error {
    let hop = settings.place();
    let (text, hint) = match why {
        Failure::Ours(why) => return why,
        Failure::HungUp(why) => (why, OTHERWISE),
        Failure::Protocol(why) => protocol(&why, meter),
    };
    let words = meter.words();
    let mut said = String::new();
    if !meter.named() && !words.is_empty() {
        said.push_str(&format!(" (it said: {words})"));
    }
    if !proxy_said.is_empty() {
        said.push_str(&format!(" (the proxy said: {proxy_said})"));
    }
    Error::Handshake {
        hop,
        why: format!("{text}{said}"),
        hint: hint.to_owned(),
    }
}

fn protocol(why: &russh::Error, meter: &Meter) -> (String, &'static str) {
    let text = match why {
        russh::Error::NoCommonAlgo { kind, ours, theirs } => {
            let text = format!(
                "no common {} algorithm; it offers {}, we offer {}",
                kind_word(kind),
                theirs.join(","),
                ours.join(",")
            );
            let hint = "allow one of its algorithms for this host in ssh_config, or name it in openssh_hosts ([ssh] in config.toml) to use the system's ssh";
            return (text, hint);
        }
        russh::Error::HUP | russh::Error::Disconnect | russh::Error::IO(_) if meter.named() => {
            "it closed the connection during the key exchange".to_owned()
        }
        _ if meter.words().starts_with("SSH-1.") => "it speaks only version 1 of SSH".to_owned(),
        russh::Error::HUP | russh::Error::Disconnect | russh::Error::IO(_) => {
            let hint = "it may be overloaded (MaxStartups), or refuse this address";
            return ("it closed the connection at once".to_owned(), hint);
        }
        russh::Error::Version => {
            return (
                "it does not answer as an SSH server".to_owned(),
                "check the port",
            );
        }
        other => other.to_string(),
    };
    (text, OTHERWISE)
}

/// The system's words without its error number.
pub(crate) fn plain(why: &std::io::Error) -> String {
    let text = why.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

fn kind_word(kind: &russh::AlgorithmKind) -> &'static str {
    match kind {
        russh::AlgorithmKind::Kex => "key exchange",
        russh::AlgorithmKind::Key => "host key",
        russh::AlgorithmKind::Cipher => "cipher",
        russh::AlgorithmKind::Compression => "compression",
        russh::AlgorithmKind::Mac => "MAC",
    }
}
