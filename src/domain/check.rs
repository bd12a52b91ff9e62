//! States of checks and hosts, in the words of Nagios.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ticket::words;

words!(
    /// What we believe of a host now, from best to worst.
    HostState, "host state" {
        /// All measured values are within their limits.
        Ok = "ok",
        /// Something nears its limit.
        Warn = "warn",
        /// Something passed its limit.
        Crit = "crit",
        /// Nobody has looked, or what came back made no sense.
        Unknown = "unknown",
        /// It did not answer.
        Unreachable = "unreachable",
        /// It answered once, too long ago to be believed.
        Stale = "stale",
    }
);

impl HostState {
    /// The exit status of a Nagios plugin that found this state; whatever is not measured is 3.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warn => 1,
            Self::Crit => 2,
            Self::Unknown | Self::Unreachable | Self::Stale => 3,
        }
    }

    /// How bad it is, for sorting: the worst first when reversed.
    pub const fn severity(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Stale => 1,
            Self::Unknown => 2,
            Self::Warn => 3,
            Self::Unreachable => 4,
            Self::Crit => 5,
        }
    }
}
