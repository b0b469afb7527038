//! What the headers of one call say of the client, and what the response says of that.

use http::{
    HeaderMap, HeaderName, HeaderValue, Response,
    header::{ACCEPT_LANGUAGE, CONTENT_LANGUAGE, Entry, VARY},
};

use crate::{
    client::{self, AcceptLanguage, ClientContext, ClientPolicy, ClientSource, Culture, Offer},
    error::SessionError,
};

static CLIENT_CULTURE: HeaderName = HeaderName::from_static("client-culture");
static CLIENT_UI_CULTURE: HeaderName = HeaderName::from_static("client-ui-culture");
static CLIENT_UTC_OFFSET: HeaderName = HeaderName::from_static("client-utc-offset");
static CLIENT_TIME_ZONE: HeaderName = HeaderName::from_static("client-time-zone");

/// No value of these fields is longer.
const MAX_VALUE: usize = 64;

/// Which header fields of a call may say where its client is now; none unless turned on.
///
/// The culture and offset in a token are those of the moment when it was minted. A client that
/// travels may send others with each call. They are unsigned: use them for display only. A bad
/// value is ignored and counted in [`ClientContext::ignored`].
///
/// # Examples
///
/// ```
/// use tower_session_token::CallHeaders;
///
/// let only_the_clock = CallHeaders::none().utc_offset().time_zone();
/// assert_ne!(only_the_clock, CallHeaders::all());
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct CallHeaders {
    culture: bool,
    ui_culture: bool,
    utc_offset: bool,
    time_zone: bool,
    accept_language: bool,
}

impl CallHeaders {
    /// None of the fields.
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

    /// All of the fields.
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

    /// `Client-Culture`: a BCP 47 tag.
    #[must_use]
    pub const fn culture(mut self) -> Self {
        self.culture = true;
        self
    }

    /// `Client-UI-Culture`: a BCP 47 tag.
    #[must_use]
    pub const fn ui_culture(mut self) -> Self {
        self.ui_culture = true;
        self
    }

    /// `Client-UTC-Offset`: an offset such as `+05:30` (RFC 3339 §5.6), positive east of
    /// Greenwich, within ±14:00.
    #[must_use]
    pub const fn utc_offset(mut self) -> Self {
        self.utc_offset = true;
        self
    }

    /// `Client-Time-Zone`: an IANA name such as `Europe/Berlin`.
    #[must_use]
    pub const fn time_zone(mut self) -> Self {
        self.time_zone = true;
        self
    }

    /// `Accept-Language` (RFC 9110 §12.5.4), asked after the token.
    #[must_use]
    pub const fn accept_language(mut self) -> Self {
        self.accept_language = true;
        self
    }

    /// The fields that are turned on.
    fn names(self) -> impl Iterator<Item = &'static HeaderName> {
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

    /// `base`, which the token or the defaults made, as this call's headers change it; `None`
    /// where no field is turned on or there.
    pub(super) fn resolve(
        self,
        headers: &HeaderMap,
        clients: &ClientPolicy,
        base: &ClientContext,
        now: impl FnOnce() -> chrono::DateTime<chrono::Utc>,
    ) -> Option<ClientContext> {
        if self == Self::none() || !self.names().any(|name| headers.contains_key(name)) {
            return None;
        }
        let mut fields = Fields {
            headers,
            ignored: 0,
        };
        let culture = |text: &str| (!text.is_empty()).then(|| text.parse().ok())?;
        let offer = Offer {
            culture: fields.read(self.culture, &CLIENT_CULTURE, culture),
            ui_culture: fields.read(self.ui_culture, &CLIENT_UI_CULTURE, culture),
            utc_offset: fields.read(self.utc_offset, &CLIENT_UTC_OFFSET, client::parse_offset),
            time_zone: fields.read(self.time_zone, &CLIENT_TIME_ZONE, |text| text.parse().ok()),
        };
        let languages = match self.accept_language {
            true => fields.languages(),
            false => None,
        };
        Some(clients.resolve_call(base, &offer, languages.as_ref(), fields.ignored, now()))
    }
}

/// Reads header fields and counts those that are bad.
struct Fields<'h> {
    headers: &'h HeaderMap,
    ignored: u8,
}

impl Fields<'_> {
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
        let read = value
            .to_str()
            .ok()
            .filter(|text| text.len() <= MAX_VALUE && values.all(|it| it == value))
            .and_then(parse);
        if read.is_none() {
            self.ignored = self.ignored.saturating_add(1);
        }
        read
    }

    fn languages(&mut self) -> Option<AcceptLanguage> {
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
        if languages.is_none() {
            self.ignored = self.ignored.saturating_add(1);
        }
        languages
    }
}

/// What a response says of the negotiation: made with the layer, finished with each request.
#[derive(Clone, Debug, Default)]
pub(super) struct NegotiationHeaders {
    vary: Option<HeaderValue>,
    content_language: Option<HeaderValue>,
}

impl NegotiationHeaders {
    pub(super) fn new(call_headers: CallHeaders) -> Self {
        let names: Vec<_> = call_headers.names().map(HeaderName::as_str).collect();
        Self {
            vary: HeaderValue::try_from(names.join(", "))
                .ok()
                .filter(|it| !it.is_empty()),
            content_language: None,
        }
    }

    /// Completes the headers for a request of this context; `None` where the response needs none.
    ///
    /// `token_field` is the field that the token came in, if that is a cookie or a header of its
    /// own: its culture could decide too.
    pub(super) fn of(
        &self,
        clients: &ClientPolicy,
        context: &ClientContext,
        token_field: Option<&HeaderName>,
    ) -> Option<Box<Self>> {
        let has_list = clients.has_supported_list();
        let sources = [context.culture_source(), context.ui_culture_source()];
        let negotiated = has_list || self.vary.is_some();
        let token_field =
            token_field.filter(|_| negotiated || sources.contains(&ClientSource::Token));
        if !negotiated && token_field.is_none() {
            return None;
        }
        let names = self.vary.iter().map(HeaderValue::as_bytes);
        let names = names.chain(token_field.map(|name| name.as_str().as_bytes()));
        let vary = names.collect::<Vec<_>>().join(&b", "[..]);
        let [_, ui_source] = sources;
        let by_request = matches!(ui_source, ClientSource::Call | ClientSource::AcceptLanguage);
        Some(Box::new(Self {
            vary: HeaderValue::try_from(vary)
                .ok()
                .filter(|vary| !vary.is_empty()),
            content_language: (has_list || by_request)
                .then(|| language(context.ui_culture()))
                .flatten(),
        }))
    }

    /// Adds to what the handler set. The refusal of a layer further in has no language: it holds
    /// constants alone, and nothing of the request.
    pub(super) fn apply<B>(self, response: &mut Response<B>) {
        let has_no_language = response.extensions().get::<SessionError>().is_some()
            || matches!(response.status().as_u16(), 204 | 304);
        let headers = response.headers_mut();
        if let Some(vary) = self.vary {
            add_vary(headers, vary);
        }
        if let Some(language) = self.content_language.filter(|_| !has_no_language)
            && let Entry::Vacant(entry) = headers.entry(CONTENT_LANGUAGE)
        {
            entry.insert(language);
        }
    }
}

fn language(culture: &Culture) -> Option<HeaderValue> {
    match culture.is_invariant() {
        true => None,
        false => HeaderValue::try_from(culture.as_str()).ok(),
    }
}

/// Appends the names that are not there yet (RFC 9110 §12.5.5).
fn add_vary(headers: &mut HeaderMap, ours: HeaderValue) {
    let there: Vec<_> = headers
        .get_all(VARY)
        .iter()
        .filter_map(|it| it.to_str().ok())
        .collect();
    let names = |list: &'_ str| -> Vec<String> {
        list.split(',')
            .map(|name| name.trim().to_ascii_lowercase())
            .collect()
    };
    let there: Vec<_> = there.into_iter().flat_map(names).collect();
    if there.is_empty() {
        headers.append(VARY, ours);
        return;
    }
    if there.iter().any(|name| name == "*") {
        return;
    }
    let missing: Vec<_> = ours
        .to_str()
        .map(names)
        .unwrap_or_default()
        .into_iter()
        .filter(|name| !there.contains(name))
        .collect();
    if let Ok(missing) = HeaderValue::try_from(missing.join(", "))
        && !missing.is_empty()
    {
        headers.append(VARY, missing);
    }
}
