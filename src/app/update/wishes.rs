//! What programs in panes want of the person or of the terminal: a text on the clipboard, a word that something is done.

use crate::app::effect::Effect;
use crate::app::state::State;
use crate::domain::ids::SessionId;
use crate::model::Level;

use super::alert;
use super::takers::{self, Taker};
use super::window::say;

/// The longest text for a clipboard, in bytes: terminals cut or drop longer ones, xterm at about 100,000 bytes of base 64.
const CLIPBOARD_MAX: usize = 74_000;

/// A remote program wants a text on the clipboard. What becomes of it is told, whatever it is: a copy that silently did not
/// happen is found out when the wrong thing is pasted.
pub(super) fn clipboard(state: &mut State, session: SessionId, text: String, fx: &mut Vec<Effect>) {
    let host = host_of(state, session);
    let refused = |why: &str| format!("{host} offered {} bytes to copy: {why}", text.len());
    if !state.setup.terminal.clipboard {
        let why = refused("not copied, because [session] clipboard is false");
        return say(state, Level::Warn, why);
    }
    if text.len() > CLIPBOARD_MAX {
        let why = refused(&format!(
            "not copied, because terminals take at most {CLIPBOARD_MAX}"
        ));
        return say(state, Level::Warn, why);
    }
    let taker = takers::of_program(state, session);
    if taker == Taker::Nobody {
        let why = refused("not copied, because no window shows that session");
        return say(state, Level::Warn, why);
    }
    // A line that ends itself would run when it is pasted into a shell; the rest of the controls steer terminals.
    let text = crate::domain::text::block(text.trim_end_matches(['\r', '\n']));
    let words = match taker {
        Taker::Windows(windows) => {
            let effect = |window| Effect::Clipboard(window, text.clone());
            fx.extend(windows.into_iter().map(effect));
            format!("{} bytes offered to your terminal's clipboard", text.len())
        }
        Taker::Plain | Taker::Nobody => {
            let prefix = state.setup.keymap.prefix();
            let words = format!(
                "{host} offered {} bytes to copy; a plain window has no clipboard: {prefix} ] pastes them here",
                text.len()
            );
            state.model.copied = Some(text.into());
            words
        }
    };
    say(state, Level::Info, words);
}

/// A remote program wants a person to know something; a session that nobody looks at is marked as by a bell.
pub(super) fn notify(state: &mut State, session: SessionId, text: &str, fx: &mut Vec<Effect>) {
    alert::called(state, session, true, fx);
    let words = format!("{}: {text}", host_of(state, session));
    say(state, Level::Info, words);
}

fn host_of(state: &State, session: SessionId) -> String {
    let view = state.model.session(session);
    view.map_or_else(|| "a session".to_owned(), |view| view.host.clone())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::app::update::bench;
    use crate::domain::ids::SessionId;
    use crate::model::{SessionState, SessionView};
    use crate::ui::View;

    fn scene() -> (State, SessionId) {
        let mut state = bench::state();
        let id = SessionId(state.mint.entity());
        let mut view = SessionView::opening(id, "web1", None);
        view.state = SessionState::Live;
        view.screen = Some(crate::term::Emulator::new(crate::term::Size::default()).screen());
        state.model.sessions.push(view);
        (state, id)
    }

    fn said(state: &State) -> String {
        let last = state.model.notices.last();
        last.map(|notice| notice.text.clone()).unwrap_or_default()
    }

    #[test]
    fn what_becomes_of_a_copy_is_always_told() {
        let (mut state, id) = scene();
        let copied = |state: &mut State, text: &str| {
            let mut fx = Vec::new();
            clipboard(state, id, text.to_owned(), &mut fx);
            let copied = fx
                .into_iter()
                .any(|effect| matches!(effect, Effect::Clipboard(..)));
            (copied, said(state))
        };
        let (went, words) = copied(&mut state, "hi\n");
        assert!(!went && words.contains("no window shows"), "{words}");
        super::super::window::open(&mut state, bench::WINDOW, View::Pane(id));
        let (went, words) = copied(&mut state, "hi\n");
        assert!(went && words.contains("2 bytes"), "{words}");
        let (went, words) = copied(&mut state, &"x".repeat(CLIPBOARD_MAX + 1));
        assert!(!went && words.contains("at most"), "{words}");
        state.setup.terminal.clipboard = false;
        let (went, words) = copied(&mut state, "hi");
        assert!(!went && words.contains("clipboard is false"), "{words}");
    }

    #[test]
    fn a_notification_marks_a_session_that_nobody_looks_at() {
        let (mut state, id) = scene();
        notify(&mut state, id, "make is done", &mut Vec::new());
        assert_eq!(said(&state), "web1: make is done");
        assert!(state.model.session(id).is_some_and(|view| view.bell));
    }

    #[test]
    fn a_pane_is_told_of_focus_when_its_program_asks_and_when_its_window_goes() {
        use crate::app::event::{Event, WindowEvent};
        use crate::ssh::SshAsk;
        use crate::ui::UiInput;
        let (mut state, id) = scene();
        let told = |state: &mut State, event: Option<WindowEvent>| -> Vec<bool> {
            let mut effects = event.map_or_else(Vec::new, |event| {
                crate::app::update::update(state, Event::Window(bench::WINDOW, event))
            });
            effects.extend(crate::app::update::lay_out(state));
            let focus = |effect| match effect {
                Effect::Ssh(SshAsk::Focus { gained, .. }) => Some(gained),
                _ => None,
            };
            effects.into_iter().filter_map(focus).collect()
        };
        super::super::window::open(&mut state, bench::WINDOW, View::Pane(id));
        assert!(told(&mut state, None).is_empty(), "it did not ask");
        let mut emulator = crate::term::Emulator::new(crate::term::Size::default());
        emulator.feed(b"\x1b[?1004h");
        if let Some(view) = state.model.session_mut(id) {
            view.screen = Some(Arc::clone(&emulator.screen()));
        }
        assert_eq!(told(&mut state, None), [true]);
        assert!(told(&mut state, None).is_empty(), "once");
        let input = |input| Some(WindowEvent::Input(input));
        assert_eq!(told(&mut state, input(UiInput::FocusLost)), [false]);
        assert_eq!(told(&mut state, input(UiInput::FocusGained)), [true]);
        super::super::window::open(&mut state, bench::WINDOW, View::Home);
        assert_eq!(told(&mut state, None), [false]);
        super::super::window::open(&mut state, bench::WINDOW, View::Pane(id));
        assert_eq!(told(&mut state, None), [true]);
        state.setup.served = true;
        assert_eq!(told(&mut state, Some(WindowEvent::Closed)), [false]);
    }

    #[test]
    fn a_window_of_another_version_is_told_once_and_served() {
        use crate::app::event::{Event, WindowEvent};
        use crate::app::update::{bench::WINDOW, update};
        let mut state = bench::state();
        let ours = state.setup.info.version.clone();
        let before = state.model.notices.count();
        let event = WindowEvent::Program("9.9.9".to_owned());
        drop(update(&mut state, Event::Window(WINDOW, event)));
        assert_eq!(state.model.notices.count(), before + 1);
        let said = state.model.notices.last().expect("it is said");
        for part in ["9.9.9", &ours, "qd server stop"] {
            assert!(said.text.contains(part), "{said:?}");
        }
        assert!(state.windows.contains_key(&WINDOW), "it stays");
    }
}
