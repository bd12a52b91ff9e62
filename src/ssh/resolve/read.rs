//! Reads configuration files line by line and keeps track of the block a line stands in. What a line means is decided
//! elsewhere.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use super::conditions::{self, NoVerdict, Scene};
use super::files::{self, Owner, Unreadable};
use super::keywords::{self, Kind};
use super::patterns::{self, Listed};
use super::state::State;
use super::values;
use super::words;

/// How deep includes may nest, as in OpenSSH.
const DEPTH: usize = 16;

/// How many bad lines of a file are named.
const NAMED: usize = 5;

/// Reads files for one host.
pub(super) struct Reader<'a> {
    pub(super) state: State,
    /// The host that `Host` lines are compared with: as given in the first pass, as found in the second.
    pub(super) host: String,
    /// The name as it was given.
    pub(super) original: &'a str,
    /// The second pass.
    pub(super) last: bool,
    /// A line asked for a second pass.
    pub(super) wants_last: bool,
    /// When commands of the configuration must have ended.
    pub(super) deadline: Instant,
    /// Where each option was set.
    pub(super) places: BTreeMap<&'static str, String>,
}

/// How a file is read.
#[derive(Clone, Copy)]
pub(super) struct Way {
    pub(super) owner: Owner,
    /// Refuse a file that others may write to.
    pub(super) strict: bool,
    /// It was included by a block that does not apply, so nothing in it does.
    never: bool,
    depth: usize,
}

impl Way {
    pub(super) fn new(owner: Owner, strict: bool) -> Self {
        Self {
            owner,
            strict,
            never: false,
            depth: 0,
        }
    }
}

/// Why a line was not taken.
enum Stop {
    /// The line is bad; the rest of the file is still looked at, as OpenSSH does.
    Line(String),
    /// Nothing more is read.
    Fatal(String),
}

impl Reader<'_> {
    /// Reads a file. False if it does not exist.
    ///
    /// # Errors
    /// Every bad line with its file and number, or why the file cannot be read.
    pub(super) fn file(&mut self, path: &Path, way: Way) -> Result<bool, String> {
        let mut active = !way.never;
        self.within(path, way, &mut active)
    }

    fn within(&mut self, path: &Path, way: Way, active: &mut bool) -> Result<bool, String> {
        if way.depth > DEPTH {
            return Err(format!(
                "{}: files include each other more than {DEPTH} deep; remove one of the Include lines",
                path.display()
            ));
        }
        let bytes = match files::read(path, way.strict) {
            Ok(bytes) => bytes,
            Err(Unreadable::Missing) => return Ok(false),
            Err(Unreadable::Other(why)) => return Err(format!("{}: {why}", path.display())),
        };
        let mut bad = Vec::new();
        for (line, number) in bytes.split(|byte| *byte == b'\n').zip(1_usize..) {
            // A name that is not UTF-8 cannot be asked for, so it matters only that it equals no other.
            let line = String::from_utf8_lossy(line);
            let place = || format!("{} line {number}", path.display());
            match self.line(&line, &place, way, active) {
                Ok(()) => {}
                Err(Stop::Line(why)) => bad.push(format!("{}: {why}", place())),
                // A message out of an included file names its own place.
                Err(Stop::Fatal(why)) => {
                    bad.push(why);
                    return Err(bad.join("; "));
                }
            }
        }
        if bad.is_empty() {
            return Ok(true);
        }
        let more = bad.len().saturating_sub(NAMED);
        bad.truncate(NAMED);
        if more > 0 {
            bad.push(format!("and {more} more bad lines"));
        }
        Err(bad.join("; "))
    }

    fn line(
        &mut self,
        line: &str,
        place: &dyn Fn() -> String,
        way: Way,
        active: &mut bool,
    ) -> Result<(), Stop> {
        let Some((keyword, rest)) = words::keyword(line) else {
            return Ok(());
        };
        let shown = crate::domain::text::line(&keyword);
        let Some(rest) = rest else {
            return Err(Stop::Line(format!(
                "{shown} has no value; write one behind it, or remove the line"
            )));
        };
        let Some((option, kind)) = keywords::look_up(&keyword) else {
            let ignored = self.state.get("ignoreunknown").is_some_and(|list| {
                patterns::list(&list.to_ascii_lowercase(), &keyword) == Listed::Yes
            });
            if ignored {
                return Ok(());
            }
            return Err(Stop::Line(format!(
                "bad configuration option: {shown} is none of OpenSSH 9.2; correct it, or name it in an IgnoreUnknown line before"
            )));
        };
        let Some(arguments) = words::arguments(&rest) else {
            return Err(Stop::Line(
                "a quote is not closed; close it, or remove it".to_owned(),
            ));
        };
        match kind {
            Kind::Host => self.host_line(&arguments, way, active),
            Kind::Match => self.match_line(&rest, place, way, active),
            Kind::Include => self.include(&arguments, place, way, *active),
            kind => {
                let set = self.state.is_set(option);
                let line = values::Line {
                    option,
                    kind,
                    rest: &rest,
                    arguments: &arguments,
                    active: *active,
                    by_user: way.owner == Owner::User,
                };
                values::apply(&mut self.state, &line)
                    .map_err(|why| Stop::Line(format!("{shown} {why}")))?;
                if !set && self.state.is_set(option) {
                    self.places.insert(option, place());
                }
                Ok(())
            }
        }
    }

    fn host_line(&self, patterns: &[String], way: Way, active: &mut bool) -> Result<(), Stop> {
        *active = false;
        for pattern in patterns {
            if pattern.is_empty() {
                return Err(Stop::Line("an empty name stands in a Host line".to_owned()));
            }
            if way.never {
                return Ok(());
            }
            let (negated, pattern) = match pattern.strip_prefix('!') {
                Some(pattern) => (true, pattern),
                None => (false, pattern.as_str()),
            };
            if patterns::fits(pattern, &self.host) {
                if negated {
                    *active = false;
                    return Ok(());
                }
                *active = true;
            }
        }
        Ok(())
    }

    fn match_line(
        &mut self,
        rest: &str,
        place: &dyn Fn() -> String,
        way: Way,
        active: &mut bool,
    ) -> Result<(), Stop> {
        let scene = Scene {
            host: &self.host,
            original: self.original,
            last: self.last,
            deadline: self.deadline,
            never: way.never,
        };
        match conditions::judge(rest, &scene, &self.state) {
            Ok(verdict) => {
                self.wants_last |= verdict.wants_last;
                *active = verdict.holds && !way.never;
                Ok(())
            }
            Err(NoVerdict::Line(why)) => Err(Stop::Line(why)),
            Err(NoVerdict::Fatal(why)) => Err(Stop::Fatal(format!("{}: {why}", place()))),
        }
    }

    fn include(
        &mut self,
        arguments: &[String],
        place: &dyn Fn() -> String,
        way: Way,
        active: bool,
    ) -> Result<(), Stop> {
        let inner = Way {
            strict: true,
            never: way.never || !active,
            depth: way.depth + 1,
            ..way
        };
        let mut gone = None;
        for argument in arguments {
            if argument.is_empty() {
                return Err(Stop::Line(
                    "an empty path stands in an Include line".to_owned(),
                ));
            }
            let included = files::included(argument, way.owner).map_err(Stop::Line)?;
            for path in included.files {
                // Blocks that the file begins end with it.
                let mut own = active;
                let there = self
                    .within(&path, inner, &mut own)
                    .map_err(|why| Stop::Fatal(format!("{why} (included by {})", place())))?;
                if !there {
                    gone = Some(path);
                }
            }
        }
        match gone {
            Some(path) => Err(Stop::Line(format!(
                "{} leads nowhere; mend the link, or remove it",
                path.display()
            ))),
            None => Ok(()),
        }
    }
}
