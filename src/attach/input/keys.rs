//! Keys by their bytes and numbers: control characters, function keys, and the codes of kitty's keyboard protocol
//! (<https://sw.kovidgoyal.net/kitty/keyboard-protocol/>).

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};

use super::Came;

/// The key of a byte of ASCII.
pub(super) fn plain(byte: u8, with: KeyModifiers) -> KeyEvent {
    let ctrl = with | KeyModifiers::CONTROL;
    let (code, with) = match byte {
        b'\r' => (KeyCode::Enter, with),
        b'\t' => (KeyCode::Tab, with),
        0x7f => (KeyCode::Backspace, with),
        0x00 => (KeyCode::Char(' '), ctrl),
        0x01..=0x1a => (KeyCode::Char(char::from(byte - 1 + b'a')), ctrl),
        // The names on the key caps of the VT220.
        0x1c..=0x1f => (KeyCode::Char(char::from(byte - 0x1c + b'4')), ctrl),
        byte => (KeyCode::Char(char::from(byte)), with),
    };
    KeyEvent::new(code, with)
}

/// The key after `ESC O`: cursor and keypad keys in their application modes, F1 to F4, and rxvt's with Control.
pub(super) fn ss3(byte: u8) -> Option<Came> {
    let none = KeyModifiers::NONE;
    let key = match byte {
        b'A'..=b'D' | b'H' | b'F' | b'P'..=b'S' => KeyEvent::new(lettered(byte)?, none),
        b'E' => KeyEvent::new(KeyCode::KeypadBegin, none),
        b'M' => KeyEvent::new(KeyCode::Enter, none),
        b'I' => KeyEvent::new(KeyCode::Tab, none),
        b'X' => KeyEvent::new(KeyCode::Char('='), none),
        b'a'..=b'd' => KeyEvent::new(lettered(byte.to_ascii_uppercase())?, KeyModifiers::CONTROL),
        b'j'..=b'y' => KeyEvent::new(KeyCode::Char(char::from(byte - 0x40)), none),
        _ => return None,
    };
    Some(Came::Event(Event::Key(key)))
}

/// The key that ends its sequence in a letter.
pub(super) fn lettered(last: u8) -> Option<KeyCode> {
    Some(match last {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'E' => KeyCode::KeypadBegin,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        b'P'..=b'S' => KeyCode::F(last - b'P' + 1),
        _ => return None,
    })
}

/// The key that is a number before a tilde. The gaps stand where the VT220 keyboard had gaps.
pub(super) fn numbered(number: u32) -> Option<KeyCode> {
    let function = |number: u32| u8::try_from(number).ok().map(KeyCode::F);
    match number {
        1 | 7 => Some(KeyCode::Home),
        2 => Some(KeyCode::Insert),
        3 => Some(KeyCode::Delete),
        4 | 8 => Some(KeyCode::End),
        5 => Some(KeyCode::PageUp),
        6 => Some(KeyCode::PageDown),
        11..=15 => function(number - 10),
        17..=21 => function(number - 11),
        23..=26 => function(number - 12),
        28 | 29 => function(number - 13),
        31..=34 => function(number - 14),
        _ => None,
    }
}

// tidy: table
/// The key of a code point, or of kitty's numbers for keys that are none.
pub(super) fn coded(code: u32) -> Option<KeyCode> {
    Some(match code {
        9 => KeyCode::Tab,
        13 => KeyCode::Enter,
        27 => KeyCode::Esc,
        8 | 127 => KeyCode::Backspace,
        57_376..=57_398 => KeyCode::F(u8::try_from(code - 57_376 + 13).ok()?),
        57_399..=57_408 => KeyCode::Char(char::from_digit(code - 57_399, 10)?),
        57_409 => KeyCode::Char('.'),
        57_410 => KeyCode::Char('/'),
        57_411 => KeyCode::Char('*'),
        57_412 => KeyCode::Char('-'),
        57_413 => KeyCode::Char('+'),
        57_414 => KeyCode::Enter,
        57_415 => KeyCode::Char('='),
        57_416 => KeyCode::Char(','),
        57_417 => KeyCode::Left,
        57_418 => KeyCode::Right,
        57_419 => KeyCode::Up,
        57_420 => KeyCode::Down,
        57_421 => KeyCode::PageUp,
        57_422 => KeyCode::PageDown,
        57_423 => KeyCode::Home,
        57_424 => KeyCode::End,
        57_425 => KeyCode::Insert,
        57_426 => KeyCode::Delete,
        // Locks, modifiers alone, media keys: nothing here listens to them.
        57_344..=63_743 => return None,
        code => KeyCode::Char(char::from_u32(code).filter(|c| !c.is_control())?),
    })
}

/// Modifiers as every protocol counts them: one more than the sum of their bits.
pub(super) fn modifiers(number: u32) -> KeyModifiers {
    let bits = number.saturating_sub(1);
    let all = [
        KeyModifiers::SHIFT,
        KeyModifiers::ALT,
        KeyModifiers::CONTROL,
        KeyModifiers::SUPER,
        KeyModifiers::HYPER,
        KeyModifiers::META,
    ];
    let set = all
        .into_iter()
        .enumerate()
        .filter(|(index, _)| bits & (1 << index) != 0);
    set.fold(KeyModifiers::NONE, |sum, (_, one)| sum | one)
}
