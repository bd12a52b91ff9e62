//! `qd ssh`: one command, or a raw shell, for a command line. On a ticket it is recorded before it goes out.

use std::collections::BTreeMap;

use crate::app::effect::{Effect, Emission, line_of};
use crate::app::event::{Caller, LineEvent, LineId};
use crate::app::purpose::{Gather, Purpose, Then};
use crate::app::state::{Call, State};
use crate::command::{Answer, Outcome, SshCommand, Tty, escape_char};
use crate::domain::case::{CaseEvent, EntryKind};
use crate::domain::host::{self, Effective, Target};
use crate::domain::ids::{ReqId, TicketId};
use crate::domain::op::Value;
use crate::domain::run::Exit;
use crate::ssh::{
    Along, ConnectionInfo, ExecSpec, Manner, SessionKind, Sink, SshAsk, SshFact, Stdin, Stream,
};
use crate::store::Batch;
use crate::term::Size;

use super::{copy, exec, forward, gather, reply, run};

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
    let none = Effective::default();
    let effective = match gather.effective.get(&command.host) {
        Some(Ok(effective)) => effective,
        // Whatever is wrong with them is told when the connection is made.
        Some(Err(_)) | None => &none,
    };
    let call = match Manners::of(&command, effective) {
        Ok(call) => call,
        Err(why) => return reply(state, gather.caller, Outcome::error(2, why), fx),
    };
    let spec = spec(state, gather.caller, &command, &call);
    let case = gather
        .ticket
        .as_ref()
        .map(|ticket| announced(state, ticket.id, &command.host, &text));
    fx.extend(call.notes.into_iter().map(|note| Effect::Emit(line, note)));
    let here = host::listed(&state.system_hosts, &command.host)
        .then(|| argv(state, &command, call.kind, &text));
    let call = Call {
        line,
        req: state.mint.request(),
        host: command.host,
        spec,
        escape: call.escape,
        here,
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

/// What is asked of the host.
fn spec(state: &State, caller: Caller, command: &SshCommand, call: &Manners) -> ExecSpec {
    let seat = &command.seat;
    let term = Some(seat.term.clone()).filter(|term| !term.is_empty());
    let term = term.unwrap_or_else(|| state.setup.term.clone());
    let size = seat.size.map_or(UNSEEN, |(cols, rows)| Size { cols, rows });
    ExecSpec {
        command: command.command.join(" "),
        stdin: if call.no_stdin {
            Stdin::None
        } else {
            Stdin::Stream
        },
        sink: Sink::Stream,
        timeout: None,
        interactive: state.may_ask(caller),
        background: false,
        along: Some(Along {
            forwards: command.forwards.clone(),
            agent: command.agent,
            nothing: call.kind == SessionKind::Nothing,
        }),
        pty: call.pty.then_some((term, size)),
        manner: Manner {
            modes: seat.modes.clone(),
            kind: call.kind,
        },
    }
}

/// The entry on a ticket, before anything goes out.
fn announced(state: &mut State, ticket: TicketId, host: &str, text: &str) -> CaseEvent {
    let what = if text.is_empty() {
        format!("opened a shell on {host}")
    } else {
        format!("is to run {text} on {host}")
    };
    let mut case = CaseEvent::new(
        state.mint.entity(),
        state.model.now,
        EntryKind::Session,
        &state.model.me,
        what,
    );
    (case.ticket, case.host) = (Some(ticket), Some(host.to_owned()));
    case.data = BTreeMap::from([("command".to_owned(), Value::from(text))]);
    case
}

/// How a call is made, from what was typed and what the settings say; what was typed wins.
struct Manners {
    kind: SessionKind,
    pty: bool,
    no_stdin: bool,
    escape: Option<u8>,
    notes: Vec<Emission>,
}

impl Manners {
    /// Decides as ssh(1) does.
    fn of(command: &SshCommand, effective: &Effective) -> Result<Self, String> {
        let on = |option: &str| matches!(effective.get(option), Some("yes" | "true"));
        let kind = if command.no_command {
            SessionKind::Nothing
        } else if command.subsystem {
            SessionKind::Subsystem
        } else {
            match effective.all("sessiontype").first().map(String::as_str) {
                Some("none") => SessionKind::Nothing,
                Some("subsystem") => SessionKind::Subsystem,
                _ => SessionKind::Program,
            }
        };
        if kind == SessionKind::Subsystem && command.command.is_empty() {
            return Err(
                "a subsystem needs a name, such as sftp; give it after the host".to_owned(),
            );
        }
        let wanted = match (command.tty, effective.get("requesttty")) {
            (Tty::Auto, Some("no" | "false")) => Tty::No,
            (Tty::Auto, Some("yes" | "true")) => Tty::Yes,
            (Tty::Auto, Some("force")) => Tty::Force,
            (typed, _) => typed,
        };
        let no_stdin = command.no_stdin || on("stdinnull");
        let terminal = command.seat.tty && !no_stdin;
        let shell = command.command.is_empty() && effective.get("remotecommand").is_none();
        let asked = match wanted {
            Tty::No => false,
            Tty::Yes | Tty::Force => true,
            Tty::Auto => shell,
        } && kind != SessionKind::Nothing;
        let pty = asked && (terminal || wanted == Tty::Force);
        let mut notes = Vec::new();
        if asked && !pty {
            let text = "no terminal is asked for, because standard input is none; -tt asks for one all the same".to_owned();
            notes.push(if wanted == Tty::Yes {
                Emission::Note(text)
            } else {
                Emission::Detail(text)
            });
        }
        notes.push(Emission::Detail(settings_words(&command.host, effective)));
        let escape = match (&command.escape, effective.all("escapechar").first()) {
            (Some(typed), _) => escape_char(typed)?,
            // An odd spelling in the settings is no reason to refuse the connection.
            (None, Some(set)) => escape_char(set).unwrap_or(Some(b'~')),
            (None, None) => Some(b'~'),
        };
        Ok(Self {
            kind,
            pty,
            no_stdin,
            escape: escape.filter(|_| pty),
            notes,
        })
    }
}

/// What `-v` tells of the settings.
fn settings_words(host: &str, effective: &Effective) -> String {
    let value = |option: &str| effective.get(option).unwrap_or("?");
    let mut text = format!(
        "{host} leads to {}@{} port {}, as its settings say",
        value("user"),
        value("hostname"),
        value("port")
    );
    for (option, word) in [("proxyjump", "through"), ("proxycommand", "by the command")] {
        if let Some(way) = effective.get(option) {
            text.push_str(&format!(", {word} {way}"));
        }
    }
    text
}

/// The words that make the system's `ssh` do the same.
fn argv(state: &State, command: &SshCommand, kind: SessionKind, text: &str) -> Vec<String> {
    let mut argv = vec![state.setup.ssh_program.display().to_string()];
    if let Some(config) = gather::target(state, &command.host).config {
        argv.extend(["-F".to_owned(), config.display().to_string()]);
    }
    let tty = match command.tty {
        Tty::Auto => "",
        Tty::No => "-T",
        Tty::Yes => "-t",
        Tty::Force => "-tt",
    };
    let switches = [
        (command.tty != Tty::Auto, tty),
        (command.no_stdin, "-n"),
        (kind == SessionKind::Subsystem, "-s"),
        (kind == SessionKind::Nothing, "-N"),
        (command.seat.quiet, "-q"),
        (command.seat.verbose, "-v"),
    ];
    argv.extend(
        switches
            .iter()
            .filter(|(on, _)| *on)
            .map(|(_, word)| (*word).to_owned()),
    );
    if let Some(escape) = &command.escape {
        argv.extend(["-e".to_owned(), escape.clone()]);
    }
    argv.extend(
        command
            .agent
            .map(|lent| if lent { "-A" } else { "-a" }.to_owned()),
    );
    for rule in &command.forwards {
        // A rule is printed as `ssh` takes it: the letter, a blank, the rest.
        let rule = rule.to_string();
        let (letter, rest) = rule.split_once(' ').unwrap_or((&rule, ""));
        argv.extend([letter.to_owned(), rest.to_owned()]);
    }
    argv.extend(["--".to_owned(), command.host.clone()]);
    if !text.is_empty() {
        argv.push(text.to_owned());
    }
    argv
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
    let (line, here, told) = (call.line, call.here.clone(), call.case.is_some());
    state.calls.insert(line, call);
    fx.push(match here {
        Some(argv) => Effect::Emit(line, Emission::RunHere { argv, told }),
        None => Effect::Ssh(SshAsk::Exec { req, target, spec }),
    });
}

/// Tells the engine which hosts the system's `ssh` serves: those of the settings, and those whose inventory says
/// `transport=openssh`.
pub(super) fn routes(state: &mut State, fx: &mut Vec<Effect>) {
    let mut patterns = state.setup.openssh_hosts.clone();
    let said = |host: &&host::Host| {
        host.vars
            .get("transport")
            .is_some_and(|way| way == "openssh")
    };
    let named = state.model.hosts.rows().iter().filter(said);
    patterns.extend(named.map(|host| host.name.clone()));
    if patterns != state.system_hosts {
        state.system_hosts.clone_from(&patterns);
        fx.push(Effect::Ssh(SshAsk::SystemHosts { patterns }));
    }
}

/// The host is ready for input.
pub(super) fn attached(state: &State, req: ReqId, fx: &mut Vec<Effect>) {
    let Some(Purpose::Call(line)) = state.inflight.get(req) else {
        return;
    };
    let call = state.calls.get(line);
    let terminal = call.is_some_and(|call| call.spec.pty.is_some());
    let escape = call.and_then(|call| call.escape);
    fx.push(Effect::Emit(*line, Emission::Attached { terminal, escape }));
}

/// A connection is up: whoever waits for it may want to know how.
pub(super) fn connected(
    state: &State,
    target: &Target,
    info: &ConnectionInfo,
    fx: &mut Vec<Effect>,
) {
    let behind = |host: &str| {
        let host = state.model.host_named(host);
        host.is_some_and(|host| host.jump.contains(&target.name))
    };
    let waits = |call: &&Call| call.host == target.name || behind(&call.host);
    for line in state.calls.values().filter(waits).map(|call| &call.line) {
        let mut texts = vec![
            format!(
                "connected to {} ({} port {}), which calls itself {}",
                target.name, info.address, info.port, info.server
            ),
            format!(
                "key exchange {}, cipher {}, host key {}",
                info.kex, info.cipher, info.host_key
            ),
            format!("logged in as {} with {}", info.user, info.auth),
        ];
        if !info.via.is_empty() {
            texts.push(format!("through {}", info.via.join(", ")));
        }
        texts.extend(info.notes.iter().cloned());
        fx.extend(
            texts
                .into_iter()
                .map(|text| Effect::Emit(*line, Emission::Detail(text))),
        );
    }
}

/// How things are, as lines for the terminal that asked.
pub(super) fn listed(state: &mut State, fact: SshFact, fx: &mut Vec<Effect>) {
    let SshFact::Status {
        req,
        connections,
        forwards,
    } = fact
    else {
        return;
    };
    let Some(Purpose::Status(line)) = state.inflight.remove(req).map(|flight| flight.purpose)
    else {
        return;
    };
    let mut texts: Vec<String> = connections
        .iter()
        .map(|row| {
            format!(
                "connection {}: {}@{} port {}",
                row.id, row.user, row.address, row.port
            )
        })
        .collect();
    if forwards.is_empty() {
        texts.push("no forwards".to_owned());
    }
    texts.extend(forwards.iter().map(|row| {
        format!(
            "forward {} through {}: {:?}, {} open",
            row.id, row.host, row.state, row.open
        )
    }));
    fx.extend(
        texts
            .into_iter()
            .map(|text| Effect::Emit(line, Emission::Note(text))),
    );
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
    let caller = Caller::Line(line);
    match exit {
        Exit::Unreachable(why) => fx.push(Effect::Emit(line, Emission::Note(why.clone()))),
        _ if call.spec.pty.is_some() && call.here.is_none() => {
            let text = format!("connection to {} closed", call.host);
            fx.push(Effect::Emit(line, Emission::Note(text)));
        }
        _ => fx.push(Effect::Emit(
            line,
            Emission::Detail(format!("the command ended: {}", super::exit_words(exit))),
        )),
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
            if call.spec.command.is_empty() && took_ms == 0 && matches!(exit, Exit::Unreachable(_))
            {
                case.text = format!("could not open a shell on {}", call.host);
            }
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
        LineEvent::Left => left(state, line, fx),
        LineEvent::HungUp => hang_up(state, line, fx),
        LineEvent::OutputClosed => {
            // A fan-out and a run go on and are recorded; one command has nobody left to speak to.
            fx.extend(req.map(|req| Effect::Ssh(SshAsk::Cancel { req })));
        }
        LineEvent::Listed => {
            let req = state.mint.request();
            state
                .inflight
                .insert(req, state.model.now, Purpose::Status(line));
            fx.push(Effect::Ssh(SshAsk::Status { req }));
        }
        LineEvent::Rekeyed => fx.extend(req.map(|req| Effect::Ssh(SshAsk::Rekey { req }))),
        LineEvent::Returned(exit) => {
            if let Some(req) = req {
                state.inflight.remove(req);
            }
            done(state, line, &exit, 0, fx);
        }
    }
}

/// A command line is gone. What it alone could use ends; a run goes on, because it is a record of its own.
fn left(state: &mut State, line: LineId, fx: &mut Vec<Effect>) {
    let caller = Caller::Line(line);
    // What was held back for it has no reader to spare any more.
    slow(state, line, false, fx);
    forget(state, line, fx);
    if let Some(call) = state.calls.get(&line) {
        fx.push(Effect::Ssh(SshAsk::Cancel { req: call.req }));
    }
    let fans: Vec<u64> = state
        .fans
        .iter()
        .filter(|(_, fan)| fan.caller == caller)
        .map(|(number, _)| *number)
        .collect();
    fans.into_iter()
        .for_each(|number| exec::stop(state, number, true, fx));
    state.rounds.retain(|round| round.caller != caller);
    forward::left(state, line, fx);
    copy::left(state, line, fx);
    let mut runs = state.runs.values();
    if runs.any(|run| run.caller == caller) {
        state.left.insert(line);
        state.nobody.insert(line);
    } else {
        state.nobody.remove(&line);
    }
    state.interrupted.remove(&line);
    state.stop_asked.retain(|_, asked| *asked != line);
}

/// What a command line asked for and has not begun is not begun any more, and nobody waits for its answers.
fn forget(state: &mut State, line: LineId, fx: &mut Vec<Effect>) {
    let caller = Caller::Line(line);
    super::question::unanswered(state, line, fx);
    state.waiting.retain(|gather| gather.caller != caller);
    let gathering = |purpose: &Purpose| matches!(purpose, Purpose::Gather(gather, _) if gather.caller == caller);
    while let Some(req) = state.inflight.find(gathering) {
        state.inflight.remove(req);
    }
    let commits = |purpose: &Purpose| {
        matches!(
            purpose,
            Purpose::Commit(asked, Then::Launch(_) | Then::Copy(_)) if *asked == caller
        )
    };
    if state.inflight.find(commits).is_some() {
        state.ended.insert(line);
    }
}

/// A command line falls behind, or has caught up: what its hosts write waits with them, and nobody else waits.
pub(super) fn slow(state: &State, line: LineId, slow: bool, fx: &mut Vec<Effect>) {
    let caller = Caller::Line(line);
    let call = state.calls.get(&line).map(|call| call.req);
    let fans = state.fans.values().filter(|fan| fan.caller == caller);
    let runs = state.runs.values().filter(|run| run.caller == caller);
    let requests = call
        .into_iter()
        .chain(fans.flat_map(|fan| fan.running.values().copied()))
        .chain(runs.flat_map(|run| run.requests.values().copied()));
    fx.extend(requests.map(|req| Effect::Ssh(SshAsk::Pause { req, on: slow })));
}

/// Whoever sat there is gone: nothing is waited for, whatever the host does.
fn hang_up(state: &mut State, line: LineId, fx: &mut Vec<Effect>) {
    let Some(req) = state.calls.get(&line).map(|call| call.req) else {
        return interrupt(state, line, fx);
    };
    fx.push(Effect::Ssh(SshAsk::HangUp { req }));
    let began = state.inflight.remove(req).map(|flight| flight.started);
    let took = began.map_or(0, |began| state.model.now.since(began));
    let exit = Exit::Unreachable("the connection was closed from this side".to_owned());
    done(state, line, &exit, took, fx);
}

/// Ctrl-C: once asks for an orderly stop, twice stops.
fn interrupt(state: &mut State, line: LineId, fx: &mut Vec<Effect>) {
    let caller = Caller::Line(line);
    let again = !state.interrupted.insert(line);
    forget(state, line, fx);
    if let Some(call) = state.calls.get(&line) {
        fx.push(Effect::Ssh(SshAsk::Cancel { req: call.req }));
        return;
    }
    if forward::interrupt(state, line, again, fx) || copy::interrupt(state, line, fx) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::event::Event;
    use crate::app::update::bench::{WINDOW, state};
    use crate::app::update::update;
    use crate::command::{Command, Surface, parse_words};
    use crate::ssh::{Asking, QuestionKind, SshFact};

    const LINE: LineId = LineId(7);

    fn asked(state: &mut State, line: LineId, words: &str) -> Vec<Effect> {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        let parsed = parse_words(&words, Surface::Line).expect("a command line");
        let row = parsed.row.expect("a command");
        let command: Command = (row.build)(&parsed.args).expect("its arguments");
        let event = Event::Asked {
            caller: Caller::Line(line),
            command: Box::new(command),
        };
        update(state, event)
    }

    fn resolves(effects: &[Effect]) -> Option<(ReqId, Vec<Target>)> {
        effects.iter().find_map(|effect| match effect {
            Effect::Ssh(SshAsk::Resolve { req, targets }) => Some((*req, targets.clone())),
            _ => None,
        })
    }

    fn fact(state: &mut State, fact: SshFact) -> Vec<Effect> {
        update(state, Event::Ssh(Box::new(fact)))
    }

    fn runs(effects: &[Effect]) -> Option<ReqId> {
        effects.iter().find_map(|effect| match effect {
            Effect::Ssh(SshAsk::Exec { req, .. }) => Some(*req),
            _ => None,
        })
    }

    fn resolved(state: &mut State, effects: &[Effect]) -> Vec<Effect> {
        let (req, targets) = resolves(effects).expect("settings are read first");
        let found = |target| (target, Ok(Effective::default()));
        let results = targets.into_iter().map(found).collect();
        fact(state, SshFact::Resolved { req, results })
    }

    #[test]
    fn what_was_interrupted_before_it_began_never_begins() {
        for (words, event) in [
            ("exec -H web1,web2 -- reboot", LineEvent::Interrupted),
            ("ssh web1 -- reboot", LineEvent::Interrupted),
            ("ssh web1 -- reboot", LineEvent::Left),
        ] {
            let mut state = state();
            let first = asked(&mut state, LINE, words);
            assert!(
                runs(&first).is_none(),
                "{words}: not before its settings are known"
            );
            update(&mut state, Event::Line(LINE, event));
            let later = resolved(&mut state, &first);
            assert!(runs(&later).is_none(), "{words}: {later:?}");
        }
        let mut state = state();
        let first = asked(&mut state, LINE, "ssh web1 -- reboot");
        assert!(
            runs(&resolved(&mut state, &first)).is_some(),
            "left alone it runs"
        );
    }

    #[test]
    fn a_question_goes_to_whoever_waits_for_it_and_to_nobody_else() {
        let mut state = state();
        let other = LineId(8);
        // Somebody sits in a raw shell of one host, and another line asks for a second.
        let first = asked(&mut state, LINE, "ssh web1");
        let shell = runs(&resolved(&mut state, &first)).expect("it runs");
        fact(&mut state, SshFact::ExecStarted { req: shell });
        let first = asked(&mut state, other, "ssh web2 -- true");
        let second = runs(&resolved(&mut state, &first)).expect("it runs");
        let question = |asking, number| SshFact::Question {
            id: crate::ssh::QuestionId(number),
            target: Target {
                name: "bastion".to_owned(),
                config: None,
            },
            hop: "bastion".to_owned(),
            kind: QuestionKind::Secret {
                prompt: "Password:".to_owned(),
            },
            asking,
        };
        let line_of = |effects: &[Effect]| {
            effects.iter().find_map(|effect| match effect {
                Effect::Question(line, _) => Some(*line),
                _ => None,
            })
        };
        let effects = fact(&mut state, question(Asking::Request(second), 1));
        assert_eq!(line_of(&effects), Some(other));
        // What a window wants is asked there, whatever shells are open elsewhere.
        let wanted = state.mint.request();
        let effects = fact(&mut state, question(Asking::Request(wanted), 2));
        assert_eq!(line_of(&effects), None);
        assert_eq!(state.model.questions.len(), 1);
        assert!(state.windows.contains_key(&WINDOW));
        // Whoever leaves without an answer has said no, so that nobody waits behind the question.
        let effects = update(&mut state, Event::Line(other, LineEvent::Left));
        assert!(effects.iter().any(|effect| matches!(
            effect,
            Effect::Ssh(SshAsk::Answer { question, reply: crate::ssh::Reply::No }) if question.0 == 1
        )));
    }
}
