//! The shape of a command's row, and the arguments that a caller collected for it.

use std::collections::BTreeMap;

use super::Command;

/// One command, named once.
#[derive(Debug)]
pub struct Row {
    /// `noun.verb`, or one word; on the command line the dot is a space.
    pub id: &'static str,
    /// A few words for the palette and the hint bar.
    pub title: &'static str,
    /// A sentence for the help.
    pub help: &'static str,
    /// What it takes.
    pub args: &'static [Arg],
    /// Where its keys work; empty when it has none.
    pub scopes: &'static [Scope],
    /// Default keys, as [`crate::domain::key::Key`] reads them.
    pub keys: &'static [&'static str],
    /// What must be asked first.
    pub danger: Danger,
    /// Where it can be called at all.
    pub surface: Surface,
    /// Makes the command from its arguments.
    pub build: fn(&Args) -> Result<Command, ArgError>,
}

type Build = fn(&Args) -> Result<Command, ArgError>;

impl Row {
    /// A verb without arguments, keys or danger.
    pub(super) const fn plain(
        id: &'static str,
        title: &'static str,
        help: &'static str,
        surface: Surface,
        build: Build,
    ) -> Self {
        Self {
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

    /// A verb of the screen that is pressed.
    pub(super) const fn key(
        id: &'static str,
        title: &'static str,
        help: &'static str,
        scopes: &'static [Scope],
        keys: &'static [&'static str],
        build: Build,
    ) -> Self {
        Self {
            scopes,
            keys,
            ..Self::plain(id, title, help, Surface::Screen, build)
        }
    }
}

impl Row {
    /// The words of the command line: `["ticket", "assign"]`.
    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        self.id.split('.')
    }
}

/// One argument of a command.
#[derive(Debug)]
pub struct Arg {
    /// Its name; a flag is `--name`.
    pub name: &'static str,
    /// How it is given.
    pub form: Form,
    /// Whether the command makes no sense without it.
    pub required: bool,
    /// What the screen fills in from what is selected.
    pub subject: Option<Subject>,
    /// A few words for the help.
    pub help: &'static str,
}

/// How an argument is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// By its place.
    Positional,
    /// By its place, and everything up to the end too.
    Rest,
    /// After `--`, as it stands, hyphens and all.
    Trailing,
    /// `--name`, without a value.
    Switch(Option<char>),
    /// `--name VALUE`, once.
    Flag(Option<char>),
    /// `--name VALUE`, as often as wanted.
    Repeated(Option<char>),
}

/// What a selection on the screen can stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The reference of a ticket.
    Ticket,
    /// The name of a host.
    Host,
    /// A host pattern; marked hosts become a union.
    Hosts,
    /// The reference of a run.
    Run,
    /// The reference of a session.
    Session,
    /// The name of a runbook.
    Book,
    /// The number of a forward.
    Forward,
    /// The name of a file or folder in the view of two folders.
    File,
    /// The number of a copy that runs.
    Copy,
}

/// Where on the screen a key works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Everywhere but in a session pane and in prompts.
    Global,
    /// In every list.
    List,
    /// In the list of tickets.
    Tickets,
    /// In the case of one ticket.
    Case,
    /// In the list of hosts.
    Hosts,
    /// In the details of one host.
    Host,
    /// In the list of sessions.
    Sessions,
    /// In the list of runs.
    Runs,
    /// In the matrix of one run.
    Run,
    /// In the list of runbooks.
    Books,
    /// In the list of connections and in the details of one.
    Connections,
    /// In the list of forwards.
    Forwards,
    /// In the view of two folders.
    Files,
    /// In the list of host keys that changed.
    Alarms,
    /// In the recording of a session.
    Recording,
    /// After the prefix chord in a session pane.
    Prefix,
    /// In copy mode with the keys of vi.
    Scrollback,
    /// In copy mode with the keys of emacs.
    ScrollbackEmacs,
}

/// What must be asked before a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Danger {
    /// Nothing.
    None,
    /// Yes or no; no is the default.
    Confirm,
}

/// Where a command can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// By key, by prompt and on the command line.
    Everywhere,
    /// On the screen only.
    Screen,
    /// On the command line only.
    Line,
}

/// The arguments that a caller collected, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Args {
    values: BTreeMap<String, Vec<String>>,
}

/// An argument that is missing or cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgError {
    /// It must be given.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// It was given and makes no sense.
    #[error("{name}: {why}")]
    Bad {
        /// Which one.
        name: &'static str,
        /// What is wrong with it and what would be right.
        why: String,
    },
}

impl Args {
    /// Adds a value; a switch is set by adding an empty one.
    pub fn push(&mut self, name: &str, value: impl Into<String>) {
        self.values
            .entry(name.to_owned())
            .or_default()
            .push(value.into());
    }

    /// Replaces all values of `name`.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.values.insert(name.to_owned(), vec![value.into()]);
    }

    /// Whether anything was given for `name`.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// The value of `name`, if given.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values
            .get(name)
            .and_then(|values| values.last())
            .map(String::as_str)
    }

    /// All values of `name`.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.values.get(name).cloned().unwrap_or_default()
    }

    /// The value of `name` as an owned text, if given.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    /// The value of `name`, which must be there.
    pub fn need(&self, name: &'static str) -> Result<String, ArgError> {
        self.text(name).ok_or(ArgError::Missing(name))
    }

    /// The value of `name` read as `T`, if given.
    pub fn parse<T: std::str::FromStr>(&self, name: &'static str) -> Result<Option<T>, ArgError>
    where
        T::Err: std::fmt::Display,
    {
        self.get(name)
            .map(|text| {
                text.parse().map_err(|why: T::Err| ArgError::Bad {
                    name,
                    why: why.to_string(),
                })
            })
            .transpose()
    }
}
