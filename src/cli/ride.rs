//! Which commands use the connections of an app that runs, and which need one.

use crate::app::start::Refused;
use crate::command::{Command, Globals, HostCommand, ProgramCommand, RunCommand, SessionCommand};

/// Whether `command` goes to a running app: it needs connections that the app may have, or is about the app itself.
///
/// Whoever wants to change nothing works alone, because the app that others share does change things.
pub(super) fn wanted(command: &Command, globals: &Globals) -> bool {
    let rides = match command {
        Command::Ssh(_) | Command::Exec(_) | Command::Session(_) => true,
        // The app syncs by itself, and two processes must not be at it at once.
        Command::Forward(_) | Command::Copy(_) | Command::Sync(_) => true,
        Command::Run(run) => matches!(run, RunCommand::Start(_)),
        Command::Host(host) => matches!(host, HostCommand::Health { .. }),
        Command::Program(program) => about_the_app(program),
        Command::Ticket(_)
        | Command::Layout(_)
        | Command::Screen(_)
        | Command::Connection(_)
        | Command::Care(_)
        | Command::Files(_) => false,
    };
    rides && !globals.read_only
}

fn about_the_app(command: &ProgramCommand) -> bool {
    matches!(
        command,
        ProgramCommand::ServerStatus | ProgramCommand::ServerStop | ProgramCommand::ConfigReload
    )
}

/// Whether the app is gone after `command`.
pub(super) fn stops(command: &Command) -> bool {
    matches!(command, Command::Program(ProgramCommand::ServerStop))
}

/// Why `command` cannot be carried out without a running app, if so.
pub(super) fn alone(command: &Command) -> Option<Refused> {
    if let Command::Session(session) = command
        && about_the_living(session)
    {
        return Some(Refused {
            text: "no app runs here, so no session is live; `qd session open HOST` starts both"
                .to_owned(),
            exit: 3,
        });
    }
    matches!(command, Command::Program(program) if about_the_app(program)).then(|| Refused {
        text: "no app runs here; `qd` or `qd server start` starts one".to_owned(),
        exit: 3,
    })
}

/// Whether a verb means nothing without a live session.
fn about_the_living(command: &SessionCommand) -> bool {
    matches!(
        command,
        SessionCommand::Send { .. }
            | SessionCommand::Attach { .. }
            | SessionCommand::Capture { .. }
            | SessionCommand::Close { .. }
            | SessionCommand::Wait { .. }
            | SessionCommand::Record { .. }
            | SessionCommand::Mark { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Surface, parse_words};

    fn parsed(line: &str) -> Result<(Command, Globals), String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let parsed = parse_words(&words, Surface::Line).map_err(|why| why.text)?;
        let row = parsed.row.ok_or("no command")?;
        let command = (row.build)(&parsed.args).map_err(|why| why.to_string())?;
        Ok((command, parsed.globals))
    }

    #[test]
    fn what_needs_connections_rides_and_what_does_not_works_alone() -> Result<(), String> {
        let cases = [
            ("ssh web1", true),
            ("exec -H all -- true", true),
            ("run start deploy -H all", true),
            ("health", true),
            ("server status", true),
            ("config reload", true),
            ("sync now", true),
            ("ticket ls", false),
            ("run ls", false),
            ("doctor", false),
            ("--read-only health", false),
        ];
        for (line, expected) in cases {
            let (command, globals) = parsed(line)?;
            assert_eq!(wanted(&command, &globals), expected, "{line}");
        }
        assert!(alone(&parsed("server stop")?.0).is_some_and(|refused| refused.exit == 3));
        assert!(alone(&parsed("ssh web1")?.0).is_none());
        Ok(())
    }
}
