//! `Match` lines: whether all their conditions hold. The only part that runs something: the commands of `Match exec`.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::super::stamps::account_name;
use super::expand::{self, Tokens};
use super::patterns::{self, Listed};
use super::state::State;
use super::words::Cutter;

/// How often a running command is looked at.
const LOOK: Duration = Duration::from_millis(3);

/// What a `Match` line is judged by.
pub(super) struct Scene<'a> {
    /// The host that the pass reads for.
    pub(super) host: &'a str,
    /// The name as it was given.
    pub(super) original: &'a str,
    /// The second pass, after the host's name is settled.
    pub(super) last: bool,
    /// When commands must have ended.
    pub(super) deadline: Instant,
    /// The block cannot apply whatever the line says, so nothing is run for it.
    pub(super) never: bool,
}

/// What a line said.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) holds: bool,
    /// It asks for a second pass.
    pub(super) wants_last: bool,
}

/// Why there is no verdict.
#[derive(Debug)]
pub(super) enum NoVerdict {
    /// The line is bad; the others are still read.
    Line(String),
    /// Nothing more is read.
    Fatal(String),
}

/// Judges the conditions of a line.
pub(super) fn judge(rest: &str, scene: &Scene<'_>, state: &State) -> Result<Verdict, NoVerdict> {
    let bad = |why: String| Err(NoVerdict::Line(why));
    let host = match state.get("hostname") {
        Some(set) if scene.last => set.to_owned(),
        Some(set) => expand::host_name(set, scene.host).map_err(NoVerdict::Fatal)?,
        None => scene.host.to_owned(),
    };
    let account = account_name();
    let user = state.get("user").unwrap_or(&account);
    let mut words = Cutter::new(rest);
    let mut verdict = Verdict {
        holds: true,
        wants_last: false,
    };
    let mut count = 0;
    while let Some(word) = words.next().filter(|word| !word.is_empty()) {
        if word.starts_with('#') {
            words.rest = None;
            break;
        }
        let (negated, name) = match word.strip_prefix('!') {
            Some(name) => (true, name),
            None => (false, word.as_str()),
        };
        let name = name.to_ascii_lowercase();
        if name == "all" {
            let next = words.next().filter(|next| !next.is_empty());
            let comment = next.as_ref().is_some_and(|next| next.starts_with('#'));
            if count > 1 || (next.is_some() && !comment) {
                return bad(format!("{word:?} must stand alone in a Match line"));
            }
            verdict.holds &= !negated;
            return Ok(verdict);
        }
        count += 1;
        if name == "canonical" || name == "final" {
            verdict.wants_last |= name == "final";
            verdict.holds &= scene.last != negated;
            continue;
        }
        let argument = words
            .next()
            .filter(|next| !next.is_empty() && !next.starts_with('#'));
        let Some(argument) = argument else {
            return bad(format!(
                "the Match condition {name:?} needs something to compare with"
            ));
        };
        let found = match name.as_str() {
            "host" => patterns::hosts(&argument, &host),
            "originalhost" => patterns::hosts(&argument, scene.original),
            "user" => patterns::list(&argument, user) == Listed::Yes,
            "localuser" => patterns::list(&argument, &account) == Listed::Yes,
            "exec" => {
                let command = tokens(scene, state, &host, user)
                    .expand(&argument, false)
                    .map_err(NoVerdict::Fatal)?;
                if !verdict.holds || scene.never {
                    // As in OpenSSH nothing is run once a condition before it failed.
                    continue;
                }
                run(&command, scene.deadline).map_err(NoVerdict::Fatal)?
            }
            "tagged" | "localnetwork" | "command" | "version" | "sessiontype" => {
                return bad(format!(
                    "the Match condition {name:?} came after OpenSSH 9.2, which is all that is understood without OpenSSH's client; install it, or remove the block"
                ));
            }
            _ => return bad(format!("there is no Match condition {name:?}")),
        };
        verdict.holds &= found != negated;
    }
    if count == 0 {
        return bad("a Match line needs a condition; write `Match all` for every host".to_owned());
    }
    match words.rest.filter(|rest| !rest.is_empty()) {
        Some(extra) => bad(format!("{extra:?} is left over in a Match line")),
        None => Ok(verdict),
    }
}

fn tokens(scene: &Scene<'_>, state: &State, host: &str, user: &str) -> Tokens {
    Tokens {
        host: host.to_owned(),
        original: scene.original.to_owned(),
        key_alias: state.get("hostkeyalias").unwrap_or(host).to_owned(),
        port: state
            .get("port")
            .and_then(|port| port.parse().ok())
            .unwrap_or(22),
        user: user.to_owned(),
    }
}

/// Runs a command in the user's shell; whether it succeeded.
fn run(command: &str, deadline: Instant) -> Result<bool, String> {
    let shell = std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into());
    let failed = |why: String| format!("the command {command:?} of Match exec {why}");
    let mut child = Command::new(&shell)
        .arg("-c")
        .arg(command)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|why| {
            failed(format!(
                "cannot be run by {}: {why}; set SHELL to a shell",
                shell.to_string_lossy()
            ))
        })?;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => match (status.code(), status.signal()) {
                (Some(code), _) => return Ok(code == 0),
                (None, signal) => {
                    let signal = signal.unwrap_or_default();
                    return Err(failed(format!("was ended by signal {signal}")));
                }
            },
            Ok(None) if Instant::now() < deadline => std::thread::sleep(LOOK),
            Ok(None) => {
                // It may have ended a moment ago, and then there is nothing to kill.
                child.kill().ok();
                child.wait().ok();
                return Err(failed(
                    "takes too long; make it quicker, or remove it".to_owned(),
                ));
            }
            Err(why) => return Err(failed(format!("cannot be waited for: {why}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(line: &str, last: bool) -> Option<(bool, bool)> {
        let mut state = State::default();
        state.once("user", "me");
        state.once("hostname", "%h.example");
        let scene = Scene {
            host: "Web",
            original: "Web",
            last,
            deadline: Instant::now() + Duration::from_secs(10),
            never: false,
        };
        if last {
            state.put("hostname", vec!["web.example".to_owned()]);
        }
        let verdict = judge(line, &scene, &state).ok()?;
        Some((verdict.holds, verdict.wants_last))
    }

    #[test]
    fn conditions() {
        for (line, expected) in [
            ("all", Some((true, false))),
            ("!all", Some((false, false))),
            ("all # x", Some((true, false))),
            ("all host a", None),
            ("host web.example", Some((true, false))),
            ("host=web.example", Some((true, false))),
            ("host WEB.*,!x", Some((true, false))),
            ("host web", Some((false, false))),
            ("!host web", Some((true, false))),
            ("originalhost web user me", Some((true, false))),
            ("user ME", Some((false, false))),
            ("final", Some((false, true))),
            ("canonical", Some((false, false))),
            ("!final", Some((true, true))),
            ("exec true", Some((true, false))),
            ("exec \"test %h = web.example\"", Some((false, false))),
            ("exec \"test %h = Web.example\"", Some((true, false))),
            ("!exec false", Some((true, false))),
            ("exec \"%z\"", None),
            ("host", None),
            ("", None),
            ("# x", None),
            ("tagged x", None),
            ("nonsense x", None),
        ] {
            assert_eq!(judged(line, false), expected, "{line:?}");
        }
        assert_eq!(judged("final host web.example", true), Some((true, true)));
        assert_eq!(
            judged("exec \"test %h = web.example\"", true),
            Some((true, false))
        );
    }

    #[test]
    fn a_slow_command_is_ended() {
        let begun = Instant::now();
        let why = run("sleep 60", begun + Duration::from_millis(50));
        assert!(why.is_err_and(|why| why.contains("too long")));
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}
