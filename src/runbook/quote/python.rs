//! Places of parameters in Python 3 source, and Python literals.

use crate::domain::runbook::ParamKind;

use super::{Place, Slot, decimal, opening};

/// The parameters outside of comments.
pub(super) fn slots(text: &str) -> Vec<Slot> {
    let mut lexer = Lexer {
        text,
        at: 0,
        slots: Vec::new(),
        lost: false,
    };
    lexer.run();
    lexer.slots
}

/// A value as a Python expression.
pub(super) fn literal(kind: ParamKind, text: &str) -> String {
    match (kind, text) {
        (ParamKind::Number, text) => format!("({})", decimal(text)),
        (ParamKind::Bool, "true") => "True".to_owned(),
        (ParamKind::Bool, _) => "False".to_owned(),
        (ParamKind::String | ParamKind::Enum | ParamKind::Host | ParamKind::Secret, text) => {
            let mut out = String::with_capacity(text.len() + 2);
            out.push('"');
            for c in text.chars() {
                match c {
                    '"' => out.push_str("\\\""),
                    '\\' => out.push_str("\\\\"),
                    ' '..='~' => out.push(c),
                    c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
                }
            }
            out.push('"');
            out
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    slots: Vec<Slot>,
    /// After an f-string that cannot be followed nothing is certain.
    lost: bool,
}

impl Lexer<'_> {
    fn run(&mut self) {
        // The character before the current one decides what a quote or a value right after it means.
        let mut before = '\n';
        while let Some(c) = self.peek(0) {
            if opening(self.text, self.at).is_some() {
                let place = if self.lost {
                    Place::Refused("after an f-string whose end is uncertain")
                } else if before.is_alphanumeric() || matches!(before, '_' | '\\' | '"' | '\'') {
                    Place::Refused("directly after a letter, a digit, a quote or a backslash")
                } else {
                    Place::Python
                };
                self.slot(place);
                before = '"';
                continue;
            }
            match c {
                '#' => {
                    while self.peek(0).is_some_and(|c| c != '\n') {
                        self.bump();
                    }
                }
                '"' | '\'' => self.string(c),
                _ => self.bump(),
            }
            before = c;
        }
    }

    /// Skips a string; parameters in it are refused.
    fn string(&mut self, quote: char) {
        let formatted = self
            .text
            .get(..self.at)
            .unwrap_or_default()
            .chars()
            .rev()
            .take_while(char::is_ascii_alphabetic)
            .any(|c| matches!(c, 'f' | 'F' | 't' | 'T'));
        let triple = self.peek(1) == Some(quote) && self.peek(2) == Some(quote);
        let end: String = std::iter::repeat_n(quote, if triple { 3 } else { 1 }).collect();
        self.at += end.len();
        let mut depth = 0i32;
        while let Some(c) = self.peek(0) {
            if opening(self.text, self.at).is_some() {
                self.slot(Place::Refused(
                    "inside a Python string; write it outside of quotes, where it becomes a string of its own",
                ));
                continue;
            }
            if self.rest().starts_with(&end) {
                self.at += end.len();
                // From Python 3.12 on an f-string may hold its own quotes between braces.
                self.lost |= formatted && depth > 0;
                return;
            }
            match c {
                '\\' => {
                    self.bump();
                    self.bump();
                    continue;
                }
                '{' if formatted && self.peek(1) == Some('{') => self.bump(),
                '}' if formatted && depth == 0 && self.peek(1) == Some('}') => self.bump(),
                '{' if formatted => depth += 1,
                '}' if formatted => depth -= 1,
                '\n' if !triple => {
                    self.lost |= formatted && depth > 0;
                    return;
                }
                _ => {}
            }
            self.bump();
        }
    }

    fn slot(&mut self, place: Place) {
        if let Some((name, end)) = opening(self.text, self.at) {
            self.slots.push(Slot {
                name: name.to_owned(),
                start: self.at,
                end,
                place,
                evaluated_by: None,
            });
            self.at = end;
        }
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.rest().chars().nth(ahead)
    }

    fn bump(&mut self) {
        self.at += self.peek(0).map_or(0, char::len_utf8);
    }
}
