//! The cultures, offset and zone of one request.

use chrono::{DateTime, FixedOffset};

use super::{culture::Culture, zone::ClientTimeZone};
use crate::serde_text::{named_enum, text_enum};

/// The client's cultures, offset from UTC and time zone for one request, each with its source.
///
/// They are for display only: values of a token are signed, but values of `Client-…` headers and
/// `Accept-Language` are not.
///
/// The default is the invariant culture, the offset +00:00 and no zone, all of
/// [`ClientSource::Default`].
///
/// # Examples
///
/// ```
/// use tower_session_token::{ClientContext, ClientSource};
///
/// let nothing_known = ClientContext::default();
/// assert!(nothing_known.culture().is_invariant());
/// assert_eq!(nothing_known.culture_source(), ClientSource::Default);
/// assert_eq!(nothing_known.utc_offset().to_string(), "+00:00");
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientContext {
    pub(super) culture: Culture,
    pub(super) ui_culture: Culture,
    pub(super) clock: ClientClock,
    pub(super) culture_source: ClientSource,
    pub(super) ui_culture_source: ClientSource,
    pub(super) clock_source: ClientSource,
    pub(super) ignored_values: u8,
}

/// The invariant culture and the offset +00:00, all from [`ClientSource::Default`].
impl Default for ClientContext {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl ClientContext {
    pub(crate) const DEFAULT: Self = Self {
        culture: Culture::INVARIANT,
        ui_culture: Culture::INVARIANT,
        clock: ClientClock {
            utc_offset: ZERO_OFFSET,
            time_zone: None,
        },
        culture_source: ClientSource::Default,
        ui_culture_source: ClientSource::Default,
        clock_source: ClientSource::Default,
        ignored_values: 0,
    };

    /// The client's culture, which determines the format of dates and numbers.
    #[doc(alias = "locale")]
    #[must_use]
    pub fn culture(&self) -> &Culture {
        &self.culture
    }

    /// The source of [`culture`](Self::culture).
    #[must_use]
    pub fn culture_source(&self) -> ClientSource {
        self.culture_source
    }

    /// The client's UI culture, which determines the language of messages.
    #[doc(alias = "locale")]
    #[doc(alias = "ui_locale")]
    #[must_use]
    pub fn ui_culture(&self) -> &Culture {
        &self.ui_culture
    }

    /// The source of [`ui_culture`](Self::ui_culture). A source without a UI culture uses its culture
    /// as both.
    #[must_use]
    pub fn ui_culture_source(&self) -> ClientSource {
        self.ui_culture_source
    }

    /// The client's offset from UTC, positive east of Greenwich.
    ///
    /// If the source has no offset but a time zone, this is the offset of the zone at the time of
    /// the request. Daylight saving is not applied: for other instants, use
    /// [`utc_offset_at`](Self::utc_offset_at).
    #[must_use]
    pub fn utc_offset(&self) -> FixedOffset {
        self.clock.utc_offset
    }

    /// The source of [`utc_offset`](Self::utc_offset).
    #[must_use]
    pub fn utc_offset_source(&self) -> ClientSource {
        self.clock_source
    }

    /// The client's time zone, if known. An offset alone does not determine a zone (RFC 9557 §1.2).
    #[doc(alias = "zoneinfo")]
    #[must_use]
    pub fn time_zone(&self) -> Option<ClientTimeZone> {
        self.clock.time_zone
    }

    /// The source of [`time_zone`](Self::time_zone), if known: the same as of the offset, since both
    /// are a pair.
    #[must_use]
    pub fn time_zone_source(&self) -> Option<ClientSource> {
        self.time_zone().map(|_| self.clock_source)
    }

    /// The client's offset from UTC at `instant`, positive east of Greenwich.
    ///
    /// It is the offset of the time zone at that instant, or [`utc_offset`](Self::utc_offset) if no
    /// zone is known.
    ///
    /// # Examples
    ///
    /// ```
    /// use chrono::Utc;
    /// use tower_session_token::ClientContext;
    ///
    /// let context = ClientContext::default();
    /// assert_eq!(context.utc_offset_at(&Utc::now()), context.utc_offset());
    /// ```
    #[must_use]
    pub fn utc_offset_at<Tz: chrono::TimeZone>(&self, instant: &DateTime<Tz>) -> FixedOffset {
        match self.time_zone() {
            Some(zone) => zone.offset_at(instant),
            None => self.utc_offset(),
        }
    }

    /// Converts an instant to the client's local time, by [`utc_offset_at`](Self::utc_offset_at).
    ///
    /// # Examples
    ///
    /// ```
    /// use chrono::{DateTime, Utc};
    /// use tower_session_token::ClientContext;
    ///
    /// let instant: DateTime<Utc> = "2026-07-01T12:00:00Z".parse()?;
    /// let shown = ClientContext::default().to_client_time(instant);
    /// assert_eq!(shown.to_rfc3339(), "2026-07-01T12:00:00+00:00");
    /// # Ok::<(), chrono::ParseError>(())
    /// ```
    #[expect(clippy::needless_pass_by_value, reason = "instants are values")]
    #[must_use]
    pub fn to_client_time<Tz: chrono::TimeZone>(
        &self,
        instant: DateTime<Tz>,
    ) -> DateTime<FixedOffset> {
        instant.with_timezone(&self.utc_offset_at(&instant))
    }

    /// The number of ignored header values of the request: ill-formed, too long, or the name of an
    /// unknown zone.
    #[must_use]
    pub fn ignored_values(&self) -> usize {
        self.ignored_values.into()
    }
}

/// The offset and zone, a pair from one source.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct ClientClock {
    pub(super) utc_offset: FixedOffset,
    pub(super) time_zone: Option<ClientTimeZone>,
}

const ZERO_OFFSET: FixedOffset = FixedOffset::east_opt(0).unwrap();

named_enum! {
    /// The source of a value of a [`ClientContext`].
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::ClientSource;
    ///
    /// assert_eq!(ClientSource::AcceptLanguage.to_string(), "accept-language");
    /// assert_eq!("call".parse(), Ok(ClientSource::Call));
    /// ```
    #[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
    #[non_exhaustive]
    pub enum ClientSource {
        /// A `Client-…` header of the request: `call`. It is not signed.
        Call = "call",
        /// The token: `token`.
        Token = "token",
        /// The header `Accept-Language` (RFC 9110 §12.5.4): `accept-language`. It is not signed.
        AcceptLanguage = "accept-language",
        /// The default of the service: `default`.
        #[default]
        Default = "default",
    }
    /// The name of the source: `call`, `token`, `accept-language` or `default`.
    as_str
}

text_enum!(ClientSource, "call, token, accept-language and default");

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;

    fn fixed(seconds: i32) -> ClientContext {
        let mut context = ClientContext::default();
        context.clock.utc_offset = FixedOffset::east_opt(seconds).unwrap();
        context
    }

    #[test]
    fn a_context_fits_a_cache_line() {
        assert!(size_of::<ClientContext>() <= 64);
    }

    #[test]
    fn a_context_can_be_an_extension() {
        fn is_extension<T: Clone + Send + Sync + Unpin + 'static>() {}
        is_extension::<ClientContext>();
    }

    #[test]
    fn the_default_context_is_invariant_and_utc() {
        let context = ClientContext::default();
        assert_eq!(context.culture(), &Culture::INVARIANT);
        assert_eq!(context.ui_culture(), &Culture::INVARIANT);
        assert_eq!(context.utc_offset().local_minus_utc(), 0);
        assert_eq!(context.time_zone(), None);
        assert_eq!(context.culture_source(), ClientSource::Default);
        assert_eq!(context.ui_culture_source(), ClientSource::Default);
        assert_eq!(context.utc_offset_source(), ClientSource::Default);
        assert_eq!(context.time_zone_source(), None);
        assert_eq!(context.ignored_values(), 0);
    }

    #[test]
    fn an_offset_without_a_zone_is_constant() {
        let context = fixed(-12_600);
        for (instant, want) in [
            ("2026-01-01T00:00:00Z", "2025-12-31T20:30:00-03:30"),
            ("2026-07-01T00:00:00Z", "2026-06-30T20:30:00-03:30"),
        ] {
            let instant: DateTime<Utc> = instant.parse().unwrap();
            assert_eq!(context.to_client_time(instant).to_rfc3339(), want);
        }
    }

    #[test]
    fn the_first_and_last_instants_are_converted() {
        for context in [fixed(14 * 3600), fixed(-14 * 3600)] {
            for instant in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
                assert_eq!(context.to_client_time(instant), instant);
            }
        }
    }

    #[test]
    fn a_source_is_printed_and_parsed_by_its_name() {
        for (source, name) in [
            (ClientSource::Call, "call"),
            (ClientSource::Token, "token"),
            (ClientSource::AcceptLanguage, "accept-language"),
            (ClientSource::Default, "default"),
        ] {
            assert_eq!(source.to_string(), name);
            assert_eq!(name.parse(), Ok(source));
            let json = serde_json::to_string(&source).unwrap();
            assert_eq!(json, format!("\"{name}\""));
            assert_eq!(serde_json::from_str::<ClientSource>(&json).unwrap(), source);
        }
        for text in ["", "Call", "header"] {
            assert!(text.parse::<ClientSource>().is_err(), "{text:?}");
        }
    }

    #[cfg(feature = "time_zone")]
    #[test]
    fn a_zone_applies_daylight_saving() {
        let mut context = fixed(0);
        context.clock.time_zone = "America/St_Johns".parse().ok();
        for (instant, want) in [
            ("2026-01-01T00:00:00Z", "2025-12-31T20:30:00-03:30"),
            ("2026-07-01T00:00:00Z", "2026-06-30T21:30:00-02:30"),
        ] {
            let instant: DateTime<Utc> = instant.parse().unwrap();
            assert_eq!(context.to_client_time(instant).to_rfc3339(), want);
        }
        assert_eq!(context.time_zone_source(), Some(ClientSource::Default));
    }
}
