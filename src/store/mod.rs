//! The store: an operation log and its projections in SQLite.
