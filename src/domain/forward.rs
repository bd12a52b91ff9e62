//! Forwards: connections that are carried through a host. Plain data; ssh_config(5), LocalForward, RemoteForward, DynamicForward.

use serde::{Deserialize, Serialize};

/// One end of a forward.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// A TCP address; the host may be empty where one is bound: then `localhost` is meant, or what `GatewayPorts` says.
    Tcp {
        /// Name or address; `*` binds to all.
        host: String,
        /// Port; 0 where one is bound lets the system choose.
        port: u16,
    },
    /// A Unix-domain socket.
    Unix {
        /// Its path.
        path: String,
    },
}

/// What is to be forwarded.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForwardRule {
    /// `-L`: connections to `listen` here go to `to` from the host.
    Local {
        /// Where is listened, on this machine.
        listen: Endpoint,
        /// Where it leads, as the host sees it.
        to: Endpoint,
    },
    /// `-R`: connections to `listen` on the host go to `to` from this machine.
    Remote {
        /// Where is listened, on the host.
        listen: Endpoint,
        /// Where it leads, as this machine sees it; `None` is SOCKS on this side.
        to: Option<Endpoint>,
    },
    /// `-D`: a SOCKS proxy here, whose connections are made by the host.
    Dynamic {
        /// Where is listened, on this machine.
        listen: Endpoint,
    },
}

/// How a forward is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForwardState {
    /// Its connection is being made.
    Starting,
    /// It listens.
    Listening,
    /// Its connection was lost; it listens again when that is back.
    Waiting {
        /// Why.
        why: String,
    },
    /// It could not listen, or was refused.
    Failed {
        /// What was attempted, why it failed, what to do next.
        why: String,
    },
    /// It was stopped.
    Stopped,
}

/// A forward as people see it. Field names are those of the JSON output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForwardRow {
    /// Unique in the process.
    pub id: u64,
    /// The host it goes through, as it was asked for.
    pub host: String,
    /// What is forwarded; a port 0 is replaced by the one that was chosen.
    pub rule: ForwardRule,
    /// How it is.
    pub state: ForwardState,
    /// Whether the host's ssh_config asked for it.
    pub configured: bool,
    /// Connections that are open now.
    pub open: u32,
    /// Connections since it began.
    pub total: u64,
    /// Bytes that came from the host.
    pub bytes_in: u64,
    /// Bytes that went to the host.
    pub bytes_out: u64,
    /// The last thing that went wrong with one of its connections.
    pub trouble: Option<String>,
}
