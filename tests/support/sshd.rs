//! A real OpenSSH server and a real agent, each killed when dropped.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::lab::Failed;

/// How long a test waits for something that always comes. Never a pause: every wait ends with its condition.
pub(crate) const GUARD: Duration = Duration::from_secs(30);

/// Lines that a program has written so far.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<(Mutex<Lines>, Condvar)>);

#[derive(Default)]
struct Lines {
    text: String,
    ended: bool,
}

impl Log {
    pub(crate) fn follow(&self, source: impl std::io::Read + Send + 'static) {
        let log = self.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(source).lines().map_while(Result::ok) {
                log.change(|lines| {
                    lines.text.push_str(&line);
                    lines.text.push('\n');
                });
            }
            log.change(|lines| lines.ended = true);
        });
    }

    fn change(&self, change: impl FnOnce(&mut Lines)) {
        let (lines, changed) = &*self.0;
        change(&mut lines.lock().unwrap_or_else(PoisonError::into_inner));
        changed.notify_all();
    }

    /// Waits until `done` holds of what was written; false if the program ended before.
    pub(crate) fn wait(&self, done: impl Fn(&str) -> bool) -> bool {
        let (lines, changed) = &*self.0;
        let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        let until = Instant::now() + GUARD;
        while !done(&lines.text) {
            let left = until.saturating_duration_since(Instant::now());
            if lines.ended || left.is_zero() {
                return false;
            }
            (lines, _) = changed
                .wait_timeout(lines, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
        true
    }

    /// What was written so far.
    pub(crate) fn text(&self) -> String {
        let (lines, _) = &*self.0;
        let lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.text.clone()
    }
}

/// A server on a free port of 127.0.0.1.
pub(crate) struct Sshd {
    pub(crate) port: u16,
    pub(crate) log: Log,
    pub(crate) folder: PathBuf,
    child: Child,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // It may be gone already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Sshd {
    /// Starts one in `folder` that lets in who has a key of `authorized`; `extra` are lines for its configuration.
    pub(crate) fn start(folder: &Path, authorized: &Path, extra: &str) -> Result<Self, Failed> {
        fs::create_dir_all(folder)?;
        // Privilege separation wants it; as another user than root it is not needed and cannot be made.
        fs::create_dir_all("/run/sshd").ok();
        for kind in ["ed25519", "ecdsa"] {
            let key = folder.join(format!("host_{kind}"));
            if !key.exists() {
                keygen(&key, kind, "")?;
            }
        }
        // Between finding a free port and using it somebody else may take it; then another one is tried.
        for _ in 0..20 {
            let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            if let Some(server) = Self::try_start(folder, authorized, extra, port)? {
                return Ok(server);
            }
        }
        Err("no port stays free".into())
    }

    fn try_start(
        folder: &Path,
        authorized: &Path,
        extra: &str,
        port: u16,
    ) -> Result<Option<Self>, Failed> {
        let config = folder.join("sshd_config");
        let at = folder.display();
        // Of this setting the last one counts, not the first.
        let startups = if extra.contains("MaxStartups") {
            ""
        } else {
            "MaxStartups 100"
        };
        fs::write(
            &config,
            format!(
                "{extra}\nListenAddress 127.0.0.1:{port}\nHostKey {at}/host_ed25519\nHostKey {at}/host_ecdsa\n\
                 AuthorizedKeysFile {}\nPidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n\
                 KbdInteractiveAuthentication no\nPermitRootLogin yes\nLogLevel VERBOSE\n{startups}\n\
                 AcceptEnv QD_*\n\
                 SetEnv HOME={at}\nPrintMotd no\nUseDNS no\n",
                authorized.display()
            ),
        )?;
        let mut child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = Log::default();
        log.follow(child.stderr.take().ok_or("sshd has no stderr")?);
        let listening = log.wait(|text| text.contains("Server listening on"));
        let server = Self {
            port,
            log,
            folder: folder.to_path_buf(),
            child,
        };
        if listening {
            return Ok(Some(server));
        }
        let said = server.log.text();
        if said.contains("Address already in use") {
            return Ok(None);
        }
        Err(format!("sshd does not start: {said}").into())
    }

    /// The public half of its host key of a kind, without a comment.
    pub(crate) fn host_key(&self, kind: &str) -> Result<String, Failed> {
        let text = fs::read_to_string(self.folder.join(format!("host_{kind}.pub")))?;
        let words: Vec<&str> = text.split_whitespace().take(2).collect();
        Ok(words.join(" "))
    }

    /// How many logins it has let in.
    pub(crate) fn logins(&self) -> usize {
        self.log.text().matches("Accepted publickey").count()
    }
}

/// A login as a server wrote it down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: String,
    /// `SHA256:…` of the key that opened.
    pub(crate) fingerprint: String,
}

impl Sshd {
    /// How much it has written down so far; from there [`Self::since`] goes on.
    pub(crate) fn mark(&self) -> usize {
        self.log.text().len()
    }

    /// What it has written since.
    pub(crate) fn since(&self, mark: usize) -> String {
        self.log.text().get(mark..).unwrap_or_default().to_owned()
    }

    /// The logins since a mark, by key, in their order.
    pub(crate) fn opened(&self, mark: usize) -> Vec<Login> {
        self.since(mark)
            .lines()
            .filter_map(|line| {
                let words: Vec<&str> = line
                    .split_once("Accepted publickey for ")?
                    .1
                    .split_whitespace()
                    .collect();
                Some(Login {
                    user: (*words.first()?).to_owned(),
                    fingerprint: words
                        .iter()
                        .find(|word| word.starts_with("SHA256:"))
                        .map(|word| (*word).to_owned())?,
                })
            })
            .collect()
    }
}

/// The fingerprint of a key, by its public half.
pub(crate) fn fingerprint(key: &Path) -> Result<String, Failed> {
    let done = Command::new("ssh-keygen").arg("-lf").arg(key).output()?;
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let found = text
        .split_whitespace()
        .find(|word| word.starts_with("SHA256:"));
    found
        .map(str::to_owned)
        .ok_or_else(|| format!("ssh-keygen says {text}").into())
}

/// Makes a key of a kind.
pub(crate) fn keygen(path: &Path, kind: &str, passphrase: &str) -> Result<(), Failed> {
    let done = Command::new("ssh-keygen")
        .args(["-q", "-t", kind, "-C", "test", "-N", passphrase, "-f"])
        .arg(path)
        .output()?;
    if done.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&done.stderr).into_owned().into())
    }
}

/// A real ssh-agent.
pub(crate) struct Agent {
    pub(crate) socket: PathBuf,
    child: Child,
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Agent {
    /// Starts one that holds `keys`.
    pub(crate) fn start(folder: &Path, keys: &[&Path]) -> Result<Self, Failed> {
        let socket = folder.join("agent");
        let mut child = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(&socket)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let log = Log::default();
        log.follow(child.stdout.take().ok_or("ssh-agent has no stdout")?);
        let agent = Self { socket, child };
        // It prints the way to its socket once the socket is there.
        if !log.wait(|text| text.contains("SSH_AUTH_SOCK")) {
            return Err("ssh-agent does not start".into());
        }
        for key in keys {
            let mut add = Command::new("ssh-add")
                .arg("-q")
                .arg(key)
                .env("SSH_AUTH_SOCK", &agent.socket)
                .stdin(Stdio::piped())
                .spawn()?;
            add.stdin
                .take()
                .map(|mut stdin| stdin.flush())
                .transpose()?;
            if !add.wait()?.success() {
                return Err(format!("ssh-add does not take {}", key.display()).into());
            }
        }
        Ok(agent)
    }
}
