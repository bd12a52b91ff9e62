//! A TCP line of the tests' own between a client and a server: slow, thin, cut, silent, or with words put in between.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use super::lab::Failed;

/// What is wrong with the line.
#[derive(Clone, Default)]
pub(crate) struct Line {
    /// How long bytes are on their way, in each direction.
    pub(crate) delay: Duration,
    /// The most bytes in one piece.
    pub(crate) piece: Option<usize>,
    /// The most bytes a second, in each direction.
    pub(crate) rate: Option<u64>,
    /// The most bytes that are on their way in each direction, as in the queue of a router; the sender waits beyond.
    pub(crate) room: Option<usize>,
    /// What the client hears before the server.
    pub(crate) before: Vec<u8>,
    /// Nobody ever answers.
    pub(crate) mute: bool,
    /// Connections are closed as soon as they are there.
    pub(crate) shut: bool,
    /// The line breaks after so many bytes from the server.
    pub(crate) breaks_after: Option<u64>,
}

/// How far the talk has come, by cause and effect: a piece counts one more than everything its sender had heard.
#[derive(Default)]
struct Steps {
    client: u64,
    server: u64,
    /// How far it was when somebody last asked.
    told: u64,
}

struct Shared {
    line: Line,
    /// Nobody answers connections that come, until somebody mends it.
    broken: watch::Sender<bool>,
    stalled: watch::Sender<bool>,
    cuts: watch::Sender<u64>,
    accepted: AtomicUsize,
    steps: Mutex<Steps>,
    /// Bytes that the client was given.
    given: AtomicU64,
    /// Bytes that the server was given.
    taken: AtomicU64,
}

/// The line; it is cut when dropped.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// Starts a line to a server on a port of 127.0.0.1.
    pub(crate) async fn start(server: u16, line: Line) -> Result<Self, Failed> {
        // What the system would hold of a line is no part of the line.
        let socket = socket(line.room)?;
        socket.bind("127.0.0.1:0".parse()?)?;
        let listener = socket.listen(64)?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            line,
            broken: watch::channel(false).0,
            stalled: watch::channel(false).0,
            cuts: watch::channel(0).0,
            accepted: AtomicUsize::new(0),
            steps: Mutex::default(),
            given: AtomicU64::new(0),
            taken: AtomicU64::new(0),
        });
        let task = tokio::spawn(serve(listener, server, Arc::clone(&shared)));
        Ok(Self { port, shared, task })
    }

    /// Breaks every connection that is there now.
    pub(crate) fn cut(&self) {
        self.shared.cut();
    }

    /// Breaks every connection that is there now, and answers none that come; or lets those through again that come then.
    pub(crate) fn broken(&self, broken: bool) {
        self.shared.broken.send_replace(broken);
        if broken {
            self.shared.cut();
        }
    }

    /// Nothing moves any more, and nobody is told.
    pub(crate) fn stall(&self) {
        self.shared.stalled.send_replace(true);
    }

    /// How many bytes the client was given so far.
    pub(crate) fn given(&self) -> u64 {
        self.shared.given.load(Ordering::SeqCst)
    }

    /// How many bytes the server was given so far.
    pub(crate) fn taken(&self) -> u64 {
        self.shared.taken.load(Ordering::SeqCst)
    }

    /// How many connections there were.
    pub(crate) fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Half round trips since the last call: the longest chain of pieces that each waited for the one before.
    pub(crate) fn half_trips(&self) -> u64 {
        let mut steps = self.shared.steps();
        let far = steps.client.max(steps.server);
        let new = far - steps.told;
        *steps = Steps {
            client: far,
            server: far,
            told: far,
        };
        new
    }
}

impl Shared {
    fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    fn steps(&self) -> std::sync::MutexGuard<'_, Steps> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A socket that holds little itself if the line has little room.
fn socket(room: Option<usize>) -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    if room.is_some() {
        socket.set_recv_buffer_size(8 * 1024)?;
        socket.set_send_buffer_size(8 * 1024)?;
    }
    Ok(socket)
}

async fn serve(listener: TcpListener, server: u16, shared: Arc<Shared>) {
    // They end with the line.
    let mut talks = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        shared.accepted.fetch_add(1, Ordering::SeqCst);
        if shared.line.shut {
            continue;
        }
        talks.spawn(talk(client, server, Arc::clone(&shared)));
    }
}

async fn talk(mut client: TcpStream, server: u16, shared: Arc<Shared>) -> Option<()> {
    if shared.line.mute {
        return std::future::pending().await;
    }
    let mut broken = shared.broken.subscribe();
    if *broken.borrow_and_update() {
        broken.changed().await.ok()?;
        return None;
    }
    client.set_nodelay(true).ok()?;
    client.write_all(&shared.line.before).await.ok()?;
    let server = SocketAddr::from(([127, 0, 0, 1], server));
    let server = socket(shared.line.room).ok()?.connect(server).await.ok()?;
    server.set_nodelay(true).ok()?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut cuts = shared.cuts.subscribe();
    let up = carry(from_client, to_server, &shared, false);
    let down = carry(from_server, to_client, &shared, true);
    let both = async { tokio::join!(up, down) };
    tokio::select! {
        _ = both => {}
        _ = cuts.changed() => {}
    }
    None
}

/// Moves bytes one way. `down` is from the server to the client.
async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    shared: &Shared,
    down: bool,
) {
    // What is on its way; a full line holds the sender, as a network does.
    let piece = shared.line.piece.unwrap_or(32 * 1024);
    let room = shared.line.room.map_or(4096, |room| (room / piece).max(1));
    let (send, mut on_the_way) = mpsc::channel::<(Instant, u64, Vec<u8>)>(room);
    let reading = async {
        let mut buffer = vec![0; piece];
        let mut stalled = shared.stalled.subscribe();
        loop {
            if stalled.wait_for(|stalled| !stalled).await.is_err() {
                break;
            }
            let Ok(len @ 1..) = from.read(&mut buffer).await else {
                break;
            };
            let step = {
                let steps = shared.steps();
                1 + if down { steps.server } else { steps.client }
            };
            let data = buffer.get(..len).unwrap_or_default().to_vec();
            let due = Instant::now() + shared.line.delay;
            if send.send((due, step, data)).await.is_err() {
                break;
            }
        }
        drop(send);
    };
    let writing = async {
        let mut stalled = shared.stalled.subscribe();
        while let Some((due, step, mut data)) = on_the_way.recv().await {
            until(due).await;
            if let Some(rate) = shared.line.rate {
                let micros = data.len() as u64 * 1_000_000 / rate;
                until(Instant::now() + Duration::from_micros(micros)).await;
            }
            if stalled.wait_for(|stalled| !stalled).await.is_err() {
                break;
            }
            {
                let mut steps = shared.steps();
                let heard = if down {
                    &mut steps.client
                } else {
                    &mut steps.server
                };
                *heard = (*heard).max(step);
            }
            let mut last = false;
            let given = match down {
                true => shared.given.fetch_add(data.len() as u64, Ordering::SeqCst),
                false => shared.taken.fetch_add(data.len() as u64, Ordering::SeqCst),
            };
            if let Some(most) = shared.line.breaks_after.filter(|_| down) {
                let room = usize::try_from(most.saturating_sub(given)).unwrap_or(0);
                last = room <= data.len();
                data.truncate(room);
            }
            if to.write_all(&data).await.is_err() {
                break;
            }
            if last {
                shared.cut();
            }
        }
        to.shutdown().await.ok();
    };
    tokio::join!(reading, writing);
}

/// Waits for a moment: a line with a delay is the one thing that is about time itself.
async fn until(due: Instant) {
    tokio::time::timeout_at(due, std::future::pending::<()>())
        .await
        .ok();
}
