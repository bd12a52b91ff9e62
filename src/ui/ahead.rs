//! Typing ahead: who asks for a shell and goes on typing means the shell, as with `ssh`. Until it is there the keys are
//! kept here, so that none of them starts a command in the list below.

use super::view::View;
use super::{Intent, SessionInput, Ui};
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
    keys: Vec<Key>,
}

impl Ui {
    /// A session was asked for: what is typed from now on is meant for it.
    pub(super) fn expect_session(&mut self, model: &Model) {
        self.ahead = Some(Ahead {
            since: model.now,
            notices: model.notices.count(),
            keys: Vec::new(),
        });
    }

    /// Keeps a key for the session that is on its way; false if none is.
    pub(super) fn type_ahead(&mut self, model: &Model, key: Key) -> bool {
        let opening = match self.view {
            View::Pane(id) => {
                let session = model.session(id);
                session.is_some_and(|session| matches!(session.state, SessionState::Opening(_)))
            }
            _ => self
                .ahead
                .as_ref()
                .is_some_and(|ahead| ahead.is_expected(model)),
        };
        if !opening || key.code == KeyCode::Esc {
            self.ahead = None;
            return false;
        }
        if self.ahead.is_none() {
            self.expect_session(model);
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

    /// Whether a session was asked for that is not on the screen yet.
    pub(super) fn expects_session(&self, model: &Model) -> bool {
        let ahead = self.ahead.as_ref();
        !matches!(self.view, View::Pane(_)) && ahead.is_some_and(|ahead| ahead.is_expected(model))
    }

    /// What became possible because the model changed: keys that were typed ahead go to their session once it lives. To
    /// be called whenever the model has changed, before [`Ui::layout`].
    pub fn settle(&mut self, model: &Model) -> Vec<Intent> {
        let View::Pane(id) = self.view else {
            return Vec::new();
        };
        match model.session(id).map(|session| &session.state) {
            Some(SessionState::Opening(_)) => Vec::new(),
            Some(SessionState::Live) => {
                let keys = self.ahead.take().map_or_else(Vec::new, |ahead| ahead.keys);
                keys.into_iter()
                    .map(|key| Intent::Session(id, SessionInput::Key(key)))
                    .collect()
            }
            Some(SessionState::Closed(_)) | None => {
                self.ahead = None;
                Vec::new()
            }
        }
    }
}

impl Ahead {
    fn is_expected(&self, model: &Model) -> bool {
        let failed = model.notices.count() > self.notices
            && model
                .notices
                .last()
                .is_some_and(|notice| notice.level == Level::Error);
        !failed && model.now.since(self.since) < PATIENCE
    }
}
