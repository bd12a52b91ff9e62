//! What the effective settings of a host say about forwards, typed. Opens nothing.

use std::path::PathBuf;

use crate::domain::forward::{Endpoint, ForwardKind, ForwardRule};
use crate::domain::host::Effective;
use crate::ssh::error::Error;

/// The umask of sockets when the configuration names none, ssh_config(5), `StreamLocalBindMask`.
const MASK: u32 = 0o177;

/// Whether a host may use our agent, ssh_config(5), `ForwardAgent`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AgentRule {
    No,
    /// The agent that we log in with ourselves.
    Usual,
    /// The one at this socket.
    At(PathBuf),
    /// The one whose socket this variable names; it is not set.
    Unset(String),
}

/// Where a remote SOCKS forward may lead, ssh_config(5), `PermitRemoteOpen`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Permit {
    Any,
    /// Hosts and ports as they must be asked for; `None` is any.
    Only(Vec<(Option<String>, Option<u16>)>),
}

impl Permit {
    /// Whether a connection to this place may be made.
    pub(crate) fn allows(&self, host: &str, port: u16) -> bool {
        match self {
            Self::Any => true,
            Self::Only(list) => list.iter().any(|(name, number)| {
                let named = name
                    .as_deref()
                    .is_none_or(|name| name.eq_ignore_ascii_case(host));
                named && number.is_none_or(|number| number == port)
            }),
        }
    }

    fn read(values: &[String]) -> Self {
        let mut words = values.iter().flat_map(|line| line.split_whitespace());
        match words.clone().next() {
            None | Some("any") => Self::Any,
            // What cannot be read permits nothing.
            Some(_) => Self::Only(words.by_ref().filter_map(place).collect()),
        }
    }
}

/// One item of `PermitRemoteOpen`.
fn place(word: &str) -> Option<(Option<String>, Option<u16>)> {
    let (host, port) = word.rsplit_once(':')?;
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    let port = match port {
        "*" => None,
        port => Some(port.parse().ok()?),
    };
    Some(((host != "*").then(|| host.to_owned()), port))
}

/// Everything about forwards.
#[derive(Clone, Debug)]
pub(crate) struct Forwarding {
    /// `LocalForward`, `RemoteForward` and `DynamicForward`, unless `ClearAllForwardings`.
    pub(crate) rules: Vec<ForwardRule>,
    /// Lines that were not understood, with the reason.
    pub(crate) bad: Vec<String>,
    /// `GatewayPorts`: listeners without an address are for every machine.
    pub(crate) gateway: bool,
    /// `ExitOnForwardFailure`.
    pub(crate) strict: bool,
    /// `ClearAllForwardings`.
    pub(crate) clear: bool,
    /// `StreamLocalBindUnlink`: a socket that is in the way is removed.
    pub(crate) unlink: bool,
    /// `StreamLocalBindMask`.
    pub(crate) mask: u32,
    pub(crate) permit: Permit,
    pub(crate) agent: AgentRule,
}

impl Forwarding {
    /// Reads what `ssh -G` printed. `path` replaces the tokens in a path.
    ///
    /// # Errors
    /// The path of the agent has a token that is not known.
    pub(crate) fn read(
        effective: &Effective,
        path: impl Fn(&str) -> Result<PathBuf, Error>,
    ) -> Result<Self, Error> {
        let on = |option: &str| matches!(effective.get(option), Some("yes" | "true"));
        let clear = on("clearallforwardings");
        let (rules, bad) = if clear {
            Default::default()
        } else {
            rules(effective)
        };
        Ok(Self {
            rules,
            bad,
            gateway: on("gatewayports"),
            strict: on("exitonforwardfailure"),
            clear,
            unlink: on("streamlocalbindunlink"),
            mask: effective
                .get("streamlocalbindmask")
                .and_then(|mask| u32::from_str_radix(mask, 8).ok())
                .unwrap_or(MASK)
                & 0o777,
            permit: Permit::read(effective.all("permitremoteopen")),
            agent: agent(effective.get("forwardagent"), path)?,
        })
    }
}

fn agent(
    value: Option<&str>,
    path: impl Fn(&str) -> Result<PathBuf, Error>,
) -> Result<AgentRule, Error> {
    Ok(match value {
        None | Some("no" | "false") => AgentRule::No,
        Some("yes" | "true") => AgentRule::Usual,
        Some(value) => match value.strip_prefix('$') {
            Some(name) if !name.starts_with('{') => match std::env::var_os(name) {
                Some(socket) if !socket.is_empty() => AgentRule::At(PathBuf::from(socket)),
                _ => AgentRule::Unset(name.to_owned()),
            },
            _ => AgentRule::At(path(value)?),
        },
    })
}

/// The forwards of a configuration, in the order of `ssh -G`, and the lines that are none.
fn rules(effective: &Effective) -> (Vec<ForwardRule>, Vec<String>) {
    let (mut rules, mut bad) = (Vec::new(), Vec::new());
    for (kind, option) in [
        (ForwardKind::Local, "localforward"),
        (ForwardKind::Remote, "remoteforward"),
        (ForwardKind::Dynamic, "dynamicforward"),
    ] {
        for value in effective.all(option) {
            match ForwardRule::from_config(kind, value) {
                // OpenSSH up to 9.x prints a local forward to a socket a second time as a dynamic one.
                Ok(ForwardRule::Dynamic { listen }) if leads_to_socket(&rules, &listen) => {}
                Ok(rule) => rules.push(rule),
                Err(why) => bad.push(why.to_string()),
            }
        }
    }
    (rules, bad)
}

fn leads_to_socket(rules: &[ForwardRule], place: &Endpoint) -> bool {
    rules.iter().any(|rule| {
        matches!(rule, ForwardRule::Local { listen, to: Endpoint::Unix { .. } } if listen == place)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &str) -> Forwarding {
        let mut effective = Effective::default();
        for line in lines.lines() {
            let (option, value) = line.split_once(' ').unwrap_or((line, ""));
            effective
                .options
                .entry(option.to_owned())
                .or_default()
                .push(value.to_owned());
        }
        Forwarding::read(&effective, |path| Ok(PathBuf::from(path)))
            .unwrap_or_else(|why| unreachable!("{why}"))
    }

    #[test]
    fn forwards_of_a_configuration_are_found_once() {
        // As OpenSSH 9.2 prints them, sockets twice.
        let found = read(
            "dynamicforward /tmp/x.sock\ndynamicforward 8083\ndynamicforward 1080\nlocalforward 8080 [web]:80\n\
             localforward /tmp/x.sock /run/y.sock\nlocalforward 8083 /run/a.sock\nremoteforward 9000 [socks]:0\nexitonforwardfailure yes",
        );
        let words: Vec<String> = found.rules.iter().map(ToString::to_string).collect();
        assert_eq!(
            words,
            [
                "-L 8080:web:80",
                "-L /tmp/x.sock:/run/y.sock",
                "-L 8083:/run/a.sock",
                "-R 9000",
                "-D 1080"
            ]
        );
        assert!(found.strict && found.bad.is_empty());
        assert_eq!(found.mask, 0o177);
        assert_eq!(found.agent, AgentRule::No, "off unless it is asked for");
        let cleared = read("localforward 8080 [web]:80\nclearallforwardings yes");
        assert!(cleared.rules.is_empty() && cleared.clear);
        assert_eq!(read("localforward nonsense").bad.len(), 1);
    }

    #[test]
    fn the_agent_is_one_of_four() {
        for (value, expected) in [
            ("yes", AgentRule::Usual),
            ("no", AgentRule::No),
            ("/run/agent", AgentRule::At("/run/agent".into())),
            (
                "$NO_SUCH_VARIABLE",
                AgentRule::Unset("NO_SUCH_VARIABLE".to_owned()),
            ),
        ] {
            assert_eq!(read(&format!("forwardagent {value}")).agent, expected);
        }
    }

    #[test]
    fn where_a_remote_socks_forward_may_lead() {
        for (value, host, port, allowed) in [
            ("any", "a", 1, true),
            ("none", "a", 1, false),
            ("a:1 b:2", "b", 2, true),
            ("a:1 b:2", "b", 1, false),
            ("a:*", "A", 9, true),
            ("*:80", "x", 80, true),
            ("*:80", "x", 81, false),
            ("[::1]:80", "::1", 80, true),
            ("nonsense", "a", 1, false),
        ] {
            let permit = read(&format!("permitremoteopen {value}")).permit;
            assert_eq!(permit.allows(host, port), allowed, "{value} {host} {port}");
        }
        assert!(read("").permit.allows("a", 1));
    }
}
