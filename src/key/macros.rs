//! The constructors that `SigningKey` and `VerifyingKey` share.

/// Defines the constructors of a key type by its `hmac` and its constructor `private` or `public`.
macro_rules! named_constructors {
    ($type:ident, $half:ident) => {
        $crate::key::macros::named_constructors! {
            @secret $type,
            hs256: HS256 32,
            hs384: HS384 48,
            hs512: HS512 64,
        }
        $crate::key::macros::named_constructors! {
            @pem $type, $half,
            es256_pem: ES256 "p256",
            es384_pem: ES384 "p384",
            ed25519_pem: EdDSA "ed25519",
            rs256_pem: RS256 "rsa",
            rs384_pem: RS384 "rsa",
            rs512_pem: RS512 "rsa",
            ps256_pem: PS256 "rsa",
            ps384_pem: PS384 "rsa",
            ps512_pem: PS512 "rsa",
        }

        fn pem(option: &'static str, algorithm: Algorithm, pem: &[u8]) -> Result<Self, ConfigError> {
            $crate::key::pem::Section::decode(pem)
                .and_then(|section| Self::$half(algorithm, section.$half(algorithm)?))
                .map_err(|reason| ConfigError::new(option, reason))
        }
    };
    (@secret $type:ident, $($name:ident: $algorithm:ident $bytes:literal,)*) => {$(
        #[doc = concat!("Creates a key for ", stringify!($algorithm), " from a secret of ", $bytes, " bytes or more (RFC 7518 §3.2).")]
        ///
        /// Anyone who can verify with this secret can also sign.
        ///
        /// # Errors
        ///
        /// [`ConfigError`] if the secret is shorter than the hash, or is an encoded key (PEM, SSH,
        /// JWK), since a public key is not a secret (RFC 8725 §2.1).
        ///
        /// # Examples
        ///
        /// ```
        #[doc = concat!("use tower_session_token::{Algorithm, ", stringify!($type), "};")]
        ///
        #[doc = concat!("let key = ", stringify!($type), "::", stringify!($name), "([7; ", $bytes, "])?;")]
        #[doc = concat!("assert_eq!(key.algorithm(), Algorithm::", stringify!($algorithm), ");")]
        #[doc = concat!("assert!(", stringify!($type), "::", stringify!($name), "(\"too short\").is_err());")]
        /// # Ok::<(), tower_session_token::ConfigError>(())
        /// ```
        pub fn $name(secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
            Self::hmac(Algorithm::$algorithm, secret.as_ref())
                .map_err(|reason| ConfigError::new(stringify!($name), reason))
        }
    )*};
    (@pem $type:ident, $half:ident, $($name:ident: $algorithm:ident $file:literal,)*) => {$(
        #[doc = concat!("Decodes a key for ", stringify!($algorithm), " from PEM; see [`from_pem`](Self::from_pem).")]
        ///
        /// # Errors
        ///
        /// The same as of [`from_pem`](Self::from_pem).
        ///
        /// # Examples
        ///
        /// ```
        #[doc = concat!("use tower_session_token::{Algorithm, ", stringify!($type), "};")]
        ///
        #[doc = concat!("let pem = std::fs::read(\"tests/keys/", $file, ".", stringify!($half), ".pem\")?;")]
        #[doc = concat!("let key = ", stringify!($type), "::", stringify!($name), "(pem)?;")]
        #[doc = concat!("assert_eq!(key.algorithm(), Algorithm::", stringify!($algorithm), ");")]
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        pub fn $name(pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
            Self::pem(stringify!($name), Algorithm::$algorithm, pem.as_ref())
        }
    )*};
}

pub(super) use named_constructors;
