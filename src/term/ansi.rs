//! A screen as the escape sequences that draw it: for scripts that want colours, and for recordings that begin in the middle.

use std::fmt::Write;

use super::screen::{Color, Row, Screen, Style, Underline};

/// The rows with their colours and attributes (ECMA-48 SGR), without trailing blanks and blank rows at the end. Every row
/// ends in the terminal's own look, so that rows can be cut out.
pub fn lines(screen: &Screen) -> Vec<String> {
    let mut lines: Vec<String> = screen.rows.iter().map(|row| line(row)).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

/// What makes a terminal of the same size show this screen, whatever it showed before.
pub fn paint(screen: &Screen) -> String {
    // Formatting into a string cannot fail.
    let mut out = String::from(if screen.modes.alt_screen {
        "\x1b[?1049h\x1b[0m\x1b[r\x1b[2J"
    } else {
        "\x1b[?1049l\x1b[0m\x1b[r\x1b[2J"
    });
    // Where a line was wrapped it is written on, so that it is one line there too.
    let mut goes_on = false;
    for (number, row) in screen.rows.iter().enumerate() {
        let next = screen.rows.get(number + 1).filter(|_| row.wrapped);
        let wide =
            |row: &std::sync::Arc<Row>| row.cells.get(1).is_some_and(|cell| cell.text.is_empty());
        let line = match next {
            // A wide character that did not fit leaves its blank by itself.
            Some(next) => part(row, row.cells.len() - usize::from(wide(next))),
            None if goes_on => part(row, used(row).max(1)),
            None => line(row),
        };
        if !goes_on && !line.is_empty() {
            write!(out, "\x1b[{};1H", number + 1).ok();
        }
        out.push_str(&line);
        goes_on = next.is_some();
    }
    match screen.cursor {
        Some((row, col)) => write!(out, "\x1b[{};{}H\x1b[?25h", row + 1, col + 1).ok(),
        None => write!(out, "\x1b[?25l").ok(),
    };
    out
}

/// A character with its look, without what was in force before and after.
pub(super) fn cell(out: &mut String, cell: &super::Cell) {
    sgr(out, cell.style);
    out.push_str(shown(cell));
}

/// What is to be seen of a cell: hidden text stays hidden.
fn shown(cell: &super::Cell) -> &str {
    if cell.style.hidden {
        " "
    } else {
        cell.text.as_str()
    }
}

fn line(row: &Row) -> String {
    part(row, used(row))
}

/// How many cells of a row say anything.
fn used(row: &Row) -> usize {
    let plain = Style::default();
    let blank = |cell: &super::Cell| cell.text.as_str() == " " && cell.style == plain;
    let last = row.cells.iter().rposition(|cell| !blank(cell));
    last.map_or(0, |last| last + 1)
}

/// The first cells of a row.
fn part(row: &Row, count: usize) -> String {
    let plain = Style::default();
    let (mut out, mut style) = (String::new(), plain);
    for cell in row.cells.iter().take(count) {
        if cell.style != style {
            style = cell.style;
            sgr(&mut out, style);
        }
        out.push_str(shown(cell));
    }
    if style != plain {
        out.push_str("\x1b[0m");
    }
    out
}

fn sgr(out: &mut String, style: Style) {
    out.push_str("\x1b[0");
    for (on, code) in [
        (style.bold, 1),
        (style.dim, 2),
        (style.italic, 3),
        (
            style.underline && style.underline_kind == Underline::Single,
            4,
        ),
        (style.blink, 5),
        (style.reverse, 7),
        (style.strike, 9),
    ] {
        if on {
            write!(out, ";{code}").ok();
        }
    }
    let kind = match style.underline_kind {
        Underline::Single => 0,
        Underline::Double => 2,
        Underline::Curly => 3,
        Underline::Dotted => 4,
        Underline::Dashed => 5,
    };
    if style.underline && kind > 0 {
        write!(out, ";4:{kind}").ok();
    }
    color(out, style.fg, 30);
    color(out, style.bg, 40);
    match style.underline_color {
        Color::Default => {}
        Color::Indexed(index) => drop(write!(out, ";58:5:{index}")),
        Color::Rgb(red, green, blue) => drop(write!(out, ";58:2::{red}:{green}:{blue}")),
    }
    out.push('m');
}

fn color(out: &mut String, color: Color, base: u8) {
    match color {
        Color::Default => Ok(()),
        Color::Indexed(index @ 0..8) => write!(out, ";{}", base + index),
        Color::Indexed(index @ 8..16) => write!(out, ";{}", base + 60 + index - 8),
        Color::Indexed(index) => write!(out, ";{};5;{index}", base + 8),
        Color::Rgb(red, green, blue) => write!(out, ";{};2;{red};{green};{blue}", base + 8),
    }
    .ok();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::{Emulator, Size};

    const SHOWN: &[u8] =
        b"plain \x1b[1;31mred\x1b[0m\r\n\x1b[48;5;200m \x1b[38;2;1;2;3mx\x1b[0m\r\n\
        \xe7\x95\x8c\x1b[4;97mlink\x1b[0m  \r\n\x1b[8msecret\x1b[0m.";

    #[test]
    fn what_is_painted_looks_the_same() {
        let size = Size::new(20, 6);
        let mut first = Emulator::new(size);
        first.feed(SHOWN);
        let mut second = Emulator::new(size);
        second.feed(b"\x1b[?1049hother things\x1b[3;4r");
        second.feed(paint(&first.screen()).as_bytes());
        let (one, other) = (first.screen(), second.screen());
        assert_eq!(
            one.text().replace("secret", ""),
            other.text().replace("      .", ".")
        );
        assert_eq!(one.rows.first(), other.rows.first());
        assert_eq!(one.rows.get(2), other.rows.get(2));
        assert_eq!(one.cursor, other.cursor);
    }

    #[test]
    fn rows_end_as_they_began() {
        let mut emulator = Emulator::new(Size::new(20, 6));
        emulator.feed(SHOWN);
        let lines = lines(&emulator.screen());
        assert_eq!(lines.len(), 4);
        assert_eq!(
            lines.first().map(String::as_str),
            Some("plain \x1b[0;1;31mred\x1b[0m")
        );
        assert!(
            !lines.concat().contains("secret"),
            "hidden text stays hidden"
        );
    }
}
