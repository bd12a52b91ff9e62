//! Front matter: the YAML block at the top of a runbook.
