//! The folder of one sample host: what makes commands that run in it believe that they are on a machine of their own.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::LOGIN;
use super::error::DemoError;
use super::plan::{COMMON, KERNEL, Plan};
use super::processes::MARK;
use super::ssh_files::{make, put, write_error};
use super::vitals::{Mood, Vitals};

/// Programs that stand before those of this machine in the `PATH` of a sample host.
const PROGRAMS: &[(&str, &str)] = &[
    ("df", include_str!("bin/df.sh")),
    ("du", include_str!("bin/du.sh")),
    ("free", include_str!("bin/free.sh")),
    ("halt", include_str!("bin/reboot.sh")),
    ("hostname", include_str!("bin/hostname.sh")),
    ("journalctl", include_str!("bin/journalctl.sh")),
    ("log-clean", include_str!("bin/log-clean.sh")),
    ("nproc", include_str!("bin/nproc.sh")),
    ("poweroff", include_str!("bin/reboot.sh")),
    ("ps", include_str!("bin/ps.sh")),
    ("reboot", include_str!("bin/reboot.sh")),
    ("shutdown", include_str!("bin/reboot.sh")),
    ("ss", include_str!("bin/ss.sh")),
    ("sudo", include_str!("bin/sudo.sh")),
    ("systemctl", include_str!("bin/systemctl.sh")),
    ("top", include_str!("bin/top.sh")),
    ("uname", include_str!("bin/uname.sh")),
    ("uptime", include_str!("bin/uptime.sh")),
];

/// Shells for people, the first that exists; both take `PS1` from the environment.
const SHELLS: &[(&str, &[&str])] = &[
    ("/bin/bash", &["--noprofile", "--norc", "-i"]),
    ("/usr/bin/bash", &["--noprofile", "--norc", "-i"]),
    ("/usr/local/bin/bash", &["--noprofile", "--norc", "-i"]),
    ("/bin/sh", &["-i"]),
];

const MIB: u64 = 1 << 20;

/// A sample host on disk.
#[derive(Debug)]
pub(super) struct Machine {
    plan: &'static Plan,
    root: PathBuf,
}

impl Machine {
    /// Makes the folder `root` with everything in it.
    pub(super) fn build(plan: &'static Plan, root: PathBuf) -> Result<Self, DemoError> {
        let machine = Self { plan, root };
        for folder in [
            "bin",
            "home",
            "proc/net",
            "run/services",
            "etc/services",
            "var/log",
        ] {
            make(&machine.root.join(folder))?;
        }
        for (name, text) in PROGRAMS {
            put(&machine.root.join("bin").join(name), text.as_bytes(), 0o700)?;
        }
        machine.file("etc/kernel", KERNEL)?;
        machine.file("etc/disks", plan.disks)?;
        machine.file("etc/hostname", &format!("{}\n", plan.name))?;
        for (path, text) in plan.files {
            machine.file(path, text)?;
        }
        for (path, text) in COMMON {
            if !plan.files.iter().any(|(own, _)| own == path) {
                machine.file(path, text)?;
            }
        }
        for (name, state, about) in plan.services {
            machine.file(&format!("run/services/{name}"), &format!("{state}\n"))?;
            machine.file(&format!("etc/services/{name}"), &format!("{about}\n"))?;
        }
        if let Some(illness) = plan.illness {
            machine.file("run/ill", &format!("{}\n", illness.service))?;
        }
        for (path, mib) in plan.logs {
            machine.log(path, *mib)?;
        }
        let processors: String = (0..plan.body.cpus)
            .map(|cpu| format!("processor\t: {cpu}\n"))
            .collect();
        machine.file("proc/cpuinfo", &processors)?;
        machine.careless()?;
        machine
            .publish(&machine.vitals())
            .map_err(|why| write_error(&machine.root, why))?;
        Ok(machine)
    }

    pub(super) fn plan(&self) -> &'static Plan {
        self.plan
    }

    /// How late every answer of this host is.
    pub(super) fn delay(&self) -> Duration {
        Duration::from_millis(self.plan.delay_ms)
    }

    /// Where sessions start.
    pub(super) fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// The whole environment of a command; `mark` tells whose process it is.
    pub(super) fn environment(&self, mark: &str) -> Vec<(&'static str, OsString)> {
        let bin = self.root.join("bin");
        let mut path = bin.into_os_string();
        path.push(":/usr/bin:/bin");
        vec![
            ("PATH", path),
            ("HOME", self.home().into_os_string()),
            ("USER", LOGIN.into()),
            ("LOGNAME", LOGIN.into()),
            ("SHELL", "/bin/sh".into()),
            ("LANG", "C.UTF-8".into()),
            ("PS1", format!("{LOGIN}@{}$ ", self.plan.name).into()),
            ("QD_HOST", self.plan.name.into()),
            ("QD_ROOT", self.root.clone().into_os_string()),
            ("QD_PROC", self.root.join("proc").into_os_string()),
            (MARK, mark.into()),
        ]
    }

    /// The shell for people, with its arguments.
    pub(super) fn shell(&self) -> (&'static str, &'static [&'static str]) {
        SHELLS
            .iter()
            .copied()
            .find(|(program, _)| Path::new(program).exists())
            .unwrap_or(("/bin/sh", &["-i"]))
    }

    /// What a login shell says first.
    pub(super) fn greeting(&self) -> String {
        format!(
            "{}: {}\r\nThis is a sample host of `qd demo`. What you type runs on your own machine, as you.\r\n",
            self.plan.name, self.plan.about
        )
    }

    /// The counters of a host that has been as it is for long.
    pub(super) fn vitals(&self) -> Vitals {
        Vitals::new(self.plan.body, self.mood())
    }

    /// What the host tends to now: what ails it is over when its file is gone.
    pub(super) fn mood(&self) -> Mood {
        match self.plan.illness {
            Some(illness) if self.root.join("run/ill").exists() => illness.mood,
            Some(_) | None => self.plan.well,
        }
    }

    /// Writes the files below `proc`; each is replaced at once, so that no reader sees half of one.
    pub(super) fn publish(&self, vitals: &Vitals) -> io::Result<()> {
        let folder = self.root.join("proc");
        let fresh = self.root.join("proc").join(".fresh");
        for (path, text) in vitals.files() {
            std::fs::write(&fresh, text)?;
            std::fs::rename(&fresh, folder.join(path))?;
        }
        Ok(())
    }

    /// Tries one of the host's programs, so that a file system without programs is found out before it confuses anyone.
    pub(super) fn try_program(&self) -> Result<(), DemoError> {
        let path = self.root.join("bin/hostname");
        let tried = std::process::Command::new(&path)
            .env_clear()
            .envs(self.environment("trial"))
            .output();
        match tried {
            Ok(output) if output.stdout.starts_with(self.plan.name.as_bytes()) => Ok(()),
            // Another thread that starts a program in this moment holds a copy of the file, open for writing, until
            // its own program begins; the file itself is in order.
            Err(why) if why.kind() == io::ErrorKind::ExecutableFileBusy => Ok(()),
            Ok(output) => Err(DemoError::Execute {
                path,
                why: io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            }),
            Err(why) => Err(DemoError::Execute { path, why }),
        }
    }

    fn file(&self, path: &str, text: &str) -> Result<(), DemoError> {
        let path = self.root.join(path);
        if let Some(folder) = path.parent() {
            make(folder)?;
        }
        put(&path, text.as_bytes(), 0o600)
    }

    /// A log of `mib` MiB that takes no space: lines at both ends, and a hole between them.
    fn log(&self, path: &str, mib: u64) -> Result<(), DemoError> {
        self.file(path, "")?;
        let path = self.root.join(path);
        let lines = format!(
            "09:31:55 {} debug: session 4711 state dump follows\n",
            self.plan.name
        )
        .repeat(20);
        let fill = |mut file: File| -> io::Result<()> {
            file.write_all(lines.as_bytes())?;
            file.seek(SeekFrom::Start(
                (mib * MIB).saturating_sub(lines.len() as u64),
            ))?;
            file.write_all(lines.as_bytes())
        };
        File::options()
            .write(true)
            .open(&path)
            .and_then(fill)
            .map_err(|why| write_error(&path, why))
    }

    /// A file that anybody may change, where the plan has one for the audit to find.
    fn careless(&self) -> Result<(), DemoError> {
        use std::os::unix::fs::PermissionsExt;
        let path = self.root.join("etc/cron.d/backup");
        if !path.exists() {
            return Ok(());
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666))
            .map_err(|why| write_error(&path, why))
    }
}
