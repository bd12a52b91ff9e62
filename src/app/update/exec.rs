//! One command on many hosts: so many at a time, each host's output kept apart, an honest sum at the end.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::app::effect::{Effect, Emission, line_of};
use crate::app::purpose::{Gather, Purpose, Then};
use crate::app::state::{Fan, FanOutput, FanResult, State};
use crate::command::{Answer, ExecCommand, Outcome};
use crate::domain::case::{CaseEvent, EntryKind};
use crate::domain::ids::{ReqId, TicketId};
use crate::domain::op::{Draft, Value};
use crate::domain::run::{Cell, CellState, Exit};
use crate::domain::time::parse_span;
use crate::ssh::{ExecSpec, Manner, Sink, SshAsk, Stdin, Stream};

use super::{gather, reply};

/// How much of a host's output is kept for folding and for the answer, in bytes.
const KEPT: usize = 1024 * 1024;

/// Hosts at once when nobody says otherwise.
pub(super) const FORKS: usize = 10;

/// Carries out the command.
pub(super) fn execute(
    state: &mut State,
    gather: Gather,
    command: ExecCommand,
    fx: &mut Vec<Effect>,
) {
    let caller = gather.caller;
    let prepared = gather::chosen(state, &command.pattern, &gather).and_then(|chosen| {
        let read = command.text.clone().or_else(|| gather.bytes.clone());
        let script = read.unwrap_or_default();
        Ok((chosen, spec(&command, script, state.may_ask(caller))?))
    });
    let (chosen, spec) = match prepared {
        Ok(prepared) => prepared,
        Err(why) => return reply(state, caller, Outcome::error(2, why), fx),
    };
    gather::tell(caller, &chosen.notes, fx);
    let cases = match &gather.ticket {
        Some(ticket) => entries(state, ticket.id, &chosen.hosts, &spec.command),
        None => BTreeMap::new(),
    };
    let drafts: Vec<_> = cases.values().map(CaseEvent::draft).collect();
    let (hosts, text) = (chosen.hosts.clone(), spec.command.clone());
    let number = state.mint.request().0;
    let fan = Fan {
        caller,
        command,
        spec,
        waiting: VecDeque::from(chosen.hosts),
        running: BTreeMap::new(),
        results: Vec::new(),
        output: BTreeMap::new(),
        cases,
        stopped: false,
        skipped: Vec::new(),
        records: 0,
        unrecorded: false,
    };
    state.fans.insert(number, fan);
    if drafts.is_empty() {
        super::care::did(state, "command", hosts, text, fx);
        launch(state, number, fx);
    } else {
        // Intent is durable before the first command goes out.
        super::append(
            state,
            drafts.into(),
            Purpose::Commit(caller, Then::Fan(number)),
            fx,
        );
    }
}

/// What runs on each host.
fn spec(command: &ExecCommand, script: Vec<u8>, interactive: bool) -> Result<ExecSpec, String> {
    let timeout = match &command.timeout {
        None => None,
        Some(text) => Some(parse_span(text).ok_or_else(|| {
            format!("{text:?} is no span of time; write for example 30s or 5min")
        })?),
    };
    let (text, stdin) = match &command.script {
        Some(_) => ("exec sh".to_owned(), Stdin::Bytes(script)),
        None => (command.command.join(" "), Stdin::None),
    };
    let timeout = timeout.map(Duration::from_millis);
    Ok(ExecSpec {
        command: text,
        stdin,
        sink: Sink::Stream,
        timeout,
        pty: None,
        interactive,
        background: false,
        along: None,
        manner: Manner::default(),
    })
}

/// An entry on the ticket for each host.
fn entries(
    state: &mut State,
    ticket: TicketId,
    hosts: &[String],
    text: &str,
) -> BTreeMap<String, CaseEvent> {
    let mut cases = BTreeMap::new();
    for host in hosts {
        let id = state.mint.entity();
        let words = format!("is to run {text} on {host}");
        let mut case = CaseEvent::new(
            id,
            state.model.now,
            EntryKind::Session,
            &state.model.me,
            words,
        );
        (case.ticket, case.host) = (Some(ticket), Some(host.clone()));
        case.data.insert("command".to_owned(), Value::from(text));
        cases.insert(host.clone(), case);
    }
    cases
}

/// Starts as many hosts as may run at once.
pub(super) fn launch(state: &mut State, number: u64, fx: &mut Vec<Effect>) {
    loop {
        let Some(fan) = state.fans.get_mut(&number) else {
            return;
        };
        if fan.stopped || fan.running.len() >= fan.command.forks.unwrap_or(FORKS) {
            break;
        }
        let Some(host) = fan.waiting.pop_front() else {
            break;
        };
        let spec = fan.spec.clone();
        let req = state.mint.request();
        state
            .inflight
            .insert(req, state.model.now, Purpose::Fan(number, host.clone()));
        if let Some(fan) = state.fans.get_mut(&number) {
            fan.running.insert(host.clone(), req);
        }
        let target = gather::target(state, &host);
        fx.push(Effect::Ssh(SshAsk::Exec { req, target, spec }));
    }
    finish_if_done(state, number, fx);
}

/// Takes a part of a host's output: whole lines go out at once, the rest waits for its end.
pub(super) fn output(
    state: &mut State,
    number: u64,
    host: &str,
    stream: Stream,
    data: &[u8],
    fx: &mut Vec<Effect>,
) {
    let Some(fan) = state.fans.get_mut(&number) else {
        return;
    };
    let line = line_of(fan.caller).filter(|_| !fan.command.fold);
    let kept = fan.output.entry(host.to_owned()).or_default();
    let room = KEPT.saturating_sub(kept.kept.len()).min(data.len());
    kept.kept.extend_from_slice(&data[..room]);
    kept.dropped += (data.len() - room) as u64;
    let Some(line) = line else { return };
    let partial = &mut kept.partial[usize::from(stream == Stream::Err)];
    partial.extend_from_slice(data);
    while let Some(end) = partial
        .iter()
        .position(|byte| *byte == b'\n')
        .or_else(|| (partial.len() > KEPT).then_some(KEPT))
    {
        let rest = partial.split_off(end + 1);
        let mut whole = std::mem::replace(partial, rest);
        if whole.last() == Some(&b'\n') {
            whole.pop();
        }
        fx.push(Effect::Emit(
            line,
            Emission::HostLine {
                host: host.to_owned(),
                stream,
                line: whole,
            },
        ));
    }
}

/// A host has ended.
pub(super) fn done(
    state: &mut State,
    number: u64,
    host: &str,
    exit: Exit,
    took_ms: u64,
    fx: &mut Vec<Effect>,
) {
    let now = state.model.now;
    let Some(fan) = state.fans.get_mut(&number) else {
        return;
    };
    fan.running.remove(host);
    if let (Some(line), Some(output)) = (line_of(fan.caller), fan.output.get_mut(host)) {
        for (stream, partial) in [Stream::Out, Stream::Err]
            .into_iter()
            .zip(&mut output.partial)
        {
            if !partial.is_empty() {
                let rest = std::mem::take(partial);
                fx.push(Effect::Emit(
                    line,
                    Emission::HostLine {
                        host: host.to_owned(),
                        stream,
                        line: rest,
                    },
                ));
            }
        }
    }
    if let Some(line) = line_of(fan.caller) {
        fx.push(Effect::Emit(
            line,
            Emission::HostDone {
                host: host.to_owned(),
                exit: exit.clone(),
                took_ms,
            },
        ));
    }
    if let Some(case) = fan.cases.get_mut(host) {
        let what = if matches!(exit, Exit::Unreachable(_)) {
            "could not run"
        } else {
            "ran"
        };
        case.text = format!("{what} {} on {host}", fan.spec.command);
        let output = fan.output.get(host).map_or(&[][..], |output| &output.kept);
        super::finish_case(case, &exit, took_ms, output, now);
        let draft = case.draft();
        record(state, number, draft, fx);
    }
    if let Some(fan) = state.fans.get_mut(&number) {
        fan.results.push(FanResult {
            host: host.to_owned(),
            exit,
            took_ms,
        });
    }
    launch(state, number, fx);
}

/// A person asked to stop: nothing new begins; asked twice, what runs is cut off.
pub(super) fn stop(state: &mut State, number: u64, at_once: bool, fx: &mut Vec<Effect>) {
    let Some(fan) = state.fans.get_mut(&number) else {
        return;
    };
    fan.stopped = true;
    if at_once {
        let requests: Vec<ReqId> = fan.running.values().copied().collect();
        fx.extend(
            requests
                .into_iter()
                .map(|req| Effect::Ssh(SshAsk::Cancel { req })),
        );
    }
    finish_if_done(state, number, fx);
}

/// Writes what became of a host to its ticket; the fan-out is not over before that is durable.
fn record(state: &mut State, number: u64, draft: Draft, fx: &mut Vec<Effect>) {
    if let Some(fan) = state.fans.get_mut(&number) {
        fan.records += 1;
    }
    super::append(state, vec![draft].into(), Purpose::Entry(number), fx);
}

/// An entry is durable, or could not be written.
pub(super) fn recorded(state: &mut State, number: u64, lost: Option<String>, fx: &mut Vec<Effect>) {
    let Some(fan) = state.fans.get_mut(&number) else {
        return;
    };
    fan.records = fan.records.saturating_sub(1);
    if let Some(why) = lost {
        fan.unrecorded = true;
        if let Some(line) = line_of(fan.caller) {
            let text = format!("what happened could not be written to the ticket: {why}");
            fx.push(Effect::Emit(line, Emission::Note(text)));
        }
    }
    finish_if_done(state, number, fx);
}

fn finish_if_done(state: &mut State, number: u64, fx: &mut Vec<Effect>) {
    let over = |fan: &Fan| fan.running.is_empty() && (fan.stopped || fan.waiting.is_empty());
    if !state.fans.get(&number).is_some_and(over) {
        return;
    }
    passed_over(state, number, fx);
    if state.fans.get(&number).is_some_and(|fan| fan.records > 0) {
        return;
    }
    let Some(mut fan) = state.fans.remove(&number) else {
        return;
    };
    let exit = exit_code(&fan.results, fan.skipped.len(), fan.command.largest);
    let exit = if fan.unrecorded { exit.max(1) } else { exit };
    let text = fan.spec.command.clone();
    let mut cells: Vec<Cell> = Vec::new();
    for result in &fan.results {
        let output = fan.output.remove(&result.host).unwrap_or_default();
        cells.push(cell(result, &text, &output));
    }
    cells.extend(
        fan.skipped
            .into_iter()
            .map(|host| skipped_cell(host, &text)),
    );
    let answer = Answer::Exec(cells);
    reply(state, fan.caller, Outcome { answer, exit }, fx);
}

/// Hosts that never had their turn are told so on the ticket, which had announced them.
fn passed_over(state: &mut State, number: u64, fx: &mut Vec<Effect>) {
    let Some(fan) = state.fans.get_mut(&number) else {
        return;
    };
    let mut drafts = Vec::new();
    for host in fan.waiting.drain(..) {
        if let Some(case) = fan.cases.get_mut(&host) {
            case.text = format!(
                "did not run {} on {host}: stopped before its turn",
                fan.spec.command
            );
            case.data.insert("state".to_owned(), Value::from("skipped"));
            drafts.push(case.draft());
        }
        fan.skipped.push(host);
    }
    for draft in drafts {
        record(state, number, draft, fx);
    }
}

/// 0 when all succeeded, 255 when none was reached, else 1; or the largest exit code, when that is wanted.
fn exit_code(results: &[FanResult], skipped: usize, largest: bool) -> u8 {
    if largest {
        let code = results
            .iter()
            .map(|result| result.exit.code())
            .max()
            .unwrap_or(0);
        return u8::try_from(code.clamp(0, 255)).unwrap_or(255);
    }
    let reached = results
        .iter()
        .filter(|result| !matches!(result.exit, Exit::Unreachable(_)))
        .count();
    if results.is_empty() && skipped > 0 {
        // Stopped by a person before any host ended.
        130
    } else if reached == 0 {
        255
    } else if skipped == 0 && results.iter().all(|result| result.exit.is_ok()) {
        0
    } else {
        1
    }
}

fn cell(result: &FanResult, command: &str, output: &FanOutput) -> Cell {
    let (state, reason) = match &result.exit {
        Exit::Code(0) => (CellState::Ok, String::new()),
        Exit::Unreachable(why) => (CellState::Unreachable, why.clone()),
        Exit::TimedOut => (CellState::Failed, "timed out".to_owned()),
        Exit::Cancelled => (CellState::Failed, "cancelled".to_owned()),
        Exit::Signal(name) => (CellState::Failed, format!("ended by SIG{name}")),
        Exit::Code(_) => (CellState::Failed, String::new()),
    };
    Cell {
        host: result.host.clone(),
        step: command.to_owned(),
        index: 0,
        state,
        exit: Some(result.exit.code()),
        attempt: 1,
        started: None,
        took_ms: Some(result.took_ms),
        output: String::from_utf8_lossy(&output.kept).into_owned(),
        dropped: output.dropped,
        reason,
    }
}

fn skipped_cell(host: String, command: &str) -> Cell {
    Cell {
        host,
        step: command.to_owned(),
        index: 0,
        state: CellState::Skipped,
        exit: None,
        attempt: 0,
        started: None,
        took_ms: None,
        output: String::new(),
        dropped: 0,
        reason: "stopped before its turn".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(exit: Exit) -> FanResult {
        FanResult {
            host: "web1".to_owned(),
            exit,
            took_ms: 1,
        }
    }

    #[test]
    fn the_sum_is_honest() {
        let gone = || result(Exit::Unreachable("no route".to_owned()));
        for (results, skipped, largest, expected) in [
            (
                vec![result(Exit::Code(0)), result(Exit::Code(0))],
                0,
                false,
                0,
            ),
            (
                vec![result(Exit::Code(0)), result(Exit::Code(7))],
                0,
                false,
                1,
            ),
            (vec![result(Exit::Code(0)), gone()], 0, false, 1),
            (vec![gone(), gone()], 0, false, 255),
            (vec![], 3, false, 130),
            (vec![result(Exit::Code(0))], 1, false, 1),
            (
                vec![result(Exit::Code(3)), result(Exit::Code(7))],
                0,
                true,
                7,
            ),
            (
                vec![
                    result(Exit::Signal("KILL".to_owned())),
                    result(Exit::Code(0)),
                ],
                0,
                true,
                137,
            ),
        ] {
            assert_eq!(
                exit_code(&results, skipped, largest),
                expected,
                "{results:?}"
            );
        }
    }
}
