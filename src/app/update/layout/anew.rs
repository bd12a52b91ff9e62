//! Ended sessions that are opened anew: the old pane stays until the new shell is there, and when it never comes.

use crate::app::effect::Effect;
use crate::app::event::Caller;
use crate::app::purpose::Purpose;
use crate::app::state::State;
use crate::command::{Command, LayoutCommand, Spot};
use crate::domain::ids::SessionId;
use crate::model::{Level, SessionState};
use crate::ui::View;

use super::{forget, put, rejoin, settle, wake};

/// Opens an ended session anew where it was; nothing happens to one that lives or is being opened.
pub(super) fn reopen(state: &mut State, caller: Caller, id: SessionId, fx: &mut Vec<Effect>) {
    rejoin::wanted(state, id);
    begin(state, caller, id, fx);
}

/// Whether something is on its way to the place of an ended session.
pub(super) fn is_under_way(state: &State, id: SessionId) -> bool {
    let spot = Spot::Instead(id);
    let same = |command: &Command| matches!(command, Command::Layout(LayoutCommand::Put { spot: known, .. }) if *known == spot);
    let under_way =
        |purpose: &Purpose| matches!(purpose, Purpose::Gather(gather, _) if same(&gather.command));
    state.inflight.find(under_way).is_some() || state.model.successor(id).is_some()
}

/// The same, whoever wants it.
pub(super) fn begin(state: &mut State, caller: Caller, id: SessionId, fx: &mut Vec<Effect>) {
    let spot = Spot::Instead(id);
    if is_under_way(state, id) {
        return;
    }
    let ended = state
        .model
        .session(id)
        .filter(|session| matches!(session.state, SessionState::Closed(_)));
    if let Some(session) = ended {
        let (host, ticket) = (session.host.clone(), session.ticket.clone());
        put(state, caller, host, ticket, spot, fx);
    }
}

/// A session is on its way to the place of an ended one. False when that one is gone.
pub(super) fn coming(
    state: &mut State,
    old: SessionId,
    new: SessionId,
    fx: &mut Vec<Effect>,
) -> bool {
    if state.model.tab_of(old).is_none() || state.model.session(old).is_none() {
        return false;
    }
    let quiet = rejoin::is_quiet(state, old);
    if let Some(view) = state.model.session_mut(new) {
        (view.instead, view.quiet) = (Some(old), quiet);
    }
    if let Some(view) = state.model.session_mut(old) {
        view.failed = None;
    }
    let size = state.pane_sizes.get(&old).copied();
    // Its shell begins in the size that the pane has.
    state.pane_sizes.extend(size.map(|size| (new, size)));
    wake(state, old, fx);
    true
}

/// The shell of a session is there: it takes the place that it was meant for, and its windows.
pub(in crate::app::update) fn arrived(state: &mut State, new: SessionId, fx: &mut Vec<Effect>) {
    state.tabs.halves.remove(&new);
    rejoin::came(state, new);
    let Some(view) = state.model.session_mut(new) else {
        return;
    };
    let Some(old) = view.instead.take() else {
        return;
    };
    let tab = state.model.tab_of_mut(old);
    if tab.is_none_or(|tab| !tab.replace(old, new)) {
        return settle(state, fx);
    }
    let sessions = &mut state.model.sessions;
    let place = |id| sessions.iter().position(|session| session.id == id);
    if let (Some(there), Some(here)) = (place(old), place(new)) {
        sessions.swap(there, here);
    }
    for (window, ui) in &mut state.windows {
        if *ui.view() == View::Pane(old) {
            ui.open(&state.model, View::Pane(new));
            if let Some((_, tab)) = state.model.tab_of(new) {
                state.tabs.shown.insert(*window, (new, tab.id));
            }
        }
    }
    forget(state, old, fx);
    settle(state, fx);
}

/// The shell of a session never came: the pane whose place it should have taken says so, and half of a pane goes back to it.
/// False when it has a pane of its own that can say it.
pub(in crate::app::update) fn failed(
    state: &mut State,
    new: SessionId,
    why: &str,
    fx: &mut Vec<Effect>,
) -> bool {
    if state.tabs.halves.remove(&new) {
        // Nothing was ever in that half: the other one gets its room back, and the reason is told.
        let host = state.model.session(new).map(|view| view.host.clone());
        let words = format!("no pane on {}: {why}", host.unwrap_or_default());
        super::window::say(state, Level::Error, words);
        forget(state, new, fx);
        settle(state, fx);
        return true;
    }
    let coming = state.model.session(new);
    let quiet = coming.is_some_and(|view| view.quiet);
    let Some(old) = coming.and_then(|view| view.instead) else {
        return false;
    };
    let Some(view) = state.model.session_mut(old) else {
        return false;
    };
    view.failed = Some(why.to_owned());
    rejoin::fell(state, old, why, quiet, fx);
    forget(state, new, fx);
    settle(state, fx);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::event::Event;
    use crate::app::update::bench::{WINDOW, press, state};
    use crate::app::update::{lay_out, update};
    use crate::domain::run::Exit;
    use crate::model::sample::session_id;
    use crate::ssh::{SshAsk, SshFact};
    use crate::store::Committed;

    /// A window on the ended session, in which `r` was pressed and whose record is written; the new session.
    fn reopened(state: &mut State) -> (SessionId, Vec<Effect>) {
        let old = session_id("ended");
        super::super::window::open(state, WINDOW, View::Pane(old));
        drop(lay_out(state));
        let effects = press(state, "r");
        let append = |effect: &Effect| match effect {
            Effect::Append(req, _) => Some(*req),
            _ => None,
        };
        let req = effects.iter().find_map(append).expect("it is recorded");
        let new = state.model.successor(old).map(|session| session.id);
        let new = new.expect("a session is on its way");
        let done = Committed {
            references: vec![(new.0, "S-9NEW".to_owned())],
            seq: 1,
        };
        let effects = update(state, Event::Committed(req, Ok(done)));
        (new, effects)
    }

    fn shown(state: &State) -> Option<View> {
        state.windows.get(&WINDOW).map(|ui| ui.view().clone())
    }

    fn fact(state: &mut State, fact: SshFact) -> Vec<Effect> {
        let effects = update(state, Event::Ssh(Box::new(fact)));
        drop(lay_out(state));
        effects
    }

    #[test]
    fn the_old_pane_stays_until_the_new_shell_is_there() {
        let (mut state, old) = (state(), session_id("ended"));
        let (new, effects) = reopened(&mut state);
        let opens = |effect: &Effect| matches!(effect, Effect::Ssh(SshAsk::Open { session, .. }) if *session == new);
        let opens = effects.iter().position(opens).expect("it is opened");
        let follows = |effect: &Effect| matches!(effect, Effect::Ssh(SshAsk::Follow { session, after }) if (*session, *after) == (new, old));
        let before = effects.get(..opens).unwrap_or_default();
        assert!(before.iter().any(follows), "{effects:?}");
        drop(lay_out(&mut state));
        assert_eq!(shown(&state), Some(View::Pane(old)), "it can be looked at");
        assert!(state.model.tab_of(old).is_some() && state.model.tab_of(new).is_none());
        let tabs = state.model.tabs.len();
        fact(
            &mut state,
            SshFact::SessionOpened {
                session: new,
                agent: false,
            },
        );
        assert_eq!(shown(&state), Some(View::Pane(new)));
        assert!(state.model.session(old).is_none() && state.model.tab_of(new).is_some());
        assert_eq!(state.model.tabs.len(), tabs);
    }

    #[test]
    fn a_shell_that_never_comes_leaves_the_old_pane_with_the_reason() {
        let (mut state, old) = (state(), session_id("ended"));
        let (new, _) = reopened(&mut state);
        let effects = press(&mut state, "r");
        assert!(
            !effects
                .iter()
                .any(|effect| matches!(effect, Effect::Append(..))),
            "it is on its way already: {effects:?}"
        );
        fact(
            &mut state,
            SshFact::SessionClosed {
                session: new,
                exit: Exit::Unreachable("connection refused".to_owned()),
                bytes: 0,
                recording_error: None,
            },
        );
        assert_eq!(shown(&state), Some(View::Pane(old)));
        let failed = state
            .model
            .session(old)
            .and_then(|view| view.failed.clone());
        assert_eq!(failed.as_deref(), Some("connection refused"));
        assert!(state.model.session(new).is_none());
        // And once more.
        state.model.now = state.model.now.plus(2_000);
        let (again, _) = reopened(&mut state);
        assert_ne!(again, new);
        assert!(
            state
                .model
                .session(old)
                .is_some_and(|view| view.failed.is_none())
        );
    }

    #[test]
    fn who_dismisses_the_old_pane_wants_no_new_one() {
        let (mut state, old) = (state(), session_id("ended"));
        let (new, _) = reopened(&mut state);
        let mut fx = Vec::new();
        super::super::dismiss(&mut state, old, &mut fx);
        let closes = |id| {
            fx.iter().any(
                |effect| matches!(effect, Effect::Ssh(SshAsk::Close { session }) if *session == id),
            )
        };
        assert!(closes(old) && closes(new), "{fx:?}");
        assert!(state.model.tab_of(new).is_none() && state.model.session(new).is_none());
    }
}
