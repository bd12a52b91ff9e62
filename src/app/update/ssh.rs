//! `qd ssh`: one command, or a raw shell, for a command line. On a ticket it is recorded before it goes out.

use std::collections::BTreeMap;

use crate::app::effect::{Effect, Emission, line_of};
use crate::app::event::{LineEvent, LineId};
use crate::app::purpose::{Gather, Purpose, Then};
use crate::app::state::{Call, State};
use crate::command::{Answer, Outcome, SshCommand};
use crate::domain::case::{CaseEvent, EntryKind};
use crate::domain::ids::ReqId;
use crate::domain::op::Value;
use crate::domain::run::Exit;
use crate::ssh::{ExecSpec, Manner, Sink, SshAsk, Stdin, Stream};
use crate::store::Batch;
use crate::term::Size;

use super::{exec, gather, reply, run};

/// How much of the output a ticket's entry keeps, in bytes.
const EVIDENCE: usize = 16 * 1024;

/// The size of a terminal that nobody measured.
const UNSEEN: Size = Size { cols: 80, rows: 24 };

/// Carries out the command.
pub(super) fn execute(
    state: &mut State,
    gather: Gather,
    command: SshCommand,
    fx: &mut Vec<Effect>,
) {
    let Some(line) = line_of(gather.caller) else {
        let text =
            "ssh needs a terminal of its own; press s on a host to open a session here".to_owned();
        return reply(state, gather.caller, Outcome::error(2, text), fx);
    };
    let text = command.command.join(" ");
    let pty = (command.tty || text.is_empty()).then(|| (state.setup.term.clone(), UNSEEN));
    let spec = ExecSpec {
        command: text.clone(),
        stdin: Stdin::Stream,
        sink: Sink::Stream,
        timeout: None,
        pty,
        interactive: true,
        manner: Manner::default(),
    };
    let case = gather.ticket.as_ref().map(|ticket| {
        let what = if text.is_empty() {
            format!("opened a shell on {}", command.host)
        } else {
            format!("is to run {text} on {}", command.host)
        };
        let mut case = CaseEvent::new(
            state.mint.entity(),
            state.model.now,
            EntryKind::Session,
            &state.model.me,
            what,
        );
        (case.ticket, case.host) = (Some(ticket.id), Some(command.host.clone()));
        case.data = BTreeMap::from([("command".to_owned(), Value::from(text.as_str()))]);
        case
    });
    let call = Call {
        line,
        req: state.mint.request(),
        host: command.host,
        spec,
        case,
        kept: Vec::new(),
    };
    match call.case.as_ref().map(CaseEvent::draft) {
        None => launch(state, call, fx),
        Some(draft) => {
            let then = Then::Launch(Box::new(call));
            super::append(
                state,
                Batch {
                    drafts: vec![draft],
                    local: Vec::new(),
                },
                Purpose::Commit(gather.caller, then),
                fx,
            );
        }
    }
}

/// Sends the command out.
pub(super) fn launch(state: &mut State, call: Call, fx: &mut Vec<Effect>) {
    let (req, target, spec) = (
        call.req,
        gather::target(state, &call.host),
        call.spec.clone(),
    );
    state
        .inflight
        .insert(req, state.model.now, Purpose::Call(call.line));
    state.calls.insert(call.line, call);
    fx.push(Effect::Ssh(SshAsk::Exec { req, target, spec }));
}

/// Output goes straight on; the ticket keeps its beginning.
pub(super) fn output(
    state: &mut State,
    line: LineId,
    stream: Stream,
    data: Vec<u8>,
    fx: &mut Vec<Effect>,
) {
    if let Some(call) = state.calls.get_mut(&line) {
        let room = EVIDENCE.saturating_sub(call.kept.len()).min(data.len());
        call.kept.extend_from_slice(&data[..room]);
    }
    fx.push(Effect::Emit(line, Emission::Bytes(stream, data)));
}

/// Tells the command line behind a request, if it is one.
pub(super) fn tell(state: &State, req: ReqId, emission: Emission, fx: &mut Vec<Effect>) {
    if let Some(Purpose::Call(line)) = state.inflight.get(req) {
        fx.push(Effect::Emit(*line, emission));
    }
}

/// The remote end is done.
pub(super) fn done(
    state: &mut State,
    line: LineId,
    exit: &Exit,
    took_ms: u64,
    fx: &mut Vec<Effect>,
) {
    let Some(call) = state.calls.remove(&line) else {
        return;
    };
    let caller = crate::app::event::Caller::Line(line);
    if let Exit::Unreachable(why) = exit {
        fx.push(Effect::Emit(line, Emission::Note(why.clone())));
    }
    let code = u8::try_from(exit.code().clamp(0, 255)).unwrap_or(255);
    match call.case {
        None => reply(
            state,
            caller,
            Outcome {
                answer: Answer::Silent,
                exit: code,
            },
            fx,
        ),
        Some(mut case) => {
            let kept = if call.spec.pty.is_some() {
                &[][..]
            } else {
                &call.kept[..]
            };
            if !call.spec.command.is_empty() {
                let what = if matches!(exit, Exit::Unreachable(_)) {
                    "could not run"
                } else {
                    "ran"
                };
                case.text = format!("{what} {} on {}", call.spec.command, call.host);
            }
            super::finish_case(&mut case, exit, took_ms, kept, state.model.now);
            let batch = Batch {
                drafts: vec![case.draft()],
                local: Vec::new(),
            };
            super::append(state, batch, Purpose::Commit(caller, Then::Exit(code)), fx);
        }
    }
}

/// Something came from the terminal of a command line.
pub(super) fn line(state: &mut State, line: LineId, event: LineEvent, fx: &mut Vec<Effect>) {
    let req = state.calls.get(&line).map(|call| call.req);
    match event {
        LineEvent::Stdin(data) => {
            fx.extend(req.map(|req| Effect::Ssh(SshAsk::Stdin { req, data })))
        }
        LineEvent::Resized(size) => fx.extend(req.map(|req| {
            Effect::Ssh(SshAsk::Window {
                req,
                cols: size.cols,
                rows: size.rows,
            })
        })),
        LineEvent::Answered(question, answer) => {
            super::question::answer(state, question, answer, fx)
        }
        LineEvent::Interrupted => interrupt(state, line, fx),
    }
}

/// Ctrl-C: once asks for an orderly stop, twice stops.
fn interrupt(state: &mut State, line: LineId, fx: &mut Vec<Effect>) {
    let caller = crate::app::event::Caller::Line(line);
    let again = !state.interrupted.insert(line);
    if let Some(call) = state.calls.get(&line) {
        fx.push(Effect::Ssh(SshAsk::Cancel { req: call.req }));
        return;
    }
    let fans: Vec<u64> = state
        .fans
        .iter()
        .filter(|(_, fan)| fan.caller == caller)
        .map(|(number, _)| *number)
        .collect();
    let runs: Vec<_> = state
        .runs
        .iter()
        .filter(|(_, run)| run.caller == caller)
        .map(|(id, _)| *id)
        .collect();
    if fans.is_empty() && runs.is_empty() {
        return reply(
            state,
            caller,
            Outcome::error(130, "interrupted".to_owned()),
            fx,
        );
    }
    if !again {
        fx.push(Effect::Emit(
            line,
            Emission::Note(
                "stopping: what runs may end, nothing new begins; Ctrl-C again cuts it off"
                    .to_owned(),
            ),
        ));
    }
    fans.into_iter()
        .for_each(|number| exec::stop(state, number, again, fx));
    runs.into_iter()
        .for_each(|id| run::stop(state, id, again, fx));
}
