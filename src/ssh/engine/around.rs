//! What programs in panes are told of the app, and the path that leads them to the agent.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::ssh::config::blocking;
use crate::ssh::surroundings::Surroundings;

use super::Inner;

/// How often it is looked whether the agent that programs in panes are led to is still there.
const LOOK: Duration = Duration::from_secs(3);

impl Inner {
    /// Takes in what programs in panes are to be told. Where they are to be led to an agent, that is kept true until the end.
    pub(super) fn around(self: &Arc<Self>, around: Surroundings) {
        let link = around.agent.clone();
        self.lock().around = around;
        let Some(link) = link else { return };
        self.manager.signpost.stand(link);
        let manager = Arc::clone(&self.manager);
        self.spawn(async move {
            loop {
                let pointing = Arc::clone(&manager);
                // Agents are connected to, which may wait. Where the link cannot be made, a program that looks for an agent finds
                // none and says so.
                blocking(move || pointing.point()).await.ok();
                loop {
                    tokio::select! {
                        () = manager.signpost.wanted.notified() => break,
                        () = tokio::time::sleep(LOOK) => {}
                    }
                    if !manager.signpost.holds() {
                        break;
                    }
                }
            }
        });
    }

    /// Somebody came in whose agent is there.
    pub(super) fn came_in(&self, socket: PathBuf) {
        if !self.manager.signpost.is(&socket) {
            self.manager.use_agent(socket);
            self.manager.signpost.wanted.notify_one();
        }
    }
}
