//! Splits a line of the `:` prompt into words, with the quoting of a shell and none of its expansions.

/// The words of `line`. Single quotes keep everything, double quotes keep all but `\"` and `\\`, a backslash keeps the next.
///
/// # Errors
/// Says which quote was never closed.
pub fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => words.extend(word.take()),
            '\'' | '"' => {
                let text = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        None => {
                            return Err(format!(
                                "a {c} is never closed; close it, or write \\{c} for the character itself"
                            ));
                        }
                        Some(next) if next == c => break,
                        Some('\\') if c == '"' => match chars.next() {
                            Some(next @ ('"' | '\\')) => text.push(next),
                            Some(next) => text.extend(['\\', next]),
                            None => text.push('\\'),
                        },
                        Some(next) => text.push(next),
                    }
                }
            }
            '\\' => word
                .get_or_insert_default()
                .push(chars.next().unwrap_or('\\')),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_would() {
        for (line, expected) in [
            ("ticket ls state:open", vec!["ticket", "ls", "state:open"]),
            ("  a   b ", vec!["a", "b"]),
            ("add \"disk full\" 'it''s'", vec!["add", "disk full", "its"]),
            (
                r#"add "a \"b\" \n" c\ d ''"#,
                vec!["add", r#"a "b" \n"#, "c d", ""],
            ),
            ("", vec![]),
        ] {
            assert_eq!(
                split(line).as_deref(),
                Ok(expected
                    .iter()
                    .map(|word| (*word).to_owned())
                    .collect::<Vec<_>>()
                    .as_slice()),
                "{line}"
            );
        }
        assert!(split("say \"hello").is_err());
    }
}
