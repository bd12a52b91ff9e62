//! The program itself: the doctor, places of files, settings and themes.

use crate::app::effect::{Effect, FileAsk};
use crate::app::event::{Caller, FileFact};
use crate::app::purpose::Purpose;
use crate::app::state::State;
use crate::command::{Answer, Outcome, ProgramCommand};
use crate::store::Ask;
use crate::ui;

use super::reply;

/// Carries out a command.
pub(super) fn execute(
    state: &mut State,
    caller: Caller,
    command: &ProgramCommand,
    fx: &mut Vec<Effect>,
) {
    match command {
        ProgramCommand::Doctor => super::ask(state, Ask::Doctor, Purpose::Show(caller), fx),
        ProgramCommand::ConfigCheck => {
            super::read_file(state, FileAsk::CheckConfig, Purpose::Show(caller), fx)
        }
        ProgramCommand::ThemeCheck { path } => super::read_file(
            state,
            FileAsk::CheckTheme(path.clone()),
            Purpose::Show(caller),
            fx,
        ),
        ProgramCommand::Themes => {
            let names = ui::theme::names().map(str::to_owned).collect();
            reply(state, caller, Outcome::ok(Answer::Names(names)), fx);
        }
        ProgramCommand::Info => {
            let info = state.setup.info.clone();
            reply(state, caller, Outcome::ok(Answer::Info(info)), fx);
        }
        ProgramCommand::Demo { .. } => {
            let text =
                "the demo is a program of its own; leave this one and start `qd demo`".to_owned();
            reply(state, caller, Outcome::error(2, text), fx);
        }
    }
}

/// What was read from a file, as the outcome of a command.
pub(super) fn file_outcome(fact: FileFact) -> Outcome {
    match fact {
        FileFact::Library { books, broken } => {
            let exit = u8::from(!broken.is_empty());
            Outcome {
                answer: Answer::Books { books, broken },
                exit,
            }
        }
        FileFact::Checked(findings) => {
            let exit = u8::from(!findings.is_empty());
            Outcome {
                answer: Answer::Diagnostics(findings),
                exit,
            }
        }
        FileFact::Scanned(Err(why)) | FileFact::Bytes(Err(why)) => Outcome::error(1, why),
        FileFact::Book(Err(findings)) => Outcome {
            answer: Answer::Diagnostics(findings),
            exit: 1,
        },
        FileFact::Scanned(Ok(_)) | FileFact::Bytes(Ok(_)) | FileFact::Book(Ok(_)) => {
            Outcome::error(
                1,
                "a file of another kind was read; please report this".to_owned(),
            )
        }
    }
}
