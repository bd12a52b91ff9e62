//! Watches the byte stream for what the parser would collect or repeat without a sensible limit.
//!
//! An operating system command (OSC) is held back until it ends, and only then passed on, whole or not at all. Numbers in
//! control sequences (CSI) keep four digits: nothing needs more, and REP would repeat a character 65,535 times.
//!
//! It also hears what the parser does not know: a soft reset becomes the sequences it stands for, and questions and
//! notifications are handed out as an [`Aside`] at their place in the stream.

use super::marks;
use super::outbox::Mark;

/// The longest OSC passed on, in bytes. Titles and colours are far shorter.
const LIMIT: usize = 4 * 1024;

/// The longest OSC 52 passed on, in bytes: a copied text in base 64.
const CLIPBOARD_LIMIT: usize = 256 * 1024;

/// The digits that a number in a control sequence keeps.
const DIGITS_MAX: u8 = 4;

/// The longest device control string (DCS) that is looked at, in bytes. Longer ones are pictures.
const CONTROL_LIMIT: usize = 256;

/// Characters of a notification; it is shown in one line.
const NOTIFY_MAX: usize = 256;

/// What a soft reset (DECSTR) stands for. Origin and margins move the cursor when they change, a soft reset does not.
const SOFT_RESET: &[u8] =
    b"\x1b[?25h\x1b[4l\x1b[?7h\x1b[?1l\x1b>\x1b7\x1b[?6l\x1b[r\x1b8\x1b[m\x1b(B\x1b)B\x1b*B\x1b+B\x0f";

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
    /// In a device control string, which is passed on as it comes.
    Control,
    /// In an OSC that is held back.
    Osc,
    /// In an OSC that is too long to keep.
    Discard,
}

/// What the parser does not know and somebody else must see to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Aside {
    /// XTVERSION: who are you?
    Version,
    /// DECRQSS: what is this setting?
    Status(Vec<u8>),
    /// XTGETTCAP: do you have these capabilities? Names in hexadecimal digits.
    Capability(Vec<u8>),
    /// Tell a person this: one line, without controls, of bounded length.
    Notify(String),
    /// The shell's mark of this place.
    Mark(Mark),
}

/// The state between two chunks of bytes.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    state: State,
    held: Vec<u8>,
    /// The first bytes of a control sequence, without zeros and semicolons before its end; enough to know it by.
    shape: [u8; 2],
    /// The beginning of a device control string.
    control: Vec<u8>,
    aside: Option<Aside>,
}

impl Envelope {
    /// What was heard last, if it was not taken yet.
    pub(super) fn take_aside(&mut self) -> Option<Aside> {
        self.aside.take()
    }

    /// Appends to `out` what of `bytes` may reach the parser, up to an aside; says how many bytes were taken.
    pub(super) fn pass(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> usize {
        let mut rest = bytes;
        while self.aside.is_none()
            && let Some((&byte, tail)) = rest.split_first()
        {
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
                        b'P' => State::Control,
                        CAN | SUB => State::Other,
                        // These do not end the escape: the parser acts on them or skips them, and waits on.
                        0..=0x1f | 0x7f.. => State::Escape,
                        _ => State::Other,
                    };
                    if self.state != State::Osc {
                        out.push(byte);
                    }
                    let control = std::mem::take(&mut self.control);
                    if byte == b'\\' {
                        self.aside = asked(&control);
                    }
                    self.shape = [0; 2];
                }
                State::Control => {
                    match byte {
                        ESC => self.state = State::Escape,
                        CAN | SUB => {
                            self.state = State::Other;
                            self.control.clear();
                        }
                        // One byte over the limit is kept, so that a cut string is known.
                        _ if self.control.len() <= CONTROL_LIMIT => self.control.push(byte),
                        _ => {}
                    }
                    out.push(byte);
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
                    self.sequence(byte, out);
                }
                State::Osc | State::Discard => self.collect(byte, out),
            }
            rest = tail;
        }
        bytes.len() - rest.len()
    }

    /// Sees to a control sequence that the parser does not know.
    fn sequence(&mut self, byte: u8, out: &mut Vec<u8>) {
        match (self.shape, byte) {
            ([b'!', 0], b'p') => out.extend_from_slice(SOFT_RESET),
            ([b'>', 0], b'q') => self.aside = Some(Aside::Version),
            // A zero is what is meant when nothing is said.
            (_, b'0' | 0..=0x1f) => {}
            ([0, 0], _) => self.shape = [byte, 0],
            ([_, 0], _) => self.shape = [self.shape[0], byte],
            _ => {}
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
        self.aside = whole
            .then(|| {
                let mark = marks::read(&self.held).map(Aside::Mark);
                mark.or_else(|| notification(&self.held))
            })
            .flatten();
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

/// What a device control string asks, if it asks something.
fn asked(control: &[u8]) -> Option<Aside> {
    if control.len() > CONTROL_LIMIT {
        return None;
    }
    let status = control.strip_prefix(b"$q");
    let capability = control.strip_prefix(b"+q");
    status
        .map(|what| Aside::Status(what.to_vec()))
        .or_else(|| capability.map(|names| Aside::Capability(names.to_vec())))
}

/// The notification that a command is: OSC 9 as iTerm2 has it, or OSC 777 as urxvt has it.
fn notification(payload: &[u8]) -> Option<Aside> {
    let text = String::from_utf8_lossy(payload);
    let words = match text.strip_prefix("777;notify;") {
        Some(words) => words.replacen(';', ": ", 1),
        // A digit and a semicolon are ConEmu's commands, such as 4 for progress.
        None => text
            .strip_prefix("9;")
            .filter(|words| {
                let digits = words.trim_start_matches(|c: char| c.is_ascii_digit());
                digits.len() == words.len() || !(digits.is_empty() || digits.starts_with(';'))
            })?
            .to_owned(),
    };
    let short: String = words.trim().chars().take(NOTIFY_MAX).collect();
    let line = crate::domain::text::line(&short);
    (!line.is_empty()).then_some(Aside::Notify(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(chunks: &[&[u8]]) -> (Vec<u8>, Vec<Aside>) {
        let (mut envelope, mut out) = (Envelope::default(), Vec::new());
        let mut asides = Vec::new();
        for chunk in chunks {
            let mut rest = *chunk;
            while !rest.is_empty() {
                let taken = envelope.pass(rest, &mut out);
                rest = rest.get(taken..).unwrap_or_default();
                asides.extend(envelope.take_aside());
            }
        }
        (out, asides)
    }

    fn pass(chunks: &[&[u8]]) -> Vec<u8> {
        heard(chunks).0
    }

    #[test]
    fn what_the_parser_does_not_know_is_heard() {
        let notify = |text: &str| vec![Aside::Notify(text.to_owned())];
        for (text, expected) in [
            ("\x1b[>q", vec![Aside::Version]),
            ("\x1b[>0q", vec![Aside::Version]),
            ("\x1b[2 q\x1b[q\x1b[>1q\x1b[>4;2m", Vec::new()),
            ("\x1bP$qm\x1b\\", vec![Aside::Status(b"m".to_vec())]),
            (
                "\x1bP+q436f;524742\x1b\\",
                vec![Aside::Capability(b"436f;524742".to_vec())],
            ),
            ("\x1bP$qm\x18\x1b\\", Vec::new()),
            ("\x1bPq#0;2;0\x1b\\", Vec::new()),
            ("\x1b]9;done\x07", notify("done")),
            ("\x1b]9;3 of 4\x07", notify("3 of 4")),
            ("\x1b]9;4;1;50\x07", Vec::new()),
            (
                "\x1b]777;notify;make;all; done\x1b\\",
                notify("make: all; done"),
            ),
            ("\x1b]9;a\u{9b}b\x07", notify("a\u{fffd}b")),
            ("\x1b]9;done\x18", Vec::new()),
            ("\x1b]7;file://web1/\x07\x1b]0;9;x\x07", Vec::new()),
        ] {
            assert_eq!(heard(&[text.as_bytes()]).1, expected, "{text:?}");
            let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            assert_eq!(heard(&bytes).1, expected, "{text:?} byte by byte");
        }
        let long = format!("\x1bP$q{}\x1b\\", "m".repeat(4 * CONTROL_LIMIT));
        assert_eq!(heard(&[long.as_bytes()]).1, Vec::new());
        assert!(pass(&[b"\x1b[!p"]).ends_with(SOFT_RESET));
        assert_eq!(pass(&[b"\x1b[?5!p"]), b"\x1b[?5!p");
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
            assert_eq!(envelope.take_aside(), None);
            assert!(envelope.held.len() <= CLIPBOARD_LIMIT);
        }
        assert!(out.len() < 10);
    }
}
