//! The plan of a run: which runbook on which hosts with which values, and what a dry run shows of it.

use std::collections::BTreeMap;

use crate::domain::ids::{RunId, TicketId};
use crate::domain::run::{Cell, CellState};
use crate::domain::runbook::{Action, Runbook, Step};

use super::params::{Values, fill};

/// How many hosts are worked on at once when nobody says.
pub const FORKS: usize = 10;

/// What a failed host means for the hosts that wait. A failing step always ends its own host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stop {
    /// No new host is begun after a failure; those at work go on to their end.
    #[default]
    FirstFailure,
    /// Every host has its turn.
    Never,
}

/// Everything that is decided before a run begins.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which run it becomes.
    pub run: RunId,
    /// What to do.
    pub book: Runbook,
    /// Where, in this order.
    pub hosts: Vec<String>,
    /// With which values.
    pub values: Values,
    /// How many hosts at once; 0 counts as 1.
    pub forks: usize,
    /// What a failed host means for the others.
    pub stop: Stop,
    /// For which ticket.
    pub ticket: Option<TicketId>,
    /// Who starts it.
    pub author: String,
    /// The first step, from 0, of hosts that do not begin at the start: a resumed or retried run.
    pub from: BTreeMap<String, u32>,
}

impl Plan {
    /// A plan with the usual settings.
    pub fn new(
        run: RunId,
        book: Runbook,
        hosts: Vec<String>,
        values: Values,
        author: &str,
    ) -> Self {
        Self {
            run,
            book,
            hosts,
            values,
            forks: FORKS,
            stop: Stop::default(),
            ticket: None,
            author: author.to_owned(),
            from: BTreeMap::new(),
        }
    }
}

/// What each step would run, secrets masked: for `--dry-run` and for the question before a run.
///
/// Values that are captured on the way are not known yet and stay as `{{ name }}`.
pub fn preview(plan: &Plan) -> Vec<(String, String)> {
    plan.book
        .steps
        .iter()
        .map(|step| (step.name.clone(), resolved(step, &plan.values)))
        .collect()
}

/// A step's text with its values, secrets masked, for people to read.
pub(super) fn resolved(step: &Step, values: &Values) -> String {
    let shown = values.shown();
    match &step.action {
        Action::Script { interpreter, text } => fill(interpreter, text, &shown)
            // What cannot be filled in yet is shown as the author wrote it.
            .unwrap_or_else(|_| text.clone()),
        Action::Checklist { items } => items
            .iter()
            .map(|item| format!("- [ ] {item}"))
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

/// Where a run that did not finish is taken up again, from its stored cells: each host that is not done, with the first
/// step that neither succeeded nor was passed over on purpose.
///
/// A step whose end is unknown is among them, so the caller must show it and ask before running it a second time.
pub fn unfinished(book: &Runbook, hosts: &[String], cells: &[Cell]) -> BTreeMap<String, u32> {
    let mut open = BTreeMap::new();
    for host in hosts {
        let first = (0u32..).zip(&book.steps).find(|(index, step)| {
            // The last record of a cell counts: an attempt that succeeded after one that did not.
            let cell = cells
                .iter()
                .rev()
                .find(|cell| cell.host == *host && cell.index == *index);
            !cell.is_some_and(|cell| settled(cell, step))
        });
        if let Some((index, _)) = first {
            open.insert(host.clone(), index);
        }
    }
    open
}

/// Whether a stored cell needs no second try.
fn settled(cell: &Cell, step: &Step) -> bool {
    match cell.state {
        CellState::Ok => true,
        CellState::Failed => step.ignore_errors,
        // A step that was passed over because an earlier one failed is still to do.
        CellState::Skipped => cell.reason.starts_with(super::machine::ON_PURPOSE),
        CellState::Waiting | CellState::Running | CellState::Unreachable | CellState::Unknown => {
            false
        }
    }
}
