//! The settings in `config.toml`: what they are, reading them with every mistake at its place, and changing one.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::environment::Environment;
use super::error::Error;
use super::guard::{self, Alerts};
use super::paths::Paths;
use super::rows::{self, Place, ROWS, Row};
use super::slow::{Predict, Reconnect, Screen};
use crate::domain::environment::Environments;
use crate::domain::key::Key;
use crate::domain::look::CopyKeys;
use crate::domain::recording::Keeping;
use crate::domain::runbook::Diagnostic;
use crate::domain::ticket::words;

/// Everything that can be set. The rows in [`ROWS`] name each setting once, with its help.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `[general]`
    pub general: General,
    /// `[ssh]`
    pub ssh: Ssh,
    /// `[runbooks]`
    pub runbooks: Runbooks,
    /// `[health]`
    pub health: Health,
    /// `[session]`
    pub session: Session,
    /// `[screen]`
    pub screen: Screen,
    /// `[environments]`
    pub environments: Environments,
    /// `[alerts]`
    pub alerts: Alerts,
    /// `[recording]`
    pub recording: Recording,
    /// `[store]`
    pub store: Store,
    /// `[sync]`
    pub sync: Sync,
}

/// Who and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct General {
    /// The name on tickets, comments and runs.
    pub author: String,
    /// The name of a theme: a built-in one or a file in the themes folder.
    pub theme: String,
}

/// The OpenSSH program that explains hosts, and time limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ssh {
    /// The `ssh` program: a name to look for in `PATH`, or a path.
    pub program: PathBuf,
    /// How long a connection may take until it is given up.
    pub connect_timeout: Duration,
    /// The ssh_config to use instead of OpenSSH's default file.
    pub default_config: Option<PathBuf>,
    /// Patterns of the hosts that are reached by that program instead of our own engine.
    pub openssh_hosts: Vec<String>,
}

/// Where runbooks are, besides the config folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runbooks {
    /// Absolute folders.
    pub paths: Vec<PathBuf>,
}

/// How often hosts are measured, and what is too much.
#[derive(Clone, Debug, PartialEq)]
pub struct Health {
    /// Between two measurements of one host.
    pub interval: Duration,
    /// After how long a measurement is no longer believed.
    pub stale_after: Duration,
    /// Fill of a file system, in percent.
    pub disk: Limit,
    /// Memory that programs cannot have, in percent.
    pub memory: Limit,
    /// Busy share of all processors, in percent.
    pub cpu: Limit,
    /// Load average over 5 minutes, for each processor.
    pub load: Limit,
}

/// Where a value becomes a warning and where it becomes critical.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// From here on it is a warning.
    pub warn: f32,
    /// From here on it is critical; never below `warn`.
    pub crit: f32,
}

/// Sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The one chord that is not sent to the remote; `None` while its user has not been asked.
    pub prefix: Option<Key>,
    /// Whose size a tab has that several windows show.
    pub window_size: WindowSize,
    /// Whether programs in sessions may put text on the clipboard of the window's terminal (OSC 52).
    pub clipboard: bool,
    /// How long a broadcast goes on without a key.
    pub broadcast: Duration,
    /// The most bytes of packed scrollback that a pane keeps.
    pub scrollback_bytes: usize,
    /// The keys of copy mode; `None` follows the editor.
    pub copy_keys: Option<CopyKeys>,
    /// The program, with its arguments, that gets what is copied; empty is none.
    pub copy_command: Vec<String>,
    /// When typed characters are shown before the host has echoed them.
    pub predict: Predict,
    /// What becomes of panes whose connection was lost.
    pub reconnect: Reconnect,
}

words!(
    /// Whose size a tab has that several windows show.
    WindowSize, "window size" {
        /// The window's that was typed in last.
        Latest = "latest",
        /// The least of all.
        Smallest = "smallest",
        /// The greatest of all.
        Largest = "largest",
    }
);
/// What of the store may go. Tickets and the log itself never do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Store {
    /// How many days what the steps of runs wrote is kept; 0 is for ever.
    pub output_days: u64,
}

/// Recordings of sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Patterns of the hosts whose sessions are not recorded.
    pub off: Vec<String>,
    /// How much is kept, and how long.
    pub keeping: Keeping,
    /// A session that cannot be recorded is not opened.
    pub strict: bool,
}

words!(
    /// Whether recordings go to the other devices of the space.
    Share, "choice" {
        /// They stay on the machine that made them.
        Never = "never",
        /// Each goes into the space when its session has ended.
        Always = "always",
    }
);

/// What sync carries besides the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sync {
    /// Whether recordings go into the space; they may show secrets.
    pub recordings: Share,
    /// How much the recordings of others may take here, in bytes; 0 is no limit.
    pub quota: u64,
}

impl Default for Sync {
    fn default() -> Self {
        Self {
            recordings: Share::Never,
            quota: 512 << 20,
        }
    }
}

impl Default for Recording {
    fn default() -> Self {
        Self {
            off: Vec::new(),
            keeping: Keeping {
                quota: 2 << 30,
                days: 90,
            },
            strict: false,
        }
    }
}

impl Session {
    /// The prefix of people who were never asked.
    pub const DEFAULT_PREFIX: Key = Key::ctrl(']');
}

impl Settings {
    /// What holds where nothing is set.
    pub fn defaults(environment: &Environment) -> Self {
        let percent = |warn, crit| Limit { warn, crit };
        Self {
            general: General {
                author: environment.login(),
                theme: "default".to_owned(),
            },
            ssh: Ssh {
                program: PathBuf::from("ssh"),
                connect_timeout: Duration::from_secs(10),
                default_config: None,
                openssh_hosts: Vec::new(),
            },
            runbooks: Runbooks { paths: Vec::new() },
            health: Health {
                interval: Duration::from_secs(10),
                stale_after: Duration::from_secs(60),
                disk: percent(85.0, 95.0),
                memory: percent(85.0, 95.0),
                cpu: percent(90.0, 98.0),
                load: percent(1.5, 3.0),
            },
            session: Session {
                prefix: None,
                window_size: WindowSize::Latest,
                clipboard: true,
                broadcast: Duration::from_secs(guard::BROADCAST_MINUTES * 60),
                scrollback_bytes: 4 * 1024 * 1024,
                copy_keys: None,
                copy_command: Vec::new(),
                predict: Predict::default(),
                reconnect: Reconnect::default(),
            },
            screen: Screen::default(),
            environments: Environments::default(),
            alerts: Alerts::default(),
            recording: Recording::default(),
            store: Store::default(),
            sync: Sync::default(),
        }
    }

    /// Reads `config.toml`; a file that is not there leaves the defaults.
    pub fn load(paths: &Paths, environment: &Environment) -> Result<Self, Error> {
        let file = paths.settings();
        match std::fs::read_to_string(&file) {
            Ok(text) => Self::read(&text, &file, environment).map_err(Error::Invalid),
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => {
                Ok(Self::defaults(environment))
            }
            Err(why) => Err(Error::Read { path: file, why }),
        }
    }

    /// Reads the text of `file`. All mistakes are reported, in the order of the file.
    pub fn read(
        text: &str,
        file: &Path,
        environment: &Environment,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut reading = Reading {
            settings: Self::defaults(environment),
            place: Place {
                environment,
                folder: file.parent().unwrap_or(Path::new("/")),
            },
            mistakes: Vec::new(),
        };
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let at = error.span().unwrap_or_default();
            reading.mistakes.push((at, error.message().to_owned()));
        }
        reading.document(document.get_ref());
        reading.limits(document.get_ref());
        if reading.mistakes.is_empty() {
            return Ok(reading.settings);
        }
        reading.mistakes.sort_by_key(|(at, _)| at.start);
        let diagnostic = |(at, message): (Range<usize>, String)| {
            let (line, column) = position(text, at.start);
            Diagnostic {
                file: file.to_path_buf(),
                line,
                column,
                message,
            }
        };
        Err(reading.mistakes.into_iter().map(diagnostic).collect())
    }

    /// The text of a settings file with `section.name` set to `value`, everything else as it was, comments included.
    ///
    /// `value` is TOML. The file must be valid before; the caller reads the answer again before writing it.
    pub fn with(text: &str, section: &str, name: &str, value: &str) -> String {
        let (document, _) = DeTable::parse_recoverable(text);
        let table = document.get_ref().get(section);
        let known = table
            .and_then(|table| table.get_ref().as_table())
            .and_then(|table| table.get(name));
        let (at, new) = match (known, header(text, section)) {
            (Some(old), _) => (old.span(), value.to_owned()),
            (None, Some(end)) => (end..end, format!("{name} = {value}\n")),
            (None, None) => (0..0, format!("[{section}]\n{name} = {value}\n\n")),
        };
        let before = text.get(..at.start).unwrap_or_default();
        let after = text.get(at.end..).unwrap_or_default();
        // A header that ends the file may lack its line feed.
        let feed = if known.is_none() && !before.is_empty() && !before.ends_with('\n') {
            "\n"
        } else {
            ""
        };
        format!("{before}{feed}{new}{after}")
    }
}

/// One pass over a file.
struct Reading<'a> {
    settings: Settings,
    place: Place<'a>,
    mistakes: Vec<(Range<usize>, String)>,
}

impl Reading<'_> {
    fn document(&mut self, document: &DeTable<'_>) {
        for (section, value) in document {
            let known = section.get_ref().as_ref() == "environments"
                || ROWS.iter().any(|row| row.section == section.get_ref());
            match value.get_ref().as_table() {
                // Its names are the house's own.
                Some(table) if section.get_ref().as_ref() == "environments" => {
                    self.settings.environments = guard::environments(table, &mut self.mistakes);
                }
                _ if !known => {
                    self.unknown(section.span(), section.get_ref(), "section", sections())
                }
                Some(table) => self.section(section.get_ref(), table),
                None => self.mistakes.push((
                    value.span(),
                    format!(
                        "{} is a section: write [{}]",
                        section.get_ref(),
                        section.get_ref()
                    ),
                )),
            }
        }
    }

    fn section(&mut self, section: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let row = ROWS
                .iter()
                .find(|row| row.section == section && row.name == name.get_ref());
            match row {
                Some(row) => self.value(row, value),
                None => {
                    let names = ROWS
                        .iter()
                        .filter(|row| row.section == section)
                        .map(|row| row.name)
                        .collect();
                    self.unknown(name.span(), name.get_ref(), "setting", names);
                }
            }
        }
    }

    fn value(&mut self, row: &Row, value: &Spanned<DeValue<'_>>) {
        if let Err(message) = (row.set)(&mut self.settings, value.get_ref(), &self.place) {
            self.mistakes.push((
                value.span(),
                format!("{}.{}: {message}", row.section, row.name),
            ));
        }
    }

    /// Values that are well by themselves but not together. The pointer shows the one that is in the file.
    fn limits(&mut self, document: &DeTable<'_>) {
        let health = &self.settings.health;
        for (name, limit) in [
            ("disk", health.disk),
            ("memory", health.memory),
            ("cpu", health.cpu),
            ("load", health.load),
        ] {
            if limit.warn <= limit.crit {
                continue;
            }
            let table = document
                .get("health")
                .and_then(|table| table.get_ref().as_table());
            let at = ["_warn", "_crit"].into_iter().find_map(|end| {
                table?
                    .get(format!("{name}{end}").as_str())
                    .map(Spanned::span)
            });
            self.mistakes.push((
                at.unwrap_or_default(),
                format!(
                    "health.{name}_warn is {} but {name}_crit is {}; the warning must come first",
                    limit.warn, limit.crit
                ),
            ));
        }
        if health.stale_after < health.interval {
            self.mistakes.push((
                Range::default(),
                "health.stale_after is shorter than health.interval; every value would be stale"
                    .to_owned(),
            ));
        }
    }

    fn unknown(&mut self, at: Range<usize>, name: &str, what: &str, known: Vec<&str>) {
        let hint = match rows::nearest(name, &known) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("known are: {}", known.join(" ")),
        };
        self.mistakes
            .push((at, format!("{name} is no {what}; {hint}")));
    }
}

fn sections() -> Vec<&'static str> {
    let mut names: Vec<&str> = ROWS.iter().map(|row| row.section).collect();
    names.dedup();
    names.push("environments");
    names
}

/// The byte after the line of `[section]`.
fn header(text: &str, section: &str) -> Option<usize> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        start += line.len();
        let line = line.split('#').next().unwrap_or_default().trim();
        let inner = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        if inner.is_some_and(|inner| inner.trim() == section) {
            return Some(start);
        }
    }
    None
}

/// Line and column from 1, the column in characters, of a byte in `text`.
fn position(text: &str, byte: usize) -> (u32, u32) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    (
        u32::try_from(line).unwrap_or(u32::MAX),
        u32::try_from(column).unwrap_or(u32::MAX),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Environment {
        Environment::of([("USER", "mira"), ("HOME", "/home/mira")])
    }

    fn read(text: &str) -> Result<Settings, String> {
        Settings::read(text, Path::new("/c/config.toml"), &environment()).map_err(|mistakes| {
            let lines: Vec<String> = mistakes.iter().map(Diagnostic::to_string).collect();
            lines.join("\n")
        })
    }

    #[test]
    fn nothing_is_needed() {
        let settings = read("").expect("an empty file is valid");
        assert_eq!(settings, Settings::defaults(&environment()));
        assert_eq!(settings.general.author, "mira");
    }

    #[test]
    fn everything_is_read() {
        let settings = read(
            r#"
            [general]
            author = "jo"
            theme = "solarized-light"
            [ssh]
            program = "~/bin/ssh"
            connect_timeout = "1min30s"
            default_config = "team/ssh_config"
            [runbooks]
            paths = ["~/books", "/srv/books"]
            [health]
            interval = 5
            stale_after = "5m"
            disk_warn = 70
            disk_crit = 80.5
            [session]
            prefix = "tmux"
            "#,
        )
        .expect("a valid file");
        assert_eq!(settings.general.author, "jo");
        assert_eq!(settings.general.theme, "solarized-light");
        assert_eq!(settings.ssh.program, Path::new("/home/mira/bin/ssh"));
        assert_eq!(settings.ssh.connect_timeout, Duration::from_secs(90));
        assert_eq!(
            settings.ssh.default_config.as_deref(),
            Some(Path::new("/c/team/ssh_config"))
        );
        assert_eq!(
            settings.runbooks.paths,
            [Path::new("/home/mira/books"), Path::new("/srv/books")]
        );
        assert_eq!(settings.health.interval, Duration::from_secs(5));
        assert_eq!(
            settings.health.disk,
            Limit {
                warn: 70.0,
                crit: 80.5
            }
        );
        assert_eq!(settings.session.prefix, Some(Key::ctrl('b')));
    }

    #[test]
    fn mistakes_have_places() {
        for (text, expected) in [
            (
                "[genral]\n",
                "/c/config.toml:1:2: genral is no section; did you mean general?",
            ),
            (
                "[general]\nauthr = 'x'\n",
                "/c/config.toml:2:1: authr is no setting; did you mean author?",
            ),
            (
                "[general]\ncolour = 'x'\n",
                "/c/config.toml:2:1: colour is no setting; known are: author theme",
            ),
            (
                "general = 1\n",
                "/c/config.toml:1:11: general is a section: write [general]",
            ),
            (
                "[general]\nauthor = 3\n",
                "/c/config.toml:2:10: general.author: expected text in quotes, found a whole number",
            ),
            (
                "[general]\nauthor = 'größe', theme = 1\n",
                "/c/config.toml:2:17:",
            ),
            (
                "[ssh]\nconnect_timeout = 'soon'\n",
                "/c/config.toml:2:19: ssh.connect_timeout: \"soon\" is no span of time",
            ),
            (
                "[runbooks]\npaths = ['a', 2]\n",
                "/c/config.toml:2:9: runbooks.paths: expected text in quotes",
            ),
            (
                "[health]\ndisk_warn = 120\n",
                "/c/config.toml:2:13: health.disk_warn: expected 0 to 100",
            ),
            (
                "[health]\ndisk_warn = 99\n",
                "/c/config.toml:2:13: health.disk_warn is 99 but disk_crit is 95",
            ),
            (
                "[session]\nprefix = 'x'\n",
                "/c/config.toml:2:10: session.prefix: x is typed in ordinary work",
            ),
            ("[general\n", "/c/config.toml:1:9:"),
        ] {
            let said = read(text).expect_err(text);
            assert!(
                said.contains(expected),
                "{text}\nsaid     {said}\nexpected {expected}"
            );
        }
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let said = read("[general]\nauthor = 3\n[nope]\n[ssh]\nprogramm = ''\n")
            .expect_err("three mistakes");
        let lines: Vec<&str> = said
            .lines()
            .map(|line| line.split(' ').next().unwrap_or_default())
            .collect();
        assert_eq!(
            lines,
            [
                "/c/config.toml:2:10:",
                "/c/config.toml:3:2:",
                "/c/config.toml:5:1:"
            ]
        );
    }

    #[test]
    fn one_setting_changes_and_the_rest_stays() {
        for (text, expected) in [
            ("", "[session]\nprefix = 'tmux'\n\n"),
            ("[session]", "[session]\nprefix = 'tmux'\n"),
            (
                "# mine\n[session] # chord\n[general]\n",
                "# mine\n[session] # chord\nprefix = 'tmux'\n[general]\n",
            ),
            (
                "[session]\nprefix = \"Ctrl-]\" # old\n",
                "[session]\nprefix = 'tmux' # old\n",
            ),
            ("session.prefix = 'screen'\n", "session.prefix = 'tmux'\n"),
            (
                "[general]\ntheme = 'x'\n",
                "[session]\nprefix = 'tmux'\n\n[general]\ntheme = 'x'\n",
            ),
        ] {
            let new = Settings::with(text, "session", "prefix", "'tmux'");
            assert_eq!(new, expected);
            assert_eq!(
                read(&new).map(|settings| settings.session.prefix),
                Ok(Some(Key::ctrl('b'))),
                "{new}"
            );
        }
    }
}
