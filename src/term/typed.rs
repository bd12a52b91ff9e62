//! Commands by the keys that were typed, where the shell marks nothing (OSC 133). A line that was typed, was echoed and was
//! given with Enter counts as a command; what is not echoed never does, so that no secret becomes one. It is approximate: a
//! line for a program that reads lines counts too. The first mark of a shell ends it, because that one knows.

use std::collections::VecDeque;

use super::emulator::Emulator;
use super::marks::At;
use super::past::{Past, Rows};
use super::predict::asks_for_secret;
use super::screen::Mouse;
use crate::domain::key::{Key, KeyCode};

/// How many lines wait until they are echoed. With more typed ahead the oldest are no commands.
const WAITING: usize = 8;

/// How many pieces of output a line waits for until it is no command, since nobody moves to the next line.
const PATIENCE: u32 = 32;

/// How much of a line is remembered, in characters.
const LINE: usize = 1_000;

/// What goes to a program, as far as it makes a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stroke {
    /// Text of one line, which stands there if it is echoed.
    Text(String),
    /// The character before the cursor goes.
    Backspace,
    /// The line is given.
    Enter,
    /// The line is not given: it is interrupted or ended.
    Abandon,
    /// Several lines at once.
    Several,
    /// Anything else, whose effect on the line is not known.
    Other,
}

impl Stroke {
    /// What a key does to a line.
    pub fn of(key: Key) -> Self {
        match key.code {
            KeyCode::Char('c' | 'd' | 'z' | 'l' | '\\') if key.ctrl => Self::Abandon,
            KeyCode::Char('j' | 'm') if key.ctrl => Self::Enter,
            KeyCode::Char(c) if !key.ctrl && !key.alt => Self::Text(c.to_string()),
            KeyCode::Enter if !key.ctrl && !key.alt => Self::Enter,
            KeyCode::Backspace if !key.ctrl && !key.alt => Self::Backspace,
            _ => Self::Other,
        }
    }

    /// What text does that comes at once: from a script, or pasted.
    pub fn of_text(text: &str) -> Self {
        if text.contains(['\n', '\r']) {
            Self::Several
        } else if text.contains(char::is_control) {
            Self::Other
        } else {
            Self::Text(text.to_owned())
        }
    }
}

/// What was typed since the last line was given, and the lines that were given.
#[derive(Debug, Default)]
pub(super) struct Typing {
    line: Option<Begun>,
    /// Nothing counts until the line is given.
    void: bool,
    given: VecDeque<Given>,
}

/// A line that is being typed.
#[derive(Debug)]
struct Begun {
    at: At,
    /// What stands there if it is echoed; not known once a key had another effect.
    text: Option<String>,
}

/// A line that was given; whether it was echoed is seen when the cursor has left it.
#[derive(Debug)]
struct Given {
    line: Begun,
    patience: u32,
}

impl Emulator {
    /// Something goes to the program. What the program wrote before it must have been fed.
    pub fn typed(&mut self, stroke: Stroke) {
        if self.past.marks.is_exact() {
            self.past.typing = Typing::default();
            return;
        }
        let modes = self.modes();
        if modes.alt_screen || modes.mouse != Mouse::None {
            let typing = &mut self.past.typing;
            (typing.line, typing.void) = (None, false);
            return;
        }
        let fresh = self.past.typing.line.is_none() && !self.past.typing.void;
        if (fresh || stroke == Stroke::Enter) && asks_for_secret(&self.live_screen()) {
            self.past.typing.void = true;
        }
        let at = match fresh && !matches!(stroke, Stroke::Enter | Stroke::Abandon) {
            true => self.place_of_cursor(),
            false => None,
        };
        self.past.typing.take(stroke, at);
    }

    /// Looks whether lines that were given have been echoed; those are commands from now on. To be called after what a
    /// program wrote was fed.
    pub fn settle_typed(&mut self) {
        if self.past.typing.given.is_empty() {
            return;
        }
        let mut past = std::mem::take(&mut self.past);
        past.settle_typed(&self.grid());
        self.past = past;
    }
}

impl Typing {
    /// Takes a stroke; `at` is where the cursor is if a line begins with it.
    fn take(&mut self, stroke: Stroke, at: Option<At>) {
        match stroke {
            Stroke::Enter => {
                let line = self.line.take();
                if let Some(line) = line.filter(|_| !self.void) {
                    if self.given.len() >= WAITING {
                        self.given.pop_front();
                    }
                    let patience = PATIENCE;
                    self.given.push_back(Given { line, patience });
                }
                self.void = false;
                return;
            }
            Stroke::Abandon => (self.line, self.void) = (None, false),
            // The last of the lines may wait for its Enter.
            Stroke::Several => (self.line, self.void) = (None, true),
            Stroke::Text(_) | Stroke::Backspace | Stroke::Other => {}
        }
        if self.void {
            return;
        }
        if self.line.is_none() {
            let text = Some(String::new());
            self.line = at.map(|at| Begun { at, text });
        }
        let Some(line) = &mut self.line else { return };
        match (stroke, &mut line.text) {
            (Stroke::Text(more), Some(text)) if text.len() + more.len() <= LINE => {
                text.push_str(&more);
            }
            (Stroke::Backspace, Some(text)) => drop(text.pop()),
            _ => line.text = None,
        }
    }
}

impl Past {
    fn settle_typed(&mut self, grid: &impl Rows) {
        // What was there before a full-screen program is back when that ends.
        if grid.alternate() {
            return;
        }
        if self.marks.is_exact() {
            self.typing = Typing::default();
            return;
        }
        let base = self.history.end();
        let (here, _) = self.foothold.find(grid, base, false);
        while let Some(given) = self.typing.given.front_mut() {
            if given.line.at.0 >= here {
                given.patience = given.patience.saturating_sub(1);
                if given.patience > 0 {
                    return;
                }
            }
            let Some(Given { line, .. }) = self.typing.given.pop_front() else {
                return;
            };
            if line.at.0 < here
                && let Some(label) = self.echoed(grid, &line)
            {
                self.marks.typed(line.at, &label);
            }
        }
    }

    /// What stands where a line was typed, if that is the line.
    fn echoed(&self, grid: &impl Rows, line: &Begun) -> Option<String> {
        let cells = self.cells_of(grid, line.at.0);
        let shown = cells.get(line.at.1..).unwrap_or_default();
        let shown: String = shown.iter().map(|cell| cell.text.as_str()).collect();
        let shown = shown.trim_end();
        let label = match &line.text {
            Some(text) => shown.starts_with(text.trim_end()).then_some(text.as_str()),
            None => Some(shown),
        };
        let label = label.map(str::trim).filter(|label| !label.is_empty());
        label.map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::look::{Deed, Motion};
    use crate::term::{Look, ShellState, Size};

    fn terminal() -> Emulator {
        Emulator::new(Size::new(40, 6))
    }

    fn feed(emulator: &mut Emulator, bytes: &[u8]) {
        emulator.feed(bytes);
        emulator.settle_typed();
    }

    /// Types text, each character echoed, and Enter with its line feed.
    fn command(emulator: &mut Emulator, text: &str, output: &str) {
        for c in text.chars() {
            emulator.typed(Stroke::Text(c.to_string()));
            feed(emulator, c.to_string().as_bytes());
        }
        emulator.typed(Stroke::Enter);
        feed(emulator, b"\r\n");
        feed(emulator, output.as_bytes());
    }

    fn marked(emulator: &mut Emulator) -> Vec<String> {
        emulator.take_commands()
    }

    #[test]
    fn what_is_typed_and_echoed_is_a_command() {
        let mut emulator = terminal();
        feed(&mut emulator, b"$ ");
        command(&mut emulator, "echo one", "one\r\n$ ");
        command(&mut emulator, "seq 3", "1\r\n2\r\n3\r\n$ ");
        assert_eq!(marked(&mut emulator), ["echo one", "seq 3"]);
        assert_eq!(
            emulator.screen().shell,
            ShellState::Typed,
            "nobody knows how it ended"
        );
        let output = emulator.look(Look::Do(Deed::YankOutput));
        assert_eq!(output.map(|copied| copied.text).as_deref(), Some("1\n2\n3"));
        emulator.look(Look::Begin);
        emulator.look(Look::Go(Motion::PromptBack, 2));
        let line = emulator.look(Look::Do(Deed::YankLine));
        assert_eq!(
            line.map(|copied| copied.text).as_deref(),
            Some("$ echo one")
        );
    }

    #[test]
    fn echo_that_comes_late_and_all_at_once_counts() {
        let mut emulator = terminal();
        feed(&mut emulator, b"$ ");
        emulator.typed(Stroke::of_text("ls -l"));
        emulator.typed(Stroke::Enter);
        assert!(marked(&mut emulator).is_empty());
        feed(&mut emulator, b"ls -l\r\ntotal 0\r\n$ ");
        assert_eq!(marked(&mut emulator), ["ls -l"]);
    }

    #[test]
    fn what_is_not_echoed_is_never_a_command() {
        for (prompt, echo) in [
            ("Password: ", ""),
            ("Say it: ", ""),
            ("Say it: ", "*******"),
            // Echoed by mistake, where a secret is asked for.
            ("Passphrase for key: ", "hunter2"),
        ] {
            let mut emulator = terminal();
            feed(&mut emulator, prompt.as_bytes());
            for c in "hunter2".chars() {
                emulator.typed(Stroke::Text(c.to_string()));
            }
            feed(&mut emulator, echo.as_bytes());
            emulator.typed(Stroke::Enter);
            feed(&mut emulator, b"\r\nwelcome\r\n$ ");
            assert!(marked(&mut emulator).is_empty(), "{prompt} {echo}");
            // The next line counts again.
            command(&mut emulator, "id", "me\r\n$ ");
            assert_eq!(marked(&mut emulator), ["id"], "{prompt}");
        }
        // Keys of unknown effect change nothing about that.
        let mut emulator = terminal();
        feed(&mut emulator, b"Say it: ");
        for stroke in [
            Stroke::Text("hunter".to_owned()),
            Stroke::Other,
            Stroke::Enter,
        ] {
            emulator.typed(stroke);
        }
        feed(&mut emulator, b"\r\n$ ");
        assert!(marked(&mut emulator).is_empty());
    }

    #[test]
    fn lines_that_were_called_back_or_edited_are_read_from_the_screen() {
        let mut emulator = terminal();
        feed(&mut emulator, b"$ ");
        emulator.typed(Stroke::Other);
        feed(&mut emulator, b"make test");
        emulator.typed(Stroke::Enter);
        feed(&mut emulator, b"\r\nok\r\n$ ");
        assert_eq!(marked(&mut emulator), ["make test"]);
        for stroke in [
            Stroke::Text("lx".to_owned()),
            Stroke::Backspace,
            Stroke::Text("s".to_owned()),
        ] {
            emulator.typed(stroke);
        }
        feed(&mut emulator, b"lx\x08 \x08s");
        emulator.typed(Stroke::Enter);
        feed(&mut emulator, b"\r\n$ ");
        assert_eq!(marked(&mut emulator), ["ls"]);
    }

    #[test]
    fn pastes_of_lines_full_screen_programs_and_empty_lines_are_none() {
        let mut emulator = terminal();
        feed(&mut emulator, b"$ ");
        emulator.typed(Stroke::of_text("one\ntwo"));
        feed(&mut emulator, b"one\r\n$ two");
        emulator.typed(Stroke::Enter);
        feed(&mut emulator, b"\r\n$ ");
        emulator.typed(Stroke::Enter);
        feed(&mut emulator, b"\r\n$ ");
        emulator.typed(Stroke::Text("half".to_owned()));
        feed(&mut emulator, b"half");
        emulator.typed(Stroke::Abandon);
        feed(&mut emulator, b"^C\r\n$ ");
        emulator.typed(Stroke::Enter);
        feed(&mut emulator, b"\r\n$ ");
        assert!(marked(&mut emulator).is_empty());
        feed(&mut emulator, b"\x1b[?1049h\x1b[H");
        command(&mut emulator, "in an editor", "");
        feed(&mut emulator, b"\x1b[?1049l");
        assert!(marked(&mut emulator).is_empty());
        command(&mut emulator, "after", "$ ");
        assert_eq!(marked(&mut emulator), ["after"]);
    }

    #[test]
    fn the_first_mark_of_a_shell_takes_over() {
        let mut emulator = terminal();
        feed(&mut emulator, b"$ ");
        command(&mut emulator, "bash", "");
        assert_eq!(marked(&mut emulator), ["bash"]);
        feed(&mut emulator, b"\x1b]133;A\x07$ \x1b]133;B\x07");
        command(&mut emulator, "ls", "\x1b]133;C\x07a b\r\n\x1b]133;D;0\x07");
        assert_eq!(marked(&mut emulator), ["ls"], "once");
    }

    #[test]
    fn lines_are_found_after_they_scrolled_away_and_what_never_ends_is_forgotten() {
        let mut emulator = terminal();
        feed(&mut emulator, b"$ ");
        emulator.typed(Stroke::of_text("seq 9"));
        emulator.typed(Stroke::Enter);
        feed(
            &mut emulator,
            b"seq 9\r\n1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\r\n8\r\n9\r\n$ ",
        );
        assert_eq!(marked(&mut emulator), ["seq 9"]);
        emulator.typed(Stroke::of_text("stay"));
        emulator.typed(Stroke::Enter);
        for _ in 0..100 {
            feed(&mut emulator, b"\rstill here");
        }
        feed(&mut emulator, b"\r\n$ ");
        assert!(marked(&mut emulator).is_empty());
    }
}
