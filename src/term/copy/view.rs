//! What copy mode shows: rows cut from lines, and which parts of them are selected or found.

use std::sync::Arc;

use super::lines::{Line, Lines};
use super::{Copy, Place};
use crate::term::history::blank;
use crate::term::look::{CopyView, Span};
use crate::term::marks::Marks;
use crate::term::outbox::Mark;
use crate::term::screen::Row;

/// A row of the view: some cells of a line.
#[derive(Clone, Debug)]
pub(super) struct ViewRow {
    pub(super) line: u64,
    pub(super) from: usize,
    /// The cell after the last, as far as the row could reach.
    pub(super) to: usize,
    /// Which row of its line.
    pub(super) index: usize,
    wrapped: bool,
}

/// The rows from `top` on, at most `count`, with their lines.
pub(super) fn rows_from(lines: &impl Lines, top: Place, count: usize) -> Vec<(ViewRow, Arc<Line>)> {
    let mut rows = Vec::with_capacity(count);
    let cols = lines.cols();
    let mut number = top.line;
    while number < lines.bottom() && rows.len() < count {
        let line = Arc::new(lines.line(number));
        let starts = line.starts(cols);
        for (index, from) in starts.iter().enumerate() {
            let next = starts.get(index + 1);
            let to = next.copied().unwrap_or(from + cols);
            if (number == top.line && to <= top.col) || rows.len() >= count {
                continue;
            }
            let row = ViewRow {
                line: number,
                from: *from,
                to,
                index,
                wrapped: next.is_some(),
            };
            rows.push((row, Arc::clone(&line)));
        }
        number += 1;
    }
    rows
}

impl Copy {
    /// The rows in view, as cells, and what copy mode says of them.
    pub(in crate::term) fn show(
        &self,
        lines: &impl Lines,
        marks: &Marks,
        before: &[Arc<Row>],
    ) -> (Vec<Arc<Row>>, CopyView) {
        let cols = lines.cols();
        let rows = rows_from(lines, self.top, lines.rows());
        let shown: Vec<Arc<Row>> = (0..lines.rows())
            .map(|at| {
                let row = rows.get(at).map_or_else(
                    || Row {
                        cells: vec![blank(); cols],
                        wrapped: false,
                    },
                    |(row, line)| cut(row, line, cols),
                );
                // Rows that did not change stay the very same.
                let old = before.get(at).filter(|old| ***old == row);
                old.cloned().unwrap_or_else(|| Arc::new(row))
            })
            .collect();
        (shown, self.words(lines, marks, &rows))
    }

    fn words(&self, lines: &impl Lines, marks: &Marks, rows: &[(ViewRow, Arc<Line>)]) -> CopyView {
        let cols = lines.cols();
        let extent = self
            .selection
            .map(|selection| selection.extent(lines, self.cursor));
        let mut view = CopyView {
            shape: self.selection.map(|selection| selection.shape),
            search: self.search.as_ref().map(|search| search.view(self.cursor)),
            line: self.cursor.line.saturating_sub(lines.first()) + 1,
            lines: lines.end() - lines.first(),
            older: lines.gone() > 0 && self.top.line == lines.first() && self.top.col == 0,
            gone: lines.gone(),
            ..CopyView::default()
        };
        let mut known: Option<(u64, Vec<(usize, usize)>)> = None;
        for (at, (row, line)) in rows.iter().enumerate() {
            let at = at as u16;
            let span = |(from, to): (usize, usize)| {
                let (from, to) = (from.max(row.from), to.min(row.to).min(row.from + cols));
                (from < to).then(|| Span {
                    row: at,
                    from: (from - row.from) as u16,
                    to: (to - row.from) as u16,
                })
            };
            if row.line == self.cursor.line
                && (row.from..row.to).contains(&self.cursor.col)
                    | (!row.wrapped && self.cursor.col >= row.to)
            {
                let col = (self.cursor.col - row.from).min(cols.saturating_sub(1));
                view.cursor = (at, col as u16);
            }
            if let Some(extent) = &extent {
                // An empty line shows one cell, or nobody would see that it is selected.
                let end = line.len().max(row.from + 1).min(row.to);
                let cells = extent.in_row(row.line, line, row.from, end);
                view.selected.extend(cells.and_then(span));
            }
            if let Some(search) = &self.search {
                if known.as_ref().is_none_or(|(number, _)| *number != row.line) {
                    known = Some((row.line, search.in_line(lines, row.line)));
                }
                let found = known.iter().flat_map(|(_, found)| found);
                view.matches.extend(found.copied().filter_map(span));
            }
        }
        // The view is short; the marks are many and in order.
        if let (Some((first, _)), Some((last, _))) = (rows.first(), rows.last()) {
            let lines = marks.prompts().rev().skip_while(|line| *line > last.line);
            for line in lines.take_while(|line| *line >= first.line) {
                let at = rows
                    .iter()
                    .position(|(row, _)| row.line == line && row.index == 0);
                view.prompts.extend(at.map(|at| (at as u16, Mark::Prompt)));
            }
        }
        view
    }
}

fn cut(row: &ViewRow, line: &Line, cols: usize) -> Row {
    let end = row.to.min(line.cells.len());
    let mut cells = line.cells.get(row.from..end).unwrap_or_default().to_vec();
    cells.resize(cols, blank());
    Row {
        cells,
        wrapped: row.wrapped,
    }
}
