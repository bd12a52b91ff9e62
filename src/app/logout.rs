//! Whether a logout would end the app: systemd's login manager can be told to kill what a session leaves behind.
//!
//! Only what the machine's files say is read; nothing is changed and nothing is asked.

use std::path::Path;

/// Where settings of the login manager may stand, the weakest first (logind.conf(5)).
const CONFIGS: [&str; 4] = [
    "usr/lib/systemd/logind.conf",
    "usr/local/lib/systemd/logind.conf",
    "run/systemd/logind.conf",
    "etc/systemd/logind.conf",
];

/// What is said to somebody whose app would not live on; `None` when nothing threatens it. `user` is the login name.
pub(super) fn risk(user: &str) -> Option<String> {
    risk_below(Path::new("/"), user)
}

/// The same for the machine whose files are below `root`.
fn risk_below(root: &Path, user: &str) -> Option<String> {
    let groups = std::fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let group = groups.lines().find_map(|line| line.split(':').nth(2))?;
    let lingers = root.join("var/lib/systemd/linger").join(user).exists();
    let linger = if lingers {
        ""
    } else {
        "`loginctl enable-linger`, then "
    };
    let scope = |part: &str| part.starts_with("session-") && part.ends_with(".scope");
    if group.split('/').any(scope) {
        return Logind::read(root).kills(user).then(|| {
            format!(
                "a logout ends the app and its sessions: systemd kills what a login leaves behind (KillUserProcesses=yes). Let the \
                 app run outside of the login: {linger}`systemd-run --user --scope qd server start`"
            )
        });
    }
    let managed = group
        .split('/')
        .any(|part| part.starts_with("user@") && part.ends_with(".service"));
    (managed && !lingers).then(|| {
        "the last logout ends the app and its sessions: it runs under your systemd manager, which ends then. \
         `loginctl enable-linger` keeps it"
            .to_owned()
    })
}

/// What the login manager's settings say of processes that are left behind.
#[derive(Debug, Default)]
struct Logind {
    kill: bool,
    only: Vec<String>,
    exclude: Option<Vec<String>>,
}

impl Logind {
    fn read(root: &Path) -> Self {
        let mut found = Self::default();
        for config in CONFIGS {
            let file = root.join(config);
            found.take(&file, true);
        }
        // Files of all the folders in the order of their names; the same name further on stands for both.
        let mut extra = std::collections::BTreeMap::new();
        for config in CONFIGS {
            let folder = root.join(format!("{config}.d"));
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.path().extension().is_some_and(|end| end == "conf") {
                    extra.insert(entry.file_name(), entry.path());
                }
            }
        }
        for file in extra.values() {
            found.take(file, false);
        }
        found
    }

    /// Adopts a file. Settings that are commented out in the main file are what the program was built with, by systemd's own
    /// custom.
    fn take(&mut self, file: &Path, main: bool) {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let built = text.lines().filter_map(|line| line.strip_prefix('#'));
        if main {
            built.for_each(|line| self.line(line));
        }
        text.lines().for_each(|line| self.line(line));
    }

    fn line(&mut self, line: &str) {
        let Some((name, value)) = line.split_once('=') else {
            return;
        };
        let users = || value.split_whitespace().map(str::to_owned).collect();
        match name.trim() {
            "KillUserProcesses" => {
                self.kill = matches!(
                    value.trim().to_ascii_lowercase().as_str(),
                    "yes" | "true" | "on" | "1" | "y" | "t"
                );
            }
            "KillOnlyUsers" => self.only = users(),
            "KillExcludeUsers" => self.exclude = Some(users()),
            _ => {}
        }
    }

    fn kills(&self, user: &str) -> bool {
        let is = |name: &String| name == user;
        let excluded = match &self.exclude {
            Some(names) => names.iter().any(is),
            None => user == "root",
        };
        self.kill && !excluded && (self.only.is_empty() || self.only.iter().any(is))
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    const SESSION: &str = "0::/user.slice/user-1000.slice/session-5.scope\n";
    const MANAGER: &str =
        "0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-1.scope\n";

    fn machine(files: &[(&str, &str)]) -> io::Result<tempfile::TempDir> {
        let root = tempfile::tempdir()?;
        for (name, text) in files {
            let file = root.path().join(name);
            file.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            std::fs::write(file, text)?;
        }
        Ok(root)
    }

    #[test]
    fn a_login_that_is_cleaned_up_is_told_of() -> io::Result<()> {
        let config = "etc/systemd/logind.conf";
        let drop_in = "etc/systemd/logind.conf.d/10-kill.conf";
        let group = "proc/self/cgroup";
        for (files, risky, why) in [
            (vec![(group, SESSION)], false, "no settings"),
            (
                vec![
                    (group, SESSION),
                    (config, "[Login]\n#KillUserProcesses=no\n"),
                ],
                false,
                "built with no",
            ),
            (
                vec![
                    (group, SESSION),
                    (config, "[Login]\n#KillUserProcesses=yes\n"),
                ],
                true,
                "built with yes",
            ),
            (
                vec![
                    (group, SESSION),
                    (config, "#KillUserProcesses=yes\nKillUserProcesses=no\n"),
                ],
                false,
                "said no",
            ),
            (
                vec![
                    (group, SESSION),
                    (config, "KillUserProcesses=no\n"),
                    (drop_in, "[Login]\nKillUserProcesses = yes\n"),
                ],
                true,
                "a drop-in is stronger",
            ),
            (
                vec![
                    (group, SESSION),
                    (config, "KillUserProcesses=yes\nKillExcludeUsers=root ann\n"),
                ],
                false,
                "the user is excluded",
            ),
            (
                vec![
                    (group, SESSION),
                    (config, "KillUserProcesses=yes\nKillOnlyUsers=bob\n"),
                ],
                false,
                "others only",
            ),
            (
                vec![(group, MANAGER), (config, "KillUserProcesses=yes\n")],
                true,
                "the manager goes at the last logout",
            ),
            (
                vec![(group, MANAGER), ("var/lib/systemd/linger/ann", "")],
                false,
                "the manager stays",
            ),
            (
                vec![
                    (group, "0::/system.slice/ssh.service\n"),
                    (config, "KillUserProcesses=yes\n"),
                ],
                false,
                "no login",
            ),
        ] {
            let root = machine(&files)?;
            let risk = risk_below(root.path(), "ann");
            assert_eq!(risk.is_some(), risky, "{why}: {risk:?}");
        }
        Ok(())
    }

    #[test]
    fn the_way_out_names_what_is_missing() -> io::Result<()> {
        let files = [
            ("proc/self/cgroup", SESSION),
            ("etc/systemd/logind.conf", "KillUserProcesses=yes\n"),
            ("var/lib/systemd/linger/bob", ""),
        ];
        let root = machine(&files)?;
        let words = |user| risk_below(root.path(), user).unwrap_or_default();
        assert!(words("ann").contains("enable-linger"), "{}", words("ann"));
        assert!(!words("bob").contains("enable-linger"));
        assert!(words("bob").contains("systemd-run --user --scope qd server start"));
        assert_eq!(risk_below(root.path(), "root"), None);
        Ok(())
    }
}
