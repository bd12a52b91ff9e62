//! Which modes a remote program switched on in our terminal, and what switches them off when it died. Pure.

/// Modes that make a terminal unusable for a shell, in the order in which they are taken back: the alternate screen first,
/// because leaving it may bring others back.
const MODES: &[u16] = &[
    1049, 1047, 47, 9, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 2004, 1, 66, 5,
];

/// The longest list of numbers in one sequence that is looked at.
const LONGEST: usize = 64;

/// Watches output for modes.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    state: Sequence,
    digits: Vec<u8>,
    on: Vec<u16>,
    hidden: bool,
    keypad: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sequence {
    #[default]
    Text,
    /// After ESC.
    Escape,
    /// After ESC and a square bracket.
    Control,
    /// After that and a question mark.
    Private,
}

impl Leftovers {
    /// Looks at what goes to the terminal.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.state = match (self.state, byte) {
                (_, 0x1b) => Sequence::Escape,
                (Sequence::Escape, b'[') => {
                    self.digits.clear();
                    Sequence::Control
                }
                (Sequence::Escape, b'=') => {
                    self.keypad = true;
                    Sequence::Text
                }
                (Sequence::Escape, b'>') => {
                    self.keypad = false;
                    Sequence::Text
                }
                (Sequence::Escape, b'c') => {
                    *self = Self::default();
                    Sequence::Text
                }
                (Sequence::Control, b'?') => Sequence::Private,
                (Sequence::Private, b'0'..=b'9' | b';') if self.digits.len() < LONGEST => {
                    self.digits.push(*byte);
                    Sequence::Private
                }
                (Sequence::Private, b'h') => {
                    self.switch(true);
                    Sequence::Text
                }
                (Sequence::Private, b'l') => {
                    self.switch(false);
                    Sequence::Text
                }
                _ => Sequence::Text,
            };
        }
    }

    fn switch(&mut self, on: bool) {
        let numbers = String::from_utf8_lossy(&self.digits).into_owned();
        for number in numbers.split(';').filter_map(|text| text.parse().ok()) {
            if number == 25 {
                self.hidden = !on;
            }
            self.on.retain(|known| *known != number);
            if on && MODES.contains(&number) {
                self.on.push(number);
            }
        }
    }

    /// What takes back everything that is still on; empty when nothing is. Nothing is on afterwards.
    pub(super) fn undo(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        for mode in MODES.iter().filter(|mode| self.on.contains(mode)) {
            out.extend_from_slice(format!("\x1b[?{mode}l").as_bytes());
        }
        if self.keypad {
            out.extend_from_slice(b"\x1b>");
        }
        if self.hidden {
            out.extend_from_slice(b"\x1b[?25h");
        }
        if !out.is_empty() {
            // Colours and a scrolling region come with the rest; taking back a region moves the cursor, so it is kept.
            out.extend_from_slice(b"\x1b[m\x1b7\x1b[r\x1b8");
        }
        *self = Self::default();
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undone(output: &[&str]) -> String {
        let mut leftovers = Leftovers::default();
        output
            .iter()
            .for_each(|piece| leftovers.feed(piece.as_bytes()));
        String::from_utf8_lossy(&leftovers.undo()).into_owned()
    }

    #[test]
    fn only_what_is_on_is_taken_back() {
        assert_eq!(undone(&["plain \x1b[31mred\x1b[m"]), "");
        assert_eq!(undone(&["\x1b[?2004h$ \x1b[?2004l"]), "");
        assert!(undone(&["\x1b[?2004h$ "]).starts_with("\x1b[?2004l"));
        assert!(
            undone(&["\x1b[?100", "0;1006;1049h\x1b[?25l\x1b="])
                .starts_with("\x1b[?1049l\x1b[?1000l\x1b[?1006l\x1b>\x1b[?25h")
        );
        assert_eq!(undone(&["\x1b[?1049h\x1b[?1049l"]), "");
        assert_eq!(undone(&["\x1b[?1049h\x1bc"]), "");
        // A colour is no private mode, and an endless list is no reason to remember it.
        assert_eq!(undone(&["\x1b[1049h"]), "");
        assert_eq!(undone(&["\x1b[?", &"1;".repeat(1000), "1000h"]), "");
    }
}
