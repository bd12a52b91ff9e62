//! Verbs about runbooks, runs, and one command on many hosts.

use serde::{Deserialize, Serialize};

use std::collections::BTreeMap;

use super::row::Form::{Flag, Positional, Repeated, Switch, Trailing};
use super::row::{Arg, ArgError, Args, Danger, Row, Scope, Subject, Surface};
use super::{Command, RunCommand as R};

/// A verb about runbooks and runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RunCommand {
    /// Lists the runbooks of the library.
    Books,
    /// Shows a runbook.
    Book {
        /// Its name in the library, or a path.
        book: String,
    },
    /// Looks for errors in a runbook.
    Check {
        /// Its name in the library, or a path.
        book: String,
    },
    /// Runs a runbook.
    Start(RunStart),
    /// Lists runs, newest first.
    List {
        /// Those of this ticket only.
        ticket: Option<String>,
    },
    /// Shows a run with every step's output.
    Show {
        /// Which one.
        reference: String,
    },
    /// Stops a run in an orderly way: what runs may end, nothing new begins.
    Cancel {
        /// Which one.
        reference: String,
    },
}

/// What `run start` takes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunStart {
    /// Its name in the library, or a path.
    pub book: String,
    /// On which hosts.
    pub pattern: String,
    /// Parameters as given.
    pub params: BTreeMap<String, String>,
    /// Show hosts and commands, run nothing.
    pub dry_run: bool,
    /// The ticket it is for.
    pub ticket: Option<String>,
    /// How many hosts at once.
    pub forks: Option<usize>,
    /// Begin on further hosts although one failed.
    pub keep_going: bool,
}

/// `qd exec`: one command on many hosts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExecCommand {
    /// On which hosts.
    pub pattern: String,
    /// The command's words.
    pub command: Vec<String>,
    /// A file whose text goes to `sh` instead; `-` is stdin.
    pub script: Option<String>,
    /// The text of that file, once somebody who sees it has read it.
    #[serde(with = "serde_bytes")]
    pub text: Option<Vec<u8>>,
    /// How many hosts at once.
    pub forks: Option<usize>,
    /// Show equal outputs once, under all their hosts.
    pub fold: bool,
    /// Exit with the largest exit code.
    pub largest: bool,
    /// The ticket it is for.
    pub ticket: Option<String>,
    /// Time limit for each host, as a span.
    pub timeout: Option<String>,
}

const BOOK: Arg = Arg {
    name: "book",
    form: Positional,
    required: true,
    subject: Some(Subject::Book),
    help: "Name in the library, or path",
};
const HOSTS: Arg = Arg {
    name: "hosts",
    form: Flag(Some('H')),
    required: true,
    subject: Some(Subject::Hosts),
    help: "Host pattern",
};
const TICKET: Arg = Arg {
    name: "ticket",
    form: Flag(Some('T')),
    required: false,
    subject: Some(Subject::Ticket),
    help: "Record it on this ticket",
};
const FORKS: Arg = Arg {
    name: "forks",
    form: Flag(Some('f')),
    required: false,
    subject: None,
    help: "Hosts at once (10)",
};
const REF: Arg = Arg {
    name: "ref",
    form: Positional,
    required: true,
    subject: Some(Subject::Run),
    help: "Reference, such as R-9QXA",
};

fn forks(args: &Args) -> Result<Option<usize>, ArgError> {
    match args.parse::<usize>("forks")? {
        Some(0) => Err(ArgError::Bad {
            name: "forks",
            why: "0 hosts at once would never end; give 1 or more".to_owned(),
        }),
        other => Ok(other),
    }
}

fn params(args: &Args) -> Result<BTreeMap<String, String>, ArgError> {
    let mut params = BTreeMap::new();
    for pair in args.all("param") {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(ArgError::Bad {
                name: "param",
                why: format!("{pair:?} has no =; write -p name=value"),
            });
        };
        if params.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(ArgError::Bad {
                name: "param",
                why: format!("{name} is given twice"),
            });
        }
    }
    Ok(params)
}

fn start(args: &Args) -> Result<Command, ArgError> {
    Ok(Command::Run(R::Start(RunStart {
        book: args.need("book")?,
        pattern: args.need("hosts")?,
        params: params(args)?,
        dry_run: args.has("dry-run"),
        ticket: args.text("ticket"),
        forks: forks(args)?,
        keep_going: args.has("keep-going"),
    })))
}

fn exec(args: &Args) -> Result<Command, ArgError> {
    let (command, script) = (args.all("command"), args.text("script"));
    if command.is_empty() && script.is_none() {
        return Err(ArgError::Missing("command"));
    }
    if !command.is_empty() && script.is_some() {
        return Err(ArgError::Bad {
            name: "script",
            why: "give either --script or a command after --, not both".to_owned(),
        });
    }
    Ok(Command::Exec(ExecCommand {
        pattern: args.need("hosts")?,
        command,
        script,
        text: None,
        forks: forks(args)?,
        fold: args.has("fold"),
        largest: args.has("largest"),
        ticket: args.text("ticket"),
        timeout: args.text("timeout"),
    }))
}

/// The verbs. // tidy: table
pub(super) const ROWS: &[Row] = &[
    Row {
        id: "exec",
        title: "run a command",
        help: "Runs one command on many hosts; exits 0 when all succeeded, 1 when some failed, 255 when none was reached.",
        args: &[
            HOSTS,
            FORKS,
            TICKET,
            Arg {
                name: "fold",
                form: Switch(None),
                required: false,
                subject: None,
                help: "Show equal outputs once",
            },
            Arg {
                name: "largest",
                form: Switch(Some('S')),
                required: false,
                subject: None,
                help: "Exit with the largest exit code",
            },
            Arg {
                name: "script",
                form: Flag(None),
                required: false,
                subject: None,
                help: "File for sh on every host; - is stdin",
            },
            Arg {
                name: "timeout",
                form: Flag(None),
                required: false,
                subject: None,
                help: "Limit for each host, such as 30s",
            },
            Arg {
                name: "command",
                form: Trailing,
                required: false,
                subject: None,
                help: "The command",
            },
        ],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Line,
        build: exec,
    },
    Row {
        id: "runbook.ls",
        title: "list runbooks",
        help: "Lists the runbooks of the library.",
        args: &[],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: |_| Ok(Command::Run(R::Books)),
    },
    Row {
        id: "runbook.show",
        title: "show runbook",
        help: "Shows a runbook: parameters and steps.",
        args: &[BOOK],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: |args| {
            Ok(Command::Run(R::Book {
                book: args.need("book")?,
            }))
        },
    },
    Row {
        id: "runbook.check",
        title: "check runbook",
        help: "Reports errors in a runbook with file, line and column.",
        args: &[BOOK],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: |args| {
            Ok(Command::Run(R::Check {
                book: args.need("book")?,
            }))
        },
    },
    Row {
        id: "run.start",
        title: "run a book",
        help: "Runs a runbook on hosts; every step is journalled before it begins.",
        args: &[
            BOOK,
            HOSTS,
            Arg {
                name: "param",
                form: Repeated(Some('p')),
                required: false,
                subject: None,
                help: "Parameter, name=value",
            },
            Arg {
                name: "dry-run",
                form: Switch(Some('n')),
                required: false,
                subject: None,
                help: "Show hosts and commands, run nothing",
            },
            TICKET,
            FORKS,
            Arg {
                name: "keep-going",
                form: Switch(Some('k')),
                required: false,
                subject: None,
                help: "Begin on further hosts although one failed",
            },
        ],
        scopes: &[
            Scope::Tickets,
            Scope::Case,
            Scope::Hosts,
            Scope::Host,
            Scope::Books,
        ],
        keys: &["x"],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: start,
    },
    Row {
        id: "run.ls",
        title: "list runs",
        help: "Lists runs, newest first.",
        args: &[TICKET],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: |args| {
            Ok(Command::Run(R::List {
                ticket: args.text("ticket"),
            }))
        },
    },
    Row {
        id: "run.show",
        title: "show run",
        help: "Shows a run with every step's exit code, duration and output.",
        args: &[REF],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: |args| {
            Ok(Command::Run(R::Show {
                reference: args.need("ref")?,
            }))
        },
    },
    Row {
        id: "run.cancel",
        title: "cancel run",
        help: "Stops a run: what has begun may end, nothing new begins.",
        args: &[REF],
        scopes: &[Scope::Runs, Scope::Run],
        keys: &["X"],
        danger: Danger::Confirm,
        surface: Surface::Screen,
        build: |args| {
            Ok(Command::Run(R::Cancel {
                reference: args.need("ref")?,
            }))
        },
    },
];
