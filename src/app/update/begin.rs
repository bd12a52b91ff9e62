//! What a process does first.

use crate::app::effect::Effect;
use crate::app::purpose::Purpose;
use crate::app::state::State;
use crate::config::Predict;
use crate::model::Level;
use crate::ssh::SshAsk;
use crate::store::Ask;

use super::{layout, ssh, window};

/// The first effects of a process: what must be known before a command can be carried out.
pub fn start(state: &mut State) -> Vec<Effect> {
    let mut fx = Vec::new();
    super::ask(state, Ask::Hosts, Purpose::Hosts, &mut fx);
    ssh::routes(state, &mut fx);
    if let Some(risk) = state.setup.logout.clone() {
        window::say(state, Level::Warn, risk);
    }
    layout::start(state, &mut fx);
    if state.setup.recording.strict {
        fx.push(Effect::Ssh(SshAsk::RecordStrictly { on: true }));
    }
    // Without a word the engine does as the default says.
    let when = state.setup.predict;
    if when != Predict::default() {
        fx.push(Effect::Ssh(SshAsk::Predict { when }));
    }
    fx
}
