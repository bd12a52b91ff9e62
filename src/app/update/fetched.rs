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
pub(super) fn done(state: &mut State, gather: &Gather, fx: &mut Vec<Effect>) {
    let outcome = match &gather.fetched {
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
