//! The task that reads the keys, and the state that it shares with requests.

use std::{
    future::poll_fn,
    hash::{BuildHasher, RandomState},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    task::{Context, Poll, ready},
    time::{Duration, SystemTime},
};

use tokio::{
    runtime::Handle,
    sync::{Notify, OwnedSemaphorePermit, Semaphore, futures::OwnedNotified},
    task::AbortHandle,
    time::{self, Instant, Sleep},
};

use super::{
    fetch::Fetcher,
    machine::{Machine, ReadFailure, ReadKeys, Settings, Step},
    status::{FetchErrorKind, KeyEvent, RemoteKeysState},
};
use crate::{
    jws::{KeyAnswer, KeySource, KeyStore, KeyWait, WeakKeyStore},
    key::KeySet,
};

/// The maximum number of requests that wait.
const MAX_WAITING: usize = 1024;
/// The longest sleep, after which a clock that was set, or a suspended machine, is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// The largest difference of the clocks that counts as imprecision: beyond it the machine was
/// suspended, or a clock was set.
const SUSPENSION: Duration = Duration::from_secs(10);

pub(super) type OnEvent = Box<dyn Fn(&KeyEvent) + Send + Sync>;

/// The state that the task shares with the handles and with requests.
pub(super) struct Shared {
    state: Mutex<State>,
    longest_wait: Duration,
    /// Hashes key IDs, which clients choose.
    hasher: RandomState,
    /// Wakes the task.
    asked: Notify,
    /// Wakes requests and users after each read.
    done: Arc<Notify>,
    waiting: Arc<Semaphore>,
}

pub(super) struct State {
    pub(super) machine: Machine,
    clock: Clock,
    pub(super) is_stopped: bool,
}

impl Shared {
    pub(super) fn new(settings: Settings, seed_age: Option<Duration>) -> Self {
        let hasher = RandomState::new();
        let mut machine = Machine::new(settings, hasher.hash_one("jitter"));
        if let Some(age) = seed_age {
            machine.seed(age);
        }
        Self {
            state: Mutex::new(State {
                machine,
                clock: Clock::new(),
                is_stopped: false,
            }),
            longest_wait: settings.longest_wait,
            hasher,
            asked: Notify::new(),
            done: Arc::default(),
            waiting: Arc::new(Semaphore::new(MAX_WAITING)),
        }
    }

    /// Calls `f` with the state and the time since the start.
    pub(super) fn with<T>(&self, f: impl FnOnce(&mut State, Duration) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = state.clock.now();
        f(&mut state, now)
    }

    /// A future that is ready after the first read that ends from now on, even if it is polled later.
    pub(super) fn read_done(&self) -> OwnedNotified {
        Arc::clone(&self.done).notified_owned()
    }

    /// Wakes the task.
    pub(super) fn wake(&self) {
        self.asked.notify_one();
    }

    fn stop(&self) {
        self.with(|state, _| state.is_stopped = true);
        self.done.notify_waiters();
    }
}

impl State {
    pub(super) fn state(&self, now: Duration) -> RemoteKeysState {
        if self.is_stopped {
            RemoteKeysState::Stopped
        } else {
            self.machine.state(now)
        }
    }

    pub(super) fn last_failure(&self) -> Option<FetchErrorKind> {
        if self.is_stopped {
            Some(FetchErrorKind::Stopped)
        } else {
            self.machine.last_failure()
        }
    }
}

/// The time since the start: by the monotonic clock, which stands still while the machine is
/// suspended, and by the wall clock where that has advanced by more.
struct Clock {
    time: Duration,
    monotonic: Instant,
    wall: SystemTime,
}

impl Clock {
    fn new() -> Self {
        Self {
            time: Duration::ZERO,
            monotonic: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    fn now(&mut self) -> Duration {
        self.read(Instant::now(), SystemTime::now())
    }

    fn read(&mut self, monotonic: Instant, wall: SystemTime) -> Duration {
        let by_monotonic = monotonic.saturating_duration_since(self.monotonic);
        let by_wall = wall.duration_since(self.wall).unwrap_or_default();
        let was_suspended = by_wall.saturating_sub(by_monotonic) > SUSPENSION;
        let advance = if was_suspended { by_wall } else { by_monotonic };
        self.time = self.time.saturating_add(advance);
        (self.monotonic, self.wall) = (monotonic, wall);
        self.time
    }
}

/// The [`KeySource`] of a store. When the store is dropped, the task ends.
pub(super) struct Source {
    shared: Arc<Shared>,
    task: OnceLock<AbortHandle>,
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

impl KeySource for Source {
    fn ask(&self, id: Option<&str>) -> KeyAnswer {
        let id = self.shared.hasher.hash_one(id);
        let answer = self.shared.with(|state, now| {
            if state.is_stopped {
                KeyAnswer::Unavailable
            } else {
                state.machine.ask(now, id)
            }
        });
        if answer == KeyAnswer::Wait {
            self.shared.wake();
        }
        answer
    }

    fn nudge(&self) {
        self.shared.with(|state, now| state.machine.nudge(now));
        self.shared.wake();
    }

    fn wait(&self) -> Option<Box<dyn KeyWait>> {
        Handle::try_current().ok()?;
        Some(Box::new(Wait {
            permit: Arc::clone(&self.shared.waiting).try_acquire_owned().ok()?,
            done: Box::pin(self.shared.read_done()),
            deadline: Box::pin(time::sleep(self.shared.longest_wait)),
            shared: Arc::clone(&self.shared),
        }))
    }
}

/// The wait of one request.
struct Wait {
    #[expect(dead_code, reason = "it counts the requests that wait")]
    permit: OwnedSemaphorePermit,
    done: Pin<Box<OwnedNotified>>,
    deadline: Pin<Box<Sleep>>,
    shared: Arc<Shared>,
}

impl KeyWait for Wait {
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.done.as_mut().poll(cx).is_ready() {
            self.done.set(self.shared.read_done());
            return Poll::Ready(true);
        }
        self.deadline.as_mut().poll(cx).map(|()| false)
    }
}

/// Starts the task in the runtime, and returns the store that it fills.
pub(super) fn start(
    runtime: &Handle,
    shared: Arc<Shared>,
    fetcher: Fetcher,
    fetch_timeout: Duration,
    seed: Option<KeySet>,
    on_event: OnEvent,
) -> KeyStore {
    let source = Arc::new(Source {
        shared: Arc::clone(&shared),
        task: OnceLock::new(),
    });
    let store = KeyStore::of_source(source.clone());
    if let Some(seed) = seed {
        store.replace(seed);
    }
    let driver = Driver {
        shared,
        store: store.downgrade(),
        fetch_timeout,
        on_event,
    };
    let task = runtime.spawn(driver.run(fetcher));
    // It is the first value, since the source was made here.
    let _ = source.task.set(task.abort_handle());
    store
}

struct Driver {
    shared: Arc<Shared>,
    store: WeakKeyStore,
    fetch_timeout: Duration,
    on_event: OnEvent,
}

impl Drop for Driver {
    /// Without the task nothing would notice that a key was withdrawn: no key is trusted then.
    fn drop(&mut self) {
        self.replace(KeySet::none());
        self.shared.stop();
    }
}

impl Driver {
    async fn run(self, mut fetcher: Fetcher) {
        loop {
            let (step, now) = self
                .shared
                .with(|state, now| (state.machine.next(now), now));
            match step {
                Step::Read => self.read(&mut fetcher, now).await,
                Step::Expire => {
                    self.replace(KeySet::none());
                    self.shared.done.notify_waiters();
                    self.report(&KeyEvent::Expired);
                }
                Step::WaitUntil(at) => {
                    let sleep = at.saturating_sub(now).min(LONGEST_SLEEP);
                    // Whether it is time or something was asked, the machine knows.
                    let _ = time::timeout(sleep, self.shared.asked.notified()).await;
                }
            }
        }
    }

    async fn read(&self, fetcher: &mut Fetcher, now: Duration) {
        let failures = self.shared.with(|state, _| state.machine.failures());
        let read = time::timeout(self.fetch_timeout, fetcher.read(failures, now));
        let mut read = pin!(Some(read));
        // The client is not this crate's: its panic is a failed read, and does not end the task.
        let read = poll_fn(|cx| {
            let poll = AssertUnwindSafe(|| {
                let Some(open) = read.as_mut().as_pin_mut() else {
                    return Poll::Pending;
                };
                let result = ready!(open.poll(cx));
                // Here, since this may panic too.
                read.set(None);
                Poll::Ready(result)
            });
            catch_unwind(poll).unwrap_or(Poll::Ready(Ok(Err(FetchErrorKind::Client.into()))))
        });
        let read = read.await.unwrap_or(Err(FetchErrorKind::Timeout.into()));
        let (result, event) = match read {
            Ok((set, lifetime)) => {
                let (keys, skipped) = (set.len(), set.skipped().len());
                let changed = self.replace(set);
                let event = KeyEvent::Read {
                    keys,
                    skipped,
                    changed,
                };
                (Ok(ReadKeys { changed, lifetime }), event)
            }
            Err(failure @ ReadFailure { kind, .. }) => (Err(failure), KeyEvent::Failed(kind)),
        };
        self.shared
            .with(|state, now| state.machine.read_done(now, result));
        self.shared.done.notify_waiters();
        self.report(&event);
    }

    /// Calls the application, whose panic does not end the task.
    fn report(&self, event: &KeyEvent) {
        let _ = catch_unwind(AssertUnwindSafe(|| (self.on_event)(event)));
    }

    /// Puts the keys into the store. Returns whether they differ from those before.
    fn replace(&self, set: KeySet) -> bool {
        self.store.upgrade().is_some_and(|store| {
            let before = store.generation();
            store.replace(set) != before
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_counts_suspensions_and_never_falls() {
        let mut clock = Clock::new();
        let (mut monotonic, mut wall, mut last) = (clock.monotonic, clock.wall, Duration::ZERO);
        const DAY: u64 = 86_400;
        for (by_monotonic, wall_forth, wall_back, advance) in [
            (5, 5, 0, 5),
            // The wall clock is a little faster, or slower.
            (60, 61, 0, 60),
            (60, 59, 0, 60),
            // Suspended for three days.
            (60, 3 * DAY + 60, 0, 3 * DAY + 60),
            // Set back, and forth again.
            (1, 0, DAY, 1),
            (1, DAY, 0, DAY),
            (0, 0, 0, 0),
        ] {
            monotonic += Duration::from_secs(by_monotonic);
            wall = wall + Duration::from_secs(wall_forth) - Duration::from_secs(wall_back);
            let now = clock.read(monotonic, wall);
            assert_eq!((now - last).as_secs(), advance);
            last = now;
        }
    }
}
