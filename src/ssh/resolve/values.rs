//! One line of settings: its arguments checked, and its value set if its block applies. A bad line is refused in a block
//! that does not apply as well, as OpenSSH does.

use super::expand;
use super::forwards::{Forward, Sort};
use super::jump;
use super::keywords::{Choices, Kind};
use super::numbers;
use super::patterns;
use super::state::State;

/// The most domains or permitted aliases.
const DOMAINS: usize = 32;

/// A line with a keyword that sets something.
pub(super) struct Line<'a> {
    /// As `ssh -G` names the option.
    pub(super) option: &'static str,
    pub(super) kind: Kind,
    /// Everything behind the keyword, for values that are the whole line.
    pub(super) rest: &'a str,
    pub(super) arguments: &'a [String],
    /// The block applies.
    pub(super) active: bool,
    /// It stands in the user's files, not in the system's.
    pub(super) by_user: bool,
}

/// Sets what the line says.
///
/// # Errors
/// What is wrong with the line, in words.
pub(super) fn apply(state: &mut State, line: &Line<'_>) -> Result<(), String> {
    match line.kind {
        Kind::Host | Kind::Match | Kind::Include | Kind::Ignored => Ok(()),
        Kind::Choice(choices) => line.set(state, choice(choices, line.only()?)?),
        Kind::Time => line.time(state),
        Kind::Number => {
            let text = line.only()?;
            let number = numbers::number(text).map_err(|why| format!("{text:?} {why}"))?;
            line.set(state, number.to_string())
        }
        Kind::Text => line.set(state, line.only()?.to_owned()),
        Kind::Command => {
            if line.active {
                // OpenSSH lets a later line in only where none stood at all.
                state.once(line.option, super::words::whole(line.rest));
            }
            Ok(())
        }
        Kind::ProxyCommand => {
            // A jump that won overrules it, but `ProxyJump none` does not.
            if line.active && !matches!(state.jump, Some(super::jump::Jump::By { .. })) {
                state.once(line.option, super::words::whole(line.rest));
            }
            Ok(())
        }
        Kind::ProxyJump => line.jump(state),
        Kind::Port => {
            let text = line.only()?;
            let port = numbers::port(text)
                .filter(|port| *port != 0)
                .ok_or_else(|| format!("{text:?} is no port; use 1 to 65535"))?;
            line.set(state, port.to_string())
        }
        Kind::Algorithms(family) => {
            let list = line.only()?;
            family.check(list)?;
            line.set(state, list.to_owned())
        }
        Kind::Paths(most) => line.path(state, most),
        Kind::Array(most) => line.array(state, most),
        Kind::LogVerbose => line.array(state, 1),
        Kind::Domains => line.domains(state),
        Kind::Cnames => line.cnames(state),
        Kind::SendEnv => line.send_env(state),
        Kind::SetEnv => line.set_env(state),
        Kind::LocalForward => line.forward(state, Sort::Local),
        Kind::RemoteForward => line.forward(state, Sort::Remote),
        Kind::DynamicForward => line.forward(state, Sort::Dynamic),
        Kind::PermitRemoteOpen => line.permit(state),
        Kind::Rekey => line.rekey(state),
        Kind::Escape => line.set(state, escape(line.only()?)?),
        Kind::TunnelDevice => line.set(state, tunnel(line.only()?)?),
        Kind::Quality => line.quality(state),
        Kind::Persist => line.set(state, persist(line.only()?)?),
        Kind::AddKeys => line.add_keys(state),
        Kind::Agent => {
            let text = line.only()?;
            agent(text)?;
            line.set(state, text.to_owned())
        }
        Kind::ForwardAgent => {
            let text = line.only()?;
            let shown = match text.to_ascii_lowercase().as_str() {
                "yes" | "true" => "yes".to_owned(),
                "no" | "false" => "no".to_owned(),
                _ => {
                    agent(text)?;
                    text.to_owned()
                }
            };
            line.set(state, shown)
        }
        Kind::Mask => line.set(state, mask(line.only()?)?),
    }
}

impl Line<'_> {
    /// The argument, which must be there and not be empty.
    fn first(&self) -> Result<&str, String> {
        self.arguments
            .first()
            .map(String::as_str)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| "has no value; write one behind it, or remove the line".to_owned())
    }

    /// The argument, behind which nothing may follow.
    fn only(&self) -> Result<&str, String> {
        let first = self.first()?;
        self.at_most(1)?;
        Ok(first)
    }

    fn at_most(&self, count: usize) -> Result<(), String> {
        match self.arguments.get(count) {
            Some(extra) => Err(format!(
                "{extra:?} is one argument too many; put quotes around a value with blanks"
            )),
            None => Ok(()),
        }
    }

    fn set(&self, state: &mut State, value: String) -> Result<(), String> {
        if self.active {
            state.once(self.option, value);
        }
        Ok(())
    }

    fn time(&self, state: &mut State) -> Result<(), String> {
        let text = self.only()?;
        // To OpenSSH `none` is the same as not being set, so a later line may set it.
        if text == "none" {
            return Ok(());
        }
        self.set(state, time(text)?.to_string())
    }

    fn jump(&self, state: &mut State) -> Result<(), String> {
        let found = jump::list(super::words::whole(self.rest))?;
        if self.active && state.jump.is_none() && !state.is_set("proxycommand") {
            state.jump = Some(found);
        }
        Ok(())
    }

    fn path(&self, state: &mut State, most: usize) -> Result<(), String> {
        let path = self.only()?;
        if self.active {
            if state.all(self.option).len() >= most {
                return Err(format!("is given more than {most} times"));
            }
            state.path(self.option, path, self.by_user);
        }
        Ok(())
    }

    /// All arguments, if the option was not set before the line.
    fn array(&self, state: &mut State, most: usize) -> Result<(), String> {
        let log = matches!(self.kind, Kind::LogVerbose);
        self.alone(&["none"])?;
        let fresh = self.active && !state.is_set(self.option);
        if fresh && !log && self.arguments.len() > most {
            return Err(format!("has more than {most} values"));
        }
        if fresh && !self.arguments.is_empty() {
            let kept = self.arguments.iter().take(most).cloned().collect();
            state.put(self.option, kept);
        }
        Ok(())
    }

    /// No argument is empty, and the special words stand alone.
    fn alone(&self, words: &[&str]) -> Result<(), String> {
        for argument in self.arguments {
            if argument.is_empty() {
                return Err("has an empty value; remove the quotes".to_owned());
            }
            let special = words.iter().any(|word| argument.eq_ignore_ascii_case(word));
            if special && self.arguments.len() > 1 {
                return Err(format!("{argument:?} must stand alone"));
            }
        }
        Ok(())
    }

    fn domains(&self, state: &mut State) -> Result<(), String> {
        self.alone(&["none"])?;
        let mut domains = Vec::new();
        for argument in self.arguments {
            domains.push(jump::valid_domain(&argument.to_ascii_lowercase())?);
        }
        if self.active && !state.is_set(self.option) && !domains.is_empty() {
            if domains.len() > DOMAINS {
                return Err(format!("has more than {DOMAINS} domains"));
            }
            state.put(self.option, domains);
        }
        Ok(())
    }

    fn cnames(&self, state: &mut State) -> Result<(), String> {
        let mut rules = Vec::new();
        for argument in self.arguments {
            if argument.eq_ignore_ascii_case("none") {
                if self.arguments.len() > 1 {
                    return Err(format!("{argument:?} must stand alone"));
                }
                rules.push("none".to_owned());
            } else if argument == "*" {
                rules.push("*:*".to_owned());
            } else {
                let rule = argument.to_ascii_lowercase();
                if rule
                    .split_once(':')
                    .is_none_or(|(_, target)| target.is_empty())
                {
                    return Err(format!("{argument:?} is no rule; write source:target"));
                }
                rules.push(rule);
            }
        }
        if self.active && !state.is_set(self.option) && !rules.is_empty() {
            if rules.len() > DOMAINS {
                return Err(format!("has more than {DOMAINS} rules"));
            }
            state.put(self.option, rules);
        }
        Ok(())
    }

    fn send_env(&self, state: &mut State) -> Result<(), String> {
        for argument in self.arguments {
            if argument.is_empty() || argument.contains('=') {
                return Err(format!("{argument:?} is no name of a variable"));
            }
            if !self.active {
                continue;
            }
            match argument.strip_prefix('-') {
                Some(pattern) => {
                    let names = state.all(self.option).iter();
                    let kept = names.filter(|name| !patterns::fits(pattern, name));
                    let kept = kept.cloned().collect();
                    state.put(self.option, kept);
                }
                None => state.append(self.option, argument.clone()),
            }
        }
        Ok(())
    }

    fn set_env(&self, state: &mut State) -> Result<(), String> {
        let fresh = self.active && !state.is_set(self.option);
        let mut kept: Vec<String> = Vec::new();
        for argument in self.arguments {
            let Some((name, _)) = argument.split_once('=') else {
                return Err(format!("{argument:?} sets nothing; write NAME=value"));
            };
            let known = kept
                .iter()
                .any(|set| set.split_once('=').is_some_and(|(known, _)| known == name));
            if !known {
                kept.push(argument.clone());
            }
        }
        if fresh && !kept.is_empty() {
            state.put(self.option, kept);
        }
        Ok(())
    }

    fn forward(&self, state: &mut State, sort: Sort) -> Result<(), String> {
        let listen = self.first()?;
        let connect = self.arguments.get(1).filter(|text| !text.is_empty());
        self.at_most(if sort == Sort::Dynamic { 1 } else { 2 })?;
        if connect.is_none() && sort == Sort::Local {
            return Err("has no target; write for example LocalForward 8080 host:80".to_owned());
        }
        let forward = Forward::read(sort, listen, connect.map(String::as_str))?;
        if self.active {
            let list = match sort {
                Sort::Remote => &mut state.remote,
                Sort::Local | Sort::Dynamic => &mut state.local,
            };
            State::forward(list, forward);
        }
        Ok(())
    }

    fn permit(&self, state: &mut State) -> Result<(), String> {
        self.first()?;
        self.alone(&["none", "any"])?;
        for argument in self.arguments {
            if argument.eq_ignore_ascii_case("none") || argument.eq_ignore_ascii_case("any") {
                continue;
            }
            let port = match argument.strip_prefix('[') {
                Some(inside) => inside.split_once("]:"),
                None => argument.split_once([':', '/']),
            };
            let good = port.is_some_and(|(_, port)| {
                port == "*" || numbers::port(port).is_some_and(|port| port != 0)
            });
            if !good {
                return Err(format!("{argument:?} is no place; write host:port"));
            }
        }
        if self.active && !state.is_set(self.option) {
            state.put(self.option, self.arguments.to_vec());
        }
        Ok(())
    }

    /// Two values of which each is set on its own.
    fn rekey(&self, state: &mut State) -> Result<(), String> {
        let size = self.first()?;
        self.at_most(2)?;
        let bytes = if size == "default" {
            0
        } else {
            numbers::bytes(size).ok_or_else(|| format!("{size:?} is no size; write 1G"))?
        };
        if bytes != 0 && bytes < 16 {
            return Err(format!("{size:?} is too small"));
        }
        if self.active {
            state.once("rekeylimit", bytes.to_string());
        }
        match self.arguments.get(1).map(String::as_str) {
            None | Some("none") => {}
            Some(text) => {
                let seconds = time(text)?;
                if self.active {
                    state.once("rekeyinterval", seconds.to_string());
                }
            }
        }
        Ok(())
    }

    fn quality(&self, state: &mut State) -> Result<(), String> {
        let first = quality(self.first()?)?;
        self.at_most(2)?;
        let second = match self.arguments.get(1) {
            Some(text) => quality(text)?,
            None => first.clone(),
        };
        self.set(state, format!("{first} {second}"))
    }

    fn add_keys(&self, state: &mut State) -> Result<(), String> {
        let first = self.first()?;
        self.at_most(2)?;
        let second = self.arguments.get(1).map(String::as_str);
        let known: Choices = &[
            ("true", "true"),
            ("false", "false"),
            ("yes", "true"),
            ("no", "false"),
            ("ask", "ask"),
            ("confirm", "confirm"),
        ];
        let shown = match (choice(known, first), second) {
            (Ok(word), None) => word,
            (Ok(word), Some(text)) if word == "confirm" => match time(text)? {
                0 => word,
                seconds => format!("confirm {seconds}"),
            },
            (Err(_), None) => match time(first)? {
                0 => "true".to_owned(),
                seconds => seconds.to_string(),
            },
            (_, Some(extra)) => return Err(format!("{extra:?} is one argument too many")),
        };
        self.set(state, shown)
    }
}

/// The word for what is meant, in the words of `ssh -G`.
fn choice(choices: Choices, text: &str) -> Result<String, String> {
    let found = choices
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(text));
    found.map(|(_, shown)| (*shown).to_owned()).ok_or_else(|| {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        format!(
            "{text:?} cannot be its value; use one of {}",
            words.join(", ")
        )
    })
}

fn time(text: &str) -> Result<i64, String> {
    numbers::seconds(text)
        .ok_or_else(|| format!("{text:?} is no time; write for example 90, 5m or 1h30m"))
}

/// Checks what OpenSSH checks of the path of an agent's socket.
fn agent(text: &str) -> Result<(), String> {
    expand::variables(text)?;
    let name = text.strip_prefix('$').filter(|name| !name.starts_with('{'));
    let bad = name.is_some_and(|name| {
        name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    });
    if bad {
        return Err(format!("{text:?} names no environment variable"));
    }
    Ok(())
}

/// A mask of permissions, in octal digits.
fn mask(text: &str) -> Result<String, String> {
    let mask = u32::from_str_radix(text, 8)
        .ok()
        .filter(|mask| *mask <= 0o777)
        .ok_or_else(|| format!("{text:?} is no mask; write for example 0177"))?;
    Ok(format!("0{mask:o}"))
}

fn escape(text: &str) -> Result<String, String> {
    let bytes = text.as_bytes();
    match bytes {
        b"none" => Ok("none".to_owned()),
        [byte] if byte.is_ascii_graphic() => Ok(text.to_owned()),
        [b'^', byte @ 64..=127] => match byte & 31 {
            0 => Ok("\\^@".to_owned()),
            control => Ok(format!("\\^{}", char::from(control + 64))),
        },
        [_] => Ok(text.to_owned()),
        _ => Err(format!(
            "{text:?} is no escape character; write ~, ^X or none"
        )),
    }
}

/// `local[:remote]` numbers of tunnel devices.
fn tunnel(text: &str) -> Result<String, String> {
    let (local, remote) = text.split_once(':').unwrap_or((text, "any"));
    let device = |text: &str| {
        if text.eq_ignore_ascii_case("any") {
            return Ok("any".to_owned());
        }
        numbers::number(text)
            .map(|number| number.to_string())
            .map_err(|_| format!("{text:?} is no tunnel device; write a number or any"))
    };
    Ok(format!("{}:{}", device(local)?, device(remote)?))
}

fn persist(text: &str) -> Result<String, String> {
    match text {
        "no" | "false" => Ok("no".to_owned()),
        "yes" | "true" => Ok("yes".to_owned()),
        text => Ok(match time(text)? {
            0 => "yes".to_owned(),
            seconds => seconds.to_string(),
        }),
    }
}

/// Names of the quality of service, and the numbers behind them.
const QUALITIES: &[(&str, i64)] = &[
    ("af11", 0x28),
    ("af12", 0x30),
    ("af13", 0x38),
    ("af21", 0x48),
    ("af22", 0x50),
    ("af23", 0x58),
    ("af31", 0x68),
    ("af32", 0x70),
    ("af33", 0x78),
    ("af41", 0x88),
    ("af42", 0x90),
    ("af43", 0x98),
    ("cs0", 0x00),
    ("cs1", 0x20),
    ("cs2", 0x40),
    ("cs3", 0x60),
    ("cs4", 0x80),
    ("cs5", 0xa0),
    ("cs6", 0xc0),
    ("cs7", 0xe0),
    ("ef", 0xb8),
    ("le", 0x01),
    ("lowdelay", 0x10),
    ("throughput", 0x08),
    ("reliability", 0x04),
];

fn quality(text: &str) -> Result<String, String> {
    let lower = text.to_ascii_lowercase();
    if lower == "none" || QUALITIES.iter().any(|(name, _)| *name == lower) {
        return Ok(lower);
    }
    let number = match lower.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => lower.parse().ok(),
    };
    let number = number
        .filter(|number| (0..=255).contains(number))
        .ok_or_else(|| format!("{text:?} is no quality of service; write for example af21"))?;
    let named = QUALITIES.iter().find(|(_, value)| *value == number);
    Ok(named.map_or_else(|| format!("0x{number:02x}"), |(name, _)| (*name).to_owned()))
}
