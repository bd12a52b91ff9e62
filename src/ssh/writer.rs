//! The writing half of a pane: keys and pastes, encoded with the modes the pane has at that moment. Never reads.

use russh::ChannelWriteHalf;
use russh::client::Msg;
use tokio::sync::{mpsc, watch};

use crate::domain::key::Key;
use crate::term::encode::{self, Focus, MouseEvent};
use crate::term::{Modes, Stroke};

use super::echo::Teller;

/// What a person or a script sends to a pane.
pub(crate) enum PaneInput {
    Key(Key),
    Paste(String),
    Raw(Vec<u8>),
    Mouse(MouseEvent),
    Focus(bool),
}

impl PaneInput {
    /// The kind of the ask, without its contents.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Key(_) => "Key",
            Self::Paste(_) => "Paste",
            Self::Raw(_) => "Raw",
            Self::Mouse(_) => "Mouse",
            Self::Focus(_) => "Focus",
        }
    }

    /// What it does to the line that is typed into.
    fn stroke(&self) -> Option<Stroke> {
        match self {
            Self::Key(key) => Some(Stroke::of(*key)),
            Self::Paste(text) => Some(Stroke::of_text(text)),
            Self::Raw(bytes) => Some(Stroke::of_text(&String::from_utf8_lossy(bytes))),
            Self::Mouse(_) | Self::Focus(_) => None,
        }
    }

    pub(crate) fn bytes(self, modes: Modes) -> Vec<u8> {
        match self {
            Self::Key(key) => encode::key(key, modes),
            Self::Paste(text) => encode::paste(&text, modes),
            Self::Raw(bytes) => bytes,
            Self::Mouse(event) => encode::mouse(event, modes),
            Self::Focus(true) => encode::focus(Focus::Gained, modes),
            Self::Focus(false) => encode::focus(Focus::Lost, modes),
        }
    }
}

/// Writes until nobody sends any more or the connection is gone. A host that does not read stops only this.
pub(crate) async fn write(
    channel: &ChannelWriteHalf<Msg>,
    mut inputs: mpsc::Receiver<PaneInput>,
    mut answers: Answers,
) {
    while let Some(bytes) = answers.next(&mut inputs).await {
        if channel.data_bytes(bytes).await.is_err() {
            return;
        }
        if let Some(teller) = &answers.teller {
            teller.sent();
        }
    }
}

/// What the reading half hands to the writing half.
pub(crate) struct Answers {
    /// The terminal's answers to questions of the program.
    pub(crate) replies: mpsc::Receiver<Vec<u8>>,
    /// The modes that the pane has now.
    pub(crate) modes: watch::Receiver<Modes>,
    /// Tells the reading half of keys, where it shows them before the host does.
    pub(crate) teller: Option<Teller>,
    /// Tells the reading half what makes a line, for shells that mark nothing.
    pub(crate) strokes: mpsc::Sender<Stroke>,
}

impl Answers {
    /// What is to be written next; `None` when nobody sends any more.
    pub(crate) async fn next(&mut self, inputs: &mut mpsc::Receiver<PaneInput>) -> Option<Vec<u8>> {
        tokio::select! {
            // A program that asked the terminal something waits for the answer before it reads keys.
            biased;
            Some(reply) = self.replies.recv() => Some(reply),
            Some(input) = inputs.recv() => {
                let modes = *self.modes.borrow();
                if let Some(teller) = &mut self.teller {
                    teller.typed(&input);
                }
                if let Some(stroke) = input.stroke() {
                    // See STROKES for why a full queue does no harm.
                    self.strokes.try_send(stroke).ok();
                }
                Some(input.bytes(modes))
            }
            else => None,
        }
    }
}
