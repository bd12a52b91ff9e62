//! Runbooks, runs and fan-outs as text.

use crate::command::StepPreview;
use crate::domain::run::{Cell, RunRow};
use crate::domain::runbook::{Action, Diagnostic, Runbook};
use crate::domain::text;
use crate::domain::time::short;

use super::super::table::Table;
use super::{Style, indent, say};

pub(super) fn book_text(book: &Runbook) -> String {
    let mut out = format!("{}: {}\n", book.name, text::line(&book.title));
    if !book.description.is_empty() {
        say(&mut out, format_args!("{}", text::block(&book.description)));
    }
    for param in &book.params {
        let default = param
            .default
            .as_ref()
            .map(|value| format!(" = {value}"))
            .unwrap_or_default();
        let must = if param.required && param.default.is_none() {
            ", required"
        } else {
            ""
        };
        say(
            &mut out,
            format_args!(
                "  -p {} ({}{must}){}  {}",
                param.name,
                param.kind,
                text::line(&default),
                text::line(&param.description)
            ),
        );
    }
    for (index, step) in book.steps.iter().enumerate() {
        say(
            &mut out,
            format_args!("\n{}. {}", index + 1, text::line(&step.name)),
        );
        match &step.action {
            Action::Script { text, .. } => out.push_str(&indent(text)),
            Action::Checklist { items } => items
                .iter()
                .for_each(|item| say(&mut out, format_args!("    [ ] {}", text::line(item)))),
        }
    }
    out
}

pub(super) fn run_text(run: &RunRow) -> String {
    let mut out = format!(
        "{}  {}  {}  started {}{}\n",
        run.reference,
        text::line(&run.book),
        run.state,
        run.started.local(),
        run.ticket
            .as_ref()
            .map(|ticket| format!("  for {ticket}"))
            .unwrap_or_default()
    );
    let tally = run.tally;
    say(
        &mut out,
        format_args!(
            "hosts: {} ok, {} failed, {} unreachable, {} skipped",
            tally.ok, tally.failed, tally.unreachable, tally.skipped
        ),
    );
    for cell in &run.cells {
        let exit = cell
            .exit
            .map(|exit| format!(" exit {exit}"))
            .unwrap_or_default();
        let took = cell
            .took_ms
            .map(|took| format!(" {}", short(took)))
            .unwrap_or_default();
        let why = if cell.reason.is_empty() {
            String::new()
        } else {
            format!(": {}", text::line(&cell.reason))
        };
        say(
            &mut out,
            format_args!(
                "\n{}  {}. {}  {}{exit}{took}{why}",
                text::line(&cell.host),
                cell.index + 1,
                text::line(&cell.step),
                cell.state
            ),
        );
        out.push_str(&indent(&cell.output));
        if cell.dropped > 0 {
            say(
                &mut out,
                format_args!("    ({} bytes were not kept)", cell.dropped),
            );
        }
    }
    out
}

/// With folding, equal outputs once under all their hosts; else only the sum, because the output went out already.
pub(super) fn exec_text(cells: &[Cell], style: Style) -> String {
    let mut out = String::new();
    if style.fold {
        let mut groups: Vec<(&Cell, Vec<&str>)> = Vec::new();
        for cell in cells {
            match groups.iter_mut().find(|(first, _)| {
                first.output == cell.output && first.exit == cell.exit && first.state == cell.state
            }) {
                Some((_, hosts)) => hosts.push(&cell.host),
                None => groups.push((cell, vec![&cell.host])),
            }
        }
        groups.sort_by_key(|(_, hosts)| std::cmp::Reverse(hosts.len()));
        for (cell, hosts) in groups {
            let names: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
            let exit = cell
                .exit
                .map(|exit| format!(", exit {exit}"))
                .unwrap_or_default();
            say(
                &mut out,
                format_args!(
                    "--- {} ({}{exit})",
                    text::line(&crate::inventory::hostlist::fold(&names)),
                    hosts.len()
                ),
            );
            out.push_str(&text::block(&cell.output));
            if !cell.output.is_empty() && !cell.output.ends_with('\n') {
                out.push('\n');
            }
        }
    }
    for cell in cells.iter().filter(|cell| !cell.reason.is_empty()) {
        say(
            &mut out,
            format_args!(
                "{}: {}: {}",
                text::line(&cell.host),
                cell.state,
                text::line(&cell.reason)
            ),
        );
    }
    out
}

pub(super) fn book_table(books: &[Runbook], broken: &[Diagnostic], style: Style) -> String {
    let mut table = Table::new(["NAME", "STEPS", "PARAMETERS", "TITLE"]);
    for book in books {
        let params: Vec<&str> = book
            .params
            .iter()
            .map(|param| param.name.as_str())
            .collect();
        table.row([
            &book.name,
            &book.steps.len().to_string(),
            &params.join(","),
            &book.title,
        ]);
    }
    let mut out = table.render(style.width);
    for finding in broken {
        say(
            &mut out,
            format_args!("{}", text::line(&finding.to_string())),
        );
    }
    out
}

pub(super) fn run_table(runs: &[RunRow], style: Style) -> String {
    let mut table = Table::new(["REF", "STATE", "BOOK", "HOSTS", "TICKET", "STARTED"]);
    for run in runs {
        let ticket = run.ticket.as_deref().unwrap_or("-");
        let (hosts, started) = (run.hosts.len().to_string(), run.started.local());
        table.row([
            &run.reference,
            run.state.word(),
            &run.book,
            &hosts,
            ticket,
            &started,
        ]);
    }
    table.render(style.width)
}

pub(super) fn preview_text(hosts: &[String], steps: &[StepPreview], merged: &[String]) -> String {
    let mut out = format!(
        "would run on {} hosts: {}\n",
        hosts.len(),
        text::line(&hosts.join(" "))
    );
    for note in merged {
        say(&mut out, format_args!("{}", text::line(note)));
    }
    for (number, step) in (1..).zip(steps) {
        say(
            &mut out,
            format_args!(
                "\n{number}. {}\n{}",
                text::line(&step.name),
                indent(&step.text)
            ),
        );
    }
    out
}
