//! Patterns of names, ssh_config(5), section PATTERNS. They work on bytes, as OpenSSH's do.

/// The longest single pattern in a list; a longer one makes the whole list fail, as in OpenSSH.
const LONGEST: usize = 1023;

/// Whether `text` is what `pattern` describes with its `*` and `?`.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where to go on when what follows the last star does not fit: after the star, one byte further.
    let mut again: Option<(usize, usize)> = None;
    while let Some(byte) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                again = Some((p + 1, t));
                p += 1;
            }
            Some(wanted) if *wanted == b'?' || wanted == byte => (p, t) = (p + 1, t + 1),
            _ => match again {
                Some((after, from)) => {
                    (p, t) = (after, from + 1);
                    again = Some((after, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|byte| *byte == b'*')
}

/// What a list with commas says of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listed {
    Yes,
    No,
    /// A negated pattern fits.
    Negated,
}

/// Asks a list of patterns with commas between them, each perhaps negated.
pub(super) fn list(patterns: &str, text: &str) -> Listed {
    let mut found = Listed::No;
    // A comma at the end opens no further pattern.
    let patterns = patterns.strip_suffix(',').unwrap_or(patterns);
    if patterns.is_empty() {
        return found;
    }
    for pattern in patterns.split(',') {
        let (negated, pattern) = match pattern.strip_prefix('!') {
            Some(pattern) => (true, pattern),
            None => (false, pattern),
        };
        if pattern.len() >= LONGEST {
            return Listed::No;
        }
        if fits(pattern, text) {
            if negated {
                return Listed::Negated;
            }
            found = Listed::Yes;
        }
    }
    found
}

/// The same for host names, whose letter case does not matter.
pub(super) fn hosts(patterns: &str, host: &str) -> bool {
    list(&patterns.to_ascii_lowercase(), &host.to_ascii_lowercase()) == Listed::Yes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        for (patterns, text, expected) in [
            ("a,b", "b", Listed::Yes),
            ("a,b", "c", Listed::No),
            ("*,!b", "b", Listed::Negated),
            ("!b", "a", Listed::No),
            ("a,", "", Listed::No),
            ("?b*", "abc", Listed::Yes),
            ("*a*b", "xaxbxb", Listed::Yes),
            ("é?", "éx", Listed::Yes),
            ("??", "é", Listed::Yes),
        ] {
            assert_eq!(list(patterns, text), expected, "{patterns} {text}");
        }
        assert!(hosts("*.Example", "A.EXAMPLE"));
        assert_eq!(list(&"a".repeat(2000), "a"), Listed::No);
    }
}
