//! Waiting: for the store's threads, and for the remote with a deadline.

use std::time::Duration;

use crate::store::StoreError;
use crate::sync::remote::{Remote, RemoteError, Reply};

/// Waits for a reply of the store.
pub(crate) async fn heard<T: Send + 'static>(
    ask: impl FnOnce(Box<dyn FnOnce(Result<T, StoreError>) + Send>),
) -> Result<T, StoreError> {
    // One answer, never full. A round that was cut does not hear it, which is no concern of the store.
    let (answer, slot) = tokio::sync::oneshot::channel();
    ask(Box::new(move |result| drop(answer.send(result))));
    slot.await.unwrap_or(Err(StoreError::Closed))
}

/// Waits for a remote at most `deadline`.
pub(crate) async fn within<T>(
    deadline: Duration,
    remote: &dyn Remote,
    attempt: &str,
    reply: Reply<'_, T>,
) -> Result<T, RemoteError> {
    tokio::time::timeout(deadline, reply)
        .await
        .unwrap_or_else(|_| {
            Err(RemoteError::TimedOut {
                attempt: attempt.to_owned(),
                place: remote.place(),
                seconds: deadline.as_secs(),
            })
        })
}
