//! The answer to a request that is refused, in three forms.

use std::sync::Arc;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};

use crate::error::{ConfigError, SessionError, SessionErrorKind};

static GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
static GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// The realm of challenges for which none is set (RFC 9110 §11.5).
const DEFAULT_REALM: &str = "session";

/// The form of a refusal's body: [`Challenge`], [`ProblemDetails`] or [`OnReject`].
///
/// It is sealed: for an answer of your own there is `on_reject`.
pub trait Refusal<B>: sealed::Sealed {
    /// Adds a body to the finished status and headers.
    #[doc(hidden)]
    fn respond(&self, head: Response<()>, error: &SessionError) -> Response<B>;
}

mod sealed {
    #[expect(unnameable_types, reason = "it is how a trait is sealed")]
    pub trait Sealed {}
    impl Sealed for super::Challenge {}
    impl Sealed for super::ProblemDetails {}
    impl<F> Sealed for super::OnReject<F> {}
}

/// The bare challenge: status and `WWW-Authenticate` (RFC 6750 §3), and an empty body.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Challenge;

impl<B: Default> Refusal<B> for Challenge {
    fn respond(&self, head: Response<()>, _: &SessionError) -> Response<B> {
        head.map(|()| B::default())
    }
}

/// A body of `application/problem+json` (RFC 9457) with `type`, `title`, `status` and `code`.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ProblemDetails;

impl<B: From<Bytes>> Refusal<B> for ProblemDetails {
    fn respond(&self, mut head: Response<()>, error: &SessionError) -> Response<B> {
        if head.headers().contains_key(&GRPC_STATUS) {
            return head.map(|()| Bytes::new().into());
        }
        let status = error.status();
        let body = serde_json::json!({
            "type": "about:blank",
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "code": error.code(),
        });
        let json = HeaderValue::from_static("application/problem+json");
        head.headers_mut().insert(CONTENT_TYPE, json);
        head.map(|()| Bytes::from(body.to_string()).into())
    }
}

/// An answer that the application makes; see
/// [`SessionLayer::on_reject`](crate::SessionLayer::on_reject).
#[derive(Clone, Copy)]
pub struct OnReject<F>(pub(super) F);

impl<F, B> Refusal<B> for OnReject<F>
where
    F: Fn(Response<()>, &SessionError) -> Response<B>,
{
    fn respond(&self, head: Response<()>, error: &SessionError) -> Response<B> {
        (self.0)(head, error)
    }
}

impl<F> std::fmt::Debug for OnReject<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OnReject").finish_non_exhaustive()
    }
}

/// Makes the answers of one layer.
#[derive(Debug)]
pub(crate) struct Refuser<R> {
    challenges: Challenges,
    form: Arc<R>,
}

impl<R> Clone for Refuser<R> {
    fn clone(&self) -> Self {
        Self {
            challenges: self.challenges.clone(),
            form: Arc::clone(&self.form),
        }
    }
}

impl Default for Refuser<Challenge> {
    fn default() -> Self {
        Self {
            challenges: Challenges::new(DEFAULT_REALM, None),
            form: Arc::new(Challenge),
        }
    }
}

impl<R> Refuser<R> {
    pub(super) fn with_form<R2>(self, form: R2) -> Refuser<R2> {
        Refuser {
            challenges: self.challenges,
            form: Arc::new(form),
        }
    }

    pub(super) fn with_realm(mut self, realm: &str) -> Result<Self, ConfigError> {
        // RFC 9110 §5.6.4: what a quoted string may hold, less what only old senders put there.
        if !realm.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(ConfigError::new("realm", "holds more than printable ASCII"));
        }
        self.challenges = Challenges::new(realm, self.challenges.scope.as_deref());
        Ok(self)
    }

    /// Names the scope that would be enough (RFC 6750 §3).
    pub(super) fn with_scope(mut self, scope: &str) -> Self {
        let realm = Arc::clone(&self.challenges.realm);
        self.challenges = Challenges::new(&realm, Some(scope));
        self
    }

    /// Answers a request that had this method and these headers. They are emptied, and their
    /// memory serves the answer, since refusing has to be cheap.
    pub(crate) fn refuse<B>(
        &self,
        method: &Method,
        headers: HeaderMap,
        error: SessionError,
    ) -> Response<B>
    where
        R: Refusal<B>,
    {
        let grpc_type = grpc_type(method, &headers);
        let mut head = Response::new(());
        *head.headers_mut() = headers;
        head.headers_mut().clear();
        match grpc_type {
            Some(content_type) => grpc_head(content_type, error.kind(), &mut head),
            None => self.http_head(error.kind(), &mut head),
        }
        let mut response = self.form.respond(head, &error);
        response.extensions_mut().insert(error);
        response
    }

    fn http_head(&self, kind: SessionErrorKind, head: &mut Response<()>) {
        *head.status_mut() = kind.status();
        let (name, value) = match self.challenges.of(kind) {
            Some(challenge) => (WWW_AUTHENTICATE, challenge.clone()),
            None => (RETRY_AFTER, HeaderValue::from_static("1")),
        };
        head.headers_mut().insert(name, value);
    }
}

/// The values of `WWW-Authenticate`, made once.
#[derive(Clone, Debug)]
struct Challenges {
    realm: Arc<str>,
    scope: Option<Arc<str>>,
    missing: HeaderValue,
    invalid_request: HeaderValue,
    invalid_token: HeaderValue,
    insufficient_scope: HeaderValue,
}

impl Challenges {
    fn new(realm: &str, scope: Option<&str>) -> Self {
        let quoted = realm.replace('\\', "\\\\").replace('"', "\\\"");
        let value = |more: &str| {
            HeaderValue::try_from(format!("Bearer realm=\"{quoted}\"{more}"))
                .unwrap_or(HeaderValue::from_static("Bearer realm=\"session\""))
        };
        let needed = scope.map_or_else(String::new, |scope| format!(", scope=\"{scope}\""));
        Self {
            realm: realm.into(),
            scope: scope.map(Into::into),
            missing: value(""),
            invalid_request: value(", error=\"invalid_request\""),
            invalid_token: value(", error=\"invalid_token\""),
            insufficient_scope: value(&format!(", error=\"insufficient_scope\"{needed}")),
        }
    }

    /// RFC 6750 §3.1; none where other credentials would not help.
    fn of(&self, kind: SessionErrorKind) -> Option<&HeaderValue> {
        match kind.status() {
            StatusCode::BAD_REQUEST => Some(&self.invalid_request),
            StatusCode::FORBIDDEN => Some(&self.insufficient_scope),
            StatusCode::SERVICE_UNAVAILABLE => None,
            _ if kind == SessionErrorKind::TokenMissing => Some(&self.missing),
            _ => Some(&self.invalid_token),
        }
    }
}

/// The content type of the answer, if the request is one of gRPC.
///
/// Those are always `POST`. A proxy that asks whether it may let a request pass, and goes by the
/// status, sends `GET` with the headers of that request; it must not hear 200 for a content type.
fn grpc_type(method: &Method, headers: &HeaderMap) -> Option<&'static str> {
    const TYPES: [&str; 3] = [
        "application/grpc-web-text",
        "application/grpc-web",
        "application/grpc",
    ];
    if method != Method::POST {
        return None;
    }
    let asked = headers.get(CONTENT_TYPE)?.as_bytes();
    // Before a message's format, or a parameter.
    let end = asked.iter().position(|byte| b"+; \t".contains(byte));
    let asked = asked.get(..end.unwrap_or(asked.len()))?;
    TYPES
        .into_iter()
        .find(|it| asked.eq_ignore_ascii_case(it.as_bytes()))
}

/// gRPC tells its outcome in headers of a response that HTTP takes for a success.
fn grpc_head(content_type: &'static str, kind: SessionErrorKind, head: &mut Response<()>) {
    let code = match kind.status() {
        StatusCode::FORBIDDEN => "7",
        StatusCode::SERVICE_UNAVAILABLE => "14",
        _ => "16",
    };
    let headers = head.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(&GRPC_STATUS, HeaderValue::from_static(code));
    headers.insert(&GRPC_MESSAGE, HeaderValue::from_static(kind.title()));
}
