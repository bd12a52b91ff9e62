//! The few messages of the agent protocol (draft-miller-ssh-agent) that must survive keys nobody here can read. Decides nothing.

use std::io::{self, ErrorKind};

use russh::keys::agent::{AgentIdentity, AgentSessionBinding};
use russh::keys::key::parse_public_key;
use russh::keys::ssh_encoding::{Decode, Encode};
use russh::keys::{Certificate, PrivateKey};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::domain::text;

const FAILURE: u8 = 5;
const SUCCESS: u8 = 6;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const ADD_IDENTITY: u8 = 17;
const ADD_ID_CONSTRAINED: u8 = 25;
const EXTENSION: u8 = 27;
const CONSTRAIN_LIFETIME: u8 = 1;
const CONSTRAIN_CONFIRM: u8 = 2;

/// The largest answer that is read, in bytes; OpenSSH's agent sends no larger ones.
const LARGEST: usize = 256 * 1024;

/// How many certificates may be nested in a blob: one, and the key of its authority is none. Decoding is recursive.
const NESTED: usize = 1;

/// What an agent holds, and what was left out of it because it cannot be read here.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) identities: Vec<AgentIdentity>,
    pub(crate) notes: Vec<String>,
}

/// How a key is to be kept by the agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Constraints {
    /// The agent asks a person before each signature.
    pub(crate) confirm: bool,
    /// Seconds until the agent forgets it.
    pub(crate) lifetime: Option<u32>,
}

/// Tells the agent which server it signs for, so that it can keep to the destinations its keys are bound to.
/// False when it does not know the request: agents before OpenSSH 8.9 and many others.
///
/// # Errors
/// The agent is gone.
pub(crate) async fn bind<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    binding: &AgentSessionBinding,
) -> io::Result<bool> {
    let mut body = vec![EXTENSION];
    put(&mut body, b"session-bind@openssh.com")?;
    put(&mut body, binding.host_key())?;
    put(&mut body, binding.session_id())?;
    put(&mut body, binding.signature())?;
    // Signatures are for our own login, not for somebody the agent is forwarded to.
    body.push(0);
    Ok(call(stream, &body).await?.first() == Some(&SUCCESS))
}

/// Lists what the agent holds. A key that cannot be read is told and left out; it never hides the others.
///
/// # Errors
/// The agent is gone, refuses, or its answer is no list.
pub(crate) async fn list<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<Held> {
    let answer = call(stream, &[REQUEST_IDENTITIES]).await?;
    let Some((&IDENTITIES_ANSWER, mut rest)) = answer.split_first() else {
        let why = if answer.first() == Some(&FAILURE) {
            "it refuses to list its keys; is it locked?"
        } else {
            "its answer is no list of keys"
        };
        return Err(io::Error::new(ErrorKind::InvalidData, why));
    };
    let mut held = Held::default();
    let count = u32::decode(&mut rest).map_err(invalid)?;
    for _ in 0..count {
        let blob = Vec::<u8>::decode(&mut rest).map_err(invalid)?;
        let comment = Vec::<u8>::decode(&mut rest).map_err(invalid)?;
        let comment = text::line(&String::from_utf8_lossy(&comment));
        match identity(&blob, &comment) {
            Some(identity) => held.identities.push(identity),
            None => held.notes.push(format!(
                "key {comment:?} of the agent left out: its kind ({}) is not known here",
                kind(&blob)
            )),
        }
    }
    Ok(held)
}

fn identity(blob: &[u8], comment: &str) -> Option<AgentIdentity> {
    let comment = comment.to_owned();
    let marker = b"-cert-v01@";
    let certificates = blob.windows(marker.len()).filter(|part| part == marker);
    if certificates.count() > NESTED {
        return None;
    }
    if kind(blob).ends_with("-cert-v01@openssh.com") {
        let certificate = Certificate::from_bytes(blob).ok()?;
        return Some(AgentIdentity::Certificate {
            certificate,
            comment,
        });
    }
    let key = parse_public_key(blob).ok()?;
    Some(AgentIdentity::PublicKey { key, comment })
}

/// The first word of a key's blob.
fn kind(blob: &[u8]) -> String {
    let mut rest = blob;
    match Vec::<u8>::decode(&mut rest) {
        Ok(name) if name.len() < 100 => text::line(&String::from_utf8_lossy(&name)),
        Ok(_) | Err(_) => "unreadable".to_owned(),
    }
}

/// Gives a key to the agent.
///
/// # Errors
/// The agent is gone or does not take it.
pub(crate) async fn add<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    key: &PrivateKey,
    comment: &str,
    constraints: Constraints,
) -> io::Result<()> {
    let constrained = constraints != Constraints::default();
    let mut body = zeroing(if constrained {
        ADD_ID_CONSTRAINED
    } else {
        ADD_IDENTITY
    });
    key.key_data().encode(&mut *body).map_err(invalid)?;
    put(&mut body, comment.as_bytes())?;
    if let Some(seconds) = constraints.lifetime {
        body.push(CONSTRAIN_LIFETIME);
        body.extend(seconds.to_be_bytes());
    }
    if constraints.confirm {
        body.push(CONSTRAIN_CONFIRM);
    }
    if call(stream, &body).await?.first() == Some(&SUCCESS) {
        Ok(())
    } else {
        Err(io::Error::other("it does not take the key"))
    }
}

/// A message that holds a private key: wiped when dropped.
struct Wiped(Vec<u8>);

impl std::ops::Deref for Wiped {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl std::ops::DerefMut for Wiped {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.fill(0);
        // The reads keep the compiler from leaving the writes out.
        std::hint::black_box(&self.0);
    }
}

fn zeroing(first: u8) -> Wiped {
    // Large enough for every key, so that it never grows and leaves a copy behind.
    let mut body = Vec::with_capacity(32 * 1024);
    body.push(first);
    Wiped(body)
}

fn put(body: &mut Vec<u8>, value: &[u8]) -> io::Result<()> {
    let len = u32::try_from(value.len()).map_err(invalid)?;
    body.extend(len.to_be_bytes());
    body.extend(value);
    Ok(())
}

/// Sends one message and reads the answer's.
async fn call<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    body: &[u8],
) -> io::Result<Vec<u8>> {
    let len = u32::try_from(body.len()).map_err(invalid)?;
    stream.write_all(&len.to_be_bytes()).await?;
    stream.write_all(body).await?;
    stream.flush().await?;
    let mut len = [0; 4];
    stream.read_exact(&mut len).await?;
    let len = usize::try_from(u32::from_be_bytes(len)).map_err(invalid)?;
    if len > LARGEST {
        return Err(io::Error::new(
            ErrorKind::InvalidData,
            "its answer is longer than the protocol allows",
        ));
    }
    let mut answer = vec![0; len];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

fn invalid(why: impl std::fmt::Display) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("malformed message: {why}"))
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    const ED: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    /// What [`list`] makes of an agent that answers `body`.
    async fn listed(body: Vec<u8>) -> io::Result<Held> {
        let (mut ours, mut theirs) = tokio::io::duplex(1024);
        let agent = tokio::spawn(async move {
            let mut request = [0; 5];
            theirs.read_exact(&mut request).await?;
            let len = u32::try_from(body.len()).map_err(invalid)?;
            theirs.write_all(&len.to_be_bytes()).await?;
            theirs.write_all(&body).await
        });
        let held = list(&mut ours).await;
        // It may have hung up before it was read to the end.
        agent.abort();
        held
    }

    fn answer(keys: &[(&[u8], &[u8])]) -> io::Result<Vec<u8>> {
        let mut body = vec![IDENTITIES_ANSWER];
        body.extend(u32::try_from(keys.len()).map_err(invalid)?.to_be_bytes());
        for (blob, comment) in keys {
            put(&mut body, blob)?;
            put(&mut body, comment)?;
        }
        Ok(body)
    }

    #[tokio::test]
    async fn a_key_that_cannot_be_read_does_not_hide_the_others() -> Result<(), Box<dyn Error>> {
        let good = russh::keys::PublicKey::from_openssh(ED)?.to_bytes()?;
        let mut strange = Vec::new();
        put(&mut strange, b"ssh-strange")?;
        put(&mut strange, b"....")?;
        let body = answer(&[
            (&strange, b"odd"),
            (b"\x01", b"\xff\x1b[31m"),
            (&good, b"good"),
        ])?;
        let held = listed(body).await?;
        assert_eq!(held.identities.len(), 1);
        assert_eq!(held.notes.len(), 2, "{:?}", held.notes);
        assert!(held.notes.concat().contains("ssh-strange"));
        assert!(!held.notes.concat().contains('\x1b'), "{:?}", held.notes);
        Ok(())
    }

    #[tokio::test]
    async fn lies_about_lengths_are_refused() -> Result<(), Box<dyn Error>> {
        for body in [
            vec![],
            vec![FAILURE],
            vec![IDENTITIES_ANSWER],
            vec![IDENTITIES_ANSWER, 0, 0, 0, 9],
            vec![IDENTITIES_ANSWER, 0, 0, 0, 1, 255, 255, 255, 255],
            vec![0; LARGEST + 1],
        ] {
            assert!(listed(body.clone()).await.is_err(), "{}", body.len());
        }
        assert!(listed(answer(&[])?).await?.identities.is_empty());
        Ok(())
    }
}
