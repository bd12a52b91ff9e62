//! Forwards: started for a command line, which they live as long as, or for the screen, where they stay.

use crate::app::effect::{Effect, Emission, line_of};
use crate::app::event::{Caller, LineId};
use crate::app::purpose::Gather;
use crate::app::state::{LiveForward, State};
use crate::command::{Answer, ForwardCommand, Outcome};
use crate::domain::forward::{ForwardRow, ForwardRule, ForwardState};
use crate::model::Level;
use crate::ssh::SshAsk;

use super::{gather, reply, window};

/// Carries out the command.
pub(super) fn execute(
    state: &mut State,
    gather: Gather,
    command: ForwardCommand,
    fx: &mut Vec<Effect>,
) {
    let caller = gather.caller;
    match command {
        ForwardCommand::Start { host, rules } => start(state, caller, &host, rules, fx),
        ForwardCommand::List => {
            let rows = state.forwards.values().map(|live| live.row.clone());
            let answer = Answer::Forwards(rows.collect());
            reply(state, caller, Outcome::ok(answer), fx);
        }
        ForwardCommand::Stop { id } => {
            let outcome = if state.forwards.contains_key(&id) {
                fx.push(Effect::Ssh(SshAsk::ForwardStop { id }));
                Outcome::ok(Answer::Done(format!("forward {id} is stopping")))
            } else {
                let text = format!("there is no forward {id}; `forward ls` lists them");
                Outcome::error(3, text)
            };
            reply(state, caller, outcome, fx);
        }
    }
}

fn start(
    state: &mut State,
    caller: Caller,
    host: &str,
    rules: Vec<ForwardRule>,
    fx: &mut Vec<Effect>,
) {
    let target = gather::target(state, host);
    for rule in rules {
        // Even, because the engine gives odd numbers to the forwards that nobody asked for by name.
        state.last_forward += 2;
        let id = state.last_forward;
        let row = ForwardRow {
            id,
            host: host.to_owned(),
            rule: rule.clone(),
            state: ForwardState::Starting,
            configured: false,
            open: 0,
            total: 0,
            bytes_in: 0,
            bytes_out: 0,
            trouble: None,
            reached: false,
        };
        state.forwards.insert(
            id,
            LiveForward {
                caller: Some(caller),
                row,
            },
        );
        super::care::did(
            state,
            "forward",
            vec![host.to_owned()],
            rule.to_string(),
            fx,
        );
        fx.push(Effect::Ssh(SshAsk::Forward {
            id,
            target: target.clone(),
            rule,
            interactive: state.may_ask(caller),
        }));
    }
    if let Caller::Window(_) = caller {
        let text = format!("forwarding through {host}; `:forward ls` lists forwards");
        reply(state, caller, Outcome::ok(Answer::Done(text)), fx);
    }
}

/// A forward changed its state.
pub(super) fn changed(state: &mut State, row: ForwardRow, fx: &mut Vec<Effect>) {
    let caller = state.forwards.get(&row.id).and_then(|live| live.caller);
    let known = state.forwards.get(&row.id).map(|live| &live.row);
    let told = known.is_some_and(|known| known.state == row.state && known.trouble == row.trouble);
    let over = matches!(
        row.state,
        ForwardState::Stopped | ForwardState::Failed { .. }
    );
    if over {
        state.forwards.remove(&row.id);
    } else {
        let row = row.clone();
        state.forwards.insert(row.id, LiveForward { caller, row });
    }
    match caller.and_then(line_of) {
        Some(line) => for_line(state, line, row, fx),
        None => {
            if !told {
                tell(state, &row);
            }
            for_calls(state, &row, fx);
        }
    }
}

/// `qd forward`: every change is told; a failure ends it, and so does the end of the last.
fn for_line(state: &mut State, line: LineId, row: ForwardRow, fx: &mut Vec<Effect>) {
    let caller = Caller::Line(line);
    let (reached, change) = (row.reached, row.state.clone());
    fx.push(Effect::Emit(line, Emission::Forward(row)));
    match change {
        ForwardState::Waiting { why } if !reached => fail(state, caller, 255, why, fx),
        ForwardState::Failed { why } => fail(state, caller, if reached { 1 } else { 255 }, why, fx),
        ForwardState::Starting | ForwardState::Listening | ForwardState::Waiting { .. } => {}
        ForwardState::Stopped => {
            if of(state, caller).is_empty() && state.forwarding.remove(&line).is_none() {
                reply(state, caller, Outcome::ok(Answer::Silent), fx);
            }
        }
    }
}

/// The first failure is the outcome; what is left is stopped.
fn fail(state: &mut State, caller: Caller, exit: u8, why: String, fx: &mut Vec<Effect>) {
    let Caller::Line(line) = caller else { return };
    let left = of(state, caller);
    if state.forwarding.contains_key(&line) {
        return;
    }
    if !left.is_empty() {
        // Their ends are still to come and must not be taken for the command's.
        state.forwarding.insert(line, exit);
    }
    stop(&left, fx);
    reply(state, caller, Outcome::error(exit, why), fx);
}

/// The forwards that somebody asked for.
fn of(state: &State, caller: Caller) -> Vec<u64> {
    let mine = state
        .forwards
        .iter()
        .filter(|(_, live)| live.caller == Some(caller));
    mine.map(|(id, _)| *id).collect()
}

fn stop(ids: &[u64], fx: &mut Vec<Effect>) {
    fx.extend(
        ids.iter()
            .map(|id| Effect::Ssh(SshAsk::ForwardStop { id: *id })),
    );
}

/// Ctrl-C at `qd forward` is its orderly end, twice ends it at once. False if this line forwards nothing.
pub(super) fn interrupt(
    state: &mut State,
    line: LineId,
    again: bool,
    fx: &mut Vec<Effect>,
) -> bool {
    let caller = Caller::Line(line);
    let ids = of(state, caller);
    if ids.is_empty() {
        return false;
    }
    stop(&ids, fx);
    if again {
        reply(state, caller, Outcome::ok(Answer::Silent), fx);
    }
    true
}

/// A command line is gone: what it forwarded ends.
pub(super) fn left(state: &State, line: LineId, fx: &mut Vec<Effect>) {
    stop(&of(state, Caller::Line(line)), fx);
}

/// The process is ending: listeners on hosts and sockets here are taken back.
pub(super) fn stop_all(state: &State, fx: &mut Vec<Effect>) {
    let ids: Vec<u64> = state.forwards.keys().copied().collect();
    stop(&ids, fx);
}

/// What a forward of the screen, or of a host's settings, came to; failures are notes.
fn tell(state: &mut State, row: &ForwardRow) {
    let place = format!("{} through {}", row.rule, row.host);
    match &row.state {
        ForwardState::Failed { why } => {
            window::say(state, Level::Warn, format!("{place} failed: {why}"));
        }
        ForwardState::Waiting { why } => {
            window::say(state, Level::Warn, format!("{place} waits: {why}"));
        }
        ForwardState::Listening => match &row.trouble {
            Some(why) => window::say(state, Level::Warn, format!("{place}: {why}")),
            None => window::say(state, Level::Info, format!("{place} listens")),
        },
        ForwardState::Starting | ForwardState::Stopped => {}
    }
}

/// The same for whoever sits at `qd ssh` to that host: failures, and ports that were chosen.
fn for_calls(state: &State, row: &ForwardRow, fx: &mut Vec<Effect>) {
    for call in state.calls.values().filter(|call| call.host == row.host) {
        let asked = call.spec.along.iter().flat_map(|along| &along.forwards);
        let text = match &row.state {
            ForwardState::Listening if let Some(why) = &row.trouble => {
                format!("{}: {why}", row.rule)
            }
            ForwardState::Failed { why } => format!("{} failed: {why}", row.rule),
            // Whoever named the port knows it.
            ForwardState::Listening
                if !row.configured && !asked.into_iter().any(|rule| *rule == row.rule) =>
            {
                format!("{} listens", row.rule)
            }
            ForwardState::Starting
            | ForwardState::Listening
            | ForwardState::Waiting { .. }
            | ForwardState::Stopped => continue,
        };
        fx.push(Effect::Emit(call.line, Emission::Note(text)));
    }
}
