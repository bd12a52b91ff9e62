//! The program itself: the doctor, places of files, settings and themes.

use crate::app::effect::{Effect, FileAsk, Inquiry, InquiryKind};
use crate::app::event::{Caller, FileFact, LineId};
use crate::app::purpose::Purpose;
use crate::app::state::State;
use crate::command::{Answer, Outcome, ProgramCommand, ServerStatus};
use crate::model::QuestionId;
use crate::store::Ask;
use crate::ui;

use super::{reply, window};

/// Carries out a command.
pub(super) fn execute(
    state: &mut State,
    caller: Caller,
    command: &ProgramCommand,
    fx: &mut Vec<Effect>,
) {
    match command {
        ProgramCommand::Doctor { repair: true }
        | ProgramCommand::Backup { .. }
        | ProgramCommand::Restore { .. }
        | ProgramCommand::Export { .. }
        | ProgramCommand::ExportTicket { .. }
        | ProgramCommand::Import { .. } => {
            let text = "this works on the store's file; say it in a shell".to_owned();
            reply(state, caller, Outcome::error(2, text), fx);
        }
        ProgramCommand::Doctor { repair: false } => {
            super::ask(state, Ask::Doctor, Purpose::Show(caller), fx)
        }
        ProgramCommand::ConfigCheck => {
            super::read_file(state, FileAsk::CheckConfig, Purpose::Show(caller), fx)
        }
        ProgramCommand::ConfigReload => super::settings::reload(state, caller, fx),
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
        ProgramCommand::ServerStatus => {
            let status = ServerStatus {
                pid: state.setup.pid,
                version: state.setup.info.version.clone(),
                windows: state.windows.len(),
                sessions: state.sessions.len(),
                runs: state.runs.len(),
                logout: state.setup.logout.clone(),
                settings: super::settings::status(state),
            };
            reply(state, caller, Outcome::ok(Answer::Server(status)), fx);
        }
        ProgramCommand::ServerStop => stop(state, caller, fx),
        ProgramCommand::ServerStart { .. } | ProgramCommand::Attach => {
            let text = "this is for a shell: the app that you are in runs already".to_owned();
            reply(state, caller, Outcome::error(2, text), fx);
        }
        ProgramCommand::Demo { .. } => {
            let text =
                "the demo is a program of its own; leave this one and start `qd demo`".to_owned();
            reply(state, caller, Outcome::error(2, text), fx);
        }
    }
}

/// Ends the app, after asking when somebody would lose a live session or a run.
fn stop(state: &mut State, caller: Caller, fx: &mut Vec<Effect>) {
    match (window::losses(state), caller) {
        (None, _) => stopped(state, caller, fx),
        (Some(_), Caller::Window(_)) => window::leave(state, fx),
        (Some(lost), Caller::Line(line)) => {
            let id = QuestionId(state.mint.request().0);
            state.stop_asked.insert(id, line);
            let inquiry = Inquiry {
                id,
                place: "server stop".to_owned(),
                kind: InquiryKind::Confirm(format!("Stopping ends {lost}. Stop all the same?")),
            };
            fx.push(Effect::Question(line, inquiry));
        }
    }
}

/// The person at a command line said whether the app may stop.
pub(super) fn stop_answered(state: &mut State, line: LineId, yes: bool, fx: &mut Vec<Effect>) {
    let caller = Caller::Line(line);
    if yes {
        return stopped(state, caller, fx);
    }
    let text = "the app goes on; `--yes` stops it without a question".to_owned();
    reply(state, caller, Outcome::error(2, text), fx);
}

fn stopped(state: &mut State, caller: Caller, fx: &mut Vec<Effect>) {
    let text = "the app ends".to_owned();
    reply(state, caller, Outcome::ok(Answer::Done(text)), fx);
    super::stop(state, fx);
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
        FileFact::Scanned(Err(why)) | FileFact::Bytes(Err(why)) | FileFact::Written(Err(why)) => {
            Outcome::error(1, why)
        }
        FileFact::Written(Ok(text)) => Outcome::ok(Answer::Done(text)),
        FileFact::Book(Err(findings)) => Outcome {
            answer: Answer::Diagnostics(findings),
            exit: 1,
        },
        FileFact::Scanned(Ok(_))
        | FileFact::Bytes(Ok(_))
        | FileFact::Book(Ok(_))
        | FileFact::Swept(_)
        | FileFact::SettingsMark(_)
        | FileFact::Settings(_)
        | FileFact::Found(_)
        | FileFact::Looked(_) => Outcome::error(
            1,
            "a file of another kind was read; please report this".to_owned(),
        ),
    }
}
