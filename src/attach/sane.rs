//! A window that was killed leaves its terminal raw, and the next one would give it back so. It must not touch a terminal
//! that is as a shell leaves it.

use std::io;
use std::os::fd::AsFd;

use rustix::termios::{
    InputModes, LocalModes, OptionalActions, OutputModes, Termios, tcgetattr, tcsetattr,
};

/// Gives a terminal that was left raw the settings that every new one has.
///
/// # Errors
/// It is no terminal, or it is gone.
pub(super) fn mend(tty: impl AsFd) -> io::Result<()> {
    let mut modes = tcgetattr(&tty)?;
    if left_raw(&modes) {
        make_sane(&mut modes);
        tcsetattr(&tty, OptionalActions::Now, &modes)?;
    }
    Ok(())
}

/// No shell starts a program like this; a program that wants keys as they come keeps at least one of these.
fn left_raw(modes: &Termios) -> bool {
    let cooked = LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN;
    !modes.local_modes.intersects(cooked) && !modes.output_modes.contains(OutputModes::OPOST)
}

/// What a new terminal has (`tty_std_termios` of Linux), without its control characters and speed, which raw mode keeps.
fn make_sane(modes: &mut Termios) {
    modes.input_modes |= InputModes::ICRNL | InputModes::IXON;
    modes.output_modes |= OutputModes::OPOST | OutputModes::ONLCR;
    modes.local_modes |= LocalModes::ISIG
        | LocalModes::ICANON
        | LocalModes::ECHO
        | LocalModes::ECHOE
        | LocalModes::ECHOK
        | LocalModes::ECHOCTL
        | LocalModes::ECHOKE
        | LocalModes::IEXTEN;
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use portable_pty::{PtySize, native_pty_system};

    use super::*;

    #[test]
    fn only_a_terminal_that_was_left_raw_is_touched() -> Result<(), Box<dyn Error>> {
        let pair = native_pty_system().openpty(PtySize::default())?;
        let name = pair.master.tty_name().ok_or("it has a name")?;
        let tty = std::fs::File::options().read(true).write(true).open(name)?;
        let told = |tty: &std::fs::File| tcgetattr(tty).map(|modes| format!("{modes:?}"));
        let new = told(&tty)?;
        mend(&tty)?;
        assert_eq!(told(&tty)?, new);
        let mut modes = tcgetattr(&tty)?;
        modes.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&tty, OptionalActions::Now, &modes)?;
        let silent = told(&tty)?;
        mend(&tty)?;
        assert_eq!(told(&tty)?, silent, "whoever reads a password goes on");
        modes.make_raw();
        tcsetattr(&tty, OptionalActions::Now, &modes)?;
        assert_ne!(told(&tty)?, new);
        mend(&tty)?;
        assert_eq!(told(&tty)?, new);
        Ok(())
    }
}
