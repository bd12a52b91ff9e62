//! What is selected: which cells of a line, and the text of it all.

use super::Place;
use super::lines::{Line, Lines};
use super::motion;
use crate::domain::look::Shape;
use crate::term::look::Copied;

/// The most text that is copied at once, in bytes.
const MOST: usize = 8 * 1024 * 1024;

/// A selection; its other end is the cursor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Selection {
    pub(super) anchor: Place,
    pub(super) shape: Shape,
    /// The character under the later end is part of it.
    pub(super) inclusive: bool,
}

/// What is selected, in order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    from: Place,
    to: Place,
    shape: Shape,
    inclusive: bool,
    /// The columns of a rectangle, the last one in it.
    columns: (usize, usize),
}

impl Selection {
    pub(super) fn extent(&self, lines: &impl Lines, cursor: Place) -> Extent {
        let (mut from, mut to) = (self.anchor.min(cursor), self.anchor.max(cursor));
        let cols = lines.cols();
        let column = |place: Place, right: bool| {
            let line = lines.line(place.line);
            let starts = line.starts(cols);
            let col = if right {
                line.after(place.col) - 1
            } else {
                line.whole(place.col)
            };
            let row = starts.partition_point(|start| *start <= place.col);
            col.saturating_sub(
                row.checked_sub(1)
                    .and_then(|row| starts.get(row))
                    .copied()
                    .unwrap_or(0),
            )
        };
        let columns = match self.shape {
            Shape::Block => (
                column(from, false).min(column(to, false)),
                column(from, true).max(column(to, true)),
            ),
            Shape::Chars | Shape::Words | Shape::Lines => (0, usize::MAX),
        };
        if self.shape == Shape::Words {
            from.col = motion::word_at(&lines.line(from.line), from.col).0;
            to.col = motion::word_at(&lines.line(to.line), to.col)
                .1
                .saturating_sub(1);
        }
        Extent {
            from,
            to,
            shape: self.shape,
            inclusive: self.inclusive || self.shape == Shape::Words,
            columns,
        }
    }
}

impl Extent {
    /// The cells selected in one row of a line, which begins at `start` and ends before `end`.
    pub(super) fn in_row(
        &self,
        number: u64,
        line: &Line,
        start: usize,
        end: usize,
    ) -> Option<(usize, usize)> {
        if number < self.from.line || number > self.to.line {
            return None;
        }
        let (mut from, mut to) = (start, end);
        match self.shape {
            Shape::Lines => {}
            Shape::Chars | Shape::Words => {
                if number == self.from.line {
                    from = from.max(line.whole(self.from.col));
                }
                if number == self.to.line {
                    let last = if self.inclusive {
                        line.after(line.whole(self.to.col))
                    } else {
                        line.whole(self.to.col)
                    };
                    to = to.min(last);
                }
            }
            Shape::Block => {
                // Rows of the first and the last line that lie outside of the rectangle are not in it.
                let above = number == self.from.line && end <= self.from.col;
                let below = number == self.to.line && start > self.to.col;
                if above || below {
                    return None;
                }
                from = line.whole(start + self.columns.0);
                let right = start.saturating_add(self.columns.1);
                to = line.after(line.whole(right)).min(end.max(from));
            }
        }
        (from < to).then_some((from, to))
    }

    /// The text; lines that were only wrapped are whole, blanks at the ends of lines are left out.
    pub(super) fn text(&self, lines: &impl Lines) -> Copied {
        let mut copied = Copied {
            text: String::new(),
            cut: false,
        };
        // A selection that ends before a line's first character ends with the line before.
        let before = !self.inclusive && self.shape == Shape::Chars && self.to.col == 0;
        let last = if before && self.to.line > self.from.line {
            self.to.line - 1
        } else {
            self.to.line
        };
        for number in self.from.line..=last {
            if copied.text.len() > MOST {
                copied.cut = true;
                break;
            }
            let line = lines.line(number);
            if self.shape == Shape::Block {
                let starts = line.starts(lines.cols());
                for (row, start) in starts.iter().enumerate() {
                    let end = starts.get(row + 1).copied().unwrap_or(start + lines.cols());
                    if number == self.from.line && end <= self.from.col
                        || number == self.to.line && *start > self.to.col
                    {
                        continue;
                    }
                    let cells = self.in_row(number, &line, *start, end);
                    let (from, to) = cells.unwrap_or((0, 0));
                    copied.text.push_str(&line.slice(from, to));
                    copied.text.push('\n');
                }
                continue;
            }
            let end = line.len().max(line.cells.len());
            if let Some((from, to)) = self.in_row(number, &line, 0, end) {
                copied.text.push_str(&line.slice(from, to));
            }
            if !lines.goes_on(number) {
                copied.text.push('\n');
            }
        }
        // The line feed after the last line is not part of what was selected: pasted into a shell it would run it.
        if copied.text.ends_with('\n') {
            copied.text.pop();
        }
        copied
    }
}
