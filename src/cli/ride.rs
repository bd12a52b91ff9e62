//! Which commands use the connections of an app that runs, and which need one.

use crate::app::start::Refused;
use crate::command::{Command, Globals, HostCommand, ProgramCommand, RunCommand};

/// Whether `command` goes to a running app: it needs connections that the app may have, or is about the app itself.
///
/// Whoever wants to change nothing works alone, because the app that others share does change things.
pub(super) fn wanted(command: &Command, globals: &Globals) -> bool {
    let rides = match command {
        Command::Ssh(_) | Command::Exec(_) | Command::Session(_) => true,
        Command::Run(run) => matches!(run, RunCommand::Start(_)),
        Command::Host(host) => matches!(host, HostCommand::Health { .. }),
        Command::Program(program) => about_the_app(program),
        Command::Ticket(_) | Command::Screen(_) => false,
    };
    rides && !globals.read_only
}

fn about_the_app(command: &ProgramCommand) -> bool {
    matches!(
        command,
        ProgramCommand::ServerStatus | ProgramCommand::ServerStop
    )
}

/// Whether the app is gone after `command`.
pub(super) fn stops(command: &Command) -> bool {
    matches!(command, Command::Program(ProgramCommand::ServerStop))
}

/// Why `command` cannot be carried out without a running app, if so.
pub(super) fn alone(command: &Command) -> Option<Refused> {
    matches!(command, Command::Program(program) if about_the_app(program)).then(|| Refused {
        text: "no app runs here; `qd` or `qd server start` starts one".to_owned(),
        exit: 3,
    })
}
