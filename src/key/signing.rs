//! Keys that sign.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::{
    Algorithm, Reason, VerifyingKey, algorithm::Family, backend, encoded_key,
    macros::named_constructors,
};
use crate::{debug::partial_debug, error::ConfigError};

/// A key that signs with one algorithm.
///
/// A clone increments reference counts. `Debug` shows the algorithm and the id alone.
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
    pub(super) verifying: VerifyingKey,
    /// `None` for HMAC: the secret of `verifying` signs too.
    pub(super) private: Option<Arc<backend::PrivateKey>>,
}

impl SigningKey {
    named_constructors!(SigningKey, private);

    /// Decodes an unencrypted private key from a PEM text with one key (RFC 7468).
    ///
    /// The label is `PRIVATE KEY` (RFC 7468 §10), `EC PRIVATE KEY` (RFC 5915) or `RSA PRIVATE KEY`
    /// (RFC 8017 §A.1.2). An RSA key has 2,048 to 8,192 bits.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the text is something else, or the key is weak or of another algorithm,
    /// or its private and public parts do not match; also for HMAC, whose secrets are not PEM.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{Algorithm, SigningKey};
    ///
    /// let pem = std::fs::read("tests/keys/rsa.private.pem")?;
    /// let key = SigningKey::from_pem(Algorithm::PS256, pem)?;
    /// assert_eq!(key.algorithm(), Algorithm::PS256);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_pem(algorithm: Algorithm, pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::pem("from_pem", algorithm, pem.as_ref())
    }

    /// Generates a random key without an id: RSA of 2,048 bits, HMAC of 64 bytes.
    ///
    /// The private part cannot be exported, so the key is lost when the process ends.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the system has no random data.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{Algorithm, SigningKey};
    ///
    /// let key = SigningKey::generate(Algorithm::EdDSA)?.with_id("2026-01");
    /// let jwk = key.verifying_key().to_jwk().expect("a public key");
    /// assert!(jwk.contains(r#""kid":"2026-01""#));
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    pub fn generate(algorithm: Algorithm) -> Result<Self, ConfigError> {
        let generate = || {
            if algorithm.family() == Family::Hmac {
                let mut secret = Zeroizing::new([0; 64]);
                backend::fill_random(&mut *secret)?;
                Self::hmac(algorithm, &*secret).ok()
            } else {
                Self::of_private(algorithm, backend::PrivateKey::generate(algorithm)?).ok()
            }
        };
        let reason = "the system has no random data";
        generate().ok_or(ConfigError::new("generate", reason))
    }

    pub(super) fn hmac(algorithm: Algorithm, secret: &[u8]) -> Result<Self, Reason> {
        Ok(Self {
            verifying: VerifyingKey::hmac(algorithm, secret)?,
            private: None,
        })
    }

    /// Prepares a private key in the encoding of the algorithm's family.
    pub(super) fn private(algorithm: Algorithm, der: &[u8]) -> Result<Self, &'static str> {
        encoded_key::check_private(algorithm, der)?;
        let key = backend::PrivateKey::new(algorithm, der).ok_or(encoded_key::INVALID)?;
        Self::of_private(algorithm, key)
    }

    fn of_private(algorithm: Algorithm, key: backend::PrivateKey) -> Result<Self, &'static str> {
        let verifying = VerifyingKey::public(algorithm, &key.public())?;
        let private = Some(Arc::new(key));
        Ok(Self { verifying, private })
    }

    /// Sets the id that becomes a token's `kid` (RFC 7515 §4.1.4).
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::SigningKey;
    ///
    /// let key = SigningKey::hs256([7; 32])?.with_id("2026-01");
    /// assert_eq!(key.id(), Some("2026-01"));
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.verifying = self.verifying.with_id(id);
        self
    }

    /// The algorithm, which is the only one of the key.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.verifying.algorithm()
    }

    /// The id that becomes a token's `kid`.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.verifying.id()
    }

    /// The key that verifies signatures of this one, with the same id.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{Algorithm, SigningKey};
    ///
    /// let key = SigningKey::generate(Algorithm::ES256)?.with_id("2026-01");
    /// assert_eq!(key.verifying_key().id(), Some("2026-01"));
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        self.verifying.clone()
    }

    /// Signs a message; `None` if the system has no random data.
    pub(crate) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        match &self.private {
            Some(key) => key.sign(message),
            None => self.verifying.hmac_tag(message),
        }
    }
}

partial_debug! { SigningKey(key) { algorithm: key.algorithm(), id: key.id() } }
