-- The first schema. This file is never edited; what changes later is a new file.
PRAGMA application_id = 1363428171; -- "QDCK"

-- Facts about this file that belong to no other table: the id of this device, the reading of its clock.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- The log: every operation of every device, byte for byte. `hash` chains the operations of a device.
CREATE TABLE op (
    n    INTEGER PRIMARY KEY,
    dev  BLOB NOT NULL,
    seq  INTEGER NOT NULL,
    hlc  INTEGER NOT NULL,
    body BLOB NOT NULL,
    hash BLOB NOT NULL,
    UNIQUE (dev, seq)
) STRICT;

-- How far each device's log goes here, without gaps, and the hash of its last operation.
CREATE TABLE vv (
    dev  BLOB PRIMARY KEY,
    seq  INTEGER NOT NULL,
    hash BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Everything below can be dropped and folded from the log again.

-- Registers, including those of fields and kinds that this program does not know. One row for each device that wrote,
-- or whose write was replaced: `named` is its highest replaced stamp, `hlc` is zero when its last write was replaced.
CREATE TABLE reg (
    ent   BLOB NOT NULL,
    kind  TEXT NOT NULL,
    field TEXT NOT NULL,
    dev   BLOB NOT NULL,
    named INTEGER NOT NULL,
    hlc   INTEGER NOT NULL,
    seq   INTEGER NOT NULL,
    val   BLOB,
    PRIMARY KEY (ent, kind, field, dev)
) STRICT, WITHOUT ROWID;

-- Members of sets; a member that was taken out stays as a row with `present` 0.
CREATE TABLE flag (
    ent      BLOB NOT NULL,
    kind     TEXT NOT NULL,
    set_name TEXT NOT NULL,
    member   TEXT NOT NULL,
    hlc      INTEGER NOT NULL,
    dev      BLOB NOT NULL,
    seq      INTEGER NOT NULL,
    present  INTEGER NOT NULL,
    PRIMARY KEY (ent, kind, set_name, member)
) STRICT, WITHOUT ROWID;
CREATE INDEX flag_member ON flag (kind, set_name, member) WHERE present = 1;

-- Comments and replies. Their id is derived from device and number.
CREATE TABLE note (
    n      INTEGER PRIMARY KEY,
    dev    BLOB NOT NULL,
    seq    INTEGER NOT NULL,
    id     BLOB NOT NULL,
    ent    BLOB NOT NULL,
    kind   TEXT NOT NULL,
    sort   TEXT NOT NULL,
    author TEXT NOT NULL,
    text   TEXT NOT NULL,
    at     INTEGER NOT NULL,
    UNIQUE (dev, seq)
) STRICT;
CREATE INDEX note_ent ON note (ent, at);
CREATE INDEX note_at ON note (at);

-- The writes of a register that stand at once and do not say the same.
CREATE TABLE conflict (
    ent   BLOB NOT NULL,
    kind  TEXT NOT NULL,
    field TEXT NOT NULL,
    dev   BLOB NOT NULL,
    seq   INTEGER NOT NULL,
    PRIMARY KEY (ent, kind, field, dev)
) STRICT, WITHOUT ROWID;

-- `born` and `moved` are the first and the last time that its fields or notes changed, `updated` takes in its events too;
-- `created` is what its author said.
CREATE TABLE ticket (
    n          INTEGER PRIMARY KEY,
    id         BLOB NOT NULL UNIQUE,
    ref        TEXT,
    title      TEXT NOT NULL DEFAULT '',
    body       TEXT NOT NULL DEFAULT '',
    state      TEXT NOT NULL DEFAULT 'new',
    priority   INTEGER NOT NULL DEFAULT 3,
    kind       TEXT NOT NULL DEFAULT 'task',
    queue      TEXT NOT NULL DEFAULT '',
    owner      TEXT,
    requester  TEXT,
    due        INTEGER,
    wait_until INTEGER,
    created    INTEGER,
    born       INTEGER NOT NULL,
    moved      INTEGER NOT NULL,
    updated    INTEGER NOT NULL,
    archived   INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX ticket_ref ON ticket (ref);
CREATE INDEX ticket_created ON ticket (coalesce(created, born));
CREATE INDEX ticket_state ON ticket (state);
CREATE INDEX ticket_due ON ticket (due) WHERE due IS NOT NULL;

-- The words of a ticket; the row id is the ticket's `n`. Text is not kept twice.
CREATE VIRTUAL TABLE ticket_fts USING fts5 (
    title, body, notes,
    content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);

CREATE TABLE host (
    id       BLOB PRIMARY KEY,
    name     TEXT,
    address  TEXT,
    port     INTEGER,
    user     TEXT,
    notes    TEXT NOT NULL DEFAULT '',
    stale    INTEGER NOT NULL DEFAULT 0,
    config   TEXT,
    place    INTEGER,
    jump     TEXT NOT NULL DEFAULT '[]',
    vars     TEXT NOT NULL DEFAULT '{}',
    facts    TEXT NOT NULL DEFAULT '{}',
    source   TEXT NOT NULL DEFAULT '{}',
    archived INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX host_name ON host (name);

-- `started_by`, `active_by` and `finished_by` are stamps: which record set these columns.
CREATE TABLE run (
    id          BLOB PRIMARY KEY,
    ref         TEXT,
    book        TEXT NOT NULL DEFAULT '',
    hash        TEXT NOT NULL DEFAULT '',
    steps       TEXT NOT NULL DEFAULT '[]',
    hosts       TEXT NOT NULL DEFAULT '[]',
    params      TEXT NOT NULL DEFAULT '{}',
    ticket      BLOB,
    author      TEXT NOT NULL DEFAULT '',
    started     INTEGER,
    finished    INTEGER,
    state       TEXT,
    ok          INTEGER NOT NULL DEFAULT 0,
    failed      INTEGER NOT NULL DEFAULT 0,
    unreachable INTEGER NOT NULL DEFAULT 0,
    skipped     INTEGER NOT NULL DEFAULT 0,
    started_by  BLOB,
    active_by   BLOB,
    finished_by BLOB
) STRICT;
CREATE INDEX run_ref ON run (ref);
CREATE INDEX run_started ON run (started);
CREATE INDEX run_ticket ON run (ticket) WHERE ticket IS NOT NULL;

CREATE TABLE run_step (
    run         BLOB NOT NULL,
    host        TEXT NOT NULL,
    step        INTEGER NOT NULL,
    attempt     INTEGER NOT NULL DEFAULT 0,
    started     INTEGER,
    state       TEXT,
    exit        INTEGER,
    took_ms     INTEGER,
    output      BLOB,
    dropped     INTEGER NOT NULL DEFAULT 0,
    reason      TEXT NOT NULL DEFAULT '',
    started_by  BLOB,
    finished_by BLOB,
    PRIMARY KEY (run, host, step)
) STRICT;

CREATE TABLE session (
    id        BLOB PRIMARY KEY,
    ref       TEXT,
    host      TEXT NOT NULL DEFAULT '',
    ticket    BLOB,
    recording TEXT,
    author    TEXT NOT NULL DEFAULT '',
    opened    INTEGER,
    closed    INTEGER,
    exit      INTEGER,
    bytes     INTEGER NOT NULL DEFAULT 0,
    reason    TEXT NOT NULL DEFAULT '',
    opened_by BLOB,
    closed_by BLOB
) STRICT;
CREATE INDEX session_ref ON session (ref);
CREATE INDEX session_opened ON session (opened);

-- The timeline that joins everything. A later record of the same event adds what became known;
-- `touched` is the latest time that any of its records gave.
CREATE TABLE case_event (
    id      BLOB PRIMARY KEY,
    at      INTEGER NOT NULL,
    touched INTEGER NOT NULL,
    kind    TEXT NOT NULL,
    author  TEXT NOT NULL,
    text    TEXT NOT NULL,
    ticket  BLOB,
    host    TEXT,
    session BLOB,
    run     BLOB,
    data    TEXT NOT NULL
) STRICT;
CREATE INDEX case_event_ticket ON case_event (ticket, touched) WHERE ticket IS NOT NULL;
CREATE INDEX case_event_host ON case_event (host, at) WHERE host IS NOT NULL;
CREATE INDEX case_event_at ON case_event (at);

-- Which operations an event was put together from.
CREATE TABLE case_part (
    id  BLOB NOT NULL,
    hlc INTEGER NOT NULL,
    dev BLOB NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (id, hlc, dev, seq)
) STRICT, WITHOUT ROWID;

-- Everything below stays on this machine and is in no log.

CREATE TABLE effective_cache (
    name    TEXT NOT NULL,
    config  BLOB NOT NULL, -- the path's bytes; empty for OpenSSH's default file
    options TEXT NOT NULL,
    PRIMARY KEY (name, config)
) STRICT;

CREATE TABLE effective_file (
    name     TEXT NOT NULL,
    config   BLOB NOT NULL,
    place    INTEGER NOT NULL,
    path     BLOB NOT NULL,
    mtime_ns INTEGER NOT NULL,
    size     INTEGER NOT NULL,
    PRIMARY KEY (name, config, place)
) STRICT;

CREATE TABLE host_state (
    host    BLOB PRIMARY KEY,
    at      INTEGER NOT NULL,
    state   TEXT NOT NULL,
    reasons TEXT NOT NULL
) STRICT;

CREATE TABLE sample (
    host BLOB NOT NULL,
    at   INTEGER NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (host, at)
) STRICT;

-- How far something that runs again and again has come, such as a sync with one remote.
CREATE TABLE cursor (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
