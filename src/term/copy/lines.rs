//! Lines as copy mode reads them, and how they fall into rows.

use crate::term::screen::Cell;

/// All lines of a pane as one sequence, the oldest first. There is always at least one.
pub(in crate::term) trait Lines {
    /// The number of the oldest line.
    fn first(&self) -> u64;
    /// How many lines there were before it that are not kept.
    fn gone(&self) -> u64;
    /// The number after the last line that holds anything.
    fn end(&self) -> u64;
    /// The number after the last line of the screen.
    fn bottom(&self) -> u64;
    /// Where the screen begins: a line, and the cells of it that are above.
    fn live(&self) -> (u64, usize);
    /// Where the program's cursor is.
    fn cursor(&self) -> (u64, usize);
    /// Columns of the view.
    fn cols(&self) -> usize;
    /// Rows of the view.
    fn rows(&self) -> usize;
    /// The cells of a line; none for one that is not kept.
    fn line(&self, number: u64) -> Line;
    /// The text of a line without trailing blanks.
    fn text<'b>(&'b self, number: u64, room: &'b mut String) -> &'b str;
    /// Whether the line was too long to be one and goes on in the next.
    fn goes_on(&self, number: u64) -> bool;
}

/// What a character is to the motions of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Blank,
    Word,
    Other,
}

/// A line.
#[derive(Clone, Debug, Default)]
pub(in crate::term) struct Line {
    /// All its cells; blanks at its end may be missing.
    pub(in crate::term) cells: Vec<Cell>,
    /// Cells up to the last one that holds something.
    len: usize,
}

impl Line {
    pub(in crate::term) fn new(cells: Vec<Cell>) -> Self {
        let filled = |cell: &Cell| !matches!(cell.text.as_str(), " ");
        let len = cells.iter().rposition(filled).map_or(0, |last| last + 1);
        Self { cells, len }
    }

    /// Cells up to the last one that holds something.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The text of a cell; a blank after the end.
    pub(super) fn at(&self, col: usize) -> &str {
        self.cells.get(col).map_or(" ", |cell| cell.text.as_str())
    }

    /// Where the character begins whose right half may be at `col`.
    pub(super) fn whole(&self, col: usize) -> usize {
        if col > 0 && self.at(col).is_empty() {
            col - 1
        } else {
            col
        }
    }

    /// The cell after the character at `col`.
    pub(super) fn after(&self, col: usize) -> usize {
        if self.at(col + 1).is_empty() {
            col + 2
        } else {
            col + 1
        }
    }

    /// The last character, or the first column of an empty line.
    pub(super) fn last(&self) -> usize {
        self.whole(self.len.saturating_sub(1))
    }

    pub(super) fn first_text(&self) -> usize {
        (0..self.len).find(|col| self.at(*col) != " ").unwrap_or(0)
    }

    pub(super) fn class(&self, col: usize, big: bool) -> Class {
        match self.at(self.whole(col)).chars().next() {
            None => Class::Blank,
            Some(c) if c.is_whitespace() => Class::Blank,
            Some(c) if big || c.is_alphanumeric() || c == '_' => Class::Word,
            Some(_) => Class::Other,
        }
    }

    /// Where the rows of the line begin in a view of so many columns; always at least one.
    pub(super) fn starts(&self, cols: usize) -> Vec<usize> {
        let mut starts = vec![0];
        let mut next = cols;
        while next < self.cells.len() && cols >= 2 {
            // A wide character is not cut in two.
            next = self.whole(next);
            starts.push(next);
            next += cols;
        }
        starts
    }

    /// The text of some cells, without blanks at the end.
    pub(super) fn slice(&self, from: usize, to: usize) -> String {
        let cells = self.cells.get(from.min(self.len)..to.min(self.len));
        let mut text: String = cells
            .unwrap_or_default()
            .iter()
            .map(|cell| cell.text.as_str())
            .collect();
        text.truncate(text.trim_end_matches(' ').len());
        text
    }

    /// The cells that a part of its text is in.
    pub(super) fn cells_of(&self, bytes: std::ops::Range<usize>) -> (usize, usize) {
        let (mut at, mut from, mut to) = (0, None, self.len);
        for (col, cell) in self.cells.iter().enumerate() {
            if from.is_none() && at + cell.text.len() > bytes.start {
                from = Some(col);
            }
            if from.is_some() && at >= bytes.end && !cell.text.is_empty() {
                to = col;
                break;
            }
            at += cell.text.len();
        }
        (from.unwrap_or(self.len), to)
    }
}
