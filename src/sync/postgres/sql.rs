//! All SQL text of this remote. One file, so that a test can read it: everything here must run unchanged on PostgreSQL,
//! CockroachDB and YugabyteDB, and through a pooler that hands out a connection for one transaction only.
//!
//! Every statement is a transaction of its own and is sent as one message group with its parameters in binary; nothing is
//! prepared by name, nothing is set for a session, nothing is left open.

/// The tables, made when a space is made. A DBA can run this text instead; then the role of the program needs no right to
/// create anything. Repeating it is harmless.
///
/// The key of `segment` begins with the device, whose random id spreads the rows of one space over the nodes of an engine
/// that shards by key. The last table is the one that is read first of all for a new space, so that a making which was
/// interrupted is noticed and done again.
pub const SCHEMA: &str = "\
CREATE SCHEMA IF NOT EXISTS quarterdeck;
CREATE TABLE IF NOT EXISTS quarterdeck.segment (
    bag TEXT NOT NULL,
    device BYTEA NOT NULL,
    first_seq INT8 NOT NULL,
    pack_last INT8 NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (device, bag, first_seq, pack_last)
);
CREATE TABLE IF NOT EXISTS quarterdeck.head (
    bag TEXT NOT NULL,
    device BYTEA NOT NULL,
    last_seq INT8 NOT NULL,
    PRIMARY KEY (bag, device)
);
CREATE TABLE IF NOT EXISTS quarterdeck.device (
    bag TEXT NOT NULL,
    device BYTEA NOT NULL,
    owner TEXT NOT NULL,
    PRIMARY KEY (bag, device)
);
CREATE TABLE IF NOT EXISTS quarterdeck.presence (
    bag TEXT NOT NULL,
    device BYTEA NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (bag, device)
);
CREATE TABLE IF NOT EXISTS quarterdeck.object (
    bag TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    content BYTEA NOT NULL,
    PRIMARY KEY (bag, kind, name)
);
";

/// Row security for a team: whoever is in the role `quarterdeck_team` reads everything, adds rows of devices that its own
/// login claimed first, removes only those, and alters nothing but its own heads. Run once by the owner of the tables, after
/// [`SCHEMA`]. The program never runs it.
pub const ROW_SECURITY: &str = "\
CREATE ROLE quarterdeck_team NOLOGIN;
GRANT USAGE ON SCHEMA quarterdeck TO quarterdeck_team;
GRANT SELECT, INSERT ON quarterdeck.device TO quarterdeck_team;
GRANT SELECT, INSERT, UPDATE ON quarterdeck.head TO quarterdeck_team;
GRANT SELECT, INSERT, UPDATE, DELETE ON quarterdeck.presence TO quarterdeck_team;
GRANT SELECT, INSERT, DELETE ON quarterdeck.segment TO quarterdeck_team;
GRANT SELECT, INSERT, DELETE ON quarterdeck.object TO quarterdeck_team;
ALTER TABLE quarterdeck.device ENABLE ROW LEVEL SECURITY;
ALTER TABLE quarterdeck.head ENABLE ROW LEVEL SECURITY;
ALTER TABLE quarterdeck.presence ENABLE ROW LEVEL SECURITY;
ALTER TABLE quarterdeck.segment ENABLE ROW LEVEL SECURITY;
ALTER TABLE quarterdeck.object ENABLE ROW LEVEL SECURITY;
CREATE POLICY device_read ON quarterdeck.device FOR SELECT TO quarterdeck_team USING (true);
CREATE POLICY device_claim ON quarterdeck.device FOR INSERT TO quarterdeck_team
    WITH CHECK (owner = current_user);
CREATE POLICY head_read ON quarterdeck.head FOR SELECT TO quarterdeck_team USING (true);
CREATE POLICY head_add ON quarterdeck.head FOR INSERT TO quarterdeck_team
    WITH CHECK (EXISTS (SELECT 1 FROM quarterdeck.device AS d
        WHERE d.bag = head.bag AND d.device = head.device AND d.owner = current_user));
CREATE POLICY head_move ON quarterdeck.head FOR UPDATE TO quarterdeck_team
    USING (EXISTS (SELECT 1 FROM quarterdeck.device AS d
        WHERE d.bag = head.bag AND d.device = head.device AND d.owner = current_user))
    WITH CHECK (EXISTS (SELECT 1 FROM quarterdeck.device AS d
        WHERE d.bag = head.bag AND d.device = head.device AND d.owner = current_user));
CREATE POLICY presence_read ON quarterdeck.presence FOR SELECT TO quarterdeck_team USING (true);
CREATE POLICY presence_add ON quarterdeck.presence FOR INSERT TO quarterdeck_team
    WITH CHECK (EXISTS (SELECT 1 FROM quarterdeck.device AS d
        WHERE d.bag = presence.bag AND d.device = presence.device AND d.owner = current_user));
CREATE POLICY presence_move ON quarterdeck.presence FOR UPDATE TO quarterdeck_team
    USING (EXISTS (SELECT 1 FROM quarterdeck.device AS d
        WHERE d.bag = presence.bag AND d.device = presence.device AND d.owner = current_user))
    WITH CHECK (EXISTS (SELECT 1 FROM quarterdeck.device AS d
        WHERE d.bag = presence.bag AND d.device = presence.device AND d.owner = current_user));
CREATE POLICY presence_remove ON quarterdeck.presence FOR DELETE TO quarterdeck_team
    USING (EXISTS (SELECT 1 FROM quarterdeck.device AS d
        WHERE d.bag = presence.bag AND d.device = presence.device AND d.owner = current_user));
CREATE POLICY segment_read ON quarterdeck.segment FOR SELECT TO quarterdeck_team USING (true);
CREATE POLICY segment_add ON quarterdeck.segment FOR INSERT TO quarterdeck_team
    WITH CHECK (EXISTS (SELECT 1 FROM quarterdeck.device AS d
        WHERE d.bag = segment.bag AND d.device = segment.device AND d.owner = current_user));
CREATE POLICY segment_remove ON quarterdeck.segment FOR DELETE TO quarterdeck_team
    USING (EXISTS (SELECT 1 FROM quarterdeck.device AS d
        WHERE d.bag = segment.bag AND d.device = segment.device AND d.owner = current_user));
CREATE POLICY object_read ON quarterdeck.object FOR SELECT TO quarterdeck_team USING (true);
CREATE POLICY object_add ON quarterdeck.object FOR INSERT TO quarterdeck_team WITH CHECK (true);
CREATE POLICY object_remove ON quarterdeck.object FOR DELETE TO quarterdeck_team
    USING (kind IN ('pairing', 'hot', 'blobs'));
";

/// Every head of a bag: one index scan, as many rows as devices.
pub(crate) const HEADS: &str =
    "SELECT device, last_seq FROM quarterdeck.head WHERE bag = $1 ORDER BY device";

/// What may hold operations from `$3` on, as [`super::super::Remote::list`] promises. The key alone answers it.
pub(crate) const LIST: &str = "\
SELECT first_seq, pack_last FROM quarterdeck.segment
WHERE device = $2 AND bag = $1 AND (
    pack_last >= $3
    OR (pack_last = 0 AND first_seq >= $3)
    OR (pack_last = 0 AND first_seq = (
        SELECT max(s.first_seq) FROM quarterdeck.segment AS s
        WHERE s.device = $2 AND s.bag = $1 AND s.pack_last = 0 AND s.first_seq < $3)))
ORDER BY first_seq, pack_last";

/// One segment, unless it is longer than `$5`; its length in any case.
pub(crate) const GET: &str = "\
SELECT CAST(octet_length(sealed) AS INT8),
    CASE WHEN octet_length(sealed) <= $5 THEN sealed END
FROM quarterdeck.segment
WHERE device = $2 AND bag = $1 AND first_seq = $3 AND pack_last = $4";

/// Creates a segment; no row is counted when the name is there.
pub(crate) const PUT: &str = "\
INSERT INTO quarterdeck.segment (bag, device, first_seq, pack_last, sealed)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (device, bag, first_seq, pack_last) DO NOTHING";

/// Moves a head forwards, never back.
pub(crate) const SET_HEAD: &str = "\
INSERT INTO quarterdeck.head AS h (bag, device, last_seq) VALUES ($1, $2, $3)
ON CONFLICT (bag, device) DO UPDATE SET last_seq = excluded.last_seq
WHERE h.last_seq < excluded.last_seq";

/// Creates a segment and, only if it is new, moves the head: both or neither. The answer is how many were created.
pub(crate) const PUBLISH: &str = "\
WITH put AS (
    INSERT INTO quarterdeck.segment (bag, device, first_seq, pack_last, sealed)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (device, bag, first_seq, pack_last) DO NOTHING
    RETURNING bag, device
), told AS (
    INSERT INTO quarterdeck.head AS h (bag, device, last_seq)
    SELECT put.bag, put.device, $6 FROM put
    ON CONFLICT (bag, device) DO UPDATE SET last_seq = excluded.last_seq
    WHERE h.last_seq < excluded.last_seq
    RETURNING h.last_seq
)
SELECT CAST(count(*) AS INT8) FROM put";

/// Removes a segment of one's own.
pub(crate) const DELETE: &str = "\
DELETE FROM quarterdeck.segment
WHERE device = $2 AND bag = $1 AND first_seq = $3 AND pack_last = $4";

/// Says whose login writes a device's rows: whoever says so first. Row security stands on it; without that it is only a
/// note for the DBA.
pub(crate) const CLAIM: &str = "\
INSERT INTO quarterdeck.device (bag, device, owner) VALUES ($1, $2, current_user)
ON CONFLICT (bag, device) DO NOTHING";

/// The names of the objects of one sort.
pub(crate) const OBJECTS: &str =
    "SELECT name FROM quarterdeck.object WHERE bag = $1 AND kind = $2 ORDER BY name";

/// One object, unless it is longer than `$4`; its length in any case.
pub(crate) const GET_OBJECT: &str = "\
SELECT CAST(octet_length(content) AS INT8),
    CASE WHEN octet_length(content) <= $4 THEN content END
FROM quarterdeck.object WHERE bag = $1 AND kind = $2 AND name = $3";

/// Several objects of one sort, `$3` being an array of names: of each its length, and its bytes unless it is longer than `$4`
/// or all up to it are longer than `$5` together.
pub(crate) const GET_OBJECTS: &str = "\
SELECT o.name, o.length, CASE WHEN o.length <= $4 AND o.total <= $5 THEN o.content END
FROM (
    SELECT name, content, CAST(octet_length(content) AS INT8) AS length,
        sum(octet_length(content)) OVER (ORDER BY name) AS total
    FROM quarterdeck.object WHERE bag = $1 AND kind = $2 AND name = ANY ($3)) AS o
ORDER BY o.name";

/// Creates an object; no row is counted when the name is there.
pub(crate) const PUT_OBJECT: &str = "\
INSERT INTO quarterdeck.object (bag, kind, name, content) VALUES ($1, $2, $3, $4)
ON CONFLICT (bag, kind, name) DO NOTHING";

/// Removes an object.
pub(crate) const DELETE_OBJECT: &str =
    "DELETE FROM quarterdeck.object WHERE bag = $1 AND kind = $2 AND name = $3";

/// Puts what a device says it has open in place of what it said before.
pub(crate) const SET_PRESENCE: &str = "\
INSERT INTO quarterdeck.presence (bag, device, sealed) VALUES ($1, $2, $3)
ON CONFLICT (bag, device) DO UPDATE SET sealed = excluded.sealed";

/// Takes it back.
pub(crate) const DELETE_PRESENCE: &str =
    "DELETE FROM quarterdeck.presence WHERE bag = $1 AND device = $2";

/// What devices say they have open: at most `$3` of them, none longer than `$2`.
pub(crate) const PRESENCES: &str = "\
SELECT device, sealed FROM quarterdeck.presence
WHERE bag = $1 AND octet_length(sealed) <= $2 ORDER BY device LIMIT $3";

/// Everything that the program itself may send, for the test that reads it.
pub const STATEMENTS: &[&str] = &[
    SCHEMA,
    HEADS,
    LIST,
    GET,
    PUT,
    SET_HEAD,
    PUBLISH,
    DELETE,
    CLAIM,
    OBJECTS,
    GET_OBJECT,
    GET_OBJECTS,
    PUT_OBJECT,
    DELETE_OBJECT,
    SET_PRESENCE,
    DELETE_PRESENCE,
    PRESENCES,
];
