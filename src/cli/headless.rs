//! One command through the app, without a window: opens the store, starts the loop, shows what comes back.
//!
//! The loop here never waits for standard output, for a person or for a host: each has a thread or a queue of its own, so
//! that signals and escapes are heard whatever hangs.

use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use crate::app::effect::Emission;
use crate::app::event::LineEvent;
use crate::app::runtime::{Gone, Line, LineClient, ToLine};
use crate::app::start::{self, Interactive, Refused};
use crate::command::{Answer, Command, Globals, Outcome};
use crate::domain::run::Exit;

use super::asker::Asker;
use super::escape::{self, Escape, Escapes, Typed};
use super::here;
use super::output::Output;
use super::printer::Printer;
use super::signals::{Received, Signals};
use super::terminal::{self, Raw};
use super::typing::Typing;
use super::{Rides, ride};

/// How long a command that was interrupted may take to end; its host is asked politely first.
const ORDERLY: Duration = Duration::from_secs(5);

/// How long the record of a session that was left may take.
const LEFT: Duration = Duration::from_secs(2);

/// How long our last words may take to be written when we were told to go.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The exit status of a transport that failed.
const TRANSPORT: u8 = 255;

/// The exit status of a command whose output nobody reads any more, as if by SIGPIPE.
const UNREAD: u8 = 128 + 13;

/// How a command line ends.
enum Ended {
    /// With this exit status.
    Exit(u8),
    /// As another program.
    Replaced(Vec<String>),
}

/// Opens a session in the app, which is started when none runs, and shows its reference; gives it too.
pub(super) fn open(
    globals: &Globals,
    command: Command,
    rides: &Rides,
) -> (Result<u8, Refused>, Option<String>) {
    let mut opened = None;
    let result = go(globals, command, rides, &mut Some(&mut opened));
    (result, opened)
}

/// Runs one command and shows what comes of it.
pub(super) fn run(globals: &Globals, command: Command, rides: &Rides) -> Result<u8, Refused> {
    go(globals, command, rides, &mut None)
}

/// Runs one command. Whoever wants to know which session it opened needs the app for longer than that.
fn go(
    globals: &Globals,
    command: Command,
    rides: &Rides,
    opened: &mut Option<&mut Option<String>>,
) -> Result<u8, Refused> {
    let places = start::places(globals)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let ended = runtime.block_on(async {
        let person = std::fs::File::open("/dev/tty").is_ok();
        if opened.is_some() && !globals.read_only {
            (rides.ensure)(&places, globals).await?;
        }
        if ride::stops(&command) && (rides.end_other)(&places, globals.yes).await? {
            return Ok(Ended::Exit(0));
        }
        if ride::wanted(&command, globals)
            && let Some(line) = (rides.line)(&places, person).await?
        {
            let stops = ride::stops(&command);
            let ended = drive(line, seated(command, globals), globals, opened).await?;
            if stops && matches!(ended, Ended::Exit(0)) {
                (rides.gone)(&places).await?;
            }
            return Ok(ended);
        }
        if let Some(refused) = ride::alone(&command) {
            return Err(refused);
        }
        let someone = if person {
            Interactive::Line
        } else {
            Interactive::Nobody
        };
        let (app, client) = start::assemble(&places, globals, someone)?;
        let app = tokio::spawn(app.run());
        let line = client.line(person).await.map_err(gone)?;
        let ended = drive(line, seated(command, globals), globals, opened).await;
        // A clone of the client may still be held somewhere; so the app is told to end.
        client.stop().await.ok();
        app.await.ok();
        ended
    })?;
    // A thread may still wait for standard input; it has nothing left to say.
    runtime.shutdown_background();
    match ended {
        Ended::Exit(exit) => Ok(exit),
        Ended::Replaced(argv) => Err(Refused {
            text: here::replace(&argv),
            exit: TRANSPORT,
        }),
    }
}

/// A raw session is told about the terminal it was called in.
fn seated(mut command: Command, globals: &Globals) -> Command {
    if let Command::Ssh(ssh) = &mut command {
        ssh.seat = terminal::seat(globals.quiet, globals.verbose);
    }
    command
}

fn gone(gone: Gone) -> Refused {
    Refused {
        text: gone.to_string(),
        exit: 1,
    }
}

/// Asks, and shows until the end.
async fn drive(
    line: Line,
    command: Command,
    globals: &Globals,
    opened: &mut Option<&mut Option<String>>,
) -> Result<Ended, Refused> {
    let mut signals = Signals::new()?;
    let fold = matches!(&command, Command::Exec(exec) if exec.fold);
    let mut drive = Drive {
        client: line.client(),
        printer: Printer::start(Output::new(globals, fold)),
        asker: Asker::new(globals.yes),
        typing: Typing::new(),
        escapes: None,
        raw: None,
        call: matches!(&command, Command::Ssh(_)),
        verbose: globals.verbose,
        held: None,
        leaving: None,
        interrupted: false,
        unread: false,
        here: None,
    };
    line.ask(command).await.map_err(gone)?;
    let mut messages = line.out;
    // Whoever is interrupted at a hidden question gets the terminal back as it was.
    let _cooked = terminal::Settings::keep();
    loop {
        tokio::select! {
            biased;
            received = signals.next() => drive.signal(received).await?,
            piece = drive.typing.next() => drive.typed(piece).await?,
            (id, reply) = drive.asker.answered() => {
                drive.tell(LineEvent::Answered(id, reply)).await?;
            }
            exit = returned(&mut drive.here) => {
                drive.here = None;
                drive.tell(LineEvent::Returned(exit)).await?;
            }
            () = drive.printer.closed(), if drive.call && !drive.unread => {
                drive.unread = true;
                drive.tell(LineEvent::OutputClosed).await?;
            }
            () = drive.printer.room(), if drive.held.is_some() => {
                drive.held = drive.held.take().and_then(|held| drive.printer.offer(held));
            }
            message = messages.recv(), if drive.listens() => {
                if let Some(opened) = opened
                    && let Some(ToLine::Done(outcome)) = &message
                    && let Answer::Opened { reference, .. } = &outcome.answer
                {
                    **opened = Some(reference.clone());
                }
                if let Some(ended) = drive.message(message, &mut signals, &mut messages).await? {
                    return Ok(ended);
                }
            }
            exit = left(&drive.leaving) => return Ok(drive.abandon(exit).await),
        }
    }
}

/// A command line at work.
struct Drive {
    client: LineClient,
    printer: Printer,
    asker: Asker,
    typing: Typing,
    /// What begins an escape, and where in a line the typing is.
    escapes: Option<(u8, Escapes)>,
    raw: Option<Raw>,
    /// It is one command or a shell on one host.
    call: bool,
    verbose: bool,
    /// Output that standard output has no room for.
    held: Option<Emission>,
    leaving: Option<Leaving>,
    interrupted: bool,
    /// Nobody reads standard output any more, and the app knows.
    unread: bool,
    /// Another program has the terminal.
    here: Option<JoinHandle<Exit>>,
}

/// We were told to go.
#[derive(Clone, Copy)]
struct Leaving {
    exit: u8,
    /// Then we go, whatever is still open.
    until: Instant,
}

/// Waits for the last moment of who leaves, and says the exit status.
async fn left(leaving: &Option<Leaving>) -> u8 {
    match leaving {
        Some(leaving) => {
            sleep_until(leaving.until).await;
            leaving.exit
        }
        None => std::future::pending().await,
    }
}

async fn returned(here: &mut Option<JoinHandle<Exit>>) -> Exit {
    match here {
        Some(program) => program.await.unwrap_or(Exit::Cancelled),
        None => std::future::pending().await,
    }
}

impl Drive {
    async fn tell(&self, event: LineEvent) -> Result<(), Refused> {
        self.client.send(event).await.map_err(gone)
    }

    /// Whether the app's words are taken now: not while standard output is full, unless nobody waits for it any more.
    fn listens(&self) -> bool {
        self.held.is_none() || self.leaving.is_some()
    }

    fn leave(&mut self, exit: u8, within: Duration) {
        let until = Instant::now() + within;
        self.leaving.get_or_insert(Leaving { exit, until });
    }

    async fn signal(&mut self, received: Received) -> Result<(), Refused> {
        if self.here.is_some() {
            // The program that has the terminal hears it too, and its end is ours.
            return Ok(());
        }
        match received {
            Received::Resized => self.resized().await,
            Received::Interrupt => {
                if self.call || self.interrupted {
                    self.leave(128 + 2, ORDERLY);
                }
                self.interrupted = true;
                self.tell(LineEvent::Interrupted).await
            }
            Received::End(number) => {
                if self.call {
                    self.leave(128 + number, LEFT);
                }
                // A shell whose terminal is gone is hung up; a command gets the chance to end.
                let event = if self.raw.is_some() {
                    LineEvent::HungUp
                } else {
                    LineEvent::Interrupted
                };
                self.tell(event).await
            }
        }
    }

    async fn resized(&self) -> Result<(), Refused> {
        match terminal::size() {
            Some(size) => self.tell(LineEvent::Resized(size)).await,
            None => Ok(()),
        }
    }

    /// The app says something; `Some` is the end.
    async fn message(
        &mut self,
        message: Option<ToLine>,
        signals: &mut Signals,
        messages: &mut mpsc::Receiver<ToLine>,
    ) -> Result<Option<Ended>, Refused> {
        match message {
            None => {
                return Err(Refused {
                    text: "the app ended without an answer; see its log".to_owned(),
                    exit: 1,
                });
            }
            Some(ToLine::Emit(Emission::Attached { terminal, escape })) => {
                self.attached(terminal, escape).await?;
            }
            Some(ToLine::Emit(Emission::Taken)) => {
                self.typing.taken();
                self.send_on().await?;
            }
            Some(ToLine::Emit(Emission::RunHere { argv, told })) => {
                if !told {
                    return Ok(Some(Ended::Replaced(argv)));
                }
                self.here = Some(tokio::task::spawn_blocking(move || here::run(&argv)));
            }
            Some(ToLine::Emit(emission)) => {
                // Whoever leaves does not wait for what there is no room for.
                self.held = self.printer.offer(emission);
            }
            Some(ToLine::Question(inquiry)) => self.asker.push(inquiry),
            Some(ToLine::Done(outcome)) => {
                // Nothing more is waited for from the app.
                messages.close();
                return Ok(Some(self.done(outcome, signals).await));
            }
        }
        Ok(None)
    }

    async fn attached(&mut self, terminal: bool, escape: Option<u8>) -> Result<(), Refused> {
        if terminal {
            self.raw = Raw::enter()?;
        }
        if self.raw.is_some() {
            self.printer.raw(true).await;
            self.escapes = escape.map(|mark| (mark, Escapes::new(Some(mark))));
        }
        self.resized().await?;
        self.typing.begin(self.raw.is_some());
        Ok(())
    }

    /// Standard input brought something, or its end.
    async fn typed(&mut self, piece: Option<Vec<u8>>) -> Result<(), Refused> {
        match (piece, &mut self.escapes) {
            (Some(bytes), Some((mark, escapes))) => {
                let mark = *mark;
                for typed in escapes.feed(&bytes) {
                    match typed {
                        Typed::Data(data) => self.typing.keep(Some(data)),
                        Typed::Escape(escape) => self.escape(mark, escape).await?,
                    }
                }
            }
            (piece, _) => self.typing.keep(piece),
        }
        self.send_on().await
    }

    async fn send_on(&mut self) -> Result<(), Refused> {
        while let Some(piece) = self.typing.due() {
            self.tell(LineEvent::Stdin(piece)).await?;
        }
        Ok(())
    }

    async fn escape(&mut self, mark: u8, escape: Escape) -> Result<(), Refused> {
        let shown = escape::echo(mark, escape);
        let say = |text: &str| self.printer.say(format!("{shown} {text}\n"));
        match escape {
            Escape::Leave => {
                say("");
                self.leave(TRANSPORT, LEFT);
                self.tell(LineEvent::HungUp).await?;
            }
            Escape::Suspend => self.suspend(&shown).await?,
            Escape::List => {
                say("");
                self.tell(LineEvent::Listed).await?;
            }
            Escape::Help => {
                say("");
                self.printer.say(escape::help(mark));
            }
            Escape::Rekey => {
                say("[fresh keys are asked for]");
                self.tell(LineEvent::Rekeyed).await?;
            }
            Escape::More | Escape::Less => {
                self.verbose = escape == Escape::More;
                say(if self.verbose {
                    "[more is told]"
                } else {
                    "[less is told]"
                });
                self.printer.louder(self.verbose);
            }
            Escape::Break => say("[a break cannot be sent]"),
            Escape::Commands => say("[there is no command line here; see `qd forward`]"),
            Escape::Background => {
                say("[the background is not supported; open the session in the workstation]");
            }
        }
        Ok(())
    }

    /// Gives the terminal back, stops until somebody wants us again, and takes it once more.
    async fn suspend(&mut self, shown: &str) -> Result<(), Refused> {
        self.printer.say(format!("{shown} [suspended]\n"));
        timeout(LAST_WORDS, self.printer.flush()).await.ok();
        let was_raw = self.raw.take().is_some();
        kill_process(getpid(), Signal::TSTP).map_err(std::io::Error::from)?;
        // The kernel stops every thread of ours here; what follows happens after the shell continued us.
        if was_raw {
            self.raw = Raw::enter()?;
        }
        self.resized().await
    }

    /// The command is over: everything is written, the terminal is given back, then the answer is shown.
    async fn done(&mut self, outcome: Box<Outcome>, signals: &mut Signals) -> Ended {
        let leaving = self.leaving.map(|leaving| leaving.exit);
        let instead = leaving.or(self.unread.then_some(UNREAD));
        let limit = leaving.map(|_| Instant::now() + LAST_WORDS);
        let mut exit = instead.unwrap_or(outcome.exit);
        let dead = leaving.is_some() || outcome.exit >= 128;
        let writing = async {
            if let Some(held) = self.held.take() {
                self.printer.room().await;
                self.printer.offer(held);
            }
            if dead && self.raw.is_some() {
                self.printer.undo().await;
            }
            self.printer.flush().await;
            drop(self.raw.take());
            self.printer.raw(false).await;
            self.printer.finish(outcome).await
        };
        tokio::select! {
            written = writing => exit = instead.unwrap_or(written),
            // A reader that stands still is no reason to stay.
            received = ended(signals) => exit = received,
            () = over(limit) => {}
        }
        drop(self.raw.take());
        Ended::Exit(exit)
    }

    /// The time is up: we go without the app's word.
    async fn abandon(&mut self, exit: u8) -> Ended {
        if self.raw.is_some() {
            let last = async {
                self.printer.undo().await;
                self.printer.flush().await;
            };
            timeout(LAST_WORDS, last).await.ok();
        }
        drop(self.raw.take());
        Ended::Exit(exit)
    }
}

/// Waits for a signal that ends us, and says the exit status.
async fn ended(signals: &mut Signals) -> u8 {
    loop {
        match signals.next().await {
            Received::Interrupt => return 128 + 2,
            Received::End(number) => return 128 + number,
            Received::Resized => {}
        }
    }
}

async fn over(limit: Option<Instant>) {
    match limit {
        Some(limit) => sleep_until(limit).await,
        None => std::future::pending().await,
    }
}
