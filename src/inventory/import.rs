//! What an import changes: compares a scan with the inventory and writes drafts. Importing the same file twice changes
//! nothing; a host that vanished is marked stale and never deleted.
