//! How the values of settings are read and shown: each says in words what it expected.

use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

use super::rows::Place;
use crate::domain::key::{Key, KeyCode};
use crate::domain::recording::parse_size;
use crate::domain::time::parse_span;

pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
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

pub(super) fn text(value: &DeValue<'_>) -> Result<String, String> {
    match value.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(format!("expected text in quotes, found {}", kind(value))),
    }
}

/// Text with something in it, on one line.
pub(super) fn filled(value: &DeValue<'_>) -> Result<String, String> {
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
pub(super) fn program(text: &str, place: &Place<'_>) -> PathBuf {
    if text.contains('/') {
        path(text, place)
    } else {
        PathBuf::from(text)
    }
}

pub(super) fn path(text: &str, place: &Place<'_>) -> PathBuf {
    place.environment.expand(text, place.folder)
}

pub(super) fn folders(value: &DeValue<'_>, place: &Place<'_>) -> Result<Vec<PathBuf>, String> {
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

pub(super) fn names(value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let Some(array) = value.as_array() else {
        return Err(format!(
            "expected a list such as [\"old-*\", \"switch1\"], found {}",
            kind(value)
        ));
    };
    array.iter().map(|item| filled(item.get_ref())).collect()
}

/// A number of bytes up to a gibibyte.
pub(super) fn bytes(value: &DeValue<'_>) -> Result<usize, String> {
    let wrong = || format!("expected a number of bytes from 0 to {}", 1 << 30);
    let number = match value {
        DeValue::Integer(number) => number.to_string().parse::<usize>().map_err(|_| wrong())?,
        other => return Err(format!("{}, found {}", wrong(), kind(other))),
    };
    (number <= 1 << 30).then_some(number).ok_or_else(wrong)
}

/// A span as systemd.time(7) writes it, or a number of seconds, between two limits in seconds.
pub(super) fn span(value: &DeValue<'_>, least: u64, most: u64) -> Result<Duration, String> {
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

pub(super) fn yes_or_no(value: &DeValue<'_>) -> Result<bool, String> {
    match value {
        DeValue::Boolean(on) => Ok(*on),
        other => Err(format!("this must be true or false, not {}", kind(other))),
    }
}

/// A size in bytes.
pub(super) fn size(value: &DeValue<'_>) -> Result<u64, String> {
    let text = match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.to_string(),
        other => {
            return Err(format!(
                "expected a size such as \"2 GiB\", found {}",
                kind(other)
            ));
        }
    };
    parse_size(&text).ok_or_else(|| {
        format!("{text:?} is no size; write for example \"2 GiB\", \"500 MiB\" or 0 for no limit")
    })
}

pub(super) fn days(value: &DeValue<'_>) -> Result<u64, String> {
    let read = match value {
        DeValue::Integer(number) => number.to_string().parse::<u64>().ok(),
        other => return Err(format!("expected a number of days, found {}", kind(other))),
    };
    read.filter(|days| *days <= 36_500)
        .ok_or_else(|| "expected 0 to 36500 days".to_owned())
}

pub(super) fn number(value: &DeValue<'_>, most: f32) -> Result<f32, String> {
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
pub(super) fn chord(text: &str) -> Result<Key, String> {
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
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

pub(super) fn span_text(time: Duration) -> String {
    let millis = time.as_millis();
    if millis.is_multiple_of(1_000) {
        format!("\"{}s\"", millis / 1_000)
    } else {
        format!("\"{millis}ms\"")
    }
}
