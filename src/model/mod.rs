//! What we believe now: plain data, read by the screen, written only by the update.
