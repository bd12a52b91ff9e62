//! The app's side of a window: its inputs become events, the app's newest frame becomes bytes for its terminal.

use std::sync::Arc;
use std::time::Instant;

use super::call;
use super::count::Count;
use super::encoder::Encoder;
use super::protocol::{AppLink, Hello, PROTOCOL, Size, ToApp, ToWindow};
use crate::app::event::WindowEvent;
use crate::app::runtime::{self, Gone, Window};
use crate::domain::text;
use crate::term;
use crate::ui::{Caps, Frame, UiInput, keys};

/// How many characters of a version are worth telling.
const VERSION: usize = 40;

/// The least size of the screen that a window of words imagines.
const PLAIN: term::Size = term::Size::new(160, 40);

/// Serves one window until it or the app leaves.
pub(super) async fn serve(mut window: Window, mut link: AppLink) {
    let Some(ToApp::Hello(hello)) = link.from_window.recv().await else {
        return;
    };
    if hello.version != PROTOCOL {
        let message = format!(
            "this window speaks version {} and the running qd version {PROTOCOL}; restart the older one",
            hello.version
        );
        link.to_window.send(ToWindow::Bye { message }).await.ok();
        return;
    }
    let opened = opened(&hello);
    let mut served = Served {
        encoder: Encoder::new(opened.1, hello.features),
        plain: hello.plain,
        seq: 0,
        waiting: false,
        count: Count::new(),
    };
    let event = WindowEvent::Opened {
        size: served.size(hello.size),
        caps: opened.1,
        focus: hello.focus.clone(),
        plain: hello.plain,
    };
    let mut here = window.event(event).await.is_ok();
    if let Some(program) = other(&hello) {
        here &= window.event(WindowEvent::Program(program)).await.is_ok();
    }
    let mut ended = false;
    while here {
        tokio::select! {
            biased;
            told = link.from_window.recv() => here = heard(&window, &mut served, told).await.is_ok_and(|stays| stays),
            // Words wait in their own queue; the app says no more while that is full.
            told = window.out.recv(), if !(served.plain && served.waiting) => {
                ended = told.is_none();
                here = pass_on(&mut served, &link, told).await;
            }
            // One frame is in flight: the next is made from what is newest when the last has arrived.
            changed = window.frames.changed() => {
                here = changed.is_ok();
                ended = !here;
                if served.waiting {
                    served.count.skipped();
                }
            }
        }
        let frame = window.frames.borrow_and_update().clone();
        if here && !served.waiting && !served.plain {
            here = served.send(&link, frame).await;
        }
    }
    // The app may have ended before its window did.
    window.event(WindowEvent::Closed).await.ok();
    let message = if ended {
        "the app has ended; `qd` starts it again".to_owned()
    } else {
        String::new()
    };
    link.to_window.send(ToWindow::Bye { message }).await.ok();
}

/// What is kept of a window between two messages.
struct Served {
    encoder: Encoder,
    /// It gets words and no cells.
    plain: bool,
    seq: u64,
    /// A frame is on its way and was not acknowledged.
    waiting: bool,
    count: Count,
}

impl Served {
    /// Sends what is new in `frame`, if anything is; false when the window is gone.
    async fn send(&mut self, link: &AppLink, frame: Option<Arc<Frame>>) -> bool {
        let bytes = frame.map_or_else(Vec::new, |frame| self.encoder.encode(&frame));
        self.put(link, bytes).await
    }

    /// Sends bytes for the terminal, to be acknowledged.
    async fn put(&mut self, link: &AppLink, bytes: Vec<u8>) -> bool {
        if bytes.is_empty() {
            return true;
        }
        self.count.frame(bytes.len());
        self.seq += 1;
        self.waiting = true;
        let seq = self.seq;
        link.to_window
            .send(ToWindow::Frame { seq, bytes })
            .await
            .is_ok()
    }

    /// The size that views have in a window: words need no screen, and the more of a row there is the more can be said.
    fn size(&self, size: Size) -> term::Size {
        let (cols, rows) = if self.plain {
            (size.cols.max(PLAIN.cols), size.rows.max(PLAIN.rows))
        } else {
            (size.cols, size.rows)
        };
        term::Size { cols, rows }
    }
}

fn opened(hello: &Hello) -> (Size, Caps) {
    let caps = Caps {
        colors: hello.colours,
        unicode: hello.unicode,
    };
    (hello.size, caps)
}

/// The version of the window's program, where it is not that of the app. Both understand each other all the same.
fn other(hello: &Hello) -> Option<String> {
    let program = hello.program.as_deref();
    let program = program.filter(|program| *program != env!("CARGO_PKG_VERSION"));
    // It goes to the screen, whoever sent it.
    program.map(|program| text::line(program).chars().take(VERSION).collect())
}

/// Takes what the window said; false when it has left.
async fn heard(window: &Window, served: &mut Served, told: Option<ToApp>) -> Result<bool, Gone> {
    match told {
        Some(ToApp::Input(event)) => {
            if let Some(input) = keys::input(event) {
                window.event(WindowEvent::Input(input)).await?;
            }
        }
        Some(ToApp::Resize(Size { cols, rows })) => {
            // A terminal that was resized, or shown again, may show anything.
            served.encoder.reset();
            let term::Size { cols, rows } = served.size(Size { cols, rows });
            let input = UiInput::Resize { cols, rows };
            window.event(WindowEvent::Input(input)).await?;
        }
        Some(ToApp::Ack { seq, way }) => {
            served.waiting &= seq != served.seq;
            if let Some(cost) = served.count.heard(way, Instant::now()) {
                window.event(WindowEvent::Cost(cost)).await?;
            }
        }
        Some(ToApp::Ran { .. }) => served.encoder.reset(),
        // A second greeting says nothing new.
        Some(ToApp::Hello(_)) => {}
        Some(ToApp::Bye) | None => return Ok(false),
    }
    Ok(true)
}

/// Passes on what the app says; false when one of them has left.
async fn pass_on(served: &mut Served, link: &AppLink, told: Option<runtime::ToWindow>) -> bool {
    let message = match told {
        Some(runtime::ToWindow::Redraw) => {
            served.encoder.reset();
            return true;
        }
        Some(runtime::ToWindow::Suspend) => {
            served.encoder.reset();
            ToWindow::Suspend
        }
        Some(runtime::ToWindow::Call(said)) => {
            // It goes the way of a frame, so that it never falls into the middle of one.
            let bytes = call::bytes(said.bell, said.desktop.as_ref());
            return served.put(link, bytes).await;
        }
        Some(runtime::ToWindow::Said(text)) => return served.put(link, text.into_bytes()).await,
        Some(runtime::ToWindow::Clipboard(text)) => ToWindow::Clipboard(text),
        Some(runtime::ToWindow::Close) | None => return false,
    };
    link.to_window.send(message).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_program_is_told_of() {
        let hello = |program: Option<&str>| Hello {
            version: PROTOCOL,
            size: Size { cols: 80, rows: 24 },
            colours: crate::ui::Colors::None,
            unicode: true,
            features: super::super::Features::default(),
            focus: None,
            plain: false,
            program: program.map(str::to_owned),
        };
        assert_eq!(other(&hello(None)), None, "an older window says nothing");
        assert_eq!(other(&hello(Some(env!("CARGO_PKG_VERSION")))), None);
        assert_eq!(other(&hello(Some("9.9.9"))).as_deref(), Some("9.9.9"));
        let noise = "9\x1b[2J".repeat(1000);
        let told = other(&hello(Some(&noise))).unwrap_or_default();
        assert!(
            told.len() <= 4 * VERSION && !told.contains('\x1b'),
            "{told:?}"
        );
    }
}
