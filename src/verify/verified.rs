//! A token that was verified, and when that holds.

use crate::{session::Session, time::NumericDate};

/// A token that was judged, and accepted.
pub(crate) struct Verified {
    pub(crate) session: Session,
    pub(crate) validity: Validity,
    /// Of the set of keys.
    pub(crate) generation: u64,
    pub(crate) at: NumericDate,
}

/// When a token is valid, the leeway taken into account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validity {
    pub(crate) from: NumericDate,
    /// The first moment at which it is valid no more.
    pub(crate) until: NumericDate,
    /// What was resolved of the client does not change in between.
    pub(crate) is_steady: bool,
}

impl Validity {
    pub(crate) fn holds(&self, now: NumericDate) -> bool {
        self.from <= now && !self.is_over(now)
    }

    pub(crate) fn is_over(&self, now: NumericDate) -> bool {
        self.until <= now
    }
}
