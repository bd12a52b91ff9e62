//! Ticket queries: the same in the UI, the command line and saved views.

use super::ticket::{TicketKind, TicketState};
use super::time::Time;

/// A query: every term must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// The terms, in the order typed. None matches every ticket.
    pub terms: Vec<Term>,
}

/// One term.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// Preceded by `-`: must not hold.
    pub negate: bool,
    /// What must hold.
    pub test: Test,
}

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// No sign, or `=`.
    Equal,
    /// `>=`
    AtLeast,
    /// `>`
    More,
}

/// What a term asks. A list holds when any of its members does.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// `state:open,new`
    State(Vec<TicketState>),
    /// `prio:<=2`
    Priority(Compare, u8),
    /// `kind:incident`
    Kind(Vec<TicketKind>),
    /// `queue:net`
    Queue(Vec<String>),
    /// `owner:me`, already replaced by the name; `None` stands for `owner:none`.
    Owner(Vec<Option<String>>),
    /// `requester:ann`
    Requester(Vec<String>),
    /// `host:web1`; globs allowed.
    Host(Vec<String>),
    /// `tag:db`; globs allowed.
    Tag(Vec<String>),
    /// `due:<2d`, made absolute: due before then.
    Due(Compare, Time),
    /// `created:<2d`: younger than two days, made absolute as created after then.
    Created(Compare, Time),
    /// `updated:>1w`, made absolute in the same way.
    Updated(Compare, Time),
    /// A bare word or a quoted phrase, anywhere in title, body or comments; letter case does not matter.
    Text(String),
}
