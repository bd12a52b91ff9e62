//! The keys of the player of recordings. Where the recording is read as text, those that scroll scroll.

use super::layers::Layer;
use super::layers::prompt::Prompt;
use super::list::Moves;
use super::view::View;
use super::{Intent, Ui};
use crate::command::{Command, Playing, ReelVerb, SessionCommand};
use crate::model::Model;
use crate::term::deck::DeckAsk;

impl Ui {
    /// Plays the recording of the line that is selected.
    pub(super) fn play_found(&self, model: &Model) -> Vec<Intent> {
        let play = self.views.found.play(model);
        play.map(Intent::Command).into_iter().collect()
    }

    pub(super) fn reel(&mut self, model: &Model, verb: &ReelVerb) -> Vec<Intent> {
        let View::Recording(reference) = &self.view else {
            self.refused = Some("No recording is shown here.".to_owned());
            return Vec::new();
        };
        let reference = reference.clone();
        let page = &mut self.views.recording;
        let playing = page.plays(model, &reference);
        let ask = match verb {
            ReelVerb::Text => {
                page.text = playing;
                return Vec::new();
            }
            ReelVerb::Seek(by @ (60 | -60)) if !playing => {
                page.scroll.step(if *by > 0 { -1 } else { 1 });
                return Vec::new();
            }
            ReelVerb::Find(None) => {
                let prompt = Prompt::command("replay find ", self.history.clone(), None);
                self.layers.push(Layer::Prompt(Box::new(prompt)));
                return Vec::new();
            }
            ReelVerb::Again => match &page.wanted {
                Some(wanted) => DeckAsk::Find(wanted.clone()),
                None => {
                    self.refused = Some("Nothing was looked for yet.".to_owned());
                    return Vec::new();
                }
            },
            ReelVerb::Find(Some(text)) => {
                page.wanted = Some(text.clone());
                DeckAsk::Find(text.clone())
            }
            ReelVerb::Toggle => DeckAsk::Toggle,
            ReelVerb::Step(by) => DeckAsk::Step(i64::from(*by)),
            ReelVerb::Seek(by) => DeckAsk::Seek(i64::from(*by) * 1_000),
            ReelVerb::Marker(by) => DeckAsk::Marker(i64::from(*by)),
            ReelVerb::Speed(by) => DeckAsk::Speed(i64::from(*by)),
        };
        page.text = false;
        let known = model.reel.as_ref();
        if known.is_some_and(|reel| reel.reference == reference) {
            return vec![Intent::Reel(reference, ask)];
        }
        let how = Playing::default();
        let replay = SessionCommand::Replay {
            reference: reference.clone(),
            how,
        };
        let mut intents = vec![Intent::Command(Command::Session(replay))];
        // What begins to play need not be told to.
        if ask != DeckAsk::Toggle {
            intents.push(Intent::Reel(reference, ask));
        }
        intents
    }
}
