//! Scenes: the real state, update and store, with connections played by a script and a clock that stands still.
//!
//! A scene comes to rest when no effect is left and nothing is in flight; nothing here waits for a time.

mod runs;
mod tickets;

use std::collections::VecDeque;

use quarterdeck::app::effect::{Effect, Emission};
use quarterdeck::app::event::{Caller, Event, LineId};
use quarterdeck::app::state::{Probing, Setup, State};
use quarterdeck::app::update;
use quarterdeck::command::{Answer, Command, Info, Outcome, Surface, parse_words, split};
use quarterdeck::domain::host::Effective;
use quarterdeck::domain::ids::HostId;
use quarterdeck::domain::op::{Draft, Entity, EntityKind, Value};
use quarterdeck::domain::run::Exit;
use quarterdeck::domain::time::Time;
use quarterdeck::health::schedule::Rules;
use quarterdeck::health::verdict::Thresholds;
use quarterdeck::ssh::{SshAsk, SshFact, Stdin, Stream};
use quarterdeck::store::{Batch, Options, Store};
use quarterdeck::ui::{Keymap, Theme};
use tempfile::TempDir;

/// What happened in a scene, in order: what a reader of the log of effects would see.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Trace {
    /// A batch of so many drafts became durable.
    Durable(usize),
    /// A script went out to a host.
    Launched(String, String),
    /// Something was cancelled.
    Cancelled,
}

/// Answers a script on a host: its output and how it ends.
pub(crate) type Script = fn(host: &str, stdin: &str, command: &str) -> (&'static str, Exit);

/// One process without a screen.
pub(crate) struct Scene {
    pub(crate) state: State,
    pub(crate) store: Store,
    pub(crate) trace: Vec<Trace>,
    pub(crate) emitted: Vec<Emission>,
    script: Script,
    queue: VecDeque<Event>,
    outcomes: Vec<Outcome>,
    /// Batches that are still to be taken before the store fails; `None` for never.
    pub(crate) store_fails_after: Option<usize>,
    _folder: TempDir,
}

fn now() -> Time {
    Time(1_795_428_000_000)
}

fn seed() -> [u8; 32] {
    [7; 32]
}

impl Scene {
    /// A scene with these hosts in the inventory.
    pub(crate) fn with_hosts(hosts: &[&str], script: Script) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let store =
            Store::open(folder.path(), now, seed, Options::default()).expect("a new store opens");
        let drafts = hosts.iter().zip(0i64..).flat_map(|(name, order)| {
            let entity = Entity {
                kind: EntityKind::Host,
                id: HostId::of(name).0,
            };
            let set = |field: &str, value: Value| Draft::Set {
                entity,
                field: field.to_owned(),
                value,
            };
            [
                set("name", Value::from(*name)),
                set("order", Value::Int(order)),
            ]
        });
        store
            .append_wait(Batch {
                drafts: drafts.collect(),
                local: Vec::new(),
            })
            .expect("hosts are written");
        let setup = Setup {
            me: "mira".to_owned(),
            recordings: folder.path().join("recordings"),
            device: store.device(),
            ssh_config: None,
            ssh_program: "ssh".into(),
            openssh_hosts: Vec::new(),
            recording: quarterdeck::config::Recording::default(),
            read_only: false,
            demo: false,
            served: false,
            logout: None,
            pid: 1,
            probing: Probing::Asked,
            thresholds: Thresholds::default(),
            predict: Default::default(),
            theme: Theme::default(),
            keymap: Keymap::default(),
            window_size: quarterdeck::config::WindowSize::Latest,
            term: "xterm".to_owned(),
            terminal: quarterdeck::app::state::TerminalRules::default(),
            seed: [3; 32],
            now: now(),
            rules: Rules::default(),
            guard: Default::default(),
            info: Info {
                version: String::new(),
                sqlite: String::new(),
                config: String::new(),
                data: String::new(),
                state: String::new(),
                device: String::new(),
                recordings: String::new(),
            },
        };
        let mut scene = Self {
            state: State::new(setup),
            store,
            trace: Vec::new(),
            emitted: Vec::new(),
            script,
            queue: VecDeque::new(),
            outcomes: Vec::new(),
            store_fails_after: None,
            _folder: folder,
        };
        let first = update::start(&mut scene.state);
        first.into_iter().for_each(|effect| scene.perform(effect));
        scene.settle();
        scene
    }

    /// Types a command line and waits until the scene is at rest.
    pub(crate) fn line(&mut self, text: &str) -> Outcome {
        let words = split(text).expect("the test quotes well");
        let parsed = parse_words(&words, Surface::Line)
            .unwrap_or_else(|why| unreachable!("{text}: {}", why.text));
        let command = parsed
            .command()
            .unwrap_or_else(|why| unreachable!("{text}: {why}"))
            .expect("a command is named");
        self.command(command)
    }

    /// Asks for a command and waits until the scene is at rest.
    pub(crate) fn command(&mut self, command: Command) -> Outcome {
        self.event(Event::Asked {
            caller: Caller::Line(LineId(1)),
            command: Box::new(command),
        });
        self.outcomes.pop().expect("every command is answered")
    }

    /// Lets something happen and waits until the scene is at rest.
    pub(crate) fn event(&mut self, event: Event) {
        self.queue.push_back(event);
        self.settle();
    }

    /// The error of a command that must fail.
    pub(crate) fn refused(&mut self, text: &str) -> (u8, String) {
        let outcome = self.line(text);
        match outcome.answer {
            Answer::Error(why) => (outcome.exit, why),
            other => unreachable!("{text} was not refused: {other:?}"),
        }
    }

    fn settle(&mut self) {
        while let Some(event) = self.queue.pop_front() {
            let effects = update::update(&mut self.state, event);
            effects.into_iter().for_each(|effect| self.perform(effect));
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Append(req, batch) => {
                let fails = self.store_fails_after.as_mut().is_some_and(|left| {
                    let fails = *left == 0;
                    *left = left.saturating_sub(1);
                    fails
                });
                let drafts = batch.drafts.len();
                let result = if fails {
                    Err(quarterdeck::store::StoreError::Closed)
                } else {
                    self.store.append_wait(batch)
                };
                if result.is_ok() {
                    self.trace.push(Trace::Durable(drafts));
                }
                self.queue.push_back(Event::Committed(req, result));
            }
            Effect::Ask(req, ask) => self
                .queue
                .push_back(Event::Answered(req, self.store.ask_wait(ask).map(Box::new))),
            Effect::Ssh(ask) => self.connection(ask),
            Effect::Reply(_, outcome) => self.outcomes.push(*outcome),
            Effect::Emit(_, emission) => self.emitted.push(emission),
            Effect::Hold(_) | Effect::Release(_) => {}
            other => unreachable!("the scene has no part for {other:?}"),
        }
    }

    fn connection(&mut self, ask: SshAsk) {
        match ask {
            SshAsk::Exec { req, target, spec } => {
                let stdin = if let Stdin::Bytes(bytes) = &spec.stdin {
                    String::from_utf8_lossy(bytes).into_owned()
                } else {
                    String::new()
                };
                let (output, exit) = (self.script)(&target.name, &stdin, &spec.command);
                self.trace.push(Trace::Launched(target.name, stdin));
                if !output.is_empty() {
                    self.queue.push_back(Event::Ssh(Box::new(SshFact::Output {
                        req,
                        stream: Stream::Out,
                        data: output.as_bytes().to_vec(),
                    })));
                }
                let done = SshFact::ExecDone {
                    req,
                    exit,
                    stdout: Vec::new(),
                    stderr: Vec::new(),
                    merged: Vec::new(),
                    dropped: 0,
                    took_ms: 5,
                };
                self.queue.push_back(Event::Ssh(Box::new(done)));
            }
            SshAsk::Resolve { req, targets } => {
                let results = targets.into_iter().map(|target| {
                    let mut effective = Effective::default();
                    effective.options.insert(
                        "hostname".to_owned(),
                        vec![target.name.trim_end_matches("-alias").to_owned()],
                    );
                    (target, Ok(effective))
                });
                self.queue.push_back(Event::Ssh(Box::new(SshFact::Resolved {
                    req,
                    results: results.collect(),
                })));
            }
            SshAsk::Cancel { .. } => self.trace.push(Trace::Cancelled),
            SshAsk::Stdin { .. } | SshAsk::Window { .. } => {}
            other => unreachable!("the scene has no part for {other:?}"),
        }
    }
}
