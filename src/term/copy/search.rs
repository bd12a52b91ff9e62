//! Searching in lines: a regular expression, its next match, and how many there are. Bounded in size and in what is counted.

use regex::{Regex, RegexBuilder};

use super::Place;
use super::lines::Lines;
use crate::term::look::SearchView;

/// How many matches are counted.
pub(super) const COUNTED: usize = 1_000;

/// The longest pattern, in bytes.
const PATTERN: usize = 1_000;

/// What a compiled pattern may take, in bytes.
const COMPILED: usize = 1024 * 1024;

/// A search.
#[derive(Clone, Debug)]
pub(super) struct Search {
    pub(super) pattern: String,
    regex: Regex,
    literal: bool,
    pub(super) backward: bool,
    /// Where each counted match begins, in order.
    found: Vec<Place>,
    more: bool,
}

impl Search {
    /// A search for a pattern; small letters stand for capitals too, unless there is a capital among them. A pattern that is
    /// no regular expression is looked for as it stands; `None` when it is too long even for that.
    pub(super) fn new(pattern: &str, backward: bool) -> Option<Self> {
        if pattern.is_empty() || pattern.len() > PATTERN {
            return None;
        }
        let fold = !has_capital(pattern);
        let build = |text: &str| {
            RegexBuilder::new(text)
                .case_insensitive(fold)
                .size_limit(COMPILED)
                .dfa_size_limit(COMPILED)
                .build()
        };
        let (regex, literal) = match build(pattern) {
            Ok(regex) => (regex, false),
            Err(_) => (build(&regex::escape(pattern)).ok()?, true),
        };
        Some(Self {
            pattern: pattern.to_owned(),
            regex,
            literal,
            backward,
            found: Vec::new(),
            more: false,
        })
    }

    /// The matches in a line, as cells.
    pub(super) fn in_line(&self, lines: &impl Lines, number: u64) -> Vec<(usize, usize)> {
        let mut room = String::new();
        let text = lines.text(number, &mut room);
        let bytes = self.regex.find_iter(text).map(|found| found.range());
        let bytes: Vec<_> = bytes.filter(|range| !range.is_empty()).collect();
        if bytes.is_empty() {
            return Vec::new();
        }
        let line = lines.line(number);
        bytes
            .into_iter()
            .map(|range| line.cells_of(range))
            .collect()
    }

    /// The next match from a place, around the end if need be.
    pub(super) fn next(&self, lines: &impl Lines, from: Place, backward: bool) -> Option<Place> {
        let (first, end) = (lines.first(), lines.end());
        let after = |col: usize| col > from.col;
        let before = |col: usize| col < from.col;
        if backward {
            let here = self.last_in(lines, from.line, before);
            let mut rest = (first..from.line).rev().chain((from.line..end).rev());
            here.or_else(|| rest.find_map(|number| self.last_in(lines, number, |_| true)))
        } else {
            let here = self.first_in(lines, from.line, after);
            let mut rest = (from.line + 1..end).chain(first..(from.line + 1).min(end));
            here.or_else(|| rest.find_map(|number| self.first_in(lines, number, |_| true)))
        }
    }

    /// The match at a place or the next after it.
    pub(super) fn from(&self, lines: &impl Lines, from: Place) -> Option<Place> {
        let here = self.first_in(lines, from.line, |col| col >= from.col);
        here.or_else(|| self.next(lines, from, false))
    }

    fn first_in(
        &self,
        lines: &impl Lines,
        number: u64,
        fits: impl Fn(usize) -> bool,
    ) -> Option<Place> {
        let found = self.in_line(lines, number);
        let col = found.iter().map(|(from, _)| *from).find(|col| fits(*col))?;
        Some(Place { line: number, col })
    }

    fn last_in(
        &self,
        lines: &impl Lines,
        number: u64,
        fits: impl Fn(usize) -> bool,
    ) -> Option<Place> {
        let found = self.in_line(lines, number);
        let mut cols = found.iter().rev().map(|(from, _)| *from);
        let col = cols.find(|col| fits(*col))?;
        Some(Place { line: number, col })
    }

    /// Counts the matches anew, the oldest first, up to [`COUNTED`].
    pub(super) fn count(&mut self, lines: &impl Lines) {
        self.found.clear();
        self.more = false;
        for number in lines.first()..lines.end() {
            for (col, _) in self.in_line(lines, number) {
                if self.found.len() >= COUNTED {
                    self.more = true;
                    return;
                }
                self.found.push(Place { line: number, col });
            }
        }
    }

    /// How often the next match is looked for when it is wanted so many times: never more than once around.
    pub(super) fn rounds(&self, times: u32) -> usize {
        let times = times as usize;
        match self.found.len() {
            0 => 1,
            count => (times.max(1) - 1) % count + 1,
        }
    }

    pub(super) fn view(&self, cursor: Place) -> SearchView {
        SearchView {
            pattern: self.pattern.clone(),
            at: self.found.binary_search(&cursor).ok().map(|at| at + 1),
            count: self.found.len(),
            more: self.more,
            literal: self.literal,
        }
    }
}

/// Whether a capital was typed that is no class such as `\S`.
fn has_capital(pattern: &str) -> bool {
    let mut escaped = false;
    pattern.chars().any(|c| {
        let capital = c.is_uppercase() && !escaped;
        escaped = c == '\\' && !escaped;
        capital
    })
}
