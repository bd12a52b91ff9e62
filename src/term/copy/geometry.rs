//! Rows of the view: where they begin in their lines, how far one is from another, how far down the view can go.

use super::lines::{Line, Lines};
use super::{Copy, Place};
use crate::domain::look::CopyKeys;

impl Copy {
    pub(super) fn row_start(&self, lines: &impl Lines, place: Place) -> Place {
        let starts = lines.line(place.line).starts(lines.cols());
        let row = starts.partition_point(|start| *start <= place.col);
        let col = row.checked_sub(1).and_then(|row| starts.get(row)).copied();
        Place {
            line: place.line,
            col: col.unwrap_or(0),
        }
    }

    /// The column of the cursor in its row.
    pub(super) fn row_col(&self, lines: &impl Lines) -> usize {
        self.cursor.col - self.row_start(lines, self.cursor).col.min(self.cursor.col)
    }

    /// The beginning of the row so many rows below (or above, when negative), as far as there are any; and how far it went.
    pub(super) fn row_at(&self, lines: &impl Lines, from: Place, by: i64) -> (Place, i64) {
        let cols = lines.cols();
        let (mut number, mut left) = (from.line, by);
        let mut starts = lines.line(number).starts(cols);
        let mut row = starts.partition_point(|start| *start <= from.col).max(1) - 1;
        while left > 0 {
            let here = (starts.len() - 1 - row) as i64;
            if left <= here {
                row += left as usize;
                left = 0;
            } else if number + 1 < lines.bottom() {
                left -= here + 1;
                number += 1;
                starts = lines.line(number).starts(cols);
                row = 0;
            } else {
                row += here as usize;
                left -= here;
                break;
            }
        }
        while left < 0 {
            if -left <= row as i64 {
                row -= (-left) as usize;
                left = 0;
            } else if number > lines.first() {
                left += row as i64 + 1;
                number -= 1;
                starts = lines.line(number).starts(cols);
                row = starts.len() - 1;
            } else {
                left += row as i64;
                row = 0;
                break;
            }
        }
        let col = starts.get(row).copied().unwrap_or(0);
        (Place { line: number, col }, by - left)
    }

    /// The lowest place for the upper left corner.
    pub(super) fn lowest(&self, lines: &impl Lines) -> Place {
        let last = Place {
            line: lines.bottom().saturating_sub(1).max(lines.first()),
            col: usize::MAX,
        };
        let last = self.row_start(lines, last);
        self.row_at(lines, last, 1 - lines.rows() as i64).0
    }

    /// Whether something is selected.
    pub(in crate::term) fn is_selecting(&self) -> bool {
        self.selection.is_some()
    }

    /// Whether the view is where the pane follows its output.
    pub(in crate::term) fn at_end(&self, lines: &impl Lines) -> bool {
        self.top >= self.lowest(lines)
    }

    /// The corner of the view: its line and which row of it.
    pub(in crate::term) fn corner(&self, lines: &impl Lines) -> (u64, usize) {
        let starts = lines.line(self.top.line).starts(lines.cols());
        let row = starts.partition_point(|start| *start <= self.top.col);
        (self.top.line, row.saturating_sub(1))
    }

    /// Moves the view so that the cursor is in it.
    pub(super) fn reveal(&mut self, lines: &impl Lines, centre: bool) {
        let row = self.row_start(lines, self.cursor);
        let rows = lines.rows() as i64;
        let back = if centre { rows / 2 } else { rows - 1 };
        if row < self.top {
            let above = if centre { rows / 2 } else { 0 };
            self.top = self.row_at(lines, row, -above).0;
        } else if row > self.row_at(lines, self.top, rows - 1).0 {
            self.top = self.row_at(lines, row, -back).0;
        }
        self.top = self.top.min(self.lowest(lines));
    }

    /// The last column that the cursor may be in.
    pub(super) fn limit(&self, line: &Line) -> usize {
        match self.keys {
            CopyKeys::Vi => line.last(),
            CopyKeys::Emacs => line.len(),
        }
    }
}
