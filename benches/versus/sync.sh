#!/usr/bin/env bash
# Sync side by side with TaskChampion, both on SQLite, both through a local place, in one run: what one sync takes when as many
# operations wait on this side as come in from the other.
#
#   benches/versus/sync.sh [OPERATIONS ...]   20000 without; the peer's time grows with the product of both sides
#
# The peer is built from its published crate in a folder of its own, so that it is no part of this program. Our side is the test
# `sync::exams::growth::pending_against_incoming`.

set -euo pipefail
cd "$(dirname "$0")/../.."
exec </dev/null

peer=${QD_PEER:-${TMPDIR:-/tmp}/qd-versus-taskchampion}
mkdir -p "$peer/src"
cat >"$peer/Cargo.toml" <<'TOML'
[package]
name = "peer"
version = "0.0.0"
edition = "2021"

[workspace]

[dependencies]
taskchampion = { version = "=3.1.0", default-features = false, features = ["bundled", "storage-sqlite", "server-local"] }
tokio = { version = "1", features = ["rt-multi-thread", "macros"] }
tempfile = "3"
TOML
cat >"$peer/src/main.rs" <<'RUST'
use std::time::Instant;

use taskchampion::storage::AccessMode;
use taskchampion::{Operations, Replica, ServerConfig, SqliteStorage, TaskData, Uuid};

type Any = Box<dyn std::error::Error>;

async fn work(replica: &mut Replica<SqliteStorage>, count: usize) -> Result<(), Any> {
    let mut done = 0;
    while done < count {
        let mut ops = Operations::new();
        while ops.len() < 500 && done + ops.len() < count {
            let mut task = TaskData::create(Uuid::new_v4(), &mut ops);
            for field in 0..9 {
                task.update(format!("field{field}"), Some(format!("some words of field {field}")), &mut ops);
            }
        }
        done += ops.len();
        replica.commit_operations(ops).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Any> {
    let count: usize = std::env::args().nth(1).ok_or("how many")?.parse()?;
    let home = tempfile::tempdir()?;
    let place = |name: &str| home.path().join(name);
    let open = |name: &str| SqliteStorage::new(place(name), AccessMode::ReadWrite, true);
    let (mut one, mut two) = (Replica::new(open("one").await?), Replica::new(open("two").await?));
    std::fs::create_dir(place("server"))?;
    let config = || ServerConfig::Local { server_dir: place("server") };
    let mut server = config().into_server().await?;
    work(&mut one, count).await?;
    work(&mut two, count).await?;
    one.sync(&mut server, false).await?;
    let begun = Instant::now();
    two.sync(&mut server, false).await?;
    println!("peer {count} {:.3}", begun.elapsed().as_secs_f64());
    Ok(())
}
RUST
cargo build --quiet --release --manifest-path "$peer/Cargo.toml"
cargo test --quiet --release --test all --no-run

printf '%-52s %10s %14s   %s\n' 'what' qd TaskChampion 'peer / qd'
for count in "${@:-20000}"; do
    theirs=$("$peer/target/release/peer" "$count" | awk '/^peer/ {print $3}')
    ours=$(QD_OPERATIONS=$count cargo test --quiet --release --test all sync::exams::growth::pending_against_incoming -- \
        --exact --ignored --nocapture | awk '/^qd/ {print $3}')
    awk -v n="$count" -v a="$ours" -v b="$theirs" \
        'BEGIN { printf "%-52s %8.2f s %12.2f s   x%.1f\n", n " wait here, " n " come in", a, b, b / a }'
done
