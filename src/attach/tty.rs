//! Reads the terminal without a thread that would wait for it: so two readers never share its keys out by chance.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// How much is read at once, in bytes; a terminal line discipline gives at most 4,095.
const READ: usize = 4096;

/// The terminal's side of the keyboard. Dropping it leaves what is typed to others.
#[derive(Debug)]
pub(super) struct Keyboard {
    /// A descriptor of our own. It is left in blocking mode, which it shares with the shell's: only what is there is read.
    input: AsyncFd<OwnedFd>,
    buffer: Vec<u8>,
}

impl Keyboard {
    /// Begins to read standard input.
    ///
    /// # Errors
    /// The system cannot watch it.
    #[expect(
        deprecated,
        reason = "unsound only for types that lie about their descriptor; this one owns it"
    )]
    pub(super) fn open() -> io::Result<Self> {
        let input = AsyncFd::with_interest(rustix::io::dup(io::stdin())?, Interest::READABLE)?;
        Ok(Self {
            input,
            buffer: vec![0; READ],
        })
    }

    /// Waits for bytes; none when the terminal is gone. It may be cancelled: then nothing is lost.
    pub(super) async fn read(&mut self) -> io::Result<&[u8]> {
        loop {
            let mut ready = self.input.readable().await?;
            let gone = ready.ready().is_read_closed() || ready.ready().is_error();
            if rustix::io::ioctl_fionread(self.input.get_ref())? == 0 && !gone {
                ready.clear_ready();
                continue;
            }
            let got = rustix::io::read(self.input.get_ref(), &mut self.buffer)?;
            return Ok(self.buffer.get(..got).unwrap_or_default());
        }
    }
}
