//! `qd ssh`: one command, or a raw shell, for a command line. On a ticket it is recorded before it goes out.

use std::collections::BTreeMap;

use crate::app::effect::{Effect, Emission, line_of};
use crate::app::event::{Caller, LineId};
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

use super::{gather, reply};

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
        None => {
            let words = if text.is_empty() { "a shell" } else { &text };
            let hosts = vec![call.host.clone()];
            super::care::did(state, "command", hosts, words.to_owned(), fx);
            launch(state, call, fx);
        }
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
