//! Verbs about the program itself.

use serde::{Deserialize, Serialize};

use std::path::PathBuf;

use super::row::Form::{Flag, Positional, Switch};
use super::row::{Arg, Danger, Row, Surface};
use super::{CareCommand, Command, ProgramCommand as P};

/// A verb about the program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ProgramCommand {
    /// Examines the store.
    Doctor {
        /// Make everything anew that is derived from the log.
        repair: bool,
    },
    /// Copies the store into a new file.
    Backup {
        /// The file.
        file: PathBuf,
    },
    /// Puts a backup in the place of the store.
    Restore {
        /// The backup.
        file: PathBuf,
    },
    /// Prints versions and the places of files.
    Info,
    /// Writes the whole store as files into a new folder.
    Export {
        /// The folder.
        folder: PathBuf,
    },
    /// Writes one ticket, its recordings and the outputs of its runs into a new folder.
    ExportTicket {
        /// Which ticket.
        reference: String,
        /// The folder.
        folder: PathBuf,
    },
    /// Takes in what was exported.
    Import {
        /// The folder.
        folder: PathBuf,
    },
    /// Looks for errors in the settings.
    ConfigCheck,
    /// Takes over settings that were changed while the app runs.
    ConfigReload,
    /// Lists the themes.
    Themes,
    /// Looks for errors in a theme.
    ThemeCheck {
        /// The file.
        path: PathBuf,
    },
    /// Starts the app as a process of its own.
    ServerStart {
        /// Serve in this process, and return when it ends.
        foreground: bool,
    },
    /// Says which app serves this home.
    ServerStatus,
    /// Ends the app that serves this home.
    ServerStop,
    /// Opens a window onto the app that runs.
    Attach,
    /// The whole program on an embedded fleet.
    Demo {
        /// Walk the story without a screen and say what the store holds of it.
        check: bool,
    },
}

const FILE: Arg = Arg {
    name: "file",
    form: Positional,
    required: true,
    subject: None,
    help: "A backup",
};

const FOLDER: Arg = Arg {
    name: "dir",
    help: "The folder",
    ..FILE
};

/// The verbs. // tidy: table
pub(super) const ROWS: &[Row] = &[
    Row {
        id: "doctor",
        title: "examine the store",
        help: "Examines the store and says what is wrong with it.",
        args: &[
            Arg {
                name: "repair",
                form: Switch(None),
                required: false,
                subject: None,
                help: "First make lists, fields and the search index anew from the log (in a shell only)",
            },
            Arg {
                name: "size",
                form: Switch(None),
                required: false,
                subject: None,
                help: "Only rows and bytes by kind, and the free pages",
            },
            Arg {
                name: "salvage",
                form: Flag(None),
                required: false,
                subject: None,
                help: "Read what can be read of a damaged store into this new file (in a shell only)",
            },
        ],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: |args| {
            if args.has("size") {
                return Ok(Command::Care(CareCommand::Size));
            }
            if let Some(file) = args.text("salvage") {
                let file = file.into();
                return Ok(Command::Care(CareCommand::Salvage { file }));
            }
            Ok(Command::Program(P::Doctor {
                repair: args.has("repair"),
            }))
        },
    },
    Row {
        id: "backup",
        title: "back up the store",
        help: "Copies the store into a new file while everything goes on, and reads the copy back.",
        args: &[Arg {
            help: "The new file; one that exists is left alone",
            ..FILE
        }],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Line,
        build: |args| {
            Ok(Command::Program(P::Backup {
                file: args.need("file")?.into(),
            }))
        },
    },
    Row {
        id: "restore",
        title: "restore a backup",
        help: "Puts a backup in the place of the store, after examining it; the store of before is kept.",
        args: &[FILE],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Line,
        build: |args| {
            Ok(Command::Program(P::Restore {
                file: args.need("file")?.into(),
            }))
        },
    },
    Row {
        id: "export",
        title: "export the store",
        help: "Writes everything into a new folder: the log as JSON lines, and each ticket as a folder of its own.",
        args: &[FOLDER],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Line,
        build: |args| {
            Ok(Command::Program(P::Export {
                folder: args.need("dir")?.into(),
            }))
        },
    },
    Row {
        id: "import",
        title: "import an export",
        help: "Takes in a folder that was exported, after reading all of it; what is here already is passed over.",
        args: &[FOLDER],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Line,
        build: |args| {
            Ok(Command::Program(P::Import {
                folder: args.need("dir")?.into(),
            }))
        },
    },
    Row::plain(
        "info",
        "about this program",
        "Prints versions and where settings, store and log are.",
        Surface::Everywhere,
        |_| Ok(Command::Program(P::Info)),
    ),
    Row::plain(
        "config.check",
        "check settings",
        "Reports errors in the settings with file, line and column.",
        Surface::Everywhere,
        |_| Ok(Command::Program(P::ConfigCheck)),
    ),
    Row::plain(
        "config.reload",
        "take over settings",
        "Lets the app that runs read its settings again, and says what needs a restart.",
        Surface::Everywhere,
        |_| Ok(Command::Program(P::ConfigReload)),
    ),
    Row::plain(
        "theme.ls",
        "list themes",
        "Lists the themes.",
        Surface::Everywhere,
        |_| Ok(Command::Program(P::Themes)),
    ),
    Row {
        id: "theme.check",
        title: "check a theme",
        help: "Reports errors in a theme file with line and column.",
        args: &[Arg {
            name: "path",
            form: Positional,
            required: true,
            subject: None,
            help: "The file",
        }],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: |args| {
            Ok(Command::Program(P::ThemeCheck {
                path: args.need("path")?.into(),
            }))
        },
    },
    Row {
        id: "server.start",
        title: "start the app",
        help: "Starts the app that windows and commands come to, and returns when it is ready; does nothing when one runs.",
        args: &[Arg {
            name: "foreground",
            form: Switch(None),
            required: false,
            subject: None,
            help: "Serve in this process and return when it ends, as a service manager wants it",
        }],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Line,
        build: |args| {
            Ok(Command::Program(P::ServerStart {
                foreground: args.has("foreground"),
            }))
        },
    },
    Row::plain(
        "server.status",
        "about the running app",
        "Says which app serves this home, with its windows, sessions and runs; exits 3 when none runs.",
        Surface::Everywhere,
        |_| Ok(Command::Program(P::ServerStatus)),
    ),
    Row::plain(
        "server.stop",
        "stop the app",
        "Ends the app that serves this home; asks first when that would end sessions or runs.",
        Surface::Everywhere,
        |_| Ok(Command::Program(P::ServerStop)),
    ),
    Row::plain(
        "attach",
        "open a window",
        "Opens a window onto the app that runs; exits 3 when none does.",
        Surface::Line,
        |_| Ok(Command::Program(P::Attach)),
    ),
    Row {
        id: "demo",
        title: "demo",
        help: "Starts the whole program on an embedded fleet, in a temporary home or in that of --home, which can be come back to; \
               nothing else is needed.",
        args: &[Arg {
            name: "check",
            form: Switch(None),
            required: false,
            subject: None,
            help: "Walk the story without a screen; exits 0 when every chapter left its evidence",
        }],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Line,
        build: |args| {
            Ok(Command::Program(P::Demo {
                check: args.has("check"),
            }))
        },
    },
];
