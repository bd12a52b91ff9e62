//! Windows onto the app: the protocol, the app's side and the terminal's side.
//!
//! The app draws cells; a window is a small pump on somebody's terminal. Between them go plain messages, inside one process
//! or over the socket of an app that serves: neither side knows which. Command lines come through the same door.

mod call;
mod colours;
mod count;
mod daemon;
mod encoder;
mod extras;
mod features;
mod guest;
mod input;
mod keeper;
mod listener;
mod out;
mod pace;
mod place;
mod protocol;
mod remote;
mod replay;
mod sane;
mod saving;
mod server;
mod silence;
mod terminal;
mod tty;
mod window;
mod wire;

use std::io::{self, IsTerminal};

pub use daemon::{end_other, ensure, gone, line, serve, start};
pub use encoder::Encoder;
pub use features::Features;
pub use keeper::{Kept, keep, window_words};
pub use protocol::{
    AppLink, Colours, FRAMES, Hello, INPUTS, Input, PROTOCOL, Size, ToApp, ToWindow, Way,
    WindowLink, pair,
};

pub use replay::replay;

use remote::Found;
use window::Manner;

use crate::app::runtime::Client;
use crate::app::start::{self, Interactive, Places, Refused};
use crate::command::Globals;

/// Opens a window onto the app of this home in this terminal; with `start` the app is started when none runs. `kept` says who
/// gives the terminal back if this process cannot, and which session is shown first.
///
/// # Errors
/// There is no terminal, no app runs and none is to be started, or it cannot start.
pub fn open(globals: &Globals, start: bool, kept: Kept) -> Result<u8, Refused> {
    terminal_here(globals.plain)?;
    let mut places = start::places(globals)?;
    if !globals.read_only {
        elsewhere(&places)?;
    }
    let manner = Manner {
        plain: globals.plain,
        screen: places.settings.screen,
        prefix: places.settings.session.prefix,
        focus: kept.focus.clone(),
        kept,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let shown = runtime.block_on(async {
        // Whoever wants to change nothing gets an app that can change nothing, and not the one that others share.
        if globals.read_only {
            places.served = false;
            let (app, client) = start::assemble(&places, globals, Interactive::Window)?;
            let app = tokio::spawn(app.run());
            let shown = inside(client, manner).await;
            // The window was the app's reason to live; what it still writes is waited for.
            drop(app.await);
            return shown;
        }
        if start {
            daemon::ensure(&places, globals).await?;
        }
        match daemon::look(&places).await? {
            Found::App(stream) => {
                let shown = window::show(remote::window(stream), manner).await;
                shown.map_err(|error| failed(&error))
            }
            Found::Nobody => Err(Refused {
                text: "no app runs here; `qd` starts one".to_owned(),
                exit: 3,
            }),
            Found::Other(server) => Err(Refused {
                text: remote::mismatch(&server),
                exit: 4,
            }),
        }
    });
    // A thread may still wait for the terminal's next key; nobody listens to it any more.
    runtime.shutdown_background();
    shown.map(|()| 0)
}

/// Whether this terminal is no pane of the app that a window would show: the window would show itself.
fn elsewhere(places: &Places) -> Result<(), Refused> {
    let Some(pane) = places.pane() else {
        return Ok(());
    };
    Err(Refused {
        text: format!(
            "this is the pane of {pane}, and a window here would show itself; the commands of `qd --help` work here, and without \
             QD_PANE in the environment (`env -u QD_PANE qd`) the window opens all the same"
        ),
        exit: 2,
    })
}

/// Opens a window onto the app in this terminal, and returns when it is closed and the terminal is given back.
///
/// # Errors
/// There is no terminal, or it cannot be made ready.
pub async fn run(client: Client, plain: bool, kept: Kept) -> Result<(), Refused> {
    let manner = Manner {
        plain,
        kept,
        ..Manner::default()
    };
    inside(client, manner).await
}

async fn inside(client: Client, manner: Manner) -> Result<(), Refused> {
    terminal_here(manner.plain)?;
    let window = client.window().await.map_err(|gone| failed(&gone))?;
    // The app ends when nobody can ask it for anything any more.
    drop(client);
    let (here, there) = pair();
    let serving = tokio::spawn(listener::serve(window, there));
    let shown = window::show(here, manner).await;
    // The window's end of the conversation is dropped: the app's side ends by itself, and the app knows that it did.
    serving.await.map_err(|error| failed(&error))?;
    shown.map_err(|error| failed(&error))
}

/// Whether somebody can use a window here; one in words asks less of a terminal.
fn terminal_here(plain: bool) -> Result<(), Refused> {
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        // Such a terminal would print what steers others.
        if !plain && std::env::var("TERM").is_ok_and(|term| term == "dumb") {
            let text = "this terminal cannot place its cursor (TERM=dumb): try `qd --plain`, which speaks in lines, or the \
                        commands of `qd --help`; if the terminal can do more, set TERM to its name";
            return Err(Refused {
                text: text.to_owned(),
                exit: 2,
            });
        }
        return Ok(());
    }
    Err(Refused {
        text:
            "the workstation needs a terminal; `qd --help` lists the commands that work without one"
                .to_owned(),
        exit: 2,
    })
}

fn failed(why: &dyn std::fmt::Display) -> Refused {
    Refused {
        text: format!(
            "the window could not be shown: {why}; try another terminal, or the commands of `qd --help`"
        ),
        exit: 1,
    }
}
