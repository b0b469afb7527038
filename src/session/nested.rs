//! Nested sessions: a session acts for another user, by a token of its own.

use std::time::Duration;

use chrono::{DateTime, FixedOffset, Utc};

use super::session::Session;
use crate::{
    client::{ClientContext, ClientSource, ClientTimeZone},
    debug::partial_debug,
    error::{TokenError, TokenErrorKind},
    identity::{AccessLevel, Actor, ApplicationId, User},
    jws::TokenType,
    limits::Limits,
    time::NumericDate,
    token::{Claim, SessionToken, SessionTokenBuilder},
};

impl Session {
    /// Begins a token for work that this session does for `user`.
    ///
    /// The token inherits issuer, audience, server, instance, both cultures, offset, zone,
    /// application and client kind; scope, roles and the application's own claims are not
    /// inherited. *Nested* is the session, not the encoding: it is no JWT in a JWT (RFC 7519 §5.2).
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{Session, User};
    ///
    /// # use std::time::Duration;
    /// # use tower_session_token::SessionToken;
    /// # let token = SessionToken::builder(User::new("ann")).issuer("https://id.example.com").audience("orders")
    /// #     .application_id("web-shop").scope("orders.read").lifetime(Duration::from_secs(600)).build()?;
    /// # let session = Session::in_process(token);
    /// let nested = Session::in_process(session.nested(User::new("bob")).build()?);
    /// assert_eq!(nested.user().id(), "bob");
    /// assert_eq!(nested.issuer(), session.issuer());
    /// assert_eq!(nested.scope().count(), 0);
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    pub fn nested(&self, user: User) -> NestedTokenBuilder {
        NestedTokenBuilder {
            parent: self.clone(),
            token: SessionToken::builder(user.clone()),
            user,
            is_elevated: false,
            exceeds_scope: false,
            lifetime: None,
            issued_at: None,
        }
    }
}

/// A builder of the token of a nested session, in which the parent session acts for another user;
/// see [`Session::nested`].
///
/// The token has a new id and a new session id, names the parent in `act` (RFC 8693 §4.1), and
/// expires no later than the parent. Its access level is the given user's, which is regular unless
/// it was set, and its scope is empty unless it is set. Neither may exceed the parent's.
///
/// In this process the token needs no signature: [`Session::in_process`] makes its session, which
/// [`SessionContext::scope`](crate::SessionContext::scope) makes the ambient one. For another
/// service a [`SessionIssuer`](crate::SessionIssuer) signs it like any other token, and that
/// service's verifier has to accept [`TokenType::NestedSession`].
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
    is_elevated: bool,
    exceeds_scope: bool,
    /// What replaces the parent's claims.
    token: SessionTokenBuilder,
    lifetime: Option<Duration>,
    issued_at: Option<DateTime<Utc>>,
}

impl NestedTokenBuilder {
    /// Sets the access level, at most the parent's: a higher one makes [`build`](Self::build) fail.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{AccessLevel, TokenErrorKind, User};
    ///
    /// # use std::time::Duration;
    /// # use tower_session_token::{Session as S, SessionToken};
    /// # let token = SessionToken::builder(User::new("ann")).issuer("https://id.example.com").audience("orders")
    /// #     .application_id("web-shop").scope("orders.read").lifetime(Duration::from_secs(600)).build()?;
    /// # let session = S::in_process(token);
    /// let error = session.nested(User::new("bob"))
    ///     .access_level(AccessLevel::Administrator)
    ///     .build()
    ///     .unwrap_err();
    /// assert_eq!(error.kind(), TokenErrorKind::AccessLevelExceeded);
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    pub fn access_level(mut self, access_level: AccessLevel) -> Self {
        self.user = self.user.with_access_level(access_level);
        self.is_elevated = false;
        self
    }

    /// Sets an access level that may be above the parent's.
    ///
    /// # Security
    ///
    /// This is how a service gives a user's request rights that the user does not have. A level
    /// above the parent's is recorded in the token as the claim `elevated`, `true`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{AccessLevel, User};
    ///
    /// # use std::time::Duration;
    /// # use tower_session_token::{Session as S, SessionToken};
    /// # let token = SessionToken::builder(User::new("ann")).issuer("https://id.example.com").audience("orders")
    /// #     .application_id("web-shop").scope("orders.read").lifetime(Duration::from_secs(600)).build()?;
    /// # let session = S::in_process(token);
    /// let token = session.nested(User::new("invoice-run"))
    ///     .elevated(AccessLevel::Administrator)
    ///     .build()?;
    /// assert_eq!(token.claim("elevated")?, Some(true));
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    pub fn elevated(mut self, access_level: AccessLevel) -> Self {
        self.user = self.user.with_access_level(access_level);
        self.is_elevated = true;
        self
    }

    /// Sets the offset from UTC (`utc_offset`), in whole minutes within ±14:00, positive east of
    /// Greenwich.
    ///
    /// The parent's zone is then not inherited, since an offset and a zone belong together. An
    /// offset out of range makes [`build`](Self::build) fail.
    ///
    /// # Examples
    ///
    /// ```
    /// use chrono::FixedOffset;
    /// use tower_session_token::{Session, User};
    ///
    /// # use std::time::Duration;
    /// # use tower_session_token::{Session as S, SessionToken};
    /// # let token = SessionToken::builder(User::new("ann")).issuer("https://id.example.com").audience("orders")
    /// #     .application_id("web-shop").scope("orders.read").lifetime(Duration::from_secs(600)).build()?;
    /// # let session = S::in_process(token);
    /// let kolkata = FixedOffset::east_opt(330 * 60).unwrap();
    /// let token = session.nested(User::new("bob")).utc_offset(kolkata).build()?;
    /// assert_eq!(Session::in_process(token).client_utc_offset(), kolkata);
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    pub fn utc_offset(mut self, utc_offset: FixedOffset) -> Self {
        self.token = self.token.utc_offset(utc_offset);
        self
    }

    /// Sets the time zone (`zoneinfo`): a [`ClientTimeZone`], or an IANA name such as
    /// `"Europe/Berlin"`.
    ///
    /// The parent's offset is then not inherited, since an offset and a zone belong together. An
    /// unknown name makes [`build`](Self::build) fail.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{TokenErrorKind, User};
    ///
    /// # use std::time::Duration;
    /// # use tower_session_token::{Session as S, SessionToken};
    /// # let token = SessionToken::builder(User::new("ann")).issuer("https://id.example.com").audience("orders")
    /// #     .application_id("web-shop").scope("orders.read").lifetime(Duration::from_secs(600)).build()?;
    /// # let session = S::in_process(token);
    /// let error = session.nested(User::new("bob")).time_zone("Mars/Base").build().unwrap_err();
    /// assert_eq!(error.kind(), TokenErrorKind::ClaimInvalid);
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    pub fn time_zone(mut self, time_zone: impl TryInto<ClientTimeZone>) -> Self {
        self.token = self.token.time_zone(time_zone);
        self
    }

    /// Sets the issuer (`iss`), in place of the parent's.
    ///
    /// A service that signs tokens with its own key for another service names itself as the issuer,
    /// which the other service's verifier expects.
    ///
    /// # Security
    ///
    /// `act` names the parent's session, and not its issuer: a
    /// [`RevocationList`](crate::RevocationList) looks it up under the token's own issuer. A service
    /// that issues such tokens revokes the parent's session under its own name too.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::User;
    ///
    /// # use std::time::Duration;
    /// # use tower_session_token::{Session as S, SessionToken};
    /// # let token = SessionToken::builder(User::new("ann")).issuer("https://id.example.com").audience("orders")
    /// #     .application_id("web-shop").scope("orders.read").lifetime(Duration::from_secs(600)).build()?;
    /// # let session = S::in_process(token);
    /// let token = session.nested(User::new("bob"))
    ///     .issuer("https://orders.example.com")
    ///     .audience("billing")
    ///     .build()?;
    /// assert_eq!(token.issuer(), Some("https://orders.example.com"));
    /// assert!(token.audience().eq(["billing"]));
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.token = self.token.issuer(issuer);
        self
    }

    /// Adds a service that the token is for (`aud`); the first call replaces the parent's audience.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::User;
    ///
    /// # use std::time::Duration;
    /// # use tower_session_token::{Session as S, SessionToken};
    /// # let token = SessionToken::builder(User::new("ann")).issuer("https://id.example.com").audience("orders")
    /// #     .application_id("web-shop").scope("orders.read").lifetime(Duration::from_secs(600)).build()?;
    /// # let session = S::in_process(token);
    /// assert!(session.nested(User::new("bob")).build()?.audience().eq(["orders"]));
    /// let token = session.nested(User::new("bob")).audience("billing").audience("stock").build()?;
    /// assert!(token.audience().eq(["billing", "stock"]));
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.token = self.token.audience(audience);
        self
    }

    /// Sets the application (`client_id`), in place of the parent's, which stays in `act`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{Session, User};
    ///
    /// # use std::time::Duration;
    /// # use tower_session_token::{Session as S, SessionToken};
    /// # let token = SessionToken::builder(User::new("ann")).issuer("https://id.example.com").audience("orders")
    /// #     .application_id("web-shop").scope("orders.read").lifetime(Duration::from_secs(600)).build()?;
    /// # let session = S::in_process(token);
    /// let token = session.nested(User::new("bob")).application_id("invoice-run").build()?;
    /// let nested = Session::in_process(token);
    /// assert_eq!(nested.application_id().unwrap(), "invoice-run");
    /// assert_eq!(nested.actor().unwrap().application_id().unwrap(), "web-shop");
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    pub fn application_id(mut self, application_id: impl Into<ApplicationId>) -> Self {
        self.token = self.token.application_id(application_id);
        self
    }

    /// Adds scope: space-separated scope tokens (RFC 6749 §3.3), each of which the parent has.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{TokenErrorKind, User};
    ///
    /// # use std::time::Duration;
    /// # use tower_session_token::{Session as S, SessionToken};
    /// # let token = SessionToken::builder(User::new("ann")).issuer("https://id.example.com").audience("orders")
    /// #     .application_id("web-shop").scope("orders.read").lifetime(Duration::from_secs(600)).build()?;
    /// # let session = S::in_process(token);
    /// let token = session.nested(User::new("bob")).scope("orders.read").build()?;
    /// assert!(token.scope().eq(["orders.read"]));
    /// let error = session.nested(User::new("bob")).scope("orders.write").build().unwrap_err();
    /// assert_eq!(error.kind(), TokenErrorKind::ScopeExceeded);
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    pub fn scope(self, scope: impl AsRef<str>) -> Self {
        self.scopes(scope.as_ref().split(' '))
    }

    /// Adds a list of scope tokens (RFC 6749 §3.3), each of which the parent has.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::User;
    ///
    /// # use std::time::Duration;
    /// # use tower_session_token::{Session as S, SessionToken};
    /// # let token = SessionToken::builder(User::new("ann")).issuer("https://id.example.com").audience("orders")
    /// #     .application_id("web-shop").scope("orders.read").lifetime(Duration::from_secs(600)).build()?;
    /// # let session = S::in_process(token);
    /// let token = session.nested(User::new("bob")).scopes(session.scope()).build()?;
    /// assert!(token.scope().eq(["orders.read"]));
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    pub fn scopes(mut self, words: impl IntoIterator<Item: AsRef<str>>) -> Self {
        for word in words {
            self.exceeds_scope |= !self.parent.has_scope(word.as_ref());
            self.token = self.token.scopes([word]);
        }
        self
    }

    /// Sets the duration from the token's issue to its expiry.
    ///
    /// The token expires no later than its parent, and seven days after its issue at the latest,
    /// which is also what it gets where no lifetime is set.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_token::User;
    ///
    /// # use tower_session_token::{Session as S, SessionToken};
    /// # let token = SessionToken::builder(User::new("ann")).issuer("https://id.example.com").audience("orders")
    /// #     .application_id("web-shop").scope("orders.read").lifetime(Duration::from_secs(600)).build()?;
    /// # let session = S::in_process(token);
    /// let week = Duration::from_secs(7 * 24 * 3600);
    /// let token = session.nested(User::new("bob")).lifetime(week).build()?;
    /// assert_eq!(Some(token.expires_at()), session.expires_at());
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Sets the instant of issue: by default the present one, by the
    /// [clock](crate::SessionVerifierBuilder::clock) of the verifier that made the parent.
    ///
    /// # Examples
    ///
    /// ```
    /// use chrono::{TimeDelta, Utc};
    /// use tower_session_token::{TokenErrorKind, User};
    ///
    /// # use std::time::Duration;
    /// # use tower_session_token::{Session as S, SessionToken};
    /// # let token = SessionToken::builder(User::new("ann")).issuer("https://id.example.com").audience("orders")
    /// #     .application_id("web-shop").scope("orders.read").lifetime(Duration::from_secs(600)).build()?;
    /// # let session = S::in_process(token);
    /// let tomorrow = Utc::now() + TimeDelta::days(1);
    /// let error = session.nested(User::new("bob")).issued_at(tomorrow).build().unwrap_err();
    /// assert_eq!(error.kind(), TokenErrorKind::ParentExpired);
    /// # Ok::<(), tower_session_token::TokenError>(())
    /// ```
    pub fn issued_at(mut self, issued_at: DateTime<Utc>) -> Self {
        self.issued_at = Some(issued_at);
        self
    }

    /// Makes the token.
    ///
    /// # Errors
    ///
    /// [`TokenError`] if the parent has expired or has no token, if the access level or the scope
    /// exceeds the parent's, if the parent has four actors already or names no application, and if
    /// a claim is invalid. The default [`Limits`](crate::Limits) apply: where a verifier admits
    /// longer identifiers, a parent that has them cannot be nested in.
    pub fn build(self) -> Result<SessionToken, TokenError> {
        use TokenErrorKind as Kind;

        let reject = |kind, detail| Err(TokenError::new(kind, detail));
        let session = &self.parent;
        let Some(parent) = session.token() else {
            return reject(Kind::ParentWithoutToken, "there is nothing to inherit");
        };
        let issued_at = self.issued_at.unwrap_or_else(|| self.parent.now());
        if NumericDate::from(issued_at) >= session.valid_until() {
            return reject(Kind::ParentExpired, "an expired session mints nothing");
        }
        let access_level = self.user.access_level();
        let exceeds = access_level > session.user().access_level();
        if exceeds && !self.is_elevated {
            return reject(Kind::AccessLevelExceeded, "ask for it with `elevated`");
        }
        if self.exceeds_scope {
            return reject(Kind::ScopeExceeded, "ask for a subset");
        }
        let actor = Actor {
            user_id: session.user().id().clone(),
            session_id: Some(session.id().clone()),
            application_id: session.application_id().cloned(),
            authenticated_at: parent.began_at(),
            actor: session.actor().cloned().map(Box::new),
        };
        if actor.chain().count() > Limits::default().actors() {
            return reject(Kind::TooManyActors, "there may be four at most");
        }
        let token = self
            .token
            .token_type(TokenType::NestedSession)
            .access_level(access_level, exceeds)
            .actor(&actor)
            .issued_at(issued_at)
            .expires_at(expiry(self.lifetime, issued_at, parent.expires_at()));
        inherit(token, session, parent).build()
    }
}

/// Sets the claims that the nested token does not have yet to the parent's.
fn inherit(
    token: SessionTokenBuilder,
    session: &Session,
    parent: &SessionToken,
) -> SessionTokenBuilder {
    let context = session.client_context();
    let audience: Vec<_> = parent.audience().collect();
    let token = token
        .without_origin(parent.issuer().is_none(), audience.is_empty())
        .or(Claim::iss, parent.issuer())
        .or(Claim::aud, Some(audience).filter(|list| !list.is_empty()))
        .or(Claim::client_id, parent.application())
        .or(Claim::client_kind, Some(session.client_kind().as_str()))
        .or(Claim::server, session.server_code())
        .or(Claim::instance, session.instance_name())
        // Not the `auth_time` of another issuer's token, whose single sign-on gives a new session
        // for an old authentication.
        .or(
            Claim::auth_time,
            parent.began_at().map(NumericDate::to_millis),
        );
    inherit_clock(inherit_cultures(token, context), context)
}

/// Inherits the cultures, unless both are the invariant default of any service.
fn inherit_cultures(token: SessionTokenBuilder, context: &ClientContext) -> SessionTokenBuilder {
    let (culture, ui_culture) = (context.culture(), context.ui_culture());
    let sources = [context.culture_source(), context.ui_culture_source()];
    let is_default = sources == [ClientSource::Default; 2]
        && culture.is_invariant()
        && ui_culture.is_invariant();
    if is_default {
        return token;
    }
    token
        .culture(culture.clone())
        .ui_culture(ui_culture.clone())
}

/// Inherits offset and zone, unless one is set already or both are the default of any service.
fn inherit_clock(token: SessionTokenBuilder, context: &ClientContext) -> SessionTokenBuilder {
    let (utc_offset, zone) = (context.utc_offset(), context.time_zone());
    let is_default = context.utc_offset_source() == ClientSource::Default
        && utc_offset.local_minus_utc() == 0
        && zone.is_none();
    if is_default || token.has(Claim::utc_offset) || token.has(Claim::zoneinfo) {
        return token;
    }
    let token = token.utc_offset(utc_offset);
    zone.into_iter().fold(token, SessionTokenBuilder::time_zone)
}

/// The end of the lifetime, but no later than the parent's, and early enough for a service with
/// the default limit.
fn expiry(
    lifetime: Option<Duration>,
    issued_at: DateTime<Utc>,
    parent: DateTime<Utc>,
) -> DateTime<Utc> {
    let longest = TokenType::NestedSession.default_max_lifetime();
    let shortest = lifetime.into_iter().chain(longest).min();
    let end = |lifetime| NumericDate::from(issued_at).saturating_add(lifetime);
    shortest.map_or(parent, |lifetime| end(lifetime).to_date_time().min(parent))
}

// The parent alone: the new token's claims are the user's.
partial_debug! { NestedTokenBuilder(builder) { parent: builder.parent } }
