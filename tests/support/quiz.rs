//! An SSH server in this process that logs in by passwords or by rounds of questions, with a banner before them.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::Certificate;
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Response, Session, run_stream};
use russh::{Channel, ChannelId, MethodKind, MethodSet};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::lab::Failed;

/// A round of questions: what is said, the prompts with whether they are echoed, and the right answers.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    pub(crate) name: &'static str,
    pub(crate) words: &'static str,
    pub(crate) prompts: &'static [(&'static str, bool)],
    pub(crate) answers: &'static [&'static str],
}

/// What the server wants.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wants {
    pub(crate) banner: Option<&'static str>,
    /// Rounds of keyboard-interactive, all of which must be right.
    pub(crate) rounds: Vec<Round>,
    /// The right password, where that is a way in.
    pub(crate) password: Option<&'static str>,
    /// Any certificate lets in; plain keys are wanted and refused once they have signed.
    pub(crate) certificate: bool,
    /// Commands end without a word about how.
    pub(crate) mute: bool,
}

/// The server.
pub(crate) struct Quiz {
    pub(crate) port: u16,
    /// Its host key in the form of known_hosts.
    pub(crate) key: String,
    task: JoinHandle<()>,
}

impl Drop for Quiz {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Quiz {
    /// Starts it with the host key in `key`.
    pub(crate) async fn start(key: &Path, wants: Wants) -> Result<Self, Failed> {
        let host_key = russh::keys::load_secret_key(key, None)?;
        let shown = host_key.public_key().to_openssh()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let mut methods = Vec::new();
        if !wants.rounds.is_empty() {
            methods.push(MethodKind::KeyboardInteractive);
        }
        if wants.password.is_some() {
            methods.push(MethodKind::Password);
        }
        if wants.certificate {
            methods.push(MethodKind::PublicKey);
        }
        let config = Arc::new(Config {
            methods: MethodSet::from(&methods[..]),
            auth_rejection_time: Duration::ZERO,
            auth_rejection_time_initial: Some(Duration::ZERO),
            keys: vec![host_key],
            ..Config::default()
        });
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let config = Arc::clone(&config);
                let asker = Quizzer {
                    wants: wants.clone(),
                    round: None,
                };
                tokio::spawn(async move {
                    if let Ok(running) = run_stream(config, stream, asker).await {
                        running.await.ok();
                    }
                });
            }
        });
        Ok(Self {
            port,
            key: shown,
            task,
        })
    }
}

struct Quizzer {
    wants: Wants,
    /// The round that waits for its answers.
    round: Option<usize>,
}

impl Quizzer {
    fn ask(&mut self, round: usize) -> Auth {
        let Some(next) = self.wants.rounds.get(round) else {
            self.round = None;
            return Auth::Accept;
        };
        self.round = Some(round);
        let prompts = next.prompts.iter();
        let prompts: Vec<(Cow<'static, str>, bool)> = prompts
            .map(|(prompt, echo)| ((*prompt).into(), *echo))
            .collect();
        Auth::Partial {
            name: next.name.into(),
            instructions: next.words.into(),
            prompts: prompts.into(),
        }
    }
}

impl Handler for Quizzer {
    type Error = russh::Error;

    async fn authentication_banner(&mut self) -> Result<Option<String>, russh::Error> {
        Ok(self.wants.banner.map(str::to_owned))
    }

    async fn auth_password(&mut self, _: &str, password: &str) -> Result<Auth, russh::Error> {
        Ok(if self.wants.password == Some(password) {
            Auth::Accept
        } else {
            // It may be tried again.
            Auth::Reject {
                proceed_with_methods: Some(MethodSet::from(&[MethodKind::Password][..])),
                partial_success: false,
            }
        })
    }

    async fn auth_openssh_certificate(
        &mut self,
        _: &str,
        _: &Certificate,
    ) -> Result<Auth, russh::Error> {
        Ok(if self.wants.certificate {
            Auth::Accept
        } else {
            Auth::reject()
        })
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        let answers: Option<Vec<String>> = response.map(|response| {
            let answers = response.map(|answer| String::from_utf8_lossy(&answer).into_owned());
            answers.collect()
        });
        let Some(round) = self.round.take().filter(|_| answers.is_some()) else {
            return Ok(self.ask(0));
        };
        let right = self.wants.rounds.get(round).map(|round| round.answers);
        let answers = answers.unwrap_or_default();
        let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
        if right != Some(&answers[..]) {
            return Ok(Auth::reject());
        }
        Ok(self.ask(round + 1))
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_success(channel)?;
        session.data(channel, &b"in\n"[..])?;
        if !self.wants.mute {
            session.exit_status_request(channel, 0)?;
        }
        session.close(channel)
    }
}
