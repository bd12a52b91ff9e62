//! A session channel from its opening to its exit status (RFC 4254, section 6): which program, with or without a terminal.

use std::io;
use std::mem::discriminant;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use portable_pty::PtySize;
use russh::server::{Handle, Msg};
use russh::{Channel, ChannelId, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};
use rustix::process::{Pid, Signal};
use tokio::io::AsyncWriteExt;

use super::machine::Machine;
use super::processes::Processes;
use super::{pipes, terminal};

/// How long a program may take to tidy up after its client went away.
const FAREWELL: Duration = Duration::from_millis(300);

/// Where the SFTP server of OpenSSH is on the common systems.
const SFTP_SERVERS: &[&str] = &[
    "/usr/lib/openssh/sftp-server",
    "/usr/libexec/openssh/sftp-server",
    "/usr/lib/ssh/sftp-server",
    "/usr/libexec/sftp-server",
];

/// Both directions of a channel. Dropping it leaves the channel open; [`Ends::finish`] closes it.
pub(super) struct Ends {
    /// What the client sends. It must be read all the time, see [`super::flow::Input`].
    pub(super) reader: ChannelReadHalf,
    /// What goes to the client.
    pub(super) writer: ChannelWriteHalf<Msg>,
    /// For what the writer cannot send.
    handle: Handle,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// With this status.
    Status(u32),
    /// By this signal.
    Signal(i32),
}

/// The terminal that a client asked for.
#[derive(Clone, Debug)]
pub(super) struct Terminal {
    /// The value of `TERM`.
    pub(super) name: String,
    /// Columns and rows.
    pub(super) size: PtySize,
}

impl Ends {
    /// Says how the program ended and closes the channel. A client that is gone is no error.
    pub(super) async fn finish(self, ending: Ending) {
        let id = self.writer.id();
        match ending {
            Ending::Status(status) => self.writer.exit_status(status).await.unwrap_or_default(),
            Ending::Signal(number) => {
                let told = self.handle.exit_signal_request(
                    id,
                    name_of(number),
                    false,
                    String::new(),
                    String::new(),
                );
                told.await.unwrap_or_default();
            }
        }
        self.writer.eof().await.unwrap_or_default();
        self.writer.close().await.unwrap_or_default();
    }

    /// Says that the program could not be started, with the status a shell would give.
    pub(super) async fn refuse(self, why: &io::Error) {
        let line = format!("qd demo: cannot start the command: {why}\r\n");
        let mut stderr = self.writer.make_writer_ext(Some(1));
        stderr.write_all(line.as_bytes()).await.unwrap_or_default();
        self.finish(Ending::Status(126)).await;
    }
}

/// Serves one session channel to its end. The replies to its requests were given by the handler, in their order.
pub(super) async fn serve(
    channel: Channel<Msg>,
    handle: Handle,
    machine: Arc<Machine>,
    processes: Arc<Processes>,
) {
    let (mut reader, writer) = channel.split();
    let mut wanted = None;
    let program = loop {
        match reader.wait().await {
            Some(ChannelMsg::RequestPty {
                term,
                col_width,
                row_height,
                ..
            }) => {
                wanted = Some(Terminal {
                    name: term,
                    size: size(col_width, row_height),
                });
            }
            Some(ChannelMsg::WindowChange {
                col_width,
                row_height,
                ..
            }) => {
                if let Some(terminal) = &mut wanted {
                    terminal.size = size(col_width, row_height);
                }
            }
            Some(ChannelMsg::Exec { command, .. }) => {
                break Some(String::from_utf8_lossy(&command).into_owned());
            }
            Some(ChannelMsg::RequestShell { .. }) => break None,
            Some(ChannelMsg::RequestSubsystem { name, .. }) if name == "sftp" => {
                match sftp_server() {
                    Some(server) => break Some(format!("exec {server}")),
                    None => return,
                }
            }
            Some(ChannelMsg::Close) | None => return,
            // Nothing else means anything before there is a program.
            Some(_) => {}
        }
    };
    let ends = Ends {
        reader,
        writer,
        handle,
    };
    match (wanted, program) {
        (Some(terminal), program) => {
            terminal::run(ends, &machine, &processes, terminal, program).await
        }
        (None, Some(command)) => {
            pipes::run(
                ends,
                &machine,
                &processes,
                &["/bin/sh".into(), "-c".into(), command],
            )
            .await;
        }
        (None, None) => pipes::run(ends, &machine, &processes, &["/bin/sh".into()]).await,
    }
}

/// The SFTP server of this machine, if it has one.
pub(super) fn sftp_server() -> Option<&'static str> {
    SFTP_SERVERS
        .iter()
        .copied()
        .find(|path| Path::new(path).exists())
}

/// Ends what the client left behind: a hangup, as when a modem lost its carrier, then no more questions.
pub(super) async fn hang_up(processes: &Processes, leader: Pid) {
    processes.signal(leader, Signal::HUP);
    processes.signal(leader, Signal::CONT);
    tokio::time::sleep(FAREWELL).await;
    processes.signal(leader, Signal::KILL);
}

/// A size that a terminal can have; zero means that the client does not know.
pub(super) fn size(columns: u32, rows: u32) -> PtySize {
    let side = |asked: u32, usual: u16| match u16::try_from(asked) {
        Ok(0) => usual,
        Ok(side) => side,
        Err(_) => u16::MAX,
    };
    PtySize {
        cols: side(columns, 80),
        rows: side(rows, 24),
        pixel_width: 0,
        pixel_height: 0,
    }
}

/// The signals of RFC 4254, section 6.10, by their numbers here.
const SIGNALS: &[(Sig, Signal)] = &[
    (Sig::ABRT, Signal::ABORT),
    (Sig::ALRM, Signal::ALARM),
    (Sig::FPE, Signal::FPE),
    (Sig::HUP, Signal::HUP),
    (Sig::ILL, Signal::ILL),
    (Sig::INT, Signal::INT),
    (Sig::KILL, Signal::KILL),
    (Sig::PIPE, Signal::PIPE),
    (Sig::QUIT, Signal::QUIT),
    (Sig::SEGV, Signal::SEGV),
    (Sig::TERM, Signal::TERM),
    (Sig::USR1, Signal::USR1),
];

/// The signal that a client named; others are ignored, as the RFC allows.
pub(super) fn signal_of(name: &Sig) -> Option<Signal> {
    SIGNALS
        .iter()
        .find(|(sig, _)| discriminant(sig) == discriminant(name))
        .map(|(_, signal)| *signal)
}

fn name_of(number: i32) -> Sig {
    SIGNALS
        .iter()
        .find(|(_, signal)| signal.as_raw() == number)
        .map_or_else(
            || Sig::Custom(format!("{number}@quarterdeck")),
            |(sig, _)| sig.clone(),
        )
}

/// Whether a channel request is one that starts a program; a channel may start only one.
#[derive(Debug, Default)]
pub(super) struct Started(std::collections::HashSet<ChannelId>);

impl Started {
    /// Notes a start; false if there was one before.
    pub(super) fn note(&mut self, channel: ChannelId) -> bool {
        self.0.insert(channel)
    }

    /// The channel is gone.
    pub(super) fn forget(&mut self, channel: ChannelId) {
        self.0.remove(&channel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_possible() {
        for (asked, expected) in [
            ((80, 24), (80, 24)),
            ((0, 0), (80, 24)),
            ((100_000, 1), (u16::MAX, 1)),
        ] {
            let size = size(asked.0, asked.1);
            assert_eq!((size.cols, size.rows), expected);
        }
    }

    #[test]
    fn signals_are_named_both_ways() {
        assert_eq!(signal_of(&Sig::TERM), Some(Signal::TERM));
        assert_eq!(signal_of(&Sig::Custom("WINCH".to_owned())), None);
        assert!(matches!(name_of(Signal::KILL.as_raw()), Sig::KILL));
        assert!(matches!(name_of(99), Sig::Custom(name) if name == "99@quarterdeck"));
    }
}
