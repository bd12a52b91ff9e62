//! One ticket: what it says, its hosts with their health, and everything that happened.

mod draw;

use ratatui::layout::Rect;

pub(crate) use draw::{describe, timeline};

use super::Cx;
use crate::domain::ticket::Ticket;
use crate::ui::doc::{Doc, Writer};
use crate::ui::paint::Painter;
use crate::ui::view::View;
use crate::ui::views::words::placeholder;

/// What the view remembers.
#[derive(Debug, Default)]
pub(crate) struct Case {
    pub(crate) doc: Doc,
    reference: String,
    area: Rect,
}

impl Case {
    pub(crate) fn opened(&mut self, reference: &str) {
        if self.reference != reference {
            reference.clone_into(&mut self.reference);
            self.doc = Doc::default();
        }
    }

    pub(crate) fn layout(&mut self, cx: Cx<'_>, reference: &str, area: Rect) {
        self.area = area;
        let mut writer = Writer::new(area.width);
        if let Some(ticket) = cx.model.ticket(reference) {
            describe(cx, ticket, &mut writer);
            draw::links(ticket, &mut writer);
            draw::history(cx.model, ticket, &mut writer);
        }
        self.doc.layout(writer.finish(), area);
    }

    pub(crate) fn draw(&self, cx: Cx<'_>, reference: &str, painter: &mut Painter<'_>) {
        if cx.model.ticket(reference).is_none() {
            placeholder(painter, self.area, &format!("Reading {reference}."));
        }
        self.doc.draw(painter);
    }

    /// The host on the selected line.
    pub(crate) fn host(&self) -> Option<String> {
        match self.doc.target() {
            Some(View::Host(name)) => Some(name),
            _ => None,
        }
    }
}

/// The hosts of a ticket as a pattern.
pub(crate) fn pattern(ticket: &Ticket) -> Option<String> {
    (!ticket.hosts.is_empty()).then(|| ticket.hosts.join(","))
}

/// The host of a ticket that has one only.
pub(crate) fn only_host(ticket: &Ticket) -> Option<String> {
    match ticket.hosts.as_slice() {
        [one] => Some(one.clone()),
        _ => None,
    }
}
