//! Gathers what a command needs before it can be carried out: its ticket, its hosts, its runbook. Then hands it on.

use std::collections::BTreeMap;

use crate::app::effect::{Effect, Emission, FileAsk, line_of};
use crate::app::event::{Caller, FileFact};
use crate::app::purpose::{Gather, Piece, Purpose};
use crate::app::recordings;
use crate::app::state::State;
use crate::command::{
    Answer, Command, ConnectionCommand, ExecCommand, FilesCommand, ForwardCommand, HostCommand,
    LayoutCommand, Outcome, RunCommand, SessionCommand, SyncCommand, TicketCommand,
};
use crate::domain::host::{self as hosts, Host, Target};
use crate::domain::pattern::{Lookup, Pattern};
use crate::ssh::SshAsk;
use crate::store::{self, Ask, StoreError};

use super::fetched;
use super::{
    connections, copy, exec, failure, files, forward, host, layout, program, reply, run, session,
    ssh, ticket,
};

/// Takes a command up.
pub(super) fn begin(state: &mut State, gather: Gather, fx: &mut Vec<Effect>) {
    if state.setup.read_only && changes(&gather.command) {
        let text = "this was started with --read-only, so nothing is changed and nothing is run; start it without to go on".to_owned();
        return reply(state, gather.caller, Outcome::error(2, text), fx);
    }
    if state.ready {
        advance(state, gather, fx)
    } else {
        state.waiting.push_back(gather)
    }
}

/// Asks for the next missing piece, or carries the command out.
pub(super) fn advance(state: &mut State, gather: Gather, fx: &mut Vec<Effect>) {
    match missing(state, &gather) {
        Err(why) => reply(state, gather.caller, Outcome::error(2, why), fx),
        Ok(None) => execute(state, gather, fx),
        Ok(Some(piece)) => fetch(state, gather, piece, fx),
    }
}

fn execute(state: &mut State, gather: Gather, fx: &mut Vec<Effect>) {
    match gather.command.clone() {
        Command::Ticket(command) => ticket::execute(state, gather, command, fx),
        Command::Host(command) => host::execute(state, gather, command, fx),
        Command::Session(command) => session::execute(state, gather, command, fx),
        Command::Layout(command) => layout::execute(state, gather, command, fx),
        Command::Ssh(command) => ssh::execute(state, gather, command, fx),
        Command::Exec(command) => exec::execute(state, gather, command, fx),
        Command::Forward(command) => forward::execute(state, gather, command, fx),
        Command::Copy(command) => copy::execute(state, &gather, command, fx),
        Command::Run(command) => run::execute(state, gather, command, fx),
        Command::Connection(command) => connections::execute(state, &gather, command, fx),
        Command::Files(command) => files::execute(state, &gather, command, fx),
        Command::Sync(command) => super::sync::execute(state, gather.caller, command, fx),
        Command::Care(command) => super::care::execute(state, gather.caller, command, fx),
        Command::Program(command) => program::execute(state, gather.caller, &command, fx),
        Command::Screen(command) => super::window::screen(state, gather.caller, command, fx),
    }
}

fn fetch(state: &mut State, gather: Gather, piece: Piece, fx: &mut Vec<Effect>) {
    let req = state.mint.request();
    let effect = match (&piece, &gather.command) {
        (Piece::Ticket, command) => Effect::Ask(
            req,
            Ask::Ticket {
                reference: ticket_of(command).unwrap_or_default().to_owned(),
            },
        ),
        (Piece::TicketHosts(reference) | Piece::Link(reference), _) => Effect::Ask(
            req,
            Ask::Ticket {
                reference: reference.clone(),
            },
        ),
        (Piece::Session, Command::Session(command)) => Effect::Ask(
            req,
            Ask::Session {
                reference: session::named(command).unwrap_or_default().to_owned(),
            },
        ),
        (Piece::Book, command) => Effect::File(
            req,
            FileAsk::Book(book_of(command).unwrap_or_default().to_owned()),
        ),
        (Piece::Scan, Command::Host(HostCommand::Import { path, .. })) => {
            Effect::File(req, FileAsk::SshConfig(path.clone()))
        }
        (Piece::Bytes, Command::Exec(command)) => Effect::File(
            req,
            FileAsk::Bytes(command.script.clone().unwrap_or_default().into()),
        ),
        (Piece::Bytes, _) => {
            let session = gather.session.as_ref();
            match (session, &gather.fetched) {
                (Some(session), Some(Err(why))) => {
                    let (bytes, gone) = (Some(Vec::new()), Some(why.clone()));
                    let gather = Gather {
                        session: Some(session.clone()),
                        bytes,
                        gone,
                        ..gather
                    };
                    return advance(state, gather, fx);
                }
                (Some(session), _) => {
                    Effect::File(req, FileAsk::Recording(recordings::Wanted::of(session)))
                }
                (None, _) => return execute(state, gather, fx),
            }
        }
        (Piece::Fetch, _) => match fetched::ask(&gather, req) {
            Some(effect) => effect,
            None => return execute(state, gather, fx),
        },
        (Piece::Effective(names), _) => {
            let targets = names.iter().map(|name| target(state, name)).collect();
            Effect::Ssh(SshAsk::Resolve { req, targets })
        }
        (Piece::Session | Piece::Scan, _) => return execute(state, gather, fx),
    };
    state.inflight.insert(
        req,
        state.model.now,
        Purpose::Gather(Box::new(gather), piece),
    );
    fx.push(effect);
}

/// The store answered for a piece.
pub(super) fn answered(
    state: &mut State,
    mut gather: Gather,
    piece: Piece,
    answer: Result<store::Answer, StoreError>,
    fx: &mut Vec<Effect>,
) {
    match (piece, answer) {
        (_, Err(error)) => return reply(state, gather.caller, failure::outcome(&error), fx),
        (Piece::Ticket, Ok(store::Answer::Ticket(ticket))) => gather.ticket = Some(*ticket),
        (Piece::TicketHosts(reference), Ok(store::Answer::Ticket(ticket))) => {
            gather.ticket_hosts.insert(reference, ticket.hosts);
        }
        (Piece::Link(reference), Ok(store::Answer::Ticket(ticket))) => {
            gather.links.insert(reference, ticket.reference);
        }
        (Piece::Session, Ok(store::Answer::Session(session))) => gather.session = Some(*session),
        (piece, Ok(_)) => {
            let text = format!(
                "the store answered something else than {piece:?}; please report this with the log"
            );
            return reply(state, gather.caller, Outcome::error(1, text), fx);
        }
    }
    advance(state, gather, fx);
}

/// A file was read for a piece.
pub(super) fn read(state: &mut State, mut gather: Gather, fact: FileFact, fx: &mut Vec<Effect>) {
    match fact {
        FileFact::Scanned(Ok(scan)) => gather.scan = Some(*scan),
        FileFact::Book(Ok(book)) => gather.book = Some(*book),
        FileFact::Bytes(Ok(bytes)) => gather.bytes = Some(bytes),
        // What is known of a session is told, whatever became of its recording.
        FileFact::Bytes(Err(why)) if matches!(gather.command, Command::Session(_)) => {
            (gather.bytes, gather.gone) = (Some(Vec::new()), Some(why));
        }
        FileFact::Scanned(Err(why)) | FileFact::Bytes(Err(why)) => {
            return reply(state, gather.caller, Outcome::error(1, why), fx);
        }
        FileFact::Book(Err(diagnostics)) => {
            let outcome = if diagnostics.is_empty() {
                let name = book_of(&gather.command).unwrap_or_default();
                Outcome::error(
                    3,
                    format!(
                        "there is no runbook {name:?}; `qd runbook ls` lists the library, and a path works too"
                    ),
                )
            } else {
                Outcome {
                    answer: Answer::Diagnostics(diagnostics),
                    exit: 2,
                }
            };
            return reply(state, gather.caller, outcome, fx);
        }
        FileFact::Library { .. }
        | FileFact::Checked(_)
        | FileFact::SettingsMark(_)
        | FileFact::Settings(_)
        | FileFact::Swept(_)
        | FileFact::Written(_)
        | FileFact::Found(_)
        | FileFact::Looked(_) => {
            return reply(
                state,
                gather.caller,
                Outcome::error(
                    1,
                    "a file of another kind was read; please report this".to_owned(),
                ),
                fx,
            );
        }
    }
    advance(state, gather, fx);
}

/// Effective settings arrived for a piece.
pub(super) fn resolved(
    state: &mut State,
    mut gather: Gather,
    results: Vec<(Target, Result<crate::domain::host::Effective, String>)>,
    fx: &mut Vec<Effect>,
) {
    gather.effective.extend(
        results
            .into_iter()
            .map(|(target, result)| (target.name, result)),
    );
    advance(state, gather, fx);
}

/// The next piece that a command cannot do without.
fn missing(state: &State, gather: &Gather) -> Result<Option<Piece>, String> {
    let command = &gather.command;
    if gather.ticket.is_none() && ticket_of(command).is_some() {
        return Ok(Some(Piece::Ticket));
    }
    for pattern in patterns_of(command) {
        let pattern = Pattern::parse(pattern).map_err(|why| why.to_string())?;
        if let Some(reference) = pattern
            .tickets()
            .into_iter()
            .find(|reference| !gather.ticket_hosts.contains_key(*reference))
        {
            return Ok(Some(Piece::TicketHosts(reference.to_owned())));
        }
    }
    if let Command::Ticket(TicketCommand::Edit { change, .. }) = command
        && let Some(link) = change
            .link
            .iter()
            .find(|link| !gather.links.contains_key(*link))
    {
        return Ok(Some(Piece::Link(link.clone())));
    }
    if gather.book.is_none() && book_of(command).is_some() {
        return Ok(Some(Piece::Book));
    }
    if gather.scan.is_none() && matches!(command, Command::Host(HostCommand::Import { .. })) {
        return Ok(Some(Piece::Scan));
    }
    if let Command::Session(command) = command
        && gather.session.is_none()
        && session::needs_row(state, command)
    {
        return Ok(Some(Piece::Session));
    }
    if fetched::is_wanted(state, gather) {
        return Ok(Some(Piece::Fetch));
    }
    if matches!(command, Command::Session(SessionCommand::Show { .. })) && gather.bytes.is_none() {
        return Ok(Some(Piece::Bytes));
    }
    let unread = |exec: &ExecCommand| exec.script.is_some() && exec.text.is_none();
    if gather.bytes.is_none() && matches!(command, Command::Exec(exec) if unread(exec)) {
        return Ok(Some(Piece::Bytes));
    }
    let names: Vec<String> = resolving(state, gather)?
        .into_iter()
        .filter(|name| !gather.effective.contains_key(name))
        .collect();
    Ok(if names.is_empty() {
        None
    } else {
        Some(Piece::Effective(names))
    })
}

/// The hosts whose effective settings a command needs.
fn resolving(state: &State, gather: &Gather) -> Result<Vec<String>, String> {
    let pattern = match &gather.command {
        Command::Exec(exec) => &exec.pattern,
        Command::Run(RunCommand::Start(start)) => &start.pattern,
        Command::Host(HostCommand::Show { name }) if state.model.host_named(name).is_some() => {
            return Ok(vec![name.clone()]);
        }
        Command::Ssh(ssh) => return Ok(vec![ssh.host.clone()]),
        _ => return Ok(Vec::new()),
    };
    Ok(named(state, pattern, &gather.ticket_hosts)?
        .into_iter()
        .map(|host| host.name.clone())
        .collect())
}

/// The hosts that a command goes to, and what should be said about the choice.
#[derive(Debug)]
pub(super) struct Chosen {
    /// Names, in inventory order.
    pub hosts: Vec<String>,
    /// Names that lead to a place that is there already, in words.
    pub notes: Vec<String>,
}

/// The hosts of `pattern`; names that lead to one place by their effective settings are taken once.
pub(super) fn chosen(state: &State, pattern: &str, gather: &Gather) -> Result<Chosen, String> {
    let mut seen: BTreeMap<Vec<Option<String>>, &str> = BTreeMap::new();
    let mut chosen = Chosen {
        hosts: Vec::new(),
        notes: Vec::new(),
    };
    for host in named(state, pattern, &gather.ticket_hosts)? {
        if let Some(Ok(effective)) = gather.effective.get(&host.name) {
            let mut place: Vec<Option<String>> =
                ["user", "hostname", "port", "proxyjump", "proxycommand"]
                    .iter()
                    .map(|option| effective.get(option).map(str::to_owned))
                    .collect();
            // A way is named by hops, and what a hop's name means depends on the file that names it.
            if place.iter().skip(3).any(Option::is_some) {
                place.push(
                    host.config
                        .as_ref()
                        .map(|config| config.display().to_string()),
                );
            }
            if let Some(first) = seen.get(&place) {
                chosen.notes.push(format!(
                    "{} leads to the same place as {first} and is left out",
                    host.name
                ));
                continue;
            }
            seen.insert(place, &host.name);
        }
        chosen.hosts.push(host.name.clone());
    }
    Ok(chosen)
}

/// Tells a command line what should be said about the choice of hosts.
pub(super) fn tell(caller: Caller, notes: &[String], fx: &mut Vec<Effect>) {
    if let Some(line) = line_of(caller) {
        fx.extend(
            notes
                .iter()
                .map(|note| Effect::Emit(line, Emission::Note(note.clone()))),
        );
    }
}

/// The hosts that a ticket's change names.
pub(super) fn linked_hosts(
    state: &State,
    patterns: &[String],
    tickets: &BTreeMap<String, Vec<String>>,
) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for pattern in patterns {
        for host in named(state, pattern, tickets)? {
            if !names.contains(&host.name) {
                names.push(host.name.clone());
            }
        }
    }
    Ok(names)
}

/// The hosts of a pattern, in inventory order.
pub(super) fn named<'a>(
    state: &'a State,
    pattern: &str,
    tickets: &BTreeMap<String, Vec<String>>,
) -> Result<Vec<&'a Host>, String> {
    struct Known<'t>(&'t BTreeMap<String, Vec<String>>);
    impl Lookup for Known<'_> {
        fn ticket_hosts(&self, reference: &str) -> Option<Vec<String>> {
            self.0.get(reference).cloned()
        }
    }
    let pattern = Pattern::parse(pattern).map_err(|why| why.to_string())?;
    pattern
        .resolve(state.model.hosts.rows(), &Known(tickets))
        .map_err(|why| why.to_string())
}

/// Where a connection to `name` leads: by the file it was imported from, else by the settings' file.
pub(super) fn target(state: &State, name: &str) -> Target {
    let config = state
        .model
        .host_named(name)
        .or_else(|| state.model.host_named(hosts::bare(name)))
        .and_then(|host| host.config.clone())
        .or_else(|| state.setup.ssh_config.clone());
    Target {
        name: name.to_owned(),
        config,
    }
}

/// The ticket that a command is about, or for.
fn ticket_of(command: &Command) -> Option<&str> {
    match command {
        Command::Ticket(
            TicketCommand::Show { reference }
            | TicketCommand::Edit { reference, .. }
            | TicketCommand::Comment { reference, .. },
        ) => Some(reference),
        Command::Ticket(TicketCommand::Add { .. } | TicketCommand::List { .. })
        | Command::Host(_)
        | Command::Forward(_)
        | Command::Connection(_)
        | Command::Sync(_)
        | Command::Care(_)
        | Command::Program(_)
        | Command::Screen(_) => None,
        Command::Files(
            FilesCommand::Copy { ticket, .. }
            | FilesCommand::Remove { ticket, .. }
            | FilesCommand::Rename { ticket, .. }
            | FilesCommand::MakeFolder { ticket, .. },
        ) => ticket.as_deref(),
        Command::Files(FilesCommand::List { .. } | FilesCommand::Cancel { .. }) => None,
        Command::Session(
            SessionCommand::Open { ticket, .. } | SessionCommand::Local { ticket },
        ) => ticket.as_deref(),
        Command::Session(_) => None,
        Command::Layout(LayoutCommand::Put { ticket, .. }) => ticket.as_deref(),
        Command::Layout(LayoutCommand::Ticket(reference)) => Some(reference),
        Command::Layout(_) => None,
        Command::Ssh(ssh) => ssh.ticket.as_deref(),
        Command::Exec(exec) => exec.ticket.as_deref(),
        Command::Copy(copy) => copy.ticket.as_deref(),
        Command::Run(RunCommand::Start(start)) => start.ticket.as_deref(),
        Command::Run(RunCommand::List { ticket }) => ticket.as_deref(),
        Command::Run(_) => None,
    }
}

/// The host patterns in a command.
fn patterns_of(command: &Command) -> Vec<&str> {
    match command {
        Command::Ticket(TicketCommand::Add { change, .. } | TicketCommand::Edit { change, .. }) => {
            change.host.iter().map(String::as_str).collect()
        }
        Command::Host(HostCommand::List { pattern, .. } | HostCommand::Health { pattern, .. }) => {
            pattern.iter().map(String::as_str).collect()
        }
        Command::Host(HostCommand::Tag { pattern, .. }) => vec![pattern],
        Command::Exec(exec) => vec![&exec.pattern],
        Command::Run(RunCommand::Start(start)) => vec![&start.pattern],
        Command::Layout(LayoutCommand::Hosts(pattern)) => vec![pattern],
        _ => Vec::new(),
    }
}

/// The runbook that a command names.
fn book_of(command: &Command) -> Option<&str> {
    match command {
        Command::Run(RunCommand::Start(start)) => Some(&start.book),
        Command::Run(RunCommand::Book { book } | RunCommand::Check { book }) => Some(book),
        _ => None,
    }
}

/// Whether a command changes the store or a host.
fn changes(command: &Command) -> bool {
    match command {
        Command::Ticket(TicketCommand::List { .. } | TicketCommand::Show { .. })
        | Command::Program(_)
        | Command::Screen(_) => false,
        Command::Care(command) => matches!(command, crate::command::CareCommand::Purge { .. }),
        Command::Forward(command) => matches!(command, ForwardCommand::Start { .. }),
        Command::Ticket(_) | Command::Ssh(_) | Command::Exec(_) | Command::Copy(_) => true,
        Command::Host(HostCommand::Import { dry_run, .. }) => !dry_run,
        // A probe runs commands on hosts and keeps what it found.
        Command::Host(HostCommand::Health { .. } | HostCommand::Tag { .. }) => true,
        Command::Host(_) => false,
        Command::Session(command) => matches!(
            command,
            SessionCommand::Open { .. }
                | SessionCommand::Local { .. }
                | SessionCommand::Send { .. }
                | SessionCommand::Close { .. }
                | SessionCommand::Record { .. }
                | SessionCommand::Mark { .. }
                | SessionCommand::Export { .. }
                | SessionCommand::Fetch { .. }
        ),
        Command::Layout(command) => !matches!(command, LayoutCommand::List),
        Command::Run(RunCommand::Start(start)) => !start.dry_run,
        Command::Run(_) => false,
        Command::Sync(command) => !matches!(command, SyncCommand::Status | SyncCommand::Devices),
        // Making a connection runs a command on its host.
        Command::Connection(command) => matches!(command, ConnectionCommand::Again { .. }),
        Command::Files(command) => !matches!(
            command,
            FilesCommand::List { .. } | FilesCommand::Cancel { .. }
        ),
    }
}
