//! Who gets what is typed, and what calls people to a session: plain data and the questions that may be asked of it.

use std::collections::BTreeSet;

use crate::domain::environment::Environment;
use crate::domain::host::{self, Host};
use crate::domain::ids::{SessionId, WindowId};
use crate::domain::time::Time;

use super::{Model, SessionState, SessionView};

/// The marked sessions, and the broadcast that goes on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Broadcast {
    /// Sessions that a broadcast would go to.
    pub marked: BTreeSet<SessionId>,
    /// What goes on now.
    pub on: Option<Broadcasting>,
}

/// A broadcast that goes on. It lives in memory only: no restart brings it back.
#[derive(Clone, Debug, PartialEq)]
pub struct Broadcasting {
    /// Who gets what is typed into one of them.
    pub members: BTreeSet<SessionId>,
    /// The window that began it; it ends with that window.
    pub window: WindowId,
    /// When it began.
    pub since: Time,
    /// When a key last went to all.
    pub last: Time,
    /// How many keys went to all. What they were is kept nowhere.
    pub keys: u64,
    /// How many pastes went to all.
    pub pastes: u64,
}

/// Who gets a key that is typed into a member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receivers {
    /// Those who get it, the one that is typed into among them.
    pub to: Vec<SessionId>,
    /// Members that show a full-screen program and get nothing.
    pub skipped: Vec<SessionId>,
    /// The one that is typed into shows a full-screen program: the keys are meant for that alone.
    pub alone: bool,
}

impl Broadcast {
    /// Whether what is typed into `session` goes to others too.
    pub fn is_member(&self, session: SessionId) -> bool {
        let on = self.on.as_ref();
        on.is_some_and(|on| on.members.contains(&session))
    }
}

impl Model {
    /// Who gets what is typed into `session`; `None` when it is in no broadcast.
    pub fn receivers(&self, session: SessionId) -> Option<Receivers> {
        let on = self.broadcast.on.as_ref()?;
        if !on.members.contains(&session) {
            return None;
        }
        let mut receivers = Receivers::default();
        for view in self.members(on) {
            if view.is_full_screen() {
                receivers.skipped.push(view.id);
            } else {
                receivers.to.push(view.id);
            }
        }
        if receivers.skipped.contains(&session) {
            receivers.alone = true;
            receivers.to = vec![session];
        }
        Some(receivers)
    }

    /// The members that live, in the order of the sessions.
    pub fn members<'m>(&'m self, on: &'m Broadcasting) -> impl Iterator<Item = &'m SessionView> {
        let sessions = self.sessions.iter();
        sessions.filter(|view| view.state == SessionState::Live && on.members.contains(&view.id))
    }

    /// How far a broadcast reaches, in words that belong on every member and into the bar of tabs; `None` when none goes on.
    pub fn broadcast_words(&self) -> Option<String> {
        let on = self.broadcast.on.as_ref()?;
        let (mut to, mut skipped) = (0, 0);
        for view in self.members(on) {
            if view.is_full_screen() {
                skipped += 1;
            } else {
                to += 1;
            }
        }
        Some(match skipped {
            0 => format!("BROADCAST to {to}"),
            skipped => format!("BROADCAST to {to}, {skipped} skipped"),
        })
    }

    /// What must be asked before `session` hides the other panes of its tab, a line each; `None` when nothing must be. What is
    /// typed into it would go to hosts that nobody sees.
    pub fn zoom_question(&self, session: SessionId) -> Option<Vec<String>> {
        let receivers = self.receivers(session)?;
        let others: Vec<&str> = receivers
            .to
            .iter()
            .filter(|id| **id != session)
            .filter_map(|id| self.session(*id))
            .map(|view| view.host.as_str())
            .collect();
        (!others.is_empty()).then(|| {
            vec![
                format!(
                    "A broadcast goes on: what you type here also goes to {}.",
                    others.join(", ")
                ),
                "Enlarged, this pane hides them.".to_owned(),
            ]
        })
    }

    /// The environment of the host called `name`, however it was typed: `user@name` and `ssh://user@name:port` lead to the host
    /// that the inventory calls `name`. Of a host that it does not know, patterns of names tell.
    pub fn environment_of(&self, name: &str) -> Option<&Environment> {
        let bare = host::bare(name);
        let known = self.host_named(name).or_else(|| self.host_named(bare));
        // A name is looked up in either case by whoever resolves it, so `DB1` is db1.
        match known.or_else(|| self.host_named(&bare.to_lowercase())) {
            Some(host) => self.environments.of(host),
            // No host has a space in its name: this is a shell on this machine, which is no production host for `*`.
            None if bare.contains(' ') => None,
            None => self.environments.of(&Host::named(bare)),
        }
    }

    /// Whether the host called `name` is a production host, by [`Model::environment_of`].
    pub fn is_production(&self, name: &str) -> bool {
        self.environment_of(name)
            .is_some_and(Environment::is_production)
    }
}

impl SessionView {
    /// Whether a full-screen program has the screen now.
    pub fn is_full_screen(&self) -> bool {
        self.screen
            .as_ref()
            .is_some_and(|screen| screen.modes.alt_screen)
    }
}

/// What is watched for in a session, and what of it happened since somebody looked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monitor {
    /// Output calls.
    pub activity: bool,
    /// The bell calls.
    pub bell: bool,
    /// So many seconds without output call.
    pub silence: Option<u32>,
    /// A line with this regular expression calls.
    pub pattern: Option<String>,
    /// It has been silent that long.
    pub silent: bool,
    /// The line that was waited for.
    pub matched: Option<String>,
}

impl Default for Monitor {
    fn default() -> Self {
        Self {
            activity: false,
            bell: true,
            silence: None,
            pattern: None,
            silent: false,
            matched: None,
        }
    }
}

impl SessionView {
    /// The sign of what happened while nobody looked: `/` a line that was waited for, `!` the bell, `~` silence, `+` output.
    pub fn sign(&self) -> Option<char> {
        [
            (self.monitor.matched.is_some(), '/'),
            (self.bell, '!'),
            (self.monitor.silent, '~'),
            (self.activity, '+'),
        ]
        .into_iter()
        .find(|(on, _)| *on)
        .map(|(_, sign)| sign)
    }

    /// Whether it calls for somebody: mere output does not, unless that is watched for.
    pub fn calls(&self) -> bool {
        let monitor = &self.monitor;
        monitor.matched.is_some()
            || monitor.silent
            || (self.bell && monitor.bell)
            || (self.activity && monitor.activity)
    }

    /// Somebody looked.
    pub fn looked_at(&mut self) {
        (self.bell, self.activity, self.monitor.silent) = (false, false, false);
        self.monitor.matched = None;
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::environment::{Environment, Tint};
    use crate::model::sample::model;

    #[test]
    fn a_host_is_guarded_however_its_name_was_typed() {
        let mut model = model();
        let patterns = Environment::new("vault", Tint::Red, &["vault-*", "10.9.*", "*machine*"]);
        model.environments.0.push(patterns);
        for (name, production) in [
            ("db1", true),
            ("root@db1", true),
            ("ssh://db1", true),
            ("ssh://root@db1:2222/", true),
            ("a@b@db1", true),
            ("DB1", true),
            ("root@mail2", false),
            ("root@nobody", false),
            // The inventory does not know these; the settings name them by patterns.
            ("vault-7", true),
            ("root@vault-7", true),
            ("ssh://root@10.9.0.1:22", true),
            ("this machine", false),
        ] {
            assert_eq!(model.is_production(name), production, "{name}");
        }
    }
}
