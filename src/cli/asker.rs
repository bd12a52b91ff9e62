//! Questions to the person at the terminal: one at a time, on a thread of its own, so that signals and output go on meanwhile.

use std::collections::VecDeque;

use tokio::task::JoinHandle;

use crate::app::effect::Inquiry;
use crate::model::QuestionId;
use crate::ssh::Reply;

use super::terminal;

/// Questions that wait, and the one that a person is looking at.
pub(super) struct Asker {
    /// How many can wait is bounded by the connections that are being made.
    waiting: VecDeque<Inquiry>,
    asking: Option<(QuestionId, JoinHandle<Reply>)>,
    yes: bool,
}

impl Asker {
    /// Confirmations are answered with yes if `yes`.
    pub(super) fn new(yes: bool) -> Self {
        Self {
            waiting: VecDeque::new(),
            asking: None,
            yes,
        }
    }

    /// One more question.
    pub(super) fn push(&mut self, inquiry: Inquiry) {
        self.waiting.push_back(inquiry);
        self.begin();
    }

    /// The answer to the question that is shown; never comes when none is.
    pub(super) async fn answered(&mut self) -> (QuestionId, Reply) {
        let Some((id, reply)) = &mut self.asking else {
            return std::future::pending().await;
        };
        let answer = (*id, reply.await.unwrap_or(Reply::No));
        self.asking = None;
        self.begin();
        answer
    }

    fn begin(&mut self) {
        if self.asking.is_none()
            && let Some(inquiry) = self.waiting.pop_front()
        {
            let (id, yes) = (inquiry.id, self.yes);
            let reply = tokio::task::spawn_blocking(move || terminal::ask(&inquiry, yes));
            self.asking = Some((id, reply));
        }
    }
}
