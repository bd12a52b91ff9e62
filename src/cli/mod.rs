//! The commands without a screen: arguments, headless runs, text and JSON output.
