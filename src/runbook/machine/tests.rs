//! The machine against tables of events and against chance.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::domain::ids::{EntityId, RunId};
use crate::domain::run::OUTPUT_INLINE;
use crate::domain::runbook::Runbook;
use crate::runbook::mask::MASKED;
use crate::runbook::params::resolve;
use crate::runbook::parse::parse;
use crate::runbook::plan::Stop;

fn book(text: &str) -> Runbook {
    parse(Path::new("test.md"), "test", text).expect("a valid runbook")
}

fn plan(text: &str, hosts: usize) -> Plan {
    let book = book(text);
    let values = resolve(&book, &BTreeMap::new()).expect("no parameters");
    let hosts = (1..=hosts).map(|number| format!("h{number}")).collect();
    let run = RunId(EntityId::from_bytes([1; 16]));
    Plan::new(run, book, hosts, values, "mira")
}

/// Three plain steps.
const THREE: &str = "```sh {name=a}\n1\n```\n```sh {name=b}\n2\n```\n```sh {name=c}\n3\n```\n";

type Cell = (String, u32, u32);

/// The world around a machine: a journal, hosts that run scripts, and a person.
struct World {
    machine: Machine,
    clock: i64,
    /// Batches that are durable.
    journal: Vec<Vec<RunFact>>,
    /// Journal orders that are not answered.
    writing: VecDeque<(u64, Vec<RunFact>)>,
    running: Vec<Cell>,
    launched: Vec<Cell>,
    scripts: Vec<String>,
    questions: Vec<(u32, String)>,
    done: Option<(Tally, RunState, String)>,
    most: usize,
}

impl World {
    fn new(plan: Plan) -> Self {
        let mut world = Self {
            machine: Machine::new(plan),
            clock: 0,
            journal: Vec::new(),
            writing: VecDeque::new(),
            running: Vec::new(),
            launched: Vec::new(),
            scripts: Vec::new(),
            questions: Vec::new(),
            done: None,
            most: 0,
        };
        world.give(Input::Begin);
        world
    }

    fn facts(&self) -> impl Iterator<Item = &RunFact> {
        self.journal.iter().flatten()
    }

    /// Whether the journal has it that this attempt began, and not that it ended.
    fn is_open(&self, cell: &Cell) -> bool {
        let mut open = false;
        for fact in self.facts() {
            match fact {
                RunFact::StepStarted {
                    host,
                    step,
                    attempt,
                    ..
                } if (host, step) == (&cell.0, &cell.1) => {
                    open = *attempt == cell.2;
                }
                RunFact::StepFinished { host, step, .. } if (host, step) == (&cell.0, &cell.1) => {
                    open = false;
                }
                _ => {}
            }
        }
        open
    }

    /// Hands in what happened, and checks every order that comes back.
    fn give(&mut self, input: Input) {
        self.clock += 1;
        for order in self.machine.step(input, Time(self.clock)) {
            assert!(self.done.is_none(), "an order after the end: {order:?}");
            match order {
                Order::Journal { token, facts } => {
                    assert!(!facts.is_empty());
                    self.writing.push_back((token, facts));
                }
                Order::Launch {
                    host,
                    step,
                    attempt,
                    script,
                    ..
                } => {
                    let cell = (host, step, attempt);
                    assert!(
                        self.is_open(&cell),
                        "{cell:?} is launched without its durable start"
                    );
                    assert!(!self.launched.contains(&cell), "{cell:?} is launched twice");
                    self.scripts
                        .push(String::from_utf8_lossy(&script.stdin).into_owned());
                    self.launched.push(cell.clone());
                    self.running.push(cell);
                    self.most = self.most.max(self.running.len());
                }
                Order::Ask {
                    step, text, host, ..
                } => {
                    assert_eq!(host, None);
                    assert!(
                        self.questions.iter().all(|(asked, _)| *asked != step),
                        "asked twice"
                    );
                    self.questions.push((step, text));
                }
                Order::Done {
                    tally,
                    state,
                    reason,
                } => self.done = Some((tally, state, reason)),
            }
        }
    }

    fn commit(&mut self, index: usize) {
        if let Some((token, facts)) = self.writing.remove(index) {
            self.journal.push(facts);
            self.give(Input::Committed { token });
        }
    }

    fn commit_all(&mut self) {
        while !self.writing.is_empty() {
            self.commit(0);
        }
    }

    fn refuse(&mut self) {
        if let Some((token, _)) = self.writing.pop_front() {
            let why = "the disk is full".to_owned();
            self.give(Input::JournalFailed { token, why });
        }
    }

    fn end(&mut self, cell: &Cell, exit: Exit, output: &str) {
        self.running.retain(|running| running != cell);
        self.give(Input::Finished {
            host: cell.0.clone(),
            step: cell.1,
            exit,
            output: output.as_bytes().to_vec(),
            dropped: 0,
            took_ms: 5,
        });
    }

    /// Runs to the end. `outcome` says how each launch ends.
    fn run(&mut self, outcome: impl Fn(&Cell) -> Exit) {
        for _ in 0..10_000 {
            self.commit_all();
            if let Some(cell) = self.running.first().cloned() {
                let exit = outcome(&cell);
                self.end(&cell, exit, "");
            } else if let Some((step, _)) = self.questions.last().cloned() {
                if self.done.is_some() {
                    return;
                }
                self.give(Input::Answered { step, yes: true });
                if self.writing.is_empty() {
                    return;
                }
            } else {
                return;
            }
        }
    }

    /// The matrix as rows of letters: ok, failed, skipped, unreachable, waiting, running.
    fn matrix(&self) -> Vec<String> {
        let letter = |cell: &CellNow| match cell.state {
            CellState::Ok => 'o',
            CellState::Failed => 'F',
            CellState::Skipped => 's',
            CellState::Unreachable => 'U',
            CellState::Waiting => 'w',
            CellState::Running => 'r',
            CellState::Unknown => '?',
        };
        self.machine
            .cells()
            .iter()
            .map(|row| row.iter().map(letter).collect())
            .collect()
    }

    fn tally(&self) -> (u32, u32, u32, u32) {
        let (tally, ..) = self.done.clone().expect("the run is done");
        (tally.ok, tally.failed, tally.unreachable, tally.skipped)
    }

    fn state(&self) -> RunState {
        self.done
            .as_ref()
            .map_or(RunState::Running, |(_, state, _)| *state)
    }
}

fn ok(_: &Cell) -> Exit {
    Exit::Code(0)
}

#[test]
fn one_end_and_the_next_start_are_one_batch() {
    let mut world = World::new(plan(THREE, 1));
    assert_eq!(world.launched, [], "nothing before the journal has it");
    world.commit(0);
    let first = ("h1".to_owned(), 0, 1);
    assert_eq!(world.launched, std::slice::from_ref(&first));
    world.end(&first, Exit::Code(0), "fine");
    assert_eq!(world.launched.len(), 1);
    assert_eq!(world.writing.len(), 1);
    let names: Vec<String> = world
        .writing
        .iter()
        .flat_map(|(_, facts)| facts)
        .map(|fact| match fact {
            RunFact::StepStarted { step, .. } => format!("start {step}"),
            RunFact::StepFinished {
                step,
                state,
                output,
                ..
            } => {
                format!("end {step} {state} {}", String::from_utf8_lossy(output))
            }
            RunFact::Started { .. } | RunFact::Finished { .. } => "run".to_owned(),
        })
        .collect();
    assert_eq!(names, ["end 0 ok fine", "start 1"]);
    world.run(ok);
    assert_eq!(world.state(), RunState::Ok);
    assert_eq!(world.matrix(), ["ooo"]);
    assert_eq!(world.tally(), (1, 0, 0, 0));
}

#[test]
fn a_failure_ends_its_host_and_closes_the_door() {
    let fail = |cell: &Cell| Exit::Code(i32::from(cell.0 == "h2" && cell.1 == 1));
    let mut plan = plan(THREE, 5);
    plan.forks = 2;
    let mut world = World::new(plan.clone());
    world.run(fail);
    assert_eq!(world.matrix(), ["ooo", "oFs", "sss", "sss", "sss"]);
    assert_eq!(world.tally(), (1, 1, 0, 3));
    assert_eq!(world.state(), RunState::Failed);
    plan.stop = Stop::Never;
    let mut world = World::new(plan);
    world.run(fail);
    assert_eq!(world.matrix(), ["ooo", "oFs", "ooo", "ooo", "ooo"]);
    assert_eq!(world.tally(), (4, 1, 0, 0));
    assert!(world.most <= 2);
}

#[test]
fn an_unreachable_host_is_no_failed_host() {
    let mut plan = plan(THREE, 2);
    plan.stop = Stop::Never;
    let mut world = World::new(plan);
    world.run(|cell| {
        if cell.0 == "h1" && cell.1 == 1 {
            Exit::Unreachable("no route".to_owned())
        } else {
            Exit::Code(0)
        }
    });
    assert_eq!(world.matrix(), ["oUs", "ooo"]);
    assert_eq!(world.tally(), (1, 0, 1, 0));
}

#[test]
fn a_step_is_tried_again_as_often_as_it_says() {
    let text = "```sh {name=a retries=2}\n1\n```\n```sh {name=b}\n2\n```";
    for (good, matrix, attempts) in [(1, "oo", 2), (3, "oo", 4), (9, "Fs", 3)] {
        let mut world = World::new(plan(text, 1));
        world.run(|cell| Exit::Code(i32::from(cell.1 == 0 && cell.2 < good)));
        assert_eq!(world.matrix(), [matrix]);
        assert_eq!(world.launched.len(), attempts);
    }
}

#[test]
fn ignored_errors_do_not_stop_a_host() {
    let text = "```sh {name=a ignore_errors}\n1\n```\n```sh {name=b}\n2\n```";
    let mut world = World::new(plan(text, 1));
    world.run(|cell| Exit::Code(i32::from(cell.1 == 0)));
    assert_eq!(world.matrix(), ["Fo"]);
    assert_eq!(world.tally(), (1, 0, 0, 0));
    assert_eq!(world.state(), RunState::Ok);
}

#[test]
fn a_question_is_asked_once_and_holds_everybody() {
    let text = "```sh {name=a}\n1\n```\n```sh {name=b confirm=yes}\nreboot\n```";
    let mut world = World::new(plan(text, 3));
    world.commit_all();
    for host in ["h1", "h2", "h3"] {
        world.end(&(host.to_owned(), 0, 1), Exit::Code(0), "");
        world.commit_all();
    }
    assert_eq!(
        world.questions,
        [(1, "Run b on 3 hosts?\nreboot\n".to_owned())]
    );
    assert!(world.running.is_empty());
    world.give(Input::Answered { step: 1, yes: true });
    world.commit_all();
    assert_eq!(world.running.len(), 3);
    world.run(ok);
    assert_eq!(world.matrix(), ["oo", "oo", "oo"]);
}

#[test]
fn no_stops_the_run() {
    let text = "```sh {name=a confirm=typed}\n1\n```\n```sh {name=b}\n2\n```";
    let mut world = World::new(plan(text, 2));
    world.commit_all();
    world.give(Input::Answered {
        step: 0,
        yes: false,
    });
    world.commit_all();
    assert_eq!(world.state(), RunState::Cancelled);
    assert_eq!(world.launched, []);
    assert_eq!(world.tally(), (0, 0, 0, 2));
    let reason = &world.machine.cells()[0][0].reason;
    assert_eq!(reason, "a was refused");
}

#[test]
fn a_checklist_is_ticked_by_a_person() {
    let text = "- [ ] pull the plug\n- [ ] wait\n\n```sh {name=b}\n2\n```";
    let mut world = World::new(plan(text, 2));
    world.commit_all();
    assert_eq!(
        world.questions,
        [(0, "- [ ] pull the plug\n- [ ] wait".to_owned())]
    );
    world.give(Input::Answered { step: 0, yes: true });
    world.run(ok);
    assert_eq!(world.matrix(), ["oo", "oo"]);
}

#[test]
fn what_runs_once_runs_on_the_first_host() {
    let text = "```sh {name=a}\n1\n```\n```sh {name=b run=once capture=v}\n2\n```\n```sh {name=c}\necho {{ v }}\n```";
    let mut world = World::new(plan(text, 3));
    world.commit_all();
    for host in ["h3", "h2"] {
        world.end(&(host.to_owned(), 0, 1), Exit::Code(0), "");
        world.commit_all();
    }
    assert_eq!(
        world.matrix(),
        ["rww", "oww", "oww"],
        "they wait for the first host"
    );
    world.end(&("h1".to_owned(), 0, 1), Exit::Code(0), "");
    world.commit_all();
    assert_eq!(world.matrix(), ["orw", "oww", "oww"]);
    let mark = script_mark(&world, "h1", 1);
    world.end(
        &("h1".to_owned(), 1, 1),
        Exit::Code(0),
        &format!("\n{mark} capture\nfound\n"),
    );
    world.run(ok);
    assert_eq!(world.matrix(), ["ooo", "oso", "oso"]);
    assert_eq!(world.tally(), (3, 0, 0, 0));
    let used = world
        .scripts
        .iter()
        .filter(|script| script.contains("echo 'found'"));
    assert_eq!(used.count(), 3, "what is found once is for all");
}

/// The mark of a first attempt, as it stands in the wrapper.
fn script_mark(world: &World, host: &str, step: u32) -> String {
    let index = world
        .launched
        .iter()
        .position(|cell| *cell == (host.to_owned(), step, 1))
        .expect("it was launched");
    let script = world.scripts.get(index).expect("each launch has a script");
    let start = script.find("qd-").expect("the wrapper has a mark");
    script.get(start..start + 19).unwrap_or_default().to_owned()
}

#[test]
fn if_the_one_that_runs_once_fails_nobody_goes_on() {
    let text = "```sh {name=a run=once}\n1\n```\n```sh {name=b}\n2\n```";
    let mut plan = plan(text, 3);
    plan.stop = Stop::Never;
    let mut world = World::new(plan);
    world.run(|_| Exit::Code(1));
    assert_eq!(world.matrix(), ["Fs", "ss", "ss"]);
    assert_eq!(world.launched.len(), 1);
    assert_eq!(world.tally(), (0, 1, 0, 2));
}

#[test]
fn what_a_host_says_is_its_own() {
    let text = "```sh {name=a capture=v}\n1\n```\n```sh {name=b}\necho {{ v }}\n```";
    let mut world = World::new(plan(text, 2));
    world.commit_all();
    for host in ["h1", "h2"] {
        let mark = script_mark(&world, host, 0);
        let output = format!("\n{mark} capture\n it's {host} \n");
        world.end(&(host.to_owned(), 0, 1), Exit::Code(0), &output);
    }
    world.run(ok);
    for host in ["h1", "h2"] {
        let quoted = format!("echo 'it'\\''s {host}'");
        assert!(world.scripts.iter().any(|script| script.contains(&quoted)));
    }
}

#[test]
fn what_was_not_captured_is_not_made_up() {
    let text = "```sh {name=a capture=v}\n1\n```\n```sh {name=b}\necho {{ v }}\n```";
    let mut plan = plan(text, 1);
    plan.from.insert("h1".to_owned(), 1);
    let mut world = World::new(plan);
    world.run(ok);
    assert_eq!(world.matrix(), ["sF"]);
    assert_eq!(world.launched, []);
    assert_eq!(world.tally(), (0, 1, 0, 0));
}

#[test]
fn a_resumed_run_begins_where_it_stopped() {
    let mut plan = plan(THREE, 2);
    plan.from.insert("h1".to_owned(), 2);
    let mut world = World::new(plan);
    world.run(ok);
    assert_eq!(world.matrix(), ["sso", "ooo"]);
    assert_eq!(world.launched.len(), 4);
    assert_eq!(world.tally(), (2, 0, 0, 0));
}

#[test]
fn a_cancelled_run_ends_in_order() {
    let mut plan = plan(THREE, 4);
    plan.forks = 2;
    let mut world = World::new(plan);
    world.commit_all();
    // One host runs, the other's next step is with the journal.
    world.end(&("h2".to_owned(), 0, 1), Exit::Code(0), "");
    world.give(Input::Cancel);
    world.commit_all();
    assert_eq!(world.launched.len(), 2, "nothing new");
    assert_eq!(world.done, None, "what runs may end");
    world.end(&("h1".to_owned(), 0, 1), Exit::Code(0), "");
    world.commit_all();
    assert_eq!(world.state(), RunState::Cancelled);
    assert_eq!(world.matrix(), ["oss", "oss", "sss", "sss"]);
    assert_eq!(world.tally(), (0, 0, 0, 4));
    assert!(world.machine.is_done());
}

#[test]
fn a_cancel_that_comes_too_late_changes_nothing() {
    let mut world = World::new(plan("```sh\n1\n```", 1));
    world.commit_all();
    world.give(Input::Cancel);
    world.run(ok);
    assert_eq!(world.state(), RunState::Ok);
}

#[test]
fn a_journal_that_fails_at_the_start_runs_nothing() {
    let mut world = World::new(plan(THREE, 3));
    world.refuse();
    assert_eq!(world.launched, []);
    let (tally, state, reason) = world.done.expect("the run is done");
    assert_eq!((tally.skipped, state), (3, RunState::Failed));
    assert_eq!(reason, "the journal failed: the disk is full");
}

#[test]
fn a_journal_that_fails_later_loses_nothing() {
    let mut world = World::new(plan(THREE, 2));
    world.commit_all();
    world.end(&("h1".to_owned(), 0, 1), Exit::Code(0), "kept");
    world.refuse();
    assert_eq!(world.launched.len(), 2);
    world.end(&("h2".to_owned(), 0, 1), Exit::Code(0), "too");
    // The disk has room again.
    world.commit_all();
    assert_eq!(world.state(), RunState::Failed);
    let outputs: Vec<String> = world
        .facts()
        .filter_map(|fact| match fact {
            RunFact::StepFinished { output, .. } if !output.is_empty() => {
                Some(String::from_utf8_lossy(output).into_owned())
            }
            _ => None,
        })
        .collect();
    assert_eq!(outputs, ["kept", "too"]);
    assert_eq!(world.matrix(), ["oss", "oss"]);
}

#[test]
fn a_journal_that_never_recovers_ends_the_run() {
    let mut world = World::new(plan(THREE, 1));
    world.commit_all();
    world.end(&("h1".to_owned(), 0, 1), Exit::Code(0), "");
    for _ in 0..5 {
        world.refuse();
    }
    assert_eq!(world.state(), RunState::Failed);
    assert_eq!(world.launched.len(), 1);
}

#[test]
fn secrets_and_floods_do_not_reach_the_journal() {
    let text =
        "---\nparams:\n- {name: password, type: secret}\n---\n```sh\necho {{ password }}\n```";
    let book = book(text);
    let given = BTreeMap::from([("password".to_owned(), "s3cr3t-word".to_owned())]);
    let values = resolve(&book, &given).expect("it is given");
    let run = RunId(EntityId::from_bytes([1; 16]));
    let mut world = World::new(Plan::new(run, book, vec!["h1".to_owned()], values, "mira"));
    world.commit_all();
    let output = "s3cr3t-word\n".repeat(20_000);
    world.end(&("h1".to_owned(), 0, 1), Exit::Code(0), &output);
    world.run(ok);
    assert!(!format!("{:?}", world.journal).contains("s3cr3t"));
    for fact in world.facts() {
        match fact {
            RunFact::Started { params, .. } => {
                assert_eq!(params.get("password").map(String::as_str), Some(MASKED));
            }
            RunFact::StepFinished {
                output, dropped, ..
            } => {
                assert!(output.len() <= OUTPUT_INLINE && *dropped > 0);
                assert!(!String::from_utf8_lossy(output).contains("s3cr3t"));
            }
            RunFact::StepStarted { .. } | RunFact::Finished { .. } => {}
        }
    }
}

#[test]
fn late_and_foreign_answers_are_ignored() {
    let mut world = World::new(plan(THREE, 1));
    world.commit_all();
    for cell in [
        ("h1".to_owned(), 1, 1),
        ("h9".to_owned(), 0, 1),
        ("h1".to_owned(), 99, 1),
    ] {
        world.end(&cell, Exit::Code(1), "");
        assert!(world.writing.is_empty());
    }
    world.give(Input::Committed { token: 77 });
    world.give(Input::Begin);
    world.give(Input::Answered {
        step: 0,
        yes: false,
    });
    assert!(world.writing.is_empty());
    world.end(&("h1".to_owned(), 0, 1), Exit::Code(0), "");
    world.end(&("h1".to_owned(), 0, 1), Exit::Code(0), "");
    assert_eq!(world.writing.len(), 1, "a second answer is none");
}

#[test]
fn nothing_to_do_is_done_at_once() {
    let mut world = World::new(plan(THREE, 0));
    world.commit_all();
    assert_eq!(world.state(), RunState::Ok);
    let mut plan = plan(THREE, 1);
    plan.hosts = vec!["h1".to_owned(), "h1".to_owned()];
    plan.forks = 0;
    let mut world = World::new(plan);
    world.run(ok);
    assert_eq!(
        world.tally(),
        (1, 0, 0, 0),
        "a host that is named twice runs once"
    );
}

/// A step's attributes, drawn at random.
fn attributes() -> impl Strategy<Value = String> {
    (0u8..9, 0u32..3).prop_map(|(kind, retries)| match kind {
        0 => format!("retries={retries}"),
        1 => "run=once".to_owned(),
        2 => "confirm=yes".to_owned(),
        3 => "ignore_errors".to_owned(),
        4 => "run=once confirm=yes".to_owned(),
        5 => format!("on=local run=once retries={retries}"),
        _ => String::new(),
    })
}

/// What happens next, drawn at random: which thing, and how it goes.
#[derive(Clone, Debug)]
struct Chance {
    pick: usize,
    kind: u8,
    exit: u8,
}

fn chance() -> impl Strategy<Value = Chance> {
    (0usize..8, 0u8..100, 0u8..10).prop_map(|(pick, kind, exit)| Chance { pick, kind, exit })
}

impl World {
    /// Lets one thing happen. Returns whether anything could.
    fn happen(&mut self, chance: &Chance, answered: &mut BTreeSet<u32>) -> bool {
        let open = self
            .questions
            .iter()
            .map(|(step, _)| *step)
            .find(|step| !answered.contains(step));
        match chance.kind {
            0 => self.give(Input::Cancel),
            1 if !self.writing.is_empty() => self.refuse(),
            2..=45 if !self.writing.is_empty() => self.commit(chance.pick % self.writing.len()),
            46..=90 if !self.running.is_empty() => {
                let cell = self.running[chance.pick % self.running.len()].clone();
                let exit = match chance.exit {
                    0 => Exit::Code(1),
                    1 => Exit::Unreachable("gone".to_owned()),
                    2 => Exit::TimedOut,
                    _ => Exit::Code(0),
                };
                self.end(&cell, exit, "out");
            }
            91..=99 if open.is_some() => {
                let step = open.unwrap_or_default();
                answered.insert(step);
                self.give(Input::Answered {
                    step,
                    yes: chance.exit > 0,
                });
            }
            _ => {
                // The thing drawn cannot happen; what can, does.
                if !self.writing.is_empty() {
                    self.commit(0);
                } else if let Some(cell) = self.running.first().cloned() {
                    self.end(&cell, Exit::Code(0), "out");
                } else if let Some(step) = open {
                    answered.insert(step);
                    self.give(Input::Answered { step, yes: true });
                } else {
                    return false;
                }
            }
        }
        true
    }

    /// What must hold of the journal at every moment, and so after a crash at any moment.
    fn check_journal(&self) {
        let mut open: BTreeMap<(&str, u32), u32> = BTreeMap::new();
        let mut attempts: BTreeMap<(&str, u32), u32> = BTreeMap::new();
        let mut over = false;
        for (index, fact) in self.facts().enumerate() {
            assert!(!over, "a fact after the end");
            match fact {
                RunFact::Started { .. } => assert_eq!(index, 0),
                RunFact::StepStarted {
                    host,
                    step,
                    attempt,
                    ..
                } => {
                    let key = (host.as_str(), *step);
                    assert_eq!(*attempt, attempts.get(&key).copied().unwrap_or(0) + 1);
                    attempts.insert(key, *attempt);
                    assert_eq!(open.insert(key, *attempt), None, "begun twice: {key:?}");
                }
                RunFact::StepFinished {
                    host, step, state, ..
                } => {
                    let begun = open.remove(&(host.as_str(), *step)).is_some();
                    let passed = matches!(state, CellState::Skipped);
                    assert!(
                        begun || passed,
                        "an end without a start: {host} {step} {state}"
                    );
                }
                RunFact::Finished { tally, .. } => {
                    over = true;
                    assert!(open.is_empty(), "open at the end: {open:?}");
                    let hosts = tally.ok + tally.failed + tally.unreachable + tally.skipped;
                    assert_eq!(hosts as usize, self.machine.plan().hosts.len());
                }
            }
        }
        // Whatever was launched, the journal knows it.
        for (host, step, attempt) in &self.launched {
            let known = attempts.get(&(host.as_str(), *step)).copied().unwrap_or(0);
            assert!(
                known >= *attempt,
                "{host} {step} {attempt} is not in the journal"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever happens in whatever order, the laws hold at every moment and the run ends.
    #[test]
    fn the_laws_hold_under_chance(
        steps in proptest::collection::vec(attributes(), 1..5),
        hosts in 1usize..7,
        forks in 1usize..4,
        never in any::<bool>(),
        chances in proptest::collection::vec(chance(), 0..120),
    ) {
        let text: String = steps
            .iter()
            .enumerate()
            .map(|(index, attributes)| format!("```sh {{name=s{index} {attributes}}}\ntrue\n```\n\n"))
            .collect();
        let mut plan = plan(&text, hosts);
        plan.forks = forks;
        plan.stop = if never { Stop::Never } else { Stop::FirstFailure };
        let mut world = World::new(plan);
        let mut answered = BTreeSet::new();
        for chance in &chances {
            world.happen(chance, &mut answered);
            world.check_journal();
        }
        // From here on all goes well.
        let calm = Chance { pick: 0, kind: 200, exit: 9 };
        let mut rounds = 0;
        while world.happen(&calm, &mut answered) {
            world.check_journal();
            rounds += 1;
            prop_assert!(rounds < 10_000, "the run does not end");
        }
        prop_assert!(world.machine.is_done(), "stuck: {:?}", world.matrix());
        prop_assert!(world.most <= forks);
        let (tally, ..) = world.done.clone().expect("it is done");
        prop_assert_eq!((tally.ok + tally.failed + tally.unreachable + tally.skipped) as usize, hosts);
        for row in world.machine.cells() {
            for cell in row {
                prop_assert!(!matches!(cell.state, CellState::Waiting | CellState::Running), "{:?}", cell);
            }
        }
    }
}
