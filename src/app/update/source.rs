//! Whose affair it is what is said while an event is taken in: a host, a session, sync. For the view of messages.

use crate::app::event::Event;
use crate::app::state::State;
use crate::domain::ids::SessionId;
use crate::ssh::SshFact;

/// Where an event came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Source {
    /// The app itself: time passed.
    #[default]
    App,
    /// A person at a window.
    Window,
    /// A command line.
    Line,
    /// The store.
    Store,
    /// A session, which has a host.
    Session(SessionId),
    /// A host, by name.
    Host(String),
    /// Something on connections that has no host of its own.
    Connections,
    /// Copies and changes of files.
    Files,
    /// Recordings.
    Recordings,
    /// Sync.
    Sync,
}

/// Where this event comes from.
pub(super) fn of(event: &Event) -> Source {
    match event {
        Event::Tick(_) | Event::Local(_) | Event::Agent(_) | Event::Stop => Source::App,
        Event::Window(..) | Event::Looked(..) | Event::Kept(_) => Source::Window,
        Event::Asked { caller, .. } => match caller {
            crate::app::event::Caller::Window(_) => Source::Window,
            crate::app::event::Caller::Line(_) => Source::Line,
        },
        Event::Line(..) | Event::Slow(..) => Source::Line,
        Event::Committed(..) | Event::Answered(..) | Event::StoreChanged => Source::Store,
        Event::Sync(_) | Event::SyncLevel(_) => Source::Sync,
        Event::Connections(..) => Source::Connections,
        Event::Screen(session, _) => Source::Session(*session),
        Event::File(..) => Source::Files,
        Event::Reel(_) => Source::Recordings,
        Event::Ssh(fact) => of_fact(fact),
    }
}

// tidy: table
fn of_fact(fact: &SshFact) -> Source {
    match fact {
        SshFact::Connected { target, .. }
        | SshFact::Disconnected { target, .. }
        | SshFact::Said { target, .. }
        | SshFact::KeyChanged { target, .. }
        | SshFact::Question { target, .. } => Source::Host(target.name.clone()),
        SshFact::Forward(row) => Source::Host(row.host.clone()),
        SshFact::SessionOpened { session, .. }
        | SshFact::SessionClosed { session, .. }
        | SshFact::SessionLost { session }
        | SshFact::SessionTitle { session, .. }
        | SshFact::SessionBell { session }
        | SshFact::SessionClipboard { session, .. }
        | SshFact::SessionNotify { session, .. }
        | SshFact::SessionActivity { session }
        | SshFact::RecordingChanged { session, .. }
        | SshFact::RecordingStopped { session, .. }
        | SshFact::Matched { session, .. }
        | SshFact::Copied { session, .. } => Source::Session(*session),
        SshFact::CopyProgress { .. } | SshFact::CopyDone { .. } | SshFact::FilesDone { .. } => {
            Source::Files
        }
        SshFact::Output { .. }
        | SshFact::ExecStarted { .. }
        | SshFact::StdinTaken { .. }
        | SshFact::ExecDone { .. }
        | SshFact::Captured { .. }
        | SshFact::ProbeDone { .. }
        | SshFact::Resolved { .. }
        | SshFact::Keys { .. }
        | SshFact::Status { .. }
        | SshFact::QuestionClosed { .. }
        | SshFact::Reach { .. }
        | SshFact::Refused { .. } => Source::Connections,
    }
}

/// What is to be said of the source of the event that is being taken in.
pub(super) fn words(state: &State) -> String {
    match &state.source {
        Source::App => "app".to_owned(),
        Source::Window => "window".to_owned(),
        Source::Line => "command line".to_owned(),
        Source::Store => "store".to_owned(),
        Source::Connections => "connections".to_owned(),
        Source::Files => "files".to_owned(),
        Source::Recordings => "recordings".to_owned(),
        Source::Sync => "sync".to_owned(),
        Source::Host(name) => name.clone(),
        Source::Session(id) => {
            let view = state.model.session(*id);
            let words = view.map(|view| format!("{} {}", view.host, view.reference));
            let words = words.unwrap_or_else(|| "a session".to_owned());
            words.trim_end().to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::update::bench::{press, state};
    use crate::app::update::update;
    use crate::model::sample::session_id;

    #[test]
    fn what_is_said_tells_whose_affair_it_is() {
        let mut state = state();
        let stopped = SshFact::RecordingStopped {
            session: session_id("live web1"),
            why: "the disk is full".to_owned(),
        };
        drop(update(&mut state, Event::Ssh(Box::new(stopped))));
        press(&mut state, "3");
        press(&mut state, ": n o s u c h Enter");
        let told: Vec<&str> = state
            .model
            .notices
            .told()
            .map(|told| told.source.as_str())
            .collect();
        assert!(told.contains(&"web1 S-4QWE"), "{told:?}");
    }
}
