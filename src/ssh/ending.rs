//! How a program on a channel ended, as far as the host says (RFC 4254, section 6.10).

use russh::{ChannelMsg, Sig};

use crate::domain::run::Exit;

/// How a program on a channel ended, as far as the host said.
#[derive(Debug, Default)]
pub(crate) struct Ending(Option<Exit>);

impl Ending {
    /// Looks at a message for what it says about the end.
    pub(crate) fn see(&mut self, message: &ChannelMsg) {
        match message {
            ChannelMsg::ExitStatus { exit_status } => {
                // Codes beyond the range do not happen outside of broken servers.
                self.0 = Some(Exit::Code(i32::try_from(*exit_status).unwrap_or(i32::MAX)));
            }
            ChannelMsg::ExitSignal { signal_name, .. } => {
                self.0 = Some(Exit::Signal(signal_word(signal_name)));
            }
            _ => {}
        }
    }

    /// The exit once the host has closed the channel.
    pub(crate) fn exit(&mut self) -> Exit {
        self.0.take().unwrap_or_else(|| {
            Exit::Unreachable("the host closed the channel without an exit status".to_owned())
        })
    }
}

/// A signal's name without `SIG`.
fn signal_word(signal: &Sig) -> String {
    match signal {
        Sig::Custom(name) => name.clone(),
        // The variants are called as the protocol names them.
        known => format!("{known:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_named_without_sig() {
        assert_eq!(signal_word(&Sig::TERM), "TERM");
        assert_eq!(signal_word(&Sig::Custom("WINCH".to_owned())), "WINCH");
    }
}
