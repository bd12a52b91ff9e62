//! What comes before a repair: nothing is written into a damaged file, and where the views may hold more than the log, a copy
//! is kept.

use std::path::{Path, PathBuf};

use super::failure::Outcome;
use super::open::{FILE, Opener};
use super::read::Scene;
use super::{StoreError, copy, doctor};
use crate::domain::time::Time;

/// Looks whether the store in `folder` may be repaired. Answers the copy that was kept, if one was needed.
///
/// A repair drops what is folded from the log and folds it again, in one transaction. While every page is in order and no
/// log has a gap, the log holds all of it and no copy is needed. Where a log is not whole, lists may show what it lost, so
/// the store is copied first.
///
/// # Errors
/// A page is damaged, or the copy cannot be written. Then nothing was changed and nothing may be.
pub fn before_repair(folder: &Path, now: Time) -> Result<Option<PathBuf>, StoreError> {
    let live = folder.join(FILE);
    if !live.exists() {
        return Ok(None);
    }
    let conn = Opener::other(&live)?;
    let scene = Scene {
        conn: &conn,
        folder,
        now,
    };
    let look = || -> Outcome<Option<PathBuf>> {
        let faults = doctor::faults(&conn)?;
        if !faults.is_empty() {
            return Err(StoreError::Damaged {
                path: live.clone(),
                detail: format!("{}; nothing was repaired", faults.join("; ")),
            }
            .into());
        }
        let whole = doctor::told(scene)?
            .iter()
            .all(|line| line.ok || line.name != "log");
        if whole {
            return Ok(None);
        }
        let to = copy::free(&live, "store-before-repair")?;
        copy::copy(&conn, &to)?;
        Ok(Some(to))
    };
    look().map_err(|why| why.at(&live))
}
