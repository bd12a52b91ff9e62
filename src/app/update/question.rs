//! Questions that need a person: an unknown host key, a passphrase, a step that wants a yes.

use crate::app::effect::{Effect, Inquiry, line_of};
use crate::app::event::Caller;
use crate::app::purpose::Purpose;
use crate::app::state::State;
use crate::domain::host::Target;
use crate::domain::ids::RunId;
use crate::domain::runbook::Confirm;
use crate::model;
use crate::runbook::Input;
use crate::ssh::{QuestionId, QuestionKind, Reply, SshAsk};

use super::run;

/// A connection asks something.
pub(super) fn asked(state: &mut State, id: QuestionId, target: &Target, hop: String, kind: QuestionKind, fx: &mut Vec<Effect>) {
    let place = if hop == target.name { hop } else { format!("{hop} (on the way to {})", target.name) };
    let line = waiting_line(state);
    if let Some(line) = line {
        state.questions.insert(id, Caller::Line(line));
        fx.push(Effect::Question(line, Inquiry { id, place, kind }));
    } else if state.windows.is_empty() {
        fx.push(Effect::Ssh(SshAsk::Answer { question: id, reply: Reply::No }));
    } else {
        state.model.questions.push_back(model::Question::from_connection(id, &place, kind));
    }
}

/// The command line that waits for a connection, if there is one.
fn waiting_line(state: &State) -> Option<crate::app::event::LineId> {
    state.inflight.iter().find_map(|(_, purpose)| match purpose {
        Purpose::Call(line) => Some(*line),
        Purpose::Fan(number, _) => state.fans.get(number).and_then(|fan| line_of(fan.caller)),
        Purpose::Step(run, ..) => state.runs.get(run).and_then(|run| line_of(run.caller)),
        _ => None,
    })
}

/// A step of a run wants to be confirmed.
pub(super) fn confirm_step(state: &mut State, run: RunId, step: u32, confirm: Confirm, text: String, fx: &mut Vec<Effect>) {
    let Some(live) = state.runs.get(&run) else { return };
    let line = line_of(live.caller);
    let name = live.steps.get(step as usize).cloned().unwrap_or_default();
    let id = QuestionId::step(run, step);
    let kind = match confirm {
        Confirm::Typed => QuestionKind::Typed { prompt: text, word: name },
        Confirm::Yes | Confirm::No => QuestionKind::YesNo { prompt: text },
    };
    state.steps_asked.insert(id, (run, step));
    match line {
        Some(line) => fx.push(Effect::Question(line, Inquiry { id, place: live.reference.clone(), kind })),
        None => state.model.questions.push_back(model::Question::from_connection(id, &live.reference.clone(), kind)),
    }
}

/// A person answered.
pub(super) fn answer(state: &mut State, id: QuestionId, answer: Reply, fx: &mut Vec<Effect>) {
    state.model.questions.retain(|question| question.id != id);
    state.questions.remove(&id);
    match state.steps_asked.remove(&id) {
        Some((run, step)) => run::feed(state, run, Input::Answered { step, yes: matches!(answer, Reply::Yes) }, fx),
        None => fx.push(Effect::Ssh(SshAsk::Answer { question: id, reply: answer })),
    }
}
