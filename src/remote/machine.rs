//! The state machine of the reads: when to read, and what becomes of a request meanwhile.
//!
//! It has no I/O, clock, task or lock. Each call passes the time since the start, which never falls.
//!
//! A *read* fetches the key set once. Reads happen by schedule, or on *demand*: for requests whose
//! token names a key that is not known. One demand is up to three reads, since an issuer may sign
//! with a key before all of its replicas publish it.

use std::{collections::HashMap, time::Duration};

use super::status::{FetchErrorKind, RemoteKeysState};
use crate::jws::KeyAnswer;

/// The lifetime of a set whose response names none.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(600);
const MIN_LIFETIME: Duration = Duration::from_secs(300);
const MAX_LIFETIME: Duration = Duration::from_secs(3600);

/// The start of each read of a demand, since the start of the demand.
const DEMAND_READS: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_secs(1),
    Duration::from_secs(3),
];
/// The number of demands that may begin without a pause.
const MAX_DEMANDS: u32 = 2;
/// The time after which one more demand may begin; multiplied by [`COOLDOWN_FACTORS`].
const COOLDOWN: Duration = Duration::from_secs(5);
/// By the number of fruitless demands in a row.
const COOLDOWN_FACTORS: [u32; 5] = [1, 1, 2, 4, 6];
/// The time without a demand after which fruitless ones are forgotten.
const DEMAND_MEMORY: Duration = Duration::from_secs(60);
/// The time after a fruitless demand in which its keys count as absent: the requests that waited for it
/// are rejected, and begin no other demand.
const ABSENT_MEMORY: Duration = Duration::from_secs(1);
/// The interval of the reads that invalid signatures cause.
const NUDGE_INTERVAL: Duration = Duration::from_secs(60);
/// The maximum number of key IDs that are awaited or remembered as absent.
const MAX_ASKED: usize = 1024;

const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);
/// The first and the longest pause after failures, without keys and with keys.
const BACKOFF_WITHOUT_KEYS: (Duration, Duration) =
    (Duration::from_secs(1), Duration::from_secs(30));
const BACKOFF_WITH_KEYS: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));

/// The settings of a machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    /// The maximum wait of a request.
    pub(super) longest_wait: Duration,
    /// The lifetime of a set, whatever its response says.
    pub(super) refresh_interval: Option<Duration>,
    /// The time after the lifetime in which keys are still trusted.
    pub(super) max_stale: Duration,
}

/// The next thing to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// Read the set, and report it to [`Machine::read_done`]; nothing else before.
    Read,
    /// Drop the keys, which are too old.
    Expire,
    /// Wait until this time, or until a request or a user asks.
    WaitUntil(Duration),
}

/// A successful read.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadKeys {
    /// Whether the set differs from the one before.
    pub(super) changed: bool,
    /// The lifetime by the headers of the response.
    pub(super) lifetime: Option<Duration>,
}

/// A failed read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct ReadFailure {
    pub(super) kind: FetchErrorKind,
    /// The pause that the provider asks for.
    pub(super) retry_after: Option<Duration>,
}

/// The age of the keys in force.
#[derive(Clone, Copy, Debug)]
struct Age {
    read_at: Duration,
    /// The age at `read_at`: not zero if the keys are of an earlier run.
    earlier: Duration,
    fresh_until: Duration,
    expires_at: Duration,
}

/// A demand that is not over.
#[derive(Clone, Copy, Debug)]
struct Demand {
    began_at: Duration,
    begun_reads: usize,
    /// The number of its reads, at most that of [`DEMAND_READS`].
    reads: usize,
}

#[derive(Debug)]
pub(super) struct Machine {
    settings: Settings,
    random: u64,
    age: Option<Age>,
    has_expired: bool,
    last_failure: Option<FetchErrorKind>,
    failures: u32,
    /// The next scheduled read.
    next_read: Duration,
    /// The end of the pause that the provider asked for.
    paused_until: Duration,
    is_reading: bool,
    begun_reads: u64,
    failed_reads: u64,
    demand: Option<Demand>,
    demands: u64,
    /// The number of demands that may begin.
    budget: u32,
    /// When the budget grew last, or began to.
    budget_grew_at: Duration,
    fruitless: usize,
    demanded_at: Duration,
    /// The number of reads that had begun when a key ID was first asked for.
    asked: HashMap<u64, u64>,
    /// The read that ended the last fruitless demand: an ID that was asked for before it is absent.
    judging_read: u64,
    nudged_at: Option<Duration>,
}

impl Machine {
    /// A machine that has no keys, and reads at once.
    pub(super) fn new(settings: Settings, random: u64) -> Self {
        Self {
            settings,
            random,
            age: None,
            has_expired: false,
            last_failure: None,
            failures: 0,
            next_read: Duration::ZERO,
            paused_until: Duration::ZERO,
            is_reading: false,
            begun_reads: 0,
            failed_reads: 0,
            demand: None,
            demands: 0,
            budget: MAX_DEMANDS,
            budget_grew_at: Duration::ZERO,
            fruitless: 0,
            demanded_at: Duration::ZERO,
            asked: HashMap::new(),
            judging_read: 0,
            nudged_at: None,
        }
    }

    /// Begins with keys of an earlier run that are no longer fresh, and of this age.
    pub(super) fn seed(&mut self, age: Duration) {
        self.age = Some(Age {
            read_at: Duration::ZERO,
            earlier: age,
            fresh_until: Duration::ZERO,
            expires_at: self.settings.max_stale.saturating_sub(age),
        });
    }

    /// The next thing to do. Not called while a read is open.
    pub(super) fn next(&mut self, now: Duration) -> Step {
        if self.age.is_some_and(|age| age.expires_at <= now) {
            self.age = None;
            self.has_expired = true;
            // The pauses are shorter without keys.
            self.next_read = self.next_read.min(now);
            self.asked.clear();
            self.demand = None;
            return Step::Expire;
        }
        let at = self.next_read_at(now);
        if at <= now {
            self.begin_read(now);
            return Step::Read;
        }
        let expiry = self.age.map_or(at, |age| age.expires_at);
        Step::WaitUntil(at.min(expiry))
    }

    /// When the next read begins, if nothing is asked before.
    pub(super) fn next_read_at(&mut self, now: Duration) -> Duration {
        let demanded = match self.demand {
            _ if self.age.is_none() => None,
            Some(demand) => Some(demand.next_read_at()),
            None => self.has_awaited().then(|| self.next_demand_at(now)),
        };
        demanded
            .unwrap_or(self.next_read)
            .min(self.next_read)
            .max(self.paused_until)
    }

    fn begin_read(&mut self, now: Duration) {
        self.is_reading = true;
        self.begun_reads = self.begun_reads.saturating_add(1);
        let may_demand = self.age.is_some() && self.has_awaited() && self.demand.is_none();
        if may_demand && self.next_demand_at(now) <= now {
            self.begin_demand(now);
        }
        if let Some(demand) = &mut self.demand {
            demand.begun_reads = demand.begun_reads.saturating_add(1);
        }
    }

    fn begin_demand(&mut self, now: Duration) {
        if self.budget == MAX_DEMANDS {
            self.budget_grew_at = now;
        }
        self.budget = self.budget.saturating_sub(1);
        self.demands = self.demands.saturating_add(1);
        self.demand = Some(Demand {
            began_at: now,
            begun_reads: 0,
            reads: if self.fruitless < 2 {
                DEMAND_READS.len()
            } else {
                1
            },
        });
    }

    /// Notes the result of the read. The new keys are in force already.
    pub(super) fn read_done(&mut self, now: Duration, result: Result<ReadKeys, ReadFailure>) {
        self.is_reading = false;
        match result {
            Ok(read) => self.read_succeeded(now, read),
            Err(failure) => self.read_failed(now, failure),
        }
    }

    fn read_succeeded(&mut self, now: Duration, read: ReadKeys) {
        self.failures = 0;
        self.last_failure = None;
        let by_response = || {
            let lifetime = read.lifetime.unwrap_or(DEFAULT_LIFETIME);
            lifetime.clamp(MIN_LIFETIME, MAX_LIFETIME)
        };
        let lifetime = self.settings.refresh_interval.unwrap_or_else(by_response);
        let fresh_until = now.saturating_add(lifetime);
        self.age = Some(Age {
            read_at: now,
            earlier: Duration::ZERO,
            fresh_until,
            expires_at: fresh_until.saturating_add(self.settings.max_stale),
        });
        // A fleet that started together spreads its reads.
        self.next_read = now.saturating_add(self.jitter(lifetime, 700, 900));
        if read.changed {
            // Every request that waits is verified with the new set, and asks again.
            self.asked.clear();
            self.demand = None;
            self.fruitless = 0;
        } else if self.demand.is_some_and(|demand| demand.is_last_read()) {
            self.judging_read = self.begun_reads;
            self.demand = None;
            self.demanded_at = now;
            self.fruitless = self.fruitless.saturating_add(1);
        }
    }

    fn read_failed(&mut self, now: Duration, failure: ReadFailure) {
        self.failures = self.failures.saturating_add(1);
        self.failed_reads = self.failed_reads.saturating_add(1);
        self.last_failure = Some(failure.kind);
        // Requests that still wait ask again.
        self.asked.clear();
        self.demand = None;
        let (first, longest) = if self.age.is_some() {
            BACKOFF_WITH_KEYS
        } else {
            BACKOFF_WITHOUT_KEYS
        };
        let doublings = self.failures.saturating_sub(1).min(16);
        let pause = first.saturating_mul(1 << doublings).min(longest);
        self.next_read = now.saturating_add(self.jitter(pause, 800, 1200));
        if let Some(retry_after) = failure.retry_after {
            self.paused_until = now.saturating_add(retry_after.min(MAX_RETRY_AFTER));
        }
    }

    /// Decides what becomes of a request whose token names a key that is not known; `id` is a hash
    /// of the key's ID.
    pub(super) fn ask(&mut self, now: Duration, id: u64) -> KeyAnswer {
        let latest = now.saturating_add(self.settings.longest_wait);
        let since = self.asked.get(&id).copied();
        if self.age.is_none() || since.is_some_and(|since| since >= self.judging_read) {
            return if self.is_reading || self.next_read_at(now) <= latest {
                KeyAnswer::Wait
            } else {
                KeyAnswer::Unavailable
            };
        }
        let next = match self.demand {
            Some(demand) if !demand.is_last_read() => now,
            _ => self.next_demand_at(now),
        };
        // An absent key is not waited for, but asked for again as soon as a demand may begin.
        let (next, latest) = if since.is_some() {
            let forgotten_at = self.demanded_at.saturating_add(ABSENT_MEMORY);
            (next.max(forgotten_at), now)
        } else {
            (next, latest)
        };
        if self.asked.len() >= MAX_ASKED && next <= now {
            let judging_read = self.judging_read;
            self.asked.retain(|_, since| *since >= judging_read);
        }
        let has_room = since.is_some() || self.asked.len() < MAX_ASKED;
        if has_room && next.max(self.paused_until) <= latest {
            self.asked.insert(id, self.begun_reads);
            KeyAnswer::Wait
        } else if self.failures > 0 || since.is_none() {
            KeyAnswer::Unavailable
        } else {
            KeyAnswer::Absent
        }
    }

    /// Asks for a read, since a known key does not verify a signature: an issuer may have given its
    /// ID to another key.
    pub(super) fn nudge(&mut self, now: Duration) {
        let is_over = |at: Duration| now.saturating_sub(at) >= NUDGE_INTERVAL;
        if self.failures == 0 && self.nudged_at.is_none_or(is_over) {
            self.nudged_at = Some(now);
            self.next_read = self.next_read.min(now);
        }
    }

    /// Asks for a read now, except while the provider asked for a pause. Returns its number.
    pub(super) fn refresh(&mut self, now: Duration) -> Option<u64> {
        if self.is_reading {
            return Some(self.begun_reads);
        }
        self.next_read = self.next_read.min(now);
        (self.paused_until <= now).then(|| self.begun_reads.saturating_add(1))
    }

    /// Whether this read is over.
    pub(super) fn is_done(&self, read: u64) -> bool {
        self.begun_reads >= read && !(self.is_reading && self.begun_reads == read)
    }

    pub(super) fn state(&self, now: Duration) -> RemoteKeysState {
        match self.age {
            Some(age) if now < age.fresh_until => RemoteKeysState::Fresh,
            Some(age) if now < age.expires_at => RemoteKeysState::Stale,
            None if !self.has_expired => RemoteKeysState::Loading,
            _ => RemoteKeysState::Expired,
        }
    }

    /// The time since the last successful read; `None` without keys.
    pub(super) fn age(&self, now: Duration) -> Option<Duration> {
        let age = self.age?;
        Some(now.saturating_sub(age.read_at).saturating_add(age.earlier))
    }

    pub(super) fn last_failure(&self) -> Option<FetchErrorKind> {
        self.last_failure
    }

    /// The number of failed reads since the last successful one.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// The numbers of reads that began, that failed, and of demands.
    pub(super) fn counts(&self) -> (u64, u64, u64) {
        (self.begun_reads, self.failed_reads, self.demands)
    }

    /// Whether a key ID was asked for that is neither known nor absent.
    fn has_awaited(&self) -> bool {
        self.asked.values().any(|since| *since >= self.judging_read)
    }

    /// When one more demand may begin.
    fn next_demand_at(&mut self, now: Duration) -> Duration {
        if now.saturating_sub(self.demanded_at) >= DEMAND_MEMORY {
            self.fruitless = 0;
        }
        let factor = COOLDOWN_FACTORS
            .get(self.fruitless)
            .or(COOLDOWN_FACTORS.last());
        let cooldown = COOLDOWN.saturating_mul(factor.copied().unwrap_or(1));
        while self.budget < MAX_DEMANDS {
            let grows_at = self.budget_grew_at.saturating_add(cooldown);
            if grows_at > now {
                return if self.budget == 0 { grows_at } else { now };
            }
            self.budget = self.budget.saturating_add(1);
            self.budget_grew_at = grows_at;
        }
        now
    }

    /// A random part of the duration, between `from` and `to` thousandths of it.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "`from` is less than `to`, and both are small"
    )]
    fn jitter(&mut self, duration: Duration, from: u64, to: u64) -> Duration {
        // SplitMix64.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.random;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let thousandths = from + (bits ^ (bits >> 31)) % (to - from);
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(millis.saturating_mul(thousandths) / 1000)
    }
}

impl Demand {
    /// Whether its last read has begun.
    fn is_last_read(&self) -> bool {
        self.begun_reads >= self.reads
    }

    fn next_read_at(&self) -> Duration {
        let offset = DEMAND_READS.get(self.begun_reads).copied();
        self.began_at.saturating_add(offset.unwrap_or_default())
    }
}
