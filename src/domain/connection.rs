//! Connections as people see them: where each leads, how it is, who uses it. Plain data; the engine holds the real ones.

use serde::{Deserialize, Serialize};

/// How a connection is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    /// It is being made.
    Connecting,
    /// It is up.
    Up,
    /// It was lost or could not be made; the next attempt comes by itself.
    Waiting {
        /// Milliseconds until then; 0 when no attempt comes by itself, because somebody must connect by hand first.
        retry_ms: u64,
        /// Why it was lost.
        why: String,
    },
}

/// One connection. Field names are those of the JSON output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionRow {
    /// Unique in the process; a connection that is made anew gets another.
    pub id: u64,
    /// As it was asked for.
    pub host: String,
    /// The login.
    pub user: String,
    /// The name or address that was connected to.
    pub address: String,
    /// The port.
    pub port: u16,
    /// The hops before it, first hop first.
    pub via: Vec<String>,
    /// How it is.
    pub state: ConnectionState,
    /// Milliseconds since it came into this state.
    pub age_ms: u64,
    /// The last measured round trip in milliseconds; `None` until it was measured.
    pub rtt_ms: Option<u32>,
    /// Milliseconds since a sign of life was asked for that has not come; `None` while the host answers.
    pub silent_ms: Option<u64>,
    /// Channels by what they are for.
    pub users: ConnectionUsers,
    /// Bytes from the server, as the wire carried them.
    pub bytes_in: u64,
    /// Bytes to the server.
    pub bytes_out: u64,
    /// The key exchange.
    pub kex: String,
    /// Whether the key exchange is safe against later quantum computers.
    pub post_quantum: bool,
    /// The cipher.
    pub cipher: String,
    /// The host key's algorithm.
    pub host_key: String,
    /// What the server calls itself.
    pub server: String,
    /// How we logged in.
    pub auth: String,
    /// Whether it is a second connection for bulk data.
    pub bulk: bool,
    /// How many channels the server allows, once it refused one.
    pub channel_limit: Option<usize>,
    /// Things worth telling, such as a banner or an ignored line of a file.
    pub notes: Vec<String>,
}

/// What the channels of a connection are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionUsers {
    /// Shells in panes or terminals.
    pub sessions: u32,
    /// Commands.
    pub commands: u32,
    /// Probes.
    pub probes: u32,
    /// File transfers.
    pub files: u32,
    /// Forwarded connections.
    pub forwards: u32,
    /// Connections to hosts behind it.
    pub jumps: u32,
}
