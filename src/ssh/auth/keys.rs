//! Logging in with keys and certificates: each is offered before anything is signed or a passphrase asked for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::client::AuthResult;
use russh::keys::{Algorithm, HashAlg, PrivateKey, PublicKey};
use russh::{MethodKind, MethodSet, Signer};
use secrecy::ExposeSecret;

use crate::ssh::agent::{self, Agent, Candidate, Candidates, Constraints, Holder, Shown};
use crate::ssh::ask::Reply;
use crate::ssh::config::blocking;
use crate::ssh::error::Error;
use crate::ssh::fact::QuestionKind;
use crate::ssh::question::Elapsed;
use crate::ssh::settings::AddKeys;

use super::dialogue::WRONG;
use super::sign::{ByAgent, ByFile, Probe, Unsigned};
use super::{Attempt, Login, Outcome};

/// The keys of one login.
pub(super) struct Keys {
    agent: Option<Agent>,
    /// In reverse, so that the next one is taken from the end.
    left: Vec<Candidate>,
    pub(super) offered: usize,
    /// Files that were opened by a passphrase: a key and its certificate ask only once.
    opened: Vec<(PathBuf, Arc<PrivateKey>)>,
}

impl Login<'_> {
    pub(super) async fn keys(&mut self) -> Attempt {
        let mut keys = match self.keys.take() {
            Some(keys) => keys,
            None => self.collect().await,
        };
        let outcome = self.offer_all(&mut keys).await;
        // Kept for a server that wants a second key after the first.
        self.keys = Some(keys);
        outcome
    }

    async fn collect(&mut self) -> Keys {
        let binding = self.handle.agent_session_binding();
        let Candidates {
            list: mut left,
            notes,
            agent,
        } = agent::candidates(self.settings, self.choice, binding).await;
        self.notes.extend(notes);
        left.reverse();
        Keys {
            agent,
            left,
            offered: 0,
            opened: Vec::new(),
        }
    }

    async fn offer_all(&mut self, keys: &mut Keys) -> Attempt {
        let mut allowed = MethodSet::empty();
        while let Some(candidate) = keys.left.pop() {
            match self.offer(&candidate, keys).await? {
                Outcome::No(methods) => {
                    // An empty list says nothing: the signer failed, or the server hung up.
                    let over = !methods.is_empty() && !methods.contains(&MethodKind::PublicKey);
                    if !methods.is_empty() {
                        allowed = methods;
                    }
                    if over || self.handle.is_closed() {
                        break;
                    }
                }
                other => return Ok(other),
            }
        }
        Ok(Outcome::No(allowed))
    }

    async fn offer(&mut self, candidate: &Candidate, keys: &mut Keys) -> Attempt {
        let label = candidate.label();
        let hash = match candidate.shown.key() {
            Some(key) => match self.hash_for(&key).await? {
                Some(hash) => hash,
                None => return self.too_old(&label),
            },
            None => None,
        };
        match &candidate.holder {
            Holder::Agent(identity) => {
                let Some(agent) = keys.agent.as_mut() else {
                    return Ok(Outcome::No(MethodSet::empty()));
                };
                keys.offered += 1;
                let mut signer = ByAgent { agent, identity };
                self.show(&label, &candidate.shown, hash, &mut signer).await
            }
            Holder::File(path, key) => {
                keys.offered += 1;
                self.sign_with(&label, candidate, path, key, hash).await
            }
            Holder::Locked(path) => self.offer_locked(&label, candidate, path, hash, keys).await,
        }
    }

    async fn offer_locked(
        &mut self,
        label: &str,
        candidate: &Candidate,
        path: &Path,
        hash: Option<HashAlg>,
        keys: &mut Keys,
    ) -> Attempt {
        let opened = keys.opened.iter().find(|(opened, _)| opened == path);
        if let Some(key) = opened.map(|(_, key)| Arc::clone(key)) {
            keys.offered += 1;
            return self.sign_with(label, candidate, path, &key, hash).await;
        }
        if !self.may_ask() {
            self.person = true;
            self.tried.push(format!("{label} (locked by a passphrase)"));
            return Ok(Outcome::No(MethodSet::empty()));
        }
        // Its public half, when known, is shown to the server first, so that nobody types a passphrase in vain.
        if candidate.shown.key().is_some() {
            keys.offered += 1;
            if !self.wanted(&candidate.shown, hash).await? {
                self.tried.push(label.to_owned());
                return Ok(Outcome::No(MethodSet::empty()));
            }
        }
        let Some(key) = self.unlock(path).await else {
            self.tried.push(format!("{label} (not unlocked)"));
            return Ok(Outcome::No(MethodSet::empty()));
        };
        let key = Arc::new(key);
        keys.opened.push((path.to_path_buf(), Arc::clone(&key)));
        let hash = match self.hash_for(key.public_key()).await? {
            Some(hash) => hash,
            None => return self.too_old(label),
        };
        self.sign_with(label, candidate, path, &key, hash).await
    }

    /// Logs in with a key from a file; if that is right, the agent may get it.
    async fn sign_with(
        &mut self,
        label: &str,
        candidate: &Candidate,
        path: &Path,
        key: &Arc<PrivateKey>,
        hash: Option<HashAlg>,
    ) -> Attempt {
        let shown = match &candidate.shown {
            Shown::Unknown => Shown::Key(key.public_key().clone()),
            shown => shown.clone(),
        };
        let mut signer = ByFile(Arc::clone(key));
        let outcome = self.show(label, &shown, hash, &mut signer).await?;
        if matches!(outcome, Outcome::In(_) | Outcome::More(_)) {
            self.give_to_agent(path, key).await;
        }
        Ok(outcome)
    }

    /// Shows a key or certificate, and signs if the server wants it.
    async fn show<S: Signer<Error = Unsigned>>(
        &mut self,
        label: &str,
        shown: &Shown,
        hash: Option<HashAlg>,
        signer: &mut S,
    ) -> Attempt {
        let result = self.present(shown, hash, signer).await;
        let outcome = self.outcome(result, label)?;
        if let (Outcome::In(_), Some(key)) = (&outcome, shown.key()) {
            let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
            self.ears.seen.lock().fingerprint = fingerprint;
        }
        Ok(outcome)
    }

    async fn present<S: Signer<Error = Unsigned>>(
        &mut self,
        shown: &Shown,
        hash: Option<HashAlg>,
        signer: &mut S,
    ) -> Result<Result<AuthResult, Unsigned>, Elapsed> {
        let user = self.settings.user.clone();
        self.asker.patience.restart();
        match shown {
            Shown::Key(key) => {
                let work = self
                    .handle
                    .authenticate_publickey_with(user, key.clone(), hash, signer);
                self.asker.patience.within(work).await
            }
            Shown::Certificate(certificate) => {
                let certificate = certificate.as_ref().clone();
                let work =
                    self.handle
                        .authenticate_certificate_with(user, certificate, hash, signer);
                self.asker.patience.within(work).await
            }
            Shown::Unknown => Ok(Err(Unsigned::Declined("its key is not known".to_owned()))),
        }
    }

    /// Whether the server would take a signature of this key. Nothing is signed.
    async fn wanted(&mut self, shown: &Shown, hash: Option<HashAlg>) -> Result<bool, Error> {
        match self.present(shown, hash, &mut Probe).await {
            Ok(Err(Unsigned::Wanted)) => Ok(true),
            Ok(Ok(_) | Err(_)) => Ok(false),
            Err(late) => Err(self.late(&late)),
        }
    }

    /// The hash to sign with: nothing for keys that have their own; `None` when only SHA-1 would do.
    async fn hash_for(&mut self, key: &PublicKey) -> Result<Option<Option<HashAlg>>, Error> {
        if !matches!(key.algorithm(), Algorithm::Rsa { .. }) {
            return Ok(Some(None));
        }
        if self.rsa.is_none() {
            self.asker.patience.restart();
            let work = self.handle.best_supported_rsa_hash();
            let best = match self.asker.patience.within(work).await {
                Ok(best) => best,
                Err(late) => return Err(self.late(&late)),
            };
            self.rsa = Some(self.settings.rsa_hash(best.ok().flatten()));
        }
        match self.rsa.flatten() {
            None if !self.settings.allows_rsa_sha1() => Ok(None),
            hash => Ok(Some(hash)),
        }
    }

    fn too_old(&mut self, label: &str) -> Attempt {
        self.tried.push(format!(
            "{label} (left out: the server knows RSA only with SHA-1, which is broken; PubkeyAcceptedAlgorithms +ssh-rsa would allow it)"
        ));
        Ok(Outcome::No(MethodSet::empty()))
    }

    async fn unlock(&mut self, path: &Path) -> Option<PrivateKey> {
        for attempt in 0..self.settings.password_prompts.max(1) {
            let again = if attempt > 0 { WRONG } else { "" };
            let prompt = format!("{again}Passphrase for the key {}:", path.display());
            let passphrase = self.secret(prompt).await?;
            let path = path.to_path_buf();
            let opened = blocking(move || agent::unlock(&path, passphrase.expose_secret())).await;
            if let Ok(key) = opened {
                return Some(key);
            }
        }
        None
    }

    /// `AddKeysToAgent`. That it failed is told, and harms nobody.
    async fn give_to_agent(&mut self, path: &Path, key: &PrivateKey) {
        let constraints = match self.settings.add_keys {
            AddKeys::No => return,
            AddKeys::Ask => {
                if !self.may_ask() {
                    return;
                }
                let prompt = format!("Add the key {} to the agent?", path.display());
                match self.asker.ask(QuestionKind::Confirm { prompt }).await {
                    Some(Reply::Yes) => Constraints::default(),
                    Some(Reply::No | Reply::Text(_)) | None => return,
                }
            }
            AddKeys::Yes { confirm, lifetime } => Constraints { confirm, lifetime },
        };
        let Some(socket) = agent::socket(self.settings, self.choice) else {
            return;
        };
        if let Err(why) = agent::add(&socket, key, path, constraints).await {
            self.told.push(format!(
                "the key {} was not added to the agent: {why}",
                path.display()
            ));
        }
    }
}
