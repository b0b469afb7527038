//! Guards: layers behind the session layer that admit only some sessions.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower::{Layer, Service};

use super::{
    future::{ResponseFuture, State},
    rejection::{EmptyBody, unformed},
    service::{inner_accessors, require_session},
};
use crate::{
    client::ClientKind,
    error::{ConfigError, SessionError, SessionErrorKind},
    identity::AccessLevel,
    session::Session,
};

#[derive(Clone, Debug)]
enum Rule {
    Session,
    ClientKind(Arc<[ClientKind]>),
    AccessLevel(AccessLevel),
    Scope(Arc<str>),
    Role(Arc<[Box<str>]>),
    Predicate(Predicate),
}

impl Rule {
    fn check(&self, session: &Session) -> Result<(), SessionError> {
        use SessionErrorKind as Kind;

        let (is_met, kind, detail) = match self {
            Self::Session => return Ok(()),
            Self::ClientKind(kinds) => {
                let is_met = kinds.contains(&session.client_kind());
                (
                    is_met,
                    Kind::ClientKindForbidden,
                    "another kind is required",
                )
            }
            Self::AccessLevel(level) => {
                let is_met = session.user().access_level() >= *level;
                (
                    is_met,
                    Kind::AccessLevelInsufficient,
                    "a higher one is required",
                )
            }
            Self::Scope(scope) => {
                let is_met = scope.split(' ').all(|word| session.has_scope(word));
                (is_met, Kind::ScopeInsufficient, "more scope is required")
            }
            Self::Role(roles) => {
                let is_met = roles.iter().any(|role| session.has_role(role));
                (is_met, Kind::Forbidden, "another role is required")
            }
            Self::Predicate(Predicate(holds)) => {
                (holds(session), Kind::Forbidden, "the service's own rule")
            }
        };
        if is_met {
            Ok(())
        } else {
            Err(SessionError::new(kind, detail))
        }
    }
}

#[derive(Clone)]
struct Predicate(Arc<dyn Fn(&Session) -> bool + Send + Sync>);

impl fmt::Debug for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

/// Defines a guard, with the docs that all guards have in common.
macro_rules! guard {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// # Order
        ///
        /// The guard stands behind a [`SessionLayer`](crate::SessionLayer), which gives its
        /// rejections their form. With axum's `Router::layer` and `Router::route_layer` the session
        /// layer is added *after* (below) the guard, in a `tower::ServiceBuilder` *before* (above)
        /// it. A request without a session is rejected with 401 `token_missing`, and one that
        /// passed no session layer with a 500 that names the mistake.
        #[derive(Clone, Debug)]
        #[must_use = "a layer does nothing before it is put around a service"]
        pub struct $name {
            rule: Rule,
        }

        impl<S> Layer<S> for $name {
            type Service = GuardService<S>;

            fn layer(&self, inner: S) -> Self::Service {
                let rule = self.rule.clone();
                GuardService { inner, rule }
            }
        }
    };
}

guard! {
    /// A guard with a rule of your own: a session for which the predicate returns false is rejected
    /// with 403 `forbidden`.
    Require
}

impl Require {
    /// Admits the sessions for which `predicate` returns true.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::Require;
    ///
    /// let main_server = Require::new(|session| session.server_code() == Some("main"));
    /// ```
    pub fn new(predicate: impl Fn(&Session) -> bool + Send + Sync + 'static) -> Self {
        let rule = Rule::Predicate(Predicate(Arc::new(predicate)));
        Self { rule }
    }
}

guard! {
    /// A guard that admits every session, for routes behind an optional layer that need one.
    RequireSession
}

impl RequireSession {
    /// Admits every session.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use tower_session_token::{RequireSession, SessionLayer};
    ///
    /// # let verifier = tower_session_token::SessionVerifier::builder()
    /// #     .key(tower_session_token::VerifyingKey::hs256([7; 32])?).any_issuer().any_audience().build()?;
    /// let app: Router = Router::new()
    ///     .route("/orders", get(async || "orders"))
    ///     .route_layer(RequireSession::new())
    ///     .route("/", get(async || "anyone"))
    ///     .route_layer(SessionLayer::new(verifier).optional());
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    #[expect(clippy::new_without_default, reason = "a guard is made by name")]
    pub const fn new() -> Self {
        Self {
            rule: Rule::Session,
        }
    }
}

guard! {
    /// A guard that admits the sessions of some kinds of clients; others are rejected with 403
    /// `client_kind_forbidden`.
    RequireClientKind
}

impl RequireClientKind {
    /// Admits one kind.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{ClientKind, RequireClientKind};
    ///
    /// let desktop_only = RequireClientKind::new(ClientKind::Desktop);
    /// ```
    pub fn new(kind: ClientKind) -> Self {
        Self::any_of([kind])
    }

    /// Admits several kinds. Without any, it rejects every session.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{ClientKind, RequireClientKind};
    ///
    /// let with_a_screen = RequireClientKind::any_of([ClientKind::Desktop, ClientKind::Web]);
    /// ```
    pub fn any_of(kinds: impl IntoIterator<Item = ClientKind>) -> Self {
        let rule = Rule::ClientKind(kinds.into_iter().collect());
        Self { rule }
    }
}

guard! {
    /// A guard that admits the sessions of users with an access level or a higher one; others are
    /// rejected with 403 `access_level_insufficient`.
    RequireAccessLevel
}

impl RequireAccessLevel {
    /// Admits this level and those above.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{AccessLevel, RequireAccessLevel};
    ///
    /// let administrators = RequireAccessLevel::new(AccessLevel::Administrator);
    /// ```
    pub const fn new(level: AccessLevel) -> Self {
        let rule = Rule::AccessLevel(level);
        Self { rule }
    }
}

guard! {
    /// A guard that admits the sessions whose token has a scope (RFC 6749 §3.3); others are rejected
    /// with 403 `scope_insufficient`, and the challenge names the scope (RFC 6750 §3).
    RequireScope
}

impl RequireScope {
    /// Requires all scope tokens of `scope`, which are separated by single spaces.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if there is no scope token, or a character that RFC 6749 §3.3 does not allow.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::RequireScope;
    ///
    /// let readers = RequireScope::new("orders.read")?;
    /// let editors = RequireScope::new("orders.read orders.write")?;
    /// assert!(RequireScope::new("").is_err());
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    pub fn new(scope: &str) -> Result<Self, ConfigError> {
        if scope.split(' ').all(crate::token::is_scope_word) {
            let rule = Rule::Scope(scope.into());
            Ok(Self { rule })
        } else {
            let reason = "must be scope tokens separated by single spaces";
            Err(ConfigError::new("scope", reason))
        }
    }
}

guard! {
    /// A guard that admits the sessions that have a role, by the claim `roles` (RFC 9068
    /// §2.2.3.1); others are rejected with 403 `forbidden`.
    RequireRole
}

impl RequireRole {
    /// Requires one role, compared exactly.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::RequireRole;
    ///
    /// let clerks = RequireRole::new("clerk");
    /// ```
    pub fn new(role: impl Into<Box<str>>) -> Self {
        Self::any_of([role])
    }

    /// Requires any one of several roles. Without any, it rejects every session.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::RequireRole;
    ///
    /// let staff = RequireRole::any_of(["clerk", "manager"]);
    /// ```
    pub fn any_of<T: Into<Box<str>>>(roles: impl IntoIterator<Item = T>) -> Self {
        let rule = Rule::Role(roles.into_iter().map(Into::into).collect());
        Self { rule }
    }
}

/// The middleware that a guard makes.
#[derive(Clone, Debug)]
pub struct GuardService<S> {
    inner: S,
    rule: Rule,
}

inner_accessors!(GuardService<S>);

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for GuardService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Default + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, EmptyBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let session = require_session(request.extensions());
        match session.and_then(|session| self.rule.check(session)) {
            Ok(()) => {
                let future = self.inner.call(request);
                State::Guarded { future }.into()
            }
            Err(error) => {
                let scope = match &self.rule {
                    Rule::Scope(scope) => Some(Arc::clone(scope)),
                    _ => None,
                };
                let response = Some(Ok(unformed(error, scope)));
                State::Rejected { response }.into()
            }
        }
    }
}
