//! The bag by SFTP, for accounts without a shell. Calls that do not need each other's answers go side by side.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{Inner, LISTING_NAMES, Mishap, NewFile, Place, script, sift};
use crate::domain::ids::DeviceId;
use crate::sync::HEADS;
use crate::sync::directory::PRESENCE;
use crate::sync::names::{Head, ObjectName, parse_device};
use crate::sync::remote::{
    Listing, OBJECT_MAX, Objects, PRESENCE_MAX, PRESENCES_MAX, Presences, Put, RemoteError,
};

/// Files that are read at once.
const SIDE_BY_SIDE: usize = 16;

/// The most half-written files of ours that are remembered to be removed later.
const LEFT_MAX: usize = 8;

impl Inner {
    fn path(&self, within: &str) -> String {
        format!("{}/{within}", self.root)
    }

    /// Whether the bag is shared with its group; asked of the host every now and then.
    async fn look_shared(&self, attempt: &str) -> Result<bool, RemoteError> {
        if let Some(shared) = self.shared() {
            return Ok(shared);
        }
        let mode = match self.carrier.mode(&self.root).await {
            Ok(mode) => mode,
            Err(Mishap::NotThere) => return Err(self.no_bag("")),
            Err(why) => return Err(self.mishap(attempt, why)),
        };
        let shared = mode & 0o020 != 0;
        self.keep_shared(shared);
        Ok(shared)
    }

    /// What a failure means: that there is nothing of a name is believed only of a bag that is there.
    async fn explained(&self, attempt: &str, why: Mishap) -> RemoteError {
        if why == Mishap::NotThere {
            match self.carrier.mode(&self.path(HEADS)).await {
                Ok(_) => {}
                Err(Mishap::NotThere) => return self.no_bag(""),
                Err(why) => return self.mishap(attempt, why),
            }
        }
        if matches!(why, Mishap::Refused(_)) {
            self.forget_way().await;
        }
        self.mishap(attempt, why)
    }

    pub(super) async fn sftp_create(&self) -> Result<(), RemoteError> {
        let attempt = "making the folders";
        let failed = |why| self.mishap(attempt, why);
        let mode = match self.carrier.mode(&self.root).await {
            Ok(mode) => mode,
            Err(Mishap::NotThere) => {
                let made = self.carrier.make_folder(&self.root, 0o700).await;
                made.map_err(|why| match why {
                    Mishap::NotThere => self.failed(
                        attempt,
                        "the folder above it is not there; make it by hand first",
                    ),
                    why => failed(why),
                })?;
                0o700
            }
            Err(why) => return Err(failed(why)),
        };
        let shared = mode & 0o020 != 0;
        for name in script::folders() {
            let mode = if shared { 0o3770 } else { 0o700 };
            let path = self.path(name);
            self.carrier
                .make_folder(&path, mode)
                .await
                .map_err(failed)?;
        }
        self.keep_shared(shared);
        Ok(())
    }

    pub(super) async fn sftp_names<T>(
        &self,
        folder: &str,
        must: bool,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Listing<T>, RemoteError> {
        let attempt = format!("listing {folder}");
        match self.carrier.names(&self.path(folder), LISTING_NAMES).await {
            Ok(names) => Ok(sift(folder, names.iter().map(Vec::as_slice), parse)),
            Err(why) => match self.explained(&attempt, why).await {
                RemoteError::NotFound { .. } if !must => Ok(Listing::default()),
                why => Err(why),
            },
        }
    }

    pub(super) async fn sftp_read(
        &self,
        folder: &str,
        file: &str,
        shown: &str,
        most: usize,
    ) -> Result<Vec<u8>, RemoteError> {
        let path = self.path(&format!("{folder}/{file}"));
        match self.carrier.read(&path, most).await {
            Ok(bytes) => Ok(bytes),
            Err(why) => Err(self.explained(shown, why).await),
        }
    }

    pub(super) async fn sftp_put(
        &self,
        place: &Place,
        bytes: Vec<u8>,
        attempt: &str,
    ) -> Result<Put, RemoteError> {
        let shared = self.look_shared(attempt).await?;
        self.check_rename(&place.folder, attempt).await?;
        self.tidy_up().await;
        let folder = self.path(&place.folder);
        let part = format!("{folder}/.part-{}", self.nonce()?);
        let new = NewFile {
            path: format!("{folder}/{}", place.file),
            mode: if shared { 0o640 } else { 0o600 },
            part: part.clone(),
            folder,
            bytes,
        };
        let mut put = self.carrier.create(new.clone()).await;
        if put == Err(Mishap::NotThere) && place.device.is_some() {
            let mode = if shared { 0o2750 } else { 0o700 };
            put = match self.carrier.make_folder(&new.folder, mode).await {
                Ok(()) => self.carrier.create(new).await,
                Err(why) => Err(why),
            };
        }
        match put {
            Ok(put) => Ok(put),
            Err(why) => {
                if matches!(why, Mishap::Unreachable(_) | Mishap::TimedOut(_)) {
                    let mut known = self.known();
                    if known.left.len() < LEFT_MAX {
                        known.left.push(part);
                    }
                }
                Err(self.explained(attempt, why).await)
            }
        }
    }

    /// Several files side by side: as many of the first as are worth one wait.
    pub(super) async fn sftp_objects(
        self: &Arc<Self>,
        names: &[ObjectName],
    ) -> Result<Objects, RemoteError> {
        let mut reading = JoinSet::new();
        for name in names.iter().take(SIDE_BY_SIDE) {
            let (this, name) = (Arc::clone(self), name.clone());
            reading.spawn(async move {
                let (folder, shown) = (name.kind.word(), name.to_string());
                let read = this.sftp_read(folder, &name.name, &shown, OBJECT_MAX).await;
                (name, read)
            });
        }
        let mut found = Objects::new();
        while let Some(read) = reading.join_next().await {
            match read {
                Ok((_, Err(why)))
                    if !matches!(
                        why,
                        RemoteError::NotFound { .. } | RemoteError::TooLong { .. }
                    ) =>
                {
                    return Err(why);
                }
                Ok(one) => found.push(one),
                Err(why) => return Err(self.failed("reading", &why.to_string())),
            }
        }
        Ok(found)
    }

    /// Overwrites what a device says it has open.
    pub(super) async fn sftp_present(
        &self,
        device: DeviceId,
        bytes: Vec<u8>,
        attempt: &str,
    ) -> Result<(), RemoteError> {
        let shared = self.look_shared(attempt).await?;
        let folder = self.path(PRESENCE);
        let new = NewFile {
            part: format!("{folder}/.part-{}", self.nonce()?),
            path: format!("{folder}/{device}"),
            mode: if shared { 0o640 } else { 0o600 },
            folder,
            bytes,
        };
        let mut done = self.carrier.replace(new.clone()).await;
        if done == Err(Mishap::NotThere) {
            let mode = if shared { 0o3770 } else { 0o700 };
            done = match self.carrier.make_folder(&new.folder, mode).await {
                Ok(()) => self.carrier.replace(new).await,
                Err(why) => Err(why),
            };
        }
        match done {
            Ok(()) => Ok(()),
            Err(why) => Err(self.explained(attempt, why).await),
        }
    }

    /// What devices say they have open; what cannot be read is passed over, as is what is too long.
    pub(super) async fn sftp_presences(self: &Arc<Self>) -> Result<Presences, RemoteError> {
        let listing = self.sftp_names(PRESENCE, false, parse_device).await?;
        let mut left = listing.names.into_iter().take(PRESENCES_MAX);
        let (mut reading, mut found) = (JoinSet::new(), Presences::new());
        loop {
            while reading.len() < SIDE_BY_SIDE
                && let Some(device) = left.next()
            {
                let this = Arc::clone(self);
                reading.spawn(async move {
                    let path = this.path(&format!("{PRESENCE}/{device}"));
                    (device, this.carrier.read(&path, PRESENCE_MAX).await)
                });
            }
            match reading.join_next().await {
                None => return Ok(found),
                Some(Ok((device, Ok(bytes)))) => found.push((device, bytes)),
                Some(_) => {}
            }
        }
    }

    /// Sees once to it that the host's rename is the one that this stands on: there are servers whose rename replaces.
    async fn check_rename(&self, folder: &str, attempt: &str) -> Result<(), RemoteError> {
        if self.known().renames {
            return Ok(());
        }
        // The folder of a device may not be there yet; that of the heads is.
        let folder = if folder.contains('/') { HEADS } else { folder };
        let name = |nonce: String| self.path(&format!("{folder}/.part-{nonce}"));
        let (one, other) = (name(self.nonce()?), name(self.nonce()?));
        match self.carrier.replaces(one, other).await {
            Ok(false) => {
                self.known().renames = true;
                Ok(())
            }
            Ok(true) => Err(self.failed(
                attempt,
                "the SFTP server there renames over what exists, so that two devices could overwrite each other; give the account a shell, or use the SFTP server of OpenSSH",
            )),
            Err(why) => Err(self.explained(attempt, why).await),
        }
    }

    /// Removes what broken connections left. It is hidden and harms nobody, so a failure is no concern.
    async fn tidy_up(&self) {
        let left = std::mem::take(&mut self.known().left);
        if !left.is_empty() {
            self.carrier.remove(left).await.ok();
        }
    }

    pub(super) async fn sftp_head(&self, head: Head) -> Result<(), RemoteError> {
        let attempt = "setting the head";
        let shared = self.look_shared(attempt).await?;
        let mode = if shared { 0o640 } else { 0o600 };
        let path = self.path(&format!("{HEADS}/{}", head.file()));
        if let Err(why) = self.carrier.touch(&path, mode).await {
            return Err(self.explained(attempt, why).await);
        }
        let old = self.old_heads(head).into_iter().map(|seq| {
            let device = head.device;
            self.path(&format!("{HEADS}/{}", Head { device, seq }.file()))
        });
        let old: Vec<String> = old.collect();
        if old.is_empty() {
            return Ok(());
        }
        let removed = self.carrier.remove(old).await;
        removed.map_err(|why| self.mishap(attempt, why))
    }

    pub(super) async fn sftp_remove(
        &self,
        folder: &str,
        file: &str,
        attempt: &str,
    ) -> Result<(), RemoteError> {
        let path = self.path(&format!("{folder}/{file}"));
        match self.carrier.remove(vec![path]).await {
            Ok(()) => Ok(()),
            Err(why) => Err(self.explained(attempt, why).await),
        }
    }
}
