//! The only holder of handles: it feeds events to the update, carries effects out, and draws. It decides nothing.
//!
//! Invariants: nothing on this loop waits for a worker; input is taken before everything else; every queue is bounded.
//! Facts are never dropped: when the reader of a command line falls behind, the hosts that write to it are told to wait, and
//! what is on its way already queues for that command line alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::domain::ids::{EntityId, ReqId, WindowId};
use crate::ssh::{Engine, EngineOptions, Screens, SshAsk, SshFact};
use crate::store::Store;
use crate::store::lock::{Held, hold};
use crate::ui::Frame;

use super::client::Input;
pub use super::client::{Client, FromLine, Gone, Line, LineClient, ToLine, ToWindow, Window};
use super::clock;
use super::effect::{Effect, FileAsk};
use super::event::{Event, Looked};
use super::files::Files;
use super::lines::Lines;
use super::reel::{Reel, ReelAsk};
use super::state::{Setup, State};
use super::sync::{Desk, Job};
use super::update;

/// Input that waits. Windows and command lines wait when it is full; a person cannot type that fast.
const INPUTS: usize = 256;
/// Facts from the store and from files that wait. Their threads wait when it is full.
const FACTS: usize = 1024;
/// Facts from connections that wait. Channel tasks wait when it is full, after their own buffers are.
const SSH_FACTS: usize = 1024;
/// How long readers of our last words may take.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// The time between two frames, when there are many.
const FRAME: Duration = Duration::from_millis(16);
/// The shortest time between two looks, also when nothing new was to be seen.
const GLANCE: Duration = Duration::from_millis(2);
/// How long an echo is waited for after a key: a picture without it would be drawn for nothing, and hold up the key itself.
const ECHO: Duration = Duration::from_millis(2);
/// How often the update learns the time.
const TICK: Duration = Duration::from_millis(500);
/// How many messages for a window of words must have room before more is said.
const SPARE: usize = 12;
/// A turn longer than this is worth a line in the log.
const LONG_TURN: Duration = Duration::from_millis(16);

/// What a running app is made of.
pub struct Parts {
    /// The open store.
    pub store: Store,
    /// What the update is told at the start.
    pub setup: Setup,
    /// How files are read.
    pub files: Files,
    /// How connections behave; the facts' side is filled in here.
    pub engine: EngineOptions,
    /// How this store is synced, if it is.
    pub sync: Job,
    /// Told when another process wrote to the store; a level, so one is enough.
    pub changed: Arc<Notify>,
}

/// A window's way out.
struct WindowOut {
    frame: watch::Sender<Option<Arc<Frame>>>,
    tx: mpsc::Sender<ToWindow>,
}

/// The running app.
pub struct Runtime {
    state: State,
    store: Store,
    engine: Engine,
    screens: Arc<Screens>,
    files: Files,
    changed: Arc<Notify>,
    inputs: mpsc::Receiver<Input>,
    facts: mpsc::Receiver<Event>,
    fact_tx: mpsc::Sender<Event>,
    ssh: mpsc::Receiver<SshFact>,
    lines: Lines,
    windows: BTreeMap<WindowId, WindowOut>,
    /// This machine's counters; only the worker that measures locks it, one at a time.
    local: Arc<std::sync::Mutex<crate::health::local::Local>>,
    held: BTreeMap<EntityId, Held>,
    /// Steps that run on this machine; dropping a sender stops one.
    locals: BTreeMap<ReqId, watch::Sender<()>>,
    /// The player of recordings, while one is shown.
    reel: Option<Reel>,
    /// What carries the log to other devices; nothing runs there for a store that syncs with nobody.
    sync: Desk,
    quitting: bool,
}

impl Runtime {
    /// Puts an app together. It must be called inside a tokio runtime, because connections are tasks.
    pub fn new(parts: Parts) -> (Self, Client) {
        let (input_tx, inputs) = mpsc::channel(INPUTS);
        let (fact_tx, facts) = mpsc::channel(FACTS);
        let (ssh_tx, ssh) = mpsc::channel(SSH_FACTS);
        let screens = Arc::clone(&parts.engine.screens);
        let engine = Engine::start(parts.engine, ssh_tx);
        let (store, facts_of_sync) = (parts.store.clone(), fact_tx.clone());
        let sync = Desk::new(parts.sync, store, engine.clone(), facts_of_sync);
        let runtime = Self {
            state: State::new(parts.setup),
            store: parts.store,
            engine,
            screens,
            files: parts.files,
            changed: parts.changed,
            inputs,
            facts,
            fact_tx,
            ssh,
            lines: Lines::new(),
            windows: BTreeMap::new(),
            local: Arc::default(),
            held: BTreeMap::new(),
            locals: BTreeMap::new(),
            reel: None,
            sync,
            quitting: false,
        };
        (runtime, Client::new(input_tx))
    }

    /// How much panes keep, and how copy mode behaves in them.
    pub(super) fn keep(&self, keep: crate::term::Keep) {
        self.engine.send(SshAsk::Keep(keep));
    }

    /// What programs of this machine in panes are told of the app.
    pub(super) fn around(&self, around: crate::ssh::Surroundings) {
        self.engine.send(SshAsk::Around(around));
    }

    /// Runs until it is told to end, or until nobody is left and nothing is under way.
    pub async fn run(mut self) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let first = update::start(&mut self.state);
        self.carry_out(first);
        self.sync.begin();
        let mut next = Instant::now();
        // When the next frame is due if there is one in every interval; behind that after a pause, so that a second one may
        // follow at once: the first may be about the key, the second is its echo.
        let mut slot = next;
        // Until then an echo is waited for.
        let mut held = next;
        let mut dirty = true;
        let mut abandoned = false;
        while !self.quitting {
            let changed = Arc::clone(&self.changed);
            let screens = Arc::clone(&self.screens);
            tokio::select! {
                biased;
                input = self.inputs.recv(), if !abandoned => match input {
                    Some(input) => {
                        self.input(input);
                        // Only the first of many: who types without a pause sees pictures all the same.
                        if !dirty {
                            held = Instant::now() + ECHO;
                        }
                    }
                    None => {
                        // Nobody can ask for anything any more; what is under way is ended and recorded.
                        abandoned = true;
                        self.turn(Event::Stop);
                    }
                },
                () = self.lines.room() => self.pace(),
                event = self.facts.recv() => if let Some(event) = event { self.turn(event) },
                _ = tick.tick() => self.turn(Event::Tick(clock::now())),
                () = changed.notified() => self.turn(Event::StoreChanged),
                () = screens.notified() => {
                    self.take_screens();
                    held = next;
                }
                level = self.sync.level() => self.turn(Event::SyncLevel(Box::new(level))),
                fact = self.ssh.recv() => if let Some(fact) = fact { self.turn(Event::Ssh(Box::new(fact))) },
                () = sleep_until(next.max(held)), if dirty && !self.windows.is_empty() => {
                    let changed = self.draw();
                    let now = Instant::now();
                    if changed {
                        slot = (slot + FRAME).max(now);
                    }
                    next = slot.max(now + GLANCE);
                    dirty = false;
                    continue;
                }
            }
            self.drain();
            self.pace();
            dirty = true;
        }
        // What was decided before the end is carried to its readers; the store's thread finishes what it was given. A reader
        // that stands still does not keep us.
        let last = async {
            while self.lines.is_behind() {
                self.lines.room().await;
            }
        };
        tokio::time::timeout(LAST_WORDS, last).await.ok();
    }

    /// Takes what else waits, a bounded number, so that a burst costs one frame.
    fn drain(&mut self) {
        for _ in 0..64 {
            if let Ok(input) = self.inputs.try_recv() {
                self.input(input);
            } else if let Ok(event) = self.facts.try_recv() {
                self.turn(event);
            } else if let Ok(fact) = self.ssh.try_recv() {
                self.turn(Event::Ssh(Box::new(fact)));
            } else {
                return;
            }
        }
    }

    /// Tells the hosts of command lines that fall behind to wait, and those of the others to go on.
    fn pace(&mut self) {
        for (id, slow) in self.lines.paces() {
            self.turn(Event::Slow(id, slow));
        }
    }

    fn input(&mut self, input: Input) {
        match input {
            Input::Event(event) => self.turn(*event),
            Input::Line(id, person, tx) => {
                if !person {
                    self.state.nobody.insert(id);
                }
                self.lines.add(id, tx);
            }
            Input::Window(id, frame, tx) => drop(self.windows.insert(id, WindowOut { frame, tx })),
        }
    }

    fn take_screens(&mut self) {
        for (session, screen) in self.screens.take_dirty() {
            self.turn(Event::Screen(session, screen));
        }
    }

    /// One event through the update, and its effects out.
    fn turn(&mut self, event: Event) {
        let begun = Instant::now();
        let name = event_name(&event);
        if !matches!(event, Event::Tick(_)) {
            self.state.model.now = clock::now();
        }
        let effects = update::update(&mut self.state, event);
        self.carry_out(effects);
        let took = begun.elapsed();
        if took > LONG_TURN {
            self.files
                .log(&format!("a turn took {} ms: {name}", took.as_millis()));
        }
    }

    /// Draws every window; whether one of them looks other than before.
    fn draw(&mut self) -> bool {
        let heard = self.state.windows.values().any(|ui| ui.is_plain());
        self.screens.set_heard(heard);
        let effects = update::lay_out(&mut self.state);
        self.carry_out(effects);
        let mut changed = false;
        for (id, window) in &self.windows {
            let Some(ui) = self.state.windows.get_mut(id) else {
                continue;
            };
            if !ui.is_plain() {
                let frame = ui.frame(&self.state.model);
                changed |= window.frame.send_if_modified(|shown| {
                    let new = shown.as_deref() != Some(&frame);
                    if new {
                        *shown = Some(Arc::new(frame));
                    }
                    new
                });
            } else if window.tx.capacity() > SPARE {
                // While its reader is behind nothing is said; then what is news is said at once.
                let said = ui.announce(&self.state.model);
                if !said.is_empty() {
                    drop(window.tx.try_send(ToWindow::Said(said)));
                }
            }
        }
        changed
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            self.do_one(effect);
        }
    }

    // tidy: table
    fn do_one(&mut self, effect: Effect) {
        match effect {
            Effect::Append(req, batch) => {
                let facts = self.fact_tx.clone();
                self.store.append(batch, move |result| {
                    tell(&facts, Event::Committed(req, result))
                });
            }
            Effect::Ask(req, ask) => {
                let facts = self.fact_tx.clone();
                self.store.ask(ask, move |result| {
                    tell(&facts, Event::Answered(req, result.map(Box::new)))
                });
            }
            Effect::Hold(id) => match hold(self.store.folder(), id) {
                Ok(held) => drop(self.held.insert(id, held)),
                Err(error) => self
                    .files
                    .log(&format!("a lock could not be taken: {error}")),
            },
            Effect::Release(id) => drop(self.held.remove(&id)),
            Effect::Ssh(SshAsk::Cancel { req }) if self.locals.contains_key(&req) => {
                // Dropping the sender is the word.
                self.locals.remove(&req);
            }
            Effect::Ssh(ask) => self.engine.send(ask),
            Effect::Look => self.look(),
            Effect::Stats(window) => self.look_closer(window),
            Effect::Local {
                req,
                stdin,
                command,
                timeout_ms,
            } => {
                let facts = self.fact_tx.clone();
                let (stop, stopped) = watch::channel(());
                self.locals.retain(|_, stop| !stop.is_closed());
                self.locals.insert(req, stop);
                let job = super::local::Job {
                    req,
                    command,
                    stdin,
                    timeout_ms,
                    stopped,
                };
                drop(tokio::spawn(super::local::run(job, facts)));
            }
            Effect::File(req, ask @ FileAsk::Search { .. }) => self.search(req, ask),
            Effect::File(req, ask) => {
                let (files, facts) = (self.files.clone(), self.fact_tx.clone());
                drop(tokio::task::spawn_blocking(move || {
                    drop(facts.blocking_send(Event::File(req, files.read(ask))))
                }));
            }
            Effect::Reel(ask) => self.play(ask),
            Effect::Measure => {
                let (facts, local) = (self.fact_tx.clone(), Arc::clone(&self.local));
                drop(tokio::task::spawn_blocking(move || {
                    let mut sample = match local.lock() {
                        Ok(mut local) => local.sample(clock::now()),
                        Err(_) => return,
                    };
                    sample.disks = crate::health::local::disks();
                    drop(facts.blocking_send(Event::Local(Box::new(sample))));
                }));
            }
            Effect::Reply(line, outcome) => {
                self.lines.tell(line, ToLine::Done(outcome));
            }
            Effect::Emit(line, emission) => self.lines.tell(line, ToLine::Emit(emission)),
            Effect::Question(line, inquiry) => self.lines.tell(line, ToLine::Question(inquiry)),
            Effect::Redraw(window) => self.tell_window(window, ToWindow::Redraw),
            Effect::Suspend(window) => self.tell_window(window, ToWindow::Suspend),
            Effect::Clipboard(window, text) => self.tell_window(window, ToWindow::Clipboard(text)),
            Effect::Call(window, call) => self.tell_window(window, ToWindow::Call(call)),
            Effect::CloseWindow(window) => {
                self.tell_window(window, ToWindow::Close);
                self.windows.remove(&window);
            }
            Effect::Copied(text) => self.give_copied(text),
            Effect::SaveCopied(path, text) => self.save_copied(path, text),
            Effect::Sync(ask) => {
                if let Err(refused) = self.sync.ask(ask) {
                    self.turn(Event::Sync(Box::new(refused)));
                }
            }
            Effect::Wrote => self.sync.wrote(),
            Effect::Showing(tickets) => self.sync.showing(tickets),
            Effect::Quit => self.quitting = true,
        }
    }

    /// Gives a copied text to the program that the settings name for it.
    fn give_copied(&self, text: Arc<str>) {
        if let Some(argv) = self.files.copy_command() {
            let facts = self.fact_tx.clone();
            drop(tokio::spawn(super::copied::pipe(argv, text, facts)));
        }
    }

    fn save_copied(&self, path: std::path::PathBuf, text: Arc<str>) {
        let (files, facts) = (self.files.clone(), self.fact_tx.clone());
        drop(tokio::task::spawn_blocking(move || {
            let kept = super::copied::save(&files.at_home(&path), &text);
            drop(facts.blocking_send(Event::Kept(kept)));
        }));
    }

    fn play(&mut self, ask: ReelAsk) {
        match ask {
            ReelAsk::Open {
                reference,
                file,
                how,
            } => self.reel = Some(Reel::open(reference, file, how, self.fact_tx.clone())),
            ReelAsk::Act(ask) => {
                if let Some(reel) = &self.reel {
                    reel.act(ask);
                }
            }
            ReelAsk::Close => self.reel = None,
        }
    }

    /// Looks through recordings on a thread of its own; it tells several times.
    fn search(&self, req: ReqId, ask: FileAsk) {
        let FileAsk::Search { search, rows, now } = ask else {
            return;
        };
        let (files, facts) = (self.files.clone(), self.fact_tx.clone());
        drop(tokio::task::spawn_blocking(move || {
            files.search(&search, rows, now, |fact| {
                facts.blocking_send(Event::File(req, fact)).is_ok()
            });
        }));
    }

    fn look(&mut self) {
        let (connections, forwards) = (self.engine.connections(), self.engine.forwards());
        self.turn(Event::Connections(connections, forwards));
    }

    fn look_closer(&mut self, window: WindowId) {
        let looked = Looked {
            panes: self.engine.panes(),
            connections: self.engine.connections(),
        };
        self.turn(Event::Looked(window, Box::new(looked)));
    }

    fn tell_window(&self, id: WindowId, message: ToWindow) {
        // A window that does not take sixteen messages is gone or suspended; it is drawn anew when it comes back.
        if let Some(window) = self.windows.get(&id) {
            drop(window.tx.try_send(message));
        }
    }
}

/// Hands in what the store said: from a thread of the store, which may wait, or from the loop itself, when the store
/// refused at once, which may not.
fn tell(facts: &mpsc::Sender<Event>, event: Event) {
    match tokio::runtime::Handle::try_current() {
        Err(_) => drop(facts.blocking_send(event)),
        Ok(runtime) => {
            let facts = facts.clone();
            drop(runtime.spawn(async move { drop(facts.send(event).await) }));
        }
    }
}

fn event_name(event: &Event) -> &'static str {
    match event {
        Event::Tick(_) => "tick",
        Event::Window(..) => "window",
        Event::Asked { .. } => "asked",
        Event::Line(..) => "line",
        Event::Committed(..) => "committed",
        Event::Answered(..) => "answered",
        Event::StoreChanged => "store changed",
        Event::Ssh(_) => "ssh",
        Event::Connections(..) => "connections",
        Event::Looked(..) => "looked",
        Event::Screen(..) => "screen",
        Event::File(..) => "file",
        Event::Reel(_) => "reel",
        Event::Kept(_) => "kept",
        Event::Local(_) => "local",
        Event::Agent(_) => "agent",
        Event::Slow(..) => "slow",
        Event::Sync(_) => "sync",
        Event::SyncLevel(_) => "sync level",
        Event::Stop => "stop",
    }
}
