//! The request headers that describe the client at the moment of a call.

use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName, HeaderValue, header::ACCEPT_LANGUAGE};

use crate::client::{self, AcceptLanguage, ClientContext, ClientDefaults, ClientHints, Culture};

pub(crate) static CLIENT_CULTURE: HeaderName = HeaderName::from_static("client-culture");
pub(crate) static CLIENT_UI_CULTURE: HeaderName = HeaderName::from_static("client-ui-culture");
pub(crate) static CLIENT_UTC_OFFSET: HeaderName = HeaderName::from_static("client-utc-offset");
pub(crate) static CLIENT_TIME_ZONE: HeaderName = HeaderName::from_static("client-time-zone");

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
pub struct ClientHeaders {
    culture: bool,
    ui_culture: bool,
    utc_offset: bool,
    time_zone: bool,
    accept_language: bool,
}

impl ClientHeaders {
    /// No header.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            culture: false,
            ui_culture: false,
            utc_offset: false,
            time_zone: false,
            accept_language: false,
        }
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
        Self {
            culture: true,
            ui_culture: true,
            utc_offset: true,
            time_zone: true,
            accept_language: true,
        }
    }

    /// Turns `Client-Culture` on: a BCP 47 tag such as `de-CH`; `_` is read as `-`.
    #[must_use]
    pub const fn with_culture(mut self) -> Self {
        self.culture = true;
        self
    }

    /// Turns `Client-UI-Culture` on: a BCP 47 tag such as `de-CH`; `_` is read as `-`.
    #[must_use]
    pub const fn with_ui_culture(mut self) -> Self {
        self.ui_culture = true;
        self
    }

    /// Turns `Client-UTC-Offset` on: an offset such as `+05:30` (RFC 3339 §5.6), positive east of
    /// Greenwich, within ±14:00. Without `Client-Time-Zone` beside it, the token's zone is dropped.
    #[must_use]
    pub const fn with_utc_offset(mut self) -> Self {
        self.utc_offset = true;
        self
    }

    /// Turns `Client-Time-Zone` on: an IANA name such as `Europe/Berlin`, in any case.
    #[must_use]
    pub const fn with_time_zone(mut self) -> Self {
        self.time_zone = true;
        self
    }

    /// Turns `Accept-Language` on (RFC 9110 §12.5.4), which is asked after the token.
    #[must_use]
    pub const fn with_accept_language(mut self) -> Self {
        self.accept_language = true;
        self
    }

    /// The names of the headers that are turned on, for the allow list of a CORS layer.
    pub fn names(self) -> impl Iterator<Item = HeaderName> {
        self.enabled().cloned()
    }

    fn enabled(self) -> impl Iterator<Item = &'static HeaderName> {
        [
            (self.culture, &CLIENT_CULTURE),
            (self.ui_culture, &CLIENT_UI_CULTURE),
            (self.utc_offset, &CLIENT_UTC_OFFSET),
            (self.time_zone, &CLIENT_TIME_ZONE),
            (self.accept_language, &ACCEPT_LANGUAGE),
        ]
        .into_iter()
        .filter_map(|(on, name)| on.then_some(name))
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
        if self == Self::none() || !self.enabled().any(|name| headers.contains_key(name)) {
            return None;
        }
        let mut reader = Reader {
            headers,
            ignored_values: 0,
        };
        let hints = ClientHints {
            culture: reader.read(self.culture, &CLIENT_CULTURE, Culture::parse_lenient),
            ui_culture: reader.read(self.ui_culture, &CLIENT_UI_CULTURE, Culture::parse_lenient),
            utc_offset: reader.read(self.utc_offset, &CLIENT_UTC_OFFSET, client::parse_offset),
            time_zone: reader.read(self.time_zone, &CLIENT_TIME_ZONE, |text| text.parse().ok()),
        };
        let languages = if self.accept_language {
            reader.accept_language()
        } else {
            None
        };
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
        on: bool,
        name: &HeaderName,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        if !on {
            return None;
        }
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?;
        let parsed = value
            .to_str()
            .ok()
            .filter(|text| text.len() <= MAX_BYTES && values.all(|other| other == value))
            .and_then(parse);
        self.count(parsed)
    }

    fn accept_language(&mut self) -> Option<AcceptLanguage> {
        let values = || self.headers.get_all(ACCEPT_LANGUAGE).iter();
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
