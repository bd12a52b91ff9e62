//! A session on each host of a pattern, tiled in one tab.

use crate::app::effect::Effect;
use crate::app::purpose::Gather;
use crate::app::state::State;
use crate::command::Outcome;
use crate::domain::layout::{Place, SavedTab, Shape};

use super::super::{gather, reply};
use super::named;

/// How many sessions are opened without asking, if none is on a production host.
const UNASKED: usize = 8;

/// How many sessions one tab may get at once: with more of them nobody sees anything, and a slip of the pattern is likelier.
const MOST: usize = 64;

/// Opens them, after asking when they are many or on production.
pub(super) fn open(state: &mut State, gather: &Gather, pattern: &str, fx: &mut Vec<Effect>) {
    let names = gather::named(state, pattern, &gather.ticket_hosts)
        .map(|hosts| hosts.iter().map(|host| host.name.clone()).collect());
    let names: Vec<String> = match names {
        Ok(names) => names,
        Err(why) => return reply(state, gather.caller, Outcome::error(2, why), fx),
    };
    let count = names.len();
    if count > MOST {
        let why = format!(
            "that would be {count} sessions in one tab, and {MOST} are the most; choose fewer hosts, or run one command on all of them"
        );
        return reply(state, gather.caller, Outcome::error(2, why), fx);
    }
    let places = names.into_iter().map(|host| Place {
        host,
        ticket: None,
        session: None,
        reference: String::new(),
        ended: None,
    });
    let Some(root) = Shape::Tiled.of(places.collect()) else {
        let why = format!("no host is meant by {pattern}; `:hosts` lists them");
        return reply(state, gather.caller, Outcome::error(3, why), fx);
    };
    let tab = SavedTab {
        name: None,
        root,
        focus: 0,
        zoomed: false,
    };
    named::open(state, gather.caller, (tab, UNASKED), fx);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::event::Caller;
    use crate::app::update::bench::{WINDOW, press, state};
    use crate::app::update::layout::confirmed;
    use crate::command::{Command, LayoutCommand};
    use crate::domain::host::Host;
    use crate::model::Model;

    /// A state with so many more hosts, called `plain0` and on.
    fn many(count: usize) -> State {
        let mut state = state();
        let mut hosts: Vec<Host> = state.model.hosts.iter().cloned().collect();
        hosts.extend((0..count).map(|number| Host::named(&format!("plain{number}"))));
        state.model.hosts = hosts.into();
        state
    }

    fn ask(state: &mut State, pattern: &str) {
        let command = Command::Layout(LayoutCommand::Hosts(pattern.to_owned()));
        let gather = Gather::new(Caller::Window(WINDOW), command);
        open(state, &gather, pattern, &mut Vec::new());
    }

    /// How many panes the largest tab has.
    fn panes(model: &Model) -> usize {
        let tabs = model.tabs.iter();
        tabs.map(|tab| tab.panes().len()).max().unwrap_or_default()
    }

    #[test]
    fn a_few_harmless_hosts_are_opened_at_once() {
        let mut state = many(9);
        ask(
            &mut state,
            "plain0,plain1,plain2,plain3,plain4,plain5,plain6,plain7",
        );
        assert!(state.model.questions.is_empty());
        assert_eq!(panes(&state.model), 8);
    }

    #[test]
    fn many_hosts_and_production_hosts_are_asked_about_first() {
        for (pattern, words) in [
            ("plain*", "9 sessions"),
            ("plain0,db1", "db1 is a production host"),
            ("db1", "db1 is a production host"),
        ] {
            let mut state = many(9);
            let before = state.model.sessions.len();
            ask(&mut state, pattern);
            assert_eq!(state.model.sessions.len(), before, "{pattern}");
            let question = state.model.questions.back().cloned().expect("a question");
            let body = question.body.join(" ");
            assert!(body.contains(words), "{body}");
            confirmed(&mut state, question.id, true, &mut Vec::new());
            let opened = state.model.sessions.len() > before;
            assert!(opened && state.model.questions.is_empty(), "{pattern}");
        }
        let mut state = many(MOST + 1);
        ask(&mut state, "plain*");
        assert!(state.model.questions.is_empty(), "too many are refused");
        assert!(panes(&state.model) < MOST);
        let said = state.model.notices.last().expect("why");
        assert!(said.text.contains("65 sessions"), "{said:?}");
    }

    #[test]
    fn the_key_for_a_shell_opens_one_on_each_marked_host() {
        let mut state = many(0);
        press(&mut state, "2 Space Space s");
        let mut asked = state.model.questions.iter();
        let asked = asked.any(|question| question.title.contains("2 sessions"));
        // The sample has production hosts at the top; whichever they are, both are meant.
        assert!(asked || panes(&state.model) == 2);
    }
}
