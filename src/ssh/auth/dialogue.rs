//! Logging in by what a person knows: passwords, and the questions of keyboard-interactive (RFC 4256).

use russh::client::{AuthResult, KeyboardInteractiveAuthResponse, Prompt};
use russh::{MethodKind, MethodSet};
use secrecy::{ExposeSecret, SecretString};

use crate::domain::text;
use crate::ssh::ask::Reply;
use crate::ssh::error::Error;
use crate::ssh::fact::{QuestionKind, SshFact};

use super::{Attempt, Login, Outcome};

/// How many rounds of questions a server may go through in one keyboard-interactive attempt.
const ROUNDS: usize = 20;

/// How much of a server's words stands in one question, in characters; a screen holds no more.
const WORDS: usize = 2000;

/// Before a question that is asked again.
pub(super) const WRONG: &str = "That was not right. ";

impl Login<'_> {
    pub(super) fn may_ask(&self) -> bool {
        self.asker.asking.is_someone() && !self.settings.batch
    }

    /// Asks for something that is not shown.
    pub(super) async fn secret(&mut self, prompt: String) -> Option<SecretString> {
        let prompt = self.after_banner(prompt);
        match self.asker.ask(QuestionKind::Secret { prompt }).await {
            Some(Reply::Text(text)) => Some(text),
            Some(Reply::Yes | Reply::No) | None => None,
        }
    }

    /// The banner belongs before the first question: it may say what is asked, or who may answer.
    fn after_banner(&mut self, prompt: String) -> String {
        let banner = self.ears.seen.lock().banner.clone();
        if self.banner_told || banner.is_empty() {
            return prompt;
        }
        self.banner_told = true;
        let banner: String = banner.chars().take(WORDS).collect();
        format!("{banner}\n{prompt}")
    }

    pub(super) async fn password(&mut self) -> Attempt {
        if !self.may_ask() {
            self.person = true;
            self.tried
                .push("password (left out: nobody may be asked)".to_owned());
            return Ok(Outcome::No(MethodSet::empty()));
        }
        let mut allowed = MethodSet::empty();
        for attempt in 0..self.settings.password_prompts.max(1) {
            let again = if attempt > 0 { WRONG } else { "" };
            let prompt = format!(
                "{again}Password of {} on {}:",
                self.settings.user, self.asker.hop
            );
            let Some(password) = self.secret(prompt).await else {
                self.tried.push("password (not given)".to_owned());
                break;
            };
            let user = self.settings.user.clone();
            self.asker.patience.restart();
            // The library wipes its copy when the request was sent.
            let work = self
                .handle
                .authenticate_password(user, password.expose_secret());
            let result = self.asker.patience.within(work).await;
            let result = match result {
                // A request to change the password gets no further here: the library leaves it unanswered.
                Err(late) => {
                    return Err(Error::Timeout {
                        hop: self.settings.place(),
                        seconds: late.seconds,
                        doing: "checking the password",
                        hint: "it may want a new password, which is chosen with the system's ssh; or its user database is out of reach",
                    });
                }
                answered => answered,
            };
            match self.outcome(result, "password")? {
                Outcome::No(methods) => {
                    let again = methods.contains(&MethodKind::Password);
                    allowed = methods;
                    if !again || self.handle.is_closed() {
                        break;
                    }
                }
                other => return Ok(other),
            }
        }
        Ok(Outcome::No(allowed))
    }

    pub(super) async fn interactive(&mut self) -> Attempt {
        const LABEL: &str = "keyboard-interactive";
        if !self.may_ask() {
            self.person = true;
            self.tried
                .push(format!("{LABEL} (left out: nobody may be asked)"));
            return Ok(Outcome::No(MethodSet::empty()));
        }
        let mut allowed = MethodSet::empty();
        for _ in 0..self.settings.password_prompts.max(1) {
            match self.dialogue(LABEL).await? {
                Outcome::No(methods) => {
                    let again = methods.contains(&MethodKind::KeyboardInteractive);
                    allowed = methods;
                    if !again || self.handle.is_closed() {
                        break;
                    }
                }
                other => return Ok(other),
            }
        }
        Ok(Outcome::No(allowed))
    }

    /// One keyboard-interactive attempt: any number of questions, even none, until the server has decided.
    async fn dialogue(&mut self, label: &str) -> Attempt {
        let user = self.settings.user.clone();
        self.asker.patience.restart();
        let work = self
            .handle
            .authenticate_keyboard_interactive_start(user, None::<String>);
        let mut result = self.asker.patience.within(work).await;
        for _ in 0..ROUNDS {
            let request = match result {
                Ok(Ok(KeyboardInteractiveAuthResponse::InfoRequest {
                    name,
                    instructions,
                    prompts,
                })) => (name, instructions, prompts),
                Ok(Ok(KeyboardInteractiveAuthResponse::Success)) => {
                    return Ok(Outcome::In(label.to_owned()));
                }
                Ok(Ok(KeyboardInteractiveAuthResponse::Failure {
                    remaining_methods,
                    partial_success,
                })) => {
                    let failure = AuthResult::Failure {
                        remaining_methods,
                        partial_success,
                    };
                    return self.outcome::<russh::Error>(Ok(Ok(failure)), label);
                }
                Ok(Err(why)) => return self.outcome(Ok(Err(why)), label),
                Err(late) => return Err(self.late(&late)),
            };
            let (name, instructions, prompts) = request;
            let Some(responses) = self.respond(&name, &instructions, prompts).await else {
                self.tried.push(format!("{label} (not answered)"));
                // The server waits for an answer, and the library for ours; whoever closed the question wants no login.
                return Ok(Outcome::Over);
            };
            self.asker.patience.restart();
            let work = self
                .handle
                .authenticate_keyboard_interactive_respond(responses);
            result = self.asker.patience.within(work).await;
        }
        self.tried
            .push(format!("{label} (the server did not come to an end)"));
        Ok(Outcome::Over)
    }

    /// The answers to one request; a request without prompts has an empty answer, which must be sent all the same.
    async fn respond(
        &mut self,
        name: &str,
        instructions: &str,
        prompts: Vec<Prompt>,
    ) -> Option<Vec<String>> {
        if prompts.is_empty() {
            self.say(&whole(&[name, instructions])).await;
        }
        let mut answers = Vec::with_capacity(prompts.len());
        for asked in prompts {
            let prompt = self.after_banner(whole(&[name, instructions, &asked.prompt]));
            let kind = if asked.echo {
                QuestionKind::Text { prompt }
            } else {
                QuestionKind::Secret { prompt }
            };
            match self.asker.ask(kind).await {
                Some(Reply::Text(text)) => answers.push(text.expose_secret().to_owned()),
                Some(Reply::Yes) => answers.push(String::new()),
                Some(Reply::No) | None => return None,
            }
        }
        Some(answers)
    }

    /// Tells words that ask for no answer, such as where to approve the login.
    async fn say(&self, words: &str) {
        if words.is_empty() {
            return;
        }
        let fact = SshFact::Said {
            target: self.asker.target.clone(),
            hop: self.asker.hop.clone(),
            text: words.to_owned(),
        };
        self.asker.questions.tell(fact).await;
    }
}

/// What a server says around one question, made harmless and of a length that can be read.
fn whole(parts: &[&str]) -> String {
    let parts: Vec<String> = parts
        .iter()
        .map(|part| part.trim())
        .filter(|part| !part.is_empty())
        .map(|part| text::block(&part.chars().take(WORDS).collect::<String>()))
        .collect();
    parts.join("\n")
}
