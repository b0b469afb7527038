//! The HTTP requests of a read, and what of their responses is believed.

use std::{
    borrow::Cow,
    error::Error,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    time::Duration,
};

use bytes::Buf;
use chrono::DateTime;
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode, Uri,
    header::{ACCEPT, AGE, CACHE_CONTROL, DATE, EXPIRES, HeaderName, RETRY_AFTER},
};
use http_body::Body;
use serde::Deserialize;
use tower::Service;

use super::{address::Origin, machine::ReadFailure, status::FetchErrorKind};
use crate::{
    json::{Cursor, Names, Reader},
    key::{Algorithm, KeySet},
    uri,
};

const MAX_BYTES: usize = 256 << 10;
const MAX_NESTING: usize = 32;
/// The age of metadata at which they are read again.
const MAX_METADATA_AGE: Duration = Duration::from_secs(24 * 3600);

type FetchFuture = Pin<Box<dyn Future<Output = Result<Fetched, ReadFailure>> + Send>>;
/// An HTTP client, with the types of its bodies and errors erased.
pub(super) type Client = Box<dyn Fn(&Uri) -> FetchFuture + Send + Sync>;

/// The body of a response with status 200.
pub(super) struct Fetched {
    body: Vec<u8>,
    lifetime: Option<Duration>,
}

impl Fetched {
    /// The body if it is JSON in which no object has a member twice. A byte order mark in front is
    /// left out (RFC 8259 §8.1).
    fn json(&self) -> Option<&str> {
        let body = self.body.strip_prefix("\u{feff}".as_bytes());
        let json = std::str::from_utf8(body.unwrap_or(&self.body)).ok()?;
        let (mut reader, _) = Reader::new(json.trim_ascii_start(), MAX_NESTING).ok()?;
        let mut cursor = reader.cursor();
        check_members(&mut reader, &mut cursor, MAX_NESTING)?;
        cursor.end()?;
        Some(json)
    }
}

/// Takes a value in which no object has a member twice, and which is at most `levels` deep.
fn check_members<'a>(
    reader: &mut Reader<'a>,
    cursor: &mut Cursor<'a>,
    levels: usize,
) -> Option<()> {
    if cursor.is_at(b'{') {
        let levels = reader.deeper(levels)?;
        let mut names = Names::default();
        reader.object(cursor, |reader, cursor, name| {
            names.add(name, reader)?;
            check_members(reader, cursor, levels)
        })?;
        names.check(reader)
    } else if cursor.is_at(b'[') {
        let levels = reader.deeper(levels)?;
        reader.items(cursor, |reader, cursor| {
            check_members(reader, cursor, levels)
        })
    } else {
        reader.skip(cursor, 0)
    }
}

impl From<FetchErrorKind> for ReadFailure {
    fn from(kind: FetchErrorKind) -> Self {
        Self {
            kind,
            retry_after: None,
        }
    }
}

/// Makes a [`Client`] of any Tower service for HTTP.
pub(super) fn client<C, ReqBody, ResBody>(client: C) -> Client
where
    C: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + Sync + 'static,
    C::Future: Send,
    C::Error: Into<Box<dyn Error + Send + Sync>>,
    ReqBody: Default + Send + 'static,
    ResBody: Body<Data: Send> + Send + 'static,
{
    Box::new(move |uri| {
        let mut client = client.clone();
        let mut request = Request::new(ReqBody::default());
        request.uri_mut().clone_from(uri);
        let accept = HeaderValue::from_static("application/jwk-set+json, application/json");
        request.headers_mut().insert(ACCEPT, accept);
        // A cache between here and the provider would hide a new key.
        let no_cache = HeaderValue::from_static("no-cache");
        request.headers_mut().insert(CACHE_CONTROL, no_cache);
        Box::pin(async move {
            let failed = |error: C::Error| kind_of(&*error.into());
            let ready = poll_fn(|cx| client.poll_ready(cx)).await;
            ready.map_err(failed)?;
            let response = client.call(request).await.map_err(failed)?;
            let (head, body) = response.into_parts();
            if head.status != StatusCode::OK {
                return Err(ReadFailure {
                    kind: FetchErrorKind::Status(head.status),
                    retry_after: seconds(head.headers.get(RETRY_AFTER))
                        .or_else(|| until(&head.headers, RETRY_AFTER)),
                });
            }
            Ok(Fetched {
                body: read_body(body).await?,
                lifetime: lifetime(&head.headers),
            })
        })
    })
}

async fn read_body(body: impl Body) -> Result<Vec<u8>, FetchErrorKind> {
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let Ok(mut data) = frame.or(Err(FetchErrorKind::Client))?.into_data() else {
            continue;
        };
        if data.remaining() > MAX_BYTES.saturating_sub(bytes.len()) {
            return Err(FetchErrorKind::TooLarge);
        }
        while data.has_remaining() {
            let chunk = data.chunk();
            bytes.extend_from_slice(chunk);
            let len = chunk.len();
            data.advance(len);
        }
    }
    Ok(bytes)
}

/// The kind of a client's error, which is not kept: it may quote the network.
#[cfg(feature = "https")]
fn kind_of(error: &(dyn Error + 'static)) -> FetchErrorKind {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<rustls::Error>() {
            return FetchErrorKind::Tls;
        }
        // The source of an I/O error is not its content, but the content's source.
        let content = error
            .downcast_ref()
            .and_then(|error: &std::io::Error| error.get_ref());
        cause = match content {
            Some(content) => Some(content),
            None => error.source(),
        };
    }
    FetchErrorKind::Client
}

#[cfg(not(feature = "https"))]
fn kind_of(_: &(dyn Error + 'static)) -> FetchErrorKind {
    FetchErrorKind::Client
}

/// `max-age` (RFC 9111 §5.2.2.1) less `Age` (§5.1), else until `Expires` (§5.3).
fn lifetime(headers: &HeaderMap) -> Option<Duration> {
    let mut directives = headers
        .get_all(CACHE_CONTROL)
        .iter()
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(','));
    let max_age = directives.find_map(|directive| {
        let (name, value) = directive.trim().split_once('=')?;
        let is_max_age = name.eq_ignore_ascii_case("max-age");
        delta_seconds(value.trim_matches('"')).filter(|_| is_max_age)
    });
    if let Some(max_age) = max_age {
        let age = seconds(headers.get(AGE)).unwrap_or_default();
        return Some(max_age.saturating_sub(age));
    }
    // An invalid date is in the past (RFC 9111 §5.3).
    let expires = || until(headers, EXPIRES).unwrap_or_default();
    headers.contains_key(EXPIRES).then(expires)
}

/// The time from the response's `Date` to the date in another field (RFC 9110 §5.6.7).
fn until(headers: &HeaderMap, name: HeaderName) -> Option<Duration> {
    let date = |name| DateTime::parse_from_rfc2822(headers.get(name)?.to_str().ok()?).ok();
    let until = date(name)?.signed_duration_since(date(DATE)?);
    until.to_std().ok()
}

fn seconds(field: Option<&HeaderValue>) -> Option<Duration> {
    delta_seconds(field?.to_str().ok()?.trim())
}

/// Digits alone (RFC 9111 §1.2.2).
fn delta_seconds(text: &str) -> Option<Duration> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = text.parse().ok().filter(|_| is_number)?;
    Some(Duration::from_secs(seconds))
}

/// Reads the sets of one origin.
pub(super) struct Fetcher {
    origin: Origin,
    client: Client,
    algorithms: Vec<Algorithm>,
    allow_http: bool,
    /// The address of the set by the metadata, and when they were asked for last.
    by_metadata: Option<(Uri, Duration)>,
}

/// The members of an issuer's metadata that are read.
#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    issuer: Cow<'a, str>,
    #[serde(borrow)]
    jwks_uri: Cow<'a, str>,
}

impl Fetcher {
    pub(super) fn new(
        origin: Origin,
        client: Client,
        algorithms: Vec<Algorithm>,
        allow_http: bool,
    ) -> Self {
        Self {
            origin,
            client,
            algorithms,
            allow_http,
            by_metadata: None,
        }
    }

    /// Reads the set, and its lifetime by the response. `failures` is the number of failed reads in a
    /// row before this one.
    pub(super) async fn read(
        &mut self,
        failures: u32,
        now: Duration,
    ) -> Result<(KeySet, Option<Duration>), ReadFailure> {
        let uri = self.set_uri(failures, now).await?;
        let set = (self.client)(&uri).await?;
        let json = set.json().ok_or(FetchErrorKind::NoUsableKey)?;
        let keys = KeySet::from_public_jwks(json.as_bytes(), &self.algorithms);
        let keys = keys.or(Err(FetchErrorKind::NoUsableKey))?;
        Ok((keys, set.lifetime))
    }

    /// The address of the set, by the metadata where they are due.
    async fn set_uri(&mut self, failures: u32, now: Duration) -> Result<Uri, ReadFailure> {
        let (issuer, forms) = match &self.origin {
            Origin::Set { uri } => return Ok(uri.clone()),
            Origin::Issuer { issuer, metadata } => (issuer, metadata),
        };
        if let Some((uri, asked_at)) = &mut self.by_metadata {
            // After a failure the set may have moved, or the metadata may be what fails: the metadata
            // are read again after every second failure, and the known address is used otherwise.
            let may_have_moved = failures > 0 && failures.is_multiple_of(2);
            if !may_have_moved && now.saturating_sub(*asked_at) < MAX_METADATA_AGE {
                return Ok(uri.clone());
            }
            *asked_at = now;
        }
        let mut failure = None;
        for form in forms {
            match self.metadata(issuer, form).await {
                Ok(uri) => {
                    self.by_metadata = Some((uri.clone(), now));
                    return Ok(uri);
                }
                Err(error) => {
                    let is_telling = error.kind == FetchErrorKind::IssuerMismatch;
                    failure = failure.filter(|_| !is_telling).or(Some(error));
                }
            }
        }
        match (&self.by_metadata, failure) {
            (Some((uri, _)), _) => Ok(uri.clone()),
            (None, failure) => Err(failure.unwrap_or(FetchErrorKind::NotMetadata.into())),
        }
    }

    async fn metadata(&self, issuer: &str, form: &Uri) -> Result<Uri, ReadFailure> {
        let fetched = (self.client)(form).await?;
        let json = fetched.json().ok_or(FetchErrorKind::NotMetadata)?;
        let metadata: Metadata<'_> =
            serde_json::from_str(json).or(Err(FetchErrorKind::NotMetadata))?;
        if metadata.issuer != issuer {
            return Err(FetchErrorKind::IssuerMismatch.into());
        }
        let uri = uri::parse(&metadata.jwks_uri, self.allow_http).ok();
        // The metadata of another machine do not lead to this one.
        let allows_http = self.allow_http || form.scheme_str() == Some("http");
        let uri = uri.filter(|uri| allows_http || uri.scheme_str() == Some("https"));
        Ok(uri.ok_or(FetchErrorKind::InsecureUri)?)
    }
}
