//! A shell in a pane: the reading half owns the emulator, drains the channel whatever happens, and shows the newest screen.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::domain::host::Target;
use crate::domain::ids::SessionId;
use crate::domain::run::Exit;
use crate::term::{Emulator, Look, Modes, Size, Stroke};

use super::ask::{Along, ExecSpec, Manner, Sink, Stdin};
use super::capture;
use super::echo::Echo;
use super::ending::Ending;
use super::exec;
use super::fact::{Asking, SshFact};
use super::forward::Company;
use super::gauge::Gauge;
use super::heir::Heir;
use super::link::{Held, Slot};
use super::manager::Manager;
use super::news::{self, News};
use super::recording::{Recorded, Tape};
use super::remains::Remains;
use super::screens::Screens;
use super::settings::Settings;
use super::usage::Use;
use super::watching::{Watchers, Watching};
use super::writer::{self, Answers, PaneInput};
use crate::config::Predict;

/// How many inputs wait for a host that does not read. When it is full the next is dropped and a fact says so.
pub(crate) const INPUTS: usize = 1024;

/// How many changes of the view wait for the reader, which takes them between two pieces of output.
pub(crate) const VIEWS: usize = 256;

/// How many answers of the terminal wait for a host that does not read. When it is full they are dropped: whoever asks
/// without reading the answers has no use for them.
const REPLIES: usize = 64;

/// How many keys wait until the reader sees them, before the next output. When it is full the next is not told: then the line
/// is not what was told of it, and is not taken for a command.
const STROKES: usize = 256;

/// The shortest time between two screens.
const FRAME: Duration = Duration::from_millis(16);

/// A pane to open.
pub(crate) struct Pane {
    pub(crate) session: SessionId,
    pub(crate) target: Target,
    pub(crate) size: Size,
    pub(crate) term: String,
    pub(crate) recording: Option<PathBuf>,
}

/// A change of what the pane shows.
pub(crate) enum View {
    Resize(Size),
    Watch(Watching),
    /// Records into this file from now on, or no more.
    Record(Option<PathBuf>),
    Mark(String),
    Capture(capture::Wish),
    Look(Look),
    /// Another pane goes on with what is left of this one.
    HandOver(oneshot::Sender<Box<Emulator>>),
}

impl Pane {
    fn frame(&self) -> Frame<'_> {
        Frame {
            session: self.session,
            size: self.size,
            title: &self.target.name,
            term: &self.term,
            recording: self.recording.as_ref(),
        }
    }
}

/// What a pane's reader needs to know, whatever its bytes come from.
pub(crate) struct Frame<'a> {
    pub(crate) session: SessionId,
    pub(crate) size: Size,
    /// What the recording is called.
    pub(crate) title: &'a str,
    pub(crate) term: &'a str,
    pub(crate) recording: Option<&'a PathBuf>,
}

/// How the asks for a pane come in.
pub(crate) struct Inlets {
    pub(crate) inputs: mpsc::Receiver<PaneInput>,
    pub(crate) views: mpsc::Receiver<View>,
    /// Becomes true when the pane is to be closed.
    pub(crate) close: watch::Receiver<bool>,
    /// Where its bytes are counted.
    pub(crate) gauge: Arc<Gauge>,
    /// When typed characters are shown before the host has echoed them.
    pub(crate) predict: Predict,
    /// What it goes on from.
    pub(crate) heir: Option<Heir>,
    /// Nobody asked for it: no person is asked anything, and a host that is in trouble is left alone.
    pub(crate) quiet: bool,
}

/// Runs the session to its end and returns the last fact about it.
pub(crate) async fn run(
    manager: &Arc<Manager>,
    facts: &mpsc::Sender<SshFact>,
    screens: &Screens,
    pane: Pane,
    inlets: Inlets,
) -> (SshFact, Option<Remains>) {
    let session = pane.session;
    let (exit, recorded, remains) = live(manager, facts, screens, pane, inlets).await;
    let fact = SshFact::SessionClosed {
        session,
        exit,
        bytes: recorded.bytes,
        recording_error: recorded.error,
    };
    (fact, remains)
}

async fn live(
    manager: &Arc<Manager>,
    facts: &mpsc::Sender<SshFact>,
    screens: &Screens,
    pane: Pane,
    mut inlets: Inlets,
) -> (Exit, Recorded, Option<Remains>) {
    let quiet = inlets.quiet;
    let channel = async {
        if quiet {
            return manager.background(&pane.target, Use::Session).await;
        }
        let asking = Asking::Session(pane.session);
        manager.channel(&pane.target, asking, Use::Session).await
    };
    let opened = tokio::select! {
        opened = channel => opened,
        () = closed(&mut inlets.close) => return (Exit::Cancelled, Recorded::default(), None),
    };
    let (held, settings) = match opened {
        Ok(opened) => opened,
        Err(why) => {
            return (
                Exit::Unreachable(why.to_string()),
                Recorded::default(),
                None,
            );
        }
    };
    let Held { channel, slot } = held;
    let (read, write) = channel.split();
    let beginning = begin(manager, &pane, &write, &slot, &settings, &mut inlets.close);
    let company = match beginning.await {
        Ok(company) => company,
        Err(exit) => {
            exec::give_up(&write).await;
            return (exit, Recorded::default(), None);
        }
    };
    let (mut reader, mut answers) =
        Reader::start(pane.frame(), screens, facts, company.lends()).await;
    reader.gauge = Arc::clone(&inlets.gauge);
    reader.heir = inlets.heir;
    answers.teller = reader.echo.begin(inlets.predict, slot.link());
    let writing = writer::write(&write, inlets.inputs, answers);
    let exit = reader
        .drive(
            read,
            &write,
            writing,
            &mut inlets.views,
            &mut inlets.close,
            &slot,
        )
        .await;
    let (recorded, remains) = reader.finish(inlets.views, inlets.close).await;
    // Only when the connection broke: a channel that its host closed ends on a connection that is well.
    if matches!(exit, Exit::Unreachable(_)) && slot.link().is_lost() {
        let session = pane.session;
        // It fails only when the loop is gone.
        facts.send(SshFact::SessionLost { session }).await.ok();
    }
    (exit, recorded, remains)
}

/// Sees to what comes along with the shell, and starts it.
async fn begin(
    manager: &Arc<Manager>,
    pane: &Pane,
    write: &ChannelWriteHalf<Msg>,
    slot: &Slot,
    settings: &Arc<Settings>,
    close: &mut watch::Receiver<bool>,
) -> Result<Company, Exit> {
    let company = accompany(manager, pane, slot, settings, close).await?;
    match exec::begin(write, settings, &login(pane), &company).await {
        Ok(()) => Ok(company),
        Err(why) => Err(exec::lost(slot, why).await),
    }
}

/// A login shell on a terminal of the pane's size.
fn login(pane: &Pane) -> ExecSpec {
    ExecSpec {
        command: String::new(),
        stdin: Stdin::Stream,
        sink: Sink::Stream,
        timeout: None,
        pty: Some((pane.term.clone(), pane.size)),
        interactive: true,
        background: false,
        along: None,
        manner: Manner::default(),
    }
}

/// Brings along the forwards and the agent that the host's settings ask for.
async fn accompany(
    manager: &Arc<Manager>,
    pane: &Pane,
    slot: &Slot,
    settings: &Arc<Settings>,
    close: &mut watch::Receiver<bool>,
) -> Result<Company, Exit> {
    let along = Along::default();
    tokio::select! {
        company = Company::bring(manager, &pane.target, slot.link(), settings, &along) => {
            company.map_err(Exit::Unreachable)
        }
        () = closed(close) => Err(Exit::Cancelled),
    }
}

pub(crate) async fn closed(close: &mut watch::Receiver<bool>) {
    let gone = close.wait_for(|close| *close).await.is_err();
    if gone {
        // Nobody can close it any more; the engine ends everything itself when it goes.
        std::future::pending::<()>().await;
    }
}

/// The reading half of a pane, whatever its bytes come from.
pub(crate) struct Reader<'a> {
    session: SessionId,
    emulator: Emulator,
    screens: &'a Screens,
    modes: watch::Sender<Modes>,
    replies: mpsc::Sender<Vec<u8>>,
    pub(crate) news: Arc<News>,
    tape: Tape,
    /// Tells the news; it dies with the set, so nothing of a session outlives it.
    telling: JoinSet<()>,
    /// The screen changed since it was last shown.
    dirty: bool,
    shown: Option<Instant>,
    /// What was shown then.
    last: Option<Arc<crate::term::Screen>>,
    ending: Ending,
    /// Something was shown.
    fed: bool,
    watchers: Watchers,
    pub(crate) gauge: Arc<Gauge>,
    /// Shows what is typed before the host does; none for programs of this machine.
    echo: Echo,
    /// What it goes on from, until it does.
    pub(crate) heir: Option<Heir>,
    /// What goes to the program, as far as it makes a line.
    strokes: mpsc::Receiver<Stroke>,
}

impl<'a> Reader<'a> {
    /// Starts the reading half, with its recording if one is wanted; without it the session goes on all the same. `lends` is
    /// whether the host may use our agent. The writing half gets the answers.
    pub(crate) async fn start(
        frame: Frame<'_>,
        screens: &'a Screens,
        facts: &mpsc::Sender<SshFact>,
        lends: bool,
    ) -> (Self, Answers) {
        let mut tape = Tape::new(frame.session, facts.clone(), frame.title, frame.term);
        if let Some(path) = frame.recording {
            tape.begin(path.clone(), frame.size);
        }
        let (modes, current) = watch::channel(Modes::default());
        let (replies, waiting) = mpsc::channel(REPLIES);
        let (stroked, strokes) = mpsc::channel(STROKES);
        let news = Arc::new(News::new(lends));
        let mut telling = JoinSet::new();
        telling.spawn(news::tell(Arc::clone(&news), frame.session, facts.clone()));
        let reader = Self {
            session: frame.session,
            emulator: screens.emulator(frame.size),
            screens,
            modes,
            replies,
            news,
            tape,
            telling,
            dirty: true,
            shown: None,
            last: None,
            ending: Ending::default(),
            fed: false,
            watchers: Watchers::new(frame.session, facts.clone()),
            gauge: Arc::default(),
            echo: Echo::default(),
            heir: None,
            strokes,
        };
        let answers = Answers {
            replies: waiting,
            modes: current,
            teller: None,
            strokes: stroked,
        };
        (reader, answers)
    }

    /// Shows the last screen, ends the recording and tells what is still to be told, which comes before the last fact. What
    /// was shown can still be looked at.
    pub(crate) async fn finish(
        mut self,
        views: mpsc::Receiver<View>,
        close: watch::Receiver<bool>,
    ) -> (Recorded, Option<Remains>) {
        // Nothing that a dead program asked of its terminal holds any longer.
        self.emulator.over();
        // What was guessed of the last keys never came.
        self.echo.forget();
        self.dirty = true;
        self.publish();
        let recorded = self.tape.finish().await;
        self.watchers.finish().await;
        self.news.close();
        self.telling.join_next().await;
        // Who never showed anything leaves nothing to look at.
        let remains = self.fed.then_some(Remains {
            session: self.session,
            emulator: self.emulator,
            views,
            close,
        });
        (recorded, remains)
    }

    async fn drive(
        &mut self,
        mut read: ChannelReadHalf,
        write: &ChannelWriteHalf<Msg>,
        writing: impl Future<Output = ()>,
        views: &mut mpsc::Receiver<View>,
        close: &mut watch::Receiver<bool>,
        slot: &Slot,
    ) -> Exit {
        let mut writing = std::pin::pin!(writing);
        let mut written = false;
        // The answers to the two requests that start the shell.
        let mut answers = 0;
        loop {
            let due = self.due();
            tokio::select! {
                message = read.wait() => match message {
                    Some(ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, .. }) => {
                        self.inherit().await;
                        self.feed(&data);
                    }
                    Some(ChannelMsg::Success) => {
                        answers += 1;
                        if answers == 2 {
                            self.inherit().await;
                            self.news.opened();
                        }
                    }
                    Some(ChannelMsg::Failure) => {
                        let what = if answers == 0 { "give a pseudo-terminal" } else { "start a shell" };
                        exec::give_up(write).await;
                        return exec::refusal(what);
                    }
                    Some(ChannelMsg::Close) => return self.ending.exit(),
                    None => return exec::lost(slot, "the connection ended".to_owned()).await,
                    Some(other) => self.ending.see(&other),
                },
                Some(view) = views.recv() => if let Some(size) = self.look(view) {
                    let (cols, rows) = (u32::from(size.cols), u32::from(size.rows));
                    // A broken connection shows on the reading side.
                    write.window_change(cols, rows, 0, 0).await.ok();
                },
                word = self.echo.word() => if self.echo.take(word, &mut self.emulator) {
                    self.dirty = true;
                    self.publish();
                },
                // When writing fails the reading side says why.
                () = &mut writing, if !written => written = true,
                () = at(due) => self.show(),
                () = closed(close) => {
                    exec::give_up(write).await;
                    return Exit::Cancelled;
                }
            }
        }
    }

    /// The program is there: from now on the pane is that of the one before, which is dismissed.
    pub(crate) async fn inherit(&mut self) {
        let Some(heir) = self.heir.take() else {
            return;
        };
        if let Some(mut emulator) = heir.take().await {
            self.screens.dress(&mut emulator);
            emulator.resize(self.emulator.size());
            self.emulator = emulator;
            (self.fed, self.dirty) = (true, true);
        }
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        // An answer to a key comes after the key, so it is told first.
        while let Ok(stroke) = self.strokes.try_recv() {
            self.emulator.typed(stroke);
        }
        self.emulator.feed(bytes);
        self.emulator.settle_typed();
        // A marker stands before the output of its command.
        for command in self.emulator.take_commands() {
            self.tape.mark(&command);
        }
        self.gauge.fed(bytes.len());
        self.echo.judge(&mut self.emulator);
        self.fed = true;
        self.watchers.feed(bytes, &self.emulator);
        self.tape.output(bytes);
        let replies = self.emulator.take_replies();
        if !replies.is_empty() {
            // See REPLIES for why a full queue is no loss.
            self.replies.try_send(replies).ok();
        }
        for notice in self.emulator.take_notices() {
            self.news.notice(notice);
        }
        self.news.activity();
        let modes = self.emulator.modes();
        self.modes.send_if_modified(|old| {
            let changed = *old != modes;
            *old = modes;
            changed
        });
        self.dirty = true;
        if self.shown.is_none_or(|last| last.elapsed() >= FRAME) {
            self.publish();
        }
    }

    /// Looks as is wanted; the size that the program must be told, if it is another.
    pub(crate) fn look(&mut self, view: View) -> Option<Size> {
        let resized = match view {
            View::Resize(size) => {
                self.emulator.resize(size);
                self.echo.forget();
                self.tape.resize(size);
                Some(size)
            }
            View::Look(look) => {
                if let Some(copied) = self.emulator.look(look) {
                    self.news.copied(copied);
                }
                None
            }
            View::Watch(ask) => {
                self.watchers.take(ask, &mut self.emulator);
                return None;
            }
            View::Record(file) => {
                self.tape.switch(file, &mut self.emulator);
                return None;
            }
            View::Mark(text) => {
                self.tape.mark(&text);
                return None;
            }
            View::Capture(wish) => {
                wish.grant(&mut self.emulator);
                return None;
            }
            // Only what is left of a pane is handed over.
            View::HandOver(_) => return None,
        };
        self.dirty = true;
        self.publish();
        resized
    }

    /// Shows what is due.
    pub(crate) fn show(&mut self) {
        let over = self.emulator.sync_deadline();
        if over.is_some_and(|end| end <= Instant::now()) {
            self.emulator.stop_sync();
            self.dirty = true;
        }
        self.dirty |= self.echo.judge(&mut self.emulator);
        self.publish();
    }

    /// When something is to be shown even though nothing comes.
    pub(crate) fn due(&self) -> Option<Instant> {
        let frame = self
            .dirty
            .then(|| self.shown.map_or_else(Instant::now, |last| last + FRAME));
        let due = [frame, self.emulator.sync_deadline(), self.echo.due()];
        due.into_iter().flatten().min()
    }

    pub(crate) fn publish(&mut self) {
        if self.dirty {
            self.watchers.show(&mut self.emulator);
            let screen = self.echo.over(self.emulator.screen());
            let packed = self.emulator.packed_bytes();
            self.gauge.shown(&screen, packed, self.echo.state());
            self.dirty = false;
            // A key that is only on its way changes nothing; its echo must not wait for a frame after it.
            let same = |last: &Arc<_>| Arc::ptr_eq(last, &screen);
            if !self.last.as_ref().is_some_and(same) {
                self.last = Some(Arc::clone(&screen));
                let screen = self.screens.with_passed(screen, &self.emulator);
                self.screens.publish(self.session, screen);
                self.shown = Some(Instant::now());
            }
        }
    }
}

pub(crate) async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
