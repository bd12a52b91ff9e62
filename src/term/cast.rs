//! Recordings in asciicast v2 (<https://docs.asciinema.org/manual/asciicast/v2/>): written line by line, read whole.
//! Version 3 is read as well.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::{Emulator, Size};

/// The first line of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Columns at the start.
    pub width: u16,
    /// Rows at the start.
    pub height: u16,
    /// When it began, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<i64>,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Some of the environment, usually `TERM` and `SHELL`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

/// Turns what happens in a session into lines of a recording. Every line it returns ends with a line feed; the caller
/// appends them to the file.
#[derive(Debug, Default)]
pub struct Recorder {
    /// The time of the last event; a clock that steps back must not make a recording that runs backwards.
    last: u64,
    /// The bytes of a character that is not complete yet, at most three.
    partial: Vec<u8>,
}

impl Recorder {
    /// A recorder, and the first line of its file.
    pub fn new(header: Header) -> (Self, String) {
        #[derive(Serialize)]
        struct Versioned {
            version: u8,
            #[serde(flatten)]
            header: Header,
        }
        let recorder = Self {
            last: 0,
            partial: Vec::new(),
        };
        let versioned = Versioned { version: 2, header };
        // Text, numbers and a map with text keys always serialise.
        let mut line = serde_json::to_string(&versioned).unwrap_or_default();
        line.push('\n');
        (recorder, line)
    }

    /// What the host wrote, `elapsed` milliseconds after the start. Gives nothing while a character is incomplete.
    pub fn output(&mut self, elapsed: u64, bytes: &[u8]) -> Option<String> {
        let mut joined = std::mem::take(&mut self.partial);
        joined.extend_from_slice(bytes);
        let mut text = String::with_capacity(joined.len());
        let mut rest = joined.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    text.push_str(valid);
                    break;
                }
                Err(error) => {
                    let (valid, invalid) = rest.split_at(error.valid_up_to());
                    text.push_str(std::str::from_utf8(valid).unwrap_or_default());
                    let Some(length) = error.error_len() else {
                        self.partial = invalid.to_vec();
                        break;
                    };
                    text.push(char::REPLACEMENT_CHARACTER);
                    rest = invalid.get(length..).unwrap_or_default();
                }
            }
        }
        (!text.is_empty()).then(|| self.line(elapsed, 'o', &text))
    }

    /// The pane got another size.
    pub fn resize(&mut self, elapsed: u64, size: Size) -> String {
        self.line(elapsed, 'r', &format!("{}x{}", size.cols, size.rows))
    }

    /// A place to jump to, such as the start of a step.
    pub fn marker(&mut self, elapsed: u64, label: &str) -> String {
        self.line(elapsed, 'm', label)
    }

    /// Ends the recording: a character that was never completed is written as a replacement character.
    pub fn finish(mut self) -> Option<String> {
        let cut_off = !self.partial.is_empty();
        cut_off.then(|| self.line(0, 'o', "\u{fffd}"))
    }

    fn line(&mut self, elapsed: u64, code: char, data: &str) -> String {
        self.last = self.last.max(elapsed);
        format!(
            "[{}.{:03}, \"{code}\", {}]\n",
            self.last / 1_000,
            self.last % 1_000,
            Value::from(data)
        )
    }
}

/// A recording.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cast {
    /// Its first line.
    pub header: Header,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// The last line was cut off, as by a crash, and is not in `events`.
    pub truncated: bool,
}

/// One event of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Milliseconds after the start.
    pub at: u64,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// The host wrote this.
    Output(String),
    /// This was typed. We record none, but other programs do.
    Input(String),
    /// The terminal got another size.
    Resize(Size),
    /// A marker.
    Marker(String),
}

/// Why a recording cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CastError {
    /// There is no first line.
    #[error(
        "the recording is empty; a recording begins with a line like {{\"version\": 2, \"width\": 80, \"height\": 24}}"
    )]
    Empty,
    /// The first line makes no sense.
    #[error("the first line of the recording is no asciicast header: {0}")]
    Header(String),
    /// Neither 2 nor 3.
    #[error("the recording is asciicast version {0}; versions 2 and 3 can be read")]
    Version(u64),
    /// A later line makes no sense.
    #[error("line {line} of the recording is no event: {reason}")]
    Event {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// Reads a recording. Events of unknown sorts are skipped, as the format asks; a last line that was cut off is noted.
///
/// # Errors
/// When the first line or any but the last is not what the format says.
pub fn read(text: &str) -> Result<Cast, CastError> {
    let mut reading = Reading::default();
    let mut events = Vec::new();
    for line in text.split_inclusive('\n') {
        events.extend(reading.line(line)?);
    }
    let header = reading.finish()?;
    Ok(Cast {
        header,
        events,
        truncated: reading.truncated,
    })
}

/// Reads a recording line by line.
#[derive(Debug, Default)]
pub struct Reading {
    /// The version and the first line, once it was read.
    begun: Option<(u64, Header)>,
    /// How many lines there were.
    lines: usize,
    clock: u64,
    /// The last line was cut off and is left out; nothing may follow it.
    pub truncated: bool,
}

impl Reading {
    /// Takes the next line with its line feed; gives its event, if it is one.
    ///
    /// # Errors
    /// The line is not what the format says.
    pub fn line(&mut self, line: &str) -> Result<Option<Event>, CastError> {
        self.lines += 1;
        if line.trim().is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        let Some((version, _)) = &self.begun else {
            self.begun = Some(read_header(line)?);
            return Ok(None);
        };
        let (time, kind) = match read_event(line) {
            Ok(event) => event,
            Err(_) if !line.ends_with('\n') => {
                self.truncated = true;
                return Ok(None);
            }
            Err(reason) => {
                return Err(CastError::Event {
                    line: self.lines,
                    reason,
                });
            }
        };
        // Version 3 counts from the event before, version 2 from the start.
        self.clock = if *version == 3 {
            self.clock.saturating_add(time)
        } else {
            time.max(self.clock)
        };
        let at = self.clock;
        Ok(kind.map(|kind| Event { at, kind }))
    }

    /// The first line, once it was read.
    pub fn header(&self) -> Option<&Header> {
        self.begun.as_ref().map(|(_, header)| header)
    }

    /// The first line.
    ///
    /// # Errors
    /// There was none.
    pub fn finish(&mut self) -> Result<Header, CastError> {
        self.begun
            .take()
            .map(|(_, header)| header)
            .ok_or(CastError::Empty)
    }
}

fn read_header(line: &str) -> Result<(u64, Header), CastError> {
    let wrong = |reason: &str| CastError::Header(reason.to_owned());
    let mut value: Value =
        serde_json::from_str(line).map_err(|error| CastError::Header(error.to_string()))?;
    let version = value
        .get("version")
        .and_then(Value::as_u64)
        .ok_or_else(|| wrong("it has no version"))?;
    match version {
        2 => {}
        3 => {
            let term = value.get("term").cloned().unwrap_or_default();
            for (old, new) in [("width", "cols"), ("height", "rows")] {
                value[old] = term.get(new).cloned().unwrap_or_default();
            }
        }
        other => return Err(CastError::Version(other)),
    }
    if let Some(seconds) = value.get("timestamp").and_then(Value::as_f64) {
        value["timestamp"] = Value::from(seconds as i64);
    }
    // Some programs write null for a variable that is not set.
    if let Some(Value::Object(env)) = value.get_mut("env") {
        env.retain(|_, value| value.is_string());
    } else if let Value::Object(fields) = &mut value {
        fields.remove("env");
    }
    let header =
        serde_json::from_value(value).map_err(|error| CastError::Header(error.to_string()))?;
    Ok((version, header))
}

/// The longest time read, in seconds: a hundred years.
const LONGEST: f64 = 3_155_760_000.0;

fn read_event(line: &str) -> Result<(u64, Option<EventKind>), String> {
    let (time, code, data): (f64, String, Value) =
        serde_json::from_str(line).map_err(|error| error.to_string())?;
    if !(0.0..=LONGEST).contains(&time) {
        return Err(format!("{time} is no time in seconds"));
    }
    let data = match data {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let kind = match code.as_str() {
        "o" => Some(EventKind::Output(data)),
        "i" => Some(EventKind::Input(data)),
        "m" => Some(EventKind::Marker(data)),
        "r" => {
            let size = data
                .split_once('x')
                .and_then(|(cols, rows)| Some(Size::new(cols.parse().ok()?, rows.parse().ok()?)));
            match size {
                Some(size) => Some(EventKind::Resize(size)),
                None => return Err(format!("{data:?} is no size like 80x24")),
            }
        }
        _ => None,
    };
    Ok(((time * 1_000.0).round() as u64, kind))
}

/// A time in a recording as people read it: `0:05`, `12:34`, `1:00:07`. It is given in milliseconds.
pub fn clock(millis: u64) -> String {
    let seconds = millis / 1_000;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// A recording as version 2 for other players: times ascend, what was typed is left out, and of the header only what the
/// format names.
pub fn write(cast: &Cast) -> String {
    let mut header = cast.header.clone();
    header
        .env
        .retain(|name, _| matches!(name.as_str(), "TERM" | "SHELL"));
    let (mut recorder, mut text) = Recorder::new(header);
    for event in &cast.events {
        match &event.kind {
            EventKind::Output(output) => {
                text.extend(recorder.output(event.at, output.as_bytes()));
            }
            EventKind::Resize(size) => text.push_str(&recorder.resize(event.at, *size)),
            EventKind::Marker(label) => text.push_str(&recorder.marker(event.at, label)),
            EventKind::Input(_) => {}
        }
    }
    text
}

/// What a person would have read: the recording replayed, all of it, however long. Text on the alternate screen is shown
/// only if the recording ends there.
pub fn text(cast: &Cast) -> String {
    // So few bytes, and so few lines, stay far from what the emulator keeps.
    const STEP: usize = 1_024;
    const TAKEN: usize = 1_000;
    let mut emulator = Emulator::new(Size::new(cast.header.width, cast.header.height));
    let mut text = String::new();
    for event in &cast.events {
        match &event.kind {
            EventKind::Output(output) => {
                for bytes in output.as_bytes().chunks(STEP) {
                    emulator.feed(bytes);
                    if emulator.history_len() > TAKEN {
                        text.push_str(&emulator.take_history());
                    }
                }
            }
            EventKind::Resize(size) => emulator.resize(*size),
            EventKind::Input(_) | EventKind::Marker(_) => {}
        }
    }
    emulator.stop_sync();
    let last = emulator.modes().alt_screen.then(|| emulator.text());
    if last.is_some() {
        emulator.feed(b"\x1b[?1049l");
    }
    text.push_str(&emulator.text());
    if let Some(last) = last.filter(|last| !last.is_empty()) {
        text.push('\n');
        text.push_str(&last);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header() -> Header {
        Header {
            width: 20,
            height: 5,
            timestamp: Some(1_795_428_000),
            title: Some("web1 \"prod\"".to_owned()),
            env: BTreeMap::from([("TERM".to_owned(), "xterm-256color".to_owned())]),
        }
    }

    fn output(at: u64, text: &str) -> Event {
        Event {
            at,
            kind: EventKind::Output(text.to_owned()),
        }
    }

    #[test]
    fn a_recording_is_read_as_it_was_written() -> Result<(), CastError> {
        let (mut recorder, mut file) = Recorder::new(header());
        assert_eq!(
            file,
            "{\"version\":2,\"width\":20,\"height\":5,\"timestamp\":1795428000,\
             \"title\":\"web1 \\\"prod\\\"\",\"env\":{\"TERM\":\"xterm-256color\"}}\n"
        );
        // The euro sign comes in three pieces.
        assert_eq!(
            recorder.output(5, b"a\xe2").as_deref(),
            Some("[0.005, \"o\", \"a\"]\n")
        );
        assert_eq!(recorder.output(6, b"\x82"), None);
        file.push_str("[0.005, \"o\", \"a\"]\n");
        file.extend(recorder.output(1_250, b"\xacb\xff\x1b[0m\r\n"));
        file.push_str(&recorder.resize(1_300, Size::new(100, 30)));
        file.push_str(&recorder.marker(1_200, "step 2"));
        assert_eq!(recorder.output(61_000, b"\xf0\x9f"), None);
        file.extend(recorder.finish());
        let cast = read(&file)?;
        assert_eq!(cast.header, header());
        assert!(!cast.truncated);
        assert_eq!(
            cast.events,
            [
                output(5, "a"),
                output(1_250, "€b\u{fffd}\u{1b}[0m\r\n"),
                Event {
                    at: 1_300,
                    kind: EventKind::Resize(Size::new(100, 30)),
                },
                // A clock that stepped back does not turn the recording back.
                Event {
                    at: 1_300,
                    kind: EventKind::Marker("step 2".to_owned()),
                },
                output(1_300, "\u{fffd}"),
            ]
        );
        Ok(())
    }

    #[test]
    fn recordings_of_others_are_read() -> Result<(), CastError> {
        let cast = read(
            "{\"version\": 3, \"term\": {\"cols\": 80, \"rows\": 24, \"type\": \"xterm\"}, \"timestamp\": 1.5, \"env\": {\"SHELL\": null}}\n\
             # a comment\n[0.5, \"o\", \"a\"]\n\n[1.0, \"i\", \"k\"]\n[0.25, \"x\", \"0\"]\n[0.25, \"o\", \"b\"]\n",
        )?;
        assert_eq!((cast.header.width, cast.header.height), (80, 24));
        assert_eq!(cast.header.timestamp, Some(1));
        let times: Vec<u64> = cast.events.iter().map(|event| event.at).collect();
        assert_eq!(times, [500, 1_500, 2_000]);
        Ok(())
    }

    #[test]
    fn what_is_no_recording_is_refused_with_its_line() {
        const HEAD: &str = "{\"version\": 2, \"width\": 80, \"height\": 24}\n";
        for (text, says) in [
            (String::new(), "empty"),
            ("hello\n".to_owned(), "no asciicast header"),
            ("{}\n".to_owned(), "no version"),
            ("[]\n".to_owned(), "no version"),
            ("{\"version\": 1}\n".to_owned(), "version 1"),
            ("{\"version\": 2}\n".to_owned(), "width"),
            (
                "{\"version\": 2, \"width\": 99999, \"height\": 1}\n".to_owned(),
                "99999",
            ),
            (format!("{HEAD}[0, \"o\", \"a\"]\nnoise\n"), "line 3"),
            (format!("{HEAD}[-1, \"o\", \"a\"]\n"), "no time"),
            (format!("{HEAD}[1e300, \"o\", \"a\"]\n"), "no time"),
            (format!("{HEAD}[1, \"r\", \"big\"]\n"), "80x24"),
        ] {
            let why = read(&text).expect_err(&text).to_string();
            assert!(why.contains(says), "{text}: {why}");
        }
        let cut = read(&format!("{HEAD}[0, \"o\", \"a\"]\n[1, \"o\", \"unfin"));
        assert_eq!(
            cut.map(|cast| (cast.events.len(), cast.truncated)),
            Ok((1, true))
        );
    }

    fn replay(outputs: &[&str]) -> String {
        text(&Cast {
            header: header(),
            events: outputs.iter().map(|text| output(0, text)).collect(),
            truncated: false,
        })
    }

    #[test]
    fn the_text_is_what_a_person_would_have_read() {
        for (outputs, expected) in [
            (&["$ ls\r\n\x1b[1mfile\x1b[0m\r\n"][..], "$ ls\nfile"),
            (
                &["progress 10%\r", "progress 99%\r\ndone"],
                "progress 99%\ndone",
            ),
            (
                &["0123456789012345678901234\r\n"],
                "0123456789012345678901234",
            ),
            (
                &["before\r\n\x1b[?1049hvim\x1b[?1049lafter"],
                "before\nafter",
            ),
            (&["before\r\n\x1b[?1049h\x1b[Hvim"], "before\nvim"),
            (&["a\x1b[?2026hb"], "ab"),
        ] {
            assert_eq!(replay(outputs), expected, "{outputs:?}");
        }
    }

    #[test]
    fn a_long_recording_is_shown_whole() {
        let lines: Vec<String> = (0..12_000).map(|line| format!("line {line}\r\n")).collect();
        let whole = replay(&[&lines.concat()]);
        assert_eq!(whole.lines().count(), 12_000);
        assert!(whole.starts_with("line 0\nline 1\n") && whole.ends_with("\nline 11999"));
    }

    proptest! {
        #[test]
        fn bytes_cut_anywhere_are_the_same_text(
            bytes in proptest::collection::vec(any::<u8>(), 0..60),
            text in "\\PC{0,20}",
            cuts in 1usize..7,
        ) {
            let bytes = [text.as_bytes(), &bytes].concat();
            let (mut recorder, mut file) = Recorder::new(header());
            for chunk in bytes.chunks(cuts) {
                file.extend(recorder.output(1, chunk));
            }
            file.extend(recorder.finish());
            let cast = read(&file).map_err(|why| TestCaseError::fail(why.to_string()))?;
            let joined: String = cast
                .events
                .iter()
                .map(|event| match &event.kind {
                    EventKind::Output(text) => text.as_str(),
                    _ => "",
                })
                .collect();
            prop_assert_eq!(joined, String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn garbage_is_read_or_refused(text in "(\\{\"version\": ?[23],?[^\n]{0,20}\\}\n)?[^\u{0}]{0,80}") {
            if let Ok(cast) = read(&text) {
                drop(super::text(&cast));
            }
        }
    }
}
