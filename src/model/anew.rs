//! Sessions that are opened anew: until the new shell is there, its pane is that of the session that ended.

use super::{Model, SessionView};
use crate::domain::ids::SessionId;

impl Model {
    /// The session that is being opened to take the place of `ended`.
    pub fn successor(&self, ended: SessionId) -> Option<&SessionView> {
        let mut sessions = self.sessions.iter();
        sessions.find(|session| session.instead == Some(ended))
    }

    /// The same, if a person asked for it: what is typed meanwhile is meant for that one.
    pub fn awaited(&self, ended: SessionId) -> Option<&SessionView> {
        self.successor(ended).filter(|coming| !coming.quiet)
    }

    /// Whether a session has no pane of its own yet, because that of the one it follows is still there.
    pub fn is_coming(&self, session: &SessionView) -> bool {
        session
            .instead
            .is_some_and(|ended| self.session(ended).is_some())
    }

    /// The session whose pane shows `session`: itself, or the one whose place it will take.
    pub fn pane_of(&self, session: SessionId) -> SessionId {
        let view = self.session(session);
        let coming = view.filter(|view| self.is_coming(view));
        coming.and_then(|view| view.instead).unwrap_or(session)
    }
}
