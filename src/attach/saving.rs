//! Fewer bytes for the same cells: rows that moved are moved by the terminal, blanks are erased and not written, and the cursor
//! goes the short way. Only what every terminal has had since the VT102 is used, and ECH, which came with the VT220.

use std::fmt::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

use super::colours::Looks;

/// At least so many rows must move for a scroll to be worth its bytes.
const MOVED: usize = 3;

/// Blanks from this many on are erased instead of written.
const ERASED: usize = 6;

/// Rows that moved: `by` up, or down when negative, within the rows from `top` to `bottom`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shift {
    top: usize,
    bottom: usize,
    by: isize,
}

/// Has the terminal move rows that moved, as in a log that grows; `shown` becomes what it shows then.
pub(super) fn scroll(out: &mut String, shown: &mut Buffer, next: &Buffer) {
    let Some(shift) = shifted(shown, next) else {
        return;
    };
    let (top, bottom) = (shift.top + 1, shift.bottom + 1);
    // Deleting or inserting lines at the top of a region moves the rest of it; formatting into a string cannot fail.
    let what = if shift.by > 0 { 'M' } else { 'L' };
    let by = shift.by.unsigned_abs();
    write!(out, "\x1b[{top};{bottom}r\x1b[{top}H\x1b[{by}{what}\x1b[r").ok();
    let width = usize::from(shown.area.width);
    let begin = shift.top * width;
    let end = (shift.bottom + 1) * width;
    let Some(region) = shown.content.get_mut(begin..end) else {
        return;
    };
    let cells = (by * width).min(region.len());
    if shift.by > 0 {
        region.rotate_left(cells);
        let first = region.len() - cells;
        region.iter_mut().skip(first).for_each(Cell::reset);
    } else {
        region.rotate_right(cells);
        region.iter_mut().take(cells).for_each(Cell::reset);
    }
}

/// The longest run of rows that stand elsewhere now, if it is long enough.
fn shifted(shown: &Buffer, next: &Buffer) -> Option<Shift> {
    let width = usize::from(next.area.width).max(1);
    let old: Vec<&[Cell]> = shown.content.chunks(width).collect();
    let new: Vec<&[Cell]> = next.content.chunks(width).collect();
    let rows = old.len().min(new.len());
    let blank = |row: &[Cell]| row.iter().all(is_blank);
    // A screen that stays as it is, but for a few rows, is not searched.
    if (0..rows)
        .filter(|row| old.get(*row) != new.get(*row))
        .count()
        <= MOVED
    {
        return None;
    }
    let mut best: Option<(usize, Shift)> = None;
    for by in (1..rows).flat_map(|by| [by as isize, -(by as isize)]) {
        let mut run: Option<(usize, usize)> = None;
        for row in 0..=rows {
            let from = row
                .checked_add_signed(by)
                .filter(|from| *from < rows && row < rows);
            let same = from.is_some_and(|from| new.get(row) == old.get(from));
            if same {
                let words = new.get(row).is_some_and(|row| !blank(row));
                let (start, gain) = run.unwrap_or((row, 0));
                // A row that is right where it is gains nothing, and neither does a blank one.
                let better = words && new.get(row) != old.get(row);
                run = Some((start, gain + usize::from(better)));
                continue;
            }
            let Some((start, gain)) = run.take() else {
                continue;
            };
            let last = row - 1;
            let shift = if by > 0 {
                Shift {
                    top: start,
                    bottom: last + by.unsigned_abs(),
                    by,
                }
            } else {
                Shift {
                    top: start - by.unsigned_abs(),
                    bottom: last,
                    by,
                }
            };
            if gain >= MOVED && best.is_none_or(|(most, _)| gain > most) {
                best = Some((gain, shift));
            }
        }
    }
    best.map(|(_, shift)| shift)
}

/// Whether an erased screen shows the same.
pub(super) fn is_blank(cell: &Cell) -> bool {
    cell.symbol() == " " && cell.bg == Color::Reset && cell.modifier.is_empty()
}

/// How many cells from `x` on are better erased than written, in a row of cells; 0 when none.
pub(super) fn blanks(row: &[Cell], x: usize) -> usize {
    let rest = row.get(x..).unwrap_or_default();
    let run = rest.iter().take_while(|cell| is_blank(cell)).count();
    if run >= ERASED { run } else { 0 }
}

/// Erases `run` cells from the cursor on, in the terminal's own colours, which must be set; `last` says that the row ends
/// with them. The cursor stays.
pub(super) fn erase(out: &mut String, run: usize, last: bool) {
    if last {
        out.push_str("\x1b[K");
    } else {
        write!(out, "\x1b[{run}X").ok();
    }
}

/// Moves the cursor, from where it is if that is known. `width` is the screen's: beyond its last cell nobody knows.
pub(super) fn go(
    out: &mut String,
    from: Option<(usize, usize)>,
    (x, y): (usize, usize),
    width: usize,
) {
    match from.filter(|(at, _)| *at < width) {
        Some(at) if at == (x, y) => {}
        Some((at, row)) if row == y && x == at + 1 => out.push_str("\x1b[C"),
        Some((at, row)) if row == y && x > at => {
            write!(out, "\x1b[{}C", x - at).ok();
        }
        Some((_, row)) if row == y && x == 0 => out.push('\r'),
        // Never on the last row, so nothing scrolls.
        Some((_, row)) if row + 1 == y && x == 0 => out.push_str("\r\n"),
        _ if x == 0 => {
            write!(out, "\x1b[{}H", y + 1).ok();
        }
        _ => {
            write!(out, "\x1b[{};{}H", y + 1, x + 1).ok();
        }
    }
}

/// The terminal's own colours.
pub(super) const PLAIN: Looks = Looks {
    fg: Color::Reset,
    bg: Color::Reset,
    line: Color::Reset,
    modifier: Modifier::empty(),
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::layout::{Position, Rect};
    use ratatui::style::Style;

    use crate::attach::{Encoder, Features};
    use crate::term::{self, Emulator};
    use crate::ui::{Beyond, Caps, Frame};

    const AREA: Rect = Rect::new(0, 0, 40, 12);

    struct Shown {
        encoder: Encoder,
        emulator: Emulator,
        frame: Frame,
    }

    impl Shown {
        fn new() -> Self {
            Self {
                encoder: Encoder::new(Caps::default(), Features::default()),
                emulator: Emulator::new(term::Size::new(AREA.width, AREA.height)),
                frame: Frame {
                    buffer: ratatui::buffer::Buffer::empty(AREA),
                    cursor: Some(Position::new(3, 2)),
                    beyond: Beyond::default(),
                },
            }
        }

        /// Shows the frame, and says how many bytes that took.
        fn show(&mut self) -> usize {
            let bytes = self.encoder.encode(&self.frame);
            self.emulator.feed(&bytes);
            let screen = self.emulator.screen();
            for y in 0..AREA.height {
                let row: String = (0..AREA.width)
                    .filter_map(|x| self.frame.buffer.cell((x, y)))
                    .map(|cell| cell.symbol().to_owned())
                    .collect();
                let shown = screen.rows.get(usize::from(y)).map(|row| row.text());
                // The cell after a wide character says nothing.
                let row = row.replace("界 ", "界");
                assert_eq!(shown.as_deref(), Some(row.trim_end()), "row {y}");
                for x in 0..AREA.width {
                    let bold = self.frame.buffer.cell((x, y)).map(|cell| {
                        cell.modifier.contains(ratatui::style::Modifier::BOLD)
                            && cell.symbol() != " "
                    });
                    let cell = &screen.rows[usize::from(y)].cells[usize::from(x)];
                    let seen = cell.style.bold && &*cell.text != " " && !cell.text.is_empty();
                    assert_eq!(Some(seen), bold.map(|bold| bold && !cell.text.is_empty()));
                }
            }
            bytes.len()
        }
    }

    fn log_line(number: usize) -> String {
        format!(
            "line {number} of a log that grows: {}",
            number * 7919 % 1000
        )
    }

    #[test]
    fn a_log_that_grows_costs_its_new_lines() {
        let mut shown = Shown::new();
        let fill = |shown: &mut Shown, from: usize| {
            shown.frame.buffer.reset();
            for row in 0..10_u16 {
                let text = log_line(from + usize::from(row));
                shown
                    .frame
                    .buffer
                    .set_string(0, row + 1, text, Style::default());
            }
            shown
                .frame
                .buffer
                .set_string(0, 11, "status", Style::default());
        };
        fill(&mut shown, 0);
        let whole = shown.show();
        for (from, most) in [(1, 120), (3, 180), (1, 200)] {
            fill(&mut shown, from);
            let bytes = shown.show();
            assert!(bytes <= most && bytes * 2 < whole, "{bytes} of {whole}");
        }
    }

    #[test]
    fn erased_lines_and_single_keys_cost_little() {
        let mut shown = Shown::new();
        for row in 0..12 {
            shown
                .frame
                .buffer
                .set_string(0, row, "x".repeat(40), Style::default());
        }
        shown.show();
        shown
            .frame
            .buffer
            .set_string(0, 4, " ".repeat(40), Style::default());
        assert!(shown.show() < 50);
        shown
            .frame
            .buffer
            .set_string(2, 2, " ".repeat(30), Style::default());
        assert!(shown.show() < 60);
        shown.frame.buffer.set_string(5, 4, "k", Style::default());
        shown.frame.cursor = Some(Position::new(6, 4));
        assert!(shown.show() < 60);
    }

    #[derive(Clone, Debug)]
    enum Act {
        Text(u16, u16, String, bool),
        Scroll(usize, usize, isize),
        Clear(u16, u16, u16),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            (0u16..40, 0u16..12, "[a-c 界]{1,20}", any::<bool>())
                .prop_map(|(x, y, text, bold)| Act::Text(x, y, text, bold)),
            (0usize..12, 0usize..12, -3isize..4).prop_map(|(a, b, by)| Act::Scroll(
                a.min(b),
                a.max(b),
                by
            )),
            (0u16..40, 0u16..12, 1u16..40).prop_map(|(x, y, len)| Act::Clear(x, y, len)),
        ]
    }

    proptest! {
        #[test]
        fn whatever_changes_the_terminal_shows_the_cells(
            acts in prop::collection::vec(prop::collection::vec(act(), 1..6), 1..12),
        ) {
            let mut shown = Shown::new();
            for row in 0..12 {
                shown.frame.buffer.set_string(0, row, log_line(usize::from(row)), Style::default());
            }
            for acts in acts {
                for act in acts {
                    let buffer = &mut shown.frame.buffer;
                    match act {
                        Act::Text(x, y, text, bold) => {
                            let style = Style::default();
                            let style = if bold { style.bold() } else { style.not_bold() };
                            // Half a wide character at the edge is another test's.
                            let room = usize::from((40 - x) / 2);
                            let text: String = text.chars().take(room).collect();
                            buffer.set_string(x, y, text, style);
                        }
                        Act::Scroll(top, bottom, by) => {
                            let region = &mut buffer.content[top * 40..(bottom + 1) * 40];
                            let cells = (by.unsigned_abs() * 40).min(region.len());
                            if by > 0 { region.rotate_left(cells) } else { region.rotate_right(cells) }
                        }
                        Act::Clear(x, y, len) => {
                            let words = " ".repeat(usize::from(len));
                            buffer.set_stringn(x, y, words, usize::from(40 - x), Style::reset());
                        }
                    }
                }
                // What lies over half a wide character is another test's.
                let broken = (0..12 * 40).any(|index| {
                    let cells = &shown.frame.buffer.content;
                    cells[index].symbol() == "界" && (index % 40 == 39 || cells[index + 1].symbol() != " ")
                });
                prop_assume!(!broken);
                shown.show();
            }
        }
    }
}
