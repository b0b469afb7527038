//! Limits of a token's size.

use crate::error::ConfigError;

macro_rules! limits {
    (
        $(#[$limits:meta])*
        Limits;
        $($(#[$doc:meta])* $name:ident, $with:ident = $default:literal;)*
    ) => {
        $(#[$limits])*
        #[derive(Clone, Debug, Eq, PartialEq)]
        pub struct Limits {
            $($name: usize,)*
        }

        /// The limits of a service that sets none.
        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl Limits {
            $(
                $(#[$doc])*
                #[must_use]
                pub const fn $name(&self) -> usize {
                    self.$name
                }

                #[doc = concat!("Sets [`", stringify!($name), "`](Self::", stringify!($name), "),")]
                #[doc = concat!($default, " by default.")]
                ///
                /// # Examples
                ///
                /// ```
                /// use tower_session_token::Limits;
                ///
                #[doc = concat!("let limits = Limits::default().", stringify!($with), "(16);")]
                #[doc = concat!("assert_eq!(limits.", stringify!($name), "(), 16);")]
                #[doc = concat!("assert_eq!(Limits::default().", stringify!($name), "(), ", $default, ");")]
                /// ```
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
    /// Upper bounds of a token's size, inclusive.
    ///
    /// Each is checked before anything of that size is allocated. A verifier cannot be built with a
    /// [`token_bytes`](Self::token_bytes), [`header_bytes`](Self::header_bytes),
    /// [`nesting`](Self::nesting) or [`claim_bytes`](Self::claim_bytes) of 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::Limits;
    ///
    /// let limits = Limits::default().with_token_bytes(4096);
    /// assert_eq!(limits.token_bytes(), 4096);
    /// ```
    Limits;

    /// The encoded token, in bytes; 1 MiB at most.
    token_bytes, with_token_bytes = 8192;
    /// The decoded JOSE header, in bytes.
    header_bytes, with_header_bytes = 4096;
    /// The nesting of JSON in header and claims, where the object itself counts as 1; 100 at most.
    nesting, with_nesting = 32;
    /// Each string claim of the profile that has no other limit, in bytes.
    claim_bytes, with_claim_bytes = 256;
    /// Each of the claims `locale` and `ui_locale`, in bytes.
    locale_bytes, with_locale_bytes = 64;
    /// The claim `scope`, in bytes.
    scope_bytes, with_scope_bytes = 4096;
    /// The number of nested actors in the claim `act` (RFC 8693 §4.1).
    actors, with_actors = 4;
}

impl Limits {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let sizes = [self.token_bytes, self.header_bytes, self.claim_bytes];
        let reason = if self.token_bytes > 1024 * 1024 {
            "token_bytes is above 1 MiB"
        } else if self.nesting > 100 {
            "nesting is above 100"
        } else if self.nesting == 0 || sizes.contains(&0) {
            "a limit of 0 would reject every token"
        } else {
            return Ok(());
        };
        Err(ConfigError::new("limits", reason))
    }
}
