//! The path by which programs in panes find the agent: a symbolic link that is turned to whichever agent is to be used now.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Where programs in panes are told to look, if anywhere.
#[derive(Debug, Default)]
pub(crate) struct Signpost {
    // A std mutex: held while the link is turned, never across an await.
    link: Mutex<Option<PathBuf>>,
    /// Somebody wants it looked at now.
    pub(crate) wanted: Notify,
}

impl Signpost {
    /// Puts it there.
    pub(crate) fn stand(&self, link: PathBuf) {
        *self.lock() = Some(link);
    }

    /// Whether this is the path that it gives: who comes in with it runs in a pane, and brings no agent of its own.
    pub(crate) fn is(&self, socket: &Path) -> bool {
        self.lock().as_deref() == Some(socket)
    }

    /// Whether it leads to something that is there. Nothing is connected to: behind an agent that was lent by a far machine each
    /// connection is a way through the network.
    pub(crate) fn holds(&self) -> bool {
        let link = self.lock().clone();
        link.is_none_or(|link| link.metadata().is_ok())
    }

    /// Turns it to this agent, or takes it away when there is none. Whoever follows it meanwhile finds the old one or the new.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(crate) fn lead(&self, agent: Option<&Path>) -> io::Result<()> {
        let link = self.lock();
        let Some(link) = link.as_deref() else {
            return Ok(());
        };
        let now = std::fs::read_link(link).ok();
        // A relative path would mean something else from here.
        let agent = agent.filter(|agent| agent.is_absolute() && *agent != link);
        match (now, agent) {
            (now, Some(agent)) if now.as_deref() == Some(agent) => Ok(()),
            (_, Some(agent)) => {
                let beside = link.with_extension("agent-next");
                // What a killed app left there.
                std::fs::remove_file(&beside).ok();
                std::os::unix::fs::symlink(agent, &beside)?;
                std::fs::rename(&beside, link)
            }
            (Some(_), None) => std::fs::remove_file(link),
            (None, None) => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<PathBuf>> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_turned_and_taken_away() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let link = folder.path().join("qd.agent");
        let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
        std::fs::write(&second, "")?;
        let signpost = Signpost::default();
        signpost.lead(Some(&first))?;
        assert!(!link.is_symlink(), "it stands nowhere yet");
        signpost.stand(link.clone());
        for agent in [&first, &second, &second] {
            signpost.lead(Some(agent))?;
            assert_eq!(&std::fs::read_link(&link)?, agent);
            assert_eq!(signpost.holds(), agent == &second);
        }
        assert!(signpost.is(&link) && !signpost.is(&first));
        // Never to itself.
        signpost.lead(Some(&link))?;
        assert!(!link.is_symlink());
        signpost.lead(None)?;
        Ok(())
    }
}
