//! The session of a request, which handlers read.

use std::sync::Arc;

use chrono::{DateTime, FixedOffset, Utc};
use serde::{Deserialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::{
    client::{ClientContext, ClientDefaults, ClientKind, ClientTimeZone, Culture},
    debug::partial_debug,
    error::TokenError,
    identity::{Actor, ApplicationId, Members, SessionId, User},
    serde_text::{named_enum, text_enum},
    time::{Clock, NumericDate, Validity},
    token::SessionToken,
};

/// The session that a request belongs to.
///
/// The layer puts it into the request's extensions once the token is verified, and handlers read
/// it there. It is immutable, and a clone costs a reference count.
///
/// # Examples
///
/// ```
/// use http::Request;
/// use tower_session_token::Session;
///
/// fn greet<B>(request: &Request<B>) -> String {
///     match request.extensions().get::<Session>() {
///         Some(session) => format!("{} from a web client: {}", session.user().id(), session.is_web_client()),
///         None => "nobody".to_owned(),
///     }
/// }
/// # assert_eq!(greet(&Request::new(())), "nobody");
/// ```
#[derive(Clone)]
pub struct Session {
    inner: Arc<SessionInner>,
    /// The context by the headers of one call, if they override the token.
    call_context: Option<Arc<ClientContext>>,
}

/// What all clones share. The validity comes first: the cache of verified tokens reads it at each
/// hit, and the reference count before it.
#[repr(C)]
pub(crate) struct SessionInner {
    /// The instants at which the verifier would make the same session: none if no verifier did.
    pub(crate) validity: Validity,
    pub(crate) verified_by: VerifiedBy,
    /// The instant from which on the verifier rejects the token, leeway included.
    pub(crate) valid_until: NumericDate,
    /// The clock of that verifier.
    pub(crate) clock: Clock,
    pub(crate) token: SessionToken,
    pub(crate) context: ClientContext,
}

/// The keys that verified a session.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct VerifiedBy {
    /// The position of the issuer in its verifier.
    pub(crate) issuer: usize,
    /// The generation of the issuer's key set.
    pub(crate) generation: u64,
}

/// A session without a token, in the default context, that no verifier has made.
impl Default for SessionInner {
    #[inline]
    fn default() -> Self {
        // A constant, so that one copy makes it.
        const {
            Self {
                validity: Validity::NEVER,
                verified_by: VerifiedBy {
                    issuer: 0,
                    generation: 0,
                },
                valid_until: NumericDate::MIN,
                clock: Clock::System,
                token: SessionToken::empty(),
                context: ClientContext::DEFAULT,
            }
        }
    }
}

impl SessionInner {
    /// Bytes of heap memory, estimated from above.
    pub(crate) fn heap_bytes(&self) -> usize {
        const COUNTED: usize = 2 * size_of::<usize>() + size_of::<SessionInner>();
        self.token.heap_bytes().saturating_add(COUNTED)
    }
}

impl Session {
    #[inline]
    pub(crate) fn from_inner(inner: Arc<SessionInner>) -> Self {
        Self {
            inner,
            call_context: None,
        }
    }

    /// The session of a token that was built in this process, such as a
    /// [nested](Self::nested) one.
    ///
    /// # Security
    ///
    /// Nothing is verified: neither a signature nor the time, nor issuer, audience or revocation.
    /// A token that came from elsewhere goes through
    /// [`SessionVerifier::verify`](crate::SessionVerifier::verify).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_token::{Session, SessionContext, SessionToken, User};
    ///
    /// let token = SessionToken::builder(User::new("ann"))
    ///     .issuer("https://id.example.com")
    ///     .audience("orders")
    ///     .application_id("web-shop")
    ///     .lifetime(Duration::from_secs(600))
    ///     .build()?;
    /// SessionContext::sync_scope(Session::in_process(token), || {
    ///     assert_eq!(SessionContext::current().unwrap().user().id(), "ann");
    /// });
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "`ClaimRules` validates the hints of each token"
    )]
    #[must_use]
    pub fn in_process(token: SessionToken) -> Self {
        let hints = token.client_hints().expect("it is validated when built");
        let issued_at = || token.issued_at().unwrap_or_else(Utc::now);
        Self::from_inner(Arc::new(SessionInner {
            valid_until: token.expires_at().into(),
            context: ClientDefaults::default().resolve_token(hints, issued_at),
            token,
            ..SessionInner::default()
        }))
    }

    /// A session without a token, for work that no request starts: a start-up task, a timer, a
    /// queue's consumer.
    ///
    /// It has a random ID, no token, no application, the invariant culture and the offset
    /// +00:00, and counts as neither a web nor a desktop client.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{AccessLevel, Session, User};
    ///
    /// let system = User::new("system").with_access_level(AccessLevel::Administrator);
    /// let session = Session::system(system);
    /// assert!(session.token().is_none());
    /// assert!(session.is_not_web_or_desktop_client());
    /// ```
    #[must_use]
    pub fn system(user: User) -> Self {
        let token = SessionToken::of_members(Members {
            id: Uuid::new_v4().into(),
            user,
            application_id: None,
            token_id: None,
        });
        Self::from_inner(Arc::new(SessionInner {
            token,
            ..SessionInner::default()
        }))
    }

    /// The same session with the context that the headers of one call gave it.
    pub(crate) fn with_call_context(self, context: ClientContext) -> Self {
        Self {
            call_context: Some(Arc::new(context)),
            ..self
        }
    }

    pub(crate) fn valid_until(&self) -> NumericDate {
        self.inner.valid_until
    }

    /// Whether both are clones of one verified or built session.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// The present instant by the clock of the verifier.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.inner.clock.exactly_now().to_date_time()
    }

    /// What all clones share.
    pub(crate) fn inner(&self) -> &Arc<SessionInner> {
        &self.inner
    }

    fn members(&self) -> &Members {
        self.inner.token.members()
    }

    /// The session's ID: the claim `sid`, else the token's ID `jti`.
    ///
    /// For a token of type `JWT` that has neither, it is a UUID (version 5, RFC 9562 §5.5) of `iss`,
    /// `sub`, `iat` and `exp`, so that equal tokens are one session.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{Session, User};
    ///
    /// let session = Session::system(User::new("nightly-report"));
    /// assert_eq!(session.id(), session.clone().id());
    /// assert_ne!(session.id(), Session::system(User::new("nightly-report")).id());
    /// ```
    #[must_use]
    pub fn id(&self) -> &SessionId {
        &self.members().id
    }

    /// The place where the code runs that uses this session: always [`SessionType::Server`]. For the
    /// client, see [`client_kind`](Self::client_kind).
    #[must_use]
    pub fn session_type(&self) -> SessionType {
        SessionType::Server
    }

    /// The user that the session belongs to.
    #[must_use]
    pub fn user(&self) -> &User {
        &self.members().user
    }

    /// The application that opened the session: the claim `client_id`, else `azp`.
    ///
    /// `None` where there is no token, and for a `JWT` that names no application.
    #[must_use]
    pub fn application_id(&self) -> Option<&ApplicationId> {
        self.members().application_id.as_ref()
    }

    /// The token that the session was read from; `None` for [`Session::system`].
    #[must_use]
    pub fn token(&self) -> Option<&SessionToken> {
        Some(&self.inner.token).filter(|token| !token.is_none())
    }

    /// The code of the server (installation) that the session is for: the claim `server`.
    #[must_use]
    pub fn server_code(&self) -> Option<&str> {
        self.inner.token.server_code()
    }

    /// The name of the server's instance that the session is for: the claim `instance`.
    #[must_use]
    pub fn instance_name(&self) -> Option<&str> {
        self.inner.token.instance_name()
    }

    /// The client's culture at this call, for dates and numbers.
    ///
    /// It comes from the [request headers](crate::ClientHeaders) where they are turned on, else from
    /// the claim `locale` (OpenID Connect Core §5.1), else it is the service's default.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_token::{Session, SessionToken, User};
    ///
    /// let token = SessionToken::builder(User::new("ann"))
    ///     .issuer("https://id.example.com")
    ///     .audience("orders")
    ///     .application_id("web-shop")
    ///     .culture("de-CH")
    ///     .lifetime(Duration::from_secs(600))
    ///     .build()?;
    /// let session = Session::in_process(token);
    /// assert_eq!(session.client_culture().as_str(), "de-CH");
    /// assert_eq!(session.client_ui_culture().as_str(), "de-CH");
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    #[doc(alias = "locale")]
    #[must_use]
    pub fn client_culture(&self) -> &Culture {
        self.client_context().culture()
    }

    /// The client's culture at this call, for texts: from the same sources as
    /// [`client_culture`](Self::client_culture), with the claim `ui_locale`, else `locale`.
    #[doc(alias = "locale")]
    #[must_use]
    pub fn client_ui_culture(&self) -> &Culture {
        self.client_context().ui_culture()
    }

    /// The client's offset from UTC at this call, positive east of Greenwich
    /// (the claim `utc_offset`, in minutes, −840 to 840).
    ///
    /// An offset is not a time zone: for another instant than this call's, use
    /// [`client_utc_offset_at`](Self::client_utc_offset_at).
    ///
    /// # Examples
    ///
    /// ```
    /// use chrono::FixedOffset;
    /// use std::time::Duration;
    /// use tower_session_token::{Session, SessionToken, User};
    ///
    /// let kolkata = FixedOffset::east_opt(330 * 60).unwrap();
    /// let token = SessionToken::builder(User::new("ann"))
    ///     .issuer("https://id.example.com")
    ///     .audience("orders")
    ///     .application_id("web-shop")
    ///     .utc_offset(kolkata)
    ///     .lifetime(Duration::from_secs(600))
    ///     .build()?;
    /// assert_eq!(Session::in_process(token).client_utc_offset(), kolkata);
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    #[must_use]
    pub fn client_utc_offset(&self) -> FixedOffset {
        self.client_context().utc_offset()
    }

    /// The client's offset from UTC at `instant`: it follows daylight saving where the client's
    /// time zone is known, and is [`client_utc_offset`](Self::client_utc_offset) elsewhere.
    #[must_use]
    pub fn client_utc_offset_at<Tz: chrono::TimeZone>(
        &self,
        instant: &DateTime<Tz>,
    ) -> FixedOffset {
        self.client_context().utc_offset_at(instant)
    }

    /// The client's time zone, if it is known: the claim `zoneinfo` (OpenID Connect Core §5.1).
    #[must_use]
    pub fn client_time_zone(&self) -> Option<ClientTimeZone> {
        self.client_context().time_zone()
    }

    /// Cultures, offset and zone of this call, each with its source.
    #[must_use]
    pub fn client_context(&self) -> &ClientContext {
        self.call_context.as_deref().unwrap_or(&self.inner.context)
    }

    /// `instant` as the client's clock shows it: it follows daylight saving where the client's
    /// time zone is known.
    ///
    /// # Examples
    ///
    /// ```
    /// use chrono::{DateTime, Utc};
    /// use tower_session_token::{Session, User};
    ///
    /// let session = Session::system(User::new("system"));
    /// let instant: DateTime<Utc> = "2026-01-01T12:00:00Z".parse().unwrap();
    /// assert_eq!(session.to_client_time(instant).to_rfc3339(), "2026-01-01T12:00:00+00:00");
    /// ```
    #[must_use]
    pub fn to_client_time<Tz: chrono::TimeZone>(
        &self,
        instant: DateTime<Tz>,
    ) -> DateTime<FixedOffset> {
        self.client_context().to_client_time(instant)
    }

    /// The kind of client that opened the session: the claim `client_kind`, else the service's table
    /// of applications, else [`ClientKind::Other`].
    #[must_use]
    pub fn client_kind(&self) -> ClientKind {
        self.inner.token.client_kind()
    }

    /// Whether a desktop client opened the session: a program on the user's machine, a console
    /// tool, an integration service. Exactly one of the three predicates holds.
    #[must_use]
    pub fn is_desktop_client(&self) -> bool {
        self.client_kind().is_desktop()
    }

    /// Whether the web client, or a program through the web API, opened the session.
    #[must_use]
    pub fn is_web_client(&self) -> bool {
        self.client_kind().is_web()
    }

    /// Whether something else opened the session: a background task, another application, an
    /// integration with an authorization of its own.
    #[must_use]
    pub fn is_not_web_or_desktop_client(&self) -> bool {
        self.client_kind().is_not_web_or_desktop()
    }

    /// The roles of the user: the claim `roles` (RFC 9068 §2.2.3.1); none without a token.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_token::{Session, SessionToken, User};
    ///
    /// let token = SessionToken::builder(User::new("ann"))
    ///     .issuer("https://id.example.com")
    ///     .audience("orders")
    ///     .application_id("web-shop")
    ///     .roles(["buyer", "approver"])
    ///     .lifetime(Duration::from_secs(600))
    ///     .build()?;
    /// let session = Session::in_process(token);
    /// assert!(session.has_role("approver"));
    /// assert_eq!(session.roles().collect::<Vec<_>>(), ["buyer", "approver"]);
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.inner.token.roles()
    }

    /// Whether the user has this role, compared exactly.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles().any(|own| own == role)
    }

    /// The scope tokens of the claim `scope` (RFC 8693 §4.2), in its order; none without a token.
    pub fn scope(&self) -> impl Iterator<Item = &str> {
        self.inner.token.scope()
    }

    /// Whether [`scope`](Self::scope) contains this scope token, compared exactly (RFC 6749 §3.3).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_token::{Session, SessionToken, User};
    ///
    /// let token = SessionToken::builder(User::new("ann"))
    ///     .issuer("https://id.example.com")
    ///     .audience("orders")
    ///     .application_id("web-shop")
    ///     .scope("orders.read orders.write")
    ///     .lifetime(Duration::from_secs(600))
    ///     .build()?;
    /// let session = Session::in_process(token);
    /// assert!(session.has_scope("orders.read"));
    /// assert!(!session.has_scope("orders"));
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    #[must_use]
    pub fn has_scope(&self, word: &str) -> bool {
        self.scope().any(|own| own == word)
    }

    /// Deserializes one claim of the token by its name, as [`SessionToken::claim`] does; `None` where
    /// it is absent or there is no token.
    ///
    /// # Errors
    ///
    /// [`TokenError`] if the claim is not a `T`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_token::{Session, SessionToken, User};
    ///
    /// let token = SessionToken::builder(User::new("ann"))
    ///     .issuer("https://id.example.com")
    ///     .audience("orders")
    ///     .application_id("web-shop")
    ///     .claim("tenant", "north")
    ///     .lifetime(Duration::from_secs(600))
    ///     .build()?;
    /// let session = Session::in_process(token);
    /// let tenant: Option<String> = session.claim("tenant")?;
    /// assert_eq!(tenant.as_deref(), Some("north"));
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    pub fn claim<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, TokenError> {
        self.token().map_or(Ok(None), |token| token.claim(name))
    }

    /// Deserializes all claims of the token, as [`SessionToken::claims`] does; `None` where there is no
    /// token.
    ///
    /// # Errors
    ///
    /// [`TokenError`] if the claims are not a `T`.
    pub fn claims<'a, T: Deserialize<'a>>(&'a self) -> Result<Option<T>, TokenError> {
        self.token().map(SessionToken::claims).transpose()
    }

    /// The issuer of the token: the claim `iss` (RFC 7519 §4.1.1); `None` where there is no token, or
    /// one without the claim.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.inner.token.issuer()
    }

    /// The instant from which on the token is expired: the claim `exp` (RFC 7519 §4.1.4); `None` where
    /// there is no token.
    #[must_use]
    pub fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.token().map(SessionToken::expires_at)
    }

    /// The actor in a nested session: the parent session, which acts for this session's user. It is
    /// the claim `act` (RFC 8693 §4.1), `None` in a session that is not nested.
    #[must_use]
    pub fn actor(&self) -> Option<&Actor> {
        self.inner.token.actor()
    }
}

// Words of fixed sets alone: names and identifiers are the user's, and tokens are secret.
partial_debug! {
    Session(session) {
        session_type: session.session_type(),
        client_kind: session.client_kind(),
        access_level: session.user().access_level(),
        token_type: session.token().map(SessionToken::token_type),
    }
}

named_enum! {
    /// The place where the code runs that uses a session, whatever the kind of client.
    #[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
    #[non_exhaustive]
    pub enum SessionType {
        /// Not known.
        #[default]
        Unknown = "unknown",
        /// In the client.
        Client = "client",
        /// In the server, as each session of the layer.
        Server = "server",
    }
    /// `unknown`, `client` or `server`.
    as_str
}

text_enum!(SessionType, "unknown, client and server");
