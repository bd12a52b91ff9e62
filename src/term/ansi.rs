//! A screen as the escape sequences that draw it: for scripts that want colours, and for recordings that begin in the middle.

use std::fmt::Write;

use super::screen::{Color, Row, Screen, Style};

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
    for (number, row) in screen.rows.iter().enumerate() {
        let line = line(row);
        if !line.is_empty() {
            write!(out, "\x1b[{};1H{line}", number + 1).ok();
        }
    }
    match screen.cursor {
        Some((row, col)) => write!(out, "\x1b[{};{}H\x1b[?25h", row + 1, col + 1).ok(),
        None => write!(out, "\x1b[?25l").ok(),
    };
    out
}

fn line(row: &Row) -> String {
    let plain = Style::default();
    let blank = |cell: &super::Cell| cell.text.as_str() == " " && cell.style == plain;
    let used = row
        .cells
        .iter()
        .rposition(|cell| !blank(cell))
        .map_or(0, |last| last + 1);
    let (mut out, mut style) = (String::new(), plain);
    for cell in row.cells.iter().take(used) {
        if cell.style != style {
            style = cell.style;
            sgr(&mut out, style);
        }
        out.push_str(if style.hidden {
            " "
        } else {
            cell.text.as_str()
        });
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
        (style.underline, 4),
        (style.blink, 5),
        (style.reverse, 7),
        (style.strike, 9),
    ] {
        if on {
            write!(out, ";{code}").ok();
        }
    }
    color(out, style.fg, 30);
    color(out, style.bg, 40);
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
