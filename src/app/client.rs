//! The ways into a running app: windows and command lines hand in events here, and take what comes back.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};

use crate::command::{Command, Outcome};
use crate::domain::ids::WindowId;
use crate::ui::Frame;

use super::effect::{Call, Emission, Inquiry};
use super::event::{Caller, Event, LineEvent, LineId, WindowEvent};

/// Output of a command line that waits for its reader before the rest queues in the app.
const LINE_OUT: usize = 256;

/// What a window is told.
#[derive(Clone, Debug)]
pub enum ToWindow {
    /// Draw everything anew, from nothing.
    Redraw,
    /// Suspend the process behind the window.
    Suspend,
    /// Put this on the terminal's clipboard.
    Clipboard(String),
    /// Ring the bell, ask for a notification with these words.
    Call(Call),
    /// Add this to what a window of words has said.
    Said(String),
    /// The window is over.
    Close,
}

/// What a command line is told.
#[derive(Debug, Serialize, Deserialize)]
pub enum ToLine {
    /// A part of the output.
    Emit(Emission),
    /// A question for a person.
    Question(Inquiry),
    /// The end.
    Done(Box<Outcome>),
}

/// What a command line says.
#[derive(Debug, Serialize, Deserialize)]
pub enum FromLine {
    /// It asks for a command.
    Ask(Box<Command>),
    /// Something came from its terminal.
    Event(LineEvent),
}

/// What comes from outside the loop.
pub(super) enum Input {
    Event(Box<Event>),
    Line(LineId, bool, mpsc::Sender<ToLine>),
    Window(
        WindowId,
        watch::Sender<Option<Arc<Frame>>>,
        mpsc::Sender<ToWindow>,
    ),
}

/// A way to the running app; cheap to clone. The app ends when the last one is gone and nothing is under way.
#[derive(Clone)]
pub struct Client {
    inputs: mpsc::Sender<Input>,
    next: Arc<std::sync::atomic::AtomicU32>,
}

impl Client {
    /// A way to the app that takes `inputs`.
    pub(super) fn new(inputs: mpsc::Sender<Input>) -> Self {
        Self {
            inputs,
            next: Arc::new(std::sync::atomic::AtomicU32::new(1)),
        }
    }
}

/// A command line's end of the app.
pub struct Line {
    /// What comes back.
    pub out: mpsc::Receiver<ToLine>,
    client: LineClient,
}

/// A window's end of the app.
pub struct Window {
    /// Which one.
    pub id: WindowId,
    /// The newest frame.
    pub frames: watch::Receiver<Option<Arc<Frame>>>,
    /// What else it is told.
    pub out: mpsc::Receiver<ToWindow>,
    client: Client,
}

/// The app is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the app has ended")]
pub struct Gone;

impl Client {
    /// Opens a command line; `person` says whether somebody sits there who can be asked.
    ///
    /// # Errors
    /// The app has ended.
    pub async fn line(&self, person: bool) -> Result<Line, Gone> {
        let id = LineId(self.number());
        let (tx, out) = mpsc::channel(LINE_OUT);
        self.send(Input::Line(id, person, tx)).await?;
        Ok(Line {
            out,
            client: LineClient(LineTo::App(id, self.clone())),
        })
    }

    /// Tells where the agent of somebody who came in is.
    ///
    /// # Errors
    /// The app has ended.
    pub async fn agent(&self, socket: PathBuf) -> Result<(), Gone> {
        self.send(Input::Event(Box::new(Event::Agent(socket))))
            .await
    }

    /// Opens a window.
    ///
    /// # Errors
    /// The app has ended.
    pub async fn window(&self) -> Result<Window, Gone> {
        let id = WindowId(self.number());
        let (frame, frames) = watch::channel(None);
        let (tx, out) = mpsc::channel(16);
        self.send(Input::Window(id, frame, tx)).await?;
        Ok(Window {
            id,
            frames,
            out,
            client: self.clone(),
        })
    }

    /// Tells the app to end.
    ///
    /// # Errors
    /// It has ended.
    pub async fn stop(&self) -> Result<(), Gone> {
        self.send(Input::Event(Box::new(Event::Stop))).await
    }

    fn number(&self) -> u32 {
        self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    }

    async fn send(&self, input: Input) -> Result<(), Gone> {
        self.inputs.send(input).await.map_err(|_| Gone)
    }
}

impl Line {
    /// Asks for a command.
    ///
    /// # Errors
    /// The app has ended.
    pub async fn ask(&self, command: Command) -> Result<(), Gone> {
        self.client.pass(FromLine::Ask(Box::new(command))).await
    }

    /// Passes on what came from the terminal.
    ///
    /// # Errors
    /// The app has ended.
    pub async fn event(&self, event: LineEvent) -> Result<(), Gone> {
        self.client.send(event).await
    }

    /// A way to pass on events from elsewhere.
    pub fn client(&self) -> LineClient {
        self.client.clone()
    }

    /// A command line of an app in another process: what it says goes to `to`, and what it is told comes from `out`.
    pub fn elsewhere(out: mpsc::Receiver<ToLine>, to: mpsc::Sender<FromLine>) -> Self {
        Self {
            out,
            client: LineClient(LineTo::Elsewhere(to)),
        }
    }
}

/// A way to pass on what comes from a command line's terminal; for threads.
#[derive(Clone)]
pub struct LineClient(LineTo);

#[derive(Clone)]
enum LineTo {
    App(LineId, Client),
    Elsewhere(mpsc::Sender<FromLine>),
}

impl LineClient {
    /// Passes an event on, and waits while the app is busy. For threads only, never for tasks.
    ///
    /// # Errors
    /// The app has ended.
    pub fn send_blocking(&self, event: LineEvent) -> Result<(), Gone> {
        match &self.0 {
            LineTo::App(id, client) => client
                .inputs
                .blocking_send(Input::of(*id, FromLine::Event(event)))
                .map_err(|_| Gone),
            LineTo::Elsewhere(to) => to.blocking_send(FromLine::Event(event)).map_err(|_| Gone),
        }
    }

    /// Passes an event on.
    ///
    /// # Errors
    /// The app has ended.
    pub async fn send(&self, event: LineEvent) -> Result<(), Gone> {
        self.pass(FromLine::Event(event)).await
    }

    /// Passes on whatever the command line says.
    ///
    /// # Errors
    /// The app has ended.
    pub async fn pass(&self, said: FromLine) -> Result<(), Gone> {
        match &self.0 {
            LineTo::App(id, client) => client.send(Input::of(*id, said)).await,
            LineTo::Elsewhere(to) => to.send(said).await.map_err(|_| Gone),
        }
    }
}

impl Input {
    fn of(line: LineId, said: FromLine) -> Self {
        Self::Event(Box::new(match said {
            FromLine::Ask(command) => Event::Asked {
                caller: Caller::Line(line),
                command,
            },
            FromLine::Event(event) => Event::Line(line, event),
        }))
    }
}

impl Window {
    /// Passes on what happened at the window.
    ///
    /// # Errors
    /// The app has ended.
    pub async fn event(&self, event: WindowEvent) -> Result<(), Gone> {
        self.client
            .send(Input::Event(Box::new(Event::Window(self.id, event))))
            .await
    }
}
