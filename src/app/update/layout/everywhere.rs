//! All ended sessions at once, whatever tabs they are in: opened anew, a few at a time, or closed.

use std::collections::VecDeque;

use crate::app::effect::Effect;
use crate::app::event::Caller;
use crate::app::purpose::Purpose;
use crate::app::state::State;
use crate::command::{Command, LayoutCommand, Spot};
use crate::domain::ids::{SessionId, WindowId};
use crate::model::{Level, Model, Question, QuestionId, QuestionKind, SessionState};
use crate::ui::View;

use super::{forget, reopen, settle};
use crate::app::update::window::say;

/// How many sessions are opened at the same time. More than that make a host or a bastion refuse (`MaxStartups`), and a
/// person is asked no more questions at once.
const AT_ONCE: usize = 4;

/// How many sessions are opened without asking, if none is on a production host.
const UNASKED: usize = 4;

/// How many production hosts are named in the question.
const NAMED: usize = 6;

/// What is to be opened anew.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Who wanted it.
    window: Option<WindowId>,
    /// What waits, in the order of the tabs. It holds no more than there are sessions.
    waiting: VecDeque<SessionId>,
    /// What is on its way.
    begun: Vec<SessionId>,
}

/// The sessions that have ended and are not on their way, in the order of the tabs.
fn ended(model: &Model) -> Vec<SessionId> {
    let panes = model.tabs.iter().flat_map(|tab| tab.panes());
    panes.filter(|id| is_over(model, *id)).collect()
}

fn is_over(model: &Model, id: SessionId) -> bool {
    let closed = |state: &SessionState| matches!(state, SessionState::Closed(_));
    let session = model.session(id);
    session.is_some_and(|session| closed(&session.state)) && model.successor(id).is_none()
}

/// Opens all of them anew; many, or any on a production host, after a question.
pub(super) fn reopen_all(state: &mut State, window: WindowId, fx: &mut Vec<Effect>) {
    let all = ended(&state.model);
    if all.is_empty() {
        return say(state, Level::Info, "no session here has ended".to_owned());
    }
    let hosts = all.iter().filter_map(|id| state.model.session(*id));
    let hosts: Vec<&str> = hosts.map(|session| session.host.as_str()).collect();
    let production = production(&state.model, &hosts);
    if all.len() <= UNASKED && production.is_empty() {
        return begin(state, window, all, fx);
    }
    let id = QuestionId(state.mint.request().0);
    let sessions = sessions(all.len());
    let mut body = vec![format!("This opens {sessions} again, {AT_ONCE} at a time.")];
    body.push(production_words(&production));
    let session = state.windows.get(&window).and_then(|ui| match ui.view() {
        View::Pane(id) => Some(*id),
        _ => None,
    });
    state.tabs.everywhere.insert(id, window);
    state.model.questions.push_back(Question {
        id,
        title: format!("open {sessions} again"),
        body,
        kind: QuestionKind::YesNo { default_no: true },
        session,
        hosts: Vec::new(),
    });
}

/// So many sessions, in words.
pub(super) fn sessions(count: usize) -> String {
    match count {
        1 => "1 session".to_owned(),
        count => format!("{count} sessions"),
    }
}

/// Those of these hosts that are production hosts, each once.
pub(super) fn production(model: &Model, hosts: &[&str]) -> Vec<String> {
    let risky = hosts.iter().filter(|host| model.is_production(host));
    let mut risky: Vec<String> = risky.map(|host| (*host).to_owned()).collect();
    risky.sort();
    risky.dedup();
    risky
}

/// Which hosts are production hosts, in words.
pub(super) fn production_words(hosts: &[String]) -> String {
    match hosts {
        [] => "None of the hosts is a production host.".to_owned(),
        [one] => format!("{one} is a production host."),
        hosts if hosts.len() <= NAMED => format!("Production hosts: {}.", hosts.join(", ")),
        hosts => {
            let named = hosts.get(..NAMED).unwrap_or_default().join(", ");
            format!(
                "Production hosts: {named} and {} more.",
                hosts.len() - NAMED
            )
        }
    }
}

/// Somebody said whether all of them are to be opened anew.
pub(in crate::app::update) fn agreed(
    state: &mut State,
    question: QuestionId,
    yes: bool,
    fx: &mut Vec<Effect>,
) {
    state.model.questions.retain(|asked| asked.id != question);
    if let Some(window) = state.tabs.everywhere.remove(&question)
        && yes
    {
        let all = ended(&state.model);
        begin(state, window, all, fx);
    }
}

/// Opens all of these anew, a few at a time.
pub(super) fn begin(
    state: &mut State,
    window: WindowId,
    all: Vec<SessionId>,
    fx: &mut Vec<Effect>,
) {
    let queue = &mut state.tabs.queue;
    queue.window = Some(window);
    for id in all {
        if !queue.waiting.contains(&id) {
            queue.waiting.push_back(id);
        }
    }
    pump(state, fx);
}

/// Opens the next ones as soon as others are there, or have failed.
pub(super) fn pump(state: &mut State, fx: &mut Vec<Effect>) {
    if state.tabs.queue.waiting.is_empty() {
        return;
    }
    let gathered = |id: SessionId| {
        let spot = Spot::Instead(id);
        let is = |purpose: &Purpose| matches!(purpose, Purpose::Gather(gather, _) if matches!(&gather.command, Command::Layout(LayoutCommand::Put { spot: known, .. }) if *known == spot));
        state.inflight.find(is).is_some()
    };
    let mut begun = std::mem::take(&mut state.tabs.queue.begun);
    begun.retain(|id| state.model.successor(*id).is_some() || gathered(*id));
    state.tabs.queue.begun = begun;
    let window = state.tabs.queue.window;
    let window = window.filter(|window| state.windows.contains_key(window));
    let Some(window) = window else {
        // Whoever wanted it is gone, and nobody could be asked anything.
        return state.tabs.queue.waiting.clear();
    };
    while state.tabs.queue.begun.len() < AT_ONCE {
        let Some(id) = state.tabs.queue.waiting.pop_front() else {
            return;
        };
        if is_over(&state.model, id) {
            state.tabs.queue.begun.push(id);
            reopen(state, Caller::Window(window), id, fx);
        }
    }
}

/// Closes the tabs in which everything has ended.
pub(super) fn close_ended(state: &mut State, fx: &mut Vec<Effect>) {
    let model = &state.model;
    let over =
        |tab: &&crate::domain::layout::Tab| tab.panes().into_iter().all(|id| is_over(model, id));
    let tabs: Vec<Vec<SessionId>> = model
        .tabs
        .iter()
        .filter(over)
        .map(|tab| tab.panes())
        .collect();
    let words = match tabs.len() {
        0 => "there is no tab in which everything has ended".to_owned(),
        1 => "1 ended tab closed; the recordings stay".to_owned(),
        count => format!("{count} ended tabs closed; the recordings stay"),
    };
    for id in tabs.into_iter().flatten() {
        forget(state, id, fx);
    }
    settle(state, fx);
    say(state, Level::Info, words);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::update::bench::{WINDOW, state};
    use crate::app::update::lay_out;
    use crate::domain::ids::EntityId;
    use crate::model::SessionView;

    /// A state with so many ended sessions besides, on hosts of this name.
    fn scene(count: u8, host: &str) -> State {
        let mut state = state();
        for number in 0..count {
            let id = SessionId(EntityId::from_bytes([number + 1; 16]));
            let mut view = SessionView::opening(id, host, None);
            view.reference = format!("S-0{number:03}");
            view.state = SessionState::Closed("the app ended".to_owned());
            state.model.sessions.push(view);
        }
        drop(lay_out(&mut state));
        state
    }

    fn coming(state: &State) -> Vec<SessionId> {
        let sessions = state.model.sessions.iter();
        sessions
            .filter(|session| session.instead.is_some())
            .map(|session| session.id)
            .collect()
    }

    #[test]
    fn all_ended_sessions_are_opened_again_a_few_at_a_time() {
        let mut state = scene(9, "web1");
        let all = ended(&state.model).len();
        assert!(all >= 9);
        reopen_all(&mut state, WINDOW, &mut Vec::new());
        assert!(coming(&state).is_empty(), "many are asked about first");
        let question = state.model.questions.back().cloned().expect("a question");
        assert!(question.body.join(" ").contains(&format!("{all} sessions")));
        agreed(&mut state, question.id, true, &mut Vec::new());
        assert_eq!(coming(&state).len(), AT_ONCE);
        // Each that comes, or does not, makes room for the next.
        let mut seen = 0;
        while let Some(new) = coming(&state).first().copied() {
            assert!(coming(&state).len() <= AT_ONCE);
            let mut fx = Vec::new();
            if seen % 2 == 0 {
                super::super::arrived(&mut state, new, &mut fx);
                if let Some(view) = state.model.session_mut(new) {
                    view.state = SessionState::Live;
                }
            } else {
                super::super::failed(&mut state, new, "refused", &mut fx);
            }
            seen += 1;
            assert!(seen <= all, "each is opened once");
        }
        assert_eq!(seen, all);
    }

    #[test]
    fn production_hosts_are_named_before_they_are_opened() {
        let mut state = scene(1, "db1");
        let production = state.model.is_production("db1");
        assert!(production, "the sample's db1 is a production host");
        reopen_all(&mut state, WINDOW, &mut Vec::new());
        let question = state.model.questions.back().cloned().expect("a question");
        assert!(question.body.join(" ").contains("db1"), "{question:?}");
        agreed(&mut state, question.id, false, &mut Vec::new());
        assert!(coming(&state).is_empty() && state.model.questions.is_empty());
    }

    #[test]
    fn ended_tabs_are_closed_and_the_living_stay() {
        let mut state = scene(3, "web1");
        let living = |state: &State| {
            let sessions = state.model.sessions.iter();
            sessions
                .filter(|view| view.state == SessionState::Live)
                .count()
        };
        let before = living(&state);
        close_ended(&mut state, &mut Vec::new());
        assert_eq!(living(&state), before);
        assert!(ended(&state.model).is_empty());
        assert_eq!(state.model.tabs.len(), state.model.sessions.len());
    }
}
