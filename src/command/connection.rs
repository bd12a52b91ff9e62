//! Verbs about connections.

use serde::{Deserialize, Serialize};

use super::row::Form::Positional;
use super::row::{Arg, Danger, Row, Scope, Subject, Surface};
use super::{Command, ConnectionCommand as C};

/// A verb about the connections of this process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConnectionCommand {
    /// Ends the connections to a host; what runs there ends as unreachable.
    Close {
        /// The host's name.
        host: String,
    },
    /// Ends the connections to a host, if there are any, and makes a new one.
    Again {
        /// The host's name.
        host: String,
    },
}

const HOST: Arg = Arg {
    name: "host",
    form: Positional,
    required: true,
    subject: Some(Subject::Host),
    help: "Host name",
};

/// The verbs. // tidy: table
pub(super) const ROWS: &[Row] = &[
    Row {
        id: "connection.close",
        title: "disconnect",
        help: "Ends the connections to a host, and with them everything that uses them.",
        args: &[HOST],
        scopes: &[Scope::Connections],
        keys: &["x"],
        danger: Danger::Confirm,
        surface: Surface::Screen,
        build: |args| {
            Ok(Command::Connection(C::Close {
                host: args.need("host")?,
            }))
        },
    },
    Row {
        id: "connection.again",
        title: "reconnect",
        help: "Makes a new connection to a host; one that is there is ended first.",
        args: &[HOST],
        scopes: &[Scope::Connections],
        keys: &["r"],
        danger: Danger::Confirm,
        surface: Surface::Screen,
        build: |args| {
            Ok(Command::Connection(C::Again {
                host: args.need("host")?,
            }))
        },
    },
];
