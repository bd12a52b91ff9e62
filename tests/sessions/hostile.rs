//! Hostile output through emulator, recorder and encoder: no panic, nothing raw at a person's terminal, bounded memory.
//!
//! The short form is part of the suite. The long one runs by name, for `QD_EXAM_SECONDS` (600), and prints figures:
//! `cargo test --release --test all hostile::for_long -- --ignored --nocapture`.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use quarterdeck::attach::{Encoder, Features};
use quarterdeck::term::cast::{Header, Recorder};
use quarterdeck::term::{Color, Emulator, Screen, Size};
use quarterdeck::ui::{Beyond, Caps, Colors, Frame};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{self, Modifier, Style};

use crate::support::hostile_bytes::{Dice, HARMS, by_chance, reaches, reaches_ringing};
use crate::support::lab::Failed;

/// Bytes are taken in pieces of this size, as from a connection.
const PIECE: usize = 16 * 1024;

/// How much more memory all of it together may take than before it began: the history of a few terminals of 200 columns,
/// twice, because the allocator keeps what was given back.
const MEMORY: u64 = 96 * 1024;

/// The longest answer to one piece.
const ANSWERS: usize = 128 * 1024;

/// A pane with everything that its bytes go through on the way to a person, who has a terminal of the same size.
struct Way {
    size: Size,
    emulator: Emulator,
    recorder: Recorder,
    encoder: Encoder,
    theirs: Emulator,
}

impl Way {
    fn new(size: Size) -> Self {
        let size = size.clamped();
        Self {
            size,
            emulator: Emulator::new(size),
            recorder: Recorder::new(Header::default()).0,
            encoder: encoder(),
            theirs: Emulator::new(size),
        }
    }

    fn resize(&mut self, size: Size) -> Result<(), Failed> {
        self.size = size.clamped();
        self.emulator.resize(size);
        self.theirs = Emulator::new(self.size);
        self.encoder = encoder();
        check_line(&self.recorder.resize(1, self.size))
    }

    /// Takes a piece, and looks at everything that comes of it.
    fn take(&mut self, piece: &[u8]) -> Result<(), Failed> {
        if let Some(line) = self.recorder.output(1, piece) {
            check_line(&line)?;
        }
        self.emulator.feed(piece);
        self.answers()?;
        self.show()
    }

    fn answers(&mut self) -> Result<(), Failed> {
        let answers = self.emulator.take_replies();
        if answers.len() > ANSWERS {
            return Err(format!("{} bytes of answers to one piece", answers.len()).into());
        }
        // A line feed would make a shell run what a program put into the answer.
        let text = String::from_utf8(answers)?;
        match text.find(['\n', '\r', '\u{3}', '\u{4}']) {
            Some(at) => Err(format!("an answer types: {:?}", text.get(at..)).into()),
            None if text.contains("HOSTILE") => Err("an answer tells what was told".into()),
            None => Ok(()),
        }
    }

    fn show(&mut self) -> Result<(), Failed> {
        let screen = self.emulator.screen();
        check_screen(&screen, self.size)?;
        let bytes = self.encoder.encode(&frame(&screen));
        if let Some(wrong) = reaches(&bytes, self.size) {
            return Err(wrong.into());
        }
        self.theirs.feed(&bytes);
        if !self.theirs.take_replies().is_empty() || !self.theirs.title().is_empty() {
            return Err("the person's terminal was asked or named".into());
        }
        Ok(())
    }
}

fn encoder() -> Encoder {
    let features = Features {
        modern: true,
        links: true,
        underlines: true,
    };
    let caps = Caps {
        colors: Colors::TrueColor,
        unicode: true,
    };
    Encoder::new(caps, features)
}

fn check_line(line: &str) -> Result<(), Failed> {
    let body = line
        .strip_suffix('\n')
        .ok_or("a line of a recording ends")?;
    if body.chars().any(|c| c < ' ') {
        return Err(format!("a control character in a recording: {body:?}").into());
    }
    serde_json::from_str::<serde_json::Value>(body)?;
    Ok(())
}

fn check_screen(screen: &Screen, size: Size) -> Result<(), Failed> {
    let wide =
        |row: &std::sync::Arc<quarterdeck::term::Row>| row.cells.len() == usize::from(size.cols);
    if screen.rows.len() != usize::from(size.rows) || !screen.rows.iter().all(wide) {
        return Err("the screen has another size".into());
    }
    if let Some((row, column)) = screen.cursor
        && (row >= size.rows || column >= size.cols)
    {
        return Err(format!("the cursor is at {row}, {column}").into());
    }
    let mut cells = screen.rows.iter().flat_map(|row| &row.cells);
    if cells.any(|cell| cell.text.chars().any(char::is_control) || cell.text.len() > 64) {
        return Err("a control character or too much text in a cell".into());
    }
    if screen.title.chars().count() > 1024 || screen.title.chars().any(char::is_control) {
        return Err(format!("the title is {:?}", screen.title).into());
    }
    Ok(())
}

/// A screen as a pane draws it.
fn frame(screen: &Screen) -> Frame {
    let area = Rect::new(0, 0, screen.size.cols, screen.size.rows);
    let mut buffer = Buffer::empty(area);
    let cells = screen.rows.iter().flat_map(|row| &row.cells);
    for (cell, from) in buffer.content.iter_mut().zip(cells) {
        cell.set_symbol(from.text.as_str());
        let mut style = Style::default()
            .fg(color(from.style.fg))
            .bg(color(from.style.bg));
        if from.style.bold {
            style = style.add_modifier(Modifier::BOLD);
        }
        cell.set_style(style);
    }
    let cursor = screen
        .cursor
        .map(|(row, column)| Position::new(column, row));
    Frame {
        buffer,
        cursor,
        beyond: Beyond::default(),
    }
}

fn color(from: Color) -> style::Color {
    match from {
        Color::Default => style::Color::Reset,
        Color::Indexed(index) => style::Color::Indexed(index),
        Color::Rgb(red, green, blue) => style::Color::Rgb(red, green, blue),
    }
}

const SIZES: [Size; 5] = [
    Size::new(80, 24),
    Size::new(200, 50),
    Size::new(1, 1),
    Size::new(2, 3),
    Size::new(13, 2),
];

/// All of the list, so much of each, and what follows must still be shown.
fn the_list(len: usize, resident: u64) -> Result<(), Failed> {
    for harm in HARMS {
        let bytes = harm.bytes(len);
        for (number, size) in SIZES.into_iter().enumerate() {
            // Small screens get less of it: their way is the same, and each piece costs the same.
            let some = bytes.len() / if number == 0 { 1 } else { 8 };
            let told = |why: Failed| format!("{} at {}x{}: {why}", harm.name, size.cols, size.rows);
            let mut way = Way::new(size);
            for piece in bytes.get(..some).unwrap_or_default().chunks(PIECE) {
                way.take(piece).map_err(told)?;
            }
            way.emulator.stop_sync();
            way.take(b"\x18\x1b\\\x1b[0m\x1bc\x1b(B\x0fafter")
                .map_err(told)?;
            way.emulator.stop_sync();
            way.show().map_err(told)?;
            let text = way.emulator.text().replace('\n', "");
            if !text.ends_with(if size.cols < 3 { "r" } else { "after" }) {
                return Err(told(format!("what follows is lost: {text:?}").into()).into());
            }
        }
        let now = self::resident()?.saturating_sub(resident);
        if now > MEMORY {
            return Err(format!("{} leaves {now} kB behind", harm.name).into());
        }
    }
    Ok(())
}

/// One stream by chance, with resizes between its pieces.
fn one_stream(seed: u64, len: usize) -> Result<(), Failed> {
    let mut dice = Dice::new(seed);
    let mut way = Way::new(Size::new(80, 24));
    let bytes = by_chance(&mut dice, len);
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let (piece, tail) = rest.split_at(rest.len().min(1 + dice.below(PIECE / 4)));
        rest = tail;
        way.take(piece)?;
        match dice.below(12) {
            0 => {
                let (cols, rows) = (1 + dice.below(220) as u16, 1 + dice.below(60) as u16);
                way.resize(Size::new(cols, rows))?;
            }
            1 => way.resize(Size::new(
                1 + dice.below(4) as u16,
                1 + dice.below(3) as u16,
            ))?,
            2 => way.emulator.scroll(dice.below(400) as i32 - 200),
            3 => way.emulator.stop_sync(),
            4 => drop(way.emulator.take_history()),
            5 => drop(way.emulator.text()),
            _ => {}
        }
        way.show()?;
    }
    if let Some(line) = way.recorder.finish() {
        check_line(&line)?;
    }
    Ok(())
}

fn streams(seeds: std::ops::Range<u64>, len: usize) -> Result<(), Failed> {
    for seed in seeds {
        let played = catch_unwind(AssertUnwindSafe(|| one_stream(seed, len)));
        played
            .unwrap_or_else(|_| Err("a panic".into()))
            .map_err(|why| format!("seed {seed}, {len} bytes: {why}"))?;
    }
    Ok(())
}

/// The resident memory of this process in kB.
fn resident() -> Result<u64, Failed> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("Linux says so")?.parse()?)
}

/// Runs in a process of its own, so that the memory that is measured is that of the list alone.
#[test]
#[ignore = "the child of the test below"]
fn alone() -> Result<(), Failed> {
    // What is only needed once is there before the measurement begins.
    streams(0..1, PIECE)?;
    the_list(20 * 1024, resident()?)
}

#[test]
fn the_list_does_no_harm() -> Result<(), Failed> {
    let done = Command::new(std::env::current_exe()?)
        .args(["--exact", "sessions::hostile::alone", "--ignored"])
        .stdin(Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
    Ok(())
}

#[test]
fn what_chance_finds_does_no_harm() -> Result<(), Failed> {
    streams(1..17, 20 * 1024)
}

/// The guard at the end is no decoration: it lets painting pass and nothing else.
#[test]
fn what_is_no_painting_is_seen() {
    let size = Size::new(80, 24);
    for well in [
        "text 漢字 é",
        "\x1b[?2026h\x1b[?25l\x1b[0m\x1b[2J\x1b[1;1H\x1b[0;38;2;1;2;3mx\x1b[24;80H\x1b[?25h\x1b[?2026l",
        "\x1b]8;;http://h.example/\x1b\\x\x1b]8;;\x1b\\",
    ] {
        assert_eq!(reaches(well.as_bytes(), size), None, "{well:?}");
    }
    for ill in [
        "\x1b]0;title\x07",
        "\x07",
        "\x1b[6n",
        "\x1b[c",
        "\u{9b}2J",
        "\n",
        "\u{202e}",
        "\x1b[25;1H",
        "\x1b[?1049h",
        "\x1bPq\x1b\\",
        "\x1b]8;;http://h.example/ \u{9b}\x1b\\",
        "\x1b]52;c;QUJD\x07",
        "\x1bc",
        "\x1b[999999m\x1b",
    ] {
        assert!(reaches(ill.as_bytes(), size).is_some(), "{ill:?}");
    }
    assert!(reaches(b"\xff", size).is_some());
    assert_eq!(reaches_ringing(b"a\x07b\x07", size, 2), None);
    assert!(reaches_ringing(b"a\x07b\x07", size, 1).is_some());
    assert!(reaches_ringing(b"\x1b]0;title\x07", size, 1).is_some());
}

#[test]
#[ignore = "takes ten minutes"]
fn for_long() -> Result<(), Failed> {
    let seconds = std::env::var("QD_EXAM_SECONDS");
    let seconds = seconds
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(600);
    let (begun, before) = (Instant::now(), resident()?);
    let mut out = std::io::stdout();
    for harm in HARMS {
        let bytes = harm.bytes(16 * 1024 * 1024);
        let (since, mut emulator) = (Instant::now(), Emulator::new(Size::new(80, 24)));
        for piece in bytes.chunks(PIECE) {
            emulator.feed(piece);
            emulator.take_replies();
        }
        let took = since.elapsed();
        let speed = bytes.len() as f64 / 1e6 / took.as_secs_f64();
        writeln!(
            out,
            "{:<40} {speed:>8.0} MB/s {:>8} kB resident",
            harm.name,
            resident()?
        )?;
        // Anything slower than this would hold up a pane of its own for long; the list is some hundred times faster.
        assert!(took < Duration::from_secs(60), "{}", harm.name);
    }
    the_list(8 * 1024 * 1024, before.max(resident()?))?;
    let (mut seed, mut megabytes) = (1000, 0);
    while begun.elapsed() < Duration::from_secs(seconds) {
        streams(seed..seed + 16, 1024 * 1024)?;
        seed += 16;
        megabytes += 16;
    }
    let (after, took) = (resident()?, begun.elapsed().as_secs());
    writeln!(
        out,
        "by chance: {megabytes} MB, {} seeds, {took} s in all; resident {before} kB before, {after} kB after",
        seed - 1000
    )?;
    assert!(after < before + MEMORY + 200 * 1024, "{after} kB");
    Ok(())
}
