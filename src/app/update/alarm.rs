//! A host that came with another key than the known one: everybody is told, and one key makes it a ticket.

use crate::app::effect::Effect;
use crate::app::event::Caller;
use crate::app::purpose::Gather;
use crate::app::state::State;
use crate::domain::ids::WindowId;
use crate::model::{ALARMS, KeyAlarm, Level, Question, QuestionId, QuestionKind};
use crate::ui::{Reply, alarm_ticket};

use super::{gather, window};

/// A host showed another key than the known one and was refused. On a screen that is asked about; the page of changed
/// keys keeps it.
pub(super) fn key_changed(state: &mut State, mut alarm: KeyAlarm, awaited: bool) {
    alarm.at = state.model.now;
    // A host that is probed again and again changes its key only once.
    let known = state.model.alarms.iter().any(|old| {
        (&old.target, &old.host, &old.shown) == (&alarm.target, &alarm.host, &alarm.shown)
    });
    if known {
        return;
    }
    if state.model.alarms.len() >= ALARMS {
        state.model.alarms.pop_front();
    }
    state.model.alarms.push_back(alarm.clone());
    window::say(
        state,
        Level::Error,
        format!(
            "{} came with another host key; nothing was sent to it; `:alarms` tells more",
            alarm.target
        ),
    );
    // What nobody waits for must not take the keys of somebody who works; the notice and the page tell of it.
    if state.windows.is_empty() || !awaited {
        return;
    }
    let id = QuestionId(state.mint.request().0);
    state.model.questions.push_back(Question {
        id,
        title: "the host key has changed".to_owned(),
        body: body(&alarm),
        kind: QuestionKind::Offer {
            key: 't',
            verb: "Open a security ticket".to_owned(),
        },
        session: None,
        hosts: vec![alarm.target.clone()],
    });
    state.alarms_asked.insert(id, alarm);
}

fn body(alarm: &KeyAlarm) -> Vec<String> {
    let name = if alarm.host == alarm.target {
        alarm.target.clone()
    } else {
        format!("{} ({})", alarm.target, alarm.host)
    };
    vec![
        format!("{name} came with another key than the one that is known. Either it was installed anew, or somebody is between you and it."),
        String::new(),
        format!("known  {}", alarm.known),
        format!("       {}:{}", alarm.file.display(), alarm.line),
        format!("shown  {}", alarm.shown),
        String::new(),
        "Nothing was sent, and no password was asked for. Ask whoever runs the host; when the new key is right, take the old line away.".to_owned(),
    ]
}

/// The person has seen it, and may want a ticket.
pub(super) fn answered(
    state: &mut State,
    id: WindowId,
    question: QuestionId,
    reply: &Reply,
    fx: &mut Vec<Effect>,
) {
    state.model.questions.retain(|asked| asked.id != question);
    let Some(alarm) = state.alarms_asked.remove(&question) else {
        return;
    };
    if matches!(reply, Reply::Yes) {
        let inventory = state.model.host_named(&alarm.target).is_some();
        let command = alarm_ticket(&alarm, inventory);
        gather::begin(state, Gather::new(Caller::Window(id), command), fx);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::update::bench::{WINDOW, press, state};
    use crate::command::{Command, TicketCommand};
    use crate::domain::time::Time;

    fn changed(target: &str, shown: &str) -> KeyAlarm {
        KeyAlarm {
            at: Time(0),
            target: target.to_owned(),
            host: "[10.0.2.1]:2222".to_owned(),
            file: "/home/mira/.ssh/known_hosts".into(),
            line: 7,
            known: "SHA256:old".to_owned(),
            shown: shown.to_owned(),
        }
    }

    #[test]
    fn a_changed_key_is_told_once_and_one_key_makes_it_a_ticket() {
        let mut state = state();
        key_changed(&mut state, changed("db1", "SHA256:new"), true);
        key_changed(&mut state, changed("db1", "SHA256:new"), true);
        assert_eq!(
            (state.model.alarms.len(), state.model.questions.len()),
            (1, 1)
        );
        drop(super::super::lay_out(&mut state));
        let ui = state.windows.get(&WINDOW).expect("the window is there");
        let frame = ui.frame(&state.model);
        let text: String = frame
            .buffer
            .content
            .iter()
            .map(|cell| cell.symbol())
            .collect();
        assert!(
            text.contains("SHA256:old") && text.contains("SHA256:new"),
            "{text}"
        );
        // A letter alone does nothing; with Enter it asks for the ticket, whose host's pattern is read first.
        assert!(
            press(&mut state, "t")
                .iter()
                .all(|effect| !matches!(effect, Effect::Append(..)))
        );
        let effects = press(&mut state, "Enter");
        let written = effects.iter().any(|effect| {
            matches!(effect, Effect::Append(_, batch)
                if format!("{batch:?}").contains("The host key of db1 has changed"))
        });
        assert!(written, "{effects:?}");
        assert!(state.model.questions.is_empty() && state.alarms_asked.is_empty());
    }

    #[test]
    fn the_ticket_is_urgent_tagged_and_linked() {
        let Command::Ticket(TicketCommand::Add { title, change }) =
            alarm_ticket(&changed("db1", "SHA256:new"), true)
        else {
            unreachable!("it adds a ticket")
        };
        assert_eq!(title, "The host key of db1 has changed");
        assert_eq!(change.priority.map(|priority| priority.level()), Some(1));
        assert_eq!(
            (change.tag, change.host),
            (vec!["security".to_owned()], vec!["db1".to_owned()])
        );
        let body = change.body.unwrap_or_default();
        assert!(
            body.contains("SHA256:old")
                && body.contains("SHA256:new")
                && body.contains("known_hosts:7")
        );
    }

    #[test]
    fn both_fingerprints_and_the_line_are_named() {
        let text = body(&changed("db1", "SHA256:new")).join("\n");
        for words in [
            "db1 ([10.0.2.1]:2222)",
            "known  SHA256:old",
            "known_hosts:7",
            "shown  SHA256:new",
        ] {
            assert!(text.contains(words), "{words} in {text}");
        }
    }
}
