//! Here-documents: where their bodies begin and end, and what a parameter in one may become.

use super::evaluators::reader;
use super::shell::{Frame, Lexer};
use super::{Place, opening};

const DELIMITER: Place = Place::Refused("in the delimiter of a here-document");

/// A here-document whose body begins on the next line.
pub(super) struct Here {
    delimiter: String,
    /// `<<-`: leading tabs do not count.
    strip_tabs: bool,
    /// The delimiter was quoted: nothing is expanded.
    quoted: bool,
    /// The program on that line that reads code.
    reader: Option<String>,
}

impl Lexer<'_> {
    /// The word after `<<`.
    pub(super) fn delimiter(&mut self) {
        let strip_tabs = self.peek(0) == Some('-');
        if strip_tabs {
            self.bump();
        }
        while matches!(self.peek(0), Some(' ' | '\t')) {
            self.bump();
        }
        let (mut delimiter, mut quoted) = (String::new(), false);
        while let Some(c) = self.peek(0) {
            if opening(self.text, self.at).is_some() {
                self.slot(DELIMITER);
                continue;
            }
            match c {
                ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')' => break,
                '\'' | '"' => {
                    quoted = true;
                    self.bump();
                    while let Some(inner) = self.peek(0) {
                        if opening(self.text, self.at).is_some() {
                            self.slot(DELIMITER);
                            continue;
                        }
                        self.bump();
                        if inner == c {
                            break;
                        }
                        if matches!(inner, '\\' | '\n') {
                            self.lose("after a here-document with an unusual delimiter");
                        }
                        delimiter.push(inner);
                    }
                }
                '\\' => {
                    quoted = true;
                    self.bump();
                    if let Some(inner) = self.peek(0) {
                        delimiter.push(inner);
                        self.bump();
                    }
                }
                '$' | '`' | '{' => {
                    self.lose("after a here-document with an unusual delimiter");
                    delimiter.push(c);
                    self.bump();
                }
                c => {
                    delimiter.push(c);
                    self.bump();
                }
            }
        }
        let line = self.rest().split('\n').next().unwrap_or_default();
        let reader = match self.frames.last() {
            Some(Frame::Command(command)) => reader(&command.words, line),
            Some(Frame::Double | Frame::Braces(_) | Frame::Arithmetic(_)) | None => None,
        };
        self.pending.push(Here {
            delimiter,
            strip_tabs,
            quoted,
            reader,
        });
    }

    /// The bodies of the here-documents that were announced on the line before.
    pub(super) fn bodies(&mut self) {
        for here in std::mem::take(&mut self.pending) {
            let (mut continued, mut substitutes) = (false, false);
            self.reader.clone_from(&here.reader);
            while self.at < self.text.len() {
                let line = self
                    .rest()
                    .split('\n')
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                let bare = if here.strip_tabs {
                    line.trim_start_matches('\t')
                } else {
                    &line
                };
                let ends = bare == here.delimiter;
                if ends && continued {
                    self.lose("after a here-document whose last line ends with a backslash");
                }
                if !ends {
                    self.here_line(&here, &line, &mut substitutes);
                }
                self.at += line.len();
                self.bump();
                if ends {
                    break;
                }
                let slashes = line.len() - line.trim_end_matches('\\').len();
                continued = !here.quoted && slashes % 2 == 1;
            }
        }
        self.reader = None;
    }

    /// The parameters in one line of a here-document. `substitutes` says whether a substitution was seen in it.
    fn here_line(&mut self, here: &Here, line: &str, substitutes: &mut bool) {
        let start = self.at;
        let found: Vec<(usize, usize)> = (0..line.len())
            .filter_map(|at| Some((at, opening(line, at)?.1)))
            .collect();
        let mut without = line.to_owned();
        for (from, to) in found.iter().rev() {
            without.replace_range(from..to, "");
        }
        let bare = if here.strip_tabs {
            without.trim_start_matches('\t')
        } else {
            &without
        };
        let ends_if_empty = bare == here.delimiter;
        let mut seen = 0;
        for (from, to) in found {
            let before = line.get(seen..from).unwrap_or_default();
            *substitutes |= ["`", "$(", "${"].iter().any(|open| before.contains(open));
            seen = to;
            let place = if here.quoted {
                Place::Literal {
                    delimiter: here.delimiter.clone(),
                    ends_if_empty,
                }
            } else if *substitutes {
                Place::Refused(
                    "in a here-document after $(…), ${…} or a backquote; set a variable before it",
                )
            } else if before.ends_with(['\\', '$']) {
                Place::Refused("directly after a $ or a backslash")
            } else {
                Place::Here
            };
            self.at = start + from;
            self.slot(place);
        }
        let rest = line.get(seen..).unwrap_or_default();
        *substitutes |= ["`", "$(", "${"].iter().any(|open| rest.contains(open));
        self.at = start;
    }
}
