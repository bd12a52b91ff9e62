//! What `ssh -G` printed, as typed values with the tokens it leaves expanded. Unknown options are somebody else's.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use russh::keys::HashAlg;
use sha1::{Digest, Sha1};

use crate::domain::host::Effective;

use super::config::{Spec, check_name, check_user};
use super::error::Error;
use super::forward::Forwarding;
use super::resolve;
use super::stamps::{account_home, account_name};
use super::surroundings;

/// How long a connection may take when the configuration names no time.
const CONNECT: Duration = Duration::from_secs(15);

/// How often a silent server is asked for a sign of life when the configuration names no interval.
const ALIVE: Duration = Duration::from_secs(15);

/// What to do with a host key that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Strict {
    /// Refuse.
    Yes,
    /// Ask a person; refuse when there is none.
    Ask,
    /// Trust it and write it down.
    AcceptNew,
    /// The same; changed keys are refused all the same, unlike in OpenSSH.
    No,
}

/// Where signatures may come from besides files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AgentSocket {
    /// What the engine was started with.
    Default,
    /// Nowhere.
    None,
    /// This socket.
    Path(PathBuf),
}

/// Whether host keys that a trusted server announces are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UpdateHostKeys {
    No,
    Yes,
    /// When a person agrees.
    Ask,
}

/// Whether a key from a file goes to the agent after it was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddKeys {
    No,
    /// When a person agrees.
    Ask,
    Yes {
        /// The agent asks before each use.
        confirm: bool,
        /// Seconds until the agent forgets it.
        lifetime: Option<u32>,
    },
}

/// Everything the engine needs to know of one hop.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// How people call it.
    pub(crate) label: String,
    pub(crate) spec: Spec,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) jump: Vec<String>,
    pub(crate) proxy_command: Option<String>,
    pub(crate) ipv4: bool,
    pub(crate) ipv6: bool,
    pub(crate) connect_timeout: Duration,
    pub(crate) alive_interval: Duration,
    pub(crate) alive_max: usize,
    pub(crate) compression: bool,
    /// When keys are exchanged anew, as far as `RekeyLimit` says.
    pub(crate) rekey_bytes: Option<u64>,
    pub(crate) rekey_time: Option<Duration>,
    /// The algorithms that our own keys may sign with.
    pub(crate) pubkey_algorithms: Vec<String>,
    pub(crate) kex: Vec<String>,
    pub(crate) ciphers: Vec<String>,
    pub(crate) macs: Vec<String>,
    pub(crate) host_key_algorithms: Vec<String>,
    pub(crate) host_key_alias: Option<String>,
    pub(crate) strict: Strict,
    pub(crate) known_hosts: Vec<PathBuf>,
    pub(crate) global_known_hosts: Vec<PathBuf>,
    pub(crate) hash_known_hosts: bool,
    pub(crate) revoked_keys: Option<PathBuf>,
    /// A program that prints lines as in known_hosts, tokens still in it.
    pub(crate) known_hosts_command: Option<String>,
    /// Whether the address is looked up in known_hosts besides the name.
    pub(crate) check_host_ip: bool,
    pub(crate) update_host_keys: UpdateHostKeys,
    /// The signatures that authorities may sign with; empty allows what the library knows but SHA-1.
    pub(crate) authority_algorithms: Vec<String>,
    /// The kinds of keys to log in with; empty allows all.
    pub(crate) login_algorithms: Vec<String>,
    pub(crate) add_keys: AddKeys,
    pub(crate) identity_files: Vec<PathBuf>,
    pub(crate) certificate_files: Vec<PathBuf>,
    pub(crate) identities_only: bool,
    pub(crate) agent: AgentSocket,
    /// The methods in the order to try them.
    pub(crate) methods: Vec<String>,
    pub(crate) password_prompts: u32,
    pub(crate) batch: bool,
    /// What runs instead of the login shell.
    pub(crate) remote_command: Option<String>,
    /// Variables to set on the remote side.
    pub(crate) env: Vec<(String, String)>,
    /// Forwards, and whether the host may use our agent.
    pub(crate) forwarding: Forwarding,
    /// For the commands whose tokens are known only later.
    pub(crate) tokens: Tokens,
    /// What a person should know of where these settings come from.
    pub(crate) notes: Vec<String>,
}

impl Settings {
    /// Reads what `ssh -G` printed for `spec`.
    ///
    /// # Errors
    /// A name that came out of the configuration is unfit, or a path has a token that is not known here.
    pub(crate) fn read(spec: &Spec, effective: &Effective) -> Result<Self, Error> {
        let label = spec.label();
        let options = Options {
            tokens: Tokens::of(spec, effective),
            effective,
            label: &label,
        };
        let host = options.tokens.host.clone();
        let user = options.tokens.user.clone();
        check_name(&label, &host)?;
        check_user(&label, &user)?;
        let family = effective.get("addressfamily").unwrap_or("any");
        let proxy_command = options.command("proxycommand")?;
        if proxy_command.is_some() && options.on("proxyusefdpass") {
            return Err(Error::Config {
                name: label,
                why: "ProxyUseFdpass needs the system's ssh; name this host in openssh_hosts ([ssh] in config.toml)"
                    .to_owned(),
            });
        }
        Ok(Self {
            host,
            port: options.tokens.port,
            user,
            jump: options
                .list("proxyjump")
                .iter()
                .map(|hop| options.tokens.expand(hop, options.label))
                .collect::<Result<_, _>>()?,
            proxy_command,
            ipv4: family != "inet6",
            ipv6: family != "inet",
            connect_timeout: options.seconds("connecttimeout").unwrap_or(CONNECT),
            alive_interval: options.seconds("serveraliveinterval").unwrap_or(ALIVE),
            alive_max: options.count("serveralivecountmax").unwrap_or(3),
            compression: options.on("compression"),
            rekey_bytes: options.word("rekeylimit", 0),
            rekey_time: options.word("rekeylimit", 1).map(Duration::from_secs),
            pubkey_algorithms: options.list("pubkeyacceptedalgorithms"),
            kex: options.list("kexalgorithms"),
            ciphers: options.list("ciphers"),
            macs: options.list("macs"),
            host_key_algorithms: options.list("hostkeyalgorithms"),
            host_key_alias: options.tokens.alias.clone(),
            strict: strict(effective),
            known_hosts: options.files("userknownhostsfile")?,
            global_known_hosts: options.files("globalknownhostsfile")?,
            hash_known_hosts: options.on("hashknownhosts"),
            known_hosts_command: options.some("knownhostscommand"),
            check_host_ip: options.on("checkhostip"),
            update_host_keys: match effective.get("updatehostkeys") {
                Some("yes" | "true") => UpdateHostKeys::Yes,
                Some("ask") => UpdateHostKeys::Ask,
                _ => UpdateHostKeys::No,
            },
            authority_algorithms: options.list("casignaturealgorithms"),
            login_algorithms: options.list("pubkeyacceptedalgorithms"),
            add_keys: add_keys(effective.get("addkeystoagent").unwrap_or_default()),
            revoked_keys: options.paths("revokedhostkeys")?.into_iter().next(),
            identity_files: options.paths("identityfile")?,
            certificate_files: options.paths("certificatefile")?,
            identities_only: options.on("identitiesonly"),
            agent: options.agent()?,
            methods: methods(effective),
            password_prompts: options.count("numberofpasswordprompts").unwrap_or(3),
            batch: options.on("batchmode"),
            // `ssh -G` has replaced its tokens already, so a percent sign in it is one.
            remote_command: effective.get("remotecommand").map(str::to_owned),
            env: environment(effective),
            forwarding: Forwarding::read(effective, |value| options.tokens.path(value, &label))?,
            tokens: options.tokens,
            notes: effective.all(resolve::NOTES).to_vec(),
            label,
            spec: spec.clone(),
        })
    }

    /// Whether our RSA keys may sign with SHA-1: only if the configuration names it.
    pub(crate) fn allows_rsa_sha1(&self) -> bool {
        self.pubkey_algorithms.iter().any(|name| name == "ssh-rsa")
    }

    /// The hash for our RSA keys on a server whose best is `best`, if it says so; `None` is SHA-1.
    pub(crate) fn rsa_hash(&self, best: Option<Option<HashAlg>>) -> Option<HashAlg> {
        let names = &self.pubkey_algorithms;
        let newer = names.is_empty() || names.iter().any(|name| name.starts_with("rsa-sha2-"));
        match best {
            Some(best) if newer => best,
            // Some servers offer more than they take; a list without SHA-2 is a clear word.
            Some(_) => None,
            // A server that does not say is an old one, and asked with the old hash where that is allowed (as OpenSSH does).
            None if self.allows_rsa_sha1() => None,
            // Nearly all know this one; trying each would cost attempts.
            None => Some(HashAlg::Sha512),
        }
    }

    /// A path that a person wrote, with the tokens and variables of ssh_config(5) in it replaced.
    ///
    /// # Errors
    /// A token is not known, or a variable is not set.
    pub(crate) fn path(&self, text: &str) -> Result<PathBuf, Error> {
        self.tokens.path(text, &self.label)
    }

    /// Name, address and port for error texts.
    pub(crate) fn place(&self) -> String {
        let address = address(&self.host, self.port);
        if self.label == self.host {
            address
        } else {
            format!("{} ({address})", self.label)
        }
    }
}

/// `host:port`, with brackets around an address that has colons itself.
pub(crate) fn address(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

fn strict(effective: &Effective) -> Strict {
    match effective.get("stricthostkeychecking") {
        Some("yes" | "true") => Strict::Yes,
        Some("accept-new") => Strict::AcceptNew,
        Some("no" | "false" | "off") => Strict::No,
        _ => Strict::Ask,
    }
}

/// `yes`, `ask`, `confirm`, a time in seconds, or `confirm` and a time.
fn add_keys(value: &str) -> AddKeys {
    let mut words = value.split_whitespace();
    let lifetime = |word: Option<&str>| word.and_then(|word| word.parse().ok());
    match words.next() {
        Some("yes" | "true") => AddKeys::Yes {
            confirm: false,
            lifetime: lifetime(words.next()),
        },
        Some("ask") => AddKeys::Ask,
        Some("confirm") => AddKeys::Yes {
            confirm: true,
            lifetime: lifetime(words.next()),
        },
        Some(time) => match lifetime(Some(time)) {
            Some(seconds) => AddKeys::Yes {
                confirm: false,
                lifetime: Some(seconds),
            },
            None => AddKeys::No,
        },
        None => AddKeys::No,
    }
}

/// Typed views of options.
struct Options<'a> {
    effective: &'a Effective,
    tokens: Tokens,
    label: &'a str,
}

impl Options<'_> {
    fn on(&self, option: &str) -> bool {
        matches!(self.effective.get(option), Some("yes" | "true"))
    }

    /// Items with commas between them.
    fn list(&self, option: &str) -> Vec<String> {
        let value = self.effective.get(option).unwrap_or_default();
        let items = value.split(',').map(str::trim);
        items
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// A number above zero.
    fn count<T: FromStr + Default + PartialEq>(&self, option: &str) -> Option<T> {
        let count = self.effective.get(option)?.parse().ok()?;
        (count != T::default()).then_some(count)
    }

    /// The number above zero that is word `place` of the value.
    fn word(&self, option: &str, place: usize) -> Option<u64> {
        let word = self.effective.get(option)?.split_whitespace().nth(place)?;
        word.parse().ok().filter(|number| *number > 0)
    }

    /// A value that may be `none`.
    fn some(&self, option: &str) -> Option<String> {
        let value = self.effective.get(option)?;
        (value != "none").then(|| value.to_owned())
    }

    fn seconds(&self, option: &str) -> Option<Duration> {
        self.count(option).map(Duration::from_secs)
    }

    fn command(&self, option: &str) -> Result<Option<String>, Error> {
        let command = self.effective.get(option);
        command
            .map(|text| self.tokens.expand(text, self.label))
            .transpose()
    }

    /// Files of an option that is repeated for each.
    fn paths(&self, option: &str) -> Result<Vec<PathBuf>, Error> {
        let values = self.effective.all(option).iter();
        values
            .filter(|value| *value != "none")
            .map(|value| self.tokens.path(value, self.label))
            .collect()
    }

    /// Files of an option that has them all in one line. The tokens of `UserKnownHostsFile` were replaced by `ssh -G`, and
    /// `GlobalKnownHostsFile` has none, so only a home is put in.
    fn files(&self, option: &str) -> Result<Vec<PathBuf>, Error> {
        let lines = self.effective.all(option).iter();
        lines
            .flat_map(|line| line.split_whitespace())
            .filter(|value| *value != "none")
            .map(|value| home(value, self.label))
            .collect()
    }

    fn agent(&self) -> Result<AgentSocket, Error> {
        let Some(value) = self.effective.all("identityagent").first() else {
            return Ok(AgentSocket::Default);
        };
        Ok(match value.as_str() {
            "none" => AgentSocket::None,
            "SSH_AUTH_SOCK" => AgentSocket::Default,
            value => match value.strip_prefix('$') {
                Some(name) if !name.starts_with('{') => match std::env::var_os(name) {
                    Some(socket) if !socket.is_empty() => AgentSocket::Path(PathBuf::from(socket)),
                    _ => AgentSocket::None,
                },
                // OpenSSH before 8.4 left the tokens in; since then a percent sign may be one.
                _ => AgentSocket::Path(
                    self.tokens
                        .path(value, self.label)
                        .or_else(|_| home(value, self.label))?,
                ),
            },
        })
    }
}

/// The methods of `PreferredAuthentications` that are switched on and that the engine knows.
fn methods(effective: &Effective) -> Vec<String> {
    let off = |option: &str| matches!(effective.get(option), Some("no" | "false"));
    let preferred = effective
        .get("preferredauthentications")
        .unwrap_or("publickey,keyboard-interactive,password");
    preferred
        .split(',')
        .filter(|method| match *method {
            "publickey" => !off("pubkeyauthentication"),
            "keyboard-interactive" => !off("kbdinteractiveauthentication"),
            "password" => !off("passwordauthentication"),
            _ => false,
        })
        .map(str::to_owned)
        .collect()
}

/// `SetEnv`, and of our own environment what `SendEnv` names.
fn environment(effective: &Effective) -> Vec<(String, String)> {
    let mut env: Vec<(String, String)> = Vec::new();
    for line in effective.all("setenv") {
        if let Some((name, value)) = line.split_once('=') {
            env.push((name.to_owned(), value.to_owned()));
        }
    }
    let patterns: Vec<glob::Pattern> = effective
        .all("sendenv")
        .iter()
        .flat_map(|line| line.split_whitespace())
        .filter_map(|pattern| glob::Pattern::new(pattern).ok())
        .collect();
    for (name, value) in std::env::vars() {
        let known = env.iter().any(|(set, _)| *set == name) || surroundings::is_ours(&name);
        if !known && patterns.iter().any(|pattern| pattern.matches(&name)) {
            env.push((name, value));
        }
    }
    env
}

/// The values of the percent tokens, ssh_config(5), section TOKENS.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    name: String,
    host: String,
    port: u16,
    user: String,
    alias: Option<String>,
    /// The last hop before the host, without login and port.
    jump: String,
    /// `%C` counts the hop too, since OpenSSH 9.6.
    hashes_jump: bool,
}

impl Tokens {
    fn of(spec: &Spec, effective: &Effective) -> Self {
        let text = |option: &str| effective.get(option).map(str::to_owned);
        Self {
            // The name without a login or a scheme, as it was given.
            name: text("host").unwrap_or_else(|| spec.name.clone()),
            host: text("hostname").unwrap_or_else(|| spec.name.clone()),
            port: effective
                .get("port")
                .and_then(|port| port.parse().ok())
                .unwrap_or(22),
            user: text("user").unwrap_or_default(),
            alias: text("hostkeyalias"),
            jump: text("proxyjump")
                .and_then(|list| list.rsplit(',').next().map(str::to_owned))
                .and_then(|last| Spec::jump(&last, None).ok())
                .map(|last| last.name)
                .unwrap_or_default(),
            // An option that came with the same release.
            hashes_jump: effective.options.contains_key("channeltimeout"),
        }
    }

    /// A path with its home, tokens and variables put in, in one go: what a variable holds is not looked into.
    fn path(&self, value: &str, label: &str) -> Result<PathBuf, Error> {
        let value = home(value.trim_matches('"'), label)?;
        let mut out = String::new();
        let text = value.to_string_lossy();
        let mut rest: &str = &text;
        while let Some((before, named)) = rest.split_once("${") {
            let (name, tail) = named.split_once('}').unwrap_or((named, ""));
            out.push_str(&self.expand(before, label)?);
            out.push_str(&variables(&format!("${{{name}}}"), label)?);
            rest = tail;
        }
        out.push_str(&self.expand(rest, label)?);
        Ok(PathBuf::from(out))
    }

    fn expand(&self, text: &str, label: &str) -> Result<String, Error> {
        self.expand_with(text, label, &[])
    }

    /// Expands the tokens in `text`; those in `more` come first.
    ///
    /// # Errors
    /// A token that nobody knows.
    pub(crate) fn expand_with(
        &self,
        text: &str,
        label: &str,
        more: &[(char, &str)],
    ) -> Result<String, Error> {
        let mut out = String::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            let token = chars.next();
            if let Some((_, value)) = more.iter().find(|(name, _)| token == Some(*name)) {
                out.push_str(value);
                continue;
            }
            match token {
                Some('%') => out.push('%'),
                Some('h') => out.push_str(&self.host),
                Some('n') => out.push_str(&self.name),
                Some('k') => out.push_str(self.alias.as_deref().unwrap_or(&self.name)),
                Some('p') => out.push_str(&self.port.to_string()),
                Some('r') => out.push_str(&self.user),
                Some('u') => out.push_str(&account_name()),
                Some('d') => out.push_str(&account_home().to_string_lossy()),
                Some('i') => out.push_str(&rustix::process::getuid().as_raw().to_string()),
                Some('j') => out.push_str(&self.jump),
                Some('l') => out.push_str(&machine()),
                Some('L') => out.push_str(machine().split('.').next().unwrap_or_default()),
                Some('C') => out.push_str(&self.digest()),
                other => {
                    let token: String = other.into_iter().collect();
                    return Err(Error::Config {
                        name: label.to_owned(),
                        why: format!("the token %{token} in {text:?} is not known here"),
                    });
                }
            }
        }
        Ok(out)
    }

    /// `%C`: the hash of `%l%h%p%r`, and of `%j` behind it where the installed OpenSSH has it.
    fn digest(&self) -> String {
        let mut hash = Sha1::new();
        hash.update(machine());
        hash.update(&self.host);
        hash.update(self.port.to_string());
        hash.update(&self.user);
        if self.hashes_jump {
            hash.update(&self.jump);
        }
        hash.finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// A path with `~` put in.
fn home(value: &str, label: &str) -> Result<PathBuf, Error> {
    resolve::tilde(value.trim_matches('"'))
        .map(PathBuf::from)
        .map_err(|why| Error::Config {
            name: label.to_owned(),
            why,
        })
}

/// Replaces `${NAME}`; as in OpenSSH an unset variable is an error.
fn variables(text: &str, label: &str) -> Result<String, Error> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let value = after
            .split_once('}')
            .and_then(|(name, tail)| Some((std::env::var(name).ok()?, tail)));
        let Some((value, tail)) = value else {
            return Err(Error::Config {
                name: label.to_owned(),
                why: format!("{text:?} names an environment variable that is not set"),
            });
        };
        out.push_str(&value);
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

fn machine() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &str) -> Result<Settings, Error> {
        let mut effective = Effective::default();
        for line in lines.lines() {
            let (option, value) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
            effective
                .options
                .entry(option.to_owned())
                .or_default()
                .push(value.to_owned());
        }
        let spec = Spec {
            name: "web1".to_owned(),
            user: None,
            port: None,
            config: None,
        };
        Settings::read(&spec, &effective)
    }

    #[test]
    fn tokens_that_ssh_leaves_are_expanded() -> Result<(), Error> {
        let settings = read(
            "hostname 10.0.0.1\nuser me\nport 2222\nidentityfile /k/%r@%h:%p-%n-%%\nidentityfile ~/.ssh/id\n\
             proxycommand nc %h %p\nuserknownhostsfile /a/100%k ~/b\nremotecommand date +%F",
        )?;
        let home = account_home();
        assert_eq!(
            settings.identity_files,
            [
                PathBuf::from("/k/me@10.0.0.1:2222-web1-%"),
                home.join(".ssh/id")
            ]
        );
        assert_eq!(settings.proxy_command.as_deref(), Some("nc 10.0.0.1 2222"));
        assert_eq!(
            settings.known_hosts,
            [PathBuf::from("/a/100%k"), home.join("b")],
            "ssh has replaced these already"
        );
        assert_eq!(settings.remote_command.as_deref(), Some("date +%F"));
        assert_eq!(settings.place(), "web1 (10.0.0.1:2222)");
        assert!(read("hostname a\nuser me\nidentityfile /%z").is_err());
        assert!(read("hostname a\nuser me\nidentityfile /${NO_SUCH_VARIABLE_HERE}").is_err());
        assert!(read("hostname -oX\nuser me").is_err());
        Ok(())
    }

    #[test]
    fn sha1_is_for_those_who_name_it() -> Result<(), Error> {
        let best = Some(Some(HashAlg::Sha256));
        let plain = read("hostname a\nuser me\npubkeyacceptedalgorithms ssh-ed25519,rsa-sha2-256")?;
        assert!(!plain.allows_rsa_sha1());
        assert_eq!(plain.rsa_hash(None), Some(HashAlg::Sha512));
        assert_eq!(plain.rsa_hash(best), Some(HashAlg::Sha256));
        let added = read("hostname a\nuser me\npubkeyacceptedalgorithms rsa-sha2-256,ssh-rsa")?;
        assert!(added.allows_rsa_sha1());
        assert_eq!(added.rsa_hash(None), None, "an old server");
        assert_eq!(added.rsa_hash(best), Some(HashAlg::Sha256));
        let old = read("hostname a\nuser me\npubkeyacceptedalgorithms ssh-rsa")?;
        assert_eq!(old.rsa_hash(best), None);
        Ok(())
    }

    #[test]
    fn rekey_limits_are_read() -> Result<(), Error> {
        let set = read("hostname a\nuser me\nrekeylimit 262144 60")?;
        assert_eq!(
            (set.rekey_bytes, set.rekey_time),
            (Some(262_144), Some(Duration::from_secs(60)))
        );
        let unset = read("hostname a\nuser me\nrekeylimit 0 0")?;
        assert_eq!((unset.rekey_bytes, unset.rekey_time), (None, None));
        Ok(())
    }

    #[test]
    fn defaults_and_words() -> Result<(), Error> {
        let plain = read("hostname a\nuser me\nconnecttimeout none\nserveraliveinterval 0")?;
        assert_eq!(
            (plain.connect_timeout, plain.alive_interval),
            (CONNECT, ALIVE)
        );
        assert_eq!(
            (plain.strict, plain.agent.clone()),
            (Strict::Ask, AgentSocket::Default)
        );
        assert_eq!(
            plain.methods,
            ["publickey", "keyboard-interactive", "password"]
        );
        let other = read(
            "hostname a\nuser me\nstricthostkeychecking accept-new\nidentityagent none\nconnecttimeout 3\n\
             preferredauthentications gssapi-with-mic,password,publickey\npubkeyauthentication false\n\
             proxyjump b,me@c:22\naddressfamily inet",
        )?;
        assert_eq!(
            (other.strict, other.agent.clone()),
            (Strict::AcceptNew, AgentSocket::None)
        );
        assert_eq!(other.methods, ["password"]);
        assert_eq!(other.jump, ["b", "me@c:22"]);
        assert_eq!(other.connect_timeout, Duration::from_secs(3));
        assert!(other.ipv4 && !other.ipv6);
        Ok(())
    }
}
