//! Draws the list of tickets, and the selected one beside it where there is room.

use ratatui::layout::Rect;

use super::Tickets;
use crate::command::Scope;
use crate::domain::ticket::{Priority, Ticket};
use crate::model::Model;
use crate::ui::doc::{Doc, Writer};
use crate::ui::paint::{Painter, below};
use crate::ui::theme::Role;
use crate::ui::views::words::{age, due, no_match, placeholder};
use crate::ui::views::{Cx, case};
use crate::ui::widgets::table::{self, Column, Line, Places};

const COLUMNS: &[Column] = &[
    Column::new("REF", 7, 0),
    Column::new("STATE", 8, 1),
    Column::new("P", 1, 2),
    Column::new("TITLE", 28, 0).growing(),
    Column::new("HOSTS", 10, 5),
    Column::new("OWNER", 6, 4),
    Column::new("DUE", 7, 6),
    Column::new("AGE", 4, 3).right(),
];
const TITLE: usize = 3;

impl Tickets {
    pub(crate) fn draw(&self, cx: Cx<'_>, painter: &mut Painter<'_>) {
        let places = Places::new(COLUMNS, self.table.width);
        table::head(painter, self.table, COLUMNS, &places);
        let rows = below(self.table, 1);
        if self.list.ids().is_empty() {
            placeholder(painter, rows, &empty(self, cx));
        }
        let tickets = &cx.model.tickets.rows;
        for (row, id) in self.list.visible() {
            let Some(ticket) = tickets.iter().find(|ticket| ticket.id == *id) else {
                continue;
            };
            let line = Line {
                cells: cells(cx.model, ticket),
                selected: self.list.is_selected(id),
                marked: self.list.is_marked(id),
                matches: (TITLE, self.list.positions(id)),
            };
            table::row(painter, rows, row, COLUMNS, &places, &line);
        }
        if let (Some(area), Some(ticket)) = (self.preview, self.selected(cx.model)) {
            preview(cx, painter, area, ticket);
        }
    }
}

fn cells(model: &Model, ticket: &Ticket) -> Vec<(String, Role)> {
    let late = ticket.state.is_open() && ticket.due.is_some_and(|at| at < model.now);
    let hosts = match ticket.hosts.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} +{}", rest.len()),
    };
    vec![
        (ticket.reference.clone(), Role::Accent),
        (ticket.state.to_string(), ticket.state.into()),
        (ticket.priority.to_string(), priority(ticket.priority)),
        (ticket.title.clone(), Role::Fg),
        (hosts, Role::Dim),
        (ticket.owner.clone().unwrap_or_default(), Role::Fg),
        (
            ticket.due.map_or_else(String::new, |at| due(model.now, at)),
            if late { Role::Crit } else { Role::Dim },
        ),
        (age(model.now, ticket.created), Role::Dim),
    ]
}

/// How loud a priority is.
pub(crate) fn priority(priority: Priority) -> Role {
    match priority.level() {
        1 => Role::Crit,
        2 => Role::Warn,
        _ => Role::Fg,
    }
}

fn empty(tickets: &Tickets, cx: Cx<'_>) -> String {
    let page = &cx.model.tickets;
    if let Some(error) = &page.error {
        return error.clone();
    }
    if !page.loaded {
        return "Reading tickets.".to_owned();
    }
    if !tickets.list.query().trim().is_empty() {
        return no_match(tickets.list.query());
    }
    if !tickets.query.is_empty() {
        return format!(
            "No ticket matches {}. `:ticket ls` shows the usual list.",
            tickets.query
        );
    }
    let add = cx.key(&[Scope::Tickets, Scope::List, Scope::Global], "ticket.add");
    format!("No open tickets. Press {add} to write one.")
}

fn preview(cx: Cx<'_>, painter: &mut Painter<'_>, area: Rect, ticket: &Ticket) {
    let side = painter.look().glyph("│", "|");
    for row in 0..area.height {
        painter.put(area, row, side, Role::Border);
    }
    let area = Rect {
        x: area.x + 1,
        width: area.width.saturating_sub(1),
        ..area
    };
    let mut writer = Writer::new(area.width);
    case::describe(cx, ticket, &mut writer);
    Doc::still(writer.finish(), area).draw(painter);
}
