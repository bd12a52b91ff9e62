//! Sync, as far as the loop goes: what somebody asks of it, what is asked first, and what comes of it.

use std::collections::BTreeMap;

use crate::app::effect::{Effect, Emission, Inquiry, InquiryKind, line_of};
use crate::app::event::{Caller, LineId};
use crate::app::purpose::{Purpose, SyncStep};
use crate::app::state::State;
use crate::app::sync::{SyncAsk, SyncDone, SyncFact, SyncLevel, SyncRefusal};
use crate::command::{Answer, Outcome, SyncCommand};
use crate::domain::ids::{DeviceId, ReqId, TicketId};
use crate::domain::sync::SyncStatus;
use crate::domain::time::Time;
use crate::model::{Level, Question, QuestionId, QuestionKind};
use crate::store::Ask;
use crate::ui::{View, Want};

use super::{fetched, page, reply, window};

/// The most troubles that are said at once; the page has them all.
const SAID: usize = 3;

/// What a person is asked before it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SyncOrder {
    /// Let in whoever shows this code and has these keys.
    Admit {
        /// The code.
        code: String,
        /// The keys' fingerprint.
        fingerprint: String,
    },
    /// Send this device away.
    Retire(DeviceId),
}

/// Carries out a command.
pub(super) fn execute(
    state: &mut State,
    caller: Caller,
    command: SyncCommand,
    fx: &mut Vec<Effect>,
) {
    match command {
        SyncCommand::Init { remote, name } => {
            let ask = |req| SyncAsk::Init { req, remote, name };
            send(state, caller, SyncStep::Whole, ask, fx);
        }
        SyncCommand::Join { remote, name } => {
            let ask = |req| SyncAsk::Join { req, remote, name };
            send(state, caller, SyncStep::Whole, ask, fx);
        }
        SyncCommand::Admit { code } => {
            let step = SyncStep::Admit(code.clone());
            send(state, caller, step, |req| SyncAsk::Look { req, code }, fx);
        }
        SyncCommand::Status => {
            let ask = |req| SyncAsk::Status { req };
            send(state, caller, SyncStep::Status, ask, fx);
        }
        SyncCommand::Devices => {
            let ask = |req| SyncAsk::Status { req };
            send(state, caller, SyncStep::Devices, ask, fx);
        }
        SyncCommand::Now => {
            let ask = |req| SyncAsk::Now { req };
            send(state, caller, SyncStep::Whole, ask, fx);
        }
        SyncCommand::Retire { device } => {
            let ask = |req| SyncAsk::Status { req };
            send(state, caller, SyncStep::Retire(device), ask, fx);
        }
        SyncCommand::Rotate => {
            let ask = |req| SyncAsk::Rotate { req };
            send(state, caller, SyncStep::Whole, ask, fx);
        }
        SyncCommand::Leave => {
            let ask = |req| SyncAsk::Leave { req };
            send(state, caller, SyncStep::Whole, ask, fx);
        }
    }
}

fn send(
    state: &mut State,
    caller: Caller,
    step: SyncStep,
    ask: impl FnOnce(ReqId) -> SyncAsk,
    fx: &mut Vec<Effect>,
) {
    let req = state.mint.request();
    let purpose = Purpose::Sync(caller, step);
    state.inflight.insert(req, state.model.now, purpose);
    fx.push(Effect::Sync(ask(req)));
}

/// Sync did something.
pub(super) fn heard(state: &mut State, fact: SyncFact, fx: &mut Vec<Effect>) {
    match fact {
        SyncFact::Code {
            req,
            code,
            fingerprint,
            until,
        } => {
            if let Some(Purpose::Sync(caller, _)) = state.inflight.get(req) {
                show_code(state, *caller, (code, fingerprint, until), fx);
            }
        }
        SyncFact::Asking {
            req,
            device,
            fingerprint,
        } => {
            let purpose = state.inflight.remove(req).map(|flight| flight.purpose);
            if let Some(Purpose::Sync(caller, SyncStep::Admit(code))) = purpose {
                let words = vec![
                    format!(
                        "The device with fingerprint {fingerprint} (id {}) wants to come in. It will read everything, and may let in and \
                         send away others.",
                        crate::domain::sync::short_device(device)
                    ),
                    "Does the same fingerprint stand on its screen, and shall it come in?"
                        .to_owned(),
                ];
                let order = SyncOrder::Admit { code, fingerprint };
                ask(state, caller, ("let a device in", words), order, fx);
            }
        }
        SyncFact::Done { req, result } => {
            let purpose = state.inflight.remove(req).map(|flight| flight.purpose);
            if let Some(Purpose::Sync(caller, step)) = purpose {
                done(state, caller, step, result, fx);
            }
        }
        SyncFact::Fetching { req, got, of } => fetched::comes(state, req, (got, of), fx),
        SyncFact::Fetched { req, result } => fetched::came(state, req, result, fx),
        SyncFact::Learned => {
            page::outdate(state);
            super::ask(state, Ask::Hosts, Purpose::Hosts, fx);
        }
        SyncFact::Troubles(lines) => {
            let more = lines.len().saturating_sub(SAID);
            for line in lines.into_iter().take(SAID) {
                super::warn(state, format!("sync: {line}"));
            }
            if more > 0 {
                super::warn(
                    state,
                    format!("sync: {more} more troubles; `:sync` has them"),
                );
            }
        }
    }
}

/// How sync is now.
pub(super) fn level(state: &mut State, level: SyncLevel) {
    (state.model.sync, state.model.onlookers) = (level.status, level.onlookers);
}

fn show_code(
    state: &mut State,
    caller: Caller,
    (code, fingerprint, until): (String, String, Time),
    fx: &mut Vec<Effect>,
) {
    match caller {
        Caller::Line(line) => fx.push(Effect::Emit(
            line,
            Emission::Code {
                code,
                fingerprint,
                until,
            },
        )),
        Caller::Window(id) => {
            let words = format!(
                "On a device of the space say\n\n    qd sync admit {code}\n\nand compare the fingerprint that it shows:\n\n    {fingerprint}\n\n\
                 The code is good until {}. This text may be closed; what comes of it is said below.",
                until.local()
            );
            if let Some(ui) = state.windows.get_mut(&id) {
                ui.show("code", &words);
            }
        }
    }
}

/// A request is over.
fn done(
    state: &mut State,
    caller: Caller,
    step: SyncStep,
    result: Result<SyncDone, SyncRefusal>,
    fx: &mut Vec<Effect>,
) {
    let done = match result {
        Ok(done) => done,
        Err(why) => return reply(state, caller, Outcome::error(why.exit, why.text), fx),
    };
    let outcome = match step {
        SyncStep::Whole | SyncStep::Admit(_) => Outcome::ok(Answer::Synced {
            said: done.said,
            status: done.status,
        }),
        SyncStep::Status => Outcome {
            exit: if done.status.is_some() { 0 } else { 3 },
            answer: Answer::Sync(done.status),
        },
        SyncStep::Devices | SyncStep::Retire(_) if done.status.is_none() => {
            let why = SyncRefusal::alone();
            Outcome::error(why.exit, why.text)
        }
        SyncStep::Devices => {
            let devices = done.status.map(|status| status.devices);
            Outcome::ok(Answer::SyncDevices(devices.unwrap_or_default()))
        }
        SyncStep::Retire(word) => {
            if let Some(status) = done.status {
                retire(state, caller, &word, &status, fx);
            }
            return;
        }
    };
    reply(state, caller, outcome, fx);
}

/// Finds the device that is to go, and asks.
fn retire(
    state: &mut State,
    caller: Caller,
    word: &str,
    status: &SyncStatus,
    fx: &mut Vec<Effect>,
) {
    let found = status.find(word);
    let refuse = |exit, text| Outcome::error(exit, text);
    let outcome = match found.as_slice() {
        [] => refuse(
            3,
            format!("no device of this space is called {word:?}; `qd sync devices` lists them"),
        ),
        [device] if device.me => refuse(
            2,
            "that is this device; `qd sync leave` stops syncing here, and another device can retire this one".to_owned(),
        ),
        [device] if device.retired => {
            refuse(2, format!("{} was retired already", device.called()))
        }
        [device] => {
            let words = vec![
                format!(
                    "{} (fingerprint {}) is sent away for good: what it wrote until now stays, nothing later counts, and it cannot read \
                     what is written from now on. What it has read it keeps.",
                    device.called(),
                    device.fingerprint
                ),
                "It can come back only as a new device. Retire it?".to_owned(),
            ];
            let order = SyncOrder::Retire(device.id);
            return ask(state, caller, ("retire a device", words), order, fx);
        }
        several => {
            let lines: Vec<String> = several
                .iter()
                .map(|device| format!("{} ({})", device.fingerprint, device.called()))
                .collect();
            refuse(
                4,
                format!(
                    "{word:?} means more than one device; name one by its fingerprint: {}",
                    lines.join(", ")
                ),
            )
        }
    };
    reply(state, caller, outcome, fx);
}

/// Asks a person before something is done that cannot be taken back.
fn ask(
    state: &mut State,
    caller: Caller,
    (title, words): (&str, Vec<String>),
    order: SyncOrder,
    fx: &mut Vec<Effect>,
) {
    let id = QuestionId(state.mint.request().0);
    state.sync_asked.insert(id, (caller, order));
    match line_of(caller) {
        Some(line) => fx.push(Effect::Question(
            line,
            Inquiry {
                id,
                place: "sync".to_owned(),
                kind: InquiryKind::Confirm(words.join(" ")),
            },
        )),
        None => state.model.questions.push_back(Question {
            id,
            title: title.to_owned(),
            body: words,
            kind: QuestionKind::YesNo { default_no: true },
            session: None,
            hosts: Vec::new(),
        }),
    }
}

/// The person answered.
pub(super) fn answered(
    state: &mut State,
    (caller, order): (Caller, SyncOrder),
    yes: bool,
    fx: &mut Vec<Effect>,
) {
    match (order, yes) {
        (SyncOrder::Admit { code, fingerprint }, true) => {
            let ask = |req| SyncAsk::Admit {
                req,
                code,
                fingerprint,
            };
            send(state, caller, SyncStep::Whole, ask, fx);
        }
        (SyncOrder::Retire(device), true) => {
            let ask = |req| SyncAsk::Retire { req, device };
            send(state, caller, SyncStep::Whole, ask, fx);
        }
        (SyncOrder::Admit { .. }, false) => {
            let text = "nobody was let in; if the fingerprints differ, do not trust this remote"
                .to_owned();
            reply(state, caller, Outcome::error(2, text), fx);
        }
        (SyncOrder::Retire(_), false) => {
            let text = "nobody was retired; `--yes` does it without a question".to_owned();
            reply(state, caller, Outcome::error(2, text), fx);
        }
    }
}

/// A command line is gone, or was interrupted: nobody waits for what it asked.
pub(super) fn left(state: &mut State, line: LineId, fx: &mut Vec<Effect>) {
    let mine = |purpose: &Purpose| matches!(purpose, Purpose::Sync(Caller::Line(asked), _) if *asked == line);
    while let Some(req) = state.inflight.find(mine) {
        state.inflight.remove(req);
        fx.push(Effect::Sync(SyncAsk::GiveUp { req }));
    }
    state
        .sync_asked
        .retain(|_, (caller, _)| *caller != Caller::Line(line));
}

/// Something was written into the log here.
pub(super) fn wrote(state: &State, fx: &mut Vec<Effect>) {
    if state.model.sync.is_some() {
        fx.push(Effect::Wrote);
    }
}

/// Before a frame: the tickets that are open on a screen are told, so that others see it.
pub(super) fn lay_out(state: &mut State, fx: &mut Vec<Effect>) {
    if state.model.sync.is_none() && state.showing.is_empty() {
        return;
    }
    let now = state.model.now;
    let open: BTreeMap<TicketId, Time> = state
        .pages
        .keys()
        .filter_map(|want| match want {
            Want::Case(reference) => state.model.ticket(reference),
            _ => None,
        })
        .map(|ticket| (ticket.id, *state.showing.get(&ticket.id).unwrap_or(&now)))
        .collect();
    if open != state.showing {
        fx.push(Effect::Showing(
            open.iter().map(|(id, since)| (*id, *since)).collect(),
        ));
        state.showing = open;
    }
}

/// Shows how sync is: the page has all of it.
pub(super) fn show(state: &mut State, id: crate::domain::ids::WindowId) {
    window::open(state, id, View::Sync);
}

/// Says what came of something: one line below, more over the view.
pub(super) fn say(state: &mut State, id: crate::domain::ids::WindowId, said: &str) {
    if said.contains('\n') {
        if let Some(ui) = state.windows.get_mut(&id) {
            ui.show("sync", said);
        }
    } else {
        window::say(state, Level::Info, said.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::event::{Event, LineEvent};
    use crate::app::update::bench::{WINDOW, state};
    use crate::app::update::{lay_out as before_a_frame, update};
    use crate::command::{Command, Surface, parse_words};
    use crate::domain::ids::EntityId;
    use crate::domain::sync::Onlooker;
    use crate::domain::sync::tests::sample;

    const LINE: LineId = LineId(7);

    fn said(state: &mut State, caller: Caller, words: &str) -> Vec<Effect> {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        let parsed = parse_words(&words, Surface::Line).expect("a command line");
        let row = parsed.row.expect("a command");
        let command: Command = (row.build)(&parsed.args).expect("its arguments");
        let command = Box::new(command);
        update(state, Event::Asked { caller, command })
    }

    fn fact(state: &mut State, fact: SyncFact) -> Vec<Effect> {
        update(state, Event::Sync(Box::new(fact)))
    }

    fn asked(effects: &[Effect]) -> Vec<&SyncAsk> {
        let asks = effects.iter().filter_map(|effect| match effect {
            Effect::Sync(ask) => Some(ask),
            _ => None,
        });
        asks.collect()
    }

    fn req(effects: &[Effect]) -> ReqId {
        asked(effects).first().expect("it is asked").req()
    }

    fn outcome(effects: &[Effect]) -> Option<&Outcome> {
        effects.iter().find_map(|effect| match effect {
            Effect::Reply(LINE, outcome) => Some(&**outcome),
            _ => None,
        })
    }

    fn status(state: &mut State, of: ReqId, status: Option<SyncStatus>) -> Vec<Effect> {
        let done = SyncDone {
            said: String::new(),
            status: status.map(Box::new),
        };
        let result = Ok(done);
        fact(state, SyncFact::Done { req: of, result })
    }

    fn text(state: &State) -> String {
        let ui = state.windows.get(&WINDOW).expect("the window is there");
        let frame = ui.frame(&state.model);
        frame
            .buffer
            .content
            .iter()
            .map(|cell| cell.symbol())
            .collect()
    }

    #[test]
    fn a_device_comes_in_only_after_its_fingerprint_was_shown_and_a_yes() {
        for yes in [true, false] {
            let mut state = state();
            let caller = Caller::Line(LINE);
            let effects = said(&mut state, caller, "sync admit 7K3F-9QXA-2M0D");
            assert!(matches!(asked(&effects)[..], [SyncAsk::Look { .. }]));
            let asking = SyncFact::Asking {
                req: req(&effects),
                device: DeviceId(EntityId::from_bytes([7; 16])),
                fingerprint: "2M0DZZ41".to_owned(),
            };
            let effects = fact(&mut state, asking);
            let question = effects.iter().find_map(|effect| match effect {
                Effect::Question(LINE, inquiry) => Some(inquiry),
                _ => None,
            });
            let question = question.expect("it is asked first");
            assert!(
                matches!(&question.kind, InquiryKind::Confirm(words) if words.contains("2M0DZZ41"))
            );
            let reply = if yes {
                crate::ssh::Reply::Yes
            } else {
                crate::ssh::Reply::No
            };
            let answer = LineEvent::Answered(question.id, reply);
            let effects = update(&mut state, Event::Line(LINE, answer));
            match yes {
                true => assert!(
                    matches!(asked(&effects)[..], [SyncAsk::Admit { fingerprint, .. }] if fingerprint == "2M0DZZ41")
                ),
                false => assert_eq!(outcome(&effects).map(|outcome| outcome.exit), Some(2)),
            }
        }
    }

    #[test]
    fn a_device_that_goes_is_named_exactly() {
        let now = state().model.now;
        let mut two = sample(now);
        two.devices[0].me = false;
        two.devices[1].name = "lap1".to_owned();
        let mut gone = sample(now);
        gone.devices[1].retired = true;
        let cases = [
            ("nobody", sample(now), Some(3)),
            ("lap1", sample(now), Some(2)),
            ("lap1", two, Some(4)),
            ("2M0DZZ41", gone, Some(2)),
            ("2M0DZZ41", sample(now), None),
        ];
        for (word, known, exit) in cases {
            let mut state = state();
            let effects = said(
                &mut state,
                Caller::Line(LINE),
                &format!("sync retire {word}"),
            );
            let of = req(&effects);
            let effects = status(&mut state, of, Some(known));
            assert_eq!(
                outcome(&effects).map(|outcome| outcome.exit),
                exit,
                "{word}"
            );
            let asks = effects
                .iter()
                .any(|effect| matches!(effect, Effect::Question(..)));
            assert_eq!(asks, exit.is_none(), "{word}");
            assert!(asked(&effects).is_empty(), "nothing is done without a yes");
        }
    }

    #[test]
    fn whoever_leaves_waits_for_nothing_and_is_told_nothing() {
        for event in [LineEvent::Interrupted, LineEvent::Left] {
            let mut state = state();
            let effects = said(&mut state, Caller::Line(LINE), "sync join /srv/bag");
            let joining = req(&effects);
            let effects = update(&mut state, Event::Line(LINE, event));
            assert!(matches!(asked(&effects)[..], [SyncAsk::GiveUp { req }] if *req == joining));
            let late = status(&mut state, joining, None);
            assert!(outcome(&late).is_none());
        }
    }

    #[test]
    fn a_store_that_syncs_with_nobody_is_told_so_and_asks_nothing() {
        let mut state = state();
        for (words, exit) in [
            ("sync status", 3),
            ("sync devices", 3),
            ("sync retire x", 3),
        ] {
            let effects = said(&mut state, Caller::Line(LINE), words);
            let of = req(&effects);
            let effects = status(&mut state, of, None);
            assert_eq!(
                outcome(&effects).map(|outcome| outcome.exit),
                Some(exit),
                "{words}"
            );
        }
        let effects = update(&mut state, Event::StoreChanged);
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::Wrote)));
        assert!(!text(&state).contains("sync"));
        state.model.sync = Some(sample(state.model.now));
        let effects = update(&mut state, Event::StoreChanged);
        assert!(effects.iter().any(|effect| matches!(effect, Effect::Wrote)));
    }

    #[test]
    fn the_edge_the_page_and_the_case_show_it() {
        let mut state = state();
        let now = state.model.now;
        let ticket = state.model.tickets.rows.first().expect("a ticket").clone();
        let onlooker = Onlooker {
            ticket: ticket.id,
            who: "kai".to_owned(),
            device: "desk".to_owned(),
            since: now.plus(-240_000),
        };
        let level = SyncLevel {
            status: Some(sample(now)),
            onlookers: vec![onlooker],
        };
        drop(update(&mut state, Event::SyncLevel(Box::new(level))));
        window::open(&mut state, WINDOW, View::Case(ticket.reference.clone()));
        let shown = before_a_frame(&mut state);
        let told = shown.iter().any(|effect| {
            matches!(effect, Effect::Showing(open) if matches!(open[..], [(id, _)] if id == ticket.id))
        });
        assert!(told, "others learn that it is open here");
        let case = text(&state);
        assert!(
            case.contains("kai has this open too, on desk, for 4m."),
            "{case}"
        );
        assert!(case.contains("sync 3↑ 2m"), "{case}");
        let again = before_a_frame(&mut state);
        assert!(
            !again
                .iter()
                .any(|effect| matches!(effect, Effect::Showing(_)))
        );
        show(&mut state, WINDOW);
        let left = before_a_frame(&mut state);
        assert!(
            left.iter()
                .any(|effect| matches!(effect, Effect::Showing(open) if open.is_empty()))
        );
        let page = text(&state);
        for words in ["/srv/quarterdeck", "3 changes", "2 devices", "40 of 44"] {
            assert!(page.contains(words), "{words}: {page}");
        }
        let code = SyncFact::Troubles(vec!["the remote lost data".to_owned()]);
        drop(fact(&mut state, code));
        drop(before_a_frame(&mut state));
        assert!(text(&state).contains("the remote lost data"));
    }
}
