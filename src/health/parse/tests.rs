//! Answers as hosts give them, and garbage.

use proptest::prelude::*;

use super::*;

const FIRST: &str = "\
S Linux 5.10.0
H db1
P 4
L 1.50 0.75 0.25
U 100000.99
M MemTotal: 8000000
M MemFree: 100000
M MemAvailable: 2000000
M SwapTotal: 1000
M SwapFree: 400
C 1000 0 500 8000 500 0 0 0 0 0
N lo: 99999 0 0 0 0 0 0 0 99999 0
N eth0: 4294967000 1 0 0 0 0 0 0 5000 2
N eth1:77 1 0 0 0 0 0 0 88 2
.
";

const SECOND: &str = "\
L 1.00 0.75 0.25
U 100002.99
C 1100 0 600 8150 550 0 0 0 0 0
N lo: 199999 0 0 0 0 0 0 0 199999 0
N eth0: 704 1 0 0 0 0 0 0 9000 2
N wlan0: 5 1 0 0 0 0 0 0 6 2
";

#[test]
fn two_answers_make_rates() {
    let first = answer(FIRST, None, Time(10_000));
    assert_eq!(first.skipped, 0);
    assert_eq!(first.sample.cpus, Some(4));
    assert_eq!(first.sample.load, Some([1.5, 0.75, 0.25]));
    assert_eq!(first.sample.uptime_s, Some(100_000));
    assert_eq!(first.sample.mem_available_kib, Some(2_000_000));
    assert_eq!(first.sample.swap_free_kib, Some(400));
    assert_eq!(
        (first.sample.cpu_percent, first.sample.net_bps),
        (None, None)
    );
    assert_eq!(
        first.facts.get("kernel").map(String::as_str),
        Some("5.10.0")
    );
    assert_eq!(first.facts.get("os").map(String::as_str), Some("Linux"));

    let second = answer(SECOND, Some(&first.counters), Time(12_000));
    assert_eq!(second.sample.cpus, Some(4), "remembered");
    assert_eq!(second.sample.cpu_percent, Some(50.0));
    assert_eq!(second.sample.net_bps, Some([500, 2_000]));
    assert_eq!(second.sample.mem_total_kib, None, "not said is not known");
}

#[test]
fn a_reboot_makes_no_rates() {
    let first = answer(FIRST, None, Time(10_000));
    let text = SECOND.replace("100002.99", "12.00");
    let second = answer(&text, Some(&first.counters), Time(12_000));
    assert_eq!(
        (second.sample.cpu_percent, second.sample.net_bps),
        (None, None)
    );
}

#[test]
fn a_clock_that_stands_makes_no_rates() {
    let first = answer(FIRST, None, Time(10_000));
    let second = answer(SECOND, Some(&first.counters), Time(9_000));
    assert_eq!(second.sample.net_bps, None);
}

#[test]
fn old_kernels_do_not_say_what_is_available() {
    let text = "M MemTotal: 1000\nM MemFree: 100\nM Buffers: 50\nM Cached: 250\n";
    let reading = answer(text, None, Time(0));
    assert_eq!(reading.sample.mem_available_kib, Some(400));
}

#[test]
fn nonsense_is_counted_and_passed_over() {
    let text = "\
bash: warning: setlocale
L 1.0 x 2.0
L nan nan nan
U -5
U inf
M MemTotal: many
M Unheard: 5
C 1 2 3
C a b c d
N eth0 5 5
P 0
H
Q what

L 0.1 0.2 0.3
";
    let reading = answer(text, None, Time(0));
    assert_eq!(reading.skipped, 13);
    assert_eq!(reading.sample.load, Some([0.1, 0.2, 0.3]));
    assert_eq!(reading.sample.uptime_s, None);
    assert_eq!(reading.sample.mem_total_kib, None);
}

#[test]
fn freebsd() {
    let text = "\
S FreeBSD 14.0-RELEASE
H bsd1
K vm.loadavg: { 0.10 0.20 0.30 }
K kern.cp_time: 100 0 100 0 800
K hw.physmem: 8589934592
K hw.ncpu: 8
K kern.boottime: { sec = 1700000000, usec = 123 } Tue Nov 14 22:13:20 2023
K vm.stats.vm.v_page_size: 4096
K vm.stats.vm.v_free_count: 1000
K vm.stats.vm.v_inactive_count: 500
K now: 1700003600
I Name    Mtu Network       Address              Ipkts Ierrs Idrop     Ibytes    Opkts Oerrs     Obytes  Coll
I em0    1500 <Link#1>      00:00:5e:00:53:01     1000     0     0     123456      900     0     654321     0
I em0       - 192.0.2.0/24  192.0.2.7              900     -     -     100000      800     -     500000     -
I lo0   16384 <Link#2>      lo0                      5     0     0        500        5     0        500     0
";
    let reading = answer(text, None, Time(0));
    assert_eq!(reading.skipped, 0);
    let sample = &reading.sample;
    assert_eq!(sample.load, Some([0.1, 0.2, 0.3]));
    assert_eq!(sample.cpus, Some(8));
    assert_eq!(sample.mem_total_kib, Some(8_388_608));
    assert_eq!(sample.mem_available_kib, Some(6_000));
    assert_eq!(sample.uptime_s, Some(3_600));
    let later = text
        .replace("100 0 100 0 800", "150 0 150 0 900")
        .replace("123456", "124456");
    let later = answer(&later, Some(&reading.counters), Time(1_000));
    assert_eq!(later.sample.cpu_percent, Some(50.0));
    assert_eq!(later.sample.net_bps, Some([1_000, 0]));
}

#[test]
fn macos() {
    let text = "\
S Darwin 23.1.0
K vm.loadavg: { 1,52 1,60 1,70 }
K hw.memsize: 17179869184
K hw.ncpu: 10
K kern.boottime: { sec = 1700000000, usec = 0 } Tue Nov 14 22:13:20 2023
K vm.swapusage: total = 2048.00M  used = 1024.00M  free = 1024.00M  (encrypted)
V Mach Virtual Memory Statistics: (page size of 16384 bytes)
V Pages free:                               1000.
V Pages active:                           100000.
V Pages inactive:                           2000.
V \"Translation faults\":                 12345678.
K now: 1700000060
I Name       Mtu   Network       Address            Ipkts Ierrs     Ibytes    Opkts Oerrs     Obytes  Coll
I lo0        16384 <Link#1>                        100     0      1000      100     0      1000     0
I en0        1500  <Link#4>    00:00:5e:00:53:02   200     0     20000      100     0     10000     0
";
    let reading = answer(text, None, Time(0));
    assert_eq!(reading.skipped, 0);
    assert_eq!(reading.sample.load, Some([1.52, 1.6, 1.7]));
    assert_eq!(reading.sample.mem_available_kib, Some(48_000));
    assert_eq!(reading.sample.swap_total_kib, Some(2_097_152));
    assert_eq!(reading.sample.uptime_s, Some(60));
    assert_eq!(reading.sample.cpu_percent, None);
    assert_eq!(reading.counters.net.get("en0"), Some(&[20_000, 10_000]));
}

proptest! {
    /// Whatever a host says, nothing panics, and every number that comes out is one.
    #[test]
    fn garbage_is_harmless(
        lines in proptest::collection::vec("([LUMCNPSHOKVI] )?(\\PC|[0-9 .:-]){0,40}", 0..20),
        more in proptest::collection::vec("[LUMCNP] [0-9]{1,25}( [0-9]{1,25}){0,10}", 0..20),
    ) {
        let first = answer(&lines.join("\n"), None, Time(0));
        let second = answer(&more.join("\n"), Some(&first.counters), Time(1_000));
        let third = answer(&lines.join("\n"), Some(&second.counters), Time(2_000));
        for reading in [first, second, third] {
            if let Some(share) = reading.sample.cpu_percent {
                prop_assert!((0.0..=100.0).contains(&share));
            }
            for load in reading.sample.load.into_iter().flatten() {
                prop_assert!(load.is_finite() && load >= 0.0);
            }
        }
        let _listed = disks(&lines.join("\n"));
    }
}
