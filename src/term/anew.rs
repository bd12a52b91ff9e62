//! A terminal goes on after its program has ended: another one writes below what the first one showed.

use super::emulator::Emulator;
use super::screen::Row;
use super::typed::Typing;

impl Emulator {
    /// Another program begins here. Nothing that the first one asked of the terminal holds; what it showed stays, below it
    /// stands `words` in a line of its own, and what comes is written under that line. Copy mode stays where it is.
    pub fn go_on(&mut self, words: &str) {
        self.over();
        // A full-screen program that died leaves its screen; the one before it is where the next one writes.
        if self.modes().alt_screen {
            self.feed(b"\x1b[?1049l");
        }
        let line = crate::domain::text::line(words);
        let below = self.below();
        self.feed(format!("{below}\x1b[2m{line}\x1b[m\r\n\x1b]2;\x07").as_bytes());
        self.past.marks.start_over();
        self.past.typing = Typing::default();
        // Whoever the first program called was called then.
        drop(self.take_notices());
        drop(self.take_replies());
    }

    /// What leads to the first free row: programs may have left the cursor above what they wrote.
    fn below(&mut self) -> String {
        let screen = self.live_screen();
        let (row, col) = screen.cursor.unwrap_or_default();
        let written = |row: &std::sync::Arc<Row>| {
            let mut cells = row.cells.iter();
            cells.any(|cell| !cell.text.trim().is_empty())
        };
        match screen.rows.iter().rposition(written) {
            Some(last) if last > usize::from(row) => format!("\x1b[{};1H\r\n", last + 1),
            _ if col > 0 => "\r\n".to_owned(),
            _ => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::{Look, Size};

    fn check(first: &[u8], then: &str) {
        let mut emulator = Emulator::new(Size::new(20, 6));
        emulator.feed(first);
        emulator.go_on("again");
        emulator.feed(b"new$ ");
        assert_eq!(emulator.text().trim_end(), then, "{first:?}");
        assert!(!emulator.modes().alt_screen);
    }

    #[test]
    fn the_next_program_writes_below_what_is_there() {
        check(b"old$ exit\r\n", "old$ exit\nagain\nnew$");
        check(b"old$ half", "old$ half\nagain\nnew$");
        check(b"", "again\nnew$");
        check(
            b"old$ vi\r\n\x1b[?1049h\x1b[2Jwhole screen",
            "old$ vi\nagain\nnew$",
        );
        check(b"top\r\nof the list\x1b[H", "top\nof the list\nagain\nnew$");
        // A sequence that was cut off swallows nothing of what follows.
        check(b"old$ \x1b]2;tit", "old$\nagain\nnew$");
    }

    #[test]
    fn whoever_looks_back_goes_on_looking() {
        let mut emulator = Emulator::new(Size::new(20, 3));
        emulator.feed(b"one\r\ntwo\r\nthree\r\nfour\r\nfive\r\n");
        emulator.look(Look::Scroll(3));
        let before = emulator.screen().text();
        emulator.go_on("again");
        emulator.feed(b"new$ ");
        assert_eq!(emulator.screen().text(), before);
    }
}
