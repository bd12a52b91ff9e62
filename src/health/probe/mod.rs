//! What is run on a host to measure it: one POSIX shell loop on one channel, made of builtins alone.
//!
//! The loop waits in `read`, answers each line from us with one sample and ends when its input ends. So our clock sets the
//! rate, nothing sleeps over there, and nothing is left behind when the link dies. What is measured stands in `parse`.
//!
//! Each line of an answer begins with a letter: `S` system and release, `H` host name, `O` name of the distribution, `P`
//! processors (these four only in the first answer), `L` load, `U` uptime, `M` memory, `C` processor time, `N` network,
//! and on systems without `/proc` `K` sysctl, `V` vm_stat, `I` netstat. A line with a dot ends it.

/// What asks the probe for one sample.
pub const PROMPT: &[u8] = b"\n";

/// The line that ends an answer.
pub const END: &str = ".";

/// Every how many samples the file systems are listed, beginning with the first.
pub const DISKS_EVERY: u64 = 10;

/// How long listing the file systems may take, in milliseconds.
pub const DISKS_TIMEOUT_MS: u64 = 5_000;

/// The longest answer that is believed, in bytes; a host with a thousand interfaces stays below.
pub const ANSWER_LIMIT: usize = 256 * 1024;

/// The probe: an exec request for a channel of its own. `QD_PROC` names another folder than `/proc`.
pub fn command() -> String {
    request(LOOP)
}

/// Lists the file systems once. It has a channel and a time limit of its own, because `df` hangs on a dead NFS server.
pub fn disks_command() -> String {
    request(DISKS)
}

/// The login shell may be fish or csh, so `sh` is asked for, and the script is one line without single quotes,
/// backslashes and exclamation marks: the only text that all of them pass on unchanged.
fn request(script: &str) -> String {
    format!("exec sh -c '{}'", join(script))
}

fn join(script: &str) -> String {
    script
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

const LOOP: &str = r#"
exec 2>/dev/null;
P=${QD_PROC:-/proc}; n=; s=;
while read -r q; do
    if [ -z "$n" ]; then
        n=1; s=; r=; h=; c=0;
        read -r s <"$P/sys/kernel/ostype" || s=$(uname -s);
        read -r r <"$P/sys/kernel/osrelease" || r=$(uname -r);
        read -r h <"$P/sys/kernel/hostname" || h=$(uname -n);
        echo "S $s $r"; echo "H $h";
        while IFS== read -r k v; do
            case $k in PRETTY_NAME) echo "O $v"; break;; esac;
        done <"$QD_PROC/etc/os-release";
        while read -r k v; do
            case $k in cpu) ;; cpu*) c=$((c+1));; *) break;; esac;
        done <"$P/stat";
        case $c in 0) ;; *) echo "P $c";; esac;
    fi;
    if [ -r "$P/loadavg" ]; then
        read -r a b c d e <"$P/loadavg" && echo "L $a $b $c";
        read -r a b <"$P/uptime" && echo "U $a";
        while read -r k v u; do
            case $k in
                MemTotal:|MemFree:|MemAvailable:|Buffers:|Cached:|SwapTotal:) echo "M $k $v";;
                SwapFree:) echo "M $k $v"; break;;
            esac;
        done <"$P/meminfo";
        while read -r k v; do
            case $k in cpu) echo "C $v"; break;; esac;
        done <"$P/stat";
        while read -r i v; do
            case $i in *:*) echo "N $i $v";; esac;
        done <"$P/net/dev";
    else
        case $s in
            Darwin)
                sysctl vm.loadavg hw.memsize hw.ncpu kern.boottime vm.swapusage </dev/null | while read -r x; do echo "K $x"; done;
                vm_stat </dev/null | while read -r x; do echo "V $x"; done;
                echo "K now: $(date +%s)";
                netstat -ibn </dev/null | while read -r x; do echo "I $x"; done;;
            *BSD|DragonFly)
                sysctl vm.loadavg kern.cp_time hw.physmem hw.ncpu kern.boottime vm.stats.vm.v_page_size vm.stats.vm.v_free_count vm.stats.vm.v_inactive_count vm.stats.vm.v_cache_count </dev/null | while read -r x; do echo "K $x"; done;
                echo "K now: $(date +%s)";
                netstat -ibn </dev/null | while read -r x; do echo "I $x"; done;;
        esac;
    fi;
    echo .;
done
"#;

const DISKS: &str = r#"
if [ -n "$QD_PROC" ] && [ -r "$QD_PROC/df" ]; then
    while read -r x; do echo "$x"; done <"$QD_PROC/df";
else
    df -Pkl 2>/dev/null || df -Pk 2>/dev/null;
fi
"#;

#[cfg(test)]
mod tests;
