//! An embedded fleet: SSH servers on loopback with sample hosts, tickets and runbooks.
