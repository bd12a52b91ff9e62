//! Verbs about typing into several sessions at once.

use serde::{Deserialize, Serialize};

use super::row::Form::Positional;
use super::row::{Arg, ArgError, Args, Danger, Row, Scope, Surface};
use super::{Command, ScreenCommand};

/// A verb about the broadcast; the screen knows which session is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BroadcastVerb {
    /// Begins one with the marked sessions, or ends the one that goes on.
    Toggle,
    /// Begins one with the marked sessions; asks first.
    On,
    /// Ends it.
    Off,
    /// Marks this session for it, or takes the mark away.
    Mark,
    /// Takes all marks away.
    Unmark,
}

fn screen(verb: BroadcastVerb) -> Result<Command, ArgError> {
    Ok(Command::Screen(ScreenCommand::Broadcast(verb)))
}

fn toggle(args: &Args) -> Result<Command, ArgError> {
    match args.get("state") {
        None => screen(BroadcastVerb::Toggle),
        Some("on") => screen(BroadcastVerb::On),
        Some("off") => screen(BroadcastVerb::Off),
        Some(other) => Err(ArgError::Bad {
            name: "state",
            why: format!("{other:?} is neither on nor off"),
        }),
    }
}

/// The verbs. // tidy: table
pub(super) const ROWS: &[Row] = &[
    Row {
        id: "broadcast",
        title: "broadcast",
        help: "Types into all marked sessions at once, after asking; once more ends it.",
        args: &[Arg {
            name: "state",
            form: Positional,
            required: false,
            subject: None,
            help: "on or off; without it, the other of the two",
        }],
        scopes: &[Scope::Prefix, Scope::Sessions],
        keys: &["B"],
        danger: Danger::None,
        surface: Surface::Screen,
        build: toggle,
    },
    Row::key(
        "pane.mark",
        "mark",
        "Marks this session for a broadcast, or takes its mark away.",
        &[Scope::Prefix],
        &["m"],
        |_| screen(BroadcastVerb::Mark),
    ),
    Row::key(
        "pane.unmark",
        "clear marks",
        "Takes the marks of all sessions away.",
        &[Scope::Prefix],
        &["M"],
        |_| screen(BroadcastVerb::Unmark),
    ),
];
