//! The settings that keep people from typing into the wrong place, and those of what calls them: environments, alerts.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::domain::environment::{Environment, Environments, Tint};

/// What calls people to a session that they do not look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alerts {
    /// The bell of the terminal rings.
    pub bell: bool,
    /// A notification of the desktop is asked for, and how.
    pub desktop: Option<Desktop>,
}

/// How a terminal is asked for a notification of the desktop. There is no standard; a terminal that knows both would show
/// it twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Desktop {
    /// `OSC 9 ; text ST`: iTerm2, kitty, WezTerm, Ghostty, Windows Terminal.
    Osc9,
    /// `OSC 777 ; notify ; title ; text ST`: urxvt, foot, GNOME's terminals.
    Osc777,
}

impl Default for Alerts {
    fn default() -> Self {
        Self {
            bell: true,
            desktop: None,
        }
    }
}

/// How long a broadcast goes on without a key, in minutes, where nothing is set.
pub const BROADCAST_MINUTES: u64 = 5;

/// Reads `[environments]`: a name, and either the words of its hosts or a table of `match` and `colour`. What is named
/// replaces the built-in environment of that name; the others stay behind those of the file.
pub(super) fn environments(
    table: &DeTable<'_>,
    mistakes: &mut Vec<(Range<usize>, String)>,
) -> Environments {
    let defaults = Environments::default().0;
    let mut read: Vec<Environment> = Vec::new();
    let mut named: Vec<(Range<usize>, &str, &Spanned<DeValue<'_>>)> = table
        .iter()
        .map(|(name, value)| (name.span(), name.get_ref().as_ref(), value))
        .collect();
    // The order of the file decides which of two environments a host belongs to.
    named.sort_by_key(|(at, ..)| at.start);
    for (_, name, value) in named {
        let known = defaults.iter().find(|environment| environment.name == name);
        let tint = known.map_or(Tint::Blue, |environment| environment.tint);
        match environment(name, value.get_ref(), tint) {
            Ok(environment) => read.push(environment),
            Err(why) => mistakes.push((value.span(), format!("environments.{name}: {why}"))),
        }
    }
    let others = defaults.into_iter().filter(|default| {
        !table
            .iter()
            .any(|(name, _)| name.get_ref().as_ref() == default.name)
    });
    // The loud ones come first: a host that is both is the one where mistakes cost most.
    let mut all: Vec<Environment> = read.into_iter().chain(others).collect();
    all.sort_by_key(|environment| !environment.is_production());
    Environments(all)
}

fn environment(name: &str, value: &DeValue<'_>, tint: Tint) -> Result<Environment, String> {
    let (matches, tint) = match value {
        DeValue::Array(_) => (words(value)?, tint),
        DeValue::Table(table) => {
            let mut matches = Vec::new();
            let mut colour = tint;
            for (key, value) in table {
                match key.get_ref().as_ref() {
                    "match" => matches = words(value.get_ref())?,
                    "colour" | "color" => {
                        colour = value
                            .get_ref()
                            .as_str()
                            .ok_or_else(|| "the colour is a word in quotes".to_owned())?
                            .parse()?;
                    }
                    other => {
                        return Err(format!(
                            "{other} is not known; an environment has match and colour"
                        ));
                    }
                }
            }
            (matches, colour)
        }
        _ => return Err(EXAMPLE.to_owned()),
    };
    Ok(Environment {
        name: name.to_owned(),
        tint,
        matches,
    })
}

const EXAMPLE: &str = "write the words of its hosts, such as [\"prod\", \"db-p*\"], or { match = [\"lab\"], colour = \"blue\" }";

fn words(value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let DeValue::Array(words) = value else {
        return Err(EXAMPLE.to_owned());
    };
    words
        .iter()
        .map(|word| {
            let word = word.get_ref().as_str().map(str::trim);
            let word = word.filter(|word| !word.is_empty());
            word.map(str::to_owned).ok_or_else(|| EXAMPLE.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Environments, Vec<String>) {
        let (document, _) = DeTable::parse_recoverable(text);
        let mut mistakes = Vec::new();
        let read = environments(document.get_ref(), &mut mistakes);
        (read, mistakes.into_iter().map(|(_, why)| why).collect())
    }

    #[test]
    fn environments_are_named_by_the_house() {
        assert_eq!(read("").0, Environments::default());
        let (read, mistakes) = read(
            "lab = { match = [\"lab-*\"], colour = \"green\" }\nlive = { match = [\"live\"], colour = \"red\" }\nstaging = [\"uat\"]\n",
        );
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let found: Vec<_> = read
            .0
            .iter()
            .map(|environment| (environment.name.as_str(), environment.tint))
            .collect();
        assert_eq!(
            found,
            [
                ("live", Tint::Red),
                ("production", Tint::Red),
                ("lab", Tint::Green),
                ("staging", Tint::Yellow),
                ("dev", Tint::Green)
            ]
        );
        assert_eq!(read.0[3].matches, ["uat"]);
    }

    #[test]
    fn mistakes_say_what_would_be_right() {
        for (text, expected) in [
            ("lab = 3", "write the words of its hosts"),
            ("lab = [3]", "write the words of its hosts"),
            (
                "lab = { colour = 'pink' }",
                "\"pink\" is no colour; use one of: red",
            ),
            (
                "lab = { hosts = [] }",
                "an environment has match and colour",
            ),
        ] {
            let (_, mistakes) = read(text);
            assert!(
                mistakes.iter().any(|why| why.contains(expected)),
                "{mistakes:?}"
            );
        }
    }
}
