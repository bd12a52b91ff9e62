//! Answers questions from the projections. Everything here runs in one read transaction, so an answer is of one moment.

mod audit;
mod device;
mod entry;
mod host;
mod run;
mod search;
mod ticket;

use std::path::Path;

use rusqlite::Connection;

use super::ask::{Answer, Ask};
use super::failure::Outcome;
use super::{chain, doctor, local, log, size};
use crate::domain::time::Time;

/// What an answer depends on besides the database.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) conn: &'a Connection,
    /// Where the locks of the living are.
    pub(super) folder: &'a Path,
    /// For the age of things.
    pub(super) now: Time,
}

/// Answers one question.
pub(super) fn answer(scene: Scene<'_>, ask: &Ask) -> Outcome<Answer> {
    let Scene { conn, .. } = scene;
    Ok(match ask {
        Ask::Tickets { query, limit } => {
            let (rows, total) = ticket::list(conn, query, *limit)?;
            Answer::Tickets { rows, total }
        }
        Ask::Ticket { reference } => Answer::Ticket(Box::new(ticket::one(conn, reference)?)),
        Ask::Hosts => Answer::Hosts(host::list(scene)?),
        Ask::Host { name } => Answer::Host(Box::new(host::one(scene, name)?)),
        Ask::HostState { host } => Answer::HostState(local::host_state(conn, *host)?),
        Ask::Runs { ticket, limit } => Answer::Runs(run::list(scene, ticket.as_deref(), *limit)?),
        Ask::Run { reference } => Answer::Run(Box::new(run::one(scene, reference)?)),
        Ask::Sessions { limit } => Answer::Sessions(run::sessions(scene, *limit)?),
        Ask::Session { reference } => Answer::Session(Box::new(run::session(scene, reference)?)),
        Ask::Effective { target } => Answer::Effective(local::effective(conn, target)?),
        Ask::Samples { host, limit } => Answer::Samples(local::samples(conn, *host, *limit)?),
        Ask::Timeline { host, limit } => Answer::Timeline(entry::of_host(conn, host, *limit)?),
        Ask::Events { since, limit } => Answer::Timeline(entry::newest(conn, *since, *limit)?),
        Ask::TicketHosts { reference } => Answer::TicketHosts(ticket::hosts(conn, reference)?),
        Ask::Conflicts { reference } => Answer::Conflicts(ticket::conflicts(conn, reference)?),
        Ask::Log {
            device,
            from,
            limit,
        } => Answer::Log(log::read(conn, *device, *from, *limit)?),
        Ask::Heads => Answer::Heads(log::heads(conn)?),
        Ask::Devices => Answer::Devices(device::list(conn)?),
        Ask::Kept { prefix } => Answer::Kept(local::kept(conn, prefix)?),
        Ask::Audit(filter) => Answer::Audit(audit::page(conn, filter)?),
        Ask::Chains => Answer::Chains(chain::report(conn)?),
        Ask::Search(wanted) => Answer::Search(search::search(conn, wanted)?),
        Ask::Size => Answer::Size(size::report(scene)?),
        Ask::Doctor => Answer::Doctor(doctor::examine(scene)?),
    })
}

pub(super) use run::abandoned;
