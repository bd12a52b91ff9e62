//! Verbs about forwards: connections that are carried through a host.

use serde::{Deserialize, Serialize};

use crate::domain::forward::{ForwardKind, ForwardRule};

use super::Command;
use super::ForwardCommand as F;
use super::row::Form::{Positional, Repeated};
use super::row::{Arg, ArgError, Args, Danger, Row, Scope, Subject, Surface};

/// A verb about forwards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ForwardCommand {
    /// Starts forwards through a host.
    Start {
        /// The host's name.
        host: String,
        /// At least one.
        rules: Vec<ForwardRule>,
    },
    /// Lists the forwards of this process.
    List,
    /// Ends one.
    Stop {
        /// Its number.
        id: u64,
    },
}

/// `-L`, for every verb that takes forwards.
pub(super) const LOCAL: Arg = Arg {
    name: "local",
    form: Repeated(Some('L')),
    required: false,
    subject: None,
    help: "[BIND:]PORT:HOST:PORT: listen here, lead there from the host; a path is a Unix socket",
};
/// `-R`.
pub(super) const REMOTE: Arg = Arg {
    name: "remote",
    form: Repeated(Some('R')),
    required: false,
    subject: None,
    help: "[BIND:]PORT:HOST:PORT: listen on the host, lead there from here; [BIND:]PORT alone is SOCKS",
};
/// `-D`.
pub(super) const DYNAMIC: Arg = Arg {
    name: "dynamic",
    form: Repeated(Some('D')),
    required: false,
    subject: None,
    help: "[BIND:]PORT: a SOCKS proxy here whose connections the host makes",
};

/// The forwards among the arguments.
///
/// # Errors
/// A word is no forward.
pub(super) fn rules(args: &Args) -> Result<Vec<ForwardRule>, ArgError> {
    let mut rules = Vec::new();
    for (kind, name) in [
        (ForwardKind::Local, "local"),
        (ForwardKind::Remote, "remote"),
        (ForwardKind::Dynamic, "dynamic"),
    ] {
        for word in args.all(name) {
            let rule = ForwardRule::parse(kind, &word).map_err(|why| ArgError::Bad {
                name,
                why: why.to_string(),
            })?;
            rules.push(rule);
        }
    }
    Ok(rules)
}

/// The verbs. // tidy: table
pub(super) const ROWS: &[Row] = &[
    Row {
        id: "forward",
        title: "forward",
        help: "Carries connections through a host: -L from here, -R from there, -D as a SOCKS proxy; on the command line until Ctrl-C.",
        args: &[
            Arg {
                name: "host",
                form: Positional,
                required: true,
                subject: Some(Subject::Host),
                help: "Host name",
            },
            LOCAL,
            REMOTE,
            DYNAMIC,
        ],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: |args| {
            let rules = rules(args)?;
            if rules.is_empty() {
                return Err(ArgError::Bad {
                    name: "forward",
                    why: "say what to forward: at least one -L, -R or -D".to_owned(),
                });
            }
            Ok(Command::Forward(F::Start {
                host: args.need("host")?,
                rules,
            }))
        },
    },
    Row {
        id: "forward.ls",
        title: "list forwards",
        help: "Lists forwards, with what went through each.",
        args: &[],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Screen,
        build: |_| Ok(Command::Forward(F::List)),
    },
    Row {
        id: "forward.stop",
        title: "stop forward",
        help: "Ends a forward; the connections that it carries end with it.",
        args: &[Arg {
            name: "id",
            form: Positional,
            required: true,
            subject: Some(Subject::Forward),
            help: "Its number in the list",
        }],
        scopes: &[Scope::Forwards],
        keys: &["x"],
        danger: Danger::None,
        surface: Surface::Screen,
        build: |args| {
            let id = args.parse("id")?.ok_or(ArgError::Missing("id"))?;
            Ok(Command::Forward(F::Stop { id }))
        },
    },
];
