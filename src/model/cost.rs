//! What windows cost, for `:stats`. Plain data.

/// What one window cost so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowCost {
    /// Bytes that were sent to it.
    pub bytes: u64,
    /// Bytes a second, over the last second or more.
    pub bytes_per_second: u64,
    /// Frames that were sent.
    pub frames: u64,
    /// Pictures that were never sent, because a newer one came while the one before was on its way.
    pub skipped: u64,
    /// The smoothed time until its terminal answers, in microseconds.
    pub round_trip_us: Option<u32>,
    /// How many bytes a second its terminal takes, as far as that was felt.
    pub link_bytes_per_second: Option<u32>,
}
