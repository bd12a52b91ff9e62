//! Rust text as far as the checks need it: comments and strings blanked out, tests told from production, names found.

/// A text in two halves of the same shape: in each, the lines of the other are empty.
pub(super) struct Halves {
    pub(super) production: String,
    pub(super) tests: String,
}

/// Tells `#[cfg(test)] mod … { … }` from the rest. Formatted code closes a module in the first column.
pub(super) fn split(text: &str) -> Halves {
    let (mut production, mut tests) = (String::new(), String::new());
    let mut lines = text.lines().peekable();
    let mut inside = false;
    while let Some(line) = lines.next() {
        let opens =
            line == "#[cfg(test)]" && lines.peek().is_some_and(|next| next.starts_with("mod "));
        let one_line = opens
            && lines
                .peek()
                .is_some_and(|next| next.ends_with(';') || next.ends_with("{}"));
        if opens && !one_line {
            inside = true;
        }
        let (full, empty) = if inside || opens {
            (&mut tests, &mut production)
        } else {
            (&mut production, &mut tests)
        };
        full.push_str(line);
        full.push('\n');
        empty.push('\n');
        if one_line && let Some(declaration) = lines.next() {
            tests.push_str(declaration);
            tests.push('\n');
            production.push('\n');
        } else if inside && line == "}" {
            inside = false;
        }
    }
    Halves { production, tests }
}

/// The names in `#[cfg(test)] mod name;`.
pub(super) fn test_modules(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    lines
        .windows(2)
        .filter_map(|pair| match pair {
            ["#[cfg(test)]", declaration] => declaration.strip_prefix("mod ")?.strip_suffix(';'),
            _ => None,
        })
        .map(str::to_owned)
        .collect()
}

/// The text with the inside of comments, strings and characters replaced by blanks; lines stay where they are.
pub(super) fn masked(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = token_end(&chars, at);
        match end {
            Some(end) => {
                let token = chars.get(at..end).unwrap_or_default();
                out.extend(token.iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
                at = end;
            }
            None => {
                out.extend(chars.get(at));
                at += 1;
            }
        }
    }
    out
}

/// Where the comment or literal that begins at `at` ends; `None` when none begins there.
fn token_end(chars: &[char], at: usize) -> Option<usize> {
    let here = |offset: usize| chars.get(at + offset).copied().unwrap_or('\0');
    let length = chars.len();
    match (here(0), here(1)) {
        ('/', '/') => Some(
            (at..length)
                .find(|index| chars.get(*index) == Some(&'\n'))
                .unwrap_or(length),
        ),
        ('/', '*') => Some(block_end(chars, at)),
        ('"', _) => Some(string_end(chars, at + 1)),
        ('r', '"' | '#') if !follows_name(chars, at) => raw_end(chars, at + 1),
        ('\'', '\\') => Some(
            (at + 3..length)
                .find(|index| chars.get(*index) == Some(&'\''))
                .map_or(length, |end| end + 1),
        ),
        ('\'', _) if here(2) == '\'' => Some(at + 3),
        _ => None,
    }
}

fn follows_name(chars: &[char], at: usize) -> bool {
    let before = at
        .checked_sub(1)
        .and_then(|before| chars.get(before))
        .copied()
        .unwrap_or(' ');
    // The prefixes of byte and C strings are part of the literal.
    is_name(before) && before != 'b' && before != 'c'
}

fn block_end(chars: &[char], at: usize) -> usize {
    let (mut depth, mut index) = (0usize, at);
    while index < chars.len() {
        match (chars.get(index), chars.get(index + 1)) {
            (Some('/'), Some('*')) => (depth, index) = (depth + 1, index + 2),
            (Some('*'), Some('/')) => (depth, index) = (depth - 1, index + 2),
            _ => index += 1,
        }
        if depth == 0 {
            return index;
        }
    }
    chars.len()
}

fn string_end(chars: &[char], at: usize) -> usize {
    let mut index = at;
    while let Some(c) = chars.get(index) {
        match c {
            '\\' => index += 2,
            '"' => return index + 1,
            _ => index += 1,
        }
    }
    chars.len()
}

/// After the `r`: hashes, a quote, anything, a quote and as many hashes. A raw name such as `r#type` is no string.
fn raw_end(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars.iter().skip(at).take_while(|c| **c == '#').count();
    if chars.get(at + hashes) != Some(&'"') {
        return None;
    }
    let mut index = at + hashes + 1;
    while index < chars.len() {
        let closing = chars
            .iter()
            .skip(index + 1)
            .take(hashes)
            .filter(|c| **c == '#')
            .count();
        if chars.get(index) == Some(&'"') && closing == hashes {
            return Some(index + 1 + hashes);
        }
        index += 1;
    }
    Some(chars.len())
}

/// Whether `c` can be part of a name.
pub(super) fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The bytes at which `name` stands as a whole name, not after `::`, `.` or inside a longer one.
pub(super) fn names(code: &str, name: &str) -> Vec<usize> {
    code.match_indices(name)
        .filter(|(at, _)| {
            let before = code.get(..*at).unwrap_or_default();
            let after = code.get(at + name.len()..).unwrap_or_default();
            !before.ends_with(is_name)
                && !before.ends_with("::")
                && !before.ends_with('.')
                && !after.starts_with(is_name)
        })
        .map(|(at, _)| at)
        .collect()
}

/// The line, from 1, of a byte.
pub(super) fn line(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or(text).matches('\n').count() + 1
}

/// Where the expected text has `~`, the masked text has a blank.
#[test]
fn strings_and_comments_are_blank() {
    for (text, expected) in [
        ("a // todo!(\nb", "a ~~~~~~~~~\nb"),
        ("a /* x /* y */ z */ b", "a ~~~~~~~~~~~~~~~~~ b"),
        (r#"f("panic!(\" ", g)"#, "f(~~~~~~~~~~~~, g)"),
        ("f(r#\"x\"y\"#, g)", "f(~~~~~~~~, g)"),
        (
            "let r#type = 'x'; fn f<'a>() {}",
            "let r#type = ~~~; fn f<'a>() {}",
        ),
        (
            r"match c { '\'' => 1, '\u{1f}' => 2 }",
            "match c { ~~~~ => 1, ~~~~~~~~ => 2 }",
        ),
        ("b\"x\" br\"y\"", "b~~~ b~~~~"),
        ("bar\"x\"", "bar~~~"),
        ("\"two\nlines\" x", "~~~~\n~~~~~~ x"),
    ] {
        assert_eq!(masked(text), expected.replace('~', " "), "{text}");
    }
}

#[test]
fn tests_are_told_from_production() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n#[cfg(test)]\nmod more;\nfn d() {}\n";
    let halves = split(text);
    assert_eq!(
        halves.production,
        "fn a() {}\n\n\n\n\nfn c() {}\n\n\nfn d() {}\n"
    );
    assert_eq!(
        halves.tests,
        "\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n\n#[cfg(test)]\nmod more;\n\n"
    );
    assert_eq!(test_modules(text), ["more"]);
}

#[test]
fn names_are_whole() {
    let code = "russh::a; my_russh::b; crate::russh::c; x.russh::d; russh_keys::e; use russh;";
    assert_eq!(names(code, "russh").len(), 2);
    assert_eq!(line("a\nb\nc", 4), 3);
}
