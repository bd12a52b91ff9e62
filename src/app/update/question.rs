//! Questions that need a person: an unknown host key, a passphrase, a step that wants a yes.

use secrecy::SecretString;

use crate::app::effect::{Effect, Inquiry, InquiryKind, line_of};
use crate::app::event::{Caller, LineId};
use crate::app::purpose::Purpose;
use crate::app::state::State;
use crate::domain::host::Target;
use crate::domain::ids::RunId;
use crate::domain::runbook::Confirm;
use crate::model::{Level, Question, QuestionId, QuestionKind, SAID, SessionState};
use crate::runbook::machine::Input;
use crate::ssh::{self, Reply, SshAsk};
use crate::ui;

use super::{connections, program, run, window};

/// A connection asks something.
pub(super) fn asked(
    state: &mut State,
    asked: ssh::QuestionId,
    target: &Target,
    hop: &str,
    kind: ssh::QuestionKind,
    fx: &mut Vec<Effect>,
) {
    let place = if hop == target.name {
        hop.to_owned()
    } else {
        format!("{hop}, on the way to {}", target.name)
    };
    let id = QuestionId(state.mint.request().0);
    match waiting_line(state, &target.name) {
        Some(line) => fx.push(Effect::Question(
            line,
            Inquiry {
                id,
                place,
                kind: InquiryKind::Connection(kind),
            },
        )),
        // An app of its own may get a window again while the question stands.
        None if state.windows.is_empty() && !state.setup.served => {
            return fx.push(Effect::Ssh(SshAsk::Answer {
                question: asked,
                reply: Reply::No,
            }));
        }
        None => {
            let mut question = on_screen(id, &place, kind);
            question.hosts = vec![hop.to_owned(), target.name.clone()];
            state.model.questions.push_back(question);
            connections::look(state, fx);
        }
    }
    state.questions.insert(id, asked);
}

/// The server's own words, a line each.
fn lines(prompt: &str) -> Vec<String> {
    prompt.trim_end().lines().map(str::to_owned).collect()
}

/// A question of a connection as the screen asks it.
fn on_screen(id: QuestionId, place: &str, kind: ssh::QuestionKind) -> Question {
    let (title, body, kind) = match kind {
        ssh::QuestionKind::HostKey {
            host,
            algorithm,
            fingerprint,
            file,
        } => (
            "unknown host key".to_owned(),
            vec![
                format!("{place}: the key of {host} is not known yet."),
                format!("{algorithm} {fingerprint}"),
                format!("Trust it and remember it in {}?", file.display()),
            ],
            QuestionKind::YesNo { default_no: true },
        ),
        ssh::QuestionKind::Secret { prompt } => (
            format!("{place} asks"),
            lines(&prompt),
            QuestionKind::Secret,
        ),
        ssh::QuestionKind::Text { prompt } => {
            (format!("{place} asks"), lines(&prompt), QuestionKind::Text)
        }
        ssh::QuestionKind::Confirm { prompt } => (
            format!("{place} asks"),
            lines(&prompt),
            QuestionKind::YesNo { default_no: true },
        ),
    };
    Question {
        id,
        title,
        body,
        kind,
        session: None,
        hosts: Vec::new(),
    }
}

/// A server said something that asks for no answer: it stands above what is asked next, and is told to whoever waits.
pub(super) fn said(state: &mut State, hop: &str, text: &str) {
    if state.model.said.len() >= SAID {
        state.model.said.pop_front();
    }
    state
        .model
        .said
        .push_back((hop.to_owned(), text.to_owned()));
    if let Some(line) = text.lines().find(|line| !line.trim().is_empty()) {
        let words = format!("{hop} says: {}", line.trim());
        window::say(state, Level::Info, words);
    }
}

/// The command line that waits for a connection to `asking`, or to a host behind it.
///
/// With an app that serves windows too, a question that no command line waits for is one for a window.
fn waiting_line(state: &State, asking: &str) -> Option<LineId> {
    let mut others = Vec::new();
    for (_, flight) in state.inflight.iter() {
        let (caller, host) = match &flight.purpose {
            Purpose::Call(line) => (
                Some(Caller::Line(*line)),
                state.calls.get(line).map(|call| call.host.as_str()),
            ),
            // A copy between two hosts is asked for either.
            Purpose::Copy(caller) => (Some(*caller), None),
            Purpose::Fan(number, host) => (
                state.fans.get(number).map(|fan| fan.caller),
                Some(host.as_str()),
            ),
            Purpose::Step(run, host, _) => (
                state.runs.get(run).map(|run| run.caller),
                Some(host.as_str()),
            ),
            _ => continue,
        };
        let line = caller.and_then(line_of);
        let line = line.filter(|line| !state.nobody.contains(line));
        if host == Some(asking) {
            return line;
        }
        others.extend(line);
    }
    // A bastion asks on behalf of a host behind it; which one, only the configuration knows. A pane that is being opened
    // has a person before it.
    let mut sessions = state.model.sessions.iter();
    let opening = sessions.any(|session| matches!(session.state, SessionState::Opening(_)));
    others.into_iter().next().filter(|_| !opening)
}

/// A step of a run wants to be confirmed.
pub(super) fn confirm_step(
    state: &mut State,
    run: RunId,
    step: u32,
    confirm: Confirm,
    text: String,
    fx: &mut Vec<Effect>,
) {
    let id = QuestionId(state.mint.request().0);
    let Some(live) = state.runs.get(&run) else {
        return;
    };
    let place = live.reference.clone();
    let name = live.steps.get(step as usize).cloned().unwrap_or_default();
    let typed = confirm == Confirm::Typed;
    match line_of(live.caller) {
        Some(line) => {
            let kind = if typed {
                InquiryKind::Typed {
                    prompt: text,
                    word: name,
                }
            } else {
                InquiryKind::Confirm(text)
            };
            fx.push(Effect::Question(line, Inquiry { id, place, kind }));
        }
        None => {
            let kind = if typed {
                QuestionKind::Typed(name.clone())
            } else {
                QuestionKind::YesNo { default_no: true }
            };
            let body = text.lines().map(str::to_owned).collect();
            state.model.questions.push_back(Question {
                id,
                title: format!("{place}: {name}"),
                body,
                kind,
                session: None,
                hosts: Vec::new(),
            });
        }
    }
    state.steps_asked.insert(id, (run, step));
}

/// A person answered at a command line.
pub(super) fn answer(state: &mut State, id: QuestionId, answer: Reply, fx: &mut Vec<Effect>) {
    state.model.questions.retain(|question| question.id != id);
    if let Some((run, step)) = state.steps_asked.remove(&id) {
        return run::feed(
            state,
            run,
            Input::Answered {
                step,
                yes: matches!(answer, Reply::Yes),
            },
            fx,
        );
    }
    if let Some((_, line)) = state.stop_asked.filter(|(asked, _)| *asked == id) {
        return program::stop_answered(state, line, matches!(answer, Reply::Yes), fx);
    }
    if let Some(question) = state.questions.remove(&id) {
        fx.push(Effect::Ssh(SshAsk::Answer {
            question,
            reply: answer,
        }));
    }
}

/// A person answered on a screen.
pub(super) fn answered_on_screen(
    state: &mut State,
    id: QuestionId,
    reply: ui::Reply,
    fx: &mut Vec<Effect>,
) {
    let reply = match reply {
        ui::Reply::Yes => Reply::Yes,
        ui::Reply::No => Reply::No,
        ui::Reply::Text(text) => Reply::Text(SecretString::from(text)),
        ui::Reply::Secret(secret) => Reply::Text(secret),
    };
    answer(state, id, reply, fx);
}

/// A connection needs no answer any more.
pub(super) fn withdrawn(state: &mut State, asked: ssh::QuestionId) {
    let gone: Vec<QuestionId> = state
        .questions
        .iter()
        .filter(|(_, question)| **question == asked)
        .map(|(id, _)| *id)
        .collect();
    for id in gone {
        state.questions.remove(&id);
        state.model.questions.retain(|question| question.id != id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::update::bench::{WINDOW, state};
    use crate::app::update::lay_out;

    #[test]
    fn a_question_names_host_and_hop_under_what_the_server_said() {
        let mut state = state();
        said(&mut state, "bastion", "Authorised use only.\u{1b}[2J\n");
        let target = crate::app::update::gather::target(&state, "db1");
        let kind = ssh::QuestionKind::Secret {
            prompt: "One-time code\nfor mira: ".to_owned(),
        };
        let mut fx = Vec::new();
        asked(
            &mut state,
            ssh::QuestionId(3),
            &target,
            "bastion",
            kind,
            &mut fx,
        );
        drop(lay_out(&mut state));
        let ui = state.windows.get(&WINDOW).expect("the window is there");
        let frame = ui.frame(&state.model);
        let text: String = frame
            .buffer
            .content
            .iter()
            .map(|cell| cell.symbol())
            .collect();
        for words in [
            "bastion, on the way to db1 asks",
            "Authorised use only.",
            "One-time code",
            "for mira:",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert!(!text.contains('\u{1b}'));
    }
}
