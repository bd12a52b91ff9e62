//! Questions that need a person: an unknown host key, a passphrase, a step that wants a yes.

use secrecy::SecretString;

use crate::app::effect::{Effect, Inquiry, InquiryKind, line_of};
use crate::app::event::{Caller, LineId};
use crate::app::purpose::Purpose;
use crate::app::state::State;
use crate::domain::host::Target;
use crate::domain::ids::RunId;
use crate::domain::runbook::Confirm;
use crate::model::{Level, Question, QuestionId, QuestionKind, SAID};
use crate::runbook::machine::Input;
use crate::ssh::{self, Asking, Reply, SshAsk};
use crate::ui;

use super::{connections, program, run, window};

/// A question of a connection.
pub(super) struct Asked<'a> {
    /// The number that the connection knows it by.
    pub id: ssh::QuestionId,
    /// What was to be reached.
    pub target: &'a Target,
    /// Who asks.
    pub hop: &'a str,
    /// On whose behalf.
    pub asking: Asking,
}

/// A connection asks something.
pub(super) fn asked(
    state: &mut State,
    asked: &Asked<'_>,
    kind: ssh::QuestionKind,
    fx: &mut Vec<Effect>,
) {
    let (hop, target) = (asked.hop, asked.target);
    let place = if hop == target.name {
        hop.to_owned()
    } else {
        format!("{hop}, on the way to {}", target.name)
    };
    let id = QuestionId(state.mint.request().0);
    let line = match whose(state, asked.asking) {
        // Whoever wanted to know has left.
        Some(Caller::Line(line)) if state.left.contains(&line) => return refuse(asked.id, fx),
        Some(Caller::Line(line)) => Some(line),
        Some(Caller::Window(_)) | None => None,
    };
    match line {
        Some(line) => fx.push(Effect::Question(
            line,
            Inquiry {
                id,
                place,
                kind: InquiryKind::Connection(kind),
            },
        )),
        // An app of its own may get a window again while the question stands.
        None if state.windows.is_empty() && !state.setup.served => return refuse(asked.id, fx),
        None => {
            let mut question = on_screen(id, &place, kind);
            question.hosts = vec![hop.to_owned(), target.name.clone()];
            state.model.questions.push_back(question);
            connections::look(state, fx);
        }
    }
    state.questions.insert(id, (asked.id, line));
}

fn refuse(question: ssh::QuestionId, fx: &mut Vec<Effect>) {
    let reply = Reply::No;
    fx.push(Effect::Ssh(SshAsk::Answer { question, reply }));
}

/// A command line is gone, or was interrupted: what it was asked is answered with a no, so that nobody else waits for it.
pub(super) fn unanswered(state: &mut State, line: LineId, fx: &mut Vec<Effect>) {
    let mine =
        |(_, (_, asked)): &(&QuestionId, &(ssh::QuestionId, Option<LineId>))| *asked == Some(line);
    let gone: Vec<QuestionId> = state
        .questions
        .iter()
        .filter(mine)
        .map(|(id, _)| *id)
        .collect();
    for id in gone {
        if let Some((question, _)) = state.questions.remove(&id) {
            refuse(question, fx);
        }
    }
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

/// Who waits for what the connection is made for.
fn whose(state: &State, asking: Asking) -> Option<Caller> {
    match asking {
        Asking::Nobody | Asking::Session(_) => None,
        Asking::Forward(id) => state.forwards.get(&id).and_then(|forward| forward.caller),
        Asking::Request(req) => match state.inflight.get(req)? {
            Purpose::Call(line) => Some(Caller::Line(*line)),
            Purpose::Copy(caller) | Purpose::Again(caller, _) | Purpose::Sync(caller, _) => {
                Some(*caller)
            }
            Purpose::Fan(number, _) => state.fans.get(number).map(|fan| fan.caller),
            Purpose::Step(run, ..) => state.runs.get(run).map(|run| run.caller),
            // Folders and names are asked for by windows alone.
            _ => None,
        },
    }
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
    let line = line_of(live.caller);
    let gone = line.is_some_and(|line| state.left.contains(&line));
    if gone && state.windows.is_empty() && !state.setup.served {
        return run::feed(state, run, Input::Answered { step, yes: false }, fx);
    }
    match line.filter(|_| !gone) {
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
    if let Some(asked) = state.sync_asked.remove(&id) {
        return super::sync::answered(state, asked, matches!(answer, Reply::Yes), fx);
    }
    if let Some(line) = state.stop_asked.remove(&id) {
        return program::stop_answered(state, line, matches!(answer, Reply::Yes), fx);
    }
    if let Some((question, _)) = state.questions.remove(&id) {
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
        .filter(|(_, (question, _))| *question == asked)
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
        let question = Asked {
            id: ssh::QuestionId(3),
            target: &target,
            hop: "bastion",
            asking: Asking::Session(crate::model::sample::session_id("live web1")),
        };
        asked(&mut state, &question, kind, &mut fx);
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
