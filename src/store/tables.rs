//! Every table of the newest schema, once: what it is for, how the doctor compares it with the log, how `--size` reports it.
//! Whoever needs a list of tables takes it from here; a test holds it against the schema.

/// What a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// The log, or what belongs to it: nothing else can make it anew.
    Log,
    /// Folded from the log: which cells are compared, and in which order. Row numbers say only what came first.
    Folded {
        /// In words, for the doctor.
        words: &'static str,
        /// All rows, without those numbers.
        rows: &'static str,
        /// An order that does not depend on them.
        order: &'static str,
    },
    /// The index of words, which goes and comes with its tickets.
    Index,
    /// Of this machine alone, in no log.
    Own,
}

/// One table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) sort: Sort,
    /// Under which name its bytes are reported.
    pub(super) kind: &'static str,
    /// Its rows are those that the report counts for the kind.
    pub(super) counted: bool,
}

const fn table(name: &'static str, kind: &'static str, counted: bool, sort: Sort) -> Table {
    Table {
        name,
        sort,
        kind,
        counted,
    }
}

const fn folded(words: &'static str, rows: &'static str, order: &'static str) -> Sort {
    Sort::Folded { words, rows, order }
}

// tidy: table
/// In the order of the reports.
pub(super) const TABLES: &[Table] = &[
    table("op", "log", true, Sort::Log),
    table("vv", "log", false, Sort::Log),
    table(
        "purged",
        "log",
        false,
        folded("purges", "SELECT * FROM purged", "dev, seq, digest"),
    ),
    table("early", "ahead of the logs", true, Sort::Log),
    table(
        "ticket",
        "tickets",
        true,
        folded(
            "tickets",
            "SELECT id, ref, title, body, state, priority, kind, queue, owner, requester, due, wait_until, created, born,
             moved, updated, archived FROM ticket",
            "id",
        ),
    ),
    table(
        "conflict",
        "tickets",
        false,
        folded("conflicts", "SELECT * FROM conflict", "ent, kind, field, dev"),
    ),
    table(
        "note",
        "comments",
        true,
        folded(
            "comments",
            "SELECT dev, seq, id, ent, kind, sort, author, text, at FROM note",
            "dev, seq",
        ),
    ),
    table(
        "reg",
        "fields",
        true,
        folded("fields", "SELECT * FROM reg", "ent, kind, field, dev"),
    ),
    table(
        "flag",
        "fields",
        false,
        folded("sets", "SELECT * FROM flag", "ent, kind, set_name, member"),
    ),
    table("ticket_fts", "search index", false, Sort::Index),
    table("ticket_fts_data", "search index", false, Sort::Index),
    table("ticket_fts_idx", "search index", false, Sort::Index),
    table("ticket_fts_docsize", "search index", false, Sort::Index),
    table("ticket_fts_config", "search index", false, Sort::Index),
    table(
        "case_event",
        "entries",
        true,
        folded("entries", "SELECT * FROM case_event", "id"),
    ),
    table(
        "case_part",
        "entries",
        false,
        folded("parts of entries", "SELECT * FROM case_part", "id, hlc, dev, seq"),
    ),
    table("run", "runs", true, folded("runs", "SELECT * FROM run", "id")),
    table(
        "run_step",
        "run outputs",
        true,
        folded("steps", "SELECT * FROM run_step", "run, host, step"),
    ),
    table(
        "session",
        "sessions",
        true,
        folded("sessions", "SELECT * FROM session", "id"),
    ),
    table(
        "session_shared",
        "sessions",
        false,
        folded("shared recordings", "SELECT * FROM session_shared", "id, dev"),
    ),
    table(
        "login",
        "sessions",
        false,
        folded("logins", "SELECT * FROM login", "host, dev, hlc"),
    ),
    table("host", "hosts", true, folded("hosts", "SELECT * FROM host", "id")),
    table("host_state", "hosts", false, Sort::Own),
    table("sample", "samples", true, Sort::Own),
    table("effective_cache", "caches", false, Sort::Own),
    table("effective_file", "caches", false, Sort::Own),
    table("kept", "caches", false, Sort::Own),
    table("cursor", "caches", false, Sort::Own),
    table("meta", "caches", false, Sort::Own),
];

/// The tables that are folded from the log.
pub(super) fn folded_names() -> impl Iterator<Item = &'static str> {
    TABLES
        .iter()
        .filter(|table| matches!(table.sort, Sort::Folded { .. }))
        .map(|table| table.name)
}
