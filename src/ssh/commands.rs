//! Where commands begin in what a shell writes, by the marks that shells set (OSC 133, the FinalTerm sequences), so that a
//! recording can be jumped through command by command.

use crate::term::Emulator;

/// What begins the text of a command: the prompt has ended (B).
const INPUT: &[u8] = b"\x1b]133;B";

/// What begins the output of a command (C).
const OUTPUT: &[u8] = b"\x1b]133;C";

/// How much of a command a marker says, in characters.
const LABEL: usize = 120;

/// Follows the marks of one session.
#[derive(Debug, Default)]
pub(crate) struct Commands {
    /// The end of the last piece, where a mark may have begun.
    tail: Vec<u8>,
    /// The column at which the text of the command begins.
    from: Option<usize>,
    /// What was typed after the prompt, as it was last seen.
    typed: String,
    /// A prompt has ended in this piece.
    prompted: bool,
}

impl Commands {
    /// Before the emulator takes a piece: the label of the command that begins in it, if one does.
    pub(crate) fn before(&mut self, bytes: &[u8], emulator: &mut Emulator) -> Option<String> {
        let begins = self.has(bytes, OUTPUT);
        self.prompted = self.has(bytes, INPUT);
        let keep = OUTPUT.len() - 1;
        self.tail.extend_from_slice(bytes);
        let surplus = self.tail.len().saturating_sub(keep);
        self.tail.drain(..surplus);
        if !begins {
            return None;
        }
        self.look(emulator);
        self.from = None;
        let typed = std::mem::take(&mut self.typed);
        let label: String = typed.trim().chars().take(LABEL).collect();
        Some(if label.is_empty() {
            "a command".to_owned()
        } else {
            label
        })
    }

    /// After it took the piece: whoever was prompted types from where the cursor is.
    pub(crate) fn after(&mut self, emulator: &mut Emulator) {
        if std::mem::take(&mut self.prompted) {
            let screen = emulator.screen();
            self.from = screen.cursor.map(|(_, col)| usize::from(col));
        }
    }

    /// Reads what stands after the prompt in the cursor's row.
    fn look(&mut self, emulator: &mut Emulator) {
        let screen = emulator.screen();
        let (Some(from), Some((row, _))) = (self.from, screen.cursor) else {
            return;
        };
        let cells = screen.rows.get(usize::from(row)).map(|row| &row.cells);
        let cells = cells
            .and_then(|cells| cells.get(from..))
            .unwrap_or_default();
        self.typed = cells.iter().map(|cell| cell.text.as_str()).collect();
    }

    /// Whether a mark ends in this piece, however it was cut.
    fn has(&self, bytes: &[u8], mark: &[u8]) -> bool {
        let head = bytes.get(..mark.len().min(bytes.len())).unwrap_or_default();
        let seam: Vec<u8> = self.tail.iter().chain(head).copied().collect();
        inside(&seam, mark) || inside(bytes, mark)
    }
}

/// Whether a sequence is in there; only where an escape begins is looked closer.
fn inside(bytes: &[u8], mark: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == 0x1b) {
        rest = rest.get(at..).unwrap_or_default();
        if rest.starts_with(mark) {
            return true;
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::Size;

    #[test]
    fn a_command_is_named_by_what_was_typed() {
        let mut emulator = Emulator::new(Size::new(40, 5));
        let mut commands = Commands::default();
        let mut labels = Vec::new();
        for piece in [
            &b"\x1b]133;A\x07me@web1:~$ \x1b]133;B\x07"[..],
            b"l",
            b"s -l",
            b"\r\n\x1b]13",
            b"3;C\x07total 0\r\n",
            b"\x1b]133;D;0\x07\x1b]133;A\x07$ \x1b]133;B\x07",
            b"make",
            b"\r\n\x1b]133;C\x07ok\r\n",
        ] {
            labels.extend(commands.before(piece, &mut emulator));
            emulator.feed(piece);
            commands.after(&mut emulator);
        }
        assert_eq!(labels.len(), 2);
        assert_eq!(labels.last().map(String::as_str), Some("make"));
    }
}
