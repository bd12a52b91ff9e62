//! Writes a ticket as a document.

use crate::command::Scope;
use crate::domain::case::{Entry, EntryKind};
use crate::domain::ticket::Ticket;
use crate::domain::time::short;
use crate::model::Model;
use crate::ui::doc::Writer;
use crate::ui::theme::Role;
use crate::ui::view::View;
use crate::ui::views::Cx;
use crate::ui::views::tickets::priority;
use crate::ui::views::vitals::Vitals;
use crate::ui::views::words::{age, due, plural};

/// Title, fields, description and hosts.
pub(crate) fn describe(cx: Cx<'_>, ticket: &Ticket, writer: &mut Writer) {
    let now = cx.model.now;
    writer.anchor("head");
    writer.spans(vec![
        (format!("{}  ", ticket.reference), Role::Accent),
        (ticket.title.clone(), Role::Title),
    ]);
    let owner = match &ticket.owner {
        Some(owner) => (format!("  owner {owner}"), Role::Fg),
        None => ("  nobody has it".to_owned(), Role::Warn),
    };
    let mut fields = vec![
        (ticket.state.to_string(), ticket.state.into()),
        (format!("  P{}", ticket.priority), priority(ticket.priority)),
        (format!("  {}", ticket.kind), Role::Fg),
        owner,
    ];
    if !ticket.queue.is_empty() {
        fields.push((format!("  queue {}", ticket.queue), Role::Fg));
    }
    if let Some(at) = ticket.due {
        let late = ticket.state.is_open() && at < now;
        let role = if late { Role::Crit } else { Role::Fg };
        fields.push((format!("  due {}", due(now, at)), role));
    }
    writer.spans(fields);
    let mut more = format!(
        "made {} ago, changed {} ago",
        age(now, ticket.created),
        age(now, ticket.updated)
    );
    more = more.replace("now ago", "just now");
    if let Some(requester) = &ticket.requester {
        more = format!("for {requester}, {more}");
    }
    if !ticket.tags.is_empty() {
        more = format!("{more}  #{}", ticket.tags.join(" #"));
    }
    writer.text(&more, 0, Role::Dim);
    if !ticket.conflicts.is_empty() {
        let words = format!(
            "Two devices changed {} at once; edit to settle it.",
            ticket.conflicts.join(" and ")
        );
        writer.text(&words, 0, Role::Warn);
        disputes(cx, ticket, writer);
    }
    onlookers(cx, ticket, writer);
    if !ticket.body.trim().is_empty() {
        writer.anchor("body");
        writer.gap();
        writer.text(ticket.body.trim_end(), 0, Role::Fg);
    }
    hosts(cx, ticket, writer);
}

/// Every value of the fields that two devices changed at once, with who wrote it and when; the first is in force.
fn disputes(cx: Cx<'_>, ticket: &Ticket, writer: &mut Writer) {
    for dispute in &ticket.disputes {
        for (index, claimed) in dispute.values.iter().enumerate() {
            let value = match claimed.value.lines().next() {
                None => "nothing".to_owned(),
                Some(line) if claimed.value.lines().count() > 1 => format!("{line} ..."),
                Some(line) => line.to_owned(),
            };
            let when =
                format!("{} ago", age(cx.model.now, claimed.at)).replace("now ago", "just now");
            let force = if index == 0 { ", in force" } else { "" };
            let words = format!("{value}  ({}, {when}{force})", claimed.origin());
            writer.field(
                if index == 0 { &dispute.field } else { "or" },
                &words,
                Role::Warn,
            );
        }
    }
}

/// Who else has it open now.
fn onlookers(cx: Cx<'_>, ticket: &Ticket, writer: &mut Writer) {
    let here = cx.model.onlookers.iter();
    for onlooker in here.filter(|onlooker| onlooker.ticket == ticket.id) {
        let words = format!(
            "{} has this open too, on {}, for {}.",
            onlooker.who,
            onlooker.device,
            short(cx.model.now.since(onlooker.since).max(1_000))
        );
        writer.text(&words, 0, Role::Info);
    }
}

fn hosts(cx: Cx<'_>, ticket: &Ticket, writer: &mut Writer) {
    if ticket.hosts.is_empty() {
        let link = cx.key(&[Scope::Case, Scope::List, Scope::Global], "ticket.link");
        writer.heading("no hosts", "hosts");
        writer.text(&format!("{link} links hosts."), 0, Role::Dim);
        return;
    }
    writer.heading(&plural(ticket.hosts.len(), "host"), "hosts");
    for name in &ticket.hosts {
        let Some(host) = cx.model.host_named(name) else {
            writer.spans(vec![
                (format!("{name:<16} "), Role::Fg),
                ("not in the inventory".to_owned(), Role::Dim),
            ]);
            continue;
        };
        let vitals = Vitals::of(cx.model, host);
        let role = vitals.role();
        let old = if vitals.age.is_empty() {
            String::new()
        } else {
            format!("  {} old", vitals.age)
        };
        writer.link(
            vec![
                (format!("{name:<16} "), Role::Fg),
                (format!("{:<11} ", vitals.state), vitals.state.into()),
                (vitals.reason, role),
                (old.replace("now old", "just now"), Role::Dim),
            ],
            View::Host(name.clone()),
        );
    }
}

/// Related tickets.
pub(super) fn links(ticket: &Ticket, writer: &mut Writer) {
    if ticket.links.is_empty() {
        return;
    }
    writer.heading("related", "links");
    for reference in &ticket.links {
        writer.link(
            vec![(reference.clone(), Role::Accent)],
            View::Case(reference.clone()),
        );
    }
}

/// Everything that happened, the newest first: what matters now is on the first page.
pub(super) fn history(model: &Model, ticket: &Ticket, writer: &mut Writer) {
    if ticket.entries.is_empty() {
        let loaded = model.case.as_ref().is_some_and(|case| case.id == ticket.id);
        writer.heading("history", "history");
        let words = if loaded {
            "Nothing has happened yet."
        } else {
            "Reading the history."
        };
        writer.text(words, 0, Role::Dim);
        return;
    }
    writer.heading(
        &format!(
            "history, {}, newest first",
            plural(ticket.entries.len(), "entry").replace("entrys", "entries")
        ),
        "history",
    );
    timeline(model, ticket.entries.iter().rev(), writer);
}

/// Entries, one after another.
pub(crate) fn timeline<'e>(
    model: &Model,
    entries: impl Iterator<Item = &'e Entry>,
    writer: &mut Writer,
) {
    const INDENT: usize = 6;
    for entry in entries {
        writer.anchor(&entry.id);
        let mut head = vec![
            (format!("{:>4}  ", age(model.now, entry.at)), Role::Dim),
            (format!("{:<8} ", entry.kind), kind(entry.kind)),
            (entry.author.clone(), Role::Fg),
        ];
        if let Some(host) = &entry.host {
            head.push((format!(" on {host}"), Role::Accent));
        }
        for (name, value) in [("", &entry.ticket), ("", &entry.run), ("", &entry.session)] {
            if let Some(value) = value {
                head.push((format!("  {name}{value}"), Role::Accent));
            }
        }
        if let Some((words, role)) = ending(entry) {
            head.push((format!("  {words}"), role));
        }
        match target(entry) {
            Some(view) => writer.link(head, view),
            None => writer.spans(head),
        };
        if !entry.text.trim().is_empty() {
            writer.text(entry.text.trim_end(), INDENT, Role::Fg);
        }
    }
}

/// Where an entry leads.
fn target(entry: &Entry) -> Option<View> {
    if let Some(run) = &entry.run {
        return Some(View::Run(run.clone()));
    }
    if let Some(session) = &entry.session {
        return Some(View::Recording(session.clone()));
    }
    if let Some(ticket) = &entry.ticket {
        return Some(View::Case(ticket.clone()));
    }
    entry.host.clone().map(View::Host)
}

/// `exit 0, 12s`, when the entry knows.
fn ending(entry: &Entry) -> Option<(String, Role)> {
    let exit = entry.data.get("exit").and_then(serde_json::Value::as_i64);
    let took = entry
        .data
        .get("took_ms")
        .and_then(serde_json::Value::as_u64)
        .map(short);
    let state = entry.data.get("state").and_then(serde_json::Value::as_str);
    let bad = exit.is_some_and(|exit| exit != 0) || state.is_some_and(|state| state != "ok");
    let role = if bad { Role::Crit } else { Role::Ok };
    if let Some(state) = state {
        let took = took.map_or_else(String::new, |took| format!(", {took}"));
        return Some((format!("{state}{took}"), role));
    }
    match (exit, took) {
        (Some(exit), Some(took)) => Some((format!("exit {exit}, {took}"), role)),
        (Some(exit), None) => Some((format!("exit {exit}"), role)),
        (None, Some(took)) => Some((took, Role::Dim)),
        (None, None) => None,
    }
}

fn kind(kind: EntryKind) -> Role {
    match kind {
        EntryKind::Comment | EntryKind::Edit | EntryKind::File => Role::Dim,
        EntryKind::Reply => Role::Info,
        EntryKind::Session | EntryKind::Run => Role::Accent,
        EntryKind::Check | EntryKind::Silence | EntryKind::Change => Role::Warn,
    }
}
