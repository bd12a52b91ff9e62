//! Draws the list of runs.

use super::Runs;
use crate::command::Scope;
use crate::domain::run::{RunRow, Tally};
use crate::domain::time::short;
use crate::model::Model;
use crate::ui::paint::{Painter, below};
use crate::ui::theme::Role;
use crate::ui::views::Cx;
use crate::ui::views::words::{age, no_match, placeholder};
use crate::ui::widgets::table::{self, Column, Line, Places};

const COLUMNS: &[Column] = &[
    Column::new("REF", 7, 0),
    Column::new("STATE", 9, 0),
    Column::new("RUNBOOK", 14, 0).growing_to(36),
    Column::new("HOSTS", 14, 4).growing_to(30),
    Column::new("RESULT", 26, 1).growing(),
    Column::new("TICKET", 7, 2),
    Column::new("BY", 8, 5),
    Column::new("BEGAN", 5, 3).right(),
    Column::new("TOOK", 5, 6).right(),
];
const BOOK: usize = 2;

impl Runs {
    pub(crate) fn draw(&self, cx: Cx<'_>, painter: &mut Painter<'_>) {
        let places = Places::new(COLUMNS, self.table.width);
        table::head(painter, self.table, COLUMNS, &places);
        let area = below(self.table, 1);
        if self.list.ids().is_empty() {
            placeholder(painter, area, &self.empty(cx));
        }
        for (at, id) in self.list.visible() {
            let Some(run) = cx.model.runs.rows.iter().find(|run| run.id == *id) else {
                continue;
            };
            let line = Line {
                cells: cells(cx.model, run),
                selected: self.list.is_selected(id),
                marked: false,
                matches: (BOOK, self.list.positions(id)),
            };
            table::row(painter, area, at, COLUMNS, &places, &line);
        }
    }

    fn empty(&self, cx: Cx<'_>) -> String {
        let page = &cx.model.runs;
        if let Some(error) = &page.error {
            return error.clone();
        }
        if !page.loaded {
            return "Reading runs.".to_owned();
        }
        if !self.list.query().trim().is_empty() {
            return no_match(self.list.query());
        }
        let books = cx.key(&[Scope::Global], "view.runbooks");
        let start = cx.key(&[Scope::Books, Scope::List, Scope::Global], "run.start");
        format!("No runs yet. Choose a runbook ({books}), a host or a ticket and press {start}.")
    }
}

fn cells(model: &Model, run: &RunRow) -> Vec<(String, Role)> {
    let hosts = match run.hosts.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} +{}", rest.len()),
    };
    let took = run
        .finished
        .map_or_else(String::new, |at| short(at.since(run.started)));
    vec![
        (run.reference.clone(), Role::Accent),
        (run.state.to_string(), run.state.into()),
        (run.book.clone(), Role::Fg),
        (hosts, Role::Dim),
        (tally(run.tally), Role::Fg),
        (run.ticket.clone().unwrap_or_default(), Role::Accent),
        (run.author.clone(), Role::Dim),
        (age(model.now, run.started), Role::Dim),
        (took, Role::Dim),
    ]
}

/// `3 ok, 1 failed`: only what there is.
pub(crate) fn tally(tally: Tally) -> String {
    let parts = [
        (tally.ok, "ok"),
        (tally.failed, "failed"),
        (tally.unreachable, "unreachable"),
        (tally.skipped, "skipped"),
    ];
    let words: Vec<_> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    words.join(", ")
}
