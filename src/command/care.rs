//! Verbs about what the store remembers: who did what, what is found where, how large it is, and what must be forgotten.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Command;
use super::row::Form::{Flag, Positional, Rest, Switch};
use super::row::{Arg, ArgError, Args, Danger, Row, Surface};
use crate::domain::audit::{AuditRow, ChainReport, Found, PAGE, Purged, SizeRow, Wanted};
use crate::domain::recording::size_words;

use CareCommand as C;

/// A verb about what the store remembers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CareCommand {
    /// Who did what, newest first.
    Audit(AuditAsk),
    /// Whether every device's log is what was written.
    Verify,
    /// Removes content.
    Purge {
        /// The reference of a ticket, a run or a session, or the id of an entry.
        what: String,
        /// Only this field of the ticket.
        field: Option<String>,
    },
    /// Looks for words everywhere.
    Search(Wanted),
    /// Rows and bytes by kind.
    Size,
    /// Reads what can be read of a damaged store into a new file.
    Salvage {
        /// The new file.
        file: PathBuf,
    },
}

/// What of the audit is wanted, as it was typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditAsk {
    /// Since then: RFC 3339, a day, or a span back from now.
    pub since: Option<String>,
    /// Before then, in the same forms.
    pub until: Option<String>,
    /// A host's name or glob.
    pub host: Option<String>,
    /// A ticket's reference.
    pub ticket: Option<String>,
    /// A person, or the beginning of a device's id.
    pub who: Option<String>,
    /// An action or its first word.
    pub action: Option<String>,
    /// How many rows.
    pub limit: u32,
}

const fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg {
        name,
        form: Flag(None),
        required: false,
        subject: None,
        help,
    }
}

const LIMIT: Arg = flag("limit", "How many rows; 100 without it");

fn limit(args: &Args) -> Result<u32, ArgError> {
    Ok(args.parse::<u32>("limit")?.unwrap_or(PAGE).max(1))
}

/// The verbs. // tidy: table
pub(super) const ROWS: &[Row] = &[
    Row {
        id: "audit",
        title: "audit",
        help: "Tells who did what, where, when and with which credential, the newest first.",
        args: &[
            flag("since", "Not before: 2d, 2026-11-23 or RFC 3339"),
            flag(
                "until",
                "Before: the same forms; the last row's time gives the next page",
            ),
            flag("host", "Only this host; * and ? stand for others"),
            flag("ticket", "Only this ticket"),
            flag("who", "Only this person, or the device whose id begins so"),
            flag(
                "action",
                "Only this action, such as login, command, session, ticket.edit",
            ),
            LIMIT,
            Arg {
                name: "verify",
                form: Switch(None),
                required: false,
                subject: None,
                help: "Walk the hash chain of every device's log and name the first number that is not in order",
            },
        ],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: |args| {
            if args.has("verify") {
                return Ok(Command::Care(C::Verify));
            }
            Ok(Command::Care(C::Audit(AuditAsk {
                since: args.text("since"),
                until: args.text("until"),
                host: args.text("host"),
                ticket: args.text("ticket"),
                who: args.text("who"),
                action: args.text("action"),
                limit: limit(args)?,
            })))
        },
    },
    Row {
        id: "purge",
        title: "purge",
        help: "Removes the content of a ticket, an entry, a run or a session for good, here and on every device that syncs.",
        args: &[
            Arg {
                name: "what",
                form: Positional,
                required: true,
                subject: None,
                help: "A reference (T-…, R-…, S-…), or the id of an entry from `--json`",
            },
            flag(
                "field",
                "Only this field of the ticket, with every value it had: title, body, …",
            ),
        ],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Line,
        build: |args| {
            Ok(Command::Care(C::Purge {
                what: args.need("what")?,
                field: args.text("field"),
            }))
        },
    },
    Row {
        id: "search",
        title: "search everything",
        help: "Looks for words in tickets, comments, entries, runs with their output, sessions and hosts, the newest first.",
        args: &[
            Arg {
                name: "text",
                form: Rest,
                required: true,
                subject: None,
                help: "Words; all of them must be there",
            },
            LIMIT,
            Arg {
                name: "best",
                form: Switch(None),
                required: false,
                subject: None,
                help: "The best tickets first, where there are at most 5,000",
            },
        ],
        scopes: &[],
        keys: &[],
        danger: Danger::None,
        surface: Surface::Everywhere,
        build: |args| {
            let text = args.all("text").join(" ");
            if text.trim().is_empty() {
                return Err(ArgError::Missing("text"));
            }
            Ok(Command::Care(C::Search(Wanted {
                text,
                limit: limit(args)?,
                best: args.has("best"),
            })))
        },
    },
];

/// The audit, a row a line.
pub(super) fn audit_lines(rows: &[AuditRow]) -> Vec<String> {
    let dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    rows.iter()
        .map(|row| {
            let device = || row.device.chars().take(8).collect();
            let who: String = row.who.clone().unwrap_or_else(device);
            let mut line = format!(
                "{}  {who}  {}  {}  {}",
                row.at.local(),
                row.action,
                dash(&row.host),
                row.object
            );
            for more in [&row.ticket, &row.credential].into_iter().flatten() {
                line.push_str("  ");
                line.push_str(more);
            }
            line
        })
        .collect()
}

/// What was found of each log, and what that means.
pub(super) fn chain_lines(chains: &[ChainReport]) -> Vec<String> {
    chains
        .iter()
        .map(|chain| match &chain.broken {
            None if chain.purged > 0 => format!(
                "ok   {}  {} operations, every hash follows; the content of {} was purged",
                chain.device, chain.last, chain.purged
            ),
            None => format!(
                "ok   {}  {} operations, every hash follows",
                chain.device, chain.last
            ),
            Some((seq, why)) => format!(
                "BAD  {}  at {seq}: {why}; restore the last backup with `qd restore FILE`",
                chain.device
            ),
        })
        .collect()
}

/// What was found, and what was left out.
pub(super) fn found_lines(found: &Found) -> Vec<String> {
    let hits = found.hits.iter().map(|hit| {
        let mut line = format!("{:<8} {}", hit.kind, hit.reference);
        if let Some(host) = hit.host.as_ref().filter(|host| **host != hit.reference) {
            line.push_str("  ");
            line.push_str(host);
        }
        format!("{line}  {}", hit.text)
    });
    hits.chain(found.notes.iter().cloned()).collect()
}

/// Rows and bytes.
pub(super) fn size_lines(rows: &[SizeRow]) -> Vec<String> {
    rows.iter()
        .map(|row| {
            let count = row
                .rows
                .map_or_else(|| "-".to_owned(), |rows| rows.to_string());
            format!("{:<14} {count:>10} {:>12}", row.kind, size_words(row.bytes))
        })
        .collect()
}

/// What was purged, and what could not be reached.
pub(super) fn purged_lines(purged: &Purged) -> Vec<String> {
    let mut lines = vec![format!(
        "purged {}: {} operations are blank now",
        purged.what, purged.operations
    )];
    lines.extend(
        purged
            .recordings
            .iter()
            .map(|name| format!("removed the recording {name}")),
    );
    lines.extend(
        purged
            .unreached
            .iter()
            .map(|text| format!("not reached: {text}")),
    );
    lines
}
