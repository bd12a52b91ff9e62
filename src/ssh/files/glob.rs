//! Patterns in paths on a host, as `sftp` expands them: `*`, `?` and `[…]` in any part, a dot at the front only if written.

use glob::{MatchOptions, Pattern};

use super::fault::Fault;
use super::names;
use super::side::Side;

/// The most paths one pattern may stand for.
const MATCHES: usize = 100_000;

const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// The paths that `path` stands for, in order of their names. A path that exists as it is spelt stands for itself.
pub(crate) async fn expand(side: &Side, path: &[u8]) -> Result<Vec<Vec<u8>>, Fault> {
    match side.lstat(path).await {
        Err(Fault::NotThere) => {}
        found => return found.map(|_| vec![path.to_vec()]),
    }
    let root = if path.starts_with(b"/") {
        b"/".to_vec()
    } else {
        Vec::new()
    };
    let mut found = vec![root];
    for part in path.split(|byte| *byte == b'/') {
        if part.is_empty() {
            continue;
        }
        found = if names::has_pattern(part) {
            matches(side, &found, part).await?
        } else {
            let plain = unescaped(part);
            found
                .iter()
                .map(|folder| names::join(folder, &plain))
                .collect()
        };
    }
    let mut there = Vec::new();
    for path in found {
        match side.lstat(&path).await {
            Ok(_) => there.push(path),
            Err(why @ Fault::Lost(_)) => return Err(why),
            Err(_) => {}
        }
    }
    if there.is_empty() {
        return Err(Fault::Other("no name there is like it".to_owned()));
    }
    Ok(there)
}

async fn matches(side: &Side, folders: &[Vec<u8>], part: &[u8]) -> Result<Vec<Vec<u8>>, Fault> {
    let pattern = pattern(part)?;
    let mut found = Vec::new();
    for folder in folders {
        let mut entries = match side.list(folder).await {
            Ok(entries) => entries,
            Err(why @ Fault::Lost(_)) => return Err(why),
            // What cannot be looked into holds nothing that we could copy.
            Err(_) => continue,
        };
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        for entry in entries {
            let name = String::from_utf8_lossy(&entry.name);
            if names::honest(&entry.name) && pattern.matches_with(&name, OPTIONS) {
                found.push(names::join(folder, &entry.name));
            }
        }
        if found.len() > MATCHES {
            return Err(Fault::Other(format!(
                "more than {MATCHES} names are like it; -r copies whole folders"
            )));
        }
    }
    Ok(found)
}

fn pattern(part: &[u8]) -> Result<Pattern, Fault> {
    let mut text = String::new();
    let written = String::from_utf8_lossy(part);
    let mut letters = written.chars();
    while let Some(letter) = letters.next() {
        match letter {
            // A backslash takes the next letter's meaning away.
            '\\' => text.extend(
                letters
                    .next()
                    .map(|letter| Pattern::escape(&letter.to_string())),
            ),
            letter => text.push(letter),
        }
    }
    // Two stars are one here: a pattern never goes down into folders by itself.
    while text.contains("**") {
        text = text.replace("**", "*");
    }
    Pattern::new(&text).map_err(|why| Fault::Other(format!("the pattern is wrong: {}", why.msg)))
}

fn unescaped(part: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(part.len());
    let mut bytes = part.iter();
    while let Some(byte) = bytes.next() {
        plain.extend(if *byte == b'\\' {
            bytes.next()
        } else {
            Some(byte)
        });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_a_shell_has_it() {
        for (text, name, expected) in [
            ("*.log", "a.log", true),
            ("*.log", ".a.log", false),
            (".*.log", ".a.log", true),
            ("a?c", "abc", true),
            ("a[bc]d", "acd", true),
            ("a[!bc]d", "acd", false),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("**", "a", true),
        ] {
            let pattern = pattern(text.as_bytes()).expect("it is a pattern");
            assert_eq!(
                pattern.matches_with(name, OPTIONS),
                expected,
                "{text} {name}"
            );
        }
        assert!(pattern(b"a[").is_err());
        assert_eq!(unescaped(b"a\\*b"), b"a*b");
    }
}
