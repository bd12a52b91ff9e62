//! The terminal emulator: bytes in, an immutable screen out. Pure.
