//! Where the cursor is among all lines, without counting the whole grid for it: what scrolled into the grid's history does not
//! change there, so the lines of it that were counted once are remembered until rows are packed, dropped or wrapped anew.

use super::marks::At;
use super::past::{Pieces, Rows};

/// What is remembered of the lines in a grid's history. Rows are counted from the oldest of the grid here, so that they keep
/// their numbers while more scroll away.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Foothold {
    /// A line begins in this row, and only history is above it.
    row: usize,
    /// So many lines begin before it.
    lines: usize,
    /// Where the line begins that holds the end of the prompt: its number and its row.
    input: Option<(u64, usize)>,
}

impl Foothold {
    /// Nothing is known any more: rows were wrapped anew or dropped.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// The oldest rows were packed, so many lines of them.
    pub(super) fn packed(&mut self, rows: usize, lines: usize) {
        self.input = self
            .input
            .and_then(|(line, row)| Some((line, row.checked_sub(rows)?)));
        match (self.row.checked_sub(rows), self.lines.checked_sub(lines)) {
            (Some(row), Some(lines)) => (self.row, self.lines) = (row, lines),
            _ => (self.row, self.lines) = (0, 0),
        }
    }

    /// The line of the cursor and the cells before it; `base` is the number of the grid's first line. `is_input` says that the
    /// place is the end of a prompt, which is asked for later.
    pub(super) fn find(&mut self, grid: &impl Rows, base: u64, is_input: bool) -> At {
        let history = grid.history();
        if self.row > history {
            self.forget();
        }
        let (cursor, col) = grid.cursor();
        let first = self.row as i32 - history as i32;
        let mut before = self.lines;
        for piece in Pieces::of(grid, first, grid.rows() as i32) {
            let row = usize::try_from(piece.row + history as i32).unwrap_or(0);
            // Only what begins at the screen's first row at the latest has nothing but history above it.
            if piece.row <= 0 {
                (self.row, self.lines) = (row, before);
            }
            let below = piece.row + piece.rows as i32;
            if cursor < below {
                let line = base + before as u64;
                if is_input {
                    self.input = Some((line, row));
                }
                let above = usize::try_from(cursor - piece.row).unwrap_or(0);
                return (line, above * grid.cols() + col);
            }
            before += 1;
        }
        // A cursor below the screen is none; the last line is the nearest.
        (base + before.saturating_sub(1) as u64, col)
    }

    /// The row of the grid in which the line with the end of the prompt begins, if that is known of this line.
    pub(super) fn input(&self, line: u64, grid: &impl Rows) -> Option<i32> {
        let (known, row) = self.input?;
        let row = row as i32 - grid.history() as i32;
        (known == line && row < grid.rows() as i32).then_some(row)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell as Count;

    use proptest::prelude::*;

    use super::super::copy::Lines;
    use super::super::grid::Grid;
    use super::super::outbox::Mark;
    use super::super::screen::Cell;
    use super::*;
    use crate::term::{Emulator, Size};

    /// A grid that counts how often one of its rows is looked at.
    struct Counted<'a> {
        grid: Grid<'a>,
        looked: Count<usize>,
    }

    impl<'a> Counted<'a> {
        fn of(grid: Grid<'a>) -> Self {
            let looked = Count::new(0);
            Self { grid, looked }
        }

        fn count(&self) {
            self.looked.set(self.looked.get() + 1);
        }
    }

    impl Rows for Counted<'_> {
        fn cols(&self) -> usize {
            self.grid.cols()
        }

        fn rows(&self) -> usize {
            self.grid.rows()
        }

        fn history(&self) -> usize {
            self.grid.history()
        }

        fn alternate(&self) -> bool {
            self.grid.alternate()
        }

        fn cursor(&self) -> (i32, usize) {
            self.grid.cursor()
        }

        fn wraps(&self, row: i32) -> bool {
            self.count();
            self.grid.wraps(row)
        }

        fn part(&self, row: i32, cells: &mut Vec<Cell>) -> bool {
            self.count();
            self.grid.part(row, cells)
        }
    }

    /// Sets a mark as the program's would be set; how many rows are looked at for it.
    fn marked(emulator: &mut Emulator, mark: Mark) -> usize {
        let mut past = std::mem::take(&mut emulator.past);
        let grid = Counted::of(emulator.grid());
        past.mark(&grid, mark);
        let looked = grid.looked.get();
        emulator.past = past;
        looked
    }

    #[test]
    fn a_mark_looks_at_the_screen_and_not_at_all_that_scrolled_away() {
        let mut emulator = Emulator::new(Size::new(20, 5));
        for line in 0..1_000 {
            emulator.feed(format!("line {line}\r\n").as_bytes());
        }
        // The first one counts what nobody counted yet.
        assert!(marked(&mut emulator, Mark::Prompt) > 900);
        let mut looked = 0;
        for line in 0..500 {
            for mark in [Mark::Prompt, Mark::Input, Mark::Output, Mark::Done(None)] {
                looked += marked(&mut emulator, mark);
            }
            emulator.feed(format!("$ more {line}\r\n").as_bytes());
        }
        // Rows are packed meanwhile, and what was counted of the others still holds.
        assert!(looked < 2_000 * 12, "{looked} rows for 2,000 marks");
    }

    #[test]
    fn what_was_typed_is_found_again_after_it_scrolled_away() {
        let mut emulator = Emulator::new(Size::new(20, 5));
        for line in 0..1_100 {
            emulator.feed(format!("line {line}\r\n").as_bytes());
        }
        emulator.feed(b"$ \x1b]133;B\x07make all");
        emulator.feed("\r\n".repeat(300).as_bytes());
        let looked = marked(&mut emulator, Mark::Output);
        assert_eq!(emulator.past.marks.take(), ["make all"]);
        assert!(looked < 400, "{looked} rows");
    }

    fn pieces() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let piece = prop_oneof![
            "[a-z]{1,40}".prop_map(String::into_bytes),
            Just(b"\r\n".to_vec()),
            Just("\r\n".repeat(40).into_bytes()),
            Just("x".repeat(700).into_bytes()),
            Just(b"\x1b[H".to_vec()),
            Just(b"\x1b[2J".to_vec()),
            Just(b"\x1b[3J".to_vec()),
            Just(b"\x1b[J".to_vec()),
            Just(b"\x1b[3A\x1b[K".to_vec()),
            Just(b"\x1b[2;4r\x1b[4H\n\n\x1b[r".to_vec()),
            Just(b"\x1b[?1049h".to_vec()),
            Just(b"\x1b[?1049l".to_vec()),
            Just(b"\x1bc".to_vec()),
            Just(b"\x1b]133;A\x07".to_vec()),
            Just(b"\x1b]133;B\x07".to_vec()),
            Just(b"\x1b]133;C\x07".to_vec()),
            (3u8..30, 2u8..12).prop_map(|(cols, rows)| vec![0, cols, rows]),
        ];
        proptest::collection::vec(piece, 1..60)
    }

    proptest! {
        #[test]
        fn the_place_is_that_which_counting_everything_finds(pieces in pieces()) {
            let mut emulator = Emulator::new(Size::new(12, 4));
            for piece in pieces {
                match piece.as_slice() {
                    [0, cols, rows] => emulator.resize(Size::new((*cols).into(), (*rows).into())),
                    bytes => emulator.feed(bytes),
                }
                let mut past = std::mem::take(&mut emulator.past);
                let grid = emulator.grid();
                if !grid.alternate() {
                    let whole = past.reading(&grid).cursor();
                    let base = past.history.end();
                    prop_assert_eq!(past.foothold.find(&grid, base, false), whole);
                }
                emulator.past = past;
            }
        }
    }
}
