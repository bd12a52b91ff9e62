//! Who would get what is typed, before a broadcast begins. Production hosts are left out unless a typed word adds them.

use ratatui::layout::{Position, Rect};

use super::sheet::Sheet;
use super::{Act, After, Reaction};
use crate::domain::ids::SessionId;
use crate::domain::key::{Key, KeyCode};
use crate::ui::intent::GuardOrder;
use crate::ui::paint::Painter;
use crate::ui::theme::Role;
use crate::ui::widgets::field::Field;

/// The word that adds production hosts.
const WORD: &str = "production";

/// A marked session.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) session: SessionId,
    /// The host and the reference.
    pub(crate) name: String,
    /// Its environment, if it has one.
    pub(crate) environment: Option<String>,
    pub(crate) production: bool,
    /// It shows a full-screen program, so it gets nothing for now.
    pub(crate) full_screen: bool,
}

/// The question.
#[derive(Debug)]
pub(crate) struct BroadcastSheet {
    candidates: Vec<Candidate>,
    chosen: usize,
    /// The word that is being typed to add production hosts.
    word: Option<Field>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Cancel,
    /// Without production hosts.
    Begin,
    /// Production hosts too, once the word is typed.
    Add,
}

impl BroadcastSheet {
    pub(crate) fn new(candidates: Vec<Candidate>) -> Self {
        Self {
            candidates,
            chosen: 0,
            word: None,
        }
    }

    fn without_production(&self) -> usize {
        let others = self.candidates.iter();
        others.filter(|candidate| !candidate.production).count()
    }

    fn choices(&self) -> Vec<Choice> {
        let plain = self.without_production();
        let mut choices = vec![Choice::Cancel];
        // One receiver is no broadcast.
        if plain > 1 {
            choices.push(Choice::Begin);
        }
        if plain < self.candidates.len() {
            choices.push(Choice::Add);
        }
        choices
    }

    pub(crate) fn key(&mut self, key: Key) -> Reaction {
        if let Some(field) = &mut self.word {
            let same = field.text().trim() == WORD;
            return match key.code {
                KeyCode::Esc => Reaction::Close,
                KeyCode::Enter if same => self.begin(true),
                KeyCode::Enter => Reaction::Close,
                _ => {
                    field.key(key);
                    Reaction::Stay
                }
            };
        }
        let choices = self.choices();
        let at = |choice: Choice| choices.iter().position(|known| *known == choice);
        match key.code {
            KeyCode::Char('n' | 'N' | 'q') | KeyCode::Esc => return Reaction::Close,
            KeyCode::Char('y' | 'Y') => match at(Choice::Begin) {
                Some(begin) => self.chosen = begin,
                None => return Reaction::Stay,
            },
            KeyCode::Char('p') => match at(Choice::Add) {
                Some(add) => self.chosen = add,
                None => return Reaction::Stay,
            },
            KeyCode::Right | KeyCode::Tab | KeyCode::Char('l') => {
                self.chosen = (self.chosen + 1) % choices.len().max(1);
                return Reaction::Stay;
            }
            KeyCode::Left | KeyCode::Char('h') => {
                self.chosen = (self.chosen + choices.len().max(1) - 1) % choices.len().max(1);
                return Reaction::Stay;
            }
            KeyCode::Enter => {}
            _ => return Reaction::Stay,
        }
        match choices.get(self.chosen) {
            Some(Choice::Begin) => self.begin(false),
            Some(Choice::Add) => {
                self.word = Some(Field::line(""));
                Reaction::Stay
            }
            Some(Choice::Cancel) | None => Reaction::Close,
        }
    }

    fn begin(&self, production: bool) -> Reaction {
        let members = self.candidates.iter();
        let members = members
            .filter(|candidate| production || !candidate.production)
            .map(|candidate| candidate.session)
            .collect();
        Reaction::Then(After::Do(Act::Guard(GuardOrder::Begin {
            members,
            production,
        })))
    }

    pub(crate) fn draw(&self, painter: &mut Painter<'_>, area: Rect) -> Option<Position> {
        let (all, plain) = (self.candidates.len(), self.without_production());
        let adding = self.word.is_some();
        let head = vec![(
            "What you type into one of these goes to all of them:".to_owned(),
            Role::Fg,
        )];
        let mut rows: Vec<&Candidate> = self.candidates.iter().collect();
        // The loud ones first: what is cut at the end must not be a production host.
        rows.sort_by_key(|candidate| !candidate.production);
        let body = rows.into_iter().map(|candidate| {
            let mut words = format!("  {}", candidate.name);
            if candidate.production {
                let name = candidate
                    .environment
                    .as_deref()
                    .unwrap_or(WORD)
                    .to_uppercase();
                let left_out = if adding { "" } else { ", left out" };
                return (format!("{words}  {name}{left_out} "), Role::Prod);
            }
            if let Some(environment) = &candidate.environment {
                words.push_str(&format!("  {environment}"));
            }
            if candidate.full_screen {
                words.push_str("  full-screen program, skipped while it runs");
                return (words, Role::Warn);
            }
            (words, Role::Fg)
        });
        let mut foot = Vec::new();
        if adding {
            foot.push((
                format!("Type {WORD} and Enter to add the production hosts; Esc leaves."),
                Role::Crit,
            ));
        } else if plain < 2 && plain < all {
            foot.push((
                "Without production hosts nobody else is left.".to_owned(),
                Role::Warn,
            ));
        }
        let begin = format!("Broadcast to {plain} (y)");
        let labels: Vec<&str> = self
            .choices()
            .iter()
            .map(|choice| match choice {
                Choice::Cancel => "Cancel",
                Choice::Begin => begin.as_str(),
                Choice::Add => "Add production (p)",
            })
            .collect();
        let sheet = Sheet {
            title: "broadcast?",
            border: if plain < all {
                Role::Prod
            } else {
                Role::BorderFocus
            },
            head,
            body: body.collect(),
            more: 0,
            foot,
            buttons: if adding { &[] } else { &labels },
            chosen: self.chosen,
            hint: if adding { "" } else { "arrows, Enter; Esc" },
        };
        let line = sheet.draw(painter, area);
        let field = self.word.as_ref()?;
        field.draw(painter, line, Role::Prompt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::session_id;

    fn candidate(name: &str, production: bool) -> Candidate {
        Candidate {
            session: session_id(name),
            name: name.to_owned(),
            environment: None,
            production,
            full_screen: false,
        }
    }

    fn begun(candidates: &[(&str, bool)], keys: &str) -> Option<usize> {
        let candidates = candidates.iter();
        let mut sheet = BroadcastSheet::new(
            candidates
                .map(|(name, production)| candidate(name, *production))
                .collect(),
        );
        for key in keys.split(' ') {
            let key: Key = key.parse().expect("the test's key is sound");
            match sheet.key(key) {
                Reaction::Then(After::Do(Act::Guard(GuardOrder::Begin { members, .. }))) => {
                    return Some(members.len());
                }
                Reaction::Stay => {}
                _ => return None,
            }
        }
        None
    }

    #[test]
    fn production_is_added_by_its_word_only() {
        let mixed = [("a", false), ("b", false), ("c", true)];
        let typed = "p r o d u c t i o n Enter";
        for (candidates, keys, expected) in [
            (&mixed[..], "Enter".to_owned(), None),
            (&mixed, "y".to_owned(), Some(2)),
            (&mixed, format!("p {typed}"), Some(3)),
            (&mixed, "p p r o d Enter".to_owned(), None),
            (&mixed, "p Enter".to_owned(), None),
            (&mixed, "p y Enter".to_owned(), None),
            (&mixed[..2], "p p r o d u c t i o n Enter".to_owned(), None),
            (&mixed[..2], "Right Enter".to_owned(), Some(2)),
            (&mixed[1..], "y".to_owned(), None),
            (&mixed[1..], format!("p {typed}"), Some(2)),
        ] {
            assert_eq!(begun(candidates, &keys), expected, "{candidates:?} {keys}");
        }
    }
}
