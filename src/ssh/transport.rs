//! The SSH transport over a wire: which algorithms are offered, whose host key is believed, what is told about it.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use russh::client::{self, ChannelOpenHandle, DisconnectReason, Msg, Session};
use russh::keys::{Algorithm, PublicKey, PublicKeyOrCertificate};
use russh::{
    Channel, ChannelOpenFailure, Limits, Names, Preferred, SshId, cipher, compression, kex, mac,
};
use tokio::sync::watch;

use crate::domain::text;

use super::error::Error;
use super::fact::{ConnectionInfo, SshFact};
use super::forward::{Arrival, Doors};
use super::host_key::{self, Known};
use super::meter::Metered;
use super::question::Asker;
use super::settings::Settings;

/// How much of a server's banner is kept, in characters; OpenSSH's longest in its own tests has 100,000.
const BANNER: usize = 128 * 1024;

/// What ends a handshake: our own refusal, or the protocol's failure.
#[derive(Debug)]
pub(crate) enum Failure {
    Ours(Error),
    Protocol(russh::Error),
    /// The server said good-bye in order, with these words.
    HungUp(String),
}

impl Failure {
    /// Whether the other side just closed the connection.
    pub(crate) fn is_hangup(&self) -> bool {
        matches!(
            self,
            Self::Protocol(russh::Error::HUP | russh::Error::Disconnect | russh::Error::IO(_))
        )
    }
}

impl From<russh::Error> for Failure {
    fn from(why: russh::Error) -> Self {
        Self::Protocol(why)
    }
}

/// What the connection's own task sees and others may look at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen(Arc<Mutex<ConnectionInfo>>);

impl Seen {
    pub(crate) fn lock(&self) -> MutexGuard<'_, ConnectionInfo> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Our side of the protocol's callbacks. It lives in the connection's task.
pub(crate) struct Client {
    settings: Arc<Settings>,
    known: Known,
    asker: Asker,
    seen: Seen,
    /// Whether the user's own files vouch for the server, so that it may announce other keys.
    own: bool,
    /// The keys that such a server announces.
    announced: watch::Sender<Option<Vec<PublicKey>>>,
    /// What the server may open towards us.
    doors: Doors,
    /// Why the connection ended; `None` while it lives.
    gone: watch::Sender<Option<String>>,
}

/// A connection whose server is known, before the login.
pub(crate) struct Greeted {
    pub(crate) handle: client::Handle<Client>,
    pub(crate) seen: Seen,
    pub(crate) doors: Doors,
    pub(crate) gone: watch::Receiver<Option<String>>,
    /// The keys that a server announces whom the user's own files vouch for.
    pub(crate) announced: watch::Receiver<Option<Vec<PublicKey>>>,
}

/// What a handshake needs.
pub(crate) struct Greeting {
    pub(crate) wire: Metered,
    pub(crate) settings: Arc<Settings>,
    pub(crate) known: Known,
    pub(crate) asker: Asker,
    /// The receive window of every channel, in bytes.
    pub(crate) window: u32,
}

/// Shakes hands.
///
/// # Errors
/// The server is not believed, speaks nothing we speak, or hung up.
pub(crate) async fn greet(greeting: Greeting) -> Result<Greeted, Failure> {
    let Greeting {
        wire,
        settings,
        known,
        asker,
        window,
    } = greeting;
    let config = Arc::new(client::Config {
        client_id: SshId::Standard(Cow::Borrowed(concat!(
            "SSH-2.0-Quarterdeck_",
            env!("CARGO_PKG_VERSION")
        ))),
        window_size: window,
        channel_buffer_size: WAITING,
        limits: limits(&settings),
        gex: exchange_groups(),
        preferred: preferred(&settings, &known),
        keepalive_interval: Some(settings.alive_interval),
        keepalive_max: settings.alive_max,
        nodelay: true,
        ..client::Config::default()
    });
    let seen = Seen::default();
    let (announced, announcing) = watch::channel(None);
    seen.lock().notes.clone_from(&settings.notes);
    let (gone, watched) = watch::channel(None);
    let doors = Doors::default();
    let client = Client {
        settings,
        known,
        asker,
        seen: seen.clone(),
        own: false,
        announced,
        doors: doors.clone(),
        gone,
    };
    let handle = match client::connect_stream(config, wire, client).await {
        Ok(handle) => handle,
        // The words of an orderly good-bye come by another way than the failure.
        Err(Failure::Protocol(russh::Error::Disconnect)) => {
            let said = watched.borrow().clone();
            return Err(match said {
                Some(said) => Failure::HungUp(said),
                None => Failure::Protocol(russh::Error::Disconnect),
            });
        }
        Err(why) => return Err(why),
    };
    Ok(Greeted {
        handle,
        seen,
        doors,
        gone: watched,
        announced: announcing,
    })
}

/// The receive window of every channel of a connection, in bytes.
///
/// Throughput cannot exceed one window a round trip; and what is on its way when a session floods stands before the keys of
/// all other sessions of that host, and still comes after Ctrl-C. So a window is no larger than a line of that length wants.
pub(crate) fn window(round_trip: Option<Duration>) -> u32 {
    match round_trip.map(|time| time.as_millis()) {
        // 128 MB/s and more; an app that shows 10 MB/s works it off in 25 ms.
        Some(0..2) => 256 * 1024,
        // Behind a ProxyCommand nothing is known.
        Some(2..40) | None => 512 * 1024,
        // What is far is often thin too: at 1 Mbit/s these take half a second to drain. A megabyte a second comes
        // through at 60 ms, 160 KB at 300 ms; bulk data has a connection of its own.
        Some(40..150) => 64 * 1024,
        Some(_) => 48 * 1024,
    }
}

/// Whether the window of a connection over this round trip is as wide as the line, so that bulk data needs no connection
/// of its own.
pub(crate) fn is_wide(round_trip: Option<Duration>) -> bool {
    // Not nearer than that, or a busy machine would find its neighbours far: half a megabyte in 10 ms is half a gigabit.
    round_trip.is_some_and(|time| time.as_millis() < 10)
}

/// Packets of a channel, of 32 KiB at most, that wait for whoever reads it. Each stands before what is newer, as the window does.
const WAITING: usize = 8;

/// The window of a connection for bulk data: at 300 ms it still lets 25 MB/s through.
pub(crate) const BULK: u32 = 8 * 1024 * 1024;

/// When keys are exchanged anew: `RekeyLimit`, and never later than the ciphers bear.
fn limits(settings: &Settings) -> Limits {
    let most = Limits::default();
    let bytes = settings
        .rekey_bytes
        .and_then(|bytes| usize::try_from(bytes).ok())
        .map_or(most.rekey_write_limit, |bytes| {
            bytes.clamp(REKEY_LEAST, most.rekey_write_limit)
        });
    let time = settings.rekey_time.unwrap_or(most.rekey_time_limit);
    Limits::new(bytes, bytes, time)
}

/// The least bytes between two key exchanges; an exchange itself takes a few thousand.
const REKEY_LEAST: usize = 16 * 1024;

/// The sizes of groups that are taken in a group exchange: RFC 8270 for the least, and rather one that is about as strong as
/// curve25519 than the largest, which costs seconds.
fn exchange_groups() -> client::GexParams {
    client::GexParams::new(2048, 3072, 8192).unwrap_or_default()
}

/// The algorithms the settings allow and we speak, in our order of preference.
fn preferred(settings: &Settings, known: &Known) -> Preferred {
    let defaults = Preferred::DEFAULT;
    Preferred {
        kex: exchanges(&settings.kex).into(),
        key: known.order(host_keys(&settings.host_key_algorithms)).into(),
        host_key_certificates: host_certificates(&settings.host_key_algorithms, known).into(),
        cipher: ciphers(&settings.ciphers).into(),
        mac: if settings.macs.is_empty() {
            defaults.mac
        } else {
            spoken(&settings.macs, |name| mac::Name::try_from(name).ok()).into()
        },
        compression: if settings.compression {
            vec![
                compression::ZLIB_LEGACY,
                compression::ZLIB,
                compression::NONE,
            ]
            .into()
        } else {
            defaults.compression
        },
    }
}

fn spoken<T>(names: &[String], known: impl Fn(&str) -> Option<T>) -> Vec<T> {
    names.iter().filter_map(|name| known(name)).collect()
}

/// The key exchanges, with the markers for strict key exchange and extensions.
fn exchanges(names: &[String]) -> Vec<kex::Name> {
    let mut list = spoken(names, |name| kex::Name::try_from(name).ok());
    if names.is_empty() {
        return Preferred::DEFAULT.kex.to_vec();
    }
    // OpenSSH before 9.9 does not know the post-quantum exchange that we share with newer servers; whoever allows
    // curve25519 loses nothing by its stronger sibling.
    if list.contains(&kex::CURVE25519) && !list.contains(&kex::MLKEM768X25519_SHA256) {
        list.insert(0, kex::MLKEM768X25519_SHA256);
    }
    list.retain(|name| *name != kex::NONE);
    list.push(kex::EXTENSION_SUPPORT_AS_CLIENT);
    list.push(kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT);
    list
}

/// The ciphers; AES-GCM first where the processor has instructions for it, being twice as fast there.
fn ciphers(names: &[String]) -> Vec<cipher::Name> {
    let mut list = if names.is_empty() {
        Preferred::DEFAULT.cipher.to_vec()
    } else {
        spoken(names, |name| cipher::Name::try_from(name).ok())
    };
    list.retain(|name| *name != cipher::NONE && *name != cipher::CLEAR);
    if fast_aes() {
        list.sort_by_key(|name| *name != cipher::AES_256_GCM && *name != cipher::AES_128_GCM);
    }
    list
}

fn fast_aes() -> bool {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    return std::arch::is_x86_feature_detected!("aes");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

/// The algorithms of plain host keys.
fn host_keys(names: &[String]) -> Vec<Algorithm> {
    if names.is_empty() {
        return Preferred::DEFAULT.key.to_vec();
    }
    let mut list = spoken(names, |name| Algorithm::new(name).ok());
    list.retain(signs_for_hosts);
    list
}

/// The algorithms of host certificates, wanted before plain keys. Without an authority for the host they say nothing, so
/// they are only asked for where there is one, or where the settings allow nothing else.
fn host_certificates(names: &[String], known: &Known) -> Vec<Algorithm> {
    if !known.has_authority() && !host_keys(names).is_empty() {
        return Vec::new();
    }
    if names.is_empty() {
        return Preferred::DEFAULT.key.to_vec();
    }
    let mut list = spoken(names, |name| {
        Algorithm::new(name.strip_suffix("-cert-v01@openssh.com")?).ok()
    });
    list.retain(signs_for_hosts);
    list
}

fn signs_for_hosts(algorithm: &Algorithm) -> bool {
    matches!(
        algorithm,
        Algorithm::Ed25519 | Algorithm::Ecdsa { .. } | Algorithm::Rsa { .. }
    )
}

impl client::Handler for Client {
    type Error = Failure;

    async fn auth_banner(&mut self, banner: &str, _: &mut Session) -> Result<(), Failure> {
        let whole = text::block(banner.trim_end());
        let mut text: String = whole.chars().take(BANNER).collect();
        if text.len() < whole.len() {
            text.push_str("\n[the rest of the banner was left out]");
        }
        if text.trim().is_empty() {
            return Ok(());
        }
        {
            let mut seen = self.seen.lock();
            // A server may send several; the first are enough.
            if seen.banner.len() + text.len() > 2 * BANNER {
                return Ok(());
            }
            if !seen.banner.is_empty() {
                seen.banner.push('\n');
            }
            seen.banner.push_str(&text);
        }
        let fact = SshFact::Said {
            target: self.asker.target.clone(),
            hop: self.asker.hop.clone(),
            text,
        };
        self.asker.questions.tell(fact).await;
        Ok(())
    }

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Failure> {
        if !signs_for_hosts(&shown.public_key().algorithm()) {
            return Ok(false);
        }
        let checked = host_key::check(&self.settings, &self.known, shown, &self.asker)
            .await
            .map_err(Failure::Ours)?;
        self.own = checked.own;
        self.seen.lock().notes.extend(checked.notes);
        Ok(true)
    }

    async fn openssh_ext_host_keys_announced(
        &mut self,
        keys: Vec<PublicKey>,
        _: &mut Session,
    ) -> Result<(), Failure> {
        // Nothing is believed yet: whoever listens asks for a proof. Nobody listens where the settings say no.
        if self.own {
            self.announced.send_replace(Some(keys));
        }
        Ok(())
    }

    async fn kex_done(
        &mut self,
        _: Option<&[u8]>,
        names: &Names,
        session: &mut Session,
    ) -> Result<(), Failure> {
        let mut seen = self.seen.lock();
        seen.kex = names.kex.as_ref().to_owned();
        seen.cipher = names.cipher.as_ref().to_owned();
        seen.host_key = names.key.as_str().to_owned();
        seen.server = String::from_utf8_lossy(session.remote_sshid())
            .trim()
            .to_owned();
        Ok(())
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Failure>) -> Result<(), Failure> {
        let (text, result) = match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                let text = format!("the server hung up: {}", info.message.trim());
                (text, Ok(()))
            }
            DisconnectReason::Error(why) => (lost(&why), Err(why)),
        };
        // Nobody may be left to read it.
        self.gone.send_replace(Some(text));
        result
    }

    // What was asked to be forwarded comes in by a door that waits for it; everything else is refused. Nothing here
    // waits: this is the connection's own task.

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        channel: Channel<Msg>,
        address: &str,
        port: u32,
        from: &str,
        from_port: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Failure> {
        let from = format!("{from}:{from_port}");
        let arrival = Arrival {
            channel,
            reply,
            from,
        };
        match self.doors.tcp(address, port, arrival) {
            Ok(()) => Ok(()),
            Err(reply) => refuse(reply).await,
        }
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        channel: Channel<Msg>,
        path: &str,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Failure> {
        let arrival = Arrival {
            channel,
            reply,
            from: path.to_owned(),
        };
        match self.doors.unix(path, arrival) {
            Ok(()) => Ok(()),
            Err(reply) => refuse(reply).await,
        }
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Failure> {
        let arrival = Arrival {
            channel,
            reply,
            from: "the agent's socket".to_owned(),
        };
        match self.doors.agent(arrival) {
            Ok(()) => Ok(()),
            Err(reply) => refuse(reply).await,
        }
    }

    async fn server_channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Failure> {
        refuse(reply).await
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Failure> {
        refuse(reply).await
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Failure> {
        refuse(reply).await
    }

    async fn server_channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Failure> {
        refuse(reply).await
    }
}

async fn refuse(reply: ChannelOpenHandle) -> Result<(), Failure> {
    reply
        .reject(ChannelOpenFailure::AdministrativelyProhibited)
        .await;
    Ok(())
}

/// Why a connection that was up is no more, in words.
fn lost(why: &Failure) -> String {
    match why {
        Failure::Ours(why) => why.to_string(),
        Failure::HungUp(why) => why.clone(),
        Failure::Protocol(russh::Error::KeepaliveTimeout) => {
            "the host gave no sign of life; the network or the host is down".to_owned()
        }
        Failure::Protocol(russh::Error::HUP | russh::Error::Disconnect) => {
            "the other side closed it".to_owned()
        }
        // The other side has closed it while a packet was on its way.
        Failure::Protocol(russh::Error::IO(why))
            if why.kind() == std::io::ErrorKind::UnexpectedEof =>
        {
            "the other side closed it".to_owned()
        }
        Failure::Protocol(russh::Error::IO(why)) => super::handshake::plain(why),
        Failure::Protocol(why) => why.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn gcm_comes_first_and_nothing_is_added() {
        let list = ciphers(&owned(&[
            "chacha20-poly1305@openssh.com",
            "aes256-ctr",
            "aes256-gcm@openssh.com",
            "umbrella",
        ]));
        assert_eq!(list.len(), 3);
        if fast_aes() {
            assert_eq!(list.first(), Some(&cipher::AES_256_GCM));
        }
        assert_eq!(ciphers(&owned(&["aes128-ctr"])), [cipher::AES_128_CTR]);
    }

    #[test]
    fn strict_key_exchange_is_always_offered() {
        for names in [
            vec![],
            owned(&["curve25519-sha256"]),
            owned(&["ecdh-sha2-nistp256"]),
        ] {
            let list = exchanges(&names);
            assert!(list.contains(&kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT));
            assert!(!list.contains(&kex::NONE));
        }
        let list = exchanges(&owned(&["sntrup761x25519-sha512", "curve25519-sha256"]));
        assert_eq!(list.first(), Some(&kex::MLKEM768X25519_SHA256));
        let list = exchanges(&owned(&["ecdh-sha2-nistp256"]));
        assert!(!list.contains(&kex::MLKEM768X25519_SHA256), "not asked for");
    }

    #[test]
    fn certificates_and_old_hashes_are_not_offered_unasked() {
        let list = host_keys(&owned(&[
            "ssh-ed25519-cert-v01@openssh.com",
            "ssh-ed25519",
            "sk-ssh-ed25519@openssh.com",
            "rsa-sha2-512",
        ]));
        let names: Vec<&str> = list.iter().map(Algorithm::as_str).collect();
        assert_eq!(names, ["ssh-ed25519", "rsa-sha2-512"]);
    }

    #[test]
    fn far_hosts_get_small_windows() {
        let over = |millis| Some(Duration::from_millis(millis));
        let sizes = [20, 100, 300].map(|millis| window(over(millis)));
        assert!(is_wide(over(0)) && !is_wide(over(20)) && !is_wide(None));
        // At the end of what counts as wide still 50 MB/s.
        assert!(window(over(9)) / 10 > 50_000);
        assert!(
            sizes.iter().all(|size| *size < BULK),
            "bulk is always wider"
        );
        assert!(sizes.is_sorted_by(|near, far| near > far));
    }
}
