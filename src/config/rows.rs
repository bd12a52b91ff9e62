//! Every setting as a row: its name, its help, how it is read and how it is shown. The reference is made from these rows.

use std::path::Path;
use std::time::Duration;

use toml::de::DeValue;

use super::environment::Environment;
use super::guard::Desktop;
use super::settings::Settings;
use super::slow::{self, Predict, Reconnect};
use super::values::{
    bytes, chord, days, filled, folders, kind, names, number, path, program, quoted, size, span,
    span_text, yes_or_no,
};
use crate::domain::look::CopyKeys;

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
        name: "window_size",
        help: "Whose size a tab has that several windows show: latest (the window that was typed in last), smallest or largest.",
        show: |settings| quoted(settings.session.window_size.word()),
        set: |settings, value, _| {
            filled(value)
                .and_then(|text| text.parse())
                .map(|size| settings.session.window_size = size)
        },
    },
    Row {
        section: "session",
        name: "scrollback_bytes",
        help: "How many bytes of lines that scrolled away each pane keeps, packed: 0 to 1073741824. About 60 a line.",
        show: |settings| settings.session.scrollback_bytes.to_string(),
        set: |settings, value, _| {
            bytes(value).map(|bytes| settings.session.scrollback_bytes = bytes)
        },
    },
    Row {
        section: "session",
        name: "clipboard",
        help: "Whether programs in sessions may put text on your clipboard (OSC 52); reading it they may never.",
        show: |settings| settings.session.clipboard.to_string(),
        set: |settings, value, _| yes_or_no(value).map(|on| settings.session.clipboard = on),
    },
    Row {
        section: "session",
        name: "broadcast_minutes",
        help: "After how many minutes without a key a broadcast switches itself off: 1 to 60.",
        show: |settings| (settings.session.broadcast.as_secs() / 60).to_string(),
        set: |settings, value, _| {
            let minutes = number(value, 60.0)?;
            if minutes < 1.0 {
                return Err("expected 1 to 60".to_owned());
            }
            settings.session.broadcast = Duration::from_secs_f32(minutes * 60.0);
            Ok(())
        },
    },
    Row {
        section: "session",
        name: "copy_keys",
        help: "The keys of copy mode: vi or emacs. Without it, emacs if $VISUAL or $EDITOR is one, else vi.",
        show: |settings| {
            quoted(match settings.session.copy_keys {
                None => "",
                Some(CopyKeys::Vi) => "vi",
                Some(CopyKeys::Emacs) => "emacs",
            })
        },
        set: |settings, value, _| {
            settings.session.copy_keys = Some(match filled(value)?.as_str() {
                "vi" => CopyKeys::Vi,
                "emacs" => CopyKeys::Emacs,
                other => return Err(format!("{other:?} is no set of keys; write vi or emacs")),
            });
            Ok(())
        },
    },
    Row {
        section: "session",
        name: "copy_command",
        help: "A program that gets what you copy on its standard input, on the machine that the app runs on: a list such as [\"xclip\", \"-i\"]. No shell is involved.",
        show: |settings| {
            let words = settings.session.copy_command.iter();
            let words: Vec<String> = words.map(|word| quoted(word)).collect();
            format!("[{}]", words.join(", "))
        },
        set: |settings, value, _| names(value).map(|words| settings.session.copy_command = words),
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
        section: "session",
        name: "reconnect",
        help: "What a pane does whose connection was lost, once its host answers again: auto (ask on production hosts, else open), ask (r opens a shell), open (a shell opens by itself) or off (nothing is tried).",
        show: |settings| quoted(settings.session.reconnect.word()),
        set: |settings, value, _| {
            Reconnect::read(value).map(|reconnect| settings.session.reconnect = reconnect)
        },
    },
    Row {
        section: "screen",
        name: "mouse",
        help: "Whether the window takes the mouse, for itself and for programs in panes; Shift and the mouse are your terminal's own all the same.",
        show: |settings| settings.screen.mouse.to_string(),
        set: |settings, value, _| yes_or_no(value).map(|on| settings.screen.mouse = on),
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
    Row {
        section: "alerts",
        name: "bell",
        help: "Whether a session that calls rings the bell of your terminal: \"window\" or \"none\".",
        show: |settings| {
            quoted(if settings.alerts.bell {
                "window"
            } else {
                "none"
            })
        },
        set: |settings, value, _| {
            settings.alerts.bell = match filled(value)?.as_str() {
                "window" => true,
                "none" => false,
                _ => return Err("expected \"window\" or \"none\"".to_owned()),
            };
            Ok(())
        },
    },
    Row {
        section: "alerts",
        name: "desktop",
        help: "How a session that calls asks your terminal for a notification of the desktop: \"none\", \"osc9\" (or true) or \"osc777\".",
        show: |settings| {
            quoted(match settings.alerts.desktop {
                None => "none",
                Some(Desktop::Osc9) => "osc9",
                Some(Desktop::Osc777) => "osc777",
            })
        },
        set: |settings, value, _| {
            settings.alerts.desktop = match value {
                DeValue::Boolean(on) => on.then_some(Desktop::Osc9),
                DeValue::String(word) => match word.as_ref() {
                    "none" => None,
                    "osc9" => Some(Desktop::Osc9),
                    "osc777" => Some(Desktop::Osc777),
                    _ => return Err("expected \"none\", \"osc9\" or \"osc777\"".to_owned()),
                },
                other => {
                    return Err(format!(
                        "expected \"none\", \"osc9\" or \"osc777\", found {}",
                        kind(other)
                    ));
                }
            };
            Ok(())
        },
    },
    Row {
        section: "recording",
        name: "off",
        help: "Hosts whose sessions are not recorded: names or patterns, as after Host in ssh_config.",
        show: |settings| {
            let hosts = settings.recording.off.iter();
            let hosts: Vec<String> = hosts.map(|host| quoted(host)).collect();
            format!("[{}]", hosts.join(", "))
        },
        set: |settings, value, _| names(value).map(|hosts| settings.recording.off = hosts),
    },
    Row {
        section: "recording",
        name: "quota",
        help: "How much all recordings may take; then the oldest closed ones go. 0 is no limit.",
        show: |settings| quoted(&settings.recording.keeping.quota.to_string()),
        set: |settings, value, _| size(value).map(|bytes| settings.recording.keeping.quota = bytes),
    },
    Row {
        section: "recording",
        name: "keep_days",
        help: "How many days a recording is kept after its end. 0 is for ever.",
        show: |settings| settings.recording.keeping.days.to_string(),
        set: |settings, value, _| days(value).map(|days| settings.recording.keeping.days = days),
    },
    Row {
        section: "recording",
        name: "strict",
        help: "Whether a session that cannot be recorded is refused; without, it goes on and says NOT RECORDED.",
        show: |settings| settings.recording.strict.to_string(),
        set: |settings, value, _| match value {
            DeValue::Boolean(on) => {
                settings.recording.strict = *on;
                Ok(())
            }
            other => Err(format!("expected true or false, found {}", kind(other))),
        },
    },
    Row {
        section: "store",
        name: "output_days",
        help: "How many days the output of this device's runs is kept; then it is purged, on every device. 0 is for ever.",
        show: |settings| settings.store.output_days.to_string(),
        set: |settings, value, _| days(value).map(|days| settings.store.output_days = days),
    },
    Row {
        section: "sync",
        name: "recordings",
        help: "Whether the recordings of sessions that end here go, sealed, into the space for your other devices: never or always. They may show secrets.",
        show: |settings| quoted(settings.sync.recordings.word()),
        set: |settings, value, _| {
            filled(value)
                .and_then(|text| text.parse())
                .map(|share| settings.sync.recordings = share)
        },
    },
    Row {
        section: "sync",
        name: "recordings_quota",
        help: "How much the recordings that were fetched from other devices may take here; then those go that were fetched first. 0 is no limit.",
        show: |settings| quoted(&settings.sync.quota.to_string()),
        set: |settings, value, _| size(value).map(|bytes| settings.sync.quota = bytes),
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
