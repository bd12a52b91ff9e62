//! What a person copied out of a pane: to the terminal, into the buffer, to a program, into a file.

use std::path::PathBuf;
use std::sync::Arc;

use crate::app::effect::Effect;
use crate::app::state::State;
use crate::domain::ids::SessionId;
use crate::domain::text;
use crate::model::Level;
use crate::ui::View;

use super::window::say;

/// The longest text that is sent to a terminal by OSC 52, in bytes: terminals cut or drop longer ones.
const TERMINAL: usize = 74_000;

/// A text was copied. It goes to the terminal of whoever copied it, and nobody can know what the terminal does with it.
pub(super) fn copied(
    state: &mut State,
    session: SessionId,
    copied: String,
    cut: bool,
    fx: &mut Vec<Effect>,
) {
    // Cells hold no controls, but what is pasted later should not depend on that.
    let copied: Arc<str> = text::block(&copied).into();
    if copied.is_empty() {
        return;
    }
    let shows = |ui: &crate::ui::Ui| *ui.view() == View::Pane(session);
    let looker = state.looker.filter(|id| state.windows.contains_key(id));
    let window = looker.or_else(|| {
        let mut windows = state.windows.iter();
        windows.find(|(_, ui)| shows(ui)).map(|(id, _)| *id)
    });
    let size = size(copied.len());
    let prefix = state.setup.keymap.prefix();
    let rest = if cut {
        " (cut there: more was selected)"
    } else {
        ""
    };
    let words = match window {
        Some(window) if copied.len() <= TERMINAL => {
            fx.push(Effect::Clipboard(window, copied.to_string()));
            format!(
                "sent {size} to the terminal (OSC 52){rest}; if not there: {prefix} ] or :buffer save F"
            )
        }
        _ => format!(
            "copied {size}{rest}, too much for a terminal's clipboard: {prefix} ] pastes it here, :buffer save PATH writes it"
        ),
    };
    fx.push(Effect::Copied(Arc::clone(&copied)));
    state.model.copied = Some(copied);
    say(state, Level::Info, words);
}

/// Writes what was copied last to a new file.
pub(super) fn save(state: &mut State, path: String, fx: &mut Vec<Effect>) {
    match &state.model.copied {
        Some(copied) => fx.push(Effect::SaveCopied(PathBuf::from(path), Arc::clone(copied))),
        None => say(
            state,
            Level::Error,
            "nothing was copied yet; v and y in copy mode copy".to_owned(),
        ),
    }
}

/// A file was written, or something did not work.
pub(super) fn kept(state: &mut State, result: Result<String, String>) {
    match result {
        Ok(words) => say(state, Level::Info, words),
        Err(why) => say(state, Level::Error, why),
    }
}

fn size(bytes: usize) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        _ => format!("{} KiB", bytes / 1024),
    }
}
