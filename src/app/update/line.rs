//! What comes from the terminal of a command line: input, answers, Ctrl-C, and that it is gone.

use crate::app::effect::{Effect, Emission};
use crate::app::event::{Caller, LineEvent, LineId};
use crate::app::purpose::{Purpose, Then};
use crate::app::state::State;
use crate::command::Outcome;
use crate::domain::run::Exit;
use crate::ssh::SshAsk;

use super::ssh::done;
use super::{copy, exec, forward, reply, run};

/// Something came from the terminal of a command line.
pub(super) fn heard(state: &mut State, line: LineId, event: LineEvent, fx: &mut Vec<Effect>) {
    let req = state.calls.get(&line).map(|call| call.req);
    match event {
        LineEvent::Stdin(data) => {
            fx.extend(req.map(|req| Effect::Ssh(SshAsk::Stdin { req, data })))
        }
        LineEvent::Resized(size) => fx.extend(req.map(|req| {
            Effect::Ssh(SshAsk::Window {
                req,
                cols: size.cols,
                rows: size.rows,
            })
        })),
        LineEvent::Answered(question, answer) => {
            super::question::answer(state, question, answer, fx)
        }
        LineEvent::Interrupted => interrupt(state, line, fx),
        LineEvent::Left => left(state, line, fx),
        LineEvent::HungUp => hang_up(state, line, fx),
        LineEvent::OutputClosed => {
            // A fan-out and a run go on and are recorded; one command has nobody left to speak to.
            fx.extend(req.map(|req| Effect::Ssh(SshAsk::Cancel { req })));
        }
        LineEvent::Listed => {
            let req = state.mint.request();
            state
                .inflight
                .insert(req, state.model.now, Purpose::Status(line));
            fx.push(Effect::Ssh(SshAsk::Status { req }));
        }
        LineEvent::Rekeyed => fx.extend(req.map(|req| Effect::Ssh(SshAsk::Rekey { req }))),
        LineEvent::Returned(exit) => {
            if let Some(req) = req {
                state.inflight.remove(req);
            }
            done(state, line, &exit, 0, fx);
        }
    }
}

/// A command line is gone. What it alone could use ends; a run goes on, because it is a record of its own.
fn left(state: &mut State, line: LineId, fx: &mut Vec<Effect>) {
    let caller = Caller::Line(line);
    // What was held back for it has no reader to spare any more.
    slow(state, line, false, fx);
    forget(state, line, fx);
    if let Some(call) = state.calls.get(&line) {
        fx.push(Effect::Ssh(SshAsk::Cancel { req: call.req }));
    }
    let fans: Vec<u64> = state
        .fans
        .iter()
        .filter(|(_, fan)| fan.caller == caller)
        .map(|(number, _)| *number)
        .collect();
    fans.into_iter()
        .for_each(|number| exec::stop(state, number, true, fx));
    state.rounds.retain(|round| round.caller != caller);
    forward::left(state, line, fx);
    super::script::left(state, line, fx);
    copy::left(state, line, fx);
    super::sync::left(state, line, fx);
    state.left.insert(line);
    // Only whoever has a run that goes on must be remembered.
    let runs = &state.runs;
    let goes_on = |left: &LineId| runs.values().any(|run| run.caller == Caller::Line(*left));
    state.left.retain(goes_on);
    state.nobody.remove(&line);
    state.interrupted.remove(&line);
    state.stop_asked.retain(|_, asked| *asked != line);
}

/// What a command line asked for and has not begun is not begun any more, and nobody waits for its answers.
fn forget(state: &mut State, line: LineId, fx: &mut Vec<Effect>) {
    let caller = Caller::Line(line);
    super::question::unanswered(state, line, fx);
    state.waiting.retain(|gather| gather.caller != caller);
    let gathering = |purpose: &Purpose| matches!(purpose, Purpose::Gather(gather, _) if gather.caller == caller);
    super::fetched::left(state, caller, fx);
    while let Some(req) = state.inflight.find(gathering) {
        state.inflight.remove(req);
    }
    let commits = |purpose: &Purpose| {
        matches!(
            purpose,
            Purpose::Commit(asked, Then::Launch(_) | Then::Copy(_)) if *asked == caller
        )
    };
    if state.inflight.find(commits).is_some() {
        state.ended.insert(line);
    }
}

/// A command line falls behind, or has caught up: what its hosts write waits with them, and nobody else waits.
pub(super) fn slow(state: &State, line: LineId, slow: bool, fx: &mut Vec<Effect>) {
    let caller = Caller::Line(line);
    let call = state.calls.get(&line).map(|call| call.req);
    let fans = state.fans.values().filter(|fan| fan.caller == caller);
    let runs = state.runs.values().filter(|run| run.caller == caller);
    let requests = call
        .into_iter()
        .chain(fans.flat_map(|fan| fan.running.values().copied()))
        .chain(runs.flat_map(|run| run.requests.values().copied()));
    fx.extend(requests.map(|req| Effect::Ssh(SshAsk::Pause { req, on: slow })));
}

/// Whoever sat there is gone: nothing is waited for, whatever the host does.
fn hang_up(state: &mut State, line: LineId, fx: &mut Vec<Effect>) {
    let Some(req) = state.calls.get(&line).map(|call| call.req) else {
        return interrupt(state, line, fx);
    };
    fx.push(Effect::Ssh(SshAsk::HangUp { req }));
    let began = state.inflight.remove(req).map(|flight| flight.started);
    let took = began.map_or(0, |began| state.model.now.since(began));
    let exit = Exit::Unreachable("the connection was closed from this side".to_owned());
    done(state, line, &exit, took, fx);
}

/// Ctrl-C: once asks for an orderly stop, twice stops.
fn interrupt(state: &mut State, line: LineId, fx: &mut Vec<Effect>) {
    let caller = Caller::Line(line);
    let again = !state.interrupted.insert(line);
    forget(state, line, fx);
    super::sync::left(state, line, fx);
    if let Some(call) = state.calls.get(&line) {
        fx.push(Effect::Ssh(SshAsk::Cancel { req: call.req }));
        return;
    }
    if forward::interrupt(state, line, again, fx) || copy::interrupt(state, line, fx) {
        return;
    }
    let fans: Vec<u64> = state
        .fans
        .iter()
        .filter(|(_, fan)| fan.caller == caller)
        .map(|(number, _)| *number)
        .collect();
    let runs: Vec<_> = state
        .runs
        .iter()
        .filter(|(_, run)| run.caller == caller)
        .map(|(id, _)| *id)
        .collect();
    if fans.is_empty() && runs.is_empty() {
        return reply(
            state,
            caller,
            Outcome::error(130, "interrupted".to_owned()),
            fx,
        );
    }
    if !again {
        fx.push(Effect::Emit(
            line,
            Emission::Note(
                "stopping: what runs may end, nothing new begins; Ctrl-C again cuts it off"
                    .to_owned(),
            ),
        ));
    }
    fans.into_iter()
        .for_each(|number| exec::stop(state, number, again, fx));
    runs.into_iter()
        .for_each(|id| run::stop(state, id, again, fx));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::event::Event;
    use crate::app::update::bench::{WINDOW, state};
    use crate::app::update::update;
    use crate::command::{Command, Surface, parse_words};
    use crate::domain::host::{Effective, Target};
    use crate::domain::ids::ReqId;
    use crate::ssh::{Asking, QuestionKind, SshFact};

    const LINE: LineId = LineId(7);

    fn asked(state: &mut State, line: LineId, words: &str) -> Vec<Effect> {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        let parsed = parse_words(&words, Surface::Line).expect("a command line");
        let row = parsed.row.expect("a command");
        let command: Command = (row.build)(&parsed.args).expect("its arguments");
        let event = Event::Asked {
            caller: Caller::Line(line),
            command: Box::new(command),
        };
        update(state, event)
    }

    fn resolves(effects: &[Effect]) -> Option<(ReqId, Vec<Target>)> {
        effects.iter().find_map(|effect| match effect {
            Effect::Ssh(SshAsk::Resolve { req, targets }) => Some((*req, targets.clone())),
            _ => None,
        })
    }

    fn fact(state: &mut State, fact: SshFact) -> Vec<Effect> {
        update(state, Event::Ssh(Box::new(fact)))
    }

    fn runs(effects: &[Effect]) -> Option<ReqId> {
        effects.iter().find_map(|effect| match effect {
            Effect::Ssh(SshAsk::Exec { req, .. }) => Some(*req),
            _ => None,
        })
    }

    fn resolved(state: &mut State, effects: &[Effect]) -> Vec<Effect> {
        let (req, targets) = resolves(effects).expect("settings are read first");
        let found = |target| (target, Ok(Effective::default()));
        let results = targets.into_iter().map(found).collect();
        fact(state, SshFact::Resolved { req, results })
    }

    #[test]
    fn what_was_interrupted_before_it_began_never_begins() {
        for (words, event) in [
            ("exec -H web1,web2 -- reboot", LineEvent::Interrupted),
            ("ssh web1 -- reboot", LineEvent::Interrupted),
            ("ssh web1 -- reboot", LineEvent::Left),
        ] {
            let mut state = state();
            let first = asked(&mut state, LINE, words);
            assert!(
                runs(&first).is_none(),
                "{words}: not before its settings are known"
            );
            update(&mut state, Event::Line(LINE, event));
            let later = resolved(&mut state, &first);
            assert!(runs(&later).is_none(), "{words}: {later:?}");
        }
        let mut state = state();
        let first = asked(&mut state, LINE, "ssh web1 -- reboot");
        assert!(
            runs(&resolved(&mut state, &first)).is_some(),
            "left alone it runs"
        );
    }

    #[test]
    fn a_question_goes_to_whoever_waits_for_it_and_to_nobody_else() {
        let mut state = state();
        let other = LineId(8);
        // Somebody sits in a raw shell of one host, and another line asks for a second.
        let first = asked(&mut state, LINE, "ssh web1");
        let shell = runs(&resolved(&mut state, &first)).expect("it runs");
        fact(&mut state, SshFact::ExecStarted { req: shell });
        let first = asked(&mut state, other, "ssh web2 -- true");
        let second = runs(&resolved(&mut state, &first)).expect("it runs");
        let question = |asking, number| SshFact::Question {
            id: crate::ssh::QuestionId(number),
            target: Target {
                name: "bastion".to_owned(),
                config: None,
            },
            hop: "bastion".to_owned(),
            kind: QuestionKind::Secret {
                prompt: "Password:".to_owned(),
            },
            asking,
        };
        let line_of = |effects: &[Effect]| {
            effects.iter().find_map(|effect| match effect {
                Effect::Question(line, _) => Some(*line),
                _ => None,
            })
        };
        let effects = fact(&mut state, question(Asking::Request(second), 1));
        assert_eq!(line_of(&effects), Some(other));
        // What a window wants is asked there, whatever shells are open elsewhere.
        let wanted = state.mint.request();
        let effects = fact(&mut state, question(Asking::Request(wanted), 2));
        assert_eq!(line_of(&effects), None);
        assert_eq!(state.model.questions.len(), 1);
        assert!(state.windows.contains_key(&WINDOW));
        // Whoever leaves without an answer has said no, so that nobody waits behind the question.
        let effects = update(&mut state, Event::Line(other, LineEvent::Left));
        assert!(effects.iter().any(|effect| matches!(
            effect,
            Effect::Ssh(SshAsk::Answer { question, reply: crate::ssh::Reply::No }) if question.0 == 1
        )));
    }
}
