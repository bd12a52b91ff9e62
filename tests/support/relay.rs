//! An agent between us and a real one: it adds identities to the list, and may sign for one of them as a hardware key does.

use std::path::{Path, PathBuf};

use russh::keys::signature::Signer;
use russh::keys::{HashAlg, PrivateKey};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

use super::lab::Failed;

const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;

/// The kind of a key that lives in a token.
const HARDWARE: &str = "sk-ssh-ed25519@openssh.com";

/// What tokens sign for when they are used with SSH.
const APPLICATION: &str = "ssh:";

/// One more identity.
#[derive(Clone)]
pub(crate) enum Extra {
    /// Bytes that are no key.
    Junk(Vec<u8>),
    /// An ed25519 key that signs as a token would.
    Hardware(Box<PrivateKey>),
}

/// The agent between.
pub(crate) struct Relay {
    pub(crate) socket: PathBuf,
    task: JoinHandle<()>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Relay {
    /// Starts one at `socket` before the agent at `agent`; `extra` comes first in its list.
    pub(crate) fn start(socket: &Path, agent: &Path, extra: Vec<Extra>) -> Result<Self, Failed> {
        let listener = UnixListener::bind(socket)?;
        let agent = agent.to_path_buf();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (agent, extra) = (agent.clone(), extra.clone());
                tokio::spawn(async move { serve(client, &agent, &extra).await.ok() });
            }
        });
        Ok(Self {
            socket: socket.to_path_buf(),
            task,
        })
    }
}

/// The line for authorized_keys of an ed25519 key that signs as a token would.
pub(crate) fn hardware_line(key: &PrivateKey) -> Result<String, Failed> {
    let blob = hardware_blob(key)?;
    let key = russh::keys::PublicKey::from_bytes(&blob)?;
    Ok(format!("{}\n", key.to_openssh()?))
}

fn hardware_blob(key: &PrivateKey) -> Result<Vec<u8>, Failed> {
    let public = key.public_key().to_bytes()?;
    // After the key's kind comes its length and the key.
    let point = public.get(public.len() - 32..).ok_or("32 bytes")?;
    let mut blob = Vec::new();
    for part in [HARDWARE.as_bytes(), point, APPLICATION.as_bytes()] {
        put(&mut blob, part)?;
    }
    Ok(blob)
}

fn put(out: &mut Vec<u8>, value: &[u8]) -> Result<(), Failed> {
    out.extend(u32::try_from(value.len())?.to_be_bytes());
    out.extend(value);
    Ok(())
}

fn take<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Failed> {
    let (len, after) = rest.split_at_checked(4).ok_or("a length")?;
    let len = usize::try_from(u32::from_be_bytes(len.try_into()?))?;
    let (value, after) = after.split_at_checked(len).ok_or("a value")?;
    *rest = after;
    Ok(value)
}

async fn serve(mut client: UnixStream, agent: &Path, extra: &[Extra]) -> Result<(), Failed> {
    let mut agent = UnixStream::connect(agent).await?;
    loop {
        let request = frame(&mut client).await?;
        let answer = match own(&request, extra)? {
            Some(answer) => answer,
            None => {
                send(&mut agent, &request).await?;
                with_extra(frame(&mut agent).await?, extra)?
            }
        };
        send(&mut client, &answer).await?;
    }
}

async fn frame(stream: &mut UnixStream) -> Result<Vec<u8>, Failed> {
    let len = stream.read_u32().await?;
    let mut body = vec![0; usize::try_from(len)?];
    stream.read_exact(&mut body).await?;
    Ok(body)
}

async fn send(stream: &mut UnixStream, body: &[u8]) -> Result<(), Failed> {
    stream.write_u32(u32::try_from(body.len())?).await?;
    stream.write_all(body).await?;
    Ok(())
}

/// The list with the extra identities before the others.
fn with_extra(answer: Vec<u8>, extra: &[Extra]) -> Result<Vec<u8>, Failed> {
    let Some((&IDENTITIES_ANSWER, rest)) = answer.split_first() else {
        return Ok(answer);
    };
    let (count, others) = rest.split_at_checked(4).ok_or("a count")?;
    let count = u32::from_be_bytes(count.try_into()?) + u32::try_from(extra.len())?;
    let mut list = vec![IDENTITIES_ANSWER];
    list.extend(count.to_be_bytes());
    for one in extra {
        match one {
            Extra::Junk(blob) => put(&mut list, blob)?,
            Extra::Hardware(key) => put(&mut list, &hardware_blob(key)?)?,
        }
        put(&mut list, b"extra")?;
    }
    list.extend(others);
    Ok(list)
}

/// The signature of a token, if one of ours is asked for.
fn own(request: &[u8], extra: &[Extra]) -> Result<Option<Vec<u8>>, Failed> {
    let Some((&SIGN_REQUEST, mut rest)) = request.split_first() else {
        return Ok(None);
    };
    let (wanted, data) = (take(&mut rest)?, take(&mut rest)?);
    for one in extra {
        let Extra::Hardware(key) = one else { continue };
        if hardware_blob(key)? != wanted {
            continue;
        }
        // Somebody touched it, and it was used seven times.
        let state = [1, 0, 0, 0, 7];
        let mut signed = HashAlg::Sha256.digest(APPLICATION.as_bytes());
        signed.extend(state);
        signed.extend(HashAlg::Sha256.digest(data));
        let signature = key.try_sign(&signed)?;
        let mut blob = Vec::new();
        put(&mut blob, HARDWARE.as_bytes())?;
        put(&mut blob, signature.as_bytes())?;
        blob.extend(state);
        let mut answer = vec![SIGN_RESPONSE];
        put(&mut answer, &blob)?;
        return Ok(Some(answer));
    }
    Ok(None)
}
