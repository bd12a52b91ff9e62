//! Verbs about what calls people to a session that they do not look at.

use serde::{Deserialize, Serialize};

use super::row::Form::{Flag, Positional};
use super::row::{Arg, ArgError, Args, Danger, Row, Scope, Subject, Surface};
use super::{Command, ScreenCommand};

/// What is to call, in which session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonitorVerb {
    /// The session's reference; the one on the screen if there is none.
    pub session: Option<String>,
    /// What.
    pub what: Monitored,
}

/// What is to call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Monitored {
    /// Output.
    Activity(bool),
    /// The bell.
    Bell(bool),
    /// So many seconds without output; `None` is never.
    Silence(Option<u32>),
    /// A line with this regular expression; `None` is none.
    Pattern(Option<String>),
}

/// The longest silence that is waited for, in seconds.
const LONGEST: u32 = 86_400;

const SESSION: Arg = Arg {
    name: "session",
    form: Flag(Some('S')),
    required: false,
    subject: Some(Subject::Session),
    help: "Reference, such as S-2M0D; the session on the screen without it",
};

const ON_OFF: Arg = Arg {
    name: "state",
    form: Positional,
    required: false,
    subject: None,
    help: "on or off; on without it",
};

fn made(args: &Args, what: Monitored) -> Result<Command, ArgError> {
    Ok(Command::Screen(ScreenCommand::Monitor(MonitorVerb {
        session: args.text("session"),
        what,
    })))
}

fn on_off(args: &Args) -> Result<bool, ArgError> {
    match args.get("state") {
        None | Some("on") => Ok(true),
        Some("off") => Ok(false),
        Some(other) => Err(ArgError::Bad {
            name: "state",
            why: format!("{other:?} is neither on nor off"),
        }),
    }
}

fn silence(args: &Args) -> Result<Command, ArgError> {
    let text = args.need("seconds")?;
    let seconds = match text.as_str() {
        "off" | "0" => None,
        text => {
            let seconds = text.strip_suffix('s').unwrap_or(text).parse().ok();
            let seconds = seconds.filter(|seconds| (1..=LONGEST).contains(seconds));
            Some(seconds.ok_or_else(|| ArgError::Bad {
                name: "seconds",
                why: format!("{text:?} is no number of seconds; write 1 to {LONGEST}, or off"),
            })?)
        }
    };
    made(args, Monitored::Silence(seconds))
}

fn pattern(args: &Args) -> Result<Command, ArgError> {
    let text = args.need("regex")?;
    let pattern = match text.as_str() {
        "off" => None,
        text => {
            let sound = regex::RegexBuilder::new(text)
                .size_limit(1024 * 1024)
                .build();
            sound.map_err(|why| ArgError::Bad {
                name: "regex",
                why: format!(
                    "{text:?} cannot be understood: {}",
                    why.to_string()
                        .lines()
                        .last()
                        .unwrap_or_default()
                        .trim_start_matches("error: ")
                ),
            })?;
            Some(text.to_owned())
        }
    };
    made(args, Monitored::Pattern(pattern))
}

const fn row(
    id: &'static str,
    title: &'static str,
    help: &'static str,
    args: &'static [Arg],
    build: fn(&Args) -> Result<Command, ArgError>,
) -> Row {
    Row {
        args,
        ..Row::plain(id, title, help, Surface::Screen, build)
    }
}

/// The verbs. // tidy: table
pub(super) const ROWS: &[Row] = &[
    row(
        "monitor.activity",
        "call on output",
        "Calls you when the session writes something while you do not look at it.",
        &[ON_OFF, SESSION],
        |args| made(args, Monitored::Activity(on_off(args)?)),
    ),
    row(
        "monitor.bell",
        "call on the bell",
        "Calls you when the session rings its bell; this is on unless it is switched off.",
        &[ON_OFF, SESSION],
        |args| made(args, Monitored::Bell(on_off(args)?)),
    ),
    row(
        "monitor.silence",
        "call on silence",
        "Calls you when the session has written nothing for so many seconds.",
        &[
            Arg {
                name: "seconds",
                form: Positional,
                required: true,
                subject: None,
                help: "how many, or off",
            },
            SESSION,
        ],
        silence,
    ),
    row(
        "monitor.pattern",
        "call on a line",
        "Calls you when the session writes a line with this regular expression.",
        &[
            Arg {
                name: "regex",
                form: Positional,
                required: true,
                subject: None,
                help: "what the line has, or off",
            },
            SESSION,
        ],
        pattern,
    ),
    Row {
        id: "pane.call",
        title: "next call",
        help: "Goes to the next session that called: a line, a bell, silence, or output.",
        args: &[],
        scopes: &[Scope::Prefix, Scope::Sessions],
        keys: &["a"],
        danger: Danger::None,
        surface: Surface::Screen,
        build: |_| Ok(Command::Screen(ScreenCommand::NextCall)),
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::parse_line;

    #[test]
    fn what_calls_is_said_at_the_prompt() {
        for (line, expected) in [
            ("monitor silence 30", Some(Monitored::Silence(Some(30)))),
            ("monitor silence 30s", Some(Monitored::Silence(Some(30)))),
            ("monitor silence off", Some(Monitored::Silence(None))),
            ("monitor silence soon", None),
            ("monitor activity", Some(Monitored::Activity(true))),
            ("monitor bell off", Some(Monitored::Bell(false))),
            ("monitor bell maybe", None),
            (
                "monitor pattern 'panic|oops'",
                Some(Monitored::Pattern(Some("panic|oops".to_owned()))),
            ),
            ("monitor pattern '('", None),
        ] {
            let parsed = parse_line(line).unwrap_or_else(|why| unreachable!("{}", why.text));
            let what = match parsed.command() {
                Ok(Some(Command::Screen(ScreenCommand::Monitor(verb)))) => Some(verb.what),
                _ => None,
            };
            assert_eq!(what, expected, "{line}");
        }
    }
}
