-- Operations whose content is to be blank, by the word of a purge. A purge may come before the operation that it names.
CREATE TABLE purged (
    dev    BLOB NOT NULL,
    seq    INTEGER NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (dev, seq, digest)
) STRICT, WITHOUT ROWID;

-- Who logged in where with which credential, as each device saw it.
CREATE TABLE login (
    host       TEXT NOT NULL,
    dev        BLOB NOT NULL,
    hlc        INTEGER NOT NULL,
    credential TEXT NOT NULL,
    PRIMARY KEY (host, dev, hlc)
) STRICT, WITHOUT ROWID;

-- The audit reads the newest first.
CREATE INDEX op_hlc ON op (hlc);
