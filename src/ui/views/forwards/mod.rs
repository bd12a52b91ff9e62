//! The list of forwards: what is carried through which host, and how that goes.

mod draw;

use ratatui::layout::{Position, Rect};

pub(crate) use draw::state;

use crate::domain::forward::ForwardRow;
use crate::model::Model;
use crate::ui::list::ListState;
use crate::ui::paint::below;
use crate::ui::view::View;

/// What the list remembers.
#[derive(Debug, Default)]
pub(crate) struct ForwardList {
    pub(crate) list: ListState<u64>,
    table: Rect,
}

impl ForwardList {
    pub(crate) fn sync(&mut self, model: &Model) {
        self.list.sync(&model.forwards, |row| row.id, text);
    }

    pub(crate) fn layout(&mut self, area: Rect) {
        self.table = area;
        self.list.layout(below(area, 1).height);
    }

    pub(crate) fn selected<'m>(&self, model: &'m Model) -> Option<&'m ForwardRow> {
        let id = self.list.selected()?;
        model.forwards.iter().find(|row| row.id == *id)
    }

    /// Where Enter leads: to the connection that carries it.
    pub(crate) fn target(&self, model: &Model) -> Option<View> {
        let host = &self.selected(model)?.host;
        model.connection(host).map(|row| View::Connection {
            id: row.id,
            host: row.host.clone(),
        })
    }

    pub(crate) fn click(&mut self, position: Position) -> bool {
        let rows = below(self.table, 1);
        rows.contains(position) && self.list.click(position.y - rows.y)
    }
}

/// What the filter looks at; the rule first, because its letters are shown as matches.
fn text(row: &ForwardRow) -> String {
    format!("{} {} {}", row.rule, row.host, state(row).0)
}
