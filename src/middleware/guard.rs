//! Guards: layers behind the session layer that admit only some sessions.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Extensions, Request, Response};
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
    token::is_scope_word,
};

/// The sessions that a guard admits, and the error of the others.
#[derive(Clone)]
struct Rule {
    is_met: Arc<dyn Fn(&Session) -> bool + Send + Sync>,
    error: SessionError,
    /// The scope that would be sufficient.
    scope: Option<Arc<str>>,
}

impl Rule {
    fn new(error: SessionError, is_met: impl Fn(&Session) -> bool + Send + Sync + 'static) -> Self {
        Self {
            is_met: Arc::new(is_met),
            error,
            scope: None,
        }
    }

    fn check(&self, extensions: &Extensions) -> Result<(), SessionError> {
        let session = require_session(extensions)?;
        if (self.is_met)(session) {
            Ok(())
        } else {
            Err(self.error)
        }
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rule").field(&self.error).finish()
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
        let rule = Rule::new(SessionError::forbidden(), predicate);
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
    pub fn new() -> Self {
        let rule = Rule::new(SessionError::forbidden(), |_| true);
        Self { rule }
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
        let kinds: Box<[_]> = kinds.into_iter().collect();
        let kind = SessionErrorKind::ClientKindForbidden;
        let error = SessionError::new(kind, "another kind is required");
        let rule = Rule::new(error, move |session| kinds.contains(&session.client_kind()));
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
    pub fn new(level: AccessLevel) -> Self {
        let kind = SessionErrorKind::AccessLevelInsufficient;
        let error = SessionError::new(kind, "a higher one is required");
        let rule = Rule::new(error, move |session| session.user().access_level() >= level);
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
        if !scope.split(' ').all(is_scope_word) {
            let reason = "must be scope tokens separated by single spaces";
            return Err(ConfigError::new("scope", reason));
        }
        let required: Arc<str> = scope.into();
        let scope = Some(Arc::clone(&required));
        let rule = Rule::new(SessionError::insufficient_scope(), move |session| {
            required.split(' ').all(|word| session.has_scope(word))
        });
        let rule = Rule { scope, ..rule };
        Ok(Self { rule })
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
        let roles: Box<[Box<str>]> = roles.into_iter().map(Into::into).collect();
        let error = SessionError::new(SessionErrorKind::Forbidden, "another role is required");
        let rule = Rule::new(error, move |session| {
            roles.iter().any(|role| session.has_role(role))
        });
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
        match self.rule.check(request.extensions()) {
            Ok(()) => {
                let future = self.inner.call(request);
                State::Guarded { future }.into()
            }
            Err(error) => {
                let response = Some(Ok(unformed(error, self.rule.scope.clone())));
                State::Rejected { response }.into()
            }
        }
    }
}
