//! The engine's handle: takes asks without ever blocking.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::ask::SshAsk;
use super::config::EffectiveCache;
use super::fact::SshFact;
use super::screens::Screens;

/// Where the agent's socket is found, unless a host's `IdentityAgent` says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentChoice {
    /// In `SSH_AUTH_SOCK`; unset or empty is no agent.
    FromEnv,
    /// Nowhere.
    None,
    /// Here.
    Path(PathBuf),
}

/// How the engine is started.
#[derive(Clone)]
pub struct EngineOptions {
    /// Where effective settings are kept between processes.
    pub cache: Arc<dyn EffectiveCache>,
    /// Where the agent is.
    pub agent: AgentChoice,
    /// Whether a person can be asked at all; if not, an unknown host key is refused.
    pub interactive: bool,
    /// The program that explains ssh_config: `ssh`.
    pub ssh_program: PathBuf,
    /// Where panes publish their screens.
    pub screens: Arc<Screens>,
}

impl fmt::Debug for EngineOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineOptions")
            .field("agent", &self.agent)
            .field("interactive", &self.interactive)
            .field("ssh_program", &self.ssh_program)
            .finish_non_exhaustive()
    }
}

/// A handle on the engine. Dropping the last one closes every connection.
#[derive(Clone, Debug)]
pub struct Engine {
    _options: Arc<EngineOptions>,
}

impl Engine {
    /// Starts the engine inside the running tokio runtime; it reports to `facts`.
    pub fn start(options: EngineOptions, _facts: mpsc::Sender<SshFact>) -> Self {
        Self {
            _options: Arc::new(options),
        }
    }

    /// Hands in an ask and returns at once. What cannot be taken is answered by a fact.
    pub fn send(&self, _ask: SshAsk) {}
}
