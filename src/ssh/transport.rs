//! The SSH transport over a wire: which algorithms are offered, whose host key is believed, what is told about it.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use russh::client::{self, ChannelOpenHandle, DisconnectReason, Msg, Session};
use russh::keys::{Algorithm, PublicKeyOrCertificate};
use russh::{Channel, ChannelOpenFailure, Names, Preferred, SshId, cipher, compression, kex, mac};
use tokio::sync::watch;

use super::error::Error;
use super::fact::ConnectionInfo;
use super::host_key::{self, Known};
use super::question::Asker;
use super::settings::Settings;
use super::wire::Wire;

/// How much of a server's banner is kept, in characters.
const BANNER: usize = 2000;

/// What ends a handshake: our own refusal, or the protocol's failure.
#[derive(Debug)]
pub(crate) enum Failure {
    Ours(Error),
    Protocol(russh::Error),
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
    /// Why the connection ended; `None` while it lives.
    gone: watch::Sender<Option<String>>,
}

/// A connection whose server is known, before the login.
pub(crate) struct Greeted {
    pub(crate) handle: client::Handle<Client>,
    pub(crate) seen: Seen,
    pub(crate) gone: watch::Receiver<Option<String>>,
}

/// Shakes hands over `wire`. `round_trip` is what one round trip took, as far as it is known.
///
/// # Errors
/// The server is not believed, speaks nothing we speak, or hung up.
pub(crate) async fn greet(
    wire: Box<dyn Wire>,
    settings: Arc<Settings>,
    known: Known,
    asker: Asker,
    round_trip: Duration,
) -> Result<Greeted, Failure> {
    let config = Arc::new(client::Config {
        client_id: SshId::Standard(Cow::Borrowed(concat!(
            "SSH-2.0-Quarterdeck_",
            env!("CARGO_PKG_VERSION")
        ))),
        window_size: window(round_trip),
        preferred: preferred(&settings, &known),
        keepalive_interval: Some(settings.alive_interval),
        keepalive_max: settings.alive_max,
        nodelay: true,
        ..client::Config::default()
    });
    let seen = Seen::default();
    seen.lock().notes = known.notes();
    let (gone, watched) = watch::channel(None);
    let client = Client {
        settings,
        known,
        asker,
        seen: seen.clone(),
        gone,
    };
    let handle = client::connect_stream(config, wire, client).await?;
    Ok(Greeted {
        handle,
        seen,
        gone: watched,
    })
}

/// The receive window of every channel of a connection, in bytes.
///
/// Throughput cannot exceed one window a round trip, and after Ctrl-C a whole window of stale output may still come. So
/// near hosts get speed, and far hosts an answer.
fn window(round_trip: Duration) -> u32 {
    match round_trip.as_millis() {
        0..10 => 2 * 1024 * 1024,
        10..40 => 1024 * 1024,
        _ => 256 * 1024,
    }
}

/// The algorithms the settings allow and we speak, in our order of preference.
fn preferred(settings: &Settings, known: &Known) -> Preferred {
    let defaults = Preferred::DEFAULT;
    Preferred {
        kex: exchanges(&settings.kex).into(),
        key: known.order(host_keys(&settings.host_key_algorithms)).into(),
        host_key_certificates: Cow::Borrowed(&[]),
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

/// The host key algorithms. Certificates are left out: nobody here knows the authorities.
fn host_keys(names: &[String]) -> Vec<Algorithm> {
    let supported = |algorithm: &Algorithm| {
        matches!(
            algorithm,
            Algorithm::Ed25519 | Algorithm::Ecdsa { .. } | Algorithm::Rsa { .. }
        )
    };
    if names.is_empty() {
        return Preferred::DEFAULT.key.to_vec();
    }
    let mut list = spoken(names, |name| Algorithm::new(name).ok());
    list.retain(supported);
    list
}

impl client::Handler for Client {
    type Error = Failure;

    async fn auth_banner(&mut self, banner: &str, _: &mut Session) -> Result<(), Failure> {
        let banner: String = banner.trim().chars().take(BANNER).collect();
        let mut seen = self.seen.lock();
        if !banner.is_empty() && seen.notes.len() < 16 {
            seen.notes.push(banner);
        }
        Ok(())
    }

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Failure> {
        let key = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => key,
            // Not offered, so a server that sends one does not keep to the protocol.
            PublicKeyOrCertificate::Certificate(_) => return Ok(false),
        };
        let note = host_key::check(&self.settings, &self.known, key, &self.asker)
            .await
            .map_err(Failure::Ours)?;
        self.seen.lock().notes.extend(note);
        Ok(true)
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

    // A server has no business opening channels to us: nothing was forwarded. Dropping the handle refuses.

    async fn server_channel_open_forwarded_tcpip(
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

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Failure> {
        refuse(reply).await
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Failure> {
        refuse(reply).await
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
        Failure::Protocol(russh::Error::KeepaliveTimeout) => {
            "the host gave no sign of life; the network or the host is down".to_owned()
        }
        Failure::Protocol(russh::Error::HUP | russh::Error::Disconnect) => {
            "the other side closed it".to_owned()
        }
        Failure::Protocol(russh::Error::IO(why)) => why.to_string(),
        Failure::Protocol(why) => why.to_string(),
    }
}

/// The error of a failed handshake, for people.
pub(crate) fn handshake_error(settings: &Settings, why: Failure, proxy_said: &str) -> Error {
    let hop = settings.place();
    let why = match why {
        Failure::Ours(why) => return why,
        Failure::Protocol(why) => why,
    };
    let said = if proxy_said.is_empty() {
        String::new()
    } else {
        format!(" (the proxy said: {proxy_said})")
    };
    let (text, hint) = match &why {
        russh::Error::NoCommonAlgo { kind, ours, theirs } => (
            format!(
                "no common {} algorithm; it offers {}, we offer {}",
                kind_word(kind),
                theirs.join(","),
                ours.join(",")
            ),
            "allow one of its algorithms for this host in ssh_config, or name it in openssh_hosts ([ssh] in config.toml) to use the system's ssh",
        ),
        russh::Error::HUP | russh::Error::Disconnect | russh::Error::IO(_) => (
            "it closed the connection at once".to_owned(),
            "it may be overloaded (MaxStartups), or refuse this address",
        ),
        russh::Error::Version => (
            "it does not answer as an SSH server".to_owned(),
            "check the port",
        ),
        other => (
            other.to_string(),
            "if the system's ssh gets through, name this host in openssh_hosts ([ssh] in config.toml)",
        ),
    };
    Error::Handshake {
        hop,
        why: format!("{text}{said}"),
        hint: hint.to_owned(),
    }
}

fn kind_word(kind: &russh::AlgorithmKind) -> &'static str {
    match kind {
        russh::AlgorithmKind::Kex => "key exchange",
        russh::AlgorithmKind::Key => "host key",
        russh::AlgorithmKind::Cipher => "cipher",
        russh::AlgorithmKind::Compression => "compression",
        russh::AlgorithmKind::Mac => "MAC",
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
        let sizes: Vec<u32> = [0, 20, 300]
            .map(|millis| window(Duration::from_millis(millis)))
            .to_vec();
        assert!(sizes.is_sorted_by(|near, far| near > far));
    }
}
