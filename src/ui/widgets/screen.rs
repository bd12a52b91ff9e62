//! Draws an emulated terminal into cells. What it holds was made harmless by the emulator; it is checked again all the same.

use ratatui::buffer::CellDiffOption;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Color, Modifier, Style};

use unicode_width::UnicodeWidthStr;

use crate::term::{self, Screen};
use crate::ui::beyond::{LINKED, underline};
use crate::ui::paint::Painter;
use crate::ui::theme::Colors;

/// Draws `screen` into `area`; gives the place of its cursor, if that is to be seen.
pub(crate) fn draw(painter: &mut Painter<'_>, area: Rect, screen: &Screen) -> Option<Position> {
    let colors = painter.look().caps.colors;
    let unicode = painter.look().caps.unicode;
    let buffer = painter.buffer();
    let area = area.intersection(buffer.area);
    for (y, row) in (area.y..area.bottom()).zip(&screen.rows) {
        for (index, (x, from)) in (area.x..area.right()).zip(&row.cells).enumerate() {
            let Some(cell) = buffer.cell_mut((x, y)) else {
                continue;
            };
            cell.reset();
            cell.set_style(style(&from.style, colors));
            if screen.link(&from.style).is_some() {
                cell.modifier.insert(LINKED);
            }
            let text = from.text.as_str();
            let foreign = text.chars().any(char::is_control) || (!unicode && !text.is_ascii());
            if from.style.hidden || foreign {
                cell.set_symbol(if from.style.hidden { " " } else { "?" });
            } else if text.is_empty() {
                // The right half of a wide character: it is drawn with its left half.
                cell.set_symbol("");
            } else {
                let wide = row
                    .cells
                    .get(index + 1)
                    .is_some_and(|next| next.text.is_empty());
                cell.set_symbol(fitting(text, wide));
            }
            cell.set_diff_option(CellDiffOption::None);
        }
    }
    let (row, col) = screen.cursor?;
    (row < area.height && col < area.width).then(|| Position::new(area.x + col, area.y + row))
}

/// The text of a cell as every terminal gives it the columns it has. Programs count columns as `wcwidth` does, by which a
/// picture selector or a joiner adds nothing; terminals that draw such a cluster as one picture would give it others. So a
/// character that has one column is drawn in its text form, and a joiner that joins nothing in its cell is left out.
fn fitting(text: &str, wide: bool) -> &str {
    let text = text.trim_end_matches('\u{200d}');
    if wide || text.width() <= 1 {
        return text;
    }
    let end = text.char_indices().nth(1).map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or(text)
}

fn style(from: &term::Style, colors: Colors) -> Style {
    let mut style = Style::default();
    if colors != Colors::None {
        style = style.fg(color(from.fg)).bg(color(from.bg));
        style = style.underline_color(color(from.underline_color));
    }
    if from.underline {
        style = style.add_modifier(underline(from.underline_kind));
    }
    for (on, modifier) in [
        (from.bold, Modifier::BOLD),
        (from.dim, Modifier::DIM),
        (from.italic, Modifier::ITALIC),
        (from.underline, Modifier::UNDERLINED),
        (from.blink, Modifier::SLOW_BLINK),
        (from.reverse, Modifier::REVERSED),
        (from.strike, Modifier::CROSSED_OUT),
    ] {
        if on {
            style = style.add_modifier(modifier);
        }
    }
    style
}

fn color(from: term::Color) -> Color {
    match from {
        term::Color::Default => Color::Reset,
        term::Color::Indexed(index) => Color::Indexed(index),
        term::Color::Rgb(red, green, blue) => Color::Rgb(red, green, blue),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_drawn_as_wide_as_programs_count_it() {
        for (text, wide, expected) in [
            ("a", false, "a"),
            ("e\u{301}", false, "e\u{301}"),
            ("界", true, "界"),
            ("\u{2764}\u{fe0f}", false, "\u{2764}"),
            ("1\u{fe0f}\u{20e3}", false, "1"),
            ("\u{1f469}\u{200d}", true, "\u{1f469}"),
            ("\u{1f469}\u{1f3fd}\u{200d}", true, "\u{1f469}\u{1f3fd}"),
        ] {
            assert_eq!(fitting(text, wide), expected, "{text:?}");
        }
    }
}
