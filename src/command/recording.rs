//! Verbs about the recordings of sessions, and the keys of the player.

use serde::{Deserialize, Serialize};

use super::row::Form::{Flag, Positional, Switch};
use super::row::{Arg, ArgError, Args, Danger, Row, Scope, Surface};
use super::session::{REF, span};
use super::{Command, ExportFormat, Playing, ScreenCommand, Search, SessionCommand as S};

/// What the keys of the player do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReelVerb {
    /// Plays, or pauses.
    Toggle,
    /// This many pieces of output on, or back when negative.
    Step(i8),
    /// This many seconds on, or back when negative.
    Seek(i8),
    /// To the next marker, or to the one before when negative.
    Marker(i8),
    /// Faster, or slower when negative.
    Speed(i8),
    /// To the moment at which this text appears; without one it is asked for.
    Find(Option<String>),
    /// The same text once more.
    Again,
    /// Shows the text of the recording, or plays it again.
    Text,
}

const fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg {
        name,
        form: Flag(None),
        required: false,
        subject: None,
        help,
    }
}

fn reel(verb: ReelVerb) -> Result<Command, ArgError> {
    Ok(Command::Screen(ScreenCommand::Reel(verb)))
}

/// The verbs. // tidy: table
pub(super) const ROWS: &[Row] = &[
    Row {
        id: "session.record",
        title: "record session",
        help: "Switches the recording of a live session on or off.",
        args: &[
            Arg {
                name: "state",
                form: Positional,
                required: true,
                subject: None,
                help: "on or off",
            },
            Arg {
                required: false,
                ..REF
            },
        ],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: |args| {
            let on = match args.need("state")?.as_str() {
                "on" => true,
                "off" => false,
                other => {
                    return Err(ArgError::Bad {
                        name: "state",
                        why: format!("{other:?} is neither on nor off"),
                    });
                }
            };
            Ok(Command::Session(S::Record {
                reference: args.need("ref")?,
                on,
            }))
        },
    },
    Row {
        id: "session.mark",
        title: "mark recording",
        help: "Sets a marker in the recording of a live session.",
        args: &[
            Arg {
                name: "text",
                form: Positional,
                required: true,
                subject: None,
                help: "What it says",
            },
            Arg {
                required: false,
                ..REF
            },
        ],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: |args| {
            Ok(Command::Session(S::Mark {
                reference: args.need("ref")?,
                text: args.need("text")?,
            }))
        },
    },
    Row {
        id: "session.replay",
        title: "replay",
        help: "Plays the recording of a session.",
        args: &[
            REF,
            flag("speed", "How many times faster than it happened; 1 without"),
            flag("idle-limit", "Cut pauses to this: 2 (seconds), 500ms"),
            flag("from", "Begin here: 90 (seconds), 1h30min"),
            flag("marker", "Begin at this marker, from 1"),
        ],
        scopes: &[Scope::Sessions],
        keys: &["p"],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: replay,
    },
    Row {
        id: "session.export",
        title: "export recording",
        help: "Writes the recording of a session as text or as an asciicast v2 for other players.",
        args: &[
            REF,
            flag("format", "text or cast; text without"),
            Arg {
                form: Switch(None),
                ..flag("times", "Begin each line of the text with its time")
            },
            Arg {
                form: Flag(Some('o')),
                ..flag("output", "The file; - or nothing is standard output")
            },
        ],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: |args| {
            let format = match args.get("format") {
                None | Some("text") if args.has("times") => ExportFormat::Timed,
                None | Some("text") => ExportFormat::Text,
                Some("cast") if args.has("times") => {
                    return Err(ArgError::Bad {
                        name: "times",
                        why: "a cast has its times already; leave one of the two out".to_owned(),
                    });
                }
                Some("cast") => ExportFormat::Cast,
                Some(other) => {
                    return Err(ArgError::Bad {
                        name: "format",
                        why: format!("{other:?} is neither text nor cast"),
                    });
                }
            };
            Ok(Command::Session(S::Export {
                reference: args.need("ref")?,
                format,
                output: args.get("output").unwrap_or("-").into(),
            }))
        },
    },
    Row {
        id: "session.fetch",
        title: "fetch recording",
        help: "Brings the recording of a session here that another device put into the space.",
        args: &[REF],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: |args| {
            Ok(Command::Session(S::Fetch {
                reference: args.need("ref")?,
                silent: false,
            }))
        },
    },
    Row {
        id: "session.search",
        title: "search recordings",
        help: "Looks for a text in what all recorded sessions showed, the newest first.",
        args: &[
            Arg {
                name: "text",
                form: Positional,
                required: true,
                subject: None,
                help: "What to look for; capital letters count only if there are any",
            },
            Arg {
                name: "regex",
                form: Switch(None),
                required: false,
                subject: None,
                help: "It is a regular expression",
            },
            flag("host", "Only sessions on hosts of this name or pattern"),
            flag("ticket", "Only sessions for this ticket"),
            flag(
                "since",
                "Only sessions opened since: 2d, 2026-11-23, or RFC 3339",
            ),
            Arg {
                name: "fetch",
                form: Switch(None),
                required: false,
                subject: None,
                help: "Fetch those first that are in the space and not here",
            },
        ],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: |args| {
            Ok(Command::Session(S::Search(Search {
                wanted: args.need("text")?,
                regex: args.has("regex"),
                host: args.text("host"),
                ticket: args.text("ticket"),
                since: args.text("since"),
                fetch: args.has("fetch"),
            })))
        },
    },
    Row::key(
        "replay.pause",
        "play or pause",
        "Plays the recording, or pauses.",
        &[Scope::Recording],
        &["Space"],
        |_| reel(ReelVerb::Toggle),
    ),
    Row::key(
        "replay.next",
        "step",
        "Goes one piece of output on.",
        &[Scope::Recording],
        &["."],
        |_| reel(ReelVerb::Step(1)),
    ),
    Row::key(
        "replay.previous",
        "step back",
        "Goes one piece of output back.",
        &[Scope::Recording],
        &[","],
        |_| reel(ReelVerb::Step(-1)),
    ),
    Row::key(
        "replay.forward",
        "5 s on",
        "Goes 5 seconds on.",
        &[Scope::Recording],
        &["Right"],
        |_| reel(ReelVerb::Seek(5)),
    ),
    Row::key(
        "replay.rewind",
        "5 s back",
        "Goes 5 seconds back.",
        &[Scope::Recording],
        &["Left"],
        |_| reel(ReelVerb::Seek(-5)),
    ),
    Row::key(
        "replay.minute",
        "60 s on",
        "Goes a minute on; in the text, a line up.",
        &[Scope::Recording],
        &["Up"],
        |_| reel(ReelVerb::Seek(60)),
    ),
    Row::key(
        "replay.unminute",
        "60 s back",
        "Goes a minute back; in the text, a line down.",
        &[Scope::Recording],
        &["Down"],
        |_| reel(ReelVerb::Seek(-60)),
    ),
    Row::key(
        "replay.marker",
        "next marker",
        "Goes to the next marker.",
        &[Scope::Recording],
        &["]"],
        |_| reel(ReelVerb::Marker(1)),
    ),
    Row::key(
        "replay.unmarker",
        "marker before",
        "Goes to the marker before.",
        &[Scope::Recording],
        &["["],
        |_| reel(ReelVerb::Marker(-1)),
    ),
    Row::key(
        "replay.faster",
        "faster",
        "Plays twice as fast.",
        &[Scope::Recording],
        &["+"],
        |_| reel(ReelVerb::Speed(1)),
    ),
    Row::key(
        "replay.slower",
        "slower",
        "Plays half as fast.",
        &[Scope::Recording],
        &["-"],
        |_| reel(ReelVerb::Speed(-1)),
    ),
    Row {
        id: "replay.find",
        title: "find",
        help: "Goes to the moment at which a text appears in the recording that is played.",
        args: &[Arg {
            name: "text",
            form: Positional,
            required: false,
            subject: None,
            help: "What appears",
        }],
        scopes: &[Scope::Recording],
        keys: &["/"],
        danger: Danger::None,
        surface: Surface::Screen,
        build: |args| reel(ReelVerb::Find(args.text("text"))),
    },
    Row::key(
        "replay.again",
        "find again",
        "Goes to the next moment at which the same text appears.",
        &[Scope::Recording],
        &["n"],
        |_| reel(ReelVerb::Again),
    ),
    Row::key(
        "replay.text",
        "text or picture",
        "Shows the recording as text, or plays it.",
        &[Scope::Recording],
        &["t"],
        |_| reel(ReelVerb::Text),
    ),
];

fn replay(args: &Args) -> Result<Command, ArgError> {
    let speed: f64 = args.parse("speed")?.unwrap_or(1.0);
    if !(0.01..=1_000.0).contains(&speed) {
        return Err(ArgError::Bad {
            name: "speed",
            why: format!("{speed} is not between 0.01 and 1000"),
        });
    }
    let marker: Option<usize> = args.parse("marker")?;
    Ok(Command::Session(S::Replay {
        reference: args.need("ref")?,
        how: Playing {
            speed,
            idle_ms: span(args, "idle-limit")?,
            from_ms: span(args, "from")?.unwrap_or(0),
            marker,
            before_last: None,
        },
    }))
}
