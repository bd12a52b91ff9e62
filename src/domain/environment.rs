//! Environments: which hosts are production, staging, development, or whatever else a house has, and how loudly to say so.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::host::{self, Host};
use super::ticket::words;

words!(
    /// The colour of an environment's lines. Red guards as well: pastes always ask, broadcasts leave its hosts out.
    Tint, "colour" {
        /// Production.
        Red = "red",
        /// One step before it.
        Yellow = "yellow",
        /// Where things may break.
        Green = "green",
        /// Something else.
        Blue = "blue",
        /// No colour, only the word.
        Plain = "none",
    }
);

/// One environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// What it is called, as the status line says it.
    pub name: String,
    /// Its colour.
    pub tint: Tint,
    /// What its hosts have: a tag, a group, or the value of the variable `env` or `environment`; a word with `*` or `?`
    /// is a pattern of host names. Letters match in either case.
    pub matches: Vec<String>,
}

impl Environment {
    /// An environment of these words.
    pub fn new(name: &str, tint: Tint, matches: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            tint,
            matches: matches.iter().map(|word| (*word).to_owned()).collect(),
        }
    }

    /// Whether mistakes there cost most.
    pub fn is_production(&self) -> bool {
        self.tint == Tint::Red
    }

    fn holds(&self, host: &Host) -> bool {
        let variables = ["env", "environment"];
        let values = variables.iter().filter_map(|name| host.vars.get(*name));
        let words: Vec<&String> = host.tags.iter().chain(&host.groups).chain(values).collect();
        self.matches.iter().any(|wanted| {
            if wanted.contains(['*', '?']) {
                return host::listed(&[wanted.to_lowercase()], &host.name.to_lowercase());
            }
            words.iter().any(|word| word.eq_ignore_ascii_case(wanted))
        })
    }
}

/// All environments; the first that a host belongs to is its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environments(pub Vec<Environment>);

impl Default for Environments {
    fn default() -> Self {
        Self(vec![
            Environment::new("production", Tint::Red, &["prod", "production"]),
            Environment::new("staging", Tint::Yellow, &["staging", "stage", "preprod"]),
            Environment::new("dev", Tint::Green, &["dev", "development", "test"]),
        ])
    }
}

impl Environments {
    /// The environment of a host, by what the inventory says of it.
    pub fn of(&self, host: &Host) -> Option<&Environment> {
        self.0.iter().find(|environment| environment.holds(host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_known_by_tag_group_variable_or_name() {
        let mut environments = Environments::default();
        let lab = Environment::new("lab", Tint::Blue, &["Lab-*", "bench"]);
        environments.0.push(lab);
        let of = |name: &str, change: fn(&mut Host)| {
            let mut host = Host::named(name);
            change(&mut host);
            let found = environments.of(&host);
            found.map(|found| (found.name.clone(), found.is_production()))
        };
        let some = |name: &str, production| Some((name.to_owned(), production));
        assert_eq!(of("a", |_| {}), None);
        assert_eq!(
            of("a", |host| host.tags.push("PROD".to_owned())),
            some("production", true)
        );
        assert_eq!(
            of("a", |host| host.groups.push("stage".to_owned())),
            some("staging", false)
        );
        let env = |host: &mut Host| drop(host.vars.insert("env".to_owned(), "test".to_owned()));
        assert_eq!(of("a", env), some("dev", false));
        assert_eq!(of("LAB-7", |_| {}), some("lab", false));
        assert_eq!(of("prod", |_| {}), None, "a name is no tag");
        let both = |host: &mut Host| host.tags = vec!["dev".to_owned(), "prod".to_owned()];
        assert_eq!(of("a", both), some("production", true), "the first wins");
    }
}
