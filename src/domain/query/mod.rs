//! Ticket queries: the same in the UI, the command line and saved views.
//!
//! Words are joined by "and"; `-` before one negates it; a comma within one is "or". `state:open,new prio:<=2 owner:me
//! host:web1 tag:db due:<2d "disk full" -tag:lab`. A word that cannot be understood is refused, never ignored. A query
//! without a word about the state asks for tickets in every state.

use thiserror::Error;

use super::pattern::fits;
use super::ticket::{Priority, Ticket, TicketKind, TicketState};
use super::time::{Time, parse_span};

/// A query: every term must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// The terms, in the order typed. None matches every ticket.
    pub terms: Vec<Term>,
}

/// One term.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// Preceded by `-`: must not hold.
    pub negate: bool,
    /// What must hold.
    pub test: Test,
}

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// No sign, or `=`.
    Equal,
    /// `>=`
    AtLeast,
    /// `>`
    More,
}

/// What a term asks. A list holds when any of its members does.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// `state:open,new`
    State(Vec<TicketState>),
    /// `prio:<=2`
    Priority(Compare, u8),
    /// `kind:incident`
    Kind(Vec<TicketKind>),
    /// `queue:net`
    Queue(Vec<String>),
    /// `owner:me`, already replaced by the name; `None` stands for `owner:none`.
    Owner(Vec<Option<String>>),
    /// `requester:ann`
    Requester(Vec<String>),
    /// `host:web1`; globs allowed.
    Host(Vec<String>),
    /// `tag:db`; globs allowed.
    Tag(Vec<String>),
    /// `due:<2d`, made absolute: due before then.
    Due(Compare, Time),
    /// `created:<2d`: younger than two days, made absolute as created after then.
    Created(Compare, Time),
    /// `updated:>1w`, made absolute in the same way.
    Updated(Compare, Time),
    /// A bare word or a quoted phrase, anywhere in title, body or comments; letter case does not matter.
    Text(String),
}

/// Why a query is refused, and at which word.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}\n  {}\n  {:>width$}", super::text::line(.query), "^", width = .position + 1)]
pub struct QueryError {
    /// The word that cannot be understood.
    pub word: String,
    /// Where it begins in the query, in characters from 0.
    pub position: usize,
    /// The whole query, its words joined by blanks.
    pub query: String,
    /// What is wrong, and what is allowed instead.
    pub message: String,
}

const KEYS: &str = "state prio kind queue owner requester host tag due created updated";

impl Query {
    /// Reads a query from the words of a command line. Each may hold a whole query or, as the shell leaves it after taking
    /// quotes away, one phrase with blanks in it. `now` makes spans absolute and `me` stands in for `me`.
    ///
    /// # Errors
    /// At the first word that is no term.
    pub fn parse(words: &[String], now: Time, me: &str) -> Result<Self, QueryError> {
        let query = words.join(" ");
        let mut terms = Vec::new();
        let mut position = 0;
        for word in words {
            let tokens = if is_phrase(word) {
                vec![Token::phrase(word, position)]
            } else {
                tokens(word, position).map_err(|(position, message)| QueryError {
                    word: word.clone(),
                    position,
                    query: query.clone(),
                    message,
                })?
            };
            for token in tokens {
                let position = token.position;
                let term = token.term(now, me).map_err(|message| QueryError {
                    word: token.text(),
                    position,
                    query: query.clone(),
                    message,
                })?;
                terms.push(term);
            }
            position += word.chars().count() + 1;
        }
        Ok(Self { terms })
    }

    /// Reads a query typed in one line, with quotes around phrases.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_line(line: &str, now: Time, me: &str) -> Result<Self, QueryError> {
        let failed = |word: String, position, message| QueryError {
            word,
            position,
            query: line.to_owned(),
            message,
        };
        let tokens = tokens(line, 0)
            .map_err(|(position, message)| failed(line.to_owned(), position, message))?;
        let terms = tokens
            .into_iter()
            .map(|token| {
                token
                    .term(now, me)
                    .map_err(|message| failed(token.text(), token.position, message))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { terms })
    }

    /// Whether every term holds for `ticket`. The store's SQL must agree with this.
    pub fn matches(&self, ticket: &Ticket) -> bool {
        self.terms
            .iter()
            .all(|term| term.test.holds(ticket) != term.negate)
    }
}

impl Compare {
    fn holds<T: Ord>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::Equal => left == right,
            Self::AtLeast => left >= right,
            Self::More => left > right,
        }
    }

    /// The comparison as seen from the other end: younger than two days is created *after* then.
    fn flipped(self) -> Self {
        match self {
            Self::Less => Self::More,
            Self::AtMost => Self::AtLeast,
            Self::Equal => Self::Equal,
            Self::AtLeast => Self::AtMost,
            Self::More => Self::Less,
        }
    }

    /// Takes the sign off the front of `text`.
    fn strip(text: &str) -> (Self, &str) {
        for (sign, compare) in [
            ("<=", Self::AtMost),
            (">=", Self::AtLeast),
            ("<", Self::Less),
            (">", Self::More),
            ("=", Self::Equal),
        ] {
            if let Some(rest) = text.strip_prefix(sign) {
                return (compare, rest);
            }
        }
        (Self::Equal, text)
    }
}

impl Test {
    fn holds(&self, ticket: &Ticket) -> bool {
        match self {
            Self::State(states) => states.contains(&ticket.state),
            Self::Priority(compare, level) => compare.holds(&ticket.priority.level(), level),
            Self::Kind(kinds) => kinds.contains(&ticket.kind),
            Self::Queue(queues) => queues.contains(&ticket.queue),
            Self::Owner(owners) => owners.contains(&ticket.owner),
            Self::Requester(names) => ticket
                .requester
                .as_ref()
                .is_some_and(|requester| names.contains(requester)),
            Self::Host(globs) => any_fits(globs, &ticket.hosts),
            Self::Tag(globs) => any_fits(globs, &ticket.tags),
            Self::Due(compare, time) => ticket.due.is_some_and(|due| compare.holds(&due, time)),
            Self::Created(compare, time) => compare.holds(&ticket.created, time),
            Self::Updated(compare, time) => compare.holds(&ticket.updated, time),
            Self::Text(text) => {
                let wanted = text.to_lowercase();
                let has = |text: &str| text.to_lowercase().contains(&wanted);
                has(&ticket.title)
                    || has(&ticket.body)
                    || ticket.entries.iter().any(|entry| has(&entry.text))
            }
        }
    }
}

fn any_fits(globs: &[String], names: &[String]) -> bool {
    names
        .iter()
        .any(|name| globs.iter().any(|glob| fits(glob, name)))
}

/// Whether a word of the command line is a phrase whose quotes the shell took: it holds blanks, and neither quotes of its
/// own nor a key at its beginning.
fn is_phrase(word: &str) -> bool {
    let key = word.trim_start_matches('-').split_once(':');
    word.contains(char::is_whitespace)
        && !word.contains('"')
        && key.is_none_or(|(key, _)| !KEYS.split(' ').any(|known| known == key))
}

/// A word, with a note for each character whether it stood in quotes.
struct Token {
    chars: Vec<(char, bool)>,
    position: usize,
}

/// Splits at blanks outside of quotes.
fn tokens(line: &str, offset: usize) -> Result<Vec<Token>, (usize, String)> {
    let mut tokens = Vec::new();
    let mut open: Option<Token> = None;
    let mut quote: Option<usize> = None;
    for (index, c) in line.chars().enumerate() {
        let position = offset + index;
        if c.is_whitespace() && quote.is_none() {
            tokens.extend(open.take());
            continue;
        }
        let token = open.get_or_insert_with(|| Token {
            chars: Vec::new(),
            position,
        });
        if c == '"' {
            quote = if quote.is_some() {
                None
            } else {
                Some(position)
            };
            // Marks that there was a quote, even around nothing.
            token.chars.push(('"', true));
        } else {
            token.chars.push((c, quote.is_some()));
        }
    }
    if let Some(position) = quote {
        return Err((
            position,
            "the quote is not closed; end it with another \"".to_owned(),
        ));
    }
    tokens.extend(open);
    Ok(tokens)
}

impl Token {
    fn phrase(text: &str, position: usize) -> Self {
        let (dash, text) = match text.strip_prefix('-') {
            Some(rest) => (Some(('-', false)), rest),
            None => (None, text),
        };
        Self {
            chars: dash
                .into_iter()
                .chain([('"', true)])
                .chain(text.chars().filter(|c| *c != '"').map(|c| (c, true)))
                .collect(),
            position,
        }
    }

    /// The word as typed.
    fn text(&self) -> String {
        self.chars.iter().map(|(c, _)| c).collect()
    }

    /// What the word asks for, or what is wrong with it.
    fn term(&self, now: Time, me: &str) -> Result<Term, String> {
        let (negate, chars) = match self.chars.as_slice() {
            [('-', false), rest @ ..] => (true, rest),
            all => (false, all),
        };
        let quoted = chars.first().is_some_and(|(_, quoted)| *quoted);
        let colon = chars.iter().position(|c| *c == (':', false));
        let test = match colon {
            Some(colon) if !quoted => {
                let (key, value) = chars.split_at(colon);
                test(&plain(key), value.get(1..).unwrap_or_default(), now, me)?
            }
            _ => {
                let text = plain(chars);
                if text.trim().is_empty() {
                    return Err(
                        "there is nothing to look for; write a word, or a field such as state:open"
                            .to_owned(),
                    );
                }
                Test::Text(text)
            }
        };
        Ok(Term { negate, test })
    }
}

/// The characters without the quotes.
fn plain(chars: &[(char, bool)]) -> String {
    chars
        .iter()
        .filter(|c| **c != ('"', true))
        .map(|(c, _)| c)
        .collect()
}

fn test(key: &str, value: &[(char, bool)], now: Time, me: &str) -> Result<Test, String> {
    let text = plain(value);
    let values: Vec<String> = value.split(|c| *c == (',', false)).map(plain).collect();
    let names = || -> Result<Vec<String>, String> {
        if values.iter().any(|value| value.trim().is_empty()) {
            return Err(format!(
                "{key}: needs a value, such as {key}:{}",
                example(key)
            ));
        }
        Ok(values.clone())
    };
    let person = |name: String| if name == "me" { me.to_owned() } else { name };
    match key {
        "state" => words(&values).map(Test::State),
        "kind" => words(&values).map(Test::Kind),
        "prio" | "priority" => {
            let (compare, level) = Compare::strip(&text);
            let priority: Priority = level.parse().map_err(|_| {
                format!("{text:?} is no priority; use 1 (highest) to 4, such as prio:1 or prio:<=2")
            })?;
            Ok(Test::Priority(compare, priority.level()))
        }
        // A ticket outside of every queue has an empty queue.
        "queue" => Ok(Test::Queue(
            names()?
                .into_iter()
                .map(|name| if name == "none" { String::new() } else { name })
                .collect(),
        )),
        "owner" => Ok(Test::Owner(
            names()?
                .into_iter()
                .map(|name| (name != "none").then(|| person(name)))
                .collect(),
        )),
        "requester" => Ok(Test::Requester(names()?.into_iter().map(person).collect())),
        "host" => names().map(Test::Host),
        "tag" => names().map(Test::Tag),
        "due" => when(key, &text, now, 1).map(|(compare, time)| Test::Due(compare, time)),
        "created" => when(key, &text, now, -1).map(|(compare, time)| Test::Created(compare, time)),
        "updated" => when(key, &text, now, -1).map(|(compare, time)| Test::Updated(compare, time)),
        _ => Err(format!(
            "tickets have no field {key:?} to ask for; use {KEYS}, or quote the word to look for it as text"
        )),
    }
}

fn example(key: &str) -> &'static str {
    match key {
        "owner" | "requester" => "me",
        "host" => "web1",
        "tag" => "db",
        _ => "net",
    }
}

fn words<T: std::str::FromStr<Err = String>>(values: &[String]) -> Result<Vec<T>, String> {
    values.iter().map(|value| value.parse()).collect()
}

/// A comparison with a point in time. A span counts from now: onwards for `sign` 1, and back for -1, where "less than" such
/// an age means later. A date is midnight UTC, so that every device understands it alike.
fn when(key: &str, text: &str, now: Time, sign: i64) -> Result<(Compare, Time), String> {
    let wrong = || {
        format!(
            "{key}:{text} names no time to compare with; write for example {key}:<2d, {key}:>1w, \
             {key}:<2026-12-01 or {key}:>=2026-12-01T08:00:00Z"
        )
    };
    let (compare, value) = Compare::strip(text);
    if compare == Compare::Equal {
        return Err(wrong());
    }
    let date = Time::parse(value).or_else(|| Time::parse(&format!("{value}T00:00:00Z")));
    if let Some(time) = date {
        return Ok((compare, time));
    }
    let span = parse_span(value).and_then(|span| i64::try_from(span).ok());
    let span = span.ok_or_else(wrong)?;
    let compare = if sign < 0 { compare.flipped() } else { compare };
    Ok((compare, now.plus(span.saturating_mul(sign))))
}

#[cfg(test)]
mod tests;
