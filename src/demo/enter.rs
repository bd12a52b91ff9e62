//! `qd demo`: the whole program on the fleet, in a window or as a check.

use std::io::{IsTerminal, Write};

use crate::app::start::Interactive;
use crate::cli::Refused;
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

/// Runs the demo and returns the exit status: 0, or 1 when a chapter of the check failed.
///
/// # Errors
/// The fleet or the app could not be set up, or there is no terminal for a window.
pub fn main(check: bool, globals: &Globals) -> Result<u8, Refused> {
    if !check && (!std::io::stdin().is_terminal() || !std::io::stdout().is_terminal()) {
        let text = "the demo needs a terminal; `qd demo --check` walks it without one".to_owned();
        return Err(Refused { text, exit: 2 });
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let exit = runtime.block_on(async {
        if check {
            walk(globals).await
        } else {
            window(globals).await
        }
    });
    runtime.shutdown_background();
    exit
}

async fn window(globals: &Globals) -> Result<u8, Refused> {
    let stage = Stage::set(globals, Interactive::Window).await?;
    let shown = match stage.furnish().await {
        Ok(()) => crate::attach::run(stage.client.clone())
            .await
            .map_err(|error| Refused {
                text: format!("the window failed: {error}"),
                exit: 1,
            }),
        Err(error) => Err(error.into()),
    };
    stage.strike().await;
    shown.map(|()| 0)
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
