//! How large a token may be.

use crate::error::ConfigError;

/// Bounds on what a token may hold. Each is checked before anything is allocated by its size.
///
/// # Examples
///
/// ```
/// use tower_session_token::Limits;
///
/// let limits = Limits::default().with_token_bytes(4096);
/// assert_eq!(limits.token_bytes(), 4096);
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    token_bytes: usize,
    header_bytes: usize,
    nesting: usize,
    claim_bytes: usize,
    locale_bytes: usize,
    scope_bytes: usize,
    actors: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            token_bytes: 8192,
            header_bytes: 4096,
            nesting: 32,
            claim_bytes: 256,
            locale_bytes: 64,
            scope_bytes: 4096,
            actors: 4,
        }
    }
}

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident, $with:ident;)*) => {
        impl Limits {
            $(
                $(#[$doc])*
                #[must_use]
                pub const fn $name(&self) -> usize {
                    self.$name
                }

                #[doc = concat!("Sets [`", stringify!($name), "`](Self::", stringify!($name), ").")]
                #[must_use]
                pub const fn $with(mut self, limit: usize) -> Self {
                    self.$name = limit;
                    self
                }
            )*
        }
    };
}

limits! {
    /// The whole token, in bytes; 8,192 by default, 1 MiB at most.
    token_bytes, with_token_bytes;
    /// The decoded JOSE header, in bytes; 4,096 by default.
    header_bytes, with_header_bytes;
    /// The nesting of JSON in header and claims, the object itself counted as 1; 32 by default,
    /// 100 at most.
    nesting, with_nesting;
    /// Any one text claim that the profile names and no other limit covers, in bytes; 256 by
    /// default.
    claim_bytes, with_claim_bytes;
    /// The claims `locale` and `ui_locale`, in bytes; 64 by default. (No name of a zone is longer
    /// than 64 bytes.)
    locale_bytes, with_locale_bytes;
    /// The claim `scope`, in bytes; 4,096 by default.
    scope_bytes, with_scope_bytes;
    /// The actors in the claim `act`; 4 by default.
    actors, with_actors;
}

impl Limits {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let refuse = |why| Err(ConfigError::new("limits", why));
        if self.token_bytes > 1024 * 1024 {
            return refuse("token_bytes is above 1 MiB");
        }
        if self.nesting > 100 {
            return refuse("nesting is above 100");
        }
        if [
            self.token_bytes,
            self.header_bytes,
            self.nesting,
            self.claim_bytes,
        ]
        .contains(&0)
        {
            return refuse("a limit of 0 would refuse every token");
        }
        Ok(())
    }
}
