//! A tmux server of a test's own: panes that take bytes as they are, read back cell by cell.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use quarterdeck::term::{Color, Size};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use tempfile::TempDir;
use unicode_width::UnicodeWidthChar;

use super::lab::Failed;

/// The server; it is killed when dropped.
pub(crate) struct Tmux {
    /// Where its socket is.
    folder: TempDir,
}

impl Drop for Tmux {
    fn drop(&mut self) {
        // It may never have been started.
        self.run(&["kill-server"]).ok();
    }
}

impl Tmux {
    /// A server that nobody else knows, with nobody's settings. It starts with its first pane and stays without any.
    pub(crate) fn new() -> Result<Self, Failed> {
        Ok(Self {
            folder: tempfile::tempdir()?,
        })
    }

    /// Its socket, for `tmux -S`.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("tmux")
    }

    fn run(&self, args: &[&str]) -> Result<Output, Failed> {
        let output = Command::new("tmux")
            .args(["-u", "-f", "/dev/null", "-S"])
            .arg(self.socket())
            .args(args)
            .env_remove("TMUX")
            .env("SHELL", "/bin/sh")
            .env("LANG", "C.UTF-8")
            .env("TERM", "xterm-256color")
            .output()?;
        Ok(output)
    }

    /// What a command of tmux prints.
    pub(crate) fn ask(&self, args: &[&str]) -> Result<String, Failed> {
        let output = self.run(args)?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("tmux {args:?}: {said}").into());
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// A pane without a program that speaks: its terminal is written by the test.
    pub(crate) fn pane(&self, size: Size) -> Result<Pane<'_>, Failed> {
        let (cols, rows) = (size.cols.to_string(), size.rows.to_string());
        let words = [
            "start-server",
            ";",
            "set",
            "-g",
            "status",
            "off",
            ";",
            "set",
            "-s",
            "exit-empty",
            "off",
            ";",
            "new-session",
            "-d",
            "-x",
            &cols,
            "-y",
            &rows,
            "-P",
            "-F",
            "#{pane_id} #{pane_tty} #{session_id}",
            "exec tail -f /dev/null",
        ];
        let said = self.ask(&words)?;
        let mut fields = said.split_whitespace();
        let mut next = || fields.next().map(str::to_owned).ok_or("tmux names a pane");
        let (id, tty, session) = (next()?, next()?, next()?);
        let tty = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(rustix::fs::OFlags::NOCTTY.bits().cast_signed())
            .open(tty)?;
        let mut modes = tcgetattr(&tty)?;
        modes.make_raw();
        tcsetattr(&tty, OptionalActions::Now, &modes)?;
        Ok(Pane {
            tmux: self,
            id,
            session,
            tty,
            size,
        })
    }
}

/// A pane; it is gone when dropped.
pub(crate) struct Pane<'a> {
    tmux: &'a Tmux,
    id: String,
    session: String,
    tty: File,
    size: Size,
}

impl Drop for Pane<'_> {
    fn drop(&mut self) {
        self.tmux.run(&["kill-session", "-t", &self.session]).ok();
    }
}

impl Pane<'_> {
    /// Writes bytes to the terminal and returns when tmux has taken them in. They must not end inside of a sequence.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), Failed> {
        self.tty.write_all(bytes)?;
        // What asks for the state is answered after everything before it was parsed.
        self.tty.write_all(b"\x1b[5n")?;
        let (mut said, mut buffer) = (Vec::new(), [0; 1024]);
        while !said.windows(4).any(|part| part == b"\x1b[0n") {
            let got = self.tty.read(&mut buffer)?;
            if got == 0 {
                return Err("the terminal of the pane is closed".into());
            }
            said.extend_from_slice(buffer.get(..got).unwrap_or_default());
        }
        Ok(())
    }

    /// What the pane shows.
    pub(crate) fn look(&self) -> Result<Shown, Failed> {
        let text = self.tmux.ask(&[
            "display-message",
            "-p",
            "-t",
            &self.id,
            "#{cursor_x} #{cursor_y}",
            ";",
            "capture-pane",
            "-e",
            "-p",
            "-N",
            "-t",
            &self.id,
        ])?;
        let (cursor, screen) = text.split_once('\n').ok_or("tmux tells the cursor")?;
        let (x, y) = cursor.split_once(' ').ok_or("two numbers")?;
        let rows = read(screen, usize::from(self.size.rows));
        Ok(Shown {
            rows,
            cursor: (x.parse()?, y.parse()?),
        })
    }
}

/// A screen as tmux tells it.
pub(crate) struct Shown {
    /// The cells of each row. A row ends where tmux has nothing more to tell, which it does not do for blanks that were
    /// only erased, whatever their ground.
    pub(crate) rows: Vec<Vec<Seen>>,
    /// Column and row; the column is the width after the last character of a full row.
    pub(crate) cursor: (u16, u16),
}

/// A cell as tmux tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) text: String,
    pub(crate) look: Look,
}

/// How a cell looks, as far as both sides can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) fg: Color,
    pub(crate) bg: Color,
    pub(crate) bold: bool,
    pub(crate) dim: bool,
    pub(crate) italic: bool,
    pub(crate) underline: bool,
    pub(crate) reverse: bool,
    pub(crate) hidden: bool,
    pub(crate) strike: bool,
}

/// Reads what `capture-pane -e` prints: text, SGR (ECMA-48 8.3.117), and SO and SI around line drawing characters. The
/// look goes on from row to row.
fn read(text: &str, rows: usize) -> Vec<Vec<Seen>> {
    let (mut look, mut drawing) = (Look::default(), false);
    let mut all: Vec<Vec<Seen>> = text
        .split('\n')
        .take(rows)
        .map(|line| read_line(line, &mut look, &mut drawing))
        .collect();
    all.resize_with(rows, Vec::new);
    all
}

fn read_line(line: &str, look: &mut Look, drawing: &mut bool) -> Vec<Seen> {
    let mut cells: Vec<Seen> = Vec::new();
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match c {
            '\x0e' => *drawing = true,
            '\x0f' => *drawing = false,
            '\x1b' => {
                let mut words = String::new();
                let ended = rest.by_ref().skip(1).find(|c| {
                    let more = c.is_ascii_digit() || matches!(c, ';' | ':');
                    if more {
                        words.push(*c);
                    }
                    !more
                });
                if ended == Some('m') {
                    look.apply(&words);
                }
            }
            c if c.width() == Some(0) => {
                let last = cells.iter_mut().rev().find(|cell| !cell.text.is_empty());
                if let Some(last) = last {
                    last.text.push(c);
                }
            }
            c => {
                let text = if *drawing { line_drawing(c) } else { c };
                cells.push(Seen {
                    text: text.to_string(),
                    look: *look,
                });
                if c.width() == Some(2) {
                    cells.push(Seen {
                        text: String::new(),
                        look: *look,
                    });
                }
            }
        }
    }
    cells
}

/// The DEC special graphics set, as far as programs use it.
fn line_drawing(c: char) -> char {
    let drawn = "◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·";
    (c as u32)
        .checked_sub('`' as u32)
        .and_then(|index| drawn.chars().nth(index as usize))
        .unwrap_or(c)
}

impl Look {
    fn apply(&mut self, words: &str) {
        let mut parts = words.split(';').map(|part| {
            let (code, kind) = part.split_once(':').unwrap_or((part, "1"));
            (code.parse::<u16>().unwrap_or(0), kind != "0")
        });
        while let Some((code, on)) = parts.next() {
            let mut number = || parts.next().map_or(0, |(code, _)| code.min(255) as u8);
            match code {
                0 => *self = Self::default(),
                1 => self.bold = true,
                2 => self.dim = true,
                3 => self.italic = true,
                4 => self.underline = on,
                7 => self.reverse = true,
                8 => self.hidden = true,
                9 => self.strike = true,
                30..=37 => self.fg = Color::Indexed((code - 30) as u8),
                40..=47 => self.bg = Color::Indexed((code - 40) as u8),
                90..=97 => self.fg = Color::Indexed((code - 82) as u8),
                100..=107 => self.bg = Color::Indexed((code - 92) as u8),
                39 => self.fg = Color::Default,
                49 => self.bg = Color::Default,
                38 | 48 => {
                    let color = match number() {
                        5 => Color::Indexed(number()),
                        _ => Color::Rgb(number(), number(), number()),
                    };
                    if code == 38 {
                        self.fg = color;
                    } else {
                        self.bg = color;
                    }
                }
                // Blinking and lines over the text are not compared.
                _ => {}
            }
        }
    }
}
