//! The inventory: read at the start, imported on request, shown with what is known of each host.

use crate::app::effect::{Effect, line_of};
use crate::app::event::Caller;
use crate::app::purpose::{Gather, Purpose, Then};
use crate::app::state::State;
use crate::command::{Answer, DoctorLine, HostCommand, ImportReport, Outcome};
use crate::domain::host::Host;
use crate::domain::ids::ReqId;
use crate::domain::op::{Draft, Entity, EntityKind};
use crate::inventory;
use crate::model::KeyOffer;
use crate::ssh::{KeyRow, KeySource, KeysReport};
use crate::store::{self, Batch, StoreError};

use super::{failure, gather, health, reply};

/// Carries out a command for which everything was gathered.
pub(super) fn execute(
    state: &mut State,
    gather: Gather,
    command: HostCommand,
    fx: &mut Vec<Effect>,
) {
    let caller = gather.caller;
    match command {
        HostCommand::List { pattern, columns } => {
            match selected(state, pattern.as_deref(), &gather) {
                Ok(hosts) => reply(
                    state,
                    caller,
                    Outcome::ok(Answer::Hosts { hosts, columns }),
                    fx,
                ),
                Err(why) => reply(state, caller, Outcome::error(2, why), fx),
            }
        }
        HostCommand::Show { name } => match state.model.host_named(&name).cloned() {
            None => reply(
                state,
                caller,
                Outcome::error(
                    3,
                    format!("there is no host {name:?} in the inventory; `qd host ls` lists it"),
                ),
                fx,
            ),
            Some(host) => {
                let effective = gather
                    .effective
                    .get(&name)
                    .cloned()
                    .unwrap_or_else(|| Err("its settings were not asked for".to_owned()));
                reply(
                    state,
                    caller,
                    Outcome::ok(Answer::Host {
                        host: Box::new(host),
                        effective,
                    }),
                    fx,
                );
            }
        },
        HostCommand::Import { path, dry_run, .. } => import(state, gather, &path, dry_run, fx),
        HostCommand::Tag {
            pattern,
            add,
            remove,
        } => match selected(state, Some(&pattern), &gather) {
            Ok(hosts) => tag(state, caller, &hosts, &add, &remove, fx),
            Err(why) => reply(state, caller, Outcome::error(2, why), fx),
        },
        HostCommand::Health { pattern, watch } => {
            match selected(state, pattern.as_deref(), &gather) {
                Ok(hosts) if hosts.is_empty() => {
                    let text =
                        "the inventory is empty; `qd host import --from ssh-config PATH` fills it"
                            .to_owned();
                    reply(state, caller, Outcome::error(3, text), fx);
                }
                Ok(hosts) => health::round(state, caller, &hosts, watch, fx),
                Err(why) => reply(
                    state,
                    caller,
                    Outcome::error(if line_of(caller).is_some() { 3 } else { 2 }, why),
                    fx,
                ),
            }
        }
    }
}

fn selected(state: &State, pattern: Option<&str>, gather: &Gather) -> Result<Vec<Host>, String> {
    match pattern {
        None => Ok(state.model.hosts.rows().to_vec()),
        Some(pattern) => Ok(gather::named(state, pattern, &gather.ticket_hosts)?
            .into_iter()
            .cloned()
            .collect()),
    }
}

fn import(
    state: &mut State,
    gather: Gather,
    path: &std::path::Path,
    dry_run: bool,
    fx: &mut Vec<Effect>,
) {
    let caller = gather.caller;
    let Some(scan) = gather.scan else {
        return reply(
            state,
            caller,
            Outcome::error(1, "the file was not read".to_owned()),
            fx,
        );
    };
    let import = inventory::import::plan(state.model.hosts.rows(), scan, path);
    let report = ImportReport {
        dry_run,
        added: import.added,
        changed: import.changed.into_iter().collect(),
        stale: import.vanished,
        returned: import.returned,
        unchanged: import.unchanged,
        warnings: import.warnings,
    };
    if dry_run || import.drafts.is_empty() {
        return reply(state, caller, Outcome::ok(Answer::Import(report)), fx);
    }
    let batch = Batch {
        drafts: import.drafts,
        local: Vec::new(),
    };
    super::append(
        state,
        batch,
        Purpose::Commit(
            caller,
            Then::Inventory(Box::new(Outcome::ok(Answer::Import(report)))),
        ),
        fx,
    );
}

fn tag(
    state: &mut State,
    caller: Caller,
    hosts: &[Host],
    add: &[String],
    remove: &[String],
    fx: &mut Vec<Effect>,
) {
    let mut drafts = Vec::new();
    let mut changed = Vec::new();
    for host in hosts {
        let before = drafts.len();
        let wanted = add.iter().map(|tag| (tag, true));
        let wanted = wanted.chain(remove.iter().map(|tag| (tag, false)));
        for (tag, on) in wanted {
            // Nothing is written that is so already: each write is an operation for ever.
            if host.tags.contains(tag) != on {
                drafts.push(Draft::Flag {
                    entity: Entity {
                        kind: EntityKind::Host,
                        id: host.id.0,
                    },
                    set: "tags".to_owned(),
                    member: tag.clone(),
                    on,
                });
            }
        }
        if drafts.len() > before {
            changed.push(host.name.clone());
        }
    }
    let text = match changed.as_slice() {
        [] => "nothing to change: the tags are as wanted".to_owned(),
        [one] => format!("{one} has other tags now"),
        many => format!("{} hosts have other tags now", many.len()),
    };
    let outcome = Outcome::ok(Answer::Done(text));
    if drafts.is_empty() {
        return reply(state, caller, outcome, fx);
    }
    let batch = Batch {
        drafts,
        local: Vec::new(),
    };
    let then = Then::Inventory(Box::new(outcome));
    super::append(state, batch, Purpose::Commit(caller, then), fx);
}

/// The inventory was read: commands that waited for it go on.
pub(super) fn loaded(
    state: &mut State,
    result: Result<store::Answer, StoreError>,
    fx: &mut Vec<Effect>,
) {
    let first = !std::mem::replace(&mut state.ready, true);
    match result {
        Ok(store::Answer::Hosts(hosts)) => state.model.hosts = hosts.into(),
        Ok(_) => super::warn(
            state,
            "the inventory could not be read: the store answered something else".to_owned(),
        ),
        Err(error) => {
            // Without an inventory nothing that waits can be right, so all of it is refused with the reason.
            let waiting: Vec<Caller> = state
                .waiting
                .drain(..)
                .map(|gather| gather.caller)
                .collect();
            waiting
                .into_iter()
                .for_each(|caller| reply(state, caller, failure::outcome(&error), fx));
            super::warn(state, failure::text(&error));
        }
    }
    super::ssh::routes(state, fx);
    health::inventory_changed(state);
    if first {
        while let Some(gather) = state.waiting.pop_front() {
            gather::begin(state, gather, fx);
        }
    }
}

/// What the store answered, as the outcome of a command.
pub(super) fn outcome(answer: store::Answer) -> Outcome {
    let answer = match super::care::outcome(answer) {
        Ok(outcome) => return outcome,
        Err(answer) => answer,
    };
    let mut exit = 0;
    let answer = match answer {
        store::Answer::Tickets { rows, .. } => Answer::Tickets(rows),
        store::Answer::Ticket(ticket) => Answer::Ticket(ticket),
        store::Answer::Hosts(hosts) => Answer::Hosts {
            hosts,
            columns: None,
        },
        store::Answer::Host(host) => Answer::Host {
            host,
            effective: Err("its settings were not asked for".to_owned()),
        },
        store::Answer::Runs(runs) => Answer::Runs(runs),
        store::Answer::Run(run) => Answer::Run(run),
        store::Answer::Sessions(sessions) => Answer::Sessions(sessions),
        store::Answer::Kept(kept) => {
            Answer::Names(kept.into_iter().map(|(name, _)| name).collect())
        }
        store::Answer::Session(session) => Answer::Session {
            session,
            text: String::new(),
        },
        store::Answer::Doctor(report) => {
            exit = u8::from(!report.ok);
            Answer::Doctor(
                report
                    .lines
                    .into_iter()
                    .map(|line| DoctorLine {
                        name: line.name,
                        ok: line.ok,
                        detail: line.detail,
                    })
                    .collect(),
            )
        }
        store::Answer::Timeline(_)
        | store::Answer::Effective(_)
        | store::Answer::Samples(_)
        | store::Answer::HostState(_)
        | store::Answer::TicketHosts(_)
        | store::Answer::Conflicts(_)
        | store::Answer::Devices(_)
        | store::Answer::Log(_)
        | store::Answer::Audit(_)
        | store::Answer::Chains(_)
        | store::Answer::Search(_)
        | store::Answer::Size(_)
        | store::Answer::Heads(_) => {
            return Outcome::error(
                1,
                "the store answered something that no command shows".to_owned(),
            );
        }
    };
    Outcome { answer, exit }
}

/// Which keys a host would be offered, for its page.
pub(super) fn keys(state: &mut State, req: ReqId, result: Result<KeysReport, String>) {
    let Some(Purpose::Keys(name)) = state.inflight.remove(req).map(|flight| flight.purpose) else {
        return;
    };
    let shown = state.model.host.as_mut().filter(|host| host.name == name);
    // Whatever is wrong with the host's settings is told beside them on the same page.
    let (Some(host), Ok(report)) = (shown, result) else {
        return;
    };
    host.keys = Some(report.rows.into_iter().map(offer).collect());
}

fn offer(row: KeyRow) -> KeyOffer {
    let (source, comment) = match row.source {
        KeySource::Agent => ("agent".to_owned(), row.name),
        KeySource::File => (row.name, String::new()),
    };
    KeyOffer {
        source,
        algorithm: row.algorithm,
        fingerprint: row.fingerprint,
        comment,
        certificate: row.certificate,
        locked: row.locked,
    }
}
