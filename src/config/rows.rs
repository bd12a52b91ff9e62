//! Every setting as a row: its name, its help, how it is read and how it is shown. The reference is made from these rows.

use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeValue;

use super::environment::Environment;
use super::settings::Settings;
use super::slow::{self, Predict};
use crate::domain::key::{Key, KeyCode};
use crate::domain::time::parse_span;

/// What relative paths and `~` in a settings file refer to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// Names the home folder.
    pub(super) environment: &'a Environment,
    /// The folder of the file.
    pub(super) folder: &'a Path,
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The TOML table it stands in.
    pub section: &'static str,
    /// Its key there.
    pub name: &'static str,
    /// One sentence for people.
    pub help: &'static str,
    /// The value as TOML, for the reference and for `qd config check`.
    pub show: fn(&Settings) -> String,
    /// Checks a value and keeps it.
    pub(super) set: fn(&mut Settings, &DeValue<'_>, &Place<'_>) -> Result<(), String>,
}

/// All settings, sections together, in the order of the reference.
pub const ROWS: &[Row] = &[
    Row {
        section: "general",
        name: "author",
        help: "The name on your tickets, comments and runs. Without it, your login name.",
        show: |settings| quoted(&settings.general.author),
        set: |settings, value, _| filled(value).map(|name| settings.general.author = name),
    },
    Row {
        section: "general",
        name: "theme",
        help: "The theme: a built-in one, or the name of a file in the themes folder.",
        show: |settings| quoted(&settings.general.theme),
        set: |settings, value, _| filled(value).map(|name| settings.general.theme = name),
    },
    Row {
        section: "ssh",
        name: "program",
        help: "The OpenSSH client that explains hosts (ssh -G): a name to look for in PATH, or a path.",
        show: |settings| quoted(&settings.ssh.program.display().to_string()),
        set: |settings, value, place| {
            filled(value).map(|text| settings.ssh.program = program(&text, place))
        },
    },
    Row {
        section: "ssh",
        name: "connect_timeout",
        help: "How long a connection may take until it is given up: 1s to 10min.",
        show: |settings| span_text(settings.ssh.connect_timeout),
        set: |settings, value, _| {
            span(value, 1, 600).map(|time| settings.ssh.connect_timeout = time)
        },
    },
    Row {
        section: "ssh",
        name: "default_config",
        help: "The ssh_config to use instead of OpenSSH's default file.",
        show: |settings| {
            let path = settings.ssh.default_config.as_ref();
            quoted(&path.map_or_else(String::new, |path| path.display().to_string()))
        },
        set: |settings, value, place| {
            filled(value).map(|text| settings.ssh.default_config = Some(path(&text, place)))
        },
    },
    Row {
        section: "ssh",
        name: "openssh_hosts",
        help: "Hosts that are reached by the system's ssh instead of our own: names or patterns, as after Host in ssh_config.",
        show: |settings| {
            let hosts: Vec<String> = settings
                .ssh
                .openssh_hosts
                .iter()
                .map(|host| quoted(host))
                .collect();
            format!("[{}]", hosts.join(", "))
        },
        set: |settings, value, _| names(value).map(|hosts| settings.ssh.openssh_hosts = hosts),
    },
    Row {
        section: "runbooks",
        name: "paths",
        help: "Folders with more runbooks, besides runbooks/ in the config folder.",
        show: |settings| {
            let paths: Vec<String> = settings
                .runbooks
                .paths
                .iter()
                .map(|path| quoted(&path.display().to_string()))
                .collect();
            format!("[{}]", paths.join(", "))
        },
        set: |settings, value, place| {
            folders(value, place).map(|paths| settings.runbooks.paths = paths)
        },
    },
    Row {
        section: "health",
        name: "interval",
        help: "The time between two measurements of one host: 1s to 1h.",
        show: |settings| span_text(settings.health.interval),
        set: |settings, value, _| span(value, 1, 3_600).map(|time| settings.health.interval = time),
    },
    Row {
        section: "health",
        name: "stale_after",
        help: "After how long a measurement is no longer believed: 2s to 1d.",
        show: |settings| span_text(settings.health.stale_after),
        set: |settings, value, _| {
            span(value, 2, 86_400).map(|time| settings.health.stale_after = time)
        },
    },
    Row {
        section: "health",
        name: "disk_warn",
        help: "From which fill of a file system on there is a warning, in percent.",
        show: |settings| settings.health.disk.warn.to_string(),
        set: |settings, value, _| {
            number(value, 100.0).map(|limit| settings.health.disk.warn = limit)
        },
    },
    Row {
        section: "health",
        name: "disk_crit",
        help: "From which fill of a file system on it is critical, in percent.",
        show: |settings| settings.health.disk.crit.to_string(),
        set: |settings, value, _| {
            number(value, 100.0).map(|limit| settings.health.disk.crit = limit)
        },
    },
    Row {
        section: "health",
        name: "memory_warn",
        help: "From which use of memory on there is a warning, in percent.",
        show: |settings| settings.health.memory.warn.to_string(),
        set: |settings, value, _| {
            number(value, 100.0).map(|limit| settings.health.memory.warn = limit)
        },
    },
    Row {
        section: "health",
        name: "memory_crit",
        help: "From which use of memory on it is critical, in percent.",
        show: |settings| settings.health.memory.crit.to_string(),
        set: |settings, value, _| {
            number(value, 100.0).map(|limit| settings.health.memory.crit = limit)
        },
    },
    Row {
        section: "health",
        name: "cpu_warn",
        help: "From which busy share of all processors on there is a warning, in percent.",
        show: |settings| settings.health.cpu.warn.to_string(),
        set: |settings, value, _| {
            number(value, 100.0).map(|limit| settings.health.cpu.warn = limit)
        },
    },
    Row {
        section: "health",
        name: "cpu_crit",
        help: "From which busy share of all processors on it is critical, in percent.",
        show: |settings| settings.health.cpu.crit.to_string(),
        set: |settings, value, _| {
            number(value, 100.0).map(|limit| settings.health.cpu.crit = limit)
        },
    },
    Row {
        section: "health",
        name: "load_warn",
        help: "From which load average (5 minutes, for each processor) on there is a warning.",
        show: |settings| settings.health.load.warn.to_string(),
        set: |settings, value, _| {
            number(value, 1_000.0).map(|limit| settings.health.load.warn = limit)
        },
    },
    Row {
        section: "health",
        name: "load_crit",
        help: "From which load average (5 minutes, for each processor) on it is critical.",
        show: |settings| settings.health.load.crit.to_string(),
        set: |settings, value, _| {
            number(value, 1_000.0).map(|limit| settings.health.load.crit = limit)
        },
    },
    Row {
        section: "session",
        name: "prefix",
        help: "The one chord in a session that is ours: a key such as Ctrl-], or the preset tmux (Ctrl-b) or screen (Ctrl-a).",
        show: |settings| {
            quoted(
                &settings
                    .session
                    .prefix
                    .map_or_else(String::new, |key| key.to_string()),
            )
        },
        set: |settings, value, _| {
            filled(value)
                .and_then(|text| chord(&text))
                .map(|key| settings.session.prefix = Some(key))
        },
    },
    Row {
        section: "session",
        name: "predict",
        help: "Whether typed characters are shown before a far host has echoed them: auto (from 60 ms there and back), always or never.",
        show: |settings| quoted(settings.session.predict.word()),
        set: |settings, value, _| {
            Predict::read(value).map(|predict| settings.session.predict = predict)
        },
    },
    Row {
        section: "screen",
        name: "escape_ms",
        help: "How many milliseconds a lone Escape may be the beginning of a longer key; auto follows the distance to your terminal, from 25 to 500.",
        show: |settings| {
            let wait = settings.screen.escape;
            slow::auto_text(wait.and_then(|wait| u32::try_from(wait.as_millis()).ok()))
        },
        set: |settings, value, _| {
            slow::number_or_auto(value, 1, 5_000).map(|millis| {
                settings.screen.escape =
                    millis.map(|millis| Duration::from_millis(u64::from(millis)));
            })
        },
    },
    Row {
        section: "screen",
        name: "bytes_per_second",
        help: "The most bytes a second that are sent to your terminal; auto takes at most half of what a slow link carries.",
        show: |settings| slow::auto_text(settings.screen.bytes_per_second),
        set: |settings, value, _| {
            slow::number_or_auto(value, 500, 1_000_000_000)
                .map(|rate| settings.screen.bytes_per_second = rate)
        },
    },
];

/// The known name that `name` was probably meant to be: at most two letters differ, and fewer than it has.
pub(super) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|near| (distance(name, near), *near))
        .filter(|(distance, near)| *distance <= 2 && *distance * 2 < near.len())
        .min()
        .map(|(_, near)| near)
}

/// Levenshtein's distance.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut costs: Vec<usize> = (0..=other.len()).collect();
    for (row, letter) in one.chars().enumerate() {
        let mut diagonal = row;
        let mut left = row + 1;
        for (cost, near) in costs.iter_mut().skip(1).zip(&other) {
            let replaced = diagonal + usize::from(letter != *near);
            diagonal = *cost;
            left = replaced.min(left + 1).min(*cost + 1);
            *cost = left;
        }
        if let Some(first) = costs.first_mut() {
            *first = row + 1;
        }
    }
    costs.last().copied().unwrap_or_default()
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn text(value: &DeValue<'_>) -> Result<String, String> {
    match value.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(format!("expected text in quotes, found {}", kind(value))),
    }
}

/// Text with something in it, on one line.
fn filled(value: &DeValue<'_>) -> Result<String, String> {
    let text = text(value)?;
    if text.trim().is_empty() {
        Err("it is empty; leave it out to have the default".to_owned())
    } else if text.chars().any(char::is_control) {
        Err("it holds control characters; write it on one line".to_owned())
    } else {
        Ok(text)
    }
}

/// A program is a path only when it says so; a bare name is for `PATH`.
fn program(text: &str, place: &Place<'_>) -> PathBuf {
    if text.contains('/') {
        path(text, place)
    } else {
        PathBuf::from(text)
    }
}

fn path(text: &str, place: &Place<'_>) -> PathBuf {
    place.environment.expand(text, place.folder)
}

fn folders(value: &DeValue<'_>, place: &Place<'_>) -> Result<Vec<PathBuf>, String> {
    let Some(array) = value.as_array() else {
        return Err(format!(
            "expected a list such as [\"~/runbooks\"], found {}",
            kind(value)
        ));
    };
    array
        .iter()
        .map(|item| filled(item.get_ref()).map(|text| path(&text, place)))
        .collect()
}

fn names(value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let Some(array) = value.as_array() else {
        return Err(format!(
            "expected a list such as [\"old-*\", \"switch1\"], found {}",
            kind(value)
        ));
    };
    array.iter().map(|item| filled(item.get_ref())).collect()
}

/// A span as systemd.time(7) writes it, or a number of seconds, between two limits in seconds.
fn span(value: &DeValue<'_>, least: u64, most: u64) -> Result<Duration, String> {
    let text = match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.to_string(),
        other => {
            return Err(format!(
                "expected a span of time such as \"30s\", found {}",
                kind(other)
            ));
        }
    };
    let Some(millis) = parse_span(&text) else {
        return Err(format!(
            "{text:?} is no span of time; write for example \"30s\", \"5min\" or \"1h30min\""
        ));
    };
    if millis < least * 1_000 || millis > most * 1_000 {
        return Err(format!(
            "{text} is out of range; expected {least}s to {most}s"
        ));
    }
    Ok(Duration::from_millis(millis))
}

fn number(value: &DeValue<'_>, most: f32) -> Result<f32, String> {
    let read = match value {
        DeValue::Integer(number) => number.to_string().parse::<f32>().ok(),
        DeValue::Float(number) => number.as_str().parse::<f32>().ok(),
        other => return Err(format!("expected a number, found {}", kind(other))),
    };
    // NaN is in no range, so it is refused here as well.
    read.filter(|number| (0.0..=most).contains(number))
        .ok_or_else(|| format!("expected 0 to {most}"))
}

/// A key that may be taken from the remote: one that nobody types in ordinary work.
fn chord(text: &str) -> Result<Key, String> {
    let key = match text {
        "tmux" => Key::ctrl('b'),
        "screen" => Key::ctrl('a'),
        text => text.parse::<Key>()?,
    };
    if key.ctrl || key.alt || matches!(key.code, KeyCode::F(_)) {
        Ok(key)
    } else {
        Err(format!(
            "{key} is typed in ordinary work; choose a chord such as Ctrl-] or Ctrl-Space, or the preset tmux or screen"
        ))
    }
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn span_text(time: Duration) -> String {
    let millis = time.as_millis();
    if millis.is_multiple_of(1_000) {
        format!("\"{}s\"", millis / 1_000)
    } else {
        format!("\"{millis}ms\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown is what is read: so the reference and the defaults cannot tell lies.
    #[test]
    fn every_row_reads_what_it_shows() {
        let environment = Environment::of([("USER", "mira")]);
        let defaults = Settings::defaults(&environment);
        for row in ROWS {
            let shown = (row.show)(&defaults);
            if shown == "\"\"" {
                continue;
            }
            let text = format!("[{}]\n{} = {shown}\n", row.section, row.name);
            let read = Settings::read(&text, Path::new("/config.toml"), &environment);
            assert_eq!(read.as_ref(), Ok(&defaults), "{text}");
            assert!(row.help.ends_with('.'), "{}.{}", row.section, row.name);
        }
    }

    #[test]
    fn rows_are_unique_and_sections_are_together() {
        let mut names: Vec<(&str, &str)> = ROWS.iter().map(|row| (row.section, row.name)).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        let mut sections: Vec<&str> = ROWS.iter().map(|row| row.section).collect();
        sections.dedup();
        let runs = sections.len();
        sections.sort_unstable();
        sections.dedup();
        assert_eq!(sections.len(), runs);
    }

    #[test]
    fn slips_are_understood() {
        let known = ["author", "theme", "interval"];
        for (name, expected) in [
            ("authr", Some("author")),
            ("autohr", Some("author")),
            ("Theme", Some("theme")),
            ("x", None),
            ("", None),
            ("something", None),
        ] {
            assert_eq!(nearest(name, &known), expected, "{name}");
        }
    }
}
