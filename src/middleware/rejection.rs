//! The response to a request that the layer, or a service behind it, rejects.

use std::{
    fmt, mem,
    sync::{Arc, LazyLock},
};

use bytes::Bytes;
use http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    request::Parts,
};

use crate::error::{SessionError, SessionErrorKind};

static GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
static GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// The form of a rejection's body: [`EmptyBody`], [`ProblemDetails`] or [`OnReject`].
///
/// It is chosen once, on the [`SessionLayer`](crate::SessionLayer). The trait is sealed: for a body
/// of your own, use [`on_reject`](crate::SessionLayer::on_reject).
#[diagnostic::on_unimplemented(
    message = "`{Self}` makes no rejection whose body is `{B}`",
    note = "`EmptyBody`, the default, needs `{B}: Default`",
    note = "`ProblemDetails` needs `{B}: From<Bytes>`",
    note = "`on_reject` takes a closure that returns `http::Response<{B}>`, for any body"
)]
pub trait RejectionBody<B>: sealed::Sealed {
    /// Adds a body to the finished status and headers. `request` is `Some` for a form that
    /// [reads](sealed::Sealed::READS_REQUEST) it.
    #[doc(hidden)]
    fn respond(
        &self,
        request: Option<&Parts>,
        head: Response<()>,
        error: &SessionError,
    ) -> Response<B>;
}

mod sealed {
    #[expect(unnameable_types, reason = "it is how a trait is sealed")]
    pub trait Sealed {
        /// Whether the form needs the head of the rejected request.
        const READS_REQUEST: bool = false;
    }
    impl Sealed for super::EmptyBody {}
    impl Sealed for super::ProblemDetails {}
    impl<F> Sealed for super::OnReject<F> {
        const READS_REQUEST: bool = true;
    }
}

/// The default form of a rejection: status, `WWW-Authenticate` (RFC 6750 §3) and an empty body.
///
/// With the feature `axum`, the body of a 500 describes the mistake in the set-up of the service.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct EmptyBody;

impl<B: Default + 'static> RejectionBody<B> for EmptyBody {
    fn respond(&self, _: Option<&Parts>, head: Response<()>, error: &SessionError) -> Response<B> {
        let mut body = B::default();
        if error.kind() == SessionErrorKind::Misconfigured {
            describe(&mut body, error);
        }
        head.map(|()| body)
    }
}

/// Describes the error in the body, if the body is of a known type.
#[cfg_attr(
    not(feature = "axum"),
    expect(unused_variables, reason = "no type is known")
)]
fn describe(body: &mut dyn std::any::Any, error: &SessionError) {
    #[cfg(feature = "axum")]
    if let Some(body) = body.downcast_mut::<axum_core::body::Body>() {
        *body = error.to_string().into();
    }
}

/// A body of `application/problem+json` (RFC 9457): `type`, `title`, `status`, `code` and
/// `detail`, which is the text of the [`SessionError`].
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ProblemDetails;

impl<B: From<Bytes>> RejectionBody<B> for ProblemDetails {
    fn respond(&self, _: Option<&Parts>, head: Response<()>, error: &SessionError) -> Response<B> {
        if head.headers().contains_key(&GRPC_STATUS) {
            return head.map(|()| Bytes::new().into());
        }
        let status = error.status();
        let body = serde_json::json!({
            "type": "about:blank",
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "code": error.code(),
            "detail": error.to_string(),
        });
        let mut response = head.map(|()| Bytes::from(body.to_string()).into());
        let json = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        response
    }
}

/// A rejection that the application formats; see
/// [`SessionLayer::on_reject`](crate::SessionLayer::on_reject).
#[derive(Clone, Copy)]
pub struct OnReject<F>(pub(super) F);

impl<F, B> RejectionBody<B> for OnReject<F>
where
    F: Fn(&Parts, Response<()>, &SessionError) -> Response<B>,
{
    #[expect(clippy::expect_used, reason = "the invariant is `READS_REQUEST`")]
    fn respond(
        &self,
        request: Option<&Parts>,
        head: Response<()>,
        error: &SessionError,
    ) -> Response<B> {
        let request = request.expect("the head is kept for a form that reads it");
        let mut response = (self.0)(request, head, error);
        // The closure may return another response than `head`, which has the extension.
        response.extensions_mut().insert(*error);
        response
    }
}

impl<F> fmt::Debug for OnReject<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnReject").finish_non_exhaustive()
    }
}

/// The extension that marks a rejection by a service behind the layer, which formats it.
#[derive(Clone)]
struct Unformed {
    error: SessionError,
    /// The scope that would be sufficient.
    scope: Option<Arc<str>>,
}

impl SessionError {
    /// Makes the response with which a guard or handler behind the session layer rejects a request.
    ///
    /// The layer gives it its own form, realm and challenge. Without a layer in front, the response
    /// has the status, the default challenge and an empty body. A response whose status is changed
    /// on its way to the layer, such as a 403 that becomes a 404, is not formatted.
    ///
    /// # Examples
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::{Request, Response};
    /// use http_body_util::Full;
    /// use tower_session_token::{Session, SessionError};
    ///
    /// fn handle(request: &Request<()>) -> Response<Full<Bytes>> {
    ///     match request.extensions().get::<Session>() {
    ///         Some(session) if session.user().is_administrator() => Response::default(),
    ///         _ => SessionError::forbidden().to_response(),
    ///     }
    /// }
    /// # assert_eq!(handle(&Request::new(())).status(), 403);
    /// ```
    #[must_use]
    pub fn to_response<B: Default + 'static>(&self) -> Response<B> {
        unformed(*self, None)
    }
}

/// Makes a rejection that the layer in front formats.
pub(super) fn unformed<B: Default + 'static>(
    error: SessionError,
    scope: Option<Arc<str>>,
) -> Response<B> {
    static DEFAULT: LazyLock<Rejecter<EmptyBody>> =
        LazyLock::new(|| Rejecter::new(&ChallengeParameters::default(), Arc::new(EmptyBody)));
    let mut head = Response::new(());
    DEFAULT.set_head(&mut head, error, scope.as_deref(), None);
    head.extensions_mut().insert(Unformed { error, scope });
    DEFAULT.body.respond(None, head, &error)
}

/// The parameters of a layer's challenges (RFC 6750 §3, RFC 9728 §5.1).
#[derive(Clone, Debug)]
pub(super) struct ChallengeParameters {
    pub(super) realm: String,
    /// The address of the protected resource's metadata.
    pub(super) resource_metadata: Option<String>,
    /// The scope that a token for this service may have.
    pub(super) scope: Option<String>,
}

impl Default for ChallengeParameters {
    fn default() -> Self {
        Self {
            realm: "session".to_owned(),
            resource_metadata: None,
            scope: None,
        }
    }
}

/// The content of a quoted string (RFC 9110 §5.6.4), without `obs-text`.
fn quoted(text: &str) -> String {
    let printable = |char| if matches!(char, ' '..='~') { char } else { '?' };
    let text: String = text.chars().map(printable).collect();
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// The form and challenges of the rejections of one service.
#[derive(Debug)]
pub(super) struct Rejecter<R> {
    /// The values of `WWW-Authenticate` (RFC 6750 §3): of no token, `invalid_request`,
    /// `invalid_token` and `insufficient_scope`.
    challenges: [HeaderValue; 4],
    body: Arc<R>,
}

impl<R> Rejecter<R> {
    pub(super) fn new(parameters: &ChallengeParameters, body: Arc<R>) -> Self {
        let ChallengeParameters {
            realm,
            resource_metadata,
            scope,
        } = parameters;
        let parameter = |name, value: &Option<String>| match value {
            Some(value) => format!(", {name}=\"{}\"", quoted(value)),
            None => String::new(),
        };
        let metadata = parameter("resource_metadata", resource_metadata);
        let scope = parameter("scope", scope);
        let challenges = [
            ("", &*scope),
            (", error=\"invalid_request\"", ""),
            (", error=\"invalid_token\"", &scope),
            (", error=\"insufficient_scope\"", ""),
        ]
        .map(|(error, scope)| {
            let realm = quoted(realm);
            header_value(format!("Bearer realm=\"{realm}\"{error}{scope}{metadata}"))
        });
        Self { challenges, body }
    }

    /// The challenge of RFC 6750 §3.1; `None` where other credentials would not help.
    fn challenge(&self, kind: SessionErrorKind, scope: Option<&str>) -> Option<HeaderValue> {
        let [missing, invalid_request, invalid_token, insufficient_scope] = &self.challenges;
        let challenge = match (kind.status(), scope) {
            (StatusCode::UNAUTHORIZED, _) if kind == SessionErrorKind::TokenMissing => missing,
            (StatusCode::UNAUTHORIZED, _) => invalid_token,
            (StatusCode::BAD_REQUEST, _) => invalid_request,
            (StatusCode::FORBIDDEN, None) => insufficient_scope,
            (StatusCode::FORBIDDEN, Some(scope)) => {
                let scope = format!(", scope=\"{scope}\"");
                let list = [insufficient_scope.as_bytes(), scope.as_bytes()].concat();
                return Some(header_value(list));
            }
            _ => return None,
        };
        Some(challenge.clone())
    }

    /// Rejects a request in front of the inner service. A form that does not read the request
    /// reuses the memory of its headers and extensions, since rejecting has to be cheap.
    pub(super) fn reject<A, B>(&self, request: &mut Request<A>, error: SessionError) -> Response<B>
    where
        R: RejectionBody<B>,
    {
        let grpc_type = grpc_type(request);
        let mut head = Response::new(());
        if R::READS_REQUEST {
            let headers = mem::take(request.headers_mut());
            let extensions = mem::take(request.extensions_mut());
            let request = head_of(request, headers, extensions);
            self.set_head(&mut head, error, None, grpc_type);
            return self.body.respond(Some(&request), head, &error);
        }
        mem::swap(head.headers_mut(), request.headers_mut());
        mem::swap(head.extensions_mut(), request.extensions_mut());
        head.headers_mut().clear();
        head.extensions_mut().clear();
        self.set_head(&mut head, error, None, grpc_type);
        self.body.respond(None, head, &error)
    }

    /// Keeps what the form of a later rejection depends on.
    pub(super) fn keep<A>(&self, request: &Request<A>) -> KeptRequest
    where
        R: sealed::Sealed,
    {
        KeptRequest {
            grpc_type: grpc_type(request),
            head: R::READS_REQUEST.then(|| {
                let (headers, extensions) = (request.headers(), request.extensions());
                Box::new(head_of(request, headers.clone(), extensions.clone()))
            }),
        }
    }

    /// Formats a rejection by a service behind the layer. Any other response is returned unchanged:
    /// one whose status is not the rejection's is the application's own.
    #[inline]
    pub(super) fn form<B>(&self, mut response: Response<B>, request: &KeptRequest) -> Response<B>
    where
        R: RejectionBody<B>,
    {
        // Usual, and cheaper than a search in vain.
        if response.extensions().is_empty() {
            return response;
        }
        match response.extensions_mut().remove::<Unformed>() {
            Some(unformed) if response.status() == unformed.error.status() => {
                self.replace(response, &unformed, request)
            }
            _ => response,
        }
    }

    fn replace<B>(
        &self,
        response: Response<B>,
        Unformed { error, scope }: &Unformed,
        request: &KeptRequest,
    ) -> Response<B>
    where
        R: RejectionBody<B>,
    {
        let mut head = response.map(|_| ());
        for name in [CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE, RETRY_AFTER] {
            head.headers_mut().remove(name);
        }
        self.set_head(&mut head, *error, scope.as_deref(), request.grpc_type);
        self.body.respond(request.head.as_deref(), head, error)
    }

    /// Sets the status and the fields, of which the head has none yet.
    fn set_head(
        &self,
        head: &mut Response<()>,
        error: SessionError,
        scope: Option<&str>,
        grpc_type: Option<&'static str>,
    ) {
        if let Some(content_type) = grpc_type {
            grpc_head(content_type, &error, head);
        } else {
            *head.status_mut() = error.status();
            if let Some(challenge) = self.challenge(error.kind(), scope) {
                head.headers_mut().append(WWW_AUTHENTICATE, challenge);
            } else if error.status() == StatusCode::SERVICE_UNAVAILABLE {
                head.headers_mut().insert(RETRY_AFTER, 1.into());
            }
        }
        head.extensions_mut().insert(error);
    }
}

/// The parts of a request that the form of a rejection depends on, kept while the inner service
/// runs.
pub(super) struct KeptRequest {
    grpc_type: Option<&'static str>,
    /// `Some` for a form that reads it.
    head: Option<Box<Parts>>,
}

/// The head of a request, with these headers and extensions.
fn head_of<A>(request: &Request<A>, headers: HeaderMap, extensions: Extensions) -> Parts {
    let (mut head, ()) = Request::new(()).into_parts();
    head.method = request.method().clone();
    head.uri = request.uri().clone();
    head.version = request.version();
    head.headers = headers;
    head.extensions = extensions;
    head
}

#[expect(clippy::expect_used, reason = "it is independent of the request")]
fn header_value(text: impl Into<Bytes>) -> HeaderValue {
    HeaderValue::from_maybe_shared(text.into()).expect("realm and scope are printable ASCII")
}

/// The content type of the response, if the request is one of gRPC.
///
/// A gRPC request is always a `POST`. A proxy that asks this service whether to forward a request
/// sends `GET` with that request's headers and goes by the status, which must not be 200 then.
#[inline]
fn grpc_type<A>(request: &Request<A>) -> Option<&'static str> {
    const TYPES: [&str; 3] = [
        "application/grpc-web-text",
        "application/grpc-web",
        "application/grpc",
    ];
    if *request.method() != Method::POST {
        return None;
    }
    let content_type = request.headers().get(CONTENT_TYPE)?.as_bytes();
    // The format of messages, or a parameter, may follow.
    let media_type = content_type.split(|byte| b"+; \t".contains(byte)).next()?;
    TYPES
        .into_iter()
        .find(|grpc_type| media_type.eq_ignore_ascii_case(grpc_type.as_bytes()))
}

/// Sets the head of a gRPC rejection: the status is in a header, and the HTTP status is 200.
fn grpc_head(content_type: &'static str, error: &SessionError, head: &mut Response<()>) {
    *head.status_mut() = StatusCode::OK;
    let headers = head.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(&GRPC_STATUS, error.grpc_code().into());
    let message = HeaderValue::from_static(error.kind().title());
    headers.insert(&GRPC_MESSAGE, message);
}
