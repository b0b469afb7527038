//! The state machine in virtual time, with a provider that is a list of sets and faults.

use std::{cell::Cell, collections::BTreeSet, time::Duration};

use http::StatusCode;
use proptest::{prelude::*, test_runner::TestRunner};

use super::{
    machine::{Machine, ReadFailure, ReadKeys, Settings, Step},
    simulation::Simulation,
    status::{FetchErrorKind, RemoteKeysState as State},
};
use crate::jws::KeyAnswer;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const HOUR: Duration = seconds(3600);
const DAY: Duration = seconds(86_400);

const SETTINGS: Settings = Settings {
    longest_wait: seconds(5),
    refresh_interval: None,
    max_stale: DAY,
};

const DOWN: ReadFailure = ReadFailure {
    kind: FetchErrorKind::Client,
    retry_after: None,
};

/// A machine, a provider and the time.
struct World {
    machine: Machine,
    now: Duration,
    /// The provider's answer from now on.
    response: Result<BTreeSet<u64>, ReadFailure>,
    lifetime: Option<Duration>,
    latency: Duration,
    /// A set that the provider publishes later.
    later: Option<(Duration, BTreeSet<u64>)>,
    /// The end of the open read, and what it answers.
    open: Option<(Duration, Result<BTreeSet<u64>, ReadFailure>)>,
    known: BTreeSet<u64>,
    /// The starts of the reads.
    reads: Vec<Duration>,
    swaps: usize,
    expired_at: Option<Duration>,
}

impl World {
    fn new(response: Result<&[u64], ReadFailure>) -> Self {
        Self {
            machine: Machine::new(SETTINGS, 7),
            now: Duration::ZERO,
            response: response.map(|keys| keys.iter().copied().collect()),
            lifetime: None,
            latency: millis(20),
            later: None,
            open: None,
            known: BTreeSet::new(),
            reads: Vec::new(),
            swaps: 0,
            expired_at: None,
        }
    }

    /// A provider with the key 1, and a machine that has just read it.
    fn ready() -> Self {
        let mut world = Self::new(Ok(&[1]));
        assert!(world.next_read_by(seconds(1)));
        world.reads.clear();
        world
    }

    fn publish(&mut self, keys: &[u64]) {
        self.response = Ok(keys.iter().copied().collect());
    }

    /// Runs to the end of the next read. `false` if it is not over at `until`.
    fn next_read_by(&mut self, until: Duration) -> bool {
        loop {
            if let Some((done_at, _)) = self.open {
                if done_at > until {
                    self.now = until;
                    return false;
                }
                self.finish_read();
                return true;
            }
            match self.machine.next(self.now) {
                Step::Read => self.begin_read(),
                Step::Expire => {
                    self.known.clear();
                    self.expired_at = Some(self.now);
                }
                Step::WaitUntil(at) if at > until => {
                    self.now = until;
                    return false;
                }
                Step::WaitUntil(at) => {
                    assert!(at > self.now, "it waits");
                    self.now = at;
                }
            }
        }
    }

    fn begin_read(&mut self) {
        self.reads.push(self.now);
        if let Some((_, keys)) = self.later.take_if(|(at, _)| *at <= self.now) {
            self.response = Ok(keys);
        }
        self.open = Some((self.now + self.latency, self.response.clone()));
    }

    fn finish_read(&mut self) {
        let (done_at, response) = self.open.take().unwrap();
        self.now = done_at;
        let result = response.map(|keys| {
            let changed = keys != self.known;
            self.swaps += usize::from(changed);
            self.known = keys;
            ReadKeys {
                changed,
                lifetime: self.lifetime,
            }
        });
        self.machine.read_done(self.now, result);
    }

    fn run_until(&mut self, until: Duration) {
        while self.next_read_by(until) {}
    }

    fn run_for(&mut self, duration: Duration) {
        self.run_until(self.now + duration);
    }

    /// What becomes of a request that names this key, and waits.
    fn request(&mut self, id: u64) -> u16 {
        let deadline = self.now + SETTINGS.longest_wait;
        loop {
            if self.known.contains(&id) {
                return 200;
            }
            match self.machine.ask(self.now, id) {
                KeyAnswer::Absent => return 401,
                KeyAnswer::Unavailable => return 503,
                KeyAnswer::Wait if self.now == deadline => return 503,
                KeyAnswer::Wait => _ = self.next_read_by(deadline),
            }
        }
    }

    fn state(&self) -> State {
        self.machine.state(self.now)
    }

    /// The pauses between the starts of the reads, in seconds.
    fn pauses(&self) -> Vec<f64> {
        let pairs = self.reads.windows(2);
        pairs
            .map(|pair| (pair[1] - pair[0]).as_secs_f64())
            .collect()
    }
}

#[test]
fn the_first_read_is_at_once_and_the_next_within_the_lifetime() {
    for (lifetime, lifetime_in_force) in [
        (None, 600),
        (Some(seconds(0)), 300),
        (Some(seconds(15)), 300),
        (Some(seconds(1200)), 1200),
        (Some(seconds(86_400)), 3600),
    ] {
        let mut world = World::new(Ok(&[1]));
        world.lifetime = lifetime;
        assert_eq!(world.state(), State::Loading);
        world.run_until(40 * HOUR);
        assert_eq!(
            (world.reads[0], world.state()),
            (Duration::ZERO, State::Fresh)
        );
        let lifetime = f64::from(lifetime_in_force);
        let pauses = world.pauses();
        assert!(
            pauses.iter().all(|pause| *pause >= 0.7 * lifetime),
            "{lifetime}: {pauses:?}"
        );
        assert!(
            pauses.iter().all(|pause| *pause <= 0.9 * lifetime + 1.),
            "{lifetime}: {pauses:?}"
        );
        assert_eq!(world.swaps, 1, "the set never changes");
    }
}

#[test]
fn a_configured_interval_replaces_the_lifetime() {
    let settings = Settings {
        refresh_interval: Some(seconds(30)),
        ..SETTINGS
    };
    let mut world = World::new(Ok(&[1]));
    world.machine = Machine::new(settings, 7);
    world.lifetime = Some(HOUR);
    world.run_until(HOUR);
    assert!(
        world
            .pauses()
            .iter()
            .all(|pause| (21. ..28.).contains(pause))
    );
}

#[test]
fn an_unannounced_key_is_found_by_the_requests_that_wait_for_it() {
    for (lag, reads, status) in [
        (0, 1, 200),
        (500, 2, 200),
        (1000, 2, 200),
        (2000, 3, 200),
        (2900, 3, 200),
        (4000, 3, 401),
    ] {
        let mut world = World::ready();
        world.later = Some((world.now + millis(lag), BTreeSet::from([1, 2])));
        assert_eq!(world.request(2), status, "{lag} ms");
        assert_eq!(world.reads.len(), reads, "{lag} ms");
        // The one who comes after that is served.
        world.run_for(seconds(2));
        assert_eq!(world.request(2), 200, "{lag} ms");
    }
}

#[test]
fn a_rotation_right_after_another_read_rejects_nobody() {
    // A scheduled read, or the demand of a stray token, 1 s before.
    for stray in [None, Some(9)] {
        let mut world = World::ready();
        world.run_for(seconds(590));
        if let Some(stray) = stray {
            assert_eq!(world.request(stray), 401);
        }
        world.run_for(seconds(1));
        world.publish(&[1, 2]);
        assert_eq!(world.request(2), 200);
    }
}

#[test]
fn an_absent_key_costs_three_reads_and_is_remembered() {
    let mut world = World::ready();
    let start = world.now;
    assert_eq!(world.request(9), 401);
    let offsets: Vec<_> = world.reads.iter().map(|at| *at - start).collect();
    assert_eq!(offsets, [seconds(0), seconds(1), seconds(3)]);
    // One demand is left, and the next begins 5 s after the first.
    assert_eq!(world.request(8), 401);
    assert_eq!(world.reads.len(), 6);
    assert_eq!(world.machine.counts().2, 2);
    // Both are remembered until the next demand may begin, 10 s after the first.
    for id in [8, 9] {
        assert_eq!(world.machine.ask(world.now, id), KeyAnswer::Absent);
    }
    world.run_until(start + seconds(9));
    assert_eq!(world.reads.len(), 6);
    world.run_until(start + seconds(11));
    assert_eq!(world.machine.ask(world.now, 9), KeyAnswer::Wait);
}

#[test]
fn a_flood_of_unknown_keys_causes_nine_reads_in_a_minute_and_then_two() {
    for one_key in [false, true] {
        let mut world = World::ready();
        let start = world.now;
        let mut id = 1000;
        while world.now < start + seconds(300) {
            for _ in 0..50 {
                id += u64::from(!one_key);
                world.machine.ask(world.now, id);
            }
            world.run_for(millis(50));
        }
        let within = |from: u64, to: u64| {
            let range = start + seconds(from)..start + seconds(to);
            world.reads.iter().filter(|at| range.contains(at)).count()
        };
        assert!(within(0, 60) <= 9, "{:?}", world.reads);
        for minute in 1..4 {
            assert!(
                within(60 * minute, 60 * (minute + 1)) <= 2,
                "{:?}",
                world.reads
            );
        }
    }
}

#[test]
fn a_rotation_under_a_flood_is_found_within_30_seconds() {
    let mut world = World::ready();
    for id in 0..6000 {
        world.machine.ask(world.now, 1000 + id);
        world.run_for(millis(20));
    }
    world.publish(&[1, 2]);
    let rotated_at = world.now;
    let mut id = 100_000;
    while !world.known.contains(&2) {
        id += 1;
        world.machine.ask(world.now, id);
        world.machine.ask(world.now, 2);
        world.run_for(millis(20));
    }
    assert!(
        world.now - rotated_at <= seconds(31),
        "{:?}",
        world.now - rotated_at
    );
}

#[test]
fn fruitless_demands_are_forgotten_after_a_minute_and_by_a_changed_set() {
    for rotates in [false, true] {
        let mut world = World::ready();
        for id in 10..16 {
            world.request(id);
            world.run_for(seconds(4));
        }
        if rotates {
            world.publish(&[1, 2]);
            world.run_for(seconds(30));
            assert_eq!(world.request(2), 200);
        } else {
            world.run_for(seconds(61));
        }
        world.run_for(seconds(10));
        world.reads.clear();
        assert_eq!(world.request(99), 401);
        assert_eq!(world.reads.len(), 3, "{rotates}");
    }
}

#[test]
fn a_provider_that_is_down_at_start_is_read_soon_after_it_is_back() {
    let mut world = World::new(Err(DOWN));
    while world.now < seconds(600) {
        assert_eq!(world.request(1), 503);
        assert_eq!(world.state(), State::Loading);
        world.run_for(seconds(3));
    }
    let pauses = world.pauses();
    assert!((0.8..1.3).contains(&pauses[0]), "{pauses:?}");
    assert!(pauses.iter().all(|pause| *pause <= 36.1), "{pauses:?}");
    world.publish(&[1]);
    let back_at = world.now;
    assert!(world.next_read_by(back_at + seconds(37)));
    assert!(world.now - back_at <= millis(36_020));
    assert_eq!(world.request(1), 200);
}

#[test]
fn a_request_at_the_start_waits_for_the_first_set() {
    let mut world = World::new(Ok(&[1]));
    assert_eq!(world.request(1), 200);
    assert_eq!(world.reads.len(), 1);
}

#[test]
fn keys_of_a_failing_provider_are_trusted_for_their_lifetime_and_a_day() {
    let mut world = World::ready();
    let read_at = world.now;
    world.response = Err(DOWN);
    world.run_until(read_at + seconds(599));
    assert_eq!(world.state(), State::Fresh);
    world.run_until(read_at + seconds(601));
    assert_eq!(world.state(), State::Stale);
    world.run_until(read_at + DAY + seconds(590));
    assert_eq!((world.state(), world.request(1)), (State::Stale, 200));
    // Pauses double from 5 s to 5 min.
    let pauses = world.pauses();
    assert!((4. ..6.1).contains(&pauses[0]), "{pauses:?}");
    assert!((8. ..12.1).contains(&pauses[1]), "{pauses:?}");
    assert!(pauses.iter().all(|pause| *pause <= 360.1));
    assert!(pauses[8..].iter().all(|pause| *pause >= 240.));

    world.run_until(read_at + DAY + seconds(601));
    assert_eq!(
        (world.state(), world.expired_at),
        (State::Expired, Some(read_at + DAY + seconds(600)))
    );
    assert_eq!(world.request(1), 503);
    world.publish(&[1]);
    world.run_for(seconds(37));
    assert_eq!((world.state(), world.request(1)), (State::Fresh, 200));
}

#[test]
fn an_unknown_key_of_a_failing_provider_is_unavailable_and_not_absent() {
    let mut world = World::ready();
    world.response = Err(DOWN);
    let start = world.now;
    while world.now < start + seconds(120) {
        assert_eq!(world.request(2), 503);
        world.run_for(millis(100));
    }
    // Demand passes the pauses, once for each 5 s.
    assert!(
        (20..=50).contains(&world.reads.len()),
        "{}",
        world.reads.len()
    );
    // Nobody asks any more.
    world.reads.clear();
    world.run_for(HOUR);
    assert!(world.reads.len() < 20, "{}", world.reads.len());
}

#[test]
fn a_provider_that_hangs_is_read_by_one_at_a_time() {
    let mut world = World::ready();
    world.latency = seconds(5);
    world.response = Err(ReadFailure {
        kind: FetchErrorKind::Timeout,
        retry_after: None,
    });
    let asked_at = world.now;
    assert_eq!(world.request(2), 503);
    assert_eq!(world.now - asked_at, seconds(5));
    assert_eq!(world.request(1), 200, "known keys do not wait");
    world.run_for(seconds(60));
    assert!(world.pauses().iter().all(|pause| *pause >= 5.));
}

#[test]
fn retry_after_stops_demand_too() {
    let busy = |retry_after| ReadFailure {
        kind: FetchErrorKind::Status(StatusCode::TOO_MANY_REQUESTS),
        retry_after: Some(retry_after),
    };
    for (retry_after, pause) in [(seconds(60), 60), (DAY, 300)] {
        let mut world = World::ready();
        world.response = Err(busy(retry_after));
        assert_eq!(world.request(2), 503);
        world.publish(&[1, 2]);
        while world.reads.len() < 2 {
            let status = world.request(2);
            assert!(status == 503 || world.reads.len() == 2, "{status}");
            world.run_for(seconds(1));
        }
        assert!(
            world.pauses()[0] >= f64::from(pause),
            "{:?}",
            world.pauses()
        );
        assert!(
            world.pauses()[0] <= f64::from(pause) + 7.,
            "{:?}",
            world.pauses()
        );
        assert_eq!(world.request(2), 200);
    }
}

#[test]
fn a_user_s_refresh_reads_at_once_but_not_in_the_provider_s_pause() {
    let mut world = World::ready();
    let read = world.machine.refresh(world.now).unwrap();
    assert!(!world.machine.is_done(read));
    assert!(world.next_read_by(world.now + seconds(1)));
    assert!(world.machine.is_done(read));
    // It joins one that is under way.
    world.latency = seconds(2);
    world.machine.refresh(world.now);
    assert!(!world.next_read_by(world.now + seconds(1)));
    let read = world.machine.refresh(world.now).unwrap();
    assert!(!world.machine.is_done(read));
    assert!(world.next_read_by(world.now + seconds(1)));
    assert!(world.machine.is_done(read));
    world.response = Err(ReadFailure {
        kind: FetchErrorKind::Status(StatusCode::SERVICE_UNAVAILABLE),
        retry_after: Some(seconds(100)),
    });
    world.machine.refresh(world.now);
    assert!(world.next_read_by(world.now + seconds(3)));
    assert_eq!(world.machine.refresh(world.now), None);
    assert!(!world.next_read_by(world.now + seconds(99)));
}

#[test]
fn invalid_signatures_cause_one_read_a_minute() {
    let mut world = World::ready();
    let start = world.now;
    while world.now < start + seconds(299) {
        world.machine.nudge(world.now);
        world.run_for(millis(500));
    }
    assert_eq!(world.reads.len(), 5);
    world.response = Err(DOWN);
    world.run_for(seconds(60));
    world.machine.nudge(world.now);
    assert!(world.next_read_by(world.now + millis(20)), "it is due");
    world.reads.clear();
    world.machine.nudge(world.now + seconds(61));
    assert!(
        !world.next_read_by(world.now + millis(20)),
        "a failing provider is left alone"
    );
}

#[test]
fn keys_of_an_earlier_run_are_stale_until_the_first_read() {
    let mut world = World::new(Err(DOWN));
    world.known = BTreeSet::from([1]);
    world.machine.seed(23 * HOUR);
    assert_eq!((world.state(), world.request(1)), (State::Stale, 200));
    assert_eq!(world.machine.age(world.now), Some(23 * HOUR));
    world.run_until(HOUR + seconds(1));
    assert_eq!(
        (world.state(), world.expired_at),
        (State::Expired, Some(HOUR))
    );
}

#[test]
fn the_keys_that_are_asked_for_are_bounded() {
    let mut world = World::ready();
    for id in 0..1024 {
        assert_eq!(world.machine.ask(world.now, 1000 + id), KeyAnswer::Wait);
    }
    assert_eq!(world.machine.ask(world.now, 9999), KeyAnswer::Unavailable);
    assert_eq!(world.machine.ask(world.now, 1000), KeyAnswer::Wait);
    // When they are judged, there is room again.
    world.run_for(seconds(10));
    assert_eq!(world.machine.ask(world.now, 9999), KeyAnswer::Wait);
}

#[test]
fn no_request_waits_for_a_read_that_is_too_late_for_it() {
    let mut world = World::ready();
    let start = world.now;
    assert_eq!(world.request(10), 401);
    world.run_until(start + seconds(6));
    assert_eq!(world.request(11), 401);
    world.run_until(start + seconds(12));
    assert_eq!(world.machine.ask(world.now, 12), KeyAnswer::Wait);
    assert_eq!(world.machine.next(world.now), Step::Read);
    world.begin_read();
    // The next demand may begin in time, until this one is fruitless too.
    assert_eq!(world.machine.ask(world.now, 13), KeyAnswer::Wait);
    assert!(world.next_read_by(world.now + seconds(1)));
    assert_eq!(world.machine.ask(world.now, 13), KeyAnswer::Unavailable);
    assert_eq!(world.machine.ask(world.now, 12), KeyAnswer::Absent);
    // It is awaited still, and found absent by the next demand.
    world.run_until(start + seconds(40));
    assert_eq!(world.machine.ask(world.now, 13), KeyAnswer::Absent);
}

/// Some eight days a case: `PROPTEST_CASES=150000` simulates a million.
#[test]
fn the_bounds_hold_whatever_happens() {
    let days = Cell::new(0);
    let config = ProptestConfig::with_source_file(file!());
    let cases = u64::from(config.cases);
    let mut runner = TestRunner::new(config);
    let events = proptest::collection::vec(any::<(u8, u16)>(), 1..200);
    let result = runner.run(&(any::<u8>(), events), |(choice, events)| {
        days.set(days.get() + Simulation::run(choice, events, Duration::MAX).as_secs() / 86_400);
        Ok(())
    });
    assert_eq!(result, Ok(()));
    let is_typical = cases < 256 || days.get() > 4 * cases;
    assert!(is_typical, "{} days are simulated", days.get());
}
