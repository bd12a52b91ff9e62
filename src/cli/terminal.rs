//! The terminal of a command line: raw mode for `qd ssh`, its size, and questions to the person in front of it.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use secrecy::{ExposeSecret, SecretString};

use crate::app::effect::{Inquiry, InquiryKind};
use crate::command::Seat;
use crate::domain::text;
use crate::ssh::{QuestionKind, Reply};
use crate::term::Size;

use super::line_modes;

/// Restores the terminal's settings when dropped.
pub(super) struct Raw {
    saved: Termios,
}

impl Raw {
    /// Makes the terminal on standard input raw. `None` when it is none.
    ///
    /// # Errors
    /// The terminal refused.
    pub(super) fn enter() -> std::io::Result<Option<Self>> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            return Ok(None);
        }
        let saved = tcgetattr(&stdin)?;
        let mut raw = saved.clone();
        raw.make_raw();
        tcsetattr(&stdin, OptionalActions::Drain, &raw)?;
        Ok(Some(Self { saved }))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that is gone.
        tcsetattr(std::io::stdin(), OptionalActions::Drain, &self.saved).ok();
    }
}

/// The settings of the controlling terminal, put back when dropped.
pub(super) struct Settings(Option<(File, Termios)>);

impl Settings {
    /// Remembers them; without a terminal there is nothing to remember.
    pub(super) fn keep() -> Self {
        let tty = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/tty")
            .ok();
        Self(tty.and_then(|tty| tcgetattr(&tty).ok().map(|saved| (tty, saved))))
    }
}

impl Drop for Settings {
    fn drop(&mut self) {
        if let Some((tty, saved)) = &self.0 {
            tcsetattr(tty, OptionalActions::Now, saved).ok();
        }
    }
}

/// The size of the terminal on standard output or input.
pub(super) fn size() -> Option<Size> {
    let size = tcgetwinsize(std::io::stdout())
        .or_else(|_| tcgetwinsize(std::io::stdin()))
        .ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some(Size {
        cols: size.ws_col,
        rows: size.ws_row,
    })
}

/// What is known of the place where we were called.
pub(super) fn seat(quiet: bool, verbose: bool) -> Seat {
    let stdin = std::io::stdin();
    let tty = stdin.is_terminal();
    let modes = if tty {
        tcgetattr(&stdin).map(|termios| line_modes::of(&termios))
    } else {
        Ok(Vec::new())
    };
    Seat {
        tty,
        term: std::env::var("TERM").unwrap_or_default(),
        size: size().map(|size| (size.cols, size.rows)),
        modes: modes.unwrap_or_default(),
        quiet,
        verbose,
    }
}

/// Asks the person at the controlling terminal, never standard input, which may be a pipe. Without one the answer is no.
pub(super) fn ask(inquiry: &Inquiry, assume_yes: bool) -> Reply {
    if let (InquiryKind::Confirm(_), true) = (&inquiry.kind, assume_yes) {
        return Reply::Yes;
    }
    let Ok(tty) = OpenOptions::new().read(true).write(true).open("/dev/tty") else {
        return Reply::No;
    };
    converse(&tty, inquiry).unwrap_or(Reply::No)
}

fn converse(tty: &File, inquiry: &Inquiry) -> std::io::Result<Reply> {
    let mut out = tty;
    let place = text::line(&inquiry.place);
    match &inquiry.kind {
        InquiryKind::Connection(QuestionKind::HostKey {
            host,
            algorithm,
            fingerprint,
            file,
        }) => {
            writeln!(
                out,
                "{place}: the key of {} is not known yet.",
                text::line(host)
            )?;
            writeln!(
                out,
                "{} key fingerprint is {}.",
                text::line(algorithm),
                text::line(fingerprint)
            )?;
            loop {
                write!(
                    out,
                    "Trust it and remember it in {}? (yes/no/fingerprint) ",
                    file.display()
                )?;
                let answer = line(tty)?;
                match answer.trim() {
                    "yes" => return Ok(Reply::Yes),
                    "" | "no" => return Ok(Reply::No),
                    pasted if pasted == fingerprint => return Ok(Reply::Yes),
                    _ => writeln!(out, "Please type yes, no, or the fingerprint.")?,
                }
            }
        }
        InquiryKind::Connection(QuestionKind::Secret { prompt }) => {
            write!(out, "{place}: {} ", text::line(prompt))?;
            hidden(tty).map(Reply::Text)
        }
        InquiryKind::Connection(QuestionKind::Text { prompt }) => {
            write!(out, "{place}: {} ", text::line(prompt))?;
            Ok(Reply::Text(SecretString::from(
                line(tty)?.trim_end_matches(['\r', '\n']).to_owned(),
            )))
        }
        InquiryKind::Connection(QuestionKind::Confirm { prompt })
        | InquiryKind::Confirm(prompt) => {
            write!(out, "{place}: {} (yes/no) ", text::block(prompt))?;
            Ok(if matches!(line(tty)?.trim(), "yes" | "y") {
                Reply::Yes
            } else {
                Reply::No
            })
        }
        InquiryKind::Typed { prompt, word } => {
            write!(
                out,
                "{place}: {}\nType {} to go on: ",
                text::block(prompt),
                text::line(word)
            )?;
            Ok(if line(tty)?.trim() == word {
                Reply::Yes
            } else {
                Reply::No
            })
        }
    }
}

fn line(tty: &File) -> std::io::Result<String> {
    let mut answer = String::new();
    BufReader::new(tty.take(4096)).read_line(&mut answer)?;
    Ok(answer)
}

fn hidden(tty: &File) -> std::io::Result<SecretString> {
    let saved = tcgetattr(tty)?;
    let mut quiet = saved.clone();
    quiet.local_modes.remove(LocalModes::ECHO);
    quiet.local_modes.insert(LocalModes::ECHONL);
    tcsetattr(tty, OptionalActions::Drain, &quiet)?;
    let answer = line(tty).map(SecretString::from);
    tcsetattr(tty, OptionalActions::Drain, &saved)?;
    Ok(SecretString::from(
        answer?
            .expose_secret()
            .trim_end_matches(['\r', '\n'])
            .to_owned(),
    ))
}
