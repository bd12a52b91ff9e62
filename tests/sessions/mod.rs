//! Sessions as people and scripts use them: panes, layouts, copy mode, recordings, slow links.

mod slow;
