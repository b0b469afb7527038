//! Where the keys of a store come from, if they are fetched.

use std::task::{Context, Poll};

/// A source that replaces the keys of a store, and is asked for keys that the store does not have.
pub(crate) trait KeySource: Send + Sync {
    /// Asks for the key that a plausible token names.
    fn ask(&self, id: Option<&str>) -> KeyAnswer;

    /// Reports that the signature of a plausible token is not that of the key that it names.
    fn nudge(&self);

    /// Begins the wait of a request for changes of the keys. `None` if too many wait already, or
    /// where there is no runtime to wait in.
    fn wait(&self) -> Option<Box<dyn KeyWait>>;
}

/// The answer to a request for a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum KeyAnswer {
    /// The issuer does not have the key, as far as is known.
    Absent,
    /// The keys are being read, or will be within the wait of a request.
    Wait,
    /// The keys cannot be had within the wait of a request.
    Unavailable,
}

/// The wait of one request.
pub(crate) trait KeyWait: Send {
    /// Waits for the end of the next read; `false` once the time to wait is over.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<bool>;
}
