//! From cells to bytes: encodes what changed since the last frame for one window's terminal.
//!
//! It is the last guard before somebody's terminal: no control character of a cell ever becomes a byte, whatever drew it.
//! A frame is wrapped in synchronized output (DEC private mode 2026), so that no half of it is ever seen.

use std::fmt::Write;

use ratatui::buffer::Cell;
use ratatui::layout::Position;
use unicode_width::UnicodeWidthStr;

use super::colours::{Depth, Looks};
use super::extras;
use super::features::Features;
use super::saving::{self, is_blank};
use crate::ui::{Caps, Frame, LINKED};

/// Begins and ends a synchronized update; terminals that do not know it ignore it.
const BEGIN: &str = "\x1b[?2026h\x1b[?25l";
const END: &str = "\x1b[?2026l";

/// Encodes frames for one window.
#[derive(Debug)]
pub struct Encoder {
    caps: Caps,
    features: Features,
    /// What the terminal shows, if that is known.
    last: Option<Frame>,
}

impl Encoder {
    /// An encoder for a terminal that shows nothing yet.
    pub const fn new(caps: Caps, features: Features) -> Self {
        Self {
            caps,
            features,
            last: None,
        }
    }

    /// Forgets what the terminal shows: the next frame is a whole one.
    pub fn reset(&mut self) {
        self.last = None;
    }

    /// The bytes that make the terminal show `frame`; none when it does already.
    pub fn encode(&mut self, frame: &Frame) -> Vec<u8> {
        let next = self.cleaned(frame);
        let mut last = self
            .last
            .take()
            .filter(|last| last.buffer.area == next.buffer.area);
        let mut out = String::new();
        let width = usize::from(next.buffer.area.width).max(1);
        let mut pen = Pen::new(Depth::of(self.caps.colors), self.features, width);
        match &mut last {
            // Terminals may move links along with their rows or not, so rows with links are written anew.
            Some(last) if last.beyond.links.is_empty() && next.beyond.links.is_empty() => {
                saving::scroll(&mut out, &mut last.buffer, &next.buffer);
            }
            Some(_) => {}
            None => out.push_str("\x1b[0m\x1b[2J"),
        }
        let before = last.as_ref().map(extras::links).unwrap_or_default();
        let links = extras::links(&next);
        let mut erased = 0;
        for (index, cell) in next.buffer.content.iter().enumerate() {
            let known = last
                .as_ref()
                .and_then(|last| last.buffer.content.get(index));
            let same = known.map_or_else(|| is_blank(cell), |known| is_same(known, cell));
            let link = links.get(&index).copied();
            let same = same && before.get(&index).copied() == link;
            if same || index < erased {
                continue;
            }
            let begin = index / width * width;
            let row = next.buffer.content.get(begin..begin + width);
            let run = saving::blanks(row.unwrap_or_default(), index - begin);
            if run > 0 {
                pen.erase(&mut out, index % width, index / width, run);
                erased = index + run;
                continue;
            }
            if !cell.symbol().is_empty() {
                pen.write(&mut out, index % width, index / width, cell, link);
            }
        }
        pen.link(&mut out, None);
        let moved = last.as_ref().is_none_or(|last| last.cursor != next.cursor);
        let cursor = next.cursor;
        if !out.is_empty() {
            out.push_str("\x1b[0m");
        }
        let known = last.as_ref().map(|last| &last.beyond);
        extras::changes(&mut out, self.features, known, &next.beyond);
        self.last = Some(next);
        if out.is_empty() && !moved {
            return Vec::new();
        }
        if let Some(Position { x, y }) = cursor {
            // Formatting into a string cannot fail.
            write!(out, "\x1b[{};{}H\x1b[?25h", y + 1, x + 1).ok();
        }
        format!("{BEGIN}{out}{END}").into_bytes()
    }

    /// The frame as the terminal will have it: an empty cell is the right half of the wide character before it.
    fn cleaned(&self, frame: &Frame) -> Frame {
        let mut buffer = frame.buffer.clone();
        let width = usize::from(buffer.area.width).max(1);
        let mut covered = false;
        for index in 0..buffer.content.len() {
            let last = index % width == width - 1;
            let next = buffer.content.get(index + 1).filter(|_| !last);
            // What lies over its right half cuts a wide character: half a character cannot be shown.
            let room = next.is_some_and(|next| matches!(next.symbol(), "" | " "));
            let Some(cell) = buffer.content.get_mut(index) else {
                continue;
            };
            if covered {
                cell.set_symbol("");
                covered = false;
                continue;
            }
            if let Some(clean) = self.clean(cell.symbol()) {
                cell.set_symbol(clean);
            }
            if cell.symbol().width() > 1 {
                covered = room;
                if !room {
                    cell.set_symbol(" ");
                }
            }
        }
        let area = buffer.area;
        let cursor = frame.cursor.filter(|position| area.contains(*position));
        Frame {
            buffer,
            cursor,
            beyond: frame.beyond.clone(),
        }
    }

    /// What must stand for a cell's text, if it cannot stay: never a control, never nothing, never wider than two columns.
    fn clean(&self, symbol: &str) -> Option<&'static str> {
        let steers = |c: char| {
            c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        let foreign = !self.caps.unicode && !symbol.is_ascii();
        let width = symbol.width();
        match symbol {
            "" => Some(" "),
            _ if foreign || width > 2 || symbol.chars().any(steers) => Some("?"),
            _ if width == 0 => Some(" "),
            _ => None,
        }
    }
}

fn is_same(one: &Cell, other: &Cell) -> bool {
    one.symbol() == other.symbol() && one.style() == other.style()
}

/// Where the terminal's cursor is and how it writes.
struct Pen<'a> {
    depth: Depth,
    features: Features,
    at: Option<(usize, usize)>,
    looks: Option<Looks>,
    /// Where what is written leads.
    link: Option<&'a str>,
    /// Columns of the screen.
    width: usize,
}

impl<'a> Pen<'a> {
    fn new(depth: Depth, features: Features, width: usize) -> Self {
        Self {
            depth,
            features,
            at: None,
            // Every frame ends so.
            looks: Some(saving::PLAIN),
            link: None,
            width,
        }
    }

    fn link(&mut self, out: &mut String, link: Option<&'a str>) {
        if self.features.links && self.link != link {
            extras::link(out, link);
            self.link = link;
        }
    }

    /// Erases a run of cells.
    fn erase(&mut self, out: &mut String, x: usize, y: usize, run: usize) {
        saving::go(out, self.at, (x, y), self.width);
        self.link(out, None);
        if self.looks != Some(saving::PLAIN) {
            out.push_str("\x1b[0m");
            self.looks = Some(saving::PLAIN);
        }
        saving::erase(out, run, x + run == self.width);
        self.at = Some((x, y));
    }

    fn write(&mut self, out: &mut String, x: usize, y: usize, cell: &Cell, link: Option<&'a str>) {
        saving::go(out, self.at, (x, y), self.width);
        let looks = Looks {
            fg: cell.fg,
            bg: cell.bg,
            line: cell.underline_color,
            modifier: cell.modifier.difference(LINKED),
        };
        if self.looks != Some(looks) {
            self.depth.sgr(out, &looks, self.features.underlines);
            self.looks = Some(looks);
        }
        self.link(out, link);
        out.push_str(cell.symbol());
        // Terminals disagree about the width of pictures and of joined characters, so after one of them the cursor is
        // placed anew; then a disagreement costs one cell and not the rest of the line.
        let mut chars = cell.symbol().chars();
        let sure = matches!((chars.next(), chars.next()), (Some(c), None) if (c as u32) < 0x1_f000);
        self.at = sure.then_some((x + cell.symbol().width(), y));
    }
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;
    use ratatui::style::{Color, Modifier, Style};

    use super::*;
    use crate::term::{self, Emulator};
    use crate::ui::{Beyond, Colors};

    fn frame(width: u16, height: u16) -> Frame {
        Frame {
            buffer: Buffer::empty(Rect::new(0, 0, width, height)),
            cursor: None,
            beyond: Beyond::default(),
        }
    }

    const ALL: Features = Features {
        modern: true,
        links: true,
        underlines: true,
    };

    fn caps(colors: Colors) -> Caps {
        Caps {
            colors,
            unicode: true,
        }
    }

    /// What an emulated terminal shows must be what the buffer holds.
    fn check(emulator: &mut Emulator, frame: &Frame) {
        let screen = emulator.screen();
        let area = frame.buffer.area;
        for y in 0..area.height {
            let mut covered = false;
            for x in 0..area.width {
                let from = frame.buffer.cell((x, y)).expect("inside of the buffer");
                let shown = &screen.rows[usize::from(y)].cells[usize::from(x)];
                if covered {
                    assert_eq!(shown.text.as_str(), "", "right half at {x},{y}");
                    covered = false;
                    continue;
                }
                assert_eq!(shown.text.as_str(), from.symbol(), "text at {x},{y}");
                covered = from.symbol().width() > 1;
                if let Color::Rgb(red, green, blue) = from.fg {
                    assert_eq!(
                        shown.style.fg,
                        term::Color::Rgb(red, green, blue),
                        "fg at {x},{y}"
                    );
                }
                let bold = from.modifier.contains(Modifier::BOLD);
                let reverse = from.modifier.contains(Modifier::REVERSED);
                assert_eq!(
                    (shown.style.bold, shown.style.reverse),
                    (bold, reverse),
                    "at {x},{y}"
                );
            }
        }
        let cursor = frame.cursor.map(|Position { x, y }| (y, x));
        assert_eq!(screen.cursor, cursor);
    }

    #[test]
    fn a_terminal_that_is_fed_the_differences_shows_the_buffer() {
        let mut encoder = Encoder::new(caps(Colors::TrueColor), ALL);
        let mut emulator = Emulator::new(term::Size { cols: 20, rows: 4 });
        let mut frame = frame(20, 4);
        let red = Style::default()
            .fg(Color::Rgb(200, 10, 20))
            .add_modifier(Modifier::BOLD);
        let steps: &[(u16, u16, &str, Style)] = &[
            (0, 0, "hello", Style::default()),
            (3, 1, "größe 界界 x", red),
            (4, 1, "narrow over wide", Style::default()),
            (
                10,
                1,
                "界",
                Style::default().add_modifier(Modifier::REVERSED),
            ),
            (0, 3, "last row, all of it.", red),
            (0, 3, "                    ", Style::default()),
        ];
        for (x, y, words, style) in steps {
            frame.buffer.set_string(*x, *y, words, *style);
            frame.cursor = Some(Position::new(*x, *y));
            emulator.feed(&encoder.encode(&frame));
            check(&mut emulator, &frame);
        }
        assert_eq!(encoder.encode(&frame), b"", "nothing changed");
        frame.cursor = None;
        emulator.feed(&encoder.encode(&frame));
        check(&mut emulator, &frame);
        encoder.reset();
        let mut fresh = Emulator::new(term::Size { cols: 20, rows: 4 });
        fresh.feed(&encoder.encode(&frame));
        check(&mut fresh, &frame);
    }

    #[test]
    fn no_control_of_a_cell_becomes_a_byte() {
        let mut frame = frame(12, 1);
        for (x, symbol) in [
            "\x1b[2J", "\x07", "a\u{9b}b", "\u{202e}", "\n", "", "\u{200b}", "ok", "\u{301}",
        ]
        .iter()
        .enumerate()
        {
            let x = u16::try_from(x).expect("few of them");
            frame
                .buffer
                .cell_mut((x, 0))
                .expect("inside")
                .set_symbol(symbol);
        }
        let bytes = Encoder::new(caps(Colors::None), Features::default()).encode(&frame);
        let text = String::from_utf8(bytes).expect("it is text");
        let own = [
            "\x1b[?2026h\x1b[?25l",
            "\x1b[0m\x1b[2J",
            "\x1b[0m",
            "\x1b[1;",
            "\x1b[1H",
            "\x1b[?2026l",
        ];
        let rest = own.iter().fold(text, |text, own| text.replace(own, ""));
        assert!(!rest.chars().any(char::is_control), "{rest:?}");
        assert!(
            !rest.contains('\u{202e}') && !rest.contains('\u{9b}'),
            "{rest:?}"
        );
    }

    #[test]
    fn what_lies_over_half_a_wide_character_is_kept() {
        let mut frame = frame(4, 1);
        frame.buffer.set_string(0, 0, "界", Style::default());
        frame.buffer.set_string(1, 0, "|", Style::default());
        let mut emulator = Emulator::new(term::Size { cols: 4, rows: 1 });
        emulator.feed(&Encoder::new(caps(Colors::TrueColor), ALL).encode(&frame));
        assert_eq!(emulator.screen().text().trim_end(), " |");
    }

    #[test]
    fn a_terminal_without_colours_gets_none_and_one_without_unicode_gets_ascii() {
        let mut frame = frame(6, 1);
        let loud = Style::default()
            .fg(Color::Red)
            .bg(Color::Rgb(1, 2, 3))
            .add_modifier(Modifier::REVERSED);
        frame.buffer.set_string(0, 0, "ä界x", loud);
        let caps = Caps {
            colors: Colors::None,
            unicode: false,
        };
        let text = String::from_utf8(Encoder::new(caps, ALL).encode(&frame)).expect("it is text");
        assert!(
            text.contains("\x1b[0;7m??") && text.contains('x'),
            "{text:?}"
        );
        assert!(
            text.is_ascii()
                && !text.contains("38;")
                && !text.contains("48;")
                && !text.contains("31")
        );
    }

    #[test]
    fn a_smaller_window_gets_a_whole_frame() {
        let mut encoder = Encoder::new(caps(Colors::Ansi16), ALL);
        let mut large = frame(10, 2);
        large
            .buffer
            .set_string(0, 0, "abcdefghij", Style::default());
        assert!(!encoder.encode(&large).is_empty());
        let bytes = encoder.encode(&frame(5, 1));
        assert!(String::from_utf8_lossy(&bytes).contains("\x1b[2J"));
    }
}
