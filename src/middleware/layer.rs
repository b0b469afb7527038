//! The layer, which configures the middleware.

use std::sync::Arc;

use http::{Response, request::Parts};
use tower::Layer;

use super::{
    client_headers::ClientHeaders,
    rejection::{ChallengeParameters, EmptyBody, OnReject, ProblemDetails, Rejecter},
    service::{LayerConfig, SessionService},
    token_source::TokenSource,
};
use crate::{error::SessionError, publish::ProtectedResource, verify::SessionVerifier};

/// A layer that puts a [`Session`](crate::Session) into the extensions of each request that carries
/// a valid token, and rejects the others.
///
/// A request passes these steps:
///
/// 1. A `Session`, [`ClientContext`](crate::ClientContext) or [`SessionError`] that is in its
///    extensions already, from a request that was forwarded, is removed.
/// 2. The token is looked for in the [sources](Self::token_source). Without one the request is
///    rejected (401), unless the layer is [optional](Self::optional). Two tokens are rejected (400).
/// 3. The [`SessionVerifier`] verifies it, revocation included. A bad token is rejected (401, or 503
///    where its key or its revocation cannot be determined); only a bad
///    cookie makes the request anonymous
///    where the layer is optional.
/// 4. The session goes into the extensions, or where there is none the `ClientContext` of the
///    call ([`ClientContext::of`](crate::ClientContext::of) reads both).
/// 5. The inner service runs in the scope of the session
///    ([`SessionContext`](crate::SessionContext)).
/// 6. A rejection by a guard such as [`RequireSession`](crate::RequireSession), by an extractor or by
///    a handler ([`SessionError::to_response`]) gets the form, realm and challenge of this layer.
///
/// A CORS preflight carries no token: put the CORS layer outside of this one. Limits of
/// concurrency or rate go outside too: as with any layer that answers in place of the inner
/// service, a permit that the inner service took in `poll_ready` is held until the next call or
/// drop.
///
/// One stack has one session layer. An inner one that finds the session of an outer one, which it
/// would hide, responds with a 500 that names the mistake. A handler that forwards its request to a
/// service with a layer of its own removes the `Session` from the extensions first.
///
/// With axum, `Router::layer` makes unknown paths answer 401 too, and `Router::route_layer` leaves
/// them 404. Either is called after (below) the routes and guards; in a `tower::ServiceBuilder` the
/// session layer comes before (above) the guards.
///
/// `R` is the form of a rejection's body: [`EmptyBody`], which needs only a body with a `Default`,
/// [`ProblemDetails`](Self::problem_details), or [your own](Self::on_reject). The
/// [`SessionError`] is in the response's extensions in each case.
///
/// # Examples
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use tower::{Layer, ServiceExt, service_fn};
/// use tower_session_token::{SessionLayer, SessionVerifier, VerifyingKey};
///
/// # futures_executor::block_on(async {
/// let verifier = SessionVerifier::builder()
///     .key(VerifyingKey::hs256([7; 32])?)
///     .issuer("https://id.example.com")
///     .audience("orders")
///     .build()?;
/// let service = SessionLayer::new(verifier).layer(service_fn(async |_: Request<()>| {
///     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
/// }));
///
/// let response = service.oneshot(Request::new(())).await?;
/// assert_eq!(response.status(), 401);
/// assert_eq!(response.headers()["www-authenticate"], "Bearer realm=\"session\"");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
#[must_use = "a layer does nothing before it is put around a service"]
pub struct SessionLayer<R = EmptyBody> {
    config: LayerConfig,
    body: Arc<R>,
}

impl<R> Clone for SessionLayer<R> {
    fn clone(&self) -> Self {
        Self {
            config: self.config.clone(),
            body: Arc::clone(&self.body),
        }
    }
}

impl SessionLayer {
    /// Makes a layer that requires a token in `Authorization: Bearer`.
    pub fn new(verifier: SessionVerifier) -> Self {
        Self {
            config: LayerConfig {
                verifier,
                optional: false,
                sources: vec![TokenSource::bearer()],
                challenge: ChallengeParameters::default(),
                client_headers: ClientHeaders::none(),
            },
            body: Arc::new(EmptyBody),
        }
    }
}

impl<R> SessionLayer<R> {
    /// Admits a request without a token, with no `Session` in its extensions.
    ///
    /// A bad token is rejected all the same if it is explicit (bearer, a header of its own, a
    /// subprotocol). A bad cookie, which a browser sends until it is deleted, makes the request
    /// anonymous, and the [`SessionError`] is in the *request's* extensions, so that a sign-in page
    /// stays reachable and can delete the cookie. A 503 stays a 503.
    ///
    /// # Examples
    ///
    /// ```
    /// use http::{Request, Response};
    /// use tower::{Layer, ServiceExt, service_fn};
    /// use tower_session_token::{Session, SessionError, SessionLayer, TokenSource};
    ///
    /// # let verifier = tower_session_token::SessionVerifier::builder()
    /// #     .key(tower_session_token::VerifyingKey::hs256([7; 32])?).any_issuer().any_audience().build()?;
    /// # futures_executor::block_on(async {
    /// let service = SessionLayer::new(verifier)
    ///     .optional()
    ///     .token_source(TokenSource::cookie("session")?)
    ///     .layer(service_fn(async |request: Request<()>| {
    ///         assert!(request.extensions().get::<Session>().is_none());
    ///         let bad_cookie = request.extensions().get::<SessionError>();
    ///         Ok::<_, std::convert::Infallible>(Response::new(match bad_cookie {
    ///             Some(error) => error.code().to_owned(),
    ///             None => "anonymous".to_owned(),
    ///         }))
    ///     }));
    ///
    /// let response = service.clone().oneshot(Request::new(())).await?;
    /// assert_eq!(response.body(), "anonymous");
    /// let request = Request::get("/").header("cookie", "session=stale").body(())?;
    /// assert_eq!(service.oneshot(request).await?.body(), "token_malformed");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    pub fn optional(mut self) -> Self {
        self.config.optional = true;
        self
    }

    /// Sets the realm of the challenge (RFC 9110 §11.5): `session` by default.
    ///
    /// It is a label for people. Quotes and backslashes are escaped, and a character that is not
    /// printable ASCII is sent as `?`.
    ///
    /// # Examples
    ///
    /// ```
    /// # let verifier = tower_session_token::SessionVerifier::builder()
    /// #     .key(tower_session_token::VerifyingKey::hs256([7; 32])?).any_issuer().any_audience().build()?;
    /// // WWW-Authenticate: Bearer realm="orders"
    /// let layer = tower_session_token::SessionLayer::new(verifier).realm("orders");
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    pub fn realm(mut self, realm: &str) -> Self {
        self.config.challenge.realm = realm.into();
        self
    }

    /// Names the metadata of this protected resource in each challenge (`resource_metadata`, RFC 9728
    /// §5.1), and its scope in those of 401 (RFC 6750 §3).
    ///
    /// # Examples
    ///
    /// See [`ProtectedResource`].
    pub fn protected_resource(mut self, resource: &ProtectedResource) -> Self {
        let scope = Some(resource.scopes().join(" ")).filter(|scope| !scope.is_empty());
        self.config.challenge.resource_metadata = Some(resource.metadata_uri().to_owned());
        self.config.challenge.scope = scope;
        self
    }

    /// Adds a place to look for the token, after the places before it.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{SessionLayer, TokenSource};
    ///
    /// # let verifier = tower_session_token::SessionVerifier::builder()
    /// #     .key(tower_session_token::VerifyingKey::hs256([7; 32])?).any_issuer().any_audience().build()?;
    /// // `Authorization: Bearer`, else the cookie.
    /// let layer = SessionLayer::new(verifier).token_source(TokenSource::cookie("session")?);
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    pub fn token_source(mut self, source: TokenSource) -> Self {
        self.config.sources.push(source);
        self
    }

    /// Sets the places to look for the token, in this order. They replace `Authorization: Bearer`,
    /// unless it is among them. With an empty list, no request has a token.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{SessionLayer, TokenSource};
    ///
    /// # let verifier = tower_session_token::SessionVerifier::builder()
    /// #     .key(tower_session_token::VerifyingKey::hs256([7; 32])?).any_issuer().any_audience().build()?;
    /// // The cookie, and no `Authorization`.
    /// let layer = SessionLayer::new(verifier).token_sources([TokenSource::cookie("session")?]);
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    pub fn token_sources(mut self, sources: impl IntoIterator<Item = TokenSource>) -> Self {
        self.config.sources = sources.into_iter().collect();
        self
    }

    /// Sets the request headers that override the token's claims about its client; none by default.
    ///
    /// The response then names them in `Vary`, and its `Content-Language` is the UI culture where
    /// one of them decided it or the service has a list of supported cultures.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_session_token::{SessionVerifier, VerifyingKey};
    /// use tower_session_token::{ClientHeaders, SessionLayer};
    ///
    /// # let verifier = SessionVerifier::builder()
    /// #     .key(VerifyingKey::hs256([7; 32])?).any_issuer().any_audience().build()?;
    /// let layer = SessionLayer::new(verifier).client_headers(ClientHeaders::all());
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    pub fn client_headers(mut self, client_headers: ClientHeaders) -> Self {
        self.config.client_headers = client_headers;
        self
    }

    /// Makes the body of rejections `application/problem+json` (RFC 9457): by this layer, and by
    /// guards, extractors and handlers behind it.
    ///
    /// # Examples
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::{Request, Response};
    /// use http_body_util::{BodyExt, Full};
    /// use tower::{Layer, ServiceExt, service_fn};
    /// use tower_session_token::SessionLayer;
    ///
    /// # let verifier = tower_session_token::SessionVerifier::builder()
    /// #     .key(tower_session_token::VerifyingKey::hs256([7; 32])?).any_issuer().any_audience().build()?;
    /// # futures_executor::block_on(async {
    /// let service = SessionLayer::new(verifier).problem_details().layer(service_fn(
    ///     async |_: Request<()>| Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default())),
    /// ));
    /// let response = service.oneshot(Request::new(())).await?;
    /// let body = response.into_body().collect().await?.to_bytes();
    /// let body: serde_json::Value = serde_json::from_slice(&body)?;
    /// assert_eq!(body["code"], "token_missing");
    /// assert_eq!(body["detail"], "the request carries no session token: no token was found");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    pub fn problem_details(self) -> SessionLayer<ProblemDetails> {
        self.with_body(ProblemDetails)
    }

    /// Answers rejections with the response that `respond` makes of the request's head (method, URI,
    /// headers), of the finished status and headers, and of the error: rejections by this layer, and
    /// by guards, extractors and handlers behind it.
    ///
    /// A rejected gRPC request (`POST` of `application/grpc`, `-web` or `-web-text`) is answered in
    /// headers alone: where these have a `grpc-status`, the body has to stay empty.
    ///
    /// Since a handler may reject after it has consumed its request, the layer keeps a copy of the
    /// head of each request that it admits, with its extensions. The other forms keep none.
    ///
    /// # Examples
    ///
    /// Browsers are sent to the sign-in page:
    ///
    /// ```
    /// use http::{HeaderValue, Request, Response, header::{ACCEPT, LOCATION}};
    /// use tower::{Layer, ServiceExt, service_fn};
    /// use tower_session_token::SessionLayer;
    ///
    /// # let verifier = tower_session_token::SessionVerifier::builder()
    /// #     .key(tower_session_token::VerifyingKey::hs256([7; 32])?).any_issuer().any_audience().build()?;
    /// let layer = SessionLayer::new(verifier).on_reject(|request, mut response, error| {
    ///     let accept = request.headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    ///     if error.status() == 401 && accept.is_some_and(|accept| accept.contains("text/html")) {
    ///         let target = format!("/login?next={}", request.uri.path());
    ///         *response.status_mut() = http::StatusCode::SEE_OTHER;
    ///         if let Ok(target) = HeaderValue::try_from(target) {
    ///             response.headers_mut().insert(LOCATION, target);
    ///         }
    ///     }
    ///     response.map(|()| format!("rejected: {}", error.code()))
    /// });
    ///
    /// # futures_executor::block_on(async {
    /// let service = layer.layer(service_fn(async |_: Request<()>| {
    ///     Ok::<_, std::convert::Infallible>(Response::new(String::new()))
    /// }));
    /// let page = Request::get("/cart").header("accept", "text/html").body(())?;
    /// assert_eq!(service.clone().oneshot(page).await?.headers()["location"], "/login?next=/cart");
    /// let response = service.oneshot(Request::new(())).await?;
    /// assert_eq!((response.status().as_u16(), response.body().as_str()), (401, "rejected: token_missing"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    ///
    /// In axum, the closure returns an `axum::response::Response`:
    /// `response.map(|()| axum::body::Body::from("sign in first"))`.
    pub fn on_reject<F, B>(self, respond: F) -> SessionLayer<OnReject<F>>
    where
        F: Fn(&Parts, Response<()>, &SessionError) -> Response<B>,
    {
        self.with_body(OnReject(respond))
    }

    fn with_body<R2>(self, body: R2) -> SessionLayer<R2> {
        SessionLayer {
            config: self.config,
            body: Arc::new(body),
        }
    }
}

impl<S, R> Layer<S> for SessionLayer<R> {
    type Service = SessionService<S, R>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionService {
            inner,
            config: Arc::new(self.config.clone()),
            rejecter: Arc::new(Rejecter::new(
                &self.config.challenge,
                Arc::clone(&self.body),
            )),
        }
    }
}
