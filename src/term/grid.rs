//! Reads the crate's grid: its rows as our cells, with what the guard keeps besides. It changes nothing.

use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::cell::Flags;
use alacritty_terminal::term::{self, Term, TermMode};
use alacritty_terminal::vte::ansi::{self, NamedColor, Rgb};

use super::emulator::Listener;
use super::guard::{BLINK, Kept};
use super::past::Rows;
use super::screen::{Cell, Color, Glyph, Style, Underline};

/// The grid of the screen that is shown.
pub(super) struct Grid<'a> {
    term: &'a Term<Listener>,
    kept: &'a Kept,
}

impl<'a> Grid<'a> {
    pub(super) fn of(term: &'a Term<Listener>, kept: &'a Kept) -> Self {
        Self { term, kept }
    }

    /// Reads a row of the grid, history having negative numbers, into `cells`; whether the line goes on below.
    pub(super) fn cells_of(&self, index: i32, cells: &mut Vec<Cell>) -> bool {
        self.first_cells_of(index, self.term.columns(), cells)
    }

    /// How many cells of a row say anything; behind them it is blank to its end.
    fn occupied(&self, index: i32) -> usize {
        let row = &self.term.grid()[Line(index)];
        let says = |column: &usize| {
            let cell = &row[Column(*column)];
            let plain = cell.bg == ansi::Color::Named(NamedColor::Background);
            cell.c != ' ' || !plain || !cell.flags.is_empty() || cell.extra.is_some()
        };
        let last = (0..self.term.columns()).rev().find(says);
        last.map_or(0, |last| last + 1)
    }

    fn first_cells_of(&self, index: i32, columns: usize, cells: &mut Vec<Cell>) -> bool {
        cells.clear();
        let row = &self.term.grid()[Line(index)];
        let last = &row[self.term.last_column()];
        let (wrapped, mut after_wide) = (last.flags.contains(Flags::WRAPLINE), false);
        // Neighbours mostly look alike, and translating a look costs more than comparing two.
        let mut known: Option<(&term::cell::Cell, Style)> = None;
        for column in 0..columns {
            let cell = &row[Column(column)];
            let spacer = cell.flags.contains(Flags::WIDE_CHAR_SPACER);
            let wide = cell.flags.contains(Flags::WIDE_CHAR);
            // Deleting characters may leave half of a wide one; half a character is a blank.
            let next = column + 1 < self.term.columns()
                && row[Column(column + 1)]
                    .flags
                    .contains(Flags::WIDE_CHAR_SPACER);
            let text = match (spacer, wide) {
                (true, _) if after_wide => Glyph::EMPTY,
                (true, _) => Glyph::new(' ', &[]),
                (false, true) if !next => Glyph::new(' ', &[]),
                (false, _) => Glyph::new(cell.c, cell.zerowidth().unwrap_or_default()),
            };
            after_wide = wide && !spacer;
            let style = match known {
                Some((like, style)) if look_alike(like, cell) => style,
                _ => self.style(cell),
            };
            known = Some((cell, style));
            cells.push(Cell { text, style });
        }
        wrapped
    }

    fn style(&self, cell: &term::cell::Cell) -> Style {
        let flags = cell.flags;
        Style {
            fg: self.color(cell.fg),
            bg: self.color(cell.bg),
            bold: flags.contains(Flags::BOLD),
            dim: flags.contains(Flags::DIM),
            italic: flags.contains(Flags::ITALIC),
            underline: flags.intersects(Flags::ALL_UNDERLINES),
            underline_kind: match flags.intersection(Flags::ALL_UNDERLINES) {
                Flags::DOUBLE_UNDERLINE => Underline::Double,
                Flags::UNDERCURL => Underline::Curly,
                Flags::DOTTED_UNDERLINE => Underline::Dotted,
                Flags::DASHED_UNDERLINE => Underline::Dashed,
                _ => Underline::Single,
            },
            underline_color: match cell.underline_color() {
                Some(color) => self.color(color),
                None => Color::Default,
            },
            blink: flags.contains(BLINK),
            reverse: flags.contains(Flags::INVERSE),
            hidden: flags.contains(Flags::HIDDEN),
            strike: flags.contains(Flags::STRIKEOUT),
            link: match &cell.extra {
                Some(_) => self.kept.link_of(cell),
                None => 0,
            },
        }
    }

    /// A colour the program redefined (OSC 4, 10, 11) is what it said; otherwise the theme decides.
    fn color(&self, color: ansi::Color) -> Color {
        let (index, plain) = match color {
            ansi::Color::Spec(Rgb { r, g, b }) => return Color::Rgb(r, g, b),
            ansi::Color::Indexed(index) => (usize::from(index), Color::Indexed(index)),
            ansi::Color::Named(name) => match name as usize {
                index @ 0..=15 => (index, Color::Indexed(index as u8)),
                index if name == NamedColor::Foreground || name == NamedColor::Background => {
                    (index, Color::Default)
                }
                _ => return Color::Default,
            },
        };
        match self.term.colors()[index] {
            Some(Rgb { r, g, b }) => Color::Rgb(r, g, b),
            None => plain,
        }
    }
}

/// Whether two cells certainly have one look; what is rare is not looked into.
fn look_alike(one: &term::cell::Cell, other: &term::cell::Cell) -> bool {
    one.flags == other.flags
        && one.fg == other.fg
        && one.bg == other.bg
        && one.extra.is_none()
        && other.extra.is_none()
}

impl Rows for Grid<'_> {
    fn cols(&self) -> usize {
        self.term.columns()
    }

    fn rows(&self) -> usize {
        self.term.screen_lines()
    }

    fn history(&self) -> usize {
        self.term.history_size()
    }

    fn alternate(&self) -> bool {
        self.term.mode().contains(TermMode::ALT_SCREEN)
    }

    fn cursor(&self) -> (i32, usize) {
        let point = self.term.grid().cursor.point;
        (point.line.0, point.column.0)
    }

    fn wraps(&self, row: i32) -> bool {
        let last = &self.term.grid()[Line(row)][self.term.last_column()];
        last.flags.contains(Flags::WRAPLINE)
    }

    fn part(&self, row: i32, cells: &mut Vec<Cell>) -> bool {
        // Most lines are short, and every one that scrolls away is read here.
        let goes_on = self.first_cells_of(row, self.occupied(row), cells);
        // The number of an address means something only beside the screen it came with.
        cells.iter_mut().for_each(|cell| cell.style.link = 0);
        let last = &self.term.grid()[Line(row)][self.term.last_column()];
        if last.flags.contains(Flags::LEADING_WIDE_CHAR_SPACER) {
            cells.pop();
        }
        goes_on
    }
}
