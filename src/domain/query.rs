//! Ticket queries: the same in the UI, the command line and saved views.
