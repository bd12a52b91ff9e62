//! The reading half of an SFTP session: puts packets together and gives them to whoever asked. It waits for nobody.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use russh::{ChannelMsg, ChannelReadHalf};
use tokio::sync::{oneshot, watch};

use crate::domain::text;
use crate::ssh::link::Slot;

use super::fault::Fault;
use super::packet::{self, Parser, Reply};

/// How much of what a server complains about is kept, in bytes.
const COMPLAINTS: usize = 1024;

/// How long a server's program may take to end when there is nothing more to read for it.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);

/// How much of what is no SFTP is shown, in bytes.
const SAMPLE: usize = 64;

/// Who waits for which answer.
#[derive(Default)]
pub(super) struct Shared {
    // Std mutexes: held for look-ups, never across an await.
    waiting: Mutex<Waiting>,
    /// Nothing is read any more.
    pub(super) over: tokio::sync::Notify,
}

#[derive(Default)]
pub(super) struct Waiting {
    pub(super) asked: HashMap<u32, oneshot::Sender<Reply>>,
    /// Why nothing is answered any more.
    pub(super) ended: Option<String>,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets everybody who waits know; the first reason is the true one.
    pub(super) fn end(&self, why: String) {
        let mut waiting = self.lock();
        waiting.ended.get_or_insert(why);
        waiting.asked.clear();
    }

    pub(super) fn fault(&self) -> Fault {
        let why = self.lock().ended.clone();
        Fault::Lost(why.unwrap_or_else(|| "the SFTP session ended".to_owned()))
    }
}

/// What the reader holds.
pub(super) struct Reader {
    pub(super) read: ChannelReadHalf,
    /// The place among the connection's channels; free again when the reader is done.
    pub(super) slot: Slot,
    pub(super) host: String,
    pub(super) shared: Arc<Shared>,
    pub(super) version: Option<oneshot::Sender<Reply>>,
    /// The packet that is not whole yet, its length in front.
    pub(super) packet: Vec<u8>,
    pub(super) complaints: Vec<u8>,
    pub(super) exit: Option<u32>,
    pub(super) going: watch::Receiver<()>,
}

impl Reader {
    /// Reads until the session ends, then lets everybody know.
    pub(super) async fn run(mut self) {
        let why = loop {
            let message = tokio::select! {
                message = self.read.wait() => message,
                // Nobody can ask any more. The place is free when the server's program has ended, which closes the channel.
                _ = self.going.changed() => {
                    tokio::time::timeout(FAREWELL, self.closed()).await.ok();
                    break "the SFTP session ended".to_owned();
                }
            };
            if let Err(why) = self.take(message).await {
                break why;
            }
        };
        self.shared.end(why);
        self.shared.over.notify_one();
    }

    /// Waits until the server has closed the channel.
    async fn closed(&mut self) {
        while !matches!(self.read.wait().await, Some(ChannelMsg::Close) | None) {}
    }

    async fn take(&mut self, message: Option<ChannelMsg>) -> Result<(), String> {
        match message {
            Some(ChannelMsg::Data { data }) => self.data(&data),
            Some(ChannelMsg::ExtendedData { data, .. }) => {
                let room = COMPLAINTS.saturating_sub(self.complaints.len());
                self.complaints.extend(data.iter().take(room));
                Ok(())
            }
            Some(ChannelMsg::ExitStatus { exit_status }) => {
                self.exit = Some(exit_status);
                Ok(())
            }
            Some(ChannelMsg::Failure) => Err(format!(
                "{} has no SFTP; its sshd_config needs a line such as `Subsystem sftp internal-sftp`",
                self.host
            )),
            Some(ChannelMsg::Close) => Err(self.ended()),
            None => {
                // The reason of a broken connection comes by another way than the end of the channel.
                let ended = self.slot.link().ended();
                let reason = tokio::time::timeout(Duration::from_millis(500), ended.wait()).await;
                Err(reason.unwrap_or_else(|_| "it ended".to_owned()))
            }
            Some(_) => Ok(()),
        }
    }

    fn ended(&self) -> String {
        let said = String::from_utf8_lossy(&self.complaints);
        let said = text::line(said.trim());
        let mut how = format!("{} ended the SFTP session", self.host);
        if let Some(status) = self.exit.filter(|status| *status != 0) {
            how.push_str(&format!(" with status {status}"));
        }
        if !said.is_empty() {
            how.push_str(&format!(": {said}"));
        }
        if self.version.is_some() {
            how.push_str("; is the program of its `Subsystem sftp` line there, and does the account's shell allow it?");
        }
        how
    }

    /// Puts packets together and gives them to whoever asked.
    fn data(&mut self, mut data: &[u8]) -> Result<(), String> {
        while !data.is_empty() {
            let wanted = match self.wanted() {
                None => 4usize.saturating_sub(self.packet.len()),
                Some(len) if !(5..=packet::LARGEST).contains(&len) => {
                    return Err(self.nonsense(data));
                }
                Some(len) => (len + 4).saturating_sub(self.packet.len()),
            };
            let (taken, rest) = data.split_at(wanted.min(data.len()));
            self.packet.extend_from_slice(taken);
            data = rest;
            if let (4, Some(len @ ..=packet::LARGEST)) = (self.packet.len(), self.wanted()) {
                // The length is known now, so the room is made once.
                self.packet.reserve_exact(len);
            }
            if self
                .wanted()
                .is_some_and(|len| self.packet.len() == len + 4)
            {
                let whole = std::mem::take(&mut self.packet);
                self.dispatch(whole)?;
            }
        }
        Ok(())
    }

    /// The length of the packet that is coming, once its head is there.
    fn wanted(&self) -> Option<usize> {
        let len = Parser(&self.packet).u32()?;
        usize::try_from(len).ok()
    }

    /// Not SFTP: usually a shell that greets, whose first letters are taken for a length.
    fn nonsense(&self, more: &[u8]) -> String {
        let said = self.packet.iter().chain(more).take(SAMPLE);
        let said: Vec<u8> = said.copied().collect();
        let said = String::from_utf8_lossy(&said);
        format!(
            "what {} sends is not SFTP: it begins with {:?}. A shell start file or a ForceCommand prints something; it must be silent without a terminal",
            self.host,
            text::line(said.trim())
        )
    }

    fn dispatch(&mut self, bytes: Vec<u8>) -> Result<(), String> {
        let Some((id, reply)) = Reply::read(bytes) else {
            return Err(self.nonsense(&[]));
        };
        if let Some(version) = self.version.take() {
            if reply.kind != packet::VERSION_REPLY {
                return Err(self.nonsense(&[]));
            }
            if id != packet::VERSION {
                return Err(format!(
                    "{} speaks version {id} of SFTP; version 3 is needed",
                    self.host
                ));
            }
            version.send(reply).ok();
            return Ok(());
        }
        let asked = self.shared.lock().asked.remove(&id);
        // Nobody waits for it any more, or nobody ever asked; either changes nothing.
        if let Some(asked) = asked {
            asked.send(reply).ok();
        }
        Ok(())
    }
}
