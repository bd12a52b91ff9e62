//! The pulse of a connection: how long a round trip takes inside it, measured while somebody uses it.

use std::sync::Weak;
use std::time::Duration;

use super::link::Link;

/// How often a used connection is measured.
const BEAT: Duration = Duration::from_secs(5);

/// After how many beats without users the spare channel goes.
const IDLE: u32 = 12;

/// Measures until the connection is gone. A measurement is one small packet each way, so it costs nobody a round trip.
pub(crate) async fn measure(link: Weak<Link>) {
    let mut idle = 0;
    loop {
        {
            let Some(link) = link.upgrade() else { break };
            // At once after the login, whoever uses it: the time to connect tells little behind a proxy.
            if idle == 0 {
                link.ping().await;
                // Behind a proxy only this tells that the host is far.
                if link.slots.gave() {
                    link.spare.refill(&link);
                }
            } else if idle >= IDLE {
                link.spare.release(&link).await;
            }
        }
        tokio::time::sleep(BEAT).await;
        let used = link.upgrade().is_some_and(|link| link.users.any());
        idle = if used { 0 } else { idle.saturating_add(1) };
    }
    // The end is told by the connection itself.
    std::future::pending().await
}
