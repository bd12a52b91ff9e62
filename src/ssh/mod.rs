//! Connections: one for each destination, shared by everything that needs it.
