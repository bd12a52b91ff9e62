//! Tests of the whole room, on real files.
