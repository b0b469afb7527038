//! The constructors that signing and verifying keys have in common, by name.

/// Constructors from secrets, by way of `Self::hmac`.
macro_rules! hmac_constructors {
    ($($name:ident, $algorithm:ident, $bytes:literal;)*) => {
        $(
            #[doc = concat!("A secret of at least ", $bytes, " bytes for ", stringify!($algorithm), ".")]
            ///
            /// Anyone who can verify with this secret can also sign.
            ///
            /// # Errors
            ///
            /// [`ConfigError`] if the secret is shorter than the hash (RFC 7518 §3.2), or the text
            /// of a key (PEM, SSH, JWK), which is never a secret.
            pub fn $name(secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
                Self::hmac(Algorithm::$algorithm, secret.as_ref())
                    .map_err(|why| ConfigError::new(stringify!($name), why))
            }
        )*
    };
}

/// Constructors from PEM, by way of `Self::pem`.
macro_rules! pem_constructors {
    ($($name:ident, $algorithm:ident, $key:literal;)*) => {
        $(
            #[doc = $key]
            #[doc = concat!("for ", stringify!($algorithm), " from a PEM text with one section.")]
            ///
            /// # Errors
            ///
            /// [`ConfigError`] if the text is something else, or the key is too weak or of another
            /// algorithm.
            pub fn $name(pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
                Self::pem(Algorithm::$algorithm, pem.as_ref())
                    .map_err(|why| ConfigError::new(stringify!($name), why))
            }
        )*
    };
}

pub(super) use {hmac_constructors, pem_constructors};
