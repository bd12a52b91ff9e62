//! Copy mode: a cursor among the lines of a pane, a selection, a search. A pure state machine; the lines come from outside and
//! may grow, shrink and be resized between two steps.

mod geometry;
mod lines;
mod motion;
mod search;
mod select;
#[cfg(test)]
mod tests;
mod view;

pub(super) use lines::{Line, Lines};

use search::Search;
use select::Selection;

use super::look::Copied;
use super::marks::Marks;
use crate::domain::look::{CopyKeys, Deed, Find, Motion, Shape};

/// The most times a motion is repeated at once.
const COUNT: u32 = 100_000;

/// A place among the lines: a line by its number, and a cell of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: u64,
    pub(super) col: usize,
}

/// What a step leads to.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// What was copied.
    pub(super) copied: Option<Copied>,
    /// Copy mode is over.
    pub(super) leave: bool,
}

/// Copy mode.
#[derive(Debug)]
pub(super) struct Copy {
    /// The cell in the upper left corner.
    top: Place,
    cursor: Place,
    /// The column in its row that the cursor goes back to in rows that are long enough.
    wish: usize,
    selection: Option<Selection>,
    search: Option<Search>,
    /// Where the cursor was, and the search before, when a pattern began to be typed.
    origin: Option<(Place, Place, Option<Search>)>,
    found: Option<(Find, char)>,
    keys: CopyKeys,
    /// It was begun by the wheel, so that the end of the way down leaves it.
    pub(super) by_wheel: bool,
    /// It was begun by a press, so that the release leaves it.
    pub(super) by_press: bool,
}

impl Copy {
    /// Begins with the cursor where the program's is.
    pub(super) fn begin(lines: &impl Lines, keys: CopyKeys) -> Self {
        let (top, cursor) = (lines.live(), lines.cursor());
        let mut copy = Self {
            top: Place {
                line: top.0,
                col: top.1,
            },
            cursor: Place {
                line: cursor.0,
                col: cursor.1,
            },
            wish: 0,
            selection: None,
            search: None,
            origin: None,
            found: None,
            keys,
            by_wheel: false,
            by_press: false,
        };
        copy.wish = copy.row_col(lines);
        copy
    }

    /// Brings everything back into lines that may have been dropped or cut since.
    pub(super) fn settle(&mut self, lines: &impl Lines) {
        let first = Place {
            line: lines.first(),
            col: 0,
        };
        let within = |place: Place| {
            if place.line >= lines.bottom() {
                Place {
                    line: lines.bottom().saturating_sub(1).max(first.line),
                    col: 0,
                }
            } else {
                place.max(first)
            }
        };
        self.top = self.row_start(lines, within(self.top));
        self.cursor = within(self.cursor);
        let len = lines.line(self.cursor.line).cells.len().max(lines.cols());
        self.cursor.col = self.cursor.col.min(len);
        if let Some(selection) = &mut self.selection {
            selection.anchor = within(selection.anchor);
        }
        let last = self.lowest(lines);
        self.top = self.top.min(last);
        self.reveal(lines, false);
    }

    /// Puts the cursor into a row, in the column it wishes for.
    fn enter_row(&mut self, lines: &impl Lines, row: Place) {
        let line = lines.line(row.line);
        let starts = line.starts(lines.cols());
        let next = starts.iter().find(|start| **start > row.col);
        let most = next.map_or(self.limit(&line), |next| next - 1);
        let col = (row.col + self.wish).min(most.max(row.col));
        self.cursor = Place {
            line: row.line,
            col: line.whole(col),
        };
    }

    fn rows(&mut self, lines: &impl Lines, by: i64) {
        let mut row = self.row_at(lines, self.row_start(lines, self.cursor), by).0;
        if by > 0 && row.line >= lines.end() {
            let last = Place {
                line: lines.end().saturating_sub(1),
                col: usize::MAX,
            };
            row = self
                .row_start(lines, last)
                .max(self.row_start(lines, self.cursor));
        }
        self.enter_row(lines, row);
    }

    /// Scrolls the view; the cursor stays in it. Says how far it went.
    pub(super) fn scroll(&mut self, lines: &impl Lines, by: i64) -> i64 {
        let (top, mut went) = self.row_at(lines, self.top, by);
        let lowest = self.lowest(lines);
        if top > lowest {
            went = 0;
        }
        self.top = top.min(lowest);
        let row = self.row_start(lines, self.cursor);
        let bottom = self.row_at(lines, self.top, lines.rows() as i64 - 1).0;
        if row < self.top {
            self.enter_row(lines, self.top);
        } else if row > bottom {
            self.enter_row(lines, bottom);
        }
        went
    }

    /// A page: view and cursor go together; at the ends the cursor goes on alone.
    fn page(&mut self, lines: &impl Lines, by: i64) {
        let old = self.top;
        let row = self.row_start(lines, self.cursor);
        self.top = self.row_at(lines, self.top, by).0.min(self.lowest(lines));
        if self.top == old {
            return self.rows(lines, by);
        }
        let row = self.row_at(lines, row, by).0;
        self.enter_row(lines, row);
        if self.cursor.line >= lines.end() {
            self.rows(lines, 1);
        }
    }

    /// Moves the cursor.
    pub(super) fn go(&mut self, lines: &impl Lines, marks: &Marks, motion: Motion, count: u32) {
        let times = count.clamp(1, COUNT);
        let mut centre = false;
        match motion {
            Motion::Up => self.rows(lines, -i64::from(times)),
            Motion::Down => self.rows(lines, i64::from(times)),
            Motion::ScrollDown => drop(self.scroll(lines, i64::from(times))),
            Motion::ScrollUp => drop(self.scroll(lines, -i64::from(times))),
            Motion::HalfDown | Motion::HalfUp | Motion::PageDown | Motion::PageUp => {
                let rows = lines.rows() as i64;
                let page = (rows - 2).max(1) * i64::from(times);
                let half = (rows / 2).max(1) * i64::from(times);
                self.page(
                    lines,
                    match motion {
                        Motion::HalfDown => half,
                        Motion::HalfUp => -half,
                        Motion::PageDown => page,
                        _ => -page,
                    },
                );
            }
            Motion::ViewTop | Motion::ViewMiddle | Motion::ViewBottom => {
                self.in_view(lines, motion, times);
            }
            Motion::Top | Motion::Bottom => self.goto_line(lines, motion, count),
            Motion::Match | Motion::MatchBack | Motion::Word | Motion::WordBefore => {
                centre = self.search_on(lines, motion, times);
            }
            Motion::PromptBack | Motion::PromptNext => {
                self.goto_prompt(lines, marks, motion, times)
            }
            _ => {
                for _ in 0..times {
                    let before = self.cursor;
                    self.step(lines, motion);
                    if self.cursor == before {
                        break;
                    }
                }
            }
        }
        self.reveal(lines, centre);
        let keeps = [
            Motion::Up,
            Motion::Down,
            Motion::HalfDown,
            Motion::HalfUp,
            Motion::PageDown,
            Motion::PageUp,
            Motion::ScrollDown,
            Motion::ScrollUp,
        ];
        if motion == Motion::LineEnd {
            self.wish = usize::from(u16::MAX);
        } else if !keeps.contains(&motion) {
            self.wish = self.row_col(lines);
        }
    }

    /// One step of a motion that is repeated as it stands.
    fn step(&mut self, lines: &impl Lines, motion: Motion) {
        let at = self.cursor;
        let line = lines.line(at.line);
        let col = match motion {
            Motion::Left if at.col > 0 => line.whole(at.col - 1),
            Motion::Right => line.after(at.col).min(self.limit(&line).max(at.col)),
            Motion::LineStart => 0,
            Motion::FirstText => line.first_text(),
            Motion::LineEnd => self.limit(&line),
            Motion::Find(how, wanted) => {
                self.found = Some((how, wanted));
                motion::find(&line, at.col, how, wanted, false).unwrap_or(at.col)
            }
            Motion::FindAgain => match self.found {
                Some((how, wanted)) => {
                    motion::find(&line, at.col, how, wanted, true).unwrap_or(at.col)
                }
                None => at.col,
            },
            Motion::FindBack => match self.found {
                Some((how, wanted)) => {
                    motion::find(&line, at.col, opposite(how), wanted, true).unwrap_or(at.col)
                }
                None => at.col,
            },
            _ => {
                self.cursor = match motion {
                    Motion::WordNext { big } => motion::word_next(lines, at, big),
                    Motion::WordBack { big } => motion::word_back(lines, at, big),
                    Motion::WordEnd { big } => {
                        let end = motion::word_end(lines, at, big);
                        match self.keys {
                            CopyKeys::Vi => end,
                            // Emacs goes behind the word.
                            CopyKeys::Emacs => Place {
                                col: lines.line(end.line).after(end.col),
                                ..end
                            },
                        }
                    }
                    Motion::ParagraphBack => motion::paragraph(lines, at, false),
                    Motion::ParagraphNext => motion::paragraph(lines, at, true),
                    Motion::Bracket => motion::bracket(lines, at).unwrap_or(at),
                    _ => at,
                };
                return;
            }
        };
        self.cursor.col = col;
    }

    fn in_view(&mut self, lines: &impl Lines, motion: Motion, times: u32) {
        let rows = view::rows_from(lines, self.top, lines.rows());
        let used = rows
            .iter()
            .filter(|(row, _)| row.line < lines.end())
            .count();
        let index = match motion {
            Motion::ViewTop => times as usize - 1,
            Motion::ViewMiddle => used.saturating_sub(1) / 2,
            _ => used.saturating_sub(times as usize),
        };
        if let Some((row, line)) = rows.get(index.min(used.saturating_sub(1))) {
            let col = line
                .first_text()
                .max(row.from)
                .min(row.to.saturating_sub(1));
            self.cursor = Place {
                line: row.line,
                col: line.whole(col),
            };
        }
    }

    fn goto_line(&mut self, lines: &impl Lines, motion: Motion, count: u32) {
        let last = lines.end().saturating_sub(1).max(lines.first());
        let number = match (count, motion) {
            (0, Motion::Top) => lines.first(),
            (0, _) => last,
            (count, _) => (lines.first() + u64::from(count) - 1).min(last),
        };
        let line = lines.line(number);
        self.cursor = Place {
            line: number,
            col: line.first_text(),
        };
    }

    fn goto_prompt(&mut self, lines: &impl Lines, marks: &Marks, motion: Motion, times: u32) {
        let here = self.cursor.line;
        let skip = times as usize - 1;
        let found = if motion == Motion::PromptBack {
            let mut before = marks.prompts().rev().filter(|line| *line < here);
            before.nth(skip)
        } else {
            marks.prompts().filter(|line| *line > here).nth(skip)
        };
        if let Some(line) = found.filter(|line| *line >= lines.first() && *line < lines.bottom()) {
            self.cursor = Place { line, col: 0 };
            // The prompt and what came of it are to be seen, not the prompt alone in the last row.
            self.top = self.cursor.min(self.lowest(lines));
        }
    }

    /// Goes on with the search, or begins one for the word under the cursor; whether the cursor moved.
    fn search_on(&mut self, lines: &impl Lines, motion: Motion, times: u32) -> bool {
        if matches!(motion, Motion::Word | Motion::WordBefore) {
            let line = lines.line(self.cursor.line);
            let Some(word) = motion::keyword_at(&line, self.cursor.col) else {
                return false;
            };
            let pattern = format!(r"\b{}\b", regex::escape(&word));
            self.search = Search::new(&pattern, motion == Motion::WordBefore);
        }
        let Some(mut search) = self.search.take() else {
            return false;
        };
        let backward = search.backward != (motion == Motion::MatchBack);
        let before = self.cursor;
        search.count(lines);
        for _ in 0..search.rounds(times) {
            match search.next(lines, self.cursor, backward) {
                Some(place) => self.cursor = place,
                None => break,
            }
        }
        self.search = Some(search);
        self.cursor != before
    }

    /// A pattern is typed, or was.
    pub(super) fn search(&mut self, lines: &impl Lines, pattern: &str, backward: bool, done: bool) {
        if self.origin.is_none() {
            self.origin = Some((self.cursor, self.top, self.search.take()));
        }
        let Some((cursor, top, before)) = self.origin.take() else {
            return;
        };
        let again = (done && pattern.is_empty())
            .then_some(before.as_ref())
            .flatten();
        let wanted = again.map_or(pattern, |before| before.pattern.as_str());
        let search = Search::new(wanted, backward);
        (self.cursor, self.top) = (cursor, top);
        if let Some(mut search) = search {
            let found = match backward {
                true => search.next(lines, cursor, true),
                // What is under the cursor is found only while somebody types.
                false if done && again.is_some() => search.next(lines, cursor, false),
                false => search.from(lines, cursor),
            };
            if let Some(place) = found {
                self.cursor = place;
                self.reveal(lines, true);
            }
            search.count(lines);
            self.search = Some(search);
        } else {
            self.search = None;
        }
        self.wish = self.row_col(lines);
        if !done {
            self.origin = Some((cursor, top, before));
        }
    }

    // tidy: table
    /// Does something other than moving. What the last command wrote is copied by whoever knows the marks.
    pub(super) fn act(&mut self, lines: &impl Lines, deed: Deed) -> Step {
        let mut step = Step::default();
        match deed {
            Deed::Select(shape) => {
                self.selection = match self.selection {
                    Some(selection) if selection.shape == shape => None,
                    Some(selection) => Some(Selection { shape, ..selection }),
                    None => Some(self.select(shape)),
                };
            }
            Deed::Clear => self.selection = None,
            Deed::OtherEnd => {
                if let Some(selection) = &mut self.selection {
                    std::mem::swap(&mut selection.anchor, &mut self.cursor);
                }
            }
            Deed::OtherCorner => {
                let (here, cols) = (self.row_col(lines), self.row_start(lines, self.cursor));
                if let Some(selection) = self.selection {
                    let anchor = self.row_start(lines, selection.anchor);
                    let there = selection.anchor.col - anchor.col.min(selection.anchor.col);
                    self.cursor.col = cols.col + there;
                    if let Some(selection) = &mut self.selection {
                        selection.anchor.col = anchor.col + here;
                    }
                }
            }
            Deed::Yank | Deed::YankAndLeave => {
                step.copied = self.selected(lines);
                self.selection = None;
                step.leave = deed == Deed::YankAndLeave;
            }
            Deed::YankLine => {
                let selection = self.select(Shape::Lines);
                step.copied = Some(selection.extent(lines, self.cursor).text(lines));
            }
            Deed::Leave => step.leave = true,
            Deed::Escape => {
                step.leave = self.selection.take().is_none();
            }
            Deed::Centre => {
                let row = self.row_start(lines, self.cursor);
                let half = lines.rows() as i64 / 2;
                self.top = self.row_at(lines, row, -half).0.min(self.lowest(lines));
            }
            Deed::CancelSearch => {
                if let Some((cursor, top, before)) = self.origin.take() {
                    (self.cursor, self.top, self.search) = (cursor, top, before);
                }
            }
            Deed::YankOutput => {}
        }
        self.reveal(lines, false);
        if deed != Deed::Centre {
            self.wish = self.row_col(lines);
        }
        step
    }

    fn select(&self, shape: Shape) -> Selection {
        Selection {
            anchor: self.cursor,
            shape,
            inclusive: self.keys == CopyKeys::Vi,
        }
    }

    /// What is selected, if anything is.
    pub(super) fn selected(&self, lines: &impl Lines) -> Option<Copied> {
        let selection = self.selection?;
        let copied = selection.extent(lines, self.cursor).text(lines);
        (!copied.text.is_empty()).then_some(copied)
    }

    /// The text between two places, the second not in it.
    pub(super) fn between(lines: &impl Lines, from: Place, to: Place) -> Copied {
        let selection = Selection {
            anchor: from,
            shape: Shape::Chars,
            inclusive: false,
        };
        selection.extent(lines, to).text(lines)
    }

    /// The place in a cell of the view.
    fn pointed(&self, lines: &impl Lines, row: i64, col: u16) -> Place {
        let rows = view::rows_from(lines, self.top, lines.rows());
        let index = usize::try_from(row).unwrap_or(0);
        match rows.get(index).or(rows.last()) {
            Some((row, line)) => Place {
                line: row.line,
                col: line.whole((row.from + usize::from(col)).min(row.to.saturating_sub(1))),
            },
            None => self.cursor,
        }
    }

    /// A button went down: a selection begins.
    pub(super) fn press(&mut self, lines: &impl Lines, row: u16, col: u16, shape: Shape) {
        self.cursor = self.pointed(lines, i64::from(row), col);
        self.wish = self.row_col(lines);
        self.selection = Some(Selection {
            inclusive: true,
            ..self.select(shape)
        });
    }

    /// The pointer is elsewhere.
    pub(super) fn drag(&mut self, lines: &impl Lines, row: i32, col: u16) {
        let rows = lines.rows() as i32;
        if row < 0 {
            self.scroll(lines, -1);
        } else if row >= rows {
            self.scroll(lines, 1);
        }
        self.cursor = self.pointed(lines, i64::from(row.clamp(0, rows - 1)), col);
        self.wish = self.row_col(lines);
    }

    /// A click.
    pub(super) fn click(&mut self, lines: &impl Lines, row: u16, col: u16) {
        self.cursor = self.pointed(lines, i64::from(row), col);
        let line = lines.line(self.cursor.line);
        self.cursor.col = self.cursor.col.min(self.limit(&line));
        self.wish = self.row_col(lines);
        self.selection = None;
    }
}

fn opposite(how: Find) -> Find {
    match how {
        Find::On => Find::OnBack,
        Find::OnBack => Find::On,
        Find::Till => Find::TillBack,
        Find::TillBack => Find::Till,
    }
}
