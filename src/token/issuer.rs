//! Signs tokens.

use serde::Serialize;

use super::session_token::SessionToken;
use crate::{
    error::{TokenError, TokenErrorKind},
    jws::compact,
    key::SigningKey,
};

/// Signs tokens with one key.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_session_token::{
///     ApplicationId, SessionIssuer, SessionToken, SessionVerifier, SigningKey, User, VerifyingKey,
/// };
///
/// let secret = [7; 32];
/// let token = SessionToken::builder(User::new("ann"))
///     .issuer("https://id.example.com")
///     .audience("orders")
///     .application_id(ApplicationId::from("web-shop"))
///     .lifetime(Duration::from_secs(600))
///     .build()?;
/// let signed = SessionIssuer::new(SigningKey::hs256(secret)?).issue(&token)?;
///
/// let verifier = SessionVerifier::builder()
///     .key(VerifyingKey::hs256(secret)?)
///     .issuer("https://id.example.com")
///     .audience("orders")
///     .build()?;
/// assert_eq!(verifier.verify(signed.as_bytes())?.user().id().to_string(), "ann");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct SessionIssuer {
    key: SigningKey,
}

#[derive(Serialize)]
struct NewHeader<'a> {
    alg: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
    typ: &'static str,
}

impl SessionIssuer {
    /// An issuer that signs with `key`; its id becomes the token's `kid`.
    #[must_use]
    pub fn new(key: SigningKey) -> Self {
        Self { key }
    }

    /// Signs `token` and gives it in compact form (RFC 7515 §7.1).
    ///
    /// # Errors
    ///
    /// [`TokenError`] if the key fails to sign.
    pub fn issue(&self, token: &SessionToken) -> Result<String, TokenError> {
        let failed = TokenError::new(TokenErrorKind::Signing, "the key failed");
        let header = serde_json::to_vec(&NewHeader {
            alg: self.key.algorithm().as_str(),
            kid: self.key.id(),
            typ: token.token_type().as_str(),
        })
        .map_err(|_| failed)?;
        let mut text = String::new();
        compact::encode(&header, &mut text);
        text.push('.');
        compact::encode(token.json().as_bytes(), &mut text);
        let signature = self.key.sign(text.as_bytes()).map_err(|_| failed)?;
        text.push('.');
        compact::encode(&signature, &mut text);
        Ok(text)
    }
}
