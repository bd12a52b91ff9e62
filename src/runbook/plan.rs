//! The plan of a run: which runbook on which hosts with which values, and what a dry run shows of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::ids::{RunId, TicketId};
use crate::domain::run::{Cell, CellState};
use crate::domain::runbook::{Action, Repeat, Runbook, Step};

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
    /// Steps with `run=once`, from 0, that an earlier run has done already.
    pub done_once: BTreeSet<u32>,
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
            done_once: BTreeSet::new(),
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

/// What is left of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rest {
    /// The hosts that are not done, in the order of the run, for [`Plan::hosts`].
    pub hosts: Vec<String>,
    /// Where each of them goes on, for [`Plan::from`].
    pub from: BTreeMap<String, u32>,
    /// For [`Plan::done_once`].
    pub done_once: BTreeSet<u32>,
    /// Cells that began and whose end nobody knows. They are among what is left, so show them and ask first.
    pub unknown: Vec<(String, u32)>,
}

/// What is left of a run that did not finish, from its stored cells: for `resume` and `retry`.
///
/// A host goes on at its first step that neither succeeded nor was passed over on purpose.
pub fn rest(book: &Runbook, hosts: &[String], cells: &[Cell]) -> Rest {
    let mut rest = Rest::default();
    for (index, step) in (0u32..).zip(&book.steps) {
        let done = |cell: &Cell| cell.index == index && cell.state == CellState::Ok;
        if step.run == Repeat::Once && cells.iter().any(done) {
            rest.done_once.insert(index);
        }
    }
    for host in hosts {
        let first = (0u32..).zip(&book.steps).find(|(index, step)| {
            // The last record of a cell counts: an attempt that succeeded after one that did not.
            let cell = cells
                .iter()
                .rev()
                .find(|cell| cell.host == *host && cell.index == *index);
            !rest.done_once.contains(index) && !cell.is_some_and(|cell| settled(cell, step))
        });
        let Some((index, _)) = first else { continue };
        rest.hosts.push(host.clone());
        rest.from.insert(host.clone(), index);
        let open = |cell: &&Cell| {
            cell.host == *host && matches!(cell.state, CellState::Running | CellState::Unknown)
        };
        rest.unknown.extend(
            cells
                .iter()
                .filter(open)
                .map(|cell| (host.clone(), cell.index)),
        );
    }
    rest
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::domain::ids::EntityId;
    use crate::runbook::mask::MASKED;
    use crate::runbook::params::resolve;
    use crate::runbook::parse::parse;

    fn book(text: &str) -> Runbook {
        parse(Path::new(""), "r", text).expect("nothing is wrong")
    }

    #[test]
    fn a_dry_run_shows_all_but_secrets() {
        let book = book(
            "---\nparams: [{name: p, type: secret}, {name: q}]\n---\n```sh {name=a capture=v}\nx {{ p }} {{ q }}\n```\n```sh {name=b}\ny {{ v }}\n```\n# Look\n- [ ] z\n",
        );
        let given = BTreeMap::from([
            ("p".to_owned(), "s3cr3t-word".to_owned()),
            ("q".to_owned(), "a b".to_owned()),
        ]);
        let values = resolve(&book, &given).expect("all is there");
        let run = RunId(EntityId::from_bytes([0; 16]));
        let plan = Plan::new(run, book, vec!["h1".to_owned()], values, "mira");
        let shown = preview(&plan);
        let expected = [
            ("a", format!("x '{MASKED}' 'a b'\n")),
            ("b", "y {{ v }}\n".to_owned()),
            ("Look", "- [ ] z".to_owned()),
        ];
        let expected = expected.map(|(name, text)| (name.to_owned(), text));
        assert_eq!(shown, expected);
        assert!(!format!("{plan:?}").contains("s3cr3t"));
    }

    fn cell(host: &str, index: u32, state: CellState, reason: &str) -> Cell {
        Cell {
            host: host.to_owned(),
            step: String::new(),
            index,
            state,
            exit: None,
            attempt: 1,
            started: None,
            took_ms: None,
            output: String::new(),
            dropped: 0,
            reason: reason.to_owned(),
        }
    }

    #[test]
    fn a_run_goes_on_where_it_stopped() {
        use CellState::{Failed, Ok, Running, Skipped, Unreachable};
        let book = book(
            "```sh {name=a}\n1\n```\n```sh {name=b run=once}\n2\n```\n```sh {name=c ignore_errors}\n3\n```\n",
        );
        let on_purpose = format!("{}x", super::super::machine::ON_PURPOSE);
        let cells = [
            // Done, with an error that does not count.
            cell("h1", 0, Failed, ""),
            cell("h1", 0, Ok, ""),
            cell("h1", 1, Ok, ""),
            cell("h1", 2, Failed, ""),
            // Skipped on purpose, then its process died.
            cell("h2", 0, Skipped, &on_purpose),
            cell("h2", 2, Running, ""),
            // Failed, and the rest was not tried.
            cell("h3", 0, Failed, ""),
            cell("h3", 1, Skipped, "a failed before"),
            cell("h4", 0, Unreachable, ""),
        ];
        let hosts: Vec<String> = (1..=5).map(|number| format!("h{number}")).collect();
        let rest = rest(&book, &hosts, &cells);
        assert_eq!(rest.hosts, ["h2", "h3", "h4", "h5"]);
        let from: Vec<u32> = rest.from.values().copied().collect();
        assert_eq!(from, [2, 0, 0, 0]);
        assert_eq!(rest.done_once, BTreeSet::from([1]));
        assert_eq!(rest.unknown, [("h2".to_owned(), 2)]);
    }
}
