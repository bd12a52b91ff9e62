//! What was said to the user: the line at the bottom shows the last of it for a moment, the view of messages all of it.

use std::collections::VecDeque;

use super::Notice;

/// How many notices are kept; older ones are forgotten.
pub const NOTICES: usize = 500;

/// What was said to the user, newest last; at most [`NOTICES`], the oldest is forgotten.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Notices {
    rows: VecDeque<Told>,
    count: u64,
}

/// A notice, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// How many were said before it, since the program began: its name.
    pub number: u64,
    /// What was said.
    pub notice: Notice,
    /// Whose affair it is: a host, a session, sync.
    pub source: String,
}

impl Notices {
    /// Says something of nobody in particular.
    pub fn push(&mut self, notice: Notice) {
        self.push_from(notice, String::new());
    }

    /// Says something about `source`.
    pub fn push_from(&mut self, notice: Notice, source: String) {
        if self.rows.len() >= NOTICES {
            self.rows.pop_front();
        }
        self.rows.push_back(Told {
            number: self.count,
            notice,
            source,
        });
        self.count += 1;
    }

    /// How many were ever said: tells a new one from one that was seen.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The last thing said.
    pub fn last(&self) -> Option<&Notice> {
        self.rows.back().map(|told| &told.notice)
    }

    /// Oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Notice> {
        self.rows.iter().map(|told| &told.notice)
    }

    /// Oldest first, with their sources.
    pub fn told(&self) -> impl DoubleEndedIterator<Item = &Told> {
        self.rows.iter()
    }

    /// The one of this number, unless it is forgotten.
    pub fn numbered(&self, number: u64) -> Option<&Told> {
        let first = self.rows.front()?.number;
        let at = usize::try_from(number.checked_sub(first)?).ok()?;
        self.rows.get(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Time;
    use crate::model::Level;

    #[test]
    fn the_last_ones_are_kept_and_found_by_their_number() {
        let mut notices = Notices::default();
        for number in 0..NOTICES + 10 {
            let notice = Notice {
                at: Time(0),
                level: Level::Info,
                text: number.to_string(),
            };
            notices.push_from(notice, "web1".to_owned());
        }
        assert_eq!(notices.told().count(), NOTICES);
        assert!(notices.numbered(9).is_none());
        for number in [10, 300, 509] {
            let told = notices
                .numbered(number)
                .map(|told| told.notice.text.clone());
            assert_eq!(told, Some(number.to_string()));
        }
        assert!(notices.numbered(510).is_none());
    }
}
