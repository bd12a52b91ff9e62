-- Small texts that this machine wants to find again, by name: the tabs of the app, layouts with a name. In no log.
CREATE TABLE kept (
    name TEXT PRIMARY KEY,
    text TEXT NOT NULL
) STRICT, WITHOUT ROWID;
