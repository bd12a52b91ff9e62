//! Typing ahead: who asks for a shell and goes on typing means the shell, as with `ssh`. Until it is there the keys are
//! kept here, so that none of them starts a command in the list below.

use super::view::View;
use super::{Intent, SessionInput, Ui};
use crate::domain::ids::SessionId;
use crate::domain::key::{Key, KeyCode};
use crate::domain::time::Time;
use crate::model::{Level, Model, SessionState};

/// How many keys are kept; further ones are dropped, and the user is told.
const MOST: usize = 512;

/// How long a session is waited for before the keys are the list's again, in milliseconds.
const PATIENCE: u64 = 10_000;

/// Keys that wait for a session.
#[derive(Debug)]
pub(super) struct Ahead {
    since: Time,
    /// How many notices there were: an error after that is the answer.
    notices: u64,
    /// The session that they are for, once it is known: no other ever gets them.
    session: Option<SessionId>,
    keys: Vec<Key>,
}

impl Ui {
    /// A session was asked for: what is typed from now on is meant for it.
    pub(super) fn expect_session(&mut self, model: &Model) {
        self.ahead = Some(Ahead {
            since: model.now,
            notices: model.notices.count(),
            session: None,
            keys: Vec::new(),
        });
    }

    /// Keeps a key for the session that is on its way; false if none is.
    pub(super) fn type_ahead(&mut self, model: &Model, key: Key) -> bool {
        let opening = match self.view {
            View::Pane(id) if self.is_opening(model, id) => true,
            _ => self
                .ahead
                .as_ref()
                .is_some_and(|ahead| ahead.is_expected(model)),
        };
        let here = match self.view {
            View::Pane(id) => heir(model, id),
            _ => None,
        };
        let opening_here = here.filter(|id| {
            let session = model.session(*id);
            session.is_some_and(|session| matches!(session.state, SessionState::Opening(_)))
        });
        let other = |ahead: &Ahead| ahead.session.is_some() && ahead.session != here;
        let other = self.ahead.as_ref().is_some_and(other);
        if !opening || key.code == KeyCode::Esc {
            // What was typed for a session that is not on the screen any more is still meant for it.
            self.ahead = self.ahead.take().filter(|_| other);
            return false;
        }
        if self.ahead.is_none() || other {
            self.expect_session(model);
        }
        if let Some(ahead) = &mut self.ahead {
            ahead.session = ahead.session.or(opening_here);
        }
        match &mut self.ahead {
            Some(ahead) if ahead.keys.len() < MOST => ahead.keys.push(key),
            _ => {
                self.refused =
                    Some("The session is not there yet; this key was dropped.".to_owned())
            }
        }
        true
    }

    /// Whether a shell is on its way to this pane: its own, or one in the place of its own.
    pub(super) fn is_opening(&self, model: &Model, id: SessionId) -> bool {
        let opening = |state: &SessionState| matches!(state, SessionState::Opening(_));
        let session = model.session(id);
        session.is_some_and(|session| opening(&session.state))
            || model.awaited(id).is_some()
            || self
                .ahead
                .as_ref()
                .is_some_and(|ahead| ahead.is_expected(model))
    }

    /// Whether a session was asked for that is not on the screen yet.
    pub(super) fn expects_session(&self, model: &Model) -> bool {
        let ahead = self.ahead.as_ref();
        !matches!(self.view, View::Pane(_)) && ahead.is_some_and(|ahead| ahead.is_expected(model))
    }

    /// What became possible because the model changed: keys that were typed ahead go to their session once it lives. To
    /// be called whenever the model has changed, before [`Ui::layout`].
    pub fn settle(&mut self, model: &Model) -> Vec<Intent> {
        let Some(ahead) = &mut self.ahead else {
            return Vec::new();
        };
        let shown = match self.view {
            View::Pane(id) => heir(model, id),
            _ => None,
        };
        let Some(id) = ahead.session.or(shown) else {
            return Vec::new();
        };
        match model.session(id).map(|session| &session.state) {
            Some(SessionState::Opening(_)) => {
                ahead.session = Some(id);
                Vec::new()
            }
            Some(SessionState::Live) => {
                let keys = self.ahead.take().map_or_else(Vec::new, |ahead| ahead.keys);
                keys.into_iter()
                    .map(|key| Intent::Session(id, SessionInput::Key(key)))
                    .collect()
            }
            // It was asked for a moment ago.
            None if ahead.is_expected(model) => Vec::new(),
            Some(SessionState::Closed(_)) if ahead.is_expected(model) => Vec::new(),
            Some(SessionState::Closed(_)) | None => {
                let lost = self
                    .ahead
                    .take()
                    .is_some_and(|ahead| !ahead.keys.is_empty());
                if lost {
                    // Who types on still means the session that did not come.
                    self.astray = Some(model.now);
                    self.refused =
                        Some("The session did not open; what you typed was dropped.".to_owned());
                }
                Vec::new()
            }
        }
    }
}

/// The session that keys in this pane are for: the one that is to take its place, or its own.
fn heir(model: &Model, pane: SessionId) -> Option<SessionId> {
    Some(model.awaited(pane).map_or(pane, |session| session.id))
}

impl Ahead {
    fn is_expected(&self, model: &Model) -> bool {
        let failed = model.notices.count() > self.notices
            && model
                .notices
                .last()
                .is_some_and(|notice| notice.level == Level::Error);
        !failed && self.session.is_none() && model.now.since(self.since) < PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::EntityId;
    use crate::model::SessionView;
    use crate::ui::{Caps, Keymap, Theme, UiInput};

    #[test]
    fn keys_typed_ahead_reach_no_other_session() {
        let ids = [1, 2].map(|byte| SessionId(EntityId::from_bytes([byte; 16])));
        let mut model = Model::default();
        for id in ids {
            model.sessions.push(SessionView::opening(id, "web1", None));
        }
        let [opening, live] = ids;
        let set = |model: &mut Model, id| {
            if let Some(view) = model.session_mut(id) {
                view.state = SessionState::Live;
            }
        };
        set(&mut model, live);
        let mut ui = Ui::new(Theme::default(), Keymap::default(), Caps::default());
        ui.open(&model, View::Pane(opening));
        let key = Key::plain(KeyCode::Char('x'));
        assert!(ui.input(&model, UiInput::Key(key)).is_empty());
        ui.open(&model, View::Pane(live));
        assert!(ui.settle(&model).is_empty(), "they are for the other one");
        set(&mut model, opening);
        let sent = ui.settle(&model);
        let [Intent::Session(to, SessionInput::Key(typed))] = sent.as_slice() else {
            unreachable!("one key: {sent:?}")
        };
        assert_eq!((*to, *typed), (opening, key));
    }
}
