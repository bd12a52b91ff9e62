//! Tickets as text.

use serde_json::Value;

use crate::domain::case::Entry;
use crate::domain::text;
use crate::domain::ticket::Ticket;
use crate::domain::time::{Time, short};

use super::super::table::Table;
use super::{Style, say};

/// How many lines of a command's output the history shows.
const OUTPUT: usize = 20;

pub(super) fn ticket_table(tickets: &[Ticket], style: Style) -> String {
    let mut table = Table::new(["REF", "P", "STATE", "OWNER", "AGE", "HOSTS", "TITLE"]);
    for ticket in tickets {
        let owner = ticket.owner.as_deref().unwrap_or("-");
        let hosts = if ticket.hosts.is_empty() {
            "-".to_owned()
        } else {
            ticket.hosts.join(",")
        };
        table.row([
            &ticket.reference,
            &ticket.priority.to_string(),
            ticket.state.word(),
            owner,
            &short(style.now.since(ticket.created)),
            &hosts,
            &ticket.title,
        ]);
    }
    table.render(style.width)
}

pub(super) fn ticket_text(ticket: &Ticket, style: Style) -> String {
    let list = |items: &[String]| {
        if items.is_empty() {
            "-".to_owned()
        } else {
            text::line(&items.join(" "))
        }
    };
    let mut out = format!(
        "{}  {}\nstate {}  priority {}  kind {}  queue {}  owner {}  requester {}\nhosts {}\ntags {}\n",
        ticket.reference,
        text::line(&ticket.title),
        ticket.state,
        ticket.priority,
        ticket.kind,
        if ticket.queue.is_empty() {
            "-".to_owned()
        } else {
            text::line(&ticket.queue)
        },
        text::line(ticket.owner.as_deref().unwrap_or("-")),
        text::line(ticket.requester.as_deref().unwrap_or("-")),
        list(&ticket.hosts),
        list(&ticket.tags),
    );
    if !ticket.links.is_empty() {
        say(&mut out, format_args!("links {}", list(&ticket.links)));
    }
    if let Some(due) = ticket.due {
        say(&mut out, format_args!("due {}", due.local()));
    }
    if !ticket.conflicts.is_empty() {
        say(
            &mut out,
            format_args!("edited on two devices at once: {}", list(&ticket.conflicts)),
        );
        disputes(&mut out, ticket, style);
    }
    if !ticket.body.is_empty() {
        say(
            &mut out,
            format_args!("\n{}", text::block(ticket.body.trim_end())),
        );
    }
    if !ticket.entries.is_empty() {
        out.push('\n');
        ticket
            .entries
            .iter()
            .for_each(|entry| out.push_str(&entry_text(entry, style.now)));
    }
    out
}

/// Every value of the fields that two devices changed at once; the first is in force.
fn disputes(out: &mut String, ticket: &Ticket, style: Style) {
    for dispute in &ticket.disputes {
        for (index, claimed) in dispute.values.iter().enumerate() {
            let value = if claimed.value.is_empty() {
                "nothing".to_owned()
            } else {
                text::line(&claimed.value)
            };
            let force = if index == 0 { ", in force" } else { "" };
            say(
                out,
                format_args!(
                    "  {} {value}  ({}, {} ago{force})",
                    text::line(&dispute.field),
                    text::line(&claimed.origin()),
                    short(style.now.since(claimed.at))
                ),
            );
        }
    }
}

fn entry_text(entry: &Entry, now: Time) -> String {
    let mut tail = Vec::new();
    tail.extend(entry.host.iter().map(|host| format!("host {host}")));
    tail.extend(entry.session.iter().cloned());
    tail.extend(entry.run.iter().cloned());
    for name in ["state", "exit"] {
        tail.extend(entry.data.get(name).map(|value| {
            format!(
                "{name} {}",
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            )
        }));
    }
    tail.extend(entry.data.get("took_ms").and_then(Value::as_u64).map(short));
    tail.extend(
        entry
            .data
            .get("bytes")
            .map(|bytes| format!("{bytes} bytes")),
    );
    let tail = if tail.is_empty() {
        String::new()
    } else {
        format!("  ({})", text::line(&tail.join(", ")))
    };
    let body = text::block(entry.text.trim_end()).replace('\n', "\n      ");
    let mut out = format!(
        "{:>5}  {:<8} {:<10} {body}{tail}\n",
        short(now.since(entry.at)),
        entry.kind.word(),
        text::line(&entry.author)
    );
    if let Some(output) = entry.data.get("output").and_then(Value::as_str) {
        let shown = text::block(output.trim_end());
        for line in shown.lines().take(OUTPUT) {
            say(&mut out, format_args!("           | {line}"));
        }
        let more = shown.lines().count().saturating_sub(OUTPUT);
        if more > 0 {
            say(
                &mut out,
                format_args!("           | ({more} more lines; --json has them)"),
            );
        }
    }
    out
}
