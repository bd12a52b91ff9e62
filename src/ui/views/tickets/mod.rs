//! The list of tickets.

mod draw;

pub(crate) use draw::priority;

use ratatui::layout::{Position, Rect};

use super::words;
use crate::domain::ids::TicketId;
use crate::domain::ticket::Ticket;
use crate::model::Model;
use crate::ui::list::ListState;
use crate::ui::paint::below;

/// From this width on the selected ticket is shown beside the list.
const WIDE: u16 = 140;

/// What the list remembers.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    pub(crate) list: ListState<TicketId>,
    /// The query of the page; empty is the usual one.
    pub(crate) query: String,
    table: Rect,
    preview: Option<Rect>,
}

impl Tickets {
    pub(crate) fn sync(&mut self, model: &Model) {
        self.list
            .sync(&model.tickets.rows, |ticket| ticket.id, text);
    }

    pub(crate) fn layout(&mut self, area: Rect) {
        (self.table, self.preview) = split(area);
        self.list.layout(below(self.table, 1).height);
    }

    pub(crate) fn selected<'m>(&self, model: &'m Model) -> Option<&'m Ticket> {
        let id = self.list.selected()?;
        model.tickets.rows.iter().find(|ticket| ticket.id == *id)
    }

    pub(crate) fn summary(&self, model: &Model) -> String {
        let mut summary = words::counted(&self.list, "ticket");
        let page = &model.tickets;
        if page.total > page.rows.len() {
            summary = format!("{summary}, first {} of {}", page.rows.len(), page.total);
        }
        if !self.query.is_empty() {
            summary = format!("{} | {summary}", self.query);
        }
        summary
    }

    pub(crate) fn click(&mut self, position: Position) -> bool {
        let rows = below(self.table, 1);
        rows.contains(position) && self.list.click(position.y - rows.y)
    }
}

/// The list and, where there is room, what stands beside it.
pub(crate) fn split(area: Rect) -> (Rect, Option<Rect>) {
    if area.width < WIDE {
        return (area, None);
    }
    let side = area.width * 2 / 5;
    let table = Rect {
        width: area.width - side - 1,
        ..area
    };
    let preview = Rect {
        x: area.x + table.width + 1,
        width: side,
        ..area
    };
    (table, Some(preview))
}

/// What the filter looks at; the title first, because its letters are shown as matches.
fn text(ticket: &Ticket) -> String {
    let mut text = format!("{} {} {}", ticket.title, ticket.reference, ticket.state);
    for word in ticket.hosts.iter().chain(&ticket.tags).chain(&ticket.owner) {
        text.push(' ');
        text.push_str(word);
    }
    text
}
