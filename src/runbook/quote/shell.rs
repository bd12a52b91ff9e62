//! Places of parameters in a shell script: a small lexer that knows quotes, substitutions, comments and here-documents.
//!
//! It follows POSIX.1-2024, Shell Command Language, section 2.2 to 2.7, and what bash adds. Where shells disagree, or the
//! text cannot be followed, it is `lost`, and from there on every parameter is refused: a wrong guess would let a value
//! become code.

use super::evaluators::evaluator;
use super::here::Here;
use super::{Place, Slot, opening};

/// The parameters outside of comments. `ansi` says that the shell knows `$'…'`.
pub(super) fn slots(text: &str, ansi: bool) -> Vec<Slot> {
    let mut lexer = Lexer {
        text,
        ansi,
        at: 0,
        frames: vec![Frame::Command(Command::default())],
        pending: Vec::new(),
        slots: Vec::new(),
        lost: None,
        after: None,
        reader: None,
    };
    lexer.run();
    lexer.slots
}

/// What is open around the current character, innermost last.
pub(super) enum Frame {
    /// Commands: the script itself, or `$(…)`.
    Command(Command),
    /// Between double quotes.
    Double,
    /// `${…}`, and whether double quotes are around it.
    Braces(bool),
    /// `$((…))` or `((…))`, and how many parentheses are open in it.
    Arithmetic(u32),
}

#[derive(Default)]
pub(super) struct Command {
    /// Whether it is `$(…)`.
    substitution: bool,
    /// Open parentheses.
    parentheses: u32,
    /// The finished words of the current simple command, as far as they are literal.
    pub(super) words: Vec<String>,
    /// The literal part of the current word.
    word: String,
    /// Whether a word has begun.
    in_word: bool,
    /// Whether the word has an open `[`, whose content bash may compute.
    subscript: bool,
}

impl Command {
    fn end_word(&mut self) {
        if self.in_word {
            self.words.push(std::mem::take(&mut self.word));
        }
        self.in_word = false;
        self.subscript = false;
    }

    fn end_command(&mut self) {
        self.end_word();
        self.words.clear();
    }
}

pub(super) struct Lexer<'a> {
    pub(super) text: &'a str,
    ansi: bool,
    pub(super) at: usize,
    pub(super) frames: Vec<Frame>,
    pub(super) pending: Vec<Here>,
    slots: Vec<Slot>,
    /// Why nothing is certain from here on.
    lost: Option<&'static str>,
    /// Why the very next place is refused.
    after: Option<&'static str>,
    /// The program that reads the here-document at hand as code.
    pub(super) reader: Option<String>,
}

const BACKQUOTES: &str = "inside backquotes; write $(…) instead";
const SPLIT: &str = "after a string that goes on over the line where a here-document begins";
const SUBSHELLS: &str =
    "after ((…, which may be a computation or two subshells; put a space between the parentheses";
const ANSI: &str = "inside $'…'; end that string before it";

impl Lexer<'_> {
    fn run(&mut self) {
        while let Some(c) = self.peek(0) {
            if opening(self.text, self.at).is_some() {
                let place = match self.frames.last() {
                    Some(Frame::Command(_)) | None => Place::Bare,
                    Some(Frame::Double) => Place::Double,
                    Some(Frame::Braces(_)) => Place::Refused("inside ${…}; use it before, outside"),
                    Some(Frame::Arithmetic(_)) => Place::Arithmetic,
                };
                self.slot(place);
                self.mark();
                continue;
            }
            self.after = None;
            match self.frames.last() {
                Some(Frame::Command(_)) | None => self.command(c),
                Some(Frame::Double) => self.double(c),
                Some(Frame::Braces(in_double)) => {
                    let in_double = *in_double;
                    self.braces(c, in_double);
                }
                Some(Frame::Arithmetic(open)) => {
                    let open = *open;
                    self.arithmetic(c, open);
                }
            }
        }
    }

    /// One character outside of quotes.
    fn command(&mut self, c: char) {
        match c {
            '\\' => self.escape(),
            '\'' => {
                self.bump();
                self.single();
            }
            '"' => {
                self.mark();
                self.bump();
                self.frames.push(Frame::Double);
            }
            '`' => self.backquotes(),
            '$' => self.dollar(),
            '#' if !self.in_word() => {
                while self.peek(0).is_some_and(|c| c != '\n') {
                    self.bump();
                }
            }
            '\n' => {
                self.bump();
                self.with(Command::end_command);
                self.bodies();
            }
            ' ' | '\t' | '\r' => {
                self.bump();
                self.end_word();
            }
            ';' | '&' | '|' => {
                self.bump();
                self.end_word();
                self.with(Command::end_command);
            }
            '<' if self.rest().starts_with("<<<") => {
                self.at += 3;
                self.end_word();
                self.with(|command| command.words.push("<<<".to_owned()));
            }
            '<' if self.rest().starts_with("<<") => {
                self.at += 2;
                self.end_word();
                self.delimiter();
            }
            '<' | '>' => {
                self.bump();
                self.end_word();
            }
            '(' => self.open(),
            ')' => self.close(),
            _ => self.letter(c),
        }
    }

    /// An ordinary character of a word.
    fn letter(&mut self, c: char) {
        let next = self.peek(1);
        self.bump();
        self.with(|command| {
            // `[ x` is a command; `a[x` and `[x` may be subscripts, which bash computes.
            let subscript = !matches!(next, None | Some(' ' | '\t' | '\n' | '['));
            match c {
                '[' if subscript && command.word != "[" => command.subscript = true,
                ']' => command.subscript = false,
                _ => {}
            }
            command.in_word = true;
            command.word.push(c);
        });
    }

    fn open(&mut self) {
        self.end_word();
        self.with(Command::end_command);
        if self.rest().starts_with("((") {
            self.at += 2;
            self.frames.push(Frame::Arithmetic(0));
        } else {
            self.bump();
            self.with(|command| command.parentheses += 1);
        }
    }

    fn close(&mut self) {
        self.bump();
        self.end_word();
        let mut ended = false;
        self.with(|command| {
            command.end_command();
            ended = command.substitution && command.parentheses == 0;
            command.parentheses = command.parentheses.saturating_sub(1);
        });
        if ended {
            self.frames.pop();
            if !self.pending.is_empty() {
                self.lose("after a here-document inside $(…) that does not end there");
            }
            self.mark();
        }
    }

    /// One character between double quotes.
    fn double(&mut self, c: char) {
        match c {
            '\\' => self.escape(),
            '"' => {
                self.bump();
                self.frames.pop();
            }
            '`' => self.backquotes(),
            '$' => self.dollar(),
            '\n' if !self.pending.is_empty() => {
                self.lose(SPLIT);
                self.bump();
            }
            _ => self.bump(),
        }
    }

    /// One character of `${…}`.
    fn braces(&mut self, c: char, in_double: bool) {
        match c {
            '\\' => self.escape(),
            '}' => {
                self.bump();
                self.frames.pop();
                self.mark();
            }
            '"' | '\'' if in_double => {
                self.lose("after quotes inside \"${…}\", which shells read differently");
                self.bump();
            }
            '"' => {
                self.bump();
                self.frames.push(Frame::Double);
            }
            '\'' => {
                self.bump();
                self.single();
            }
            '`' => self.backquotes(),
            '$' => self.dollar(),
            _ => self.bump(),
        }
    }

    /// One character of an arithmetic expression.
    fn arithmetic(&mut self, c: char, open: u32) {
        match c {
            '\\' => self.escape(),
            '`' => self.backquotes(),
            '$' => self.dollar(),
            '(' | ')' if c == '(' || open > 0 => {
                self.bump();
                if let Some(Frame::Arithmetic(open)) = self.frames.last_mut() {
                    *open = if c == '(' {
                        *open + 1
                    } else {
                        open.saturating_sub(1)
                    };
                }
            }
            ')' => {
                self.frames.pop();
                if self.rest().starts_with("))") {
                    self.at += 2;
                } else {
                    self.bump();
                    self.lose(SUBSHELLS);
                }
                self.mark();
            }
            // No computation has quotes or line ends; two subshells do.
            '"' | '\'' | '\n' => {
                self.lose(SUBSHELLS);
                self.bump();
            }
            _ => self.bump(),
        }
    }

    /// What follows a dollar sign.
    fn dollar(&mut self) {
        let in_double = self
            .frames
            .iter()
            .rev()
            .find_map(|frame| match frame {
                Frame::Command(_) => Some(false),
                Frame::Double => Some(true),
                Frame::Braces(_) | Frame::Arithmetic(_) => None,
            })
            .unwrap_or(false);
        let rest = self.rest();
        if rest.starts_with("$((") {
            self.mark();
            self.at += 3;
            self.frames.push(Frame::Arithmetic(0));
        } else if rest.starts_with("$(") {
            self.mark();
            self.at += 2;
            self.frames.push(Frame::Command(Command {
                substitution: true,
                ..Command::default()
            }));
        } else if opening(self.text, self.at + 1).is_some() {
            self.bump();
            self.after = Some("directly after a $; put the $ elsewhere");
            self.mark();
        } else if rest.starts_with("${") {
            self.mark();
            self.at += 2;
            self.frames.push(Frame::Braces(in_double));
        } else if rest.starts_with("$[") {
            self.lose("after $[…], which not every shell computes; write $((…))");
            self.mark();
            self.at += 2;
        } else if rest.starts_with("$'") && matches!(self.frames.last(), Some(Frame::Command(_))) {
            self.at += 2;
            self.ansi_string();
        } else {
            if rest.starts_with("$'") && matches!(self.frames.last(), Some(Frame::Braces(_))) {
                self.lose("after $'…' inside ${…}");
            }
            self.mark();
            self.bump();
            // `$#`, `$$`, `$?` and so on are one thing: the `#` begins no comment.
            if matches!(self.peek(0), Some('#' | '$' | '?' | '!' | '@' | '*' | '-')) {
                self.bump();
                if opening(self.text, self.at).is_some() {
                    self.after = Some("directly after a $; put the $ elsewhere");
                }
            }
        }
    }

    /// A backslash and what it protects.
    fn escape(&mut self) {
        self.bump();
        if opening(self.text, self.at).is_some() {
            self.after = Some("directly after a backslash; remove the backslash");
            return;
        }
        match self.peek(0) {
            // A line that goes on; words are not ended by it.
            Some('\n') => self.bump(),
            Some(c) => {
                self.bump();
                self.mark();
                if let Some(Frame::Command(command)) = self.frames.last_mut() {
                    command.word.push(c);
                }
            }
            None => {}
        }
    }

    /// The rest of a single-quoted string.
    fn single(&mut self) {
        self.mark();
        while let Some(c) = self.peek(0) {
            if opening(self.text, self.at).is_some() {
                self.slot(Place::Single);
                continue;
            }
            self.bump();
            if c == '\'' {
                return;
            }
            if c == '\n' && !self.pending.is_empty() {
                self.lose(SPLIT);
            }
            if let Some(Frame::Command(command)) = self.frames.last_mut() {
                command.word.push(c);
            }
        }
    }

    /// The rest of `$'…'`: bash ends it at the first quote without a backslash, POSIX of old at the first quote.
    fn ansi_string(&mut self) {
        self.mark();
        while let Some(c) = self.peek(0) {
            if opening(self.text, self.at).is_some() {
                self.slot(Place::Refused(ANSI));
                continue;
            }
            self.bump();
            match c {
                '\\' => {
                    if !self.ansi {
                        self.lose("after $'…' with a backslash, which not every sh knows; use a bash fence");
                    }
                    self.bump();
                }
                '\'' => return,
                _ => {}
            }
        }
    }

    /// An old-style command substitution, whose content has a layer of backslashes of its own.
    fn backquotes(&mut self) {
        self.mark();
        self.bump();
        while let Some(c) = self.peek(0) {
            if opening(self.text, self.at).is_some() {
                self.slot(Place::Refused(BACKQUOTES));
                continue;
            }
            self.bump();
            match c {
                '\\' => self.bump(),
                '`' => return,
                _ => {}
            }
        }
    }

    /// Records the parameter at the current place and goes past it.
    pub(super) fn slot(&mut self, place: Place) {
        let Some((name, end)) = opening(self.text, self.at) else {
            return;
        };
        let place = match (self.lost, self.after.take()) {
            (Some(why), _) | (None, Some(why)) => Place::Refused(why),
            (None, None) => place,
        };
        self.slots.push(Slot {
            name: name.to_owned(),
            start: self.at,
            end,
            place,
            evaluated_by: self.evaluated_by(),
        });
        self.at = end;
    }

    /// What will read the current word a second time, as code.
    fn evaluated_by(&self) -> Option<String> {
        /// Where `[[` computes both sides.
        const COMPUTES: &[&str] = &["-eq", "-ne", "-lt", "-le", "-gt", "-ge"];
        if let Some(reader) = &self.reader {
            return Some(reader.clone());
        }
        let command = self.frames.iter().rev().find_map(|frame| match frame {
            Frame::Command(command) => Some(command),
            Frame::Double | Frame::Braces(_) | Frame::Arithmetic(_) => None,
        })?;
        if command.subscript {
            return Some("the subscript […]".to_owned());
        }
        let ahead = self.rest().split("]]").next().unwrap_or_default();
        if command.words.iter().any(|word| word == "[[")
            && command
                .words
                .iter()
                .map(String::as_str)
                .chain(ahead.split_whitespace())
                .any(|word| COMPUTES.contains(&word))
        {
            return Some("[[ … ]]".to_owned());
        }
        evaluator(&command.words)
    }

    fn end_word(&mut self) {
        let mut inside_case = false;
        self.with(|command| {
            inside_case = command.substitution && command.word == "case";
            command.end_word();
        });
        if inside_case {
            self.lose(
                "after a case inside $(…), whose parentheses do not pair; move it to a function",
            );
        }
    }

    /// A word is being written, even if it stays empty.
    fn mark(&mut self) {
        self.with(|command| command.in_word = true);
    }

    fn in_word(&self) -> bool {
        matches!(self.frames.last(), Some(Frame::Command(command)) if command.in_word)
    }

    /// Changes the command at hand, if the innermost thing is one.
    fn with(&mut self, change: impl FnOnce(&mut Command)) {
        if let Some(Frame::Command(command)) = self.frames.last_mut() {
            change(command);
        }
    }

    pub(super) fn lose(&mut self, why: &'static str) {
        self.lost.get_or_insert(why);
    }

    pub(super) fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self, ahead: usize) -> Option<char> {
        self.rest().chars().nth(ahead)
    }

    pub(super) fn bump(&mut self) {
        self.at += self.peek(0).map_or(0, char::len_utf8);
    }
}
