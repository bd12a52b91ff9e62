//! Lines of ssh_config cut the way OpenSSH cuts them: the keyword by one set of rules, its arguments by another.

/// What separates a keyword from what follows, besides one equals sign.
const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

fn is_blank(c: char) -> bool {
    BLANKS.contains(&c)
}

/// A line of a configuration file without its end: trailing blanks go, and so does everything after a zero byte.
fn trimmed(line: &str) -> &str {
    let line = line.split('\0').next().unwrap_or_default();
    line.trim_end_matches(|c| is_blank(c) || c == '\u{c}')
}

/// The keyword of a line, in lower case, and the rest. `None` for empty lines and comments, and for a line whose
/// keyword opens a quote that nothing closes: OpenSSH passes over such a line as well.
pub(crate) fn keyword(line: &str) -> Option<(String, Option<String>)> {
    let mut cutter = Cutter::new(trimmed(line));
    let mut word = cutter.next()?;
    if word.is_empty() {
        word = cutter.next()?;
    }
    if word.is_empty() || word.starts_with('#') {
        return None;
    }
    let rest = cutter
        .rest
        .map(|rest| rest.trim_start_matches(is_blank).to_owned())
        .filter(|rest| !rest.is_empty());
    Some((word.to_ascii_lowercase(), rest))
}

/// Takes words off the front of a text; blanks, double quotes and one equals sign end them. Used for keywords and for the
/// whole of a `Match` line.
pub(super) struct Cutter {
    /// What is left; `None` when the end was reached without a separator.
    pub(super) rest: Option<String>,
}

impl Cutter {
    pub(super) fn new(text: &str) -> Self {
        Self {
            rest: Some(text.to_owned()),
        }
    }

    /// The next word; it may be empty. `None` at the end, and for a quote that is not closed.
    pub(super) fn next(&mut self) -> Option<String> {
        let text = self.rest.take()?;
        let Some(at) = text.find(|c| is_blank(c) || c == '"' || c == '=') else {
            return Some(text);
        };
        let (before, after) = text.split_at(at);
        if let Some(quoted) = after.strip_prefix('"') {
            let (inside, tail) = quoted.split_once('"')?;
            self.rest = Some(tail.trim_start_matches(is_blank).to_owned());
            return Some(format!("{before}{inside}"));
        }
        let equals = after.starts_with('=');
        // The separator is one byte long, blank or sign.
        let mut tail = after.get(1..).unwrap_or_default();
        tail = tail.trim_start_matches(is_blank);
        if !equals && let Some(behind) = tail.strip_prefix('=') {
            tail = behind.trim_start_matches(is_blank);
        }
        self.rest = Some(tail.to_owned());
        Some(before.to_owned())
    }
}

/// The arguments of a line, without quotes and backslashes; `None` for a quote that is not closed.
pub(crate) fn arguments(text: &str) -> Option<Vec<String>> {
    let mut arguments = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(&first) = chars.peek() {
        if matches!(first, ' ' | '\t') {
            chars.next();
            continue;
        }
        if first == '#' {
            break;
        }
        let mut word = String::new();
        let mut quote: Option<char> = None;
        while let Some(&c) = chars.peek() {
            if quote.is_none() && matches!(c, ' ' | '\t') {
                break;
            }
            chars.next();
            match (c, quote) {
                ('\\', _) => match chars.peek() {
                    Some(&next)
                        if matches!(next, '\'' | '"' | '\\')
                            || (next == ' ' && quote.is_none()) =>
                    {
                        word.push(next);
                        chars.next();
                    }
                    _ => word.push('\\'),
                },
                ('"' | '\'', None) => quote = Some(c),
                (c, Some(open)) if c == open => quote = None,
                (c, _) => word.push(c),
            }
        }
        if quote.is_some() {
            return None;
        }
        arguments.push(word);
    }
    Some(arguments)
}

/// What follows a keyword whose value is the whole line.
pub(super) fn whole(rest: &str) -> &str {
    rest.trim_start_matches(|c| is_blank(c) || c == '=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_cut_as_openssh_cuts_them() {
        for (line, expected) in [
            ("Host a b", Some(("host", Some("a b")))),
            ("\t HOST  a", Some(("host", Some("a")))),
            ("Port=22", Some(("port", Some("22")))),
            ("Port = 22", Some(("port", Some("22")))),
            ("Port==22", Some(("port", Some("=22")))),
            ("Port = =22", Some(("port", Some("=22")))),
            ("\"Host\" a", Some(("host", Some("a")))),
            ("= Port 22", Some(("port", Some("22")))),
            ("Port", Some(("port", None))),
            ("Port =", Some(("port", None))),
            ("# x", None),
            ("", None),
            ("\"Host a", None),
        ] {
            let found = keyword(line);
            let found = found
                .as_ref()
                .map(|(word, rest)| (word.as_str(), rest.as_deref()));
            assert_eq!(found, expected, "{line:?}");
        }
        assert_eq!(trimmed("Host a \t\r\u{c}\n"), "Host a");
        assert_eq!(trimmed("Host a\0b"), "Host a");
    }

    #[test]
    fn arguments_lose_quotes_and_escapes() {
        for (text, expected) in [
            ("a  b\tc", Some(vec!["a", "b", "c"])),
            ("\"a b\" 'c d'", Some(vec!["a b", "c d"])),
            ("a\\ b \\\"x", Some(vec!["a b", "\"x"])),
            ("'a\\ b'", Some(vec!["a\\ b"])),
            ("a#b #c d", Some(vec!["a#b"])),
            ("\"\"", Some(vec![""])),
            ("a \"b", None),
        ] {
            let found = arguments(text);
            let found: Option<Vec<&str>> = found
                .as_ref()
                .map(|words| words.iter().map(String::as_str).collect());
            assert_eq!(found, expected, "{text:?}");
        }
    }
}
