//! The list of sessions: the living first, then what was recorded.

mod draw;

pub(crate) use draw::state;

use ratatui::layout::{Position, Rect};

use crate::domain::ids::SessionId;
use crate::domain::session::SessionRow;
use crate::model::{Model, SessionView};
use crate::ui::list::ListState;
use crate::ui::paint::below;
use crate::ui::view::View;

/// What the list remembers.
#[derive(Debug, Default)]
pub(crate) struct SessionList {
    pub(crate) list: ListState<SessionId>,
    table: Rect,
}

/// A row: a pane of ours, or what the store knows.
#[derive(Clone, Copy)]
enum Row<'m> {
    Live(&'m SessionView),
    Recorded(&'m SessionRow),
}

impl Row<'_> {
    fn id(&self) -> SessionId {
        match self {
            Row::Live(session) => session.id,
            Row::Recorded(row) => row.id,
        }
    }

    fn text(&self) -> String {
        let (host, reference, ticket, title) = match self {
            Row::Live(session) => (
                &session.host,
                &session.reference,
                &session.ticket,
                session.title.as_str(),
            ),
            Row::Recorded(row) => (&row.host, &row.reference, &row.ticket, ""),
        };
        format!(
            "{host} {reference} {} {title}",
            ticket.as_deref().unwrap_or_default()
        )
    }
}

/// Our panes, then the recorded sessions that are none of them.
fn rows(model: &Model) -> Vec<Row<'_>> {
    let ours = model.sessions.iter();
    // What takes the place of another one is looked at there.
    let ours = ours.filter(|session| !model.is_coming(session));
    let ours = ours.map(Row::Live);
    let recorded = model
        .recorded
        .iter()
        .filter(|row| model.session(row.id).is_none());
    ours.chain(recorded.map(Row::Recorded)).collect()
}

impl SessionList {
    pub(crate) fn sync(&mut self, model: &Model) {
        let rows = rows(model);
        self.list.sync(&rows, Row::id, Row::text);
    }

    pub(crate) fn layout(&mut self, area: Rect) {
        self.table = area;
        self.list.layout(below(area, 1).height);
    }

    /// Where Enter leads: into the pane, or to the recorded text.
    pub(crate) fn target(&self, model: &Model) -> Option<View> {
        let id = *self.list.selected()?;
        if model.session(id).is_some() {
            return Some(View::Pane(id));
        }
        self.reference(model).map(View::Recording)
    }

    /// The reference of the selected session.
    pub(crate) fn reference(&self, model: &Model) -> Option<String> {
        let id = *self.list.selected()?;
        rows(model)
            .into_iter()
            .find(|row| row.id() == id)
            .map(|row| match row {
                Row::Live(session) => session.reference.clone(),
                Row::Recorded(row) => row.reference.clone(),
            })
    }

    pub(crate) fn click(&mut self, position: Position) -> bool {
        let rows = below(self.table, 1);
        rows.contains(position) && self.list.click(position.y - rows.y)
    }
}
