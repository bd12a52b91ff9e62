//! Watches the byte stream for what the parser would collect or repeat without a sensible limit.
//!
//! An operating system command (OSC) is held back until it ends, and only then passed on, whole or not at all. Numbers in
//! control sequences (CSI) keep four digits: nothing needs more, and REP would repeat a character 65,535 times.

use super::marks;
use super::outbox::Mark;

/// The longest OSC passed on, in bytes. Titles and colours are far shorter.
const LIMIT: usize = 4 * 1024;

/// The longest OSC 52 passed on, in bytes: a copied text in base 64.
const CLIPBOARD_LIMIT: usize = 256 * 1024;

/// The digits that a number in a control sequence keeps.
const DIGITS_MAX: u8 = 4;

/// The marks taken from one piece of output. A shell sets four for a command; whoever sets more gets no more.
const MARKS: usize = 64;

/// Leaves an escape sequence without effect (ECMA-48 CANCEL).
const CAN: u8 = 0x18;
const SUB: u8 = 0x1a;
const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Anything else: text, other sequences.
    #[default]
    Other,
    /// After an escape, already passed on.
    Escape,
    /// In a control sequence, after so many digits of a number that count.
    Csi(u8),
    /// In an OSC that is held back.
    Osc,
    /// In an OSC that is too long to keep.
    Discard,
}

/// The state between two chunks of bytes.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    state: State,
    held: Vec<u8>,
    /// The shell's marks in what was passed on last, each with the bytes that stand before it.
    pub(super) marks: Vec<(usize, Mark)>,
}

impl Envelope {
    /// Appends to `out` what of `bytes` may reach the parser.
    pub(super) fn pass(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut rest = bytes;
        while let Some((&byte, tail)) = rest.split_first() {
            match self.state {
                State::Other => {
                    let plain = rest
                        .iter()
                        .position(|byte| *byte == ESC)
                        .unwrap_or(rest.len());
                    let (text, after) = rest.split_at(plain);
                    out.extend_from_slice(text);
                    rest = after;
                    if let Some((&escape, after)) = rest.split_first() {
                        out.push(escape);
                        self.state = State::Escape;
                        rest = after;
                    }
                    continue;
                }
                State::Escape => {
                    self.state = match byte {
                        b']' => State::Osc,
                        b'[' => State::Csi(0),
                        CAN | SUB => State::Other,
                        // These do not end the escape: the parser acts on them or skips them, and waits on.
                        0..=0x1f | 0x7f.. => State::Escape,
                        _ => State::Other,
                    };
                    if self.state != State::Osc {
                        out.push(byte);
                    }
                }
                State::Csi(digits) => {
                    self.state = match byte {
                        b'0' if digits == 0 => State::Csi(0),
                        b'0'..=b'9' => State::Csi((digits + 1).min(DIGITS_MAX)),
                        ESC => State::Escape,
                        CAN | SUB | 0x40..=0x7e => State::Other,
                        // Controls among the digits do not end a number.
                        0..=0x1f | 0x7f.. => State::Csi(digits),
                        _ => State::Csi(0),
                    };
                    if !(byte.is_ascii_digit() && digits == DIGITS_MAX) {
                        out.push(byte);
                    }
                }
                State::Osc | State::Discard => self.collect(byte, out),
            }
            rest = tail;
        }
    }

    fn collect(&mut self, byte: u8, out: &mut Vec<u8>) {
        if !matches!(byte, BEL | CAN | SUB | ESC) {
            let limit = if self.held.starts_with(b"52;") {
                CLIPBOARD_LIMIT
            } else {
                LIMIT
            };
            if self.state == State::Osc && self.held.len() < limit {
                self.held.push(byte);
            } else {
                self.state = State::Discard;
                self.held = Vec::new();
            }
            return;
        }
        // A command broken off by CAN or SUB has no effect in xterm; the parser would act on what it has.
        let whole = self.state == State::Osc && matches!(byte, BEL | ESC);
        if let Some(mark) = marks::read(&self.held).filter(|_| whole && self.marks.len() < MARKS) {
            self.marks.push((out.len(), mark));
        }
        if whole && harmless(&self.held) {
            out.push(b']');
            out.append(&mut self.held);
            out.push(byte);
        } else {
            out.push(CAN);
            if byte == ESC {
                out.push(ESC);
            }
        }
        self.held.clear();
        self.state = if byte == ESC {
            State::Escape
        } else {
            State::Other
        };
    }
}

/// A colour written with `#` has at most twelve digits; the parser's arithmetic overflows on far longer ones.
fn harmless(payload: &[u8]) -> bool {
    payload
        .split(|byte| *byte == b';')
        .all(|field| !field.starts_with(b"#") || field.len() <= 13)
        || payload.starts_with(b"0;")
        || payload.starts_with(b"2;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(chunks: &[&[u8]]) -> Vec<u8> {
        let (mut envelope, mut out) = (Envelope::default(), Vec::new());
        for chunk in chunks {
            envelope.pass(chunk, &mut out);
        }
        out
    }

    #[test]
    fn short_commands_pass_unchanged() {
        for text in [
            "plain",
            "a\x1b]0;title\x07b",
            "a\x1b]0;title\x1b\\b",
            "\x1b[31mred\x1b]11;?\x07",
            "\x1b\x1b]2;x\x07",
            "\x1b]52;c;YWJj\x07",
            "\x1b\n]0;x\x07",
            "\x1b[00012;2004;9999Hx99999",
            "\x1b[1\x1b]0;x\x07",
        ] {
            assert_eq!(pass(&[text.as_bytes()]), text.as_bytes(), "{text:?}");
            let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            assert_eq!(pass(&bytes), text.as_bytes(), "{text:?} byte by byte");
        }
    }

    #[test]
    fn what_is_too_long_or_broken_off_is_cancelled() {
        let long = format!("a\x1b]0;{}\x07b", "x".repeat(LIMIT));
        assert_eq!(pass(&[long.as_bytes()]), b"a\x1b\x18b");
        let long = format!("a\x1b]0;{}\x1b\\b", "x".repeat(LIMIT));
        assert_eq!(pass(&[long.as_bytes()]), b"a\x1b\x18\x1b\\b");
        assert_eq!(pass(&[b"a\x1b]52;c;YWJj\x18b"]), b"a\x1b\x18b");
        let colour = format!("\x1b]11;#{}\x07", "0".repeat(52));
        assert_eq!(pass(&[colour.as_bytes()]), b"\x1b\x18");
    }

    #[test]
    fn numbers_in_control_sequences_keep_four_digits() {
        for (text, expected) in [
            ("\x1b[65535b", "\x1b[6553b"),
            ("\x1b[0065535;123456b", "\x1b[006553;1234b"),
            ("\x1b[655\n35b", "\x1b[655\n3b"),
            ("\x1b[?25l12345", "\x1b[?25l12345"),
        ] {
            assert_eq!(pass(&[text.as_bytes()]), expected.as_bytes(), "{text:?}");
        }
    }

    #[test]
    fn an_endless_command_holds_nothing() {
        let mut envelope = Envelope::default();
        let mut out = Vec::new();
        envelope.pass(b"\x1b]52;c;", &mut out);
        for _ in 0..100 {
            envelope.pass(&[b'A'; 16 * 1024], &mut out);
            assert!(envelope.held.len() <= CLIPBOARD_LIMIT);
        }
        assert!(out.len() < 10);
    }
}
