//! The session of a request: what handlers read.

use std::{fmt, sync::Arc};

use chrono::{DateTime, FixedOffset};

use crate::{
    client::{ClientContext, ClientKind, ClientPolicy, Culture, TimeZone},
    identity::{Actor, ApplicationId, Members, SessionId, User},
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
    // Of one word, so that it is moved in a register.
    shared: Arc<Shared>,
}

struct Shared {
    origin: Origin,
    context: ClientContext,
    session_type: SessionType,
}

#[expect(
    clippy::large_enum_variant,
    reason = "the large one is the one of every request"
)]
enum Origin {
    Token(SessionToken),
    System(Members),
    /// Another session, from which this one differs in context or type.
    Session(Session),
}

impl Session {
    #[inline]
    pub(crate) fn new(token: SessionToken, context: ClientContext) -> Self {
        Self::of(Origin::Token(token), context, SessionType::Server)
    }

    #[inline]
    fn of(origin: Origin, context: ClientContext, session_type: SessionType) -> Self {
        Self {
            shared: Arc::new(Shared {
                origin,
                context,
                session_type,
            }),
        }
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
        let context = ClientContext::default();
        Self::of(Origin::System(members), context, SessionType::Server)
    }

    /// Says where the code runs that uses this session; [`SessionType::Server`] until then.
    #[must_use]
    pub fn with_session_type(self, session_type: SessionType) -> Self {
        let context = self.client_context().clone();
        Self::of(self.origin(), context, session_type)
    }

    /// The same session with the context that the headers of one call gave it.
    pub(crate) fn with_call_context(self, context: ClientContext) -> Self {
        let session_type = self.session_type();
        Self::of(self.origin(), context, session_type)
    }

    /// What another session keeps that differs from this one in context or type.
    fn origin(self) -> Origin {
        match &self.shared.origin {
            // Not a chain of them.
            Origin::Session(first) => Origin::Session(first.clone()),
            _ => Origin::Session(self),
        }
    }

    /// Whether both are clones of one session.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// How much memory its clones share, generously counted.
    pub(crate) fn heap_bytes(&self) -> usize {
        const COUNTED: usize = 2 * size_of::<usize>() + size_of::<Shared>();
        let token = self.token().map_or(0, SessionToken::heap_bytes);
        token.saturating_add(COUNTED)
    }

    fn members(&self) -> &Members {
        match &self.shared.origin {
            Origin::Token(token) => token.members(),
            Origin::System(members) => members,
            Origin::Session(session) => session.members(),
        }
    }

    /// Identifies the session: the claim `sid`, else what the token's type puts in its place.
    #[must_use]
    pub fn id(&self) -> &SessionId {
        &self.members().id
    }

    /// Where the code runs that uses this session, which says nothing about the client.
    #[must_use]
    pub fn session_type(&self) -> SessionType {
        self.shared.session_type
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
        match &self.shared.origin {
            Origin::Token(token) => Some(token),
            Origin::System(_) => None,
            Origin::Session(session) => session.token(),
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
    pub fn client_time_zone(&self) -> Option<TimeZone> {
        self.client_context().time_zone()
    }

    /// Culture, offset and zone of this call together, each with where it came from.
    #[must_use]
    pub fn client_context(&self) -> &ClientContext {
        &self.shared.context
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

    /// The roles of the session: the claim `roles` (RFC 9068 §2.2.3.1).
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        std::iter::empty()
    }

    /// Whether the session has this role, compared exactly.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        let roles = |token: &SessionToken| token.claim::<Vec<String>>("roles").ok().flatten();
        let roles = self.token().and_then(roles).unwrap_or_default();
        roles.iter().any(|other| other == role)
    }

    /// Who acts in this session for its user, if it is a nested one: the claim `act`
    /// (RFC 8693 §4.1).
    #[must_use]
    pub fn actor(&self) -> Option<&Actor> {
        self.token()?.actor()
    }
}

/// Takes a token as a session in this process: one that was built here, such as a nested one.
///
/// It needs no signature, since it came from no one else.
impl From<SessionToken> for Session {
    fn from(token: SessionToken) -> Self {
        let issued_at = || token.issued_at().unwrap_or_else(crate::time::now);
        let context = ClientPolicy::default().resolve_token(&token.client(), issued_at);
        Self::new(token, context)
    }
}

impl From<&SessionToken> for Session {
    fn from(token: &SessionToken) -> Self {
        token.clone().into()
    }
}

impl From<&Self> for Session {
    fn from(session: &Self) -> Self {
        session.clone()
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

impl fmt::Display for SessionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
