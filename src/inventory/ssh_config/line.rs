//! One line of ssh_config(5) cut into words, as OpenSSH cuts it, with the column of each.

/// A line that is neither empty nor a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// In lower case; letter case does not matter.
    pub keyword: String,
    /// The column of the keyword, from 1.
    pub column: u32,
    /// The arguments without their quotes; a comment at the end is left out.
    pub words: Vec<Word>,
}

/// One argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub text: String,
    /// From 1, in characters.
    pub column: u32,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub column: u32,
    pub message: String,
}

/// Cuts a line. `None` for an empty line and a comment.
pub(super) fn cut(line: &str) -> Result<Option<Line>, Broken> {
    let chars: Vec<char> = line.trim_end().chars().collect();
    let at = |index: usize| chars.get(index).copied();
    let blank = |c: Option<char>| matches!(c, Some(' ' | '\t' | '\r' | '\u{c}'));
    let mut index = 0;
    while blank(at(index)) {
        index += 1;
    }
    let start = index;
    let column = start as u32 + 1;
    if matches!(at(start), None | Some('#')) {
        return Ok(None);
    }
    // The keyword ends at a blank or at one equals sign, which blanks may surround. It may be quoted.
    let quoted = at(start) == Some('"');
    if quoted {
        index += 1;
        while at(index).is_some_and(|c| c != '"') {
            index += 1;
        }
        if at(index).is_none() {
            return Err(unclosed(column));
        }
        index += 1;
    } else {
        while at(index).is_some_and(|c| !blank(Some(c)) && c != '=') {
            index += 1;
        }
    }
    let keyword: String = chars
        .get(start..index)
        .unwrap_or_default()
        .iter()
        .filter(|c| **c != '"')
        .collect::<String>()
        .to_ascii_lowercase();
    while blank(at(index)) {
        index += 1;
    }
    if at(index) == Some('=') {
        index += 1;
    }
    while blank(at(index)) {
        index += 1;
    }
    if keyword.is_empty() {
        return Err(Broken {
            column,
            message:
                "there is no keyword before the equals sign; write for example HostName = 192.0.2.7"
                    .to_owned(),
        });
    }
    let words = words(&chars, index)?;
    if words.is_empty() {
        return Err(Broken {
            column,
            message: format!("{keyword} has no value; write one after it, or remove the line"),
        });
    }
    Ok(Some(Line {
        keyword,
        column,
        words,
    }))
}

fn unclosed(column: u32) -> Broken {
    Broken {
        column,
        message: "the quote is not closed on this line; close it, or remove it".to_owned(),
    }
}

/// Words are separated by blanks; quotes of both sorts and some backslashes protect what they hold; `#` at the start of a
/// word begins a comment.
fn words(chars: &[char], start: usize) -> Result<Vec<Word>, Broken> {
    let mut words = Vec::new();
    let mut index = start;
    while let Some(&first) = chars.get(index) {
        if matches!(first, ' ' | '\t') {
            index += 1;
            continue;
        }
        if first == '#' {
            break;
        }
        let mut word = Word {
            text: String::new(),
            column: index as u32 + 1,
        };
        let mut quote: Option<(char, u32)> = None;
        while let Some(&c) = chars.get(index) {
            let next = chars.get(index + 1).copied();
            match (c, quote) {
                ('\\', _)
                    if matches!(next, Some('\'' | '"' | '\\'))
                        || (next == Some(' ') && quote.is_none()) =>
                {
                    word.text.extend(next);
                    index += 1;
                }
                (' ' | '\t', None) => break,
                ('"' | '\'', None) => quote = Some((c, index as u32 + 1)),
                (c, Some((open, _))) if c == open => quote = None,
                (c, _) => word.text.push(c),
            }
            index += 1;
        }
        if let Some((_, column)) = quote {
            return Err(unclosed(column));
        }
        words.push(word);
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_as_openssh_cuts_them() {
        for (line, expected) in [
            ("", None),
            ("   \t", None),
            ("# comment", None),
            ("  # comment", None),
            ("Host web1", Some("host: web1")),
            ("\tHOST\tweb1  web2\r", Some("host: web1|web2")),
            ("Port=2201", Some("port: 2201")),
            ("Port = 2201", Some("port: 2201")),
            ("Port =2201", Some("port: 2201")),
            ("User \"a b\"", Some("user: a b")),
            ("User 'a b'", Some("user: a b")),
            ("User a\\ b", Some("user: a b")),
            ("User \"a\\\"b\"", Some("user: a\"b")),
            ("User a\\b", Some("user: a\\b")),
            ("Host a#b # c d", Some("host: a#b")),
            ("Host a\"b\"c", Some("host: abc")),
            ("\"Host\" a", Some("host: a")),
            ("Host \"\"", Some("host: ")),
        ] {
            let cut = cut(line).unwrap_or_else(|why| unreachable!("{line}: {why:?}"));
            let shown = cut.map(|line| {
                let words: Vec<&str> = line.words.iter().map(|word| word.text.as_str()).collect();
                format!("{}: {}", line.keyword, words.join("|"))
            });
            assert_eq!(shown.as_deref(), expected, "{line:?}");
        }
    }

    #[test]
    fn broken_lines_are_pointed_at() {
        for (line, column) in [
            ("Host \"web1", 6),
            ("  Host a 'b", 10),
            ("  HostName", 3),
            ("HostName # nothing", 1),
            ("Port =", 1),
            ("= 5", 1),
            ("\"Host", 1),
        ] {
            let why = cut(line).expect_err(line);
            assert_eq!(why.column, column, "{line:?}: {}", why.message);
        }
    }

    #[test]
    fn columns_count_characters() -> Result<(), Broken> {
        let line = cut(" Host größe web1")?.ok_or_else(|| unclosed(0))?;
        let columns: Vec<u32> = line.words.iter().map(|word| word.column).collect();
        assert_eq!((line.column, columns), (2, vec![7, 13]));
        Ok(())
    }
}
