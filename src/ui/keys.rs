//! Translates what crossterm reads into our own plain input; the only file here that knows crossterm.

use crossterm::event::{
    Event, KeyCode as Code, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEventKind,
};

use super::intent::UiInput;
use crate::domain::key::{Key, KeyCode};
use crate::term::encode::{Button, MouseAction, MouseEvent};

/// The input an event is, if it is one: releases of keys and sideways wheels are none.
pub fn input(event: Event) -> Option<UiInput> {
    match event {
        Event::Key(event) => key(event).map(UiInput::Key),
        Event::Paste(text) => Some(UiInput::Paste(text)),
        Event::Resize(cols, rows) => Some(UiInput::Resize { cols, rows }),
        Event::FocusGained => Some(UiInput::FocusGained),
        Event::FocusLost => Some(UiInput::FocusLost),
        Event::Mouse(event) => {
            let button = |button| match button {
                MouseButton::Left => Button::Left,
                MouseButton::Middle => Button::Middle,
                MouseButton::Right => Button::Right,
            };
            let action = match event.kind {
                MouseEventKind::Down(which) => MouseAction::Press(button(which)),
                MouseEventKind::Up(which) => MouseAction::Release(button(which)),
                MouseEventKind::Drag(which) => MouseAction::Move(Some(button(which))),
                MouseEventKind::Moved => MouseAction::Move(None),
                MouseEventKind::ScrollUp => MouseAction::WheelUp,
                MouseEventKind::ScrollDown => MouseAction::WheelDown,
                MouseEventKind::ScrollLeft | MouseEventKind::ScrollRight => return None,
            };
            Some(UiInput::Mouse(MouseEvent {
                action,
                col: event.column,
                row: event.row,
                shift: event.modifiers.contains(KeyModifiers::SHIFT),
                alt: event.modifiers.contains(KeyModifiers::ALT),
                ctrl: event.modifiers.contains(KeyModifiers::CONTROL),
            }))
        }
    }
}

/// The key of a press or a repetition.
pub fn key(event: KeyEvent) -> Option<Key> {
    // A chord with a key that we do not know is not the key alone: Super-c must not type a c.
    let foreign = KeyModifiers::SUPER | KeyModifiers::HYPER | KeyModifiers::META;
    if event.kind == KeyEventKind::Release || event.modifiers.intersects(foreign) {
        return None;
    }
    let mut key = Key {
        code: KeyCode::Esc,
        ctrl: event.modifiers.contains(KeyModifiers::CONTROL),
        alt: event.modifiers.contains(KeyModifiers::ALT),
        shift: event.modifiers.contains(KeyModifiers::SHIFT),
    };
    key.code = match event.code {
        Code::Char(c) => KeyCode::Char(character(c, &mut key)),
        Code::Enter => KeyCode::Enter,
        Code::Esc => KeyCode::Esc,
        Code::Backspace => KeyCode::Backspace,
        Code::Tab => KeyCode::Tab,
        Code::BackTab => {
            key.shift = true;
            KeyCode::Tab
        }
        Code::Up => KeyCode::Up,
        Code::Down => KeyCode::Down,
        Code::Left => KeyCode::Left,
        Code::Right => KeyCode::Right,
        Code::Home => KeyCode::Home,
        Code::End => KeyCode::End,
        Code::PageUp => KeyCode::PageUp,
        Code::PageDown => KeyCode::PageDown,
        Code::Insert => KeyCode::Insert,
        Code::Delete => KeyCode::Delete,
        Code::F(number) => KeyCode::F(number),
        _ => return None,
    };
    Some(key)
}

/// A character in the form our keys are written in: shift is in the letter itself, and the four control characters that
/// crossterm names after digits (0x1c to 0x1f come as Ctrl-4 to Ctrl-7) have the names on their key caps.
fn character(c: char, key: &mut Key) -> char {
    if key.ctrl {
        match c {
            '4' => return '\\',
            '5' => return ']',
            '6' => return '^',
            '7' => return '_',
            _ => {}
        }
        return c.to_ascii_lowercase();
    }
    if key.shift {
        key.shift = false;
        // The kitty protocol may send the letter without its shift applied.
        return c
            .to_uppercase()
            .next()
            .filter(|_| c.is_lowercase())
            .unwrap_or(c);
    }
    c
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_in_the_form_they_are_written() {
        let none = KeyModifiers::NONE;
        let (shift, ctrl) = (KeyModifiers::SHIFT, KeyModifiers::CONTROL);
        for (code, modifiers, expected) in [
            (Code::Char('j'), none, "j"),
            (Code::Char('G'), shift, "G"),
            (Code::Char('g'), shift, "G"),
            (Code::Char('5'), ctrl, "Ctrl-]"),
            (Code::Char(']'), ctrl, "Ctrl-]"),
            (Code::Char('4'), ctrl, "Ctrl-\\"),
            (Code::Char('D'), ctrl, "Ctrl-d"),
            (Code::BackTab, shift, "Shift-Tab"),
            (Code::BackTab, none, "Shift-Tab"),
            (Code::F(10), none, "F10"),
            (Code::Char('?'), shift, "?"),
        ] {
            let found = key(KeyEvent::new(code, modifiers));
            assert_eq!(found.map(|key| key.to_string()).as_deref(), Some(expected));
        }
        let mut release = KeyEvent::new(Code::Char('j'), none);
        release.kind = KeyEventKind::Release;
        assert_eq!(key(release), None);
        assert_eq!(
            key(KeyEvent::new(Code::Char('c'), KeyModifiers::SUPER)),
            None
        );
    }
}
