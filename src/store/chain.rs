//! Walks the chain of every device's log from end to end: numbers without gaps, each hash following from the one before,
//! no blank without a purge that says so.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::failure::Outcome;
use super::{log, purge};
use crate::domain::audit::ChainReport;
use crate::domain::ids::DeviceId;
use crate::domain::op::{Hlc, Op, digest, is_blank};

/// What one pass over a device's log shows.
#[derive(Debug, Default)]
pub(super) struct Chain {
    pub(super) last: u64,
    hash: [u8; 32],
    pub(super) newest: Hlc,
    pub(super) purged: u64,
    /// Operations that only a later program understands.
    pub(super) unread: u64,
    /// The first number that is not in order, and why.
    pub(super) fault: Option<(u64, String)>,
}

/// One pass over all logs, in the order of the devices.
pub(super) fn walk(conn: &Connection) -> Outcome<BTreeMap<DeviceId, Chain>> {
    let mut chains: BTreeMap<DeviceId, Chain> = BTreeMap::new();
    let mut statement =
        conn.prepare("SELECT dev, seq, hlc, body, hash FROM op ORDER BY dev, seq")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let op = purge::logged(row)?;
        let chain = chains.entry(op.device).or_default();
        let hash = log::link(&chain.hash, &op);
        if op.seq != chain.last + 1 {
            let (from, to) = (chain.last + 1, op.seq.saturating_sub(1));
            chain
                .fault
                .get_or_insert((from, format!("operations {from} to {to} are missing")));
        }
        if row.get::<_, [u8; 32]>(4)? != hash {
            let seq = op.seq;
            chain
                .fault
                .get_or_insert((seq, format!("operation {seq} is not what was written")));
        }
        (chain.last, chain.hash) = (op.seq, hash);
        chain.newest = chain.newest.max(op.hlc);
        if is_blank(&op.body) {
            chain.purged += 1;
            if !is_said(conn, op.device, op.seq, &digest(&op.body))? {
                let seq = op.seq;
                let why = format!("operation {seq} was made blank, and no purge says so");
                chain.fault.get_or_insert((seq, why));
            }
        } else {
            chain.unread += u64::from(!matches!(Op::decode(&op.body), Ok(Some(_))));
        }
    }
    let mut statement = conn.prepare("SELECT dev, seq, hash FROM vv")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let device = DeviceId(crate::domain::ids::EntityId::from_bytes(row.get(0)?));
        let seq = row.get::<_, i64>(1)?.cast_unsigned();
        let chain = chains.entry(device).or_default();
        if chain.last != seq || chain.hash != row.get::<_, [u8; 32]>(2)? {
            let why = format!("the log does not end with operation {seq} as it was written");
            chain.fault.get_or_insert((seq.min(chain.last + 1), why));
        }
    }
    Ok(chains)
}

fn is_said(
    conn: &Connection,
    device: DeviceId,
    seq: u64,
    digest: &[u8; 32],
) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT 1 FROM purged WHERE dev = ?1 AND seq = ?2 AND digest = ?3")?
        .exists(rusqlite::params![
            device.0.as_bytes(),
            seq.cast_signed(),
            digest
        ])
}

/// The same for people.
pub(super) fn report(conn: &Connection) -> Outcome<Vec<ChainReport>> {
    let chains = walk(conn)?;
    Ok(chains
        .into_iter()
        .map(|(device, chain)| ChainReport {
            device: device.to_string(),
            last: chain.last,
            purged: chain.purged,
            broken: chain.fault,
        })
        .collect())
}
