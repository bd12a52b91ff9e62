//! Probes: one long channel for each host, asked again and again.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::domain::host::{self, Target};
use crate::domain::ids::{HostId, ReqId};

use crate::ssh::fact::SshFact;
use crate::ssh::probe;

use super::Inner;

impl Inner {
    pub(super) fn probe(self: &Arc<Self>, host: HostId, target: Target, command: String) {
        // When it is full the question is answered with an error at once.
        let (questions, received) = mpsc::channel(probe::QUESTIONS);
        {
            let mut running = self.lock();
            // One long channel each is not worth a process for every host; asking it says so.
            if host::listed(&running.system, &target.name) {
                return;
            }
            if running
                .probes
                .get(&host)
                .is_some_and(|door| !door.is_closed())
            {
                return;
            }
            running.probes.insert(host, questions);
        }
        let inner = Arc::clone(self);
        self.spawn(async move {
            probe::run(
                &inner.manager,
                &inner.facts,
                host,
                target,
                command,
                received,
            )
            .await;
            let mut running = inner.lock();
            if running
                .probes
                .get(&host)
                .is_some_and(mpsc::Sender::is_closed)
            {
                running.probes.remove(&host);
            }
        });
    }

    pub(super) fn probe_ask(self: &Arc<Self>, req: ReqId, host: HostId) {
        let why = match self.lock().probes.get(&host).map(|door| door.try_send(req)) {
            Some(Ok(())) => return,
            Some(Err(TrySendError::Full(_))) => "the probe has not answered what was asked before",
            Some(Err(TrySendError::Closed(_))) | None => {
                "no probe runs on this host; hosts in openssh_hosts are not probed"
            }
        };
        let inner = Arc::clone(self);
        self.spawn(async move {
            let result = Err(why.to_owned());
            inner.tell(SshFact::ProbeDone { req, host, result }).await;
        });
    }
}
