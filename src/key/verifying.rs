//! Keys that verify.

use std::sync::Arc;

use super::{
    Algorithm, Reason, backend::PublicKey, encoded_key, hmac::HmacKey, macros::named_constructors,
};
use crate::{debug::partial_debug, error::ConfigError};

/// A key that verifies signatures of one algorithm.
///
/// A clone increments reference counts. `Debug` shows the algorithm and the id alone. Keys are equal
/// if their algorithms, ids and key material are; secrets are compared in constant time.
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
    pub(super) id: Option<Arc<str>>,
    prepared: Arc<PreparedKey>,
}

#[allow(clippy::large_enum_variant, reason = "each key has one, in an `Arc`")]
enum PreparedKey {
    Hmac(HmacKey),
    /// The prepared key and its encoding.
    Public(PublicKey, Box<[u8]>),
}

impl VerifyingKey {
    named_constructors!(VerifyingKey, public);

    /// Decodes a public key from a PEM text with one key (RFC 7468).
    ///
    /// The label is `PUBLIC KEY` (RFC 7468 §13), or `RSA PUBLIC KEY` (RFC 8017 §A.1.1) for an RSA
    /// key, which has 2,048 to 8,192 bits. A point of an EC key is uncompressed.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the text is something else, or the key is weak or of another algorithm;
    /// also for HMAC, whose secrets are not PEM.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{Algorithm, VerifyingKey};
    ///
    /// let pem = std::fs::read("tests/keys/ed25519.public.pem")?;
    /// let key = VerifyingKey::from_pem(Algorithm::Ed25519, &pem)?;
    /// assert_eq!(key.algorithm(), Algorithm::Ed25519);
    /// assert!(VerifyingKey::from_pem(Algorithm::ES256, &pem).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_pem(algorithm: Algorithm, pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::pem("from_pem", algorithm, pem.as_ref())
    }

    pub(super) fn hmac(algorithm: Algorithm, secret: &[u8]) -> Result<Self, Reason> {
        let prepared = PreparedKey::Hmac(HmacKey::new(algorithm, secret)?);
        Ok(Self::new(algorithm, prepared))
    }

    /// Prepares a public key in the encoding of the algorithm's family.
    pub(super) fn public(algorithm: Algorithm, encoded: &[u8]) -> Result<Self, &'static str> {
        encoded_key::check_public(algorithm, encoded)?;
        let key = PublicKey::new(algorithm, encoded).ok_or(encoded_key::INVALID)?;
        let prepared = PreparedKey::Public(key, encoded.into());
        Ok(Self::new(algorithm, prepared))
    }

    fn new(algorithm: Algorithm, prepared: PreparedKey) -> Self {
        Self {
            algorithm,
            id: None,
            prepared: Arc::new(prepared),
        }
    }

    /// Sets the id that a token's `kid` names (RFC 7515 §4.1.4).
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::VerifyingKey;
    ///
    /// let key = VerifyingKey::hs256([7; 32])?.with_id("2026-01");
    /// assert_eq!(key.id(), Some("2026-01"));
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into().into());
        self
    }

    /// The algorithm, which is the only one of the key.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The id that a token's `kid` names.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The public key in the encoding of the algorithm's family; `None` for an HMAC secret.
    pub(super) fn encoded(&self) -> Option<&[u8]> {
        match &*self.prepared {
            PreparedKey::Hmac(_) => None,
            PreparedKey::Public(_, encoded) => Some(encoded),
        }
    }

    /// The HMAC tag of a message; `None` for a public key.
    pub(super) fn hmac_tag(&self, message: &[u8]) -> Option<Vec<u8>> {
        match &*self.prepared {
            PreparedKey::Hmac(key) => Some(key.sign(message)),
            PreparedKey::Public(..) => None,
        }
    }

    /// Whether `signature` is a valid signature of `message`.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match &*self.prepared {
            PreparedKey::Hmac(key) => key.verify(message, signature),
            PreparedKey::Public(key, _) => key.verify(message, signature),
        }
    }
}

impl PartialEq for VerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm
            && self.id == other.id
            && match (&*self.prepared, &*other.prepared) {
                (PreparedKey::Hmac(own), PreparedKey::Hmac(other)) => own == other,
                _ => self.encoded() == other.encoded(),
            }
    }
}

impl Eq for VerifyingKey {}

partial_debug! { VerifyingKey(key) { algorithm: key.algorithm, id: key.id } }
