//! What calls people to a session that they do not look at: output, the bell, silence, a line that they wait for, and a
//! recording that stopped.

use crate::app::effect::{Call, Effect};
use crate::app::state::State;
use crate::command::Monitored;
use crate::domain::ids::{ReqId, SessionId, WindowId};
use crate::domain::text::line;
use crate::domain::time::{Time, short};
use crate::model::{Level, SessionState};
use crate::ssh::SshAsk;

use super::window;

/// The shortest time between two bells, in milliseconds: a program that rings all the time is a nuisance once.
const BELLS: u64 = 1_000;

/// How much of a line is told, in characters.
const TOLD: usize = 120;

/// What is kept of a session to know when it calls.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Watched {
    /// The watcher of its pattern.
    req: Option<ReqId>,
    /// When it last wrote something, as far as somebody waits for silence.
    wrote: Time,
    /// It called for output since somebody looked.
    called: bool,
    /// It called for silence since it last wrote something.
    quiet: bool,
}

/// Says what is to call in a session.
pub(super) fn monitor(
    state: &mut State,
    session: SessionId,
    what: Monitored,
    fx: &mut Vec<Effect>,
) {
    let now = state.model.now;
    let Some(view) = state.model.session_mut(session) else {
        return;
    };
    let host = view.host.clone();
    let watched = state.watched.entry(session).or_default();
    let words = match what {
        Monitored::Activity(on) => {
            view.monitor.activity = on;
            (watched.called, view.activity) = (false, false);
            if on {
                "calls when it writes something".to_owned()
            } else {
                "does not call for output".to_owned()
            }
        }
        Monitored::Bell(on) => {
            view.monitor.bell = on;
            if on {
                "calls when it rings".to_owned()
            } else {
                "does not call for its bell".to_owned()
            }
        }
        Monitored::Silence(seconds) => {
            (view.monitor.silence, view.monitor.silent) = (seconds, false);
            (watched.wrote, watched.quiet) = (now, false);
            seconds.map_or_else(
                || "does not call for silence".to_owned(),
                |seconds| format!("calls after {seconds}s of silence"),
            )
        }
        Monitored::Pattern(pattern) => {
            let old = watched.req.take();
            fx.extend(old.map(|req| Effect::Ssh(SshAsk::Unwatch { req, session })));
            view.monitor.pattern.clone_from(&pattern);
            view.monitor.matched = None;
            match pattern {
                None => "calls for no line any more".to_owned(),
                Some(pattern) => {
                    let req = state.mint.request();
                    watched.req = Some(req);
                    let words = format!("calls when it writes {pattern}");
                    fx.push(Effect::Ssh(SshAsk::Watch {
                        req,
                        session,
                        patterns: vec![pattern],
                        already: false,
                    }));
                    words
                }
            }
        }
    };
    window::say(state, Level::Info, format!("{host} {words}"));
}

/// A session rang, or wrote something.
pub(super) fn called(state: &mut State, id: SessionId, bell: bool, fx: &mut Vec<Effect>) {
    let now = state.model.now;
    if let Some(watched) = state.watched.get_mut(&id) {
        (watched.wrote, watched.quiet) = (now, false);
    }
    let looking = looking(state, id);
    let Some(view) = state.model.session_mut(id) else {
        return;
    };
    view.monitor.silent = false;
    if !looking.is_empty() {
        // A terminal rings where one looks at it.
        if bell && view.monitor.bell {
            ring(state, &looking, None, fx);
        }
        return;
    }
    let (rang, watches) = (view.bell, view.monitor.activity);
    view.bell |= bell;
    view.activity = true;
    let host = view.host.clone();
    if bell && view.monitor.bell && !rang {
        call(state, &format!("{host} rang"), fx);
    }
    let watched = state.watched.entry(id).or_default();
    if !bell && watches && !std::mem::replace(&mut watched.called, true) {
        call(state, &format!("{host} wrote something"), fx);
    }
}

/// A watched line was written; false when the watcher is none of ours.
pub(super) fn matched(
    state: &mut State,
    id: SessionId,
    req: ReqId,
    found: &str,
    fx: &mut Vec<Effect>,
) -> bool {
    let watched = state.watched.get(&id);
    if watched.is_none_or(|watched| watched.req != Some(req)) {
        return false;
    }
    let looking = !looking(state, id).is_empty();
    let Some(view) = state.model.session_mut(id).filter(|_| !looking) else {
        return true;
    };
    let told: String = line(found.trim()).chars().take(TOLD).collect();
    // The first line called; the last is what is shown.
    let first = view.monitor.matched.replace(told.clone()).is_none();
    let host = view.host.clone();
    if first {
        call(state, &format!("{host}: {told}"), fx);
    }
    true
}

/// Time passed: who waits for silence may have it.
pub(super) fn tick(state: &mut State, fx: &mut Vec<Effect>) {
    let now = state.model.now;
    let mut silent = Vec::new();
    for view in &state.model.sessions {
        let (Some(seconds), Some(watched)) =
            (view.monitor.silence, state.watched.get_mut(&view.id))
        else {
            continue;
        };
        let quiet = now.since(watched.wrote);
        let long = quiet >= u64::from(seconds) * 1_000 && view.state == SessionState::Live;
        if long && !std::mem::replace(&mut watched.quiet, true) {
            silent.push((view.id, quiet));
        }
    }
    for (id, quiet) in silent {
        // Whoever looks sees it.
        let looking = !looking(state, id).is_empty();
        if let Some(view) = state.model.session_mut(id).filter(|_| !looking) {
            view.monitor.silent = true;
            let words = format!("{} has been silent for {}", view.host, short(quiet));
            call(state, &words, fx);
        }
    }
}

/// Before a frame: what is on a screen does not call any more.
pub(super) fn looked(state: &mut State) {
    let seen: Vec<SessionId> = state
        .windows
        .values()
        .flat_map(|ui| ui.on_screen())
        .collect();
    for id in seen {
        if let Some(view) = state.model.session_mut(id) {
            view.looked_at();
        }
        if let Some(watched) = state.watched.get_mut(&id) {
            watched.called = false;
        }
    }
}

/// A session ended: nothing of it is watched for.
pub(super) fn closed(state: &mut State, id: SessionId) {
    state.watched.remove(&id);
    if let Some(view) = state.model.session_mut(id) {
        view.monitor.silence = None;
        view.monitor.pattern = None;
    }
}

/// What a session shows is no longer recorded.
pub(super) fn recording_stopped(
    state: &mut State,
    session: SessionId,
    why: &str,
    fx: &mut Vec<Effect>,
) {
    let Some(view) = state.model.session_mut(session) else {
        return;
    };
    view.recording = false;
    let words = format!("{} is NOT RECORDED any more: {why}; it goes on", view.host);
    call(state, &words, fx);
}

/// The windows that show a session.
fn looking(state: &State, id: SessionId) -> Vec<WindowId> {
    let windows = state.windows.iter();
    let windows = windows.filter(|(_, ui)| ui.on_screen().contains(&id));
    windows.map(|(window, _)| *window).collect()
}

/// Calls everybody: a notice, and the bell of every window.
fn call(state: &mut State, words: &str, fx: &mut Vec<Effect>) {
    super::warn(state, words.to_owned());
    let windows: Vec<WindowId> = state.windows.keys().copied().collect();
    ring(state, &windows, Some(words), fx);
}

/// Rings the bell of these windows, and asks for a notification of the desktop if there are words for one.
fn ring(state: &mut State, windows: &[WindowId], words: Option<&str>, fx: &mut Vec<Effect>) {
    let alerts = state.setup.guard.alerts;
    let now = state.model.now;
    let bell = alerts.bell && now.since(state.rang) >= BELLS;
    if bell {
        state.rang = now;
    }
    let desktop = words.map(line).zip(alerts.desktop);
    if !bell && desktop.is_none() {
        return;
    }
    for window in windows {
        let desktop = desktop.clone();
        fx.push(Effect::Call(*window, Call { bell, desktop }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::event::Event;
    use crate::app::update::bench::{WINDOW, press, state};
    use crate::app::update::{lay_out, update};
    use crate::model::sample::session_id;
    use crate::ssh::SshFact;
    use crate::ui::View;

    fn fact(state: &mut State, fact: SshFact) -> Vec<Effect> {
        update(state, Event::Ssh(Box::new(fact)))
    }

    fn bells(effects: &[Effect]) -> usize {
        let rings = |effect: &&Effect| matches!(effect, Effect::Call(_, Call { bell: true, .. }));
        effects.iter().filter(rings).count()
    }

    fn sign(state: &State, id: SessionId) -> Option<char> {
        state.model.session(id).and_then(|view| view.sign())
    }

    fn later(state: &mut State, millis: i64) -> Vec<Effect> {
        let now = state.model.now.plus(millis);
        update(state, Event::Tick(now))
    }

    fn last(state: &State) -> String {
        let last = state.model.notices.last();
        last.map_or_else(String::new, |notice| notice.text.clone())
    }

    #[test]
    fn a_bell_in_the_background_calls_once_until_somebody_looks() {
        let (mut state, id) = (state(), session_id("live bastion"));
        let bell = SshFact::SessionBell { session: id };
        assert_eq!(bells(&fact(&mut state, bell)), 1);
        assert_eq!(
            (sign(&state, id), last(&state)),
            (Some('!'), "bastion rang".to_owned())
        );
        later(&mut state, 2_000);
        let bell = SshFact::SessionBell { session: id };
        assert_eq!(bells(&fact(&mut state, bell)), 0, "it called already");
        window::open(&mut state, WINDOW, View::Pane(id));
        drop(lay_out(&mut state));
        assert_eq!(sign(&state, id), None, "looked at");
        later(&mut state, 2_000);
        let bell = SshFact::SessionBell { session: id };
        assert_eq!(bells(&fact(&mut state, bell)), 1, "the terminal's own bell");
        assert_eq!(sign(&state, id), None);
        state.setup.guard.alerts.bell = false;
        later(&mut state, 2_000);
        let bell = SshFact::SessionBell { session: id };
        assert_eq!(bells(&fact(&mut state, bell)), 0, "switched off");
    }

    #[test]
    fn output_calls_only_where_that_is_wanted() {
        let (mut state, id) = (state(), session_id("live web1"));
        let output = || SshFact::SessionActivity { session: id };
        assert_eq!(bells(&fact(&mut state, output())), 0);
        assert_eq!(sign(&state, id), Some('+'));
        monitor(&mut state, id, Monitored::Activity(true), &mut Vec::new());
        assert_eq!(bells(&fact(&mut state, output())), 1);
        assert_eq!(last(&state), "web1 wrote something");
    }

    #[test]
    fn silence_calls_once_until_there_was_output() {
        let (mut state, id) = (state(), session_id("live web1"));
        monitor(
            &mut state,
            id,
            Monitored::Silence(Some(30)),
            &mut Vec::new(),
        );
        assert_eq!(bells(&later(&mut state, 29_000)), 0);
        assert_eq!(bells(&later(&mut state, 2_000)), 1);
        assert_eq!(sign(&state, id), Some('~'));
        assert_eq!(bells(&later(&mut state, 60_000)), 0);
        fact(&mut state, SshFact::SessionActivity { session: id });
        assert_ne!(sign(&state, id), Some('~'));
        assert_eq!(bells(&later(&mut state, 31_000)), 1, "and again");
    }

    #[test]
    fn a_line_that_is_waited_for_calls_with_its_words() {
        let (mut state, id) = (state(), session_id("live web1"));
        let mut fx = Vec::new();
        let what = Monitored::Pattern(Some("ERR.*".to_owned()));
        monitor(&mut state, id, what, &mut fx);
        let [
            Effect::Ssh(SshAsk::Watch {
                req,
                already: false,
                ..
            }),
        ] = fx.as_slice()
        else {
            unreachable!("it is watched for: {fx:?}")
        };
        let req = *req;
        let found = |req| SshFact::Matched {
            req,
            session: id,
            line: "ERROR \u{1b}[2J here".to_owned(),
            more: 0,
        };
        assert_eq!(
            bells(&fact(&mut state, found(ReqId(987_654)))),
            0,
            "another watcher's"
        );
        assert_eq!(bells(&fact(&mut state, found(req))), 1);
        assert_eq!(
            (sign(&state, id), last(&state)),
            (Some('/'), "web1: ERROR ␛[2J here".to_owned())
        );
        press(&mut state, "3");
        let effects = press(&mut state, "a");
        drop(effects);
        let view = state.windows.get(&WINDOW).map(|ui| ui.view().clone());
        assert_eq!(
            view,
            Some(View::Pane(id)),
            "the key goes to the session that calls"
        );
        let mut fx = Vec::new();
        monitor(&mut state, id, Monitored::Pattern(None), &mut fx);
        assert!(matches!(
            fx.as_slice(),
            [Effect::Ssh(SshAsk::Unwatch { .. })]
        ));
    }

    #[test]
    fn the_end_of_a_recording_is_told_loudly() {
        let (mut state, id) = (state(), session_id("live web1"));
        let stopped = SshFact::RecordingStopped {
            session: id,
            why: "the disk is full".to_owned(),
        };
        assert_eq!(bells(&fact(&mut state, stopped)), 1);
        assert!(last(&state).contains("web1 is NOT RECORDED any more: the disk is full"));
        assert!(!state.model.session(id).is_some_and(|view| view.recording));
    }
}
