//! Draws the list of forwards.

use super::ForwardList;
use crate::domain::forward::{ForwardRow, ForwardState};
use crate::ui::paint::{Painter, below};
use crate::ui::theme::Role;
use crate::ui::views::Cx;
use crate::ui::views::words::{bytes, no_match, placeholder};
use crate::ui::widgets::table::{self, Column, Line, Places};

const COLUMNS: &[Column] = &[
    Column::new("FORWARD", 26, 0).growing_to(56),
    Column::new("THROUGH", 12, 0).growing_to(24),
    Column::new("STATE", 14, 0).growing_to(60),
    Column::new("OPEN", 4, 1).right(),
    Column::new("TOTAL", 5, 2).right(),
    Column::new("IN", 4, 4).right(),
    Column::new("OUT", 4, 5).right(),
    Column::new("ASKED BY", 10, 6),
    Column::new("LAST TROUBLE", 20, 3).growing(),
];

impl ForwardList {
    pub(crate) fn draw(&self, cx: Cx<'_>, painter: &mut Painter<'_>) {
        let places = Places::new(COLUMNS, self.table.width);
        table::head(painter, self.table, COLUMNS, &places);
        let area = below(self.table, 1);
        if self.list.ids().is_empty() {
            let words = if self.list.query().trim().is_empty() {
                "No forwards. Type `:forward HOST -L 8080:localhost:80` to reach a port of a host from here, -R for the other way round, -D for a SOCKS proxy."
            } else {
                &no_match(self.list.query())
            };
            placeholder(painter, area, words);
        }
        for (at, id) in self.list.visible() {
            let Some(row) = cx.model.forwards.iter().find(|row| row.id == *id) else {
                continue;
            };
            let line = Line {
                cells: cells(row),
                selected: self.list.is_selected(id),
                marked: false,
                matches: (0, self.list.positions(id)),
            };
            table::row(painter, area, at, COLUMNS, &places, &line);
        }
    }
}

fn cells(row: &ForwardRow) -> Vec<(String, Role)> {
    let asked = if row.configured { "ssh_config" } else { "you" };
    vec![
        (row.rule.to_string(), Role::Fg),
        (row.host.clone(), Role::Fg),
        state(row),
        (row.open.to_string(), Role::Fg),
        (row.total.to_string(), Role::Dim),
        (bytes(row.bytes_in), Role::Dim),
        (bytes(row.bytes_out), Role::Dim),
        (asked.to_owned(), Role::Dim),
        (row.trouble.clone().unwrap_or_default(), Role::Warn),
    ]
}

/// How a forward is, in words.
pub(crate) fn state(row: &ForwardRow) -> (String, Role) {
    match &row.state {
        ForwardState::Starting => ("starting".to_owned(), Role::Warn),
        ForwardState::Listening => ("listening".to_owned(), Role::Ok),
        ForwardState::Waiting { why } => (format!("waiting: {why}"), Role::Unreachable),
        ForwardState::Failed { why } => (format!("failed: {why}"), Role::Crit),
        ForwardState::Stopped => ("stopped".to_owned(), Role::Dim),
    }
}
