//! What channels are for, and how many there are of each kind on a connection.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::domain::connection::ConnectionUsers;

/// What a channel is for. It decides which connection it is opened on, and is shown to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Use {
    /// A shell in a pane or a terminal.
    Session,
    /// A command.
    Command,
    /// A probe: background work that comes back by itself.
    Probe,
    /// Copies and lists of files: much data, so a wide window.
    Files,
    /// A forwarded connection.
    Forward,
    /// The way on to a host behind this one.
    Jump,
}

/// Counts of users by kind.
#[derive(Debug, Default)]
pub(crate) struct Users {
    counts: [AtomicU32; 6],
}

impl Users {
    pub(crate) fn enter(&self, what: Use) {
        self.count(what).fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn leave(&self, what: Use) {
        self.count(what).fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether anybody is there.
    pub(crate) fn any(&self) -> bool {
        let counts = self.counts.iter();
        counts
            .map(|count| count.load(Ordering::Relaxed))
            .any(|count| count > 0)
    }

    pub(crate) fn now(&self) -> ConnectionUsers {
        let read = |what| self.count(what).load(Ordering::Relaxed);
        ConnectionUsers {
            sessions: read(Use::Session),
            commands: read(Use::Command),
            probes: read(Use::Probe),
            files: read(Use::Files),
            forwards: read(Use::Forward),
            jumps: read(Use::Jump),
        }
    }

    fn count(&self, what: Use) -> &AtomicU32 {
        let [sessions, commands, probes, files, forwards, jumps] = &self.counts;
        match what {
            Use::Session => sessions,
            Use::Command => commands,
            Use::Probe => probes,
            Use::Files => files,
            Use::Forward => forwards,
            Use::Jump => jumps,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_counted_by_itself() {
        let users = Users::default();
        assert!(!users.any());
        users.enter(Use::Probe);
        users.enter(Use::Probe);
        users.enter(Use::Jump);
        users.leave(Use::Probe);
        let now = users.now();
        assert_eq!((now.probes, now.jumps, now.sessions), (1, 1, 0));
        users.leave(Use::Probe);
        users.leave(Use::Jump);
        assert!(!users.any());
    }
}
