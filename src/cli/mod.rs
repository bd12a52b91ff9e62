//! The commands without a screen: arguments, headless runs, text and JSON output.
//!
//! A command line opens the same app that a window would, asks it for one command, and shows what comes back.

mod headless;
mod intake;
mod output;
mod render;
mod signals;
mod table;
mod terminal;

pub use headless::Refused;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::command::{self, Args, Command, HostCommand, ProgramCommand, Surface, TicketCommand};

/// Runs the program with the words after its name.
pub fn main(words: &[String]) -> ExitCode {
    let parsed = match command::parse_words(words, Surface::Line) {
        Ok(parsed) => parsed,
        Err(help) if help.asked_for => {
            output::print(&(help.text + "\n"));
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            output::err(format!("{}\n", error.text).as_bytes());
            return ExitCode::from(2);
        }
    };
    let mut args = parsed.args.clone();
    let result = match parsed.row {
        None => headless::window(&parsed.globals),
        Some(row) => match fill_from_stdin(row.id, &mut args).and_then(|()| {
            (row.build)(&args).map_err(|error| format!("{}: {error}", row.id.replace('.', " ")))
        }) {
            Err(why) => Err(Refused { text: why, exit: 2 }),
            Ok(Command::Program(ProgramCommand::Demo { check })) => {
                crate::demo::main(check, &parsed.globals)
            }
            Ok(command) => match with_stdin(command) {
                Err(why) => Err(Refused { text: why, exit: 2 }),
                Ok(command) => headless::run(&parsed.globals, settled(command)),
            },
        },
    };
    match result {
        Ok(exit) => ExitCode::from(exit),
        Err(refused) => {
            output::err(format!("qd: {}\n", crate::domain::text::block(&refused.text)).as_bytes());
            ExitCode::from(refused.exit)
        }
    }
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
