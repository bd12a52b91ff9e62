//! Names of hosts: ranges written out, globs compared, and the names a person may have meant.

use super::PatternError;

/// The most names one range may stand for.
const RANGE_MAX: usize = 65_536;

/// The names that a range such as `web[01-20]` or `r[1-2]n[1-4,9]` stands for, in order. Text without brackets is itself.
///
/// # Errors
/// When a bracket is not closed, a bound is no number, a range runs backwards, or more than 65,536 names result.
pub fn expand(text: &str) -> Result<Vec<String>, PatternError> {
    let wrong = |reason| PatternError::Range {
        term: text.to_owned(),
        reason,
    };
    let mut names = vec![String::new()];
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        let (inside, after) = after
            .split_once(']')
            .ok_or_else(|| wrong("the bracket is not closed"))?;
        if before.contains(']') {
            return Err(wrong("a bracket is closed that was not opened"));
        }
        let numbers = numbers(inside, text)?;
        if names.len().saturating_mul(numbers.len()) > RANGE_MAX {
            return Err(wrong("it stands for more than 65536 names"));
        }
        names = names
            .iter()
            .flat_map(|name| {
                numbers
                    .iter()
                    .map(move |number| format!("{name}{before}{number}"))
            })
            .collect();
        rest = after;
    }
    if rest.contains(']') {
        return Err(wrong("a bracket is closed that was not opened"));
    }
    for name in &mut names {
        name.push_str(rest);
    }
    Ok(names)
}

/// The numbers of `01-20` or `1-5,7`, padded as the first bound is.
fn numbers(inside: &str, term: &str) -> Result<Vec<String>, PatternError> {
    let wrong = |reason| PatternError::Range {
        term: term.to_owned(),
        reason,
    };
    let mut numbers = Vec::new();
    // `:` belongs to the range as well; it separates as the comma does.
    for part in inside.split([',', ':']) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.trim(), last.trim());
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let bounds = (first.parse::<u64>(), last.parse::<u64>());
        let (Ok(from), Ok(to), true) = (bounds.0, bounds.1, digits(first) && digits(last)) else {
            return Err(wrong("its bounds are not numbers"));
        };
        if to < from {
            return Err(wrong("it runs backwards"));
        }
        if to - from >= RANGE_MAX as u64 || numbers.len() > RANGE_MAX {
            return Err(wrong("it stands for more than 65536 names"));
        }
        let width = if first.starts_with('0') {
            first.len()
        } else {
            0
        };
        numbers.extend((from..=to).map(|number| format!("{number:0width$}")));
    }
    Ok(numbers)
}

/// Whether `text` fits `glob`, where `*` stands for any characters and `?` for one.
pub fn fits(glob: &str, text: &str) -> bool {
    let (glob, text): (Vec<char>, Vec<char>) = (glob.chars().collect(), text.chars().collect());
    let (mut g, mut t) = (0, 0);
    // Where to go on when what follows the last star does not fit: after the star, one character further.
    let mut again: Option<(usize, usize)> = None;
    while let Some(c) = text.get(t) {
        match glob.get(g) {
            Some('*') => {
                again = Some((g + 1, t));
                g += 1;
            }
            Some(p) if *p == '?' || p == c => (g, t) = (g + 1, t + 1),
            _ => match again {
                Some((after, from)) => {
                    (g, t) = (after, from + 1);
                    again = Some((after, from + 1));
                }
                None => return false,
            },
        }
    }
    glob.iter().skip(g).all(|c| *c == '*')
}

/// At most three of `names` that a person may have meant by `wanted`, the nearest first.
pub(super) fn near<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let limit = (wanted.chars().count() / 2).clamp(1, 3);
    let lower = wanted.to_lowercase();
    let mut close: Vec<(usize, &str)> = names
        .filter_map(|name| {
            let distance = distance(&lower, &name.to_lowercase(), limit)?;
            Some((distance, name))
        })
        .collect();
    close.sort_unstable();
    close
        .into_iter()
        .take(3)
        .map(|(_, name)| name.to_owned())
        .collect()
}

/// How many letters to insert, remove or replace to make one text of the other; none if more than `limit`.
fn distance(left: &str, right: &str, limit: usize) -> Option<usize> {
    let right: Vec<char> = right.chars().collect();
    if left.chars().count().abs_diff(right.len()) > limit {
        return None;
    }
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, l) in left.chars().enumerate() {
        let mut diagonal = index;
        let mut previous = index + 1;
        for (cell, r) in row.iter_mut().skip(1).zip(&right) {
            let cost = (diagonal + usize::from(l != *r))
                .min(previous + 1)
                .min(*cell + 1);
            diagonal = std::mem::replace(cell, cost);
            previous = cost;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().filter(|distance| *distance <= limit)
}
