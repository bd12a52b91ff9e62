//! A question of a worker: an unknown host key, a passphrase, a step that wants a yes. It is drawn from the model, so it
//! goes when its asker withdraws it; here is only what the user has typed into it so far.

use ratatui::layout::{Position, Rect};

use super::confirm::dialog;
use crate::domain::connection::ConnectionState;
use crate::domain::key::{Key, KeyCode};
use crate::domain::time::Time;
use crate::model::{Model, Question, QuestionId, QuestionKind};
use crate::ui::intent::Reply;
use crate::ui::paint::Painter;
use crate::ui::theme::Role;
use crate::ui::widgets::field::{Field, SecretField};

/// How long a question must have been on the screen before a bare Enter or Esc answers it, in milliseconds.
const MOMENT: u64 = 800;

/// How many lines of a banner are shown with a question: what is asked must stay on the screen.
const BANNER: usize = 6;

/// What the user has made of a question so far.
#[derive(Debug)]
pub(crate) struct Answering {
    pub(crate) id: QuestionId,
    /// When it was first shown.
    since: Time,
    /// A key was pressed that can only have been meant for it.
    chosen: bool,
    /// When the last key came; a letter answers only after a pause, so that no word that is being typed does.
    last: Time,
    yes: bool,
    field: Field,
    secret: SecretField,
}

impl Answering {
    pub(crate) fn new(question: &Question, now: Time) -> Self {
        Self {
            id: question.id,
            since: now,
            chosen: false,
            last: now,
            yes: matches!(question.kind, QuestionKind::YesNo { default_no: false }),
            field: Field::line(""),
            secret: SecretField::new(),
        }
    }

    /// Takes a key; gives the answer when there is one. Keys that were meant for something else may still be on their way
    /// when a question appears: so a letter answers only after a moment without keys, and else chooses what Enter then
    /// answers; a bare Enter or Esc does nothing in the first moment.
    pub(crate) fn key(&mut self, question: &Question, key: Key, now: Time) -> Option<Reply> {
        let bare = matches!(key.code, KeyCode::Enter | KeyCode::Esc);
        let calm = now.since(std::mem::replace(&mut self.last, now)) >= MOMENT;
        if bare && !self.chosen && now.since(self.since) < MOMENT {
            return None;
        }
        self.chosen |= match question.kind {
            QuestionKind::YesNo { .. } => {
                matches!(
                    key.code,
                    KeyCode::Char('y' | 'n' | 'Y' | 'N')
                        | KeyCode::Left
                        | KeyCode::Right
                        | KeyCode::Tab
                )
            }
            QuestionKind::Offer { key: wanted, .. } => {
                let chosen = [wanted, 'y', 'n'].map(KeyCode::Char);
                chosen.contains(&key.code)
                    || matches!(key.code, KeyCode::Left | KeyCode::Right | KeyCode::Tab)
            }
            QuestionKind::Text | QuestionKind::Secret | QuestionKind::Typed(_) => !bare,
        };
        if key.code == KeyCode::Esc {
            return Some(Reply::No);
        }
        let enter = key.code == KeyCode::Enter;
        match &question.kind {
            QuestionKind::YesNo { .. } => {
                match key.code {
                    KeyCode::Char('y' | 'Y') => self.yes = true,
                    KeyCode::Char('n' | 'N') => self.yes = false,
                    KeyCode::Left | KeyCode::Right | KeyCode::Tab => self.yes = !self.yes,
                    _ => {}
                }
                let letter = matches!(key.code, KeyCode::Char('y' | 'Y' | 'n' | 'N'));
                let answer = if self.yes { Reply::Yes } else { Reply::No };
                (enter || (letter && calm)).then_some(answer)
            }
            QuestionKind::Offer { key: wanted, .. } => {
                match key.code {
                    KeyCode::Char(c) if c == *wanted || c == 'y' => self.yes = true,
                    KeyCode::Char('n') => self.yes = false,
                    KeyCode::Left | KeyCode::Right | KeyCode::Tab => self.yes = !self.yes,
                    _ => {}
                }
                let letter = match key.code {
                    KeyCode::Char(c) => c == *wanted || matches!(c, 'y' | 'n'),
                    _ => false,
                };
                let answer = if self.yes { Reply::Yes } else { Reply::No };
                (enter || (letter && calm)).then_some(answer)
            }
            QuestionKind::Text => {
                self.field.key(key);
                enter.then(|| Reply::Text(self.field.text()))
            }
            QuestionKind::Typed(word) => {
                self.field.key(key);
                let same = self.field.text().trim() == word;
                enter.then_some(if same { Reply::Yes } else { Reply::No })
            }
            QuestionKind::Secret => {
                self.secret.key(key);
                enter.then(|| Reply::Secret(self.secret.take()))
            }
        }
    }

    pub(crate) fn paste(&mut self, question: &Question, words: &str) {
        match question.kind {
            QuestionKind::Text | QuestionKind::Typed(_) => self.field.paste(words),
            QuestionKind::Secret => self.secret.paste(words),
            QuestionKind::YesNo { .. } | QuestionKind::Offer { .. } => {}
        }
    }

    pub(crate) fn draw(
        &self,
        question: &Question,
        model: &Model,
        painter: &mut Painter<'_>,
        area: Rect,
    ) -> Option<Position> {
        let mut body = said_before(question, model);
        body.extend(question.body.iter().cloned());
        match &question.kind {
            QuestionKind::YesNo { .. } => {
                dialog(
                    painter,
                    area,
                    &question.title,
                    &body,
                    &["No", "Yes"],
                    usize::from(self.yes),
                );
                return None;
            }
            QuestionKind::Offer { key, verb } => {
                let verb = format!("{verb} ({key})");
                dialog(
                    painter,
                    area,
                    &question.title,
                    &body,
                    &["Close", &verb],
                    usize::from(self.yes),
                );
                return None;
            }
            QuestionKind::Typed(word) => {
                body.push(String::new());
                body.push(format!("Type {word} to go on; Esc leaves."));
            }
            QuestionKind::Secret => {
                body.push(String::new());
                body.push("What you type is not shown. Enter sends it, Esc leaves.".to_owned());
            }
            QuestionKind::Text => {
                body.push(String::new());
                body.push("Enter sends it, Esc leaves.".to_owned());
            }
        }
        let inside = dialog(painter, area, &question.title, &body, &[], 0);
        let line = Rect {
            y: inside.y + inside.height.saturating_sub(1),
            height: 1.min(inside.height),
            ..inside
        };
        if question.kind == QuestionKind::Secret {
            painter.tint(line, Role::Prompt);
            return Some(line.as_position());
        }
        self.field.draw(painter, line, Role::Prompt)
    }
}

/// What the servers of the hosts that a question is about said before they asked: their banners. It is foreign text; the
/// dialog makes it harmless.
fn said_before(question: &Question, model: &Model) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut hosts: Vec<&String> = question.hosts.iter().collect();
    hosts.dedup();
    for host in hosts {
        let words = said(model, host);
        if words.is_empty() {
            continue;
        }
        lines.push(format!("{host} says:"));
        lines.extend(words.iter().take(BANNER).map(|line| format!("  {line}")));
        if words.len() > BANNER {
            lines.push(format!("  and {} lines more", words.len() - BANNER));
        }
        lines.push(String::new());
    }
    lines
}

/// What one server said on the way: as it was told, or as the connection that is being made notes it.
fn said<'m>(model: &'m Model, host: &str) -> Vec<&'m str> {
    let told: Vec<&str> = model.said_by(host).into_iter().collect();
    let rows = model.connections.iter().filter(|row| row.host == host);
    let noted = rows
        .filter(|row| row.state == ConnectionState::Connecting)
        .flat_map(|row| row.notes.iter().map(String::as_str));
    let texts: Vec<&str> = if told.is_empty() {
        noted.collect()
    } else {
        told
    };
    texts
        .into_iter()
        .flat_map(|text| text.trim_end().lines())
        .collect()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn ask(kind: QuestionKind, keys: &str) -> Option<Reply> {
        let question = Question {
            id: QuestionId(1),
            title: "t".to_owned(),
            body: Vec::new(),
            kind,
            session: None,
            hosts: Vec::new(),
        };
        let mut answering = Answering::new(&question, Time(0));
        let mut reply = None;
        for key in keys.split(' ') {
            let key: Key = key.parse().expect("the test's key is sound");
            reply = reply.or_else(|| answering.key(&question, key, Time(5_000)));
        }
        reply
    }

    #[test]
    fn a_letter_answers_after_a_pause_and_else_only_chooses() {
        let kind = || QuestionKind::YesNo { default_no: true };
        assert!(matches!(ask(kind(), "y"), Some(Reply::Yes)));
        assert!(matches!(ask(kind(), "n"), Some(Reply::No)));
        assert!(matches!(ask(kind(), "Enter"), Some(Reply::No)));
        assert!(ask(kind(), "x y").is_none(), "a word that is being typed");
        assert!(matches!(ask(kind(), "x y Enter"), Some(Reply::Yes)));
        assert!(matches!(ask(kind(), "x y n Enter"), Some(Reply::No)));
        assert!(matches!(ask(kind(), "x y Esc"), Some(Reply::No)));
        let offer = || QuestionKind::Offer {
            key: 't',
            verb: "Open a ticket".to_owned(),
        };
        assert!(matches!(ask(offer(), "t"), Some(Reply::Yes)));
        assert!(ask(offer(), "s t").is_none());
    }

    #[test]
    fn a_key_that_was_on_its_way_answers_nothing() {
        let question = Question {
            id: QuestionId(1),
            title: "t".to_owned(),
            body: Vec::new(),
            kind: QuestionKind::YesNo { default_no: false },
            session: None,
            hosts: Vec::new(),
        };
        let (enter, y) = (Key::plain(KeyCode::Enter), Key::char('y'));
        let mut answering = Answering::new(&question, Time(0));
        assert!(answering.key(&question, enter, Time(100)).is_none());
        assert!(answering.key(&question, enter, Time(2_000)).is_some());
        let mut answering = Answering::new(&question, Time(0));
        assert!(answering.key(&question, y, Time(100)).is_none());
        let reply = answering.key(&question, enter, Time(100));
        assert!(matches!(reply, Some(Reply::Yes)), "y then Enter is meant");
    }

    #[test]
    fn a_typed_confirmation_wants_the_very_word() {
        let kind = || QuestionKind::Typed("db1".to_owned());
        assert!(matches!(ask(kind(), "d b Enter"), Some(Reply::No)));
        assert!(matches!(ask(kind(), "d b 1 Enter"), Some(Reply::Yes)));
    }

    #[test]
    fn a_secret_arrives_whole() {
        let Some(Reply::Secret(secret)) = ask(QuestionKind::Secret, "p W Backspace w Enter") else {
            unreachable!("Enter sends it")
        };
        assert_eq!(secret.expose_secret(), "pw");
    }
}
