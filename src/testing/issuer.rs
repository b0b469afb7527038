//! An issuer with its key, its clock and the verifier that trusts it.

use super::clock::TestClock;
use crate::{
    jws::{TokenType, compact},
    key::{Algorithm, KeySet, SigningKey, VerifyingKey},
    middleware::SessionLayer,
    session::Session,
    verify::{
        RevocationCheck, RevocationList, RevocationStatus, SessionVerifier, SessionVerifierBuilder,
    },
};

/// An issuer for tests: it mints [tokens](Self::token), and makes the layer and the verifier that
/// accept them.
///
/// Its issuer is `https://issuer.example` and its audience `test-audience`, unless set. A clone
/// shares key, clock and revocations, so that `issuer.clone().audience("stock")` mints for a second
/// service.
///
/// # Examples
///
/// ```
/// use tower_session_token::{Revocation, SessionErrorKind, User, testing::TestIssuer};
///
/// let issuer = TestIssuer::new();
/// let (verifier, token) = (issuer.verifier(), issuer.token(User::new("ann")).issue());
/// let session = verifier.verify(&token)?;
/// assert_eq!(session.user().id(), "ann");
///
/// issuer.revocations().revoke(&Revocation::of(&session).expect("it has a token"));
/// let error = verifier.verify(&token).unwrap_err();
/// assert_eq!(error.kind(), SessionErrorKind::SessionRevoked);
/// # Ok::<(), tower_session_token::SessionError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TestIssuer {
    pub(super) key: SigningKey,
    pub(super) issuer: String,
    pub(super) audience: String,
    clock: TestClock,
    revocations: RevocationList,
    /// The sessions whose revocation status is unknown.
    pub(super) unknown: RevocationList,
}

impl TestIssuer {
    /// An issuer with a new ES256 key of the id `test`.
    ///
    /// # Panics
    ///
    /// If the machine has no randomness.
    #[expect(clippy::new_without_default, reason = "it makes a key, and may panic")]
    #[must_use]
    pub fn new() -> Self {
        let key = SigningKey::generate(Algorithm::ES256).expect("randomness");
        Self::with_key(key.with_id("test"))
    }

    /// An issuer that signs with this key.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{Algorithm, SigningKey, testing::TestIssuer};
    ///
    /// let issuer = TestIssuer::with_key(SigningKey::generate(Algorithm::HS256)?);
    /// assert_eq!(issuer.verifying_key().algorithm(), Algorithm::HS256);
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    #[must_use]
    pub fn with_key(key: SigningKey) -> Self {
        let clock = TestClock::new();
        let list = || {
            let clock = clock.clone();
            RevocationList::with_clock(move || clock.now())
        };
        Self {
            key,
            issuer: "https://issuer.example".to_owned(),
            audience: "test-audience".to_owned(),
            revocations: list(),
            unknown: list(),
            clock,
        }
    }

    /// Sets the issuer of tokens and verifiers made from now on: `iss`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{User, testing::TestIssuer};
    ///
    /// let issuer = TestIssuer::new().issuer("https://id.example.com").audience("orders");
    /// let session = issuer.token(User::new("ann")).session();
    /// assert_eq!(session.issuer(), Some("https://id.example.com"));
    /// ```
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = issuer.into();
        self
    }

    /// Sets the audience of tokens and verifiers made from now on: `aud`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{SessionErrorKind, User, testing::TestIssuer};
    ///
    /// let orders = TestIssuer::new().audience("orders");
    /// let token = orders.clone().audience("stock").token(User::new("ann")).issue();
    /// let error = orders.verifier().verify(token).unwrap_err();
    /// assert_eq!(error.kind(), SessionErrorKind::AudienceInvalid);
    /// ```
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = audience.into();
        self
    }

    /// The clock of its tokens, verifiers and revocations, and of tokens
    /// [nested](Session::nested) in sessions that its verifiers made.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_token::{TokenErrorKind, User, testing::TestIssuer};
    ///
    /// let issuer = TestIssuer::new();
    /// let session = issuer.token(User::new("ann")).session();
    /// issuer.clock().advance(Duration::from_secs(2 * 3600));
    /// let error = session.nested(User::new("bob")).build().unwrap_err();
    /// assert_eq!(error.kind(), TokenErrorKind::ParentExpired);
    /// ```
    #[must_use]
    pub fn clock(&self) -> &TestClock {
        &self.clock
    }

    /// The list that its verifiers ask at each verification.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{Revocation, User, testing::TestIssuer};
    ///
    /// let issuer = TestIssuer::new();
    /// let session = issuer.token(User::new("ann")).session();
    /// // In a service: the handler that logs out has a clone of the list.
    /// issuer.revocations().revoke(&Revocation::of(&session).expect("it has a token"));
    /// assert_eq!(issuer.revocations().len(), 1);
    /// ```
    #[must_use]
    pub fn revocations(&self) -> &RevocationList {
        &self.revocations
    }

    /// The key that verifies its tokens.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        self.key.verifying_key()
    }

    /// The set of that key alone.
    ///
    /// # Panics
    ///
    /// Never: a set of one key is always valid.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::testing::TestIssuer;
    ///
    /// let jwks = TestIssuer::new().key_set().to_jwks(); // what a fake provider serves
    /// assert!(jwks.contains(r#""alg":"ES256""#));
    /// ```
    #[must_use]
    pub fn key_set(&self) -> KeySet {
        KeySet::new([self.verifying_key()]).expect("a set of one key")
    }

    /// Begins a verifier with this issuer's key, issuer, audience, clock and revocations, and the
    /// instance name `default`. It accepts what the builder accepts by default.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{ClientKind, User, testing::TestIssuer};
    ///
    /// let issuer = TestIssuer::new();
    /// let builder = issuer.verifier_builder().application_kind("kiosk", ClientKind::Desktop);
    /// let token = issuer.token(User::new("ann")).with("client_id", "kiosk");
    /// assert!(builder.build()?.verify(token.issue())?.is_desktop_client());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn verifier_builder(&self) -> SessionVerifierBuilder {
        let clock = self.clock.clone();
        let (revocations, unknown) = (self.revocations.clone(), self.unknown.clone());
        SessionVerifier::builder()
            .key(self.verifying_key())
            .issuer(&self.issuer)
            .audience(&self.audience)
            .instance_name("default")
            .clock(move || clock.now())
            .revocation(move |session: &Session| match unknown.check(session) {
                RevocationStatus::Revoked => RevocationStatus::Unknown,
                _ => revocations.check(session),
            })
    }

    /// The verifier of [`verifier_builder`](Self::verifier_builder) that accepts every
    /// [`TokenType`].
    ///
    /// # Panics
    ///
    /// If the issuer or the audience was set to an empty string.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{TokenType, User, testing::TestIssuer};
    ///
    /// let issuer = TestIssuer::new();
    /// for token_type in [TokenType::Session, TokenType::AccessToken, TokenType::Jwt] {
    ///     let token = issuer.token(User::new("ann")).token_type(token_type);
    ///     assert!(issuer.verifier().verify(token.issue()).is_ok());
    /// }
    /// ```
    #[must_use]
    pub fn verifier(&self) -> SessionVerifier {
        let types = TokenType::ALL.iter().copied();
        types
            .fold(self.verifier_builder(), SessionVerifierBuilder::accept_type)
            .build()
            .expect("an issuer and an audience")
    }

    /// A layer with [`verifier`](Self::verifier).
    ///
    /// # Panics
    ///
    /// As `verifier` does.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::testing::TestIssuer;
    ///
    /// let layer = TestIssuer::new().layer().optional().problem_details();
    /// ```
    pub fn layer(&self) -> SessionLayer {
        SessionLayer::new(self.verifier())
    }

    /// Signs any bytes as the JOSE header and the payload of a token, well-formed or not.
    ///
    /// # Panics
    ///
    /// If the machine has no randomness.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{SessionErrorKind, testing::TestIssuer};
    ///
    /// let issuer = TestIssuer::new();
    /// let header = r#"{"alg":"ES256","kid":"test","typ":"session+jwt"}"#;
    /// let token = issuer.sign_raw(header, br#"{"sub":"ann","sub":"bob"}"#);
    /// let error = issuer.verifier().verify(token).unwrap_err();
    /// assert_eq!(error.kind(), SessionErrorKind::TokenMalformed);
    /// ```
    #[must_use]
    pub fn sign_raw(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        compact::sign(&self.key, header.as_ref(), payload.as_ref()).expect("randomness")
    }
}
