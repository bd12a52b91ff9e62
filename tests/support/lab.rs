//! A small network in a folder: servers, a configuration with an Include, known hosts, and an engine to reach them with.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quarterdeck::domain::connection::ConnectionRow;
use quarterdeck::domain::host::Target;
use quarterdeck::domain::ids::ReqId;
use quarterdeck::domain::run::Exit;
use quarterdeck::ssh::{
    AgentChoice, Engine, EngineOptions, ExecSpec, NoCache, Screens, SshAsk, SshFact,
};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::proxy::{Line, Proxy};
use super::sshd::{GUARD, Sshd, keygen};

/// What a test ends with.
pub(crate) type Failed = Box<dyn Error + Send + Sync>;

/// The folder and what is in it.
pub(crate) struct Lab {
    folder: TempDir,
}

impl Lab {
    /// An empty network: a login key, a configuration that includes `hosts/*`, no hosts.
    pub(crate) fn new() -> Result<Self, Failed> {
        let lab = Self {
            folder: tempfile::tempdir()?,
        };
        keygen(&lab.key(), "ed25519", "")?;
        fs::copy(lab.at("login.pub"), lab.authorized())?;
        fs::create_dir(lab.at("hosts"))?;
        lab.configure("")?;
        Ok(lab)
    }

    /// Writes the common settings of all hosts, `extra` first, which therefore wins.
    pub(crate) fn configure(&self, extra: &str) -> Result<(), Failed> {
        let at = self.folder.path().display();
        let user = std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
        fs::write(
            self.config(),
            format!(
                "Include {at}/hosts/*\nHost *\n{extra}\n  User {user}\n  IdentityFile {at}/login\n  IdentitiesOnly yes\n  \
                 UserKnownHostsFile {at}/known_hosts\n  GlobalKnownHostsFile /dev/null\n  ConnectTimeout 10\n"
            ),
        )?;
        Ok(())
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.at("config")
    }

    /// The login key.
    pub(crate) fn key(&self) -> PathBuf {
        self.at("login")
    }

    /// The keys that servers let in.
    pub(crate) fn authorized(&self) -> PathBuf {
        self.at("authorized_keys")
    }

    pub(crate) fn known_hosts(&self) -> PathBuf {
        self.at("known_hosts")
    }

    /// Starts a server and names it in the configuration; `lines` are its own settings. Its key is not known yet.
    pub(crate) fn stranger(&self, name: &str, lines: &str, sshd: &str) -> Result<Sshd, Failed> {
        let folder = self.at(&format!("server-{name}"));
        let server = Sshd::start(&folder, &self.authorized(), sshd)?;
        self.host(name, server.port, lines)?;
        Ok(server)
    }

    /// The same, with its key known.
    pub(crate) fn server(&self, name: &str, lines: &str, sshd: &str) -> Result<Sshd, Failed> {
        let server = self.stranger(name, lines, sshd)?;
        self.know(server.port, &server.host_key("ed25519")?)?;
        Ok(server)
    }

    /// Names a host in the configuration.
    pub(crate) fn host(&self, name: &str, port: u16, lines: &str) -> Result<(), Failed> {
        fs::write(
            self.at("hosts").join(name),
            format!("Host {name}\n  HostName 127.0.0.1\n  Port {port}\n{lines}\n"),
        )?;
        Ok(())
    }

    /// Names a host that is reached over a line to a server.
    pub(crate) async fn through(
        &self,
        name: &str,
        server: &Sshd,
        line: Line,
        lines: &str,
    ) -> Result<Proxy, Failed> {
        let proxy = Proxy::start(server.port, line).await?;
        self.host(name, proxy.port, lines)?;
        self.know(proxy.port, &server.host_key("ed25519")?)?;
        Ok(proxy)
    }

    /// Adds a line to known_hosts.
    pub(crate) fn know(&self, port: u16, key: &str) -> Result<(), Failed> {
        let mut text = fs::read_to_string(self.known_hosts()).unwrap_or_default();
        text.push_str(&format!("[127.0.0.1]:{port} {key}\n"));
        fs::write(self.known_hosts(), text)?;
        Ok(())
    }

    /// An engine without an agent that may ask a person.
    pub(crate) fn client(&self) -> Client {
        self.client_with(AgentChoice::None)
    }

    pub(crate) fn client_with(&self, agent: AgentChoice) -> Client {
        self.client_of("ssh", agent)
    }

    /// An engine on a machine without OpenSSH's client.
    pub(crate) fn client_without_ssh(&self) -> Client {
        self.client_of("/nonexistent/ssh", AgentChoice::None)
    }

    fn client_of(&self, ssh: &str, agent: AgentChoice) -> Client {
        let screens = Arc::new(Screens::default());
        let options = EngineOptions {
            cache: Arc::new(NoCache),
            agent,
            interactive: true,
            ssh_program: Path::new(ssh).to_path_buf(),
            screens: Arc::clone(&screens),
        };
        let (send, facts) = mpsc::channel(64);
        Client {
            engine: Engine::start(options, send),
            facts,
            screens,
            config: self.config(),
            seen: Vec::new(),
            next: AtomicU64::new(1),
        }
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) exit: Exit,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) merged: Vec<u8>,
    /// Standard output, as it came.
    pub(crate) out: Vec<u8>,
    pub(crate) dropped: u64,
}

impl Done {
    /// Why the host could not be reached; empty if it could.
    pub(crate) fn why(&self) -> &str {
        match &self.exit {
            Exit::Unreachable(why) => why,
            _ => "",
        }
    }
}

/// An engine and the facts that came out of it.
pub(crate) struct Client {
    pub(crate) engine: Engine,
    pub(crate) facts: mpsc::Receiver<SshFact>,
    pub(crate) screens: Arc<Screens>,
    config: PathBuf,
    /// Facts that came while another was waited for.
    pub(crate) seen: Vec<SshFact>,
    next: AtomicU64,
}

impl Client {
    /// A fresh request.
    pub(crate) fn req(&self) -> ReqId {
        ReqId(self.next.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn target(&self, name: &str) -> Target {
        Target {
            name: name.to_owned(),
            config: Some(self.config.clone()),
        }
    }

    /// Starts a command.
    pub(crate) fn start(&self, host: &str, spec: ExecSpec) -> ReqId {
        let req = self.req();
        let target = self.target(host);
        self.engine.send(SshAsk::Exec { req, target, spec });
        req
    }

    /// The next fact.
    pub(crate) async fn next(&mut self) -> Result<SshFact, Failed> {
        let fact = tokio::time::timeout(GUARD, self.facts.recv()).await;
        let seen = &self.seen;
        fact.map_err(|_| format!("nothing more happened after {seen:?}"))?
            .ok_or_else(|| "the engine is gone".into())
    }

    /// Waits for the fact that `pick` takes something from; the others are kept in `seen`.
    pub(crate) async fn until<T>(
        &mut self,
        mut pick: impl FnMut(&SshFact) -> Option<T>,
    ) -> Result<T, Failed> {
        if let Some(at) = self.seen.iter().position(|fact| pick(fact).is_some()) {
            let fact = self.seen.remove(at);
            return pick(&fact).ok_or_else(|| "it was there a moment ago".into());
        }
        loop {
            let fact = self.next().await?;
            if let Some(value) = pick(&fact) {
                return Ok(value);
            }
            self.seen.push(fact);
        }
    }

    /// Waits for the end of a command.
    pub(crate) async fn done(&mut self, wanted: ReqId) -> Result<Done, Failed> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.until(|fact| match fact {
            SshFact::ExecDone {
                req,
                exit,
                stdout,
                stderr,
                merged,
                dropped,
                ..
            } if *req == wanted => Some(Done {
                exit: exit.clone(),
                stdout: text(stdout),
                stderr: text(stderr),
                merged: merged.clone(),
                out: stdout.clone(),
                dropped: *dropped,
            }),
            _ => None,
        })
        .await
    }

    /// Runs a background command to its end.
    pub(crate) async fn run(&mut self, host: &str, command: &str) -> Result<Done, Failed> {
        let req = self.start(host, ExecSpec::collect(command, 1 << 20));
        self.done(req).await
    }

    /// Asks the engine for its connections until they are as wanted.
    pub(crate) async fn rows(
        &self,
        mut wanted: impl FnMut(&[ConnectionRow]) -> bool,
    ) -> Result<Vec<ConnectionRow>, Failed> {
        let begun = std::time::Instant::now();
        loop {
            let rows = self.engine.connections();
            if wanted(&rows) {
                return Ok(rows);
            }
            if begun.elapsed() > GUARD {
                return Err(format!("the connections stay as they are: {rows:#?}").into());
            }
            tokio::task::yield_now().await;
        }
    }

    /// How many connections were announced so far for a host.
    pub(crate) fn connections(&self, host: &str) -> usize {
        let count = self.seen.iter().filter(
            |fact| matches!(fact, SshFact::Connected { target, .. } if target.name == host),
        );
        count.count()
    }
}
