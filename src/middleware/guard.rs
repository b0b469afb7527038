//! Layers that let pass only some of the requests that have a session.

use std::{
    mem,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower::{Layer, Service};

use super::{
    future::ResponseFuture,
    rejection::{Challenge, OnReject, ProblemDetails, Refusal, Refuser},
};
use crate::{
    client::ClientKind,
    error::{ConfigError, SessionError, SessionErrorKind},
    identity::AccessLevel,
    session::Session,
};

#[derive(Clone, Debug)]
enum Rule {
    ClientKind(Arc<[ClientKind]>),
    AccessLevel(AccessLevel),
    Scope(Arc<[String]>),
}

impl Rule {
    fn check(&self, session: Option<&Session>) -> Result<(), SessionError> {
        use SessionErrorKind as Kind;

        let session = session.ok_or(SessionError::new(
            Kind::TokenMissing,
            "no session is in front of the guard",
        ))?;
        let (enough, kind, detail) = match self {
            Self::ClientKind(kinds) => (
                kinds.contains(&session.client_kind()),
                Kind::ClientKindForbidden,
                "another kind of client is required",
            ),
            Self::AccessLevel(level) => (
                session.user().access_level() >= *level,
                Kind::AccessLevelInsufficient,
                "a higher access level is required",
            ),
            Self::Scope(words) => (
                session
                    .token()
                    .is_some_and(|token| words.iter().all(|word| token.has_scope(word))),
                Kind::ScopeInsufficient,
                "more scope is required",
            ),
        };
        match enough {
            true => Ok(()),
            false => Err(SessionError::new(kind, detail)),
        }
    }
}

macro_rules! guard_layer {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// It stands behind a [`SessionLayer`](crate::SessionLayer). A request that has no
        /// session at all is refused with 401, one whose session is not enough with 403.
        #[derive(Debug)]
        #[must_use = "a layer does nothing before it is put around a service"]
        pub struct $name<R = Challenge> {
            rule: Rule,
            refuser: Refuser<R>,
        }

        impl<R> $name<R> {
            /// Sets the realm of the challenge (RFC 9110 §11.5): `session` by default.
            ///
            /// # Errors
            ///
            /// [`ConfigError`] if it holds more than printable ASCII.
            pub fn realm(mut self, realm: &str) -> Result<Self, ConfigError> {
                self.refuser = self.refuser.with_realm(realm)?;
                Ok(self)
            }

            /// Answers refusals with a body of `application/problem+json` (RFC 9457).
            pub fn problem_details(self) -> $name<ProblemDetails> {
                self.with_form(ProblemDetails)
            }

            /// Answers refusals with what `respond` makes of the finished status and headers; see
            /// [`SessionLayer::on_reject`](crate::SessionLayer::on_reject).
            pub fn on_reject<F, B>(self, respond: F) -> $name<OnReject<F>>
            where
                F: Fn(Response<()>, &SessionError) -> Response<B>,
            {
                self.with_form(OnReject(respond))
            }

            fn with_form<R2>(self, form: R2) -> $name<R2> {
                $name {
                    rule: self.rule,
                    refuser: self.refuser.with_form(form),
                }
            }
        }

        impl<R> Clone for $name<R> {
            fn clone(&self) -> Self {
                Self {
                    rule: self.rule.clone(),
                    refuser: self.refuser.clone(),
                }
            }
        }

        impl<S, R> Layer<S> for $name<R> {
            type Service = GuardService<S, R>;

            fn layer(&self, inner: S) -> Self::Service {
                GuardService {
                    inner,
                    shared: Arc::new(Shared {
                        rule: self.rule.clone(),
                        refuser: self.refuser.clone(),
                    }),
                }
            }
        }
    };
}

guard_layer! {
    /// Lets only sessions of some kinds of clients pass.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{ClientKind, RequireClientKind};
    ///
    /// let desktop_only = RequireClientKind::new(ClientKind::Desktop);
    /// let with_a_screen = RequireClientKind::any_of([ClientKind::Desktop, ClientKind::Web]);
    /// ```
    RequireClientKind
}

impl RequireClientKind {
    /// Lets only this kind pass.
    pub fn new(kind: ClientKind) -> Self {
        Self::any_of([kind])
    }

    /// Lets these kinds pass.
    pub fn any_of(kinds: impl IntoIterator<Item = ClientKind>) -> Self {
        Self {
            rule: Rule::ClientKind(kinds.into_iter().collect()),
            refuser: Refuser::default(),
        }
    }
}

guard_layer! {
    /// Lets only sessions of users with an access level, or a higher one, pass.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{AccessLevel, RequireAccessLevel};
    ///
    /// let administrators = RequireAccessLevel::new(AccessLevel::Administrator);
    /// ```
    RequireAccessLevel
}

impl RequireAccessLevel {
    /// Lets this level and those above pass.
    pub fn new(level: AccessLevel) -> Self {
        Self {
            rule: Rule::AccessLevel(level),
            refuser: Refuser::default(),
        }
    }
}

guard_layer! {
    /// Lets only sessions pass whose token's scope holds all of some words (RFC 6749 §3.3).
    ///
    /// The challenge names them (RFC 6750 §3).
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::RequireScope;
    ///
    /// let readers = RequireScope::new("orders.read")?;
    /// let editors = RequireScope::new("orders.read orders.write")?;
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    RequireScope
}

impl RequireScope {
    /// Requires all of these words, which are separated by single spaces.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if there is no word, or a character that RFC 6749 §3.3 does not allow.
    pub fn new(scope: &str) -> Result<Self, ConfigError> {
        let words: Arc<[String]> = scope.split(' ').map(str::to_owned).collect();
        if !words.iter().all(|word| crate::token::is_scope_word(word)) {
            return Err(ConfigError::new(
                "scope",
                "must be words separated by single spaces",
            ));
        }
        Ok(Self {
            rule: Rule::Scope(words),
            refuser: Refuser::default().with_scope(scope),
        })
    }
}

/// The middleware that a guard layer makes.
#[derive(Debug)]
pub struct GuardService<S, R = Challenge> {
    inner: S,
    shared: Arc<Shared<R>>,
}

#[derive(Debug)]
struct Shared<R> {
    rule: Rule,
    refuser: Refuser<R>,
}

impl<S: Clone, R> Clone for GuardService<S, R> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<S, R> GuardService<S, R> {
    /// The inner service.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, R, ReqBody, ResBody> Service<Request<ReqBody>> for GuardService<S, R>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    R: Refusal<ResBody>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        match self.shared.rule.check(request.extensions().get()) {
            Ok(()) => ResponseFuture::guarded(self.inner.call(request)),
            Err(error) => {
                let headers = mem::take(request.headers_mut());
                let refuser = &self.shared.refuser;
                let response = refuser.refuse(request.method(), headers, error);
                ResponseFuture::refused(Ok(response))
            }
        }
    }
}
