//! Sessions: opened after their record is durable, recorded, and closed with what became of them.

use crate::app::effect::Effect;
use crate::app::event::Caller;
use crate::app::purpose::{Gather, Purpose, Then};
use crate::app::recordings;
use crate::app::state::{LiveSession, State};
use crate::command::{Answer, Outcome, SessionCommand, Spot};
use crate::domain::case::{CaseEvent, EntryKind};
use crate::domain::host;
use crate::domain::ids::SessionId;
use crate::domain::op::{Draft, Entity, EntityKind, Value};
use crate::domain::run::Exit;
use crate::domain::session::{SessionFact, SessionRow};
use crate::model::{SessionState, SessionView};
use crate::ssh::SshAsk;
use crate::store::{Ask, Batch, Committed};
use crate::term::{Size, cast};

use super::{fetched, gather, recording, reply, script};

/// The size of a pane that no window has measured yet.
pub(super) const UNSEEN: Size = Size { cols: 80, rows: 24 };

/// Sessions that are lost within so many milliseconds are lost together.
const TOGETHER: u64 = 2_000;

/// What a shell on this machine is listed under, instead of a host.
pub(crate) const HERE: &str = "this machine";

/// Carries out a command for which everything was gathered.
pub(super) fn execute(
    state: &mut State,
    gather: Gather,
    command: SessionCommand,
    fx: &mut Vec<Effect>,
) {
    let caller = gather.caller;
    match command {
        SessionCommand::List => super::ask(
            state,
            Ask::Sessions { limit: None },
            Purpose::Show(caller),
            fx,
        ),
        SessionCommand::Open { host, .. } => open(state, &gather, host, false, fx),
        SessionCommand::Local { .. } => open(state, &gather, HERE.to_owned(), true, fx),
        SessionCommand::Close { reference } => script::close(state, &gather, &reference, fx),
        SessionCommand::Send {
            reference,
            text,
            keys,
        } => script::send(state, &gather, &reference, text, keys, fx),
        SessionCommand::Capture {
            reference,
            scrollback,
            ansi,
        } => script::capture(state, &gather, &reference, (scrollback, ansi), fx),
        SessionCommand::Wait {
            reference,
            pattern,
            timeout_ms,
        } => script::wait(state, &gather, &reference, pattern, timeout_ms, fx),
        SessionCommand::Attach { reference } => {
            let reference = reference.unwrap_or_default();
            let outcome = script::attachable(state, &gather, &reference);
            reply(state, caller, outcome, fx);
        }
        SessionCommand::Record { reference, on } => {
            recording::record(state, &gather, &reference, on, fx);
        }
        SessionCommand::Mark { reference, text } => {
            recording::mark(state, &gather, &reference, &text, fx);
        }
        SessionCommand::Replay { reference, how } => {
            recording::replay(state, &gather, &reference, how, fx);
        }
        SessionCommand::Export { format, output, .. } => {
            recording::export(state, &gather, format, output, fx);
        }
        SessionCommand::Fetch { silent, .. } => fetched::done(state, &gather, silent, fx),
        SessionCommand::Search(search) => recording::search(state, caller, search, fx),
        SessionCommand::Show { reference } => match gather.session {
            None => reply(
                state,
                caller,
                Outcome::error(3, format!("there is no session {reference}")),
                fx,
            ),
            Some(session) => {
                let text = String::from_utf8_lossy(&gather.bytes.unwrap_or_default()).into_owned();
                let text = match cast::read(&text) {
                    Err(_) if gather.gone.is_some() => unread(&session, gather.gone),
                    Ok(recorded) => cast::text(&recorded),
                    Err(_) if text.is_empty() => String::new(),
                    Err(why) => format!("(the recording cannot be read: {why})"),
                };
                reply(
                    state,
                    caller,
                    Outcome::ok(Answer::Session {
                        session: Box::new(session),
                        text,
                    }),
                    fx,
                );
            }
        },
    }
}

/// The reference in a command, if it has one.
pub(super) fn named(command: &SessionCommand) -> Option<&str> {
    match command {
        SessionCommand::Show { reference }
        | SessionCommand::Send { reference, .. }
        | SessionCommand::Close { reference }
        | SessionCommand::Capture { reference, .. }
        | SessionCommand::Wait { reference, .. }
        | SessionCommand::Record { reference, .. }
        | SessionCommand::Mark { reference, .. }
        | SessionCommand::Replay { reference, .. }
        | SessionCommand::Fetch { reference, .. }
        | SessionCommand::Export { reference, .. } => Some(reference),
        SessionCommand::Attach { reference } => reference.as_deref(),
        SessionCommand::Open { .. }
        | SessionCommand::Local { .. }
        | SessionCommand::List
        | SessionCommand::Search(_) => None,
    }
}

/// Whether a command cannot do without what the store knows of its session: one that a pane of ours stands for often can.
pub(super) fn needs_row(state: &State, command: &SessionCommand) -> bool {
    let recorded = matches!(
        command,
        SessionCommand::Show { .. }
            | SessionCommand::Replay { .. }
            | SessionCommand::Export { .. }
            | SessionCommand::Fetch { .. }
    );
    let ended = |view: &SessionView| matches!(view.state, SessionState::Closed(_));
    let waits = matches!(command, SessionCommand::Wait { .. });
    named(command).is_some_and(|reference| {
        let pane = script::pane(state, reference);
        recorded || pane.is_none() || (waits && pane.is_some_and(ended))
    })
}

fn open(state: &mut State, gather: &Gather, host: String, local: bool, fx: &mut Vec<Effect>) {
    open_at(state, gather, host, local, Spot::Own, fx);
}

/// Opens a session in a certain place of the tabs.
pub(super) fn open_at(
    state: &mut State,
    gather: &Gather,
    host: String,
    local: bool,
    spot: Spot,
    fx: &mut Vec<Effect>,
) {
    let id = SessionId(state.mint.entity());
    let (now, me) = (state.model.now, state.model.me.clone());
    let recording = format!("{id}.cast");
    let name = if local { "local" } else { &host };
    let recorded = !host::listed(&state.setup.recording.off, name);
    let ticket = gather.ticket.as_ref();
    let mut case = CaseEvent::new(
        state.mint.entity(),
        now,
        EntryKind::Session,
        &me,
        format!("opened a shell on {host}"),
    );
    (case.ticket, case.host, case.session) =
        (ticket.map(|ticket| ticket.id), Some(host.clone()), Some(id));
    let opened = SessionFact::Opened {
        at: now,
        host: host.clone(),
        ticket: case.ticket,
        recording: recorded.then(|| recording.clone()),
        author: me,
    };
    let drafts = vec![
        opened.draft(id),
        Draft::Reference {
            entity: Entity {
                kind: EntityKind::Session,
                id: id.0,
            },
        },
        case.draft(),
    ];
    let mut view = opening(id, &host, ticket.map(|ticket| ticket.reference.clone()));
    view.recording = recorded;
    state.model.sessions.push(view);
    state.sessions.insert(
        id,
        LiveSession {
            caller: gather.caller,
            case,
            recording,
            host,
            local,
            told: false,
        },
    );
    fx.push(Effect::Hold(id.0));
    super::append(
        state,
        Batch {
            drafts,
            local: Vec::new(),
        },
        Purpose::Commit(gather.caller, Then::Open(id)),
        fx,
    );
    super::layout::place(state, gather.caller, id, spot, fx);
}

/// The record of a session is durable: its shell may be opened.
pub(super) fn launch(
    state: &mut State,
    id: SessionId,
    committed: &Committed,
    fx: &mut Vec<Effect>,
) {
    let reference = committed
        .references
        .iter()
        .find(|(entity, _)| *entity == id.0)
        .map(|(_, reference)| reference.clone())
        .unwrap_or_default();
    let Some(live) = state.sessions.get(&id) else {
        return;
    };
    let told = reference.clone();
    if state.model.session(id).is_none() {
        // Its pane was dismissed before its record was written.
        return closed(state, id, &Exit::Cancelled, 0, None, fx);
    }
    let (host, local) = (live.host.clone(), live.local);
    let recording = state.setup.recordings.join(&live.recording);
    let mut recorded = true;
    if let Some(view) = state.model.session_mut(id) {
        view.reference = reference;
        recorded = view.recording;
    }
    let recording = recorded.then_some(recording);
    if state.model.session(id).is_some_and(|view| view.quiet) {
        fx.push(Effect::Ssh(SshAsk::Quietly { session: id }));
    }
    let after = state.model.session(id).and_then(|view| view.instead);
    fx.extend(after.map(|after| Effect::Ssh(SshAsk::Follow { session: id, after })));
    // What is asked for now is what it has, so that a window that shows it later can tell the difference.
    let size = *state.pane_sizes.entry(id).or_insert(UNSEEN);
    let term = state.setup.term.clone();
    fx.push(Effect::Ssh(if local {
        SshAsk::OpenLocal {
            session: id,
            program: Vec::new(),
            size,
            term,
            recording,
            reference: told,
        }
    } else {
        SshAsk::Open {
            session: id,
            target: gather::target(state, &host),
            size,
            term,
            recording,
        }
    }));
}

/// The shell is there: whoever opened it by a command line is told its reference.
pub(super) fn opened(state: &mut State, id: SessionId, agent: bool, fx: &mut Vec<Effect>) {
    let Some(view) = state.model.session_mut(id) else {
        return;
    };
    view.agent = agent;
    view.state = SessionState::Live;
    let reference = view.reference.clone();
    super::layout::arrived(state, id, fx);
    let Some(live) = state.sessions.get_mut(&id) else {
        return;
    };
    if !std::mem::replace(&mut live.told, true) {
        let caller = live.caller;
        let answer = Answer::Opened {
            reference,
            host: live.host.clone(),
        };
        tell(state, caller, Outcome::ok(answer), fx);
    }
}

/// Tells a command line; a window sees the pane itself.
fn tell(state: &mut State, caller: Caller, outcome: Outcome, fx: &mut Vec<Effect>) {
    if let Caller::Line(_) = caller {
        reply(state, caller, outcome, fx);
    }
}

/// The record could not be written: nothing is opened.
pub(super) fn refused(state: &mut State, id: SessionId, why: &str, fx: &mut Vec<Effect>) {
    state.sessions.remove(&id);
    let words = format!("not opened: {why}");
    if !super::layout::failed(state, id, &words, fx)
        && let Some(view) = state.model.session_mut(id)
    {
        view.state = SessionState::Closed(words);
    }
    fx.push(Effect::Release(id.0));
}

/// The shell has ended, or never began.
pub(super) fn closed(
    state: &mut State,
    id: SessionId,
    exit: &Exit,
    bytes: u64,
    recording_error: Option<String>,
    fx: &mut Vec<Effect>,
) {
    let now = state.model.now;
    let words = super::exit_words(exit);
    script::ended(state, id, exit, fx);
    if let Some(view) = state.model.session_mut(id) {
        view.state = SessionState::Closed(words.clone());
        view.exit = Some(exit.code());
    }
    super::broadcast::lost(state, id, &words, fx);
    super::alert::closed(state, id);
    let told = super::layout::failed(state, id, &words, fx);
    let Some(mut live) = state.sessions.remove(&id) else {
        return;
    };
    live.case
        .data
        .insert("exit".to_owned(), Value::Int(exit.code().into()));
    live.case.data.insert(
        "took_ms".to_owned(),
        Value::Int(i64::try_from(now.since(live.case.at)).unwrap_or(i64::MAX)),
    );
    live.case.data.insert(
        "bytes".to_owned(),
        Value::Int(i64::try_from(bytes).unwrap_or(i64::MAX)),
    );
    let closed = SessionFact::Closed {
        at: now,
        exit: Some(exit.code().into()),
        bytes,
        reason: words.clone(),
    };
    let batch = Batch {
        drafts: vec![closed.draft(id), live.case.draft()],
        local: Vec::new(),
    };
    super::append(state, batch, Purpose::Ended(id), fx);
    if let Some(why) = recording_error {
        super::warn(
            state,
            format!(
                "the recording of the session on {} is incomplete: {why}",
                live.host
            ),
        );
    }
    if !live.told {
        let caller = live.caller;
        tell(state, caller, Outcome::error(255, words.clone()), fx);
    }
    // The pane that it should have taken the place of says it itself.
    if matches!(exit, Exit::Unreachable(_)) && !told {
        let words = format!("{}: {words}", live.host);
        // Many sessions on one connection are lost together; that is one thing to say.
        let said = state.model.notices.last();
        if said.is_none_or(|said| said.text != words || now.since(said.at) > TOGETHER) {
            super::warn(state, words);
        }
    }
}

/// What is said of a recording that cannot be read.
fn unread(session: &SessionRow, why: Option<String>) -> String {
    let why = why.unwrap_or_default();
    let never = session.recording.is_none() && why == recordings::GONE;
    format!("({})", if never { recordings::NEVER } else { &why })
}

fn opening(id: SessionId, host: &str, ticket: Option<String>) -> SessionView {
    SessionView {
        state: SessionState::Opening("connecting".to_owned()),
        ..SessionView::opening(id, host, ticket)
    }
}
