//! Files as the update sees them: what is asked in which order, and what an entry on a ticket says afterwards.

use super::*;
use crate::app::event::Event;
use crate::app::update::bench::{WINDOW, press, state};
use crate::app::update::update;
use crate::domain::files::{CopyJob, CopyProgress, CopyReport};
use crate::domain::op::Draft;
use crate::model::sample::ticket;
use crate::ssh::SshFact;
use crate::store::Committed;

fn fact(state: &mut State, fact: SshFact) -> Vec<Effect> {
    update(state, Event::Ssh(Box::new(fact)))
}

fn place(host: Option<&str>, path: &str) -> Place {
    Place {
        host: host.map(str::to_owned),
        path: path.to_owned(),
    }
}

fn job() -> CopyJob {
    CopyJob {
        from: vec![place(Some("web1"), "/var/log/error.log")],
        to: place(None, "/home/mira"),
        recursive: false,
        preserve: true,
        resume: false,
    }
}

fn lists(effects: &[Effect]) -> Vec<(ReqId, Option<String>, String)> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Ssh(SshAsk::Files {
                req,
                target,
                ask: FilesAsk::List(path),
            }) => Some((
                *req,
                target.as_ref().map(|target| target.name.clone()),
                path.clone(),
            )),
            _ => None,
        })
        .collect()
}

fn begin_copy(state: &mut State, with_ticket: bool) -> Vec<Effect> {
    use crate::domain::ticket::TicketState;
    let command = FilesCommand::Copy {
        job: job(),
        ticket: None,
    };
    let mut gather = Gather::new(
        Caller::Window(WINDOW),
        crate::command::Command::Files(command.clone()),
    );
    gather.ticket =
        with_ticket.then(|| ticket("T-7K3F", "Disk full", TicketState::Open, 1, &["web1"]));
    let mut fx = Vec::new();
    execute(state, &gather, command, &mut fx);
    fx
}

fn copy_of(effects: &[Effect]) -> Option<ReqId> {
    effects.iter().find_map(|effect| match effect {
        Effect::Ssh(SshAsk::Copy { req, targets, .. }) => {
            assert!(targets.contains_key("web1"), "{targets:?}");
            Some(*req)
        }
        _ => None,
    })
}

#[test]
fn folders_are_read_when_they_are_shown_and_again_when_something_changed() {
    let mut state = state();
    state.model.files = crate::model::Files::default();
    let asked = lists(&press(&mut state, "2 j f"));
    let shown: Vec<_> = asked
        .iter()
        .map(|(_, host, path)| (host.as_deref(), path.as_str()))
        .collect();
    assert_eq!(shown, [(None, ""), (Some("web1"), "")]);
    for (req, ..) in asked {
        let listing = FileListing {
            path: "/srv".to_owned(),
            entries: Vec::new(),
        };
        let result = Ok(listing);
        fact(&mut state, SshFact::FilesDone { req, result });
    }
    // The home is known by its path now, and is not asked for a second time.
    assert_eq!(lists(&press(&mut state, "j j")), []);
    assert!(state.model.files.folder(Some("web1"), "/srv").is_some());
    let again = lists(&press(&mut state, "Ctrl-r"));
    assert_eq!(again.len(), 2);
    // What nobody shows any more is forgotten.
    press(&mut state, "1");
    assert!(state.model.files.folder(Some("web1"), "/srv").is_none());
}

#[test]
fn a_copy_without_a_ticket_begins_at_once_and_is_followed() {
    let mut state = state();
    let req = copy_of(&begin_copy(&mut state, false)).expect("it begins");
    let progress = CopyProgress {
        bytes_done: 5,
        bytes: 10,
        ..CopyProgress::default()
    };
    fact(&mut state, SshFact::CopyProgress { req, progress });
    let done = state
        .model
        .copies
        .get(req.0)
        .map(|copy| copy.progress.bytes_done);
    assert_eq!(done, Some(5));
    let result = Ok(CopyReport {
        files: 1,
        bytes: 10,
        ..CopyReport::default()
    });
    let effects = fact(&mut state, SshFact::CopyDone { req, result });
    assert!(
        !effects
            .iter()
            .any(|effect| matches!(effect, Effect::Append(..)))
    );
    assert_eq!(state.model.copies.running().count(), 0);
    let said = state.model.notices.last().map(|notice| notice.text.clone());
    assert_eq!(said.as_deref(), Some("copied 1 file"));
}

#[test]
fn a_copy_for_a_ticket_is_written_down_before_its_first_byte_and_after_its_last() {
    let mut state = state();
    let effects = begin_copy(&mut state, true);
    assert!(copy_of(&effects).is_none(), "not before it is durable");
    let Some(Effect::Append(append, batch)) = effects
        .iter()
        .find(|effect| matches!(effect, Effect::Append(..)))
    else {
        unreachable!("it is written down: {effects:?}")
    };
    assert!(format!("{batch:?}").contains("is to copy web1:/var/log/error.log to /home/mira"));
    let committed = Committed {
        references: Vec::new(),
        seq: 1,
    };
    let effects = update(&mut state, Event::Committed(*append, Ok(committed)));
    let req = copy_of(&effects).expect("now it begins");
    let result = Err("web1: connection lost".to_owned());
    let effects = fact(&mut state, SshFact::CopyDone { req, result });
    let drafts: Vec<&Draft> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Append(_, batch) => Some(&batch.drafts),
            _ => None,
        })
        .flatten()
        .collect();
    let text = format!("{drafts:?}");
    assert!(
        text.contains("connection lost") && text.contains("exit"),
        "{text}"
    );
}

#[test]
fn names_are_deleted_one_after_another_and_failures_are_told() {
    let mut state = state();
    let places = vec![
        place(Some("web1"), "/a"),
        place(Some("web1"), "/b"),
        place(Some("web1"), "/c"),
    ];
    let command = FilesCommand::Remove {
        places,
        ticket: None,
    };
    let gather = Gather::new(
        Caller::Window(WINDOW),
        crate::command::Command::Files(command.clone()),
    );
    let mut fx = Vec::new();
    execute(&mut state, &gather, command, &mut fx);
    let mut seen = Vec::new();
    for result in [
        Ok(FileListing::default()),
        Err("/b: permission denied".to_owned()),
        Ok(FileListing::default()),
    ] {
        let asks: Vec<(ReqId, String)> = fx
            .iter()
            .filter_map(|effect| match effect {
                Effect::Ssh(SshAsk::Files {
                    req,
                    ask: FilesAsk::Remove(path),
                    ..
                }) => Some((*req, path.clone())),
                _ => None,
            })
            .collect();
        let [(req, path)] = asks.as_slice() else {
            unreachable!("one at a time: {asks:?}")
        };
        seen.push(path.clone());
        let req = *req;
        fx = fact(&mut state, SshFact::FilesDone { req, result });
    }
    assert_eq!(seen, ["/a", "/b", "/c"]);
    let said = state.model.notices.last().map(|notice| notice.text.clone());
    assert_eq!(
        said.as_deref(),
        Some("1 of 3 failed: /b: permission denied")
    );
    assert!(state.orders.is_empty());
}

#[test]
fn read_only_changes_no_file() {
    let mut state = state();
    state.setup.read_only = true;
    press(&mut state, "2 j f");
    state.model.files = crate::model::sample::files();
    let effects = press(&mut state, "j j j c");
    assert!(copy_of(&effects).is_none() && state.copies.is_empty());
    let said = state.model.notices.last().map(|notice| notice.text.clone());
    assert!(
        said.as_ref()
            .is_some_and(|text| text.contains("--read-only")),
        "{said:?} {effects:?}"
    );
}

#[test]
fn leaving_asks_about_copies_and_stops_them() {
    let mut state = state();
    let req = copy_of(&begin_copy(&mut state, false)).expect("it begins");
    press(&mut state, "F10");
    let asked = state
        .model
        .questions
        .front()
        .map(|question| question.body.join(" "));
    assert!(asked.is_some_and(|body| body.contains("1 running copy")));
    let effects = update(&mut state, Event::Stop);
    assert!(effects.iter().any(
        |effect| matches!(effect, Effect::Ssh(SshAsk::Cancel { req: stopped }) if *stopped == req)
    ));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Quit)));
    let result = Err("stopped".to_owned());
    let effects = fact(&mut state, SshFact::CopyDone { req, result });
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Quit)));
}
