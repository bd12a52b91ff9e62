//! Writes the first screen.

use std::collections::BTreeMap;

use crate::command::Scope;
use crate::domain::check::HostState;
use crate::domain::run::RunState;
use crate::domain::ticket::TicketState;
use crate::model::{Model, SessionState};
use crate::ui::doc::Writer;
use crate::ui::theme::Role;
use crate::ui::view::View;
use crate::ui::views::Cx;
use crate::ui::views::vitals::{self, Vitals};
use crate::ui::views::words::{age, plural};

/// How many of the last things said are repeated here.
const SAID: usize = 5;

pub(super) fn write(cx: Cx<'_>, writer: &mut Writer) {
    writer.anchor("head");
    writer.gap();
    if cx.model.demo {
        demo(cx, writer);
    } else if cx.model.is_empty() {
        first_day(cx, writer);
    } else {
        writer.spans(vec![("Quarterdeck".to_owned(), Role::Title)]);
    }
    overview(cx, writer);
    said(cx.model, writer);
}

fn global(cx: Cx<'_>, id: &str) -> String {
    cx.key(&[Scope::Global], id)
}

fn demo(cx: Cx<'_>, writer: &mut Writer) {
    let case = &[Scope::Case, Scope::List, Scope::Global];
    writer.spans(vec![(
        "The demo: a fleet of sample hosts, all on this machine.".to_owned(),
        Role::Title,
    )]);
    writer.text(
        "Nothing here is real and nothing stays: it is all gone when you leave.",
        0,
        Role::Dim,
    );
    writer.gap();
    let steps = [
        (
            format!("{} Enter", global(cx, "view.tickets")),
            "open the first ticket: its hosts, their health, its history",
        ),
        (
            cx.key(case, "session.open"),
            "open a shell on its host; it is recorded on the ticket",
        ),
        (
            cx.keymap.prefix().to_string() + " d",
            "leave the shell; it goes on without you",
        ),
        (
            cx.key(case, "run.start"),
            "run a runbook on the ticket's hosts and watch the matrix",
        ),
        (cx.key(case, "ticket.comment"), "write what you found"),
        (cx.key(case, "ticket.resolve"), "resolve the ticket"),
    ];
    for (keys, words) in steps {
        tip(writer, &keys, words);
    }
    tip(
        writer,
        &global(cx, "help"),
        "what every key does, wherever you are",
    );
    tip(writer, &global(cx, "quit"), "leave the demo");
}

fn first_day(cx: Cx<'_>, writer: &mut Writer) {
    writer.spans(vec![(
        "Quarterdeck: tickets, hosts, sessions and runbooks in one place.".to_owned(),
        Role::Title,
    )]);
    writer.text(
        "There is nothing here yet. This is how to begin:",
        0,
        Role::Fg,
    );
    writer.gap();
    tip(writer, ":host import --from ssh-config ~/.ssh/config", "");
    writer.text(
        "reads the hosts that ssh knows; it changes nothing there",
        13,
        Role::Dim,
    );
    let tickets = &[Scope::Tickets, Scope::List, Scope::Global];
    tip(
        writer,
        &format!(
            "{} {}",
            global(cx, "view.tickets"),
            cx.key(tickets, "ticket.add")
        ),
        "write the first ticket",
    );
    tip(
        writer,
        &global(cx, "help"),
        "what every key does, wherever you are",
    );
    tip(writer, &global(cx, "quit"), "leave");
    writer.gap();
    writer.text(
        "To see it all at work first, leave and run `qd demo`.",
        0,
        Role::Dim,
    );
}

fn tip(writer: &mut Writer, keys: &str, words: &str) {
    writer.spans(vec![
        (format!("  {keys:<10} "), Role::Key),
        (words.to_owned(), Role::Fg),
    ]);
}

/// A line for each view, with what is going on there; Enter leads there.
fn overview(cx: Cx<'_>, writer: &mut Writer) {
    let model = cx.model;
    writer.heading("now", "now");
    let live = model
        .sessions
        .iter()
        .filter(|session| session.state == SessionState::Live)
        .count();
    let running = model
        .runs
        .rows
        .iter()
        .filter(|run| run.state == RunState::Running)
        .count();
    let lines = [
        ("view.tickets", "tickets", tickets(model), View::Tickets),
        ("view.hosts", "hosts", hosts(model), View::Hosts),
        (
            "view.sessions",
            "sessions",
            vec![(count(live, "live session"), Role::Fg)],
            View::Sessions,
        ),
        (
            "view.runs",
            "runs",
            vec![(count(running, "running"), Role::Fg)],
            View::Runs,
        ),
        (
            "view.runbooks",
            "runbooks",
            vec![(count(model.books.len(), "in the library"), Role::Fg)],
            View::Books,
        ),
    ];
    for (id, name, what, view) in lines {
        let mut spans = vec![
            (format!("  {:<3} ", global(cx, id)), Role::Key),
            (format!("{name:<10} "), Role::Fg),
        ];
        spans.extend(what);
        writer.link(spans, view);
    }
    here(cx, writer);
}

/// The machine that we run on: a jump host that swaps makes every host behind it look slow.
fn here(cx: Cx<'_>, writer: &mut Writer) {
    let Some(vitals) = Vitals::here(cx.model) else {
        return;
    };
    let mut spans = vec![
        (format!("      {:<10} ", "here"), Role::Fg),
        (format!("{}  ", vitals.state), Role::from(vitals.state)),
    ];
    let values = [
        ("load", vitals.load()),
        ("cpu", vitals.cpu()),
        ("mem", vitals.memory()),
        ("disk", vitals.disk()),
    ];
    for (name, value) in values.into_iter().filter(|(_, value)| !value.is_empty()) {
        spans.push((format!("{name} {value}  "), Role::Fg));
    }
    spans.push((vitals::local_trend(cx.model, 8, cx.look), Role::Fg));
    spans.push((format!("  {} {}", vitals.age, vitals.reason), Role::Dim));
    writer.spans(spans);
}

fn count(count: usize, what: &str) -> String {
    match (count, what.strip_suffix("session")) {
        (0, _) => "none".to_owned(),
        (count, Some(_)) => plural(count, what),
        (count, None) => format!("{count} {what}"),
    }
}

fn tickets(model: &Model) -> Vec<(String, Role)> {
    let page = &model.tickets;
    if !page.loaded {
        return vec![("reading".to_owned(), Role::Dim)];
    }
    let mut counts: BTreeMap<TicketState, usize> = BTreeMap::new();
    let mut late = 0;
    for ticket in &page.rows {
        *counts.entry(ticket.state).or_default() += 1;
        late += usize::from(ticket.state.is_open() && ticket.due.is_some_and(|at| at < model.now));
    }
    let mut spans: Vec<_> = counts
        .into_iter()
        .map(|(state, count)| (format!("{count} {state}  "), Role::from(state)))
        .collect();
    if late > 0 {
        spans.push((format!("{late} late"), Role::Crit));
    }
    if spans.is_empty() {
        spans.push(("none".to_owned(), Role::Dim));
    }
    spans
}

fn hosts(model: &Model) -> Vec<(String, Role)> {
    let mut counts: BTreeMap<HostState, usize> = BTreeMap::new();
    for host in model.hosts.iter() {
        *counts.entry(model.state_of(host)).or_default() += 1;
    }
    let mut states: Vec<_> = counts.into_iter().collect();
    states.sort_by_key(|(state, _)| std::cmp::Reverse(state.severity()));
    if states.is_empty() {
        return vec![("none".to_owned(), Role::Dim)];
    }
    states
        .into_iter()
        .map(|(state, count)| (format!("{count} {state}  "), Role::from(state)))
        .collect()
}

/// The last things that were said, so that none is missed for having been brief.
fn said(model: &Model, writer: &mut Writer) {
    let last: Vec<_> = model.notices.iter().rev().take(SAID).collect();
    if last.is_empty() {
        return;
    }
    writer.heading("said", "said");
    for notice in last {
        writer.spans(vec![
            (format!("  {:>4}  ", age(model.now, notice.at)), Role::Dim),
            (notice.text.clone(), Role::from(notice.level)),
        ]);
    }
}
