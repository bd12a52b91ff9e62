//! The probe of a host: one long channel that answers a line with a sample, so that a sample costs no process and no login.

use std::time::{Duration, Instant};

use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::sync::mpsc;

use crate::domain::host::Target;
use crate::domain::ids::{HostId, ReqId};

use super::fact::{ProbeReply, SshFact};
use super::link::{Held, Slot};
use super::manager::Manager;
use super::usage::Use;

/// How many questions wait for a probe. When it is full the next is answered with an error at once.
pub(crate) const QUESTIONS: usize = 8;

/// How long one sample may take. After that the channel is out of step and is closed.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a probe that could not start waits for the question that it is to answer with the reason.
const SOON: Duration = Duration::from_secs(2);

/// The largest sample, in bytes.
const LARGEST: usize = 256 * 1024;

/// How much of the probe's complaints is told, in bytes.
const COMPLAINTS: usize = 500;

/// What makes the probe answer.
const QUESTION: &[u8] = b"s\n";

/// Answers the questions of one host until nobody can ask any more, or the channel ends.
pub(crate) async fn run(
    manager: &Manager,
    facts: &mpsc::Sender<SshFact>,
    host: HostId,
    target: Target,
    command: String,
    mut questions: mpsc::Receiver<ReqId>,
) {
    let mut why = match open(manager, &target, &command).await {
        Ok(mut probe) => probe.serve(facts, host, &mut questions).await,
        Err(why) => {
            // It may have failed before anybody could ask; whoever started it is about to, and must hear why.
            if let Ok(Some(req)) = tokio::time::timeout(SOON, questions.recv()).await {
                // Closed before the answer, so that whoever hears it can start the next probe.
                questions.close();
                let result = Err(why.clone());
                let fact = SshFact::ProbeDone { req, host, result };
                facts.send(fact).await.ok();
            }
            Some(why)
        }
    };
    // Whoever asked meanwhile gets an answer too, and later asks find the queue closed.
    questions.close();
    while let Some(req) = questions.recv().await {
        let why = why.get_or_insert_with(|| "the probe was stopped".to_owned());
        let result = Err(why.clone());
        facts
            .send(SshFact::ProbeDone { req, host, result })
            .await
            .ok();
    }
}

async fn open(manager: &Manager, target: &Target, command: &str) -> Result<Probe, String> {
    let (held, _) = manager
        .background(target, Use::Probe)
        .await
        .map_err(|why| why.to_string())?;
    let Held { channel, slot } = held;
    let (read, write) = channel.split();
    let asking = tokio::time::timeout(PATIENCE, write.exec(true, command)).await;
    asking
        .map_err(|_| format!("the host took nothing for {} s", PATIENCE.as_secs()))?
        .map_err(|_| lost(&slot))?;
    Ok(Probe {
        read,
        write,
        slot,
        pending: Vec::new(),
        complaints: Vec::new(),
        exit: None,
    })
}

fn lost(slot: &Slot) -> String {
    let why = slot.link().why_gone();
    format!(
        "the connection was lost: {}",
        why.as_deref().unwrap_or("it ended")
    )
}

struct Probe {
    read: ChannelReadHalf,
    write: ChannelWriteHalf<Msg>,
    slot: Slot,
    /// What came and is not yet a whole answer.
    pending: Vec<u8>,
    complaints: Vec<u8>,
    exit: Option<u32>,
}

impl Probe {
    /// Returns why it ended, or nothing if it was told to.
    async fn serve(
        &mut self,
        facts: &mpsc::Sender<SshFact>,
        host: HostId,
        questions: &mut mpsc::Receiver<ReqId>,
    ) -> Option<String> {
        loop {
            let asked = tokio::select! {
                asked = questions.recv() => asked,
                // Between questions too the channel is drained.
                message = self.read.wait() => match self.take(message) {
                    Ok(()) => continue,
                    Err(why) => return Some(why),
                },
            };
            let Some(req) = asked else {
                let closing = tokio::time::timeout(Duration::from_secs(1), self.write.close());
                closing.await.ok();
                return None;
            };
            let result = match tokio::time::timeout(PATIENCE, self.sample()).await {
                Ok(result) => result,
                Err(_) => Err(format!("no answer in {} s", PATIENCE.as_secs())),
            };
            let failed = result.as_ref().err().cloned();
            facts
                .send(SshFact::ProbeDone { req, host, result })
                .await
                .ok();
            if failed.is_some() {
                tokio::time::timeout(Duration::from_secs(1), self.write.close())
                    .await
                    .ok();
                return failed;
            }
        }
    }

    async fn sample(&mut self) -> Result<ProbeReply, String> {
        // What came unasked belongs to no sample: a greeting of the login shell.
        self.pending.clear();
        let asked = Instant::now();
        // The library's own words would only tell that its queue has ended.
        let sent = self.write.data_bytes(QUESTION).await;
        sent.map_err(|_| lost(&self.slot))?;
        loop {
            if let Some(end) = end_of(&self.pending) {
                let text = self.pending.get(..end).unwrap_or_default();
                let text = String::from_utf8_lossy(text).into_owned();
                self.pending.clear();
                let rtt_ms = u32::try_from(asked.elapsed().as_millis()).unwrap_or(u32::MAX);
                return Ok(ProbeReply { text, rtt_ms });
            }
            if self.pending.len() > LARGEST {
                return Err(format!("the answer is longer than {} KiB", LARGEST / 1024));
            }
            let message = self.read.wait().await;
            self.take(message)?;
        }
    }

    fn take(&mut self, message: Option<ChannelMsg>) -> Result<(), String> {
        match message {
            Some(ChannelMsg::Data { data }) => {
                // Unasked output must not pile up either.
                if self.pending.len() <= LARGEST {
                    self.pending.extend_from_slice(&data);
                }
                Ok(())
            }
            Some(ChannelMsg::ExtendedData { data, .. }) => {
                let room = COMPLAINTS.saturating_sub(self.complaints.len());
                self.complaints.extend(data.iter().take(room));
                Ok(())
            }
            Some(ChannelMsg::ExitStatus { exit_status }) => {
                self.exit = Some(exit_status);
                Ok(())
            }
            Some(ChannelMsg::Failure) => {
                Err("the host refuses to run commands for this account".to_owned())
            }
            Some(ChannelMsg::Close) => Err(self.ended()),
            None => Err(lost(&self.slot)),
            Some(_) => Ok(()),
        }
    }

    fn ended(&self) -> String {
        let said = String::from_utf8_lossy(&self.complaints);
        let said = crate::domain::text::line(said.trim());
        let how = match self.exit {
            Some(status) => format!("the probe ended with status {status}"),
            None => "the probe ended".to_owned(),
        };
        if said.is_empty() {
            how
        } else {
            format!("{how}: {said}")
        }
    }
}

/// Where the answer ends: before a line that is only a dot.
fn end_of(bytes: &[u8]) -> Option<usize> {
    if bytes.starts_with(b".\n") {
        return Some(0);
    }
    let at = bytes.windows(3).position(|window| window == b"\n.\n")?;
    Some(at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_with_a_lone_dot() {
        let cases: [(&[u8], Option<usize>); 6] = [
            (b"L 1\nM 2\n.\n", Some(8)),
            (b".\n", Some(0)),
            (b"L 1\n.", None),
            (b"L .\n", None),
            (b"L 1\n..\n", None),
            (b"", None),
        ];
        for (bytes, expected) in cases {
            assert_eq!(end_of(bytes), expected, "{bytes:?}");
        }
    }
}
