//! Verbs about the program itself.

use std::path::PathBuf;

use super::row::Form::{Positional, Switch};
use super::row::{Arg, Danger, Row, Surface};
use super::{Command, ProgramCommand as P};

/// A verb about the program.
#[derive(Clone, Debug, PartialEq)]
pub enum ProgramCommand {
    /// Examines the store.
    Doctor,
    /// Prints versions and the places of files.
    Info,
    /// Looks for errors in the settings.
    ConfigCheck,
    /// Lists the themes.
    Themes,
    /// Looks for errors in a theme.
    ThemeCheck {
        /// The file.
        path: PathBuf,
    },
    /// The whole program on an embedded fleet.
    Demo {
        /// Walk the story without a screen and say what the store holds of it.
        check: bool,
    },
}

const fn plain(
    id: &'static str,
    title: &'static str,
    help: &'static str,
    surface: Surface,
    build: fn(&super::Args) -> Result<Command, super::ArgError>,
) -> Row {
    Row {
        id,
        title,
        help,
        args: &[],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface,
        build,
    }
}

/// The verbs. // tidy: table
pub(super) const ROWS: &[Row] = &[
    plain(
        "doctor",
        "examine the store",
        "Examines the store and says what is wrong with it.",
        Surface::Everywhere,
        |_| Ok(Command::Program(P::Doctor)),
    ),
    plain(
        "info",
        "about this program",
        "Prints versions and where settings, store and log are.",
        Surface::Everywhere,
        |_| Ok(Command::Program(P::Info)),
    ),
    plain(
        "config.check",
        "check settings",
        "Reports errors in the settings with file, line and column.",
        Surface::Everywhere,
        |_| Ok(Command::Program(P::ConfigCheck)),
    ),
    plain(
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
        id: "demo",
        title: "demo",
        help: "Starts the whole program on an embedded fleet in a temporary home; nothing else is needed.",
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
