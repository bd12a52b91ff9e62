//! What a person copied out of a pane: to the terminal, into the buffer, to a program, into a file.

use std::path::PathBuf;
use std::sync::Arc;

use crate::app::effect::Effect;
use crate::app::state::State;
use crate::domain::ids::SessionId;
use crate::domain::text;
use crate::model::Level;

use super::takers::{self, Taker};
use super::window::say;

/// The longest text that is sent to a terminal by OSC 52, in bytes: terminals cut or drop longer ones.
const TERMINAL: usize = 74_000;

/// A text was copied. It goes to the terminal of whoever copied it, and nobody can know what the terminal does with it.
pub(super) fn copied(
    state: &mut State,
    session: SessionId,
    copied: String,
    cut: bool,
    fx: &mut Vec<Effect>,
) {
    // Cells hold no controls, but what is pasted later should not depend on that.
    let copied: Arc<str> = text::block(&copied).into();
    if copied.is_empty() {
        return;
    }
    let taker = takers::of_person(state, session);
    let size = size(copied.len());
    let prefix = state.setup.keymap.prefix();
    let rest = if cut {
        " (cut there: more was selected)"
    } else {
        ""
    };
    let kept = format!("{prefix} ] pastes it here, :buffer save F writes it");
    let words = match taker {
        Taker::Windows(windows) if copied.len() <= TERMINAL => {
            let effect = |window| Effect::Clipboard(window, copied.to_string());
            fx.extend(windows.into_iter().map(effect));
            format!("sent {size} (OSC 52){rest}; not there? {prefix} ] or :buffer save F")
        }
        Taker::Windows(_) => {
            format!("copied {size}{rest}, too much for a terminal's clipboard: {kept}")
        }
        Taker::Plain => {
            format!("copied {size}{rest}; a plain window has no clipboard: {kept}")
        }
        Taker::Nobody => format!("copied {size}{rest}; its window has gone: {kept}"),
    };
    fx.push(Effect::Copied(Arc::clone(&copied)));
    state.model.copied = Some(copied);
    say(state, Level::Info, words);
}

/// Writes what was copied last to a new file.
pub(super) fn save(state: &mut State, path: String, fx: &mut Vec<Effect>) {
    match &state.model.copied {
        Some(copied) => fx.push(Effect::SaveCopied(PathBuf::from(path), Arc::clone(copied))),
        None => say(
            state,
            Level::Error,
            "nothing was copied yet; v and y in copy mode copy".to_owned(),
        ),
    }
}

/// A file was written, or something did not work.
pub(super) fn kept(state: &mut State, result: Result<String, String>) {
    match result {
        Ok(words) => say(state, Level::Info, words),
        Err(why) => say(state, Level::Error, why),
    }
}

fn size(bytes: usize) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        _ => format!("{} KiB", bytes / 1024),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::event::{Event, WindowEvent};
    use crate::app::update::bench::{WINDOW, state};
    use crate::app::update::{lay_out, update, window, wishes};
    use crate::domain::ids::WindowId;
    use crate::domain::look::Deed;
    use crate::model::sample::session_id;
    use crate::term::{Look, Size};
    use crate::ui::{Caps, SessionInput, View};

    const OTHER: WindowId = WindowId(2);

    /// Two windows that show one session, the second one plain or not.
    fn scene(plain: bool) -> (State, SessionId) {
        let (mut state, id) = (state(), session_id("live web1"));
        let opened = WindowEvent::Opened {
            size: Size { cols: 80, rows: 24 },
            caps: Caps::default(),
            focus: None,
            plain,
        };
        drop(update(&mut state, Event::Window(OTHER, opened)));
        for window in [WINDOW, OTHER] {
            window::open(&mut state, window, View::Pane(id));
        }
        drop(lay_out(&mut state));
        (state, id)
    }

    fn sent(fx: &[Effect]) -> Vec<WindowId> {
        let to = |effect: &Effect| match effect {
            Effect::Clipboard(window, _) => Some(*window),
            _ => None,
        };
        fx.iter().filter_map(to).collect()
    }

    fn said(state: &State) -> String {
        let last = state.model.notices.last();
        last.map_or_else(String::new, |notice| notice.text.clone())
    }

    fn person(state: &mut State, id: SessionId) -> Vec<WindowId> {
        let mut fx = Vec::new();
        copied(state, id, "text".to_owned(), false, &mut fx);
        sent(&fx)
    }

    fn program(state: &mut State, id: SessionId) -> Vec<WindowId> {
        let mut fx = Vec::new();
        wishes::clipboard(state, id, "text".to_owned(), &mut fx);
        sent(&fx)
    }

    #[test]
    fn what_is_copied_is_for_the_window_that_copied_it() {
        let (mut state, id) = scene(false);
        let yank = SessionInput::Look(Look::Do(Deed::Yank));
        takers::did(&mut state, OTHER, id, &yank);
        // Whoever looks around meanwhile copies nothing.
        takers::did(&mut state, WINDOW, id, &SessionInput::Look(Look::Scroll(1)));
        assert_eq!(person(&mut state, id), [OTHER]);
        assert!(said(&state).contains("sent 4 B"));
        takers::did(&mut state, WINDOW, id, &yank);
        assert_eq!(person(&mut state, id), [WINDOW]);
        state.windows.remove(&WINDOW);
        assert!(person(&mut state, id).is_empty());
        assert!(
            said(&state).contains("its window has gone"),
            "{}",
            said(&state)
        );
    }

    #[test]
    fn a_plain_window_has_no_clipboard_and_says_so() {
        let (mut state, id) = scene(true);
        let yank = SessionInput::Look(Look::Do(Deed::YankLine));
        takers::did(&mut state, OTHER, id, &yank);
        assert!(person(&mut state, id).is_empty());
        assert!(
            said(&state).contains("a plain window has no clipboard"),
            "{}",
            said(&state)
        );
        assert_eq!(
            state.model.copied.as_deref(),
            Some("text"),
            "it can be pasted here"
        );
        // The program's text is for the one that typed, and else for the windows that show it and have a clipboard.
        assert_eq!(program(&mut state, id), [WINDOW]);
        let paste = SessionInput::Paste("x".to_owned());
        takers::did(&mut state, OTHER, id, &paste);
        state.model.copied = None;
        assert!(program(&mut state, id).is_empty());
        assert!(said(&state).contains("plain window"), "{}", said(&state));
        assert_eq!(state.model.copied.as_deref(), Some("text"));
    }

    #[test]
    fn what_a_program_copies_is_for_the_window_that_typed_into_it() {
        let (mut state, id) = scene(false);
        assert_eq!(program(&mut state, id), [WINDOW, OTHER]);
        let paste = SessionInput::Paste("x".to_owned());
        takers::did(&mut state, OTHER, id, &paste);
        assert_eq!(program(&mut state, id), [OTHER]);
        window::open(&mut state, OTHER, View::Home);
        assert_eq!(
            program(&mut state, id),
            [WINDOW],
            "that one looks elsewhere"
        );
    }
}
