//! The sample hosts as data: what each of them is, what ails it, and what lies on its disks.

use super::vitals::{Body, Mood};

/// One sample host.
#[derive(Debug)]
pub(super) struct Plan {
    /// Its name everywhere.
    pub(super) name: &'static str,
    /// One line for people.
    pub(super) about: &'static str,
    /// For the inventory.
    pub(super) tags: &'static [&'static str],
    /// How a client gets there.
    pub(super) route: Route,
    /// How late every answer is, in milliseconds.
    pub(super) delay_ms: u64,
    /// What it is made of.
    pub(super) body: Body,
    /// What it tends to when it is well.
    pub(super) well: Mood,
    /// What it tends to until somebody cures it.
    pub(super) illness: Option<Illness>,
    /// Lines of `etc/disks`: device, size in KiB, used in KiB, mount point, folder that counts too or `-`.
    pub(super) disks: &'static str,
    /// Large logs: their paths below the host's root and their lengths in MiB.
    pub(super) logs: &'static [(&'static str, u64)],
    /// Services: name, state, description.
    pub(super) services: &'static [(&'static str, &'static str, &'static str)],
    /// Small files below the host's root.
    pub(super) files: &'static [(&'static str, &'static str)],
}

/// How a client gets to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Directly, and it leads further to the hosts behind it.
    Bastion,
    /// Only through the bastion.
    Inner,
    /// Directly, but no key opens it.
    Closed,
}

/// What ails a host.
#[derive(Clone, Copy, Debug)]
pub(super) struct Illness {
    /// The service whose restart or stop cures it.
    pub(super) service: &'static str,
    /// What the host tends to meanwhile.
    pub(super) mood: Mood,
}

/// The kernel that every host claims to run.
pub(super) const KERNEL: &str = "6.1.0-28-generic";

const OS_RELEASE: &str = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nID=debian\n";

const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\
    daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n\
    www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n\
    sshd:x:102:65534::/run/sshd:/usr/sbin/nologin\n\
    demo:x:1000:1000:Demo:/home/demo:/bin/bash\n";

const SSHD: &str = "# sshd_config of a sample host\nPort 22\nPermitRootLogin no\nPasswordAuthentication no\nX11Forwarding no\n";

/// Files that every host has, unless its plan has another one of that name.
pub(super) const COMMON: &[(&str, &str)] = &[
    ("etc/os-release", OS_RELEASE),
    ("etc/passwd", PASSWD),
    ("etc/ssh/sshd_config", SSHD),
    (
        "etc/crontab",
        "17 * * * * root run-parts /etc/cron.hourly\n25 6 * * * root run-parts /etc/cron.daily\n",
    ),
    ("etc/needs-space", ""),
    (
        "etc/sockets",
        "tcp 0.0.0.0:22 users:((\"sshd\",pid=4194401))\n",
    ),
    (
        "etc/processes",
        "4194305 root 0.0 0.1 /sbin/init\n4194401 root 0.0 0.1 sshd: /usr/sbin/sshd -D\n4194433 root 0.0 0.2 /lib/systemd/systemd-journald\n",
    ),
    (
        "var/log/syslog",
        "Nov 20 06:25:01 systemd[1]: Started Daily rotation of log files.\n",
    ),
    (
        "var/log/auth.log",
        "Nov 20 08:01:44 sshd[4194871]: Accepted publickey for demo from 10.0.0.10\n",
    ),
];

/// The whole fleet; the bastion is first.
pub(super) const FLEET: &[Plan] = &[
    Plan {
        name: "bastion",
        about: "The way in: everything else is behind it.",
        tags: &["edge"],
        route: Route::Bastion,
        delay_ms: 0,
        body: body(2, 2, 0, 212),
        well: mood(0.08, 1_300, 0),
        illness: None,
        disks: "/dev/vda1 10485760 3145728 / var/log\n",
        logs: &[],
        services: &[SSHD_SERVICE, CRON],
        files: &[],
    },
    Plan {
        name: "web1",
        about: "Web server of the shop; well.",
        tags: &["prod", "shop", "web"],
        route: Route::Inner,
        delay_ms: 0,
        body: body(4, 8, 1, 41),
        well: mood(0.62, 5_400, 1_024),
        illness: None,
        disks: "/dev/vda1 41943040 15728640 / var/log\n/dev/vdb1 104857600 52428800 /srv -\n",
        logs: &[
            ("var/log/shop/shop.log", 420),
            ("var/log/journal/system.journal", 48),
        ],
        services: &[SSHD_SERVICE, CRON, NGINX, SHOP],
        files: &[
            ("etc/sockets", WEB_SOCKETS),
            ("etc/processes", WEB_PROCESSES),
            ("etc/needs-space", "shop\n"),
        ],
    },
    Plan {
        name: "web2",
        about: "Web server of the shop; its disk is full.",
        tags: &["prod", "shop", "web"],
        route: Route::Inner,
        delay_ms: 0,
        body: body(4, 8, 1, 41),
        well: mood(0.71, 5_100, 1_024),
        illness: None,
        disks: "/dev/vda1 41943040 16365322 / var/log\n/dev/vdb1 104857600 52428800 /srv -\n",
        logs: &[
            ("var/log/shop/debug.log", 600),
            ("var/log/shop/debug.log.1", 5_300),
            ("var/log/shop/debug.log.2", 5_000),
            ("var/log/shop/debug.log.3", 4_900),
            ("var/log/shop/debug.log.4", 4_800),
            ("var/log/journal/system.journal", 48),
            ("var/log/journal/system@0001.journal", 1_024),
            ("var/log/journal/system@0002.journal", 1_024),
            ("var/log/journal/system@0003.journal", 1_024),
        ],
        services: &[SSHD_SERVICE, CRON, NGINX, ("shop", "failed", SHOP.2)],
        files: &[
            ("etc/sockets", WEB_SOCKETS),
            ("etc/processes", WEB_PROCESSES),
            ("etc/needs-space", "shop\n"),
            ("var/log/syslog", WEB2_SYSLOG),
        ],
    },
    Plan {
        name: "db1",
        about: "Database of the shop; its load is far too high.",
        tags: &["db", "prod", "shop"],
        route: Route::Inner,
        delay_ms: 0,
        body: body(4, 16, 2, 97),
        well: mood(0.83, 9_200, 1_900),
        illness: Some(Illness {
            service: "report-builder",
            mood: mood(14.2, 390, 40),
        }),
        disks: "/dev/vda1 41943040 13421772 / var/log\n/dev/vdb1 524288000 314572800 /var/lib/postgresql -\n",
        logs: &[("var/log/postgresql/postgresql-15-main.log", 260)],
        services: &[
            SSHD_SERVICE,
            CRON,
            ("postgresql", "active", "PostgreSQL RDBMS"),
            ("report-builder", "active", "Monthly reports of the shop"),
        ],
        files: &[
            (
                "etc/sockets",
                "tcp 0.0.0.0:22 users:((\"sshd\",pid=4194401))\ntcp 0.0.0.0:5432 users:((\"postgres\",pid=4194733))\n",
            ),
            ("etc/processes", DB_PROCESSES),
            ("etc/processes.ill", DB_PROCESSES_ILL),
            ("var/log/syslog", DB_SYSLOG),
        ],
    },
    Plan {
        name: "app1",
        about: "Background work of the shop; well, but carelessly set up.",
        tags: &["app", "prod", "shop"],
        route: Route::Inner,
        delay_ms: 0,
        body: body(2, 4, 1, 388),
        well: mood(0.35, 2_300, 1_000),
        illness: None,
        disks: "/dev/vda1 31457280 14680064 / var/log\n",
        logs: &[("var/log/worker/worker.log", 180)],
        services: &[
            SSHD_SERVICE,
            CRON,
            ("worker", "active", "Mail and invoices of the shop"),
            ("telnet", "active", "Old console"),
        ],
        files: &[
            ("etc/passwd", APP_PASSWD),
            (
                "etc/ssh/sshd_config",
                "# sshd_config of a sample host\nPort 22\nPermitRootLogin yes\nPasswordAuthentication yes\nX11Forwarding yes\n",
            ),
            ("etc/sockets", APP_SOCKETS),
            (
                "etc/cron.d/backup",
                "30 2 * * * root /usr/local/bin/backup\n",
            ),
            ("var/log/auth.log", APP_AUTH_LOG),
        ],
    },
    Plan {
        name: "legacy1",
        about: "An old gateway that takes no key.",
        tags: &["legacy"],
        route: Route::Closed,
        delay_ms: 0,
        body: body(1, 1, 0, 1_460),
        well: mood(0.2, 300, 0),
        illness: None,
        disks: "/dev/sda1 4194304 2936012 / -\n",
        logs: &[],
        services: &[SSHD_SERVICE],
        files: &[],
    },
    Plan {
        name: "slow1",
        about: "The archive in another country; answers late.",
        tags: &["archive"],
        route: Route::Inner,
        delay_ms: 400,
        body: body(2, 4, 1, 640),
        well: mood(0.15, 2_900, 1_024),
        illness: None,
        disks: "/dev/vda1 20971520 8388608 / var/log\n/dev/vdb1 1073741824 751619276 /archive -\n",
        logs: &[],
        services: &[SSHD_SERVICE, CRON],
        files: &[],
    },
];

type Service = (&'static str, &'static str, &'static str);

const SSHD_SERVICE: Service = ("ssh", "active", "OpenBSD Secure Shell server");
const CRON: Service = (
    "cron",
    "active",
    "Regular background program processing daemon",
);
const NGINX: Service = (
    "nginx",
    "active",
    "A high performance web server and a reverse proxy server",
);
const SHOP: Service = ("shop", "active", "The shop");

const WEB_SOCKETS: &str = "tcp 0.0.0.0:22 users:((\"sshd\",pid=4194401))\n\
    tcp 0.0.0.0:80 users:((\"nginx\",pid=4194622))\n\
    tcp 0.0.0.0:443 users:((\"nginx\",pid=4194622))\n\
    tcp 127.0.0.1:8080 users:((\"shop\",pid=4194690))\n";

const WEB_PROCESSES: &str = "4194305 root 0.0 0.1 /sbin/init\n\
    4194401 root 0.0 0.1 sshd: /usr/sbin/sshd -D\n\
    4194433 root 0.1 0.2 /lib/systemd/systemd-journald\n\
    4194622 root 0.0 0.3 nginx: master process\n\
    4194623 www-data 2.4 1.1 nginx: worker process\n\
    4194690 shop 11.8 14.6 /usr/local/bin/shop --listen 127.0.0.1:8080\n";

const WEB2_SYSLOG: &str = "Nov 20 06:25:01 web2 systemd[1]: Started Daily rotation of log files.\n\
    Nov 21 17:40:12 web2 shop[4194690]: log level set to debug by deploy 2107\n\
    Nov 23 09:31:55 web2 shop[4194690]: cannot write session: No space left on device\n\
    Nov 23 09:31:58 web2 shop[4194690]: cannot write session: No space left on device\n\
    Nov 23 09:32:00 web2 systemd[1]: shop.service: Main process exited, code=exited, status=1/FAILURE\n\
    Nov 23 09:32:00 web2 systemd[1]: shop.service: Failed with result 'exit-code'.\n";

const DB_PROCESSES: &str = "4194305 root 0.0 0.1 /sbin/init\n\
    4194401 root 0.0 0.1 sshd: /usr/sbin/sshd -D\n\
    4194433 root 0.1 0.2 /lib/systemd/systemd-journald\n\
    4194733 postgres 0.9 6.2 postgres: 15/main: checkpointer\n\
    4194741 postgres 7.3 9.8 postgres: 15/main: shop shop 10.0.0.11 SELECT\n\
    4194742 postgres 5.1 9.1 postgres: 15/main: shop shop 10.0.0.12 idle\n";

const DB_PROCESSES_ILL: &str = "4195120 reports 98.7 18.4 report-builder: worker 1 (2019-01 to 2025-11)\n\
    4195121 reports 97.9 17.9 report-builder: worker 2 (2019-01 to 2025-11)\n\
    4195122 reports 97.2 18.1 report-builder: worker 3 (2019-01 to 2025-11)\n\
    4195123 reports 96.4 17.3 report-builder: worker 4 (2019-01 to 2025-11)\n";

const DB_SYSLOG: &str = "Nov 20 06:25:01 db1 systemd[1]: Started Daily rotation of log files.\n\
    Nov 23 08:00:00 db1 report-builder[4195119]: started by mira: all months, 12 workers\n\
    Nov 23 08:14:31 db1 report-builder[4195119]: month 2019-01 has no index on orders.created, reading the whole table\n\
    Nov 23 09:02:10 db1 kernel: report-builder: page allocation stalls for 10240ms\n";

const APP_PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\
    daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n\
    sshd:x:102:65534::/run/sshd:/usr/sbin/nologin\n\
    demo:x:1000:1000:Demo:/home/demo:/bin/bash\n\
    backup:x:0:0:Vendor, until 2019:/opt/backup:/bin/sh\n\
    worker:x:1001:1001:Worker:/srv/worker:/usr/sbin/nologin\n";

const APP_SOCKETS: &str = "tcp 0.0.0.0:22 users:((\"sshd\",pid=4194401))\n\
    tcp 0.0.0.0:23 users:((\"telnetd\",pid=4194512))\n\
    tcp 127.0.0.1:6379 users:((\"redis\",pid=4194560))\n";

const APP_AUTH_LOG: &str = "Nov 23 02:11:04 app1 sshd[4195301]: Failed password for root from 203.0.113.7 port 40122 ssh2\n\
    Nov 23 02:11:07 app1 sshd[4195301]: Failed password for root from 203.0.113.7 port 40122 ssh2\n\
    Nov 23 02:11:12 app1 sshd[4195304]: Failed password for invalid user admin from 203.0.113.7 port 40188 ssh2\n\
    Nov 23 02:40:51 app1 sshd[4195377]: Failed password for backup from 198.51.100.23 port 51514 ssh2\n\
    Nov 23 08:01:44 app1 sshd[4195871]: Accepted publickey for demo from 10.0.0.10\n";

/// A machine with so many processors, GiB of memory and of swap, and days since boot.
const fn body(cpus: u32, memory_gib: u64, swap_gib: u64, days: u32) -> Body {
    Body {
        cpus,
        memory_kib: memory_gib * 1_048_576,
        swap_kib: swap_gib * 1_048_576,
        uptime_s: days * 86_400 + 14_520,
    }
}

/// A tendency to this load with so many MiB of memory available and of swap free.
const fn mood(load: f64, available_mib: u64, swap_free_mib: u64) -> Mood {
    Mood {
        load,
        available_kib: available_mib * 1_024,
        swap_free_kib: swap_free_mib * 1_024,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bastion_comes_first_and_names_are_unique() {
        let mut names: Vec<&str> = FLEET.iter().map(|plan| plan.name).collect();
        assert_eq!(names.first(), Some(&"bastion"));
        assert!(names.len() >= 7);
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        let bastions = FLEET
            .iter()
            .filter(|plan| plan.route == Route::Bastion)
            .count();
        assert_eq!(bastions, 1);
    }

    #[test]
    fn process_numbers_cannot_be_real_ones() {
        // The largest process number that Linux can be told to use is 2^22 (proc(5), pid_max).
        let tables = FLEET.iter().flat_map(|plan| plan.files).chain(COMMON);
        for (path, text) in tables.filter(|(path, _)| path.starts_with("etc/processes")) {
            for line in text.lines() {
                let number: u32 = line
                    .split(' ')
                    .next()
                    .unwrap_or_default()
                    .parse()
                    .unwrap_or_default();
                assert!(number > 1 << 22, "{path}: {line}");
            }
        }
    }

    #[test]
    fn an_illness_has_a_service_to_cure_it() {
        for plan in FLEET {
            if let Some(illness) = plan.illness {
                assert!(
                    plan.services
                        .iter()
                        .any(|(name, _, _)| *name == illness.service),
                    "{}",
                    plan.name
                );
                assert!(illness.mood.load > plan.well.load);
            }
        }
    }
}
