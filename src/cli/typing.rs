//! Standard input on its way to a host: read on a thread of its own, held back while the host does not take it.
//!
//! A terminal is read on even then, because an escape must be heard on a connection that hangs.

use std::collections::VecDeque;
use std::io::Read;

use tokio::sync::mpsc;

/// How many pieces are on their way to the host at once.
const AHEAD: usize = 32;

/// How much typing is kept for a host that takes none, in bytes. When it is full the terminal waits, as it would with `ssh`:
/// that is no hand but a paste, and it must not be lost.
const TYPED: usize = 1024 * 1024;

/// How many pieces wait between the thread and the loop. When it is full the thread waits.
const READ: usize = 2;

/// Standard input.
pub(super) struct Typing {
    source: Option<mpsc::Receiver<Vec<u8>>>,
    /// Pieces that the host may still be sent.
    credit: usize,
    pending: VecDeque<Option<Vec<u8>>>,
    bytes: usize,
    terminal: bool,
}

impl Typing {
    /// Reads nothing yet.
    pub(super) fn new() -> Self {
        Self {
            source: None,
            credit: AHEAD,
            pending: VecDeque::new(),
            bytes: 0,
            terminal: false,
        }
    }

    /// Begins to read; `terminal` says that a person types.
    pub(super) fn begin(&mut self, terminal: bool) {
        if self.source.is_some() {
            return;
        }
        self.terminal = terminal;
        let (tell, source) = mpsc::channel(READ);
        // Reading cannot be cancelled, so the thread is left behind at the end.
        drop(std::thread::spawn(move || {
            let mut buffer = vec![0; 16 * 1024];
            loop {
                let piece = match std::io::stdin().lock().read(&mut buffer) {
                    Err(why) if why.kind() == std::io::ErrorKind::Interrupted => continue,
                    Ok(0) | Err(_) => return,
                    Ok(got) => buffer.get(..got).unwrap_or_default().to_vec(),
                };
                if tell.blocking_send(piece).is_err() {
                    return;
                }
            }
        }));
        self.source = Some(source);
    }

    /// The next piece; `None` is the end, told once. Never comes while there is no room for it.
    pub(super) async fn next(&mut self) -> Option<Vec<u8>> {
        let room = if self.terminal {
            self.bytes < TYPED
        } else {
            self.credit > 0 && self.pending.is_empty()
        };
        match &mut self.source {
            Some(source) if room => {
                let piece = source.recv().await;
                if piece.is_none() {
                    self.source = None;
                }
                piece
            }
            _ => std::future::pending().await,
        }
    }

    /// Keeps a piece for the host; `None` is the end.
    pub(super) fn keep(&mut self, piece: Option<Vec<u8>>) {
        self.bytes += piece.as_ref().map_or(0, Vec::len);
        // Keys that wait are sent together.
        match (self.pending.back_mut(), piece) {
            (Some(Some(last)), Some(piece)) if last.len() < 16 * 1024 => {
                last.extend_from_slice(&piece);
            }
            (_, piece) => self.pending.push_back(piece),
        }
    }

    /// The host took a piece.
    pub(super) fn taken(&mut self) {
        self.credit += 1;
    }

    /// What may be sent now.
    pub(super) fn due(&mut self) -> Option<Option<Vec<u8>>> {
        if self.credit == 0 {
            return None;
        }
        let piece = self.pending.pop_front()?;
        if let Some(piece) = &piece {
            self.credit -= 1;
            self.bytes -= piece.len();
        }
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_does_not_take_is_kept_in_order() {
        let mut typing = Typing::new();
        for key in 0..100u8 {
            typing.keep(Some(vec![key]));
            if key < 32 {
                assert_eq!(typing.due(), Some(Some(vec![key])));
            }
        }
        typing.keep(None);
        assert_eq!(typing.due(), None, "the host takes no more");
        typing.taken();
        assert_eq!(typing.due(), Some(Some((32..100).collect())));
        typing.taken();
        assert_eq!(typing.due(), Some(None), "the end comes last");
        assert_eq!((typing.due(), typing.bytes), (None, 0));
    }

    #[tokio::test]
    async fn a_terminal_is_heard_although_the_host_takes_nothing() {
        let (tell, source) = mpsc::channel(READ);
        let mut typing = Typing {
            source: Some(source),
            credit: 0,
            terminal: true,
            ..Typing::new()
        };
        typing.keep(Some(b"waits".to_vec()));
        assert!(tell.try_send(b"~.".to_vec()).is_ok());
        assert_eq!(typing.next().await, Some(b"~.".to_vec()));
        // A pipe is held back instead.
        typing.terminal = false;
        assert!(tell.try_send(b"more".to_vec()).is_ok());
        let held = std::pin::pin!(typing.next());
        let waker = std::task::Waker::noop();
        let mut context = std::task::Context::from_waker(waker);
        assert!(held.poll(&mut context).is_pending());
    }
}
