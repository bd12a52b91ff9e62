//! Tickets: what a command about them writes and answers.

use crate::app::effect::Effect;
use crate::app::event::Caller;
use crate::app::purpose::{Gather, Purpose, Then};
use crate::app::state::State;
use crate::command::{Answer, ChangeContext, Outcome, TicketChange, TicketCommand, new_ticket};
use crate::domain::audit::AuditFact;
use crate::domain::case::{CaseEvent, EntryKind};
use crate::domain::ids::TicketId;
use crate::domain::op::{Draft, Entity, EntityKind};
use crate::domain::query::Query;
use crate::domain::ticket::Ticket;
use crate::store::{Ask, Batch};

use super::{gather, reply};

/// Carries out a command for which everything was gathered.
pub(super) fn execute(
    state: &mut State,
    gather: Gather,
    command: TicketCommand,
    fx: &mut Vec<Effect>,
) {
    let caller = gather.caller;
    match (command, gather.ticket) {
        (TicketCommand::List { query }, _) => list(state, caller, &query, fx),
        (TicketCommand::Add { title, change }, _) => {
            let hosts = match gather::linked_hosts(state, &change.host, &gather.ticket_hosts) {
                Ok(hosts) => hosts,
                Err(why) => return reply(state, caller, Outcome::error(2, why), fx),
            };
            add(state, caller, &title, &change, &hosts, fx);
        }
        (TicketCommand::Show { .. }, Some(ticket)) => reply(
            state,
            caller,
            Outcome::ok(Answer::Ticket(Box::new(ticket))),
            fx,
        ),
        (TicketCommand::Comment { text, .. }, Some(ticket)) => {
            if text.trim().is_empty() {
                return reply(
                    state,
                    caller,
                    Outcome::error(
                        2,
                        "the comment is empty; say something, or leave it".to_owned(),
                    ),
                    fx,
                );
            }
            let note = note(state, ticket.id, &text);
            commit(state, caller, ticket.reference, vec![note], fx);
        }
        (TicketCommand::Edit { change, .. }, Some(ticket)) => {
            let hosts = match gather::linked_hosts(state, &change.host, &gather.ticket_hosts) {
                Ok(hosts) => hosts,
                Err(why) => return reply(state, caller, Outcome::error(2, why), fx),
            };
            let links: Vec<String> = gather
                .links
                .into_values()
                .filter(|link| *link != ticket.reference)
                .collect();
            edit(state, caller, ticket, &change, (&hosts, &links), fx);
        }
        (
            TicketCommand::Show { reference }
            | TicketCommand::Edit { reference, .. }
            | TicketCommand::Comment { reference, .. },
            None,
        ) => {
            reply(
                state,
                caller,
                Outcome::error(3, format!("there is no ticket {reference}")),
                fx,
            );
        }
    }
}

fn list(state: &mut State, caller: Caller, words: &[String], fx: &mut Vec<Effect>) {
    match Query::parse(words, state.model.now, &state.model.me) {
        Err(why) => reply(state, caller, Outcome::error(2, why.to_string()), fx),
        Ok(query) => super::ask(
            state,
            Ask::Tickets { query, limit: None },
            Purpose::Show(caller),
            fx,
        ),
    }
}

fn add(
    state: &mut State,
    caller: Caller,
    title: &str,
    change: &TicketChange,
    hosts: &[String],
    fx: &mut Vec<Effect>,
) {
    let id = TicketId(state.mint.entity());
    let cx = ChangeContext {
        now: state.model.now,
        me: &state.model.me,
        hosts,
        links: &[],
    };
    match new_ticket(id, title, change, cx) {
        Err(why) => reply(state, caller, Outcome::error(2, why), fx),
        Ok(mut drafts) => {
            let id = state.mint.entity();
            drafts.push(AuditFact::Author.draft(id, state.model.now, &state.model.me));
            commit(state, caller, String::new(), drafts, fx);
        }
    }
}

fn edit(
    state: &mut State,
    caller: Caller,
    ticket: Ticket,
    change: &TicketChange,
    (hosts, links): (&[String], &[String]),
    fx: &mut Vec<Effect>,
) {
    let cx = ChangeContext {
        now: state.model.now,
        me: &state.model.me,
        hosts,
        links,
    };
    let edited = match change.edit(&ticket, cx) {
        Ok(edited) => edited,
        Err(why) => return reply(state, caller, Outcome::error(2, why), fx),
    };
    let mut drafts = edited.drafts;
    if !drafts.is_empty() {
        let id = state.mint.entity();
        let mut event = CaseEvent::new(
            id,
            state.model.now,
            EntryKind::Edit,
            &state.model.me,
            edited.summary,
        );
        event.ticket = Some(ticket.id);
        drafts.push(event.draft());
    }
    if let Some(text) = change
        .comment
        .as_deref()
        .filter(|text| !text.trim().is_empty())
    {
        drafts.push(note(state, ticket.id, text));
    }
    if drafts.is_empty() {
        return reply(
            state,
            caller,
            Outcome::ok(Answer::Ticket(Box::new(ticket))),
            fx,
        );
    }
    commit(state, caller, ticket.reference, drafts, fx);
}

fn note(state: &State, ticket: TicketId, text: &str) -> Draft {
    Draft::Note {
        entity: Entity {
            kind: EntityKind::Ticket,
            id: ticket.0,
        },
        kind: EntryKind::Comment.word().to_owned(),
        author: state.model.me.clone(),
        text: text.to_owned(),
        at: state.model.now.0,
    }
}

fn commit(
    state: &mut State,
    caller: Caller,
    reference: String,
    drafts: Vec<Draft>,
    fx: &mut Vec<Effect>,
) {
    super::append(
        state,
        Batch {
            drafts,
            local: Vec::new(),
        },
        Purpose::Commit(caller, Then::Ticket(reference)),
        fx,
    );
}
