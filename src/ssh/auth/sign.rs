//! Who signs a login: the agent, a key from a file, or nobody at all when one only wants to know whether a key would do.

use std::sync::Arc;

use russh::keys::agent::AgentIdentity;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_encoding::Encode;
use russh::keys::ssh_key::Signature;
use russh::keys::ssh_key::private::KeypairData;
use russh::keys::{HashAlg, PrivateKey};
use russh::{SendError, Signer};

use crate::ssh::agent::Agent;

/// Why nothing was signed.
#[derive(Debug)]
pub(super) enum Unsigned {
    /// The server would take a signature, and that was the question.
    Wanted,
    /// The server hung up.
    HungUp,
    /// The signer cannot or will not.
    Declined(String),
}

impl From<SendError> for Unsigned {
    fn from(_: SendError) -> Self {
        Self::HungUp
    }
}

impl std::fmt::Display for Unsigned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Wanted => f.write_str("nothing was to be signed"),
            Self::HungUp => f.write_str("the server hung up"),
            Self::Declined(why) => f.write_str(why),
        }
    }
}

/// A signer that never signs: being asked is all it wants to know.
pub(super) struct Probe;

impl Signer for Probe {
    type Error = Unsigned;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        _: Option<HashAlg>,
        _: Vec<u8>,
    ) -> Result<Vec<u8>, Unsigned> {
        Err(Unsigned::Wanted)
    }
}

/// The agent, asked for the key it holds: for a certificate from a file that is the plain key.
pub(super) struct ByAgent<'a> {
    pub(super) agent: &'a mut Agent,
    pub(super) identity: &'a AgentIdentity,
}

impl Signer for ByAgent<'_> {
    type Error = Unsigned;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        hash: Option<HashAlg>,
        data: Vec<u8>,
    ) -> Result<Vec<u8>, Unsigned> {
        let signed = self.agent.sign_request(self.identity, hash, data).await;
        signed.map_err(|why| Unsigned::Declined(format!("the agent would not sign: {why}")))
    }
}

/// A key from a file.
pub(super) struct ByFile(pub(super) Arc<PrivateKey>);

impl Signer for ByFile {
    type Error = Unsigned;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        hash: Option<HashAlg>,
        mut data: Vec<u8>,
    ) -> Result<Vec<u8>, Unsigned> {
        let signature: Result<Signature, _> = match self.0.key_data() {
            // The hash is the server's choice; the plain signer would take SHA-1 or its own.
            KeypairData::Rsa(pair) => (pair, hash).try_sign(&data),
            _ => self.0.try_sign(&data),
        };
        let declined = |why: String| Unsigned::Declined(format!("the key cannot sign: {why}"));
        let signature = signature.map_err(|why| declined(why.to_string()))?;
        let mut blob = Vec::new();
        signature
            .encode(&mut blob)
            .and_then(|()| blob.encode(&mut data))
            .map_err(|why| declined(why.to_string()))?;
        Ok(data)
    }
}
