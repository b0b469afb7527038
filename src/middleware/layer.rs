//! Configures the middleware.

use http::Response;
use tower::Layer;

use super::{
    client_headers::ClientHeaders,
    rejection::{Challenge, OnReject, ProblemDetails, Refuser},
    service::{LayerConfig, SessionService},
    token_source::TokenSource,
    vary::NegotiationHeaders,
};
use crate::{
    error::{ConfigError, SessionError},
    verify::SessionVerifier,
};

/// Puts a [`Session`](crate::Session) into the extensions of each request that carries a valid
/// token, and refuses the others.
///
/// What happens to a request:
///
/// 1. A `Session` that is in its extensions already is removed.
/// 2. The token is looked for in the [sources](Self::token_source). Without one the request is
///    refused (401), unless the layer is [optional](Self::optional). Two tokens are refused (400).
/// 3. The [`SessionVerifier`] verifies it, revocation included. A bad token is rejected (401, or 503
///    where revocation cannot be determined), in an optional layer too.
/// 4. The session and the [`ClientContext`](crate::ClientContext) of the call go into the
///    extensions, and the inner service runs in the scope of the session
///    ([`SessionContext`](crate::SessionContext)).
///
/// A CORS preflight carries no token: put the CORS layer outside of this one. Limits of
/// concurrency or rate go outside too: as with any layer that answers in place of the inner
/// service, a permit that the inner service took in `poll_ready` is held until the next call or
/// drop.
///
/// `R` is the form of a refusal's body: [`Challenge`], which is empty,
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
pub struct SessionLayer<R = Challenge> {
    config: LayerConfig,
    refuser: Refuser<R>,
}

impl<R> Clone for SessionLayer<R> {
    fn clone(&self) -> Self {
        Self {
            config: self.config.clone(),
            refuser: self.refuser.clone(),
        }
    }
}

impl SessionLayer {
    /// A layer that requires a token in `Authorization: Bearer`.
    pub fn new(verifier: SessionVerifier) -> Self {
        Self {
            config: LayerConfig {
                verifier,
                optional: false,
                sources: vec![TokenSource::bearer()],
                client_headers: ClientHeaders::none(),
                negotiation: NegotiationHeaders::default(),
            },
            refuser: Refuser::default(),
        }
    }
}

impl<R> SessionLayer<R> {
    /// Lets a request without a token pass, with no `Session` in its extensions. A bad token is
    /// refused all the same.
    pub fn optional(mut self) -> Self {
        self.config.optional = true;
        self
    }

    /// Sets the realm of the challenge (RFC 9110 §11.5): `session` by default.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if it holds more than printable ASCII.
    pub fn realm(mut self, realm: &str) -> Result<Self, ConfigError> {
        self.refuser = self.refuser.with_realm(realm)?;
        Ok(self)
    }

    /// Looks for the token in one more place, after those before.
    pub fn token_source(mut self, source: TokenSource) -> Self {
        self.config.sources.push(source);
        self
    }

    /// Looks for the token in these places alone, in this order; `Authorization: Bearer` is one
    /// of them only if it is named. In none, no request has a token.
    pub fn token_sources(mut self, sources: impl IntoIterator<Item = TokenSource>) -> Self {
        self.config.sources = sources.into_iter().collect();
        self
    }

    /// Lets these request headers override what the token says of its client; none by default.
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
        self.config.negotiation = NegotiationHeaders::new(client_headers);
        self
    }

    /// Answers refusals with a body of `application/problem+json` (RFC 9457).
    pub fn problem_details(self) -> SessionLayer<ProblemDetails> {
        self.with_form(ProblemDetails)
    }

    /// Answers refusals with what `respond` makes of the finished status and headers.
    ///
    /// A refused gRPC request (`POST` of `application/grpc`, `-web` or `-web-text`) is answered in
    /// headers alone: where these have a `grpc-status`, the body has to stay empty.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_session_token::{SessionLayer, SessionVerifier, VerifyingKey};
    /// # let verifier = SessionVerifier::builder()
    /// #     .key(VerifyingKey::hs256([7; 32])?).any_issuer().any_audience().build()?;
    /// let layer = SessionLayer::new(verifier)
    ///     .on_reject(|head, error| head.map(|()| format!("refused: {}", error.code())));
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    pub fn on_reject<F, B>(self, respond: F) -> SessionLayer<OnReject<F>>
    where
        F: Fn(Response<()>, &SessionError) -> Response<B>,
    {
        self.with_form(OnReject(respond))
    }

    fn with_form<R2>(self, form: R2) -> SessionLayer<R2> {
        SessionLayer {
            config: self.config,
            refuser: self.refuser.with_form(form),
        }
    }
}

impl<S, R> Layer<S> for SessionLayer<R> {
    type Service = SessionService<S, R>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionService::new(inner, self.config.clone(), self.refuser.clone())
    }
}
