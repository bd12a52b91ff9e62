//! Panes whose connection was lost: what is done about it, in words.

use crate::domain::time::Time;

/// From how many seconds on a pause is told by fives, so that a distant window is not drawn every second.
const COARSE: u64 = 15;

/// What is done about a pane whose connection was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Its host is being tried.
    Trying,
    /// Its host is tried again then.
    Waiting(Time),
    /// Its host answers again; a person says when a shell is opened.
    Answers,
    /// Its host answers again, and it is one of those whose shells are opened by themselves.
    Opening,
    /// It goes on only with a person: why.
    Person(String),
    /// It was tried for so many minutes, in vain.
    GivenUp(u64),
}

impl Lost {
    /// What the pane says, with the key that helps.
    pub fn words(&self, now: Time) -> String {
        match self {
            Self::Trying => "Connection lost; trying again · r now".to_owned(),
            Self::Waiting(next) => {
                let seconds = next.since(now).div_ceil(1_000).max(1);
                let seconds = match seconds {
                    COARSE.. => seconds.div_ceil(5) * 5,
                    few => few,
                };
                format!("Connection lost; next try in {seconds} s · r now")
            }
            Self::Answers => "The host answers again · r opens a shell".to_owned(),
            Self::Opening => "The host answers again; a shell opens by itself".to_owned(),
            Self::Person(_) => "Connection lost; press r".to_owned(),
            Self::GivenUp(minutes) => {
                format!("Connection lost; tried for {minutes} min · r again")
            }
        }
    }

    /// The same in a list.
    pub const fn brief(&self) -> &'static str {
        match self {
            Self::Trying | Self::Waiting(_) => "lost, tried again",
            Self::Answers => "lost, answers again",
            Self::Opening => "lost, opens again",
            Self::Person(_) | Self::GivenUp(_) => "lost, press r",
        }
    }

    /// Why only a person can go on.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Person(why) => Some(why),
            Self::Trying | Self::Waiting(_) | Self::Answers | Self::Opening | Self::GivenUp(_) => {
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_told_in_seconds() {
        let now = Time(1_000_000);
        for (left, words) in [
            (0, "1 s"),
            (900, "1 s"),
            (7_100, "8 s"),
            (14_000, "14 s"),
            (14_500, "15 s"),
            (41_000, "45 s"),
        ] {
            let said = Lost::Waiting(now.plus(left)).words(now);
            assert_eq!(
                said,
                format!("Connection lost; next try in {words} · r now")
            );
        }
    }
}
