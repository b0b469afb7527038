//! The request headers that describe the client at a call.

use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::client::{self, AcceptLanguage, ClientContext, ClientDefaults, ClientHints, Culture};

static ACCEPT_LANGUAGE: HeaderName = header::ACCEPT_LANGUAGE;
static CLIENT_CULTURE: HeaderName = HeaderName::from_static("client-culture");
static CLIENT_UI_CULTURE: HeaderName = HeaderName::from_static("client-ui-culture");
static CLIENT_UTC_OFFSET: HeaderName = HeaderName::from_static("client-utc-offset");
static CLIENT_TIME_ZONE: HeaderName = HeaderName::from_static("client-time-zone");

/// The longest value of a `Client-*` header that is read, in bytes.
const MAX_BYTES: usize = 64;

/// The set of request headers that may override what the token says of its client; none by
/// default.
///
/// The culture and offset in a token are those of the instant when it was issued. A client that
/// travels may send others with each request. They are not signed: use them for display only. An
/// ill-formed value is ignored, and counted in [`ClientContext::ignored_values`]; so is one of
/// more than 64 bytes (of `Accept-Language`: 500).
///
/// # Examples
///
/// ```
/// use tower_session_token::ClientHeaders;
///
/// let clock = ClientHeaders::none().with_utc_offset().with_time_zone();
/// // What a CORS layer has to allow.
/// let names: Vec<_> = clock.names().collect();
/// assert_eq!(names, ["client-utc-offset", "client-time-zone"]);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ClientHeaders(
    /// Culture, UI culture, offset, zone and `Accept-Language`.
    [Option<&'static HeaderName>; 5],
);

impl ClientHeaders {
    /// The empty set.
    #[must_use]
    pub const fn none() -> Self {
        Self([None; 5])
    }

    /// All five headers.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::ClientHeaders;
    ///
    /// assert_eq!(ClientHeaders::all().names().count(), 5);
    /// ```
    #[must_use]
    pub const fn all() -> Self {
        Self::none()
            .with_culture()
            .with_ui_culture()
            .with_utc_offset()
            .with_time_zone()
            .with_accept_language()
    }

    /// Turns `Client-Culture` on: a BCP 47 tag such as `de-CH`; `_` is read as `-`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::ClientHeaders;
    ///
    /// let headers = ClientHeaders::none().with_culture();
    /// assert!(headers.names().eq(["client-culture"]));
    /// ```
    #[must_use]
    pub const fn with_culture(mut self) -> Self {
        self.0[0] = Some(&CLIENT_CULTURE);
        self
    }

    /// Turns `Client-UI-Culture` on: a BCP 47 tag such as `de-CH`; `_` is read as `-`.
    #[must_use]
    pub const fn with_ui_culture(mut self) -> Self {
        self.0[1] = Some(&CLIENT_UI_CULTURE);
        self
    }

    /// Turns `Client-UTC-Offset` on: an offset such as `+05:30` (RFC 3339 §5.6), positive east of
    /// Greenwich, within ±14:00. Without `Client-Time-Zone` beside it, the token's zone is dropped.
    #[must_use]
    pub const fn with_utc_offset(mut self) -> Self {
        self.0[2] = Some(&CLIENT_UTC_OFFSET);
        self
    }

    /// Turns `Client-Time-Zone` on: an IANA name such as `Europe/Berlin`, in any case.
    #[must_use]
    pub const fn with_time_zone(mut self) -> Self {
        self.0[3] = Some(&CLIENT_TIME_ZONE);
        self
    }

    /// Turns `Accept-Language` on (RFC 9110 §12.5.4). It applies where neither the other headers nor
    /// the token name a culture.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::ClientHeaders;
    ///
    /// let headers = ClientHeaders::none().with_accept_language();
    /// assert!(headers.names().eq(["accept-language"]));
    /// ```
    #[must_use]
    pub const fn with_accept_language(mut self) -> Self {
        self.0[4] = Some(&ACCEPT_LANGUAGE);
        self
    }

    /// The names of the headers that are turned on, for the allow list of a CORS layer.
    pub fn names(self) -> impl Iterator<Item = HeaderName> {
        self.0.into_iter().flatten().cloned()
    }

    /// Applies a request's headers to `base`, which the token or the defaults made; `None` where
    /// no header is turned on and present.
    pub(super) fn resolve(
        self,
        headers: &HeaderMap,
        defaults: &ClientDefaults,
        base: &ClientContext,
        now: impl FnOnce() -> DateTime<Utc>,
    ) -> Option<ClientContext> {
        let mut enabled = self.0.into_iter().flatten();
        if !enabled.any(|name| headers.contains_key(name)) {
            return None;
        }
        let [culture, ui_culture, utc_offset, time_zone, accept_language] = self.0;
        let mut reader = Reader {
            headers,
            ignored_values: 0,
        };
        let hints = ClientHints {
            culture: reader.read(culture, Culture::parse_lenient),
            ui_culture: reader.read(ui_culture, Culture::parse_lenient),
            utc_offset: reader.read(utc_offset, client::parse_offset),
            time_zone: reader.read(time_zone, |text| text.parse().ok()),
        };
        let languages = accept_language.and_then(|name| reader.accept_language(name));
        let ignored_values = reader.ignored_values;
        Some(defaults.resolve_call(base, &hints, languages.as_ref(), ignored_values, now()))
    }
}

/// Parses header values and counts those that are ignored.
struct Reader<'h> {
    headers: &'h HeaderMap,
    ignored_values: u8,
}

impl Reader<'_> {
    fn read<T>(
        &mut self,
        name: Option<&HeaderName>,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let mut values = self.headers.get_all(name?).iter();
        let value = values.next()?;
        let parsed = value
            .to_str()
            .ok()
            .filter(|text| text.len() <= MAX_BYTES && values.all(|other| other == value))
            .and_then(parse);
        self.count(parsed)
    }

    fn accept_language(&mut self, name: &HeaderName) -> Option<AcceptLanguage> {
        let values = || self.headers.get_all(name).iter();
        let first = values().next()?.as_bytes();
        // Several fields are one list (RFC 9110 §5.3).
        let commas = values().count().saturating_sub(1);
        let len = values()
            .map(HeaderValue::len)
            .fold(commas, usize::saturating_add);
        let languages = match commas {
            0 => AcceptLanguage::parse(first),
            _ if len > AcceptLanguage::MAX_BYTES => None,
            _ => {
                let all: Vec<_> = values().map(HeaderValue::as_bytes).collect();
                AcceptLanguage::parse(&all.join(&b","[..]))
            }
        };
        self.count(languages)
    }

    fn count<T>(&mut self, parsed: Option<T>) -> Option<T> {
        let ignored = u8::from(parsed.is_none());
        // At most one for each header.
        self.ignored_values = self.ignored_values.saturating_add(ignored);
        parsed
    }
}
