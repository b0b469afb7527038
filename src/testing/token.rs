//! A token whose claims a test chooses.

use chrono::TimeDelta;
use http::{header::AUTHORIZATION, request};
use serde::Serialize;
use serde_json::{Map, Value};

use super::issuer::TestIssuer;
use crate::{
    error::SessionErrorKind,
    identity::User,
    jws::TokenType,
    session::Session,
    token::{self, SessionToken},
    verify::{Revocation, RevocationList},
};

/// In seconds.
const HOUR: i64 = 3600;

impl TestIssuer {
    /// Begins a token for `user`: a new session of the application `test-app`, issued now and
    /// valid for an hour.
    ///
    /// # Panics
    ///
    /// If `user` has an id, name or login that is empty or too long for a token; set such claims by
    /// [`with`](TestToken::with).
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{User, testing::TestIssuer};
    ///
    /// let session = TestIssuer::new().token(User::new("ann").with_name("Ann")).session();
    /// assert_eq!(session.user().name(), Some("Ann"));
    /// assert_eq!(session.application_id().unwrap(), "test-app");
    /// ```
    pub fn token(&self, user: User) -> TestToken {
        let token = SessionToken::builder(user)
            .issuer(&self.issuer)
            .audience(&self.audience)
            .application_id("test-app")
            .issued_at(self.clock().now())
            .expires_at(self.clock().now() + TimeDelta::seconds(HOUR))
            .build();
        let claims = token.and_then(|token| token.claims());
        TestToken {
            issuer: self.clone(),
            token_type: TokenType::Session,
            claims: claims.expect("a user that a token can have"),
            rejected_as: None,
        }
    }
}

/// Makes a token for a test, and the request or session of it; see [`TestIssuer::token`].
///
/// Unlike a [`SessionTokenBuilder`](crate::SessionTokenBuilder) it checks nothing, so that a claim
/// may be wrong or missing.
///
/// # Examples
///
/// ```
/// use tower_session_token::{SessionErrorKind, User, testing::TestIssuer};
///
/// let issuer = TestIssuer::new();
/// let token = issuer
///     .token(User::new("ann"))
///     .with("locale", "de-CH")
///     .with("utc_offset", 60)
///     .with("roles", ["buyer", "approver"]);
/// assert!(token.session().has_role("approver"));
///
/// let error = issuer.verifier().verify(token.with("utc_offset", "CET").issue()).unwrap_err();
/// assert_eq!(error.kind(), SessionErrorKind::ClaimInvalid);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder makes nothing before `issue`"]
pub struct TestToken {
    issuer: TestIssuer,
    token_type: TokenType,
    claims: Map<String, Value>,
    rejected_as: Option<SessionErrorKind>,
}

impl TestToken {
    /// Sets a claim to a value, or replaces it.
    ///
    /// # Panics
    ///
    /// If the value has no JSON.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{User, testing::TestIssuer};
    ///
    /// let token = TestIssuer::new().token(User::new("ann")).with("tenant", "north");
    /// assert_eq!(token.session().claim::<String>("tenant")?.as_deref(), Some("north"));
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    pub fn with(mut self, claim: impl Into<String>, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value).expect("a value that has JSON");
        self.claims.insert(claim.into(), value);
        self
    }

    /// Removes a claim.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{SessionErrorKind, User, testing::TestIssuer};
    ///
    /// let issuer = TestIssuer::new();
    /// let token = issuer.token(User::new("ann")).without("client_id").issue();
    /// let error = issuer.verifier().verify(token).unwrap_err();
    /// assert_eq!(error.kind(), SessionErrorKind::ClaimInvalid);
    /// ```
    pub fn without(mut self, claim: &str) -> Self {
        self.claims.remove(claim);
        self
    }

    /// Sets the type: [`TokenType::Session`] by default.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{TokenType, User, testing::TestIssuer};
    ///
    /// let token = TestIssuer::new().token(User::new("ann")).token_type(TokenType::AccessToken);
    /// assert_eq!(token.session().token().unwrap().token_type(), TokenType::AccessToken);
    /// ```
    pub fn token_type(mut self, token_type: TokenType) -> Self {
        self.token_type = token_type;
        self
    }

    /// Makes the token, which is good otherwise, one that is rejected with this error.
    ///
    /// A verifier of the [issuer](TestIssuer::verifier_builder) rejects it, a layer with such a
    /// verifier the [`request`](Self::request). For some kinds that is not enough:
    ///
    /// | kind | what rejects it |
    /// | --- | --- |
    /// | `TokenMissing`, `RequestInvalid` | a layer alone: no header, or one with two tokens |
    /// | `ClientKindForbidden` | a guard for desktop or web clients: the kind is `other` |
    /// | `AccessLevelInsufficient` | a guard for administrators: the level is `regular` |
    /// | `ScopeInsufficient` | a guard for scope: there is none |
    /// | `Forbidden` | a guard for roles: there is none |
    /// | `Misconfigured` | a guard or handler with no layer in front, whatever the token is |
    /// | `KeysUnavailable` | a verifier whose `RemoteKeys` cannot be read, whatever the token is |
    ///
    /// `SessionRevoked` and `RevocationUnavailable` take effect when the token is issued, for all
    /// tokens of its session.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{SessionErrorKind, User, testing::TestIssuer};
    ///
    /// let issuer = TestIssuer::new();
    /// for kind in [SessionErrorKind::TokenExpired, SessionErrorKind::RevocationUnavailable] {
    ///     let token = issuer.token(User::new("ann")).rejected_as(kind).issue();
    ///     assert_eq!(issuer.verifier().verify(token).unwrap_err().kind(), kind);
    /// }
    /// ```
    pub fn rejected_as(mut self, kind: SessionErrorKind) -> Self {
        self.rejected_as = Some(kind);
        self
    }

    /// Signs the token and returns it in compact form. It is the same session each time.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{User, testing::TestIssuer};
    ///
    /// let issuer = TestIssuer::new();
    /// let cookie = format!("session={}", issuer.token(User::new("ann")).issue());
    /// # assert_eq!(cookie.split('.').count(), 3);
    /// ```
    #[must_use]
    pub fn issue(&self) -> String {
        use SessionErrorKind as Kind;

        let Some(kind) = self.rejected_as else {
            return self.sign(self.token_type.as_str());
        };
        let good = Self {
            rejected_as: None,
            ..self.clone()
        };
        let now = self.issuer.clock().now().timestamp();
        let bad = match kind {
            Kind::TokenMissing => return String::new(),
            Kind::RequestInvalid => return format!("{0} {0}", good.issue()),
            Kind::TokenMalformed => return good.signing_input(),
            Kind::TokenUnacceptable => return good.sign("unknown+jwt"),
            Kind::SignatureInvalid => {
                // Two dots and the signature of other bytes.
                let other = self.issuer.sign_raw("", "");
                return good.signing_input() + &other.replacen("..", ".", 1);
            }
            Kind::SessionRevoked => return good.issue_listed(self.issuer.revocations()),
            Kind::RevocationUnavailable => return good.issue_listed(&self.issuer.unknown),
            Kind::TokenExpired => good.with("iat", now - 2 * HOUR).with("exp", now - HOUR),
            Kind::TokenNotYetValid => good.with("nbf", now + HOUR),
            Kind::IssuerInvalid => good.with("iss", "https://other-issuer.example"),
            Kind::AudienceInvalid => good.with("aud", "other-audience"),
            Kind::ServerMismatch => {
                let good = good.with("server", "other-server");
                good.with("instance", "other-instance")
            }
            Kind::ClaimInvalid => good.with("exp", "tomorrow"),
            Kind::ClientKindForbidden => good.with("client_kind", "other"),
            Kind::AccessLevelInsufficient => good.with("access_level", "regular"),
            Kind::ScopeInsufficient => good.without("scope"),
            Kind::Forbidden => good.without("roles"),
            Kind::Misconfigured | Kind::KeysUnavailable => good,
        };
        bad.issue()
    }

    /// Begins a request that carries the token in `Authorization: Bearer` (RFC 6750 §2.1).
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{User, testing::TestIssuer};
    ///
    /// let issuer = TestIssuer::new();
    /// let request = issuer.token(User::new("ann")).request().uri("/orders").body(())?;
    /// assert!(request.headers().contains_key("authorization"));
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn request(&self) -> request::Builder {
        match &*self.issue() {
            "" => request::Builder::new(),
            token => request::Builder::new().header(AUTHORIZATION, format!("Bearer {token}")),
        }
    }

    /// The session of the token, verified by [`TestIssuer::verifier`].
    ///
    /// # Panics
    ///
    /// If the token is rejected.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{Session, User, testing::TestIssuer};
    ///
    /// fn may_order(session: &Session) -> bool {
    ///     session.has_role("buyer")
    /// }
    ///
    /// let token = TestIssuer::new().token(User::new("ann"));
    /// assert!(!may_order(&token.session()));
    /// assert!(may_order(&token.with("roles", ["buyer"]).session()));
    /// ```
    #[must_use]
    pub fn session(&self) -> Session {
        let session = self.issuer.verifier().verify(self.issue());
        session.expect("a token that the issuer's own verifier accepts")
    }

    fn sign(&self, typ: &str) -> String {
        let claims = serde_json::to_vec(&self.claims).expect("JSON");
        token::sign(&self.issuer.key, typ, &claims).expect("randomness")
    }

    fn signing_input(&self) -> String {
        let mut token = self.issue();
        token.truncate(token.rfind('.').unwrap_or_default());
        token
    }

    fn issue_listed(&self, list: &RevocationList) -> String {
        let token = self.issue();
        // It is an error where the session is listed already.
        let session = self.issuer.verifier().verify(&token).ok();
        if let Some(revocation) = session.as_ref().and_then(Revocation::of) {
            list.revoke(&revocation);
        }
        token
    }
}
