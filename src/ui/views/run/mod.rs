//! One run: a matrix of hosts and steps, and the output of the selected cell.

mod draw;

use ratatui::layout::Rect;

use crate::domain::run::{Cell, RunRow};
use crate::model::Model;
use crate::ui::list::{ListState, Moves, Scroll};
use crate::ui::text;

/// What the view remembers. The selected cell is a host by name and a step by its place in the book, which never changes.
#[derive(Debug, Default)]
pub(crate) struct RunPage {
    pub(crate) hosts: ListState<String>,
    pub(crate) output: Scroll,
    step: usize,
    reference: String,
    lines: Vec<String>,
    /// The output's end is followed until somebody scrolls.
    follow: bool,
    /// Whose output `lines` is.
    shown: (String, usize),
    head: Rect,
    matrix: Rect,
    pane: Rect,
}

impl RunPage {
    pub(crate) fn opened(&mut self, reference: &str) {
        if self.reference != reference {
            *self = Self {
                reference: reference.to_owned(),
                ..Self::default()
            };
        }
    }

    pub(crate) fn sync(&mut self, model: &Model, reference: &str) {
        if let Some(run) = model.run(reference) {
            self.hosts.sync(&run.hosts, Clone::clone, Clone::clone);
            self.step = self.step.min(run.steps.len().saturating_sub(1));
        }
    }

    pub(crate) fn layout(&mut self, model: &Model, reference: &str, area: Rect) {
        let head = 2.min(area.height);
        let rest = area.height - head;
        // The matrix takes what its hosts need, and leaves the output at least half.
        let hosts = u16::try_from(self.hosts.ids().len()).unwrap_or(u16::MAX);
        let matrix = hosts.saturating_add(1).min(rest.div_ceil(2));
        let row = |y: u16, height: u16| Rect { y, height, ..area };
        self.head = row(area.y, head);
        self.matrix = row(area.y + head, matrix);
        self.pane = row(area.y + head + matrix, rest - matrix);
        self.hosts.layout(matrix.saturating_sub(1));
        let cell = model.run(reference).and_then(|run| self.cell(run));
        let shown = (
            cell.map(|cell| cell.host.clone()).unwrap_or_default(),
            self.step,
        );
        if shown != self.shown {
            self.follow = true;
            self.shown = shown;
        }
        let width = usize::from(area.width.saturating_sub(2));
        self.lines = cell.map_or_else(Vec::new, |cell| draw::output(cell, width));
        self.output
            .layout(self.lines.len(), self.pane.height.saturating_sub(1));
        if self.follow {
            self.output.bottom();
        }
    }

    /// Goes `by` steps to the right.
    pub(crate) fn across(&mut self, by: i64) {
        // The next sync keeps it inside of the book.
        self.step = self
            .step
            .saturating_add_signed(isize::try_from(by).unwrap_or(0));
    }

    /// Scrolls the output.
    pub(crate) fn scroll(&mut self, by: i64) {
        self.output.step(by);
        self.follow = self.output.at_end();
    }

    /// The cell of a host and a step.
    fn cell_of<'r>(run: &'r RunRow, host: &str, step: usize) -> Option<&'r Cell> {
        run.cells
            .iter()
            .filter(|cell| cell.index as usize == step && cell.host == host)
            .max_by_key(|cell| cell.attempt)
    }

    fn cell<'r>(&self, run: &'r RunRow) -> Option<&'r Cell> {
        Self::cell_of(run, self.hosts.selected()?, self.step)
    }

    /// `web1, step 2: check disk`.
    fn place(&self, run: &RunRow) -> String {
        let host = self.hosts.selected().map_or("", String::as_str);
        let step = run.steps.get(self.step).map_or("", String::as_str);
        text::fit(&format!("{host}, step {}: {step}", self.step + 1), 60, "~")
    }
}
