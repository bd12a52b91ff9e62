//! A model with a bit of everything, for tests.
