//! Calls: a statement or two in one round trip, repeated while that may help, within one deadline.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, Row};

use super::address::Address;
use super::link::{Link, connect};
use super::sql;
use super::surroundings::Surroundings;
use super::words::{Teller, Verdict};
use crate::sync::random::{SystemRandom, draw};
use crate::sync::remote::RemoteError;

/// How often a call is made before its error is told.
const ATTEMPTS: u32 = 6;
/// The first pause between two attempts; each is twice as long as the one before, give or take half.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a call may take that moves little, with connecting and all repetitions.
pub(crate) const SHORT: Duration = Duration::from_secs(60);
/// How long a call may take that moves a segment. A little less than the engine waits, so that the words are ours.
pub(crate) const LONG: Duration = Duration::from_secs(115);
/// What a listing may bring.
pub(crate) const LISTING: usize = 64 << 20;

/// A parameter.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(String),
    Bytes(Vec<u8>),
    Number(i64),
    Texts(Vec<String>),
}

impl Value {
    fn typed(&self) -> (&(dyn ToSql + Sync), Type) {
        match self {
            Self::Text(text) => (text, Type::TEXT),
            Self::Bytes(bytes) => (bytes, Type::BYTEA),
            Self::Number(number) => (number, Type::INT8),
            Self::Texts(texts) => (texts, Type::TEXT_ARRAY),
        }
    }
}

/// A statement of [`sql`] with its parameters.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) text: &'static str,
    pub(crate) values: Vec<Value>,
}

impl Statement {
    /// Sends it as one group of messages under no name: parse, bind, execute, end. So it takes one round trip, and nothing of
    /// it stays on a connection that a pooler may give to somebody else. Answers rows, and how many were written.
    async fn run(&self, client: &Client) -> Result<(Vec<Row>, u64), Error> {
        let values: Vec<_> = self.values.iter().map(Value::typed).collect();
        // A statement that gives rows says in them what came of it.
        if self.text.starts_with("SELECT") || self.text.starts_with("WITH") {
            Ok((client.query_typed(self.text, &values).await?, 0))
        } else {
            let written = client.execute_typed(self.text, &values).await?;
            Ok((Vec::new(), written))
        }
    }
}

/// What a call asks.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// What it does, for people.
    pub(crate) attempt: String,
    pub(crate) limit: Duration,
    /// The most bytes that the answer may have.
    pub(crate) bytes: usize,
    /// Sent right before the statement and not waited for; what comes of it does not matter.
    pub(crate) before: Option<Statement>,
    pub(crate) statement: Statement,
}

/// The calls to one database, over one connection that many calls share.
#[derive(Debug)]
pub(crate) struct Calls {
    pub(crate) address: Address,
    around: Surroundings,
    link: Mutex<Option<Arc<Link>>>,
    /// A pooler does not take settings; found out once.
    plain: AtomicBool,
    /// Whether missing tables are made.
    pub(crate) make: bool,
}

impl Calls {
    pub(crate) fn new(address: Address, around: Surroundings) -> Self {
        Self {
            address,
            around,
            link: Mutex::new(None),
            plain: AtomicBool::new(false),
            make: false,
        }
    }

    fn teller<'a>(&'a self, attempt: &'a str) -> Teller<'a> {
        Teller {
            address: &self.address,
            attempt,
        }
    }

    /// Makes a call. Every statement may be repeated, so one is whose fate is unknown.
    pub(crate) async fn ask(&self, call: &Call) -> Result<(Vec<Row>, u64), RemoteError> {
        self.bounded(call, self.make).await
    }

    /// The same; tables that are missing are made.
    pub(crate) async fn ask_making(&self, call: &Call) -> Result<(Vec<Row>, u64), RemoteError> {
        self.bounded(call, true).await
    }

    async fn bounded(&self, call: &Call, make: bool) -> Result<(Vec<Row>, u64), RemoteError> {
        let teller = self.teller(&call.attempt);
        tokio::time::timeout(call.limit, self.insist(call, teller, make))
            .await
            .unwrap_or_else(|_| Err(teller.late(call.limit.as_secs())))
    }

    async fn insist(
        &self,
        call: &Call,
        teller: Teller<'_>,
        make: bool,
    ) -> Result<(Vec<Row>, u64), RemoteError> {
        let mut made = false;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let why = match self.once(call, teller).await {
                Ok(answer) => return Ok(answer),
                Err(Verdict::NoTables) if make && !made => {
                    made = true;
                    self.make_tables().await?;
                    continue;
                }
                Err(Verdict::NoTables) => return Err(teller.no_tables()),
                Err(Verdict::NoSettings) if !self.plain.swap(true, Ordering::SeqCst) => continue,
                Err(Verdict::NoSettings) => {
                    return Err(teller.failed("it takes no connections of this program".to_owned()));
                }
                Err(Verdict::Final(why)) => return Err(why),
                Err(Verdict::Again(why) | Verdict::Lost(why)) => why,
            };
            if attempt >= ATTEMPTS {
                return Err(why);
            }
            tokio::time::sleep(pause(attempt)).await;
        }
    }

    async fn once(&self, call: &Call, teller: Teller<'_>) -> Result<(Vec<Row>, u64), Verdict> {
        let link = self.link().await?;
        let flight = link.fly(call.bytes);
        let done = match &call.before {
            None => call.statement.run(&link.client).await,
            Some(before) => {
                // The first is sent first, and the server works in that order.
                let (_, done) = tokio::join!(
                    biased;
                    before.run(&link.client),
                    call.statement.run(&link.client)
                );
                done
            }
        };
        match done {
            Ok(answer) => {
                flight.land();
                Ok(answer)
            }
            Err(_) if link.burst() => Err(Verdict::Final(RemoteError::TooLong {
                name: call.attempt.clone(),
                place: self.address.place(),
            })),
            Err(why) => {
                let verdict = teller.statement(&why);
                // After an error in words the connection is in order; after any other it is not.
                if why.code().is_some() && !matches!(verdict, Verdict::Lost(_)) {
                    flight.land();
                }
                Err(verdict)
            }
        }
    }

    /// The connection, made when there is none that can be used. Others wait meanwhile, each within its own deadline.
    async fn link(&self) -> Result<Arc<Link>, Verdict> {
        let mut slot = self.link.lock().await;
        if let Some(link) = slot.as_ref().filter(|link| link.is_usable()) {
            return Ok(link.clone());
        }
        *slot = None;
        let settings = !self.plain.load(Ordering::SeqCst);
        let link = Arc::new(connect(&self.address, &self.around, settings).await?);
        *slot = Some(link.clone());
        Ok(link)
    }

    /// Makes the tables that are missing.
    async fn make_tables(&self) -> Result<(), RemoteError> {
        let attempt = "making the tables";
        let teller = self.teller(attempt);
        let work = async {
            // One statement at a time, since not every engine changes several tables in one transaction.
            for text in sql::SCHEMA.split_inclusive(';') {
                let text = text.trim();
                if text.is_empty() {
                    continue;
                }
                let call = Call {
                    attempt: attempt.to_owned(),
                    limit: SHORT,
                    bytes: 0,
                    before: None,
                    statement: Statement {
                        text,
                        values: Vec::new(),
                    },
                };
                self.made(&call, teller).await?;
            }
            Ok(())
        };
        tokio::time::timeout(SHORT, work)
            .await
            .unwrap_or_else(|_| Err(teller.late(SHORT.as_secs())))
    }

    async fn made(&self, call: &Call, teller: Teller<'_>) -> Result<(), RemoteError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let why = match self.once(call, teller).await {
                Ok(_) => return Ok(()),
                Err(Verdict::NoTables) => return Err(teller.no_tables()),
                Err(Verdict::NoSettings) if !self.plain.swap(true, Ordering::SeqCst) => continue,
                Err(Verdict::NoSettings) => return Err(teller.no_tables()),
                // Two programs that make the same table at once: one of them hears of it in one of these ways.
                Err(Verdict::Final(RemoteError::Failed { why, .. })) if attempt < ATTEMPTS => {
                    teller.failed(why)
                }
                Err(Verdict::Final(RemoteError::Denied { why, .. })) => {
                    return Err(teller.refused(
                        format!("{} may not create them ({why})", self.address.user),
                        "have who runs the database run the text in docs/user-guide/sync-postgres.md once".to_owned(),
                    ));
                }
                Err(Verdict::Final(why)) => return Err(why),
                Err(Verdict::Again(why) | Verdict::Lost(why)) => why,
            };
            if attempt >= ATTEMPTS {
                return Err(why);
            }
            tokio::time::sleep(pause(attempt)).await;
        }
    }
}

/// How long to wait after so many attempts. Jitter keeps fifty programs from coming back in step after a restart.
fn pause(attempt: u32) -> Duration {
    let grown = PAUSE * 2u32.saturating_pow(attempt.saturating_sub(1).min(8));
    // Without random bytes the middle serves.
    let [dice] = draw::<1>(&mut SystemRandom).unwrap_or([128]);
    grown / 2 + grown * u32::from(dice) / 256
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_differ() {
        for attempt in 1..8 {
            let middle = PAUSE * 2u32.pow(attempt - 1);
            let all: Vec<_> = (0..32).map(|_| pause(attempt)).collect();
            assert!(
                all.iter()
                    .all(|one| *one >= middle / 2 && *one <= middle * 3 / 2)
            );
            assert!(all.iter().any(|one| Some(one) != all.first()), "{all:?}");
        }
    }
}
