//! What a screen tells about the line that is typed into. Nothing here is guessed.

use std::sync::Arc;

use super::{Cell, Glyph, Mouse, Row, Screen, Style};

/// How much of a row is read for words such as "password", in cells.
const PROMPT: usize = 120;

/// Whether a line is typed into here at all: no full-screen program, no program that wants the mouse, and the end of the output
/// in view.
pub(super) fn is_open(screen: &Screen) -> bool {
    !screen.modes.alt_screen
        && screen.modes.mouse == Mouse::None
        && screen.scrolled_back == 0
        && screen.copy.is_none()
        && screen.cursor.is_some()
}

/// Whether what stands before the cursor asks for a secret.
pub(in crate::term) fn asks_for_secret(screen: &Screen) -> bool {
    const ALWAYS: &[&str] = &["assword", "assphrase", "asscode", "asswort"];
    const ASKED: &[&str] = &[" pin", "pin:", "secret", "token", "otp"];
    let Some(place) = screen.cursor else {
        return false;
    };
    let text = before(screen, place).to_lowercase();
    // A question ends in a colon or a question mark; a line that only mentions the word does not.
    let asks = text.trim_end().ends_with([':', '?', '：']);
    ALWAYS.iter().any(|word| text.contains(word))
        || asks && ASKED.iter().any(|word| text.contains(word))
}

/// The text of a row before a place.
pub(super) fn before(screen: &Screen, (row, col): (u16, u16)) -> String {
    let Some(row) = screen.rows.get(usize::from(row)) else {
        return String::new();
    };
    let col = usize::from(col).min(row.cells.len());
    let cells = row.cells.get(col.saturating_sub(PROMPT)..col);
    let cells = cells.unwrap_or_default().iter();
    cells.map(|cell| cell.text.as_str()).collect()
}

/// What is in a cell; nothing beyond the edge.
pub(super) fn glyph(screen: &Screen, place: (u16, u16)) -> Glyph {
    cell(screen, place).text
}

/// How a cell looks.
pub(super) fn style(screen: &Screen, place: (u16, u16)) -> Style {
    cell(screen, place).style
}

/// The row above a place.
pub(super) fn above(screen: &Screen, (row, _): (u16, u16)) -> Option<Arc<Row>> {
    screen.rows.get(usize::from(row.checked_sub(1)?)).cloned()
}

pub(super) fn is_blank(glyph: Glyph) -> bool {
    glyph.as_str() == " "
}

/// A cell; an empty one beyond the edge.
pub(super) fn cell(screen: &Screen, (row, col): (u16, u16)) -> Cell {
    let row = screen.rows.get(usize::from(row));
    let cell = row.and_then(|row| row.cells.get(usize::from(col)).copied());
    cell.unwrap_or(Cell {
        text: Glyph::EMPTY,
        style: Style::default(),
    })
}
