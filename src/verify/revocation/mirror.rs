//! A list of revocations that mirrors a shared store, and knows how fresh it is.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use super::{
    check::{RevocationCheck, RevocationStatus},
    list::RevocationList,
    value::Revocation,
};
use crate::{session::Session, time::Clocks};

/// A [`RevocationList`] that mirrors a store which several processes share.
///
/// What it knows to be revoked is [`Revoked`](RevocationStatus::Revoked), however old. Everything else
/// is [`Valid`](RevocationStatus::Valid) while the last complete read of the store was asked for at
/// most `max_age` ago, and [`Unknown`](RevocationStatus::Unknown) beyond, and before the first one.
/// The age is compared at each check, by a clock that no step of the system's time moves and by one
/// that goes on while the machine is suspended: a reader that has died or hangs ends in `Unknown`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_session_token::{MirroredRevocations, SessionVerifier};
/// # use tower_session_token::VerifyingKey;
/// # let key = VerifyingKey::hs256([7; 32])?;
///
/// let (revocations, feed) = MirroredRevocations::new(Duration::from_secs(60));
/// let verifier = SessionVerifier::builder()
///     .key(key)
///     .issuer("https://id.example.com")
///     .audience("orders")
///     .revocation(revocations.clone())
///     .build()?;
/// assert!(revocations.age().is_none()); // each token is answered with 503
///
/// // A task that reads the store, again and again:
/// let asked = feed.asking();
/// let read = []; // what the store answers
/// for revocation in &read {
///     feed.apply(revocation);
/// }
/// feed.complete(asked);
/// assert!(revocations.age() < Some(Duration::from_secs(60)));
/// # Ok::<(), tower_session_token::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct MirroredRevocations {
    inner: Arc<MirrorInner>,
}

/// The writing end of [`MirroredRevocations`], for the code that reads the store.
pub struct RevocationFeed {
    inner: Arc<MirrorInner>,
    /// Held while the instants of a complete read are stored.
    completing: Mutex<()>,
}

/// The instant at which a read of the store was asked for.
#[derive(Clone, Copy, Debug)]
#[must_use = "it is what `complete` takes"]
pub struct Asked([Duration; 2]);

struct MirrorInner {
    list: RevocationList,
    max_age: Duration,
    clocks: Clocks,
    /// When the last complete read was asked for, in nanoseconds of each clock; [`NEVER`] before the
    /// first. A reader between the two stores finds one of them older, and never a younger age.
    asked_at: [AtomicU64; 2],
}

const NEVER: u64 = u64::MAX;

impl MirroredRevocations {
    /// Creates an empty mirror, which knows nothing yet, and its writing end.
    ///
    /// `max_age` bounds for how long another process' revocation may be missed here, and is for how
    /// long the store may be away without a request being rejected.
    #[must_use]
    pub fn new(max_age: Duration) -> (Self, RevocationFeed) {
        Self::with(RevocationList::new(), max_age, Clocks::System)
    }

    pub(super) fn with(
        list: RevocationList,
        max_age: Duration,
        clocks: Clocks,
    ) -> (Self, RevocationFeed) {
        let inner = Arc::new(MirrorInner {
            list,
            max_age,
            clocks,
            asked_at: [AtomicU64::new(NEVER), AtomicU64::new(NEVER)],
        });
        let mirror = Self {
            inner: Arc::clone(&inner),
        };
        let completing = Mutex::default();
        (mirror, RevocationFeed { inner, completing })
    }

    /// What is known to be revoked. A revocation that is put here is enforced in this process at once.
    #[must_use]
    pub fn list(&self) -> &RevocationList {
        &self.inner.list
    }

    /// The time since the last complete read was asked for; `None` before the first.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        let inner = &*self.inner;
        let mut age = Duration::ZERO;
        for (asked_at, now) in inner.asked_at.iter().zip(inner.clocks.now()) {
            let asked_at = Some(asked_at.load(SeqCst)).filter(|at| *at != NEVER)?;
            age = age.max(now.saturating_sub(Duration::from_nanos(asked_at)));
        }
        Some(age)
    }

    /// Whether the age is at most `max_age`: whether sessions that are not revoked are accepted.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.age().is_some_and(|age| age <= self.inner.max_age)
    }
}

impl RevocationCheck for MirroredRevocations {
    fn check(&self, session: &Session) -> RevocationStatus {
        // First, since the list may be searched just before a read completes, of which it then lacks all.
        let is_fresh = self.is_fresh();
        match self.inner.list.check(session) {
            RevocationStatus::Valid if !is_fresh => RevocationStatus::Unknown,
            status => status,
        }
    }
}

impl RevocationFeed {
    /// The current instant; take it *before* a read is sent to the store, so that a slow answer makes
    /// the mirror older and not fresher.
    pub fn asking(&self) -> Asked {
        Asked(self.inner.clocks.now())
    }

    /// Applies a revocation that was read. Reading it twice, or in another order, changes nothing.
    /// Returns whether it is new.
    pub fn apply(&self, revocation: &Revocation) -> bool {
        self.inner.list.revoke(revocation)
    }

    /// Notes that everything which the store had acknowledged before `asked` has been applied.
    #[expect(
        clippy::as_conversions,
        reason = "584 years in nanoseconds fit, and a later instant is no valid time"
    )]
    pub fn complete(&self, asked: Asked) {
        let _guard = self
            .completing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let [steady, wall] = asked.0.map(|at| at.as_nanos() as u64);
        let [last_steady, last_wall] = &self.inner.asked_at;
        let last = last_steady.load(SeqCst);
        if last == NEVER || last < steady {
            last_wall.store(wall, SeqCst);
            last_steady.store(steady, SeqCst);
        }
    }
}

impl fmt::Debug for MirroredRevocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MirroredRevocations")
            .field("max_age", &self.inner.max_age)
            .field("age", &self.age())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for RevocationFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationFeed").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::{SessionToken, User};

    const MAX_AGE: Duration = Duration::from_secs(60);

    /// A steady clock and one that may be set, in seconds.
    #[derive(Clone, Default)]
    struct Time(Arc<Mutex<[u64; 2]>>);

    impl Time {
        fn advance(&self, seconds: [u64; 2]) {
            let mut now = self.0.lock().unwrap();
            *now = [now[0] + seconds[0], now[1] + seconds[1]];
        }

        fn mirror(&self) -> (MirroredRevocations, RevocationFeed) {
            self.0.lock().unwrap()[1] = 1_800_000_000;
            let time = self.clone();
            let clocks = move || time.0.lock().unwrap().map(Duration::from_secs);
            let list = RevocationList::with_clock({
                let time = self.clone();
                move || {
                    let seconds = time.0.lock().unwrap()[1];
                    DateTime::<Utc>::from_timestamp(seconds.try_into().unwrap(), 0).unwrap()
                }
            });
            MirroredRevocations::with(list, MAX_AGE, Clocks::Custom(Arc::new(clocks)))
        }
    }

    fn session(user: &str) -> Session {
        let token = SessionToken::builder(User::new(user))
            .issuer("https://id.example.com")
            .audience("orders")
            .application_id("web-shop")
            .session_id(user)
            .lifetime(Duration::from_secs(600));
        Session::in_process(token.build().unwrap())
    }

    fn revocation(session: &Session) -> Revocation {
        let until = DateTime::<Utc>::from_timestamp(1_900_000_000, 0).unwrap();
        Revocation::session("https://id.example.com", session.id(), until)
    }

    #[test]
    fn a_session_is_unknown_before_the_first_complete_read_and_beyond_the_age() {
        let time = Time::default();
        let (mirror, feed) = time.mirror();
        let ann = session("ann");
        assert_eq!(mirror.check(&ann), RevocationStatus::Unknown);
        feed.complete(feed.asking());
        for (seconds, want) in [
            ([0, 0], RevocationStatus::Valid),
            ([60, 60], RevocationStatus::Valid),
            ([1, 1], RevocationStatus::Unknown),
        ] {
            time.advance(seconds);
            assert_eq!(mirror.check(&ann), want);
        }
        feed.complete(feed.asking());
        assert_eq!(mirror.check(&ann), RevocationStatus::Valid);
    }

    #[test]
    fn either_clock_makes_it_stale() {
        for seconds in [[61, 0], [0, 61]] {
            let time = Time::default();
            let (mirror, feed) = time.mirror();
            feed.complete(feed.asking());
            time.advance(seconds);
            assert_eq!(mirror.check(&session("ann")), RevocationStatus::Unknown);
            assert_eq!(mirror.age(), Some(Duration::from_secs(61)));
        }
    }

    #[test]
    fn a_slow_answer_makes_it_older_and_an_earlier_one_changes_nothing() {
        let time = Time::default();
        let (mirror, feed) = time.mirror();
        let first = feed.asking();
        time.advance([50, 50]);
        let second = feed.asking();
        time.advance([5, 5]);
        feed.complete(second);
        feed.complete(first);
        assert_eq!(mirror.age(), Some(Duration::from_secs(5)));
    }

    #[test]
    fn a_read_counts_once_the_steady_clock_has_moved() {
        let time = Time::default();
        let (mirror, feed) = time.mirror();
        feed.complete(feed.asking());
        for (seconds, age) in [([0, 61], 61), ([1, 0], 0)] {
            time.advance(seconds);
            feed.complete(feed.asking());
            assert_eq!(mirror.age(), Some(Duration::from_secs(age)));
        }
    }

    #[test]
    fn what_is_revoked_stays_so_however_stale_the_mirror() {
        let time = Time::default();
        let (mirror, feed) = time.mirror();
        let ann = session("ann");
        assert!(feed.apply(&revocation(&ann)));
        assert!(!feed.apply(&revocation(&ann)));
        assert_eq!(mirror.check(&ann), RevocationStatus::Revoked);
        time.advance([1000, 1000]);
        assert_eq!(mirror.check(&ann), RevocationStatus::Revoked);
        drop(feed);
        assert_eq!(mirror.check(&ann), RevocationStatus::Revoked);
    }

    #[test]
    fn a_session_is_not_accepted_by_a_read_that_completes_during_the_check() {
        let time = Time::default();
        let (_, _) = time.mirror();
        let reading = Arc::new(Mutex::new(None::<RevocationFeed>));
        let ann = session("ann");
        let clocks = {
            let (time, reading, ann) = (time.clone(), Arc::clone(&reading), ann.clone());
            move || {
                let feed = reading.lock().unwrap().take();
                if let Some(feed) = feed {
                    let asked = feed.asking();
                    feed.apply(&revocation(&ann));
                    feed.complete(asked);
                }
                time.0.lock().unwrap().map(Duration::from_secs)
            }
        };
        let list = RevocationList::new();
        let (mirror, feed) =
            MirroredRevocations::with(list, MAX_AGE, Clocks::Custom(Arc::new(clocks)));
        feed.complete(feed.asking());
        time.advance([61, 61]);
        *reading.lock().unwrap() = Some(feed);
        assert_ne!(mirror.check(&ann), RevocationStatus::Valid);
    }
}
