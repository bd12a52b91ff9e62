//! Which lines of ssh_config apply to a host, by the text alone. A condition that only a connection or a program could
//! decide is *unknown*, and a value that depends on it is left out rather than guessed.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::line::Word;
use crate::domain::host::{Host, Source};
use crate::domain::pattern::fits;

/// The options whose values are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    HostName,
    Port,
    User,
    ProxyJump,
    /// Decides about the jump as well: the first of the two wins.
    ProxyCommand,
    IdentityFile,
}

impl Field {
    pub(super) fn of(keyword: &str) -> Option<Self> {
        Some(match keyword {
            "hostname" => Self::HostName,
            "port" => Self::Port,
            "user" => Self::User,
            "proxyjump" => Self::ProxyJump,
            "proxycommand" => Self::ProxyCommand,
            "identityfile" => Self::IdentityFile,
            _ => return None,
        })
    }
}

/// A line that sets one of the fields.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub field: Field,
    pub value: String,
    pub source: Source,
}

/// Lines that follow each other in one block.
#[derive(Clone, Debug)]
pub(super) struct Section {
    /// The conditions of the blocks whose includes led here.
    chain: Vec<usize>,
    /// The condition of the block itself.
    condition: usize,
    pub entries: Vec<Entry>,
}

impl Section {
    pub(super) fn new(chain: &[usize], condition: usize) -> Self {
        Self {
            chain: chain.to_vec(),
            condition,
            entries: Vec::new(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
    Unknown,
}

impl Answer {
    fn of(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }

    fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Unknown,
        }
    }
}

/// When a block applies.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    /// Before the first block.
    Always,
    /// `Host`: at least one pattern fits, and none that is negated.
    Host {
        names: HashSet<String>,
        globs: Vec<String>,
        negated: Vec<String>,
    },
    /// `Match`: every criterion holds.
    Match(Vec<Criterion>),
}

#[derive(Clone, Debug)]
pub(super) struct Criterion {
    negate: bool,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    All,
    /// The host name as it is set so far.
    Host(Vec<String>),
    /// The name as it was typed.
    Original(Vec<String>),
    /// Needs a program, a login or a second pass.
    Unknown,
}

impl Condition {
    pub(super) fn host(patterns: &[&str]) -> Self {
        let (mut names, mut globs, mut negated) = (HashSet::new(), Vec::new(), Vec::new());
        for pattern in patterns {
            match pattern.strip_prefix('!') {
                Some(pattern) => negated.push(pattern.to_owned()),
                None if pattern.contains(['*', '?']) => globs.push((*pattern).to_owned()),
                None => drop(names.insert((*pattern).to_owned())),
            }
        }
        Self::Host {
            names,
            globs,
            negated,
        }
    }

    pub(super) fn matching(words: &[Word]) -> Self {
        let mut criteria = Vec::new();
        let mut words = words.iter().map(|word| word.text.as_str());
        while let Some(word) = words.next() {
            let (negate, word) = match word.strip_prefix('!') {
                Some(word) => (true, word),
                None => (false, word),
            };
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word, None),
            };
            let name = name.to_ascii_lowercase();
            let test = match name.as_str() {
                "all" => Test::All,
                "canonical" | "final" => Test::Unknown,
                _ => {
                    let value = value.or_else(|| words.next()).unwrap_or_default();
                    let list = value.split(',').map(str::to_owned).collect();
                    match name.as_str() {
                        "host" => Test::Host(list),
                        "originalhost" => Test::Original(list),
                        _ => Test::Unknown,
                    }
                }
            };
            criteria.push(Criterion { negate, test });
        }
        Self::Match(criteria)
    }

    /// The names to which alone the block can apply, if it is so simple.
    fn only_names(&self) -> Option<&HashSet<String>> {
        match self {
            Self::Host { names, globs, .. } if globs.is_empty() => Some(names),
            _ => None,
        }
    }

    fn holds(&self, name: &str, found: &Found<'_>) -> Answer {
        match self {
            Self::Always => Answer::Yes,
            Self::Host {
                names,
                globs,
                negated,
            } => Answer::of(
                (names.contains(name) || globs.iter().any(|glob| fits(glob, name)))
                    && !negated.iter().any(|glob| fits(glob, name)),
            ),
            Self::Match(criteria) => criteria.iter().fold(Answer::Yes, |answer, criterion| {
                let one = criterion.test.holds(name, found);
                answer.and(if criterion.negate { one.not() } else { one })
            }),
        }
    }
}

impl Test {
    fn holds(&self, name: &str, found: &Found<'_>) -> Answer {
        match self {
            Self::All => Answer::Yes,
            Self::Original(list) => Answer::of(listed(list, name)),
            Self::Host(list) => match found.get(Field::HostName) {
                Value::Unset => Answer::of(listed(list, name)),
                Value::Set(entry) => Answer::of(listed(list, &expand(&entry.value, name))),
                Value::Unknown => Answer::Unknown,
            },
            Self::Unknown => Answer::Unknown,
        }
    }
}

/// As in OpenSSH's pattern lists: a negated pattern that fits overrules all others.
fn listed(list: &[String], name: &str) -> bool {
    let fits_any = |negated: bool| {
        list.iter().any(|pattern| match pattern.strip_prefix('!') {
            Some(pattern) => negated && fits(pattern, name),
            None => !negated && fits(pattern, name),
        })
    };
    fits_any(false) && !fits_any(true)
}

#[derive(Clone, Copy, Debug, Default)]
enum Value<'a> {
    #[default]
    Unset,
    /// The first line that sets it wins.
    Set(&'a Entry),
    /// A line under an undecided condition may have set it.
    Unknown,
}

/// What is known of one host while its sections are read in order.
#[derive(Default)]
struct Found<'a> {
    address: Value<'a>,
    port: Value<'a>,
    user: Value<'a>,
    proxy: Value<'a>,
    identity: Value<'a>,
}

impl<'a> Found<'a> {
    fn slot(&mut self, field: Field) -> &mut Value<'a> {
        match field {
            Field::HostName => &mut self.address,
            Field::Port => &mut self.port,
            Field::User => &mut self.user,
            Field::ProxyJump | Field::ProxyCommand => &mut self.proxy,
            Field::IdentityFile => &mut self.identity,
        }
    }

    fn get(&self, field: Field) -> Value<'a> {
        match field {
            Field::HostName => self.address,
            Field::Port => self.port,
            Field::User => self.user,
            Field::ProxyJump | Field::ProxyCommand => self.proxy,
            Field::IdentityFile => self.identity,
        }
    }
}

/// `%h` in HostName is the name as typed, `%%` a percent sign.
fn expand(value: &str, name: &str) -> String {
    value
        .split("%%")
        .map(|part| part.replace("%h", name))
        .collect::<Vec<_>>()
        .join("%")
}

/// The hosts called `names`, with the values that the sections set.
pub(super) fn hosts(
    names: Vec<(String, Source)>,
    conditions: &[Condition],
    sections: &[Section],
    config: &Path,
) -> Vec<Host> {
    // Most blocks name their hosts one by one. Looking those up keeps ten thousand blocks from being tried against ten
    // thousand names.
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut general = Vec::new();
    for (index, section) in sections.iter().enumerate() {
        if section.entries.is_empty() {
            continue;
        }
        match conditions
            .get(section.condition)
            .and_then(Condition::only_names)
        {
            Some(only) => {
                for name in only {
                    by_name.entry(name).or_default().push(index);
                }
            }
            None => general.push(index),
        }
    }
    names
        .into_iter()
        .map(|(name, source)| {
            let own = by_name.get(name.as_str()).map_or(&[][..], Vec::as_slice);
            let mut order: Vec<usize> = own.iter().chain(&general).copied().collect();
            order.sort_unstable();
            let found = find(&name, &order, conditions, sections);
            host(&name, source, &found, config)
        })
        .collect()
}

fn find<'a>(
    name: &str,
    order: &[usize],
    conditions: &[Condition],
    sections: &'a [Section],
) -> Found<'a> {
    let mut found = Found::default();
    for section in order.iter().filter_map(|index| sections.get(*index)) {
        let answer = section
            .chain
            .iter()
            .chain([&section.condition])
            .filter_map(|id| conditions.get(*id))
            .fold(Answer::Yes, |answer, condition| {
                answer.and(condition.holds(name, &found))
            });
        for entry in &section.entries {
            let slot = found.slot(entry.field);
            match (answer, &slot) {
                (Answer::Yes, Value::Unset) => *slot = Value::Set(entry),
                (Answer::Unknown, Value::Unset) => *slot = Value::Unknown,
                _ => {}
            }
        }
    }
    found
}

fn host(name: &str, source: Source, found: &Found<'_>, config: &Path) -> Host {
    let mut host = Host::named(name);
    host.config = Some(config.to_owned());
    host.source.insert("name".to_owned(), source);
    let mut note = |field: &str, entry: &Entry| {
        host.source.insert(field.to_owned(), entry.source.clone());
    };
    if let Value::Set(entry) = found.address {
        note("address", entry);
        host.address = Some(crate::domain::text::line(&expand(&entry.value, name)));
    }
    if let Value::Set(entry) = found.port {
        note("port", entry);
        host.port = entry.value.parse().ok();
    }
    if let Value::Set(entry) = found.user {
        note("user", entry);
        host.user = Some(crate::domain::text::line(&entry.value));
    }
    if let Value::Set(entry) = found.proxy
        && entry.field == Field::ProxyJump
        && !entry.value.eq_ignore_ascii_case("none")
    {
        note("jump", entry);
        host.jump = entry
            .value
            .split(',')
            .map(str::trim)
            .filter(|hop| !hop.is_empty())
            .map(crate::domain::text::line)
            .collect();
    }
    if let Value::Set(entry) = found.identity {
        note("identityfile", entry);
    }
    host
}
