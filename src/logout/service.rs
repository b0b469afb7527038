//! The endpoint that an identity provider posts logout tokens to.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll},
};

use bytes::Buf;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body;
use tower::Service;

use super::verifier::LogoutVerifier;
use crate::{debug::partial_debug, verify::Revocation};

/// The longest body, in bytes.
const MAX_BODY: usize = 16 << 10;
const FORM: &str = "application/x-www-form-urlencoded";

/// A service for the back-channel logout URI (OpenID Connect Back-Channel Logout 1.0 §2.5).
///
/// It answers 200 when what the token revokes has been published, and 400 to everything else (§2.8),
/// with `Cache-Control: no-store`. The request is a form of at most 16 KiB with one `logout_token`.
///
/// # Examples
///
/// ```
/// use std::{convert::Infallible, time::Duration};
/// use tower_session_token::{LogoutService, LogoutVerifier, Revocation, RevocationList};
/// # use tower_session_token::{KeySet, VerifyingKey};
/// # let keys = KeySet::new([VerifyingKey::hs256([7; 32])?])?;
///
/// let verifier = LogoutVerifier::builder()
///     .keys(keys)
///     .issuer("https://id.example.com")
///     .client_id("orders")
///     .longest_session(Duration::from_secs(8 * 3600))
///     .build()?;
/// let list = RevocationList::new();
/// let publish = move |revocations: Vec<Revocation>| {
///     let list = list.clone();
///     async move {
///         revocations.iter().for_each(|revocation| _ = list.revoke(revocation));
///         Ok::<(), Infallible>(())
///     }
/// };
/// let app: axum::Router = axum::Router::new()
///     .route_service("/backchannel-logout", LogoutService::new(verifier, publish));
/// # Ok::<(), tower_session_token::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct LogoutService<P> {
    verifier: LogoutVerifier,
    publish: P,
}

impl<P> LogoutService<P> {
    /// Makes the service. `publish` is called with what a token revokes, and answers whether it is
    /// enforced wherever it has to be.
    pub fn new(verifier: LogoutVerifier, publish: P) -> Self {
        Self { verifier, publish }
    }
}

impl<B, P, F, E> Service<Request<B>> for LogoutService<P>
where
    B: Body + Send + 'static,
    B::Data: Send,
    P: Fn(Vec<Revocation>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<(), E>> + Send,
    E: Send,
{
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<String>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Self { verifier, publish } = self.clone();
        Box::pin(async move {
            let mut response = Response::default();
            let no_store = HeaderValue::from_static("no-store");
            response
                .headers_mut()
                .insert(header::CACHE_CONTROL, no_store);
            if let Err(reason) = log_out(&verifier, publish, request).await {
                *response.status_mut() = StatusCode::BAD_REQUEST;
                *response.body_mut() = reason.to_owned();
            }
            Ok(response)
        })
    }
}

async fn log_out<B, P, F, E>(
    verifier: &LogoutVerifier,
    publish: P,
    request: Request<B>,
) -> Result<(), &'static str>
where
    B: Body,
    P: Fn(Vec<Revocation>) -> F,
    F: Future<Output = Result<(), E>>,
{
    let (head, body) = request.into_parts();
    let content_type = head.headers.get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|value| value.split(';').next());
    let is_form = media_type.is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case(FORM));
    if head.method != Method::POST || !is_form {
        return Err("a form has to be posted");
    }
    let form = read(body)
        .await
        .ok_or("the body is too long, or broken off")?;
    let token = logout_token(&form).ok_or("one logout_token is needed")?;
    let revocations = verifier
        .verify(token)
        .map_err(|_| "the logout token is invalid")?;
    let published = publish(revocations).await;
    published.map_err(|_| "the logout is not known everywhere yet")
}

/// The body, if it is at most [`MAX_BODY`] long.
async fn read<B: Body>(body: B) -> Option<Vec<u8>> {
    let (mut body, mut bytes) = (pin!(body), Vec::new());
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        // Trailers are no data.
        let Ok(mut data) = frame.ok()?.into_data() else {
            continue;
        };
        while data.has_remaining() {
            let chunk = data.chunk();
            if MAX_BODY.saturating_sub(bytes.len()) < chunk.len() {
                return None;
            }
            bytes.extend_from_slice(chunk);
            data.advance(chunk.len());
        }
    }
    Some(bytes)
}

/// The field, if there is one such. No character of a token is escaped in a form.
fn logout_token(form: &[u8]) -> Option<&[u8]> {
    let mut fields = form.split(|byte| *byte == b'&');
    let mut tokens = fields
        .by_ref()
        .filter_map(|field| field.strip_prefix(b"logout_token="));
    let token = tokens.next()?;
    tokens.next().is_none().then_some(token)
}

partial_debug! {
    LogoutService<P>(service) { verifier: service.verifier }
}
