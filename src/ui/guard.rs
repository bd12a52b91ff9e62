//! What keeps people from typing into the wrong place: pastes are shown first, a broadcast names its receivers, and the
//! sessions that call are found.

use super::layers::Layer;
use super::layers::broadcast::{BroadcastSheet, Candidate};
use super::layers::paste::{PasteSheet, Way};
use super::view::View;
use super::{GuardOrder, Intent, SessionInput, Ui};
use crate::command::{BroadcastVerb, MonitorVerb};
use crate::domain::ids::SessionId;
use crate::domain::paste::{Inspection, LONGEST};
use crate::model::{Model, SessionState, SessionView};

impl Ui {
    /// The session that is meant: the one that has the keys, or the one that is selected in the list.
    fn session_here(&self, model: &Model) -> Option<SessionId> {
        match self.view {
            View::Pane(id) => Some(id),
            View::Sessions => {
                let id = *self.views.sessions.list.selected()?;
                model.session(id).map(|session| session.id)
            }
            _ => None,
        }
    }

    /// Does what a verb about the broadcast says.
    pub(super) fn broadcast(&mut self, model: &Model, verb: BroadcastVerb) -> Vec<Intent> {
        let on = model.broadcast.on.is_some();
        match verb {
            BroadcastVerb::Mark => {
                let Some(id) = self.session_here(model) else {
                    self.refused = Some("There is no live session here to mark.".to_owned());
                    return Vec::new();
                };
                let live = |session: &SessionView| session.state == SessionState::Live;
                if !model.session(id).is_some_and(live) {
                    self.refused = Some("Only a live session can be marked.".to_owned());
                    return Vec::new();
                }
                vec![Intent::Guard(GuardOrder::Mark(id))]
            }
            BroadcastVerb::Unmark => vec![Intent::Guard(GuardOrder::Unmark)],
            BroadcastVerb::Toggle | BroadcastVerb::Off if on => {
                vec![Intent::Guard(GuardOrder::End)]
            }
            BroadcastVerb::Off => {
                self.refused = Some("No broadcast goes on.".to_owned());
                Vec::new()
            }
            BroadcastVerb::On if on => {
                self.refused = Some("A broadcast goes on already; end it first.".to_owned());
                Vec::new()
            }
            BroadcastVerb::Toggle | BroadcastVerb::On => {
                let candidates = candidates(model);
                if candidates.len() < 2 {
                    let mark = self.keymap.prefix();
                    self.refused = Some(format!(
                        "Mark two sessions or more first: {mark} m in each, or Space in the list of sessions."
                    ));
                    return Vec::new();
                }
                let sheet = BroadcastSheet::new(candidates);
                self.layers.push(Layer::Broadcast(Box::new(sheet)));
                Vec::new()
            }
        }
    }

    /// Space in the list of sessions.
    pub(super) fn mark_session(&mut self, model: &Model) -> Vec<Intent> {
        let intents = self.broadcast(model, BroadcastVerb::Mark);
        super::list::Moves::step(&mut self.views.sessions.list, 1);
        intents
    }

    /// Says what is to call.
    pub(super) fn monitor(&mut self, model: &Model, verb: &MonitorVerb) -> Vec<Intent> {
        let named = verb.session.as_ref().map(|reference| {
            let wanted = |session: &&SessionView| session.reference.eq_ignore_ascii_case(reference);
            model.sessions.iter().find(wanted).map(|session| session.id)
        });
        match named.unwrap_or_else(|| self.session_here(model)) {
            Some(id) => vec![Intent::Guard(GuardOrder::Monitor(id, verb.what.clone()))],
            None => {
                self.refused = Some(match &verb.session {
                    Some(reference) => format!("There is no live session {reference}."),
                    None => "Which session? Go to it, or name it with --session.".to_owned(),
                });
                Vec::new()
            }
        }
    }

    /// Goes to the next session that called; one that only wrote something comes last.
    pub(super) fn next_call(&mut self, model: &Model) {
        // In the list the selected session may be the one that calls.
        let here = match self.view {
            View::Pane(id) => Some(id),
            _ => None,
        };
        let at = model
            .sessions
            .iter()
            .position(|session| Some(session.id) == here);
        let (before, after) = model.sessions.split_at(at.map_or(0, |at| at + 1));
        let others = || {
            after
                .iter()
                .chain(before)
                .filter(|session| Some(session.id) != here)
        };
        let next = others()
            .find(|session| session.calls())
            .or_else(|| others().find(|session| session.sign().is_some()));
        match next {
            Some(session) => self.open(model, View::Pane(session.id)),
            None => self.refused = Some("No session calls.".to_owned()),
        }
    }

    /// Asks before text goes to a session that would act on it line by line, to a production host, or to several at once.
    /// The modes of the pane play no part: no program can switch this off.
    pub(super) fn guard_paste(
        &mut self,
        model: &Model,
        id: SessionId,
        text: String,
    ) -> Vec<Intent> {
        if text.is_empty() {
            return Vec::new();
        }
        if text.len() > LONGEST {
            let mega = text.len() / (1024 * 1024);
            self.refused = Some(format!(
                "{mega} MiB are too much to paste (at most 8): nothing was sent; copy a file instead, f on its host."
            ));
            return Vec::new();
        }
        let way = way(model, id);
        let plain = !way.production && way.others.is_empty();
        if plain && !Inspection::of(&text).is_suspicious() {
            return vec![Intent::Session(id, SessionInput::Paste(text))];
        }
        let sheet = PasteSheet::new(way, text);
        self.layers.push(Layer::Paste(Box::new(sheet)));
        Vec::new()
    }

    /// The sessions that can be seen in this window now.
    pub fn on_screen(&self) -> Vec<SessionId> {
        let View::Pane(id) = self.view else {
            return Vec::new();
        };
        let mut seen: Vec<SessionId> = self
            .views
            .pane
            .places()
            .into_iter()
            .map(|(id, _)| id)
            .collect();
        if !seen.contains(&id) {
            seen.push(id);
        }
        seen
    }
}

/// The marked sessions that live, in their order.
fn candidates(model: &Model) -> Vec<Candidate> {
    let marked = model.sessions.iter().filter(|session| {
        session.state == SessionState::Live && model.broadcast.marked.contains(&session.id)
    });
    marked
        .map(|session| Candidate {
            session: session.id,
            name: format!("{}  {}", session.host, session.reference),
            environment: model
                .environment_of(&session.host)
                .map(|environment| environment.name.clone()),
            production: model.is_production(&session.host),
            full_screen: session.is_full_screen(),
        })
        .collect()
}

/// Where a text would go that is pasted into `id`.
fn way(model: &Model, id: SessionId) -> Way {
    let host = |id: SessionId| model.session(id).map(|session| session.host.as_str());
    let to = model
        .receivers(id)
        .map_or_else(Vec::new, |receivers| receivers.to);
    let others: Vec<&str> = to
        .iter()
        .filter(|other| **other != id)
        .filter_map(|id| host(*id))
        .collect();
    let name = host(id).unwrap_or("the session");
    Way {
        session: id,
        name: name.to_owned(),
        environment: model
            .environment_of(name)
            .map(|environment| environment.name.clone()),
        production: std::iter::once(&name)
            .chain(&others)
            .any(|host| model.is_production(host)),
        others: others.into_iter().map(str::to_owned).collect(),
    }
}
