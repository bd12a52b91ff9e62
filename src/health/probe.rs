//! What is run on a host to measure it.

/// What asks the probe for one sample.
pub const PROMPT: &[u8] = b"\n";

/// The line that ends an answer.
pub const END: &str = ".";

/// The probe: one exec request that answers each line on its standard input with one sample and ends with its input.
pub fn command() -> String {
    String::new()
}

/// Lists file systems once. It has a channel of its own with a time limit, because a dead NFS server can block it.
pub fn disks_command() -> String {
    String::new()
}

/// Every how many samples the file systems are listed, beginning with the first.
pub const DISKS_EVERY: u64 = 10;

/// How long listing the file systems may take, in milliseconds.
pub const DISKS_TIMEOUT_MS: u64 = 5_000;
