//! Tests of the whole room: the simulation, planted faults, and a hub that lies.

mod ages;
mod early;
mod folding;
mod forge;
mod golden;
mod hostile;
mod member;
mod model;
mod purge;
mod simulation;
mod slow;
mod world;

/// A fault that a test plants, to see that it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The cursor moves before the segment is durable.
    CursorBeforePut,
    /// A machine that is a copy goes on as the same device.
    NoReidentification,
    /// Any segment is taken for the next one.
    GapAccepted,
    /// The cursor moves without the operations.
    CursorWithoutApply,
    /// The small segments go before their pack is there.
    PackNotDurable,
    /// The head is set before the segment is there.
    HeadBeforeSegment,
    /// A copy takes along what was published already.
    RestampPublished,
    /// A lost answer is taken for a copy.
    LostReplyIsCopy,
    /// One log that cannot be read stops all others.
    TroubleStopsAll,
    /// Signatures are not looked at.
    SignatureIgnored,
    /// What a retired device writes later is taken in.
    RetiredAccepted,
    /// An excerpt leaves out a field of tickets.
    ExcerptDropsRegister,
    /// An excerpt invents, and what it invents takes the place of what the log says.
    EarlyReplacesLog,
    /// What was written after the excerpt is not looked at.
    TailSkipped,
    /// Segments go once they are published, before anybody else took them in, and without a pack.
    PruneBeforeApply,
    /// A fault in rules that the engine does not reach.
    Below(crate::domain::planted::Fault),
}
