//! `qd cp`: a copy from the command to its entry on the ticket.

use crate::app::effect::{Effect, Emission, line_of};
use crate::app::event::{Caller, LineId};
use crate::app::purpose::{Gather, Purpose, Then};
use crate::app::state::{LiveCopy, State};
use crate::command::{Answer, CopyCommand, Outcome};
use crate::domain::case::{CaseEvent, EntryKind};
use crate::domain::files::{CopyProgress, CopyReport, Place};
use crate::domain::host::Target;
use crate::domain::ids::ReqId;
use crate::domain::op::Value;
use crate::domain::ticket::Ticket;
use crate::model::{CopyEnd, CopyView};
use crate::ssh::SshAsk;
use crate::store::Batch;

use super::{files, gather, reply};

/// How many failures an entry on a ticket names.
const NAMED: usize = 20;

/// Carries out the command. On a ticket it is announced before the first byte moves.
pub(super) fn execute(
    state: &mut State,
    gather: &Gather,
    command: CopyCommand,
    fx: &mut Vec<Effect>,
) {
    begin(state, gather.caller, gather.ticket.as_ref(), command, fx);
}

/// Begins a copy for whoever asked, from a command line or a view of files. Every window can follow it.
pub(super) fn begin(
    state: &mut State,
    caller: Caller,
    ticket: Option<&Ticket>,
    command: CopyCommand,
    fx: &mut Vec<Effect>,
) {
    let case = ticket.map(|ticket| {
        let words = format!("is to copy {}", route(&command));
        let id = state.mint.entity();
        let me = state.model.me.clone();
        let mut case = CaseEvent::new(id, state.model.now, EntryKind::File, &me, words);
        let hosts = || command.job.from.iter().chain([&command.job.to]);
        (case.ticket, case.host) = (
            Some(ticket.id),
            hosts().find_map(|place| place.host.clone()),
        );
        let from: Vec<String> = command.job.from.iter().map(spelt).collect();
        case.data
            .insert("from".to_owned(), Value::from(from.join(" ").as_str()));
        case.data.insert(
            "to".to_owned(),
            Value::from(spelt(&command.job.to).as_str()),
        );
        case
    });
    let words = route(&command);
    let places = command.job.from.iter().chain([&command.job.to]);
    let hosts: Vec<String> = places.filter_map(|place| place.host.clone()).collect();
    let req = state.mint.request();
    let draft = case.as_ref().map(CaseEvent::draft);
    state.model.copies.push(CopyView {
        id: req.0,
        job: command.job.clone(),
        ticket: ticket.map(|ticket| ticket.reference.clone()),
        started: state.model.now,
        progress: CopyProgress::default(),
        end: None,
    });
    let copy = LiveCopy {
        caller,
        command,
        case,
        progress: CopyProgress::default(),
        stopped: false,
    };
    state.copies.insert(req, copy);
    match draft {
        None => {
            super::care::did(state, "copy", hosts, words, fx);
            launch(state, req, fx);
        }
        Some(draft) => {
            let purpose = Purpose::Commit(caller, Then::Copy(req));
            super::append(state, vec![draft].into(), purpose, fx);
        }
    }
}

/// `host:path`, as it was written.
fn spelt(place: &Place) -> String {
    match &place.host {
        Some(host) if host.contains(':') => format!("[{host}]:{}", place.path),
        Some(host) => format!("{host}:{}", place.path),
        None => place.path.clone(),
    }
}

/// What goes where, in words.
fn route(command: &CopyCommand) -> String {
    let from: Vec<String> = command.job.from.iter().map(spelt).collect();
    format!("{} to {}", from.join(" "), spelt(&command.job.to))
}

/// Sends it out.
pub(super) fn launch(state: &mut State, req: ReqId, fx: &mut Vec<Effect>) {
    let Some(copy) = state.copies.get(&req) else {
        return;
    };
    if copy.stopped {
        return given_up(state, req, fx);
    }
    let (job, caller) = (copy.command.job.clone(), copy.caller);
    let places = job.from.iter().chain([&job.to]);
    let hosts = places.filter_map(|place| place.host.clone());
    let targets = hosts.map(|host| (host.clone(), target(state, host)));
    let targets = targets.collect();
    state
        .inflight
        .insert(req, state.model.now, Purpose::Copy(caller));
    fx.push(Effect::Ssh(SshAsk::Copy {
        req,
        job,
        targets,
        interactive: state.may_ask(caller),
    }));
}

/// Where `user@host` leads is said by the file that names the host.
fn target(state: &State, name: String) -> Target {
    let bare = name
        .rsplit_once('@')
        .map_or(name.as_str(), |(_, host)| host);
    let config = gather::target(state, bare).config;
    Target { name, config }
}

/// How far it is.
pub(super) fn progress(
    state: &mut State,
    req: ReqId,
    progress: CopyProgress,
    fx: &mut Vec<Effect>,
) {
    if let Some(view) = state.model.copies.get_mut(req.0) {
        view.progress = progress.clone();
    }
    let Some(copy) = state.copies.get_mut(&req) else {
        return;
    };
    if let Some(line) = line_of(copy.caller) {
        fx.push(Effect::Emit(line, Emission::Copy(progress.clone())));
    }
    copy.progress = progress;
}

/// It has ended.
pub(super) fn done(
    state: &mut State,
    req: ReqId,
    result: Result<CopyReport, String>,
    fx: &mut Vec<Effect>,
) {
    state.inflight.remove(req);
    let Some(copy) = state.copies.remove(&req) else {
        return;
    };
    ended(state, req, result.clone());
    let to = copy.command.job.to.host.clone();
    files::outdate(state, |host, _| *host == to);
    let mut outcome = outcome(&result);
    if matches!(copy.caller, Caller::Window(_)) {
        outcome = in_words(outcome);
    }
    match copy.case {
        None => reply(state, copy.caller, outcome, fx),
        Some(mut case) => {
            record(&mut case, &copy.command, &result, outcome.exit);
            let batch = Batch {
                drafts: vec![case.draft()],
                local: Vec::new(),
            };
            let then = Then::Answer(Box::new(outcome));
            super::append(state, batch, Purpose::Commit(copy.caller, then), fx);
        }
    }
}

/// 0 all, 1 some not, 255 the connection, 130 stopped by a person.
fn outcome(result: &Result<CopyReport, String>) -> Outcome {
    match result {
        Err(why) => Outcome::error(255, why.clone()),
        Ok(report) => {
            let exit = if report.stopped {
                130
            } else if report.lost.is_some() {
                255
            } else {
                u8::from(!report.failed.is_empty())
            };
            let answer = Answer::Copy(Box::new(report.clone()));
            Outcome { answer, exit }
        }
    }
}

/// Its row on the screens says what became of it.
fn ended(state: &mut State, req: ReqId, result: Result<CopyReport, String>) {
    let at = state.model.now;
    if let Some(view) = state.model.copies.get_mut(req.0) {
        view.end = Some(CopyEnd { at, result });
    }
}

/// The same for a window, which has a line for it.
fn in_words(outcome: Outcome) -> Outcome {
    let Answer::Copy(report) = &outcome.answer else {
        return outcome;
    };
    let files = match report.files {
        1 => "copied 1 file".to_owned(),
        files => format!("copied {files} files"),
    };
    let bad = report.lost.iter().chain(report.failed.first()).next();
    match bad {
        Some(why) => Outcome::error(
            outcome.exit,
            format!("{files}, {} failed: {why}", report.failed.len().max(1)),
        ),
        None if report.stopped => Outcome::ok(Answer::Done(format!(
            "stopped; {files}; what arrived of the rest is kept, the same copy again goes on there"
        ))),
        None => Outcome::ok(Answer::Done(files)),
    }
}

/// Adds to the entry what became of it.
fn record(
    case: &mut CaseEvent,
    command: &CopyCommand,
    result: &Result<CopyReport, String>,
    exit: u8,
) {
    let number = |value: u64| Value::Int(i64::try_from(value).unwrap_or(i64::MAX));
    let what = match result {
        Err(_) => "could not copy",
        Ok(report) if report.stopped => "stopped copying",
        Ok(report) if report.lost.is_some() => "lost the connection while copying",
        Ok(report) if !report.failed.is_empty() => "copied in part",
        Ok(_) => "copied",
    };
    case.text = format!("{what} {}", route(command));
    case.data.insert("exit".to_owned(), Value::Int(exit.into()));
    match result {
        Err(why) => {
            case.data
                .insert("error".to_owned(), Value::from(why.as_str()));
        }
        Ok(report) => {
            for (name, value) in [
                ("files", report.files),
                ("bytes", report.bytes),
                ("resumed", report.resumed),
                ("took_ms", report.took_ms),
            ] {
                case.data.insert(name.to_owned(), number(value));
            }
            let failed = report.failed.iter().chain(&report.lost).take(NAMED);
            let failed: Vec<&str> = failed.map(String::as_str).collect();
            if !failed.is_empty() {
                let failed = failed.join("\n");
                case.data
                    .insert("error".to_owned(), Value::from(failed.as_str()));
            }
        }
    }
}

/// The announcement could not be written: nothing is copied.
pub(super) fn refused(state: &mut State, req: ReqId, why: &str) {
    state.copies.remove(&req);
    ended(state, req, Err(format!("it could not be recorded: {why}")));
}

/// The process ends before it began.
pub(super) fn given_up(state: &mut State, req: ReqId, fx: &mut Vec<Effect>) {
    let report = CopyReport {
        stopped: true,
        ..CopyReport::default()
    };
    done(state, req, Ok(report), fx);
}

/// Ctrl-C: once stops it in order, twice at once. False if this command line copies nothing.
pub(super) fn interrupt(state: &mut State, line: LineId, fx: &mut Vec<Effect>) -> bool {
    let mine = |(_, copy): &(&ReqId, &mut LiveCopy)| copy.caller == Caller::Line(line);
    let Some((req, copy)) = state.copies.iter_mut().find(mine) else {
        return false;
    };
    let req = *req;
    if copy.stopped {
        given_up(state, req, fx);
        return true;
    }
    copy.stopped = true;
    fx.push(Effect::Ssh(SshAsk::Cancel { req }));
    let text = "stopping: what has arrived is kept; Ctrl-C again does not wait".to_owned();
    fx.push(Effect::Emit(line, Emission::Note(text)));
    true
}

/// A command line is gone: its copies stop, and what has arrived is kept for another time.
pub(super) fn left(state: &mut State, line: LineId, fx: &mut Vec<Effect>) {
    for (req, copy) in &mut state.copies {
        if copy.caller == Caller::Line(line) {
            copy.stopped = true;
            fx.push(Effect::Ssh(SshAsk::Cancel { req: *req }));
        }
    }
}

/// The process ends: all copies stop.
pub(super) fn stop(state: &mut State, fx: &mut Vec<Effect>) {
    for (req, copy) in &mut state.copies {
        copy.stopped = true;
        fx.push(Effect::Ssh(SshAsk::Cancel { req: *req }));
    }
}
