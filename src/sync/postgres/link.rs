//! One connection to a server: made within a deadline, driven by a task of its own, thrown away when a call on it was cut.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, NoTls};

use super::address::{Address, Host, Tls};
use super::stream::{Meter, Stream};
use super::surroundings::Surroundings;
use super::tls::connector;
use super::words::{Teller, Verdict};

/// How long connecting and logging in may take. A login on a slow line with TLS takes five seconds.
pub(crate) const CONNECT: Duration = Duration::from_secs(25);
/// How long a server may work on one statement, in seconds. It is told so when connecting.
const STATEMENT_SECONDS: u64 = 110;
/// A connection that was silent longer is not used again: whatever stands between may have forgotten it without a word.
const STALE: Duration = Duration::from_secs(240);
/// How long saying goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// A connection in use.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) client: Client,
    meter: Arc<Meter>,
    driver: AbortHandle,
    used: Mutex<Instant>,
    broken: AtomicBool,
    /// Its end tells the driver that nobody holds the connection any more.
    _held: oneshot::Sender<()>,
}

impl Link {
    /// Whether a call can begin on it.
    pub(crate) fn is_usable(&self) -> bool {
        let used = *self.used.lock().unwrap_or_else(PoisonError::into_inner);
        !self.broken.load(Ordering::SeqCst) && !self.client.is_closed() && used.elapsed() < STALE
    }

    /// Whether the server sent more than it was asked for.
    pub(crate) fn burst(&self) -> bool {
        self.meter.burst()
    }

    /// Ends it at once.
    pub(crate) fn cut(&self) {
        self.broken.store(true, Ordering::SeqCst);
        self.driver.abort();
    }

    /// A call that expects at most `bytes` begins. If it is dropped before [`Flight::land`], the connection is cut: an
    /// answer that nobody waits for must not hold up the next one, and a statement must not outlive its call for long.
    pub(crate) fn fly(self: &Arc<Self>, bytes: usize) -> Flight {
        self.meter.begin(bytes);
        Flight {
            link: self.clone(),
            landed: false,
        }
    }
}

/// A call under way.
#[derive(Debug)]
pub(crate) struct Flight {
    link: Arc<Link>,
    landed: bool,
}

impl Flight {
    pub(crate) fn land(mut self) {
        self.landed = true;
        *self
            .link
            .used
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.link.meter.end();
        if !self.landed {
            self.link.cut();
        }
    }
}

/// Makes a connection. `settings`: whether the server is told how long a statement may take, which poolers refuse.
pub(crate) async fn connect(
    address: &Address,
    around: &Surroundings,
    settings: bool,
) -> Result<Link, Verdict> {
    let teller = Teller {
        address,
        attempt: "logging in",
    };
    tokio::time::timeout(CONNECT, open(teller, around, settings))
        .await
        .unwrap_or_else(|_| Err(Verdict::Lost(teller.late(CONNECT.as_secs()))))
}

async fn open(teller: Teller<'_>, around: &Surroundings, settings: bool) -> Result<Link, Verdict> {
    let address = teller.address;
    // Both read files, and a home folder may lie on a network.
    let (around, at) = (around.clone(), address.clone());
    let read = tokio::task::spawn_blocking(move || {
        let password = around.password_for(&at)?;
        let tls = match at.tls {
            Tls::Disable => None,
            mode => Some(connector(mode, &at.roots)?),
        };
        Ok::<_, String>((password, tls))
    });
    let (password, tls) = read
        .await
        .map_err(|why| Verdict::Final(teller.failed(why.to_string())))?
        .map_err(|why| Verdict::Final(teller.refused(why, "then try again".to_owned())))?;
    let mut config = Config::new();
    config
        .user(&address.user)
        .dbname(&address.database)
        .application_name("quarterdeck")
        .ssl_mode(match address.tls {
            Tls::Disable => SslMode::Disable,
            Tls::Prefer => SslMode::Prefer,
            Tls::Require | Tls::VerifyCa | Tls::VerifyFull => SslMode::Require,
        });
    if settings {
        config.options(format!("-c statement_timeout={}", STATEMENT_SECONDS * 1000));
    }
    if let Some(password) = password {
        config.password(password.expose_secret());
    }
    let meter = Arc::new(Meter::new());
    let (stream, host) = socket(teller, &meter).await?;
    match tls {
        Some(mut tls) => {
            // Naming the host cannot fail here; whether the name is one is judged in the handshake.
            let Ok(tls) = MakeTlsConnect::<Stream>::make_tls_connect(&mut tls, &host);
            let made = config.connect_raw(stream, tls).await;
            let (client, connection) = made.map_err(|why| teller.login(&why))?;
            Ok(drive(client, connection, meter))
        }
        None => {
            let made = config.connect_raw(stream, NoTls).await;
            let (client, connection) = made.map_err(|why| teller.login(&why))?;
            Ok(drive(client, connection, meter))
        }
    }
}

/// A socket to the server, and the name that its certificate must have.
async fn socket(teller: Teller<'_>, meter: &Arc<Meter>) -> Result<(Stream, String), Verdict> {
    let lost = |why: String| Verdict::Lost(teller.unreachable(why));
    match &teller.address.host {
        Host::Folder(folder) => {
            let path = folder.join(format!(".s.PGSQL.{}", teller.address.port));
            let socket = UnixStream::connect(&path)
                .await
                .map_err(|why| lost(format!("{}: {why}", path.display())))?;
            let stream = Stream::unix(socket, meter.clone());
            Ok((stream, "localhost".to_owned()))
        }
        Host::Name(name) => {
            let found = lookup_host((name.as_str(), teller.address.port))
                .await
                .map_err(|why| lost(format!("{name} has no address: {why}")))?;
            let mut last = format!("{name} has no address");
            for address in found {
                match TcpStream::connect(address).await {
                    Ok(socket) => {
                        // Small statements must not wait for an acknowledgement of the one before.
                        drop(socket.set_nodelay(true));
                        return Ok((Stream::tcp(socket, meter.clone()), name.clone()));
                    }
                    Err(why) => last = format!("{address}: {why}"),
                }
            }
            Err(lost(last))
        }
    }
}

/// Lets a connection run. It ends with the link; a goodbye that nobody hears does not keep it.
fn drive<D>(client: Client, connection: D, meter: Arc<Meter>) -> Link
where
    D: Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static,
{
    let (held, released) = oneshot::channel::<()>();
    let task = tokio::spawn(async move {
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            // Whoever waits for an answer hears why it ended.
            _ = &mut connection => {}
            _ = released => drop(tokio::time::timeout(GOODBYE, connection).await),
        }
    });
    Link {
        client,
        meter,
        driver: task.abort_handle(),
        used: Mutex::new(Instant::now()),
        broken: AtomicBool::new(false),
        _held: held,
    }
}
