//! The error inside this room: SQLite's own, until the place that knows the file's path turns it into words.

use std::path::Path;

use super::StoreError;

/// Why a piece of work on the database failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// SQLite says so.
    Sql(rusqlite::Error),
    /// We say so.
    Store(StoreError),
}

/// What a piece of work on the database gives.
pub(super) type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// The error for people, about the file `path`.
    pub(super) fn at(self, path: &Path) -> StoreError {
        match self {
            Self::Sql(why) => StoreError::sqlite(path, &why),
            Self::Store(why) => why,
        }
    }

    /// A request that makes no sense.
    pub(super) fn refused(why: impl Into<String>) -> Self {
        Self::Store(StoreError::Refused { why: why.into() })
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(why: rusqlite::Error) -> Self {
        Self::Sql(why)
    }
}

impl From<StoreError> for Failure {
    fn from(why: StoreError) -> Self {
        Self::Store(why)
    }
}
