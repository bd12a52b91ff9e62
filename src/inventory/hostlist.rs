//! Lists of hosts as pdsh and ClusterShell write them: `web[01-20],db1`, unfolded and folded.

use std::collections::{BTreeMap, BTreeSet};

pub use crate::domain::pattern::PatternError;

/// The names that `text` stands for, in order: ranges separated by commas or blanks.
///
/// # Errors
/// When a range cannot be read, or stands for too many names.
pub fn expand(text: &str) -> Result<Vec<String>, PatternError> {
    let mut names = Vec::new();
    let (mut start, mut inside) = (0, false);
    for (index, c) in text.char_indices() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            c if !inside && (c == ',' || c.is_whitespace()) => {
                add(text.get(start..index), &mut names)?;
                start = index + c.len_utf8();
            }
            _ => {}
        }
    }
    add(text.get(start..), &mut names)?;
    Ok(names)
}

fn add(part: Option<&str>, names: &mut Vec<String>) -> Result<(), PatternError> {
    if let Some(part) = part.filter(|part| !part.is_empty()) {
        names.append(&mut crate::domain::pattern::expand(part)?);
    }
    Ok(())
}

/// Numbers with more digits are left as they are; they would not fit.
const DIGITS_MAX: usize = 18;

/// Folds names into as few ranges as their last numbers allow: `web01 web02 db1` becomes `db1,web[01-02]`. Sorted, each
/// name once. It takes n log n steps however irregular the names are.
pub fn fold<S: AsRef<str>>(names: &[S]) -> String {
    // Names that differ in their last number only; a number keeps its width where there are leading zeros.
    let mut groups: BTreeMap<(&str, &str), BTreeSet<(usize, u64)>> = BTreeMap::new();
    let mut plain: BTreeSet<&str> = BTreeSet::new();
    for name in names {
        let name = name.as_ref();
        match cut(name) {
            Some((prefix, digits, suffix, number)) => {
                groups
                    .entry((prefix, suffix))
                    .or_default()
                    .insert((digits, number));
            }
            None => {
                plain.insert(name);
            }
        }
    }
    let mut parts: Vec<String> = plain.into_iter().map(str::to_owned).collect();
    for ((prefix, suffix), numbers) in groups {
        parts.push(format!("{prefix}{}{suffix}", ranges(&numbers)));
    }
    parts.sort_unstable();
    parts.join(",")
}

/// Cuts a name at its last number: what stands before, how many digits, what stands after, and the number.
fn cut(name: &str) -> Option<(&str, usize, &str, u64)> {
    if name.contains(['[', ']']) {
        return None;
    }
    let end = name.rfind(|c: char| c.is_ascii_digit())? + 1;
    let (head, suffix) = name.split_at(end);
    let prefix = head.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = head.get(prefix.len()..)?;
    if digits.len() > DIGITS_MAX {
        return None;
    }
    Some((prefix, digits.len(), suffix, digits.parse().ok()?))
}

/// The numbers as one text: alone when there is one, otherwise in brackets.
fn ranges(numbers: &BTreeSet<(usize, u64)>) -> String {
    let natural = |number: u64| number.checked_ilog10().unwrap_or(0) as usize + 1;
    // Widths at which some number has leading zeros: there, all numbers of that width belong together.
    let padded: BTreeSet<usize> = numbers
        .iter()
        .filter(|(digits, number)| *digits > natural(*number))
        .map(|(digits, _)| *digits)
        .collect();
    // Sorted by the width to write, 0 for none, and then by number, so that 9 and 10 are neighbours.
    let sorted: BTreeSet<(usize, u64)> = numbers
        .iter()
        .map(|(digits, number)| {
            let width = if padded.contains(digits) { *digits } else { 0 };
            (width, *number)
        })
        .collect();
    let mut runs: Vec<(usize, u64, u64)> = Vec::new();
    for (width, number) in sorted {
        match runs.last_mut() {
            // A padded run begins with a zero, or it could not say how wide its numbers are.
            Some((run, _, last)) if *run == width && *last + 1 == number => *last = number,
            _ => runs.push((width, number, number)),
        }
    }
    let text: Vec<String> = runs
        .iter()
        .map(|(width, first, last)| {
            if first == last {
                format!("{first:0width$}")
            } else {
                format!("{first:0width$}-{last:0width$}")
            }
        })
        .collect();
    if numbers.len() == 1 {
        text.concat()
    } else {
        format!("[{}]", text.join(","))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lists_are_unfolded() -> Result<(), PatternError> {
        for (list, expected) in [
            ("", ""),
            ("web1", "web1"),
            ("web[01-03],db1", "web01 web02 web03 db1"),
            ("n[1-2,5] , m1", "n1 n2 n5 m1"),
        ] {
            assert_eq!(expand(list)?.join(" "), expected, "{list}");
        }
        assert!(expand("web[1-").is_err());
        Ok(())
    }

    #[test]
    fn names_are_folded() {
        for (names, expected) in [
            ("", ""),
            ("db1", "db1"),
            ("web01 web02 web03", "web[01-03]"),
            ("web3 web1 web2 web2 db1", "db1,web[1-3]"),
            ("n9 n10 n11 n20", "n[9-11,20]"),
            ("n08 n09 n10 n11", "n[08-11]"),
            ("n1 n01 n2", "n[1-2,01]"),
            ("r1n1 r1n2 r2n1", "r1n[1-2],r2n1"),
            ("web1.example.com web2.example.com", "web[1-2].example.com"),
            ("mail gateway", "gateway,mail"),
            ("x1234567890123456789012", "x1234567890123456789012"),
            ("n10 n11 n02", "n[02,10-11]"),
        ] {
            let names: Vec<&str> = names.split_whitespace().collect();
            assert_eq!(fold(&names), expected, "{names:?}");
        }
    }

    #[test]
    fn a_hundred_thousand_irregular_names_fold_at_once() {
        let names: Vec<String> = (0..100_000u64)
            .map(|number| format!("n{}x{}", number % 977, number * 7_919 % 100_003))
            .collect();
        assert!(fold(&names).len() > 1_000);
    }

    proptest! {
        #[test]
        fn what_is_folded_unfolds_again(
            names in proptest::collection::btree_set("[a-c]{0,2}[0-9]{1,4}[a-b]{0,1}", 0..60)
        ) {
            let list: Vec<&String> = names.iter().collect();
            let mut unfolded = expand(&fold(&list)).map_err(|why| TestCaseError::fail(why.to_string()))?;
            unfolded.sort();
            prop_assert_eq!(unfolded, names.into_iter().collect::<Vec<_>>());
        }
    }
}
