//! Keys that sign.

use std::{fmt, sync::Arc};

use super::{
    Algorithm, VerifyingKey,
    backend::PrivateKey,
    macros::{hmac_constructors, pem_constructors},
    jwk::Jwk,
    encoded_key::PrivateMaterial,
    pem,
};
use crate::error::ConfigError;

/// A key that signs with one algorithm, prepared once.
///
/// A clone costs a reference count. `Debug` shows the algorithm and the id alone.
///
/// # Examples
///
/// ```
/// use tower_session_token::SigningKey;
///
/// let key = SigningKey::hs512([7; 64])?.with_id("2026-01");
/// assert_eq!(key.verifying_key().id(), Some("2026-01"));
/// # Ok::<(), tower_session_token::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct SigningKey {
    verifying: VerifyingKey,
    /// `None`: the secret that verifies signs too.
    private: Option<Arc<PrivateKey>>,
}

/// The key failed, which a prepared one does only where the machine has no randomness.
#[derive(Debug)]
pub(crate) struct SigningFailed;

impl SigningKey {
    hmac_constructors! {
        hs256, HS256, "32";
        hs384, HS384, "48";
        hs512, HS512, "64";
    }

    pem_constructors! {
        es256_pem, ES256, "Reads an unencrypted P-256 private key, `PRIVATE KEY` (RFC 7468 §10) or `EC PRIVATE KEY` (RFC 5915),";
        es384_pem, ES384, "Reads an unencrypted P-384 private key, `PRIVATE KEY` (RFC 7468 §10) or `EC PRIVATE KEY` (RFC 5915),";
        ed25519_pem, EdDSA, "Reads an unencrypted Ed25519 private key, `PRIVATE KEY` (RFC 7468 §10),";
        rs256_pem, RS256, "Reads an unencrypted RSA private key of 2,048 to 8,192 bits, `PRIVATE KEY` (RFC 7468 §10) or `RSA PRIVATE KEY` (RFC 8017),";
        rs384_pem, RS384, "Reads an unencrypted RSA private key of 2,048 to 8,192 bits, `PRIVATE KEY` (RFC 7468 §10) or `RSA PRIVATE KEY` (RFC 8017),";
        rs512_pem, RS512, "Reads an unencrypted RSA private key of 2,048 to 8,192 bits, `PRIVATE KEY` (RFC 7468 §10) or `RSA PRIVATE KEY` (RFC 8017),";
        ps256_pem, PS256, "Reads an unencrypted RSA private key of 2,048 to 8,192 bits, `PRIVATE KEY` (RFC 7468 §10) or `RSA PRIVATE KEY` (RFC 8017),";
        ps384_pem, PS384, "Reads an unencrypted RSA private key of 2,048 to 8,192 bits, `PRIVATE KEY` (RFC 7468 §10) or `RSA PRIVATE KEY` (RFC 8017),";
        ps512_pem, PS512, "Reads an unencrypted RSA private key of 2,048 to 8,192 bits, `PRIVATE KEY` (RFC 7468 §10) or `RSA PRIVATE KEY` (RFC 8017),";
    }

    /// A private JSON Web Key (RFC 7517 §4, RFC 7518 §6) with `alg`, or of a curve that has one
    /// algorithm only. Its `kid` becomes the id.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the text is no such key, or the key is not for signing (`use`,
    /// `key_ops`) or is too weak, or its private and public parts do not belong together.
    pub fn from_jwk(json: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Jwk::with(json.as_ref(), |jwk| jwk.signing_key())
            .map_err(|why| ConfigError::new("from_jwk", why))
    }

    fn pem(algorithm: Algorithm, pem: &[u8]) -> Result<Self, &'static str> {
        pem::with_private(pem, |material| Self::private(algorithm, material))
    }

    pub(super) fn hmac(algorithm: Algorithm, secret: &[u8]) -> Result<Self, &'static str> {
        Ok(Self {
            verifying: VerifyingKey::hmac(algorithm, secret)?,
            private: None,
        })
    }

    pub(super) fn private(
        algorithm: Algorithm,
        material: &PrivateMaterial<'_>,
    ) -> Result<Self, &'static str> {
        let key = PrivateKey::new(algorithm, material)?;
        Ok(Self {
            verifying: VerifyingKey::of_public(algorithm, key.public(algorithm)?),
            private: Some(Arc::new(key)),
        })
    }

    /// Sets the id that becomes a token's `kid` (RFC 7515 §4.1.4).
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.verifying = self.verifying.with_id(id);
        self
    }

    /// The one algorithm that the key is for.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.verifying.algorithm()
    }

    /// The id that becomes a token's `kid`.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.verifying.id()
    }

    /// The key that verifies what this one signs, with the same id.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        self.verifying.clone()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let signature = match &self.private {
            Some(key) => key.sign(message),
            None => self.verifying.hmac_tag(message),
        };
        signature.ok_or(SigningFailed)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm())
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}
