//! What is in force beside the picture, as the sequences that set it: looks, margins, character sets, modes, colours. Without
//! them, what a program writes on would not look in a copy of the screen as it does here.

use std::fmt::Write;

use alacritty_terminal::index::Point;
use alacritty_terminal::term::{Term, TermMode};
use alacritty_terminal::vte::ansi::{CharsetIndex, NamedColor, Rgb, StandardCharset};

use super::ansi;
use super::emulator::Listener;
use super::guard::{self, Kept};
use super::screen::Screen;

/// What makes a terminal as plain as a new one, and keeps its picture: what `ansi::paint` leaves where it was.
const PLAIN: &str = "\x1b[?6l\x1b[r\x1b[4l\x1b[20l\x1b[?7h\x1b[m\x1b(B\x1b)B\x1b*B\x1b+B\x0f\x1b]104\x07\x1b]110\x07\x1b]111\x07\x1b]112\x07";

/// The character sets by the bytes that choose what is in them.
const SETS: [(CharsetIndex, char); 4] = [
    (CharsetIndex::G0, '('),
    (CharsetIndex::G1, ')'),
    (CharsetIndex::G2, '*'),
    (CharsetIndex::G3, '+'),
];

/// Modes that are either on or off (DEC private ones), with their numbers.
const MODES: [(TermMode, u16); 7] = [
    (TermMode::LINE_WRAP, 7),
    (TermMode::APP_CURSOR, 1),
    (TermMode::FOCUS_IN_OUT, 1004),
    (TermMode::UTF8_MOUSE, 1005),
    (TermMode::SGR_MOUSE, 1006),
    (TermMode::ALTERNATE_SCROLL, 1007),
    (TermMode::BRACKETED_PASTE, 2004),
];

/// A terminal of the same size shows `screen` and goes on as `term` would, whatever it showed before.
pub(super) fn repaint(screen: &Screen, term: &Term<Listener>, kept: &Kept) -> String {
    // Formatting into a string cannot fail, here and below.
    let mut out = PLAIN.to_owned();
    out.push_str(&ansi::paint(screen));
    let grid = term.grid();
    let saved = &grid.saved_cursor;
    goto(&mut out, saved.point, 0);
    write!(out, "\x1b[{}m", guard::sgr(&saved.template)).ok();
    for (index, letter) in SETS {
        set(&mut out, letter, saved.charsets[index]);
    }
    out.push_str("\x1b7\x1b[m\x1b(B\x1b)B\x1b*B\x1b+B");
    let (first, below) = kept.region.unwrap_or((0, usize::from(screen.size.rows)));
    write!(out, "\x1b[{};{below}r", first + 1).ok();
    let origin = term.mode().contains(TermMode::ORIGIN);
    if origin {
        out.push_str("\x1b[?6h");
    }
    goto(
        &mut out,
        grid.cursor.point,
        if origin { first as i32 } else { 0 },
    );
    if grid.cursor.input_needs_wrap {
        again(&mut out, screen, grid.cursor.point);
    }
    write!(out, "\x1b[{}m", guard::sgr(&grid.cursor.template)).ok();
    for (index, letter) in SETS {
        set(&mut out, letter, grid.cursor.charsets[index]);
    }
    out.push(if kept.charset == CharsetIndex::G1 {
        '\x0e'
    } else {
        '\x0f'
    });
    modes(&mut out, *term.mode(), screen);
    colours(&mut out, term);
    out
}

fn goto(out: &mut String, point: Point, above: i32) {
    let row = (point.line.0 - above).max(0) + 1;
    write!(out, "\x1b[{row};{}H", point.column.0 + 1).ok();
}

/// Writes the last character of a row once more, so that the next one goes to the row below, as here.
fn again(out: &mut String, screen: &Screen, point: Point) {
    let row = usize::try_from(point.line.0).ok();
    let Some(row) = row.and_then(|row| screen.rows.get(row)) else {
        return;
    };
    let mut last = point.column.0;
    if last > 0 && row.cells.get(last).is_some_and(|cell| cell.text.is_empty()) {
        last -= 1;
        out.push('\x08');
    }
    if let Some(cell) = row.cells.get(last) {
        ansi::cell(out, cell);
    }
}

fn set(out: &mut String, letter: char, charset: StandardCharset) {
    let what = match charset {
        StandardCharset::Ascii => 'B',
        StandardCharset::SpecialCharacterAndLineDrawing => '0',
    };
    write!(out, "\x1b{letter}{what}").ok();
}

fn modes(out: &mut String, mode: TermMode, screen: &Screen) {
    let switch = |on: bool| if on { 'h' } else { 'l' };
    for (flag, number) in MODES {
        write!(out, "\x1b[?{number}{}", switch(mode.contains(flag))).ok();
    }
    for (flag, number) in [(TermMode::INSERT, 4), (TermMode::LINE_FEED_NEW_LINE, 20)] {
        write!(out, "\x1b[{number}{}", switch(mode.contains(flag))).ok();
    }
    out.push_str("\x1b[?1000l\x1b[?1002l\x1b[?1003l");
    for (flag, number) in [
        (TermMode::MOUSE_REPORT_CLICK, 1000),
        (TermMode::MOUSE_DRAG, 1002),
        (TermMode::MOUSE_MOTION, 1003),
    ] {
        if mode.contains(flag) {
            write!(out, "\x1b[?{number}h").ok();
        }
    }
    out.push_str(if mode.contains(TermMode::APP_KEYPAD) {
        "\x1b="
    } else {
        "\x1b>"
    });
    write!(out, "\x1b[={};1u", screen.modes.keyboard.bits()).ok();
    write!(out, "\x1b[{} q", screen.cursor_style).ok();
    let shown = switch(mode.contains(TermMode::SHOW_CURSOR));
    write!(out, "\x1b[?25{shown}\x1b]2;{}\x07", screen.title).ok();
}

/// The colours that the program has set (OSC 4, 10, 11, 12).
fn colours(out: &mut String, term: &Term<Listener>) {
    for index in 0..=NamedColor::Cursor as usize {
        let Some(Rgb { r, g, b }) = term.colors()[index] else {
            continue;
        };
        match index {
            0..=255 => write!(out, "\x1b]4;{index};"),
            _ => write!(out, "\x1b]{};", index - 246),
        }
        .ok();
        write!(out, "rgb:{r:02x}/{g:02x}/{b:02x}\x07").ok();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::term::{Emulator, Row, Size};

    const SIZE: Size = Size::new(16, 6);

    /// What was shown before in the terminal that plays: it must leave nothing.
    const OTHER: &[u8] =
        b"\x1b[3;4r\x1b[?6h\x1b(0\x1b[4h\x1b[?7l\x1b[31mother\x1b]4;1;#010203\x07\x1b[?1000h";

    /// Both go on with `then` after one was copied to the other.
    fn copies(before: &[u8], then: &[u8]) -> (Emulator, Emulator) {
        let (mut live, mut played) = (Emulator::new(SIZE), Emulator::new(SIZE));
        live.feed(before);
        played.feed(OTHER);
        played.feed(live.repaint().as_bytes());
        live.feed(then);
        played.feed(then);
        (live, played)
    }

    fn check(before: &str, then: &str) {
        let (mut live, mut played) = copies(before.as_bytes(), then.as_bytes());
        let (live, played) = (live.screen(), played.screen());
        assert_eq!(live.text(), played.text(), "{before:?}, {then:?}");
        assert_eq!(live.rows, played.rows, "{before:?}, {then:?}");
        assert_eq!(live.cursor, played.cursor, "{before:?}, {then:?}");
        assert_eq!(live.cursor_style, played.cursor_style, "{before:?}");
        assert_eq!(live.modes, played.modes, "{before:?}");
        assert_eq!(live.title, played.title, "{before:?}");
    }

    #[test]
    fn what_is_in_force_goes_on_in_the_copy() {
        for (before, then) in [
            ("plain", " and more"),
            ("\x1b[1;31mred", " on\r\nred"),
            ("\x1b[4:3;58:2::1:2:3;48:5:99mcurly", " on"),
            ("a\r\nb\r\nc\x1b[2;4r\x1b[4;1H", "d\r\ne\r\nf\r\ng"),
            ("\x1b[2;4r\x1b[?6h\x1b[2;3H", "x\x1b[1;1Hy\x1b[9;1Hz"),
            ("\x1b(0lqqk", "\r\nmqqj\x1b(Babc"),
            ("\x1b)0\x0elqk", "x\x0fq"),
            ("0123456789abcdef", "next"),
            ("0123456789abcd界", "next"),
            ("0123456789abcde界 wrapped wide", "\x1b[1;1H"),
            ("\x1b[4habc\x1b[1;2H", "X"),
            ("\x1b[?7l0123456789abcdefgh", "Z"),
            ("\x1b[20hab", "c\nd"),
            ("\x1b[2;5H\x1b[32m\x1b7\x1b[m\x1b[5;1H", "at\x1b8back"),
            ("\x1b]4;1;#112233\x07\x1b[31mx", "y"),
            ("\x1b]11;#112233\x07", "y"),
            ("\x1b[?1049h\x1b[41m\x1b[2Jfull", "\x1b[K screen"),
            (
                "\x1b[?1h\x1b=\x1b[?2004h\x1b[?1002h\x1b[?1006h\x1b[?1004h",
                "",
            ),
            ("\x1b[?25l\x1b[5 q\x1b]2;a title\x07\x1b[>1u\x1b[=9u", ""),
            ("\x1b[?2026hheld back", " and shown\x1b[?2026l"),
        ] {
            check(before, then);
        }
    }

    #[test]
    fn lines_that_are_wrapped_stay_one_line() {
        let (mut live, mut played) = (Emulator::new(SIZE), Emulator::new(SIZE));
        live.feed(b"a long line that is wrapped twice, or so\r\nshort");
        played.feed(live.repaint().as_bytes());
        live.resize(Size::new(50, 6));
        played.resize(Size::new(50, 6));
        // Clearing a screen leaves a blank line above it.
        let (live, played) = (live.screen().text(), played.screen().text());
        assert_eq!(live, played.trim_start());
    }

    fn written() -> impl Strategy<Value = Vec<&'static str>> {
        let pieces: &[&str] = &[
            "word ",
            "界",
            "\r\n",
            "\n",
            "\t",
            "\x08",
            "0123456789",
            "\x1b[2;4r",
            "\x1b[r",
            "\x1b[?6h",
            "\x1b[?6l",
            "\x1b[3;3H",
            "\x1b[1;31m",
            "\x1b[44m",
            "\x1b[m",
            "\x1b[2K",
            "\x1b[J",
            "\x1b[2J",
            "\x1b(0",
            "\x1b(B",
            "\x0e",
            "\x0f",
            "\x1b)0",
            "\x1b[4h",
            "\x1b[4l",
            "\x1b[?7l",
            "\x1b[?7h",
            "\x1b7",
            "\x1bM",
            "\x1bD",
            "\x1b[L",
            "\x1b[M",
            "\x1b[2P",
            "\x1b[2@",
            "\x1b[3X",
            "\x1b[?25l",
            "\x1b[?3h",
            "\x1bc",
            "\x1b[!p",
        ];
        let pieces = pieces.to_vec();
        proptest::collection::vec(proptest::sample::select(pieces), 0..30)
    }

    proptest! {
        #[test]
        fn a_copy_looks_like_the_first_whatever_comes(before in written(), then in written()) {
            let (mut live, mut played) = copies(before.concat().as_bytes(), then.concat().as_bytes());
            let (live, played) = (live.screen(), played.screen());
            let cells = |row: &std::sync::Arc<Row>| row.cells.clone();
            prop_assert_eq!(live.text(), played.text());
            prop_assert!(live.rows.iter().map(cells).eq(played.rows.iter().map(cells)));
            prop_assert_eq!(live.cursor, played.cursor);
        }
    }
}
