//! What calls people to a session: lines that they watch for, and a recording that stopped.

use crate::app::state::State;
use crate::domain::ids::{ReqId, SessionId};

/// A watched line was written.
pub(super) fn matched(_state: &mut State, _session: SessionId, _req: ReqId, _line: &str) {}

/// What a session shows is no longer recorded.
pub(super) fn recording_stopped(state: &mut State, session: SessionId, why: &str) {
    let Some(view) = state.model.session_mut(session) else {
        return;
    };
    view.recording = false;
    let host = view.host.clone();
    super::warn(
        state,
        format!("{host} is NOT RECORDED any more: {why}; the session goes on"),
    );
}
