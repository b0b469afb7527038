//! The state machine among requests that wait, in virtual time, with a provider that rotates, fails and
//! hangs. What happens is a list of numbers; what the machine promises is checked all the time.
//!
//! `tests.rs` runs it on random lists, and the target `machine` of `lab/fuzz` on those that a fuzzer
//! finds, which compiles this file and `machine.rs` itself.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use super::{
    machine::{Machine, ReadFailure, ReadKeys, Settings, Step},
    status::{FetchErrorKind, RemoteKeysState as State},
};
use crate::jws::KeyAnswer;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const HOUR: Duration = seconds(3600);
const DAY: Duration = seconds(86_400);
/// One more demand may begin after this time, unless demands are fruitless.
const COOLDOWN: Duration = seconds(5);
/// A timer is precise to this.
const TICK: Duration = Duration::from_millis(1);

/// What happens next.
#[derive(Debug)]
enum Event {
    /// A request names this key.
    Asked(u16),
    Passed(Duration),
    /// The provider publishes the key 1 and this one.
    Publishes(u16),
    /// The provider fails from now on, and may ask for a pause.
    Fails(Option<Duration>),
    Recovers,
    Slows(Duration),
    NamesLifetime(Option<Duration>),
    InvalidSignature,
    Refreshes,
}

impl Event {
    fn of(kind: u8, value: u16) -> Self {
        let (millis, long) = (u64::from(value) % 5000, u64::from(value));
        match kind % 32 {
            0..12 => Self::Asked(value % 40),
            12..18 => Self::Passed(Duration::from_millis(1 + millis)),
            18..21 => Self::Passed(seconds(long)),
            21 => Self::Passed(seconds(4 * long)),
            22 | 23 => Self::Publishes(value % 20),
            24 | 25 => Self::Fails((value % 2 == 1).then(|| seconds(long % 400))),
            26 => Self::Recovers,
            27 => Self::Slows(Duration::from_millis(millis)),
            28 => Self::NamesLifetime((value > 0).then(|| seconds(long))),
            29 | 30 => Self::InvalidSignature,
            _ => Self::Refreshes,
        }
    }
}

/// A request that waits.
struct Request {
    id: u16,
    deadline: Duration,
}

/// The age of the keys in force, by the reads that ended.
#[derive(Clone, Copy)]
struct Age {
    read_at: Duration,
    earlier: Duration,
    fresh_until: Duration,
    expires_at: Duration,
}

type Response = Result<BTreeSet<u16>, ReadFailure>;

pub(super) struct Simulation {
    settings: Settings,
    machine: Machine,
    now: Duration,

    published: BTreeSet<u16>,
    failure: Option<ReadFailure>,
    latency: Duration,
    lifetime: Option<Duration>,
    /// The end of the open read, and its result.
    open: Option<(Duration, Response)>,

    known: BTreeSet<u16>,
    age: Option<Age>,
    has_expired: bool,
    waiting: Vec<Request>,
    /// The number of reads that had begun when an unknown key was first asked for, since the last
    /// change of the set.
    asked: HashMap<u16, u64>,

    begun_reads: u64,
    last_good_read: u64,
    failures: u32,
    /// When the schedule has the next read.
    scheduled: (Duration, Duration),
    paused_until: Duration,
    /// The reads before their schedule, and those that something other than a demand asked for.
    early_reads: u64,
    refreshes: u64,
    nudges: u64,
    /// The starts of the demands.
    demands: Vec<Duration>,
    /// Their number when the set changed last.
    demands_before_change: usize,
}

impl Simulation {
    /// Runs through these events with one of some settings until this time, and returns the time.
    pub(super) fn run(
        choice: u8,
        events: impl IntoIterator<Item = (u8, u16)>,
        until: Duration,
    ) -> Duration {
        let mut simulation = Self::new(choice);
        for (kind, value) in events {
            if simulation.now >= until {
                break;
            }
            simulation.happen(&Event::of(kind, value));
        }
        simulation.now
    }

    fn new(choice: u8) -> Self {
        let bits = |shift: u8| usize::from(choice >> shift & 3);
        let settings = Settings {
            longest_wait: [seconds(5), seconds(5), seconds(0), seconds(30)][bits(0)],
            max_stale: [DAY, HOUR, Duration::ZERO, Duration::MAX][bits(2)],
            refresh_interval: [None, None, None, Some(seconds(1800))][bits(4)],
        };
        let mut simulation = Self {
            settings,
            machine: Machine::new(settings, choice.into()),
            now: Duration::ZERO,
            published: BTreeSet::from([1]),
            failure: None,
            latency: Duration::from_millis(20),
            lifetime: None,
            open: None,
            known: BTreeSet::new(),
            age: None,
            has_expired: false,
            waiting: Vec::new(),
            asked: HashMap::new(),
            begun_reads: 0,
            last_good_read: 0,
            failures: 0,
            scheduled: (Duration::ZERO, Duration::ZERO),
            paused_until: Duration::ZERO,
            early_reads: 0,
            refreshes: 0,
            nudges: 0,
            demands: Vec::new(),
            demands_before_change: 0,
        };
        let earlier = seconds(1800);
        if bits(6) == 3 && earlier < settings.max_stale {
            simulation.machine.seed(earlier);
            simulation.known = BTreeSet::from([1]);
            simulation.age = Some(Age {
                read_at: Duration::ZERO,
                earlier,
                fresh_until: Duration::ZERO,
                expires_at: settings.max_stale.saturating_sub(earlier),
            });
        }
        simulation
    }

    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Asked(id) => self.request(id),
            Event::Passed(duration) => self.run_until(self.now + duration),
            Event::Publishes(id) => self.published = BTreeSet::from([1, id]),
            Event::Fails(retry_after) => {
                let kind = FetchErrorKind::Client;
                self.failure = Some(ReadFailure { kind, retry_after });
            }
            Event::Recovers => self.failure = None,
            Event::Slows(latency) => self.latency = latency,
            Event::NamesLifetime(lifetime) => self.lifetime = lifetime,
            Event::InvalidSignature => {
                self.nudges += 1;
                self.machine.nudge(self.now);
            }
            Event::Refreshes => {
                self.refreshes += 1;
                let read = self.machine.refresh(self.now);
                let is_paused = self.open.is_none() && self.now < self.paused_until;
                assert_eq!(read.is_none(), is_paused);
                assert!(read.is_none_or(|read| !self.machine.is_done(read)));
            }
        }
        // The task is woken.
        self.run_until(self.now);
    }

    fn run_until(&mut self, until: Duration) {
        loop {
            let next = match &self.open {
                Some((done_at, _)) => *done_at,
                None => match self.machine.next(self.now) {
                    Step::Read => {
                        self.begin_read();
                        continue;
                    }
                    Step::Expire => {
                        self.expire();
                        continue;
                    }
                    Step::WaitUntil(at) => {
                        assert!(at > self.now, "it waits for the past");
                        at
                    }
                },
            };
            self.check();
            let deadline = self.waiting.iter().map(|request| request.deadline).min();
            let at = deadline.map_or(next, |deadline| deadline.min(next));
            if at > until {
                self.now = until;
                return self.check();
            }
            self.now = at;
            if matches!(self.open, Some((done_at, _)) if done_at <= at) {
                self.finish_read();
            }
            self.end_waits();
        }
    }

    fn begin_read(&mut self) {
        self.begun_reads += 1;
        let failure = self.failure.map_or_else(|| Ok(self.published.clone()), Err);
        self.open = Some((self.now + self.latency, failure));
        assert!(
            self.now >= self.paused_until,
            "the provider asked for a pause"
        );

        let (reads, _, demands) = self.machine.counts();
        assert_eq!(reads, self.begun_reads);
        if demands > u64::try_from(self.demands.len()).unwrap() {
            self.demands.push(self.now);
            // The budget may grow at once when the set changes, by the pause that is shorter then.
            if let [.., before, _, _, now] = *self.demands {
                let pause = now - before;
                assert!(pause >= COOLDOWN, "four demands in {pause:?}");
            }
        }
        assert_eq!(u64::try_from(self.demands.len()).unwrap(), demands);
        assert!(demands <= 2 + self.now.as_secs() / COOLDOWN.as_secs());

        self.early_reads += u64::from(self.now < self.scheduled.0);
        let nudges = self.nudges.min(1 + self.now.as_secs() / 60);
        assert!(self.early_reads <= 3 * demands + nudges + self.refreshes);
    }

    fn finish_read(&mut self) {
        let Some((_, response)) = self.open.take() else {
            return;
        };
        let between = |duration: Duration, from, to| {
            (
                self.now + duration * from / 1000 - TICK,
                self.now + duration * to / 1000,
            )
        };
        let result = match response {
            Ok(keys) => {
                let lifetime = self.lifetime.unwrap_or(seconds(600));
                let lifetime = lifetime.clamp(seconds(300), seconds(3600));
                let lifetime = self.settings.refresh_interval.unwrap_or(lifetime);
                let fresh_until = self.now + lifetime;
                self.age = Some(Age {
                    read_at: self.now,
                    earlier: Duration::ZERO,
                    fresh_until,
                    expires_at: fresh_until.saturating_add(self.settings.max_stale),
                });
                self.failures = 0;
                self.last_good_read = self.begun_reads;
                self.scheduled = between(lifetime, 700, 900);
                let changed = keys != self.known;
                if changed {
                    self.known = keys;
                    self.asked.clear();
                    self.demands_before_change = self.demands.len();
                }
                Ok(ReadKeys {
                    changed,
                    lifetime: self.lifetime,
                })
            }
            Err(failure) => {
                self.failures += 1;
                let (first, longest) = if self.age.is_some() {
                    (5, 300)
                } else {
                    (1, 30)
                };
                let pause = first << (self.failures - 1).min(10);
                self.scheduled = between(seconds(pause.min(longest)), 800, 1200);
                if let Some(retry_after) = failure.retry_after {
                    self.paused_until = self.now + retry_after.min(seconds(300));
                }
                Err(failure)
            }
        };
        self.machine.read_done(self.now, result);
        assert!(self.machine.is_done(self.begun_reads));
        self.release();
    }

    fn expire(&mut self) {
        let age = self.age.take();
        assert!(age.is_some_and(|age| age.expires_at <= self.now));
        self.known.clear();
        self.has_expired = true;
        self.scheduled = (
            self.scheduled.0.min(self.now),
            self.scheduled.1.min(self.now),
        );
        self.release();
    }

    /// A request that arrives now.
    fn request(&mut self, id: u16) {
        let deadline = self.now + self.settings.longest_wait;
        if self.waits(id) {
            self.waiting.push(Request { id, deadline });
        }
    }

    /// Verifies all tokens that wait again.
    fn release(&mut self) {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain(|request| self.waits(request.id));
        self.waiting = waiting;
    }

    /// Ends the waits whose time is over.
    fn end_waits(&mut self) {
        let now = self.now;
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain(|request| {
            let is_over = request.deadline <= now;
            if is_over {
                self.waits(request.id);
            }
            !is_over
        });
        self.waiting = waiting;
    }

    /// Verifies a token with this key. `false` if it is answered.
    fn waits(&mut self, id: u16) -> bool {
        if self.known.contains(&id) {
            return false;
        }
        let is_paused = self.now < self.paused_until;
        let answer = self.machine.ask(self.now, id.into());
        match answer {
            KeyAnswer::Wait => {
                self.asked.entry(id).or_insert(self.begun_reads);
                // A shorter wait may end between two reads of a demand.
                let latest = self.now + self.settings.longest_wait.max(seconds(3));
                let next = self.machine.next_read_at(self.now);
                let is_read = self.open.is_some() || next <= latest;
                assert!(is_read, "no read ends the wait");
            }
            KeyAnswer::Absent => {
                // The issuer was asked for it, by a read that began after the first request.
                assert!(
                    self.age.is_some(),
                    "without keys nothing is known to be absent"
                );
                assert_eq!(self.failures, 0);
                assert!(
                    self.asked
                        .get(&id)
                        .is_some_and(|asked| *asked < self.last_good_read)
                );
            }
            KeyAnswer::Unavailable => {
                // Nothing was asked in vain since the set changed last, so that a demand begins in time.
                let is_new = self.demands.len() == self.demands_before_change;
                let can_be_read = self.age.is_some() && self.failures == 0 && !is_paused;
                let waits = self.settings.longest_wait >= COOLDOWN;
                assert!(
                    !(is_new && can_be_read && waits),
                    "a new key is not awaited"
                );
            }
        }
        answer == KeyAnswer::Wait
    }

    fn check(&mut self) {
        let state = match self.age {
            Some(age) if self.now < age.fresh_until => State::Fresh,
            Some(age) if self.now < age.expires_at => State::Stale,
            None if !self.has_expired => State::Loading,
            _ => State::Expired,
        };
        assert_eq!(self.machine.state(self.now), state);
        let age = self.age.map(|age| self.now - age.read_at + age.earlier);
        assert_eq!(self.machine.age(self.now), age);
        assert_eq!(self.machine.failures(), self.failures);
        if self.open.is_none() {
            let has_none = matches!(state, State::Loading | State::Expired);
            assert!(has_none || !self.known.is_empty());
            let latest = self.scheduled.1.max(self.paused_until);
            assert!(self.now <= latest + TICK, "a read is late");
        }
        let is_over = |request: &Request| request.deadline < self.now;
        assert!(
            !self.waiting.iter().any(is_over),
            "a request waits too long"
        );
    }
}
