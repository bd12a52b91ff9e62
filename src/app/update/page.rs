//! Pages: the data that screens show, read when they are wanted and read again when something was written.

use crate::app::effect::{Effect, FileAsk};
use crate::app::event::FileFact;
use crate::app::purpose::Purpose;
use crate::app::recordings;
use crate::app::state::{Freshness, LiveRun, State};
use crate::command::split;
use crate::domain::host::Effective;
use crate::domain::ids::HostId;
use crate::domain::query::Query;
use crate::domain::run::{Cell, CellState, RunRow};
use crate::domain::sample::Sample;
use crate::model::{HostDetail, PAGE, Page, Recording};
use crate::ssh::SshAsk;
use crate::store::{Answer, Ask, StoreError};
use crate::term::cast;
use crate::ui::Want;

use super::{failure, gather, health};

/// What the list of tickets shows when no query was typed: everything that somebody may still have to do.
const USUAL: &str = "state:new,open,waiting";

/// How many samples of the past a host's line begins with.
const PAST: u32 = 60;

/// How many entries a host's page shows.
const ENTRIES: u32 = 100;

/// How much of a running step's output is shown, in bytes from its end.
const LIVE: usize = 64 * 1024;

/// Reads what is wanted and not fresh; forgets what nobody shows any more.
pub(super) fn follow(state: &mut State, wants: Vec<Want>, fx: &mut Vec<Effect>) {
    state.pages.retain(|want, _| wants.contains(want));
    state.model.files.retain(|(host, path)| {
        wants.iter().any(|want| {
            matches!(want, Want::Folder { host: shown, path: at } if shown == host && at == path)
        })
    });
    let mut visible: Vec<HostId> = Vec::new();
    for want in wants {
        if let Want::Health(hosts) = &want {
            visible.extend(hosts);
            continue;
        }
        match state.pages.get(&want) {
            Some(Freshness::Fresh | Freshness::Reading | Freshness::Outdated) => {}
            None | Some(Freshness::Stale) => {
                state.pages.insert(want.clone(), Freshness::Reading);
                read(state, &want, fx);
            }
        }
    }
    health::visible(state, &visible);
    let past: Vec<HostId> = visible
        .into_iter()
        .filter(|host| state.past_read.insert(*host))
        .collect();
    for host in past {
        super::ask(
            state,
            Ask::Samples { host, limit: PAST },
            Purpose::Past(host),
            fx,
        );
    }
}

/// Something was written: what is shown is read again.
pub(super) fn outdate(state: &mut State) {
    for (want, freshness) in &mut state.pages {
        // What was written into the store says nothing about the folders of hosts or about connections.
        if !matches!(want, Want::Folder { .. } | Want::Connections) {
            *freshness = freshness.outdated();
        }
    }
}

fn read(state: &mut State, want: &Want, fx: &mut Vec<Effect>) {
    let limit = u32::try_from(PAGE).ok();
    let ask = match want {
        Want::Tickets { query } => {
            let text = if query.trim().is_empty() {
                USUAL
            } else {
                query
            };
            let parsed = split(text).and_then(|words| {
                Query::parse(&words, state.model.now, &state.model.me)
                    .map_err(|why| why.to_string())
            });
            match parsed {
                Ok(query) => Ask::Tickets { query, limit },
                Err(why) => {
                    state.model.tickets = Page {
                        query: query.clone(),
                        loaded: true,
                        error: Some(why),
                        ..Page::default()
                    };
                    state.pages.insert(want.clone(), Freshness::Fresh);
                    return;
                }
            }
        }
        Want::Case(reference) => Ask::Ticket {
            reference: reference.clone(),
        },
        Want::Host(name) => return read_host(state, want, name, fx),
        Want::Runs => Ask::Runs {
            ticket: None,
            limit,
        },
        Want::Run(reference) => Ask::Run {
            reference: reference.clone(),
        },
        Want::Recorded => Ask::Sessions { limit },
        Want::Recording(reference) => Ask::Session {
            reference: reference.clone(),
        },
        Want::Books => {
            return super::read_file(state, FileAsk::Library, Purpose::Page(want.clone()), fx);
        }
        Want::Connections => {
            // A level: it is looked at again at every tick while it is wanted.
            state.pages.insert(want.clone(), Freshness::Fresh);
            return super::connections::look(state, fx);
        }
        Want::Folder { host, path } => {
            return super::files::read(state, want, host.as_deref(), path, fx);
        }
        Want::Screen(_) | Want::Health(_) => return,
    };
    super::ask(state, ask, Purpose::Page(want.clone()), fx);
}

fn read_host(state: &mut State, want: &Want, name: &str, fx: &mut Vec<Effect>) {
    if state
        .model
        .host
        .as_ref()
        .is_none_or(|detail| detail.name != name)
    {
        state.model.host = Some(HostDetail {
            name: name.to_owned(),
            effective: None,
            entries: Vec::new(),
            tickets: Vec::new(),
            keys: None,
        });
        let req = state.mint.request();
        state
            .inflight
            .insert(req, state.model.now, Purpose::Page(want.clone()));
        let targets = vec![gather::target(state, name)];
        fx.push(Effect::Ssh(SshAsk::Resolve { req, targets }));
        let req = state.mint.request();
        let target = gather::target(state, name);
        state
            .inflight
            .insert(req, state.model.now, Purpose::Keys(name.to_owned()));
        fx.push(Effect::Ssh(SshAsk::Keys { req, target }));
    }
    super::ask(
        state,
        Ask::Timeline {
            host: name.to_owned(),
            limit: ENTRIES,
        },
        Purpose::Page(want.clone()),
        fx,
    );
    let words = vec![USUAL.to_owned(), format!("host:{name}")];
    if let Ok(query) = Query::parse(&words, state.model.now, &state.model.me) {
        super::ask(
            state,
            Ask::Tickets {
                query,
                limit: u32::try_from(PAGE).ok(),
            },
            Purpose::Page(want.clone()),
            fx,
        );
    }
}

/// A page was read.
pub(super) fn answered(
    state: &mut State,
    want: &Want,
    result: Result<Answer, StoreError>,
    fx: &mut Vec<Effect>,
) {
    settle(state, want);
    match (want, result) {
        (Want::Tickets { query }, Ok(Answer::Tickets { rows, total })) => {
            let total = usize::try_from(total).unwrap_or(usize::MAX);
            state.model.tickets = Page {
                query: query.clone(),
                rows,
                total,
                loaded: true,
                error: None,
            };
        }
        (Want::Tickets { query }, Err(error)) => {
            state.model.tickets = Page {
                query: query.clone(),
                loaded: true,
                error: Some(failure::text(&error)),
                ..Page::default()
            };
        }
        (Want::Case(_), Ok(Answer::Ticket(ticket))) => state.model.case = Some(*ticket),
        (Want::Runs, Ok(Answer::Runs(rows))) => {
            state.model.runs = Page {
                total: rows.len(),
                rows,
                loaded: true,
                ..Page::default()
            };
        }
        (Want::Run(_), Ok(Answer::Run(run))) => {
            state.model.run = Some(*run);
            overlay(state);
        }
        (Want::Recorded, Ok(Answer::Sessions(rows))) => state.model.recorded = rows,
        (Want::Recording(_), Ok(Answer::Session(row))) => {
            super::read_file(
                state,
                FileAsk::Recording(recordings::Wanted::of(&row)),
                Purpose::Page(want.clone()),
                fx,
            );
            let text = state
                .model
                .recording
                .take()
                .filter(|shown| shown.row.id == row.id)
                .map(|shown| shown.text)
                .unwrap_or_default();
            state.model.recording = Some(Recording { row: *row, text });
        }
        (Want::Host(name), Ok(answer)) => {
            if let Some(detail) = state
                .model
                .host
                .as_mut()
                .filter(|detail| detail.name == *name)
            {
                match answer {
                    Answer::Timeline(entries) => detail.entries = entries,
                    Answer::Tickets { rows, .. } => detail.tickets = rows,
                    _ => {}
                }
            }
        }
        (_, Err(error)) => super::warn(state, failure::text(&error)),
        (_, Ok(_)) => {}
    }
}

/// What is there now is as new as the question; what was written in between makes it stale at once.
pub(super) fn settle(state: &mut State, want: &Want) {
    if let Some(freshness) = state.pages.get_mut(want) {
        *freshness = if *freshness == Freshness::Outdated {
            Freshness::Stale
        } else {
            Freshness::Fresh
        };
    }
}

/// Effective settings came for a host's page.
pub(super) fn resolved(
    state: &mut State,
    effective: Option<Result<Effective, String>>,
    name: &str,
) {
    if let Some(detail) = state
        .model
        .host
        .as_mut()
        .filter(|detail| detail.name == name)
    {
        detail.effective = effective;
    }
}

/// A file was read for a page.
pub(super) fn file(state: &mut State, want: &Want, fact: FileFact) {
    settle(state, want);
    match fact {
        FileFact::Library { books, broken } => {
            (state.model.books, state.model.broken) = (books, broken)
        }
        FileFact::Bytes(Ok(bytes)) => {
            let text = String::from_utf8_lossy(&bytes);
            let text = cast::read(&text).map_or_else(
                |why| format!("(the recording cannot be read: {why})"),
                |recorded| cast::text(&recorded),
            );
            if let Some(shown) = &mut state.model.recording {
                shown.text = text;
            }
        }
        FileFact::Bytes(Err(why)) => {
            if let Some(shown) = &mut state.model.recording {
                let never = shown.row.recording.is_none() && why == recordings::GONE;
                let there = recordings::elsewhere(&shown.row).filter(|_| why == recordings::GONE);
                let why = if never { recordings::NEVER } else { &why };
                let why = there.as_deref().unwrap_or(why);
                shown.text = format!("({why})");
            }
        }
        FileFact::Scanned(_)
        | FileFact::Book(_)
        | FileFact::Checked(_)
        | FileFact::SettingsMark(_)
        | FileFact::Settings(_)
        | FileFact::Swept(_)
        | FileFact::Written(_)
        | FileFact::Found(_)
        | FileFact::Looked(_) => {}
    }
}

/// Samples of the past came; what was measured since stays behind them.
pub(super) fn past(state: &mut State, host: HostId, samples: Vec<Sample>) {
    if samples.is_empty() {
        return;
    }
    let known = state.model.hosts.get(host).map(|host| host.state);
    let health = state
        .model
        .health
        .entry(host)
        .or_insert_with(|| crate::model::HostHealth {
            state: known.unwrap_or(crate::domain::check::HostState::Unknown),
            at: samples.last().map(|sample| sample.at),
            ..crate::model::HostHealth::default()
        });
    let first = health.series.front().map(|sample| sample.at);
    for sample in samples
        .into_iter()
        .rev()
        .filter(|sample| first.is_none_or(|first| sample.at < first))
    {
        health.series.push_front(sample);
    }
    health.series.truncate(crate::model::SERIES);
}

/// Lays what this process knows of its own runs over what the store said of the run that is shown.
pub(super) fn overlay(state: &mut State) {
    for row in &mut state.model.runs.rows {
        if state.runs.contains_key(&row.id) {
            row.state = crate::domain::run::RunState::Running;
        }
    }
    let Some(shown) = &mut state.model.run else {
        return;
    };
    if let Some(live) = state.runs.get(&shown.id) {
        lay_over(shown, live);
    }
}

fn lay_over(row: &mut RunRow, live: &LiveRun) {
    row.state = crate::domain::run::RunState::Running;
    for (host, cells) in live.machine.plan().hosts.iter().zip(live.machine.cells()) {
        for (index, (now, step)) in (0u32..).zip(cells.iter().zip(&live.steps)) {
            let at = row
                .cells
                .iter()
                .position(|cell| cell.host == *host && cell.index == index);
            let at = at.unwrap_or_else(|| {
                row.cells.push(blank(host, step, index));
                row.cells.len() - 1
            });
            let Some(cell) = row.cells.get_mut(at) else {
                continue;
            };
            (cell.state, cell.exit, cell.attempt) = (now.state, now.exit, now.attempt);
            (cell.started, cell.took_ms) = (now.started, now.took_ms);
            now.reason.clone_into(&mut cell.reason);
            if let Some((output, _)) = live.output.get(&(host.clone(), index)) {
                let tail = &output[output.len().saturating_sub(LIVE)..];
                cell.output = String::from_utf8_lossy(&live.mask.bytes(tail)).into_owned();
            }
        }
    }
}

fn blank(host: &str, step: &str, index: u32) -> Cell {
    Cell {
        host: host.to_owned(),
        step: step.to_owned(),
        index,
        state: CellState::Waiting,
        exit: None,
        attempt: 0,
        started: None,
        took_ms: None,
        output: String::new(),
        dropped: 0,
        reason: String::new(),
    }
}
