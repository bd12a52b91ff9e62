//! The run as a pure state machine: facts come in, orders go out, and intent is journalled before every act.
//!
//! It never launches what the journal has not confirmed, and never launches one cell twice without a new attempt.

use crate::domain::run::{CellState, Exit, RunFact, RunState, Tally};
use crate::domain::runbook::{Confirm, On};
use crate::domain::time::Time;

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
}

impl Machine {
    /// A run that has not begun.
    pub fn new(plan: Plan) -> Self {
        Self { plan }
    }

    /// Takes what happened and says what to do.
    pub fn step(&mut self, input: Input, now: Time) -> Vec<Order> {
        let _ = (input, now);
        Vec::new()
    }

    /// The matrix now: a row for each host of the plan, a cell for each step of the runbook, both in order.
    pub fn cells(&self) -> &[Vec<CellNow>] {
        &[]
    }

    /// The plan that it follows.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Whether [`Order::Done`] was given.
    pub fn is_done(&self) -> bool {
        false
    }
}
