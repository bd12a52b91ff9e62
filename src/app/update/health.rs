//! Health: who is asked, what the answers mean, and the rounds that somebody waits for.

use std::time::Duration;

use crate::app::effect::Effect;
use crate::app::event::Caller;
use crate::app::purpose::Purpose;
use crate::app::state::{Probing, Round, State};
use crate::command::{self, Answer, Outcome};
use crate::domain::check::HostState;
use crate::domain::host::{Host, Target};
use crate::domain::ids::HostId;
use crate::domain::op::{Draft, Entity, EntityKind, Value};
use crate::domain::run::Exit;
use crate::domain::sample::Sample;
use crate::domain::time::Time;
use crate::health::{parse, probe, verdict};
use crate::ssh::{ExecSpec, ProbeReply, SshAsk};
use crate::store::{Batch, Local};

use super::{gather, reply};

/// How long after its first sample a host of a round is asked again, so that shares of time can be told, in milliseconds.
const SECOND_LOOK: u64 = 900;

/// How much of the list of file systems is read, in bytes.
const DISKS_LIMIT: usize = 256 * 1024;

/// The most hosts of a round that are asked at once; the others follow as answers come.
const AT_ONCE: usize = 64;

/// Time passed: whoever is due is asked.
pub(super) fn tick(state: &mut State, fx: &mut Vec<Effect>) {
    let now = state.model.now;
    if !state.windows.is_empty() {
        if state.setup.probing != Probing::Asked && !state.setup.read_only {
            for host in state.schedule.due(now) {
                ask_host(state, host, fx);
            }
        }
        if state.measuring.is_none_or(|at| now.since(at) >= 2_000) {
            state.measuring = Some(now);
            fx.push(Effect::Measure);
        }
    }
    let again: Vec<HostId> = state
        .rounds
        .iter()
        .flat_map(|round| &round.missing)
        .filter(|host| {
            state.measured.get(host).is_some_and(|measured| {
                measured.round_samples == 1
                    && !measured.asked
                    && now.since(measured.at) >= SECOND_LOOK
            })
        })
        .copied()
        .collect();
    for host in again {
        ask_host(state, host, fx);
    }
    wake(state);
    rounds(state, fx);
}

/// The inventory changed: the schedule follows.
pub(super) fn inventory_changed(state: &mut State) {
    let all = state.setup.probing == Probing::All;
    let hosts: Vec<_> = state
        .model
        .hosts
        .iter()
        .filter(|host| !host.stale && (all || state.visible.contains(&host.id)))
        .map(|host| (host.id, host.jump.first().cloned()))
        .collect();
    state.schedule.set_hosts(hosts);
}

/// The machine that we run on was measured.
pub(super) fn here(state: &mut State, sample: Sample) {
    state
        .here
        .take(verdict::judge(&sample, &state.setup.thresholds));
    let local = state.model.local.get_or_insert_default();
    if let Some(believed) = state.here.verdict() {
        (local.state, local.reasons) = (believed.state, believed.reasons.clone());
    }
    local.at = Some(sample.at);
    local.push(sample);
}

/// These hosts are on the screen now.
pub(super) fn visible(state: &mut State, hosts: &[HostId]) {
    let hosts: std::collections::BTreeSet<HostId> = hosts.iter().copied().collect();
    if hosts != state.visible {
        state.visible = hosts;
        inventory_changed(state);
        state.schedule.visible(state.visible.iter().copied());
    }
}

/// Somebody wants to know how these hosts are.
pub(super) fn round(
    state: &mut State,
    caller: Caller,
    hosts: &[Host],
    watch: bool,
    fx: &mut Vec<Effect>,
) {
    let hosts: Vec<HostId> = hosts.iter().map(|host| host.id).collect();
    if let Caller::Window(_) = caller {
        // On the screen the answers show as they come; nobody waits for the whole.
        state.schedule_now(&hosts);
        let text = format!("probing {} hosts", hosts.len());
        hosts.iter().for_each(|host| ask_host(state, *host, fx));
        return reply(state, caller, Outcome::ok(Answer::Done(text)), fx);
    }
    for host in &hosts {
        let measured = state.measured.entry(*host).or_default();
        (measured.round_samples, measured.round_disks) = (0, false);
    }
    let missing = hosts.iter().copied().collect();
    state.rounds.push(Round {
        caller,
        hosts,
        missing,
        begun: std::collections::BTreeSet::new(),
        watch,
        next: None,
        pause: 0,
    });
    rounds(state, fx);
}

/// Rounds of a watch whose pause is over begin again.
fn wake(state: &mut State) {
    let now = state.model.now;
    for round in &mut state.rounds {
        if round.next.is_none_or(|next| next > now) {
            continue;
        }
        round.next = None;
        round.missing = round.hosts.iter().copied().collect();
        round.begun.clear();
        for host in &round.hosts {
            let measured = state.measured.entry(*host).or_default();
            // Over a connection that lives, one sample tells all.
            measured.round_samples = u32::from(measured.counters.is_some());
            measured.round_disks = measured.counters.is_some();
        }
    }
}

/// Asks further hosts of the rounds, and answers rounds that are complete.
pub(super) fn rounds(state: &mut State, fx: &mut Vec<Effect>) {
    let mut ask = Vec::new();
    for round in &mut state.rounds {
        let under_way = round.begun.intersection(&round.missing).count();
        let next: Vec<HostId> = round
            .missing
            .difference(&round.begun)
            .take(AT_ONCE.saturating_sub(under_way))
            .copied()
            .collect();
        round.begun.extend(&next);
        ask.extend(next);
    }
    ask.into_iter().for_each(|host| ask_host(state, host, fx));
    let (done, open): (Vec<Round>, Vec<Round>) = state
        .rounds
        .drain(..)
        .partition(|round| round.missing.is_empty() && round.next.is_none());
    state.rounds = open;
    for round in done {
        let rows: Vec<command::HostHealth> = round
            .hosts
            .iter()
            .filter_map(|host| row(state, *host))
            .collect();
        let exit = rows.iter().map(|row| row.state.exit_code()).fold(0, worse);
        if round.watch
            && let Some(line) = crate::app::effect::line_of(round.caller)
        {
            fx.push(Effect::Emit(
                line,
                crate::app::effect::Emission::Health(rows),
            ));
            // A host that does not answer is asked ever more rarely, so that looking does no harm of its own.
            let down = state
                .model
                .health
                .values()
                .any(|health| health.last_error.is_some());
            let usual = state.setup.rules.visible_ms;
            let pause = if down {
                (round.pause * 2).clamp(usual, state.setup.rules.longest_ms)
            } else {
                usual
            };
            let next = state
                .model
                .now
                .plus(i64::try_from(pause).unwrap_or(i64::MAX));
            state.rounds.push(Round {
                next: Some(next),
                pause,
                ..round
            });
            continue;
        }
        reply(
            state,
            round.caller,
            Outcome {
                answer: Answer::Health(rows),
                exit,
            },
            fx,
        );
    }
}

/// The worse of two plugin exit codes: critical before unknown before warning, as Nagios orders them for a group.
fn worse(a: u8, b: u8) -> u8 {
    let rank = |code: u8| match code {
        0 => 0,
        1 => 1,
        3 => 2,
        _ => 3,
    };
    if rank(b) > rank(a) { b } else { a }
}

fn row(state: &State, id: HostId) -> Option<command::HostHealth> {
    let host = state.model.hosts.get(id)?;
    let health = state.model.health.get(&id);
    Some(command::HostHealth {
        host: host.name.clone(),
        state: health.map_or(HostState::Unknown, |health| health.state),
        reasons: health
            .map(|health| health.reasons.clone())
            .unwrap_or_default(),
        age_s: health
            .and_then(|health| health.at)
            .map(|at| state.model.now.since(at) / 1000),
        sample: health
            .filter(|health| health.last_error.is_none())
            .and_then(|health| health.latest().cloned()),
    })
}

/// Asks one host for a sample, and for its file systems when that is due.
fn ask_host(state: &mut State, id: HostId, fx: &mut Vec<Effect>) {
    let Some(name) = state.model.hosts.get(id).map(|host| host.name.clone()) else {
        return;
    };
    let now = state.model.now;
    let measured = state.measured.entry(id).or_default();
    if std::mem::replace(&mut measured.asked, true) {
        return;
    }
    let disks = measured.samples.is_multiple_of(probe::DISKS_EVERY)
        || state.rounds.iter().any(|round| round.missing.contains(&id)) && !measured.round_disks;
    let target = gather::target(state, &name);
    let req = state.mint.request();
    state.inflight.insert(req, now, Purpose::Probe);
    fx.push(Effect::Ssh(SshAsk::Probe {
        host: id,
        target: target.clone(),
        command: probe::command(),
    }));
    fx.push(Effect::Ssh(SshAsk::ProbeAsk { req, host: id }));
    if disks {
        // In a channel of its own, because df waits for ever on a dead file server.
        let req = state.mint.request();
        state.inflight.insert(req, now, Purpose::Disks(id));
        let timeout = Some(Duration::from_millis(probe::DISKS_TIMEOUT_MS));
        let spec = ExecSpec {
            timeout,
            background: true,
            ..ExecSpec::collect(probe::disks_command(), DISKS_LIMIT)
        };
        fx.push(Effect::Ssh(SshAsk::Exec { req, target, spec }));
    }
}

/// A probe answered, or could not.
pub(super) fn probed(
    state: &mut State,
    id: HostId,
    result: Result<ProbeReply, String>,
    fx: &mut Vec<Effect>,
) {
    let now = state.model.now;
    state.schedule.done(id, now, result.is_ok());
    let measured = state.measured.entry(id).or_default();
    measured.asked = false;
    measured.at = now;
    match result {
        Ok(answer) => {
            let reading = parse::answer(&answer.text, measured.counters.as_ref(), now);
            measured.counters = Some(reading.counters);
            measured.samples += 1;
            measured.round_samples += 1;
            let disks = measured.disks.clone();
            let sample = Sample {
                rtt_ms: Some(answer.rtt_ms),
                disks,
                ..reading.sample
            };
            keep_facts(state, id, reading.facts, fx);
            take(state, id, sample, fx);
            complete(state, id, fx);
        }
        Err(why) => {
            (measured.counters, measured.samples, measured.round_samples) = (None, 0, 2);
            measured.round_disks = true;
            let judged = verdict::Verdict::unreachable(&why);
            measured.hysteresis.take(judged.clone());
            let settled = measured.hysteresis.verdict().cloned().unwrap_or(judged);
            let health = state.model.health.entry(id).or_default();
            (health.state, health.reasons) = (settled.state, settled.reasons.clone());
            (health.last_error, health.at) = (Some(why), Some(now));
            let local = Local::HostState {
                host: id,
                at: now,
                state: settled.state,
                reasons: settled.reasons,
            };
            keep(state, local, fx);
            complete(state, id, fx);
        }
    }
}

/// The list of a host's file systems came, or did not.
pub(super) fn disks(state: &mut State, id: HostId, exit: &Exit, text: &[u8], fx: &mut Vec<Effect>) {
    let measured = state.measured.entry(id).or_default();
    measured.round_disks = true;
    let (found, _) = parse::disks(&String::from_utf8_lossy(text));
    // A df that met one dead mount still tells of the others, so its exit status alone condemns nothing.
    if !found.is_empty() || exit.is_ok() {
        measured.disks = found;
        let disks = measured.disks.clone();
        let last = state
            .model
            .health
            .get(&id)
            .filter(|health| health.last_error.is_none())
            .and_then(|health| health.latest().cloned());
        if let Some(last) = last {
            // The first verdict was given without the file systems; it is given again with them.
            if measured.samples <= 1 {
                state.measured.entry(id).or_default().hysteresis = verdict::Hysteresis::default();
            }
            if let Some(health) = state.model.health.get_mut(&id) {
                health.series.pop_back();
            }
            take(state, id, Sample { disks, ..last }, fx);
        }
    }
    complete(state, id, fx);
}

/// Judges a sample, keeps it and makes it durable.
fn take(state: &mut State, id: HostId, sample: Sample, fx: &mut Vec<Effect>) {
    let judged = verdict::judge(&sample, &state.setup.thresholds);
    let waited_for = state.rounds.iter().any(|round| round.missing.contains(&id));
    let measured = state.measured.entry(id).or_default();
    if waited_for {
        // Whoever asks once wants what was found, not what damping makes of it.
        measured.hysteresis = verdict::Hysteresis::default();
    }
    measured.hysteresis.take(judged.clone());
    let settled = measured.hysteresis.verdict().cloned().unwrap_or(judged);
    let health = state.model.health.entry(id).or_default();
    (health.state, health.reasons) = (settled.state, settled.reasons.clone());
    (health.last_error, health.at) = (None, Some(sample.at));
    health.push(sample.clone());
    let local = Local::Sample {
        host: id,
        sample,
        state: settled.state,
        reasons: settled.reasons,
    };
    keep(state, local, fx);
}

/// Keeps what was measured.
fn keep(state: &mut State, local: Local, fx: &mut Vec<Effect>) {
    let batch = Batch {
        drafts: Vec::new(),
        local: vec![local],
    };
    super::append(state, batch, Purpose::Sample, fx);
}

/// A host of a round has told everything once it was measured twice and its file systems are known.
fn complete(state: &mut State, id: HostId, fx: &mut Vec<Effect>) {
    if state
        .measured
        .get(&id)
        .is_some_and(|measured| measured.round_samples >= 2 && measured.round_disks)
    {
        for round in &mut state.rounds {
            round.missing.remove(&id);
        }
    }
    rounds(state, fx);
}

/// What a host is becomes part of the inventory, when it is news.
fn keep_facts(
    state: &mut State,
    id: HostId,
    facts: std::collections::BTreeMap<String, String>,
    fx: &mut Vec<Effect>,
) {
    let Some(host) = state.model.hosts.get(id) else {
        return;
    };
    if facts.is_empty()
        || facts
            .iter()
            .all(|(name, value)| host.facts.get(name) == Some(value))
    {
        return;
    }
    let mut all = host.facts.clone();
    all.extend(facts);
    let value = Value::Map(
        all.iter()
            .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
            .collect(),
    );
    if let Some(host) = state.model.hosts.get_mut(id) {
        host.facts = all;
    }
    let draft = Draft::Set {
        entity: Entity {
            kind: EntityKind::Host,
            id: id.0,
        },
        field: "facts".to_owned(),
        value,
    };
    super::append(
        state,
        Batch {
            drafts: vec![draft],
            local: Vec::new(),
        },
        Purpose::Sample,
        fx,
    );
}

/// A connection is gone; the next probe will say whether the host is.
pub(super) fn disconnected(state: &mut State, target: &Target, reason: &str) {
    let now: Time = state.model.now;
    if let Some(id) = state.model.host_named(&target.name).map(|host| host.id)
        && let Some(health) = state.model.health.get_mut(&id)
    {
        (health.last_error, health.at) = (Some(reason.to_owned()), health.at.or(Some(now)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_state_is_the_exit_status() {
        for (codes, expected) in [
            (vec![0, 0], 0),
            (vec![0, 1], 1),
            (vec![1, 3], 3),
            (vec![3, 2, 0], 2),
            (vec![], 0),
        ] {
            assert_eq!(codes.into_iter().fold(0, worse), expected);
        }
    }
}
