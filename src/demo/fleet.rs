//! The fleet as a whole: it starts, it lives, and when it is dropped nothing of it is left but its folder.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use russh::keys::{PrivateKey, PublicKey};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use super::error::DemoError;
use super::machine::Machine;
use super::plan::{FLEET, Plan, Route};
use super::processes::Processes;
use super::server::{self, Shared};
use super::ssh_files;
use super::vitals::Vitals;

/// How often the files below `proc` of every host change.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A sample host as the inventory may want to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FleetHost {
    /// Its name in the ssh_config.
    pub name: &'static str,
    /// What it is, for people.
    pub about: &'static str,
    /// Sorted.
    pub tags: &'static [&'static str],
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    /// The host that leads to it.
    pub jump: Option<&'static str>,
}

/// Seven SSH servers in this process.
///
/// Dropping it kills every process that was started on its hosts, however it detached itself (on Linux; elsewhere, every
/// process group), closes the ports and ends the connections. The folder stays: it belongs to whoever gave it.
#[derive(Debug)]
pub struct Fleet {
    hosts: Vec<FleetHost>,
    config: PathBuf,
    pub(super) processes: Arc<Processes>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// A host between its first port and its first client.
struct Berth {
    plan: &'static Plan,
    listener: TcpListener,
    key: PrivateKey,
    host: FleetHost,
}

impl Fleet {
    /// Starts the fleet with its files below `dir`, which must not hold another one. Needs a running tokio runtime.
    pub async fn start(dir: &Path) -> Result<Self, DemoError> {
        let dir = std::path::absolute(dir).map_err(|why| ssh_files::write_error(dir, why))?;
        ssh_files::check(&dir)?;
        let (ssh, homes) = (dir.join("ssh"), dir.join("hosts"));
        if ssh.exists() || homes.exists() {
            return Err(DemoError::Occupied { path: dir });
        }
        let client = ssh_files::new_key("qd-demo")?;
        let mut berths = Vec::new();
        for plan in FLEET {
            berths.push(berth(plan).await?);
        }
        let known: Vec<(FleetHost, PublicKey)> = berths
            .iter()
            .map(|berth| (berth.host, berth.key.public_key().clone()))
            .collect();
        let config = ssh_files::write(&ssh, &client, &known)?;
        let inner: BTreeMap<&'static str, u16> = berths
            .iter()
            .filter(|berth| berth.plan.route == Route::Inner)
            .map(|berth| (berth.host.name, berth.host.port))
            .collect();
        let processes = Arc::new(Processes::new()?);
        let shared = Arc::new(Shared::new(
            client.public_key().clone(),
            Arc::clone(&processes),
            inner,
        ));
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let mut machines = Vec::new();
        for berth in berths {
            let machine = Arc::new(Machine::build(berth.plan, homes.join(berth.plan.name))?);
            machines.push(Arc::clone(&machine));
            let config = server::config(berth.key);
            tasks.spawn(server::listen(
                berth.listener,
                config,
                machine,
                Arc::clone(&shared),
                stopped.clone(),
            ));
        }
        if let Some(machine) = machines.first() {
            machine.try_program()?;
        }
        tasks.spawn(live(machines, stopped));
        Ok(Self {
            hosts: known.into_iter().map(|(host, _)| host).collect(),
            config,
            processes,
            stop,
            tasks,
        })
    }

    /// The hosts, the bastion first.
    pub fn hosts(&self) -> &[FleetHost] {
        &self.hosts
    }

    /// The ssh_config that leads to all of them.
    pub fn ssh_config(&self) -> &Path {
        &self.config
    }

    /// Ends the fleet and waits until its connections are closed. Dropping it does the same without waiting.
    pub async fn stop(mut self) {
        self.end();
        while self.tasks.join_next().await.is_some() {}
    }

    fn end(&self) {
        self.stop.send_replace(true);
        self.processes.end_all();
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.end();
        // The tasks see the word and close what they hold; aborting them would leave the library's own tasks behind.
        self.tasks.detach_all();
    }
}

async fn berth(plan: &'static Plan) -> Result<Berth, DemoError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .map_err(|why| DemoError::Listen { why })?;
    let port = listener
        .local_addr()
        .map_err(|why| DemoError::Listen { why })?
        .port();
    Ok(Berth {
        plan,
        listener,
        key: ssh_files::new_key("")?,
        host: FleetHost {
            name: plan.name,
            about: plan.about,
            tags: plan.tags,
            port,
            jump: (plan.route == Route::Inner).then_some("bastion"),
        },
    })
}

/// Lets the counters of all hosts go on. When the folder is gone there is nobody to read them.
async fn live(machines: Vec<Arc<Machine>>, mut stop: watch::Receiver<bool>) {
    let mut lives: Vec<(Arc<Machine>, Vitals)> = machines
        .into_iter()
        .map(|machine| (Arc::clone(&machine), machine.vitals()))
        .collect();
    let mut beat = tokio::time::interval(HEARTBEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut before = Instant::now();
    loop {
        let now = tokio::select! {
            now = beat.tick() => now,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let seconds = now.saturating_duration_since(before).as_secs_f64();
        before = now;
        let stepped = tokio::task::spawn_blocking(move || {
            for (machine, vitals) in &mut lives {
                vitals.step(seconds, machine.mood());
                machine.publish(vitals)?;
            }
            Ok::<_, std::io::Error>(lives)
        });
        match stepped.await {
            Ok(Ok(stepped)) => lives = stepped,
            Ok(Err(_)) | Err(_) => return,
        }
    }
}
