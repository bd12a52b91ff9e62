//! Which file systems a store may not lie on: those of several machines, because WAL shares memory between processes.

use std::path::Path;

#[cfg(target_os = "linux")]
use std::fs;

use super::StoreError;

/// WAL shares memory between processes, which file systems of several machines cannot do.
pub(super) fn refuse(folder: &Path) -> Result<(), StoreError> {
    #[cfg(target_os = "linux")]
    {
        let stat = rustix::fs::statfs(folder)
            .map_err(|why| StoreError::io("examining", folder, &std::io::Error::from(why)))?;
        // The type is a 32 bit number that some platforms sign-extend.
        let magic = stat.f_type as u32;
        let kind = network_kind(magic).or_else(|| {
            // A file system in user space may be anything: only its name tells.
            let mounts = if magic == FUSE {
                fs::read_to_string("/proc/self/mountinfo").unwrap_or_default()
            } else {
                String::new()
            };
            let place = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
            fuse_kind(&mounts, &place)
        });
        if let Some(kind) = kind {
            return Err(StoreError::NetworkFs {
                path: folder.to_owned(),
                kind,
            });
        }
    }
    #[cfg(not(target_os = "linux"))]
    drop(folder);
    Ok(())
}

/// The number of every file system in user space, in statfs(2).
#[cfg(target_os = "linux")]
const FUSE: u32 = 0x6573_5546;

/// Which network file system in user space holds `place`, from the text of proc_pid_mountinfo(5): the fifth field of a line
/// is where it is mounted, and the one after the dash is its type. The longest place that leads to ours counts, the last
/// of several.
#[cfg(target_os = "linux")]
fn fuse_kind(mounts: &str, place: &Path) -> Option<&'static str> {
    let mut best: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let (Some(at), Some((_, rest))) = (line.split(' ').nth(4), line.split_once(" - ")) else {
            continue;
        };
        // Blanks in it are written as \\040.
        let at = at.replace("\\040", " ");
        let kind = rest.split(' ').next().unwrap_or_default();
        if place.starts_with(&at) && best.is_none_or(|(length, _)| at.len() >= length) {
            best = Some((at.len(), kind));
        }
    }
    match best?.1 {
        "fuse.sshfs" => Some("sshfs"),
        "fuse.rclone" => Some("rclone"),
        "fuse.s3fs" | "fuse.goofys" | "fuse.gcsfuse" => Some("a bucket"),
        "fuse.glusterfs" => Some("GlusterFS"),
        "fuse.ceph" | "fuse.ceph-fuse" => Some("Ceph"),
        "fuse.davfs" | "fuse.davfs2" => Some("WebDAV"),
        "fuse.smbnetfs" | "fuse.gvfsd-fuse" | "fuse.kio-fuse" => Some("a share of a desktop"),
        _ => None,
    }
}

/// The numbers in statfs(2).
#[cfg(target_os = "linux")]
fn network_kind(magic: u32) -> Option<&'static str> {
    match magic {
        0x6969 => Some("NFS"),
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => Some("an SMB share"),
        0x5346_414f | 0x6b41_4653 => Some("AFS"),
        0x7375_7245 => Some("Coda"),
        0x00c3_6400 => Some("Ceph"),
        0x0bd0_0bd0 => Some("Lustre"),
        0x0102_1997 => Some("9p, a folder of another machine,"),
        0x4750_4653 => Some("GPFS"),
        0x0116_1970 => Some("GFS2"),
        0x7461_636f => Some("OCFS2"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn network_file_systems_are_known_by_their_numbers() {
        for (magic, kind) in [
            (0x6969, Some("NFS")),
            (0xfe53_4d42, Some("an SMB share")),
            (0xff53_4d42, Some("an SMB share")),
            (0x6b41_4653, Some("AFS")),
            (0x0102_1997, Some("9p, a folder of another machine,")),
            (0xef53, None),
            (0x0102_1994, None),
            (0x794c_7630, None),
        ] {
            assert_eq!(network_kind(magic), kind, "{magic:x}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_system_in_user_space_is_known_by_its_name() {
        let mounts = "29 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
                      80 29 0:50 / /home/ann/far\\040away rw shared:9 - fuse.sshfs ann@db1:/ rw\n\
                      81 29 0:51 / /home/ann/usb rw shared:9 - fuseblk /dev/sdb1 rw\n";
        for (place, kind) in [
            ("/home/ann/far away/qd", Some("sshfs")),
            ("/home/ann/usb/qd", None),
            ("/home/ann", None),
            ("/home/ann/far", None),
        ] {
            assert_eq!(fuse_kind(mounts, Path::new(place)), kind, "{place}");
        }
    }
}
