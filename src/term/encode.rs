//! Keys, pastes and the mouse as the bytes that xterm would send
//! (ctlseqs, <https://invisible-island.net/xterm/ctlseqs/ctlseqs.html>).

use super::kitty;
use super::screen::{Keyboard, Modes, Mouse};
use crate::domain::key::{Key, KeyCode};

/// The bytes for a key press. A function key that xterm has no code for gives none.
pub fn key(key: Key, modes: Modes) -> Vec<u8> {
    if modes.keyboard != Keyboard::default() {
        return kitty::key(key, modes.keyboard);
    }
    let modifier = 1 + u8::from(key.shift) + 2 * u8::from(key.alt) + 4 * u8::from(key.ctrl);
    let plain = match key.code {
        KeyCode::Char(c) => character(c, key.ctrl),
        KeyCode::Enter if modes.newline => b"\r\n".to_vec(),
        KeyCode::Enter => b"\r".to_vec(),
        KeyCode::Esc => b"\x1b".to_vec(),
        KeyCode::Backspace if key.ctrl => b"\x08".to_vec(),
        KeyCode::Backspace => b"\x7f".to_vec(),
        KeyCode::Tab if key.shift => b"\x1b[Z".to_vec(),
        KeyCode::Tab => b"\t".to_vec(),
        KeyCode::Up => return cursor('A', modifier, modes),
        KeyCode::Down => return cursor('B', modifier, modes),
        KeyCode::Right => return cursor('C', modifier, modes),
        KeyCode::Left => return cursor('D', modifier, modes),
        KeyCode::Home => return cursor('H', modifier, modes),
        KeyCode::End => return cursor('F', modifier, modes),
        KeyCode::Insert => return tilde(2, modifier),
        KeyCode::Delete => return tilde(3, modifier),
        KeyCode::PageUp => return tilde(5, modifier),
        KeyCode::PageDown => return tilde(6, modifier),
        KeyCode::F(number) => return function(number, modifier),
    };
    // Alt is an escape before the key, as xterm does with metaSendsEscape.
    if key.alt {
        [b"\x1b", plain.as_slice()].concat()
    } else {
        plain
    }
}

/// A character; with Control, the control code that terminals have always sent for it, if there is one.
fn character(c: char, ctrl: bool) -> Vec<u8> {
    let code = match c.to_ascii_lowercase() {
        letter @ 'a'..='z' => Some(letter as u8 & 0x1f),
        ' ' | '@' | '2' => Some(0x00),
        '[' | '3' => Some(0x1b),
        '\\' | '4' => Some(0x1c),
        ']' | '5' => Some(0x1d),
        '^' | '6' => Some(0x1e),
        '_' | '/' | '7' => Some(0x1f),
        '?' | '8' => Some(0x7f),
        _ => None,
    };
    match code {
        Some(code) if ctrl => vec![code],
        _ => c.to_string().into_bytes(),
    }
}

fn cursor(letter: char, modifier: u8, modes: Modes) -> Vec<u8> {
    match modifier {
        1 if modes.app_cursor => format!("\x1bO{letter}"),
        1 => format!("\x1b[{letter}"),
        _ => format!("\x1b[1;{modifier}{letter}"),
    }
    .into_bytes()
}

/// A key with a number, as VT220 keyboards sent it.
pub(super) fn tilde(number: u8, modifier: u8) -> Vec<u8> {
    match modifier {
        1 => format!("\x1b[{number}~"),
        _ => format!("\x1b[{number};{modifier}~"),
    }
    .into_bytes()
}

fn function(number: u8, modifier: u8) -> Vec<u8> {
    match number {
        1..=4 => {
            let letter = char::from(b'P' + number - 1);
            match modifier {
                1 => format!("\x1bO{letter}"),
                _ => format!("\x1b[1;{modifier}{letter}"),
            }
            .into_bytes()
        }
        // The gaps stand where the VT220 keyboard had gaps.
        5 => tilde(15, modifier),
        6..=10 => tilde(number + 11, modifier),
        11..=14 => tilde(number + 12, modifier),
        15..=16 => tilde(number + 13, modifier),
        17..=20 => tilde(number + 14, modifier),
        _ => Vec::new(),
    }
}

/// The bytes for pasted text. What could act as a key or end the bracket early is left out: the end marker and all control
/// characters but tab and line break. A line break is sent as the Return key sends it.
pub fn paste(text: &str, modes: Modes) -> Vec<u8> {
    const BEGIN: &str = "\x1b[200~";
    const END: &str = "\x1b[201~";
    let mut out = String::with_capacity(text.len() + BEGIN.len() + END.len());
    if modes.bracketed_paste {
        out.push_str(BEGIN);
    }
    for c in text.replace(END, "").replace("\r\n", "\n").chars() {
        match c {
            '\n' | '\r' => out.push('\r'),
            '\t' => out.push('\t'),
            // Without an escape or its eight-bit form, no marker can form anew from what is left.
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    if modes.bracketed_paste {
        out.push_str(END);
    }
    out.into_bytes()
}

/// Whether our window has the keyboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focus {
    /// It has it now.
    Gained,
    /// It no longer has it.
    Lost,
}

/// The bytes that report a change of focus; none unless the program asked for them.
pub fn focus(focus: Focus, modes: Modes) -> Vec<u8> {
    match focus {
        _ if !modes.focus => Vec::new(),
        Focus::Gained => b"\x1b[I".to_vec(),
        Focus::Lost => b"\x1b[O".to_vec(),
    }
}

/// What the mouse did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MouseAction {
    /// A button went down.
    Press(Button),
    /// A button came up.
    Release(Button),
    /// It moved with this button down, or with none.
    Move(Option<Button>),
    /// The wheel, away from the person.
    WheelUp,
    /// The wheel, towards the person.
    WheelDown,
}

/// A mouse button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Button {
    /// Left.
    Left,
    /// Middle.
    Middle,
    /// Right.
    Right,
}

/// A mouse event in cells of the pane, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MouseEvent {
    /// What happened.
    pub action: MouseAction,
    /// The column.
    pub col: u16,
    /// The row.
    pub row: u16,
    /// With Shift.
    pub shift: bool,
    /// With Alt.
    pub alt: bool,
    /// With Control.
    pub ctrl: bool,
}

/// The bytes for a mouse event; none when the program did not ask for its sort.
pub fn mouse(event: MouseEvent, modes: Modes) -> Vec<u8> {
    let wheel = matches!(event.action, MouseAction::WheelUp | MouseAction::WheelDown);
    if modes.mouse == Mouse::None {
        // DECSET 1007: on the alternate screen there is no scrollback, so the wheel moves what the program shows.
        return if wheel && modes.alt_screen && modes.alternate_scroll {
            let letter = if event.action == MouseAction::WheelUp {
                'A'
            } else {
                'B'
            };
            cursor(letter, 1, modes).repeat(3)
        } else {
            Vec::new()
        };
    }
    let number = |button| match button {
        Button::Left => 0u16,
        Button::Middle => 1,
        Button::Right => 2,
    };
    let base = match event.action {
        MouseAction::Press(button) => number(button),
        MouseAction::Release(button) if modes.mouse_sgr => number(button),
        MouseAction::Release(_) => 3,
        MouseAction::Move(Some(button)) if modes.mouse != Mouse::Click => 32 + number(button),
        MouseAction::Move(None) if modes.mouse == Mouse::Motion => 32 + 3,
        MouseAction::Move(_) => return Vec::new(),
        MouseAction::WheelUp => 64,
        MouseAction::WheelDown => 65,
    };
    let code =
        base + 4 * u16::from(event.shift) + 8 * u16::from(event.alt) + 16 * u16::from(event.ctrl);
    let (col, row) = (event.col.saturating_add(1), event.row.saturating_add(1));
    if modes.mouse_sgr {
        let end = if matches!(event.action, MouseAction::Release(_)) {
            'm'
        } else {
            'M'
        };
        return format!("\x1b[<{code};{col};{row}{end}").into_bytes();
    }
    // The old form has one byte for each number, so it cannot name a cell beyond 223.
    match [code, col, row].map(|value| u8::try_from(value + 32)) {
        [Ok(code), Ok(col), Ok(row)] => vec![0x1b, b'[', b'M', code, col, row],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, modes: Modes, expected: &str) {
        let pressed: Key = text.parse().expect("the table holds valid keys");
        let sent = key(pressed, modes);
        assert_eq!(String::from_utf8_lossy(&sent), expected, "{text}");
    }

    #[test]
    fn keys_as_xterm_sends_them() {
        let plain = Modes::default();
        for (text, expected) in [
            ("a", "a"),
            ("ß", "ß"),
            ("Space", " "),
            ("Ctrl-a", "\x01"),
            ("Ctrl-Z", "\x1a"),
            ("Ctrl-Space", "\0"),
            ("Ctrl-@", "\0"),
            ("Ctrl-[", "\x1b"),
            ("Ctrl-\\", "\x1c"),
            ("Ctrl-]", "\x1d"),
            ("Ctrl-^", "\x1e"),
            ("Ctrl-_", "\x1f"),
            ("Ctrl-?", "\x7f"),
            ("Ctrl-ß", "ß"),
            ("Alt-x", "\x1bx"),
            ("Ctrl-Alt-c", "\x1b\x03"),
            ("Enter", "\r"),
            ("Alt-Enter", "\x1b\r"),
            ("Esc", "\x1b"),
            ("Backspace", "\x7f"),
            ("Ctrl-Backspace", "\x08"),
            ("Alt-Backspace", "\x1b\x7f"),
            ("Tab", "\t"),
            ("Shift-Tab", "\x1b[Z"),
            ("Up", "\x1b[A"),
            ("Down", "\x1b[B"),
            ("Right", "\x1b[C"),
            ("Left", "\x1b[D"),
            ("Home", "\x1b[H"),
            ("End", "\x1b[F"),
            ("Ctrl-Right", "\x1b[1;5C"),
            ("Alt-Left", "\x1b[1;3D"),
            ("Shift-Up", "\x1b[1;2A"),
            ("Ctrl-Alt-Shift-End", "\x1b[1;8F"),
            ("Ins", "\x1b[2~"),
            ("Del", "\x1b[3~"),
            ("PgUp", "\x1b[5~"),
            ("Ctrl-PgDn", "\x1b[6;5~"),
            ("F1", "\x1bOP"),
            ("F4", "\x1bOS"),
            ("Shift-F1", "\x1b[1;2P"),
            ("F5", "\x1b[15~"),
            ("F6", "\x1b[17~"),
            ("F10", "\x1b[21~"),
            ("F11", "\x1b[23~"),
            ("F12", "\x1b[24~"),
            ("Ctrl-F12", "\x1b[24;5~"),
            ("F13", "\x1b[25~"),
            ("F16", "\x1b[29~"),
            ("F20", "\x1b[34~"),
            ("F21", ""),
        ] {
            check(text, plain, expected);
        }
    }

    #[test]
    fn modes_change_the_keys() {
        let modes = Modes {
            app_cursor: true,
            newline: true,
            ..Modes::default()
        };
        check("Up", modes, "\x1bOA");
        check("Home", modes, "\x1bOH");
        check("Ctrl-Up", modes, "\x1b[1;5A");
        check("Enter", modes, "\r\n");
    }

    #[test]
    fn a_paste_cannot_leave_its_bracket() {
        let bracketed = Modes {
            bracketed_paste: true,
            ..Modes::default()
        };
        for (text, expected) in [
            ("ls -l", "ls -l"),
            ("one\ntwo\r\nthree\rfour", "one\rtwo\rthree\rfour"),
            ("a\tb", "a\tb"),
            ("a\x1b[201~rm -rf /", "arm -rf /"),
            ("\x1b[20\x1b[201~1~x", "[201~x"),
            ("\x1b\0[201~x", "[201~x"),
            ("\u{9b}201~x\x03\x7f", "201~x"),
        ] {
            let plain = paste(text, Modes::default());
            assert_eq!(String::from_utf8_lossy(&plain), expected, "{text:?}");
            let sent = paste(text, bracketed);
            assert_eq!(
                String::from_utf8_lossy(&sent),
                format!("\x1b[200~{expected}\x1b[201~"),
                "{text:?}"
            );
        }
    }

    fn at(action: MouseAction) -> MouseEvent {
        MouseEvent {
            action,
            col: 4,
            row: 2,
            shift: false,
            alt: false,
            ctrl: false,
        }
    }

    #[test]
    fn the_mouse_speaks_only_when_asked() {
        let press = at(MouseAction::Press(Button::Right));
        let release = at(MouseAction::Release(Button::Right));
        let drag = at(MouseAction::Move(Some(Button::Left)));
        let bare = at(MouseAction::Move(None));
        let sgr = |mouse| Modes {
            mouse,
            mouse_sgr: true,
            ..Modes::default()
        };
        for (event, modes, expected) in [
            (press, Modes::default(), ""),
            (press, sgr(Mouse::Click), "\x1b[<2;5;3M"),
            (release, sgr(Mouse::Click), "\x1b[<2;5;3m"),
            (drag, sgr(Mouse::Click), ""),
            (drag, sgr(Mouse::Drag), "\x1b[<32;5;3M"),
            (bare, sgr(Mouse::Drag), ""),
            (bare, sgr(Mouse::Motion), "\x1b[<35;5;3M"),
            (
                at(MouseAction::WheelDown),
                sgr(Mouse::Click),
                "\x1b[<65;5;3M",
            ),
            (
                release,
                Modes {
                    mouse: Mouse::Click,
                    ..Modes::default()
                },
                "\x1b[M#%#",
            ),
            (
                at(MouseAction::WheelUp),
                Modes {
                    alt_screen: true,
                    alternate_scroll: true,
                    app_cursor: true,
                    ..Modes::default()
                },
                "\x1bOA\x1bOA\x1bOA",
            ),
        ] {
            let sent = mouse(event, modes);
            assert_eq!(
                String::from_utf8_lossy(&sent),
                expected,
                "{event:?} {modes:?}"
            );
        }
        let far = MouseEvent { col: 300, ..press };
        let old = Modes {
            mouse: Mouse::Click,
            ..Modes::default()
        };
        assert!(mouse(far, old).is_empty());
    }

    #[test]
    fn focus_is_reported_when_asked() {
        assert!(focus(Focus::Gained, Modes::default()).is_empty());
        let modes = Modes {
            focus: true,
            ..Modes::default()
        };
        assert_eq!(focus(Focus::Gained, modes), b"\x1b[I");
        assert_eq!(focus(Focus::Lost, modes), b"\x1b[O");
    }
}
