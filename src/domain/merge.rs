//! Merging: what a register holds when several devices wrote it, in whatever order their writes arrive. Pure.

use std::collections::BTreeMap;

use super::ids::DeviceId;
use super::op::{Hlc, Stamp};
use super::planted::planted;

/// A register: the last writer wins, and writes that did not know of each other are all kept until somebody settles them.
///
/// Of each device it remembers the newest write, and the newest write that anybody replaced. A device's own writes
/// follow each other, so these two say of every write whether it still stands: the state is the join of all writes,
/// and neither order nor repetition matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register<T> {
    slots: BTreeMap<DeviceId, Slot<T>>,
}

/// What a register remembers of one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot<T> {
    /// The highest stamp of this device's writes that another write named as replaced; zero for none.
    pub named: Hlc,
    /// Its newest write, while nothing has replaced it.
    pub write: Option<Written<T>>,
}

/// A write that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written<T> {
    /// When.
    pub hlc: Hlc,
    /// Its number in its device's log.
    pub seq: u64,
    /// What was written.
    pub value: T,
}

impl<T> Default for Register<T> {
    fn default() -> Self {
        Self {
            slots: BTreeMap::new(),
        }
    }
}

impl<T> Register<T> {
    /// Puts together what was stored.
    pub fn from_slots(slots: impl IntoIterator<Item = (DeviceId, Slot<T>)>) -> Self {
        Self {
            slots: slots.into_iter().collect(),
        }
    }

    /// What is to be stored.
    pub fn slots(&self) -> impl Iterator<Item = (DeviceId, &Slot<T>)> {
        self.slots.iter().map(|(device, slot)| (*device, slot))
    }

    /// Adds a write that replaced the writes in `prev`. A name in `prev` that is not older than the write itself is a
    /// lie, since an edit passes what its author saw, and is ignored.
    pub fn write(&mut self, stamp: Stamp, seq: u64, value: T, prev: &[Stamp]) {
        for old in prev.iter().filter(|old| old.hlc < stamp.hlc) {
            let slot = self.slot(old.device);
            slot.named = slot.named.max(old.hlc);
            if slot
                .write
                .as_ref()
                .is_some_and(|write| write.hlc <= slot.named)
            {
                slot.write = None;
            }
        }
        if planted!(PruneUnseen) {
            for slot in self.slots.values_mut() {
                slot.write.take_if(|write| write.hlc < stamp.hlc);
            }
        }
        let slot = self.slot(stamp.device);
        let newer = slot
            .write
            .as_ref()
            .is_none_or(|write| (write.hlc, write.seq) < (stamp.hlc, seq));
        if stamp.hlc > slot.named && newer {
            slot.write = Some(Written {
                hlc: stamp.hlc,
                seq,
                value,
            });
        }
    }

    /// The writes that stand, the one in force first: the highest stamp wins, the device breaks a tie.
    pub fn heads(&self) -> Vec<(Stamp, &Written<T>)> {
        let mut heads: Vec<_> = self
            .slots
            .iter()
            .filter_map(|(device, slot)| {
                let write = slot.write.as_ref()?;
                let stamp = Stamp {
                    hlc: write.hlc,
                    device: *device,
                };
                Some((stamp, write))
            })
            .collect();
        if planted!(NoTieBreak) {
            heads.sort_by_key(|(stamp, _)| std::cmp::Reverse(stamp.hlc));
        } else {
            heads.sort_unstable_by_key(|(stamp, _)| std::cmp::Reverse(*stamp));
        }
        heads
    }

    /// What the next write must pass.
    pub fn highest(&self) -> Option<Hlc> {
        let stamps = self.slots.values().map(|slot| {
            let write = slot.write.as_ref().map_or(Hlc(0), |write| write.hlc);
            write.max(slot.named)
        });
        stamps.max()
    }

    fn slot(&mut self, device: DeviceId) -> &mut Slot<T> {
        self.slots.entry(device).or_insert(Slot {
            named: Hlc(0),
            write: None,
        })
    }
}

impl<T: PartialEq> Register<T> {
    /// Whether writes stand that did not know of each other and do not say the same. Two devices that import one
    /// inventory write equal values at once, and nobody has to settle that.
    pub fn in_conflict(&self) -> bool {
        let mut values = self
            .slots
            .values()
            .filter_map(|slot| slot.write.as_ref())
            .map(|write| &write.value);
        let first = values.next();
        values.any(|value| Some(value) != first)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;
    use crate::domain::ids::EntityId;
    use crate::domain::op::Clock;
    use crate::domain::time::Time;

    #[derive(Clone, Debug)]
    struct Write {
        stamp: Stamp,
        seq: u64,
        value: u8,
        prev: Vec<Stamp>,
    }

    fn device(number: usize) -> DeviceId {
        DeviceId(EntityId::from_bytes(
            [u8::try_from(number).unwrap_or(0); 16],
        ))
    }

    fn fold<'a>(writes: impl IntoIterator<Item = &'a Write>) -> Register<u8> {
        let mut register = Register::default();
        for write in writes {
            register.write(write.stamp, write.seq, write.value, &write.prev);
        }
        register
    }

    /// The rule in the words of the design: the writes that no other write names.
    fn heads_by_definition(writes: &[Write]) -> Vec<Stamp> {
        let mut heads: Vec<Stamp> = writes
            .iter()
            .map(|write| write.stamp)
            .filter(|stamp| !writes.iter().any(|other| other.prev.contains(stamp)))
            .collect();
        heads.sort_unstable();
        heads.reverse();
        heads
    }

    /// Devices with clocks hours apart write, and hear some of what the others wrote.
    fn history(steps: &[(usize, usize, bool, i64)]) -> Vec<Write> {
        const DEVICES: usize = 4;
        let mut known: Vec<Vec<Write>> = vec![Vec::new(); DEVICES];
        let mut clocks = [Clock::default(); DEVICES];
        let mut all: Vec<Write> = Vec::new();
        for (step, (who, from, write, skew)) in steps.iter().enumerate() {
            let (who, from) = (who % DEVICES, from % DEVICES);
            let now = Time(1_000_000_000 + step as i64 + skew);
            if *write {
                let register = fold(&known[who]);
                let prev = register.heads().iter().map(|(stamp, _)| *stamp).collect();
                let hlc = clocks[who].tick(now, register.highest());
                let made = Write {
                    stamp: Stamp {
                        hlc,
                        device: device(who),
                    },
                    seq: step as u64 + 1,
                    value: u8::try_from(step % 251).unwrap_or(0),
                    prev,
                };
                known[who].push(made.clone());
                all.push(made);
            } else {
                for write in known[from].clone() {
                    if !known[who].iter().any(|have| have.stamp == write.stamp) {
                        clocks[who].hear(now, write.stamp.hlc);
                        known[who].push(write);
                    }
                }
            }
        }
        all
    }

    proptest! {
        #[test]
        fn any_order_and_repetition_gives_one_state(
            steps in prop::collection::vec((0..4usize, 0..4usize, any::<bool>(), -90_000_000..90_000_000i64), 1..40),
            order in prop::collection::vec(any::<Index>(), 0..120),
        ) {
            let writes = history(&steps);
            let straight = fold(&writes);
            let heads: Vec<Stamp> = straight.heads().iter().map(|(stamp, _)| *stamp).collect();
            prop_assert_eq!(&heads, &heads_by_definition(&writes));
            if !writes.is_empty() {
                // A random sequence with repetitions, then everything that it left out, backwards.
                let shuffled = order.iter().map(|index| index.get(&writes)).chain(writes.iter().rev());
                prop_assert_eq!(fold(shuffled), straight);
            }
        }

        #[test]
        fn even_lies_give_one_state(
            lies in prop::collection::vec((0..3usize, 1..6u64, any::<u8>(), prop::collection::vec((0..3usize, 1..9u64), 0..3)), 1..12),
        ) {
            let writes: Vec<Write> = lies.iter().enumerate().map(|(seq, (who, hlc, value, prev))| Write {
                stamp: Stamp { hlc: Hlc(*hlc), device: device(*who) },
                seq: seq as u64,
                value: *value,
                prev: prev.iter().map(|(who, hlc)| Stamp { hlc: Hlc(*hlc), device: device(*who) }).collect(),
            }).collect();
            let straight = fold(&writes);
            prop_assert_eq!(fold(writes.iter().rev()), straight.clone());
            prop_assert_eq!(fold(writes.iter().chain(&writes)), straight);
        }
    }

    #[test]
    fn concurrent_writes_stay_until_somebody_settles_them() {
        let stamp = |hlc, who| Stamp {
            hlc: Hlc(hlc),
            device: device(who),
        };
        let mut register = Register::default();
        register.write(stamp(1, 1), 1, "new", &[]);
        register.write(stamp(5, 1), 2, "open", &[stamp(1, 1)]);
        assert!(!register.in_conflict());
        register.write(stamp(5, 2), 1, "closed", &[stamp(1, 1)]);
        assert!(register.in_conflict());
        let values: Vec<_> = register
            .heads()
            .iter()
            .map(|(_, write)| write.value)
            .collect();
        assert_eq!(values, ["closed", "open"], "the device breaks the tie");
        register.write(stamp(6, 1), 3, "open", &[stamp(5, 1), stamp(5, 2)]);
        assert!(!register.in_conflict());
        assert_eq!(register.heads().len(), 1);
        assert_eq!(register.highest(), Some(Hlc(6)));
    }

    #[test]
    fn the_same_words_at_once_are_no_conflict() {
        let mut register = Register::default();
        for who in [1, 2] {
            let stamp = Stamp {
                hlc: Hlc(1),
                device: device(who),
            };
            register.write(stamp, 1, "10.0.0.1", &[]);
        }
        assert_eq!(register.heads().len(), 2);
        assert!(!register.in_conflict());
    }
}
