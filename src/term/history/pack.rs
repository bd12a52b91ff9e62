//! One line as bytes: its text as UTF-8, and runs of looks for what is not plain. What is packed comes back cell by cell.

use std::collections::HashMap;

use unicode_width::UnicodeWidthChar;

use crate::term::screen::{Cell, Glyph, Style};

/// Every byte of the text is a cell.
const ASCII: u8 = 0;
/// Characters take as many cells as they are wide, marks none.
const BY_WIDTH: u8 = 1;
/// The bytes that each cell has are counted before the text.
const COUNTED: u8 = 2;
/// The line was too long to be one and goes on in the next.
const OPEN: u8 = 0x40;
/// Runs of looks follow the text.
const STYLED: u8 = 0x80;

/// The looks that occur in a chunk.
#[derive(Debug, Default)]
pub(super) struct Looks {
    pub(super) table: Vec<Style>,
    /// Where each stands in the table; given up when the chunk is complete.
    pub(super) places: HashMap<Style, u32>,
}

impl Looks {
    fn place(&mut self, look: Style) -> u32 {
        if let Some(place) = self.places.get(&look) {
            return *place;
        }
        let place = u32::try_from(self.table.len()).unwrap_or(u32::MAX);
        self.table.push(look);
        self.places.insert(look, place);
        place
    }

    fn at(&self, place: u32) -> Style {
        let look = usize::try_from(place)
            .ok()
            .and_then(|at| self.table.get(at));
        look.copied().unwrap_or_default()
    }
}

/// A cell with nothing in it.
pub(crate) fn blank() -> Cell {
    Cell {
        text: Glyph::new(' ', &[]),
        style: Style::default(),
    }
}

/// Appends the cells of a line to `out`; an open line goes on in the next.
pub(super) fn pack(cells: &[Cell], open: bool, looks: &mut Looks, out: &mut Vec<u8>) {
    let plain = Style::default();
    let styled = cells.iter().any(|cell| cell.style != plain);
    let kind = if cells.iter().all(|cell| cell.text.bytes().len() == 1) {
        ASCII
    } else if follows_widths(cells) {
        BY_WIDTH
    } else {
        COUNTED
    };
    out.push(kind | if styled { STYLED } else { 0 } | if open { OPEN } else { 0 });
    number(cells.iter().map(|cell| cell.text.bytes().len()).sum(), out);
    if kind == COUNTED {
        number(cells.len(), out);
        // A glyph has at most 22 bytes.
        out.extend(cells.iter().map(|cell| cell.text.bytes().len() as u8));
    }
    for cell in cells {
        out.extend_from_slice(cell.text.bytes());
    }
    if !styled {
        return;
    }
    // A look is only looked up where another begins: every line that scrolls away comes here.
    for run in cells.chunk_by(|one, next| one.style == next.style) {
        if let Some(first) = run.first() {
            let place = looks.place(first.style);
            number(usize::try_from(place).unwrap_or_default(), out);
            number(run.len(), out);
        }
    }
}

/// The cells of a packed line.
pub(super) fn unpack(bytes: &[u8], looks: &Looks, cells: &mut Vec<Cell>) {
    cells.clear();
    let Some(parts) = parts(bytes) else { return };
    let plain = blank();
    let cell = |text| Cell { text, ..plain };
    match parts.kind {
        ASCII => cells.extend(
            parts
                .text
                .bytes()
                .map(|byte| cell(Glyph::new(char::from(byte), &[]))),
        ),
        BY_WIDTH => {
            let mut chars = parts.text.chars().peekable();
            let mut marks = Vec::new();
            while let Some(first) = chars.next() {
                marks.clear();
                while let Some(mark) = chars.next_if(|c| c.width() == Some(0)) {
                    marks.push(mark);
                }
                cells.push(cell(Glyph::new(first, &marks)));
                if first.width() == Some(2) {
                    cells.push(cell(Glyph::EMPTY));
                }
            }
        }
        _ => {
            let mut rest = parts.text;
            for count in parts.counts {
                let (glyph, after) = rest
                    .split_at_checked(usize::from(*count))
                    .unwrap_or((rest, ""));
                rest = after;
                let mut chars = glyph.chars();
                let text = match chars.next() {
                    Some(first) => Glyph::new(first, &chars.collect::<Vec<_>>()),
                    None => Glyph::EMPTY,
                };
                cells.push(cell(text));
            }
        }
    }
    let mut runs = parts.runs;
    let mut rest = cells.iter_mut();
    while let (Some(place), Some(count)) = (take(&mut runs), take(&mut runs)) {
        let look = looks.at(u32::try_from(place).unwrap_or(u32::MAX));
        for cell in rest.by_ref().take(count) {
            cell.style = look;
        }
    }
}

/// The text of a packed line.
pub(super) fn text(bytes: &[u8]) -> &str {
    parts(bytes).map_or("", |parts| parts.text)
}

/// Whether a packed line goes on in the next.
pub(super) fn is_open(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| first & OPEN != 0)
}

struct Parts<'a> {
    kind: u8,
    counts: &'a [u8],
    text: &'a str,
    runs: &'a [u8],
}

fn parts(bytes: &[u8]) -> Option<Parts<'_>> {
    let (first, mut rest) = bytes.split_first()?;
    let kind = first & !(STYLED | OPEN);
    let length = take(&mut rest)?;
    let mut counts: &[u8] = &[];
    if kind == COUNTED {
        let cells = take(&mut rest)?;
        (counts, rest) = rest.split_at_checked(cells)?;
    }
    let (text, runs) = rest.split_at_checked(length)?;
    Some(Parts {
        kind,
        counts,
        text: std::str::from_utf8(text).ok()?,
        runs,
    })
}

/// Whether the widths of the characters alone tell which cells they were in.
fn follows_widths(cells: &[Cell]) -> bool {
    let mut right_half = false;
    cells.iter().all(|cell| {
        let mut chars = cell.text.chars();
        let Some(first) = chars.next() else {
            return std::mem::take(&mut right_half);
        };
        let wide = first.width() == Some(2);
        let whole = !right_half
            && (wide || first.width() == Some(1))
            && chars.all(|mark| mark.width() == Some(0));
        right_half = wide;
        whole
    }) && !right_half
}

/// A number, seven bits a byte, the last one without the top bit.
fn number(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take(bytes: &mut &[u8]) -> Option<usize> {
    let mut value = 0usize;
    for shift in (0..).step_by(7).take(5) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
