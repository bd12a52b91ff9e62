//! What is sent to a host for one step, and how the answer is read.
//!
//! A script travels on standard input, inside braces that end with `</dev/null`. So the shell reads all of it before it
//! runs any of it: a link that breaks half-way runs nothing, a command that reads its input cannot eat the rest, and no
//! value is ever in an argument list.

use std::fmt;

use crate::domain::run::{CellState, Exit, OUTPUT_INLINE};
use crate::domain::runbook::{Action, On, Step};

use super::mask::Mask;
use super::params::{Values, fill};
use super::quote::{Dialect, quoted};

/// A command and what it reads. Its debug form does not show the script, which may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Script {
    /// The exec request, such as `sh` or `sudo -n sh`. It never holds a parameter.
    pub command: String,
    /// The script.
    pub stdin: Vec<u8>,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Script({:?}, {} bytes)", self.command, self.stdin.len())
    }
}

/// A line that only one attempt of one cell can write: what the wrapper says to the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark(String);

impl Mark {
    /// The mark of an attempt. `run` is random, so a host cannot guess the marks of others.
    pub(super) fn new(run: &[u8; 16], host: &str, step: u32, attempt: u32) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(run);
        hasher.update(host.as_bytes());
        hasher.update(&step.to_le_bytes());
        hasher.update(&attempt.to_le_bytes());
        let hex = hasher.finalize().to_hex();
        Self(format!("qd-{}", hex.get(..16).unwrap_or_default()))
    }
}

/// Makes the script of a step for `host`.
///
/// # Errors
/// What cannot be filled in, a line each.
pub(super) fn build(
    step: &Step,
    host: &str,
    values: &Values,
    mark: &Mark,
) -> Result<Script, Vec<String>> {
    let Action::Script { interpreter, text } = &step.action else {
        return Err(vec!["a checklist has nothing to run".to_owned()]);
    };
    let main = fill(interpreter, text, values)?;
    let side = |text: &Option<String>| match text {
        Some(text) => fill("sh", text, values).map(Some),
        None => Ok(None),
    };
    let (condition, verify) = (side(&step.condition)?, side(&step.verify)?);
    let shell = Dialect::of(interpreter).is_shell();
    let simple = shell && condition.is_none() && verify.is_none() && step.capture.is_none();
    let (program, stdin) = if simple {
        (interpreter.as_str(), whole(&main))
    } else {
        let main = if shell { whole(&main) } else { main };
        let wrapper = Wrapper {
            interpreter,
            main: &main,
            condition: condition.as_deref(),
            verify: verify.as_deref(),
            capture: step.capture.is_some(),
            mark,
        };
        ("sh", wrapper.text())
    };
    let mut command = String::new();
    if step.become_root {
        command.push_str("sudo -n ");
    }
    if step.on == On::Local {
        // A step on this machine would not know for which host it runs.
        command.push_str(&format!("env QD_HOST={} ", quoted(host)));
    }
    command.push_str(program);
    Ok(Script {
        command,
        stdin: stdin.into_bytes(),
    })
}

/// A shell script that is read whole before it runs. Its first line stays the first, for the shell's messages.
fn whole(text: &str) -> String {
    // The empty line catches a backslash at the end of the script.
    format!("{{ :; {text}\n\n}} </dev/null\n")
}

/// A step with a condition, a verification, a captured output or a language of its own: one script for one launch.
struct Wrapper<'a> {
    interpreter: &'a str,
    main: &'a str,
    condition: Option<&'a str>,
    verify: Option<&'a str>,
    capture: bool,
    mark: &'a Mark,
}

impl Wrapper<'_> {
    fn text(&self) -> String {
        let mark = &self.mark.0;
        let mut out = "{ qd_exit=0\n".to_owned();
        if let Some(condition) = self.condition {
            out.push_str("qd_if() {\n");
            out.push_str(&here("sh", &whole(condition)));
            out.push_str(&format!(
                "}}\nqd_if >/dev/null 2>&1 || {{ printf '\\n%s\\n' '{mark} skip'; exit 0; }}\n"
            ));
        }
        out.push_str("qd_main() {\n");
        let program = if self.interpreter == "python3" {
            "python3 -"
        } else {
            self.interpreter
        };
        out.push_str(&here(program, self.main));
        out.push_str("}\n");
        out.push_str(if self.capture {
            "qd_out=$(qd_main)\nqd_exit=$?\n"
        } else {
            "qd_main\nqd_exit=$?\n"
        });
        if let Some(verify) = self.verify {
            out.push_str("qd_verify() {\n");
            out.push_str(&here("sh", &whole(verify)));
            out.push_str(&format!(
                "}}\nif [ \"$qd_exit\" -eq 0 ]; then qd_verify; qd_exit=$?\n\
                 [ \"$qd_exit\" -eq 0 ] || printf '\\n%s\\n' '{mark} verify'\nfi\n"
            ));
        }
        if self.capture {
            // `printf` is no builtin everywhere; a here-document keeps the text out of argument lists.
            out.push_str(&format!(
                "printf '\\n%s\\n' '{mark} capture'\ncat <<QD_OUT\n$qd_out\nQD_OUT\n"
            ));
        }
        // One stream, so that the marks stand where they were written.
        out.push_str("exit \"$qd_exit\"\n} </dev/null 2>&1\n");
        out
    }
}

/// `program` with `text` on its standard input, as a here-document that nothing in the text can end.
fn here(program: &str, text: &str) -> String {
    let mut delimiter = "QD_END".to_owned();
    while text.lines().any(|line| line == delimiter) {
        delimiter.push('_');
    }
    let end = if text.ends_with('\n') { "" } else { "\n" };
    format!("{program} <<'{delimiter}'\n{text}{end}{delimiter}\n")
}

/// How a launch ended, ready for the journal.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) state: CellState,
    pub(super) exit: Option<i32>,
    pub(super) reason: String,
    /// Masked, at most [`OUTPUT_INLINE`] bytes.
    pub(super) output: Vec<u8>,
    pub(super) dropped: u64,
    /// What the step captured, not masked.
    pub(super) captured: Option<String>,
}

/// Reads the end of a launch.
pub(super) fn read(
    step: &Step,
    mark: &Mark,
    mask: &Mask,
    exit: &Exit,
    output: Vec<u8>,
    dropped: u64,
) -> Ended {
    let mut output = output;
    let capture = take_mark(&mut output, mark, "capture");
    let captured = capture.map(|at| {
        let text = String::from_utf8_lossy(output.get(at..).unwrap_or_default());
        text.trim().replace('\0', "")
    });
    let skipped = take_mark(&mut output, mark, "skip").is_some();
    let unverified = take_mark(&mut output, mark, "verify").is_some();
    let (mut state, mut reason) = match exit {
        Exit::Code(0) if skipped => (
            CellState::Skipped,
            format!("{}its condition said no", super::machine::ON_PURPOSE),
        ),
        Exit::Code(0) => (CellState::Ok, String::new()),
        Exit::Code(_) if unverified => (
            CellState::Failed,
            "it ran, but its verification failed".to_owned(),
        ),
        Exit::Code(_) => (CellState::Failed, String::new()),
        Exit::Signal(name) => (CellState::Failed, format!("ended by signal {name}")),
        Exit::TimedOut => (CellState::Failed, timed_out(step)),
        Exit::Unreachable(why) => (CellState::Unreachable, mask.text(why)),
        Exit::Cancelled => (CellState::Failed, "cancelled before its end".to_owned()),
    };
    let mut code = Some(exit.code());
    if state == CellState::Skipped || state == CellState::Unreachable {
        code = None;
    }
    if state == CellState::Ok && step.capture.is_some() && (captured.is_none() || dropped > 0) {
        state = CellState::Failed;
        reason = "its output is too long to be captured; print less".to_owned();
    }
    let (output, cut) = cut(mask.bytes(&output));
    Ended {
        captured: captured.filter(|_| state == CellState::Ok),
        state,
        exit: code,
        reason,
        output,
        dropped: dropped.saturating_add(cut),
    }
}

fn timed_out(step: &Step) -> String {
    match step.timeout_ms {
        Some(limit) => format!(
            "not done after {}; raise timeout= if it needs longer",
            crate::domain::time::short(limit)
        ),
        None => "not done in time".to_owned(),
    }
}

/// Removes the last line that says `word` with the mark. Returns where the text after it begins.
fn take_mark(output: &mut Vec<u8>, mark: &Mark, word: &str) -> Option<usize> {
    let line = format!("\n{} {word}\n", mark.0).into_bytes();
    let at = output
        .windows(line.len())
        .rposition(|window| window == line)?;
    // The wrapper wrote the line feed before the mark, so that it stands alone; the text before may have its own.
    let end = (at + line.len()).min(output.len());
    let whole_line = at == 0 || output.get(at - 1) == Some(&b'\n');
    let keep: &[u8] = if whole_line { b"" } else { b"\n" };
    output.splice(at..end, keep.iter().copied());
    Some(at + keep.len())
}

/// Keeps the head and the tail of an output that is too long. Returns how many bytes are left out.
fn cut(output: Vec<u8>) -> (Vec<u8>, u64) {
    if output.len() <= OUTPUT_INLINE {
        return (output, 0);
    }
    /// More than the line between head and tail can be long.
    const ROOM: usize = 64;
    let half = (OUTPUT_INLINE - ROOM) / 2;
    let (mut head, mut tail) = (half, output.len() - half);
    // A character is not cut in two.
    let inside = |at: usize| output.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    while head > half - 4 && inside(head) {
        head -= 1;
    }
    while tail < output.len() - half + 4 && inside(tail) {
        tail += 1;
    }
    let left_out = tail - head;
    let mut kept = output.get(..head).unwrap_or_default().to_vec();
    kept.extend_from_slice(format!("\n… {left_out} bytes left out …\n").as_bytes());
    kept.extend_from_slice(output.get(tail..).unwrap_or_default());
    (kept, u64::try_from(left_out).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
