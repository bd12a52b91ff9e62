//! Copy mode over a drawn pane: what is selected, what matches, the cursor, and the words of the status line.

use ratatui::layout::{Position, Rect};

use crate::domain::look::{CopyKeys, Shape};
use crate::term::{CopyView, Span};
use crate::ui::Keymap;
use crate::ui::paint::Painter;
use crate::ui::text;
use crate::ui::theme::Role;

/// Tints what is selected and what matches; gives the place of the cursor.
pub(crate) fn draw(painter: &mut Painter<'_>, area: Rect, copy: &CopyView) -> Option<Position> {
    let place = |span: &Span| {
        Rect {
            x: area.x + span.from.min(area.width),
            y: area.y + span.row.min(area.height),
            width: span.to.saturating_sub(span.from),
            height: 1,
        }
        .intersection(area)
    };
    for span in &copy.matches {
        painter.tint(place(span), Role::Match);
    }
    for span in &copy.selected {
        painter.tint(place(span), Role::Selected);
    }
    let (row, col) = copy.cursor;
    (row < area.height && col < area.width).then(|| Position::new(area.x + col, area.y + row))
}

/// The status line: the mode, where the cursor is, how the search stands, and the keys that matter now. Where there is no room
/// the host's name goes first, then the keys from the middle.
pub(crate) fn words(
    copy: &CopyView,
    keymap: &Keymap,
    recorded: bool,
    host: &str,
    width: usize,
) -> String {
    let mode = mode(copy);
    let mut parts = vec![format!("{}/{}", copy.line, copy.lines)];
    if let Some(search) = &copy.search {
        parts.push(match (search.at, search.count, search.more) {
            (_, 0, _) => format!("no match for {}", text::fit(&search.pattern, 20, "…")),
            (Some(at), count, false) => format!("{at} of {count}"),
            (Some(at), count, true) => format!("{at} of {count}+"),
            (None, count, more) => format!("{count}{} matches", if more { "+" } else { "" }),
        });
        if search.literal {
            parts.push("as it stands".to_owned());
        }
    }
    let key = |id: &str| {
        let chords = keymap.chords(&[keymap.copy_scope()], id);
        chords.into_iter().next().unwrap_or_default()
    };
    if copy.older {
        parts.push(if recorded {
            format!("{} older text", key("look.older"))
        } else {
            "older text not kept".to_owned()
        });
    }
    let keys: &[(&str, &str)] = match copy.shape {
        None => &[
            ("look.search", "search"),
            ("look.select", "select"),
            ("look.leave", "leave"),
            ("help", "keys"),
        ],
        Some(_) => &[
            (copy_key(keymap), "copy"),
            ("look.other", "other end"),
            ("look.clear", "clear"),
            ("help", "keys"),
        ],
    };
    let mut keys: Vec<String> = keys
        .iter()
        .map(|(id, word)| format!("{} {word}", key(id)))
        .collect();
    let mut host = format!("{host}  ");
    loop {
        let line = format!(" {mode}  {host}{}  {}", parts.join("  "), keys.join("  "));
        if text::width(&line) <= width || (host.is_empty() && keys.len() <= 2) {
            return text::fit(&line, width, ">");
        }
        if host.is_empty() {
            keys.remove(1);
        }
        host.clear();
    }
}

fn mode(copy: &CopyView) -> &'static str {
    match copy.shape {
        None => "COPY",
        Some(Shape::Chars | Shape::Words) => "SELECT",
        Some(Shape::Lines) => "SELECT LINES",
        Some(Shape::Block) => "SELECT BLOCK",
    }
}

/// Only the mode and where the cursor is.
pub(crate) fn brief(copy: &CopyView) -> String {
    format!(" {}  {}/{}", mode(copy), copy.line, copy.lines)
}

fn copy_key(keymap: &Keymap) -> &'static str {
    match keymap.copy_keys() {
        CopyKeys::Vi => "look.copy",
        CopyKeys::Emacs => "look.copyleave",
    }
}
