//! Sessions whose connection was lost: their host is tried again in the background, once for all of its panes, and when it
//! answers they say so, or open again by themselves. Nobody is asked anything here; that is for whoever presses a key.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::app::effect::Effect;
use crate::app::event::Caller;
use crate::app::state::State;
use crate::config::Reconnect;
use crate::domain::ids::{ReqId, SessionId, WindowId};
use crate::domain::time::Time;
use crate::model::{Level, Lost, SessionState};
use crate::ssh::{Reach, SshAsk};

use super::anew;
use crate::app::update::gather;
use crate::app::update::window::say;

/// For how many minutes a host is tried that does not answer. Hours later nobody waits for it any more, and a shell that comes
/// up then would be a surprise.
const MINUTES: u64 = 30;

/// The most that two ticks are apart, in milliseconds: a machine that slept has not tried anything meanwhile.
const APART: u64 = 2_000;

/// How many shells are opened at the same time.
const AT_ONCE: usize = 4;

/// How often a shell that does not come, though its host answers, is opened by itself.
const TRIES: u8 = 3;

/// A session that opened by itself and is lost again so soon, in milliseconds, does not open by itself once more: a host that
/// throws everybody out would be asked again and again.
const YOUNG: u64 = 30_000;

/// What is known of lost sessions besides what their panes say.
#[derive(Debug, Default)]
pub(crate) struct Rejoin {
    /// The hosts that are being tried.
    hosts: BTreeMap<String, Host>,
    /// What is to open by itself. It holds no more than there are sessions.
    waiting: VecDeque<SessionId>,
    /// What is opening by itself, by the session that ended.
    begun: BTreeSet<SessionId>,
    /// How often each was opened by itself in vain.
    tries: BTreeMap<SessionId, u8>,
    /// When those came that opened by themselves.
    came: BTreeMap<SessionId, Time>,
    /// Those that a person has to open, because they were lost again too soon.
    wary: BTreeSet<SessionId>,
    ticked: Option<Time>,
}

#[derive(Debug)]
struct Host {
    req: ReqId,
    /// For how long it was tried, in milliseconds.
    spent: u64,
    /// What its panes say now.
    state: Lost,
}

/// The connection of a session broke.
pub(in crate::app::update) fn lost(state: &mut State, id: SessionId, fx: &mut Vec<Effect>) {
    let now = state.model.now;
    let came = state.tabs.rejoin.came.remove(&id);
    if came.is_some_and(|came| now.since(came) < YOUNG) {
        state.tabs.rejoin.wary.insert(id);
    }
    let live = state.model.session(id);
    let live = live.filter(|view| view.state == SessionState::Live && state.stopping.is_none());
    let Some(host) = live.map(|view| view.host.clone()) else {
        return;
    };
    if policy(state, &host) != Reconnect::Off {
        seek(state, id, host, fx);
    }
}

fn policy(state: &State, host: &str) -> Reconnect {
    let production = state.model.is_production(host);
    state.setup.guard.reconnect.on(production)
}

/// Sees to it that a host is being tried, for one more of its panes.
fn seek(state: &mut State, id: SessionId, host: String, fx: &mut Vec<Effect>) {
    let known = state.tabs.rejoin.hosts.get(&host);
    let lost = known.map_or(Lost::Trying, |known| known.state.clone());
    if known.is_none() {
        let req = state.mint.request();
        let target = gather::target(state, &host);
        fx.push(Effect::Ssh(SshAsk::Reach { req, target }));
        let known = Host {
            req,
            spent: 0,
            state: Lost::Trying,
        };
        state.tabs.rejoin.hosts.insert(host, known);
    }
    if let Some(view) = state.model.session_mut(id) {
        view.lost = Some(lost);
    }
}

/// How far it is with a host that is being tried.
pub(in crate::app::update) fn told(
    state: &mut State,
    req: ReqId,
    reach: Reach,
    fx: &mut Vec<Effect>,
) {
    let mut hosts = state.tabs.rejoin.hosts.iter();
    let known = hosts.find(|(_, host)| host.req == req);
    let Some(host) = known.map(|(name, _)| name.clone()) else {
        return;
    };
    match reach {
        Reach::Trying => say_all(state, &host, &Lost::Trying),
        Reach::Waiting(pause) => {
            let pause = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
            let next = state.model.now.plus(pause);
            say_all(state, &host, &Lost::Waiting(next));
        }
        Reach::Answered => answered(state, &host, fx),
        Reach::Person(why) => {
            say_all(state, &host, &Lost::Person(why.clone()));
            state.tabs.rejoin.hosts.remove(&host);
            let words = format!("{host} is not tried again by itself: {why}");
            say(state, Level::Warn, words);
        }
    }
}

/// A connection is there, whoever made it.
pub(in crate::app::update) fn answered(state: &mut State, host: &str, fx: &mut Vec<Effect>) {
    if let Some(known) = state.tabs.rejoin.hosts.remove(host) {
        fx.push(Effect::Ssh(SshAsk::ReachStop { req: known.req }));
    }
    let open = policy(state, host) == Reconnect::Open;
    let rejoin = &mut state.tabs.rejoin;
    let mut count = 0;
    for view in &mut state.model.sessions {
        let waits = !matches!(view.lost, None | Some(Lost::Answers | Lost::Opening));
        if view.host != host || !waits {
            continue;
        }
        count += 1;
        if open && !rejoin.wary.contains(&view.id) {
            view.lost = Some(Lost::Opening);
            rejoin.waiting.push_back(view.id);
        } else {
            view.lost = Some(Lost::Answers);
        }
    }
    if count > 0 {
        say(state, Level::Info, format!("{host} answers again"));
    }
    pump(state, fx);
}

/// What the panes say that wait for a host.
fn say_all(state: &mut State, host: &str, lost: &Lost) {
    for view in &mut state.model.sessions {
        if view.host == host && matches!(view.lost, Some(Lost::Trying | Lost::Waiting(_))) {
            view.lost = Some(lost.clone());
        }
    }
    if let Some(known) = state.tabs.rejoin.hosts.get_mut(host) {
        known.state = lost.clone();
    }
}

/// Time passed: hosts are not tried for ever, nor when nobody waits for them.
pub(in crate::app::update) fn tick(state: &mut State, fx: &mut Vec<Effect>) {
    let now = state.model.now;
    let rejoin = &mut state.tabs.rejoin;
    let since = rejoin.ticked.replace(now).unwrap_or(now);
    let passed = now.since(since).min(APART);
    let sessions = &state.model.sessions;
    let known = |id: &SessionId| sessions.iter().any(|view| view.id == *id);
    rejoin.tries.retain(|id, _| known(id));
    rejoin.came.retain(|id, _| known(id));
    rejoin.wary.retain(known);
    let mut late = Vec::new();
    rejoin.hosts.retain(|name, host| {
        host.spent += passed;
        let waits = |lost: &Lost| matches!(lost, Lost::Trying | Lost::Waiting(_));
        let wanted = sessions
            .iter()
            .any(|view| view.host == *name && view.lost.as_ref().is_some_and(waits));
        let over = host.spent >= MINUTES * 60_000;
        if over && wanted {
            late.push(name.clone());
        }
        if over || !wanted {
            fx.push(Effect::Ssh(SshAsk::ReachStop { req: host.req }));
        }
        wanted && !over
    });
    for host in late {
        say_all(state, &host, &Lost::GivenUp(MINUTES));
        let words = format!("{host} did not answer for {MINUTES} min and is not tried any more");
        say(state, Level::Warn, words);
    }
    pump(state, fx);
}

/// Opens the next ones that open by themselves, a few at a time.
pub(super) fn pump(state: &mut State, fx: &mut Vec<Effect>) {
    let mut begun = std::mem::take(&mut state.tabs.rejoin.begun);
    begun.retain(|id| anew::is_under_way(state, *id));
    state.tabs.rejoin.begun = begun;
    for _ in 0..state.tabs.rejoin.waiting.len() {
        if state.tabs.rejoin.begun.len() >= AT_ONCE {
            return;
        }
        let Some(id) = state.tabs.rejoin.waiting.pop_front() else {
            return;
        };
        let opening = |lost: &Lost| *lost == Lost::Opening;
        let view = state.model.session(id);
        let view = view.filter(|view| view.lost.as_ref().is_some_and(opening));
        match view.map(|view| &view.state) {
            // Its end is about to be told.
            Some(SessionState::Live | SessionState::Opening(_)) => {
                state.tabs.rejoin.waiting.push_back(id);
            }
            Some(SessionState::Closed(_)) if !anew::is_under_way(state, id) => {
                state.tabs.rejoin.begun.insert(id);
                // Whoever sees the pane is told if it cannot be; there may be no window at all.
                let window = state.windows.keys().next().copied();
                let caller = Caller::Window(window.unwrap_or(WindowId(0)));
                anew::begin(state, caller, id, fx);
            }
            Some(SessionState::Closed(_)) | None => {}
        }
    }
}

/// Whether what comes in the place of an ended session opens by itself.
pub(super) fn is_quiet(state: &State, old: SessionId) -> bool {
    state.tabs.rejoin.begun.contains(&old)
}

/// A person wants an ended session opened: from now on what comes is that person's.
pub(super) fn wanted(state: &mut State, old: SessionId) {
    state.tabs.rejoin.begun.remove(&old);
    state.tabs.rejoin.waiting.retain(|id| *id != old);
    let coming = state.model.successor(old).map(|coming| coming.id);
    if let Some(view) = coming.and_then(|id| state.model.session_mut(id)) {
        view.quiet = false;
    }
}

/// A session that opened by itself is there.
pub(super) fn came(state: &mut State, new: SessionId) {
    let now = state.model.now;
    if let Some(view) = state.model.session_mut(new)
        && std::mem::take(&mut view.quiet)
    {
        state.tabs.rejoin.came.insert(new, now);
    }
}

/// The shell of a session never came; `quiet` if it would have opened by itself.
pub(super) fn fell(
    state: &mut State,
    old: SessionId,
    why: &str,
    quiet: bool,
    fx: &mut Vec<Effect>,
) {
    state.tabs.rejoin.begun.remove(&old);
    let Some(view) = state.model.session_mut(old) else {
        return;
    };
    if !quiet {
        // Whoever tried it knows more than what was said before; a host that is still being tried goes on being tried.
        view.lost = view
            .lost
            .take()
            .filter(|lost| matches!(lost, Lost::Trying | Lost::Waiting(_)));
        return;
    }
    let tries = state.tabs.rejoin.tries.entry(old).or_default();
    *tries = tries.saturating_add(1);
    if *tries >= TRIES {
        view.lost = Some(Lost::Person(why.to_owned()));
    } else {
        let host = view.host.clone();
        seek(state, old, host, fx);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::app::event::Event;
    use crate::app::update::bench::{WINDOW, press, state};
    use crate::app::update::{lay_out, update};
    use crate::domain::ids::EntityId;
    use crate::domain::run::Exit;
    use crate::model::SessionView;
    use crate::ssh::SshFact;
    use crate::ui::View;

    fn id(number: u8) -> SessionId {
        SessionId(EntityId::from_bytes([number; 16]))
    }

    fn fact(state: &mut State, fact: SshFact) -> Vec<Effect> {
        update(state, Event::Ssh(Box::new(fact)))
    }

    /// So many live sessions on this host lose their connection.
    fn scene(count: u8, host: &str, reconnect: Reconnect) -> (State, Vec<Effect>) {
        let mut state = state();
        state.setup.guard.reconnect = reconnect;
        for number in 1..=count {
            let mut view = SessionView::opening(id(number), host, None);
            view.reference = format!("S-0{number:03}");
            view.state = SessionState::Live;
            state.model.sessions.push(view);
        }
        drop(lay_out(&mut state));
        let mut effects = Vec::new();
        for number in 1..=count {
            effects.extend(break_off(&mut state, id(number)));
        }
        (state, effects)
    }

    fn break_off(state: &mut State, session: SessionId) -> Vec<Effect> {
        let mut effects = fact(state, SshFact::SessionLost { session });
        let closed = SshFact::SessionClosed {
            session,
            exit: Exit::Unreachable("the connection was lost".to_owned()),
            bytes: 0,
            recording_error: None,
        };
        effects.extend(fact(state, closed));
        effects
    }

    fn reaches(effects: &[Effect]) -> Vec<ReqId> {
        let reach = |effect: &Effect| match effect {
            Effect::Ssh(SshAsk::Reach { req, .. }) => Some(*req),
            _ => None,
        };
        effects.iter().filter_map(reach).collect()
    }

    fn told(state: &mut State, req: ReqId, reach: Reach) -> Vec<Effect> {
        fact(state, SshFact::Reach { req, state: reach })
    }

    fn coming(state: &State) -> Vec<SessionId> {
        let sessions = state.model.sessions.iter();
        let coming = sessions.filter(|session| session.instead.is_some());
        coming.map(|session| session.id).collect()
    }

    fn says(state: &State, session: SessionId) -> Option<Lost> {
        state
            .model
            .session(session)
            .and_then(|view| view.lost.clone())
    }

    fn pass(state: &mut State, millis: i64) -> Vec<Effect> {
        let now = state.model.now.plus(millis);
        update(state, Event::Tick(now))
    }

    #[test]
    fn fifty_panes_of_one_host_are_one_attempt_and_open_a_few_at_a_time() {
        let (mut state, effects) = scene(50, "lab7", Reconnect::Auto);
        let reqs = reaches(&effects);
        let [req] = reqs.as_slice() else {
            unreachable!("one attempt: {reqs:?}")
        };
        assert_eq!(says(&state, id(50)), Some(Lost::Trying));
        told(&mut state, *req, Reach::Waiting(Duration::from_secs(8)));
        let words = says(&state, id(7)).map(|lost| lost.words(state.model.now));
        let wanted = "Connection lost; next try in 8 s · r now";
        assert_eq!(words.as_deref(), Some(wanted));
        assert!(coming(&state).is_empty());
        told(&mut state, *req, Reach::Answered);
        assert_eq!(coming(&state).len(), AT_ONCE);
        let mut seen = 0;
        while let Some(new) = coming(&state).first().copied() {
            assert!(coming(&state).len() <= AT_ONCE);
            assert!(state.model.session(new).is_some_and(|view| view.quiet));
            let opened = SshFact::SessionOpened {
                session: new,
                agent: false,
            };
            drop(fact(&mut state, opened));
            drop(pass(&mut state, 500));
            seen += 1;
            assert!(seen <= 50, "each is opened once");
        }
        assert_eq!(seen, 50);
    }

    #[test]
    fn on_a_production_host_a_person_opens_the_shell() {
        assert!(state().model.is_production("db1"));
        let (mut state, effects) = scene(2, "db1", Reconnect::Auto);
        let reqs = reaches(&effects);
        let req = reqs.first().copied().expect("it is tried");
        told(&mut state, req, Reach::Answered);
        assert_eq!(says(&state, id(2)), Some(Lost::Answers));
        assert!(coming(&state).is_empty());
        // And the key opens it, for that person.
        super::super::window::open(&mut state, WINDOW, View::Pane(id(1)));
        drop(lay_out(&mut state));
        press(&mut state, "r");
        let [new] = coming(&state)[..] else {
            unreachable!("one is coming")
        };
        assert!(state.model.session(new).is_some_and(|view| !view.quiet));
    }

    #[test]
    fn nothing_is_tried_where_the_setting_says_so_nor_when_the_shell_ended() {
        let (state, effects) = scene(3, "web1", Reconnect::Off);
        assert!(reaches(&effects).is_empty());
        assert_eq!(says(&state, id(1)), None);
        let (mut state, _) = scene(0, "web1", Reconnect::Open);
        let live = crate::model::sample::session_id("live web1");
        let closed = SshFact::SessionClosed {
            session: live,
            exit: Exit::Code(0),
            bytes: 0,
            recording_error: None,
        };
        let effects = fact(&mut state, closed);
        assert!(reaches(&effects).is_empty() && says(&state, live).is_none());
    }

    #[test]
    fn a_host_is_not_tried_for_ever_and_sleep_does_not_count() {
        let (mut state, _) = scene(1, "web1", Reconnect::Open);
        pass(&mut state, 500);
        pass(&mut state, 8 * 3_600_000);
        assert_eq!(says(&state, id(1)), Some(Lost::Trying), "the machine slept");
        let mut stops = 0;
        for _ in 0..MINUTES * 60 {
            let effects = pass(&mut state, 1_000);
            let stop = |effect: &&Effect| matches!(effect, Effect::Ssh(SshAsk::ReachStop { .. }));
            stops += effects.iter().filter(stop).count();
        }
        assert_eq!(says(&state, id(1)), Some(Lost::GivenUp(MINUTES)));
        assert_eq!(stops, 1);
    }

    #[test]
    fn who_must_be_asked_is_not_asked_by_an_attempt_in_the_background() {
        let (mut state, effects) = scene(1, "web1", Reconnect::Open);
        let req = reaches(&effects).first().copied().expect("it is tried");
        let why = "web1 does not let mira in".to_owned();
        let effects = told(&mut state, req, Reach::Person(why.clone()));
        assert_eq!(says(&state, id(1)), Some(Lost::Person(why)));
        assert!(reaches(&effects).is_empty() && state.model.questions.is_empty());
        for _ in 0..60 {
            assert!(reaches(&pass(&mut state, 1_000)).is_empty());
        }
    }

    #[test]
    fn a_pane_that_nobody_keeps_ends_the_attempts() {
        let (mut state, effects) = scene(1, "web1", Reconnect::Open);
        let req = reaches(&effects).first().copied();
        super::super::dismiss(&mut state, id(1), &mut Vec::new());
        let effects = pass(&mut state, 500);
        let stops = |effect: &Effect| matches!(effect, Effect::Ssh(SshAsk::ReachStop { req: of }) if Some(*of) == req);
        assert!(effects.iter().any(stops), "{effects:?}");
    }

    #[test]
    fn a_host_that_throws_everybody_out_is_left_to_a_person() {
        let (mut state, effects) = scene(1, "web1", Reconnect::Open);
        let req = reaches(&effects).first().copied().expect("it is tried");
        told(&mut state, req, Reach::Answered);
        let [new] = coming(&state)[..] else {
            unreachable!("one is coming")
        };
        let opened = SshFact::SessionOpened {
            session: new,
            agent: false,
        };
        drop(fact(&mut state, opened));
        let effects = break_off(&mut state, new);
        let req = reaches(&effects).first().copied().expect("it is tried");
        told(&mut state, req, Reach::Answered);
        assert_eq!(says(&state, new), Some(Lost::Answers));
        assert!(coming(&state).is_empty());
    }

    #[test]
    fn a_shell_that_does_not_come_is_not_opened_for_ever() {
        let (mut state, effects) = scene(1, "web1", Reconnect::Open);
        let mut reqs = reaches(&effects);
        for _ in 0..TRIES {
            let req = reqs.pop().expect("it is tried");
            told(&mut state, req, Reach::Answered);
            let [new] = coming(&state)[..] else {
                unreachable!("one is coming")
            };
            let closed = SshFact::SessionClosed {
                session: new,
                exit: Exit::Unreachable("it refuses to start anything".to_owned()),
                bytes: 0,
                recording_error: None,
            };
            reqs = reaches(&fact(&mut state, closed));
        }
        assert!(reqs.is_empty());
        assert!(matches!(says(&state, id(1)), Some(Lost::Person(_))));
    }

    #[test]
    fn nothing_typed_at_a_dead_pane_reaches_the_shell_that_opens_by_itself() {
        let (mut state, effects) = scene(1, "web1", Reconnect::Open);
        super::super::window::open(&mut state, WINDOW, View::Pane(id(1)));
        drop(lay_out(&mut state));
        let req = reaches(&effects).first().copied().expect("it is tried");
        told(&mut state, req, Reach::Answered);
        let [new] = coming(&state)[..] else {
            unreachable!("one is coming")
        };
        let mut sent = press(&mut state, "x y");
        let opened = SshFact::SessionOpened {
            session: new,
            agent: false,
        };
        sent.extend(fact(&mut state, opened));
        sent.extend(lay_out(&mut state));
        // Whoever types on without a pause means what is gone.
        sent.extend(press(&mut state, "Enter"));
        let key = |effect: &Effect| matches!(effect, Effect::Ssh(SshAsk::Key { .. }));
        assert!(!sent.iter().any(key), "{sent:?}");
        let shown = state.windows.get(&WINDOW).map(|ui| ui.view().clone());
        assert_eq!(shown, Some(View::Pane(new)));
        state.model.now = state.model.now.plus(2_000);
        assert!(
            press(&mut state, "l").iter().any(key),
            "after a pause they are its own"
        );
    }
}
