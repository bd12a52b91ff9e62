//! What a terminal sends, byte by byte, as events. Pure: it is handed the bytes and the time, and reads neither itself.
//!
//! Sequences may come split anywhere, late or garbled. What began as a sequence never turns into keys: it becomes its event
//! when it is whole, and is dropped whole when it is unknown or its end does not come. What is unfinished is bounded.

mod csi;
mod keys;
mod string;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};

/// How long Escape and a key may be apart to be one key with Alt. Terminals write the two at once; only a line that carries
/// them byte by byte parts them. People need longer between two keys, however fast they leave insert mode.
const CHORD: Duration = Duration::from_millis(10);

/// How long the rest of what is surely a sequence is waited for.
const REST: Duration = Duration::from_secs(2);

/// The longest that a sequence may take in all, so that a stream of bytes cannot keep keys away for ever.
const WHOLE: Duration = Duration::from_secs(5);

/// How long the next piece of a bracketed paste is waited for before what has come is taken for all of it.
const PASTE: Duration = Duration::from_secs(5);

/// How long the next piece of a paste without brackets is waited for.
const BURST_PAUSE: Duration = Duration::from_millis(30);

/// How many characters that come at once, with a line break in them, are a paste and not typing. Nobody types as many while
/// a line stalls; a terminal that brackets pastes is never judged by this.
const BURST: usize = 64;

/// The largest piece of pasted text in bytes; a longer paste comes in several.
pub(super) const PIECE: usize = 1024 * 1024;

/// Parameters of a sequence that are kept; longer sequences are swallowed.
const PARAMETERS: usize = 64;

/// How long after a lone Escape a read may be the rest of a sequence that was cut in two.
const LATE: Duration = Duration::from_secs(1);

/// Ends a bracketed paste.
const END: &[u8] = b"\x1b[201~";

/// Something that came from a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// The person did something.
    Event(Event),
    /// The terminal says that it is well (the answer to `CSI 5 n`): it has taken everything before the question.
    Alive,
    /// It answered something else: its kind, a colour, the place of its cursor.
    Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ground,
    /// After Escape.
    Escape,
    /// After `ESC O`.
    Ss3,
    /// After `ESC [`.
    Csi,
    /// After `ESC [ M`: so many bytes are still to come.
    X10(u8),
    /// Inside a string of the terminal; whether Escape came, which may be the first half of its end.
    Text(string::Kind, bool),
    /// Inside a character; whether with Alt.
    Char(bool),
    /// Inside a bracketed paste, with so many bytes of its end seen.
    Paste(usize),
    /// Inside a paste that has no brackets.
    Burst,
}

/// Reads a terminal's bytes.
#[derive(Debug)]
pub(super) struct Parser {
    state: State,
    /// The bytes of what is unfinished.
    held: Vec<u8>,
    /// It is longer than what is kept.
    overlong: bool,
    /// When it began, and when its last byte came.
    began: Instant,
    last: Instant,
    /// How long a lone Escape may be the beginning of more.
    escape: Duration,
    /// The terminal has bracketed a paste, so it brackets all of them.
    brackets: bool,
    /// When a lone Escape was given out last.
    lone: Option<Instant>,
    out: Vec<Came>,
}

impl Parser {
    pub(super) fn new(escape: Duration, now: Instant) -> Self {
        Self {
            state: State::Ground,
            held: Vec::new(),
            overlong: false,
            began: now,
            last: now,
            escape,
            brackets: false,
            lone: None,
            out: Vec::new(),
        }
    }

    /// How long a lone Escape may be the beginning of more, from now on.
    pub(super) fn set_escape(&mut self, escape: Duration) {
        self.escape = escape;
    }

    /// Takes what one read gave.
    pub(super) fn feed(&mut self, bytes: &[u8], now: Instant) -> Vec<Came> {
        if self.due().is_some_and(|due| due <= now) {
            self.give_up(now);
        }
        let mut bytes = bytes;
        if self.state == State::Escape
            && now.duration_since(self.last) > CHORD
            && !bytes.first().is_some_and(|byte| introduces(*byte))
        {
            self.lone_escape(now);
        }
        if self.state == State::Ground {
            if self.is_late_rest(bytes, now) {
                self.begin(State::Csi, now);
                bytes = bytes.get(1..).unwrap_or_default();
            } else if !self.brackets && is_burst(bytes) {
                self.begin(State::Burst, now);
            }
        }
        for byte in bytes {
            self.byte(*byte, now);
        }
        self.last = now;
        std::mem::take(&mut self.out)
    }

    /// When [`Parser::tick`] is to be called if nothing comes.
    pub(super) fn due(&self) -> Option<Instant> {
        let wait = match self.state {
            State::Ground => return None,
            State::Escape => self.escape,
            State::Ss3 => self.escape,
            State::Csi | State::Text(..) if self.held.is_empty() => self.escape,
            State::Csi | State::X10(_) | State::Text(..) | State::Char(_) => {
                return Some((self.last + REST).min(self.began + WHOLE));
            }
            State::Paste(_) => PASTE,
            State::Burst => BURST_PAUSE,
        };
        Some(self.last + wait)
    }

    /// What comes of the unfinished when nothing came until [`Parser::due`].
    pub(super) fn tick(&mut self, now: Instant) -> Vec<Came> {
        if self.due().is_some_and(|due| due <= now) {
            self.give_up(now);
        }
        std::mem::take(&mut self.out)
    }

    /// The end of something that was waited for did not come.
    fn give_up(&mut self, now: Instant) {
        let began_only = self.held.is_empty() && !self.overlong;
        match self.state {
            State::Escape => return self.lone_escape(now),
            // Only now it is known that a person pressed Alt with a key that begins sequences.
            State::Csi if began_only => self.key(KeyCode::Char('['), KeyModifiers::ALT),
            State::Ss3 => self.key(KeyCode::Char('O'), KeyModifiers::ALT),
            State::Text(kind, _) if began_only => {
                self.key(KeyCode::Char(kind.letter()), KeyModifiers::ALT);
            }
            State::Paste(seen) => {
                self.held.extend(END.iter().take(seen));
                self.pasted();
            }
            State::Burst => self.pasted(),
            State::Ground | State::Csi | State::X10(_) | State::Text(..) | State::Char(_) => {}
        }
        self.begin(State::Ground, now);
    }

    fn lone_escape(&mut self, now: Instant) {
        self.key(KeyCode::Esc, KeyModifiers::NONE);
        self.begin(State::Ground, now);
        self.lone = Some(now);
    }

    fn begin(&mut self, state: State, now: Instant) {
        self.state = state;
        self.held.clear();
        // What a large paste has taken is given back.
        self.held.shrink_to(4 * PARAMETERS);
        self.overlong = false;
        self.began = now;
        self.last = now;
    }

    fn key(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        self.event(Event::Key(KeyEvent::new(code, modifiers)));
    }

    fn event(&mut self, event: Event) {
        self.out.push(Came::Event(event));
    }

    /// Whether a read is the rest of a sequence whose Escape was given out as a key, because the two were far apart: one
    /// whole sequence and nothing else, which nobody types within a read.
    fn is_late_rest(&mut self, bytes: &[u8], now: Instant) -> bool {
        let lone = self.lone.take();
        let soon = lone.is_some_and(|lone| now.duration_since(lone) < LATE);
        let Some((b'[', rest)) = bytes.split_first().filter(|_| soon) else {
            return false;
        };
        let last = rest.len().saturating_sub(1);
        rest.iter().enumerate().all(|(index, byte)| {
            (index < last && (0x20..0x40).contains(byte))
                || (index == last && (0x40..0x7f).contains(byte))
        }) && !rest.is_empty()
    }

    fn byte(&mut self, byte: u8, now: Instant) {
        match self.state {
            State::Ground => self.ground(byte, KeyModifiers::NONE, now),
            State::Escape => self.after_escape(byte, now),
            State::Ss3 => {
                self.begin(State::Ground, now);
                match byte {
                    0x1b => self.begin(State::Escape, now),
                    byte => self.out.extend(keys::ss3(byte)),
                }
            }
            State::Csi => self.csi(byte, now),
            State::X10(left) => {
                self.held.push(byte);
                if left > 1 {
                    self.state = State::X10(left - 1);
                } else {
                    let came = csi::x10(&self.held);
                    self.begin(State::Ground, now);
                    self.out.extend(came);
                }
            }
            State::Text(kind, escaped) => self.text(kind, escaped, byte, now),
            State::Char(alt) => self.character(byte, alt, now),
            State::Paste(seen) => self.paste(seen, byte, now),
            State::Burst => {
                if byte == 0x1b {
                    self.pasted();
                    self.begin(State::Escape, now);
                } else {
                    self.hold_text(byte);
                }
            }
        }
    }

    /// A byte that begins something; `with` is Alt after Escape.
    fn ground(&mut self, byte: u8, with: KeyModifiers, now: Instant) {
        let alt = with.contains(KeyModifiers::ALT);
        match byte {
            0x1b => self.begin(State::Escape, now),
            // The eight-bit forms, which are no characters in UTF-8.
            0x8f if !alt => self.begin(State::Ss3, now),
            0x9b if !alt => self.begin(State::Csi, now),
            0x90 if !alt => self.begin(State::Text(string::Kind::Device, false), now),
            0x9d if !alt => self.begin(State::Text(string::Kind::System, false), now),
            0xc2..=0xf4 => {
                self.begin(State::Char(alt), now);
                self.held.push(byte);
            }
            // Part of no character: the line garbled it.
            0x80..=0xff => self.begin(State::Ground, now),
            byte => {
                self.begin(State::Ground, now);
                let key = keys::plain(byte, with);
                self.event(Event::Key(key));
            }
        }
    }

    fn after_escape(&mut self, byte: u8, now: Instant) {
        match byte {
            b'[' => self.begin(State::Csi, now),
            b'O' => self.begin(State::Ss3, now),
            // The first Escape was a key of its own.
            0x1b => {
                self.lone_escape(now);
                self.begin(State::Escape, now);
            }
            byte => match string::Kind::of(byte) {
                Some(kind) => self.begin(State::Text(kind, false), now),
                None => self.ground(byte, KeyModifiers::ALT, now),
            },
        }
    }

    fn csi(&mut self, byte: u8, now: Instant) {
        match byte {
            0x1b => self.begin(State::Escape, now),
            // Cancelled (ECMA-48: CAN and SUB), or garbled: it ends here and is nothing.
            0x00..=0x1f | 0x7f..=0xff => self.begin(State::Ground, now),
            // X10's mouse sends three bytes more, which may be anything.
            b'M' if self.held.is_empty() && !self.overlong => self.begin(State::X10(3), now),
            // The console of Linux sends `ESC [ [ A` for F1; rxvt ends keys with Shift in a dollar sign.
            b'[' if self.held.is_empty() => self.held.push(byte),
            b'$' if self.held.first().is_some_and(u8::is_ascii_digit) => self.finish(byte, now),
            0x20..=0x3f if self.held.len() < PARAMETERS => self.held.push(byte),
            0x20..=0x3f => self.overlong = true,
            0x40..=0x7e => self.finish(byte, now),
        }
    }

    /// A sequence is whole.
    fn finish(&mut self, last: u8, now: Instant) {
        let (held, overlong) = (std::mem::take(&mut self.held), self.overlong);
        self.begin(State::Ground, now);
        if overlong {
            return;
        }
        if (held.as_slice(), last) == (b"200", b'~') {
            self.brackets = true;
            return self.begin(State::Paste(0), now);
        }
        self.out.extend(csi::read(&held, last));
    }

    fn text(&mut self, kind: string::Kind, escaped: bool, byte: u8, now: Instant) {
        if escaped {
            // ESC and anything but a backslash breaks the string off and begins something else.
            self.begin(State::Ground, now);
            if byte == b'\\' {
                return self.out.push(Came::Answer);
            }
            self.begin(State::Escape, now);
            return self.after_escape(byte, now);
        }
        match byte {
            0x1b => self.state = State::Text(kind, true),
            0x07 | 0x9c => {
                self.begin(State::Ground, now);
                self.out.push(Came::Answer);
            }
            0x18 | 0x1a => self.begin(State::Ground, now),
            // A person pressed Alt with the key, and then others.
            byte if self.held.is_empty() && !kind.may_begin(byte) => {
                self.begin(State::Ground, now);
                self.key(KeyCode::Char(kind.letter()), KeyModifiers::ALT);
                self.byte(byte, now);
            }
            // Nothing of it is wanted: one byte says that it has begun.
            byte => {
                if self.held.is_empty() {
                    self.held.push(byte);
                }
            }
        }
    }

    fn character(&mut self, byte: u8, alt: bool, now: Instant) {
        if !(0x80..0xc0).contains(&byte) {
            // It was cut off.
            self.begin(State::Ground, now);
            return self.byte(byte, now);
        }
        self.held.push(byte);
        let whole = match self.held.first() {
            Some(0xf0..) => 4,
            Some(0xe0..) => 3,
            _ => 2,
        };
        if self.held.len() < whole {
            return;
        }
        let read = std::str::from_utf8(&self.held).ok();
        let read = read.and_then(|text| text.chars().next());
        self.begin(State::Ground, now);
        // What UTF-8 does not allow, and the control characters beyond ASCII, are no keys.
        if let Some(c) = read.filter(|c| !c.is_control()) {
            let alt = if alt {
                KeyModifiers::ALT
            } else {
                KeyModifiers::NONE
            };
            self.key(KeyCode::Char(c), alt);
        }
    }

    fn paste(&mut self, seen: usize, byte: u8, now: Instant) {
        if END.get(seen) == Some(&byte) {
            if seen + 1 < END.len() {
                self.state = State::Paste(seen + 1);
                return;
            }
            self.pasted();
            return self.begin(State::Ground, now);
        }
        for byte in END.iter().take(seen) {
            self.hold_text(*byte);
        }
        if byte == 0x1b {
            self.state = State::Paste(1);
        } else {
            self.state = State::Paste(0);
            self.hold_text(byte);
        }
    }

    fn hold_text(&mut self, byte: u8) {
        self.held.push(byte);
        if self.held.len() < PIECE {
            return;
        }
        // A character that the piece would cut in two stays for the next.
        let cut = match std::str::from_utf8(&self.held) {
            Err(why) if why.error_len().is_none() => why.valid_up_to(),
            _ => self.held.len(),
        };
        let rest = self.held.split_off(cut);
        self.pasted();
        self.held = rest;
    }

    /// Gives out what was pasted so far.
    fn pasted(&mut self) {
        let text = String::from_utf8_lossy(&self.held).into_owned();
        self.held.clear();
        if !text.is_empty() {
            self.event(Event::Paste(text));
        }
    }
}

/// Whether a byte after Escape begins a sequence, or another Escape.
fn introduces(byte: u8) -> bool {
    matches!(byte, b'[' | b'O') || string::Kind::of(byte).is_some()
}

/// Whether a read is so much text, with a line break inside, that it was pasted: see [`BURST`].
fn is_burst(bytes: &[u8]) -> bool {
    let text = |byte: &u8| *byte >= 0x20 && *byte != 0x7f || matches!(byte, b'\r' | b'\n' | b'\t');
    let breaks = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let inner = bytes.iter().position(breaks);
    let more = inner.and_then(|at| bytes.get(at..));
    bytes.len() > BURST
        && more.is_some_and(|rest| rest.iter().any(|byte| !breaks(byte)))
        && bytes.iter().all(text)
}
