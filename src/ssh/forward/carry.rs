//! One connection of a forward, from the moment somebody connects to the moment both ways have ended.

use std::sync::Arc;
use std::time::Duration;

use russh::client::Msg;
use russh::{ChannelMsg, ChannelOpenFailure, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;

use crate::domain::forward::Endpoint;
use crate::ssh::link::{DeadEnd, Link, User};
use crate::ssh::settings::Settings;

use super::doors::Arrival;
use super::listen::{self, Here, Peer};
use super::relay::{Counted, Relay};
use super::socks::{Socks, Step, Verdict, Wanted};
use super::table::Entry;

/// How long a host may take to connect to where a forward leads.
const OPENING: Duration = Duration::from_secs(60);

/// How long a SOCKS client may take to say what it wants.
const ASKING: Duration = Duration::from_secs(30);

/// What every connection of a forward needs.
#[derive(Clone)]
pub(super) struct Carrier {
    pub(super) link: Arc<Link>,
    pub(super) settings: Arc<Settings>,
    pub(super) entry: Arc<Entry>,
    /// Becomes true, or loses its sender, when the connection is to end.
    pub(super) stop: watch::Receiver<bool>,
    /// Its place among the users of the link, once it has a channel.
    pub(super) user: Option<Arc<User>>,
}

impl Carrier {
    /// Somebody connected here and is led to `to`.
    pub(super) async fn local(mut self, peer: Peer, to: Endpoint) {
        let entry = Arc::clone(&self.entry);
        let _counted = Counted::new(&entry.traffic);
        match self.open(to, peer.from).await {
            Ok((read, write)) => {
                let relay = Relay {
                    read,
                    write,
                    here: peer.stream,
                    to_host: Vec::new(),
                    from_host: Vec::new(),
                    traffic: &entry.traffic,
                };
                self.run(relay).await;
            }
            Err((_, why)) => entry.trouble(why),
        }
    }

    /// Somebody connected here and says by SOCKS where to.
    pub(super) async fn dynamic(mut self, mut peer: Peer) {
        let entry = Arc::clone(&self.entry);
        let _counted = Counted::new(&entry.traffic);
        let asking = tokio::time::timeout(ASKING, ask_stream(&mut peer.stream));
        let wanted = tokio::select! {
            wanted = asking => wanted.unwrap_or_else(|_| Err("a SOCKS client did not say what it wants".to_owned())),
            _ = self.stop.wait_for(|stop| *stop) => return,
        };
        let (wanted, rest) = match wanted {
            Ok(wanted) => wanted,
            Err(why) => return entry.trouble(why),
        };
        let to = Endpoint::tcp(&wanted.host, wanted.port);
        let (verdict, opened) = match self.open(to, peer.from).await {
            Ok(halves) => (Verdict::Granted, Some(halves)),
            Err((verdict, why)) => {
                entry.trouble(why);
                (verdict, None)
            }
        };
        // A client that is gone is found out by the relay.
        peer.stream.write_all(&wanted.answer(verdict)).await.ok();
        peer.stream.flush().await.ok();
        if let Some((read, write)) = opened {
            let relay = Relay {
                read,
                write,
                here: peer.stream,
                to_host: rest,
                from_host: Vec::new(),
                traffic: &entry.traffic,
            };
            self.run(relay).await;
        }
    }

    /// Somebody connected on the host and is led to `to`, as this machine sees it.
    pub(super) async fn remote(mut self, arrival: Arrival, to: Endpoint) {
        let entry = Arc::clone(&self.entry);
        let _counted = Counted::new(&entry.traffic);
        match listen::connect(&to, &self.settings).await {
            Ok(here) => {
                arrival.reply.accept().await;
                let (read, write) = arrival.channel.split();
                let relay = Relay {
                    read,
                    write,
                    here,
                    to_host: Vec::new(),
                    from_host: Vec::new(),
                    traffic: &entry.traffic,
                };
                self.run(relay).await;
            }
            Err(why) => {
                let reason = ChannelOpenFailure::ConnectFailed;
                arrival.reply.reject(reason).await;
                entry.trouble(why);
            }
        }
    }

    /// Somebody connected on the host and says by SOCKS where to, as this machine sees it.
    pub(super) async fn remote_dynamic(mut self, arrival: Arrival) {
        let entry = Arc::clone(&self.entry);
        let _counted = Counted::new(&entry.traffic);
        arrival.reply.accept().await;
        let (mut read, write) = arrival.channel.split();
        let asking = tokio::time::timeout(ASKING, ask_channel(&mut read, &write));
        let wanted = tokio::select! {
            wanted = asking => wanted.unwrap_or_else(|_| Err("a SOCKS client did not say what it wants".to_owned())),
            _ = self.stop.wait_for(|stop| *stop) => Err("it was stopped".to_owned()),
        };
        let led = match wanted {
            Ok((wanted, rest)) => self.lead(&wanted, &write).await.map(|here| (here, rest)),
            Err(why) => Err(why),
        };
        match led {
            Ok((here, from_host)) => {
                let relay = Relay {
                    read,
                    write,
                    here,
                    to_host: Vec::new(),
                    from_host,
                    traffic: &entry.traffic,
                };
                self.run(relay).await;
            }
            Err(why) => {
                entry.trouble(why);
                write.eof().await.ok();
                write.close().await.ok();
            }
        }
    }

    /// Connects here to where a SOCKS client on the host wants to go, and tells it.
    async fn lead(
        &self,
        wanted: &Wanted,
        write: &ChannelWriteHalf<Msg>,
    ) -> Result<Box<dyn Here>, String> {
        let place = Endpoint::tcp(&wanted.host, wanted.port);
        let (verdict, led) = if self
            .settings
            .forwarding
            .permit
            .allows(&wanted.host, wanted.port)
        {
            match listen::connect(&place, &self.settings).await {
                Ok(here) => (Verdict::Granted, Ok(here)),
                Err(why) => (Verdict::Unreachable, Err(why)),
            }
        } else {
            let text = format!(
                "the host wanted to be led to {place}; PermitRemoteOpen in ssh_config does not allow it"
            );
            (Verdict::Forbidden, Err(text))
        };
        write.data_bytes(wanted.answer(verdict)).await.ok();
        led
    }

    /// Asks the host for a channel to `to`.
    async fn open(
        &mut self,
        to: Endpoint,
        from: (String, u16),
    ) -> Result<(ChannelReadHalf, ChannelWriteHalf<Msg>), (Verdict, String)> {
        let place = to.to_string();
        let hop = &self.link.hop;
        let opened = tokio::select! {
            opened = tokio::time::timeout(OPENING, self.link.toward(to, from)) => opened,
            _ = self.stop.wait_for(|stop| *stop) => {
                return Err((Verdict::Unreachable, "it was stopped".to_owned()));
            }
        };
        match opened {
            Ok(Ok(carried)) => {
                self.user = Some(Arc::new(carried.user));
                Ok(carried.channel.split())
            }
            Ok(Err(DeadEnd::Refused(ChannelOpenFailure::AdministrativelyProhibited))) => Err((
                Verdict::Forbidden,
                format!(
                    "{hop} forbids connections to {place}; look at AllowTcpForwarding, AllowStreamLocalForwarding, DisableForwarding and PermitOpen in its sshd_config, and at the options of our key in authorized_keys"
                ),
            )),
            Ok(Err(DeadEnd::Refused(ChannelOpenFailure::ConnectFailed))) => Err((
                Verdict::Unreachable,
                format!(
                    "{hop} gets no connection to {place}: refused, not reachable from there, or a name it does not know"
                ),
            )),
            Ok(Err(DeadEnd::Refused(other))) => Err((
                Verdict::Unreachable,
                format!(
                    "{hop} refused to connect to {place}: {}",
                    other.description()
                ),
            )),
            Ok(Err(DeadEnd::Lost(why))) => Err((
                Verdict::Unreachable,
                format!("the connection to {hop} was lost: {why}"),
            )),
            Err(_) => Err((
                Verdict::Unreachable,
                format!(
                    "{hop} gave no answer in {} s to the wish for {place}; is that machine up?",
                    OPENING.as_secs()
                ),
            )),
        }
    }

    async fn run(&mut self, relay: Relay<'_, Box<dyn Here>>) {
        if let Err(why) = relay.run(&mut self.stop).await {
            self.entry.trouble(plain(&why));
        }
    }
}

/// The system's words without its error number.
fn plain(why: &str) -> String {
    why.split_once(" (os error")
        .map_or(why, |(words, _)| words)
        .to_owned()
}

type Asked = Result<(Wanted, Vec<u8>), String>;

/// Negotiates with a client that connected here.
async fn ask_stream(stream: &mut Box<dyn Here>) -> Asked {
    let mut socks = Socks::default();
    let mut buffer = [0; 512];
    loop {
        let (say, end) = match socks.step() {
            Step::More => {
                let got = stream
                    .read(&mut buffer)
                    .await
                    .map_err(|why| why.to_string());
                match got? {
                    0 => return Err("a SOCKS client hung up early".to_owned()),
                    len => socks.hear(buffer.get(..len).unwrap_or_default()),
                }
                continue;
            }
            Step::Ask(wanted) => return Ok((wanted, socks.rest())),
            Step::Say(bytes) => (bytes, None),
            Step::Refuse(bytes, why) => (bytes, Some(why)),
        };
        let said = stream.write_all(&say).await;
        if let Some(why) = end {
            return Err(why);
        }
        said.map_err(|why| why.to_string())?;
    }
}

/// The same with one that connected on the host.
async fn ask_channel(read: &mut ChannelReadHalf, write: &ChannelWriteHalf<Msg>) -> Asked {
    let mut socks = Socks::default();
    loop {
        let (say, end) = match socks.step() {
            Step::More => {
                match read.wait().await {
                    Some(ChannelMsg::Data { data }) => socks.hear(&data),
                    Some(ChannelMsg::Eof | ChannelMsg::Close) | None => {
                        return Err("a SOCKS client on the host hung up early".to_owned());
                    }
                    Some(_) => {}
                }
                continue;
            }
            Step::Ask(wanted) => return Ok((wanted, socks.rest())),
            Step::Say(bytes) => (bytes, None),
            Step::Refuse(bytes, why) => (bytes, Some(why)),
        };
        let said = write.data_bytes(say).await;
        if let Some(why) = end {
            return Err(why);
        }
        said.map_err(|why| why.to_string())?;
    }
}
