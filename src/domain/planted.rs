//! Faults that tests plant in rules that no handle reaches: merging, clocks, sealing. In the program there are none.
//!
//! A fault holds in one thread, and in the threads of the stores that this thread opens, so that other tests see nothing of it.

/// Whether the fault of this name was planted in this thread.
#[cfg(test)]
macro_rules! planted {
    ($fault:ident) => {
        crate::domain::planted::now() == Some(crate::domain::planted::Fault::$fault)
    };
}
#[cfg(not(test))]
macro_rules! planted {
    ($fault:ident) => {
        false
    };
}
pub(crate) use planted;

#[cfg(test)]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Fault>> = const { std::cell::Cell::new(None) };
}

/// What may be wrong.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Of two writes at the same moment, the device does not say which is in force.
    NoTieBreak,
    /// Of two changes of a set at the same moment, the one that comes last is in force.
    NoTieBreakOfSets,
    /// A write replaces whatever is older, seen by its author or not.
    PruneUnseen,
    /// A stamp does not pass those that it replaces.
    NoTickPastReplaced,
    /// A stamp is what the wall says.
    WallClockOnly,
    /// What is sealed is not bound to what stands before it.
    NoAssociatedData,
    /// A key seals twice with one nonce.
    NonceReused,
}

/// The fault of this thread.
#[cfg(test)]
pub(crate) fn now() -> Option<Fault> {
    PLANTED.with(std::cell::Cell::get)
}

/// Plants a fault in this thread, or takes it out.
#[cfg(test)]
pub(crate) fn plant(fault: Option<Fault>) {
    PLANTED.with(|planted| planted.set(fault));
}
