//! The session of a request: what handlers read.

use std::{fmt, sync::Arc};

use chrono::{DateTime, FixedOffset, Utc};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    client::{ClientContext, ClientDefaults, ClientKind, ClientTimeZone, Culture},
    error::TokenError,
    identity::{Actor, ApplicationId, Members, SessionId, User},
    serde_text::text_enum,
    time::{Clock, NumericDate, Validity},
    token::SessionToken,
};

/// The session that a request belongs to.
///
/// The layer puts it into the request's extensions once the token has been verified; handlers
/// take it from there. It never changes, and a clone costs a reference count.
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
    /// The context of one call whose headers said more than the token.
    call_context: Option<Arc<ClientContext>>,
}

/// What all clones share. The validity comes first: the cache of verified tokens reads it at each
/// hit, and the reference count before it.
#[repr(C)]
pub(crate) struct SessionInner {
    /// The instants at which the verifier would make the same session: none if no verifier did.
    pub(crate) validity: Validity,
    /// The instant from which on the verifier rejects the token, leeway included.
    valid_until: NumericDate,
    /// The clock of that verifier.
    clock: Clock,
    origin: Origin,
    context: ClientContext,
}

#[expect(
    clippy::large_enum_variant,
    reason = "the large one is the one of every request"
)]
enum Origin {
    Token(SessionToken),
    System(Members),
}

impl SessionInner {
    /// Bytes of heap memory, estimated from above.
    pub(crate) fn heap_bytes(&self) -> usize {
        const COUNTED: usize = 2 * size_of::<usize>() + size_of::<SessionInner>();
        let token = match &self.origin {
            Origin::Token(token) => token.heap_bytes(),
            Origin::System(_) => 0,
        };
        token.saturating_add(COUNTED)
    }
}

impl Session {
    #[inline]
    pub(crate) fn new(
        token: SessionToken,
        context: ClientContext,
        valid_until: NumericDate,
        validity: Validity,
        clock: Clock,
    ) -> Self {
        Self::of(Origin::Token(token), context, valid_until, validity, clock)
    }

    #[inline]
    fn of(
        origin: Origin,
        context: ClientContext,
        valid_until: NumericDate,
        validity: Validity,
        clock: Clock,
    ) -> Self {
        Self::from_inner(Arc::new(SessionInner {
            validity,
            valid_until,
            clock,
            origin,
            context,
        }))
    }

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
    #[must_use]
    pub fn in_process(token: SessionToken) -> Self {
        let hints = token.client_hints().unwrap_or_default();
        let issued_at = || token.issued_at().unwrap_or_else(Utc::now);
        let context = ClientDefaults::default().resolve_token(&hints, issued_at);
        let valid_until = token.expires_at().into();
        let validity = Validity::default();
        Self::new(token, context, valid_until, validity, Clock::System)
    }

    /// The session of work that no token stands behind: a start-up task, a timer, a queue's
    /// consumer.
    ///
    /// It has a random id, no token, no application, the invariant culture and the offset
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
        let members = Members {
            id: SessionId::random(),
            user,
            application_id: None,
            token_id: None,
        };
        let (never, validity) = (NumericDate::default(), Validity::default());
        let (origin, context) = (Origin::System(members), ClientContext::default());
        Self::of(origin, context, never, validity, Clock::System)
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
        match &self.inner.origin {
            Origin::Token(token) => token.members(),
            Origin::System(members) => members,
        }
    }

    /// Identifies the session: the claim `sid`, else what the token's type puts in its place.
    #[must_use]
    pub fn id(&self) -> &SessionId {
        &self.members().id
    }

    /// Where the code runs that uses this session, which says nothing about the client: always
    /// [`SessionType::Server`], which is where a verifier runs.
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
        match &self.inner.origin {
            Origin::Token(token) => Some(token),
            Origin::System(_) => None,
        }
    }

    /// The code of the server (installation) that the session is for: the claim `server`.
    #[must_use]
    pub fn server_code(&self) -> Option<&str> {
        self.token()?.server_code()
    }

    /// The name of the server's instance that the session is for: the claim `instance`.
    #[must_use]
    pub fn instance_name(&self) -> Option<&str> {
        self.token()?.instance_name()
    }

    /// The client's culture at this call: how it writes dates and numbers.
    ///
    /// From the call's headers where they are turned on, else the token's claim `locale`
    /// (OpenID Connect Core §5.1), else what the service falls back to.
    #[doc(alias = "locale")]
    #[must_use]
    pub fn client_culture(&self) -> &Culture {
        self.client_context().culture()
    }

    /// The client's culture of texts at this call, from the same sources
    /// (the claim `ui_locale`, else `locale`).
    #[doc(alias = "locale")]
    #[must_use]
    pub fn client_ui_culture(&self) -> &Culture {
        self.client_context().ui_culture()
    }

    /// The client's offset from UTC at this call, positive east of Greenwich
    /// (the claim `utc_offset`, in minutes, −840 to 840).
    ///
    /// An offset is not a time zone: for any other moment than this call's ask
    /// [`client_utc_offset_at`](Self::client_utc_offset_at).
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

    /// Culture, offset and zone of this call together, each with where it came from.
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

    /// What kind of client opened the session: the claim `client_kind`, else the service's table
    /// of applications, else [`ClientKind::Other`].
    #[must_use]
    pub fn client_kind(&self) -> ClientKind {
        let token = self.token();
        token.map_or(ClientKind::Other, SessionToken::client_kind)
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
    /// integration with an authorisation of its own.
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
        self.token().into_iter().flat_map(SessionToken::roles)
    }

    /// Whether the user has this role, compared exactly.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles().any(|own| own == role)
    }

    /// What the token allows: the words of the claim `scope` (RFC 8693 §4.2); none without a token.
    pub fn scope(&self) -> impl Iterator<Item = &str> {
        self.token().into_iter().flat_map(SessionToken::scope)
    }

    /// Whether [`scope`](Self::scope) holds this word, compared exactly (RFC 6749 §3.3).
    #[must_use]
    pub fn has_scope(&self, word: &str) -> bool {
        self.scope().any(|own| own == word)
    }

    /// One claim of the token by its name; `None` where it is absent, or there is no token. See
    /// [`SessionToken::claim`].
    ///
    /// # Errors
    ///
    /// [`TokenError`] if the claim is not a `T`.
    pub fn claim<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, TokenError> {
        self.token().map_or(Ok(None), |token| token.claim(name))
    }

    /// All claims of the token; `None` where there is no token. See [`SessionToken::claims`].
    ///
    /// # Errors
    ///
    /// [`TokenError`] if the claims are not a `T`.
    pub fn claims<'a, T: Deserialize<'a>>(&'a self) -> Result<Option<T>, TokenError> {
        self.token().map(SessionToken::claims).transpose()
    }

    /// Who issued the token: the claim `iss` (RFC 7519 §4.1.1).
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.token()?.issuer()
    }

    /// When the token expires: the claim `exp` (RFC 7519 §4.1.4); `None` where there is no token.
    #[must_use]
    pub fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.token().map(SessionToken::expires_at)
    }

    /// Who acts in this session for its user, if it is a nested one: the claim `act`
    /// (RFC 8693 §4.1).
    #[must_use]
    pub fn actor(&self) -> Option<&Actor> {
        self.token()?.actor()
    }
}

/// Shows closed words only: names and identifiers are the user's, and tokens are secret.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("session_type", &self.session_type())
            .field("client_kind", &self.client_kind())
            .field("access_level", &self.user().access_level())
            .field("token_type", &self.token().map(SessionToken::token_type))
            .finish_non_exhaustive()
    }
}

/// Where the code runs that uses a session. It says nothing about the kind of client.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum SessionType {
    /// Not said.
    #[default]
    Unknown,
    /// In the client.
    Client,
    /// In the server: what the layer makes.
    Server,
}

impl SessionType {
    const ALL: [Self; 3] = [Self::Unknown, Self::Client, Self::Server];

    /// `unknown`, `client` or `server`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

text_enum!(SessionType, "unknown, client and server");
