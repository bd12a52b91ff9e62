//! Logging in: which methods are tried in which order, and what is told when nobody is let in.

mod dialogue;
mod keys;
mod sign;

use std::time::Duration;

use russh::client::{AuthResult, Handle};
use russh::keys::HashAlg;
use russh::{MethodKind, MethodSet};
use tokio::sync::watch;

use crate::domain::text;

use super::engine::AgentChoice;
use super::error::Error;
use super::question::{Asker, Elapsed};
use super::settings::Settings;
use super::transport::{Client, Seen};
use keys::Keys;

/// The least time one exchange of a login may take: servers delay refusals on purpose, and PAM may ask elsewhere.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How often a method may succeed in part before the server is taken for broken.
const PARTS: usize = 8;

/// How long the reason of a hang-up is waited for when the connection is gone already.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What the connection hears besides answers.
#[derive(Clone)]
pub(crate) struct Ears {
    /// The banner, among others.
    pub(crate) seen: Seen,
    /// Why the connection ended; `None` while it lives.
    pub(crate) gone: watch::Receiver<Option<String>>,
}

/// One login on a connection.
pub(crate) struct Login<'a> {
    handle: &'a mut Handle<Client>,
    settings: &'a Settings,
    choice: &'a AgentChoice,
    asker: &'a Asker,
    ears: Ears,
    keys: Option<Keys>,
    tried: Vec<String>,
    notes: Vec<String>,
    /// What is worth telling although the login went well.
    told: Vec<String>,
    banner_told: bool,
    /// A person could have helped where none may be asked.
    person: bool,
    rsa: Option<Option<HashAlg>>,
}

/// How an attempt ended.
enum Outcome {
    /// We are in; says how.
    In(String),
    /// The attempt was right, and the server wants one of these besides.
    More(MethodSet),
    /// The server allows these.
    No(MethodSet),
    /// Nothing more can be tried on this connection.
    Over,
}

type Attempt = Result<Outcome, Error>;

impl<'a> Login<'a> {
    pub(crate) fn new(
        handle: &'a mut Handle<Client>,
        settings: &'a Settings,
        choice: &'a AgentChoice,
        asker: &'a Asker,
        ears: Ears,
    ) -> Self {
        Self {
            handle,
            settings,
            choice,
            asker,
            ears,
            keys: None,
            tried: Vec::new(),
            notes: Vec::new(),
            told: Vec::new(),
            banner_told: false,
            person: false,
            rsa: None,
        }
    }

    /// Tries what the settings allow until the server is content. Returns how it went.
    ///
    /// # Errors
    /// The server refuses everything, hangs up, or does not answer in time.
    pub(crate) async fn run(mut self) -> Result<String, Error> {
        self.asker.patience.restart();
        let user = self.settings.user.clone();
        let none = self.handle.authenticate_none(user);
        let none = self.asker.patience.within(none).await;
        let mut allowed = match self.outcome(none, "none")? {
            Outcome::In(how) => return Ok(how),
            Outcome::More(methods) | Outcome::No(methods) => methods,
            Outcome::Over => MethodSet::empty(),
        };
        let mut spent: Vec<String> = Vec::new();
        let mut parts = 0;
        while parts < PARTS && !self.handle.is_closed() {
            let next = self.settings.methods.iter().find(|method| {
                !spent.contains(*method) && allowed.iter().any(|kind| name(kind) == *method)
            });
            let Some(method) = next.cloned() else { break };
            let outcome = match method.as_str() {
                "publickey" => self.keys().await?,
                "keyboard-interactive" => self.interactive().await?,
                _ => self.password().await?,
            };
            match outcome {
                Outcome::In(how) => {
                    self.ears.seen.lock().notes.append(&mut self.told);
                    return Ok(how);
                }
                Outcome::More(methods) => {
                    parts += 1;
                    spent.clear();
                    allowed = methods;
                }
                Outcome::No(methods) => {
                    spent.push(method);
                    if !methods.is_empty() {
                        allowed = methods;
                    }
                }
                Outcome::Over => break,
            }
        }
        Err(self.refused(&allowed).await)
    }

    fn outcome<E: ToString>(
        &mut self,
        result: Result<Result<AuthResult, E>, Elapsed>,
        label: &str,
    ) -> Attempt {
        match result {
            Ok(Ok(AuthResult::Success)) => Ok(Outcome::In(label.to_owned())),
            Ok(Ok(AuthResult::Failure {
                remaining_methods,
                partial_success: true,
            })) => {
                self.tried.push(format!("{label} (right, but not enough)"));
                Ok(Outcome::More(remaining_methods))
            }
            Ok(Ok(AuthResult::Failure {
                remaining_methods, ..
            })) => {
                if label != "none" {
                    self.tried.push(label.to_owned());
                }
                Ok(Outcome::No(remaining_methods))
            }
            Ok(Err(why)) => {
                self.tried.push(format!("{label} ({})", why.to_string()));
                Ok(Outcome::No(MethodSet::empty()))
            }
            Err(late) => Err(self.late(&late)),
        }
    }

    fn late(&self, late: &Elapsed) -> Error {
        Error::Timeout {
            hop: self.settings.place(),
            seconds: late.seconds,
            doing: "logging in",
            hint: "the host may be overloaded, or its user database out of reach; try again",
        }
    }

    /// What the server said when it hung up; empty if it did not, or said nothing.
    async fn last_words(&mut self) -> String {
        if !self.handle.is_closed() {
            return String::new();
        }
        let gone = self.ears.gone.wait_for(Option::is_some);
        match tokio::time::timeout(LAST_WORDS, gone).await {
            Ok(Ok(words)) => text::line(words.as_deref().unwrap_or_default()),
            Ok(Err(_)) | Err(_) => String::new(),
        }
    }

    async fn refused(&mut self, allowed: &MethodSet) -> Error {
        let offered = self.keys.as_ref().map_or(0, |keys| keys.offered);
        let names: Vec<&str> = allowed.iter().map(name).collect();
        let last_words = self.last_words().await;
        let crowded = last_words.contains("Too many authentication failures")
            || (self.handle.is_closed() && offered > 4);
        let why = if self.handle.is_closed() {
            let why = format!("it hung up after {} attempts", self.tried.len());
            if last_words.is_empty() {
                why
            } else {
                format!("{why} ({last_words})")
            }
        } else if names.is_empty() {
            "it refused".to_owned()
        } else {
            format!("it wants {}", names.join(" or "))
        };
        let hint = if crowded && offered > 1 {
            "Too many keys were offered: set IdentityFile and IdentitiesOnly yes for this host"
        } else if self.person {
            "Connect once by hand: a person must answer"
        } else if allowed.contains(&MethodKind::GssapiWithMic)
            || allowed.contains(&MethodKind::HostBased)
        {
            "Kerberos and host-based logins need the system's ssh: name this host in openssh_hosts ([ssh] in config.toml)"
        } else {
            "Check User and IdentityFile in ssh_config, and `ssh-add -l`"
        };
        let mut tried = self.tried.clone();
        tried.extend(self.notes.iter().cloned());
        if tried.is_empty() {
            tried.push("nothing: no key was found".to_owned());
        }
        Error::Auth {
            hop: self.settings.place(),
            user: self.settings.user.clone(),
            why,
            tried: tried.join("; "),
            hint: hint.to_owned(),
            person: self.person,
        }
    }
}

fn name(kind: &MethodKind) -> &'static str {
    kind.into()
}
