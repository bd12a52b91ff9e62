//! Optional replication of the operation log. Nothing is replicated yet; the log in the store is shaped for it.
