//! Scenes: keys go in, and the whole screen is compared with what it should be.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::*;
use crate::model::QuestionKind;
use crate::model::sample::model;

/// A screen with its model, and everything the user wanted so far.
pub(crate) struct Scene {
    pub(crate) ui: Ui,
    pub(crate) model: Model,
    pub(crate) intents: Vec<Intent>,
}

impl Scene {
    pub(crate) fn new(cols: u16, rows: u16) -> Self {
        Self::with(model(), cols, rows, Caps::default())
    }

    pub(crate) fn with(model: Model, cols: u16, rows: u16, caps: Caps) -> Self {
        let ui = Ui::new(Theme::default(), Keymap::default(), caps);
        let mut scene = Self {
            ui,
            model,
            intents: Vec::new(),
        };
        scene.input(UiInput::Resize { cols, rows });
        scene
    }

    pub(crate) fn input(&mut self, input: UiInput) {
        self.intents.extend(self.ui.input(&self.model, input));
        self.ui.layout(&self.model);
    }

    /// Presses keys, written with spaces between them.
    pub(crate) fn keys(mut self, keys: &str) -> Self {
        self.press(keys);
        self
    }

    pub(crate) fn press(&mut self, keys: &str) {
        for key in keys.split_whitespace() {
            let key = key.parse().unwrap_or_else(|why| unreachable!("{why}"));
            self.input(UiInput::Key(key));
        }
    }

    pub(crate) fn write(mut self, text: &str) -> Self {
        for c in text.chars() {
            self.input(UiInput::Key(Key::char(c)));
        }
        self
    }

    pub(super) fn buffer(&self) -> Buffer {
        self.ui.frame(&self.model).buffer
    }

    /// The screen as text.
    pub(crate) fn text(&self) -> String {
        let frame = self.ui.frame(&self.model);
        let mut text = rows(&frame.buffer).join("\n");
        if let Some(cursor) = frame.cursor {
            text.push_str(&format!("\ncursor {},{}", cursor.x, cursor.y));
        }
        text
    }
}

/// The rows of a buffer as text, without trailing blanks.
pub(crate) fn rows(buffer: &Buffer) -> Vec<String> {
    let Rect { width, height, .. } = buffer.area;
    (0..height)
        .map(|y| {
            let mut row = String::new();
            let mut skip = 0;
            for x in 0..width {
                let symbol = buffer.cell((x, y)).map_or(" ", |cell| cell.symbol());
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                skip = text::width(symbol).saturating_sub(1);
                row.push_str(symbol);
            }
            row.trim_end().to_owned()
        })
        .collect()
}

#[test]
fn every_view_at_80_by_24() {
    for (name, keys) in VIEWS {
        let scene = Scene::new(80, 24).keys(keys);
        insta::assert_snapshot!(format!("{}-80x24", name.replace(' ', "-")), scene.text());
    }
}

#[test]
fn every_view_at_200_by_50() {
    for (name, keys) in VIEWS {
        let scene = Scene::new(200, 50).keys(keys);
        insta::assert_snapshot!(format!("{}-200x50", name.replace(' ', "-")), scene.text());
    }
}

#[test]
fn questions_name_the_host_and_what_its_server_said() {
    for (cols, rows) in [(80, 24), (200, 50)] {
        for (name, kind) in [
            ("password", QuestionKind::Secret),
            (
                "changed-key",
                QuestionKind::Offer {
                    key: 't',
                    verb: "Open a security ticket".to_owned(),
                },
            ),
        ] {
            let mut scene = Scene::new(cols, rows);
            let banner = "Authorised use only.\u{1b}[2J\nEverything is logged.".to_owned();
            scene.model.said.push_back(("bastion".to_owned(), banner));
            scene.model.questions.push_back(Question {
                id: crate::model::QuestionId(1),
                title: "bastion, on the way to db1 asks".to_owned(),
                body: vec!["One-time code for mira:".to_owned()],
                kind,
                session: None,
                hosts: vec!["bastion".to_owned(), "db1".to_owned()],
            });
            let scene = scene.keys("6").write("t4711");
            insta::assert_snapshot!(format!("question-{name}-{cols}x{rows}"), scene.text());
        }
    }
}

#[test]
fn copies_are_shown_below_the_folders() {
    for (cols, rows) in [(80, 24), (200, 50)] {
        let mut scene = Scene::new(cols, rows);
        scene.model.copies = crate::model::sample::copies();
        let scene = scene.keys("2 j f Tab");
        insta::assert_snapshot!(format!("copies-{cols}x{rows}"), scene.text());
    }
}

/// A name and the keys that lead there.
const VIEWS: &[(&str, &str)] = &[
    ("home", ""),
    ("tickets", "1"),
    ("case", "1 Enter"),
    ("hosts", "2 Space Space j"),
    ("host", "2 j j j Enter"),
    ("sessions", "3"),
    ("pane", "3 Enter"),
    ("pane prefix", "3 Enter Ctrl-]"),
    ("recording", "3 j j j Enter"),
    ("runs", "4"),
    ("run", "4 Enter j j l"),
    ("runbooks", "5"),
    ("runbook", "5 Enter"),
    ("help", "1 ?"),
    ("prompt", "1 :"),
    ("filter", "2 / w e b"),
    ("filter without match", "1 / z z z"),
    ("new ticket", "1 a"),
    ("edit ticket", "1 e Tab Tab"),
    ("comment", "1 c"),
    ("resolve", "1 R"),
    ("choose runbook", "2 x"),
    ("choose hosts", "5 x"),
    ("parameters", "2 x Enter"),
    ("start run", "2 x Enter Ctrl-s"),
    ("connections", "6 j"),
    ("connection", "6 Enter"),
    ("disconnect", "6 x"),
    ("forwards", "7 j"),
    ("changed keys", "8"),
    ("files", "2 j f"),
    ("files help", "2 j f ?"),
    ("delete files", "2 j f j j Space Space D"),
];
