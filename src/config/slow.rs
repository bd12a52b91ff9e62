//! The settings for slow links: what they are and how their values are read. What they do is elsewhere.

use std::time::Duration;

use toml::de::DeValue;

/// When typed characters are shown before the host has echoed them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Predict {
    /// On links that are slow enough for it to be felt.
    #[default]
    Auto,
    /// On every link to a host.
    Always,
    /// Not at all.
    Never,
}

impl Predict {
    /// As it is written in the settings.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }

    pub(super) fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let all = [Self::Auto, Self::Always, Self::Never];
        let found = value
            .as_str()
            .and_then(|text| all.into_iter().find(|one| one.word() == text));
        found.ok_or_else(|| "expected \"auto\", \"always\" or \"never\"".to_owned())
    }
}

/// What becomes of panes whose connection was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reconnect {
    /// As [`Reconnect::Ask`] on production hosts, as [`Reconnect::Open`] on others.
    #[default]
    Auto,
    /// The host is tried again; a person opens the shell.
    Ask,
    /// The host is tried again, and a shell opens when it answers.
    Open,
    /// Nothing is tried.
    Off,
}

impl Reconnect {
    /// As it is written in the settings.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Ask => "ask",
            Self::Open => "open",
            Self::Off => "off",
        }
    }

    /// What holds for a host.
    #[must_use]
    pub const fn on(self, production: bool) -> Self {
        match (self, production) {
            (Self::Auto, true) => Self::Ask,
            (Self::Auto, false) => Self::Open,
            (set, _) => set,
        }
    }

    pub(super) fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let all = [Self::Auto, Self::Ask, Self::Open, Self::Off];
        let found = value
            .as_str()
            .and_then(|text| all.into_iter().find(|one| one.word() == text));
        found.ok_or_else(|| "expected \"auto\", \"ask\", \"open\" or \"off\"".to_owned())
    }
}

/// How a window deals with its terminal. `None` is automatic: what is measured decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// Whether the window takes the mouse.
    pub mouse: bool,
    /// How long a lone escape may be the beginning of a longer key.
    pub escape: Option<Duration>,
    /// The most bytes a second that are sent to the terminal.
    pub bytes_per_second: Option<u32>,
}

impl Default for Screen {
    fn default() -> Self {
        Self {
            mouse: true,
            escape: None,
            bytes_per_second: None,
        }
    }
}

/// The word for what is measured.
const AUTO: &str = "auto";

/// A whole number between two limits, or `"auto"`.
pub(super) fn number_or_auto(
    value: &DeValue<'_>,
    least: u32,
    most: u32,
) -> Result<Option<u32>, String> {
    let read = match value {
        DeValue::String(text) if text.as_ref() == AUTO => return Ok(None),
        DeValue::Integer(number) => number.to_string().parse::<u32>().ok(),
        _ => None,
    };
    read.filter(|number| (least..=most).contains(number))
        .map(Some)
        .ok_or_else(|| format!("expected \"auto\" or a whole number from {least} to {most}"))
}

/// As [`number_or_auto`] reads it.
pub(super) fn auto_text(number: Option<u32>) -> String {
    number.map_or_else(|| format!("\"{AUTO}\""), |number| number.to_string())
}
