//! Questions to a person, and the clocks that stand still while somebody thinks.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::domain::host::Target;

use super::ask::Reply;
use super::fact::{Asking, QuestionId, QuestionKind, SshFact};

/// How long a question stands. Servers hang up on their own after about two minutes; this is for those that do not.
const STANDS: Duration = Duration::from_secs(300);

/// The questions that wait for an answer.
pub(crate) struct Questions {
    next: AtomicU64,
    // A std mutex: held for a look-up, never across an await.
    waiting: Mutex<HashMap<QuestionId, oneshot::Sender<Reply>>>,
    facts: mpsc::Sender<SshFact>,
}

impl Questions {
    pub(crate) fn new(facts: mpsc::Sender<SshFact>) -> Self {
        Self {
            next: AtomicU64::new(1),
            waiting: Mutex::new(HashMap::new()),
            facts,
        }
    }

    /// Hands in an answer; false if nobody waits for it any more.
    pub(crate) fn answer(&self, id: QuestionId, reply: Reply) -> bool {
        match self.lock().remove(&id) {
            Some(waiting) => waiting.send(reply).is_ok(),
            None => false,
        }
    }

    /// Tells a fact; waits for room in their queue, because facts are never dropped.
    pub(crate) async fn tell(&self, fact: SshFact) {
        // It fails only when the loop is gone; then nobody needs to know.
        self.facts.send(fact).await.ok();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<QuestionId, oneshot::Sender<Reply>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the question back when its asker gives up or is dropped.
struct Withdraw<'a> {
    questions: &'a Questions,
    id: QuestionId,
}

impl Drop for Withdraw<'_> {
    fn drop(&mut self) {
        if self.questions.lock().remove(&self.id).is_none() {
            return;
        }
        let (facts, id) = (self.questions.facts.clone(), self.id);
        // A drop cannot wait for the queue of facts, and facts are never lost: so a task waits.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { facts.send(SshFact::QuestionClosed { id }).await.ok() });
        }
    }
}

/// Who asks, about which hop, and whether anybody may be asked.
#[derive(Clone)]
pub(crate) struct Asker {
    pub(crate) questions: Arc<Questions>,
    pub(crate) target: Target,
    pub(crate) hop: String,
    pub(crate) asking: Asking,
    pub(crate) patience: Arc<Patience>,
    /// Becomes true when a secret or a code was asked for: then the same login cannot be made again unasked.
    pub(crate) asked: Arc<AtomicBool>,
}

impl Asker {
    /// The answer; `None` if nobody may be asked or nobody answered.
    pub(crate) async fn ask(&self, kind: QuestionKind) -> Option<Reply> {
        if !self.asking.is_someone() {
            return None;
        }
        if matches!(
            kind,
            QuestionKind::Secret { .. } | QuestionKind::Text { .. }
        ) {
            self.asked.store(true, Ordering::Relaxed);
        }
        let id = QuestionId(self.questions.next.fetch_add(1, Ordering::Relaxed));
        let (send, receive) = oneshot::channel();
        self.questions.lock().insert(id, send);
        let _withdraw = Withdraw {
            questions: &self.questions,
            id,
        };
        let _pause = self.patience.pause();
        let question = SshFact::Question {
            id,
            target: self.target.clone(),
            hop: self.hop.clone(),
            kind,
            asking: self.asking,
        };
        self.questions.facts.send(question).await.ok()?;
        tokio::time::timeout(STANDS, receive).await.ok()?.ok()
    }
}

/// A deadline for one step of connecting that does not run while a person is asked.
pub(crate) struct Patience {
    clock: Mutex<Clock>,
}

struct Clock {
    /// When the step began.
    since: Instant,
    limit: Duration,
    /// Time spent on questions so far.
    asked: Duration,
    /// When the open question was put.
    asking: Option<Instant>,
}

/// The time ran out.
#[derive(Debug)]
pub(crate) struct Elapsed {
    pub(crate) seconds: u64,
}

impl Patience {
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            clock: Mutex::new(Clock {
                since: Instant::now(),
                limit,
                asked: Duration::ZERO,
                asking: None,
            }),
        }
    }

    /// Gives the next step the whole time again.
    pub(crate) fn restart(&self) {
        let mut clock = self.lock();
        clock.since = Instant::now();
        clock.asked = Duration::ZERO;
    }

    /// Waits for `work` until the time is up.
    pub(crate) async fn within<T>(&self, work: impl Future<Output = T>) -> Result<T, Elapsed> {
        tokio::pin!(work);
        loop {
            let left = self.left();
            if left.is_zero() {
                let seconds = self.lock().limit.as_secs();
                return Err(Elapsed { seconds });
            }
            tokio::select! {
                value = &mut work => return Ok(value),
                () = tokio::time::sleep(left) => {}
            }
        }
    }

    /// What is left. While a question is open it is never nothing.
    fn left(&self) -> Duration {
        let clock = self.lock();
        let now = Instant::now();
        let open = clock.asking.map_or(Duration::ZERO, |since| now - since);
        let used = (now - clock.since).saturating_sub(clock.asked + open);
        let left = clock.limit.saturating_sub(used);
        if clock.asking.is_some() {
            left.max(Duration::from_millis(100))
        } else {
            left
        }
    }

    fn pause(&self) -> Pause<'_> {
        self.lock().asking = Some(Instant::now());
        Pause(self)
    }

    fn lock(&self) -> MutexGuard<'_, Clock> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Pause<'a>(&'a Patience);

impl Drop for Pause<'_> {
    fn drop(&mut self) {
        let mut clock = self.0.lock();
        if let Some(since) = clock.asking.take() {
            clock.asked += since.elapsed();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asker(limit: Duration, interactive: bool) -> (Asker, mpsc::Receiver<SshFact>) {
        let (facts, received) = mpsc::channel(4);
        let asker = Asker {
            questions: Arc::new(Questions::new(facts)),
            target: Target {
                name: "web1".to_owned(),
                config: None,
            },
            hop: "web1".to_owned(),
            asking: Asking::Forward(1).only_if(interactive),
            patience: Arc::new(Patience::new(limit)),
            asked: Arc::default(),
        };
        (asker, received)
    }

    fn secret() -> QuestionKind {
        QuestionKind::Secret {
            prompt: "Password:".to_owned(),
        }
    }

    #[tokio::test]
    async fn an_answer_reaches_its_question() {
        let (asker, mut facts) = asker(Duration::from_secs(5), true);
        let questions = Arc::clone(&asker.questions);
        let asking = tokio::spawn(async move { asker.ask(secret()).await });
        let Some(SshFact::Question { id, .. }) = facts.recv().await else {
            unreachable!("a question comes first");
        };
        assert!(!questions.answer(QuestionId(id.0 + 1), Reply::Yes));
        assert!(questions.answer(id, Reply::Yes));
        assert!(matches!(asking.await, Ok(Some(Reply::Yes))));
        assert!(!questions.answer(id, Reply::Yes), "only once");
    }

    #[tokio::test]
    async fn a_question_without_its_asker_is_withdrawn() {
        let (asker, mut facts) = asker(Duration::from_secs(5), true);
        let asking = tokio::spawn(async move { asker.ask(secret()).await });
        let Some(SshFact::Question { id: put, .. }) = facts.recv().await else {
            unreachable!("a question comes first");
        };
        asking.abort();
        let Some(SshFact::QuestionClosed { id }) = facts.recv().await else {
            unreachable!("it is taken back");
        };
        assert_eq!(id, put);
    }

    #[tokio::test]
    async fn nobody_is_asked_in_the_background() {
        let (asker, mut facts) = asker(Duration::from_secs(5), false);
        assert!(asker.ask(secret()).await.is_none());
        drop(asker);
        assert!(facts.recv().await.is_none());
    }

    #[tokio::test]
    async fn time_stands_still_while_a_person_thinks() {
        let patience = Patience::new(Duration::from_millis(20));
        let pause = patience.pause();
        assert!(patience.left() >= Duration::from_millis(20));
        patience.lock().asking = Instant::now().checked_sub(Duration::from_secs(60));
        patience.lock().since = Instant::now()
            .checked_sub(Duration::from_secs(60))
            .unwrap_or_else(Instant::now);
        assert!(
            !patience.left().is_zero(),
            "a minute of thought costs nothing"
        );
        drop(pause);
        assert!(!patience.left().is_zero());
        let late = patience.within(std::future::pending::<()>()).await;
        assert!(late.is_err());
    }
}
