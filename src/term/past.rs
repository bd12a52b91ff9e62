//! What an emulator knows beyond its grid: packed scrollback, the shell's marks, and copy mode. Its lines are one sequence
//! with the grid's: numbers grow from the oldest, and a line keeps its number when it is packed or its pane is resized.

use super::copy::{Copy, Line, Lines};
use super::foothold::Foothold;
use super::history::{History, LINE_CELLS, LINE_ROWS};
use super::look::{Keep, ShellState};
use super::marks::{At, Marks};
use super::outbox::Mark;
use super::screen::{Cell, Screen};
use super::typed::Typing;
use std::sync::Arc;

/// The rows that stay in the grid as cells, beyond the screen.
pub(super) const LIVE: usize = 1_000;

/// How many rows more there may be until some are packed, so that it is done for many at once.
pub(super) const SLACK: usize = 128;

/// Lines of the alternate screen have numbers from here on: they are no part of the history.
const ALTERNATE: u64 = 1 << 62;

/// The rows of a grid; those of its history have negative numbers.
pub(super) trait Rows {
    /// Columns.
    fn cols(&self) -> usize;
    /// Rows of the screen.
    fn rows(&self) -> usize;
    /// Rows of the history.
    fn history(&self) -> usize;
    /// The alternate screen is shown.
    fn alternate(&self) -> bool;
    /// Row and column of the cursor.
    fn cursor(&self) -> (i32, usize);
    /// Whether the line goes on in the next row.
    fn wraps(&self, row: i32) -> bool;
    /// Reads a row, without the blank that stands for a wide character that did not fit; whether the line goes on.
    fn part(&self, row: i32, cells: &mut Vec<Cell>) -> bool;
}

/// What an emulator knows beyond its grid.
#[derive(Debug)]
pub(super) struct Past {
    pub(super) history: History,
    pub(super) marks: Marks,
    /// What was typed, as long as the shell marks nothing.
    pub(super) typing: Typing,
    pub(super) foothold: Foothold,
    pub(super) keep: Keep,
    pub(super) copy: Option<Copy>,
    /// The screen as copy mode last showed it.
    pub(super) shown: Option<Arc<Screen>>,
}

impl Default for Past {
    fn default() -> Self {
        let keep = Keep::default();
        Self {
            history: History::new(keep.bytes),
            marks: Marks::default(),
            typing: Typing::default(),
            foothold: Foothold::default(),
            keep,
            copy: None,
            shown: None,
        }
    }
}

impl Past {
    /// Packs the oldest rows until about `live` are left; how many the grid may drop now.
    pub(super) fn pack(&mut self, grid: &impl Rows, live: usize) -> usize {
        if grid.alternate() {
            return 0;
        }
        let excess = grid.history().saturating_sub(live);
        let (mut done, mut lines) = (0, 0);
        let mut cells = Vec::new();
        for piece in Pieces::of(grid, -(grid.history() as i32), 0) {
            if done + piece.rows > excess || piece.open {
                break;
            }
            join(grid, piece, &mut cells);
            let open = grid.wraps(piece.row + piece.rows as i32 - 1);
            self.history.push(&cells, open);
            done += piece.rows;
            lines += 1;
        }
        self.foothold.packed(done, lines);
        self.marks.forget(self.history.first());
        done
    }

    /// The screen is about to be emptied together with its history: the history is packed whole, and what stood on the
    /// screen has no number any more.
    pub(super) fn before_reset(&mut self, grid: &impl Rows) {
        let mut cells = Vec::new();
        if !grid.alternate() {
            for piece in Pieces::of(grid, -(grid.history() as i32), 0) {
                join(grid, piece, &mut cells);
                self.history.push(&cells, false);
            }
        }
        self.foothold.forget();
        self.marks.cut(self.history.end());
        self.marks.state = ShellState::Unknown;
        self.typing = Typing::default();
        self.copy = None;
    }

    /// The history is about to be cleared: what is packed goes too. What is on the screen keeps its numbers.
    pub(super) fn before_clearing(&mut self, grid: &impl Rows) {
        if grid.alternate() {
            return;
        }
        let pieces = Pieces::of(grid, -(grid.history() as i32), 0);
        let gone = pieces.filter(|piece| !piece.open).count() as u64;
        self.history.clear(gone);
        self.foothold.forget();
        self.marks.forget(self.history.first());
    }

    /// What stands below the cursor's line is about to be erased; marks there lead nowhere.
    pub(super) fn before_erasing(&mut self, grid: &impl Rows) {
        if !grid.alternate() && self.marks.any() {
            let (line, _) = self.foothold.find(grid, self.history.end(), false);
            self.marks.cut(line + 1);
        }
    }

    /// Keeps a mark at the cursor.
    pub(super) fn mark(&mut self, grid: &impl Rows, mark: Mark) {
        // A full-screen program has no prompts.
        if grid.alternate() {
            return self.marks.set(None, mark);
        }
        let base = self.history.end();
        let place = self.foothold.find(grid, base, mark == Mark::Input);
        if mark == Mark::Output {
            let typed = self.typed(grid, place);
            self.marks.begin(&typed);
        }
        self.marks.set(Some(place), mark);
    }

    /// What stands between the end of the prompt and the cursor, of a command of several lines the first.
    fn typed(&self, grid: &impl Rows, to: At) -> String {
        let Some((line, col)) = self.marks.input() else {
            return String::new();
        };
        let row = self.foothold.input(line, grid);
        let piece = row.and_then(|row| Pieces::of(grid, row, grid.rows() as i32).next());
        let cells = match piece {
            Some(piece) => {
                let mut cells = Vec::new();
                join(grid, piece, &mut cells);
                cells
            }
            None => self.cells_of(grid, line),
        };
        let to = to.min((line + 1, 0));
        let end = if to.0 == line { to.1 } else { cells.len() };
        let typed = cells.get(col..end.min(cells.len())).unwrap_or_default();
        typed.iter().map(|cell| cell.text.as_str()).collect()
    }

    /// What stands in a line.
    pub(super) fn cells_of(&self, grid: &impl Rows, line: u64) -> Vec<Cell> {
        self.reading(grid).line(line).cells
    }

    /// All lines, the oldest first.
    pub(super) fn reading<'a, G: Rows>(&'a self, grid: &'a G) -> Reading<'a, G> {
        Reading::new(&self.history, grid)
    }
}

/// A line, or a piece of a long one, in a grid.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) row: i32,
    pub(super) rows: usize,
    /// It goes on where the rows that were looked at end.
    open: bool,
}

/// Finds the lines in rows that begin with the beginning of one.
pub(super) struct Pieces<'a, G> {
    grid: &'a G,
    next: i32,
    end: i32,
}

impl<'a, G: Rows> Pieces<'a, G> {
    pub(super) fn of(grid: &'a G, from: i32, end: i32) -> Self {
        Self {
            grid,
            next: from,
            end,
        }
    }
}

impl<G: Rows> Iterator for Pieces<'_, G> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        if self.next >= self.end {
            return None;
        }
        let row = self.next;
        let most = LINE_ROWS.min(LINE_CELLS / self.grid.cols().max(1) + 1);
        let mut rows = 0;
        loop {
            let wraps = self.grid.wraps(self.next);
            rows += 1;
            self.next += 1;
            let open = self.next >= self.end && wraps && rows < most;
            if !wraps || rows >= most || open {
                return Some(Piece { row, rows, open });
            }
        }
    }
}

fn join(grid: &impl Rows, piece: Piece, cells: &mut Vec<Cell>) {
    if piece.rows == 1 {
        grid.part(piece.row, cells);
        return;
    }
    cells.clear();
    let mut part = Vec::new();
    for row in 0..piece.rows as i32 {
        grid.part(piece.row + row, &mut part);
        cells.append(&mut part);
    }
}

/// Packed lines and those of the grid as one sequence.
pub(super) struct Reading<'a, G> {
    history: &'a History,
    grid: &'a G,
    /// The number of the first line in the grid.
    base: u64,
    pieces: Vec<Piece>,
    /// After the last line that holds anything.
    end: u64,
}

impl<'a, G: Rows> Reading<'a, G> {
    fn new(history: &'a History, grid: &'a G) -> Self {
        let base = if grid.alternate() {
            ALTERNATE
        } else {
            history.end()
        };
        let pieces: Vec<Piece> =
            Pieces::of(grid, -(grid.history() as i32), grid.rows() as i32).collect();
        let (cursor, _) = grid.cursor();
        let empty = super::history::blank();
        let mut part = Vec::new();
        let used = pieces.iter().rposition(|piece| {
            let last = piece.row + piece.rows as i32 - 1;
            if piece.rows > 1 || last <= cursor {
                return true;
            }
            grid.part(piece.row, &mut part);
            part.iter().any(|cell| *cell != empty)
        });
        Self {
            history,
            grid,
            base,
            end: base + used.map_or(1, |last| last as u64 + 1),
            pieces,
        }
    }

    /// The line that holds a row of the grid, and the cells before that row in it.
    pub(super) fn place_of_row(&self, row: i32) -> (u64, usize) {
        let index = self.pieces.partition_point(|piece| piece.row <= row);
        let index = index.saturating_sub(1);
        let above = self
            .pieces
            .get(index)
            .map_or(0, |piece| usize::try_from(row - piece.row).unwrap_or(0));
        (self.base + index as u64, above * self.grid.cols())
    }

    fn place_of_cursor(&self) -> (u64, usize) {
        let (row, col) = self.grid.cursor();
        let (line, before) = self.place_of_row(row);
        (line, before + col)
    }

    /// How many rows the end of the screen is below this row; exact in the grid, and a line counts as one row beyond it.
    pub(super) fn rows_below(&self, line: u64, row: usize) -> usize {
        let screen = self.grid.rows();
        match line.checked_sub(self.base) {
            Some(index) => {
                let first = usize::try_from(index)
                    .ok()
                    .and_then(|index| self.pieces.get(index));
                let first = first.map_or(0, |piece| piece.row + row as i32);
                usize::try_from(screen as i32 - first).unwrap_or(0)
            }
            None => (self.base - line) as usize + self.grid.history() + screen,
        }
    }
}

impl<G: Rows> Lines for Reading<'_, G> {
    fn first(&self) -> u64 {
        if self.grid.alternate() {
            self.base
        } else {
            self.history.first()
        }
    }

    fn gone(&self) -> u64 {
        if self.grid.alternate() {
            0
        } else {
            self.history.first()
        }
    }

    fn end(&self) -> u64 {
        self.end
    }

    fn bottom(&self) -> u64 {
        self.base + self.pieces.len() as u64
    }

    fn live(&self) -> (u64, usize) {
        let (line, col) = self.place_of_row(0);
        (line, col)
    }

    fn cursor(&self) -> (u64, usize) {
        self.place_of_cursor()
    }

    fn cols(&self) -> usize {
        self.grid.cols()
    }

    fn rows(&self) -> usize {
        self.grid.rows()
    }

    fn line(&self, number: u64) -> Line {
        let mut cells = Vec::new();
        match number.checked_sub(self.base) {
            None => self.history.cells(number, &mut cells),
            Some(index) => {
                let piece = usize::try_from(index)
                    .ok()
                    .and_then(|index| self.pieces.get(index));
                if let Some(piece) = piece {
                    join(self.grid, *piece, &mut cells);
                }
            }
        }
        Line::new(cells)
    }

    fn text<'b>(&'b self, number: u64, room: &'b mut String) -> &'b str {
        if number < self.base {
            return self.history.text(number).trim_end_matches(' ');
        }
        room.clear();
        for cell in &self.line(number).cells {
            room.push_str(cell.text.as_str());
        }
        room.trim_end_matches(' ')
    }

    fn goes_on(&self, number: u64) -> bool {
        let Some(index) = number.checked_sub(self.base) else {
            return self.history.is_open(number);
        };
        let piece = usize::try_from(index)
            .ok()
            .and_then(|index| self.pieces.get(index));
        piece.is_some_and(|piece| self.grid.wraps(piece.row + piece.rows as i32 - 1))
    }
}
