//! What follows when a batch is durable, or when the process ends before it could.

use crate::app::effect::Effect;
use crate::app::event::Caller;
use crate::app::purpose::{Purpose, Then};
use crate::app::state::State;
use crate::command::{Answer, Outcome};
use crate::domain::run::Exit;
use crate::model::Level;
use crate::store::{Ask, Committed};
use crate::ui::View;

use super::{ask, copy, exec, files, reply, session, ssh, window};

/// Goes on after what was written.
pub(super) fn follow_up(
    state: &mut State,
    caller: Caller,
    then: Then,
    done: &Committed,
    fx: &mut Vec<Effect>,
) {
    let gone = matches!(caller, Caller::Line(line) if state.ended.remove(&line));
    if state.stopping.is_some() || gone {
        return given_up(state, caller, then, fx);
    }
    match then {
        Then::Ticket(reference) => {
            let new = done
                .references
                .first()
                .map(|(_, reference)| reference.clone());
            match (caller, new) {
                (Caller::Window(id), Some(reference)) => {
                    window::say(state, Level::Info, format!("{reference} is new"));
                    window::open(state, id, View::Case(reference));
                }
                (caller, new) => ask(
                    state,
                    Ask::Ticket {
                        reference: new.unwrap_or(reference),
                    },
                    Purpose::Show(caller),
                    fx,
                ),
            }
        }
        Then::Inventory(outcome) => {
            // Whoever asked is told when the model has the hosts too, so that the next command finds them.
            ask(state, Ask::Hosts, Purpose::Inventory(caller, outcome), fx);
        }
        Then::Open(id) => session::launch(state, id, done, fx),
        Then::Launch(call) => ssh::launch(state, *call, fx),
        Then::Fan(number) => exec::launch(state, number, fx),
        Then::Copy(req) => copy::launch(state, req, fx),
        Then::Answer(outcome) => reply(state, caller, *outcome, fx),
        Then::Order(number) => files::go_on(state, number, fx),
        Then::Exit(exit) => reply(
            state,
            caller,
            Outcome {
                answer: Answer::Silent,
                exit,
            },
            fx,
        ),
    }
}

/// The process is ending: what was announced is not begun any more, and that is recorded.
fn given_up(state: &mut State, caller: Caller, then: Then, fx: &mut Vec<Effect>) {
    match then {
        Then::Open(id) => session::closed(state, id, &Exit::Cancelled, 0, None, fx),
        Then::Launch(call) => {
            let line = call.line;
            state.calls.insert(line, *call);
            ssh::done(state, line, &Exit::Cancelled, 0, fx);
        }
        Then::Fan(number) => exec::stop(state, number, true, fx),
        Then::Copy(req) => copy::given_up(state, req, fx),
        Then::Answer(outcome) => reply(state, caller, *outcome, fx),
        Then::Order(number) => files::go_on(state, number, fx),
        Then::Exit(exit) => reply(
            state,
            caller,
            Outcome {
                answer: Answer::Silent,
                exit,
            },
            fx,
        ),
        Then::Ticket(_) | Then::Inventory(_) => {
            reply(state, caller, Outcome::ok(Answer::Silent), fx)
        }
    }
}
