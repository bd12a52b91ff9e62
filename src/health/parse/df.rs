//! The portable output of `df -Pk` (POSIX.1-2024, df).

use std::collections::BTreeMap;

use crate::domain::sample::Disk;

/// Reads it all; a mount point that comes twice counts once. Also returns how many lines made no sense.
pub(super) fn read(text: &str) -> (Vec<Disk>, u32) {
    let mut skipped = 0u32;
    let mut found = BTreeMap::new();
    for text in text.lines() {
        // The heading is in the language of the account.
        if text.trim().is_empty() || is_heading(text) {
            continue;
        }
        match line(text) {
            Some((device, disk)) => {
                if keep(&device, &disk.mount, disk.size_kib) {
                    found.insert(disk.mount.clone(), disk);
                }
            }
            None => skipped = skipped.saturating_add(1),
        }
    }
    (found.into_values().collect(), skipped)
}

fn is_heading(line: &str) -> bool {
    line.contains("1024") && !line.contains("% /")
}

/// The device and its fill. Devices and mount points may hold spaces, so the numbers between them are looked for.
fn line(line: &str) -> Option<(String, Disk)> {
    let tokens: Vec<(usize, &str)> = tokens(line);
    let index = (1..tokens.len()).find(|index| {
        let number = |offset: usize| {
            tokens
                .get(index + offset)
                .is_some_and(|(_, token)| token.parse::<i64>().is_ok())
        };
        let share = tokens.get(index + 3).is_some_and(|(_, token)| {
            *token == "-"
                || token
                    .strip_suffix('%')
                    .is_some_and(|share| share.parse::<i64>().is_ok())
        });
        number(0) && number(1) && number(2) && share
    })?;
    let value = |offset: usize| -> Option<u64> {
        // What is left is negative when root uses the reserve.
        let value: i64 = tokens.get(index + offset)?.1.parse().ok()?;
        Some(u64::try_from(value).unwrap_or(0))
    };
    let (start, _) = tokens.get(index)?;
    let (mount, _) = tokens.get(index + 4)?;
    let (used, available) = (value(1)?, value(2)?);
    let disk = Disk {
        mount: line.get(*mount..)?.trim_end().to_owned(),
        // Without root's reserve, as the capacity column counts: that is when writing fails.
        size_kib: used.saturating_add(available),
        used_kib: used,
    };
    Some((line.get(..*start)?.trim().to_owned(), disk))
}

/// The words of a line with their places.
fn tokens(line: &str) -> Vec<(usize, &str)> {
    line.split(char::is_whitespace)
        .scan(0, |at, token| {
            let start = *at;
            let gap = line
                .get(start + token.len()..)
                .and_then(|rest| rest.chars().next());
            *at = start + token.len() + gap.map_or(0, char::len_utf8);
            Some((start, token))
        })
        .filter(|(_, token)| !token.is_empty())
        .collect()
}

/// Whether a file system is one that can fill up, and not a view of the kernel, a piece of memory or a read-only image.
pub(in crate::health) fn keep(device: &str, mount: &str, size_kib: u64) -> bool {
    const VIEWS: &[&str] = &[
        "tmpfs",
        "devtmpfs",
        "udev",
        "none",
        "shm",
        "efivarfs",
        "squashfs",
        "ramfs",
        "rootfs",
        "proc",
        "procfs",
        "sysfs",
        "sysfs",
        "cgroup",
        "cgroup2",
        "devfs",
        "fdescfs",
        "fdesc",
        "linprocfs",
        "linsysfs",
        "dev",
        "run",
        "nsfs",
    ];
    const UNDER: &[&str] = &[
        "/proc/",
        "/sys/",
        "/dev/",
        "/run/",
        "/snap/",
        "/var/snap/",
        "/var/lib/docker/",
        "/var/lib/containers/",
        "/var/lib/kubelet/",
        "/System/Volumes/",
    ];
    if size_kib == 0 {
        return false;
    }
    match device {
        // Containers have their root on an overlay, and hosts have those of their containers.
        "overlay" => mount == "/",
        "tmpfs" => mount == "/tmp",
        device if VIEWS.contains(&device) => false,
        device if device.starts_with("/dev/loop") || device.starts_with("map ") => false,
        _ => {
            mount == "/System/Volumes/Data" || !UNDER.iter().any(|folder| mount.starts_with(folder))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_systems_that_matter_are_kept() {
        let text = "\
Filesystem     1024-blocks      Used Available Capacity Mounted on
udev               8100000         0   8100000       0% /dev
tmpfs              1600000      2000   1598000       1% /run
/dev/sda2        100000000  90000000   5000000      95% /
/dev/loop3          65000     65000         0     100% /snap/core/1
tank/home         2000000   1000000   1000000      50% /home
//nas/my share    1000       900        100        90% /mnt/my share
/dev/sdb1           1000      1100       -100     110% /full
tmpfs              100        50         50        50% /tmp
overlay            1000       10         990       1% /var/lib/docker/overlay2/x
none               0          0          0         -  /sys/fs/cgroup
";
        let (disks, skipped) = read(text);
        assert_eq!(skipped, 0);
        let shown: Vec<String> = disks
            .iter()
            .map(|disk| format!("{} {:.0}", disk.mount, disk.used_percent()))
            .collect();
        assert_eq!(
            shown,
            [
                "/ 95",
                "/full 100",
                "/home 50",
                "/mnt/my share 90",
                "/tmp 50"
            ]
        );
    }

    #[test]
    fn other_lines_are_counted() {
        let (disks, skipped) =
            read("Dateisystem 1024-Blöcke Benutzt\ndf: /x: permission denied\n\n/dev/sda1 1 2\n");
        assert_eq!((disks.len(), skipped), (0, 2));
    }
}
