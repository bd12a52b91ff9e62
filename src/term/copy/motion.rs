//! Where the cursor goes: characters, words, paragraphs, brackets. Pure functions over lines.

use super::Place;
use super::lines::{Class, Line, Lines};
use crate::domain::look::Find;

/// How many lines are searched for the other bracket or an empty line.
const FAR: u64 = 5_000;

/// The beginning of the next word; an empty line counts as one.
pub(super) fn word_next(lines: &impl Lines, at: Place, big: bool) -> Place {
    let (mut number, mut col) = (at.line, at.col);
    let mut line = lines.line(number);
    let class = line.class(col, big);
    if class != Class::Blank {
        while col < line.len() && line.class(col, big) == class {
            col += 1;
        }
    }
    loop {
        while col < line.len() && line.class(col, big) == Class::Blank {
            col += 1;
        }
        if col < line.len() {
            return Place { line: number, col };
        }
        if number + 1 >= lines.end() {
            return Place {
                line: number,
                col: line.last(),
            };
        }
        number += 1;
        line = lines.line(number);
        col = 0;
        if line.len() == 0 {
            return Place { line: number, col };
        }
    }
}

/// The beginning of this word, or of the one before; an empty line counts as one.
pub(super) fn word_back(lines: &impl Lines, at: Place, big: bool) -> Place {
    let (mut number, mut col) = (at.line, at.col);
    let mut line = lines.line(number);
    loop {
        if col == 0 {
            if number <= lines.first() {
                return Place { line: number, col };
            }
            number -= 1;
            line = lines.line(number);
            col = line.len();
            if col == 0 {
                return Place { line: number, col };
            }
        }
        col -= 1;
        if line.class(col, big) != Class::Blank {
            break;
        }
    }
    let class = line.class(col, big);
    while col > 0 && line.class(col - 1, big) == class {
        col -= 1;
    }
    Place { line: number, col }
}

/// The end of this word, or of the next; empty lines do not count.
pub(super) fn word_end(lines: &impl Lines, at: Place, big: bool) -> Place {
    let mut number = at.line;
    let mut line = lines.line(number);
    let mut col = line.after(at.col);
    loop {
        while col < line.len() && line.class(col, big) == Class::Blank {
            col += 1;
        }
        if col < line.len() {
            break;
        }
        if number + 1 >= lines.end() {
            return Place {
                line: number,
                col: line.last(),
            };
        }
        number += 1;
        line = lines.line(number);
        col = 0;
    }
    let class = line.class(col, big);
    while col + 1 < line.len() && line.class(col + 1, big) == class {
        col += 1;
    }
    Place {
        line: number,
        col: line.whole(col),
    }
}

/// The next empty line, or the one before.
pub(super) fn paragraph(lines: &impl Lines, at: Place, forward: bool) -> Place {
    let empty = |number: u64| lines.line(number).len() == 0;
    let mut number = at.line;
    let mut text = !empty(number);
    for _ in 0..FAR {
        let next = if forward {
            (number + 1 < lines.end()).then_some(number + 1)
        } else {
            (number > lines.first()).then(|| number - 1)
        };
        let Some(next) = next else {
            let col = if forward {
                lines.line(number).last()
            } else {
                0
            };
            return Place { line: number, col };
        };
        number = next;
        if !empty(number) {
            text = true;
        } else if text {
            break;
        }
    }
    Place {
        line: number,
        col: 0,
    }
}

/// The bracket that belongs to the first one at or after the cursor in its line.
pub(super) fn bracket(lines: &impl Lines, at: Place) -> Option<Place> {
    const PAIRS: [(&str, &str); 4] = [("(", ")"), ("[", "]"), ("{", "}"), ("<", ">")];
    let mut line = lines.line(at.line);
    let (mut col, (open, close), forward) = (at.col..line.len()).find_map(|col| {
        let text = line.at(col);
        PAIRS.iter().find_map(|pair| {
            (text == pair.0)
                .then_some((col, *pair, true))
                .or_else(|| (text == pair.1).then_some((col, *pair, false)))
        })
    })?;
    let (mut number, mut depth) = (at.line, 0usize);
    let (deeper, higher) = if forward {
        (open, close)
    } else {
        (close, open)
    };
    for _ in 0..FAR {
        loop {
            let text = line.at(col);
            if text == deeper {
                depth += 1;
            } else if text == higher {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(Place { line: number, col });
                }
            }
            if forward && col + 1 < line.len() {
                col += 1;
            } else if !forward && col > 0 {
                col -= 1;
            } else {
                break;
            }
        }
        if forward && number + 1 < lines.end() {
            number += 1;
        } else if !forward && number > lines.first() {
            number -= 1;
        } else {
            return None;
        }
        line = lines.line(number);
        col = if forward { 0 } else { line.last() };
    }
    None
}

/// The column of a character in the line; `again` steps over the one that the cursor stands before already.
pub(super) fn find(line: &Line, col: usize, how: Find, wanted: char, again: bool) -> Option<usize> {
    let is = |col: &usize| line.at(*col).starts_with(wanted);
    let over = usize::from(again);
    match how {
        Find::On => (col + 1..line.len()).find(is),
        Find::OnBack => (0..col).rev().find(is),
        Find::Till => (col + 1 + over..line.len())
            .find(is)
            .map(|found| line.whole(found - 1)),
        Find::TillBack => (0..col.saturating_sub(over))
            .rev()
            .find(is)
            .map(|found| line.after(found)),
    }
}

/// The word at a place as a double click takes it: names, paths and addresses whole. Columns from and to, the last not in it.
pub(super) fn word_at(line: &Line, col: usize) -> (usize, usize) {
    const PARTS: &str = "_-./:@~%+#?&=";
    let part = |col: usize| {
        let first = line.at(line.whole(col)).chars().next();
        first.is_some_and(|c| c.is_alphanumeric() || PARTS.contains(c))
    };
    if col >= line.len() {
        return (col, col + 1);
    }
    if !part(col) {
        return (line.whole(col), line.after(line.whole(col)));
    }
    let from = (0..=col).rev().take_while(|col| part(*col)).last();
    let to = (col..line.len()).take_while(|col| part(*col)).last();
    (from.unwrap_or(col), to.map_or(col + 1, |last| last + 1))
}

/// The word that a search for the word under the cursor looks for: letters, digits and underscores.
pub(super) fn keyword_at(line: &Line, col: usize) -> Option<String> {
    let word = |col: usize| line.class(col, false) == Class::Word;
    let start = (col..line.len()).find(|col| word(*col))?;
    let from = (0..=start).rev().take_while(|col| word(*col)).last()?;
    let to = (start..line.len()).take_while(|col| word(*col)).last()?;
    Some(line.slice(from, to + 1))
}
