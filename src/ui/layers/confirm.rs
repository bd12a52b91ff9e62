//! A yes that must be given before something is done. A bare Enter and Esc mean no.

use ratatui::layout::{Position, Rect};

use super::sheet::{LOW, margin};
use super::{Act, After, Reaction};
use crate::domain::key::{Key, KeyCode};
use crate::ui::paint::{Painter, centred};
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::widgets::field::Field;

/// What is asked, and what a yes does.
#[derive(Debug)]
pub(crate) struct Confirm {
    title: String,
    body: Vec<String>,
    /// What the button says that does it.
    verb: &'static str,
    act: Option<Act>,
    yes: bool,
    /// A word that must be typed, for what cannot be undone on a production host.
    word: Option<Box<(String, Field)>>,
}

impl Confirm {
    pub(crate) fn new(title: String, body: Vec<String>, verb: &'static str, act: Act) -> Self {
        Self {
            title,
            body,
            verb,
            act: Some(act),
            yes: false,
            word: None,
        }
    }

    /// A yes is not enough: this word must be typed, if there is one.
    pub(crate) fn typed(self, word: Option<String>) -> Self {
        Self {
            word: word.map(|word| Box::new((word, Field::line("")))),
            ..self
        }
    }

    /// Whether a word is to be typed.
    pub(crate) fn is_typed(&self) -> bool {
        self.word.is_some()
    }

    pub(crate) fn key(&mut self, key: Key) -> Reaction {
        if let Some(typed) = &mut self.word {
            let (word, field) = typed.as_mut();
            let same = field.text().trim() == word;
            return match (key.code, self.act.take()) {
                (KeyCode::Esc, _) => Reaction::Close,
                (KeyCode::Enter, Some(act)) if same => Reaction::Then(After::Do(act)),
                (KeyCode::Enter, _) => Reaction::Close,
                (_, act) => {
                    self.act = act;
                    field.key(key);
                    Reaction::Stay
                }
            };
        }
        match key.code {
            KeyCode::Char('y' | 'Y') => self.yes = true,
            KeyCode::Char('n' | 'N' | 'q') | KeyCode::Esc => return Reaction::Close,
            KeyCode::Left | KeyCode::Right | KeyCode::Tab | KeyCode::Char('h' | 'l') => {
                self.yes = !self.yes;
                return Reaction::Stay;
            }
            KeyCode::Enter => {}
            _ => return Reaction::Stay,
        }
        match self.act.take() {
            Some(act) if self.yes => Reaction::Then(After::Do(act)),
            _ => Reaction::Close,
        }
    }

    /// Draws it; gives the place of the cursor, if something is typed.
    pub(crate) fn draw(&self, painter: &mut Painter<'_>, area: Rect) -> Option<Position> {
        if let Some(typed) = &self.word {
            let (word, field) = typed.as_ref();
            let mut body = self.body.clone();
            body.push(String::new());
            body.push(format!("Type {word} and Enter to go on; Esc leaves."));
            let inside = dialog(painter, area, &self.title, &body, &[], 0);
            let line = Rect {
                y: inside.y + inside.height.saturating_sub(1),
                height: 1.min(inside.height),
                ..inside
            };
            return field.draw(painter, line, Role::Prompt);
        }
        let labels = ["Cancel", self.verb];
        dialog(
            painter,
            area,
            &self.title,
            &self.body,
            &labels,
            usize::from(self.yes),
        );
        None
    }
}

/// A box with a text and buttons in a row; gives the row where the buttons are. Without colours the chosen button is
/// still marked by its arrows.
pub(super) fn dialog(
    painter: &mut Painter<'_>,
    area: Rect,
    title: &str,
    body: &[String],
    buttons: &[&str],
    chosen: usize,
) -> Rect {
    let width = margin(area).min(72);
    let room = usize::from(width.saturating_sub(4));
    let mut lines: Vec<String> = body
        .iter()
        .flat_map(|line| text::wrap(line, room))
        .collect();
    // In a low window the lines that say nothing go first, and the border lies against the edge.
    let low = area.height < LOW;
    if low {
        lines.retain(|line| !line.is_empty());
    }
    let most = usize::from(area.height.saturating_sub(if low { 3 } else { 6 }));
    if lines.len() > most {
        let dots = painter.look().glyph("…", "...");
        lines.truncate(most.max(1));
        if most > 1 && !low {
            lines.pop();
            lines.push(dots.to_owned());
        } else if let Some(last) = lines.last_mut() {
            *last = text::fit(&format!("{last}{}", " ".repeat(room)), room, dots);
        }
    }
    let height = u16::try_from(lines.len())
        .unwrap_or(u16::MAX)
        .saturating_add(4);
    let inside = painter.frame(centred(area, width, height), title, Role::BorderFocus);
    for (row, line) in (0..inside.height).zip(&lines) {
        painter.put(inside, row, line, Role::Fg);
    }
    let last = inside.height.saturating_sub(1);
    let col = super::sheet::buttons(painter, inside, (buttons, chosen), 2);
    let words = "  y/n, arrows, Enter";
    let room = inside.width.saturating_sub(col);
    if buttons.len() == 2 && usize::from(room) >= text::width(words) {
        painter.put_right(inside, last, words, Role::Dim);
    }
    inside
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, ScreenCommand};
    use crate::model::{Question, QuestionId, QuestionKind};
    use crate::ui::UiInput;
    use crate::ui::scenes::Scene;

    fn press(keys: &[&str]) -> bool {
        let act = Act::Command(Box::new(Command::Screen(ScreenCommand::Home)));
        let mut confirm = Confirm::new("title".to_owned(), Vec::new(), "Do it", act);
        for key in keys {
            let key: Key = key.parse().expect("the test's key is sound");
            match confirm.key(key) {
                Reaction::Then(After::Do(_)) => return true,
                Reaction::Close => return false,
                _ => {}
            }
        }
        false
    }

    #[test]
    fn only_a_clear_yes_does_it() {
        for (keys, done) in [
            (&["Enter"][..], false),
            (&["Esc"], false),
            (&["n"], false),
            (&["x", "Space", "Enter"], false),
            (&["y"], true),
            (&["Right", "Enter"], true),
            (&["Tab", "Tab", "Enter"], false),
        ] {
            assert_eq!(press(keys), done, "{keys:?}");
        }
    }

    /// What a window of 20 columns and 5 rows shows of a question.
    fn small(kind: QuestionKind) -> String {
        let mut scene = Scene::new(20, 5);
        scene.model.questions.push_back(Question {
            id: QuestionId(7),
            title: "restart".to_owned(),
            body: vec![
                "Restart nginx on db1?".to_owned(),
                String::new(),
                "It serves 40 sites.".to_owned(),
            ],
            kind,
            session: None,
            hosts: Vec::new(),
        });
        scene.ui.layout(&scene.model);
        scene.text()
    }

    #[test]
    fn a_tiny_window_shows_what_is_asked_and_what_is_chosen() {
        let yes = small(QuestionKind::YesNo { default_no: true });
        for words in ["restart", "nginx", "db1", "> No <"] {
            assert!(yes.contains(words), "{words}:\n{yes}");
        }
        let typed = small(QuestionKind::Typed("db1".to_owned()));
        assert!(
            typed.contains("nginx") && typed.contains("cursor "),
            "{typed}"
        );
        let secret = small(QuestionKind::Secret);
        assert!(
            secret.contains("nginx") && secret.contains("cursor "),
            "{secret}"
        );
    }

    #[test]
    fn every_box_lives_in_every_small_window() {
        let paste = "one\ntwo \u{202e}x\nrm -rf /\n";
        for keys in [
            "?",
            "? / x",
            ":",
            "2 x",
            "2 Enter x",
            "1 n",
            "1 Enter a",
            "3 Enter",
            "3 Enter Ctrl-] x",
            "1 Enter C",
        ] {
            for (cols, rows) in [(20, 5), (20, 3), (8, 5), (3, 2), (1, 1), (200, 4), (12, 50)] {
                let mut scene = Scene::new(cols, rows).keys(keys);
                scene.input(UiInput::Paste(paste.to_owned()));
                let before = scene.text();
                scene.press("Tab Down Enter Esc");
                // Whatever is drawn, it is drawn within the window.
                for text in [before, scene.text()] {
                    assert!(text.lines().count() <= usize::from(rows) + 1, "{keys}");
                }
            }
        }
    }
}
