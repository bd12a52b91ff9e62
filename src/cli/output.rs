//! The only place that writes to standard output and standard error of a command line.

use std::io::{IsTerminal, Write};

use serde_json::{Value, json};

use crate::app::effect::Emission;
use crate::command::{Answer, Globals, Outcome};
use crate::domain::files::CopyProgress;
use crate::domain::forward::ForwardRow;
use crate::domain::run::{CellState, Exit, RunFact};
use crate::domain::text;
use crate::domain::time::{Time, short};
use crate::ssh::Stream;

use super::copy;
use super::leftovers::Leftovers;
use super::render::{self, Style};
use super::terminal;

/// Writes what a command says, in the form that was asked for.
#[derive(Debug)]
pub(super) struct Output {
    json: bool,
    jsonl: bool,
    quiet: bool,
    plain: bool,
    terminal: bool,
    /// Standard output and standard error are terminals: what hosts write is made harmless there.
    seen: [bool; 2],
    fold: bool,
    /// The last line on standard error is one that shows how far a copy is.
    bar: bool,
    /// Standard output was closed by its reader; nothing more is written there.
    closed: bool,
    /// Details about connections are shown.
    verbose: bool,
    /// The terminal is raw: a line's end needs its return too.
    raw: bool,
    /// What the remote program switched on in our terminal.
    leftovers: Leftovers,
}

impl Output {
    /// Output as the options want it.
    pub(super) fn new(globals: &Globals, fold: bool) -> Self {
        let terminal = std::io::stdout().is_terminal() && !globals.plain;
        Self {
            json: globals.json,
            jsonl: globals.jsonl,
            quiet: globals.quiet,
            plain: globals.plain,
            terminal,
            seen: [
                std::io::stdout().is_terminal(),
                std::io::stderr().is_terminal(),
            ],
            fold,
            bar: false,
            closed: false,
            verbose: globals.verbose,
            raw: false,
            leftovers: Leftovers::default(),
        }
    }

    /// Whether nobody reads standard output any more.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// The terminal is raw from now on, or no more.
    pub(super) fn raw(&mut self, raw: bool) {
        self.raw = raw;
    }

    /// Shows details from now on, or no more.
    pub(super) fn louder(&mut self, louder: bool) {
        self.verbose = louder;
    }

    /// A text of ours, for people.
    pub(super) fn say(&self, text: &str) {
        if self.raw {
            err(text.replace('\n', "\r\n").as_bytes());
        } else {
            err(text.as_bytes());
        }
    }

    /// Takes back what a dead program left switched on in the terminal.
    pub(super) fn undo(&mut self) {
        let undo = self.leftovers.undo();
        if !undo.is_empty() {
            self.out(&undo);
        }
    }

    /// A part of the output of a command that streams.
    pub(super) fn emit(&mut self, emission: Emission) {
        match emission {
            Emission::Bytes(Stream::Out, data) => {
                if self.seen[0] {
                    self.leftovers.feed(&data);
                }
                self.out(&data);
            }
            Emission::Bytes(Stream::Err, data) => err(&data),
            Emission::Copy(progress) => self.copy(&progress),
            Emission::Note(note) => {
                if !self.quiet {
                    self.clear();
                    self.say(&format!("qd: {}\n", text::block(&note)));
                }
            }
            Emission::Code {
                code,
                fingerprint,
                until,
            } => {
                // A join has no single document either, so both forms of JSON are an event a line.
                if self.json || self.jsonl {
                    let event = json!({ "event": "sync.code", "code": code, "fingerprint": fingerprint, "until": until });
                    return self.line(&event);
                }
                self.out(render::code_text(&code, &fingerprint, until).as_bytes());
            }
            Emission::Detail(detail) => {
                if self.verbose {
                    self.say(&format!("qd: {}\n", text::block(&detail)));
                }
            }
            Emission::Attached { .. } | Emission::Taken | Emission::RunHere { .. } => {}
            Emission::Forward(row) => self.forward(&row),
            Emission::Health(rows) => {
                let answer = Answer::Health(rows);
                self.finish(&Outcome::ok(answer), crate::app::clock::now());
            }
            Emission::HostLine { host, stream, line } => self.host_line(&host, stream, &line),
            Emission::HostDone {
                host,
                exit,
                took_ms,
            } => self.host_done(&host, &exit, took_ms),
            Emission::Run {
                reference,
                fact,
                step,
            } => self.run(&reference, &fact, &step),
            Emission::StepOutput {
                host,
                step,
                stream,
                data,
            } => {
                if self.jsonl {
                    let stream = if stream == Stream::Out {
                        "stdout"
                    } else {
                        "stderr"
                    };
                    self.line(&json!({ "event": "output", "host": host, "step": step, "stream": stream, "data": String::from_utf8_lossy(&data) }));
                }
            }
        }
    }

    /// The end of a command; the answer is its exit status.
    pub(super) fn finish(&mut self, outcome: &Outcome, now: Time) -> u8 {
        self.clear();
        match &outcome.answer {
            Answer::Silent => {}
            Answer::Copy(report) if !self.json && !self.jsonl => {
                err(copy::words(report, self.quiet).as_bytes());
            }
            Answer::Copy(report) if self.jsonl && !self.json => {
                self.line(&copy::finished(report));
            }
            Answer::Error(why) => {
                if self.json || self.jsonl {
                    self.line(&render::json(&outcome.answer));
                }
                err(format!("qd: {}\n", text::block(why)).as_bytes());
            }
            answer if self.json => self.document(&render::json(answer)),
            answer if self.jsonl => match (answer, render::json(answer)) {
                (Answer::Run(_) | Answer::Exec(_), _) => {}
                (_, Value::Array(rows)) => rows.iter().for_each(|row| self.line(row)),
                (_, value) => self.line(&value),
            },
            answer => {
                let width = self
                    .terminal
                    .then(|| terminal::size().map_or(80, |size| usize::from(size.cols)));
                let style = Style {
                    width,
                    now,
                    fold: self.fold,
                };
                let written = render::text(answer, style);
                self.out(written.as_bytes());
            }
        }
        outcome.exit
    }

    /// `qd forward` has no single document, so both forms of JSON are an event a line.
    fn forward(&mut self, row: &ForwardRow) {
        if self.json || self.jsonl {
            return self.line(&json!({ "event": "forward", "forward": row }));
        }
        match render::forward_line(row) {
            Some((line, false)) => self.out(format!("{line}\n").as_bytes()),
            Some((line, true)) if !self.quiet => err(format!("qd: {line}\n").as_bytes()),
            Some(_) | None => {}
        }
    }

    /// How far a copy is: one line that is drawn over and over, on a terminal only.
    fn copy(&mut self, progress: &CopyProgress) {
        if self.jsonl {
            return self.line(&copy::event(progress));
        }
        if self.json || self.quiet || self.plain || !self.seen[1] || progress.files == 0 {
            return;
        }
        let width = terminal::size().map_or(80, |size| usize::from(size.cols));
        // The last column stays free, where some terminals would break the line.
        let line = copy::line(progress, width.saturating_sub(1));
        err(format!("\r{line}\x1b[K").as_bytes());
        self.bar = true;
    }

    /// Leaves the line that shows how far a copy is as it stands, and begins another.
    fn clear(&mut self) {
        if std::mem::take(&mut self.bar) {
            err(b"\n");
        }
    }

    fn host_line(&mut self, host: &str, stream: Stream, line: &[u8]) {
        if self.json {
            return;
        }
        if self.jsonl {
            let stream = if stream == Stream::Out {
                "stdout"
            } else {
                "stderr"
            };
            return self.line(&json!({ "event": "output", "host": host, "stream": stream, "data": String::from_utf8_lossy(line) }));
        }
        let mut whole = text::line(host).into_bytes();
        whole.extend_from_slice(b": ");
        if self.seen[usize::from(stream == Stream::Err)] {
            let body = String::from_utf8_lossy(line);
            whole.extend_from_slice(text::line(body.trim_end_matches('\r')).as_bytes());
        } else {
            // A pipe gets the bytes as they came.
            whole.extend_from_slice(line);
        }
        whole.push(b'\n');
        if stream == Stream::Out {
            self.out(&whole);
        } else {
            err(&whole);
        }
    }

    fn host_done(&mut self, host: &str, exit: &Exit, took_ms: u64) {
        if self.jsonl {
            return self.line(&json!({ "event": "host.finished", "host": host, "exit": exit.code(), "took_ms": took_ms }));
        }
        if !self.json && !exit.is_ok() && !matches!(exit, Exit::Unreachable(_)) {
            err(format!("{}: exit {}\n", text::line(host), exit.code()).as_bytes());
        }
    }

    fn run(&mut self, reference: &str, fact: &RunFact, step: &str) {
        if self.jsonl {
            let event = match fact {
                RunFact::Started {
                    hosts, steps, book, ..
                } => {
                    json!({ "event": "run.started", "run": reference, "book": book, "hosts": hosts, "steps": steps })
                }
                RunFact::StepStarted { host, attempt, .. } => {
                    json!({ "event": "step.started", "host": host, "step": step, "attempt": attempt })
                }
                RunFact::StepFinished {
                    host,
                    exit,
                    took_ms,
                    state,
                    ..
                } => {
                    json!({ "event": "step.finished", "host": host, "step": step, "exit": exit, "took_ms": took_ms, "state": state })
                }
                RunFact::Finished { state, tally, .. } => json!({
                    "event": "run.finished", "run": reference, "state": state,
                    "ok": tally.ok, "failed": tally.failed, "unreachable": tally.unreachable, "skipped": tally.skipped,
                }),
            };
            return self.line(&event);
        }
        if self.json || self.quiet {
            return;
        }
        match fact {
            RunFact::Started { hosts, book, .. } => err(format!(
                "qd: {reference}: {} on {} hosts\n",
                text::line(book),
                hosts.len()
            )
            .as_bytes()),
            RunFact::StepFinished {
                host,
                state,
                exit,
                took_ms,
                reason,
                ..
            } => {
                let exit = exit
                    .filter(|_| *state == CellState::Failed)
                    .map(|exit| format!(" exit {exit}"))
                    .unwrap_or_default();
                let why = if reason.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", text::line(reason))
                };
                err(format!(
                    "{}  {}  {state}{exit}  {}{why}\n",
                    text::line(host),
                    text::line(step),
                    short(*took_ms)
                )
                .as_bytes());
            }
            RunFact::StepStarted { .. } | RunFact::Finished { .. } => {}
        }
    }

    fn document(&mut self, value: &Value) {
        let text = if self.terminal {
            serde_json::to_string_pretty(value)
        } else {
            serde_json::to_string(value)
        };
        self.out(harmless(format!("{}\n", text.unwrap_or_default())).as_bytes());
    }

    fn line(&mut self, value: &Value) {
        self.out(harmless(format!("{value}\n")).as_bytes());
    }

    fn out(&mut self, bytes: &[u8]) {
        if self.closed {
            return;
        }
        let mut stdout = std::io::stdout().lock();
        // A reader that went away, such as `head`, is no error; what happens on the hosts goes on and is recorded.
        self.closed = stdout
            .write_all(bytes)
            .and_then(|()| stdout.flush())
            .is_err();
    }
}

/// JSON escapes what is below 0x20 by itself; DEL and the C1 controls steer terminals too.
fn harmless(json: String) -> String {
    if !json.chars().any(|c| matches!(c, '\u{7f}'..='\u{9f}')) {
        return json;
    }
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\u{7f}'..='\u{9f}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

/// Writes to standard error; there is nowhere to report that this failed.
pub(super) fn err(bytes: &[u8]) {
    drop(std::io::stderr().lock().write_all(bytes));
}

/// Whether standard output is a terminal, where what hosts wrote must be made harmless.
pub(super) fn is_seen() -> bool {
    std::io::stdout().is_terminal()
}

/// Writes to standard output; false when nobody reads it any more.
pub(super) fn write(text: &str) -> bool {
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(text.as_bytes());
    written.and_then(|()| stdout.flush()).is_ok()
}

/// Writes to standard output, for texts that exist before any command runs.
pub(super) fn print(text: &str) {
    drop(std::io::stdout().lock().write_all(text.as_bytes()));
}
