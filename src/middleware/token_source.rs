//! The places in a request where a token is found.

use std::mem;

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
pub struct TokenSource {
    field: HeaderName,
    form: Form,
}

/// The place of the token in the field's value.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Form {
    Bearer,
    Whole,
    /// The cookie of this name.
    Cookie(Box<str>),
    /// The list's members with this prefix.
    Subprotocol(Box<str>),
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
        Self {
            field: AUTHORIZATION,
            form: Form::Bearer,
        }
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
        Self {
            field: name,
            form: Form::Whole,
        }
    }

    /// The cookie of this name (RFC 6265 §4.2), in exact case.
    ///
    /// Browsers send the cookies of parent paths and parent domains too, so one of an old session
    /// may be sent beside the current one. Up to four different values of all cookie sources together
    /// are verified, and exactly one that verifies is the token. Two that verify, or a fifth value,
    /// are rejected (400). If none verifies, the error is the first one's. If the revocation status of
    /// any is unknown, so is whether another is the only one: the request is rejected (503).
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
        let name = http_token(name).ok_or(ConfigError::new("cookie", "is not a cookie name"))?;
        let (field, form) = (COOKIE, Form::Cookie(name));
        Ok(Self { field, form })
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
        let error = ConfigError::new("websocket_protocol", "cannot begin a subprotocol's name");
        let prefix = http_token(prefix).ok_or(error)?;
        let (field, form) = (SEC_WEBSOCKET_PROTOCOL, Form::Subprotocol(prefix));
        Ok(Self { field, form })
    }
}

/// The text, if it is a `token` of RFC 9110 §5.6.2.
fn http_token(text: &str) -> Option<Box<str>> {
    let is_token = !text.is_empty() && text.bytes().all(is_token_byte);
    is_token.then(|| text.into())
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

const NO_CREDENTIAL: SessionError = invalid("`Bearer` is not followed by one credential");
const TWO_AUTHORIZATIONS: SessionError = invalid("there are two `Authorization` fields");
pub(super) const TWO_COOKIES: SessionError = invalid("two session cookies are valid");

const fn invalid(detail: &'static str) -> SessionError {
    SessionError::new(SessionErrorKind::RequestInvalid, detail)
}

/// An explicit token.
#[derive(Clone, Copy)]
pub(super) struct Credential<'h, 's> {
    pub(super) token: &'h [u8],
    /// The header of its own, which the response has to name in `Vary`. Shared caches do not store
    /// responses to `Authorization` (RFC 9111 §3.5), nor to a WebSocket handshake.
    pub(super) own_header: Option<&'s HeaderName>,
    is_bearer: bool,
}

impl Credential<'_, '_> {
    /// Turns the `error` of the token into `RequestInvalid` if the token is malformed and not even a
    /// `b64token` of `Bearer`. Checked only after a failure, to keep it off the accept path.
    pub(super) fn rejection(self, error: SessionError) -> SessionError {
        let is_malformed = error.kind() == SessionErrorKind::TokenMalformed;
        if is_malformed && self.is_bearer && !is_b64token(self.token) {
            NO_CREDENTIAL
        } else {
            error
        }
    }
}

/// Whether tokens are looked for in `Authorization` alone, which is the usual case.
#[inline]
pub(super) fn is_bearer_alone(sources: &[TokenSource]) -> bool {
    matches!(sources, [source] if source.form == Form::Bearer)
}

/// Finds the one explicit credential of the request. Marks all fields that may contain a token as
/// sensitive, so that `Debug` does not show it.
#[inline]
pub(super) fn explicit<'h, 's>(
    sources: &'s [TokenSource],
    headers: &'h mut HeaderMap,
) -> Result<Option<Credential<'h, 's>>, SessionError> {
    if is_bearer_alone(sources) {
        return bearer(headers);
    }
    of_sources(sources, headers)
}

fn of_sources<'h, 's>(
    sources: &'s [TokenSource],
    headers: &'h mut HeaderMap,
) -> Result<Option<Credential<'h, 's>>, SessionError> {
    let mut found = Ok(None);
    let mut has_authorization = false;
    for (name, field) in headers.iter_mut() {
        let mut own = sources.iter().filter(|source| source.field == *name);
        let mut next = own.next();
        if next.is_none() {
            continue;
        }
        let Some(field) = sensitive_bytes(field) else {
            continue;
        };
        if *name == AUTHORIZATION && mem::replace(&mut has_authorization, true) {
            found = Err(TWO_AUTHORIZATIONS);
        }
        while let Some(source) = next {
            found = found.and_then(|found| source.find(field, found));
            next = own.next();
        }
    }
    found
}

/// As [`of_sources`], for `Authorization: Bearer` alone: nothing else is asked of a field.
#[inline]
fn bearer(headers: &mut HeaderMap) -> Result<Option<Credential<'_, 'static>>, SessionError> {
    let mut found = None;
    let mut is_second = false;
    for (name, field) in headers.iter_mut() {
        if *name == AUTHORIZATION
            && let Some(field) = sensitive_bytes(field)
        {
            is_second |= found.replace(field).is_some();
        }
    }
    if is_second {
        return Err(TWO_AUTHORIZATIONS);
    }
    let token = found.map_or(Ok(None), bearer_token)?;
    Ok(token.map(|token| Credential {
        token,
        own_header: None,
        is_bearer: true,
    }))
}

/// The bytes of a field that may contain a token, which it marks as sensitive; `None` if it is empty.
#[inline]
fn sensitive_bytes(field: &mut HeaderValue) -> Option<&[u8]> {
    field.set_sensitive(true);
    let field = field.as_bytes();
    (!field.iter().all(u8::is_ascii_whitespace)).then_some(field)
}

impl TokenSource {
    /// Finds the source's explicit tokens in a field that is not empty: all of a request have to be
    /// the same.
    fn find<'h, 's>(
        &'s self,
        field: &'h [u8],
        found: Option<Credential<'h, 's>>,
    ) -> Result<Option<Credential<'h, 's>>, SessionError> {
        let add = |found: Option<Credential<'h, 's>>, token| match found {
            Some(first) if first.token != token => Err(invalid("there are two tokens")),
            _ => {
                let own_header = (self.form == Form::Whole).then_some(&self.field);
                Ok(Some(Credential {
                    token,
                    own_header: found.and_then(|first| first.own_header).or(own_header),
                    is_bearer: self.form == Form::Bearer
                        || found.is_some_and(|first| first.is_bearer),
                }))
            }
        };
        match &self.form {
            Form::Bearer => match bearer_token(field)? {
                Some(token) => add(found, token),
                None => Ok(found),
            },
            Form::Whole => add(found, field),
            Form::Cookie(_) => Ok(found),
            Form::Subprotocol(prefix) => members(field, b',')
                .filter_map(|protocol| protocol.strip_prefix(prefix.as_bytes()))
                .filter(|token| !token.is_empty())
                .try_fold(found, add),
        }
    }
}

/// Finds the different values of the session cookies, at most [`MAX_COOKIES`], none of them empty.
pub(super) fn cookies<'h>(
    sources: &[TokenSource],
    headers: &'h HeaderMap,
) -> Result<impl Iterator<Item = &'h [u8]>, SessionError> {
    let mut found = [&b""[..]; MAX_COOKIES];
    for source in sources {
        let Form::Cookie(name) = &source.form else {
            continue;
        };
        // HTTP/2 may send several fields.
        let fields = headers.get_all(COOKIE).iter();
        let pairs = fields.flat_map(|field| members(field.as_bytes(), b';'));
        for value in pairs.filter_map(|pair| cookie_value(pair, name)) {
            let mut slots = found.iter_mut();
            let slot = slots.find(|slot| slot.is_empty() || **slot == value);
            *slot.ok_or(invalid("there are too many session cookies"))? = value;
        }
    }
    Ok(found.into_iter().filter(|value| !value.is_empty()))
}

/// The value of the cookie of this name (RFC 6265 §4.2.1); `None` if it is empty.
fn cookie_value<'h>(pair: &'h [u8], name: &str) -> Option<&'h [u8]> {
    let mut halves = pair.splitn(2, |byte| *byte == b'=').map(<[u8]>::trim_ascii);
    let (own_name, value) = (halves.next()?, halves.next()?);
    let quoted = value.strip_prefix(b"\"");
    let unquoted = quoted.and_then(|value| value.strip_suffix(b"\""));
    let value = unquoted.unwrap_or(value);
    (own_name == name.as_bytes() && !value.trim_ascii().is_empty()).then_some(value)
}

/// Finds the credential of `Bearer`; `None` for another scheme.
#[inline]
fn bearer_token(field: &[u8]) -> Result<Option<&[u8]>, SessionError> {
    let Some((scheme, rest)) = field.split_first_chunk::<6>() else {
        return Ok(None);
    };
    if scheme != b"Bearer" && !scheme.eq_ignore_ascii_case(b"bearer") {
        return Ok(None);
    }
    match rest.iter().position(|byte| *byte != b' ') {
        Some(start @ 1..) => Ok(rest.get(start..)),
        // A longer scheme.
        Some(0) if rest.first().copied().is_some_and(is_token_byte) => Ok(None),
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

/// The members of a list, without the white space around them.
fn members(list: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    list.split(move |byte| *byte == separator)
        .map(<[u8]>::trim_ascii)
}

/// Removes the subprotocols that are tokens (RFC 6455 §4.1).
pub(super) fn remove_subprotocols(sources: &[TokenSource], headers: &mut HeaderMap) {
    for source in sources {
        let Form::Subprotocol(prefix) = &source.form else {
            continue;
        };
        let fields = || headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
        let protocols = || fields().flat_map(|field| members(field.as_bytes(), b','));
        let is_token = |protocol: &&[u8]| protocol.starts_with(prefix.as_bytes());
        if !protocols().any(|protocol| is_token(&protocol)) {
            continue;
        }
        // In one allocation, and without empty elements (RFC 9110 §5.6.1.1).
        let len = fields().map(|field| field.len().saturating_add(2)).sum();
        let mut kept = Vec::with_capacity(len);
        for protocol in protocols().filter(|protocol| !protocol.is_empty() && !is_token(protocol)) {
            if !kept.is_empty() {
                kept.extend_from_slice(b", ");
            }
            kept.extend_from_slice(protocol);
        }
        let list = HeaderValue::from_maybe_shared(Bytes::from(kept));
        // Removed first: a full map has no place for another field.
        headers.remove(SEC_WEBSOCKET_PROTOCOL);
        if let Ok(mut list) = list
            && !list.is_empty()
        {
            // A token that has commas in it leaves pieces behind.
            list.set_sensitive(true);
            // It fits: there was one. Should it not, no subprotocol is offered.
            let _ = headers.try_insert(SEC_WEBSOCKET_PROTOCOL, list);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;

    type Found = Result<Option<(Vec<u8>, bool, bool)>, SessionError>;

    fn found(result: Result<Option<Credential<'_, '_>>, SessionError>) -> Found {
        let credential = result?;
        Ok(credential.map(|found| {
            (
                found.token.to_vec(),
                found.own_header.is_some(),
                found.is_bearer,
            )
        }))
    }

    proptest! {
        #[test]
        fn bearer_alone_is_found_as_one_of_several_sources_is(
            fields in vec((select(vec!["authorization", "cookie"]), "(Bearer|bEARER|Basic|Bearerx)?[ \t]{0,2}[a-z.é]{0,3}"), 0..4),
        ) {
            let mut headers = HeaderMap::new();
            for (name, field) in &fields {
                headers.append(*name, HeaderValue::from_bytes(field.as_bytes()).unwrap());
            }
            let mut others = headers.clone();
            prop_assert_eq!(found(bearer(&mut headers)), found(of_sources(&[TokenSource::bearer()], &mut others)));
            let are_sensitive = |headers: &HeaderMap| headers.values().map(HeaderValue::is_sensitive).collect::<Vec<_>>();
            prop_assert_eq!(are_sensitive(&headers), are_sensitive(&others));
        }
    }
}
