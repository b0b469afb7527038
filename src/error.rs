//! What can go wrong: [`ConfigError`] before the first request, [`SessionError`] at a request,
//! [`TokenError`] when a token is made or a claim of one is read.

use std::{borrow::Cow, convert::Infallible, error::Error, fmt};

use http::StatusCode;

/// A key, verifier or layer could not be built from what it was given.
///
/// It occurs at start-up, for the person who configures the service: `Display` is the
/// [`option`](Self::option), a colon and the [`reason`](Self::reason). It never holds a secret or a
/// private key.
///
/// # Examples
///
/// ```
/// use tower_session_token::SessionVerifier;
///
/// let error = SessionVerifier::builder().build().unwrap_err();
/// assert_eq!(error.option(), "key");
/// assert_eq!(error.to_string(), format!("key: {}", error.reason()));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigError {
    option: &'static str,
    reason: Cow<'static, str>,
}

impl ConfigError {
    pub(crate) fn new(option: &'static str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            option,
            reason: reason.into(),
        }
    }

    /// The option that is wrong: mostly the name of the builder method or constructor.
    ///
    /// - A builder's: `issuer`, `audience`, `leeway`, `max_lifetime`, `default_utc_offset`,
    ///   `limits`, `realm`, `cookie`, `header`.
    /// - A constructor's of a key: `hs256` and its like, `es256_pem` and its like, `from_pem`,
    ///   `from_jwk`, `generate`, and `jsonwebtoken` for a key of that crate.
    /// - `key` for the keys of a verifier or set, `jwks` for a JWK Set, and `algorithms` for those
    ///   given with one.
    #[must_use]
    pub fn option(&self) -> &'static str {
        self.option
    }

    /// What is wrong with the option, and the remedy where one is likely.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::VerifyingKey;
    ///
    /// let error = VerifyingKey::hs256("too short").unwrap_err();
    /// assert_eq!(error.option(), "hs256");
    /// assert!(error.reason().ends_with("9 bytes, but HS256 needs 32 or more"));
    /// ```
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// For options that take values which cannot fail.
impl From<Infallible> for ConfigError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.option, self.reason)
    }
}

impl Error for ConfigError {}

/// A text is not what its type reads: the error of every `FromStr` of the crate.
///
/// `Display` says what it should have been, in fixed words, and repeats nothing of the text.
///
/// # Examples
///
/// ```
/// use tower_session_token::{ClientKind, ParseError};
///
/// let error: ParseError = "mobile".parse::<ClientKind>().unwrap_err();
/// assert_eq!(error.to_string(), "not one of desktop, web and other");
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ParseError {
    what: &'static str,
}

impl ParseError {
    pub(crate) const fn new(what: &'static str) -> Self {
        Self { what }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

impl Error for ParseError {}

/// The reason why a request is rejected.
///
/// The layer answers with its [`status`](Self::status) and leaves it in the extensions of the
/// *response*, where outer layers can log it; an optional layer leaves the one of a bad cookie in
/// the extensions of the *request*. It holds fixed words of this crate only, never text from the
/// request, the token or a key, so `Display` is safe to log.
///
/// A guard or handler of your own rejects with [`forbidden`](Self::forbidden) or
/// [`insufficient_scope`](Self::insufficient_scope); [`to_response`](Self::to_response) makes
/// the response, and so does axum's `IntoResponse` with the feature `axum`.
///
/// # Examples
///
/// A layer outside of the session layer logs why a request was rejected:
///
/// ```
/// use http::Response;
/// use tower_session_token::SessionError;
///
/// fn log<B>(response: &Response<B>) {
///     if let Some(error) = response.extensions().get::<SessionError>() {
///         eprintln!("{}: {error}", error.code());
///     }
/// }
/// # log(&SessionError::forbidden().to_response::<()>());
/// ```
///
/// The verifier returns it:
///
/// ```
/// use tower_session_token::{SessionErrorKind, SessionVerifier, VerifyingKey};
///
/// let verifier = SessionVerifier::builder()
///     .key(VerifyingKey::hs256([7; 32])?)
///     .issuer("https://id.example.com")
///     .audience("orders")
///     .build()?;
/// let error = verifier.verify(b"not a token").unwrap_err();
/// assert_eq!(error.kind(), SessionErrorKind::TokenMalformed);
/// assert_eq!(error.status(), 401);
/// # Ok::<(), tower_session_token::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SessionError {
    kind: SessionErrorKind,
    detail: &'static str,
}

impl SessionError {
    pub(crate) const fn new(kind: SessionErrorKind, detail: &'static str) -> Self {
        Self { kind, detail }
    }

    pub(crate) const fn malformed(detail: &'static str) -> Self {
        Self::new(SessionErrorKind::TokenMalformed, detail)
    }

    pub(crate) const fn unacceptable(detail: &'static str) -> Self {
        Self::new(SessionErrorKind::TokenUnacceptable, detail)
    }

    pub(crate) const fn claim(name: &'static str) -> Self {
        Self::new(SessionErrorKind::ClaimInvalid, name)
    }

    /// The rejection (403 `forbidden`) of a request whose session is valid and not enough.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{Session, SessionError};
    ///
    /// fn only_ann(session: &Session) -> Result<(), SessionError> {
    ///     if session.user().name() == Some("Ann") {
    ///         Ok(())
    ///     } else {
    ///         Err(SessionError::forbidden())
    ///     }
    /// }
    /// # let system = Session::system(tower_session_token::User::new("system"));
    /// let error = only_ann(&system).unwrap_err();
    /// assert_eq!((error.status().as_u16(), error.code()), (403, "forbidden"));
    /// ```
    #[must_use]
    pub const fn forbidden() -> Self {
        Self::new(SessionErrorKind::Forbidden, "the service's own rule")
    }

    /// The rejection (403 `scope_insufficient`) of a request whose token has too little scope.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::SessionError;
    ///
    /// let error = SessionError::insufficient_scope();
    /// assert_eq!((error.status().as_u16(), error.code()), (403, "scope_insufficient"));
    /// ```
    #[must_use]
    pub const fn insufficient_scope() -> Self {
        Self::new(
            SessionErrorKind::ScopeInsufficient,
            "more scope is required",
        )
    }

    /// The category of the rejection.
    #[must_use]
    pub const fn kind(&self) -> SessionErrorKind {
        self.kind
    }

    /// The category as the stable word that problem details carry, such as `token_expired`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// The HTTP status of the rejection: 400, 401, 403, 500 or 503.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.kind.status()
    }

    /// The status code of the rejection in gRPC: 7 (`PERMISSION_DENIED`) for 403, 13 (`INTERNAL`)
    /// for 500, 14 (`UNAVAILABLE`) for 503, else 16 (`UNAUTHENTICATED`).
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::SessionError;
    ///
    /// assert_eq!(SessionError::forbidden().grpc_code(), 7);
    /// ```
    #[must_use]
    pub const fn grpc_code(&self) -> i32 {
        match self.status() {
            StatusCode::FORBIDDEN => 7,
            StatusCode::INTERNAL_SERVER_ERROR => 13,
            StatusCode::SERVICE_UNAVAILABLE => 14,
            _ => 16,
        }
    }

    pub(crate) const fn detail(&self) -> &'static str {
        self.detail
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.title(), self.detail)
    }
}

impl Error for SessionError {}

/// The category of a [`SessionError`]: one for each `code` of a rejection.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum SessionErrorKind {
    /// No token in any configured source.
    TokenMissing,
    /// Two tokens, or a header field that is not a credential (RFC 6750 §3.1 `invalid_request`).
    RequestInvalid,
    /// Not a token: its size, form, base64url, JSON, or a member that must not be there.
    TokenMalformed,
    /// A token, but not one for here: its algorithm, key, type, binding or lifetime.
    TokenUnacceptable,
    /// The signature does not hold.
    SignatureInvalid,
    /// `exp` has passed (RFC 7519 §4.1.4).
    TokenExpired,
    /// `nbf` or `iat` is in the future (RFC 7519 §4.1.5, §4.1.6).
    TokenNotYetValid,
    /// Another issuer's token (`iss`).
    IssuerInvalid,
    /// A token for another service (`aud`).
    AudienceInvalid,
    /// A token for another server or instance (`server`, `instance`).
    ServerMismatch,
    /// A claim is missing, of the wrong type, out of range or too long.
    ClaimInvalid,
    /// The session, its token or its user's sessions were revoked.
    SessionRevoked,
    /// This kind of client is not allowed here.
    ClientKindForbidden,
    /// The user's access level is not enough.
    AccessLevelInsufficient,
    /// The token's scope is not enough (RFC 6750 §3.1 `insufficient_scope`).
    ScopeInsufficient,
    /// The session lacks a role, or the service's own rule rejects it.
    Forbidden,
    /// The service is put together wrongly: no session layer ran where one has to, or two did.
    Misconfigured,
    /// Whether the session is revoked could not be determined, and the layer fails closed.
    RevocationUnavailable,
}

impl SessionErrorKind {
    /// The stable word for the category, such as `token_expired`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TokenMissing => "token_missing",
            Self::RequestInvalid => "request_invalid",
            Self::TokenMalformed => "token_malformed",
            Self::TokenUnacceptable => "token_unacceptable",
            Self::SignatureInvalid => "signature_invalid",
            Self::TokenExpired => "token_expired",
            Self::TokenNotYetValid => "token_not_yet_valid",
            Self::IssuerInvalid => "issuer_invalid",
            Self::AudienceInvalid => "audience_invalid",
            Self::ServerMismatch => "server_mismatch",
            Self::ClaimInvalid => "claim_invalid",
            Self::SessionRevoked => "session_revoked",
            Self::ClientKindForbidden => "client_kind_forbidden",
            Self::AccessLevelInsufficient => "access_level_insufficient",
            Self::ScopeInsufficient => "scope_insufficient",
            Self::Forbidden => "forbidden",
            Self::Misconfigured => "misconfigured",
            Self::RevocationUnavailable => "revocation_unavailable",
        }
    }

    /// The category in plain words, for people.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::TokenMissing => "the request carries no session token",
            Self::RequestInvalid => "the request does not carry exactly one session token",
            Self::TokenMalformed => "the session token is malformed",
            Self::TokenUnacceptable => "this kind of session token is not accepted here",
            Self::SignatureInvalid => "the signature of the session token is invalid",
            Self::TokenExpired => "the session token has expired",
            Self::TokenNotYetValid => "the session token is not valid yet",
            Self::IssuerInvalid => "the session token is from another issuer",
            Self::AudienceInvalid => "the session token is for another audience",
            Self::ServerMismatch => "the session token is for another server or instance",
            Self::ClaimInvalid => "a claim of the session token is missing or invalid",
            Self::SessionRevoked => "the session is revoked",
            Self::ClientKindForbidden => "this kind of client is not allowed here",
            Self::AccessLevelInsufficient => "the access level is not sufficient",
            Self::ScopeInsufficient => "the scope is not sufficient",
            Self::Forbidden => "this session is not allowed here",
            Self::Misconfigured => "the service is misconfigured",
            Self::RevocationUnavailable => "whether the session is revoked cannot be determined",
        }
    }

    /// The HTTP status that answers the category: 400, 401, 403, 500 or 503.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::RequestInvalid => StatusCode::BAD_REQUEST,
            Self::ClientKindForbidden
            | Self::AccessLevelInsufficient
            | Self::ScopeInsufficient
            | Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Misconfigured => StatusCode::INTERNAL_SERVER_ERROR,
            Self::RevocationUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::TokenMissing
            | Self::TokenMalformed
            | Self::TokenUnacceptable
            | Self::SignatureInvalid
            | Self::TokenExpired
            | Self::TokenNotYetValid
            | Self::IssuerInvalid
            | Self::AudienceInvalid
            | Self::ServerMismatch
            | Self::ClaimInvalid
            | Self::SessionRevoked => StatusCode::UNAUTHORIZED,
        }
    }
}

/// A token could not be made, or a claim of one is not what the caller asked for.
///
/// Made by [`SessionTokenBuilder`](crate::SessionTokenBuilder),
/// [`NestedTokenBuilder`](crate::NestedTokenBuilder), [`SessionIssuer`](crate::SessionIssuer) and
/// [`SessionToken::claim`](crate::SessionToken::claim). It holds no claim's value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TokenError {
    kind: TokenErrorKind,
    detail: &'static str,
}

impl TokenError {
    pub(crate) const fn new(kind: TokenErrorKind, detail: &'static str) -> Self {
        Self { kind, detail }
    }

    /// The category of the failure.
    #[must_use]
    pub const fn kind(&self) -> TokenErrorKind {
        self.kind
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            TokenErrorKind::ClaimInvalid => "a claim is missing or invalid",
            TokenErrorKind::ParentExpired => "the parent session has expired",
            TokenErrorKind::ParentWithoutToken => "the parent session has no token",
            TokenErrorKind::AccessLevelExceeded => "more access than the parent session has",
            TokenErrorKind::ScopeExceeded => "more scope than the parent session has",
            TokenErrorKind::TooManyActors => "too many sessions are nested",
            TokenErrorKind::Signing => "the token could not be signed",
        };
        write!(f, "{kind}: {}", self.detail)
    }
}

impl Error for TokenError {}

/// The category of a [`TokenError`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum TokenErrorKind {
    /// A claim is missing, out of range, too long, or not of the type that was asked for.
    ClaimInvalid,
    /// An expired session mints no nested token.
    ParentExpired,
    /// A session without a token, such as [`Session::system`](crate::Session::system), has
    /// nothing that a nested token could inherit.
    ParentWithoutToken,
    /// The access level is above the parent's, and was not asked for by
    /// [`elevated`](crate::NestedTokenBuilder::elevated).
    AccessLevelExceeded,
    /// The scope is not a subset of the parent's.
    ScopeExceeded,
    /// There are as many actors as a token may hold.
    TooManyActors,
    /// The key could not sign.
    Signing,
}
