//! The settings, read again while the app runs: what can be taken over at once, and what cannot.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use crate::config::{Environment, Paths, Screen, Settings, WindowSize};
use crate::health::verdict::Thresholds;
use crate::ui::Theme;

use super::start;
use super::state::{Guarding, TerminalRules};

/// What the settings say now.
#[derive(Clone, Debug)]
pub struct Reread {
    /// Tells this state of the file from others.
    pub mark: u64,
    /// Environments, alerts, broadcasts.
    pub guard: Guarding,
    /// Mouse and clipboard.
    pub terminal: TerminalRules,
    /// Whose size a tab has that several windows show.
    pub window_size: WindowSize,
    /// Limits for verdicts.
    pub thresholds: Thresholds,
    /// How the screen looks.
    pub theme: Theme,
    /// What differs from what the app began with and needs a restart, by its place in the file.
    pub rest: Vec<&'static str>,
}

/// A number that differs when the file differs; one that is not there is like one that is empty.
pub(super) fn mark(file: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    std::fs::read(file).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}

/// Reads the settings again.
///
/// # Errors
/// In words: the file cannot be read, or holds mistakes, or names a theme that is not there.
pub(super) fn read(
    paths: &Paths,
    environment: &Environment,
    began: &Settings,
) -> Result<Reread, String> {
    let mark = mark(&paths.settings());
    let settings = Settings::load(paths, environment).map_err(|why| why.to_string())?;
    let theme = start::theme_of(paths, &settings).map_err(|why| why.to_string())?;
    Ok(Reread {
        mark,
        guard: start::guarding(&settings),
        terminal: start::terminal_rules(&settings),
        window_size: settings.session.window_size,
        thresholds: start::thresholds(&settings),
        theme,
        rest: rest(began, &settings),
    })
}

/// What only the next app goes by.
fn rest(began: &Settings, now: &Settings) -> Vec<&'static str> {
    let (one, other) = (&began.session, &now.session);
    let keys = (one.prefix, one.copy_keys) != (other.prefix, other.copy_keys);
    let panes = one.predict != other.predict
        || one.scrollback_bytes != other.scrollback_bytes
        || one.copy_command != other.copy_command;
    let screen = Screen {
        // This alone of it is taken over.
        mouse: began.screen.mouse,
        ..now.screen
    };
    let interval = began.health.interval != now.health.interval;
    [
        (
            began.general.author != now.general.author,
            "[general] author",
        ),
        (began.ssh != now.ssh, "[ssh]"),
        (began.runbooks != now.runbooks, "[runbooks]"),
        (interval, "[health] interval"),
        (keys, "[session] prefix and copy_keys"),
        (
            panes,
            "[session] predict, scrollback_bytes and copy_command",
        ),
        (began.screen != screen, "[screen]"),
        (began.recording != now.recording, "[recording]"),
        (began.sync != now.sync, "[sync]"),
    ]
    .into_iter()
    .filter_map(|(differs, name)| differs.then_some(name))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_taken_over_is_and_the_rest_is_named() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let paths = Paths::below(folder.path())?;
        paths.ensure()?;
        let environment = Environment::of([("HOME", "/home/mira"), ("USER", "mira")]);
        let began = Settings::load(&paths, &environment)?;
        let before = mark(&paths.settings());
        let text = "[environments]\nproduction = [\"golden\"]\n\n[general]\nauthor = \"noor\"\n\n[session]\nwindow_size = \"smallest\"\n";
        std::fs::write(paths.settings(), text)?;
        let now = read(&paths, &environment, &began)?;
        assert_ne!(now.mark, before);
        assert_eq!(now.window_size, WindowSize::Smallest);
        assert_ne!(now.guard.environments, began.environments);
        assert_eq!(now.rest, ["[general] author"]);
        std::fs::write(paths.settings(), "[session]\nwindow_size = 4\n")?;
        assert!(read(&paths, &environment, &began).is_err());
        Ok(())
    }
}
