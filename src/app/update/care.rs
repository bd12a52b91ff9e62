//! What the store remembers: the audit, the search, the size report. Also what only the audit keeps: logins, and what was
//! done on hosts without a ticket that tells of it.

use crate::app::effect::Effect;
use crate::app::event::Caller;
use crate::app::purpose::Purpose;
use crate::app::state::State;
use crate::command::{Answer, AuditAsk, CareCommand, Outcome};
use crate::domain::audit::{AuditFact, AuditFilter, Login};
use crate::domain::host::Target;
use crate::domain::time::{Time, parse_span};
use crate::ssh::ConnectionInfo;
use crate::store::{self, Ask};

use super::reply;

/// How long the same login on the same host is not written down again: a host that comes and goes would fill the log.
const SAME: u64 = 3_600_000;

/// Carries out a command.
pub(super) fn execute(
    state: &mut State,
    caller: Caller,
    command: CareCommand,
    fx: &mut Vec<Effect>,
) {
    let ask = match command {
        CareCommand::Audit(ask) => match filter(ask, state.model.now) {
            Ok(filter) => Ask::Audit(filter),
            Err(why) => return reply(state, caller, Outcome::error(2, why), fx),
        },
        CareCommand::Verify => Ask::Chains,
        CareCommand::Search(wanted) => Ask::Search(wanted),
        CareCommand::Size => Ask::Size,
        CareCommand::Purge { .. } | CareCommand::Salvage { .. } => {
            let text = "this works on files; say it in a shell".to_owned();
            return reply(state, caller, Outcome::error(2, text), fx);
        }
    };
    super::ask(state, ask, Purpose::Show(caller), fx);
}

fn filter(ask: AuditAsk, now: Time) -> Result<AuditFilter, String> {
    let time =
        |name: &str, text: Option<String>| text.map(|text| moment(name, &text, now)).transpose();
    Ok(AuditFilter {
        since: time("since", ask.since)?,
        until: time("until", ask.until)?,
        host: ask.host,
        ticket: ask.ticket,
        who: ask.who,
        action: ask.action,
        limit: ask.limit,
    })
}

/// A point in time as people name it.
fn moment(name: &str, text: &str, now: Time) -> Result<Time, String> {
    let back = parse_span(text).and_then(|span| i64::try_from(span).ok());
    back.map(|back| now.plus(-back))
        .or_else(|| Time::parse(text))
        .or_else(|| Time::day(text))
        .ok_or_else(|| {
            format!("--{name} {text:?} is no time; write 2d, 2026-11-23 or 2026-11-23T10:00:00Z")
        })
}

/// What the store answered, as the outcome of a command; the answer back when it belongs to another noun.
pub(super) fn outcome(answer: store::Answer) -> Result<Outcome, store::Answer> {
    Ok(match answer {
        store::Answer::Audit(rows) => Outcome::ok(Answer::Audit(rows)),
        store::Answer::Chains(chains) => Outcome {
            exit: u8::from(chains.iter().any(|chain| chain.broken.is_some())),
            answer: Answer::Chains(chains),
        },
        store::Answer::Search(found) => Outcome {
            // As of grep.
            exit: u8::from(found.hits.is_empty()),
            answer: Answer::Found(found),
        },
        store::Answer::Size(rows) => Outcome::ok(Answer::Size(rows)),
        other => return Err(other),
    })
}

/// A connection is up: who logged in where and with what is written down.
pub(super) fn connected(
    state: &mut State,
    target: &Target,
    info: &ConnectionInfo,
    fx: &mut Vec<Effect>,
) {
    if state.setup.read_only {
        return;
    }
    let login = Login {
        host: target.name.clone(),
        user: info.user.clone(),
        address: info.address.clone(),
        port: info.port,
        via: info.via.clone(),
        method: info.auth.clone(),
        fingerprint: info.fingerprint.clone(),
    };
    let now = state.model.now;
    let known = state.logins.get(&login.host);
    if known.is_some_and(|(at, known)| *known == login && now.since(*at) < SAME) {
        return;
    }
    state
        .logins
        .insert(login.host.clone(), (now, login.clone()));
    note(state, &AuditFact::Login(login), fx);
}

/// Writes down what was done on hosts where no ticket tells of it.
pub(super) fn did(
    state: &mut State,
    action: &'static str,
    hosts: Vec<String>,
    text: String,
    fx: &mut Vec<Effect>,
) {
    if !state.setup.read_only {
        let fact = AuditFact::Did {
            action,
            hosts,
            text,
        };
        note(state, &fact, fx);
    }
}

fn note(state: &mut State, fact: &AuditFact, fx: &mut Vec<Effect>) {
    let id = state.mint.entity();
    let draft = fact.draft(id, state.model.now, &state.model.me);
    super::append(state, vec![draft].into(), Purpose::Audit, fx);
}
