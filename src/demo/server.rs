//! One SSH server of the fleet: who may come in, what may be asked, and where the bastion may lead.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use russh::keys::{PrivateKey, PublicKey};
use russh::server::{
    Auth, ChannelOpenHandle, Config, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelOpenFailure, MethodKind, MethodSet, Pty};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::LOGIN;
use super::channel::{self, Started, sftp_server};
use super::machine::Machine;
use super::plan::Route;
use super::processes::Processes;

/// What all servers of one fleet share.
#[derive(Debug)]
pub(super) struct Shared {
    /// The only key that opens a door.
    pub(super) client: PublicKey,
    /// Every process that a server started.
    pub(super) processes: Arc<Processes>,
    /// The ports behind the bastion, by host name.
    pub(super) inner: BTreeMap<&'static str, u16>,
    /// Our ends of the connections that the bastion makes. A plain mutex: held for one insertion or look, never across
    /// an await.
    passes: Mutex<BTreeSet<SocketAddr>>,
}

impl Shared {
    pub(super) fn new(
        client: PublicKey,
        processes: Arc<Processes>,
        inner: BTreeMap<&'static str, u16>,
    ) -> Self {
        Self {
            client,
            processes,
            inner,
            passes: Mutex::default(),
        }
    }

    fn passes(&self) -> MutexGuard<'_, BTreeSet<SocketAddr>> {
        // A set is whole after each call, so a panic elsewhere cannot have broken it.
        self.passes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The configuration of the server of a host.
pub(super) fn config(host_key: PrivateKey) -> Arc<Config> {
    Arc::new(Config {
        methods: MethodSet::from([MethodKind::PublicKey].as_slice()),
        auth_rejection_time: Duration::from_millis(50),
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![host_key],
        max_auth_attempts: 6,
        inactivity_timeout: None,
        nodelay: true,
        ..Config::default()
    })
}

/// Accepts connections until `stop`, then ends them all.
pub(super) async fn listen(
    listener: TcpListener,
    config: Arc<Config>,
    machine: Arc<Machine>,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = connections.join_next(), if !connections.is_empty() => continue,
            // An error says that the fleet is gone, which is as good as its word.
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let Ok((stream, peer)) = accepted else {
            // Out of descriptors, most likely: give others the time to return theirs.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Behind the bastion only the bastion is let in, as a firewall would have it.
        if machine.plan().route == Route::Inner && !shared.passes().contains(&peer) {
            continue;
        }
        let door = Door {
            machine: Arc::clone(&machine),
            shared: Arc::clone(&shared),
            started: Started::default(),
        };
        connections.spawn(connection(stream, Arc::clone(&config), door, stop.clone()));
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// One connection from its first byte to its last. How it ends is nobody's concern here: the client was told.
async fn connection(
    stream: TcpStream,
    config: Arc<Config>,
    door: Door,
    mut stop: watch::Receiver<bool>,
) {
    let Ok((stream, twin)) = twins(stream) else {
        return;
    };
    let session = async {
        if let Ok(running) = russh::server::run_stream(config, stream, door).await {
            running.await.unwrap_or_default();
        }
    };
    tokio::pin!(session);
    tokio::select! {
        () = &mut session => return,
        _ = stop.wait_for(|stop| *stop) => {}
    }
    // The session runs in a task of the library's own; it ends when its socket does.
    twin.shutdown(std::net::Shutdown::Both).unwrap_or_default();
    session.await;
}

/// The stream and a second handle of its socket, to end it by.
fn twins(stream: TcpStream) -> io::Result<(TcpStream, std::net::TcpStream)> {
    stream.set_nodelay(true)?;
    let stream = stream.into_std()?;
    let twin = stream.try_clone()?;
    Ok((TcpStream::from_std(stream)?, twin))
}

/// Who stands at the door of one connection. It never waits: whatever takes time gets a task of its own.
struct Door {
    machine: Arc<Machine>,
    shared: Arc<Shared>,
    started: Started,
}

impl Door {
    fn admits(&self, user: &str, key: &PublicKey) -> bool {
        self.machine.plan().route != Route::Closed
            && user == LOGIN
            && key.key_data() == self.shared.client.key_data()
    }

    /// Answers a request to start a program on `channel`: one is allowed.
    fn start(
        &mut self,
        channel: ChannelId,
        possible: bool,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        if possible && self.started.note(channel) {
            session.channel_success(channel)
        } else {
            session.channel_failure(channel)
        }
    }
}

fn verdict(admitted: bool) -> Auth {
    if admitted {
        Auth::Accept
    } else {
        Auth::reject()
    }
}

// The replies are given here and not where the program runs, because the library remembers only for the latest request
// whether its sender wants a reply.
impl Handler for Door {
    type Error = russh::Error;

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, russh::Error> {
        Ok(verdict(self.admits(user, offer.public_key)))
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, russh::Error> {
        Ok(verdict(self.admits(user, key.public_key)))
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        let machine = Arc::clone(&self.machine);
        let processes = Arc::clone(&self.shared.processes);
        tokio::spawn(channel::serve(
            channel,
            session.handle(),
            machine,
            processes,
        ));
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _originator: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        let leads = self.machine.plan().route == Route::Bastion;
        match destination(&self.shared.inner, host, port).filter(|_| leads) {
            Some(port) => {
                tokio::spawn(relay(channel, reply, port, Arc::clone(&self.shared)));
            }
            None => {
                reply
                    .reject(ChannelOpenFailure::AdministrativelyProhibited)
                    .await
            }
        }
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_success(channel)
    }

    async fn shell_request(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.start(channel, true, session)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _command: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.start(channel, true, session)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.start(channel, name == "sftp" && sftp_server().is_some(), session)
    }

    /// Refused: what a client wants to set could lead the host's programs astray.
    async fn env_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        _value: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_failure(channel)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _single: bool,
        _protocol: &str,
        _cookie: &str,
        _screen: u32,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_failure(channel)
    }

    async fn channel_close(
        &mut self,
        channel: ChannelId,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.started.forget(channel);
        Ok(())
    }
}

/// The port behind the bastion that a client means, by name or by loopback address; nothing else can be reached.
fn destination(inner: &BTreeMap<&'static str, u16>, host: &str, port: u32) -> Option<u16> {
    let port = u16::try_from(port).ok()?;
    let here = host == "127.0.0.1" || host == "localhost";
    inner
        .iter()
        .find(|(name, known)| **known == port && (here || **name == host))
        .map(|(_, port)| *port)
}

/// Leads a channel of the bastion to a host behind it.
async fn relay(channel: Channel<Msg>, reply: ChannelOpenHandle, port: u16, shared: Arc<Shared>) {
    match connect(port, &shared).await {
        Ok((mut stream, pass)) => {
            reply.accept().await;
            let mut channel = channel.into_stream();
            // However it ends, both sides are closed by dropping them.
            tokio::io::copy_bidirectional(&mut channel, &mut stream)
                .await
                .unwrap_or_default();
            shared.passes().remove(&pass);
        }
        Err(_) => reply.reject(ChannelOpenFailure::ConnectFailed).await,
    }
}

async fn connect(port: u16, shared: &Shared) -> io::Result<(TcpStream, SocketAddr)> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let pass = socket.local_addr()?;
    // Noted before the connection, so that the host cannot see it too early.
    shared.passes().insert(pass);
    match socket.connect((Ipv4Addr::LOCALHOST, port).into()).await {
        Ok(stream) => {
            stream.set_nodelay(true)?;
            Ok((stream, pass))
        }
        Err(why) => {
            shared.passes().remove(&pass);
            Err(why)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bastion_leads_only_into_the_fleet() {
        let inner = BTreeMap::from([("web1", 40_001), ("db1", 40_002)]);
        for (host, port, expected) in [
            ("127.0.0.1", 40_001, Some(40_001)),
            ("localhost", 40_002, Some(40_002)),
            ("web1", 40_001, Some(40_001)),
            ("web1", 40_002, None),
            ("127.0.0.1", 22, None),
            ("127.0.0.1", 40_001 + 65_536, None),
            ("192.0.2.1", 40_001, None),
            ("::1", 40_001, None),
        ] {
            assert_eq!(destination(&inner, host, port), expected, "{host}:{port}");
        }
    }
}
