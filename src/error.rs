//! What can go wrong before the first request: keys and options that cannot be used.

use std::{borrow::Cow, error::Error, fmt};

/// A key, verifier or layer could not be built from what it was given.
///
/// It is met at start-up, by the person who configures the service: `Display` names the
/// option and says what is wrong with it. It never holds a secret or a private key.
#[derive(Debug)]
pub struct ConfigError {
    option: &'static str,
    reason: Cow<'static, str>,
}

impl ConfigError {
    pub(crate) fn new(option: &'static str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            option,
            reason: reason.into(),
        }
    }

    /// The option that is wrong, as its builder method or constructor is called.
    #[must_use]
    pub fn option(&self) -> &'static str {
        self.option
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.option, self.reason)
    }
}

impl Error for ConfigError {}
