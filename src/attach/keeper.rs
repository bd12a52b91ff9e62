//! The process that the shell waits for: it starts the window, and gives the terminal back when the window is killed. It reads
//! no keys, draws nothing and knows no app.
//!
//! A process that is killed can mend nothing, and a shell has its prompt back as soon as the process dies that it waits for. So
//! that one only waits. When it is killed itself, the window hears of it by the end of a pipe and gives the terminal back as
//! fast as it can. Who kills both leaves the terminal as it is; the next start mends it (`sane`).

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, Signal as Number, getpgrp, kill_process};
use rustix::termios::{
    LocalModes, OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcgetpgrp, tcsetattr,
};
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::features::Features;
use super::out;
use super::sane;
use super::terminal::leave;
use crate::command::Globals;

/// The first word of a window that is kept: the number of the descriptor that ends with its keeper. It is no option for people.
const KEPT: &str = "--kept=";

/// After that, the session to show first.
const FOCUS: &str = "--focus=";

/// Asks for the place of the cursor (DSR 6): no question of a window is answered like this.
const ASKS: &[u8] = b"\x1b[6n";

/// How long that answer is waited for.
const ANSWERS: Duration = Duration::from_millis(300);

/// How much is read at most until it comes, in bytes.
const MOST: usize = 64 * 1024;

/// The name of this process in lists, so that whoever kills all that is called `qd` does not kill the one that mends.
const NAME: &str = "quarterdeck";

/// Who keeps the terminal of this process.
#[derive(Debug, Default)]
pub struct Kept {
    /// Ends when the keeper does; none when nobody keeps it.
    pipe: Option<File>,
    /// The session to show first, by reference.
    pub focus: Option<String>,
}

impl Kept {
    /// Takes the words that a keeper adds out of those of the command line.
    pub fn take(words: &mut Vec<String>) -> Self {
        let number = words
            .first()
            .and_then(|word| word.strip_prefix(KEPT)?.parse::<i32>().ok());
        let Some(number) = number.filter(|number| *number > 2) else {
            return Self::default();
        };
        // A descriptor cannot be taken over by its number without trusting the number; it can be opened once more.
        let pipe = File::open(format!("/dev/fd/{number}")).ok();
        let pipe = pipe.filter(|pipe| pipe.metadata().is_ok_and(|meta| meta.file_type().is_fifo()));
        if pipe.is_none() {
            return Self::default();
        }
        nix::unistd::close(number).ok();
        words.remove(0);
        let focus = words
            .first()
            .and_then(|word| word.strip_prefix(FOCUS))
            .map(str::to_owned);
        if focus.is_some() {
            words.remove(0);
        }
        Self { pipe, focus }
    }

    /// Whether somebody keeps this process's terminal.
    pub fn is_kept(&self) -> bool {
        self.pipe.is_some()
    }

    /// Calls `lost` when the keeper dies, unless this process ends before.
    pub(super) fn watch(self, lost: impl FnOnce() + Send + 'static) {
        let Some(mut pipe) = self.pipe else { return };
        drop(std::thread::spawn(move || {
            // Nobody ever writes into it.
            while pipe.read(&mut [0; 8]).is_ok_and(|got| got > 0) {}
            lost();
        }));
    }
}

/// Starts this program again with these words, as a window whose terminal is kept here, and waits for its end; its exit status.
/// `None` when that cannot be done: then the window is opened without.
pub fn keep(words: &[String], globals: &Globals) -> Option<u8> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return None;
    }
    // One before us may have left it raw, and that is not what is to be given back.
    sane::mend(io::stdin()).ok();
    let before = tcgetattr(io::stdin()).ok()?;
    let (ends, alive) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).ok()?;
    // The window inherits this one only.
    let given = rustix::io::dup(&ends).ok()?;
    drop(ends);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    let status = runtime.block_on(async {
        let mut signals = Signals::new().ok()?;
        let mut command = Command::new(std::env::current_exe().ok()?);
        command
            .arg(format!("{KEPT}{}", given.as_raw_fd()))
            .args(words);
        let mut window = command.spawn().ok()?;
        drop(given);
        std::fs::write("/proc/self/comm", NAME).ok();
        signals.until_end(&mut window).await
    })?;
    drop(alive);
    if let Some(signal) = status.signal() {
        mend(&before, globals.plain, signal);
    }
    Some(exit(status))
}

/// Gives the terminal back for a window that was ended by `signal`.
fn mend(before: &Termios, plain: bool, signal: i32) {
    // Whoever has the terminal by now, as a shell does after a stop, has its own settings.
    if !matches!(tcgetpgrp(io::stdin()), Ok(group) if group == getpgrp()) {
        return;
    }
    let modes: &[u8] = if plain {
        b""
    } else {
        leave(Features::of(|name| std::env::var(name).ok()))
    };
    let mut taken = out::leave_for_another(modes);
    let raw =
        tcgetattr(io::stdin()).is_ok_and(|modes| !modes.local_modes.contains(LocalModes::ICANON));
    if taken && raw && !plain {
        // What the terminal was asked by the one that is dead it answers before this.
        taken = out::leave_for_another(ASKS);
        if taken {
            hear_out();
        }
    }
    tcsetattr(io::stdin(), OptionalActions::Now, before).ok();
    tcflush(io::stdin(), QueueSelector::IFlush).ok();
    if taken {
        let text =
            format!("qd: the window was ended by signal {signal}; the terminal is as it was\n");
        io::stderr().write_all(text.as_bytes()).ok();
    }
}

/// Takes in what the terminal answers until it has told the place of its cursor: it would be typed into the shell.
fn hear_out() {
    let until = Instant::now() + ANSWERS;
    let mut came = Vec::new();
    let mut buffer = [0; 1024];
    while !tells_place(&came) && came.len() < MOST {
        let left = until.saturating_duration_since(Instant::now());
        let time = Timespec {
            tv_sec: 0,
            tv_nsec: left.subsec_nanos().into(),
        };
        let input = io::stdin();
        let ready = poll(&mut [PollFd::new(&input, PollFlags::IN)], Some(&time));
        if left.is_zero() || !matches!(ready, Ok(1)) {
            return;
        }
        match rustix::io::read(&input, &mut buffer) {
            Ok(got @ 1..) => came.extend(buffer.iter().take(got)),
            _ => return,
        }
    }
}

/// Whether a report of the cursor's place (CPR, `CSI row ; column R`) is among these bytes.
fn tells_place(bytes: &[u8]) -> bool {
    bytes.split(|byte| *byte == b'\x1b').any(|part| {
        let digits = part.strip_prefix(b"[").unwrap_or_default();
        let end = digits
            .iter()
            .find(|byte| !byte.is_ascii_digit() && **byte != b';');
        end == Some(&b'R')
    })
}

/// The words that open a window onto the session of this reference, for [`keep`].
pub fn window_words(globals: &Globals, focus: &str) -> Vec<String> {
    let mut words = vec![format!("{FOCUS}{focus}")];
    if let Some(home) = &globals.home {
        words.extend(["--home".to_owned(), home.to_string_lossy().into_owned()]);
    }
    let options = [
        (globals.plain, "--plain"),
        (globals.read_only, "--read-only"),
    ];
    let set = options.iter().filter(|(set, _)| *set);
    words.extend(set.map(|(_, word)| (*word).to_owned()));
    words.push("attach".to_owned());
    words
}

/// As a shell would say it.
fn exit(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or(status.signal().map(|signal| 128 + signal))
        .and_then(|code| u8::try_from(code).ok());
    code.unwrap_or(1)
}

/// The signals that a person sends to the process they know: this one. The window decides what they mean.
struct Signals(Vec<(Signal, Number)>);

impl Signals {
    fn new() -> io::Result<Self> {
        let numbers = [Number::TERM, Number::HUP, Number::INT, Number::QUIT];
        let all = numbers.map(|number| {
            let kind = SignalKind::from_raw(number.as_raw());
            signal(kind).map(|signal| (signal, number))
        });
        Ok(Self(all.into_iter().collect::<io::Result<_>>()?))
    }

    async fn next(&mut self) -> Option<Number> {
        std::future::poll_fn(|cx| {
            for (signal, number) in &mut self.0 {
                if signal.poll_recv(cx).is_ready() {
                    return std::task::Poll::Ready(Some(*number));
                }
            }
            std::task::Poll::Pending
        })
        .await
    }

    /// Waits for the end of the window and passes on what comes meanwhile. What a terminal sends to all of a job comes to the
    /// window twice, which means the same.
    async fn until_end(&mut self, window: &mut Child) -> Option<ExitStatus> {
        let pid = window.id().and_then(|pid| i32::try_from(pid).ok());
        let pid = pid.and_then(Pid::from_raw);
        loop {
            tokio::select! {
                status = window.wait() => return status.ok(),
                Some(number) = self.next() => if let Some(pid) = pid {
                    // It may have ended just now.
                    kill_process(pid, number).ok();
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_pipe_is_taken_for_a_keeper() {
        let mut words = vec!["--kept=0".to_owned(), "attach".to_owned()];
        assert!(!Kept::take(&mut words).is_kept());
        assert_eq!(words.len(), 2, "what people type is theirs");
        let mut words = vec!["--kept=9999".to_owned()];
        assert!(!Kept::take(&mut words).is_kept() && words.len() == 1);
        let mut words = vec!["attach".to_owned()];
        assert!(!Kept::take(&mut words).is_kept() && words.len() == 1);
    }

    #[test]
    fn a_keeper_that_dies_is_noticed() -> io::Result<()> {
        let (ends, alive) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        let given = rustix::io::dup(&ends)?;
        let mut words = vec![
            format!("--kept={}", given.as_raw_fd()),
            "--focus=S-1".to_owned(),
            "attach".to_owned(),
        ];
        // It is closed by its number from now on.
        std::mem::forget(given);
        let kept = Kept::take(&mut words);
        assert_eq!((kept.is_kept(), kept.focus.as_deref()), (true, Some("S-1")));
        assert_eq!(words, ["attach"]);
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        kept.watch(move || {
            tell.send(()).ok();
        });
        assert!(told.try_recv().is_err());
        drop(alive);
        let patience = std::time::Duration::from_secs(30);
        assert!(told.recv_timeout(patience).is_ok());
        Ok(())
    }

    #[test]
    fn the_place_of_the_cursor_is_found_among_answers() {
        for (bytes, told) in [
            (&b"\x1b[0n\x1b[0n"[..], false),
            (b"\x1b[0n\x1b[12;1R", true),
            (b"R2\x1b[1", false),
            (b"x\x1b[5;80Rls", true),
            (b"", false),
        ] {
            assert_eq!(tells_place(bytes), told, "{bytes:?}");
        }
    }

    #[test]
    fn the_words_of_a_window_keep_what_concerns_it() {
        let globals = Globals {
            home: Some("/h".into()),
            json: true,
            plain: true,
            ..Globals::default()
        };
        let words = window_words(&globals, "S-1");
        assert_eq!(words, ["--focus=S-1", "--home", "/h", "--plain", "attach"]);
    }
}
