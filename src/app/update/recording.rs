//! Recordings: switched on and off, marked, kept within their limits, played, exported and searched.

use crate::app::effect::{Effect, FileAsk};
use crate::app::event::{Caller, FileFact};
use crate::app::purpose::{Gather, Purpose};
use crate::app::recordings;
use crate::app::reel::{ReelAsk, ReelFact};
use crate::app::state::State;
use crate::command::{Answer, ExportFormat, Outcome, Playing, Search};
use crate::domain::ids::SessionId;
use crate::domain::session::SessionRow;
use crate::domain::text;
use crate::model::{Found, Level, Reel, SessionState};
use crate::ssh::SshAsk;
use crate::store::Ask;
use crate::term::deck::DeckAsk;
use crate::term::film::pattern;
use crate::ui::View;

use super::{fetched, reply, script, window};

/// The time between two looks at what must not be kept, in milliseconds.
const SWEEP: u64 = 3_600_000;

/// How many lines a search shows on the screen; whoever finds more asks for less.
pub(crate) const FOUND: usize = 2_000;

/// A session is recorded from now on, or no more, as somebody asked.
pub(super) fn changed(state: &mut State, session: SessionId, on: bool) {
    let Some(view) = state.model.session_mut(session) else {
        return;
    };
    view.recording = on;
    let host = view.host.clone();
    let (level, text) = if on {
        (Level::Info, format!("{host} is recorded from here on"))
    } else {
        (Level::Warn, format!("{host} is NOT RECORDED from here on"))
    };
    window::say(state, level, text);
}

/// Switches the recording of a live session.
pub(super) fn record(
    state: &mut State,
    gather: &Gather,
    reference: &str,
    on: bool,
    fx: &mut Vec<Effect>,
) {
    let session = match script::live(state, gather, reference) {
        Ok(session) => session,
        Err(outcome) => return reply(state, gather.caller, *outcome, fx),
    };
    let live = state.sessions.get(&session);
    let file = live.map(|live| state.setup.recordings.join(&live.recording));
    fx.push(Effect::Ssh(SshAsk::Record {
        session,
        file: file.filter(|_| on),
    }));
    let outcome = match gather.caller {
        // A window is told when it has happened.
        Caller::Window(_) => Outcome::ok(Answer::Silent),
        Caller::Line(_) => Outcome::ok(Answer::Done(format!(
            "{reference}: recording {}",
            if on { "on" } else { "off" }
        ))),
    };
    reply(state, gather.caller, outcome, fx);
}

/// Sets a marker.
pub(super) fn mark(
    state: &mut State,
    gather: &Gather,
    reference: &str,
    words: &str,
    fx: &mut Vec<Effect>,
) {
    let outcome = match script::live(state, gather, reference) {
        Err(outcome) => *outcome,
        Ok(session) => {
            let recorded = state.model.session(session);
            if recorded.is_some_and(|view| view.recording && view.state == SessionState::Live) {
                let text = text::line(words);
                fx.push(Effect::Ssh(SshAsk::MarkRecording { session, text }));
                Outcome::ok(Answer::Done(format!("{reference}: marked")))
            } else {
                Outcome::error(
                    1,
                    format!("{reference} is not being recorded, so there is nothing to mark"),
                )
            }
        }
    };
    reply(state, gather.caller, outcome, fx);
}

/// Time passed: what must not be kept any longer goes, at the start and then every hour.
pub(super) fn tick(state: &mut State, fx: &mut Vec<Effect>) {
    let now = state.model.now;
    let due = state.swept.is_none_or(|last| now.since(last) >= SWEEP);
    if state.setup.served && !state.setup.read_only && due {
        state.swept = Some(now);
        let ask = FileAsk::Sweep {
            keeping: state.setup.recording.keeping,
            now,
        };
        super::read_file(state, ask, Purpose::Sweep, fx);
    }
}

/// Recordings were looked through.
pub(super) fn swept(state: &mut State, fact: &FileFact) {
    if let FileFact::Swept(swept) = fact
        && swept.removed > 0
    {
        let text = format!(
            "{} recordings were removed to keep within [recording] quota and keep_days; the log names them",
            swept.removed
        );
        window::say(state, Level::Info, text);
    }
}

/// Plays a recording in the window that asked.
pub(super) fn replay(
    state: &mut State,
    gather: &Gather,
    reference: &str,
    how: Playing,
    fx: &mut Vec<Effect>,
) {
    let (Caller::Window(window), Some(row)) = (gather.caller, &gather.session) else {
        let text =
            "a recording is played in a terminal; `qd session show` prints its text".to_owned();
        return reply(state, gather.caller, Outcome::error(2, text), fx);
    };
    let reference = reference.to_uppercase();
    let folder = &state.setup.recordings;
    let own = recordings::Wanted::of(row).find(folder);
    let own = own.or_else(|_| recordings::place(folder, &recordings::file_name(row)));
    let file = gather.fetched.clone().unwrap_or(own);
    match file {
        Err(why) => {
            fetched::failed(state, &reference, &why);
            reply(state, gather.caller, Outcome::error(1, why), fx);
        }
        Ok(file) => {
            state.model.reel = Some(Reel {
                reference: reference.clone(),
                view: None,
                error: None,
            });
            fx.push(Effect::Reel(ReelAsk::Open {
                reference: reference.clone(),
                file,
                how,
            }));
            window::open(state, window, View::Recording(reference));
        }
    }
}

/// A button of the player was pressed.
pub(super) fn pressed(state: &State, reference: &str, ask: DeckAsk, fx: &mut Vec<Effect>) {
    let reel = state.model.reel.as_ref();
    if reel.is_some_and(|reel| reel.reference == reference) {
        fx.push(Effect::Reel(ReelAsk::Act(ask)));
    }
}

/// The player shows something.
pub(super) fn shown(state: &mut State, fact: ReelFact) {
    if let Some(reel) = &mut state.model.reel
        && reel.reference == fact.reference
    {
        match fact.view {
            Ok(view) => (reel.view, reel.error) = (Some(view), None),
            Err(why) => reel.error = Some(why),
        }
    }
}

/// Before a frame: a player that nobody looks at stops.
pub(super) fn lay_out(state: &mut State, fx: &mut Vec<Effect>) {
    let Some(reel) = &state.model.reel else {
        return;
    };
    let shown = View::Recording(reel.reference.clone());
    if !state.windows.values().any(|ui| *ui.view() == shown) {
        fetched::unwatched(state, fx);
        state.model.reel = None;
        fx.push(Effect::Reel(ReelAsk::Close));
    }
}

/// Exports a recording into a file.
pub(super) fn export(
    state: &mut State,
    gather: &Gather,
    format: ExportFormat,
    output: std::path::PathBuf,
    fx: &mut Vec<Effect>,
) {
    let caller = gather.caller;
    let Some(row) = &gather.session else {
        return reply(state, caller, Outcome::ok(Answer::Silent), fx);
    };
    if let Some(Err(why)) = &gather.fetched {
        return reply(state, caller, Outcome::error(1, why.clone()), fx);
    }
    if output.as_os_str() == "-" {
        let text = "name a file: `session export REF -o FILE`".to_owned();
        return reply(state, caller, Outcome::error(2, text), fx);
    }
    let ask = FileAsk::Export {
        recording: recordings::Wanted::of(row),
        format,
        output,
    };
    super::read_file(state, ask, Purpose::Show(caller), fx);
}

/// Looks through recordings for a window: first which there are.
pub(super) fn search(state: &mut State, caller: Caller, search: Search, fx: &mut Vec<Effect>) {
    if let Err(why) = pattern(&search.wanted, search.regex) {
        return reply(state, caller, Outcome::error(2, why), fx);
    }
    let Caller::Window(window) = caller else {
        let text = "a command line looks through recordings by itself".to_owned();
        return reply(state, caller, Outcome::error(2, text), fx);
    };
    state.model.found = Some(Found {
        wanted: search.wanted.clone(),
        rows: Vec::new(),
        done: false,
        said: None,
    });
    window::open(state, window, View::Found);
    super::ask(
        state,
        Ask::Sessions { limit: None },
        Purpose::Search(caller, Box::new(search)),
        fx,
    );
}

/// The sessions are known whose recordings are to be looked through.
pub(super) fn listed(
    state: &mut State,
    search: Search,
    rows: Vec<SessionRow>,
    fx: &mut Vec<Effect>,
) {
    let req = state.mint.request();
    state.searching = Some(req);
    let now = state.model.now;
    fx.push(Effect::File(req, FileAsk::Search { search, rows, now }));
}

/// Something was found, or nothing more will be.
pub(super) fn found(state: &mut State, req: crate::domain::ids::ReqId, fact: FileFact) {
    if state.searching != Some(req) {
        return;
    }
    let Some(found) = &mut state.model.found else {
        return;
    };
    match fact {
        FileFact::Found(mut rows) => found.rows.append(&mut rows),
        FileFact::Looked(said) => {
            (found.done, found.said) = (true, Some(said));
            state.searching = None;
        }
        _ => {}
    }
}
