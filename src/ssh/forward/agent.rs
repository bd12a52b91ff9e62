//! Our agent, lent to programs on a host: each of their connections becomes one of ours to the agent's socket.
//!
//! Only for hosts whose settings ask for it, and only while a session is there. Nothing is read of what goes through.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use russh::keys::agent::client::AgentClient;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::ssh::link::Link;

use super::doors::{Arrival, Open};
use super::relay::{Counted, Relay, Traffic};

/// How many connections to the agent a host may have at once; one more is refused.
const MOST: usize = 32;

/// How long the agent may take to let us in.
const PATIENCE: Duration = Duration::from_secs(5);

/// Serves the host's programs until it is dropped.
pub(super) struct Lent {
    /// Dropped with this; the tasks watch it, and close their channels.
    _stop: watch::Sender<bool>,
}

impl Lent {
    /// Begins. The session's own request has to ask the host for it too.
    pub(super) fn new(link: &Arc<Link>, socket: PathBuf) -> Self {
        let open = link.doors().open_agent();
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(serve(Arc::clone(link), open, socket, stopped));
        Self { _stop: stop }
    }
}

async fn serve(
    link: Arc<Link>,
    mut open: Open,
    socket: PathBuf,
    mut stopped: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stopped.changed() => break,
            arrival = open.arrivals.recv() => match arrival {
                None => return,
                // Dropping an arrival refuses it.
                Some(_) if connections.len() >= MOST => {}
                Some(arrival) => {
                    let link = Arc::clone(&link);
                    connections.spawn(lend(link, arrival, socket.clone(), stopped.clone()));
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
    // They were told too, and close their channels.
    while connections.join_next().await.is_some() {}
}

async fn lend(
    link: Arc<Link>,
    arrival: Arrival,
    socket: PathBuf,
    mut stopped: watch::Receiver<bool>,
) {
    let connected = tokio::time::timeout(PATIENCE, connect(&link, &socket)).await;
    // Without an agent the channel is refused, and the program there says so.
    let Ok(Some(agent)) = connected else { return };
    arrival.reply.accept().await;
    let (read, write) = arrival.channel.split();
    let traffic = Traffic::default();
    let _counted = Counted::new(&traffic);
    let relay = Relay {
        read,
        write,
        here: agent.into_inner(),
        to_host: Vec::new(),
        from_host: Vec::new(),
        traffic: &traffic,
    };
    // A connection that broke is the business of the program that made it.
    relay.run(&mut stopped).await.ok();
}

/// A connection to the agent that knows it is lent. Keys that were added for certain hosts only are then kept to them;
/// an agent that would not know the difference must not be lent such keys, so its refusal is no obstacle.
async fn connect(link: &Link, socket: &Path) -> Option<AgentClient<tokio::net::UnixStream>> {
    let mut agent = AgentClient::connect_uds(socket).await.ok()?;
    if let Some(binding) = link.handle().agent_session_binding() {
        // Agents before OpenSSH 8.9 have neither such keys nor this request.
        agent.bind_session(binding, true).await.ok();
    }
    Some(agent)
}
