//! Sessions as scripts use them: typed into, looked at, waited for.

use std::collections::BTreeMap;

use crate::app::effect::Effect;
use crate::app::event::{Caller, LineId};
use crate::app::purpose::{Gather, Purpose};
use crate::app::state::State;
use crate::command::{Answer, CaptureRow, Outcome, SessionLine};
use crate::domain::ids::{ReqId, SessionId};
use crate::domain::key::Key;
use crate::domain::run::Exit;
use crate::domain::session::SessionRow;
use crate::domain::time::Time;
use crate::model::{SessionState, SessionView};
use crate::ssh::{Capture, SshAsk};
use crate::term::watch::Patterns;

use super::reply;

/// The exit status of a wait that took too long.
const TIMED_OUT: u8 = 124;

/// Somebody waits for something in a session.
#[derive(Debug)]
pub(crate) struct Wait {
    caller: Caller,
    session: SessionId,
    reference: String,
    what: Awaited,
    /// Then it has taken too long.
    until: Option<Time>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Awaited {
    /// A line with this pattern.
    Line(String),
    /// The end, whose exit status is the answer.
    End,
    /// The end, which was asked for.
    Closing,
}

/// Who waits, by the number of the request.
pub(crate) type Waits = BTreeMap<ReqId, Wait>;

/// A pane of this process.
pub(super) fn pane<'s>(state: &'s State, reference: &str) -> Option<&'s SessionView> {
    // Until its record is written a session has no reference.
    let mut sessions = state.model.sessions.iter();
    let named = !reference.is_empty();
    sessions.find(|session| named && session.reference.eq_ignore_ascii_case(reference))
}

/// The live session of this reference, or what to say instead.
pub(super) fn live(
    state: &State,
    gather: &Gather,
    reference: &str,
) -> Result<SessionId, Box<Outcome>> {
    if let Some(view) = pane(state, reference) {
        return match &view.state {
            SessionState::Closed(how) => Err(Box::new(over(reference, how))),
            SessionState::Opening(_) | SessionState::Live => Ok(view.id),
        };
    }
    Err(Box::new(match &gather.session {
        None => Outcome::error(
            3,
            format!("there is no session {reference}; `qd session ls` lists them"),
        ),
        Some(row) if row.live => Outcome::error(
            1,
            format!("{reference} belongs to another process of qd, which must be asked itself"),
        ),
        Some(row) => match row.exit {
            Some(exit) => over(reference, &format!("exit {exit}")),
            None => over(reference, "how is not known"),
        },
    }))
}

/// Whether a window can be opened on a session: its pane is there, its program alive or dead.
pub(super) fn attachable(state: &State, gather: &Gather, reference: &str) -> Outcome {
    if let Caller::Window(_) = gather.caller {
        let text = "this is for a shell: you are in a window already".to_owned();
        return Outcome::error(2, text);
    }
    match pane(state, reference) {
        Some(_) => Outcome::ok(Answer::Silent),
        None => match live(state, gather, reference) {
            Ok(_) => Outcome::ok(Answer::Silent),
            Err(outcome) => *outcome,
        },
    }
}

fn over(reference: &str, how: &str) -> Outcome {
    Outcome::error(
        1,
        format!(
            "{reference} has ended ({how}); `qd session show {reference}` prints what it showed"
        ),
    )
}

/// Types a text and then keys.
pub(super) fn send(
    state: &mut State,
    gather: &Gather,
    reference: &str,
    text: String,
    keys: Vec<Key>,
    fx: &mut Vec<Effect>,
) {
    let outcome = match live(state, gather, reference) {
        Err(outcome) => *outcome,
        Ok(session) => {
            if !text.is_empty() {
                let bytes = text.into_bytes();
                fx.push(Effect::Ssh(SshAsk::Raw { session, bytes }));
            }
            let key = |key| Effect::Ssh(SshAsk::Key { session, key });
            fx.extend(keys.into_iter().map(key));
            Outcome::ok(Answer::Silent)
        }
    };
    reply(state, gather.caller, outcome, fx);
}

/// Asks what a pane shows; one whose program has ended can still be looked at.
pub(super) fn capture(
    state: &mut State,
    gather: &Gather,
    reference: &str,
    (scrollback, ansi): (bool, bool),
    fx: &mut Vec<Effect>,
) {
    let session = match pane(state, reference) {
        Some(view) => view.id,
        None => match live(state, gather, reference) {
            Ok(session) => session,
            Err(outcome) => return reply(state, gather.caller, *outcome, fx),
        },
    };
    let req = state.mint.request();
    let purpose = Purpose::Capture(gather.caller, reference.to_uppercase(), None);
    // A pane that nobody looked at since the app came back is read back first.
    super::layout::wake(state, session, fx);
    state.inflight.insert(req, state.model.now, purpose);
    fx.push(Effect::Ssh(SshAsk::Capture {
        req,
        session,
        scrollback,
        ansi,
    }));
}

/// A pane said what it shows.
pub(super) fn captured(
    state: &mut State,
    req: ReqId,
    result: Result<Capture, String>,
    fx: &mut Vec<Effect>,
) {
    let flight = state.inflight.remove(req).map(|flight| flight.purpose);
    let Some(Purpose::Capture(caller, reference, wanted)) = flight else {
        return;
    };
    let outcome = match (result, wanted) {
        (Err(why), _) => Outcome::error(1, format!("{reference} cannot be looked at: {why}")),
        (Ok(capture), None) => Outcome::ok(Answer::Captured(Box::new(CaptureRow {
            reference,
            text: capture.text,
            cols: capture.size.cols,
            rows: capture.size.rows,
            cursor: capture.cursor,
            title: capture.title,
        }))),
        // Its program has ended: what it left on the screen is all that there will ever be.
        (Ok(capture), Some(wanted)) => {
            let patterns = Patterns::new(std::slice::from_ref(&wanted)).ok();
            let line = capture
                .text
                .lines()
                .find(|line| patterns.as_ref().is_some_and(|wanted| wanted.are_in(line)));
            match line {
                Some(line) => Outcome::ok(Answer::Matched {
                    reference,
                    line: line.to_owned(),
                }),
                None => unseen(&reference, &wanted, "it has ended"),
            }
        }
    };
    reply(state, caller, outcome, fx);
}

fn unseen(reference: &str, wanted: &str, why: &str) -> Outcome {
    Outcome::error(
        1,
        format!(
            "{reference} did not show {wanted:?}: {why}; `qd session show {reference}` prints what it showed"
        ),
    )
}

/// Waits for a line, or for the end.
pub(super) fn wait(
    state: &mut State,
    gather: &Gather,
    reference: &str,
    pattern: Option<String>,
    timeout_ms: Option<u64>,
    fx: &mut Vec<Effect>,
) {
    let caller = gather.caller;
    if let Some(why) = pattern
        .as_ref()
        .and_then(|pattern| Patterns::new(std::slice::from_ref(pattern)).err())
    {
        let text = format!("--for is no regular expression: {why}");
        return reply(state, caller, Outcome::error(2, text), fx);
    }
    let dead = pane(state, reference)
        .filter(|view| matches!(view.state, SessionState::Closed(_)))
        .map(|view| view.id);
    if let (Some(session), Some(pattern)) = (dead, &pattern) {
        let req = state.mint.request();
        let purpose = Purpose::Capture(caller, reference.to_uppercase(), Some(pattern.clone()));
        super::layout::wake(state, session, fx);
        state.inflight.insert(req, state.model.now, purpose);
        return fx.push(Effect::Ssh(SshAsk::Capture {
            req,
            session,
            scrollback: true,
            ansi: false,
        }));
    }
    let session = match live(state, gather, reference) {
        Ok(session) => session,
        // Its end is what was waited for.
        Err(outcome) => {
            // The pane knows before the store does.
            let shown = pane(state, reference).and_then(|view| view.exit);
            let row = gather.session.as_ref().and_then(|row| row.exit);
            let exit = shown.map(i64::from).or(row);
            let outcome = match (pattern, exit.and_then(|exit| u8::try_from(exit).ok())) {
                (None, Some(exit)) => Outcome {
                    answer: Answer::Silent,
                    exit,
                },
                _ => *outcome,
            };
            return reply(state, caller, outcome, fx);
        }
    };
    let req = state.mint.request();
    let until = timeout_ms.and_then(|millis| i64::try_from(millis).ok());
    let until = until.map(|millis| state.model.now.plus(millis));
    let what = match pattern {
        Some(pattern) => {
            fx.push(Effect::Ssh(SshAsk::Watch {
                req,
                session,
                patterns: vec![pattern.clone()],
                already: true,
            }));
            Awaited::Line(pattern)
        }
        None => Awaited::End,
    };
    let wait = Wait {
        caller,
        session,
        reference: reference.to_uppercase(),
        what,
        until,
    };
    state.waits.insert(req, wait);
}

/// Ends a session; a command line is answered when it has ended.
pub(super) fn close(state: &mut State, gather: &Gather, reference: &str, fx: &mut Vec<Effect>) {
    let ended = pane(state, reference)
        .filter(|view| matches!(view.state, SessionState::Closed(_)))
        .map(|view| view.id);
    if let (Some(session), Caller::Window(_)) = (ended, gather.caller) {
        // On the screen it is the pane that is closed.
        return super::layout::dismiss(state, session, fx);
    }
    let session = match live(state, gather, reference) {
        Ok(session) => session,
        Err(outcome) => return reply(state, gather.caller, *outcome, fx),
    };
    fx.push(Effect::Ssh(SshAsk::Close { session }));
    if let Caller::Window(_) = gather.caller {
        let text = format!("{reference} is closing");
        return reply(state, gather.caller, Outcome::ok(Answer::Done(text)), fx);
    }
    let req = state.mint.request();
    let wait = Wait {
        caller: gather.caller,
        session,
        reference: reference.to_uppercase(),
        what: Awaited::Closing,
        until: None,
    };
    state.waits.insert(req, wait);
}

/// A line was shown that somebody may wait for.
pub(super) fn matched(
    state: &mut State,
    session: SessionId,
    req: ReqId,
    line: &str,
    fx: &mut Vec<Effect>,
) {
    let Some(wait) = state.waits.remove(&req) else {
        return;
    };
    fx.push(Effect::Ssh(SshAsk::Unwatch { req, session }));
    let answer = Answer::Matched {
        reference: wait.reference,
        line: line.to_owned(),
    };
    reply(state, wait.caller, Outcome::ok(answer), fx);
}

/// A session has ended: nobody waits for it any longer.
pub(super) fn ended(state: &mut State, session: SessionId, exit: &Exit, fx: &mut Vec<Effect>) {
    for wait in taken(state, |wait| wait.session == session, fx) {
        let outcome = match wait.what {
            Awaited::Closing => Outcome::ok(Answer::Done(format!("{} is closed", wait.reference))),
            Awaited::End => Outcome {
                answer: match exit {
                    Exit::Code(_) => Answer::Silent,
                    _ => Answer::Error(format!("{}: {}", wait.reference, super::exit_words(exit))),
                },
                exit: u8::try_from(exit.code()).unwrap_or(1),
            },
            Awaited::Line(wanted) => {
                let how = format!("it ended before ({})", super::exit_words(exit));
                unseen(&wait.reference, &wanted, &how)
            }
        };
        reply(state, wait.caller, outcome, fx);
    }
}

/// An ask was not taken: whoever waits for the line that it was about would wait for ever.
pub(super) fn refused(state: &mut State, ask: &str, why: &str, fx: &mut Vec<Effect>) {
    if !ask.starts_with("Watch(") {
        return;
    }
    let waits = state.waits.keys();
    let req = waits.copied().find(|req| ask.contains(&format!("{req:?}")));
    let Some(wait) = req.and_then(|req| state.waits.remove(&req)) else {
        return;
    };
    let text = format!("{} cannot be waited for: {why}", wait.reference);
    reply(state, wait.caller, Outcome::error(1, text), fx);
}

/// Time passed: who waited too long is told.
pub(super) fn tick(state: &mut State, fx: &mut Vec<Effect>) {
    let now = state.model.now;
    if state.waits.is_empty() {
        return;
    }
    for wait in taken(
        state,
        |wait| wait.until.is_some_and(|until| until <= now),
        fx,
    ) {
        let what = match &wait.what {
            Awaited::Line(wanted) => format!("did not show {wanted:?}"),
            Awaited::End | Awaited::Closing => "did not end".to_owned(),
        };
        let text = format!("{} {what} in time; it goes on", wait.reference);
        reply(state, wait.caller, Outcome::error(TIMED_OUT, text), fx);
    }
}

/// A command line is gone, or was interrupted: it waits no more.
pub(super) fn left(state: &mut State, line: LineId, fx: &mut Vec<Effect>) {
    for wait in taken(state, |wait| wait.caller == Caller::Line(line), fx) {
        let outcome = Outcome {
            answer: Answer::Silent,
            exit: 128 + 2,
        };
        reply(state, wait.caller, outcome, fx);
    }
}

/// Takes those out who wait for this; nobody watches for them any more.
fn taken(state: &mut State, is: impl Fn(&Wait) -> bool, fx: &mut Vec<Effect>) -> Vec<Wait> {
    let waits = state.waits.iter().filter(|(_, wait)| is(wait));
    let reqs: Vec<ReqId> = waits.map(|(req, _)| *req).collect();
    let mut taken = Vec::new();
    for req in reqs {
        let Some(wait) = state.waits.remove(&req) else {
            continue;
        };
        if let Awaited::Line(_) = wait.what {
            let session = wait.session;
            fx.push(Effect::Ssh(SshAsk::Unwatch { req, session }));
        }
        taken.push(wait);
    }
    taken
}

/// The sessions of the store with what is known of our panes, the living first.
pub(super) fn listed(state: &State, rows: Vec<SessionRow>) -> Answer {
    let mut lines: Vec<SessionLine> = rows.into_iter().map(|row| line(state, row)).collect();
    let rank = |line: &SessionLine| match line.state.as_str() {
        "live" | "connecting" => 0,
        "elsewhere" => 1,
        _ => 2,
    };
    lines.sort_by_key(rank);
    Answer::SessionLines(lines)
}

fn line(state: &State, row: SessionRow) -> SessionLine {
    let view = state.model.session(row.id);
    let tab = state.model.tab_of(state.model.pane_of(row.id));
    let tab = tab.map(|(number, _)| number);
    let word = match (view.map(|view| &view.state), row.live, row.closed) {
        (Some(SessionState::Opening(_)), _, _) => "connecting",
        (Some(SessionState::Live), _, _) => "live",
        (Some(SessionState::Closed(_)), _, _) => "ended",
        (None, true, _) => "elsewhere",
        (None, false, Some(_)) => "closed",
        (None, false, None) => "lost",
    };
    let screen = view.and_then(|view| view.screen.as_ref());
    SessionLine {
        state: word.to_owned(),
        size: screen.map(|screen| (screen.size.cols, screen.size.rows)),
        title: view.map_or_else(String::new, |view| view.title.clone()),
        tab,
        recorded: view.is_some_and(|view| view.recording && view.state == SessionState::Live),
        row,
    }
}
