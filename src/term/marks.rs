//! The shell's marks (OSC 133): where prompts, commands and their output begin, by line. Bounded: the oldest are forgotten.

use std::collections::VecDeque;

use super::look::ShellState;
use super::outbox::Mark;

/// How many marks are kept; a command sets four.
const KEPT: usize = 2_048;

/// How many commands wait to be taken.
const PENDING: usize = 64;

/// How much of a command is kept as its label, in characters.
const LABEL: usize = 120;

/// Where in the lines something stands: the line and the cell.
pub(super) type At = (u64, usize);

/// The marks of a pane.
#[derive(Debug, Default)]
pub(super) struct Marks {
    kept: VecDeque<(At, Mark)>,
    /// The commands that began since they were last taken.
    begun: VecDeque<String>,
    pub(super) state: ShellState,
    /// The shell sets marks itself.
    exact: bool,
}

impl Marks {
    pub(super) fn any(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Keeps a mark; one without a place only tells how the shell is.
    pub(super) fn set(&mut self, at: Option<At>, mark: Mark) {
        self.state = match (mark, self.state) {
            (Mark::Done(status), _) => ShellState::Ready(status),
            (Mark::Output, _) => ShellState::Running,
            (Mark::Prompt | Mark::Input, ShellState::Ready(status)) => ShellState::Ready(status),
            (
                Mark::Prompt | Mark::Input,
                ShellState::Unknown | ShellState::Typed | ShellState::Running,
            ) => ShellState::Ready(None),
        };
        self.exact = true;
        let Some(at) = at else { return };
        // A prompt that is drawn again stands where it stood.
        if self.kept.iter().rev().take(8).any(|old| *old == (at, mark)) {
            return;
        }
        self.keep(at, mark);
    }

    fn keep(&mut self, at: At, mark: Mark) {
        if self.kept.len() >= KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back((at, mark));
    }

    /// Whether the shell sets marks itself, so that nobody has to guess.
    pub(super) fn is_exact(&self) -> bool {
        self.exact
    }

    /// Another shell writes from now on, which may set none.
    pub(super) fn start_over(&mut self) {
        (self.state, self.exact) = (ShellState::Unknown, false);
    }

    /// A command that was typed where the shell marks nothing; its text begins at `at`.
    pub(super) fn typed(&mut self, at: At, text: &str) {
        self.begin(text);
        self.state = ShellState::Typed;
        let (line, _) = at;
        self.keep((line, 0), Mark::Prompt);
        self.keep(at, Mark::Input);
        self.keep((line + 1, 0), Mark::Output);
    }

    /// A command begins to run; what was typed after the prompt is its label.
    pub(super) fn begin(&mut self, typed: &str) {
        // Nobody took them in time; the newest tell most.
        if self.begun.len() >= PENDING {
            self.begun.pop_front();
        }
        let label: String = typed.trim().chars().take(LABEL).collect();
        self.begun.push_back(if label.is_empty() {
            "a command".to_owned()
        } else {
            label
        });
    }

    pub(super) fn take(&mut self) -> Vec<String> {
        self.begun.drain(..).collect()
    }

    /// Where the text of the command that is typed now begins.
    pub(super) fn input(&self) -> Option<At> {
        match self.kept.back() {
            Some((at, Mark::Input)) => Some(*at),
            _ => None,
        }
    }

    /// Forgets marks in lines before `first`.
    pub(super) fn forget(&mut self, first: u64) {
        while self
            .kept
            .front()
            .is_some_and(|((line, _), _)| *line < first)
        {
            self.kept.pop_front();
        }
    }

    /// Forgets marks in `line` and after it.
    pub(super) fn cut(&mut self, line: u64) {
        while self.kept.back().is_some_and(|((at, _), _)| *at >= line) {
            self.kept.pop_back();
        }
    }

    /// The lines where prompts begin, the oldest first.
    pub(super) fn prompts(&self) -> impl DoubleEndedIterator<Item = u64> {
        let kept = self.kept.iter();
        kept.filter(|(_, mark)| *mark == Mark::Prompt)
            .map(|((line, _), _)| *line)
    }

    /// Where the output of the last command begins, and where it ends if it has.
    pub(super) fn output(&self) -> Option<(At, Option<At>)> {
        let begin = self
            .kept
            .iter()
            .rposition(|(_, mark)| *mark == Mark::Output)?;
        let (from, _) = self.kept.get(begin)?;
        let end = self.kept.iter().skip(begin + 1);
        let end = end
            .filter(|(_, mark)| matches!(mark, Mark::Done(_) | Mark::Prompt))
            .map(|(at, _)| *at)
            .next();
        Some((*from, end))
    }
}

/// The mark that an OSC holds, if it holds one.
pub(super) fn read(command: &[u8]) -> Option<Mark> {
    let rest = command.strip_prefix(b"133;")?;
    let mut fields = rest.split(|byte| *byte == b';');
    match fields.next()? {
        b"A" => Some(Mark::Prompt),
        b"B" => Some(Mark::Input),
        b"C" => Some(Mark::Output),
        b"D" => Some(Mark::Done(fields.next().and_then(status))),
        _ => None,
    }
}

fn status(field: &[u8]) -> Option<i32> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_as_shells_write_them() {
        for (command, expected) in [
            ("133;A", Some(Mark::Prompt)),
            ("133;A;cl=m;aid=7", Some(Mark::Prompt)),
            ("133;B", Some(Mark::Input)),
            ("133;C;cmdline=ls", Some(Mark::Output)),
            ("133;D", Some(Mark::Done(None))),
            ("133;D;0", Some(Mark::Done(Some(0)))),
            ("133;D;130;aid=7", Some(Mark::Done(Some(130)))),
            ("133;D;99999999999", Some(Mark::Done(None))),
            ("133;P;k=i", None),
            ("1337;A", None),
            ("0;133;A", None),
        ] {
            assert_eq!(read(command.as_bytes()), expected, "{command}");
        }
    }

    #[test]
    fn marks_are_bounded_and_forgotten_with_their_lines() {
        let mut marks = Marks::default();
        for line in 0..5_000 {
            marks.set(Some((line, 0)), Mark::Prompt);
        }
        assert_eq!(marks.prompts().count(), KEPT);
        for _ in 0..100 {
            marks.begin("x");
        }
        assert_eq!(marks.take().len(), PENDING);
        marks.forget(4_990);
        marks.cut(4_995);
        assert_eq!(
            marks.prompts().collect::<Vec<_>>(),
            [4_990, 4_991, 4_992, 4_993, 4_994]
        );
        marks.set(Some((4_994, 0)), Mark::Prompt);
        assert_eq!(marks.prompts().count(), 5, "one drawn again is the same");
    }
}
