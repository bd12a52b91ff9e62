//! Which tickets a device has open now: a small sealed thing that its owner overwrites, and that ends by itself.
//!
//! It is best effort and never an operation: nothing of it is kept in a log, nothing waits for it, and losing it loses
//! nothing. Who keeps the bag sees that a device is at work, and neither who nor on what.

use super::bytes::Reader;
use super::engine::{SyncEngine, within};
use super::frame::{Form, Origin};
use super::random::Random;
use super::remote::{PRESENCES_MAX, Remote, RemoteError};
use crate::domain::ids::{DeviceId, TicketId};
use crate::domain::time::Time;

const FORM: Form = Form {
    magic: b"QDpr",
    label: "quarterdeck sync presence 1",
};

/// How long what a device said is believed, in milliseconds; it says it again well before.
pub const PRESENCE_LIFE_MS: i64 = 3 * 60_000;

/// The most tickets that a device says it has open.
pub const TICKETS_MAX: usize = 16;

/// The longest name of a person in bytes.
const WHO_MAX: usize = 64;

/// How long a remote may take for one answer about presence: nobody waits for it longer.
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(10);

/// What somebody has open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// On which device.
    pub device: DeviceId,
    /// When that was said, by the device's clock.
    pub at: Time,
    /// The login of whoever sits there.
    pub who: String,
    /// The tickets, and since when each is open; at most [`TICKETS_MAX`].
    pub tickets: Vec<(TicketId, Time)>,
}

impl Presence {
    fn text(&self) -> Vec<u8> {
        let mut end = self.who.len().min(WHO_MAX);
        while !self.who.is_char_boundary(end) {
            end -= 1;
        }
        let who = self.who.get(..end).unwrap_or_default();
        let tickets = self.tickets.iter().take(TICKETS_MAX);
        let mut out = vec![u8::try_from(who.len()).unwrap_or(0)];
        out.extend_from_slice(who.as_bytes());
        out.push(u8::try_from(tickets.len()).unwrap_or(0));
        for (ticket, since) in tickets {
            out.extend_from_slice(ticket.0.as_bytes());
            out.extend_from_slice(&millis(*since).to_be_bytes());
        }
        out
    }

    /// Reads [`Presence::text`]; what a later program adds behind it is passed over.
    fn read(device: DeviceId, at: Time, text: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(text);
        let long = reader.u8()?;
        let who = std::str::from_utf8(reader.take(long.into())?).ok()?;
        let count = usize::from(reader.u8()?).min(TICKETS_MAX);
        let mut tickets = Vec::with_capacity(count);
        for _ in 0..count {
            tickets.push((TicketId(reader.id()?), time(reader.u64()?)));
        }
        Some(Self {
            device,
            at,
            who: who.to_owned(),
            tickets,
        })
    }
}

fn millis(time: Time) -> u64 {
    u64::try_from(time.0).unwrap_or(0)
}

fn time(millis: u64) -> Time {
    Time(i64::try_from(millis).unwrap_or(i64::MAX))
}

impl SyncEngine {
    /// Says what is open here, in place of what was said before; nothing takes it back. `false` when the remote keeps no
    /// such thing, or there is no key to seal it with.
    ///
    /// # Errors
    /// The remote does not answer, or there is no randomness: nothing is lost by either.
    pub async fn say_presence(
        &self,
        remote: &dyn Remote,
        (at, who, tickets): (Time, &str, &[(TicketId, Time)]),
        random: &mut dyn Random,
    ) -> Result<bool, super::SyncError> {
        let device = self.identity().device();
        let sealed = if tickets.is_empty() {
            None
        } else {
            let presence = Presence {
                device,
                at,
                who: who.to_owned(),
                tickets: tickets.to_vec(),
            };
            match self.seal_presence(&presence, random)? {
                None => return Ok(false),
                sealed => sealed,
            }
        };
        let said = remote.set_presence(device, sealed);
        Ok(within(DEADLINE, remote, "saying what is open", said).await?)
    }

    fn seal_presence(
        &self,
        presence: &Presence,
        random: &mut dyn Random,
    ) -> Result<Option<Vec<u8>>, super::SyncError> {
        if !self.roster().is_active(presence.device) {
            return Ok(None);
        }
        let Some((epoch, key)) = self.ring().current(self.roster()) else {
            return Ok(None);
        };
        let origin = Origin {
            space: self.space(),
            epoch,
            device: presence.device,
        };
        let (at, text) = (millis(presence.at).to_be_bytes(), presence.text());
        FORM.seal(origin, &at, &text, key, self.identity(), random)
            .map(Some)
    }

    /// What the other devices of the space have open now; `None` when the remote keeps no such thing. What is old, is not
    /// signed by a member, or does not open counts for nothing.
    ///
    /// # Errors
    /// The remote does not answer.
    pub async fn others_present(
        &self,
        remote: &dyn Remote,
        now: Time,
    ) -> Result<Option<Vec<Presence>>, RemoteError> {
        let reply = remote.presences();
        let said = within(DEADLINE, remote, "reading what others have open", reply).await?;
        let own = self.identity().device();
        Ok(said.map(|said| {
            said.into_iter()
                .take(PRESENCES_MAX)
                .filter(|(device, _)| *device != own)
                .filter_map(|(device, sealed)| self.open_presence(device, &sealed))
                // A clock that is ahead must not make a device stay for ever.
                .filter(|one| {
                    let age = now.0.saturating_sub(one.at.0);
                    (-PRESENCE_LIFE_MS..PRESENCE_LIFE_MS).contains(&age)
                })
                .collect()
        }))
    }

    fn open_presence(&self, device: DeviceId, sealed: &[u8]) -> Option<Presence> {
        let (frame, at) = FORM
            .read(sealed, "it is no presence", |reader| reader.u64())
            .ok()?;
        let Origin {
            space,
            epoch,
            device: author,
        } = frame.origin;
        let member = self.roster().member(author)?;
        let counts = space == self.space()
            && author == device
            && self.roster().is_active(author)
            && frame.is_signed(&member.public.signing);
        if !counts {
            return None;
        }
        let plain = frame.open(self.ring().key(epoch)?)?;
        Presence::read(device, time(at), &plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::EntityId;

    #[test]
    fn what_is_said_is_read_back_within_bounds() {
        let device = DeviceId(EntityId::derived("device", "lap1"));
        let ticket = |n: usize| TicketId(EntityId::derived("ticket", &n.to_string()));
        let many: Vec<_> = (0..40).map(|n| (ticket(n), Time(7))).collect();
        for (who, count) in [("mira", 1), ("", 0), (&"é".repeat(100), 40)] {
            let said = Presence {
                device,
                at: Time(1_000),
                who: who.to_owned(),
                tickets: many.iter().take(count).copied().collect(),
            };
            let text = said.text();
            assert!(text.len() < super::super::remote::PRESENCE_MAX / 2);
            let read = Presence::read(device, said.at, &text).expect("it is read");
            assert!(who.starts_with(&read.who) && read.who.len() <= WHO_MAX);
            assert_eq!(read.tickets.len(), count.min(TICKETS_MAX));
            for cut in 0..text.len() {
                assert_eq!(Presence::read(device, said.at, &text[..cut]), None, "{cut}");
            }
        }
    }
}
