//! The verb `ssh`: its row, and how its words are read as `ssh` itself reads them.

use serde::{Deserialize, Serialize};

use crate::domain::forward::ForwardRule;

use super::Command;
use super::forward::{DYNAMIC, LOCAL, REMOTE, rules};
use super::row::Form::{Flag, Positional, Switch, Trailing};
use super::row::{Arg, ArgError, Danger, Row, Subject, Surface};

/// `qd ssh`: a raw session in this terminal, or one command.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshCommand {
    /// The host, as `ssh` would take it: a name, `user@name` or `ssh://user@name:port`.
    pub host: String,
    /// The command's words; none is a login shell.
    pub command: Vec<String>,
    /// The ticket it is for.
    pub ticket: Option<String>,
    /// Whether a terminal is wanted on the other side.
    pub tty: Tty,
    /// Read nothing from standard input.
    pub no_stdin: bool,
    /// The command names a subsystem.
    pub subsystem: bool,
    /// Run nothing; only hold the connection.
    pub no_command: bool,
    /// Forwards besides those of the host's ssh_config.
    pub forwards: Vec<ForwardRule>,
    /// Lend the agent or do not, whatever `ForwardAgent` says.
    pub agent: Option<bool>,
    /// The escape character as given, or `none`.
    pub escape: Option<String>,
    /// Where it was called; filled in by whoever sits at a terminal.
    pub seat: Seat,
}

/// Whether a terminal is wanted on the other side; ssh_config(5), `RequestTTY`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tty {
    /// As the settings say; without them, for a login shell.
    #[default]
    Auto,
    /// Never.
    No,
    /// For a command too, if standard input is a terminal.
    Yes,
    /// In any case.
    Force,
}

/// What is known of the place where a command line was called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// Standard input is a terminal.
    pub tty: bool,
    /// The value of `TERM`.
    pub term: String,
    /// Columns and rows, if there is a terminal to ask.
    pub size: Option<(u16, u16)>,
    /// The terminal's modes: opcodes of RFC 4254, section 8, and their values.
    pub modes: Vec<(u8, u32)>,
    /// How much is to be told, for programs that are run instead.
    pub quiet: bool,
    /// The same.
    pub verbose: bool,
}

const fn switch(name: &'static str, letter: Option<char>, help: &'static str) -> Arg {
    Arg {
        name,
        form: Switch(letter),
        required: false,
        subject: None,
        help,
    }
}

const fn flag(name: &'static str, letter: Option<char>, help: &'static str) -> Arg {
    Arg {
        name,
        form: Flag(letter),
        required: false,
        subject: None,
        help,
    }
}

/// The verb. // tidy: table
pub(super) const ROWS: &[Row] = &[Row {
    id: "ssh",
    title: "ssh",
    help: "Opens a raw session in this terminal, or runs one command with its output and exit status, as ssh does.",
    args: &[
        Arg {
            name: "host",
            form: Positional,
            required: true,
            subject: Some(Subject::Host),
            help: "Host name, user@name or ssh://user@name:port; what follows it is the command",
        },
        Arg {
            name: "ticket",
            form: Flag(None),
            required: false,
            subject: Some(Subject::Ticket),
            help: "Record it on this ticket",
        },
        switch("tty", Some('t'), "Ask for a terminal for a command too"),
        switch(
            "force-tty",
            None,
            "The same although standard input is none (-tt)",
        ),
        switch("no-tty", Some('T'), "Ask for no terminal"),
        switch("no-stdin", Some('n'), "Read nothing from standard input"),
        switch("subsystem", Some('s'), "The command names a subsystem"),
        switch(
            "no-command",
            Some('N'),
            "Run nothing, only hold the connection",
        ),
        LOCAL,
        REMOTE,
        DYNAMIC,
        switch(
            "agent",
            Some('A'),
            "Lend the host your agent while this lasts; its administrator can use your keys meanwhile",
        ),
        switch("no-agent", Some('a'), "Do not, whatever ForwardAgent says"),
        flag("login", Some('l'), "The user to log in as"),
        flag("port", Some('p'), "The port to connect to"),
        flag(
            "escape",
            Some('e'),
            "The escape character instead of ~, or none",
        ),
        flag(
            "jump",
            Some('J'),
            "Not taken; set ProxyJump in ssh_config instead",
        ),
        Arg {
            name: "command",
            form: Trailing,
            required: false,
            subject: None,
            help: "The command",
        },
    ],
    scopes: &[],
    keys: &[],
    danger: Danger::None,
    surface: Surface::Line,
    build: |args| {
        if args.has("jump") {
            return Err(ArgError::Bad {
                name: "jump",
                why: "the way to a host is read from ssh_config only, so that panes, probes and runs take the same; set ProxyJump there".to_owned(),
            });
        }
        let tty = if args.has("no-tty") {
            Tty::No
        } else if args.has("force-tty") {
            Tty::Force
        } else if args.has("tty") {
            Tty::Yes
        } else {
            Tty::Auto
        };
        if let Some(escape) = args.get("escape") {
            escape_char(escape).map_err(|why| ArgError::Bad {
                name: "escape",
                why,
            })?;
        }
        let port: Option<u16> = args.parse("port")?;
        Ok(Command::Ssh(SshCommand {
            host: destination(&args.need("host")?, args.get("login"), port),
            command: args.all("command"),
            ticket: args.text("ticket"),
            tty,
            no_stdin: args.has("no-stdin"),
            subsystem: args.has("subsystem"),
            no_command: args.has("no-command"),
            forwards: rules(args)?,
            agent: match (args.has("agent"), args.has("no-agent")) {
                (_, true) => Some(false),
                (true, false) => Some(true),
                (false, false) => None,
            },
            escape: args.text("escape"),
            seat: Seat::default(),
        }))
    },
}];

/// A host with the login and the port of the options, as one name that `ssh` takes.
fn destination(host: &str, login: Option<&str>, port: Option<u16>) -> String {
    if login.is_none() && port.is_none() {
        return host.to_owned();
    }
    let (rest, uri) = match host.strip_prefix("ssh://") {
        Some(rest) => (rest.strip_suffix('/').unwrap_or(rest), true),
        None => (host, false),
    };
    let (user, place) = match rest.rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, rest),
    };
    let user = login.or(user);
    match port {
        None => {
            let scheme = if uri { "ssh://" } else { "" };
            let user = user.map(|user| format!("{user}@")).unwrap_or_default();
            format!("{scheme}{user}{place}")
        }
        Some(port) => {
            let place = crate::domain::host::bare(host);
            let place = if place.contains(':') {
                format!("[{place}]")
            } else {
                place.to_owned()
            };
            let user = user
                .map(|user| format!("{}@", percent(user)))
                .unwrap_or_default();
            format!("ssh://{user}{place}:{port}")
        }
    }
}

/// A login inside an address (RFC 3986, section 2.1).
fn percent(user: &str) -> String {
    user.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

/// Reads an escape character: one character, `^X`, or `none`; ssh_config(5), `EscapeChar`.
///
/// # Errors
/// Says what would be right.
pub fn escape_char(text: &str) -> Result<Option<u8>, String> {
    let text = text.strip_prefix('\\').unwrap_or(text);
    match text.as_bytes() {
        b"none" => Ok(None),
        [byte] => Ok(Some(*byte)),
        [b'^', byte @ 64..128] => Ok(Some(byte & 31)),
        _ => Err(format!(
            "{text:?} is no escape character; give one character, ^ and a letter, or none"
        )),
    }
}

/// Options of ours that take a value as the next word.
const VALUES: &[&str] = &[
    "--home",
    "--ticket",
    "--login",
    "--port",
    "--escape",
    "--jump",
    "--local",
    "--remote",
    "--dynamic",
];

/// Puts the command behind `--`: options may stand before and after the host, and the first other word begins the command,
/// as `ssh` has it. Words that call another verb stay as they are.
pub(super) fn shield(words: &[String]) -> Option<Vec<String>> {
    let verb = verb(words)?;
    let mut reading = Reading::default();
    reading.out.extend_from_slice(words.get(..=verb)?);
    let mut rest = words.get(verb + 1..)?.iter();
    let mut command: Vec<String> = Vec::new();
    while let Some(word) = rest.next() {
        if word == "--" {
            if !reading.host {
                reading.out.extend(rest.next().cloned());
            }
            command.extend(rest.cloned());
            break;
        } else if word.starts_with("--") {
            reading.out.push(word.clone());
            if VALUES.contains(&word.as_str()) {
                reading.out.extend(rest.next().cloned());
            }
        } else if word.len() > 1 && word.starts_with('-') {
            reading.cluster(word, &mut rest);
        } else if reading.host {
            command.push(word.clone());
            command.extend(rest.cloned());
            break;
        } else {
            reading.host = true;
            reading.out.push(word.clone());
        }
    }
    let mut out = reading.out;
    if !command.is_empty() {
        out.push("--".to_owned());
        out.extend(command);
    }
    Some(out)
}

/// Where the word `ssh` stands, if it is the verb.
fn verb(words: &[String]) -> Option<usize> {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        match word.as_str() {
            "ssh" => return Some(at),
            "--home" => at += 2,
            option if option.starts_with('-') => at += 1,
            _ => return None,
        }
    }
    None
}

#[derive(Default)]
struct Reading {
    out: Vec<String>,
    host: bool,
    /// How often `-t` was said.
    ttys: u32,
}

impl Reading {
    /// Letters behind one dash; what takes a value takes the rest of them, or the next word.
    fn cluster<'a>(&mut self, word: &str, rest: &mut impl Iterator<Item = &'a String>) {
        let mut letters = word.chars().skip(1);
        while let Some(letter) = letters.next() {
            let name = match letter {
                'l' => "login",
                'p' => "port",
                'e' => "escape",
                'J' => "jump",
                'L' => "local",
                'R' => "remote",
                'D' => "dynamic",
                't' => {
                    self.ttys += 1;
                    self.once(if self.ttys == 1 {
                        "--tty"
                    } else {
                        "--force-tty"
                    });
                    continue;
                }
                letter => {
                    self.once(&format!("-{letter}"));
                    continue;
                }
            };
            let value: String = letters.collect();
            let value = if value.is_empty() {
                rest.next().cloned()
            } else {
                Some(value)
            };
            self.out.push(match value {
                Some(value) => format!("--{name}={value}"),
                None => format!("--{name}"),
            });
            return;
        }
    }

    /// People say `-vvv`; once is enough here.
    fn once(&mut self, option: &str) {
        if !self.out.iter().any(|word| word == option) {
            self.out.push(option.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{parse_words, split};

    fn read(line: &str) -> SshCommand {
        let words = split(line).expect("the test's line is quoted well");
        let parsed = parse_words(&words, Surface::Line)
            .unwrap_or_else(|why| unreachable!("{line}: {}", why.text));
        match parsed.command() {
            Ok(Some(Command::Ssh(ssh))) => ssh,
            other => unreachable!("{line}: {other:?}"),
        }
    }

    #[test]
    fn words_after_the_host_are_the_command() {
        for (line, host, command) in [
            ("ssh web1 ls -la --json", "web1", "ls -la --json"),
            ("ssh -t web1 -n ls -t", "web1", "ls -t"),
            ("ssh web1 -- ls -la", "web1", "ls -la"),
            ("ssh -- web1 ls -la", "web1", "ls -la"),
            ("--home /x ssh web1 ssh web2", "web1", "ssh web2"),
            ("ssh web1", "web1", ""),
            ("ssh -l me web1 id", "me@web1", "id"),
            ("ssh you@web1 -lme id", "me@web1", "id"),
            ("ssh -p 2222 web1 id", "ssh://web1:2222", "id"),
            ("ssh -p2222 a@b@web1", "ssh://a%40b@web1:2222", ""),
            ("ssh -p 22 fe80::1", "ssh://[fe80::1]:22", ""),
            ("ssh -p 22 ssh://me@web1:23/", "ssh://me@web1:22", ""),
            ("ssh web1 sh -c 'a  b'", "web1", "sh -c a  b"),
        ] {
            let ssh = read(line);
            assert_eq!(
                (ssh.host.as_str(), ssh.command.join(" ").as_str()),
                (host, command),
                "{line}"
            );
        }
    }

    #[test]
    fn options_are_those_of_ssh() {
        assert_eq!(read("ssh web1").tty, Tty::Auto);
        assert_eq!(read("ssh -t web1 top").tty, Tty::Yes);
        assert_eq!(read("ssh -tt web1 top").tty, Tty::Force);
        assert_eq!(read("ssh -t -t web1 top").tty, Tty::Force);
        assert_eq!(read("ssh -nT web1 top").tty, Tty::No);
        assert!(read("ssh -nT web1 top").no_stdin);
        assert_eq!(read("ssh -e none web1").escape.as_deref(), Some("none"));
        assert_eq!(
            read("ssh --ticket T-1234 -vvv web1 x").ticket.as_deref(),
            Some("T-1234")
        );
        let words: Vec<String> = ["ssh", "-J", "b", "web1"].map(str::to_owned).to_vec();
        let refused = parse_words(&words, Surface::Line).map(|parsed| parsed.command());
        assert!(matches!(refused, Ok(Err(_))), "{refused:?}");
    }

    #[test]
    fn escape_characters_are_read_as_ssh_reads_them() {
        assert_eq!(escape_char("~"), Ok(Some(b'~')));
        assert_eq!(escape_char("^B"), Ok(Some(2)));
        assert_eq!(escape_char("\\^B"), Ok(Some(2)));
        assert_eq!(escape_char("none"), Ok(None));
        assert!(escape_char("ab").is_err());
        assert!(escape_char("").is_err());
    }
}
