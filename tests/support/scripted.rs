//! An SSH server in this process, for what sshd cannot be made to do without PAM or a fault: it asks, and it misbehaves.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::PrivateKey;
use russh::server::{
    Auth, ChannelOpenHandle, Config, Handler, Msg, Response, Session, VerifiedPublicKey, run_stream,
};
use russh::{Channel, ChannelId, MethodKind, MethodSet};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::lab::Failed;

/// A server that wants the key, then a password and a code, then nothing in particular.
pub(crate) struct Scripted {
    pub(crate) port: u16,
    /// Its host key in the form of known_hosts.
    pub(crate) key: String,
    task: JoinHandle<()>,
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Scripted {
    /// Starts it with the host key in `key`.
    pub(crate) async fn start(key: &Path) -> Result<Self, Failed> {
        Self::with(key, false).await
    }

    /// Starts one that lets in whoever has a key at once.
    pub(crate) async fn easy(key: &Path) -> Result<Self, Failed> {
        Self::with(key, true).await
    }

    async fn with(key: &Path, easy: bool) -> Result<Self, Failed> {
        let host_key = russh::keys::load_secret_key(key, None)?;
        let shown = host_key.public_key().to_openssh()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let config = Arc::new(config(host_key));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let config = Arc::clone(&config);
                tokio::spawn(async move {
                    if let Ok(running) = run_stream(config, stream, Script { round: 0, easy }).await
                    {
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

fn config(host_key: PrivateKey) -> Config {
    Config {
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        auth_rejection_time: Duration::ZERO,
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![host_key],
        ..Config::default()
    }
}

struct Script {
    round: usize,
    /// The key is enough.
    easy: bool,
}

fn ask(instructions: &'static str, prompts: Vec<(Cow<'static, str>, bool)>) -> Auth {
    Auth::Partial {
        name: "Two steps".into(),
        instructions: instructions.into(),
        prompts: prompts.into(),
    }
}

impl Handler for Script {
    type Error = russh::Error;

    async fn auth_publickey(
        &mut self,
        _: &str,
        _: VerifiedPublicKey<'_>,
    ) -> Result<Auth, russh::Error> {
        if self.easy {
            return Ok(Auth::Accept);
        }
        Ok(Auth::Reject {
            proceed_with_methods: Some(MethodSet::from(&[MethodKind::KeyboardInteractive][..])),
            partial_success: true,
        })
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        let answers: Vec<String> = response
            .into_iter()
            .flatten()
            .map(|answer| String::from_utf8_lossy(&answer).into_owned())
            .collect();
        self.round += 1;
        let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
        Ok(match (self.round, answers.as_slice()) {
            (1, _) => ask(
                "Both, please.",
                vec![("Password: ".into(), false), ("Code: ".into(), true)],
            ),
            // A request without prompts must be answered too.
            (2, ["hunter2", "123456"]) => ask("Approve it on your telephone.", Vec::new()),
            (3, []) => Auth::Accept,
            _ => Auth::reject(),
        })
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
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        match command {
            // As some network devices do.
            b"no status" => {
                session.channel_success(channel)?;
                session.data(channel, &b"done"[..])?;
            }
            b"refused" => return session.channel_failure(channel),
            _ => {
                session.channel_success(channel)?;
                session.data(channel, &b"in"[..])?;
                session.exit_status_request(channel, 0)?;
            }
        }
        session.close(channel)
    }
}
