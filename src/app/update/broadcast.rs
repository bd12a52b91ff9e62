//! Typing into several sessions at once: a marked set only, told everywhere while it lasts, and over by itself soon.
//!
//! What is typed is kept nowhere; that it went to several sessions is written into the case of each.

use std::collections::BTreeSet;

use crate::app::effect::Effect;
use crate::app::event::Caller;
use crate::app::purpose::{Purpose, Then};
use crate::app::state::State;
use crate::command::{Answer, Outcome};
use crate::domain::case::{CaseEvent, EntryKind};
use crate::domain::ids::{SessionId, TicketId, WindowId};
use crate::domain::op::Value;
use crate::domain::time::short;
use crate::model::{Broadcasting, Level, SessionState};
use crate::ssh::SshAsk;
use crate::store::Batch;
use crate::ui::SessionInput;

use super::window;

/// A session that was in a broadcast, for its case.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    session: SessionId,
    host: String,
    ticket: Option<TicketId>,
}

/// Marks a session, or takes its mark away; one that loses its mark leaves the broadcast at once.
pub(super) fn mark(state: &mut State, session: SessionId, fx: &mut Vec<Effect>) {
    let live = state.model.session(session);
    let Some(host) = live
        .filter(|view| view.state == SessionState::Live)
        .map(|view| view.host.clone())
    else {
        return;
    };
    if state.model.broadcast.marked.remove(&session) {
        leave(state, session, &format!("{host} left the broadcast"), fx);
        return window::say(state, Level::Info, format!("{host} is not marked any more"));
    }
    state.model.broadcast.marked.insert(session);
    let count = state.model.broadcast.marked.len();
    let words = if state.model.broadcast.on.is_some() {
        format!("{host} is marked for the next broadcast; this one goes on without it")
    } else {
        format!("{host} is marked, {count} in all")
    };
    window::say(state, Level::Info, words);
}

/// Takes all marks away, which ends a broadcast.
pub(super) fn unmark(state: &mut State, fx: &mut Vec<Effect>) {
    state.model.broadcast.marked.clear();
    end(state, "the marks were taken away", fx);
}

/// Begins one. Without `production` its hosts are left out, whoever asks.
pub(super) fn begin(
    state: &mut State,
    window: WindowId,
    members: Vec<SessionId>,
    production: bool,
) {
    let model = &state.model;
    let may = |id: &SessionId| {
        let view = model.session(*id);
        view.is_some_and(|view| {
            view.state == SessionState::Live && (production || !model.is_production(&view.host))
        })
    };
    let members: BTreeSet<SessionId> = members.into_iter().filter(may).collect();
    if members.len() < 2 || model.broadcast.on.is_some() {
        return window::say(
            state,
            Level::Error,
            "no broadcast: it takes two live sessions, and one at a time".to_owned(),
        );
    }
    state.broadcast = members
        .iter()
        .filter_map(|id| state.model.session(*id))
        .map(|view| Member {
            session: view.id,
            host: view.host.clone(),
            ticket: state
                .sessions
                .get(&view.id)
                .and_then(|live| live.case.ticket),
        })
        .collect();
    let now = state.model.now;
    state.model.broadcast.on = Some(Broadcasting {
        members,
        window,
        since: now,
        last: now,
        keys: 0,
        pastes: 0,
    });
    let words = state.model.broadcast_words().unwrap_or_default();
    window::say(state, Level::Info, format!("a broadcast begins: {words}"));
}

/// Something is typed or pasted into `session`: the others of a broadcast get it too.
pub(super) fn typed(
    state: &mut State,
    session: SessionId,
    input: &SessionInput,
    fx: &mut Vec<Effect>,
) {
    let key = match input {
        SessionInput::Key(_) => true,
        SessionInput::Paste(_) => false,
        SessionInput::Mouse(_) | SessionInput::Focus(_) | SessionInput::Look(_) => return,
    };
    let Some(receivers) = state.model.receivers(session) else {
        return;
    };
    if receivers.alone {
        return;
    }
    let now = state.model.now;
    if let Some(on) = &mut state.model.broadcast.on {
        on.last = now;
        on.keys += u64::from(key);
        on.pastes += u64::from(!key);
    }
    for other in receivers.to.into_iter().filter(|other| *other != session) {
        fx.push(Effect::Ssh(match input.clone() {
            SessionInput::Key(key) => SshAsk::Key {
                session: other,
                key,
            },
            SessionInput::Paste(text) => SshAsk::Paste {
                session: other,
                text,
            },
            SessionInput::Mouse(_) | SessionInput::Focus(_) | SessionInput::Look(_) => continue,
        }));
    }
}

/// A session ended: it leaves, and everybody is told, because one receiver less is something to know.
pub(super) fn lost(state: &mut State, session: SessionId, why: &str, fx: &mut Vec<Effect>) {
    state.model.broadcast.marked.remove(&session);
    let host = state.model.session(session).map(|view| view.host.clone());
    let words = format!("{} left the broadcast: {why}", host.unwrap_or_default());
    leave(state, session, &words, fx);
}

fn leave(state: &mut State, session: SessionId, words: &str, fx: &mut Vec<Effect>) {
    let Some(on) = &mut state.model.broadcast.on else {
        return;
    };
    if !on.members.remove(&session) {
        return;
    }
    if on.members.len() < 2 {
        end(state, &format!("{words}, and one alone is left"), fx);
    } else {
        super::warn(state, words.to_owned());
    }
}

/// Time passed: one that nobody types into any more ends.
pub(super) fn tick(state: &mut State, fx: &mut Vec<Effect>) {
    let Some(on) = &state.model.broadcast.on else {
        return;
    };
    let quiet = state.model.now.since(on.last);
    if quiet >= state.setup.guard.broadcast_ms {
        let words = format!("nothing was typed for {}", short(quiet));
        end(state, &words, fx);
    }
}

/// A window left: the broadcast that it began ends.
pub(super) fn window_left(state: &mut State, window: WindowId, fx: &mut Vec<Effect>) {
    let on = state.model.broadcast.on.as_ref();
    if on.is_some_and(|on| on.window == window) {
        end(state, "its window left", fx);
    }
}

/// Ends it and writes into the case of each member that it was one, with how much was typed and never what.
pub(super) fn end(state: &mut State, why: &str, fx: &mut Vec<Effect>) {
    let Some(on) = state.model.broadcast.on.take() else {
        return;
    };
    super::warn(state, format!("the broadcast is over: {why}"));
    let members = std::mem::take(&mut state.broadcast);
    if on.keys + on.pastes == 0 {
        return;
    }
    let now = state.model.now;
    let count = |number: u64, noun: &str| match number {
        1 => format!("1 {noun}"),
        number => format!("{number} {noun}s"),
    };
    let amount = match (on.keys, on.pastes) {
        (keys, 0) => count(keys, "key"),
        (0, pastes) => count(pastes, "paste"),
        (keys, pastes) => format!("{} and {}", count(keys, "key"), count(pastes, "paste")),
    };
    let lasted = short(now.since(on.since));
    let drafts = members
        .iter()
        .map(|member| {
            let others = members
                .iter()
                .filter(|other| other.session != member.session);
            let others: Vec<&str> = others.map(|other| other.host.as_str()).collect();
            let text = format!(
                "broadcast to {} and {} for {lasted}: {amount}",
                member.host,
                others.join(", ")
            );
            let mut case = CaseEvent::new(
                state.mint.entity(),
                now,
                EntryKind::Session,
                &state.model.me,
                text,
            );
            (case.ticket, case.host, case.session) = (
                member.ticket,
                Some(member.host.clone()),
                Some(member.session),
            );
            case.data.insert(
                "broadcast".to_owned(),
                Value::Int(i64::try_from(members.len()).unwrap_or(i64::MAX)),
            );
            case.draft()
        })
        .collect();
    let then = Then::Answer(Box::new(Outcome::ok(Answer::Silent)));
    let purpose = Purpose::Commit(Caller::Window(on.window), then);
    super::append(
        state,
        Batch {
            drafts,
            local: Vec::new(),
        },
        purpose,
        fx,
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::event::{Event, WindowEvent};
    use crate::app::update::bench::{WINDOW, press, state as bench_state};
    use crate::app::update::update;
    use crate::domain::key::Key;
    use crate::model::SessionView;
    use crate::model::sample::session_id;
    use crate::ssh::SshFact;
    use crate::term::{Emulator, Size};
    use crate::ui::{UiInput, View};

    /// A state with live sessions on hosts that are no production hosts, all marked, but for `prod`.
    fn state(names: &[&str], prod: &[&str]) -> State {
        let mut state = bench_state();
        let mut hosts = Vec::new();
        state.model.sessions.clear();
        for name in names {
            let mut host = crate::domain::host::Host::named(name);
            if prod.contains(name) {
                host.tags.push("prod".to_owned());
            }
            hosts.push(host);
            let mut view = SessionView::opening(session_id(name), name, None);
            view.state = SessionState::Live;
            view.reference = format!("S-{name}");
            state.model.sessions.push(view);
        }
        state.model.hosts = hosts.into();
        state
    }

    fn show(state: &mut State, name: &str) {
        window::open(state, WINDOW, View::Pane(session_id(name)));
    }

    /// Who gets a key, in order.
    fn receivers(effects: &[Effect]) -> Vec<SessionId> {
        effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Ssh(SshAsk::Key { session, .. } | SshAsk::Paste { session, .. }) => {
                    Some(*session)
                }
                _ => None,
            })
            .collect()
    }

    fn ids(names: &[&str]) -> BTreeSet<SessionId> {
        names.iter().map(|name| session_id(name)).collect()
    }

    fn to(effects: &[Effect]) -> BTreeSet<SessionId> {
        receivers(effects).into_iter().collect()
    }

    /// Marks all sessions and begins.
    fn begun(names: &[&str], prod: &[&str], keys: &str) -> State {
        let mut state = state(names, prod);
        for name in names {
            show(&mut state, name);
            press(&mut state, "Ctrl-] m");
        }
        show(&mut state, names[0]);
        press(&mut state, &format!("Ctrl-] B {keys}"));
        state
    }

    fn alt_screen(state: &mut State, name: &str, on: bool) {
        let mut emulator = Emulator::new(Size::new(80, 22));
        if on {
            emulator.feed(b"\x1b[?1049h");
        }
        let event = Event::Screen(session_id(name), emulator.screen());
        drop(update(state, event));
    }

    #[test]
    fn keys_and_pastes_go_to_the_marked_set_only() {
        let mut state = begun(&["a", "b", "c"], &[], "Enter");
        assert!(state.model.broadcast.on.is_none(), "Cancel is the default");
        assert_eq!(to(&press(&mut state, "x")), ids(&["a"]));
        press(&mut state, "Ctrl-] B y");
        assert_eq!(to(&press(&mut state, "x")), ids(&["a", "b", "c"]));
        assert_eq!(receivers(&press(&mut state, "Enter")).len(), 3, "each once");
        let mut other = SessionView::opening(session_id("d"), "d", None);
        other.state = SessionState::Live;
        state.model.sessions.push(other);
        show(&mut state, "d");
        assert_eq!(
            to(&press(&mut state, "x")),
            ids(&["d"]),
            "outside of the set"
        );
        show(&mut state, "b");
        let input = WindowEvent::Input(UiInput::Paste("uptime".to_owned()));
        assert!(receivers(&update(&mut state, Event::Window(WINDOW, input))).is_empty());
        assert_eq!(
            to(&press(&mut state, "y")),
            ids(&["a", "b", "c"]),
            "a paste to several is shown first"
        );
        press(&mut state, "Ctrl-] B");
        assert_eq!(to(&press(&mut state, "x")), ids(&["b"]), "switched off");
    }

    #[test]
    fn production_is_in_only_by_its_word() {
        let mut state = begun(&["a", "b", "db"], &["db"], "y");
        assert_eq!(to(&press(&mut state, "x")), ids(&["a", "b"]));
        let mut state = begun(&["a", "b", "db"], &["db"], "p p r o d u c t i o n Enter");
        assert_eq!(to(&press(&mut state, "x")), ids(&["a", "b", "db"]));
        // Whoever asks: the rule is kept where keys are sent.
        let mut plain = self::state(&["a", "db"], &["db"]);
        begin(
            &mut plain,
            WINDOW,
            vec![session_id("a"), session_id("db")],
            false,
        );
        assert!(plain.model.broadcast.on.is_none());
    }

    #[test]
    fn full_screen_programs_are_skipped_and_shown_as_skipped() {
        let mut state = begun(&["a", "b", "c"], &[], "y");
        alt_screen(&mut state, "b", true);
        assert_eq!(to(&press(&mut state, "x")), ids(&["a", "c"]));
        let words = state.model.broadcast_words();
        assert_eq!(words.as_deref(), Some("BROADCAST to 2, 1 skipped"));
        show(&mut state, "b");
        assert_eq!(
            to(&press(&mut state, "x")),
            ids(&["b"]),
            "what is typed into an editor is meant for it alone"
        );
        alt_screen(&mut state, "b", false);
        assert_eq!(to(&press(&mut state, "x")), ids(&["a", "b", "c"]));
    }

    #[test]
    fn who_ends_leaves_and_one_alone_is_no_broadcast() {
        let mut state = begun(&["a", "b", "c"], &[], "y");
        let end = |state: &mut State, name: &str| {
            let fact = SshFact::SessionClosed {
                session: session_id(name),
                exit: crate::domain::run::Exit::Unreachable("connection lost".to_owned()),
                bytes: 0,
                recording_error: None,
            };
            update(state, Event::Ssh(Box::new(fact)))
        };
        end(&mut state, "c");
        let told = |state: &State, words: &str| {
            let mut notices = state.model.notices.iter();
            notices.any(|notice| notice.text.contains(words))
        };
        assert!(told(&state, "c left the broadcast: connection lost"));
        assert_eq!(to(&press(&mut state, "x")), ids(&["a", "b"]));
        end(&mut state, "b");
        assert!(state.model.broadcast.on.is_none());
        assert!(told(&state, "the broadcast is over"));
        assert!(!state.model.broadcast.marked.contains(&session_id("b")));
    }

    #[test]
    fn it_ends_by_itself_and_with_its_window() {
        let mut state = begun(&["a", "b"], &[], "y");
        let later = |state: &mut State, millis: i64| {
            let now = state.model.now.plus(millis);
            drop(update(state, Event::Tick(now)));
        };
        later(&mut state, 299_000);
        press(&mut state, "x");
        later(&mut state, 299_000);
        assert!(state.model.broadcast.on.is_some(), "a key keeps it on");
        later(&mut state, 2_000);
        assert!(state.model.broadcast.on.is_none());
        let mut state = begun(&["a", "b"], &[], "y");
        state.setup.served = true;
        drop(update(
            &mut state,
            Event::Window(WINDOW, WindowEvent::Closed),
        ));
        assert!(state.model.broadcast.on.is_none());
    }

    #[test]
    fn that_it_was_is_recorded_and_never_what_was_typed() {
        let mut state = begun(&["a", "b"], &[], "y");
        for c in "hunter2".chars() {
            let input = WindowEvent::Input(UiInput::Key(Key::char(c)));
            drop(update(&mut state, Event::Window(WINDOW, input)));
        }
        let effects = press(&mut state, "Ctrl-] B");
        let Some(Effect::Append(_, batch)) = effects
            .iter()
            .find(|effect| matches!(effect, Effect::Append(..)))
        else {
            unreachable!("it is recorded: {effects:?}")
        };
        let written = format!("{batch:?}");
        assert_eq!(batch.drafts.len(), 2, "one for each");
        assert!(written.contains("broadcast to a and b") && written.contains("7 keys"));
        assert!(
            !written.contains("hunter2") && !written.contains("'h'"),
            "{written}"
        );
    }

    #[test]
    fn enlarging_a_member_asks() {
        let mut state = begun(&["a", "b"], &[], "y");
        let asked = state.model.zoom_question(session_id("a"));
        assert!(asked.is_some_and(|lines| lines.iter().any(|line| line.contains("goes to b"))));
        press(&mut state, "Ctrl-] B");
        assert_eq!(state.model.zoom_question(session_id("a")), None);
    }
}
