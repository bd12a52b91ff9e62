//! Keys as the kitty keyboard protocol sends them (<https://sw.kovidgoyal.net/kitty/keyboard-protocol/>), for programs that
//! asked for it.

use super::encode::tilde;
use super::screen::Keyboard;
use crate::domain::key::{Key, KeyCode};

/// The number of F13; the others follow it.
const F13: u32 = 57_376;

/// The bytes for a key press while `keyboard` holds.
pub(super) fn key(key: Key, keyboard: Keyboard) -> Vec<u8> {
    let all = keyboard.has(Keyboard::ALL_AS_ESCAPES);
    let modifier = 1 + u8::from(key.shift) + 2 * u8::from(key.alt) + 4 * u8::from(key.ctrl);
    match key.code {
        KeyCode::Char(c) => character(c, key, keyboard),
        KeyCode::Esc => coded(27, modifier),
        // These three stay what they always were, so that a shell can be used after a program that died.
        KeyCode::Enter if !all && modifier == 1 => b"\r".to_vec(),
        KeyCode::Tab if !all && modifier == 1 => b"\t".to_vec(),
        KeyCode::Backspace if !all && modifier == 1 => b"\x7f".to_vec(),
        KeyCode::Enter => coded(13, modifier),
        KeyCode::Tab => coded(9, modifier),
        KeyCode::Backspace => coded(127, modifier),
        KeyCode::Up => lettered('A', modifier),
        KeyCode::Down => lettered('B', modifier),
        KeyCode::Right => lettered('C', modifier),
        KeyCode::Left => lettered('D', modifier),
        KeyCode::Home => lettered('H', modifier),
        KeyCode::End => lettered('F', modifier),
        KeyCode::Insert => tilde(2, modifier),
        KeyCode::Delete => tilde(3, modifier),
        KeyCode::PageUp => tilde(5, modifier),
        KeyCode::PageDown => tilde(6, modifier),
        KeyCode::F(1) => lettered('P', modifier),
        KeyCode::F(2) => lettered('Q', modifier),
        // Its letter would be R, which a cursor position ends with.
        KeyCode::F(3) => tilde(13, modifier),
        KeyCode::F(4) => lettered('S', modifier),
        KeyCode::F(5) => tilde(15, modifier),
        KeyCode::F(number @ 6..=10) => tilde(number + 11, modifier),
        KeyCode::F(number @ 11..=12) => tilde(number + 12, modifier),
        KeyCode::F(number @ 13..=35) => coded(F13 + u32::from(number - 13), modifier),
        KeyCode::F(_) => Vec::new(),
    }
}

fn character(c: char, key: Key, keyboard: Keyboard) -> Vec<u8> {
    let all = keyboard.has(Keyboard::ALL_AS_ESCAPES);
    if !all && !key.ctrl && !key.alt {
        return c.to_string().into_bytes();
    }
    // The number is that of the key without Shift. What Shift made of other keys than letters depends on the layout, which
    // nobody tells us; there the character itself is the number.
    let mut lower = c.to_lowercase();
    let base = match (lower.next(), lower.next()) {
        (Some(base), None) => base,
        _ => c,
    };
    let shift = key.shift || base != c;
    let modifier = 1 + u8::from(shift) + 2 * u8::from(key.alt) + 4 * u8::from(key.ctrl);
    if all && keyboard.has(Keyboard::TEXT) && !key.ctrl && !key.alt {
        let (base, text) = (u32::from(base), u32::from(c));
        return match modifier {
            1 => format!("\x1b[{base};;{text}u"),
            _ => format!("\x1b[{base};{modifier};{text}u"),
        }
        .into_bytes();
    }
    coded(base.into(), modifier)
}

fn coded(number: u32, modifier: u8) -> Vec<u8> {
    match modifier {
        1 => format!("\x1b[{number}u"),
        _ => format!("\x1b[{number};{modifier}u"),
    }
    .into_bytes()
}

fn lettered(letter: char, modifier: u8) -> Vec<u8> {
    match modifier {
        1 => format!("\x1b[{letter}"),
        _ => format!("\x1b[1;{modifier}{letter}"),
    }
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(table: &[(&str, &str)], keyboard: Keyboard) {
        for (text, expected) in table {
            let pressed: Key = text.parse().expect("the table holds valid keys");
            let sent = key(pressed, keyboard);
            assert_eq!(String::from_utf8_lossy(&sent), *expected, "{text}");
        }
    }

    #[test]
    fn keys_that_shared_a_code_are_told_apart() {
        check(
            &[
                ("a", "a"),
                ("G", "G"),
                ("ß", "ß"),
                ("Space", " "),
                ("Enter", "\r"),
                ("Tab", "\t"),
                ("Backspace", "\x7f"),
                ("Esc", "\x1b[27u"),
                ("Ctrl-i", "\x1b[105;5u"),
                ("Ctrl-m", "\x1b[109;5u"),
                ("Ctrl-[", "\x1b[91;5u"),
                ("Ctrl-Space", "\x1b[32;5u"),
                ("Alt-x", "\x1b[120;3u"),
                ("Alt-X", "\x1b[120;4u"),
                ("Ctrl-Shift-x", "\x1b[120;6u"),
                ("Ctrl-Enter", "\x1b[13;5u"),
                ("Shift-Enter", "\x1b[13;2u"),
                ("Shift-Tab", "\x1b[9;2u"),
                ("Alt-Backspace", "\x1b[127;3u"),
                ("Up", "\x1b[A"),
                ("Ctrl-Right", "\x1b[1;5C"),
                ("Home", "\x1b[H"),
                ("Del", "\x1b[3~"),
                ("F1", "\x1b[P"),
                ("F3", "\x1b[13~"),
                ("Ctrl-F3", "\x1b[13;5~"),
                ("F12", "\x1b[24~"),
                ("F13", "\x1b[57376u"),
                ("Shift-F35", "\x1b[57398;2u"),
            ],
            Keyboard::DISAMBIGUATE,
        );
    }

    #[test]
    fn every_key_may_be_an_escape_with_its_text() {
        check(
            &[
                ("a", "\x1b[97u"),
                ("G", "\x1b[103;2u"),
                ("Enter", "\x1b[13u"),
            ],
            Keyboard::ALL_AS_ESCAPES,
        );
        check(
            &[
                ("a", "\x1b[97;;97u"),
                ("G", "\x1b[103;2;71u"),
                ("?", "\x1b[63;;63u"),
                ("Ctrl-a", "\x1b[97;5u"),
                ("Tab", "\x1b[9u"),
            ],
            Keyboard::new(8 | 16),
        );
    }
}
