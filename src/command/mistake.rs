//! What is wrong with a line of the `:` prompt, in one line of our own words that says what would be right.

use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::row::{Form, Row, Surface};
use super::rows;

/// The words for a line that could not be read.
pub(super) fn words(error: &Error, line: &[String]) -> String {
    let named = |kind: ContextKind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => texts.first().cloned(),
        _ => None,
    };
    let row = row_of(line);
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let word = named(ContextKind::InvalidSubcommand).unwrap_or_default();
            let near = named(ContextKind::SuggestedSubcommand);
            let noun = line.first().filter(|noun| **noun != word);
            unknown(&word, noun, near)
        }
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let noun = line.first().map_or("", String::as_str);
            format!("{noun} needs one more word: {}", verbs(noun).join(", "))
        }
        ErrorKind::MissingRequiredArgument => {
            let usage = row.map_or_else(String::new, usage);
            format!("something is missing; write :{usage}")
        }
        ErrorKind::UnknownArgument | ErrorKind::TooManyValues => {
            let word = named(ContextKind::InvalidArg).unwrap_or_default();
            let usage = row.map_or_else(String::new, usage);
            match word.starts_with('-') {
                true => format!("there is no option {word} here; write :{usage}"),
                false => format!("{word:?} is one word too many; write :{usage}"),
            }
        }
        _ => {
            let usage = row.map(usage);
            usage.map_or_else(
                || "this cannot be understood; Tab shows what is there".to_owned(),
                |usage| format!("this cannot be understood; write :{usage}"),
            )
        }
    }
}

fn unknown(word: &str, noun: Option<&String>, near: Option<String>) -> String {
    match (noun, near) {
        (Some(noun), Some(near)) => {
            format!("there is no {noun} {word}; did you mean {noun} {near}?")
        }
        (None, Some(near)) => format!("there is no command {word}; did you mean {near}?"),
        (Some(noun), None) => format!(
            "there is no {noun} {word}; there are: {}",
            verbs(noun).join(", ")
        ),
        (None, None) => format!("there is no command {word}; Tab shows what is there, ? the keys"),
    }
}

/// The words that may follow `noun` at the prompt.
fn verbs(noun: &str) -> Vec<&'static str> {
    let here = rows().filter(|row| row.surface != Surface::Line);
    here.filter_map(|row| {
        let (first, second) = row.id.split_once('.')?;
        (first == noun).then_some(second)
    })
    .collect()
}

fn row_of(line: &[String]) -> Option<&'static Row> {
    let mut words = line.iter().filter(|word| !word.starts_with('-'));
    let first = words.next()?;
    let second = words.next();
    let two = second.and_then(|second| super::row(&format!("{first}.{second}")));
    two.or_else(|| super::row(first))
}

/// How a command is written.
fn usage(row: &Row) -> String {
    let mut text = row.id.replace('.', " ");
    for arg in row.args {
        let name = arg.name.to_uppercase();
        let written = match arg.form {
            Form::Positional => name,
            Form::Rest => format!("{name}…"),
            Form::Trailing => format!("-- {name}…"),
            Form::Switch(_) => format!("--{}", arg.name),
            Form::Flag(_) | Form::Repeated(_) => format!("--{} {name}", arg.name),
        };
        text.push(' ');
        text.push_str(&if arg.required {
            written
        } else {
            format!("[{written}]")
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::command::parse_line;

    #[test]
    fn a_mistake_is_one_line_that_helps() {
        for (line, expected) in [
            (
                "tiket ls",
                "there is no command tiket; did you mean ticket?",
            ),
            ("frobnicate", "there is no command frobnicate; Tab shows"),
            (
                "ticket lss",
                "there is no ticket lss; did you mean ticket ls?",
            ),
            (
                "monitor zzz",
                "there is no monitor zzz; there are: activity, bell, silence, pattern",
            ),
            ("monitor", "monitor needs one more word: activity, bell"),
            ("theme use", "something is missing; write :theme use NAME"),
            (
                "broadcast on now",
                "\"now\" is one word too many; write :broadcast [STATE]",
            ),
            (
                "broadcast --all",
                "there is no option --all here; write :broadcast [STATE]",
            ),
        ] {
            let why = parse_line(line)
                .err()
                .map(|why| why.text)
                .unwrap_or_default();
            assert!(
                why.starts_with(expected) && !why.contains('\n'),
                "{line}: {why}"
            );
        }
    }
}
