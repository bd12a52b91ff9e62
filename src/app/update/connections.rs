//! Connections and forwards as the screen shows them: looked at while somebody looks, ended and made anew on demand.

use std::time::Duration;

use crate::app::effect::Effect;
use crate::app::event::Caller;
use crate::app::purpose::{Gather, Purpose};
use crate::app::state::State;
use crate::command::{Answer, ConnectionCommand, Outcome};
use crate::domain::connection::{ConnectionRow, ConnectionState};
use crate::domain::forward::ForwardRow;
use crate::domain::host::Target;
use crate::domain::run::Exit;
use crate::domain::time::Time;
use crate::ssh::{ExecSpec, SshAsk};
use crate::ui::Want;

use super::{gather, reply};

/// How long the end of the old connection is waited for before the new one is made all the same, in milliseconds.
const FAREWELL: u64 = 3_000;

/// How long the command that proves a new connection may take.
const PROOF: Duration = Duration::from_secs(30);

/// A connection that is to be made anew once the old one is gone.
#[derive(Debug)]
pub(crate) struct Again {
    caller: Caller,
    since: Time,
}

/// Carries out a command about connections.
pub(super) fn execute(
    state: &mut State,
    gather: &Gather,
    command: ConnectionCommand,
    fx: &mut Vec<Effect>,
) {
    let caller = gather.caller;
    match command {
        ConnectionCommand::Close { host } => {
            let target = gather::target(state, &host);
            fx.push(Effect::Ssh(SshAsk::Disconnect { target }));
            let words = format!("the connection to {host} is closing");
            reply(state, caller, Outcome::ok(Answer::Done(words)), fx);
        }
        ConnectionCommand::Again { host } => {
            let there = |row: &ConnectionRow| row.host == host && row.state == ConnectionState::Up;
            if state.model.connections.iter().any(there) {
                let target = gather::target(state, &host);
                fx.push(Effect::Ssh(SshAsk::Disconnect { target }));
                let since = state.model.now;
                state.again.insert(host, Again { caller, since });
            } else {
                connect(state, caller, host, fx);
            }
        }
    }
}

/// Makes a connection by the smallest command there is.
fn connect(state: &mut State, caller: Caller, host: String, fx: &mut Vec<Effect>) {
    let target = gather::target(state, &host);
    let req = state.mint.request();
    state
        .inflight
        .insert(req, state.model.now, Purpose::Again(caller, host));
    let spec = ExecSpec {
        timeout: Some(PROOF),
        interactive: true,
        ..ExecSpec::collect("true", 1024)
    };
    fx.push(Effect::Ssh(SshAsk::Exec { req, target, spec }));
}

/// The command that proves a new connection has ended. That it ran at all is the proof: devices without `true` count.
pub(super) fn connected(
    state: &mut State,
    caller: Caller,
    host: &str,
    exit: &Exit,
    fx: &mut Vec<Effect>,
) {
    let outcome = match exit {
        Exit::Unreachable(why) => Outcome::error(255, format!("{host}: {why}")),
        Exit::Cancelled => Outcome::error(1, format!("{host}: the attempt was given up")),
        Exit::Code(_) | Exit::Signal(_) | Exit::TimedOut => {
            Outcome::ok(Answer::Done(format!("connected to {host}")))
        }
    };
    reply(state, caller, outcome, fx);
    look(state, fx);
}

/// A connection is gone: one that is wanted anew is made.
pub(super) fn disconnected(state: &mut State, target: &Target, fx: &mut Vec<Effect>) {
    if let Some(again) = state.again.remove(&target.name) {
        connect(state, again.caller, target.name.clone(), fx);
    }
    look(state, fx);
}

/// Time passed.
pub(super) fn tick(state: &mut State, fx: &mut Vec<Effect>) {
    let now = state.model.now;
    let late: Vec<String> = state
        .again
        .iter()
        .filter(|(_, again)| now.since(again.since) >= FAREWELL)
        .map(|(host, _)| host.clone())
        .collect();
    for host in late {
        if let Some(again) = state.again.remove(&host) {
            connect(state, again.caller, host, fx);
        }
    }
    look(state, fx);
}

/// Looks at the connections, if anybody would see them. What servers said before they ask is shown with questions.
pub(super) fn look(state: &State, fx: &mut Vec<Effect>) {
    if state.pages.contains_key(&Want::Connections) || !state.model.questions.is_empty() {
        fx.push(Effect::Look);
    }
}

/// The connections and forwards as they are now.
pub(super) fn seen(state: &mut State, connections: Vec<ConnectionRow>, forwards: Vec<ForwardRow>) {
    state.model.connections = connections;
    state.model.forwards = forwards;
    state.model.connections_at = Some(state.model.now);
}

/// A forward changed its state: the page knows it at once.
pub(super) fn forward_changed(state: &mut State, row: ForwardRow, fx: &mut Vec<Effect>) {
    let known = state
        .model
        .forwards
        .iter_mut()
        .find(|known| known.id == row.id);
    match known {
        Some(known) => *known = row,
        None => state.model.forwards.push(row),
    }
    look(state, fx);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::event::Event;
    use crate::app::update::bench::{press, state};
    use crate::app::update::update;
    use crate::ssh::SshFact;

    fn looks(effects: &[Effect]) -> usize {
        let looks = |effect: &&Effect| matches!(effect, Effect::Look);
        effects.iter().filter(looks).count()
    }

    fn fact(state: &mut State, fact: SshFact) -> Vec<Effect> {
        update(state, Event::Ssh(Box::new(fact)))
    }

    #[test]
    fn connections_are_looked_at_while_somebody_sees_them() {
        let mut state = state();
        let tick = |state: &mut State| {
            let now = state.model.now.plus(500);
            update(state, Event::Tick(now))
        };
        press(&mut state, "1");
        assert_eq!(looks(&tick(&mut state)), 0, "nobody would see it");
        assert!(looks(&press(&mut state, "6")) > 0, "at once");
        assert_eq!(looks(&tick(&mut state)), 1, "and again and again");
        let rows = state.model.connections.split_off(4);
        drop(update(&mut state, Event::Connections(rows, Vec::new())));
        assert_eq!(
            (state.model.connections.len(), state.model.forwards.len()),
            (2, 0)
        );
        press(&mut state, "1");
        assert_eq!(looks(&tick(&mut state)), 0);
    }

    #[test]
    fn a_new_connection_is_made_when_the_old_one_is_gone() {
        let mut state = state();
        let effects = press(&mut state, "6 r y");
        let disconnects = |effect: &Effect| matches!(effect, Effect::Ssh(SshAsk::Disconnect { target }) if target.name == "bastion");
        let connects = |effect: &Effect| matches!(effect, Effect::Ssh(SshAsk::Exec { target, .. }) if target.name == "bastion");
        assert!(effects.iter().any(disconnects) && !effects.iter().any(connects));
        let target = gather::target(&state, "bastion");
        let reason = "closed by the user".to_owned();
        let effects = fact(&mut state, SshFact::Disconnected { target, reason });
        let Some(Effect::Ssh(SshAsk::Exec { req, spec, .. })) =
            effects.iter().find(|effect| connects(effect))
        else {
            unreachable!("it connects: {effects:?}")
        };
        assert!(spec.interactive, "a person may be asked");
        let done = SshFact::ExecDone {
            req: *req,
            exit: Exit::Unreachable("connection refused".to_owned()),
            stdout: Vec::new(),
            stderr: Vec::new(),
            merged: Vec::new(),
            dropped: 0,
            took_ms: 1,
        };
        fact(&mut state, done);
        let said = state.model.notices.last().map(|notice| notice.text.clone());
        assert_eq!(said.as_deref(), Some("bastion: connection refused"));
    }

    #[test]
    fn an_end_that_is_never_told_does_not_hold_the_new_connection_up() {
        let mut state = state();
        press(&mut state, "6 r y");
        let now = state.model.now.plus(4_000);
        let effects = update(&mut state, Event::Tick(now));
        let connects = effects
            .iter()
            .any(|effect| matches!(effect, Effect::Ssh(SshAsk::Exec { .. })));
        assert!(connects && state.again.is_empty());
    }
}
