//! Runbooks: Markdown to steps, parameters to commands, and the run as a pure state machine.
