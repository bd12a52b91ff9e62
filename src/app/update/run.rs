//! Runs: what a command about them does, and how a run's machine meets the store and the connections.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::app::effect::{Effect, Emission, line_of};
use crate::app::event::Caller;
use crate::app::purpose::{Gather, Purpose};
use crate::app::state::{LiveRun, State};
use crate::command::{Answer, Outcome, RunCommand, RunStart, StepPreview};
use crate::domain::case::{CaseEvent, EntryKind};
use crate::domain::ids::RunId;
use crate::domain::op::{Draft, Entity, EntityKind, Value};
use crate::domain::run::{Exit, RunFact, RunRow, RunState};
use crate::domain::runbook::{On, ParamKind, Runbook};
use crate::runbook::machine::{Input, Machine, Order};
use crate::runbook::mask;
use crate::runbook::params;
use crate::runbook::plan::{Plan, Stop, preview};
use crate::ssh::{ExecSpec, Manner, Sink, SshAsk, Stdin, Stream};
use crate::store::{Ask, Batch, Committed, StoreError};

use crate::ui::View;

use super::{exec, failure, gather, reply};

/// How much output of a running step is kept before the machine cuts it to what is stored, in bytes.
const KEPT: usize = 1024 * 1024;

/// Carries out a command for which everything was gathered.
pub(super) fn execute(
    state: &mut State,
    gather: Gather,
    command: RunCommand,
    fx: &mut Vec<Effect>,
) {
    let caller = gather.caller;
    match (command, &gather.book) {
        (RunCommand::Books, _) => super::read_file(
            state,
            crate::app::effect::FileAsk::Library,
            Purpose::Show(caller),
            fx,
        ),
        (RunCommand::Start(start), Some(book)) => begin(state, &gather, &start, book.clone(), fx),
        (RunCommand::Book { .. }, Some(book)) => reply(
            state,
            caller,
            Outcome::ok(Answer::Book(Box::new(book.clone()))),
            fx,
        ),
        (RunCommand::Check { .. }, Some(book)) => {
            let text = format!(
                "{}: {} steps, {} parameters, no errors",
                book.name,
                book.steps.len(),
                book.params.len()
            );
            reply(state, caller, Outcome::ok(Answer::Done(text)), fx);
        }
        (RunCommand::List { .. }, _) => {
            let ticket = gather
                .ticket
                .as_ref()
                .map(|ticket| ticket.reference.clone());
            super::ask(
                state,
                Ask::Runs {
                    ticket,
                    limit: None,
                },
                Purpose::Show(caller),
                fx,
            );
        }
        (RunCommand::Show { reference }, _) => {
            super::ask(state, Ask::Run { reference }, Purpose::Show(caller), fx)
        }
        (RunCommand::Cancel { reference }, _) => cancel_by_reference(state, caller, &reference, fx),
        (RunCommand::Start(_) | RunCommand::Book { .. } | RunCommand::Check { .. }, None) => {
            reply(
                state,
                caller,
                Outcome::error(3, "there is no such runbook".to_owned()),
                fx,
            );
        }
    }
}

fn begin(
    state: &mut State,
    gather: &Gather,
    start: &RunStart,
    book: Runbook,
    fx: &mut Vec<Effect>,
) {
    let caller = gather.caller;
    let (plan, notes) = match plan(state, gather, start, book) {
        Ok(planned) => planned,
        Err(why) => return reply(state, caller, Outcome::error(2, why), fx),
    };
    if start.dry_run {
        let steps = preview(&plan)
            .into_iter()
            .map(|(name, text)| StepPreview { name, text })
            .collect();
        let answer = Answer::Preview {
            hosts: plan.hosts,
            steps,
            merged: notes,
        };
        return reply(state, caller, Outcome::ok(answer), fx);
    }
    gather::tell(caller, &notes, fx);
    let id = plan.run;
    let mut run = LiveRun {
        caller,
        mask: plan.values.mask(),
        streams: BTreeMap::new(),
        steps: plan
            .book
            .steps
            .iter()
            .map(|step| step.name.clone())
            .collect(),
        case: entry(state, &plan),
        machine: Machine::new(plan),
        reference: String::new(),
        told: BTreeMap::new(),
        output: BTreeMap::new(),
        requests: BTreeMap::new(),
        finished: false,
    };
    fx.push(Effect::Hold(id.0));
    let orders = run.machine.step(Input::Begin, state.model.now);
    state.runs.insert(id, run);
    obey(state, id, orders, fx);
}

/// The plan of a run, and what should be said about its hosts.
fn plan(
    state: &mut State,
    gather: &Gather,
    start: &RunStart,
    book: Runbook,
) -> Result<(Plan, Vec<String>), String> {
    let chosen = gather::chosen(state, &start.pattern, gather)?;
    let values = params::resolve(&book, &start.params).map_err(|problems| problems.join("\n"))?;
    if let Some(why) = unknown_host(state, &book, start) {
        return Err(why);
    }
    let id = RunId(state.mint.entity());
    let mut plan = Plan::new(id, book, chosen.hosts, values, &state.model.me);
    plan.ticket = gather.ticket.as_ref().map(|ticket| ticket.id);
    plan.forks = start.forks.unwrap_or(exec::FORKS);
    plan.stop = if start.keep_going {
        Stop::Never
    } else {
        Stop::FirstFailure
    };
    Ok((plan, chosen.notes))
}

/// The entry on the timeline.
fn entry(state: &mut State, plan: &Plan) -> CaseEvent {
    let (book, count) = (&plan.book.name, plan.hosts.len());
    let words = format!(
        "ran {book} on {count} host{}",
        if count == 1 { "" } else { "s" }
    );
    let mut case = CaseEvent::new(
        state.mint.entity(),
        state.model.now,
        EntryKind::Run,
        &state.model.me,
        words,
    );
    (case.ticket, case.run) = (plan.ticket, Some(plan.run));
    let hosts = plan
        .hosts
        .iter()
        .map(|host| Value::from(host.as_str()))
        .collect();
    case.data
        .insert("book".to_owned(), Value::from(book.as_str()));
    case.data.insert("hosts".to_owned(), Value::List(hosts));
    case
}

/// A parameter of type `host` must name a host of the inventory.
fn unknown_host(state: &State, book: &Runbook, start: &RunStart) -> Option<String> {
    book.params
        .iter()
        .filter(|param| param.kind == ParamKind::Host)
        .find_map(|param| {
            let name = start.params.get(&param.name).or(param.default.as_ref())?;
            state.model.host_named(name).is_none().then(|| {
                format!(
                    "parameter {}: there is no host {name:?} in the inventory",
                    param.name
                )
            })
        })
}

/// Feeds one input to a run's machine and does what it orders.
pub(super) fn feed(state: &mut State, id: RunId, input: Input, fx: &mut Vec<Effect>) {
    let now = state.model.now;
    let Some(run) = state.runs.get_mut(&id) else {
        return;
    };
    let orders = run.machine.step(input, now);
    obey(state, id, orders, fx);
}

fn obey(state: &mut State, id: RunId, orders: Vec<Order>, fx: &mut Vec<Effect>) {
    for order in orders {
        match order {
            Order::Journal { token, facts } => journal(state, id, token, facts, fx),
            Order::Launch {
                host,
                step,
                script,
                timeout,
                on,
                ..
            } => {
                let req = state.mint.request();
                let caller = state.runs.get(&id).map(|run| run.caller);
                state
                    .inflight
                    .insert(req, state.model.now, Purpose::Step(id, host.clone(), step));
                if let Some(run) = state.runs.get_mut(&id) {
                    run.requests.insert((host.clone(), step), req);
                    run.output.insert((host.clone(), step), (Vec::new(), 0));
                }
                if on == On::Local {
                    fx.push(Effect::Local {
                        req,
                        stdin: script.stdin,
                        command: script.command,
                        timeout_ms: timeout,
                    });
                    continue;
                }
                let spec = ExecSpec {
                    command: script.command,
                    stdin: Stdin::Bytes(script.stdin),
                    sink: Sink::Stream,
                    timeout: timeout.map(Duration::from_millis),
                    pty: None,
                    interactive: caller.is_some_and(|caller| state.may_ask(caller)),
                    background: false,
                    along: None,
                    manner: Manner::default(),
                };
                let target = gather::target(state, &host);
                fx.push(Effect::Ssh(SshAsk::Exec { req, target, spec }));
            }
            Order::Ask {
                step,
                confirm,
                text,
                ..
            } => super::question::confirm_step(state, id, step, confirm, text, fx),
            Order::Done { .. } => {
                if let Some(run) = state.runs.get_mut(&id) {
                    run.finished = true;
                }
                end_if_durable(state, id, fx);
            }
        }
    }
}

/// Makes facts durable; the first batch of a run carries its reference and its entry on the ticket too.
fn journal(state: &mut State, id: RunId, token: u64, facts: Vec<RunFact>, fx: &mut Vec<Effect>) {
    let Some(run) = state.runs.get_mut(&id) else {
        return;
    };
    let entity = Entity {
        kind: EntityKind::Run,
        id: id.0,
    };
    let mut drafts: Vec<Draft> = Vec::new();
    for fact in &facts {
        drafts.push(fact.draft(id));
        match fact {
            RunFact::Started { .. } => {
                drafts.extend([Draft::Reference { entity }, run.case.draft()])
            }
            RunFact::Finished { state, tally, at } => {
                let data = &mut run.case.data;
                data.insert("state".to_owned(), Value::from(state.word()));
                for (name, number) in [
                    ("ok", tally.ok),
                    ("failed", tally.failed),
                    ("unreachable", tally.unreachable),
                    ("skipped", tally.skipped),
                ] {
                    data.insert(name.to_owned(), Value::Int(number.into()));
                }
                data.insert(
                    "took_ms".to_owned(),
                    Value::Int(i64::try_from(at.since(run.case.at)).unwrap_or(i64::MAX)),
                );
                drafts.push(run.case.draft());
            }
            RunFact::StepStarted { .. } | RunFact::StepFinished { .. } => {}
        }
    }
    run.told.insert(token, facts);
    super::append(
        state,
        Batch {
            drafts,
            local: Vec::new(),
        },
        Purpose::Journal(id, token),
        fx,
    );
}

/// A batch of a run is durable, or was refused.
pub(super) fn journalled(
    state: &mut State,
    id: RunId,
    token: u64,
    result: Result<Committed, StoreError>,
    fx: &mut Vec<Effect>,
) {
    let Some(run) = state.runs.get_mut(&id) else {
        return;
    };
    let facts = run.told.remove(&token).unwrap_or_default();
    match result {
        Err(error) => {
            let why = failure::text(&error);
            if let Some(line) = line_of(run.caller) {
                fx.push(Effect::Emit(
                    line,
                    Emission::Note(format!(
                        "the run could not be journalled, so nothing more is started: {why}"
                    )),
                ));
            }
            feed(state, id, Input::JournalFailed { token, why }, fx);
        }
        Ok(committed) => {
            if let Some((_, reference)) = committed
                .references
                .into_iter()
                .find(|(entity, _)| *entity == id.0)
            {
                run.reference = reference.clone();
                if let Caller::Window(window) = run.caller {
                    super::window::open(state, window, View::Run(reference));
                }
            }
            let Some(run) = state.runs.get_mut(&id) else {
                return;
            };
            if let Some(line) = line_of(run.caller) {
                for fact in facts {
                    let step = match &fact {
                        RunFact::StepStarted { step, .. } | RunFact::StepFinished { step, .. } => {
                            run.steps.get(*step as usize).cloned().unwrap_or_default()
                        }
                        RunFact::Started { .. } | RunFact::Finished { .. } => String::new(),
                    };
                    fx.push(Effect::Emit(
                        line,
                        Emission::Run {
                            reference: run.reference.clone(),
                            fact,
                            step,
                        },
                    ));
                }
            }
            feed(state, id, Input::Committed { token }, fx);
        }
    }
    end_if_durable(state, id, fx);
}

/// Lets go of a run that is over and whose last fact is durable, and answers whoever waits for it.
fn end_if_durable(state: &mut State, id: RunId, fx: &mut Vec<Effect>) {
    if !state
        .runs
        .get(&id)
        .is_some_and(|run| run.finished && run.told.is_empty())
    {
        return;
    }
    let Some(run) = state.runs.remove(&id) else {
        return;
    };
    fx.push(Effect::Release(id.0));
    if run.reference.is_empty() {
        let text =
            "the run was never begun, because its journal could not be written; see `qd doctor`"
                .to_owned();
        return reply(state, run.caller, Outcome::error(1, text), fx);
    }
    super::ask(
        state,
        Ask::Run {
            reference: run.reference,
        },
        Purpose::RunOver(run.caller),
        fx,
    );
}

/// A part of a step's output.
pub(super) fn output(
    state: &mut State,
    id: RunId,
    host: &str,
    step: u32,
    stream: Stream,
    data: Vec<u8>,
    fx: &mut Vec<Effect>,
) {
    let Some(run) = state.runs.get_mut(&id) else {
        return;
    };
    let kept = run.output.entry((host.to_owned(), step)).or_default();
    kept.0.extend_from_slice(&data);
    // The end says how it went and the beginning what it was about, so it is the middle that goes.
    let excess = kept.0.len().saturating_sub(KEPT);
    if excess > 0 {
        kept.0.drain(KEPT / 2..KEPT / 2 + excess);
        kept.1 += excess as u64;
    }
    if let Some(line) = line_of(run.caller) {
        let key = (host.to_owned(), step, stream == Stream::Err);
        let data = run
            .streams
            .entry(key)
            .or_insert_with(|| mask::Stream::new(run.mask.clone()))
            .push(&data);
        let step = run.steps.get(step as usize).cloned().unwrap_or_default();
        fx.push(Effect::Emit(
            line,
            Emission::StepOutput {
                host: host.to_owned(),
                step,
                stream,
                data,
            },
        ));
    }
}

/// A step has ended on a host.
pub(super) fn step_done(
    state: &mut State,
    id: RunId,
    host: String,
    step: u32,
    exit: Exit,
    took_ms: u64,
    fx: &mut Vec<Effect>,
) {
    let Some(run) = state.runs.get_mut(&id) else {
        return;
    };
    run.requests.remove(&(host.clone(), step));
    for stream in [Stream::Out, Stream::Err] {
        // What the mask held back, because a secret might have gone on there.
        let key = (host.clone(), step, stream == Stream::Err);
        let rest = run
            .streams
            .remove(&key)
            .map(mask::Stream::finish)
            .unwrap_or_default();
        if let (Some(line), false) = (line_of(run.caller), rest.is_empty()) {
            let step = run.steps.get(step as usize).cloned().unwrap_or_default();
            fx.push(Effect::Emit(
                line,
                Emission::StepOutput {
                    host: host.clone(),
                    step,
                    stream,
                    data: rest,
                },
            ));
        }
    }
    let (output, dropped) = run.output.remove(&(host.clone(), step)).unwrap_or_default();
    feed(
        state,
        id,
        Input::Finished {
            host,
            step,
            exit,
            output,
            dropped,
            took_ms,
        },
        fx,
    );
}

fn cancel_by_reference(state: &mut State, caller: Caller, reference: &str, fx: &mut Vec<Effect>) {
    let found = state
        .runs
        .iter()
        .find(|(_, run)| run.reference.eq_ignore_ascii_case(reference))
        .map(|(id, _)| *id);
    match found {
        Some(id) => {
            stop(state, id, false, fx);
            reply(
                state,
                caller,
                Outcome::ok(Answer::Done(format!(
                    "{reference} is stopping: what runs may end, nothing new begins"
                ))),
                fx,
            );
        }
        None => {
            let text = format!(
                "this process does not work on {reference}; `qd run show {reference}` says how far it is"
            );
            reply(state, caller, Outcome::error(3, text), fx);
        }
    }
}

/// Stops a run in an orderly way; at once, it cuts off what runs too.
pub(super) fn stop(state: &mut State, id: RunId, at_once: bool, fx: &mut Vec<Effect>) {
    if at_once && let Some(run) = state.runs.get(&id) {
        fx.extend(
            run.requests
                .values()
                .map(|req| Effect::Ssh(SshAsk::Cancel { req: *req })),
        );
    }
    feed(state, id, Input::Cancel, fx);
}

/// The exit status of a finished run: 0 all ok, 255 none reachable, else 1.
pub(super) fn exit_code(run: &RunRow) -> u8 {
    let tally = run.tally;
    match run.state {
        RunState::Ok => 0,
        _ if tally.unreachable > 0 && tally.ok + tally.failed + tally.skipped == 0 => 255,
        RunState::Running | RunState::Failed | RunState::Cancelled | RunState::Unknown => 1,
    }
}
