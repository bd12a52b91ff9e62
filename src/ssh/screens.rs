//! The newest screen of each session: a slot where the latest wins, never a queue.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::domain::ids::SessionId;
use crate::term::{Emulator, Screen, Size};

/// How many lines that have left a screen are told to who hears it. A flood is faster than any voice; the rest is counted.
const PASSED: u64 = 500;

/// Where shells publish screens and the loop takes them.
#[derive(Default)]
pub struct Screens {
    // A std mutex: it is held only to swap a pointer, never across an await.
    dirty: Mutex<HashMap<SessionId, Arc<Screen>>>,
    wake: Notify,
    /// Somebody hears the panes instead of seeing them.
    heard: AtomicBool,
    /// The colours of text and ground that programs are told, if the theme names them.
    ground: Option<(Rgb, Rgb)>,
}

/// Red, green and blue.
type Rgb = (u8, u8, u8);

impl fmt::Debug for Screens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Screens({} dirty)", self.lock().len())
    }
}

impl Screens {
    /// As by default, but programs that ask for the colours of text and ground are told these.
    pub fn with_ground(ground: Option<(Rgb, Rgb)>) -> Self {
        Self {
            ground,
            ..Self::default()
        }
    }

    /// An emulator for a pane whose screens are published here.
    pub(crate) fn emulator(&self, size: Size) -> Emulator {
        let mut emulator = Emulator::new(size);
        self.dress(&mut emulator);
        emulator
    }

    /// Lets an emulator tell programs the colours that they are told here.
    pub(crate) fn dress(&self, emulator: &mut Emulator) {
        if let Some((text, ground)) = self.ground {
            emulator.set_ground(text, ground);
        }
    }

    /// Says whether somebody hears the panes instead of seeing them: then screens come with what has just left them.
    pub fn set_heard(&self, heard: bool) {
        self.heard.store(heard, Ordering::Relaxed);
    }

    /// The screen with what has just left it, if somebody hears it.
    pub(crate) fn with_passed(&self, screen: Arc<Screen>, emulator: &Emulator) -> Arc<Screen> {
        if !self.heard.load(Ordering::Relaxed) {
            return screen;
        }
        let mut screen = Arc::unwrap_or_clone(screen);
        screen.passed = emulator.passed(PASSED).map(Arc::new);
        Arc::new(screen)
    }

    /// Puts `screen` in the session's slot, over one that nobody took yet.
    pub fn publish(&self, session: SessionId, screen: Arc<Screen>) {
        self.lock().insert(session, screen);
        self.wake.notify_one();
    }

    /// Takes every screen that changed since the last call.
    pub fn take_dirty(&self) -> Vec<(SessionId, Arc<Screen>)> {
        self.lock().drain().collect()
    }

    /// Waits until something was published after the last wait; for one waiter.
    pub async fn notified(&self) {
        self.wake.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Screen>>> {
        // Nothing can be half-done under this lock, so a panic elsewhere leaves it usable.
        self.dirty.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
