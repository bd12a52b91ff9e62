//! Verbs about the inventory and its health.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::row::Form::{Flag, Positional, Rest, Switch};
use super::row::{Arg, ArgError, Args, Danger, Row, Scope, Subject, Surface};
use super::{Command, HostCommand as H};
use crate::domain::ticket::words;

words!(
    /// Where hosts can be imported from.
    ImportSource, "source of hosts" {
        /// OpenSSH's client configuration.
        SshConfig = "ssh-config",
    }
);

/// A verb about hosts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum HostCommand {
    /// Reads hosts from a file.
    Import {
        /// What kind of file.
        from: ImportSource,
        /// Which file.
        path: PathBuf,
        /// Only show the difference.
        dry_run: bool,
    },
    /// Lists hosts.
    List {
        /// Which; all when absent.
        pattern: Option<String>,
        /// Which columns of the table.
        columns: Option<Vec<String>>,
    },
    /// Shows one host with its effective SSH settings.
    Show {
        /// Its name.
        name: String,
    },
    /// Gives hosts tags, or takes them away.
    Tag {
        /// Which hosts.
        pattern: String,
        /// What they get.
        add: Vec<String>,
        /// What they lose.
        remove: Vec<String>,
    },
    /// Probes hosts once, or again and again.
    Health {
        /// Which; all when absent.
        pattern: Option<String>,
        /// Until stopped.
        watch: bool,
    },
}

fn tag(args: &Args) -> Result<Command, ArgError> {
    let text = args.all("tags").join(" ");
    let (mut add, mut remove) = (Vec::new(), Vec::new());
    for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
        let (tag, list) = match word.strip_suffix('-') {
            Some(tag) => (tag, &mut remove),
            None => (word, &mut add),
        };
        let odd = |c: char| !(c.is_alphanumeric() || "._:/=-".contains(c));
        if tag.is_empty() || tag.starts_with('-') || tag.contains(odd) {
            return Err(ArgError::Bad {
                name: "tags",
                why: format!("{word:?} is no tag: letters, digits and ._:/=- only"),
            });
        }
        list.push(tag.to_owned());
    }
    if add.is_empty() && remove.is_empty() {
        return Err(ArgError::Missing("tags"));
    }
    Ok(Command::Host(H::Tag {
        pattern: args.need("hosts")?,
        add,
        remove,
    }))
}

/// The verbs. // tidy: table
pub(super) const ROWS: &[Row] = &[
    Row {
        id: "host.import",
        title: "import hosts",
        help: "Reads hosts from a file; what vanished from it is marked stale, never deleted.",
        args: &[
            Arg {
                name: "from",
                form: Flag(None),
                required: true,
                subject: None,
                help: "ssh-config",
            },
            Arg {
                name: "path",
                form: Positional,
                required: true,
                subject: None,
                help: "The file",
            },
            Arg {
                name: "dry-run",
                form: Switch(Some('n')),
                required: false,
                subject: None,
                help: "Only show the difference",
            },
        ],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: |args| {
            let from = args
                .parse("from")?
                .ok_or(super::ArgError::Missing("from"))?;
            Ok(Command::Host(H::Import {
                from,
                path: args.need("path")?.into(),
                dry_run: args.has("dry-run"),
            }))
        },
    },
    Row {
        id: "host.ls",
        title: "list hosts",
        help: "Lists hosts; it only reads the inventory and connects to nothing.",
        args: &[
            Arg {
                name: "hosts",
                form: Flag(Some('H')),
                required: false,
                subject: None,
                help: "Host pattern",
            },
            Arg {
                name: "columns",
                form: Flag(None),
                required: false,
                subject: None,
                help: "Comma-separated fields",
            },
        ],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: |args| {
            let columns = args
                .get("columns")
                .map(|list| list.split(',').map(|name| name.trim().to_owned()).collect());
            Ok(Command::Host(H::List {
                pattern: args.text("hosts"),
                columns,
            }))
        },
    },
    Row {
        id: "host.show",
        title: "host details",
        help: "Shows a host: effective SSH settings, which file and line set them, tickets and history.",
        args: &[Arg {
            name: "host",
            form: Positional,
            required: true,
            subject: Some(Subject::Host),
            help: "Name",
        }],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: |args| {
            Ok(Command::Host(H::Show {
                name: args.need("host")?,
            }))
        },
    },
    Row {
        args: &[
            Arg {
                name: "hosts",
                form: Positional,
                required: true,
                subject: Some(Subject::Hosts),
                help: "Host pattern",
            },
            Arg {
                name: "tags",
                form: Rest,
                required: true,
                subject: None,
                help: "Tags to give; one that ends in - is taken away: prod web old-",
            },
        ],
        ..Row::plain(
            "host.tag",
            "tag hosts",
            "Gives hosts tags, or takes them away. Patterns, filters and environments go by them: `tag=prod`.",
            Surface::Everywhere,
            tag,
        )
    },
    Row {
        id: "health",
        title: "probe now",
        help: "Probes hosts once and exits as Nagios plugins do, by the worst state: 0 ok, 1 warn, 2 crit, 3 unknown.",
        args: &[
            Arg {
                name: "hosts",
                form: Flag(Some('H')),
                required: false,
                subject: Some(Subject::Hosts),
                help: "Host pattern",
            },
            Arg {
                name: "watch",
                form: Switch(None),
                required: false,
                subject: None,
                help: "Again and again, until stopped",
            },
        ],
        scopes: &[Scope::Hosts, Scope::Host],
        keys: &["r"],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: |args| {
            Ok(Command::Host(H::Health {
                pattern: args.text("hosts"),
                watch: args.has("watch"),
            }))
        },
    },
];
