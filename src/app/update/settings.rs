//! The settings file while the app runs: that it was changed is told once, and what can be taken over is, when somebody says so.

use crate::app::effect::{Effect, FileAsk};
use crate::app::event::{Caller, FileFact};
use crate::app::purpose::Purpose;
use crate::app::reread::Reread;
use crate::app::state::State;
use crate::command::{Answer, Outcome};
use crate::domain::time::Time;

use super::{reply, warn};

/// How often the file is looked at, in milliseconds.
const EVERY: u64 = 5_000;

/// What is known of the settings file.
#[derive(Debug, Default)]
pub(crate) struct SettingsFile {
    /// What it was when the app read it; `None` until that is known.
    read: Option<u64>,
    /// What it was when it was last looked at.
    now: Option<u64>,
    /// When it was last looked at.
    at: Option<Time>,
}

impl SettingsFile {
    /// Whether it is another one than the app goes by.
    fn is_newer(&self) -> bool {
        self.now.is_some() && self.read.is_some() && self.now != self.read
    }
}

/// Time passed: the file is looked at where somebody could be told.
pub(super) fn tick(state: &mut State, fx: &mut Vec<Effect>) {
    let now = state.model.now;
    let known = &mut state.settings;
    let due = known.at.is_none_or(|last| now.since(last) >= EVERY);
    if due && state.setup.served {
        known.at = Some(now);
        super::read_file(state, FileAsk::SettingsMark, Purpose::SettingsMark, fx);
    }
}

/// The file was looked at.
pub(super) fn marked(state: &mut State, fact: &FileFact) {
    let FileFact::SettingsMark(mark) = fact else {
        return;
    };
    let known = &mut state.settings;
    known.read = known.read.or(Some(*mark));
    let before = known.now.replace(*mark);
    if known.is_newer() && before != Some(*mark) {
        warn(state, changed().to_owned());
    }
}

const fn changed() -> &'static str {
    "the settings changed; :config reload takes over"
}

/// What there is to say about the file in the status of the app.
pub(super) fn status(state: &State) -> Option<String> {
    let words = "changed since the app read them; `qd config reload` takes over what it can";
    state.settings.is_newer().then(|| words.to_owned())
}

/// Takes the settings over.
pub(super) fn reload(state: &mut State, caller: Caller, fx: &mut Vec<Effect>) {
    super::read_file(state, FileAsk::Settings, Purpose::Settings(caller), fx);
}

/// The settings were read again.
pub(super) fn reread(state: &mut State, caller: Caller, fact: FileFact, fx: &mut Vec<Effect>) {
    let outcome = match fact {
        FileFact::Settings(Ok(read)) => Outcome::ok(Answer::Done(taken_over(state, *read))),
        FileFact::Settings(Err(why)) => Outcome::error(
            2,
            format!("the settings stay as they were: {why}; `qd config check` says where"),
        ),
        _ => Outcome::error(1, "another file was read; please report this".to_owned()),
    };
    reply(state, caller, outcome, fx);
}

fn taken_over(state: &mut State, read: Reread) -> String {
    let known = &mut state.settings;
    (known.read, known.now) = (Some(read.mark), Some(read.mark));
    state.model.environments = read.guard.environments.clone();
    state.setup.guard = read.guard;
    state.setup.terminal = read.terminal;
    state.setup.window_size = read.window_size;
    state.setup.thresholds = read.thresholds;
    for ui in state.windows.values_mut() {
        ui.set_mouse(read.terminal.mouse);
    }
    if state.setup.theme != read.theme {
        for ui in state.windows.values_mut() {
            ui.set_theme(read.theme.clone());
        }
        state.setup.theme = read.theme;
    }
    match read.rest.as_slice() {
        [] => "the settings are taken over".to_owned(),
        rest => format!(
            "settings taken over; only after a restart: {}",
            rest.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::event::Event;
    use crate::app::update::bench::state;
    use crate::app::update::update;
    use crate::command::{Command, ProgramCommand};
    use crate::domain::ids::ReqId;

    fn asked(effects: &[Effect]) -> Option<ReqId> {
        effects.iter().find_map(|effect| match effect {
            Effect::File(req, FileAsk::SettingsMark | FileAsk::Settings) => Some(*req),
            _ => None,
        })
    }

    /// Looks at the file, which has this mark; whether something was said.
    fn look(state: &mut State, mark: u64) -> bool {
        let now = state.model.now.plus(6_000);
        let effects = update(state, Event::Tick(now));
        let req = asked(&effects).expect("it is looked at");
        let before = state.model.notices.count();
        drop(update(
            state,
            Event::File(req, FileFact::SettingsMark(mark)),
        ));
        state.model.notices.count() > before
    }

    #[test]
    fn a_change_of_the_settings_is_told_once_and_taken_over_when_asked() {
        let mut state = state();
        state.setup.served = true;
        assert!(!look(&mut state, 1) && !look(&mut state, 1));
        assert!(look(&mut state, 2), "it was changed");
        assert!(!look(&mut state, 2), "once");
        assert!(status(&state).is_some());
        assert!(look(&mut state, 3), "and again");
        let web = state.model.host_named("web1").cloned().expect("web1");
        assert!(state.model.environments.of(&web).is_some());
        let command = Command::Program(ProgramCommand::ConfigReload);
        let caller = Caller::Window(crate::app::update::bench::WINDOW);
        let effects = update(
            &mut state,
            Event::Asked {
                caller,
                command: Box::new(command),
            },
        );
        let req = asked(&effects).expect("it is read");
        let mut guard = crate::app::state::Guarding::default();
        guard.alerts.bell = false;
        let read = Reread {
            mark: 3,
            guard,
            terminal: state.setup.terminal,
            window_size: state.setup.window_size,
            thresholds: state.setup.thresholds.clone(),
            theme: state.setup.theme.clone(),
            rest: vec!["[ssh]"],
        };
        let fact = FileFact::Settings(Ok(Box::new(read)));
        drop(update(&mut state, Event::File(req, fact)));
        assert!(!state.setup.guard.alerts.bell && status(&state).is_none());
        let last = state.model.notices.last().map(|notice| notice.text.clone());
        assert!(last.is_some_and(|text| text.ends_with("only after a restart: [ssh]")));
    }
}
