//! The channels that the server may open towards us: each was asked for, and somebody waits for it. Everything else is refused.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use russh::Channel;
use russh::client::{ChannelOpenHandle, Msg};
use tokio::sync::mpsc::{self, error::TrySendError};

/// How many channels wait at one door. When it is full the next is refused: the server tells whoever connected there.
const WAITING: usize = 64;

/// A channel that the server wants to open.
pub(crate) struct Arrival {
    pub(crate) channel: Channel<Msg>,
    /// Dropping it refuses the channel.
    pub(crate) reply: ChannelOpenHandle,
    /// Who connected there.
    pub(crate) from: String,
}

/// What a door is for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Sign {
    /// Address and port; the port is 0 until the server has chosen one.
    Tcp(String, u16),
    Unix(String),
    Agent,
}

/// The doors of one connection.
#[derive(Clone, Default)]
pub(crate) struct Doors(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    doors: Vec<Door>,
    last: u64,
    /// The forwards of the configuration were begun.
    begun: bool,
}

struct Door {
    id: u64,
    sign: Sign,
    way: mpsc::Sender<Arrival>,
}

/// A door that stands open until this is dropped.
pub(super) struct Open {
    doors: Doors,
    id: u64,
    pub(super) arrivals: mpsc::Receiver<Arrival>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.doors.lock().doors.retain(|door| door.id != self.id);
    }
}

impl Open {
    /// The server has chosen a port.
    pub(super) fn port(&self, chosen: u16) {
        for door in &mut self.doors.lock().doors {
            if let (true, Sign::Tcp(_, port)) = (door.id == self.id, &mut door.sign) {
                *port = chosen;
            }
        }
    }
}

impl Doors {
    /// True for the first who asks: the forwards of the configuration are begun once for a connection.
    pub(super) fn begin(&self) -> bool {
        !std::mem::replace(&mut self.lock().begun, true)
    }

    pub(super) fn open_tcp(&self, address: &str, port: u16) -> Open {
        self.open(Sign::Tcp(address.to_owned(), port))
    }

    pub(super) fn open_unix(&self, path: &str) -> Open {
        self.open(Sign::Unix(path.to_owned()))
    }

    pub(super) fn open_agent(&self) -> Open {
        self.open(Sign::Agent)
    }

    fn open(&self, sign: Sign) -> Open {
        let (way, arrivals) = mpsc::channel(WAITING);
        let mut state = self.lock();
        state.last += 1;
        let id = state.last;
        state.doors.push(Door { id, sign, way });
        drop(state);
        Open {
            doors: self.clone(),
            id,
            arrivals,
        }
    }

    /// A connection to a TCP address that the server listens at for us. Never waits; gives the handle back if it is refused.
    pub(crate) fn tcp(
        &self,
        address: &str,
        port: u32,
        arrival: Arrival,
    ) -> Result<(), ChannelOpenHandle> {
        let Ok(port) = u16::try_from(port) else {
            return Err(arrival.reply);
        };
        let state = self.lock();
        let find = |fits: &dyn Fn(&str, u16) -> bool| {
            state.doors.iter().find(|door| match &door.sign {
                Sign::Tcp(bound, number) => fits(bound, *number),
                Sign::Unix(_) | Sign::Agent => false,
            })
        };
        let door = find(&|bound, number| bound == address && number == port)
            .or_else(|| find(&|bound, number| bound == address && number == 0))
            // Some servers name the address that they bound, not the one that was asked for; the port says enough.
            .or_else(|| find(&|_, number| number == port));
        pass(door, arrival)
    }

    /// A connection to a socket that the server listens at for us.
    pub(crate) fn unix(&self, path: &str, arrival: Arrival) -> Result<(), ChannelOpenHandle> {
        let state = self.lock();
        let door = state
            .doors
            .iter()
            .find(|door| matches!(&door.sign, Sign::Unix(bound) if bound == path));
        pass(door, arrival)
    }

    /// A program there wants the agent. The newest door that allows it is taken; all lead to agents of ours.
    pub(crate) fn agent(&self, arrival: Arrival) -> Result<(), ChannelOpenHandle> {
        let state = self.lock();
        let door = state.doors.iter().rfind(|door| door.sign == Sign::Agent);
        pass(door, arrival)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pass(door: Option<&Door>, arrival: Arrival) -> Result<(), ChannelOpenHandle> {
    let Some(door) = door else {
        return Err(arrival.reply);
    };
    match door.way.try_send(arrival) {
        Ok(()) => Ok(()),
        Err(TrySendError::Full(arrival) | TrySendError::Closed(arrival)) => Err(arrival.reply),
    }
}
