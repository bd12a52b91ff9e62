//! Probes: what to run, how to read the answer, and what to make of it. Pure, except for the local machine.
