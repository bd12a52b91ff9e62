//! How hosts go from step to step: gates that hold them, launches, ends, retries.
//!
//! Everything here only changes the draft of the next journal order; nothing is launched that the journal does not have.

use crate::domain::run::{CellState, Exit, RunFact};
use crate::domain::runbook::{Action, Confirm, Repeat};
use crate::domain::time::Time;

use super::{Halt, Machine, ON_PURPOSE, Order};
use crate::runbook::params::{Values, step_uses};
use crate::runbook::plan::{Stop, resolved};
use crate::runbook::script::{self, Mark};

/// How far a host is.
#[derive(Clone, Debug, Default)]
pub(super) struct Host {
    pub(super) progress: Progress,
    /// What its steps captured: name and text.
    captured: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Progress {
    /// Never begun.
    #[default]
    Waiting,
    /// Stands before a step until a person answers or another host is done with it.
    Held(usize),
    /// The intent is with the journal: step and attempt.
    Started(usize, u32),
    /// Running: step and attempt.
    Launched(usize, u32),
    Ended(Outcome),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Ok,
    Failed,
    Unreachable,
    Skipped,
}

/// What stands before a step, for all hosts together.
#[derive(Clone, Debug, Default)]
pub(super) struct Gate {
    asked: bool,
    yes: bool,
    once: Once,
}

impl Gate {
    /// A gate that nobody has come to; `done` says that an earlier run did the step once for all.
    pub(super) fn new(done: bool) -> Self {
        let once = if done {
            Once::Done("an earlier run".to_owned())
        } else {
            Once::Open
        };
        Self {
            once,
            ..Self::default()
        }
    }
}

/// How far a step is that runs once.
#[derive(Clone, Debug, Default)]
enum Once {
    #[default]
    Open,
    /// This host runs it, by index.
    Taken(usize),
    /// Done, by whom.
    Done(String),
    /// It failed, on which host.
    Failed(String),
}

/// How a launch ended, as it was reported.
pub(super) struct End {
    pub(super) exit: Exit,
    pub(super) output: Vec<u8>,
    pub(super) dropped: u64,
    pub(super) took_ms: u64,
}

/// What a host does at a step.
enum Arrival {
    Start,
    Hold,
    /// Goes past it: the cell's state and reason.
    Pass(CellState, String),
    /// Ends here: the outcome, and why.
    Stop(Outcome, String),
    /// Cannot be launched, which is a failure of this step.
    Fail(String),
}

impl Machine {
    /// Moves everything that can move: held hosts, then new ones; and ends the run when nothing is left.
    pub(super) fn settle(&mut self, now: Time) {
        loop {
            let held: Vec<(usize, usize)> = self
                .active
                .iter()
                .filter_map(|host| match self.hosts.get(*host)?.progress {
                    Progress::Held(step) => Some((*host, step)),
                    Progress::Waiting
                    | Progress::Started(..)
                    | Progress::Launched(..)
                    | Progress::Ended(_) => None,
                })
                .collect();
            let facts = self.draft.facts.len();
            for (host, step) in held {
                self.advance(host, step, now);
            }
            while self.active.len() < self.plan.forks.max(1)
                && self.next < self.hosts.len()
                && !self.closed
                && self.halt == Halt::No
            {
                let host = self.next;
                self.next += 1;
                self.active.insert(host);
                let name = self.plan.hosts.get(host);
                let first = name.and_then(|name| self.plan.from.get(name)).copied();
                let first = usize::try_from(first.unwrap_or(0)).unwrap_or(usize::MAX);
                self.resume(host, first, now);
                self.advance(host, first, now);
            }
            // A host that moved may have opened a gate for one that was looked at before it.
            if self.draft.facts.len() == facts {
                break;
            }
        }
        let more = self.next < self.hosts.len() && !self.closed && self.halt == Halt::No;
        if !more {
            self.finish(now);
        }
    }

    /// Notes the steps that an earlier run did, so that the matrix of this one is whole.
    fn resume(&mut self, host: usize, first: usize, now: Time) {
        for step in 0..first.min(self.plan.book.steps.len()) {
            let reason = format!("{ON_PURPOSE}done by an earlier run");
            self.pass(host, step, CellState::Skipped, reason, now);
        }
    }

    /// Leads a host from `step` on to the next thing that takes time.
    fn advance(&mut self, host: usize, step: usize, now: Time) {
        for step in step..=self.plan.book.steps.len() {
            match self.arrive(host, step) {
                Arrival::Start => return self.start(host, step, 1, now),
                Arrival::Hold => return self.set(host, Progress::Held(step)),
                Arrival::Pass(state, reason) => self.pass(host, step, state, reason, now),
                Arrival::Stop(outcome, reason) => {
                    return self.end_host(host, step, outcome, &reason, now);
                }
                Arrival::Fail(reason) => return self.cannot(host, step, reason, now),
            }
        }
    }

    fn arrive(&mut self, host: usize, index: usize) -> Arrival {
        let Some(step) = self.plan.book.steps.get(index) else {
            return Arrival::Stop(Outcome::Ok, String::new());
        };
        match &self.halt {
            Halt::No => {}
            Halt::Cancelled(why) | Halt::Broken(why) => {
                return Arrival::Stop(Outcome::Skipped, why.clone());
            }
        }
        // The first host in order that still lives; those before it can no longer come.
        let first = self.active.first().copied();
        let Some(gate) = self.gates.get_mut(index) else {
            return Arrival::Stop(Outcome::Ok, String::new());
        };
        if step.run == Repeat::Once {
            match &gate.once {
                Once::Done(by) => {
                    return Arrival::Pass(
                        CellState::Skipped,
                        format!("{ON_PURPOSE}runs once, done by {by}"),
                    );
                }
                Once::Failed(by) => {
                    let why = format!("{} failed on {by}, where it runs once", step.name);
                    return Arrival::Stop(Outcome::Skipped, why);
                }
                Once::Taken(by) if *by != host => return Arrival::Hold,
                Once::Taken(_) => {}
                Once::Open if first != Some(host) => return Arrival::Hold,
                Once::Open => gate.once = Once::Taken(host),
            }
        }
        let checklist = matches!(step.action, Action::Checklist { .. });
        if !gate.yes && (checklist || step.confirm != Confirm::No) {
            if !gate.asked {
                gate.asked = true;
                let order = self.question(index);
                self.orders.extend(order);
            }
            return Arrival::Hold;
        }
        if checklist {
            return Arrival::Pass(CellState::Ok, "ticked".to_owned());
        }
        let missing = step_uses(step)
            .into_iter()
            .find(|name| self.value(host, name).is_none());
        if let Some(name) = missing {
            return Arrival::Fail(format!(
                "{{{{ {name} }}}} was not captured in this run; begin at the step that captures it"
            ));
        }
        Arrival::Start
    }

    /// The question before a step.
    fn question(&self, index: usize) -> Option<Order> {
        let step = self.plan.book.steps.get(index)?;
        let waiting = self.hosts.len() - self.next + self.active.len();
        let text = resolved(step, &self.plan.values);
        let (confirm, text) = match (&step.action, step.run) {
            (Action::Checklist { .. }, _) => (Confirm::Yes.max(step.confirm), text),
            (Action::Script { .. }, Repeat::Once) => {
                (step.confirm, format!("Run {} once?\n{text}", step.name))
            }
            (Action::Script { .. }, Repeat::Each) => {
                let hosts = if waiting == 1 { "host" } else { "hosts" };
                (
                    step.confirm,
                    format!("Run {} on {waiting} {hosts}?\n{text}", step.name),
                )
            }
        };
        Some(Order::Ask {
            host: None,
            step: u32::try_from(index).ok()?,
            confirm,
            text,
        })
    }

    /// A person answered. No means that the run stops here, for every host: what comes next relies on this step.
    pub(super) fn answered(&mut self, step: u32, yes: bool, now: Time) {
        let index = usize::try_from(step).unwrap_or(usize::MAX);
        let Some(gate) = self.gates.get_mut(index) else {
            return;
        };
        if !gate.asked || gate.yes {
            return;
        }
        if yes {
            gate.yes = true;
            return;
        }
        let name = self
            .plan
            .book
            .steps
            .get(index)
            .map(|step| step.name.clone());
        let why = format!("{} was refused", name.unwrap_or_default());
        self.cancel(&why, now);
    }

    /// Writes the intent.
    fn start(&mut self, host: usize, step: usize, attempt: u32, now: Time) {
        let Some(name) = self.plan.hosts.get(host).cloned() else {
            return;
        };
        self.draft.facts.push(RunFact::StepStarted {
            at: now,
            host: name,
            step: number(step),
            attempt,
        });
        self.draft.launches.push((host, step, attempt));
        self.set(host, Progress::Started(step, attempt));
        if let Some(cell) = self.cell(host, step) {
            cell.state = CellState::Running;
            cell.attempt = attempt;
            cell.started = Some(now);
            cell.exit = None;
            cell.reason.clear();
        }
    }

    /// The intent is durable: now it may happen, unless it must not happen any more.
    pub(super) fn launch(&mut self, host: usize, step: usize, attempt: u32, now: Time) {
        let why = match &self.halt {
            Halt::No => None,
            Halt::Cancelled(why) | Halt::Broken(why) => Some(why.clone()),
        };
        if let Some(why) = why {
            let why = format!("not launched: {why}");
            self.pass(host, step, CellState::Skipped, why.clone(), now);
            self.end_host(host, step + 1, Outcome::Skipped, &why, now);
            return;
        }
        let values = self.values(host);
        let (Some(name), Some(what)) = (self.plan.hosts.get(host), self.plan.book.steps.get(step))
        else {
            return;
        };
        let mark = self.mark(name, step, attempt);
        match script::build(what, name, &values, &mark) {
            Ok(script) => {
                self.orders.push(Order::Launch {
                    host: name.clone(),
                    step: number(step),
                    attempt,
                    script,
                    timeout: what.timeout_ms,
                    on: what.on,
                });
                self.set(host, Progress::Launched(step, attempt));
            }
            Err(why) => self.cannot(host, step, why.join("; "), now),
        }
    }

    /// A step that cannot be launched failed, and its host with it.
    fn cannot(&mut self, host: usize, step: usize, reason: String, now: Time) {
        self.pass(host, step, CellState::Failed, reason, now);
        self.once_ended(host, step, false);
        let name = self.plan.book.steps.get(step).map_or("", |step| &step.name);
        let why = format!("{name} failed before");
        self.end_host(host, step + 1, Outcome::Failed, &why, now);
    }

    /// A launch ended.
    pub(super) fn finished(&mut self, host: &str, step: u32, end: End, now: Time) {
        let Some(index) = self.index.get(host).copied() else {
            return;
        };
        let step = usize::try_from(step).unwrap_or(usize::MAX);
        let attempt = match self.hosts.get(index).map(|host| host.progress) {
            Some(Progress::Launched(running, attempt)) if running == step => attempt,
            // A late or a second answer changes nothing: the journal has one end for each attempt.
            _ => return,
        };
        let Some(what) = self.plan.book.steps.get(step).cloned() else {
            return;
        };
        let mark = self.mark(host, step, attempt);
        let cancelled = end.exit == Exit::Cancelled;
        let ended = script::read(&what, &mark, &self.mask, &end.exit, end.output, end.dropped);
        self.draft.facts.push(RunFact::StepFinished {
            at: now,
            host: host.to_owned(),
            step: number(step),
            state: ended.state,
            exit: ended.exit,
            took_ms: end.took_ms,
            output: ended.output,
            dropped: ended.dropped,
            reason: ended.reason.clone(),
        });
        if let Some(cell) = self.cell(index, step) {
            cell.state = ended.state;
            cell.exit = ended.exit;
            cell.took_ms = Some(end.took_ms);
            cell.reason.clone_from(&ended.reason);
        }
        if let (Some(name), Some(text)) = (&what.capture, ended.captured) {
            // What a step finds out once is for every host.
            let captured = match what.run {
                Repeat::Once => Some(&mut self.shared),
                Repeat::Each => self.hosts.get_mut(index).map(|host| &mut host.captured),
            };
            if let Some(captured) = captured {
                captured.retain(|(known, _)| known != name);
                captured.push((name.clone(), text));
            }
        }
        let failed = ended.state == CellState::Failed;
        if failed && !cancelled && attempt <= what.retries && self.halt == Halt::No {
            return self.start(index, step, attempt + 1, now);
        }
        let goes_on = match ended.state {
            CellState::Ok | CellState::Skipped => true,
            CellState::Failed => what.ignore_errors && !cancelled,
            CellState::Unreachable
            | CellState::Waiting
            | CellState::Running
            | CellState::Unknown => false,
        };
        self.once_ended(index, step, goes_on);
        if goes_on {
            return self.advance(index, step + 1, now);
        }
        let (outcome, why) = match ended.state {
            CellState::Unreachable => (Outcome::Unreachable, "the host is unreachable".to_owned()),
            _ if cancelled => (Outcome::Skipped, "cancelled".to_owned()),
            _ => (Outcome::Failed, format!("{} failed before", what.name)),
        };
        self.end_host(index, step + 1, outcome, &why, now);
    }

    /// Notes that the host which runs a step once is done with it.
    fn once_ended(&mut self, host: usize, step: usize, ok: bool) {
        let name = self.plan.hosts.get(host).cloned().unwrap_or_default();
        if let Some(gate) = self.gates.get_mut(step)
            && matches!(gate.once, Once::Taken(by) if by == host)
        {
            gate.once = if ok {
                Once::Done(name)
            } else {
                Once::Failed(name)
            };
        }
    }

    /// Ends a host before `step`; it and all later steps are passed over.
    fn end_host(&mut self, host: usize, step: usize, outcome: Outcome, why: &str, now: Time) {
        for later in step..self.plan.book.steps.len() {
            self.pass(host, later, CellState::Skipped, why.to_owned(), now);
            // A step that would run once and has lost its host is free for the next one.
            if let Some(gate) = self.gates.get_mut(later)
                && matches!(gate.once, Once::Taken(by) if by == host)
            {
                gate.once = Once::Open;
            }
        }
        self.set(host, Progress::Ended(outcome));
        self.active.remove(&host);
        let bad = matches!(outcome, Outcome::Failed | Outcome::Unreachable);
        if bad && self.plan.stop == Stop::FirstFailure {
            self.closed = true;
        }
    }

    /// Records that a step was passed over without a launch.
    fn pass(&mut self, host: usize, step: usize, state: CellState, reason: String, now: Time) {
        let Some(name) = self.plan.hosts.get(host).cloned() else {
            return;
        };
        if let Some(cell) = self.cell(host, step) {
            cell.state = state;
            cell.reason.clone_from(&reason);
        }
        self.draft.facts.push(RunFact::StepFinished {
            at: now,
            host: name,
            step: number(step),
            state,
            exit: None,
            took_ms: 0,
            output: Vec::new(),
            dropped: 0,
            reason,
        });
    }

    /// Ends every host that only waits, because the run is to stop.
    pub(super) fn release(&mut self, why: &str, now: Time) {
        for host in self.active.clone() {
            if let Some(Progress::Held(step)) = self.hosts.get(host).map(|host| host.progress) {
                self.end_host(host, step, Outcome::Skipped, why, now);
            }
        }
    }

    /// Takes back an intent that never became durable.
    pub(super) fn withdraw(&mut self, host: usize, step: usize, attempt: u32, why: &str) {
        if let Some(cell) = self.cell(host, step) {
            cell.attempt = attempt - 1;
            cell.started = None;
            // The end of the attempt before, if there was one, is what the cell shows.
            if attempt == 1 {
                cell.state = CellState::Skipped;
                cell.reason = why.to_owned();
            } else {
                cell.state = CellState::Failed;
            }
        }
        self.active.remove(&host);
        self.set(
            host,
            Progress::Ended(if attempt == 1 {
                Outcome::Skipped
            } else {
                Outcome::Failed
            }),
        );
        self.pass_over(host, why);
    }

    /// Marks what is left of a host as skipped, without a record.
    pub(super) fn pass_over(&mut self, host: usize, why: &str) {
        if let Some(row) = self.cells.get_mut(host) {
            for cell in row {
                if matches!(cell.state, CellState::Waiting) {
                    cell.state = CellState::Skipped;
                    why.clone_into(&mut cell.reason);
                }
            }
        }
        if let Some(host) = self.hosts.get_mut(host)
            && !matches!(host.progress, Progress::Ended(_))
        {
            host.progress = Progress::Ended(Outcome::Skipped);
        }
    }

    fn set(&mut self, host: usize, progress: Progress) {
        if let Some(host) = self.hosts.get_mut(host) {
            host.progress = progress;
        }
    }

    fn cell(&mut self, host: usize, step: usize) -> Option<&mut super::CellNow> {
        self.cells.get_mut(host)?.get_mut(step)
    }

    fn mark(&self, host: &str, step: usize, attempt: u32) -> Mark {
        Mark::new(self.plan.run.0.as_bytes(), host, number(step), attempt)
    }

    /// The run's values and what the host's steps captured.
    fn values(&self, host: usize) -> Values {
        let mut values = self.plan.values.clone();
        let own = self.hosts.get(host).map(|host| &host.captured);
        for (name, text) in self.shared.iter().chain(own.into_iter().flatten()) {
            values.capture(name, text);
        }
        values
    }

    fn value(&self, host: usize, name: &str) -> Option<&str> {
        let own = self.hosts.get(host)?.captured.iter();
        own.rev()
            .chain(self.shared.iter().rev())
            .find(|(known, _)| known == name)
            .map(|(_, text)| text.as_str())
            .or_else(|| self.plan.values.get(name))
    }
}

/// A step's number as the facts have it; a runbook with four thousand million steps does not fit into memory.
fn number(step: usize) -> u32 {
    u32::try_from(step).unwrap_or(u32::MAX)
}
