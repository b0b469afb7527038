//! Keys that verify.

use std::{fmt, sync::Arc};

use super::{
    Algorithm, backend::PublicKey, hmac::HmacKey, jwk::Jwk, material::PublicMaterial, pem,
};
use crate::error::ConfigError;

/// A key that verifies signatures of one algorithm, prepared once.
///
/// A clone costs a reference count. `Debug` shows the algorithm and the id alone.
///
/// # Examples
///
/// ```
/// use tower_session_token::{Algorithm, VerifyingKey};
///
/// let key = VerifyingKey::hs256([7; 32])?.with_id("2026-01");
/// assert_eq!((key.algorithm(), key.id()), (Algorithm::HS256, Some("2026-01")));
/// assert!(VerifyingKey::hs256("too short").is_err());
/// # Ok::<(), tower_session_token::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct VerifyingKey {
    algorithm: Algorithm,
    id: Option<Arc<str>>,
    check: Arc<Check>,
}

#[allow(
    clippy::large_enum_variant,
    reason = "it is behind an `Arc`, one for each key"
)]
enum Check {
    Hmac(HmacKey),
    Public(PublicKey),
}

macro_rules! hmac_constructors {
    ($($name:ident, $algorithm:ident, $bytes:literal;)*) => {
        $(
            #[doc = concat!("A secret of at least ", $bytes, " bytes for ", stringify!($algorithm), ".")]
            ///
            /// Whoever has it can sign too.
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

macro_rules! pem_constructors {
    ($($name:ident, $algorithm:ident, $key:literal;)*) => {
        $(
            #[doc = concat!("The public key of ", $key, ", for ", stringify!($algorithm), ".")]
            ///
            /// The text is PEM with one section, `PUBLIC KEY` (RFC 7468 §13).
            ///
            /// # Errors
            ///
            /// [`ConfigError`] if the text is something else, or the key too weak or another's.
            pub fn $name(pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
                pem::with_public(pem.as_ref(), |it| Self::public(Algorithm::$algorithm, it))
                    .map_err(|why| ConfigError::new(stringify!($name), why))
            }
        )*
    };
}

impl VerifyingKey {
    hmac_constructors! {
        hs256, HS256, "32";
        hs384, HS384, "48";
        hs512, HS512, "64";
    }

    pem_constructors! {
        es256_pem, ES256, "P-256";
        es384_pem, ES384, "P-384";
        ed25519_pem, EdDSA, "Ed25519";
        rs256_pem, RS256, "RSA, 2,048 to 8,192 bits";
        rs384_pem, RS384, "RSA, 2,048 to 8,192 bits";
        rs512_pem, RS512, "RSA, 2,048 to 8,192 bits";
        ps256_pem, PS256, "RSA, 2,048 to 8,192 bits";
        ps384_pem, PS384, "RSA, 2,048 to 8,192 bits";
        ps512_pem, PS512, "RSA, 2,048 to 8,192 bits";
    }

    /// A JSON Web Key (RFC 7517 §4) with `alg`, or of a curve that has one algorithm only. Its
    /// `kid` becomes the id.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the text is no such key, or one that is not for verifying (`use`,
    /// `key_ops`), or too weak.
    pub fn from_jwk(json: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Jwk::with(json.as_ref(), |jwk| jwk.verifying_key(&[]))
            .map_err(|why| ConfigError::new("from_jwk", why))
    }

    pub(super) fn hmac(algorithm: Algorithm, secret: &[u8]) -> Result<Self, &'static str> {
        let key = HmacKey::new(algorithm, secret)?;
        Ok(Self::new(algorithm, Check::Hmac(key)))
    }

    pub(super) fn public(
        algorithm: Algorithm,
        material: &PublicMaterial<'_>,
    ) -> Result<Self, &'static str> {
        let key = PublicKey::new(algorithm, material)?;
        Ok(Self::of_public(algorithm, key))
    }

    pub(super) fn of_public(algorithm: Algorithm, key: PublicKey) -> Self {
        Self::new(algorithm, Check::Public(key))
    }

    fn new(algorithm: Algorithm, check: Check) -> Self {
        Self {
            algorithm,
            id: None,
            check: Arc::new(check),
        }
    }

    /// Sets the id that a token's `kid` names (RFC 7515 §4.1.4).
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into().into());
        self
    }

    /// The one algorithm that the key is for.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The id that a token's `kid` names.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Whether `signature` is one of `message`.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match &*self.check {
            Check::Hmac(key) => key.verify(message, signature),
            Check::Public(key) => key.verify(message, signature),
        }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey")
            .field("algorithm", &self.algorithm)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
