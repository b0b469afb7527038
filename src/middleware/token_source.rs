//! The places in a request where a token is found.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{AUTHORIZATION, COOKIE, SEC_WEBSOCKET_PROTOCOL},
};

use crate::error::{ConfigError, SessionError, SessionErrorKind};

/// The maximum number of different cookie values that are verified for one request.
const MAX_COOKIES: usize = 4;

/// A place in a request where a token may be.
///
/// A layer looks in [`bearer`](Self::bearer) alone unless
/// [`token_source`](crate::SessionLayer::token_source) adds others. A token in `Authorization`, in
/// a header of its own or in a subprotocol is an *explicit* credential, and a cookie, which
/// browsers send by themselves, an *ambient* one: where a request has an explicit credential, its
/// cookies are ignored. Two different explicit tokens are rejected (400). An empty field or cookie
/// counts as absent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenSource(Kind);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Kind {
    Bearer,
    Header(HeaderName),
    Cookie(Box<str>),
    WebSocketProtocol(Box<str>),
}

impl TokenSource {
    /// The field `Authorization: Bearer` (RFC 6750 §2.1).
    ///
    /// Another scheme counts as no token. Two `Authorization` fields that are not empty are rejected
    /// (400) whatever their values, since another party may read the other one.
    ///
    /// # Examples
    ///
    /// A service for browsers, which send a cookie, and for other clients:
    ///
    /// ```
    /// use tower_session_token::TokenSource;
    ///
    /// let sources = [TokenSource::bearer(), TokenSource::cookie("session")?];
    /// # let verifier = tower_session_token::SessionVerifier::builder()
    /// #     .key(tower_session_token::VerifyingKey::hs256([7; 32])?).any_issuer().any_audience().build()?;
    /// let layer = tower_session_token::SessionLayer::new(verifier).token_sources(sources);
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn bearer() -> Self {
        Self(Kind::Bearer)
    }

    /// A header field of its own, whose whole value is the token.
    ///
    /// `Authorization`, `Cookie` and `Sec-WebSocket-Protocol` have other values: use
    /// [`bearer`](Self::bearer), [`cookie`](Self::cookie) and
    /// [`websocket_protocol`](Self::websocket_protocol) for them.
    ///
    /// # Security
    ///
    /// Shared caches treat `Authorization` specially (RFC 9111 §3.5), and no other field or cookie:
    /// answer with `Cache-Control: private` or `no-store`.
    ///
    /// # Examples
    ///
    /// ```
    /// use http::HeaderName;
    /// use tower_session_token::TokenSource;
    ///
    /// let source = TokenSource::header(HeaderName::from_static("x-session-token"));
    /// ```
    #[must_use]
    pub const fn header(name: HeaderName) -> Self {
        Self(Kind::Header(name))
    }

    /// The cookie of this name (RFC 6265 §4.2), in exact case.
    ///
    /// Browsers send the cookies of parent paths and parent domains too, so one of an old session
    /// may be sent beside the current one. Up to four different values of all cookie sources together
    /// are verified, and exactly one that verifies is the token. Two that verify, or a fifth value,
    /// are rejected (400). If none verifies, the error is the first one's, or a 503 if there is one.
    ///
    /// Behind an [optional](crate::SessionLayer::optional) layer a cookie that is rejected makes the
    /// request anonymous.
    ///
    /// # Security
    ///
    /// Browsers send cookies with requests that other sites make. Set the cookie `SameSite`,
    /// `HttpOnly` and `Secure`, and check the origin of requests that change state. Shared caches do
    /// not know that the response is one user's: send `Cache-Control: private` or `no-store`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if `name` is not a cookie name (RFC 6265 §4.1.1).
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::TokenSource;
    ///
    /// let source = TokenSource::cookie("__Host-session")?;
    /// assert!(TokenSource::cookie("no cookie").is_err());
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    pub fn cookie(name: &str) -> Result<Self, ConfigError> {
        if is_http_token(name) {
            Ok(Self(Kind::Cookie(name.into())))
        } else {
            Err(ConfigError::new("cookie", "is not a cookie name"))
        }
    }

    /// The member of `Sec-WebSocket-Protocol` that starts with `prefix`, usually `bearer.`; the
    /// rest of it is the token. It is how a browser's `WebSocket` can send one.
    ///
    /// The layer removes the member from the field, so that no handler selects it and echoes the
    /// token. Browsers close a connection whose server selected none of the subprotocols that they
    /// offered: let the client offer one more, and the handler select that.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if `prefix` is empty or cannot begin a subprotocol's name.
    ///
    /// # Examples
    ///
    /// In a browser: `new WebSocket(url, ["chat", "bearer." + token])`.
    ///
    /// ```
    /// use tower_session_token::TokenSource;
    ///
    /// let source = TokenSource::websocket_protocol("bearer.")?;
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    pub fn websocket_protocol(prefix: &str) -> Result<Self, ConfigError> {
        if is_http_token(prefix) {
            Ok(Self(Kind::WebSocketProtocol(prefix.into())))
        } else {
            let reason = "cannot begin a subprotocol's name";
            Err(ConfigError::new("websocket_protocol", reason))
        }
    }
}

/// RFC 9110 §5.6.2 `token`.
fn is_http_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

static COOKIE_FIELD: HeaderName = COOKIE;

pub(super) const TWO_COOKIES: SessionError = invalid("two session cookies are valid");

impl TokenSource {
    /// Calls `found` with each value of the source that is not empty.
    fn each<'h>(
        &self,
        headers: &'h HeaderMap,
        mut found: impl FnMut(&'h [u8]) -> Result<(), SessionError>,
    ) -> Result<(), SessionError> {
        let mut found = |value: &'h [u8]| {
            if value.trim_ascii().is_empty() {
                Ok(())
            } else {
                found(value)
            }
        };
        match &self.0 {
            Kind::Bearer => bearer_token(headers)?.map_or(Ok(()), found),
            Kind::Header(name) => {
                let mut fields = headers.get_all(name).iter();
                fields.try_for_each(|field| found(field.as_bytes()))
            }
            Kind::Cookie(name) => all_cookies(headers)
                .filter(|(other, _)| *other == name.as_bytes())
                .try_for_each(|(_, value)| found(value)),
            Kind::WebSocketProtocol(prefix) => protocols(headers)
                .filter_map(|protocol| protocol.strip_prefix(prefix.as_bytes()))
                .try_for_each(found),
        }
    }

    fn is_cookie(&self) -> bool {
        matches!(self.0, Kind::Cookie(_))
    }

    /// The field that a response has to name in `Vary`. Shared caches do not store responses to
    /// `Authorization` (RFC 9111 §3.5), nor to a WebSocket handshake.
    fn vary(&self) -> Option<&HeaderName> {
        match &self.0 {
            Kind::Header(name) => Some(name),
            Kind::Cookie(_) => Some(&COOKIE_FIELD),
            Kind::Bearer | Kind::WebSocketProtocol(_) => None,
        }
    }
}

/// A token, and the field that the response has to name in `Vary`.
type Credential<'h, 's> = (&'h [u8], Option<&'s HeaderName>);

/// Finds the one explicit credential of the request.
pub(super) fn explicit<'h, 's>(
    sources: &'s [TokenSource],
    headers: &'h HeaderMap,
) -> Result<Option<Credential<'h, 's>>, SessionError> {
    let mut found = None;
    for source in sources.iter().filter(|source| !source.is_cookie()) {
        source.each(headers, |token| {
            let (first, _) = found.get_or_insert((token, source.vary()));
            let is_same = *first == token;
            is_same.then_some(()).ok_or(invalid("there are two tokens"))
        })?;
    }
    Ok(found)
}

/// Finds the different values of the session cookies, at most [`MAX_COOKIES`].
pub(super) fn cookies<'h, 's>(
    sources: &'s [TokenSource],
    headers: &'h HeaderMap,
) -> Result<impl Iterator<Item = Credential<'h, 's>>, SessionError> {
    let mut found = [None::<Credential<'h, 's>>; MAX_COOKIES];
    for source in sources.iter().filter(|source| source.is_cookie()) {
        source.each(headers, |value| {
            let is_same = |slot: &&mut Option<Credential<'_, '_>>| {
                slot.is_none_or(|(first, _)| first == value)
            };
            let slot = found.iter_mut().find(is_same);
            slot.ok_or(invalid("there are too many session cookies"))?
                .get_or_insert((value, source.vary()));
            Ok(())
        })?;
    }
    Ok(found.into_iter().flatten())
}

/// Turns the `error` of an explicit credential into `RequestInvalid` if it is malformed and not
/// even a `b64token` of `Bearer`. Checked only after a failure, to keep it off the accept path.
pub(super) fn rejection(
    sources: &[TokenSource],
    headers: &HeaderMap,
    token: &[u8],
    error: SessionError,
) -> SessionError {
    let is_bearer =
        || sources.contains(&TokenSource::bearer()) && bearer_token(headers) == Ok(Some(token));
    if error.kind() == SessionErrorKind::TokenMalformed && is_bearer() && !is_b64token(token) {
        NO_CREDENTIAL
    } else {
        error
    }
}

const NO_CREDENTIAL: SessionError = invalid("`Bearer` is not followed by one credential");

/// Marks the fields that may contain a token as sensitive, so that `Debug` does not show it, and
/// removes the subprotocols that are tokens.
pub(super) fn hide(sources: &[TokenSource], headers: &mut HeaderMap) {
    for TokenSource(kind) in sources {
        match kind {
            Kind::Bearer => mark_sensitive(headers, &AUTHORIZATION),
            Kind::Header(name) => mark_sensitive(headers, name),
            Kind::Cookie(_) => mark_sensitive(headers, &COOKIE),
            Kind::WebSocketProtocol(prefix) => remove_protocols(headers, prefix),
        }
    }
}

const fn invalid(detail: &'static str) -> SessionError {
    SessionError::new(SessionErrorKind::RequestInvalid, detail)
}

/// Finds the credential of `Bearer`; `None` for another scheme and for an empty field.
fn bearer_token(headers: &HeaderMap) -> Result<Option<&[u8]>, SessionError> {
    const SCHEME: &[u8] = b"bearer";
    let fields = headers.get_all(AUTHORIZATION).iter();
    let mut fields = fields
        .map(HeaderValue::as_bytes)
        .filter(|field| !field.trim_ascii().is_empty());
    let Some(field) = fields.next() else {
        return Ok(None);
    };
    if fields.next().is_some() {
        return Err(invalid("there are two `Authorization` fields"));
    }
    let rest = match field.split_at_checked(SCHEME.len()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(SCHEME) => rest,
        _ => return Ok(None),
    };
    if rest.first().copied().is_some_and(is_token_byte) {
        return Ok(None);
    }
    let start = rest
        .iter()
        .position(|byte| *byte != b' ')
        .unwrap_or_default();
    match rest.split_at_checked(start) {
        Some(([_, ..], token)) if !token.trim_ascii().is_empty() => Ok(Some(token)),
        _ => Err(NO_CREDENTIAL),
    }
}

/// RFC 6750 §2.1 `b64token`.
fn is_b64token(text: &[u8]) -> bool {
    let end = text.iter().rposition(|byte| *byte != b'=');
    end.and_then(|end| text.get(..=end)).is_some_and(|text| {
        // Without a branch per byte, the loop is vectorized.
        text.iter()
            .fold(true, |all, byte| all & is_b64token_byte(*byte))
    })
}

fn is_b64token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() | matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/')
}

/// Names and values of all cookies (RFC 6265 §4.2.1). HTTP/2 may send several fields.
fn all_cookies(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|field| field.as_bytes().split(|byte| *byte == b';'))
        .filter_map(|pair| {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let (name, value) = (halves.next()?, halves.next()?.trim_ascii());
            let unquoted = value
                .strip_prefix(b"\"")
                .and_then(|value| value.strip_suffix(b"\""));
            Some((name.trim_ascii(), unquoted.unwrap_or(value)))
        })
}

/// The subprotocols that the client offers (RFC 6455 §4.1).
fn protocols(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .flat_map(|field| field.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
}

fn mark_sensitive(headers: &mut HeaderMap, name: &HeaderName) {
    // Neither `entry`, which makes room for one more field, nor `get_mut`, which has the first of
    // several alone.
    for (other, field) in headers.iter_mut() {
        if other == name {
            field.set_sensitive(true);
        }
    }
}

fn remove_protocols(headers: &mut HeaderMap, prefix: &str) {
    let is_token = |protocol: &&[u8]| protocol.starts_with(prefix.as_bytes());
    if !protocols(headers).any(|protocol| is_token(&protocol)) {
        return;
    }
    // A list that is sent on has no empty elements (RFC 9110 §5.6.1.1).
    let kept = || protocols(headers).filter(|protocol| !protocol.is_empty() && !is_token(protocol));
    // In one allocation, however many there are.
    let len = kept()
        .map(|protocol| protocol.len().saturating_add(2))
        .sum();
    let mut list = Vec::with_capacity(len);
    for protocol in kept() {
        if !list.is_empty() {
            list.extend_from_slice(b", ");
        }
        list.extend_from_slice(protocol);
    }
    let is_empty = list.is_empty();
    let field = HeaderValue::from_maybe_shared(Bytes::from(list));
    // Before one is inserted, for which a full map would have no place.
    headers.remove(SEC_WEBSOCKET_PROTOCOL);
    if let (Ok(mut field), false) = (field, is_empty) {
        // A token that has commas in it leaves pieces behind.
        field.set_sensitive(true);
        // It fits: there was one. Should it not, no subprotocol is offered.
        let _ = headers.try_insert(SEC_WEBSOCKET_PROTOCOL, field);
    }
}
