//! The commands without a screen: arguments, headless runs, text and JSON output.
//!
//! A command line opens the same app that a window would, asks it for one command, and shows what comes back.

mod asker;
mod care;
mod copy;
mod decoded;
mod escape;
mod exchange;
mod folder;
mod forget;
mod headless;
mod here;
mod intake;
mod leftovers;
mod line_modes;
mod output;
mod printer;
mod recordings;
mod render;
mod ride;
mod signals;
mod table;
mod terminal;
mod typing;

use std::future::Future;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;

use crate::app::runtime::Line;
use crate::app::start::{self, Places, Refused};
use crate::command::{
    self, Args, Command, Globals, HostCommand, ParseError, Parsed, Playing, ProgramCommand,
    RunCommand, SessionCommand, Surface, SyncCommand, TicketCommand,
};

/// What is to be done after the words were read.
#[derive(Debug)]
pub enum Next {
    /// It was done; this is the exit status.
    Done(ExitCode),
    /// Open a window.
    Window {
        /// Start the app when none runs.
        start: bool,
        /// The session to show, by reference.
        focus: Option<String>,
        /// The options.
        globals: Globals,
    },
    /// Start the app as a process of its own.
    Serve {
        /// Serve in this process.
        foreground: bool,
        /// The options.
        globals: Globals,
    },
    /// Play a recording in this terminal.
    Replay {
        /// The session's reference.
        reference: String,
        /// The recording.
        file: PathBuf,
        /// How.
        how: Playing,
    },
    /// Open the demo, or walk it.
    Demo {
        /// Walk it without a screen.
        check: bool,
        /// The options.
        globals: Globals,
    },
}

/// What may still be going on when a function returns.
type Later<'a, T> = Pin<Box<dyn Future<Output = Result<T, Refused>> + Send + 'a>>;

/// How commands find the app that runs; handed in, because this room knows no sockets.
#[derive(Clone, Copy, Debug)]
pub struct Rides {
    /// A command line of the app of these places, if one runs. The flag says whether a person can be asked.
    pub line: for<'a> fn(&'a Places, bool) -> Later<'a, Option<Line>>,
    /// Ends an app of another version; true when there was one. The flag says whether somebody said yes to that.
    pub end_other: for<'a> fn(&'a Places, bool) -> Later<'a, bool>,
    /// Makes sure that an app serves these places.
    pub ensure: for<'a> fn(&'a Places, &'a Globals) -> Later<'a, ()>,
    /// Waits until the app that was told to stop is gone.
    pub gone: for<'a> fn(&'a Places) -> Later<'a, ()>,
}

/// Reads the words after the program's name, and does what needs no window.
pub fn main(words: &[String], rides: &Rides) -> Next {
    match command::parse_words(words, Surface::Line) {
        Ok(parsed) => carry_out(parsed, rides),
        Err(ParseError { text, asked_for }) => Next::Done(if asked_for {
            output::print(&(text + "\n"));
            ExitCode::SUCCESS
        } else {
            output::err(format!("{text}\n").as_bytes());
            ExitCode::from(2)
        }),
    }
}

/// The exit status of what was done; what was refused is told on standard error.
pub fn told(result: Result<u8, Refused>) -> ExitCode {
    match result {
        Ok(exit) => ExitCode::from(exit),
        Err(refused) => {
            // What was told already is not told again.
            if !refused.text.is_empty() {
                let words = crate::domain::text::block(&refused.text);
                output::err(format!("qd: {words}\n").as_bytes());
            }
            ExitCode::from(refused.exit)
        }
    }
}

fn carry_out(parsed: Parsed, rides: &Rides) -> Next {
    let Parsed {
        row,
        mut args,
        globals,
    } = parsed;
    let Some(row) = row else {
        return Next::Window {
            start: true,
            focus: None,
            globals,
        };
    };
    let command = fill_from_stdin(row.id, &mut args)
        .and_then(|()| {
            (row.build)(&args).map_err(|error| format!("{}: {error}", row.id.replace('.', " ")))
        })
        .and_then(with_stdin)
        .and_then(settled);
    Next::Done(told(match command {
        Err(text) => Err(Refused { text, exit: 2 }),
        Ok(Command::Program(ProgramCommand::Demo { check })) => {
            return Next::Demo { check, globals };
        }
        Ok(Command::Program(ProgramCommand::Attach)) => {
            return Next::Window {
                start: false,
                focus: None,
                globals,
            };
        }
        Ok(Command::Care(command)) => forget::run(&globals, &command)
            .unwrap_or_else(|| headless::run(&globals, Command::Care(command), rides)),
        Ok(Command::Session(command)) => return session(row.id, &args, command, globals, rides),
        Ok(Command::Program(ProgramCommand::ServerStart { foreground })) => {
            return Next::Serve {
                foreground,
                globals,
            };
        }
        Ok(Command::Program(command)) => care::run(&globals, &command, rides)
            .unwrap_or_else(|| headless::run(&globals, Command::Program(command), rides)),
        Ok(command) => headless::run(&globals, command, rides),
    }))
}

/// Verbs about sessions: some need no app, one starts it, two open windows.
fn session(
    id: &str,
    args: &Args,
    command: SessionCommand,
    globals: Globals,
    rides: &Rides,
) -> Next {
    if let Some(done) = recordings::run(&globals, &command, rides) {
        return Next::Done(told(done));
    }
    match command {
        SessionCommand::Attach { reference } => {
            // A reference that leads nowhere is told here, and not in a window.
            if reference.is_some() {
                let reference = reference.clone();
                let ask = Command::Session(SessionCommand::Attach { reference });
                let known = headless::run(&globals, ask, rides);
                if !matches!(known, Ok(0)) {
                    return Next::Done(told(known));
                }
            }
            Next::Window {
                start: false,
                focus: reference,
                globals,
            }
        }
        SessionCommand::Replay { reference, how } => {
            let terminal = std::io::stdin().is_terminal() && output::is_seen();
            if globals.plain || !terminal {
                return Next::Done(told(recordings::print(&globals, &reference, rides)));
            }
            match recordings::find(&globals, &reference, rides) {
                Ok((row, file)) => Next::Replay {
                    reference: row.reference,
                    file,
                    how,
                },
                Err(why) => Next::Done(told(Err(why))),
            }
        }
        command if id == "session.open" => {
            let (result, opened) = headless::open(&globals, Command::Session(command), rides);
            let quiet = globals.json || globals.jsonl || globals.plain;
            // In a pane of the app the new session has a tab beside it already.
            let inside = || start::places(&globals).is_ok_and(|places| places.pane().is_some());
            let window = !(args.has("detach") || quiet || inside())
                && std::io::stdin().is_terminal()
                && output::is_seen();
            match (result, opened) {
                (Ok(0), Some(reference)) if window => Next::Window {
                    start: false,
                    focus: Some(reference),
                    globals,
                },
                (result, _) => Next::Done(told(result)),
            }
        }
        command => Next::Done(told(headless::run(
            &globals,
            Command::Session(command),
            rides,
        ))),
    }
}

/// Reads what `-` stands for, where a command takes it.
fn fill_from_stdin(id: &str, args: &mut Args) -> Result<(), String> {
    let name = match id {
        "ticket.add" => "title",
        "ticket.comment" | "session.send" => "text",
        _ => return Ok(()),
    };
    if args.all(name) != ["-"] {
        return Ok(());
    }
    let mut text = String::new();
    std::io::Read::read_to_string(&mut std::io::stdin().lock(), &mut text)
        .map_err(|error| format!("standard input could not be read as text: {error}"))?;
    args.set(name, text);
    Ok(())
}

/// A ticket from standard input may name more than its title; what the options say wins.
fn with_stdin(command: Command) -> Result<Command, String> {
    let Command::Ticket(TicketCommand::Add { title, change }) = command else {
        return Ok(command);
    };
    if !title.contains('\n') && !title.trim_start().starts_with('{') {
        return Ok(Command::Ticket(TicketCommand::Add { title, change }));
    }
    let read = intake::read(&title)?;
    let mut merged = read.change;
    let said = change;
    merged.body = said.body.or(merged.body);
    merged.state = said.state.or(merged.state);
    merged.priority = said.priority.or(merged.priority);
    merged.kind = said.kind.or(merged.kind);
    merged.queue = said.queue.or(merged.queue);
    merged.owner = said.owner.or(merged.owner);
    merged.requester = said.requester.or(merged.requester);
    merged.due = said.due.or(merged.due);
    merged.tag.extend(said.tag);
    merged.host.extend(said.host);
    Ok(Command::Ticket(TicketCommand::Add {
        title: read.title,
        change: merged,
    }))
}

/// A command that means the same from everywhere: what is imported is remembered by its path, and the app that carries it
/// out may be a process with another folder and without our standard input.
fn settled(command: Command) -> Result<Command, String> {
    Ok(match command {
        Command::Exec(mut exec) => {
            exec.text = exec.script.as_deref().map(script).transpose()?;
            Command::Exec(exec)
        }
        Command::Copy(mut copy) => {
            let places = copy.job.from.iter_mut().chain([&mut copy.job.to]);
            for place in places.filter(|place| place.host.is_none()) {
                place.path = absolute(PathBuf::from(&place.path))
                    .to_string_lossy()
                    .into_owned();
            }
            Command::Copy(copy)
        }
        Command::Program(ProgramCommand::Backup { file }) => {
            Command::Program(ProgramCommand::Backup {
                file: absolute(file),
            })
        }
        Command::Run(RunCommand::Start(mut start)) => {
            let path = PathBuf::from(&start.book);
            if start.book.contains(['/', '.']) && path.is_file() {
                start.book = absolute(path).display().to_string();
            }
            Command::Run(RunCommand::Start(start))
        }
        Command::Host(HostCommand::Import {
            from,
            path,
            dry_run,
        }) => Command::Host(HostCommand::Import {
            from,
            path: absolute(path),
            dry_run,
        }),
        Command::Sync(SyncCommand::Init { remote, name }) => Command::Sync(SyncCommand::Init {
            remote: whole_remote(remote),
            name,
        }),
        Command::Sync(SyncCommand::Join { remote, name }) => Command::Sync(SyncCommand::Join {
            remote: whole_remote(remote),
            name,
        }),
        other => other,
    })
}

/// A folder with its whole path; anything else as it stands.
fn whole_remote(words: String) -> String {
    if words.contains("://") || words.starts_with('~') || words.trim().is_empty() {
        return words;
    }
    absolute(words.into()).display().to_string()
}

/// The text of a script; `-` is standard input.
fn script(path: &str) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    let read = if path == "-" {
        std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut text).map(|_| text)
    } else {
        std::fs::read(path)
    };
    read.map_err(|why| format!("the script {path} cannot be read: {why}"))
}

/// An absolute path, so that what is stored still means something from another folder.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}
