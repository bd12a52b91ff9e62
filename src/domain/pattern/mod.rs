//! Host patterns: one language for every place that names hosts. An empty result is an error and never becomes "all".
//!
//! | written | means |
//! |---|---|
//! | `web1` | the host of that name; it must exist |
//! | `web*`, `db?` | every host whose name fits |
//! | `web[01-20]`, `n[1-5,7]` | a range of names, zero-padded as written |
//! | `@prod` | the hosts of a group; the group must exist |
//! | `tag=db`, `state=crit`, `ticket=T-7K3F` | hosts with a tag, in a state, or linked to a ticket |
//! | `all` | every host |
//!
//! Terms are joined with `,` or `:`. A term after `&` must hold as well, a term after `!` must not. Unions come first, then
//! intersections, then differences, wherever they stand. A host that its source no longer names (`stale`) is met only
//! when it is named: by its name or in a range, not by a glob, a group, a tag, a state, a ticket or `all`.

mod names;

use std::collections::HashSet;
use std::fmt;

use thiserror::Error;

use super::check::HostState;
use super::host::Host;
use super::text::line;
use names::near;
pub use names::{expand, fits};

/// What a pattern needs to know beyond the hosts themselves.
pub trait Lookup {
    /// The names of the hosts linked to the ticket `reference`; none if there is no such ticket.
    fn ticket_hosts(&self, reference: &str) -> Option<Vec<String>>;
}

/// Knows no tickets: enough for patterns that ask for none.
impl Lookup for () {
    fn ticket_hosts(&self, _reference: &str) -> Option<Vec<String>> {
        None
    }
}

/// A host pattern, understood but not yet applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    text: String,
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq)]
struct Term {
    role: Role,
    text: String,
    set: Set,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Union,
    Intersection,
    Difference,
}

#[derive(Clone, Debug, PartialEq)]
enum Set {
    All,
    Name(String),
    /// Names from a range; all plain.
    Names(HashSet<String>),
    Globs(Vec<String>),
    Group(String),
    Tag(String),
    State(HostState),
    Ticket(String),
}

/// Why a pattern names no hosts.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PatternError {
    /// Nothing was written.
    #[error("the host pattern is empty; name hosts, or write all")]
    Empty,
    /// Two separators in a row, or one at an end.
    #[error(
        "{pattern:?} has nothing between its separators at character {position}; name a host there, or remove the separator"
    )]
    EmptyTerm {
        /// The whole pattern.
        pattern: String,
        /// Where, from 1, in characters.
        position: usize,
    },
    /// Only `&` and `!` terms.
    #[error(
        "{0:?} says only what to leave out or what must also hold; begin with the hosts to take, for example all:{0}"
    )]
    NoUnion(String),
    /// A range that cannot be read.
    #[error("{term:?} is no range: {reason}; write for example web[01-20] or n[1-5,7]")]
    Range {
        /// The term.
        term: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// `key=value` with a key we do not know.
    #[error("{0:?} asks for something unknown; use tag=, state= or ticket=")]
    UnknownKey(String),
    /// `tag=`, `@` and the like without a value.
    #[error("{0:?} has no value; write for example tag=db, state=crit, ticket=T-7K3F or @prod")]
    NoValue(String),
    /// `state=` with a word that is none.
    #[error("{0}")]
    UnknownState(String),
    /// A plain name that no host has.
    #[error("there is no host called {name:?}{}", suggest(.near))]
    UnknownName {
        /// The name.
        name: String,
        /// Names like it.
        near: Vec<String>,
    },
    /// A range of which no host exists.
    #[error("there is no host in {0:?}; see the names with qd host ls")]
    UnknownRange(String),
    /// A group that no host is in.
    #[error("there is no group {name:?}{}", suggest(.near))]
    UnknownGroup {
        /// The group.
        name: String,
        /// Groups like it.
        near: Vec<String>,
    },
    /// A ticket that does not exist.
    #[error("there is no ticket {}; see them with qd ticket ls", line(.0))]
    UnknownTicket(String),
    /// Everything is in order, but no host is left.
    #[error("{0:?} matches no host; see what there is with qd host ls")]
    Nothing(String),
}

fn suggest(near: &[String]) -> String {
    if near.is_empty() {
        "; see the names with qd host ls".to_owned()
    } else {
        format!("; did you mean {}?", near.join(" or "))
    }
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When the text is empty or a term cannot be understood. Whether the names exist is seen by [`Self::resolve`].
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.trim().is_empty() {
            return Err(PatternError::Empty);
        }
        let mut terms = Vec::new();
        for (position, part) in split(text)? {
            let part = part.trim();
            let (role, rest) = match part.split_at_checked(1) {
                Some(("&", rest)) => (Role::Intersection, rest.trim_start()),
                Some(("!", rest)) => (Role::Difference, rest.trim_start()),
                _ => (Role::Union, part),
            };
            if rest.is_empty() {
                return Err(PatternError::EmptyTerm {
                    pattern: text.to_owned(),
                    position,
                });
            }
            terms.push(Term {
                role,
                text: rest.to_owned(),
                set: Set::parse(rest)?,
            });
        }
        if terms.iter().all(|term| term.role != Role::Union) {
            return Err(PatternError::NoUnion(text.trim().to_owned()));
        }
        Ok(Self {
            text: text.trim().to_owned(),
            terms,
        })
    }

    /// The references of the tickets that [`Self::resolve`] will ask for, so that they can be fetched before.
    pub fn tickets(&self) -> Vec<&str> {
        self.terms
            .iter()
            .filter_map(|term| match &term.set {
                Set::Ticket(reference) => Some(reference.as_str()),
                _ => None,
            })
            .collect()
    }

    /// The hosts that the pattern names, in the order given.
    ///
    /// # Errors
    /// When a name, a group or a ticket in it does not exist, or when no host is left.
    pub fn resolve<'a>(
        &self,
        hosts: &'a [Host],
        cx: &dyn Lookup,
    ) -> Result<Vec<&'a Host>, PatternError> {
        let mut members = Vec::with_capacity(self.terms.len());
        for term in &self.terms {
            members.push((term, term.members(hosts, cx)?));
        }
        let named: HashSet<&str> = self
            .terms
            .iter()
            .filter(|term| term.role == Role::Union)
            .flat_map(|term| term.set.names())
            .collect();
        let of = |wanted: Role| members.iter().filter(move |(term, _)| term.role == wanted);
        let found: Vec<&Host> = hosts
            .iter()
            .enumerate()
            .filter(|(index, host)| {
                let holds = |(_, set): &(&Term, Vec<bool>)| set.get(*index) == Some(&true);
                of(Role::Union).any(holds)
                    && of(Role::Intersection).all(holds)
                    && !of(Role::Difference).any(holds)
                    && (!host.stale || named.contains(host.name.as_str()))
            })
            .map(|(_, host)| host)
            .collect();
        if found.is_empty() {
            return Err(PatternError::Nothing(self.text.clone()));
        }
        Ok(found)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl Set {
    fn parse(text: &str) -> Result<Self, PatternError> {
        if text == "all" {
            return Ok(Self::All);
        }
        if let Some(group) = text.strip_prefix('@') {
            return Self::valued(text, group).map(Self::Group);
        }
        if let Some((key, value)) = text.split_once('=') {
            let value = Self::valued(text, value.trim())?;
            return match key.trim() {
                "tag" => Ok(Self::Tag(value)),
                "ticket" => Ok(Self::Ticket(value)),
                "state" => value
                    .parse()
                    .map(Self::State)
                    .map_err(PatternError::UnknownState),
                _ => Err(PatternError::UnknownKey(text.to_owned())),
            };
        }
        let globs = text.contains(['*', '?']);
        if !text.contains(['[', ']']) {
            return Ok(if globs {
                Self::Globs(vec![text.to_owned()])
            } else {
                Self::Name(text.to_owned())
            });
        }
        let names = expand(text)?;
        Ok(if globs {
            Self::Globs(names)
        } else {
            Self::Names(names.into_iter().collect())
        })
    }

    fn valued(term: &str, value: &str) -> Result<String, PatternError> {
        if value.is_empty() {
            return Err(PatternError::NoValue(term.to_owned()));
        }
        Ok(value.to_owned())
    }

    /// The names it spells out.
    fn names(&self) -> impl Iterator<Item = &str> {
        let (one, many) = match self {
            Self::Name(name) => (Some(name.as_str()), None),
            Self::Names(names) => (None, Some(names)),
            _ => (None, None),
        };
        one.into_iter()
            .chain(many.into_iter().flatten().map(String::as_str))
    }
}

impl Term {
    /// For each host whether it is in the term's set.
    ///
    /// A misspelt name is an error in every role: `!web3` for `!web03` would otherwise act on a host that was meant to
    /// be left out.
    fn members(&self, hosts: &[Host], cx: &dyn Lookup) -> Result<Vec<bool>, PatternError> {
        let flags = |test: &dyn Fn(&Host) -> bool| hosts.iter().map(test).collect::<Vec<bool>>();
        let found = match &self.set {
            Set::All => flags(&|_| true),
            Set::Name(name) => flags(&|host| host.name == *name),
            Set::Names(names) => flags(&|host| names.contains(&host.name)),
            Set::Globs(globs) => flags(&|host| globs.iter().any(|glob| fits(glob, &host.name))),
            Set::Group(group) => flags(&|host| host.groups.contains(group)),
            Set::Tag(tag) => flags(&|host| host.tags.contains(tag)),
            Set::State(state) => flags(&|host| host.state == *state),
            Set::Ticket(reference) => {
                let names: HashSet<String> = cx
                    .ticket_hosts(reference)
                    .ok_or_else(|| PatternError::UnknownTicket(reference.clone()))?
                    .into_iter()
                    .collect();
                flags(&|host| names.contains(&host.name))
            }
        };
        if found.contains(&true) {
            return Ok(found);
        }
        match &self.set {
            Set::Name(name) => Err(PatternError::UnknownName {
                name: name.clone(),
                near: near(name, hosts.iter().map(|host| host.name.as_str())),
            }),
            Set::Names(_) => Err(PatternError::UnknownRange(self.text.clone())),
            Set::Group(name) => {
                let groups: HashSet<&str> = hosts
                    .iter()
                    .flat_map(|host| host.groups.iter().map(String::as_str))
                    .collect();
                Err(PatternError::UnknownGroup {
                    name: name.clone(),
                    near: near(name, groups.into_iter()),
                })
            }
            Set::All | Set::Globs(_) | Set::Tag(_) | Set::State(_) | Set::Ticket(_) => Ok(found),
        }
    }
}

/// Splits at `,` and `:` outside of brackets; each part with its place, from 1, in characters.
fn split(text: &str) -> Result<Vec<(usize, &str)>, PatternError> {
    let (mut parts, mut start, mut place, mut inside) = (Vec::new(), 0, 1, false);
    for (count, (index, c)) in text.char_indices().enumerate() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            ',' | ':' if !inside => {
                parts.push((place, &text[start..index]));
                (start, place) = (index + 1, count + 2);
            }
            _ => {}
        }
    }
    parts.push((place, &text[start..]));
    match parts.iter().find(|(_, part)| part.trim().is_empty()) {
        Some((position, _)) => Err(PatternError::EmptyTerm {
            pattern: text.to_owned(),
            position: *position,
        }),
        None => Ok(parts),
    }
}

#[cfg(test)]
mod tests;
