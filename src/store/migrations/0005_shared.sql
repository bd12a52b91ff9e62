-- Recordings that are in the space: what each device's log says of them, of which the word of the device that opened the
-- session counts. Without `blob` there is nothing to fetch any more.
CREATE TABLE session_shared (
    id        BLOB NOT NULL,
    dev       BLOB NOT NULL,
    blob      BLOB,
    bytes     INTEGER NOT NULL,
    part      INTEGER NOT NULL,
    hash      BLOB NOT NULL,
    shared_by BLOB NOT NULL,
    PRIMARY KEY (id, dev)
) STRICT, WITHOUT ROWID;
