//! Turns the store's errors into outcomes: text for people and the exit status of the contract, in one place.

use crate::command::Outcome;
use crate::store::StoreError;

/// The error in words that say what to do next.
pub(super) fn text(error: &StoreError) -> String {
    error.to_string()
}

/// The outcome of a command that met `error`.
pub(super) fn outcome(error: &StoreError) -> Outcome {
    let exit = match error {
        StoreError::NotFound { .. } => 3,
        StoreError::Ambiguous { .. } => 4,
        _ => 1,
    };
    Outcome::error(exit, text(error))
}
