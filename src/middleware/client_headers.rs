//! The request headers that describe the client at a call.

use std::fmt;

use chrono::{DateTime, Utc};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ACCEPT_LANGUAGE, GetAll},
};

use crate::client::{self, AcceptLanguage, ClientContext, ClientDefaults, ClientHints, Culture};

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
#[derive(Clone, Copy, Default, Eq, PartialEq)]
pub struct ClientHeaders(
    /// A bit for each of [`NAMES`].
    u8,
);

/// Defines the headers, with the method that turns each on.
macro_rules! client_headers {
    ($($(#[$doc:meta])* $method:ident $index:literal = $name:expr;)*) => {
        /// Culture, UI culture, offset, zone and `Accept-Language`.
        static NAMES: [HeaderName; 5] = [$($name),*];

        impl ClientHeaders {
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
                Self($(1 << $index)|*)
            }

            $(
                $(#[$doc])*
                #[must_use]
                pub const fn $method(mut self) -> Self {
                    self.0 |= 1 << $index;
                    self
                }
            )*
        }
    };
}

client_headers! {
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
    with_culture 0 = HeaderName::from_static("client-culture");
    /// Turns `Client-UI-Culture` on: a BCP 47 tag such as `de-CH`; `_` is read as `-`.
    with_ui_culture 1 = HeaderName::from_static("client-ui-culture");
    /// Turns `Client-UTC-Offset` on: an offset such as `+05:30` (RFC 3339 §5.6), positive east of
    /// Greenwich, within ±14:00. Without `Client-Time-Zone` beside it, the token's zone is dropped.
    with_utc_offset 2 = HeaderName::from_static("client-utc-offset");
    /// Turns `Client-Time-Zone` on: an IANA name such as `Europe/Berlin`, in any case.
    with_time_zone 3 = HeaderName::from_static("client-time-zone");
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
    with_accept_language 4 = ACCEPT_LANGUAGE;
}

impl ClientHeaders {
    /// The empty set.
    #[must_use]
    pub const fn none() -> Self {
        Self(0)
    }

    /// The names of the headers that are turned on, for the allow list of a CORS layer.
    pub fn names(self) -> impl Iterator<Item = HeaderName> {
        self.enabled().cloned()
    }

    pub(super) fn enabled(self) -> impl Iterator<Item = &'static HeaderName> {
        self.slots().into_iter().flatten()
    }

    fn slots(self) -> [Option<&'static HeaderName>; 5] {
        let mut bits = self.0;
        NAMES.each_ref().map(|name| {
            let is_on = bits & 1 == 1;
            bits >>= 1;
            is_on.then_some(name)
        })
    }

    /// Applies a request's headers to `base`, which the token or the defaults made; `None` where
    /// no header is turned on and present.
    #[inline]
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
        let [culture, ui_culture, utc_offset, time_zone, accept_language] = self.slots();
        let mut reader = Reader {
            headers,
            ignored_values: 0,
        };
        let hints = ClientHints {
            culture: reader.read(culture, one(Culture::parse_lenient)),
            ui_culture: reader.read(ui_culture, one(Culture::parse_lenient)),
            utc_offset: reader.read(utc_offset, one(client::parse_offset)),
            time_zone: reader.read(time_zone, one(|text| text.parse().ok())),
        };
        let languages = reader.read(accept_language, languages);
        let ignored_values = reader.ignored_values;
        Some(defaults.resolve_call(base, hints, languages.as_ref(), ignored_values, now()))
    }
}

impl fmt::Debug for ClientHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.enabled()).finish()
    }
}

/// Parses the headers that are turned on and present, and counts those that are ignored.
struct Reader<'h> {
    headers: &'h HeaderMap,
    ignored_values: u8,
}

impl Reader<'_> {
    fn read<T>(
        &mut self,
        name: Option<&HeaderName>,
        parse: impl FnOnce(GetAll<'_, HeaderValue>) -> Option<T>,
    ) -> Option<T> {
        let values = self.headers.get_all(name?);
        values.iter().next()?;
        let parsed = parse(values);
        // At most one for each header.
        self.ignored_values = self.ignored_values.saturating_add(parsed.is_none().into());
        parsed
    }
}

/// Parses one value, which may occur several times.
fn one<T>(
    parse: impl FnOnce(&str) -> Option<T>,
) -> impl FnOnce(GetAll<'_, HeaderValue>) -> Option<T> {
    move |values| {
        let mut values = values.iter();
        let text = values.next()?.to_str().ok()?;
        let is_one = text.len() <= MAX_BYTES && values.all(|other| other == text);
        if is_one { parse(text) } else { None }
    }
}

/// Parses several fields as one list (RFC 9110 §5.3).
fn languages(values: GetAll<'_, HeaderValue>) -> Option<AcceptLanguage> {
    let mut list = Vec::new();
    for value in values {
        if list.len().saturating_add(value.len()) > AcceptLanguage::MAX_BYTES {
            return None;
        }
        list.extend_from_slice(value.as_bytes());
        list.push(b',');
    }
    list.pop();
    AcceptLanguage::parse(&list)
}
