//! Settings and the places of files, validated with line and column. Nothing here connects, stores or draws.

mod environment;
mod error;
mod guard;
mod library;
mod paths;
mod rows;
mod safe;
mod settings;
mod slow;
mod values;

pub use environment::Environment;
pub use error::Error;
pub use guard::{Alerts, BROADCAST_MINUTES, Desktop};
pub use library::{Book, Library};
pub use paths::Paths;
pub use rows::{ROWS, Row};
pub use settings::{
    General, Health, Limit, Recording, Runbooks, Session, Settings, Share, Ssh, Sync, WindowSize,
};
pub use slow::{Predict, Reconnect, Screen};
