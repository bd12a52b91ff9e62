//! Connections: one for each destination, shared by everything that needs it. Plain data goes in, plain data comes out.
//!
//! Nothing here waits for the loop except facts, which are never dropped: every channel has a task that always drains it.

mod agent;
mod ask;
mod auth;
mod backoff;
mod capture;
mod config;
mod connect;
mod echo;
mod ending;
mod engine;
mod errand;
mod error;
mod exec;
mod fact;
mod files;
mod forward;
mod gate;
mod gauge;
mod handshake;
mod heir;
mod host_key;
mod jump;
mod known_hosts;
mod link;
mod manager;
mod meter;
mod news;
mod pool;
mod probe;
mod pulse;
mod question;
mod recording;
mod remains;
mod resolve;
mod revive;
mod screens;
mod settings;
mod shell;
mod slots;
mod spare;
mod spool;
mod stamps;
mod surroundings;
mod system;
mod transport;
mod usage;
mod watching;
mod wire;
mod writer;

pub use ask::{Along, ExecSpec, FilesAsk, Manner, Reply, SessionKind, Sink, SshAsk, Stdin};
pub use config::{EffectiveCache, NoCache};
pub use engine::{AgentChoice, Engine, EngineOptions};
pub use errand::{Errand, Errands, Mishap};
pub use error::Error;
pub use fact::{
    Asking, Capture, ConnectionInfo, FileListing, KeyRow, KeySource, KeysReport, ProbeReply,
    QuestionId, QuestionKind, Reach, SshFact, Stream,
};
pub use screens::Screens;
pub use stamps::FileStamp;
pub use surroundings::{APP, PANE, Surroundings};
