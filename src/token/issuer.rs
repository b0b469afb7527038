//! The issuer, which signs tokens.

use std::time::Duration;

use serde_json::json;

use super::{session_token::SessionToken, session_token_builder::SessionTokenBuilder};
use crate::{
    error::{TokenError, TokenErrorKind},
    identity::User,
    jws::compact,
    key::SigningKey,
};

/// An issuer, which signs tokens with one key and begins tokens with its own issuer, audience and lifetime.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_session_token::{SessionIssuer, SessionVerifier, SigningKey, User};
///
/// let key = SigningKey::hs256([7; 32])?;
/// let verifier = SessionVerifier::builder()
///     .key(key.verifying_key())
///     .issuer("https://id.example.com")
///     .audience("orders")
///     .build()?;
/// let issuer = SessionIssuer::new(key)
///     .issuer("https://id.example.com")
///     .audience("orders")
///     .lifetime(Duration::from_secs(8 * 3600));
///
/// let token = issuer.token(User::new("ann")).application_id("web-shop").build()?;
/// let session = verifier.verify(issuer.issue(&token)?)?;
/// assert_eq!(session.user().id(), "ann");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "an issuer does nothing before it issues"]
pub struct SessionIssuer {
    key: SigningKey,
    /// What each token begins with, but for the user.
    template: SessionTokenBuilder,
}

impl SessionIssuer {
    /// An issuer that signs with `key`; the key's ID becomes the header parameter `kid`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{Algorithm, SessionIssuer, SigningKey};
    ///
    /// let key = SigningKey::generate(Algorithm::EdDSA)?.with_id("2026-01");
    /// let issuer = SessionIssuer::new(key).issuer("https://id.example.com");
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    pub fn new(key: SigningKey) -> Self {
        let template = SessionTokenBuilder::new();
        Self { key, template }
    }

    /// Sets the issuer (`iss`) of tokens that [`token`](Self::token) begins.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.template = self.template.issuer(issuer);
        self
    }

    /// Adds an audience (`aud`) of tokens that [`token`](Self::token) begins; may be repeated.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.template = self.template.audience(audience);
        self
    }

    /// Sets the duration from issue to expiry (`exp`, in whole seconds) of tokens that
    /// [`token`](Self::token) begins.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.template = self.template.lifetime(lifetime);
        self
    }

    /// Begins a token for `user`, with this issuer's defaults.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_token::{SessionIssuer, SigningKey, User};
    ///
    /// let issuer = SessionIssuer::new(SigningKey::hs256([7; 32])?)
    ///     .issuer("https://id.example.com")
    ///     .audience("orders")
    ///     .lifetime(Duration::from_secs(8 * 3600));
    /// let short = issuer.token(User::new("ann"))
    ///     .application_id("web-shop")
    ///     .lifetime(Duration::from_secs(60))
    ///     .build()?;
    /// assert!(short.audience().eq(["orders"]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn token(&self, user: User) -> SessionTokenBuilder {
        self.template.clone().user(user)
    }

    /// Signs `token` and returns it in compact serialization (RFC 7515 §7.1).
    ///
    /// # Errors
    ///
    /// [`TokenError`] if the key fails to sign.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_token::{SessionIssuer, SigningKey, User};
    ///
    /// let issuer = SessionIssuer::new(SigningKey::hs256([7; 32])?)
    ///     .issuer("https://id.example.com")
    ///     .audience("orders")
    ///     .lifetime(Duration::from_secs(600));
    /// let token = issuer.token(User::new("ann")).application_id("web-shop").build()?;
    /// assert!(issuer.issue(&token)?.starts_with("eyJ"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn issue(&self, token: &SessionToken) -> Result<String, TokenError> {
        let failed = TokenError::new(TokenErrorKind::Signing, "the key failed");
        let typ = token.token_type().as_str();
        sign(&self.key, typ, token.json().as_bytes()).ok_or(failed)
    }
}

/// Signs any payload as a token of this `typ`; `None` if the key fails.
#[expect(clippy::indexing_slicing, reason = "an object gets a member")]
pub(crate) fn sign(key: &SigningKey, typ: &str, payload: &[u8]) -> Option<String> {
    let mut header = json!({ "alg": key.algorithm().as_str(), "typ": typ });
    if let Some(id) = key.id() {
        header["kid"] = id.into();
    }
    compact::sign(key, header.to_string().as_bytes(), payload)
}
