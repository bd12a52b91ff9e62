//! A lost connection in words: each turn of it is said once, pauses are not counted down.

use super::Said;
use crate::domain::time::Time;
use crate::model::Lost;

/// What was said of a pane whose connection was lost.
#[derive(Debug, Default)]
pub(super) struct Losses(Option<&'static str>);

impl Losses {
    /// Says what is new.
    pub(super) fn hear(&mut self, said: &mut Said, lost: Option<&Lost>, now: Time) {
        let brief = lost.map(Lost::brief);
        if let Some(lost) = lost.filter(|_| brief != self.0) {
            let words = match lost {
                Lost::Trying | Lost::Waiting(_) => {
                    "The connection was lost. The host is tried again by itself; r tries it now."
                        .to_owned()
                }
                Lost::Answers | Lost::Opening | Lost::Person(_) | Lost::GivenUp(_) => {
                    lost.words(now)
                }
            };
            let why = lost
                .why()
                .map_or_else(String::new, |why| format!(": {why}"));
            said.line(&format!("{words}{why}"));
        }
        self.0 = brief;
    }
}
