-- Operations that are shown before their logs have come as far: an excerpt vouched for them, or their own device's newest
-- segments. Folded like the log's, and part of no log; `maker` is whose word it is.
CREATE TABLE early (
    n     INTEGER PRIMARY KEY,
    dev   BLOB NOT NULL,
    seq   INTEGER NOT NULL,
    hlc   INTEGER NOT NULL,
    body  BLOB NOT NULL,
    maker BLOB NOT NULL,
    UNIQUE (dev, seq)
) STRICT;
CREATE INDEX early_maker ON early (maker);
