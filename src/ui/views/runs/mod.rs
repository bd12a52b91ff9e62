//! The list of runs, newest first.

mod draw;

pub(crate) use draw::tally;

use ratatui::layout::{Position, Rect};

use crate::domain::ids::RunId;
use crate::domain::run::RunRow;
use crate::model::Model;
use crate::ui::list::ListState;
use crate::ui::paint::below;

/// What the list remembers.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    pub(crate) list: ListState<RunId>,
    table: Rect,
}

impl Runs {
    pub(crate) fn sync(&mut self, model: &Model) {
        self.list.sync(&model.runs.rows, |run| run.id, text);
    }

    pub(crate) fn layout(&mut self, area: Rect) {
        self.table = area;
        self.list.layout(below(area, 1).height);
    }

    pub(crate) fn selected<'m>(&self, model: &'m Model) -> Option<&'m RunRow> {
        let id = self.list.selected()?;
        model.runs.rows.iter().find(|run| run.id == *id)
    }

    pub(crate) fn click(&mut self, position: Position) -> bool {
        let rows = below(self.table, 1);
        rows.contains(position) && self.list.click(position.y - rows.y)
    }
}

/// What the filter looks at; the book first, because its letters are shown as matches.
fn text(run: &RunRow) -> String {
    let ticket = run.ticket.as_deref().unwrap_or_default();
    format!(
        "{} {} {} {ticket} {}",
        run.book,
        run.reference,
        run.state,
        run.hosts.join(" ")
    )
}
