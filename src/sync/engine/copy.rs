//! When another machine writes as this device: a clone, a restored backup, a home folder that two machines share. This one
//! then goes on under an id and keys of its own, and takes along what it had not published.

use super::wait::heard;
use super::{Round, SyncEngine, planted};
use crate::domain::ids::DeviceId;
use crate::sync::identity::Identity;
use crate::sync::keyring;
use crate::sync::names::ObjectKind;
use crate::sync::random::draw;
use crate::sync::roster::{Claim, Statement};
use crate::sync::{SyncError, Trouble};

/// The fact that names the next id, so that an interrupted change does not leave one more device behind each time.
const SUCCESSOR: &str = "successor";

impl SyncEngine {
    /// Goes on as another device; own operations up to `keep` stay in the old log.
    pub(super) async fn become_other(
        &mut self,
        cx: &mut Round<'_>,
        keep: u64,
    ) -> Result<(), SyncError> {
        let old = self.identity.device();
        if !self.roster.is_active(old) {
            cx.report.troubles.push(Trouble::Retired);
            return Err(SyncError::refused(
                "this machine is a copy of a device that was retired; join with `qd sync join`",
            ));
        }
        let keep = if planted!(self, RestampPublished) {
            keep.min(keep / 2)
        } else {
            keep
        };
        let next = self.successor(cx).await?;
        // While the old key still speaks: the new device belongs to the space and has its keys.
        if self.roster.member(next.device()).is_none() {
            let claim = Claim::Added(next.public());
            let statement = Statement::sign(Some(self.space), cx.now, claim, &self.identity);
            self.issue(cx, ObjectKind::Roster, statement.bytes().to_vec())
                .await?;
        }
        let bytes = keyring::wrap(
            self.space,
            self.ring.keys(),
            &[next.public()],
            &self.identity,
            cx.random,
        )?;
        self.issue(cx, ObjectKind::Keyring, bytes).await?;
        let new = next.device();
        let moved = heard(|reply| cx.store.depart(keep, new, reply)).await?;
        heard(|reply| cx.store.keep(vec![(SUCCESSOR.to_owned(), None)], reply)).await?;
        self.change_identity(cx.store).await?;
        cx.report.troubles.push(Trouble::Copied { old, new, moved });
        Ok(())
    }

    /// The keys of the next device, made once.
    async fn successor(&self, cx: &mut Round<'_>) -> Result<Identity, SyncError> {
        let facts = heard(|reply| cx.store.kept(SUCCESSOR, reply)).await?;
        let named = facts
            .first()
            .and_then(|(_, value)| crate::domain::ids::EntityId::from_slice(value));
        if let Some(device) = named.map(DeviceId)
            && device != self.identity.device()
            && let Some(identity) = Identity::load(&self.folder, device)?
        {
            return Ok(identity);
        }
        let device = DeviceId(crate::domain::ids::EntityId::from_bytes(draw(cx.random)?));
        let identity = Identity::generate(device, cx.random)?;
        identity.keep(&self.folder)?;
        let fact = (SUCCESSOR.to_owned(), Some(device.0.as_bytes().to_vec()));
        heard(|reply| cx.store.keep(vec![fact], reply)).await?;
        Ok(identity)
    }
}
