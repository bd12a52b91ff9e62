//! Draws an emulated terminal into cells. What it holds was made harmless by the emulator; it is checked again all the same.

use ratatui::buffer::CellDiffOption;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Color, Modifier, Style};

use crate::term::{self, Screen};
use crate::ui::paint::Painter;
use crate::ui::theme::Colors;

/// Draws `screen` into `area`; gives the place of its cursor, if that is to be seen.
pub(crate) fn draw(painter: &mut Painter<'_>, area: Rect, screen: &Screen) -> Option<Position> {
    let colors = painter.look().caps.colors;
    let unicode = painter.look().caps.unicode;
    let buffer = painter.buffer();
    let area = area.intersection(buffer.area);
    for (y, row) in (area.y..area.bottom()).zip(&screen.rows) {
        for (x, from) in (area.x..area.right()).zip(&row.cells) {
            let Some(cell) = buffer.cell_mut((x, y)) else {
                continue;
            };
            cell.reset();
            cell.set_style(style(&from.style, colors));
            let text = from.text.as_str();
            let foreign = text.chars().any(char::is_control) || (!unicode && !text.is_ascii());
            if from.style.hidden || foreign {
                cell.set_symbol(if from.style.hidden { " " } else { "?" });
            } else if text.is_empty() {
                // The right half of a wide character: it is drawn with its left half.
                cell.set_symbol("");
            } else {
                cell.set_symbol(text);
            }
            cell.set_diff_option(CellDiffOption::None);
        }
    }
    let (row, col) = screen.cursor?;
    (row < area.height && col < area.width).then(|| Position::new(area.x + col, area.y + row))
}

fn style(from: &term::Style, colors: Colors) -> Style {
    let mut style = Style::default();
    if colors != Colors::None {
        style = style.fg(color(from.fg)).bg(color(from.bg));
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
