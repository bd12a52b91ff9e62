//! Recordings in the bag, part by part: put there by the device that made them, fetched by whoever wants to see one, removed
//! by their device. No part of a round: whoever calls this decides when, and rounds come first.

use super::SyncEngine;
use super::wait::within;
use crate::sync::blob::{self, BlobPart, open_blob, seal_blob};
use crate::sync::random::Random;
use crate::sync::remote::{Put, Remote};
use crate::sync::{SyncError, place};

impl SyncEngine {
    /// Puts a part of an own recording into the bag; durable when it answers. One that is there already, from an attempt
    /// whose answer got lost, stays: nobody else can guess the name, and whoever reads it judges it.
    ///
    /// # Errors
    /// Another process syncs, this device was retired or has no key, or the remote does not do it.
    pub async fn put_blob(
        &self,
        remote: &dyn Remote,
        part: BlobPart,
        text: &[u8],
        random: &mut dyn Random,
    ) -> Result<(), SyncError> {
        let _alone = place::lock(&self.folder)?;
        if !self.roster.is_active(part.maker) {
            return Err(SyncError::refused(
                "this device was retired from the space, so nothing of it is sent",
            ));
        }
        let Some(key) = self.ring.current(&self.roster) else {
            return Err(SyncError::refused(
                "this device has no key of the space; run `qd sync now` on another device",
            ));
        };
        let sealed = seal_blob(text, part, self.space, key, &self.identity, random)?;
        let name = part.object();
        let reply = remote.put_object(&name, sealed);
        let (Put::Created | Put::Exists) =
            within(self.limits.deadline, remote, "sending a recording", reply).await?;
        Ok(())
    }

    /// Fetches a part that must hold `plain` bytes.
    ///
    /// # Errors
    /// The remote does not have it or does not answer, it is not what its device wrote, or its key is not here.
    pub async fn get_blob(
        &self,
        remote: &dyn Remote,
        part: BlobPart,
        plain: u32,
    ) -> Result<Vec<u8>, SyncError> {
        let name = part.object();
        let reply = remote.get_object(&name);
        let sealed = within(self.limits.deadline, remote, "fetching a recording", reply).await?;
        let broken = |why| SyncError::broken(name.to_string(), why);
        // A device that was retired made its recordings before; that they are listed in its log is what counts.
        let member = self.roster.member(part.maker);
        let member = member.ok_or_else(|| broken("nobody admitted the device that made it"))?;
        let epoch = blob::epoch_of(&sealed).map_err(broken)?;
        let key = self.ring.key(epoch).ok_or_else(|| {
            broken(
                "it is sealed with a key that this device has not been given; run `qd sync now` on a device that can read it, then here",
            )
        })?;
        let signing = &member.public.signing;
        open_blob(&sealed, (part, plain), self.space, key, signing).map_err(broken)
    }

    /// Removes a part of an own recording; one that is not there is no error.
    ///
    /// # Errors
    /// It is not ours, another process syncs, or the remote does not do it.
    pub async fn remove_blob(&self, remote: &dyn Remote, part: BlobPart) -> Result<(), SyncError> {
        let _alone = place::lock(&self.folder)?;
        if part.maker != self.identity.device() {
            return Err(SyncError::refused(
                "a recording is removed from the remote by the device that made it alone",
            ));
        }
        let name = part.object();
        let reply = remote.delete_object(&name);
        Ok(within(self.limits.deadline, remote, "removing a recording", reply).await?)
    }
}
