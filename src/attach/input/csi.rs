//! Control sequences (`ESC [`): keys, mouse, focus, and answers
//! (ctlseqs, <https://invisible-island.net/xterm/ctlseqs/ctlseqs.html>).

use crossterm::event::{
    Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

use super::Came;
use super::keys::{coded, lettered, modifiers, numbered};

/// What a whole sequence says: `held` is between the bracket and its last byte. Nothing for what is unknown.
pub(super) fn read(held: &[u8], last: u8) -> Option<Came> {
    let text = std::str::from_utf8(held).ok()?;
    match (text.bytes().next(), last) {
        (Some(b'<'), b'M' | b'm') => mouse(&numbers(text.get(1..)?), last == b'm'),
        (Some(b'?' | b'>' | b'='), _) => Some(Came::Answer),
        (Some(b'['), b'A'..=b'E') => key(KeyCode::F(last - b'A' + 1), KeyModifiers::NONE),
        (Some(b'['), _) => None,
        (_, b'n') if text == "0" => Some(Came::Alive),
        (_, b'n' | b't' | b'y' | b'x') => Some(Came::Answer),
        (Some(_), b'c') => Some(Came::Answer),
        (None, b'I') => Some(Came::Event(Event::FocusGained)),
        (None, b'O') => Some(Came::Event(Event::FocusLost)),
        (_, b'M') => urxvt(&numbers(text)),
        (_, b'u') => kitty(text),
        (_, b'~') => tilde(text),
        (_, b'^') => key(numbered(first(text))?, KeyModifiers::CONTROL),
        (_, b'$') => key(numbered(first(text))?, KeyModifiers::SHIFT),
        (_, b'@') => key(
            numbered(first(text))?,
            KeyModifiers::CONTROL | KeyModifiers::SHIFT,
        ),
        (_, b'Z') => key(KeyCode::BackTab, KeyModifiers::SHIFT),
        (None, b'a'..=b'd') => key(lettered(last.to_ascii_uppercase())?, KeyModifiers::SHIFT),
        // F3 with modifiers looks like the answer to where the cursor is; that is never asked.
        (Some(_), b'R') if !text.starts_with("1;") => Some(Came::Answer),
        _ => modified(lettered(last)?, text),
    }
}

fn key(code: KeyCode, with: KeyModifiers) -> Option<Came> {
    Some(Came::Event(Event::Key(KeyEvent::new(code, with))))
}

fn numbers(text: &str) -> Vec<u32> {
    // A field may be empty, which is its default.
    text.split(';')
        .map(|field| field.parse().unwrap_or(0))
        .collect()
}

fn first(text: &str) -> u32 {
    numbers(text).first().copied().unwrap_or(0)
}

/// A key with the modifiers and the kind of event of its second field.
fn modified(code: KeyCode, text: &str) -> Option<Came> {
    let field = text.split(';').nth(1).unwrap_or_default();
    let (with, kind) = manner(field);
    let mut event = KeyEvent::new(code, with);
    event.kind = kind;
    Some(Came::Event(Event::Key(event)))
}

/// Modifiers, and after a colon whether the key went down, repeats or came up.
fn manner(field: &str) -> (KeyModifiers, KeyEventKind) {
    let (with, kind) = field.split_once(':').unwrap_or((field, ""));
    let kind = match kind {
        "2" => KeyEventKind::Repeat,
        "3" => KeyEventKind::Release,
        _ => KeyEventKind::Press,
    };
    (modifiers(with.parse().unwrap_or(1)), kind)
}

fn tilde(text: &str) -> Option<Came> {
    let fields = numbers(text);
    match fields.as_slice() {
        // xterm's modifyOtherKeys.
        [27, with, code] => typed(coded(*code)?, modifiers(*with), KeyEventKind::Press),
        [number, ..] => modified(numbered(*number)?, text),
        [] => None,
    }
}

/// `code:shifted:base ; modifiers:event ; text`.
fn kitty(text: &str) -> Option<Came> {
    let mut fields = text.split(';');
    let mut codes = fields.next()?.split(':');
    let code: u32 = codes.next()?.parse().ok()?;
    let shifted = codes.next().and_then(|code| code.parse::<u32>().ok());
    let (with, kind) = manner(fields.next().unwrap_or_default());
    let code = match (coded(code)?, shifted.and_then(coded)) {
        (KeyCode::Char(_), Some(shifted)) if with.contains(KeyModifiers::SHIFT) => shifted,
        (code, _) => code,
    };
    typed(code, with, kind)
}

fn typed(code: KeyCode, with: KeyModifiers, kind: KeyEventKind) -> Option<Came> {
    let code = match code {
        KeyCode::Tab if with.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
        code => code,
    };
    let mut event = KeyEvent::new(code, with);
    event.kind = kind;
    Some(Came::Event(Event::Key(event)))
}

/// The SGR form: button, column and row from 1.
fn mouse(fields: &[u32], released: bool) -> Option<Came> {
    let [button, column, row] = *fields else {
        return None;
    };
    event(button, column, row, released)
}

/// urxvt's form: as SGR, with 32 more on the button.
fn urxvt(fields: &[u32]) -> Option<Came> {
    let [button, column, row] = *fields else {
        return None;
    };
    event(button.checked_sub(32)?, column, row, false)
}

/// X10's form: button, column and row as one byte each, 32 more than they are.
pub(super) fn x10(bytes: &[u8]) -> Option<Came> {
    let [button, column, row] = *bytes else {
        return None;
    };
    let value = |byte: u8| byte.checked_sub(32).map(u32::from);
    event(value(button)?, value(column)?, value(row)?, false)
}

fn event(button: u32, column: u32, row: u32, released: bool) -> Option<Came> {
    let which = match button & 3 {
        0 => Some(MouseButton::Left),
        1 => Some(MouseButton::Middle),
        2 => Some(MouseButton::Right),
        _ => None,
    };
    let moved = button & 32 != 0;
    let kind = match (button & 0xc0, which) {
        (0, Some(which)) if released => MouseEventKind::Up(which),
        (0, Some(which)) if moved => MouseEventKind::Drag(which),
        (0, Some(which)) => MouseEventKind::Down(which),
        (0, None) if moved => MouseEventKind::Moved,
        // The old forms do not say which button came up.
        (0, None) => MouseEventKind::Up(MouseButton::Left),
        (64, _) => match button & 3 {
            0 => MouseEventKind::ScrollUp,
            1 => MouseEventKind::ScrollDown,
            2 => MouseEventKind::ScrollLeft,
            _ => MouseEventKind::ScrollRight,
        },
        _ => return None,
    };
    let place = |number: u32| u16::try_from(number.saturating_sub(1)).ok();
    let with = [
        (4, KeyModifiers::SHIFT),
        (8, KeyModifiers::ALT),
        (16, KeyModifiers::CONTROL),
    ];
    let with = with.into_iter().filter(|(bit, _)| button & bit != 0);
    Some(Came::Event(Event::Mouse(MouseEvent {
        kind,
        column: place(column)?,
        row: place(row)?,
        modifiers: with.fold(KeyModifiers::NONE, |sum, (_, one)| sum | one),
    })))
}
