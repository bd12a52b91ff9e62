//! The bytes for what a terminal does besides showing cells: title, cursor shape, mouse, links. It must write nothing foreign
//! that was not made harmless: a title is one line without controls, an address printable ASCII.

use std::collections::HashMap;
use std::fmt::Write;

use super::features::Features;
use crate::ui::{Beyond, Frame, MouseUse};

/// The address of each cell of a frame that has one, by the cell's index.
pub(super) fn links(frame: &Frame) -> HashMap<usize, &str> {
    let width = usize::from(frame.buffer.area.width);
    let mut links = HashMap::new();
    for link in &frame.beyond.links {
        let safe = link.address.bytes().all(|byte| byte.is_ascii_graphic());
        let first = usize::from(link.at.y) * width + usize::from(link.at.x);
        for index in first..first + usize::from(link.width) {
            if safe {
                links.insert(index, &*link.address);
            }
        }
    }
    links
}

/// Appends what makes the following text lead to `address`, or nowhere (OSC 8). The id tells the terminal which pieces
/// belong together, since cells are written in any order.
pub(super) fn link(out: &mut String, address: Option<&str>) {
    // Formatting into a string cannot fail, here and below.
    match address {
        Some(address) => {
            // FNV-1a; two addresses of one id would only be highlighted together.
            let id = address.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
                (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
            });
            write!(out, "\x1b]8;id={id:x};{address}\x1b\\").ok();
        }
        None => out.push_str("\x1b]8;;\x1b\\"),
    }
}

/// Appends what leads from `last` to `next`; everything when it is not known how the terminal is.
pub(super) fn changes(out: &mut String, features: Features, last: Option<&Beyond>, next: &Beyond) {
    if !features.modern {
        return;
    }
    if last.is_none_or(|last| last.title != next.title) {
        let title = crate::domain::text::line(&next.title);
        write!(out, "\x1b]2;{title}\x1b\\").ok();
    }
    if last.is_none_or(|last| last.cursor_style != next.cursor_style) {
        write!(out, "\x1b[{} q", next.cursor_style).ok();
    }
    if last.is_none_or(|last| last.mouse != next.mouse) {
        out.push_str(match next.mouse {
            MouseUse::Off => "\x1b[?1003l\x1b[?1002l\x1b[?1006l",
            MouseUse::Buttons => "\x1b[?1003l\x1b[?1002h\x1b[?1006h",
            MouseUse::Motion => "\x1b[?1003h\x1b[?1006h",
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ratatui::buffer::Buffer;
    use ratatui::layout::{Position, Rect};
    use ratatui::style::{Modifier, Style};

    use super::*;
    use crate::attach::Encoder;
    use crate::term::{self, Emulator};
    use crate::ui::{Caps, LINKED, Link};

    const ALL: Features = Features {
        modern: true,
        links: true,
        underlines: true,
    };

    fn frame() -> Frame {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 2));
        let style = Style::default().add_modifier(LINKED);
        buffer.set_string(0, 0, "see here now", Style::default());
        buffer.set_string(4, 0, "here", style);
        Frame {
            buffer,
            cursor: Some(Position::new(0, 1)),
            beyond: Beyond {
                title: "qd: web1 S-1".to_owned(),
                cursor_style: 6,
                mouse: MouseUse::Buttons,
                links: vec![Link {
                    at: Position::new(4, 0),
                    width: 4,
                    address: Arc::from("https://example.org/a"),
                }],
            },
        }
    }

    #[test]
    fn what_is_beyond_cells_reaches_the_terminal_once() {
        let mut encoder = Encoder::new(Caps::default(), ALL);
        let mut emulator = Emulator::new(term::Size { cols: 12, rows: 2 });
        let mut frame = frame();
        emulator.feed(&encoder.encode(&frame));
        let screen = emulator.screen();
        let linked: String = screen.rows[0]
            .cells
            .iter()
            .filter(|cell| {
                screen.link(&cell.style).map(|link| &**link) == Some("https://example.org/a")
            })
            .map(|cell| cell.text.as_str())
            .collect();
        assert_eq!(linked, "here");
        assert_eq!(
            (screen.title.as_str(), screen.cursor_style),
            ("qd: web1 S-1", 6)
        );
        assert_eq!(screen.modes.mouse, term::Mouse::Drag);
        assert!(encoder.encode(&frame).is_empty(), "nothing changed");
        frame.beyond.mouse = MouseUse::Motion;
        frame.beyond.cursor_style = 0;
        if let Some(link) = frame.beyond.links.first_mut() {
            link.address = Arc::from("https://example.org/b");
        }
        emulator.feed(&encoder.encode(&frame));
        let screen = emulator.screen();
        assert_eq!(
            (screen.modes.mouse, screen.cursor_style),
            (term::Mouse::Motion, 0)
        );
        let addresses: Vec<_> = screen.rows[0]
            .cells
            .iter()
            .filter_map(|cell| screen.link(&cell.style).cloned())
            .collect();
        assert_eq!(addresses, vec![Arc::from("https://example.org/b"); 4]);
        frame.beyond = Beyond::default();
        frame.buffer.set_style(
            Rect::new(0, 0, 12, 1),
            Style::default()
                .remove_modifier(LINKED)
                .add_modifier(Modifier::BOLD),
        );
        emulator.feed(&encoder.encode(&frame));
        let screen = emulator.screen();
        assert!(
            screen.rows[0]
                .cells
                .iter()
                .all(|cell| screen.link(&cell.style).is_none())
        );
        assert_eq!(screen.modes.mouse, term::Mouse::None);
    }

    #[test]
    fn nothing_foreign_gets_out_of_its_place() {
        let mut hostile = frame();
        hostile.beyond.title = "a\x1b]0;b\x07\u{9b}c".to_owned();
        for link in &mut hostile.beyond.links {
            link.address = Arc::from("https://a\x1b\\\x1b[2J");
        }
        let bytes = Encoder::new(Caps::default(), ALL).encode(&hostile);
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("https") && !text.contains('\x07') && !text.contains('\u{9b}'));
        assert_eq!(text.matches("\x1b]").count(), 1, "{text:?}");
    }

    #[test]
    fn a_terminal_that_knows_nothing_of_it_gets_none_of_it() {
        let bytes = Encoder::new(Caps::default(), Features::default()).encode(&frame());
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("\x1b]") && !text.contains("?1002") && !text.contains(" q"));
    }
}
