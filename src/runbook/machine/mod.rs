//! The run as a pure state machine: facts come in, orders go out, and intent is journalled before every act.
//!
//! It never launches what the journal has not confirmed, and never launches one cell twice without a new attempt.

mod progress;

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::run::{CellState, Exit, RunFact, RunState, Tally};
use crate::domain::runbook::{Confirm, On};
use crate::domain::time::Time;

use self::progress::{End, Gate, Host, Outcome, Progress};
use super::mask::Mask;
use super::plan::Plan;
pub use super::script::Script;

/// How the reason of a cell begins that was passed over on purpose, and so needs no second try.
pub const ON_PURPOSE: &str = "not needed: ";

/// What the run wants done.
#[derive(Clone, Debug)]
pub enum Order {
    /// Store these facts in one transaction, then answer with the token.
    Journal {
        /// What the answer must carry.
        token: u64,
        /// In order.
        facts: Vec<RunFact>,
    },
    /// Run a script and answer with [`Input::Finished`].
    Launch {
        /// On which host.
        host: String,
        /// Which step, from 0.
        step: u32,
        /// 1 for the first try.
        attempt: u32,
        /// What to run.
        script: Script,
        /// The time limit in milliseconds.
        timeout: Option<u64>,
        /// There, or on this machine.
        on: On,
    },
    /// Ask a person and answer with [`Input::Answered`].
    Ask {
        /// On which host; `None` when the answer counts for all.
        host: Option<String>,
        /// Before which step, from 0.
        step: u32,
        /// How surely the answer must be given.
        confirm: Confirm,
        /// What is asked, secrets masked; may have several lines.
        text: String,
    },
    /// The run is over; no order follows.
    Done {
        /// In numbers of hosts.
        tally: Tally,
        /// How it ended.
        state: RunState,
        /// Why, when the facts do not say it: the journal failed. Empty otherwise.
        reason: String,
    },
}

/// What happened to the run.
#[derive(Clone, Debug)]
pub enum Input {
    /// It may begin.
    Begin,
    /// A journal order is durable.
    Committed {
        /// Which one.
        token: u64,
    },
    /// A journal order could not be stored.
    JournalFailed {
        /// Which one.
        token: u64,
        /// Why, and what to do.
        why: String,
    },
    /// A launched script ended.
    Finished {
        /// Where.
        host: String,
        /// Which step, from 0.
        step: u32,
        /// How.
        exit: Exit,
        /// Standard output and standard error as they came.
        output: Vec<u8>,
        /// Bytes that were lost before `output`'s end.
        dropped: u64,
        /// How long it took, in milliseconds.
        took_ms: u64,
    },
    /// A person answered.
    Answered {
        /// Before which step, from 0.
        step: u32,
        /// Yes or no.
        yes: bool,
    },
    /// A person wants an orderly stop: what runs may end, nothing new begins.
    Cancel,
}

/// One cell of the matrix as it stands now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellNow {
    /// How far it is.
    pub state: CellState,
    /// The exit status.
    pub exit: Option<i32>,
    /// Tries so far.
    pub attempt: u32,
    /// When the current try began.
    pub started: Option<Time>,
    /// How long the last try took.
    pub took_ms: Option<u64>,
    /// Why it failed or was passed over.
    pub reason: String,
}

/// A run at work.
#[derive(Debug)]
pub struct Machine {
    plan: Plan,
    mask: Mask,
    /// A row for each host, a cell for each step.
    cells: Vec<Vec<CellNow>>,
    hosts: Vec<Host>,
    /// Where each host is in the rows.
    index: BTreeMap<String, usize>,
    /// What steps captured that run once.
    shared: Vec<(String, String)>,
    /// One for each step.
    gates: Vec<Gate>,
    /// Hosts that have begun and not ended, by index; never more than the plan's forks.
    active: BTreeSet<usize>,
    /// The first host that has not begun.
    next: usize,
    halt: Halt,
    /// A host failed and the plan says that no new one begins.
    closed: bool,
    stage: Stage,
    /// The beginning of the run is durable.
    born: bool,
    /// The number of the last journal order.
    token: u64,
    /// Journal orders that are not answered yet. Bounded: each active host has at most one intent in flight.
    pending: BTreeMap<u64, Batch>,
    /// The batch that is being put together.
    draft: Batch,
    /// Facts that the journal refused. They go first when it is tried again, so nothing that happened is lost.
    backlog: Vec<RunFact>,
    /// What else is wanted in this turn.
    orders: Vec<Order>,
}

/// How far the run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    New,
    Running,
    /// The last journal order is out.
    Ending,
    Done,
}

/// Why nothing more is launched.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Halt {
    No,
    /// A person stopped it; says how.
    Cancelled(String),
    /// The journal does not take facts any more; says why.
    Broken(String),
}

/// One journal order.
#[derive(Debug, Default)]
struct Batch {
    facts: Vec<RunFact>,
    /// What may be launched once it is durable: host, step, attempt.
    launches: Vec<(usize, usize, u32)>,
}

impl Machine {
    /// A run that has not begun. A host that is named twice runs once.
    pub fn new(mut plan: Plan) -> Self {
        let mut seen = BTreeSet::new();
        plan.hosts.retain(|host| seen.insert(host.clone()));
        let waiting = CellNow {
            state: CellState::Waiting,
            exit: None,
            attempt: 0,
            started: None,
            took_ms: None,
            reason: String::new(),
        };
        let steps = plan.book.steps.len();
        let gates = (0u32..)
            .zip(&plan.book.steps)
            .map(|(index, _)| Gate::new(plan.done_once.contains(&index)))
            .collect();
        Self {
            mask: plan.values.mask(),
            cells: vec![vec![waiting; steps]; plan.hosts.len()],
            hosts: vec![Host::default(); plan.hosts.len()],
            index: plan.hosts.iter().cloned().zip(0..).collect(),
            shared: Vec::new(),
            gates,
            active: BTreeSet::new(),
            next: 0,
            halt: Halt::No,
            closed: false,
            stage: Stage::New,
            born: false,
            token: 0,
            pending: BTreeMap::new(),
            draft: Batch::default(),
            backlog: Vec::new(),
            orders: Vec::new(),
            plan,
        }
    }

    /// Takes what happened and says what to do, in this order.
    pub fn step(&mut self, input: Input, now: Time) -> Vec<Order> {
        match (self.stage, input) {
            (Stage::Done, _) => {}
            (Stage::New, Input::Begin) => self.begin(now),
            (Stage::New, Input::Cancel) => self.halt = Halt::Cancelled("cancelled".to_owned()),
            (Stage::New, _) | (Stage::Running | Stage::Ending, Input::Begin) => {}
            (_, Input::Committed { token }) => self.committed(token, now),
            (_, Input::JournalFailed { token, why }) => self.journal_failed(token, why, now),
            (
                _,
                Input::Finished {
                    host,
                    step,
                    exit,
                    output,
                    dropped,
                    took_ms,
                },
            ) => {
                let end = End {
                    exit,
                    output,
                    dropped,
                    took_ms,
                };
                self.finished(&host, step, end, now);
            }
            (_, Input::Answered { step, yes }) => self.answered(step, yes, now),
            (_, Input::Cancel) => self.cancel("cancelled", now),
        }
        if self.stage == Stage::Running {
            self.settle(now);
        }
        self.flush();
        std::mem::take(&mut self.orders)
    }

    /// The matrix now: a row for each host of the plan, a cell for each step of the runbook, both in order.
    pub fn cells(&self) -> &[Vec<CellNow>] {
        &self.cells
    }

    /// The plan that it follows.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What hides the run's secrets, for output that is shown while it arrives.
    pub fn mask(&self) -> &Mask {
        &self.mask
    }

    /// The hosts in numbers, as they stand now; those that are not done count as skipped.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for host in &self.hosts {
            match host.progress {
                Progress::Ended(Outcome::Ok) => tally.ok += 1,
                Progress::Ended(Outcome::Failed) => tally.failed += 1,
                Progress::Ended(Outcome::Unreachable) => tally.unreachable += 1,
                Progress::Ended(Outcome::Skipped)
                | Progress::Waiting
                | Progress::Held(_)
                | Progress::Started(..)
                | Progress::Launched(..) => tally.skipped += 1,
            }
        }
        tally
    }

    /// Whether [`Order::Done`] was given.
    pub fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    fn begin(&mut self, now: Time) {
        self.stage = Stage::Running;
        let plan = &self.plan;
        self.draft.facts.push(RunFact::Started {
            at: now,
            book: plan.book.name.clone(),
            hash: plan.book.hash.clone(),
            steps: plan
                .book
                .steps
                .iter()
                .map(|step| step.name.clone())
                .collect(),
            hosts: plan.hosts.clone(),
            params: plan.values.masked(),
            ticket: plan.ticket,
            author: plan.author.clone(),
        });
    }

    /// What is durable may be acted on.
    fn committed(&mut self, token: u64, now: Time) {
        let Some(batch) = self.pending.remove(&token) else {
            return;
        };
        self.born = true;
        if self.stage == Stage::Ending {
            self.done(String::new());
            return;
        }
        for (host, step, attempt) in batch.launches {
            self.launch(host, step, attempt, now);
        }
    }

    /// Nothing more is launched. What happened is kept and offered to the journal again with the next facts.
    fn journal_failed(&mut self, token: u64, why: String, now: Time) {
        let Some(batch) = self.pending.remove(&token) else {
            return;
        };
        let reason = format!("the journal failed: {why}");
        if matches!(self.halt, Halt::No | Halt::Cancelled(_)) {
            self.halt = Halt::Broken(reason.clone());
        }
        for (host, step, attempt) in &batch.launches {
            // It never became durable that this began, and it did not begin.
            self.withdraw(*host, *step, *attempt, &reason);
        }
        let unborn = batch
            .facts
            .iter()
            .any(|fact| matches!(fact, RunFact::Started { .. }));
        if unborn || self.stage == Stage::Ending {
            // Without its beginning the journal has no place for the rest; a second refusal of the end is final.
            self.done(reason);
            return;
        }
        self.backlog.extend(
            batch
                .facts
                .into_iter()
                .filter(|fact| !matches!(fact, RunFact::StepStarted { .. })),
        );
        self.release(&reason, now);
    }

    fn cancel(&mut self, why: &str, now: Time) {
        if self.halt == Halt::No && self.stage == Stage::Running {
            self.halt = Halt::Cancelled(why.to_owned());
            self.release(why, now);
        }
    }

    /// Sends what was put together as one journal order.
    fn flush(&mut self) {
        // What was refused once waits for company: a full disk is not asked again and again for nothing.
        if self.stage == Stage::Done || self.draft.facts.is_empty() {
            return;
        }
        // Nothing is told of a run before its beginning is durable.
        if !self.born && !self.pending.is_empty() {
            return;
        }
        let mut batch = std::mem::take(&mut self.draft);
        let mut facts = std::mem::take(&mut self.backlog);
        facts.append(&mut batch.facts);
        batch.facts = facts;
        self.token += 1;
        // The journal comes before what else this turn wants, such as a question.
        self.orders.insert(
            0,
            Order::Journal {
                token: self.token,
                facts: batch.facts.clone(),
            },
        );
        self.pending.insert(self.token, batch);
    }

    /// Puts the end of the run into the draft when every host has ended and the journal has answered.
    fn finish(&mut self, now: Time) {
        if !self.active.is_empty() || !self.pending.is_empty() {
            return;
        }
        let why = match &self.halt {
            Halt::Cancelled(why) | Halt::Broken(why) => why.clone(),
            Halt::No => "not begun, because another host failed before".to_owned(),
        };
        // Hosts that never began are in the tally; a record for each of their cells would say nothing more.
        for host in self.next..self.hosts.len() {
            self.pass_over(host, &why);
        }
        self.next = self.hosts.len();
        self.stage = Stage::Ending;
        self.draft.facts.push(RunFact::Finished {
            at: now,
            state: self.state(),
            tally: self.tally(),
        });
    }

    fn state(&self) -> RunState {
        let tally = self.tally();
        let whole = tally.failed + tally.unreachable + tally.skipped == 0;
        match self.halt {
            Halt::Broken(_) => RunState::Failed,
            _ if whole => RunState::Ok,
            Halt::Cancelled(_) => RunState::Cancelled,
            Halt::No => RunState::Failed,
        }
    }

    fn done(&mut self, reason: String) {
        // What was only being put together never begins.
        for (host, step, attempt) in std::mem::take(&mut self.draft).launches {
            self.withdraw(host, step, attempt, &reason);
        }
        for host in 0..self.hosts.len() {
            self.pass_over(host, &reason);
        }
        let reason = match (&self.halt, reason.is_empty()) {
            (Halt::Broken(why), true) => why.clone(),
            (Halt::No | Halt::Cancelled(_) | Halt::Broken(_), _) => reason,
        };
        self.stage = Stage::Done;
        self.orders.push(Order::Done {
            tally: self.tally(),
            state: self.state(),
            reason,
        });
    }
}

#[cfg(test)]
mod tests;
