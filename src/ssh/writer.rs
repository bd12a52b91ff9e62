//! The writing half of a pane: keys and pastes, encoded with the modes the pane has at that moment. Never reads.

use russh::ChannelWriteHalf;
use russh::client::Msg;
use tokio::sync::{mpsc, watch};

use crate::domain::key::Key;
use crate::term::{Modes, encode};

/// What a person or a script sends to a pane.
pub(crate) enum PaneInput {
    Key(Key),
    Paste(String),
    Raw(Vec<u8>),
}

impl PaneInput {
    /// The kind of the ask, without its contents.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Key(_) => "Key",
            Self::Paste(_) => "Paste",
            Self::Raw(_) => "Raw",
        }
    }

    pub(crate) fn bytes(self, modes: Modes) -> Vec<u8> {
        match self {
            Self::Key(key) => encode::key(key, modes),
            Self::Paste(text) => encode::paste(&text, modes),
            Self::Raw(bytes) => bytes,
        }
    }
}

/// Writes until nobody sends any more or the connection is gone. A host that does not read stops only this.
pub(crate) async fn write(
    channel: &ChannelWriteHalf<Msg>,
    mut inputs: mpsc::Receiver<PaneInput>,
    mut replies: mpsc::Receiver<Vec<u8>>,
    modes: watch::Receiver<Modes>,
) {
    loop {
        let bytes = tokio::select! {
            // A program that asked the terminal something waits for the answer before it reads keys.
            biased;
            Some(reply) = replies.recv() => reply,
            Some(input) = inputs.recv() => {
                let modes = *modes.borrow();
                input.bytes(modes)
            }
            else => return,
        };
        if channel.data_bytes(bytes).await.is_err() {
            return;
        }
    }
}
