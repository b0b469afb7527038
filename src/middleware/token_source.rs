//! Where in a request the token is.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{AUTHORIZATION, COOKIE, SEC_WEBSOCKET_PROTOCOL},
};

use crate::error::{ConfigError, SessionError, SessionErrorKind};

/// A place in a request where a token may be.
///
/// A layer looks for [`bearer`](Self::bearer) alone unless
/// [`token_source`](crate::SessionLayer::token_source) adds to it.
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
    /// `Authorization: Bearer` (RFC 6750 §2.1).
    ///
    /// Another scheme counts as no token. A second `Authorization` field is refused, whatever is
    /// in it: two parties may read different ones.
    #[must_use]
    pub const fn bearer() -> Self {
        Self(Kind::Bearer)
    }

    /// A header field of its own, which holds the bare token.
    ///
    /// # Security
    ///
    /// Shared caches treat `Authorization` specially (RFC 9111 §3.5), and no other field or cookie:
    /// answer with `Cache-Control: private` or `no-store`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if `name` is not a field name, or is one that has another meaning.
    pub fn header(name: &str) -> Result<Self, ConfigError> {
        let refuse = |why| ConfigError::new("header", why);
        let name: HeaderName = name
            .parse()
            .map_err(|_| refuse("is not a header field name"))?;
        match [AUTHORIZATION, COOKIE, SEC_WEBSOCKET_PROTOCOL].contains(&name) {
            true => Err(refuse("this field is a token source of another kind")),
            false => Ok(Self(Kind::Header(name))),
        }
    }

    /// The cookie of this name (RFC 6265 §4.2). An empty one counts as a bad token, not as none: at
    /// the end of a session let the browser delete it, by `Max-Age=0`.
    ///
    /// # Security
    ///
    /// Browsers send cookies with requests that other sites make. Set the cookie `SameSite`,
    /// `HttpOnly` and `Secure`, and check the origin of what changes state. Shared caches do not
    /// know that the answer is one user's: send `Cache-Control: private` or `no-store`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if `name` is not a cookie name (RFC 6265 §4.1.1).
    pub fn cookie(name: &str) -> Result<Self, ConfigError> {
        match is_http_token(name) {
            true => Ok(Self(Kind::Cookie(name.into()))),
            false => Err(ConfigError::new("cookie", "is not a cookie name")),
        }
    }

    /// A member of `Sec-WebSocket-Protocol` that starts with `prefix`, usually `bearer.`; the
    /// rest of it is the token. It is how a browser's `WebSocket` can send one.
    ///
    /// The member is taken out of the field, so that no handler chooses, and so echoes, it. Browsers
    /// close a connection whose server chose none of the subprotocols that they offered: let the
    /// client offer one more, and the handler choose that. A second layer inside the first no
    /// longer finds a token.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if `prefix` is empty or cannot begin a subprotocol's name.
    pub fn websocket_protocol(prefix: &str) -> Result<Self, ConfigError> {
        match is_http_token(prefix) {
            true => Ok(Self(Kind::WebSocketProtocol(prefix.into()))),
            false => Err(ConfigError::new(
                "websocket_protocol",
                "cannot begin a subprotocol's name",
            )),
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

/// The one token of the request, if there is any in these sources.
pub(super) fn find<'h>(
    sources: &[TokenSource],
    headers: &'h HeaderMap,
) -> Result<Option<&'h [u8]>, SessionError> {
    let mut found = None;
    for source in sources {
        source.find(headers, &mut found)?;
    }
    Ok(found)
}

/// Why what was [found](find) is refused: `error`, unless it is not even a credential of `Bearer`.
///
/// It is asked after the fact, since what the verifier accepts, or refuses for another reason than
/// its form, is a credential.
pub(super) fn refusal(
    sources: &[TokenSource],
    headers: &HeaderMap,
    token: &[u8],
    error: SessionError,
) -> SessionError {
    if error.kind() != SessionErrorKind::TokenMalformed {
        return error;
    }
    let is_bearer = sources.contains(&TokenSource::bearer())
        && headers
            .get(AUTHORIZATION)
            .is_some_and(|field| bearer_token(field.as_bytes()) == Ok(Some(token)));
    match is_bearer && !is_b64token(token) {
        true => NO_CREDENTIAL,
        false => error,
    }
}

const NO_CREDENTIAL: SessionError = SessionError::new(
    SessionErrorKind::RequestInvalid,
    "`Bearer` is not followed by one credential",
);

/// Marks what held a token as sensitive, so that no `Debug` shows it, and takes subprotocols that
/// are tokens out.
pub(super) fn hide(sources: &[TokenSource], headers: &mut HeaderMap) {
    for TokenSource(kind) in sources {
        match kind {
            // There is one such field at most, or the request was refused.
            Kind::Bearer => {
                if let Some(field) = headers.get_mut(AUTHORIZATION) {
                    field.set_sensitive(true);
                }
            }
            Kind::Header(name) => mark_sensitive(headers, name),
            Kind::Cookie(_) => mark_sensitive(headers, &COOKIE),
            Kind::WebSocketProtocol(prefix) => take_out_protocol(headers, prefix),
        }
    }
}

impl TokenSource {
    fn find<'h>(
        &self,
        headers: &'h HeaderMap,
        found: &mut Option<&'h [u8]>,
    ) -> Result<(), SessionError> {
        let mut note = |token| note(found, token);
        match &self.0 {
            Kind::Bearer => {
                let mut fields = headers.get_all(AUTHORIZATION).iter();
                let Some(field) = fields.next() else {
                    return Ok(());
                };
                if fields.next().is_some() {
                    return Err(invalid("there are two `Authorization` fields"));
                }
                match bearer_token(field.as_bytes())? {
                    Some(token) => note(token),
                    None => Ok(()),
                }
            }
            Kind::Header(name) => headers
                .get_all(name)
                .iter()
                .try_for_each(|field| note(field.as_bytes())),
            Kind::Cookie(name) => cookies(headers)
                .filter(|(it, _)| *it == name.as_bytes())
                .try_for_each(|(_, value)| note(value)),
            Kind::WebSocketProtocol(prefix) => protocols(headers)
                .filter_map(|protocol| protocol.strip_prefix(prefix.as_bytes()))
                .try_for_each(note),
        }
    }
}

fn invalid(detail: &'static str) -> SessionError {
    SessionError::new(SessionErrorKind::RequestInvalid, detail)
}

/// The same token twice is fine; two tokens are not.
fn note<'h>(found: &mut Option<&'h [u8]>, token: &'h [u8]) -> Result<(), SessionError> {
    match found {
        Some(first) if *first != token => Err(invalid("there are two tokens")),
        _ => {
            *found = Some(token);
            Ok(())
        }
    }
}

/// What follows `Bearer`; `None` for another scheme.
fn bearer_token(field: &[u8]) -> Result<Option<&[u8]>, SessionError> {
    const SCHEME: &[u8] = b"bearer";
    let Some((scheme, rest)) = field.split_at_checked(SCHEME.len()) else {
        return Ok(None);
    };
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return Ok(None);
    }
    match rest.first() {
        Some(b' ') => {}
        Some(byte) if is_token_byte(*byte) => return Ok(None),
        _ => return Err(NO_CREDENTIAL),
    }
    let token = rest.iter().position(|byte| *byte != b' ');
    let token = token.and_then(|at| rest.get(at..)).ok_or(NO_CREDENTIAL)?;
    Ok(Some(token))
}

/// RFC 6750 §2.1 `b64token`.
fn is_b64token(text: &[u8]) -> bool {
    let end = text.iter().rposition(|byte| *byte != b'=');
    end.and_then(|end| text.get(..=end)).is_some_and(|text| {
        // Without a branch for each byte many are looked at at once.
        let is_good = |part: &[u8]| {
            part.iter()
                .fold(true, |all, it| all & is_b64token_byte(*it))
        };
        text.chunks(64).all(is_good)
    })
}

fn is_b64token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() | matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/')
}

/// Names and values of all cookies (RFC 6265 §4.2.1). HTTP/2 may send several fields.
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
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
    // Not `entry`, which makes room for one more field.
    for (it, field) in headers.iter_mut() {
        if it == name {
            field.set_sensitive(true);
        }
    }
}

fn take_out_protocol(headers: &mut HeaderMap, prefix: &str) {
    let is_token = |protocol: &&[u8]| protocol.starts_with(prefix.as_bytes());
    if !protocols(headers).any(|it| is_token(&it)) {
        return;
    }
    // A list that is sent on has no empty elements (RFC 9110 §5.6.1.1).
    let kept = || protocols(headers).filter(|it| !it.is_empty() && !is_token(it));
    // In one allocation, however many there are.
    let len = kept().map(|it| it.len().saturating_add(2)).sum();
    let mut list = Vec::with_capacity(len);
    for protocol in kept() {
        if !list.is_empty() {
            list.extend_from_slice(b", ");
        }
        list.extend_from_slice(protocol);
    }
    let is_empty = list.is_empty();
    let field = HeaderValue::from_maybe_shared(Bytes::from(list));
    // Before one is put in, for which a full map would have no place.
    headers.remove(SEC_WEBSOCKET_PROTOCOL);
    if let (Ok(field), false) = (field, is_empty) {
        // It fits: there was one. Should it not, no subprotocol is offered.
        let _ = headers.try_insert(SEC_WEBSOCKET_PROTOCOL, field);
    }
}
