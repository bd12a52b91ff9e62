//! The packed scrollback: lines as text and runs of looks, in chunks, with a limit in bytes. The oldest chunk goes first.
//!
//! Lines have numbers that they keep while they exist. A line that is longer than [`LINE_CELLS`] comes in several pieces, each
//! with a number of its own, so that a line without an end cannot grow anything.

mod pack;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

pub(super) use pack::blank;

use pack::Looks;

use super::screen::{Cell, Style};

/// The cells of one piece of a line, within a row more or less.
pub(super) const LINE_CELLS: usize = 4_096;

/// The rows of one piece of a line, in a pane of two columns as in any other.
pub(super) const LINE_ROWS: usize = 256;

/// The bytes of a chunk, unless the limit asks for smaller ones.
const CHUNK: usize = 64 * 1024;

/// Lines beyond what the emulator keeps as cells.
#[derive(Debug)]
pub(super) struct History {
    chunks: VecDeque<Chunk>,
    /// The number that the next line gets.
    end: u64,
    /// The most bytes.
    limit: usize,
    /// Of all complete chunks.
    bytes: usize,
}

#[derive(Debug, Default)]
struct Chunk {
    /// The number of the first line.
    first: u64,
    bytes: Vec<u8>,
    /// Where each line begins in `bytes`.
    starts: Vec<u32>,
    looks: Looks,
}

impl Chunk {
    fn size(&self) -> usize {
        let entry = size_of::<Style>() + size_of::<u32>();
        self.bytes.capacity()
            + self.starts.capacity() * size_of::<u32>()
            + self.looks.table.capacity() * size_of::<Style>()
            + self.looks.places.capacity() * entry * 8 / 7
            + size_of::<Self>()
    }

    fn line(&self, index: usize) -> &[u8] {
        let at = |index: usize| self.starts.get(index).map(|start| *start as usize);
        let Some(from) = at(index) else { return &[] };
        let to = at(index + 1).unwrap_or(self.bytes.len());
        self.bytes.get(from..to).unwrap_or_default()
    }
}

impl History {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            chunks: VecDeque::new(),
            end: 0,
            limit,
            bytes: 0,
        }
    }

    /// The number of the oldest line that is kept.
    pub(super) fn first(&self) -> u64 {
        self.chunks.front().map_or(self.end, |chunk| chunk.first)
    }

    /// The number that the next line gets.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// The memory it takes, in bytes.
    pub(super) fn size(&self) -> usize {
        self.bytes + self.chunks.back().map_or(0, Chunk::size)
    }

    /// Changes the limit.
    pub(super) fn keep(&mut self, limit: usize) {
        self.limit = limit;
        self.evict();
    }

    /// Forgets all lines; the next one has a number beyond `skipped` that were never packed.
    pub(super) fn clear(&mut self, skipped: u64) {
        self.chunks.clear();
        self.bytes = 0;
        self.end += skipped;
    }

    /// Takes a line; blanks at its end are left out. An open one goes on in the next.
    pub(super) fn push(&mut self, cells: &[Cell], open: bool) {
        let empty = blank();
        let used = cells.iter().rposition(|cell| *cell != empty);
        let cells = cells
            .get(..used.map_or(0, |last| last + 1))
            .unwrap_or_default();
        let full = CHUNK.min(self.limit / 8);
        if self.chunks.back().is_none_or(|chunk| chunk.size() >= full) {
            self.complete();
            self.chunks.push_back(Chunk {
                first: self.end,
                ..Chunk::default()
            });
        }
        if let Some(chunk) = self.chunks.back_mut() {
            // A chunk ends long before its offsets do.
            chunk.starts.push(chunk.bytes.len() as u32);
            pack::pack(cells, open, &mut chunk.looks, &mut chunk.bytes);
        }
        self.end += 1;
        self.evict();
    }

    /// Nothing more goes into the last chunk.
    fn complete(&mut self) {
        if let Some(chunk) = self.chunks.back_mut() {
            chunk.looks.places = std::collections::HashMap::new();
            chunk.bytes.shrink_to_fit();
            chunk.starts.shrink_to_fit();
            chunk.looks.table.shrink_to_fit();
            self.bytes += chunk.size();
        }
    }

    fn evict(&mut self) {
        while self.size() > self.limit {
            let Some(oldest) = self.chunks.pop_front() else {
                return;
            };
            if !self.chunks.is_empty() {
                self.bytes -= oldest.size();
            }
        }
    }

    fn packed(&self, number: u64) -> Option<(&Chunk, &[u8])> {
        let after = self.chunks.partition_point(|chunk| chunk.first <= number);
        let chunk = self.chunks.get(after.checked_sub(1)?)?;
        let index = usize::try_from(number - chunk.first).ok()?;
        Some((chunk, chunk.line(index)))
    }

    /// The text of a line; empty for one that is not kept.
    pub(super) fn text(&self, number: u64) -> &str {
        self.packed(number).map_or("", |(_, line)| pack::text(line))
    }

    /// Whether a line was too long to be one and goes on in the next.
    pub(super) fn is_open(&self, number: u64) -> bool {
        self.packed(number)
            .is_some_and(|(_, line)| pack::is_open(line))
    }

    /// The cells of a line; none for one that is not kept.
    pub(super) fn cells(&self, number: u64, cells: &mut Vec<Cell>) {
        cells.clear();
        if let Some((chunk, line)) = self.packed(number) {
            pack::unpack(line, &chunk.looks, cells);
        }
    }
}
