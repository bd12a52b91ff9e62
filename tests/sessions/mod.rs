//! Sessions as people and scripts use them: panes, layouts, copy mode, recordings, slow links.

mod again;
mod anew;
mod benches;
mod copy;
mod fidelity;
mod guard;
mod hostile;
mod inside;
mod kills;
mod layout;
mod programs;
mod record;
mod script;
mod slow;
mod streams;
mod typed;
mod windows;
