//! Keys that verify.

use std::{fmt, sync::Arc};

use super::{
    Algorithm,
    algorithm::Family,
    backend::PublicKey,
    macros::{hmac_constructors, pem_constructors},
    ed25519,
    hmac::HmacKey,
    jwk::Jwk,
    encoded_key::PublicMaterial,
    pem,
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

impl VerifyingKey {
    hmac_constructors! {
        hs256, HS256, "32";
        hs384, HS384, "48";
        hs512, HS512, "64";
    }

    pem_constructors! {
        es256_pem, ES256, "Reads a P-256 public key, `PUBLIC KEY` (RFC 7468 §13),";
        es384_pem, ES384, "Reads a P-384 public key, `PUBLIC KEY` (RFC 7468 §13),";
        ed25519_pem, EdDSA, "Reads an Ed25519 public key, `PUBLIC KEY` (RFC 7468 §13),";
        rs256_pem, RS256, "Reads an RSA public key of 2,048 to 8,192 bits, `PUBLIC KEY` (RFC 7468 §13) or `RSA PUBLIC KEY` (RFC 8017),";
        rs384_pem, RS384, "Reads an RSA public key of 2,048 to 8,192 bits, `PUBLIC KEY` (RFC 7468 §13) or `RSA PUBLIC KEY` (RFC 8017),";
        rs512_pem, RS512, "Reads an RSA public key of 2,048 to 8,192 bits, `PUBLIC KEY` (RFC 7468 §13) or `RSA PUBLIC KEY` (RFC 8017),";
        ps256_pem, PS256, "Reads an RSA public key of 2,048 to 8,192 bits, `PUBLIC KEY` (RFC 7468 §13) or `RSA PUBLIC KEY` (RFC 8017),";
        ps384_pem, PS384, "Reads an RSA public key of 2,048 to 8,192 bits, `PUBLIC KEY` (RFC 7468 §13) or `RSA PUBLIC KEY` (RFC 8017),";
        ps512_pem, PS512, "Reads an RSA public key of 2,048 to 8,192 bits, `PUBLIC KEY` (RFC 7468 §13) or `RSA PUBLIC KEY` (RFC 8017),";
    }

    /// A JSON Web Key (RFC 7517 §4) with `alg`, or of a curve that has one algorithm only. Its
    /// `kid` becomes the id.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the text is no such key, or the key is not for verifying (`use`,
    /// `key_ops`) or is too weak.
    pub fn from_jwk(json: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Jwk::with(json.as_ref(), |jwk| jwk.verifying_key(&[]))
            .map_err(|why| ConfigError::new("from_jwk", why))
    }

    fn pem(algorithm: Algorithm, pem: &[u8]) -> Result<Self, &'static str> {
        pem::with_public(pem, |material| Self::public(algorithm, material))
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
        if algorithm.family() == Family::Ed25519
            && material.ed25519_point().is_none_or(ed25519::is_small_order)
        {
            return Err("the Ed25519 point is of small order");
        }
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

    /// What a secret signs a message with; a public key signs nothing.
    pub(super) fn hmac_tag(&self, message: &[u8]) -> Option<Vec<u8>> {
        match &*self.check {
            Check::Hmac(key) => Some(key.sign(message)),
            Check::Public(_) => None,
        }
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
