//! What programs in panes want of the person or of the terminal: a text on the clipboard, a word that something is done.

use crate::app::effect::Effect;
use crate::app::state::State;
use crate::domain::ids::SessionId;
use crate::model::Level;
use crate::ui::View;

use super::alert;
use super::window::say;

/// The longest text for a clipboard, in bytes: terminals cut or drop longer ones, xterm at about 100,000 bytes of base 64.
const CLIPBOARD_MAX: usize = 74_000;

/// A remote program wants a text on the clipboard. What becomes of it is told, whatever it is: a copy that silently did not
/// happen is found out when the wrong thing is pasted.
pub(super) fn clipboard(state: &mut State, session: SessionId, text: String, fx: &mut Vec<Effect>) {
    let host = host_of(state, session);
    let refused = |why: &str| format!("{host} offered {} bytes to copy: {why}", text.len());
    if !state.setup.terminal.clipboard {
        let why = refused("not copied, because [session] clipboard is false");
        return say(state, Level::Warn, why);
    }
    if text.len() > CLIPBOARD_MAX {
        let why = refused(&format!(
            "not copied, because terminals take at most {CLIPBOARD_MAX}"
        ));
        return say(state, Level::Warn, why);
    }
    let window = state
        .windows
        .iter()
        .find(|(_, ui)| *ui.view() == View::Pane(session))
        .map(|(id, _)| *id);
    let Some(window) = window else {
        let why = refused("not copied, because no window shows that session");
        return say(state, Level::Warn, why);
    };
    // A line that ends itself would run when it is pasted into a shell; the rest of the controls steer terminals.
    let text = crate::domain::text::block(text.trim_end_matches(['\r', '\n']));
    say(
        state,
        Level::Info,
        format!("{} bytes offered to your terminal's clipboard", text.len()),
    );
    fx.push(Effect::Clipboard(window, text));
}

/// A remote program wants a person to know something; a session that nobody looks at is marked as by a bell.
pub(super) fn notify(state: &mut State, session: SessionId, text: &str, fx: &mut Vec<Effect>) {
    alert::called(state, session, true, fx);
    let words = format!("{}: {text}", host_of(state, session));
    say(state, Level::Info, words);
}

fn host_of(state: &State, session: SessionId) -> String {
    let view = state.model.session(session);
    view.map_or_else(|| "a session".to_owned(), |view| view.host.clone())
}
