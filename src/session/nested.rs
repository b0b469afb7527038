//! Nested tokens: a session for another user, inside an existing one.

use std::{fmt, time::Duration};

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};

use super::session::Session;
use crate::{
    client::{ClientContext, ClientSource, Culture, TimeZone},
    error::{TokenError, TokenErrorKind},
    identity::{AccessLevel, Actor, User},
    jws::TokenType,
    limits::Limits,
    time,
    token::{SessionToken, SessionTokenBuilder},
};

impl Session {
    /// Begins a token for work that is done inside this session for `user`.
    ///
    /// It inherits server, instance, both cultures, offset, zone, application and client kind, and
    /// no scope and no claim of the application's own.
    /// This is no JWT in a JWT (RFC 7519 §5.2): *nested* is the session, not the encoding.
    pub fn nested(&self, user: User) -> NestedTokenBuilder {
        NestedTokenBuilder::new(self.clone(), user)
    }
}

/// Makes a token for work that is done inside a session for another user; see
/// [`Session::nested`].
///
/// The token has a new id and a new session id, names the parent in `act` (RFC 8693 §4.1), and
/// never outlives the parent. Its access level is the given user's, which is regular unless it
/// was set, and it has no scope unless one is asked for. Both are bounded by the parent's.
///
/// In this process the token needs no signature: hand it to
/// [`SessionContext::scope`](crate::SessionContext::scope). To travel it is signed like any other
/// by a [`SessionIssuer`](crate::SessionIssuer), and the receiving service must accept
/// [`TokenType::NestedSession`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_session_token::{ApplicationId, Session, SessionContext, SessionToken, User};
///
/// let token = SessionToken::builder(User::new("ann"))
///     .issuer("https://id.example.com")
///     .audience("orders")
///     .application_id(ApplicationId::from("web-shop"))
///     .lifetime(Duration::from_secs(600))
///     .build()?;
/// let session = Session::from(token);
///
/// let nested = session.nested(User::new("bob")).build()?;
/// SessionContext::sync_scope(nested.into(), || {
///     let current = SessionContext::current().unwrap();
///     assert_eq!(current.user().id().to_string(), "bob");
///     assert_eq!(current.actor().unwrap().user_id().to_string(), "ann");
/// });
/// # Ok::<(), tower_session_token::TokenError>(())
/// ```
#[must_use = "a builder makes nothing before `build`"]
pub struct NestedTokenBuilder {
    parent: Session,
    user: User,
    elevated: bool,
    utc_offset: Option<FixedOffset>,
    time_zone: Option<TimeZone>,
    scope: Vec<String>,
    lifetime: Option<Duration>,
    issued_at: Option<DateTime<Utc>>,
}

impl NestedTokenBuilder {
    pub(super) fn new(parent: Session, user: User) -> Self {
        Self {
            parent,
            user,
            elevated: false,
            utc_offset: None,
            time_zone: None,
            scope: Vec::new(),
            lifetime: None,
            issued_at: None,
        }
    }

    /// Sets the access level; [`build`](Self::build) refuses one above the parent's.
    pub fn access_level(mut self, access_level: AccessLevel) -> Self {
        self.user = self.user.with_access_level(access_level);
        self.elevated = false;
        self
    }

    /// Sets an access level that may be above the parent's.
    ///
    /// # Security
    ///
    /// This is how a service gives a user's request rights that the user does not have. A level
    /// above the parent's is recorded in the token as the claim `elevated`, `true`.
    pub fn elevated(mut self, access_level: AccessLevel) -> Self {
        self.user = self.user.with_access_level(access_level);
        self.elevated = true;
        self
    }

    /// Sets the offset from UTC, positive east of Greenwich, within ±14:00, in place of the
    /// parent's offset and zone, which belong together.
    pub fn utc_offset(mut self, utc_offset: FixedOffset) -> Self {
        self.utc_offset = Some(utc_offset);
        self
    }

    /// Sets the time zone, in place of the parent's offset and zone, which belong together.
    pub fn time_zone(mut self, time_zone: TimeZone) -> Self {
        self.time_zone = Some(time_zone);
        self
    }

    /// Asks for a scope token (RFC 6749 §3.3) of the parent's scope; may be repeated.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope.push(scope.into());
        self
    }

    /// Sets how long the token lasts from its issue on: never past the parent's expiry, and seven
    /// days at most. Where none is set it lasts as long as it may.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Sets the moment of issue; the system's clock tells it when none is set. A service whose
    /// verifier has another clock gives that one's moment.
    pub fn issued_at(mut self, issued_at: DateTime<Utc>) -> Self {
        self.issued_at = Some(issued_at);
        self
    }

    /// Makes the token.
    ///
    /// # Errors
    ///
    /// [`TokenError`] when the parent has expired or has no token, when the access level or the
    /// scope is above the parent's, when the parent has four actors already or names no application,
    /// and when a claim is invalid. The [`Limits`](crate::Limits) are the default ones: a parent
    /// whose identifiers are longer, since its verifier allows that, cannot be nested in.
    pub fn build(self) -> Result<SessionToken, TokenError> {
        let parent = self.parent.token().ok_or(TokenError::new(
            TokenErrorKind::ParentWithoutToken,
            "there is nothing to inherit",
        ))?;
        let issued_at = self.issued_at.unwrap_or_else(time::now);
        let actor = actor_of(&self.parent);
        self.check(parent, &actor, issued_at)?;

        let exceeds = self.exceeds_access_level();
        let context = self.parent.client_context();
        let token = inherit(SessionTokenBuilder::new(&self.user), &self.parent, parent)
            .token_type(TokenType::NestedSession)
            .actor(&actor)
            .issued_at(issued_at)
            .expires_at(end(self.lifetime, issued_at, parent.expires_at()))
            .scope(self.scope);
        let token = inherit_cultures(token, context);
        let token = match (self.utc_offset, self.time_zone) {
            (None, None) => inherit_clock(token, context),
            (offset, zone) => set_clock(token, offset, zone),
        };
        match exceeds {
            true => token.elevated(),
            false => token,
        }
        .build()
    }

    fn check(
        &self,
        parent: &SessionToken,
        actor: &Actor,
        issued_at: DateTime<Utc>,
    ) -> Result<(), TokenError> {
        use TokenErrorKind as Kind;

        let refuse = |kind, detail| Err(TokenError::new(kind, detail));
        if issued_at >= parent.expires_at() {
            return refuse(Kind::ParentExpired, "an expired session mints nothing");
        }
        if self.exceeds_access_level() && !self.elevated {
            return refuse(Kind::AccessLevelExceeded, "ask for it with `elevated`");
        }
        if !self.scope.iter().all(|word| parent.has_scope(word)) {
            return refuse(Kind::ScopeExceeded, "ask for a subset");
        }
        if actor.chain().count() > Limits::default().max_actors() {
            return refuse(Kind::TooManyActors, "there may be four at most");
        }
        Ok(())
    }

    fn exceeds_access_level(&self) -> bool {
        self.user.access_level() > self.parent.user().access_level()
    }
}

/// The end of the lifetime, but not after the parent's, nor so late that a service with defaults
/// would refuse the token.
fn end(
    lifetime: Option<Duration>,
    issued_at: DateTime<Utc>,
    parent: DateTime<Utc>,
) -> DateTime<Utc> {
    let longest = TokenType::NestedSession.default_max_lifetime();
    let lifetimes = lifetime.into_iter().chain(longest);
    let shortest = lifetimes.min().and_then(|it| TimeDelta::from_std(it).ok());
    let end = shortest.and_then(|it| issued_at.checked_add_signed(it));
    end.map_or(parent, |end| end.min(parent))
}

/// Shows what it is made in: what is to be in the token is the user's.
impl fmt::Debug for NestedTokenBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NestedTokenBuilder")
            .field("parent", &self.parent)
            .finish_non_exhaustive()
    }
}

/// Who acts in a session that is nested in this one.
fn actor_of(session: &Session) -> Actor {
    Actor {
        user_id: session.user().id().clone(),
        session_id: Some(session.id().clone()),
        application_id: session.application_id().cloned(),
        actor: session.actor().cloned().map(Box::new),
    }
}

/// Takes from a parent session what a nested token inherits, but for cultures, offset and zone.
fn inherit(
    mut nested: SessionTokenBuilder,
    session: &Session,
    token: &SessionToken,
) -> SessionTokenBuilder {
    nested = nested
        .without_origin(token.issuer().is_none(), token.audience().next().is_none())
        .client_kind(session.client_kind());
    nested = token
        .issuer()
        .into_iter()
        .fold(nested, SessionTokenBuilder::issuer);
    nested = token.audience().fold(nested, SessionTokenBuilder::audience);
    if let Some(id) = session.application_id() {
        nested = nested.application_id(id.clone());
    }
    if let Some(code) = session.server_code() {
        nested = nested.server_code(code);
    }
    if let Some(name) = session.instance_name() {
        nested = nested.instance_name(name);
    }
    nested
}

/// What is only the default of this service, and of every other, is left unsaid.
fn inherit_cultures(token: SessionTokenBuilder, context: &ClientContext) -> SessionTokenBuilder {
    let unsaid =
        |culture: &Culture, source| source == ClientSource::Default && culture.is_invariant();
    let (culture, ui_culture) = (context.culture(), context.ui_culture());
    match unsaid(culture, context.culture_source())
        && unsaid(ui_culture, context.ui_culture_source())
    {
        true => token,
        false => token.culture(culture).ui_culture(ui_culture),
    }
}

fn inherit_clock(token: SessionTokenBuilder, context: &ClientContext) -> SessionTokenBuilder {
    match context.time_zone() {
        None if context.utc_offset_source() == ClientSource::Default
            && context.utc_offset().local_minus_utc() == 0 =>
        {
            token
        }
        zone => set_clock(token, Some(context.utc_offset()), zone),
    }
}

fn set_clock(
    token: SessionTokenBuilder,
    utc_offset: Option<FixedOffset>,
    time_zone: Option<TimeZone>,
) -> SessionTokenBuilder {
    let token = utc_offset
        .into_iter()
        .fold(token, SessionTokenBuilder::utc_offset);
    time_zone
        .into_iter()
        .fold(token, SessionTokenBuilder::time_zone)
}
