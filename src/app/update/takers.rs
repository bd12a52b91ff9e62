//! Whose terminal a copied text is for: that of the window that copied it, or that types into the session whose program did.

use std::collections::BTreeMap;

use crate::app::state::State;
use crate::domain::ids::{SessionId, WindowId};
use crate::ui::{SessionInput, Ui};

/// What windows did last in each session.
#[derive(Debug, Default)]
pub(crate) struct Takers {
    /// The window that copied last.
    copied: BTreeMap<SessionId, WindowId>,
    /// The window that typed last.
    typed: BTreeMap<SessionId, WindowId>,
}

/// A window does something in a session.
pub(super) fn did(state: &mut State, window: WindowId, session: SessionId, input: &SessionInput) {
    let map = match input {
        SessionInput::Key(_) | SessionInput::Paste(_) | SessionInput::Mouse(_) => {
            &mut state.takers.typed
        }
        SessionInput::Look(look) if look.copies() => &mut state.takers.copied,
        SessionInput::Look(_) | SessionInput::Focus(_) => return,
    };
    map.insert(session, window);
}

/// A session is no more.
pub(super) fn forget(state: &mut State, session: SessionId) {
    state.takers.copied.remove(&session);
    state.takers.typed.remove(&session);
}

/// Who may put a text on a clipboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Taker {
    /// These windows; at least one.
    Windows(Vec<WindowId>),
    /// Whoever it is for has a window that is read aloud, and so no clipboard.
    Plain,
    /// Nobody is there.
    Nobody,
}

/// Who takes what a person copied in a session.
pub(super) fn of_person(state: &State, session: SessionId) -> Taker {
    let window = state.takers.copied.get(&session);
    let ui = window.and_then(|id| state.windows.get(id).map(|ui| (*id, ui)));
    match ui {
        None => Taker::Nobody,
        Some((_, ui)) if ui.is_plain() => Taker::Plain,
        Some((id, _)) => Taker::Windows(vec![id]),
    }
}

/// Who takes what a program in a session copies: the window that typed into it last, if the session can be seen there, else
/// all that show it.
pub(super) fn of_program(state: &State, session: SessionId) -> Taker {
    let shows = |ui: &Ui| ui.on_screen().contains(&session);
    let showing = state.windows.iter().filter(|(_, ui)| shows(ui));
    let (plain, able): (Vec<_>, Vec<_>) = showing.partition(|(_, ui)| ui.is_plain());
    let able: Vec<WindowId> = able.into_iter().map(|(id, _)| *id).collect();
    let typist = state.takers.typed.get(&session);
    if let Some(typist) = typist.filter(|id| able.contains(id)) {
        return Taker::Windows(vec![*typist]);
    }
    // Whoever typed at a window that is read aloud means that one, not its neighbour.
    let heard = typist.is_some_and(|typist| plain.iter().any(|(id, _)| *id == typist));
    match (heard || able.is_empty(), plain.is_empty()) {
        (true, false) => Taker::Plain,
        (true, true) => Taker::Nobody,
        (false, _) => Taker::Windows(able),
    }
}
