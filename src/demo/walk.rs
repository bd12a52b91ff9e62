//! The story of the demo, walked without a screen: import, look, open a ticket, connect, run, prove, close.
//!
//! A chapter is told as done only by what a second reader finds in the store, never by what was intended.

use std::fmt;
use std::time::Duration;

use crate::app::start;
use crate::command::{
    Answer as Told, Command, HostCommand, RunCommand, RunStart, SessionCommand, TicketChange,
    TicketCommand,
};
use crate::domain::case::EntryKind;
use crate::domain::check::HostState;
use crate::domain::host::Host;
use crate::domain::run::RunState;
use crate::domain::session::SessionRow;
use crate::domain::ticket::{Priority, Ticket, TicketState};
use crate::store::{Answer, Ask, Store};

use super::stage::Stage;

/// How long a chapter may take; the whole story must stay under half a minute.
const PATIENCE: Duration = Duration::from_secs(12);

/// What the runbook of the story is called, and the hosts it runs on.
const BOOK: &str = "disk-space";
const HOSTS: &str = "web1,web2,app1";

/// The chapters, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chapter {
    /// The inventory is imported from an ssh_config.
    Import,
    /// Health is probed, and the ill hosts are found.
    Look,
    /// A ticket is opened for the host that is ill.
    Ticket,
    /// A session is opened through the bastion, for the ticket.
    Connect,
    /// A runbook runs on three hosts, for the ticket.
    Run,
    /// The host is well again, and the ticket is closed with what was done.
    Close,
}

impl Chapter {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Import,
        Self::Look,
        Self::Ticket,
        Self::Connect,
        Self::Run,
        Self::Close,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Look => "look",
            Self::Ticket => "ticket",
            Self::Connect => "connect",
            Self::Run => "run",
            Self::Close => "close",
        }
    }
}

/// What a chapter came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Done, with the evidence from the store.
    Ok(String),
    /// Not done; says what is missing.
    Failed(String),
    /// Not walked, because a chapter before it left nothing to go on with.
    Skipped(String),
}

/// One line of the check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Which chapter.
    pub chapter: Chapter,
    /// What it came to.
    pub verdict: Verdict,
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.chapter.name();
        match &self.verdict {
            Verdict::Ok(evidence) => write!(f, "{name:<8} {evidence}  ok"),
            Verdict::Failed(why) => write!(f, "{name:<8} {why}  FAILED"),
            Verdict::Skipped(why) => write!(f, "{name:<8} {why}  skipped"),
        }
    }
}

/// The story on a stage, and the second reader of the store.
pub struct Walk<'a> {
    stage: &'a Stage,
    store: Store,
    ticket: Option<String>,
}

impl<'a> Walk<'a> {
    /// Opens the store for reading, beside the app that writes it.
    ///
    /// # Errors
    /// The store cannot be opened.
    pub fn on(stage: &'a Stage) -> Result<Self, String> {
        let store = start::open_store(&stage.places, true, None).map_err(|why| why.to_string())?;
        Ok(Self {
            stage,
            store,
            ticket: None,
        })
    }

    /// Walks one chapter.
    pub async fn walk(&mut self, chapter: Chapter) -> Page {
        let told = tokio::time::timeout(PATIENCE, self.tell(chapter)).await;
        let verdict = match told {
            Ok(Ok(evidence)) => Verdict::Ok(evidence),
            Ok(Err(Stop::Failed(why))) => Verdict::Failed(why),
            Ok(Err(Stop::Skipped(why))) => Verdict::Skipped(why),
            Err(_) => Verdict::Failed(format!("took longer than {} s", PATIENCE.as_secs())),
        };
        Page { chapter, verdict }
    }

    async fn tell(&mut self, chapter: Chapter) -> Result<String, Stop> {
        match chapter {
            Chapter::Import => self.import().await,
            Chapter::Look => self.look().await,
            Chapter::Ticket => self.open().await,
            Chapter::Connect => self.connect().await,
            Chapter::Run => self.run().await,
            Chapter::Close => self.close().await,
        }
    }

    async fn import(&self) -> Result<String, Stop> {
        self.ask(self.stage.import()).await?;
        let hosts = self.hosts().await?;
        let expected = self.stage.fleet().hosts();
        for wanted in expected {
            let host = hosts
                .iter()
                .find(|host| host.name == wanted.name)
                .ok_or_else(|| failed(format!("{} is not in the inventory", wanted.name)))?;
            if !host.source.contains_key("name") {
                return Err(failed(format!(
                    "nothing says which line named {}",
                    host.name
                )));
            }
        }
        let behind = hosts.iter().filter(|host| !host.jump.is_empty()).count();
        Ok(format!(
            "{} hosts, {behind} of them behind the bastion: {}",
            hosts.len(),
            names(&hosts)
        ))
    }

    async fn look(&self) -> Result<String, Stop> {
        self.need_hosts().await?;
        self.ask(Command::Host(HostCommand::Health {
            pattern: None,
            watch: false,
        }))
        .await?;
        let hosts = self.hosts().await?;
        let mut found = Vec::new();
        for (name, state, sign) in [
            ("web2", HostState::Crit, "disk"),
            ("db1", HostState::Crit, "load"),
            ("legacy1", HostState::Unreachable, ""),
            ("web1", HostState::Ok, ""),
        ] {
            let host = hosts
                .iter()
                .find(|host| host.name == name)
                .ok_or_else(|| failed(format!("{name} is not in the inventory")))?;
            let reasons = self.reasons(host).await?;
            if host.state != state {
                return Err(failed(format!(
                    "{name} is {} and not {state}: {}",
                    host.state,
                    reasons.join(", ")
                )));
            }
            if !sign.is_empty() {
                let reason = reasons
                    .iter()
                    .find(|reason| reason.contains(sign))
                    .ok_or_else(|| failed(format!("nothing is said about {name}'s {sign}")))?;
                found.push(format!("{name} {state} ({reason})"));
            } else if state != HostState::Ok {
                found.push(format!("{name} {state}"));
            }
        }
        let well = hosts
            .iter()
            .filter(|host| host.state == HostState::Ok)
            .count();
        Ok(format!("{}, {well} well", found.join(", ")))
    }

    async fn open(&mut self) -> Result<String, Stop> {
        let hosts = self.need_hosts().await?;
        let ill = hosts
            .iter()
            .find(|host| host.name == "web2")
            .ok_or_else(|| failed("web2 is not in the inventory"))?;
        let reasons = self.reasons(ill).await?;
        let change = TicketChange {
            priority: Priority::new(1),
            host: vec!["web2".to_owned()],
            tag: vec!["disk".to_owned()],
            body: Some(reasons.join("\n")),
            ..TicketChange::default()
        };
        let title = "web2 has no room left".to_owned();
        let Told::Ticket(told) = self
            .ask(Command::Ticket(TicketCommand::Add { title, change }))
            .await?
        else {
            return Err(failed("adding a ticket did not answer with it"));
        };
        let ticket = self.ticket(&told.reference).await?;
        if ticket.hosts != ["web2"] || ticket.priority.level() != 1 {
            return Err(failed(format!(
                "{} does not hold what was asked for",
                ticket.reference
            )));
        }
        self.ticket = Some(ticket.reference.clone());
        Ok(format!(
            "{} {:?} on {}, priority {}",
            ticket.reference,
            ticket.title,
            ticket.hosts.join(","),
            ticket.priority
        ))
    }

    async fn connect(&self) -> Result<String, Stop> {
        let reference = self.need_ticket()?;
        let open = SessionCommand::Open {
            host: "web2".to_owned(),
            ticket: Some(reference.clone()),
        };
        let Told::Opened {
            reference: session, ..
        } = self.ask(Command::Session(open)).await?
        else {
            return Err(failed("opening a session did not answer with it"));
        };
        let text = "echo I am on $(hostname); exit\n".to_owned();
        self.ask(Command::Session(SessionCommand::Send {
            reference: session.clone(),
            text,
            keys: Vec::new(),
        }))
        .await?;
        let row = self.closed(&session).await?;
        let ticket = self.ticket(&reference).await?;
        let entry = ticket.entries.iter().find(|entry| {
            entry.kind == EntryKind::Session && entry.session.as_deref() == Some(session.as_str())
        });
        if entry.is_none() {
            return Err(failed(format!("{session} is not on {reference}")));
        }
        if row.bytes == 0 || row.exit != Some(0) {
            return Err(failed(format!(
                "{session} ended with exit {:?} and {} bytes recorded",
                row.exit, row.bytes
            )));
        }
        let Told::Session { text, .. } = self
            .ask(Command::Session(SessionCommand::Show {
                reference: session.clone(),
            }))
            .await?
        else {
            return Err(failed("showing a session did not answer with it"));
        };
        if !text.contains("I am on web2") {
            return Err(failed(format!(
                "the recording of {session} does not show what the host said"
            )));
        }
        let hosts = self.hosts().await?;
        let jump = hosts
            .iter()
            .find(|host| host.name == "web2")
            .map(|host| host.jump.join(","))
            .unwrap_or_default();
        Ok(format!(
            "{session} on web2 by {jump}, exit 0, {} bytes recorded, on {reference}",
            row.bytes
        ))
    }

    /// The session once its end is durable; the store says so, so nobody has to wait for a time.
    async fn closed(&self, session: &str) -> Result<SessionRow, Stop> {
        loop {
            let Answer::Session(row) = self
                .read(Ask::Session {
                    reference: session.to_owned(),
                })
                .await?
            else {
                return Err(failed("no session came back"));
            };
            if row.closed.is_some() {
                return Ok(*row);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn run(&self) -> Result<String, Stop> {
        let reference = self.need_ticket()?;
        let start = RunStart {
            book: BOOK.to_owned(),
            pattern: HOSTS.to_owned(),
            ticket: Some(reference.clone()),
            ..RunStart::default()
        };
        let Told::Run(told) = self.ask(Command::Run(RunCommand::Start(start))).await? else {
            return Err(failed("the run did not answer with itself"));
        };
        let Answer::Run(run) = self
            .read(Ask::Run {
                reference: told.reference.clone(),
            })
            .await?
        else {
            return Err(failed("no run came back"));
        };
        let bad = run
            .cells
            .iter()
            .find(|cell| cell.exit.is_some_and(|exit| exit != 0));
        if let Some(cell) = bad {
            return Err(failed(format!(
                "{}: {} on {} ended with exit {}",
                run.reference,
                cell.step,
                cell.host,
                cell.exit.unwrap_or(-1)
            )));
        }
        if run.state != RunState::Ok || run.tally.ok != 3 {
            return Err(failed(format!(
                "{} is {}: {} of 3 hosts are done",
                run.reference, run.state, run.tally.ok
            )));
        }
        let ticket = self.ticket(&reference).await?;
        if !ticket.entries.iter().any(|entry| {
            entry.kind == EntryKind::Run && entry.run.as_deref() == Some(run.reference.as_str())
        }) {
            return Err(failed(format!("{} is not on {reference}", run.reference)));
        }
        let exits = run.cells.iter().filter(|cell| cell.exit == Some(0)).count();
        Ok(format!(
            "{} {} on {}: {exits} steps with exit 0, on {reference}",
            run.reference,
            run.book,
            run.hosts.join(",")
        ))
    }

    async fn close(&self) -> Result<String, Stop> {
        let reference = self.need_ticket()?;
        self.ask(Command::Host(HostCommand::Health {
            pattern: Some("web2".to_owned()),
            watch: false,
        }))
        .await?;
        let hosts = self.hosts().await?;
        let host = hosts
            .iter()
            .find(|host| host.name == "web2")
            .ok_or_else(|| failed("web2 is not in the inventory"))?;
        if host.state != HostState::Ok {
            let reasons = self.reasons(host).await?;
            return Err(failed(format!(
                "web2 is still {}: {}",
                host.state,
                reasons.join(", ")
            )));
        }
        let change = TicketChange {
            state: Some(TicketState::Resolved),
            comment: Some("Old logs removed; web2 is well again.".to_owned()),
            ..TicketChange::default()
        };
        self.ask(Command::Ticket(TicketCommand::Edit {
            reference: reference.clone(),
            change,
        }))
        .await?;
        let ticket = self.ticket(&reference).await?;
        if ticket.state != TicketState::Resolved {
            return Err(failed(format!("{reference} is {}", ticket.state)));
        }
        let kinds: Vec<&str> = ticket
            .entries
            .iter()
            .map(|entry| entry.kind.word())
            .collect();
        Ok(format!(
            "{reference} {}, web2 {}, {} entries: {}",
            ticket.state,
            host.state,
            kinds.len(),
            kinds.join(" ")
        ))
    }

    async fn ask(&self, command: Command) -> Result<Told, Stop> {
        let outcome = self
            .stage
            .ask(command)
            .await
            .map_err(|why| failed(why.to_string()))?;
        match outcome.answer {
            Told::Error(why) => Err(failed(why)),
            Told::Diagnostics(findings) => Err(failed(
                findings
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join("; "),
            )),
            answer => Ok(answer),
        }
    }

    async fn read(&self, ask: Ask) -> Result<Answer, Stop> {
        let store = self.store.clone();
        let answer = tokio::task::spawn_blocking(move || store.ask_wait(ask)).await;
        answer
            .map_err(|why| failed(why.to_string()))?
            .map_err(|why| failed(why.to_string()))
    }

    async fn hosts(&self) -> Result<Vec<Host>, Stop> {
        match self.read(Ask::Hosts).await? {
            Answer::Hosts(hosts) => Ok(hosts),
            _ => Err(failed("no hosts came back")),
        }
    }

    async fn need_hosts(&self) -> Result<Vec<Host>, Stop> {
        let hosts = self.hosts().await?;
        if hosts.is_empty() {
            Err(Stop::Skipped("the inventory is empty".to_owned()))
        } else {
            Ok(hosts)
        }
    }

    fn need_ticket(&self) -> Result<String, Stop> {
        self.ticket
            .clone()
            .ok_or_else(|| Stop::Skipped("there is no ticket".to_owned()))
    }

    async fn ticket(&self, reference: &str) -> Result<Ticket, Stop> {
        match self
            .read(Ask::Ticket {
                reference: reference.to_owned(),
            })
            .await?
        {
            Answer::Ticket(ticket) => Ok(*ticket),
            _ => Err(failed("no ticket came back")),
        }
    }

    async fn reasons(&self, host: &Host) -> Result<Vec<String>, Stop> {
        match self.read(Ask::HostState { host: host.id }).await? {
            Answer::HostState(Some((_, _, reasons))) => Ok(reasons),
            _ => Ok(Vec::new()),
        }
    }
}

/// Why a chapter ended early.
enum Stop {
    Failed(String),
    Skipped(String),
}

fn failed(why: impl Into<String>) -> Stop {
    Stop::Failed(why.into().replace('\n', "; "))
}

fn names(hosts: &[Host]) -> String {
    hosts
        .iter()
        .map(|host| host.name.as_str())
        .collect::<Vec<_>>()
        .join(" ")
}
