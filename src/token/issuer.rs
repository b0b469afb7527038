//! Signs tokens.

use std::time::Duration;

use serde::Serialize;

use super::{session_token::SessionToken, session_token_builder::SessionTokenBuilder};
use crate::{
    error::{TokenError, TokenErrorKind},
    identity::User,
    jws::compact,
    key::SigningKey,
};

/// Signs tokens with one key, and begins tokens with its own issuer, audience and lifetime.
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
    issuer: Option<String>,
    audience: Vec<String>,
    lifetime: Option<Duration>,
}

#[derive(Serialize)]
struct NewHeader<'a> {
    alg: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
    typ: &'a str,
}

impl SessionIssuer {
    /// An issuer that signs with `key`; its id becomes the token's `kid`.
    pub fn new(key: SigningKey) -> Self {
        Self {
            key,
            issuer: None,
            audience: Vec::new(),
            lifetime: None,
        }
    }

    /// Sets the issuer that [`token`](Self::token) begins with: `iss`.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Adds an audience that [`token`](Self::token) begins with: `aud`.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience.push(audience.into());
        self
    }

    /// Sets the lifetime that [`token`](Self::token) begins with.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Begins a token for `user`, with this issuer's defaults.
    pub fn token(&self, user: User) -> SessionTokenBuilder {
        let token = SessionToken::builder(user);
        let token = self.issuer.iter().fold(token, SessionTokenBuilder::issuer);
        let token = self
            .audience
            .iter()
            .fold(token, SessionTokenBuilder::audience);
        self.lifetime
            .into_iter()
            .fold(token, SessionTokenBuilder::lifetime)
    }

    /// Signs `token` and returns it in compact form (RFC 7515 §7.1).
    ///
    /// # Errors
    ///
    /// [`TokenError`] if the key fails to sign.
    pub fn issue(&self, token: &SessionToken) -> Result<String, TokenError> {
        let failed = TokenError::new(TokenErrorKind::Signing, "the key failed");
        let typ = token.token_type().as_str();
        sign(&self.key, typ, token.json().as_bytes()).ok_or(failed)
    }
}

/// Signs any payload as a token of this `typ`; `None` if the key fails.
pub(crate) fn sign(key: &SigningKey, typ: &str, payload: &[u8]) -> Option<String> {
    let header = NewHeader {
        alg: key.algorithm().as_str(),
        kid: key.id(),
        typ,
    };
    compact::sign(key, &serde_json::to_vec(&header).ok()?, payload)
}
