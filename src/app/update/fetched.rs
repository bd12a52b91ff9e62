//! Recordings that another device made, and that somebody here wants to see: asked for, waited for with words, given up.

use std::path::PathBuf;

use crate::app::effect::{Effect, Emission};
use crate::app::event::Caller;
use crate::app::purpose::{Gather, Piece, Purpose};
use crate::app::state::State;
use crate::app::sync::{SyncAsk, SyncRefusal};
use crate::command::{Answer, Command, Outcome, SessionCommand};
use crate::domain::ids::ReqId;
use crate::domain::recording::size_words;
use crate::domain::session::SessionRow;
use crate::model::{Level, Reel};
use crate::ui::View;

use super::{gather, reply, window};

/// Whether a command needs a recording that is perhaps not here.
pub(super) fn is_wanted(state: &State, gather: &Gather) -> bool {
    let Command::Session(command) = &gather.command else {
        return false;
    };
    let looks = match command {
        SessionCommand::Fetch { .. } => true,
        SessionCommand::Show { .. }
        | SessionCommand::Replay { .. }
        | SessionCommand::Export { .. } => {
            let shared = gather.session.as_ref().and_then(|row| row.shared.as_ref());
            shared.is_some_and(|shared| shared.device != state.setup.device)
        }
        _ => false,
    };
    looks && gather.session.is_some() && gather.fetched.is_none() && !state.setup.read_only
}

/// Asks for it; whoever waits is told when it does not come at once.
pub(super) fn ask(gather: &Gather, req: ReqId) -> Option<Effect> {
    let row = gather.session.clone()?;
    Some(Effect::Sync(SyncAsk::Fetch {
        req,
        row: Box::new(row),
    }))
}

fn words(row: &SessionRow, got: u64, of: u64) -> String {
    format!(
        "Fetching the recording of {} from the space: {} of {}.",
        row.reference,
        size_words(got),
        size_words(of)
    )
}

/// It is on its way.
pub(super) fn comes(state: &mut State, req: ReqId, (got, of): (u64, u64), fx: &mut Vec<Effect>) {
    let Some(Purpose::Gather(gather, Piece::Fetch)) = state.inflight.get(req) else {
        return;
    };
    let Some(row) = &gather.session else { return };
    let (caller, said) = (gather.caller, words(row, got, of));
    let reference = row.reference.to_uppercase();
    let plays = matches!(
        gather.command,
        Command::Session(SessionCommand::Replay { .. })
    );
    match caller {
        // Once; a script wants no more, and a person sees that it goes on by waiting.
        Caller::Line(line) if got == 0 => {
            let note = crate::app::recordings::fetching(row);
            fx.push(Effect::Emit(line, Emission::Note(note)));
        }
        Caller::Line(_) => {}
        Caller::Window(id) if plays => {
            let shown = state.model.reel.as_ref();
            if shown.is_none_or(|reel| reel.reference != reference) {
                window::open(state, id, View::Recording(reference.clone()));
            }
            state.model.reel = Some(Reel {
                reference,
                view: None,
                error: Some(said),
            });
        }
        Caller::Window(_) if got == 0 => window::say(state, Level::Info, said),
        Caller::Window(_) => {}
    }
}

/// It is here, or will not come: the command goes on with that.
pub(super) fn came(
    state: &mut State,
    req: ReqId,
    result: Result<PathBuf, SyncRefusal>,
    fx: &mut Vec<Effect>,
) {
    let Some(flight) = state.inflight.remove(req) else {
        return;
    };
    if let Purpose::Gather(mut gather, Piece::Fetch) = flight.purpose {
        gather.fetched = Some(result.map_err(|why| why.text));
        gather::advance(state, *gather, fx);
    }
}

/// What came of a command that wanted nothing but the recording.
pub(super) fn done(state: &mut State, gather: &Gather, silent: bool, fx: &mut Vec<Effect>) {
    let outcome = match &gather.fetched {
        Some(Ok(_)) if silent => Outcome::ok(Answer::Silent),
        Some(Ok(file)) => Outcome::ok(Answer::Done(format!("it is here: {}", file.display()))),
        Some(Err(why)) => Outcome::error(1, why.clone()),
        None => Outcome::error(
            1,
            "nothing is fetched by an app that changes nothing".to_owned(),
        ),
    };
    reply(state, gather.caller, outcome, fx);
}

/// It will not come, and the player that waits for it says why.
pub(super) fn failed(state: &mut State, reference: &str, why: &str) {
    if let Some(reel) = &mut state.model.reel
        && reel.reference == reference
    {
        reel.error = Some(why.to_owned());
    }
}

/// Nobody looks at the player any more that waits for it.
pub(super) fn unwatched(state: &mut State, fx: &mut Vec<Effect>) {
    give_up(state, fx, |gather| {
        let plays = matches!(
            gather.command,
            Command::Session(SessionCommand::Replay { .. })
        );
        plays && matches!(gather.caller, Caller::Window(_))
    });
}

/// A command line is gone that waits for it.
pub(super) fn left(state: &mut State, caller: Caller, fx: &mut Vec<Effect>) {
    give_up(state, fx, |gather| gather.caller == caller);
}

fn give_up(state: &mut State, fx: &mut Vec<Effect>, whose: impl Fn(&Gather) -> bool) {
    let waits = |purpose: &Purpose| matches!(purpose, Purpose::Gather(gather, Piece::Fetch) if whose(gather));
    while let Some(req) = state.inflight.find(waits) {
        state.inflight.remove(req);
        fx.push(Effect::Sync(SyncAsk::GiveUp { req }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::event::{Event, LineEvent, LineId};
    use crate::app::sync::SyncFact;
    use crate::app::update::bench::{WINDOW, state};
    use crate::app::update::{lay_out, update};
    use crate::command::Playing;
    use crate::domain::ids::{DeviceId, EntityId, SessionId};
    use crate::domain::session::SharedRecording;
    use crate::domain::time::Time;
    use crate::store;

    fn row(device: &str) -> SessionRow {
        SessionRow {
            id: SessionId(EntityId::from_bytes([9; 16])),
            reference: "S-9".to_owned(),
            host: "web1".to_owned(),
            ticket: None,
            opened: Time(1),
            closed: Some(Time(2)),
            exit: Some(0),
            bytes: 3 << 20,
            recording: Some("S.cast".to_owned()),
            live: false,
            shared: Some(SharedRecording {
                device: DeviceId(EntityId::derived("device", device)),
                blob: EntityId::derived("blob", "one"),
                bytes: 3 << 20,
                part: 1_000,
                hash: EntityId::derived("hash", "one"),
            }),
        }
    }

    /// Asks to play the recording of a session that was made on `device`; what is asked of sync, if anything is.
    fn played(state: &mut State, caller: Caller, device: &str) -> (Vec<Effect>, Option<ReqId>) {
        let command = Command::Session(SessionCommand::Replay {
            reference: "S-9".to_owned(),
            how: Playing::default(),
        });
        let command = Box::new(command);
        let effects = update(state, Event::Asked { caller, command });
        let asked = effects.iter().find_map(|effect| match effect {
            Effect::Ask(req, crate::store::Ask::Session { .. }) => Some(*req),
            _ => None,
        });
        let answer = store::Answer::Session(Box::new(row(device)));
        let effects = update(
            state,
            Event::Answered(asked.expect("the session is asked"), Ok(Box::new(answer))),
        );
        let wanted = effects.iter().find_map(|effect| match effect {
            Effect::Sync(SyncAsk::Fetch { req, .. }) => Some(*req),
            _ => None,
        });
        (effects, wanted)
    }

    fn gave_up(effects: &[Effect], of: ReqId) -> bool {
        let gives =
            |effect: &Effect| matches!(effect, Effect::Sync(SyncAsk::GiveUp { req }) if *req == of);
        effects.iter().any(gives)
    }

    #[test]
    fn the_player_says_what_it_waits_for_and_plays_what_came() {
        let mut state = state();
        let own = played(&mut state, Caller::Window(WINDOW), "lap1").1;
        assert_eq!(own, None, "one's own is never fetched");
        let (_, req) = played(&mut state, Caller::Window(WINDOW), "desk");
        let req = req.expect("it is fetched");
        let (got, of) = (1 << 20, 3 << 20);
        let fact = SyncFact::Fetching { req, got, of };
        drop(update(&mut state, Event::Sync(Box::new(fact))));
        let said = state
            .model
            .reel
            .as_ref()
            .and_then(|reel| reel.error.clone());
        let said = said.unwrap_or_default();
        assert!(said.contains("1.0 MiB of 3.0 MiB"), "{said}");
        let result = Ok(PathBuf::from("/there/S.cast"));
        let fact = SyncFact::Fetched { req, result };
        let effects = update(&mut state, Event::Sync(Box::new(fact)));
        let plays = |effect: &Effect| {
            use crate::app::reel::ReelAsk;
            matches!(effect, Effect::Reel(ReelAsk::Open { file, .. }) if file.ends_with("S.cast"))
        };
        assert!(effects.iter().any(plays), "{effects:?}");
    }

    #[test]
    fn what_nobody_waits_for_is_given_up() {
        let mut state = state();
        let (_, req) = played(&mut state, Caller::Window(WINDOW), "desk");
        let req = req.expect("it is fetched");
        let (got, of) = (0, 3 << 20);
        let fact = SyncFact::Fetching { req, got, of };
        drop(update(&mut state, Event::Sync(Box::new(fact))));
        assert!(!gave_up(&lay_out(&mut state), req), "it is looked at");
        window::open(&mut state, WINDOW, View::Sync);
        assert!(gave_up(&lay_out(&mut state), req));

        let line = LineId(7);
        let (_, req) = played(&mut state, Caller::Line(line), "desk");
        let req = req.expect("it is fetched");
        let effects = update(&mut state, Event::Line(line, LineEvent::Left));
        assert!(gave_up(&effects, req));
    }
}
