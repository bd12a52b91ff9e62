//! Looking around in an emulator: its lines as text, and copy mode over its packed lines and its grid.

use std::sync::Arc;

use super::copy::{Copy, Line, Lines, Place, Step};
use super::emulator::Emulator;
use super::grid::Grid;
use super::look::{Copied, Keep, Look};
use super::marks::At;
use super::past::{Past, Reading, Rows};
use super::screen::{Passed, Screen};
use crate::domain::look::{Deed, Motion};

impl Emulator {
    /// How many rows there are to scroll back; a packed line counts as one.
    pub fn history_len(&self) -> usize {
        let grid = self.grid();
        let history = &self.past.history;
        let packed = usize::try_from(history.end() - history.first()).unwrap_or(usize::MAX);
        if grid.alternate() {
            0
        } else {
            packed + grid.history()
        }
    }

    /// The memory that packed lines take, in bytes.
    pub fn packed_bytes(&self) -> usize {
        self.past.history.size()
    }

    /// The commands that a shell with marks (OSC 133) began to run since this was last asked: what was typed, the last few.
    pub fn take_commands(&mut self) -> Vec<String> {
        self.past.marks.take()
    }

    /// How much is kept and how copy mode behaves from now on.
    pub fn keep(&mut self, keep: Keep) {
        self.past.keep = keep;
        self.past.history.keep(keep.bytes);
    }

    /// History and screen as text. Rows that were only wrapped for width are one line again; trailing blanks and
    /// trailing empty lines are left out.
    pub fn text(&self) -> String {
        let grid = self.grid();
        let lines = self.past.reading(&grid);
        let mut text = String::new();
        write(&lines, lines.first()..lines.bottom(), &mut text);
        text.truncate(text.trim_end_matches([' ', '\n']).len());
        text
    }

    /// The history as text, without the screen. A line that goes on at the top of the screen ends without a line feed; a
    /// full-screen program has none.
    pub fn history_text(&self) -> String {
        let mut text = String::new();
        let grid = self.grid();
        let lines = self.past.reading(&grid);
        let (line, cells) = lines.live();
        write(&lines, lines.first()..line, &mut text);
        if cells > 0 {
            text.push_str(&lines.line(line).upto(cells));
        }
        text
    }

    /// The last lines that left the screen, `most` of them if there are so many; none of a full-screen program.
    pub fn passed(&self, most: u64) -> Option<Passed> {
        let grid = self.grid();
        if grid.alternate() {
            return None;
        }
        let lines = self.past.reading(&grid);
        let (top, cells) = lines.live();
        let first = lines.first().max(top.saturating_sub(most));
        let mut room = String::new();
        let passed = (first..top).map(|number| lines.text(number, &mut room).trim_end().to_owned());
        let passed = passed.collect();
        let begun = match cells {
            0 => String::new(),
            cells => lines.line(top).upto(cells),
        };
        Some(Passed {
            first,
            lines: passed,
            begun,
        })
    }

    /// Moves the history out as text, for those who keep more of it. A line that goes on at the top of the screen ends without
    /// a line feed.
    pub fn take_history(&mut self) -> String {
        let text = self.history_text();
        if self.grid().alternate() {
            return text;
        }
        self.past.copy = None;
        let mut past = std::mem::take(&mut self.past);
        past.before_clearing(&self.grid());
        self.past = past;
        self.clear_grid_history();
        text
    }

    /// The number of the line that the cursor is in, counted from the first that was ever written; none in a full-screen
    /// program.
    pub(super) fn line_of_cursor(&mut self) -> Option<u64> {
        self.place_of_cursor().map(|(line, _)| line)
    }

    /// The same with the cells before the cursor.
    pub(super) fn place_of_cursor(&mut self) -> Option<At> {
        let mut foothold = self.past.foothold;
        let grid = self.grid();
        if grid.alternate() {
            return None;
        }
        let place = foothold.find(&grid, self.past.history.end(), false);
        self.past.foothold = foothold;
        Some(place)
    }

    /// How many lines there were up to the last that holds anything.
    pub(super) fn line_count(&self) -> u64 {
        let grid = self.grid();
        self.past.reading(&grid).end()
    }

    /// Scrolls the view `lines` back into history, or forward when negative; 0 returns to the end.
    pub fn scroll(&mut self, lines: i32) {
        self.look(Look::Scroll(lines));
    }

    /// Does what is asked of the view; what was copied, if anything was.
    pub fn look(&mut self, look: Look) -> Option<Copied> {
        if let Look::Keep(keep) = look {
            self.keep(keep);
            return None;
        }
        if look == Look::Do(Deed::YankOutput) {
            return self.output();
        }
        let mut copy = self.past.copy.take();
        let grid = self.grid();
        let lines = self.past.reading(&grid);
        if let Some(copy) = &mut copy {
            copy.settle(&lines);
        }
        let step = step(&self.past, &lines, &mut copy, look);
        if !step.leave {
            self.past.copy = copy;
        }
        step.copied
    }

    /// What the last command wrote, as the shell's marks tell.
    fn output(&self) -> Option<Copied> {
        let grid = self.grid();
        if grid.alternate() {
            return None;
        }
        let lines = self.past.reading(&grid);
        let place = |(line, col)| Place { line, col };
        let (from, to) = self.past.marks.output()?;
        let end = Place {
            // Where nobody marks prompts, the line of the cursor is taken for one.
            line: match self.past.marks.is_exact() {
                true => lines.end(),
                false => lines.cursor().0,
            },
            col: 0,
        };
        let (from, to) = (place(from), to.map_or(end, place));
        let from = from.max(Place {
            line: lines.first(),
            col: 0,
        });
        (from < to).then(|| Copy::between(&lines, from, to))
    }

    /// The screen as whoever looks around in it sees it; it is the same while nobody does.
    pub(super) fn looked_at(&mut self, live: Arc<Screen>) -> Arc<Screen> {
        let Some(mut copy) = self.past.copy.take() else {
            self.past.shown = None;
            return live;
        };
        let before = self.past.shown.take();
        let grid = self.grid();
        let lines = self.past.reading(&grid);
        copy.settle(&lines);
        let old = before.as_ref().map_or(&live.rows, |screen| &screen.rows);
        let (rows, view) = copy.show(&lines, &self.past.marks, old);
        let (line, row) = copy.corner(&lines);
        let scrolled_back = lines.rows_below(line, row).saturating_sub(lines.rows());
        let screen = Screen {
            rows,
            cursor: None,
            scrolled_back,
            copy: Some(view),
            ..Screen::clone(&live)
        };
        let screen = match before {
            Some(before) if *before == screen => before,
            _ => Arc::new(screen),
        };
        self.past.shown = Some(Arc::clone(&screen));
        self.past.copy = Some(copy);
        screen
    }
}

/// Does one step; copy mode begins if need be, and ends where the step says so.
fn step(past: &Past, lines: &Reading<'_, Grid<'_>>, copy: &mut Option<Copy>, look: Look) -> Step {
    let mut step = Step::default();
    let leaves = match &look {
        Look::Keep(_) => true,
        Look::Do(Deed::Leave | Deed::Escape | Deed::CancelSearch) => true,
        Look::Scroll(rows) => *rows <= 0,
        Look::Drag { .. } | Look::Release => true,
        _ => false,
    };
    if copy.is_none() && leaves {
        return step;
    }
    let fresh = copy.is_none();
    let copy = copy.get_or_insert_with(|| Copy::begin(lines, past.keep.keys));
    match look {
        Look::Keep(_) | Look::Begin => {}
        Look::Scroll(0) => step.leave = true,
        Look::Scroll(rows) => {
            copy.by_wheel |= fresh;
            copy.scroll(lines, -i64::from(rows));
            step.leave = rows < 0 && copy.by_wheel && copy.at_end(lines) && !copy.is_selecting();
        }
        Look::Go(motion, count) => {
            // The cursor is what somebody looks at now, not only the text.
            copy.by_wheel = false;
            copy.go(lines, &past.marks, motion, count);
            step.leave =
                fresh && motion == Motion::PromptBack && copy.at_end(lines) && !past.marks.any();
        }
        Look::Do(deed) => step = copy.act(lines, deed),
        Look::Search {
            pattern,
            backward,
            done,
        } => {
            copy.by_wheel = false;
            copy.search(lines, &pattern, backward, done);
        }
        Look::Press { row, col, shape } => {
            copy.by_press = fresh;
            copy.press(lines, row, col, shape);
        }
        Look::Drag { row, col } => copy.drag(lines, row, col),
        Look::Release => {
            step.copied = copy.selected(lines);
            step.leave = copy.by_press;
        }
        Look::Click { row, col } => copy.click(lines, row, col),
    }
    step
}

/// Appends lines as text.
fn write(lines: &impl Lines, numbers: std::ops::Range<u64>, text: &mut String) {
    let mut room = String::new();
    for number in numbers {
        text.push_str(lines.text(number, &mut room));
        if !lines.goes_on(number) {
            text.push('\n');
        }
    }
}

impl Line {
    /// The text of its first cells, blanks and all.
    fn upto(&self, cells: usize) -> String {
        let cells = self.cells.iter().take(cells);
        cells.map(|cell| cell.text.as_str()).collect()
    }
}
