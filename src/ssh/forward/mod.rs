//! Forwards: connections that are carried through a host, in either direction, and our agent lent to a host.
//!
//! A forward listens on this side (`-L`, `-D`) or on the host (`-R`); whoever connects gets a channel of the one connection
//! that everything to that host shares. Nothing here may stall that connection: every channel is always drained.

mod agent;
mod carry;
mod doors;
mod listen;
mod relay;
mod run;
mod settings;
mod socks;
mod table;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use russh::ChannelWriteHalf;
use russh::client::Msg;

use crate::domain::forward::ForwardRule;
use crate::domain::host::Target;

use super::ask::Along;
use super::link::Link;
use super::manager::Manager;
use super::settings::Settings;

pub(crate) use doors::{Arrival, Doors};
pub(crate) use settings::{AgentRule, Forwarding};
pub(crate) use table::Forwards;

use agent::Lent;
use table::Entry;

/// How long a session waits for its forwards to stand. A slow one comes up later; only `ExitOnForwardFailure` takes it
/// for a failure.
const STANDING: Duration = Duration::from_secs(15);

/// Starts a forward that somebody asked for; false if one of this name runs already.
pub(crate) fn start(
    manager: &Arc<Manager>,
    id: u64,
    target: Target,
    rule: ForwardRule,
    interactive: bool,
) -> bool {
    let Some(entry) = manager.forwards.enter(id, &target.name, rule, false) else {
        return false;
    };
    manager.spawn(run::keep(Arc::clone(manager), entry, target, interactive));
    true
}

/// What a session brought along. Dropping it ends what was only for this session.
pub(crate) struct Company {
    /// Forwards of this session alone.
    own: Vec<Arc<Entry>>,
    /// Those of the settings that it began; they outlive it.
    begun: Vec<Arc<Entry>>,
    lent: Option<Lent>,
}

impl Drop for Company {
    fn drop(&mut self) {
        for entry in &self.own {
            entry.stop.send_replace(true);
        }
    }
}

impl Company {
    /// Nobody.
    pub(crate) fn none() -> Self {
        Self {
            own: Vec::new(),
            begun: Vec::new(),
            lent: None,
        }
    }

    /// Brings along what `ssh` would: the forwards of the host's settings, once for each connection; those of `along`; and
    /// the agent, if the host may use it.
    ///
    /// # Errors
    /// A forward failed, and `ExitOnForwardFailure` wants the session to fail with it.
    pub(crate) async fn bring(
        manager: &Arc<Manager>,
        target: &Target,
        link: &Arc<Link>,
        settings: &Arc<Settings>,
        along: &Along,
    ) -> Result<Self, String> {
        let rules = &settings.forwarding;
        let mut company = Self::none();
        let forwards = &manager.forwards;
        let begin = |rule: &ForwardRule, configured: bool| {
            let entry =
                forwards.enter(forwards.number(), &target.name, rule.clone(), configured)?;
            let riding = run::ride(
                Arc::clone(manager),
                Arc::clone(&entry),
                Arc::clone(link),
                Arc::clone(settings),
            );
            manager.spawn(riding);
            Some(entry)
        };
        if link.doors().begin() {
            let wanted = rules.rules.iter();
            company.begun = wanted.filter_map(|rule| begin(rule, true)).collect();
            for why in &rules.bad {
                let ask = format!("a forward in the settings of {}", target.name);
                forwards.refuse(ask, why.clone()).await;
            }
        }
        if rules.clear && !along.forwards.is_empty() {
            let why = "ClearAllForwardings in ssh_config clears those of the command line too";
            let ask = format!("the forwards to {}", target.name);
            forwards.refuse(ask, why.to_owned()).await;
        } else {
            company.own = along
                .forwards
                .iter()
                .filter_map(|rule| begin(rule, false))
                .collect();
        }
        let started = company.begun.iter().chain(&company.own);
        stand(started, rules.strict).await?;
        if along.agent.unwrap_or(rules.agent != AgentRule::No) {
            company.lent = socket(manager, settings).map(|socket| Lent::new(link, socket));
        }
        Ok(company)
    }

    /// Waits for the connections that its forwards still carry, as `ssh` does when its command has ended.
    pub(crate) async fn linger(&self) {
        for entry in self.begun.iter().chain(&self.own) {
            entry.traffic.idle().await;
        }
    }

    /// Whether the host may use our agent.
    pub(crate) fn lends(&self) -> bool {
        self.lent.is_some()
    }

    /// The request that goes before the session's own. As with `ssh` no answer is asked for: a host that refuses says so in
    /// its log, and its programs find no agent.
    pub(crate) async fn announce(&self, write: &ChannelWriteHalf<Msg>) -> Result<(), russh::Error> {
        if self.lends() {
            write.agent_forward(false).await?;
        }
        Ok(())
    }
}

/// The agent that is lent to a host.
fn socket(manager: &Manager, settings: &Settings) -> Option<PathBuf> {
    match &settings.forwarding.agent {
        AgentRule::At(path) => Some(path.clone()),
        AgentRule::Unset(_) => None,
        // `-A` says yes where the settings say no.
        AgentRule::Usual | AgentRule::No => manager.agent_of(settings),
    }
}

/// Waits until all listen or failed, so that what the session runs finds them.
async fn stand(started: impl Iterator<Item = &Arc<Entry>>, strict: bool) -> Result<(), String> {
    let until = tokio::time::Instant::now() + STANDING;
    for entry in started {
        match tokio::time::timeout_at(until, entry.settle()).await {
            Ok(Err(why)) if strict => return Err(failed(&why)),
            Err(_) if strict => return Err(failed("it did not come up in time")),
            // It is told as a fact, and the session goes on.
            _ => {}
        }
    }
    Ok(())
}

fn failed(why: &str) -> String {
    format!("a forward failed, and ExitOnForwardFailure is set: {why}")
}
