//! The commands without a screen: arguments, headless runs, text and JSON output.
//!
//! A command line opens the same app that a window would, asks it for one command, and shows what comes back.

mod asker;
mod escape;
mod headless;
mod here;
mod intake;
mod leftovers;
mod line_modes;
mod output;
mod printer;
mod render;
mod signals;
mod table;
mod terminal;
mod typing;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::app::start::Refused;
use crate::command::{
    self, Args, Command, Globals, HostCommand, ParseError, Parsed, ProgramCommand, Surface,
    TicketCommand,
};

/// What is to be done after the words were read.
#[derive(Debug)]
pub enum Next {
    /// It was done; this is the exit status.
    Done(ExitCode),
    /// No command was named: open a window.
    Window(Globals),
    /// Open the demo, or walk it.
    Demo {
        /// Walk it without a screen.
        check: bool,
        /// The options.
        globals: Globals,
    },
}

/// Reads the words after the program's name, and does what needs no window.
pub fn main(words: &[String]) -> Next {
    match command::parse_words(words, Surface::Line) {
        Ok(parsed) => carry_out(parsed),
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
            output::err(format!("qd: {}\n", crate::domain::text::block(&refused.text)).as_bytes());
            ExitCode::from(refused.exit)
        }
    }
}

fn carry_out(parsed: Parsed) -> Next {
    let Parsed {
        row,
        mut args,
        globals,
    } = parsed;
    let Some(row) = row else {
        return Next::Window(globals);
    };
    let command = fill_from_stdin(row.id, &mut args)
        .and_then(|()| {
            (row.build)(&args).map_err(|error| format!("{}: {error}", row.id.replace('.', " ")))
        })
        .and_then(with_stdin);
    Next::Done(told(match command {
        Err(text) => Err(Refused { text, exit: 2 }),
        Ok(Command::Program(ProgramCommand::Demo { check })) => {
            return Next::Demo { check, globals };
        }
        Ok(command) => headless::run(&globals, settled(command)),
    }))
}

/// Reads what `-` stands for, where a command takes it.
fn fill_from_stdin(id: &str, args: &mut Args) -> Result<(), String> {
    let name = match id {
        "ticket.add" => "title",
        "ticket.comment" => "text",
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

/// Paths in a command as they are from everywhere, because what is imported is remembered by its path.
fn settled(command: Command) -> Command {
    match command {
        Command::Host(HostCommand::Import {
            from,
            path,
            dry_run,
        }) => Command::Host(HostCommand::Import {
            from,
            path: absolute(path),
            dry_run,
        }),
        other => other,
    }
}

/// An absolute path, so that what is stored still means something from another folder.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}
