//! Nested tokens: a session for another user, inside an existing one.

use std::{fmt, time::Duration};

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};

use super::session::Session;
use crate::{
    client::{ClientContext, ClientSource, ClientTimeZone, Culture},
    error::{TokenError, TokenErrorKind},
    identity::{AccessLevel, Actor, ApplicationId, User},
    jws::TokenType,
    limits::Limits,
    time::NumericDate,
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
///     .application_id("web-shop")
///     .lifetime(Duration::from_secs(600))
///     .build()?;
/// let session = Session::in_process(token);
///
/// let nested = session.nested(User::new("bob")).build()?;
/// SessionContext::sync_scope(Session::in_process(nested), || {
///     let current = SessionContext::current().unwrap();
///     assert_eq!(current.user().id(), "bob");
///     assert_eq!(current.actor().unwrap().user_id(), "ann");
/// });
/// # Ok::<(), tower_session_token::TokenError>(())
/// ```
#[must_use = "a builder makes nothing before `build`"]
pub struct NestedTokenBuilder {
    parent: Session,
    user: User,
    elevated: bool,
    utc_offset: Option<FixedOffset>,
    time_zone: Option<ClientTimeZone>,
    issuer: Option<String>,
    audience: Vec<String>,
    application_id: Option<ApplicationId>,
    scope: Vec<String>,
    invalid: Option<&'static str>,
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
            issuer: None,
            audience: Vec::new(),
            application_id: None,
            scope: Vec::new(),
            invalid: None,
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

    /// Sets the time zone, in place of the parent's offset and zone, which belong together. A name
    /// such as `"Europe/Berlin"` is looked up.
    pub fn time_zone(mut self, time_zone: impl TryInto<ClientTimeZone>) -> Self {
        match time_zone.try_into() {
            Ok(zone) => self.time_zone = Some(zone),
            Err(_) => self.invalid = Some("`zoneinfo` is not a known time zone"),
        }
        self
    }

    /// Sets the issuer, in place of the parent's: the name under which this service signs a token
    /// for another one, which lists that issuer.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Adds a service that the token is for; the first use replaces the parent's audience.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience.push(audience.into());
        self
    }

    /// Sets the application, in place of the parent's, which stays in `act`.
    pub fn application_id(mut self, application_id: impl Into<ApplicationId>) -> Self {
        self.application_id = Some(application_id.into());
        self
    }

    /// Adds scope: space-separated words (RFC 6749 §3.3), each of which the parent has.
    pub fn scope(self, scope: impl AsRef<str>) -> Self {
        self.scopes(scope.as_ref().split(' '))
    }

    /// Adds scope word by word, each of which the parent has.
    pub fn scopes(mut self, words: impl IntoIterator<Item: Into<String>>) -> Self {
        self.scope.extend(words.into_iter().map(Into::into));
        self
    }

    /// Sets how long the token lasts from its issue on: never past the parent's expiry, and seven
    /// days at most. Where none is set it lasts as long as it may.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Sets the instant of issue: by default the present one, by the
    /// [clock](crate::SessionVerifierBuilder::clock) of the verifier that made the parent.
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
        if let Some(detail) = self.invalid {
            return Err(TokenError::new(TokenErrorKind::ClaimInvalid, detail));
        }
        let parent = self.parent.token().ok_or(TokenError::new(
            TokenErrorKind::ParentWithoutToken,
            "there is nothing to inherit",
        ))?;
        let issued_at = self.issued_at.unwrap_or_else(|| self.parent.now());
        let actor = actor_of(&self.parent);
        self.check(parent, &actor, issued_at)?;

        let exceeds = self.exceeds_access_level();
        let context = self.parent.client_context();
        let token = self
            .inherit(parent)
            .token_type(TokenType::NestedSession)
            .actor(&actor)
            .issued_at(issued_at)
            .expires_at(end(self.lifetime, issued_at, parent.expires_at()))
            .scopes(&self.scope);
        let token = inherit_cultures(token, context);
        let token = match (self.utc_offset, self.time_zone) {
            (None, None) => inherit_clock(token, context),
            (offset, zone) => set_clock(token, offset, zone),
        };
        if exceeds { token.elevated() } else { token }.build()
    }

    /// Takes over what the parent has and nothing here replaces, but for cultures, offset and zone.
    fn inherit(&self, parent: &SessionToken) -> SessionTokenBuilder {
        let session = &self.parent;
        let mut token = SessionTokenBuilder::new(&self.user)
            .without_origin(
                parent.issuer().is_none(),
                parent.audience().next().is_none(),
            )
            .client_kind(session.client_kind());
        let issuer = self.issuer.as_deref().or(parent.issuer());
        token = issuer.into_iter().fold(token, SessionTokenBuilder::issuer);
        token = if self.audience.is_empty() {
            parent.audience().fold(token, SessionTokenBuilder::audience)
        } else {
            self.audience
                .iter()
                .fold(token, SessionTokenBuilder::audience)
        };
        if let Some(id) = self.application_id.as_ref().or(session.application_id()) {
            token = token.application_id(id.clone());
        }
        // Not the `auth_time` of another issuer's token, whose single sign-on gives a new session
        // for an old authentication.
        if let Some(began_at) = parent.began_at() {
            token = token.authenticated_at(began_at.to_date_time());
        }
        let (code, name) = (session.server_code(), session.instance_name());
        token = code
            .into_iter()
            .fold(token, SessionTokenBuilder::server_code);
        name.into_iter()
            .fold(token, SessionTokenBuilder::instance_name)
    }

    fn check(
        &self,
        parent: &SessionToken,
        actor: &Actor,
        issued_at: DateTime<Utc>,
    ) -> Result<(), TokenError> {
        use TokenErrorKind as Kind;

        let reject = |kind, detail| Err(TokenError::new(kind, detail));
        if NumericDate::from(issued_at) >= self.parent.valid_until() {
            return reject(Kind::ParentExpired, "an expired session mints nothing");
        }
        if self.exceeds_access_level() && !self.elevated {
            return reject(Kind::AccessLevelExceeded, "ask for it with `elevated`");
        }
        if !self.scope.iter().all(|word| parent.has_scope(word)) {
            return reject(Kind::ScopeExceeded, "ask for a subset");
        }
        if actor.chain().count() > Limits::default().actors() {
            return reject(Kind::TooManyActors, "there may be four at most");
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
        authenticated_at: session.token().and_then(SessionToken::began_at),
        actor: session.actor().cloned().map(Box::new),
    }
}

/// What is only the default of this service, and of every other, is not written.
fn inherit_cultures(token: SessionTokenBuilder, context: &ClientContext) -> SessionTokenBuilder {
    let (culture, ui_culture) = (context.culture(), context.ui_culture());
    let is_default =
        |culture: &Culture, source| source == ClientSource::Default && culture.is_invariant();
    if is_default(culture, context.culture_source())
        && is_default(ui_culture, context.ui_culture_source())
    {
        return token;
    }
    token
        .culture(culture.clone())
        .ui_culture(ui_culture.clone())
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
    time_zone: Option<ClientTimeZone>,
) -> SessionTokenBuilder {
    let token = utc_offset
        .into_iter()
        .fold(token, SessionTokenBuilder::utc_offset);
    time_zone
        .into_iter()
        .fold(token, SessionTokenBuilder::time_zone)
}
