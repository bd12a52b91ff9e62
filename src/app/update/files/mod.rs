//! Files: folders that a screen shows, copies, and changes of names, with an entry on the ticket that they are for.

use std::collections::VecDeque;

use crate::app::effect::Effect;
use crate::app::event::Caller;
use crate::app::purpose::{Gather, Purpose, Then};
use crate::app::state::{Freshness, State};
use crate::command::{Answer, CopyCommand, FilesCommand, Outcome};
use crate::domain::case::{CaseEvent, EntryKind};
use crate::domain::files::Place;
use crate::domain::ids::ReqId;
use crate::domain::op::Value;
use crate::domain::ticket::Ticket;
use crate::domain::time::Time;
use crate::ssh::{FileListing, FilesAsk, SshAsk};
use crate::ui::Want;

use super::{copy, gather, reply};

/// How many names a line about files spells out.
const NAMED: usize = 4;

/// How many failures an entry on a ticket spells out.
const FAILURES: usize = 20;

/// Changes of names, done one after another.
#[derive(Debug)]
pub(crate) struct FileOrder {
    caller: Caller,
    /// What is said when all went well.
    done: String,
    case: Option<CaseEvent>,
    began: Time,
    asks: VecDeque<(Option<String>, FilesAsk)>,
    all: usize,
    failed: Vec<String>,
}

/// Carries out a command about files.
pub(super) fn execute(
    state: &mut State,
    gather: &Gather,
    command: FilesCommand,
    fx: &mut Vec<Effect>,
) {
    let caller = gather.caller;
    let ticket = gather.ticket.as_ref();
    match command {
        FilesCommand::List { folder } => {
            outdate(state, |host, path| {
                *host == folder.host && path == folder.path
            });
            reply(state, caller, Outcome::ok(Answer::Silent), fx);
        }
        FilesCommand::Copy { job, ticket: named } => {
            let command = CopyCommand { job, ticket: named };
            copy::begin(state, caller, ticket, command, fx);
        }
        FilesCommand::Remove { places, .. } => {
            let done = format!("deleted {}", named(&places));
            let asks = places
                .into_iter()
                .map(|place| (place.host, FilesAsk::Remove(place.path)))
                .collect();
            begin(state, caller, done, asks, ticket, fx);
        }
        FilesCommand::Rename { from, to, .. } => {
            let done = format!("{} is now {to}", spelled(&from));
            let path = from.path;
            let asks = [(from.host, FilesAsk::Rename { from: path, to })].into();
            begin(state, caller, done, asks, ticket, fx);
        }
        FilesCommand::MakeFolder { place, .. } => {
            let done = format!("made the folder {}", spelled(&place));
            let asks = [(place.host, FilesAsk::MakeFolder(place.path))].into();
            begin(state, caller, done, asks, ticket, fx);
        }
        FilesCommand::Cancel { copy } => {
            let running = state.model.copies.running().any(|row| row.id == copy);
            let outcome = if running {
                fx.push(Effect::Ssh(SshAsk::Cancel { req: ReqId(copy) }));
                Outcome::ok(Answer::Done(
                    "the copy is being stopped; what arrived is kept".to_owned(),
                ))
            } else {
                Outcome::error(3, format!("no copy {copy} runs here"))
            };
            reply(state, caller, outcome, fx);
        }
    }
}

/// `web1:/etc/hosts`, as scp has it; of this machine the path alone.
fn spelled(place: &Place) -> String {
    match &place.host {
        Some(host) => format!("{host}:{}", place.path),
        None => place.path.clone(),
    }
}

/// The first few of some places.
fn named(places: &[Place]) -> String {
    let mut words: Vec<String> = places.iter().take(NAMED).map(spelled).collect();
    if places.len() > NAMED {
        words.push(format!("{} more", places.len() - NAMED));
    }
    words.join(", ")
}

fn entry(state: &mut State, ticket: &Ticket, host: Option<String>, words: String) -> CaseEvent {
    let id = state.mint.entity();
    let mut case = CaseEvent::new(id, state.model.now, EntryKind::File, &state.model.me, words);
    (case.ticket, case.host) = (Some(ticket.id), host);
    case
}

fn note(case: &mut CaseEvent, name: &str, value: u64) {
    let value = Value::Int(i64::try_from(value).unwrap_or(i64::MAX));
    case.data.insert(name.to_owned(), value);
}

fn fail(case: &mut CaseEvent, failed: &[String]) {
    if !failed.is_empty() {
        let mut lines: Vec<&str> = failed.iter().take(FAILURES).map(String::as_str).collect();
        let more = failed.len().saturating_sub(FAILURES);
        let rest = format!("and {more} more");
        if more > 0 {
            lines.push(&rest);
        }
        let words = lines.join("\n");
        case.data
            .insert("error".to_owned(), Value::from(words.as_str()));
    }
}

/// Starts changes of names.
fn begin(
    state: &mut State,
    caller: Caller,
    done: String,
    asks: VecDeque<(Option<String>, FilesAsk)>,
    ticket: Option<&Ticket>,
    fx: &mut Vec<Effect>,
) {
    let number = state.mint.request().0;
    let host = asks.front().and_then(|(host, _)| host.clone());
    let case = ticket.map(|ticket| entry(state, ticket, host, done.clone()));
    let draft = case.as_ref().map(CaseEvent::draft);
    let order = FileOrder {
        caller,
        done,
        case,
        began: state.model.now,
        all: asks.len(),
        asks,
        failed: Vec::new(),
    };
    state.orders.insert(number, order);
    match draft {
        None => go_on(state, number, fx),
        Some(draft) => super::append(
            state,
            vec![draft].into(),
            Purpose::Commit(caller, Then::Order(number)),
            fx,
        ),
    }
}

/// The next change of an order, or its end. One at a time: the engine's queue is bounded, a selection is not.
pub(super) fn go_on(state: &mut State, number: u64, fx: &mut Vec<Effect>) {
    let Some(order) = state.orders.get_mut(&number) else {
        return;
    };
    let stopping = state.stopping.is_some();
    if stopping && !order.asks.is_empty() {
        let left = order.asks.len();
        order.failed.push(format!("{left} were not begun"));
        order.asks.clear();
    }
    match order.asks.pop_front() {
        Some((host, ask)) => {
            let target = host.map(|host| gather::target(state, &host));
            let req = state.mint.request();
            state
                .inflight
                .insert(req, state.model.now, Purpose::FileAsk(number));
            fx.push(Effect::Ssh(SshAsk::Files { req, target, ask }));
        }
        None => finish(state, number, fx),
    }
}

fn finish(state: &mut State, number: u64, fx: &mut Vec<Effect>) {
    let Some(order) = state.orders.remove(&number) else {
        return;
    };
    let took = state.model.now.since(order.began);
    if let Some(mut case) = order.case {
        note(&mut case, "exit", u64::from(!order.failed.is_empty()));
        note(&mut case, "took_ms", took);
        fail(&mut case, &order.failed);
        super::append(state, vec![case.draft()].into(), Purpose::FilesEntry, fx);
    }
    let outcome = match order.failed.as_slice() {
        [] => Outcome::ok(Answer::Done(order.done)),
        [why] if order.all == 1 => Outcome::error(1, why.clone()),
        [first, ..] => Outcome::error(
            1,
            format!("{} of {} failed: {first}", order.failed.len(), order.all),
        ),
    };
    outdate(state, |_, _| true);
    reply(state, order.caller, outcome, fx);
}

/// What was asked about files is answered.
pub(super) fn answered(
    state: &mut State,
    req: ReqId,
    result: Result<FileListing, String>,
    fx: &mut Vec<Effect>,
) {
    match state.inflight.remove(req).map(|flight| flight.purpose) {
        Some(Purpose::Page(want @ Want::Folder { .. })) => listed(state, &want, result),
        Some(Purpose::FileAsk(number)) => {
            if let (Err(why), Some(order)) = (result, state.orders.get_mut(&number)) {
                order.failed.push(why);
            }
            go_on(state, number, fx);
        }
        _ => {}
    }
}

fn listed(state: &mut State, want: &Want, result: Result<FileListing, String>) {
    super::page::settle(state, want);
    let Want::Folder { host, path } = want else {
        return;
    };
    let key = (host.clone(), path.clone());
    match result {
        Ok(listing) => {
            // The account's home is shown by its absolute path from now on, and that was just read.
            let absolute = Want::Folder {
                host: host.clone(),
                path: listing.path.clone(),
            };
            if listing.path != *path {
                state.pages.insert(absolute, Freshness::Fresh);
            }
            state
                .model
                .files
                .listed(&key, listing.path, listing.entries);
        }
        Err(why) => state.model.files.failed(&key, why),
    }
}

/// Asks for the folder of a page.
pub(super) fn read(
    state: &mut State,
    want: &Want,
    host: Option<&str>,
    path: &str,
    fx: &mut Vec<Effect>,
) {
    let target = host.map(|host| gather::target(state, host));
    let req = state.mint.request();
    state
        .inflight
        .insert(req, state.model.now, Purpose::Page(want.clone()));
    let ask = FilesAsk::List(path.to_owned());
    fx.push(Effect::Ssh(SshAsk::Files { req, target, ask }));
}

/// Folders that are shown and that fit are read again.
pub(super) fn outdate(state: &mut State, fits: impl Fn(&Option<String>, &str) -> bool) {
    for (want, freshness) in &mut state.pages {
        if let Want::Folder { host, path } = want
            && fits(host, path)
        {
            *freshness = freshness.outdated();
        }
    }
}

#[cfg(test)]
mod tests;
