//! Effective settings of a host: asked of `ssh -G`, lazily, and remembered until one of the files behind them changes.
//! Where there is no `ssh`, the files are read without it, and the answer says so.
//!
//! Never asked for hosts that nobody connects to: reading settings may run the `Match exec` commands of the user.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::process::Command;
use tokio::sync::Semaphore;

use crate::domain::host::{Effective, Target};

use super::error::Error;
use super::resolve;
use super::stamps::{self, FileStamp};

/// How long `ssh -G` may take; a `Match exec` may ask the network.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long settings are good that depend on more than files.
const VOLATILE: Duration = Duration::from_secs(10);

/// How many `ssh -G` run at once: each is a process of several milliseconds.
const PARALLEL: usize = 4;

/// How many hosts are remembered in memory; when it is full, all are forgotten and the store is asked again.
const REMEMBERED: usize = 20_000;

/// Where effective settings are kept between processes. Called on threads that may block.
pub trait EffectiveCache: Send + Sync {
    /// What was kept for a target, with the files it came from.
    fn get(&self, target: &Target) -> Option<(Vec<FileStamp>, Effective)>;
    /// Keeps settings; failing to is no error, they are only asked for again.
    fn put(&self, target: &Target, stamps: Vec<FileStamp>, effective: &Effective);
}

/// Keeps nothing between processes.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCache;

impl EffectiveCache for NoCache {
    fn get(&self, _: &Target) -> Option<(Vec<FileStamp>, Effective)> {
        None
    }

    fn put(&self, _: &Target, _: Vec<FileStamp>, _: &Effective) {}
}

/// A host as a configuration or a `ProxyJump` list names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Spec {
    /// The name, `user@name` or `ssh://…`, as `ssh` takes it.
    pub(crate) name: String,
    /// The login that a jump list asks for.
    pub(crate) user: Option<String>,
    /// The port that a jump list asks for.
    pub(crate) port: Option<u16>,
    /// The configuration file; `None` is OpenSSH's default.
    pub(crate) config: Option<PathBuf>,
}

impl Spec {
    /// What a person or the inventory asked for.
    pub(crate) fn of(target: &Target) -> Self {
        Self {
            name: target.name.clone(),
            user: None,
            port: None,
            config: target.config.clone(),
        }
    }

    /// One item of a `ProxyJump` list: `[user@]host[:port]` or `ssh://…`.
    pub(crate) fn jump(item: &str, config: Option<&Path>) -> Result<Self, Error> {
        let bad = |why| Error::Name {
            name: item.to_owned(),
            why,
        };
        let rest = item.strip_prefix("ssh://").unwrap_or(item);
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (user, host) = match rest.rsplit_once('@') {
            Some((user, host)) => (Some(user.to_owned()), host),
            None => (None, rest),
        };
        let (name, port) = if let Some(bracketed) = host.strip_prefix('[') {
            let (name, rest) = bracketed
                .split_once(']')
                .ok_or_else(|| bad("its bracket is not closed"))?;
            (name, rest.strip_prefix(':'))
        } else if host.matches(':').count() == 1 {
            let (name, port) = host.split_once(':').unwrap_or((host, ""));
            (name, Some(port))
        } else {
            (host, None)
        };
        let port = match port {
            Some(port) => Some(
                port.parse::<u16>()
                    .ok()
                    .filter(|port| *port != 0)
                    .ok_or_else(|| bad("its port is no number from 1 to 65535"))?,
            ),
            None => None,
        };
        Ok(Self {
            name: name.to_owned(),
            user,
            port,
            config: config.map(Path::to_path_buf),
        })
    }

    /// How people and the cache call it.
    pub(crate) fn label(&self) -> String {
        let mut label = String::new();
        if let Some(user) = &self.user {
            label.push_str(user);
            label.push('@');
        }
        label.push_str(&self.name);
        if let Some(port) = self.port {
            label.push_str(&format!(":{port}"));
        }
        label
    }

    fn key(&self) -> Target {
        Target {
            name: self.label(),
            config: self.config.clone(),
        }
    }
}

/// Asks `ssh -G`, remembering answers.
pub(crate) struct Resolver {
    program: PathBuf,
    cache: Arc<dyn EffectiveCache>,
    running: Semaphore,
    // A std mutex: held for a look-up, never across an await.
    memory: Mutex<HashMap<Target, Remembered>>,
}

#[derive(Clone)]
struct Remembered {
    /// Until when it is good whatever the files say; `None` for as long as they stay as they are.
    until: Option<Instant>,
    stamps: Arc<Vec<FileStamp>>,
    effective: Arc<Effective>,
}

impl Resolver {
    pub(crate) fn new(program: PathBuf, cache: Arc<dyn EffectiveCache>) -> Self {
        Self {
            program,
            cache,
            running: Semaphore::new(PARALLEL),
            memory: Mutex::new(HashMap::new()),
        }
    }

    /// The effective settings of `spec`.
    ///
    /// # Errors
    /// The name is unfit, `ssh` cannot be run, it took too long, or a configuration file has a bad line.
    pub(crate) async fn resolve(&self, spec: &Spec) -> Result<Arc<Effective>, Error> {
        check_name(&spec.label(), &spec.name)?;
        if let Some(user) = &spec.user {
            check_user(&spec.label(), user)?;
        }
        let key = spec.key();
        if let Some(known) = self.recall(&key).await {
            return Ok(known.effective);
        }
        // The files are looked at before they are read: a change in between makes the answer stale, never wrong.
        let (config, program) = (spec.config.clone(), self.program.clone());
        let sources = blocking(move || stamps::sources(config.as_deref(), &program)).await;
        let effective = {
            // The semaphore is never closed, so this only waits.
            let _permit = self.running.acquire().await.ok();
            self.ask(spec).await?
        };
        // The answer of a Match exec may change while no file does, and our own reading ends when `ssh` is installed.
        let volatile = sources.volatile || !effective.all(resolve::NOTES).is_empty();
        let known = Remembered {
            until: volatile.then(|| Instant::now() + VOLATILE),
            stamps: Arc::new(sources.stamps),
            effective: Arc::new(effective),
        };
        if sources.fresh {
            // A file changed so lately that its time may not tell the next change; so nothing is remembered.
            return Ok(known.effective);
        }
        self.remember(&key, &known);
        if !volatile {
            let (cache, stored) = (Arc::clone(&self.cache), known.clone());
            blocking(move || cache.put(&key, stored.stamps.to_vec(), &stored.effective)).await;
        }
        Ok(known.effective)
    }

    /// Reads the configuration without `ssh`.
    async fn read(&self, spec: &Spec) -> Result<Effective, Error> {
        let wanted = spec.clone();
        let read = blocking(move || {
            resolve::resolve(&resolve::Question {
                name: &wanted.name,
                user: wanted.user.as_deref(),
                port: wanted.port,
                config: wanted.config.as_deref(),
                deadline: Instant::now() + PATIENCE,
            })
        });
        // Commands keep the same time; this one is for names that are looked up and files on a dead network.
        let failed = |why: String| Error::Config {
            name: spec.label(),
            why,
        };
        match tokio::time::timeout(PATIENCE * 2, read).await {
            Ok(found) => found.map_err(|why| failed(crate::domain::text::line(&why))),
            Err(_) => Err(failed(format!(
                "reading the configuration took longer than {} s; look for a file on a dead network",
                PATIENCE.as_secs() * 2
            ))),
        }
    }

    /// What memory or the store knows, if none of its files changed.
    async fn recall(&self, key: &Target) -> Option<Remembered> {
        let remembered = self.lock().get(key).cloned();
        let (cache, wanted) = (Arc::clone(&self.cache), key.clone());
        let known = blocking(move || {
            let known = remembered.or_else(|| {
                let (stamps, effective) = cache.get(&wanted)?;
                Some(Remembered {
                    until: None,
                    stamps: Arc::new(stamps),
                    effective: Arc::new(effective),
                })
            })?;
            let good = known.until.is_none_or(|until| Instant::now() < until)
                && stamps::unchanged(&known.stamps);
            good.then_some(known)
        })
        .await?;
        self.remember(key, &known);
        Some(known)
    }

    fn remember(&self, key: &Target, known: &Remembered) {
        let mut memory = self.lock();
        if memory.len() >= REMEMBERED {
            memory.clear();
        }
        memory.insert(key.clone(), known.clone());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Target, Remembered>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, spec: &Spec) -> Result<Effective, Error> {
        let failed = |why: String| Error::Config {
            name: spec.label(),
            why,
        };
        let mut command = Command::new(&self.program);
        command.arg("-G");
        if let Some(path) = &spec.config {
            command.arg("-F").arg(path);
        }
        if let Some(user) = &spec.user {
            command.arg("-l").arg(user);
        }
        if let Some(port) = spec.port {
            command.arg("-p").arg(port.to_string());
        }
        // Names were checked; `--` makes sure all the same that none becomes an option.
        command.arg("--").arg(&spec.name);
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = match tokio::time::timeout(PATIENCE, command.output()).await {
            Ok(Ok(output)) => output,
            Ok(Err(why)) if why.kind() == std::io::ErrorKind::NotFound => {
                return self.read(spec).await;
            }
            Ok(Err(why)) => {
                return Err(failed(format!(
                    "{} cannot be run: {why}; mend it, it explains ssh_config",
                    self.program.display()
                )));
            }
            Err(_) => {
                return Err(failed(format!(
                    "ssh -G took longer than {} s; look for a slow `Match exec`",
                    PATIENCE.as_secs()
                )));
            }
        };
        if !output.status.success() {
            return Err(failed(format!(
                "{}; mend that file, then try again",
                complaint(&output.stderr)
            )));
        }
        parse(&String::from_utf8_lossy(&output.stdout))
            .ok_or_else(|| failed("ssh -G printed no host name; is it OpenSSH?".to_owned()))
    }
}

/// What `ssh` complained about, on one line.
fn complaint(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("Pseudo-terminal"))
        .collect();
    if lines.is_empty() {
        "ssh -G failed without a word".to_owned()
    } else {
        crate::domain::text::line(&lines.join("; "))
    }
}

/// Reads what `ssh -G` prints: an option a line, its name in lower case.
fn parse(text: &str) -> Option<Effective> {
    let mut effective = Effective::default();
    for line in text.lines() {
        let (option, value) = line.split_once(' ').unwrap_or((line, ""));
        effective
            .options
            .entry(option.to_ascii_lowercase())
            .or_default()
            .push(value.trim().to_owned());
    }
    effective.get("hostname")?;
    Some(effective)
}

/// Refuses what could be taken for an option or, in a `ProxyCommand`, for shell syntax; the same set as OpenSSH's.
pub(crate) fn check_name(name: &str, host: &str) -> Result<(), Error> {
    let bad = |why| {
        Err(Error::Name {
            name: name.to_owned(),
            why,
        })
    };
    if host.is_empty() {
        return bad("it is empty");
    }
    if host.starts_with('-') || host.contains("@-") {
        return bad("it begins with a dash");
    }
    if host
        .chars()
        .any(|c| c.is_whitespace() || c.is_control() || "'`\"$\\;&<>|(){}".contains(c))
    {
        return bad("it has white space or shell syntax in it");
    }
    Ok(())
}

/// The same for logins, which are a little freer in OpenSSH.
pub(crate) fn check_user(name: &str, user: &str) -> Result<(), Error> {
    let bad = user.is_empty()
        || user.starts_with('-')
        || user.ends_with('\\')
        || user
            .chars()
            .any(|c| c.is_control() || "'`\";&<>|(){}".contains(c));
    if bad {
        return Err(Error::Name {
            name: name.to_owned(),
            why: "its user begins with a dash or has shell syntax in it",
        });
    }
    Ok(())
}

/// Runs file work on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        // The work panicked or the runtime ends: in both cases nobody can go on from here.
        Err(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_keep_all_their_values() {
        let effective = parse("host a\nhostname 10.0.0.1\nidentityfile ~/x y\nidentityfile /z\n");
        let effective = effective.unwrap_or_default();
        assert_eq!(effective.get("hostname"), Some("10.0.0.1"));
        assert_eq!(effective.all("identityfile"), ["~/x y", "/z"]);
        assert!(parse("usage: ssh").is_none());
    }

    #[test]
    fn jump_items() {
        let read =
            |item: &str| Spec::jump(item, None).map(|spec| (spec.user, spec.name, spec.port));
        let owned = |user: Option<&str>, name: &str, port| {
            Ok((user.map(str::to_owned), name.to_owned(), port))
        };
        assert_eq!(read("b"), owned(None, "b", None));
        assert_eq!(read("me@b:2222"), owned(Some("me"), "b", Some(2222)));
        assert_eq!(read("ssh://me@b:22/"), owned(Some("me"), "b", Some(22)));
        assert_eq!(read("[::1]:2222"), owned(None, "::1", Some(2222)));
        assert_eq!(read("fe80::1"), owned(None, "fe80::1", None));
        assert_eq!(read("a@b@c"), owned(Some("a@b"), "c", None));
        assert!(read("b:0").is_err());
        assert!(read("b:x").is_err());
        assert!(read("[::1").is_err());
    }

    #[test]
    fn names_that_could_be_options_are_refused() {
        for name in [
            "-oProxyCommand=id",
            "",
            "a b",
            "a;b",
            "$(id)",
            "me@-oX",
            "a\nb",
        ] {
            assert!(check_name(name, name).is_err(), "{name:?}");
        }
        for name in [
            "web1",
            "me@web1",
            "ssh://me@web1:22",
            "fe80::1%eth0",
            "a_b-c.d",
        ] {
            assert!(check_name(name, name).is_ok(), "{name:?}");
        }
        assert!(check_user("x", "-l").is_err());
        assert!(check_user("x", "DOMAIN user").is_ok());
    }

    #[test]
    fn complaints_are_one_line() {
        let stderr = b"Pseudo-terminal will not be allocated because stdin is not a terminal.\nx: line 1: Bad configuration option: bogus\r\nx: terminating, 1 bad configuration options\n";
        assert_eq!(
            complaint(stderr),
            "x: line 1: Bad configuration option: bogus; x: terminating, 1 bad configuration options"
        );
    }
}
