//! The verbs: everything a user may ask for, named once. Pure.
//!
//! A [`Row`] says how a command is called, what it takes, where its key works and how dangerous it is. The keymap, the
//! `:` prompt, the command line, the help and the reference are all made from the rows; [`Command`] is what they make.

mod answer;
mod broadcast;
mod care;
mod change;
mod connection;
mod copy;
mod files;
mod forward;
mod host;
mod layout;
mod line;
mod look;
mod mistake;
mod monitor;
mod parse;
mod program;
mod recording;
mod row;
mod run;
mod screen;
mod session;
mod ssh;
mod sync;
mod ticket;

use serde::{Deserialize, Serialize};

pub use answer::{
    Answer, CaptureRow, DoctorLine, HostHealth, ImportReport, Info, Outcome, ServerStatus,
    SessionLine, StepPreview,
};
pub use broadcast::BroadcastVerb;
pub use care::{AuditAsk, CareCommand};
pub use change::{ChangeContext, Edited, new_ticket};
pub use connection::ConnectionCommand;
pub use copy::{CopyCommand, place};
pub use files::{FilesCommand, FilesVerb};
pub use forward::ForwardCommand;
pub use host::{HostCommand, ImportSource};
pub use layout::{LayoutCommand, PaneVerb, Spot, repeats};
pub use line::split;
pub use look::LookVerb;
pub use monitor::{MonitorVerb, Monitored};
pub use parse::{Globals, ParseError, Parsed, cli, parse_line, parse_words};
pub use program::ProgramCommand;
pub use recording::ReelVerb;
pub use row::{Arg, ArgError, Args, Danger, Form, Row, Scope, Subject, Surface};
pub use run::{ExecCommand, RunCommand, RunStart};
pub use screen::ScreenCommand;
pub use session::{ExportFormat, Playing, Search, SessionCommand};
pub use ssh::{Seat, SshCommand, Tty, escape_char};
pub use sync::SyncCommand;
pub use ticket::{TicketChange, TicketCommand};

/// What a user may ask for, with everything it takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// About tickets.
    Ticket(TicketCommand),
    /// About the inventory and its health.
    Host(HostCommand),
    /// About sessions.
    Session(SessionCommand),
    /// About tabs and the panes in them.
    Layout(LayoutCommand),
    /// A raw session or one command, in this terminal.
    Ssh(SshCommand),
    /// One command on many hosts.
    Exec(ExecCommand),
    /// Connections carried through a host.
    Forward(ForwardCommand),
    /// Files between hosts and this machine.
    Copy(CopyCommand),
    /// About runbooks and runs.
    Run(RunCommand),
    /// About connections.
    Connection(ConnectionCommand),
    /// About files.
    Files(FilesCommand),
    /// About the space of this store, and the way to it.
    Sync(SyncCommand),
    /// About what the store remembers.
    Care(CareCommand),
    /// About the program itself.
    Program(ProgramCommand),
    /// Moves something on the screen; changes nothing outside it.
    Screen(ScreenCommand),
}

/// Every command, in the order of the help.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    [
        ticket::ROWS,
        host::ROWS,
        session::ROWS,
        layout::ROWS,
        recording::ROWS,
        forward::ROWS,
        copy::ROWS,
        ssh::ROWS,
        run::ROWS,
        connection::ROWS,
        files::ROWS,
        sync::ROWS,
        care::ROWS,
        program::ROWS,
        screen::ROWS,
        broadcast::ROWS,
        monitor::ROWS,
        look::ROWS,
    ]
    .into_iter()
    .flatten()
}

/// The row called `id`.
pub fn row(id: &str) -> Option<&'static Row> {
    rows().find(|row| row.id == id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_unique_single_words_and_every_key_parses() {
        let mut seen = BTreeSet::new();
        for row in rows() {
            assert!(seen.insert(row.id), "{} is there twice", row.id);
            assert!(row.id.split('.').count() <= 2, "{}", row.id);
            for chord in row.keys {
                assert!(
                    chord
                        .split_whitespace()
                        .all(|key| key.parse::<crate::domain::key::Key>().is_ok()),
                    "{}: {chord}",
                    row.id
                );
            }
            assert!(row.help.ends_with('.'), "{}: help is a sentence", row.id);
        }
    }

    #[test]
    fn no_key_means_two_things_in_one_place() {
        let mut taken: BTreeSet<(Scope, &str)> = BTreeSet::new();
        for row in rows() {
            for scope in row.scopes {
                for chord in row.keys {
                    assert!(
                        taken.insert((*scope, chord)),
                        "{chord} is taken twice in {scope:?}, the second time by {}",
                        row.id
                    );
                }
            }
        }
    }

    #[test]
    fn destructive_keys_are_far_from_paging() {
        for row in rows().filter(|row| row.danger != Danger::None) {
            for chord in row.keys {
                assert!(
                    !["Ctrl-d", "Ctrl-k", "Del", "Backspace", "d"].contains(chord),
                    "{}: {chord}",
                    row.id
                );
            }
        }
    }
}
