//! `qd demo`: the whole program on the fleet, in a window or as a check.

use std::future::Future;
use std::io::{IsTerminal, Write};

use crate::app::runtime::Client;
use crate::app::start::{Interactive, Refused};
use crate::command::Globals;

use super::stage::{Stage, StageError};
use super::walk::{Chapter, Verdict, Walk};

impl From<StageError> for Refused {
    fn from(error: StageError) -> Self {
        Self {
            text: error.to_string(),
            exit: 1,
        }
    }
}

/// Opens the demo in this terminal; `show` is a window onto the app, and the fleet ends with it.
///
/// # Errors
/// The fleet or the app could not be set up, there is no terminal, or the window failed.
pub fn open<W>(globals: &Globals, show: impl FnOnce(Client) -> W) -> Result<u8, Refused>
where
    W: Future<Output = Result<(), Refused>>,
{
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        let text = "the demo needs a terminal; `qd demo --check` walks it without one".to_owned();
        return Err(Refused { text, exit: 2 });
    }
    run(async {
        let stage = Stage::set(globals, Interactive::Window).await?;
        let shown = match stage.furnish().await {
            Ok(()) => show(stage.client.clone()).await,
            Err(error) => Err(error.into()),
        };
        stage.strike().await;
        shown.map(|()| 0)
    })
}

/// Walks the demo without a screen, a line for each chapter; 0, or 1 when a chapter left no evidence.
///
/// # Errors
/// The fleet or the app could not be set up.
pub fn check(globals: &Globals) -> Result<u8, Refused> {
    run(walk(globals))
}

fn run(story: impl Future<Output = Result<u8, Refused>>) -> Result<u8, Refused> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let exit = runtime.block_on(story);
    runtime.shutdown_background();
    exit
}

async fn walk(globals: &Globals) -> Result<u8, Refused> {
    let stage = Stage::set(globals, Interactive::Nobody).await?;
    let mut exit = 0;
    match Walk::on(&stage) {
        Err(text) => {
            stage.strike().await;
            return Err(Refused { text, exit: 1 });
        }
        Ok(mut walk) => {
            for chapter in Chapter::ALL {
                let page = walk.walk(chapter).await;
                exit |= u8::from(!matches!(page.verdict, Verdict::Ok(_)));
                // The exit status tells all to whoever closed standard output.
                drop(writeln!(std::io::stdout(), "{page}"));
            }
        }
    }
    stage.strike().await;
    Ok(exit)
}
