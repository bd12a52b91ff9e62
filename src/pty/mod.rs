//! Local programs in a pseudo-terminal.
