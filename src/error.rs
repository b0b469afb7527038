//! Errors: [`ConfigError`] at start-up, [`SessionError`] for a request, [`TokenError`] when a token
//! is minted or its claims are read, and [`ParseError`] of every `FromStr`.

use std::{borrow::Cow, error::Error, fmt};

use http::StatusCode;

/// The error of building a key, verifier or layer from invalid options.
///
/// It occurs at start-up and is meant for the operator. `Display` prints the
/// [`option`](Self::option), a colon and the [`reason`](Self::reason), never a secret or a private
/// key.
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

    /// The invalid option: usually the name of the builder method or constructor.
    ///
    /// - Methods of a builder: `issuer`, `audience`, `leeway`, `max_lifetime`, `default_utc_offset`,
    ///   `limits`, `realm`, `cookie`, `header`.
    /// - Constructors of a key: `hs256` to `hs512`, `es256_pem` to `ps512_pem`, `from_pem`,
    ///   `from_jwk`, `generate`, and `jsonwebtoken` for a key of that crate.
    /// - `key` for the keys of a verifier or set, `jwks` for a JWK Set, and `algorithms` for the
    ///   algorithms given with one.
    #[must_use]
    pub fn option(&self) -> &'static str {
        self.option
    }

    /// The fault of the option, and the remedy if there is a likely one.
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

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.option, self.reason)
    }
}

impl Error for ConfigError {}

/// The error of parsing a string, for every `FromStr` of the crate.
///
/// `Display` states the expected form in fixed words and repeats nothing of the string.
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
    expected: &'static str,
}

impl ParseError {
    pub(crate) const fn new(expected: &'static str) -> Self {
        Self { expected }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }
}

impl Error for ParseError {}

/// The reason why a request is rejected.
///
/// The layer responds with the [`status`](Self::status) and puts the error into the extensions of
/// the *response*, where outer layers can log it. An optional layer puts the error of an invalid
/// cookie into the extensions of the *request*. `Display` is safe to log: the error holds fixed
/// words of this crate, never text from the request, the token or a key.
///
/// A guard or handler of your own rejects with [`forbidden`](Self::forbidden) or
/// [`insufficient_scope`](Self::insufficient_scope); [`to_response`](Self::to_response) makes
/// the response, and so does axum's `IntoResponse` with the feature `axum`.
///
/// # Examples
///
/// A layer around the session layer logs why a request was rejected:
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

    /// Creates the rejection (403 `forbidden`) of a request whose session is valid but not allowed.
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

    /// Creates the rejection (403 `scope_insufficient`) of a request whose token lacks scope.
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
        let kind = SessionErrorKind::ScopeInsufficient;
        Self::new(kind, "more scope is required")
    }

    /// The category of the rejection.
    #[must_use]
    pub const fn kind(&self) -> SessionErrorKind {
        self.kind
    }

    /// The stable identifier of the category in problem details, such as `token_expired`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// The HTTP status of the rejection: 400, 401, 403, 500 or 503.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.kind.status()
    }

    /// The gRPC status code of the rejection: 7 (`PERMISSION_DENIED`) for 403, 13 (`INTERNAL`)
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
        self.kind.row().1
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

/// Defines [`SessionErrorKind`] and all that depends on the category alone: one block for each HTTP
/// status with its gRPC status code, and in it one row for each category.
macro_rules! session_error_kinds {
    ($($status:ident $grpc_code:literal {
        $($(#[$doc:meta])* $kind:ident $code:literal $title:literal;)*
    })*) => {
        /// The category of a [`SessionError`]: one for each `code` of a rejection.
        ///
        /// # Examples
        ///
        /// ```
        /// use tower_session_token::SessionErrorKind;
        ///
        /// let kind = SessionErrorKind::TokenExpired;
        /// assert_eq!((kind.status().as_u16(), kind.code()), (401, "token_expired"));
        /// ```
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[non_exhaustive]
        pub enum SessionErrorKind {
            $($($(#[$doc])* $kind,)*)*
        }

        impl SessionErrorKind {
            const fn row(self) -> (StatusCode, i32, &'static str, &'static str) {
                match self {
                    $($(Self::$kind => (StatusCode::$status, $grpc_code, $code, $title),)*)*
                }
            }
        }
    };
}

session_error_kinds! {
    UNAUTHORIZED 16 {
        /// No configured source has a token.
        TokenMissing "token_missing" "the request carries no session token";
        /// The token has the wrong size, form, base64url or JSON, or a member that is forbidden.
        TokenMalformed "token_malformed" "the session token is malformed";
        /// The token's algorithm, key, type, binding or lifetime is not accepted by this service.
        TokenUnacceptable
            "token_unacceptable" "this kind of session token is not accepted here";
        /// The signature does not verify.
        SignatureInvalid "signature_invalid" "the signature of the session token is invalid";
        /// `exp` has passed (RFC 7519 §4.1.4).
        TokenExpired "token_expired" "the session token has expired";
        /// `nbf` or `iat` is in the future (RFC 7519 §4.1.5, §4.1.6).
        TokenNotYetValid "token_not_yet_valid" "the session token is not valid yet";
        /// The token is from another issuer (`iss`).
        IssuerInvalid "issuer_invalid" "the session token is from another issuer";
        /// The token is for another service (`aud`).
        AudienceInvalid "audience_invalid" "the session token is for another audience";
        /// The token is for another server or instance (`server`, `instance`).
        ServerMismatch "server_mismatch" "the session token is for another server or instance";
        /// A claim is missing, of the wrong type, out of range or too long.
        ClaimInvalid "claim_invalid" "a claim of the session token is missing or invalid";
        /// The session, its token or all sessions of its user were revoked.
        SessionRevoked "session_revoked" "the session is revoked";
    }
    BAD_REQUEST 16 {
        /// The request has two tokens, or a header field that is not a credential (RFC 6750 §3.1
        /// `invalid_request`).
        RequestInvalid "request_invalid" "the request does not carry exactly one session token";
    }
    FORBIDDEN 7 {
        /// The route does not allow this kind of client.
        ClientKindForbidden "client_kind_forbidden" "this kind of client is not allowed here";
        /// The route requires a higher access level.
        AccessLevelInsufficient "access_level_insufficient" "the access level is not sufficient";
        /// The route requires more scope than the token has (RFC 6750 §3.1 `insufficient_scope`).
        ScopeInsufficient "scope_insufficient" "the scope is not sufficient";
        /// The session lacks a role, or the service's own rule rejects it.
        Forbidden "forbidden" "this session is not allowed here";
    }
    INTERNAL_SERVER_ERROR 13 {
        /// The service is assembled wrongly: a required session layer did not run, or two did.
        Misconfigured "misconfigured" "the service is misconfigured";
    }
    SERVICE_UNAVAILABLE 14 {
        /// The key that the token names cannot be fetched from the issuer at present.
        KeysUnavailable "keys_unavailable" "the keys of the issuer are not available";
        /// The revocation check failed, and the layer fails closed.
        RevocationUnavailable
            "revocation_unavailable" "whether the session is revoked cannot be determined";
    }
}

impl SessionErrorKind {
    /// The stable identifier of the category, such as `token_expired`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.row().2
    }

    /// The category in plain English.
    pub(crate) const fn title(self) -> &'static str {
        self.row().3
    }

    /// The HTTP status of the category: 400, 401, 403, 500 or 503.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        self.row().0
    }
}

/// The error of minting a token, or of reading a claim as a type that it does not have.
///
/// It comes from [`SessionTokenBuilder`](crate::SessionTokenBuilder),
/// [`NestedTokenBuilder`](crate::NestedTokenBuilder), [`SessionIssuer`](crate::SessionIssuer) and
/// [`SessionToken::claim`](crate::SessionToken::claim), and never holds the value of a claim.
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
    /// A claim is missing, out of range, too long, or not of the requested type.
    ClaimInvalid,
    /// The parent session has expired, and so cannot mint a nested token.
    ParentExpired,
    /// The parent session has no token to inherit from, as with
    /// [`Session::system`](crate::Session::system).
    ParentWithoutToken,
    /// The access level is above the parent's, without
    /// [`elevated`](crate::NestedTokenBuilder::elevated).
    AccessLevelExceeded,
    /// The scope is not a subset of the parent's.
    ScopeExceeded,
    /// The token would hold more actors than the limit.
    TooManyActors,
    /// The key failed to sign.
    Signing,
}
