//! Hosts that are tried again in the background after their connection was lost. Nobody is asked anything, and whoever else
//! waits for the same host shares the attempt and the pauses.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::domain::host::Target;
use crate::domain::ids::ReqId;

use crate::ssh::backoff::Backoff;
use crate::ssh::error::Error;
use crate::ssh::fact::{Reach, SshFact};
use crate::ssh::usage::Use;

use super::Inner;

impl Inner {
    /// Tries until the host answers, a person is needed, or somebody ends it.
    pub(super) fn reach(self: &Arc<Self>, req: ReqId, target: Target) {
        let (stop, stopped) = oneshot::channel();
        self.lock().reaches.insert(req, stop);
        let inner = Arc::clone(self);
        self.spawn(async move {
            tokio::select! {
                () = inner.try_again(req, &target) => {}
                _ = stopped => {}
            }
            inner.lock().reaches.remove(&req);
        });
    }

    async fn try_again(&self, req: ReqId, target: &Target) {
        // The pauses are those of the destination; these are for failures that leave it without any.
        let mut own = Backoff::default();
        let mut failed = false;
        loop {
            let why = match self.manager.unattended(target, Use::Session).await {
                Ok(_) => return self.tell_reach(req, Reach::Answered).await,
                Err(why) => why,
            };
            let pause = match &why {
                Error::Waiting { left, .. } => *left,
                why if !passes(why) => {
                    return self.tell_reach(req, Reach::Person(why.to_string())).await;
                }
                // Asked at once, the destination says how long it wants to be left alone.
                _ if !failed => {
                    failed = true;
                    continue;
                }
                _ => own.pause(),
            };
            failed = false;
            self.tell_reach(req, Reach::Waiting(pause)).await;
            tokio::time::sleep(pause).await;
            self.tell_reach(req, Reach::Trying).await;
        }
    }

    async fn tell_reach(&self, req: ReqId, state: Reach) {
        self.tell(SshFact::Reach { req, state }).await;
    }
}

/// Whether a failure may be gone the next time, with nobody doing anything about it here.
fn passes(why: &Error) -> bool {
    match why {
        Error::Connect { .. }
        | Error::Through { .. }
        | Error::Handshake { .. }
        | Error::Timeout { .. }
        | Error::Lost { .. }
        | Error::Channel { .. }
        | Error::Waiting { .. } => true,
        Error::Name { .. }
        | Error::Config { .. }
        | Error::Loop { .. }
        | Error::HostKeyUnknown { .. }
        | Error::HostKeyDeclined { .. }
        | Error::HostKeyChanged { .. }
        | Error::HostKeyRevoked { .. }
        | Error::HostCertificate { .. }
        | Error::HostAddress { .. }
        | Error::HostKeyFile { .. }
        | Error::Auth { .. }
        | Error::Paused { .. }
        | Error::GivenUp { .. }
        | Error::Closing { .. } => false,
    }
}
