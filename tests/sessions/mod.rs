//! Sessions as people and scripts use them: panes, layouts, copy mode, recordings, slow links.

mod benches;
mod hostile;
mod kills;
mod programs;
mod streams;
