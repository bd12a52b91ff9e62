//! Listeners on this machine, on TCP and on Unix-domain sockets, and connections to places that this machine sees.

use std::fs::Permissions;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::fs::Mode;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, UnixListener, UnixStream, lookup_host};

use crate::domain::forward::Endpoint;
use crate::ssh::settings::{Settings, address};
use crate::ssh::wire;

/// How many connections the kernel keeps for us while we are busy.
const BACKLOG: u32 = 128;

/// How long a connection to a place here may take.
const CONNECT: Duration = Duration::from_secs(20);

/// A stream to somebody on this machine's side.
pub(super) trait Here: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Here for T {}

/// Somebody connected.
pub(super) struct Peer {
    pub(super) stream: Box<dyn Here>,
    /// Who, for the host's log.
    pub(super) from: (String, u16),
}

/// The listeners of one forward; `localhost` has one for each family. Dropping it removes the file of a socket.
pub(super) struct Listeners {
    tcp: Vec<TcpListener>,
    unix: Option<(UnixListener, SocketFile)>,
}

/// A socket's place in the file system.
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Somebody may have removed it before.
        std::fs::remove_file(&self.0).ok();
    }
}

impl Listeners {
    /// Binds `place`; the answer says where, with the port that the system chose.
    ///
    /// # Errors
    /// In words: which address, why not, what to do.
    pub(super) async fn bind(
        place: &Endpoint,
        settings: &Settings,
    ) -> Result<(Self, Endpoint), String> {
        match place {
            Endpoint::Tcp { host, port } => {
                let addresses = addresses(host, *port, settings).await?;
                let (tcp, port) = bind_tcp(addresses)?;
                let unix = None;
                Ok((Self { tcp, unix }, Endpoint::tcp(host, port)))
            }
            Endpoint::Unix { path } => {
                let path = settings.path(path).map_err(|why| why.to_string())?;
                let rules = &settings.forwarding;
                let listener = bind_unix(&path, rules.mask, rules.unlink)
                    .map_err(|why| format!("cannot listen at {}: {why}", path.display()))?;
                let place = Endpoint::unix(path.to_string_lossy());
                let unix = Some((listener, SocketFile(path)));
                let tcp = Vec::new();
                Ok((Self { tcp, unix }, place))
            }
        }
    }

    /// The next who connects.
    pub(super) async fn accept(&self) -> io::Result<Peer> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Peer>> {
        for listener in &self.tcp {
            if let Poll::Ready(accepted) = listener.poll_accept(cx) {
                return Poll::Ready(accepted.map(|(stream, from)| {
                    // Keystrokes that are carried must not wait; it is only an optimisation.
                    stream.set_nodelay(true).ok();
                    Peer {
                        stream: Box::new(stream),
                        from: (from.ip().to_string(), from.port()),
                    }
                }));
            }
        }
        if let Some((listener, _)) = &self.unix
            && let Poll::Ready(accepted) = listener.poll_accept(cx)
        {
            return Poll::Ready(accepted.map(|(stream, _)| Peer {
                stream: Box::new(stream),
                from: ("127.0.0.1".to_owned(), 0),
            }));
        }
        Poll::Pending
    }
}

/// Where to bind, ssh(1): no address is loopback unless `GatewayPorts`, `*` is every machine's way in.
async fn addresses(host: &str, port: u16, settings: &Settings) -> Result<Vec<SocketAddr>, String> {
    let pair = |four: Ipv4Addr, six: Ipv6Addr| -> Vec<SocketAddr> {
        let four = settings.ipv4.then_some(IpAddr::V4(four));
        let six = settings.ipv6.then_some(IpAddr::V6(six));
        four.into_iter()
            .chain(six)
            .map(|ip| SocketAddr::new(ip, port))
            .collect()
    };
    let everywhere = host == "*" || (host.is_empty() && settings.forwarding.gateway);
    if everywhere {
        return Ok(pair(Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED));
    }
    if host.is_empty() || host == "localhost" {
        return Ok(pair(Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST));
    }
    let found = tokio::time::timeout(CONNECT, lookup_host((host, port))).await;
    let no = |why: &str| format!("cannot listen at {}: {why}", address(host, port));
    match found {
        Ok(Ok(found)) => Ok(found.collect()),
        Ok(Err(why)) => Err(no(&why.to_string())),
        Err(_) => Err(no("its name was not found in time")),
    }
}

/// Binds all of them to one port. A family that this machine does not have is passed over; a port that is taken is not.
fn bind_tcp(addresses: Vec<SocketAddr>) -> Result<(Vec<TcpListener>, u16), String> {
    let mut listeners = Vec::new();
    let mut chosen = 0;
    let mut absent = None;
    for mut place in addresses {
        if place.port() == 0 {
            place.set_port(chosen);
        }
        match bind_one(place) {
            Ok(listener) => {
                chosen = listener.local_addr().map_or(chosen, |bound| bound.port());
                listeners.push(listener);
            }
            Err(why) if has_no_family(&why) => absent = Some((place, why)),
            Err(why) => return Err(cannot(place, &why)),
        }
    }
    match absent {
        Some((place, why)) if listeners.is_empty() => Err(cannot(place, &why)),
        _ if listeners.is_empty() => Err("there is no address to listen at".to_owned()),
        _ => Ok((listeners, chosen)),
    }
}

fn bind_one(place: SocketAddr) -> io::Result<TcpListener> {
    let socket = if place.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        let socket = TcpSocket::new_v6()?;
        // The other family has a listener of its own.
        rustix::net::sockopt::set_ipv6_v6only(&socket, true)?;
        socket
    };
    // A port whose last connections still linger may be taken again; one that somebody listens at may not.
    socket.set_reuseaddr(true)?;
    socket.bind(place)?;
    socket.listen(BACKLOG)
}

fn has_no_family(why: &io::Error) -> bool {
    why.kind() == io::ErrorKind::AddrNotAvailable
        || why.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

fn cannot(place: SocketAddr, why: &io::Error) -> String {
    let hint = match why.kind() {
        io::ErrorKind::AddrInUse => "another program listens there; end it or choose another port",
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 are for the administrator; choose a higher one"
        }
        io::ErrorKind::AddrNotAvailable => "this machine has no such address",
        _ => return format!("cannot listen at {place}: {why}"),
    };
    format!("cannot listen at {place}: {hint}")
}

/// Binds a socket that only those may use whom `mask` leaves.
fn bind_unix(path: &Path, mask: u32, unlink: bool) -> Result<UnixListener, String> {
    if let Ok(there) = std::fs::symlink_metadata(path) {
        if !unlink {
            return Err(
                "the file is there already; remove it, or set StreamLocalBindUnlink yes".to_owned(),
            );
        }
        if !there.file_type().is_socket() {
            return Err("the file that is there is no socket, so it is not removed".to_owned());
        }
        std::fs::remove_file(path).map_err(|why| why.to_string())?;
    }
    let mode = 0o777 & !mask;
    let bind = || -> io::Result<StdUnixListener> {
        let socket = rustix::net::socket_with(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )?;
        // Linux takes the file's mode from here, so that it is never more open than it will be.
        rustix::fs::fchmod(&socket, Mode::from_raw_mode(mode))?;
        rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
        std::fs::set_permissions(path, Permissions::from_mode(mode))?;
        rustix::net::listen(&socket, 128)?;
        Ok(StdUnixListener::from(socket))
    };
    bind()
        .and_then(UnixListener::from_std)
        .map_err(|why| why.to_string())
}

/// Connects to a place as this machine sees it.
///
/// # Errors
/// In words.
pub(super) async fn connect(
    place: &Endpoint,
    settings: &Settings,
) -> Result<Box<dyn Here>, String> {
    let connecting = async {
        match place {
            Endpoint::Tcp { host, port } => wire::tcp(host, *port, settings.ipv4, settings.ipv6)
                .await
                .map(|(stream, _)| Box::new(stream) as Box<dyn Here>),
            Endpoint::Unix { path } => {
                let path = settings.path(path).map_err(io::Error::other)?;
                let stream = UnixStream::connect(path).await?;
                Ok(Box::new(stream) as Box<dyn Here>)
            }
        }
    };
    match tokio::time::timeout(CONNECT, connecting).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(why)) => Err(format!("cannot connect to {place} from here: {why}")),
        Err(_) => Err(format!(
            "cannot connect to {place} from here: no answer in {} s",
            CONNECT.as_secs()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::host::Effective;
    use crate::ssh::config::Spec;

    fn settings(lines: &[(&str, &str)]) -> Settings {
        let spec = Spec {
            name: "web".to_owned(),
            user: None,
            port: None,
            config: None,
        };
        let mut effective = Effective::default();
        for (option, value) in [("hostname", "web"), ("user", "me")].iter().chain(lines) {
            let values = effective.options.entry((*option).to_owned()).or_default();
            values.push((*value).to_owned());
        }
        Settings::read(&spec, &effective).unwrap_or_else(|why| unreachable!("{why}"))
    }

    #[tokio::test]
    async fn loopback_unless_it_is_said_otherwise() {
        let four: &[(&str, &str)] = &[("addressfamily", "inet")];
        let gateway: &[(&str, &str)] = &[("gatewayports", "yes")];
        for (host, lines, expected) in [
            ("", &[][..], "127.0.0.1:80 [::1]:80"),
            ("localhost", gateway, "127.0.0.1:80 [::1]:80"),
            ("", gateway, "0.0.0.0:80 [::]:80"),
            ("*", &[][..], "0.0.0.0:80 [::]:80"),
            ("*", four, "0.0.0.0:80"),
            ("", four, "127.0.0.1:80"),
            ("127.0.0.2", gateway, "127.0.0.2:80"),
        ] {
            let found = addresses(host, 80, &settings(lines)).await;
            let words: Vec<String> = found
                .unwrap_or_else(|why| unreachable!("{why}"))
                .iter()
                .map(ToString::to_string)
                .collect();
            assert_eq!(words.join(" "), expected, "{host:?} {lines:?}");
        }
    }
}
