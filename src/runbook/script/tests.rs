//! Scripts are judged by the real shell.
