//! Verbs about sync: making a space, coming in, letting in, and seeing how it goes.

use serde::{Deserialize, Serialize};

use super::row::Form::{Flag, Positional};
use super::row::{Arg, Args, Danger, Row, Surface};
use super::{Command, SyncCommand as S};

/// A verb about sync.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SyncCommand {
    /// Makes a space in an empty place.
    Init {
        /// The place.
        remote: String,
        /// What this device is to be called; its host's name if nothing is said.
        name: Option<String>,
    },
    /// Asks to come into the space of a place, and waits.
    Join {
        /// The place.
        remote: String,
        /// What this device is to be called.
        name: Option<String>,
    },
    /// Lets in the device that shows a code.
    Admit {
        /// The code.
        code: String,
    },
    /// Says how sync is.
    Status,
    /// Syncs at once.
    Now,
    /// Lists the devices of the space.
    Devices,
    /// Sends a device away.
    Retire {
        /// Its name, its fingerprint, or the beginning of its id.
        device: String,
    },
    /// Makes a new key for everything that is written from now on.
    Rotate,
    /// Stops syncing this store.
    Leave,
}

const REMOTE: Arg = Arg {
    name: "remote",
    form: Positional,
    required: true,
    subject: None,
    help: "Where the space is: a folder, ssh://HOST/PATH or postgres://…",
};

const NAME: Arg = Arg {
    name: "name",
    form: Flag(None),
    required: false,
    subject: None,
    help: "What this device is to be called; by default as its host",
};

const CODE: Arg = Arg {
    name: "code",
    help: "The code that `qd sync join` shows on the new device",
    ..REMOTE
};

const DEVICE: Arg = Arg {
    name: "device",
    help: "Its name, its fingerprint, or the beginning of its id",
    ..REMOTE
};

const fn verb(
    id: &'static str,
    title: &'static str,
    help: &'static str,
    args: &'static [Arg],
    build: fn(&Args) -> Result<Command, super::ArgError>,
) -> Row {
    Row {
        id,
        title,
        help,
        args,
        scopes: &[],
        keys: &[],
        // What is asked depends on what is found, so the question comes when that is known.
        danger: Danger::None,
        surface: Surface::Everywhere,
        build,
    }
}

/// The verbs. // tidy: table
pub(super) const ROWS: &[Row] = &[
    verb(
        "sync.init",
        "make a space",
        "Makes a new space in an empty place, with this device as its first; other devices come in with `qd sync join`.",
        &[REMOTE, NAME],
        |args| {
            Ok(Command::Sync(S::Init {
                remote: args.need("remote")?,
                name: args.text("name"),
            }))
        },
    ),
    verb(
        "sync.join",
        "join a space",
        "Shows a short code and waits until a device of the space lets this one in with `qd sync admit`; the code is good for 15 minutes.",
        &[REMOTE, NAME],
        |args| {
            Ok(Command::Sync(S::Join {
                remote: args.need("remote")?,
                name: args.text("name"),
            }))
        },
    ),
    verb(
        "sync.admit",
        "let a device in",
        "Lets in the device that shows this code; asks first, with the fingerprint that must stand on both screens.",
        &[CODE],
        |args| {
            Ok(Command::Sync(S::Admit {
                code: args.need("code")?,
            }))
        },
    ),
    verb(
        "sync.status",
        "how sync is",
        "Says how sync is: what waits, the last round, the devices, and what is not in order; exits 3 when this store syncs with nobody.",
        &[],
        |_| Ok(Command::Sync(S::Status)),
    ),
    verb(
        "sync.now",
        "sync now",
        "Syncs at once; exits 1 with words when something is not in order, as a timer wants it.",
        &[],
        |_| Ok(Command::Sync(S::Now)),
    ),
    verb(
        "sync.devices",
        "devices of the space",
        "Lists the devices of the space: name, fingerprint, how far each is here and when it last wrote.",
        &[],
        |_| Ok(Command::Sync(S::Devices)),
    ),
    verb(
        "sync.retire",
        "send a device away",
        "Sends a device away, such as one that was lost: what it wrote until now stays, and a new key shuts it out; asks first.",
        &[DEVICE],
        |args| {
            Ok(Command::Sync(S::Retire {
                device: args.need("device")?,
            }))
        },
    ),
    verb(
        "sync.rotate",
        "new key",
        "Makes a new key for everything that is written from now on; the devices of the space get it by themselves.",
        &[],
        |_| Ok(Command::Sync(S::Rotate)),
    ),
    verb(
        "sync.leave",
        "stop syncing",
        "Stops syncing this store; everything in it stays, and so does what was sent.",
        &[],
        |_| Ok(Command::Sync(S::Leave)),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::parse_line;

    #[test]
    fn every_verb_can_be_typed_at_the_prompt_too() {
        for (line, expected) in [
            (
                "sync init /srv/bag --name lap1",
                S::Init {
                    remote: "/srv/bag".to_owned(),
                    name: Some("lap1".to_owned()),
                },
            ),
            (
                "sync join ssh://hub/bag",
                S::Join {
                    remote: "ssh://hub/bag".to_owned(),
                    name: None,
                },
            ),
            (
                "sync admit 7K3F-9QXA-2M0D",
                S::Admit {
                    code: "7K3F-9QXA-2M0D".to_owned(),
                },
            ),
            ("sync now", S::Now),
            (
                "sync retire lap2",
                S::Retire {
                    device: "lap2".to_owned(),
                },
            ),
        ] {
            let parsed = parse_line(line).expect("it is a command");
            let row = parsed.row.expect("with a row");
            let built = (row.build)(&parsed.args).expect("with its arguments");
            assert_eq!(built, Command::Sync(expected), "{line}");
        }
        let page = parse_line("sync").expect("the page").row.expect("a row");
        assert_eq!(page.id, "view.sync");
        assert!(parse_line("sync init").is_err(), "a place is wanted");
    }
}
