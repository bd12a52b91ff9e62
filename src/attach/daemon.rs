//! The app as a process of its own: it outlives windows and logins, and keeps nothing of whoever started it.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{SignalKind, signal};

use super::place::Place;
use super::remote::{self, Found};
use super::server;
use crate::app::runtime::Line;
use crate::app::start::{self, Interactive, Places, Refused};
use crate::command::Globals;

/// How long a new app may take until it answers; a store may have to be migrated first.
const READY: Duration = Duration::from_secs(60);

/// How long an app that was told to stop may take.
const STOPPED: Duration = Duration::from_secs(15);

/// Set for an app that is to leave the session and the descriptors of whoever starts it.
const DETACHED: &str = "QD_DETACHED";

/// How often it is looked whether that has happened.
const PAUSE: Duration = Duration::from_millis(20);

/// Serves in this process until it is told to stop.
///
/// # Errors
/// The app cannot start, or another one serves this home already.
pub fn serve(globals: &Globals) -> Result<u8, Refused> {
    if std::env::var_os(DETACHED).is_some() {
        detach();
    }
    let mut places = start::places(globals)?;
    places.served = true;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let exit = runtime.block_on(async {
        let place = Place::find(&places.paths).map_err(|why| no_socket(&why))?;
        places.agent = Some(place.agent.clone());
        let taken = place.serve().map_err(|why| no_socket(&why))?;
        let Some((serving, listener)) = taken else {
            return Err(Refused {
                text: "an app serves this home already; `qd server status` tells of it".to_owned(),
                exit: 4,
            });
        };
        let (app, client) = start::assemble(&places, globals, Interactive::Window)?;
        let mut ends = [
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        ];
        // A logout must not end it: the signal is taken, and means nothing.
        let mut hangup = signal(SignalKind::hangup())?;
        let app = tokio::spawn(app.run());
        let stopper = client.clone();
        let watching = tokio::spawn(async move {
            let [terminate, interrupt] = &mut ends;
            loop {
                tokio::select! {
                    _ = terminate.recv() => break,
                    _ = interrupt.recv() => break,
                    _ = hangup.recv() => {}
                }
            }
            stopper.stop().await.ok();
        });
        server::serve(listener, &place, client, async { drop(app.await) }).await;
        watching.abort();
        place.leave();
        drop(serving);
        Ok(0)
    });
    runtime.shutdown_background();
    exit
}

/// Leaves the session and the descriptors of whoever started this process.
fn detach() {
    // It fails for the leader of a group, which is what a shell makes of a command; the parent starts us as none.
    rustix::process::setsid().ok();
    let open: Vec<i32> = std::fs::read_dir("/dev/fd")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > 2)
        .collect();
    for fd in open {
        // Nothing was opened yet by this program itself; the folder that was just read is closed already.
        nix::unistd::close(fd).ok();
    }
}

fn no_socket(why: &io::Error) -> Refused {
    Refused {
        text: format!("the app cannot listen for windows: {why}"),
        exit: 1,
    }
}

/// Makes sure that an app serves this home, and returns when it answers.
///
/// # Errors
/// It cannot start, with its own words; or one of another version runs.
pub async fn ensure(places: &Places, globals: &Globals) -> Result<(), Refused> {
    match look(places).await? {
        Found::App(_) => return Ok(()),
        Found::Other(server) => {
            return Err(Refused {
                text: remote::mismatch(&server),
                exit: 4,
            });
        }
        Found::Nobody => {}
    }
    let place = Place::find(&places.paths).map_err(|why| no_socket(&why))?;
    let said = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&place.said)?;
    let mut command = Command::new(std::env::current_exe()?);
    if let Some(home) = &globals.home {
        command.arg("--home").arg(std::path::absolute(home)?);
    }
    command
        .args(["server", "start", "--foreground"])
        .env(DETACHED, "1")
        // It may be started in a pane of another app.
        .env_remove(crate::ssh::PANE)
        .env_remove(crate::ssh::APP)
        .current_dir(std::env::var_os("HOME").map_or_else(|| "/".into(), std::path::PathBuf::from))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(said);
    let mut child = command.spawn().map_err(|why| Refused {
        text: format!("the app could not be started: {why}"),
        exit: 1,
    })?;
    let since = Instant::now();
    loop {
        if let Found::App(_) = look(places).await? {
            return Ok(());
        }
        let ended = child.try_wait()?;
        // Whoever loses the race against another start ends with 4, and the winner answers soon.
        if ended.is_some_and(|status| status.code() != Some(4)) || since.elapsed() > READY {
            let words = std::fs::read_to_string(&place.said).unwrap_or_default();
            let words = words.trim().trim_start_matches("qd: ");
            return Err(Refused {
                text: if words.is_empty() {
                    "the app did not start, and said nothing; see qd.log".to_owned()
                } else {
                    words.to_owned()
                },
                exit: ended
                    .and_then(|status| u8::try_from(status.code()?).ok())
                    .unwrap_or(1),
            });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Starts an app for this home, unless one runs.
///
/// # Errors
/// As [`ensure`].
pub fn start(globals: &Globals) -> Result<u8, Refused> {
    let places = start::places(globals)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(ensure(&places, globals))?;
    Ok(0)
}

/// Looks who serves this home.
pub(super) async fn look(places: &Places) -> Result<Found, Refused> {
    let place = Place::find(&places.paths).map_err(|why| no_socket(&why))?;
    remote::find(&place).await.map_err(|why| Refused {
        text: format!(
            "what listens at {} is no app that can be used: {why}",
            place.socket.display()
        ),
        exit: 1,
    })
}

/// A command line of the app that serves this home, if one does.
///
/// # Errors
/// Somebody listens there who is no app, or one of another version.
pub async fn line(places: &Places, person: bool) -> Result<Option<Line>, Refused> {
    match look(places).await? {
        Found::Nobody => Ok(None),
        Found::App(stream) => Ok(Some(remote::line(stream, person).await?)),
        Found::Other(server) => Err(Refused {
            text: remote::mismatch(&server),
            exit: 4,
        }),
    }
}

/// Ends an app of another version, which can only be told so by a signal; true when there was one.
///
/// # Errors
/// Nobody said yes to it, or it does not end.
pub async fn end_other(places: &Places, yes: bool) -> Result<bool, Refused> {
    let Found::Other(server) = look(places).await? else {
        return Ok(false);
    };
    if !yes {
        return Err(Refused {
            text: format!(
                "qd {} runs here (process {}), and this one cannot ask it what would be lost; `qd server stop --yes` ends it with its \
                 sessions and runs",
                server.version, server.pid
            ),
            exit: 2,
        });
    }
    let pid = i32::try_from(server.pid).ok().and_then(Pid::from_raw);
    let told = pid.map(|pid| kill_process(pid, Signal::TERM));
    match told {
        Some(Ok(())) => gone(places).await.map(|()| true),
        _ => Err(Refused {
            text: format!("process {} could not be told to end", server.pid),
            exit: 1,
        }),
    }
}

/// Waits until an app that was told to stop is gone.
///
/// # Errors
/// It does not end in time.
pub async fn gone(places: &Places) -> Result<(), Refused> {
    let place = Place::find(&places.paths).map_err(|why| no_socket(&why))?;
    let since = Instant::now();
    while place.is_served() {
        if since.elapsed() > STOPPED {
            return Err(Refused {
                text: format!(
                    "the app was told to stop and still runs after {} s; `qd server status` names its process",
                    STOPPED.as_secs()
                ),
                exit: 1,
            });
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
