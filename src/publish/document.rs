//! A service that answers with one JSON document.

use std::{
    convert::Infallible,
    fmt,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
};
use sha2::{Digest, Sha256};
use tower::Service;

use crate::jws::KeyStore;

const DEFAULT_MAX_AGE: Duration = Duration::from_secs(300);

/// A Tower service that answers `GET` and `HEAD` with a JSON document, `304` to a matching
/// `If-None-Match` (RFC 9110 §13.1.2), and `405` to other methods.
///
/// # Examples
///
/// The keys of an issuer, at its `jwks_uri`. The document follows the store, so that a new key needs no
/// restart:
///
/// ```
/// use axum::Router;
/// use tower_session_token::{Algorithm, DocumentService, KeySet, KeyStore, SigningKey};
///
/// let signing = SigningKey::generate(Algorithm::ES256)?.with_id("2026-01");
/// let keys = KeyStore::new(KeySet::new([signing.verifying_key()])?);
/// let app: Router = Router::new().route_service("/jwks.json", DocumentService::jwks(keys.clone()));
/// # Ok::<(), tower_session_token::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct DocumentService {
    content_type: HeaderValue,
    max_age: Duration,
    document: Arc<dyn Fn() -> String + Send + Sync>,
}

impl DocumentService {
    pub(super) fn new(
        content_type: &'static str,
        document: impl Fn() -> String + Send + Sync + 'static,
    ) -> Self {
        Self {
            content_type: HeaderValue::from_static(content_type),
            max_age: DEFAULT_MAX_AGE,
            document: Arc::new(document),
        }
    }

    /// The public keys of the set in force as a JWK Set (RFC 7517 §5); secrets are left out.
    ///
    /// To change the signing key, publish the new one, and sign with it no earlier than one
    /// [`max_age`](Self::max_age) later.
    #[must_use]
    pub fn jwks(keys: KeyStore) -> Self {
        Self::new("application/jwk-set+json", move || keys.current().to_jwks())
    }

    /// Sets how long others may keep the document (`max-age`, RFC 9111 §5.2.2.1), in whole seconds.
    /// The default is 5 minutes.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    fn respond(&self, method: &Method, headers: &HeaderMap) -> Response<String> {
        let mut response = Response::new(String::new());
        if ![Method::GET, Method::HEAD].contains(method) {
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            let allowed = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(ALLOW, allowed);
            return response;
        }
        let document = (self.document)();
        let etag = etag(&document);
        let max_age = format!("public, max-age={}", self.max_age.as_secs());
        for (name, value) in [(ETAG, &etag), (CACHE_CONTROL, &max_age)] {
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(name, value);
            }
        }
        if matches(headers, &etag) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        let content_type = self.content_type.clone();
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        if method == Method::GET {
            *response.body_mut() = document;
        }
        response
    }
}

/// A strong entity tag (RFC 9110 §8.8.3): the first half of the document's SHA-256.
fn etag(document: &str) -> String {
    let digest = Sha256::digest(document);
    let digits = digest.iter().take(16).map(|byte| format!("{byte:02x}"));
    format!("\"{}\"", digits.collect::<String>())
}

/// Whether `If-None-Match` names the entity tag, by weak comparison (RFC 9110 §13.1.2).
fn matches(headers: &HeaderMap, etag: &str) -> bool {
    let lists = headers.get_all(IF_NONE_MATCH).iter();
    let lists = lists.filter_map(|list| list.to_str().ok());
    let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

impl<B> Service<Request<B>> for DocumentService {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.respond(request.method(), request.headers())))
    }
}

impl fmt::Debug for DocumentService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DocumentService")
            .field("content_type", &self.content_type)
            .field("max_age", &self.max_age)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http::header::CONTENT_LENGTH;

    use super::*;

    fn ask(service: &DocumentService, method: &Method, if_none_match: &str) -> Response<String> {
        let mut headers = HeaderMap::new();
        if !if_none_match.is_empty() {
            headers.insert(IF_NONE_MATCH, if_none_match.parse().unwrap());
        }
        service.respond(method, &headers)
    }

    #[test]
    fn a_document_is_answered_once_and_then_not_modified() {
        let service = DocumentService::new("application/json", || "{}".to_owned())
            .max_age(Duration::from_millis(60_999));
        let first = ask(&service, &Method::GET, "");
        assert_eq!((first.status(), &**first.body()), (StatusCode::OK, "{}"));
        assert_eq!(first.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(first.headers()[CACHE_CONTROL], "public, max-age=60");
        let etag = first.headers()[ETAG].to_str().unwrap();
        for (if_none_match, status) in [
            (etag.to_owned(), 304),
            (format!("\"x\", W/{etag}"), 304),
            ("*".to_owned(), 304),
            ("\"x\"".to_owned(), 200),
        ] {
            let response = ask(&service, &Method::GET, &if_none_match);
            assert_eq!(response.status(), status, "{if_none_match}");
            assert_eq!(response.body().is_empty(), status == 304);
            assert_eq!(response.headers()[ETAG], etag);
        }
    }

    #[test]
    fn head_has_no_body_and_other_methods_are_405() {
        let service = DocumentService::new("application/json", || "{}".to_owned());
        let head = ask(&service, &Method::HEAD, "");
        assert_eq!((head.status(), &**head.body()), (StatusCode::OK, ""));
        assert!(!head.headers().contains_key(CONTENT_LENGTH));
        let post = ask(&service, &Method::POST, "*");
        assert_eq!(post.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(post.headers()[ALLOW], "GET, HEAD");
    }
}
