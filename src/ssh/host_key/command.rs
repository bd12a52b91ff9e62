//! `KnownHostsCommand`: a program of the user's that prints lines as in known_hosts.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use russh::keys::{PublicKey, PublicKeyBase64};
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use crate::ssh::error::Error;
use crate::ssh::known_hosts::{self, Line};
use crate::ssh::settings::Settings;

use super::fingerprint;

/// How long it may take; it may ask a directory service.
const PATIENCE: Duration = Duration::from_secs(15);

/// How much of its output is read, in bytes.
const OUTPUT: u64 = 4 * 1024 * 1024;

/// Why it is run: the token `%I`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// To put known algorithms first.
    Order,
    /// To find the keys of a name.
    Name,
    /// To find the keys of an address.
    Address,
}

/// Runs it, if there is one; the lines that speak of `name`.
///
/// # Errors
/// It cannot be run, fails, or takes too long: then nobody knows what it would have said.
pub(super) async fn lines(
    settings: &Settings,
    name: &str,
    purpose: Purpose,
    key: Option<&PublicKey>,
) -> Result<Vec<Line>, Error> {
    let Some(command) = &settings.known_hosts_command else {
        return Ok(Vec::new());
    };
    let none = || "NONE".to_owned();
    let shown = (
        key.map_or_else(none, |key| key.algorithm().as_str().to_owned()),
        key.map_or_else(none, PublicKeyBase64::public_key_base64),
        key.map_or_else(none, fingerprint),
    );
    let tokens = [
        ('H', name),
        (
            'I',
            match purpose {
                Purpose::Order => "ORDER",
                Purpose::Name => "HOSTNAME",
                Purpose::Address => "ADDRESS",
            },
        ),
        ('t', &shown.0),
        ('K', &shown.1),
        ('f', &shown.2),
    ];
    let words: Vec<String> = split(command)
        .iter()
        .map(|word| settings.tokens.expand_with(word, &settings.label, &tokens))
        .collect::<Result<_, _>>()?;
    let program = PathBuf::from(words.first().cloned().unwrap_or_default());
    let failed = |why: String| Error::HostKeyFile {
        host: name.to_owned(),
        file: program.clone(),
        why: format!("KnownHostsCommand {why}"),
    };
    if !program.is_absolute() {
        return Err(failed("must begin with a whole path".to_owned()));
    }
    let work = output(&program, words.get(1..).unwrap_or_default());
    let printed = match tokio::time::timeout(PATIENCE, work).await {
        Ok(Ok(printed)) => printed,
        Ok(Err(why)) => return Err(failed(why)),
        Err(_) => {
            return Err(failed(format!("took longer than {} s", PATIENCE.as_secs())));
        }
    };
    let mut lines = known_hosts::parse(&printed, &program);
    lines.retain(|line| line.names(name));
    Ok(lines)
}

async fn output(program: &std::path::Path, arguments: &[String]) -> Result<Vec<u8>, String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|why| format!("cannot be run: {why}"))?;
    let mut printed = Vec::new();
    if let Some(out) = child.stdout.take() {
        let read = out.take(OUTPUT).read_to_end(&mut printed).await;
        read.map_err(|why| format!("cannot be read: {why}"))?;
    }
    let status = child
        .wait()
        .await
        .map_err(|why| format!("cannot be waited for: {why}"))?;
    if status.success() {
        Ok(printed)
    } else {
        Err(format!("failed: {status}"))
    }
}

/// Splits a command into words as OpenSSH does: quotes keep a word together, a backslash keeps a quote or a blank.
fn split(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = command.chars().peekable();
    while let Some(c) = chars.next() {
        let special = |next: Option<&char>| {
            next.is_some_and(|next| {
                matches!(next, '\'' | '"' | '\\') || quote.is_none() && *next == ' '
            })
        };
        match (c, quote) {
            ('\\', _) if special(chars.peek()) => {
                word.get_or_insert_default().extend(chars.next());
            }
            (c, Some(open)) if c == open => quote = None,
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (' ' | '\t', None) => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_openssh() {
        for (command, expected) in [
            ("/bin/x %H", vec!["/bin/x", "%H"]),
            ("\"/bin/my x\"  'a b' c", vec!["/bin/my x", "a b", "c"]),
            (r"/bin/x a\ b \' \z", vec!["/bin/x", "a b", "'", r"\z"]),
            ("/bin/x ''", vec!["/bin/x", ""]),
            ("", vec![]),
        ] {
            assert_eq!(split(command), expected, "{command}");
        }
    }
}
