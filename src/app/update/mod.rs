//! The pure heart: an event and the state in, effects out. This file only routes; each noun has a file of its own.
//!
//! Nothing here waits, reads a clock, rolls dice or touches a file. Every event is routed; no wildcard hides a new one.

mod after;
mod alarm;
mod alert;
mod begin;
#[cfg(test)]
mod bench;
mod broadcast;
mod care;
mod connections;
mod copied;
mod copy;
mod exec;
mod failure;
mod fetched;
mod files;
mod forward;
mod gather;
mod health;
mod host;
mod layout;
mod line;
mod page;
mod program;
mod question;
mod recording;
mod run;
mod script;
mod session;
mod settings;
mod source;
mod ssh;
mod stats;
mod sync;
mod takers;
mod ticket;
mod window;
mod wishes;

pub use begin::start;

pub(crate) use alert::Watched;
pub(crate) use broadcast::Member;
pub(crate) use connections::Again;
pub(crate) use files::FileOrder;
pub(crate) use layout::{Tabs, Wanted};
pub(crate) use recording::FOUND;
pub(crate) use script::Waits;
pub(crate) use session::HERE;
pub(crate) use settings::SettingsFile;
pub(crate) use source::Source;
pub(crate) use sync::SyncOrder;
pub(crate) use takers::Takers;

use crate::command::{Answer, Outcome};
use crate::domain::case::CaseEvent;
use crate::domain::ids::ReqId;
use crate::domain::op::Value;
use crate::domain::run::Exit;
use crate::domain::time::Time;
use crate::model::{KeyAlarm, Level};
use crate::ssh::{SshAsk, SshFact, Stream};
use crate::store::{self, Ask, Batch, Committed, StoreError};
use crate::ui::Want;

use super::effect::{Effect, Emission, FileAsk};
use super::event::{Caller, Event, FileFact};
use super::purpose::{Gather, Purpose, Then};
use super::state::{Call, State};

/// Takes in one event and says what to do.
pub fn update(state: &mut State, event: Event) -> Vec<Effect> {
    let mut fx = Vec::new();
    let fx = &mut fx;
    state.source = source::of(&event);
    match event {
        Event::Tick(now) => {
            state.model.now = now;
            health::tick(state, fx);
            connections::tick(state, fx);
            broadcast::tick(state, fx);
            alert::tick(state, fx);
            recording::tick(state, fx);
            script::tick(state, fx);
            settings::tick(state, fx);
            layout::retry(state, fx);
        }
        Event::Window(id, event) => window::happened(state, id, event, fx),
        Event::Asked { caller, command } => gather::begin(state, Gather::new(caller, *command), fx),
        Event::Line(line, event) => line::heard(state, line, event, fx),
        Event::Committed(req, result) => committed(state, req, result, fx),
        Event::Answered(req, result) => answered(state, req, result.map(|answer| *answer), fx),
        Event::StoreChanged => {
            page::outdate(state);
            ask(state, Ask::Hosts, Purpose::Hosts, fx);
            sync::wrote(state, fx);
        }
        Event::Sync(fact) => sync::heard(state, *fact, fx),
        Event::SyncLevel(level) => sync::level(state, *level),
        Event::Ssh(fact) => connection(state, *fact, fx),
        Event::Looked(window, looked) => stats::show(state, window, &looked),
        Event::Connections(rows, forwards) => connections::seen(state, rows, forwards),
        Event::Screen(session, screen) => window::screen_changed(state, session, screen),
        Event::File(req, fact) => file(state, req, fact, fx),
        Event::Reel(fact) => recording::shown(state, *fact),
        Event::Kept(result) => copied::kept(state, result),
        Event::Local(sample) => health::here(state, *sample),
        // The engine learns of it where agents are chosen.
        Event::Agent(socket) => fx.push(Effect::Ssh(SshAsk::Agent { socket })),
        Event::Slow(line, slow) => line::slow(state, line, slow, fx),
        Event::Stop => stop(state, fx),
    }
    layout::keep(state, fx);
    quit_when_settled(state, fx);
    std::mem::take(fx)
}

/// What must happen before a frame is drawn: panes get their sizes, pages that are shown are read.
pub fn lay_out(state: &mut State) -> Vec<Effect> {
    let mut fx = Vec::new();
    window::lay_out(state, &mut fx);
    recording::lay_out(state, &mut fx);
    sync::lay_out(state, &mut fx);
    fx
}

/// Makes a batch durable.
fn append(state: &mut State, batch: Batch, purpose: Purpose, fx: &mut Vec<Effect>) {
    let req = state.mint.request();
    state.inflight.insert(req, state.model.now, purpose);
    fx.push(Effect::Append(req, batch));
}

/// Asks the store.
fn ask(state: &mut State, ask: Ask, purpose: Purpose, fx: &mut Vec<Effect>) {
    let req = state.mint.request();
    state.inflight.insert(req, state.model.now, purpose);
    fx.push(Effect::Ask(req, ask));
}

/// Reads a file.
fn read_file(state: &mut State, ask: FileAsk, purpose: Purpose, fx: &mut Vec<Effect>) {
    let req = state.mint.request();
    state.inflight.insert(req, state.model.now, purpose);
    fx.push(Effect::File(req, ask));
}

/// Gives whoever asked what came of it.
fn reply(state: &mut State, caller: Caller, outcome: Outcome, fx: &mut Vec<Effect>) {
    match caller {
        Caller::Line(line) => fx.push(Effect::Reply(line, Box::new(outcome))),
        Caller::Window(window) => window::show(state, window, outcome),
    }
}

/// Says something that nobody asked for, on every window.
fn warn(state: &mut State, text: String) {
    window::say(state, Level::Warn, text);
}

/// Adds to an entry how a command ended.
fn finish_case(case: &mut CaseEvent, exit: &Exit, took_ms: u64, output: &[u8], _now: Time) {
    case.data
        .insert("exit".to_owned(), Value::Int(exit.code().into()));
    case.data.insert(
        "took_ms".to_owned(),
        Value::Int(i64::try_from(took_ms).unwrap_or(i64::MAX)),
    );
    if let Exit::Unreachable(why) = exit {
        case.data
            .insert("error".to_owned(), Value::from(why.as_str()));
    }
    if !output.is_empty() {
        case.data.insert(
            "output".to_owned(),
            Value::from(String::from_utf8_lossy(output).into_owned()),
        );
    }
}

/// How something ended, in words.
fn exit_words(exit: &Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exit {code}"),
        Exit::Signal(name) => format!("ended by SIG{name}"),
        Exit::TimedOut => "timed out".to_owned(),
        Exit::Unreachable(why) => why.clone(),
        Exit::Cancelled => "closed".to_owned(),
    }
}

fn committed(
    state: &mut State,
    req: ReqId,
    result: Result<Committed, StoreError>,
    fx: &mut Vec<Effect>,
) {
    let Some(flight) = state.inflight.remove(req) else {
        return;
    };
    if result.is_ok() && flight.purpose.outdates() {
        page::outdate(state);
        sync::wrote(state, fx);
    }
    match (flight.purpose, result) {
        (Purpose::Journal(run, token), result) => run::journalled(state, run, token, result, fx),
        (Purpose::Commit(caller, then), Ok(done)) => {
            after::follow_up(state, caller, then, &done, fx)
        }
        (Purpose::Commit(caller, then), Err(error)) => {
            match then {
                Then::Open(session) => session::refused(state, session, &failure::text(&error), fx),
                Then::Fan(number) => drop(state.fans.remove(&number)),
                Then::Copy(req) => copy::refused(state, req, &failure::text(&error)),
                Then::Order(number) => drop(state.orders.remove(&number)),
                Then::Ticket(_)
                | Then::Inventory(_)
                | Then::Launch(_)
                | Then::Answer(_)
                | Then::Exit(_) => {}
            }
            reply(state, caller, failure::outcome(&error), fx);
        }
        (Purpose::Ended(session), result) => {
            if let Err(error) = result {
                warn(
                    state,
                    format!(
                        "the end of a session could not be recorded: {}",
                        failure::text(&error)
                    ),
                );
            }
            fx.push(Effect::Release(session.0));
        }
        (Purpose::Entry(number), result) => {
            let lost = result.err().map(|error| failure::text(&error));
            exec::recorded(state, number, lost, fx);
        }
        (Purpose::Sample, result) => {
            if let Err(error) = result {
                warn(state, failure::text(&error));
            }
            health::rounds(state, fx);
        }
        (Purpose::Kept, result) => layout::kept(state, result.map(drop)),
        (_, Err(error)) => warn(state, failure::text(&error)),
        (_, Ok(_)) => {}
    }
}

fn answered(
    state: &mut State,
    req: ReqId,
    result: Result<store::Answer, StoreError>,
    fx: &mut Vec<Effect>,
) {
    match state.inflight.remove(req).map(|flight| flight.purpose) {
        None => {}
        Some(Purpose::Past(host)) => {
            if let Ok(store::Answer::Samples(samples)) = result {
                page::past(state, host, samples);
            }
        }
        Some(Purpose::Gather(gather, piece)) => gather::answered(state, *gather, piece, result, fx),
        Some(Purpose::Hosts) => host::loaded(state, result, fx),
        Some(Purpose::Inventory(caller, outcome)) => {
            host::loaded(state, result, fx);
            reply(state, caller, *outcome, fx);
        }
        Some(Purpose::Page(want)) => page::answered(state, &want, result, fx),
        Some(Purpose::Layout(wanted)) => layout::answered(state, wanted, result, fx),
        Some(Purpose::RunOver(caller)) => {
            let outcome = match result {
                Ok(store::Answer::Run(row)) => {
                    let exit = run::exit_code(&row);
                    Outcome {
                        answer: Answer::Run(row),
                        exit,
                    }
                }
                Ok(answer) => host::outcome(answer),
                Err(error) => failure::outcome(&error),
            };
            reply(state, caller, outcome, fx);
        }
        Some(Purpose::Show(caller)) => {
            let outcome = match result {
                Ok(store::Answer::Sessions(rows)) => Outcome::ok(script::listed(state, rows)),
                Ok(answer) => host::outcome(answer),
                Err(error) => failure::outcome(&error),
            };
            reply(state, caller, outcome, fx);
        }
        Some(Purpose::Search(caller, search)) => match result {
            Ok(store::Answer::Sessions(rows)) => recording::listed(state, *search, rows, fx),
            Ok(_) => {}
            Err(error) => reply(state, caller, failure::outcome(&error), fx),
        },
        Some(other) => warn(
            state,
            format!("an answer came for {other:?}, which asks nothing"),
        ),
    }
}

fn file(state: &mut State, req: ReqId, fact: FileFact, fx: &mut Vec<Effect>) {
    match state.inflight.remove(req).map(|flight| flight.purpose) {
        None => recording::found(state, req, fact),
        Some(Purpose::Sweep) => recording::swept(state, &fact),
        Some(Purpose::SettingsMark) => settings::marked(state, &fact),
        Some(Purpose::Settings(caller)) => settings::reread(state, caller, fact, fx),
        Some(Purpose::Gather(gather, _)) => gather::read(state, *gather, fact, fx),
        Some(Purpose::Show(caller)) => {
            let outcome = program::file_outcome(fact);
            reply(state, caller, outcome, fx);
        }
        Some(Purpose::Page(want)) => page::file(state, &want, fact),
        Some(other) => warn(
            state,
            format!("a file came for {other:?}, which reads none"),
        ),
    }
}

// tidy: table
fn connection(state: &mut State, fact: SshFact, fx: &mut Vec<Effect>) {
    match fact {
        SshFact::Connected { target, info } => {
            ssh::connected(state, &target, &info, fx);
            care::connected(state, &target, &info, fx);
            layout::host_answered(state, &target.name, fx);
            connections::look(state, fx);
        }
        SshFact::Disconnected { target, reason } => {
            health::disconnected(state, &target, &reason);
            connections::disconnected(state, &target, fx);
        }
        SshFact::Resolved { req, results } => {
            match state.inflight.remove(req).map(|flight| flight.purpose) {
                Some(Purpose::Gather(gather, _)) => gather::resolved(state, *gather, results, fx),
                Some(Purpose::Page(Want::Host(name))) => page::resolved(
                    state,
                    results.into_iter().next().map(|(_, result)| result),
                    &name,
                ),
                _ => {}
            }
        }
        SshFact::Output { req, stream, data } => output(state, req, stream, data, fx),
        SshFact::ExecDone {
            req,
            exit,
            stdout,
            took_ms,
            ..
        } => match state.inflight.remove(req).map(|flight| flight.purpose) {
            Some(Purpose::Step(run, host, step)) => {
                run::step_done(state, run, host, step, exit, took_ms, fx)
            }
            Some(Purpose::Fan(number, host)) => exec::done(state, number, &host, exit, took_ms, fx),
            Some(Purpose::Call(line)) => ssh::done(state, line, &exit, took_ms, fx),
            Some(Purpose::Disks(host)) => health::disks(state, host, &exit, &stdout, fx),
            Some(Purpose::Again(caller, host)) => {
                connections::connected(state, caller, &host, &exit, fx)
            }
            _ => {}
        },
        SshFact::SessionOpened { session, agent } => session::opened(state, session, agent, fx),
        SshFact::SessionLost { session } => layout::lost(state, session, fx),
        SshFact::Reach { req, state: reach } => layout::reached(state, req, reach, fx),
        SshFact::SessionClosed {
            session,
            exit,
            bytes,
            recording_error,
        } => session::closed(state, session, &exit, bytes, recording_error, fx),
        SshFact::SessionTitle { session, title } => window::session_title(state, session, title),
        SshFact::SessionBell { session } => alert::called(state, session, true, fx),
        SshFact::SessionActivity { session } => alert::called(state, session, false, fx),
        SshFact::Copied { session, text, cut } => copied::copied(state, session, text, cut, fx),
        SshFact::SessionClipboard { session, text } => wishes::clipboard(state, session, text, fx),
        SshFact::SessionNotify { session, text } => wishes::notify(state, session, &text, fx),
        // Not before: what is typed at a question must never reach the host.
        SshFact::Matched {
            req, session, line, ..
        } => {
            script::matched(state, session, req, &line, fx);
            alert::matched(state, session, req, &line, fx);
        }
        SshFact::RecordingStopped { session, why } => {
            alert::recording_stopped(state, session, &why, fx);
        }
        SshFact::RecordingChanged { session, on } => recording::changed(state, session, on),
        SshFact::Captured { req, result } => script::captured(state, req, result, fx),
        SshFact::ExecStarted { req } => ssh::attached(state, req, fx),
        SshFact::StdinTaken { req, .. } => ssh::tell(state, req, Emission::Taken, fx),
        SshFact::QuestionClosed { id } => question::withdrawn(state, id),
        SshFact::Refused { ask, why } => refused(state, &ask, &why, fx),
        SshFact::ProbeDone { req, host, result } => {
            state.inflight.remove(req);
            health::probed(state, host, result, fx);
        }
        SshFact::Forward(row) => {
            connections::forward_changed(state, row.clone(), fx);
            forward::changed(state, row, fx);
        }
        fact @ SshFact::Status { .. } => ssh::listed(state, fact, fx),
        SshFact::Keys { req, result } => host::keys(state, req, result),
        SshFact::KeyChanged {
            target,
            host,
            file,
            line,
            known,
            shown,
            awaited,
        } => {
            let alarm = KeyAlarm {
                at: state.model.now,
                target: target.name,
                host,
                file,
                line,
                known,
                shown,
            };
            alarm::key_changed(state, alarm, awaited);
        }
        SshFact::Said { hop, text, .. } => question::said(state, &hop, &text),
        SshFact::CopyProgress { req, progress } => copy::progress(state, req, progress, fx),
        SshFact::CopyDone { req, result } => copy::done(state, req, result, fx),
        SshFact::FilesDone { req, result } => files::answered(state, req, result, fx),
        SshFact::Question {
            id,
            target,
            hop,
            kind,
            asking,
        } => {
            let asked = question::Asked {
                id,
                target: &target,
                hop: &hop,
                asking,
            };
            question::asked(state, &asked, kind, fx);
        }
    }
}

/// An ask was not taken: windows are told, and command lines at `qd ssh`.
fn refused(state: &mut State, ask: &str, why: &str, fx: &mut Vec<Effect>) {
    let note = format!("{ask}: {why}");
    // Only the terminal whose request it was: a line of text in somebody else's editor is worse than silence.
    let mine = |call: &&Call| ask.contains(&format!("{:?}", call.req));
    let told = state.calls.values().filter(mine).map(|call| call.line);
    fx.extend(told.map(|line| Effect::Emit(line, Emission::Note(note.clone()))));
    script::refused(state, ask, why, fx);
    warn(state, note);
}

/// Output goes to whoever asked for the command.
fn output(state: &mut State, req: ReqId, stream: Stream, data: Vec<u8>, fx: &mut Vec<Effect>) {
    match state.inflight.get(req) {
        Some(Purpose::Step(run, host, step)) => {
            let (run, host, step) = (*run, host.clone(), *step);
            run::output(state, run, &host, step, stream, data, fx);
        }
        Some(Purpose::Fan(number, host)) => {
            let (number, host) = (*number, host.clone());
            exec::output(state, number, &host, stream, &data, fx);
        }
        Some(Purpose::Call(line)) => {
            let line = *line;
            ssh::output(state, line, stream, data, fx);
        }
        _ => {}
    }
}

/// How long sessions and runs may take to end before the process ends without them, in milliseconds.
const LAST_WORDS: u64 = 8_000;

/// The process was told to end: windows go at once, sessions and runs are told to end, and their ends become durable.
fn stop(state: &mut State, fx: &mut Vec<Effect>) {
    if state.stopping.is_some() {
        return;
    }
    state.stopping = Some(state.model.now);
    let windows: Vec<_> = state.windows.keys().copied().collect();
    fx.extend(windows.into_iter().map(Effect::CloseWindow));
    let sessions: Vec<_> = state.sessions.keys().copied().collect();
    fx.extend(
        sessions
            .into_iter()
            .map(|session| Effect::Ssh(SshAsk::Close { session })),
    );
    let runs: Vec<_> = state.runs.keys().copied().collect();
    runs.into_iter()
        .for_each(|id| run::stop(state, id, true, fx));
    let calls = state.calls.values().map(|call| call.req);
    fx.extend(calls.map(|req| Effect::Ssh(SshAsk::Cancel { req })));
    let fans: Vec<_> = state.fans.keys().copied().collect();
    fans.into_iter()
        .for_each(|number| exec::stop(state, number, true, fx));
    forward::stop_all(state, fx);
    copy::stop(state, fx);
}

/// Ends the process once nothing is left that must be recorded, or when that takes too long.
fn quit_when_settled(state: &State, fx: &mut Vec<Effect>) {
    let Some(since) = state.stopping else {
        return;
    };
    let recording = |purpose: &Purpose| {
        matches!(
            purpose,
            Purpose::Ended(_)
                | Purpose::Journal(..)
                | Purpose::Commit(..)
                | Purpose::Entry(_)
                | Purpose::FilesEntry
        )
    };
    let settled = state.sessions.is_empty()
        // What another program does in its place has nothing left to be recorded here.
        && state.calls.values().all(|call| call.here.is_some())
        && state.runs.is_empty()
        && state.fans.is_empty()
        && state.forwards.is_empty()
        && state.copies.is_empty()
        && state.orders.is_empty()
        && state.inflight.find(recording).is_none();
    if settled || state.model.now.since(since) >= LAST_WORDS {
        fx.push(Effect::Quit);
    }
}
