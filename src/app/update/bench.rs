//! A state with a window and a model with a bit of everything, for tests of the update.

use crate::app::event::{Event, WindowEvent};
use crate::app::state::{Probing, Setup, State};
use crate::command::Info;
use crate::domain::ids::WindowId;
use crate::health::schedule::Rules;
use crate::health::verdict::Thresholds;
use crate::model::sample::{NOW, model};
use crate::term::Size;
use crate::ui::{Caps, Keymap, Theme};

/// The window.
pub(super) const WINDOW: WindowId = WindowId(1);

/// A state that knows its hosts and shows one window.
pub(super) fn state() -> State {
    let setup = Setup {
        me: "mira".to_owned(),
        recordings: "recordings".into(),
        device: crate::domain::ids::DeviceId(crate::domain::ids::EntityId::derived(
            "device", "lap1",
        )),
        ssh_config: None,
        read_only: false,
        demo: false,
        served: false,
        logout: None,
        pid: 1,
        openssh_hosts: Vec::new(),
        recording: crate::config::Recording::default(),
        ssh_program: "ssh".into(),
        probing: Probing::Asked,
        thresholds: Thresholds::default(),
        predict: Default::default(),
        theme: Theme::default(),
        keymap: Keymap::default(),
        window_size: crate::config::WindowSize::Latest,
        term: "xterm".to_owned(),
        terminal: crate::app::state::TerminalRules::default(),
        seed: [3; 32],
        now: NOW,
        rules: Rules::default(),
        guard: Default::default(),
        info: Info {
            version: String::new(),
            sqlite: String::new(),
            config: String::new(),
            data: String::new(),
            state: String::new(),
            device: String::new(),
            recordings: String::new(),
        },
    };
    let mut state = State::new(setup);
    state.model = model();
    state.model.alarms.clear();
    state.ready = true;
    let opened = WindowEvent::Opened {
        size: Size { cols: 80, rows: 24 },
        caps: Caps::default(),
        focus: None,
        plain: false,
    };
    drop(super::update(&mut state, Event::Window(WINDOW, opened)));
    state
}

/// Presses keys at the window.
pub(super) fn press(state: &mut State, keys: &str) -> Vec<crate::app::effect::Effect> {
    let mut effects = Vec::new();
    for key in keys.split_whitespace() {
        let key = key.parse().unwrap_or_else(|why| unreachable!("{why}"));
        let input = WindowEvent::Input(crate::ui::UiInput::Key(key));
        effects.extend(super::update(state, Event::Window(WINDOW, input)));
        effects.extend(super::lay_out(state));
    }
    effects
}
