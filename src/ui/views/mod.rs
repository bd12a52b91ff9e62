//! The views: each folder holds what one place on the screen remembers, its keys' subjects and its drawing.

pub(crate) mod alarms;
pub(crate) mod book;
pub(crate) mod books;
pub(crate) mod case;
pub(crate) mod connection;
pub(crate) mod connections;
pub(crate) mod files;
pub(crate) mod forwards;
pub(crate) mod found;
pub(crate) mod home;
pub(crate) mod host;
pub(crate) mod hosts;
pub(crate) mod messages;
pub(crate) mod pane;
pub(crate) mod recording;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod sessions;
pub(crate) mod sync;
pub(crate) mod tickets;
pub(crate) mod vitals;
pub(crate) mod words;

use ratatui::layout::{Position, Rect};

use super::keymap::Keymap;
use super::list::Moves;
use super::paint::{Look, Painter};
use super::view::View;
use crate::command::{Scope, Subject};
use crate::model::Model;

/// What drawing may look at.
#[derive(Clone, Copy)]
pub(crate) struct Cx<'a> {
    pub(crate) model: &'a Model,
    pub(crate) keymap: &'a Keymap,
    pub(crate) look: &'a Look,
}

impl Cx<'_> {
    /// The key that starts command `id` in `scopes`, as the user has it; the `:` prompt when it has none.
    pub(crate) fn key(&self, scopes: &[Scope], id: &str) -> String {
        let chords = self.keymap.chords(scopes, id);
        chords
            .into_iter()
            .next()
            .unwrap_or_else(|| format!(":{}", id.replace('.', " ")))
    }
}

/// What all views remember.
#[derive(Debug, Default)]
pub(crate) struct Views {
    pub(crate) home: home::Home,
    pub(crate) tickets: tickets::Tickets,
    pub(crate) case: case::Case,
    pub(crate) hosts: hosts::HostList,
    pub(crate) host: host::HostPage,
    pub(crate) sessions: sessions::SessionList,
    pub(crate) pane: pane::Pane,
    pub(crate) recording: recording::RecordingPage,
    pub(crate) found: found::FoundList,
    pub(crate) runs: runs::Runs,
    pub(crate) run: run::RunPage,
    pub(crate) books: books::Books,
    pub(crate) book: book::BookPage,
    pub(crate) connections: connections::ConnectionList,
    pub(crate) connection: connection::ConnectionPage,
    pub(crate) forwards: forwards::ForwardList,
    pub(crate) files: files::FilesPage,
    pub(crate) alarms: alarms::AlarmList,
    pub(crate) sync: sync::SyncPage,
    pub(crate) messages: messages::MessageList,
}

impl Views {
    /// Adopts the rows of the model, so that the next key acts on what is there now.
    pub(crate) fn sync(&mut self, view: &View, model: &Model) {
        match view {
            View::Tickets => self.tickets.sync(model),
            View::Hosts => self.hosts.sync(model),
            View::Sessions => self.sessions.sync(model),
            View::Runs => self.runs.sync(model),
            View::Run(reference) => self.run.sync(model, reference),
            View::Books => self.books.sync(model),
            View::Connections => self.connections.sync(model),
            View::Forwards => self.forwards.sync(model),
            View::Files => self.files.sync(model),
            View::Alarms => self.alarms.sync(model),
            View::Found => self.found.sync(model),
            View::Messages => self.messages.sync(model),
            // Documents adopt their lines when they are laid out: they need the width.
            View::Home
            | View::Case(_)
            | View::Host(_)
            | View::Pane(_)
            | View::Recording(_)
            | View::Connection { .. }
            | View::Sync
            | View::Book(_) => {}
        }
    }

    /// Computes what drawing needs, in this area.
    pub(crate) fn layout(&mut self, view: &View, cx: Cx<'_>, area: Rect) {
        match view {
            View::Home => self.home.layout(cx, area),
            View::Tickets => self.tickets.layout(area),
            View::Case(reference) => self.case.layout(cx, reference, area),
            View::Hosts => self.hosts.layout(area),
            View::Host(name) => self.host.layout(cx, name, area),
            View::Sessions => self.sessions.layout(area),
            View::Pane(id) => self.pane.layout(cx, *id, area),
            View::Recording(reference) => self.recording.layout(cx.model, reference, area),
            View::Runs => self.runs.layout(area),
            View::Run(reference) => self.run.layout(cx.model, reference, area),
            View::Books => self.books.layout(area),
            View::Book(name) => self.book.layout(cx.model, name, area),
            View::Connections => self.connections.layout(area),
            View::Connection { id, host } => self.connection.layout(cx, *id, host, area),
            View::Forwards => self.forwards.layout(area),
            View::Files => self.files.layout(cx.model, area),
            View::Alarms => self.alarms.layout(area),
            View::Found => self.found.layout(area),
            View::Messages => self.messages.layout(area),
            View::Sync => self.sync.layout(cx, area),
        }
    }

    /// Draws what was laid out; gives the place of the cursor, if it is to be seen.
    pub(crate) fn draw(
        &self,
        view: &View,
        cx: Cx<'_>,
        painter: &mut Painter<'_>,
    ) -> Option<Position> {
        match view {
            View::Home => self.home.draw(painter),
            View::Tickets => self.tickets.draw(cx, painter),
            View::Case(reference) => self.case.draw(cx, reference, painter),
            View::Hosts => self.hosts.draw(cx, painter),
            View::Host(name) => self.host.draw(cx, name, painter),
            View::Sessions => self.sessions.draw(cx, painter),
            View::Pane(id) => return self.pane.draw(cx, *id, painter),
            View::Recording(reference) => return self.recording.draw(cx, reference, painter),
            View::Runs => self.runs.draw(cx, painter),
            View::Run(reference) => self.run.draw(cx, reference, painter),
            View::Books => self.books.draw(cx, painter),
            View::Book(name) => self.book.draw(cx, name, painter),
            View::Connections => self.connections.draw(cx, painter),
            View::Connection { id, host } => self.connection.draw(cx, *id, host, painter),
            View::Forwards => self.forwards.draw(cx, painter),
            View::Files => self.files.draw(cx, painter),
            View::Alarms => self.alarms.draw(cx, painter),
            View::Found => self.found.draw(cx, painter),
            View::Messages => self.messages.draw(cx, painter),
            View::Sync => self.sync.draw(painter),
        }
        None
    }

    /// What the keys of lists move in this view.
    pub(crate) fn moves(&mut self, view: &View) -> Option<&mut dyn Moves> {
        Some(match view {
            View::Home => &mut self.home.doc,
            View::Tickets => &mut self.tickets.list,
            View::Case(_) => &mut self.case.doc,
            View::Hosts => &mut self.hosts.list,
            View::Host(_) => &mut self.host.doc,
            View::Sessions => &mut self.sessions.list,
            View::Pane(_) => return None,
            View::Recording(_) => &mut self.recording.scroll,
            View::Runs => &mut self.runs.list,
            View::Run(_) => &mut self.run.hosts,
            View::Books => &mut self.books.list,
            View::Book(_) => &mut self.book.scroll,
            View::Connections => &mut self.connections.list,
            View::Connection { .. } => &mut self.connection.doc,
            View::Forwards => &mut self.forwards.list,
            View::Files => self.files.side_mut(),
            View::Alarms => &mut self.alarms.list,
            View::Found => &mut self.found.list,
            View::Messages => &mut self.messages.list,
            View::Sync => &mut self.sync.doc,
        })
    }

    /// Marks the selected row, where rows can be marked.
    pub(crate) fn mark(&mut self, view: &View, model: &Model) {
        match view {
            View::Hosts => self.hosts.list.mark(),
            View::Files => self.files.mark(model),
            View::Connections
            | View::Connection { .. }
            | View::Forwards
            | View::Found
            | View::Sync
            | View::Messages
            | View::Alarms => {}
            View::Home
            | View::Tickets
            | View::Case(_)
            | View::Host(_)
            | View::Sessions
            | View::Pane(_)
            | View::Recording(_)
            | View::Runs
            | View::Run(_)
            | View::Books
            | View::Book(_) => {}
        }
    }

    /// Takes the marks of this view away.
    pub(crate) fn unmark(&mut self, view: &View) {
        match view {
            View::Files => self.files.side_mut().unmark(),
            _ => self.hosts.list.unmark(),
        }
    }

    /// How many rows of this view are marked.
    pub(crate) fn marked(&self, view: &View) -> usize {
        match view {
            View::Hosts => self.hosts.list.marked(),
            View::Files => self.files.side().marked(),
            _ => 0,
        }
    }

    /// The filter of this view, if it has one.
    pub(crate) fn query(&self, view: &View) -> Option<&str> {
        Some(match view {
            View::Tickets => self.tickets.list.query(),
            View::Hosts => self.hosts.list.query(),
            View::Sessions => self.sessions.list.query(),
            View::Runs => self.runs.list.query(),
            View::Books => self.books.list.query(),
            View::Case(_) => self.case.doc.filter().query(),
            View::Host(_) => self.host.doc.filter().query(),
            View::Connections => self.connections.list.query(),
            View::Connection { .. } => self.connection.doc.filter().query(),
            View::Forwards => self.forwards.list.query(),
            View::Files => self.files.side().query(),
            View::Alarms => self.alarms.list.query(),
            View::Found => self.found.list.query(),
            View::Messages => self.messages.list.query(),
            View::Sync => self.sync.doc.filter().query(),
            View::Home | View::Pane(_) | View::Recording(_) | View::Run(_) | View::Book(_) => {
                return None;
            }
        })
    }

    /// Filters this view.
    pub(crate) fn set_query(&mut self, view: &View, query: &str) {
        match view {
            View::Tickets => self.tickets.list.set_query(query),
            View::Hosts => self.hosts.list.set_query(query),
            View::Sessions => self.sessions.list.set_query(query),
            View::Runs => self.runs.list.set_query(query),
            View::Books => self.books.list.set_query(query),
            View::Case(_) => self.case.doc.list().set_query(query),
            View::Host(_) => self.host.doc.list().set_query(query),
            View::Connections => self.connections.list.set_query(query),
            View::Connection { .. } => self.connection.doc.list().set_query(query),
            View::Forwards => self.forwards.list.set_query(query),
            View::Files => self.files.side_mut().set_query(query),
            View::Alarms => self.alarms.list.set_query(query),
            View::Found => self.found.list.set_query(query),
            View::Messages => self.messages.list.set_query(query),
            View::Sync => self.sync.doc.list().set_query(query),
            View::Home | View::Pane(_) | View::Recording(_) | View::Run(_) | View::Book(_) => {}
        }
    }

    /// Where Enter leads.
    pub(crate) fn target(&self, view: &View, model: &Model) -> Option<View> {
        match view {
            View::Home => self.home.doc.target(),
            View::Tickets => self
                .tickets
                .selected(model)
                .map(|ticket| View::Case(ticket.reference.clone())),
            View::Case(_) => self.case.doc.target(),
            View::Hosts => self
                .hosts
                .selected(model)
                .map(|host| View::Host(host.name.clone())),
            View::Host(_) => self.host.doc.target(),
            View::Sessions => self.sessions.target(model),
            View::Runs => self
                .runs
                .selected(model)
                .map(|run| View::Run(run.reference.clone())),
            View::Books => self
                .books
                .selected(model)
                .map(|book| View::Book(book.name.clone())),
            View::Connections => self
                .connections
                .selected(model)
                .map(|row| View::Connection {
                    id: row.id,
                    host: row.host.clone(),
                }),
            View::Connection { .. } => self.connection.doc.target(),
            View::Forwards => self.forwards.target(model),
            View::Pane(_)
            | View::Recording(_)
            | View::Run(_)
            | View::Book(_)
            | View::Files
            | View::Found
            | View::Sync
            | View::Messages
            | View::Alarms => None,
        }
    }

    /// What the selection stands for as an argument of a command.
    pub(crate) fn subject(&self, view: &View, subject: Subject, model: &Model) -> Option<String> {
        match (view, subject) {
            (View::Tickets, Subject::Ticket) => self
                .tickets
                .selected(model)
                .map(|ticket| ticket.reference.clone()),
            (View::Tickets, Subject::Hosts) => self.tickets.selected(model).and_then(case::pattern),
            (View::Tickets, Subject::Host) => {
                self.tickets.selected(model).and_then(case::only_host)
            }
            (View::Case(reference), Subject::Ticket) => Some(reference.clone()),
            (View::Case(reference), Subject::Host) => self
                .case
                .host()
                .or_else(|| model.ticket(reference).and_then(case::only_host)),
            (View::Case(reference), Subject::Hosts) => {
                model.ticket(reference).and_then(case::pattern)
            }
            (View::Hosts, Subject::Host) => {
                self.hosts.selected(model).map(|host| host.name.clone())
            }
            (View::Hosts, Subject::Hosts) => self.hosts.pattern(model),
            (View::Host(name), Subject::Host | Subject::Hosts) => Some(name.clone()),
            (View::Sessions, Subject::Session) => self.sessions.reference(model),
            (View::Pane(id), Subject::Session) => {
                model.session(*id).map(|session| session.reference.clone())
            }
            (View::Recording(reference), Subject::Session) => Some(reference.clone()),
            (View::Found, Subject::Session) => self.found.reference(model),
            (View::Runs, Subject::Run) => {
                self.runs.selected(model).map(|run| run.reference.clone())
            }
            (View::Run(reference), Subject::Run) => Some(reference.clone()),
            (View::Books, Subject::Book) => {
                self.books.selected(model).map(|book| book.name.clone())
            }
            (View::Book(name), Subject::Book) => Some(name.clone()),
            (View::Connections, Subject::Host | Subject::Hosts) => {
                self.connections.selected(model).map(|row| row.host.clone())
            }
            (View::Connection { host, .. }, Subject::Host | Subject::Hosts) => Some(host.clone()),
            (View::Forwards, Subject::Forward) => {
                self.forwards.selected(model).map(|row| row.id.to_string())
            }
            (View::Forwards, Subject::Host) => {
                self.forwards.selected(model).map(|row| row.host.clone())
            }
            (View::Files, Subject::Host) => self.files.side().host.clone(),
            (View::Files, Subject::Ticket) => self.files.ticket.clone(),
            (View::Files, Subject::File) => {
                self.files.selected(model).map(|entry| entry.name.clone())
            }
            (View::Alarms, Subject::Host) => self
                .alarms
                .selected(model)
                .map(|alarm| alarm.target.clone()),
            (_, Subject::Copy) => {
                // One that runs alone is the one that is meant.
                let mut running = model.copies.running();
                let only = running.next()?.id.to_string();
                running.next().is_none().then_some(only)
            }
            _ => None,
        }
    }

    /// What the right of the breadcrumb says: how many rows, how filtered, how many marked.
    pub(crate) fn summary(&self, view: &View, model: &Model) -> String {
        match view {
            View::Tickets => self.tickets.summary(model),
            View::Hosts => words::counted(&self.hosts.list, "host"),
            View::Sessions => words::counted(&self.sessions.list, "session"),
            View::Runs => words::counted(&self.runs.list, "run"),
            View::Books => words::counted(&self.books.list, "runbook"),
            View::Connections => format!(
                "{}, {}",
                words::counted(&self.connections.list, "connection"),
                self.connections.order()
            ),
            View::Forwards => words::counted(&self.forwards.list, "forward"),
            View::Found => self.found.summary(model),
            View::Messages => words::counted(&self.messages.list, "message"),
            View::Alarms => words::counted(&self.alarms.list, "alarm"),
            View::Files => self.files.summary(),
            View::Recording(_) => self.recording.scroll.place().unwrap_or_default(),
            View::Book(_) => self.book.scroll.place().unwrap_or_default(),
            View::Home
            | View::Case(_)
            | View::Host(_)
            | View::Pane(_)
            | View::Connection { .. }
            | View::Sync
            | View::Run(_) => String::new(),
        }
    }

    /// A click into the view; says whether it hit something.
    pub(crate) fn click(&mut self, view: &View, position: Position) -> bool {
        match view {
            View::Home => self.home.doc.click(position.y),
            View::Tickets => self.tickets.click(position),
            View::Case(_) => self.case.doc.click(position.y),
            View::Hosts => self.hosts.click(position),
            View::Host(_) => self.host.doc.click(position.y),
            View::Sessions => self.sessions.click(position),
            View::Runs => self.runs.click(position),
            View::Books => self.books.click(position),
            View::Connections => self.connections.click(position),
            View::Connection { .. } => self.connection.doc.click(position.y),
            View::Forwards => self.forwards.click(position),
            View::Files => self.files.click(position),
            View::Alarms => self.alarms.click(position),
            View::Found => self.found.click(position),
            View::Messages => self.messages.click(position),
            View::Sync => self.sync.doc.click(position.y),
            View::Pane(_) | View::Recording(_) | View::Run(_) | View::Book(_) => false,
        }
    }

    /// A view was just opened: its selection starts where it should.
    pub(crate) fn opened(&mut self, view: &View) {
        match view {
            View::Case(reference) => self.case.opened(reference),
            View::Host(name) => self.host.opened(name),
            View::Run(reference) => self.run.opened(reference),
            View::Recording(_) => self.recording.opened(),
            View::Book(_) => self.book.scroll.top(),
            View::Pane(id) => self.pane.opened(*id),
            View::Connection { host, .. } => self.connection.opened(host),
            View::Home
            | View::Tickets
            | View::Hosts
            | View::Sessions
            | View::Runs
            | View::Books
            | View::Connections
            | View::Forwards
            | View::Files
            | View::Found
            | View::Sync
            | View::Alarms => {}
            View::Messages => self.messages.opened(),
        }
    }
}
