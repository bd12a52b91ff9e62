//! Verbs about files: what is done with a selection in the view of two folders, and the whole orders that come of it.

use serde::{Deserialize, Serialize};

use super::row::Form::{Flag, Positional};
use super::row::{Arg, ArgError, Args, Danger, Row, Scope, Subject, Surface};
use super::{Command, ScreenCommand};
use crate::domain::files::{CopyJob, Place};

/// A whole order about files. It leaves the screen; nothing in it depends on what is selected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FilesCommand {
    /// Reads a folder again.
    List {
        /// Which one.
        folder: Place,
    },
    /// Copies.
    Copy {
        /// What and where to.
        job: CopyJob,
        /// The ticket it is for.
        ticket: Option<String>,
    },
    /// Removes files, and folders with all that is in them.
    Remove {
        /// Which ones.
        places: Vec<Place>,
        /// The ticket it is for.
        ticket: Option<String>,
    },
    /// Gives a name another path on the same machine.
    Rename {
        /// Which one.
        from: Place,
        /// The new path.
        to: String,
        /// The ticket it is for.
        ticket: Option<String>,
    },
    /// Makes a folder.
    MakeFolder {
        /// Where.
        place: Place,
        /// The ticket it is for.
        ticket: Option<String>,
    },
    /// Stops a copy.
    Cancel {
        /// Its number.
        copy: u64,
    },
}

/// A verb in the view of two folders; the screen knows what is selected and makes an order of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FilesVerb {
    /// Shows the view.
    Show {
        /// The host of the right side.
        host: String,
        /// The folder there; the account's home without it.
        path: Option<String>,
        /// The ticket that copies are recorded on.
        ticket: Option<String>,
    },
    /// The other side gets the keys.
    OtherSide,
    /// To the folder above.
    Up,
    /// Shows or hides names that begin with a dot.
    Hidden,
    /// Reads both folders again.
    Again,
    /// Shows a host on this side.
    Host {
        /// Its name.
        host: String,
    },
    /// Shows this machine on this side.
    Here,
    /// Copies what is marked or selected to the other side.
    Copy,
    /// Gives what is selected another name.
    Rename {
        /// Its name.
        file: String,
        /// The new one.
        name: String,
    },
    /// Makes a folder.
    MakeFolder {
        /// Its name.
        name: String,
    },
    /// Removes what is marked or selected.
    Remove,
    /// Shows what became of copies.
    Results,
}

const fn verb(
    id: &'static str,
    title: &'static str,
    help: &'static str,
    args: &'static [Arg],
    keys: &'static [&'static str],
    build: fn(&Args) -> Result<Command, ArgError>,
) -> Row {
    Row {
        id,
        title,
        help,
        args,
        scopes: &[Scope::Files],
        keys,
        danger: Danger::None,
        surface: Surface::Screen,
        build,
    }
}

fn screen(verb: FilesVerb) -> Result<Command, ArgError> {
    Ok(Command::Screen(ScreenCommand::Files(verb)))
}

const NAME: Arg = Arg {
    name: "name",
    form: Positional,
    required: true,
    subject: None,
    help: "The name",
};
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
        id: "files",
        title: "files",
        help: "Shows a folder of this machine beside one of a host. From a ticket, copies are recorded there.",
        args: &[
            HOST,
            Arg {
                name: "ticket",
                form: Flag(Some('T')),
                required: false,
                subject: Some(Subject::Ticket),
                help: "Record copies on this ticket",
            },
        ],
        scopes: &[Scope::Case, Scope::Hosts, Scope::Host, Scope::Connections],
        keys: &["f"],
        danger: Danger::None,
        surface: Surface::Screen,
        build: |args| {
            let named = args.need("host")?;
            // As with scp, what comes after the colon is a path; a name never has one.
            let (host, path) = match named.split_once(':') {
                Some((host, path)) if !host.is_empty() => (host.to_owned(), Some(path.to_owned())),
                _ => (named, None),
            };
            screen(FilesVerb::Show {
                host,
                path: path.filter(|path| !path.is_empty()),
                ticket: args.text("ticket"),
            })
        },
    },
    verb(
        "file.copy",
        "copy",
        "Copies what is marked or selected to the other side; asks before it writes over anything.",
        &[],
        &["c", "F5"],
        |_| screen(FilesVerb::Copy),
    ),
    verb(
        "file.rename",
        "rename",
        "Gives what is selected another name.",
        &[
            Arg {
                name: "file",
                form: Positional,
                required: true,
                subject: Some(Subject::File),
                help: "The name it has",
            },
            Arg {
                required: false,
                ..NAME
            },
        ],
        &["r", "F6"],
        |args| {
            let file = args.need("file")?;
            screen(FilesVerb::Rename {
                name: args.text("name").unwrap_or_else(|| file.clone()),
                file,
            })
        },
    ),
    verb(
        "file.mkdir",
        "new folder",
        "Makes a folder on this side.",
        &[NAME],
        &["a", "F7"],
        |args| {
            screen(FilesVerb::MakeFolder {
                name: args.need("name")?,
            })
        },
    ),
    verb(
        "file.rm",
        "delete",
        "Deletes what is marked or selected, folders with all that is in them; always asks first.",
        &[],
        &["D", "F8"],
        |_| screen(FilesVerb::Remove),
    ),
    verb(
        "file.cancel",
        "stop copy",
        "Stops a copy; what arrived stays.",
        &[Arg {
            name: "copy",
            form: Positional,
            required: true,
            subject: Some(Subject::Copy),
            help: "The copy's number",
        }],
        &["x"],
        |args| {
            let copy = args.parse("copy")?.ok_or(ArgError::Missing("copy"))?;
            Ok(Command::Files(FilesCommand::Cancel { copy }))
        },
    ),
    verb(
        "file.side",
        "other side",
        "Gives the keys to the other side.",
        &[],
        &["Tab"],
        |_| screen(FilesVerb::OtherSide),
    ),
    verb(
        "file.up",
        "up",
        "Goes to the folder above.",
        &[],
        &["Backspace", "-"],
        |_| screen(FilesVerb::Up),
    ),
    verb(
        "file.hidden",
        "hidden names",
        "Shows or hides names that begin with a dot.",
        &[],
        &["."],
        |_| screen(FilesVerb::Hidden),
    ),
    verb(
        "file.host",
        "another host",
        "Shows another host on this side.",
        &[Arg {
            subject: Some(Subject::Host),
            ..HOST
        }],
        &["o"],
        |args| {
            screen(FilesVerb::Host {
                host: args.need("host")?,
            })
        },
    ),
    verb(
        "file.here",
        "this machine",
        "Shows this machine on this side.",
        &[],
        &["O"],
        |_| screen(FilesVerb::Here),
    ),
    verb(
        "file.again",
        "read again",
        "Reads both folders again.",
        &[],
        &["Ctrl-r"],
        |_| screen(FilesVerb::Again),
    ),
    verb(
        "file.results",
        "copies",
        "Shows the copies, and what could not be copied and why.",
        &[],
        &["v"],
        |_| screen(FilesVerb::Results),
    ),
];
