//! Keeps the tabs for the next start: at every change, the latest wins, one write at a time.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::app::effect::Effect;
use crate::app::purpose::Purpose;
use crate::app::state::State;
use crate::domain::layout::{Place, SavedTab, Tab, write};
use crate::model::{Model, SessionState};
use crate::store::{Batch, Local, StoreError};

/// The name under which the tabs are kept.
pub(super) const TABS: &str = "tabs";

/// How far the keeping is.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    /// What was left by the last start was looked at; before that nothing is written over it.
    pub(super) ready: bool,
    /// What the last write was made of.
    last: u64,
    /// A write is under way; changes wait for its end.
    busy: bool,
}

/// Keeps the tabs, if they are not as they were. What a stop ends is kept as it was before.
pub(in crate::app::update) fn keep(state: &mut State, fx: &mut Vec<Effect>) {
    let keeping = &state.tabs.keeping;
    let served = state.setup.served && !state.setup.read_only;
    if !served || !keeping.ready || keeping.busy || state.stopping.is_some() {
        return;
    }
    let now = fingerprint(&state.model);
    if now == keeping.last {
        return;
    }
    let tabs: Vec<SavedTab> = state
        .model
        .tabs
        .iter()
        .map(|tab| saved(&state.model, tab))
        .collect();
    (state.tabs.keeping.last, state.tabs.keeping.busy) = (now, true);
    let batch = Batch {
        drafts: Vec::new(),
        local: vec![Local::Keep {
            name: TABS.to_owned(),
            text: Some(write(&tabs)),
        }],
    };
    super::super::append(state, batch, Purpose::Kept, fx);
}

/// A write has ended; one that failed is told and not tried again before the next change.
pub(in crate::app::update) fn kept(state: &mut State, result: Result<(), StoreError>) {
    state.tabs.keeping.busy = false;
    if let Err(error) = result {
        let why = super::super::failure::text(&error);
        super::super::warn(state, format!("the tabs could not be kept: {why}"));
    }
}

/// What belongs into the panes of a tab.
pub(super) fn saved(model: &Model, tab: &Tab) -> SavedTab {
    let place = |id: &crate::domain::ids::SessionId| {
        let session = model.session(*id);
        let durable = session.filter(|session| !session.reference.is_empty());
        Place {
            host: session.map_or_else(String::new, |session| session.host.clone()),
            ticket: session.and_then(|session| session.ticket.clone()),
            session: durable.map(|session| session.id),
            reference: durable.map_or_else(String::new, |session| session.reference.clone()),
            ended: session.and_then(|session| match &session.state {
                SessionState::Closed(how) => Some(how.clone()),
                SessionState::Live | SessionState::Opening(_) => None,
            }),
        }
    };
    let focus = tab.panes().into_iter().position(|pane| pane == tab.focus);
    SavedTab {
        name: tab.name.clone(),
        root: tab.root.map(&mut { place }),
        focus: focus.unwrap_or(0),
        zoomed: tab.zoomed,
    }
}

/// A number that differs when what is kept differs. It is computed at every event, so it copies nothing.
fn fingerprint(model: &Model) -> u64 {
    let mut hasher = DefaultHasher::new();
    for tab in &model.tabs {
        (&tab.name, &tab.root, tab.focus, tab.zoomed).hash(&mut hasher);
    }
    for session in &model.sessions {
        (
            session.id,
            &session.reference,
            &session.host,
            &session.ticket,
        )
            .hash(&mut hasher);
        if let SessionState::Closed(how) = &session.state {
            how.hash(&mut hasher);
        }
    }
    hasher.finish()
}
