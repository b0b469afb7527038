//! A clock that a test sets.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use chrono::{DateTime, SubsecRound, Utc};

/// A clock that stands still until it is set or advanced; a clone is the same clock.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_session_token::{SessionErrorKind, User, testing::TestIssuer};
///
/// let issuer = TestIssuer::new();
/// let (verifier, token) = (issuer.verifier(), issuer.token(User::new("ann")).issue());
/// assert!(verifier.verify(&token).is_ok());
///
/// issuer.clock().advance(Duration::from_secs(2 * 3600));
/// let error = verifier.verify(&token).unwrap_err();
/// assert_eq!(error.kind(), SessionErrorKind::TokenExpired);
/// ```
#[derive(Clone, Debug)]
pub struct TestClock {
    now: Arc<ArcSwap<DateTime<Utc>>>,
}

impl TestClock {
    /// A clock that shows the system's present second.
    #[expect(clippy::new_without_default, reason = "the present is no default")]
    #[must_use]
    pub fn new() -> Self {
        let now = Utc::now().trunc_subsecs(0);
        Self {
            now: Arc::new(ArcSwap::from_pointee(now)),
        }
    }

    /// The instant that the clock shows.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        **self.now.load()
    }

    /// Sets the clock, forward or back.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::testing::TestClock;
    ///
    /// let clock = TestClock::new();
    /// clock.set("2026-03-29T00:59:59Z".parse()?); // Berlin's summer time begins
    /// assert_eq!(clock.now().timestamp(), 1_774_745_999);
    /// # Ok::<(), chrono::ParseError>(())
    /// ```
    pub fn set(&self, now: DateTime<Utc>) {
        self.now.store(Arc::new(now));
    }

    /// Moves the clock forward.
    ///
    /// # Panics
    ///
    /// If it would show more than chrono can, some 260,000 years from now.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_token::testing::TestClock;
    ///
    /// let clock = TestClock::new();
    /// let before = clock.now();
    /// clock.advance(Duration::from_secs(60));
    /// assert_eq!(clock.now() - before, chrono::TimeDelta::minutes(1));
    /// ```
    pub fn advance(&self, by: Duration) {
        self.now.rcu(|now| **now + by);
    }
}
